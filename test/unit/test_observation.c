// SPDX-License-Identifier: MIT
/* Reading registries: of this process, of others (stopped, ended), from files, from files that are
 * anything; and what is made of an observation. */
#define _GNU_SOURCE
#include "lfset/observation.h"

#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lfset/bitmap.h"
#include "lfset/bytes.h"
#include "observe/open.h"
#include "support.h"

static struct lfset_u64 *create(const char *name, const struct lfset_observe *observe)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_u64 *set;
    options.name = name;
    options.observe = observe;
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    return set;
}

static struct lfset_observation *take(struct lfset_registry *registry)
{
    struct lfset_observation *seen;
    CHECK_EQ(lfset_observation_take(registry, &seen), 0);
    return seen;
}

static struct lfset_observation *observe_pid(pid_t pid)
{
    struct lfset_registry *registry;
    CHECK_EQ(lfset_registry_open(&registry, pid), 0);
    struct lfset_observation *seen = take(registry);
    lfset_registry_close(registry);
    return seen;
}

static const struct lfset_set_seen *named(const struct lfset_observation *seen, const char *name)
{
    for (size_t i = 0; i < seen->set_count; i++) {
        if (strcmp(seen->sets[i].name, name) == 0) {
            return &seen->sets[i];
        }
    }
    return NULL;
}

/* ---- what is read ---------------------------------------------------------------------------------- */

TEST(observation, numbers_of_a_set)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.max_keys = 5000;
    observe.strategy = LFSET_GUARD_REFUSE;
    struct lfset_u64 *set = create("numbers", &observe);
    for (uint64_t key = 1; key <= 1000; key++) {
        CHECK_EQ(lfset_u64_add(set, key), 1);
    }
    CHECK_EQ(lfset_u64_add(set, 1), 0);
    for (uint64_t key = 1; key <= 300; key++) {
        CHECK_EQ(lfset_u64_remove(set, key), 1);
    }
    CHECK_EQ(lfset_u64_remove(set, 1), 0);
    CHECK_EQ(lfset_u64_contains(set, 400), 1);
    CHECK_EQ(lfset_u64_contains(set, 1), 0);

    struct lfset_observation *seen = observe_pid(0);
    const struct lfset_set_seen *one = named(seen, "numbers");
    CHECK(one != NULL, "it is not there");
    CHECK_EQ(one->kind, LFSET_KIND_U64);
    CHECK_EQ(one->counted, 1);
    CHECK_EQ(one->guarded, 1);
    CHECK_EQ(one->max_keys, 5000);
    CHECK_EQ(one->strategy, LFSET_GUARD_REFUSE);
    CHECK_EQ(one->live, 700);
    CHECK_EQ(one->adds, 1000);
    CHECK_EQ(one->adds_present, 1);
    CHECK_EQ(one->removes, 300);
    CHECK_EQ(one->removes_absent, 1);
    CHECK_EQ(one->hits, 1);
    CHECK_EQ(one->misses, 1);
    CHECK(one->grows > 0 && one->capacity >= 1000, "it has grown");
    CHECK(one->bytes >= one->capacity * 8, "its slice has words");
    CHECK_EQ(one->bytes, one->slice_bytes + one->key_bytes + one->dead_bytes + one->retired_bytes);
    CHECK(one->created_ns <= seen->time_ns && one->created_ns >= seen->started_ns, "its age");
    CHECK(isnan(one->to_limit), "nobody has forecast anything");
    const uint64_t *frames;
    CHECK(lfset_observation_stack(seen, one->created_stack, &frames) > 1 && frames[0] != 0,
          "who created it");
    CHECK(lfset_observation_set(seen, one->id) == one, "it is found by its id");
    CHECK(lfset_observation_set(seen, one->id + 1000) == NULL, "and no other");
    CHECK_EQ(lfset_observation_stack(seen, 0, &frames), 0);
    CHECK_EQ(lfset_observation_stack(seen, UINT32_MAX, &frames), 0);
    CHECK_EQ(seen->pid, getpid());
    CHECK_EQ(seen->alive, 1);
    CHECK(strcmp(seen->library_version, lfset_version()) == 0, "%s", seen->library_version);
    lfset_observation_free(seen);

    CHECK_EQ(lfset_u64_destroy(set), 0);
    seen = observe_pid(0);
    CHECK(named(seen, "numbers") == NULL, "it is gone with the set");
    lfset_observation_free(seen);
}

TEST(observation, kinds_and_what_is_not_counted)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_bytes *bytes;
    struct lfset_bitmap *bitmap;
    options.name = "strings";
    options.domain = LFSET_HP;
    CHECK_EQ(lfset_bytes_create(&bytes, &options), 0);
    options.name = "bits";
    CHECK_EQ(lfset_bitmap_create(&bitmap, &options), 0);
    struct lfset_observation *seen = observe_pid(0);
    const struct lfset_set_seen *one = named(seen, "strings");
    CHECK(one && one->kind == LFSET_KIND_BYTES && one->domain == LFSET_HP, "strings");
    CHECK(!one->counted && !one->guarded && !one->profiled, "flags");
    one = named(seen, "bits");
    CHECK(one && one->kind == LFSET_KIND_BITMAP, "bits");
    lfset_observation_free(seen);
    CHECK_EQ(lfset_bytes_destroy(bytes), 0);
    CHECK_EQ(lfset_bitmap_destroy(bitmap), 0);
}

/* Creates and destroys sets, in two of which nothing is alike. */
static void *churn(void *stop)
{
    static const char *const names[] = {"one", "seven-seven-seven-seven-seven-seven-seven"};
    for (unsigned i = 0; !atomic_load((atomic_bool *)stop); i++) {
        struct lfset_observe observe = LFSET_OBSERVE_INIT;
        struct lfset_options options = LFSET_OPTIONS_INIT;
        struct lfset_u64 *set;
        observe.max_keys = observe.max_bytes = observe.max_rate = i % 2 ? 7777777 : 1;
        observe.idle_timeout_ns = observe.expiry_ns = observe.max_keys;
        observe.flags = 0;
        options.name = names[i % 2];
        options.observe = &observe;
        int error = lfset_u64_create(&set, &options);
        if (error != 0 || lfset_u64_destroy(set) != 0) {
            fault("create: %d", error);
        }
    }
    return NULL;
}

/* [record.id] */
TEST(observation, entries_that_change_hands)
{
    struct lfset_u64 *set = create("stays", NULL);
    struct lfset_registry *registry;
    atomic_bool stop = false;
    pthread_t thread;
    unsigned looks = 0;
    CHECK_EQ(lfset_registry_open(&registry, 0), 0);
    CHECK_EQ(pthread_create(&thread, NULL, churn, &stop), 0);
    for (; looks < 5000; looks++) {
        struct lfset_observation *seen = take(registry);
        CHECK(seen->set_count == 1 || seen->set_count == 2, "%zu sets", seen->set_count);
        for (size_t i = 0; i < seen->set_count; i++) {
            const struct lfset_set_seen *one = &seen->sets[i];
            uint64_t wanted = one->name[0] == 'o'                          ? 1
                              : one->name[0] == 's' && one->name[1] == 'e' ? 7777777
                                                                           : 0;
            CHECK(one->max_keys == wanted && one->max_bytes == wanted && one->max_rate == wanted &&
                      one->idle_timeout_ns == wanted && one->expiry_ns == wanted &&
                      strlen(one->name) == (wanted == 1 ? 3
                                            : wanted    ? 41
                                                        : 5),
                  "%s is two sets: %" PRIu64 " %" PRIu64, one->name, one->max_keys, one->expiry_ns);
        }
        lfset_observation_free(seen);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    check_faults();
    lfset_registry_close(registry);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

/* ---- other processes ------------------------------------------------------------------------------- */

/* A process with a set of so many keys, which then waits. */
static pid_t child_with(const char *name, uint64_t keys)
{
    int ready[2];
    char byte;
    CHECK_EQ(pipe2(ready, O_CLOEXEC), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct lfset_observe observe = LFSET_OBSERVE_INIT;
        struct lfset_options options = LFSET_OPTIONS_INIT;
        struct lfset_u64 *set;
        options.name = name;
        options.observe = &observe;
        int ok = !name || lfset_u64_create(&set, &options) == 0;
        for (uint64_t key = 1; ok && name && key <= keys; key++) {
            ok = lfset_u64_add(set, key) == 1;
        }
        ok = ok && write(ready[1], "x", 1) == 1;
        for (;;) {
            pause();
        }
    }
    close(ready[1]);
    CHECK_EQ(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static bool is_listed(pid_t pid)
{
    pid_t pids[4096];
    int count = lfset_registry_list(pids, 4096);
    CHECK(count >= 0, "list answers %d", count);
    for (int i = 0; i < count && i < 4096; i++) {
        if (pids[i] == pid) {
            return true;
        }
    }
    return false;
}

TEST(observation, of_a_process_that_is_stopped_and_then_ended)
{
    pid_t pid = child_with("other", 1234);
    struct lfset_registry *registry;
    kill(pid, SIGSTOP);
    CHECK(is_listed(pid), "it is listed");
    CHECK(lfset_registry_list(NULL, 0) > 0, "without room");
    CHECK_EQ(lfset_registry_open(&registry, pid), 0);
    struct lfset_observation *seen = take(registry);
    CHECK_EQ(seen->alive, 1);
    CHECK_EQ(seen->pid, pid);
    CHECK_EQ(named(seen, "other")->live, 1234);
    lfset_observation_free(seen);
    end(pid);
    seen = take(registry);
    CHECK_EQ(seen->alive, 0);
    CHECK_EQ(named(seen, "other")->live, 1234);
    lfset_observation_free(seen);
    lfset_registry_close(registry);
    CHECK(!is_listed(pid), "it is not listed any more");
    CHECK_EQ(lfset_registry_open(&registry, pid), -ESRCH);
}

TEST(observation, of_no_process)
{
    struct lfset_registry *registry;
    pid_t pid = child_with(NULL, 0);
    CHECK_EQ(lfset_registry_open(&registry, pid), -ENOENT);
    end(pid);
    CHECK_EQ(lfset_registry_open(&registry, 0), -ENOENT);
    CHECK_EQ(lfset_registry_open(&registry, -1), -EINVAL);
    CHECK_EQ(lfset_registry_open(NULL, 0), -EINVAL);
    CHECK_EQ(lfset_observation_take(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_registry_list(NULL, 1), -EINVAL);
    lfset_registry_close(NULL);
    lfset_observation_free(NULL);
}

/* ---- files ----------------------------------------------------------------------------------------- */

/* A file with what this process's registry has now. Holes stay holes. */
static int saved(char *path)
{
    struct lfset_registry *registry;
    struct lfset__bytes bytes;
    CHECK_EQ(lfset_registry_open(&registry, 0), 0);
    CHECK_EQ(lfset__bytes_get(registry, &bytes), 0);
    int fd = mkstemp(path);
    CHECK(fd >= 0, "%s", path);
    CHECK_EQ(ftruncate(fd, (off_t)bytes.size), 0);
    for (size_t i = 0; i < bytes.extent_count; i++) {
        const struct lfset__extent *extent = &bytes.extents[i];
        size_t size = extent->end - extent->begin;
        CHECK_EQ(pwrite(fd, bytes.base + extent->begin, size, (off_t)extent->begin), size);
    }
    lfset__bytes_put(&bytes);
    lfset_registry_close(registry);
    return fd;
}

#define PATH "/tmp/lfset-observation-XXXXXX"

TEST(observation, of_a_file)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_u64 *set = create("kept", &observe);
    char path[] = PATH;
    struct lfset_registry *registry;
    for (uint64_t key = 1; key <= 77; key++) {
        CHECK_EQ(lfset_u64_add(set, key), 1);
    }
    int fd = saved(path);
    CHECK_EQ(lfset_registry_open_file(&registry, path), 0);
    struct lfset_observation *seen = take(registry);
    CHECK_EQ(seen->alive, 0);
    CHECK_EQ(seen->pid, getpid());
    CHECK_EQ(named(seen, "kept")->live, 77);
    lfset_observation_free(seen);
    // cut off while it is open: what is missing is nothing
    CHECK_EQ(ftruncate(fd, sizeof(struct lfset__segment)), 0);
    seen = take(registry);
    CHECK_EQ(seen->set_count, 0);
    lfset_observation_free(seen);
    lfset_registry_close(registry);
    CHECK_EQ(lfset_registry_open_file(&registry, path), -EBADMSG);
    close(fd);
    unlink(path);
    CHECK_EQ(lfset_registry_open_file(&registry, path), -ENOENT);
    CHECK_EQ(lfset_registry_open_file(&registry, "/"), -EBADMSG);
    CHECK_EQ(lfset_registry_open_file(&registry, "/dev/null"), -EBADMSG);
    CHECK_EQ(lfset_registry_open_file(&registry, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

/* Opens the file after one of its words became another. */
static int opened_with(int fd, const char *path, size_t offset, const void *word, size_t size)
{
    char before[8];
    struct lfset_registry *registry;
    CHECK_EQ(pread(fd, before, size, (off_t)offset), size);
    CHECK_EQ(pwrite(fd, word, size, (off_t)offset), size);
    int error = lfset_registry_open_file(&registry, path);
    if (error == 0) {
        lfset_registry_close(registry);
    }
    CHECK_EQ(pwrite(fd, before, size, (off_t)offset), size);
    return error;
}

TEST(observation, header_that_lies)
{
    struct lfset_u64 *set = create("header", NULL);
    char path[] = PATH;
    int fd = saved(path);
    const uint32_t two = 2, huge = UINT32_MAX, odd = 65;
    const uint64_t far = UINT64_MAX - 63, near = 64, unaligned = 1 << 20 | 4;
#define WITH(member, word)                                                                         \
    opened_with(fd, path, offsetof(struct lfset__segment, member), &(word), sizeof(word))
    CHECK_EQ(WITH(version, two), -EPROTO);
    CHECK_EQ(WITH(magic, far), -EBADMSG);
    CHECK_EQ(WITH(bytes, far), -EBADMSG);
    CHECK_EQ(WITH(header_bytes, two), -EBADMSG);
    CHECK_EQ(WITH(lanes, huge), -EBADMSG);
#define TABLE(table)                                                                               \
    CHECK_EQ(WITH(table.offset, far), -EBADMSG);                                                   \
    CHECK_EQ(WITH(table.offset, near), -EBADMSG);                                                  \
    CHECK_EQ(WITH(table.offset, unaligned), -EBADMSG);                                             \
    CHECK_EQ(WITH(table.stride, two), -EBADMSG);                                                   \
    CHECK_EQ(WITH(table.stride, odd), -EBADMSG);                                                   \
    CHECK_EQ(WITH(table.stride, huge), -EBADMSG);                                                  \
    CHECK_EQ(WITH(table.count, huge), -EBADMSG)
    TABLE(sets);
    TABLE(lane);
    TABLE(stacks);
    TABLE(threads);
    TABLE(retired);
    TABLE(samples);
    TABLE(events);
    TABLE(modules);
    CHECK_EQ(WITH(version, (uint32_t){1}), 0);
    close(fd);
    unlink(path);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

/* All that is made of an observation. */
static void write_all(const struct lfset_observation *seen)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    CHECK_EQ(lfset_observation_json(seen, out), 0);
    CHECK_EQ(lfset_observation_text(seen, out), 0);
    CHECK_EQ(lfset_observation_metrics(seen, LFSET_METRICS_PROMETHEUS, out), 0);
    CHECK_EQ(lfset_observation_metrics(seen, LFSET_METRICS_OPENMETRICS, out), 0);
    for (size_t i = 0; i < seen->event_count; i++) {
        CHECK_EQ(lfset_event_write(&seen->events[i], LFSET_LOG_JSON, out), 0);
    }
    fclose(out);
    free(text);
}

/* Whatever a file says, it is refused or read; never a crash (run with the sanitizers, too). */
TEST(observation, files_of_random_bytes)
{
    static const uint64_t masks[] = {0xff, 0xffff, UINT32_MAX, UINT64_MAX};
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_u64 *set = create("random", &observe);
    char path[] = PATH;
    uint64_t random = 20251124;
    unsigned refused = 0, read = 0;
    for (uint64_t key = 1; key <= 100; key++) {
        CHECK_EQ(lfset_u64_add(set, key), 1);
    }
    CHECK_EQ(lfset_section_enter(), 0);
    int fd = saved(path);
    CHECK_EQ(lfset_section_leave(), 0);
    for (int round = 0; round < 400; round++) {
        off_t offsets[16];
        uint64_t before[16];
        unsigned changes = 1 + (unsigned)random % 16;
        for (unsigned i = 0; i < changes; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            // the header in some rounds, the first pages of the tables in all
            uint64_t range = round % 4 == 0 ? sizeof(struct lfset__segment) : UINT64_C(1) << 15;
            offsets[i] = (off_t)(random >> 20 & (range - 1) & ~UINT64_C(7));
            uint64_t word = random * UINT64_C(0x9e3779b97f4a7c15) & masks[random >> 60 & 3];
            CHECK_EQ(pread(fd, &before[i], 8, offsets[i]), 8);
            CHECK_EQ(pwrite(fd, &word, 8, offsets[i]), 8);
        }
        struct lfset_registry *registry;
        struct lfset_observation *seen = NULL;
        int error = lfset_registry_open_file(&registry, path);
        if (!error) {
            error = lfset_observation_take(registry, &seen);
            lfset_registry_close(registry);
        }
        CHECK(error == 0 || error == -EBADMSG || error == -EPROTO || error == -ENOMEM,
              "round %d: %d", round, error);
        refused += error != 0;
        read += error == 0;
        if (!error) {
            write_all(seen);
            lfset_observation_free(seen);
        }
        for (unsigned i = changes; i-- > 0;) {
            CHECK_EQ(pwrite(fd, &before[i], 8, offsets[i]), 8);
        }
    }
    CHECK(refused > 20 && read > 20, "%u refused, %u read: the bytes are not bad in the right way",
          refused, read);
    close(fd);
    unlink(path);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

/* ---- what is written ------------------------------------------------------------------------------- */

/* @return what the observation is as metrics; to be freed. */
static char *metrics(const struct lfset_observation *seen, enum lfset_metrics_format format)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    CHECK_EQ(lfset_observation_metrics(seen, format, out), 0);
    fclose(out);
    return text;
}

/* How often a line is there. */
static unsigned lines(const char *text, const char *line)
{
    unsigned count = 0;
    size_t length = strlen(line);
    for (const char *at = text; (at = strstr(at, line)); at += length) {
        count += (at == text || at[-1] == '\n') && at[length] == '\n';
    }
    return count;
}

#define LINE(text, line) CHECK(lines(text, line) == 1, "%s is not there once in\n%s", line, text)

static struct lfset_set_seen made_set(uint64_t id, const char *name, uint64_t live)
{
    return (struct lfset_set_seen){.id = id,
                                   .name = name,
                                   .live = live,
                                   .created_ns = 1000000000 * id,
                                   .changed_ns = 2000000000 * id,
                                   .to_limit = NAN};
}

TEST(metrics, sums_names_and_absences)
{
    struct lfset_set_seen sets[] = {
        made_set(1, "twin", 5),
        made_set(2, "", 1000),
        made_set(3, "a \"b\" \\c\nd\xff", 7),
        made_set(4, "twin", UINT64_C(1) << 60),
    };
    sets[0].counted = 1;
    sets[0].adds = 11;
    sets[3].to_limit = 1.5;
    sets[3].confidence = 0.1;
    sets[3].max_keys = 9;
    sets[3].guarded = 1;
    struct lfset_observation seen = {
        .time_ns = UINT64_C(10000000000), .sets = sets, .set_count = 4, .alive = 1};
    char *text = metrics(&seen, LFSET_METRICS_PROMETHEUS);
    LINE(text, "lfset_sets 4");
    LINE(text, "# TYPE lfset_set_keys gauge");
    LINE(text, "lfset_set_keys{set=\"twin\"} 1152921504606846981");
    LINE(text, "lfset_set_keys{set=\"a \\\"b\\\" \\\\c\\nd\xef\xbf\xbd\"} 7");
    CHECK(strstr(text, "1000\n") == NULL && strstr(text, "set=\"\"") == NULL,
          "a set without a name");
    LINE(text, "lfset_set_instances{set=\"twin\"} 2");
    LINE(text, "lfset_set_age_seconds{set=\"twin\"} 9");
    LINE(text, "lfset_set_idle_seconds{set=\"twin\"} 2");
    LINE(text, "# TYPE lfset_set_adds_total counter");
    LINE(text, "lfset_set_adds_total{set=\"twin\"} 11");
    LINE(text, "lfset_set_forecast_seconds{set=\"twin\"} 1.5");
    LINE(text, "lfset_set_forecast_confidence_ratio{set=\"twin\"} 0.1");
    LINE(text, "lfset_set_limit_keys{set=\"twin\"} 9");
    CHECK(strstr(text, "lfset_set_adds_total{set=\"a") == NULL, "it is not counted");
    CHECK(strstr(text, "lfset_set_limit_keys{set=\"a") == NULL, "it has no limit");
    CHECK(strstr(text, "lfset_set_limit_bytes") == NULL, "none has this limit");
    CHECK(strstr(text, "UNIT") == NULL && strstr(text, "EOF") == NULL, "of the other format");
    free(text);
    text = metrics(&seen, LFSET_METRICS_OPENMETRICS);
    LINE(text, "# TYPE lfset_set_adds counter");
    LINE(text, "lfset_set_adds_total{set=\"twin\"} 11");
    LINE(text, "# UNIT lfset_set_bytes bytes");
    LINE(text, "# EOF");
    free(text);

    seen.set_count = 0;
    text = metrics(&seen, LFSET_METRICS_PROMETHEUS);
    LINE(text, "lfset_sets 0");
    CHECK(strstr(text, "lfset_set_") == NULL, "series vanish with the set");
    free(text);
}

TEST(metrics, stalled_readers)
{
    struct lfset_thread_seen threads[] = {
        {.section_since_ns = 1000000000, .in_section = 1}, // long, but nobody calls it stalled
        {.section_since_ns = 4000000000, .in_section = 1, .stalled = 1},
        {.hazards = {0, 5}, .hazard_since_ns = {0, 3500000000}, .stalled = 1},
    };
    struct lfset_observation seen = {
        .time_ns = UINT64_C(10000000000), .threads = threads, .thread_count = 3, .stalls = 2};
    seen.garbage_bytes[LFSET_HP] = 77;
    char *text = metrics(&seen, LFSET_METRICS_PROMETHEUS);
    LINE(text, "lfset_stalled_readers 2");
    LINE(text, "lfset_stalled_reader_longest_seconds 6.5");
    LINE(text, "lfset_stalls_total 2");
    LINE(text, "lfset_hp_garbage_bytes 77");
    LINE(text, "lfset_rcu_garbage_bytes 0");
    CHECK(strstr(text, "lfset_watcher_") == NULL, "there is no watcher");
    free(text);
}

TEST(metrics, refused)
{
    struct lfset_observation seen = {0};
    FILE *full = fopen("/dev/full", "w");
    CHECK_EQ(lfset_observation_metrics(NULL, LFSET_METRICS_PROMETHEUS, stdout), -EINVAL);
    CHECK_EQ(lfset_observation_metrics(&seen, LFSET_METRICS_PROMETHEUS, NULL), -EINVAL);
    CHECK_EQ(lfset_observation_metrics(&seen, (enum lfset_metrics_format)7, stdout), -EINVAL);
    CHECK_EQ(lfset_observation_metrics(&seen, LFSET_METRICS_PROMETHEUS, full), -EIO);
    fclose(full);
}

TEST(json, says_what_is_seen)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_u64 *counted = create("counted", &observe),
                     *plain = create("not \xff counted", NULL);
    char *text;
    size_t size;
    CHECK_EQ(lfset_u64_add(counted, 1), 1);
    struct lfset_observation *seen = observe_pid(0);
    FILE *out = open_memstream(&text, &size);
    CHECK_EQ(lfset_observation_json(seen, out), 0);
    fclose(out);
    json_t *json = json_loads(text, 0, NULL);
    CHECK(json != NULL, "no JSON: %s", text);
    json_t *sets = json_object_get(json, "sets");
    CHECK_EQ(json_array_size(sets), 2);
    json_t *first = json_array_get(sets, 0), *second = json_array_get(sets, 1);
    CHECK(strcmp(json_string_value(json_object_get(first, "name")), "counted") == 0, "%s", text);
    CHECK_EQ(json_integer_value(json_object_get(first, "adds")), 1);
    CHECK_EQ(json_integer_value(json_object_get(first, "live")), 1);
    CHECK(json_object_get(second, "adds") == NULL, "what is not counted is absent");
    CHECK(json_object_get(second, "guard") == NULL, "so is a guard that there is not");
    CHECK(strcmp(json_string_value(json_object_get(second, "name")), "not \xef\xbf\xbd counted") ==
              0,
          "%s", text);
    char stack[16];
    snprintf(stack, sizeof stack, "%d",
             (int)json_integer_value(json_object_get(first, "created_stack")));
    CHECK(json_array_size(json_object_get(json_object_get(json, "stacks"), stack)) > 1, "%s", text);
    json_decref(json);
    free(text);
    lfset_observation_free(seen);
    CHECK_EQ(lfset_u64_destroy(counted), 0);
    CHECK_EQ(lfset_u64_destroy(plain), 0);
}

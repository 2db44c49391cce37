// SPDX-License-Identifier: MIT
/* Reading registries: of this process, of others (stopped, ended), from files, from files that are
 * anything. */
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
#include <sys/time.h>
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

/* ---- entries that change hands --------------------------------------------------------------------- */

enum { HANDS = 200 };
static char *hands; // where their table begins
static uint64_t hands_id = 2;

/* Writes entries, as registry.c does, now for one set and now for another, of which nothing is alike. As a
 * signal handler: wherever the reader is just then. */
static void change_hands(int signal)
{
    static const char *const names[] = {"one", "seven-seven-seven-seven-seven-seven-seven"};
    (void)signal;
    for (size_t i = 0; i < HANDS; i++, hands_id++) {
        struct lfset__record *record = (void *)(hands + i * sizeof *record);
        uint64_t number = hands_id % 2 ? 7777777 : 1;
        atomic_store_explicit(&record->id, 1, memory_order_relaxed);
        atomic_thread_fence(memory_order_release);
        memset(record->name, 0, sizeof record->name);
        strcpy(record->name, names[hands_id % 2]);
        record->max_keys = record->max_rate = number;
        atomic_store_explicit(&record->capacity, number, memory_order_relaxed);
        atomic_store_explicit(&record->probed_ns, number, memory_order_relaxed);
        atomic_store_explicit(&record->id, hands_id, memory_order_release);
    }
    hands_id++; // so that each becomes the other
}

static void check_hands(const struct lfset_observation *seen)
{
    for (size_t i = 0; i < seen->set_count; i++) {
        const struct lfset_set_seen *one = &seen->sets[i];
        uint64_t number = one->id % 2 ? 7777777 : 1;
        CHECK(strlen(one->name) == (one->id % 2 ? 41 : 3) && one->max_keys == number &&
                  one->max_rate == number && one->capacity == number && one->probed_ns == number,
              "%s is two sets: %" PRIu64 " %" PRIu64, one->name, one->max_keys, one->probed_ns);
    }
}

/* [record.id]: what is seen of an entry is of one set. */
TEST(observation, entries_that_change_hands)
{
    const struct itimerval often = {{0, 100}, {0, 100}}, never = {{0, 0}, {0, 0}};
    sigset_t alarm;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, NULL); // in threads that are started for the set: one writer
    struct lfset_u64 *set = create("first", NULL);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    CHECK_EQ(lfset_barrier(), 0);
    char path[] = PATH, memory_path[64];
    int from = saved(path), fd = memfd_create("hands", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    off_t size = lseek(from, 0, SEEK_END);
    CHECK_EQ(ftruncate(fd, size), 0);
    char *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK_EQ(pread(from, memory, sizeof(struct lfset__segment), 0), sizeof(struct lfset__segment));
    CHECK_EQ(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0); // so that it is mapped, not copied
    hands = memory + ((const struct lfset__segment *)(const void *)memory)->sets.offset;
    struct lfset_registry *registry;
    snprintf(memory_path, sizeof memory_path, "/proc/self/fd/%d", fd);
    CHECK_EQ(lfset_registry_open_file(&registry, memory_path), 0);
    signal(SIGALRM, change_hands);
    change_hands(SIGALRM);
    uint64_t first_id = hands_id;
    pthread_sigmask(SIG_UNBLOCK, &alarm, NULL);
    CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
    while ((hands_id - first_id) / HANDS < 1000) {
        struct lfset_observation *seen = take(registry);
        CHECK(seen->set_count > HANDS / 2, "only %zu are seen", seen->set_count);
        check_hands(seen);
        lfset_observation_free(seen);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    lfset_registry_close(registry);
    munmap(memory, (size_t)size);
    close(fd);
    close(from);
    unlink(path);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

/* ---- files that are anything ------------------------------------------------------------------------ */

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
    const uint32_t two = 2, huge = UINT32_MAX, odd = 65, many = 1 << 21;
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
    CHECK_EQ(WITH(table.count, huge), -EBADMSG);                                                   \
    CHECK_EQ(WITH(table.count, many), -EBADMSG)
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

/* The offset of a word that is not in a hole. */
static off_t written_word(const struct lfset__bytes *bytes, uint64_t random)
{
    const struct lfset__extent *extent = &bytes->extents[random % bytes->extent_count];
    return (off_t)(extent->begin + (random >> 8) % ((extent->end - extent->begin) / 8) * 8);
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
    struct lfset_registry *sound;
    struct lfset__bytes bytes;
    for (uint64_t key = 1; key <= 100; key++) {
        CHECK_EQ(lfset_u64_add(set, key), 1);
    }
    CHECK_EQ(lfset_section_enter(), 0);
    int fd = saved(path);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_registry_open_file(&sound, path), 0);
    CHECK_EQ(lfset__bytes_get(sound, &bytes), 0);
    for (int round = 0; round < 1000; round++) {
        off_t offsets[16];
        uint64_t before[16];
        unsigned changes = 1 + (unsigned)random % 16;
        for (unsigned i = 0; i < changes; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
            // the header in some rounds, what is written of all tables in others
            offsets[i] = round % 4 == 0 ? (off_t)(random >> 20) %
                                              (off_t)(sizeof(struct lfset__segment) / 8) * 8
                                        : written_word(&bytes, random >> 20);
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
    lfset__bytes_put(&bytes);
    lfset_registry_close(sound);
    close(fd);
    unlink(path);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

/* ---- what is written ------------------------------------------------------------------------------- */

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

// SPDX-License-Identifier: MIT
/* What sets note in the registry: who is listed, counters of all operations of all kinds, what is retired
 * and held, threads and sections, limits, a forked child. */
#define _GNU_SOURCE
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lfset/bitmap.h"
#include "lfset/bytes.h"
#include "lfset/obj.h"
#include "lfset/observe.h"
#include "record/registry.h"

static struct lfset_options named(enum lfset_domain domain, const char *name,
                                  const struct lfset_observe *observe)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.name = name;
    options.observe = observe;
    return options;
}

/* The entry of the set of this name; NULL: none. Of several any. */
static struct lfset__about *about_named(const char *name)
{
    struct lfset__about *about = NULL;
    while ((about = lfset__registry_next(about)))
        if (strcmp(about->name, name) == 0) {
            lfset__registry_unpin(about);
            return about;
        }
    return NULL;
}

static uint64_t read_word(_Atomic(uint64_t) *word)
{
    return atomic_load(word);
}

/* Entries of the table of what is retired or held, by who holds them. */
static size_t held_by(enum lfset_holder holder, uint64_t set_id)
{
    struct lfset__segment *segment = lfset__segment_now();
    size_t count = 0;
    for (uint32_t i = 0; i < segment->retired.count; i++) {
        struct lfset__retired_entry *entry = (void *)((char *)segment + segment->retired.offset +
                                                      (size_t)i * segment->retired.stride);
        count += read_word(&entry->id) > 1 && entry->holder == (uint32_t)holder &&
                 entry->set_id == set_id;
    }
    return count;
}

/* ---- the list ---- */

TEST(registry, lists_sets_with_names_or_wishes)
{
    struct lfset_u64 *plain, *listed, *counted;
    const struct lfset_observe observe = LFSET_OBSERVE_INIT;
    CHECK(!lfset__segment_now(), "there is a registry before any set has a name");
    CHECK_EQ(lfset_u64_create(&plain, NULL), 0);
    CHECK(!lfset__segment_now(), "a set without a name made a registry");
    CHECK_EQ(lfset_registry_off(), 0); /* not yet: undone by nothing, so in a child */
    lfset_u64_destroy(plain);
    struct lfset_options options = named(LFSET_RCU, "one", NULL);
    CHECK_EQ(lfset_u64_create(&listed, &options), 0); /* its name stays a name */
    struct lfset_stats stats = {.size = sizeof stats};
    CHECK_EQ(lfset_u64_stats_read(listed, &stats), 0);
    CHECK(strcmp(stats.name, "one") == 0, "its name is \"%s\"", stats.name);
    options.observe = &observe;
    CHECK_EQ(lfset_u64_create(&counted, &options), -ENOTSUP);
    CHECK(!counted, "a set in spite of -ENOTSUP");
    CHECK_EQ(lfset_u64_add(listed, 1), 1);
    CHECK_EQ(lfset_u64_destroy(listed), 0);
}

TEST(registry, a_set_leaves_when_it_is_destroyed)
{
    struct lfset_u64 *set;
    struct lfset_options options = named(LFSET_RCU, "guest", NULL);
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    struct lfset__about *about = about_named("guest");
    CHECK(about, "not listed");
    CHECK_EQ(about->kind, LFSET_KIND_U64);
    struct lfset__record *record = about->record;
    CHECK(read_word(&record->id) > 1, "no id");
    CHECK(record->stack > 0, "nobody knows where it was created");
    CHECK_EQ(lfset_registry_off(), -EBUSY);
    CHECK_EQ(lfset_u64_destroy(set), 0);
    CHECK_EQ(read_word(&record->id), 0);
    CHECK(!about_named("guest"), "still listed");
}

TEST(registry, bad_wishes)
{
    struct lfset_u64 *set;
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = named(LFSET_RCU, NULL, &observe);
    observe.size--;
    CHECK_EQ(lfset_u64_create(&set, &options), -EINVAL);
    observe.size++;
    observe.flags = 1u << 7;
    CHECK_EQ(lfset_u64_create(&set, &options), -EINVAL);
    observe.flags = 0;
    observe.strategy = (enum lfset_strategy)17;
    CHECK_EQ(lfset_u64_create(&set, &options), -EINVAL);
    observe.strategy = LFSET_GUARD_NOTIFY;
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

TEST(registry, more_sets_than_it_has_room_for)
{
    enum { MORE = 20 };
    static struct lfset_u64 *sets[LFSET__SETS + MORE];
    const struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = named(LFSET_HP, "many", &observe);
    for (size_t i = 0; i < LFSET__SETS + MORE; i++) {
        CHECK_EQ(lfset_u64_create(&sets[i], &options), 0);
        CHECK_EQ(lfset_u64_add(sets[i], i), 1);
    }
    CHECK_EQ(read_word(&lfset__segment_now()->sets_unlisted), MORE);
    for (size_t i = 0; i < LFSET__SETS + MORE; i++) {
        CHECK_EQ(lfset_u64_contains(sets[i], i), 1);
        CHECK_EQ(lfset_u64_destroy(sets[i]), 0);
    }
    CHECK(!about_named("many"), "something is left");
}

TEST(registry, only_the_owner_can_open_it)
{
    struct lfset_u64 *set;
    struct lfset_options options = named(LFSET_RCU, "mine", NULL);
    struct stat status;
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    int fd = lfset__segment_fd();
    CHECK(fd >= 0, "no file");
    CHECK_EQ(fstat(fd, &status), 0);
    CHECK_EQ(status.st_mode & 0777, 0600);
    CHECK(ftruncate(fd, 0) != 0, "it can be cut short");
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_RDWR);
    void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, again, 0);
    CHECK(map == MAP_FAILED, "others can write it");
    close(again);
    lfset_u64_destroy(set);
}

/* ---- counters ---- */

static void check_counts(const char *name, struct lfset__lane_sums want, uint64_t cleared)
{
    struct lfset__about *about = about_named(name);
    CHECK(about, "%s is not listed", name);
    struct lfset__lane_sums is = lfset__lanes_sum(about);
    CHECK_EQ(is.adds, want.adds);
    CHECK_EQ(is.adds_present, want.adds_present);
    CHECK_EQ(is.removes, want.removes);
    CHECK_EQ(is.removes_absent, want.removes_absent);
    CHECK_EQ(is.hits, want.hits);
    CHECK_EQ(is.misses, want.misses);
    CHECK_EQ(is.refused, want.refused);
    CHECK_EQ(read_word(&about->record->cleared), cleared);
    CHECK_EQ(lfset__about_live(about), want.adds - want.removes - cleared);
}

TEST_BOTH(registry, counts_u64)
{
    struct lfset_u64 *set;
    const struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = named(domain, "numbers", &observe);
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    uint64_t keys[100], popped;
    for (uint64_t i = 0; i < 100; i++)
        keys[i] = i;
    CHECK_EQ(lfset_u64_add_many(set, keys, 100, NULL), 100); /* grows, too */
    CHECK_EQ(lfset_u64_add(set, 5), 0);
    CHECK_EQ(lfset_u64_add_many(set, keys, 40, NULL), 0);
    CHECK_EQ(lfset_u64_remove(set, 5), 1);
    CHECK_EQ(lfset_u64_remove(set, 5), 0);
    CHECK_EQ(lfset_u64_remove_many(set, keys + 50, 50, NULL), 50);
    CHECK_EQ(lfset_u64_contains(set, 6), 1);
    CHECK_EQ(lfset_u64_contains_many(set, keys, 100, NULL), 49);
    CHECK_EQ(lfset_u64_pop(set, &popped), 1);
    check_counts("numbers",
                 (struct lfset__lane_sums){.adds = 100,
                                           .adds_present = 41,
                                           .removes = 52,
                                           .removes_absent = 1,
                                           .hits = 50,
                                           .misses = 51},
                 0);
    CHECK_EQ(lfset_u64_clear(set, NULL), 48);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    struct lfset_u64_snapshot *snapshot;
    CHECK_EQ(lfset_u64_drain(set, &snapshot, NULL), 0);
    lfset_u64_snapshot_destroy(snapshot);
    check_counts("numbers",
                 (struct lfset__lane_sums){.adds = 101,
                                           .adds_present = 41,
                                           .removes = 52,
                                           .removes_absent = 1,
                                           .hits = 50,
                                           .misses = 51},
                 49);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

TEST_BOTH(registry, counts_bytes)
{
    struct lfset_bytes *set;
    const struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = named(domain, "strings", &observe);
    CHECK_EQ(lfset_bytes_create(&set, &options), 0);
    const struct lfset_string keys[] = {{"a", 1}, {"bc", 2}, {"", 0}, {"a", 1}};
    CHECK_EQ(lfset_bytes_add_many(set, keys, 4, NULL), 3);
    CHECK_EQ(lfset_bytes_add(set, "d", 1), 1);
    CHECK_EQ(lfset_bytes_remove(set, "d", 1), 1);
    CHECK_EQ(lfset_bytes_contains(set, "d", 1), 0);
    CHECK_EQ(lfset_bytes_contains_many(set, keys, 4, NULL), 4);
    char buffer[8];
    size_t length;
    CHECK_EQ(lfset_bytes_pop(set, buffer, sizeof buffer, &length), 1);
    CHECK_EQ(lfset_bytes_clear(set, NULL), 2);
    check_counts("strings",
                 (struct lfset__lane_sums){
                     .adds = 4, .adds_present = 1, .removes = 2, .hits = 4, .misses = 1},
                 2);
    CHECK_EQ(lfset_bytes_destroy(set), 0);
}

static uint64_t object_hash(void *ctx, const void *object)
{
    (void)ctx;
    return *(const uint64_t *)object * UINT64_C(0x9e3779b97f4a7c15);
}

static int object_equal(void *ctx, const void *a, const void *b)
{
    (void)ctx;
    return *(const uint64_t *)a == *(const uint64_t *)b;
}

TEST_BOTH(registry, counts_objects)
{
    static uint64_t objects[50];
    struct lfset_obj *set;
    struct lfset_obj_type type = {.size = sizeof type, .hash = object_hash, .equal = object_equal};
    const struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = named(domain, "objects", &observe);
    CHECK_EQ(lfset_obj_create(&set, &type, &options), 0);
    for (uint64_t i = 0; i < 50; i++) {
        objects[i] = i;
        CHECK_EQ(lfset_obj_add(set, &objects[i]), 1);
    }
    void *found;
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_obj_get(set, &objects[3], &found), 1);
    CHECK_EQ(lfset_obj_add_or_get(set, &objects[4], &found), 0);
    CHECK_EQ(lfset_obj_pop(set, &found), 1);
    CHECK_EQ(lfset_section_leave(), 0);
    check_counts("objects",
                 (struct lfset__lane_sums){.adds = 50, .adds_present = 1, .removes = 1, .hits = 1},
                 0);
    CHECK_EQ(lfset_obj_destroy(set), 0);
}

TEST_BOTH(registry, counts_bitmaps)
{
    struct lfset_bitmap *set;
    const struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = named(domain, "bits", &observe);
    CHECK_EQ(lfset_bitmap_create(&set, &options), 0);
    const uint64_t keys[] = {1, 2, 70000, 1};
    uint64_t popped;
    CHECK_EQ(lfset_bitmap_add_many(set, keys, 4, NULL), 3);
    CHECK_EQ(lfset_bitmap_add(set, 3), 1);
    CHECK_EQ(lfset_bitmap_add_range(set, 0, 9999, NULL), 10000 - 3);
    CHECK_EQ(lfset_bitmap_remove_range(set, 100, 199, NULL), 100);
    CHECK_EQ(lfset_bitmap_contains(set, 150), 0);
    CHECK_EQ(lfset_bitmap_contains(set, 99), 1);
    CHECK_EQ(lfset_bitmap_pop(set, &popped), 1);
    CHECK_EQ(lfset_bitmap_clear(set, NULL), 10001 - 101);
    check_counts("bits",
                 (struct lfset__lane_sums){
                     .adds = 10001, .adds_present = 1, .removes = 101, .hits = 1, .misses = 1},
                 10001 - 101);
    CHECK_EQ(lfset_bitmap_destroy(set), 0);
}

struct worker {
    struct lfset_u64 *set;
    uint64_t seed;
    int64_t balance;
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    for (uint64_t i = 0; i < 20000; i++) {
        worker->seed = worker->seed * UINT64_C(6364136223846793005) + 1;
        uint64_t key = worker->seed >> 54;
        worker->balance += worker->seed >> 40 & 1 ? lfset_u64_add(worker->set, key)
                                                  : -lfset_u64_remove(worker->set, key);
    }
    return NULL;
}

/* More threads than lanes: the others share one. */
TEST_BOTH(registry, counters_lose_nothing)
{
    enum { THREADS = LFSET__COUNTER_LANES + 8 };
    struct lfset_u64 *set;
    const struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = named(domain, "shared", &observe);
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    int64_t balance = 0;
    for (unsigned i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){set, i + 1, 0};
        CHECK_EQ(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        balance += workers[i].balance;
    }
    struct lfset__about *about = about_named("shared");
    CHECK_EQ(lfset__about_live(about), (uint64_t)balance);
    CHECK_EQ(lfset_u64_size(set, NULL), balance);
    struct lfset__lane_sums sums = lfset__lanes_sum(about);
    CHECK_EQ(sums.adds + sums.adds_present + sums.removes + sums.removes_absent,
             UINT64_C(20000) * THREADS);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

/* ---- what a set is made of ---- */

TEST_BOTH(registry, notes_successions_and_garbage)
{
    struct lfset_u64 *set;
    struct lfset_options options = named(domain, "slices", NULL);
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    struct lfset__about *about = about_named("slices");
    struct lfset__record *record = about->record;
    uint64_t id = read_word(&record->id);
    CHECK_EQ(lfset_thread_attach(), 0);
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_u64_contains(set, 1), 0);
    for (uint64_t key = 0; key < 100000; key++)
        CHECK_EQ(lfset_u64_add(set, key), 1);
    struct lfset_stats stats = {.size = sizeof stats};
    CHECK_EQ(lfset_u64_stats_read(set, &stats), 0);
    CHECK_EQ(read_word(&record->grows), stats.grows);
    CHECK_EQ(read_word(&record->capacity), stats.capacity);
    CHECK_EQ(read_word(&record->retired), stats.retired);
    CHECK(domain == LFSET_HP || stats.retired > 0, "nothing is retired");
    CHECK_EQ(held_by(LFSET_HELD_BY_READERS, id), stats.retired);
    CHECK_EQ(read_word(&record->retired_bytes) > 0, stats.retired > 0);
    CHECK(read_word(&lfset__segment_now()->garbage_objects[domain]) >= stats.retired, "no garbage");
    uint64_t live = read_word(&record->live);
    CHECK(live > 80000 && live < 120000, "%" PRIu64 " keys are said to live", live);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(read_word(&record->retired), 0);
    CHECK_EQ(read_word(&record->retired_bytes), 0);
    CHECK_EQ(held_by(LFSET_HELD_BY_READERS, id), 0);
    CHECK_EQ(read_word(&lfset__segment_now()->garbage_objects[domain]), 0);
    CHECK_EQ(read_word(&lfset__segment_now()->garbage_bytes[domain]), 0);
    CHECK_EQ(about->ops->refresh(about), 0);
    CHECK_EQ(about->ops->contains_fingerprint(about, 77), 1);
    CHECK_EQ(read_word(&record->migration_chunks), 0);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

TEST_BOTH(registry, notes_who_holds_a_snapshot)
{
    struct lfset_u64 *set;
    struct lfset_u64_snapshot *snapshot;
    struct lfset_options options = named(domain, "held", NULL);
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    uint64_t id = read_word(&about_named("held")->record->id);
    CHECK_EQ(lfset_u64_size(set, NULL), 0);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(held_by(LFSET_HELD_BY_SNAPSHOT, id), 0);
    CHECK_EQ(lfset_u64_snapshot_take(set, &snapshot, NULL), 0);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(held_by(LFSET_HELD_BY_SNAPSHOT, id), 1);
    lfset_u64_snapshot_destroy(snapshot);
    CHECK_EQ(held_by(LFSET_HELD_BY_SNAPSHOT, id), 0);
    CHECK_EQ(lfset_u64_snapshot_take(set, &snapshot, NULL), 0);
    CHECK_EQ(lfset_u64_destroy(set), 0); /* which a snapshot survives */
    CHECK_EQ(held_by(LFSET_HELD_BY_SNAPSHOT, id), 1);
    lfset_u64_snapshot_destroy(snapshot);
    CHECK_EQ(held_by(LFSET_HELD_BY_SNAPSHOT, id), 0);
}

static int look_who_iterates(uint64_t key, void *ctx)
{
    (void)key;
    return held_by(LFSET_HELD_BY_ITERATION, *(const uint64_t *)ctx) == 1 ? 7 : 8;
}

TEST_BOTH(registry, notes_who_iterates)
{
    struct lfset_u64 *set;
    struct lfset_options options = named(domain, "visited", NULL);
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    uint64_t id = read_word(&about_named("visited")->record->id);
    CHECK_EQ(lfset_u64_each(set, look_who_iterates, &id, NULL), 7);
    CHECK_EQ(held_by(LFSET_HELD_BY_ITERATION, id), 0);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

/* ---- threads ---- */

static struct lfset__thread_slot *my_slot(void)
{
    struct lfset__segment *segment = lfset__segment_now();
    for (uint32_t i = 0; i < segment->threads.count; i++) {
        struct lfset__thread_slot *slot = (void *)((char *)segment + segment->threads.offset +
                                                   (size_t)i * segment->threads.stride);
        if (read_word(&slot->id) > 1 && slot->tid == gettid())
            return slot;
    }
    return NULL;
}

TEST(registry, shows_threads_and_sections)
{
    struct lfset_u64 *set;
    CHECK_EQ(lfset_thread_attach(), 0); /* before there is a registry */
    struct lfset_options options = named(LFSET_RCU, "threads", NULL);
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    CHECK_EQ(lfset_section_enter(), 0);
    struct lfset__thread_slot *slot = my_slot();
    CHECK(slot, "a thread in a section is not listed");
    uint64_t section = read_word(&slot->section);
    CHECK_EQ(section % 2, 1);
    CHECK(read_word(&slot->section_site) != 0, "nobody entered");
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(read_word(&slot->section), section);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(read_word(&slot->section), section + 1);
    CHECK_EQ(lfset_thread_detach(), 0);
    CHECK(!my_slot(), "a thread that is gone is listed");
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

/* ---- the guard's part of the operations ---- */

TEST_BOTH(registry, never_more_keys_than_the_limit)
{
    struct lfset_u64 *set;
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.strategy = LFSET_GUARD_REFUSE;
    observe.max_keys = 10;
    struct lfset_options options = named(domain, "small", &observe);
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    for (uint64_t key = 0; key < 10; key++)
        CHECK_EQ(lfset_u64_add(set, key), 1);
    CHECK_EQ(lfset_u64_add(set, 10), -ENOSPC);
    CHECK_EQ(lfset_u64_add(set, 3), 0); /* it is there */
    const uint64_t more[] = {3, 11};
    int8_t results[2];
    CHECK_EQ(lfset_u64_add_many(set, more, 2, results), -ENOSPC);
    CHECK_EQ(results[0], 0);
    CHECK_EQ(results[1], -ENOSPC);
    CHECK_EQ(lfset_u64_remove(set, 3), 1);
    CHECK_EQ(lfset_u64_add(set, 10), 1);
    CHECK_EQ(lfset_u64_add(set, 11), -ENOSPC);
    CHECK_EQ(lfset_u64_clear(set, NULL), 10);
    for (uint64_t key = 20; key < 30; key++)
        CHECK_EQ(lfset_u64_add(set, key), 1);
    uint64_t popped;
    CHECK_EQ(lfset_u64_pop(set, &popped), 1);
    CHECK_EQ(lfset_u64_add(set, 11), 1);
    CHECK_EQ(lfset_u64_add(set, 12), -ENOSPC);
    CHECK_EQ(lfset__lanes_sum(about_named("small")).refused, 4);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

/* ---- fork ---- */

TEST(registry, a_child_has_a_registry_of_its_own)
{
    struct lfset_u64 *set;
    const struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = named(LFSET_HP, "forked", &observe);
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    pid_t child = fork();
    if (child == 0) {
        struct lfset__segment *segment = lfset__segment_now();
        bool right = segment->pid == getpid() && lfset__segment_fd() >= 0 && my_slot() &&
                     lfset__about_live(about_named("forked")) == 1;
        right = right && lfset_u64_add(set, 2) == 1 && lfset_u64_add(set, 3) == 1 &&
                lfset__about_live(about_named("forked")) == 3;
        struct lfset_u64 *another;
        options.name = "childs";
        right = right && lfset_u64_create(&another, &options) == 0 && about_named("childs") &&
                lfset_u64_destroy(another) == 0 && lfset_u64_destroy(set) == 0;
        _exit(right ? 0 : 1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child's registry is wrong");
    CHECK_EQ(lfset__segment_now()->pid, getpid());
    CHECK_EQ(lfset__about_live(about_named("forked")), 1);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

/* Daemons close all files, and another one may have the number when they fork. */
TEST(registry, a_child_leaves_other_files_alone)
{
    struct lfset_u64 *set;
    const struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = named(LFSET_RCU, "daemon", &observe);
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    int number = lfset__segment_fd(), pipes[2];
    CHECK_EQ(pipe(pipes), 0);
    CHECK_EQ(dup2(pipes[1], number), number);
    pid_t child = fork();
    if (child == 0) {
        bool right = write(number, "x", 1) == 1 && lfset__segment_now()->pid == getpid() &&
                     lfset__about_live(about_named("daemon")) == 1;
        right = right && lfset_u64_add(set, 2) == 1;
        _exit(right ? 0 : 1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child has lost a file, or its keys");
    CHECK_EQ(lfset__about_live(about_named("daemon")), 1);
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

/* liburcu's thread of the child reclaims what was retired before the fork: in the child's registry. */
TEST(registry, a_child_reclaims_in_its_own)
{
    struct lfset_u64 *set;
    struct lfset_options options = named(LFSET_RCU, "garbage", NULL);
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    struct lfset__record *record = about_named("garbage")->record;
    for (int round = 0; round < 10; round++) {
        for (uint64_t i = 0; i < 5; i++)
            set_force_succession(set);
        pid_t child = fork();
        if (child == 0)
            _exit(lfset_barrier() == 0 && read_word(&record->retired) == 0 ? 0 : 1);
        int status;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the child has garbage left");
        CHECK_EQ(lfset_barrier(), 0);
        CHECK_EQ(read_word(&record->retired), 0);
        CHECK_EQ(read_word(&record->retired_bytes), 0);
    }
    CHECK_EQ(lfset_u64_destroy(set), 0);
}

// SPDX-License-Identifier: MIT
/*
 * The bitmap's memory: regions that are emptied or replaced come back, after a barrier, because before it
 * others may be looking; and an allocator that fails breaks nothing.
 */
#include "lfset/bitmap.h"

#include <stdlib.h>
#include <string.h>

#include "support.h"

enum { REGION = 4032, REGION_BYTES = 600, SMALL = 1 << 20 };

static struct lfset_bitmap *bitmap_new(enum lfset_domain domain, struct memory *memory)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.seed = 1;
    options.allocator = &memory->hook;
    struct lfset_bitmap *set = NULL;
    CHECK_EQ(lfset_bitmap_create(&set, &options), 0);
    return set;
}

static void bitmap_check(const struct lfset_bitmap *set)
{
    const char *reason = "no reason was given";
    const int valid = lfset_bitmap_validate(set, &reason);
    CHECK(valid == 1, "validate answers %d: %s", valid, valid == 1 ? "" : reason);
}

static void bitmap_end(struct lfset_bitmap *set, struct memory *memory)
{
    check_faults();
    bitmap_check(set);
    CHECK_EQ(lfset_bitmap_destroy(set), 0);
    memory_check_balance(memory);
}

static struct lfset_stats bitmap_stats(const struct lfset_bitmap *set)
{
    struct lfset_stats stats = {.size = sizeof stats};
    CHECK_EQ(lfset_bitmap_stats_read(set, &stats), 0);
    return stats;
}

/* Member i lies alone in its region. */
static uint64_t scattered(uint64_t i)
{
    return i * (UINT64_MAX / 1000003 / REGION * REGION) + i % REGION;
}

static long long held_after_barrier(const struct memory *memory)
{
    CHECK_EQ(lfset_barrier(), 0);
    return atomic_load(&memory->bytes);
}

/* ---- a million regions -------------------------------------------------------------------------- */

static void remove_one_by_one(struct lfset_bitmap *set, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(lfset_bitmap_remove(set, scattered(i)), 1);
}

static void remove_by_range(struct lfset_bitmap *set, uint64_t count)
{
    CHECK_EQ(lfset_bitmap_remove_range(set, 0, UINT64_MAX, NULL), count);
}

static void remove_by_batches(struct lfset_bitmap *set, uint64_t count)
{
    enum { BATCH = 100 };
    uint64_t keys[BATCH];
    for (uint64_t first = 0; first < count; first += BATCH) {
        const uint64_t size = count - first < BATCH ? count - first : BATCH;
        for (uint64_t i = 0; i < size; i++)
            keys[i] = scattered(first + i);
        CHECK_EQ(lfset_bitmap_remove_many(set, keys, size, NULL), size);
    }
}

static void remove_by_pop(struct lfset_bitmap *set, uint64_t count)
{
    uint64_t key;
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(lfset_bitmap_pop(set, &key), 1);
}

static void remove_by_clear(struct lfset_bitmap *set, uint64_t count)
{
    CHECK_EQ(lfset_bitmap_clear(set, NULL), count);
}

static void remove_after_a_snapshot(struct lfset_bitmap *set, uint64_t count)
{
    CHECK_EQ(lfset_bitmap_size(set, NULL), count); /* all regions are frozen now */
    remove_one_by_one(set, count);
}

static void check_comes_back(enum lfset_domain domain, uint64_t count,
                             void (*remove)(struct lfset_bitmap *set, uint64_t count))
{
    struct memory memory;
    memory_init(&memory, LFSET_ALLOC_ZEROED);
    struct lfset_bitmap *set = bitmap_new(domain, &memory);
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(lfset_bitmap_add(set, scattered(i)), 1);
    const long long full = held_after_barrier(&memory);
    CHECK(full > (long long)count * 540, "%" PRIu64 " regions in %lld bytes", count, full);
    CHECK(full < (long long)count * REGION_BYTES + 80 * (long long)count,
          "%" PRIu64 " regions in %lld bytes", count, full);
    remove(set, count);
    const long long left = held_after_barrier(&memory);
    cr_log_info("%" PRIu64 " regions: %lld bytes, %lld after removing all", count, full, left);
    CHECK(left < SMALL, "%lld bytes are held after everything was removed, of %lld", left, full);
    CHECK_EQ(lfset_bitmap_is_empty(set), 1);
    bitmap_end(set, &memory);
}

TEST_BOTH(bitmap_memory, of_a_million_regions_comes_back)
{
    check_comes_back(domain, scaled(1000000), remove_one_by_one);
}

TEST_BOTH(bitmap_memory, comes_back_after_remove_range)
{
    check_comes_back(domain, scaled(100000), remove_by_range);
}

TEST_BOTH(bitmap_memory, comes_back_after_remove_many)
{
    check_comes_back(domain, scaled(100000), remove_by_batches);
}

TEST_BOTH(bitmap_memory, comes_back_after_pops)
{
    check_comes_back(domain, scaled(100000), remove_by_pop);
}

TEST_BOTH(bitmap_memory, comes_back_after_clear)
{
    check_comes_back(domain, scaled(100000), remove_by_clear);
}

TEST_BOTH(bitmap_memory, comes_back_although_all_was_frozen)
{
    check_comes_back(domain, scaled(100000), remove_after_a_snapshot);
}

/* ---- while others work -------------------------------------------------------------------------- */

enum { WORKERS = 3, OWN = 20 };

struct worker {
    struct lfset_bitmap *set;
    uint64_t first;
    atomic_bool *stop;
    atomic_size_t *steps;
};

/* A few regions of the worker's own, emptied and filled again and again. */
static void toggle(void *arg)
{
    struct worker *worker = arg;
    for (uint64_t i = 0; !atomic_load(worker->stop); i++) {
        const uint64_t key = worker->first + i / 2 % OWN * REGION;
        const int result =
            i % 2 ? lfset_bitmap_remove(worker->set, key) : lfset_bitmap_add(worker->set, key);
        if (result != 1)
            fault("a toggle answers %d", result);
        if (i % 64 == 0)
            atomic_fetch_add(worker->steps, 1);
    }
    for (uint64_t i = 0; i < OWN; i++)
        (void)lfset_bitmap_remove(worker->set, worker->first + i * REGION);
}

TEST_BOTH(bitmap_memory, comes_back_while_others_work)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bitmap *set = bitmap_new(domain, &memory);
    struct worker workers[WORKERS];
    atomic_bool stop = false;
    atomic_size_t steps = 0;
    struct crew crew;
    for (size_t i = 0; i < WORKERS; i++)
        workers[i] = (struct worker){set, UINT64_MAX / 3 + i * 1000 * REGION, &stop, &steps};
    crew_start(&crew, WORKERS, toggle, workers, sizeof *workers);
    const uint64_t count = scaled(40000);
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < count; i++)
            CHECK_EQ(lfset_bitmap_add(set, scattered(i)), 1);
        for (uint64_t i = 0; i < count; i++)
            CHECK_EQ(lfset_bitmap_remove(set, scattered(i)), 1);
        /* A succession under way is finished by their steps. */
        const size_t before = atomic_load(&steps);
        while (atomic_load(&steps) < before + 100)
            CHECK(lfset_bitmap_contains(set, 1) == 0, "1 was never added");
        const long long left = held_after_barrier(&memory);
        CHECK(left < SMALL, "%lld bytes are held after everything was removed", left);
    }
    atomic_store(&stop, true);
    crew_join(&crew);
    CHECK_EQ(lfset_bitmap_size(set, NULL), 0);
    bitmap_end(set, &memory);
}

/* ---- known points ------------------------------------------------------------------------------- */

TEST_BOTH(bitmap_memory, purge_and_barrier_return_empty_regions)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bitmap *set = bitmap_new(domain, &memory);
    for (uint64_t i = 0; i < 20; i++)
        CHECK_EQ(lfset_bitmap_add_range(set, i * REGION, i * REGION + 9, NULL), 10);
    CHECK_EQ(lfset_bitmap_purge(set), 0);
    struct lfset_stats stats = bitmap_stats(set);
    CHECK_EQ(stats.live, 20);
    CHECK(stats.key_bytes >= 20 * 540 && stats.key_bytes <= 20 * REGION_BYTES, "%" PRIu64 " bytes",
          stats.key_bytes);
    for (uint64_t i = 0; i < 15; i++)
        CHECK_EQ(lfset_bitmap_remove_range(set, i * REGION + 1, i * REGION + 9, NULL), 9);
    CHECK_EQ(lfset_bitmap_purge(set), 0);
    for (uint64_t i = 0; i < 15; i++)
        CHECK_EQ(lfset_bitmap_remove(set, i * REGION), 1);
    CHECK_EQ(lfset_bitmap_add(set, 5), 1); /* one is filled again */
    stats = bitmap_stats(set);
    CHECK_EQ(stats.live, 6);
    CHECK_EQ(stats.dead_bytes / 14, stats.key_bytes / 6);
    const long long before = held_after_barrier(&memory);
    CHECK_EQ(lfset_bitmap_purge(set), 1);
    const long long after = held_after_barrier(&memory);
    CHECK(before - after > 14 * 540, "a purge gave back %lld bytes", before - after);
    CHECK_EQ(lfset_bitmap_purge(set), 0);
    stats = bitmap_stats(set);
    CHECK_EQ(stats.live, 6);
    CHECK_EQ(stats.bound, 6);
    CHECK_EQ(stats.dead_bytes, 0);
    CHECK_EQ(lfset_bitmap_size(set, NULL), 51);
    bitmap_end(set, &memory);
}

/* Emptied and filled again, over and over, is no reason for successions. */
TEST_BOTH(bitmap_memory, refilled_regions_are_not_purged)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bitmap *set = bitmap_new(domain, &memory);
    for (uint64_t i = 0; i < 2000; i++)
        CHECK_EQ(lfset_bitmap_add(set, scattered(i)), 1);
    const uint64_t before = bitmap_stats(set).purges;
    for (uint64_t i = 0; i < scaled(100000); i++) {
        CHECK_EQ(lfset_bitmap_remove(set, scattered(i % 2000)), 1);
        CHECK_EQ(lfset_bitmap_add(set, scattered(i % 2000) ^ 1), 1);
        CHECK_EQ(lfset_bitmap_remove(set, scattered(i % 2000) ^ 1), 1);
        CHECK_EQ(lfset_bitmap_add(set, scattered(i % 2000)), 1);
    }
    const struct lfset_stats stats = bitmap_stats(set);
    CHECK_EQ(stats.purges, before);
    CHECK_EQ(stats.dead_bytes, 0);
    bitmap_end(set, &memory);
}

/* A snapshot costs no copies; what is updated afterwards is copied once, and the old copies come back. */
TEST_BOTH(bitmap_memory, copies_made_for_snapshots_come_back)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bitmap *set = bitmap_new(domain, &memory);
    const uint64_t count = 2000;
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(lfset_bitmap_add(set, scattered(i)), 1);
    const long long alone = held_after_barrier(&memory);
    struct lfset_bitmap_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_bitmap_snapshot_take(set, &snapshot, NULL), 0);
    const long long shared = held_after_barrier(&memory);
    CHECK(shared - alone < (long long)count * 60, "a snapshot costs %lld bytes more than %lld",
          shared - alone, alone);
    long long most = 0;
    for (uint64_t round = 0; round < 30; round++) {
        for (uint64_t i = 0; i < count; i++)
            CHECK_EQ(lfset_bitmap_add(set, scattered(i) ^ (round + 1)), 1);
        CHECK_EQ(lfset_bitmap_size(set, NULL), count * (round + 2));
        for (uint64_t i = 0; i < count; i++) /* nothing changes, so nothing is copied */
            CHECK_EQ(lfset_bitmap_add(set, scattered(i)), 0);
        const long long now = held_after_barrier(&memory);
        most = now > most ? now : most;
    }
    cr_log_info("%lld bytes, with a snapshot %lld, at most %lld in use", alone, shared, most);
    CHECK(most < alone * 7 / 2, "%lld bytes are held for %lld", most, alone);
    CHECK_EQ(lfset_bitmap_snapshot_count(snapshot), count);
    for (uint64_t i = 0; i < count; i++) {
        CHECK_EQ(lfset_bitmap_snapshot_contains(snapshot, scattered(i)), 1);
        CHECK_EQ(lfset_bitmap_snapshot_contains(snapshot, scattered(i) ^ 1), 0);
    }
    lfset_bitmap_snapshot_destroy(snapshot);
    CHECK(lfset_bitmap_purge(set) >= 0, "purge failed");
    CHECK(held_after_barrier(&memory) < alone * 5 / 4, "the snapshot's copies are held back");
    bitmap_end(set, &memory);
}

/* After a snapshot that is gone again, half of the copies at most wait for a succession. */
TEST_BOTH(bitmap_memory, replaced_regions_do_not_pile_up)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bitmap *set = bitmap_new(domain, &memory);
    const uint64_t count = 2000;
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(lfset_bitmap_add(set, scattered(i)), 1);
    const long long alone = held_after_barrier(&memory);
    CHECK_EQ(lfset_bitmap_size(set, NULL), count);
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(lfset_bitmap_add(set, scattered(i) ^ 1), 1);
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(lfset_bitmap_remove(set, scattered(i) ^ 1), 1);
    const long long now = held_after_barrier(&memory);
    CHECK(now < alone * 7 / 4, "%lld bytes are held for %lld", now, alone);
    bitmap_end(set, &memory);
}

/* ---- no memory ---------------------------------------------------------------------------------- */

enum { KEYS = 150 };

/* A set, what it must contain, and how often it was refused memory. */
struct script {
    enum lfset_domain domain;
    struct memory memory;
    struct lfset_bitmap *set;
    bool present[KEYS];
    int64_t live;
    uint64_t refusals;
    struct lfset_bitmap_snapshot *kept; /* must not suffer from later failures */
    int64_t kept_count;
};

/* Three members to a region. */
static uint64_t key_of(size_t i)
{
    return scattered(i / 3) + i % 3;
}

static void script_compare(const struct script *script)
{
    for (size_t i = 0; i < KEYS; i++)
        CHECK_EQ(lfset_bitmap_contains(script->set, key_of(i)), script->present[i]);
    if (script->kept != NULL)
        CHECK_EQ(lfset_bitmap_snapshot_count(script->kept), script->kept_count);
}

/* True when the step was refused. Then the set is as before, and the caller does the step again. */
static bool refused(struct script *script, int64_t result)
{
    if (result != -ENOMEM)
        return false;
    CHECK(atomic_load(&script->memory.failures) > script->refusals,
          "-ENOMEM although no allocation failed");
    script_compare(script);
    memory_heal(&script->memory);
    bitmap_check(script->set);
    script->refusals = atomic_load(&script->memory.failures);
    return true;
}

#define STEP(result, call)                                                                         \
    do {                                                                                           \
        (result) = (call);                                                                         \
        if (refused(script, (result)))                                                             \
            (result) = (call);                                                                     \
    } while (0)

static void script_set(struct script *script, size_t i, bool present)
{
    script->live += (int64_t)present - (int64_t)script->present[i];
    script->present[i] = present;
}

static void script_update(struct script *script, size_t from, size_t to, size_t by, bool add)
{
    for (size_t i = from; i < to; i += by) {
        int result = 0;
        STEP(result, add ? lfset_bitmap_add(script->set, key_of(i))
                         : lfset_bitmap_remove(script->set, key_of(i)));
        CHECK_EQ(result, script->present[i] != add);
        script_set(script, i, add);
    }
}

/* A range may be refused in part; what is left is done by a second call. */
static void script_range(struct script *script, size_t i, bool add)
{
    const uint64_t first = key_of(i);
    int64_t result = add ? lfset_bitmap_add_range(script->set, first, first + 2, NULL)
                         : lfset_bitmap_remove_range(script->set, first, first + 2, NULL);
    if (refused(script, result))
        result = add ? lfset_bitmap_add_range(script->set, first, first + 2, NULL)
                     : lfset_bitmap_remove_range(script->set, first, first + 2, NULL);
    int64_t want = 0;
    for (size_t k = i; k < i + 3; k++) {
        want += script->present[k] != add;
        script_set(script, k, add);
    }
    CHECK_EQ(result, want);
}

static void script_size(struct script *script)
{
    int64_t result = 0;
    STEP(result, lfset_bitmap_size(script->set, NULL));
    CHECK_EQ(result, script->live);
    STEP(result, lfset_bitmap_is_empty(script->set));
    CHECK_EQ(result, script->live == 0);
}

static void script_snapshot(struct script *script)
{
    struct lfset_bitmap_snapshot *snapshot = NULL;
    int64_t result = 0;
    uint64_t keys[KEYS + 1];
    STEP(result, lfset_bitmap_snapshot_take(script->set, &snapshot, NULL));
    CHECK_EQ(result, 0);
    CHECK_EQ(lfset_bitmap_snapshot_count(snapshot), script->live);
    STEP(result, lfset_bitmap_snapshot_copy(snapshot, keys, KEYS + 1));
    CHECK_EQ(result, script->live);
    STEP(result, lfset_bitmap_snapshot_rank(snapshot, UINT64_MAX));
    CHECK_EQ(result, script->live);
    if (script->kept == NULL) {
        script->kept = snapshot;
        script->kept_count = script->live;
    } else {
        lfset_bitmap_snapshot_destroy(snapshot);
    }
}

static void script_empty(struct script *script)
{
    memset(script->present, 0, sizeof script->present);
    script->live = 0;
}

static void script_clear(struct script *script, bool drain)
{
    struct lfset_bitmap_snapshot *snapshot = NULL;
    int64_t result = 0;
    if (drain) {
        STEP(result, lfset_bitmap_drain(script->set, &snapshot, NULL));
        CHECK_EQ(result, 0);
        result = lfset_bitmap_snapshot_count(snapshot);
        lfset_bitmap_snapshot_destroy(snapshot);
    } else {
        STEP(result, lfset_bitmap_clear(script->set, NULL));
    }
    CHECK_EQ(result, script->live);
    script_empty(script);
}

static void script_pop(struct script *script)
{
    uint64_t key = 0;
    int64_t result = 0;
    STEP(result, lfset_bitmap_pop(script->set, &key));
    CHECK_EQ(result, script->live > 0);
    for (size_t i = 0; i < KEYS && result == 1; i++) {
        if (key_of(i) == key) {
            CHECK(script->present[i], "%" PRIu64 " was popped, and is absent", key);
            script_set(script, i, false);
        }
    }
}

static void script_purge(struct script *script)
{
    int64_t result = 0;
    STEP(result, lfset_bitmap_purge(script->set));
    CHECK(result == 0 || result == 1, "purge answers %" PRId64, result);
    STEP(result, lfset_bitmap_reserve(script->set, 2000 * REGION, NULL));
    CHECK_EQ(result, 0);
    CHECK_EQ(lfset_bitmap_reserve(script->set, 0, NULL), 0);
}

static void script_steps(struct script *script)
{
    script_update(script, 0, KEYS, 1, true);
    script_size(script);
    script_update(script, 0, KEYS, 2, false); /* in copies */
    script_snapshot(script);
    script_range(script, 30, true);
    script_range(script, 33, false);
    script_update(script, 0, KEYS, 1, false);
    script_purge(script);
    script_range(script, 0, true);
    script_size(script);
    for (int i = 0; i < 4; i++)
        script_pop(script);
    script_update(script, 0, KEYS, 1, true);
    script_clear(script, false);
    script_update(script, 0, KEYS, 3, true);
    script_clear(script, true);
    script_update(script, 0, 30, 1, true);
    script_compare(script);
    lfset_bitmap_snapshot_destroy(script->kept);
    script->kept = NULL;
}

/* @return how many allocations were asked for. */
static uint64_t script_run(enum lfset_domain domain, uint64_t fail_at, uint64_t fail_from)
{
    struct script *script = calloc(1, sizeof *script);
    CHECK(script != NULL, "no memory for the test");
    memory_init(&script->memory, 0);
    script->domain = domain;
    script->set = bitmap_new(domain, &script->memory);
    atomic_store(&script->memory.fail_at, fail_at);
    atomic_store(&script->memory.fail_from, fail_from);
    script_steps(script);
    memory_heal(&script->memory);
    const uint64_t calls = atomic_load(&script->memory.calls);
    bitmap_end(script->set, &script->memory);
    free(script);
    return calls;
}

TEST_BOTH(bitmap_memory, each_allocation_may_fail)
{
    const uint64_t calls = script_run(domain, 0, 0);
    CHECK(calls > 100, "%" PRIu64 " allocations", calls);
    const uint64_t by = scaled(1000) < 1000 ? 7 : 1;
    for (uint64_t n = 4; n <= calls; n += by) {
        (void)script_run(domain, n, 0);
        (void)script_run(domain, 0, n);
    }
}

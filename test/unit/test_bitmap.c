// SPDX-License-Identifier: MIT
/* What every function of the bitmap answers: bad arguments, the edges of words and regions, a model, one
 * thread and many. Memory is in test_bitmap_memory.c. */
#define _GNU_SOURCE
#include "lfset/bitmap.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "lfset/cancel.h"
#include "set/bitmap_codec.h"
#include "support.h"
#include "wait_support.h"

enum { WORD = 63, REGION = 4032 };

static struct lfset_bitmap *bitmap_new(enum lfset_domain domain, uint64_t capacity,
                                       struct memory *memory)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.capacity = capacity;
    options.seed = 1;
    options.allocator = memory == NULL ? NULL : &memory->hook;
    struct lfset_bitmap *set = NULL;
    CHECK_EQ(lfset_bitmap_create(&set, &options), 0);
    CHECK(set != NULL, "create answered 0 and stored NULL");
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
    if (memory != NULL)
        memory_check_balance(memory);
}

static struct lfset_stats bitmap_stats(const struct lfset_bitmap *set)
{
    struct lfset_stats stats = {.size = sizeof stats};
    CHECK_EQ(lfset_bitmap_stats_read(set, &stats), 0);
    return stats;
}

static int64_t snapshot_now(struct lfset_bitmap *set, struct lfset_bitmap_snapshot **snapshot)
{
    CHECK_EQ(lfset_bitmap_snapshot_take(set, snapshot, NULL), 0);
    return lfset_bitmap_snapshot_count(*snapshot);
}

/* ---- creation ----------------------------------------------------------------------------------- */

static void check_create_fails(const struct lfset_options *options, int error)
{
    int rubbish = 0;
    struct lfset_bitmap *set = (struct lfset_bitmap *)(void *)&rubbish;
    CHECK_EQ(lfset_bitmap_create(&set, options), error);
    CHECK(set == NULL, "a failed create left something in *set");
}

TEST(bitmap, create_with_defaults)
{
    struct lfset_bitmap *set = NULL;
    CHECK_EQ(lfset_bitmap_create(&set, NULL), 0);
    const struct lfset_stats stats = bitmap_stats(set);
    CHECK_EQ(stats.domain, LFSET_RCU);
    CHECK_EQ(stats.live, 0);
    CHECK_EQ(stats.bound, 0);
    CHECK_EQ(stats.key_bytes, 0);
    CHECK_EQ(stats.dead_bytes, 0);
    CHECK_EQ(stats.slices, 1);
    CHECK(stats.name != NULL && stats.name[0] == '\0', "a set without a name has one");
    CHECK_EQ(lfset_bitmap_size(set, NULL), 0);
    CHECK_EQ(lfset_bitmap_is_empty(set), 1);
    bitmap_end(set, NULL);
    CHECK_EQ(lfset_bitmap_destroy(NULL), 0);
}

TEST_BOTH(bitmap, create_refuses_bad_options)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_options options = LFSET_OPTIONS_INIT;
    CHECK_EQ(lfset_bitmap_create(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_create(NULL, &options), -EINVAL);
    const size_t bad_sizes[] = {0, 1, sizeof options - 1, sizeof options + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++) {
        options.size = bad_sizes[i];
        check_create_fails(&options, -EINVAL);
    }
    options.size = sizeof options;
    const int bad_domains[] = {-1, 2, INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof bad_domains / sizeof *bad_domains; i++) {
        options.domain = (enum lfset_domain)bad_domains[i];
        check_create_fails(&options, -EINVAL);
    }
    options.domain = domain;
    struct lfset_allocator broken = memory.hook;
    options.allocator = &broken;
    broken.alloc = NULL;
    check_create_fails(&options, -EINVAL);
    broken = memory.hook;
    broken.free = NULL;
    check_create_fails(&options, -EINVAL);
    CHECK_EQ(atomic_load(&memory.calls), 0);
    options.allocator = &memory.hook;
    for (unsigned bit = 50; bit < 64; bit++) {
        options.capacity = UINT64_C(1) << bit;
        check_create_fails(&options, -ENOMEM);
    }
    options.capacity = UINT64_MAX;
    check_create_fails(&options, -ENOMEM);
    memory_check_balance(&memory);
}

/* Capacity is in members, of which a region holds many. */
TEST_BOTH(bitmap, capacity_is_for_members)
{
    const uint64_t members = UINT64_C(200) * REGION;
    struct lfset_bitmap *set = bitmap_new(domain, members, NULL);
    const uint64_t capacity = bitmap_stats(set).capacity;
    CHECK(capacity >= 200 && capacity < 4000, "%" PRIu64 " slots for 200 regions", capacity);
    CHECK_EQ(lfset_bitmap_add_range(set, 77, 77 + members - REGION, NULL), members - REGION + 1);
    CHECK_EQ(bitmap_stats(set).grows, 0);
    CHECK_EQ(lfset_bitmap_reserve(set, members * 100, NULL), 0);
    CHECK(bitmap_stats(set).capacity >= 20000, "reserve made no room");
    CHECK_EQ(lfset_bitmap_reserve(set, UINT64_MAX, NULL), -ENOMEM);
    CHECK_EQ(lfset_bitmap_size(set, NULL), members - REGION + 1);
    bitmap_end(set, NULL);
}

/* ---- bad arguments ------------------------------------------------------------------------------ */

static int visit_nothing(uint64_t key, void *ctx)
{
    (void)key, (void)ctx;
    return 0;
}

TEST(bitmap, null_sets)
{
    const uint64_t keys[2] = {1, 2};
    uint64_t key = 77;
    int8_t results[2];
    struct lfset_stats stats = {.size = sizeof stats};
    struct lfset_bitmap_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_bitmap_add(NULL, 1), -EINVAL);
    CHECK_EQ(lfset_bitmap_remove(NULL, 1), -EINVAL);
    CHECK_EQ(lfset_bitmap_contains(NULL, 1), -EINVAL);
    CHECK_EQ(lfset_bitmap_pop(NULL, &key), -EINVAL);
    CHECK_EQ(lfset_bitmap_add_many(NULL, keys, 2, results), -EINVAL);
    CHECK_EQ(lfset_bitmap_remove_many(NULL, keys, 2, results), -EINVAL);
    CHECK_EQ(lfset_bitmap_contains_many(NULL, keys, 2, results), -EINVAL);
    CHECK_EQ(lfset_bitmap_reserve(NULL, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_size_estimate(NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_size(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_is_empty(NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_clear(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_purge(NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_each(NULL, visit_nothing, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_stats_read(NULL, &stats), -EINVAL);
    CHECK_EQ(lfset_bitmap_validate(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_add_range(NULL, 1, 2, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_remove_range(NULL, 1, 2, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_count_range(NULL, 1, 2, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_next_set(NULL, 1, &key), -EINVAL);
    CHECK_EQ(lfset_bitmap_next_clear(NULL, 1, &key), -EINVAL);
    CHECK_EQ(lfset_bitmap_min(NULL, &key), -EINVAL);
    CHECK_EQ(lfset_bitmap_max(NULL, &key), -EINVAL);
    CHECK_EQ(lfset_bitmap_rank(NULL, 1), -EINVAL);
    CHECK_EQ(lfset_bitmap_rank(NULL, 0), -EINVAL);
    CHECK_EQ(lfset_bitmap_wait_present(NULL, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_wait_absent(NULL, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_wait_empty(NULL, NULL), -EINVAL);
    snapshot = (struct lfset_bitmap_snapshot *)(void *)&key;
    CHECK_EQ(lfset_bitmap_snapshot_take(NULL, &snapshot, NULL), -EINVAL);
    CHECK(snapshot == NULL, "a failed snapshot_take left something");
    snapshot = (struct lfset_bitmap_snapshot *)(void *)&key;
    CHECK_EQ(lfset_bitmap_drain(NULL, &snapshot, NULL), -EINVAL);
    CHECK(snapshot == NULL, "a failed drain left something");
    CHECK_EQ(key, 77);
}

TEST(bitmap, null_snapshots)
{
    uint64_t key = 77;
    CHECK_EQ(lfset_bitmap_snapshot_count(NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_contains(NULL, 1), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_each(NULL, visit_nothing, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_copy(NULL, &key, 1), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_count_range(NULL, 1, 2), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_next_set(NULL, 1, &key), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_next_clear(NULL, 1, &key), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_min(NULL, &key), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_max(NULL, &key), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_rank(NULL, 1), -EINVAL);
    lfset_bitmap_snapshot_destroy(NULL);
    CHECK_EQ(key, 77);
}

TEST_BOTH(bitmap, bad_arguments)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    struct lfset_bitmap_snapshot *snapshot = NULL;
    struct lfset_stats stats = {.size = sizeof stats + 1};
    CHECK_EQ(lfset_bitmap_add(set, 5), 1);
    CHECK_EQ(lfset_bitmap_pop(set, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_add_many(set, NULL, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_add_many(set, NULL, 0, NULL), 0);
    CHECK_EQ(lfset_bitmap_remove_many(set, NULL, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_contains_many(set, NULL, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_each(set, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_stats_read(set, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_stats_read(set, &stats), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_take(set, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_drain(set, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_add_range(set, 2, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_remove_range(set, UINT64_MAX, 0, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_count_range(set, 1, 0, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_next_set(set, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_next_clear(set, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_min(set, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_max(set, NULL), -EINVAL);
    CHECK_EQ(snapshot_now(set, &snapshot), 1);
    CHECK_EQ(lfset_bitmap_snapshot_each(snapshot, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_copy(snapshot, NULL, 1), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_copy(snapshot, NULL, 0), 0);
    CHECK_EQ(lfset_bitmap_snapshot_count_range(snapshot, 2, 1), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_next_set(snapshot, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_next_clear(snapshot, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_min(snapshot, NULL), -EINVAL);
    CHECK_EQ(lfset_bitmap_snapshot_max(snapshot, NULL), -EINVAL);
    lfset_bitmap_snapshot_destroy(snapshot);
    CHECK_EQ(lfset_bitmap_size(set, NULL), 1);
    bitmap_end(set, NULL);
}

TEST_BOTH(bitmap, cancelled_tokens_stop_before_anything_changes)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    struct lfset_cancel *token = token_new(NULL, LFSET_NO_DEADLINE);
    struct lfset_bitmap_snapshot *snapshot = NULL, *kept = NULL;
    CHECK_EQ(lfset_bitmap_add_range(set, 10, 9999, token), 9990);
    CHECK_EQ(snapshot_now(set, &kept), 9990);
    CHECK_EQ(lfset_cancel_now(token), 1);
    CHECK_EQ(lfset_bitmap_add_range(set, 0, 20000, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_remove_range(set, 0, 20000, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_remove_range(set, 0, UINT64_MAX, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_count_range(set, 0, 20000, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_count_range(set, 0, UINT64_MAX, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_each(set, visit_nothing, NULL, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_size(set, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_clear(set, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_drain(set, &snapshot, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_snapshot_take(set, &snapshot, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_reserve(set, 100000, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_snapshot_each(kept, visit_nothing, NULL, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_wait_absent(set, 10, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_wait_empty(set, token), -ECANCELED);
    CHECK_EQ(lfset_bitmap_wait_present(set, 10, token), 0);
    CHECK_EQ(lfset_bitmap_size(set, NULL), 9990);
    lfset_bitmap_snapshot_destroy(kept);
    lfset_cancel_destroy(token);
    bitmap_end(set, NULL);
}

/* ---- edges -------------------------------------------------------------------------------------- */

/* On both sides of each boundary of bits, words and regions, and at the end of all numbers. */
static const uint64_t edges[] = {
    0,
    1,
    WORD - 1,
    WORD,
    WORD + 1,
    2 * WORD - 1,
    2 * WORD,
    REGION - WORD,
    REGION - 2,
    REGION - 1,
    REGION,
    REGION + 1,
    2 * REGION - 1,
    2 * REGION,
    UINT64_C(1) << 32,
    (UINT64_C(1) << 63) - 1,
    UINT64_C(1) << 63,
    UINT64_MAX / REGION *REGION - 1,
    UINT64_MAX / REGION *REGION,
    UINT64_MAX / WORD *WORD - 1,
    UINT64_MAX / WORD *WORD,
    UINT64_MAX - 1,
    UINT64_MAX,
};
enum { EDGES = sizeof edges / sizeof *edges };

static void check_edge(struct lfset_bitmap *set, size_t at)
{
    const uint64_t key = edges[at];
    uint64_t found = 0;
    for (int round = 0; round < 2; round++) {
        CHECK_EQ(lfset_bitmap_contains(set, key), 0);
        CHECK_EQ(lfset_bitmap_remove(set, key), 0);
        CHECK_EQ(lfset_bitmap_add(set, key), 1);
        CHECK_EQ(lfset_bitmap_add(set, key), 0);
        for (size_t i = 0; i < EDGES; i++)
            CHECK_EQ(lfset_bitmap_contains(set, edges[i]), i == at);
        CHECK_EQ(lfset_bitmap_count_range(set, key, key, NULL), 1);
        CHECK_EQ(lfset_bitmap_count_range(set, 0, UINT64_MAX, NULL), 1);
        CHECK_EQ(lfset_bitmap_rank(set, key), 0);
        CHECK_EQ(lfset_bitmap_min(set, &found), 1);
        CHECK(found == key, "the least is %" PRIu64, found);
        CHECK_EQ(lfset_bitmap_max(set, &found), 1);
        CHECK(found == key, "the greatest is %" PRIu64, found);
        CHECK_EQ(lfset_bitmap_next_set(set, key, &found), 1);
        CHECK(found == key, "next_set is %" PRIu64, found);
        if (key > 0) {
            CHECK_EQ(lfset_bitmap_count_range(set, 0, key - 1, NULL), 0);
            CHECK_EQ(lfset_bitmap_next_clear(set, key - 1, &found), 1);
            CHECK(found == key - 1, "next_clear is %" PRIu64, found);
        }
        found = 3;
        CHECK_EQ(lfset_bitmap_next_clear(set, key, &found), key < UINT64_MAX);
        CHECK(found == (key < UINT64_MAX ? key + 1 : 3), "next_clear is %" PRIu64, found);
        if (key < UINT64_MAX) {
            CHECK_EQ(lfset_bitmap_rank(set, key + 1), 1);
            found = 3;
            CHECK_EQ(lfset_bitmap_next_set(set, key + 1, &found), 0);
            CHECK_EQ(found, 3);
        }
        CHECK_EQ(lfset_bitmap_size(set, NULL), 1); /* what follows is done in a copy */
        bitmap_check(set);
        if (round == 0) {
            CHECK_EQ(lfset_bitmap_remove(set, key), 1);
            CHECK_EQ(lfset_bitmap_remove(set, key), 0);
        } else {
            found = 3;
            CHECK_EQ(lfset_bitmap_pop(set, &found), 1);
            CHECK(found == key, "popped %" PRIu64, found);
            CHECK_EQ(lfset_bitmap_pop(set, &found), 0);
        }
        CHECK_EQ(lfset_bitmap_is_empty(set), 1);
        CHECK_EQ(lfset_bitmap_min(set, &found), 0);
        CHECK_EQ(lfset_bitmap_max(set, &found), 0);
    }
}

TEST_BOTH(bitmap, each_edge)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    for (size_t i = 0; i < EDGES; i++)
        check_edge(set, i);
    bitmap_end(set, NULL);
}

TEST_BOTH(bitmap, ranges_between_edges)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    for (size_t i = 0; i < EDGES; i++) {
        for (size_t j = i; j < EDGES && edges[j] - edges[i] < 4 * REGION; j++) {
            const uint64_t first = edges[i], last = edges[j];
            const int64_t count = (int64_t)(last - first + 1);
            uint64_t found = 7;
            CHECK_EQ(lfset_bitmap_add_range(set, first, last, NULL), count);
            CHECK_EQ(lfset_bitmap_add_range(set, first, last, NULL), 0);
            CHECK_EQ(lfset_bitmap_count_range(set, first, last, NULL), count);
            CHECK_EQ(lfset_bitmap_count_range(set, 0, UINT64_MAX, NULL), count);
            CHECK_EQ(lfset_bitmap_next_clear(set, first, &found), last < UINT64_MAX);
            CHECK(found == (last < UINT64_MAX ? last + 1 : 7), "next_clear is %" PRIu64, found);
            struct lfset_bitmap_snapshot *snapshot = NULL;
            CHECK_EQ(snapshot_now(set, &snapshot), count);
            found = 7;
            CHECK_EQ(lfset_bitmap_snapshot_next_clear(snapshot, first, &found), last < UINT64_MAX);
            CHECK(found == (last < UINT64_MAX ? last + 1 : 7), "next_clear is %" PRIu64, found);
            CHECK_EQ(lfset_bitmap_snapshot_count_range(snapshot, first, last), count);
            lfset_bitmap_snapshot_destroy(snapshot);
            CHECK_EQ(lfset_bitmap_remove(set, first), 1);
            CHECK_EQ(lfset_bitmap_add_range(set, first, last, NULL), 1);
            CHECK_EQ(lfset_bitmap_remove_range(set, first, last, NULL), count);
            CHECK_EQ(lfset_bitmap_remove_range(set, first, last, NULL), 0);
            CHECK_EQ(lfset_bitmap_is_empty(set), 1);
        }
    }
    bitmap_end(set, NULL);
}

/* Ranges of 2^63 numbers and more cost what is in them. */
TEST_BOTH(bitmap, huge_ranges)
{
    const uint64_t half = UINT64_C(1) << 63;
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    for (uint64_t i = 0; i < 1000; i++)
        CHECK_EQ(lfset_bitmap_add(set, i * (UINT64_MAX / 999)), 1);
    const int64_t low = lfset_bitmap_count_range(set, 0, half - 1, NULL);
    CHECK_EQ(low, 500);
    CHECK_EQ(lfset_bitmap_count_range(set, half, UINT64_MAX, NULL), 500);
    CHECK_EQ(lfset_bitmap_rank(set, UINT64_MAX), 1000);
    CHECK_EQ(lfset_bitmap_remove_range(set, 0, half - 1, NULL), 500);
    CHECK_EQ(lfset_bitmap_remove_range(set, 0, half - 1, NULL), 0);
    CHECK_EQ(lfset_bitmap_size(set, NULL), 500);
    CHECK_EQ(lfset_bitmap_remove_range(set, 1, UINT64_MAX, NULL), 500);
    CHECK_EQ(lfset_bitmap_is_empty(set), 1);
    bitmap_end(set, NULL);
}

/* There is no memory for 2^63 members: the range ends with an error, and what was added stays whole. */
TEST_BOTH(bitmap, huge_add_range_without_memory)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bitmap *set = bitmap_new(domain, 0, &memory);
    atomic_store(&memory.fail_from, 500);
    CHECK_EQ(lfset_bitmap_add_range(set, 5, UINT64_C(1) << 63, NULL), -ENOMEM);
    memory_heal(&memory);
    const int64_t added = lfset_bitmap_size(set, NULL);
    CHECK(added > 400 * REGION && added < 500 * REGION, "%" PRId64 " were added", added);
    uint64_t found = 0;
    CHECK_EQ(lfset_bitmap_next_clear(set, 5, &found), 1);
    CHECK_EQ(found, 5 + added);
    CHECK_EQ(lfset_bitmap_remove_range(set, 0, UINT64_MAX, NULL), added);
    bitmap_end(set, &memory);
}

/* ---- a model ------------------------------------------------------------------------------------ */

/* Windows of numbers; nothing is ever added outside of them. */
enum { WINDOW = 3 * REGION, WINDOWS = 4, NUMBERS = WINDOW * WINDOWS };
static const uint64_t bases[WINDOWS] = {
    0,
    UINT64_C(100) * REGION - 1000,
    (UINT64_C(1) << 63) - 5000,
    UINT64_MAX - WINDOW + 1,
};

struct model {
    struct lfset_bitmap *set;
    struct random random;
    size_t live;
    bool present[NUMBERS];
    bool visited[NUMBERS];
};

static uint64_t number_of(size_t i)
{
    return bases[i / WINDOW] + i % WINDOW;
}

/* The first one that stands for `number` or a greater one; NUMBERS: none. */
static size_t index_from(uint64_t number)
{
    for (size_t window = 0; window < WINDOWS; window++) {
        if (number <= bases[window] + (WINDOW - 1)) {
            const uint64_t base = bases[window];
            return window * WINDOW + (number > base ? (size_t)(number - base) : 0);
        }
    }
    return NUMBERS;
}

static size_t index_of(uint64_t number)
{
    const size_t i = index_from(number);
    CHECK(i < NUMBERS && number_of(i) == number, "the set holds %" PRIu64 ", which was never added",
          number);
    return i;
}

static int model_set(struct model *model, size_t i, bool present)
{
    const bool changes = model->present[i] != present;
    model->present[i] = present;
    model->live += changes ? (present ? 1 : SIZE_MAX) : 0;
    return changes;
}

static int64_t model_count(const struct model *model, size_t from, size_t end)
{
    int64_t count = 0;
    for (size_t i = from; i < end; i++)
        count += model->present[i];
    return count;
}

/* Mostly near a few places, so that words fill. */
static size_t draw(struct model *model)
{
    const size_t window = random_below(&model->random, WINDOWS) * WINDOW;
    switch (random_below(&model->random, 4)) {
    case 0:
        return window + random_below(&model->random, WINDOW);
    case 1:
        return window + REGION - 40 + random_below(&model->random, 80);
    default:
        return window + random_below(&model->random, 100);
    }
}

static void model_empty(struct model *model)
{
    memset(model->present, 0, sizeof model->present);
    model->live = 0;
}

static void model_batch(struct model *model)
{
    enum { MOST = 50 };
    uint64_t keys[MOST];
    size_t index[MOST];
    int8_t results[MOST];
    const size_t count = random_below(&model->random, MOST + 1);
    for (size_t i = 0; i < count; i++) {
        index[i] = i > 0 && random_below(&model->random, 4) == 0 ? index[i - 1] : draw(model);
        keys[i] = number_of(index[i]);
    }
    const uint64_t kind = random_below(&model->random, 3);
    const int64_t got = kind == 0   ? lfset_bitmap_add_many(model->set, keys, count, results)
                        : kind == 1 ? lfset_bitmap_remove_many(model->set, keys, count, results)
                                    : lfset_bitmap_contains_many(model->set, keys, count, results);
    int64_t want = 0;
    for (size_t i = 0; i < count; i++) {
        const int one = kind < 2 ? model_set(model, index[i], kind == 0) : model->present[index[i]];
        CHECK_EQ(results[i], one);
        want += one;
    }
    CHECK_EQ(got, want);
}

static int model_visit(uint64_t key, void *ctx)
{
    struct model *model = ctx;
    const size_t i = index_of(key);
    CHECK(!model->visited[i], "each visited %" PRIu64 " twice", key);
    CHECK(model->present[i], "each visited %" PRIu64 ", which is absent", key);
    model->visited[i] = true;
    return 0;
}

static void model_each(struct model *model)
{
    memset(model->visited, 0, sizeof model->visited);
    CHECK_EQ(lfset_bitmap_each(model->set, model_visit, model, NULL), 0);
    CHECK(memcmp(model->visited, model->present, sizeof model->present) == 0,
          "each left out a member");
}

/* A number in a window, next to one, or anywhere. */
static uint64_t draw_any(struct model *model)
{
    const uint64_t number = number_of(draw(model));
    switch (random_below(&model->random, 8)) {
    case 0:
        return random_next(&model->random);
    case 1:
        return number + WINDOW; /* may wrap around */
    default:
        return number;
    }
}

/* The set, or a snapshot of it. */
static int64_t live_count_range(const struct model *model, void *snapshot, uint64_t a, uint64_t b)
{
    return snapshot ? lfset_bitmap_snapshot_count_range(snapshot, a, b)
                    : lfset_bitmap_count_range(model->set, a, b, NULL);
}

static int live_next_set(const struct model *model, void *snapshot, uint64_t from, uint64_t *found)
{
    return snapshot ? lfset_bitmap_snapshot_next_set(snapshot, from, found)
                    : lfset_bitmap_next_set(model->set, from, found);
}

static int live_next_clear(const struct model *model, void *snapshot, uint64_t from,
                           uint64_t *found)
{
    return snapshot ? lfset_bitmap_snapshot_next_clear(snapshot, from, found)
                    : lfset_bitmap_next_clear(model->set, from, found);
}

/* Asks the set, or a snapshot of it. */
static void model_order(struct model *model, void *snapshot)
{
    uint64_t a = draw_any(model), b = draw_any(model), found = 7;
    const uint64_t first = a < b ? a : b, last = a < b ? b : a;
    size_t from = index_from(first);
    const size_t end = last == UINT64_MAX ? NUMBERS : index_from(last + 1);
    CHECK_EQ(live_count_range(model, snapshot, first, last), model_count(model, from, end));
    CHECK_EQ(snapshot ? lfset_bitmap_snapshot_rank(snapshot, first)
                      : lfset_bitmap_rank(model->set, first),
             model_count(model, 0, from));
    size_t i = from;
    while (i < NUMBERS && !model->present[i])
        i++;
    CHECK_EQ(live_next_set(model, snapshot, first, &found), i < NUMBERS);
    CHECK(found == (i < NUMBERS ? number_of(i) : 7), "next_set from %" PRIu64 " is %" PRIu64, first,
          found);
    uint64_t clear = first;
    for (i = from; i < NUMBERS && number_of(i) == clear && model->present[i]; i++)
        clear++; /* wraps to 0 at the end of all numbers, which ends the last window */
    const bool all = i == NUMBERS && clear == 0;
    found = 7;
    CHECK_EQ(live_next_clear(model, snapshot, first, &found), !all);
    CHECK(found == (all ? 7 : clear), "next_clear from %" PRIu64 " is %" PRIu64, first, found);
    for (i = 0; i < NUMBERS && !model->present[i];)
        i++;
    found = 7;
    CHECK_EQ(snapshot ? lfset_bitmap_snapshot_min(snapshot, &found)
                      : lfset_bitmap_min(model->set, &found),
             i < NUMBERS);
    CHECK(found == (i < NUMBERS ? number_of(i) : 7), "the least is %" PRIu64, found);
    for (i = NUMBERS; i > 0 && !model->present[i - 1];)
        i--;
    found = 7;
    CHECK_EQ(snapshot ? lfset_bitmap_snapshot_max(snapshot, &found)
                      : lfset_bitmap_max(model->set, &found),
             i > 0);
    CHECK(found == (i > 0 ? number_of(i - 1) : 7), "the greatest is %" PRIu64, found);
}

static void model_compare(struct model *model, struct lfset_bitmap_snapshot *snapshot)
{
    CHECK_EQ(lfset_bitmap_snapshot_count(snapshot), model->live);
    uint64_t *copy = malloc((model->live + 1) * sizeof *copy);
    CHECK(copy != NULL, "no memory for the test");
    CHECK_EQ(lfset_bitmap_snapshot_copy(snapshot, copy, model->live + 1), model->live);
    size_t next = 0;
    for (size_t i = 0; i < NUMBERS; i++) {
        if (i % 7 == 0)
            CHECK_EQ(lfset_bitmap_snapshot_contains(snapshot, number_of(i)), model->present[i]);
        if (model->present[i])
            CHECK(copy[next++] == number_of(i), "member %zu of the snapshot is wrong", next - 1);
    }
    if (model->live > 1) {
        CHECK_EQ(lfset_bitmap_snapshot_copy(snapshot, copy + 1, 1), 1);
        CHECK(copy[1] == copy[0], "one key is not the smallest");
    }
    free(copy);
    for (int i = 0; i < 5; i++)
        model_order(model, snapshot);
    memset(model->visited, 0, sizeof model->visited);
    CHECK_EQ(lfset_bitmap_snapshot_each(snapshot, model_visit, model, NULL), 0);
    CHECK(memcmp(model->visited, model->present, sizeof model->present) == 0,
          "snapshot_each left out a member");
    lfset_bitmap_snapshot_destroy(snapshot);
}

static void model_whole_set(struct model *model)
{
    struct lfset_bitmap_snapshot *snapshot = NULL;
    switch (random_below(&model->random, 9)) {
    case 0:
        CHECK_EQ(lfset_bitmap_size(model->set, NULL), model->live);
        break;
    case 1:
        CHECK_EQ(lfset_bitmap_is_empty(model->set), model->live == 0);
        break;
    case 2:
        CHECK_EQ(lfset_bitmap_snapshot_take(model->set, &snapshot, NULL), 0);
        model_compare(model, snapshot);
        break;
    case 3:
        CHECK_EQ(lfset_bitmap_reserve(model->set, random_below(&model->random, 60 * REGION), NULL),
                 0);
        break;
    case 4:
        model_each(model);
        break;
    case 5:
        if (random_below(&model->random, 4) == 0) {
            CHECK_EQ(lfset_bitmap_clear(model->set, NULL), model->live);
            model_empty(model);
        }
        break;
    case 6:
        if (random_below(&model->random, 4) == 0) {
            CHECK_EQ(lfset_bitmap_drain(model->set, &snapshot, NULL), 0);
            model_compare(model, snapshot);
            model_empty(model);
        }
        break;
    case 7:
        CHECK(lfset_bitmap_purge(model->set) >= 0, "purge failed");
        CHECK_EQ(lfset_bitmap_purge(model->set), 0);
        break;
    default:
        bitmap_check(model->set);
        CHECK_EQ(lfset_bitmap_reserve(model->set, 0, NULL), 0);
    }
}

static void model_range(struct model *model)
{
    const bool add = random_below(&model->random, 2);
    const size_t first = draw(model), window_end = (first / WINDOW + 1) * WINDOW;
    size_t end = first + 1;
    if (random_below(&model->random, 8) == 0 && !add) {
        end = first + random_below(&model->random, NUMBERS - first) + 1; /* across windows */
    } else {
        end += random_below(&model->random, random_below(&model->random, 8) ? 200 : WINDOW);
        end = end < window_end ? end : window_end;
    }
    const uint64_t from = number_of(first), to = number_of(end - 1);
    const int64_t got = add ? lfset_bitmap_add_range(model->set, from, to, NULL)
                            : lfset_bitmap_remove_range(model->set, from, to, NULL);
    int64_t want = 0;
    for (size_t i = first; i < end; i++)
        want += model_set(model, i, add);
    CHECK_EQ(got, want);
}

static void model_step(struct model *model, unsigned adds_in_ten)
{
    const uint64_t kind = random_below(&model->random, 100);
    const size_t i = draw(model);
    const uint64_t key = number_of(i);
    uint64_t popped = 0;
    if (kind < 60) {
        const bool add = random_below(&model->random, 10) < adds_in_ten;
        CHECK_EQ(add ? lfset_bitmap_add(model->set, key) : lfset_bitmap_remove(model->set, key),
                 model_set(model, i, add));
    } else if (kind < 80) {
        CHECK_EQ(lfset_bitmap_contains(model->set, key), model->present[i]);
    } else if (kind < 85) {
        model_batch(model);
    } else if (kind < 90) {
        model_range(model);
    } else if (kind < 95) {
        model_order(model, NULL);
    } else if (model->live > 0) {
        CHECK_EQ(lfset_bitmap_pop(model->set, &popped), 1);
        CHECK_EQ(model_set(model, index_of(popped), false), 1);
    } else {
        CHECK_EQ(lfset_bitmap_pop(model->set, &popped), 0);
    }
}

TEST_BOTH(bitmap, agrees_with_a_model)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct model *model = calloc(1, sizeof *model);
    CHECK(model != NULL, "no memory for the test");
    model->set = bitmap_new(domain, 0, &memory);
    model->random = random_from(domain + 1);
    const size_t steps = scaled(60000);
    for (size_t step = 0; step < steps; step++) {
        model_step(model, step / 2000 % 2 ? 3 : 7);
        if (step % 100 == 0)
            model_whole_set(model);
        if (step % 500 == 0)
            CHECK_EQ(lfset_bitmap_size_estimate(model->set), model->live);
    }
    bitmap_end(model->set, &memory);
    free(model);
}

/* ---- growth, estimates -------------------------------------------------------------------------- */

TEST_BOTH(bitmap, grows_and_estimates)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    const uint64_t count = scaled(60000);
    struct random random = random_from(3);
    uint64_t *keys = malloc(count * sizeof *keys);
    CHECK(keys != NULL, "no memory for the test");
    random_keys(&random, keys, count);
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(lfset_bitmap_add(set, keys[i]), 1);
    struct lfset_stats stats = bitmap_stats(set);
    CHECK(stats.grows > 5, "%" PRIu64 " growths", stats.grows);
    const double live = (double)stats.live, estimate = (double)lfset_bitmap_size_estimate(set);
    CHECK(live > 0.9 * (double)count && live < 1.1 * (double)count, "%f regions", live);
    CHECK(estimate > 0.9 * (double)count && estimate < 1.1 * (double)count,
          "%f are estimated for %" PRIu64, estimate, count);
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(lfset_bitmap_contains(set, keys[i]), 1);
    CHECK_EQ(lfset_bitmap_size(set, NULL), count);
    bitmap_check(set);
    CHECK_EQ(lfset_bitmap_clear(set, NULL), count);
    CHECK_EQ(lfset_bitmap_size_estimate(set), 0);
    free(keys);
    bitmap_end(set, NULL);
}

/* Dense members are estimated as well as scattered ones. */
TEST_BOTH(bitmap, estimates_dense_members)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    const int64_t count = (int64_t)1000 * REGION;
    CHECK_EQ(lfset_bitmap_add_range(set, 12345, 12345 + (uint64_t)count - 1, NULL), count);
    const int64_t estimate = lfset_bitmap_size_estimate(set);
    CHECK(estimate > count * 98 / 100 && estimate < count * 102 / 100, "%" PRId64 " for %" PRId64,
          estimate, count);
    bitmap_end(set, NULL);
}

/* ---- snapshots ---------------------------------------------------------------------------------- */

/* The k-th snapshot is taken when the members are k, k + 3, k + 6 ... of the range, then all change. */
TEST_BOTH(bitmap, snapshots_stay_as_they_were)
{
    enum { FIRST = 1000, COUNT = 3 * 5000 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bitmap *set = bitmap_new(domain, 0, &memory);
    struct lfset_bitmap_snapshot *snapshots[3] = {NULL};
    for (uint64_t k = 0; k < 3; k++) {
        for (uint64_t i = 0; i < COUNT; i++) {
            if (i % 3 == k)
                CHECK_EQ(lfset_bitmap_add(set, FIRST + i), 1);
            else if (k > 0 && i % 3 == k - 1)
                CHECK_EQ(lfset_bitmap_remove(set, FIRST + i), 1);
        }
        CHECK_EQ(snapshot_now(set, &snapshots[k]), COUNT / 3);
    }
    CHECK_EQ(lfset_bitmap_remove_range(set, 0, UINT64_MAX, NULL), COUNT / 3);
    CHECK_EQ(lfset_bitmap_add_range(set, FIRST, FIRST + COUNT, NULL), COUNT + 1);
    bitmap_check(set);
    CHECK_EQ(lfset_bitmap_destroy(set), 0); /* snapshots outlive it */
    for (uint64_t k = 0; k < 3; k++) {
        for (uint64_t i = 0; i < COUNT; i++)
            CHECK_EQ(lfset_bitmap_snapshot_contains(snapshots[k], FIRST + i), i % 3 == k);
        CHECK_EQ(lfset_bitmap_snapshot_count(snapshots[k]), COUNT / 3);
        CHECK_EQ(lfset_bitmap_snapshot_rank(snapshots[k], FIRST + 3 * 100 + k), 100);
        lfset_bitmap_snapshot_destroy(snapshots[k]);
    }
    memory_check_balance(&memory);
}

static int stop_at(uint64_t key, void *ctx)
{
    return key == *(uint64_t *)ctx ? 42 : 0;
}

TEST_BOTH(bitmap, iteration_stops_when_told)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    struct lfset_bitmap_snapshot *snapshot = NULL;
    uint64_t key = 8000;
    CHECK_EQ(lfset_bitmap_add_range(set, 0, 9999, NULL), 10000);
    CHECK_EQ(lfset_bitmap_each(set, stop_at, &key, NULL), 42);
    CHECK_EQ(snapshot_now(set, &snapshot), 10000);
    CHECK_EQ(lfset_bitmap_snapshot_each(snapshot, stop_at, &key, NULL), 42);
    key = 10000;
    CHECK_EQ(lfset_bitmap_each(set, stop_at, &key, NULL), 0);
    CHECK_EQ(lfset_bitmap_snapshot_each(snapshot, stop_at, &key, NULL), 0);
    lfset_bitmap_snapshot_destroy(snapshot);
    bitmap_end(set, NULL);
}

/* A member is asked for when its turn comes: those that the visits removed are not visited. */
struct removing {
    struct lfset_bitmap *set;
    uint64_t visits;
};

static int remove_next(uint64_t key, void *ctx)
{
    struct removing *removing = ctx;
    removing->visits++;
    CHECK_EQ(lfset_bitmap_remove(removing->set, key ^ 1), 1);
    return 0;
}

TEST_BOTH(bitmap, visits_may_change_the_set)
{
    struct removing removing = {.set = bitmap_new(domain, 0, NULL)};
    CHECK_EQ(lfset_bitmap_add_range(removing.set, 0, 9999, NULL), 10000);
    CHECK_EQ(lfset_bitmap_each(removing.set, remove_next, &removing, NULL), 0);
    CHECK_EQ(removing.visits, 5000);
    CHECK_EQ(lfset_bitmap_size(removing.set, NULL), 5000);
    bitmap_end(removing.set, NULL);
}

/* ---- regions, from inside ----------------------------------------------------------------------- */

/* The set's slice; held, so that its regions stay what they were. */
static struct lfset__slice *hold_root(const struct lfset_bitmap *set)
{
    struct lfset__slice *root = atomic_load(&((const struct lfset__set *)set)->root);
    lfset__slice_hold(root);
    return root;
}

/* What the slice names for a member. */
static struct lfset__region *region_in(struct lfset__slice *slice, uint64_t member)
{
    struct lfset__probe probe = lfset__probe_number(slice, member / REGION);
    do {
        const uint64_t word = atomic_load(probe.slot);
        if (lfset__probe_matches(&probe, word))
            return lfset__word_region(word);
    } while (lfset__probe_next(&probe));
    return NULL;
}

static size_t frozen_words(const struct lfset__region *region)
{
    size_t frozen = 0;
    for (size_t i = 0; i < LFSET__REGION_WORDS; i++)
        frozen += atomic_load(&region->words[i]) >> 63;
    return frozen;
}

/* As if a thread had stopped in the middle of freezing the region. */
TEST_BOTH(bitmap, a_region_is_frozen_whole_before_it_is_replaced)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    CHECK_EQ(lfset_bitmap_add(set, 1), 1);
    CHECK_EQ(lfset_bitmap_add(set, 3000), 1);
    struct lfset__slice *root = hold_root(set);
    struct lfset__region *region = region_in(root, 1);
    atomic_fetch_or(&region->words[0], LFSET__WORD_FROZEN);
    CHECK_EQ(lfset_bitmap_add(set, 3001),
             1); /* that word is not frozen: the region is not replaced */
    CHECK_EQ(lfset_bitmap_remove(set, 2), 0); /* nothing changes */
    CHECK(region_in(root, 1) == region, "a region was replaced without need");
    CHECK_EQ(lfset_bitmap_remove(set, 1), 1);
    CHECK(region_in(root, 1) != region, "a frozen word was changed");
    CHECK_EQ(frozen_words(region), LFSET__REGION_WORDS);
    CHECK_EQ(frozen_words(region_in(root, 1)), 0);
    CHECK_EQ(lfset_bitmap_contains(set, 1), 0);
    CHECK_EQ(lfset_bitmap_contains(set, 3000), 1);
    CHECK_EQ(lfset_bitmap_contains(set, 3001), 1);
    lfset__slice_drop(root);
    bitmap_end(set, NULL);
}

TEST_BOTH(bitmap, a_region_that_is_left_behind_is_frozen_whole)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    CHECK_EQ(lfset_bitmap_add(set, 1), 1);
    CHECK_EQ(lfset_bitmap_add(set, 5000), 1);
    CHECK_EQ(lfset_bitmap_remove(set, 1), 1);
    struct lfset__slice *root = hold_root(set);
    CHECK_EQ(lfset_bitmap_purge(set), 1);
    struct lfset__slice *next = hold_root(set);
    CHECK(next != root, "a purge made no succession");
    CHECK_EQ(frozen_words(region_in(root, 1)), LFSET__REGION_WORDS);
    CHECK(region_in(next, 1) == NULL, "an empty region went on");
    /* The other one went on as it was. */
    CHECK(region_in(next, 5000) == region_in(root, 5000), "a region was copied without need");
    CHECK_EQ(frozen_words(region_in(next, 5000)), 0);
    CHECK_EQ(lfset_bitmap_add(set, 1), 1);
    CHECK(region_in(next, 1) != region_in(root, 1), "a frozen region was used again");
    lfset__slice_drop(root);
    lfset__slice_drop(next);
    bitmap_end(set, NULL);
}

TEST_BOTH(bitmap, a_snapshot_freezes_regions_and_shares_them)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    CHECK_EQ(lfset_bitmap_add(set, 1), 1);
    CHECK_EQ(lfset_bitmap_add(set, 5000), 1);
    struct lfset__slice *root = hold_root(set);
    CHECK_EQ(lfset_bitmap_size(set, NULL), 2);
    struct lfset__slice *next = hold_root(set);
    CHECK_EQ(frozen_words(region_in(root, 1)), LFSET__REGION_WORDS);
    CHECK(region_in(next, 1) == region_in(root, 1), "a snapshot copied a region");
    CHECK_EQ(lfset_bitmap_add(set, 2), 1);
    CHECK(region_in(next, 1) != region_in(root, 1), "a frozen region was changed");
    CHECK(region_in(next, 5000) == region_in(root, 5000), "a region was copied without need");
    lfset__slice_drop(root);
    lfset__slice_drop(next);
    bitmap_end(set, NULL);
}

/* The count of empty regions is a hint, and may be late by as many as wait to be freed. */
TEST_BOTH(bitmap, a_wrong_count_of_empty_regions_does_no_harm)
{
    enum { TOO_MANY = 100000 };
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    atomic_fetch_add(&((struct lfset__set *)set)->idle, TOO_MANY);
    for (uint64_t i = 0; i < 1000; i++)
        CHECK_EQ(lfset_bitmap_add(set, i * REGION), 1);
    CHECK_EQ(lfset_bitmap_size(set, NULL), 1000);
    CHECK(lfset_bitmap_purge(set) >= 0, "purge failed");
    const struct lfset_stats before = bitmap_stats(set);
    for (uint64_t i = 0; i < 900; i++)
        CHECK_EQ(lfset_bitmap_remove(set, i * REGION), 1);
    CHECK_EQ(lfset_bitmap_size(set, NULL), 100);
    const struct lfset_stats after = bitmap_stats(set);
    const uint64_t successions =
        after.purges + after.shrinks + after.grows - before.purges - before.shrinks - before.grows;
    CHECK(successions <= 900, "%" PRIu64 " successions for 900 updates", successions);
    CHECK_EQ(lfset_bitmap_clear(set, NULL), 100);
    CHECK_EQ(lfset_bitmap_is_empty(set), 1);
    atomic_fetch_sub(&((struct lfset__set *)set)->idle, TOO_MANY);
    bitmap_end(set, NULL);
}

/* ---- threads ------------------------------------------------------------------------------------ */

enum { THREADS = 4 };

struct worker {
    struct lfset_bitmap *set;
    size_t number, steps;
    uint64_t changed; /* what this thread was told it added, less what it removed */
    atomic_size_t *done;
};

static void run_workers(struct lfset_bitmap *set, void (*body)(void *), size_t steps,
                        struct worker workers[THREADS])
{
    static atomic_size_t done;
    atomic_store(&done, 0);
    for (size_t i = 0; i < THREADS; i++)
        workers[i] = (struct worker){.set = set, .number = i, .steps = steps, .done = &done};
    crew_run(THREADS, body, workers, sizeof *workers);
}

/* All threads add the same members, in another order each; who adds one first is told so, nobody else. */
static void add_same(void *arg)
{
    struct worker *worker = arg;
    for (size_t i = 0; i < worker->steps; i++) {
        const uint64_t word = i / WORD * WORD, bit = (i * 5 + worker->number * 16) % WORD;
        const int result = lfset_bitmap_add(worker->set, word + bit);
        if (result != 0 && result != 1)
            fault("add answers %d", result);
        worker->changed += result == 1;
    }
}

static void remove_same(void *arg)
{
    struct worker *worker = arg;
    for (size_t i = 0; i < worker->steps; i++)
        worker->changed += lfset_bitmap_remove(worker->set, i) == 1;
}

TEST_BOTH(bitmap, each_member_is_added_and_removed_once)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    struct worker workers[THREADS];
    const size_t count = scaled(200000) / WORD * WORD;
    for (int round = 0; round < 2; round++) {
        uint64_t total = 0;
        run_workers(set, add_same, count, workers);
        for (size_t i = 0; i < THREADS; i++)
            total += workers[i].changed;
        CHECK_EQ(total, count);
        CHECK_EQ(lfset_bitmap_size(set, NULL), count); /* the second half is done in copies */
        total = 0;
        run_workers(set, remove_same, count, workers);
        for (size_t i = 0; i < THREADS; i++)
            total += workers[i].changed;
        CHECK_EQ(total, count);
        CHECK_EQ(lfset_bitmap_is_empty(set), 1);
    }
    bitmap_end(set, NULL);
}

/* Each thread has every fourth member of the same words to itself, so that it knows what to expect;
 * everything else is done by all of them, and must not disturb. */
enum { SHARED = 3 * REGION };

static int visit_own(uint64_t key, void *ctx)
{
    const struct worker *worker = ctx;
    if (key % THREADS != worker->number)
        return 0;
    if (lfset_bitmap_contains(worker->set, key) != 1)
        fault("each visited %" PRIu64 ", which is absent", key);
    return 0;
}

static void whole_set_in_passing(const struct worker *worker, struct random *random)
{
    struct lfset_bitmap_snapshot *snapshot = NULL;
    uint64_t found;
    switch (random_below(random, 8)) {
    case 0:
        if (lfset_bitmap_size(worker->set, NULL) < 0)
            fault("size failed");
        break;
    case 1:
        if (lfset_bitmap_purge(worker->set) < 0)
            fault("purge failed");
        break;
    case 2:
        if (lfset_bitmap_reserve(worker->set, random_below(random, 1 << 20), NULL) != 0)
            fault("reserve failed");
        break;
    case 3:
        if (lfset_bitmap_each(worker->set, visit_own, (void *)(uintptr_t)worker, NULL) != 0)
            fault("each failed");
        break;
    case 4:
        if (lfset_bitmap_next_set(worker->set, random_below(random, SHARED), &found) < 0 ||
            lfset_bitmap_next_clear(worker->set, random_below(random, SHARED), &found) != 1 ||
            lfset_bitmap_max(worker->set, &found) < 0)
            fault("order failed");
        break;
    case 5:
        if (lfset_bitmap_count_range(worker->set, 0, UINT64_MAX, NULL) < 0)
            fault("count_range failed");
        break;
    default:
        if (lfset_bitmap_snapshot_take(worker->set, &snapshot, NULL) != 0)
            fault("no snapshot");
        else if (lfset_bitmap_snapshot_count_range(snapshot, 0, UINT64_MAX) !=
                 lfset_bitmap_snapshot_count(snapshot))
            fault("a snapshot's regions do not add up");
        lfset_bitmap_snapshot_destroy(snapshot);
    }
}

static void mix(void *arg)
{
    struct worker *worker = arg;
    struct random random = random_from(worker->number + 1);
    bool *mine = calloc(SHARED, sizeof *mine);
    if (mine == NULL) {
        fault("no memory for the test");
        return;
    }
    for (size_t step = 0; step < worker->steps; step++) {
        const uint64_t spread = random_below(&random, 2) ? 64 : SHARED;
        const uint64_t key = random_below(&random, spread / THREADS) * THREADS + worker->number;
        const uint64_t kind = random_below(&random, 100);
        const bool add = kind < 45;
        int result;
        if (kind < 90) {
            result = kind % 9 == 0
                         ? (int)(add ? lfset_bitmap_add_range(worker->set, key, key, NULL)
                                     : lfset_bitmap_remove_range(worker->set, key, key, NULL))
                     : add ? lfset_bitmap_add(worker->set, key)
                           : lfset_bitmap_remove(worker->set, key);
            if (result != (mine[key] != add))
                fault("%s %" PRIu64 " answers %d", add ? "add" : "remove", key, result);
            mine[key] = add;
        } else if (kind < 99) {
            result = lfset_bitmap_contains(worker->set, key);
            if (result != mine[key])
                fault("contains %" PRIu64 " answers %d", key, result);
        } else {
            whole_set_in_passing(worker, &random);
        }
    }
    for (size_t i = 0; i < SHARED; i++)
        worker->changed += mine[i];
    free(mine);
}

TEST_BOTH(bitmap, threads_in_the_same_words_do_not_disturb_each_other)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bitmap *set = bitmap_new(domain, 0, &memory);
    struct worker workers[THREADS];
    run_workers(set, mix, scaled(60000), workers);
    uint64_t total = 0;
    for (size_t i = 0; i < THREADS; i++)
        total += workers[i].changed;
    check_faults();
    CHECK_EQ(lfset_bitmap_size(set, NULL), total);
    bitmap_end(set, &memory);
}

/* A purge leaves empty regions behind, word by word, while others add to them. */
enum { OWN_REGIONS = 3 };

static void add_and_remove_own(void *arg)
{
    struct worker *worker = arg;
    for (size_t step = 0; step < worker->steps; step++) {
        const uint64_t key = step % OWN_REGIONS * REGION + (worker->number * 20 + step % 20) * WORD;
        if (lfset_bitmap_add(worker->set, key) != 1)
            fault("%" PRIu64 " was there already", key);
        if (lfset_bitmap_contains(worker->set, key) != 1 ||
            lfset_bitmap_remove(worker->set, key) != 1)
            fault("%" PRIu64 " is lost", key);
    }
    atomic_fetch_add(worker->done, 1);
}

static void add_and_remove_or_purge(void *arg)
{
    struct worker *worker = arg;
    if (worker->number < THREADS - 1) {
        add_and_remove_own(arg);
        return;
    }
    while (atomic_load(worker->done) < THREADS - 1) {
        if (lfset_bitmap_purge(worker->set) < 0)
            fault("purge failed");
    }
}

TEST_BOTH(bitmap, nothing_is_lost_in_regions_that_are_left_behind)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    struct worker workers[THREADS];
    run_workers(set, add_and_remove_or_purge, scaled(300000), workers);
    check_faults();
    CHECK_EQ(lfset_bitmap_is_empty(set), 1);
    CHECK(bitmap_stats(set).purges > 0, "nothing was left behind");
    bitmap_end(set, NULL);
}

/* Members are moved in and out by ranges, pops, drains and single operations; what comes out is what went
 * in. */
static void in_and_out(void *arg)
{
    struct worker *worker = arg;
    struct random random = random_from(worker->number + 7);
    for (size_t step = 0; step < worker->steps; step++) {
        const uint64_t first =
            random_below(&random, 2) * REGION * 100 + random_below(&random, REGION);
        struct lfset_bitmap_snapshot *snapshot = NULL;
        uint64_t popped;
        int64_t result = 0;
        switch (random_below(&random, 12)) {
        case 0:
            result = lfset_bitmap_add_range(worker->set, first, first + 200, NULL);
            worker->changed += (uint64_t)result;
            break;
        case 1:
            result = lfset_bitmap_remove_range(worker->set, first, first + 200, NULL);
            worker->changed -= (uint64_t)result;
            break;
        case 2:
            result = random_below(&random, 20) ? 0 : lfset_bitmap_clear(worker->set, NULL);
            worker->changed -= (uint64_t)result;
            break;
        case 3:
            if (random_below(&random, 20) == 0) {
                result = lfset_bitmap_drain(worker->set, &snapshot, NULL);
                worker->changed -= (uint64_t)lfset_bitmap_snapshot_count(snapshot);
                lfset_bitmap_snapshot_destroy(snapshot);
            }
            break;
        case 4:
            if (random_below(&random, 20) == 0) {
                result = lfset_bitmap_remove_range(worker->set, 0, UINT64_MAX, NULL);
                worker->changed -= (uint64_t)result;
            }
            break;
        case 5:
            if (random_below(&random, 20) == 0)
                result = lfset_bitmap_size(worker->set, NULL);
            break;
        case 6:
        case 7:
        case 8:
            result = lfset_bitmap_pop(worker->set, &popped);
            worker->changed -= (uint64_t)result;
            break;
        default:
            result = lfset_bitmap_add(worker->set, first);
            worker->changed += (uint64_t)result;
        }
        if (result < 0)
            fault("an operation answers %" PRId64, result);
    }
}

TEST_BOTH(bitmap, what_comes_out_is_what_went_in)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bitmap *set = bitmap_new(domain, 0, &memory);
    struct worker workers[THREADS];
    run_workers(set, in_and_out, scaled(40000), workers);
    uint64_t total = 0;
    for (size_t i = 0; i < THREADS; i++)
        total += workers[i].changed;
    check_faults();
    bitmap_check(set);
    CHECK_EQ(lfset_bitmap_size(set, NULL), total);
    uint64_t popped;
    for (uint64_t i = 0; i < total; i++)
        CHECK_EQ(lfset_bitmap_pop(set, &popped), 1);
    CHECK_EQ(lfset_bitmap_pop(set, &popped), 0);
    bitmap_end(set, &memory);
}

/* ---- waiting ------------------------------------------------------------------------------------ */

enum { AWAITED = 5000 };

static int wait_present(void *arg)
{
    return lfset_bitmap_wait_present(arg, AWAITED, NULL);
}

static int wait_absent(void *arg)
{
    return lfset_bitmap_wait_absent(arg, AWAITED, NULL);
}

static int wait_empty(void *arg)
{
    return lfset_bitmap_wait_empty(arg, NULL);
}

static int64_t by_add(struct lfset_bitmap *set)
{
    return lfset_bitmap_add(set, AWAITED);
}

static int64_t by_add_many(struct lfset_bitmap *set)
{
    const uint64_t keys[] = {1, AWAITED};
    return lfset_bitmap_add_many(set, keys, 2, NULL) - 1;
}

static int64_t by_add_range(struct lfset_bitmap *set)
{
    return lfset_bitmap_add_range(set, AWAITED - 5000, AWAITED + 1, NULL) - 5001;
}

static int64_t by_remove(struct lfset_bitmap *set)
{
    return lfset_bitmap_remove(set, AWAITED);
}

static int64_t by_remove_many(struct lfset_bitmap *set)
{
    const uint64_t keys[] = {1, AWAITED};
    return lfset_bitmap_remove_many(set, keys, 2, NULL);
}

static int64_t by_remove_range(struct lfset_bitmap *set)
{
    return lfset_bitmap_remove_range(set, 0, AWAITED, NULL);
}

static int64_t by_remove_all(struct lfset_bitmap *set)
{
    return lfset_bitmap_remove_range(set, 0, UINT64_MAX, NULL);
}

static int64_t by_pop(struct lfset_bitmap *set)
{
    uint64_t key;
    return lfset_bitmap_pop(set, &key);
}

static int64_t by_clear(struct lfset_bitmap *set)
{
    return lfset_bitmap_clear(set, NULL);
}

static int64_t by_drain(struct lfset_bitmap *set)
{
    struct lfset_bitmap_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_bitmap_drain(set, &snapshot, NULL), 0);
    const int64_t count = lfset_bitmap_snapshot_count(snapshot);
    lfset_bitmap_snapshot_destroy(snapshot);
    return count;
}

static void check_wakes(struct lfset_bitmap *set, int (*wait)(void *arg),
                        int64_t (*change)(struct lfset_bitmap *set))
{
    struct sleeper sleeper;
    sleeper_start(&sleeper, wait, set);
    sleeper_until_asleep(&sleeper);
    CHECK_EQ(change(set), 1);
    CHECK_EQ(sleeper_join(&sleeper), 0);
}

TEST_BOTH(bitmap, every_way_of_adding_wakes)
{
    int64_t (*const ways[])(struct lfset_bitmap * set) = {by_add, by_add_many, by_add_range};
    for (size_t frozen = 0; frozen < 2; frozen++) {
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
            if (frozen) { /* the region is shared with a snapshot */
                CHECK_EQ(lfset_bitmap_add(set, AWAITED + 2), 1);
                CHECK_EQ(lfset_bitmap_size(set, NULL), 1);
            }
            check_wakes(set, wait_present, ways[i]);
            CHECK_EQ(lfset_bitmap_wait_present(set, AWAITED, NULL), 0);
            bitmap_end(set, NULL);
        }
    }
}

TEST_BOTH(bitmap, every_way_of_removing_wakes)
{
    int64_t (*const ways[])(struct lfset_bitmap * set) = {
        by_remove, by_remove_many, by_remove_range, by_remove_all, by_pop, by_clear, by_drain};
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    for (size_t frozen = 0; frozen < 2; frozen++) {
        for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
            CHECK_EQ(lfset_bitmap_add(set, AWAITED), 1);
            CHECK_EQ(frozen ? lfset_bitmap_size(set, NULL) : 1, 1);
            check_wakes(set, wait_absent, ways[i]);
            CHECK_EQ(lfset_bitmap_add(set, AWAITED), 1);
            CHECK_EQ(frozen ? lfset_bitmap_size(set, NULL) : 1, 1);
            check_wakes(set, wait_empty, ways[i]);
            CHECK_EQ(lfset_bitmap_wait_empty(set, NULL), 0);
        }
    }
    bitmap_end(set, NULL);
}

TEST_BOTH(bitmap, waits_refuse_sections_and_end_at_deadlines)
{
    struct lfset_bitmap *set = bitmap_new(domain, 0, NULL);
    struct lfset_cancel *token = token_new(NULL, lfset_deadline_in(1000000));
    CHECK_EQ(lfset_bitmap_add(set, 1), 1);
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_bitmap_wait_present(set, 1, NULL), -EDEADLK);
    CHECK_EQ(lfset_bitmap_wait_absent(set, 1, NULL), -EDEADLK);
    CHECK_EQ(lfset_bitmap_wait_empty(set, NULL), -EDEADLK);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_bitmap_wait_present(set, 2, token), -ETIMEDOUT);
    CHECK_EQ(lfset_bitmap_wait_absent(set, 1, token), -ETIMEDOUT);
    CHECK_EQ(lfset_bitmap_wait_empty(set, token), -ETIMEDOUT);
    lfset_cancel_destroy(token);
    bitmap_end(set, NULL);
}

// SPDX-License-Identifier: MIT
/*
 * lfset_bitmap as a target. Numbers that 3 does not divide stand for themselves, so that many threads
 * meet in a word; the others are spread, one to a region. Every other add, remove and contains is the
 * range function for a range of one.
 */
#include "target.h"

#include <lfset/bitmap.h>

#define REGION 4032u

/* Chooses between functions that answer the same. */
static _Thread_local unsigned turn;

/* Injective: what is spread is divisible by 3, what is not spread is not. */
static uint64_t encode(uint64_t key)
{
    return key % 3 == 0 ? key * REGION : key;
}

static uint64_t decode(uint64_t member)
{
    if (member % 3 != 0)
        return member;
    if (member % (3 * (uint64_t)REGION) != 0)
        target_notice("%llu came out, which was never put in", (unsigned long long)member);
    return member / REGION;
}

static int bitmap_create(const struct target_options *options, void **set)
{
    const struct lfset_options o = target_lfset_options(options);
    struct lfset_bitmap *made = NULL;
    const int rc = lfset_bitmap_create(&made, &o);

    *set = made;
    return rc;
}

static int bitmap_destroy(void *set)
{
    return lfset_bitmap_destroy(set);
}

static int bitmap_add(void *set, uint64_t key)
{
    const uint64_t member = encode(key);

    return ++turn % 2 ? lfset_bitmap_add(set, member)
                      : (int)lfset_bitmap_add_range(set, member, member, NULL);
}

static int bitmap_remove(void *set, uint64_t key)
{
    const uint64_t member = encode(key);

    return ++turn % 2 ? lfset_bitmap_remove(set, member)
                      : (int)lfset_bitmap_remove_range(set, member, member, NULL);
}

/* What next_set and next_clear say about the number they begin at is a contains. */
static int bitmap_contains(void *set, uint64_t key)
{
    const uint64_t member = encode(key);
    uint64_t found = 0;
    int rc;

    switch (++turn % 8) {
    case 0:
        return (int)lfset_bitmap_count_range(set, member, member, NULL);
    case 1:
        rc = lfset_bitmap_next_set(set, member, &found);
        return rc == 1 ? found == member : rc;
    case 2:
        rc = lfset_bitmap_next_clear(set, member, &found);
        return rc == 1 ? found != member : rc;
    default:
        return lfset_bitmap_contains(set, member);
    }
}

static void batch_encode(uint64_t *members, const uint64_t *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        members[i] = encode(keys[i]);
}

static int64_t bitmap_add_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    uint64_t members[TARGET_BATCH];

    batch_encode(members, keys, count);
    return lfset_bitmap_add_many(set, members, count, results);
}

static int64_t bitmap_remove_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    uint64_t members[TARGET_BATCH];

    batch_encode(members, keys, count);
    return lfset_bitmap_remove_many(set, members, count, results);
}

static int64_t bitmap_contains_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    uint64_t members[TARGET_BATCH];

    batch_encode(members, keys, count);
    return lfset_bitmap_contains_many(set, members, count, results);
}

static int bitmap_pop(void *set, uint64_t *key)
{
    uint64_t member = 0;
    const int rc = lfset_bitmap_pop(set, &member);

    if (rc == 1)
        *key = decode(member);
    return rc;
}

static int64_t bitmap_size(void *set)
{
    return lfset_bitmap_size(set, NULL);
}

static int bitmap_is_empty(void *set)
{
    return lfset_bitmap_is_empty(set);
}

static int64_t bitmap_clear(void *set)
{
    return lfset_bitmap_clear(set, NULL);
}

static int bitmap_snapshot(void *set, void **taken)
{
    struct lfset_bitmap_snapshot *snapshot = NULL;
    const int rc = lfset_bitmap_snapshot_take(set, &snapshot, NULL);

    *taken = snapshot;
    return rc;
}

static int bitmap_drain(void *set, void **taken)
{
    struct lfset_bitmap_snapshot *snapshot = NULL;
    const int rc = lfset_bitmap_drain(set, &snapshot, NULL);

    *taken = snapshot;
    return rc;
}

static int64_t bitmap_taken_count(void *taken)
{
    return lfset_bitmap_snapshot_count(taken);
}

static int64_t bitmap_taken_copy(void *taken, uint64_t *keys, size_t max)
{
    const int64_t count = lfset_bitmap_snapshot_copy(taken, keys, max);

    for (int64_t i = 1; i < count; i++)
        if (keys[i - 1] >= keys[i])
            target_notice("a snapshot's members do not ascend");
    for (int64_t i = 0; i < count; i++)
        keys[i] = decode(keys[i]);
    if (count > 0)
        target_sort(keys, (size_t)count);
    return count;
}

static int bitmap_taken_contains(void *taken, uint64_t key)
{
    return lfset_bitmap_snapshot_contains(taken, encode(key));
}

static void bitmap_taken_destroy(void *taken)
{
    lfset_bitmap_snapshot_destroy(taken);
}

struct visitor {
    int (*visit)(uint64_t key, void *ctx);
    void *ctx;
};

static int visit_member(uint64_t member, void *ctx)
{
    const struct visitor *visitor = ctx;

    return visitor->visit(decode(member), visitor->ctx);
}

static int bitmap_each(const void *set, int (*visit)(uint64_t key, void *ctx), void *ctx)
{
    struct visitor visitor = {visit, ctx};

    return lfset_bitmap_each(set, visit_member, &visitor, NULL);
}

static int64_t bitmap_remove_if(void *set, int (*unwanted)(uint64_t key, void *ctx), void *ctx)
{
    struct visitor visitor = {unwanted, ctx};

    return lfset_bitmap_remove_if(set, visit_member, &visitor, NULL);
}

static int bitmap_reserve(void *set, uint64_t capacity)
{
    return lfset_bitmap_reserve(set, capacity, NULL);
}

static int bitmap_purge(void *set)
{
    return lfset_bitmap_purge(set);
}

static int bitmap_wait_present(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return lfset_bitmap_wait_present(set, encode(key), cancel);
}

static int bitmap_wait_absent(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return lfset_bitmap_wait_absent(set, encode(key), cancel);
}

static int bitmap_wait_empty(void *set, const struct lfset_cancel *cancel)
{
    return lfset_bitmap_wait_empty(set, cancel);
}

static int bitmap_validate(const void *set, const char **reason)
{
    return lfset_bitmap_validate(set, reason);
}

static int bitmap_counters(const void *set, struct target_counters *counters)
{
    struct lfset_stats stats = {.size = sizeof(stats)};
    const int rc = lfset_bitmap_stats_read(set, &stats);

    if (rc == 0)
        *counters = target_lfset_counters(&stats);
    return rc;
}

const struct target target_bitmap = {
    .name = "bitmap",
    .about = "lfset_bitmap, the set of integers that lie close together",
    .has_domains = 1,
    .create = bitmap_create,
    .destroy = bitmap_destroy,
    .add = bitmap_add,
    .remove = bitmap_remove,
    .contains = bitmap_contains,
    .add_many = bitmap_add_many,
    .remove_many = bitmap_remove_many,
    .contains_many = bitmap_contains_many,
    .pop = bitmap_pop,
    .size = bitmap_size,
    .is_empty = bitmap_is_empty,
    .clear = bitmap_clear,
    .snapshot = bitmap_snapshot,
    .drain = bitmap_drain,
    .taken_count = bitmap_taken_count,
    .taken_copy = bitmap_taken_copy,
    .taken_contains = bitmap_taken_contains,
    .taken_destroy = bitmap_taken_destroy,
    .each = bitmap_each,
    .each_is_concurrent = 1,
    .remove_if = bitmap_remove_if,
    .reserve = bitmap_reserve,
    .purge = bitmap_purge,
    .wait_present = bitmap_wait_present,
    .wait_absent = bitmap_wait_absent,
    .wait_empty = bitmap_wait_empty,
    .validate = bitmap_validate,
    .counters = bitmap_counters,
    .attach = lfset_thread_attach,
    .detach = lfset_thread_detach,
    .section_enter = lfset_section_enter,
    .section_leave = lfset_section_leave,
};

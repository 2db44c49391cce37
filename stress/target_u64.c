// SPDX-License-Identifier: MIT
/*
 * lfset_u64 as a target: nothing but the change of types.
 */
#include "target.h"

#include <lfset/u64.h>

static int u64_create(const struct target_options *options, void **set)
{
    const struct lfset_options o = target_lfset_options(options);
    struct lfset_u64 *made = NULL;
    const int rc = lfset_u64_create(&made, &o);

    *set = made;
    return rc;
}

static int u64_destroy(void *set)
{
    return lfset_u64_destroy(set);
}

static int u64_add(void *set, uint64_t key)
{
    return lfset_u64_add(set, key);
}

static int u64_remove(void *set, uint64_t key)
{
    return lfset_u64_remove(set, key);
}

static int u64_contains(void *set, uint64_t key)
{
    return lfset_u64_contains(set, key);
}

static int64_t u64_add_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    return lfset_u64_add_many(set, keys, count, results);
}

static int64_t u64_remove_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    return lfset_u64_remove_many(set, keys, count, results);
}

static int64_t u64_contains_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    return lfset_u64_contains_many(set, keys, count, results);
}

static int u64_pop(void *set, uint64_t *key)
{
    return lfset_u64_pop(set, key);
}

static int64_t u64_size(void *set)
{
    return lfset_u64_size(set, NULL);
}

static int u64_is_empty(void *set)
{
    return lfset_u64_is_empty(set);
}

static int64_t u64_clear(void *set)
{
    return lfset_u64_clear(set, NULL);
}

static int u64_snapshot(void *set, void **taken)
{
    struct lfset_u64_snapshot *snapshot = NULL;
    int rc = lfset_u64_snapshot_take(set, &snapshot, NULL);

    *taken = snapshot;
    return rc;
}

static int u64_drain(void *set, void **taken)
{
    struct lfset_u64_snapshot *snapshot = NULL;
    int rc = lfset_u64_drain(set, &snapshot, NULL);

    *taken = snapshot;
    return rc;
}

static int64_t u64_taken_count(void *taken)
{
    return lfset_u64_snapshot_count(taken);
}

static int64_t u64_taken_copy(void *taken, uint64_t *keys, size_t max)
{
    return lfset_u64_snapshot_copy(taken, keys, max);
}

static int u64_taken_contains(void *taken, uint64_t key)
{
    return lfset_u64_snapshot_contains(taken, key);
}

static void u64_taken_destroy(void *taken)
{
    lfset_u64_snapshot_destroy(taken);
}

static int u64_each(const void *set, int (*visit)(uint64_t key, void *ctx), void *ctx)
{
    return lfset_u64_each(set, visit, ctx, NULL);
}

static int64_t u64_remove_if(void *set, int (*unwanted)(uint64_t key, void *ctx), void *ctx)
{
    return lfset_u64_remove_if(set, unwanted, ctx, NULL);
}

static int u64_reserve(void *set, uint64_t capacity)
{
    return lfset_u64_reserve(set, capacity, NULL);
}

static int u64_wait_present(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return lfset_u64_wait_present(set, key, cancel);
}

static int u64_wait_absent(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return lfset_u64_wait_absent(set, key, cancel);
}

static int u64_wait_empty(void *set, const struct lfset_cancel *cancel)
{
    return lfset_u64_wait_empty(set, cancel);
}

static int u64_validate(const void *set, const char **reason)
{
    return lfset_u64_validate(set, reason);
}

static int u64_counters(const void *set, struct target_counters *counters)
{
    struct lfset_stats stats = {.size = sizeof(stats)};
    int rc = lfset_u64_stats_read(set, &stats);

    if (rc == 0)
        *counters = target_lfset_counters(&stats);
    return rc;
}

const struct target target_u64 = {
    .name = "u64",
    .about = "lfset_u64, the set of 64-bit integers",
    .has_domains = 1,
    .create = u64_create,
    .destroy = u64_destroy,
    .add = u64_add,
    .remove = u64_remove,
    .contains = u64_contains,
    .add_many = u64_add_many,
    .remove_many = u64_remove_many,
    .contains_many = u64_contains_many,
    .pop = u64_pop,
    .size = u64_size,
    .is_empty = u64_is_empty,
    .clear = u64_clear,
    .snapshot = u64_snapshot,
    .drain = u64_drain,
    .taken_count = u64_taken_count,
    .taken_copy = u64_taken_copy,
    .taken_contains = u64_taken_contains,
    .taken_destroy = u64_taken_destroy,
    .each = u64_each,
    .each_is_concurrent = 1,
    .remove_if = u64_remove_if,
    .reserve = u64_reserve,
    .wait_present = u64_wait_present,
    .wait_absent = u64_wait_absent,
    .wait_empty = u64_wait_empty,
    .validate = u64_validate,
    .counters = u64_counters,
    .attach = lfset_thread_attach,
    .detach = lfset_thread_detach,
    .section_enter = lfset_section_enter,
    .section_leave = lfset_section_leave,
};

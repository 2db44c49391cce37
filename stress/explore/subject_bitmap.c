// SPDX-License-Identifier: MIT
#include "lfset/bitmap.h"

#include "explore/arena.h"
#include "explore/homes.h"
#include "explore/schedule.h"
#include "set/node.h"

#define KIND bitmap
#define HAS_NO_PROBES
#include "explore/subject_common.h"

enum { SEEDS = 4, REGION = 4032 };

static struct homes all_homes[SEEDS], *homes;

static void fill_homes(const struct lfset__set *set, uint64_t seed)
{
    const struct lfset__slice *root = atomic_load(&set->root);
    for (uint64_t i = 0; i < HOMES; i++) {
        homes->table[i] = (struct home){.hash = (i + 1) * root->multiplier, .key = i + 1};
    }
    homes_sort(homes);
    homes->seed = seed;
}

static int create(void **set, const struct lfset_options *options)
{
    // capacity is in regions here
    struct lfset_options many = *options;
    many.capacity *= REGION;
    struct lfset_bitmap *made = NULL;
    int result = lfset_bitmap_create(&made, &many);
    *set = made;
    if (result == 0) {
        for (homes = all_homes; homes->seed && homes->seed != options->seed; homes++) {
        }
        if (!homes->seed) {
            fill_homes((struct lfset__set *)(void *)made, options->seed);
        }
        homes_begin(homes);
    }
    return result;
}

static uint64_t key_at(void *set, uint64_t hash, uint32_t offset)
{
    (void)set;
    return homes_key(homes, hash) * REGION + offset;
}

static bool word_key(const struct lfset__slice *slice, size_t index, uint64_t word, uint64_t *key)
{
    (void)slice, (void)index;
    const struct lfset__node *node = lfset__word_node(word);
    if (!arena_is_live(node)) {
        return false;
    }
    *key = node->hash * REGION;
    return true;
}

static size_t blocks(const uint64_t *keys, size_t count)
{
    size_t regions = 0;
    for (size_t i = 0; i < count; i++) {
        bool first = true;
        for (size_t j = 0; j < i && first; j++) {
            first = keys[i] / REGION != keys[j] / REGION;
        }
        regions += first;
    }
    return regions;
}

static int add(void *set, uint64_t key)
{
    return lfset_bitmap_add(set, key);
}

static int remove_key(void *set, uint64_t key)
{
    return lfset_bitmap_remove(set, key);
}

static int contains(void *set, uint64_t key)
{
    return lfset_bitmap_contains(set, key);
}

static int pop(void *set, uint64_t *key)
{
    return lfset_bitmap_pop(set, key);
}

static int64_t add_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    return lfset_bitmap_add_many(set, keys, count, results);
}

static int64_t remove_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    return lfset_bitmap_remove_many(set, keys, count, results);
}

static int64_t contains_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    return lfset_bitmap_contains_many(set, keys, count, results);
}

static int64_t add_range(void *set, uint64_t first, uint64_t last)
{
    return lfset_bitmap_add_range(set, first, last, NULL);
}

static int64_t remove_range(void *set, uint64_t first, uint64_t last)
{
    return lfset_bitmap_remove_range(set, first, last, NULL);
}

static int64_t count_range(void *set, uint64_t first, uint64_t last)
{
    return lfset_bitmap_count_range(set, first, last, NULL);
}

static int seek(void *set, enum subject_seek seek, uint64_t from, uint64_t *found)
{
    switch (seek) {
    case SUBJECT_NEXT_SET:
        return lfset_bitmap_next_set(set, from, found);
    case SUBJECT_NEXT_CLEAR:
        return lfset_bitmap_next_clear(set, from, found);
    case SUBJECT_MIN:
        return lfset_bitmap_min(set, found);
    case SUBJECT_MAX:
        return lfset_bitmap_max(set, found);
    }
    return -EINVAL;
}

/* What else a snapshot can be asked must agree with the keys it shows. */
static void check_order(struct lfset_bitmap_snapshot *snapshot, const struct subject_keys *keys)
{
    uint64_t found = 0;
    size_t count = keys->count;
    int64_t all = lfset_bitmap_snapshot_count_range(snapshot, 0, UINT64_MAX);
    if (all != (int64_t)count || lfset_bitmap_snapshot_min(snapshot, &found) != (count > 0) ||
        (count > 0 && found != keys->keys[0]) ||
        lfset_bitmap_snapshot_max(snapshot, &found) != (count > 0) ||
        (count > 0 && found != keys->keys[count - 1])) {
        sched_fail("a snapshot's count_range, min or max is not what it holds");
    }
    for (size_t i = 0; i < count && i < 4; i++) {
        uint64_t key = keys->keys[i];
        if (lfset_bitmap_snapshot_rank(snapshot, key) != (int64_t)i ||
            lfset_bitmap_snapshot_next_set(snapshot, key, &found) != 1 || found != key ||
            lfset_bitmap_snapshot_next_clear(snapshot, key, &found) != 1 || found <= key ||
            lfset_bitmap_snapshot_contains(snapshot, found) != 0) {
            sched_fail("a snapshot's rank, next_set or next_clear is not what it holds");
        }
    }
}

static int64_t snapshot_copy(void *snapshot, struct subject_keys *keys, uint64_t drained)
{
    (void)drained;
    int64_t count = lfset_bitmap_snapshot_copy(snapshot, keys->keys, SUBJECT_KEYS);
    keys->count = count > 0 ? (size_t)count : 0;
    check_order(snapshot, keys);
    return count;
}

static int snapshot_contains(void *snapshot, uint64_t key)
{
    return lfset_bitmap_snapshot_contains(snapshot, key);
}

static int visit(uint64_t key, void *keys)
{
    subject_show(keys, key);
    return 0;
}

static int each(void *set, struct subject_keys *keys)
{
    return lfset_bitmap_each(set, visit, keys, NULL);
}

static int reserve_regions(void *set, uint64_t regions)
{
    return reserve(set, regions * REGION);
}

static int purge(void *set)
{
    return lfset_bitmap_purge(set);
}

static int look_at(void *set)
{
    struct lfset_stats stats = {.size = sizeof stats};
    int64_t estimate = lfset_bitmap_size_estimate(set);
    return estimate < 0 ? (int)estimate : lfset_bitmap_stats_read(set, &stats);
}

static int wait_present(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return lfset_bitmap_wait_present(set, key, cancel);
}

static int wait_absent(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return lfset_bitmap_wait_absent(set, key, cancel);
}

const struct subject subject_bitmap = {
    .seeds = SEEDS,
    .create = create,
    .destroy = destroy,
    .key_at = key_at,
    .word_key = word_key,
    .blocks = blocks,
    .add = add,
    .remove = remove_key,
    .contains = contains,
    .pop = pop,
    .add_many = add_many,
    .remove_many = remove_many,
    .contains_many = contains_many,
    .add_range = add_range,
    .remove_range = remove_range,
    .count_range = count_range,
    .seek = seek,
    .take = take,
    .snapshot_copy = snapshot_copy,
    .snapshot_count = snapshot_count,
    .snapshot_contains = snapshot_contains,
    .snapshot_destroy = snapshot_destroy,
    .clone = clone,
    .clear = clear,
    .size = size,
    .is_empty = is_empty,
    .each = each,
    .reserve = reserve_regions,
    .purge = purge,
    .look = look_at,
    .validate = validate,
    .wait_present = wait_present,
    .wait_absent = wait_absent,
    .wait_empty = wait_empty,
};

// SPDX-License-Identifier: MIT
#include "lfset/u64.h"

#include "set/u64_codec.h"

#define KIND u64
#include "explore/subject_common.h"

static int create(void **set, const struct lfset_options *options)
{
    struct lfset_u64 *made = NULL;
    int result = lfset_u64_create(&made, options);
    *set = made;
    return result;
}

static uint64_t key_at(void *set, uint64_t hash, uint32_t offset)
{
    (void)offset;
    const struct lfset__slice *root = atomic_load(&((struct lfset__set *)set)->root);
    return hash * root->inverse;
}

static bool word_key(const struct lfset__slice *slice, size_t index, uint64_t word, uint64_t *key)
{
    *key = lfset__word_key(slice, index, word);
    return true;
}

static int add(void *set, uint64_t key)
{
    return lfset_u64_add(set, key);
}

static int remove_key(void *set, uint64_t key)
{
    return lfset_u64_remove(set, key);
}

static int contains(void *set, uint64_t key)
{
    return lfset_u64_contains(set, key);
}

static int pop(void *set, uint64_t *key)
{
    return lfset_u64_pop(set, key);
}

static int64_t add_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    return lfset_u64_add_many(set, keys, count, results);
}

static int64_t remove_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    return lfset_u64_remove_many(set, keys, count, results);
}

static int64_t contains_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    return lfset_u64_contains_many(set, keys, count, results);
}

static int64_t snapshot_copy(void *snapshot, struct subject_keys *keys, uint64_t drained)
{
    (void)drained;
    int64_t count = lfset_u64_snapshot_copy(snapshot, keys->keys, SUBJECT_KEYS);
    keys->count = count > 0 ? (size_t)count : 0;
    return count;
}

static int snapshot_contains(void *snapshot, uint64_t key)
{
    return lfset_u64_snapshot_contains(snapshot, key);
}

static int visit(uint64_t key, void *keys)
{
    subject_show(keys, key);
    return 0;
}

static int each(void *set, struct subject_keys *keys)
{
    return lfset_u64_each(set, visit, keys, NULL);
}

static int wait_present(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return lfset_u64_wait_present(set, key, cancel);
}

static int wait_absent(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return lfset_u64_wait_absent(set, key, cancel);
}

const struct subject subject_u64 = {
    .create = create,
    .destroy = destroy,
    .key_at = key_at,
    .word_key = word_key,
    .add = add,
    .remove = remove_key,
    .contains = contains,
    .pop = pop,
    .add_many = add_many,
    .remove_many = remove_many,
    .contains_many = contains_many,
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
    .reserve = reserve,
    .look = look,
    .validate = validate,
    .wait_present = wait_present,
    .wait_absent = wait_absent,
    .wait_empty = wait_empty,
};

// SPDX-License-Identifier: MIT
#include "set/u64.h"

#include <errno.h>
#include <string.h>

#include "lfset/cancel.h"
#include "platform/memory.h"
#include "set/u64_codec.h"

struct lfset_u64_snapshot {
    struct lfset__slice *slice; /**< frozen; keeps the set's allocator alive, too */
    uint64_t count;
    _Atomic(uint64_t *) sorted; /**< `count` keys in order, once somebody asked */
    unsigned note;              /**< its entry in the registry */
};

struct lfset_u64_snapshot *lfset__u64_snapshot_alloc(const struct lfset_allocator *allocator)
{
    return lfset__alloc_zeroed(allocator, sizeof(struct lfset_u64_snapshot), sizeof(void *));
}

void lfset__u64_snapshot_abandon(struct lfset_u64_snapshot *snapshot,
                                 const struct lfset_allocator *allocator)
{
    lfset__free(allocator, snapshot, sizeof *snapshot, sizeof(void *));
}

uint64_t lfset__u64_snapshot_fill(struct lfset_u64_snapshot *snapshot, struct lfset__slice *frozen)
{
    snapshot->slice = frozen;
    snapshot->count = lfset__count_live(frozen);
    snapshot->note = lfset__note_snapshot(frozen->set, frozen);
    return snapshot->count;
}

static const struct lfset_allocator *allocator_of(const struct lfset_u64_snapshot *snapshot)
{
    return &snapshot->slice->set->allocator;
}

static void collect(const struct lfset__slice *slice, uint64_t *keys)
{
    size_t words = lfset__slice_words(slice), count = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_rlx(&slice->words[i]);
        if (word & LFSET__LIVE) {
            keys[count++] = lfset__word_key(slice, i, word);
        }
    }
}

/* One pass of a radix sort: by the byte at `shift`, stable. @return false when all bytes are equal:
 * then nothing was moved. */
static bool sort_by_byte(const uint64_t *from, uint64_t *to, size_t count, unsigned shift)
{
    size_t starts[257] = {0};
    for (size_t i = 0; i < count; i++) {
        starts[(from[i] >> shift & 255) + 1]++;
    }
    if (starts[(from[0] >> shift & 255) + 1] == count) {
        return false;
    }
    for (size_t byte = 0; byte < 256; byte++) {
        starts[byte + 1] += starts[byte];
    }
    for (size_t i = 0; i < count; i++) {
        to[starts[from[i] >> shift & 255]++] = from[i];
    }
    return true;
}

/* @return the one of the two arrays that holds the keys in ascending order. */
static uint64_t *sort(uint64_t *keys, uint64_t *scratch, size_t count)
{
    for (unsigned shift = 0; shift < 64; shift += 8) {
        if (sort_by_byte(keys, scratch, count, shift)) {
            uint64_t *sorted = scratch;
            scratch = keys;
            keys = sorted;
        }
    }
    return keys;
}

/* The keys in order, made by the first caller; several at once each make them, and one wins.
 * @return 0 or -ENOMEM. */
static int order(struct lfset_u64_snapshot *snapshot, const uint64_t **keys)
{
    // [sorted.publish] acquire: pairs with the CAS below; the array is filled.
    *keys = lfset__load_acq(&snapshot->sorted);
    if (*keys || snapshot->count == 0) {
        return 0;
    }
    const struct lfset_allocator *allocator = allocator_of(snapshot);
    size_t bytes = (size_t)snapshot->count * sizeof(uint64_t);
    uint64_t *mine = lfset__alloc_zeroed(allocator, bytes, sizeof(uint64_t));
    uint64_t *scratch = mine ? lfset__alloc_zeroed(allocator, bytes, sizeof(uint64_t)) : NULL;
    if (!scratch) {
        if (mine) {
            lfset__free(allocator, mine, bytes, sizeof(uint64_t));
        }
        return -ENOMEM;
    }
    collect(snapshot->slice, mine);
    uint64_t *sorted = sort(mine, scratch, (size_t)snapshot->count);
    lfset__free(allocator, sorted == mine ? scratch : mine, bytes, sizeof(uint64_t));
    uint64_t *none = NULL;
    if (lfset__cas_sc(&snapshot->sorted, &none, sorted)) { // [sorted.publish]
        *keys = sorted;
    } else {
        lfset__free(allocator, sorted, bytes, sizeof(uint64_t));
        *keys = none;
    }
    return 0;
}

int64_t lfset_u64_snapshot_count(const struct lfset_u64_snapshot *snapshot)
{
    return snapshot ? (int64_t)snapshot->count : -EINVAL;
}

int lfset_u64_snapshot_contains(const struct lfset_u64_snapshot *snapshot, uint64_t key)
{
    if (!snapshot) {
        return -EINVAL;
    }
    struct lfset__probe probe = lfset__probe_number(snapshot->slice, key);
    do {
        uint64_t word = lfset__load_rlx(probe.slot);
        if (lfset__probe_matches(&probe, word)) {
            return (int)(word & LFSET__LIVE);
        }
        if (lfset__is_empty_word(word)) {
            return 0;
        }
    } while (lfset__probe_next(&probe));
    return 0;
}

int lfset_u64_snapshot_each(struct lfset_u64_snapshot *snapshot,
                            int (*visit)(uint64_t key, void *ctx), void *ctx,
                            const struct lfset_cancel *cancel)
{
    const uint64_t *keys;
    if (!snapshot || !visit) {
        return -EINVAL;
    }
    int result = order(snapshot, &keys);
    for (uint64_t i = 0; i < snapshot->count && result == 0; i++) {
        result = i % 1024 == 0 ? lfset_cancel_check(cancel) : 0;
        if (result == 0) {
            result = visit(keys[i], ctx);
        }
    }
    return result;
}

int64_t lfset_u64_snapshot_copy(struct lfset_u64_snapshot *snapshot, uint64_t *keys, size_t max)
{
    const uint64_t *ordered;
    if (!snapshot || (!keys && max > 0)) {
        return -EINVAL;
    }
    int error = order(snapshot, &ordered);
    if (error) {
        return error;
    }
    size_t count = snapshot->count < max ? (size_t)snapshot->count : max;
    if (count > 0) {
        memcpy(keys, ordered, count * sizeof *keys);
    }
    return (int64_t)count;
}

void lfset_u64_snapshot_destroy(struct lfset_u64_snapshot *snapshot)
{
    if (!snapshot) {
        return;
    }
    struct lfset__slice *slice = snapshot->slice;
    const struct lfset_allocator allocator = *allocator_of(snapshot);
    lfset__retired_gone(snapshot->note, slice);
    if (snapshot->sorted) {
        lfset__free(&allocator, snapshot->sorted, (size_t)snapshot->count * sizeof(uint64_t),
                    sizeof(uint64_t));
    }
    lfset__free(&allocator, snapshot, sizeof *snapshot, sizeof(void *));
    lfset__slice_drop(slice);
}

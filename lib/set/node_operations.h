// SPDX-License-Identifier: MIT
/**
 * @file node_operations.h
 * What the sets of byte strings and of objects have in common on top of operations.h: operations on one
 * key and on many, and snapshots.
 */
#ifndef LFSET__NODE_OPERATIONS_H
#define LFSET__NODE_OPERATIONS_H

#include <stdlib.h>

#include "set/node_codec.h"
#include "set/operations.h"

/* ---- one key ------------------------------------------------------------------------------------ */

LFSET__INLINE int lfset__one_domain(const struct lfset__reclaim *domain, struct lfset__set *set,
                                    struct lfset__key *key, const enum lfset__op op)
{
    struct lfset__walk walk = {.domain = domain, .set = set};
    if (lfset__unlikely(!lfset__walk_enter(&walk))) {
        return -ENOMEM;
    }
    int result = lfset__one_in(&walk, key, op);
    lfset__walk_leave(&walk);
    lfset__key_done(set, key);
    return result;
}

static uint64_t lfset__key_fingerprint(const struct lfset__key *key)
{
    return key->hash;
}

static uint64_t lfset__key_bytes(const struct lfset__key *key)
{
    return lfset__key_weight(key);
}

static struct lfset__noted_key lfset__key_noted(const struct lfset__key *key)
{
    return (struct lfset__noted_key){.data = key->data, .length = key->length};
}

static int lfset__raw(struct lfset__set *set, struct lfset__key *key, enum lfset__op op)
{
    return lfset__domain(set) == LFSET_HP ? lfset__one_domain(&lfset__hp, set, key, op)
                                          : lfset__one_domain(&lfset__rcu, set, key, op);
}

/* Apart, so that those who are not observed keep their code together. */
static __attribute__((noinline)) int lfset__one_observed(struct lfset__set *set,
                                                         struct lfset__key *key, enum lfset__op op)
{
    return op == LFSET__ADD      ? lfset__observed(set, key, LFSET__ADD)
           : op == LFSET__REMOVE ? lfset__observed(set, key, LFSET__REMOVE)
                                 : lfset__observed(set, key, LFSET__CONTAINS);
}

LFSET__INLINE int lfset__one(struct lfset__set *set, struct lfset__key *key,
                             const enum lfset__op op)
{
    int result = lfset__is_observed(set)       ? lfset__one_observed(set, key, op)
                 : set->path == LFSET__PATH_HP ? lfset__one_domain(&lfset__hp, set, key, op)
                                               : lfset__one_domain(&lfset__rcu, set, key, op);
    lfset__tell(set, key->hash, op, result, lfset__probe_caller());
    return result;
}

static int lfset__ask(struct lfset__set *set, struct lfset__key *key)
{
    return lfset__raw(set, key, LFSET__CONTAINS);
}

static int lfset__ask_to_visit(struct lfset__set *set, struct lfset__key *key)
{
    return lfset__ask(set, key);
}

static uint64_t lfset__members(const struct lfset__slice *slice)
{
    return lfset__count_live(slice);
}

/* ---- many keys ---------------------------------------------------------------------------------- */

/* Starts loading the nodes that the keys' homes name, whose words are on their way since the keys were
 * hashed. */
LFSET__INLINE void lfset__prefetch_nodes(struct lfset__slice *slice, const struct lfset__key *keys,
                                         size_t size)
{
    for (size_t i = 0; i < size; i++) {
        struct lfset__probe probe = lfset__probe_key(slice, &keys[i]);
        lfset__prefetch(lfset__word_node(lfset__load_rlx(probe.slot)), false);
    }
}

LFSET__INLINE void lfset__prefetch_homes(struct lfset__slice *slice, const struct lfset__key *keys,
                                         size_t size, bool write)
{
    for (size_t i = 0; i < size; i++) {
        lfset__prefetch(lfset__probe_key(slice, &keys[i]).slot, write);
    }
}

/** Up to LFSET__BATCH keys in one guard; the tally gets their results from index `first` on. */
static inline void lfset__batch_raw(struct lfset__set *set, struct lfset__key *keys, size_t first,
                                    size_t size, struct lfset__tally *tally,
                                    const enum lfset__op op)
{
    struct lfset__walk walk;
    if (!lfset__enter(&walk, set)) {
        for (size_t i = 0; i < size; i++) {
            lfset__tally_add(tally, first + i, -ENOMEM);
        }
        return;
    }
    struct lfset__slice *slice = lfset__walk_root(&walk);
    lfset__prefetch_homes(slice, keys, size, op != LFSET__CONTAINS);
    lfset__prefetch_nodes(slice, keys, size);
    for (size_t i = 0; i < size; i++) {
        int result = lfset__one_in(&walk, &keys[i], op);
        lfset__tell(set, keys[i].hash, op, result, tally->caller);
        lfset__tally_add(tally, first + i, result);
    }
    lfset__walk_leave(&walk);
    for (size_t i = 0; i < size; i++) {
        lfset__key_done(set, &keys[i]);
    }
}

static inline void lfset__batch(struct lfset__set *set, struct lfset__key *keys, size_t first,
                                size_t size, struct lfset__tally *tally, const enum lfset__op op)
{
    int8_t seen[LFSET__BATCH];
    struct lfset__tally mine = {.results = seen, .caller = tally->caller};
    if (!lfset__is_observed(set)) {
        lfset__batch_raw(set, keys, first, size, tally, op);
    } else if (op == LFSET__ADD && set->about->special) {
        for (size_t i = 0; i < size; i++) {
            int result = lfset__add_specially(set, &keys[i]);
            lfset__tell(set, keys[i].hash, op, result, tally->caller);
            lfset__tally_add(tally, first + i, result);
        }
    } else {
        lfset__batch_raw(set, keys, 0, size, &mine, op);
        for (size_t i = 0; i < size; i++) {
            lfset__tally_add(tally, first + i, seen[i]);
            lfset__observe(set->about, op, seen[i], lfset__key_fingerprint(&keys[i]),
                           lfset__key_bytes(&keys[i]));
        }
    }
}

/** After a pop. */
static inline void lfset__observe_popped(struct lfset__set *set, const struct lfset__node *node)
{
    if (lfset__is_observed(set)) {
        lfset__observe(set->about, LFSET__REMOVE, 1, node->hash, 0);
    }
}

/* ---- for the registry ---------------------------------------------------------------------------- */

static inline int lfset__about_refresh(struct lfset__about *about)
{
    struct lfset__set *set = (struct lfset__set *)about->set;
    struct lfset_stats stats = {.size = sizeof stats};
    int error = lfset__stats(set, &stats);
    if (!error) {
        lfset__refresh(set, &stats, stats.live);
    }
    return error;
}

static inline int64_t lfset__about_clear(struct lfset__about *about)
{
    return lfset__freeze_and_count((struct lfset__set *)about->set, LFSET__CLEAR, NULL);
}

static inline int64_t lfset__about_probe_lengths(struct lfset__about *about, uint64_t *histogram,
                                                 size_t length)
{
    return lfset__probe_lengths((struct lfset__set *)about->set, histogram, length);
}

static const struct lfset__about_ops lfset__about_ops = {
    .refresh = lfset__about_refresh,
    .clear = lfset__about_clear,
    .probe_lengths = lfset__about_probe_lengths,
};

/* ---- snapshots ---------------------------------------------------------------------------------- */

/** A node with the beginning of its key, so that most comparisons need not look at it. */
struct lfset__entry {
    uint64_t prefix;
    const struct lfset__node *node;
};

struct lfset__node_snapshot {
    struct lfset__slice *slice; /**< frozen; holds its nodes and the set, too */
    uint64_t count;
    _Atomic(struct lfset__entry *) sorted; /**< `count` entries in order, once somebody asked */
    unsigned note;                         /**< its entry in the registry */
};

/** The kind's order; `set` has its callbacks. */
static int lfset__compare_entries(const void *a, const void *b, void *set);
static uint64_t lfset__node_prefix(const struct lfset__node *node);

/** Takes a snapshot, or drains. @return 0 with *made, or a negative errno. */
static inline int lfset__snapshot_take(struct lfset__set *set, enum lfset__kind kind,
                                       struct lfset__node_snapshot **made,
                                       const struct lfset_cancel *cancel)
{
    // Before the set is touched: a drain that cannot hand back what it took would lose it.
    struct lfset__node_snapshot *snapshot =
        lfset__alloc_zeroed(&set->allocator, sizeof *snapshot, sizeof(void *));
    *made = NULL;
    if (!snapshot) {
        return -ENOMEM;
    }
    int error = lfset__freeze_set(set, kind, &snapshot->slice, cancel);
    if (error) {
        lfset__free(&set->allocator, snapshot, sizeof *snapshot, sizeof(void *));
        return error;
    }
    snapshot->note = lfset__note_snapshot(set, snapshot->slice);
    snapshot->count = lfset__count_live(snapshot->slice);
    if (kind == LFSET__CLEAR) {
        lfset__trace_clear(set, snapshot->count);
        lfset__observe_clear(set->about, snapshot->count);
    }
    *made = snapshot;
    return 0;
}

static inline void lfset__snapshot_destroy(struct lfset__node_snapshot *snapshot)
{
    struct lfset__slice *slice = snapshot->slice;
    const struct lfset_allocator allocator = slice->set->allocator;
    lfset__retired_gone(snapshot->note, slice);
    if (snapshot->sorted) {
        lfset__free(&allocator, snapshot->sorted,
                    (size_t)snapshot->count * sizeof(struct lfset__entry), sizeof(uint64_t));
    }
    lfset__free(&allocator, snapshot, sizeof *snapshot, sizeof(void *));
    lfset__slice_drop(slice);
}

static inline bool lfset__snapshot_has(const struct lfset__node_snapshot *snapshot,
                                       const struct lfset__key *key)
{
    struct lfset__probe probe = lfset__probe_key(snapshot->slice, key);
    uint64_t word;
    return lfset__find_first(&probe, &word) == LFSET__FOUND_BOUND && (word & LFSET__LIVE);
}

static inline void lfset__collect(const struct lfset__slice *slice, struct lfset__entry *entries)
{
    size_t words = lfset__slice_words(slice), count = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_acq(&slice->words[i]);
        if (word & LFSET__LIVE) {
            const struct lfset__node *node = lfset__word_node(word);
            entries[count++] = (struct lfset__entry){lfset__node_prefix(node), node};
        }
    }
}

/** The nodes in order, sorted by the first caller; several at once each do it, and one wins.
 *  @return 0 or -ENOMEM. */
static inline int lfset__snapshot_order(struct lfset__node_snapshot *snapshot,
                                        const struct lfset__entry **entries)
{
    // [sorted.publish] acquire: pairs with the CAS below; the array is filled.
    *entries = lfset__load_acq(&snapshot->sorted);
    if (*entries || snapshot->count == 0) {
        return 0;
    }
    const struct lfset_allocator *allocator = &snapshot->slice->set->allocator;
    size_t count = (size_t)snapshot->count, bytes = count * sizeof(struct lfset__entry);
    struct lfset__entry *mine = lfset__alloc_zeroed(allocator, bytes, sizeof(uint64_t)),
                        *none = NULL;
    if (!mine) {
        return -ENOMEM;
    }
    lfset__collect(snapshot->slice, mine);
    qsort_r(mine, count, sizeof *mine, lfset__compare_entries, snapshot->slice->set);
    if (lfset__cas_sc(&snapshot->sorted, &none, mine)) { // [sorted.publish]
        *entries = mine;
    } else {
        lfset__free(allocator, mine, bytes, sizeof(uint64_t));
        *entries = none;
    }
    return 0;
}

#endif

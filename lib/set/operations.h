// SPDX-License-Identifier: MIT
/**
 * @file operations.h
 * What the public functions of every kind of set have in common, beneath their argument checks: entering
 * and leaving around walk.h, whole-set operations, iteration, waiting, statistics. Included once by each
 * kind's .c file, after its codec.
 *
 * The file that includes this defines
 *   lfset__ask(set, key)     contains, by its fastest way
 *   lfset__ask_to_visit(set, key)
 *                            whether the visitor wants it: that it is in the set, unless it looks itself
 *   lfset__members(slice)    how many keys a frozen slice holds
 *   lfset__raw(set, key, op) the operation, by its fastest way, unobserved
 *   lfset__key_fingerprint(key), lfset__key_bytes(key), lfset__key_noted(key)
 *                            what observed.h wants to know of a key
 */
#ifndef LFSET__OPERATIONS_H
#define LFSET__OPERATIONS_H

#include <string.h>

#include "platform/memory.h"
#include "reclaim/hp.h"
#include "reclaim/rcu.h"
#include "set/observed.h"
#include "set/walk.h"

static int lfset__ask(struct lfset__set *set, struct lfset__key *key);
static int lfset__ask_to_visit(struct lfset__set *set, struct lfset__key *key);

/* For operations in which an indirect call does not matter. */
static inline bool lfset__enter(struct lfset__walk *walk, struct lfset__set *set)
{
    walk->domain = lfset__domain(set) == LFSET_HP ? &lfset__hp : &lfset__rcu;
    walk->set = set;
    walk->cancel = NULL;
    return lfset__walk_enter(walk);
}

/* Without a succession the root decides; else the walk does it from the start. */
LFSET__INLINE int lfset__one_in(struct lfset__walk *walk, struct lfset__key *key,
                                const enum lfset__op op)
{
    struct lfset__slice *slice = lfset__walk_root(walk);
    int result = LFSET__WALK;
    if (op == LFSET__CONTAINS || lfset__likely(lfset__load_rlx(&slice->next) == NULL)) {
        struct lfset__carried carried = LFSET__CARRIED_NONE;
        struct lfset__probe probe = lfset__probe_key(slice, key);
        uint64_t word;
        enum lfset__found found = lfset__find_first(&probe, &word);
        result = lfset__decide(walk, slice, key, op, &carried, &probe, &found, &word);
    }
    return lfset__likely(result != LFSET__WALK) ? result : lfset__walk_chain(walk, key, op);
}

/** Fires the probe of an operation that has ended. @param key the key, or its hash. */
LFSET__INLINE void lfset__tell(const struct lfset__set *set, uint64_t key, const enum lfset__op op,
                               int result, const void *caller)
{
    if (op == LFSET__ADD) {
        lfset__probe(key__add, set, key, result, caller);
    } else if (op == LFSET__REMOVE) {
        lfset__probe(key__remove, set, key, result, caller);
    }
}

/* ---- many keys ---------------------------------------------------------------------------------- */

/** Keys whose cache misses overlap. */
enum { LFSET__BATCH = 16 };

/** What a *_many call has found so far. */
struct lfset__tally {
    int8_t *results;
    const void *caller; /**< who called the public function; for probes */
    int64_t changed;
    int error; /**< the first */
};

LFSET__INLINE void lfset__tally_add(struct lfset__tally *tally, size_t index, int result)
{
    if (tally->results) {
        tally->results[index] = (int8_t)result;
    }
    if (lfset__likely(result >= 0)) {
        tally->changed += result;
    } else if (!tally->error) {
        tally->error = result;
    }
}

LFSET__INLINE int64_t lfset__tally_end(const struct lfset__tally *tally)
{
    return tally->error ? tally->error : tally->changed;
}

/* ---- observed ------------------------------------------------------------------------------------ */

static int lfset__raw(struct lfset__set *set, struct lfset__key *key, enum lfset__op op);
static uint64_t lfset__key_fingerprint(const struct lfset__key *key);
static uint64_t lfset__key_bytes(const struct lfset__key *key);
static struct lfset__noted_key lfset__key_noted(const struct lfset__key *key);

/* An add that the guard may refuse, or that expiry wants to know of. */
static __attribute__((noinline)) int lfset__add_specially(struct lfset__set *set,
                                                          struct lfset__key *key)
{
    struct lfset__about *about = set->about;
    struct lfset__noted_key noted = lfset__key_noted(key); // the key may be used up
    uint64_t fingerprint = lfset__key_fingerprint(key), bytes = lfset__key_bytes(key);
    bool admitted = !about->may_refuse || lfset__admit(about, 1);
    int result = lfset__raw(set, key, admitted ? LFSET__ADD : LFSET__CONTAINS);
    if (admitted && about->may_refuse && result != 1) {
        lfset__members_gone(about, 1);
    }
    if (!admitted) {
        if (result == 0) {
            lfset__lane_refused(about);
            return -ENOSPC;
        }
        result = result == 1 ? 0 : result; // it is there already
    }
    if (result >= 0 && about->touch) {
        about->touch(about, &noted);
    }
    lfset__observe(about, LFSET__ADD, result, fingerprint, bytes);
    return result;
}

LFSET__INLINE int lfset__observed(struct lfset__set *set, struct lfset__key *key,
                                  const enum lfset__op op)
{
    struct lfset__about *about = set->about;
    if (op == LFSET__ADD && about->special) {
        return lfset__add_specially(set, key);
    }
    uint64_t fingerprint = lfset__key_fingerprint(key), bytes = lfset__key_bytes(key);
    int result = lfset__raw(set, key, op);
    lfset__observe(about, op, result, fingerprint, bytes);
    return result;
}

/* ---- the whole set ------------------------------------------------------------------------------ */

static inline int lfset__reserve(struct lfset__set *set, uint64_t capacity,
                                 const struct lfset_cancel *cancel)
{
    struct lfset__walk walk;
    int error = lfset_cancel_check(cancel);
    if (error) {
        return error;
    }
    unsigned log2 = lfset__log2_for_capacity(capacity);
    if (log2 == 0 || !lfset__enter(&walk, set)) {
        return -ENOMEM;
    }
    walk.cancel = cancel;
    // The floor first: otherwise a removing thread could shrink in between what was just made.
    uint32_t former = lfset__swap_sc(&set->floor_log2, (uint8_t)log2);
    int result = lfset__reserve_in(&walk, log2);
    lfset__walk_leave(&walk);
    if (result != 0) {
        lfset__store_rlx(&set->floor_log2, (uint8_t)former);
    }
    return result;
}

static inline int lfset__purge(struct lfset__set *set)
{
    struct lfset__walk walk;
    if (!lfset__enter(&walk, set)) {
        return -ENOMEM;
    }
    int result = lfset__purge_in(&walk);
    lfset__walk_leave(&walk);
    return result;
}

static inline int lfset__is_empty(struct lfset__set *set)
{
    struct lfset__walk walk;
    if (!lfset__enter(&walk, set)) {
        return -ENOMEM;
    }
    int result = lfset__is_empty_in(&walk);
    lfset__walk_leave(&walk);
    return result;
}

/** Freezes the set's slice at one instant. @return 0 with a slice to drop, or a negative errno. */
static int lfset__freeze_set(struct lfset__set *set, enum lfset__kind kind,
                             struct lfset__slice **frozen, const struct lfset_cancel *cancel)
{
    struct lfset__walk walk;
    int error = lfset_cancel_check(cancel);
    if (error) {
        return error;
    }
    if (!lfset__enter(&walk, set)) {
        return -ENOMEM;
    }
    walk.cancel = cancel;
    error = lfset__gate(&walk, kind, frozen);
    lfset__walk_leave(&walk);
    return error;
}

static inline int64_t lfset__freeze_and_count(struct lfset__set *set, enum lfset__kind kind,
                                              const struct lfset_cancel *cancel)
{
    struct lfset__slice *frozen;
    int error = lfset__freeze_set(set, kind, &frozen, cancel);
    if (error) {
        return error;
    }
    int64_t members = (int64_t)lfset__members(frozen);
    lfset__slice_drop(frozen);
    if (kind == LFSET__CLEAR) {
        lfset__trace_clear(set, (uint64_t)members);
        lfset__observe_clear(set->about, (uint64_t)members);
    }
    return members;
}

/* ---- iteration ---------------------------------------------------------------------------------- */

/** What lfset__each calls for a key. 0: go on. */
struct lfset__visitor {
    int (*visit)(const struct lfset__visitor *visitor, const struct lfset__slice *slice,
                 size_t index, uint64_t word);
};

static inline bool lfset__is_bound_in(struct lfset__slice *slice, const struct lfset__key *key)
{
    struct lfset__probe probe = lfset__probe_key(slice, key);
    uint64_t word;
    return lfset__find_first(&probe, &word) == LFSET__FOUND_BOUND;
}

/* Visits the keys bound in held[which], except those that an earlier slice binds: they had their
 * turn. Whether a key is in the set *now* is asked of the set. */
static inline int lfset__visit_slice(struct lfset__set *set, struct lfset__slice *const *held,
                                     int which, const struct lfset__visitor *visitor,
                                     const struct lfset_cancel *cancel)
{
    struct lfset__slice *slice = held[which];
    size_t words = lfset__slice_words(slice);
    for (size_t i = 0; i < words; i++) {
        int result = i % 1024 == 0 ? lfset_cancel_check(cancel) : 0;
        uint64_t word = lfset__load_sc(&slice->words[i]);
        if (result == 0 && (word & LFSET__BOUND)) {
            struct lfset__key key = lfset__word_as_key(set, slice, i, word);
            bool had_its_turn = false;
            for (int earlier = 0; earlier < which; earlier++) {
                had_its_turn = had_its_turn || lfset__is_bound_in(held[earlier], &key);
            }
            if (!had_its_turn) {
                lfset__visit_asks(&key);
                result = lfset__ask_to_visit(set, &key);
                if (result == 1) {
                    result = visitor->visit(visitor, slice, i, lfset__visit_word(&key, word));
                    lfset__visit_done(set, &key);
                }
            }
        }
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

static inline int lfset__each(struct lfset__set *set, const struct lfset__visitor *visitor,
                              const struct lfset_cancel *cancel)
{
    struct lfset__slice *held[LFSET__EACH_SLICES];
    struct lfset__walk walk;
    if (!lfset__enter(&walk, set)) {
        return -ENOMEM;
    }
    int count = lfset__hold_chain(&walk, held);
    lfset__walk_leave(&walk);
    unsigned note = set->about && count > 0
                        ? lfset__retired_note(set->about, LFSET_HELD_BY_ITERATION, held[0],
                                              lfset__slice_bytes(held[0]))
                        : 0;
    int result = count < 0 ? count : 0;
    for (int i = 0; i < count && result == 0; i++) {
        result = lfset__visit_slice(set, held, i, visitor, cancel);
    }
    for (int i = 0; i < count; i++) {
        lfset__slice_drop(held[i]);
    }
    lfset__retired_gone(note, note ? held[0] : NULL);
    return result;
}

/* ---- waiting ------------------------------------------------------------------------------------ */

struct lfset__wait_for {
    struct lfset__set *set;
    struct lfset__key *key;
    int present;
};

/* A section, or the program's own read-side critical section, would hold back memory all the while. */
static inline bool lfset__must_not_sleep(void)
{
    return (lfset__self && lfset__self->sections > 0) || lfset__rcu_is_reading();
}

static inline int lfset__is_as_waited(void *ctx)
{
    const struct lfset__wait_for *wait = (const struct lfset__wait_for *)ctx;
    int result = lfset__ask(wait->set, wait->key);
    return result < 0 ? result : result == wait->present;
}

/** @return 0, -ECANCELED, -ETIMEDOUT, -EDEADLK, -ENOMEM. */
static inline int lfset__wait_for_key(struct lfset__set *set, struct lfset__key *key, int present,
                                      const struct lfset_cancel *cancel)
{
    if (lfset__must_not_sleep()) {
        return -EDEADLK;
    }
    struct lfset__wait_for wait = {set, key, present};
    uint64_t tag = lfset__tag(set, lfset__key_mixed(key));
    lfset__probe(wait__start, set, tag, present);
    int result = lfset__wait(&set->waiting, tag, lfset__is_as_waited, &wait, cancel);
    lfset__probe(wait__done, set, tag, result);
    return result;
}

/** The first key that is found, pinned. */
struct lfset__witness {
    struct lfset__visitor visitor;
    struct lfset__set *set;
    struct lfset__key *key;
};

/** Makes `key` one that the word shows, for a sleeper, and pins it. @return 1; 0: it shows none; -ENOMEM. */
static inline int lfset__witness_in(struct lfset__set *set, const struct lfset__slice *slice,
                                    size_t index, uint64_t word, struct lfset__key *key);

#ifndef LFSET__REGIONS
static inline int lfset__witness_in(struct lfset__set *set, const struct lfset__slice *slice,
                                    size_t index, uint64_t word, struct lfset__key *key)
{
    *key = lfset__word_as_key(set, slice, index, word);
    lfset__key_pin(key, word);
    return 1;
}
#endif

static inline int lfset__find_witness(const struct lfset__visitor *visitor,
                                      const struct lfset__slice *slice, size_t index, uint64_t word)
{
    const struct lfset__witness *witness = (const struct lfset__witness *)(const void *)visitor;
    return lfset__witness_in(witness->set, slice, index, word, witness->key);
}

/** While any key is there, it is a witness: sleep until it is removed, then look for another. None found,
 * is_empty decides. @return 0, -ECANCELED, -ETIMEDOUT, -EDEADLK, -ENOMEM. */
static inline int lfset__wait_for_empty(struct lfset__set *set, const struct lfset_cancel *cancel)
{
    if (lfset__must_not_sleep()) {
        return -EDEADLK;
    }
    for (;;) {
        struct lfset__key key;
        struct lfset__witness witness = {{lfset__find_witness}, set, &key};
        int result = lfset__each(set, &witness.visitor, NULL); // what holds goes before the token
        if (result == 1) {
            result = lfset__wait_for_key(set, &key, 0, cancel);
            lfset__key_unpin(set, &key);
        } else if (result == 0) {
            result = lfset__is_empty(set);
            if (result != 0) {
                return result == 1 ? 0 : result;
            }
        }
        if (result != 0) {
            return result;
        }
    }
}

/* ---- what it is made of ------------------------------------------------------------------------- */

static inline int lfset__stats(struct lfset__set *set, struct lfset_stats *stats)
{
    struct lfset__walk walk;
    if (stats->size != sizeof *stats) {
        return -EINVAL;
    }
    if (!lfset__enter(&walk, set)) {
        return -ENOMEM;
    }
    struct lfset__slice *root, *next;
    do {
        root = lfset__walk_root(&walk);
    } while (!lfset__protect_next(&walk, root, &next));
    uint64_t live;
    *stats = (struct lfset_stats){
        .size = sizeof *stats,
        .domain = lfset__domain(set),
        .capacity = UINT64_C(1) << root->log2,
        .bytes = (uint64_t)set->lines * LFSET__LINE + lfset__slice_bytes(root) +
                 (next ? lfset__slice_bytes(next) : 0),
        .slices = next ? 2 : 1,
        .grows = lfset__load_rlx(&set->grows),
        .purges = lfset__load_rlx(&set->purges),
        .shrinks = lfset__load_rlx(&set->shrinks),
        .rehashes = lfset__load_rlx(&set->rehashes),
        .snapshots = lfset__load_rlx(&set->snapshots),
        .clears = lfset__load_rlx(&set->clears),
        .retired = (uint64_t)lfset__load_rlx(&set->retired),
        .name = set->about ? set->about->name : "",
    };
    if (root->nodes) {
        int64_t live_bytes = lfset__load_rlx(&root->nodes->live_bytes);
        int64_t dead_bytes = lfset__load_rlx(&root->nodes->dead_bytes);
        if (root->log2 < LFSET__LOG2_COUNTED) {
            lfset__weigh(root, &live_bytes, &dead_bytes); // where too few words are sampled
        }
        stats->key_bytes = live_bytes > 0 ? (uint64_t)live_bytes : 0;
        stats->dead_bytes = dead_bytes > 0 ? (uint64_t)dead_bytes : 0;
    }
    lfset__estimate(root, &stats->bound, &live);
    stats->live = lfset__estimate_live(root, next);
    lfset__walk_leave(&walk);
    return 0;
}

/** Writes stats into the set's record. @param live keys. */
static inline void lfset__refresh(struct lfset__set *set, const struct lfset_stats *stats,
                                  uint64_t live)
{
    struct lfset__record *record = set->about->record;
    lfset__note_word(&record->capacity, stats->capacity);
    lfset__note_word(&record->live, live);
    lfset__note_word(&record->bound, stats->bound);
    lfset__note_word(&record->slice_bytes, stats->bytes);
    lfset__note_word(&record->key_bytes, stats->key_bytes);
    lfset__note_word(&record->dead_bytes, stats->dead_bytes);
    lfset__note_successions(set);
    uint64_t chunks = 0, done = 0;
    struct lfset__walk walk;
    if (stats->slices > 1 && lfset__enter(&walk, set)) {
        struct lfset__slice *root = lfset__walk_root(&walk), *next;
        if (lfset__protect_next(&walk, root, &next) && next) {
            done = lfset__load_rlx(next->kind == LFSET__CLEAR ? &next->freezing.done
                                                              : &next->copying.done);
            chunks = next->chunks;
        }
        lfset__walk_leave(&walk);
    }
    lfset__note_word(&record->migration_done, done);
    lfset__note_word(&record->migration_chunks, chunks);
}

static inline int64_t lfset__size_estimate(struct lfset__set *set)
{
    struct lfset_stats stats = {.size = sizeof stats};
    int error = lfset__stats(set, &stats);
    return error ? error : (int64_t)stats.live;
}

static inline int64_t lfset__probe_lengths(struct lfset__set *set, uint64_t *histogram,
                                           size_t length)
{
    struct lfset__walk walk;
    if (!histogram || length == 0) {
        return -EINVAL;
    }
    if (!lfset__enter(&walk, set)) {
        return -ENOMEM;
    }
    memset(histogram, 0, length * sizeof *histogram);
    struct lfset__slice *root = lfset__walk_root(&walk);
    size_t words = lfset__slice_words(root);
    int64_t bound = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_acq(&root->words[i]);
        if (word & LFSET__BOUND) {
            uint64_t distance = lfset__word_displacement(root, i, word);
            histogram[distance < length ? distance : length - 1]++;
            bound++;
        }
    }
    lfset__walk_leave(&walk);
    return bound;
}

/* @return NULL, or what is wrong with the slice. */
static inline const char *lfset__slice_fault(struct lfset__set *set, struct lfset__slice *slice)
{
    size_t words = lfset__slice_words(slice);
    uint64_t bound = 0, live = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_acq(&slice->words[i]);
        if (!(word & LFSET__BOUND)) {
            if (!lfset__is_empty_word(word)) {
                return "a word that is not bound is not empty";
            }
            continue;
        }
        uint64_t distance = lfset__word_displacement(slice, i, word);
        if (distance >= slice->reach || distance > i || i - distance >= (size_t)1 << slice->log2) {
            return "a key is bound outside its reach";
        }
        struct lfset__key key = lfset__word_as_key(set, slice, i, word);
        struct lfset__probe probe = lfset__probe_key(slice, &key);
        uint64_t found;
        if (lfset__find(&probe, &found) != LFSET__FOUND_BOUND || probe.slot != &slice->words[i]) {
            return "a key is bound twice, or behind an empty word";
        }
        if (lfset__is_sampled(slice, &slice->words[i])) {
            bound++;
            live += word & LFSET__LIVE;
        }
    }
    if (lfset__load_rlx(&slice->counts) != (bound << 32 | live)) {
        return "the sampled counts are wrong";
    }
    return NULL;
}

static inline int lfset__validate(struct lfset__set *set, const char **reason)
{
    const char *fault = NULL;
    struct lfset__slice *slice = lfset__load_acq(&set->root);
    for (; slice && !fault; slice = lfset__next(slice)) {
        fault = lfset__slice_fault(set, slice);
    }
    if (fault && reason) {
        *reason = fault;
    }
    return fault == NULL;
}

#endif

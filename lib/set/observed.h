// SPDX-License-Identifier: MIT
/**
 * @file observed.h
 * What operations do for a set that somebody wants to see (record/registry.h): count in the thread's lane,
 * note sampled keys, keep to the guard's limits. Inlined around the operations as they are; sets that are
 * not observed do not come here.
 *
 * [guard.members] An exact limit. `members` is at least the number of keys: an add counts itself before it
 * touches the set, and takes that back when it changed nothing; a removal counts down afterwards. All are
 * seq_cst. So at any moment keys <= members <= max_keys. An add is refused when the limit was reached by
 * keys and by adds that were under way, some of which may then have changed nothing: a refusal is right
 * up to the adds that overlap it.
 */
#ifndef LFSET__OBSERVED_H
#define LFSET__OBSERVED_H

#include "reclaim/reclaim.h"
#include "record/registry.h"
#include "record/samples.h"
#include "set/slice.h"

/** What a thread adds to its own counters: no other thread writes them. */
LFSET__INLINE void lfset__lane_add(_Atomic(uint64_t) *counter, uint64_t count, bool shared)
{
    if (lfset__unlikely(shared)) {
        atomic_fetch_add_explicit(counter, count, memory_order_relaxed);
    } else {
        uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
        atomic_store_explicit(counter, before + count, memory_order_relaxed);
    }
}

/** Counts of one enum lfset__op (contains, add, remove) in a lane. */
LFSET__INLINE void lfset__lane_count_in(struct lfset__lane *lane, const unsigned op,
                                        uint64_t changed, uint64_t calls, bool shared)
{
    lfset__lane_add(op == 1   ? &lane->adds
                    : op == 2 ? &lane->removes
                              : &lane->hits,
                    changed, shared);
    lfset__lane_add(op == 1   ? &lane->add_calls
                    : op == 2 ? &lane->remove_calls
                              : &lane->contains_calls,
                    calls, shared);
}

/** The calling thread's lane; *shared: others write it, too. */
LFSET__INLINE struct lfset__lane *lfset__lane_of(const struct lfset__about *about, bool *shared)
{
    const struct lfset__thread *self = lfset__self;
    unsigned lane = lfset__likely(self != NULL) ? self->lane : LFSET__COUNTER_LANES;
    *shared = lane == LFSET__COUNTER_LANES;
    return &about->lanes[lane];
}

LFSET__INLINE void lfset__lane_count(const struct lfset__about *about, const unsigned op,
                                     uint64_t changed, uint64_t calls)
{
    bool shared;
    struct lfset__lane *lane = lfset__lane_of(about, &shared);
    lfset__lane_count_in(lane, op, changed, calls, shared);
}

static inline void lfset__lane_refused(const struct lfset__about *about)
{
    bool shared;
    struct lfset__lane *lane = lfset__lane_of(about, &shared);
    lfset__lane_add(&lane->refused, 1, shared);
}

/** The guard's count of keys, after removals. */
LFSET__INLINE void lfset__members_gone(struct lfset__about *about, int64_t count)
{
    if (lfset__unlikely(about->refuses_keys) && count > 0) {
        lfset__sub_sc(&about->members, count); // [guard.members]
    }
}

/** Whether `count` more keys may be added. If so, what did not change the set is given back by the
 * caller. */
static inline bool lfset__admit(struct lfset__about *about, int64_t count)
{
    if (lfset__load_rlx(&about->record->refusing) != LFSET__REFUSING_NOTHING) {
        return false;
    }
    if (!about->refuses_keys) {
        return true;
    }
    int64_t before = lfset__add_sc(&about->members, count); // [guard.members]
    if (before + count <= (int64_t)about->observe.max_keys) {
        return true;
    }
    lfset__sub_sc(&about->members, count);
    return false;
}

/** After an operation on one key that was not refused. */
LFSET__INLINE void lfset__observe(struct lfset__about *about, const unsigned op, int result,
                                  uint64_t fingerprint, uint64_t bytes)
{
    if (lfset__unlikely(result < 0)) {
        return;
    }
    if (about->counted) {
        lfset__lane_count(about, op, (uint64_t)result, 1);
    }
    if (op != 0 && result == 1) {
        if (op == 2) {
            lfset__members_gone(about, 1);
        }
        if (lfset__unlikely(lfset__is_noted(about, fingerprint))) {
            if (op == 1) {
                lfset__sample_added(about, fingerprint, bytes);
            } else {
                lfset__sample_removed(about, fingerprint);
            }
        }
    }
}

/** After a change of many keys that have no names here. */
static inline void lfset__observe_many(struct lfset__about *about, const unsigned op,
                                       uint64_t changed)
{
    if (about->counted && changed > 0) {
        lfset__lane_count(about, op, changed, changed);
    }
    if (op == 2 && changed > 0) {
        lfset__members_gone(about, (int64_t)changed);
        lfset__samples_cleared(about); // which looks what is still there
    }
}

/** After a clear or drain that took so many keys. */
static inline void lfset__observe_clear(struct lfset__about *about, uint64_t members)
{
    if (about) {
        atomic_fetch_add_explicit(&about->record->cleared, members, memory_order_relaxed);
        lfset__members_gone(about, (int64_t)members);
        lfset__samples_cleared(about);
    }
}

#endif

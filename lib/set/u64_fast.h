// SPDX-License-Identifier: MIT
/**
 * @file u64_fast.h
 * The common cases of the u64 set, apart from the walk, which they agree with.
 */
#ifndef LFSET__U64_FAST_H
#define LFSET__U64_FAST_H

#include "set/u64_codec.h"
#include "set/walk.h"

/* Without a succession, each operation is a handful of instructions. They take the domain and the
 * guard apart from a walk, so that both dissolve into registers, and answer what is left to do
 * instead of calling it, so that the caller can do that last. */
/** Whether the next four slots decide. The slice must be protected; whether it is still root does not
 * matter: an unfrozen word decides wherever it is. @param result becomes 1, 0, LFSET__WALK. */
LFSET__INLINE bool lfset__contains_decides(const struct lfset__probe *probe, int *result)
{
    struct lfset__lanes lanes = lfset__probe_look(probe); // [word.decide]
    *result = LFSET__WALK;
    if (lfset__unlikely(lanes.bit2)) {
        return true; // FROZEN, there or nearby
    }
    if (lfset__likely(lanes.equal)) {
        // hit, removed and absent share the branch; an EMPTY word has no LIVE bit
        *result = (lanes.bit0 & lanes.equal & -lanes.equal) != 0;
        return true;
    }
    return false;
}

/** From where the probe stands. */
LFSET__INLINE int lfset__contains_at(struct lfset__probe probe)
{
    int result;
    do {
        if (lfset__contains_decides(&probe, &result)) {
            return result;
        }
    } while (lfset__probe_skip(&probe, LFSET__LANES));
    return LFSET__WALK;
}

LFSET__INLINE int lfset__contains_fast(const struct lfset__reclaim *domain, struct lfset__set *set,
                                       struct lfset__guard *guard, uint64_t key)
{
    return lfset__contains_at(lfset__probe_number(domain->root(guard, &set->root), key));
}

/** A change of a word, for counting it later. */
struct lfset__changed_word {
    struct lfset__slice *slice;
    struct lfset__probe probe;
    enum lfset__change change;
};

LFSET__INLINE int lfset__update_fast(const struct lfset__reclaim *domain, struct lfset__set *set,
                                     struct lfset__guard *guard, uint64_t key,
                                     const enum lfset__op op, struct lfset__changed_word *changed)
{
    struct lfset__slice *slice = domain->root(guard, &set->root);
    if (lfset__unlikely(lfset__load_rlx(&slice->next) != NULL)) {
        return LFSET__WALK; // helps first
    }
    struct lfset__probe probe = lfset__probe_number(slice, key);
    // Most lines that an update reads it will write: one trip to the line's owner instead of two.
    lfset__prefetch(probe.slot, true);
    if (lfset__unlikely(!lfset__probe_seek(&probe))) {
        return LFSET__WALK;
    }
    do {
        uint64_t word = lfset__load_sc(probe.slot); // [word.decide]
        for (;;) {
            if (word == 0) {
                if (op == LFSET__REMOVE) {
                    return 0;
                }
                if (lfset__likely(lfset__cas_sc(probe.slot, &word, probe.want))) {
                    *changed = (struct lfset__changed_word){slice, probe, LFSET__BIND_LIVE};
                    return lfset__is_sampled(slice, probe.slot) || lfset__is_far(slice, &probe)
                               ? LFSET__COUNT
                               : 1;
                }
            } else if ((word | LFSET__LIVE) == probe.want) {
                if ((word == probe.want) == (op == LFSET__ADD)) {
                    return 0;
                }
                if (lfset__likely(lfset__cas_sc(probe.slot, &word, word ^ LFSET__LIVE))) {
                    *changed = (struct lfset__changed_word){
                        slice, probe, op == LFSET__ADD ? LFSET__REVIVE : LFSET__KILL};
                    return lfset__is_sampled(slice, probe.slot) ? LFSET__COUNT : 1;
                }
            } else {
                break;
            }
        }
        if (lfset__unlikely(word & LFSET__FROZEN)) {
            break;
        }
    } while (lfset__probe_next(&probe));
    return LFSET__WALK;
}

#endif

// SPDX-License-Identifier: MIT
/**
 * @file walk.h
 * What operations do: the walk along the chain of slices, helping, and the whole-set operations.
 * Written once, for every kind of key and both reclamation domains. Read slice.h first.
 *
 * Whoever includes this includes exactly one codec before: u64_codec.h, node_codec.h, bitmap_codec.h. A
 * codec says how a key and the state bits share a word:
 *   struct lfset__key             a key in the form that the set computes with
 *   struct lfset__probe           slot, end, ...: where a probe for one key in one slice is
 *   lfset__probe_key, _find_first, _probe_next, _probe_matches
 *                                 from the key's home to the first slot that is bound to it or EMPTY
 *   lfset__carry, lfset__carried  what an operation takes along from a frozen word
 *   lfset__desire, _settle_word   the word an update wants to store; what follows when it is stored
 *   lfset__seen                   an operation was decided by this word, which shows the key
 *   lfset__key_pin, _unpin        keeps alive what a key points to
 *   lfset__key_chunks             how many chunks of a succession an update of this key helps with
 *   lfset__is_crowded             many keys of the probe's hash are in its reach
 *   lfset__visit_asks, _word, _done
 *                                 an iteration asks for a key and shows what is there now
 *   lfset__source...              a LIVE word on its way from root's slice into a successor
 *   lfset__word_as_key, lfset__key_mixed
 *                                 the key of a bound word; a key's bits, spread, for sleepers
 *   lfset__pop...                 what pop hands out
 *   lfset__has_dead, lfset__weigh what a succession would free; what a small slice names
 *   lfset__named                  what a word names, to be loaded beforehand
 *   lfset__freeze_slot            freezes one slot, and what it names, for a succession
 *   lfset__count_bytes            counts what a changed word names
 * A word that names a region of keys (bitmap_codec.h, which defines LFSET__REGIONS) is changed within the
 * region: there, lfset__decide, lfset__decided, lfset__purge_if_dead, lfset__pop_at, lfset__pop_one_of,
 * lfset__shows_member and lfset__witness_in are the bitmap's.
 *
 * The walk for key k starts at root with `carried` = 0 and finds k's place in each slice:
 *
 *   found          contains      add                     remove                  copy of LIVE k
 *   bound          its LIVE bit  LIVE: 0                 LIVE: CAS to DEAD, 1    done
 *                                DEAD: CAS to LIVE, 1    DEAD: 0
 *   EMPTY          carried       carried: 0              carried: CAS to DEAD, 1 CAS to LIVE
 *                                else CAS to LIVE, 1     else 0
 *   bound, frozen  carried = its LIVE bit; on to next                            done
 *   EMPTY, frozen  on to next                                                    on to next
 *   overfull       as EMPTY, frozen; if there is no next:
 *                  carried       carried: 0              carried: make next, on  make next, on
 *                                else make next, on      else 0
 *
 * Linearization points
 *   add -> 1, remove -> 1
 *       the successful CAS on the word
 *   add -> 0, remove -> 0, contains
 *       the load of the unfrozen word that answered (bound: its LIVE bit is k's state; EMPTY: k is
 *       not bound here, so its state is the frozen one that was carried, which cannot have changed
 *       before this instant, because k would have to be bound here for that: I1, I2);
 *       or the load of a NULL `next` when the slice is overfull;
 *       or, before a closed gate, the load of all_frozen that is unset (the answer was read from a
 *       frozen word, and no update passes the gate before that instant)
 *   snapshot, size, clear, drain, is_empty -> 1, pop -> 0
 *       the freeze of the slice's last word in a gated succession
 *   is_empty -> 0
 *       the load of an unfrozen LIVE word
 *   pop -> 1
 *       as remove -> 1
 * A remove that finds EMPTY in a successor while it carries 1 must bind the key DEAD there: if it
 * answered 1 without leaving a mark, the migration would copy the LIVE word afterwards, and the key
 * would be back.
 *
 * Restarts: only when the reclamation domain says so (hop), that is when root moved, and never after
 * the CAS that decided.
 */
#ifndef LFSET__WALK_H
#define LFSET__WALK_H

#include <errno.h>

#include "lfset/cancel.h"
#include "platform/probes.h"
#include "set/slice.h"
#include "set/trace.h"
#include "wait/wait.h"

enum lfset__op { LFSET__CONTAINS, LFSET__ADD, LFSET__REMOVE };

/** What a fast path or a part of the walk answers beside 1, 0 and errors. */
enum {
    LFSET__WALK = INT16_MIN, /**< nothing was decided: walk on */
    LFSET__COUNT = 2, /**< the answer is 1, and the word that changed is sampled or far from home */
};

/** So many words that a chunk is copied to are loaded beforehand, at most. */
enum { LFSET__PREFETCH_MOST = 256 };

/** Chunks between two looks at a cancel token. */
enum { LFSET__CANCEL_STEPS = 256 };

/** One operation in progress. */
struct lfset__walk {
    const struct lfset__reclaim *domain; /**< constant where this is inlined */
    struct lfset__set *set;
    struct lfset__guard guard;
    const struct lfset_cancel *cancel; /**< of whole-set operations; NULL: none */
};

/** Hazard slots: 0 is root's, a walk alternates between 1 and 2, a helper's copies use 3 and 2. */
enum { LFSET__SLOT_NEXT = 1, LFSET__SLOT_AFTER = 2, LFSET__SLOT_COPY = 3 };

/* Between the first two the thread relies on its hazards, so nothing of the user's may be called that could
 * use a set. A kind that calls the user back, and defines LFSET__CALLS_BACK, keeps that for the third. */
static inline void lfset__walk_begins(void);
static inline void lfset__walk_ends(void);
static inline void lfset__after_walk(void);

#ifndef LFSET__CALLS_BACK
LFSET__INLINE void lfset__walk_begins(void)
{
}

LFSET__INLINE void lfset__walk_ends(void)
{
}

LFSET__INLINE void lfset__after_walk(void)
{
}
#endif

/** @return false for lack of memory to attach the thread. */
static inline bool lfset__walk_enter(struct lfset__walk *walk)
{
    bool entered = walk->domain->enter(&walk->guard) ||
                   (lfset__thread_attach() && walk->domain->enter(&walk->guard));
    if (entered) {
        lfset__walk_begins();
    }
    return entered;
}

LFSET__INLINE void lfset__walk_leave(struct lfset__walk *walk)
{
    lfset__walk_ends();
    walk->domain->leave(&walk->guard);
    lfset__after_walk();
}

LFSET__INLINE struct lfset__slice *lfset__walk_root(struct lfset__walk *walk)
{
    return walk->domain->root(&walk->guard, &walk->set->root);
}

LFSET__INLINE bool lfset__walk_hop(struct lfset__walk *walk, unsigned slot, struct lfset__slice *to,
                                   struct lfset__slice *root)
{
    return walk->domain->hop(&walk->guard, slot, to, &walk->set->root, root);
}

/* [slice.publish] acquire: pairs with the CAS in lfset__publish_next; the slice is initialised. */
LFSET__INLINE struct lfset__slice *lfset__next(struct lfset__slice *slice)
{
    return lfset__load_acq(&slice->next);
}

/* [gate.open] seq_cst: pairs with the store in lfset__freeze_step; every word of the predecessor is
 * frozen. When it answers "not yet" it decides for a reader. */
LFSET__INLINE bool lfset__gate_closed(struct lfset__slice *next)
{
    return lfset__gated(next) && !lfset__load_sc(&next->all_frozen);
}

/**
 * Gives `slice` a successor. @return 0 when it has one now, made here or by another thread;
 * -ENOMEM.
 */
static int lfset__publish_next(struct lfset__set *set, struct lfset__slice *slice,
                               struct lfset__plan plan)
{
    if (lfset__next(slice)) {
        return 0;
    }
    struct lfset__slice *next =
        lfset__slice_create(set, slice, LFSET__RESIZE, plan.log2, plan.multiplier);
    if (!next) {
        return -ENOMEM;
    }
    void *none = NULL;
    lfset__note_succession(set, next);
    if (!lfset__cas_sc(&slice->next, &none, next)) { // [slice.publish]
        lfset__slice_drop(next);
    } else {
        lfset__trace_start(set, slice, next, LFSET__RESIZE, plan.log2);
    }
    return 0;
}

/* ---- counting: what happens to sampled words ---------------------------------------------------- */

/**
 * Gives root a smaller successor when less than an eighth of it is live. Without memory for one, or when
 * `slice` is not root any more, nothing is lost: the next sampled removal asks again.
 */
static void lfset__shrink_if_sparse(struct lfset__set *set, struct lfset__slice *slice)
{
    int32_t live = (int32_t)(uint32_t)lfset__load_rlx(&slice->counts);
    if (slice->sample == 0 || live >= slice->live_floor ||
        slice->log2 <= lfset__load_rlx(&set->floor_log2) || lfset__load_rlx(&set->root) != slice ||
        lfset__next(slice)) {
        return;
    }
    struct lfset__plan plan = lfset__plan_resize(set, slice);
    if (plan.log2 < slice->log2) { // else the sample of a small slice was wrong
        (void)lfset__publish_next(set, slice, plan);
    }
}

/** Dead bytes that are no reason yet for a succession. */
enum { LFSET__DEAD_BYTES = 1 << 16 };

/* Gives root a successor when what dead words name outweighs what LIVE ones do, and the slice itself, which
 * must be gone through for that. */
static void lfset__purge_if_dead(struct lfset__set *set, struct lfset__slice *slice);

#ifndef LFSET__REGIONS
static __attribute__((noinline)) void lfset__purge_if_dead(struct lfset__set *set,
                                                           struct lfset__slice *slice)
{
    int64_t live = lfset__load_rlx(&slice->nodes->live_bytes);
    int64_t dead = lfset__load_rlx(&slice->nodes->dead_bytes);
    if (dead > LFSET__DEAD_BYTES && dead > live && dead > (int64_t)lfset__slice_bytes(slice) &&
        lfset__load_rlx(&set->root) == slice) {
        (void)lfset__publish_next(set, slice, lfset__plan_resize(set, slice));
    }
}
#endif

/* Counts one change of a sampled word and asks for a successor when the slice is full or sparse. Only
 * root asks: a slice that is still being filled has no final counts. */
static __attribute__((noinline)) void
lfset__count_change(struct lfset__set *set, struct lfset__slice *slice, enum lfset__change change)
{
    static const uint64_t delta[] = {
        [LFSET__BIND_LIVE] = (UINT64_C(1) << 32) + 1,
        [LFSET__BIND_DEAD] = UINT64_C(1) << 32,
        [LFSET__REVIVE] = 1,
        [LFSET__KILL] = UINT64_MAX,
    };
    uint64_t counts = lfset__add_rlx(&slice->counts, delta[change]) + delta[change];
    if (lfset__unlikely(!set->counts_alone)) {
        lfset__note_change(set, slice);
    }
    if (change == LFSET__KILL) {
        lfset__shrink_if_sparse(set, slice);
    } else if (counts >> 32 >= slice->bound_limit && !lfset__next(slice) &&
               lfset__load_rlx(&set->root) == slice) {
        (void)lfset__publish_next(set, slice, lfset__plan_resize(set, slice));
    }
}

/** Displacement from which a key counts as far from home. */
enum { LFSET__FAR = 24, LFSET__LOG2_CLUSTER = 9 };

/* A key was bound far from home. When that is common the hash is bad for these keys: succeed to a
 * slice with another multiplier. */
static __attribute__((noinline)) void lfset__count_far(struct lfset__set *set,
                                                       struct lfset__slice *slice)
{
    lfset__add_rlx(&slice->clustered, 1);
    if (slice->log2 >= LFSET__LOG2_CLUSTER && lfset__is_clustered(slice) && !lfset__next(slice) &&
        lfset__load_rlx(&set->root) == slice) {
        (void)lfset__publish_next(set, slice, lfset__plan_resize(set, slice));
    }
}

LFSET__INLINE bool lfset__is_far(const struct lfset__slice *slice, const struct lfset__probe *probe)
{
    return probe->slot - (probe->end - slice->reach) >= LFSET__FAR;
}

/** To be called after every successful CAS of an update or a copy. */
LFSET__INLINE void lfset__changed(struct lfset__set *set, struct lfset__slice *slice,
                                  const struct lfset__probe *probe, enum lfset__change change,
                                  uint64_t word)
{
    bool sampled = lfset__is_sampled(slice, probe->slot);
    if (lfset__unlikely(sampled)) {
        lfset__count_change(set, slice, change);
    }
    if (lfset__count_bytes(slice, change, word, sampled)) {
        lfset__purge_if_dead(set, slice);
    }
    bool bound = change == LFSET__BIND_LIVE || change == LFSET__BIND_DEAD;
    if (bound && lfset__unlikely(lfset__is_far(slice, probe))) {
        lfset__count_far(set, slice);
    }
}

/* ---- place: the first slot in probe order that is bound to the key or EMPTY --------------------- */

enum lfset__found { LFSET__FOUND_BOUND, LFSET__FOUND_EMPTY, LFSET__FOUND_OVERFULL };

/** Goes on from where `probe` stands. [word.decide] seq_cst: may be the load that answers. */
LFSET__INLINE enum lfset__found lfset__find(struct lfset__probe *probe, uint64_t *word)
{
    do {
        *word = lfset__load_sc(probe->slot);
        if (lfset__probe_matches(probe, *word)) {
            return LFSET__FOUND_BOUND;
        }
        if (lfset__is_empty_word(*word)) {
            return LFSET__FOUND_EMPTY;
        }
    } while (lfset__probe_next(probe));
    return LFSET__FOUND_OVERFULL;
}

/** From the key's home. */
LFSET__INLINE enum lfset__found lfset__find_first(struct lfset__probe *probe, uint64_t *word)
{
    return lfset__probe_seek(probe) ? lfset__find(probe, word) : LFSET__FOUND_OVERFULL;
}

/** What sleepers for a key's change are found by (wait.h). */
LFSET__INLINE uint64_t lfset__tag(const struct lfset__set *set, uint64_t mixed)
{
    return mixed ^ (uint64_t)(uintptr_t)set;
}

/* ---- helping ------------------------------------------------------------------------------------ */

static inline _Atomic(uint64_t) *lfset__pass_bits(struct lfset__slice *next,
                                                  const struct lfset__pass *pass)
{
    _Atomic(uint64_t) *bits = next->words + lfset__slice_words(next);
    return pass == &next->freezing ? bits : bits + lfset__bitmap_words(next->chunks);
}

/* A chunk whose bit is not set, searched from the end, where the last claims are. @return chunks
 * when there is none. */
static uint64_t lfset__pass_unfinished(_Atomic(uint64_t) *bits, uint64_t chunks)
{
    for (uint64_t i = lfset__bitmap_words(chunks); i-- > 0;) {
        uint64_t last = chunks - i * 64;
        uint64_t all = last < 64 ? (UINT64_C(1) << last) - 1 : UINT64_MAX;
        uint64_t open = ~lfset__load_acq(&bits[i]) & all; // [chunk.done]
        if (open) {
            return i * 64 + 63 - (uint64_t)__builtin_clzll(open);
        }
    }
    return chunks;
}

/** @return the chunk to work on, or `chunks` when the pass is complete. */
static uint64_t lfset__pass_claim(struct lfset__slice *next, struct lfset__pass *pass)
{
    uint64_t chunks = next->chunks;
    if (lfset__load_acq(&pass->done) == chunks) { // [chunk.done]
        return chunks;
    }
    if (lfset__load_rlx(&pass->claimed) < chunks) {
        uint64_t chunk = lfset__add_rlx(&pass->claimed, 1);
        if (chunk < chunks) {
            return chunk;
        }
    }
    // Everything is claimed, but a claimant may have stopped: do an unfinished chunk again.
    return lfset__pass_unfinished(lfset__pass_bits(next, pass), chunks);
}

/* [chunk.done] seq_cst read-modify-writes: whoever sees all bits, or the full count, sees the work.
 * @return true when this finished the pass. */
static bool lfset__pass_finish(struct lfset__slice *next, struct lfset__pass *pass, uint64_t chunk)
{
    uint64_t bit = UINT64_C(1) << (chunk % 64);
    if (lfset__or_sc(&lfset__pass_bits(next, pass)[chunk / 64], bit) & bit) {
        return lfset__load_acq(&pass->done) == next->chunks;
    }
    return lfset__add_sc(&pass->done, 1) + 1 == next->chunks;
}

/**
 * Copies one LIVE key of root's frozen slice into `to` or beyond. Gives up when root moves: then
 * the migration is over, so somebody copied the key.
 * @return 0 or -ENOMEM.
 */
static int lfset__copy(struct lfset__walk *walk, struct lfset__slice *root, struct lfset__slice *to,
                       struct lfset__source source)
{
    unsigned slot = LFSET__SLOT_COPY;
    for (;;) {
        struct lfset__probe probe = lfset__source_probe(to, root, &source);
        uint64_t word;
        enum lfset__found found = lfset__find_first(&probe, &word);
        while (found == LFSET__FOUND_EMPTY && word == 0) {
            uint64_t desired = lfset__source_word(&source, &probe);
            if (lfset__cas_sc(probe.slot, &word, desired)) {
                lfset__changed(walk->set, to, &probe, LFSET__BIND_LIVE, desired);
                return 0;
            }
            found = lfset__find(&probe, &word); // taken or frozen meanwhile
        }
        if (found == LFSET__FOUND_BOUND) {
            lfset__source_drop(&source);
            return 0; // copied, or changed since: the newer state stands
        }
        struct lfset__slice *next = lfset__next(to);
        if (!next) {
            int error = lfset__publish_next(
                walk->set, to, lfset__plan_overfull(walk->set, to, lfset__is_crowded(to, &probe)));
            if (error) {
                lfset__source_drop(&source);
                return error;
            }
            next = lfset__next(to);
        }
        if (!lfset__walk_hop(walk, slot, next, root)) {
            lfset__source_drop(&source);
            return 0;
        }
        slot = LFSET__SLOT_COPY + LFSET__SLOT_AFTER - slot;
        to = next;
    }
}

/** The same, where its home is free: most keys of a slice that is being filled. It does not look first: a look
 * at a page that was never written maps the page of zeros, which the CAS then has to replace, in all
 * processors. */
LFSET__INLINE int lfset__copy_home(struct lfset__walk *walk, struct lfset__slice *root,
                                   struct lfset__slice *to, struct lfset__source source)
{
    struct lfset__probe probe = lfset__source_probe(to, root, &source);
    uint64_t word = 0, desired = lfset__source_word(&source, &probe);
    if (lfset__likely(lfset__cas_sc(probe.slot, &word, desired))) {
        lfset__changed(walk->set, to, &probe, LFSET__BIND_LIVE, desired);
        return 0;
    }
    return lfset__copy(walk, root, to, source);
}

/* One chunk of the gate's freezing pass. */
static void lfset__freeze_step(struct lfset__slice *slice, struct lfset__slice *next)
{
    uint64_t chunk = lfset__pass_claim(next, &next->freezing);
    if (chunk < next->chunks) {
        struct lfset__chunk at = lfset__chunk_at(slice, next, chunk);
        for (size_t i = at.first; i < at.end; i++) {
            (void)lfset__freeze_slot(slice, next, i);
        }
        if (!lfset__pass_finish(next, &next->freezing, chunk)) {
            return;
        }
    }
    lfset__store_sc(&next->all_frozen, 1); // [gate.open]
}

/** Freezes all of a gated slice. */
static void lfset__freeze_all(struct lfset__slice *slice, struct lfset__slice *next)
{
    while (lfset__gate_closed(next)) {
        lfset__freeze_step(slice, next);
    }
}

/** The same, unless it is cancelled: then others will. @return 0, -ECANCELED, -ETIMEDOUT. */
static int lfset__freeze_until(struct lfset__walk *walk, struct lfset__slice *slice,
                               struct lfset__slice *next)
{
    for (unsigned step = 1; lfset__gate_closed(next); step++) {
        lfset__freeze_step(slice, next);
        int error = step % LFSET__CANCEL_STEPS == 0 ? lfset_cancel_check(walk->cancel) : 0;
        if (error) {
            return error;
        }
    }
    return 0;
}

static void lfset__reclaim_slice(struct lfset__retired *retired)
{
    struct lfset__slice *slice =
        (struct lfset__slice *)(void *)((char *)retired - offsetof(struct lfset__slice, retired));
    struct lfset__set *set = slice->set;
    lfset__probe(slice__reclaim, set, slice, retired->bytes, lfset__domain(set));
    lfset__note_reclaimed(set, retired);
    // The set lives until this slice and its count are gone: destroy waits for the count.
    lfset__slice_drop(slice);
    lfset__sub_sc(&set->retired, 1);
}

/* [root.publish] seq_cst: every LIVE key of root is in next or beyond ([chunk.done] carried it
 * here). */
LFSET__INLINE void lfset__advance(struct lfset__walk *walk, struct lfset__slice *root,
                                  struct lfset__slice *next)
{
    void *expected = root;
    lfset__fork_lock_shared();
    if (lfset__cas_sc(&walk->set->root, &expected, next)) {
        lfset__count_succession(walk->set, next);
        lfset__add_sc(&walk->set->retired, 1);
        root->retired.reclaim = lfset__reclaim_slice;
        root->retired.address = root;
        int64_t dead = root->nodes ? lfset__load_rlx(&root->nodes->dead_bytes) : 0;
        root->retired.bytes = lfset__slice_bytes(root) + (dead > 0 ? (size_t)dead : 0);
        root->retired.owner = walk->set;
        lfset__note_retired(walk->set, &root->retired);
        lfset__probe(slice__retire, walk->set, root, root->retired.bytes, lfset__domain(walk->set));
        walk->domain->retire(&walk->guard, &root->retired);
        if (next->nodes) {
            lfset__purge_if_dead(walk->set, next); // it was not judged while it was being filled
        }
    }
    lfset__fork_unlock();
}

/* Starts loading what a chunk is copied from, what its words name, and the lines where most of its keys will
 * be: homes keep their order. A CAS waits for its line, and the next one waits for that CAS. */
LFSET__INLINE void lfset__prefetch_chunk(struct lfset__slice *root, struct lfset__slice *next,
                                         struct lfset__chunk chunk)
{
    const size_t line = LFSET__LINE / sizeof(uint64_t);
    for (size_t i = chunk.first; i < chunk.end; i += line) {
        lfset__prefetch(&root->words[i], true);
    }
    for (size_t i = chunk.first; root->nodes && i < chunk.end; i++) {
        lfset__prefetch(lfset__named(lfset__load_acq(&root->words[i])), true);
    }
    if (next->log2 >= root->log2 && !next->rehashed) {
        unsigned more = next->log2 - root->log2;
        size_t first = chunk.first << more, words = (chunk.end - chunk.first) << more;
        words = words < LFSET__PREFETCH_MOST ? words : LFSET__PREFETCH_MOST;
        for (size_t i = first; i < first + words; i += line) {
            lfset__prefetch(&next->words[i], true);
        }
    }
}

/**
 * Does one chunk of root's succession. `root` and `next` are protected.
 * @return 0, also when there was nothing to do; -ENOMEM.
 */
LFSET__INLINE int lfset__help(struct lfset__walk *walk, struct lfset__slice *root,
                              struct lfset__slice *next)
{
    if (lfset__gate_closed(next)) {
        lfset__freeze_step(root, next);
        return 0;
    }
    if (next->kind != LFSET__CLEAR) {
        uint64_t chunk = lfset__pass_claim(next, &next->copying);
        if (chunk < next->chunks) {
            struct lfset__chunk at = lfset__chunk_at(root, next, chunk);
            lfset__prefetch_chunk(root, next, at);
            for (size_t i = at.first; i < at.end; i++) {
                // behind an open gate the words are frozen already
                uint64_t word = lfset__gated(next) ? lfset__load_rlx(&root->words[i])
                                                   : lfset__freeze_slot(root, next, i);
                if (lfset__is_source(root, word)) {
                    int error =
                        lfset__copy_home(walk, root, next, lfset__source_take(root, i, word));
                    if (error) {
                        return error; // the chunk's bit stays unset: it will be done again
                    }
                }
            }
            if (!lfset__pass_finish(next, &next->copying, chunk)) {
                return 0;
            }
        }
    }
    lfset__advance(walk, root, next);
    return 0;
}

/** Protects root's successor, if any. @return false when root moved. */
LFSET__INLINE bool lfset__protect_next(struct lfset__walk *walk, struct lfset__slice *root,
                                       struct lfset__slice **next)
{
    *next = lfset__next(root);
    return !*next || lfset__walk_hop(walk, LFSET__SLOT_NEXT, *next, root);
}

/** Helps until `root` is root no more. @return 0, -ENOMEM, -ECANCELED, -ETIMEDOUT. */
static int lfset__finish_succession(struct lfset__walk *walk, struct lfset__slice *root,
                                    struct lfset__slice *next)
{
    for (unsigned step = 1; lfset__load_rlx(&walk->set->root) == root; step++) {
        int error = lfset__help(walk, root, next);
        if (!error && step % LFSET__CANCEL_STEPS == 0) {
            error = lfset_cancel_check(walk->cancel);
        }
        if (error) {
            return error;
        }
    }
    return 0;
}

/* After a whole-set operation, which took time proportional to the capacity anyway: brings a sparse set
 * to its size at once. Removals made while the slice was being filled did not ask for that, and updates
 * that would may never come. A few steps only: keys that share a home may force a small slice
 * to grow again. */
static void lfset__settle(struct lfset__walk *walk)
{
    for (int round = 0; round < 8; round++) {
        struct lfset__slice *root = lfset__walk_root(walk), *next;
        lfset__shrink_if_sparse(walk->set, root);
        if (!lfset__protect_next(walk, root, &next) || !next || next->log2 >= root->log2 ||
            lfset__finish_succession(walk, root, next) != 0) {
            return;
        }
    }
}

/**
 * What every update does first: some chunks of the succession under way, if there is one: one, and more
 * for a heavy key, so that what is removed meanwhile weighs no more than the slice. Without memory for that
 * the update may still succeed, and the chunks are done later.
 */
static void lfset__help_some(struct lfset__walk *walk, size_t chunks)
{
    struct lfset__slice *root, *next;
    do {
        root = lfset__walk_root(walk);
    } while (!lfset__protect_next(walk, root, &next));
    while (next && chunks-- > 0 && lfset__load_rlx(&walk->set->root) == root) {
        if (lfset__help(walk, root, next) != 0) {
            return;
        }
    }
}

/* ---- the walk ----------------------------------------------------------------------------------- */

/* The operation on this slice, where the key's place was found and is not frozen. A CAS that fails looks
 * at the same slot again. @return 1, 0, -ENOMEM; LFSET__WALK: frozen or overfull meanwhile. */
static inline int lfset__decide(struct lfset__walk *walk, struct lfset__slice *slice,
                                struct lfset__key *key, const enum lfset__op op,
                                struct lfset__carried *carried, struct lfset__probe *probe,
                                enum lfset__found *found, uint64_t *word);

/* Where no slot decides, because the slice is overfull and has no successor, or the gate is closed: what
 * was carried does. @return 1, 0; LFSET__WALK: an update has something to change. */
static inline int lfset__decided(struct lfset__key *key, const enum lfset__op op,
                                 const struct lfset__carried *carried);

#ifndef LFSET__REGIONS
static inline int lfset__decided(struct lfset__key *key, const enum lfset__op op,
                                 const struct lfset__carried *carried)
{
    bool live = lfset__carried_live(carried);
    if (op != LFSET__CONTAINS && live != (op == LFSET__ADD)) {
        return LFSET__WALK;
    }
    if (live) {
        lfset__seen(key, lfset__carried_word(carried));
    }
    return op == LFSET__CONTAINS && live; // add: present; remove: absent
}

static inline int lfset__decide(struct lfset__walk *walk, struct lfset__slice *slice,
                                struct lfset__key *key, const enum lfset__op op,
                                struct lfset__carried *carried, struct lfset__probe *probe,
                                enum lfset__found *found, uint64_t *word)
{
    while (*found != LFSET__FOUND_OVERFULL && !(*word & LFSET__FROZEN)) {
        bool bound = *found == LFSET__FOUND_BOUND;
        bool live = bound ? *word & LFSET__LIVE : lfset__carried_live(carried);
        if (op == LFSET__CONTAINS || live == (op == LFSET__ADD)) {
            if (live) {
                lfset__seen(key, bound ? *word : lfset__carried_word(carried));
            }
            return op == LFSET__CONTAINS && live;
        }
        uint64_t desired, former = *word;
        int error =
            lfset__desire(walk->set, key, probe, op == LFSET__ADD, bound, *word, carried, &desired);
        if (error) {
            return error;
        }
        if (lfset__cas_sc(probe->slot, word, desired)) {
            lfset__seen(key, desired);
            enum lfset__change bind = op == LFSET__ADD ? LFSET__BIND_LIVE : LFSET__BIND_DEAD;
            enum lfset__change flip = op == LFSET__ADD ? LFSET__REVIVE : LFSET__KILL;
            lfset__settle_word(slice, key, carried, former, desired);
            lfset__changed(walk->set, slice, probe, bound ? flip : bind, desired);
            lfset__notify(&walk->set->waiting, lfset__tag(walk->set, lfset__key_mixed(key)));
            return 1;
        }
        *found = lfset__find(probe, word);
    }
    return LFSET__WALK;
}
#endif

/**
 * One operation on one key, in every phase of a succession. @return 1, 0, -ENOMEM.
 */
static __attribute__((noinline)) int
lfset__walk_chain(struct lfset__walk *walk, struct lfset__key *key, const enum lfset__op op)
{
    if (op != LFSET__CONTAINS) {
        lfset__help_some(walk, lfset__key_chunks(key)); // once: the operation's cost stays bounded
    }
    struct lfset__carried carried = LFSET__CARRIED_NONE;
    int result;
restart:;
    struct lfset__slice *root = lfset__walk_root(walk), *slice = root;
    lfset__carry(walk->set, &carried, 0, false);
    unsigned slot = LFSET__SLOT_NEXT;
    for (;;) {
        struct lfset__probe probe = lfset__probe_key(slice, key);
        uint64_t word;
        enum lfset__found found = lfset__find_first(&probe, &word);
        result = lfset__decide(walk, slice, key, op, &carried, &probe, &found, &word);
        if (result != LFSET__WALK) {
            break;
        }
        if (found == LFSET__FOUND_BOUND) {
            lfset__carry(walk->set, &carried, word,
                         op != LFSET__CONTAINS || lfset__wants_seen(key));
        }
        // decides when NULL; [slice.publish]
        struct lfset__slice *next = lfset__load_sc(&slice->next);
        if (!next) { // overfull
            result = lfset__decided(key, op, &carried);
            if (result != LFSET__WALK) {
                break;
            }
            result = lfset__publish_next(
                walk->set, slice,
                lfset__plan_overfull(walk->set, slice, lfset__is_crowded(slice, &probe)));
            if (result != 0) {
                break;
            }
            next = lfset__next(slice);
        }
        if (!lfset__walk_hop(walk, slot, next, root)) {
            goto restart;
        }
        slot = LFSET__SLOT_NEXT + LFSET__SLOT_AFTER - slot;
        if (lfset__gate_closed(next)) {
            if (op == LFSET__CONTAINS) {
                result = lfset__decided(key, op, &carried);
                break;
            }
            lfset__freeze_all(slice, next);
        }
        if (next->kind == LFSET__CLEAR) {
            lfset__carry(walk->set, &carried, 0, false);
        }
        slice = next;
    }
    lfset__carry(walk->set, &carried, 0, false);
    return result;
}

/* ---- whole-set operations ----------------------------------------------------------------------- */

/**
 * Freezes the set's slice at one instant of the call and replaces it.
 * SNAPSHOT: the keys go on in the successor; another thread's gate that is still closed will do as
 * well, for it opens later than this call began. CLEAR: they do not, and the gate must be ours.
 * @param frozen becomes the frozen slice, with a reference for the caller.
 * @return 0; -ENOMEM, -ECANCELED, -ETIMEDOUT (then nothing changed).
 */
static int lfset__gate(struct lfset__walk *walk, enum lfset__kind kind,
                       struct lfset__slice **frozen)
{
    struct lfset__set *set = walk->set;
    for (;;) {
        struct lfset__slice *root = lfset__walk_root(walk), *next;
        if (!lfset__protect_next(walk, root, &next)) {
            continue;
        }
        bool shared = next && kind == LFSET__SNAPSHOT && lfset__gate_closed(next);
        if (next && !shared) {
            int error = lfset__finish_succession(walk, root, next);
            if (error) {
                return error;
            }
            continue;
        }
        if (!next) {
            struct lfset__plan plan = lfset__plan_snapshot(set, root);
            if (kind == LFSET__CLEAR) {
                plan.log2 = lfset__load_rlx(&set->floor_log2);
            }
            next = lfset__slice_create(set, root, kind, plan.log2, plan.multiplier);
            if (!next) {
                return -ENOMEM;
            }
            // Ours, and not published yet: publishing the hazard first makes it safe afterwards.
            (void)lfset__walk_hop(walk, LFSET__SLOT_NEXT, next, root);
            void *none = NULL;
            lfset__note_succession(set, next);
            if (!lfset__cas_sc(&root->next, &none, next)) { // [slice.publish]
                lfset__slice_drop(next);
                continue;
            }
            lfset__trace_start(set, root, next, kind, plan.log2);
        }
        int error = 0;
        lfset__probe(freeze__start, set, root, kind);
        if (kind == LFSET__CLEAR) {
            lfset__freeze_all(root, next); // it will happen: too late to cancel
        } else {
            error = lfset__freeze_until(walk, root, next);
        }
        lfset__probe(freeze__done, set, root, kind, error);
        if (error) {
            return error;
        }
        lfset__slice_hold(root);
        *frozen = root;
        if (kind == LFSET__CLEAR) {
            lfset__notify_all(&set->waiting);
        }
        // The operation has happened. Without memory to finish the migration, others will.
        (void)lfset__finish_succession(walk, root, next);
        lfset__settle(walk);
        return 0;
    }
}

/* Removes a key that a slot shows. A LIVE word that is not frozen is removed on the spot; the key of a frozen
 * one may be in the set still, elsewhere.
 * @return 1 with a key that was removed; 0 when there was none, *moved telling whether root moved; -ENOMEM;
 * -ENOBUFS: the key found is too long. */
static inline int lfset__pop_at(struct lfset__walk *walk, struct lfset__slice *root, size_t at,
                                struct lfset__popped *popped, bool *moved);

/* Any key of a frozen slice that is still in the set. *any: the slice had keys at all. */
static inline int lfset__pop_one_of(struct lfset__walk *walk, struct lfset__slice *frozen,
                                    struct lfset__popped *popped, bool *any);

#ifndef LFSET__REGIONS
/* Removes the key of a LIVE word that was seen in `slice`, wherever the key is now. The caller holds the
 * slice. */
static inline int lfset__pop_key(struct lfset__walk *walk, struct lfset__slice *slice, size_t index,
                                 uint64_t word, struct lfset__popped *popped)
{
    if (!lfset__pop_fits(popped, word)) {
        struct lfset__key long_one = lfset__word_as_key(walk->set, slice, index, word);
        int present = lfset__walk_chain(walk, &long_one, LFSET__CONTAINS);
        return present == 1 ? -ENOBUFS : present;
    }
    struct lfset__key key = lfset__popped_key(walk->set, slice, index, word);
    int result = lfset__walk_chain(walk, &key, LFSET__REMOVE);
    if (result == 1) {
        lfset__pop_seen(popped, &key);
    }
    return result;
}

/* The word was killed on the spot. */
static inline void lfset__popped_word(struct lfset__walk *walk, struct lfset__slice *root,
                                      size_t at, uint64_t word)
{
    bool sampled = lfset__is_sampled(root, &root->words[at]);
    if (sampled) {
        lfset__count_change(walk->set, root, LFSET__KILL);
    }
    if (lfset__count_bytes(root, LFSET__KILL, word, sampled)) {
        lfset__purge_if_dead(walk->set, root);
    }
    struct lfset__key key = lfset__popped_key(walk->set, root, at, word);
    lfset__notify(&walk->set->waiting, lfset__tag(walk->set, lfset__key_mixed(&key)));
}

static inline int lfset__pop_at(struct lfset__walk *walk, struct lfset__slice *root, size_t at,
                                struct lfset__popped *popped, bool *moved)
{
    uint64_t word = lfset__load_acq(&root->words[at]); // the CAS decides; what it names is whole
    while ((word & (LFSET__LIVE | LFSET__FROZEN)) == LFSET__LIVE) {
        if (!lfset__pop_fits(popped, word)) {
            return -ENOBUFS;
        }
        if (lfset__cas_sc(&root->words[at], &word, word ^ LFSET__LIVE)) {
            lfset__pop_word(popped, root, at, word);
            lfset__popped_word(walk, root, at, word);
            return 1;
        }
    }
    if (!(word & LFSET__LIVE)) {
        return 0;
    }
    // The walk may protect another root and let go of this one: only a reference keeps a new slice from
    // taking its place in memory, and from being taken for it.
    lfset__slice_hold(root);
    int result = lfset__pop_key(walk, root, at, word, popped);
    *moved = lfset__walk_root(walk) != root;
    lfset__slice_drop(root);
    return result;
}

static inline int lfset__pop_one_of(struct lfset__walk *walk, struct lfset__slice *frozen,
                                    struct lfset__popped *popped, bool *any)
{
    size_t words = lfset__slice_words(frozen);
    int result = 0;
    for (size_t i = 0; i < words && result == 0; i++) {
        uint64_t word = lfset__load_acq(&frozen->words[i]);
        if (word & LFSET__LIVE) {
            *any = true;
            result = lfset__pop_key(walk, frozen, i, word, popped);
        }
    }
    return result;
}
#endif

/* Looks through root from where the last pop was successful. @return as lfset__pop_at. */
static inline int lfset__pop_from(struct lfset__walk *walk, struct lfset__slice *root,
                                  struct lfset__popped *popped, bool *moved)
{
    size_t words = lfset__slice_words(root);
    size_t start = (size_t)lfset__load_rlx(&root->pop_cursor);
    for (size_t i = 0; i < words; i++) {
        size_t at = start + i < words ? start + i : start + i - words;
        int result = lfset__pop_at(walk, root, at, popped, moved);
        if (result != 0 || *moved) {
            if (!*moved) {
                lfset__store_rlx(&root->pop_cursor, at);
            }
            return result;
        }
    }
    return 0;
}

/** @return 1 with a key that was removed, 0 when the set was empty at one instant, -ENOMEM, -ENOBUFS. */
static inline int lfset__pop_in(struct lfset__walk *walk, struct lfset__popped *popped)
{
    lfset__help_some(walk, 1);
    for (;;) {
        bool moved = false, any = false;
        int result = lfset__pop_from(walk, lfset__walk_root(walk), popped, &moved);
        if (result != 0) {
            return result;
        }
        if (moved) {
            continue;
        }
        // Nothing found in passing proves nothing: keys may have moved behind our back.
        struct lfset__slice *frozen;
        int error = lfset__gate(walk, LFSET__SNAPSHOT, &frozen);
        if (error) {
            return error;
        }
        result = lfset__pop_one_of(walk, frozen, popped, &any);
        lfset__slice_drop(frozen);
        if (result != 0 || !any) {
            return result;
        }
    }
}

#ifndef LFSET__REGIONS
/** [word.decide] The slot shows that the set is not empty. */
LFSET__INLINE bool lfset__shows_member(struct lfset__slice *slice, size_t index)
{
    uint64_t word = lfset__load_sc(&slice->words[index]);
    return (word & (LFSET__LIVE | LFSET__FROZEN)) == LFSET__LIVE;
}
#endif

/** How many keys a frozen slice holds. */
static uint64_t lfset__members(const struct lfset__slice *slice);

/** @return 1 when empty at one instant, 0 when not, -ENOMEM. */
static inline int lfset__is_empty_in(struct lfset__walk *walk)
{
    struct lfset__slice *root = lfset__walk_root(walk), *frozen;
    size_t words = lfset__slice_words(root);
    for (size_t i = 0; i < words; i++) {
        if (lfset__shows_member(root, i)) {
            return 0;
        }
    }
    int error = lfset__gate(walk, LFSET__SNAPSHOT, &frozen);
    if (error) {
        return error;
    }
    bool empty = lfset__members(frozen) == 0;
    lfset__slice_drop(frozen);
    return empty;
}

/**
 * Gives root a successor that leaves dead words behind, if it has any. @return 1, 0: nothing was dead,
 * -ENOMEM.
 */
static inline int lfset__purge_in(struct lfset__walk *walk)
{
    bool purged = false;
    for (;;) {
        struct lfset__slice *root = lfset__walk_root(walk), *next;
        if (!lfset__protect_next(walk, root, &next)) {
            continue;
        }
        if (!next) {
            if (purged || !lfset__has_dead(root)) {
                return purged;
            }
            int error = lfset__publish_next(walk->set, root, lfset__plan_resize(walk->set, root));
            if (error) {
                return error;
            }
            purged = true;
            continue;
        }
        // One under way may have copied already what was removed only afterwards.
        int error = lfset__finish_succession(walk, root, next);
        if (error) {
            return error;
        }
    }
}

/** Brings the set to at least 2^log2 slots. @return 0 or -ENOMEM. */
static inline int lfset__reserve_in(struct lfset__walk *walk, unsigned log2)
{
    for (;;) {
        struct lfset__slice *root = lfset__walk_root(walk), *next;
        if (!lfset__protect_next(walk, root, &next)) {
            continue;
        }
        if (!next) {
            if (root->log2 >= log2) {
                return 0;
            }
            struct lfset__plan plan = {.log2 = log2, .multiplier = root->multiplier};
            int error = lfset__publish_next(walk->set, root, plan);
            if (error) {
                return error;
            }
            continue;
        }
        int error = lfset__finish_succession(walk, root, next);
        if (error) {
            return error;
        }
    }
}

/** The most slices that an iteration holds. */
enum { LFSET__EACH_SLICES = 4 };

/**
 * Holds root and the slices after it. Every key that is in the set now is bound in one of them.
 * @return how many, or -ENOMEM.
 */
static inline int lfset__hold_chain(struct lfset__walk *walk,
                                    struct lfset__slice *held[LFSET__EACH_SLICES])
{
restart:;
    struct lfset__slice *root = lfset__walk_root(walk), *slice = root;
    int count = 0;
    unsigned slot = LFSET__SLOT_NEXT;
    for (;;) {
        lfset__slice_hold(slice);
        held[count++] = slice;
        struct lfset__slice *next = lfset__load_sc(&slice->next);
        if (!next) {
            return count;
        }
        bool root_stands = lfset__walk_hop(walk, slot, next, root);
        if (!root_stands || count == LFSET__EACH_SLICES) {
            while (count > 0) {
                lfset__slice_drop(held[--count]);
            }
            if (root_stands && lfset__protect_next(walk, root, &next)) {
                int error =
                    lfset__finish_succession(walk, root, next); // so many: shorten the chain
                if (error) {
                    return error;
                }
            }
            goto restart;
        }
        slot = LFSET__SLOT_NEXT + LFSET__SLOT_AFTER - slot;
        slice = next;
    }
}

#endif

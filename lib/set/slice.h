// SPDX-License-Identifier: MIT
/**
 * @file slice.h
 * What sets and slices are made of, and the part of the protocol that does not depend on the kind
 * of key: sizing, freezing, migration passes, gates, succession. The walk of an operation is in
 * walk.h.
 *
 * Words. A slice is an array of 2^log2 home slots and `reach - 1` more behind them. A word is EMPTY
 * (0) or bound to one key for the rest of the slice's life. State bits: LIVE (the key is in the
 * set), BOUND (the word is taken), FROZEN (the word never changes again). A key binds at the first
 * EMPTY slot of its probe order, and no word ever becomes EMPTY again; so a key is bound at most
 * once per slice, and an EMPTY word met in probe order proves that it is not bound. No word is
 * reused: there is no ABA.
 *
 * Succession. Nothing is unlinked from a slice; a slice is frozen and succeeded by another. Growth,
 * purge of dead words, shrink, snapshot, size, clear and drain are all this one move:
 *   1. CAS slice->next from NULL to a new slice.
 *   2. Freeze every word (or FROZEN into it).
 *   3. Copy each LIVE key into the successor (not for CLEAR).
 *   4. CAS root from the slice to its successor; whoever does it retires the slice.
 * In a plain succession 2 and 3 go chunk by chunk. In a gated one (SNAPSHOT, CLEAR) nobody steps
 * into the successor before all of 2 is done: then the slice's words are what the set held at the
 * instant at which the last of them froze.
 *
 * Invariants
 *   I1  A key is bound in a slice only when it cannot be in its predecessor any more: its place
 *       there is frozen, or all the words it could take are bound to others (overfull).
 *   I2  A key's state is the LIVE bit in the newest slice that binds it, not counting slices before
 *       a CLEAR gate; absent if none does.
 *   I3  root moves from a slice to its next only when every LIVE key of the slice is bound in the
 *       successor or beyond, and every word of the slice is frozen.
 *   I4  Slices are retired in chain order, each by the thread whose CAS moved root past it.
 * From I1: a helper that was delayed cannot resurrect a removed key. It copies only into a slice
 * that does not bind the key, and the slice in which the key was removed still binds it.
 *
 * Memory order. Publication needs release and acquire only ([slice.publish]: next; [root.publish]:
 * root). But several keys together must look sequentially consistent, and with acquire and release
 * alone C11 allows two threads to miss each other's add (store buffering) or two readers to see two
 * adds in different orders (IRIW). So every access that *decides* an answer is seq_cst: every
 * read-modify-write of a word (bind, kill, revive, freeze, copy), and the loads that answer: of the
 * word, of a `next` that is NULL (overfull), of `all_frozen` that is unset. On x86-64 that is free.
 *
 * Progress. Every loop here either does a bounded amount of work or goes around again because
 * another thread succeeded. A helper that stops after claiming a chunk stops nobody: when all
 * chunks are claimed, the unfinished ones are done again by whoever comes (freezing and copying are
 * idempotent).
 */
#ifndef LFSET__SLICE_H
#define LFSET__SLICE_H

#include "lfset/lfset.h"
#include "platform/atomic.h"
#include "reclaim/reclaim.h"
#include "record/registry.h"

enum {
    LFSET__LIVE = 1,
    LFSET__BOUND = 2,
    LFSET__FROZEN = 4,
    LFSET__STATE_BITS = 3,
};

/** Smallest and largest slice: 2^5 (a reach of one vector) and 2^33 home slots. */
enum { LFSET__LOG2_MIN = 5, LFSET__LOG2_MAX = 33 };

/** Slices below this are counted by looking at every word; larger ones keep sampled counters. */
enum { LFSET__LOG2_COUNTED = 10 };
/** Words per chunk, as a power of two: what one update helps with. More where words are nothing but numbers,
 * and enough for everybody: what a chunk costs beside its words is shared by more of them, and fewer
 * updates help. */
enum { LFSET__LOG2_CHUNK = 4, LFSET__LOG2_CHUNK_LARGE = 6 };
/** Slices below this grow fourfold: what they weigh does not matter, and they are copied half as often. */
enum { LFSET__LOG2_LEAP = 13 };
/** A successor is at most 2^3 times smaller. Updates finish a migration in 2^-LOG2_CHUNK of the slice's
 * size; were the successor so small that they could fill it meanwhile, it would overflow into a
 * chain of others, each of which every operation must walk. */
enum { LFSET__SHRINK_MOST = 3 };

/** Why a slice was made. */
enum lfset__kind {
    LFSET__RESIZE,   /**< plain succession: grow, purge, shrink; also the first slice */
    LFSET__SNAPSHOT, /**< gated; the live keys are copied on */
    LFSET__CLEAR,    /**< gated; nothing is copied */
};

/** What happened to a word. */
enum lfset__change {
    LFSET__BIND_LIVE, /**< EMPTY to LIVE */
    LFSET__BIND_DEAD, /**< EMPTY to DEAD */
    LFSET__REVIVE,    /**< DEAD to LIVE */
    LFSET__KILL,      /**< LIVE to DEAD */
};

/** Progress of one pass over the predecessor's chunks. */
struct lfset__pass {
    _Atomic(uint64_t) claimed; /**< chunks handed out; runs past the end */
    _Atomic(uint64_t) done;    /**< chunks whose bit was set */
};

struct lfset__slice {
    // First line: read by every operation, written hardly ever.
    uint64_t multiplier;              /**< odd; a key's hash is key * multiplier */
    _Atomic(void *) next;             /**< successor, or NULL */
    uint64_t sample;                  /**< see lfset__is_sampled; 0: no word is */
    uint8_t log2;                     /**< home slots, as a power of two */
    uint8_t shift;                    /**< 64 - log2 */
    uint8_t kind;                     /**< enum lfset__kind */
    bool rehashed;                    /**< made with another multiplier than its predecessor's */
    uint32_t reach;                   /**< slots a key may take, from its home on */
    uint32_t bound_limit;             /**< sampled words bound when it is time for a successor */
    int32_t live_floor;               /**< sampled words live when it is time to shrink */
    _Atomic(uint32_t) all_frozen;     /**< gated: the predecessor is frozen whole */
    uint8_t previous_log2;            /**< the predecessor's */
    bool drops_idle;                  /**< the predecessor's idle words are left behind */
    uint8_t chunk_log2;               /**< words per chunk of the predecessor, as a power of two */
    uint8_t sample_log2;              /**< one slot in so many is sampled, as a power of two */
    uint64_t inverse;                 /**< of the multiplier, mod 2^64 */
    struct lfset__slice_nodes *nodes; /**< behind the words; NULL: words name no nodes */

    // Second line: written by updates now and then, and while the slice is being filled.
    _Alignas(LFSET__LINE) _Atomic(uint64_t)
        counts;                   /**< sampled: bound << 32 | live (two's complement) */
    _Atomic(uint32_t) clustered;  /**< keys bound far from home */
    _Atomic(uint32_t) references; /**< the chain's and each holder's */
    struct lfset__pass freezing;  /**< of the predecessor; gated only */
    struct lfset__pass copying;   /**< from the predecessor */
    uint64_t chunks;              /**< of the predecessor */
    struct lfset__set *set;

    // Third line: seldom used.
    _Alignas(LFSET__LINE) _Atomic(uint64_t) pop_cursor; /**< where pop looks first */
    struct lfset__retired retired;

    _Alignas(LFSET__LINE) _Atomic(uint64_t) words[]; /**< then two bitmaps of `chunks` bits */
};

/** What a slice whose words name nodes (node.h) has on top. */
struct lfset__slice_nodes {
    _Atomic(void *) graveyard;   /**< nodes that were displaced from words, linked */
    _Atomic(int64_t) live_bytes; /**< estimate of what LIVE words name ... */
    _Atomic(int64_t) dead_bytes; /**< ... and the others and the graveyard */
};

/** How to let go of nodes; NULL in a set without them. */
struct lfset__node_type {
    /** Drops the references that the slice holds; nobody else can see the slice. */
    void (*release)(struct lfset__slice *slice);
};

/** What an operation must do, beside what it is for. */
enum lfset__path {
    LFSET__PATH_RCU = LFSET_RCU,
    LFSET__PATH_HP = LFSET_HP,
    LFSET__PATH_OBSERVED = 2, /**< and one of these (observed.h) */
};

/** What all kinds of sets have in common; embedded first in each. */
struct lfset__set {
    _Alignas(LFSET__LINE) _Atomic(void *) root;
    _Atomic(uint32_t) waiting;   /**< threads that sleep until something changes (wait.h) */
    uint8_t path;                /**< enum lfset__path */
    _Atomic(uint8_t) floor_log2; /**< never smaller than this: capacity asked for */
    uint8_t lines;               /**< of the whole structure this is the beginning of */
    bool counts_alone; /**< nobody but the lanes counts what changes, or nobody wants to know */
    struct lfset_allocator allocator;
    const struct lfset__node_type *nodes;
    struct lfset__about *about; /**< NULL: neither a name, nor wanted to be observed */

    _Alignas(LFSET__LINE) _Atomic(int64_t) retired; /**< slices retired and not reclaimed */
    _Atomic(uint32_t) references;                   /**< the owner and each slice */
    _Atomic(int32_t) idle; /**< LIVE words of no use: a bitmap's empty regions */
    _Atomic(uint64_t) random;
    _Atomic(uint64_t) grows, shrinks, snapshots;
    _Atomic(uint32_t) purges, rehashes, clears;
    _Atomic(uint32_t) purging; /**< calls that want all idle words dropped */
};

/** Slots a key may take in a slice of 2^log2 home slots. Displacements must fit the log2 - 3 bits
 * that the hash leaves free in a word; large slices need more for high fill, but not so many. */
static inline uint32_t lfset__reach(unsigned log2)
{
    if (log2 <= 10) {
        return UINT32_C(1) << (log2 - LFSET__STATE_BITS);
    }
    return log2 >= 16 ? 1024 : UINT32_C(128) << ((log2 - 10) / 2);
}

/** How many slots are sampled. An update of a sampled slot writes where all others do; the fewer, the better,
 * but what is estimated from 500 of them is wrong by a few percent already. */
LFSET__INLINE unsigned lfset__sample_log2(unsigned log2)
{
    return log2 < 13 ? 3 : log2 < 15 ? 4 : 5;
}

LFSET__INLINE size_t lfset__slice_words(const struct lfset__slice *slice)
{
    return ((size_t)1 << slice->log2) + slice->reach - 1;
}

/** Whether the counters look at this word. Spread by a multiplication: keys that are multiples of a
 * power of two lie on a lattice of slots, and a sample at regular distances would see all or none. */
LFSET__INLINE bool lfset__is_sampled(const struct lfset__slice *slice,
                                     const _Atomic(uint64_t) *word)
{
    return (uint64_t)(uintptr_t)word * UINT64_C(0x9e3779b97f4a7c15) < slice->sample;
}

/** The words first ... end - 1 of `slice` that are a chunk of its succession by `next`. */
struct lfset__chunk {
    size_t first, end;
};

LFSET__INLINE struct lfset__chunk lfset__chunk_at(const struct lfset__slice *slice,
                                                  const struct lfset__slice *next, uint64_t index)
{
    size_t words = lfset__slice_words(slice), size = (size_t)1 << next->chunk_log2;
    size_t first = (size_t)index << next->chunk_log2;
    return (struct lfset__chunk){first, words - first < size ? words : first + size};
}

/** Words of a bitmap with one bit a chunk. */
LFSET__INLINE size_t lfset__bitmap_words(uint64_t chunks)
{
    return (size_t)((chunks + 63) / 64);
}

LFSET__INLINE bool lfset__gated(const struct lfset__slice *slice)
{
    return slice->kind != LFSET__RESIZE;
}

size_t lfset__slice_bytes(const struct lfset__slice *slice);

/** Slots for `live` keys: not so full that the next succession comes soon. */
unsigned lfset__log2_for_live(uint64_t live);
/** Slots for `capacity` keys to be added without another succession; 0 when no slice is so large.
 */
unsigned lfset__log2_for_capacity(uint64_t capacity);

/**
 * A new slice, private until published. @param before its predecessor, or NULL.
 * @return NULL for lack of memory.
 */
struct lfset__slice *lfset__slice_create(struct lfset__set *set, const struct lfset__slice *before,
                                         enum lfset__kind kind, unsigned log2, uint64_t multiplier);
void lfset__slice_hold(struct lfset__slice *slice);
/** Drops one reference; frees the slice with the last. */
void lfset__slice_drop(struct lfset__slice *slice);

/** What a kind of set is to lfset__set_create. */
struct lfset__set_type {
    enum lfset_kind kind;
    size_t size; /**< of a structure that begins with a struct lfset__set */
    const struct lfset__node_type *nodes;
    const struct lfset__about_ops *about;
};

/**
 * Makes a set; what is beyond its struct lfset__set is zero.
 * @param options NULL: the defaults. @return 0, -EINVAL, -ENOTSUP or -ENOMEM; then *set is NULL.
 */
int lfset__set_create(struct lfset__set **set, const struct lfset__set_type *type,
                      const struct lfset_options *options);
/** Lists the set in the registry, if it is to be: once it is whole. */
void lfset__set_list(struct lfset__set *set);
/** Frees the slices, the name and the set when nobody uses it. @return 0, -EDEADLK or -ENOMEM. */
int lfset__set_close(struct lfset__set *set);
void lfset__set_hold(struct lfset__set *set);
/** Drops one reference; frees the set with the last. */
void lfset__set_drop(struct lfset__set *set);
/** Options for another set like this one. */
void lfset__set_options(const struct lfset__set *set, struct lfset_options *options);
/** The multiplier for a slice that shall not repeat its predecessor's collisions. */
uint64_t lfset__set_multiplier(struct lfset__set *set);

/** So many idle words are not worth the trouble. */
enum { LFSET__IDLE_KEPT = 120 };

/** How many words a succession that began now would leave behind although they are LIVE. */
static inline uint64_t lfset__droppable(const struct lfset__set *set)
{
    int64_t idle = lfset__load_rlx(&set->idle);
    bool drop = idle > LFSET__IDLE_KEPT || (idle > 0 && lfset__load_rlx(&set->purging) > 0);
    return drop ? (uint64_t)idle : 0;
}

/** Words of a slice that are LIVE, by looking at each. */
uint64_t lfset__count_live(const struct lfset__slice *slice);
/** Estimates of words bound and live: by looking if small, else from the sampled counters. */
void lfset__estimate(const struct lfset__slice *slice, uint64_t *bound, uint64_t *live);
/** The same for the whole set, also in the middle of a succession. `root` and next are protected.
 */
uint64_t lfset__estimate_live(const struct lfset__slice *root, const struct lfset__slice *next);

/** Many keys are bound far from home: the multiplier is bad for them. */
bool lfset__is_clustered(const struct lfset__slice *slice);

/** The size and multiplier of the successor that a slice needs now. */
struct lfset__plan {
    unsigned log2;
    uint64_t multiplier;
};
struct lfset__plan lfset__plan_resize(struct lfset__set *set, const struct lfset__slice *slice);
/** @param crowded by keys of one hash, which no multiplier spreads. */
struct lfset__plan lfset__plan_overfull(struct lfset__set *set, const struct lfset__slice *slice,
                                        bool crowded);
struct lfset__plan lfset__plan_snapshot(struct lfset__set *set, const struct lfset__slice *slice);

LFSET__INLINE enum lfset_domain lfset__domain(const struct lfset__set *set)
{
    return (enum lfset_domain)(set->path & LFSET__PATH_HP);
}

LFSET__INLINE bool lfset__is_observed(const struct lfset__set *set)
{
    return lfset__unlikely(set->path >= LFSET__PATH_OBSERVED);
}

/** For the registry: that the set has changed, by the estimates of its slice. */
void lfset__note_change(struct lfset__set *set, struct lfset__slice *slice);
/** How many successions there were. */
void lfset__note_successions(const struct lfset__set *set);
/** That a succession by `next` begins. */
void lfset__note_succession(struct lfset__set *set, const struct lfset__slice *next);
/** That a slice is retired, and that it is reclaimed. */
void lfset__note_retired(struct lfset__set *set, struct lfset__retired *retired);
void lfset__note_reclaimed(struct lfset__set *set, const struct lfset__retired *retired);
/** That a snapshot keeps the slice. @return for lfset__retired_gone, when it does not any more. */
unsigned lfset__note_snapshot(struct lfset__set *set, const struct lfset__slice *slice);

/** Counts a finished succession. */
void lfset__count_succession(struct lfset__set *set, const struct lfset__slice *next);

/** EMPTY, frozen or not. */
LFSET__INLINE bool lfset__is_empty_word(uint64_t word)
{
    return (word & ~(uint64_t)LFSET__FROZEN) == 0;
}

/** [freeze] One word. seq_cst: a freeze takes part in the order that decides answers, because a
 * reader that meets a frozen word answers from another. Returns the word, which does not change any
 * more. */
LFSET__INLINE uint64_t lfset__freeze(_Atomic(uint64_t) *word)
{
    // `lock or` without fetching the old value, then a load: cheaper than a CAS loop, and
    // exact, since nothing changes a frozen word.
    (void)lfset__or_sc(word, LFSET__FROZEN);
    return lfset__load_sc(word);
}

#endif

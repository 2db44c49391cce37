// SPDX-License-Identifier: MIT
/**
 * @file u64.h
 * lfset_u64: a lock-free set of 64-bit integers. All 2^64 keys are legal.
 *
 * Progress: contains is lock-free and never writes to the set (wait-free once the set's slice stops
 * moving); add, remove and pop are lock-free: a stopped thread stops nobody else. The whole-set
 * operations (size, snapshot, clear, drain, is_empty answering 1) are lock-free too, but each takes
 * time proportional to the capacity, and the other threads help it along.
 *
 * Linearization: every function below takes effect at one instant between its call and its return,
 * except size_estimate, each and the statistics, which say so. Several keys at once (the *_many
 * functions) are that many single operations, each with its own instant.
 */
#ifndef LFSET_U64_H
#define LFSET_U64_H

#include "lfset.h"

#ifdef __cplusplus
extern "C" {
#endif

/** A set of 64-bit integers. */
struct lfset_u64;
/** What a set held at one instant; immutable, independent of the set's later life. */
struct lfset_u64_snapshot;

/** How to create a set. Fill with LFSET_U64_OPTIONS_INIT, then change what you need. */
struct lfset_u64_options {
    size_t size;                             /**< sizeof(struct lfset_u64_options) */
    enum lfset_domain domain;                /**< LFSET_RCU unless set */
    uint64_t capacity;                       /**< keys to have room for at once; 0: start small */
    const struct lfset_allocator *allocator; /**< NULL: malloc, and mmap for large slices; copied */
    uint64_t seed;    /**< hash seed; 0: random. Fix it for reproducible runs */
    const char *name; /**< for people and tools; NULL: none; copied, 63 bytes */
};

#define LFSET_U64_OPTIONS_INIT                                                                     \
    {                                                                                              \
        sizeof(struct lfset_u64_options), LFSET_RCU, 0, NULL, 0, NULL                              \
    }

/**
 * Creates an empty set and stores it in *set.
 * @param options NULL for the defaults: RCU, small, malloc, random seed, no name.
 * @return 0. -EINVAL: set is NULL, options->size is not one this library knows, the domain is
 * unknown, or the allocator lacks a function. -ENOMEM: no memory, or a capacity no machine has.
 * After a failure *set is NULL (when set is not).
 */
LFSET_API int lfset_u64_create(struct lfset_u64 **set, const struct lfset_u64_options *options);

/**
 * Destroys the set and frees its memory, all of it before it returns. No other thread may be using
 * the set or use it afterwards; snapshots taken from it stay valid.
 * @return 0, also for NULL. -EDEADLK: the calling thread is inside a section, or, RCU, inside
 * its own urcu_bp_read_lock; nothing was
 * destroyed.
 */
LFSET_API int lfset_u64_destroy(struct lfset_u64 *set);

/**
 * Adds a key. @return 1 when it was absent and now is present, 0 when it was present already.
 * -EINVAL: set is NULL. -ENOMEM: the set had to grow to hold the key and could not; nothing
 * changed. Memory order: sequentially consistent; release for what the caller wrote before, when it
 * returns 1.
 */
LFSET_API int lfset_u64_add(struct lfset_u64 *set, uint64_t key);

/**
 * Removes a key. @return 1 when it was present and now is absent, 0 when it was absent already.
 * -EINVAL: set is NULL. -ENOMEM: as for add (only while a growth is under way).
 */
LFSET_API int lfset_u64_remove(struct lfset_u64 *set, uint64_t key);

/**
 * @return 1 when the key is in the set, 0 when not. -EINVAL: set is NULL. -ENOMEM: the thread's
 * first operation, and it could not be attached (never after lfset_thread_attach).
 * Memory order: sequentially consistent; acquire for what the adder wrote before its add.
 */
LFSET_API int lfset_u64_contains(const struct lfset_u64 *set, uint64_t key);

/**
 * Removes some key, any, and stores it in *key. Which one is unspecified and not random. Answering 0
 * costs a snapshot of an almost empty set.
 * @return 1; 0 when the set was empty. -EINVAL: an argument is NULL. -ENOMEM: nothing changed.
 */
LFSET_API int lfset_u64_pop(struct lfset_u64 *set, uint64_t *key);

/**
 * Does the operation on each of `count` keys, in order, with the cache misses of up to 16 keys
 * overlapped. Cheaper than as many calls when the set is larger than the cache.
 * @param results NULL, or `count` bytes: results[i] becomes what the single call would have
 * returned for keys[i]: 1, 0, or a negative errno.
 * @return how many answered 1; or, when any key failed, that key's negative errno (the other keys
 * are done all the same, and `results` tells which). -EINVAL: set or keys is NULL (count > 0).
 */
LFSET_API int64_t lfset_u64_add_many(struct lfset_u64 *set, const uint64_t *keys, size_t count,
                                     int8_t *results);
/** @see lfset_u64_add_many */
LFSET_API int64_t lfset_u64_remove_many(struct lfset_u64 *set, const uint64_t *keys, size_t count,
                                        int8_t *results);
/** @see lfset_u64_add_many */
LFSET_API int64_t lfset_u64_contains_many(const struct lfset_u64 *set, const uint64_t *keys,
                                          size_t count, int8_t *results);

/**
 * Makes room for `capacity` keys in total now, so that adding them later needs no growth (short of
 * many keys that collide). The room is kept until reserve is called again, with less: reserve(set, 0)
 * lets the set shrink as it likes.
 * @return 0; -EINVAL: set is NULL; -ENOMEM: no memory, or a capacity no machine has. The set's
 * contents never change.
 */
LFSET_API int lfset_u64_reserve(struct lfset_u64 *set, uint64_t capacity);

/**
 * About how many keys are in the set, in constant time. Exact for small sets at rest; otherwise an
 * estimate from a sample of one slot in eight (standard error about 2.6 / sqrt(size)), and not of
 * one instant while others write. @return the estimate, or -EINVAL when set is NULL.
 */
LFSET_API int64_t lfset_u64_size_estimate(const struct lfset_u64 *set);

/**
 * Exactly how many keys the set held at one instant. Costs a snapshot.
 * @return the number; -EINVAL: set is NULL; -ENOMEM.
 */
LFSET_API int64_t lfset_u64_size(struct lfset_u64 *set);

/**
 * @return 1 when the set was empty at one instant, 0 when it was not; -EINVAL: set is NULL;
 * -ENOMEM. Cheap when a key is found soon; answering 1 costs a snapshot of an almost empty set.
 */
LFSET_API int lfset_u64_is_empty(struct lfset_u64 *set);

/**
 * Removes all keys at one instant. @return how many there were; -EINVAL: set is NULL; -ENOMEM:
 * nothing changed.
 */
LFSET_API int64_t lfset_u64_clear(struct lfset_u64 *set);

/**
 * Removes all keys at one instant and hands back what was there, as a snapshot.
 * @return 0 with *snapshot set; otherwise nothing changed and *snapshot is NULL: -EINVAL: an
 * argument is NULL; -ENOMEM.
 */
LFSET_API int lfset_u64_drain(struct lfset_u64 *set, struct lfset_u64_snapshot **snapshot);

/**
 * Stores in *snapshot what the set holds at one instant. The snapshot costs as much memory as the
 * set's slice until it is destroyed, and it may outlive the set.
 * @return 0; otherwise *snapshot is NULL: -EINVAL: an argument is NULL; -ENOMEM.
 */
LFSET_API int lfset_u64_snapshot_take(struct lfset_u64 *set, struct lfset_u64_snapshot **snapshot);

/**
 * Calls visit(key, ctx) for keys of the set, in no order, until it returns non-zero. A key that is
 * present from call to return is visited exactly once; a key that is added or removed meanwhile is
 * visited at most once, and only if it was present at an instant during the call (weakly
 * consistent). Nothing is held back while `visit` runs except the memory of a slice or two; visit
 * may use this set and others.
 * @return 0 after the last key; what visit returned when it stopped the iteration (use positive
 * values); -EINVAL: set or visit is NULL; -ENOMEM: the thread could not be attached.
 */
LFSET_API int lfset_u64_each(const struct lfset_u64 *set, int (*visit)(uint64_t key, void *ctx),
                             void *ctx);

/** @return how many keys the snapshot holds; -EINVAL when it is NULL. Constant time. */
LFSET_API int64_t lfset_u64_snapshot_count(const struct lfset_u64_snapshot *snapshot);

/** @return 1 when the key is in the snapshot, 0 when not; -EINVAL when snapshot is NULL. */
LFSET_API int lfset_u64_snapshot_contains(const struct lfset_u64_snapshot *snapshot, uint64_t key);

/**
 * Calls visit(key, ctx) for each key in ascending order until it returns non-zero. The first
 * ordered use sorts the keys once (8 bytes a key, from the set's allocator).
 * @return 0 after the last; what visit returned when it stopped; -EINVAL: NULL argument; -ENOMEM.
 */
LFSET_API int lfset_u64_snapshot_each(struct lfset_u64_snapshot *snapshot,
                                      int (*visit)(uint64_t key, void *ctx), void *ctx);

/**
 * Copies the keys in ascending order to keys[0 .. max-1]; the smallest ones when there are more.
 * @return how many were copied; -EINVAL: snapshot is NULL, or keys is and max > 0; -ENOMEM.
 */
LFSET_API int64_t lfset_u64_snapshot_copy(struct lfset_u64_snapshot *snapshot, uint64_t *keys,
                                          size_t max);

/** Frees a snapshot. NULL is harmless. No other thread may be using it. */
LFSET_API void lfset_u64_snapshot_destroy(struct lfset_u64_snapshot *snapshot);

/** What a set is made of. Not one instant while others write. */
struct lfset_u64_stats {
    size_t size; /**< in: sizeof(struct lfset_u64_stats) */
    enum lfset_domain domain;
    uint64_t capacity;  /**< slots of the current slice */
    uint64_t live;      /**< as lfset_u64_size_estimate */
    uint64_t bound;     /**< estimate of slots taken, by present and by removed keys */
    uint64_t bytes;     /**< allocated for the set and its current slices */
    uint64_t slices;    /**< 1 at rest, more during a succession */
    uint64_t grows;     /**< successions to a larger slice */
    uint64_t purges;    /**< successions to a slice of the same size */
    uint64_t shrinks;   /**< successions to a smaller slice */
    uint64_t rehashes;  /**< successions that also changed the hash, because keys clustered */
    uint64_t snapshots; /**< gated successions by snapshot, size, is_empty, pop */
    uint64_t clears;    /**< gated successions by clear and drain */
    uint64_t retired;   /**< slices retired and not freed yet */
    const char *name;   /**< never NULL; valid as long as the set */
};

/** @return 0; -EINVAL: NULL, or stats->size is not one this library knows; -ENOMEM: not attached.
 */
LFSET_API int lfset_u64_stats_read(const struct lfset_u64 *set, struct lfset_u64_stats *stats);

/**
 * Counts, for i < length, the bound slots of the current slice that lie i slots behind their home
 * into histogram[i]; what is farther counts in the last one. Costs a pass over the slice.
 * @return how many slots are bound; -EINVAL: NULL argument or length 0; -ENOMEM: not attached.
 */
LFSET_API int64_t lfset_u64_probe_lengths(const struct lfset_u64 *set, uint64_t *histogram,
                                          size_t length);

/**
 * For tests: checks the set's inner invariants. No other thread may be using the set.
 * @return 1 when they hold; 0 with *reason (when not NULL) a static text; -EINVAL: set is NULL.
 */
LFSET_API int lfset_u64_validate(const struct lfset_u64 *set, const char **reason);

#ifdef __cplusplus
}
#endif
#endif

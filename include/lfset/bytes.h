// SPDX-License-Identifier: MIT
/**
 * @file bytes.h
 * lfset_bytes: a lock-free set of byte strings. Any bytes, from none to LFSET_BYTES_MAX of them.
 * What is added is copied. The set is exact: keys are compared byte by byte, never by their hashes
 * alone.
 *
 * Hash: XXH3 with a secret of 192 random bytes for each set (xxHash, Yann Collet), so that nobody
 * can choose keys that collide without having seen the secret. A slice in which keys cluster is
 * succeeded by one with another spread.
 *
 * Memory: a key costs 16 bytes and its length beside the set's slots. A removed key's copy is kept
 * until the set's slice is succeeded, which happens by itself when removed keys outweigh present
 * ones, and at once with lfset_bytes_purge; after that, lfset_barrier waits until the memory is
 * back.
 *
 * Progress: contains is lock-free and never writes to the set (wait-free once the set's slice stops
 * moving); add, remove and pop are lock-free: a stopped thread stops nobody else. The whole-set
 * operations (size, snapshot, clear, drain, is_empty answering 1) are lock-free too, but each takes
 * time proportional to the capacity, and the other threads help it along.
 *
 * Linearization: every function below takes effect at one instant between its call and its return,
 * except size_estimate, each and the statistics, which say so. Several keys at once (the *_many
 * functions) are that many single operations, each with its own instant, in any order.
 *
 * Cancellation: functions that take a `cancel` token (cancel.h; NULL: none) answer -ECANCELED or
 * -ETIMEDOUT when it says so before they are done. size, snapshot_take and reserve have changed
 * nothing then; clear and drain are cancelled before they take effect or not at all.
 */
#ifndef LFSET_BYTES_H
#define LFSET_BYTES_H

#include <stdio.h>

#include "lfset.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The longest key: 2^32 - 1 bytes. */
#define LFSET_BYTES_MAX UINT32_MAX

/** A set of byte strings. */
struct lfset_bytes;
/** What a set held at one instant; immutable, independent of the set's later life. */
struct lfset_bytes_snapshot;

/**
 * Creates an empty set and stores it in *set. After a failure *set is NULL (when set is not).
 * @param options NULL for the defaults: RCU, small, malloc, random seed, no name.
 * @return 0. -EINVAL: set is NULL, options->size is not one this library knows, the domain is
 * unknown, or the allocator lacks a function. -ENOMEM: no memory, or a capacity no machine has.
 */
LFSET_API int lfset_bytes_create(struct lfset_bytes **set, const struct lfset_options *options);

/**
 * Destroys the set and frees its memory, all of it before it returns. No other thread may be using
 * the set or use it afterwards; snapshots taken from it stay valid.
 * @return 0, also for NULL. -EDEADLK: the calling thread is inside a section, or, RCU, inside its
 * own urcu_bp_read_lock; nothing was destroyed.
 */
LFSET_API int lfset_bytes_destroy(struct lfset_bytes *set);

/**
 * Adds a copy of a key. Memory order: sequentially consistent; release for what the caller wrote
 * before, when it answers 1.
 * @return 1 when it was absent and now is present, 0 when it was present already. -EINVAL: set is
 * NULL, or key is and length is not 0. -E2BIG: longer than LFSET_BYTES_MAX. -ENOMEM: no memory for
 * the copy, or for the set to grow; nothing changed. -ENOSPC: the set's guard refuses the key
 * (observe.h).
 */
LFSET_API int lfset_bytes_add(struct lfset_bytes *set, const void *key, size_t length);

/**
 * Removes a key.
 * @return 1 when it was present and now is absent, 0 when it was absent already (as any key is that
 * is longer than LFSET_BYTES_MAX). -EINVAL: set is NULL, or key is and length is not 0. -ENOMEM: as
 * for add (only while a growth is under way).
 */
LFSET_API int lfset_bytes_remove(struct lfset_bytes *set, const void *key, size_t length);

/**
 * Tells whether a key is in the set. Memory order: sequentially consistent; acquire for what the
 * adder wrote before its add.
 * @return 1 when the key is in the set, 0 when not. -EINVAL: set is NULL, or key is and length is
 * not 0. -ENOMEM: it is the thread's first operation, and the thread could not be attached (never
 * after lfset_thread_attach).
 */
LFSET_API int lfset_bytes_contains(const struct lfset_bytes *set, const void *key, size_t length);

/**
 * Removes some key, any, and copies it to `buffer`. Which one is unspecified and not random.
 * Answering 0 costs a snapshot of an almost empty set.
 * @param size how long `buffer` is.
 * @param length becomes the key's length.
 * @return 1; 0 when the set was empty. -ENOBUFS: the key found is longer than `size`; *length tells
 * how long, and nothing was removed. -EINVAL: set or length is NULL, or buffer is and size is not
 * 0. -ENOMEM: nothing changed.
 */
LFSET_API int lfset_bytes_pop(struct lfset_bytes *set, void *buffer, size_t size, size_t *length);

/**
 * Adds, removes or looks for each of `count` keys, in order. The cache misses of up to 16 keys
 * overlap: cheaper than as many calls when the set is larger than the cache.
 * @param results NULL, or `count` bytes: results[i] becomes what the single call would have
 * returned for keys[i]: 1, 0, or a negative errno.
 * @return how many answered 1; or, when any key failed, that key's negative errno (the other keys
 * are done all the same, and `results` tells which). -EINVAL: set or keys is NULL (count > 0).
 */
LFSET_API int64_t lfset_bytes_add_many(struct lfset_bytes *set, const struct lfset_string *keys,
                                       size_t count, int8_t *results);
/** @see lfset_bytes_add_many */
LFSET_API int64_t lfset_bytes_remove_many(struct lfset_bytes *set, const struct lfset_string *keys,
                                          size_t count, int8_t *results);
/** @see lfset_bytes_add_many */
LFSET_API int64_t lfset_bytes_contains_many(const struct lfset_bytes *set,
                                            const struct lfset_string *keys, size_t count,
                                            int8_t *results);

/**
 * Makes room for `capacity` keys in total now. Adding them later then needs no growth (short of
 * many keys that collide). The room is kept until reserve is called again, with less: reserve(set,
 * 0) lets the set shrink as it likes. The set's contents never change.
 * @return 0. -EINVAL: set is NULL. -ENOMEM: no memory, or a capacity no machine has.
 */
LFSET_API int lfset_bytes_reserve(struct lfset_bytes *set, uint64_t capacity,
                                  const struct lfset_cancel *cancel);

/**
 * Estimates how many keys are in the set, in constant time. Exact for small sets at rest; otherwise
 * from a sample of one slot in 8, of one in 32 from some 10^4 keys on (standard error about
 * 2.6 / sqrt(size), then 5.6 / sqrt(size)), and not of one instant while others write.
 * @return the estimate. -EINVAL: set is NULL.
 */
LFSET_API int64_t lfset_bytes_size_estimate(const struct lfset_bytes *set);

/**
 * Counts exactly how many keys the set held at one instant. Costs a snapshot.
 * @return the number. -EINVAL: set is NULL. -ENOMEM.
 */
LFSET_API int64_t lfset_bytes_size(struct lfset_bytes *set, const struct lfset_cancel *cancel);

/**
 * Tells whether the set was empty at one instant. Cheap when a key is found soon; answering 1 costs
 * a snapshot of an almost empty set.
 * @return 1 when it was empty, 0 when it was not. -EINVAL: set is NULL. -ENOMEM.
 */
LFSET_API int lfset_bytes_is_empty(struct lfset_bytes *set);

/**
 * Removes all keys at one instant.
 * @return how many there were. -EINVAL: set is NULL. -ENOMEM: nothing changed.
 */
LFSET_API int64_t lfset_bytes_clear(struct lfset_bytes *set, const struct lfset_cancel *cancel);

/**
 * Removes all keys at one instant and hands back what was there, as a snapshot. After a failure
 * nothing has changed and *snapshot is NULL.
 * @return 0 with the keys in *snapshot. -EINVAL: an argument is NULL. -ENOMEM.
 */
LFSET_API int lfset_bytes_drain(struct lfset_bytes *set, struct lfset_bytes_snapshot **snapshot,
                                const struct lfset_cancel *cancel);

/**
 * Stores in *snapshot what the set holds at one instant. The snapshot costs as much memory as the
 * set's slice until it is destroyed, and it may outlive the set. After a failure *snapshot is NULL.
 * @return 0. -EINVAL: an argument is NULL. -ENOMEM.
 */
LFSET_API int lfset_bytes_snapshot_take(struct lfset_bytes *set,
                                        struct lfset_bytes_snapshot **snapshot,
                                        const struct lfset_cancel *cancel);

/**
 * Calls visit(key, length, ctx) for the keys of the set, in no order. Goes on until visit returns
 * non-zero. A key that is present from call to return is visited exactly once; a key that is added
 * or removed meanwhile is visited at most once, and only if it was present at an instant during the
 * call (weakly consistent). Nothing is held back while `visit` runs except the memory of a slice or
 * two; visit may use this set and others.
 * @return 0 after the last key; what visit returned when it stopped the iteration (use positive
 * values). -EINVAL: set or visit is NULL. -ENOMEM: the thread could not be attached.
 */
LFSET_API int lfset_bytes_each(const struct lfset_bytes *set,
                               int (*visit)(const void *key, size_t length, void *ctx), void *ctx,
                               const struct lfset_cancel *cancel);

/**
 * Counts the keys of a snapshot, in constant time.
 * @return the number. -EINVAL: snapshot is NULL.
 */
LFSET_API int64_t lfset_bytes_snapshot_count(const struct lfset_bytes_snapshot *snapshot);

/**
 * Tells whether a key is in a snapshot.
 * @return 1 when it is, 0 when not. -EINVAL: snapshot is NULL, or key is and length is not 0.
 */
LFSET_API int lfset_bytes_snapshot_contains(const struct lfset_bytes_snapshot *snapshot,
                                            const void *key, size_t length);

/**
 * Calls visit(key, length, ctx) for each key of a snapshot, in ascending order. Goes on until visit
 * returns non-zero. The order is memcmp's; of two keys that begin alike the shorter one comes
 * first. The first ordered use sorts the keys once (16 bytes a key, from the set's allocator).
 * @return 0 after the last; what visit returned when it stopped. -EINVAL: an argument is NULL.
 * -ENOMEM.
 */
LFSET_API int lfset_bytes_snapshot_each(struct lfset_bytes_snapshot *snapshot,
                                        int (*visit)(const void *key, size_t length, void *ctx),
                                        void *ctx, const struct lfset_cancel *cancel);

/**
 * Stores a snapshot's keys, in ascending order, in keys[0 .. max-1]. The smallest ones when there
 * are more. They point into the snapshot and are valid as long as it.
 * @return how many were stored. -EINVAL: snapshot is NULL, or keys is and max > 0. -ENOMEM.
 */
LFSET_API int64_t lfset_bytes_snapshot_copy(struct lfset_bytes_snapshot *snapshot,
                                            struct lfset_string *keys, size_t max);

/** Frees a snapshot. NULL is harmless. No other thread may be using it. */
LFSET_API void lfset_bytes_snapshot_destroy(struct lfset_bytes_snapshot *snapshot);

/**
 * Fills in *stats, whose `size` the caller has set. Cheap; not of one instant while others write.
 * @return 0. -EINVAL: an argument is NULL, or stats->size is not one this library knows. -ENOMEM:
 * the thread could not be attached.
 */
LFSET_API int lfset_bytes_stats_read(const struct lfset_bytes *set, struct lfset_stats *stats);

/**
 * Counts how far keys lie from their home slots. histogram[i], for i < length, becomes the number
 * of bound slots of the current slice that lie i slots behind their home; what is farther counts in
 * the last one. Costs a pass over the slice.
 * @return how many slots are bound. -EINVAL: an argument is NULL, or length is 0. -ENOMEM: the
 * thread could not be attached.
 */
LFSET_API int64_t lfset_bytes_probe_lengths(const struct lfset_bytes *set, uint64_t *histogram,
                                            size_t length);

/**
 * Checks the set's inner invariants, for tests. No other thread may be using the set.
 * @return 1 when they hold; 0 with a static text in *reason (when reason is not NULL). -EINVAL: set
 * is NULL.
 */
LFSET_API int lfset_bytes_validate(const struct lfset_bytes *set, const char **reason);

/**
 * Frees the copies of removed keys, once nobody can be looking at them. (lfset_barrier waits for
 * that.) One succession, in time proportional to the capacity; nothing to do when no slot holds a
 * removed key.
 * @return 1 when there was something to purge, 0 when not. -EINVAL: set is NULL. -ENOMEM.
 */
LFSET_API int lfset_bytes_purge(struct lfset_bytes *set);

/* ---- more than one key, more than one set ---------------------------------------------------- */

/**
 * Removes the keys for which `unwanted` answers 1. Each key is removed on its own: `unwanted` saw
 * the key at an instant at which it was present, and it is removed if it is present still. Keys
 * added meanwhile may or may not be asked about. `unwanted` may use this set and others; a negative
 * answer stops, and is returned.
 * @return how many were removed. -EINVAL: set or unwanted is NULL. -ENOMEM, -ECANCELED, -ETIMEDOUT:
 * some were removed.
 */
LFSET_API int64_t lfset_bytes_remove_if(struct lfset_bytes *set,
                                        int (*unwanted)(const void *key, size_t length, void *ctx),
                                        void *ctx, const struct lfset_cancel *cancel);

/**
 * Makes a new set of what `set` held at one instant. After a failure *copy is NULL.
 * @param options of the new set; NULL: like `set`, without a name.
 * @return 0. -EINVAL. -EDEADLK: inside a section. -ENOMEM. -ECANCELED. -ETIMEDOUT.
 */
LFSET_API int lfset_bytes_clone(struct lfset_bytes *set, struct lfset_bytes **copy,
                                const struct lfset_options *options,
                                const struct lfset_cancel *cancel);

/**
 * Makes a new set of two: their union, intersection and so on. Each input is read at one instant
 * (its snapshot), the first before the second, so together they may be two instants. Both may be
 * the same set. No locks: any number of threads may combine the same sets in any order. After a
 * failure *result is NULL.
 * @param options of the new set; NULL: like `a` (snapshots: the defaults), without a name.
 * @return 0. -EINVAL. -EDEADLK: inside a section. -ENOMEM. -ECANCELED. -ETIMEDOUT.
 */
LFSET_API int lfset_bytes_combine(struct lfset_bytes *a, enum lfset_combination combination,
                                  struct lfset_bytes *b, struct lfset_bytes **result,
                                  const struct lfset_options *options,
                                  const struct lfset_cancel *cancel);
/** As lfset_bytes_combine, of a set and a snapshot. */
LFSET_API int lfset_bytes_combine_snapshot(struct lfset_bytes *a,
                                           enum lfset_combination combination,
                                           struct lfset_bytes_snapshot *b,
                                           struct lfset_bytes **result,
                                           const struct lfset_options *options,
                                           const struct lfset_cancel *cancel);
/** As lfset_bytes_combine, of two snapshots. */
LFSET_API int lfset_bytes_snapshot_combine(struct lfset_bytes_snapshot *a,
                                           enum lfset_combination combination,
                                           struct lfset_bytes_snapshot *b,
                                           struct lfset_bytes **result,
                                           const struct lfset_options *options,
                                           const struct lfset_cancel *cancel);

/**
 * Makes `set` the combination of itself and `other`, in place. `other` is read at one instant, and
 * so is `set` where what it holds matters (LFSET_INTERSECTION, LFSET_SYMMETRIC_DIFFERENCE). Then
 * each key is added or removed on its own, so that others see the change happen key by key.
 * @return how many keys changed. -EINVAL. -ENOMEM, -ECANCELED, -ETIMEDOUT: some keys were changed.
 */
LFSET_API int64_t lfset_bytes_apply(struct lfset_bytes *set, enum lfset_combination combination,
                                    struct lfset_bytes *other, const struct lfset_cancel *cancel);
/** As lfset_bytes_apply, with a snapshot. */
LFSET_API int64_t lfset_bytes_apply_snapshot(struct lfset_bytes *set,
                                             enum lfset_combination combination,
                                             struct lfset_bytes_snapshot *other,
                                             const struct lfset_cancel *cancel);

/**
 * Tells how two sets are related. Each is read at one instant, as by lfset_bytes_combine.
 * @return the bits of enum lfset_relation that hold (at least one of LFSET_DISJOINT and
 * LFSET_INTERSECTS is among them). -EINVAL. -ENOMEM. -ECANCELED. -ETIMEDOUT.
 */
LFSET_API int lfset_bytes_compare(struct lfset_bytes *a, struct lfset_bytes *b,
                                  const struct lfset_cancel *cancel);
/** As lfset_bytes_compare, of a set and a snapshot. */
LFSET_API int lfset_bytes_compare_snapshot(struct lfset_bytes *a, struct lfset_bytes_snapshot *b,
                                           const struct lfset_cancel *cancel);
/** As lfset_bytes_compare, of two snapshots. */
LFSET_API int lfset_bytes_snapshot_compare(struct lfset_bytes_snapshot *a,
                                           struct lfset_bytes_snapshot *b,
                                           const struct lfset_cancel *cancel);

/* ---- files (format: lfset-file(5)) ----------------------------------------------------------- */

/**
 * Saves what the set holds at one instant to a file. lfset_bytes_save_fd writes to a descriptor,
 * from where it stands.
 * @return 0. -EINVAL. -ENOMEM. -ECANCELED, -ETIMEDOUT: a part was written, which load refuses.
 * -errno: that of a write; likewise.
 */
LFSET_API int lfset_bytes_save_fd(struct lfset_bytes *set, int fd,
                                  const struct lfset_cancel *cancel);
/**
 * Saves to a file of this name: written beside it, synced, and renamed over it, so that `path` is
 * the old file or the new one at any time.
 */
LFSET_API int lfset_bytes_save(struct lfset_bytes *set, const char *path,
                               const struct lfset_cancel *cancel);

/**
 * Adds the keys of a saved set, from a file. The file is read and checked whole first: what is
 * truncated, corrupted or of another kind changes nothing. lfset_bytes_load_fd reads a descriptor,
 * from where it stands.
 * @param why NULL, or where to store a static text that says what was wrong with the file.
 * @return how many keys were added that were not there. -EINVAL: set or path is NULL. -EBADMSG: not
 * a saved set of this kind, or damaged. -ENOTSUP: of a newer format. -ENOMEM, -ECANCELED,
 * -ETIMEDOUT: some keys may have been added when the reading was done. -errno: that of a read.
 */
LFSET_API int64_t lfset_bytes_load_fd(struct lfset_bytes *set, int fd, const char **why,
                                      const struct lfset_cancel *cancel);
/** Loads from a file of this name. */
LFSET_API int64_t lfset_bytes_load(struct lfset_bytes *set, const char *path, const char **why,
                                   const struct lfset_cancel *cancel);

/**
 * Prints what the set holds at one instant, in order, as C string literals. As in {"apple",
 * "pear\n"}.
 * @param max print at most so many, then "... (N in all)"; 0: all.
 * @return 0. -EINVAL. -ENOMEM. -ECANCELED. -ETIMEDOUT. -EIO: writing failed.
 */
LFSET_API int lfset_bytes_print(struct lfset_bytes *set, FILE *file, uint64_t max,
                                const struct lfset_cancel *cancel);

/* ---- waiting --------------------------------------------------------------------------------- */

/**
 * Sleeps until the key is in the set, is not in it, or the set is empty. Nobody polls: who makes it
 * so, cancels the token or lets it expire wakes the sleeper.
 * @return 0: it was so at an instant during the call. -ECANCELED. -ETIMEDOUT. -EINVAL: set is NULL,
 * or key is and length is not 0. -E2BIG: a key longer than LFSET_BYTES_MAX will never be present.
 * -EDEADLK: inside a section or the
 * program's own urcu_bp_read_lock, which would hold back memory meanwhile. -ENOMEM.
 */
LFSET_API int lfset_bytes_wait_present(struct lfset_bytes *set, const void *key, size_t length,
                                       const struct lfset_cancel *cancel);
/** @see lfset_bytes_wait_present */
LFSET_API int lfset_bytes_wait_absent(struct lfset_bytes *set, const void *key, size_t length,
                                      const struct lfset_cancel *cancel);
/** @see lfset_bytes_wait_present */
LFSET_API int lfset_bytes_wait_empty(struct lfset_bytes *set, const struct lfset_cancel *cancel);

#ifdef __cplusplus
}
#endif
#endif

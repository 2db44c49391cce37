// SPDX-License-Identifier: MIT
/**
 * @file obj.h
 * lfset_obj: a lock-free set of the user's own objects, compared by callbacks. The set owns what it
 * accepted: it calls `destroy` exactly once for each object, after the object was removed (or the
 * set destroyed) and nobody can hold it any more.
 *
 * References: a pointer that get, add_or_get or pop hands out is valid until the section it was got
 * in ends (lfset_section_enter, lfset_section_leave), whatever is removed, purged or cleared
 * meanwhile. Such a section uses the set: do not destroy it before. LFSET_RCU: for free. LFSET_HP:
 * each costs an atomic increment of the object's count and a place in a list of the thread's, and
 * holds back that object only; lfset_barrier does not wait for it.
 *
 * When an object is destroyed: a removed one is kept until the set's slice is succeeded, which
 * happens by itself when removed objects outweigh present ones, and at once with lfset_obj_purge;
 * after that, lfset_barrier waits until it is destroyed. `destroy` runs in any thread that uses a
 * set of the domain (LFSET_HP) or in liburcu's call_rcu thread (LFSET_RCU). What was removed or
 * popped is the set's until then: do not add it again, that would destroy it twice.
 *
 * Callbacks. hash and equal must be pure: the same answer for the same objects as long as they are
 * in a set, and no calls into lfset. equal may be called with a key of the caller's second.
 * destroy, visit and unwanted may use this set and others, but destroy may not call lfset_barrier
 * or destroy a set (they answer -EDEADLK), nor fork.
 *
 * Keys of one hash are told apart by equal, but there is room for a few hundred of them only; add
 * answers -ENOMEM beyond.
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
#ifndef LFSET_OBJ_H
#define LFSET_OBJ_H

#include <stdio.h>

#include "lfset.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How the objects of a set are compared and destroyed. */
struct lfset_obj_type {
    size_t size; /**< sizeof(struct lfset_obj_type) */
    void *ctx;   /**< handed to every callback */
    /** Equal objects must have equal hashes. Any quality will do that spreads over 64 bits; chosen
     * objects are as dangerous as this function lets them be. */
    uint64_t (*hash)(void *ctx, const void *key);
    /** Whether a stored object and a key (an object, or what the user calls get with) are equal. */
    int (*equal)(void *ctx, const void *object, const void *key);
    /** Called once for each object the set accepted. NULL: nothing is to be done. */
    void (*destroy)(void *ctx, void *object);
    /** Order of snapshots: negative, 0, positive. NULL: in no order. */
    int (*compare)(void *ctx, const void *a, const void *b);
    /** How to print one; negative stops. NULL: its address. */
    int (*print)(void *ctx, const void *object, FILE *file);
    size_t object_bytes; /**< about how much memory one takes, for purging in time; 0: 64 */
};

#define LFSET_OBJ_TYPE_INIT                                                                        \
    {                                                                                              \
        sizeof(struct lfset_obj_type), NULL, NULL, NULL, NULL, NULL, NULL, 0                       \
    }

/** A set of objects. */
struct lfset_obj;
/** What a set held at one instant; immutable, independent of the set's later life. */
struct lfset_obj_snapshot;

/**
 * Creates an empty set and stores it in *set. After a failure *set is NULL (when set is not).
 * @param type copied; hash and equal must not be NULL.
 * @param options NULL for the defaults: RCU, small, malloc, random seed, no name.
 * @return 0. -EINVAL: set or type is NULL, type->size or options->size is not one this library
 * knows, the domain is unknown, or the type or the allocator lacks a function. -ENOMEM: no memory,
 * or a capacity no machine has.
 */
LFSET_API int lfset_obj_create(struct lfset_obj **set, const struct lfset_obj_type *type,
                               const struct lfset_options *options);

/**
 * Destroys the set and frees its memory, all of it before it returns. No other thread may be using
 * the set or use it afterwards; snapshots taken from it stay valid.
 * @return 0, also for NULL. -EDEADLK: the calling thread is inside a section, or, RCU, inside its
 * own urcu_bp_read_lock; nothing was destroyed.
 */
LFSET_API int lfset_obj_destroy(struct lfset_obj *set);

/**
 * Adds an object. Memory order: sequentially consistent; release for what the caller wrote before,
 * the object's contents included, when it answers 1.
 * @return 1 when no equal one was there: the set owns it now; 0 when one was: the caller keeps this
 * one. -EINVAL: an argument is NULL. -ENOMEM: the caller keeps it, nothing changed.
 * -ENOSPC: the same; the set's guard refuses it (observe.h).
 */
LFSET_API int lfset_obj_add(struct lfset_obj *set, void *object);

/**
 * Adds an object unless an equal one is there, and hands out which is (interning). Only within a
 * section, until whose end *present is valid.
 * @return 1: the set owns `object`, and *present is `object`; 0: *present is the one that was
 * there, and the caller keeps `object`. -EINVAL: an argument is NULL. -EPERM: no section is open.
 * -ENOMEM: nothing changed.
 */
LFSET_API int lfset_obj_add_or_get(struct lfset_obj *set, void *object, void **present);

/**
 * Finds the object that equals `key`. Only within a section, until whose end *object is valid.
 * @return 1 with *object; 0 when there is none (*object is NULL). -EINVAL: an argument is NULL.
 * -EPERM: no section is open. -ENOMEM: the reference could not be recorded.
 */
LFSET_API int lfset_obj_get(const struct lfset_obj *set, const void *key, void **object);

/**
 * Removes the object that equals `key`.
 * @return 1 when there was one, 0 when there was none. -EINVAL: an argument is NULL. -ENOMEM: as
 * for add (only while a growth is under way).
 */
LFSET_API int lfset_obj_remove(struct lfset_obj *set, const void *key);

/**
 * Tells whether an object that equals `key` is in the set. Memory order: sequentially consistent;
 * acquire for what the adder wrote before its add.
 * @return 1 when one is, 0 when not. -EINVAL: an argument is NULL. -ENOMEM: it is the thread's
 * first operation, and the thread could not be attached (never after lfset_thread_attach).
 */
LFSET_API int lfset_obj_contains(const struct lfset_obj *set, const void *key);

/**
 * Removes some object, any, and stores it in *object. Only within a section, until whose end
 * *object is valid; it is destroyed afterwards like every removed one. Which one is unspecified and
 * not random. Answering 0 costs a snapshot of an almost empty set.
 * @return 1; 0 when the set was empty. -EINVAL: an argument is NULL. -EPERM: no section is open.
 * -ENOMEM: nothing changed.
 */
LFSET_API int lfset_obj_pop(struct lfset_obj *set, void **object);

/**
 * Adds, removes or looks for each of `count` keys, in order. The cache misses of up to 16 keys
 * overlap: cheaper than as many calls when the set is larger than the cache.
 * @param results NULL, or `count` bytes: results[i] becomes what the single call would have
 * returned for keys[i]: 1, 0, or a negative errno.
 * @return how many answered 1; or, when any key failed, that key's negative errno (the other keys
 * are done all the same, and `results` tells which). -EINVAL: set or keys is NULL (count > 0).
 */
LFSET_API int64_t lfset_obj_add_many(struct lfset_obj *set, void *const *keys, size_t count,
                                     int8_t *results);
/** @see lfset_obj_add_many */
LFSET_API int64_t lfset_obj_remove_many(struct lfset_obj *set, const void *const *keys,
                                        size_t count, int8_t *results);
/** @see lfset_obj_add_many */
LFSET_API int64_t lfset_obj_contains_many(const struct lfset_obj *set, const void *const *keys,
                                          size_t count, int8_t *results);

/**
 * Makes room for `capacity` keys in total now. Adding them later then needs no growth (short of
 * many keys that collide). The room is kept until reserve is called again, with less: reserve(set,
 * 0) lets the set shrink as it likes. The set's contents never change.
 * @return 0. -EINVAL: set is NULL. -ENOMEM: no memory, or a capacity no machine has.
 */
LFSET_API int lfset_obj_reserve(struct lfset_obj *set, uint64_t capacity,
                                const struct lfset_cancel *cancel);

/**
 * Estimates how many keys are in the set, in constant time. Exact for small sets at rest; otherwise
 * from a sample of one slot in 8, of one in 32 from some 10^4 keys on (standard error about
 * 2.6 / sqrt(size), then 5.6 / sqrt(size)), and not of one instant while others write.
 * @return the estimate. -EINVAL: set is NULL.
 */
LFSET_API int64_t lfset_obj_size_estimate(const struct lfset_obj *set);

/**
 * Counts exactly how many keys the set held at one instant. Costs a snapshot.
 * @return the number. -EINVAL: set is NULL. -ENOMEM.
 */
LFSET_API int64_t lfset_obj_size(struct lfset_obj *set, const struct lfset_cancel *cancel);

/**
 * Tells whether the set was empty at one instant. Cheap when a key is found soon; answering 1 costs
 * a snapshot of an almost empty set.
 * @return 1 when it was empty, 0 when it was not. -EINVAL: set is NULL. -ENOMEM.
 */
LFSET_API int lfset_obj_is_empty(struct lfset_obj *set);

/**
 * Removes all keys at one instant.
 * @return how many there were. -EINVAL: set is NULL. -ENOMEM: nothing changed.
 */
LFSET_API int64_t lfset_obj_clear(struct lfset_obj *set, const struct lfset_cancel *cancel);

/**
 * Removes all keys at one instant and hands back what was there, as a snapshot. After a failure
 * nothing has changed and *snapshot is NULL.
 * @return 0 with the keys in *snapshot. -EINVAL: an argument is NULL. -ENOMEM.
 */
LFSET_API int lfset_obj_drain(struct lfset_obj *set, struct lfset_obj_snapshot **snapshot,
                              const struct lfset_cancel *cancel);

/**
 * Stores in *snapshot what the set holds at one instant. The snapshot costs as much memory as the
 * set's slice until it is destroyed, and it may outlive the set. After a failure *snapshot is NULL.
 * @return 0. -EINVAL: an argument is NULL. -ENOMEM.
 */
LFSET_API int lfset_obj_snapshot_take(struct lfset_obj *set, struct lfset_obj_snapshot **snapshot,
                                      const struct lfset_cancel *cancel);

/**
 * Calls visit(object, ctx) for the keys of the set, in no order. Goes on until visit returns
 * non-zero. A key that is present from call to return is visited exactly once; a key that is added
 * or removed meanwhile is visited at most once, and only if it was present at an instant during the
 * call (weakly consistent). Nothing is held back while `visit` runs except the memory of a slice or
 * two; visit may use this set and others.
 * @return 0 after the last key; what visit returned when it stopped the iteration (use positive
 * values). -EINVAL: set or visit is NULL. -ENOMEM: the thread could not be attached.
 */
LFSET_API int lfset_obj_each(const struct lfset_obj *set, int (*visit)(void *object, void *ctx),
                             void *ctx, const struct lfset_cancel *cancel);

/**
 * Counts the keys of a snapshot, in constant time.
 * @return the number. -EINVAL: snapshot is NULL.
 */
LFSET_API int64_t lfset_obj_snapshot_count(const struct lfset_obj_snapshot *snapshot);

/**
 * Tells whether a key is in a snapshot.
 * @return 1 when it is, 0 when not. -EINVAL: snapshot is NULL.
 */
LFSET_API int lfset_obj_snapshot_contains(const struct lfset_obj_snapshot *snapshot,
                                          const void *key);

/**
 * Calls visit(object, ctx) for each key of a snapshot, in order. Goes on until visit returns
 * non-zero. The order is that of lfset_obj_type.compare, or none. The first ordered use sorts the
 * keys once (16 bytes a key, from the set's allocator).
 * @return 0 after the last; what visit returned when it stopped. -EINVAL: an argument is NULL.
 * -ENOMEM.
 */
LFSET_API int lfset_obj_snapshot_each(struct lfset_obj_snapshot *snapshot,
                                      int (*visit)(void *object, void *ctx), void *ctx,
                                      const struct lfset_cancel *cancel);

/**
 * Stores a snapshot's objects, in order, in objects[0 .. max-1]. The order is that of
 * lfset_obj_type.compare; the first ones when there are more. They are valid as long as the
 * snapshot.
 * @return how many were stored. -EINVAL: snapshot is NULL, or objects is and max > 0. -ENOMEM.
 */
LFSET_API int64_t lfset_obj_snapshot_copy(struct lfset_obj_snapshot *snapshot, void **objects,
                                          size_t max);

/** Frees a snapshot. NULL is harmless. No other thread may be using it. */
LFSET_API void lfset_obj_snapshot_destroy(struct lfset_obj_snapshot *snapshot);

/**
 * Fills in *stats, whose `size` the caller has set. Cheap; not of one instant while others write.
 * @return 0. -EINVAL: an argument is NULL, or stats->size is not one this library knows. -ENOMEM:
 * the thread could not be attached.
 */
LFSET_API int lfset_obj_stats_read(const struct lfset_obj *set, struct lfset_stats *stats);

/**
 * Counts how far keys lie from their home slots. histogram[i], for i < length, becomes the number
 * of bound slots of the current slice that lie i slots behind their home; what is farther counts in
 * the last one. Costs a pass over the slice.
 * @return how many slots are bound. -EINVAL: an argument is NULL, or length is 0. -ENOMEM: the
 * thread could not be attached.
 */
LFSET_API int64_t lfset_obj_probe_lengths(const struct lfset_obj *set, uint64_t *histogram,
                                          size_t length);

/**
 * Checks the set's inner invariants, for tests. No other thread may be using the set.
 * @return 1 when they hold; 0 with a static text in *reason (when reason is not NULL). -EINVAL: set
 * is NULL.
 */
LFSET_API int lfset_obj_validate(const struct lfset_obj *set, const char **reason);

/**
 * Destroys removed objects, once nobody can be holding them. (lfset_barrier waits for that.) One
 * succession, in time proportional to the capacity; nothing to do when no slot holds a removed key.
 * @return 1 when there was something to purge, 0 when not. -EINVAL: set is NULL. -ENOMEM.
 */
LFSET_API int lfset_obj_purge(struct lfset_obj *set);

/* ---- more than one key, more than one set ---------------------------------------------------- */

/**
 * Removes the keys for which `unwanted` answers 1. Each key is removed on its own: `unwanted` saw
 * the key at an instant at which it was present, and it is removed if it is present still. Keys
 * added meanwhile may or may not be asked about. `unwanted` may use this set and others; a negative
 * answer stops, and is returned.
 * @return how many were removed. -EINVAL: set or unwanted is NULL. -ENOMEM, -ECANCELED, -ETIMEDOUT:
 * some were removed.
 */
LFSET_API int64_t lfset_obj_remove_if(struct lfset_obj *set,
                                      int (*unwanted)(void *object, void *ctx), void *ctx,
                                      const struct lfset_cancel *cancel);

/**
 * Makes a new set of what `set` held at one instant. The two share the objects: each is destroyed
 * when the last set, snapshot and section has let go of it. After a failure *copy is NULL.
 * @param options of the new set; NULL: like `set`, without a name.
 * @return 0. -EINVAL. -EDEADLK: inside a section. -ENOMEM. -ECANCELED. -ETIMEDOUT.
 */
LFSET_API int lfset_obj_clone(struct lfset_obj *set, struct lfset_obj **copy,
                              const struct lfset_options *options,
                              const struct lfset_cancel *cancel);

/**
 * Makes a new set of two: their union, intersection and so on. Both sets must be of the same type
 * (all fields equal); they and the new one then share the objects, as clones do, and the allocators of
 * all must outlive them. Each input is read at one instant (its snapshot), the first before the second, so together they may be
 * two instants. Both may be the same set. No locks: any number of threads may combine the same sets
 * in any order. After a failure *result is NULL.
 * @param options of the new set; NULL: like `a` (snapshots: the defaults), without a name.
 * @return 0. -EINVAL. -EDEADLK: inside a section. -ENOMEM. -ECANCELED. -ETIMEDOUT.
 */
LFSET_API int lfset_obj_combine(struct lfset_obj *a, enum lfset_combination combination,
                                struct lfset_obj *b, struct lfset_obj **result,
                                const struct lfset_options *options,
                                const struct lfset_cancel *cancel);
/** As lfset_obj_combine, of a set and a snapshot. */
LFSET_API int lfset_obj_combine_snapshot(struct lfset_obj *a, enum lfset_combination combination,
                                         struct lfset_obj_snapshot *b, struct lfset_obj **result,
                                         const struct lfset_options *options,
                                         const struct lfset_cancel *cancel);
/** As lfset_obj_combine, of two snapshots. */
LFSET_API int lfset_obj_snapshot_combine(struct lfset_obj_snapshot *a,
                                         enum lfset_combination combination,
                                         struct lfset_obj_snapshot *b, struct lfset_obj **result,
                                         const struct lfset_options *options,
                                         const struct lfset_cancel *cancel);

/**
 * Makes `set` the combination of itself and `other`, in place. `other` is read at one instant, and
 * so is `set` where what it holds matters (LFSET_INTERSECTION, LFSET_SYMMETRIC_DIFFERENCE). Then
 * each key is added or removed on its own, so that others see the change happen key by key.
 * @return how many keys changed. -EINVAL. -ENOMEM, -ECANCELED, -ETIMEDOUT: some keys were changed.
 */
LFSET_API int64_t lfset_obj_apply(struct lfset_obj *set, enum lfset_combination combination,
                                  struct lfset_obj *other, const struct lfset_cancel *cancel);
/** As lfset_obj_apply, with a snapshot. */
LFSET_API int64_t lfset_obj_apply_snapshot(struct lfset_obj *set,
                                           enum lfset_combination combination,
                                           struct lfset_obj_snapshot *other,
                                           const struct lfset_cancel *cancel);

/**
 * Tells how two sets are related. Each is read at one instant, as by lfset_obj_combine.
 * @return the bits of enum lfset_relation that hold (at least one of LFSET_DISJOINT and
 * LFSET_INTERSECTS is among them). -EINVAL. -ENOMEM. -ECANCELED. -ETIMEDOUT.
 */
LFSET_API int lfset_obj_compare(struct lfset_obj *a, struct lfset_obj *b,
                                const struct lfset_cancel *cancel);
/** As lfset_obj_compare, of a set and a snapshot. */
LFSET_API int lfset_obj_compare_snapshot(struct lfset_obj *a, struct lfset_obj_snapshot *b,
                                         const struct lfset_cancel *cancel);
/** As lfset_obj_compare, of two snapshots. */
LFSET_API int lfset_obj_snapshot_compare(struct lfset_obj_snapshot *a, struct lfset_obj_snapshot *b,
                                         const struct lfset_cancel *cancel);

/* ---- for people ------------------------------------------------------------------------------ */

/**
 * Prints what the set holds at one instant, in order, by lfset_obj_type.print. As in "{one,
 * another}".
 * @param max print at most so many, then "... (N in all)"; 0: all.
 * @return 0. -EINVAL. -ENOMEM. -ECANCELED. -ETIMEDOUT. -EIO: writing failed.
 */
LFSET_API int lfset_obj_print(struct lfset_obj *set, FILE *file, uint64_t max,
                              const struct lfset_cancel *cancel);

/* ---- waiting --------------------------------------------------------------------------------- */

/**
 * Sleeps until the key is in the set, is not in it, or the set is empty. Nobody polls: who makes it
 * so, cancels the token or lets it expire wakes the sleeper.
 * @return 0: it was so at an instant during the call. -ECANCELED. -ETIMEDOUT. -EINVAL: set is NULL.
 * -EDEADLK: inside a section or the
 * program's own urcu_bp_read_lock, which would hold back memory meanwhile. -ENOMEM.
 */
LFSET_API int lfset_obj_wait_present(struct lfset_obj *set, const void *key,
                                     const struct lfset_cancel *cancel);
/** @see lfset_obj_wait_present */
LFSET_API int lfset_obj_wait_absent(struct lfset_obj *set, const void *key,
                                    const struct lfset_cancel *cancel);
/** @see lfset_obj_wait_present */
LFSET_API int lfset_obj_wait_empty(struct lfset_obj *set, const struct lfset_cancel *cancel);

#ifdef __cplusplus
}
#endif
#endif

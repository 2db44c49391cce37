// SPDX-License-Identifier: MIT
/**
 * @file target.h
 * lfset_target: how any concurrent set of 64-bit keys is put to the test. `lfset stress` finds out
 * whether a set, written by whomever, keeps what it promises.
 *
 * An adapter is a shared object that exports one symbol, `lfset_target`, and needs nothing of
 * lfset but this header:
 *
 *     cc -shared -fPIC -O2 -I... adapter.c -o adapter.so
 *     lfset stress --target ./adapter.so
 *
 * In C++ (20) it is the same, with a C++ compiler; the symbol has C linkage by itself. Code that is
 * linked into the adapter must be compiled with -fPIC.
 *
 * Functions answer 1 or 0, or how many, as is said of each; a negative errno value is a
 * failure, and the call has changed nothing. -ENOMEM is forgiven (the operation does not count),
 * any other failure ends the test as a violation. No exception may leave a function.
 *
 * Any number of threads (at most 65) call the functions of one set at the same time;
 * create and destroy come before and after all others. The keys are arbitrary 64-bit numbers.
 *
 * What is judged: add, remove, contains, pop, snapshot, drain and the batches must be
 * linearizable: each takes effect at one instant between its call and its return, a batch key by
 * key. What is weak may say so (`promises`); it is then judged twice, by what it promises and by
 * linearizability, and only a broken promise fails the test.
 *
 * Functions that are not there are left NULL; only those marked "required" must be.
 */
#ifndef LFSET_TARGET_H
#define LFSET_TARGET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The version of this interface, for `version` of struct lfset_target_functions. */
#define LFSET_TARGET_VERSION 1u

/** What a clear answers that does not count what it removes. */
#define LFSET_TARGET_UNCOUNTED INT64_MAX

/** Bits for `promises` of struct lfset_target_functions. None of them is the weakest promise. */
enum lfset_target_promise {
    /**
     * size is linearizable. Without this bit it promises to be the count of a weak iteration: each
     * key is looked at once, at an instant of its own between call and return. It is judged thus: for
     * each key it is decided whether the key can have been absent, and whether present, at some
     * instant of the interval, given all its adds, removes and contains; the answer must lie between
     * the number of keys that must have been present and that of those that may have been.
     */
    LFSET_TARGET_ATOMIC_SIZE = 1,
    /**
     * Instead of that, size (and is_empty, if there is one) reads a counter, to which each
     * successful add contributes one, and each successful remove minus one, at some instant between
     * its own call and return, not always when it takes effect. It is judged thus: at some instant of
     * size's interval the answer is at least the adds that had returned less the removes that had
     * been called, at most the adds that had been called less the removes that had returned. A
     * counter below 0 is to be answered as 0.
     */
    LFSET_TARGET_COUNTER_SIZE = 2,
    /**
     * is_empty is linearizable. Without this bit it looks at each key once, as a weak size does: 1
     * needs that each key can have been absent in the interval, 0 that some key can have been
     * present.
     */
    LFSET_TARGET_ATOMIC_IS_EMPTY = 4,
    /**
     * clear is linearizable. Without this bit it promises to remove each key that it finds, each at
     * an instant of its own between call and return; what it counts must lie between the number of
     * keys that it must, and that it may, have removed. Such clears come in every other round of the
     * test; in these all else that concerns the whole set is judged as if it were weak.
     */
    LFSET_TARGET_ATOMIC_CLEAR = 8,
    /** each may visit a key more than once when the set is changed meanwhile. */
    LFSET_TARGET_EACH_REPEATS = 16,
    /** each is only to be called while no other thread uses the set: it is then not judged. */
    LFSET_TARGET_EACH_AT_REST = 32,
    /**
     * A thread that stops inside an operation, for however long, keeps no other thread from finishing
     * its own: what --stall tests. It stops threads where the adapter calls `noise`.
     */
    LFSET_TARGET_LOCK_FREE = 64
};

/** What a set is created with. */
struct lfset_target_options {
    size_t size;       /**< of this struct, in the caller's version */
    uint64_t capacity; /**< how many keys are expected; 0: nobody knows */
    uint64_t seed;     /**< for random choices of the set's own; never 0 */
    /**
     * NULL, or to be called where a thread is in the middle of an operation, such as from the set's
     * comparison function: the thread then sometimes yields, pauses or is stopped, so that others
     * meet it there. Without such calls a race that is a few instructions wide is found more seldom.
     */
    void (*noise)(void);
};

/**
 * A set under test. Define one, named `lfset_target`, with C linkage and never changed; members that
 * are not named are NULL or 0.
 */
struct lfset_target_functions {
    uint32_t version;     /**< LFSET_TARGET_VERSION */
    uint32_t struct_size; /**< sizeof(struct lfset_target_functions) */
    const char *name;     /**< required: what the set is called, in one or two words */
    uint32_t promises;    /**< bits of enum lfset_target_promise */

    /** Required: a new, empty set in *set. 0 or a negative errno. */
    int (*create)(const struct lfset_target_options *options, void **set);
    /** Required: frees it, when no thread uses it or is attached to it. 0 or a negative errno. */
    int (*destroy)(void *set);

    /** Required: 1, the key was absent and is now present; 0, it is present already. */
    int (*add)(void *set, uint64_t key);
    /** Required: 1, the key was present and is now absent; 0, it is absent already. */
    int (*remove)(void *set, uint64_t key);
    /** Required: 1, the key is present; 0, it is absent. */
    int (*contains)(void *set, uint64_t key);

    /**
     * When there is one, each thread calls it before its first operation on the set, and detach after
     * its last, itself; both again when it comes back. A thread is attached to one set at a time. 0
     * or a negative errno, which ends the test.
     */
    int (*attach)(void *set);
    /** The thread leaves the set; before it ends, and before destroy. 0 or a negative errno. */
    int (*detach)(void *set);

    /** How many keys there are. */
    int64_t (*size)(void *set);
    /** 1, there are none; 0, there are some. */
    int (*is_empty)(void *set);
    /** Removes all keys, and answers how many, or LFSET_TARGET_UNCOUNTED. */
    int64_t (*clear)(void *set);
    /** Removes any one key, puts it in *key and answers 1; 0, there is none. Linearizable. */
    int (*pop)(void *set, uint64_t *key);

    /**
     * A weak iteration: calls visit for each key, once, with the ctx given; each key is looked at
     * once, at an instant of its own between call and return. visit does not use the set. It is
     * judged as such a contains of every key, for which it answered 1 if the key was visited, else
     * 0. 0 or a negative errno.
     */
    int (*each)(void *set, void (*visit)(void *ctx, uint64_t key), void *ctx);
    /** The same, but linearizable: all keys are looked at, at one instant. */
    int (*snapshot)(void *set, void (*visit)(void *ctx, uint64_t key), void *ctx);
    /** A linearizable clear that visits the keys it removed. */
    int (*drain)(void *set, void (*visit)(void *ctx, uint64_t key), void *ctx);

    /**
     * `count` adds (at most 16) in one call: results[i] is what add would have answered for keys[i].
     * Answers how many are 1; -ENOMEM when a result is -ENOMEM.
     */
    int64_t (*add_many)(void *set, const uint64_t *keys, size_t count, int8_t *results);
    /** The same with remove. */
    int64_t (*remove_many)(void *set, const uint64_t *keys, size_t count, int8_t *results);
    /** The same with contains. */
    int64_t (*contains_many)(void *set, const uint64_t *keys, size_t count, int8_t *results);
};

/* The one symbol of an adapter; here, so that a definition has its linkage and visibility. */
#if defined(__GNUC__)
__attribute__((__visibility__("default")))
#endif
extern const struct lfset_target_functions lfset_target;

#ifdef __cplusplus
}
#endif
#endif

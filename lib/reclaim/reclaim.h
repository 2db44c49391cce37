// SPDX-License-Identifier: MIT
/**
 * @file reclaim.h
 * The contract between the sets and whatever decides when memory may be freed.
 *
 * A set keeps its shared memory reachable from one pointer, its root. An operation
 *   1. enters (enter), which makes a guard,
 *   2. protects the object that root points to (root), then, one by one, objects reachable from it
 *      (hop), each into one of LFSET_HP_SLOTS slots,
 *   3. leaves (leave), after which it may touch none of them.
 * An object that root no longer reaches is retired (retire) once; its reclaim function runs when
 * nobody can hold it.
 *
 * The rule that makes hop safe under hazard pointers: objects of one set are retired in the order
 * of the chain, each only after root has moved past it. So when a pointer was published and root is
 * *afterwards* still the root that the walk began with, the object was not retired before it was
 * published, and every later scan sees it. If root moved, hop answers false and the walk begins
 * again: another thread made progress. A protection is never moved from slot to slot, because a
 * scan could read the new slot before and the old one after the move.
 *
 * The two implementations are rcu.h and hp.h; a set's core is written once and inlined against
 * one of their `static const struct lfset__reclaim`, so that no call on the hot path is indirect.
 */
#ifndef LFSET__RECLAIM_H
#define LFSET__RECLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lfset/lfset.h"
#include "platform/atomic.h"

/** What an operation holds between enter and leave. Lives on the stack. */
struct lfset__guard {
    struct lfset__thread *self; /**< NULL in an RCU operation of a thread that was never attached */
    bool locked;                /**< RCU: leave has a critical section to close */
    bool hopped;                /**< HP: leave has more than the root's slot to clear */
};

/** Embedded in every object that can be retired. */
struct lfset__retired {
    void (*reclaim)(struct lfset__retired *retired);
    const void *address; /**< what readers publish */
    size_t bytes;
    const void *owner; /**< the set, for drain */
    void *opaque[2];   /**< the domain's link */
    bool held;         /**< scratch of the scan that has the object in hand */
    uint8_t era;       /**< which of two barrier counters it is in */
    uint16_t note;     /**< its entry in the registry; 0: none */
};

struct lfset__reclaim {
    /** @return false when the thread must be attached first. */
    bool (*enter)(struct lfset__guard *guard);
    void (*leave)(struct lfset__guard *guard);
    /** The current root, protected. Calling it again in the same guard is cheap. */
    void *(*root)(struct lfset__guard *guard, _Atomic(void *) *root);
    /** Protects `object` in `slot` (>= 1). @return false when the walk must begin again. */
    bool (*hop)(struct lfset__guard *guard, unsigned slot, void *object, _Atomic(void *) *root,
                void *walk_root);
    /** Hands over an object that root no longer reaches, with the fork lock held. Never fails. */
    void (*retire)(struct lfset__guard *guard, struct lfset__retired *retired);
};

/**
 * One thread, as both domains see it. The first line is written by its thread at every operation
 * and read by scans only.
 */
struct lfset__thread {
    _Alignas(LFSET__LINE) _Atomic(const void *) hazards[LFSET_HP_SLOTS];
    unsigned sections;          /**< nesting depth; own thread only */
    bool rcu_open;              /**< the outermost section holds a read-side critical section */
    bool scanning;              /**< HP: a reclaim function may use sets, and must not scan again */
    uint32_t section_countdown; /**< record/sections.h */
    unsigned lane;              /**< where it counts (record/segment.h) */
    _Atomic(struct lfset__thread_slot *) slot; /**< its entry in the registry, or NULL */
    bool unlisted;                             /**< the registry had no room for it */
    _Atomic(const void *) reader; /**< itself as liburcu's reader (rcu.h); NULL: not known */
    struct lfset__kept
        *kept; /**< what the section holds besides slices, to be dropped at its end */
    unsigned kept_count, kept_promised, kept_room;
    _Alignas(LFSET__LINE) _Atomic(bool) in_use;
    struct lfset__thread *next; /**< in the list of all records, which only grows */
};

/** Something that a section holds until it ends. */
struct lfset__kept {
    void (*drop)(void *owner, void *what);
    void *owner;
    void *what;
};

/** Promises room for one more, whatever callbacks keep meanwhile. The thread is in a section.
 *  @return 0 or -ENOMEM. */
int lfset__keep_promise(void);
/** Uses a promise. */
void lfset__keep(struct lfset__kept kept);
/** Gives a promise back. */
void lfset__keep_nothing(void);

/** What a thread is in the middle of, also one that was never attached. */
struct lfset__local {
    unsigned
        reclaiming; /**< runs a reclaim function: waiting for others of its kind would be for ever */
    unsigned walks; /**< in a walk that relies on the thread's hazards */
    bool ending;    /**< ends objects */
    void *ended;    /**< objects to be ended after the walk */
};

extern __thread struct lfset__local lfset__local __attribute__((tls_model("initial-exec")));

/** Whether the thread is in a callback of somebody who reclaims: others may wait for its end, so it must
 * not wait for others. */
LFSET__INLINE bool lfset__in_callback(void)
{
    return lfset__local.reclaiming > 0 || lfset__local.ending;
}

struct lfset__thread_slot;

/** NULL until the thread is attached. */
extern __thread struct lfset__thread *lfset__self __attribute__((tls_model("initial-exec")));

/** Attaches the calling thread. @return NULL for lack of memory. */
struct lfset__thread *lfset__thread_attach(void);

/** Called once when a set is created: everything that must not fail or be late afterwards. */
int lfset__reclaim_init(enum lfset_domain domain);

/**
 * Waits until every object of `owner` is reclaimed. No thread may be using the owner's objects.
 * @param pending the owner's own count of objects retired and not reclaimed.
 */
void lfset__reclaim_drain(enum lfset_domain domain, const void *owner, _Atomic(int64_t) *pending);

/**
 * Moving root with the retiring that follows, and scans, run with this held shared, fork with it held
 * alone: so a child never inherits an object that is counted but on no list, in the hands of a
 * thread it does not have. Only a fork under way ever makes a thread wait for it.
 */
void lfset__fork_lock_shared(void);
bool lfset__fork_trylock_shared(void);
void lfset__fork_unlock(void);

#endif

// SPDX-License-Identifier: MIT
/**
 * @file rcu.h
 * The RCU domain, on liburcu's "bp" flavour: threads register themselves, and a program that uses
 * another flavour of liburcu is not disturbed. What an operation executes is inlined here.
 *
 * What: an object is reclaimed after a grace period, that is, once every operation and section that
 * was open when it was retired has ended. Why: readers publish nothing per object, so a walk over
 * any number of objects costs the same. When not: where a reader may stop, or a section stays open
 * for long: nothing at all is reclaimed meanwhile, in any RCU set of the process.
 */
#ifndef LFSET__RCU_H
#define LFSET__RCU_H

/* Inlines the lock and the unlock, each of which would be a call through the PLT. Both are short
 * enough for that under liburcu's licence, whatever the caller's (see its urcu/static/urcu-bp.h).
 * Newer releases have a name of its own for it, this is what 0.13 knows. */
#ifndef URCU_INLINE_SMALL_FUNCTIONS
#define URCU_INLINE_SMALL_FUNCTIONS
#endif
#ifndef _LGPL_SOURCE
#define _LGPL_SOURCE
#endif
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#include <urcu/urcu-bp.h>
#pragma GCC diagnostic pop

#include "platform/tsan.h"
#include "reclaim/account.h"
#include "reclaim/reclaim.h"

extern struct lfset__account lfset__rcu_account;
/** Stands for the grace period, which ThreadSanitizer cannot see. Never read or written. */
extern char lfset__rcu_grace;

int lfset__rcu_init(void);
/** Makes the thread known to liburcu, once there is a set that will need it. */
void lfset__rcu_thread_attach(void);
void lfset__rcu_retire(struct lfset__retired *retired);
void lfset__rcu_barrier(void);
void lfset__rcu_drain(_Atomic(int64_t) *pending);
void lfset__rcu_before_fork(void);
void lfset__rcu_after_fork_in_parent(void);
void lfset__rcu_after_fork_in_child(void);

/** How a thread stands to the grace periods, as another thread sees it. */
enum lfset__rcu_state {
    LFSET__RCU_UNKNOWN,
    LFSET__RCU_QUIET,  /**< in no read-side critical section */
    LFSET__RCU_READS,  /**< in one that began in the present phase */
    LFSET__RCU_DELAYS, /**< in one that began before: the grace period under way waits for it */
};

/** The calling thread as liburcu's reader, for lfset__rcu_state. NULL: liburcu does not know it yet. */
const void *lfset__rcu_reader(void);
/** @param reader what lfset__rcu_reader told some thread; the thread may have ended. */
enum lfset__rcu_state lfset__rcu_state(const void *reader);

LFSET__INLINE void lfset__rcu_lock(void)
{
    urcu_bp_read_lock();
}

LFSET__INLINE void lfset__rcu_unlock(void)
{
    lfset__tsan_release(&lfset__rcu_grace);
    urcu_bp_read_unlock();
}

/** Whether the calling thread is in a read-side critical section, ours or the program's own. Does not
 * make the thread known to liburcu, which aborts when it has no memory for that. */
static inline bool lfset__rcu_is_reading(void)
{
    return URCU_TLS(urcu_bp_reader) && urcu_bp_read_ongoing() != 0;
}

/** Ends what a thread leaves open when it exits. liburcu may have forgotten the thread already: its
 * destructor of thread-specific data can run before ours. */
static inline void lfset__rcu_unlock_at_exit(void)
{
    if (URCU_TLS(urcu_bp_reader)) {
        lfset__rcu_unlock();
    }
}

LFSET__INLINE bool lfset__rcu_enter(struct lfset__guard *guard)
{
    struct lfset__thread *self = lfset__self;
    // Attaching is what makes a thread a reader of liburcu's. Asked here the compiler knows that the lock need
    // not, and the operation around it, calling nobody, saves no registers.
    if (lfset__unlikely(!URCU_TLS(urcu_bp_reader))) {
        return false;
    }
    guard->self = self;
    guard->locked = !(self && self->sections > 0);
    if (guard->locked) {
        lfset__rcu_lock();
    } else if (lfset__unlikely(!self->rcu_open)) {
        self->rcu_open = true;
        lfset__rcu_lock();
    }
    return true;
}

LFSET__INLINE void lfset__rcu_leave(struct lfset__guard *guard)
{
    if (guard->locked) {
        lfset__rcu_unlock();
    }
}

/* [root.publish] acquire: pairs with the CAS that moved root (slice.h, advance) and carries that
 * the slice is initialised and that every key of its predecessor was copied. */
LFSET__INLINE void *lfset__rcu_root(struct lfset__guard *guard, _Atomic(void *) *root)
{
    (void)guard;
    return lfset__load_acq(root);
}

LFSET__INLINE bool lfset__rcu_hop(struct lfset__guard *guard, unsigned slot, void *object,
                                  _Atomic(void *) *root, void *walk_root)
{
    (void)guard, (void)slot, (void)object, (void)root, (void)walk_root;
    return true; // the critical section protects whatever was reachable since it began
}

LFSET__INLINE void lfset__rcu_retire_in(struct lfset__guard *guard, struct lfset__retired *retired)
{
    (void)guard;
    lfset__rcu_retire(retired);
}

static const struct lfset__reclaim lfset__rcu = {
    .enter = lfset__rcu_enter,
    .leave = lfset__rcu_leave,
    .root = lfset__rcu_root,
    .hop = lfset__rcu_hop,
    .retire = lfset__rcu_retire_in,
};

#endif

// SPDX-License-Identifier: MIT
/**
 * @file wait.h
 * Waiting for a change of a set, without polling; below the sets.
 *
 * Buckets. One static table of buckets serves all sets: {sequence, sleepers}. A wait names what it
 * waits for by a tag (say, the key's hash and the set's address); the tag chooses the bucket. Who
 * changes something wakes all sleepers of the bucket of its tag; those for whom it meant nothing
 * look, and sleep on. So a bucket that others share, a collision of tags and a wake-up for no reason
 * cost a look and are otherwise harmless, and a wait needs no memory.
 *
 * Why no wake-up is lost. Two threads, and what each does in this order:
 *
 *     waiter                                    changer
 *     W1  waiting++, sleepers++                 C1  change the set (the deciding CAS)
 *     W2  read sequence                         C2  read waiting; then sleepers; 0: done
 *     W3  look: does it hold? cancelled?        C3  sequence++
 *     W4  futex: sleep if sequence is still     C4  futex: wake all
 *         what W2 read
 *
 * W1, W3, C1 and C2 are seq_cst, so they have one order (Dekker's, [wait.register]): either W1 comes
 * before C2, and the changer goes on to C3; or C2 comes before W1, hence C1 before W3, and the waiter
 * sees the change and does not sleep. In the first case, if C3 comes before W2, then so does C1, and
 * W3 sees the change again. Otherwise W2 read the old sequence, and the kernel, which compares and
 * puts to sleep in one step with respect to C4, either finds the new sequence and does not sleep, or
 * the thread is asleep when C4 comes. (Were W2 after W3: a change between the two would be seen by
 * neither W3 nor W4. Were W1 after W3: the changer may find nobody between the two.)
 * A sequence that goes through all its 2^32 values between W2 and W4 would be taken for the old one;
 * that is as many system calls while one thread does one.
 *
 * A key that is added and removed again before a waiter has looked need not be noticed: a wait ends
 * when a look finds what it waits for.
 *
 * Cancelling is a change like any other, C1 being the store to the token's flag, with the tags of all
 * waits: it wakes every bucket that has sleepers. A waiter looks at its token and all ancestors (W3),
 * so cancelling a parent wakes those who wait with a child. It sleeps no longer than to the nearest
 * of their deadlines.
 *
 * Progress. Changing and cancelling stay lock-free: a load when nobody waits, else a bounded number
 * of steps and system calls that do not wait. A changer that is stopped between C1 and C4 leaves the
 * waiter asleep although others see the change, until it goes on or another change, a cancel or the
 * deadline comes; the same holds of whoever helped it to make the change.
 *
 * Fork. A child has one thread, which was not asleep here. `waiting` and `sleepers` of the parent's
 * sleepers stay in the child; at worst an update makes a system call that wakes nobody. Futexes are
 * private to a process: neither wakes the other's threads.
 *
 * Why not ck_ec, ck's event counts. Its accesses are ck's own, so that the schedule explorer could
 * not stand between them. It marks the presence of a sleeper after the caller has looked, so that
 * changers may not skip C3 when they find no mark; `waiting` and W1 would have to be put before it
 * all the same. And it sleeps in growing slices of time, from 2 ms to a second, before it sleeps for
 * good, which is polling. What would be left for it to do is W2 and C3.
 */
#ifndef LFSET__WAIT_H
#define LFSET__WAIT_H

#include "lfset/cancel.h"
#include "platform/atomic.h"

/**
 * Sleeps until `holds` answers 1.
 * @param waiting how many threads wait for the set, which its updates look at (lfset__notify).
 * @param tag what lfset__wake will be called with when `holds` may have begun to hold.
 * @param holds 1: it holds; 0: not yet; or a negative errno, which ends the wait. It must decide by a
 * seq_cst load, and hold nothing back after it returned: the thread may sleep for ever then.
 * @param cancel NULL: no token.
 * @return 0: it held at a look; -ECANCELED or -ETIMEDOUT: it did not when the token was looked at;
 * or what `holds` answered.
 */
int lfset__wait(_Atomic(uint32_t) *waiting, uint64_t tag, int (*holds)(void *ctx), void *ctx,
                const struct lfset_cancel *cancel);

/** Wakes those who wait with this tag (and others). */
void lfset__wake(uint64_t tag);
/** Wakes all who wait. */
void lfset__wake_all(void);

/** What an update calls after the access that decides it. */
LFSET__INLINE void lfset__notify(_Atomic(uint32_t) *waiting, uint64_t tag)
{
    if (lfset__unlikely(lfset__load_sc(waiting) != 0)) { // [wait.register]
        lfset__wake(tag);
    }
}

/** The same for an update of many keys. */
LFSET__INLINE void lfset__notify_all(_Atomic(uint32_t) *waiting)
{
    if (lfset__unlikely(lfset__load_sc(waiting) != 0)) { // [wait.register]
        lfset__wake_all();
    }
}

/** The nearest deadline of the token and its ancestors; NULL has none. */
uint64_t lfset__cancel_deadline(const struct lfset_cancel *cancel);

#endif

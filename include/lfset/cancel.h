// SPDX-License-Identifier: MIT
/**
 * @file cancel.h
 * lfset_cancel: tokens that stop waits and other long operations. At once, when a deadline passes,
 * or when a parent token is cancelled.
 *
 * A token is the user's to create and destroy; operations only look at it. One token may be given
 * to any number of operations in any number of threads. Cancelling is for ever.
 */
#ifndef LFSET_CANCEL_H
#define LFSET_CANCEL_H

#include "lfset.h"

#ifdef __cplusplus
extern "C" {
#endif

/** No deadline. */
#define LFSET_NO_DEADLINE UINT64_MAX

/**
 * Creates a token that is not cancelled. After a failure *cancel is NULL.
 * @param parent NULL, or a token whose cancellation and deadline hold for this one, too. It must
 * stay alive as long as this one.
 * @param deadline CLOCK_MONOTONIC in nanoseconds (lfset_deadline_in), or LFSET_NO_DEADLINE.
 * @return 0. -EINVAL: cancel is NULL. -ENOMEM.
 */
LFSET_API int lfset_cancel_create(struct lfset_cancel **cancel, const struct lfset_cancel *parent,
                                  uint64_t deadline);

/** Frees a token that no operation and no child is using. NULL is harmless. */
LFSET_API void lfset_cancel_destroy(struct lfset_cancel *cancel);

/**
 * Cancels: operations that use the token or a descendant stop, sleepers wake now. May be called any
 * number of times, from any thread, also from a callback. Lock-free.
 * @return 1 when this call cancelled it, 0 when it was cancelled before (not counting its deadline
 * and its parent). -EINVAL: cancel is NULL.
 */
LFSET_API int lfset_cancel_now(struct lfset_cancel *cancel);

/**
 * Tells whether a token says stop. NULL is never cancelled. Linearizable with lfset_cancel_now.
 * @return 0: go on. -ECANCELED: it was cancelled, or an ancestor was. -ETIMEDOUT: a deadline has
 * passed.
 */
LFSET_API int lfset_cancel_check(const struct lfset_cancel *cancel);

/**
 * Computes the deadline `nanoseconds` from now.
 * @return CLOCK_MONOTONIC in nanoseconds; LFSET_NO_DEADLINE when that is beyond the clock.
 */
LFSET_API uint64_t lfset_deadline_in(uint64_t nanoseconds);

#ifdef __cplusplus
}
#endif
#endif

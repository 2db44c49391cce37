// SPDX-License-Identifier: MIT
/*
 * What the domains were given to reclaim, by which operation, and whether it is reclaimed: so that a barrier
 * can be held to its word.
 */
#ifndef LFSET_STRESS_EXPLORE_RETIREMENT_H
#define LFSET_STRESS_EXPLORE_RETIREMENT_H

#include <stddef.h>

#include "reclaim/account.h"

/** Forgets all. */
void retirement_reset(void);
/** The current thread retires `object`. */
void retirement_begin(const void *object);
/** `object` is about to be reclaimed. @return its number, for retirement_end. */
size_t retirement_find(const void *object);
/** It is reclaimed. */
void retirement_end(size_t number);
/** An operation of the current thread has returned. */
void retirement_operation_returns(void);

/** The current thread calls a barrier, which must wait for what operations that have returned retired. */
void retirement_barrier_begins(void);
/** ... and it returns. Fails when some of that is not reclaimed. */
void retirement_barrier_ends(void);

/* What hp.c calls in place of the library's functions (seam.c); these call them. */
void retirement_account_retire(struct lfset__account *account, struct lfset__retired *retired);
void retirement_account_reclaim(struct lfset__account *account, struct lfset__retired *retired);

#endif

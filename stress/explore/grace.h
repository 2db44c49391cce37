// SPDX-License-Identifier: MIT
/*
 * Simulated RCU. A callback is ready when every logical thread that was inside a critical section
 * when it was queued has left that section. Ready callbacks are run, in order, by one more logical
 * thread, as liburcu's call_rcu thread does.
 */
#ifndef LFSET_STRESS_EXPLORE_GRACE_H
#define LFSET_STRESS_EXPLORE_GRACE_H

#include <stdbool.h>
#include <stddef.h>

/** Forgets everything. */
void grace_reset(void);
/** Is there a callback that may run now? */
bool grace_ready(void);
/** Runs one that is ready. */
void grace_run_one(void);
/** Callbacks queued, ready or not. */
size_t grace_queued(void);
/** Critical sections that the logical thread has open. */
unsigned grace_nesting(unsigned thread);

#endif

// SPDX-License-Identifier: MIT
/* The operations of a plan: calls of the set's functions, and what their answers mean. */
#ifndef LFSET_STRESS_EXPLORE_OPERATIONS_H
#define LFSET_STRESS_EXPLORE_OPERATIONS_H

#include <stdint.h>

#include "explore/plan.h"
#include "explore/schedule.h"

/** An object that is added may be destroyed in turn: so often, for a run. */
enum { OPERATIONS_DESTROY_USES = 3 };

/** How many accesses a thread had made when it began each of its operations. */
extern int32_t operations_starts[SCHED_THREADS][PLAN_OPS];

/** Another plan is explored. */
void operations_prepare(void);
/** Forgets the last run. */
void operations_reset(void);
/** What is done before the threads start. */
void operations_warm(void);
/** Before and after the threads. */
void operations_begin(void);
void operations_end(void);
/** What a logical thread does. */
void operations_body(unsigned thread);
/** All others are done: fails if one sleeps whose wait has an end, and ends the wait of another. */
void operations_judge_sleepers(void);

/** An object is being destroyed: does with the set what the plan says. */
void operations_from_destroy(void);
/** From now on nothing. */
void operations_stop_destroy_uses(void);

/** What the set holds in the end becomes part of the history. */
void operations_log_final_contents(void);
/** Snapshots and clones that are to be looked at after all else. */
unsigned operations_outliving(void);
void operations_read_outliving(void);

#endif

// SPDX-License-Identifier: MIT
/* Makes a failing schedule smaller: fewer operations first, then fewer preemptions. */
#ifndef LFSET_STRESS_EXPLORE_SHRINK_H
#define LFSET_STRESS_EXPLORE_SHRINK_H

#include <stddef.h>
#include <stdio.h>

#include "explore/plan.h"
#include "explore/schedule.h"

/**
 * `plan` failed under (strategy, seed) in the last run. Afterwards it is a plan with no more operations that fails,
 * and the last run (sched_result, with its trace) is the smallest failing schedule found for it.
 */
void shrink(struct plan *plan, enum sched_strategy strategy, uint64_t seed, FILE *progress);

#endif

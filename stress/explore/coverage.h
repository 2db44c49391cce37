// SPDX-License-Identifier: MIT
/* What the schedules of a hunt did: its power, for people and for programs. */
#ifndef LFSET_STRESS_EXPLORE_COVERAGE_H
#define LFSET_STRESS_EXPLORE_COVERAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "explore/plan.h"

/** The last run was one of this plan. */
void coverage_add(const struct plan *plan, bool failed);
/** Schedules added. */
uint64_t coverage_schedules(void);
/** Accesses of all of them. */
uint64_t coverage_accesses(void);
uint64_t coverage_failures(void);

/** In how many of the schedules what happened. */
void coverage_print(FILE *file);
/** A line for each scenario and set. */
void coverage_print_table(FILE *file);
/** Both, as JSON. @return 0 or a negative errno. */
int coverage_write_json(FILE *file, uint64_t first_seed, double seconds);

#endif

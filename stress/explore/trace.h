// SPDX-License-Identifier: MIT
/* Prints the interleaving of the last run, with names for addresses and places in the source. */
#ifndef LFSET_STRESS_EXPLORE_TRACE_H
#define LFSET_STRESS_EXPLORE_TRACE_H

#include <stdbool.h>
#include <stdio.h>

struct sched_event;

/** Gives an access the name of what it touches, while that is there. */
void trace_name(struct sched_event *event);
/** Abbreviated: of the accesses that a loop makes the first and the last. */
void trace_print(FILE *file, bool abbreviate);

#endif

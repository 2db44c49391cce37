// SPDX-License-Identifier: MIT
/* Carries a plan out under a schedule and judges what came of it. */
#ifndef LFSET_STRESS_EXPLORE_EXECUTE_H
#define LFSET_STRESS_EXPLORE_EXECUTE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "explore/plan.h"
#include "explore/schedule.h"
#include "reclaim/reclaim.h"

struct lfset__slice;

/** Whose record this is; NULL at the end. */
struct execute_record {
    const struct lfset__thread *record;
    const char *name;
};

/** What the explored parts of all runs did; the power of a hunt. */
struct execute_coverage {
    uint64_t grows, purges, shrinks, rehashes, snapshots, clears; /**< successions finished */
    uint64_t preemptions, failed_allocations, stopped_threads, freed_blocks, sleeps;
    uint64_t destroyed, references; /**< objects */
};
extern struct execute_coverage execute_coverage;

/** @return 0 or a negative errno. Once. */
int execute_open(void);
/** Builds the plan's set, and measures its threads by one run without preemption.
 *  @return false when that failed already: sched_result tells. */
bool execute_prepare(const struct plan *plan);
/** One schedule of the prepared plan. @return false when it failed: sched_result tells. */
bool execute(enum sched_strategy strategy, uint64_t seed);
/** One schedule given as segments. */
bool execute_segments(const struct sched_segment *segments, size_t count);
/** The history of the last run, as far as it got. */
void execute_print_history(FILE *file);
/** "k2" for a hot key; false for another. */
bool execute_key_name(uint64_t key, char *name, size_t size);
/** The key of a bound word. @return false when what the word names is freed. */
bool execute_word_key(const struct lfset__slice *slice, size_t index, uint64_t word, uint64_t *key);
/** An object is being destroyed: does with the set what the plan says. */
void execute_from_destroy(void);
extern struct execute_record execute_records[SCHED_CONTEXTS];

#endif

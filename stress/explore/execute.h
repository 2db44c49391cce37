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

/** What happens in a run. */
enum execute_event {
    EXECUTE_PREEMPTIONS,
    EXECUTE_GROWTHS, /**< successions, finished */
    EXECUTE_PURGES,
    EXECUTE_SHRINKS,
    EXECUTE_REHASHES,
    EXECUTE_SNAPSHOTS, /**< gates */
    EXECUTE_CLEARS,    /**< gates */
    EXECUTE_RETIRED,
    EXECUTE_FREED, /**< blocks */
    EXECUTE_FAILED_ALLOCATIONS,
    EXECUTE_STOPPED, /**< threads that stopped for ever */
    EXECUTE_SLEEPS,
    EXECUTE_DESTROYED,  /**< objects */
    EXECUTE_REFERENCES, /**< to objects */
    EXECUTE_EVENTS
};
/** How often, in the explored part of the last run. */
extern uint64_t execute_events[EXECUTE_EVENTS];

/** @return 0 or a negative errno. Once. */
int execute_open(void);
/** Builds the plan's set, and measures its threads by one run without preemption.
 *  @return false when that failed already: sched_result tells. */
bool execute_prepare(const struct plan *plan);
/** One schedule of the prepared plan. @return false when it failed: sched_result tells. */
bool execute(enum sched_strategy strategy, uint64_t seed);
/** One schedule given as segments. @param seed for what else is drawn. */
bool execute_segments(uint64_t seed, const struct sched_segment *segments, size_t count);
/** The key of a bound word. @return false when what the word names is freed. */
bool execute_word_key(const struct lfset__slice *slice, size_t index, uint64_t word, uint64_t *key);
extern struct execute_record execute_records[SCHED_CONTEXTS];

#endif

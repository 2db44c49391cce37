// SPDX-License-Identifier: MIT
/**
 * @file run.h
 * One workload on one set: rounds of operations, each checked as soon as its threads rest.
 *
 * A round starts from a known state and ends with every key read at rest, so that what the set says
 * then, and what its history says, must agree; what it says is the state at the start of the next.
 * Memory is that of one round, however long the run.
 */
#ifndef STRESS_RUN_H
#define STRESS_RUN_H

#include "check/checker.h"
#include "promise.h"
#include "workload.h"

#include <stdio.h>
#include <time.h>

/** How fast the rounds of a run went, at most so many points, evenly spaced. */
#define RUN_POINTS 120

struct run_result;

struct run_options {
    const struct target *target;
    enum lfset_domain domain;
    struct workload workload;
    unsigned threads;
    uint64_t seed;
    int clock;           /**< RECORD_CLOCK_* */
    int noise;           /**< 1: disturb three rounds of four; 0: never */
    int churn;           /**< threads end and start between rounds */
    int stall;           /**< in every other round one thread is stopped inside an operation */
    int observe;         /**< the set has a name of its own and counts */
    double seconds;      /**< stop after so long; 0: no limit */
    uint64_t ops;        /**< stop after so many operations; 0: no limit */
    uint64_t budget;     /**< of the checker; 0: its default */
    double hang_seconds; /**< no round may take longer */
    FILE *all_rounds;    /**< every round is written here, as histories that carry on; or NULL */
    int all_rounds_binary;
    /** Called about once a second, and at the end. */
    void (*progress)(void *ctx, const struct run_options *options, const struct run_result *result);
    void *ctx;
};

struct run_result {
    enum checker_verdict verdict;
    char reason[256];       /**< of a violation, one sentence */
    int has_history;        /**< `history` is that of the violation */
    int threads_are_lost;   /**< a hang: threads still run, the process should end */
    struct history history; /**< the last round's, or the offending one */
    struct checker_result checked;
    uint64_t rounds;
    uint64_t undecided; /**< rounds */
    uint64_t operations;
    uint64_t whole_set; /**< of them on the whole set */
    uint64_t overlapping;
    uint64_t out_of_memory; /**< operations that failed for memory, not counted above */
    double running;         /**< seconds in which the threads ran */
    double checking;        /**< seconds in the checker */
    double elapsed;
    uint64_t sets; /**< the set is made anew now and then, with another hash seed */
    int has_counters;
    struct target_counters counters; /**< summed over the sets; capacity and bytes: the largest */
    uint64_t threads_started;
    uint64_t stalls; /**< rounds in which a thread was stopped and the others finished */
    struct lfset_garbage stall_garbage; /**< the most that was held back when they had */
    struct promise_result promises[TARGET_WEAK_OPS]; /**< of a foreign set */
    uint64_t max_keys; /**< the most keys in the set at the end of a round */
    size_t points;
    double mops[RUN_POINTS]; /**< Mops/s, averaged over `rounds_per_point` rounds */
    double keys[RUN_POINTS]; /**< keys in the set */
    uint64_t rounds_per_point;
};

/**
 * Runs it. @return 0 with the outcome in *result (end it with run_result_free); -ENOMEM or another
 * negative errno when the run could not be set up.
 */
int run(const struct run_options *options, struct run_result *result);

/** Frees the history. The rest, witnesses of broken readings included, is promise_results_free's. */
void run_result_free(struct run_result *result);

/** May a thread of this run be stopped? Some foreign sets do not promise that others go on then. */
int run_can_stall(const struct run_options *options);

/** Seconds of a clock that never goes back. */
double run_now(void);

#endif

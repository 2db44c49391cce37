// SPDX-License-Identifier: MIT
/**
 * @file promise.h
 * Judging a foreign set twice: by what it promises (lfset/target.h), and by linearizability.
 *
 * By its promise: what every set must keep (add, remove, contains and all that is promised
 * linearizable) is decided in one exact decision, in which a weak iteration is a contains of each
 * key and, where a weak clear took place, each key is decided by itself, the clear being a removal
 * of that key at an instant of its own. Then each weak answer that is a number is judged by itself:
 * is it possible, given that all else is as recorded?
 *
 * By linearizability: one kind of weak operation at a time is added, as if it were atomic.
 */
#ifndef STRESS_PROMISE_H
#define STRESS_PROMISE_H

#include "check/witness.h"
#include "target.h"

/** How an iteration is recorded: as a snapshot with this `result`. */
#define PROMISE_EACH 1
#define PROMISE_EACH_REPEATED 2 /**< it visited a key twice */

/** What came of one kind of weak operation in a run. */
struct promise_result {
    uint64_t judged;   /**< answers judged by the promise */
    uint64_t unjudged; /**< answers of which nobody can tell */
    int broken;        /**< the promise is */
    uint64_t rounds;   /**< judged by linearizability */
    uint64_t undecided;
    int not_linearizable;
    uint64_t repeated; /**< iterations that visited a key twice */
    int has_witness;   /**< of not_linearizable; else the whole of it is that a key came twice */
    struct witness witness;
};

struct promise_judge;

/** NULL: no memory. */
struct promise_judge *promise_judge_create(const struct target_promises *promises,
                                           struct checker *checker);
void promise_judge_destroy(struct promise_judge *judge);

/** Is this a record of an operation that is only promised weakly? */
int promise_is_weak(const struct target_promises *promises, const struct history_record *record,
                    enum target_weak *kind);

/**
 * Judges a round. `results` has TARGET_WEAK_OPS entries and is added to. `checked` is the verdict on
 * the promises; of a violation, `reason` says what is wrong, and *round becomes the history that shows
 * it. @return 0, or a negative errno.
 */
int promise_judge_round(struct promise_judge *judge, struct history *round, uint64_t budget,
                        struct promise_result *results, struct checker_result *checked,
                        char *reason, size_t reason_size);

/** "size", "is_empty", "each" or "clear". */
const char *promise_op_name(enum target_weak kind);

void promise_results_free(struct promise_result *results);

#endif

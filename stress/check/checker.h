// SPDX-License-Identifier: MIT
/*
 * The exact decision whether a history (history.h) of a set is linearizable.
 *
 * Without overlapping whole-set operations it is a deterministic greedy per key, O(n log T) for T
 * operations open at once: perkey.c. Whole-set operations (snapshot, drain, clear, size, is_empty,
 * pop) that overlap others add a search over their placement alone: wholeset.c.
 *
 * A checker object holds nothing but memory that the next call uses again, so a long run can be
 * checked in rounds: let all threads come to rest, give the checker the round's operations with the
 * state at its start as `history.initial`, and end the round with a snapshot taken at rest (an
 * ordinary record; it overlaps nothing and so costs no search). checker_end_state gives the initial
 * state of the next round.
 *
 * A checker object belongs to one thread at a time.
 */
#ifndef LFSET_STRESS_CHECK_CHECKER_H
#define LFSET_STRESS_CHECK_CHECKER_H

#include "history.h"

/** The verdicts, in the order of the exit codes' badness. */
enum checker_verdict {
    CHECKER_LINEARIZABLE, /**< some order of the operations explains every answer */
    CHECKER_VIOLATION,    /**< none does */
    CHECKER_UNDECIDED     /**< the search ran out of its budget */
};

/** Search steps allowed when the options say 0. A step takes some tens of nanoseconds. */
#define CHECKER_DEFAULT_BUDGET ((uint64_t)50000000)

/** How to check. All zero is a good default, as is a NULL pointer. */
struct checker_options {
    uint64_t budget; /**< search steps for whole-set operations; 0: CHECKER_DEFAULT_BUDGET */
    bool trace;      /**< keep the order found, for checker_trace */
};

/** `failed_record` when there is none. */
#define CHECKER_NONE SIZE_MAX

/** What was found. */
struct checker_result {
    enum checker_verdict verdict;
    size_t operations;    /**< records in the history */
    size_t keys;          /**< distinct keys in operations, answers and initial state */
    size_t overlapping;   /**< operations that overlap another one that shares a key with them
                               (a whole-set operation shares every key) */
    uint64_t steps;       /**< search steps spent; 0 where no search was needed */
    size_t failed_record; /**< on a violation: a record that cannot be placed by its return. Where
                               a search was needed: the one at which the furthest attempt ended. */
    uint64_t failed_time; /**< that record's return, the first deadline that cannot be met */
};

/** One operation in the order found (checker_trace). */
struct checker_step {
    size_t record; /**< the operation that takes effect here */
    uint64_t time; /**< when it does: the latest time that serves */
};

/** A checker's memory; opaque. */
struct checker;

/** A new checker, or NULL if there is no memory. */
struct checker *checker_create(void);

/** Gives all memory back. NULL is allowed. */
void checker_destroy(struct checker *checker);

/** Decides whether `history` is linearizable from the state `history->initial`. The history must be
 *  one that history_validate accepts. Records may be in any order; it is quickest when they are
 *  sorted by invoke or are runs (one thread's log after another's) sorted by invoke.
 *  0 with `*result` filled in; -ENOMEM; -EINVAL if a record names an unknown operation or set. */
int checker_run(struct checker *checker, const struct history *history,
                const struct checker_options *options, struct checker_result *result);

/** After a checker_run with `trace`: the state-changing and whole-set operations in the order in
 *  which they were placed, up to the end or, on a violation, up to where the furthest attempt
 *  ended. Valid until the next call. */
const struct checker_step *checker_trace(const struct checker *checker, size_t *count);

/** After a checker_run that found the history linearizable: makes the state in which it ends, if only
 *  one is possible, the initial state of `next`. One is possible where every operation returned and
 *  no clear or drain overlapped another; where one did, a later snapshot that overlaps nothing makes
 *  the state certain again. It does not look at the history that was checked any more.
 *  0; -ENOMEM; -EAGAIN: there may be several. On failure nothing changed. */
int checker_end_state(const struct checker *checker, struct history *next);

/** "linearizable", "violation" or "undecided". */
const char *checker_verdict_name(enum checker_verdict verdict);

#endif

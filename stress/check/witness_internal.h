// SPDX-License-Identifier: MIT
/* The one judgement on which witness.c builds, for the tests. */
#ifndef LFSET_STRESS_CHECK_WITNESS_INTERNAL_H
#define LFSET_STRESS_CHECK_WITNESS_INTERNAL_H

#include "witness.h"

/** A part of a history: its records from number `start` on (in order of call), with those still open
 *  there, without some keys and some reads. */
struct witness_part {
    size_t start;
    uint64_t end;             /**< without the records that begin after it */
    bool any_start;           /**< from every state, not from that which follows from before */
    const bool *leave_key;    /**< by rank of the key among all keys of the history, ascending */
    const bool *leave_record; /**< by order of call; only reads are left out */
};

/** Would witness_find take the part for a violation? Then the whole history must be one. 1, 0 or a
 *  negative errno. */
int witness__part_fails(struct checker *checker, const struct history *history,
                        const struct witness_part *part);

#endif

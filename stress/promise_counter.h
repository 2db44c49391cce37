// SPDX-License-Identifier: MIT
/**
 * @file promise_counter.h
 * What a counter of the set's keys can have said, when each update reaches it at some instant of its
 * own call.
 */
#ifndef STRESS_PROMISE_COUNTER_H
#define STRESS_PROMISE_COUNTER_H

#include "check/history.h"

/** Updates in order of one of their times; `sum`: of the keys changed by this and all before. */
struct promise_updates {
    struct promise_update {
        uint64_t time;
        int64_t sum;
    } * at;
    size_t count, capacity;
};

struct promise_counter {
    int known; /**< 0: a clear did not say how many it removed */
    int64_t initial;
    struct promise_updates calls[2];   /**< of removals, of adds */
    struct promise_updates returns[2]; /**< likewise */
};

/** @return 0 or -ENOMEM. */
int promise_counter_build(struct promise_counter *counter, const struct history *round);

/** The least and the most it can have said between `invoke` and `ret`; less than 0 is said as 0. */
void promise_counter_range(const struct promise_counter *counter, uint64_t invoke, uint64_t ret,
                           uint64_t *least, uint64_t *most);

void promise_counter_free(struct promise_counter *counter);

#endif

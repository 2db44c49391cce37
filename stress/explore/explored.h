// SPDX-License-Identifier: MIT
/* What is explored now: the plan, the set that was made for it, and what is known of its keys. */
#ifndef LFSET_STRESS_EXPLORE_EXPLORED_H
#define LFSET_STRESS_EXPLORE_EXPLORED_H

#include "explore/plan.h"
#include "explore/subject.h"

struct explored {
    const struct plan *plan;
    const struct subject *subject;
    void *set;
    uint64_t keys[PLAN_KEYS];       /**< the hot ones */
    uint64_t initial[SUBJECT_KEYS]; /**< what the set held before the threads start */
    size_t initial_count;
    bool stays[SUBJECT_KEYS];              /**< initial[i] is removed by no operation of the plan */
    uint64_t candidates[2 * SUBJECT_KEYS]; /**< that may be in the set, in order */
    size_t candidate_count;
    unsigned stopped_thread; /**< of the last run; SCHED_CONTEXTS: none */
};
extern struct explored explored;

/** "k2" for a hot key; false for another. */
bool explored_key_name(uint64_t key, char *name, size_t size);
/** For qsort and bsearch. */
int explored_by_value(const void *a, const void *b);

#endif

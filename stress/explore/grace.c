// SPDX-License-Identifier: MIT
#include "explore/grace.h"

#include <urcu/urcu-bp.h>

#include "explore/retirement.h"
#include "explore/schedule.h"

enum { QUEUE_MAX = 4096 };

struct callback {
    struct rcu_head *head;
    unsigned waits_for; /**< bit per logical thread whose section must end first */
};

static struct callback queue[QUEUE_MAX];
static size_t first, last; // queue[first..last) are waiting
static unsigned nesting[SCHED_CONTEXTS], open_sections;

void grace_reset(void)
{
    first = last = 0;
    open_sections = 0;
    for (unsigned i = 0; i < SCHED_CONTEXTS; i++) {
        nesting[i] = 0;
    }
}

bool grace_ready(void)
{
    return first < last && queue[first].waits_for == 0;
}

size_t grace_queued(void)
{
    return last - first;
}

unsigned grace_nesting(unsigned thread)
{
    return nesting[thread];
}

void grace_run_one(void)
{
    struct rcu_head *head = queue[first++].head;
    size_t number = retirement_find(head);
    head->func(head);
    retirement_end(number);
}

void urcu_bp_read_lock(void)
{
    unsigned me = sched_current();
    if (nesting[me]++ == 0) {
        open_sections |= 1u << me;
    }
}

void urcu_bp_read_unlock(void)
{
    unsigned me = sched_current();
    if (nesting[me] == 0) {
        sched_fail("a read-side critical section is left that was never entered");
    }
    if (--nesting[me] > 0) {
        return;
    }
    open_sections &= ~(1u << me);
    if (first == last) {
        return;
    }
    for (size_t i = first; i < last; i++) {
        queue[i].waits_for &= ~(1u << me);
    }
    if (grace_ready()) {
        sched_wake_reclaimer();
    }
}

int urcu_bp_read_ongoing(void)
{
    return nesting[sched_current()] > 0;
}

void urcu_bp_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
    if (last == QUEUE_MAX) {
        sched_fail("too many callbacks are queued");
    }
    retirement_begin(head);
    head->func = func;
    queue[last++] = (struct callback){head, open_sections};
    if (grace_ready()) {
        sched_wake_reclaimer();
    }
}

struct call_rcu_data *urcu_bp_get_default_call_rcu_data(void)
{
    static char exists;
    return (struct call_rcu_data *)(void *)&exists;
}

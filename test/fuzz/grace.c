// SPDX-License-Identifier: MIT
/*
 * RCU for one thread: what is retired is reclaimed as soon as no critical section is open, by the
 * thread itself. liburcu would wait some milliseconds for each set that is destroyed; and whatever
 * is used too long is freed here before the next instruction that could go on using it.
 *
 * The declarations are those that stand for liburcu's in the schedule explorer, too.
 */
#include <urcu/urcu-bp.h>

#include "memory.h"

static struct rcu_head *first, *newest;
static unsigned nesting;
static int running;

static struct rcu_head *next_of(struct rcu_head *head)
{
    return head->unused;
}

/* A callback may open and close sections of its own. */
static void run(void)
{
    if (nesting > 0 || running)
        return;
    running = 1;
    while (first) {
        struct rcu_head *head = first;
        first = next_of(head);
        head->func(head);
    }
    running = 0;
}

void urcu_bp_read_lock(void)
{
    nesting++;
}

void urcu_bp_read_unlock(void)
{
    if (nesting == 0)
        fail("a read-side critical section is left that was never entered");
    nesting--;
    run();
}

int urcu_bp_read_ongoing(void)
{
    return nesting > 0;
}

void urcu_bp_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head))
{
    head->func = func;
    head->unused = 0;
    if (first)
        newest->unused = head;
    else
        first = head;
    newest = head;
    run();
}

struct call_rcu_data *urcu_bp_get_default_call_rcu_data(void)
{
    static char exists;
    return (struct call_rcu_data *)(void *)&exists;
}

// SPDX-License-Identifier: MIT
/*
 * Stands for liburcu's header of the same name, so that lib/reclaim/rcu.[hc] compile unchanged into
 * the schedule explorer: grace periods are simulated (grace.c), because a real one waits for
 * operating-system threads and the explorer has only one.
 */
#ifndef LFSET_STRESS_EXPLORE_URCU_BP_H
#define LFSET_STRESS_EXPLORE_URCU_BP_H

struct rcu_head {
    void (*func)(struct rcu_head *head);
    void *unused;
};
struct call_rcu_data;

void urcu_bp_read_lock(void);
void urcu_bp_read_unlock(void);
void urcu_bp_call_rcu(struct rcu_head *head, void (*func)(struct rcu_head *head));
int urcu_bp_read_ongoing(void);
struct call_rcu_data *urcu_bp_get_default_call_rcu_data(void);

/* liburcu's mark of a thread that it knows: it never forgets one here. */
#define URCU_TLS(name) (name)
enum { urcu_bp_reader = 1 };

/* The explorer does not fork. */
static inline void urcu_bp_before_fork(void)
{
}
static inline void urcu_bp_after_fork_parent(void)
{
}
static inline void urcu_bp_after_fork_child(void)
{
}
static inline void urcu_bp_call_rcu_before_fork(void)
{
}
static inline void urcu_bp_call_rcu_after_fork_parent(void)
{
}
static inline void urcu_bp_call_rcu_after_fork_child(void)
{
}

#endif

// SPDX-License-Identifier: MIT
#include "reclaim/rcu.h"

#include <errno.h>

#include "platform/probes.h"

struct lfset__account lfset__rcu_account = LFSET__ACCOUNT_INIT(LFSET_RCU);
char lfset__rcu_grace;

_Static_assert(sizeof(struct rcu_head) <= sizeof((struct lfset__retired *)0)->opaque,
               "struct lfset__retired has no room for liburcu's link");

static struct rcu_head *link_of(struct lfset__retired *retired)
{
    return (struct rcu_head *)(void *)retired->opaque;
}

static struct lfset__retired *retired_of(struct rcu_head *link)
{
    return (struct lfset__retired *)(void *)((char *)link -
                                             offsetof(struct lfset__retired, opaque));
}

/* Runs in liburcu's call_rcu thread, after a grace period. */
static void reclaim_now(struct rcu_head *link)
{
    struct lfset__retired *retired = retired_of(link);
    lfset__tsan_acquire(&lfset__rcu_grace);
    size_t bytes = retired->bytes; // it will be gone
    lfset__probe(reclaim__start, LFSET_RCU);
    lfset__account_reclaim(&lfset__rcu_account, retired);
    lfset__probe(reclaim__done, LFSET_RCU, 1, bytes, 0, 0);
}

static _Atomic(bool) in_use;

int lfset__rcu_init(void)
{
    lfset__store_rlx(&in_use, true);
    // Now, not in the first retire: creating the thread takes a lock that fork holds, too.
    return urcu_bp_get_default_call_rcu_data() ? 0 : -ENOMEM;
}

void lfset__rcu_thread_attach(void)
{
    if (lfset__load_rlx(&in_use)) {
        (void)urcu_bp_read_ongoing();
    }
}

/* A reader of liburcu's is a word that its thread stores and that whoever waits for a grace period loads;
 * lfset__rcu_state does just what that one does. The word can be loaded although its thread may be ending:
 * liburcu keeps readers in chunks that never move and that it gives up at the end of the process only, and
 * not even then while a thread is registered, so the one who looks is. What may happen is that the thread
 * ended and that its reader is another thread's by now, for as long as it takes the first one to run our
 * destructor of thread-specific data after liburcu's: a look may say of a thread that ends what is true of
 * one that began.
 * Names of liburcu's internals; where it has other ones, nothing is known. */
const void *lfset__rcu_reader(void)
{
#ifdef URCU_BP_GP_CTR_NEST_MASK
    return URCU_TLS(urcu_bp_reader);
#else
    return NULL;
#endif
}

/* The word is written by plain, volatile stores, which ThreadSanitizer would report. */
__attribute__((noinline, no_sanitize("thread"))) enum lfset__rcu_state
lfset__rcu_state(const void *reader)
{
#ifdef URCU_BP_GP_CTR_NEST_MASK
    if (reader) {
        (void)urcu_bp_read_ongoing(); // registers this thread
        unsigned long own = ((const volatile struct urcu_bp_reader *)reader)->ctr;
        unsigned long phase = *(const volatile unsigned long *)&urcu_bp_gp.ctr;
        return !(own & URCU_BP_GP_CTR_NEST_MASK)             ? LFSET__RCU_QUIET
               : ((own ^ phase) & URCU_BP_GP_CTR_PHASE) == 0 ? LFSET__RCU_READS
                                                             : LFSET__RCU_DELAYS;
    }
#else
    (void)reader;
#endif
    return LFSET__RCU_UNKNOWN;
}

void lfset__rcu_retire(struct lfset__retired *retired)
{
    lfset__account_retire(&lfset__rcu_account, retired);
    lfset__tsan_release(&lfset__rcu_grace);
    urcu_bp_call_rcu(link_of(retired), reclaim_now);
}

/* Counted by ourselves rather than with urcu_bp_barrier, which waits for every user of call_rcu in
 * the process and which ThreadSanitizer sees racing with itself (liburcu 0.13). */
void lfset__rcu_barrier(void)
{
    lfset__account_barrier(&lfset__rcu_account, NULL);
}

void lfset__rcu_drain(_Atomic(int64_t) *pending)
{
    lfset__account_wait(pending, NULL, NULL);
}

void lfset__rcu_before_fork(void)
{
    urcu_bp_call_rcu_before_fork();
    urcu_bp_before_fork();
}

void lfset__rcu_after_fork_in_parent(void)
{
    urcu_bp_after_fork_parent();
    urcu_bp_call_rcu_after_fork_parent();
}

void lfset__rcu_after_fork_in_child(void)
{
    urcu_bp_after_fork_child();
    urcu_bp_call_rcu_after_fork_child();
}

// SPDX-License-Identifier: MIT
#include "reclaim/account.h"

#include <sched.h>
#include <time.h>

#include "record/registry.h"

static void show_garbage(struct lfset__account *account)
{
    struct lfset__segment *segment = lfset__segment_now();
    if (segment) {
        lfset__show(&segment->garbage_objects[account->domain], &account->objects);
        lfset__show(&segment->garbage_bytes[account->domain], &account->bytes);
    }
}

void lfset__account_retire(struct lfset__account *account, struct lfset__retired *retired)
{
    lfset__add_rlx(&account->objects, 1);
    lfset__add_rlx(&account->bytes, retired->bytes);
    retired->era = lfset__load_sc(&account->era) % 2;
    lfset__add_sc(&account->pending[retired->era], 1);
    show_garbage(account);
}

__thread struct lfset__local lfset__local __attribute__((tls_model("initial-exec")));

void lfset__account_reclaim(struct lfset__account *account, struct lfset__retired *retired)
{
    size_t bytes = retired->bytes; // the object is gone after the call
    unsigned era = retired->era;
    lfset__local.reclaiming++;
    retired->reclaim(retired);
    lfset__local.reclaiming--;
    lfset__sub_rlx(&account->bytes, bytes);
    lfset__sub_rlx(&account->objects, 1);
    show_garbage(account);
    struct lfset__segment *segment = lfset__segment_now();
    if (segment) {
        atomic_fetch_add_explicit(&segment->reclaimed_objects[account->domain], 1,
                                  memory_order_relaxed);
    }
    // [barrier] seq_cst: pairs with the load in wait; what reclaim did is visible after a barrier.
    lfset__sub_sc(&account->pending[era], 1);
}

void lfset__account_wait(_Atomic(int64_t) *count, void (*push_on)(const void *arg), const void *arg)
{
    for (unsigned round = 0; lfset__load_sc(count) > 0; round++) { // [barrier]
        if (push_on) {
            push_on(arg);
            if (lfset__load_sc(count) <= 0) {
                return;
            }
        }
        lfset__spin(count);
        if (round < 16) {
            sched_yield();
        } else {
            nanosleep(&(struct timespec){.tv_nsec = 100 * 1000}, NULL);
        }
    }
}

void lfset__account_barrier(struct lfset__account *account, void (*push_on)(const void *arg))
{
    pthread_mutex_lock(&account->barrier);
    for (int counter = 0; counter < 2; counter++) {
        unsigned old = lfset__add_sc(&account->era, 1) % 2;
        lfset__account_wait(&account->pending[old], push_on, NULL);
    }
    pthread_mutex_unlock(&account->barrier);
}

void lfset__account_after_fork(struct lfset__account *account)
{
    account->barrier = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

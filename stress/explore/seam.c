// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "explore/retirement.h"

// hp.c tells what it retires and reclaims; of rcu.c the stand-in for liburcu knows (grace.c)
#define lfset__account_retire retirement_account_retire
#define lfset__account_reclaim retirement_account_reclaim
#include "reclaim/hp.c"
#undef lfset__account_retire
#undef lfset__account_reclaim
#include "wait/wait.c"

#include <string.h>

#include "explore/seam.h"
#include "reclaim/rcu.h"

static void reset_account(struct lfset__account *account)
{
    account->objects = account->bytes = 0;
    account->pending[0] = account->pending[1] = 0;
    account->era = 0;
    account->barrier = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

void seam_reset(void)
{
    for (struct lfset__thread *t = records; t; t = t->next) {
        struct record *record = record_of(t);
        struct lfset__thread *next = t->next;
        free(t->kept); // by a thread that stopped in a section
        *record = (struct record){.thread.next = next};
        ck_stack_init(&record->retired);
    }
    reset_account(&lfset__hp_account);
    reset_account(&lfset__rcu_account);
    memset(buckets, 0, sizeof buckets); // a run that failed leaves its sleepers behind
}

void seam_scan_at_next_retire(struct lfset__thread *thread)
{
    struct record *record = record_of(thread);
    record->left_objects = record->objects + 1 - SCAN_OBJECTS; // wraps; only the difference is used
}

void seam_scan_everything(void)
{
    (void)lfset__thread_attach(); // the thread may have been detached
    scan_everything(NULL);
}

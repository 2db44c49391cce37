// SPDX-License-Identifier: MIT
#include "explore/retirement.h"

#include <stdbool.h>
#include <stdint.h>

#include "explore/schedule.h"

enum { RETIREMENTS = 8192 };

struct retirement {
    const void *object;
    unsigned thread, operation; // the thread's so manieth
    bool awaited;               // by the barrier under way
    bool reclaimed;
};

static struct retirement retirements[RETIREMENTS]; // numbered from 1
static size_t count;
static unsigned returned[SCHED_CONTEXTS]; // operations of each thread

void retirement_reset(void)
{
    count = 0;
    for (unsigned i = 0; i < SCHED_CONTEXTS; i++) {
        returned[i] = 0;
    }
}

void retirement_begin(const void *object)
{
    unsigned me = sched_current();
    if (count == RETIREMENTS - 1) {
        sched_fail("too many objects are retired");
    }
    retirements[++count] =
        (struct retirement){.object = object, .thread = me, .operation = returned[me]};
}

size_t retirement_find(const void *object)
{
    size_t number = count; // the last one of this address: those before it are reclaimed
    while (number > 0 && retirements[number].object != object) {
        number--;
    }
    return number;
}

void retirement_end(size_t number)
{
    retirements[number].reclaimed = true;
}

void retirement_operation_returns(void)
{
    returned[sched_current()]++;
}

void retirement_barrier_begins(void)
{
    for (size_t i = 1; i <= count; i++) {
        struct retirement *retirement = &retirements[i];
        retirement->awaited =
            !retirement->reclaimed && returned[retirement->thread] > retirement->operation;
    }
}

void retirement_barrier_ends(void)
{
    for (size_t i = 1; i <= count; i++) {
        const struct retirement *retirement = &retirements[i];
        if (retirement->awaited && !retirement->reclaimed) {
            sched_fail("barrier returns, and what operation %u of %s retired before it is pending",
                       retirement->operation + 1, sched_thread_name(retirement->thread));
        }
    }
}

void retirement_account_retire(struct lfset__account *account, struct lfset__retired *retired)
{
    retirement_begin(retired);
    lfset__account_retire(account, retired);
}

/* Found before, because another thread may retire an object at the same address as soon as this one is
 * freed; ended when the account has been told, which is the last access that a thread can be left at. */
void retirement_account_reclaim(struct lfset__account *account, struct lfset__retired *retired)
{
    size_t number = retirement_find(retired);
    lfset__account_reclaim(account, retired);
    retirement_end(number);
}

// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "lfset/cancel.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "platform/atomic.h"
#include "wait/wait.h"

struct lfset_cancel {
    const struct lfset_cancel *parent;
    uint64_t deadline; /**< the nearest of its own and its ancestors', none of which changes */
    _Atomic(uint32_t) cancelled;
};

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * UINT64_C(1000000000) + (uint64_t)time.tv_nsec;
}

int lfset_cancel_create(struct lfset_cancel **cancel, const struct lfset_cancel *parent,
                        uint64_t deadline)
{
    if (!cancel) {
        return -EINVAL;
    }
    struct lfset_cancel *made = calloc(1, sizeof *made);
    *cancel = made;
    if (!made) {
        return -ENOMEM;
    }
    uint64_t inherited = lfset__cancel_deadline(parent);
    made->parent = parent;
    made->deadline = deadline < inherited ? deadline : inherited;
    return 0;
}

void lfset_cancel_destroy(struct lfset_cancel *cancel)
{
    free(cancel);
}

int lfset_cancel_now(struct lfset_cancel *cancel)
{
    if (!cancel) {
        return -EINVAL;
    }
    bool first = lfset__swap_sc(&cancel->cancelled, 1) == 0;
    // From here on the token may be gone: who sees the flag may stop, and destroy it.
    // Also when it was cancelled before: who did that may have stopped here.
    lfset__wake_all();
    return first;
}

/* The flags are read one after the other, but none is ever taken back: if each is found unset, all
 * were unset when the first was read, and no deadline had passed. So 0 has an instant. */
int lfset_cancel_check(const struct lfset_cancel *cancel)
{
    for (const struct lfset_cancel *token = cancel; token; token = token->parent) {
        if (lfset__load_sc(&token->cancelled)) {
            return -ECANCELED;
        }
    }
    uint64_t deadline = lfset__cancel_deadline(cancel);
    // The clock is read only when there is a deadline.
    return deadline != LFSET_NO_DEADLINE && now() >= deadline ? -ETIMEDOUT : 0;
}

uint64_t lfset_deadline_in(uint64_t nanoseconds)
{
    uint64_t start = now();
    return nanoseconds < LFSET_NO_DEADLINE - start ? start + nanoseconds : LFSET_NO_DEADLINE;
}

uint64_t lfset__cancel_deadline(const struct lfset_cancel *cancel)
{
    return cancel ? cancel->deadline : LFSET_NO_DEADLINE;
}

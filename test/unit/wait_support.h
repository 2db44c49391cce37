// SPDX-License-Identifier: MIT
/* A thread that is expected to fall asleep in one call, for the tests of waiting. */
#ifndef LFSET_TEST_WAIT_SUPPORT_H
#define LFSET_TEST_WAIT_SUPPORT_H

#include "lfset/cancel.h"
#include "support.h"

struct sleeper {
    int (*call)(void *arg);
    void *arg;
    int result; /* what the call returned */
    atomic_int tid;
    atomic_bool returned;
    pthread_t thread;
};

/* Starts a thread that makes the call. */
void sleeper_start(struct sleeper *sleeper, int (*call)(void *arg), void *arg);
/* Until the thread sleeps, which it must do before it returns. */
void sleeper_until_asleep(struct sleeper *sleeper);
/* Until the call has returned; its result. */
int sleeper_join(struct sleeper *sleeper);

/* A token that is not cancelled. */
struct lfset_cancel *token_new(const struct lfset_cancel *parent, uint64_t deadline);

#endif

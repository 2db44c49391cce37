// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "wait_support.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *sleeper_body(void *arg)
{
    struct sleeper *me = arg;
    atomic_store(&me->tid, gettid());
    me->result = me->call(me->arg);
    atomic_store(&me->returned, true);
    return NULL;
}

void sleeper_start(struct sleeper *sleeper, int (*call)(void *arg), void *arg)
{
    *sleeper = (struct sleeper){.call = call, .arg = arg};
    CHECK_EQ(pthread_create(&sleeper->thread, NULL, sleeper_body, sleeper), 0);
}

/* What the kernel says of a thread; R: it runs, S: it sleeps. */
static char state_of(int tid)
{
    char path[64], text[512];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return '?';
    const size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[length] = '\0';
    const char *name_end = strrchr(text, ')');
    return name_end == NULL ? '?' : name_end[2];
}

/* A thread may sleep for a moment before it gets there, say, for a lock of malloc's. */
void sleeper_until_asleep(struct sleeper *sleeper)
{
    for (unsigned seen = 0; seen < 10; sched_yield()) {
        CHECK(!atomic_load(&sleeper->returned), "the call returned %d instead of sleeping",
              sleeper->result);
        const int tid = atomic_load(&sleeper->tid);
        seen = tid != 0 && state_of(tid) == 'S' ? seen + 1 : 0;
    }
}

int sleeper_join(struct sleeper *sleeper)
{
    CHECK_EQ(pthread_join(sleeper->thread, NULL), 0);
    return sleeper->result;
}

struct lfset_cancel *token_new(const struct lfset_cancel *parent, uint64_t deadline)
{
    struct lfset_cancel *token = NULL;
    CHECK_EQ(lfset_cancel_create(&token, parent, deadline), 0);
    return token;
}

// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "noise.h"

#include "platform/hook.h"

#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

static _Thread_local struct noise_thread *noise_self;

static void pause_briefly(void)
{
    for (int i = 0; i < 200; i++) {
#if defined(__x86_64__)
        __asm__ __volatile__("pause");
#elif defined(__aarch64__)
        __asm__ __volatile__("yield");
#else
        __asm__ __volatile__("");
#endif
    }
}

static void stop_until_let_go(struct noise_thread *self)
{
    atomic_store(&self->stopped, 1);
    while (sem_wait(&self->go) != 0 && errno == EINTR) {
    }
}

static void disturb(struct noise_thread *self)
{
    const uint64_t r = noise_random(&self->random) >> 32;

    self->countdown = 1 + (uint32_t)(r >> 8) % (2 * self->period * self->stretch);
    if (self->left == 0)
        return;
    self->left--;
    if (r % 32 == 0)
        usleep(50);
    else if (r % 32 < 16)
        pause_briefly();
    else
        sched_yield();
}

static void hook(int kind, const volatile void *address)
{
    struct noise_thread *self = noise_self;

    (void)kind;
    (void)address;
    if (!self)
        return;
    if (self->stop_in != 0 && --self->stop_in == 0)
        stop_until_let_go(self);
    if (self->period != 0 && --self->countdown == 0)
        disturb(self);
}

void noise_install(void)
{
    lfset__hook = hook;
}

void noise_enter(struct noise_thread *thread)
{
    noise_self = thread;
}

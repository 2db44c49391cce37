// SPDX-License-Identifier: MIT
/*
 * Something for scripts to look at, until it is killed. The set "hoard" is added to by hoard(), which leaves its
 * keys there, and by fair(), which removes what it added; both are called by work(). The thread "hoarder" does
 * that; a thread "visitor" comes and goes; now and then a section is longer than 100 ms.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "lfset/cancel.h"
#include "lfset/u64.h"

enum { KEYS = 1000 };

static void need(int error)
{
    if (error) {
        abort();
    }
}

static void pause_ms(long ms)
{
    nanosleep(&(struct timespec){0, ms * 1000000}, NULL);
}

/* Not inlined, and with something to do after the call, so that it is on the stack. */
#define SHOWN __attribute__((noinline))

SHOWN int hoard(struct lfset_u64 *set, uint64_t key)
{
    int result = lfset_u64_add(set, key);
    __asm__ volatile("" : "+r"(result));
    return result;
}

SHOWN int fair(struct lfset_u64 *set, uint64_t key)
{
    int result = lfset_u64_add(set, key) + lfset_u64_remove(set, key);
    __asm__ volatile("" : "+r"(result));
    return result;
}

SHOWN int work(struct lfset_u64 *set, uint64_t from)
{
    int result = 0;
    for (uint64_t key = from; key < from + KEYS; key++) {
        result += fair(set, key + (UINT64_C(1) << 32));
        result += key % 8 == 0 ? hoard(set, key) : 0;
    }
    return result;
}

static void *visit(void *set)
{
    lfset_u64_contains(set, 1);
    struct lfset_cancel *soon;
    need(lfset_cancel_create(&soon, NULL, lfset_deadline_in(2000000)));
    lfset_u64_wait_present(set, UINT64_MAX, soon);
    lfset_cancel_destroy(soon);
    return NULL;
}

int main(void)
{
    pthread_setname_np(pthread_self(), "hoarder");
    for (unsigned round = 0;; round++) {
        struct lfset_options options = LFSET_OPTIONS_INIT;
        struct lfset_u64 *set;
        options.name = "hoard";
        options.domain = round % 2 ? LFSET_HP : LFSET_RCU;
        need(lfset_u64_create(&set, &options));
        for (uint64_t i = 0; i < 4; i++) {
            work(set, i * KEYS);
            pthread_t thread;
            need(pthread_create(&thread, NULL, visit, set));
            pthread_setname_np(thread, "visitor");
            pthread_join(thread, NULL);
        }
        lfset_section_enter();
        pause_ms(round % 4 == 0 ? 120 : 1);
        lfset_section_leave();
        lfset_u64_size(set, NULL);
        if (round % 2 == 1) {
            lfset_u64_clear(set, NULL);
        }
        lfset_u64_destroy(set);
        pause_ms(5);
    }
}

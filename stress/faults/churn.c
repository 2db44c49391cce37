// SPDX-License-Identifier: MIT
/*
 * Threads begin and end, a hundred thousand in all and a few at a time; each does a few operations on sets of every
 * kind and domain. What they leave behind is measured: the heap, to the byte, and the resident size.
 */
#define _GNU_SOURCE
#include "every.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { AT_ONCE = 8, WARM_UP = 1000 };

struct user {
    struct every *every;
    uint64_t number;
    pthread_t thread;
};

static void *user_main(void *arg)
{
    struct user *user = arg;

    if (user->number % 4 == 0)
        (void)lfset_thread_attach();
    every_use(user->every, 1000 + user->number % AT_ONCE * 100, 2);
    if (user->number % 16 == 0)
        every_use_all(user->every, 1000 + user->number % AT_ONCE * 100, 0);
    if (user->number % 4 == 1)
        (void)lfset_thread_detach();
    if (user->number % 4 == 2)
        (void)lfset_section_enter(); /* it ends within one */
    return NULL;
}

static int users_run(struct every *every, uint64_t from, uint64_t to)
{
    struct user users[AT_ONCE];
    int rc = 0;

    for (uint64_t at = from; at < to && rc == 0 && !cell_failed(every->cell); at += AT_ONCE) {
        int begun = 0;

        cell_at(every->cell, "threads from %llu on", (unsigned long long)at);
        for (; begun < AT_ONCE && rc == 0; begun++) {
            users[begun] = (struct user){.every = every, .number = at + (uint64_t)begun};
            rc = pthread_create(&users[begun].thread, NULL, user_main, &users[begun]);
            if (rc != 0)
                break;
        }
        for (int i = 0; i < begun; i++) {
            pthread_join(users[i].thread, NULL);
            cell_tried(every->cell);
        }
    }
    return -rc;
}

static long long heap_bytes(void)
{
    const struct mallinfo2 info = mallinfo2();

    return (long long)(info.uordblks + info.hblkhd);
}

static long long resident_bytes(void)
{
    long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file) {
        if (fscanf(file, "%*d %lld", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return pages * sysconf(_SC_PAGESIZE);
}

/* As small as it gets: every set was just purged, nothing waits, malloc keeps nothing that is free. */
static void settle(struct every *every)
{
    for (size_t i = 0; i < EVERY_SETS; i++)
        (void)every->target[i]->size(every->set[i]);
    (void)lfset_barrier();
    malloc_trim(0);
}

static int churn_run(struct cell *cell)
{
    const uint64_t threads = cell->quick ? 15000 : 100000;
    struct every every;

    atomic_store(&cell->shared->planned, threads);
    int rc = every_create(&every, cell, cell->seed);
    if (rc == 0)
        rc = users_run(&every, 0, WARM_UP);
    settle(&every);
    const long long heap = heap_bytes(), resident = resident_bytes();
    if (rc == 0)
        rc = users_run(&every, WARM_UP, threads);
    settle(&every);
    const long long heap_grown = heap_bytes() - heap;
    const long long resident_grown = resident_bytes() - resident;
    if (rc != 0 || cell_failed(cell))
        return rc;
    cell_at(cell, "after %llu threads", (unsigned long long)threads);
    /* A tenth of the least that a thread could leave, its record; and pages that malloc keeps. */
    if (heap_grown > (long long)threads * 16)
        cell_fail(cell, "the heap has grown by %lld bytes", heap_grown);
    if (resident_grown > (8 << 20) + (long long)threads * 16)
        cell_fail(cell, "the resident size has grown by %lld KiB", resident_grown / 1024);
    every_check(&every, 0);
    every_destroy(&every);
    if (target_noticed())
        cell_fail(cell, "%s", target_noticed());
    cell_tell(
        cell,
        "between thread %d and %llu the heap grew by %lld bytes, the resident size by %lld KiB",
        WARM_UP, (unsigned long long)threads, heap_grown, resident_grown / 1024);
    return 0;
}

const struct fault fault_churn = {
    .name = "churn",
    .about = "threads begin and end all the time, some in sections or detached before; records are "
             "used again, memory does not grow with their number",
    .one_row = 1,
    .unit = "threads",
    .run = churn_run,
};

// SPDX-License-Identifier: MIT
/*
 * The process forks again and again while threads are in the middle of operations on sets of every kind and
 * domain. Both parent and child must go on using all sets, which in the child are as they were at an instant;
 * the child adds, removes, looks at, empties and destroys them, starts threads, and ends.
 */
#define _GNU_SOURCE
#include "every.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 3, ROUNDS_BETWEEN = 4 };

struct load {
    struct every *every;
    uint64_t first; /* its keys are from here on */
    atomic_int *stop;
    atomic_ulong rounds;
    pthread_t thread;
};

static void *load_main(void *arg)
{
    struct load *load = arg;

    for (unsigned long i = 0; !atomic_load(load->stop); i++) {
        every_use(load->every, load->first + i % 1000 * 20, 20);
        if (i % 8 == 0)
            every_use_all(load->every, load->first + i % 1000 * 20, 0);
        atomic_store(&load->rounds, i + 1);
    }
    return NULL;
}

static int loads_start(struct load *loads, struct every *every, atomic_int *stop, uint64_t first)
{
    int rc = 0;

    for (int i = 0; i < THREADS && rc == 0; i++) {
        loads[i].every = every;
        loads[i].first = first + (uint64_t)i * 1000000;
        loads[i].stop = stop;
        atomic_init(&loads[i].rounds, 0);
        rc = pthread_create(&loads[i].thread, NULL, load_main, &loads[i]);
    }
    return -rc;
}

/* All are at work, each somewhere in it. */
static void loads_advance(struct load *loads)
{
    for (int i = 0; i < THREADS; i++) {
        const unsigned long until = atomic_load(&loads[i].rounds) + ROUNDS_BETWEEN;

        while (atomic_load(&loads[i].rounds) < until)
            sched_yield();
    }
}

static void loads_end(struct load *loads, atomic_int *stop)
{
    atomic_store(stop, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_join(loads[i].thread, NULL);
}

/* Every second child has threads of its own for a while. */
static void child_main(struct every *every, int number)
{
    struct every anew;
    struct load loads[THREADS];
    atomic_int stop = 0;

    every_use_all(every, 50000000, 0);
    if (number % 2 == 0) {
        if (loads_start(loads, every, &stop, 60000000) != 0)
            cell_fail(every->cell, "the child cannot start threads");
        loads_advance(loads);
        loads_end(loads, &stop);
    }
    every_use_all(every, 50000000, 1);
    every_check(every,
                1); /* not before: what a thread that is not here had half done is done now */
    every_destroy(every);
    /* An object that a thread was about to add when the child began is nobody's now. */
    target_notice_clear();
    if (every_create(&anew, every->cell, 1) != 0)
        cell_fail(every->cell, "the child cannot create sets");
    every_use_all(&anew, 50000000, 1);
    every_check(&anew, 0);
    every_destroy(&anew);
    if (target_noticed())
        cell_fail(every->cell, "%s", target_noticed());
}

static int one_fork(struct every *every, int number)
{
    struct cell *cell = every->cell;
    int status = 0;

    cell_at(cell, "fork %d", number);
    const pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0) {
        alarm((unsigned)cell->hang + 1); /* a hang ends with SIGALRM */
        child_main(every, number);
        _exit(cell_failed(cell));
    }
    every_use_all(every, 70000000, 0); /* at the same time */
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status))
        cell_fail(cell, "the child ended with: %s",
                  WTERMSIG(status) == SIGALRM ? "a hang" : strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status) != 0)
        cell_fail(cell, "the child found its sets wrong");
    every_use_all(every, 70000000, 0);
    cell_tried(cell);
    return 0;
}

static int fork_run(struct cell *cell)
{
    const int forks = cell->quick ? 80 : 400;
    struct every every;
    struct load loads[THREADS];
    struct lfset_garbage garbage[2];
    atomic_int stop = 0;

    atomic_store(&cell->shared->planned, (unsigned long)forks);
    int rc = every_create(&every, cell, cell->seed);
    if (rc == 0)
        rc = loads_start(loads, &every, &stop, 1000000);
    for (int i = 0; i < forks && rc == 0 && !cell_failed(cell); i++) {
        loads_advance(loads);
        rc = one_fork(&every, i);
    }
    if (rc != 0 || cell_failed(cell))
        return rc;
    loads_end(loads, &stop);
    cell_at(cell, "at rest");
    every_check(&every, 0);
    every_destroy(&every);
    if (lfset_barrier() != 0 || lfset_garbage_read(LFSET_RCU, &garbage[0]) != 0 ||
        lfset_garbage_read(LFSET_HP, &garbage[1]) != 0 || garbage[0].objects || garbage[1].objects)
        cell_fail(cell, "something is left over");
    cell_tell(cell,
              "%d forks among %d threads at work on %d sets; half of the children with "
              "threads of their own",
              forks, THREADS, EVERY_SETS);
    return 0;
}

const struct fault fault_fork = {
    .name = "fork",
    .about =
        "the process forks while threads are in the midst of operations on all sets; parent and "
        "child both go on with them",
    .one_row = 1,
    .unit = "forks",
    .run = fork_run,
};

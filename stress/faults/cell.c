// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "cell.h"

#include "run.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* A cell notices most hangs itself and says which; this is for those that it does not. */
#define GRACE 20

void cell_at(struct cell *cell, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(cell->shared->at, sizeof(cell->shared->at), format, args);
    va_end(args);
}

void cell_tried(struct cell *cell)
{
    atomic_fetch_add(&cell->shared->cases, 1);
}

void cell_fail(struct cell *cell, const char *format, ...)
{
    struct cell_shared *shared = cell->shared;
    va_list args;

    if (atomic_exchange(&shared->failed, 1) != 0)
        return;
    const int used = snprintf(shared->detail, sizeof(shared->detail), "%s: ", shared->at);
    va_start(args, format);
    if (used > 0 && (size_t)used < sizeof(shared->detail))
        vsnprintf(shared->detail + used, sizeof(shared->detail) - (size_t)used, format, args);
    va_end(args);
}

int cell_failed(const struct cell *cell)
{
    return atomic_load(&cell->shared->failed);
}

void cell_tell(struct cell *cell, const char *format, ...)
{
    va_list args;

    if (cell_failed(cell))
        return;
    va_start(args, format);
    vsnprintf(cell->shared->detail, sizeof(cell->shared->detail), format, args);
    va_end(args);
}

void cell_skip(struct cell *cell)
{
    atomic_store(&cell->shared->skipped, 1);
}

static void child_main(struct cell *cell)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* it must not go on alone */
    const int rc = cell->fault->run(cell);

    fflush(NULL);
    if (rc != 0)
        snprintf(cell->shared->detail, sizeof(cell->shared->detail), "%s: %s", cell->shared->at,
                 strerror(-rc));
    _exit(rc != 0); /* sets and threads may be left over */
}

static void outcome_of(struct cell *cell, int status)
{
    struct cell_shared *shared = cell->shared;

    if (WIFSIGNALED(status)) {
        cell->outcome = CELL_CRASHED;
        snprintf(shared->detail, sizeof(shared->detail), "%s: %s", shared->at,
                 strsignal(WTERMSIG(status)));
    } else if (WEXITSTATUS(status) != 0) {
        cell->outcome = CELL_BROKEN;
    } else {
        cell->outcome = atomic_load(&shared->failed)    ? CELL_FAILED
                        : atomic_load(&shared->skipped) ? CELL_SKIPPED
                                                        : CELL_OK;
    }
}

/* @return the child's status, or -1: it made no progress, and was killed. */
static int wait_for(struct cell *cell, pid_t child,
                    void (*tick)(void *ctx, const struct cell *cell), void *ctx)
{
    unsigned long seen = 0;
    double since = run_now();
    int status = 0;

    for (;;) {
        const pid_t ended = waitpid(child, &status, WNOHANG);

        if (ended == child)
            return status;
        if (ended < 0 && errno != EINTR)
            return -1;
        const unsigned long cases = atomic_load(&cell->shared->cases);
        if (cases != seen) {
            seen = cases;
            since = run_now();
        }
        if (run_now() - since > cell->hang + GRACE) {
            kill(child, SIGKILL);
            waitpid(child, &status, 0);
            return -1;
        }
        tick(ctx, cell);
        usleep(10000);
    }
}

int cell_run(struct cell *cell, void (*tick)(void *ctx, const struct cell *cell), void *ctx)
{
    const double begun = run_now();

    cell->shared = mmap(NULL, sizeof(*cell->shared), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (cell->shared == MAP_FAILED)
        return -errno;
    fflush(NULL);
    const pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0)
        child_main(cell);
    const int status = wait_for(cell, child, tick, ctx);
    cell->seconds = run_now() - begun;
    if (status == -1) {
        cell->outcome = CELL_HANG;
        snprintf(cell->shared->detail, sizeof(cell->shared->detail), "%s: no progress for %g s",
                 cell->shared->at, cell->hang + GRACE);
    } else {
        outcome_of(cell, status);
    }
    return 0;
}

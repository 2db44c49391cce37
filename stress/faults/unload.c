// SPDX-License-Identifier: MIT
/*
 * The shared library is loaded, used and unloaded again and again, by a program that is not linked with it
 * (host/host.c), and threads that used it live on.
 */
#define _GNU_SOURCE
#include "cell.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A file in the directory of this program. */
static char *beside(const char *name)
{
    char self[4096], *path;
    const ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (length <= 0)
        return NULL;
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    return asprintf(&path, "%s/%s", self, name) < 0 ? NULL : path;
}

static void host_exec(const char *host, const char *library, int rounds, const int *out)
{
    char count[16];

    snprintf(count, sizeof(count), "%d", rounds);
    dup2(out[1], STDOUT_FILENO);
    dup2(out[1], STDERR_FILENO);
    close(out[0]);
    alarm(600);
    execl(host, host, library, count, (char *)NULL);
    _exit(127);
}

/* @return the status, with what it said in `said`; or a negative errno. */
static int host_run(const char *host, const char *library, int rounds, char *said, size_t size)
{
    int out[2], status = 0;
    size_t used = 0;
    ssize_t got;

    if (pipe(out) != 0)
        return -errno;
    const pid_t child = fork();
    if (child < 0)
        return -errno;
    if (child == 0)
        host_exec(host, library, rounds, out);
    close(out[1]);
    while (used < size - 1 && (got = read(out[0], said + used, size - 1 - used)) > 0)
        used += (size_t)got;
    said[used] = '\0';
    said[strcspn(said, "\n")] = '\0';
    close(out[0]);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

static int unload_run(struct cell *cell)
{
    enum { ROUNDS_EACH = 10 };
    const int times = cell->quick ? 5 : 50;
    char *host = beside("lfset-faults-host"), *library = beside("liblfset.so");
    char said[200] = "";

    atomic_store(&cell->shared->planned, (unsigned long)times * ROUNDS_EACH);
    if (!host || !library)
        return -ENOMEM;
    if (access(host, X_OK) != 0 || access(library, R_OK) != 0) {
        cell_tell(cell, "lfset-faults-host or liblfset.so is not beside this program");
        cell_skip(cell);
    }
    for (int i = 0; i < times && !cell_failed(cell) && !atomic_load(&cell->shared->skipped); i++) {
        cell_at(cell, "process %d", i);
        const int status = host_run(host, library, ROUNDS_EACH, said, sizeof(said));
        if (status < 0)
            return status;
        if (WIFSIGNALED(status))
            cell_fail(cell, "%s", strsignal(WTERMSIG(status)));
        else if (status != 0)
            cell_fail(cell, "%s", said);
        for (int round = 0; round < ROUNDS_EACH; round++)
            cell_tried(cell);
        cell_tell(cell, "in %d processes: %s", i + 1, said);
    }
    free(host);
    free(library);
    return 0;
}

const struct fault fault_unload = {
    .name = "unload",
    .about =
        "liblfset.so is loaded, used from threads and unloaded (dlopen, dlclose) again and again; "
        "threads that used it end afterwards, and the process forks",
    .one_row = 1,
    .unit = "loads",
    .run = unload_run,
};

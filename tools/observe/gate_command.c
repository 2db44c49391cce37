// SPDX-License-Identifier: MIT
// A command whose sets are watched while it runs. Its processes are those of its process group; each
// registry is held open, so that what its process left behind when it ended is seen as well.
#define _GNU_SOURCE
#include "gate.h"

#include "target.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PROCESSES_MOST = 256 };
// Often at first: a short command should not be missed.
static const double period_least = 0.005, period_most = 0.1;

struct watched {
    pid_t pid;
    struct lfset_registry *registry;
};

struct watch {
    pid_t group;
    unsigned count;
    struct watched processes[PROCESSES_MOST];
};

static volatile sig_atomic_t group_to_end;

static void end_group(int signal)
{
    kill(-(pid_t)group_to_end, signal);
}

// A group of its own does not hear the terminal.
static void pass_on_signals(pid_t group)
{
    struct sigaction action = {.sa_handler = end_group};
    group_to_end = group;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static bool is_watched(const struct watch *watch, pid_t pid)
{
    for (unsigned i = 0; i < watch->count; i++)
        if (watch->processes[i].pid == pid)
            return true;
    return false;
}

static void find_processes(struct watch *watch)
{
    pid_t pids[PROCESSES_MOST];
    int found = lfset_registry_list(pids, PROCESSES_MOST);
    for (int i = 0; i < found && i < PROCESSES_MOST && watch->count < PROCESSES_MOST; i++) {
        struct watched *process = &watch->processes[watch->count];
        if (!is_watched(watch, pids[i]) && getpgid(pids[i]) == watch->group &&
            lfset_registry_open(&process->registry, pids[i]) == 0) {
            process->pid = pids[i];
            watch->count++;
        }
    }
}

static void look(const struct watch *watch, struct gate_run *run)
{
    gate_run_begin(run);
    for (unsigned i = 0; i < watch->count; i++) {
        struct lfset_observation *seen;
        if (lfset_observation_take(watch->processes[i].registry, &seen) == 0) {
            gate_run_add(run, seen);
            lfset_observation_free(seen);
        }
    }
    gate_run_end(run);
}

static pid_t start(const char *command)
{
    pid_t child = fork();
    if (child == 0) {
        setpgid(0, 0);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    if (child > 0)
        setpgid(child, child); // whoever comes first
    return child > 0 ? child : -errno;
}

int gate_run_command(struct gate_run *run, const char *command, unsigned *processes)
{
    struct watch *watch = calloc(1, sizeof *watch);
    *processes = 0;
    if (!watch)
        return -ENOMEM;
    pid_t child = start(command);
    if (child < 0) {
        free(watch);
        return child;
    }
    watch->group = child;
    pass_on_signals(child);
    int status = 0;
    for (double period = period_least; waitpid(child, &status, WNOHANG) == 0;) {
        find_processes(watch);
        look(watch, run);
        target_sleep(period);
        period = period * 1.2 < period_most ? period * 1.2 : period_most;
    }
    look(watch, run); // what they left behind
    *processes = watch->count;
    for (unsigned i = 0; i < watch->count; i++)
        lfset_registry_close(watch->processes[i].registry);
    free(watch);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// SPDX-License-Identifier: MIT
// lfset save: a process's registry as a file, which can be looked at later and elsewhere.
#define _GNU_SOURCE
#include "target.h"
#include "verbs.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct argp_option option_list[] = {
    {"output", 'o', "FILE", 0, "Where it goes (needed)", 0},
    {0},
};

struct arguments {
    const char *pid, *output;
};

static error_t option_parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'o':
        arguments->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one process at a time");
        arguments->pid = argument;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->pid || !arguments->output)
            argp_error(state, "a process id and -o FILE are needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp option_parser = {
    .options = option_list,
    .parser = option_parse,
    .args_doc = "PID -o FILE",
    .doc = "Saves what a process publishes about its sets, as it is now; `lfset inspect` and "
           "`lfset report` take "
           "the file in a process's place."
           "\v"
           "The same is done by cp /proc/PID/fd/N FILE, where N is the descriptor that `ls -l "
           "/proc/PID/fd` shows "
           "as /memfd:lfset-observe. The file is readable by its owner only: it tells addresses "
           "and names of the "
           "process.\n\n"
           "Exit status: 0; 2 for a wrong option, 3 when there is no such process, it has no "
           "registry, it is "
           "another user's, or the file cannot be written.",
};

// Copies what is not a hole. Returns 0 or a negative errno.
static int copy(int from, int to)
{
    static char buffer[1 << 16];
    off_t size = lseek(from, 0, SEEK_END), begin = 0;
    if (size < 0 || ftruncate(to, 0) != 0 || ftruncate(to, size) != 0) // holes stay holes
        return -errno;
    while (begin < size && (begin = lseek(from, begin, SEEK_DATA)) >= 0) {
        off_t end = lseek(from, begin, SEEK_HOLE);
        while (begin < end) {
            size_t length =
                end - begin < (off_t)sizeof buffer ? (size_t)(end - begin) : sizeof buffer;
            ssize_t got = pread(from, buffer, length, begin);
            if (got <= 0)
                return got < 0 ? -errno : -EIO;
            ssize_t put = pwrite(to, buffer, (size_t)got, begin);
            if (put != got)
                return put < 0 ? -errno : -ENOSPC;
            begin += got;
        }
    }
    return begin < 0 && errno != ENXIO ? -errno : 0; // ENXIO: only a hole is left
}

static int save(pid_t pid, int to)
{
    int from = target_registry_fd(pid);
    int error = from < 0 ? from : copy(from, to);
    if (from >= 0)
        close(from);
    return error;
}

int tool_save(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct target target;
    argp_parse(&option_parser, argc, argv, 0, NULL, &arguments);
    int status = target_open(&target, argv[0], arguments.pid);
    if (status)
        return status;
    pid_t pid = target.pid;
    target_close(&target);
    if (pid == 0) {
        fprintf(stderr, "%s: %s is a file already\n", argv[0], arguments.pid);
        return TOOL_USAGE;
    }
    int to = open(arguments.output, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    int error = to < 0 ? -errno : save(pid, to);
    if (to >= 0 && close(to) != 0 && error == 0)
        error = -errno;
    if (error == 0)
        return TOOL_OK;
    if (to >= 0)
        unlink(arguments.output);
    if (error == -ENOENT && to >= 0)
        target_complain(argv[0], arguments.pid, pid, error);
    else
        fprintf(stderr, "%s: %s: %s\n", argv[0], arguments.output, strerror(-error));
    return TOOL_CANNOT;
}

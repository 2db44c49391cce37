// SPDX-License-Identifier: MIT
// lfset uniq: the distinct lines of files. Here its options; uniq.h tells where the rest is.
#define _GNU_SOURCE
#include "uniq.h"

#include "tools.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { THREADS_MAX = 1024 };
enum { OPTION_INTEGERS = 256, OPTION_UNORDERED };

static const struct argp_option option_list[] = {
    {"count", 'c', NULL, 0, "Put before each line how often it occurs", 0},
    {"repeated", 'd', NULL, 0, "Only lines that occur more than once", 0},
    {"integers", OPTION_INTEGERS, NULL, 0, "Lines are 64-bit integers, equal when their values are",
     0},
    {"threads", 't', "N", 0, "Threads to use (default: the processors online)", 0},
    {"unordered", OPTION_UNORDERED, NULL, 0, "In any order, which may be faster", 0},
    {0},
};

struct arguments {
    struct uniq_options options;
    bool integers;
};

static error_t option_parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    struct uniq_options *options = &arguments->options;
    char *end;
    switch (key) {
    case 'c':
        options->with_counts = true;
        return 0;
    case 'd':
        options->only_repeated = true;
        return 0;
    case OPTION_INTEGERS:
        arguments->integers = true;
        return 0;
    case OPTION_UNORDERED:
        options->unordered = true;
        return 0;
    case 't':
        errno = 0;
        long threads = strtol(argument, &end, 10);
        if (end == argument || *end || errno || threads < 1 || threads > THREADS_MAX)
            argp_error(state, "--threads: '%s' is not a number from 1 to %d", argument,
                       THREADS_MAX);
        options->threads = (unsigned)threads;
        return 0;
    case ARGP_KEY_ARGS:
        options->files = state->argv + state->next;
        options->count = state->argc - state->next;
        return 0;
    case ARGP_KEY_END:
        if (arguments->integers && (options->with_counts || options->only_repeated))
            argp_error(state, "--integers cannot be combined with -c or -d");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp option_parser = {
    .options = option_list,
    .parser = option_parse,
    .args_doc = "[FILE...]",
    .doc =
        "Prints each distinct line of the files once, where it occurs first. Without a FILE, or "
        "when it is -, reads standard input."
        "\v"
        "A line is any bytes up to a newline, which the last one of a file may lack: 4 GB at most. "
        "With -c and -d, too, the lines come in the order of their first occurrence, at the end of "
        "the input; --unordered changes nothing then.\n\n"
        "With --integers a line is an integer from 0 to 2^64-1 in decimal (07 is 7) or, after 0x, "
        "in hexadecimal, and nothing else: no blanks, no sign, no carriage return; at most 64 "
        "bytes. Each is printed as it is spelt where it occurs first. At a malformed line the "
        "output ends with what came before it, and the message names the file and the line.\n\n"
        "Memory needed: the distinct lines and some 40 bytes for each (-c and -d: 100; --integers: "
        "20 bytes for each distinct integer), and a few megabytes for each thread.\n\n"
        "Exit status: 0; 1 when a file cannot be read or the output not written; 2 when a line "
        "is malformed or an option wrong.",
};

int tool_uniq(int argc, char **argv)
{
    static char standard_input[] = "-";
    static char *no_files[] = {standard_input, NULL};
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    struct arguments arguments = {
        .options =
            {
                .name = argv[0],
                .threads = online < 1             ? 1
                           : online > THREADS_MAX ? THREADS_MAX
                                                  : (unsigned)online,
                .files = no_files,
                .count = 1,
            },
    };
    struct uniq_options *options = &arguments.options;
    error_t error = argp_parse(&option_parser, argc, argv, 0, NULL, &arguments);
    if (error) {
        fprintf(stderr, "%s: %s\n", argv[0], strerror(error));
        return UNIQ_MALFORMED;
    }
    // A reader that went away is told like any other failed write.
    signal(SIGPIPE, SIG_IGN);

    options->kind = &uniq_lines;
    if (arguments.integers)
        options->kind = &uniq_integers;
    if (options->with_counts || options->only_repeated) {
        options->kind = &uniq_counts;
        options->unordered = false; // counting needs a thread of its own for each line
    }
    return uniq_run(options);
}

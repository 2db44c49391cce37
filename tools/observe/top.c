// SPDX-License-Identifier: MIT
// lfset top: the sets of processes, as they change.
#define _GNU_SOURCE
#include "top.h"

#include "show.h"
#include "target.h"
#include "verbs.h"

#include <argp.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_ASCII = 256 };

static const struct argp_option option_list[] = {
    {"batch", 'b', "N", 0, "Print N times as plain text, and end", 0},
    {"interval", 'i', "SECONDS", 0, "Between two looks (default 1)", 0},
    {"sort", 's', "WHAT", 0, "By bytes, growth, keys, adds or retired (default bytes)", 0},
    {"ascii", OPTION_ASCII, NULL, 0, "Draw with ASCII characters only", 0},
    {0},
};

struct arguments {
    const char *pid;
    double interval;
    unsigned batch;
    enum top_order order;
    bool ascii;
};

static enum top_order order_parse(struct argp_state *state, const char *name)
{
    for (unsigned order = 0; order < ORDERS; order++)
        if (strcmp(name, top_order_name((enum top_order)order)) == 0)
            return (enum top_order)order;
    argp_error(state, "--sort: '%s' is none of bytes, growth, keys, adds, retired", name);
    return ORDER_BYTES;
}

static error_t option_parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'b':
        arguments->batch = (unsigned)option_number(state, "--batch", argument, 1, 1e9);
        return 0;
    case 'i':
        arguments->interval = option_number(state, "--interval", argument, 0.01, 3600);
        return 0;
    case 's':
        arguments->order = order_parse(state, argument);
        return 0;
    case OPTION_ASCII:
        arguments->ascii = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "one process at a time; without a PID it shows all");
        if (!*argument || argument[strspn(argument, "0123456789")] || atol(argument) < 1 ||
            atol(argument) > INT_MAX)
            argp_error(state, "'%s' is no process id", argument);
        arguments->pid = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp option_parser = {
    .options = option_list,
    .parser = option_parse,
    .args_doc = "[PID]",
    .doc = "Shows the sets of a process, or of all that may be looked into, and how they change."
           "\v"
           "Keys: b g k a r sort by bytes, growth, keys, adds or retired bytes; arrows and page "
           "keys move "
           "through the sets; e hides and shows the events; space holds the picture; q ends.\n\n"
           "The processes are only read: one that is stopped is shown as it is, and one that ends "
           "stays, "
           "as it was last.\n\n"
           "Exit status: 0; 2 for a wrong option, 3 when there is no such process, it has no "
           "registry, or "
           "it is another user's.",
};

static void print_line(enum top_look look, const char *text, void *ctx)
{
    (void)look;
    (void)ctx;
    puts(text);
}

static int batch(struct top *top, unsigned times, double interval)
{
    const struct top_room room = {
        .processes = SIZE_MAX, .sets = SIZE_MAX, .stalls = 20, .events = 10};
    for (unsigned i = 0; i < times; i++) {
        if (i > 0) {
            putchar('\n');
            target_sleep(interval);
            top_look(top);
        }
        top_draw(top, &room, print_line, NULL);
        int status = target_output_end(top->tool, stdout, false);
        if (status)
            return status;
    }
    return TOOL_OK;
}

int tool_top(int argc, char **argv)
{
    static struct top top;
    struct arguments arguments = {.interval = 1};
    setlocale(LC_ALL, "");
    argp_parse(&option_parser, argc, argv, 0, NULL, &arguments);
    if (arguments.batch == 0 && !(isatty(STDOUT_FILENO) && isatty(STDIN_FILENO))) {
        fprintf(stderr, "%s: not on a terminal; --batch N prints plain text\n", argv[0]);
        return TOOL_USAGE;
    }
    top = (struct top){.tool = argv[0],
                       .only = arguments.pid ? (pid_t)atol(arguments.pid) : 0,
                       .order = arguments.order,
                       .utf8 = show_is_utf8() && !arguments.ascii};
    int error = top_look(&top);
    if (error) {
        target_complain(argv[0], arguments.pid, top.only, error);
        return target_status(error);
    }
    int status = arguments.batch ? batch(&top, arguments.batch, arguments.interval)
                                 : top_screen(&top, arguments.interval);
    top_end(&top);
    return status;
}

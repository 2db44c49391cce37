// SPDX-License-Identifier: MIT
// lfset inspect: all that a registry tells of a process, or of one of its sets.
#define _GNU_SOURCE
#include "inspect.h"

#include "show.h"
#include "target.h"
#include "verbs.h"

#include <argp.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_JSON = 256, OPTION_STACKS, OPTION_ASCII };

static const struct argp_option option_list[] = {
    {"interval", 'i', "SECONDS", 0, "Between the two looks that rates are taken from (default 1)",
     0},
    {"json", OPTION_JSON, NULL, 0, "As JSON", 0},
    {"stacks", OPTION_STACKS, NULL, 0,
     "Also where the holding threads are now, by ptrace: stops each of them for a moment", 0},
    {"ascii", OPTION_ASCII, NULL, 0, "Draw with ASCII characters only", 0},
    {0},
};

struct arguments {
    const char *what, *set;
    double interval;
    bool json, stacks, ascii;
};

static error_t option_parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'i':
        arguments->interval = option_number(state, "--interval", argument, 0, 3600);
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case OPTION_STACKS:
        arguments->stacks = true;
        return 0;
    case OPTION_ASCII:
        arguments->ascii = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            argp_error(state, "one process and one set at a time");
        *(state->arg_num == 0 ? &arguments->what : &arguments->set) = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "a process id or a file is needed; `lfset ps` lists processes");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp option_parser = {
    .options = option_list,
    .parser = option_parse,
    .args_doc = "PID|FILE [SET]",
    .doc = "Shows all that a process publishes about its sets, or about one: numbers and rates, "
           "memory, "
           "guard and forecast, probe lengths, who holds something back, what is retired, events."
           "\v"
           "SET is a set's name or its id. FILE is a registry that was saved (`lfset save`, or a "
           "copy of the "
           "process's /proc/PID/fd/N).\n\n"
           "The process is only read, and need not run: it may be stopped. Only --stacks asks "
           "something of "
           "it. A reader that is in the same section at both looks is shown as such, whether or "
           "not the "
           "process has a watcher.\n\n"
           "Exit status: 0; 2 for a wrong option, a set that is not there, or a file that is no "
           "registry "
           "or of another version; 3 when there is no such process, it has no registry, or it is "
           "another "
           "user's.",
};

bool inspection_wants(const struct inspection *inspection, const struct lfset_set_seen *set)
{
    char id[24];
    snprintf(id, sizeof id, "%llu", (unsigned long long)set->id);
    return !inspection->set || strcmp(set->name, inspection->set) == 0 ||
           strcmp(id, inspection->set) == 0;
}

bool inspection_wants_id(const struct inspection *inspection, uint64_t set_id)
{
    const struct lfset_set_seen *set = lfset_observation_set(inspection->now, set_id);
    return !inspection->set || (set && inspection_wants(inspection, set));
}

static bool is_there(const struct inspection *inspection)
{
    for (size_t i = 0; i < inspection->now->set_count; i++)
        if (inspection_wants(inspection, &inspection->now->sets[i]))
            return true;
    return !inspection->set;
}

static int show(const struct target *target, const struct arguments *arguments,
                struct inspection *inspection)
{
    if (!is_there(inspection)) {
        fprintf(
            stderr, "%s: %s: there is no set '%s' (%zu others; `lfset inspect %s` lists them)\n",
            target->tool, target->what, arguments->set, inspection->now->set_count, target->what);
        return TOOL_USAGE;
    }
    inspection->frames = frames_open(inspection->now);
    inspection->holders = calloc(inspection->now->thread_count + 1, sizeof(struct holder));
    int failed = !inspection->frames || !inspection->holders;
    if (failed) {
        fprintf(stderr, "%s: no memory\n", target->tool);
    } else {
        inspection->holder_count =
            holders_find(inspection->before, inspection->now, inspection->holders);
        failed =
            arguments->json ? inspect_json(inspection, stdout) : inspect_text(inspection, stdout);
    }
    frames_close(inspection->frames);
    free(inspection->holders);
    return target_output_end(target->tool, stdout, failed != 0);
}

int tool_inspect(int argc, char **argv)
{
    struct arguments arguments = {.interval = 1};
    struct target target;
    setlocale(LC_ALL, "");
    argp_parse(&option_parser, argc, argv, 0, NULL, &arguments);
    int status = target_open(&target, argv[0], arguments.what);
    if (status)
        return status;
    if (arguments.stacks && !target.pid) {
        fprintf(stderr, "%s: --stacks: %s is a file; only a process has threads\n", argv[0],
                arguments.what);
        target_close(&target);
        return TOOL_USAGE;
    }
    struct lfset_observation *before = target_look(&target);
    struct lfset_observation *now =
        before ? target_look_again(&target, before, arguments.interval) : NULL;
    status = TOOL_CANNOT;
    if (now) {
        struct inspection inspection = {
            .before = before,
            .now = now,
            .set = arguments.set,
            .stacks_of = arguments.stacks && now->alive ? target.pid : 0,
            .is_file = target.pid == 0,
            .stopped = target.pid && target_is_stopped(target.pid),
            .utf8 = show_is_utf8() && !arguments.ascii,
        };
        status = show(&target, &arguments, &inspection);
    }
    if (now)
        lfset_observation_free(now);
    if (before)
        lfset_observation_free(before);
    target_close(&target);
    return status;
}

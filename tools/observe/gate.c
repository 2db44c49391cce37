// SPDX-License-Identifier: MIT
// lfset gate: fails when sets grew beyond a baseline.
#define _GNU_SOURCE
#include "gate.h"

#include "show.h"
#include "target.h"
#include "verbs.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_BASELINE = 256,
    OPTION_MAX_GROWTH,
    OPTION_UPDATE,
    OPTION_COMMAND,
    OPTION_SLACK,
    OPTION_JSON
};

static const struct argp_option option_list[] = {
    {"baseline", OPTION_BASELINE, "FILE", 0, "What to compare with (needed)", 0},
    {"max-growth", OPTION_MAX_GROWTH, "PERCENT", 0, "How much more is let pass (15%)", 0},
    {"slack", OPTION_SLACK, "BYTES", 0,
     "Never fail for fewer bytes than these, at 16 a key (65536)", 0},
    {"command", OPTION_COMMAND, "COMMAND", 0,
     "Run this by sh, and watch the sets of all its processes", 0},
    {"update", OPTION_UPDATE, NULL, 0, "Write the baseline instead", 0},
    {"json", OPTION_JSON, NULL, 0, "Tell as JSON", 0},
    {0},
};

struct arguments {
    const char *tool, *baseline, *command, *what;
    double max_growth, slack;
    bool update, json;
};

static error_t option_parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_BASELINE:
        arguments->baseline = argument;
        return 0;
    case OPTION_MAX_GROWTH:
        if (*argument && argument[strlen(argument) - 1] == '%')
            argument[strlen(argument) - 1] = 0;
        arguments->max_growth = option_number(state, "--max-growth", argument, 0, 1e6) / 100;
        return 0;
    case OPTION_SLACK:
        arguments->slack = option_number(state, "--slack", argument, 0, 1e15);
        return 0;
    case OPTION_COMMAND:
        arguments->command = argument;
        return 0;
    case OPTION_UPDATE:
        arguments->update = true;
        return 0;
    case OPTION_JSON:
        arguments->json = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->what)
            argp_error(state, "one run at a time");
        arguments->what = argument;
        return 0;
    case ARGP_KEY_END:
        if (!arguments->baseline)
            argp_error(state, "--baseline FILE is needed");
        if (!arguments->what == !arguments->command)
            argp_error(state, "either a process id, a file or --command is needed");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp option_parser = {
    .options = option_list,
    .parser = option_parse,
    .args_doc = "PID|FILE\n--command COMMAND",
    .doc = "Fails when a set has more keys, needs more memory, or is there more often than in a "
           "baseline, which an earlier run with --update wrote."
           "\v"
           "FILE is a saved registry (lfset save), or what lfset inspect --json or "
           "lfset_observation_json writes. Sets are matched by name; those of one name are summed "
           "up. What "
           "counts is the most that was seen: now, in the watcher's history, and with --command at "
           "any "
           "look while it ran. Sets that are new, or that are gone, are told and fail nothing.\n\n"
           "A set's memory grows in steps of two or four: a limit of less than 100% for bytes "
           "finds that a "
           "step was taken; keys grow evenly.\n\n"
           "Exit status: 0 nothing grew too much, or the baseline is written; 1 something did; 2 a "
           "wrong "
           "option or a malformed file; 3 there is no such process, it may not be looked into, no "
           "set was "
           "seen, or the command failed.",
};

// ---------------------------------------------------------------- files

static json_t *json_read(const char *tool, const char *path, int *status)
{
    json_error_t error;
    FILE *file = fopen(path, "re");
    if (!file) {
        fprintf(stderr, "%s: %s: %s\n", tool, path, strerror(errno));
        *status = TOOL_CANNOT;
        return NULL;
    }
    json_t *json = json_loadf(file, JSON_REJECT_DUPLICATES, &error);
    fclose(file);
    if (!json) {
        fprintf(stderr, "%s: %s:%d:%d: %s\n", tool, path, error.line, error.column, error.text);
        *status = TOOL_USAGE;
    }
    return json;
}

static int run_read(struct gate_run *run, const char *tool, const char *path)
{
    int status = TOOL_OK;
    json_t *json = json_read(tool, path, &status);
    const char *wrong = json ? gate_run_read(run, json) : NULL;
    if (wrong) {
        fprintf(stderr, "%s: %s: %s\n", tool, path, wrong);
        status = TOOL_USAGE;
    }
    json_decref(json);
    return status;
}

// A registry begins with no letter of JSON's.
static bool is_json(const char *path)
{
    FILE *file = fopen(path, "re");
    int first = ' ';
    while (file && (first = fgetc(file)) != EOF && strchr(" \t\r\n", first)) {
    }
    if (file)
        fclose(file);
    return first == '{';
}

// Written beside it and renamed, so that there is always a whole one.
static int baseline_write(const struct arguments *arguments, const struct gate_run *run)
{
    char *path;
    json_t *json = gate_run_json(run);
    if (!json || asprintf(&path, "%s.new", arguments->baseline) < 0) {
        perror(arguments->tool);
        json_decref(json);
        return TOOL_CANNOT;
    }
    int status = TOOL_OK;
    errno = 0;
    if (json_dump_file(json, path, JSON_INDENT(2) | JSON_SORT_KEYS) != 0 ||
        rename(path, arguments->baseline) != 0) {
        fprintf(stderr, "%s: %s cannot be written: %s\n", arguments->tool, arguments->baseline,
                strerror(errno));
        unlink(path);
        status = TOOL_CANNOT;
    } else {
        printf("%s: %zu name(s) of sets\n", arguments->baseline, run->count);
    }
    json_decref(json);
    free(path);
    return status;
}

// ---------------------------------------------------------------- the run

static int run_observe(struct gate_run *run, const struct arguments *arguments)
{
    struct target target;
    int status = target_open(&target, arguments->tool, arguments->what);
    struct lfset_observation *seen = status == TOOL_OK ? target_look(&target) : NULL;
    if (seen) {
        gate_run_begin(run);
        gate_run_add(run, seen);
        gate_run_end(run);
        lfset_observation_free(seen);
    } else if (status == TOOL_OK) {
        status = TOOL_CANNOT;
    }
    target_close(&target);
    return status;
}

static int run_command(struct gate_run *run, const struct arguments *arguments)
{
    unsigned processes;
    fflush(stdout);
    int ended = gate_run_command(run, arguments->command, &processes);
    if (ended < 0)
        fprintf(stderr, "%s: the command cannot be run: %s\n", arguments->tool, strerror(-ended));
    else if (ended > 0)
        fprintf(stderr, "%s: the command failed: exit status %d\n", arguments->tool, ended);
    else if (processes == 0)
        fprintf(stderr,
                "%s: no process of the command had a registry of sets, or for too short a time\n",
                arguments->tool);
    return ended == 0 && processes > 0 ? TOOL_OK : TOOL_CANNOT;
}

static int run_see(struct gate_run *run, const struct arguments *arguments)
{
    int status = arguments->command         ? run_command(run, arguments)
                 : is_json(arguments->what) ? run_read(run, arguments->tool, arguments->what)
                                            : run_observe(run, arguments);
    if (status == TOOL_OK && run->count == 0) {
        fprintf(stderr, "%s: no set was seen\n", arguments->tool);
        status = TOOL_CANNOT;
    }
    return status;
}

// ---------------------------------------------------------------- comparing

struct verdict {
    const char *name;
    const struct gate_name *before, *now; // NULL: not there
    double growth[GATE_FIGURES];          // 0.1: a tenth more; infinite: from 0
    bool grew[GATE_FIGURES];
    bool failed;
};

static double growth_of(uint64_t before, uint64_t now)
{
    return before == now ? 0
           : before == 0 ? INFINITY
                         : ((double)now - (double)before) / (double)before;
}

static struct verdict judge(const struct arguments *arguments, const struct gate_name *before,
                            const struct gate_name *now)
{
    struct verdict verdict = {.name = now ? now->name : before->name, .before = before, .now = now};
    if (!before || !now)
        return verdict;
    // A key is taken for 16 bytes; how many sets there are matters by what they need.
    double bytes = (double)now->most[GATE_BYTES] - (double)before->most[GATE_BYTES];
    double keys = (double)now->most[GATE_KEYS] - (double)before->most[GATE_KEYS];
    const double more[GATE_FIGURES] = {
        [GATE_SETS] = bytes, [GATE_KEYS] = 16 * keys, [GATE_BYTES] = bytes};
    for (int figure = 0; figure < GATE_FIGURES; figure++) {
        double growth = growth_of(before->most[figure], now->most[figure]);
        verdict.growth[figure] = growth;
        verdict.grew[figure] = growth > arguments->max_growth && more[figure] >= arguments->slack;
        verdict.failed = verdict.failed || verdict.grew[figure];
    }
    return verdict;
}

static const char *word_of(const struct verdict *verdict)
{
    return !verdict->before ? "new" : !verdict->now ? "gone" : verdict->failed ? "grew" : "ok";
}

// "1.2K > 3.4K +183%"
static void figure_print(const struct verdict *verdict, int figure)
{
    uint64_t before = verdict->before ? verdict->before->most[figure] : 0;
    uint64_t now = verdict->now ? verdict->now->most[figure] : 0;
    struct shown from = figure == GATE_BYTES ? show_bytes(before) : show_count(before);
    struct shown to = figure == GATE_BYTES ? show_bytes(now) : show_count(now);
    char growth[32] = "";
    if (verdict->before && verdict->now && isfinite(verdict->growth[figure]))
        snprintf(growth, sizeof growth, "%+.0f%%", 100 * verdict->growth[figure]);
    printf("  %8s %8s %7s%c", verdict->before ? from.text : "-", verdict->now ? to.text : "-",
           growth, verdict->grew[figure] ? '!' : ' ');
}

static void verdict_print(const struct verdict *verdict)
{
    char name[64];
    snprintf(name, sizeof name, "%s", *verdict->name ? verdict->name : "(no name)");
    show_safe(name);
    printf("%-4s  %-20s", word_of(verdict), name);
    for (int figure = 0; figure < GATE_FIGURES; figure++)
        figure_print(verdict, figure);
    putchar('\n');
}

static json_t *figures_json(const struct gate_name *name)
{
    json_t *json = json_object();
    for (int figure = 0; name && figure < GATE_FIGURES; figure++)
        json_object_set_new(json, gate_figure_names[figure],
                            json_integer((json_int_t)name->most[figure]));
    return json;
}

static json_t *verdict_json(const struct verdict *verdict)
{
    json_t *growth = json_object(), *beyond = json_array();
    for (int figure = 0; figure < GATE_FIGURES; figure++) {
        if (verdict->before && verdict->now && isfinite(verdict->growth[figure]))
            json_object_set_new(growth, gate_figure_names[figure],
                                json_real(verdict->growth[figure]));
        if (verdict->grew[figure])
            json_array_append_new(beyond, json_string(gate_figure_names[figure]));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "name", verdict->name, "verdict",
                     word_of(verdict), "before", figures_json(verdict->before), "now",
                     figures_json(verdict->now), "growth", growth, "beyond", beyond);
}

static int compare_verdicts(const void *left, const void *right)
{
    const struct verdict *a = left, *b = right;
    if (a->failed != b->failed)
        return b->failed - a->failed;
    return strcmp(a->name, b->name);
}

static int tell(const struct arguments *arguments, struct verdict *verdicts, size_t count)
{
    size_t failed = 0;
    json_t *sets = json_array();
    qsort(verdicts, count, sizeof *verdicts, compare_verdicts);
    if (!arguments->json)
        printf("%-4s  %-20s  %26s  %26s  %26s\n", "", "SET", "SETS   BEFORE   NOW",
               "KEYS   BEFORE   NOW", "BYTES  BEFORE   NOW");
    for (size_t i = 0; i < count; i++) {
        failed += verdicts[i].failed;
        if (arguments->json)
            json_array_append_new(sets, verdict_json(&verdicts[i]));
        else
            verdict_print(&verdicts[i]);
    }
    json_t *json = json_pack("{s:s, s:f, s:f, s:I, s:o}", "baseline", arguments->baseline,
                             "max_growth", arguments->max_growth, "slack", arguments->slack,
                             "failed", (json_int_t)failed, "sets", sets);
    if (arguments->json && json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) == 0)
        putchar('\n');
    else
        printf("%zu of %zu grew by more than %g%%\n", failed, count, 100 * arguments->max_growth);
    json_decref(json);
    int status = target_output_end(arguments->tool, stdout, false);
    return status != TOOL_OK ? status : failed > 0 ? TOOL_FINDING : TOOL_OK;
}

static int compare(const struct arguments *arguments, const struct gate_run *before,
                   const struct gate_run *now)
{
    size_t count = 0;
    struct verdict *verdicts = calloc(before->count + now->count + 1, sizeof *verdicts);
    if (!verdicts) {
        perror(arguments->tool);
        return TOOL_CANNOT;
    }
    for (size_t i = 0; i < now->count; i++)
        verdicts[count++] =
            judge(arguments, gate_run_find(before, now->names[i].name), &now->names[i]);
    for (size_t i = 0; i < before->count; i++)
        if (!gate_run_find(now, before->names[i].name))
            verdicts[count++] = judge(arguments, &before->names[i], NULL);
    int status = tell(arguments, verdicts, count);
    free(verdicts);
    return status;
}

int tool_gate(int argc, char **argv)
{
    struct arguments arguments = {.tool = argv[0], .max_growth = 0.15, .slack = 65536};
    if (argp_parse(&option_parser, argc, argv, 0, NULL, &arguments) != 0)
        return TOOL_USAGE;
    struct gate_run before = {0}, now = {0};
    // first, so that no long command is run in vain
    int status = arguments.update ? TOOL_OK : run_read(&before, arguments.tool, arguments.baseline);
    if (status == TOOL_CANNOT) {
        fprintf(stderr, "%s: --update writes a first baseline\n", arguments.tool);
        status = TOOL_USAGE;
    }
    if (status == TOOL_OK)
        status = run_see(&now, &arguments);
    if (status == TOOL_OK)
        status = arguments.update ? baseline_write(&arguments, &now)
                                  : compare(&arguments, &before, &now);
    gate_run_free(&before);
    gate_run_free(&now);
    return status;
}

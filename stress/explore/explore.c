// SPDX-License-Identifier: MIT
/*
 * lfset-explore: runs the library's own code, on logical threads that are switched at every shared
 * access, under many schedules, and judges each run exactly.
 *
 * It is built (see the Makefile) with -Istress/explore first, because the urcu/urcu-bp.h there simulates
 * grace periods; two files of the library are included by seam.c; plain.c sees the accesses that are not hooked.
 *
 * A seed names a plan (seed / 64: the set, the operations) and a schedule for it (strategy, seed).
 * Exit: 0 nothing found, 1 a failure, 2 usage.
 */
#define _GNU_SOURCE
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "explore/coverage.h"
#include "explore/execute.h"
#include "explore/log.h"
#include "explore/plan.h"
#include "explore/schedule.h"
#include "explore/shrink.h"
#include "explore/trace.h"

enum { SCHEDULES_PER_PLAN = 64 };

struct arguments {
    int set, domain; // -1: all, both
    unsigned threads, ops;
    const char *scenario;
    int strategy; // -1: all in turn
    uint64_t seed, runs;
    double seconds;
    bool replay, trace, quiet, no_shrink, table, keep_going;
    const char *json;
    FILE *json_file;
};

enum {
    OPTION_RUNS = 256,
    OPTION_REPLAY,
    OPTION_TRACE,
    OPTION_NO_SHRINK,
    OPTION_TABLE,
    OPTION_KEEP_GOING,
    OPTION_JSON
};

static const struct argp_option option_list[] = {
    {"set", 'k', "u64|obj|bytes|bitmap|all", 0, "Kind of set (default: all)", 0},
    {"domain", 'd', "rcu|hp", 0, "Domain (default: either)", 0},
    {"threads", 't', "N", 0, "Threads, 2 to 4 (default: any)", 0},
    {"ops", 'o', "N", 0, "Operations of each thread, 1 to 5 (default: any)", 0},
    {"scenario", 'c', "NAME", 0, "What to explore (default: all)", 0},
    {"strategy", 's', "NAME", 0, "walk, urw, pct2, pct3, pct4 or site (default: each in turn)", 0},
    {"seed", 'S', "N", 0, "First seed (default: 0)", 0},
    {"runs", OPTION_RUNS, "N", 0, "Schedules (default: no end)", 0},
    {"seconds", 'T', "S", 0, "Time (default: 10, unless --runs is given)", 0},
    {"replay", OPTION_REPLAY, "STRATEGY:SEED", 0, "Run this schedule only", 0},
    {"trace", OPTION_TRACE, NULL, 0, "Print the interleaving of a replayed run", 0},
    {"no-shrink", OPTION_NO_SHRINK, NULL, 0, "Print a failure as it was found", 0},
    {"keep-going", OPTION_KEEP_GOING, NULL, 0, "Count failures; report the first at the end", 0},
    {"table", OPTION_TABLE, NULL, 0, "At the end a line for each scenario and set", 0},
    {"json", OPTION_JSON, "FILE", 0, "The same, and what the schedules did, for programs", 0},
    {"quiet", 'q', NULL, 0, "No progress, and not what the schedules did", 0},
    {0}};

static uint64_t number(const char *text, uint64_t least, uint64_t most, struct argp_state *state)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 0);
    if (errno || end == text || *end || text[0] == '-' || value < least || value > most) {
        argp_error(state, "\"%s\" is not a number from %llu to %llu", text,
                   (unsigned long long)least, (unsigned long long)most);
    }
    return value;
}

static int strategy_named(const char *name, size_t length, struct argp_state *state)
{
    for (int i = 0; i < SCHED_FIXED; i++) {
        const char *candidate = sched_strategy_name((enum sched_strategy)i);
        if (strlen(candidate) == length && strncmp(candidate, name, length) == 0) {
            return i;
        }
    }
    argp_error(state, "there is no strategy \"%.*s\"", (int)length, name);
    return -1;
}

static error_t parse(int key, char *text, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case 'k':
        arguments->set = plan_set_named(text);
        if (arguments->set < 0 && strcmp(text, "all") != 0) {
            argp_error(state, "there is no set \"%s\"", text);
        }
        return 0;
    case 'd':
        arguments->domain = strcmp(text, "hp") == 0    ? LFSET_HP
                            : strcmp(text, "rcu") == 0 ? LFSET_RCU
                                                       : -1;
        if (arguments->domain < 0) {
            argp_error(state, "there is no domain \"%s\"", text);
        }
        return 0;
    case 't':
        arguments->threads = (unsigned)number(text, 2, SCHED_THREADS, state);
        return 0;
    case 'o':
        arguments->ops = (unsigned)number(text, 1, PLAN_OPS - 1, state);
        return 0;
    case 'c':
        if (!plan_scenario_exists(text)) {
            argp_error(state, "there is no scenario \"%s\"", text);
        }
        arguments->scenario = text;
        return 0;
    case 's':
        arguments->strategy = strategy_named(text, strlen(text), state);
        return 0;
    case 'S':
        arguments->seed = number(text, 0, UINT64_MAX / 2, state);
        return 0;
    case OPTION_RUNS:
        arguments->runs = number(text, 1, UINT64_MAX / 2, state);
        return 0;
    case 'T':
        arguments->seconds = (double)number(text, 1, 1000000, state);
        return 0;
    case OPTION_REPLAY: {
        const char *colon = strchr(text, ':');
        if (!colon) {
            argp_error(state, "\"%s\" is not STRATEGY:SEED", text);
        }
        arguments->strategy = strategy_named(text, (size_t)(colon - text), state);
        arguments->seed = number(colon + 1, 0, UINT64_MAX / 2, state);
        arguments->replay = true;
        return 0;
    }
    case OPTION_TRACE:
        arguments->trace = true;
        return 0;
    case OPTION_NO_SHRINK:
        arguments->no_shrink = true;
        return 0;
    case OPTION_TABLE:
        arguments->table = true;
        return 0;
    case OPTION_KEEP_GOING:
        arguments->keep_going = true;
        return 0;
    case OPTION_JSON:
        arguments->json = text;
        return 0;
    case 'q':
        arguments->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", text);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Adds the scenarios to what --help says at the end. */
static char *help(int key, const char *text, void *input)
{
    (void)input;
    char *all = NULL;
    size_t size;
    FILE *file = key == ARGP_KEY_HELP_POST_DOC ? open_memstream(&all, &size) : NULL;
    if (!file) {
        return (char *)(uintptr_t)text;
    }
    fputs("Scenarios:\n", file);
    plan_print_scenarios(file);
    fputs(text, file);
    fclose(file);
    return all;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void make(struct plan *plan, const struct arguments *arguments, uint64_t seed)
{
    plan_make(plan, arguments->scenario, arguments->set, arguments->domain, arguments->threads,
              arguments->ops, seed / SCHEDULES_PER_PLAN);
}

static void print_replay(const struct arguments *arguments, enum sched_strategy strategy,
                         uint64_t seed)
{
    printf("replay: lfset-explore --scenario %s", arguments->scenario);
    if (arguments->set >= 0) {
        printf(" --set %s", plan_set_name((enum plan_set)arguments->set));
    }
    if (arguments->domain >= 0) {
        printf(" --domain %s", arguments->domain == LFSET_HP ? "hp" : "rcu");
    }
    if (arguments->threads) {
        printf(" --threads %u", arguments->threads);
    }
    if (arguments->ops) {
        printf(" --ops %u", arguments->ops);
    }
    printf(" --trace --replay %s:%llu\n", sched_strategy_name(strategy), (unsigned long long)seed);
}

static void report(const struct arguments *arguments, struct plan *plan,
                   enum sched_strategy strategy, uint64_t seed)
{
    printf("FAILURE: %s\n", sched_result.message);
    print_replay(arguments, strategy, seed);
    plan_print(plan, stdout);
    fflush(stdout);
    if (!arguments->no_shrink) {
        shrink(plan, strategy, seed, stdout);
        trace_print(stdout, true);
    }
    printf("%s\n", sched_result.message);
    log_print(stdout);
}

static int replay(const struct arguments *arguments)
{
    struct plan plan;
    make(&plan, arguments, arguments->seed);
    plan_print(&plan, stdout);
    bool serial = arguments->strategy == SCHED_SERIAL;
    sched_tracing = arguments->trace && serial;
    bool good = execute_prepare(&plan);
    sched_tracing = arguments->trace;
    if (good && !serial) {
        good = execute((enum sched_strategy)arguments->strategy, arguments->seed);
    }
    if (arguments->trace) {
        trace_print(stdout, false);
        log_print(stdout);
    }
    if (good) {
        printf("no failure, %d accesses\n", (int)sched_result.steps);
    } else {
        printf("FAILURE: %s\n", sched_result.message);
    }
    return !good;
}

/* On a terminal. */
static void tell_progress(const struct arguments *arguments, uint64_t done, double took)
{
    double rate = (double)done / took;
    double left = arguments->runs ? (double)(arguments->runs - done) / rate : arguments->seconds;
    if (arguments->seconds > 0 && arguments->seconds - took < left) {
        left = arguments->seconds - took;
    }
    fprintf(stderr, "\r%llu schedules, %.0f/s, %llu failures, %.0f s left   ",
            (unsigned long long)done, rate, (unsigned long long)coverage_failures(), left);
}

struct schedule {
    enum sched_strategy strategy;
    uint64_t seed, number; // the first is 1
    char message[sizeof sched_result.message];
};

/* Explores until the time or the number is reached, or something is found. @return whether, and what first. */
static bool search(const struct arguments *arguments, double start, struct schedule *first)
{
    static struct plan plan;
    bool progress = !arguments->quiet && isatty(STDERR_FILENO), prepared = false, found = false;
    double told = start;
    uint64_t seed = arguments->seed, done = 0;
    for (; !arguments->runs || done < arguments->runs; seed++, done++) {
        if (done % 256 == 0) {
            double time = now();
            if (arguments->seconds > 0 && time - start >= arguments->seconds) {
                break;
            }
            if (progress && time - told >= 1) {
                tell_progress(arguments, done, time - start);
                told = time;
            }
        }
        bool good = true;
        enum sched_strategy strategy = arguments->strategy >= 0
                                           ? (enum sched_strategy)arguments->strategy
                                           : sched_strategy_in_turn(seed);
        if (done == 0 || seed % SCHEDULES_PER_PLAN == 0) {
            make(&plan, arguments, seed);
            prepared = execute_prepare(&plan);
        }
        if (!prepared) { // and fails so again
            strategy = SCHED_SERIAL;
            good = false;
        } else {
            good = execute(strategy, seed);
        }
        coverage_add(&plan, !good);
        if (!good && !found) {
            *first = (struct schedule){.strategy = strategy, .seed = seed, .number = done + 1};
            memcpy(first->message, sched_result.message, sizeof first->message);
            found = true;
        }
        if (found && !arguments->keep_going) {
            break;
        }
    }
    if (progress) {
        fputs("\r\033[K", stderr);
    }
    return found;
}

static int hunt(const struct arguments *arguments)
{
    double start = now();
    struct schedule first;
    bool found = search(arguments, start, &first);
    double took = now() - start;
    uint64_t done = coverage_schedules();
    if (arguments->table) {
        coverage_print_table(stdout);
    }
    if (!found || arguments->keep_going) {
        printf("%llu schedules, ", (unsigned long long)done);
        if (found) {
            printf("%llu failures", (unsigned long long)coverage_failures());
        } else {
            printf("no failure");
        }
        printf(": %.1f s, %.0f/s, %.0f accesses each\n", took, (double)done / took,
               done ? (double)coverage_accesses() / (double)done : 0);
        if (!arguments->quiet) {
            coverage_print(stdout);
        }
    }
    if (arguments->json) {
        int error = coverage_write_json(arguments->json_file, arguments->seed, took);
        if (error) {
            fprintf(stderr, "lfset-explore: %s: %s\n", arguments->json, strerror(-error));
            return 2;
        }
    }
    if (found) {
        struct plan plan;
        make(&plan, arguments, first.seed);
        if (execute_prepare(&plan) && execute(first.strategy, first.seed)) {
            fputs("the failure does not repeat itself after other runs; the replay is more "
                  "faithful\n",
                  stdout);
            memcpy(sched_result.message, first.message, sizeof first.message);
        }
        report(arguments, &plan, first.strategy, first.seed);
        printf("after %llu schedules, %.3f s\n", (unsigned long long)first.number, took);
    }
    return found;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = option_list,
        .parser = parse,
        .doc = "Explores schedules of the sets' own code.\v"
               "Exit status: 0 nothing found, 1 a failure, 2 usage.",
        .help_filter = help,
    };
    struct arguments arguments = {.set = -1, .domain = -1, .strategy = -1, .scenario = "all"};
    argp_err_exit_status = 2;
    if (argp_parse(&argp, argc, argv, 0, NULL, &arguments) != 0) {
        return 2;
    }
    if (!arguments.runs && arguments.seconds <= 0) {
        arguments.seconds = 10;
    }
    if (arguments.json &&
        !(arguments.json_file = fopen(arguments.json, "w"))) { // not after all the work
        fprintf(stderr, "lfset-explore: %s: %s\n", arguments.json, strerror(errno));
        return 2;
    }
    if (execute_open() != 0) {
        fprintf(stderr, "lfset-explore: no memory to begin with\n");
        return 2;
    }
    return arguments.replay ? replay(&arguments) : hunt(&arguments);
}

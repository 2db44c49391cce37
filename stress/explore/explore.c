// SPDX-License-Identifier: MIT
/*
 * lfset-explore: runs the library's own code, on logical threads that are switched at every shared
 * access, under many schedules, and judges each run exactly. Build by hand, at the top of the tree:
 *
 *     gcc -std=gnu11 -O2 -g -DLFSET_HOOKS -DLFSET_SCALAR -Istress/explore -Istress -Ilib -Iinclude \
 *         -o lfset-explore $(find lib -name '*.c' ! -name hp.c) \
 *         $(find stress/check stress/explore -name '*.c') -lpthread
 *
 * (-Istress/explore comes first: its urcu/urcu-bp.h simulates grace periods. lib/reclaim/hp.c is
 * included by seam.c.)
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

#include "explore/execute.h"
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
    bool replay, trace, quiet, no_shrink;
};

enum { OPTION_RUNS = 256, OPTION_REPLAY, OPTION_TRACE, OPTION_NO_SHRINK };

static const struct argp_option option_list[] = {
    {"set", 'k', "u64|obj|bytes|bitmap|all", 0, "Kind of set (default: all)", 0},
    {"domain", 'd', "rcu|hp", 0, "Domain (default: either)", 0},
    {"threads", 't', "N", 0, "Threads, 2 to 4 (default: any)", 0},
    {"ops", 'o', "N", 0, "Operations of each thread, 1 to 5 (default: any)", 0},
    {"scenario", 'c', "NAME", 0, "What to explore (default: all)", 0},
    {"strategy", 's', "NAME", 0, "walk, urw, pct2, pct3 or pct4 (default: each in turn)", 0},
    {"seed", 'S', "N", 0, "First seed (default: 0)", 0},
    {"runs", OPTION_RUNS, "N", 0, "Schedules (default: no end)", 0},
    {"seconds", 'T', "S", 0, "Time (default: 10, unless --runs is given)", 0},
    {"replay", OPTION_REPLAY, "STRATEGY:SEED", 0, "Run this schedule only", 0},
    {"trace", OPTION_TRACE, NULL, 0, "Print the interleaving of a replayed run", 0},
    {"no-shrink", OPTION_NO_SHRINK, NULL, 0, "Print a failure as it was found", 0},
    {"quiet", 'q', NULL, 0, "No progress", 0},
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
        trace_print(stdout, 40);
    }
    printf("%s\n", sched_result.message);
    execute_print_history(stdout);
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
        trace_print(stdout, 0);
        execute_print_history(stdout);
    }
    if (good) {
        printf("no failure, %d accesses\n", (int)sched_result.steps);
    } else {
        printf("FAILURE: %s\n", sched_result.message);
    }
    return !good;
}

static void print_coverage(uint64_t runs)
{
    const struct execute_coverage *c = &execute_coverage;
    const struct {
        const char *what;
        uint64_t count;
    } rows[] = {
        {"preemptions", c->preemptions},
        {"growths", c->grows},
        {"purges", c->purges},
        {"shrinks", c->shrinks},
        {"rehashes", c->rehashes},
        {"gates of snapshots", c->snapshots},
        {"gates of clears", c->clears},
        {"blocks freed", c->freed_blocks},
        {"allocations failed", c->failed_allocations},
        {"threads stopped", c->stopped_threads},
        {"sleeps", c->sleeps},
        {"objects destroyed", c->destroyed},
        {"references handed out", c->references},
    };
    printf("per 1000 schedules:");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        printf("%s %.1f %s", i ? "," : "", 1000.0 * (double)rows[i].count / (double)runs,
               rows[i].what);
    }
    putchar('\n');
}

static int hunt(const struct arguments *arguments)
{
    double start = now(), told = start;
    uint64_t seed = arguments->seed, done = 0, accesses = 0;
    static struct plan plan;
    bool prepared = false;
    for (;; seed++, done++) {
        if (arguments->runs && done >= arguments->runs) {
            break;
        }
        if (done % 256 == 0) {
            double time = now();
            if (arguments->seconds > 0 && time - start >= arguments->seconds) {
                break;
            }
            if (!arguments->quiet && time - told >= 5) {
                fprintf(stderr, "%llu schedules, %.0f/s, %.0f accesses each, seed %llu\n",
                        (unsigned long long)done, (double)done / (time - start),
                        (double)accesses / (double)done, (unsigned long long)seed);
                told = time;
            }
        }
        if (!prepared || seed % SCHEDULES_PER_PLAN == 0) {
            make(&plan, arguments, seed);
            prepared = true;
            if (!execute_prepare(&plan)) {
                report(arguments, &plan, SCHED_SERIAL, seed);
                printf("after %llu schedules\n", (unsigned long long)done + 1);
                return 1;
            }
        }
        enum sched_strategy strategy = arguments->strategy >= 0
                                           ? (enum sched_strategy)arguments->strategy
                                           : (enum sched_strategy)(seed % SCHED_SERIAL);
        if (!execute(strategy, seed)) {
            double took = now() - start;
            report(arguments, &plan, strategy, seed);
            printf("after %llu schedules, %.3f s\n", (unsigned long long)done + 1, took);
            return 1;
        }
        accesses += (uint64_t)sched_result.steps;
    }
    double took = now() - start;
    printf("%llu schedules, no failure: %.1f s, %.0f/s, %.0f accesses each\n",
           (unsigned long long)done, took, (double)done / took,
           done ? (double)accesses / (double)done : 0);
    if (!arguments->quiet) {
        print_coverage(done);
    }
    return 0;
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
    if (execute_open() != 0) {
        fprintf(stderr, "lfset-explore: no memory to begin with\n");
        return 2;
    }
    return arguments.replay ? replay(&arguments) : hunt(&arguments);
}

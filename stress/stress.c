// SPDX-License-Identifier: MIT
/*
 * lfset-stress: threads do random operations on a set, and the record of every round is judged
 * exactly. This file: options, the order of the runs, and what is said about them.
 */
#define _GNU_SOURCE
#include "command.h"
#include "report.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <lfset/observe.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum exit_code { EXIT_LINEARIZABLE, EXIT_VIOLATION, EXIT_USAGE, EXIT_UNDECIDED };

#define MAX_THREADS 64

static const char default_history[] = "lfset-violation.history";

struct settings {
    const struct target *target; /* NULL: all that have domains */
    int sets_named;              /* by --set and --target */
    int domain;                  /* -1: both */
    unsigned threads;
    const char *keys; /* a number, "new", or NULL: all workloads */
    uint64_t key_count;
    const char *mix_text;
    struct workload_mix mix;
    double seconds;
    uint64_t ops;
    uint64_t seed;
    int seed_given;
    const char *history;
    const char *all_rounds;
    FILE *all_rounds_file;
    const char *json;
    const char *report;
    const char *clock_text; /* NULL: tsc, or counter where tsc is refused */
    int clock;
    int noise;
    uint64_t capacity;
    int capacity_given;
    uint64_t round_ops;
    uint64_t budget;
    double hang;
    int churn;
    int stall;
    int observe;
};

enum option_key {
    OPTION_SET = 256,
    OPTION_TARGET,
    OPTION_DOMAIN,
    OPTION_THREADS,
    OPTION_KEYS,
    OPTION_MIX,
    OPTION_SECONDS,
    OPTION_OPS,
    OPTION_SEED,
    OPTION_HISTORY,
    OPTION_ALL_ROUNDS,
    OPTION_JSON,
    OPTION_REPORT,
    OPTION_CLOCK,
    OPTION_NOISE,
    OPTION_CAPACITY,
    OPTION_ROUND_OPS,
    OPTION_BUDGET,
    OPTION_HANG,
    OPTION_CHURN,
    OPTION_STALL,
    OPTION_OBSERVE,
};

static const struct argp_option option_list[] = {
    {NULL, 0, NULL, 0, "What is tested:", 1},
    {"set", OPTION_SET, "SET", 0,
     "One of the sets below only (default: all that have domains, in turn)", 1},
    {"target", OPTION_TARGET, "FILE.so", 0,
     "Any other set: a shared object that exports what lfset/target.h describes. It shares this "
     "program's allocator"
#ifdef LFSET_MIMALLOC
     ", mimalloc"
#endif
     ,
     1},
    {"domain", OPTION_DOMAIN, "DOMAIN", 0, "rcu, hp or both (default)", 1},
    {"threads", OPTION_THREADS, "N", 0, "How many threads (default 4)", 1},
    {"keys", OPTION_KEYS, "N|new", 0,
     "One workload only: N keys, or ever new ones (default: 1, 4, 16, 256, 65536 and new, in turn)",
     1},
    {"mix", OPTION_MIX, "SPEC", 0,
     "Weights of the operations, such as add=40,remove=35,contains=20,snapshot=1; also add_many, "
     "remove_many, contains_many, wait, each, remove_if, reserve, purge, pop, size, is_empty, "
     "clear, drain",
     1},
    {"initial-capacity", OPTION_CAPACITY, "N", 0, "Keys the set has room for at first (default 0)",
     1},
    {NULL, 0, NULL, 0, "For how long:", 2},
    {"seconds", OPTION_SECONDS, "S", 0, "In all, shared by the runs (default 20)", 2},
    {"ops", OPTION_OPS, "N", 0, "Operations in all, shared by the runs, instead of seconds", 2},
    {"round-ops", OPTION_ROUND_OPS, "N", 0, "Operations of a thread between two checks", 2},
    {"budget", OPTION_BUDGET, "STEPS", 0, "Search steps the checker may spend on a round", 2},
    {"hang", OPTION_HANG, "S", 0, "A round that takes longer is a failure (default 60)", 2},
    {NULL, 0, NULL, 0, "How hard:", 3},
    {"seed", OPTION_SEED, "N", 0, "Fixes what each thread does (not how they interleave)", 3},
    {"clock", OPTION_CLOCK, "CLOCK", 0,
     "tsc (refused where it is not sound), or counter: exact anywhere, but it hides errors in the "
     "set's memory ordering (default: tsc where it is sound)",
     3},
    {"noise", OPTION_NOISE, "on|off", 0, "Disturb threads inside operations (default on)", 3},
    {"churn-threads", OPTION_CHURN, NULL, 0, "Threads end and others start between rounds", 3},
    {"stall", OPTION_STALL, NULL, 0,
     "In every other round one thread is stopped inside an operation until the others have "
     "finished, which they must",
     3},
    {"observe", OPTION_OBSERVE, NULL, 0,
     "The sets count and are watched: see them with lfset top, inspect, exporter and so on", 3},
    {NULL, 0, NULL, 0, "What is written:", 4},
    {"history", OPTION_HISTORY, "FILE", 0,
     "The last round's history, or the offending one (binary when FILE ends in .bin). A violation "
     "is saved in any case, if not here then in lfset-violation.history",
     4},
    {"all-rounds", OPTION_ALL_ROUNDS, "FILE", 0,
     "The histories of all rounds as they come, each carrying on from the one before (binary when "
     "FILE ends in .bin)",
     4},
    {"json", OPTION_JSON, "FILE", 0, "The results, for programs", 4},
    {"report", OPTION_REPORT, "FILE", 0, "The results, as an HTML page", 4},
    {0},
};

static const struct target *target_find(const char *name)
{
    for (const struct target *const *t = target_all; *t; t++)
        if (strcmp((*t)->name, name) == 0)
            return *t;
    return NULL;
}

/* One of `count` words, by its number. */
static int word(struct argp_state *state, const char *name, const char *text,
                const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    argp_error(state, "--%s: \"%s\" is none of its values; see --help", name, text);
    return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    static const char *const clocks[] = {"tsc", "counter"};
    static const char *const on_off[] = {"off", "on"};
    struct settings *s = state->input;
    char why[200];

    switch (key) {
    case OPTION_SET:
        s->target = target_find(arg);
        if (!s->target)
            argp_error(state, "there is no set \"%s\"; see --help", arg);
        s->sets_named++;
        break;
    case OPTION_TARGET:
        s->target = target_plugin_load(arg, why, sizeof(why));
        if (!s->target)
            argp_failure(state, EXIT_USAGE, 0, "--target: %s", why);
        s->sets_named++;
        break;
    case OPTION_DOMAIN:
        s->domain = command_domain(state, arg);
        break;
    case OPTION_THREADS:
        s->threads = (unsigned)command_number(state, "threads", arg, 1, MAX_THREADS);
        break;
    case OPTION_KEYS:
        s->keys = arg;
        s->key_count =
            strcmp(arg, "new") == 0 ? 0 : command_number(state, "keys", arg, 1, 1u << 24);
        break;
    case OPTION_MIX:
        s->mix_text = arg;
        if (workload_mix_parse(arg, &s->mix, why, sizeof(why)) != 0)
            argp_error(state, "--mix: %s", why);
        break;
    case OPTION_SECONDS:
        s->seconds = command_real(state, "seconds", arg, 0.001, 1e9);
        break;
    case OPTION_OPS:
        s->ops = command_number(state, "ops", arg, 1, UINT64_MAX);
        break;
    case OPTION_SEED:
        s->seed = command_number(state, "seed", arg, 0, UINT64_MAX);
        s->seed_given = 1;
        break;
    case OPTION_HISTORY:
        s->history = arg;
        break;
    case OPTION_ALL_ROUNDS:
        s->all_rounds = arg;
        break;
    case OPTION_JSON:
        s->json = arg;
        break;
    case OPTION_REPORT:
        s->report = arg;
        break;
    case OPTION_CLOCK:
        s->clock_text = arg;
        s->clock = word(state, "clock", arg, clocks, 2);
        break;
    case OPTION_NOISE:
        s->noise = word(state, "noise", arg, on_off, 2);
        break;
    case OPTION_CAPACITY:
        s->capacity = command_number(state, "initial-capacity", arg, 0, 1u << 28);
        s->capacity_given = 1;
        break;
    case OPTION_ROUND_OPS:
        s->round_ops = command_number(state, "round-ops", arg, 1, 10000000);
        break;
    case OPTION_BUDGET:
        s->budget = command_number(state, "budget", arg, 1, UINT64_MAX);
        break;
    case OPTION_HANG:
        s->hang = command_real(state, "hang", arg, 0.001, 1e9);
        break;
    case OPTION_CHURN:
        s->churn = 1;
        break;
    case OPTION_STALL:
        s->stall = 1;
        break;
    case OPTION_OBSERVE:
        s->observe = 1;
        break;
    case ARGP_KEY_END:
        if (s->ops != 0 && s->seconds > 0)
            argp_error(state, "--ops and --seconds exclude each other");
        if (s->sets_named > 1)
            argp_error(state, "one --set or --target at a time");
        if (s->stall && s->threads < 2)
            argp_error(state, "--stall wants at least 2 threads");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* The list of sets at the end of --help. */
static char *help_filter(int key, const char *text, void *input)
{
    char *out = NULL;
    size_t size;

    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)(uintptr_t)text;
    FILE *f = open_memstream(&out, &size);
    if (!f)
        return NULL;
    fputs("Sets:\n", f);
    for (const struct target *const *t = target_all; *t; t++)
        fprintf(f, "  %-16s %s\n", (*t)->name, (*t)->about);
    fputs("\nSets of others, for --target: `make adapters` builds build/adapters/*.so from "
          "stress/adapters;\nthe README shows how to write one in ten minutes.\n",
          f);
    fputs("\nExit status: 0 linearizable (a set of others: promises kept), 1 violation or failure, "
          "2 bad usage, 3 undecided.\n",
          f);
    fclose(f);
    return out;
}

/* ---------------------------------------------------------------- before the runs */

static FILE *create_or_exit(const char *path)
{
    FILE *f = path ? fopen(path, "we") : NULL;

    if (path && !f) {
        fprintf(stderr, "lfset-stress: %s cannot be written: %s\n", path, strerror(errno));
        exit(EXIT_USAGE);
    }
    return f;
}

static void choose_clock(struct settings *s)
{
    const char *reason;

    if ((s->clock_text && s->clock == RECORD_CLOCK_COUNTER) || record_tsc_is_sound(&reason))
        return;
    if (s->clock_text) {
        fprintf(stderr, "lfset-stress: --clock tsc is refused: %s; use --clock counter\n", reason);
        exit(EXIT_USAGE);
    }
    printf("no time-stamp counter (%s): a shared counter is the clock\n", reason);
    s->clock = RECORD_CLOCK_COUNTER;
}

static void observe_or_exit(void)
{
    const int rc = lfset_watch_start(NULL);

    if (rc != 0) {
        fprintf(stderr, "lfset-stress: --observe: the sets cannot be watched: %s\n", strerror(-rc));
        exit(EXIT_VIOLATION);
    }
    printf("process %d is observed: lfset top %d\n", (int)getpid(), (int)getpid());
}

static size_t add_run(struct report *report, const struct settings *s, const struct target *target,
                      enum lfset_domain domain, const struct workload *workload)
{
    struct report_run *runs = realloc(report->runs, (report->count + 1) * sizeof(*report->runs));

    if (!runs) {
        fputs("lfset-stress: no memory\n", stderr);
        exit(EXIT_VIOLATION);
    }
    report->runs = runs;
    memset(&runs[report->count], 0, sizeof(*runs));
    struct run_options *o = &runs[report->count].options;

    *o = (struct run_options){.target = target,
                              .domain = domain,
                              .workload = *workload,
                              .threads = s->threads,
                              .seed = noise_seed(s->seed, report->count, 3),
                              .clock = s->clock,
                              .noise = s->noise,
                              .churn = s->churn,
                              .stall = s->stall,
                              .observe = s->observe,
                              .all_rounds = s->all_rounds_file,
                              .all_rounds_binary =
                                  s->all_rounds && violation_history_is_binary(s->all_rounds),
                              .budget = s->budget,
                              .hang_seconds = s->hang};
    if (s->mix_text)
        o->workload.mix = s->mix;
    if (s->capacity_given)
        o->workload.capacity = s->capacity;
    if (s->round_ops)
        o->workload.round_ops = s->round_ops;
    return ++report->count;
}

static void plan_target(struct report *report, const struct settings *s,
                        const struct target *target, const struct workload *workloads)
{
    for (const struct workload *w = workloads; w->name[0]; w++) {
        if (!target->has_domains || s->domain != LFSET_HP)
            add_run(report, s, target, LFSET_RCU, w);
        if (target->has_domains && s->domain != LFSET_RCU)
            add_run(report, s, target, LFSET_HP, w);
    }
}

static void plan(struct report *report, const struct settings *s)
{
    struct workload chosen[2] = {{.name = ""}, {.name = ""}};
    const struct workload *workloads = workload_all;

    if (s->keys && s->key_count != 0) {
        chosen[0] = workload_for_keys(s->key_count);
        workloads = chosen;
    } else if (s->keys) {
        for (const struct workload *w = workload_all; w->name[0]; w++)
            if (w->kind == WORKLOAD_WINDOW)
                chosen[0] = *w;
        workloads = chosen;
    }
    if (s->target && s->target->promises)
        plan_target(report, s, s->target, workloads);
    for (const struct target *const *t = target_all; *t; t++)
        if (s->target ? *t == s->target : (*t)->has_domains)
            plan_target(report, s, *t, workloads);
    for (size_t i = 0; i < report->count; i++) {
        struct run_options *o = &report->runs[i].options;

        if (s->ops != 0) {
            o->ops = (s->ops + report->count - 1) / report->count;
            const uint64_t each = (o->ops + s->threads - 1) / s->threads;
            if (each < o->workload.round_ops)
                o->workload.round_ops = (size_t)each;
        } else {
            o->seconds = (s->seconds > 0 ? s->seconds : 20) / (double)report->count;
        }
    }
}

/* ---------------------------------------------------------------- while they run */

struct progress {
    const struct report *report;
    size_t at;
    int tty;
    double next;
};

static double time_left(const struct progress *p, const struct run_result *r)
{
    const struct run_options *o = &p->report->runs[p->at].options;
    const double runs_left = (double)(p->report->count - p->at - 1);

    if (o->seconds > 0)
        return o->seconds - r->elapsed + runs_left * o->seconds;
    if (r->operations == 0)
        return 0;
    const double whole = r->elapsed * (double)o->ops / (double)r->operations;
    return whole - r->elapsed + runs_left * whole;
}

static void show_progress(void *ctx, const struct run_options *options, const struct run_result *r)
{
    struct progress *p = ctx;
    char name[64];

    if (!p->tty && run_now() < p->next)
        return;
    p->next = run_now() + 5;
    report_set_name(options, name, sizeof(name));
    const double left = time_left(p, r);
    printf("%s[%zu/%zu] %s, %s: %.2f M operations, %.2f Mops/s, overlap %.0f %%, %s, %.0f s left%s",
           p->tty ? "\r\033[K" : "", p->at + 1, p->report->count, name, options->workload.name,
           (double)r->operations * 1e-6, report_mops(r), report_overlap(r),
           r->verdict == CHECKER_VIOLATION ? "VIOLATION"
           : r->undecided                  ? "partly undecided so far"
                                           : "linearizable so far",
           left > 0 ? left : 0.0, p->tty ? "" : "\n");
    fflush(stdout);
}

/* @return 0, or a negative errno when a run could not be made. */
static int run_all(struct report *report)
{
    struct progress p = {.report = report, .tty = isatty(STDOUT_FILENO), .next = run_now() + 5};
    const size_t planned = report->count;
    int rc = 0;

    for (size_t i = 0; i < planned && rc == 0; i++) {
        struct report_run *r = &report->runs[i];

        p.at = i;
        r->options.progress = show_progress;
        r->options.ctx = &p;
        rc = run(&r->options, &r->result);
        if (r->result.verdict == CHECKER_VIOLATION) {
            report->count = i + 1;
            break;
        }
        if (i + 1 < planned)
            run_result_free(&r->result); /* the last one's is kept */
    }
    if (p.tty)
        fputs("\r\033[K", stdout);
    return rc;
}

/* ---------------------------------------------------------------- after the runs */

static int say_written(int rc, const char *what, const char *path)
{
    if (rc == 0)
        printf("%s: %s\n", what, path);
    else
        fprintf(stderr, "lfset-stress: %s cannot be written: %s\n", path, strerror(-rc));
    return rc;
}

static int write_files(const struct report *report, const struct settings *s)
{
    int rc = 0;

    if (s->json && say_written(report_json(report, s->json), "results", s->json) != 0)
        rc = -EIO;
    if (s->report && say_written(report_html(report, s->report), "report", s->report) != 0)
        rc = -EIO;
    return rc;
}

static enum exit_code exit_code_of(const struct report *report)
{
    switch (report_verdict(report)) {
    case CHECKER_LINEARIZABLE:
        return EXIT_LINEARIZABLE;
    case CHECKER_VIOLATION:
        return EXIT_VIOLATION;
    case CHECKER_UNDECIDED:
    default:
        return EXIT_UNDECIDED;
    }
}

static enum exit_code finish(struct report *report, const struct settings *s)
{
    struct run_result *last = &report->runs[report->count - 1].result;
    struct violation violation = {0};
    int rc = 0;

    if (last->verdict == CHECKER_VIOLATION) {
        rc = violation_save(&violation, &report->runs[report->count - 1].options, last,
                            s->history ? s->history : default_history);
        if (rc != 0)
            fprintf(stderr, "lfset-stress: the violation could not be saved: %s\n", strerror(-rc));
        report->violation = &violation;
    } else if (s->history) {
        rc =
            say_written(violation_history_write(&last->history, s->history), "history", s->history);
    }
    if (s->all_rounds_file &&
        say_written(fclose(s->all_rounds_file) == 0 ? 0 : -errno, "rounds", s->all_rounds) != 0)
        rc = -EIO;
    report_table(report, stdout);
    if (last->verdict == CHECKER_VIOLATION)
        violation_print(&violation, last, stdout);
    if (write_files(report, s) != 0)
        rc = -EIO;
    fflush(stdout);
    report->violation = NULL;
    violation_free(&violation);
    const enum exit_code code = exit_code_of(report);
    return rc != 0 && code == EXIT_LINEARIZABLE ? EXIT_VIOLATION : code;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = option_list,
        .parser = parse,
        .doc = "Stresses a concurrent set with random operations and judges the record of every "
               "round exactly: is there an order of the operations, each at one instant between "
               "its call and its return, that explains every answer?\v",
        .help_filter = help_filter,
    };
    struct settings s = {
        .domain = -1, .threads = 4, .clock = RECORD_CLOCK_TSC, .noise = 1, .hang = 60};

    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, ARGP_NO_ARGS, NULL, &s);
    command_writable(s.history);
    s.all_rounds_file = create_or_exit(s.all_rounds);
    command_writable(s.json);
    command_writable(s.report);
    if (!s.seed_given)
        s.seed = command_random_seed();

    char *command = command_text(argc, argv, s.seed_given ? NULL : &s.seed);
    struct report report = {.seed = s.seed,
                            .command = command ? command : "",
                            .threads = s.threads,
                            .processors = sysconf(_SC_NPROCESSORS_ONLN),
                            .noise = s.noise};

    printf("seed %" PRIu64 "; repeat with: %s\n", s.seed, report.command);
    choose_clock(&s);
    report.clock = s.clock == RECORD_CLOCK_TSC ? "tsc" : "counter";
    printf("%u threads on %ld processors, clock %s, noise %s\n", report.threads, report.processors,
           report.clock, s.noise ? "on" : "off");
    if (s.observe)
        observe_or_exit();
    fflush(stdout);
    plan(&report, &s);
    noise_install();
    const int rc = run_all(&report);
    if (rc != 0) {
        fprintf(stderr, "lfset-stress: the run could not go on: %s\n", strerror(-rc));
        return EXIT_VIOLATION;
    }
    const enum exit_code code = finish(&report, &s);
    if (report.runs[report.count - 1].result.threads_are_lost)
        _exit((int)code); /* they still use everything below */
    run_result_free(&report.runs[report.count - 1].result);
    for (size_t i = 0; i < report.count; i++)
        promise_results_free(report.runs[i].result.promises);
    free(report.runs);
    free(command);
    return (int)code;
}

// SPDX-License-Identifier: MIT
/*
 * lfset-faults: what happens to the sets, and to those who use them, when threads stop or end anywhere, memory
 * is short, the process forks, threads come and go, and the library is unloaded. This file: options, the rows of
 * the table, and their order.
 */
#define _GNU_SOURCE
#include "command.h"
#include "control.h"
#include "faults_report.h"
#include "noise.h"
#include "run.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum exit_code { EXIT_WELL, EXIT_FAULT, EXIT_USAGE };

static const struct fault *const faults[] = {
    &fault_stopped, &fault_ended, &fault_allocation, &fault_fork, &fault_churn, &fault_unload,
};
enum { FAULTS = sizeof(faults) / sizeof(faults[0]) };

/* Those that are tried when none is named come first. */
static const struct target *const targets[] = {
    &target_u64, &target_bytes, &target_obj, &target_bitmap, &control_mutex,
};
enum { TARGETS = sizeof(targets) / sizeof(targets[0]), TARGETS_BY_DEFAULT = TARGETS - 1 };

struct settings {
    const struct fault *only;
    const struct target *target;
    int domain; /* -1: both */
    uint64_t seed;
    int seed_given;
    int quick;
    double hang;
    const char *json;
    const char *html;
};

enum option_key {
    OPTION_ONLY = 256,
    OPTION_SET,
    OPTION_DOMAIN,
    OPTION_QUICK,
    OPTION_HANG,
    OPTION_SEED,
    OPTION_JSON,
    OPTION_HTML,
};

static const struct argp_option option_list[] = {
    {"only", OPTION_ONLY, "FAULT", 0, "One of the faults below (default: all)", 1},
    {"set", OPTION_SET, "SET", 0, "u64, bytes, obj or bitmap (default: each), or a control below",
     1},
    {"domain", OPTION_DOMAIN, "DOMAIN", 0, "rcu, hp or both (default)", 1},
    {"quick", OPTION_QUICK, NULL, 0, "A sample of the cases: less than a minute", 2},
    {"hang", OPTION_HANG, "S", 0,
     "Who does not finish within so many seconds is taken not to (default 60)", 2},
    {"seed", OPTION_SEED, "N", 0, "Fixes what each thread does (not how they interleave)", 2},
    {"json", OPTION_JSON, "FILE", 0, "The table, for programs", 3},
    {"html", OPTION_HTML, "FILE", 0, "The table, as a page", 3},
    {0},
};

static const struct fault *fault_find(struct argp_state *state, const char *name)
{
    for (int i = 0; i < FAULTS; i++)
        if (strcmp(faults[i]->name, name) == 0)
            return faults[i];
    argp_error(state, "there is no fault \"%s\"; see --help", name);
    return NULL;
}

static const struct target *target_named(struct argp_state *state, const char *name)
{
    for (int i = 0; i < TARGETS; i++)
        if (strcmp(targets[i]->name, name) == 0)
            return targets[i];
    argp_error(state, "there is no set \"%s\"; see --help", name);
    return NULL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct settings *s = state->input;

    switch (key) {
    case OPTION_ONLY:
        s->only = fault_find(state, arg);
        break;
    case OPTION_SET:
        s->target = target_named(state, arg);
        break;
    case OPTION_DOMAIN:
        s->domain = command_domain(state, arg);
        break;
    case OPTION_QUICK:
        s->quick = 1;
        break;
    case OPTION_HANG:
        s->hang = command_real(state, "hang", arg, 1, 1e6);
        break;
    case OPTION_SEED:
        s->seed = command_number(state, "seed", arg, 0, UINT64_MAX);
        s->seed_given = 1;
        break;
    case OPTION_JSON:
        s->json = arg;
        break;
    case OPTION_HTML:
        s->html = arg;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

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
    fputs("Faults:\n", f);
    for (int i = 0; i < FAULTS; i++)
        fprintf(f, "  %-11s %s\n", faults[i]->name, faults[i]->about);
    fputs("\nControls for --set:\n", f);
    for (int i = TARGETS_BY_DEFAULT; i < TARGETS; i++)
        fprintf(f, "  %-11s %s\n", targets[i]->name, targets[i]->about);
    fputs("\nExit status: 0 all is well, 1 something is not, 2 bad usage.\n", f);
    fclose(f);
    return out;
}

/* ---------------------------------------------------------------- the table */

static size_t plan(const struct settings *s, struct cell *cells)
{
    size_t count = 0;

    for (int f = 0; f < FAULTS; f++) {
        const struct fault *fault = faults[f];
        const int rows = fault->one_row ? 1 : TARGETS_BY_DEFAULT;

        if (s->only ? s->only != fault : fault->one_row && s->target != NULL)
            continue;
        for (int row = 0; row < (s->target ? 1 : rows); row++) {
            for (int domain = 0; domain < (fault->one_row ? 1 : 2); domain++) {
                if (!fault->one_row && s->domain >= 0 && s->domain != domain)
                    continue;
                cells[count] = (struct cell){.fault = fault,
                                             .domain = (enum lfset_domain)domain,
                                             .seed = noise_seed(s->seed, count, 11),
                                             .quick = s->quick,
                                             .hang = s->hang};
                if (!fault->one_row)
                    cells[count].target = s->target ? s->target : targets[row];
                count++;
            }
        }
    }
    return count;
}

struct progress {
    size_t at, count;
    double begun;
    double next;
};

/* Of this row, by how far it is. */
static void show_progress(void *ctx, const struct cell *cell)
{
    struct progress *p = ctx;
    const double now = run_now();
    const unsigned long done = atomic_load(&cell->shared->cases);
    const unsigned long planned = atomic_load(&cell->shared->planned);

    if (now < p->next)
        return;
    p->next = now + 0.2;
    printf("\r\033[K[%zu/%zu] %s of %s: %lu", p->at + 1, p->count, cell->fault->name,
           cell->target ? cell->target->name : "all sets", done);
    if (planned >= done && done > 0)
        printf(" of %lu %s, %.0f s left for this row", planned, cell->fault->unit,
               (now - p->begun) * (double)(planned - done) / (double)done);
    fflush(stdout);
}

static void show_nothing(void *ctx, const struct cell *cell)
{
    (void)ctx;
    (void)cell;
}

static int run_all(struct cell *cells, size_t count)
{
    const int tty = isatty(STDOUT_FILENO);
    struct progress progress = {.count = count};

    faults_head(stdout);
    for (size_t i = 0; i < count; i++) {
        progress.at = i;
        progress.begun = run_now();
        const int rc = cell_run(&cells[i], tty ? show_progress : show_nothing, &progress);

        if (rc != 0)
            return rc;
        if (tty)
            fputs("\r\033[K", stdout);
        faults_row(&cells[i], stdout);
        fflush(stdout);
    }
    return 0;
}

static int say_written(int rc, const char *path)
{
    if (rc == 0)
        printf("written: %s\n", path);
    else
        fprintf(stderr, "lfset-faults: %s cannot be written: %s\n", path, strerror(-rc));
    return rc;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = option_list,
        .parser = parse,
        .doc = "Tries faults on the sets, each in a process of its own, and prints a row for each: "
               "progress of the others, answers, contents and memory must be as documented.\v",
        .help_filter = help_filter,
    };
    static struct cell cells[FAULTS * TARGETS * 2];
    struct settings s = {.domain = -1, .hang = 60};

    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, ARGP_NO_ARGS, NULL, &s);
    command_writable(s.json);
    command_writable(s.html);
    if (!s.seed_given)
        s.seed = command_random_seed();
    char *command = command_text(argc, argv, s.seed_given ? NULL : &s.seed);
    struct faults_report report = {
        .seed = s.seed, .command = command ? command : "", .quick = s.quick, .cells = cells};

    printf("seed %" PRIu64 "; repeat with: %s\n\n", s.seed, report.command);
    report.count = plan(&s, cells);
    const int rc = run_all(cells, report.count);
    if (rc != 0) {
        fprintf(stderr, "lfset-faults: no process can be started: %s\n", strerror(-rc));
        return EXIT_FAULT;
    }
    faults_verdict(&report, stdout);
    int bad = faults_bad(&report) > 0;
    if (s.json)
        bad |= say_written(faults_json(&report, s.json), s.json) != 0;
    if (s.html)
        bad |= say_written(faults_html(&report, s.html), s.html) != 0;
    free(command);
    return bad ? EXIT_FAULT : EXIT_WELL;
}

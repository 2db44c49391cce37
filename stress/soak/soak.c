// SPDX-License-Identifier: MIT
/*
 * lfset-soak: hours of everything on large sets, and curves of what that costs. This file: options, the order
 * of things, the measuring once a second, and the verdict.
 */
#define _GNU_SOURCE
#include "command.h"
#include "run.h"
#include "samples.h"
#include "work.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum exit_code { EXIT_WELL, EXIT_FAULT, EXIT_USAGE };

/* Seconds of work between two meetings: as many meetings as are needed to judge the slope, or this. */
#define BETWEEN_MEETINGS 10.0
/* So often must each set have been emptied and filled again. Before, malloc's arenas still spread. */
#define CYCLES_LEAST 4
/* Seconds of the half that is judged: in a few of them it only shows how full the sets are just then. */
#define JUDGED_LEAST 60.0
/* What malloc and the kernel may keep of a process that has given everything back. */
#define KEPT (48.0 * 1024 * 1024)

struct settings {
    const struct target *target;
    int domain;
    double seconds;
    uint64_t keys;
    unsigned threads;
    uint64_t seed;
    int seed_given;
    const char *csv;
    const char *svg;
};

enum option_key {
    OPTION_SET = 256,
    OPTION_DOMAIN,
    OPTION_SECONDS,
    OPTION_HOURS,
    OPTION_KEYS,
    OPTION_THREADS,
    OPTION_SEED,
    OPTION_CSV,
    OPTION_SVG,
};

static const struct argp_option option_list[] = {
    {"seconds", OPTION_SECONDS, "S", 0, "How long (default 3600)", 1},
    {"hours", OPTION_HOURS, "H", 0, "How long, in hours", 1},
    {"set", OPTION_SET, "SET", 0, "u64, bytes, obj or bitmap only (default: all at once)", 1},
    {"domain", OPTION_DOMAIN, "DOMAIN", 0, "rcu, hp or both (default)", 1},
    {"keys", OPTION_KEYS, "N", 0, "Keys in each set, about (default 2^20; all sets: 2 GB)", 1},
    {"threads", OPTION_THREADS, "N", 0, "How many at once (default 4)", 1},
    {"seed", OPTION_SEED, "N", 0, "Fixes what each thread does (not how they interleave)", 1},
    {"csv", OPTION_CSV, "FILE", 0, "The measurements (default lfset-soak.csv)", 2},
    {"svg", OPTION_SVG, "FILE", 0, "The curves, by gnuplot (default lfset-soak.svg)", 2},
    {0},
};

static const struct target *target_named(struct argp_state *state, const char *name)
{
    for (const struct target *const *t = target_all; *t; t++)
        if (strcmp((*t)->name, name) == 0 && (*t)->has_domains && (*t)->drain)
            return *t;
    argp_error(state, "--set is u64, bytes, obj or bitmap, not \"%s\"", name);
    return NULL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct settings *s = state->input;

    switch (key) {
    case OPTION_SET:
        s->target = target_named(state, arg);
        break;
    case OPTION_DOMAIN:
        s->domain = command_domain(state, arg);
        break;
    case OPTION_SECONDS:
        s->seconds = command_real(state, "seconds", arg, 1, 1e8);
        break;
    case OPTION_HOURS:
        s->seconds = command_real(state, "hours", arg, 0.001, 1e5) * 3600;
        break;
    case OPTION_KEYS:
        s->keys = 2 * (uint64_t)command_real(state, "keys", arg, 10000, 1u << 28);
        break;
    case OPTION_THREADS:
        s->threads = (unsigned)command_real(state, "threads", arg, 2, WORK_THREADS_MOST);
        break;
    case OPTION_SEED:
        s->seed = command_number(state, "seed", arg, 0, UINT64_MAX);
        s->seed_given = 1;
        break;
    case OPTION_CSV:
        s->csv = arg;
        break;
    case OPTION_SVG:
        s->svg = arg;
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* ---------------------------------------------------------------- the run */

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
    (void)signal;
    interrupted = 1;
}

struct soak {
    struct settings settings;
    struct work work;
    struct samples samples;
    double begun;
    double resident_before, resident_after;
    uint64_t stalls;
    uint64_t operations_then; /* at the last sample */
    double time_then;
    double next_sample;
    int tty;
};

static double elapsed(const struct soak *soak)
{
    return run_now() - soak->begun;
}

static void measure(struct soak *soak)
{
    struct work *work = &soak->work;
    struct sample s = {.seconds = elapsed(soak),
                       .resident = resident_bytes(),
                       .threads = (double)work->threads_started,
                       .stalls = (double)soak->stalls};
    const uint64_t operations = work_operations(work);

    for (size_t i = 0; i < work->set_count; i++) {
        struct target_counters counters;

        s.live += (double)atomic_load(&work->sets[i].live);
        if (work->sets[i].target->counters(work->sets[i].set, &counters) == 0)
            s.slices += (double)counters.bytes;
    }
    for (int domain = 0; domain < 2; domain++) {
        struct lfset_garbage garbage;

        if (lfset_garbage_read((enum lfset_domain)domain, &garbage) == 0) {
            s.objects[domain] = (double)garbage.objects;
            s.bytes[domain] = (double)garbage.bytes;
        }
    }
    if (s.seconds > soak->time_then)
        s.mops =
            (double)(operations - soak->operations_then) / (s.seconds - soak->time_then) * 1e-6;
    soak->operations_then = operations;
    soak->time_then = s.seconds;
    samples_add(&soak->samples, &s);
    if (!soak->tty)
        return;
    printf(
        "\r\033[K%.0f of %.0f s: %.1f M operations, %.2f Mops/s, %.1f M keys, %.0f MiB resident, "
        "%.0f+%.0f retired, %s",
        s.seconds, soak->settings.seconds, (double)operations * 1e-6, s.mops, s.live * 1e-6,
        s.resident / 1048576, s.objects[0], s.objects[1],
        atomic_load(&work->failed) ? "WRONG" : "right so far");
    fflush(stdout);
}

static int is_over(const struct soak *soak)
{
    return interrupted || atomic_load(&soak->work.failed) ||
           elapsed(soak) >= soak->settings.seconds;
}

/* Measures while the threads work, and once a second lets go of who is stopped. */
static void watch(struct soak *soak, double until)
{
    while (!is_over(soak) && elapsed(soak) < until) {
        usleep(50000);
        if (elapsed(soak) < soak->next_sample)
            continue;
        measure(soak);
        soak->stalls += work_let_go(&soak->work);
        soak->next_sample = elapsed(soak) + soak->samples.every;
    }
}

static int run_all(struct soak *soak)
{
    struct work *work = &soak->work;
    int rc = work_init(work, soak->settings.target, soak->settings.domain);

    const double share = soak->settings.seconds / (2 * CYCLES_LEAST * WORK_SETS);
    const double between = share < BETWEEN_MEETINGS ? share : BETWEEN_MEETINGS;
    while (rc == 0 && !is_over(soak)) {
        rc = work_begin(work);
        if (rc != 0)
            break;
        watch(soak, elapsed(soak) + between);
        work_end(work);
        if (!is_over(soak))
            work_meet(work);
    }
    measure(soak);
    return rc;
}

/* ---------------------------------------------------------------- the verdict */

static int say_verdict(const struct soak *soak)
{
    const struct work *work = &soak->work;
    const double mean = samples_mean(&soak->samples), slope = samples_slope(&soak->samples);
    const double half = soak->time_then / 2, grown = slope * half;
    const double kept = soak->resident_after - soak->resident_before;
    const int judged = half >= JUDGED_LEAST && work->meetings >= CYCLES_LEAST * work->set_count;
    const int creeps = judged && grown > mean / 10;
    const int keeps = kept > KEPT;

    if (interrupted)
        printf("interrupted after %.0f s\n", soak->time_then);
    printf("%.1f M operations, %" PRIu64 " threads, %" PRIu64 " stops inside an operation, %" PRIu64
           " meetings\n",
           (double)work_operations(work) * 1e-6, work->threads_started, soak->stalls,
           work->meetings);
    printf("contents: %s\n",
           atomic_load(&work->failed) ? work->reason : "right, every answer and every key");
    printf("resident size: %.0f MiB before, %.0f MiB on average in the second half, %.0f MiB after "
           "everything was destroyed%s\n",
           soak->resident_before / 1048576, mean / 1048576, soak->resident_after / 1048576,
           keeps ? ": TOO MUCH" : "");
    printf("its slope in the second half: %+.1f MiB an hour%s\n", slope * 3600 / 1048576,
           !judged  ? " (too short a run to judge)"
           : creeps ? ": it CREEPS"
                    : ", which is none to speak of");
    const int well = !atomic_load(&work->failed) && !creeps && !keeps;
    printf("soak: %s\n", well ? "well" : "NOT well");
    return well;
}

static int write_files(const struct soak *soak)
{
    const struct settings *s = &soak->settings;
    char title[160];
    int rc = samples_csv(&soak->samples, s->csv);

    if (rc != 0) {
        fprintf(stderr, "lfset-soak: %s cannot be written: %s\n", s->csv, strerror(-rc));
        return rc;
    }
    printf("written: %s\n", s->csv);
    snprintf(title, sizeof(title), "lfset soak: %zu sets of about %.3g keys, %u threads, %.0f s",
             soak->work.set_count, (double)s->keys / 2, s->threads, soak->time_then);
    rc = samples_svg(s->csv, s->svg, title);
    if (rc == -ENOENT)
        fprintf(stderr, "lfset-soak: gnuplot is not installed (gnuplot-nox): no %s\n", s->svg);
    else if (rc != 0)
        fprintf(stderr, "lfset-soak: gnuplot could not draw %s\n", s->svg);
    else
        printf("written: %s\n", s->svg);
    return rc;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = option_list,
        .parser = parse,
        .doc = "Runs a mix of all operations on large sets of every kind, in both domains, for "
               "hours, with threads that come, go and stop inside operations. Every answer is "
               "checked, and memory must neither creep nor stay behind. An interrupt (SIGINT) ends "
               "it early, with all results."
               "\vExit status: 0 all is well, 1 something is not, 2 bad usage.",
    };
    static struct soak soak = {
        .settings = {.domain = -1,
                     .seconds = 3600,
                     .keys = 2u << 20,
                     .threads = 4,
                     .csv = "lfset-soak.csv",
                     .svg = "lfset-soak.svg"},
        .samples.every = 1,
    };
    struct settings *s = &soak.settings;

    argp_err_exit_status = EXIT_USAGE;
    argp_parse(&argp, argc, argv, ARGP_NO_ARGS, NULL, s);
    command_writable(s->csv);
    command_writable(s->svg);
    if (!s->seed_given)
        s->seed = command_random_seed();
    char *command = command_text(argc, argv, s->seed_given ? NULL : &s->seed);
    printf("seed %" PRIu64 "; repeat with: %s\n", s->seed, command ? command : "");
    free(command);
    fflush(stdout);
    sigaction(SIGINT, &(struct sigaction){.sa_handler = on_signal}, NULL);
    sigaction(SIGTERM, &(struct sigaction){.sa_handler = on_signal}, NULL);
    soak.work.keys = s->keys;
    soak.work.threads = s->threads;
    soak.work.seed = s->seed;
    soak.tty = isatty(STDOUT_FILENO);
    soak.resident_before = resident_bytes();
    noise_install();
    soak.begun = run_now();
    const int rc = run_all(&soak);
    if (soak.tty)
        fputs("\r\033[K", stdout);
    if (rc != 0) {
        fprintf(stderr, "lfset-soak: it could not go on: %s\n", strerror(-rc));
        return EXIT_FAULT;
    }
    if (work_finish(&soak.work) != 0)
        return EXIT_FAULT;
    malloc_trim(0);
    soak.resident_after = resident_bytes();
    const int well = say_verdict(&soak);
    return write_files(&soak) == 0 && well ? EXIT_WELL : EXIT_FAULT;
}

// SPDX-License-Identifier: MIT
/* lfset check: is a recorded history linearizable? */
#define _GNU_SOURCE
#include "../stress/check/checker.h"
#include "../stress/check/history.h"
#include "../stress/check/witness.h"
#include "tools.h"

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum exit_code { EXIT_LINEARIZABLE, EXIT_VIOLATION, EXIT_MALFORMED, EXIT_UNDECIDED };

enum form { FORM_NONE, FORM_TEXT, FORM_BINARY };

struct settings {
    const char *html, *output;
    enum form convert;
    bool stats;
    struct checker_options options;
    char **files;
    size_t file_count;
};

/* What goes on from one file to the next. */
struct session {
    const struct settings *settings;
    struct checker *checker;
    struct history history;
    bool html_written;
    double next_progress;
};

/* What the histories of one file add up to. */
struct totals {
    size_t rounds, operations, overlapping, keys, initial_keys, pending;
    size_t counts[HISTORY_OPS];
    uint64_t steps;
    double checking; /* seconds in the checker */
    double started;
    enum checker_verdict verdict;
    const char *name;
    bool failed; /* a round could not be checked at all */
};

enum { KEY_HTML = 256, KEY_BUDGET, KEY_STATS, KEY_CONVERT };

static const struct argp_option options[] = {
    {"html", KEY_HTML, "FILE", 0, "Write the first violation's witness as an HTML page", 0},
    {"budget", KEY_BUDGET, "N", 0,
     "Give up after N search steps (default 50000000); only whole-set operations need any", 0},
    {"stats", KEY_STATS, NULL, 0, "Also count the operations of each kind", 0},
    {"convert", KEY_CONVERT, "FORM", 0,
     "Do not check: write the one HISTORY as \"text\" or \"binary\"", 0},
    {"output", 'o', "FILE", 0, "Where --convert writes (default: standard output)", 0},
    {0}};

static const char documentation[] =
    "Decides exactly whether recorded histories of a set are linearizable.\v"
    "HISTORY is a file in the text or the binary form, \"-\" standard input. It may hold several "
    "rounds of one run, such as lfset stress --all-rounds writes: they are checked as they come, "
    "in "
    "the memory of one. A violation is shown by the few operations that prove it.\n\n"
    "Exit status: 0 all are linearizable, 1 one is not, 2 usage error or a history that cannot be "
    "read, 3 a search ran out of its budget (in doubt 2 before 1 before 3).";

static void parse_budget(const char *text, struct argp_state *state, struct settings *settings)
{
    char *end;
    errno = 0;
    unsigned long long budget = strtoull(text, &end, 10);
    if (errno != 0 || text[0] < '0' || text[0] > '9' || *end != '\0' || budget == 0)
        argp_error(state, "--budget needs a positive number, not \"%s\"", text);
    settings->options.budget = budget;
}

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
    struct settings *settings = state->input;
    switch (key) {
    case KEY_HTML:
        settings->html = argument;
        return 0;
    case KEY_BUDGET:
        parse_budget(argument, state, settings);
        return 0;
    case KEY_STATS:
        settings->stats = true;
        return 0;
    case KEY_CONVERT:
        if (strcmp(argument, "text") == 0)
            settings->convert = FORM_TEXT;
        else if (strcmp(argument, "binary") == 0)
            settings->convert = FORM_BINARY;
        else
            argp_error(state, "--convert needs \"text\" or \"binary\", not \"%s\"", argument);
        return 0;
    case 'o':
        settings->output = argument;
        return 0;
    case ARGP_KEY_ARGS:
        settings->files = state->argv + state->next;
        settings->file_count = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_END:
        if (settings->file_count == 0)
            argp_error(state, "which HISTORY?");
        if (settings->convert != FORM_NONE && settings->file_count != 1)
            argp_error(state, "--convert takes exactly one HISTORY");
        if (strcmp(settings->output, "-") != 0 && settings->convert == FORM_NONE)
            argp_error(state, "--output goes with --convert");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* ---- reading and writing ---- */

static const char *shown_name(const char *name)
{
    return strcmp(name, "-") == 0 ? "standard input" : name;
}

/* Opens a file of histories and has each of them treated. False: it could not be read, or treated
 * further, and somebody has said why. */
static bool each_history(struct session *session, const char *name,
                         bool (*treat)(struct session *, const struct history_reader *, void *),
                         void *ctx)
{
    struct history_error error = {""};
    bool standard = strcmp(name, "-") == 0;
    FILE *file = standard ? stdin : fopen(name, "rbe");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot open: %s\n", name, strerror(errno));
        return false;
    }
    struct history_reader *reader = history_reader_open(file, shown_name(name));
    int status = -ENOMEM;
    snprintf(error.text, sizeof error.text, "%s: not enough memory", name);
    while (reader != NULL &&
           (status = history_reader_next(reader, &session->history, &error)) == 1) {
        if (!treat(session, reader, ctx))
            break;
    }
    history_reader_close(reader);
    if (!standard)
        fclose(file);
    if (status < 0)
        fprintf(stderr, "%s\n", error.text);
    return status == 0;
}

/* A long check says how far it is, on a terminal. */
static void show_progress(struct session *session, const struct history_reader *reader,
                          const struct totals *totals)
{
    double now = seconds(), share = history_reader_share(reader);
    if (now < session->next_progress || !isatty(STDERR_FILENO))
        return;
    bool first = session->next_progress == 0;
    session->next_progress = now + 1;
    if (first)
        return;
    fprintf(stderr, "\r  %.1f million operations, %zu rounds", 1e-6 * (double)totals->operations,
            totals->rounds);
    if (share > 0)
        fprintf(stderr, ", %.0f %%, %.0f s left", 100 * share,
                (now - totals->started) * (1 - share) / share);
    fputs("   ", stderr);
}

/* Says what went wrong with an output file, if anything did. */
static bool written(const char *name, int status)
{
    if (status != 0)
        fprintf(stderr, "%s: cannot write: %s\n", name, strerror(-status));
    return status == 0;
}

static bool convert_one(struct session *session, const struct history_reader *reader, void *ctx)
{
    FILE *file = ctx;
    (void)reader;
    return written(session->settings->output, session->settings->convert == FORM_TEXT
                                                  ? history_write_text(&session->history, file)
                                                  : history_write_binary(&session->history, file));
}

static enum exit_code convert(struct session *session)
{
    const char *name = session->settings->output;
    bool standard = strcmp(name, "-") == 0;
    FILE *file = standard ? stdout : fopen(name, "wbe");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot create: %s\n", name, strerror(errno));
        return EXIT_MALFORMED;
    }
    bool done = each_history(session, session->settings->files[0], convert_one, file);
    errno = 0;
    if ((standard ? fflush(file) : fclose(file)) != 0)
        done = written(name, errno == 0 ? -EIO : -errno);
    return done ? EXIT_LINEARIZABLE : EXIT_MALFORMED;
}

/* ---- checking ---- */

static void print_stats(const struct totals *totals)
{
    double taken = seconds() - totals->started, million = 1e-6 * (double)totals->operations;
    fputs("  ", stdout);
    for (size_t op = 0; op < HISTORY_OPS; op++)
        printf("%s %zu, ", history_op_name((enum history_op)op), totals->counts[op]);
    printf("pending %zu\n", totals->pending);
    printf("  %zu keys present at the start, %" PRIu64 " search steps\n", totals->initial_keys,
           totals->steps);
    if (totals->checking > 0)
        printf("  %.1f million operations a second, with reading %.1f\n",
               million / totals->checking, million / taken);
}

static bool write_html(const char *name, const struct witness *witness)
{
    FILE *file = fopen(name, "wbe");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot create: %s\n", name, strerror(errno));
        return false;
    }
    int status = witness_write_html(witness, file);
    if (fclose(file) != 0 && status == 0)
        status = -errno;
    return written(name, status);
}

/* Shows what proves the violation. */
static void show_witness(struct session *session)
{
    struct witness witness;
    const struct settings *settings = session->settings;
    int status = witness_find(session->checker, &session->history, &settings->options, &witness);
    if (status == 1)
        status = witness_print_text(&witness, stdout);
    if (status < 0)
        fprintf(stderr, "cannot show the violation: %s\n", strerror(-status));
    if (status == 0 && settings->html != NULL && !session->html_written)
        session->html_written = write_html(settings->html, &witness);
    witness_free(&witness);
}

static void add_up(struct totals *totals, const struct history *history,
                   const struct checker_result *result)
{
    totals->rounds++;
    totals->operations += result->operations;
    totals->overlapping += result->overlapping;
    totals->keys = result->keys > totals->keys ? result->keys : totals->keys;
    totals->steps += result->steps;
    for (size_t i = 0; i < history->count; i++) {
        totals->counts[history->records[i].op]++;
        totals->pending += history->records[i].ret == HISTORY_PENDING;
    }
}

/* A history that carries on begins where the one before it ended. */
static bool carry_on(struct session *session, const struct history_reader *reader,
                     const struct totals *totals)
{
    int status = checker_end_state(session->checker, &session->history);
    if (status == 0)
        status = history_reader_carry(reader, &session->history);
    if (status == -EAGAIN)
        fprintf(stderr,
                "%s: round %zu carries on, but round %zu does not say in which state it ended: an "
                "operation never returned, or a clear overlaps others; a snapshot at rest at its "
                "end would\n",
                totals->name, totals->rounds + 1, totals->rounds);
    else if (status == -EINVAL)
        fprintf(stderr, "%s: the keys of rounds %zu and %zu are of different kinds\n", totals->name,
                totals->rounds, totals->rounds + 1);
    else if (status != 0)
        fprintf(stderr, "%s: cannot check: %s\n", totals->name, strerror(-status));
    return status == 0;
}

/* Checks one round. False: there is no point in going on. */
static bool check_one(struct session *session, const struct history_reader *reader, void *ctx)
{
    struct totals *totals = ctx;
    struct checker_result result;
    if (totals->verdict == CHECKER_UNDECIDED && session->history.continued)
        return false; /* from a state that is not known */
    totals->failed = true;
    if (session->history.continued && !carry_on(session, reader, totals))
        return false;
    double start = seconds();
    int status =
        checker_run(session->checker, &session->history, &session->settings->options, &result);
    totals->checking += seconds() - start;
    if (status != 0) {
        fprintf(stderr, "%s: cannot check: %s\n", totals->name, strerror(-status));
        return false;
    }
    totals->failed = false;
    if (totals->rounds == 0)
        totals->initial_keys = session->history.initial_count;
    add_up(totals, &session->history, &result);
    if (result.verdict != CHECKER_LINEARIZABLE)
        totals->verdict = result.verdict;
    show_progress(session, reader, totals);
    return result.verdict != CHECKER_VIOLATION;
}

static void print_totals(const struct session *session, const struct totals *totals)
{
    if (session->next_progress > totals->started + 1.5)
        fputs("\r\033[K", stderr);
    printf("%s: %s\n", totals->name, checker_verdict_name(totals->verdict));
    printf("  %zu operations ", totals->operations);
    if (totals->rounds > 1)
        printf("in %zu rounds, on at most ", totals->rounds);
    else
        fputs("on ", stdout);
    printf("%zu keys, %.1f %% overlap another on the same key, %.1f ms\n", totals->keys,
           totals->operations > 0 ? 100.0 * (double)totals->overlapping / (double)totals->operations
                                  : 0.0,
           1e3 * totals->checking);
    if (session->settings->stats)
        print_stats(totals);
}

static enum exit_code check(struct session *session, const char *name)
{
    static const enum exit_code codes[] = {[CHECKER_LINEARIZABLE] = EXIT_LINEARIZABLE,
                                           [CHECKER_VIOLATION] = EXIT_VIOLATION,
                                           [CHECKER_UNDECIDED] = EXIT_UNDECIDED};
    struct totals totals = {.name = shown_name(name), .started = seconds()};
    bool complete = each_history(session, name, check_one, &totals);
    if (totals.failed || (!complete && totals.verdict == CHECKER_LINEARIZABLE))
        return EXIT_MALFORMED;
    print_totals(session, &totals);
    if (totals.verdict == CHECKER_UNDECIDED)
        printf("  the search was given up after %" PRIu64 " steps; --budget allows more\n",
               totals.steps);
    if (totals.verdict == CHECKER_VIOLATION) {
        if (totals.rounds > 1)
            printf("  found in round %zu\n", totals.rounds);
        show_witness(session);
    }
    return codes[totals.verdict];
}

/* The code of all files together: a file that could not be judged hides the rest, and a violation
 * is certain whatever remains undecided. */
static enum exit_code worse(enum exit_code a, enum exit_code b)
{
    static const int rank[] = {
        [EXIT_LINEARIZABLE] = 0, [EXIT_UNDECIDED] = 1, [EXIT_VIOLATION] = 2, [EXIT_MALFORMED] = 3};
    return rank[a] > rank[b] ? a : b;
}

int tool_check(int argc, char **argv)
{
    static const struct argp argp = {options, parse_option, "HISTORY...", documentation,
                                     NULL,    NULL,         NULL};
    struct settings settings = {.output = "-"};
    argp_err_exit_status = EXIT_MALFORMED;
    if (argp_parse(&argp, argc, argv, 0, NULL, &settings) != 0)
        return EXIT_MALFORMED;
    struct session session = {.settings = &settings, .checker = checker_create()};
    enum exit_code code = EXIT_LINEARIZABLE;
    if (session.checker == NULL) {
        fprintf(stderr, "%s: not enough memory\n", argv[0]);
        return EXIT_MALFORMED;
    }
    if (settings.convert != FORM_NONE)
        code = convert(&session);
    for (size_t i = 0; settings.convert == FORM_NONE && i < settings.file_count; i++)
        code = worse(code, check(&session, settings.files[i]));
    history_free(&session.history);
    checker_destroy(session.checker);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "%s: cannot write: %s\n", argv[0], strerror(errno));
        code = EXIT_MALFORMED;
    }
    return (int)code;
}

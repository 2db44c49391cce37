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
    "HISTORY is a file in the text or the binary form, \"-\" standard input. A violation is shown "
    "by the few operations that prove it.\n\n"
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
        if (settings->output != NULL && settings->convert == FORM_NONE)
            argp_error(state, "--output goes with --convert");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* ---- reading and writing ---- */

static bool read_history(struct session *session, const char *name)
{
    struct history_error error = {""};
    bool standard = strcmp(name, "-") == 0;
    FILE *file = standard ? stdin : fopen(name, "rbe");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot open: %s\n", name, strerror(errno));
        return false;
    }
    int status = history_read(file, standard ? "standard input" : name, &session->history, &error);
    if (!standard)
        fclose(file);
    if (status != 0)
        fprintf(stderr, "%s\n", error.text);
    return status == 0;
}

/* Opens, writes by `write` and closes; complains about what went wrong. */
static bool write_file(const char *name, int (*write)(const void *, FILE *), const void *what)
{
    bool standard = name == NULL || strcmp(name, "-") == 0;
    FILE *file = standard ? stdout : fopen(name, "wbe");
    if (file == NULL) {
        fprintf(stderr, "%s: cannot create: %s\n", name, strerror(errno));
        return false;
    }
    int status = write(what, file);
    if ((standard ? fflush(file) : fclose(file)) != 0 && status == 0)
        status = -errno;
    if (status != 0)
        fprintf(stderr, "%s: cannot write: %s\n", standard ? "standard output" : name,
                strerror(-status));
    return status == 0;
}

static int write_text(const void *history, FILE *file)
{
    return history_write_text(history, file);
}

static int write_binary(const void *history, FILE *file)
{
    return history_write_binary(history, file);
}

static int write_html(const void *witness, FILE *file)
{
    return witness_write_html(witness, file);
}

static enum exit_code convert(struct session *session)
{
    const struct settings *settings = session->settings;
    if (!read_history(session, settings->files[0]))
        return EXIT_MALFORMED;
    bool written =
        write_file(settings->output, settings->convert == FORM_TEXT ? write_text : write_binary,
                   &session->history);
    return written ? EXIT_LINEARIZABLE : EXIT_MALFORMED;
}

/* ---- checking ---- */

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void print_stats(const struct history *history, const struct checker_result *result,
                        double taken)
{
    size_t counts[HISTORY_OPS] = {0}, pending = 0;
    for (size_t i = 0; i < history->count; i++) {
        counts[history->records[i].op]++;
        pending += history->records[i].ret == HISTORY_PENDING;
    }
    fputs("  ", stdout);
    for (size_t op = 0; op < HISTORY_OPS; op++)
        printf("%s %zu, ", history_op_name((enum history_op)op), counts[op]);
    printf("pending %zu\n", pending);
    printf("  %zu keys present at the start, %" PRIu64 " search steps", history->initial_count,
           result->steps);
    if (taken > 0)
        printf(", %.1f million operations a second", (double)history->count / taken / 1e6);
    fputc('\n', stdout);
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
    if (status == 0 && settings->html != NULL && !session->html_written) {
        fflush(stdout);
        session->html_written = write_file(settings->html, write_html, &witness);
    }
    witness_free(&witness);
}

static enum exit_code check(struct session *session, const char *name)
{
    static const enum exit_code codes[] = {[CHECKER_LINEARIZABLE] = EXIT_LINEARIZABLE,
                                           [CHECKER_VIOLATION] = EXIT_VIOLATION,
                                           [CHECKER_UNDECIDED] = EXIT_UNDECIDED};
    struct checker_result result;
    if (!read_history(session, name))
        return EXIT_MALFORMED;
    double start = seconds();
    int status =
        checker_run(session->checker, &session->history, &session->settings->options, &result);
    double taken = seconds() - start;
    if (status != 0) {
        fprintf(stderr, "%s: cannot check: %s\n", name, strerror(-status));
        return EXIT_MALFORMED;
    }
    printf("%s: %s\n", name, checker_verdict_name(result.verdict));
    printf("  %zu operations on %zu keys, %.1f %% overlap another on the same key, %.1f ms\n",
           result.operations, result.keys,
           result.operations > 0 ? 100.0 * (double)result.overlapping / (double)result.operations
                                 : 0.0,
           1e3 * taken);
    if (session->settings->stats)
        print_stats(&session->history, &result, taken);
    if (result.verdict == CHECKER_UNDECIDED)
        printf("  the search was given up after %" PRIu64 " steps; --budget allows more\n",
               result.steps);
    if (result.verdict == CHECKER_VIOLATION)
        show_witness(session);
    return codes[result.verdict];
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
    struct settings settings = {0};
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

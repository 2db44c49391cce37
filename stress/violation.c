// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "violation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A witness of so few operations is not shortened further. */
#define SHORT_ENOUGH 6
/* How long, and with how many operations of a thread in a round, a shorter one is looked for. */
#define SEARCH_SECONDS 3.0
#define SEARCH_ROUND_OPS 40

static FILE *create(const char *path, int *rc)
{
    FILE *f = fopen(path, "we");

    *rc = f ? 0 : -errno;
    return f;
}

static int finish(FILE *f, int rc)
{
    return fclose(f) != 0 && rc == 0 ? -EIO : rc;
}

int violation_history_is_binary(const char *path)
{
    const size_t length = strlen(path);

    return length > 4 && strcmp(path + length - 4, ".bin") == 0;
}

int violation_history_write(const struct history *history, const char *path)
{
    int rc;
    FILE *f = create(path, &rc);

    if (!f)
        return rc;
    return finish(f, violation_history_is_binary(path) ? history_write_binary(history, f)
                                                       : history_write_text(history, f));
}

static int timeline_write(const struct witness *witness, const char *path)
{
    int rc;
    FILE *f = create(path, &rc);

    return f ? finish(f, witness_write_html(witness, f)) : rc;
}

static int witness_make(struct violation *violation, const struct history *history)
{
    struct checker *checker = checker_create();
    int rc = checker ? witness_find(checker, history, NULL, &violation->witness) : -ENOMEM;

    checker_destroy(checker);
    violation->has_witness = rc == 1;
    return rc < 0 ? rc : 0;
}

/* Does the witness of this run's violation beat the one there is? Then it takes its place. */
static void keep_shorter(struct violation *violation, const struct run_result *result)
{
    struct violation other = {0};

    if (result->has_history && witness_make(&other, &result->history) == 0 && other.has_witness &&
        other.witness.history.count < violation->witness.history.count) {
        const struct witness longer = violation->witness;

        violation->witness = other.witness;
        other.witness = longer;
        violation->found_again = 1;
    }
    witness_free(&other.witness);
}

/*
 * An operation that was long under way makes a long witness, as nothing that changed the set
 * meanwhile may be left out. Short rounds have short ones: the same workload is run again in such
 * rounds, for as long as a person waits.
 */
static void look_for_shorter(struct violation *violation, const struct run_options *options)
{
    const double end = run_now() + SEARCH_SECONDS;
    struct run_options o = *options;

    o.progress = NULL;
    o.all_rounds = NULL;
    o.ops = 0;
    o.stall = 0;
    if (o.workload.round_ops > SEARCH_ROUND_OPS)
        o.workload.round_ops = SEARCH_ROUND_OPS;
    while (violation->witness.history.count > SHORT_ENOUGH && run_now() < end) {
        struct run_result again;

        o.seconds = end - run_now();
        o.seed = noise_seed(o.seed, 1, 1);
        if (o.seconds <= 0 || run(&o, &again) != 0)
            return;
        keep_shorter(violation, &again);
        if (again.threads_are_lost)
            return; /* what they use cannot be given back */
        run_result_free(&again);
    }
}

int violation_save(struct violation *violation, const struct run_options *options,
                   const struct run_result *result, const char *path)
{
    memset(violation, 0, sizeof(*violation));
    int rc = violation_history_write(&result->history, path);
    if (rc != 0)
        return rc;
    violation->history_path = path;
    if (!result->has_history)
        return 0;
    rc = witness_make(violation, &result->history);
    if (rc != 0 || !violation->has_witness)
        return rc;
    look_for_shorter(violation, options);
    if (asprintf(&violation->witness_path, "%s.witness", path) < 0)
        violation->witness_path = NULL;
    if (asprintf(&violation->timeline_path, "%s.html", path) < 0)
        violation->timeline_path = NULL;
    if (!violation->witness_path || !violation->timeline_path)
        return -ENOMEM;
    rc = violation_history_write(&violation->witness.history, violation->witness_path);
    return rc ? rc : timeline_write(&violation->witness, violation->timeline_path);
}

void violation_print(const struct violation *violation, const struct run_result *result, FILE *out)
{
    fprintf(out, "\nviolation: %s\n", result->reason);
    if (violation->found_again)
        fputs("It was found again in a shorter round, which is easier to read:\n", out);
    if (violation->has_witness)
        witness_print_text(&violation->witness, out);
    if (violation->history_path)
        fprintf(out, "the whole round: %s\n", violation->history_path);
    if (violation->witness_path)
        fprintf(out, "the operations above: %s\n", violation->witness_path);
    if (violation->timeline_path)
        fprintf(out, "as a page: %s\n", violation->timeline_path);
}

void violation_free(struct violation *violation)
{
    witness_free(&violation->witness);
    free(violation->witness_path);
    free(violation->timeline_path);
}

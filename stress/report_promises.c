// SPDX-License-Identifier: MIT
/* What a foreign set promised, whether it kept it, and whether it kept more than that. */
#define _GNU_SOURCE
#include "report.h"

#include <jansson.h>
#include <string.h>

/* All runs' results of one kind of operation; the shortest witness. */
struct sum {
    uint64_t judged, unjudged, rounds, undecided, repeated;
    int broken, not_linearizable;
    const struct witness *witness;
};

static const struct target_promises *promises_of(const struct report *report)
{
    return report->runs[0].options.target->promises;
}

static struct sum sum_of(const struct report *report, enum target_weak kind)
{
    struct sum sum = {0};

    for (size_t i = 0; i < report->count; i++) {
        const struct promise_result *r = &report->runs[i].result.promises[kind];

        sum.judged += r->judged;
        sum.unjudged += r->unjudged;
        sum.rounds += r->rounds;
        sum.undecided += r->undecided;
        sum.repeated += r->repeated;
        sum.broken |= r->broken;
        sum.not_linearizable |= r->not_linearizable;
        if (r->has_witness &&
            (!sum.witness || r->witness.history.count < sum.witness->history.count))
            sum.witness = &r->witness;
    }
    return sum;
}

static const char *promise_of(const struct target_promises *p, enum target_weak kind)
{
    if (!p->weak[kind])
        return "linearizable";
    return p->counter && (kind == TARGET_SIZE || kind == TARGET_IS_EMPTY) ? "a counter" : "weak";
}

static const char *kept_of(const struct sum *sum)
{
    return sum->broken ? "BROKEN" : sum->judged ? "kept" : "not judged";
}

static const char *stronger_of(const struct sum *sum)
{
    if (sum->not_linearizable)
        return "no";
    return sum->rounds == 0 ? "not judged" : sum->undecided ? "undecided" : "yes";
}

static void put_line(const struct target_promises *p, enum target_weak kind, const struct sum *sum,
                     FILE *out)
{
    fprintf(out, "%s: promised %s", promise_op_name(kind), promise_of(p, kind));
    if (!p->weak[kind])
        return;
    fprintf(out, ": %s (%llu answers, each judged over its interval", kept_of(sum),
            (unsigned long long)sum->judged);
    if (sum->unjudged)
        fprintf(out, "; %llu beside clears that do not count", (unsigned long long)sum->unjudged);
    fprintf(out, "); linearizable: %s", stronger_of(sum));
    if (sum->witness)
        fprintf(out, ", witness of %zu operations", sum->witness->history.count);
    else if (sum->not_linearizable && sum->repeated)
        fprintf(out, ", it visited a key twice %llu times", (unsigned long long)sum->repeated);
    else if (sum->not_linearizable)
        fputs(" (fewer keys may show a witness: --keys 4)", out);
    else if (sum->rounds != 0 && !sum->not_linearizable && !sum->undecided)
        fprintf(out, " in each of %llu rounds", (unsigned long long)sum->rounds);
    else if (sum->undecided)
        fprintf(out, " in %llu of %llu rounds", (unsigned long long)sum->undecided,
                (unsigned long long)sum->rounds);
}

void report_promises(const struct report *report, const char *before, const char *after, FILE *out)
{
    const struct target_promises *p = promises_of(report);

    for (int kind = 0; kind < TARGET_WEAK_OPS; kind++) {
        if (!p->has[kind])
            continue;
        const struct sum sum = sum_of(report, (enum target_weak)kind);
        fputs(before, out);
        put_line(p, (enum target_weak)kind, &sum, out);
        fputs(after, out);
    }
    if (report->runs[0].options.stall && !p->lock_free)
        fprintf(out, "%sno thread was stopped: the set does not promise to be lock-free%s", before,
                after);
}

void report_promise_witnesses(const struct report *report, FILE *out)
{
    const struct target_promises *p = promises_of(report);

    for (int kind = 0; kind < TARGET_WEAK_OPS; kind++) {
        const struct sum sum = sum_of(report, (enum target_weak)kind);

        if (!p->has[kind] || !sum.witness)
            continue;
        fprintf(out, "\nwhy %s is not linearizable%s:\n", promise_op_name((enum target_weak)kind),
                kind == TARGET_EACH ? " (it is shown as a snapshot)" : "");
        witness_print_text(sum.witness, out);
    }
}

struct json_t *report_promises_json(const struct report *report)
{
    const struct target_promises *p = promises_of(report);
    json_t *list = json_array();

    for (int kind = 0; kind < TARGET_WEAK_OPS; kind++) {
        if (!p->has[kind])
            continue;
        const struct sum sum = sum_of(report, (enum target_weak)kind);
        json_t *j = json_pack("{ss ss}", "operation", promise_op_name((enum target_weak)kind),
                              "promise", promise_of(p, (enum target_weak)kind));

        if (p->weak[kind]) {
            json_object_set_new(j, "judged", json_integer((json_int_t)sum.judged));
            json_object_set_new(j, "verdict", json_string(kept_of(&sum)));
            json_object_set_new(j, "linearizable", json_string(stronger_of(&sum)));
            json_object_set_new(j, "rounds", json_integer((json_int_t)sum.rounds));
            json_object_set_new(j, "undecided_rounds", json_integer((json_int_t)sum.undecided));
        }
        if (sum.witness)
            json_object_set_new(j, "witness_operations",
                                json_integer((json_int_t)sum.witness->history.count));
        json_array_append_new(list, j);
    }
    return list;
}

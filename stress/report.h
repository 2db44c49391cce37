// SPDX-License-Identifier: MIT
/**
 * @file report.h
 * What came of all runs: a table for the terminal, JSON for programs, a page for people.
 */
#ifndef STRESS_REPORT_H
#define STRESS_REPORT_H

#include "violation.h"

#include <stdio.h>

struct report_run {
    struct run_options options;
    struct run_result result;
};

struct report {
    uint64_t seed;
    const char *command; /**< to repeat it */
    unsigned threads;
    long processors;
    const char *clock;
    int noise;
    size_t count;
    struct report_run *runs;
    const struct violation *violation; /**< of the last run; NULL: there was none */
};

/** The worst of all runs; a violation is worst. */
enum checker_verdict report_verdict(const struct report *report);

/** "u64 on rcu", or only the set's name when it has no domains. */
void report_set_name(const struct run_options *options, char *text, size_t size);

/** "yes", "NO" or "undecided". */
const char *report_answer(enum checker_verdict verdict);

/** Overlapping operations in percent; the power of the test. */
double report_overlap(const struct run_result *result);

double report_mops(const struct run_result *result);

void report_table(const struct report *report, FILE *out);

/** Of a foreign set: a line for each kind of operation that may be weak, between two texts. */
void report_promises(const struct report *report, const char *before, const char *after, FILE *out);
/** Why the weak ones are no more than that. */
void report_promise_witnesses(const struct report *report, FILE *out);
struct json_t *report_promises_json(const struct report *report);

/** @return 0 or a negative errno. */
int report_json(const struct report *report, const char *path);
int report_html(const struct report *report, const char *path);

#endif

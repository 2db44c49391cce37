// SPDX-License-Identifier: MIT
/**
 * @file faults_report.h
 * The cells as a table for the terminal, as JSON and as a page.
 */
#ifndef FAULTS_REPORT_H
#define FAULTS_REPORT_H

#include "cell.h"

#include <stddef.h>
#include <stdio.h>

struct faults_report {
    uint64_t seed;
    const char *command; /**< to repeat it */
    int quick;
    size_t count;
    const struct cell *cells;
};

/** How many cells did not go well. */
size_t faults_bad(const struct faults_report *report);

void faults_head(FILE *out);
void faults_row(const struct cell *cell, FILE *out);
void faults_verdict(const struct faults_report *report, FILE *out);

/** @return 0 or a negative errno. */
int faults_json(const struct faults_report *report, const char *path);
int faults_html(const struct faults_report *report, const char *path);

#endif

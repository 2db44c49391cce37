// SPDX-License-Identifier: MIT
/**
 * @file metrics.h
 * How metrics are written, for those that are of the process and those that are of sets.
 */
#ifndef LFSET__METRICS_H
#define LFSET__METRICS_H

#include <stdbool.h>
#include <stdio.h>

#include "lfset/observation.h"

/** The sets of one name. */
struct lfset__series {
    char *label; // its value, escaped
    const struct lfset_set_seen **sets;
    size_t count;
};

struct lfset__metrics {
    const struct lfset_observation *seen;
    FILE *out;
    bool open_metrics;
    struct lfset__series *series;
    size_t series_count;
};

enum lfset__metric_type { LFSET__GAUGE, LFSET__COUNTER };

/** What a metric is, beside its values. */
struct lfset__family {
    const char *name; // without _total; ends with the unit if there is one
    enum lfset__metric_type type;
    const char *unit; // NULL: none
    const char *help;
};

static inline double lfset__seconds(uint64_t nanoseconds)
{
    return (double)nanoseconds * 1e-9;
}

/** HELP, TYPE and UNIT, before a metric's samples. */
void lfset__metric_head(const struct lfset__metrics *writer, const struct lfset__family *family);
/** A sample's name. @param label NULL: none. */
void lfset__metric_name(const struct lfset__metrics *writer, const struct lfset__family *family,
                        const char *label);
/** A sample's value, and the line's end. */
void lfset__metric_value(FILE *out, double value);

/** Sorts the sets by their names. @return 0 or -ENOMEM; to be freed in both cases. */
int lfset__series_make(struct lfset__metrics *writer);
void lfset__series_free(struct lfset__metrics *writer);
void lfset__metrics_of_sets(const struct lfset__metrics *writer);

#endif

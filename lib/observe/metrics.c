// SPDX-License-Identifier: MIT
/**
 * @file metrics.c
 * An observation as Prometheus's text format 0.0.4, or as OpenMetrics 1.0: the same metrics, in the same
 * order.
 *
 * The only label is `set`, the name. Sets that share a name are one series, as it would be a different
 * one at each restart if ids told them apart: numbers are added, of ages the oldest counts. A counter of
 * such a series falls when one of its sets is destroyed, which Prometheus takes for a restart.
 * What is not counted, limited or forecast has no series.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "observe/metrics.h"

/* ---- writing --------------------------------------------------------------------------------------- */

void lfset__metric_head(const struct lfset__metrics *writer, const struct lfset__family *family)
{
    static const char *const types[] = {"gauge", "counter"};
    // a counter's family is called with _total in one format, and without in the other
    const char *suffix = family->type == LFSET__COUNTER && !writer->open_metrics ? "_total" : "";
    fprintf(writer->out, "# HELP %s%s %s\n", family->name, suffix, family->help);
    fprintf(writer->out, "# TYPE %s%s %s\n", family->name, suffix, types[family->type]);
    if (writer->open_metrics && family->unit) {
        fprintf(writer->out, "# UNIT %s %s\n", family->name, family->unit);
    }
}

/* The shortest number that reads as this one. */
void lfset__metric_value(FILE *out, double value)
{
    char text[32];
    if (isnan(value)) {
        fputs("NaN\n", out);
    } else if (isinf(value)) {
        fputs(value > 0 ? "+Inf\n" : "-Inf\n", out);
    } else {
        for (int digits = 15; digits <= 17; digits++) {
            snprintf(text, sizeof text, "%.*g", digits, value);
            if (strtod(text, NULL) == value) { // -Wfloat-equal: exactly this one is meant
                break;
            }
        }
        fprintf(out, "%s\n", text);
    }
}

void lfset__metric_name(const struct lfset__metrics *writer, const struct lfset__family *family,
                        const char *label)
{
    fprintf(writer->out, "%s%s", family->name, family->type == LFSET__COUNTER ? "_total" : "");
    if (label) {
        fprintf(writer->out, "{set=\"%s\"}", label);
    }
    fputc(' ', writer->out);
}

/* A number of the process as a whole. */
static void single_write(const struct lfset__metrics *writer, struct lfset__family family,
                         double value)
{
    lfset__metric_head(writer, &family);
    lfset__metric_name(writer, &family, NULL);
    lfset__metric_value(writer->out, value);
}

static void single_count(const struct lfset__metrics *writer, struct lfset__family family,
                         uint64_t value)
{
    lfset__metric_head(writer, &family);
    lfset__metric_name(writer, &family, NULL);
    fprintf(writer->out, "%" PRIu64 "\n", value);
}

/* ---- of the process -------------------------------------------------------------------------------- */

/* @return seconds that the longest of the stalled readers has been reading. */
static double stalled(const struct lfset_observation *seen, uint64_t *count)
{
    uint64_t since = UINT64_MAX;
    *count = 0;
    for (size_t i = 0; i < seen->thread_count; i++) {
        const struct lfset_thread_seen *thread = &seen->threads[i];
        if (!thread->stalled) {
            continue;
        }
        ++*count;
        since = thread->section_since_ns && thread->section_since_ns < since
                    ? thread->section_since_ns
                    : since;
        for (int k = 0; k < 4; k++) {
            uint64_t hazard = thread->hazard_since_ns[k];
            since = hazard && hazard < since ? hazard : since;
        }
    }
    return since < seen->time_ns ? lfset__seconds(seen->time_ns - since) : 0;
}

#define COUNT(name, help, value)                                                                   \
    single_count(writer, (struct lfset__family){name, LFSET__COUNTER, NULL, help}, value)
#define LEVEL(name, unit, help, value)                                                             \
    single_count(writer, (struct lfset__family){name, LFSET__GAUGE, unit, help}, value)
#define TIME(name, help, value)                                                                    \
    single_write(writer, (struct lfset__family){name, LFSET__GAUGE, "seconds", help}, value)

static void process_write(const struct lfset__metrics *writer)
{
    const struct lfset_observation *seen = writer->seen;
    uint64_t stalled_count;
    double longest = stalled(seen, &stalled_count);
    LEVEL("lfset_process_alive", NULL, "1 while the process runs; 0 when it has ended.",
          (uint64_t)(seen->alive != 0));
    TIME("lfset_start_timestamp_seconds", "When the process listed its first set.",
         lfset__seconds(seen->started_ns + seen->realtime_minus_ns));
    LEVEL("lfset_sets", NULL, "Sets that are listed, those without a name included.",
          seen->set_count);
    LEVEL("lfset_threads", NULL, "Threads that are attached and listed.", seen->thread_count);
    LEVEL("lfset_stalled_readers", NULL, "Threads that have been reading for too long.",
          stalled_count);
    TIME("lfset_stalled_reader_longest_seconds",
         "How long the longest of the stalled readers has been reading; 0 when none is stalled.",
         longest);
    COUNT("lfset_stalls", "Stalled readers that were reported.", seen->stalls);
    LEVEL("lfset_rcu_garbage_objects", NULL, "Objects retired and not freed in the RCU domain.",
          seen->garbage_objects[LFSET_RCU]);
    LEVEL("lfset_rcu_garbage_bytes", "bytes", "Memory retired and not freed in the RCU domain.",
          seen->garbage_bytes[LFSET_RCU]);
    COUNT("lfset_rcu_reclaimed_objects", "Objects freed in the RCU domain.",
          seen->reclaimed_objects[LFSET_RCU]);
    LEVEL("lfset_hp_garbage_objects", NULL,
          "Objects retired and not freed in the hazard-pointer domain.",
          seen->garbage_objects[LFSET_HP]);
    LEVEL("lfset_hp_garbage_bytes", "bytes",
          "Memory retired and not freed in the hazard-pointer domain.",
          seen->garbage_bytes[LFSET_HP]);
    COUNT("lfset_hp_reclaimed_objects", "Objects freed in the hazard-pointer domain.",
          seen->reclaimed_objects[LFSET_HP]);
    COUNT("lfset_events", "Events that the watcher told.", seen->events_total);
    COUNT("lfset_sets_unlisted", "Sets that found no room in the registry.", seen->sets_unlisted);
    COUNT("lfset_threads_unlisted", "Threads that found no room in the registry.",
          seen->threads_unlisted);
    COUNT("lfset_retired_unlisted", "Retired objects that found no room in the registry.",
          seen->retired_unlisted);
    COUNT("lfset_stacks_lost", "Call stacks that found no room in the registry.",
          seen->stacks_lost);
    COUNT("lfset_samples_lost", "Sampled keys that found no room in the registry.",
          seen->samples_lost);
    if (seen->watcher_period_ns) {
        TIME("lfset_watcher_period_seconds", "Time between two looks of the watcher.",
             lfset__seconds(seen->watcher_period_ns));
        TIME("lfset_watcher_stall_threshold_seconds",
             "How long a reader may read before it is stalled.", lfset__seconds(seen->stall_ns));
    }
    if (seen->watcher_period_ns && seen->watcher_looked_ns) {
        TIME("lfset_watcher_last_look_timestamp_seconds", "When the watcher last looked.",
             lfset__seconds(seen->watcher_looked_ns + seen->realtime_minus_ns));
    }
}

int lfset_observation_metrics(const struct lfset_observation *seen,
                              enum lfset_metrics_format format, FILE *out)
{
    if (!seen || !out ||
        (format != LFSET_METRICS_PROMETHEUS && format != LFSET_METRICS_OPENMETRICS)) {
        return -EINVAL;
    }
    struct lfset__metrics writer = {
        .seen = seen, .out = out, .open_metrics = format == LFSET_METRICS_OPENMETRICS};
    // numbers have a point, whatever the program's language is
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    int error = plain ? lfset__series_make(&writer) : -ENOMEM;
    if (!error) {
        locale_t before = uselocale(plain);
        process_write(&writer);
        lfset__metrics_of_sets(&writer);
        if (writer.open_metrics) {
            fputs("# EOF\n", out);
        }
        error = fflush(out) != 0 || ferror(out) ? -EIO : 0;
        uselocale(before);
    }
    lfset__series_free(&writer);
    if (plain) {
        freelocale(plain);
    }
    return error;
}

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
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lfset/observation.h"
#include "observe/event.h"

/* The sets of one name. */
struct series {
    char *label; // its value, escaped
    const struct lfset_set_seen **sets;
    size_t count;
};

struct writer {
    const struct lfset_observation *seen;
    FILE *out;
    bool open_metrics;
    struct series *series;
    size_t series_count;
};

/* ---- one name, one series -------------------------------------------------------------------------- */

struct named {
    char *label;
    const struct lfset_set_seen *set;
};

/* Both formats escape these three. */
static char *label_make(const char *name)
{
    char *clean = lfset__utf8_copy(name), *label = clean ? malloc(2 * strlen(clean) + 1) : NULL;
    char *to = label;
    for (const char *from = clean; label && *from; from++) {
        if (*from == '\\' || *from == '"' || *from == '\n') {
            *to++ = '\\';
        }
        *to++ = *from == '\n' ? 'n' : *from;
    }
    if (label) {
        *to = 0;
    }
    free(clean);
    return label;
}

static int compare_named(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->label, ((const struct named *)b)->label);
}

/* The sets that have a name, by their labels. @return how many, or -1: no memory. */
static ssize_t named_sets(const struct lfset_observation *seen, struct named *named)
{
    size_t count = 0;
    for (size_t i = 0; i < seen->set_count; i++) {
        if (seen->sets[i].name[0]) {
            named[count] = (struct named){label_make(seen->sets[i].name), &seen->sets[i]};
            if (!named[count++].label) {
                while (count > 0) {
                    free(named[--count].label);
                }
                return -1;
            }
        }
    }
    qsort(named, count, sizeof *named, compare_named);
    return (ssize_t)count;
}

static int series_make(struct writer *writer)
{
    size_t room = writer->seen->set_count + 1;
    struct named *named = calloc(room, sizeof *named);
    struct series *series = writer->series = calloc(room, sizeof *series);
    const struct lfset_set_seen **sets = calloc(room, sizeof *sets);
    ssize_t count = named && series && sets ? named_sets(writer->seen, named) : -1;
    if (count <= 0) {
        free(named);
        free(sets);
        return count < 0 ? -ENOMEM : 0;
    }
    for (ssize_t i = 0; i < count; i++) {
        struct series *last = &series[writer->series_count];
        sets[i] = named[i].set;
        if (i > 0 && strcmp(last[-1].label, named[i].label) == 0) {
            last[-1].count++;
            free(named[i].label);
        } else {
            *last = (struct series){named[i].label, &sets[i], 1};
            writer->series_count++;
        }
    }
    free(named);
    return 0;
}

static void series_free(struct writer *writer)
{
    for (size_t i = 0; i < writer->series_count; i++) {
        free(writer->series[i].label);
    }
    if (writer->series_count > 0) {
        free(writer->series[0].sets); // all sets, in one array
    }
    free(writer->series);
}

/* ---- writing --------------------------------------------------------------------------------------- */

enum type { GAUGE, COUNTER };

/* What a metric is, beside its values. */
struct family {
    const char *name; // without _total; ends with the unit if there is one
    enum type type;
    const char *unit; // NULL: none
    const char *help;
};

static void head_write(const struct writer *writer, const struct family *family)
{
    static const char *const types[] = {"gauge", "counter"};
    // a counter's family is called with _total in one format, and without in the other
    const char *suffix = family->type == COUNTER && !writer->open_metrics ? "_total" : "";
    fprintf(writer->out, "# HELP %s%s %s\n", family->name, suffix, family->help);
    fprintf(writer->out, "# TYPE %s%s %s\n", family->name, suffix, types[family->type]);
    if (writer->open_metrics && family->unit) {
        fprintf(writer->out, "# UNIT %s %s\n", family->name, family->unit);
    }
}

/* The shortest number that reads as this one. */
static void value_write(FILE *out, double value)
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

static void name_write(const struct writer *writer, const struct family *family, const char *label)
{
    fprintf(writer->out, "%s%s", family->name, family->type == COUNTER ? "_total" : "");
    if (label) {
        fprintf(writer->out, "{set=\"%s\"}", label);
    }
    fputc(' ', writer->out);
}

/* A number of the process as a whole. */
static void single_write(const struct writer *writer, struct family family, double value)
{
    head_write(writer, &family);
    name_write(writer, &family, NULL);
    value_write(writer->out, value);
}

static void single_count(const struct writer *writer, struct family family, uint64_t value)
{
    head_write(writer, &family);
    name_write(writer, &family, NULL);
    fprintf(writer->out, "%" PRIu64 "\n", value);
}

/* ---- of sets --------------------------------------------------------------------------------------- */

/* Counts. What a set does not have it does not add. */
struct set_count {
    struct family family;
    size_t offset; // of a uint64_t in struct lfset_set_seen
    enum { ALWAYS, IF_COUNTED, IF_NOT_ZERO } when;
};

#define NUMBER(member) offsetof(struct lfset_set_seen, member)

static const struct set_count set_counts[] = {
    {{"lfset_set_keys", GAUGE, NULL,
      "Keys in the set: exact at rest if it counts, else an estimate."},
     NUMBER(live),
     ALWAYS},
    {{"lfset_set_slots", GAUGE, NULL, "Places for keys in the current slice."},
     NUMBER(capacity),
     ALWAYS},
    {{"lfset_set_bound_slots", GAUGE, NULL,
      "Estimate of places taken by keys, removed ones included."},
     NUMBER(bound),
     ALWAYS},
    {{"lfset_set_dead_slots", GAUGE, NULL, "Estimate of places taken by removed keys."},
     NUMBER(dead),
     ALWAYS},
    {{"lfset_set_bytes", GAUGE, "bytes",
      "Memory of the set: slices, keys, removed keys, and what is retired."},
     NUMBER(bytes),
     ALWAYS},
    {{"lfset_set_slice_bytes", GAUGE, "bytes", "Memory of slices."}, NUMBER(slice_bytes), ALWAYS},
    {{"lfset_set_key_bytes", GAUGE, "bytes", "Memory of keys outside of slices."},
     NUMBER(key_bytes),
     ALWAYS},
    {{"lfset_set_dead_bytes", GAUGE, "bytes", "Memory of removed keys that is not yet given back."},
     NUMBER(dead_bytes),
     ALWAYS},
    {{"lfset_set_retired_bytes", GAUGE, "bytes",
      "Memory that is retired and not freed, as readers may use it."},
     NUMBER(retired_bytes),
     ALWAYS},
    {{"lfset_set_retired_objects", GAUGE, NULL, "Objects that are retired and not freed."},
     NUMBER(retired),
     ALWAYS},
    {{"lfset_set_adds", COUNTER, NULL, "Additions that changed the set."},
     NUMBER(adds),
     IF_COUNTED},
    {{"lfset_set_adds_present", COUNTER, NULL, "Additions that found the key there."},
     NUMBER(adds_present),
     IF_COUNTED},
    {{"lfset_set_removes", COUNTER, NULL, "Removals that changed the set."},
     NUMBER(removes),
     IF_COUNTED},
    {{"lfset_set_removes_absent", COUNTER, NULL, "Removals that found no such key."},
     NUMBER(removes_absent),
     IF_COUNTED},
    {{"lfset_set_hits", COUNTER, NULL, "Lookups that found the key."}, NUMBER(hits), IF_COUNTED},
    {{"lfset_set_misses", COUNTER, NULL, "Lookups that found no such key."},
     NUMBER(misses),
     IF_COUNTED},
    {{"lfset_set_refused", COUNTER, NULL, "Additions that the guard refused."},
     NUMBER(refused),
     IF_COUNTED},
    {{"lfset_set_cleared_keys", COUNTER, NULL, "Keys that clear and drain took out."},
     NUMBER(cleared),
     ALWAYS},
    {{"lfset_set_evicted_keys", COUNTER, NULL, "Keys that the guard cleared away."},
     NUMBER(evicted),
     ALWAYS},
    {{"lfset_set_expired_keys", COUNTER, NULL, "Keys that were removed as they had expired."},
     NUMBER(expired),
     ALWAYS},
    {{"lfset_set_grows", COUNTER, NULL, "Successions by a larger slice."}, NUMBER(grows), ALWAYS},
    {{"lfset_set_purges", COUNTER, NULL,
      "Successions by a slice of the same size, without the removed keys."},
     NUMBER(purges),
     ALWAYS},
    {{"lfset_set_shrinks", COUNTER, NULL, "Successions by a smaller slice."},
     NUMBER(shrinks),
     ALWAYS},
    {{"lfset_set_rehashes", COUNTER, NULL, "Successions because keys clustered."},
     NUMBER(rehashes),
     ALWAYS},
    {{"lfset_set_snapshots", COUNTER, NULL, "Snapshots taken."}, NUMBER(snapshots), ALWAYS},
    {{"lfset_set_clears", COUNTER, NULL, "Calls of clear and drain."}, NUMBER(clears), ALWAYS},
    {{"lfset_set_migration_chunks", GAUGE, NULL,
      "Chunks of successions under way; 0 when there is none."},
     NUMBER(migration_chunks),
     ALWAYS},
    {{"lfset_set_migration_done_chunks", GAUGE, NULL,
      "Chunks of successions under way that are done."},
     NUMBER(migration_done),
     ALWAYS},
    {{"lfset_set_limit_keys", GAUGE, NULL, "The guard's limit of keys."},
     NUMBER(max_keys),
     IF_NOT_ZERO},
    {{"lfset_set_limit_bytes", GAUGE, "bytes", "The guard's limit of memory."},
     NUMBER(max_bytes),
     IF_NOT_ZERO},
    {{"lfset_set_limit_growth_keys_per_second", GAUGE, NULL, "The guard's limit of growth."},
     NUMBER(max_rate),
     IF_NOT_ZERO},
};

static uint64_t number_of(const struct lfset_set_seen *set, size_t offset)
{
    uint64_t number;
    memcpy(&number, (const char *)set + offset, sizeof number);
    return number;
}

static void set_count_write(const struct writer *writer, const struct set_count *metric)
{
    bool begun = false;
    for (size_t i = 0; i < writer->series_count; i++) {
        const struct series *series = &writer->series[i];
        uint64_t sum = 0;
        bool there = metric->when == ALWAYS;
        for (size_t k = 0; k < series->count; k++) {
            const struct lfset_set_seen *set = series->sets[k];
            uint64_t number = number_of(set, metric->offset);
            there = there || (metric->when == IF_COUNTED ? set->counted : number != 0);
            sum += number;
        }
        if (there) {
            if (!begun) {
                head_write(writer, &metric->family);
                begun = true;
            }
            name_write(writer, &metric->family, series->label);
            fprintf(writer->out, "%" PRIu64 "\n", sum);
        }
    }
}

/* Numbers that are not counts; of those that several sets have, one is shown. NaN: it has none. */
struct set_value {
    struct family family;
    double (*value)(const struct lfset_observation *seen, const struct lfset_set_seen *set);
    enum { SUM, LEAST, MOST } of_several;
};

static double seconds(uint64_t nanoseconds)
{
    return (double)nanoseconds * 1e-9;
}
static double one(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen, (void)set;
    return 1;
}
static double created(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    return seconds(set->created_ns + seen->realtime_minus_ns);
}
static double changed(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    return seconds(set->changed_ns + seen->realtime_minus_ns);
}
static double age(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    return seen->time_ns > set->created_ns ? seconds(seen->time_ns - set->created_ns) : 0;
}
static double idle(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    return seen->time_ns > set->changed_ns ? seconds(seen->time_ns - set->changed_ns) : 0;
}
static double oldest_reader(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen;
    return seconds(set->oldest_reader_ns);
}
static double migrating(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen;
    return set->migration_chunks != 0;
}
static double guarded(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen;
    return set->guarded != 0;
}
static double refusing(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen;
    return set->guarded ? set->refusing != 0 : NAN;
}
static double idle_timeout(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen;
    return set->idle_timeout_ns ? seconds(set->idle_timeout_ns) : NAN;
}
static double expiry(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen;
    return set->expiry_ns ? seconds(set->expiry_ns) : NAN;
}
static double slope(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen;
    return set->history_count ? set->slope : NAN;
}
static double to_limit(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen;
    return set->to_limit;
}
static double confidence(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen;
    return isnan(set->to_limit) ? NAN : set->confidence;
}

static const struct set_value set_values[] = {
    {{"lfset_set_instances", GAUGE, NULL, "Sets that have this name."}, one, SUM},
    {{"lfset_set_created_timestamp_seconds", GAUGE, "seconds", "When the set was created."},
     created,
     LEAST},
    {{"lfset_set_changed_timestamp_seconds", GAUGE, "seconds",
      "When the set was last seen to change."},
     changed,
     MOST},
    {{"lfset_set_age_seconds", GAUGE, "seconds", "Time since the set was created."}, age, MOST},
    {{"lfset_set_idle_seconds", GAUGE, "seconds", "Time since the set was last seen to change."},
     idle,
     LEAST},
    {{"lfset_set_oldest_reader_seconds", GAUGE, "seconds",
      "How long the oldest reader of the set's domain is known to have been reading; 0 when none "
      "is known."},
     oldest_reader,
     MOST},
    {{"lfset_set_migrating", GAUGE, NULL, "Sets of this name with a succession under way."},
     migrating,
     SUM},
    {{"lfset_set_guarded", GAUGE, NULL, "Sets of this name that have a guard."}, guarded, SUM},
    {{"lfset_set_refusing", GAUGE, NULL, "Sets of this name whose guard refuses additions now."},
     refusing,
     SUM},
    {{"lfset_set_idle_timeout_seconds", GAUGE, "seconds", "The guard's limit of idle time."},
     idle_timeout,
     LEAST},
    {{"lfset_set_expiry_seconds", GAUGE, "seconds",
      "How long a key stays after it was last added."},
     expiry,
     LEAST},
    {{"lfset_set_growth_keys_per_second", GAUGE, NULL,
      "The watcher's estimate of the set's growth."},
     slope,
     SUM},
    {{"lfset_set_forecast_seconds", GAUGE, "seconds",
      "Forecast of the time until the set reaches a limit of its guard; absent when it is not in "
      "sight."},
     to_limit,
     LEAST},
    {{"lfset_set_forecast_confidence_ratio", GAUGE, "ratio",
      "How sure that forecast is, from 0 to 1."},
     confidence,
     MOST},
};

/* @return NaN: none of its sets has a value. */
static double value_of(const struct writer *writer, const struct series *series,
                       const struct set_value *metric)
{
    double result = NAN;
    for (size_t i = 0; i < series->count; i++) {
        double value = metric->value(writer->seen, series->sets[i]);
        if (isnan(value)) {
            continue;
        }
        if (isnan(result)) {
            result = value;
        } else if (metric->of_several == SUM) {
            result += value;
        } else if (metric->of_several == LEAST ? value < result : value > result) {
            result = value;
        }
    }
    return result;
}

static void set_value_write(const struct writer *writer, const struct set_value *metric)
{
    bool begun = false;
    for (size_t i = 0; i < writer->series_count; i++) {
        double value = value_of(writer, &writer->series[i], metric);
        if (!isnan(value)) {
            if (!begun) {
                head_write(writer, &metric->family);
                begun = true;
            }
            name_write(writer, &metric->family, writer->series[i].label);
            value_write(writer->out, value);
        }
    }
}

static void sets_write(const struct writer *writer)
{
    for (size_t i = 0; i < sizeof set_counts / sizeof *set_counts; i++) {
        set_count_write(writer, &set_counts[i]);
    }
    for (size_t i = 0; i < sizeof set_values / sizeof *set_values; i++) {
        set_value_write(writer, &set_values[i]);
    }
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
    return since < seen->time_ns ? seconds(seen->time_ns - since) : 0;
}

#define COUNT(name, help, value)                                                                   \
    single_count(writer, (struct family){name, COUNTER, NULL, help}, value)
#define LEVEL(name, unit, help, value)                                                             \
    single_count(writer, (struct family){name, GAUGE, unit, help}, value)
#define TIME(name, help, value)                                                                    \
    single_write(writer, (struct family){name, GAUGE, "seconds", help}, value)

static void process_write(const struct writer *writer)
{
    const struct lfset_observation *seen = writer->seen;
    uint64_t stalled_count;
    double longest = stalled(seen, &stalled_count);
    LEVEL("lfset_process_alive", NULL, "1 while the process runs; 0 when it has ended.",
          (uint64_t)(seen->alive != 0));
    TIME("lfset_start_timestamp_seconds", "When the process listed its first set.",
         seconds(seen->started_ns + seen->realtime_minus_ns));
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
             seconds(seen->watcher_period_ns));
        TIME("lfset_watcher_stall_threshold_seconds",
             "How long a reader may read before it is stalled.", seconds(seen->stall_ns));
    }
    if (seen->watcher_period_ns && seen->watcher_looked_ns) {
        TIME("lfset_watcher_last_look_timestamp_seconds", "When the watcher last looked.",
             seconds(seen->watcher_looked_ns + seen->realtime_minus_ns));
    }
}

int lfset_observation_metrics(const struct lfset_observation *seen,
                              enum lfset_metrics_format format, FILE *out)
{
    if (!seen || !out ||
        (format != LFSET_METRICS_PROMETHEUS && format != LFSET_METRICS_OPENMETRICS)) {
        return -EINVAL;
    }
    struct writer writer = {
        .seen = seen, .out = out, .open_metrics = format == LFSET_METRICS_OPENMETRICS};
    // numbers have a point, whatever the program's language is
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    int error = plain ? series_make(&writer) : -ENOMEM;
    if (!error) {
        locale_t before = uselocale(plain);
        process_write(&writer);
        sets_write(&writer);
        if (writer.open_metrics) {
            fputs("# EOF\n", out);
        }
        error = fflush(out) != 0 || ferror(out) ? -EIO : 0;
        uselocale(before);
    }
    series_free(&writer);
    if (plain) {
        freelocale(plain);
    }
    return error;
}

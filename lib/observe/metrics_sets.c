// SPDX-License-Identifier: MIT
/**
 * @file metrics_sets.c
 * Metrics of sets: a series for each name.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "observe/event.h"
#include "observe/metrics.h"

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

int lfset__series_make(struct lfset__metrics *writer)
{
    size_t room = writer->seen->set_count + 1;
    struct named *named = calloc(room, sizeof *named);
    struct lfset__series *series = writer->series = calloc(room, sizeof *series);
    const struct lfset_set_seen **sets = calloc(room, sizeof *sets);
    ssize_t count = named && series && sets ? named_sets(writer->seen, named) : -1;
    if (count <= 0) {
        free(named);
        free(sets);
        return count < 0 ? -ENOMEM : 0;
    }
    for (ssize_t i = 0; i < count; i++) {
        struct lfset__series *last = &series[writer->series_count];
        sets[i] = named[i].set;
        if (i > 0 && strcmp(last[-1].label, named[i].label) == 0) {
            last[-1].count++;
            free(named[i].label);
        } else {
            *last = (struct lfset__series){named[i].label, &sets[i], 1};
            writer->series_count++;
        }
    }
    free(named);
    return 0;
}

void lfset__series_free(struct lfset__metrics *writer)
{
    for (size_t i = 0; i < writer->series_count; i++) {
        free(writer->series[i].label);
    }
    if (writer->series_count > 0) {
        free(writer->series[0].sets); // all sets, in one array
    }
    free(writer->series);
}

/* ---- of sets --------------------------------------------------------------------------------------- */

/* Counts. What a set does not have it does not add. */
struct set_count {
    struct lfset__family family;
    size_t offset; // of a uint64_t in struct lfset_set_seen
    enum { ALWAYS, IF_COUNTED, IF_NOT_ZERO } when;
};

#define NUMBER(member) offsetof(struct lfset_set_seen, member)

static const struct set_count set_counts[] = {
    {{"lfset_set_keys", LFSET__GAUGE, NULL,
      "Keys in the set: exact at rest if it counts, else an estimate."},
     NUMBER(live),
     ALWAYS},
    {{"lfset_set_slots", LFSET__GAUGE, NULL, "Places for keys in the current slice."},
     NUMBER(capacity),
     ALWAYS},
    {{"lfset_set_bound_slots", LFSET__GAUGE, NULL,
      "Estimate of places taken by keys, removed ones included."},
     NUMBER(bound),
     ALWAYS},
    {{"lfset_set_dead_slots", LFSET__GAUGE, NULL, "Estimate of places taken by removed keys."},
     NUMBER(dead),
     ALWAYS},
    {{"lfset_set_bytes", LFSET__GAUGE, "bytes",
      "Memory of the set: slices, keys, removed keys, and what is retired."},
     NUMBER(bytes),
     ALWAYS},
    {{"lfset_set_slice_bytes", LFSET__GAUGE, "bytes", "Memory of slices."},
     NUMBER(slice_bytes),
     ALWAYS},
    {{"lfset_set_key_bytes", LFSET__GAUGE, "bytes", "Memory of keys outside of slices."},
     NUMBER(key_bytes),
     ALWAYS},
    {{"lfset_set_dead_bytes", LFSET__GAUGE, "bytes",
      "Memory of removed keys that is not yet given back."},
     NUMBER(dead_bytes),
     ALWAYS},
    {{"lfset_set_retired_bytes", LFSET__GAUGE, "bytes",
      "Memory that is retired and not freed, as readers may use it."},
     NUMBER(retired_bytes),
     ALWAYS},
    {{"lfset_set_retired_objects", LFSET__GAUGE, NULL, "Objects that are retired and not freed."},
     NUMBER(retired),
     ALWAYS},
    {{"lfset_set_adds", LFSET__COUNTER, NULL, "Additions that changed the set."},
     NUMBER(adds),
     IF_COUNTED},
    {{"lfset_set_adds_present", LFSET__COUNTER, NULL, "Additions that found the key there."},
     NUMBER(adds_present),
     IF_COUNTED},
    {{"lfset_set_removes", LFSET__COUNTER, NULL, "Removals that changed the set."},
     NUMBER(removes),
     IF_COUNTED},
    {{"lfset_set_removes_absent", LFSET__COUNTER, NULL, "Removals that found no such key."},
     NUMBER(removes_absent),
     IF_COUNTED},
    {{"lfset_set_hits", LFSET__COUNTER, NULL, "Lookups that found the key."},
     NUMBER(hits),
     IF_COUNTED},
    {{"lfset_set_misses", LFSET__COUNTER, NULL, "Lookups that found no such key."},
     NUMBER(misses),
     IF_COUNTED},
    {{"lfset_set_refused", LFSET__COUNTER, NULL, "Additions that the guard refused."},
     NUMBER(refused),
     IF_COUNTED},
    {{"lfset_set_cleared_keys", LFSET__COUNTER, NULL, "Keys that clear and drain took out."},
     NUMBER(cleared),
     ALWAYS},
    {{"lfset_set_evicted_keys", LFSET__COUNTER, NULL, "Keys that the guard cleared away."},
     NUMBER(evicted),
     ALWAYS},
    {{"lfset_set_expired_keys", LFSET__COUNTER, NULL,
      "Keys that were removed as they had expired."},
     NUMBER(expired),
     ALWAYS},
    {{"lfset_set_grows", LFSET__COUNTER, NULL, "Successions by a larger slice."},
     NUMBER(grows),
     ALWAYS},
    {{"lfset_set_purges", LFSET__COUNTER, NULL,
      "Successions by a slice of the same size, without the removed keys."},
     NUMBER(purges),
     ALWAYS},
    {{"lfset_set_shrinks", LFSET__COUNTER, NULL, "Successions by a smaller slice."},
     NUMBER(shrinks),
     ALWAYS},
    {{"lfset_set_rehashes", LFSET__COUNTER, NULL, "Successions because keys clustered."},
     NUMBER(rehashes),
     ALWAYS},
    {{"lfset_set_snapshots", LFSET__COUNTER, NULL, "Snapshots taken."}, NUMBER(snapshots), ALWAYS},
    {{"lfset_set_clears", LFSET__COUNTER, NULL, "Calls of clear and drain."},
     NUMBER(clears),
     ALWAYS},
    {{"lfset_set_migration_chunks", LFSET__GAUGE, NULL,
      "Chunks of successions under way; 0 when there is none."},
     NUMBER(migration_chunks),
     ALWAYS},
    {{"lfset_set_migration_done_chunks", LFSET__GAUGE, NULL,
      "Chunks of successions under way that are done."},
     NUMBER(migration_done),
     ALWAYS},
    {{"lfset_set_limit_keys", LFSET__GAUGE, NULL, "The guard's limit of keys."},
     NUMBER(max_keys),
     IF_NOT_ZERO},
    {{"lfset_set_limit_bytes", LFSET__GAUGE, "bytes", "The guard's limit of memory."},
     NUMBER(max_bytes),
     IF_NOT_ZERO},
    {{"lfset_set_limit_growth_keys_per_second", LFSET__GAUGE, NULL, "The guard's limit of growth."},
     NUMBER(max_rate),
     IF_NOT_ZERO},
};

static uint64_t number_of(const struct lfset_set_seen *set, size_t offset)
{
    uint64_t number;
    memcpy(&number, (const char *)set + offset, sizeof number);
    return number;
}

static void set_count_write(const struct lfset__metrics *writer, const struct set_count *metric)
{
    bool begun = false;
    for (size_t i = 0; i < writer->series_count; i++) {
        const struct lfset__series *series = &writer->series[i];
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
                lfset__metric_head(writer, &metric->family);
                begun = true;
            }
            lfset__metric_name(writer, &metric->family, series->label);
            fprintf(writer->out, "%" PRIu64 "\n", sum);
        }
    }
}

/* Numbers that are not counts; of those that several sets have, one is shown. NaN: it has none. */
struct set_value {
    struct lfset__family family;
    double (*value)(const struct lfset_observation *seen, const struct lfset_set_seen *set);
    enum { SUM, LEAST, MOST } of_several;
};

static double one(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen, (void)set;
    return 1;
}
static double created(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    return lfset__seconds(set->created_ns + seen->realtime_minus_ns);
}
static double changed(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    return lfset__seconds(set->changed_ns + seen->realtime_minus_ns);
}
static double age(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    return seen->time_ns > set->created_ns ? lfset__seconds(seen->time_ns - set->created_ns) : 0;
}
static double idle(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    return seen->time_ns > set->changed_ns ? lfset__seconds(seen->time_ns - set->changed_ns) : 0;
}
static double oldest_reader(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen;
    return lfset__seconds(set->oldest_reader_ns);
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
    return set->idle_timeout_ns ? lfset__seconds(set->idle_timeout_ns) : NAN;
}
static double expiry(const struct lfset_observation *seen, const struct lfset_set_seen *set)
{
    (void)seen;
    return set->expiry_ns ? lfset__seconds(set->expiry_ns) : NAN;
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
    {{"lfset_set_instances", LFSET__GAUGE, NULL, "Sets that have this name."}, one, SUM},
    {{"lfset_set_created_timestamp_seconds", LFSET__GAUGE, "seconds", "When the set was created."},
     created,
     LEAST},
    {{"lfset_set_changed_timestamp_seconds", LFSET__GAUGE, "seconds",
      "When the set was last seen to change."},
     changed,
     MOST},
    {{"lfset_set_age_seconds", LFSET__GAUGE, "seconds", "Time since the set was created."},
     age,
     MOST},
    {{"lfset_set_idle_seconds", LFSET__GAUGE, "seconds",
      "Time since the set was last seen to change."},
     idle,
     LEAST},
    {{"lfset_set_oldest_reader_seconds", LFSET__GAUGE, "seconds",
      "How long the oldest reader of the set's domain is known to have been reading; 0 when none "
      "is known."},
     oldest_reader,
     MOST},
    {{"lfset_set_migrating", LFSET__GAUGE, NULL, "Sets of this name with a succession under way."},
     migrating,
     SUM},
    {{"lfset_set_guarded", LFSET__GAUGE, NULL, "Sets of this name that have a guard."},
     guarded,
     SUM},
    {{"lfset_set_refusing", LFSET__GAUGE, NULL,
      "Sets of this name whose guard refuses additions now."},
     refusing,
     SUM},
    {{"lfset_set_idle_timeout_seconds", LFSET__GAUGE, "seconds", "The guard's limit of idle time."},
     idle_timeout,
     LEAST},
    {{"lfset_set_expiry_seconds", LFSET__GAUGE, "seconds",
      "How long a key stays after it was last added."},
     expiry,
     LEAST},
    {{"lfset_set_growth_keys_per_second", LFSET__GAUGE, NULL,
      "The watcher's estimate of the set's growth."},
     slope,
     SUM},
    {{"lfset_set_forecast_seconds", LFSET__GAUGE, "seconds",
      "Forecast of the time until the set reaches a limit of its guard; absent when it is not in "
      "sight."},
     to_limit,
     LEAST},
    {{"lfset_set_forecast_confidence_ratio", LFSET__GAUGE, "ratio",
      "How sure that forecast is, from 0 to 1."},
     confidence,
     MOST},
};

/* @return NaN: none of its sets has a value. */
static double value_of(const struct lfset__metrics *writer, const struct lfset__series *series,
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

static void set_value_write(const struct lfset__metrics *writer, const struct set_value *metric)
{
    bool begun = false;
    for (size_t i = 0; i < writer->series_count; i++) {
        double value = value_of(writer, &writer->series[i], metric);
        if (!isnan(value)) {
            if (!begun) {
                lfset__metric_head(writer, &metric->family);
                begun = true;
            }
            lfset__metric_name(writer, &metric->family, writer->series[i].label);
            lfset__metric_value(writer->out, value);
        }
    }
}

void lfset__metrics_of_sets(const struct lfset__metrics *writer)
{
    for (size_t i = 0; i < sizeof set_counts / sizeof *set_counts; i++) {
        set_count_write(writer, &set_counts[i]);
    }
    for (size_t i = 0; i < sizeof set_values / sizeof *set_values; i++) {
        set_value_write(writer, &set_values[i]);
    }
}

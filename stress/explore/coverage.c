// SPDX-License-Identifier: MIT
#include "explore/coverage.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "explore/execute.h"
#include "explore/schedule.h"

enum { ROWS_MOST = 256 };

static const char *const event_names[EXECUTE_EVENTS] = {
    [EXECUTE_PREEMPTIONS] = "preemptions",
    [EXECUTE_GROWTHS] = "growths",
    [EXECUTE_PURGES] = "purges",
    [EXECUTE_SHRINKS] = "shrinks",
    [EXECUTE_REHASHES] = "rehashes",
    [EXECUTE_SNAPSHOTS] = "gates of snapshots",
    [EXECUTE_CLEARS] = "gates of clears",
    [EXECUTE_RETIRED] = "slices retired",
    [EXECUTE_FREED] = "blocks freed",
    [EXECUTE_FAILED_ALLOCATIONS] = "allocations failed",
    [EXECUTE_STOPPED] = "threads stopped",
    [EXECUTE_SLEEPS] = "sleeps",
    [EXECUTE_DESTROYED] = "objects destroyed",
    [EXECUTE_REFERENCES] = "references handed out",
};

struct row {
    const char *scenario;
    enum plan_set set;
    uint64_t schedules, accesses, failures;
    uint64_t events[EXECUTE_EVENTS];
    uint64_t with[EXECUTE_EVENTS]; /**< schedules in which it happened */
};

static struct row rows[ROWS_MOST];
static size_t row_count;

static struct row *row_of(const struct plan *plan)
{
    for (size_t i = 0; i < row_count; i++) {
        if (rows[i].set == plan->set && strcmp(rows[i].scenario, plan->scenario) == 0) {
            return &rows[i];
        }
    }
    rows[row_count] = (struct row){.scenario = plan->scenario, .set = plan->set};
    return &rows[row_count++];
}

void coverage_add(const struct plan *plan, bool failed)
{
    struct row *row = row_of(plan);
    row->schedules++;
    row->accesses += (uint64_t)sched_result.steps;
    row->failures += failed;
    for (int i = 0; i < EXECUTE_EVENTS; i++) {
        row->events[i] += execute_events[i];
        row->with[i] += execute_events[i] > 0;
    }
}

static struct row sum_of_rows(void)
{
    struct row sum = {.schedules = 0};
    for (size_t i = 0; i < row_count; i++) {
        sum.schedules += rows[i].schedules;
        sum.accesses += rows[i].accesses;
        sum.failures += rows[i].failures;
        for (int e = 0; e < EXECUTE_EVENTS; e++) {
            sum.events[e] += rows[i].events[e];
            sum.with[e] += rows[i].with[e];
        }
    }
    return sum;
}

uint64_t coverage_schedules(void)
{
    return sum_of_rows().schedules;
}

uint64_t coverage_accesses(void)
{
    return sum_of_rows().accesses;
}

uint64_t coverage_failures(void)
{
    return sum_of_rows().failures;
}

static double share(uint64_t part, uint64_t all)
{
    return all ? (double)part / (double)all : 0;
}

void coverage_print(FILE *file)
{
    struct row sum = sum_of_rows();
    fputs("schedules with", file);
    for (int i = 0; i < EXECUTE_EVENTS; i++) {
        fprintf(file, "%s %s %.1f %%", i ? "," : "", event_names[i],
                100 * share(sum.with[i], sum.schedules));
    }
    fputc('\n', file);
}

static int by_name(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    int order = strcmp(x->scenario, y->scenario);
    return order ? order : (int)x->set - (int)y->set;
}

static void print_row(const char *scenario, const char *set, const struct row *row, FILE *file)
{
    fprintf(file, "%-9s %-7s %10llu %14llu %12llu %9llu\n", scenario, set,
            (unsigned long long)row->schedules, (unsigned long long)row->accesses,
            (unsigned long long)row->events[EXECUTE_PREEMPTIONS],
            (unsigned long long)row->failures);
}

void coverage_print_table(FILE *file)
{
    struct row sum = sum_of_rows();
    qsort(rows, row_count, sizeof *rows, by_name);
    fprintf(file, "%-9s %-7s %10s %14s %12s %9s\n", "scenario", "set", "schedules", "accesses",
            "preemptions", "failures");
    for (size_t i = 0; i < row_count; i++) {
        print_row(rows[i].scenario, plan_set_name(rows[i].set), &rows[i], file);
    }
    print_row("all", "", &sum, file);
}

static json_t *row_json(const struct row *row)
{
    json_t *events = json_object();
    for (int i = 0; i < EXECUTE_EVENTS; i++) {
        json_object_set_new(events, event_names[i],
                            json_pack("{s:I, s:I}", "count", (json_int_t)row->events[i],
                                      "schedules", (json_int_t)row->with[i]));
    }
    return json_pack("{s:I, s:I, s:I, s:o}", "schedules", (json_int_t)row->schedules, "accesses",
                     (json_int_t)row->accesses, "failures", (json_int_t)row->failures, "events",
                     events);
}

int coverage_write_json(FILE *file, uint64_t first_seed, double seconds)
{
    struct row sum = sum_of_rows();
    json_t *list = json_array();
    for (size_t i = 0; i < row_count; i++) {
        json_t *row = row_json(&rows[i]);
        json_object_set_new(row, "scenario", json_string(rows[i].scenario));
        json_object_set_new(row, "set", json_string(plan_set_name(rows[i].set)));
        json_array_append_new(list, row);
    }
    json_t *all = row_json(&sum);
    json_object_set_new(all, "seed", json_integer((json_int_t)first_seed));
    json_object_set_new(all, "seconds", json_real(seconds));
    json_object_set_new(all, "rows", list);
    errno = 0;
    int error =
        json_dumpf(all, file, JSON_INDENT(1)) == 0 && putc('\n', file) != EOF && fflush(file) == 0
            ? 0
        : errno ? -errno
                : -ENOMEM;
    json_decref(all);
    return error;
}

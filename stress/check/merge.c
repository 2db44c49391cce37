// SPDX-License-Identifier: MIT
/*
 * The records in order of their calls.
 *
 * Threads log their own operations in order, and the logs stand one after another: so the records
 * are a few ascending runs, which are merged as they are needed, without memory. What is not like
 * that is sorted.
 */
#include "checker_internal.h"
#include "history_internal.h"

#include <errno.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

int checker__sort_reserve(struct checker *checker, size_t count)
{
    int status = checker__ensure(&checker->sort[0], &checker->sort_capacity[0], count,
                                 sizeof *checker->sort[0]);
    return status != 0 ? status
                       : checker__ensure(&checker->sort[1], &checker->sort_capacity[1], count,
                                         sizeof *checker->sort[1]);
}

/* One pass of the radix sort: stable, by the digit that begins at bit `shift`. */
static void sort_pass(const struct sort_item *from, struct sort_item *to, size_t count,
                      unsigned shift)
{
    size_t starts[DIGITS] = {0};
    for (size_t i = 0; i < count; i++)
        starts[from[i].time >> shift & (DIGITS - 1)]++;
    size_t sum = 0;
    for (size_t digit = 0; digit < DIGITS; digit++) {
        size_t here = starts[digit];
        starts[digit] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++)
        to[starts[from[i].time >> shift & (DIGITS - 1)]++] = from[i];
}

void checker__sort(struct checker *checker, size_t count, uint32_t *order)
{
    struct sort_item *from = checker->sort[0], *to = checker->sort[1];
    uint64_t least = UINT64_MAX, most = 0;
    for (size_t i = 0; i < count; i++) {
        least = from[i].time < least ? from[i].time : least;
        most = from[i].time > most ? from[i].time : most;
    }
    /* The times of a run share their high digits; only the span needs passes. */
    for (size_t i = 0; i < count; i++)
        from[i].time -= least;
    for (unsigned shift = 0; shift < 64 && count > 0 && (most - least) >> shift != 0;
         shift += DIGIT_BITS) {
        sort_pass(from, to, count, shift);
        struct sort_item *swap = from;
        from = to;
        to = swap;
    }
    for (size_t i = 0; i < count; i++)
        order[i] = from[i].number;
}

/* Fills checker->order by sorting. */
static int sort_records(struct checker *checker)
{
    const struct history_record *records = checker->history->records;
    size_t count = checker->history->count;
    int status = checker__sort_reserve(checker, count);
    if (status == 0)
        status = checker__ensure(&checker->order, &checker->order_capacity, count + 1,
                                 sizeof *checker->order);
    if (status != 0)
        return status;
    for (size_t i = 0; i < count; i++)
        checker->sort[0][i] = (struct sort_item){records[i].invoke, (uint32_t)i};
    checker__sort(checker, count, checker->order);
    return 0;
}

/* A heap by time: puts runs[at] where it belongs below. */
static inline void sink(struct checker_merge *merge, size_t at)
{
    struct checker_run *runs = merge->runs, run = runs[at];
    for (size_t child; (child = 2 * at + 1) < merge->run_count; at = child) {
        if (child + 1 < merge->run_count && runs[child + 1].time < runs[child].time)
            child++;
        if (run.time <= runs[child].time)
            break;
        runs[at] = runs[child];
    }
    runs[at] = run;
}

int checker__merge_start(struct checker *checker)
{
    const struct history_record *records = checker->history->records;
    struct checker_merge *merge = &checker->merge;
    size_t count = checker->history->count;
    merge->run_count = merge->next = 0;
    merge->sorted = false;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && records[i - 1].invoke <= records[i].invoke)
            continue;
        if (merge->run_count == CHECKER_RUNS) {
            merge->sorted = true;
            return sort_records(checker);
        }
        if (i > 0)
            merge->runs[merge->run_count - 1].end = (uint32_t)i;
        merge->runs[merge->run_count++] =
            (struct checker_run){.time = records[i].invoke, .at = (uint32_t)i};
    }
    if (count > 0)
        merge->runs[merge->run_count - 1].end = (uint32_t)count;
    for (size_t i = merge->run_count; i-- > 0;)
        sink(merge, i);
    return 0;
}

size_t checker__merge_next(struct checker *checker, uint32_t *numbers, size_t most)
{
    const struct history_record *records = checker->history->records;
    struct checker_merge *merge = &checker->merge;
    size_t taken = 0;
    if (merge->sorted) {
        while (taken < most && merge->next < checker->history->count)
            numbers[taken++] = checker->order[merge->next++];
        return taken;
    }
    while (taken < most && merge->run_count > 0) {
        struct checker_run *first = &merge->runs[0];
        numbers[taken++] = first->at++;
        if (first->at < first->end)
            first->time = records[first->at].invoke;
        else
            *first = merge->runs[--merge->run_count];
        sink(merge, 0);
    }
    return taken;
}

int checker__order_records(struct checker *checker)
{
    int status = checker__merge_start(checker);
    if (status != 0 || checker->merge.sorted)
        return status;
    status = checker__ensure(&checker->order, &checker->order_capacity, checker->history->count + 1,
                             sizeof *checker->order);
    if (status == 0)
        checker__merge_next(checker, checker->order, checker->history->count);
    return status;
}

// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
/* A witness as text. */
#include "witness_view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { BAR_COLUMNS = 48 };

static void print_bar(const struct witness_view *view, const struct history_record *record,
                      FILE *file)
{
    /* Every time has its column as long as there are enough columns. */
    size_t ranks = view->time_count, begin = witness__rank(view, record->invoke);
    size_t end = witness__rank(view, record->ret);
    if (ranks > BAR_COLUMNS) {
        begin = begin * BAR_COLUMNS / ranks;
        end = end * BAR_COLUMNS / ranks;
    }
    size_t columns = ranks > BAR_COLUMNS ? BAR_COLUMNS : ranks;
    for (size_t i = 0; i < columns; i++) {
        char c = ' ';
        if (i == begin)
            c = record->ret != HISTORY_PENDING && begin == end ? '|' : '[';
        else if (i > begin && i < end)
            c = '=';
        else if (i == end)
            c = ']';
        fputc(c, file);
    }
    fputs(record->ret == HISTORY_PENDING ? "..." : "   ", file);
}

static void print_row(const struct witness_view *view, size_t number, FILE *file)
{
    const struct history *history = &view->witness->history;
    const struct history_record *record = &history->records[number];
    uint64_t start = view->times[0];
    fprintf(file, "  %6" PRIu32 " %10" PRIu64 " ", record->thread, record->invoke - start);
    if (record->ret == HISTORY_PENDING)
        fprintf(file, "%10s ", "-");
    else
        fprintf(file, "%10" PRIu64 " ", record->ret - start);
    fputc(' ', file);
    print_bar(view, record, file);
    fputc(' ', file);
    history_print_operation(history, record, WITNESS_SHOWN_KEYS, file);
    fputs(witness__is_failed(view, number) ? "   <== cannot be placed\n" : "\n", file);
}

static void print_heading(const struct witness_view *view, FILE *file)
{
    const struct witness *witness = view->witness;
    const struct history *history = &witness->history;
    struct witness_state initial = {.keys = history->initial, .count = history->initial_count};
    fprintf(file, "%zu of %zu operations show the violation.\n", history->count,
            witness->source_operations);
    fputs("State at the start: ", file);
    witness__print_state(history, &initial, file);
    if (witness->any_start && witness->open_count > 0)
        fprintf(file,
                ". No other state there, and no choice of which of the first %zu had taken effect "
                "before,\nexplains them either.\n",
                witness->open_count);
    else if (witness->any_start)
        fputs(". No other state there explains them either.\n", file);
    else if (witness->from_beginning)
        fputs(", the initial state of the history.\n", file);
    else
        fputs(", which follows from the operations before.\n", file);
}

static void print_step(const struct history *history, const struct history_record *record,
                       FILE *file)
{
    history_print_operation(history, record, WITNESS_SHOWN_KEYS, file);
    fprintf(file, " (thread %" PRIu32 ")", record->thread);
}

/* The order found, and where it ends. */
static int print_order(const struct witness_view *view, FILE *file)
{
    const struct witness *witness = view->witness;
    const struct history *history = &witness->history;
    struct witness_state state;
    int status = witness__state_init(&state, history);
    size_t first =
        witness->trace_count > WITNESS_SHOWN_MOST ? witness->trace_count - WITNESS_SHOWN_MOST : 0;
    fputs("What could be placed, in order, each as late as it may be:\n", file);
    if (first > 0)
        fprintf(file, "  ... %zu operations ...\n", first);
    for (size_t i = 0; status == 0 && i < witness->trace_count; i++) {
        const struct history_record *record = &history->records[witness->trace[i].record];
        status = witness__state_apply(&state, record);
        if (i < first)
            continue;
        fputs("  ", file);
        print_step(history, record, file);
        fputs("  -> ", file);
        witness__print_state(history, &state, file);
        fputc('\n', file);
    }
    if (status == 0 && witness->result.failed_record != CHECKER_NONE) {
        const struct history_record *failed = &history->records[witness->result.failed_record];
        fputs("Then ", file);
        print_step(history, failed, file);
        fprintf(file, " must be placed by %" PRIu64 ", and nothing open allows it in the state ",
                failed->ret - view->times[0]);
        witness__print_state(history, &state, file);
        fputs(".\n", file);
    }
    free(state.keys);
    return status;
}

int witness_print_text(const struct witness *witness, FILE *file)
{
    struct witness_view view;
    int status = witness__view_init(&view, witness);
    if (status != 0)
        return status;
    print_heading(&view, file);
    if (view.time_count > 0) {
        fprintf(file, "Times count from %" PRIu64 ".\n\n", view.times[0]);
        fputs("  thread       call     return\n", file);
        if (witness__hidden(&view) > 0)
            fprintf(file, "  ... %zu operations ...\n", witness__hidden(&view));
        for (size_t i = 0; i < witness->history.count; i++) {
            if (witness__is_shown(&view, i))
                print_row(&view, i, file);
        }
        fputc('\n', file);
        status = print_order(&view, file);
    }
    free(view.times);
    return status != 0 ? status : ferror(file) ? -EIO : 0;
}

// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
/* A witness as text and as an HTML page. Both show time as the order of calls and returns: what
 * matters is who overlaps whom, and real times would crowd it into a corner. */
#include "history_internal.h"
#include "witness.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Bounds of a report. */
enum { SHOWN_MOST = 150, SHOWN_KEYS = 8, BAR_COLUMNS = 48 };

/* What both forms need: the distinct times in order, and which part is shown. */
struct view {
    const struct witness *witness;
    uint64_t *times;
    size_t time_count;
    size_t first; /* records before this one are too many to show */
};

static int compare_times(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static int view_init(struct view *view, const struct witness *witness)
{
    const struct history *history = &witness->history;
    *view = (struct view){.witness = witness};
    view->times = malloc((2 * history->count + 1) * sizeof *view->times);
    if (view->times == NULL)
        return -ENOMEM;
    if (history->count > SHOWN_MOST)
        view->first = history->count - SHOWN_MOST;
    size_t count = 0;
    for (size_t i = view->first; i < history->count; i++) {
        view->times[count++] = history->records[i].invoke;
        if (history->records[i].ret != HISTORY_PENDING)
            view->times[count++] = history->records[i].ret;
    }
    qsort(view->times, count, sizeof *view->times, compare_times);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || view->times[i] != view->times[view->time_count - 1])
            view->times[view->time_count++] = view->times[i];
    }
    return 0;
}

/* The place of a time among all times; what never returned goes on past the last. */
static size_t rank(const struct view *view, uint64_t time)
{
    size_t low = 0, high = view->time_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (view->times[middle] < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_failed(const struct view *view, size_t record)
{
    return view->witness->result.failed_record == record;
}

/* ---- the state as the placed operations lead to it ---- */

struct state {
    uint64_t *keys; /* ascending */
    size_t count, capacity;
};

static int state_init(struct state *state, const struct history *history)
{
    *state = (struct state){0};
    int status = history__grow(&state->keys, &state->capacity, 0, history->initial_count + 1,
                               sizeof(uint64_t));
    if (status == 0 && history->initial_count > 0)
        memcpy(state->keys, history->initial, history->initial_count * sizeof *state->keys);
    state->count = history->initial_count;
    return status;
}

static int state_toggle(struct state *state, uint64_t key)
{
    size_t at = 0;
    while (at < state->count && state->keys[at] < key)
        at++;
    if (at < state->count && state->keys[at] == key) {
        memmove(&state->keys[at], &state->keys[at + 1],
                (--state->count - at) * sizeof *state->keys);
        return 0;
    }
    int status =
        history__grow(&state->keys, &state->capacity, state->count, 1, sizeof *state->keys);
    if (status != 0)
        return status;
    memmove(&state->keys[at + 1], &state->keys[at], (state->count++ - at) * sizeof *state->keys);
    state->keys[at] = key;
    return 0;
}

static int state_apply(struct state *state, const struct history_record *record)
{
    if (record->op == HISTORY_CLEAR || record->op == HISTORY_DRAIN) {
        state->count = 0;
        return 0;
    }
    return history_record_has_key(record) ? state_toggle(state, record->value) : 0;
}

static void print_state(const struct history *history, const struct state *state, FILE *file)
{
    fputc('{', file);
    for (size_t i = 0; i < state->count && i < SHOWN_KEYS; i++) {
        fputs(i > 0 ? "," : "", file);
        history_print_key(history, state->keys[i], file);
    }
    if (state->count > SHOWN_KEYS)
        fprintf(file, ",... %zu keys", state->count);
    fputc('}', file);
}

/* ---- text ---- */

static void print_bar(const struct view *view, const struct history_record *record, FILE *file)
{
    /* Every time has its column as long as there are enough columns. */
    size_t ranks = view->time_count, begin = rank(view, record->invoke);
    size_t end = rank(view, record->ret);
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

static void print_row(const struct view *view, size_t number, FILE *file)
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
    history_print_operation(history, record, SHOWN_KEYS, file);
    fputs(is_failed(view, number) ? "   <== cannot be placed\n" : "\n", file);
}

static void print_heading(const struct view *view, FILE *file)
{
    const struct witness *witness = view->witness;
    const struct history *history = &witness->history;
    struct state initial = {.keys = history->initial, .count = history->initial_count};
    fprintf(file, "%zu of %zu operations show the violation.\n", history->count,
            witness->source_operations);
    fputs("State at the start: ", file);
    print_state(history, &initial, file);
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
    history_print_operation(history, record, SHOWN_KEYS, file);
    fprintf(file, " (thread %" PRIu32 ")", record->thread);
}

/* The order found, and where it ends. */
static int print_order(const struct view *view, FILE *file)
{
    const struct witness *witness = view->witness;
    const struct history *history = &witness->history;
    struct state state;
    int status = state_init(&state, history);
    size_t first = witness->trace_count > SHOWN_MOST ? witness->trace_count - SHOWN_MOST : 0;
    fputs("What could be placed, in order, each as late as it may be:\n", file);
    if (first > 0)
        fprintf(file, "  ... %zu operations ...\n", first);
    for (size_t i = 0; status == 0 && i < witness->trace_count; i++) {
        const struct history_record *record = &history->records[witness->trace[i].record];
        status = state_apply(&state, record);
        if (i < first)
            continue;
        fputs("  ", file);
        print_step(history, record, file);
        fputs("  -> ", file);
        print_state(history, &state, file);
        fputc('\n', file);
    }
    if (status == 0 && witness->result.failed_record != CHECKER_NONE) {
        const struct history_record *failed = &history->records[witness->result.failed_record];
        fputs("Then ", file);
        print_step(history, failed, file);
        fprintf(file, " must be placed by %" PRIu64 ", and nothing open allows it in the state ",
                failed->ret - view->times[0]);
        print_state(history, &state, file);
        fputs(".\n", file);
    }
    free(state.keys);
    return status;
}

int witness_print_text(const struct witness *witness, FILE *file)
{
    struct view view;
    int status = view_init(&view, witness);
    if (status != 0)
        return status;
    print_heading(&view, file);
    if (view.time_count > 0) {
        fprintf(file, "Times count from %" PRIu64 ".\n\n", view.times[0]);
        fputs("  thread       call     return\n", file);
        if (view.first > 0)
            fprintf(file, "  ... %zu operations ...\n", view.first);
        for (size_t i = view.first; i < witness->history.count; i++)
            print_row(&view, i, file);
        fputc('\n', file);
        status = print_order(&view, file);
    }
    free(view.times);
    return status != 0 ? status : ferror(file) ? -EIO : 0;
}

/* ---- HTML ---- */

enum { COLUMN = 26, ROW = 34, LEFT = 90, TOP = 24 };

static void put_escaped(const char *text, size_t length, FILE *file)
{
    for (size_t i = 0; i < length; i++) {
        switch (text[i]) {
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        case '&':
            fputs("&amp;", file);
            break;
        case '"':
            fputs("&quot;", file);
            break;
        default:
            fputc(text[i], file);
        }
    }
}

/* The same words as in the text form, made safe for HTML. */
static int put_text(int (*print)(const struct view *, FILE *), const struct view *view, FILE *file)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL)
        return -ENOMEM;
    int status = print(view, memory);
    if (fclose(memory) != 0 && status == 0)
        status = -ENOMEM;
    if (status == 0)
        put_escaped(text, length, file);
    free(text);
    return status;
}

static int put_operation(const struct view *view, const struct history_record *record, FILE *file)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL)
        return -ENOMEM;
    history_print_operation(&view->witness->history, record, SHOWN_KEYS, memory);
    int status = fclose(memory) == 0 ? 0 : -ENOMEM;
    if (status == 0)
        put_escaped(text, length, file);
    free(text);
    return status;
}

static int heading(const struct view *view, FILE *file)
{
    print_heading(view, file);
    return 0;
}

static int compare_threads(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* The threads of the records shown, ascending. */
static uint32_t *collect_threads(const struct view *view, size_t *count)
{
    const struct history *history = &view->witness->history;
    uint32_t *threads = malloc((history->count - view->first + 1) * sizeof *threads);
    if (threads == NULL)
        return NULL;
    size_t all = 0;
    for (size_t i = view->first; i < history->count; i++)
        threads[all++] = history->records[i].thread;
    qsort(threads, all, sizeof *threads, compare_threads);
    *count = 0;
    for (size_t i = 0; i < all; i++) {
        if (i == 0 || threads[i] != threads[*count - 1])
            threads[(*count)++] = threads[i];
    }
    return threads;
}

static const char *color(const struct view *view, size_t record)
{
    static const char *const colors[HISTORY_OPS] = {"#2a7", "#a62", "#58a", "#a62", "#85a",
                                                    "#933", "#933", "#85a", "#85a"};
    return is_failed(view, record) ? "#e00" : colors[view->witness->history.records[record].op];
}

static int put_box(const struct view *view, size_t number, size_t row, FILE *file)
{
    const struct history_record *record = &view->witness->history.records[number];
    size_t begin = rank(view, record->invoke), end = rank(view, record->ret);
    size_t x = LEFT + begin * COLUMN, width = (end - begin) * COLUMN + COLUMN / 2;
    size_t y = TOP + row * ROW;
    fprintf(file,
            "<g><title>thread %" PRIu32 ", record %zu</title><rect x=\"%zu\" y=\"%zu\" "
            "width=\"%zu\" height=\"%d\" rx=\"4\" fill=\"%s\"%s/><text x=\"%zu\" y=\"%zu\">",
            record->thread, number, x, y, width, ROW - 14, color(view, number),
            record->ret == HISTORY_PENDING ? " fill-opacity=\"0.5\"" : "", x + 3, y + 14);
    int status = put_operation(view, record, file);
    fputs("</text></g>\n", file);
    return status;
}

static int put_svg(const struct view *view, FILE *file)
{
    const struct history *history = &view->witness->history;
    size_t thread_count;
    uint32_t *threads = collect_threads(view, &thread_count);
    if (threads == NULL)
        return -ENOMEM;
    size_t width = LEFT + (view->time_count + 2) * COLUMN + 200, height = TOP + thread_count * ROW;
    fprintf(file,
            "<div class=\"scroll\"><svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" "
            "height=\"%zu\" font-size=\"12\" font-family=\"monospace\">\n",
            width, height);
    for (size_t row = 0; row < thread_count; row++)
        fprintf(file,
                "<text x=\"4\" y=\"%zu\">thread %" PRIu32 "</text><line x1=\"0\" x2=\"%zu\" "
                "y1=\"%zu\" y2=\"%zu\" stroke=\"#ddd\"/>\n",
                TOP + row * ROW + 14, threads[row], width, TOP + row * ROW - 7,
                TOP + row * ROW - 7);
    int status = 0;
    for (size_t i = view->first; status == 0 && i < history->count; i++) {
        const uint32_t *row = bsearch(&history->records[i].thread, threads, thread_count,
                                      sizeof *threads, compare_threads);
        status = put_box(view, i, (size_t)(row - threads), file);
    }
    fputs("</svg></div>\n", file);
    free(threads);
    return status;
}

static int put_table(const struct view *view, FILE *file)
{
    const struct history *history = &view->witness->history;
    fputs("<table><tr><th>record<th>thread<th>operation, key, result<th>call<th>return\n", file);
    int status = 0;
    for (size_t i = view->first; status == 0 && i < history->count; i++) {
        const struct history_record *record = &history->records[i];
        fprintf(file, "<tr%s><td>%zu<td>%" PRIu32 "<td>",
                is_failed(view, i) ? " class=\"failed\"" : "", i, record->thread);
        status = put_operation(view, record, file);
        fprintf(file, "<td>%" PRIu64 "<td>", record->invoke - view->times[0]);
        if (record->ret == HISTORY_PENDING)
            fputs("never\n", file);
        else
            fprintf(file, "%" PRIu64 "\n", record->ret - view->times[0]);
    }
    fputs("</table>\n", file);
    return status;
}

int witness_write_html(const struct witness *witness, FILE *file)
{
    struct view view;
    int status = view_init(&view, witness);
    if (status != 0)
        return status;
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<title>lfset: a history that is not linearizable</title>\n<style>"
          "body{font:15px sans-serif;margin:2em;background:#fff;color:#111}"
          "pre,td{font-family:monospace}.scroll{overflow-x:auto;border:1px solid #ccc}"
          "table{border-collapse:collapse;margin:1em 0}td,th{padding:2px 12px;text-align:left;"
          "border-bottom:1px solid #ddd}.failed{background:#fdd}"
          "svg g text{paint-order:stroke;stroke:#fff;stroke-width:3px}"
          "</style></head><body>\n<h1>Not linearizable</h1>\n<pre>",
          file);
    status = put_text(heading, &view, file);
    fputs("</pre>\n<p>A row per thread; time goes to the right, in the order of calls and returns. "
          "Red: the operation that cannot be placed. Pale: it never returned.</p>\n",
          file);
    if (status == 0 && view.first > 0)
        fprintf(file, "<p>The first %zu operations of the window are left out.</p>\n", view.first);
    if (view.time_count > 0) {
        if (status == 0)
            status = put_svg(&view, file);
        if (status == 0)
            status = put_table(&view, file);
        fputs("<pre>", file);
        if (status == 0)
            status = put_text(print_order, &view, file);
        fputs("</pre>\n", file);
    }
    fputs("</body></html>\n", file);
    free(view.times);
    return status != 0 ? status : ferror(file) ? -EIO : 0;
}

// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
/*
 * A witness as a page: a row per thread, a bar per operation, the state along the top as the operations
 * that could be placed lead from one to the next, and in red the one that could not. It needs nothing
 * from elsewhere, and its size is bounded: by the number of operations shown and the length of a text.
 */
#include "witness_view.h"

#include <errno.h>
#include <stdlib.h>

/* The drawing's own units; a page scales it to its width. */
enum { WIDTH = 1200, LEFT = 92, RIGHT = 16, STATE_TOP = 22, STATE_HEIGHT = 26, ROWS_TOP = 74 };
enum { ROW = 44, BAR = 28, LETTER = 7 };
/* Bytes of one text at most. */
enum { TEXT_MOST = 200 };

/* A distinct time has a column: calls at its left, returns at its right, and in between the operations
 * that take effect then. */
struct column {
    double left, width;
    size_t steps, placed;
};

struct page {
    const struct witness_view *view;
    FILE *file;
    struct column *columns; /* one more than times: what never returned goes on */
    uint32_t *threads;      /* of the records shown, ascending */
    size_t thread_count;
    double *begin, *end; /* of the records: where their bars are */
    double *step_x;      /* of the trace */
    size_t first_step;   /* steps before this one are too many to show */
    int status;
};

static const struct history *history_of(const struct page *page)
{
    return &page->view->witness->history;
}

/* ---- text made safe ---- */

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

enum text_kind { TEXT_OPERATION, TEXT_STATE };

static void print_operation(const struct history *history, const struct history_record *record,
                            FILE *file)
{
    bool sets = record->op == HISTORY_SNAPSHOT || record->op == HISTORY_DRAIN;
    fputs(history_op_name((enum history_op)record->op), file);
    if (history_record_has_key(record)) {
        fputc(' ', file);
        history_print_key(history, record->value, file);
    }
    fputs(" → ", file);
    if (record->ret == HISTORY_PENDING) {
        fputc('?', file);
    } else if (sets) {
        const struct history_set *set = &history->sets[record->value];
        struct witness_state state = {.keys = history->set_keys + set->first, .count = set->count};
        witness__print_state(history, &state, file);
    } else if (record->op == HISTORY_SIZE || history_record_counts(record)) {
        fprintf(file, "%" PRIu64, record->value);
    } else if (record->op == HISTORY_CLEAR) {
        fputs("done", file);
    } else {
        fprintf(file, "%d", record->result);
    }
}

/* Writes the operation, or the state, in at most `most` letters; nothing where not even a few fit. */
static void put_text(struct page *page, enum text_kind kind, const void *what, size_t most)
{
    char *text = NULL;
    size_t length = 0;
    FILE *memory = open_memstream(&text, &length);
    if (memory == NULL) {
        page->status = -ENOMEM;
        return;
    }
    if (kind == TEXT_OPERATION)
        print_operation(history_of(page), what, memory);
    else
        witness__print_state(history_of(page), what, memory);
    if (fclose(memory) != 0) {
        page->status = -ENOMEM;
    } else {
        /* only the arrow has more than one byte, three */
        size_t letters = 0, at = 0, room = most < TEXT_MOST ? most : TEXT_MOST, cut = 0;
        for (; at < length; at++) {
            if (((unsigned char)text[at] & 0xc0) == 0x80)
                continue;
            cut = ++letters <= room - (room > 0) ? at : cut;
        }
        if (letters <= room) {
            put_escaped(text, length, page->file);
        } else if (room >= 4) {
            put_escaped(text, cut, page->file);
            fputs("…", page->file);
        }
    }
    free(text);
}

static void put_operation(struct page *page, size_t record, size_t most)
{
    put_text(page, TEXT_OPERATION, &history_of(page)->records[record], most);
}

/* ---- where things are ---- */

static int compare_threads(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static void collect_threads(struct page *page)
{
    const struct history *history = history_of(page);
    size_t all = 0;
    for (size_t i = 0; i < history->count; i++) {
        if (witness__is_shown(page->view, i))
            page->threads[all++] = history->records[i].thread;
    }
    qsort(page->threads, all, sizeof *page->threads, compare_threads);
    for (size_t i = 0; i < all; i++) {
        if (i == 0 || page->threads[i] != page->threads[page->thread_count - 1])
            page->threads[page->thread_count++] = page->threads[i];
    }
}

/* A column with steps is wider: the state has to be told there. */
static void lay_columns(struct page *page)
{
    const struct witness *witness = page->view->witness;
    size_t columns = page->view->time_count + 1;
    double weight = 0, left = LEFT;
    for (size_t i = page->first_step; i < witness->trace_count; i++)
        page->columns[witness__rank(page->view, witness->trace[i].time)].steps++;
    for (size_t i = 0; i < columns; i++)
        weight += 1 + 1.2 * (double)page->columns[i].steps;
    for (size_t i = 0; i < columns; i++) {
        page->columns[i].left = left;
        page->columns[i].width =
            (WIDTH - LEFT - RIGHT) * (1 + 1.2 * (double)page->columns[i].steps) / weight;
        left += page->columns[i].width;
    }
    for (size_t i = page->first_step; i < witness->trace_count; i++) {
        struct column *column = &page->columns[witness__rank(page->view, witness->trace[i].time)];
        page->step_x[i] = column->left + column->width * (0.3 + 0.4 * (double)++column->placed /
                                                                    (double)(column->steps + 1));
    }
}

static double in_column(const struct page *page, uint64_t time, double share)
{
    const struct column *column = &page->columns[witness__rank(page->view, time)];
    return column->left + share * column->width;
}

/* Where the bars of one thread are: they may touch in time, but must not in the picture. */
static void lay_thread(struct page *page, uint32_t thread)
{
    const struct history *history = history_of(page);
    double before = 0;
    size_t previous = SIZE_MAX;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_record *record = &history->records[i];
        if (record->thread != thread || !witness__is_shown(page->view, i))
            continue;
        bool pending = record->ret == HISTORY_PENDING;
        double begin = in_column(page, record->invoke, 0.12);
        double end = pending ? WIDTH - RIGHT : in_column(page, record->ret, 0.88);
        if (previous != SIZE_MAX && begin <= before) {
            /* Called at the very time of the return before: they share what is left of the column. */
            double left = in_column(page, record->invoke, 0);
            left = page->begin[previous] > left ? page->begin[previous] : left;
            page->end[previous] = left + 0.45 * (before - left);
            begin = left + 0.55 * (before - left);
        }
        page->begin[i] = begin;
        page->end[i] = end;
        before = end;
        previous = i;
    }
}

static int page_init(struct page *page, const struct witness_view *view, FILE *file)
{
    const struct witness *witness = view->witness;
    size_t records = witness->history.count + 1;
    *page = (struct page){.view = view, .file = file};
    page->columns = calloc(view->time_count + 1, sizeof *page->columns);
    page->threads = malloc(records * sizeof *page->threads);
    page->begin = calloc(records, sizeof *page->begin);
    page->end = calloc(records, sizeof *page->end);
    page->step_x = calloc(witness->trace_count + 1, sizeof *page->step_x);
    if (page->columns == NULL || page->threads == NULL || page->begin == NULL ||
        page->end == NULL || page->step_x == NULL)
        return -ENOMEM;
    /* What took effect of the operations that are not shown is only part of the state. */
    while (page->first_step < witness->trace_count &&
           (witness->trace_count - page->first_step > WITNESS_SHOWN_MOST ||
            witness->trace[page->first_step].record < view->first))
        page->first_step++;
    collect_threads(page);
    lay_columns(page);
    for (size_t i = 0; i < page->thread_count; i++)
        lay_thread(page, page->threads[i]);
    return 0;
}

static void page_free(struct page *page)
{
    free(page->columns);
    free(page->threads);
    free(page->begin);
    free(page->end);
    free(page->step_x);
}

static size_t row_of(const struct page *page, uint32_t thread)
{
    const uint32_t *found =
        bsearch(&thread, page->threads, page->thread_count, sizeof *page->threads, compare_threads);
    return (size_t)(found - page->threads);
}

/* ---- the drawing ---- */

static size_t letters_in(double width)
{
    return width > LETTER ? (size_t)((width - 4) / LETTER) : 0;
}

static const char *kind_of(const struct history_record *record)
{
    static const char *const kinds[HISTORY_OPS] = {"add",   "remove", "read",  "remove", "whole",
                                                   "empty", "empty",  "whole", "whole"};
    return kinds[record->op];
}

static void put_rows(struct page *page, double height)
{
    for (size_t row = 0; row < page->thread_count; row++) {
        double y = ROWS_TOP + (double)row * ROW;
        fprintf(page->file,
                "<rect class=\"row%s\" x=\"0\" y=\"%.0f\" width=\"%d\" height=\"%d\"/>"
                "<text class=\"name\" x=\"10\" y=\"%.0f\">thread %" PRIu32 "</text>\n",
                row % 2 ? " odd" : "", y, WIDTH, ROW, y + ROW / 2.0 + 5, page->threads[row]);
    }
    fprintf(page->file,
            "<text class=\"name\" x=\"10\" y=\"%d\">the set</text><text class=\"time\" x=\"%d\" "
            "y=\"%.0f\">time →</text>\n",
            STATE_TOP + 18, LEFT, height - 8);
}

static void put_bar(struct page *page, size_t number)
{
    const struct history_record *record = &history_of(page)->records[number];
    bool failed = witness__is_failed(page->view, number);
    double x = page->begin[number], width = page->end[number] - x;
    double y = ROWS_TOP + (double)row_of(page, record->thread) * ROW + (ROW - BAR) / 2.0;
    fprintf(page->file, "<g class=\"op %s%s%s\"><title>thread %" PRIu32 ": ", kind_of(record),
            record->ret == HISTORY_PENDING ? " pending" : "", failed ? " failed" : "",
            record->thread);
    put_operation(page, number, TEXT_MOST);
    fprintf(page->file, "\ncalled at %" PRIu64, record->invoke - page->view->times[0]);
    if (record->ret == HISTORY_PENDING)
        fputs(", never returned", page->file);
    else
        fprintf(page->file, ", returned at %" PRIu64, record->ret - page->view->times[0]);
    fprintf(page->file,
            "%s</title><rect class=\"bar\" x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%d\" "
            "rx=\"%.1f\"/><text x=\"%.2f\" y=\"%.1f\">",
            failed ? "\ncannot be placed" : "", x, y, width, BAR, width > 12 ? 5 : width / 3,
            x + width / 2, y + BAR / 2.0 + 4.5);
    put_operation(page, number, letters_in(width));
    fputs("</text></g>\n", page->file);
}

/* Where an operation takes effect: the line up to the state that it leads to, or the dot on the bar. */
static void put_step(struct page *page, size_t step, bool dot)
{
    const struct history *history = history_of(page);
    size_t record = page->view->witness->trace[step].record;
    if (!witness__is_shown(page->view, record))
        return;
    double x = page->step_x[step], on_bar = x;
    double y = ROWS_TOP + (double)row_of(page, history->records[record].thread) * ROW + 8;
    if (on_bar < page->begin[record])
        on_bar = page->begin[record];
    if (on_bar > page->end[record])
        on_bar = page->end[record];
    if (dot)
        fprintf(page->file, "<circle class=\"step\" cx=\"%.2f\" cy=\"%.1f\" r=\"4\"/>\n", on_bar,
                y);
    else
        fprintf(page->file, "<path class=\"step\" d=\"M%.2f %dL%.2f %.1f\"/>\n", x,
                STATE_TOP + STATE_HEIGHT, on_bar, y);
}

static void put_state(struct page *page, const struct witness_state *state, double from, double to,
                      bool last)
{
    double width = to - from > 3 ? to - from - 2 : 1;
    fprintf(page->file, "<g class=\"state%s\"><title>the set holds ", last ? " last" : "");
    put_text(page, TEXT_STATE, state, TEXT_MOST);
    fprintf(page->file,
            "</title><rect x=\"%.2f\" y=\"%d\" width=\"%.2f\" height=\"%d\" rx=\"4\"/>"
            "<text x=\"%.2f\" y=\"%d\">",
            from, STATE_TOP, width, STATE_HEIGHT, from + width / 2, STATE_TOP + 18);
    put_text(page, TEXT_STATE, state, letters_in(width));
    fputs("</text></g>\n", page->file);
}

/* Where the last state ends: at the deadline that is missed. */
static double deadline_x(const struct page *page)
{
    size_t failed = page->view->witness->result.failed_record;
    return failed < history_of(page)->count ? page->end[failed] : WIDTH - RIGHT;
}

static void put_states(struct page *page)
{
    const struct witness *witness = page->view->witness;
    struct witness_state state;
    double from = LEFT;
    page->status = witness__state_init(&state, &witness->history);
    for (size_t i = 0; page->status == 0 && i < witness->trace_count; i++) {
        if (i >= page->first_step) {
            put_state(page, &state, from, page->step_x[i], false);
            from = page->step_x[i];
        }
        page->status =
            witness__state_apply(&state, &witness->history.records[witness->trace[i].record]);
    }
    double to = deadline_x(page);
    if (page->status == 0)
        put_state(page, &state, from, to > from ? to : from, true);
    free(state.keys);
}

static void put_drawing(struct page *page)
{
    const struct witness *witness = page->view->witness;
    size_t failed = witness->result.failed_record;
    double height = ROWS_TOP + (double)page->thread_count * ROW + 26, x = deadline_x(page);
    fprintf(page->file,
            "<svg viewBox=\"0 0 %d %.0f\" role=\"img\" aria-label=\"the operations in time\">\n"
            "<defs><linearGradient id=\"fade\"><stop offset=\"0.6\" stop-color=\"#fff\"/>"
            "<stop offset=\"1\" stop-color=\"#fff\" stop-opacity=\"0.15\"/></linearGradient>"
            "<mask id=\"open\" maskContentUnits=\"objectBoundingBox\">"
            "<rect width=\"1\" height=\"1\" fill=\"url(#fade)\"/></mask></defs>\n",
            WIDTH, height);
    put_rows(page, height);
    for (size_t i = page->first_step; i < witness->trace_count; i++)
        put_step(page, i, false);
    for (size_t i = 0; i < witness->history.count; i++) {
        if (witness__is_shown(page->view, i))
            put_bar(page, i);
    }
    for (size_t i = page->first_step; i < witness->trace_count; i++)
        put_step(page, i, true);
    put_states(page);
    if (failed < witness->history.count)
        fprintf(page->file,
                "<path class=\"deadline\" d=\"M%.2f %dV%.0f\"/><text class=\"deadline\" x=\"%.2f\" "
                "y=\"14\">%s</text>\n",
                x, STATE_TOP - 4, height - 26, x > WIDTH - 200 ? (double)WIDTH - RIGHT : x + 155,
                "too late from here on");
    fputs("</svg>\n", page->file);
}

/* ---- the rest of the page ---- */

static void put_style(FILE *file)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
          "<meta name=\"viewport\" content=\"width=device-width\">"
          "<title>Not linearizable</title>\n<style>\n"
          ":root{color-scheme:light dark;--page:#fff;--ink:#1c2430;--soft:#5c6675;--row:#f5f7fa;"
          "--line:#d9dee6;--state:#e6ebf2;--add:#0b7a5c;--remove:#9a5b00;--read:#2f62c4;"
          "--whole:#7447b5;--bad:#c8102e;--badink:#b00c26;--badpage:#fdecef}\n"
          "@media(prefers-color-scheme:dark){:root{--page:#12161c;--ink:#e6eaf0;--soft:#9aa5b4;"
          "--row:#1a2029;--line:#343d4a;--state:#2a3340;--add:#17805f;--remove:#a3660b;"
          "--read:#3b6fd0;--whole:#8257c2;--bad:#dc2038;--badink:#ff8593;--badpage:#3a1820}}\n"
          "body{font:16px/1.5 system-ui,sans-serif;max-width:1240px;margin:0 auto;padding:1.5em;"
          "background:var(--page);color:var(--ink)}\n"
          "h1{margin:0 0 .3em;font-size:1.7em}h2{font-size:1.15em;margin:1.6em 0 .4em}\n"
          ".verdict{border-left:5px solid var(--bad);background:var(--badpage);padding:.6em 1em;"
          "margin:0 0 1em;font-size:1.05em}\n"
          "code,td{font:14px ui-monospace,monospace;overflow-wrap:anywhere}"
          ".bad{color:var(--badink);font-weight:600}\n"
          "svg{display:block;box-sizing:border-box;width:100%;height:auto;border:1px solid "
          "var(--line);"
          "border-radius:8px}\n"
          "svg text{font:12px ui-monospace,monospace;fill:var(--ink)}\n"
          ".row{fill:var(--page)}.row.odd{fill:var(--row)}.name,.time{font-weight:600}"
          ".time{fill:var(--soft)!important}\n"
          ".op text{fill:#fff!important;text-anchor:middle;font-size:11.5px;"
          "pointer-events:none}\n"
          ".add{--c:var(--add)}.remove,.empty{--c:var(--remove)}.read{--c:var(--read)}"
          ".whole{--c:var(--whole)}.failed{--c:var(--bad)}.bar{fill:var(--c)}\n"
          ".pending .bar{mask:url(#open)}.failed .bar{stroke:var(--ink);stroke-width:2}\n"
          ".state rect{fill:var(--state)}.state text{text-anchor:middle}"
          ".state.last rect{stroke:var(--bad);stroke-width:1.5}\n"
          "path.step{stroke:var(--soft);stroke-dasharray:3 3;fill:none}"
          "circle.step{fill:var(--page);stroke:var(--ink);stroke-width:1.5}\n"
          "path.deadline{stroke:var(--bad);stroke-width:1.5;stroke-dasharray:6 3}"
          "text.deadline{fill:var(--badink)!important;text-anchor:end}\n"
          ".legend{display:flex;flex-wrap:wrap;gap:.3em 1.4em;list-style:none;padding:0;"
          "margin:.8em 0;color:var(--soft);font-size:.92em}\n"
          ".legend i{display:inline-block;width:1.5em;height:.85em;border-radius:3px;"
          "margin-right:.45em;background:var(--c);vertical-align:-.05em}\n"
          ".dot{width:.6em!important;height:.6em!important;border-radius:50%!important;"
          "background:var(--page)!important;border:1.5px solid var(--ink)}\n"
          ".fade{background:linear-gradient(90deg,var(--soft) 40%,transparent)!important}\n"
          "table{border-collapse:collapse;margin:.6em 0}td,th{padding:.15em .9em;text-align:left;"
          "border-bottom:1px solid var(--line)}tr.failed td{background:var(--badpage)}\n"
          "summary{cursor:pointer}\n"
          "</style></head><body>\n<h1>Not linearizable</h1>\n",
          file);
}

/* One sentence: what is wrong. */
static void put_verdict(struct page *page)
{
    size_t failed = page->view->witness->result.failed_record;
    fputs("<p class=\"verdict\">No order of these operations, each taking effect at one instant "
          "between its call and its return, explains every answer",
          page->file);
    if (failed < history_of(page)->count) {
        fputs(": <code class=\"bad\">", page->file);
        put_operation(page, failed, TEXT_MOST);
        fprintf(page->file, "</code> of thread %" PRIu32 " has no place",
                history_of(page)->records[failed].thread);
    }
    fputs(".</p>\n", page->file);
}

static void put_introduction(struct page *page)
{
    const struct witness *witness = page->view->witness;
    struct witness_state initial = {.keys = witness->history.initial,
                                    .count = witness->history.initial_count};
    fprintf(
        page->file,
        "<p>Of %zu operations, %zu show it. A row is a thread, a bar an operation from its call to "
        "its return; what is above one another ran at the same time. Along the top is what the set "
        "holds, first <code>",
        witness->source_operations, witness->history.count);
    put_text(page, TEXT_STATE, &initial, TEXT_MOST);
    fputs("</code>", page->file);
    if (witness->any_start && witness->open_count > 0)
        fputs(" (no other state there, and no choice of which of the operations already open had "
              "taken effect before, explains them either)",
              page->file);
    else if (witness->any_start)
        fputs(" (no other state there explains them either)", page->file);
    else if (witness->from_beginning)
        fputs(", the initial state", page->file);
    else
        fputs(", which follows from the operations before", page->file);
    fputs("; a dot is the latest instant at which its operation can take effect and change it. "
          "<strong>Look at the red bar:</strong> up to its end the set is as the field outlined in "
          "red "
          "says, and nothing that is still open makes its answer right.</p>\n",
          page->file);
    if (witness__hidden(page->view) > 0)
        fprintf(
            page->file,
            "<p><strong>%zu of these operations, the first to be called, are left out below, to "
            "keep the page small.</strong></p>\n",
            witness__hidden(page->view));
}

static void put_legend(FILE *file)
{
    fputs(
        "<ul class=\"legend\"><li class=\"failed\"><i></i>cannot be placed<li class=\"add\"><i></i>"
        "add<li class=\"remove\"><i></i>remove, pop, clear, drain<li class=\"read\"><i></i>contains"
        "<li class=\"whole\"><i></i>snapshot, size, is_empty<li><i class=\"fade\"></i>never "
        "returned"
        "<li><i class=\"dot\"></i>takes effect<li>→ 1 yes, it did or is so; → 0 no</ul>\n",
        file);
}

/* The order found, and where it ends. */
static void put_order(struct page *page)
{
    const struct witness *witness = page->view->witness;
    const struct history *history = history_of(page);
    struct witness_state state;
    fputs("<h2>The order, as far as there is one</h2>\n", page->file);
    if (page->first_step > 0)
        fprintf(page->file, "<p>After %zu operations that are not shown:</p>\n", page->first_step);
    fprintf(page->file, "<ol start=\"%zu\">\n", page->first_step + 1);
    page->status = witness__state_init(&state, history);
    for (size_t i = 0; page->status == 0 && i < witness->trace_count; i++) {
        size_t record = witness->trace[i].record;
        page->status = witness__state_apply(&state, &history->records[record]);
        if (i < page->first_step || page->status != 0)
            continue;
        fputs("<li><code>", page->file);
        put_operation(page, record, TEXT_MOST);
        fprintf(page->file, "</code> (thread %" PRIu32 "), then the set holds <code>",
                history->records[record].thread);
        put_text(page, TEXT_STATE, &state, TEXT_MOST);
        fputs("</code>\n", page->file);
    }
    if (page->status == 0 && witness->result.failed_record < history->count) {
        size_t failed = witness->result.failed_record;
        fputs("<li><code class=\"bad\">", page->file);
        put_operation(page, failed, TEXT_MOST);
        fprintf(page->file,
                "</code> (thread %" PRIu32 ") must take effect by %" PRIu64
                ", when it returned. In the state <code>",
                history->records[failed].thread,
                history->records[failed].ret - page->view->times[0]);
        put_text(page, TEXT_STATE, &state, TEXT_MOST);
        fputs("</code> it cannot, and no open operation leads to one in which it could.\n",
              page->file);
    }
    fputs("</ol>\n", page->file);
    free(state.keys);
}

static void put_table(struct page *page)
{
    const struct history *history = history_of(page);
    fprintf(page->file,
            "<details><summary>All operations shown, with their times (from %" PRIu64
            ")</summary>\n<table><tr><th>thread<th>operation<th>call<th>return\n",
            page->view->times[0]);
    for (size_t i = 0; i < history->count; i++) {
        const struct history_record *record = &history->records[i];
        if (!witness__is_shown(page->view, i))
            continue;
        fprintf(page->file, "<tr%s><td>%" PRIu32 "<td>",
                witness__is_failed(page->view, i) ? " class=\"failed\"" : "", record->thread);
        put_operation(page, i, TEXT_MOST);
        fprintf(page->file, "<td>%" PRIu64 "<td>", record->invoke - page->view->times[0]);
        if (record->ret == HISTORY_PENDING)
            fputs("never\n", page->file);
        else
            fprintf(page->file, "%" PRIu64 "\n", record->ret - page->view->times[0]);
    }
    fputs("</table></details>\n", page->file);
}

int witness_write_html(const struct witness *witness, FILE *file)
{
    struct witness_view view;
    struct page page = {0};
    int status = witness__view_init(&view, witness);
    if (status == 0)
        status = page_init(&page, &view, file);
    if (status == 0) {
        put_style(file);
        put_verdict(&page);
        put_introduction(&page);
        if (view.time_count > 0) {
            put_legend(file);
            put_drawing(&page);
            if (page.status == 0)
                put_order(&page);
            put_table(&page);
        }
        fputs("</body></html>\n", file);
        status = page.status;
    }
    page_free(&page);
    free(view.times);
    return status != 0 ? status : ferror(file) ? -EIO : 0;
}

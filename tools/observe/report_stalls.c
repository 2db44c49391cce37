// SPDX-License-Identifier: MIT
// Readers that stay: a row for each thread, a bar for each time that it stayed in one section.
#define _GNU_SOURCE
#include "report.h"

#include "show.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

enum { WIDTH = 1200, LEFT = 170, RIGHT = 20, ROW = 30, BAR = 20, ROWS_MOST = 40, AXIS = 24 };

struct bar {
    int tid;
    char name[32];
    double from, to; // seconds, of CLOCK_MONOTONIC
    bool stalled;    // reported by the watcher
    const char *text;
};

struct timeline {
    struct bar *bars;
    size_t count;
    double begin, end;
};

static double monotonic(const struct report *report, uint64_t realtime_ns)
{
    return (double)(int64_t)(realtime_ns - report->now->realtime_minus_ns) * 1e-9;
}

// When the stall that event `index` tells of was over.
static double stall_end(const struct report *report, size_t index)
{
    const struct lfset_event *begin = &report->now->events[index];
    for (size_t i = index + 1; i < report->now->event_count; i++) {
        const struct lfset_event *event = &report->now->events[i];
        if (event->kind == LFSET_EVENT_STALL_END && event->tid == begin->tid)
            return monotonic(report, event->time_ns);
    }
    for (size_t i = 0; i < report->now->thread_count; i++)
        if (report->now->threads[i].tid == begin->tid && report->now->threads[i].stalled)
            return (double)target_moment(report->now) * 1e-9;
    return monotonic(report, begin->time_ns);
}

static void add_stalls(const struct report *report, struct timeline *timeline)
{
    for (size_t i = 0; i < report->now->event_count; i++) {
        const struct lfset_event *event = &report->now->events[i];
        if (event->kind != LFSET_EVENT_STALL)
            continue;
        struct bar *bar = &timeline->bars[timeline->count++];
        *bar = (struct bar){.tid = event->tid,
                            .from = monotonic(report, event->time_ns) - event->seconds,
                            .to = stall_end(report, i),
                            .stalled = true,
                            .text = event->text};
        snprintf(bar->name, sizeof bar->name, "%s", event->thread);
    }
}

// What was seen from outside, and not reported by a watcher.
static void add_stays(const struct report *report, struct timeline *timeline)
{
    size_t reported = timeline->count;
    for (size_t i = 0; i < report->stay_count; i++) {
        const struct stay *stay = &report->stays[i];
        double from = (double)stay->from_ns * 1e-9, to = (double)stay->to_ns * 1e-9;
        bool is_known = stay->to_ns <= stay->from_ns;
        for (size_t k = 0; k < reported; k++)
            is_known |= timeline->bars[k].tid == stay->tid && timeline->bars[k].from <= to &&
                        timeline->bars[k].to >= from;
        if (is_known)
            continue;
        struct bar *bar = &timeline->bars[timeline->count++];
        *bar = (struct bar){.tid = stay->tid, .from = from, .to = to, .text = "seen from outside"};
        snprintf(bar->name, sizeof bar->name, "%s", stay->name);
    }
}

static int compare_bars(const void *left, const void *right)
{
    const struct bar *a = left, *b = right;
    if (a->tid != b->tid)
        return a->tid < b->tid ? -1 : 1;
    return (a->from > b->from) - (a->from < b->from);
}

static double place(const struct timeline *timeline, double seconds)
{
    double span = timeline->end - timeline->begin;
    return LEFT + (seconds - timeline->begin) / (span > 0 ? span : 1) * (WIDTH - LEFT - RIGHT);
}

static void put_bar(const struct timeline *timeline, const struct bar *bar, int row, FILE *out)
{
    double x = place(timeline, bar->from), width = place(timeline, bar->to) - x;
    fprintf(out, "<g class=\"%s\"><title>", bar->stalled ? "stall" : "stay");
    html_text(bar->text, out);
    fprintf(out,
            "\n%s in one section</title><rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" "
            "rx=\"4\"/><text x=\"%.1f\" y=\"%d\">",
            show_seconds(bar->to - bar->from).text, x, row * ROW + (ROW - BAR) / 2,
            width > 3 ? width : 3, BAR, x + 6, row * ROW + 20);
    html_cut(show_seconds(bar->to - bar->from).text, width > 30 ? (size_t)(width / 7) : 0, out);
    fputs("</text></g>\n", out);
}

static void put_timeline(const struct timeline *timeline, FILE *out)
{
    int rows = 0, row = -1;
    for (size_t i = 0; i < timeline->count; i++)
        rows += i == 0 || timeline->bars[i].tid != timeline->bars[i - 1].tid;
    rows = rows > ROWS_MOST ? ROWS_MOST : rows;
    fprintf(
        out,
        "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"readers that stay, over time\">\n",
        WIDTH, rows * ROW + AXIS);
    for (size_t i = 0; i < timeline->count; i++) {
        const struct bar *bar = &timeline->bars[i];
        if (i == 0 || bar->tid != timeline->bars[i - 1].tid) {
            if (++row == rows)
                break;
            fprintf(out,
                    "<rect class=\"lane\" x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\"/>"
                    "<text class=\"name\" x=\"6\" y=\"%d\">",
                    row * ROW + 1, WIDTH, ROW - 2, row * ROW + 20);
            char name[64];
            snprintf(name, sizeof name, "%s %d", bar->name, bar->tid);
            html_cut(name, (LEFT - 10) / 7, out);
            fputs("</text>\n", out);
        }
        put_bar(timeline, bar, row, out);
    }
    for (int part = 0; part <= 4; part++) {
        double seconds = timeline->begin + (timeline->end - timeline->begin) * part / 4;
        fprintf(out, "<text class=\"tic\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">",
                place(timeline, seconds), rows * ROW + 17, part == 4 ? "end" : "middle");
        if (part == 4)
            fputs("now", out);
        else
            fprintf(out, "%s ago", show_seconds(timeline->end - seconds).text);
        fputs("</text>\n", out);
    }
    fputs("</svg>\n", out);
}

int report_stalls(const struct report *report, FILE *out)
{
    struct timeline timeline = {
        .bars = calloc(report->now->event_count + report->stay_count + 1, sizeof(struct bar)),
        .end = (double)target_moment(report->now) * 1e-9,
    };
    if (!timeline.bars)
        return -1;
    timeline.begin =
        report->moment_count ? (double)report->moments[0].time_ns * 1e-9 : timeline.end;
    add_stalls(report, &timeline);
    add_stays(report, &timeline);
    for (size_t i = 0; i < timeline.count; i++) {
        if (timeline.bars[i].from < timeline.begin)
            timeline.begin = timeline.bars[i].from;
        if (timeline.bars[i].to > timeline.end)
            timeline.bars[i].to = timeline.end;
    }
    qsort(timeline.bars, timeline.count, sizeof *timeline.bars, compare_bars);
    if (timeline.count == 0)
        fputs("<p class=\"good\">None: no thread stayed in one section from one look to the "
              "next.</p>\n",
              out);
    else
        put_timeline(&timeline, out);
    free(timeline.bars);
    return 0;
}

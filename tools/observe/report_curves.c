// SPDX-License-Identifier: MIT
// How sets grow, and how much is not freed, over time.
#define _GNU_SOURCE
#include "report.h"

#include "show.h"
#include "target.h"

#include <math.h>
#include <stdlib.h>

enum { DRAWN_MOST = 24, WIDTH = 380, HEIGHT = 150, LEFT = 52, RIGHT = 10, TOP = 10, BOTTOM = 22 };

// From times and values to places in a drawing.
struct axes {
    int width, height;
    double begin, end; // seconds
    double high;       // the lowest is 0
};

static double place_x(const struct axes *axes, double seconds)
{
    double share =
        axes->end > axes->begin ? (seconds - axes->begin) / (axes->end - axes->begin) : 1;
    return LEFT + share * (axes->width - LEFT - RIGHT);
}

static double place_y(const struct axes *axes, double value)
{
    return axes->height - BOTTOM - value / axes->high * (axes->height - BOTTOM - TOP);
}

static double seconds_of(uint64_t time_ns)
{
    return (double)time_ns * 1e-9;
}

// A number that is easy to read, and not less.
static double round_up(double value)
{
    double power = pow(10, floor(log10(value > 1 ? value : 1)));
    for (double factor = 1; factor <= 10; factor += factor < 2 ? 0.25 : factor < 4 ? 0.5 : 1)
        if (factor * power >= value)
            return factor * power;
    return 10 * power;
}

// The same in powers of two, and halfway between.
static double round_up_bytes(double value)
{
    double power = exp2(floor(log2(value > 1 ? value : 1)));
    return value <= power ? power : value <= 1.5 * power ? 1.5 * power : 2 * power;
}

static void put_axes(const struct axes *axes, struct shown (*shown)(uint64_t), double now,
                     FILE *out)
{
    for (int part = 0; part <= 2; part++) {
        double value = axes->high * part / 2, y = place_y(axes, value);
        fprintf(
            out,
            "<line class=\"grid\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/><text class=\"tic\" "
            "x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n",
            LEFT, y, axes->width - RIGHT, y, LEFT - 5, y + 4, shown((uint64_t)value).text);
    }
    fprintf(out, "<text class=\"tic\" x=\"%d\" y=\"%d\">%s ago</text>", LEFT, axes->height - 6,
            show_seconds(now - axes->begin).text);
    double x = place_x(axes, now);
    fprintf(out, "<text class=\"tic\" x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">now</text>\n", x,
            axes->height - 6, x > axes->width - 40 ? "end" : "middle");
}

static void put_points(const struct axes *axes, const char *kind, const struct point *points,
                       size_t count, bool bytes, FILE *out)
{
    fprintf(out, "<path class=\"%s\" d=\"", kind);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s%.1f,%.1f", i ? "L" : "M", place_x(axes, seconds_of(points[i].time_ns)),
                place_y(axes, bytes ? points[i].bytes : points[i].keys));
    fputs("\"/>\n", out);
}

// ---------------------------------------------------------------- a set

// What the set is told to stay below, if that is near enough to be in the picture.
static void put_limit(const struct axes *axes, double limit, FILE *out)
{
    if (limit <= 0 || limit > axes->high)
        return;
    double y = place_y(axes, limit);
    fprintf(
        out,
        "<line class=\"limit\" x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\"/><text class=\"limit\" "
        "x=\"%d\" y=\"%.1f\">limit</text>\n",
        LEFT, y, axes->width - RIGHT, y, LEFT + 4, y - 4);
}

static bool is_forecast(const struct lfset_set_seen *set)
{
    return set->confidence > 0 && isfinite(set->slope) && set->slope > 0;
}

static void put_keys(const struct lfset_set_seen *set, const struct curve *curve, FILE *out)
{
    const struct point *last = &curve->points[curve->count - 1];
    double now = seconds_of(last->time_ns), high = 2;
    struct axes axes = {WIDTH, HEIGHT, seconds_of(curve->points[0].time_ns), now, 1};
    for (size_t i = 0; i < curve->count; i++)
        high = fmax(high, curve->points[i].keys);
    // a third more time, for where it goes
    double ahead = is_forecast(set) ? (now - axes.begin) / 3 : 0;
    double then = last->keys + ahead * set->slope;
    if (ahead > 0) {
        axes.end += ahead;
        high = fmax(high, fmin(then, 4 * high));
    }
    if (set->max_keys && (double)set->max_keys < 2.5 * high)
        high = fmax(high, 1.05 * (double)set->max_keys);
    axes.high = round_up(high);
    fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"keys over time\">\n", WIDTH,
            HEIGHT);
    put_axes(&axes, show_count, now, out);
    put_limit(&axes, (double)set->max_keys, out);
    put_points(&axes, "keys", curve->points, curve->count, false, out);
    if (ahead > 0) {
        double reached = fmin(then, axes.high);
        double x = place_x(
            &axes,
            now + ahead * (then > last->keys ? (reached - last->keys) / (then - last->keys) : 1));
        fprintf(out, "<path class=\"forecast\" d=\"M%.1f,%.1fL%.1f,%.1f\"/>\n", place_x(&axes, now),
                place_y(&axes, last->keys), x, place_y(&axes, reached));
    }
    fputs("</svg>\n", out);
}

static void put_bytes(const struct curve *curve, FILE *out)
{
    double now = seconds_of(curve->points[curve->count - 1].time_ns), high = 1;
    struct axes axes = {WIDTH, 90, seconds_of(curve->points[0].time_ns), now, 1};
    for (size_t i = 0; i < curve->count; i++)
        high = fmax(high, curve->points[i].bytes);
    axes.high = round_up_bytes(high);
    fprintf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"bytes over time\">\n",
            axes.width, axes.height);
    put_axes(&axes, show_bytes, now, out);
    put_points(&axes, "bytes", curve->points, curve->count, true, out);
    fputs("</svg>\n", out);
}

static void put_caption(const struct report *report, const struct lfset_set_seen *set, FILE *out)
{
    fputs("<h3>", out);
    html_text(show_set(set).text, out);
    fprintf(out, "%s</h3><p>%s, %s; %s keys, %s bytes",
            report_is_growing(report, set) ? " <b class=\"grows\">grows</b>" : "",
            show_kind(set->kind), show_domain(set->domain), show_count(set->live).text,
            show_bytes(set->bytes).text);
    if (set->max_keys)
        fprintf(out, "; limit %s, %.0f %% reached", show_count(set->max_keys).text,
                100 * (double)set->live / (double)set->max_keys);
    if (is_forecast(set) && isfinite(set->to_limit))
        fprintf(out, "; <b>full in %s</b> (confidence %.0f %%)", show_seconds(set->to_limit).text,
                100 * set->confidence);
    if (set->refusing)
        fputs("; <b>refuses adds</b>", out);
    fputs("</p>\n", out);
}

static bool is_flat(const struct curve *curve)
{
    for (size_t i = 1; i < curve->count; i++)
        if (curve->points[i].keys > curve->points[0].keys ||
            curve->points[i].keys < curve->points[0].keys)
            return false;
    return true;
}

void report_growth(const struct report *report, FILE *out)
{
    enum { FLAT_MOST = 6 }; // of the largest sets; others that did not change are no news
    size_t drawn = 0;
    fputs("<div class=\"cards\">\n", out);
    for (size_t i = 0; i < report->now->set_count && drawn < DRAWN_MOST; i++) {
        const struct curve *curve = report_curve(report, report->sets[i]->id);
        if (!curve || curve->count == 0 || (i >= FLAT_MOST && is_flat(curve)))
            continue;
        fputs("<figure class=\"card\">\n", out);
        put_caption(report, report->sets[i], out);
        put_keys(report->sets[i], curve, out);
        put_bytes(curve, out);
        fputs("</figure>\n", out);
        drawn++;
    }
    fputs("</div>\n", out);
    if (drawn < report->now->set_count)
        fprintf(out,
                "<p class=\"soft\">%zu of %zu sets: the largest, and of the smaller ones only "
                "those that "
                "changed.</p>\n",
                drawn, report->now->set_count);
}

// ---------------------------------------------------------------- what is not freed

void report_retired(const struct report *report, FILE *out)
{
    size_t count = report->moment_count;
    const struct moment *moments = report->moments;
    double high = 1;
    if (count < 2)
        return;
    for (size_t i = 0; i < count; i++)
        for (int domain = 0; domain < 2; domain++)
            high = fmax(high, (double)moments[i].garbage_bytes[domain]);
    struct axes axes = {.width = 1200,
                        .height = 180,
                        .begin = seconds_of(moments[0].time_ns),
                        .end = seconds_of(moments[count - 1].time_ns),
                        .high = round_up_bytes(high)};
    struct point *points = calloc(count, sizeof *points);
    if (!points)
        return;
    fprintf(out,
            "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"bytes not freed, over time\">\n",
            axes.width, axes.height);
    put_axes(&axes, show_bytes, axes.end, out);
    for (int domain = 0; domain < 2; domain++) {
        for (size_t i = 0; i < count; i++)
            points[i] = (struct point){.time_ns = moments[i].time_ns,
                                       .bytes = (double)moments[i].garbage_bytes[domain]};
        put_points(&axes, domain == LFSET_RCU ? "rcu" : "hp", points, count, true, out);
    }
    fputs("</svg>\n<p class=\"legend\"><i class=\"rcu\"></i>RCU <i class=\"hp\"></i>hazard "
          "pointers</p>\n",
          out);
    free(points);
}

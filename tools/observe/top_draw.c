// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "top.h"

#include "holders.h"
#include "show.h"
#include "target.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct drawing {
    void (*put)(enum top_look look, const char *text, void *ctx);
    void *ctx;
};

__attribute__((format(printf, 3, 4))) static void line(const struct drawing *drawing,
                                                       enum top_look look, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    drawing->put(look, text, drawing->ctx);
}

// ---------------------------------------------------------------- processes

static const char *state_name(const struct watched *watched)
{
    return !watched->now->alive ? "ended" : watched->stopped ? "stopped" : "running";
}

static void put_process(const struct drawing *drawing, const struct watched *watched)
{
    const struct lfset_observation *now = watched->now;
    uint64_t keys = 0, bytes = 0;
    unsigned stalled = 0;
    char program[64], watcher[48] = "no watcher";
    for (size_t i = 0; i < now->set_count; i++) {
        keys += now->sets[i].live;
        bytes += now->sets[i].bytes;
    }
    for (size_t i = 0; i < now->thread_count; i++)
        stalled += now->threads[i].stalled != 0;
    snprintf(program, sizeof program, "%s", now->program);
    show_safe(program);
    if (now->watcher_period_ns)
        snprintf(watcher, sizeof watcher, "watcher every %s", show_ns(now->watcher_period_ns).text);
    line(drawing, now->alive && !stalled ? LOOK_TITLE : LOOK_WARNING,
         "%d %s, %s: %zu sets, %s keys, %s; retired RCU %s in %" PRIu64 ", HP %s in %" PRIu64
         "; stalls %" PRIu64 " (%u now); %s",
         now->pid, program, state_name(watched), now->set_count, show_count(keys).text,
         show_bytes(bytes).text, show_bytes(now->garbage_bytes[LFSET_RCU]).text,
         now->garbage_objects[LFSET_RCU], show_bytes(now->garbage_bytes[LFSET_HP]).text,
         now->garbage_objects[LFSET_HP], now->stalls, stalled, watcher);
}

// ---------------------------------------------------------------- sets

struct row {
    const struct watched *watched;
    const struct lfset_set_seen *set;
    const struct curve *curve;
    struct rates rates;
    double key; // to sort by
};

static double sort_key(enum top_order order, const struct row *row)
{
    double key = NAN;
    switch (order) {
    case ORDER_BYTES:
    case ORDERS:
        key = (double)row->set->bytes;
        break;
    case ORDER_GROWTH:
        key = row->rates.keys;
        break;
    case ORDER_KEYS:
        key = (double)row->set->live;
        break;
    case ORDER_ADDS:
        key = row->rates.adds;
        break;
    case ORDER_RETIRED:
        key = (double)row->set->retired_bytes;
        break;
    }
    return isnan(key) ? -INFINITY : key;
}

static int compare_rows(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    if (a->key > b->key || a->key < b->key)
        return a->key < b->key ? 1 : -1;
    if (a->watched->pid != b->watched->pid)
        return a->watched->pid < b->watched->pid ? -1 : 1;
    return (a->set->id > b->set->id) - (a->set->id < b->set->id);
}

size_t top_set_count(const struct top *top)
{
    size_t count = 0;
    for (size_t i = 0; i < top->count; i++)
        count += top->watched[i].now ? top->watched[i].now->set_count : 0;
    return count;
}

static struct row *rows_make(const struct top *top)
{
    struct row *rows = calloc(top_set_count(top) + 1, sizeof *rows);
    size_t count = 0;
    for (size_t i = 0; rows && i < top->count; i++) {
        const struct watched *watched = &top->watched[i];
        for (size_t k = 0; watched->now && k < watched->now->set_count; k++) {
            struct row *row = &rows[count++];
            row->watched = watched;
            row->set = &watched->now->sets[k];
            row->curve = k < watched->curve_count ? &watched->curves[k] : NULL;
            row->rates = rates_between(watched->before, watched->now, row->set);
            row->key = sort_key(top->order, row);
        }
    }
    if (rows)
        qsort(rows, count, sizeof *rows, compare_rows);
    return rows;
}

// The watcher's looks where there are some; else our own.
static void row_curve(const struct top *top, const struct row *row, char *text)
{
    double keys[SPARKLINE_MOST];
    const struct lfset_set_seen *set = row->set;
    *text = 0;
    for (unsigned i = 0; i < set->history_count; i++)
        keys[i] = (double)set->history[i].live;
    if (set->history_count > 1)
        show_sparkline(text, keys, set->history_count, CURVE_LENGTH, top->utf8);
    else if (row->curve)
        show_sparkline(text, row->curve->keys, row->curve->count, CURVE_LENGTH, top->utf8);
}

// What a guard or a forecast says, in a few letters.
static void row_remark(const struct lfset_set_seen *set, char *text, size_t size)
{
    *text = 0;
    if (set->refusing)
        snprintf(text, size, "REFUSES");
    else if (isfinite(set->to_limit) && set->confidence > 0)
        snprintf(text, size, "full in %s", show_seconds(set->to_limit).text);
    else if (set->max_keys)
        snprintf(text, size, "%.0f%% of max", 100 * (double)set->live / (double)set->max_keys);
    else if (set->max_bytes)
        snprintf(text, size, "%.0f%% of max", 100 * (double)set->bytes / (double)set->max_bytes);
}

static void put_row(const struct drawing *drawing, const struct top *top, const struct row *row)
{
    char curve[3 * SPARKLINE_MOST + 1], remark[48];
    const struct lfset_set_seen *set = row->set;
    row_curve(top, row, curve);
    row_remark(set, remark, sizeof remark);
    line(drawing,
         set->refusing              ? LOOK_WARNING
         : row->watched->now->alive ? LOOK_PLAIN
                                    : LOOK_SOFT,
         "%7d %-24.24s %-6s %-3s %8s %8s %8s %8s %8s %8s %8s %-14s %s", row->watched->now->pid,
         show_set(set).text, show_kind(set->kind), show_domain(set->domain),
         show_count(set->live).text, show_rate(row->rates.keys).text, show_bytes(set->bytes).text,
         show_rate(row->rates.adds).text, show_rate(row->rates.removes).text,
         show_rate(row->rates.hits + row->rates.misses).text, show_bytes(set->retired_bytes).text,
         remark, curve);
}

const char *top_order_name(enum top_order order)
{
    static const char *const names[ORDERS] = {"bytes", "growth", "keys", "adds", "retired"};
    return order < ORDERS ? names[order] : "?";
}

static void put_sets(const struct drawing *drawing, const struct top *top,
                     const struct top_room *room)
{
    size_t count = top_set_count(top);
    struct row *rows = rows_make(top);
    if (!rows)
        return;
    line(drawing, LOOK_HEAD, "%7s %-24s %-6s %-3s %8s %8s %8s %8s %8s %8s %8s %-14s %s", "PID",
         "SET", "KIND", "DOM", "KEYS", "+KEYS/s", "BYTES", "ADDS/s", "REMS/s", "READS/s", "RETIRED",
         "LIMIT", "KEYS, LATELY");
    size_t end = room->first_set + room->sets;
    for (size_t i = room->first_set; i < count && i < end; i++)
        put_row(drawing, top, &rows[i]);
    free(rows);
}

// ---------------------------------------------------------------- stalls and events

static void put_stalls_of(const struct drawing *drawing, const struct watched *watched,
                          struct top_room *room)
{
    const struct lfset_observation *now = watched->now;
    struct holder *holders = calloc(now->thread_count + 1, sizeof *holders);
    if (!holders)
        return;
    size_t count = holders_find(watched->before, now, holders);
    for (size_t i = 0; i < count && room->stalls > 0; i++) {
        const struct lfset_thread_seen *thread = holders[i].thread;
        char name[64];
        if (!thread->stalled && !(holders[i].in_section && holders[i].seconds > 0))
            continue;
        snprintf(name, sizeof name, "%s", thread->name);
        show_safe(name);
        line(drawing, thread->stalled ? LOOK_WARNING : LOOK_PLAIN,
             "%7d thread %d (%s): in one section for %s%s; holds back %zu objects, %s", now->pid,
             thread->tid, name, show_seconds(holders[i].seconds).text,
             thread->stalled ? ", STALLED" : "", holders[i].objects,
             show_bytes(holders[i].bytes).text);
        room->stalls--;
    }
    free(holders);
}

struct dated {
    const struct watched *watched;
    const struct lfset_event *event;
};

static int compare_times(const void *left, const void *right)
{
    const struct dated *a = left, *b = right;
    return (a->event->time_ns > b->event->time_ns) - (a->event->time_ns < b->event->time_ns);
}

static void put_events(const struct drawing *drawing, const struct top *top, size_t most)
{
    size_t all = 0, count = 0;
    for (size_t i = 0; i < top->count; i++)
        all += top->watched[i].now ? top->watched[i].now->event_count : 0;
    struct dated *events = calloc(all + 1, sizeof *events);
    if (!events)
        return;
    for (size_t i = 0; i < top->count; i++) {
        const struct lfset_observation *now = top->watched[i].now;
        for (size_t k = 0; now && k < now->event_count; k++)
            events[count++] = (struct dated){&top->watched[i], &now->events[k]};
    }
    qsort(events, count, sizeof *events, compare_times);
    for (size_t i = count > most ? count - most : 0; i < count; i++) {
        char text[256];
        snprintf(text, sizeof text, "%s", events[i].event->text);
        show_safe(text);
        line(drawing, events[i].event->severity == LFSET_INFO ? LOOK_SOFT : LOOK_PLAIN,
             "%7d %s %s: %s", events[i].watched->now->pid,
             show_clock(events[i].event->time_ns).text, show_event_kind(events[i].event->kind),
             text);
    }
    free(events);
}

void top_draw(const struct top *top, const struct top_room *room,
              void (*put)(enum top_look look, const char *text, void *ctx), void *ctx)
{
    struct drawing drawing = {put, ctx};
    struct top_room left = *room;
    for (size_t i = 0; i < top->count && i < room->processes; i++)
        if (top->watched[i].now)
            put_process(&drawing, &top->watched[i]);
    if (top->count > room->processes)
        line(&drawing, LOOK_SOFT, "and %zu more processes", top->count - room->processes);
    if (top->count == 0)
        line(&drawing, LOOK_TITLE, "no process that may be looked into publishes sets");
    put_sets(&drawing, top, room);
    line(&drawing, LOOK_HEAD, "READERS THAT STAY");
    for (size_t i = 0; i < top->count; i++)
        if (top->watched[i].now)
            put_stalls_of(&drawing, &top->watched[i], &left);
    if (left.stalls == room->stalls)
        line(&drawing, LOOK_SOFT, "%7s none", "");
    line(&drawing, LOOK_HEAD, "EVENTS");
    put_events(&drawing, top, room->events);
}

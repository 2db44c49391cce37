// SPDX-License-Identifier: MIT
// lfset top, inside: top.c has options and the plain mode, top_watch.c the processes that are watched,
// top_draw.c makes lines of them, top_screen.c puts those on a terminal.
#ifndef LFSET_TOOLS_TOP_H
#define LFSET_TOOLS_TOP_H

#include <lfset/observation.h>
#include <stdbool.h>
#include <stddef.h>

enum { WATCHED_MOST = 32, CURVE_LENGTH = 32 };

// What is remembered of a set in a process without a watcher of its own.
struct curve {
    uint64_t set_id;
    unsigned count;
    double keys[CURVE_LENGTH]; // the last ones, oldest first
};

struct watched {
    pid_t pid;
    struct lfset_registry *registry;
    struct lfset_observation *before, *now; // the last two looks; before may be NULL
    bool stopped;
    struct curve *curves;
    size_t curve_count;
};

enum top_order { ORDER_BYTES, ORDER_GROWTH, ORDER_KEYS, ORDER_ADDS, ORDER_RETIRED, ORDERS };

struct top {
    const char *tool;
    pid_t only; // 0: all processes that may be looked into
    struct watched watched[WATCHED_MOST];
    size_t count;
    enum top_order order;
    bool utf8;
};

// Another look at everything; new processes are found, too. What has ended stays as it was last.
// Returns 0, or what lfset_registry_open said of `only`.
int top_look(struct top *top);
void top_end(struct top *top);

enum top_look { LOOK_TITLE, LOOK_HEAD, LOOK_PLAIN, LOOK_WARNING, LOOK_SOFT };

// Which lines there is room for.
struct top_room {
    size_t processes;
    size_t sets, first_set; // how many, and which is the first of them
    size_t stalls, events;
};
// Gives away the lines one after another.
void top_draw(const struct top *top, const struct top_room *room,
              void (*put)(enum top_look look, const char *text, void *ctx), void *ctx);
size_t top_set_count(const struct top *top);
const char *top_order_name(enum top_order order);

// Shows it on the terminal until the user has had enough. Returns the exit status.
int top_screen(struct top *top, double interval);

#endif

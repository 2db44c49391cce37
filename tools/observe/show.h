// SPDX-License-Identifier: MIT
// Numbers and words as people read them: what ps, top, inspect and report have in common.
#ifndef LFSET_TOOLS_SHOW_H
#define LFSET_TOOLS_SHOW_H

#include <lfset/observation.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// A short text. Functions that return one give it away by value, so that several fit in one printf:
// show_bytes(n).text.
struct shown {
    char text[32];
};

struct shown show_count(uint64_t count);       // 12345, 1.23M
struct shown show_bytes(uint64_t bytes);       // 512, 3.4K, 12M: powers of 1024
struct shown show_rate(double per_second);     // 0, 12, 3.4k, -7; - when it is not known (NaN)
struct shown show_seconds(double seconds);     // 250ms, 1.5s, 12s, 3m10s, 2h05m, 4d03h
struct shown show_ns(uint64_t nanoseconds);    // the same
struct shown show_clock(uint64_t realtime_ns); // 14:03:59, of today's or any other day

const char *show_kind(enum lfset_kind kind);
const char *show_domain(enum lfset_domain domain);
const char *show_strategy(enum lfset_strategy strategy);
const char *show_holder(enum lfset_holder holder);
const char *show_severity(enum lfset_severity severity);
const char *show_event_kind(enum lfset_event_kind kind);

// "(no name)" for a set without one; with its id.
struct set_name {
    char text[96];
};
struct set_name show_set(const struct lfset_set_seen *set);

// Whether the terminal's characters are UTF-8; setlocale came before.
bool show_is_utf8(void);

enum { SPARKLINE_MOST = 64 };
// Draws the last `width` of the values, the lowest to the highest of them, into `text`: at most
// 3 * SPARKLINE_MOST + 1 bytes. A curve that hardly changes is a low line.
void show_sparkline(char *text, const double *values, unsigned count, unsigned width, bool utf8);

enum { BAR_MOST = 48 };
// A bar of share * width letters, 0 to 1, into `text`: at most 3 * BAR_MOST + 1 bytes.
void show_bar(char *text, double share, unsigned width, bool utf8);

// Text from elsewhere (names, programs) without what a terminal would obey, and all in UTF-8: each other byte
// becomes a '?'.
void show_safe(char *text);

#endif

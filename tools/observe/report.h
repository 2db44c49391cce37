// SPDX-License-Identifier: MIT
// lfset report, inside: report.c looks at a process for a while, report_page.c writes the page, and has
// its pictures drawn by report_tree.c (who created what), report_curves.c (growth, what is retired) and
// report_stalls.c (readers that stay).
#ifndef LFSET_TOOLS_REPORT_H
#define LFSET_TOOLS_REPORT_H

#include "frames.h"

#include <lfset/observation.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// What a set was like at one time.
struct point {
    uint64_t time_ns;
    double keys, bytes;
};
struct curve {
    uint64_t set_id;
    size_t count, room;
    struct point *points; // oldest first
};

// What the process was like at one look.
struct moment {
    uint64_t time_ns;
    uint64_t garbage_bytes[2], garbage_objects[2];
};

// A thread in one section, from one of our looks to another.
struct stay {
    uint64_t thread_id, section, from_ns, to_ns;
    int tid;
    char name[32];
};

struct report {
    const struct lfset_observation *now; // the last look
    struct frames *frames;
    struct curve *curves; // by the set's id
    size_t curve_count;
    struct moment *moments;
    size_t moment_count;
    struct stay *stays;
    size_t stay_count, stay_room;
    const struct lfset_set_seen **sets; // by bytes
    bool is_file, stopped;
};

// NULL: there is none.
const struct curve *report_curve(const struct report *report, uint64_t set_id);
// Whether the set had ever more keys, at the end by a twentieth at least.
bool report_is_growing(const struct report *report, const struct lfset_set_seen *set);

// Returns 0, or -1 when memory fails; the output's errors are the file's.
int report_page(const struct report *report, FILE *out);
int report_tree(const struct report *report, FILE *out);
int report_stalls(const struct report *report, FILE *out);
void report_growth(const struct report *report, FILE *out);
void report_retired(const struct report *report, FILE *out);

// Text in which nothing is markup. html_cut: of so many letters at most, with an ellipsis; nothing where not
// even a few fit.
void html_text(const char *text, FILE *out);
void html_cut(const char *text, size_t letters, FILE *out);

#endif

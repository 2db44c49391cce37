// SPDX-License-Identifier: MIT
/* What the witness as text (witness_print.c) and as a page (witness_html.c) share. Both show time as the
 * order of calls and returns: what matters is who overlaps whom, and real times would crowd it into a
 * corner. */
#ifndef LFSET_STRESS_CHECK_WITNESS_VIEW_H
#define LFSET_STRESS_CHECK_WITNESS_VIEW_H

#include "history_internal.h"
#include "witness.h"

/** Bounds of a report. */
enum { WITNESS_SHOWN_MOST = 150, WITNESS_SHOWN_KEYS = 8 };

/** The distinct times in order, and which part is shown. */
struct witness_view {
    const struct witness *witness;
    uint64_t *times;
    size_t time_count;
    size_t first; /* records before this one are too many to show, but for the one that failed */
};

/** 0 or -ENOMEM; free view->times. */
int witness__view_init(struct witness_view *view, const struct witness *witness);

/** The place of a time among all times; what never returned goes on past the last. */
size_t witness__rank(const struct witness_view *view, uint64_t time);

bool witness__is_failed(const struct witness_view *view, size_t record);

bool witness__is_shown(const struct witness_view *view, size_t record);

/** How many records are not shown. */
size_t witness__hidden(const struct witness_view *view);

/** The keys present, as the placed operations lead to it. */
struct witness_state {
    uint64_t *keys; /* ascending */
    size_t count, capacity;
};

/** The state at the start. 0 or -ENOMEM; free state->keys. */
int witness__state_init(struct witness_state *state, const struct history *history);

/** The state after `record`. 0 or -ENOMEM. */
int witness__state_apply(struct witness_state *state, const struct history_record *record);

void witness__print_state(const struct history *history, const struct witness_state *state,
                          FILE *file);

#endif

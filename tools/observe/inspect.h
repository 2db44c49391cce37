// SPDX-License-Identifier: MIT
// lfset inspect, inside: inspect.c takes two looks, these tell what they show.
#ifndef LFSET_TOOLS_INSPECT_H
#define LFSET_TOOLS_INSPECT_H

#include "frames.h"
#include "holders.h"

#include <lfset/observation.h>
#include <stdbool.h>
#include <stdio.h>

struct inspection {
    const struct lfset_observation *before, *now;
    const char *set; // name or id of the only one that is asked for; NULL: all
    struct frames *frames;
    struct holder *holders;
    size_t holder_count;
    pid_t stacks_of; // the process whose holders' stacks are taken now; 0: not asked for
    bool is_file, stopped, utf8;
};

// Whether the set is one of those asked for.
bool inspection_wants(const struct inspection *inspection, const struct lfset_set_seen *set);
// Whether what is of this set (0: of none) is.
bool inspection_wants_id(const struct inspection *inspection, uint64_t set_id);

// Returns 0, or -1 when memory or the output fails.
int inspect_text(const struct inspection *inspection, FILE *out);
int inspect_json(const struct inspection *inspection, FILE *out);

// The stack of a thread as it is now, a line a frame; the thread is stopped for that moment. Says why when
// that cannot be done.
void inspect_thread_stack(pid_t pid, int tid, int indent, FILE *out);

#endif

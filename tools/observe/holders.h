// SPDX-License-Identifier: MIT
// Threads that keep something from being freed: they are in a section, or hold hazards.
#ifndef LFSET_TOOLS_HOLDERS_H
#define LFSET_TOOLS_HOLDERS_H

#include <lfset/observation.h>
#include <stdbool.h>
#include <stddef.h>

enum { HOLDER_HAZARDS = 4 };

struct holder {
    const struct lfset_thread_seen *thread;
    bool in_section;   // else it only reads, or holds hazards
    uint64_t since_ns; // in this section no later than that; 0: it may have entered just now
    double seconds;    // so long at least
    // RCU: retired since and not freed, of what the registry lists.
    size_t objects;
    uint64_t bytes;
    struct held {
        uint64_t address, since_ns;               // 0: no hazard
        const struct lfset_retired_seen *retired; // NULL: that is not retired
        const struct lfset_set_seen *set;         // NULL: not known
    } hazards[HOLDER_HAZARDS];
};

// All of them, longest first, into `holders`, which has room for now->thread_count. Two looks tell that a thread
// was in one section all the time between, without a watcher in the process. `before` may be NULL.
size_t holders_find(const struct lfset_observation *before, const struct lfset_observation *now,
                    struct holder *holders);

#endif

// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "holders.h"

#include "target.h"

#include <stdlib.h>

// The section's number changes with each section: the same at both looks is the same section.
static uint64_t section_since(const struct lfset_observation *before,
                              const struct lfset_thread_seen *thread)
{
    uint64_t since = thread->section_since_ns;
    for (size_t i = 0; before && i < before->thread_count; i++) {
        const struct lfset_thread_seen *old = &before->threads[i];
        if (old->id == thread->id && old->in_section && old->section == thread->section &&
            (since == 0 || before->time_ns < since))
            since = before->time_ns;
    }
    return since;
}

static void count_held_back(const struct lfset_observation *now, struct holder *holder)
{
    for (size_t i = 0; holder->since_ns && i < now->retired_count; i++) {
        const struct lfset_retired_seen *retired = &now->retired[i];
        if (retired->domain == LFSET_RCU && retired->holder == LFSET_HELD_BY_READERS &&
            retired->retired_ns >= holder->since_ns) {
            holder->objects++;
            holder->bytes += retired->bytes;
        }
    }
}

static void find_hazard(const struct lfset_observation *now, struct held *held)
{
    for (size_t i = 0; i < now->retired_count && !held->retired; i++)
        if (now->retired[i].address == held->address) {
            held->retired = &now->retired[i];
            held->set = lfset_observation_set(now, held->retired->set_id);
        }
    for (size_t i = 0; i < now->set_count && !held->set; i++)
        if (now->sets[i].root == held->address)
            held->set = &now->sets[i];
}

static int compare_seconds(const void *left, const void *right)
{
    const struct holder *a = left, *b = right;
    if (a->in_section != b->in_section)
        return a->in_section ? -1 : 1;
    if (a->seconds > b->seconds || a->seconds < b->seconds)
        return a->seconds < b->seconds ? 1 : -1;
    return (a->thread->id > b->thread->id) - (a->thread->id < b->thread->id);
}

size_t holders_find(const struct lfset_observation *before, const struct lfset_observation *now,
                    struct holder *holders)
{
    size_t count = 0;
    uint64_t moment = target_moment(now);
    for (size_t i = 0; i < now->thread_count; i++) {
        const struct lfset_thread_seen *thread = &now->threads[i];
        struct holder holder = {.thread = thread, .in_section = thread->in_section != 0};
        bool holds = thread->in_section || thread->reading;
        for (int k = 0; k < HOLDER_HAZARDS; k++) {
            if (thread->hazards[k] == 0)
                continue;
            holds = true;
            holder.hazards[k].address = thread->hazards[k];
            holder.hazards[k].since_ns = thread->hazard_since_ns[k];
            find_hazard(now, &holder.hazards[k]);
        }
        if (!holds)
            continue;
        if (holder.in_section)
            holder.since_ns = section_since(before, thread);
        if (holder.since_ns)
            holder.seconds = target_since(moment, holder.since_ns);
        count_held_back(now, &holder);
        holders[count++] = holder;
    }
    qsort(holders, count, sizeof *holders, compare_seconds);
    return count;
}

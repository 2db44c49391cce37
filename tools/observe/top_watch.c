// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "top.h"

#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// ---------------------------------------------------------------- curves

static struct curve *curve_of(struct watched *watched, uint64_t set_id)
{
    for (size_t i = 0; i < watched->curve_count; i++)
        if (watched->curves[i].set_id == set_id)
            return &watched->curves[i];
    return NULL;
}

static void curve_append(struct curve *curve, double keys)
{
    if (curve->count == CURVE_LENGTH)
        memmove(curve->keys, curve->keys + 1, --curve->count * sizeof *curve->keys);
    curve->keys[curve->count++] = keys;
}

// Curves follow the sets that are there now, in their order; those of sets that are gone are dropped.
static void curves_follow(struct watched *watched)
{
    const struct lfset_observation *now = watched->now;
    struct curve *curves = calloc(now->set_count + 1, sizeof *curves);
    if (!curves)
        return;
    for (size_t i = 0; i < now->set_count; i++) {
        const struct curve *old = curve_of(watched, now->sets[i].id);
        if (old)
            curves[i] = *old;
        curves[i].set_id = now->sets[i].id;
        curve_append(&curves[i], (double)now->sets[i].live);
    }
    free(watched->curves);
    watched->curves = curves;
    watched->curve_count = now->set_count;
}

// ---------------------------------------------------------------- processes

static bool is_ended(const struct watched *watched)
{
    return watched->now && !watched->now->alive;
}

static void watched_look(struct watched *watched)
{
    struct lfset_observation *now;
    if (is_ended(watched) || lfset_observation_take(watched->registry, &now) != 0)
        return;
    if (!now->alive && watched->now) {
        // Nothing moves any more; what it held is still there to be seen.
        lfset_observation_free(watched->before);
        watched->before = NULL;
    } else {
        if (watched->before)
            lfset_observation_free(watched->before);
        watched->before = watched->now;
        watched->now = NULL;
    }
    if (watched->now)
        lfset_observation_free(watched->now);
    watched->now = now;
    watched->stopped = target_is_stopped(watched->pid);
    curves_follow(watched);
}

static void watched_end(struct watched *watched)
{
    if (watched->before)
        lfset_observation_free(watched->before);
    if (watched->now)
        lfset_observation_free(watched->now);
    lfset_registry_close(watched->registry);
    free(watched->curves);
    *watched = (struct watched){0};
}

// The place of one that has ended is for who is new, when there is no other.
static bool make_room(struct top *top)
{
    for (size_t i = 0; top->count == WATCHED_MOST && i < top->count; i++)
        if (is_ended(&top->watched[i])) {
            watched_end(&top->watched[i]);
            memmove(&top->watched[i], &top->watched[i + 1],
                    (--top->count - i) * sizeof *top->watched);
        }
    return top->count < WATCHED_MOST;
}

static int watch(struct top *top, pid_t pid)
{
    for (size_t i = 0; i < top->count; i++)
        if (top->watched[i].pid == pid && !is_ended(&top->watched[i]))
            return 0;
    if (!make_room(top))
        return -ENOSPC;
    struct watched *watched = &top->watched[top->count];
    *watched = (struct watched){.pid = pid};
    int error = lfset_registry_open(&watched->registry, pid);
    if (error == 0)
        top->count++;
    return error;
}

int top_look(struct top *top)
{
    if (top->only && top->count == 0) {
        int error = watch(top, top->only);
        if (error)
            return error;
    }
    if (!top->only) {
        pid_t pids[WATCHED_MOST];
        int found = lfset_registry_list(pids, WATCHED_MOST);
        for (int i = 0; i < found && i < WATCHED_MOST; i++)
            if (target_is_writer(pids[i]))
                watch(top, pids[i]); // who has ended meanwhile is left out
    }
    for (size_t i = 0; i < top->count; i++)
        watched_look(&top->watched[i]);
    return 0;
}

void top_end(struct top *top)
{
    while (top->count > 0)
        watched_end(&top->watched[--top->count]);
}

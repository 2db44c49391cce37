// SPDX-License-Identifier: MIT
#include "explore/shrink.h"

#include <stdlib.h>
#include <string.h>

#include "explore/execute.h"
#include "explore/operations.h"

enum { SCHEDULES_PER_TRY = 3000, FIXED_TRIES = 3000 };

/* A run that failed: what chose its schedule, and the schedule. */
struct failure {
    enum sched_strategy strategy;
    uint64_t seed;
    size_t count;
    struct sched_segment segments[SCHED_SEGMENTS];
    int32_t op_starts[SCHED_THREADS][PLAN_OPS];
};

static struct failure known;

static bool remember(enum sched_strategy strategy, uint64_t seed)
{
    known.strategy = strategy;
    known.seed = seed;
    known.count = sched_result.segment_count;
    memcpy(known.segments, sched_result.segments, known.count * sizeof *known.segments);
    memcpy(known.op_starts, operations_starts, sizeof known.op_starts);
    return true;
}

/* Looks for a schedule under which the plan fails: as it was known, first by the segments given. */
static bool find_failure(const struct plan *plan, const struct sched_segment *segments,
                         size_t count)
{
    if (!execute_prepare(plan)) {
        return remember(SCHED_SERIAL, 0);
    }
    if (!execute_segments(known.seed, segments, count)) {
        return remember(SCHED_FIXED, known.seed);
    }
    if (known.strategy != SCHED_FIXED && !execute(known.strategy, known.seed)) {
        return remember(known.strategy, known.seed);
    }
    for (uint64_t i = 0; i < SCHEDULES_PER_TRY; i++) {
        enum sched_strategy strategy = sched_strategy_in_turn(i);
        uint64_t seed = plan->seed * 64 + i;
        if (!execute(strategy, seed)) {
            return remember(strategy, seed);
        }
    }
    return false;
}

static bool try_segments(struct plan *plan, const struct plan *smaller,
                         const struct sched_segment *segments, size_t count)
{
    bool fails = find_failure(smaller, segments, count);
    if (fails) {
        *plan = *smaller;
    }
    return fails;
}

static bool try_plan(struct plan *plan, const struct plan *smaller)
{
    static struct sched_segment segments[SCHED_SEGMENTS];
    memcpy(segments, known.segments, known.count * sizeof *segments);
    return try_segments(plan, smaller, segments, known.count);
}

/* Without an operation the thread makes fewer accesses: those of the operation are taken out of the segments. */
static bool try_without_op(struct plan *plan, const struct plan *smaller, unsigned thread,
                           unsigned index)
{
    static struct sched_segment segments[SCHED_SEGMENTS];
    int32_t from = known.op_starts[thread][index], at = 0;
    int32_t to = index + 1 < plan->ops[thread] ? known.op_starts[thread][index + 1] : INT32_MAX;
    for (size_t i = 0; i < known.count; i++) {
        segments[i] = known.segments[i];
        if (segments[i].thread != thread) {
            continue;
        }
        int32_t end = at + segments[i].steps;
        int32_t first = at > from ? at : from, last = end < to ? end : to;
        segments[i].steps -= last > first ? last - first : 0;
        at = end;
    }
    return try_segments(plan, smaller, segments, known.count);
}

static void remove_op(struct plan *plan, unsigned thread, unsigned index)
{
    memmove(&plan->op[thread][index], &plan->op[thread][index + 1],
            (PLAN_OPS - 1 - index) * sizeof plan->op[0][0]);
    plan->ops[thread]--;
}

/* One operation of a thread, or of those before, at a time; then what the set holds. */
static void shrink_plan(struct plan *plan)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned t = 0; t < plan->threads; t++) {
            for (unsigned i = plan->ops[t]; i-- > 0;) {
                struct plan smaller = *plan;
                remove_op(&smaller, t, i);
                changed = try_without_op(plan, &smaller, t, i) || changed;
            }
            if (plan->section[t]) {
                struct plan smaller = *plan;
                smaller.section[t] = false;
                changed = try_plan(plan, &smaller) || changed;
            }
        }
        if (plan->destroy != PLAN_DESTROY_ONLY) {
            struct plan smaller = *plan;
            smaller.destroy = PLAN_DESTROY_ONLY;
            changed = try_plan(plan, &smaller) || changed;
        }
        for (unsigned i = plan->warms; i-- > 0;) {
            struct plan smaller = *plan;
            memmove(&smaller.warm[i], &smaller.warm[i + 1],
                    (PLAN_WARM - 1 - i) * sizeof smaller.warm[0]);
            smaller.warms--;
            changed = try_plan(plan, &smaller) || changed;
        }
    }
    for (unsigned part = plan->prefills; part > 0; part /= 2) {
        for (unsigned i = 0; i + part <= plan->prefills;) {
            struct plan smaller = *plan;
            memmove(&smaller.prefill[i], &smaller.prefill[i + part],
                    (plan->prefills - i - part) * sizeof smaller.prefill[0]);
            smaller.prefills -= part;
            if (!try_plan(plan, &smaller)) {
                i += part;
            }
        }
    }
    if (plan->threads > 1 && plan->ops[plan->threads - 1] == 0) {
        struct plan smaller = *plan;
        smaller.threads--;
        (void)try_plan(plan, &smaller);
    }
}

static size_t merge(struct sched_segment *segments, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && segments[kept - 1].thread == segments[i].thread) {
            segments[kept - 1].steps += segments[i].steps;
        } else if (segments[i].steps > 0) {
            segments[kept++] = segments[i];
        }
    }
    return kept;
}

/* Puts off segment i: its accesses are done in the thread's next segment. */
static size_t put_off(struct sched_segment *to, const struct sched_segment *from, size_t count,
                      size_t i)
{
    memcpy(to, from, count * sizeof *to);
    for (size_t j = i + 1; j < count; j++) {
        if (to[j].thread == to[i].thread) {
            to[j].steps += to[i].steps;
            break;
        }
    }
    to[i].steps = 0;
    return merge(to, count);
}

/* Brings the thread's next segment forward to segment i. */
static size_t bring_forward(struct sched_segment *to, const struct sched_segment *from,
                            size_t count, size_t i)
{
    memcpy(to, from, count * sizeof *to);
    for (size_t j = i + 1; j < count; j++) {
        if (to[j].thread == to[i].thread) {
            to[i].steps += to[j].steps;
            to[j].steps = 0;
            return merge(to, count);
        }
    }
    return count;
}

static void shrink_schedule(void)
{
    struct sched_segment *best = malloc(SCHED_SEGMENTS * sizeof *best);
    struct sched_segment *trial = malloc(SCHED_SEGMENTS * sizeof *trial);
    if (!best || !trial) {
        free(best);
        free(trial);
        return;
    }
    size_t count = sched_result.segment_count;
    memcpy(best, sched_result.segments, count * sizeof *best);
    int tries = 0;
    if (!execute_segments(known.seed, best, count)) {
        for (bool changed = true; changed && tries < FIXED_TRIES;) {
            changed = false;
            for (size_t i = 0; i < count && tries < FIXED_TRIES; i++) {
                for (int way = 0; way < 2 && i < count; way++) {
                    size_t trial_count = way == 0 ? put_off(trial, best, count, i)
                                                  : bring_forward(trial, best, count, i);
                    tries++;
                    if (trial_count < count && !execute_segments(known.seed, trial, trial_count)) {
                        // what ran may be shorter than what was asked for
                        size_t ran = sched_result.segment_count;
                        if (ran <= trial_count) {
                            trial_count = ran;
                            memcpy(trial, sched_result.segments, ran * sizeof *trial);
                        }
                        struct sched_segment *swap = best;
                        best = trial;
                        trial = swap;
                        count = trial_count;
                        changed = true;
                    }
                }
            }
        }
    }
    sched_tracing = true;
    (void)execute_segments(known.seed, best, count);
    sched_tracing = false;
    free(best);
    free(trial);
}

void shrink(struct plan *plan, enum sched_strategy strategy, uint64_t seed, FILE *progress)
{
    remember(strategy, seed);
    shrink_plan(plan);
    fprintf(progress, "shrunk to:\n");
    plan_print(plan, progress);
    if (execute_prepare(plan)) {
        (void)execute_segments(known.seed, known.segments, known.count);
        shrink_schedule();
    } else { // it fails without any preemption
        sched_tracing = true;
        (void)execute_prepare(plan);
        sched_tracing = false;
    }
}

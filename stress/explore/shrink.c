// SPDX-License-Identifier: MIT
#include "explore/shrink.h"

#include <stdlib.h>
#include <string.h>

#include "explore/execute.h"

enum { SCHEDULES_PER_TRY = 3000, FIXED_TRIES = 3000 };

struct schedule {
    enum sched_strategy strategy;
    uint64_t seed;
};

/* Looks for a schedule under which the plan fails, the one known first. */
static bool find_failure(const struct plan *plan, struct schedule *schedule)
{
    if (!execute_prepare(plan)) {
        *schedule = (struct schedule){SCHED_SERIAL, 0};
        return true;
    }
    if (!execute(schedule->strategy, schedule->seed)) {
        return true;
    }
    for (uint64_t i = 0; i < SCHEDULES_PER_TRY; i++) {
        struct schedule other = {(enum sched_strategy)(i % SCHED_SERIAL), plan->seed * 64 + i};
        if (!execute(other.strategy, other.seed)) {
            *schedule = other;
            return true;
        }
    }
    return false;
}

static bool try_plan(struct plan *plan, const struct plan *smaller, struct schedule *schedule)
{
    struct schedule found = *schedule;
    if (!find_failure(smaller, &found)) {
        return false;
    }
    *plan = *smaller;
    *schedule = found;
    return true;
}

static void remove_op(struct plan *plan, unsigned thread, unsigned index)
{
    memmove(&plan->op[thread][index], &plan->op[thread][index + 1],
            (PLAN_OPS - 1 - index) * sizeof plan->op[0][0]);
    plan->ops[thread]--;
}

/* One operation of a thread, or of those before, at a time; then what the set holds. */
static void shrink_plan(struct plan *plan, struct schedule *schedule)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (unsigned t = 0; t < plan->threads; t++) {
            for (unsigned i = plan->ops[t]; i-- > 0;) {
                struct plan smaller = *plan;
                remove_op(&smaller, t, i);
                changed = try_plan(plan, &smaller, schedule) || changed;
            }
            if (plan->section[t]) {
                struct plan smaller = *plan;
                smaller.section[t] = false;
                changed = try_plan(plan, &smaller, schedule) || changed;
            }
        }
        if (plan->destroy != PLAN_DESTROY_ONLY) {
            struct plan smaller = *plan;
            smaller.destroy = PLAN_DESTROY_ONLY;
            changed = try_plan(plan, &smaller, schedule) || changed;
        }
        for (unsigned i = plan->warms; i-- > 0;) {
            struct plan smaller = *plan;
            memmove(&smaller.warm[i], &smaller.warm[i + 1],
                    (PLAN_WARM - 1 - i) * sizeof smaller.warm[0]);
            smaller.warms--;
            changed = try_plan(plan, &smaller, schedule) || changed;
        }
    }
    for (unsigned part = plan->prefills; part > 0; part /= 2) {
        for (unsigned i = 0; i + part <= plan->prefills;) {
            struct plan smaller = *plan;
            memmove(&smaller.prefill[i], &smaller.prefill[i + part],
                    (plan->prefills - i - part) * sizeof smaller.prefill[0]);
            smaller.prefills -= part;
            if (!try_plan(plan, &smaller, schedule)) {
                i += part;
            }
        }
    }
    if (plan->threads > 1 && plan->ops[plan->threads - 1] == 0) {
        struct plan smaller = *plan;
        smaller.threads--;
        (void)try_plan(plan, &smaller, schedule);
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
    if (!execute_segments(best, count)) {
        for (bool changed = true; changed && tries < FIXED_TRIES;) {
            changed = false;
            for (size_t i = 0; i < count && tries < FIXED_TRIES; i++) {
                for (int way = 0; way < 2 && i < count; way++) {
                    size_t trial_count = way == 0 ? put_off(trial, best, count, i)
                                                  : bring_forward(trial, best, count, i);
                    tries++;
                    if (trial_count < count && !execute_segments(trial, trial_count)) {
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
    (void)execute_segments(best, count);
    sched_tracing = false;
    free(best);
    free(trial);
}

void shrink(struct plan *plan, enum sched_strategy strategy, uint64_t seed, FILE *progress)
{
    struct schedule schedule = {strategy, seed};
    shrink_plan(plan, &schedule);
    fprintf(progress, "shrunk to:\n");
    plan_print(plan, progress);
    if (execute_prepare(plan)) {
        (void)execute(schedule.strategy, schedule.seed);
        shrink_schedule();
    } else { // it fails without any preemption
        sched_tracing = true;
        (void)execute_prepare(plan);
        sched_tracing = false;
    }
}

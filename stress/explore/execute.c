// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "explore/execute.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explore/arena.h"
#include "explore/explored.h"
#include "explore/grace.h"
#include "explore/judge.h"
#include "explore/log.h"
#include "explore/objects.h"
#include "explore/operations.h"
#include "explore/random.h"
#include "explore/retirement.h"
#include "explore/seam.h"
#include "explore/subject.h"
#include "reclaim/hp.h"
#include "set/slice.h"

struct execute_record execute_records[SCHED_CONTEXTS];
uint64_t execute_events[EXECUTE_EVENTS];
struct explored explored;

static struct lfset__thread *main_record, *thread_records[SCHED_THREADS];
static int32_t estimate[SCHED_CONTEXTS];

int execute_open(void)
{
    int error = arena_open();
    if (!error) {
        error = sched_open();
    }
    if (!error) {
        error = log_open();
    }
    if (error || !lfset__thread_attach()) {
        return -ENOMEM;
    }
    main_record = lfset__self;
    execute_records[0] = (struct execute_record){main_record, "main"};
    for (unsigned i = 0; i < SCHED_THREADS; i++) {
        thread_records[i] = lfset__hp_thread_acquire();
        if (!thread_records[i]) {
            return -ENOMEM;
        }
        static const char *const names[] = {"record 0", "record 1", "record 2", "record 3"};
        execute_records[i + 1] = (struct execute_record){thread_records[i], names[i]};
    }
    lfset__hp_fences = true; // no system call in every scan
    return 0;
}

bool explored_key_name(uint64_t key, char *name, size_t size)
{
    for (unsigned i = 0; explored.plan && i < explored.plan->keys; i++) {
        if (explored.keys[i] == key) {
            snprintf(name, size, "k%u", i);
            return true;
        }
    }
    return false;
}

bool execute_word_key(const struct lfset__slice *slice, size_t index, uint64_t word, uint64_t *key)
{
    return explored.subject->word_key(slice, index, word, key);
}

int explored_by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static struct lfset__set *base(void)
{
    return explored.set;
}

static void reset(void)
{
    sched_reset();
    grace_reset();
    seam_reset();
    retirement_reset();
    log_reset();
    operations_reset();
    explored.stopped_thread = SCHED_CONTEXTS;
    lfset__self = main_record;
    lfset__local = (struct lfset__local){0};
    atomic_store_explicit(&main_record->in_use, true, memory_order_relaxed);
    for (unsigned i = 0; explored.plan && i < explored.plan->threads; i++) {
        sched_set_self(i, explored.plan->attached[i] ? thread_records[i] : NULL);
        atomic_store_explicit(&thread_records[i]->in_use, explored.plan->attached[i],
                              memory_order_relaxed);
    }
}

/* All keys that may ever be in the set, in order. */
static void list_candidates(void)
{
    explored.candidate_count = 0;
    for (size_t i = 0; i < explored.initial_count; i++) {
        explored.candidates[explored.candidate_count++] = explored.initial[i];
    }
    for (unsigned i = 0; i < explored.plan->keys; i++) {
        for (uint32_t width = 0; width < (explored.subject->seek ? 4 : 1); width++) {
            explored.candidates[explored.candidate_count++] = explored.keys[i] + width;
        }
    }
    qsort(explored.candidates, explored.candidate_count, sizeof *explored.candidates,
          explored_by_value);
    size_t kept = 0;
    for (size_t i = 0; i < explored.candidate_count; i++) {
        if (kept == 0 || explored.candidates[i] != explored.candidates[kept - 1]) {
            explored.candidates[kept++] = explored.candidates[i];
        }
    }
    explored.candidate_count = kept;
}

static bool can_be_removed(uint64_t key)
{
    for (unsigned t = 0; t < explored.plan->threads; t++) {
        for (unsigned i = 0; i < explored.plan->ops[t]; i++) {
            const struct plan_op *op = &explored.plan->op[t][i];
            if (op->kind == PLAN_POP || op->kind == PLAN_DRAIN || op->kind == PLAN_CLEAR ||
                op->kind == PLAN_REMOVE_ALL ||
                (op->kind == PLAN_REMOVE && explored.keys[op->key] == key) ||
                (op->kind == PLAN_REMOVE_RANGE && key - explored.keys[op->key] < plan_width(op))) {
                return true;
            }
            for (unsigned k = 0; op->kind == PLAN_REMOVE_MANY && k < op->count; k++) {
                if (explored.keys[(op->key + k) % explored.plan->keys] == key) {
                    return true;
                }
            }
        }
    }
    return false;
}

static uint64_t key_of_hash(uint64_t hash)
{
    for (unsigned i = 0; i < explored.plan->keys; i++) {
        if (explored.plan->key_hash[i] == hash) {
            return explored.keys[i];
        }
    }
    return explored.subject->key_at(explored.set, hash, explored.plan->offset);
}

static void build(void *arg)
{
    (void)arg;
    sched_set_doing("setup");
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = explored.plan->domain;
    options.capacity = explored.plan->capacity;
    options.allocator = &arena_allocator;
    options.seed =
        random_start(explored.subject->seeds ? explored.plan->seed % explored.subject->seeds
                                             : explored.plan->seed,
                     3);
    if (explored.subject->create(&explored.set, &options) != 0) {
        sched_fail("create failed");
    }
    if (explored.plan->lower_floor && explored.subject->reserve(explored.set, 1) != 0) {
        sched_fail("reserve failed");
    }
    for (unsigned i = 0; i < explored.plan->keys; i++) {
        unsigned place = i % explored.plan->share;
        explored.keys[i] =
            explored.subject->key_at(explored.set, explored.plan->key_hash[i - place],
                                     explored.plan->offset + place * explored.plan->stride);
    }
    for (unsigned i = 0; i < explored.plan->prefills; i++) {
        uint64_t key = key_of_hash(explored.plan->prefill[i].hash);
        if (explored.subject->add(explored.set, key) != 1 ||
            (!explored.plan->prefill[i].live && explored.subject->remove(explored.set, key) != 1)) {
            // a prefill may name a key twice; then the first stands
        }
    }
    operations_warm();
    judge_settle();
    struct subject_keys visited = {.count = 0};
    (void)explored.subject->each(explored.set, &visited);
    memcpy(explored.initial, visited.keys, visited.count * sizeof *explored.initial);
    explored.initial_count = visited.count;
    for (size_t i = 0; i < explored.initial_count; i++) {
        explored.stays[i] = !can_be_removed(explored.initial[i]);
    }
    list_candidates();
    judge_settle();
    arena_save();
    objects_save();
}

bool execute_prepare(const struct plan *given)
{
    static const struct subject *const subjects[PLAN_SETS] = {&subject_u64, &subject_obj,
                                                              &subject_bytes, &subject_bitmap};
    explored.plan = given;
    explored.subject = subjects[explored.plan->set];
    operations_prepare();
    explored.initial_count = explored.candidate_count =
        0; // what a warm `each` or `remove_all` may expect
    for (unsigned i = 0; i < SCHED_CONTEXTS; i++) {
        estimate[i] = i == SCHED_MAIN ? 0 : 10;
    }
    reset();
    arena_reset();
    objects_reset();
    arena_reuse(false);
    if (!sched_guard(build, NULL) || !execute(SCHED_SERIAL, 0)) {
        return false;
    }
    for (unsigned i = 0; i < SCHED_MAIN; i++) {
        estimate[i] = sched_result.thread_steps[i];
    }
    return true;
}

/* What the set and the arena count from their beginning on. */
static void count_so_far(uint64_t counts[EXECUTE_EVENTS])
{
    const struct lfset__set *s = base();
    counts[EXECUTE_GROWTHS] = atomic_load(&s->grows);
    counts[EXECUTE_PURGES] = atomic_load(&s->purges);
    counts[EXECUTE_SHRINKS] = atomic_load(&s->shrinks);
    counts[EXECUTE_REHASHES] = atomic_load(&s->rehashes);
    counts[EXECUTE_SNAPSHOTS] = atomic_load(&s->snapshots);
    counts[EXECUTE_CLEARS] = atomic_load(&s->clears);
    counts[EXECUTE_FREED] = arena_block_count - arena_live_count;
}

static void count_events(const uint64_t before[EXECUTE_EVENTS])
{
    count_so_far(execute_events);
    uint64_t retired = 0;
    for (int i = 0; i < EXECUTE_EVENTS; i++) {
        execute_events[i] -= before[i];
        retired += i < EXECUTE_RETIRED && i > EXECUTE_PREEMPTIONS ? execute_events[i] : 0;
    }
    execute_events[EXECUTE_PREEMPTIONS] = sched_result.preemptions;
    execute_events[EXECUTE_RETIRED] = retired; // a slice for each succession
    execute_events[EXECUTE_FAILED_ALLOCATIONS] = arena_failures();
    execute_events[EXECUTE_STOPPED] = explored.stopped_thread != SCHED_CONTEXTS;
    execute_events[EXECUTE_SLEEPS] = sched_result.sleeps;
    execute_events[EXECUTE_DESTROYED] = objects_destroyed();
    execute_events[EXECUTE_REFERENCES] = objects_referenced();
}

static void run_and_judge(void *arg)
{
    const struct sched_options *options = arg;
    log_begin_history(explored.initial, explored.initial_count);
    uint64_t before[EXECUTE_EVENTS] = {0};
    count_so_far(before);
    operations_begin();
    sched_run(options);
    operations_end();
    explored.stopped_thread = SCHED_CONTEXTS;
    for (unsigned i = 0; i < explored.plan->threads; i++) {
        if (sched_result.stopped[i]) {
            explored.stopped_thread = i;
        }
    }
    count_events(before);
    judge();
}

static bool run(struct sched_options *options)
{
    memset(execute_events, 0, sizeof execute_events);
    reset();
    arena_restore();
    objects_restore();
    arena_reuse(explored.plan->reuse);
    arena_inject(explored.plan->enomem, random_start(options->seed, 4));
    options->threads = explored.plan->threads;
    options->body = operations_body;
    options->idle = operations_judge_sleepers;
    options->stopped = -1;
    memcpy(options->estimate, estimate, sizeof estimate);
    int32_t total = 0;
    for (unsigned i = 0; i < SCHED_MAIN; i++) {
        total += estimate[i];
    }
    options->limit = options->strategy == SCHED_SERIAL ? 1 << 22 : 50 * total + 50000;
    uint64_t random = random_start(options->seed, 5);
    if (explored.plan->stop && options->strategy != SCHED_SERIAL) {
        unsigned thread = random_below(&random, explored.plan->threads);
        options->stopped = (int)thread;
        options->stopped_at = (int32_t)random_below(&random, (uint32_t)estimate[thread] + 1);
    }
    return sched_guard(run_and_judge, options);
}

bool execute(enum sched_strategy strategy, uint64_t seed)
{
    struct sched_options options = {.strategy = strategy, .seed = seed};
    return run(&options);
}

bool execute_segments(uint64_t seed, const struct sched_segment *segments, size_t count)
{
    struct sched_options options = {
        .strategy = SCHED_FIXED,
        .seed = seed, // also chooses who stops and which allocations fail
        .segments = segments,
        .segment_count = count,
    };
    return run(&options);
}

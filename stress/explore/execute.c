// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "explore/execute.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check/checker.h"
#include "check/history.h"
#include "explore/arena.h"
#include "explore/grace.h"
#include "explore/random.h"
#include "explore/seam.h"
#include "lfset/cancel.h"
#include "lfset/u64.h"
#include "reclaim/hp.h"
#include "reclaim/rcu.h"
#include "set/slice.h"

enum { LOG_MAX = 4096, KEYS_MAX = 512, LATE_MAX = PLAN_OPS, FIRST_VIRTUAL_THREAD = 16 };

struct late {
    struct lfset_u64_snapshot *snapshot;
    size_t record;
    uint64_t ret;
};

struct execute_record execute_records[SCHED_CONTEXTS];

struct execute_coverage execute_coverage;

static struct lfset__thread *main_record, *thread_records[SCHED_THREADS];
static const struct plan *plan;
static struct lfset_u64 *set;
static uint64_t keys[PLAN_KEYS];
static uint64_t initial[KEYS_MAX];
static size_t initial_count;
static bool stays[KEYS_MAX]; // initial[i] is removed by no operation of the plan
static int32_t estimate[SCHED_CONTEXTS];
static struct history history;
static struct checker *checker;
static struct history_record records[LOG_MAX];
static bool dropped[LOG_MAX]; // it failed for lack of memory, or was cancelled, and had no effect
static size_t record_count;
static uint32_t virtual_thread;
static char labels[SCHED_THREADS][PLAN_OPS][32];
static uint64_t last_seed;             // also chooses who stops and which allocations fail
static unsigned stopped_thread;        // of the last run; SCHED_CONTEXTS: none
static struct lfset_cancel *everybody; // what PLAN_CANCEL cancels; the parent of:
static struct lfset_cancel *tokens[SCHED_THREADS]; // each sleeper's
static const struct plan_op
    *waits_for[SCHED_THREADS]; // what the thread waits for; NULL: it does not

int execute_open(void)
{
    int error = arena_open();
    if (!error) {
        error = sched_open();
    }
    checker = checker_create();
    if (error || !checker || !lfset__thread_attach()) {
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

bool execute_key_name(uint64_t key, char *name, size_t size)
{
    for (unsigned i = 0; plan && i < plan->keys; i++) {
        if (keys[i] == key) {
            snprintf(name, size, "k%u", i);
            return true;
        }
    }
    return false;
}

/* ---- logging ------------------------------------------------------------------------------------ */

static size_t log_begin(uint32_t thread, enum history_op op, uint64_t value)
{
    if (record_count == LOG_MAX) {
        sched_fail("the explorer's log is full");
    }
    dropped[record_count] = false;
    records[record_count] = (struct history_record){
        .thread = thread,
        .op = (uint8_t)op,
        .value = value,
        .invoke = sched_clock(),
        .ret = HISTORY_PENDING,
    };
    return record_count++;
}

/* Several results of one call are as many operations of as many threads. */
static uint32_t another_thread(void)
{
    return FIRST_VIRTUAL_THREAD + virtual_thread++;
}

static void log_end(size_t record, uint64_t ret, int64_t result)
{
    if (result == -ENOMEM && plan->enomem) {
        dropped[record] = true;
    } else if (result < 0) {
        sched_fail("the call returned %lld", (long long)result);
    } else {
        records[record].result = result != 0;
    }
    records[record].ret = ret;
}

/* ---- operations --------------------------------------------------------------------------------- */

struct visited {
    uint64_t keys[KEYS_MAX];
    size_t count;
};

static int visit(uint64_t key, void *ctx)
{
    struct visited *visited = ctx;
    if (visited->count == KEYS_MAX) {
        sched_fail("an iteration visits too many keys");
    }
    visited->keys[visited->count++] = key;
    return 0;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void log_answer(size_t record, const uint64_t *answer, size_t count)
{
    int error = history_add_set(&history, answer, count, &records[record].value);
    if (error) {
        sched_fail(error == -EINVAL ? "a key occurs twice in the answer" : "no memory for a log");
    }
}

static void read_snapshot(struct lfset_u64_snapshot *snapshot, size_t record, uint64_t ret)
{
    uint64_t copy[KEYS_MAX];
    bool inject = sched_may_inject();
    sched_set_inject(false);
    int64_t count = lfset_u64_snapshot_copy(snapshot, copy, KEYS_MAX);
    sched_set_inject(inject);
    if (count < 0 || count != lfset_u64_snapshot_count(snapshot)) {
        sched_fail("a snapshot counts %lld keys and copies %lld",
                   (long long)lfset_u64_snapshot_count(snapshot), (long long)count);
    }
    for (unsigned i = 0; i < plan->keys; i++) {
        bool found = count && bsearch(&keys[i], copy, (size_t)count, sizeof *copy, by_value);
        if (lfset_u64_snapshot_contains(snapshot, keys[i]) != found) {
            sched_fail("a snapshot's contains and copy differ about k%u", i);
        }
    }
    log_answer(record, copy, (size_t)count);
    lfset_u64_snapshot_destroy(snapshot);
    records[record].ret = ret;
}

static void do_each(void)
{
    struct visited visited = {.count = 0};
    uint64_t invoke = sched_clock();
    int result = lfset_u64_each(set, visit, &visited, NULL);
    uint64_t ret = sched_clock();
    if (result == -ENOMEM && plan->enomem) {
        return;
    }
    if (result != 0) {
        sched_fail("each returned %d", result);
    }
    qsort(visited.keys, visited.count, sizeof *visited.keys, by_value);
    for (size_t i = 0; i < visited.count; i++) {
        if (i > 0 && visited.keys[i] == visited.keys[i - 1]) {
            sched_fail("each visits key %llu twice", (unsigned long long)visited.keys[i]);
        }
        size_t record = log_begin(another_thread(), HISTORY_CONTAINS, visited.keys[i]);
        records[record].invoke = invoke;
        records[record].ret = ret;
        records[record].result = 1;
    }
    for (size_t i = 0; i < initial_count; i++) {
        if (stays[i] &&
            !bsearch(&initial[i], visited.keys, visited.count, sizeof *initial, by_value)) {
            sched_fail("each misses key %llu, which was there all the time",
                       (unsigned long long)initial[i]);
        }
    }
}

static void do_many(const struct plan_op *op)
{
    static const enum history_op single[] = {HISTORY_ADD, HISTORY_REMOVE, HISTORY_CONTAINS};
    uint64_t batch[PLAN_KEYS];
    int8_t results[PLAN_KEYS];
    size_t first[PLAN_KEYS];
    for (unsigned i = 0; i < op->count; i++) {
        batch[i] = keys[(op->key + i) % plan->keys];
        first[i] = log_begin(another_thread(), single[op->kind - PLAN_ADD_MANY], batch[i]);
    }
    int64_t total = op->kind == PLAN_ADD_MANY ? lfset_u64_add_many(set, batch, op->count, results)
                    : op->kind == PLAN_REMOVE_MANY
                        ? lfset_u64_remove_many(set, batch, op->count, results)
                        : lfset_u64_contains_many(set, batch, op->count, results);
    uint64_t ret = sched_clock();
    int64_t sum = 0;
    bool failed = false;
    for (unsigned i = 0; i < op->count; i++) {
        log_end(first[i], ret, results[i]);
        sum += results[i] > 0;
        failed = failed || results[i] < 0;
    }
    if (total != (failed ? -ENOMEM : sum)) {
        sched_fail("the call returned %lld, its results say %lld", (long long)total,
                   (long long)sum);
    }
}

static int64_t do_stats(void)
{
    struct lfset_stats stats = {.size = sizeof stats};
    int result = lfset_u64_stats_read(set, &stats);
    return result < 0 ? result : lfset_u64_size_estimate(set) < 0 ? -EIO : 0;
}

static struct lfset_cancel *new_token(const struct lfset_cancel *parent)
{
    struct lfset_cancel *token = NULL;
    if (lfset_cancel_create(&token, parent, LFSET_NO_DEADLINE) != 0) {
        sched_fail("no memory for a token");
    }
    return token;
}

static int call_wait(const struct plan_op *op, const struct lfset_cancel *cancel)
{
    return op->kind == PLAN_WAIT_EMPTY     ? lfset_u64_wait_empty(set, cancel)
           : op->kind == PLAN_WAIT_PRESENT ? lfset_u64_wait_present(set, keys[op->key], cancel)
                                           : lfset_u64_wait_absent(set, keys[op->key], cancel);
}

/* A wait that ended saw at one instant what contains or is_empty would have seen. */
static int do_wait(unsigned thread, const struct plan_op *op)
{
    bool empty = op->kind == PLAN_WAIT_EMPTY;
    size_t record =
        log_begin(thread, empty ? HISTORY_IS_EMPTY : HISTORY_CONTAINS, empty ? 0 : keys[op->key]);
    tokens[thread] = new_token(everybody);
    waits_for[thread] = op;
    int result = call_wait(op, tokens[thread]);
    uint64_t ret = sched_clock();
    waits_for[thread] = NULL;
    if (result == -ECANCELED && lfset_cancel_check(tokens[thread]) == -ECANCELED) {
        dropped[record] = true;
        records[record].ret = ret;
    } else {
        log_end(record, ret, result < 0 ? result : op->kind != PLAN_WAIT_ABSENT);
    }
    lfset_cancel_destroy(tokens[thread]);
    return result;
}

static bool holds_now(const struct plan_op *op)
{
    return op->kind == PLAN_WAIT_EMPTY
               ? lfset_u64_is_empty(set) == 1
               : lfset_u64_contains(set, keys[op->key]) == (op->kind == PLAN_WAIT_PRESENT);
}

/* All others are done. Nobody may be asleep whose wait has an end; the others are cancelled, one by one,
 * and do what is left to them. */
static void judge_sleepers(void)
{
    sched_set_doing("judgement: sleepers");
    unsigned sleeper = SCHED_THREADS;
    for (unsigned t = plan->threads; t-- > 0;) {
        if (!sched_sleeps(t)) {
            continue;
        }
        if (holds_now(waits_for[t])) {
            sched_fail("%s sleeps for ever in %s, which holds", sched_thread_name(t),
                       sched_doing(t));
        }
        if (lfset_cancel_check(tokens[t]) != 0) {
            sched_fail("%s sleeps for ever in %s, which is cancelled", sched_thread_name(t),
                       sched_doing(t));
        }
        sleeper = t;
    }
    (void)lfset_cancel_now(tokens[sleeper]);
    if (sched_sleeps(sleeper)) {
        sched_fail("%s is cancelled and sleeps on", sched_thread_name(sleeper));
    }
}

static void do_op(unsigned thread, const struct plan_op *op, struct late *late,
                  unsigned *late_count)
{
    uint64_t key = keys[op->key], popped = 0;
    struct lfset_u64_snapshot *snapshot = NULL;
    int64_t result = 0;
    size_t record;
    switch ((enum plan_op_kind)op->kind) {
    case PLAN_ADD:
        record = log_begin(thread, HISTORY_ADD, key);
        result = lfset_u64_add(set, key);
        log_end(record, sched_clock(), result);
        break;
    case PLAN_REMOVE:
        record = log_begin(thread, HISTORY_REMOVE, key);
        result = lfset_u64_remove(set, key);
        log_end(record, sched_clock(), result);
        break;
    case PLAN_CONTAINS:
        record = log_begin(thread, HISTORY_CONTAINS, key);
        result = lfset_u64_contains(set, key);
        log_end(record, sched_clock(), result);
        break;
    case PLAN_POP:
        record = log_begin(thread, HISTORY_POP, 0);
        result = lfset_u64_pop(set, &popped);
        records[record].value = popped;
        log_end(record, sched_clock(), result);
        break;
    case PLAN_SNAPSHOT:
    case PLAN_DRAIN:
        record = log_begin(thread, op->kind == PLAN_DRAIN ? HISTORY_DRAIN : HISTORY_SNAPSHOT, 0);
        result = op->kind == PLAN_DRAIN ? lfset_u64_drain(set, &snapshot, NULL)
                                        : lfset_u64_snapshot_take(set, &snapshot, NULL);
        if (snapshot && result == 0) {
            uint64_t ret = sched_clock();
            if (plan->late) {
                // pending in the history until it is read
                late[(*late_count)++] = (struct late){snapshot, record, ret};
            } else {
                read_snapshot(snapshot, record, ret);
            }
        } else {
            log_end(record, sched_clock(), result ? result : -EIO);
        }
        break;
    case PLAN_CLEAR:
        record = log_begin(thread, HISTORY_CLEAR, 0);
        result = lfset_u64_clear(set, NULL);
        log_end(record, sched_clock(), result < 0 ? result : 1);
        break;
    case PLAN_SIZE:
        record = log_begin(thread, HISTORY_SIZE, 0);
        result = lfset_u64_size(set, NULL);
        records[record].value = (uint64_t)result;
        log_end(record, sched_clock(), result);
        break;
    case PLAN_IS_EMPTY:
        record = log_begin(thread, HISTORY_IS_EMPTY, 0);
        result = lfset_u64_is_empty(set);
        log_end(record, sched_clock(), result);
        break;
    case PLAN_EACH:
        do_each();
        break;
    case PLAN_RESERVE:
        result = lfset_u64_reserve(set, 6 + 10u * op->key, NULL);
        if (result != 0 && !(result == -ENOMEM && plan->enomem)) {
            sched_fail("reserve returned %lld", (long long)result);
        }
        break;
    case PLAN_ADD_MANY:
    case PLAN_REMOVE_MANY:
    case PLAN_CONTAINS_MANY:
        do_many(op);
        break;
    case PLAN_STATS:
        if (do_stats() < 0) {
            sched_fail("the statistics cannot be read");
        }
        break;
    case PLAN_DETACH:
        if (lfset_thread_detach() != 0) {
            sched_fail("detach failed");
        }
        break;
    case PLAN_BARRIER:
        if (lfset_barrier() != 0) {
            sched_fail("barrier failed");
        }
        break;
    case PLAN_WAIT_PRESENT:
    case PLAN_WAIT_ABSENT:
    case PLAN_WAIT_EMPTY:
        result = do_wait(thread, op);
        break;
    case PLAN_CANCEL:
        result = lfset_cancel_now(everybody);
        break;
    case PLAN_OP_KINDS:
        break;
    }
    sched_note("  = %lld%s", (long long)result, plan->enomem && result == -ENOMEM ? " ENOMEM" : "");
}

static void body(unsigned thread)
{
    struct late late[LATE_MAX];
    unsigned late_count = 0;
    sched_set_inject(plan->enomem != 0);
    if (plan->section[thread] && lfset_section_enter() != 0) {
        sched_fail("a section cannot be entered");
    }
    for (unsigned i = 0; i < plan->ops[thread]; i++) {
        sched_set_doing(labels[thread][i]);
        sched_point();
        if (plan->scan && lfset__self) {
            seam_scan_at_next_retire(lfset__self);
        }
        sched_note("%s", labels[thread][i]);
        do_op(thread, &plan->op[thread][i], late, &late_count);
    }
    sched_set_doing("its last acts");
    if (plan->section[thread] && lfset_section_leave() != 0) {
        sched_fail("a section cannot be left");
    }
    for (unsigned i = 0; i < late_count; i++) {
        read_snapshot(late[i].snapshot, late[i].record, late[i].ret);
    }
}

/* ---- setup -------------------------------------------------------------------------------------- */

static struct lfset__set *base(void)
{
    return (struct lfset__set *)(void *)set;
}

static void reset(void)
{
    sched_reset();
    grace_reset();
    seam_reset();
    history_reset(&history);
    record_count = 0;
    virtual_thread = 0;
    lfset__self = main_record;
    lfset__local = (struct lfset__local){0};
    atomic_store_explicit(&main_record->in_use, true, memory_order_relaxed);
    for (unsigned i = 0; plan && i < plan->threads; i++) {
        sched_set_self(i, plan->attached[i] ? thread_records[i] : NULL);
        atomic_store_explicit(&thread_records[i]->in_use, plan->attached[i], memory_order_relaxed);
    }
}

/* So that a run begins with nothing retired. */
static void settle(void)
{
    while (grace_ready()) {
        grace_run_one();
    }
    seam_scan_everything();
}

static bool can_be_removed(uint64_t key)
{
    for (unsigned t = 0; t < plan->threads; t++) {
        for (unsigned i = 0; i < plan->ops[t]; i++) {
            const struct plan_op *op = &plan->op[t][i];
            if (op->kind == PLAN_POP || op->kind == PLAN_DRAIN || op->kind == PLAN_CLEAR ||
                (op->kind == PLAN_REMOVE && keys[op->key] == key)) {
                return true;
            }
            for (unsigned k = 0; op->kind == PLAN_REMOVE_MANY && k < op->count; k++) {
                if (keys[(op->key + k) % plan->keys] == key) {
                    return true;
                }
            }
        }
    }
    return false;
}

static void build(void *arg)
{
    (void)arg;
    sched_set_doing("setup");
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = plan->domain;
    options.capacity = plan->capacity;
    options.allocator = &arena_allocator;
    options.seed = random_start(plan->seed, 3);
    if (lfset_u64_create(&set, &options) != 0) {
        sched_fail("create failed");
    }
    if (plan->lower_floor && lfset_u64_reserve(set, 1, NULL) != 0) {
        sched_fail("reserve failed");
    }
    const struct lfset__slice *root = atomic_load(&base()->root);
    uint64_t inverse = root->inverse;
    for (unsigned i = 0; i < plan->keys; i++) {
        keys[i] = plan->key_hash[i] * inverse;
    }
    for (unsigned i = 0; i < plan->prefills; i++) {
        uint64_t key = plan->prefill[i].hash * inverse;
        if (lfset_u64_add(set, key) != 1 ||
            (!plan->prefill[i].live && lfset_u64_remove(set, key) != 1)) {
            // a prefill may name a key twice; then the first stands
        }
    }
    struct late late[LATE_MAX];
    for (unsigned i = 0; i < plan->warms; i++) {
        unsigned late_count = 0;
        do_op(0, &plan->warm[i], late, &late_count);
        if (late_count) {
            read_snapshot(late[0].snapshot, late[0].record, late[0].ret);
        }
    }
    settle();
    struct visited visited = {.count = 0};
    (void)lfset_u64_each(set, visit, &visited, NULL);
    memcpy(initial, visited.keys, visited.count * sizeof *initial);
    initial_count = visited.count;
    for (size_t i = 0; i < initial_count; i++) {
        stays[i] = !can_be_removed(initial[i]);
    }
    settle();
    arena_save();
}

bool execute_prepare(const struct plan *given)
{
    plan = given;
    for (unsigned t = 0; t < plan->threads; t++) {
        for (unsigned i = 0; i < plan->ops[t]; i++) {
            FILE *text = fmemopen(labels[t][i], sizeof labels[t][i], "w");
            if (text) {
                plan_print_op(&plan->op[t][i], text);
                fclose(text);
            }
        }
    }
    initial_count = 0; // what a warm `each` may expect
    for (unsigned i = 0; i < SCHED_CONTEXTS; i++) {
        estimate[i] = i == SCHED_MAIN ? 0 : 10;
    }
    reset();
    arena_reset();
    arena_reuse(false);
    if (!sched_guard(build, NULL) || !execute(SCHED_SERIAL, 0)) {
        return false;
    }
    for (unsigned i = 0; i < SCHED_MAIN; i++) {
        estimate[i] = sched_result.thread_steps[i];
    }
    return true;
}

/* ---- judgement ---------------------------------------------------------------------------------- */

static void judge_garbage(void)
{
    bool hp = plan->domain == LFSET_HP;
    if (hp) {
        seam_scan_everything();
    } else {
        while (grace_ready()) {
            grace_run_one();
        }
    }
    size_t left = atomic_load(hp ? &lfset__hp_account.objects : &lfset__rcu_account.objects);
    if (stopped_thread == SCHED_CONTEXTS) {
        if (left != 0) {
            sched_fail("%zu retired objects are never reclaimed", left);
        }
        return;
    }
    // One that stopped in a scan holds what it took; that is at most what hazards had named then.
    if (hp && left > LFSET_HP_SLOTS * (plan->threads + 2)) {
        sched_fail("one stopped thread holds back %zu objects", left);
    }
}

static void judge_structure(void)
{
    const char *reason = NULL;
    if (lfset_u64_validate(set, &reason) == 1) {
        return;
    }
    // a thread may stop between a change and its count
    if (stopped_thread == SCHED_CONTEXTS || strcmp(reason, "the sampled counts are wrong") != 0) {
        sched_fail("validate: %s", reason);
    }
}

static void log_final_contents(void)
{
    uint32_t thread = another_thread();
    if (plan->final_snapshot) {
        struct lfset_u64_snapshot *snapshot = NULL;
        size_t record = log_begin(thread, HISTORY_SNAPSHOT, 0);
        if (lfset_u64_snapshot_take(set, &snapshot, NULL) != 0) {
            sched_fail("the last snapshot failed");
        }
        read_snapshot(snapshot, record, sched_clock());
        judge_structure();
        return;
    }
    struct visited visited = {.count = 0};
    size_t record = log_begin(thread, HISTORY_SNAPSHOT, 0);
    int result = lfset_u64_each(set, visit, &visited, NULL);
    if (result != 0) {
        sched_fail("the last iteration returned %d", result);
    }
    log_answer(record, visited.keys, visited.count);
    records[record].ret = sched_clock();
}

static void fill_history(void)
{
    for (size_t i = 0; i < record_count; i++) {
        // One that failed for lack of memory and returned did nothing.
        if (!dropped[i] && history_add(&history, &records[i]) != 0) {
            sched_fail("no memory for the history");
        }
    }
}

static void judge_history(void)
{
    struct checker_result result;
    if (checker_run(checker, &history, NULL, &result) != 0) {
        sched_fail("the checker refuses the history");
    }
    if (result.verdict != CHECKER_LINEARIZABLE) {
        sched_fail("the history is not linearizable (%s)", checker_verdict_name(result.verdict));
    }
}

static struct execute_coverage so_far(void)
{
    const struct lfset__set *s = base();
    return (struct execute_coverage){
        .grows = atomic_load(&s->grows),
        .purges = atomic_load(&s->purges),
        .shrinks = atomic_load(&s->shrinks),
        .rehashes = atomic_load(&s->rehashes),
        .snapshots = atomic_load(&s->snapshots),
        .clears = atomic_load(&s->clears),
        .freed_blocks = arena_block_count - arena_live_count,
    };
}

static void add_coverage(const struct execute_coverage *before)
{
    struct execute_coverage after = so_far(), *sum = &execute_coverage;
    sum->grows += after.grows - before->grows;
    sum->purges += after.purges - before->purges;
    sum->shrinks += after.shrinks - before->shrinks;
    sum->rehashes += after.rehashes - before->rehashes;
    sum->snapshots += after.snapshots - before->snapshots;
    sum->clears += after.clears - before->clears;
    sum->freed_blocks += after.freed_blocks - before->freed_blocks;
    sum->failed_allocations += arena_failures();
    sum->stopped_threads += stopped_thread != SCHED_CONTEXTS;
    sum->preemptions += sched_result.preemptions;
    sum->sleeps += sched_result.sleeps;
}

static void run_and_judge(void *arg)
{
    const struct sched_options *options = arg;
    if (history_set_initial(&history, initial, initial_count) != 0) {
        sched_fail("the set holds a key twice before the threads start");
    }
    struct execute_coverage before = so_far();
    everybody = new_token(NULL);
    sched_run(options);
    lfset_cancel_destroy(everybody);
    stopped_thread = SCHED_CONTEXTS;
    for (unsigned i = 0; i < plan->threads; i++) {
        if (sched_result.stopped[i]) {
            stopped_thread = i;
        }
    }
    add_coverage(&before);
    sched_set_doing("judgement: garbage");
    judge_garbage();
    sched_set_doing("judgement: structure");
    judge_structure();
    sched_set_doing("judgement: final contents");
    log_final_contents();
    sched_set_doing("judgement: history");
    fill_history();
    judge_history();
    if (stopped_thread != SCHED_CONTEXTS) {
        return; // its references are never dropped
    }
    sched_set_doing("destroy");
    if (plan->domain == LFSET_RCU) {
        while (grace_ready()) {
            grace_run_one();
        }
    }
    if (lfset_u64_destroy(set) != 0) {
        sched_fail("destroy failed");
    }
    if (arena_live_count != 0) {
        sched_fail("%u blocks are never freed", arena_live_count);
    }
}

static bool run(struct sched_options *options)
{
    reset();
    arena_restore();
    arena_reuse(plan->reuse);
    arena_inject(plan->enomem, random_start(options->seed, 4));
    options->threads = plan->threads;
    options->body = body;
    options->idle = judge_sleepers;
    options->stopped = -1;
    memcpy(options->estimate, estimate, sizeof estimate);
    int32_t total = 0;
    for (unsigned i = 0; i < SCHED_MAIN; i++) {
        total += estimate[i];
    }
    options->limit = options->strategy == SCHED_SERIAL ? 1 << 22 : 50 * total + 50000;
    uint64_t random = random_start(options->seed, 5);
    if (plan->stop && options->strategy != SCHED_SERIAL) {
        unsigned thread = random_below(&random, plan->threads);
        options->stopped = (int)thread;
        options->stopped_at = (int32_t)random_below(&random, (uint32_t)estimate[thread] + 1);
    }
    return sched_guard(run_and_judge, options);
}

bool execute(enum sched_strategy strategy, uint64_t seed)
{
    struct sched_options options = {.strategy = strategy, .seed = seed};
    last_seed = seed;
    return run(&options);
}

bool execute_segments(const struct sched_segment *segments, size_t count)
{
    struct sched_options options = {
        .strategy = SCHED_FIXED,
        .seed = last_seed,
        .segments = segments,
        .segment_count = count,
    };
    return run(&options);
}

void execute_print_history(FILE *file)
{
    if (history.count == 0) { // the run ended before it was judged
        for (size_t i = 0; i < record_count; i++) {
            if (!dropped[i] && history_add(&history, &records[i]) != 0) {
                return;
            }
        }
    }
    char name[8];
    for (unsigned i = 0; i < plan->keys; i++) {
        if (execute_key_name(keys[i], name, sizeof name)) {
            fprintf(file, "# %s is %llu\n", name, (unsigned long long)keys[i]);
        }
    }
    history_write_text(&history, file);
}

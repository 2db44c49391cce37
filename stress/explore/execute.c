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
#include "explore/objects.h"
#include "explore/random.h"
#include "explore/seam.h"
#include "explore/subject.h"
#include "lfset/cancel.h"
#include "reclaim/hp.h"
#include "reclaim/rcu.h"
#include "set/slice.h"

enum {
    LOG_MAX = 4096,
    LATE_MAX = PLAN_OPS,
    FIRST_VIRTUAL_THREAD = 16,
    DESTROY_USES = 3, // an object that is added may be destroyed in turn
};

/* A snapshot, or what was cloned, that nobody has looked at yet. */
struct late {
    void *snapshot, *clone;
    size_t record;
    uint64_t ret;
    bool drained;
};
struct lates {
    struct late late[SCHED_THREADS * LATE_MAX];
    unsigned count;
};

struct execute_record execute_records[SCHED_CONTEXTS];

struct execute_coverage execute_coverage;

static struct lfset__thread *main_record, *thread_records[SCHED_THREADS];
static const struct plan *plan;
static const struct subject *subject;
static void *set;
static uint64_t keys[PLAN_KEYS];
static uint64_t initial[SUBJECT_KEYS];
static size_t initial_count;
static uint64_t candidates[2 * SUBJECT_KEYS]; // that may be in the set
static size_t candidate_count;
static struct lates outliving;     // to be looked at after all else
static unsigned destroy_uses_left; // what the destroy callbacks of a run may do with the set
static bool stays[SUBJECT_KEYS];   // initial[i] is removed by no operation of the plan
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

bool execute_word_key(const struct lfset__slice *slice, size_t index, uint64_t word, uint64_t *key)
{
    return subject->word_key(slice, index, word, key);
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

void subject_show(struct subject_keys *shown, uint64_t key)
{
    if (shown->count == SUBJECT_KEYS) {
        sched_fail("too many keys are shown");
    }
    shown->keys[shown->count++] = key;
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

static void read_snapshot(const struct late *late)
{
    struct subject_keys copy = {.since = records[late->record].invoke};
    bool inject = sched_may_inject();
    sched_set_inject(false);
    int64_t count = subject->snapshot_copy(late->snapshot, &copy, late->drained ? late->ret : 0);
    sched_set_inject(inject);
    if (count < 0 || count != subject->snapshot_count(late->snapshot)) {
        sched_fail("a snapshot counts %lld keys and copies %lld",
                   (long long)subject->snapshot_count(late->snapshot), (long long)count);
    }
    for (size_t i = 1; i < copy.count; i++) {
        if (copy.keys[i - 1] >= copy.keys[i]) {
            sched_fail("a snapshot is not in order");
        }
    }
    for (unsigned i = 0; i < plan->keys; i++) {
        bool found =
            copy.count && bsearch(&keys[i], copy.keys, copy.count, sizeof *copy.keys, by_value);
        if (subject->snapshot_contains(late->snapshot, keys[i]) != found) {
            sched_fail("a snapshot's contains and copy differ about k%u", i);
        }
    }
    log_answer(late->record, copy.keys, copy.count);
    subject->snapshot_destroy(late->snapshot);
    records[late->record].ret = late->ret;
}

/* It shares with the set, and is independent of it. */
static void use_clone(void *clone, struct subject_keys *copy)
{
    bool inject = sched_may_inject();
    sched_set_inject(false);
    qsort(copy->keys, copy->count, sizeof *copy->keys, by_value);
    size_t count = copy->count;
    for (unsigned i = 0; i < plan->keys; i++) {
        bool was =
            copy->count && bsearch(&keys[i], copy->keys, copy->count, sizeof *copy->keys, by_value);
        count += !was;
        if (subject->remove(clone, keys[i]) != was || subject->add(clone, keys[i]) != 1) {
            sched_fail("k%u is not removed from a clone, or not added to it", i);
        }
    }
    if (subject->purge && subject->purge(clone) < 0) {
        sched_fail("a clone is not purged");
    }
    if (subject->size(clone) != (int64_t)count) {
        sched_fail("the size of a clone is not %zu", count);
    }
    sched_set_inject(inject);
}

static void read_clone(const struct late *late)
{
    struct subject_keys copy = {.since = records[late->record].invoke};
    int result = subject->each(late->clone, &copy);
    if (result != 0) {
        sched_fail("each of a clone returned %d", result);
    }
    const char *reason = NULL;
    if (subject->validate(late->clone, &reason) != 1) {
        sched_fail("validate of a clone: %s", reason);
    }
    log_answer(late->record, copy.keys, copy.count);
    use_clone(late->clone, &copy);
    // where a thread stopped in a section, what the clone retired stays for ever
    if (stopped_thread == SCHED_CONTEXTS && subject->destroy(late->clone) != 0) {
        sched_fail("a clone's destroy failed");
    }
    records[late->record].ret = late->ret;
}

static void read_late(const struct late *late)
{
    if (late->clone) {
        read_clone(late);
    } else {
        read_snapshot(late);
    }
}

static void read_all(struct lates *lates)
{
    for (unsigned i = 0; i < lates->count; i++) {
        read_late(&lates->late[i]);
    }
    lates->count = 0;
}

static void do_each(void)
{
    uint64_t invoke = sched_clock();
    struct subject_keys visited = {.since = invoke};
    int result = subject->each(set, &visited);
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
    int64_t total = op->kind == PLAN_ADD_MANY ? subject->add_many(set, batch, op->count, results)
                    : op->kind == PLAN_REMOVE_MANY
                        ? subject->remove_many(set, batch, op->count, results)
                        : subject->contains_many(set, batch, op->count, results);
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

/* What a call knows of one key, apart from what else it tells. */
static void log_key(enum history_op op, uint64_t key, int result, uint64_t invoke, uint64_t ret)
{
    size_t record = log_begin(another_thread(), op, key);
    records[record].invoke = invoke;
    records[record].result = (uint8_t)result;
    records[record].ret = ret;
}

/* Few enough that the checker need not try many orders of what may have happened to each. */
enum { RANGE_MOST = 6 };

/* Calls what concerns so many keys of the range, or all that there may be. Each key has an instant of its
 * own. Unless all or none of them changed it is not known which did: of each it is known only that it may
 * have changed, and is as asked for at one instant. */
static int64_t do_members(enum history_op op, const uint64_t *members, size_t count, uint64_t first,
                          uint64_t last)
{
    size_t record[RANGE_MOST];
    uint64_t invoke = sched_clock();
    for (size_t i = 0; i < count; i++) {
        record[i] = log_begin(another_thread(), op, members[i]);
    }
    int64_t changed = op == HISTORY_ADD      ? subject->add_range(set, first, last)
                      : op == HISTORY_REMOVE ? subject->remove_range(set, first, last)
                                             : subject->count_range(set, first, last);
    uint64_t ret = sched_clock();
    if (changed > (int64_t)count || (changed < 0 && !(changed == -ENOMEM && plan->enomem))) {
        sched_fail("the call returned %lld", (long long)changed);
    }
    for (size_t i = 0; i < count; i++) {
        if (changed == 0 || changed == (int64_t)count) {
            records[record[i]].result = changed > 0;
            records[record[i]].ret = ret;
        } else if (op == HISTORY_CONTAINS) {
            dropped[record[i]] = true;
        } else if (changed > 0) {
            log_key(HISTORY_CONTAINS, members[i], op == HISTORY_ADD, invoke, ret);
        }
    }
    return changed;
}

static int64_t do_range(const struct plan_op *op)
{
    uint64_t first = keys[op->key], members[RANGE_MOST];
    for (uint32_t i = 0; i < plan_width(op); i++) {
        members[i] = first + i;
    }
    enum history_op single = op->kind == PLAN_ADD_RANGE     ? HISTORY_ADD
                             : op->kind == PLAN_COUNT_RANGE ? HISTORY_CONTAINS
                                                            : HISTORY_REMOVE;
    if (op->kind == PLAN_REMOVE_ALL && candidate_count > 0 && candidate_count <= RANGE_MOST) {
        return do_members(single, candidates, candidate_count, 0, UINT64_MAX);
    }
    return do_members(single, members, plan_width(op), first, first + plan_width(op) - 1);
}

/* What is found was there, or not, at an instant, and each that would have been better was not. */
static int do_seek(const struct plan_op *op)
{
    enum subject_seek seek = op->count % 4;
    uint64_t from = keys[op->key], found = 0, invoke = sched_clock();
    if (op->count % 3 == 0 && from > 0) {
        from--;
    }
    int result = subject->seek(set, seek, from, &found);
    uint64_t ret = sched_clock();
    if (result < 0) {
        if (result != -ENOMEM || !plan->enomem) {
            sched_fail("the call returned %d", result);
        }
        return result;
    }
    uint64_t low = seek == SUBJECT_MIN ? 0 : seek == SUBJECT_MAX && result ? found + 1 : from;
    uint64_t high = seek == SUBJECT_MAX || !result ? UINT64_MAX : found - 1;
    if (seek == SUBJECT_MAX && !result) {
        low = 0;
    }
    bool clear = seek == SUBJECT_NEXT_CLEAR;
    if (result) {
        log_key(HISTORY_CONTAINS, found, !clear, invoke, ret);
    }
    if (clear && (!result || found < from || found - from > SUBJECT_KEYS)) {
        sched_fail("next_clear answers %d, %llu from %llu on", result, (unsigned long long)found,
                   (unsigned long long)from);
    }
    for (uint64_t key = from; clear && key < found; key++) {
        log_key(HISTORY_CONTAINS, key, 1, invoke, ret);
    }
    for (size_t i = 0; !clear && i < candidate_count; i++) {
        if (candidates[i] >= low && candidates[i] <= high &&
            !(result && found == 0 && seek != SUBJECT_MAX)) {
            log_key(HISTORY_CONTAINS, candidates[i], 0, invoke, ret);
        }
    }
    return result;
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
    return op->kind == PLAN_WAIT_EMPTY     ? subject->wait_empty(set, cancel)
           : op->kind == PLAN_WAIT_PRESENT ? subject->wait_present(set, keys[op->key], cancel)
                                           : subject->wait_absent(set, keys[op->key], cancel);
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
               ? subject->is_empty(set) == 1
               : subject->contains(set, keys[op->key]) == (op->kind == PLAN_WAIT_PRESENT);
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

/* What hands out references wants a section. @return whether it has one of its own now. */
static bool enter_section(enum plan_op_kind kind)
{
    if (!subject->sections || (kind != PLAN_GET && kind != PLAN_ADD_OR_GET && kind != PLAN_POP) ||
        (lfset__self && lfset__self->sections > 0)) {
        return false;
    }
    if (lfset_section_enter() != 0) {
        sched_fail("a section cannot be entered");
    }
    return true;
}

static void leave_section(void)
{
    sched_point();
    objects_let_go();
    if (lfset_section_leave() != 0) {
        sched_fail("a section cannot be left");
    }
}

static int do_key(unsigned thread, enum plan_op_kind kind, uint64_t key)
{
    enum history_op op = kind == PLAN_ADD || kind == PLAN_ADD_OR_GET ? HISTORY_ADD
                         : kind == PLAN_REMOVE                       ? HISTORY_REMOVE
                                                                     : HISTORY_CONTAINS;
    size_t record = log_begin(thread, op, key);
    int result = kind == PLAN_ADD          ? subject->add(set, key)
                 : kind == PLAN_REMOVE     ? subject->remove(set, key)
                 : kind == PLAN_ADD_OR_GET ? subject->add_or_get(set, key)
                 : kind == PLAN_GET        ? subject->get(set, key)
                                           : subject->contains(set, key);
    log_end(record, sched_clock(), result);
    return result;
}

void execute_from_destroy(void)
{
    if (destroy_uses_left > 0 && plan->destroy != PLAN_DESTROY_ONLY) {
        destroy_uses_left--;
        (void)do_key(another_thread(), plan->destroy == PLAN_DESTROY_ADD ? PLAN_ADD : PLAN_CONTAINS,
                     keys[plan->destroy_key]);
    }
}

/* Pending in the history until it is looked at. */
static int do_take(unsigned thread, enum plan_op_kind kind, struct lates *lates)
{
    bool drain = kind == PLAN_DRAIN;
    struct late late = {.drained = drain};
    late.record = log_begin(thread, drain ? HISTORY_DRAIN : HISTORY_SNAPSHOT, 0);
    int result = kind == PLAN_CLONE ? subject->clone(set, &late.clone)
                                    : subject->take(set, drain, &late.snapshot);
    late.ret = sched_clock();
    if (result != 0) {
        log_end(late.record, late.ret, result);
    } else if (plan->late || kind == PLAN_CLONE) { // one cannot be destroyed within a section
        lates->late[lates->count++] = late;
    } else {
        read_late(&late);
    }
    return result;
}

static void do_op(unsigned thread, const struct plan_op *op, struct lates *lates)
{
    uint64_t popped = 0;
    int64_t result = 0;
    size_t record;
    enum plan_op_kind kind = op->kind;
    bool entered = enter_section(kind);
    switch (kind) {
    case PLAN_ADD:
    case PLAN_REMOVE:
    case PLAN_CONTAINS:
    case PLAN_GET:
    case PLAN_ADD_OR_GET:
        result = do_key(thread, kind, keys[op->key]);
        break;
    case PLAN_POP:
        record = log_begin(thread, HISTORY_POP, 0);
        result = subject->pop(set, &popped);
        records[record].value = popped;
        log_end(record, sched_clock(), result);
        break;
    case PLAN_SNAPSHOT:
    case PLAN_DRAIN:
    case PLAN_CLONE:
        result = do_take(thread, kind, lates);
        break;
    case PLAN_CLEAR:
        record = log_begin(thread, HISTORY_CLEAR, 0);
        result = subject->clear(set);
        records[record].value = (uint64_t)result;
        log_end(record, sched_clock(), result);
        records[record].result = HISTORY_CLEAR_COUNTED;
        break;
    case PLAN_SIZE:
        record = log_begin(thread, HISTORY_SIZE, 0);
        result = subject->size(set);
        records[record].value = (uint64_t)result;
        log_end(record, sched_clock(), result);
        break;
    case PLAN_IS_EMPTY:
        record = log_begin(thread, HISTORY_IS_EMPTY, 0);
        result = subject->is_empty(set);
        log_end(record, sched_clock(), result);
        break;
    case PLAN_EACH:
        do_each();
        break;
    case PLAN_RESERVE:
        result = subject->reserve(set, 6 + 10u * op->key);
        if (result != 0 && !(result == -ENOMEM && plan->enomem)) {
            sched_fail("reserve returned %lld", (long long)result);
        }
        break;
    case PLAN_PURGE:
        result = subject->purge(set);
        if (result < 0 && !(result == -ENOMEM && plan->enomem)) {
            sched_fail("purge returned %lld", (long long)result);
        }
        break;
    case PLAN_ADD_MANY:
    case PLAN_REMOVE_MANY:
    case PLAN_CONTAINS_MANY:
        do_many(op);
        break;
    case PLAN_ADD_RANGE:
    case PLAN_REMOVE_RANGE:
    case PLAN_COUNT_RANGE:
    case PLAN_REMOVE_ALL:
        result = do_range(op);
        break;
    case PLAN_SEEK:
        result = do_seek(op);
        break;
    case PLAN_STATS:
        result = subject->look(set);
        if (result < 0) {
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
    if (entered) {
        leave_section();
    }
}

static void body(unsigned thread)
{
    struct lates lates;
    lates.count = 0;
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
        do_op(thread, &plan->op[thread][i], &lates);
    }
    sched_set_doing("its last acts");
    if (plan->section[thread]) {
        leave_section();
    }
    if (plan->outlive) {
        memcpy(&outliving.late[outliving.count], lates.late, lates.count * sizeof *lates.late);
        outliving.count += lates.count;
    } else {
        read_all(&lates);
    }
}

/* ---- setup -------------------------------------------------------------------------------------- */

static struct lfset__set *base(void)
{
    return set;
}

static void reset(void)
{
    sched_reset();
    grace_reset();
    seam_reset();
    history_reset(&history);
    record_count = 0;
    virtual_thread = 0;
    outliving.count = 0;
    destroy_uses_left = 0;
    stopped_thread = SCHED_CONTEXTS;
    lfset__self = main_record;
    lfset__local = (struct lfset__local){0};
    atomic_store_explicit(&main_record->in_use, true, memory_order_relaxed);
    for (unsigned i = 0; plan && i < plan->threads; i++) {
        sched_set_self(i, plan->attached[i] ? thread_records[i] : NULL);
        atomic_store_explicit(&thread_records[i]->in_use, plan->attached[i], memory_order_relaxed);
    }
}

/* Reclaims all that was retired. What is destroyed meanwhile may retire more. */
static void settle(void)
{
    while (grace_ready()) {
        grace_run_one();
    }
    for (int i = 0; i <= DESTROY_USES; i++) {
        seam_scan_everything();
    }
}

/* All keys that may ever be in the set, in order. */
static void list_candidates(void)
{
    candidate_count = 0;
    for (size_t i = 0; i < initial_count; i++) {
        candidates[candidate_count++] = initial[i];
    }
    for (unsigned i = 0; i < plan->keys; i++) {
        for (uint32_t width = 0; width < (subject->seek ? 4 : 1); width++) {
            candidates[candidate_count++] = keys[i] + width;
        }
    }
    qsort(candidates, candidate_count, sizeof *candidates, by_value);
    size_t kept = 0;
    for (size_t i = 0; i < candidate_count; i++) {
        if (kept == 0 || candidates[i] != candidates[kept - 1]) {
            candidates[kept++] = candidates[i];
        }
    }
    candidate_count = kept;
}

static bool can_be_removed(uint64_t key)
{
    for (unsigned t = 0; t < plan->threads; t++) {
        for (unsigned i = 0; i < plan->ops[t]; i++) {
            const struct plan_op *op = &plan->op[t][i];
            if (op->kind == PLAN_POP || op->kind == PLAN_DRAIN || op->kind == PLAN_CLEAR ||
                op->kind == PLAN_REMOVE_ALL || (op->kind == PLAN_REMOVE && keys[op->key] == key) ||
                (op->kind == PLAN_REMOVE_RANGE && key - keys[op->key] < plan_width(op))) {
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

static uint64_t key_of_hash(uint64_t hash)
{
    for (unsigned i = 0; i < plan->keys; i++) {
        if (plan->key_hash[i] == hash) {
            return keys[i];
        }
    }
    return subject->key_at(set, hash, plan->offset);
}

static void build(void *arg)
{
    (void)arg;
    sched_set_doing("setup");
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = plan->domain;
    options.capacity = plan->capacity;
    options.allocator = &arena_allocator;
    options.seed = random_start(subject->seeds ? plan->seed % subject->seeds : plan->seed, 3);
    if (subject->create(&set, &options) != 0) {
        sched_fail("create failed");
    }
    if (plan->lower_floor && subject->reserve(set, 1) != 0) {
        sched_fail("reserve failed");
    }
    for (unsigned i = 0; i < plan->keys; i++) {
        unsigned place = i % plan->share;
        keys[i] =
            subject->key_at(set, plan->key_hash[i - place], plan->offset + place * plan->stride);
    }
    for (unsigned i = 0; i < plan->prefills; i++) {
        uint64_t key = key_of_hash(plan->prefill[i].hash);
        if (subject->add(set, key) != 1 ||
            (!plan->prefill[i].live && subject->remove(set, key) != 1)) {
            // a prefill may name a key twice; then the first stands
        }
    }
    struct lates lates;
    lates.count = 0;
    for (unsigned i = 0; i < plan->warms; i++) {
        do_op(0, &plan->warm[i], &lates);
        read_all(&lates);
    }
    settle();
    struct subject_keys visited = {.count = 0};
    (void)subject->each(set, &visited);
    memcpy(initial, visited.keys, visited.count * sizeof *initial);
    initial_count = visited.count;
    for (size_t i = 0; i < initial_count; i++) {
        stays[i] = !can_be_removed(initial[i]);
    }
    list_candidates();
    settle();
    arena_save();
    objects_save();
}

bool execute_prepare(const struct plan *given)
{
    static const struct subject *const subjects[PLAN_SETS] = {&subject_u64, &subject_obj,
                                                              &subject_bytes, &subject_bitmap};
    plan = given;
    subject = subjects[plan->set];
    for (unsigned t = 0; t < plan->threads; t++) {
        for (unsigned i = 0; i < plan->ops[t]; i++) {
            FILE *text = fmemopen(labels[t][i], sizeof labels[t][i], "w");
            if (text) {
                plan_print_op(&plan->op[t][i], text);
                fclose(text);
            }
        }
    }
    initial_count = candidate_count = 0; // what a warm `each` or `remove_all` may expect
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

/* ---- judgement ---------------------------------------------------------------------------------- */

static void judge_garbage(void)
{
    bool hp = plan->domain == LFSET_HP;
    settle();
    size_t left = atomic_load(hp ? &lfset__hp_account.objects : &lfset__rcu_account.objects);
    size_t bytes = atomic_load(hp ? &lfset__hp_account.bytes : &lfset__rcu_account.bytes);
    if (stopped_thread == SCHED_CONTEXTS) {
        if (left != 0 || bytes != 0) {
            sched_fail("%zu retired objects of %zu bytes are never reclaimed", left, bytes);
        }
        return;
    }
    // One that stopped in a scan holds what it took; that is at most what hazards had named then.
    if (hp && left > LFSET_HP_SLOTS * (plan->threads + 2)) {
        sched_fail("one stopped thread holds back %zu objects", left);
    }
}

/* What a thread may leave behind that stopped between a change and its count, or while it froze. */
static bool is_half_done(const char *reason)
{
    static const char *const reasons[] = {
        "the sampled counts are wrong",
        "the sampled members are not as many as were counted",
        "a region is frozen in part",
    };
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        if (strcmp(reason, reasons[i]) == 0) {
            return true;
        }
    }
    return false;
}

static void judge_structure(void)
{
    const char *reason = NULL;
    if (subject->validate(set, &reason) != 1 &&
        (stopped_thread == SCHED_CONTEXTS || !is_half_done(reason))) {
        sched_fail("validate: %s", reason);
    }
}

static void log_final_contents(void)
{
    size_t record = log_begin(another_thread(), HISTORY_SNAPSHOT, 0);
    if (plan->final_snapshot) {
        struct late late = {.record = record};
        if (subject->take(set, false, &late.snapshot) != 0) {
            sched_fail("the last snapshot failed");
        }
        late.ret = sched_clock();
        read_snapshot(&late);
        judge_structure();
        return;
    }
    struct subject_keys visited = {.since = records[record].invoke};
    int result = subject->each(set, &visited);
    if (result != 0) {
        sched_fail("the last iteration returned %d", result);
    }
    log_answer(record, visited.keys, visited.count);
    records[record].ret = sched_clock();
}

/* Once nothing is left behind that was removed, what the set consists of is known exactly. */
static void judge_memory(void)
{
    if (!subject->blocks) {
        return;
    }
    int result;
    uint64_t destroyed;
    do {
        destroyed = objects_destroyed();
        result = subject->purge(set);
        settle();
    } while (result == 1 || objects_destroyed() != destroyed); // which may have added to the set
    struct subject_keys members = {.since = sched_clock()};
    if (result != 0 || subject->each(set, &members) != 0) {
        sched_fail("the last purge returned %d", result);
    }
    size_t blocks = 2 + subject->blocks(members.keys, members.count); // the set, its slice
    if (arena_live_count != blocks) {
        sched_fail("%u blocks are allocated for %zu keys, instead of %zu", arena_live_count,
                   members.count, blocks);
    }
}

static void judge_destruction(void)
{
    settle();
    destroy_uses_left = 0;
    if (subject->destroy(set) != 0) {
        sched_fail("destroy failed");
    }
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
    sum->destroyed += objects_destroyed();
    sum->references += objects_referenced();
}

static void run_and_judge(void *arg)
{
    const struct sched_options *options = arg;
    if (history_set_initial(&history, initial, initial_count) != 0) {
        sched_fail("the set holds a key twice before the threads start");
    }
    struct execute_coverage before = so_far();
    everybody = new_token(NULL);
    destroy_uses_left = DESTROY_USES;
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
    bool stopped = stopped_thread != SCHED_CONTEXTS; // its references are never dropped
    if (!stopped && outliving.count == 0) {
        sched_set_doing("judgement: memory");
        judge_memory();
    }
    if (!stopped) {
        sched_set_doing("destroy");
        judge_destruction();
    }
    sched_set_doing("judgement: late snapshots");
    destroy_uses_left = 0;
    read_all(&outliving);
    sched_set_doing("judgement: history");
    fill_history();
    judge_history();
    if (!stopped && arena_live_count != 0) {
        sched_fail("%u blocks are never freed", arena_live_count);
    }
}

static bool run(struct sched_options *options)
{
    reset();
    arena_restore();
    objects_restore();
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

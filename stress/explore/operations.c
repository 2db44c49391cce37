// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "explore/operations.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "explore/explored.h"
#include "explore/log.h"
#include "explore/objects.h"
#include "explore/retirement.h"
#include "explore/schedule.h"
#include "explore/seam.h"
#include "lfset/cancel.h"
#include "reclaim/reclaim.h"

enum { LATE_MAX = PLAN_OPS };

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

int32_t operations_starts[SCHED_THREADS][PLAN_OPS];

static struct lates outliving;     // to be looked at after all else
static unsigned destroy_uses_left; // what the destroy callbacks of a run may do with the set
static char labels[SCHED_THREADS][PLAN_OPS][32];
static struct lfset_cancel *everybody;             // what PLAN_CANCEL cancels; the parent of:
static struct lfset_cancel *tokens[SCHED_THREADS]; // each sleeper's
static const struct plan_op
    *waits_for[SCHED_THREADS]; // what the thread waits for; NULL: it does not

void subject_show(struct subject_keys *shown, uint64_t key)
{
    if (shown->count == SUBJECT_KEYS) {
        sched_fail("too many keys are shown");
    }
    shown->keys[shown->count++] = key;
}

static void read_snapshot(const struct late *late)
{
    struct subject_keys copy = {.since = log_at(late->record)->invoke};
    bool inject = sched_may_inject();
    sched_set_inject(false);
    int64_t count =
        explored.subject->snapshot_copy(late->snapshot, &copy, late->drained ? late->ret : 0);
    sched_set_inject(inject);
    if (count < 0 || count != explored.subject->snapshot_count(late->snapshot)) {
        sched_fail("a snapshot counts %lld keys and copies %lld",
                   (long long)explored.subject->snapshot_count(late->snapshot), (long long)count);
    }
    for (size_t i = 1; i < copy.count; i++) {
        if (copy.keys[i - 1] >= copy.keys[i]) {
            sched_fail("a snapshot is not in order");
        }
    }
    for (unsigned i = 0; i < explored.plan->keys; i++) {
        bool found = copy.count && bsearch(&explored.keys[i], copy.keys, copy.count,
                                           sizeof *copy.keys, explored_by_value);
        if (explored.subject->snapshot_contains(late->snapshot, explored.keys[i]) != found) {
            sched_fail("a snapshot's contains and copy differ about k%u", i);
        }
    }
    log_answer(late->record, copy.keys, copy.count);
    explored.subject->snapshot_destroy(late->snapshot);
    log_at(late->record)->ret = late->ret;
}

/* It shares with the set, and is independent of it. */
static void use_clone(void *clone, struct subject_keys *copy)
{
    bool inject = sched_may_inject();
    sched_set_inject(false);
    qsort(copy->keys, copy->count, sizeof *copy->keys, explored_by_value);
    size_t count = copy->count;
    for (unsigned i = 0; i < explored.plan->keys; i++) {
        bool was = copy->count && bsearch(&explored.keys[i], copy->keys, copy->count,
                                          sizeof *copy->keys, explored_by_value);
        count += !was;
        if (explored.subject->remove(clone, explored.keys[i]) != was ||
            explored.subject->add(clone, explored.keys[i]) != 1) {
            sched_fail("k%u is not removed from a clone, or not added to it", i);
        }
    }
    if (explored.subject->purge && explored.subject->purge(clone) < 0) {
        sched_fail("a clone is not purged");
    }
    if (explored.subject->size(clone) != (int64_t)count) {
        sched_fail("the size of a clone is not %zu", count);
    }
    sched_set_inject(inject);
}

static void read_clone(const struct late *late)
{
    struct subject_keys copy = {.since = log_at(late->record)->invoke};
    int result = explored.subject->each(late->clone, &copy);
    if (result != 0) {
        sched_fail("each of a clone returned %d", result);
    }
    const char *reason = NULL;
    if (explored.subject->validate(late->clone, &reason) != 1) {
        sched_fail("validate of a clone: %s", reason);
    }
    log_answer(late->record, copy.keys, copy.count);
    use_clone(late->clone, &copy);
    // where a thread stopped in a section, what the clone retired stays for ever
    if (explored.stopped_thread == SCHED_CONTEXTS && explored.subject->destroy(late->clone) != 0) {
        sched_fail("a clone's destroy failed");
    }
    log_at(late->record)->ret = late->ret;
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
    int result = explored.subject->each(explored.set, &visited);
    uint64_t ret = sched_clock();
    if (result == -ENOMEM && explored.plan->enomem) {
        return;
    }
    if (result != 0) {
        sched_fail("each returned %d", result);
    }
    qsort(visited.keys, visited.count, sizeof *visited.keys, explored_by_value);
    for (size_t i = 0; i < visited.count; i++) {
        if (i > 0 && visited.keys[i] == visited.keys[i - 1]) {
            sched_fail("each visits key %llu twice", (unsigned long long)visited.keys[i]);
        }
        size_t record = log_begin(log_another_thread(), HISTORY_CONTAINS, visited.keys[i]);
        log_at(record)->invoke = invoke;
        log_at(record)->ret = ret;
        log_at(record)->result = 1;
    }
    for (size_t i = 0; i < explored.initial_count; i++) {
        if (explored.stays[i] && !bsearch(&explored.initial[i], visited.keys, visited.count,
                                          sizeof *explored.initial, explored_by_value)) {
            sched_fail("each misses key %llu, which was there all the time",
                       (unsigned long long)explored.initial[i]);
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
        batch[i] = explored.keys[(op->key + i) % explored.plan->keys];
        first[i] = log_begin(log_another_thread(), single[op->kind - PLAN_ADD_MANY], batch[i]);
    }
    int64_t total = op->kind == PLAN_ADD_MANY
                        ? explored.subject->add_many(explored.set, batch, op->count, results)
                    : op->kind == PLAN_REMOVE_MANY
                        ? explored.subject->remove_many(explored.set, batch, op->count, results)
                        : explored.subject->contains_many(explored.set, batch, op->count, results);
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
        record[i] = log_begin(log_another_thread(), op, members[i]);
    }
    int64_t changed = op == HISTORY_ADD ? explored.subject->add_range(explored.set, first, last)
                      : op == HISTORY_REMOVE
                          ? explored.subject->remove_range(explored.set, first, last)
                          : explored.subject->count_range(explored.set, first, last);
    uint64_t ret = sched_clock();
    if (changed > (int64_t)count ||
        (changed < 0 && !(changed == -ENOMEM && explored.plan->enomem))) {
        sched_fail("the call returned %lld", (long long)changed);
    }
    for (size_t i = 0; i < count; i++) {
        if (changed == 0 || changed == (int64_t)count) {
            log_at(record[i])->result = changed > 0;
            log_at(record[i])->ret = ret;
        } else if (op == HISTORY_CONTAINS) {
            log_drop(record[i]);
        } else if (changed > 0) {
            log_key(HISTORY_CONTAINS, members[i], op == HISTORY_ADD, invoke, ret);
        }
    }
    return changed;
}

static int64_t do_range(const struct plan_op *op)
{
    uint64_t first = explored.keys[op->key], members[RANGE_MOST];
    for (uint32_t i = 0; i < plan_width(op); i++) {
        members[i] = first + i;
    }
    enum history_op single = op->kind == PLAN_ADD_RANGE     ? HISTORY_ADD
                             : op->kind == PLAN_COUNT_RANGE ? HISTORY_CONTAINS
                                                            : HISTORY_REMOVE;
    if (op->kind == PLAN_REMOVE_ALL && explored.candidate_count > 0 &&
        explored.candidate_count <= RANGE_MOST) {
        return do_members(single, explored.candidates, explored.candidate_count, 0, UINT64_MAX);
    }
    return do_members(single, members, plan_width(op), first, first + plan_width(op) - 1);
}

/* What is found was there, or not, at an instant, and each that would have been better was not. */
static int do_seek(const struct plan_op *op)
{
    enum subject_seek seek = op->count % 4;
    uint64_t from = explored.keys[op->key], found = 0, invoke = sched_clock();
    if (op->count % 3 == 0 && from > 0) {
        from--;
    }
    int result = explored.subject->seek(explored.set, seek, from, &found);
    uint64_t ret = sched_clock();
    if (result < 0) {
        if (result != -ENOMEM || !explored.plan->enomem) {
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
    for (size_t i = 0; !clear && i < explored.candidate_count; i++) {
        if (explored.candidates[i] >= low && explored.candidates[i] <= high &&
            !(result && found == 0 && seek != SUBJECT_MAX)) {
            log_key(HISTORY_CONTAINS, explored.candidates[i], 0, invoke, ret);
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
    return op->kind == PLAN_WAIT_EMPTY ? explored.subject->wait_empty(explored.set, cancel)
           : op->kind == PLAN_WAIT_PRESENT
               ? explored.subject->wait_present(explored.set, explored.keys[op->key], cancel)
               : explored.subject->wait_absent(explored.set, explored.keys[op->key], cancel);
}

/* A wait that ended saw at one instant what contains or is_empty would have seen. */
static int do_wait(unsigned thread, const struct plan_op *op)
{
    bool empty = op->kind == PLAN_WAIT_EMPTY;
    size_t record = log_begin(thread, empty ? HISTORY_IS_EMPTY : HISTORY_CONTAINS,
                              empty ? 0 : explored.keys[op->key]);
    tokens[thread] = new_token(everybody);
    waits_for[thread] = op;
    int result = call_wait(op, tokens[thread]);
    uint64_t ret = sched_clock();
    waits_for[thread] = NULL;
    if (result == -ECANCELED && lfset_cancel_check(tokens[thread]) == -ECANCELED) {
        log_drop(record);
        log_at(record)->ret = ret;
    } else {
        log_end(record, ret, result < 0 ? result : op->kind != PLAN_WAIT_ABSENT);
    }
    lfset_cancel_destroy(tokens[thread]);
    return result;
}

static bool holds_now(const struct plan_op *op)
{
    return op->kind == PLAN_WAIT_EMPTY
               ? explored.subject->is_empty(explored.set) == 1
               : explored.subject->contains(explored.set, explored.keys[op->key]) ==
                     (op->kind == PLAN_WAIT_PRESENT);
}

/* All others are done. Nobody may be asleep whose wait has an end; the others are cancelled, one by one,
 * and do what is left to them. */
void operations_judge_sleepers(void)
{
    sched_set_doing("judgement: sleepers");
    unsigned sleeper = SCHED_THREADS;
    for (unsigned t = explored.plan->threads; t-- > 0;) {
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
    if (!explored.subject->sections ||
        (kind != PLAN_GET && kind != PLAN_ADD_OR_GET && kind != PLAN_POP) ||
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
    int result = kind == PLAN_ADD          ? explored.subject->add(explored.set, key)
                 : kind == PLAN_REMOVE     ? explored.subject->remove(explored.set, key)
                 : kind == PLAN_ADD_OR_GET ? explored.subject->add_or_get(explored.set, key)
                 : kind == PLAN_GET        ? explored.subject->get(explored.set, key)
                                           : explored.subject->contains(explored.set, key);
    log_end(record, sched_clock(), result);
    return result;
}

void operations_from_destroy(void)
{
    if (destroy_uses_left > 0 && explored.plan->destroy != PLAN_DESTROY_ONLY) {
        destroy_uses_left--;
        (void)do_key(log_another_thread(),
                     explored.plan->destroy == PLAN_DESTROY_ADD ? PLAN_ADD : PLAN_CONTAINS,
                     explored.keys[explored.plan->destroy_key]);
    }
}

/* Pending in the history until it is looked at. */
static int do_take(unsigned thread, enum plan_op_kind kind, struct lates *lates)
{
    bool drain = kind == PLAN_DRAIN;
    struct late late = {.drained = drain};
    late.record = log_begin(thread, drain ? HISTORY_DRAIN : HISTORY_SNAPSHOT, 0);
    int result = kind == PLAN_CLONE ? explored.subject->clone(explored.set, &late.clone)
                                    : explored.subject->take(explored.set, drain, &late.snapshot);
    late.ret = sched_clock();
    if (result != 0) {
        log_end(late.record, late.ret, result);
    } else if (explored.plan->late ||
               kind == PLAN_CLONE) { // one cannot be destroyed within a section
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
        result = do_key(thread, kind, explored.keys[op->key]);
        break;
    case PLAN_POP:
        record = log_begin(thread, HISTORY_POP, 0);
        result = explored.subject->pop(explored.set, &popped);
        log_at(record)->value = popped;
        log_end(record, sched_clock(), result);
        break;
    case PLAN_SNAPSHOT:
    case PLAN_DRAIN:
    case PLAN_CLONE:
        result = do_take(thread, kind, lates);
        break;
    case PLAN_CLEAR:
        record = log_begin(thread, HISTORY_CLEAR, 0);
        result = explored.subject->clear(explored.set);
        log_at(record)->value = (uint64_t)result;
        log_end(record, sched_clock(), result);
        log_at(record)->result = HISTORY_CLEAR_COUNTED;
        break;
    case PLAN_SIZE:
        record = log_begin(thread, HISTORY_SIZE, 0);
        result = explored.subject->size(explored.set);
        log_at(record)->value = (uint64_t)result;
        log_end(record, sched_clock(), result);
        break;
    case PLAN_IS_EMPTY:
        record = log_begin(thread, HISTORY_IS_EMPTY, 0);
        result = explored.subject->is_empty(explored.set);
        log_end(record, sched_clock(), result);
        break;
    case PLAN_EACH:
        do_each();
        break;
    case PLAN_RESERVE:
        result = explored.subject->reserve(explored.set, 6 + 10u * op->key);
        if (result != 0 && !(result == -ENOMEM && explored.plan->enomem)) {
            sched_fail("reserve returned %lld", (long long)result);
        }
        break;
    case PLAN_PURGE:
        result = explored.subject->purge(explored.set);
        if (result < 0 && !(result == -ENOMEM && explored.plan->enomem)) {
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
        result = explored.subject->look(explored.set);
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
        retirement_barrier_begins();
        if (lfset_barrier() != 0) {
            sched_fail("barrier failed");
        }
        retirement_barrier_ends();
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
    sched_note("  = %lld%s", (long long)result,
               explored.plan->enomem && result == -ENOMEM ? " ENOMEM" : "");
    if (entered) {
        leave_section();
    }
}

void operations_body(unsigned thread)
{
    struct lates lates;
    lates.count = 0;
    sched_set_inject(explored.plan->enomem != 0);
    if (explored.plan->section[thread] && lfset_section_enter() != 0) {
        sched_fail("a section cannot be entered");
    }
    for (unsigned i = 0; i < explored.plan->ops[thread]; i++) {
        sched_set_doing(labels[thread][i]);
        operations_starts[thread][i] = sched_steps(thread);
        sched_point();
        if (explored.plan->scan && lfset__self) {
            seam_scan_at_next_retire(lfset__self);
        }
        sched_note("%s", labels[thread][i]);
        do_op(thread, &explored.plan->op[thread][i], &lates);
        retirement_operation_returns();
    }
    sched_set_doing("its last acts");
    if (explored.plan->section[thread]) {
        leave_section();
    }
    if (explored.plan->outlive) {
        memcpy(&outliving.late[outliving.count], lates.late, lates.count * sizeof *lates.late);
        outliving.count += lates.count;
    } else {
        read_all(&lates);
    }
}

void operations_warm(void)
{
    struct lates lates;
    lates.count = 0;
    for (unsigned i = 0; i < explored.plan->warms; i++) {
        do_op(0, &explored.plan->warm[i], &lates);
        read_all(&lates);
    }
}

void operations_log_final_contents(void)
{
    size_t record = log_begin(log_another_thread(), HISTORY_SNAPSHOT, 0);
    if (explored.plan->final_snapshot) {
        struct late late = {.record = record};
        if (explored.subject->take(explored.set, false, &late.snapshot) != 0) {
            sched_fail("the last snapshot failed");
        }
        late.ret = sched_clock();
        read_snapshot(&late);
        return;
    }
    struct subject_keys visited = {.since = log_at(record)->invoke};
    int result = explored.subject->each(explored.set, &visited);
    if (result != 0) {
        sched_fail("the last iteration returned %d", result);
    }
    log_answer(record, visited.keys, visited.count);
    log_at(record)->ret = sched_clock();
}

void operations_prepare(void)
{
    const struct plan *plan = explored.plan;
    for (unsigned t = 0; t < plan->threads; t++) {
        for (unsigned i = 0; i < plan->ops[t]; i++) {
            FILE *text = fmemopen(labels[t][i], sizeof labels[t][i], "w");
            if (text) {
                plan_print_op(&plan->op[t][i], text);
                fclose(text);
            }
        }
    }
}

void operations_reset(void)
{
    outliving.count = 0;
    destroy_uses_left = 0;
    memset(operations_starts, 0x7f, sizeof operations_starts); // not begun
}

void operations_begin(void)
{
    everybody = new_token(NULL);
    destroy_uses_left = OPERATIONS_DESTROY_USES;
}

void operations_end(void)
{
    lfset_cancel_destroy(everybody);
}

void operations_stop_destroy_uses(void)
{
    destroy_uses_left = 0;
}

unsigned operations_outliving(void)
{
    return outliving.count;
}

void operations_read_outliving(void)
{
    read_all(&outliving);
}

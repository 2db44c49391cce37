// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "workload.h"

#include "promise.h"

#include <errno.h>
#include <inttypes.h>
#include <lfset/cancel.h>
#include <lfset/target.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A batch has at most so many keys. */
#define BATCH 6

_Static_assert(BATCH <= TARGET_BATCH && BATCH <= WORKLOAD_PARTS, "a batch is too large");

static char *const op_names[WORKLOAD_OPS + 1] = {
    [WORKLOAD_ADD] = "add",
    [WORKLOAD_REMOVE] = "remove",
    [WORKLOAD_CONTAINS] = "contains",
    [WORKLOAD_ADD_MANY] = "add_many",
    [WORKLOAD_REMOVE_MANY] = "remove_many",
    [WORKLOAD_CONTAINS_MANY] = "contains_many",
    [WORKLOAD_WAIT] = "wait",
    [WORKLOAD_EACH] = "each",
    [WORKLOAD_REMOVE_IF] = "remove_if",
    [WORKLOAD_RESERVE] = "reserve",
    [WORKLOAD_PURGE] = "purge",
    [WORKLOAD_POP] = "pop",
    [WORKLOAD_SIZE] = "size",
    [WORKLOAD_IS_EMPTY] = "is_empty",
    [WORKLOAD_SNAPSHOT] = "snapshot",
    [WORKLOAD_CLEAR] = "clear",
    [WORKLOAD_DRAIN] = "drain",
    [WORKLOAD_OPS] = NULL,
};

/* Weights of the operations on keys; those on the whole set follow, `many` times rarer. */
#define MIX(many, clears)                                                                          \
    {                                                                                              \
        {                                                                                          \
            [WORKLOAD_ADD] = 32 * (many), [WORKLOAD_REMOVE] = 27 * (many),                         \
            [WORKLOAD_CONTAINS] = 30 * (many), [WORKLOAD_ADD_MANY] = 2 * (many),                   \
            [WORKLOAD_REMOVE_MANY] = 2 * (many), [WORKLOAD_CONTAINS_MANY] = 2 * (many),            \
            [WORKLOAD_WAIT] = ((many) + 3) / 4, [WORKLOAD_EACH] = 1, [WORKLOAD_REMOVE_IF] = 1,     \
            [WORKLOAD_RESERVE] = 1, [WORKLOAD_PURGE] = 1, [WORKLOAD_POP] = 3, [WORKLOAD_SIZE] = 2, \
            [WORKLOAD_IS_EMPTY] = 2, [WORKLOAD_SNAPSHOT] = 2, [WORKLOAD_CLEAR] = (clears),         \
            [WORKLOAD_DRAIN] = (clears),                                                           \
        }                                                                                          \
    }

/*
 * Whole-set operations are as frequent as the checker can bear. New keys go without clear and drain:
 * a key is met again late there, so that a wrong guess where a clear took effect is found out late.
 */
const struct workload workload_all[] = {
    {"1 key", WORKLOAD_UNIFORM, 1, 2000, 0, 0, MIX(1, 1)},
    {"4 keys", WORKLOAD_UNIFORM, 4, 2000, 0, 0, MIX(1, 1)},
    {"16 keys", WORKLOAD_UNIFORM, 16, 2000, 0, 0, MIX(2, 1)},
    {"256 keys", WORKLOAD_UNIFORM, 256, 4000, 0, 1, MIX(16, 1)},
    {"65536 keys", WORKLOAD_UNIFORM, 65536, 20000, 0, 1, MIX(2000, 1)},
    {"new keys", WORKLOAD_WINDOW, 256, 10000, 0, 1, MIX(100, 0)},
    {.name = ""},
};

struct workload workload_for_keys(uint64_t keys)
{
    struct workload w = workload_all[0];

    for (const struct workload *i = workload_all; i->name[0]; i++)
        if (i->kind == WORKLOAD_UNIFORM && i->keys <= keys)
            w = *i;
    snprintf(w.name, sizeof(w.name), "%" PRIu64 " key%s", keys, keys == 1 ? "" : "s");
    w.keys = keys;
    return w;
}

static int weight_parse(const char *text, uint32_t *weight)
{
    char *end;

    errno = 0;
    const unsigned long v = strtoul(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || v > 1000000)
        return -EINVAL;
    *weight = (uint32_t)v;
    return 0;
}

int workload_mix_parse(const char *spec, struct workload_mix *mix, char *why, size_t why_size)
{
    char *copy = strdup(spec);
    char *rest = copy;
    uint64_t total = 0;
    int rc = 0;

    if (!copy) {
        snprintf(why, why_size, "no memory");
        return -ENOMEM;
    }
    memset(mix, 0, sizeof(*mix));
    while (*rest != '\0' && rc == 0) {
        char *value;
        char *const part = rest;
        const int op = getsubopt(&rest, op_names, &value);

        if (op < 0) {
            snprintf(why, why_size, "there is no operation \"%s\"", part);
            rc = -EINVAL;
        } else if (!value || weight_parse(value, &mix->weight[op]) != 0) {
            snprintf(why, why_size, "%s wants a weight from 0 to 1000000, not \"%s\"", op_names[op],
                     value ? value : "");
            rc = -EINVAL;
        } else {
            total += mix->weight[op];
        }
    }
    free(copy);
    if (rc == 0 && total == 0) {
        snprintf(why, why_size, "all weights are 0");
        rc = -EINVAL;
    }
    return rc;
}

void workload_mix_print(const struct workload_mix *mix, char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (int op = 0; op < WORKLOAD_OPS; op++)
        if (mix->weight[op] != 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%s=%u", used ? "," : "",
                                     op_names[op], mix->weight[op]);
}

/* Operations that the target has not got are left out. */
static int can(const struct target *t, enum workload_op op)
{
    const int has[WORKLOAD_OPS] = {
        [WORKLOAD_ADD] = 1,
        [WORKLOAD_REMOVE] = 1,
        [WORKLOAD_CONTAINS] = 1,
        [WORKLOAD_ADD_MANY] = t->add_many != NULL,
        [WORKLOAD_REMOVE_MANY] = t->remove_many != NULL,
        [WORKLOAD_CONTAINS_MANY] = t->contains_many != NULL,
        [WORKLOAD_WAIT] = t->wait_present && t->wait_absent && t->wait_empty,
        [WORKLOAD_EACH] = t->each_is_concurrent,
        [WORKLOAD_REMOVE_IF] = t->remove_if != NULL,
        [WORKLOAD_RESERVE] = t->reserve != NULL,
        [WORKLOAD_PURGE] = t->purge != NULL,
        [WORKLOAD_POP] = t->pop != NULL,
        [WORKLOAD_SIZE] = t->size != NULL,
        [WORKLOAD_IS_EMPTY] = t->is_empty != NULL,
        [WORKLOAD_SNAPSHOT] = t->snapshot != NULL,
        [WORKLOAD_CLEAR] = t->clear != NULL,
        [WORKLOAD_DRAIN] = t->drain != NULL,
    };

    return has[op];
}

/* Does the checker have to search for its place? For an iteration of lfset's it has not. */
static int is_whole_set(const struct target *t, int op)
{
    return op >= WORKLOAD_POP || (op == WORKLOAD_EACH && t->promises);
}

void worker_round(struct worker *w, uint64_t seed, enum workload_phase phase, unsigned section,
                  int chosen)
{
    w->random = seed;
    w->mix = w->workload->mix;
    w->section = w->target->section_enter ? section : 0;
    w->in_section = 0;
    w->over = 0;
    if (phase == WORKLOAD_GROWING) {
        w->mix.weight[WORKLOAD_ADD] *= 4;
        w->mix.weight[WORKLOAD_ADD_MANY] *= 4;
    } else if (phase == WORKLOAD_SHRINKING) {
        w->mix.weight[WORKLOAD_REMOVE] *= 4;
        w->mix.weight[WORKLOAD_REMOVE_MANY] *= 4;
    }
    w->mix_total = 0;
    for (int op = 0; op < WORKLOAD_OPS; op++) {
        if (is_whole_set(w->target, op) && w->workload->one_whole_set)
            w->mix.weight[op] *= chosen ? w->threads : 0;
        if (op == WORKLOAD_CLEAR && w->without_clear)
            w->mix.weight[op] = 0;
        if (!can(w->target, (enum workload_op)op))
            w->mix.weight[op] = 0;
        w->mix_total += w->mix.weight[op];
    }
    record_log_reset(&w->log);
}

static uint64_t below(struct worker *w, uint64_t n)
{
    return (noise_random(&w->random) >> 32) % n;
}

static enum workload_op choose_op(struct worker *w)
{
    uint64_t r = below(w, w->mix_total);
    int op = 0;

    while (r >= w->mix.weight[op])
        r -= w->mix.weight[op++];
    return (enum workload_op)op;
}

/*
 * In the window every thread adds every key once, in order, and removes each after it has added
 * it: whoever comes last to a key leaves it removed, so nothing stays behind for good. The threads
 * run side by side and so meet on the same keys.
 */
static uint64_t choose_key(struct worker *w, enum workload_op op)
{
    const uint64_t keys = w->workload->keys;

    if (w->workload->kind == WORKLOAD_UNIFORM)
        return below(w, keys);
    switch (op) {
    case WORKLOAD_ADD:
    case WORKLOAD_ADD_MANY:
        return w->add_cursor++;
    case WORKLOAD_REMOVE:
    case WORKLOAD_REMOVE_MANY:
        if (w->remove_cursor + keys < w->add_cursor)
            return w->remove_cursor++;
        return w->remove_cursor + below(w, keys);
    default:
        return w->remove_cursor + below(w, keys + keys / 8 + 8);
    }
}

static void fault(struct worker *w, const char *op, int64_t answer)
{
    if (w->fault[0] == '\0')
        snprintf(w->fault, sizeof(w->fault), "%s answered %lld, which its contract excludes", op,
                 (long long)answer);
}

static void fault_key(struct worker *w, const char *what, uint64_t key)
{
    if (w->fault[0] == '\0')
        snprintf(w->fault, sizeof(w->fault), "%s: %llu", what, (unsigned long long)key);
}

/*
 * Ends a record whose call answered `rc`. @return whether it stands: a call that failed for memory
 * changed nothing and is taken back.
 */
static int answered(struct worker *w, struct history_record *r, const char *op, int64_t rc,
                    int64_t max)
{
    record_end(&w->log, r);
    if (rc >= 0 && rc <= max)
        return 1;
    if (rc != -ENOMEM)
        fault(w, op, rc);
    record_cancel(&w->log);
    return 0;
}

void worker_single(struct worker *w, uint32_t thread, enum history_op op, uint64_t key)
{
    struct history_record *r = record_begin(&w->log, thread, op, key);
    int rc;

    if (op == HISTORY_ADD)
        rc = w->target->add(w->set, key);
    else if (op == HISTORY_REMOVE)
        rc = w->target->remove(w->set, key);
    else
        rc = w->target->contains(w->set, key);
    if (answered(w, r, history_op_name(op), rc, 1))
        r->result = (uint8_t)rc;
}

/* The number of the thread to which the history gives a part of a call. */
static uint32_t part_thread(const struct worker *w, size_t part)
{
    return w->threads + 1 + w->number * WORKLOAD_PARTS + (uint32_t)part;
}

/* Logs a part of a call that was under way from `invoke` to `ret`. */
static void log_part(struct worker *w, size_t part, enum history_op op, uint64_t key, int result,
                     uint64_t invoke, uint64_t ret)
{
    w->log.records[w->log.count++] = (struct history_record){.value = key,
                                                             .invoke = invoke,
                                                             .ret = ret,
                                                             .thread = part_thread(w, part),
                                                             .op = (uint8_t)op,
                                                             .result = (uint8_t)result};
}

/*
 * A batch is so many single operations between one call and one return, in any order as far as the
 * history can tell: each is logged under a thread number of its own.
 */
static void do_batch(struct worker *w, enum workload_op op)
{
    const size_t count = 2 + (size_t)below(w, BATCH - 1);
    const size_t first = w->log.count;
    const enum history_op single = op == WORKLOAD_ADD_MANY      ? HISTORY_ADD
                                   : op == WORKLOAD_REMOVE_MANY ? HISTORY_REMOVE
                                                                : HISTORY_CONTAINS;
    uint64_t keys[BATCH];
    int8_t results[BATCH];
    int64_t rc, ones = 0, failed = 0;
    size_t kept = first;

    for (size_t i = 0; i < count; i++) {
        keys[i] = choose_key(w, op);
        results[i] = INT8_MAX; /* an answer that no call gives */
    }
    for (size_t i = 0; i < count; i++)
        record_begin(&w->log, part_thread(w, i), single, keys[i]);
    if (op == WORKLOAD_ADD_MANY)
        rc = w->target->add_many(w->set, keys, count, results);
    else if (op == WORKLOAD_REMOVE_MANY)
        rc = w->target->remove_many(w->set, keys, count, results);
    else
        rc = w->target->contains_many(w->set, keys, count, results);
    for (size_t i = 0; i < count; i++) {
        struct history_record *r = &w->log.records[first + i];

        record_end(&w->log, r);
        if (results[i] == 0 || results[i] == 1) {
            r->result = (uint8_t)results[i];
            ones += results[i];
            w->log.records[kept++] = *r;
        } else {
            if (results[i] != -ENOMEM)
                fault(w, op_names[op], results[i]);
            failed++;
        }
    }
    w->log.count = kept;
    w->log.failed += (uint64_t)failed;
    if (rc != (failed ? -ENOMEM : ones))
        fault(w, op_names[op], rc);
}

/* ---------------------------------------------------------------- waiting */

/*
 * A wait that answers 0 is a contains, or an is_empty, with a known answer; one that gives up says
 * nothing. It must not be within a section, and does not last long.
 */
static void do_wait(struct worker *w)
{
    const uint64_t deadline = lfset_deadline_in(1000 * (1 + below(w, 100)));
    const uint64_t kind = below(w, w->workload->one_whole_set ? 8 : 9);
    const uint64_t key = choose_key(w, WORKLOAD_WAIT);
    struct lfset_cancel *token;
    int rc;

    if (w->in_section != 0)
        w->target->section_leave();
    w->in_section = 0;
    if (lfset_cancel_create(&token, NULL, deadline) != 0)
        return;
    struct history_record *r = kind == 8 ? record_begin(&w->log, w->number, HISTORY_IS_EMPTY, 0)
                                         : record_begin(&w->log, w->number, HISTORY_CONTAINS, key);
    if (kind == 8)
        rc = w->target->wait_empty(w->set, token);
    else if (kind % 2 == 0)
        rc = w->target->wait_present(w->set, key, token);
    else
        rc = w->target->wait_absent(w->set, key, token);
    record_end(&w->log, r);
    r->result = kind == 8 || kind % 2 == 0;
    if (rc != 0)
        w->log.count--;
    if (rc == -ENOMEM)
        w->log.failed++;
    else if (rc != 0 && rc != -ETIMEDOUT)
        fault(w, "a wait", rc);
    else if (rc == -ETIMEDOUT && lfset_cancel_check(token) != -ETIMEDOUT)
        fault(w, "a wait, before its deadline,", rc);
    lfset_cancel_destroy(token);
}

/* ---------------------------------------------------------------- iterating */

/* What `visit` answers to stop an iteration. */
#define STOPPED 77

struct visit {
    struct worker *worker;
    size_t stop_at; /* visits; SIZE_MAX: go on to the end */
    size_t ask_at;
    int incomplete; /* no memory to remember them all */
};

static int visit_remember(struct visit *v, uint64_t key)
{
    struct worker *w = v->worker;

    if (w->visited_count == w->visited_capacity) {
        const size_t capacity = w->visited_capacity ? w->visited_capacity * 2 : 1024;
        uint64_t *grown = realloc(w->visited, capacity * sizeof(*grown));

        if (!grown) {
            v->incomplete = 1;
            return STOPPED;
        }
        w->visited = grown;
        w->visited_capacity = capacity;
    }
    w->visited[w->visited_count++] = key;
    return w->visited_count == v->stop_at ? STOPPED : 0;
}

/* Now and then uses the set while it is visited. */
static int visit_key(uint64_t key, void *ctx)
{
    struct visit *v = ctx;
    struct worker *w = v->worker;

    if (w->visited_count == v->ask_at)
        worker_single(w, w->number, HISTORY_CONTAINS, key);
    return visit_remember(v, key);
}

static int compare_keys(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* A key that never was in any set of this workload? */
static int is_foreign(const struct worker *w, uint64_t key)
{
    return w->workload->kind == WORKLOAD_UNIFORM && key >= w->workload->keys;
}

/* Orders what was visited, and judges what needs no history. */
static void judge_keys(struct worker *w, int may_repeat)
{
    if (w->visited_count > 1)
        qsort(w->visited, w->visited_count, sizeof(*w->visited), compare_keys);
    for (size_t i = 0; i < w->visited_count; i++) {
        if (i > 0 && w->visited[i] == w->visited[i - 1] && !may_repeat)
            fault_key(w, "each visited a key twice", w->visited[i]);
        if (is_foreign(w, w->visited[i]))
            fault_key(w, "each visited a key that was never added", w->visited[i]);
    }
}

/*
 * What an iteration promises is a contains of each key, each at an instant of its own between call and
 * return: a key that was visited was there at an instant, one that was not was absent at an instant.
 * All keys are judged where they are few, else some.
 */
static void judge_visited(struct worker *w, int to_the_end, uint64_t invoke, uint64_t ret)
{
    const int all = w->workload->kind == WORKLOAD_UNIFORM && w->workload->keys <= WORKLOAD_PARTS;
    const size_t parts = all ? (size_t)w->workload->keys : WORKLOAD_PARTS;

    judge_keys(w, 0);
    for (size_t i = 0; i < parts; i++) {
        uint64_t key = i;

        if (!all)
            key = i % 2 == 0 && w->visited_count > 0 ? w->visited[below(w, w->visited_count)]
                                                     : choose_key(w, WORKLOAD_EACH);
        const int met = w->visited_count > 0 && bsearch(&key, w->visited, w->visited_count,
                                                        sizeof(key), compare_keys) != NULL;
        if (met || to_the_end)
            log_part(w, i, HISTORY_CONTAINS, key, met, invoke, ret);
    }
}

/* A foreign set's iteration is recorded whole: it is judged twice (promise.h). */
static void do_whole_each(struct worker *w)
{
    struct visit v = {.worker = w, .stop_at = SIZE_MAX, .ask_at = SIZE_MAX};
    struct history_record *r = record_begin(&w->log, w->number, HISTORY_SNAPSHOT, 0);
    size_t kept = 0;

    w->visited_count = 0;
    const int rc = w->target->each(w->set, visit_key, &v);
    if (!answered(w, r, "each", v.incomplete ? -ENOMEM : rc, 0))
        return;
    judge_keys(w, w->target->promises->repeats);
    for (size_t i = 0; i < w->visited_count; i++)
        if (i == 0 || w->visited[i] != w->visited[kept - 1])
            w->visited[kept++] = w->visited[i];
    uint64_t *keys = record_answer_room(&w->log, kept);
    if (!keys) {
        record_cancel(&w->log);
        return;
    }
    if (kept > 0)
        memcpy(keys, w->visited, kept * sizeof(*keys));
    r->result = kept == w->visited_count ? PROMISE_EACH : PROMISE_EACH_REPEATED;
    record_answer_end(&w->log, r, kept);
}

static void do_each(struct worker *w)
{
    struct visit v = {.worker = w, .stop_at = SIZE_MAX, .ask_at = SIZE_MAX};

    if (w->target->promises) {
        do_whole_each(w);
        return;
    }
    if (below(w, 8) == 0)
        v.stop_at = 1 + (size_t)below(w, 16);
    if (below(w, 4) == 0)
        v.ask_at = (size_t)below(w, 16);
    w->visited_count = 0;
    const uint64_t invoke = record_before(w->log.clock);
    const int rc = w->target->each(w->set, visit_key, &v);
    const uint64_t ret = record_after(w->log.clock);
    const int stopped = v.incomplete || w->visited_count == v.stop_at;

    if (rc != (stopped ? STOPPED : 0) && rc != -ENOMEM)
        fault(w, "each", rc);
    if (!v.incomplete)
        judge_visited(w, rc == 0, invoke, ret);
}

/* ---------------------------------------------------------------- removing by a condition */

struct choice {
    struct worker *worker;
    uint64_t invoke;
    uint64_t ask_at; /* keys until the one that goes */
    uint64_t asked;
    int refuse; /* stops there instead */
    int chosen;
    uint64_t key;
    uint64_t answered;
};

/*
 * At most one key is unwanted in a call, so that the number that the call answers says of a key that
 * it was removed, or that somebody else had. The first keys asked about are judged: each was present.
 */
static int choose_unwanted(uint64_t key, void *ctx)
{
    struct choice *c = ctx;
    struct worker *w = c->worker;

    if (is_foreign(w, key))
        fault_key(w, "remove_if asked about a key that was never added", key);
    if (c->asked < WORKLOAD_PARTS / 2)
        log_part(w, (size_t)c->asked, HISTORY_CONTAINS, key, 1, c->invoke,
                 record_after(w->log.clock));
    if (c->asked++ != c->ask_at)
        return 0;
    c->chosen = 1;
    c->key = key;
    c->answered = record_before(w->log.clock);
    return c->refuse ? -EINTR : 1;
}

static void do_remove_if(struct worker *w)
{
    struct choice c = {.worker = w, .ask_at = below(w, 16), .refuse = below(w, 16) == 0};

    c.invoke = record_before(w->log.clock);
    const int64_t rc = w->target->remove_if(w->set, choose_unwanted, &c);
    const uint64_t ret = record_after(w->log.clock);
    const int done = c.chosen && !c.refuse;

    if (done && rc == -ENOMEM) {
        /* Nobody knows whether the key is gone: it may be, and the thread logs no more. */
        log_part(w, WORKLOAD_PARTS - 1, HISTORY_REMOVE, c.key, 0, c.answered, HISTORY_PENDING);
        w->over = 1;
    } else if (rc != -ENOMEM && (c.chosen && c.refuse ? rc != -EINTR : rc < 0 || rc > done)) {
        fault(w, "remove_if", rc);
    } else if (done) {
        log_part(w, WORKLOAD_PARTS - 1, HISTORY_REMOVE, c.key, (int)rc, c.answered, ret);
    }
}

/* ---------------------------------------------------------------- room */

/* Up and down; the room is given back as often as it is asked for. */
static void do_reserve(struct worker *w)
{
    const uint64_t capacity = below(w, 2) ? below(w, 4 * w->workload->keys + 64) : 0;
    const int rc = w->target->reserve(w->set, capacity);

    if (rc != 0 && rc != -ENOMEM)
        fault(w, "reserve", rc);
}

static void do_purge(struct worker *w)
{
    const int rc = w->target->purge(w->set);

    if (rc != 0 && rc != 1 && rc != -ENOMEM)
        fault(w, "purge", rc);
}

/* ---------------------------------------------------------------- the whole set */

static void do_pop(struct worker *w)
{
    struct history_record *r = record_begin(&w->log, w->number, HISTORY_POP, 0);
    uint64_t key = 0;
    const int rc = w->target->pop(w->set, &key);

    if (answered(w, r, "pop", rc, 1)) {
        r->result = (uint8_t)rc;
        r->value = rc ? key : 0;
    }
}

static void do_size(struct worker *w)
{
    struct history_record *r = record_begin(&w->log, w->number, HISTORY_SIZE, 0);
    const int64_t rc = w->target->size(w->set);

    if (answered(w, r, "size", rc, INT64_MAX))
        r->value = (uint64_t)rc;
}

static void do_is_empty(struct worker *w)
{
    struct history_record *r = record_begin(&w->log, w->number, HISTORY_IS_EMPTY, 0);
    const int rc = w->target->is_empty(w->set);

    if (answered(w, r, "is_empty", rc, 1))
        r->result = (uint8_t)rc;
}

static void do_clear(struct worker *w)
{
    struct history_record *r = record_begin(&w->log, w->number, HISTORY_CLEAR, 0);
    const int64_t rc = w->target->clear(w->set);

    if (answered(w, r, "clear", rc, INT64_MAX)) {
        r->result = rc == LFSET_TARGET_UNCOUNTED ? HISTORY_CLEAR_SILENT : HISTORY_CLEAR_COUNTED;
        r->value = rc == LFSET_TARGET_UNCOUNTED ? 0 : (uint64_t)rc;
    }
}

/* What a snapshot says about single keys must be what its copy holds. */
static void ask_taken(struct worker *w, void *taken, const uint64_t *keys, size_t count)
{
    for (int i = 0; i < 8 && w->target->taken_contains; i++) {
        const uint64_t key =
            i % 2 == 0 && count > 0 ? keys[below(w, count)] : choose_key(w, WORKLOAD_SNAPSHOT);
        const int held = count > 0 && bsearch(&key, keys, count, sizeof(key), compare_keys) != NULL;

        if (w->target->taken_contains(taken, key) != held)
            fault_key(w,
                      held ? "a snapshot does not contain a key that its copy holds"
                           : "a snapshot contains a key that its copy lacks",
                      key);
    }
}

static void do_take(struct worker *w, enum history_op op)
{
    struct history_record *r = record_begin(&w->log, w->number, op, 0);
    const struct target *t = w->target;
    void *taken = NULL;
    const int rc = op == HISTORY_DRAIN ? t->drain(w->set, &taken) : t->snapshot(w->set, &taken);

    if (!answered(w, r, history_op_name(op), rc, 0))
        return;
    /* The answer is read after the return: it must not change any more. */
    const int64_t count = t->taken_count(taken);
    uint64_t *keys = count >= 0 ? record_answer_room(&w->log, (size_t)count) : NULL;
    const int64_t copied = keys ? t->taken_copy(taken, keys, (size_t)count) : -ENOMEM;

    if (keys && copied == count)
        ask_taken(w, taken, keys, (size_t)count);
    t->taken_destroy(taken);
    if (count < 0 || (copied != count && copied != -ENOMEM))
        fault(w, "taking the keys of a snapshot", count < 0 ? count : copied);
    for (int64_t i = 1; i < copied; i++)
        if (keys[i - 1] >= keys[i])
            fault_key(w, "a snapshot's keys do not ascend", keys[i]);
    if (copied == count) {
        record_answer_end(&w->log, r, (size_t)count);
        return;
    }
    /* It happened, but what it answered is lost: a drain is then no more than a clear. */
    if (op == HISTORY_DRAIN) {
        r->op = HISTORY_CLEAR;
        r->result = HISTORY_CLEAR_SILENT;
    } else {
        record_cancel(&w->log);
    }
}

static void do_one(struct worker *w)
{
    const enum workload_op op = choose_op(w);

    noise_operation(&w->noise);
    switch (op) {
    case WORKLOAD_ADD:
        worker_single(w, w->number, HISTORY_ADD, choose_key(w, op));
        break;
    case WORKLOAD_REMOVE:
        worker_single(w, w->number, HISTORY_REMOVE, choose_key(w, op));
        break;
    case WORKLOAD_CONTAINS:
        worker_single(w, w->number, HISTORY_CONTAINS, choose_key(w, op));
        break;
    case WORKLOAD_ADD_MANY:
    case WORKLOAD_REMOVE_MANY:
    case WORKLOAD_CONTAINS_MANY:
        do_batch(w, op);
        break;
    case WORKLOAD_WAIT:
        do_wait(w);
        break;
    case WORKLOAD_EACH:
        do_each(w);
        break;
    case WORKLOAD_REMOVE_IF:
        do_remove_if(w);
        break;
    case WORKLOAD_RESERVE:
        do_reserve(w);
        break;
    case WORKLOAD_PURGE:
        do_purge(w);
        break;
    case WORKLOAD_POP:
        do_pop(w);
        break;
    case WORKLOAD_SIZE:
        do_size(w);
        break;
    case WORKLOAD_IS_EMPTY:
        do_is_empty(w);
        break;
    case WORKLOAD_SNAPSHOT:
        do_take(w, HISTORY_SNAPSHOT);
        break;
    case WORKLOAD_CLEAR:
        do_clear(w);
        break;
    case WORKLOAD_DRAIN:
    default:
        do_take(w, HISTORY_DRAIN);
        break;
    }
}

/* A foreign set has few hooks within, or none: its threads are at least mixed between operations. */
static void yield_sometimes(struct worker *w)
{
    if (w->target->promises && w->noise.period != 0 && below(w, w->noise.period) == 0)
        sched_yield();
}

void worker_run(struct worker *w)
{
    const size_t ops = w->workload->round_ops;

    /* Calls are counted as well as records: those that fail for memory leave none. */
    for (size_t calls = 0; calls < ops && w->log.count < ops && w->fault[0] == '\0' && !w->over &&
                           record_has_room(&w->log, WORKLOAD_ROOM);
         calls++) {
        if (w->section != 0 && w->in_section == 0 && w->target->section_enter() == 0)
            w->in_section = w->section;
        do_one(w);
        yield_sometimes(w);
        if (w->in_section != 0 && --w->in_section == 0)
            w->target->section_leave();
    }
    if (w->in_section != 0)
        w->target->section_leave();
    w->in_section = 0;
}

void worker_free(struct worker *w)
{
    free(w->visited);
    w->visited = NULL;
    w->visited_capacity = 0;
}

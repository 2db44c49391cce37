// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "workload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *const op_names[WORKLOAD_OPS + 1] = {
    [WORKLOAD_ADD] = "add",
    [WORKLOAD_REMOVE] = "remove",
    [WORKLOAD_CONTAINS] = "contains",
    [WORKLOAD_ADD_MANY] = "add_many",
    [WORKLOAD_REMOVE_MANY] = "remove_many",
    [WORKLOAD_CONTAINS_MANY] = "contains_many",
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
            [WORKLOAD_POP] = 3, [WORKLOAD_SIZE] = 2, [WORKLOAD_IS_EMPTY] = 2,                      \
            [WORKLOAD_SNAPSHOT] = 2, [WORKLOAD_CLEAR] = (clears), [WORKLOAD_DRAIN] = (clears),     \
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
        [WORKLOAD_POP] = t->pop != NULL,
        [WORKLOAD_SIZE] = t->size != NULL,
        [WORKLOAD_IS_EMPTY] = t->is_empty != NULL,
        [WORKLOAD_SNAPSHOT] = t->snapshot != NULL,
        [WORKLOAD_CLEAR] = t->clear != NULL,
        [WORKLOAD_DRAIN] = t->drain != NULL,
    };

    return has[op];
}

void worker_round(struct worker *w, uint64_t seed, enum workload_phase phase, unsigned section,
                  int chosen)
{
    w->random = seed;
    w->mix = w->workload->mix;
    w->section = w->target->section_enter ? section : 0;
    if (phase == WORKLOAD_GROWING) {
        w->mix.weight[WORKLOAD_ADD] *= 4;
        w->mix.weight[WORKLOAD_ADD_MANY] *= 4;
    } else if (phase == WORKLOAD_SHRINKING) {
        w->mix.weight[WORKLOAD_REMOVE] *= 4;
        w->mix.weight[WORKLOAD_REMOVE_MANY] *= 4;
    }
    w->mix_total = 0;
    for (int op = 0; op < WORKLOAD_OPS; op++) {
        if (op >= WORKLOAD_POP && w->workload->one_whole_set)
            w->mix.weight[op] *= chosen ? w->threads : 0;
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

/*
 * A batch is so many single operations between one call and one return, in any order as far as the
 * history can tell: each is logged under a thread number of its own.
 */
static void do_batch(struct worker *w, enum workload_op op)
{
    const uint32_t first_thread = w->threads + 1 + w->number * WORKLOAD_BATCH;
    const size_t count = 2 + (size_t)below(w, WORKLOAD_BATCH - 1);
    const size_t first = w->log.count;
    const enum history_op single = op == WORKLOAD_ADD_MANY      ? HISTORY_ADD
                                   : op == WORKLOAD_REMOVE_MANY ? HISTORY_REMOVE
                                                                : HISTORY_CONTAINS;
    uint64_t keys[WORKLOAD_BATCH];
    int8_t results[WORKLOAD_BATCH];
    int64_t rc, ones = 0, failed = 0;
    size_t kept = first;

    for (size_t i = 0; i < count; i++) {
        keys[i] = choose_key(w, op);
        results[i] = INT8_MAX; /* an answer that no call gives */
    }
    for (size_t i = 0; i < count; i++)
        record_begin(&w->log, first_thread + (uint32_t)i, single, keys[i]);
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

/*
 * clear also answers how many keys there were. A history has no column for it, but where the number
 * says which keys there were it is a drain of those.
 */
static void do_clear(struct worker *w)
{
    struct history_record *r = record_begin(&w->log, w->number, HISTORY_CLEAR, 0);
    const int64_t rc = w->target->clear(w->set);
    const int one_key = w->workload->kind == WORKLOAD_UNIFORM && w->workload->keys == 1;

    if (!answered(w, r, "clear", rc, INT64_MAX))
        return;
    r->result = 1;
    if (rc == 0 || (rc == 1 && one_key)) {
        uint64_t *keys = record_answer_room(&w->log, 1);

        if (keys) {
            keys[0] = 0; /* the only key of a one-key workload */
            r->op = HISTORY_DRAIN;
            record_answer_end(&w->log, r, (size_t)rc);
        }
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

    t->taken_destroy(taken);
    if (count < 0 || (copied != count && copied != -ENOMEM))
        fault(w, "taking the keys of a snapshot", count < 0 ? count : copied);
    for (int64_t i = 1; i < copied; i++)
        if (keys[i - 1] >= keys[i])
            fault(w, "a snapshot's keys, which must ascend, but", (int64_t)keys[i]);
    if (copied == count) {
        record_answer_end(&w->log, r, (size_t)count);
        return;
    }
    /* It happened, but what it answered is lost: a drain is then no more than a clear. */
    if (op == HISTORY_DRAIN) {
        r->op = HISTORY_CLEAR;
        r->result = 1;
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

void worker_run(struct worker *w)
{
    const size_t ops = w->workload->round_ops;
    unsigned in_section = 0;

    /* Calls are counted as well as records: those that fail for memory leave none. */
    for (size_t calls = 0; calls < ops && w->log.count < ops && w->fault[0] == '\0' &&
                           record_has_room(&w->log, WORKLOAD_BATCH);
         calls++) {
        if (w->section != 0 && in_section == 0 && w->target->section_enter() == 0)
            in_section = w->section;
        do_one(w);
        if (in_section != 0 && --in_section == 0)
            w->target->section_leave();
    }
    if (in_section != 0)
        w->target->section_leave();
}

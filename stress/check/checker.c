// SPDX-License-Identifier: MIT
/* Preparation of a history for the search, and the checker's public functions. */
#include "checker_internal.h"
#include "history_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

struct checker *checker_create(void)
{
    return calloc(1, sizeof(struct checker));
}

void checker_destroy(struct checker *checker)
{
    if (checker == NULL)
        return;
    free(checker->ops);
    free(checker->order);
    free(checker->key_value);
    free(checker->set_ids);
    free(checker->sort[0]);
    free(checker->sort[1]);
    free(checker->slots);
    free(checker->uses);
    free(checker->trace);
    checker__perkey_free(checker->perkey);
    checker__wholeset_free(checker->wholeset);
    free(checker);
}

int checker__ensure(void *array, size_t *capacity, size_t count, size_t size)
{
    return count <= *capacity ? 0 : history__grow(array, capacity, 0, count, size);
}

#define ENSURE(array, capacity, count)                                                             \
    checker__ensure(&(array), &(capacity), (count), sizeof *(array))

/* ---- dense key numbers ---- */

struct key_slot {
    uint64_t key;
    uint32_t stamp;
    uint32_t id;
};

static int grow_table(struct checker *checker)
{
    size_t wanted = checker->slot_count == 0 ? 1024 : checker->slot_count * 2;
    struct key_slot *slots = calloc(wanted, sizeof *slots);
    if (slots == NULL)
        return -ENOMEM;
    free(checker->slots);
    checker->slots = slots;
    checker->slot_count = wanted;
    checker->stamp = 1;
    for (size_t id = 0; id < checker->key_count; id++) {
        size_t at = checker__hash(checker->key_value[id]);
        while (slots[at & (wanted - 1)].stamp != 0)
            at++;
        slots[at & (wanted - 1)] = (struct key_slot){checker->key_value[id], 1, (uint32_t)id};
    }
    return 0;
}

/* A key not seen before gets the next number. */
static int new_key(struct checker *checker, uint64_t key, size_t at, uint32_t *id)
{
    if (checker->key_count >= HISTORY_MAX_RECORDS)
        return -ENOMEM;
    int status = history__grow(&checker->key_value, &checker->key_capacity, checker->key_count, 1,
                               sizeof *checker->key_value);
    if (status != 0)
        return status;
    *id = (uint32_t)checker->key_count;
    checker->key_value[checker->key_count++] = key;
    checker->slots[at] = (struct key_slot){key, checker->stamp, *id};
    return checker->key_count * 2 > checker->slot_count ? grow_table(checker) : 0;
}

static inline int find_key(struct checker *checker, uint64_t key, uint32_t *id)
{
    size_t mask = checker->slot_count - 1;
    for (size_t at = checker__hash(key);; at++) {
        const struct key_slot *slot = &checker->slots[at & mask];
        if (slot->stamp != checker->stamp)
            return new_key(checker, key, at & mask, id);
        if (slot->key == key) {
            *id = slot->id;
            return 0;
        }
    }
}

static int start_keys(struct checker *checker)
{
    checker->key_count = 0;
    if (checker->slot_count == 0)
        return grow_table(checker);
    if (++checker->stamp == 0) {
        memset(checker->slots, 0, checker->slot_count * sizeof *checker->slots);
        checker->stamp = 1;
    }
    return 0;
}

/* The keys of the initial state first, then those of the answers. */
static int number_set_keys(struct checker *checker)
{
    const struct history *history = checker->history;
    int status = start_keys(checker);
    uint32_t id;
    for (size_t i = 0; status == 0 && i < history->initial_count; i++)
        status = find_key(checker, history->initial[i], &id);
    checker->initial_count = checker->key_count;
    if (status == 0)
        status = ENSURE(checker->set_ids, checker->set_id_capacity, history->set_key_count);
    for (size_t i = 0; status == 0 && i < history->set_key_count; i++)
        status = find_key(checker, history->set_keys[i], &checker->set_ids[i]);
    return status;
}

/* ---- classes and overlap ---- */

/* The class by operation and result; pending ones apart. */
static const uint8_t class_of[HISTORY_OPS][2] = {
    [HISTORY_ADD] = {CLASS_READ_1, CLASS_ADD},
    [HISTORY_REMOVE] = {CLASS_READ_0, CLASS_REMOVE},
    [HISTORY_CONTAINS] = {CLASS_READ_0, CLASS_READ_1},
    [HISTORY_POP] = {CLASS_WHOLE, CLASS_REMOVE},
    [HISTORY_SNAPSHOT] = {CLASS_WHOLE, CLASS_WHOLE},
    [HISTORY_DRAIN] = {CLASS_WHOLE, CLASS_WHOLE},
    [HISTORY_CLEAR] = {CLASS_WHOLE, CLASS_WHOLE},
    [HISTORY_SIZE] = {CLASS_WHOLE, CLASS_WHOLE},
    [HISTORY_IS_EMPTY] = {CLASS_WHOLE, CLASS_WHOLE},
};

static const uint8_t pending_class_of[HISTORY_OPS] = {
    [HISTORY_ADD] = CLASS_ADD,          [HISTORY_REMOVE] = CLASS_REMOVE,
    [HISTORY_CONTAINS] = CLASS_DROPPED, [HISTORY_POP] = CLASS_WHOLE,
    [HISTORY_SNAPSHOT] = CLASS_DROPPED, [HISTORY_DRAIN] = CLASS_WHOLE,
    [HISTORY_CLEAR] = CLASS_WHOLE,      [HISTORY_SIZE] = CLASS_DROPPED,
    [HISTORY_IS_EMPTY] = CLASS_DROPPED,
};

enum checker_class checker__class(const struct history_record *record)
{
    return record->ret == HISTORY_PENDING ? pending_class_of[record->op]
                                          : class_of[record->op][record->result & 1];
}

/* A whole-set operation shares every key. An operation that is counted neither by its key nor by the
 * whole set's operations alone can still overlap one of the other kind. Exact, in one pass forward
 * (what began before) and one backward (what begins before its end). */
static size_t count_overlap_whole(struct checker *checker)
{
    size_t counted = 0, count = checker->count;
    uint64_t next_any = NEVER, next_whole = NEVER;
    for (size_t i = 0; i < checker->key_count; i++)
        checker->uses[i] = (struct checker_use){0};
    /* Backward: the `busy_until` of a key is the call of its next operation. Bit 31 of `class`
     * remembers what was found. */
    const uint32_t flag = UINT32_C(1) << 31;
    for (size_t i = count; i-- > 0;) {
        struct checker_op *op = &checker->ops[i];
        if (op->class == CLASS_DROPPED)
            continue;
        bool whole = op->class == CLASS_WHOLE;
        uint64_t next = next_any;
        if (!whole) {
            struct checker_use *use = &checker->uses[op->key];
            next = use->last_alone && use->busy_until < next_whole ? use->busy_until : next_whole;
            *use = (struct checker_use){op->invoke, true};
        } else {
            next_whole = op->invoke;
        }
        next_any = op->invoke;
        if (next != NEVER && next <= op->ret)
            op->class |= flag;
    }
    for (size_t i = 0; i < checker->key_count; i++)
        checker->uses[i] = (struct checker_use){0};
    struct checker_use any = {0}, wholes = {0};
    for (size_t i = 0; i < count; i++) {
        struct checker_op *op = &checker->ops[i];
        uint32_t class = op->class & ~flag;
        if (class == CLASS_DROPPED)
            continue;
        bool overlaps = (op->class & flag) != 0;
        bool open_any = checker__count_overlap(&any, op->invoke, op->ret) != 0;
        if (class == CLASS_WHOLE) {
            checker__count_overlap(&wholes, op->invoke, op->ret);
            overlaps |= open_any;
        } else {
            overlaps |= wholes.busy_until > op->invoke;
            overlaps |= checker__count_overlap(&checker->uses[op->key], op->invoke, op->ret) != 0;
        }
        counted += (size_t)overlaps;
        op->class = class;
    }
    return counted;
}

static int prepare_op(struct checker *checker, const struct history_record *record,
                      struct checker_op *op)
{
    *op = (struct checker_op){
        .invoke = record->invoke, .ret = record->ret, .key = NONE, .class = checker__class(record)};
    return op->class < CLASS_WHOLE ? find_key(checker, record->value, &op->key) : 0;
}

/* What the search needs: the operations in order, with dense key numbers; and counts the overlap. */
static int prepare(struct checker *checker, struct checker_result *result)
{
    const struct history *history = checker->history;
    checker->count = history->count;
    int status = checker__order_records(checker);
    if (status == 0)
        status = number_set_keys(checker);
    if (status == 0)
        status = ENSURE(checker->ops, checker->op_capacity, checker->count + 1);
    for (size_t i = 0; status == 0 && i < checker->count; i++)
        status = prepare_op(checker, &history->records[checker->order[i]], &checker->ops[i]);
    if (status == 0)
        status = ENSURE(checker->uses, checker->use_capacity, checker->key_count + 1);
    if (status != 0)
        return status;
    result->keys = checker->key_count;
    result->overlapping = count_overlap_whole(checker);
    return 0;
}

/* ---- public functions ---- */

int checker_run(struct checker *checker, const struct history *history,
                const struct checker_options *options, struct checker_result *result)
{
    const struct checker_result nothing = {.operations = history->count,
                                           .failed_record = CHECKER_NONE};
    *result = nothing;
    checker->history = history;
    checker->options = options != NULL ? *options : (struct checker_options){0};
    if (checker->options.budget == 0)
        checker->options.budget = CHECKER_DEFAULT_BUDGET;
    checker->trace_count = 0;
    checker->engine = CHECKER_ENGINE_NONE;
    if (history->count > HISTORY_MAX_RECORDS)
        return -EINVAL;
    int status = checker__perkey_run(checker, result);
    if (status < 0)
        return status;
    checker->engine = CHECKER_ENGINE_PERKEY;
    if (status == 0)
        return 0;
    checker->engine = CHECKER_ENGINE_SEARCH;
    checker->trace_count = 0;
    *result = nothing;
    status = prepare(checker, result);
    return status == 0 ? checker__wholeset_run(checker, result) : status;
}

int checker_end_state(const struct checker *checker, struct history *next)
{
    switch (checker->engine) {
    case CHECKER_ENGINE_PERKEY:
        return checker__perkey_end(checker, next);
    case CHECKER_ENGINE_SEARCH:
        return checker__wholeset_end(checker, next);
    case CHECKER_ENGINE_NONE:
        break;
    }
    return -EAGAIN;
}

int checker__trace_add(struct checker *checker, size_t record, uint64_t time)
{
    int status = history__grow(&checker->trace, &checker->trace_capacity, checker->trace_count, 1,
                               sizeof *checker->trace);
    if (status == 0)
        checker->trace[checker->trace_count++] =
            (struct checker_step){.record = record, .time = time};
    return status;
}

const struct checker_step *checker_trace(const struct checker *checker, size_t *count)
{
    *count = checker->trace_count;
    return checker->trace;
}

const char *checker_verdict_name(enum checker_verdict verdict)
{
    static const char *const names[] = {"linearizable", "violation", "undecided"};
    return names[verdict];
}

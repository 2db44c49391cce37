// SPDX-License-Identifier: MIT
/* Preparation of a history for the two engines, and the checker's public functions. */
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

/* Makes room for `count` elements in an array whose contents need not survive. */
#define ENSURE(array, capacity, count) ensure(&(array), &(capacity), (count), sizeof *(array))

static int ensure(void *array, size_t *capacity, size_t count, size_t size)
{
    return count <= *capacity ? 0 : history__grow(array, capacity, 0, count, size);
}

/* ---- sorting by time ---- */

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

int checker__sort_reserve(struct checker *checker, size_t count)
{
    int status = ENSURE(checker->sort[0], checker->sort_capacity[0], count);
    return status != 0 ? status : ENSURE(checker->sort[1], checker->sort_capacity[1], count);
}

/* One pass of the radix sort: stable, by the digit that begins at bit `shift`. */
static void sort_pass(const struct sort_item *from, struct sort_item *to, size_t count,
                      unsigned shift)
{
    size_t starts[DIGITS] = {0};
    for (size_t i = 0; i < count; i++)
        starts[from[i].time >> shift & (DIGITS - 1)]++;
    size_t sum = 0;
    for (size_t digit = 0; digit < DIGITS; digit++) {
        size_t here = starts[digit];
        starts[digit] = sum;
        sum += here;
    }
    for (size_t i = 0; i < count; i++)
        to[starts[from[i].time >> shift & (DIGITS - 1)]++] = from[i];
}

void checker__sort(struct checker *checker, size_t count, uint32_t *order)
{
    struct sort_item *from = checker->sort[0], *to = checker->sort[1];
    uint64_t least = UINT64_MAX, most = 0;
    for (size_t i = 0; i < count; i++) {
        least = from[i].time < least ? from[i].time : least;
        most = from[i].time > most ? from[i].time : most;
    }
    /* The times of a run share their high digits; only the span needs passes. */
    for (size_t i = 0; i < count; i++)
        from[i].time -= least;
    for (unsigned shift = 0; shift < 64 && count > 0 && (most - least) >> shift != 0;
         shift += DIGIT_BITS) {
        sort_pass(from, to, count, shift);
        struct sort_item *swap = from;
        from = to;
        to = swap;
    }
    for (size_t i = 0; i < count; i++)
        order[i] = from[i].number;
}

/* Fills checker->order: the records in order of their calls. */
static int order_records(struct checker *checker)
{
    const struct history_record *records = checker->history->records;
    size_t count = checker->history->count;
    int status = ENSURE(checker->order, checker->order_capacity, count + 1);
    if (status != 0)
        return status;
    bool sorted = true;
    for (size_t i = 1; i < count && sorted; i++)
        sorted = records[i - 1].invoke <= records[i].invoke;
    if (sorted) {
        for (size_t i = 0; i < count; i++)
            checker->order[i] = (uint32_t)i;
        return 0;
    }
    status = checker__sort_reserve(checker, count);
    if (status != 0)
        return status;
    for (size_t i = 0; i < count; i++)
        checker->sort[0][i] = (struct sort_item){records[i].invoke, (uint32_t)i};
    checker__sort(checker, count, checker->order);
    return 0;
}

/* ---- dense key numbers ---- */

struct key_slot {
    uint64_t key;
    uint32_t stamp;
    uint32_t id;
};

static size_t key_hash(uint64_t key)
{
    key *= UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(key ^ key >> 32);
}

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
        size_t at = key_hash(checker->key_value[id]);
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
    for (size_t at = key_hash(key);; at++) {
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

/* How long a key has been in use, to count the operations that overlap another. */
struct key_use {
    uint64_t busy_until; /* + 1; 0: never used */
    bool last_alone;     /* the latest operation was not counted yet */
};

/* Counts the operation if one before it is still open, and with it the one before that was alone so
 * far: only the latest can have been, because any other was overlapped by its successors. */
static inline size_t count_overlap(struct key_use *use, uint64_t invoke, uint64_t ret)
{
    size_t counted = 0;
    if (use->busy_until > invoke) {
        counted = 1 + (size_t)use->last_alone;
        use->last_alone = false;
    } else {
        use->last_alone = true;
    }
    uint64_t until = ret == NEVER ? NEVER : ret + 1;
    use->busy_until = until > use->busy_until ? until : use->busy_until;
    return counted;
}

/* With whole-set operations, which share every key: an operation that is counted neither by its key
 * nor by the whole set's operations alone can still overlap one of the other kind. Exact, in one
 * pass forward (what began before) and one backward (what begins before its end). */
static size_t count_overlap_whole(struct checker *checker)
{
    size_t counted = 0, count = checker->count;
    uint64_t next_any = NEVER, next_whole = NEVER;
    for (size_t i = 0; i < checker->key_count; i++)
        checker->uses[i] = (struct key_use){0};
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
            struct key_use *use = &checker->uses[op->key];
            next = use->last_alone && use->busy_until < next_whole ? use->busy_until : next_whole;
            *use = (struct key_use){op->invoke, true};
        } else {
            next_whole = op->invoke;
        }
        next_any = op->invoke;
        if (next != NEVER && next <= op->ret)
            op->class |= flag;
    }
    for (size_t i = 0; i < checker->key_count; i++)
        checker->uses[i] = (struct key_use){0};
    struct key_use any = {0}, wholes = {0};
    for (size_t i = 0; i < count; i++) {
        struct checker_op *op = &checker->ops[i];
        uint32_t class = op->class & ~flag;
        if (class == CLASS_DROPPED)
            continue;
        bool overlaps = (op->class & flag) != 0;
        bool open_any = count_overlap(&any, op->invoke, op->ret) != 0;
        if (class == CLASS_WHOLE) {
            count_overlap(&wholes, op->invoke, op->ret);
            overlaps |= open_any;
            checker->needs_search |= overlaps;
        } else {
            overlaps |= wholes.busy_until > op->invoke;
            overlaps |= count_overlap(&checker->uses[op->key], op->invoke, op->ret) != 0;
        }
        counted += (size_t)overlaps;
        op->class = class;
    }
    return counted;
}

static int prepare_op(struct checker *checker, const struct history_record *record,
                      struct checker_op *op)
{
    op->invoke = record->invoke;
    op->ret = record->ret;
    op->key = NONE;
    if (record->op >= HISTORY_OPS)
        return -EINVAL;
    op->class = record->ret == HISTORY_PENDING ? pending_class_of[record->op]
                                               : class_of[record->op][record->result & 1];
    if (op->class < CLASS_WHOLE)
        return find_key(checker, record->value, &op->key);
    if (op->class == CLASS_WHOLE) {
        checker->whole_count++;
        if ((record->op == HISTORY_SNAPSHOT || record->op == HISTORY_DRAIN) &&
            record->ret != HISTORY_PENDING && record->value >= checker->history->set_count)
            return -EINVAL;
    }
    return 0;
}

/* Fills checker->ops and counts the overlap. */
static int prepare_ops(struct checker *checker, size_t *overlapping)
{
    const struct history *history = checker->history;
    checker->count = history->count;
    checker->whole_count = 0;
    checker->needs_search = false;
    int status = ENSURE(checker->ops, checker->op_capacity, checker->count + 1);
    for (size_t i = 0; status == 0 && i < checker->count; i++)
        status = prepare_op(checker, &history->records[checker->order[i]], &checker->ops[i]);
    if (status == 0)
        status = ENSURE(checker->uses, checker->use_capacity, checker->key_count + 1);
    if (status != 0)
        return status;
    if (checker->whole_count > 0) {
        *overlapping = count_overlap_whole(checker);
        return 0;
    }
    for (size_t i = 0; i < checker->key_count; i++)
        checker->uses[i] = (struct key_use){0};
    size_t counted = 0;
    for (size_t i = 0; i < checker->count; i++) {
        const struct checker_op *op = &checker->ops[i];
        if (op->class != CLASS_DROPPED)
            counted += count_overlap(&checker->uses[op->key], op->invoke, op->ret);
    }
    *overlapping = counted;
    return 0;
}

/* ---- public functions ---- */

int checker_run(struct checker *checker, const struct history *history,
                const struct checker_options *options, struct checker_result *result)
{
    *result = (struct checker_result){.operations = history->count, .failed_record = CHECKER_NONE};
    checker->history = history;
    checker->options = options != NULL ? *options : (struct checker_options){0};
    if (checker->options.budget == 0)
        checker->options.budget = CHECKER_DEFAULT_BUDGET;
    checker->trace_count = 0;
    if (history->count > HISTORY_MAX_RECORDS)
        return -EINVAL;
    int status = order_records(checker);
    if (status == 0)
        status = number_set_keys(checker);
    if (status == 0)
        status = prepare_ops(checker, &result->overlapping);
    if (status != 0)
        return status;
    result->keys = checker->key_count;
    return checker->needs_search ? checker__wholeset_run(checker, result)
                                 : checker__perkey_run(checker, result);
}

int checker__trace_add(struct checker *checker, uint32_t op, uint64_t time)
{
    int status = history__grow(&checker->trace, &checker->trace_capacity, checker->trace_count, 1,
                               sizeof *checker->trace);
    if (status == 0)
        checker->trace[checker->trace_count++] =
            (struct checker_step){.record = checker->order[op], .time = time};
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

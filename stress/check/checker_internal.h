// SPDX-License-Identifier: MIT
/*
 * What checker.c, merge.c (the records in order of their calls), perkey.c (the greedy) and wholeset.c
 * (the search) share.
 *
 * The greedy comes first, in one pass over the records. Only where a whole-set operation overlaps
 * another does checker.c prepare the history for the search: it gives the keys dense numbers and
 * classes the operations by what they do to their key.
 */
#ifndef LFSET_STRESS_CHECK_CHECKER_INTERNAL_H
#define LFSET_STRESS_CHECK_CHECKER_INTERNAL_H

#include "checker.h"

/** What an operation is to the state of its key. */
enum checker_class {
    CLASS_READ_0, /**< remove->0, contains->0 */
    CLASS_READ_1, /**< add->0, contains->1 */
    CLASS_ADD,    /**< add->1, or pending */
    CLASS_REMOVE, /**< remove->1, pop->key, or pending remove */
    CLASS_WHOLE,  /**< concerns every key */
    CLASS_DROPPED /**< a read that never returned says nothing */
};

/** A class that changes its key from state `class - CLASS_ADD` to the other. */
#define CLASS_IS_TOGGLE(class) ((class) == CLASS_ADD || (class) == CLASS_REMOVE)

/** No operation, no key, no node. */
#define NONE UINT32_MAX

/** "Never" as a deadline. */
#define NEVER UINT64_MAX

/** A prepared operation; operation `i` is record `checker.order[i]`. */
struct checker_op {
    uint64_t invoke, ret;
    uint32_t key; /**< dense number; NONE for whole-set operations */
    uint32_t class;
};

/** The class of a record's operation. */
enum checker_class checker__class(const struct history_record *record);

/** A part of the records that is in order of the calls. */
struct checker_run {
    uint64_t time; /* of the record `at` */
    uint32_t at, end;
};

/** So many runs are merged; more are sorted. */
enum { CHECKER_RUNS = 256 };

struct checker_merge {
    struct checker_run runs[CHECKER_RUNS]; /* a heap by time */
    size_t run_count;
    bool sorted; /* instead, checker->order was filled */
    size_t next;
};

struct checker_perkey;   /* perkey.c */
struct checker_wholeset; /* wholeset.c */

struct checker {
    /* Input of the current run. */
    const struct history *history;
    struct checker_options options;
    struct checker_merge merge;

    /* Prepared for the search. */
    struct checker_op *ops; /* in order of invoke */
    uint32_t *order;
    size_t count, op_capacity, order_capacity;
    uint64_t *key_value; /* of each dense number */
    uint32_t *set_ids;   /* dense numbers of history->set_keys */
    size_t key_count, key_capacity, set_id_capacity;
    size_t initial_count; /* the initial keys are the dense numbers below this */

    /* Memory of the preparation. */
    struct sort_item *sort[2];
    size_t sort_capacity[2];
    struct key_slot *slots; /* hash table of the keys */
    size_t slot_count;
    uint32_t stamp; /* slots of earlier runs are free */
    struct checker_use *uses;
    size_t use_capacity;

    struct checker_perkey *perkey;
    struct checker_wholeset *wholeset;
    enum {
        CHECKER_ENGINE_NONE,
        CHECKER_ENGINE_PERKEY,
        CHECKER_ENGINE_SEARCH
    } engine; /* used last */

    /* The order found, if the options ask for it. */
    struct checker_step *trace;
    size_t trace_count, trace_capacity;
};

/** Makes room for `count` elements of `size` bytes in an array whose contents need not survive. 0 or
 *  -ENOMEM. */
int checker__ensure(void *array, size_t *capacity, size_t count, size_t size);

/** Sorts operation numbers by `time`: fills `order[0..count)` with the numbers of the operations
 *  in checker->sort[0], in ascending order of their times. The memory of the sort is reused. */
struct sort_item {
    uint64_t time;
    uint32_t number;
};
void checker__sort(struct checker *checker, size_t count, uint32_t *order);

/** Makes room in both sort arrays. 0 or -ENOMEM. */
int checker__sort_reserve(struct checker *checker, size_t count);

/** Begins to go through the records in order of their calls. 0 or -ENOMEM. */
int checker__merge_start(struct checker *checker);

/** Puts the numbers of the next records, at most `most`, into `numbers`; how many: 0 at the end. */
size_t checker__merge_next(struct checker *checker, uint32_t *numbers, size_t most);

/** Fills checker->order with the numbers of all records in order of their calls. 0 or -ENOMEM. */
int checker__order_records(struct checker *checker);

/** Appends to the trace. 0 or -ENOMEM. */
int checker__trace_add(struct checker *checker, size_t record, uint64_t time);

static inline size_t checker__hash(uint64_t key)
{
    key *= UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(key ^ key >> 32);
}

/** How long a key has been in use, to count the operations that overlap another. */
struct checker_use {
    uint64_t busy_until; /* + 1; 0: never used */
    bool last_alone;     /* the latest operation was not counted yet */
};

/** Counts the operation if one before it is still open, and with it the one before that was alone so
 *  far: only the latest can have been, because any other was overlapped by its successors. */
static inline size_t checker__count_overlap(struct checker_use *use, uint64_t invoke, uint64_t ret)
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

/** The engines. They fill in verdict, steps and the failure; the greedy the keys and the overlap as
 *  well. 0 or -ENOMEM; the greedy also 1: whole-set operations overlap others, so this is for the
 *  search; -EINVAL: a record that history_validate would not accept. */
int checker__perkey_run(struct checker *checker, struct checker_result *result);
int checker__wholeset_run(struct checker *checker, struct checker_result *result);
void checker__perkey_free(struct checker_perkey *perkey);
void checker__wholeset_free(struct checker_wholeset *wholeset);

/** The keys present at the end of what was linearizable. 0 or -ENOMEM; -EAGAIN: more than one state
 *  is possible. */
int checker__perkey_end(const struct checker *checker, struct history *next);
int checker__wholeset_end(const struct checker *checker, struct history *next);

#endif

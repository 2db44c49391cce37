// SPDX-License-Identifier: MIT
/*
 * What checker.c (preparation), perkey.c (the greedy) and wholeset.c (the search) share.
 *
 * checker.c brings the records into the order of their calls, gives the keys dense numbers and
 * classes the operations by what they do to their key; the two engines see only that.
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

struct checker_perkey;   /* perkey.c */
struct checker_wholeset; /* wholeset.c */

struct checker {
    /* Input of the current run, prepared. */
    const struct history *history;
    struct checker_options options;
    struct checker_op *ops; /* in order of invoke */
    uint32_t *order;
    size_t count, op_capacity, order_capacity;
    uint64_t *key_value; /* of each dense number */
    uint32_t *set_ids;   /* dense numbers of history->set_keys */
    size_t key_count, key_capacity, set_id_capacity;
    size_t initial_count; /* the initial keys are the dense numbers below this */
    size_t whole_count;   /* whole-set operations that say or do something */
    bool needs_search;    /* one of them overlaps another operation */

    /* Memory of the preparation. */
    struct sort_item *sort[2];
    size_t sort_capacity[2];
    struct key_slot *slots; /* hash table of the keys */
    size_t slot_count;
    uint32_t stamp; /* slots of earlier runs are free */
    struct key_use *uses;
    size_t use_capacity;

    struct checker_perkey *perkey;
    struct checker_wholeset *wholeset;

    /* The order found, if the options ask for it. */
    struct checker_step *trace;
    size_t trace_count, trace_capacity;
};

/** Sorts operation numbers by `time`: fills `order[0..count)` with the numbers of the operations
 *  in checker->sort[0], in ascending order of their times. The memory of the sort is reused. */
struct sort_item {
    uint64_t time;
    uint32_t number;
};
void checker__sort(struct checker *checker, size_t count, uint32_t *order);

/** Makes room in both sort arrays. 0 or -ENOMEM. */
int checker__sort_reserve(struct checker *checker, size_t count);

/** Appends to the trace. 0 or -ENOMEM. */
int checker__trace_add(struct checker *checker, uint32_t op, uint64_t time);

/** Notes that operation `op` cannot be placed by `time`. */
static inline void checker__fail(const struct checker *checker, struct checker_result *result,
                                 uint32_t op, uint64_t time)
{
    result->verdict = CHECKER_VIOLATION;
    result->failed_record = checker->order[op];
    result->failed_time = time;
}

/** The engines. They fill in verdict, steps and the failure. 0 or -ENOMEM. */
int checker__perkey_run(struct checker *checker, struct checker_result *result);
int checker__wholeset_run(struct checker *checker, struct checker_result *result);
void checker__perkey_free(struct checker_perkey *perkey);
void checker__wholeset_free(struct checker_wholeset *wholeset);

#endif

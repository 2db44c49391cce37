// SPDX-License-Identifier: MIT
/*
 * What is explored: a set made in a certain way, and a short list of operations for each thread.
 * Drawn from a scenario and a number; the same pair gives the same plan.
 */
#ifndef LFSET_STRESS_EXPLORE_PLAN_H
#define LFSET_STRESS_EXPLORE_PLAN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "explore/schedule.h"
#include "lfset/lfset.h"

enum { PLAN_OPS = 6, PLAN_KEYS = 8, PLAN_PREFILL = 192, PLAN_WARM = 8 };

/** Which kind of set. */
enum plan_set { PLAN_U64, PLAN_OBJ, PLAN_BYTES, PLAN_BITMAP, PLAN_SETS };

/** What an object's destroy callback does with the set. */
enum plan_destroy { PLAN_DESTROY_ONLY, PLAN_DESTROY_CONTAINS, PLAN_DESTROY_ADD };

enum plan_op_kind {
    PLAN_ADD,
    PLAN_REMOVE,
    PLAN_CONTAINS,
    PLAN_POP,
    PLAN_SNAPSHOT,
    PLAN_DRAIN,
    PLAN_CLEAR,
    PLAN_SIZE,
    PLAN_IS_EMPTY,
    PLAN_EACH,
    PLAN_RESERVE,
    PLAN_ADD_MANY,
    PLAN_REMOVE_MANY,
    PLAN_CONTAINS_MANY,
    PLAN_STATS,
    PLAN_DETACH,
    PLAN_BARRIER,
    PLAN_WAIT_PRESENT,
    PLAN_WAIT_ABSENT,
    PLAN_WAIT_EMPTY,
    PLAN_CANCEL, /**< all waits from then on */
    PLAN_GET,    /**< objects: as contains */
    PLAN_ADD_OR_GET,
    PLAN_PURGE,
    PLAN_CLONE,     /**< as a snapshot */
    PLAN_ADD_RANGE, /**< bitmaps: from the key on, see plan_width */
    PLAN_REMOVE_RANGE,
    PLAN_REMOVE_ALL, /**< by a range: each member for itself */
    PLAN_COUNT_RANGE,
    PLAN_SEEK, /**< next_set, next_clear, min or max, by the count */
    PLAN_OP_KINDS
};

struct plan_op {
    uint8_t kind;
    uint8_t key;   /**< number of the (first) key */
    uint8_t count; /**< keys, for *_many */
};

/** A key stored before the threads start. */
struct plan_prefill {
    uint64_t hash;
    bool live;
};

struct plan {
    uint64_t seed;
    const char *scenario;
    enum plan_set set;
    enum lfset_domain domain;
    unsigned threads, ops[SCHED_THREADS];
    struct plan_op op[SCHED_THREADS][PLAN_OPS];
    bool attached[SCHED_THREADS]; /**< at the start */
    bool section[SCHED_THREADS];  /**< all operations within one section */
    uint64_t capacity;
    bool lower_floor;             /**< the capacity was asked for once and is not any more */
    uint64_t key_hash[PLAN_KEYS]; /**< of the keys, under the set's first multiplier */
    unsigned keys, prefills, warms;
    struct plan_prefill prefill[PLAN_PREFILL];
    struct plan_op warm[PLAN_WARM]; /**< done before the threads start */
    bool late;                      /**< snapshots are looked at when the thread ends */
    bool scan;                      /**< HP: scan at the first retire of each operation */
    bool final_snapshot;            /**< the last state is read by a snapshot, not an iteration */
    bool reuse;                     /**< freed memory is handed out again at once */
    bool stop;                      /**< one thread stops for ever */
    unsigned enomem;                /**< one allocation in so many fails; 0: none */
    // not of u64
    bool outlive; /**< late snapshots and clones are looked at when the set is destroyed */
    enum plan_destroy destroy; /**< objects */
    uint8_t destroy_key;
    // bitmaps: so many hot keys, this far from each other, lie in the first one's region, from here on
    uint32_t share, stride, offset;
};

/** Is there a scenario of this name? */
bool plan_scenario_exists(const char *name);
/** Names and what they are about. */
void plan_print_scenarios(FILE *file);
/** How many keys a range operation concerns. */
static inline uint32_t plan_width(const struct plan_op *op)
{
    return 1 + (op->count - 1u) % 4;
}
/** @return the number of the kind of this name, or -1. */
int plan_set_named(const char *name);
const char *plan_set_name(enum plan_set set);
/**
 * Draws a plan. @param set enum plan_set or -1: any. @param domain LFSET_RCU, LFSET_HP or -1: any.
 * @param threads, ops 0: any.
 */
void plan_make(struct plan *plan, const char *scenario, int set, int domain, unsigned threads,
               unsigned ops, uint64_t seed);
const char *plan_op_name(enum plan_op_kind kind);
void plan_print_op(const struct plan_op *op, FILE *file);
void plan_print(const struct plan *plan, FILE *file);

#endif

// SPDX-License-Identifier: MIT
/**
 * @file workload.h
 * What a thread does: which operation, on which key, how often.
 */
#ifndef STRESS_WORKLOAD_H
#define STRESS_WORKLOAD_H

#include "noise.h"
#include "record.h"
#include "target.h"

enum workload_op {
    WORKLOAD_ADD,
    WORKLOAD_REMOVE,
    WORKLOAD_CONTAINS,
    WORKLOAD_ADD_MANY,
    WORKLOAD_REMOVE_MANY,
    WORKLOAD_CONTAINS_MANY,
    WORKLOAD_WAIT, /**< for a key to come or go, or for the set to be empty; not for long */
    WORKLOAD_EACH,
    WORKLOAD_REMOVE_IF,
    WORKLOAD_RESERVE,
    WORKLOAD_PURGE,
    WORKLOAD_POP, /**< from here on the checker has to search */
    WORKLOAD_SIZE,
    WORKLOAD_IS_EMPTY,
    WORKLOAD_SNAPSHOT,
    WORKLOAD_CLEAR,
    WORKLOAD_DRAIN,
    WORKLOAD_OPS
};

/**
 * One call that is many operations to the history, such as a batch or an iteration, is logged as those
 * of so many threads at most; they have numbers of their own.
 */
#define WORKLOAD_PARTS 64
/** Records that one call may make. */
#define WORKLOAD_ROOM (WORKLOAD_PARTS + 8)

/** Relative weights of the operations. */
struct workload_mix {
    uint32_t weight[WORKLOAD_OPS];
};

/**
 * Reads "add=40,remove=30,snapshot=1": operations that are not named get weight 0.
 * @return 0, or -EINVAL with the reason in `why`.
 */
int workload_mix_parse(const char *spec, struct workload_mix *mix, char *why, size_t why_size);

/** Writes the mix in that form. */
void workload_mix_print(const struct workload_mix *mix, char *text, size_t size);

enum workload_keys {
    WORKLOAD_UNIFORM, /**< any of 0 .. keys-1 */
    WORKLOAD_WINDOW,  /**< ever new keys; each is removed when it is `keys` behind the newest */
};

struct workload {
    char name[24];
    enum workload_keys kind;
    uint64_t keys;
    size_t round_ops;  /**< operations of one thread in one round */
    uint64_t capacity; /**< initial */
    /**
     * Only one thread at a time operates on the whole set. The checker's search is exponential in
     * such operations that overlap; with few keys it ends early all the same.
     */
    int one_whole_set;
    struct workload_mix mix;
};

/** The workloads run when none is asked for; ended by one without a name. */
extern const struct workload workload_all[];

/** A workload on `keys` keys with a mix that suits so many. */
struct workload workload_for_keys(uint64_t keys);

/** Is adding or removing favoured in this round? So that a set grows and shrinks in turn. */
enum workload_phase { WORKLOAD_LEVEL, WORKLOAD_GROWING, WORKLOAD_SHRINKING, WORKLOAD_PHASES };

/** One thread's state; its own while it runs. */
struct worker {
    struct record_log log;
    struct noise_thread noise;
    const struct target *target;
    void *set;
    uint32_t number;
    uint32_t threads;
    uint64_t random;
    uint64_t add_cursor; /**< WORKLOAD_WINDOW: the next new key, and the next to be removed */
    uint64_t remove_cursor;
    const struct workload *workload;
    struct workload_mix mix; /**< of this round */
    uint64_t mix_total;
    int without_clear;   /**< in this round */
    unsigned section;    /**< operations in one section; 0: none */
    unsigned in_section; /**< operations until the open section ends; 0: none is open */
    int over;            /**< nothing more can be logged in this round */
    uint64_t *visited;   /**< the keys that an iteration met */
    size_t visited_count;
    size_t visited_capacity;
    char fault[160]; /**< an answer that no history could hold, in words; "" is none */
};

/**
 * Prepares the worker for a round; `chosen`: it is the one for whole-set operations, where there is
 * one.
 */
void worker_round(struct worker *worker, uint64_t seed, enum workload_phase phase, unsigned section,
                  int chosen);

/** Does one round's operations. */
void worker_run(struct worker *worker);

/** Gives back what a worker has collected. */
void worker_free(struct worker *worker);

/** Logs one operation on one key, under the number `thread`. */
void worker_single(struct worker *worker, uint32_t thread, enum history_op op, uint64_t key);

#endif

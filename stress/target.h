// SPDX-License-Identifier: MIT
/**
 * @file target.h
 * A set under test, whatever it is made of: what the workloads call.
 *
 * Outcomes are those of lfset: 1 and 0, failures are negative errno values and have changed
 * nothing. A pointer documented as optional may be NULL; a workload that needs it is then not run.
 */
#ifndef STRESS_TARGET_H
#define STRESS_TARGET_H

#include <lfset/lfset.h>
#include <stddef.h>
#include <stdint.h>

/** The *_many functions are called with at most so many keys. */
#define TARGET_BATCH 16

struct target_options {
    enum lfset_domain domain;
    uint64_t capacity;    /**< keys to have room for at once */
    uint64_t seed;        /**< hash seed, never 0: the run can be repeated */
    const char *observed; /**< it counts, and has this name; NULL: it is not observed */
};

/** How often the set was rebuilt, and what it is made of now. */
struct target_counters {
    uint64_t grows;
    uint64_t purges;
    uint64_t shrinks;
    uint64_t rehashes;
    uint64_t snapshots;
    uint64_t clears;
    uint64_t capacity;
    uint64_t bytes;
};

/** Operations that a foreign set may promise less of than that they are linearizable. */
enum target_weak { TARGET_SIZE, TARGET_IS_EMPTY, TARGET_EACH, TARGET_CLEAR, TARGET_WEAK_OPS };

/** What a foreign set promises; lfset/target.h says what the words mean. */
struct target_promises {
    int has[TARGET_WEAK_OPS]; /**< the operation may be called while others are in the set */
    int weak[TARGET_WEAK_OPS];
    int counter;   /**< a weak size, or is_empty, is a counter's */
    int repeats;   /**< each may visit a key twice */
    int lock_free; /**< a stopped thread does not stop the others */
};

struct target {
    const char *name;
    const char *about; /**< half a line for --help */
    int has_domains;   /**< 1: run once for each reclamation domain */
    /** NULL: all is linearizable and lock-free, as lfset promises. */
    const struct target_promises *promises;

    int (*create)(const struct target_options *options, void **set);
    int (*destroy)(void *set);

    int (*add)(void *set, uint64_t key);
    int (*remove)(void *set, uint64_t key);
    int (*contains)(void *set, uint64_t key);

    /** Optional: `count` keys at once; results[i] is what the single call would have answered. */
    int64_t (*add_many)(void *set, const uint64_t *keys, size_t count, int8_t *results);
    int64_t (*remove_many)(void *set, const uint64_t *keys, size_t count, int8_t *results);
    int64_t (*contains_many)(void *set, const uint64_t *keys, size_t count, int8_t *results);

    /** Whole-set operations; each optional, except that drain and snapshot need the taken_*. */
    int (*pop)(void *set, uint64_t *key);
    int64_t (*size)(void *set);
    int (*is_empty)(void *set);
    int64_t (*clear)(void *set);
    int (*snapshot)(void *set, void **taken);
    int (*drain)(void *set, void **taken);

    /** What a snapshot or a drain took. copy: ascending, the number copied (at most max). contains
     * is optional. */
    int64_t (*taken_count)(void *taken);
    int64_t (*taken_copy)(void *taken, uint64_t *keys, size_t max);
    int (*taken_contains)(void *taken, uint64_t key);
    void (*taken_destroy)(void *taken);

    /** Optional for foreign sets: every key, in any order, until `visit` answers non-zero. */
    int (*each)(const void *set, int (*visit)(uint64_t key, void *ctx), void *ctx);
    /** 1: `each` may run while others change the set. */
    int each_is_concurrent;

    /** Optional: removes the keys for which `unwanted` answers 1; how many it removed. */
    int64_t (*remove_if)(void *set, int (*unwanted)(uint64_t key, void *ctx), void *ctx);
    /** Optional: the set makes or gives back room; its keys stay. purge: 1 or 0. */
    int (*reserve)(void *set, uint64_t capacity);
    int (*purge)(void *set);

    /** Optional, not within a section: 0, or -ETIMEDOUT. */
    int (*wait_present)(void *set, uint64_t key, const struct lfset_cancel *cancel);
    int (*wait_absent)(void *set, uint64_t key, const struct lfset_cancel *cancel);
    int (*wait_empty)(void *set, const struct lfset_cancel *cancel);

    /** Optional: 1 when the inner invariants hold, else 0 and why. Only while nobody else is in. */
    int (*validate)(const void *set, const char **reason);
    /** Optional. */
    int (*counters)(const void *set, struct target_counters *counters);

    /** Optional, for the calling thread. */
    int (*attach)(void);
    int (*detach)(void);
    int (*section_enter)(void);
    int (*section_leave)(void);

    /** Optional, for the calling thread: before its first operation on the set, after its last. */
    int (*set_attach)(void *set);
    int (*set_detach)(void *set);
};

/**
 * A target has noticed, by itself, what no history shows: an object destroyed twice, a key that is
 * none of those added. The first one counts; it makes the run a violation.
 */
__attribute__((format(printf, 1, 2))) void target_notice(const char *format, ...);

/** What was noticed since the last target_notice_clear; NULL: nothing. */
const char *target_noticed(void);
void target_notice_clear(void);

/** The options and statistics of lfset's sets. */
struct lfset_options target_lfset_options(const struct target_options *options);
struct target_counters target_lfset_counters(const struct lfset_stats *stats);

/** For taken_copy: brings the keys into order; notices one that is there twice. */
void target_sort(uint64_t *keys, size_t count);

extern const struct target target_u64;
extern const struct target target_bytes;
extern const struct target target_obj;
extern const struct target target_bitmap;

/** One table under one lock: correct, a control for the harness. */
extern const struct target target_mutex;
/** Deliberately broken: every run must end in a violation. */
extern const struct target target_broken_add;
extern const struct target target_broken_snapshot;
extern const struct target target_broken_clear;
extern const struct target target_broken_count;
extern const struct target target_broken_each;

/** Loads the set that the shared object exports. @return NULL: it cannot be used, and why not. */
const struct target *target_plugin_load(const char *path, char *why, size_t size);

/** Every target, ended by NULL; first those that have domains, which run when none is asked for. */
extern const struct target *const target_all[];

#endif

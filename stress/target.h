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

struct target_options {
    enum lfset_domain domain;
    uint64_t capacity; /**< keys to have room for at once */
    uint64_t seed;     /**< hash seed, never 0: the run can be repeated */
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

struct target {
    const char *name;
    const char *about; /**< half a line for --help */
    int has_domains;   /**< 1: run once for each reclamation domain */

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

    /** What a snapshot or a drain took. copy: ascending, the number copied (at most max). */
    int64_t (*taken_count)(void *taken);
    int64_t (*taken_copy)(void *taken, uint64_t *keys, size_t max);
    void (*taken_destroy)(void *taken);

    /** Every key, in any order, until `visit` answers non-zero. */
    int (*each)(const void *set, int (*visit)(uint64_t key, void *ctx), void *ctx);

    /** Optional: 1 when the inner invariants hold, else 0 and why. Only while nobody else is in. */
    int (*validate)(const void *set, const char **reason);
    /** Optional. */
    int (*counters)(const void *set, struct target_counters *counters);

    /** Optional, for the calling thread. */
    int (*attach)(void);
    int (*detach)(void);
    int (*section_enter)(void);
    int (*section_leave)(void);
};

extern const struct target target_u64;

/** One table under one lock: correct, a control for the harness. */
extern const struct target target_mutex;
/** Deliberately broken: every run must end in a violation. */
extern const struct target target_broken_add;
extern const struct target target_broken_snapshot;
extern const struct target target_broken_clear;

/** Every target, ended by NULL. */
extern const struct target *const target_all[];

#endif

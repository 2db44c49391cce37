// SPDX-License-Identifier: MIT
/**
 * @file work.h
 * What the soak's threads do, and how every answer is known to be right.
 *
 * Each key belongs to one thread, which alone adds and removes it and remembers, in one bit, whether it is in
 * the set: so it knows what every answer must be, while others operate on the same set. Operations that only
 * read the whole set run in between. Those that change it as a whole (clear, drain, pop) come at meetings,
 * when no thread adds or removes: then what they answer must be what the bits say, to the key.
 */
#ifndef SOAK_WORK_H
#define SOAK_WORK_H

#include "noise.h"
#include "target.h"

#include <lfset/cancel.h>

#include <pthread.h>
#include <stdatomic.h>

#define WORK_SETS 8
#define WORK_THREADS_MOST 64

struct work_set {
    const struct target *target;
    enum lfset_domain domain;
    void *set;
    _Atomic uint64_t *bits; /**< which keys it holds */
    atomic_llong live;
};

struct work;

struct work_thread {
    _Alignas(128) struct noise_thread noise;
    struct work *work;
    unsigned number;
    uint64_t random;
    atomic_ullong operations;
    pthread_t thread;
};

struct work {
    struct work_set sets[WORK_SETS];
    size_t set_count;
    uint64_t keys; /**< that there are; about half of them are in a set */
    unsigned threads;
    atomic_int stop; /**< the threads end soon */
    atomic_int failed;
    char reason[300];
    uint64_t threads_started;
    uint64_t meetings;
    atomic_ullong short_lived; /**< operations of threads that are gone */
    struct work_thread crew[WORK_THREADS_MOST];
    uint64_t seed;
};

/** Sets of every kind in both domains, or of `only` and one domain (-1: both), half full.
 *  @return 0 or a negative errno. */
int work_init(struct work *work, const struct target *only, int domain);
/** New threads begin. @return 0 or a negative errno. */
int work_begin(struct work *work);
/** They end. Those that are stopped inside an operation are let go. */
void work_end(struct work *work);
/** Lets go of those that are stopped. @return how many they were. */
unsigned work_let_go(struct work *work);
/** The threads have ended: judges one set after another, and changes it as a whole. */
void work_meet(struct work *work);
/** Judges all sets, destroys them, and waits for what was retired. @return 0 or a negative errno. */
int work_finish(struct work *work);

uint64_t work_operations(const struct work *work);

#endif

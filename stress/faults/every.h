// SPDX-License-Identifier: MIT
/**
 * @file every.h
 * Sets of every kind in both domains at once, and threads that are at work on all of them: what forks
 * and ends of threads are tried with.
 *
 * The keys below EVERY_STABLE are always in the sets. Each user has keys of its own besides, so that it
 * knows what every answer must be.
 */
#ifndef FAULTS_EVERY_H
#define FAULTS_EVERY_H

#include "cell.h"

#define EVERY_SETS 8
#define EVERY_STABLE 200

struct every {
    struct cell *cell;
    const struct target *target[EVERY_SETS];
    void *set[EVERY_SETS];
};

/** @return 0 or a negative errno. */
int every_create(struct every *every, struct cell *cell, uint64_t seed);
/**
 * Nobody else is using them: they must hold the stable keys alone, and validate; save that a bitmap that
 * was `inherited` in a fork does not: a thread that is not here may have changed a member and not counted
 * it for the estimate, which is the set's for ever.
 */
void every_check(struct every *every, int inherited);
void every_destroy(struct every *every);

/** A few operations on each set with the keys from `first` to `first + count`, which end absent. */
void every_use(struct every *every, uint64_t first, uint64_t count);
/** All kinds of operations, on the whole set as well. `alone`: nobody else is using the sets. */
void every_use_all(struct every *every, uint64_t first, int alone);

#endif

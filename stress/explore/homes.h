// SPDX-License-Identifier: MIT
/*
 * Keys for wanted hashes, where a hash cannot be turned back into its key: many keys in the order of
 * their hashes, of which the next one that is not used yet is taken.
 */
#ifndef LFSET_STRESS_EXPLORE_HOMES_H
#define LFSET_STRESS_EXPLORE_HOMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HOMES = 1 << 16, HOMES_USED = 512 };

struct home {
    uint64_t hash; /**< that a slice with the set's first multiplier is entered with */
    uint64_t key;
};

struct homes {
    uint64_t seed; /**< of the set; 0: the table is not filled */
    struct home table[HOMES];
    bool used[HOMES];
    uint64_t wanted[HOMES_USED];
    size_t given[HOMES_USED], count;
};

/** The table is filled: puts it in order. */
void homes_sort(struct homes *homes);
/** Begins another set: all keys are unused. */
void homes_begin(struct homes *homes);
/** The same answer for the same hash. */
uint64_t homes_key(struct homes *homes, uint64_t hash);

#endif

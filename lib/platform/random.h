// SPDX-License-Identifier: MIT
/**
 * @file random.h
 * Hash seeds.
 */
#ifndef LFSET__RANDOM_H
#define LFSET__RANDOM_H

#include <stdint.h>

/** A seed that nobody can guess, or at least one that differs from run to run. Never fails. */
uint64_t lfset__random_seed(void);

/**
 * The next number of the sequence that *state walks (SplitMix64: Steele, Lea, Flood, "Fast
 * splittable pseudorandom number generators", OOPSLA 2014).
 */
uint64_t lfset__random_next(uint64_t *state);

#endif

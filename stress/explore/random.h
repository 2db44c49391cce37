// SPDX-License-Identifier: MIT
/* Reproducible random numbers: xorshift64*. */
#ifndef LFSET_STRESS_EXPLORE_RANDOM_H
#define LFSET_STRESS_EXPLORE_RANDOM_H

#include <stdint.h>

static inline uint64_t random_mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/** A starting state that is never 0, from a number and what it is for. */
static inline uint64_t random_start(uint64_t seed, uint64_t purpose)
{
    return random_mix(random_mix(seed + UINT64_C(0x9e3779b97f4a7c15)) ^ (purpose << 56)) | 1;
}

static inline uint32_t random_next(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return (uint32_t)((x * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

static inline uint32_t random_below(uint64_t *state, uint32_t bound)
{
    return (uint32_t)(((uint64_t)random_next(state) * bound) >> 32);
}

#endif

// SPDX-License-Identifier: MIT
/**
 * @file noise.h
 * Disturbance inside operations: the library, compiled with -DLFSET_HOOKS, calls before each shared
 * access, and here the thread then sometimes lets others run, or is stopped for good until it is
 * let go. Without this most threads finish an operation without meeting another one inside.
 */
#ifndef STRESS_NOISE_H
#define STRESS_NOISE_H

#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>

/** One thread's part. Its own but for `stopped` and `go`. */
struct noise_thread {
    _Alignas(128) uint64_t random;
    uint32_t period;    /**< one disturbance in about so many accesses; 0: none */
    uint32_t stretch;   /**< times so many in this operation */
    uint32_t countdown; /**< accesses until the next one */
    uint32_t left;      /**< disturbances that this operation may still meet */
    uint32_t stop_in;   /**< stop at the so-manieth access from now; 0: never */
    atomic_int stopped; /**< is (or was) stopped in this round */
    sem_t go;           /**< posted to let it go on */
};

/** A small, quick, good enough generator; `state` must not be 0. */
static inline uint64_t noise_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x * 0x2545f4914f6cdd1du;
}

/** One number out of three, for seeds; never 0. */
static inline uint64_t noise_seed(uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t x = a + b * 0x9e3779b97f4a7c15u + c * 0xd1b54a32d192ed03u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    x ^= x >> 31;
    return x ? x : 1;
}

/**
 * A new operation begins. Each meets a few disturbances at most: one that goes through the whole
 * set makes many thousand accesses, and would otherwise last for seconds when the machine is busy.
 * So that they do not all come at its start, they are sometimes farther apart.
 */
static inline void noise_operation(struct noise_thread *thread)
{
    if (thread->period == 0)
        return;
    const uint32_t r = (uint32_t)(noise_random(&thread->random) >> 32);

    thread->left = 4;
    thread->stretch = r % 4 != 0 ? 1 : 1 + (r >> 8) % 64;
}

/** Puts the hook in place. Before any thread uses a set. */
void noise_install(void);

/** From now on the calling thread is disturbed as `thread` says; NULL: not at all. */
void noise_enter(struct noise_thread *thread);

#endif

// SPDX-License-Identifier: MIT
/**
 * @file futex.h
 * The two system calls of futex(2) that waiting needs, within one process.
 *
 * They go through syscall(), which the schedule explorer replaces by a futex of its own. For 64-bit
 * systems, whose futex(2) takes the timespec of the C library.
 */
#ifndef LFSET__FUTEX_H
#define LFSET__FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lfset/cancel.h"
#include "platform/atomic.h"

/**
 * Sleeps if *word is `expected`, until woken or until `deadline` (CLOCK_MONOTONIC in nanoseconds, or
 * LFSET_NO_DEADLINE). May also return for no reason, and does not say why it did.
 */
static inline void lfset__futex_wait(_Atomic(uint32_t) *word, uint32_t expected, uint64_t deadline)
{
    struct timespec time = {
        .tv_sec = (time_t)(deadline / UINT64_C(1000000000)),
        .tv_nsec = (long)(deadline % UINT64_C(1000000000)),
    };
    // FUTEX_WAIT would take the time from now on; with a bit set it is a point in time.
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, expected,
                  deadline == LFSET_NO_DEADLINE ? NULL : &time, NULL, FUTEX_BITSET_MATCH_ANY);
}

/** Wakes all who sleep at `word`. */
static inline void lfset__futex_wake_all(_Atomic(uint32_t) *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

#endif

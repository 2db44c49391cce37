// SPDX-License-Identifier: MIT
/**
 * @file atomic.h
 * Every shared access of the library goes through these names, so that the order is in the name,
 * and so that the stress harness and the schedule explorer can stand between (hook.h).
 *
 * Suffixes: _rlx relaxed, _acq acquire, _rel release, _sc sequentially consistent. The pairs and
 * the facts that they carry are named in brackets at both ends, for instance [slice.publish].
 */
#ifndef LFSET__ATOMIC_H
#define LFSET__ATOMIC_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "platform/hook.h"

/* Words of a set hold pointers beside their state, and a size_t must hold the count of its keys.
 * Elsewhere all compiles, without a warning, and nobody has ever looked whether it is right. */
#if UINTPTR_MAX != UINT64_MAX
#error "lfset is for 64-bit systems"
#endif

#define lfset__load(p, order)                                                                      \
    (lfset__hook_call(LFSET__HOOK_LOAD, p), atomic_load_explicit(p, order))
#define lfset__store(p, v, order)                                                                  \
    (lfset__hook_call(LFSET__HOOK_STORE, p), atomic_store_explicit(p, v, order))
#define lfset__rmw(p, op, v, order) (lfset__hook_call(LFSET__HOOK_RMW, p), op(p, v, order))

#define lfset__load_rlx(p) lfset__load(p, memory_order_relaxed)
#define lfset__load_acq(p) lfset__load(p, memory_order_acquire)
#define lfset__load_sc(p) lfset__load(p, memory_order_seq_cst)
#define lfset__store_rlx(p, v) lfset__store(p, v, memory_order_relaxed)
#define lfset__store_rel(p, v) lfset__store(p, v, memory_order_release)
#define lfset__store_sc(p, v) lfset__store(p, v, memory_order_seq_cst)

#define lfset__add_rlx(p, v) lfset__rmw(p, atomic_fetch_add_explicit, v, memory_order_relaxed)
#define lfset__sub_rlx(p, v) lfset__rmw(p, atomic_fetch_sub_explicit, v, memory_order_relaxed)
#define lfset__add_sc(p, v) lfset__rmw(p, atomic_fetch_add_explicit, v, memory_order_seq_cst)
#define lfset__sub_sc(p, v) lfset__rmw(p, atomic_fetch_sub_explicit, v, memory_order_seq_cst)
#define lfset__or_sc(p, v) lfset__rmw(p, atomic_fetch_or_explicit, v, memory_order_seq_cst)
#define lfset__swap_sc(p, v) lfset__rmw(p, atomic_exchange_explicit, v, memory_order_seq_cst)

/** One CAS. On failure *expected becomes the value found, read with the same order. */
#define lfset__cas_sc(p, expected, desired)                                                        \
    (lfset__hook_call(LFSET__HOOK_RMW, p),                                                         \
     atomic_compare_exchange_strong_explicit(p, expected, desired, memory_order_seq_cst,           \
                                             memory_order_seq_cst))

/** A full fence, and one for the compiler alone (the other half is membarrier(2), see hp.c). */
#define lfset__fence_sc()                                                                          \
    (lfset__hook_call(LFSET__HOOK_FENCE, NULL), atomic_thread_fence(memory_order_seq_cst))
#define lfset__fence_compiler() atomic_signal_fence(memory_order_seq_cst)

/** Tells the harness that this thread can only wait for another one's write. */
#define lfset__spin(p) lfset__hook_call(LFSET__HOOK_SPIN, p)

#define lfset__likely(x) __builtin_expect(!!(x), 1)
#define lfset__unlikely(x) __builtin_expect(!!(x), 0)
#define LFSET__INLINE static inline __attribute__((always_inline))

/** Starts loading a line; for writing if it will be written. */
LFSET__INLINE void lfset__prefetch(const volatile void *address, bool write)
{
    if (write) {
#ifdef __x86_64__
        // For any x86-64, compilers make it a load for reading, and the CAS takes the line from its owner in
        // a second trip. Where the instruction means nothing it does nothing.
        __asm__ volatile("prefetchw %0" : : "m"(*(const char *)(uintptr_t)address));
#else
        __builtin_prefetch((const void *)(uintptr_t)address, 1);
#endif
    } else {
        __builtin_prefetch((const void *)(uintptr_t)address, 0);
    }
}

/** Bytes of a cache line. */
#define LFSET__LINE 64

#endif

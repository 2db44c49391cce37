// SPDX-License-Identifier: MIT
/**
 * @file vector.h
 * Looking at four words at once.
 *
 * Which slot of a probe decides depends on the key, so a loop that stops there ends with a branch
 * that the processor cannot predict, and behind a mispredicted branch the cache misses of the next
 * operations wait (10^7 random keys at 60 % fill, one thread: 67 ns a lookup with a loop, 35 ns
 * with this).
 *
 * The lanes are loads in their own right: each is an aligned 8-byte word, which x86-64 reads whole
 * and in order with the other loads, as an ordinary seq_cst load is compiled to. C has no name for
 * such an access, hence the assembly; elsewhere, under ThreadSanitizer, and for the schedule explorer,
 * which shall stand between the lanes (LFSET_SCALAR), it is four loads.
 *
 * On Arm it has to be: each is an LDAR there. A vector load reads aligned lanes of 8 bytes whole as
 * well, but is ordered with nothing: it may be carried out before others see the change that its
 * thread has just made (add(a), contains(b) against add(b), contains(a): both absent), and few
 * processors have a vector load that is better. Fences around it would cost more than it saves.
 */
#ifndef LFSET__VECTOR_H
#define LFSET__VECTOR_H

#include "platform/atomic.h"
#include "platform/tsan.h"

enum { LFSET__LANES = 4 };

/** One bit per lane. */
struct lfset__lanes {
    unsigned equal; /**< the lane, with `ignore` set, is one of the two values looked for */
    unsigned bit0;  /**< bit 0 of the lane */
    unsigned bit2;  /**< bit 2 of the lane */
};

#if defined(__SSE2__) && !defined(LFSET__TSAN) && !defined(LFSET_SCALAR)
#include <emmintrin.h>

LFSET__INLINE __m128 lfset__load_pair(const _Atomic(uint64_t) *words)
{
    __m128 pair;
    __asm__ volatile("movups %1, %0"
                     : "=x"(pair)
                     : "m"(*(const char(*)[16])(const void *)words)
                     : "memory");
    return pair;
}

/**
 * Compares words[i] | ignore with want + i * step, and its low half with `blank`, for 0 <= i < 4.
 * `ignore` and `blank` are of 32 bits, and adding the steps must not carry out of want's low half.
 * A word whose low half is `blank` must be blank altogether.
 */
LFSET__INLINE struct lfset__lanes lfset__look(const _Atomic(uint64_t) *words, uint64_t want,
                                              const uint32_t step, const uint32_t ignore,
                                              const uint32_t blank)
{
    lfset__hook_call(LFSET__HOOK_LOAD, words);
    __m128 first = lfset__load_pair(words), second = lfset__load_pair(words + 2);
    __m128i low = _mm_castps_si128(_mm_shuffle_ps(first, second, 0x88));
    __m128i high = _mm_castps_si128(_mm_shuffle_ps(first, second, 0xdd));
    __m128i steps = _mm_setr_epi32(0, (int)step, (int)(2 * step), (int)(3 * step));
    __m128i want_low = _mm_add_epi32(_mm_set1_epi32((int)(uint32_t)want), steps);
    __m128i want_high = _mm_set1_epi32((int)(want >> 32));
    __m128i bits = _mm_or_si128(low, _mm_set1_epi32((int)ignore));
    __m128i same = _mm_and_si128(_mm_cmpeq_epi32(bits, want_low), _mm_cmpeq_epi32(high, want_high));
    __m128i empty = _mm_cmpeq_epi32(bits, _mm_set1_epi32((int)blank));
    return (struct lfset__lanes){
        .equal = (unsigned)_mm_movemask_ps(_mm_castsi128_ps(_mm_or_si128(same, empty))),
        .bit0 = (unsigned)_mm_movemask_ps(_mm_castsi128_ps(_mm_slli_epi32(low, 31))),
        .bit2 = (unsigned)_mm_movemask_ps(_mm_castsi128_ps(_mm_slli_epi32(low, 29))),
    };
}
#else
LFSET__INLINE struct lfset__lanes lfset__look(const _Atomic(uint64_t) *words, uint64_t want,
                                              const uint32_t step, const uint32_t ignore,
                                              const uint32_t blank)
{
    struct lfset__lanes lanes = {0, 0, 0};
    for (unsigned i = 0; i < LFSET__LANES; i++) {
        uint64_t word = lfset__load_sc(&words[i]);
        bool equal = (word | ignore) == want + i * step || (word | ignore) == blank;
        lanes.equal |= (unsigned)equal << i;
        lanes.bit0 |= (unsigned)(word & 1) << i;
        lanes.bit2 |= (unsigned)(word >> 2 & 1) << i;
        if (equal) {
            break; // as far as anybody looks
        }
    }
    return lanes;
}
#endif

#endif

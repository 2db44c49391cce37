// SPDX-License-Identifier: MIT
/**
 * @file u64_codec.h
 * How a 64-bit key and the state bits share one word: quotienting (Knuth, TAOCP 3, exercise 6.4-13;
 * Cleary, "Compact hash tables using bidirectional linear probing", IEEE ToC 1984).
 *
 * hash = key * multiplier, a bijection since the multiplier is odd. In a slice of 2^n home slots
 * the top n bits of the hash choose the home slot. The word keeps the other 64 - n bits in its high
 * end; the n bits that are free then hold the displacement (slots behind home) and the three state
 * bits:
 *
 *     63                    n  n-1           3  2       1      0
 *     [ hash, low 64-n bits  ][ displacement ][FROZEN|BOUND|LIVE]
 *
 * Position and word give back the hash, and the multiplier's inverse the key: all 2^64 keys are
 * legal. Home slots i of a slice become 2i and 2i+1 of its double, so migration streams through
 * both.
 *
 * One multiplication is the fastest mix there is, and spreads sequential and strided keys better
 * than a random function would, for nine multipliers in ten. For the others, and for keys chosen
 * against it, a slice notices that keys cluster and its successor gets a fresh multiplier
 * (slice.c).
 */
#ifndef LFSET__U64_CODEC_H
#define LFSET__U64_CODEC_H

#include "platform/vector.h"
#include "set/slice.h"

/** One step of displacement in a word. */
enum { LFSET__STEP = 1 << LFSET__STATE_BITS };

/** Where a probe for one key in one slice is: the slot, and what a LIVE word of the key there is.
 */
struct lfset__probe {
    _Atomic(uint64_t) *slot;
    _Atomic(uint64_t) *end;
    uint64_t want;
};

LFSET__INLINE struct lfset__probe lfset__probe_hash(struct lfset__slice *slice, uint64_t hash)
{
    unsigned shift = slice->shift;
    _Atomic(uint64_t) *home = &slice->words[hash >> shift];
    return (struct lfset__probe){
        .slot = home,
        .end = home + slice->reach,
        // -shift & 63 is log2, without another load
        .want = (hash << (-shift & 63)) | LFSET__BOUND | LFSET__LIVE,
    };
}

LFSET__INLINE struct lfset__probe lfset__probe_key(struct lfset__slice *slice, uint64_t key)
{
    return lfset__probe_hash(slice, key * slice->multiplier);
}

/** @return false when the key's reach ends: the slice is overfull for it. */
LFSET__INLINE bool lfset__probe_next(struct lfset__probe *probe)
{
    probe->want += LFSET__STEP;
    return ++probe->slot != probe->end;
}

/** The word is bound to the probe's key, whatever its LIVE and FROZEN bits. */
LFSET__INLINE bool lfset__probe_matches(const struct lfset__probe *probe, uint64_t word)
{
    return ((word ^ probe->want) & ~(uint64_t)(LFSET__LIVE | LFSET__FROZEN)) == 0;
}

LFSET__INLINE bool lfset__is_empty_word(uint64_t word)
{
    return (word & ~(uint64_t)LFSET__FROZEN) == 0;
}

/** The next four slots: which of them are bound to the key or EMPTY, LIVE, FROZEN. */
LFSET__INLINE struct lfset__lanes lfset__probe_look(const struct lfset__probe *probe)
{
    const uint32_t state = LFSET__LIVE | LFSET__FROZEN;
    return lfset__look(probe->slot, probe->want | state, LFSET__STEP, state, state);
}

/** Starts loading what lfset__probe_look will look at, which may lie in two lines. */
LFSET__INLINE void lfset__probe_prefetch(const struct lfset__probe *probe, bool write)
{
    lfset__prefetch(probe->slot, write);
    lfset__prefetch(probe->slot + LFSET__LANES - 1, write);
}

/** Goes on by `slots`. @return false when the key's reach ends. */
LFSET__INLINE bool lfset__probe_skip(struct lfset__probe *probe, unsigned slots)
{
    probe->want += (uint64_t)slots * LFSET__STEP;
    probe->slot += slots;
    return probe->slot != probe->end;
}

/** From a key's home to the first slot that is bound to it or EMPTY. @return false when there is
 * none. */
LFSET__INLINE bool lfset__probe_seek(struct lfset__probe *probe)
{
    do {
        unsigned equal = lfset__probe_look(probe).equal;
        if (lfset__likely(equal)) {
            return lfset__probe_skip(probe, (unsigned)__builtin_ctz(equal));
        }
    } while (lfset__probe_skip(probe, LFSET__LANES));
    return false;
}

LFSET__INLINE uint64_t lfset__displacement(const struct lfset__slice *slice, uint64_t word)
{
    return (word & (((uint64_t)1 << slice->log2) - 1)) >> LFSET__STATE_BITS;
}

/** The hash that a bound word at `index` stands for. */
LFSET__INLINE uint64_t lfset__word_hash(const struct lfset__slice *slice, size_t index,
                                        uint64_t word)
{
    uint64_t home = index - lfset__displacement(slice, word);
    return home << slice->shift | word >> slice->log2;
}

LFSET__INLINE uint64_t lfset__word_key(const struct lfset__slice *slice, size_t index,
                                       uint64_t word)
{
    return lfset__word_hash(slice, index, word) * slice->inverse;
}

#endif

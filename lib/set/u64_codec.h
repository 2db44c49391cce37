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
#include "set/number_key.h"
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

LFSET__INLINE struct lfset__probe lfset__probe_number(struct lfset__slice *slice, uint64_t key)
{
    return lfset__probe_hash(slice, key * slice->multiplier);
}

/* ---- what walk.h asks of a codec ---------------------------------------------------------------- */

struct lfset__key {
    uint64_t value;
};

LFSET__INLINE struct lfset__probe lfset__probe_key(struct lfset__slice *slice,
                                                   const struct lfset__key *key)
{
    return lfset__probe_number(slice, key->value);
}

/** Spread over all bits, for sleepers. */
LFSET__INLINE uint64_t lfset__key_mixed(const struct lfset__key *key)
{
    return key->value * UINT64_C(0x9e3779b97f4a7c15);
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

LFSET__INLINE uint64_t lfset__word_displacement(const struct lfset__slice *slice, size_t index,
                                                uint64_t word)
{
    (void)index;
    return lfset__displacement(slice, word);
}

LFSET__INLINE uint64_t lfset__word_key(const struct lfset__slice *slice, size_t index,
                                       uint64_t word)
{
    return lfset__word_hash(slice, index, word) * slice->inverse;
}

LFSET__INLINE struct lfset__key lfset__word_as_key(const struct lfset__set *set,
                                                   const struct lfset__slice *slice, size_t index,
                                                   uint64_t word)
{
    (void)set;
    return (struct lfset__key){.value = lfset__word_key(slice, index, word)};
}

/** The state alone: a word can be made for the key anywhere. */
struct lfset__carried {
    bool live;
};
#define LFSET__CARRIED_NONE                                                                        \
    {                                                                                              \
        false                                                                                      \
    }

LFSET__INLINE void lfset__carry(struct lfset__set *set, struct lfset__carried *carried,
                                uint64_t word, bool hold)
{
    (void)set, (void)hold;
    carried->live = word & LFSET__LIVE;
}

LFSET__INLINE bool lfset__carried_live(const struct lfset__carried *carried)
{
    return carried->live;
}

LFSET__INLINE uint64_t lfset__carried_word(const struct lfset__carried *carried)
{
    (void)carried;
    return 0;
}

LFSET__INLINE void lfset__seen(struct lfset__key *key, uint64_t word)
{
    (void)key, (void)word;
}

LFSET__INLINE int lfset__desire(struct lfset__set *set, struct lfset__key *key,
                                const struct lfset__probe *probe, int add, bool bound,
                                uint64_t word, const struct lfset__carried *carried,
                                uint64_t *desired)
{
    (void)set, (void)key, (void)bound, (void)word, (void)carried;
    *desired = add ? probe->want : probe->want & ~(uint64_t)LFSET__LIVE;
    return 0;
}

LFSET__INLINE void lfset__settle_word(struct lfset__slice *slice, struct lfset__key *key,
                                      struct lfset__carried *carried, uint64_t former,
                                      uint64_t desired)
{
    (void)slice, (void)key, (void)carried, (void)former, (void)desired;
}

/** A LIVE word on its way: its hash in root's slice. */
struct lfset__source {
    uint64_t hash;
};

LFSET__INLINE bool lfset__is_source(const struct lfset__slice *root, uint64_t word)
{
    (void)root;
    return word & LFSET__LIVE;
}

LFSET__INLINE struct lfset__source lfset__source_take(const struct lfset__slice *root, size_t index,
                                                      uint64_t word)
{
    return (struct lfset__source){lfset__word_hash(root, index, word)};
}

LFSET__INLINE struct lfset__probe lfset__source_probe(struct lfset__slice *to,
                                                      const struct lfset__slice *root,
                                                      const struct lfset__source *source)
{
    uint64_t hash = source->hash;
    if (lfset__unlikely(to->multiplier != root->multiplier)) {
        hash = hash * root->inverse * to->multiplier; // to the key, and to its hash in `to`
    }
    return lfset__probe_hash(to, hash);
}

LFSET__INLINE uint64_t lfset__source_word(const struct lfset__source *source,
                                          const struct lfset__probe *probe)
{
    (void)source;
    return probe->want;
}

LFSET__INLINE void lfset__source_drop(const struct lfset__source *source)
{
    (void)source;
}

LFSET__INLINE const void *lfset__named(uint64_t word)
{
    (void)word;
    return NULL;
}

LFSET__INLINE uint64_t lfset__freeze_slot(struct lfset__slice *slice,
                                          const struct lfset__slice *next, size_t index)
{
    (void)next;
    return lfset__freeze(&slice->words[index]);
}

LFSET__INLINE bool lfset__count_bytes(struct lfset__slice *slice, enum lfset__change change,
                                      uint64_t word, bool sampled)
{
    (void)slice, (void)change, (void)word, (void)sampled;
    return false;
}

LFSET__INLINE bool lfset__has_dead(const struct lfset__slice *slice)
{
    (void)slice;
    return false;
}

/** What pop hands out. */
struct lfset__popped {
    uint64_t key;
};

LFSET__INLINE bool lfset__pop_fits(struct lfset__popped *popped, uint64_t word)
{
    (void)popped, (void)word;
    return true;
}

LFSET__INLINE void lfset__pop_word(struct lfset__popped *popped, const struct lfset__slice *slice,
                                   size_t index, uint64_t word)
{
    popped->key = lfset__word_key(slice, index, word);
}

LFSET__INLINE struct lfset__key lfset__popped_key(const struct lfset__set *set,
                                                  const struct lfset__slice *slice, size_t index,
                                                  uint64_t word)
{
    return lfset__word_as_key(set, slice, index, word);
}

LFSET__INLINE void lfset__pop_seen(struct lfset__popped *popped, const struct lfset__key *key)
{
    popped->key = key->value;
}

#endif

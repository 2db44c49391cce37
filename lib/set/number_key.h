// SPDX-License-Identifier: MIT
/**
 * @file number_key.h
 * What walk.h asks of a codec whose keys are numbers: they point to nothing that could go away, are told
 * apart by their hashes, and weigh nothing. For u64_codec.h and bitmap_codec.h.
 */
#ifndef LFSET__NUMBER_KEY_H
#define LFSET__NUMBER_KEY_H

#include "set/slice.h"

struct lfset__key;
struct lfset__probe;

LFSET__INLINE size_t lfset__key_chunks(const struct lfset__key *key)
{
    (void)key;
    return 1;
}

LFSET__INLINE bool lfset__is_crowded(const struct lfset__slice *slice,
                                     const struct lfset__probe *probe)
{
    (void)slice, (void)probe;
    return false;
}

LFSET__INLINE void lfset__visit_asks(struct lfset__key *key)
{
    (void)key;
}

LFSET__INLINE uint64_t lfset__visit_word(const struct lfset__key *key, uint64_t word)
{
    (void)key;
    return word;
}

LFSET__INLINE void lfset__visit_done(struct lfset__set *set, struct lfset__key *key)
{
    (void)set, (void)key;
}

LFSET__INLINE void lfset__key_pin(struct lfset__key *key, uint64_t word)
{
    (void)key, (void)word;
}

LFSET__INLINE void lfset__key_unpin(struct lfset__set *set, struct lfset__key *key)
{
    (void)set, (void)key;
}

LFSET__INLINE bool lfset__wants_seen(const struct lfset__key *key)
{
    (void)key;
    return false;
}

LFSET__INLINE void lfset__weigh(const struct lfset__slice *slice, int64_t *live, int64_t *dead)
{
    (void)slice, (void)live, (void)dead;
}

#endif

// SPDX-License-Identifier: MIT
/**
 * @file trace.h
 * Fires the probes (platform/probes.h) of what happens to a set as a whole.
 */
#ifndef LFSET__TRACE_H
#define LFSET__TRACE_H

#include "set/slice.h"

/** For probes; NULL: the set has none. */
static inline const char *lfset__trace_name(const struct lfset__set *set)
{
    return set->about ? set->about->name : NULL;
}

/**
 * A succession has begun: `next` was hung on `before`, which is protected. `next` may be gone already:
 * it is only a number here.
 */
void lfset__trace_start(struct lfset__set *set, const struct lfset__slice *before,
                        const struct lfset__slice *next, enum lfset__kind kind, unsigned log2);
/** It is over: `next`, which is protected, is the set's slice. */
void lfset__trace_done(struct lfset__set *set, const struct lfset__slice *next);
/** A clear or a drain took so many keys. */
void lfset__trace_clear(struct lfset__set *set, uint64_t keys);

#endif

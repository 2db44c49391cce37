// SPDX-License-Identifier: MIT
/**
 * @file samples.h
 * The leak profile's table: for sampled keys, who added them.
 *
 * Whether a key is sampled depends on its fingerprint alone, so that add and remove decide alike without
 * a lookup: lfset__is_noted.
 */
#ifndef LFSET__SAMPLES_H
#define LFSET__SAMPLES_H

#include "record/registry.h"

/** Whether the set notes this key. `fingerprint` is spread by a multiplication: any number will do. */
LFSET__INLINE bool lfset__is_noted(const struct lfset__about *about, uint64_t fingerprint)
{
    return fingerprint * UINT64_C(0x9e3779b97f4a7c15) < about->sample_below;
}

/**
 * After an add that changed the set. Takes the caller's stack. @param bytes of the key.
 *
 * This and the following ask the set what is there (lfset__about_ops.contains_fingerprint) rather than
 * believe what they are told, so they must come after the update, outside of its walk. Keys that many are
 * removed of at once (pop, remove_if) are noted one by one, or by lfset__samples_cleared. Kinds whose
 * fingerprints are not as good as unique leave contains_fingerprint NULL.
 */
void lfset__sample_added(struct lfset__about *about, uint64_t fingerprint, uint64_t bytes);
/** After a remove that changed the set; may come before the add's. */
void lfset__sample_removed(struct lfset__about *about, uint64_t fingerprint);
/** Keys are gone: after clear and drain, and when the set is destroyed, between lfset__about_close and
 * lfset__about_free. Looks at all that the table has of the set; costs a load when that is nothing. */
void lfset__samples_cleared(struct lfset__about *about);

/** Around a fork: before, the last thing, after the fork lock; after, the first, but in the child when it
 * has a segment of its own. */
void lfset__samples_before_fork(void);
void lfset__samples_after_fork_in_parent(void);
void lfset__samples_after_fork_in_child(void);

#endif

// SPDX-License-Identifier: MIT
/**
 * @file bitmap.h
 * What other files know of the bitmap.
 */
#ifndef LFSET__SET_BITMAP_H
#define LFSET__SET_BITMAP_H

#include <stdbool.h>

#include "lfset/bitmap.h"

struct lfset__slice;

/** Options for another set like this one. */
void lfset__bitmap_options(const struct lfset_bitmap *set, struct lfset_options *options);

/** Adds or removes the members of a region that `members` has, a word for each 63 of them. @return how many
 * changed; -ENOMEM: some may have. */
int64_t lfset__bitmap_change(struct lfset_bitmap *set, uint64_t region, const uint64_t *members,
                             bool removing);

/**
 * Adds to `set`, or removes from it, the members of `from` that are (`wanted`) or are not in `other`, 63
 * at a time. @param other NULL: all of them. @return how many changed, or a negative errno.
 */
int64_t lfset__bitmap_pass(struct lfset_bitmap *set, struct lfset_bitmap_snapshot *from,
                           struct lfset_bitmap_snapshot *other, bool wanted, bool removing,
                           const struct lfset_cancel *cancel);
/** Whether some members of `a` are in `b` (*common), and whether some are not (*missing). Looks until both
 * are known. @return 0 or a negative errno. */
int lfset__bitmap_overlap(struct lfset_bitmap_snapshot *a, struct lfset_bitmap_snapshot *b,
                          bool *common, bool *missing, const struct lfset_cancel *cancel);

/** Memory for a snapshot, or NULL. Either fill or abandon it. */
struct lfset_bitmap_snapshot *lfset__bitmap_snapshot_alloc(const struct lfset_allocator *allocator);
void lfset__bitmap_snapshot_abandon(struct lfset_bitmap_snapshot *snapshot,
                                    const struct lfset_allocator *allocator);
/** Takes over the caller's reference to `frozen`. */
void lfset__bitmap_snapshot_fill(struct lfset_bitmap_snapshot *snapshot,
                                 struct lfset__slice *frozen);

#endif

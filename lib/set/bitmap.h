// SPDX-License-Identifier: MIT
/**
 * @file bitmap.h
 * What other files know of the bitmap.
 */
#ifndef LFSET__SET_BITMAP_H
#define LFSET__SET_BITMAP_H

#include "lfset/bitmap.h"
#include "set/slice.h"

/** Options for another set like this one. */
void lfset__bitmap_options(const struct lfset_bitmap *set, struct lfset_options *options);

/** Memory for a snapshot, or NULL. Either fill or abandon it. */
struct lfset_bitmap_snapshot *lfset__bitmap_snapshot_alloc(const struct lfset_allocator *allocator);
void lfset__bitmap_snapshot_abandon(struct lfset_bitmap_snapshot *snapshot,
                                    const struct lfset_allocator *allocator);
/** Takes over the caller's reference to `frozen`. */
void lfset__bitmap_snapshot_fill(struct lfset_bitmap_snapshot *snapshot,
                                 struct lfset__slice *frozen);

#endif

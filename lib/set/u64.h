// SPDX-License-Identifier: MIT
/**
 * @file u64.h
 * What other files know of the u64 set.
 */
#ifndef LFSET__SET_U64_H
#define LFSET__SET_U64_H

#include "lfset/u64.h"
#include "set/slice.h"

/** Options for another set like this one. */
void lfset__u64_options(const struct lfset_u64 *set, struct lfset_options *options);

/** Memory for a snapshot, or NULL. Either fill or abandon it. */
struct lfset_u64_snapshot *lfset__u64_snapshot_alloc(const struct lfset_allocator *allocator);
void lfset__u64_snapshot_abandon(struct lfset_u64_snapshot *snapshot,
                                 const struct lfset_allocator *allocator);
/** Takes over the caller's reference to `frozen`. */
/** @return how many keys it has. */
uint64_t lfset__u64_snapshot_fill(struct lfset_u64_snapshot *snapshot, struct lfset__slice *frozen);

#endif

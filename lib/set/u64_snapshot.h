// SPDX-License-Identifier: MIT
/**
 * @file u64_snapshot.h
 * A frozen slice as a value of its own.
 */
#ifndef LFSET__U64_SNAPSHOT_H
#define LFSET__U64_SNAPSHOT_H

#include "lfset/u64.h"
#include "set/slice.h"

/** Memory for a snapshot, or NULL. Either fill or abandon it. */
struct lfset_u64_snapshot *lfset__u64_snapshot_alloc(const struct lfset_allocator *allocator);
void lfset__u64_snapshot_abandon(struct lfset_u64_snapshot *snapshot,
                                 const struct lfset_allocator *allocator);
/** Takes over the caller's reference to `frozen`. */
void lfset__u64_snapshot_fill(struct lfset_u64_snapshot *snapshot, struct lfset__slice *frozen);

#endif

// SPDX-License-Identifier: MIT
/**
 * @file memory.h
 * Allocations that fail on demand, and an account of what sets have.
 *
 * A set's own allocations go through the allocator hook of lfset_options, each set with a pool of its
 * own; those that the library makes with malloc (a thread's record, a token, a file's buffer) through
 * the linker's --wrap. Both count as allocations of the thread that asks.
 */
#ifndef FAULTS_MEMORY_H
#define FAULTS_MEMORY_H

#include <lfset/lfset.h>
#include <stdatomic.h>

/** What one set has allocated. */
struct pool {
    struct lfset_allocator allocator;
    atomic_llong blocks;
    atomic_int wrong; /**< a block was given back that is not of this pool, or with another size */
};

/** Sets that are created from now on take their memory from the pool. */
void pool_use(struct pool *pool);

/** From now on the calling thread's n-th allocation fails, and all later ones if `from`; 0: none. */
void memory_fail(unsigned long nth, int from);
/** None fails any more. @return how many have failed since memory_fail. */
unsigned long memory_heal(void);

#endif

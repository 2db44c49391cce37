// SPDX-License-Identifier: MIT
/**
 * @file memory.h
 * The allocator behind a set that names none, and zeroed allocation through any allocator.
 */
#ifndef LFSET__MEMORY_H
#define LFSET__MEMORY_H

#include <stddef.h>

#include "lfset/lfset.h"

/** malloc for small blocks; for large ones mmap, on huge pages where the system offers them. */
extern const struct lfset_allocator lfset__default_allocator;

/** `size` bytes of anything, or NULL. Give them back in the same way. */
void *lfset__alloc(const struct lfset_allocator *allocator, size_t size, size_t align);
/** `size` zero bytes, or NULL. Give them back with lfset__free and the same size and alignment. */
void *lfset__alloc_zeroed(const struct lfset_allocator *allocator, size_t size, size_t align);

static inline void lfset__free(const struct lfset_allocator *allocator, void *ptr, size_t size,
                               size_t align)
{
    allocator->free(allocator->ctx, ptr, size, align);
}

#endif

// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "platform/memory.h"
#include "platform/asan.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 * 1024 * 1024)
/* From here on a block is a mapping of its own: fresh pages are zero without being touched, so that
 * creating a large slice costs its creator a system call instead of a pass over memory. Below, malloc has
 * pages at hand that need not be fetched from the kernel again for each slice. */
#ifdef LFSET__FINDABLE
#define MAP_THRESHOLD SIZE_MAX // LeakSanitizer does not look into mappings
#else
#define MAP_THRESHOLD HUGE_PAGE
#endif

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

/* Maps a little more than asked and trims, so that the block begins where a huge page can. */
static void *map_aligned(size_t size, size_t align)
{
    size_t room = size + align;
    if (room < size) {
        return NULL;
    }
    char *raw = mmap(NULL, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) {
        return NULL;
    }
    size_t before = round_up((uintptr_t)raw, align) - (uintptr_t)raw;
    if (before > 0) {
        munmap(raw, before);
    }
    if (align > before) {
        munmap(raw + before + size, align - before);
    }
    return raw + before;
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t mapped_size(size_t size)
{
    return round_up(size, page_size());
}

static void *default_alloc(void *ctx, size_t size, size_t align)
{
    (void)ctx;
    if (size > SIZE_MAX / 4) {
        return NULL;
    }
    if (size < MAP_THRESHOLD && align <= _Alignof(max_align_t)) {
        return calloc(1, size); // keys' copies: malloc's own alignment does
    }
    if (size < MAP_THRESHOLD) {
        size_t rounded = round_up(size, align);
        void *block = aligned_alloc(align, rounded);
        return block ? memset(block, 0, rounded) : NULL;
    }
    void *block = map_aligned(mapped_size(size), HUGE_PAGE);
    if (block) {
        (void)madvise(block, mapped_size(size), MADV_HUGEPAGE); // a hint: refused is as good
    }
    return block;
}

static void default_free(void *ctx, void *ptr, size_t size, size_t align)
{
    (void)ctx;
    (void)align;
    if (size < MAP_THRESHOLD) {
        free(ptr);
    } else {
        munmap(ptr, mapped_size(size));
    }
}

const struct lfset_allocator lfset__default_allocator = {
    .alloc = default_alloc,
    .free = default_free,
    .flags = LFSET_ALLOC_ZEROED,
};

void *lfset__alloc(const struct lfset_allocator *allocator, size_t size, size_t align)
{
    if (allocator->alloc == default_alloc && size < MAP_THRESHOLD &&
        align <= _Alignof(max_align_t)) {
        return malloc(size); // as default_alloc, but for the zeros
    }
    return allocator->alloc(allocator->ctx, size, align);
}

void *lfset__alloc_zeroed(const struct lfset_allocator *allocator, size_t size, size_t align)
{
    void *block = allocator->alloc(allocator->ctx, size, align);
    if (block && !(allocator->flags & LFSET_ALLOC_ZEROED)) {
        memset(block, 0, size);
    }
    return block;
}

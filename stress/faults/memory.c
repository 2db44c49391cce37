// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "memory.h"

#include "target.h"

#include <stdlib.h>
#include <string.h>

/* In front of each block of a pool. */
struct header {
    const struct pool *pool;
    size_t size;
    size_t align;
};

static _Thread_local struct {
    unsigned long nth; /* 0: no allocation fails */
    int from;
    unsigned long seen;
    unsigned long failed;
} failing;

static struct pool *pool_in_use;

void memory_fail(unsigned long nth, int from)
{
    failing.nth = nth;
    failing.from = from;
    failing.seen = 0;
    failing.failed = 0;
}

unsigned long memory_heal(void)
{
    failing.nth = 0;
    return failing.failed;
}

static int fails(void)
{
    if (failing.nth == 0)
        return 0;
    const unsigned long at = ++failing.seen;
    if (at != failing.nth && !(failing.from && at > failing.nth))
        return 0;
    failing.failed++;
    return 1;
}

/* ---------------------------------------------------------------- the sets' own */

static size_t room_before(size_t align)
{
    return align > sizeof(struct header) ? align : 64;
}

static void *pool_alloc(void *ctx, size_t size, size_t align)
{
    struct pool *pool = ctx;
    const size_t before = room_before(align);
    void *raw = NULL;

    if (fails() || posix_memalign(&raw, before, before + size) != 0)
        return NULL;
    char *block = (char *)raw + before;
    struct header *header = (struct header *)(void *)block - 1;
    *header = (struct header){pool, size, align};
    memset(block, 0xa5, size);
    atomic_fetch_add(&pool->blocks, 1);
    return block;
}

/* What is freed is overwritten: who still reads it reads nonsense. */
static void pool_free(void *ctx, void *block, size_t size, size_t align)
{
    struct pool *pool = ctx;
    struct header *header = (struct header *)block - 1;

    if (header->pool != pool || header->size != size || header->align != align) {
        atomic_store(&pool->wrong, 1);
        return;
    }
    header->pool = NULL;
    memset(block, 0xdd, size);
    atomic_fetch_sub(&pool->blocks, 1);
    free((char *)block - room_before(align));
}

void pool_use(struct pool *pool)
{
    memset(pool, 0, sizeof(*pool));
    pool->allocator = (struct lfset_allocator){pool, pool_alloc, pool_free, 0};
    pool_in_use = pool;
}

struct lfset_options __real_target_lfset_options(const struct target_options *options);
struct lfset_options __wrap_target_lfset_options(const struct target_options *options);

struct lfset_options __wrap_target_lfset_options(const struct target_options *options)
{
    struct lfset_options o = __real_target_lfset_options(options);

    if (pool_in_use)
        o.allocator = &pool_in_use->allocator;
    return o;
}

/* ---------------------------------------------------------------- the others */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_realloc(void *block, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return fails() ? NULL : __real_realloc(block, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(align, size);
}

// SPDX-License-Identifier: MIT
#include "memory.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { RUBBISH = 0xa5 };

static int64_t blocks, bytes;
static uint64_t asked, failed, first_to_fail;
static bool all_fail;
static struct lfset_allocator hook;

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("fuzz: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    abort();
}

static bool must_fail(void)
{
    asked++;
    return first_to_fail != 0 && (all_fail ? asked >= first_to_fail : asked == first_to_fail);
}

static void *take(void *ctx, size_t size, size_t align)
{
    (void)ctx;
    if (align == 0 || (align & (align - 1)) != 0 || align > 4096 || size == 0)
        fail("the allocator is asked for %zu bytes aligned to %zu", size, align);
    void *block = NULL;
    if (must_fail() ||
        posix_memalign(&block, align < sizeof(void *) ? sizeof(void *) : align, size) != 0) {
        failed++;
        return NULL;
    }
    memset(block, (hook.flags & LFSET_ALLOC_ZEROED) != 0 ? 0 : RUBBISH, size);
    blocks++;
    bytes += (int64_t)size;
    return block;
}

static void give_back(void *ctx, void *block, size_t size, size_t align)
{
    (void)ctx;
    (void)align;
    if (block == NULL)
        fail("the allocator is given NULL to free");
    free(block);
    blocks--;
    bytes -= (int64_t)size;
}

void memory_begin(int zeroed)
{
    hook = (struct lfset_allocator){NULL, take, give_back, zeroed ? LFSET_ALLOC_ZEROED : 0};
    blocks = bytes = 0;
    (void)memory_heal();
}

const struct lfset_allocator *memory_hook(void)
{
    return &hook;
}

void memory_fail(uint64_t number, int all_after)
{
    asked = failed = 0;
    first_to_fail = number;
    all_fail = all_after != 0;
}

uint64_t memory_heal(void)
{
    first_to_fail = 0;
    return failed;
}

void memory_check(void)
{
    if (blocks != 0 || bytes != 0)
        fail("%" PRId64 " blocks, %" PRId64 " bytes are not given back", blocks, bytes);
}

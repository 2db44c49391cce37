// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "explore/arena.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "explore/random.h"
#include "explore/schedule.h"

enum { FRESH = 0xa5, POISON = 0xdd };

char *arena_base;
uint16_t arena_units[ARENA_UNITS];
struct arena_block arena_blocks[ARENA_BLOCKS];
unsigned arena_block_count, arena_live_count;

static size_t used; // units, from the start
static unsigned inject_one_in, failures;
static bool reuse;
static uint64_t inject_random;

static struct {
    char *bytes;
    uint16_t *units;
    struct arena_block *blocks;
    size_t capacity, used;
    unsigned block_count, live_count;
} saved;

int arena_open(void)
{
    // The same address every time, where the system lets us: traces of two runs then compare equal.
    arena_base = mmap((void *)(uintptr_t)0x200000000000, ARENA_BYTES, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (arena_base == MAP_FAILED) {
        return -ENOMEM;
    }
    saved.bytes = malloc(ARENA_BYTES);
    saved.units = malloc(sizeof arena_units);
    saved.blocks = malloc(sizeof arena_blocks);
    return saved.bytes && saved.units && saved.blocks ? 0 : -ENOMEM;
}

void arena_reset(void)
{
    memset(arena_units, 0, used * sizeof *arena_units);
    used = 0;
    arena_block_count = arena_live_count = 0;
    inject_one_in = 0;
}

void arena_reuse(bool on)
{
    reuse = on;
}

void arena_inject(unsigned one_in, uint64_t seed)
{
    inject_one_in = one_in;
    inject_random = seed;
    failures = 0;
}

unsigned arena_failures(void)
{
    return failures;
}

void arena_save(void)
{
    saved.used = used;
    saved.block_count = arena_block_count;
    saved.live_count = arena_live_count;
    memcpy(saved.bytes, arena_base, used * ARENA_UNIT);
    memcpy(saved.units, arena_units, used * sizeof *arena_units);
    memcpy(saved.blocks, arena_blocks, (arena_block_count + 1) * sizeof *arena_blocks);
}

void arena_restore(void)
{
    if (used > saved.used) {
        memset(arena_units + saved.used, 0, (used - saved.used) * sizeof *arena_units);
    }
    used = saved.used;
    arena_block_count = saved.block_count;
    arena_live_count = saved.live_count;
    memcpy(arena_base, saved.bytes, used * ARENA_UNIT);
    memcpy(arena_units, saved.units, used * sizeof *arena_units);
    memcpy(arena_blocks, saved.blocks, (arena_block_count + 1) * sizeof *arena_blocks);
    inject_one_in = 0;
}

const struct arena_block *arena_find(const volatile void *address)
{
    size_t offset = (size_t)((uintptr_t)address - (uintptr_t)arena_base);
    unsigned number =
        offset < ARENA_BYTES ? arena_units[offset / ARENA_UNIT] & (ARENA_FREED - 1) : 0;
    return number ? &arena_blocks[number] : NULL;
}

/* The block freed last that is large enough, as malloc might; its end, if left over, stays freed. */
static bool find_reusable(size_t units, size_t *start)
{
    for (unsigned i = arena_block_count; i > 0; i--) {
        struct arena_block *block = &arena_blocks[i];
        if (block->freed_by && !block->reused &&
            (block->size + ARENA_UNIT - 1) / ARENA_UNIT >= units) {
            block->reused = true;
            *start = (size_t)(block->start - arena_base) / ARENA_UNIT;
            return true;
        }
    }
    return false;
}

static void *arena_alloc(void *ctx, size_t size, size_t align)
{
    (void)ctx;
    if (inject_one_in && random_below(&inject_random, inject_one_in) == 0 && sched_may_inject()) {
        failures++;
        return NULL;
    }
    size_t start = used, units = (size + ARENA_UNIT - 1) / ARENA_UNIT;
    if (align > ARENA_UNIT) {
        sched_fail("an allocation asks for an alignment of %zu", align);
    }
    if (start + units + 1 > ARENA_UNITS || arena_block_count + 2 > ARENA_BLOCKS) {
        sched_fail("the operations use more memory than the explorer has");
    }
    bool again = reuse && find_reusable(units, &start);
    unsigned number = ++arena_block_count;
    for (size_t i = 0; i < units; i++) {
        arena_units[start + i] = (uint16_t)number;
    }
    if (!again) {
        used = start + units + 1; // one unit nobody may touch between two blocks
    }
    arena_live_count++;
    char *block = arena_base + start * ARENA_UNIT;
    arena_blocks[number] = (struct arena_block){.start = block, .size = size, .align = align};
    memset(block, FRESH, size);
    return block;
}

static void arena_free(void *ctx, void *ptr, size_t size, size_t align)
{
    (void)ctx;
    struct arena_block *block = (struct arena_block *)(uintptr_t)arena_find(ptr);
    if (!block || block->start != (char *)ptr) {
        sched_fail("a block is freed that was never allocated");
    }
    if (block->freed_by) {
        sched_fail("a block is freed twice; first by thread %u in %s", block->freed_by_thread,
                   block->freed_by);
    }
    if (block->size != size || block->align != align) {
        sched_fail("a block of %zu bytes is freed as one of %zu", block->size, size);
    }
    block->freed_by = sched_doing(sched_current());
    block->freed_by_thread = sched_current();
    arena_live_count--;
    size_t first = (size_t)((char *)ptr - arena_base) / ARENA_UNIT;
    for (size_t i = 0; i < (size + ARENA_UNIT - 1) / ARENA_UNIT; i++) {
        arena_units[first + i] |= ARENA_FREED;
    }
    memset(ptr, POISON, size);
}

const struct lfset_allocator arena_allocator = {.alloc = arena_alloc, .free = arena_free};

// SPDX-License-Identifier: MIT
/*
 * The memory of the set under exploration. Blocks are handed out one behind another and (but for
 * arena_reuse) never twice in a run; a freed block is filled with a pattern and stays known as freed, so that touching it is
 * noticed at the next hook. Always at the same addresses for the same sequence of calls.
 */
#ifndef LFSET_STRESS_EXPLORE_ARENA_H
#define LFSET_STRESS_EXPLORE_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lfset/lfset.h"

enum { ARENA_UNIT = 64, ARENA_UNITS = 1 << 16, ARENA_BLOCKS = 8192 };
#define ARENA_BYTES ((size_t)ARENA_UNIT * ARENA_UNITS)
/** In arena_units: the block is freed. The other bits are its number; 0: nobody's. */
enum { ARENA_FREED = 1 << 15 };

struct arena_block {
    char *start;
    size_t size, align;
    const char *freed_by; /**< what the thread was doing; NULL: live */
    unsigned freed_by_thread;
    bool reused;
};

extern char *arena_base;
extern uint16_t arena_units[ARENA_UNITS];
extern struct arena_block arena_blocks[ARENA_BLOCKS]; /**< numbered from 1 */
extern unsigned arena_block_count, arena_live_count;
extern const struct lfset_allocator arena_allocator;

/** @return 0, or a negative errno. Once. */
int arena_open(void);
void arena_reset(void);
/** Freed blocks are handed out again at once: touching one is noticed less often, but a pointer that
 *  comes back although it is another block now (ABA) can do its harm. */
void arena_reuse(bool on);
/** Makes allocations fail, one in `one_in` (0: none), chosen by `seed`. */
void arena_inject(unsigned one_in, uint64_t seed);
/** Allocations that were made to fail since arena_inject. */
unsigned arena_failures(void);

/** Remembers what the arena holds now, and brings it back later. */
void arena_save(void);
void arena_restore(void);

/** The block that `address` is or was in; NULL when it is outside of the arena's blocks. */
const struct arena_block *arena_find(const volatile void *address);

/** May `address` be accessed? Addresses outside the arena may. */
static inline bool arena_may_touch(const volatile void *address)
{
    size_t offset = (size_t)((uintptr_t)address - (uintptr_t)arena_base);
    if (offset >= ARENA_BYTES) {
        return true;
    }
    uint16_t unit = arena_units[offset / ARENA_UNIT];
    return unit != 0 && !(unit & ARENA_FREED);
}

/** Is `address` in a block that is not freed? */
static inline bool arena_is_live(const volatile void *address)
{
    return (uintptr_t)address - (uintptr_t)arena_base < ARENA_BYTES && arena_may_touch(address);
}

#endif

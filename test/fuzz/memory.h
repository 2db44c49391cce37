// SPDX-License-Identifier: MIT
/*
 * What the fuzzers share: how they fail, and the allocator that their sets use: it counts what was
 * not given back, and fails when it is told to.
 */
#ifndef LFSET_FUZZ_MEMORY_H
#define LFSET_FUZZ_MEMORY_H

#include <stdint.h>

#include "lfset/lfset.h"

/** Says what is wrong and aborts, which is how libFuzzer learns of it. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/** Everything is given back; from now on blocks are zeroed, or full of rubbish. */
void memory_begin(int zeroed);
/** The allocator of all sets. */
const struct lfset_allocator *memory_hook(void);
/** The `number`th allocation from now on fails (1: the next), or all from there on do. */
void memory_fail(uint64_t number, int all_after);
/** From now on nothing fails. @return how many did since memory_fail. */
uint64_t memory_heal(void);
/** Fails unless everything was given back, with the sizes that were asked for. */
void memory_check(void);

#endif

// SPDX-License-Identifier: MIT
/*
 * Store buffering. Whoever's add comes second must see the other's key:
 *
 *     thread 0: add(a); contains(b)          thread 1: add(b); contains(a)
 *
 * Both answering 0 would be allowed with release and acquire alone.
 */
#define _GNU_SOURCE
#include "litmus.h"

static unsigned char act(struct litmus_block *block, int instance, int me)
{
    const uint64_t a = litmus_a(block, instance);
    const uint64_t b = litmus_b(block, instance);

    lfset_u64_add(block->set, me ? b : a);
    return (unsigned char)lfset_u64_contains(block->set, me ? a : b);
}

static int outcome(const struct litmus_block *block, int instance)
{
    return block->saw[0][instance] * 2 + block->saw[1][instance];
}

static const struct litmus_test test = {
    .name = "store buffering",
    .about = "T0: add(a), contains(b); T1: add(b), contains(a). Both 0 must never be seen.",
    .threads = 2,
    .act = act,
    .outcome = outcome,
    .outcomes = 4,
    .outcome_names = {"contains(b) 0, contains(a) 0", "contains(b) 0, contains(a) 1",
                      "contains(b) 1, contains(a) 0", "contains(b) 1, contains(a) 1"},
    .forbidden = 1u << 0,
    .wanted = 1u << 1 | 1u << 2 | 1u << 3,
};

LITMUS_MAIN(test)

// SPDX-License-Identifier: MIT
/*
 * Publication of the user's own data through the set:
 *
 *     thread 0: data = 1; add(a)             thread 1: if contains(a), read data
 *
 * Data is a plain variable. Reading 0 must never happen, and ThreadSanitizer must have nothing to
 * say about it: the order comes from the set alone.
 */
#define _GNU_SOURCE
#include "litmus.h"

static unsigned char act(struct litmus_block *block, int instance, int me)
{
    const uint64_t a = litmus_a(block, instance);

    if (me == 0) {
        block->data[instance] = a;
        return (unsigned char)lfset_u64_add(block->set, a);
    }
    if (lfset_u64_contains(block->set, a) != 1)
        return 0;
    return block->data[instance] == a ? 1 : 2;
}

static int outcome(const struct litmus_block *block, int instance)
{
    return block->saw[1][instance];
}

static const struct litmus_test test = {
    .name = "publication",
    .about =
        "T0: data = 1, add(a); T1: contains(a) answering 1, then data = 0, must never be seen.",
    .threads = 2,
    .act = act,
    .outcome = outcome,
    .outcomes = 3,
    .outcome_names = {"key not there yet", "key there, and its data",
                      "key there, without its data"},
    .forbidden = 1u << 2,
    .wanted = 1u << 0 | 1u << 1,
};

LITMUS_MAIN(test)

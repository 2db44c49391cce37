// SPDX-License-Identifier: MIT
/*
 * Message passing through remove: the key stands for a piece of data that belongs to whoever
 * removes the key.
 *
 *     thread 0: data = 1; remove(a)          thread 1: if not contains(a), read and change data
 *
 * The key is there at first. Whoever finds it gone must see what was written before the remove, and
 * ThreadSanitizer must have nothing to say about it.
 */
#define _GNU_SOURCE
#include "litmus.h"

static void prepare(struct litmus_block *block, int instance)
{
    lfset_u64_add(block->set, litmus_a(block, instance));
}

static unsigned char act(struct litmus_block *block, int instance, int me)
{
    const uint64_t a = litmus_a(block, instance);

    if (me == 0) {
        block->data[instance] = a;
        return (unsigned char)lfset_u64_remove(block->set, a);
    }
    /* New keys: the removal has to meet a growth. */
    lfset_u64_add(block->set, litmus_b(block, instance));
    if (lfset_u64_contains(block->set, a) != 0)
        return 0;
    const int seen = block->data[instance] == a;
    block->data[instance] = 0;
    return seen ? 1 : 2;
}

static int outcome(const struct litmus_block *block, int instance)
{
    return block->saw[1][instance];
}

static const struct litmus_test test = {
    .name = "message passing through remove",
    .about = "T0: data = 1, remove(a); T1: contains(a) answering 0, then data = 0, must never be "
             "seen.",
    .threads = 2,
    .prepare = prepare,
    .act = act,
    .outcome = outcome,
    .outcomes = 3,
    .outcome_names = {"key still there", "key gone, and the data", "key gone, without the data"},
    .forbidden = 1u << 2,
    .wanted = 1u << 0 | 1u << 1,
};

LITMUS_MAIN(test)

// SPDX-License-Identifier: MIT
/*
 * Threads that come and go, and the records that they leave to each other:
 *
 *     thread 0: add(a); size; perhaps detach; contains(a)      thread 1: the same with b
 *
 * Each must find its own key. Mostly this is for ThreadSanitizer: what a thread has on its record when it
 * detaches, another goes on with, or reclaims, at the same time; barriers take from all records.
 */
#define _GNU_SOURCE
#include "litmus.h"

static unsigned char act(struct litmus_block *block, int instance, int me)
{
    const uint64_t own = me ? litmus_b(block, instance) : litmus_a(block, instance);

    lfset_u64_add(block->set, own);
    const int counted = lfset_u64_size(block->set, NULL) > 0; /* moves root, retires a slice */
    if ((instance + 7 * me) % 16 == 0)
        lfset_barrier();
    const int detached = instance % 4 != 3 || lfset_thread_detach() == 0;
    return counted && detached && lfset_u64_contains(block->set, own) == 1;
}

static int outcome(const struct litmus_block *block, int instance)
{
    return block->saw[0][instance] && block->saw[1][instance];
}

static const struct litmus_test test = {
    .name = "threads that come and go",
    .about = "T0: add(a), size, perhaps detach, contains(a); T1: the same with b. Each must find "
             "its key.",
    .threads = 2,
    .act = act,
    .outcome = outcome,
    .outcomes = 2,
    .outcome_names = {"a call failed, or its own key is missing", "all found"},
    .forbidden = 1u << 0,
    .wanted = 1u << 1,
};

LITMUS_MAIN(test)

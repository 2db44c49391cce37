// SPDX-License-Identifier: MIT
/*
 * Independent reads of independent writes. Two readers must agree which add came first:
 *
 *     thread 0: add(a)     thread 2: contains(a), contains(b)
 *     thread 1: add(b)     thread 3: contains(b), contains(a)
 *
 * Both readers answering 1 then 0 would mean that each saw the other's second key come first.
 */
#define _GNU_SOURCE
#include "litmus.h"

static unsigned char act(struct litmus_block *block, int instance, int me)
{
    const uint64_t a = litmus_a(block, instance);
    const uint64_t b = litmus_b(block, instance);

    if (me < 2)
        return (unsigned char)lfset_u64_add(block->set, me ? b : a);
    const int first = lfset_u64_contains(block->set, me == 2 ? a : b);
    litmus_between(instance, me);
    const int second = lfset_u64_contains(block->set, me == 2 ? b : a);
    return (unsigned char)(first * 2 + second);
}

static int outcome(const struct litmus_block *block, int instance)
{
    const unsigned char ab = block->saw[2][instance];
    const unsigned char ba = block->saw[3][instance];

    if (ab == 2 && ba == 2)
        return 0;
    if (ab == 2)
        return 1;
    return ba == 2 ? 2 : 3;
}

static const struct litmus_test test = {
    .name = "independent reads of independent writes",
    .about = "T0: add(a); T1: add(b); T2: contains(a), contains(b); T3: contains(b), contains(a). "
             "Both readers answering 1, 0 must never be seen.",
    .threads = 4,
    .act = act,
    .outcome = outcome,
    .outcomes = 4,
    .outcome_names = {"T2 saw a before b, T3 saw b before a",
                      "T2 saw a before b, T3 did not differ",
                      "T3 saw b before a, T2 did not differ", "neither saw one without the other"},
    .forbidden = 1u << 0,
    .wanted = 1u << 1 | 1u << 2 | 1u << 3,
};

LITMUS_MAIN(test)

// SPDX-License-Identifier: MIT
/*
 * A barrier returns when all that was retired before its call has been freed, not when that has begun:
 *
 *     thread 0: size, which retires a slice; barrier      whoever reclaims: free, slowly
 *
 * After the barrier the set has one slice. Takes no arguments. Exit status: 0, 1.
 */
#define _GNU_SOURCE
#include <lfset/u64.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ROUNDS 20
#define SIZES 3

static atomic_int blocks;

static void *allocate(void *ctx, size_t size, size_t alignment)
{
    (void)ctx;
    atomic_fetch_add(&blocks, 1);
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void release_slowly(void *ctx, void *block, size_t size, size_t alignment)
{
    (void)ctx, (void)size, (void)alignment;
    usleep(500);
    free(block);
    atomic_fetch_sub(&blocks, 1);
}

/* @return how often a block was left after a barrier, -1 for failure. */
static int left_behind(enum lfset_domain domain)
{
    static const struct lfset_allocator allocator = {.alloc = allocate, .free = release_slowly};
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_u64 *set;
    int left = 0;

    options.domain = domain;
    options.allocator = &allocator;
    if (lfset_u64_create(&set, &options) != 0)
        return -1;
    const int whole = atomic_load(&blocks); /* the set and its slice */
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SIZES; i++)
            if (lfset_u64_size(set, NULL) != 0)
                return -1;
        if (lfset_barrier() != 0)
            return -1;
        left += atomic_load(&blocks) != whole;
    }
    lfset_u64_destroy(set);
    return left;
}

int main(void)
{
    int failed = 0;

    for (int domain = LFSET_RCU; domain <= LFSET_HP; domain++) {
        const int left = left_behind((enum lfset_domain)domain);

        if (left < 0)
            fprintf(stderr, "barrier: a call failed\n");
        else
            printf("barrier on %s:\n  %12d  barriers that left blocks behind%s\n",
                   domain == LFSET_HP ? "hp" : "rcu", left,
                   left ? "   <-- FORBIDDEN" : "   (forbidden)");
        failed |= left != 0;
    }
    return failed;
}

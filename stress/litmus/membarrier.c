// SPDX-License-Identifier: MIT
/*
 * Store buffering between a hazard and root, which no run shows:
 *
 *     reader: hazard = slice; root is still the slice?      scan: root has moved; hazards of the slice?
 *
 * "Still root" and "no hazard" together would free a slice that the reader goes on to use. Readers do not
 * fence, so the scan must call membarrier(2) before it reads hazards, and a hazard hardly ever stays in a
 * store buffer for as long as root's move, the retirement and the beginning of a scan take. Hence the
 * other way round: once membarrier is forbidden, by a filter that comes after the first operation, nothing
 * may be reclaimed any more. Takes no arguments. Exit status: 0, 1, 77 where that cannot be tried.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <lfset/u64.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/** Many more than what is retired between two scans. */
#define SLICES 500

static unsigned long freed;

static void *allocate(void *ctx, size_t size, size_t alignment)
{
    (void)ctx;
    return aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

static void release(void *ctx, void *block, size_t size, size_t alignment)
{
    (void)ctx, (void)size, (void)alignment;
    freed += block != NULL;
    free(block);
}

/* @return 0, or -1 where it is not allowed. */
static int forbid_membarrier(void)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(steps) / sizeof(*steps), steps};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        return -1;
    return syscall(__NR_membarrier, MEMBARRIER_CMD_QUERY, 0, 0) == -1 ? 0 : -1;
}

/* Each size moves root and retires a slice. */
static unsigned long freed_by_sizes(struct lfset_u64 *set)
{
    const unsigned long before = freed;

    for (int i = 0; i < SLICES; i++)
        if (lfset_u64_size(set, NULL) != 1) {
            fprintf(stderr, "membarrier: size failed\n");
            exit(1);
        }
    return freed - before;
}

int main(void)
{
    static const struct lfset_allocator allocator = {.alloc = allocate, .free = release};
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_u64 *set;

    options.domain = LFSET_HP;
    options.allocator = &allocator;
    const int rc = lfset_u64_create(&set, &options);
    if (rc != 0 || lfset_u64_add(set, 1) != 1) {
        fprintf(stderr, "membarrier: no set: %s\n", strerror(-rc));
        return 1;
    }
    if (lfset_hp_mode() != LFSET_HP_MEMBARRIER) {
        printf("membarrier is forbidden from the start: readers fence\n");
        return 77;
    }
    const unsigned long allowed = freed_by_sizes(set);
    if (forbid_membarrier() != 0) {
        printf("no filter can be installed here\n");
        return 77;
    }
    const unsigned long forbidden = freed_by_sizes(set);
    lfset_u64_destroy(set);
    printf("hazard against root on hp:\n  %12lu  slices freed with membarrier\n"
           "  %12lu  slices freed without%s\n",
           allowed, forbidden, forbidden ? "   <-- FORBIDDEN" : "   (forbidden)");
    if (allowed == 0)
        printf("  no power: nothing was freed before\n");
    return forbidden != 0 || allowed == 0;
}

// SPDX-License-Identifier: MIT
/*
 * without_membarrier COMMAND...: runs it where membarrier(2) fails with ENOSYS. A program under qemu-user
 * cannot install a filter, but those of qemu itself hold for it. Exit 77 where filters are not allowed.
 */
#define main check_both_modes
#include "../seccomp/forbidden.c" // for the filter
#undef main

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: without_membarrier COMMAND...\n");
        return 2;
    }
    if (forbid_membarrier(ENOSYS) != 0) {
        fprintf(stderr, "without_membarrier: no filter can be installed here\n");
        return 77;
    }
    execvp(argv[1], argv + 1);
    fprintf(stderr, "without_membarrier: %s: %s\n", argv[1], strerror(errno));
    return 2;
}

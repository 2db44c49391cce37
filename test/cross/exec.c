// SPDX-License-Identifier: MIT
/*
 * Linked into the programs that run under qemu-user. The kernel cannot start a program of another
 * architecture; so who starts one, as Criterion does for each test and lfset for its verbs, starts
 * qemu with it instead: the one that CROSS_QEMU names.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { ARGUMENTS = 256 };

/* C's signature leaves no other way to hand on strings that execve declares to be changeable. */
static char *changeable(const char *text)
{
    union {
        const char *given;
        char *wanted;
    } both = {.given = text};
    return both.wanted;
}

int execve(const char *path, char *const argv[], char *const envp[])
{
    char *arguments[ARGUMENTS] = {getenv("CROSS_QEMU"), changeable("-0"), argv[0],
                                  changeable(path)};
    size_t count = 4;

    for (size_t i = 1; argv[i]; i++) {
        if (count == ARGUMENTS - 1) {
            errno = E2BIG;
            return -1;
        }
        arguments[count++] = argv[i];
    }
    return execvpe(arguments[0], arguments, envp);
}

int execv(const char *path, char *const argv[])
{
    return execve(path, argv, environ);
}

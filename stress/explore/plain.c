// SPDX-License-Identifier: MIT
/*
 * Plain accesses: fields of nodes and slices, the comparison of a key, the copying of one. The library's
 * sources are compiled for the explorer with -fsanitize=kernel-address, of which the compilers leave
 * the runtime to the kernel, and call these before each such access. They ask the arena. (No thread is left
 * here: plain accesses are not where threads meet.)
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "explore/arena.h"
#include "explore/schedule.h"

#define CHECK(address, size)                                                                       \
    check((const void *)(uintptr_t)(address), size, __builtin_return_address(0))

static inline void check(const void *address, size_t size, const void *pc)
{
    const char *last = (const char *)address + size - 1;
    if (__builtin_expect(!arena_may_touch(address), 0)) {
        sched_bad_touch(address, pc);
    }
    if (__builtin_expect(size > 1 && !arena_may_touch(last), 0)) {
        sched_bad_touch(last, pc);
    }
}

/* An access of a power of two, aligned, lies in one unit of the arena. */
#define ACCESS(name, size)                                                                         \
    void __asan_##name##_noabort(uintptr_t address);                                               \
    void __asan_##name##_noabort(uintptr_t address)                                                \
    {                                                                                              \
        CHECK(address, size);                                                                      \
    }
#define ACCESS_OF_ANY_SIZE(name)                                                                   \
    void __asan_##name##_noabort(uintptr_t address, size_t size);                                  \
    void __asan_##name##_noabort(uintptr_t address, size_t size)                                   \
    {                                                                                              \
        CHECK(address, size);                                                                      \
    }
ACCESS(load1, 1)
ACCESS(load2, 1)
ACCESS(load4, 1)
ACCESS(load8, 1)
ACCESS(load16, 1)
ACCESS_OF_ANY_SIZE(loadN)
ACCESS(store1, 1)
ACCESS(store2, 1)
ACCESS(store4, 1)
ACCESS(store8, 1)
ACCESS(store16, 1)
ACCESS_OF_ANY_SIZE(storeN)

void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
}

/* What the library calls by the names without "plain_": see explore_plain_flags in the Makefile. */
int plain_memcmp(const void *a, const void *b, size_t size);
void *plain_memcpy(void *to, const void *from, size_t size);
void *plain_memset(void *to, int byte, size_t size);

int plain_memcmp(const void *a, const void *b, size_t size)
{
    if (size > 0) {
        CHECK(a, size);
        CHECK(b, size);
    }
    return memcmp(a, b, size);
}

void *plain_memcpy(void *to, const void *from, size_t size)
{
    if (size > 0) {
        CHECK(to, size);
        CHECK(from, size);
    }
    return memcpy(to, from, size);
}

void *plain_memset(void *to, int byte, size_t size)
{
    if (size > 0) {
        CHECK(to, size);
    }
    return memset(to, byte, size);
}

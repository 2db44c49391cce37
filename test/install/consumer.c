// SPDX-License-Identifier: MIT
// A user's program, built against the installed files only. Usage: consumer VERSION
#include <lfset/u64.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { KEYS = 100 };

static void *add_keys(void *set)
{
    for (uint64_t key = 0; key < KEYS; key++)
        lfset_u64_add(set, key);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 2 || strcmp(argv[1], lfset_version()) != 0) {
        fprintf(stderr, "the library says it is %s\n", lfset_version());
        return 1;
    }

    struct lfset_u64 *set;
    if (lfset_u64_create(&set, NULL) != 0)
        return 1;
    pthread_t thread;
    if (pthread_create(&thread, NULL, add_keys, set) != 0)
        return 1;
    add_keys(set);
    pthread_join(thread, NULL);

    int64_t size = lfset_u64_size(set, NULL);
    if (size != KEYS || lfset_u64_contains(set, KEYS - 1) != 1 ||
        lfset_u64_contains(set, KEYS) != 0) {
        fprintf(stderr, "%lld keys\n", (long long)size);
        return 1;
    }
    return lfset_u64_destroy(set) != 0;
}

// SPDX-License-Identifier: MIT
/*
 * A user's program that is wrong: it goes on writing data that it has published. ThreadSanitizer must say
 * so; an annotation in the library that orders more than the library promises would hide it.
 *
 *   race rcu|hp
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lfset/u64.h>

enum { ROUNDS = 300 };

static struct lfset_u64 *posted;
static struct lfset_u64 *read_by_other;
static uint64_t cells[ROUNDS];
static uint64_t sum;

static void await(const struct lfset_u64 *set, uint64_t key)
{
    while (lfset_u64_contains(set, key) == 0)
        sched_yield();
}

static void *read_cells(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < ROUNDS; i++) {
        await(posted, i);
        sum += cells[i];
        (void)lfset_u64_add(read_by_other, i);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 2 || (strcmp(argv[1], "rcu") != 0 && strcmp(argv[1], "hp") != 0)) {
        fprintf(stderr, "usage: race rcu|hp\n");
        return 2;
    }
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = strcmp(argv[1], "hp") == 0 ? LFSET_HP : LFSET_RCU;
    pthread_t reader;
    if (lfset_u64_create(&posted, &options) != 0 ||
        lfset_u64_create(&read_by_other, &options) != 0 ||
        pthread_create(&reader, NULL, read_cells, NULL) != 0) {
        fprintf(stderr, "race: cannot begin\n");
        return 1;
    }
    for (uint64_t i = 0; i < ROUNDS; i++) {
        cells[i] = i;
        (void)lfset_u64_add(posted, i);
        cells[i]++; /* the race: the reader may be reading */
        await(read_by_other, i);
    }
    pthread_join(reader, NULL);
    (void)lfset_u64_destroy(posted);
    (void)lfset_u64_destroy(read_by_other);
    return sum == 0;
}

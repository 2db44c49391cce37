// SPDX-License-Identifier: MIT
/* A program that does what the alerts are for, watched, for test/metrics.sh: `leak` only grows; a reader stays
 * in a section, so that what `held` retires is not freed. It exports itself, and prints the URL. Ends after
 * the seconds of its argument. */
#define _GNU_SOURCE
#include <lfset/exporter.h>
#include <lfset/observe.h>
#include <lfset/u64.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check(int result, const char *what)
{
    if (result < 0) {
        fprintf(stderr, "leaks: %s: %s\n", what, strerror(-result));
        exit(1);
    }
}

static struct lfset_u64 *create(const char *name)
{
    static const struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_u64 *set;
    options.name = name;
    options.observe = &observe;
    check(lfset_u64_create(&set, &options), name);
    return set;
}

static void *read_forever(void *set)
{
    pthread_setname_np(pthread_self(), "sleeper");
    check(lfset_section_enter(), "section");
    check(lfset_u64_contains(set, 1), "contains"); // of which it keeps the protection
    for (;;) {
        pause();
    }
    return NULL;
}

static void work(struct lfset_u64 *leak, struct lfset_u64 *held, uint64_t round)
{
    for (uint64_t key = 1; key <= 100; key++) {
        check(lfset_u64_add(leak, round * 100 + key), "add to leak");
    }
    if (round < 100) { // as much as it holds back until the end
        for (uint64_t key = 1; key <= 1000; key++) {
            check(lfset_u64_add(held, key), "add to held");
        }
        check((int)lfset_u64_clear(held, NULL), "clear held");
    }
}

int main(int argc, char **argv)
{
    struct lfset_watch_options watch = LFSET_WATCH_INIT;
    struct lfset_exporter *exporter;
    pthread_t reader;
    uint64_t rounds = argc > 1 ? (uint64_t)atoi(argv[1]) * 20 : 0;

    watch.period_ns = 200000000;
    watch.stall_ns = 1000000000;
    check(lfset_watch_start(&watch), "watcher");
    check(lfset_exporter_start(&exporter, NULL), "exporter"); // no set yet
    printf("http://127.0.0.1:%u\n", lfset_exporter_port(exporter));
    fflush(stdout);
    struct lfset_u64 *leak = create("leak"), *held = create("held");
    create("odd \"name\" \\ of\ntwo lines, \xff");
    create("twin");
    create("twin");
    check(-pthread_create(&reader, NULL, read_forever, held), "thread");
    for (uint64_t round = 0; round < rounds; round++) {
        work(leak, held, round);
        usleep(50000);
    }
    _exit(0); // the reader never ends
}

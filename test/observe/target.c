// SPDX-License-Identifier: MIT
// A process to look at: sets of several kinds, one that only grows, one with a limit, a reader that stays in a
// section, a snapshot that is kept. Says "ready" when all is there; ends after 100 s, or when its standard
// input does.
#define _GNU_SOURCE
#include <lfset/bitmap.h>
#include <lfset/bytes.h>
#include <lfset/lfset.h>
#include <lfset/observe.h>
#include <lfset/u64.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static struct lfset_u64 *sessions, *churn, *pinned;
static struct lfset_bytes *cache;
static struct lfset_bitmap *seats;
static struct lfset_u64_snapshot *kept;
static atomic_int entered, reported;

static void need(int result)
{
    if (result < 0) {
        fprintf(stderr, "target: %s\n", strerror(-result));
        exit(1);
    }
}

static struct lfset_options options_of(const char *name, enum lfset_domain domain,
                                       const struct lfset_observe *observe)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.name = name;
    options.domain = domain;
    options.observe = observe;
    return options;
}

__attribute__((noinline)) static void sessions_open(void)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.max_keys = 1000000;
    observe.profile_rate = 64;
    struct lfset_options options = options_of("sessions", LFSET_RCU, &observe);
    need(lfset_u64_create(&sessions, &options));
}

__attribute__((noinline)) static void caches_open(void)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.strategy = LFSET_GUARD_REFUSE;
    observe.max_keys = 5000;
    struct lfset_options options = options_of("cache <b>&\"", LFSET_HP, &observe);
    need(lfset_bytes_create(&cache, &options));
    observe = (struct lfset_observe)LFSET_OBSERVE_INIT;
    options = options_of("churn", LFSET_RCU, &observe);
    need(lfset_u64_create(&churn, &options));
    options = options_of("pinned", LFSET_HP, &observe);
    need(lfset_u64_create(&pinned, &options));
}

__attribute__((noinline)) static void seats_open(void)
{
    struct lfset_options options = options_of("seats", LFSET_RCU, NULL);
    need(lfset_bitmap_create(&seats, &options));
}

__attribute__((noinline)) static void reader_stay(void)
{
    need(lfset_section_enter());
    lfset_u64_contains(churn, 1);
    atomic_store(&entered, 1);
    for (;;)
        pause();
}

static void *reader_run(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "sleeper");
    reader_stay();
    return NULL;
}

static void *writer_run(void *unused)
{
    (void)unused;
    pthread_setname_np(pthread_self(), "writer");
    for (uint64_t i = 0;; i++) {
        char key[32];
        lfset_u64_add(sessions, i * 7);
        lfset_u64_add(churn, i);
        lfset_u64_contains(churn, i + (i & 1));
        if (i >= 100)
            lfset_u64_remove(churn, i - 100);
        if (i % 500 == 0)
            lfset_u64_clear(churn, NULL);
        lfset_bytes_add(cache, key,
                        (size_t)snprintf(key, sizeof key, "entry %llu", (unsigned long long)i));
        lfset_bitmap_add(seats, i % 100000);
        if (i % 10 == 0)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return NULL;
}

static void event_seen(const struct lfset_event *event, void *unused)
{
    (void)unused;
    if (event->kind == LFSET_EVENT_STALL)
        atomic_store(&reported, 1);
}

static void watch(void)
{
    struct lfset_watch_options options = LFSET_WATCH_INIT;
    options.period_ns = 100000000;
    options.stall_ns = 300000000;
    options.section_rate = 1;
    options.on_event = event_seen;
    need(lfset_watch_start(&options));
    // it has to know the rate before the reader enters
    need(lfset_watch_look(&options, 0));
}

static void wait_for(atomic_int *flag)
{
    while (!atomic_load(flag))
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
}

static void fill(void)
{
    for (uint64_t i = 0; i < 10000; i++)
        lfset_u64_add(pinned, i);
    need(lfset_u64_snapshot_take(pinned, &kept, NULL));
    lfset_u64_clear(pinned, NULL);
    for (int i = 0; i < 5000; i++) {
        char key[32];
        lfset_bytes_add(cache, key, (size_t)snprintf(key, sizeof key, "first %d", i));
    }
}

int main(int argc, char **argv)
{
    pthread_t thread;
    int watched = argc < 2 || strcmp(argv[1], "--no-watcher") != 0;
    sessions_open();
    caches_open();
    seats_open();
    fill();
    if (watched)
        watch();
    if (pthread_create(&thread, NULL, reader_run, NULL) != 0 ||
        pthread_create(&thread, NULL, writer_run, NULL) != 0)
        return 1;
    wait_for(&entered);
    if (watched)
        wait_for(&reported);
    puts("ready");
    fflush(stdout);
    // as long as whoever started it keeps the other end open
    poll(&(struct pollfd){.fd = STDIN_FILENO}, 1, 100000);
    return 0;
}

// SPDX-License-Identifier: MIT
// A small service with five leaks that can be switched on, for the walk-through in WALKTHROUGH.md. Two workers
// handle requests, a reporter counts sessions, an auditor reads the routes.
//
//   drill LEAKS SECONDS   LEAKS: none, all, or any of their numbers, such as 14
//
// It prints "ready" when everything runs, and what the watcher finds to stderr.
#define _GNU_SOURCE
#include <inttypes.h>
#include <lfset/observe.h>
#include <lfset/u64.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum leak {
    FAILED_PATH = 1, // a request that fails is never taken off the list of those in flight
    OPEN_SNAPSHOT,   // a report that finds nothing new forgets its snapshot
    SLEEPING_READER, // the auditor waits inside a section
    NO_OWNER,        // what a request has is put into a set that nobody destroys
    UNBOUNDED_CACHE, // answers are cached, and never dropped
};

enum { SESSIONS = 2000, ROUTES = 4000, CACHED = 2000, TAGS = 8 };

static bool leaks[UNBOUNDED_CACHE + 1];
static struct lfset_u64 *inflight, *sessions, *routes, *cache;
static atomic_bool over;
static _Atomic(uint64_t) next_request = 1;

static void nap(double seconds)
{
    struct timespec time = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&time, NULL);
}

static void expect(bool true_now, const char *what)
{
    if (!true_now) {
        fprintf(stderr, "drill: %s\n", what);
        exit(1);
    }
}

// ---------------------------------------------------------------- sets

static struct lfset_u64 *set_open(const char *name, enum lfset_domain domain, uint64_t max_keys)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_u64 *set = NULL;
    observe.profile_rate = 1;
    observe.max_keys = max_keys;
    options.name = name;
    options.domain = domain;
    options.observe = &observe;
    expect(lfset_u64_create(&set, &options) == 0, name);
    return set;
}

static void event_print(const struct lfset_event *event, void *ctx)
{
    (void)ctx;
    fprintf(stderr, "%s\n", event->text);
}

// ---------------------------------------------------------------- a request

__attribute__((noinline)) static void cache_fill(uint64_t request)
{
    lfset_u64_add(cache, request);
    if (!leaks[UNBOUNDED_CACHE] && request > CACHED)
        lfset_u64_remove(cache, request - CACHED);
}

__attribute__((noinline)) static void tags_collect(uint64_t request)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_u64 *tags;
    options.name = "tags";
    options.domain = LFSET_HP;
    if (lfset_u64_create(&tags, &options) != 0)
        return;
    for (uint64_t i = 0; i < TAGS; i++)
        lfset_u64_add(tags, request * 31 + i * i);
    if (!leaks[NO_OWNER] || request % 512 != 0)
        lfset_u64_destroy(tags);
}

__attribute__((noinline)) static int request_handle(uint64_t request)
{
    lfset_u64_add(inflight, request);
    cache_fill(request);
    tags_collect(request);
    lfset_u64_contains(routes, request % ROUTES);
    if (request % 7 == 3) { // it fails
        if (!leaks[FAILED_PATH])
            lfset_u64_remove(inflight, request);
        return -1;
    }
    lfset_u64_add(sessions, request % SESSIONS);
    lfset_u64_remove(sessions, (request + SESSIONS / 2) % SESSIONS);
    lfset_u64_remove(inflight, request);
    return 0;
}

static void *worker(void *arg)
{
    (void)arg;
    while (!atomic_load(&over)) {
        for (int i = 0; i < 40; i++)
            request_handle(atomic_fetch_add(&next_request, 1));
        nap(0.01);
    }
    return NULL;
}

// ---------------------------------------------------------------- a report

__attribute__((noinline)) static int64_t report_sessions(int64_t before)
{
    struct lfset_u64_snapshot *snapshot;
    if (lfset_u64_snapshot_take(sessions, &snapshot, NULL) != 0)
        return before;
    int64_t count = lfset_u64_snapshot_count(snapshot);
    if (leaks[OPEN_SNAPSHOT] && count == before)
        return count;
    lfset_u64_snapshot_destroy(snapshot);
    return count;
}

static void *reporter(void *arg)
{
    (void)arg;
    for (int64_t count = -1; !atomic_load(&over); nap(0.1))
        count = report_sessions(count);
    return NULL;
}

// ---------------------------------------------------------------- an audit

__attribute__((noinline)) static int audit_routes(void)
{
    int found = 0;
    if (lfset_section_enter() != 0)
        return -1;
    for (uint64_t route = 0; route < ROUTES; route++)
        found += lfset_u64_contains(routes, route) == 1;
    for (int i = 0; leaks[SLEEPING_READER] && i < 300 && !atomic_load(&over); i++)
        nap(0.1); // for somebody who answers
    lfset_section_leave();
    return found;
}

static void *auditor(void *arg)
{
    (void)arg;
    for (; !atomic_load(&over); nap(0.05))
        expect(audit_routes() >= 0, "audit");
    return NULL;
}

// Routes are replaced now and then: what is retired meanwhile waits for readers.
static void routes_rebuild(void)
{
    lfset_u64_clear(routes, NULL);
    for (uint64_t route = 0; route < ROUTES; route++)
        lfset_u64_add(routes, route);
}

static void *rebuilder(void *arg)
{
    (void)arg;
    for (; !atomic_load(&over); nap(0.05))
        routes_rebuild();
    return NULL;
}

// ---------------------------------------------------------------- the service

static void leaks_read(const char *text)
{
    for (int leak = FAILED_PATH; leak <= UNBOUNDED_CACHE; leak++)
        leaks[leak] = strcmp(text, "all") == 0 || strchr(text, '0' + leak);
}

int main(int argc, char **argv)
{
    static const struct {
        void *(*run)(void *);
        const char *name;
    } jobs[] = {{worker, "worker"},
                {worker, "worker"},
                {reporter, "reporter"},
                {auditor, "auditor"},
                {rebuilder, "rebuilder"}};
    enum { JOBS = sizeof jobs / sizeof *jobs };
    pthread_t threads[JOBS];
    if (argc != 3) {
        fprintf(stderr, "usage: drill LEAKS SECONDS\n");
        return 2;
    }
    leaks_read(argv[1]);
    inflight = set_open("inflight", LFSET_HP, 0);
    sessions = set_open("sessions", LFSET_HP, 0);
    routes = set_open("routes", LFSET_RCU, 0);
    cache = set_open("cache", LFSET_HP, leaks[UNBOUNDED_CACHE] ? 0 : 2 * CACHED);
    struct lfset_watch_options watch = LFSET_WATCH_INIT;
    watch.period_ns = 200000000;
    watch.stall_ns = 1000000000;
    watch.section_rate = 1;
    watch.on_event = event_print;
    expect(lfset_watch_start(&watch) == 0, "no watcher");
    for (int i = 0; i < JOBS; i++) {
        expect(pthread_create(&threads[i], NULL, jobs[i].run, NULL) == 0, "no thread");
        pthread_setname_np(threads[i], jobs[i].name);
    }
    printf("ready\n");
    fflush(stdout);
    nap(strtod(argv[2], NULL));
    atomic_store(&over, true);
    for (int i = 0; i < JOBS; i++)
        pthread_join(threads[i], NULL);
    printf("%" PRIu64 " requests\n", atomic_load(&next_request) - 1);
    return 0;
}

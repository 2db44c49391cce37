// SPDX-License-Identifier: MIT
/* The watcher: starting and stopping, looks, what its callback must not do, sets that come and go while it
 * looks, forks. What it finds is in test_stalls.c and test_guard.c. */
#define _GNU_SOURCE
#include "watch_support.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const uint64_t HOUR = 3600 * UINT64_C(1000000000);

static uint64_t word(_Atomic(uint64_t) *word)
{
    return atomic_load(word);
}

/* ---- options ---- */

TEST(watch, bad_options)
{
    struct lfset_watch_options options = LFSET_WATCH_INIT;
    options.size--;
    CHECK_EQ(lfset_watch_start(&options), -EINVAL);
    CHECK_EQ(lfset_watch_look(&options, 0), -EINVAL);
    options.size++;
    options.period_ns = 0;
    CHECK_EQ(lfset_watch_start(&options), -EINVAL);
    CHECK_EQ(lfset_watch_look(&options, 0), -EINVAL);
    options.period_ns = 1;
    options.stall_ns = 0;
    CHECK_EQ(lfset_watch_start(&options), -EINVAL);
    CHECK_EQ(lfset_watch_look(&options, 0), -EINVAL);
    options.stall_ns = 1;
    CHECK_EQ(lfset_watch_look(&options, 0), 0);
    CHECK_EQ(lfset_watch_look(NULL, 0), 0);
}

TEST(watch, no_registry)
{
    CHECK_EQ(lfset_registry_off(), 0);
    CHECK_EQ(lfset_watch_start(NULL), -ENOTSUP);
    CHECK_EQ(lfset_watch_look(NULL, 0), -ENOTSUP);
    CHECK_EQ(lfset_watch_stop(), 0);
}

/* ---- starting and stopping ---- */

/* Tells of itself as soon as it is called. */
struct identity {
    struct event seen;
    char name[32];
    bool may_be_interrupted;
};

static void identify(const struct lfset_event *event, void *ctx)
{
    struct identity *identity = ctx;
    sigset_t blocked;
    (void)event;
    pthread_getname_np(pthread_self(), identity->name, sizeof identity->name);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    identity->may_be_interrupted =
        !sigismember(&blocked, SIGTERM) || !sigismember(&blocked, SIGUSR1);
    event_signal(&identity->seen);
}

/* A thread in a section, which the next look calls a stall if it is told to be so strict. */
static void stay_in_section(struct lfset_watch_options *options)
{
    options->stall_ns = 1;
    CHECK_EQ(lfset_section_enter(), 0);
}

TEST(watch, thread_and_its_end)
{
    struct identity identity = {.name = ""};
    event_init(&identity.seen);
    struct lfset_u64 *set = listed_new(LFSET_RCU, "seen");
    struct lfset_watch_options options = watch_options(NULL);
    options.period_ns = 1000000;
    options.on_event = identify;
    options.ctx = &identity;
    stay_in_section(&options);
    CHECK_EQ(lfset_watch_start(&options), 0);
    CHECK_EQ(lfset_watch_start(&options), -EALREADY);
    event_wait(&identity.seen, 1);
    struct lfset__segment *segment = lfset__segment_now();
    CHECK_EQ(word(&segment->watcher_period_ns), options.period_ns);
    CHECK_EQ(word(&segment->stall_ns), options.stall_ns);
    CHECK(word(&segment->watcher_looked_ns) > 0, "it has not looked");
    CHECK_EQ(threads_named("lfset-watch"), 1);
    CHECK_EQ(lfset_watch_stop(), 0);
    CHECK_EQ(threads_named("lfset-watch"), 0);
    CHECK_EQ(word(&segment->watcher_period_ns), 0);
    CHECK_EQ(word(&segment->stall_ns), 0);
    CHECK_EQ(word(&segment->watcher_looked_ns), 0);
    CHECK(strcmp(identity.name, "lfset-watch") == 0, "its name is \"%s\"", identity.name);
    CHECK(!identity.may_be_interrupted, "it takes signals");
    CHECK_EQ(lfset_watch_stop(), 0);
    CHECK_EQ(lfset_section_leave(), 0);
    set_end(set, NULL);
}

/* Its thread sleeps for an hour: the test hangs unless it is woken. */
TEST(watch, stops_without_waiting_for_its_next_look)
{
    struct lfset_watch_options options = watch_options(NULL);
    options.period_ns = HOUR;
    for (int i = 0; i < 100; i++) {
        CHECK_EQ(lfset_watch_start(&options), 0);
        CHECK_EQ(lfset_watch_stop(), 0);
    }
    options.period_ns = UINT64_MAX; /* later than any clock will show */
    CHECK_EQ(lfset_watch_start(&options), 0);
    CHECK_EQ(lfset_watch_stop(), 0);
}

struct starter {
    uint64_t seed;
    size_t rounds, started;
};

static void start_and_stop(void *arg)
{
    struct starter *starter = arg;
    struct random random = random_from(starter->seed);
    struct lfset_watch_options options = watch_options(NULL);
    options.period_ns = 1 + random_below(&random, 2) * HOUR;
    for (size_t i = 0; i < starter->rounds; i++) {
        if (random_below(&random, 2) == 0) {
            int result = lfset_watch_start(&options);
            starter->started += result == 0;
            if (result != 0 && result != -EALREADY)
                fault("start answers %d", result);
        } else {
            int result = lfset_watch_stop();
            if (result != 0)
                fault("stop answers %d", result);
        }
    }
}

TEST(watch, many_start_and_stop_it)
{
    enum { THREADS = 6 };
    struct starter starters[THREADS];
    size_t started = 0;
    struct lfset_u64 *set = listed_new(LFSET_RCU, "seen");
    for (size_t i = 0; i < THREADS; i++)
        starters[i] = (struct starter){i + 1, scaled(300), 0};
    crew_run(THREADS, start_and_stop, starters, sizeof *starters);
    for (size_t i = 0; i < THREADS; i++)
        started += starters[i].started;
    CHECK(started > 0, "nobody could start it");
    CHECK_EQ(lfset_watch_stop(), 0);
    CHECK_EQ(threads_named("lfset-watch"), 0);
    CHECK_EQ(lfset_watch_start(NULL), 0);
    CHECK_EQ(threads_named("lfset-watch") <= 1, 1);
    CHECK_EQ(lfset_watch_stop(), 0);
    set_end(set, NULL);
}

/* ---- the callback ---- */

struct meddler {
    struct event done;
    int start, stop, look;
    int in_other_thread;
    int64_t size;
};

static void look_elsewhere(void *arg)
{
    *(int *)arg = lfset_watch_look(NULL, 0);
}

static void meddle(const struct lfset_event *event, void *ctx)
{
    struct meddler *meddler = ctx;
    (void)event;
    meddler->start = lfset_watch_start(NULL);
    meddler->stop = lfset_watch_stop();
    meddler->look = lfset_watch_look(NULL, 0);
    struct crew crew;
    crew_start(&crew, 1, look_elsewhere, &meddler->in_other_thread, sizeof(int));
    crew_join(&crew);
    struct lfset_u64 *set = NULL; /* what it may do */
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.name = "the callback's";
    if (lfset_u64_create(&set, &options) == 0 && lfset_u64_add(set, 5) == 1)
        meddler->size = lfset_u64_size(set, NULL);
    lfset_u64_destroy(set);
    event_signal(&meddler->done);
}

static void check_meddler(const struct meddler *meddler)
{
    CHECK_EQ(meddler->start, -EDEADLK);
    CHECK_EQ(meddler->stop, -EDEADLK);
    CHECK_EQ(meddler->look, -EDEADLK);
    CHECK_EQ(meddler->in_other_thread, -EDEADLK);
    CHECK_EQ(meddler->size, 1);
}

static void stay(void *arg)
{
    struct event *both = arg; /* entered, may leave */
    lfset_section_enter();
    event_signal(&both[0]);
    event_wait(&both[1], 1);
    lfset_section_leave();
}

/* Another thread is in a section, so that there is something to tell. */
static void meddle_in(bool thread)
{
    struct event both[2];
    struct crew crew;
    struct meddler meddler = {.size = -1};
    struct lfset_watch_options options = watch_options(NULL);
    struct lfset_u64 *set = listed_new(LFSET_RCU, "seen");
    event_init(&both[0]);
    event_init(&both[1]);
    event_init(&meddler.done);
    options.stall_ns = 1;
    options.period_ns = 1000000;
    options.on_event = meddle;
    options.ctx = &meddler;
    crew_start(&crew, 1, stay, both, 0);
    event_wait(&both[0], 1);
    if (thread) {
        CHECK_EQ(lfset_watch_start(&options), 0);
        event_wait(&meddler.done, 1);
        CHECK_EQ(lfset_watch_stop(), 0);
    } else {
        look_at_second(&options, 0);
        look_at_second(&options, 1);
        CHECK_EQ(meddler.done.count, 1);
    }
    check_meddler(&meddler);
    event_signal(&both[1]);
    crew_join(&crew);
    set_end(set, NULL);
}

TEST(watch, callback_of_the_thread)
{
    meddle_in(true);
}

TEST(watch, callback_of_a_look)
{
    meddle_in(false);
}

TEST(watch, no_look_in_a_section)
{
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_watch_look(NULL, 0), -EDEADLK);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_watch_look(NULL, 0), 0);
}

/* ---- what a look notes ---- */

static struct lfset__record *record_of(const char *name)
{
    for (struct lfset__about *about = NULL; (about = lfset__registry_next(about));)
        if (strcmp(about->name, name) == 0) {
            lfset__registry_unpin(about);
            return about->record;
        }
    return NULL;
}

TEST_BOTH(watch, curve)
{
    struct lfset_watch_options options = watch_options(NULL);
    struct lfset_observe observe = LFSET_OBSERVE_INIT; /* counts, exactly */
    struct lfset_options wanted = LFSET_OPTIONS_INIT;
    wanted.domain = domain;
    wanted.name = "curve";
    wanted.observe = &observe;
    struct lfset_u64 *set = NULL;
    CHECK_EQ(lfset_u64_create(&set, &wanted), 0);
    struct lfset__record *record = record_of("curve");
    uint64_t start = lfset__now_ns();
    enum { LOOKS = LFSET__HISTORY + 10, STEP = 100 };
    for (uint64_t look = 0; look < LOOKS; look++) {
        for (uint64_t key = 0; key < STEP; key++)
            CHECK_EQ(lfset_u64_add(set, look * STEP + key), 1);
        CHECK_EQ(lfset_watch_look(&options, start + look), 0);
        CHECK_EQ(word(&record->history_count), look + 1);
        CHECK_EQ(word(&record->history[look % LFSET__HISTORY].time_ns), start + look);
        CHECK_EQ(word(&record->history[look % LFSET__HISTORY].live), (look + 1) * STEP);
        CHECK(word(&record->history[look % LFSET__HISTORY].bytes) >= (look + 1) * STEP * 8,
              "too few bytes");
    }
    CHECK_EQ(word(&lfset__segment_now()->watcher_looked_ns), start + LOOKS - 1);
    set_end(set, NULL);
}

static uint64_t probed(const struct lfset__record *record)
{
    uint64_t keys = 0;
    for (size_t i = 0; i < sizeof record->probe_lengths / sizeof *record->probe_lengths; i++)
        keys += atomic_load(&record->probe_lengths[i]);
    return keys;
}

TEST(watch, probe_lengths_now_and_then)
{
    struct lfset_watch_options options = watch_options(NULL);
    struct lfset_u64 *small = listed_new(LFSET_RCU, "small"),
                     *large = listed_new(LFSET_RCU, "large");
    CHECK_EQ(lfset_u64_reserve(small, 1000, NULL), 0);
    CHECK_EQ(lfset_u64_reserve(large, 100000, NULL), 0);
    for (uint64_t key = 0; key < 100; key++) {
        CHECK_EQ(lfset_u64_add(small, key), 1);
        CHECK_EQ(lfset_u64_add(large, key), 1);
    }
    struct lfset__record *records[] = {record_of("small"), record_of("large")};
    look_at_second(&options, 0);
    CHECK_EQ(probed(records[0]), 100);
    CHECK_EQ(probed(records[1]), 100);
    CHECK_EQ(lfset_u64_add(small, 100), 1);
    CHECK_EQ(lfset_u64_add(large, 100), 1);
    look_at_second(&options, 9);
    CHECK_EQ(probed(records[0]), 100);
    look_at_second(&options, 11);
    CHECK_EQ(probed(records[0]), 101);
    CHECK_EQ(probed(records[1]), 100);
    look_at_second(&options, 59);
    CHECK_EQ(probed(records[1]), 100);
    look_at_second(&options, 61);
    CHECK_EQ(probed(records[1]), 101);
    set_end(small, NULL);
    set_end(large, NULL);
}

/* Record's bins: 0, 1, 2 and 3, 4 to 7, and so on. */
TEST_BOTH(watch, probe_lengths_by_powers_of_two)
{
    enum { DISTANCES = 64, BINS = 8 };
    struct lfset_watch_options options = watch_options(NULL);
    struct lfset_u64 *set = listed_new(domain, "dense");
    struct random random = random_from(3);
    uint64_t distances[DISTANCES], bins[BINS] = {0};
    CHECK_EQ(lfset_u64_reserve(set, 3000, NULL), 0);
    for (int i = 0; i < 3000; i++)
        CHECK(lfset_u64_add(set, random_next(&random)) >= 0, "add fails");
    int64_t keys = lfset_u64_probe_lengths(set, distances, DISTANCES);
    for (uint64_t distance = 0; distance < DISTANCES; distance++)
        for (int bin = 0; bin < BINS; bin++) {
            uint64_t from = bin ? UINT64_C(1) << (bin - 1) : 0, end = UINT64_C(1) << bin;
            bins[bin] += distance >= from && distance < end ? distances[distance] : 0;
        }
    CHECK(bins[2] > 0 && bins[3] > 0, "no key is far from home: the test tests nothing");
    look_at_second(&options, 0);
    struct lfset__record *record = record_of("dense");
    CHECK_EQ(probed(record), keys);
    for (int bin = 0; bin < 5; bin++)
        CHECK_EQ(word(&record->probe_lengths[bin]), bins[bin]);
    set_end(set, NULL);
}

/* A look must not read more than so much: of large sets one has its turn, the others have theirs later. */
TEST(watch, probe_lengths_of_many_large_sets)
{
    enum { SETS = 4 };
    struct lfset_watch_options options = watch_options(NULL);
    struct lfset_u64 *sets[SETS];
    struct lfset__record *records[SETS];
    for (int i = 0; i < SETS; i++) {
        char name[16];
        snprintf(name, sizeof name, "large %d", i);
        sets[i] = listed_new(LFSET_RCU, name);
        CHECK_EQ(lfset_u64_reserve(sets[i], 500000, NULL), 0); /* 2^20 slots */
        records[i] = record_of(name);
    }
    for (int look = 0; look < SETS; look++) {
        int measured = 0;
        look_at_second(&options, look);
        for (int i = 0; i < SETS; i++)
            measured += word(&records[i]->probed_ns) > 0;
        CHECK_EQ(measured, look + 1);
    }
    for (int i = 0; i < SETS; i++)
        CHECK_EQ(lfset_u64_destroy(sets[i]), 0);
}

/* ---- sets that come and go ---- */

static void create_and_destroy(void *arg)
{
    struct random random = random_from(*(uint64_t *)arg);
    for (size_t i = 0; i < scaled(300); i++) {
        struct lfset_options options = LFSET_OPTIONS_INIT;
        struct lfset_observe observe = LFSET_OBSERVE_INIT;
        options.domain = (enum lfset_domain)random_below(&random, 2);
        options.name = "guest";
        options.observe = random_below(&random, 2) ? &observe : NULL;
        struct lfset_u64 *set = NULL;
        int error = lfset_u64_create(&set, &options);
        if (error)
            fault("create answers %d", error);
        for (uint64_t key = 0; !error && key < 200; key++)
            lfset_u64_add(set, key);
        lfset_section_enter();
        lfset_u64_contains(set, 1);
        lfset_section_leave();
        error = lfset_u64_destroy(set);
        if (error)
            fault("destroy answers %d", error);
    }
}

TEST(watch, sets_come_and_go_while_it_looks)
{
    enum { THREADS = 4 };
    uint64_t seeds[THREADS] = {1, 2, 3, 4};
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    options.period_ns = 1; /* without a pause */
    options.section_rate = 2;
    CHECK_EQ(lfset_watch_start(&options), 0);
    crew_run(THREADS, create_and_destroy, seeds, sizeof *seeds);
    CHECK_EQ(lfset_watch_stop(), 0);
    CHECK_EQ(events.count, 0);
    CHECK_EQ(lfset_barrier(), 0);
}

/* ---- forks ---- */

static const char *child_without_watcher(void *arg)
{
    struct lfset_u64 *set = arg;
    struct lfset_watch_options options = watch_options(NULL);
    struct lfset__segment *segment = lfset__segment_now();
    options.period_ns = HOUR;
    if (threads_named("lfset-watch") != 0 || word(&segment->watcher_period_ns) != 0 ||
        word(&segment->watcher_looked_ns) != 0)
        return "the child has a watcher";
    if (lfset_watch_start(&options) != 0)
        return "start fails";
    if (lfset_watch_stop() != 0)
        return "stop fails";
    if (lfset_watch_look(&options, 0) != 0)
        return "look fails";
    if (lfset_watch_stop() != 0)
        return "the second stop fails";
    if (lfset_u64_destroy(set) != 0) /* would wait if the parent's look had it pinned */
        return "destroy fails";
    return NULL;
}

TEST(watch, forks_while_it_looks)
{
    struct lfset_u64 *set = listed_new(LFSET_HP, "inherited");
    struct lfset_watch_options options = watch_options(NULL);
    options.period_ns = 1;
    CHECK_EQ(lfset_watch_start(&options), 0);
    for (size_t i = 0; i < 30; i++) {
        check_in_child(child_without_watcher, set);
    }
    CHECK_EQ(threads_named("lfset-watch"), 1);
    CHECK_EQ(lfset_watch_stop(), 0);
    set_end(set, NULL);
}

/* Whoever held the watcher's lock is not in the child. */
TEST(watch, forks_while_others_start_and_stop_it)
{
    enum { THREADS = 2 };
#ifdef SUPPORT_ASAN
    cr_skip_test("ASan's allocator stays locked in a child when another thread was in it");
#endif
    struct lfset_u64 *set = listed_new(LFSET_HP, "inherited");
    struct starter starters[THREADS];
    struct crew crew;
    for (size_t i = 0; i < THREADS; i++)
        starters[i] = (struct starter){i + 1, scaled(1000), 0};
    crew_start(&crew, THREADS, start_and_stop, starters, sizeof *starters);
    for (size_t i = 0; i < 100; i++)
        check_in_child(child_without_watcher, set);
    crew_join(&crew);
    check_faults();
    CHECK_EQ(lfset_watch_stop(), 0);
    set_end(set, NULL);
}

struct forker {
    struct event done;
    int status;
};

/* In the child the look is still under way; it ends with the child, or as looks do. */
static void fork_in_callback(const struct lfset_event *event, void *ctx)
{
    struct forker *forker = ctx;
    (void)event;
    pid_t child = fork();
    if (child == 0) {
        alarm(TEST_TIMEOUT / 2);
        _exit(lfset_watch_look(NULL, 0) == -EDEADLK && lfset_watch_stop() == -EDEADLK ? 42 : 1);
    }
    waitpid(child, &forker->status, 0);
    event_signal(&forker->done);
}

TEST(watch, forks_in_its_callback)
{
    struct forker forker = {.status = 0};
    struct lfset_watch_options options = watch_options(NULL);
    struct event both[2];
    struct crew crew;
    event_init(&forker.done);
    event_init(&both[0]);
    event_init(&both[1]);
    options.stall_ns = 1;
    options.period_ns = 1000000;
    options.on_event = fork_in_callback;
    options.ctx = &forker;
    struct lfset_u64 *set = listed_new(LFSET_HP, "seen");
    crew_start(&crew, 1, stay, both, 0);
    event_wait(&both[0], 1);
    CHECK_EQ(lfset_watch_start(&options), 0);
    event_wait(&forker.done, 1);
    CHECK_EQ(lfset_watch_stop(), 0);
    CHECK(WIFEXITED(forker.status) && WEXITSTATUS(forker.status) == 42, "status %#x",
          forker.status);
    event_signal(&both[1]);
    crew_join(&crew);
    set_end(set, NULL);
}

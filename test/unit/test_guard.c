// SPDX-License-Identifier: MIT
/* The guard: limits, rates, idleness, eviction and forecasts of a set that is looked at now and then. */
#include "watch_support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lfset/bitmap.h"
#include "lfset/bytes.h"

/* Looks with made-up times, in which nothing is a stall. */
static struct lfset_watch_options guard_options(struct events *events)
{
    struct lfset_watch_options options = watch_options(events);
    options.stall_ns = UINT64_MAX;
    return options;
}

/* A set with guards, its looks and what they told. */
struct guarded {
    struct lfset_u64 *set;
    struct lfset_watch_options options;
    struct events events;
};

static void guarded_begin(struct guarded *guarded, enum lfset_domain domain,
                          const struct lfset_observe *observe)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.name = "guarded";
    options.seed = 1; /* with an unlucky hash a set grows before 13/16 of its slots are taken */
    options.observe = observe;
    events_init(&guarded->events);
    guarded->options = guard_options(&guarded->events);
    CHECK_EQ(lfset_u64_create(&guarded->set, &options), 0);
}

static void add_keys(struct lfset_u64 *set, uint64_t from, uint64_t to)
{
    for (uint64_t key = from; key < to; key++)
        CHECK_EQ(lfset_u64_add(set, key), 1);
}

static void remove_keys(struct lfset_u64 *set, uint64_t from, uint64_t to)
{
    for (uint64_t key = from; key < to; key++)
        CHECK_EQ(lfset_u64_remove(set, key), 1);
}

/* Looks, and checks that the events so far are these, in order. */
static void expect(struct guarded *guarded, double second, const enum lfset_event_kind *kinds,
                   size_t count)
{
    look_at_second(&guarded->options, second);
    for (size_t i = 0; i < count && i < guarded->events.count; i++)
        CHECK(guarded->events.kept[i].kind == kinds[i], "event %zu is %d (%s), should be %d", i,
              (int)guarded->events.kept[i].kind, guarded->events.kept[i].text, (int)kinds[i]);
    CHECK_EQ(guarded->events.count, count);
}

#define EXPECT(guarded, second, ...)                                                               \
    do {                                                                                           \
        const enum lfset_event_kind kinds_[] = {__VA_ARGS__};                                      \
        expect(guarded, second, kinds_, sizeof kinds_ / sizeof *kinds_);                           \
    } while (0)

static const struct lfset_event *last_event(const struct guarded *guarded)
{
    return &guarded->events.kept[guarded->events.count - 1];
}

/* ---- options ---- */

TEST(guard, bad_options)
{
    const struct lfset_observe good = LFSET_OBSERVE_INIT;
    struct lfset_observe bad[5] = {good, good, good, good, good};
    bad[0].size--;
    bad[1].flags = 1u << 31;
    bad[2].strategy = (enum lfset_strategy)3;
    bad[3].strategy = (enum lfset_strategy) - 1;
    bad[4].profile_rate = UINT32_MAX;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct lfset_u64 *set = NULL;
        options.observe = &bad[i];
        CHECK(lfset_u64_create(&set, &options) == -EINVAL, "bad options %zu are taken", i);
    }
}

/* ---- max_keys ---- */

TEST_BOTH(guard, a_limit_is_told_once)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.max_keys = 160;
    struct guarded guarded;
    guarded_begin(&guarded, domain, &observe);
    add_keys(guarded.set, 0, 159);
    expect(&guarded, 1, NULL, 0);
    add_keys(guarded.set, 159, 165);
    EXPECT(&guarded, 2, LFSET_EVENT_LIMIT);
    CHECK_EQ(last_event(&guarded)->severity, LFSET_WARNING);
    CHECK_EQ(last_event(&guarded)->value, 165);
    CHECK_EQ(last_event(&guarded)->limit, 160);
    CHECK(strcmp(last_event(&guarded)->set, "guarded") == 0, "the event is of \"%s\"",
          last_event(&guarded)->set);
    CHECK(strstr(last_event(&guarded)->text, "165 keys"), "the event says \"%s\"",
          last_event(&guarded)->text);
    remove_keys(guarded.set, 0, 14); /* 151: below, but less than a sixteenth below */
    EXPECT(&guarded, 3, LFSET_EVENT_LIMIT);
    add_keys(guarded.set, 0, 14);
    EXPECT(&guarded, 4, LFSET_EVENT_LIMIT);
    remove_keys(guarded.set, 0, 15);
    EXPECT(&guarded, 5, LFSET_EVENT_LIMIT, LFSET_EVENT_LIMIT_END);
    CHECK_EQ(last_event(&guarded)->seconds, 3);
    EXPECT(&guarded, 6, LFSET_EVENT_LIMIT, LFSET_EVENT_LIMIT_END);
    add_keys(guarded.set, 0, 10);
    EXPECT(&guarded, 7, LFSET_EVENT_LIMIT, LFSET_EVENT_LIMIT_END, LFSET_EVENT_LIMIT);
    set_end(guarded.set, NULL);
}

TEST(guard, a_limit_of_one_key)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.max_keys = 1;
    struct guarded guarded;
    guarded_begin(&guarded, LFSET_RCU, &observe);
    expect(&guarded, 1, NULL, 0);
    add_keys(guarded.set, 0, 1);
    EXPECT(&guarded, 2, LFSET_EVENT_LIMIT);
    remove_keys(guarded.set, 0, 1);
    EXPECT(&guarded, 3, LFSET_EVENT_LIMIT, LFSET_EVENT_LIMIT_END);
    set_end(guarded.set, NULL);
}

TEST_BOTH(guard, a_full_set_refuses)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.strategy = LFSET_GUARD_REFUSE;
    observe.max_keys = 100;
    struct guarded guarded;
    guarded_begin(&guarded, domain, &observe);
    add_keys(guarded.set, 0, 100);
    CHECK_EQ(lfset_u64_add(guarded.set, 100), -ENOSPC);
    CHECK_EQ(lfset_u64_add(guarded.set, 99), 0);
    EXPECT(&guarded, 1, LFSET_EVENT_LIMIT);
    CHECK_EQ(last_event(&guarded)->severity, LFSET_ERROR);
    CHECK_EQ(lfset_u64_size(guarded.set, NULL), 100);
    remove_keys(guarded.set, 0, 1);
    CHECK_EQ(lfset_u64_add(guarded.set, 100), 1);
    CHECK_EQ(lfset_u64_add(guarded.set, 0), -ENOSPC);
    CHECK_EQ(lfset_u64_clear(guarded.set, NULL), 100);
    add_keys(guarded.set, 200, 300);
    CHECK_EQ(lfset_u64_add(guarded.set, 0), -ENOSPC);
    set_end(guarded.set, NULL);
}

/* What the threads do to a set of any kind. */
struct kind {
    const char *name;
    int (*create)(void **set, const struct lfset_options *options);
    int (*destroy)(void *set);
    int (*add)(void *set, uint64_t key);
    int (*remove)(void *set, uint64_t key);
    int64_t (*size)(void *set);
};

#define KIND_COMMON(kind)                                                                          \
    static int create_##kind(void **set, const struct lfset_options *options)                      \
    {                                                                                              \
        struct lfset_##kind *made = NULL;                                                          \
        const int error = lfset_##kind##_create(&made, options);                                   \
        *set = made;                                                                               \
        return error;                                                                              \
    }                                                                                              \
    static int destroy_##kind(void *set)                                                           \
    {                                                                                              \
        return lfset_##kind##_destroy(set);                                                        \
    }                                                                                              \
    static int64_t size_##kind(void *set)                                                          \
    {                                                                                              \
        return lfset_##kind##_size(set, NULL);                                                     \
    }
#define KIND_OPERATION(kind, verb, ...)                                                            \
    static int verb##_##kind(void *set, uint64_t key)                                              \
    {                                                                                              \
        return lfset_##kind##_##verb(set, __VA_ARGS__);                                            \
    }
#define KIND(kind)                                                                                 \
    {                                                                                              \
#kind, create_##kind, destroy_##kind, add_##kind, remove_##kind, size_##kind               \
    }
KIND_COMMON(u64)
KIND_COMMON(bytes)
KIND_COMMON(bitmap)
KIND_OPERATION(u64, add, key)
KIND_OPERATION(u64, remove, key)
KIND_OPERATION(bytes, add, &key, sizeof key)
KIND_OPERATION(bytes, remove, &key, sizeof key)
KIND_OPERATION(bitmap, add, key)
KIND_OPERATION(bitmap, remove, key)
static const struct kind kinds[] = {KIND(u64), KIND(bytes), KIND(bitmap)};

enum { THREADS = 8, MOST = 300, RANGE = 500 };

struct pusher {
    const struct kind *kind;
    void *set;
    uint64_t seed;
    size_t refused, added;
};

static void push(void *arg)
{
    struct pusher *pusher = arg;
    struct random random = random_from(pusher->seed);
    for (size_t i = scaled(20000); i-- > 0;) {
        const uint64_t key = random_below(&random, RANGE);
        if (random_below(&random, 3) > 0) {
            const int result = pusher->kind->add(pusher->set, key);
            pusher->refused += result == -ENOSPC;
            pusher->added += result == 1;
            if (result != 0 && result != 1 && result != -ENOSPC)
                fault("add answers %d", result);
        } else if (pusher->kind->remove(pusher->set, key) < 0) {
            fault("remove fails");
        }
        if (i % 256 == 0) {
            const int64_t size = pusher->kind->size(pusher->set);
            if (size > MOST)
                fault("%" PRId64 " keys in a set of %d at most", size, MOST);
        }
    }
}

TEST_BOTH(guard, no_thread_gets_a_key_too_many_in)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct lfset_observe observe = LFSET_OBSERVE_INIT;
        observe.strategy = LFSET_GUARD_REFUSE;
        observe.max_keys = MOST;
        struct lfset_options options = LFSET_OPTIONS_INIT;
        options.domain = domain;
        options.observe = &observe;
        void *set;
        CHECK_EQ(kinds[k].create(&set, &options), 0);
        struct pusher pushers[THREADS];
        for (size_t i = 0; i < THREADS; i++)
            pushers[i] = (struct pusher){.kind = &kinds[k], .set = set, .seed = k * THREADS + i};
        crew_run(THREADS, push, pushers, sizeof *pushers);
        check_faults();
        size_t refused = 0;
        for (size_t i = 0; i < THREADS; i++)
            refused += pushers[i].refused;
        CHECK(refused > 0, "%s: nothing was ever refused: the test tests nothing", kinds[k].name);

        /* At rest the limit is to the key, whatever happened before. */
        for (uint64_t key = 0; key < RANGE; key++)
            (void)kinds[k].add(set, key);
        CHECK_EQ(kinds[k].size(set), MOST);
        for (uint64_t key = 0; key < RANGE; key++)
            (void)kinds[k].remove(set, key);
        for (uint64_t key = 0; key < RANGE; key++)
            CHECK_EQ(kinds[k].add(set, key), key < MOST ? 1 : -ENOSPC);
        CHECK_EQ(kinds[k].destroy(set), 0);
    }
}

/* ---- max_bytes ---- */

TEST_BOTH(guard, bytes_are_refused_until_they_are_free)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.strategy = LFSET_GUARD_REFUSE;
    observe.max_bytes = 100000;
    struct guarded guarded;
    guarded_begin(&guarded, domain, &observe);
    add_keys(guarded.set, 0, 100);
    expect(&guarded, 1, NULL, 0);
    add_keys(guarded.set, 100, 20000); /* by looks alone: adds go on until then */
    CHECK_EQ(lfset_barrier(), 0);
    EXPECT(&guarded, 2, LFSET_EVENT_LIMIT);
    CHECK_EQ(last_event(&guarded)->severity, LFSET_ERROR);
    CHECK_EQ(last_event(&guarded)->limit, 100000);
    CHECK(last_event(&guarded)->value >= 20000 * 8, "%.0f bytes", last_event(&guarded)->value);
    CHECK_EQ(lfset_u64_add(guarded.set, 20000), -ENOSPC);
    CHECK_EQ(lfset_u64_add(guarded.set, 1), 0);
    CHECK_EQ(lfset_u64_remove(guarded.set, 1), 1);
    CHECK_EQ(lfset_u64_clear(guarded.set, NULL), 19999);
    CHECK_EQ(lfset_barrier(), 0);
    EXPECT(&guarded, 3, LFSET_EVENT_LIMIT, LFSET_EVENT_LIMIT_END);
    CHECK_EQ(lfset_u64_add(guarded.set, 20000), 1);
    set_end(guarded.set, NULL);
}

/* ---- max_rate ---- */

TEST(guard, a_rate_is_told_once)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.max_rate = 100;
    struct guarded guarded;
    guarded_begin(&guarded, LFSET_RCU, &observe);
    uint64_t keys = 0;
    for (unsigned second = 1; second <= 30; second++) { /* at the limit, not above */
        add_keys(guarded.set, keys, keys + 100);
        keys += 100;
        expect(&guarded, second, NULL, 0);
    }
    for (unsigned second = 31; second <= 60; second++) {
        add_keys(guarded.set, keys, keys + 150);
        keys += 150;
        look_at_second(&guarded.options, second);
    }
    EXPECT(&guarded, 60, LFSET_EVENT_RATE);
    CHECK(last_event(&guarded)->value > 100 && last_event(&guarded)->value <= 150,
          "%.0f keys a second", last_event(&guarded)->value);
    CHECK_EQ(last_event(&guarded)->limit, 100);
    for (unsigned second = 61; second <= 90; second++)
        look_at_second(&guarded.options, second);
    EXPECT(&guarded, 90, LFSET_EVENT_RATE, LFSET_EVENT_RATE_END);
    remove_keys(guarded.set, 0, 1000); /* a fall is no growth */
    EXPECT(&guarded, 91, LFSET_EVENT_RATE, LFSET_EVENT_RATE_END);
    set_end(guarded.set, NULL);
}

TEST(guard, a_rate_is_refused_until_it_is_made_up_for)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.strategy = LFSET_GUARD_REFUSE;
    observe.max_rate = 100;
    struct guarded guarded;
    guarded_begin(&guarded, LFSET_RCU, &observe);
    expect(&guarded, 0, NULL, 0);
    add_keys(guarded.set, 0, 3000);
    EXPECT(&guarded, 2, LFSET_EVENT_RATE);
    CHECK_EQ(last_event(&guarded)->severity, LFSET_ERROR);
    for (unsigned second = 3; second < 32; second++) { /* 3000 keys are too many until then */
        EXPECT(&guarded, second, LFSET_EVENT_RATE);
        CHECK_EQ(lfset_u64_add(guarded.set, 3000), -ENOSPC);
    }
    EXPECT(&guarded, 32, LFSET_EVENT_RATE, LFSET_EVENT_RATE_END);
    CHECK_EQ(lfset_u64_add(guarded.set, 3000), 1);
    set_end(guarded.set, NULL);
}

/* ---- idleness ---- */

TEST_BOTH(guard, idleness_is_told_once)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.idle_timeout_ns = 10 * UINT64_C(1000000000);
    struct guarded guarded;
    guarded_begin(&guarded, domain, &observe);
    for (unsigned second = 0; second < 30; second++) /* empty */
        expect(&guarded, second, NULL, 0);
    add_keys(guarded.set, 0, 3);
    for (unsigned second = 30; second < 40; second++) {
        CHECK_EQ(lfset_u64_contains(guarded.set, 1), 1); /* changes nothing */
        CHECK_EQ(lfset_u64_add(guarded.set, 1), 0);
        expect(&guarded, second, NULL, 0);
    }
    for (unsigned second = 40; second < 60; second++)
        EXPECT(&guarded, second, LFSET_EVENT_IDLE);
    CHECK_EQ(last_event(&guarded)->value, 10);
    CHECK_EQ(last_event(&guarded)->limit, 10);
    CHECK_EQ(lfset_u64_remove(guarded.set, 1), 1);
    CHECK_EQ(lfset_u64_add(guarded.set, 1), 1);
    for (unsigned second = 60; second < 70; second++)
        EXPECT(&guarded, second, LFSET_EVENT_IDLE);
    EXPECT(&guarded, 70, LFSET_EVENT_IDLE, LFSET_EVENT_IDLE);
    CHECK_EQ(lfset_u64_size(guarded.set, NULL), 3);
    set_end(guarded.set, NULL);
}

TEST(guard, idleness_of_a_set_that_is_not_counted)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.flags = 0;
    observe.idle_timeout_ns = 10 * UINT64_C(1000000000);
    struct guarded guarded;
    guarded_begin(&guarded, LFSET_RCU, &observe);
    add_keys(guarded.set, 0, 1000);
    expect(&guarded, 1, NULL, 0);
    EXPECT(&guarded, 11, LFSET_EVENT_IDLE);
    set_end(guarded.set, NULL);
}

/* ---- eviction ---- */

TEST_BOTH(guard, an_idle_set_is_cleared)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.strategy = LFSET_GUARD_EVICT;
    observe.idle_timeout_ns = 10 * UINT64_C(1000000000);
    struct guarded guarded;
    guarded_begin(&guarded, domain, &observe);
    add_keys(guarded.set, 0, 3);
    expect(&guarded, 0, NULL, 0);
    CHECK_EQ(lfset_u64_size(guarded.set, NULL), 3);
    EXPECT(&guarded, 10, LFSET_EVENT_IDLE, LFSET_EVENT_EVICTED);
    CHECK_EQ(last_event(&guarded)->value, 3);
    CHECK_EQ(lfset_u64_size(guarded.set, NULL), 0);
    EXPECT(&guarded, 100, LFSET_EVENT_IDLE, LFSET_EVENT_EVICTED);
    set_end(guarded.set, NULL);
}

TEST_BOTH(guard, a_set_at_its_limit_is_cleared)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.strategy = LFSET_GUARD_EVICT;
    observe.max_keys = 100;
    observe.max_bytes = 1000000;
    struct guarded guarded;
    guarded_begin(&guarded, domain, &observe);
    add_keys(guarded.set, 0, 99);
    expect(&guarded, 1, NULL, 0);
    add_keys(guarded.set, 99, 130);
    EXPECT(&guarded, 2, LFSET_EVENT_LIMIT, LFSET_EVENT_EVICTED);
    CHECK_EQ(last_event(&guarded)->value, 130);
    CHECK_EQ(last_event(&guarded)->limit, 100);
    CHECK_EQ(lfset_u64_size(guarded.set, NULL), 0);
    EXPECT(&guarded, 3, LFSET_EVENT_LIMIT, LFSET_EVENT_EVICTED, LFSET_EVENT_LIMIT_END);
    set_end(guarded.set, NULL);
}

/* ---- forecasts ---- */

/* What the only listed set's record says: seconds until a limit. */
static double recorded_to_limit(double *slope)
{
    struct lfset__about *about = lfset__registry_next(NULL);
    CHECK(about != NULL, "the set is not listed");
    double to_limit;
    memcpy(&to_limit, &about->record->to_limit, sizeof to_limit);
    memcpy(slope, &about->record->slope, sizeof *slope);
    lfset__registry_unpin(about);
    return to_limit;
}

static void grow_and_look(struct guarded *guarded, uint64_t *keys, unsigned per_look,
                          unsigned *second, unsigned looks)
{
    for (; looks > 0; looks--) {
        add_keys(guarded->set, *keys, *keys + per_look);
        *keys += per_look;
        *second += 20;
        look_at_second(&guarded->options, *second);
    }
}

TEST(guard, a_leak_is_announced_once_and_withdrawn)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.max_keys = 100000;
    struct guarded guarded;
    guarded_begin(&guarded, LFSET_RCU, &observe);
    uint64_t keys = 0;
    unsigned second = 0;
    grow_and_look(&guarded, &keys, 100, &second, 60); /* 20 minutes: too short to say anything */
    CHECK_EQ(guarded.events.count, 0);
    grow_and_look(&guarded, &keys, 100, &second, 60); /* 40 minutes: the limit is 5 hours away */
    double slope;
    CHECK(isnan(recorded_to_limit(&slope)), "a limit is told too far ahead");
    CHECK(fabs(slope - 5) < 0.01, "the slope is %g keys a second, should be 5", slope);
    grow_and_look(&guarded, &keys, 100, &second, 740); /* 86,000 keys: in 47 minutes */
    CHECK_EQ(guarded.events.count, 1);
    const struct lfset_event *event = last_event(&guarded);
    CHECK_EQ(event->kind, LFSET_EVENT_FORECAST);
    CHECK_EQ(event->limit, 100000);
    const double truth = (100000 - event->value) / 5; /* keys a second */
    CHECK(event->seconds <= 3600 && fabs(event->seconds - truth) < 60,
          "told: in %.0f s, truth: %.0f s", event->seconds, truth);
    CHECK(event->confidence > 0.9 && event->confidence <= 1, "confidence %g", event->confidence);
    CHECK_EQ(lfset_u64_clear(guarded.set, NULL), (int64_t)keys);
    for (unsigned look = 1; look < 6; look++) /* two minutes */
        look_at_second(&guarded.options, second + 20 * look);
    EXPECT(&guarded, second + 120, LFSET_EVENT_FORECAST, LFSET_EVENT_FORECAST_END);
    set_end(guarded.set, NULL);
}

TEST(guard, a_leak_towards_max_bytes_is_announced)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.max_bytes = 1 << 20;
    struct guarded guarded;
    guarded_begin(&guarded, LFSET_RCU, &observe);
    uint64_t keys = 0;
    unsigned second = 0, announced = 0;
    while (events_of(&guarded.events, LFSET_EVENT_LIMIT) == 0) {
        CHECK(keys < 1000000, "the limit was never reached");
        grow_and_look(&guarded, &keys, 50, &second, 1);
        if (!announced && events_of(&guarded.events, LFSET_EVENT_FORECAST) == 1)
            announced = second;
    }
    CHECK(announced > 0 && second - announced >= 20 * 60, "announced %u s before, at %u s",
          announced ? second - announced : 0, second);
    CHECK_EQ(guarded.events.kept[0].limit, 1 << 20);
    const double foretold = guarded.events.kept[0].seconds, truth = second - announced;
    CHECK(fabs(foretold - truth) < truth / 4, "told: in %.0f s, truth: %.0f s", foretold, truth);
    set_end(guarded.set, NULL);
}

TEST(guard, no_limit_no_forecast)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct guarded guarded;
    guarded_begin(&guarded, LFSET_RCU, &observe);
    uint64_t keys = 0;
    unsigned second = 0;
    grow_and_look(&guarded, &keys, 100, &second, 200);
    CHECK_EQ(guarded.events.count, 0);
    double slope;
    const double to_limit = recorded_to_limit(&slope);
    CHECK(fabs(slope - 5) < 0.01, "the slope is %g keys a second, should be 5", slope);
    CHECK(isnan(to_limit), "%g s to no limit", to_limit);
    set_end(guarded.set, NULL);
}

/* ---- without memory ---- */

TEST(guard, without_memory)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.max_keys = 10;
    observe.strategy = LFSET_GUARD_EVICT;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.allocator = &memory.hook;
    options.observe = &observe;
    struct guarded guarded;
    events_init(&guarded.events);
    guarded.options = guard_options(&guarded.events);
    CHECK_EQ(lfset_u64_create(&guarded.set, &options), 0);
    add_keys(guarded.set, 0, 10);
    const unsigned long long calls = atomic_load(&memory.calls);
    atomic_store(&memory.fail_at, calls + 1); /* what the guard remembers */
    expect(&guarded, 1, NULL, 0);
    atomic_store(&memory.fail_at, calls + 3); /* the clear's slice */
    EXPECT(&guarded, 2, LFSET_EVENT_LIMIT);
    CHECK_EQ(lfset_u64_size_estimate(guarded.set), 10);
    memory_heal(&memory);
    EXPECT(&guarded, 3, LFSET_EVENT_LIMIT, LFSET_EVENT_EVICTED);
    set_end(guarded.set, &memory);
}

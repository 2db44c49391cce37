// SPDX-License-Identifier: MIT
/* Keys that leave when they have not been added for a while. Time is that of the looks, made up. */
#include "watch_support.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "lfset/bitmap.h"
#include "lfset/bytes.h"
#include "lfset/obj.h"

enum { EXPIRY = 32, WIDTH = EXPIRY / 16 }; /* seconds */

struct expiring {
    enum lfset_kind kind;
    void *set;
    struct lfset_watch_options options;
};

static int expiring_create(struct expiring *expiring, enum lfset_kind kind,
                           const struct lfset_allocator *allocator, enum lfset_domain domain)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.expiry_ns = EXPIRY * UINT64_C(1000000000);
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.allocator = allocator;
    options.observe = &observe;
    expiring->kind = kind;
    expiring->options = watch_options(NULL);
    expiring->set = NULL;
    struct lfset_u64 *u64 = NULL;
    struct lfset_bytes *bytes = NULL;
    struct lfset_bitmap *bitmap = NULL;
    int error = 0;
    if (kind == LFSET_KIND_U64) {
        error = lfset_u64_create(&u64, &options);
        expiring->set = u64;
    } else if (kind == LFSET_KIND_BYTES) {
        error = lfset_bytes_create(&bytes, &options);
        expiring->set = bytes;
    } else {
        error = lfset_bitmap_create(&bitmap, &options);
        expiring->set = bitmap;
    }
    return error;
}

static void expiring_end(struct expiring *expiring)
{
    CHECK_EQ(expiring->kind == LFSET_KIND_U64     ? lfset_u64_destroy(expiring->set)
             : expiring->kind == LFSET_KIND_BYTES ? lfset_bytes_destroy(expiring->set)
                                                  : lfset_bitmap_destroy(expiring->set),
             0);
}

/* As strings, keys differ in length, too. */
static size_t length_of(uint64_t key)
{
    return 8 + key % 50;
}

static const void *string_of(uint64_t key, char *buffer)
{
    memset(buffer, 'x', 64);
    memcpy(buffer, &key, sizeof key);
    return buffer;
}

static int add(const struct expiring *expiring, uint64_t key)
{
    char buffer[64];
    return expiring->kind == LFSET_KIND_U64 ? lfset_u64_add(expiring->set, key)
           : expiring->kind == LFSET_KIND_BITMAP
               ? lfset_bitmap_add(expiring->set, key)
               : lfset_bytes_add(expiring->set, string_of(key, buffer), length_of(key));
}

static int remove_key(const struct expiring *expiring, uint64_t key)
{
    char buffer[64];
    return expiring->kind == LFSET_KIND_U64 ? lfset_u64_remove(expiring->set, key)
           : expiring->kind == LFSET_KIND_BITMAP
               ? lfset_bitmap_remove(expiring->set, key)
               : lfset_bytes_remove(expiring->set, string_of(key, buffer), length_of(key));
}

static int contains(const struct expiring *expiring, uint64_t key)
{
    char buffer[64];
    return expiring->kind == LFSET_KIND_U64 ? lfset_u64_contains(expiring->set, key)
           : expiring->kind == LFSET_KIND_BITMAP
               ? lfset_bitmap_contains(expiring->set, key)
               : lfset_bytes_contains(expiring->set, string_of(key, buffer), length_of(key));
}

static const enum lfset_kind kinds[] = {LFSET_KIND_U64, LFSET_KIND_BYTES, LFSET_KIND_BITMAP};

/* ---- */

TEST(expiry, not_of_objects)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    observe.expiry_ns = 1;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.observe = &observe;
    static const struct lfset_obj_type type;
    struct lfset_obj *set = NULL;
    CHECK_EQ(lfset_obj_create(&set, &type, &options), -EINVAL);
}

/* Random adds and removals, and a look after each second, or a period of several: every key stays as long as
 * it was promised, and no longer. */
static void check_times(enum lfset_kind kind, enum lfset_domain domain, unsigned period)
{
    enum { KEYS = 200, SECONDS = 400 };
    struct expiring expiring;
    CHECK_EQ(expiring_create(&expiring, kind, NULL, domain), 0);
    struct random random = random_from(kind * 10 + period);
    double touched[KEYS];
    bool there[KEYS] = {false};
    size_t expired = 0;
    look_at_second(&expiring.options, 0);
    for (unsigned second = 1; second < SECONDS; second++) {
        for (size_t i = 0; i < 12; i++) {
            /* the first keys often, the last ones hardly ever */
            const uint64_t key = random_below(&random, 1 + random_below(&random, KEYS));
            if (random_below(&random, 8) == 0) {
                (void)remove_key(&expiring, key);
                there[key] = false;
            } else {
                CHECK_EQ(add(&expiring, key) < 0, 0);
                touched[key] = second - 0.5;
                there[key] = true;
            }
        }
        if (second % period == 0)
            look_at_second(&expiring.options, second);
        for (uint64_t key = 0; key < KEYS; key++) {
            const double age = there[key] ? second - touched[key] : 0;
            const int has = contains(&expiring, key);
            CHECK(has >= 0, "contains answers %d", has);
            CHECK(has == 0 || there[key], "key %" PRIu64 " has come back", key);
            CHECK(has == 1 || !there[key] || age >= EXPIRY, "key %" PRIu64 " left after %g seconds",
                  key, age);
            CHECK(has == 0 || age < EXPIRY + WIDTH + 2 * period,
                  "key %" PRIu64 " is %g seconds old", key, age);
            expired += there[key] && !has;
            there[key] = has == 1;
        }
    }
    CHECK(expired > 100, "%zu keys expired: the test tests nothing", expired);
    struct lfset__about *about = lfset__registry_next(NULL);
    CHECK_EQ(atomic_load(&about->record->expired), expired);
    lfset__registry_unpin(about);
    expiring_end(&expiring);
}

TEST_BOTH(expiry, keys_leave_in_time)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        check_times(kinds[i], domain, 1);
}

TEST(expiry, looks_that_are_rare)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        check_times(kinds[i], LFSET_RCU, 2 * WIDTH + 1);
        check_times(kinds[i], LFSET_HP, EXPIRY + 5);
    }
}

TEST(expiry, a_pause_of_the_watcher)
{
    struct expiring expiring;
    CHECK_EQ(expiring_create(&expiring, LFSET_KIND_U64, NULL, LFSET_RCU), 0);
    for (unsigned second = 0; second < 10; second++)
        look_at_second(&expiring.options, second);
    CHECK_EQ(add(&expiring, 1), 1);
    look_at_second(&expiring.options, 3600); /* closes the bucket only now */
    CHECK_EQ(add(&expiring, 2), 1);
    for (unsigned second = 3601; second < 3600 + EXPIRY; second++) {
        look_at_second(&expiring.options, second);
        CHECK_EQ(contains(&expiring, 1), 1);
    }
    look_at_second(&expiring.options, 5); /* an hour ago: no time at all */
    CHECK_EQ(contains(&expiring, 1), 1);
    look_at_second(&expiring.options, 3600 + EXPIRY);
    CHECK_EQ(contains(&expiring, 1), 0);
    CHECK_EQ(contains(&expiring, 2), 1);
    expiring_end(&expiring);
}

/* ---- threads ---- */

enum { THREADS = 3, HOT = 50, LOOKS = 24, STEP = 4 * WIDTH };

struct keeper {
    struct expiring *expiring;
    uint64_t first;
    atomic_uint rounds;
    atomic_bool *stop;
};

/* Adds its hot keys again and again, and now and then a cold one that nobody adds again. */
static void keep(void *arg)
{
    struct keeper *keeper = arg;
    uint64_t cold = 1000000 * (keeper->first + 1);
    while (!atomic_load(keeper->stop)) {
        for (uint64_t i = 0; i < HOT; i++)
            if (add(keeper->expiring, keeper->first + i) < 0)
                fault("add fails");
        if (atomic_fetch_add(&keeper->rounds, 1) % 64 == 0 && add(keeper->expiring, cold++) != 1)
            fault("a new key was there");
        sched_yield();
    }
}

/* What was added between two looks is still there after the next ones, whatever is being added meanwhile. */
TEST_BOTH(expiry, what_is_in_use_never_leaves)
{
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        struct expiring expiring;
        CHECK_EQ(expiring_create(&expiring, kinds[k], NULL, domain), 0);
        atomic_bool stop = false;
        struct keeper keepers[THREADS];
        for (size_t i = 0; i < THREADS; i++) {
            keepers[i] = (struct keeper){.expiring = &expiring, .first = i * HOT, .stop = &stop};
            atomic_init(&keepers[i].rounds, 0);
        }
        struct crew crew;
        crew_start(&crew, THREADS, keep, keepers, sizeof *keepers);
        for (unsigned look = 0; look < LOOKS; look++) {
            /* each has done a whole round that began after the last look */
            for (size_t i = 0; i < THREADS; i++) {
                const unsigned before = atomic_load(&keepers[i].rounds);
                while (atomic_load(&keepers[i].rounds) - before < 2)
                    sched_yield();
            }
            look_at_second(&expiring.options, look * STEP);
            for (uint64_t key = 0; key < THREADS * HOT; key++)
                if (contains(&expiring, key) != 1)
                    fault("key %" PRIu64 ", in use, left at look %u", key, look);
        }
        atomic_store(&stop, true);
        crew_join(&crew);
        check_faults();
        for (unsigned look = LOOKS; look < LOOKS + 20; look++)
            look_at_second(&expiring.options, look * STEP);
        struct lfset__about *about = lfset__registry_next(NULL);
        CHECK_EQ(lfset__about_live(about), 0);
        CHECK(atomic_load(&about->record->expired) >= THREADS * (HOT + 1), "not all keys expired");
        lfset__registry_unpin(about);
        expiring_end(&expiring);
    }
}

/* An allocator that stops its thread at one allocation, until it is told to go on. */
struct stop {
    struct lfset_allocator hook;
    struct memory memory;
    struct event stopped, go;
    struct expiring *expiring;
};

static __thread unsigned stop_at; /* 0: at none */

static void *stop_alloc(void *ctx, size_t size, size_t align)
{
    struct stop *stop = ctx;
    if (stop_at > 0 && --stop_at == 0) {
        event_signal(&stop->stopped);
        event_wait(&stop->go, 1);
    }
    return stop->memory.hook.alloc(stop->memory.hook.ctx, size, align);
}

static void stop_free(void *ctx, void *ptr, size_t size, size_t align)
{
    struct stop *stop = ctx;
    stop->memory.hook.free(stop->memory.hook.ctx, ptr, size, align);
}

static void add_and_stop(void *arg)
{
    struct stop *stop = arg;
    stop_at = 2; /* a copy for the set, and one for the bucket */
    if (add(stop->expiring, 7) != 1)
        fault("a new key was there");
}

/* An adder that stops between the set and the bucket, while buckets come and go, puts its key into the bucket
 * that is current when it goes on. */
TEST_BOTH(expiry, an_adder_that_stops)
{
    struct expiring expiring;
    struct stop stop = {.expiring = &expiring};
    stop.hook = (struct lfset_allocator){.ctx = &stop, .alloc = stop_alloc, .free = stop_free};
    memory_init(&stop.memory, 0);
    event_init(&stop.stopped);
    event_init(&stop.go);
    CHECK_EQ(expiring_create(&expiring, LFSET_KIND_BYTES, &stop.hook, domain), 0);
    look_at_second(&expiring.options, 0);
    struct crew crew;
    crew_start(&crew, 1, add_and_stop, &stop, sizeof stop);
    event_wait(&stop.stopped, 1);
    unsigned second = 0;
    for (unsigned look = 0; look < 10; look++)
        look_at_second(&expiring.options, second += WIDTH);
    event_signal(&stop.go);
    crew_join(&crew);
    check_faults();
    const unsigned added = second;
    while (second < added + EXPIRY) {
        CHECK(contains(&expiring, 7) == 1, "the key left after %u s", second - added);
        look_at_second(&expiring.options, ++second);
    }
    while (second < added + EXPIRY + WIDTH + 2)
        look_at_second(&expiring.options, ++second);
    CHECK_EQ(contains(&expiring, 7), 0);
    expiring_end(&expiring);
    memory_check_balance(&stop.memory);
}

/* ---- without memory ---- */

TEST_BOTH(expiry, create_without_memory)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct memory memory;
        memory_init(&memory, 0);
        struct expiring expiring;
        int error;
        unsigned long long failed = 0;
        do {
            atomic_store(&memory.calls, 0);
            atomic_store(&memory.fail_at, ++failed);
            error = expiring_create(&expiring, kinds[i], &memory.hook, domain);
            CHECK(error == 0 || error == -ENOMEM, "create answers %d", error);
            CHECK((error == 0) == (expiring.set != NULL), "%d, and a set", error);
        } while (error != 0);
        CHECK(failed > 18, "%llu allocations of a set with 18 buckets", failed - 1);
        memory_heal(&memory);
        CHECK_EQ(add(&expiring, 1), 1);
        expiring_end(&expiring);
        memory_check_balance(&memory);
    }
}

/* Keys whose touch finds no memory, and looks that find none: late, but nothing is lost and nothing stays. */
TEST_BOTH(expiry, keys_leave_though_memory_lacked)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        struct memory memory;
        memory_init(&memory, 0);
        struct expiring expiring;
        CHECK_EQ(expiring_create(&expiring, kinds[i], &memory.hook, domain), 0);
        look_at_second(&expiring.options, 0);
        enum { KEYS = 2000 };
        bool there[KEYS];
        atomic_store(&memory.fail_one_in, 2);
        for (uint64_t key = 0; key < KEYS; key++)
            there[key] = add(&expiring, key << 13) == 1; /* a bitmap's region for each */
        for (unsigned second = 1; second < EXPIRY; second++) {
            /* whatever it finds */
            (void)lfset_watch_look(&expiring.options,
                                   lfset__now_ns() + second * UINT64_C(1000000000));
        }
        memory_heal(&memory);
        size_t count = 0;
        for (uint64_t key = 0; key < KEYS; key++) {
            CHECK_EQ(contains(&expiring, key << 13), there[key]);
            count += there[key];
        }
        CHECK(count > 0, "nothing was added");
        for (unsigned second = 1; second < 3 * EXPIRY; second++)
            look_at_second(&expiring.options, 100000 + second);
        struct lfset__about *about = lfset__registry_next(NULL);
        CHECK_EQ(lfset__about_live(about), 0);
        CHECK_EQ(atomic_load(&about->record->expired), count);
        lfset__registry_unpin(about);
        expiring_end(&expiring);
        memory_check_balance(&memory);
    }
}

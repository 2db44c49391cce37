// SPDX-License-Identifier: MIT
/*
 * The traps of a map used as a set, each closed: what the map does, then what lfset does. The map is the
 * usual one, chained, without or with a mutex; where its trap is undefined behaviour, the interleaving
 * that goes wrong is played step by step in one thread.
 */
#define _GNU_SOURCE
#include "node_support.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "lfset/cancel.h"

/* ---- the usual map ---- */

enum { BUCKETS = 64 };

struct entry {
    struct entry *next;
    uint64_t key;
    void *value;
};

struct map {
    struct entry *buckets[BUCKETS];
    pthread_mutex_t lock;
};

static void map_init(struct map *map)
{
    memset(map, 0, sizeof *map);
    pthread_mutex_init(&map->lock, NULL);
}

static void map_end(struct map *map)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (map->buckets[i] != NULL) {
            struct entry *entry = map->buckets[i];
            map->buckets[i] = entry->next;
            free(entry);
        }
}

static struct entry *map_find(const struct map *map, uint64_t key)
{
    struct entry *entry = map->buckets[key % BUCKETS];
    while (entry != NULL && entry->key != key)
        entry = entry->next;
    return entry;
}

/* A map that was never made reads as an empty one. */
static bool map_contains(struct map *map, uint64_t key)
{
    if (map == NULL)
        return false;
    pthread_mutex_lock(&map->lock);
    const bool found = map_find(map, key) != NULL;
    pthread_mutex_unlock(&map->lock);
    return found;
}

/* Two halves of an add, so that another add can come between them. */
static struct entry *map_add_begin(struct map *map, uint64_t key)
{
    struct entry *entry = malloc(sizeof *entry);
    CHECK(entry != NULL, "no memory for the test");
    *entry = (struct entry){map->buckets[key % BUCKETS], key, NULL};
    return entry;
}

static void map_add_end(struct map *map, struct entry *entry)
{
    map->buckets[entry->key % BUCKETS] = entry;
}

/* As maps do, it stores the new value in place of the old one and tells nothing. */
static void map_put(struct map *map, uint64_t key, void *value)
{
    pthread_mutex_lock(&map->lock);
    struct entry *entry = map_find(map, key);
    if (entry == NULL) {
        entry = map_add_begin(map, key);
        map_add_end(map, entry);
    }
    entry->value = value;
    pthread_mutex_unlock(&map->lock);
}

static void map_remove(struct map *map, uint64_t key)
{
    pthread_mutex_lock(&map->lock);
    for (struct entry **at = &map->buckets[key % BUCKETS]; *at != NULL; at = &(*at)->next)
        if ((*at)->key == key) {
            struct entry *entry = *at;
            *at = entry->next;
            free(entry);
            break;
        }
    pthread_mutex_unlock(&map->lock);
}

/* An iterator keeps the lock while it is under way, so that what it points to stays there. */
struct map_iterator {
    struct map *map;
    size_t bucket;
    struct entry *entry;
};

static struct map_iterator map_iterate(struct map *map)
{
    pthread_mutex_lock(&map->lock);
    return (struct map_iterator){map, 0, NULL};
}

static bool map_next(struct map_iterator *iterator)
{
    if (iterator->entry != NULL)
        iterator->entry = iterator->entry->next;
    while (iterator->entry == NULL && iterator->bucket < BUCKETS)
        iterator->entry = iterator->map->buckets[iterator->bucket++];
    if (iterator->entry == NULL)
        pthread_mutex_unlock(&iterator->map->lock);
    return iterator->entry != NULL;
}

/* ---- concurrent access without a lock ---- */

enum { THREADS = 4 };

struct adder {
    struct lfset_bytes *bytes;
    struct lfset_u64 *u64;
    struct lfset_obj *obj;
    struct ledger *ledger;
    uint64_t id;
    uint64_t count;
};

/* All threads write to the same sets and read what the others write. */
static void adder_body(void *arg)
{
    const struct adder *adder = arg;
    for (uint64_t i = 0; i < adder->count; i++) {
        const uint64_t key = i * THREADS + adder->id;
        if (lfset_u64_add(adder->u64, key) != 1 || number_add(adder->bytes, key) != 1 ||
            obj_add_key(adder->obj, adder->ledger, key) != 1)
            fault("an add of a new key failed");
        if (lfset_u64_contains(adder->u64, key) != 1 || number_contains(adder->bytes, key) != 1 ||
            lfset_obj_contains(adder->obj, PROBE(key)) != 1)
            fault("a key is not there after its add");
        const uint64_t other = i * THREADS + (adder->id + 1) % THREADS;
        if (lfset_u64_contains(adder->u64, other) < 0 || number_contains(adder->bytes, other) < 0 ||
            lfset_obj_contains(adder->obj, PROBE(other)) < 0)
            fault("contains failed");
        if (key % 2 == 1 &&
            (lfset_u64_remove(adder->u64, key) != 1 || number_remove(adder->bytes, key) != 1 ||
             lfset_obj_remove(adder->obj, PROBE(key)) != 1))
            fault("a remove failed");
    }
}

TEST_BOTH(traps, concurrent_access_without_a_lock)
{
    /* The map: two adds that overlap, and one of the two keys is lost. */
    struct map map;
    map_init(&map);
    struct entry *first = map_add_begin(&map, 1);
    struct entry *second = map_add_begin(&map, 1 + BUCKETS);
    map_add_end(&map, first);
    map_add_end(&map, second);
    CHECK(!map_contains(&map, 1), "the map lost nothing: this shows no trap");
    free(first);
    map_end(&map);

    const uint64_t count = scaled(20000);
    struct ledger ledger;
    ledger_init(&ledger, THREADS * count);
    const struct adder common = {bytes_new(domain, 0, 1, NULL),
                                 set_new(domain, 0, 1, NULL),
                                 obj_new(domain, &item_type, NULL),
                                 &ledger,
                                 0,
                                 count};
    struct adder each[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        each[i] = common;
        each[i].id = i;
    }
    crew_run(THREADS, adder_body, each, sizeof *each);
    CHECK_EQ(lfset_u64_size(common.u64, NULL), THREADS * count / 2);
    CHECK_EQ(lfset_bytes_size(common.bytes, NULL), THREADS * count / 2);
    CHECK_EQ(lfset_obj_size(common.obj, NULL), THREADS * count / 2);
    for (uint64_t key = 0; key < THREADS * count; key++) {
        CHECK_EQ(lfset_u64_contains(common.u64, key), key % 2 == 0);
        CHECK_EQ(number_contains(common.bytes, key), key % 2 == 0);
        CHECK_EQ(lfset_obj_contains(common.obj, PROBE(key)), key % 2 == 0);
    }
    set_end(common.u64, NULL);
    bytes_end(common.bytes, NULL);
    obj_end(common.obj, NULL);
    ledger_end(&ledger);
}

/* ---- a NULL set ---- */

TEST(traps, null_set_is_an_error)
{
    /* The map: nobody notices that there is none before something is added (which crashes). */
    CHECK(!map_contains(NULL, 5), "an absent map has keys");

    struct item item = {.key = 5};
    void *object = NULL;
    CHECK_EQ(lfset_u64_contains(NULL, 5), -EINVAL);
    CHECK_EQ(lfset_u64_add(NULL, 5), -EINVAL);
    CHECK_EQ(lfset_u64_remove(NULL, 5), -EINVAL);
    CHECK_EQ(lfset_u64_size(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_is_empty(NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_contains(NULL, "5", 1), -EINVAL);
    CHECK_EQ(lfset_bytes_add(NULL, "5", 1), -EINVAL);
    CHECK_EQ(lfset_bytes_remove(NULL, "5", 1), -EINVAL);
    CHECK_EQ(lfset_bytes_size(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_is_empty(NULL), -EINVAL);
    CHECK_EQ(lfset_obj_contains(NULL, &item), -EINVAL);
    CHECK_EQ(lfset_obj_add(NULL, &item), -EINVAL);
    CHECK_EQ(lfset_obj_remove(NULL, &item), -EINVAL);
    CHECK_EQ(lfset_obj_size(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_is_empty(NULL), -EINVAL);
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_obj_get(NULL, &item, &object), -EINVAL);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_u64_destroy(NULL), 0);
    CHECK_EQ(lfset_bytes_destroy(NULL), 0);
    CHECK_EQ(lfset_obj_destroy(NULL), 0);
}

/* ---- objects behind void pointers ---- */

TEST_BOTH(traps, removed_objects_are_destroyed_exactly_once)
{
    enum { COUNT = 500 };
    struct ledger ledger;
    ledger_init(&ledger, 4 * COUNT);

    /* The map: a value that is replaced or removed is nobody's, and nothing says so. */
    struct map map;
    map_init(&map);
    struct item *forgotten[2] = {item_new(&ledger, 1), item_new(&ledger, 1)};
    map_put(&map, 1, forgotten[0]);
    map_put(&map, 1, forgotten[1]);
    map_remove(&map, 1);
    map_end(&map);
    CHECK_EQ(ledger_destroyed(&ledger), 0);
    item_drop(forgotten[0]); /* the test remembers them */
    item_drop(forgotten[1]);

    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    for (uint64_t key = 0; key < COUNT; key++) {
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
        /* Refused, so that the caller knows that this one is his. */
        CHECK_EQ(obj_add_key(set, &ledger, key), 0);
        if (key % 2 == 0) {
            CHECK_EQ(lfset_obj_remove(set, PROBE(key)), 1);
            CHECK_EQ(lfset_obj_remove(set, PROBE(key)), 0);
        }
    }
    CHECK(lfset_obj_purge(set) >= 0, "purge failed");
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), COUNT / 2);
    obj_end(set, NULL);
    CHECK_EQ(ledger_destroyed(&ledger), COUNT);
    ledger_end(&ledger);
}

/* ---- iterators that nobody finishes ---- */

static int stop_at_once(const void *key, size_t length, void *ctx)
{
    (void)key;
    (void)length;
    ++*(size_t *)ctx;
    return 1;
}

static int stop_at_once_u64(uint64_t key, void *ctx)
{
    (void)key;
    ++*(size_t *)ctx;
    return 1;
}

static int stop_at_once_obj(void *object, void *ctx)
{
    (void)object;
    ++*(size_t *)ctx;
    return 1;
}

static void other_thread_body(void *arg)
{
    const struct adder *adder = arg;
    for (uint64_t key = 1000; key < 3000; key++) {
        if (lfset_u64_add(adder->u64, key) != 1 || number_add(adder->bytes, key) != 1 ||
            obj_add_key(adder->obj, adder->ledger, key) != 1)
            fault("an add failed beside an abandoned iteration");
    }
    if (lfset_u64_clear(adder->u64, NULL) != 3000 ||
        lfset_bytes_clear(adder->bytes, NULL) != 3000 || lfset_obj_clear(adder->obj, NULL) != 3000)
        fault("a clear failed beside an abandoned iteration");
    if (lfset_barrier() != 0)
        fault("barrier failed");
}

TEST_BOTH(traps, abandoned_iteration_holds_nothing_back)
{
    /* The map: an iterator that stops half-way keeps everyone out, for ever. */
    struct map map;
    map_init(&map);
    map_put(&map, 1, NULL);
    map_put(&map, 2, NULL);
    struct map_iterator iterator = map_iterate(&map);
    CHECK(map_next(&iterator), "the map is empty");
    CHECK_EQ(pthread_mutex_trylock(&map.lock), EBUSY);
    while (map_next(&iterator)) /* only its end sets the map free */
        ;
    CHECK_EQ(pthread_mutex_trylock(&map.lock), 0);
    pthread_mutex_unlock(&map.lock);
    map_end(&map);

    struct ledger ledger;
    ledger_init(&ledger, 3000);
    struct memory memory;
    memory_init(&memory, 0);
    struct adder adder = {.bytes = bytes_new(domain, 0, 1, &memory),
                          .u64 = set_new(domain, 0, 1, &memory),
                          .obj = obj_new(domain, &item_type, &memory),
                          .ledger = &ledger};
    const long long empty = atomic_load(&memory.bytes);
    for (uint64_t key = 0; key < 1000; key++) {
        CHECK_EQ(lfset_u64_add(adder.u64, key), 1);
        CHECK_EQ(number_add(adder.bytes, key), 1);
        CHECK_EQ(obj_add_key(adder.obj, &ledger, key), 1);
    }
    size_t visits = 0;
    for (size_t i = 0; i < 100; i++) {
        CHECK_EQ(lfset_u64_each(adder.u64, stop_at_once_u64, &visits, NULL), 1);
        CHECK_EQ(lfset_bytes_each(adder.bytes, stop_at_once, &visits, NULL), 1);
        CHECK_EQ(lfset_obj_each(adder.obj, stop_at_once_obj, &visits, NULL), 1);
    }
    CHECK_EQ(visits, 300);
    /* This thread does nothing more; another one changes the sets and gets all memory back. */
    crew_run(1, other_thread_body, &adder, 0);
    CHECK_EQ(ledger_destroyed(&ledger), 3000);
    CHECK_EQ(garbage(domain).objects, 0);
    const long long after = atomic_load(&memory.bytes);
    CHECK(after <= 20 * empty, "%lld bytes are held by empty sets, new ones take %lld", after,
          empty);
    set_end(adder.u64, NULL);
    bytes_end(adder.bytes, NULL);
    obj_end(adder.obj, NULL);
    memory_check_balance(&memory);
    ledger_end(&ledger);
}

/* ---- cancelling ---- */

struct sleeper {
    struct lfset_bytes *set;
    struct lfset_cancel *cancel;
    struct event started;
    atomic_bool cancelled; /* what the poller looks at */
    atomic_size_t polls;
    int result;
    long switches; /* how often the sleeping thread gave up its processor */
};

static void sleeper_body(void *arg)
{
    struct sleeper *sleeper = arg;
    struct rusage before;
    struct rusage after;
    event_signal(&sleeper->started);
    getrusage(RUSAGE_THREAD, &before);
    sleeper->result = lfset_bytes_wait_present(sleeper->set, "key", 3, sleeper->cancel);
    getrusage(RUSAGE_THREAD, &after);
    sleeper->switches = after.ru_nvcsw - before.ru_nvcsw;
}

/* What one does without waits: look, sleep, look again. */
static void poller_body(void *arg)
{
    struct sleeper *sleeper = arg;
    const struct timespec nap = {0, 1000000};
    while (!atomic_load(&sleeper->cancelled)) {
        atomic_fetch_add(&sleeper->polls, 1);
        nanosleep(&nap, NULL);
    }
}

struct cancelling {
    struct lfset_cancel *cancel;
    size_t visits;
    size_t cancel_at;
};

static int visit_and_cancel(const void *key, size_t length, void *ctx)
{
    (void)key;
    (void)length;
    struct cancelling *cancelling = ctx;
    if (++cancelling->visits == cancelling->cancel_at)
        CHECK_EQ(lfset_cancel_now(cancelling->cancel), 1);
    return 0;
}

/* No time is measured: nothing but the cancellation ends these waits (there is no deadline), the sleeper
 * does not wake before it, and an iteration ends with much left to do. */
TEST_BOTH(traps, cancel_is_prompt)
{
    enum { POLLS = 50, COUNT = 20000 };
    struct sleeper sleeper = {.set = bytes_new(domain, 0, 1, NULL)};
    event_init(&sleeper.started);
    CHECK_EQ(lfset_cancel_create(&sleeper.cancel, NULL, LFSET_NO_DEADLINE), 0);
    struct crew sleepers;
    struct crew pollers;
    crew_start(&sleepers, 1, sleeper_body, &sleeper, 0);
    event_wait(&sleeper.started, 1);
    crew_start(&pollers, 1, poller_body, &sleeper, 0);
    while (atomic_load(&sleeper.polls) < POLLS)
        sched_yield();
    CHECK_EQ(lfset_cancel_now(sleeper.cancel), 1);
    crew_join(&sleepers);
    CHECK_EQ(sleeper.result, -ECANCELED);
    atomic_store(&sleeper.cancelled, true); /* which it will see when its nap is over */
    crew_join(&pollers);
    cr_log_info("the poller woke %zu times, the sleeper %ld", atomic_load(&sleeper.polls),
                sleeper.switches);
    CHECK(sleeper.switches < POLLS / 2, "the sleeper woke %ld times", sleeper.switches);

    /* Cancelled already, also by its parent: none of them begins. */
    struct lfset_cancel *child = NULL;
    CHECK_EQ(lfset_cancel_create(&child, sleeper.cancel, LFSET_NO_DEADLINE), 0);
    CHECK_EQ(lfset_bytes_wait_present(sleeper.set, "key", 3, child), -ECANCELED);
    CHECK_EQ(number_add(sleeper.set, 0), 1);
    CHECK_EQ(lfset_bytes_wait_empty(sleeper.set, child), -ECANCELED);
    lfset_cancel_destroy(child);
    lfset_cancel_destroy(sleeper.cancel);

    for (uint64_t i = 1; i < COUNT; i++)
        CHECK_EQ(number_add(sleeper.set, i), 1);
    struct cancelling cancelling = {.cancel_at = 100};
    CHECK_EQ(lfset_cancel_create(&cancelling.cancel, NULL, LFSET_NO_DEADLINE), 0);
    CHECK_EQ(lfset_bytes_each(sleeper.set, visit_and_cancel, &cancelling, cancelling.cancel),
             -ECANCELED);
    cr_log_info("each went on for %zu visits of %d", cancelling.visits - cancelling.cancel_at,
                COUNT);
    CHECK(cancelling.visits < COUNT / 2, "each went on for %zu visits", cancelling.visits);
    lfset_cancel_destroy(cancelling.cancel);
    bytes_end(sleeper.set, NULL);
}

/* ---- when memory comes back ---- */

TEST_BOTH(traps, memory_returns_at_a_known_point)
{
    enum { COUNT = 100 };
    struct ledger ledger;
    ledger_init(&ledger, 2 * COUNT);

    /* The map: a reader may still have the value, so the remover cannot free it, and leaves it to
     * somebody who comes later, if he comes: a collector, a finalizer. */
    struct map map;
    map_init(&map);
    struct item *uncollected[COUNT];
    for (uint64_t key = 0; key < COUNT; key++) {
        uncollected[key] = item_new(&ledger, key);
        map_put(&map, key, uncollected[key]);
        map_remove(&map, key);
    }
    CHECK_EQ(ledger_destroyed(&ledger), 0);
    for (size_t i = 0; i < COUNT; i++)
        item_drop(uncollected[i]);
    map_end(&map);

    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    for (uint64_t key = 0; key < COUNT; key += 10) {
        CHECK_EQ(lfset_obj_remove(set, PROBE(key)), 1);
        CHECK(lfset_obj_purge(set) >= 0, "purge failed");
        CHECK_EQ(lfset_barrier(), 0);
        /* Here, and not some time. */
        CHECK_EQ(ledger_destroyed(&ledger), key / 10 + 1);
        CHECK(item_destroyed(&ledger, COUNT + key), "another object than the removed one is gone");
    }
    obj_end(set, NULL);
    ledger_end(&ledger);
}

/* ---- add if absent ---- */

struct claimant {
    struct map *map;
    struct lfset_u64 *set;
    pthread_barrier_t *between;
    uint64_t keys;
    size_t claimed; /* keys it believes to have added */
};

/* Looks, and adds what was absent: two operations, each of them under the lock. */
static void claimant_map_body(void *arg)
{
    struct claimant *claimant = arg;
    const bool absent = !map_contains(claimant->map, 1);
    pthread_barrier_wait(claimant->between);
    if (absent) {
        map_put(claimant->map, 1, NULL);
        claimant->claimed++;
    }
}

static void claimant_set_body(void *arg)
{
    struct claimant *claimant = arg;
    for (uint64_t key = 0; key < claimant->keys; key++) {
        const int added = lfset_u64_add(claimant->set, key);
        if (added != 0 && added != 1)
            fault("add answers %d", added);
        claimant->claimed += added == 1;
    }
}

TEST_BOTH(traps, add_if_absent_is_one_operation)
{
    struct claimant each[THREADS];
    pthread_barrier_t between;
    pthread_barrier_init(&between, NULL, THREADS);
    struct map map;
    map_init(&map);
    struct lfset_u64 *set = set_new(domain, 0, 1, NULL);
    const uint64_t keys = scaled(100000);
    for (size_t i = 0; i < THREADS; i++)
        each[i] = (struct claimant){&map, set, &between, keys, 0};

    /* The map: one key, and every thread added it. */
    crew_run(THREADS, claimant_map_body, each, sizeof *each);
    size_t claimed = 0;
    for (size_t i = 0; i < THREADS; i++)
        claimed += each[i].claimed;
    CHECK_EQ(claimed, THREADS);
    map_end(&map);

    for (size_t i = 0; i < THREADS; i++)
        each[i].claimed = 0;
    crew_run(THREADS, claimant_set_body, each, sizeof *each);
    claimed = 0;
    for (size_t i = 0; i < THREADS; i++)
        claimed += each[i].claimed;
    CHECK_EQ(claimed, keys);
    CHECK_EQ(lfset_u64_size(set, NULL), keys);
    set_end(set, NULL);
    pthread_barrier_destroy(&between);
}

/* ---- colliding hashes ---- */

static uint64_t hash_of_few_values(void *ctx, const void *key)
{
    const uint64_t values = *(const uint64_t *)ctx;
    return ((const struct item *)key)->key % values * UINT64_C(0x9e3779b97f4a7c15);
}

TEST_BOTH(traps, colliding_hash_is_not_membership)
{
    enum { COUNT = 100, BITS = 64 };
    /* The map: a bitmap of hashes, which holds a key that nobody added. */
    uint64_t bitmap = 0;
    bitmap |= UINT64_C(1) << (5 % BITS);
    CHECK((bitmap >> ((5 + BITS) % BITS) & 1) == 1, "the bitmap is exact: this shows no trap");

    for (uint64_t values = 1; values <= 4; values++) {
        struct ledger ledger;
        ledger_init(&ledger, 10 * COUNT);
        struct lfset_obj_type type = item_type;
        uint64_t ctx = values;
        type.ctx = &ctx;
        type.hash = hash_of_few_values;
        struct lfset_obj *set = obj_new(domain, &type, NULL);
        for (uint64_t key = 0; key < COUNT; key++) {
            CHECK_EQ(lfset_obj_contains(set, PROBE(key)), 0);
            CHECK_EQ(obj_add_key(set, &ledger, key), 1);
            CHECK_EQ(obj_add_key(set, &ledger, key), 0);
        }
        for (uint64_t key = 0; key < 2 * COUNT; key++)
            CHECK_EQ(lfset_obj_contains(set, PROBE(key)), key < COUNT);
        for (uint64_t key = 0; key < COUNT; key += 2)
            CHECK_EQ(lfset_obj_remove(set, PROBE(key)), 1);
        for (uint64_t key = 0; key < 2 * COUNT; key++)
            CHECK_EQ(lfset_obj_contains(set, PROBE(key)), key < COUNT && key % 2 == 1);
        CHECK_EQ(lfset_obj_size(set, NULL), COUNT / 2);
        obj_end(set, NULL);
        ledger_end(&ledger);
    }
}

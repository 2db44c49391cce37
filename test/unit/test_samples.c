// SPDX-License-Identifier: MIT
/* The table of sampled keys (record/samples.c): with rate 1 it is the set, whatever threads did. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>

#include "lfset/bitmap.h"
#include "lfset/bytes.h"
#include "lfset/obj.h"
#include "lfset/observation.h"
#include "record/samples.h"
#include "support.h"

enum { THREADS = 8, KEYS = 64 };

static struct lfset_options profiled(struct lfset_observe *observe, enum lfset_domain domain,
                                     unsigned rate)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    *observe = (struct lfset_observe)LFSET_OBSERVE_INIT;
    observe->profile_rate = rate;
    options.domain = domain;
    options.name = "profiled";
    options.observe = observe;
    return options;
}

static struct lfset_u64 *u64_new(enum lfset_domain domain, unsigned rate)
{
    struct lfset_observe observe;
    struct lfset_options options = profiled(&observe, domain, rate);
    struct lfset_u64 *set;
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    return set;
}

static struct lfset_bytes *bytes_new(enum lfset_domain domain)
{
    struct lfset_observe observe;
    struct lfset_options options = profiled(&observe, domain, 1);
    struct lfset_bytes *set;
    CHECK_EQ(lfset_bytes_create(&set, &options), 0);
    return set;
}

static struct lfset_observation *observe_now(void)
{
    struct lfset_registry *registry;
    struct lfset_observation *observation;
    CHECK_EQ(lfset_registry_open(&registry, 0), 0);
    CHECK_EQ(lfset_observation_take(registry, &observation), 0);
    lfset_registry_close(registry);
    return observation;
}

static size_t sample_count(void)
{
    struct lfset_observation *observation = observe_now();
    size_t count = observation->sample_count;
    lfset_observation_free(observation);
    return count;
}

/* The samples are the keys of the set, each once and with a stack. */
static void check_samples(const struct lfset_u64 *set)
{
    struct lfset_observation *observation = observe_now();
    CHECK_EQ(observation->samples_lost, 0);
    CHECK_EQ(observation->sample_count, lfset_u64_size((struct lfset_u64 *)(uintptr_t)set, NULL));
    uint64_t *keys = malloc((observation->sample_count + 1) * sizeof *keys);
    for (size_t i = 0; i < observation->sample_count; i++) {
        const struct lfset_sample_seen *sample = &observation->samples[i];
        keys[i] = sample->key;
        CHECK(lfset_u64_contains(set, sample->key), "sampled key %" PRIu64 " is not in the set",
              sample->key);
        CHECK(sample->stack != 0, "key %" PRIu64 " has no stack", sample->key);
        CHECK_EQ(sample->bytes, sizeof(uint64_t));
        CHECK(sample->added_ns > 0 && sample->added_ns <= observation->time_ns,
              "added at no sound time");
    }
    qsort(keys, observation->sample_count, sizeof *keys, compare_keys);
    for (size_t i = 1; i < observation->sample_count; i++) {
        CHECK(keys[i - 1] != keys[i], "key %" PRIu64 " is sampled twice", keys[i]);
    }
    free(keys);
    lfset_observation_free(observation);
}

/* ---- threads on the same keys ------------------------------------------------------------------ */

struct work {
    struct lfset_u64 *numbers;
    struct lfset_bytes *words;
    uint64_t seed;
    size_t operations;
    bool with_clears;
};

static void work_on_numbers(void *arg)
{
    struct work *work = arg;
    struct random random = random_from(work->seed);
    for (size_t i = 0; i < work->operations; i++) {
        uint64_t key = random_below(&random, KEYS), many[4] = {key, key + 1, key + 2, key + 3};
        switch (random_below(&random, 12)) {
        case 0:
            lfset_u64_add_many(work->numbers, many, 4, NULL);
            break;
        case 1:
            lfset_u64_remove_many(work->numbers, many, 4, NULL);
            break;
        case 2:
            lfset_u64_pop(work->numbers, &key);
            break;
        case 3:
            if (work->with_clears && random_below(&random, 8) == 0) {
                lfset_u64_clear(work->numbers, NULL);
            }
            break;
        default:
            (void)(random_below(&random, 2) ? lfset_u64_add : lfset_u64_remove)(work->numbers, key);
        }
    }
}

static void run_on_numbers(enum lfset_domain domain, bool with_clears)
{
    struct work works[THREADS];
    struct lfset_u64 *set = u64_new(domain, 1);
    for (uint64_t round = 0; round < 10; round++) {
        for (unsigned i = 0; i < THREADS; i++) {
            works[i] = (struct work){.numbers = set,
                                     .seed = round * THREADS + i,
                                     .operations = scaled(2000),
                                     .with_clears = with_clears};
        }
        crew_run(THREADS, work_on_numbers, works, sizeof *works);
        check_samples(set);
    }
    set_end(set, NULL);
    CHECK_EQ(sample_count(), 0);
}

TEST_BOTH(samples, are_the_set)
{
    run_on_numbers(domain, false);
}

TEST_BOTH(samples, are_the_set_with_clears)
{
    run_on_numbers(domain, true);
}

static void work_on_words(void *arg)
{
    struct work *work = arg;
    struct random random = random_from(work->seed);
    for (size_t i = 0; i < work->operations; i++) {
        uint64_t key = random_below(&random, KEYS);
        (void)(random_below(&random, 2) ? lfset_bytes_add : lfset_bytes_remove)(work->words, &key,
                                                                                sizeof key);
    }
}

/* A set that cannot tell by a fingerprint: its notes are balanced. */
TEST_BOTH(samples, are_balanced)
{
    struct work works[THREADS];
    struct lfset_bytes *set = bytes_new(domain);
    for (unsigned i = 0; i < THREADS; i++) {
        works[i] = (struct work){.words = set, .seed = i, .operations = scaled(5000)};
    }
    crew_run(THREADS, work_on_words, works, sizeof *works);
    CHECK_EQ(sample_count(), lfset_bytes_size(set, NULL));
    for (uint64_t key = 0; key < KEYS; key++) {
        lfset_bytes_remove(set, &key, sizeof key);
    }
    CHECK_EQ(sample_count(), 0);
    lfset_bytes_destroy(set);
}

/* ---- operations of one thread ------------------------------------------------------------------ */

TEST_BOTH(samples, follow_whole_sets)
{
    struct lfset_u64 *set = u64_new(domain, 1);
    struct lfset_u64_snapshot *snapshot;
    for (uint64_t key = 0; key < 100; key++) {
        lfset_u64_add(set, key);
    }
    check_samples(set);
    CHECK_EQ(lfset_u64_drain(set, &snapshot, NULL), 0);
    check_samples(set);
    CHECK_EQ(sample_count(), 0);
    CHECK_EQ(lfset_u64_apply_snapshot(set, LFSET_UNION, snapshot, NULL), 100);
    check_samples(set);
    lfset_u64_snapshot_destroy(snapshot);
    CHECK_EQ(lfset_u64_clear(set, NULL), 100);
    CHECK_EQ(sample_count(), 0);
    lfset_u64_add(set, 7);
    CHECK_EQ(sample_count(), 1);
    CHECK_EQ(lfset_u64_destroy(set), 0);
    CHECK_EQ(sample_count(), 0);
}

TEST_BOTH(samples, follow_ranges)
{
    struct lfset_observe observe;
    struct lfset_options options = profiled(&observe, domain, 1);
    struct lfset_bitmap *set;
    CHECK_EQ(lfset_bitmap_create(&set, &options), 0);
    for (uint64_t key = 0; key < 300; key++) {
        lfset_bitmap_add(set, key);
    }
    CHECK_EQ(sample_count(), 300);
    lfset_bitmap_remove_range(set, 100, 199, NULL);
    CHECK_EQ(sample_count(), 200);
    uint64_t popped;
    CHECK_EQ(lfset_bitmap_pop(set, &popped), 1);
    CHECK_EQ(sample_count(), 199);
    lfset_bitmap_destroy(set);
    CHECK_EQ(sample_count(), 0);
}

TEST(samples, are_one_in_so_many)
{
    struct lfset_u64 *set = u64_new(LFSET_RCU, 16);
    for (uint64_t key = 0; key < 16000; key++) {
        lfset_u64_add(set, key);
    }
    size_t count = sample_count();
    // which keys are sampled depends on the keys alone
    CHECK(count > 800 && count < 1200, "%zu of 16000 keys were sampled at a rate of 16", count);
    for (uint64_t key = 0; key < 16000; key++) {
        lfset_u64_remove(set, key);
    }
    CHECK_EQ(sample_count(), 0);
    set_end(set, NULL);
}

TEST(samples, are_not_taken_unasked)
{
    struct lfset_u64 *set = u64_new(LFSET_RCU, 0);
    for (uint64_t key = 0; key < 1000; key++) {
        lfset_u64_add(set, key);
    }
    CHECK_EQ(sample_count(), 0);
    set_end(set, NULL);
}

static int u64_change(void *set, bool add, uint64_t key)
{
    return add ? lfset_u64_add(set, key) : lfset_u64_remove(set, key);
}

static int bytes_change(void *set, bool add, uint64_t key)
{
    return add ? lfset_bytes_add(set, &key, sizeof key) : lfset_bytes_remove(set, &key, sizeof key);
}

/* What does not fit is counted, what fitted stays, and what was lost leaves nothing wrong behind. */
static void overfill(void *set, int (*change)(void *set, bool add, uint64_t key))
{
    enum { MANY = LFSET__SAMPLES + 5000, FEW = 100 };
    for (uint64_t key = 0; key < MANY; key++) {
        CHECK_EQ(change(set, true, key), 1);
    }
    struct lfset_observation *observation = observe_now();
    uint64_t count = observation->sample_count, lost = observation->samples_lost;
    lfset_observation_free(observation);
    CHECK_EQ(count + lost, MANY);
    CHECK(count > LFSET__SAMPLES / 10 * 9, "only %" PRIu64 " fitted", count);
    for (uint64_t key = 0; key < MANY; key++) {
        CHECK_EQ(change(set, false, key), 1);
    }
    CHECK_EQ(sample_count(), 0);
    for (uint64_t key = MANY - FEW; key < MANY; key++) { // these were lost, or most of them
        CHECK_EQ(change(set, true, key), 1);
    }
    observation = observe_now();
    CHECK_EQ(observation->sample_count, FEW);
    CHECK_EQ(observation->samples_lost, lost);
    lfset_observation_free(observation);
}

TEST(samples, that_do_not_fit_are_counted)
{
    struct lfset_u64 *set = u64_new(LFSET_RCU, 1);
    overfill(set, u64_change);
    set_end(set, NULL);
}

TEST(samples, that_do_not_fit_are_counted_and_balanced)
{
    struct lfset_bytes *set = bytes_new(LFSET_HP);
    overfill(set, bytes_change);
    CHECK_EQ(lfset_bytes_destroy(set), 0);
}

/* ---- notes in any order ------------------------------------------------------------------------ */

static bool is_there;

static int tell(struct lfset__about *about, uint64_t fingerprint)
{
    (void)about;
    (void)fingerprint;
    return is_there;
}

static struct lfset__record noted_record = {.id = 1000};

static struct lfset__about noted_set(const struct lfset__about_ops *ops)
{
    CHECK_EQ(lfset__registry_init(), 0);
    return (struct lfset__about){.ops = ops, .record = &noted_record, .listed = true};
}

static int64_t entries(const struct lfset__about *about)
{
    return (int64_t)atomic_load(&about->samples);
}

/* What the table has of a key, whether a reader would call it live or not. */
static int64_t balance_of(uint64_t key)
{
    struct lfset__segment *segment = lfset__segment_now();
    struct lfset__sample *samples =
        (struct lfset__sample *)(void *)((char *)segment + segment->samples.offset);
    for (unsigned i = 0; i < LFSET__SAMPLES; i++) {
        if (atomic_load(&samples[i].set_id) == 1000 && atomic_load(&samples[i].key) == key) {
            return atomic_load(&samples[i].balance);
        }
    }
    return 0;
}

TEST(samples, may_be_removed_first)
{
    static const struct lfset__about_ops ops = {0};
    struct lfset__about about = noted_set(&ops);
    lfset__sample_removed(&about, 5);
    CHECK_EQ(balance_of(5), -1);
    CHECK_EQ(entries(&about), 1);
    lfset__sample_added(&about, 5, 8);
    CHECK_EQ(balance_of(5), 0);
    CHECK_EQ(entries(&about), 0);
    lfset__sample_added(&about, 5, 8);
    CHECK_EQ(balance_of(5), 1);
    lfset__samples_cleared(&about);
    CHECK_EQ(balance_of(5), 0);
    CHECK_EQ(entries(&about), 0);
}

TEST(samples, ask_the_set)
{
    static const struct lfset__about_ops ops = {.contains_fingerprint = tell};
    struct lfset__about about = noted_set(&ops);
    // an add that was cleared before it was noted
    is_there = false;
    lfset__sample_added(&about, 5, 8);
    CHECK_EQ(balance_of(5), 0);
    CHECK_EQ(entries(&about), 0);
    // a remove whose key was added again, which is still to be noted
    is_there = true;
    lfset__sample_removed(&about, 5);
    CHECK_EQ(balance_of(5), 0);
    lfset__sample_added(&about, 5, 8);
    CHECK_EQ(balance_of(5), 1);
    // the same when the add's note came first
    lfset__sample_removed(&about, 5);
    CHECK_EQ(balance_of(5), 1);
    // a key that was added after the clear
    lfset__samples_cleared(&about);
    CHECK_EQ(balance_of(5), 1);
    is_there = false;
    lfset__samples_cleared(&about);
    CHECK_EQ(balance_of(5), 0);
    CHECK_EQ(entries(&about), 0);
}

/* Once, between a look and the lock, a remove of the same key is noted. */
static int tell_and_remove(struct lfset__about *about, uint64_t fingerprint)
{
    int there = is_there;
    if (is_there) {
        is_there = false;
        lfset__sample_removed(about, fingerprint);
    }
    return there;
}

TEST(samples, look_again_when_another_note_was_faster)
{
    static const struct lfset__about_ops ops = {.contains_fingerprint = tell_and_remove};
    struct lfset__about about = noted_set(&ops);
    is_there = true;
    lfset__sample_added(&about, 5, 8);
    CHECK_EQ(balance_of(5), 0);
    CHECK_EQ(entries(&about), 0);
}

TEST(samples, end_with_their_set)
{
    static const struct lfset__about_ops ops = {.contains_fingerprint = tell};
    struct lfset__about about = noted_set(&ops);
    is_there = true;
    lfset__sample_added(&about, 5, 8);
    about.listed = false; // as lfset__about_close leaves it; its keys are still there
    lfset__samples_cleared(&about);
    CHECK_EQ(balance_of(5), 0);
}

/* ---- fork -------------------------------------------------------------------------------------- */

static _Atomic(bool) stop;

static void hammer(void *arg)
{
    struct work *work = arg;
    for (uint64_t key = work->seed; !atomic_load(&stop); key += THREADS) {
        lfset_u64_add(work->numbers, key % 1000 + 1000);
        lfset_u64_remove(work->numbers, key % 1000 + 1000);
    }
}

/* The child's table is its set, but for what other threads had in hand; and no lock is held. */
static const char *check_child(void *arg)
{
    struct lfset_u64 *set = arg;
    for (uint64_t key = 1000; key < 2000; key++) { // what threads may have left
        lfset_u64_add(set, key);
        lfset_u64_remove(set, key);
    }
    for (uint64_t key = 0; key < 50; key++) {
        lfset_u64_remove(set, key);
    }
    struct lfset_registry *registry;
    struct lfset_observation *observation;
    if (lfset_registry_open(&registry, 0) != 0 ||
        lfset_observation_take(registry, &observation) != 0) {
        return "the child cannot observe itself";
    }
    for (size_t i = 0; i < observation->sample_count; i++) {
        if (!lfset_u64_contains(set, observation->samples[i].key)) {
            return "a sampled key is not in the set";
        }
    }
    return observation->sample_count == 50 ? NULL : "the samples are not those of 50 keys";
}

TEST_BOTH(samples, outlive_a_fork)
{
    struct lfset_u64 *set = u64_new(domain, 1);
    for (uint64_t key = 0; key < 100; key++) {
        lfset_u64_add(set, key);
    }
    struct work works[2] = {{.numbers = set, .seed = 0}, {.numbers = set, .seed = 1}};
    struct crew crew;
    crew_start(&crew, 2, hammer, works, sizeof *works);
    for (int i = 0; i < 10; i++) {
        check_in_child(check_child, set);
    }
    atomic_store(&stop, true);
    crew_join(&crew);
    check_samples(set);
    set_end(set, NULL);
}

// SPDX-License-Identifier: MIT
/* What every function of the u64 set answers, one thread at a time. */
#include "support.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- creation and its errors ---- */

static void check_create_fails(const struct lfset_options *options, int error)
{
    int rubbish = 0;
    struct lfset_u64 *set = (struct lfset_u64 *)(void *)&rubbish;
    CHECK_EQ(lfset_u64_create(&set, options), error);
    CHECK(set == NULL, "a failed create left something in *set");
}

TEST(u64, create_with_defaults)
{
    struct lfset_u64 *set = NULL;
    CHECK_EQ(lfset_u64_create(&set, NULL), 0);
    CHECK(set != NULL, "create answered 0 and stored NULL");
    const struct lfset_stats stats = set_stats(set);
    CHECK_EQ(stats.domain, LFSET_RCU);
    CHECK_EQ(stats.live, 0);
    CHECK_EQ(stats.bound, 0);
    CHECK_EQ(stats.slices, 1);
    CHECK(stats.name != NULL && stats.name[0] == '\0', "a set without a name has one");
    CHECK_EQ(lfset_u64_size(set, NULL), 0);
    set_end(set, NULL);
    CHECK_EQ(lfset_u64_destroy(NULL), 0);
}

TEST(u64, create_refuses_bad_options)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    CHECK_EQ(lfset_u64_create(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_create(NULL, &options), -EINVAL);

    const size_t bad_sizes[] = {0, 1, sizeof options - 1, sizeof options + 1, 4096, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++) {
        options.size = bad_sizes[i];
        check_create_fails(&options, -EINVAL);
    }
    options.size = sizeof options;

    const int bad_domains[] = {-1, 2, INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof bad_domains / sizeof *bad_domains; i++) {
        options.domain = (enum lfset_domain)bad_domains[i];
        check_create_fails(&options, -EINVAL);
    }
}

TEST_BOTH(u64, create_refuses_bad_allocators)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    struct lfset_allocator broken = memory.hook;
    options.allocator = &broken;
    broken.alloc = NULL;
    check_create_fails(&options, -EINVAL);
    broken.free = NULL;
    check_create_fails(&options, -EINVAL);
    broken.alloc = memory.hook.alloc;
    check_create_fails(&options, -EINVAL);
    CHECK_EQ(atomic_load(&memory.calls), 0);

    broken = memory.hook;
    atomic_store(&memory.fail_from, 1);
    check_create_fails(&options, -ENOMEM);
    memory_check_balance(&memory);
}

TEST_BOTH(u64, create_refuses_capacities_no_machine_has)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    for (unsigned hooked = 0; hooked < 2; hooked++) {
        options.allocator = hooked == 0 ? NULL : &memory.hook;
        for (unsigned bit = 50; bit < 64; bit++) {
            options.capacity = UINT64_C(1) << bit;
            check_create_fails(&options, -ENOMEM);
            options.capacity = (UINT64_C(1) << bit) - 1 + (UINT64_C(1) << bit);
            check_create_fails(&options, -ENOMEM);
        }
    }
    memory_check_balance(&memory);
}

TEST_BOTH(u64, create_copies_allocator_and_name)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_allocator hook = memory.hook;
    char name[101];
    memset(name, 'n', 100);
    name[100] = '\0';
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.allocator = &hook;
    options.name = name;
    struct lfset_u64 *set = NULL;
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    memset(&hook, 0, sizeof hook);
    memset(name, 'x', 100);

    const struct lfset_stats stats = set_stats(set);
    CHECK_EQ(stats.domain, domain);
    CHECK_EQ(strlen(stats.name), 63);
    CHECK_EQ(strspn(stats.name, "n"), 63);
    for (uint64_t key = 0; key < 1000; key++)
        CHECK_EQ(lfset_u64_add(set, key), 1);
    set_end(set, &memory);

    options.allocator = &memory.hook;
    options.name = "short";
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    CHECK(strcmp(set_stats(set).name, "short") == 0, "the name is %s", set_stats(set).name);
    set_end(set, &memory);
}

TEST(u64, version_is_the_header_s)
{
    char text[64];
    snprintf(text, sizeof text, "%d.%d.%d", LFSET_VERSION_MAJOR, LFSET_VERSION_MINOR,
             LFSET_VERSION_PATCH);
    CHECK(strcmp(lfset_version(), text) == 0, "%s is not %s", lfset_version(), text);
}

/* ---- NULL everywhere else ---- */

static int visit_nothing(uint64_t key, void *ctx)
{
    (void)key;
    (void)ctx;
    return 0;
}

TEST_BOTH(u64, null_arguments)
{
    struct lfset_u64 *set = set_new(domain, 0, 1, NULL);
    const uint64_t keys[3] = {1, 2, 3};
    int8_t results[3];
    uint64_t key = 77;
    uint64_t histogram[4];
    CHECK_EQ(lfset_u64_add(NULL, 1), -EINVAL);
    CHECK_EQ(lfset_u64_remove(NULL, 1), -EINVAL);
    CHECK_EQ(lfset_u64_contains(NULL, 1), -EINVAL);
    CHECK_EQ(lfset_u64_pop(NULL, &key), -EINVAL);
    CHECK_EQ(lfset_u64_pop(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_add_many(NULL, keys, 3, results), -EINVAL);
    CHECK_EQ(lfset_u64_remove_many(NULL, keys, 3, results), -EINVAL);
    CHECK_EQ(lfset_u64_contains_many(NULL, keys, 3, results), -EINVAL);
    CHECK_EQ(lfset_u64_add_many(set, NULL, 3, results), -EINVAL);
    CHECK_EQ(lfset_u64_remove_many(set, NULL, 3, results), -EINVAL);
    CHECK_EQ(lfset_u64_contains_many(set, NULL, 3, results), -EINVAL);
    CHECK_EQ(lfset_u64_add_many(set, NULL, 0, NULL), 0);
    CHECK_EQ(lfset_u64_remove_many(set, NULL, 0, NULL), 0);
    CHECK_EQ(lfset_u64_contains_many(set, NULL, 0, NULL), 0);
    CHECK_EQ(lfset_u64_reserve(NULL, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_size_estimate(NULL), -EINVAL);
    CHECK_EQ(lfset_u64_size(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_is_empty(NULL), -EINVAL);
    CHECK_EQ(lfset_u64_clear(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_each(NULL, visit_nothing, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_each(set, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_validate(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_validate(set, NULL), 1);
    CHECK_EQ(lfset_u64_probe_lengths(NULL, histogram, 4), -EINVAL);
    CHECK_EQ(lfset_u64_probe_lengths(set, NULL, 4), -EINVAL);
    CHECK_EQ(lfset_u64_probe_lengths(set, histogram, 0), -EINVAL);

    int rubbish = 0;
    struct lfset_u64_snapshot *const none = NULL;
    struct lfset_u64_snapshot *snapshot = (struct lfset_u64_snapshot *)(void *)&rubbish;
    CHECK_EQ(lfset_u64_snapshot_take(NULL, &snapshot, NULL), -EINVAL);
    CHECK(snapshot == NULL, "a failed snapshot left something");
    snapshot = (struct lfset_u64_snapshot *)(void *)&rubbish;
    CHECK_EQ(lfset_u64_drain(NULL, &snapshot, NULL), -EINVAL);
    CHECK(snapshot == NULL, "a failed drain left something");
    CHECK_EQ(lfset_u64_snapshot_take(set, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_drain(set, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_snapshot_count(NULL), -EINVAL);
    CHECK_EQ(lfset_u64_snapshot_contains(NULL, 1), -EINVAL);
    CHECK_EQ(lfset_u64_snapshot_each(NULL, visit_nothing, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_snapshot_copy(NULL, &key, 1), -EINVAL);
    lfset_u64_snapshot_destroy(none);

    CHECK_EQ(lfset_u64_add(set, 5), 1);
    CHECK_EQ(lfset_u64_pop(set, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_contains(set, 5), 1);
    CHECK_EQ(key, 77);
    CHECK_EQ(lfset_u64_snapshot_take(set, &snapshot, NULL), 0);
    CHECK_EQ(lfset_u64_snapshot_each(snapshot, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_u64_snapshot_copy(snapshot, NULL, 1), -EINVAL);
    CHECK_EQ(lfset_u64_snapshot_copy(snapshot, NULL, 0), 0);
    lfset_u64_snapshot_destroy(snapshot);
    set_end(set, NULL);
}

TEST_BOTH(u64, stats_need_their_size)
{
    struct lfset_u64 *set = set_new(domain, 0, 1, NULL);
    struct lfset_stats stats = {.size = sizeof stats};
    CHECK_EQ(lfset_u64_stats_read(NULL, &stats), -EINVAL);
    CHECK_EQ(lfset_u64_stats_read(set, NULL), -EINVAL);
    const size_t bad_sizes[] = {0, 1, sizeof stats - 1, sizeof stats + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++) {
        stats.size = bad_sizes[i];
        CHECK_EQ(lfset_u64_stats_read(set, &stats), -EINVAL);
    }
    stats.size = sizeof stats;
    CHECK_EQ(lfset_u64_stats_read(set, &stats), 0);
    CHECK_EQ(stats.size, sizeof stats);
    CHECK_EQ(stats.domain, domain);
    set_end(set, NULL);
}

/* ---- single keys ---- */

enum { MOST_BOUNDARIES = 64 * 8 + 1 };

/* 0, all ones, every single bit and its neighbours, runs of ones from either end. Ascending. */
static size_t boundary_keys(uint64_t keys[MOST_BOUNDARIES])
{
    size_t count = 0;
    keys[count++] = UINT64_MAX;
    for (unsigned bit = 0; bit < 64; bit++) {
        const uint64_t one = UINT64_C(1) << bit;
        const uint64_t more[8] = {one,        one - 1, one + 1,           ~one,
                                  ~(one - 1), one * 7, one | UINT64_C(7), one * UINT64_C(0x8001)};
        for (size_t i = 0; i < 8; i++)
            keys[count++] = more[i];
    }
    qsort(keys, count, sizeof *keys, compare_keys);
    size_t distinct = 1;
    for (size_t i = 1; i < count; i++)
        if (keys[i] != keys[distinct - 1])
            keys[distinct++] = keys[i];
    return distinct;
}

TEST_BOTH(u64, every_boundary_key_alone)
{
    uint64_t keys[MOST_BOUNDARIES];
    const size_t count = boundary_keys(keys);
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct lfset_u64 *set = set_new(domain, 0, seed, NULL);
        for (size_t i = 0; i < count; i++) {
            const uint64_t key = keys[i];
            const uint64_t other = keys[(i + 1) % count];
            CHECK_EQ(lfset_u64_contains(set, key), 0);
            CHECK_EQ(lfset_u64_remove(set, key), 0);
            CHECK_EQ(lfset_u64_add(set, key), 1);
            CHECK_EQ(lfset_u64_add(set, key), 0);
            CHECK_EQ(lfset_u64_contains(set, key), 1);
            CHECK_EQ(lfset_u64_contains(set, other), 0);
            CHECK_EQ(lfset_u64_size(set, NULL), 1);
            CHECK_EQ(lfset_u64_is_empty(set), 0);
            CHECK_EQ(lfset_u64_remove(set, other), 0);
            if (i % 2 == 0) {
                CHECK_EQ(lfset_u64_remove(set, key), 1);
            } else {
                uint64_t popped = ~key;
                CHECK_EQ(lfset_u64_pop(set, &popped), 1);
                CHECK_EQ(popped, key);
            }
            CHECK_EQ(lfset_u64_remove(set, key), 0);
            CHECK_EQ(lfset_u64_contains(set, key), 0);
            CHECK_EQ(lfset_u64_is_empty(set), 1);
        }
        set_end(set, NULL);
    }
}

TEST_BOTH(u64, all_boundary_keys_together)
{
    uint64_t keys[MOST_BOUNDARIES];
    const size_t count = boundary_keys(keys);
    const uint64_t seeds[] = {0, 1, 2, UINT64_C(1) << 63, UINT64_MAX};
    for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++) {
        struct lfset_u64 *set = set_new(domain, 0, seeds[s], NULL);
        for (size_t i = 0; i < count; i++)
            CHECK_EQ(lfset_u64_add(set, keys[i]), 1);
        CHECK_EQ(lfset_u64_size(set, NULL), count);
        for (size_t i = 0; i < count; i++)
            CHECK_EQ(lfset_u64_contains(set, keys[i]), 1);

        struct lfset_u64_snapshot *snapshot = NULL;
        CHECK_EQ(lfset_u64_snapshot_take(set, &snapshot, NULL), 0);
        uint64_t copy[MOST_BOUNDARIES];
        CHECK_EQ(lfset_u64_snapshot_copy(snapshot, copy, MOST_BOUNDARIES), count);
        CHECK(memcmp(copy, keys, count * sizeof *keys) == 0, "the snapshot has other keys");
        lfset_u64_snapshot_destroy(snapshot);

        for (size_t i = 0; i < count; i++) {
            CHECK_EQ(lfset_u64_remove(set, keys[i]), 1);
            CHECK_EQ(lfset_u64_contains(set, keys[i]), 0);
            if (i + 1 < count)
                CHECK_EQ(lfset_u64_contains(set, keys[i + 1]), 1);
        }
        CHECK_EQ(lfset_u64_is_empty(set), 1);
        set_end(set, NULL);
    }
}

TEST_BOTH(u64, pop_takes_every_key_once)
{
    enum { COUNT = 1000 };
    struct lfset_u64 *set = set_new(domain, 0, 3, NULL);
    uint64_t keys[COUNT];
    uint64_t popped[COUNT];
    struct random random = random_from(5);
    random_keys(&random, keys, COUNT);
    uint64_t key = 4711;
    CHECK_EQ(lfset_u64_pop(set, &key), 0);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_EQ(lfset_u64_add(set, keys[i]), 1);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_EQ(lfset_u64_pop(set, &popped[i]), 1);
        CHECK_EQ(lfset_u64_contains(set, popped[i]), 0);
    }
    CHECK_EQ(lfset_u64_pop(set, &key), 0);
    CHECK_EQ(lfset_u64_is_empty(set), 1);
    qsort(popped, COUNT, sizeof *popped, compare_keys);
    CHECK(memcmp(popped, keys, sizeof keys) == 0, "pop gave other keys than were in the set");
    set_end(set, NULL);
}

TEST_BOTH(u64, estimate_is_exact_when_small_and_near_when_large)
{
    struct lfset_u64 *set = set_new(domain, 0, 17, NULL);
    CHECK_EQ(lfset_u64_size_estimate(set), 0);
    for (uint64_t key = 1; key <= 8; key++) {
        CHECK_EQ(lfset_u64_add(set, key), 1);
        CHECK_EQ(lfset_u64_size_estimate(set), key);
    }
    for (uint64_t key = 8; key >= 1; key--) {
        CHECK_EQ(lfset_u64_remove(set, key), 1);
        CHECK_EQ(lfset_u64_size_estimate(set), key - 1);
    }

    /* Seven standard errors of 2.6 / sqrt(size) of the size, that is 2.6 * sqrt(size) keys. */
    uint64_t key = 0;
    for (uint64_t root = 32; root <= 512; root *= 2) {
        const uint64_t size = root * root;
        for (; key < size; key++)
            CHECK_EQ(lfset_u64_add(set, key), 1);
        const int64_t error = lfset_u64_size_estimate(set) - (int64_t)size;
        CHECK(llabs(error) <= (int64_t)(root * 18), "the estimate of %" PRIu64 " errs by %" PRId64,
              size, error);
        CHECK_EQ(lfset_u64_size(set, NULL), size);
    }
    set_end(set, NULL);
}

/* ---- batches ---- */

TEST_BOTH(u64, batches_answer_per_key)
{
    struct lfset_u64 *set = set_new(domain, 0, 11, NULL);
    const uint64_t keys[7] = {5, 9, 5, UINT64_MAX, 0, 9, 5};
    int8_t results[7];
    const int8_t added[7] = {1, 1, 0, 1, 1, 0, 0};
    const int8_t present[7] = {1, 1, 1, 1, 1, 1, 1};
    const int8_t absent[7] = {0, 0, 0, 0, 0, 0, 0};

    CHECK_EQ(lfset_u64_contains_many(set, keys, 7, results), 0);
    CHECK(memcmp(results, absent, 7) == 0, "contains_many of an empty set");
    CHECK_EQ(lfset_u64_remove_many(set, keys, 7, results), 0);
    CHECK(memcmp(results, absent, 7) == 0, "remove_many of an empty set");
    CHECK_EQ(lfset_u64_add_many(set, keys, 7, results), 4);
    CHECK(memcmp(results, added, 7) == 0, "add_many with duplicates");
    CHECK_EQ(lfset_u64_contains_many(set, keys, 7, results), 7);
    CHECK(memcmp(results, present, 7) == 0, "contains_many");
    CHECK_EQ(lfset_u64_remove_many(set, keys, 7, results), 4);
    CHECK(memcmp(results, added, 7) == 0, "remove_many with duplicates");
    CHECK_EQ(lfset_u64_is_empty(set), 1);

    CHECK_EQ(lfset_u64_add_many(set, keys, 7, NULL), 4);
    CHECK_EQ(lfset_u64_contains_many(set, keys, 7, NULL), 7);
    CHECK_EQ(lfset_u64_remove_many(set, keys, 7, NULL), 4);
    CHECK_EQ(lfset_u64_is_empty(set), 1);
    set_end(set, NULL);
}

/* Counts around the batch of 16, results exactly as long as the batch, and growth in between. */
TEST_BOTH(u64, batches_of_every_length)
{
    enum { MOST = 70 };
    for (size_t count = 0; count <= MOST; count++) {
        struct lfset_u64 *set = set_new(domain, 0, count + 1, NULL);
        uint64_t keys[MOST];
        int8_t results[MOST + 1];
        for (size_t i = 0; i < count; i++)
            keys[i] = i * UINT64_C(0x100000001);
        memset(results, 99, sizeof results);
        CHECK_EQ(lfset_u64_add_many(set, keys, count, results), count);
        for (size_t i = 0; i < count; i++)
            CHECK_EQ(results[i], 1);
        CHECK_EQ(results[count], 99);
        CHECK_EQ(lfset_u64_size(set, NULL), count);

        for (size_t i = 0; i < count; i += 3)
            CHECK_EQ(lfset_u64_remove(set, keys[i]), 1);
        CHECK_EQ(lfset_u64_contains_many(set, keys, count, results), count - (count + 2) / 3);
        for (size_t i = 0; i < count; i++)
            CHECK_EQ(results[i], i % 3 != 0);
        CHECK_EQ(results[count], 99);

        CHECK_EQ(lfset_u64_remove_many(set, keys, count, results), count - (count + 2) / 3);
        for (size_t i = 0; i < count; i++)
            CHECK_EQ(results[i], i % 3 != 0);
        CHECK_EQ(results[count], 99);
        CHECK_EQ(lfset_u64_is_empty(set), 1);
        set_end(set, NULL);
    }
}

TEST_BOTH(u64, one_batch_grows_the_set_many_times)
{
    const size_t count = scaled(100000);
    uint64_t *keys = malloc(count * sizeof *keys);
    int8_t *results = malloc(count);
    CHECK(keys != NULL && results != NULL, "no memory for the test");
    struct random random = random_from(21);
    random_keys(&random, keys, count);
    struct lfset_u64 *set = set_new(domain, 0, 4, NULL);
    CHECK_EQ(lfset_u64_add_many(set, keys, count, results), count);
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(results[i], 1);
    CHECK(set_stats(set).grows > 0, "the set did not grow");
    CHECK_EQ(lfset_u64_contains_many(set, keys, count, NULL), count);
    CHECK_EQ(lfset_u64_size(set, NULL), count);
    CHECK_EQ(lfset_u64_remove_many(set, keys, count, NULL), count);
    CHECK_EQ(lfset_u64_is_empty(set), 1);
    set_end(set, NULL);
    free(keys);
    free(results);
}

/* ---- a model: random operations against an array that says which keys are present ---- */

struct model {
    struct lfset_u64 *set;
    struct random random;
    size_t count;
    uint64_t *keys; /* ascending */
    bool *present;
    size_t live;
    bool *visited;
};

static size_t model_find(const struct model *model, uint64_t key)
{
    const uint64_t *found =
        bsearch(&key, model->keys, model->count, sizeof *model->keys, compare_keys);
    CHECK(found != NULL, "the set holds %" PRIu64 ", which was never added", key);
    return (size_t)(found - model->keys);
}

static int model_add(struct model *model, size_t i)
{
    const bool was = model->present[i];
    model->present[i] = true;
    model->live += !was;
    return !was;
}

static int model_remove(struct model *model, size_t i)
{
    const bool was = model->present[i];
    model->present[i] = false;
    model->live -= was;
    return was;
}

static size_t model_draw(struct model *model)
{
    return random_below(&model->random, model->count);
}

static void model_empty(struct model *model)
{
    memset(model->present, 0, model->count * sizeof *model->present);
    model->live = 0;
}

static void model_batch(struct model *model)
{
    enum { MOST = 50 };
    uint64_t keys[MOST];
    size_t index[MOST];
    int8_t results[MOST];
    const size_t count = random_below(&model->random, MOST + 1);
    for (size_t i = 0; i < count; i++) {
        index[i] = i > 0 && random_below(&model->random, 4) == 0 ? index[i - 1] : model_draw(model);
        keys[i] = model->keys[index[i]];
    }
    const uint64_t kind = random_below(&model->random, 3);
    int64_t got = 0;
    if (kind == 0)
        got = lfset_u64_add_many(model->set, keys, count, results);
    else if (kind == 1)
        got = lfset_u64_remove_many(model->set, keys, count, results);
    else
        got = lfset_u64_contains_many(model->set, keys, count, results);
    int64_t want = 0;
    for (size_t i = 0; i < count; i++) {
        const int one = kind == 0   ? model_add(model, index[i])
                        : kind == 1 ? model_remove(model, index[i])
                                    : model->present[index[i]];
        CHECK_EQ(results[i], one);
        want += one;
    }
    CHECK_EQ(got, want);
}

static int model_visit(uint64_t key, void *ctx)
{
    struct model *model = ctx;
    const size_t i = model_find(model, key);
    CHECK(!model->visited[i], "each visited %" PRIu64 " twice", key);
    CHECK(model->present[i], "each visited %" PRIu64 ", which is absent", key);
    model->visited[i] = true;
    return 0;
}

static void model_each(struct model *model)
{
    memset(model->visited, 0, model->count * sizeof *model->visited);
    CHECK_EQ(lfset_u64_each(model->set, model_visit, model, NULL), 0);
    for (size_t i = 0; i < model->count; i++)
        CHECK_EQ(model->visited[i], model->present[i]);
}

static void model_compare(struct model *model, struct lfset_u64_snapshot *snapshot)
{
    CHECK_EQ(lfset_u64_snapshot_count(snapshot), model->live);
    uint64_t *copy = malloc((model->live + 1) * sizeof *copy);
    CHECK(copy != NULL, "no memory for the test");
    CHECK_EQ(lfset_u64_snapshot_copy(snapshot, copy, model->live + 1), model->live);
    size_t next = 0;
    for (size_t i = 0; i < model->count; i++) {
        CHECK_EQ(lfset_u64_snapshot_contains(snapshot, model->keys[i]), model->present[i]);
        if (model->present[i])
            CHECK(copy[next] == model->keys[i], "key %zu of the snapshot is wrong", next);
        next += model->present[i];
    }
    free(copy);
    lfset_u64_snapshot_destroy(snapshot);
}

static void model_whole_set(struct model *model)
{
    struct lfset_u64_snapshot *snapshot = NULL;
    switch (random_below(&model->random, 8)) {
    case 0:
        CHECK_EQ(lfset_u64_size(model->set, NULL), model->live);
        break;
    case 1:
        CHECK_EQ(lfset_u64_is_empty(model->set), model->live == 0);
        break;
    case 2:
        CHECK_EQ(lfset_u64_snapshot_take(model->set, &snapshot, NULL), 0);
        model_compare(model, snapshot);
        break;
    case 3:
        CHECK_EQ(
            lfset_u64_reserve(model->set, random_below(&model->random, 4 * model->count), NULL), 0);
        break;
    case 4:
        model_each(model);
        break;
    case 5:
        if (random_below(&model->random, 4) == 0) {
            CHECK_EQ(lfset_u64_clear(model->set, NULL), model->live);
            model_empty(model);
        }
        break;
    case 6:
        if (random_below(&model->random, 4) == 0) {
            CHECK_EQ(lfset_u64_drain(model->set, &snapshot, NULL), 0);
            model_compare(model, snapshot);
            model_empty(model);
        }
        break;
    default:
        set_check(model->set);
    }
}

static void model_step(struct model *model, unsigned adds_in_ten)
{
    const uint64_t kind = random_below(&model->random, 100);
    const size_t i = model_draw(model);
    const uint64_t key = model->keys[i];
    if (kind < 70) {
        if (random_below(&model->random, 10) < adds_in_ten)
            CHECK_EQ(lfset_u64_add(model->set, key), model_add(model, i));
        else
            CHECK_EQ(lfset_u64_remove(model->set, key), model_remove(model, i));
    } else if (kind < 90) {
        CHECK_EQ(lfset_u64_contains(model->set, key), model->present[i]);
    } else if (kind < 95) {
        model_batch(model);
    } else {
        uint64_t popped = 0;
        CHECK_EQ(lfset_u64_pop(model->set, &popped), model->live > 0);
        /* model->live was not 0, else the check above had failed for an answer of 1 */
        if (model->live > 0)
            CHECK_EQ(model_remove(model, model_find(model, popped)), 1);
    }
}

enum pool { SEQUENCE, ANYTHING, BOUNDARIES, HIGH_BITS };

static void model_run(enum lfset_domain domain, enum pool pool, size_t count, uint64_t seed,
                      uint64_t capacity, size_t steps)
{
    struct memory memory;
    memory_init(&memory, seed % 2 == 0 ? LFSET_ALLOC_ZEROED : 0);
    struct model model = {.random = random_from(seed * 100 + count), .count = count};
    model.keys = malloc((count + MOST_BOUNDARIES) * sizeof *model.keys);
    CHECK(model.keys != NULL, "no memory for the test");
    if (pool == ANYTHING)
        random_keys(&model.random, model.keys, count);
    else if (pool == BOUNDARIES)
        model.count = boundary_keys(model.keys);
    else
        for (size_t i = 0; i < count; i++)
            model.keys[i] = pool == SEQUENCE ? i : (uint64_t)i << 40;
    model.present = calloc(model.count, sizeof *model.present);
    model.visited = calloc(model.count, sizeof *model.visited);
    CHECK(model.present != NULL && model.visited != NULL, "no memory for the test");
    model.set = set_new(domain, capacity, seed, &memory);

    bool inside = false;
    for (size_t step = 0; step < steps; step++) {
        /* Phases that mostly add, then mostly remove, make the set grow and shrink. */
        model_step(&model, (step / (2 * model.count + 50)) % 2 == 0 ? 8 : 2);
        if (random_below(&model.random, 60) == 0)
            model_whole_set(&model);
        if (random_below(&model.random, 200) == 0) {
            CHECK_EQ(inside ? lfset_section_leave() : lfset_section_enter(), 0);
            inside = !inside;
        }
    }
    if (inside)
        CHECK_EQ(lfset_section_leave(), 0);
    model_each(&model);
    CHECK_EQ(lfset_u64_size(model.set, NULL), model.live);
    set_end(model.set, &memory);
    free(model.keys);
    free(model.present);
    free(model.visited);
}

TEST_BOTH(u64, model_small_ranges)
{
    static const size_t counts[] = {1, 2, 3, 8, 40, 300};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (uint64_t seed = 0; seed < 4; seed++)
            model_run(domain, SEQUENCE, counts[c], seed, seed * seed * 30, scaled(6000));
}

TEST_BOTH(u64, model_full_range)
{
    static const size_t counts[] = {5, 100, 3000, 30000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (uint64_t seed = 1; seed < 4; seed++)
            model_run(domain, ANYTHING, counts[c], seed * UINT64_C(0x123456789abcdef),
                      seed == 3 ? 5000 : 0, scaled(25000));
}

TEST_BOTH(u64, model_boundaries_and_high_bits)
{
    for (uint64_t seed = 0; seed < 4; seed++) {
        model_run(domain, BOUNDARIES, 0, seed, 0, scaled(15000));
        model_run(domain, HIGH_BITS, 2000, seed, 0, scaled(15000));
    }
}

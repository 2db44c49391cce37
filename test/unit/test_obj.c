// SPDX-License-Identifier: MIT
/*
 * The set of objects: what its functions answer, who owns what when, how long a reference is good, and
 * what callbacks may do. Every test counts what became of each object (node_support.h).
 */
#include "node_support.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lfset/cancel.h"

/* ---- creation and its errors ---- */

static void check_create_fails(const struct lfset_obj_type *type,
                               const struct lfset_options *options, int error)
{
    int rubbish = 0;
    struct lfset_obj *set = (struct lfset_obj *)(void *)&rubbish;
    CHECK_EQ(lfset_obj_create(&set, type, options), error);
    CHECK(set == NULL, "a failed create left something in *set");
}

TEST(obj, create_refuses_types_that_lack_something)
{
    struct lfset_obj_type type = item_type;
    check_create_fails(NULL, NULL, -EINVAL);
    CHECK_EQ(lfset_obj_create(NULL, &type, NULL), -EINVAL);
    type.hash = NULL;
    check_create_fails(&type, NULL, -EINVAL);
    type = item_type;
    type.equal = NULL;
    check_create_fails(&type, NULL, -EINVAL);
    const struct lfset_obj_type nothing = LFSET_OBJ_TYPE_INIT;
    check_create_fails(&nothing, NULL, -EINVAL);
    type = item_type;
    const size_t bad_sizes[] = {0, 1, sizeof type - 1, sizeof type + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++) {
        type.size = bad_sizes[i];
        check_create_fails(&type, NULL, -EINVAL);
    }
}

TEST_BOTH(obj, create_refuses_bad_options)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.size--;
    check_create_fails(&item_type, &options, -EINVAL);
    options.size++;
    const int bad_domains[] = {-1, 2, INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof bad_domains / sizeof *bad_domains; i++) {
        options.domain = (enum lfset_domain)bad_domains[i];
        check_create_fails(&item_type, &options, -EINVAL);
    }
    options.domain = domain;
    struct lfset_allocator broken = memory.hook;
    options.allocator = &broken;
    broken.alloc = NULL;
    check_create_fails(&item_type, &options, -EINVAL);
    broken = memory.hook;
    broken.free = NULL;
    check_create_fails(&item_type, &options, -EINVAL);
    options.allocator = &memory.hook;
    options.capacity = UINT64_C(1) << 60;
    check_create_fails(&item_type, &options, -ENOMEM);
    memory_check_balance(&memory);
}

/* The type is copied, and lives as long as a snapshot of the set does. */
TEST_BOTH(obj, create_copies_the_type)
{
    struct ledger ledger;
    ledger_init(&ledger, 10);
    struct lfset_obj_type type = item_type;
    struct lfset_obj *set = obj_new(domain, &type, NULL);
    memset(&type, 0, sizeof type);
    CHECK_EQ(obj_add_key(set, &ledger, 5), 1);
    CHECK_EQ(lfset_obj_contains(set, PROBE(5)), 1);
    struct lfset_obj_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_obj_snapshot_take(set, &snapshot, NULL), 0);
    obj_end(set, NULL);
    CHECK_EQ(lfset_obj_snapshot_contains(snapshot, PROBE(5)), 1);
    CHECK_EQ(ledger_destroyed(&ledger), 0);
    lfset_obj_snapshot_destroy(snapshot);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), 1);
    ledger_end(&ledger);
}

/* ---- bad arguments ---- */

static int visit_nothing(void *object, void *ctx)
{
    (void)object;
    (void)ctx;
    return 0;
}

TEST_BOTH(obj, null_arguments)
{
    struct ledger ledger;
    ledger_init(&ledger, 10);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    struct item *item = item_new(&ledger, 5);
    const void *keys[1] = {item};
    void *const objects[1] = {item};
    int8_t result = 9;
    void *object = item;
    uint64_t histogram[4];
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_obj_add(NULL, item), -EINVAL);
    CHECK_EQ(lfset_obj_add(set, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_add_or_get(NULL, item, &object), -EINVAL);
    CHECK_EQ(lfset_obj_add_or_get(set, NULL, &object), -EINVAL);
    CHECK_EQ(lfset_obj_add_or_get(set, item, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_get(NULL, item, &object), -EINVAL);
    CHECK_EQ(lfset_obj_get(set, NULL, &object), -EINVAL);
    CHECK_EQ(lfset_obj_get(set, item, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_pop(NULL, &object), -EINVAL);
    CHECK_EQ(lfset_obj_pop(set, NULL), -EINVAL);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_obj_remove(NULL, item), -EINVAL);
    CHECK_EQ(lfset_obj_remove(set, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_contains(NULL, item), -EINVAL);
    CHECK_EQ(lfset_obj_contains(set, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_add_many(NULL, objects, 1, &result), -EINVAL);
    CHECK_EQ(lfset_obj_add_many(set, NULL, 1, &result), -EINVAL);
    CHECK_EQ(lfset_obj_remove_many(NULL, keys, 1, &result), -EINVAL);
    CHECK_EQ(lfset_obj_remove_many(set, NULL, 1, &result), -EINVAL);
    CHECK_EQ(lfset_obj_contains_many(NULL, keys, 1, &result), -EINVAL);
    CHECK_EQ(lfset_obj_contains_many(set, NULL, 1, &result), -EINVAL);
    CHECK_EQ(lfset_obj_add_many(set, NULL, 0, NULL), 0);
    CHECK_EQ(lfset_obj_remove_many(set, NULL, 0, NULL), 0);
    CHECK_EQ(lfset_obj_contains_many(set, NULL, 0, NULL), 0);
    CHECK_EQ(lfset_obj_reserve(NULL, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_size_estimate(NULL), -EINVAL);
    CHECK_EQ(lfset_obj_size(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_is_empty(NULL), -EINVAL);
    CHECK_EQ(lfset_obj_clear(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_purge(NULL), -EINVAL);
    CHECK_EQ(lfset_obj_each(NULL, visit_nothing, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_each(set, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_remove_if(NULL, visit_nothing, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_remove_if(set, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_validate(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_validate(set, NULL), 1);
    CHECK_EQ(lfset_obj_probe_lengths(NULL, histogram, 4), -EINVAL);
    CHECK_EQ(lfset_obj_probe_lengths(set, NULL, 4), -EINVAL);
    CHECK_EQ(lfset_obj_probe_lengths(set, histogram, 0), -EINVAL);
    struct lfset_stats stats = {.size = 1};
    CHECK_EQ(lfset_obj_stats_read(set, &stats), -EINVAL);
    CHECK_EQ(lfset_obj_stats_read(set, NULL), -EINVAL);
    stats.size = sizeof stats;
    CHECK_EQ(lfset_obj_stats_read(NULL, &stats), -EINVAL);

    int rubbish = 0;
    struct lfset_obj_snapshot *snapshot = (struct lfset_obj_snapshot *)(void *)&rubbish;
    CHECK_EQ(lfset_obj_snapshot_take(NULL, &snapshot, NULL), -EINVAL);
    CHECK(snapshot == NULL, "a failed snapshot left something");
    snapshot = (struct lfset_obj_snapshot *)(void *)&rubbish;
    CHECK_EQ(lfset_obj_drain(NULL, &snapshot, NULL), -EINVAL);
    CHECK(snapshot == NULL, "a failed drain left something");
    CHECK_EQ(lfset_obj_snapshot_take(set, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_drain(set, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_snapshot_count(NULL), -EINVAL);
    CHECK_EQ(lfset_obj_snapshot_contains(NULL, item), -EINVAL);
    CHECK_EQ(lfset_obj_snapshot_each(NULL, visit_nothing, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_snapshot_copy(NULL, &object, 1), -EINVAL);
    lfset_obj_snapshot_destroy(snapshot);
    CHECK_EQ(lfset_obj_destroy(NULL), 0);
    CHECK_EQ(lfset_obj_is_empty(set), 1);
    item_drop(item);
    obj_end(set, NULL);
    ledger_end(&ledger);
}

TEST_BOTH(obj, references_need_a_section)
{
    struct ledger ledger;
    ledger_init(&ledger, 10);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    struct item *item = item_new(&ledger, 5);
    int rubbish = 0;
    void *object = &rubbish;
    CHECK_EQ(obj_add_key(set, &ledger, 6), 1);
    CHECK_EQ(lfset_obj_get(set, PROBE(6), &object), -EPERM);
    CHECK_EQ(lfset_obj_add_or_get(set, item, &object), -EPERM);
    CHECK_EQ(lfset_obj_pop(set, &object), -EPERM);
    CHECK_EQ(lfset_obj_size(set, NULL), 1);
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_obj_get(set, PROBE(7), &object), 0);
    CHECK(object == NULL, "get found nothing and stored something");
    CHECK_EQ(lfset_obj_get(set, PROBE(6), &object), 1);
    CHECK_EQ(((struct item *)object)->key, 6);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_obj_get(set, PROBE(6), &object), -EPERM);
    item_drop(item);
    obj_end(set, NULL);
    ledger_end(&ledger);
}

/* ---- ownership ---- */

TEST_BOTH(obj, accepted_objects_are_destroyed_once_and_refused_ones_never)
{
    enum { COUNT = 2000 };
    struct memory memory;
    memory_init(&memory, 0);
    struct ledger ledger;
    ledger_init(&ledger, 10 * COUNT);
    struct lfset_obj *set = obj_new(domain, &item_type, &memory);
    for (uint64_t key = 0; key < COUNT; key++) {
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
        CHECK_EQ(obj_add_key(set, &ledger, key), 0); /* drops the second */
    }
    CHECK_EQ(ledger_destroyed(&ledger), 0);
    CHECK_EQ(lfset_obj_size(set, NULL), COUNT);
    for (uint64_t key = 0; key < COUNT; key += 2) {
        CHECK_EQ(lfset_obj_remove(set, PROBE(key)), 1);
        CHECK_EQ(lfset_obj_remove(set, PROBE(key)), 0);
        CHECK_EQ(lfset_obj_contains(set, PROBE(key)), 0);
        CHECK_EQ(lfset_obj_contains(set, PROBE(key + 1)), 1);
    }
    CHECK(lfset_obj_purge(set) >= 0, "purge failed");
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), COUNT / 2);
    obj_end(set, &memory);
    CHECK_EQ(ledger_destroyed(&ledger), COUNT);
    ledger_end(&ledger);
}

static void *get_object(struct lfset_obj *set, uint64_t key)
{
    void *object = NULL;
    CHECK_EQ(lfset_obj_get(set, PROBE(key), &object), 1);
    return object;
}

/* The object that was removed must not come back in place of an equal one that was added later. */
TEST_BOTH(obj, adding_after_a_remove_stores_the_new_object)
{
    enum { ROUNDS = 500 };
    struct ledger ledger;
    ledger_init(&ledger, 4 * ROUNDS);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    for (size_t round = 0; round < ROUNDS; round++) {
        struct item *item = item_new(&ledger, round % 3);
        CHECK_EQ(lfset_obj_add(set, item), 1);
        CHECK_EQ(lfset_section_enter(), 0);
        CHECK(get_object(set, round % 3) == item, "round %zu: get gives an older object", round);
        CHECK_EQ(lfset_section_leave(), 0);
        if (round % 7 == 0)
            CHECK_EQ(lfset_obj_size(set, NULL), 1);
        CHECK_EQ(lfset_obj_remove(set, PROBE(round % 3)), 1);
    }
    obj_end(set, NULL);
    CHECK_EQ(ledger_destroyed(&ledger), ROUNDS);
    ledger_end(&ledger);
}

TEST_BOTH(obj, add_or_get_tells_which_object_is_there)
{
    struct ledger ledger;
    ledger_init(&ledger, 10);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    struct item *first = item_new(&ledger, 5);
    struct item *second = item_new(&ledger, 5);
    struct item *third = item_new(&ledger, 5);
    void *present = NULL;
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_obj_add_or_get(set, first, &present), 1);
    CHECK(present == first, "the object that was added is not the one that is there");
    CHECK_EQ(lfset_obj_add_or_get(set, second, &present), 0);
    CHECK(present == first, "not the object that was there");
    CHECK_EQ(lfset_obj_remove(set, second), 1);
    CHECK_EQ(lfset_obj_add_or_get(set, third, &present), 1);
    CHECK(present == third, "the object that was added is not the one that is there");
    CHECK_EQ(lfset_obj_add_or_get(set, second, &present), 0);
    CHECK(present == third, "not the object that was there");
    CHECK(item_intact(first), "the removed object is gone before the section's end");
    CHECK_EQ(lfset_section_leave(), 0);
    item_drop(second);
    obj_end(set, NULL);
    CHECK_EQ(ledger_destroyed(&ledger), 2);
    ledger_end(&ledger);
}

TEST_BOTH(obj, batches_own_what_they_accept)
{
    enum { COUNT = 60 };
    struct ledger ledger;
    ledger_init(&ledger, 4 * COUNT);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    void *objects[COUNT];
    const void *keys[COUNT];
    int8_t results[COUNT];
    for (uint64_t i = 0; i < COUNT; i++)
        objects[i] = item_new(&ledger, i % (COUNT / 2));
    CHECK_EQ(lfset_obj_add_many(set, objects, COUNT, results), COUNT / 2);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_EQ(results[i], i < COUNT / 2);
        if (results[i] != 1)
            item_drop(objects[i]);
    }
    for (uint64_t i = 0; i < COUNT; i++)
        keys[i] = objects[i % (COUNT / 2)];
    CHECK_EQ(lfset_obj_contains_many(set, keys, COUNT, results), COUNT);
    /* The keys are the set's own objects, which the section keeps. */
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_obj_remove_many(set, keys, COUNT / 2, results), COUNT / 2);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_obj_is_empty(set), 1);
    obj_end(set, NULL);
    CHECK_EQ(ledger_destroyed(&ledger), COUNT / 2);
    ledger_end(&ledger);
}

TEST_BOTH(obj, pop_from_a_clone_takes_the_objects_of_the_original)
{
    enum { COUNT = 50 };
    struct ledger ledger;
    ledger_init(&ledger, COUNT);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL), *copy;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    CHECK_EQ(lfset_obj_clone(set, &copy, &options, NULL), 0);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_EQ(lfset_section_enter(), 0);
        void *object = NULL;
        CHECK_EQ(lfset_obj_pop(copy, &object), 1);
        CHECK(item_intact(object), "pop gave something else");
        CHECK_EQ(lfset_obj_contains(copy, object), 0);
        CHECK_EQ(lfset_obj_contains(set, object), 1);
        CHECK_EQ(lfset_section_leave(), 0);
    }
    CHECK_EQ(lfset_obj_size(copy, NULL), 0);
    obj_end(copy, NULL);
    CHECK_EQ(ledger_destroyed(&ledger), 0);
    obj_end(set, NULL);
    ledger_end(&ledger);
}

TEST_BOTH(obj, pop_takes_every_object_once)
{
    enum { COUNT = 1000 };
    struct ledger ledger;
    ledger_init(&ledger, COUNT);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    bool seen[COUNT] = {false};
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_EQ(lfset_section_enter(), 0);
        void *object = NULL;
        CHECK_EQ(lfset_obj_pop(set, &object), 1);
        const struct item *item = object;
        CHECK(item_intact(item) && item->key < COUNT, "pop gave something else");
        CHECK(!seen[item->key], "pop gave key %" PRIu64 " twice", item->key);
        seen[item->key] = true;
        CHECK_EQ(lfset_obj_contains(set, item), 0);
        if (i % 100 == 0)
            CHECK(lfset_obj_purge(set) >= 0, "purge failed");
        CHECK(item_intact(item), "the popped object is gone before the section's end");
        CHECK_EQ(lfset_section_leave(), 0);
    }
    void *object = &ledger;
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_obj_pop(set, &object), 0);
    CHECK_EQ(lfset_section_leave(), 0);
    obj_end(set, NULL);
    CHECK_EQ(ledger_destroyed(&ledger), COUNT);
    ledger_end(&ledger);
}

TEST_BOTH(obj, without_a_destroy_nothing_is_destroyed)
{
    enum { COUNT = 300 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_obj_type type = item_type;
    type.destroy = NULL;
    struct item *items = calloc(COUNT, sizeof *items);
    CHECK(items != NULL, "no memory for the test");
    struct ledger ledger;
    ledger_init(&ledger, COUNT);
    struct lfset_obj *set = obj_new(domain, &type, &memory);
    for (uint64_t key = 0; key < COUNT; key++) {
        struct item *item = item_new(&ledger, key);
        items[key] = *item;
        item_drop(item);
        CHECK_EQ(lfset_obj_add(set, &items[key]), 1);
    }
    for (uint64_t key = 0; key < COUNT; key += 2)
        CHECK_EQ(lfset_obj_remove(set, &items[key]), 1);
    CHECK(lfset_obj_purge(set) >= 0, "purge failed");
    CHECK_EQ(lfset_obj_clear(set, NULL), COUNT / 2);
    CHECK_EQ(lfset_barrier(), 0);
    obj_end(set, &memory);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK(item_intact(&items[key]) && items[key].key == key, "the set changed an object");
    free(items);
    ledger_end(&ledger);
}

/* ---- snapshots ---- */

TEST_BOTH(obj, a_snapshot_keeps_its_objects)
{
    enum { COUNT = 1000 };
    struct memory memory;
    memory_init(&memory, 0);
    struct ledger ledger;
    ledger_init(&ledger, 3 * COUNT);
    struct lfset_obj *set = obj_new(domain, &item_type, &memory);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, COUNT - 1 - key), 1);
    struct lfset_obj_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_obj_snapshot_take(set, &snapshot, NULL), 0);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(lfset_obj_remove(set, PROBE(key)), 1);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    CHECK_EQ(lfset_obj_destroy(set), 0);
    /* The new ones are gone with the set, the old ones are the snapshot's. */
    CHECK_EQ(ledger_destroyed(&ledger), COUNT);
    CHECK_EQ(lfset_obj_snapshot_count(snapshot), COUNT);
    void *objects[COUNT + 1];
    CHECK_EQ(lfset_obj_snapshot_copy(snapshot, objects, COUNT + 1), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const struct item *item = objects[i];
        CHECK(item_intact(item), "object %zu of the snapshot is gone", i);
        CHECK_EQ(item->key, i); /* in the order of `compare` */
        CHECK_EQ(lfset_obj_snapshot_contains(snapshot, PROBE(i)), 1);
    }
    CHECK_EQ(lfset_obj_snapshot_contains(snapshot, PROBE(COUNT)), 0);
    lfset_obj_snapshot_destroy(snapshot);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), 2 * COUNT);
    memory_check_balance(&memory);
    ledger_end(&ledger);
}

/* An object is shared by the set and its snapshots until the last lets go, in whatever order. */
TEST_BOTH(obj, snapshots_share_objects_with_the_set)
{
    struct ledger ledger;
    ledger_init(&ledger, 10);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    CHECK_EQ(obj_add_key(set, &ledger, 1), 1);
    CHECK_EQ(obj_add_key(set, &ledger, 2), 1);
    struct lfset_obj_snapshot *first = NULL;
    struct lfset_obj_snapshot *second = NULL;
    CHECK_EQ(lfset_obj_snapshot_take(set, &first, NULL), 0);
    CHECK_EQ(lfset_obj_remove(set, PROBE(1)), 1);
    CHECK_EQ(lfset_obj_snapshot_take(set, &second, NULL), 0);
    CHECK(lfset_obj_purge(set) >= 0, "purge failed");
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), 0);
    lfset_obj_snapshot_destroy(first);
    CHECK(lfset_obj_purge(set) >= 0, "purge failed");
    CHECK_EQ(lfset_barrier(), 0);
    /* `second` holds a slice in which object 1 was removed; it may keep it, but no longer. */
    CHECK_EQ(lfset_obj_snapshot_count(second), 1);
    lfset_obj_snapshot_destroy(second);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), 1);
    CHECK_EQ(lfset_obj_contains(set, PROBE(2)), 1);
    obj_end(set, NULL);
    CHECK_EQ(ledger_destroyed(&ledger), 2);
    ledger_end(&ledger);
}

TEST_BOTH(obj, drain_hands_the_objects_over)
{
    enum { COUNT = 500 };
    struct ledger ledger;
    ledger_init(&ledger, 3 * COUNT);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    struct lfset_obj_snapshot *drained = NULL;
    CHECK_EQ(lfset_obj_drain(set, &drained, NULL), 0);
    CHECK_EQ(lfset_obj_is_empty(set), 1);
    CHECK_EQ(lfset_obj_contains(set, PROBE(1)), 0);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), 0);
    CHECK_EQ(lfset_obj_snapshot_count(drained), COUNT);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    lfset_obj_snapshot_destroy(drained);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), COUNT);
    CHECK_EQ(lfset_obj_clear(set, NULL), COUNT);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), 2 * COUNT);
    obj_end(set, NULL);
    ledger_end(&ledger);
}

static int visit_ordered(void *object, void *ctx)
{
    const struct item *item = object;
    uint64_t *next = ctx;
    CHECK_EQ(item->key, *next);
    return ++*next == 50 ? 42 : 0;
}

static int visit_count(void *object, void *ctx)
{
    CHECK(item_intact(object), "a visitor was given an object that is gone");
    ++*(size_t *)ctx;
    return 0;
}

TEST_BOTH(obj, snapshots_are_ordered_by_compare_or_not_at_all)
{
    enum { COUNT = 100 };
    struct lfset_obj_type unordered = item_type;
    unordered.compare = NULL;
    const struct lfset_obj_type *const types[] = {&item_type, &unordered};
    for (size_t t = 0; t < 2; t++) {
        struct ledger ledger;
        ledger_init(&ledger, COUNT);
        struct lfset_obj *set = obj_new(domain, types[t], NULL);
        for (uint64_t key = 0; key < COUNT; key++)
            CHECK_EQ(obj_add_key(set, &ledger, key * 37 % COUNT), 1);
        struct lfset_obj_snapshot *snapshot = NULL;
        CHECK_EQ(lfset_obj_snapshot_take(set, &snapshot, NULL), 0);
        size_t count = 0;
        CHECK_EQ(lfset_obj_snapshot_each(snapshot, visit_count, &count, NULL), 0);
        CHECK_EQ(count, COUNT);
        if (t == 0) {
            uint64_t next = 0;
            CHECK_EQ(lfset_obj_snapshot_each(snapshot, visit_ordered, &next, NULL), 42);
            CHECK_EQ(next, 50);
            void *smallest[3];
            CHECK_EQ(lfset_obj_snapshot_copy(snapshot, smallest, 3), 3);
            for (uint64_t key = 0; key < 3; key++)
                CHECK_EQ(((struct item *)smallest[key])->key, key);
        }
        lfset_obj_snapshot_destroy(snapshot);
        obj_end(set, NULL);
        ledger_end(&ledger);
    }
}

/* ---- a model ---- */

enum { MODEL_KEYS = 300 };

struct model {
    struct lfset_obj *set;
    struct ledger ledger;
    struct random random;
    struct item *present[MODEL_KEYS]; /* the object that must be there */
    size_t live;
};

static void model_add(struct model *model, uint64_t key)
{
    struct item *item = item_new(&model->ledger, key);
    int result = 0;
    if (random_below(&model->random, 2) == 0) {
        result = lfset_obj_add(model->set, item);
    } else {
        void *present = NULL;
        CHECK_EQ(lfset_section_enter(), 0);
        result = lfset_obj_add_or_get(model->set, item, &present);
        CHECK(present == (model->present[key] == NULL ? item : model->present[key]),
              "add_or_get gives another object of key %" PRIu64, key);
        CHECK_EQ(lfset_section_leave(), 0);
    }
    CHECK_EQ(result, model->present[key] == NULL);
    if (result == 0) {
        item_drop(item);
        return;
    }
    model->present[key] = item;
    model->live++;
}

static void model_gone(struct model *model, uint64_t key)
{
    model->present[key] = NULL;
    model->live--;
}

static void model_pop(struct model *model)
{
    CHECK_EQ(lfset_section_enter(), 0);
    void *object = NULL;
    const int result = lfset_obj_pop(model->set, &object);
    CHECK_EQ(result, model->live > 0);
    if (result == 1) {
        const struct item *item = object;
        CHECK(model->present[item->key] == item, "pop gave an object that was not there");
        model_gone(model, item->key);
    }
    CHECK_EQ(lfset_section_leave(), 0);
}

static void model_snapshot(struct model *model, bool drain)
{
    struct lfset_obj_snapshot *snapshot = NULL;
    if (drain)
        CHECK_EQ(lfset_obj_drain(model->set, &snapshot, NULL), 0);
    else
        CHECK_EQ(lfset_obj_snapshot_take(model->set, &snapshot, NULL), 0);
    void *objects[MODEL_KEYS];
    CHECK_EQ(lfset_obj_snapshot_copy(snapshot, objects, MODEL_KEYS), model->live);
    size_t next = 0;
    for (uint64_t key = 0; key < MODEL_KEYS; key++) {
        if (model->present[key] != NULL)
            CHECK(objects[next++] == model->present[key], "the snapshot has another object");
        if (drain && model->present[key] != NULL)
            model_gone(model, key);
    }
    lfset_obj_snapshot_destroy(snapshot);
}

static void model_step(struct model *model, unsigned adds_in_ten)
{
    const uint64_t key = random_below(&model->random, MODEL_KEYS);
    const uint64_t kind = random_below(&model->random, 1000);
    const bool was = model->present[key] != NULL;
    if (kind < 600) {
        if (random_below(&model->random, 10) < adds_in_ten) {
            model_add(model, key);
        } else {
            CHECK_EQ(lfset_obj_remove(model->set, PROBE(key)), was);
            if (was)
                model_gone(model, key);
        }
    } else if (kind < 900) {
        void *object = NULL;
        CHECK_EQ(lfset_section_enter(), 0);
        CHECK_EQ(lfset_obj_get(model->set, PROBE(key), &object), was);
        CHECK(object == model->present[key], "get gives another object of key %" PRIu64, key);
        CHECK_EQ(lfset_section_leave(), 0);
    } else if (kind < 950) {
        model_pop(model);
    } else if (kind < 980) {
        CHECK_EQ(lfset_obj_size(model->set, NULL), model->live);
    } else if (kind < 985) {
        model_snapshot(model, false);
    } else if (kind < 987) {
        model_snapshot(model, true);
    } else if (kind < 989) {
        CHECK_EQ(lfset_obj_clear(model->set, NULL), model->live);
        memset(model->present, 0, sizeof model->present);
        model->live = 0;
    } else if (kind < 995) {
        CHECK(lfset_obj_purge(model->set) >= 0, "purge failed");
    } else {
        CHECK_EQ(lfset_obj_reserve(model->set, random_below(&model->random, 2000), NULL), 0);
    }
}

TEST_BOTH(obj, model)
{
    const size_t steps = scaled(40000);
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct memory memory;
        memory_init(&memory, 0);
        struct model model = {.random = random_from(seed)};
        ledger_init(&model.ledger, steps + 1);
        model.set = obj_new(domain, &item_type, &memory);
        for (size_t step = 0; step < steps; step++)
            model_step(&model, (step / 2000) % 2 == 0 ? 8 : 2);
        CHECK_EQ(lfset_obj_size(model.set, NULL), model.live);
        obj_end(model.set, &memory);
        ledger_end(&model.ledger);
    }
}

/* ---- references ---- */

struct holding {
    struct lfset_obj *set;
    struct ledger *ledger;
    struct event removed;
    struct event waiting; /* in lfset_barrier, or about to be */
};

static void holding_remover(void *arg)
{
    struct holding *holding = arg;
    for (uint64_t key = 0; key < 3; key++)
        if (lfset_obj_remove(holding->set, PROBE(key)) == -ENOMEM)
            fault("remove failed");
    if (lfset_obj_purge(holding->set) != 1)
        fault("there was nothing to purge");
    event_signal(&holding->removed);
}

static void holding_waiter(void *arg)
{
    struct holding *holding = arg;
    event_wait(&holding->removed, 1);
    event_signal(&holding->waiting);
    if (lfset_barrier() != 0)
        fault("barrier failed");
}

/*
 * Three references: by get, by add_or_get and by pop. Another thread removes and purges all, and a third one
 * waits for the end of what was removed. Nothing may be destroyed before the section's end.
 */
TEST_BOTH(obj, a_reference_is_good_until_the_section_ends)
{
    struct ledger ledger;
    ledger_init(&ledger, 5000);
    struct holding holding = {.set = obj_new(domain, &item_type, NULL), .ledger = &ledger};
    event_init(&holding.removed);
    event_init(&holding.waiting);
    CHECK_EQ(obj_add_key(holding.set, &ledger, 0), 1);
    CHECK_EQ(lfset_section_enter(), 0);
    const struct item *held[3];
    void *object = NULL;
    CHECK_EQ(lfset_obj_pop(holding.set, &object), 1);
    held[0] = object;
    CHECK_EQ(obj_add_key(holding.set, &ledger, 1), 1);
    held[1] = get_object(holding.set, 1);
    CHECK_EQ(lfset_obj_add_or_get(holding.set, item_new(&ledger, 2), &object), 1);
    held[2] = object;

    struct crew remover;
    struct crew waiter;
    crew_start(&remover, 1, holding_remover, &holding, 0);
    crew_start(&waiter, 1, holding_waiter, &holding, 0);
    event_wait(&holding.waiting, 1);
    /* Successions and retirements of many kinds, by this thread and by whoever reclaims. */
    for (uint64_t round = 0; round < 300; round++) {
        CHECK_EQ(obj_add_key(holding.set, &ledger, 100 + round), 1);
        CHECK_EQ(lfset_obj_remove(holding.set, PROBE(100 + round)), 1);
        CHECK_EQ(lfset_obj_purge(holding.set), 1);
        sched_yield();
        for (size_t i = 0; i < 3; i++) {
            CHECK(!item_destroyed(&ledger, i), "object %zu was destroyed while it was held", i);
            CHECK(item_intact(held[i]) && held[i]->key == i, "object %zu has changed", i);
        }
    }
    CHECK_EQ(lfset_obj_is_empty(holding.set), 1);
    CHECK_EQ(lfset_section_leave(), 0);
    crew_join(&remover);
    crew_join(&waiter);
    check_faults();
    CHECK_EQ(lfset_barrier(), 0);
    for (size_t i = 0; i < 3; i++)
        CHECK(item_destroyed(&ledger, i), "object %zu was not destroyed at last", i);
    obj_end(holding.set, NULL);
    ledger_end(&ledger);
}

/* Hazard pointers: a reference holds back its object, and nothing else. */
TEST(obj, a_reference_holds_back_one_object_hp)
{
    enum { COUNT = 2000 };
    struct ledger ledger;
    ledger_init(&ledger, COUNT);
    struct lfset_obj *set = obj_new(LFSET_HP, &item_type, NULL);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    CHECK_EQ(lfset_section_enter(), 0);
    const struct item *held = get_object(set, 77);
    struct crew crew;
    struct holding holding = {.set = set, .ledger = &ledger};
    event_init(&holding.removed);
    for (uint64_t key = 3; key < COUNT; key++)
        CHECK_EQ(lfset_obj_remove(set, PROBE(key)), 1);
    crew_start(&crew, 1, holding_remover, &holding, 0);
    crew_join(&crew);
    check_faults();
    /* Until what was retired is reclaimed by the way. The few slices that the section's own operations
     * have protected may keep what they name. */
    for (size_t i = 0; i < 2000 && ledger_destroyed(&ledger) < COUNT - 1; i++)
        CHECK(lfset_obj_size(set, NULL) == 0, "size failed");
    cr_log_info("%zu of %d objects were destroyed beside a held one", ledger_destroyed(&ledger),
                COUNT);
    CHECK(ledger_destroyed(&ledger) >= COUNT / 2, "a held object holds back %zu others",
          COUNT - 1 - ledger_destroyed(&ledger));
    CHECK(item_intact(held) && held->key == 77, "the held object has changed");
    CHECK(!item_destroyed(&ledger, 77), "the held object was destroyed");
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), COUNT);
    obj_end(set, NULL);
    ledger_end(&ledger);
}

/* More references in one section than any list of fixed length, and the same one again and again. */
TEST_BOTH(obj, a_section_may_hold_many_references)
{
    enum { COUNT = 5000 };
    struct ledger ledger;
    ledger_init(&ledger, COUNT);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    const struct item **held = calloc(COUNT, sizeof *held);
    CHECK(held != NULL, "no memory for the test");
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    CHECK_EQ(lfset_section_enter(), 0);
    for (uint64_t key = 0; key < COUNT; key++) {
        held[key] = get_object(set, key);
        CHECK(get_object(set, 0) == held[0], "get gives another object");
        CHECK_EQ(lfset_obj_remove(set, PROBE(key == 0 ? COUNT : key)), key != 0);
    }
    CHECK_EQ(lfset_obj_clear(set, NULL), 1);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK(item_intact(held[key]) && held[key]->key == key, "object %" PRIu64 " is gone", key);
    CHECK_EQ(ledger_destroyed(&ledger), 0);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK(lfset_obj_purge(set) >= 0, "purge failed");
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), COUNT);
    obj_end(set, NULL);
    free(held);
    ledger_end(&ledger);
}

/* ---- many threads ---- */

enum { THREADS = 4 };

struct worker {
    struct lfset_obj *set;
    struct ledger *ledger;
    uint64_t id;
    size_t keys;
    size_t rounds;
    size_t added;
    size_t removed;
    _Atomic(void *) *interned;
};

static void intern_body(void *arg)
{
    struct worker *worker = arg;
    for (uint64_t key = 0; key < worker->keys; key++) {
        if (lfset_section_enter() != 0)
            fault("enter failed");
        struct item *item = item_new(worker->ledger, key);
        void *present = NULL;
        const int added = lfset_obj_add_or_get(worker->set, item, &present);
        void *expected = NULL;
        if (added < 0 || (added == 1) != (present == item))
            fault("add_or_get answers %d", added);
        else if (!atomic_compare_exchange_strong(&worker->interned[key], &expected, present) &&
                 expected != present)
            fault("two objects of key %" PRIu64 " were interned", key);
        if (added != 1)
            item_drop(item);
        worker->added += added == 1;
        lfset_section_leave();
    }
}

TEST_BOTH(obj, interning_yields_one_object)
{
    const size_t keys = scaled(20000);
    struct ledger ledger;
    ledger_init(&ledger, THREADS * keys);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    _Atomic(void *) *interned = calloc(keys, sizeof *interned);
    CHECK(interned != NULL, "no memory for the test");
    struct worker each[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        each[i] = (struct worker){
            .set = set, .ledger = &ledger, .id = i, .keys = keys, .interned = interned};
    crew_run(THREADS, intern_body, each, sizeof *each);
    size_t added = 0;
    for (size_t i = 0; i < THREADS; i++)
        added += each[i].added;
    CHECK_EQ(added, keys);
    CHECK_EQ(lfset_obj_size(set, NULL), keys);
    CHECK_EQ(ledger_destroyed(&ledger), 0);
    obj_end(set, NULL);
    CHECK_EQ(ledger_destroyed(&ledger), keys);
    free(interned);
    ledger_end(&ledger);
}

/* Objects come and go under readers that hold them for a while. */
static void mixed_body(void *arg)
{
    struct worker *worker = arg;
    struct random random = random_from(worker->id + 500);
    for (size_t round = 0; round < worker->rounds; round++) {
        const uint64_t key = random_below(&random, worker->keys);
        const uint64_t kind = random_below(&random, 100);
        if (kind < 30) {
            const int added = obj_add_key(worker->set, worker->ledger, key);
            worker->added += added == 1;
        } else if (kind < 55) {
            worker->removed += lfset_obj_remove(worker->set, PROBE(key)) == 1;
        } else if (kind < 95) {
            const struct item *held[4] = {NULL};
            if (lfset_section_enter() != 0)
                fault("enter failed");
            for (size_t i = 0; i < 4; i++) {
                void *object = NULL;
                const uint64_t wanted = (key + i) % worker->keys;
                if (i == 3 && kind < 60) {
                    if (lfset_obj_pop(worker->set, &object) == 1)
                        worker->removed++;
                } else if (lfset_obj_get(worker->set, PROBE(wanted), &object) == 1 &&
                           ((const struct item *)object)->key != wanted) {
                    fault("get gives an object of another key");
                }
                held[i] = object;
            }
            if (kind < 65)
                sched_yield();
            for (size_t i = 0; i < 4; i++)
                if (held[i] != NULL &&
                    (!item_intact(held[i]) || item_destroyed(worker->ledger, held[i]->number)))
                    fault("an object was destroyed while it was held");
            lfset_section_leave();
        } else if (kind < 98) {
            if (lfset_obj_purge(worker->set) < 0)
                fault("purge failed");
        } else {
            struct lfset_obj_snapshot *snapshot = NULL;
            if (lfset_obj_snapshot_take(worker->set, &snapshot, NULL) != 0)
                fault("snapshot failed");
            void *objects[8];
            const int64_t count = lfset_obj_snapshot_copy(snapshot, objects, 8);
            for (int64_t i = 0; i < count; i++)
                if (!item_intact(objects[i]))
                    fault("an object was destroyed while a snapshot held it");
            lfset_obj_snapshot_destroy(snapshot);
        }
    }
}

/* Uses another set, as if it kept count of what is gone there. */
static void gone_destroy(void *ctx, void *object)
{
    struct lfset_u64 *gone = ctx;
    const uint64_t key = ((struct item *)object)->key;
    if (lfset_u64_add(gone, key) < 0 || lfset_u64_contains(gone, key + 1) < 0 ||
        lfset_u64_remove(gone, key + 1) < 0)
        fault("a set is out of order in a destroy callback");
    item_destroy(NULL, object);
}

static void mixed_run(enum lfset_domain domain, size_t keys, size_t rounds, bool callbacks)
{
    struct lfset_u64 *gone = set_new(domain, 0, 1, NULL);
    struct lfset_obj_type type = item_type;
    if (callbacks) {
        type.ctx = gone;
        type.destroy = gone_destroy;
    }
    struct memory memory;
    memory_init(&memory, 0);
    struct ledger ledger;
    ledger_init(&ledger, THREADS * rounds);
    struct lfset_obj *set = obj_new(domain, &type, &memory);
    struct worker each[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        each[i] =
            (struct worker){.set = set, .ledger = &ledger, .id = i, .keys = keys, .rounds = rounds};
    crew_run(THREADS, mixed_body, each, sizeof *each);
    size_t added = 0;
    size_t removed = 0;
    for (size_t i = 0; i < THREADS; i++) {
        added += each[i].added;
        removed += each[i].removed;
    }
    CHECK_EQ(lfset_obj_size(set, NULL), added - removed);
    CHECK(lfset_obj_purge(set) >= 0, "purge failed");
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), removed);
    obj_end(set, &memory);
    CHECK_EQ(ledger_destroyed(&ledger), added);
    set_end(gone, NULL);
    ledger_end(&ledger);
}

TEST_BOTH(obj, many_threads_destroy_every_object_once)
{
    mixed_run(domain, 4, scaled(40000), false);
    mixed_run(domain, 100, scaled(40000), false);
    mixed_run(domain, 2000, scaled(40000), false);
}

TEST_BOTH(obj, many_threads_destroy_with_callbacks_that_use_sets)
{
    mixed_run(domain, 4, scaled(40000), true);
    mixed_run(domain, 100, scaled(40000), true);
}

/* ---- callbacks that use sets ---- */

struct nest {
    struct lfset_obj *sets[2];
    struct ledger *ledger;
    atomic_size_t budget; /* how many objects the callbacks may still add */
    atomic_size_t calls;
    atomic_int closing;
};

/* Its ctx is the nest, not the ledger. Adds, looks and removes in both sets, then destroys its object. */
static void nest_destroy(void *ctx, void *object)
{
    struct nest *nest = ctx;
    const uint64_t key = ((struct item *)object)->key;
    item_destroy(NULL, object);
    atomic_fetch_add(&nest->calls, 1);
    if (atomic_load(&nest->closing))
        return;
    for (size_t i = 0; i < 2; i++) {
        struct lfset_obj *set = nest->sets[i];
        size_t budget = atomic_load(&nest->budget);
        while (budget > 0 && !atomic_compare_exchange_weak(&nest->budget, &budget, budget - 1))
            ;
        if (budget == 0)
            return;
        if (obj_add_key(set, nest->ledger, key + 1000000 * (i + 1)) < 0)
            fault("add in a destroy callback failed");
        const int found = lfset_obj_contains(set, PROBE(key));
        if (found < 0)
            fault("contains in a destroy callback answers %d", found);
        const int removed = lfset_obj_remove(set, PROBE(key + 1));
        if (removed < 0)
            fault("remove in a destroy callback answers %d", removed);
        /* Destroys more, perhaps right now: a cascade. */
        if (key % 8 == 0 && lfset_obj_purge(set) < 0)
            fault("purge in a destroy callback failed");
    }
    if (lfset_barrier() != -EDEADLK)
        fault("barrier in a destroy callback is not refused");
    if (lfset_obj_destroy(nest->sets[1]) != -EDEADLK)
        fault("destroying a set in a destroy callback is not refused");
}

TEST_BOTH(obj, destroy_may_use_its_set_and_another)
{
    enum { COUNT = 1000, BUDGET = 6000 };
    struct memory memory;
    memory_init(&memory, 0);
    struct ledger ledger;
    ledger_init(&ledger, 2 * COUNT + 2 * BUDGET);
    struct nest nest = {.ledger = &ledger};
    struct lfset_obj_type type = item_type;
    type.ctx = &nest;
    type.destroy = nest_destroy;
    for (size_t i = 0; i < 2; i++)
        nest.sets[i] = obj_new(domain, &type, &memory);
    atomic_store(&nest.budget, BUDGET);
    for (uint64_t key = 0; key < COUNT; key++) {
        CHECK(obj_add_key(nest.sets[0], &ledger, key) >= 0, "add failed");
        CHECK(obj_add_key(nest.sets[1], &ledger, key) >= 0, "add failed");
    }
    for (uint64_t key = 0; key < COUNT; key++) {
        CHECK(lfset_obj_remove(nest.sets[0], PROBE(key)) >= 0, "remove failed");
        CHECK(lfset_obj_contains(nest.sets[0], PROBE(key)) == 0, "a removed key is there");
    }
    for (size_t round = 0; round < 50; round++) {
        CHECK(lfset_obj_purge(nest.sets[round % 2]) >= 0, "purge failed");
        CHECK_EQ(lfset_barrier(), 0);
    }
    CHECK(lfset_obj_clear(nest.sets[1], NULL) >= 0, "clear failed");
    CHECK_EQ(lfset_barrier(), 0);
    check_faults();
    CHECK(atomic_load(&nest.calls) >= COUNT, "destroy was called only %zu times",
          atomic_load(&nest.calls));
    CHECK(atomic_load(&nest.budget) < BUDGET - COUNT, "the callbacks added next to nothing");
    /* From here on the sets end. */
    atomic_store(&nest.closing, 1);
    CHECK_EQ(lfset_barrier(), 0);
    for (size_t i = 0; i < 2; i++)
        obj_end(nest.sets[i], NULL);
    memory_check_balance(&memory);
    ledger_end(&ledger);
}

/* What a destroy callback is answered, wherever it is called. */
struct refusals {
    struct lfset_obj *other;
    atomic_size_t calls;
    atomic_size_t wrong;
};

static void refusals_destroy(void *ctx, void *object)
{
    struct refusals *refusals = ctx;
    item_destroy(NULL, object);
    atomic_fetch_add(&refusals->calls, 1);
    if (lfset_barrier() != -EDEADLK)
        atomic_fetch_add(&refusals->wrong, 1);
    if (refusals->other != NULL && lfset_obj_destroy(refusals->other) != -EDEADLK) {
        refusals->other = NULL;
        atomic_fetch_add(&refusals->wrong, 1);
    }
}

/* `how` lets go of the one object of a set of this domain, which then is destroyed. */
static void check_refusals(enum lfset_domain domain, const char *name,
                           void (*how)(struct lfset_obj *set))
{
    struct ledger ledger;
    ledger_init(&ledger, 2);
    struct refusals refusals = {.calls = 0};
    struct lfset_obj_type type = item_type;
    type.ctx = &refusals;
    type.destroy = refusals_destroy;
    refusals.other = obj_new(domain, &item_type, NULL);
    struct lfset_obj *set = obj_new(domain, &type, NULL);
    CHECK_EQ(obj_add_key(set, &ledger, 1), 1);
    how(set);
    CHECK_EQ(atomic_load(&refusals.calls), 1);
    CHECK(atomic_load(&refusals.wrong) == 0, "%s: barrier or destroy was not refused", name);
    obj_end(refusals.other, NULL);
    ledger_end(&ledger);
}

static void how_barrier(struct lfset_obj *set)
{
    CHECK_EQ(lfset_obj_remove(set, PROBE(1)), 1);
    CHECK_EQ(lfset_obj_purge(set), 1);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(lfset_obj_destroy(set), 0);
}

static void how_clear(struct lfset_obj *set)
{
    CHECK_EQ(lfset_obj_clear(set, NULL), 1);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(lfset_obj_destroy(set), 0);
}

static void how_snapshot(struct lfset_obj *set)
{
    struct lfset_obj_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_obj_drain(set, &snapshot, NULL), 0);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(lfset_obj_destroy(set), 0);
    lfset_obj_snapshot_destroy(snapshot);
    CHECK_EQ(lfset_barrier(), 0);
}

static void how_destroy(struct lfset_obj *set)
{
    CHECK_EQ(lfset_obj_destroy(set), 0);
}

TEST_BOTH(obj, destroy_may_not_wait_when_a_barrier_calls_it)
{
    check_refusals(domain, "barrier", how_barrier);
    check_refusals(domain, "clear", how_clear);
}

TEST_BOTH(obj, destroy_may_not_wait_when_a_snapshot_s_end_calls_it)
{
    check_refusals(domain, "snapshot_destroy", how_snapshot);
}

static void clear_body(void *set)
{
    if (lfset_obj_clear(set, NULL) < 0)
        fault("clear failed");
}

/* Others clear the set and reclaim what they can, so that the section's reference is the last. */
static void how_section(struct lfset_obj *set)
{
    CHECK_EQ(lfset_section_enter(), 0);
    get_object(set, 1);
    for (size_t i = 0; i < 3; i++) {
        crew_run(1, clear_body, set, 0);
        CHECK_EQ(lfset_obj_contains(set, PROBE(1)), 0); /* protects the new slice instead */
    }
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_obj_destroy(set), 0);
}

TEST(obj, destroy_may_not_wait_when_a_section_s_end_calls_it_hp)
{
    check_refusals(LFSET_HP, "section_leave", how_section);
}

TEST_BOTH(obj, destroy_may_not_wait_when_the_set_s_end_calls_it)
{
    check_refusals(domain, "destroy", how_destroy);
}

/* References got by a destroy callback, which may be called by the end of a section itself. */
struct getting {
    struct lfset_obj *set;
    atomic_size_t found;
};

static void getting_destroy(void *ctx, void *object)
{
    struct getting *getting = ctx;
    const uint64_t key = ((struct item *)object)->key;
    item_destroy(NULL, object);
    if (getting->set == NULL)
        return;
    void *other = NULL;
    if (lfset_section_enter() != 0)
        fault("enter failed in a destroy callback");
    if (lfset_obj_get(getting->set, PROBE(key + 1), &other) == 1) {
        atomic_fetch_add(&getting->found, 1);
        if (lfset_obj_remove(getting->set, other) != 1 || lfset_obj_purge(getting->set) < 0)
            fault("remove failed in a destroy callback");
        if (!item_intact(other) || ((struct item *)other)->key != key + 1)
            fault("a reference is not good in a destroy callback");
    }
    if (lfset_section_leave() != 0)
        fault("leave failed in a destroy callback");
}

/* Each object's end finds and removes the next one: a cascade. */
TEST_BOTH(obj, destroy_may_hold_references)
{
    enum { COUNT = 200 };
    struct ledger ledger;
    ledger_init(&ledger, COUNT);
    struct getting getting = {.set = NULL};
    struct lfset_obj_type type = item_type;
    type.ctx = &getting;
    type.destroy = getting_destroy;
    struct lfset_obj *set = obj_new(domain, &type, NULL);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    getting.set = set;
    CHECK_EQ(lfset_section_enter(), 0);
    get_object(set, 0);
    get_object(set, COUNT / 2);
    CHECK_EQ(lfset_obj_remove(set, PROBE(0)), 1);
    CHECK_EQ(lfset_obj_remove(set, PROBE(COUNT / 2)), 1);
    /* 0 when a growth that was under way has left both behind. */
    CHECK(lfset_obj_purge(set) >= 0, "purge failed");
    CHECK_EQ(lfset_section_leave(), 0);
    for (size_t i = 0; i < 4 * COUNT && ledger_destroyed(&ledger) < COUNT; i++)
        CHECK_EQ(lfset_barrier(), 0);
    check_faults();
    CHECK_EQ(ledger_destroyed(&ledger), COUNT);
    CHECK_EQ(atomic_load(&getting.found), COUNT - 2);
    getting.set = NULL;
    obj_end(set, NULL);
    ledger_end(&ledger);
}

/* Ends inside its section, with references. */
static void leaver_body(void *arg)
{
    const struct holding *holding = arg;
    void *object = NULL;
    if (lfset_section_enter() != 0 || lfset_obj_get(holding->set, PROBE(1), &object) != 1 ||
        lfset_obj_pop(holding->set, &object) != 1)
        fault("no reference");
}

TEST_BOTH(obj, a_thread_s_end_lets_go_of_its_references)
{
    struct ledger ledger;
    ledger_init(&ledger, 2);
    struct holding holding = {.set = obj_new(domain, &item_type, NULL), .ledger = &ledger};
    CHECK_EQ(obj_add_key(holding.set, &ledger, 1), 1);
    CHECK_EQ(obj_add_key(holding.set, &ledger, 2), 1);
    crew_run(1, leaver_body, &holding, 0);
    CHECK_EQ(lfset_obj_clear(holding.set, NULL), 1);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), 2);
    obj_end(holding.set, NULL);
    ledger_end(&ledger);
}

struct visitor {
    struct lfset_obj *set;
    struct ledger *ledger;
    size_t count;
    size_t most;
};

/* Removes what it is shown and adds another one, which may or may not be visited. */
static int visitor_body(void *object, void *ctx)
{
    struct visitor *visitor = ctx;
    const struct item *item = object;
    visitor->count++;
    CHECK(item_intact(item), "each shows an object that is gone");
    if (item->key >= 100000)
        return 0;
    CHECK_EQ(lfset_obj_remove(visitor->set, item), 1);
    CHECK_EQ(obj_add_key(visitor->set, visitor->ledger, item->key + 100000), 1);
    if (visitor->count % 50 == 0)
        CHECK(lfset_obj_purge(visitor->set) >= 0, "purge failed");
    if (visitor->count % 300 == 0)
        CHECK(lfset_obj_size(visitor->set, NULL) > 0, "size in a visitor failed");
    CHECK(item_intact(item), "the visited object is gone before the visit's end");
    return 0;
}

TEST_BOTH(obj, visitors_may_remove_and_add)
{
    enum { COUNT = 1000 };
    struct ledger ledger;
    ledger_init(&ledger, 2 * COUNT);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    struct visitor visitor = {set, &ledger, 0, 0};
    CHECK_EQ(lfset_obj_each(set, visitor_body, &visitor, NULL), 0);
    CHECK(visitor.count >= COUNT && visitor.count <= 2 * COUNT, "%zu visits", visitor.count);
    CHECK_EQ(lfset_obj_size(set, NULL), COUNT);
    for (uint64_t key = 0; key < COUNT; key++) {
        CHECK_EQ(lfset_obj_contains(set, PROBE(key)), 0);
        CHECK_EQ(lfset_obj_contains(set, PROBE(key + 100000)), 1);
    }
    obj_end(set, NULL);
    ledger_end(&ledger);
}

/* Removes its object by itself, one in three, and another one besides. */
static int unwanted_body(void *object, void *ctx)
{
    struct visitor *visitor = ctx;
    const struct item *item = object;
    visitor->count++;
    if (item->key % 3 == 1)
        CHECK_EQ(lfset_obj_remove(visitor->set, item), 1);
    CHECK(lfset_obj_remove(visitor->set, PROBE(item->key + 1)) >= 0, "remove failed");
    CHECK(item_intact(item), "the object is gone before the callback's end");
    return item->key % 3 == 0;
}

static int unwanted_stops(void *object, void *ctx)
{
    (void)object;
    struct visitor *visitor = ctx;
    return ++visitor->count == visitor->most ? -EIO : 1;
}

TEST_BOTH(obj, unwanted_may_remove)
{
    enum { COUNT = 900 };
    struct ledger ledger;
    ledger_init(&ledger, 3 * COUNT);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    struct visitor visitor = {set, &ledger, 0, 0};
    const int64_t removed = lfset_obj_remove_if(set, unwanted_body, &visitor, NULL);
    CHECK(removed > 0 && removed <= COUNT / 3, "remove_if removed %" PRId64, removed);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK(key % 3 == 2 || lfset_obj_contains(set, PROBE(key)) == 0, "%" PRIu64 " is there",
              key);
    CHECK(lfset_obj_clear(set, NULL) >= 0, "clear failed");

    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    visitor = (struct visitor){set, &ledger, 0, 10};
    CHECK_EQ(lfset_obj_remove_if(set, unwanted_stops, &visitor, NULL), -EIO);
    CHECK_EQ(visitor.count, 10);
    CHECK_EQ(lfset_obj_size(set, NULL), COUNT - 9);
    obj_end(set, NULL);
    ledger_end(&ledger);
}

/* ---- a hash that is none ---- */

static uint64_t constant_hash(void *ctx, const void *key)
{
    (void)ctx;
    (void)key;
    return 42;
}

/* More equal hashes than a slice of the usual size has places for: slow, but right. A set that makes slices
 * without end runs out of memory here. */
TEST_BOTH(obj, equal_hashes_are_slow_and_not_wrong)
{
    enum { COUNT = 200, ALLOCATIONS = 20000 };
    struct memory memory;
    memory_init(&memory, 0);
    struct ledger ledger;
    ledger_init(&ledger, 2 * COUNT);
    struct lfset_obj_type type = item_type;
    type.hash = constant_hash;
    struct lfset_obj *set = obj_new(domain, &type, &memory);
    atomic_store(&memory.fail_from, ALLOCATIONS);
    for (uint64_t key = 0; key < COUNT; key++) {
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
        CHECK_EQ(obj_add_key(set, &ledger, key), 0);
        if (key % 50 == 20)
            CHECK_EQ(lfset_obj_size(set, NULL), key + 1);
    }
    CHECK_EQ(lfset_obj_size(set, NULL), COUNT);
    for (uint64_t key = 0; key < COUNT; key += 2)
        CHECK_EQ(lfset_obj_remove(set, PROBE(key)), 1);
    for (uint64_t key = 0; key < 2 * COUNT; key++)
        CHECK_EQ(lfset_obj_contains(set, PROBE(key)), key < COUNT && key % 2 == 1);
    CHECK_EQ(lfset_obj_clear(set, NULL), COUNT / 2);
    CHECK_EQ(lfset_obj_size(set, NULL), 0);
    cr_log_info("%llu allocations, a peak of %lld bytes", atomic_load(&memory.calls),
                atomic_load(&memory.peak));
    obj_end(set, &memory);
    ledger_end(&ledger);
}

/* ---- no memory ---- */

enum { SCRIPT_KEYS = 80 };

struct script {
    struct memory memory;
    struct ledger ledger;
    struct lfset_obj *set;
    struct item *present[SCRIPT_KEYS];
    int64_t live;
    size_t refusals;
};

static bool refused(struct script *script, int64_t result)
{
    if (result != -ENOMEM)
        return false;
    CHECK(atomic_load(&script->memory.failures) > 0, "-ENOMEM although no allocation failed");
    memory_heal(&script->memory);
    script->refusals++;
    for (uint64_t key = 0; key < SCRIPT_KEYS; key++)
        CHECK_EQ(lfset_obj_contains(script->set, PROBE(key)), script->present[key] != NULL);
    obj_check(script->set);
    return true;
}

#define STEP(result, call)                                                                         \
    do {                                                                                           \
        (result) = (call);                                                                         \
        if (refused(script, (result)))                                                             \
            (result) = (call);                                                                     \
    } while (0)

static void script_add(struct script *script, bool or_get)
{
    for (uint64_t key = 0; key < SCRIPT_KEYS; key++) {
        struct item *item = item_new(&script->ledger, key);
        int result = 0;
        if (or_get) {
            void *present = NULL;
            CHECK_EQ(lfset_section_enter(), 0);
            STEP(result, lfset_obj_add_or_get(script->set, item, &present));
            CHECK(present == (script->present[key] == NULL ? item : script->present[key]),
                  "add_or_get gives another object of key %" PRIu64, key);
            STEP(result,
                 lfset_obj_get(script->set, item, &present) - 1 + (script->present[key] == NULL));
            CHECK_EQ(lfset_section_leave(), 0);
        } else {
            STEP(result, lfset_obj_add(script->set, item));
        }
        CHECK_EQ(result, script->present[key] == NULL);
        if (result == 1) {
            script->present[key] = item;
            script->live++;
        } else {
            item_drop(item);
        }
    }
}

static void script_remove(struct script *script, uint64_t from, uint64_t to)
{
    for (uint64_t key = from; key < to; key++) {
        int result = 0;
        STEP(result, lfset_obj_remove(script->set, PROBE(key)));
        CHECK_EQ(result, script->present[key] != NULL);
        script->live -= result;
        script->present[key] = NULL;
    }
}

static void script_pop(struct script *script)
{
    void *object = NULL;
    int result = 0;
    CHECK_EQ(lfset_section_enter(), 0);
    STEP(result, lfset_obj_pop(script->set, &object));
    CHECK_EQ(result, script->live > 0);
    if (result == 1) {
        const struct item *item = object;
        CHECK(item_intact(item) && script->present[item->key] == item, "pop gave something else");
        script->present[item->key] = NULL;
        script->live--;
    }
    CHECK_EQ(lfset_section_leave(), 0);
}

static void script_emptied(struct script *script)
{
    memset(script->present, 0, sizeof script->present);
    script->live = 0;
}

static void script_snapshot(struct script *script, bool drain)
{
    struct lfset_obj_snapshot *snapshot = NULL;
    int64_t result = 0;
    if (drain)
        STEP(result, lfset_obj_drain(script->set, &snapshot, NULL));
    else
        STEP(result, lfset_obj_snapshot_take(script->set, &snapshot, NULL));
    CHECK_EQ(result, 0);
    const int64_t live = script->live;
    if (drain)
        script_emptied(script);
    void *objects[SCRIPT_KEYS];
    STEP(result, lfset_obj_snapshot_copy(snapshot, objects, SCRIPT_KEYS));
    CHECK_EQ(result, live);
    for (int64_t i = 0; i < live; i++)
        CHECK(item_intact(objects[i]), "a snapshot's object is gone");
    lfset_obj_snapshot_destroy(snapshot);
}

static void script_run(struct script *script, enum lfset_domain domain)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.allocator = &script->memory.hook;
    options.seed = 3;
    int64_t result = lfset_obj_create(&script->set, &item_type, &options);
    if (result == -ENOMEM) {
        CHECK(script->set == NULL, "a failed create left something");
        memory_check_balance(&script->memory);
        memory_heal(&script->memory);
        script->refusals++;
        result = lfset_obj_create(&script->set, &item_type, &options);
    }
    CHECK_EQ(result, 0);
    script_add(script, false);
    script_snapshot(script, false);
    script_remove(script, 7, SCRIPT_KEYS);
    script_add(script, true);
    script_pop(script);
    STEP(result, lfset_obj_purge(script->set));
    STEP(result, lfset_obj_size(script->set, NULL));
    CHECK_EQ(result, script->live);
    script_snapshot(script, true);
    script_add(script, true);
    STEP(result, lfset_obj_reserve(script->set, 2000, NULL));
    CHECK_EQ(result, 0);
    script_remove(script, 0, SCRIPT_KEYS / 2);
    STEP(result, lfset_obj_clear(script->set, NULL));
    CHECK_EQ(result, script->live);
    script_emptied(script);
    script_pop(script);
    script_add(script, false);
    memory_heal(&script->memory);
    obj_end(script->set, &script->memory);
    ledger_end(&script->ledger);
}

TEST_BOTH(obj, the_nth_allocation_fails)
{
    CHECK_EQ(lfset_thread_attach(), 0);
    size_t refusals = 0;
    for (size_t from = 0; from < 2; from++) {
        for (unsigned long long n = 1;; n++) {
            struct script script = {.live = 0};
            memory_init(&script.memory, 0);
            ledger_init(&script.ledger, 20 * SCRIPT_KEYS);
            atomic_store(from ? &script.memory.fail_from : &script.memory.fail_at, n);
            script_run(&script, domain);
            refusals += script.refusals;
            if (atomic_load(&script.memory.failures) == 0)
                break;
        }
    }
    cr_log_info("%zu operations were refused", refusals);
    CHECK(refusals >= 10, "only %zu operations were refused", refusals);
}

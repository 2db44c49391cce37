// SPDX-License-Identifier: MIT
#include "lfset/obj.h"

#include "explore/arena.h"
#include "explore/objects.h"
#include "explore/schedule.h"
#include "set/node.h"

#define KIND obj
#include "explore/subject_common.h"

static const void *explored; // objects live on in it when they leave a clone

/* ---- callbacks ---------------------------------------------------------------------------------- */

static uint64_t hash_key(void *ctx, const void *object)
{
    (void)ctx;
    return object_key(object);
}

static int equal(void *ctx, const void *object, const void *key)
{
    (void)ctx;
    return object_look(object) == object_key(key);
}

static int compare(void *ctx, const void *a, const void *b)
{
    (void)ctx;
    uint64_t x = object_look(a), y = object_look(b);
    return (x > y) - (x < y);
}

static int create(void **set, const struct lfset_options *options)
{
    struct lfset_obj_type type = LFSET_OBJ_TYPE_INIT;
    type.hash = hash_key;
    type.equal = equal;
    type.compare = compare;
    type.destroy = objects_destroy;
    struct lfset_obj *made = NULL;
    int result = lfset_obj_create(&made, &type, options);
    *set = made;
    explored = made;
    return result;
}

static void are_gone(const void *set, uint64_t key, uint64_t since)
{
    if (set == explored) {
        objects_are_gone(key, since);
    }
}

/* A key is its own hash. */
static uint64_t key_at(void *set, uint64_t hash, uint32_t offset)
{
    (void)offset;
    const struct lfset__slice *root = atomic_load(&((struct lfset__set *)set)->root);
    return hash * root->inverse;
}

static bool word_key(const struct lfset__slice *slice, size_t index, uint64_t word, uint64_t *key)
{
    (void)slice, (void)index;
    const struct lfset__node *node = lfset__word_node(word);
    if (!arena_is_live(node)) {
        return false;
    }
    *key = node->hash;
    return true;
}

static size_t blocks(const uint64_t *keys, size_t count)
{
    (void)keys;
    return 2 * count; // object and node
}

/* ---- one key ------------------------------------------------------------------------------------ */

static int add(void *set, uint64_t key)
{
    uint64_t since = sched_clock();
    struct object *object = objects_make(key);
    uint32_t number = object->number;
    int result = lfset_obj_add(set, object);
    objects_settle(number, result == 1); // it may be freed by now, if it was accepted
    if (result == 1) {
        are_gone(set, key, since);
    }
    return result;
}

static int remove_key(void *set, uint64_t key)
{
    uint64_t since = sched_clock();
    struct object sought = object_sought(key);
    int result = lfset_obj_remove(set, &sought);
    if (result >= 0) {
        are_gone(set, key, since);
    }
    return result;
}

static int contains(void *set, uint64_t key)
{
    uint64_t since = sched_clock();
    struct object sought = object_sought(key);
    int result = lfset_obj_contains(set, &sought);
    if (result == 0) {
        are_gone(set, key, since);
    }
    return result;
}

/* @return the key. */
static uint64_t receive(const void *object, uint64_t since, bool pop)
{
    uint64_t now = sched_clock();
    objects_hold(object);
    if (pop) {
        objects_take(object, now);
        return object_key(object);
    }
    return objects_show(object, since);
}

static int get(void *set, uint64_t key)
{
    uint64_t since = sched_clock();
    struct object sought = object_sought(key);
    void *object = NULL;
    int result = lfset_obj_get(set, &sought, &object);
    if (result == 0) {
        are_gone(set, key, since);
    }
    if ((result == 1) != (object != NULL) ||
        (result == 1 && receive(object, since, false) != key)) {
        sched_fail("get answers %d with another object", result);
    }
    return result;
}

static int add_or_get(void *set, uint64_t key)
{
    uint64_t since = sched_clock();
    void *present = NULL;
    struct object *object = objects_make(key);
    uint32_t number = object->number;
    int result = lfset_obj_add_or_get(set, object, &present);
    if (result >= 0 && (!present || (result == 1) != (present == object))) {
        sched_fail("add_or_get answers %d with another object", result);
    }
    if (result >= 0 && receive(present, since, false) != key) {
        sched_fail("add_or_get hands out an object of another key");
    }
    objects_settle(number, result == 1);
    if (result == 1) {
        are_gone(set, key, since);
    }
    return result;
}

static int pop(void *set, uint64_t *key)
{
    uint64_t since = sched_clock();
    void *object = NULL;
    int result = lfset_obj_pop(set, &object);
    if ((result == 1) != (object != NULL)) {
        sched_fail("pop answers %d, with an object or not", result);
    }
    if (result == 1) {
        *key = receive(object, since, true);
    } else if (result == 0) {
        objects_are_all_gone(since);
    }
    return result;
}

/* ---- many keys ---------------------------------------------------------------------------------- */

static int64_t add_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    uint64_t since = sched_clock();
    void *objects[PLAN_KEYS];
    uint32_t numbers[PLAN_KEYS];
    for (size_t i = 0; i < count; i++) {
        struct object *object = objects_make(keys[i]);
        objects[i] = object;
        numbers[i] = object->number;
    }
    int64_t total = lfset_obj_add_many(set, objects, count, results);
    for (size_t i = 0; i < count; i++) {
        objects_settle(numbers[i], results[i] == 1);
        if (results[i] == 1) {
            are_gone(set, keys[i], since);
        }
    }
    return total;
}

static int64_t remove_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    uint64_t since = sched_clock();
    struct object sought[PLAN_KEYS];
    const void *objects[PLAN_KEYS];
    for (size_t i = 0; i < count; i++) {
        sought[i] = object_sought(keys[i]);
        objects[i] = &sought[i];
    }
    int64_t total = lfset_obj_remove_many(set, objects, count, results);
    for (size_t i = 0; i < count; i++) {
        if (results[i] >= 0) {
            are_gone(set, keys[i], since);
        }
    }
    return total;
}

static int64_t contains_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    struct object sought[PLAN_KEYS];
    const void *objects[PLAN_KEYS];
    for (size_t i = 0; i < count; i++) {
        sought[i] = object_sought(keys[i]);
        objects[i] = &sought[i];
    }
    return lfset_obj_contains_many(set, objects, count, results);
}

/* ---- the whole set ------------------------------------------------------------------------------ */

static int take_all(void *set, bool drain, void **snapshot)
{
    uint64_t since = sched_clock();
    int result = take(set, drain, snapshot);
    if (result == 0 && drain) {
        objects_are_all_gone(since);
    }
    return result;
}

static int64_t snapshot_copy(void *snapshot, struct subject_keys *keys, uint64_t drained)
{
    void *objects[SUBJECT_KEYS];
    int64_t count = lfset_obj_snapshot_copy(snapshot, objects, SUBJECT_KEYS);
    for (int64_t i = 0; i < count; i++) {
        subject_show(keys, objects_show(objects[i], keys->since));
        if (drained) {
            objects_take(objects[i], drained);
        }
    }
    return count;
}

static int snapshot_contains(void *snapshot, uint64_t key)
{
    struct object sought = object_sought(key);
    return lfset_obj_snapshot_contains(snapshot, &sought);
}

static int64_t clear_all(void *set)
{
    uint64_t since = sched_clock();
    int64_t result = clear(set);
    if (result >= 0) {
        objects_are_all_gone(since);
    }
    return result;
}

static int64_t size_of(void *set)
{
    uint64_t since = sched_clock();
    int64_t result = size(set);
    if (result == 0) {
        objects_are_all_gone(since);
    }
    return result;
}

static int is_empty_now(void *set)
{
    uint64_t since = sched_clock();
    int result = is_empty(set);
    if (result == 1) {
        objects_are_all_gone(since);
    }
    return result;
}

static int purge(void *set)
{
    return lfset_obj_purge(set);
}

static int visit(void *object, void *ctx)
{
    struct subject_keys *keys = ctx;
    subject_show(keys, objects_show(object, keys->since));
    return 0;
}

static int each(void *set, struct subject_keys *keys)
{
    return lfset_obj_each(set, visit, keys, NULL);
}

static int wait_present(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    struct object sought = object_sought(key);
    return lfset_obj_wait_present(set, &sought, cancel);
}

static int wait_absent(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    struct object sought = object_sought(key);
    return lfset_obj_wait_absent(set, &sought, cancel);
}

const struct subject subject_obj = {
    .sections = true,
    .create = create,
    .destroy = destroy,
    .key_at = key_at,
    .word_key = word_key,
    .blocks = blocks,
    .add = add,
    .remove = remove_key,
    .contains = contains,
    .pop = pop,
    .get = get,
    .add_or_get = add_or_get,
    .add_many = add_many,
    .remove_many = remove_many,
    .contains_many = contains_many,
    .take = take_all,
    .snapshot_copy = snapshot_copy,
    .snapshot_count = snapshot_count,
    .snapshot_contains = snapshot_contains,
    .snapshot_destroy = snapshot_destroy,
    .clone = clone,
    .clear = clear_all,
    .size = size_of,
    .is_empty = is_empty_now,
    .each = each,
    .reserve = reserve,
    .purge = purge,
    .look = look,
    .validate = validate,
    .wait_present = wait_present,
    .wait_absent = wait_absent,
    .wait_empty = wait_empty,
};

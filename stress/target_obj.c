// SPDX-License-Identifier: MIT
/*
 * lfset_obj as a target. Objects carry marks, so that one that is used after it was destroyed, destroyed
 * twice, or never, is noticed: destroyed ones are overwritten and kept for a while before their memory
 * is used again. Half of the adds are add_or_get, half of the contains are get: the object found is
 * looked at again after others had time to remove and destroy it.
 *
 * Hashes are equal for pairs of keys, so that `equal` must decide.
 */
#include "target.h"

#include <errno.h>
#include <lfset/obj.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#define MARK 0x6f626a6563742121u
#define GONE 0xdeadu

/* Destroyed objects wait here; a power of two. */
#define ATTIC 4096

struct object {
    uint64_t mark;
    uint64_t key;
    uint64_t check; /* ~key */
    atomic_int destroyed;
};

struct objects {
    struct lfset_obj *set;
    atomic_llong live; /* accepted and not destroyed */
};

static struct {
    atomic_uint next;
    _Atomic(struct object *) objects[ATTIC];
} attic;

/* Chooses between two functions that answer the same. */
static _Thread_local unsigned turn;

static void attic_put(struct object *object)
{
    free(atomic_exchange(&attic.objects[atomic_fetch_add(&attic.next, 1) % ATTIC], object));
}

static void examine(const struct object *object, const char *where)
{
    if (object->mark != MARK || object->check != ~object->key)
        target_notice("%s met an object that is destroyed or was never one", where);
}

static struct object probe(uint64_t key)
{
    return (struct object){.mark = MARK, .key = key, .check = ~key};
}

/* ---------------------------------------------------------------- callbacks */

static uint64_t type_hash(void *ctx, const void *key)
{
    const struct object *object = key;

    (void)ctx;
    examine(object, "hash");
    return (object->key / 2 + 1) * 0x9e3779b97f4a7c15u;
}

static int type_equal(void *ctx, const void *object, const void *key)
{
    const struct object *a = object, *b = key;

    (void)ctx;
    examine(a, "equal");
    examine(b, "equal");
    return a->key == b->key;
}

static int type_compare(void *ctx, const void *a, const void *b)
{
    const struct object *x = a, *y = b;

    (void)ctx;
    examine(x, "compare");
    examine(y, "compare");
    return (x->key > y->key) - (x->key < y->key);
}

static void type_destroy(void *ctx, void *victim)
{
    struct objects *objects = ctx;
    struct object *object = victim;

    if (atomic_exchange(&object->destroyed, 1) != 0) {
        target_notice("an object was destroyed twice");
        return;
    }
    examine(object, "destroy");
    object->mark = GONE;
    object->key = GONE;
    object->check = 0;
    atomic_fetch_sub(&objects->live, 1);
    attic_put(object);
}

/* ---------------------------------------------------------------- the set */

static int obj_create(const struct target_options *options, void **set)
{
    const struct lfset_options o = target_lfset_options(options);
    struct lfset_obj_type type = LFSET_OBJ_TYPE_INIT;
    struct objects *objects = calloc(1, sizeof(*objects));

    *set = objects;
    if (!objects)
        return -ENOMEM;
    type.ctx = objects;
    type.hash = type_hash;
    type.equal = type_equal;
    type.destroy = type_destroy;
    type.compare = type_compare;
    type.object_bytes = sizeof(struct object);
    const int rc = lfset_obj_create(&objects->set, &type, &o);
    if (rc != 0) {
        free(objects);
        *set = NULL;
    }
    return rc;
}

/* The set has destroyed what it held, and the barrier waits for what it removed before. */
static int obj_destroy(void *set)
{
    struct objects *objects = set;
    int rc = lfset_obj_destroy(objects->set);

    if (rc == 0)
        rc = lfset_barrier();
    if (rc != 0)
        return rc;
    const long long live = atomic_load(&objects->live);
    if (live != 0) {
        target_notice("%lld objects were never destroyed, though set and barrier are done", live);
        return 0; /* who knows who still calls back: `objects` stays */
    }
    free(objects);
    return 0;
}

static struct object *object_new(struct objects *objects, uint64_t key)
{
    struct object *object = malloc(sizeof(*object));

    if (object) {
        *object = probe(key);
        /* Counted before it is in: it may be destroyed before add returns. */
        atomic_fetch_add(&objects->live, 1);
    }
    return object;
}

/* The set has not taken it. */
static void object_free(struct objects *objects, struct object *object)
{
    if (atomic_load(&object->destroyed))
        target_notice("an object was destroyed that the set had not accepted");
    examine(object, "add");
    atomic_fetch_sub(&objects->live, 1);
    attic_put(object);
}

/* The object must stay as it is for as long as the section lasts. */
static void hold(const struct object *object, uint64_t key, const char *where)
{
    examine(object, where);
    if (object->key != key)
        target_notice("%s answered the object of another key", where);
    if (turn % 16 == 0)
        sched_yield();
    examine(object, where);
}

static int add_or_get(struct objects *objects, struct object *object, uint64_t key)
{
    void *present = NULL;
    int rc = lfset_section_enter();

    if (rc != 0)
        return rc;
    rc = lfset_obj_add_or_get(objects->set, object, &present);
    if (rc >= 0 && (present == object) != (rc == 1))
        target_notice("add_or_get answered %d and the wrong object", rc);
    if (rc >= 0)
        hold(present, key, "add_or_get");
    lfset_section_leave();
    return rc;
}

static int obj_add(void *set, uint64_t key)
{
    struct objects *objects = set;
    struct object *object = object_new(objects, key);

    if (!object)
        return -ENOMEM;
    const int rc =
        ++turn % 2 ? lfset_obj_add(objects->set, object) : add_or_get(objects, object, key);
    if (rc != 1)
        object_free(objects, object);
    return rc;
}

static int obj_remove(void *set, uint64_t key)
{
    const struct objects *objects = set;
    const struct object wanted = probe(key);

    return lfset_obj_remove(objects->set, &wanted);
}

static int get(const struct objects *objects, const struct object *wanted)
{
    void *found = NULL;
    int rc = lfset_section_enter();

    if (rc != 0)
        return rc;
    rc = lfset_obj_get(objects->set, wanted, &found);
    if ((rc == 1) != (found != NULL))
        target_notice("get answered %d and %s", rc, found ? "an object" : "none");
    if (rc == 1)
        hold(found, wanted->key, "get");
    lfset_section_leave();
    return rc;
}

static int obj_contains(void *set, uint64_t key)
{
    const struct objects *objects = set;
    const struct object wanted = probe(key);

    return ++turn % 2 ? lfset_obj_contains(objects->set, &wanted) : get(objects, &wanted);
}

static int64_t obj_add_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    struct objects *objects = set;
    void *added[TARGET_BATCH] = {NULL};
    size_t made = 0;

    while (made < count && (added[made] = object_new(objects, keys[made])) != NULL)
        made++;
    const int64_t rc = lfset_obj_add_many(objects->set, added, made, results);
    for (size_t i = 0; i < made; i++)
        if (results[i] != 1)
            object_free(objects, added[i]);
    for (size_t i = made; i < count; i++)
        results[i] = -ENOMEM;
    return made < count ? -ENOMEM : rc;
}

static void batch_probe(struct object *probes, const void **pointers, const uint64_t *keys,
                        size_t count)
{
    for (size_t i = 0; i < count; i++) {
        probes[i] = probe(keys[i]);
        pointers[i] = &probes[i];
    }
}

static int64_t obj_remove_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    const struct objects *objects = set;
    struct object probes[TARGET_BATCH];
    const void *pointers[TARGET_BATCH];

    batch_probe(probes, pointers, keys, count);
    return lfset_obj_remove_many(objects->set, pointers, count, results);
}

static int64_t obj_contains_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    const struct objects *objects = set;
    struct object probes[TARGET_BATCH];
    const void *pointers[TARGET_BATCH];

    batch_probe(probes, pointers, keys, count);
    return lfset_obj_contains_many(objects->set, pointers, count, results);
}

static int obj_pop(void *set, uint64_t *key)
{
    const struct objects *objects = set;
    void *popped = NULL;
    int rc = lfset_section_enter();

    if (rc != 0)
        return rc;
    rc = lfset_obj_pop(objects->set, &popped);
    if (rc == 1) {
        *key = ((const struct object *)popped)->key;
        hold(popped, *key, "pop");
    }
    lfset_section_leave();
    return rc;
}

static int64_t obj_size(void *set)
{
    const struct objects *objects = set;

    return lfset_obj_size(objects->set, NULL);
}

static int obj_is_empty(void *set)
{
    const struct objects *objects = set;

    return lfset_obj_is_empty(objects->set);
}

static int64_t obj_clear(void *set)
{
    const struct objects *objects = set;

    return lfset_obj_clear(objects->set, NULL);
}

static int obj_snapshot(void *set, void **taken)
{
    const struct objects *objects = set;
    struct lfset_obj_snapshot *snapshot = NULL;
    const int rc = lfset_obj_snapshot_take(objects->set, &snapshot, NULL);

    *taken = snapshot;
    return rc;
}

static int obj_drain(void *set, void **taken)
{
    const struct objects *objects = set;
    struct lfset_obj_snapshot *snapshot = NULL;
    const int rc = lfset_obj_drain(objects->set, &snapshot, NULL);

    *taken = snapshot;
    return rc;
}

static int64_t obj_taken_count(void *taken)
{
    return lfset_obj_snapshot_count(taken);
}

static int64_t obj_taken_copy(void *taken, uint64_t *keys, size_t max)
{
    void **found = malloc((max + 1) * sizeof(*found));

    if (!found)
        return -ENOMEM;
    const int64_t count = lfset_obj_snapshot_copy(taken, found, max);
    for (int64_t i = 0; i < count; i++) {
        const struct object *object = found[i];

        examine(object, "a snapshot");
        keys[i] = object->key;
        if (i > 0 && keys[i - 1] >= keys[i])
            target_notice("a snapshot's objects do not ascend");
    }
    free(found);
    return count;
}

static int obj_taken_contains(void *taken, uint64_t key)
{
    const struct object wanted = probe(key);

    return lfset_obj_snapshot_contains(taken, &wanted);
}

static void obj_taken_destroy(void *taken)
{
    lfset_obj_snapshot_destroy(taken);
}

struct visitor {
    int (*visit)(uint64_t key, void *ctx);
    void *ctx;
};

static int visit_object(void *object, void *ctx)
{
    const struct visitor *visitor = ctx;
    const struct object *o = object;

    examine(o, "a visit");
    const uint64_t key = o->key;
    const int rc = visitor->visit(key, visitor->ctx);
    hold(o, key, "a visit"); /* still: others may have removed it meanwhile */
    return rc;
}

static int obj_each(const void *set, int (*visit)(uint64_t key, void *ctx), void *ctx)
{
    const struct objects *objects = set;
    struct visitor visitor = {visit, ctx};

    return lfset_obj_each(objects->set, visit_object, &visitor, NULL);
}

static int64_t obj_remove_if(void *set, int (*unwanted)(uint64_t key, void *ctx), void *ctx)
{
    const struct objects *objects = set;
    struct visitor visitor = {unwanted, ctx};

    return lfset_obj_remove_if(objects->set, visit_object, &visitor, NULL);
}

static int obj_reserve(void *set, uint64_t capacity)
{
    const struct objects *objects = set;

    return lfset_obj_reserve(objects->set, capacity, NULL);
}

static int obj_purge(void *set)
{
    const struct objects *objects = set;

    return lfset_obj_purge(objects->set);
}

static int obj_wait_present(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    const struct objects *objects = set;
    const struct object wanted = probe(key);

    return lfset_obj_wait_present(objects->set, &wanted, cancel);
}

static int obj_wait_absent(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    const struct objects *objects = set;
    const struct object wanted = probe(key);

    return lfset_obj_wait_absent(objects->set, &wanted, cancel);
}

static int obj_wait_empty(void *set, const struct lfset_cancel *cancel)
{
    const struct objects *objects = set;

    return lfset_obj_wait_empty(objects->set, cancel);
}

static int obj_validate(const void *set, const char **reason)
{
    const struct objects *objects = set;

    return lfset_obj_validate(objects->set, reason);
}

static int obj_counters(const void *set, struct target_counters *counters)
{
    const struct objects *objects = set;
    struct lfset_stats stats = {.size = sizeof(stats)};
    const int rc = lfset_obj_stats_read(objects->set, &stats);

    if (rc == 0)
        *counters = target_lfset_counters(&stats);
    return rc;
}

const struct target target_obj = {
    .name = "obj",
    .about = "lfset_obj, the set of the user's own objects",
    .has_domains = 1,
    .create = obj_create,
    .destroy = obj_destroy,
    .add = obj_add,
    .remove = obj_remove,
    .contains = obj_contains,
    .add_many = obj_add_many,
    .remove_many = obj_remove_many,
    .contains_many = obj_contains_many,
    .pop = obj_pop,
    .size = obj_size,
    .is_empty = obj_is_empty,
    .clear = obj_clear,
    .snapshot = obj_snapshot,
    .drain = obj_drain,
    .taken_count = obj_taken_count,
    .taken_copy = obj_taken_copy,
    .taken_contains = obj_taken_contains,
    .taken_destroy = obj_taken_destroy,
    .each = obj_each,
    .each_is_concurrent = 1,
    .remove_if = obj_remove_if,
    .reserve = obj_reserve,
    .purge = obj_purge,
    .wait_present = obj_wait_present,
    .wait_absent = obj_wait_absent,
    .wait_empty = obj_wait_empty,
    .validate = obj_validate,
    .counters = obj_counters,
    .attach = lfset_thread_attach,
    .detach = lfset_thread_detach,
    .section_enter = lfset_section_enter,
    .section_leave = lfset_section_leave,
};

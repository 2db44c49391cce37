// SPDX-License-Identifier: MIT
/*
 * A number becomes an object that knows it. Each object that a set accepted must be destroyed once,
 * and not while a section that was handed it is open.
 */
#include "lfset/obj.h"

#define KIND obj
#include "kind_common.h"

enum { HELD = 256, BATCH = 1024 };

struct object {
    uint64_t key;
};

static bool colliding;
static int64_t alive; /* objects that a set owns */
static struct {
    struct object *object;
    uint64_t key;
} handed[HELD];
static size_t handed_count;

static uint64_t hash(void *ctx, const void *key)
{
    const uint64_t number = ((const struct object *)key)->key;
    (void)ctx;
    return (colliding ? number % 8 : number) * UINT64_C(0x9e3779b97f4a7c15);
}

static int equal(void *ctx, const void *object, const void *key)
{
    (void)ctx;
    return ((const struct object *)object)->key == ((const struct object *)key)->key;
}

static void destroy_object(void *ctx, void *object)
{
    (void)ctx;
    alive--;
    free(object); // a second time is AddressSanitizer's to notice
}

static int order(void *ctx, const void *a, const void *b)
{
    const uint64_t x = ((const struct object *)a)->key, y = ((const struct object *)b)->key;
    (void)ctx;
    return (x > y) - (x < y);
}

static struct object *object_new(uint64_t key)
{
    struct object *object = malloc(sizeof *object);
    if (object == NULL)
        fail("no memory");
    object->key = key;
    return object;
}

/* The set owns what it accepted; the rest stays ours. */
static void settle(struct object *object, int64_t result)
{
    if (result == 1)
        alive++;
    else
        free(object);
}

static void begin(uint64_t seed, bool collide)
{
    (void)seed;
    colliding = collide;
    alive = 0;
    handed_count = 0;
}

static uint64_t key_of(uint8_t which)
{
    return which;
}

static void end(void)
{
    if (alive != 0)
        fail("obj: %lld objects were not destroyed", (long long)alive);
}

static int create(void **out, const struct lfset_options *options)
{
    struct lfset_obj_type type = LFSET_OBJ_TYPE_INIT;
    struct lfset_obj *set = NULL;
    type.hash = hash;
    type.equal = equal;
    type.destroy = destroy_object;
    type.compare = order;
    type.object_bytes = sizeof(struct object);
    int result = lfset_obj_create(&set, &type, options);
    return made(result, set, out);
}

static int add(void *set, uint64_t key)
{
    struct object *object = object_new(key);
    const int result = lfset_obj_add(set, object);
    settle(object, result);
    return result;
}

static int remove_key(void *set, uint64_t key)
{
    return lfset_obj_remove(set, &(struct object){key});
}

static int contains(const void *set, uint64_t key)
{
    return lfset_obj_contains(set, &(struct object){key});
}

static void hand_out(struct object *object, uint64_t key)
{
    if (object->key != key)
        fail("obj: %llu is handed out for %llu", (unsigned long long)object->key,
             (unsigned long long)key);
    if (handed_count < HELD) {
        handed[handed_count].object = object;
        handed[handed_count++].key = key;
    }
}

static void held(bool ending)
{
    for (size_t i = 0; i < handed_count; i++)
        if (handed[i].object->key != handed[i].key)
            fail("obj: an object changed that a section holds");
    if (ending)
        handed_count = 0;
}

static int get(void *set, uint64_t key)
{
    void *object = NULL;
    const int result = lfset_obj_get(set, &(struct object){key}, &object);
    if (result == 1)
        hand_out(object, key);
    else if (object != NULL)
        fail("obj: an object is handed out with the answer %d", result);
    return result;
}

static int add_or_get(void *set, uint64_t key)
{
    struct object *object = object_new(key);
    void *present = NULL;
    const int result = lfset_obj_add_or_get(set, object, &present);
    if (result >= 0) {
        if ((result == 1) != (present == object))
            fail("obj: add_or_get answers %d with %s object", result,
                 present == object ? "the given" : "another");
        hand_out(present, key);
    }
    settle(object, result);
    return result;
}

static int pop(void *set, uint64_t *key)
{
    void *object = NULL;
    const int result = lfset_obj_pop(set, &object);
    if (result == 1) {
        *key = ((struct object *)object)->key;
        hand_out(object, *key);
    }
    return result;
}

static int64_t many(void *set, enum kind_many what, const uint64_t *keys, size_t count,
                    int8_t *results)
{
    static struct object objects[BATCH];
    static const void *pointers[BATCH];
    static void *given[BATCH];
    for (size_t i = 0; i < count; i++) {
        objects[i].key = keys[i];
        pointers[i] = &objects[i];
        given[i] = what == KIND_ADD ? object_new(keys[i]) : NULL;
    }
    if (what != KIND_ADD)
        return what == KIND_REMOVE ? lfset_obj_remove_many(set, pointers, count, results)
                                   : lfset_obj_contains_many(set, pointers, count, results);
    const int64_t result = lfset_obj_add_many(set, given, count, results);
    for (size_t i = 0; i < count; i++)
        settle(given[i], results[i]);
    return result;
}

struct visit {
    kind_visit *visit;
    void *ctx;
};

static int visit_object(void *object, void *ctx)
{
    const struct visit *visit = ctx;
    return visit->visit(((struct object *)object)->key, visit->ctx);
}

static int each(const void *set, kind_visit *visit, void *ctx, const struct lfset_cancel *cancel)
{
    return lfset_obj_each(set, visit_object, &(struct visit){visit, ctx}, cancel);
}

static int64_t remove_if(void *set, kind_visit *unwanted, void *ctx,
                         const struct lfset_cancel *cancel)
{
    return lfset_obj_remove_if(set, visit_object, &(struct visit){unwanted, ctx}, cancel);
}

static int wait_for(void *set, enum kind_wait what, uint64_t key, const struct lfset_cancel *cancel)
{
    const struct object object = {key};
    return what == KIND_PRESENT  ? lfset_obj_wait_present(set, &object, cancel)
           : what == KIND_ABSENT ? lfset_obj_wait_absent(set, &object, cancel)
                                 : lfset_obj_wait_empty(set, cancel);
}

static int snapshot_contains(const void *snapshot, uint64_t key)
{
    return lfset_obj_snapshot_contains(snapshot, &(struct object){key});
}

static int snapshot_each(void *snapshot, kind_visit *visit, void *ctx)
{
    return lfset_obj_snapshot_each(snapshot, visit_object, &(struct visit){visit, ctx}, NULL);
}

static int64_t snapshot_copy(void *snapshot, uint64_t *keys, size_t max)
{
    void **objects = malloc((max + 1) * sizeof *objects);
    if (objects == NULL)
        fail("no memory");
    const int64_t count = lfset_obj_snapshot_copy(snapshot, objects, max);
    for (int64_t i = 0; i < count; i++)
        keys[i] = ((struct object *)objects[i])->key;
    free(objects);
    return count;
}

static int purge(void *set)
{
    return lfset_obj_purge(set);
}

static int64_t probe_lengths(const void *set, uint64_t *histogram, size_t length)
{
    return lfset_obj_probe_lengths(set, histogram, length);
}

const struct kind kind_obj = {KIND_COMMON,    KIND_KEYED,
                              .purge = purge, .probe_lengths = probe_lengths,
                              .get = get,     .add_or_get = add_or_get,
                              .held = held};

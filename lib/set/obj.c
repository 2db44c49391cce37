// SPDX-License-Identifier: MIT
/**
 * @file obj.c
 * The set of the user's objects: nodes that point to them.
 *
 * Who destroys an object: whoever drops the last reference to its node, outside of any walk. Within a walk
 * the thread relies on its hazards, which a callback that uses sets would overwrite, so the node waits on
 * a list of the thread's until the walk is over. The list also makes a cascade, objects whose destruction
 * destroys others, a loop instead of a recursion.
 */
#define _GNU_SOURCE
#include "lfset/obj.h"

#include "set/obj.h"

#define LFSET__REVIVE_WITH_NEW 1
#define LFSET__CALLS_BACK
#include "set/node_operations.h"

struct lfset_obj {
    struct lfset__set base;
    struct lfset_obj_type type; // never changes
};

struct lfset_obj_snapshot {
    struct lfset__node_snapshot base;
};

struct obj_node {
    struct lfset__linked_node linked; // its node's length is 1: an alias
    void *object;
};

/* An object that belongs to another set's node. Words never name a node of another set: it could lie in two
 * graveyards at once, or come back to a word it had been displaced from. */
struct alias {
    struct obj_node node;
    struct lfset__node *origin; // held, and with it
    struct lfset__set *set;     // its set
};

static struct obj_node *obj_of(const struct lfset__node *node)
{
    return (struct obj_node *)(uintptr_t)node;
}

LFSET__INLINE struct lfset__set *base_of(const struct lfset_obj *set)
{
    return (struct lfset__set *)(uintptr_t)&set->base;
}

LFSET__INLINE const struct lfset_obj_type *type_of(const struct lfset__set *set)
{
    return &((const struct lfset_obj *)set)->type;
}

LFSET__INLINE struct lfset__key key_of(const struct lfset__set *set, const void *object)
{
    const struct lfset_obj_type *type = type_of(set);
    return (struct lfset__key){.hash = type->hash(type->ctx, object), .data = object, .set = set};
}

/* ---- nodes -------------------------------------------------------------------------------------- */

/* Frees the node; what it stood for is let go. */
static void free_node(struct lfset__set *set, struct lfset__node *node)
{
    if (!node->length) {
        lfset__free(&set->allocator, node, sizeof(struct obj_node), LFSET__NODE_ALIGN);
        return;
    }
    const struct alias alias = *(const struct alias *)(const void *)node;
    lfset__free(&set->allocator, node, sizeof alias, LFSET__NODE_ALIGN);
    lfset__drop(alias.set, alias.origin);
    lfset__set_drop(alias.set);
}

/* Each of the ended holds its set, found in the hash that nobody needs any more. */
static void end_all(void)
{
    if (lfset__local.walks > 0 || lfset__local.ending) {
        return;
    }
    lfset__local.ending = true;
    while (lfset__local.ended) {
        struct obj_node *node = (struct obj_node *)lfset__local.ended;
        lfset__local.ended = node->linked.next;
        struct lfset__set *set = (struct lfset__set *)(uintptr_t)node->linked.node.hash;
        const struct lfset_obj_type *type = type_of(set);
        if (type->destroy && !node->linked.node.length) {
            type->destroy(type->ctx, node->object);
        }
        free_node(set, &node->linked.node);
        lfset__set_drop(set);
    }
    lfset__local.ending = false;
}

/* The last reference is gone. */
static void lfset__node_end(struct lfset__set *set, struct lfset__node *node)
{
    struct obj_node *last = obj_of(node);
    lfset__set_hold(set);
    node->hash = (uint64_t)(uintptr_t)set;
    last->linked.next = (struct lfset__linked_node *)lfset__local.ended;
    lfset__local.ended = last;
    end_all();
}

LFSET__INLINE void lfset__walk_begins(void)
{
    lfset__local.walks++;
}

LFSET__INLINE void lfset__walk_ends(void)
{
    lfset__local.walks--;
}

LFSET__INLINE void lfset__after_walk(void)
{
    if (lfset__unlikely(lfset__local.ended != NULL)) {
        end_all();
    }
}

static bool lfset__node_equals(const struct lfset__set *set, const struct lfset__node *node,
                               const struct lfset__key *key)
{
    const struct lfset_obj_type *type = type_of(set);
    const void *object = obj_of(node)->object;
    return object == key->data || type->equal(type->ctx, object, key->data);
}

static struct lfset__node *lfset__node_make(struct lfset__set *set, const struct lfset__key *key)
{
    size_t bytes = key->origin ? sizeof(struct alias) : sizeof(struct obj_node);
    struct lfset__node *node = lfset__node_alloc(set, bytes);
    if (!node) {
        return NULL;
    }
    node->hash = key->hash;
    node->length = key->origin != NULL;
    obj_of(node)->object = (void *)(uintptr_t)key->data;
    if (key->origin) {
        struct alias *alias = (struct alias *)(void *)node;
        alias->origin = key->origin;
        alias->set = key->origin_set;
        lfset__node_hold(alias->origin); // N2: the caller's snapshot has a reference
        lfset__set_hold(alias->set);
    }
    return node;
}

/* The object was not accepted. */
static void lfset__node_unmake(struct lfset__set *set, struct lfset__node *node)
{
    free_node(set, node);
}

static size_t lfset__node_weight(const struct lfset__set *set, const struct lfset__node *node)
{
    size_t bytes = type_of(set)->object_bytes;
    (void)node;
    return sizeof(struct obj_node) + (bytes ? bytes : 64);
}

static size_t lfset__key_weight(const struct lfset__key *key)
{
    return lfset__node_weight(key->set, NULL);
}

static struct lfset__key lfset__node_key(const struct lfset__set *set,
                                         const struct lfset__node *node)
{
    return (struct lfset__key){.hash = node->hash, .data = obj_of(node)->object, .set = set};
}

static uint64_t lfset__node_prefix(const struct lfset__node *node)
{
    (void)node;
    return 0;
}

static int lfset__compare_entries(const void *a, const void *b, void *set)
{
    const struct lfset_obj_type *type = type_of((const struct lfset__set *)set);
    const struct lfset__entry *x = (const struct lfset__entry *)a,
                              *y = (const struct lfset__entry *)b;
    return type->compare
               ? type->compare(type->ctx, obj_of(x->node)->object, obj_of(y->node)->object)
               : 0;
}

/* ---- creation ----------------------------------------------------------------------------------- */

int lfset_obj_create(struct lfset_obj **set, const struct lfset_obj_type *type,
                     const struct lfset_options *options)
{
    if (!set) {
        return -EINVAL;
    }
    *set = NULL;
    if (!type || type->size != sizeof *type || !type->hash || !type->equal) {
        return -EINVAL;
    }
    static const struct lfset__set_type set_type = {LFSET_KIND_OBJ, sizeof **set, &lfset__nodes,
                                                    &lfset__about_ops};
    struct lfset__set *made;
    int error = lfset__set_create(&made, &set_type, options);
    if (made) {
        *set = (struct lfset_obj *)made;
        (*set)->type = *type;
        lfset__set_list(made);
    }
    return error;
}

int lfset_obj_destroy(struct lfset_obj *set)
{
    return set ? lfset__set_close(&set->base) : 0;
}

void lfset__obj_options(const struct lfset_obj *set, struct lfset_options *options)
{
    lfset__set_options(&set->base, options);
}

const struct lfset_obj_type *lfset__obj_type(const struct lfset_obj *set)
{
    return &set->type;
}

const struct lfset_obj_type *lfset__obj_snapshot_type(const struct lfset_obj_snapshot *snapshot)
{
    return type_of(snapshot->base.slice->set);
}

/* ---- one key ------------------------------------------------------------------------------------ */

int lfset_obj_add(struct lfset_obj *set, void *object)
{
    if (lfset__unlikely(!set || !object)) {
        return -EINVAL;
    }
    struct lfset__key key = key_of(base_of(set), object);
    return lfset__one(base_of(set), &key, LFSET__ADD);
}

int lfset_obj_remove(struct lfset_obj *set, const void *object)
{
    if (lfset__unlikely(!set || !object)) {
        return -EINVAL;
    }
    struct lfset__key key = key_of(base_of(set), object);
    return lfset__one(base_of(set), &key, LFSET__REMOVE);
}

int lfset_obj_contains(const struct lfset_obj *set, const void *object)
{
    if (lfset__unlikely(!set || !object)) {
        return -EINVAL;
    }
    struct lfset__key key = key_of(base_of(set), object);
    return lfset__one(base_of(set), &key, LFSET__CONTAINS);
}

int lfset__obj_add_shared(struct lfset_obj *set, const struct lfset_obj_snapshot *from,
                          void *object)
{
    struct lfset__key key = key_of(from->base.slice->set, object);
    struct lfset__probe probe = lfset__probe_key(from->base.slice, &key);
    uint64_t word;
    if (lfset__find_first(&probe, &word) != LFSET__FOUND_BOUND || !(word & LFSET__LIVE)) {
        return -EINVAL;
    }
    struct lfset__key shared = lfset__node_key(base_of(set), lfset__word_node(word));
    shared.origin = lfset__word_node(word);
    shared.origin_set = from->base.slice->set;
    return lfset__one(base_of(set), &shared, LFSET__ADD);
}

/* ---- references --------------------------------------------------------------------------------- */

static void drop_kept(void *owner, void *what)
{
    lfset__drop((struct lfset__set *)owner, (struct lfset__node *)what);
}

/* @return 0: a reference may be handed out; -EPERM, -ENOMEM. */
static int prepare_reference(const struct lfset_obj *set)
{
    if (!lfset__self || lfset__self->sections == 0) {
        return -EPERM;
    }
    return lfset__domain(&set->base) == LFSET_HP ? lfset__keep_promise() : 0;
}

static void no_reference(const struct lfset_obj *set)
{
    if (lfset__domain(&set->base) == LFSET_HP) {
        lfset__keep_nothing();
    }
}

/* A node that is held becomes the section's. RCU: the critical section outlasts every slice that showed
 * the node. @return its object. */
static void *hand_out(const struct lfset_obj *set, struct lfset__node *node)
{
    void *object = obj_of(node)->object;
    if (lfset__domain(&set->base) == LFSET_HP) {
        lfset__keep((struct lfset__kept){drop_kept, base_of(set), node});
    } else {
        lfset__drop(base_of(set), node);
    }
    return object;
}

int lfset_obj_add_or_get(struct lfset_obj *set, void *object, void **present)
{
    if (!present) {
        return -EINVAL;
    }
    *present = NULL;
    if (!set || !object) {
        return -EINVAL;
    }
    int error = prepare_reference(set);
    if (error) {
        return error;
    }
    struct lfset__key key = key_of(base_of(set), object);
    key.wants_seen = true;
    int result = lfset__one(base_of(set), &key, LFSET__ADD);
    if (result >= 0) {
        *present = hand_out(set, key.seen);
    } else {
        no_reference(set);
    }
    return result;
}

int lfset_obj_get(const struct lfset_obj *set, const void *sought, void **object)
{
    if (!object) {
        return -EINVAL;
    }
    *object = NULL;
    if (!set || !sought) {
        return -EINVAL;
    }
    int error = prepare_reference(set);
    if (error) {
        return error;
    }
    struct lfset__key key = key_of(base_of(set), sought);
    key.wants_seen = true;
    int result = lfset__one(base_of(set), &key, LFSET__CONTAINS);
    if (result == 1) {
        *object = hand_out(set, key.seen);
    } else {
        no_reference(set);
    }
    return result;
}

int lfset_obj_pop(struct lfset_obj *set, void **object)
{
    struct lfset__walk walk;
    if (!object) {
        return -EINVAL;
    }
    *object = NULL;
    if (!set) {
        return -EINVAL;
    }
    int error = prepare_reference(set);
    if (error) {
        return error;
    }
    if (!lfset__enter(&walk, base_of(set))) {
        no_reference(set);
        return -ENOMEM;
    }
    struct lfset__popped popped = {.limit = SIZE_MAX}; // an alias has a length, too
    int result = lfset__pop_in(&walk, &popped);
    lfset__walk_leave(&walk);
    if (result == 1) {
        lfset__observe_popped(base_of(set), popped.node);
        lfset__tell(base_of(set), popped.node->hash, LFSET__REMOVE, 1, lfset__probe_caller());
        *object = hand_out(set, popped.node);
    } else {
        no_reference(set);
    }
    return result;
}

/* ---- many keys ---------------------------------------------------------------------------------- */

static int64_t many(const struct lfset_obj *set, const void *const *objects, size_t count,
                    int8_t *results, const enum lfset__op op)
{
    struct lfset__tally tally = {.results = results, .caller = lfset__probe_caller()};
    struct lfset__key batch[LFSET__BATCH];
    if (!set || (!objects && count > 0)) {
        return -EINVAL;
    }
    for (size_t i = 0; i < count;) {
        size_t first = i, size = 0;
        while (i < count && size < LFSET__BATCH && objects[i]) {
            batch[size++] = key_of(base_of(set), objects[i++]);
        }
        if (size > 0) {
            lfset__batch(base_of(set), batch, first, size, &tally, op);
        } else {
            lfset__tally_add(&tally, i++, -EINVAL);
        }
    }
    return lfset__tally_end(&tally);
}

int64_t lfset_obj_add_many(struct lfset_obj *set, void *const *objects, size_t count,
                           int8_t *results)
{
    return many(set, (const void *const *)objects, count, results, LFSET__ADD);
}

int64_t lfset_obj_remove_many(struct lfset_obj *set, const void *const *objects, size_t count,
                              int8_t *results)
{
    return many(set, objects, count, results, LFSET__REMOVE);
}

int64_t lfset_obj_contains_many(const struct lfset_obj *set, const void *const *objects,
                                size_t count, int8_t *results)
{
    return many(set, objects, count, results, LFSET__CONTAINS);
}

/* ---- the whole set ------------------------------------------------------------------------------ */

int lfset_obj_reserve(struct lfset_obj *set, uint64_t capacity, const struct lfset_cancel *cancel)
{
    return set ? lfset__reserve(base_of(set), capacity, cancel) : -EINVAL;
}

int64_t lfset_obj_size_estimate(const struct lfset_obj *set)
{
    return set ? lfset__size_estimate(base_of(set)) : -EINVAL;
}

int lfset_obj_is_empty(struct lfset_obj *set)
{
    return set ? lfset__is_empty(base_of(set)) : -EINVAL;
}

int64_t lfset_obj_size(struct lfset_obj *set, const struct lfset_cancel *cancel)
{
    return set ? lfset__freeze_and_count(base_of(set), LFSET__SNAPSHOT, cancel) : -EINVAL;
}

int64_t lfset_obj_clear(struct lfset_obj *set, const struct lfset_cancel *cancel)
{
    return set ? lfset__freeze_and_count(base_of(set), LFSET__CLEAR, cancel) : -EINVAL;
}

int lfset_obj_purge(struct lfset_obj *set)
{
    return set ? lfset__purge(base_of(set)) : -EINVAL;
}

static int take(struct lfset_obj *set, enum lfset__kind kind, struct lfset_obj_snapshot **snapshot,
                const struct lfset_cancel *cancel)
{
    if (!snapshot) {
        return -EINVAL;
    }
    *snapshot = NULL;
    if (!set) {
        return -EINVAL;
    }
    struct lfset__node_snapshot *made;
    int error = lfset__snapshot_take(base_of(set), kind, &made, cancel);
    *snapshot = (struct lfset_obj_snapshot *)made;
    return error;
}

int lfset_obj_snapshot_take(struct lfset_obj *set, struct lfset_obj_snapshot **snapshot,
                            const struct lfset_cancel *cancel)
{
    return take(set, LFSET__SNAPSHOT, snapshot, cancel);
}

int lfset_obj_drain(struct lfset_obj *set, struct lfset_obj_snapshot **snapshot,
                    const struct lfset_cancel *cancel)
{
    return take(set, LFSET__CLEAR, snapshot, cancel);
}

struct each {
    struct lfset__visitor visitor;
    int (*visit)(void *object, void *ctx);
    void *ctx;
};

static int visit_word(const struct lfset__visitor *visitor, const struct lfset__slice *slice,
                      size_t index, uint64_t word)
{
    const struct each *each = (const struct each *)(const void *)visitor;
    (void)slice, (void)index;
    return each->visit(obj_of(lfset__word_node(word))->object, each->ctx);
}

int lfset_obj_each(const struct lfset_obj *set, int (*visit)(void *object, void *ctx), void *ctx,
                   const struct lfset_cancel *cancel)
{
    const struct each each = {{visit_word}, visit, ctx};
    return set && visit ? lfset__each(base_of(set), &each.visitor, cancel) : -EINVAL;
}

/* ---- snapshots ---------------------------------------------------------------------------------- */

int64_t lfset_obj_snapshot_count(const struct lfset_obj_snapshot *snapshot)
{
    return snapshot ? (int64_t)snapshot->base.count : -EINVAL;
}

int lfset_obj_snapshot_contains(const struct lfset_obj_snapshot *snapshot, const void *object)
{
    if (!snapshot || !object) {
        return -EINVAL;
    }
    struct lfset__key key = key_of(snapshot->base.slice->set, object);
    return lfset__snapshot_has(&snapshot->base, &key);
}

int lfset_obj_snapshot_each(struct lfset_obj_snapshot *snapshot,
                            int (*visit)(void *object, void *ctx), void *ctx,
                            const struct lfset_cancel *cancel)
{
    const struct lfset__entry *entries;
    if (!snapshot || !visit) {
        return -EINVAL;
    }
    int result = lfset__snapshot_order(&snapshot->base, &entries);
    for (uint64_t i = 0; i < snapshot->base.count && result == 0; i++) {
        result = i % 1024 == 0 ? lfset_cancel_check(cancel) : 0;
        if (result == 0) {
            result = visit(obj_of(entries[i].node)->object, ctx);
        }
    }
    return result;
}

int64_t lfset_obj_snapshot_copy(struct lfset_obj_snapshot *snapshot, void **objects, size_t max)
{
    const struct lfset__entry *entries;
    if (!snapshot || (!objects && max > 0)) {
        return -EINVAL;
    }
    int error = lfset__snapshot_order(&snapshot->base, &entries);
    if (error) {
        return error;
    }
    size_t count = snapshot->base.count < max ? (size_t)snapshot->base.count : max;
    for (size_t i = 0; i < count; i++) {
        objects[i] = obj_of(entries[i].node)->object;
    }
    return (int64_t)count;
}

void lfset_obj_snapshot_destroy(struct lfset_obj_snapshot *snapshot)
{
    if (snapshot) {
        lfset__snapshot_destroy(&snapshot->base);
    }
}

/* ---- waiting ------------------------------------------------------------------------------------ */

static int wait_for(struct lfset_obj *set, const void *object, int present,
                    const struct lfset_cancel *cancel)
{
    if (!set || !object) {
        return -EINVAL;
    }
    struct lfset__key key = key_of(base_of(set), object);
    return lfset__wait_for_key(base_of(set), &key, present, cancel);
}

int lfset_obj_wait_present(struct lfset_obj *set, const void *object,
                           const struct lfset_cancel *cancel)
{
    return wait_for(set, object, 1, cancel);
}

int lfset_obj_wait_absent(struct lfset_obj *set, const void *object,
                          const struct lfset_cancel *cancel)
{
    return wait_for(set, object, 0, cancel);
}

int lfset_obj_wait_empty(struct lfset_obj *set, const struct lfset_cancel *cancel)
{
    return set ? lfset__wait_for_empty(base_of(set), cancel) : -EINVAL;
}

/* ---- what it is made of ------------------------------------------------------------------------- */

int lfset_obj_stats_read(const struct lfset_obj *set, struct lfset_stats *stats)
{
    return set && stats ? lfset__stats(base_of(set), stats) : -EINVAL;
}

int64_t lfset_obj_probe_lengths(const struct lfset_obj *set, uint64_t *histogram, size_t length)
{
    return set ? lfset__probe_lengths(base_of(set), histogram, length) : -EINVAL;
}

int lfset_obj_validate(const struct lfset_obj *set, const char **reason)
{
    return set ? lfset__validate(base_of(set), reason) : -EINVAL;
}

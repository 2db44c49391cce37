// SPDX-License-Identifier: MIT
/**
 * @file bytes.c
 * The set of byte strings: nodes that are copies of keys.
 *
 * A node is never displaced: a key that is added again where it was removed revives the copy that is
 * there, which is equal.
 */
#define _GNU_SOURCE
#include "lfset/bytes.h"

#include "platform/random.h"
#include "set/bytes.h"

#define XXH_INLINE_ALL
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#include <xxhash.h>
#pragma GCC diagnostic pop

#define LFSET__REVIVE_WITH_NEW 0
#include "set/node_operations.h"

enum { SECRET_BYTES = 192 };

struct lfset_bytes {
    struct lfset__set base;
    unsigned char secret[SECRET_BYTES]; // never changes
};

struct lfset_bytes_snapshot {
    struct lfset__node_snapshot base;
};

struct bytes_node {
    struct lfset__node node;
    unsigned char data[];
};

static const struct bytes_node *bytes_of(const struct lfset__node *node)
{
    return (const struct bytes_node *)(const void *)node;
}

LFSET__INLINE struct lfset__set *base_of(const struct lfset_bytes *set)
{
    return (struct lfset__set *)(uintptr_t)&set->base;
}

LFSET__INLINE struct lfset__key key_of(const struct lfset__set *set, const void *data,
                                       size_t length)
{
    const struct lfset_bytes *whole = (const struct lfset_bytes *)set;
    return (struct lfset__key){
        .hash = XXH3_64bits_withSecret(data, length, whole->secret, SECRET_BYTES),
        .data = data,
        .length = length,
        .set = set,
    };
}

/* ---- nodes -------------------------------------------------------------------------------------- */

static void lfset__node_end(struct lfset__set *set, struct lfset__node *node)
{
    lfset__free(&set->allocator, node, sizeof(struct bytes_node) + node->length, LFSET__NODE_ALIGN);
}

static bool lfset__node_equals(const struct lfset__set *set, const struct lfset__node *node,
                               const struct lfset__key *key)
{
    (void)set;
    return node->length == key->length &&
           (key->length == 0 || memcmp(bytes_of(node)->data, key->data, key->length) == 0);
}

static struct lfset__node *lfset__node_make(struct lfset__set *set, const struct lfset__key *key)
{
    struct lfset__node *node = lfset__node_alloc(set, sizeof(struct bytes_node) + key->length);
    if (node) {
        node->hash = key->hash;
        node->length = (uint32_t)key->length;
        if (key->length > 0) {
            memcpy(((struct bytes_node *)(void *)node)->data, key->data, key->length);
        }
    }
    return node;
}

static void lfset__node_unmake(struct lfset__set *set, struct lfset__node *node)
{
    lfset__node_end(set, node);
}

static size_t lfset__node_weight(const struct lfset__set *set, const struct lfset__node *node)
{
    (void)set;
    return sizeof(struct bytes_node) + node->length;
}

static size_t lfset__key_weight(const struct lfset__key *key)
{
    return sizeof(struct bytes_node) + key->length;
}

static struct lfset__key lfset__node_key(const struct lfset__set *set,
                                         const struct lfset__node *node)
{
    return (struct lfset__key){
        .hash = node->hash,
        .data = bytes_of(node)->data,
        .length = node->length,
        .set = set,
    };
}

/* The first eight bytes as a number that orders as they do; fewer are followed by zeros. */
static uint64_t lfset__node_prefix(const struct lfset__node *node)
{
    unsigned char first[8] = {0};
    memcpy(first, bytes_of(node)->data, node->length < 8 ? node->length : 8);
    uint64_t prefix = 0;
    for (int i = 0; i < 8; i++) {
        prefix = prefix << 8 | first[i];
    }
    return prefix;
}

static int lfset__compare_entries(const void *a, const void *b, void *set)
{
    const struct lfset__entry *x = (const struct lfset__entry *)a,
                              *y = (const struct lfset__entry *)b;
    (void)set;
    if (x->prefix != y->prefix) {
        return x->prefix < y->prefix ? -1 : 1;
    }
    uint32_t m = x->node->length, n = y->node->length;
    int order = memcmp(bytes_of(x->node)->data, bytes_of(y->node)->data, m < n ? m : n);
    return order != 0 ? order : (m > n) - (m < n);
}

/* ---- creation ----------------------------------------------------------------------------------- */

int lfset_bytes_create(struct lfset_bytes **set, const struct lfset_options *options)
{
    if (!set) {
        return -EINVAL;
    }
    static const struct lfset__set_type type = {LFSET_KIND_BYTES, sizeof **set, &lfset__nodes,
                                                &lfset__about_ops};
    struct lfset__set *made;
    int error = lfset__set_create(&made, &type, options);
    *set = (struct lfset_bytes *)made;
    if (made) {
        uint64_t state = lfset__set_multiplier(made);
        for (size_t i = 0; i < SECRET_BYTES; i += sizeof state) {
            uint64_t random = lfset__random_next(&state);
            memcpy(&(*set)->secret[i], &random, sizeof random);
        }
        lfset__set_list(made);
    }
    return error;
}

int lfset_bytes_destroy(struct lfset_bytes *set)
{
    return set ? lfset__set_close(&set->base) : 0;
}

void lfset__bytes_options(const struct lfset_bytes *set, struct lfset_options *options)
{
    lfset__set_options(&set->base, options);
}

/* ---- one key ------------------------------------------------------------------------------------ */

LFSET__INLINE bool is_bad(const struct lfset_bytes *set, const void *key, size_t length)
{
    return !set || (!key && length > 0);
}

int lfset_bytes_add(struct lfset_bytes *set, const void *key, size_t length)
{
    if (lfset__unlikely(is_bad(set, key, length))) {
        return -EINVAL;
    }
    if (lfset__unlikely(length > LFSET_BYTES_MAX)) {
        return -E2BIG;
    }
    struct lfset__key whole = key_of(base_of(set), key, length);
    return lfset__one(base_of(set), &whole, LFSET__ADD);
}

int lfset_bytes_remove(struct lfset_bytes *set, const void *key, size_t length)
{
    if (lfset__unlikely(is_bad(set, key, length))) {
        return -EINVAL;
    }
    if (lfset__unlikely(length > LFSET_BYTES_MAX)) {
        return 0;
    }
    struct lfset__key whole = key_of(base_of(set), key, length);
    return lfset__one(base_of(set), &whole, LFSET__REMOVE);
}

int lfset_bytes_contains(const struct lfset_bytes *set, const void *key, size_t length)
{
    if (lfset__unlikely(is_bad(set, key, length))) {
        return -EINVAL;
    }
    if (lfset__unlikely(length > LFSET_BYTES_MAX)) {
        return 0;
    }
    struct lfset__key whole = key_of(base_of(set), key, length);
    return lfset__one(base_of(set), &whole, LFSET__CONTAINS);
}

int lfset_bytes_pop(struct lfset_bytes *set, void *buffer, size_t size, size_t *length)
{
    struct lfset__walk walk;
    if (!set || !length || (!buffer && size > 0)) {
        return -EINVAL;
    }
    if (!lfset__enter(&walk, base_of(set))) {
        return -ENOMEM;
    }
    struct lfset__popped popped = {.limit = size};
    int result = lfset__pop_in(&walk, &popped);
    lfset__walk_leave(&walk);
    if (result == 1) {
        lfset__observe_popped(base_of(set), popped.node);
        lfset__tell(base_of(set), popped.node->hash, LFSET__REMOVE, 1, lfset__probe_caller());
        *length = popped.node->length;
        if (*length > 0) {
            memcpy(buffer, bytes_of(popped.node)->data, *length);
        }
        lfset__drop(base_of(set), popped.node);
    } else if (result == -ENOBUFS) {
        *length = popped.length;
    }
    return result;
}

/* ---- many keys ---------------------------------------------------------------------------------- */

static int64_t many(const struct lfset_bytes *set, const struct lfset_string *keys, size_t count,
                    int8_t *results, const enum lfset__op op)
{
    struct lfset__tally tally = {.results = results, .caller = lfset__probe_caller()};
    struct lfset__key batch[LFSET__BATCH];
    if (!set || (!keys && count > 0)) {
        return -EINVAL;
    }
    for (size_t i = 0; i < count;) {
        size_t first = i, size = 0;
        while (i < count && size < LFSET__BATCH && !is_bad(set, keys[i].data, keys[i].length) &&
               keys[i].length <= LFSET_BYTES_MAX) {
            batch[size++] = key_of(base_of(set), keys[i].data, keys[i].length);
            i++;
        }
        if (size > 0) {
            lfset__batch(base_of(set), batch, first, size, &tally, op);
        } else { // a key that no set can hold
            bool bad = is_bad(set, keys[i].data, keys[i].length);
            lfset__tally_add(&tally, i++, bad ? -EINVAL : op == LFSET__ADD ? -E2BIG : 0);
        }
    }
    return lfset__tally_end(&tally);
}

int64_t lfset_bytes_add_many(struct lfset_bytes *set, const struct lfset_string *keys, size_t count,
                             int8_t *results)
{
    return many(set, keys, count, results, LFSET__ADD);
}

int64_t lfset_bytes_remove_many(struct lfset_bytes *set, const struct lfset_string *keys,
                                size_t count, int8_t *results)
{
    return many(set, keys, count, results, LFSET__REMOVE);
}

int64_t lfset_bytes_contains_many(const struct lfset_bytes *set, const struct lfset_string *keys,
                                  size_t count, int8_t *results)
{
    return many(set, keys, count, results, LFSET__CONTAINS);
}

/* ---- the whole set ------------------------------------------------------------------------------ */

int lfset_bytes_reserve(struct lfset_bytes *set, uint64_t capacity,
                        const struct lfset_cancel *cancel)
{
    return set ? lfset__reserve(base_of(set), capacity, cancel) : -EINVAL;
}

int64_t lfset_bytes_size_estimate(const struct lfset_bytes *set)
{
    return set ? lfset__size_estimate(base_of(set)) : -EINVAL;
}

int lfset_bytes_is_empty(struct lfset_bytes *set)
{
    return set ? lfset__is_empty(base_of(set)) : -EINVAL;
}

int64_t lfset_bytes_size(struct lfset_bytes *set, const struct lfset_cancel *cancel)
{
    return set ? lfset__freeze_and_count(base_of(set), LFSET__SNAPSHOT, cancel) : -EINVAL;
}

int64_t lfset_bytes_clear(struct lfset_bytes *set, const struct lfset_cancel *cancel)
{
    return set ? lfset__freeze_and_count(base_of(set), LFSET__CLEAR, cancel) : -EINVAL;
}

int lfset_bytes_purge(struct lfset_bytes *set)
{
    return set ? lfset__purge(base_of(set)) : -EINVAL;
}

static int take(struct lfset_bytes *set, enum lfset__kind kind,
                struct lfset_bytes_snapshot **snapshot, const struct lfset_cancel *cancel)
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
    *snapshot = (struct lfset_bytes_snapshot *)made;
    return error;
}

int lfset_bytes_snapshot_take(struct lfset_bytes *set, struct lfset_bytes_snapshot **snapshot,
                              const struct lfset_cancel *cancel)
{
    return take(set, LFSET__SNAPSHOT, snapshot, cancel);
}

int lfset_bytes_drain(struct lfset_bytes *set, struct lfset_bytes_snapshot **snapshot,
                      const struct lfset_cancel *cancel)
{
    return take(set, LFSET__CLEAR, snapshot, cancel);
}

struct each {
    struct lfset__visitor visitor;
    int (*visit)(const void *key, size_t length, void *ctx);
    void *ctx;
};

static int visit_word(const struct lfset__visitor *visitor, const struct lfset__slice *slice,
                      size_t index, uint64_t word)
{
    const struct each *each = (const struct each *)(const void *)visitor;
    const struct lfset__node *node = lfset__word_node(word);
    (void)slice, (void)index;
    return each->visit(bytes_of(node)->data, node->length, each->ctx);
}

int lfset_bytes_each(const struct lfset_bytes *set,
                     int (*visit)(const void *key, size_t length, void *ctx), void *ctx,
                     const struct lfset_cancel *cancel)
{
    const struct each each = {{visit_word}, visit, ctx};
    return set && visit ? lfset__each(base_of(set), &each.visitor, cancel) : -EINVAL;
}

/* ---- snapshots ---------------------------------------------------------------------------------- */

int64_t lfset_bytes_snapshot_count(const struct lfset_bytes_snapshot *snapshot)
{
    return snapshot ? (int64_t)snapshot->base.count : -EINVAL;
}

int lfset_bytes_snapshot_contains(const struct lfset_bytes_snapshot *snapshot, const void *key,
                                  size_t length)
{
    if (!snapshot || (!key && length > 0)) {
        return -EINVAL;
    }
    if (length > LFSET_BYTES_MAX) {
        return 0;
    }
    struct lfset__key whole = key_of(snapshot->base.slice->set, key, length);
    return lfset__snapshot_has(&snapshot->base, &whole);
}

int lfset_bytes_snapshot_each(struct lfset_bytes_snapshot *snapshot,
                              int (*visit)(const void *key, size_t length, void *ctx), void *ctx,
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
            result = visit(bytes_of(entries[i].node)->data, entries[i].node->length, ctx);
        }
    }
    return result;
}

int64_t lfset_bytes_snapshot_copy(struct lfset_bytes_snapshot *snapshot, struct lfset_string *keys,
                                  size_t max)
{
    const struct lfset__entry *entries;
    if (!snapshot || (!keys && max > 0)) {
        return -EINVAL;
    }
    int error = lfset__snapshot_order(&snapshot->base, &entries);
    if (error) {
        return error;
    }
    size_t count = snapshot->base.count < max ? (size_t)snapshot->base.count : max;
    for (size_t i = 0; i < count; i++) {
        keys[i] = (struct lfset_string){bytes_of(entries[i].node)->data, entries[i].node->length};
    }
    return (int64_t)count;
}

void lfset_bytes_snapshot_destroy(struct lfset_bytes_snapshot *snapshot)
{
    if (snapshot) {
        lfset__snapshot_destroy(&snapshot->base);
    }
}

/* ---- waiting ------------------------------------------------------------------------------------ */

static int wait_for(struct lfset_bytes *set, const void *key, size_t length, int present,
                    const struct lfset_cancel *cancel)
{
    if (is_bad(set, key, length)) {
        return -EINVAL;
    }
    if (length > LFSET_BYTES_MAX) {
        return present ? -E2BIG : 0;
    }
    struct lfset__key whole = key_of(base_of(set), key, length);
    return lfset__wait_for_key(base_of(set), &whole, present, cancel);
}

int lfset_bytes_wait_present(struct lfset_bytes *set, const void *key, size_t length,
                             const struct lfset_cancel *cancel)
{
    return wait_for(set, key, length, 1, cancel);
}

int lfset_bytes_wait_absent(struct lfset_bytes *set, const void *key, size_t length,
                            const struct lfset_cancel *cancel)
{
    return wait_for(set, key, length, 0, cancel);
}

int lfset_bytes_wait_empty(struct lfset_bytes *set, const struct lfset_cancel *cancel)
{
    return set ? lfset__wait_for_empty(base_of(set), cancel) : -EINVAL;
}

/* ---- what it is made of ------------------------------------------------------------------------- */

int lfset_bytes_stats_read(const struct lfset_bytes *set, struct lfset_stats *stats)
{
    return set && stats ? lfset__stats(base_of(set), stats) : -EINVAL;
}

int64_t lfset_bytes_probe_lengths(const struct lfset_bytes *set, uint64_t *histogram, size_t length)
{
    return set ? lfset__probe_lengths(base_of(set), histogram, length) : -EINVAL;
}

int lfset_bytes_validate(const struct lfset_bytes *set, const char **reason)
{
    return set ? lfset__validate(base_of(set), reason) : -EINVAL;
}

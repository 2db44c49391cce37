// SPDX-License-Identifier: MIT
/*
 * Sets that must be caught, and one that must not.
 *
 * All are two plain tables, each under its own lock. Taking both locks, always in the same order,
 * makes a whole-set operation atomic; "mutex" does so everywhere and is correct. The others leave
 * out one thing each, the way a real set gets it wrong:
 *
 *   broken-add       looks for a free slot, lets go of the lock, then fills the slot: two adders
 *                    can choose the same one, and the first one's key is lost
 *   broken-snapshot  size, is_empty and snapshot read one table after the other, not both at once
 *   broken-clear     clear and drain empty one table after the other
 *   broken-count     clear answers how many keys there were a moment before
 *   broken-each      each finds its place again by counting: a key that comes or goes before it
 *                    makes it visit another one twice, or never
 */
#include "target.h"

#include "platform/hook.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

enum slot { SLOT_EMPTY, SLOT_DEAD, SLOT_LIVE };

struct table {
    pthread_mutex_t lock;
    size_t capacity; /* a power of two */
    size_t bound;    /* slots that are not EMPTY */
    size_t live;
    unsigned char *state;
    uint64_t *keys;
};

enum flaw { FLAW_NONE, FLAW_ADD, FLAW_SNAPSHOT, FLAW_CLEAR, FLAW_COUNT, FLAW_EACH };

struct locked {
    enum flaw flaw;
    struct table table[2];
};

struct taken {
    size_t count;
    uint64_t keys[];
};

/* The places where a broken set is interrupted; the library's own hooks do it for lfset. */
static void window(const struct locked *set)
{
    if (lfset__hook)
        lfset__hook(0, set);
}

static uint64_t mix(uint64_t key)
{
    key ^= key >> 32;
    key *= 0x9e3779b97f4a7c15u;
    return key ^ (key >> 29);
}

static struct table *half_of(struct locked *set, uint64_t key)
{
    return &set->table[mix(key) & 1];
}

static void half_lock(struct table *table)
{
    pthread_mutex_lock(&table->lock);
}

static void half_unlock(struct table *table)
{
    pthread_mutex_unlock(&table->lock);
}

static void both_lock(struct locked *set)
{
    half_lock(&set->table[0]);
    half_lock(&set->table[1]);
}

static void both_unlock(struct locked *set)
{
    half_unlock(&set->table[1]);
    half_unlock(&set->table[0]);
}

/* The slot that holds the key, or the EMPTY one where it would go. */
static size_t slot_find(const struct table *table, uint64_t key)
{
    size_t i = (size_t)(mix(key) >> 1) & (table->capacity - 1);

    while (table->state[i] != SLOT_EMPTY && table->keys[i] != key)
        i = (i + 1) & (table->capacity - 1);
    return i;
}

static int table_init(struct table *table, size_t capacity)
{
    table->state = calloc(capacity, 1);
    table->keys = calloc(capacity, sizeof(*table->keys));
    if (!table->state || !table->keys) {
        free(table->state);
        free(table->keys);
        return -ENOMEM;
    }
    table->capacity = capacity;
    table->bound = 0;
    table->live = 0;
    return 0;
}

static void slot_fill(struct table *table, size_t i, uint64_t key)
{
    if (table->state[i] == SLOT_EMPTY)
        table->bound++;
    if (table->state[i] != SLOT_LIVE)
        table->live++;
    table->state[i] = SLOT_LIVE;
    table->keys[i] = key;
}

/* Keeps a quarter of the slots EMPTY, so that slot_find ends. */
static int table_make_room(struct table *table)
{
    struct table next;

    if (table->bound < table->capacity / 4 * 3)
        return 0;
    int rc = table_init(&next,
                        table->live * 4 > table->capacity ? table->capacity * 2 : table->capacity);
    if (rc != 0)
        return rc;
    for (size_t i = 0; i < table->capacity; i++)
        if (table->state[i] == SLOT_LIVE)
            slot_fill(&next, slot_find(&next, table->keys[i]), table->keys[i]);
    free(table->state);
    free(table->keys);
    table->capacity = next.capacity;
    table->bound = next.bound;
    table->live = next.live;
    table->state = next.state;
    table->keys = next.keys;
    return 0;
}

static void table_empty(struct table *table)
{
    for (size_t i = 0; i < table->capacity; i++)
        table->state[i] = SLOT_EMPTY;
    table->bound = 0;
    table->live = 0;
}

static int locked_create(enum flaw flaw, void **out)
{
    struct locked *set = calloc(1, sizeof(*set));

    *out = NULL;
    if (!set)
        return -ENOMEM;
    set->flaw = flaw;
    for (int h = 0; h < 2; h++) {
        if (table_init(&set->table[h], 16) != 0) {
            if (h == 1) {
                free(set->table[0].state);
                free(set->table[0].keys);
            }
            free(set);
            return -ENOMEM;
        }
    }
    for (int h = 0; h < 2; h++)
        pthread_mutex_init(&set->table[h].lock, NULL);
    *out = set;
    return 0;
}

static int create_mutex(const struct target_options *options, void **set)
{
    (void)options;
    return locked_create(FLAW_NONE, set);
}

static int create_broken_add(const struct target_options *options, void **set)
{
    (void)options;
    return locked_create(FLAW_ADD, set);
}

static int create_broken_snapshot(const struct target_options *options, void **set)
{
    (void)options;
    return locked_create(FLAW_SNAPSHOT, set);
}

static int create_broken_clear(const struct target_options *options, void **set)
{
    (void)options;
    return locked_create(FLAW_CLEAR, set);
}

static int create_broken_count(const struct target_options *options, void **set)
{
    (void)options;
    return locked_create(FLAW_COUNT, set);
}

static int create_broken_each(const struct target_options *options, void **set)
{
    (void)options;
    return locked_create(FLAW_EACH, set);
}

static int locked_destroy(void *opaque)
{
    struct locked *set = opaque;

    for (int h = 0; h < 2; h++) {
        pthread_mutex_destroy(&set->table[h].lock);
        free(set->table[h].state);
        free(set->table[h].keys);
    }
    free(set);
    return 0;
}

static int locked_add(void *opaque, uint64_t key)
{
    struct locked *set = opaque;
    struct table *table = half_of(set, key);

    half_lock(table);
    int rc = table_make_room(table);
    size_t i = slot_find(table, key);
    if (rc == 0)
        rc = table->state[i] != SLOT_LIVE;
    if (rc == 1 && set->flaw == FLAW_ADD) {
        const size_t capacity = table->capacity;

        half_unlock(table);
        window(set); /* here another add may choose slot i as well */
        half_lock(table);
        if (capacity != table->capacity)
            i = slot_find(table, key);
    }
    if (rc == 1)
        slot_fill(table, i, key);
    window(set);
    half_unlock(table);
    return rc;
}

static int locked_remove(void *opaque, uint64_t key)
{
    struct locked *set = opaque;
    struct table *table = half_of(set, key);

    half_lock(table);
    const size_t i = slot_find(table, key);
    const int present = table->state[i] == SLOT_LIVE;
    if (present) {
        table->state[i] = SLOT_DEAD;
        table->live--;
    }
    half_unlock(table);
    return present;
}

static int locked_contains(void *opaque, uint64_t key)
{
    struct locked *set = opaque;
    struct table *table = half_of(set, key);

    half_lock(table);
    const int present = table->state[slot_find(table, key)] == SLOT_LIVE;
    half_unlock(table);
    return present;
}

static int locked_pop(void *opaque, uint64_t *key)
{
    struct locked *set = opaque;
    int found = 0;

    both_lock(set);
    for (int h = 0; h < 2 && !found; h++) {
        struct table *table = &set->table[h];

        for (size_t i = 0; i < table->capacity && !found; i++) {
            if (table->state[i] != SLOT_LIVE)
                continue;
            *key = table->keys[i];
            table->state[i] = SLOT_DEAD;
            table->live--;
            found = 1;
        }
    }
    both_unlock(set);
    return found;
}

static size_t table_read(const struct table *table, uint64_t *keys)
{
    size_t n = 0;

    for (size_t i = 0; i < table->capacity; i++)
        if (table->state[i] == SLOT_LIVE)
            keys[n++] = table->keys[i];
    return n;
}

static int compare_keys(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Reads both tables, and empties them when `take`; with both locks held, or torn in two. */
static int locked_read(struct locked *set, int take, int torn, struct taken **out)
{
    struct taken *taken;
    size_t room = 0;

    *out = NULL;
    if (!torn)
        both_lock(set);
    for (int h = 0; h < 2; h++) {
        if (torn)
            half_lock(&set->table[h]);
        taken = realloc(*out, sizeof(*taken) + (room += set->table[h].live) * sizeof(uint64_t));
        if (!taken)
            abort(); /* half a result cannot be given back */
        if (!*out)
            taken->count = 0;
        *out = taken;
        taken->count += table_read(&set->table[h], taken->keys + taken->count);
        if (take)
            table_empty(&set->table[h]);
        if (torn) {
            half_unlock(&set->table[h]);
            window(set); /* here a key may come and another one go */
        }
    }
    if (!torn)
        both_unlock(set);
    qsort((*out)->keys, (*out)->count, sizeof(uint64_t), compare_keys);
    return 0;
}

static int locked_snapshot(void *opaque, void **out)
{
    struct locked *set = opaque;
    struct taken *taken;
    const int rc = locked_read(set, 0, set->flaw == FLAW_SNAPSHOT, &taken);

    *out = taken;
    return rc;
}

static int locked_drain(void *opaque, void **out)
{
    struct locked *set = opaque;
    struct taken *taken;
    const int rc = locked_read(set, 1, set->flaw == FLAW_CLEAR, &taken);

    *out = taken;
    return rc;
}

static int64_t locked_size(void *opaque)
{
    void *taken;

    locked_snapshot(opaque, &taken);
    const int64_t count = (int64_t)((struct taken *)taken)->count;
    free(taken);
    return count;
}

static int locked_is_empty(void *opaque)
{
    return locked_size(opaque) == 0;
}

static int64_t locked_clear(void *opaque)
{
    struct locked *set = opaque;
    void *taken;
    int64_t count = locked_size(opaque);

    if (set->flaw == FLAW_COUNT)
        window(set); /* here a key may come or go */
    locked_drain(opaque, &taken);
    if (set->flaw != FLAW_COUNT)
        count = (int64_t)((struct taken *)taken)->count;
    free(taken);
    return count;
}

static int64_t taken_count(void *opaque)
{
    return (int64_t)((struct taken *)opaque)->count;
}

static int taken_contains(void *opaque, uint64_t key)
{
    const struct taken *taken = opaque;

    return bsearch(&key, taken->keys, taken->count, sizeof(key), compare_keys) != NULL;
}

static int64_t taken_copy(void *opaque, uint64_t *keys, size_t max)
{
    const struct taken *taken = opaque;
    size_t n = taken->count < max ? taken->count : max;

    for (size_t i = 0; i < n; i++)
        keys[i] = taken->keys[i];
    return (int64_t)n;
}

static int copy_each(struct locked *set, int (*visit)(uint64_t key, void *ctx), void *ctx)
{
    void *copy;
    int rc = locked_snapshot(set, &copy);
    const struct taken *taken = copy;

    for (size_t i = 0; i < taken->count && rc == 0; i++)
        rc = visit(taken->keys[i], ctx);
    free(copy);
    return rc;
}

/* The key with so many before it. */
static int table_at(struct table *table, size_t at, uint64_t *key)
{
    int found = 0;

    half_lock(table);
    for (size_t i = 0; i < table->capacity && !found; i++) {
        found = table->state[i] == SLOT_LIVE && at-- == 0;
        if (found)
            *key = table->keys[i];
    }
    half_unlock(table);
    return found;
}

static int counting_each(struct locked *set, int (*visit)(uint64_t key, void *ctx), void *ctx)
{
    for (int h = 0; h < 2; h++) {
        uint64_t key;

        for (size_t i = 0; table_at(&set->table[h], i, &key); i++) {
            const int rc = visit(key, ctx);

            if (rc != 0)
                return rc;
            window(set); /* here the keys may move up */
        }
    }
    return 0;
}

static int locked_each(const void *opaque, int (*visit)(uint64_t key, void *ctx), void *ctx)
{
    struct locked *set = (struct locked *)(uintptr_t)opaque;

    return set->flaw == FLAW_EACH ? counting_each(set, visit, ctx) : copy_each(set, visit, ctx);
}

static int64_t locked_remove_if(void *opaque, int (*unwanted)(uint64_t key, void *ctx), void *ctx)
{
    void *copy;
    int64_t removed = 0;
    int rc = locked_snapshot(opaque, &copy);
    const struct taken *taken = copy;

    for (size_t i = 0; i < taken->count && rc >= 0; i++) {
        rc = unwanted(taken->keys[i], ctx);
        if (rc == 1)
            removed += locked_remove(opaque, taken->keys[i]);
    }
    free(copy);
    return rc < 0 ? rc : removed;
}

#define LOCKED_OPERATIONS                                                                          \
    .destroy = locked_destroy, .add = locked_add, .remove = locked_remove,                         \
    .contains = locked_contains, .pop = locked_pop, .size = locked_size,                           \
    .is_empty = locked_is_empty, .clear = locked_clear, .snapshot = locked_snapshot,               \
    .drain = locked_drain, .taken_count = taken_count, .taken_copy = taken_copy,                   \
    .taken_contains = taken_contains, .taken_destroy = free, .each = locked_each,                  \
    .each_is_concurrent = 1, .remove_if = locked_remove_if

const struct target target_mutex = {
    .name = "mutex",
    .about = "a correct set under locks, a control: must pass",
    .create = create_mutex,
    LOCKED_OPERATIONS,
};

const struct target target_broken_add = {
    .name = "broken-add",
    .about = "loses an add under contention: must be caught",
    .create = create_broken_add,
    LOCKED_OPERATIONS,
};

const struct target target_broken_snapshot = {
    .name = "broken-snapshot",
    .about = "size and snapshot are not atomic: must be caught",
    .create = create_broken_snapshot,
    LOCKED_OPERATIONS,
};

const struct target target_broken_clear = {
    .name = "broken-clear",
    .about = "clear and drain are not atomic: must be caught",
    .create = create_broken_clear,
    LOCKED_OPERATIONS,
};

const struct target target_broken_count = {
    .name = "broken-count",
    .about = "clear answers a wrong number: must be caught",
    .create = create_broken_count,
    LOCKED_OPERATIONS,
};

const struct target target_broken_each = {
    .name = "broken-each",
    .about = "each misses keys and visits others twice: must be caught",
    .create = create_broken_each,
    LOCKED_OPERATIONS,
};

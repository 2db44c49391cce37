// SPDX-License-Identifier: MIT
/* Concurrency Kit's ck_hs, which wants one writer at a time, behind a mutex for all. */
#include <ck_hs.h>
#include <errno.h>
#include <lfset/target.h>
#include <pthread.h>
#include <stdlib.h>

struct set {
    pthread_mutex_t lock;
    ck_hs_t table;
    void (*noise)(void);
};

static void *table_malloc(size_t size)
{
    return malloc(size);
}

static void table_free(void *block, size_t size, bool defer)
{
    (void)size;
    (void)defer; /* nobody reads without the lock */
    free(block);
}

static struct ck_malloc table_memory = {.malloc = table_malloc, .free = table_free};

static unsigned long hash(const void *key, unsigned long seed)
{
    const uint64_t x = (*(const uint64_t *)key ^ seed) * 0x9e3779b97f4a7c15u;

    return (unsigned long)(x ^ x >> 32);
}

static bool equal(const void *a, const void *b)
{
    return *(const uint64_t *)a == *(const uint64_t *)b;
}

static struct set *enter(void *opaque)
{
    struct set *set = opaque;

    pthread_mutex_lock(&set->lock);
    if (set->noise)
        set->noise();
    return set;
}

static void leave(struct set *set)
{
    pthread_mutex_unlock(&set->lock);
}

static int create(const struct lfset_target_options *options, void **out)
{
    struct set *set = calloc(1, sizeof(*set));

    if (!set)
        return -ENOMEM;
    set->noise = options->noise;
    if (!ck_hs_init(&set->table, CK_HS_MODE_SPMC | CK_HS_MODE_OBJECT, hash, equal, &table_memory,
                    16, options->seed)) {
        free(set);
        return -ENOMEM;
    }
    *out = set;
    return pthread_mutex_init(&set->lock, NULL);
}

static int add(void *opaque, uint64_t key)
{
    struct set *set = enter(opaque);
    const unsigned long hashed = CK_HS_HASH(&set->table, hash, &key);
    int rc = 0;

    if (!ck_hs_get(&set->table, hashed, &key)) {
        uint64_t *entry = malloc(sizeof(*entry));

        rc = -ENOMEM;
        if (entry) {
            *entry = key;
            rc = ck_hs_put(&set->table, hashed, entry) ? 1 : -ENOMEM;
        }
        if (rc != 1)
            free(entry);
    }
    leave(set);
    return rc;
}

static int discard(void *opaque, uint64_t key)
{
    struct set *set = enter(opaque);
    void *entry = ck_hs_remove(&set->table, CK_HS_HASH(&set->table, hash, &key), &key);

    leave(set);
    free(entry);
    return entry != NULL;
}

static int contains(void *opaque, uint64_t key)
{
    struct set *set = enter(opaque);
    const int found = ck_hs_get(&set->table, CK_HS_HASH(&set->table, hash, &key), &key) != NULL;

    leave(set);
    return found;
}

static int64_t size(void *opaque)
{
    struct set *set = enter(opaque);
    const int64_t count = (int64_t)ck_hs_count(&set->table);

    leave(set);
    return count;
}

static void visit_all(struct set *set, void (*visit)(void *ctx, uint64_t key), void *ctx)
{
    ck_hs_iterator_t at = CK_HS_ITERATOR_INITIALIZER;
    void *entry;

    while (ck_hs_next(&set->table, &at, &entry))
        visit(ctx, *(uint64_t *)entry);
}

static int snapshot(void *opaque, void (*visit)(void *ctx, uint64_t key), void *ctx)
{
    struct set *set = enter(opaque);

    visit_all(set, visit, ctx);
    leave(set);
    return 0;
}

static void free_all(struct set *set)
{
    ck_hs_iterator_t at = CK_HS_ITERATOR_INITIALIZER;
    void *entry;

    while (ck_hs_next(&set->table, &at, &entry))
        free(entry);
}

static int64_t clear(void *opaque)
{
    struct set *set = enter(opaque);
    const int64_t count = (int64_t)ck_hs_count(&set->table);

    free_all(set);
    const bool done = ck_hs_reset(&set->table);
    leave(set);
    return done ? count : -EIO; /* the table is full of freed entries */
}

static int destroy(void *opaque)
{
    struct set *set = opaque;

    free_all(set);
    ck_hs_destroy(&set->table);
    pthread_mutex_destroy(&set->lock);
    free(set);
    return 0;
}

const struct lfset_target_functions lfset_target = {
    .version = LFSET_TARGET_VERSION,
    .struct_size = sizeof(lfset_target),
    .name = "ck_hs, mutex",
    .promises = LFSET_TARGET_ATOMIC_SIZE | LFSET_TARGET_ATOMIC_CLEAR,
    .create = create,
    .destroy = destroy,
    .add = add,
    .remove = discard,
    .contains = contains,
    .size = size,
    .clear = clear,
    .snapshot = snapshot,
};

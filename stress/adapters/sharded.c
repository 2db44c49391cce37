// SPDX-License-Identifier: MIT
/*
 * Sixteen tables under a lock each: add, remove and contains are linearizable, size, each, is_empty
 * and clear go through the tables one after another and are promised no more than weakly. A control:
 * it must pass, and be found not to be linearizable in these.
 *
 * With -DFLAW=... it has one thing wrong and must be caught; broken.so is built with FLAW_ADD.
 */
#include <errno.h>
#include <lfset/target.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define FLAW_NONE 0
#define FLAW_ADD 1          /* looks for the key, lets go of the lock, then adds it */
#define FLAW_PROMISE 2      /* promises that size is linearizable */
#define FLAW_SIZE 3         /* size leaves the last table out */
#define FLAW_EACH 4         /* each leaves a table out while another thread waits for its lock */
#define FLAW_CLEAR 5        /* clear leaves the last table as it is */
#define FLAW_EMPTY 6        /* is_empty looks at half of the tables */
#define FLAW_LATE_COUNTER 7 /* a counter that learns of a thread's additions later */
#define FLAW_LOCK_FREE 8    /* promises to be lock-free */
#define FLAW_VERSION 9      /* is of a version that does not exist */
#define FLAW_NO_ADD 10      /* has no add */
#define FLAW_NO_DETACH 11   /* attaches only */
#define FLAW_BITS 12        /* promises what has no meaning */
#define FLAW_NO_SYMBOL 13   /* exports nothing */
#define FLAW_SHORT 14       /* its struct is too short */
#define FLAW_ANSWER 15      /* contains answers 2 */
#ifndef FLAW
#define FLAW FLAW_NONE
#endif

#define SHARDS 16
#define BUCKETS 1024

struct node {
    uint64_t key;
    struct node *next;
};

struct shard {
    pthread_mutex_t lock;
    int64_t count;
    struct node *buckets[BUCKETS];
};

struct set {
    struct shard shards[SHARDS];
    void (*noise)(void);
    atomic_llong counter;
};

static uint64_t hash(uint64_t key)
{
    return key * 0x9e3779b97f4a7c15u;
}

static void disturb(const struct set *set)
{
    if (set->noise)
        set->noise();
}

static struct shard *shard_lock(struct set *set, uint64_t key)
{
    struct shard *shard = &set->shards[hash(key) >> 60];

    pthread_mutex_lock(&shard->lock);
    return shard;
}

/* The link to the key's node, or the one where it would be. */
static struct node **find(struct shard *shard, uint64_t key)
{
    struct node **at = &shard->buckets[(hash(key) >> 40) % BUCKETS];

    while (*at && (*at)->key != key)
        at = &(*at)->next;
    return at;
}

static int contains(void *opaque, uint64_t key)
{
    struct shard *shard = shard_lock(opaque, key);
    const int found = *find(shard, key) != NULL;

    disturb(opaque);
    pthread_mutex_unlock(&shard->lock);
    return FLAW == FLAW_ANSWER && found ? 2 : found;
}

static int shard_add(struct shard *shard, uint64_t key)
{
    struct node **at = find(shard, key);
    struct node *made = *at ? NULL : malloc(sizeof(*made));

    if (*at && FLAW != FLAW_ADD)
        return 0;
    if (FLAW == FLAW_ADD && !made)
        made = malloc(sizeof(*made));
    if (!made)
        return -ENOMEM;
    *made = (struct node){.key = key, .next = *at};
    *at = made;
    shard->count++;
    return 1;
}

static int add(void *opaque, uint64_t key)
{
    struct set *set = opaque;

    if (FLAW == FLAW_ADD && contains(set, key))
        return 0;
    struct shard *shard = shard_lock(set, key);
    const int rc = shard_add(shard, key);
    disturb(set);
    pthread_mutex_unlock(&shard->lock);
    if (rc == 1 && FLAW == FLAW_LATE_COUNTER) {
        static _Thread_local int late;

        if (++late % 4 == 0)
            atomic_fetch_add(&set->counter, 4);
    }
    return rc;
}

static int discard(void *opaque, uint64_t key)
{
    struct shard *shard = shard_lock(opaque, key);
    struct node **at = find(shard, key);
    struct node *found = *at;

    if (found) {
        *at = found->next;
        shard->count--;
    }
    disturb(opaque);
    pthread_mutex_unlock(&shard->lock);
    free(found);
    if (found && FLAW == FLAW_LATE_COUNTER)
        atomic_fetch_sub(&((struct set *)opaque)->counter, 1);
    return found != NULL;
}

static int64_t size(void *opaque)
{
    struct set *set = opaque;
    int64_t count = 0;

    if (FLAW == FLAW_LATE_COUNTER) {
        count = atomic_load(&set->counter);
        return count < 0 ? 0 : count;
    }
    for (int i = 0; i < SHARDS - (FLAW == FLAW_SIZE); i++) {
        pthread_mutex_lock(&set->shards[i].lock);
        count += set->shards[i].count;
        pthread_mutex_unlock(&set->shards[i].lock);
        disturb(set);
    }
    return count;
}

static int is_empty(void *opaque)
{
    struct set *set = opaque;
    int64_t count = 0;

    for (int i = 0; i < (FLAW == FLAW_EMPTY ? SHARDS / 2 : SHARDS) && count == 0; i++) {
        pthread_mutex_lock(&set->shards[i].lock);
        count = set->shards[i].count;
        pthread_mutex_unlock(&set->shards[i].lock);
        disturb(set);
    }
    return count == 0;
}

static void shard_each(const struct shard *shard, void (*visit)(void *ctx, uint64_t key), void *ctx)
{
    for (int i = 0; i < BUCKETS; i++)
        for (const struct node *n = shard->buckets[i]; n; n = n->next)
            visit(ctx, n->key);
}

static int each(void *opaque, void (*visit)(void *ctx, uint64_t key), void *ctx)
{
    struct set *set = opaque;

    for (int i = 0; i < SHARDS; i++) {
        if (FLAW == FLAW_EACH && pthread_mutex_trylock(&set->shards[i].lock) != 0)
            continue;
        if (FLAW != FLAW_EACH)
            pthread_mutex_lock(&set->shards[i].lock);
        shard_each(&set->shards[i], visit, ctx);
        pthread_mutex_unlock(&set->shards[i].lock);
        disturb(set);
    }
    return 0;
}

static int64_t shard_clear(struct shard *shard)
{
    const int64_t count = shard->count;

    for (int i = 0; i < BUCKETS; i++) {
        for (struct node *n = shard->buckets[i], *next; n; n = next) {
            next = n->next;
            free(n);
        }
        shard->buckets[i] = NULL;
    }
    shard->count = 0;
    return count;
}

static int64_t clear(void *opaque)
{
    struct set *set = opaque;
    int64_t count = 0;

    for (int i = 0; i < SHARDS - (FLAW == FLAW_CLEAR); i++) {
        pthread_mutex_lock(&set->shards[i].lock);
        count += shard_clear(&set->shards[i]);
        pthread_mutex_unlock(&set->shards[i].lock);
        disturb(set);
    }
    return count;
}

static int create(const struct lfset_target_options *options, void **out)
{
    struct set *set = calloc(1, sizeof(*set));

    if (!set)
        return -ENOMEM;
    set->noise = options->noise;
    for (int i = 0; i < SHARDS; i++)
        pthread_mutex_init(&set->shards[i].lock, NULL);
    *out = set;
    return 0;
}

static int destroy(void *opaque)
{
    struct set *set = opaque;

    for (int i = 0; i < SHARDS; i++) {
        shard_clear(&set->shards[i]);
        pthread_mutex_destroy(&set->shards[i].lock);
    }
    free(set);
    return 0;
}

#if FLAW == FLAW_NO_DETACH
static int attach(void *set)
{
    return set ? 0 : -EINVAL;
}
#endif

#if FLAW == FLAW_NO_SYMBOL
#define lfset_target another_name
extern const struct lfset_target_functions another_name;
#endif

const struct lfset_target_functions lfset_target = {
    .version = LFSET_TARGET_VERSION + (FLAW == FLAW_VERSION),
    .struct_size = FLAW == FLAW_SHORT ? 16 : sizeof(lfset_target),
    .name = FLAW == FLAW_NONE ? "sharded" : "broken",
    .promises = FLAW == FLAW_PROMISE        ? LFSET_TARGET_ATOMIC_SIZE
                : FLAW == FLAW_LATE_COUNTER ? LFSET_TARGET_COUNTER_SIZE
                : FLAW == FLAW_LOCK_FREE    ? LFSET_TARGET_LOCK_FREE
                : FLAW == FLAW_BITS         ? 1u << 31
                                            : 0,
    .create = create,
    .destroy = destroy,
    .add = FLAW == FLAW_NO_ADD ? NULL : add,
    .remove = discard,
    .contains = contains,
#if FLAW == FLAW_NO_DETACH
    .attach = attach,
#endif
    .size = size,
    .is_empty = FLAW == FLAW_LATE_COUNTER ? NULL : is_empty,
    .clear = FLAW == FLAW_LATE_COUNTER ? NULL : clear,
    .each = each,
};

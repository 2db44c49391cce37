// SPDX-License-Identifier: MIT
/* A hash set whose lookups and removals take no lock. Is it right? */
#include <errno.h>
#include <lfset/target.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BUCKETS 4096

struct node {
    uint64_t key;
    atomic_int present; /* the node of a removed key stays, for when it is added again */
    struct node *next;
};
struct set {
    pthread_mutex_t lock; /* of who adds */
    void (*noise)(void);
    _Atomic(struct node *) buckets[BUCKETS];
};

static struct node *find(struct set *s, uint64_t key)
{
    struct node *n = atomic_load(&s->buckets[key % BUCKETS]);
    while (n && n->key != key)
        n = n->next;
    return n;
}
static int contains(void *s, uint64_t key)
{
    struct node *n = find(s, key);
    return n && atomic_load(&n->present);
}
static int discard(void *s, uint64_t key)
{
    struct node *n = find(s, key);
    return n && atomic_exchange(&n->present, 0);
}
static int add(void *set, uint64_t key)
{
    struct set *s = set;
    int added = 1;
    if (contains(s, key)) /* the quick way out */
        return 0;
    if (s->noise)
        s->noise(); /* optional: here is a place to be interrupted */
    pthread_mutex_lock(&s->lock);
    struct node *n = find(s, key);
    if (n) {
        atomic_store(&n->present, 1);
    } else if ((n = malloc(sizeof(*n)))) {
        *n = (struct node){key, 1, atomic_load(&s->buckets[key % BUCKETS])};
        atomic_store(&s->buckets[key % BUCKETS], n);
    }
    pthread_mutex_unlock(&s->lock);
    return n ? added : -ENOMEM;
}
static int create(const struct lfset_target_options *options, void **set)
{
    struct set *s = *set = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->noise = options->noise;
    return -pthread_mutex_init(&s->lock, NULL);
}
static int destroy(void *set)
{
    struct set *s = set;
    for (int i = 0; i < BUCKETS; i++)
        for (struct node *n = s->buckets[i], *next; n; n = next) {
            next = n->next;
            free(n);
        }
    free(s);
    return 0;
}
const struct lfset_target_functions lfset_target = {
    .version = LFSET_TARGET_VERSION,
    .struct_size = sizeof(lfset_target),
    .name = "example",
    .create = create,
    .destroy = destroy,
    .add = add,
    .remove = discard,
    .contains = contains,
};

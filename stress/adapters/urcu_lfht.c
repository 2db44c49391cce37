// SPDX-License-Identifier: MIT
/* liburcu's cds_lfht, memb flavour, resizing itself; removed nodes go through call_rcu. */
#define _GNU_SOURCE
#include <urcu/urcu-memb.h>

#include <errno.h>
#include <lfset/target.h>
#include <stdlib.h>
#include <urcu/rculfhash.h>

struct node {
    struct cds_lfht_node in_table;
    struct rcu_head head;
    uint64_t key;
};

struct set {
    struct cds_lfht *table;
};

/* One for all sets: match is not told which. */
static void (*noise)(void);

static struct node *node_of(struct cds_lfht_node *entry)
{
    return caa_container_of(entry, struct node, in_table);
}

static int match(struct cds_lfht_node *entry, const void *key)
{
    if (noise)
        noise();
    return node_of(entry)->key == *(const uint64_t *)key;
}

static unsigned long hash(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15u;
    return (unsigned long)(key ^ key >> 32);
}

static int create(const struct lfset_target_options *options, void **out)
{
    struct set *set = malloc(sizeof(*set));

    if (!set)
        return -ENOMEM;
    noise = options->noise;
    set->table = cds_lfht_new_flavor(64, 64, 0, CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING,
                                     &urcu_memb_flavor, NULL);
    if (!set->table) {
        free(set);
        return -ENOMEM;
    }
    *out = set;
    return 0;
}

static int attach(void *set)
{
    (void)set;
    urcu_memb_register_thread();
    return 0;
}

static int detach(void *set)
{
    (void)set;
    urcu_memb_unregister_thread();
    return 0;
}

static void node_free(struct rcu_head *head)
{
    free(caa_container_of(head, struct node, head));
}

static int add(void *opaque, uint64_t key)
{
    struct set *set = opaque;
    struct node *made = malloc(sizeof(*made));

    if (!made)
        return -ENOMEM;
    made->key = key;
    urcu_memb_read_lock();
    const struct cds_lfht_node *there =
        cds_lfht_add_unique(set->table, hash(key), match, &key, &made->in_table);
    urcu_memb_read_unlock();
    if (there == &made->in_table)
        return 1;
    free(made);
    return 0;
}

static int discard(void *opaque, uint64_t key)
{
    struct set *set = opaque;
    struct cds_lfht_iter at;

    urcu_memb_read_lock();
    cds_lfht_lookup(set->table, hash(key), match, &key, &at);
    struct cds_lfht_node *entry = cds_lfht_iter_get_node(&at);
    const int removed = entry && cds_lfht_del(set->table, entry) == 0;
    urcu_memb_read_unlock();
    if (removed)
        urcu_memb_call_rcu(&node_of(entry)->head, node_free);
    return removed;
}

static int contains(void *opaque, uint64_t key)
{
    struct set *set = opaque;
    struct cds_lfht_iter at;

    urcu_memb_read_lock();
    cds_lfht_lookup(set->table, hash(key), match, &key, &at);
    const int found = cds_lfht_iter_get_node(&at) != NULL;
    urcu_memb_read_unlock();
    return found;
}

static int64_t size(void *opaque)
{
    struct set *set = opaque;
    long before, after;
    unsigned long count;

    urcu_memb_read_lock();
    cds_lfht_count_nodes(set->table, &before, &count, &after);
    urcu_memb_read_unlock();
    return (int64_t)count;
}

static int each(void *opaque, void (*visit)(void *ctx, uint64_t key), void *ctx)
{
    struct set *set = opaque;
    struct cds_lfht_iter at;
    struct node *node;

    urcu_memb_read_lock();
    cds_lfht_for_each_entry(set->table, &at, node, in_table)
    {
        if (noise)
            noise();
        visit(ctx, node->key);
    }
    urcu_memb_read_unlock();
    return 0;
}

/* Removes what an iteration finds: each key at an instant of its own. */
static int64_t clear(void *opaque)
{
    struct set *set = opaque;
    struct cds_lfht_iter at;
    struct node *node;
    int64_t removed = 0;

    urcu_memb_read_lock();
    cds_lfht_for_each_entry(set->table, &at, node, in_table)
    {
        if (noise)
            noise();
        if (cds_lfht_del(set->table, &node->in_table) == 0) {
            urcu_memb_call_rcu(&node->head, node_free);
            removed++;
        }
    }
    urcu_memb_read_unlock();
    return removed;
}

static int destroy(void *opaque)
{
    struct set *set = opaque;

    urcu_memb_register_thread();
    clear(set);
    urcu_memb_unregister_thread();
    const int rc = cds_lfht_destroy(set->table, NULL);
    urcu_memb_barrier();
    free(set);
    return rc;
}

const struct lfset_target_functions lfset_target = {
    .version = LFSET_TARGET_VERSION,
    .struct_size = sizeof(lfset_target),
    .name = "urcu lfht, memb",
    .promises = LFSET_TARGET_LOCK_FREE,
    .create = create,
    .destroy = destroy,
    .add = add,
    .remove = discard,
    .contains = contains,
    .attach = attach,
    .detach = detach,
    .size = size,
    .clear = clear,
    .each = each,
};

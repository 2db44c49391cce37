// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "algebra.h"

#include <errno.h>
#include <lfset/bitmap.h>
#include <lfset/bytes.h>
#include <lfset/obj.h>
#include <lfset/u64.h>
#include <stdio.h>

static struct {
    atomic_int count;
    struct algebra_made made;
} fresh;

static void keep(void *set)
{
    const int at = atomic_fetch_add(&fresh.count, 1);

    if (at < ALGEBRA_MOST)
        fresh.made.set[at] = set;
}

/* A copy, the union with it, the copy less the set, and how the two are related. */
#define DEFINE(kind, of)                                                                           \
    static int kind##_destroy(void *set)                                                           \
    {                                                                                              \
        return lfset_##kind##_destroy(set);                                                        \
    }                                                                                              \
    static int64_t kind##_act(void *target_set)                                                    \
    {                                                                                              \
        struct lfset_##kind *set = of(target_set), *copy = NULL, *both = NULL;                     \
        int64_t rc = lfset_##kind##_clone(set, &copy, NULL, NULL);                                 \
        if (rc == 0)                                                                               \
            rc = lfset_##kind##_combine(set, LFSET_UNION, copy, &both, NULL, NULL);                \
        if (rc == 0)                                                                               \
            rc = lfset_##kind##_apply(copy, LFSET_DIFFERENCE, both, NULL);                         \
        if (rc >= 0)                                                                               \
            rc = lfset_##kind##_compare(copy, both, NULL);                                         \
        keep(copy);                                                                                \
        keep(both);                                                                                \
        return rc;                                                                                 \
    }

#define THE_SET_ITSELF(set) (set)
/* The first thing in what target_obj.c calls a set. */
#define THE_SET_WITHIN(set) (*(struct lfset_obj **)(set))

DEFINE(u64, THE_SET_ITSELF)
DEFINE(bytes, THE_SET_ITSELF)
DEFINE(obj, THE_SET_WITHIN)
DEFINE(bitmap, THE_SET_ITSELF)

static const struct {
    const struct target *target;
    int64_t (*act)(void *set);
    int (*destroy)(void *set);
} kinds[] = {
    {&target_u64, u64_act, u64_destroy},
    {&target_bytes, bytes_act, bytes_destroy},
    {&target_obj, obj_act, obj_destroy},
    {&target_bitmap, bitmap_act, bitmap_destroy},
};

void algebra_act(struct worker *worker)
{
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (kinds[i].target != worker->target)
            continue;
        fresh.made.destroy = kinds[i].destroy;
        const int64_t rc = kinds[i].act(worker->set);
        if (rc == -ENOMEM)
            worker->log.failed++;
        else if (rc < 0 || !(rc & LFSET_SUBSET)) /* all are in the union, and none is left */
            snprintf(worker->fault, sizeof(worker->fault), "algebra answered %lld", (long long)rc);
    }
}

struct algebra_made algebra_take(void)
{
    const struct algebra_made made = fresh.made;

    fresh.made = (struct algebra_made){.destroy = NULL};
    atomic_store(&fresh.count, 0);
    return made;
}

int algebra_destroy(const struct algebra_made *made)
{
    int rc = 0;

    for (int i = 0; i < ALGEBRA_MOST; i++)
        if (made->set[i])
            rc |= made->destroy(made->set[i]);
    return rc;
}

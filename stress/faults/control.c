// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "control.h"

#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int locked(int (*operation)(void *set, uint64_t key), void *set, uint64_t key)
{
    pthread_mutex_lock(&lock);
    const int rc = operation(set, key);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int control_create(const struct target_options *options, void **set)
{
    return target_u64.create(options, set);
}

static int control_destroy(void *set)
{
    return target_u64.destroy(set);
}

static int control_add(void *set, uint64_t key)
{
    return locked(target_u64.add, set, key);
}

static int control_remove(void *set, uint64_t key)
{
    return locked(target_u64.remove, set, key);
}

static int control_contains(void *set, uint64_t key)
{
    return locked(target_u64.contains, set, key);
}

static int64_t control_size(void *set)
{
    pthread_mutex_lock(&lock);
    const int64_t rc = target_u64.size(set);
    pthread_mutex_unlock(&lock);
    return rc;
}

static int control_each(const void *set, int (*visit)(uint64_t key, void *ctx), void *ctx)
{
    return target_u64.each(set, visit, ctx);
}

const struct target control_mutex = {
    .name = "mutex",
    .about = "lfset_u64 with a mutex around it, which must FAIL (a control of the test)",
    .has_domains = 1,
    .create = control_create,
    .destroy = control_destroy,
    .add = control_add,
    .remove = control_remove,
    .contains = control_contains,
    .size = control_size,
    .each = control_each,
};

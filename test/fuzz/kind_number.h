// SPDX-License-Identifier: MIT
/* What the kinds whose keys are numbers have in common. Included after KIND is defined. */
#include "kind_common.h"

static int create(void **out, const struct lfset_options *options)
{
    SET *set = NULL;
    int result = NAME(create)(&set, options);
    return made(result, set, out);
}

static void end(void)
{
}

static int add(void *set, uint64_t key)
{
    return NAME(add)(set, key);
}

static int remove_key(void *set, uint64_t key)
{
    return NAME(remove)(set, key);
}

static int contains(const void *set, uint64_t key)
{
    return NAME(contains)(set, key);
}

static int pop(void *set, uint64_t *key)
{
    return NAME(pop)(set, key);
}

static int64_t many(void *set, enum kind_many what, const uint64_t *keys, size_t count,
                    int8_t *results)
{
    return what == KIND_ADD      ? NAME(add_many)(set, keys, count, results)
           : what == KIND_REMOVE ? NAME(remove_many)(set, keys, count, results)
                                 : NAME(contains_many)(set, keys, count, results);
}

static int each(const void *set, kind_visit *visit, void *ctx, const struct lfset_cancel *cancel)
{
    return NAME(each)(set, visit, ctx, cancel);
}

static int64_t remove_if(void *set, kind_visit *unwanted, void *ctx,
                         const struct lfset_cancel *cancel)
{
    return NAME(remove_if)(set, unwanted, ctx, cancel);
}

static int wait_for(void *set, enum kind_wait what, uint64_t key, const struct lfset_cancel *cancel)
{
    return what == KIND_PRESENT  ? NAME(wait_present)(set, key, cancel)
           : what == KIND_ABSENT ? NAME(wait_absent)(set, key, cancel)
                                 : NAME(wait_empty)(set, cancel);
}

static int snapshot_contains(const void *snapshot, uint64_t key)
{
    return NAME(snapshot_contains)(snapshot, key);
}

static int snapshot_each(void *snapshot, kind_visit *visit, void *ctx)
{
    return NAME(snapshot_each)(snapshot, visit, ctx, NULL);
}

static int64_t snapshot_copy(void *snapshot, uint64_t *keys, size_t max)
{
    return NAME(snapshot_copy)(snapshot, keys, max);
}

static int save(void *set, int fd)
{
    return NAME(save_fd)(set, fd, NULL);
}

static int64_t load(void *set, int fd, const char **why)
{
    return NAME(load_fd)(set, fd, why, NULL);
}

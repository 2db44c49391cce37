// SPDX-License-Identifier: MIT
/* The list of targets, and what they share. */
#define _GNU_SOURCE
#include "target.h"

#include <lfset/observe.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

const struct target *const target_all[] = {
    &target_u64,
    &target_bytes,
    &target_obj,
    &target_bitmap,
    &target_mutex,
    &target_broken_add,
    &target_broken_snapshot,
    &target_broken_clear,
    &target_broken_count,
    &target_broken_each,
    NULL,
};

static struct {
    pthread_mutex_t lock;
    atomic_int made;
    char text[160];
} notice = {.lock = PTHREAD_MUTEX_INITIALIZER};

void target_notice(const char *format, ...)
{
    va_list args;

    pthread_mutex_lock(&notice.lock);
    if (!atomic_load(&notice.made)) {
        va_start(args, format);
        vsnprintf(notice.text, sizeof(notice.text), format, args);
        va_end(args);
        atomic_store(&notice.made, 1);
    }
    pthread_mutex_unlock(&notice.lock);
}

const char *target_noticed(void)
{
    return atomic_load(&notice.made) ? notice.text : NULL;
}

void target_notice_clear(void)
{
    atomic_store(&notice.made, 0);
}

struct lfset_options target_lfset_options(const struct target_options *options)
{
    static const struct lfset_observe counted = LFSET_OBSERVE_INIT;
    struct lfset_options o = LFSET_OPTIONS_INIT;

    o.domain = options->domain;
    o.capacity = options->capacity;
    o.seed = options->seed;
    o.name = "stress";
    if (options->observed) {
        o.name = options->observed;
        o.observe = &counted;
    }
    return o;
}

struct target_counters target_lfset_counters(const struct lfset_stats *stats)
{
    return (struct target_counters){.grows = stats->grows,
                                    .purges = stats->purges,
                                    .shrinks = stats->shrinks,
                                    .rehashes = stats->rehashes,
                                    .snapshots = stats->snapshots,
                                    .clears = stats->clears,
                                    .capacity = stats->capacity,
                                    .bytes = stats->bytes};
}

static int compare_keys(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

void target_sort(uint64_t *keys, size_t count)
{
    if (count > 1)
        qsort(keys, count, sizeof(*keys), compare_keys);
    for (size_t i = 1; i < count; i++)
        if (keys[i - 1] == keys[i])
            target_notice("a snapshot holds key %llu twice", (unsigned long long)keys[i]);
}

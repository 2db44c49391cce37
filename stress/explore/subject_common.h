// SPDX-License-Identifier: MIT
/*
 * What the kinds of sets do alike, but for the names of the functions. Included once by each, which
 * defines KIND before, and HAS_NO_PROBES when the kind cannot be asked for probe lengths.
 */
#include <errno.h>

#include "explore/subject.h"

#define PASTE_(a, b, c) a##b##c
#define PASTE(a, b, c) PASTE_(a, b, c)
#define NAME(function) PASTE(PASTE(lfset_, KIND, _), function, )
#define SET struct PASTE(lfset_, KIND, )

static int destroy(void *set)
{
    return NAME(destroy)(set);
}

static int take(void *set, bool drain, void **snapshot)
{
    struct PASTE(lfset_, KIND, _snapshot) *made = NULL;
    int result = drain ? NAME(drain)(set, &made, NULL) : NAME(snapshot_take)(set, &made, NULL);
    *snapshot = made;
    return result == 0 && !made ? -EIO : result;
}

static int64_t snapshot_count(void *snapshot)
{
    return NAME(snapshot_count)(snapshot);
}

static void snapshot_destroy(void *snapshot)
{
    NAME(snapshot_destroy)(snapshot);
}

static int clone(void *set, void **copy)
{
    SET *made = NULL;
    int result = NAME(clone)(set, &made, NULL, NULL);
    *copy = made;
    return result == 0 && !made ? -EIO : result;
}

static int64_t clear(void *set)
{
    return NAME(clear)(set, NULL);
}

static int64_t size(void *set)
{
    return NAME(size)(set, NULL);
}

static int is_empty(void *set)
{
    return NAME(is_empty)(set);
}

static int reserve(void *set, uint64_t capacity)
{
    return NAME(reserve)(set, capacity, NULL);
}

#ifndef HAS_NO_PROBES
static int look(void *set)
{
    struct lfset_stats stats = {.size = sizeof stats};
    uint64_t histogram[4];
    int64_t bound = NAME(probe_lengths)(set, histogram, 4);
    int64_t estimate = NAME(size_estimate)(set);
    int result = NAME(stats_read)(set, &stats);
    return bound < 0 ? (int)bound : estimate < 0 ? (int)estimate : result;
}
#endif

static int validate(void *set, const char **reason)
{
    return NAME(validate)(set, reason);
}

static int wait_empty(void *set, const struct lfset_cancel *cancel)
{
    return NAME(wait_empty)(set, cancel);
}

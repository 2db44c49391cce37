// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "promise_counter.h"

#include <errno.h>
#include <stdlib.h>

enum { REMOVED, ADDED };

static int note(struct promise_updates *u, uint64_t time, int64_t keys)
{
    if (u->count == u->capacity) {
        const size_t wanted = u->capacity ? 2 * u->capacity : 1024;
        struct promise_update *grown = realloc(u->at, wanted * sizeof(*grown));

        if (!grown)
            return -ENOMEM;
        u->at = grown;
        u->capacity = wanted;
    }
    u->at[u->count++] = (struct promise_update){.time = time, .sum = keys};
    return 0;
}

static int compare_times(const void *a, const void *b)
{
    const uint64_t x = ((const struct promise_update *)a)->time;
    const uint64_t y = ((const struct promise_update *)b)->time;

    return (x > y) - (x < y);
}

static void add_up(struct promise_updates *u)
{
    if (u->count > 1)
        qsort(u->at, u->count, sizeof(*u->at), compare_times);
    for (size_t i = 1; i < u->count; i++)
        u->at[i].sum += u->at[i - 1].sum;
}

/* The number of updates before `time`, or also at it. */
static size_t updates_before(const struct promise_updates *u, uint64_t time, int or_at)
{
    size_t low = 0, high = u->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (u->at[middle].time < time || (or_at && u->at[middle].time == time))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t keys_before(const struct promise_updates *u, uint64_t time, int or_at)
{
    const size_t count = updates_before(u, time, or_at);

    return count ? u->at[count - 1].sum : 0;
}

/* How many keys an operation added or removed; `known` is 0 when it does not say. */
static int64_t change_of(const struct history *round, const struct history_record *r, int *known)
{
    switch (r->op) {
    case HISTORY_ADD:
    case HISTORY_REMOVE:
    case HISTORY_POP:
        return r->result;
    case HISTORY_DRAIN:
        return (int64_t)round->sets[r->value].count;
    case HISTORY_CLEAR:
        *known &= history_record_counts(r);
        return history_record_counts(r) ? (int64_t)r->value : 0;
    default:
        return 0;
    }
}

int promise_counter_build(struct promise_counter *c, const struct history *round)
{
    int rc = 0;

    c->known = 1;
    c->initial = (int64_t)round->initial_count;
    for (int way = REMOVED; way <= ADDED; way++)
        c->calls[way].count = c->returns[way].count = 0;
    for (size_t i = 0; i < round->count && rc == 0; i++) {
        const struct history_record *r = &round->records[i];
        const int64_t keys = change_of(round, r, &c->known);
        const int way = r->op == HISTORY_ADD ? ADDED : REMOVED;

        if (keys == 0)
            continue;
        rc = note(&c->calls[way], r->invoke, keys);
        rc = rc ? rc : note(&c->returns[way], r->ret, keys);
    }
    for (int way = REMOVED; way <= ADDED; way++) {
        add_up(&c->calls[way]);
        add_up(&c->returns[way]);
    }
    return rc;
}

/* At an instant: without the adds, and with the removals, that are under way; or the reverse. */
static int64_t least_at(const struct promise_counter *c, uint64_t time)
{
    return c->initial + keys_before(&c->returns[ADDED], time, 0) -
           keys_before(&c->calls[REMOVED], time, 1);
}

static int64_t most_at(const struct promise_counter *c, uint64_t time)
{
    return c->initial + keys_before(&c->calls[ADDED], time, 1) -
           keys_before(&c->returns[REMOVED], time, 0);
}

/*
 * From one instant to the next the range loses or gains one end only, so what is possible at some
 * instant has no gaps. The least falls where a removal is called, the most grows where an add is.
 */
void promise_counter_range(const struct promise_counter *c, uint64_t invoke, uint64_t ret,
                           uint64_t *least, uint64_t *most)
{
    const struct promise_updates *removals = &c->calls[REMOVED], *adds = &c->calls[ADDED];
    int64_t low = least_at(c, invoke), high = most_at(c, invoke);

    for (size_t i = updates_before(removals, invoke, 0);
         i < removals->count && removals->at[i].time <= ret; i++) {
        const int64_t here = least_at(c, removals->at[i].time);

        low = here < low ? here : low;
    }
    for (size_t i = updates_before(adds, invoke, 0); i < adds->count && adds->at[i].time <= ret;
         i++) {
        const int64_t here = most_at(c, adds->at[i].time);

        high = here > high ? here : high;
    }
    *least = low > 0 ? (uint64_t)low : 0;
    *most = high > 0 ? (uint64_t)high : 0;
}

void promise_counter_free(struct promise_counter *c)
{
    for (int way = REMOVED; way <= ADDED; way++) {
        free(c->calls[way].at);
        free(c->returns[way].at);
    }
}

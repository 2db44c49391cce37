// SPDX-License-Identifier: MIT
#include "explore/homes.h"

#include <stdlib.h>

#include "explore/schedule.h"

static int by_hash(const void *a, const void *b)
{
    uint64_t x = ((const struct home *)a)->hash, y = ((const struct home *)b)->hash;
    return (x > y) - (x < y);
}

void homes_sort(struct homes *homes)
{
    qsort(homes->table, HOMES, sizeof *homes->table, by_hash);
}

void homes_begin(struct homes *homes)
{
    while (homes->count > 0) {
        homes->used[homes->given[--homes->count]] = false;
    }
}

uint64_t homes_key(struct homes *homes, uint64_t hash)
{
    for (size_t i = 0; i < homes->count; i++) {
        if (homes->wanted[i] == hash) {
            return homes->table[homes->given[i]].key;
        }
    }
    if (homes->count == HOMES_USED) {
        sched_fail("the plan asks for too many keys");
    }
    size_t low = 0, high = HOMES;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (homes->table[middle].hash < hash) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    while (low < HOMES && homes->used[low]) {
        low++;
    }
    while (low == HOMES || homes->used[low]) {
        low--; // hashes near the end
    }
    homes->used[low] = true;
    homes->wanted[homes->count] = hash;
    homes->given[homes->count++] = low;
    return homes->table[low].key;
}

// SPDX-License-Identifier: MIT
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"

void model_copy(struct model *to, const struct model *from)
{
    to->count = from->count;
    memcpy(to->keys, from->keys, from->count * sizeof *from->keys);
}

size_t model_rank(const struct model *model, uint64_t key)
{
    size_t low = 0, high = model->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (model->keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

bool model_contains(const struct model *model, uint64_t key)
{
    const size_t at = model_rank(model, key);
    return at < model->count && model->keys[at] == key;
}

int model_add(struct model *model, uint64_t key)
{
    const size_t at = model_rank(model, key);
    if (at < model->count && model->keys[at] == key)
        return 0;
    if (model->count == MODEL_MAX)
        fail("the model is full");
    memmove(&model->keys[at + 1], &model->keys[at], (model->count - at) * sizeof *model->keys);
    model->keys[at] = key;
    model->count++;
    return 1;
}

int model_remove(struct model *model, uint64_t key)
{
    const size_t at = model_rank(model, key);
    if (at == model->count || model->keys[at] != key)
        return 0;
    model->count--;
    memmove(&model->keys[at], &model->keys[at + 1], (model->count - at) * sizeof *model->keys);
    return 1;
}

void model_append(struct model *model, uint64_t key)
{
    if (model->count == MODEL_MAX)
        fail("more keys come out than were put in");
    model->keys[model->count++] = key;
}

static int ascending(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

bool model_sort(struct model *model)
{
    qsort(model->keys, model->count, sizeof *model->keys, ascending);
    for (size_t i = 1; i < model->count; i++)
        if (model->keys[i - 1] == model->keys[i])
            return false;
    return true;
}

bool model_equal(const struct model *a, const struct model *b)
{
    return a->count == b->count && memcmp(a->keys, b->keys, a->count * sizeof *a->keys) == 0;
}

/* The keys of `a` that are, or are not, in `b`. */
static void add_some(struct model *result, const struct model *a, const struct model *b, bool in)
{
    for (size_t i = 0; i < a->count; i++)
        if (model_contains(b, a->keys[i]) == in)
            model_append(result, a->keys[i]);
}

void model_combine(struct model *result, const struct model *a, enum lfset_combination combination,
                   const struct model *b)
{
    result->count = 0;
    if (combination == LFSET_INTERSECTION || combination == LFSET_UNION)
        add_some(result, a, b, true);
    if (combination != LFSET_INTERSECTION)
        add_some(result, a, b, false);
    if (combination == LFSET_UNION || combination == LFSET_SYMMETRIC_DIFFERENCE)
        add_some(result, b, a, false);
    (void)model_sort(result);
}

static size_t common(const struct model *a, const struct model *b)
{
    size_t count = 0;
    for (size_t i = 0; i < a->count; i++)
        count += model_contains(b, a->keys[i]);
    return count;
}

int model_relation(const struct model *a, const struct model *b)
{
    const size_t both = common(a, b);
    int bits = both > 0 ? LFSET_INTERSECTS : LFSET_DISJOINT;
    if (both == a->count)
        bits |= LFSET_SUBSET | (a->count < b->count ? LFSET_PROPER_SUBSET : 0);
    if (both == b->count)
        bits |= LFSET_SUPERSET | (b->count < a->count ? LFSET_PROPER_SUPERSET : 0);
    return bits | (both == a->count && both == b->count ? LFSET_EQUAL : 0);
}

size_t model_distance(const struct model *a, const struct model *b)
{
    return a->count + b->count - 2 * common(a, b);
}

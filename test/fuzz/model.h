// SPDX-License-Identifier: MIT
/* What a set should hold: its keys in an array, ascending. */
#ifndef LFSET_FUZZ_MODEL_H
#define LFSET_FUZZ_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lfset/lfset.h"

enum { MODEL_MAX = 8192 };

struct model {
    size_t count;
    uint64_t keys[MODEL_MAX];
};

void model_copy(struct model *to, const struct model *from);
/** How many keys are less than `key`. */
size_t model_rank(const struct model *model, uint64_t key);
bool model_contains(const struct model *model, uint64_t key);
/** @return 1 when it was absent, 0 when it was there. */
int model_add(struct model *model, uint64_t key);
/** @return 1 when it was there, 0 when it was absent. */
int model_remove(struct model *model, uint64_t key);
/** At the end, in no order; model_sort makes it a model again. */
void model_append(struct model *model, uint64_t key);
/** @return false when a key is there twice. */
bool model_sort(struct model *model);
bool model_equal(const struct model *a, const struct model *b);
void model_combine(struct model *result, const struct model *a, enum lfset_combination combination,
                   const struct model *b);
/** The bits of enum lfset_relation. */
int model_relation(const struct model *a, const struct model *b);
/** How many keys are in exactly one. */
size_t model_distance(const struct model *a, const struct model *b);

#endif

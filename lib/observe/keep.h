// SPDX-License-Identifier: MIT
/**
 * @file keep.h
 * What an observation holds: its arrays, texts and stacks.
 */
#ifndef LFSET__KEEP_H
#define LFSET__KEEP_H

#include "lfset/observation.h"
#include "record/segment.h"

struct lfset__kept_texts;

struct lfset__kept_stack {
    unsigned depth; /**< 0: there is none of this index */
    uint64_t frames[LFSET__FRAMES];
};

/** What lfset_observation_take hands out is the first member. */
struct lfset__kept {
    struct lfset_observation seen;
    struct lfset__kept_texts *texts;
    struct lfset__kept_stack *stacks;
    unsigned stack_count;
};

/** @return an empty one with room for stacks, to be given to lfset_observation_free; NULL: no memory. */
struct lfset__kept *lfset__kept_make(unsigned stack_count);

/** Keeps a text of at most `size` bytes, which may lack its end. @return the copy; NULL: no memory. */
const char *lfset__keep_text(struct lfset__kept *kept, const char *text, size_t size);

/** Appends an item to an array that grew by this function alone. @return the array; NULL: no memory. */
void *lfset__keep_item(const void *array, size_t count, const void *item, size_t size);

/** By id, and by number, for qsort. */
int lfset__compare_sets(const void *a, const void *b);
int lfset__compare_events(const void *a, const void *b);

/** Beyond the highest index of a stack. */
unsigned lfset__stacks_end(const struct lfset_observation *observation);

#endif

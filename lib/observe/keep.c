// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "observe/keep.h"

#include <stdlib.h>
#include <string.h>

struct lfset__kept_texts {
    struct lfset__kept_texts *next;
    size_t used;
    char text[4096];
};

struct lfset__kept *lfset__kept_make(unsigned stack_count)
{
    struct lfset__kept *kept = calloc(1, sizeof *kept);
    if (kept) {
        kept->stack_count = stack_count;
        kept->stacks = calloc(stack_count + 1u, sizeof *kept->stacks);
    }
    if (kept && !kept->stacks) {
        free(kept);
        kept = NULL;
    }
    return kept;
}

const char *lfset__keep_text(struct lfset__kept *kept, const char *text, size_t size)
{
    size_t length = strnlen(text, size);
    struct lfset__kept_texts *texts = kept->texts;
    if (length == 0) {
        return "";
    }
    if (!texts || sizeof texts->text - texts->used <= length) {
        texts = malloc(sizeof *texts);
        if (!texts) {
            return NULL;
        }
        texts->next = kept->texts;
        texts->used = 0;
        kept->texts = texts;
    }
    char *copy = texts->text + texts->used;
    memcpy(copy, text, length);
    copy[length] = 0;
    texts->used += length + 1;
    return copy;
}

void *lfset__keep_item(const void *array, size_t count, const void *item, size_t size)
{
    char *items = (char *)(uintptr_t)array;
    if ((count & (count - 1)) == 0) { // full: its room is 0 or a power of two
        items = reallocarray(items, count ? count * 2 : 1, size);
        if (!items) {
            return NULL;
        }
    }
    memcpy(items + count * size, item, size);
    return items;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

int lfset__compare_sets(const void *a, const void *b)
{
    return compare_numbers(((const struct lfset_set_seen *)a)->id,
                           ((const struct lfset_set_seen *)b)->id);
}

int lfset__compare_events(const void *a, const void *b)
{
    return compare_numbers(((const struct lfset_event *)a)->number,
                           ((const struct lfset_event *)b)->number);
}

void lfset_observation_free(struct lfset_observation *seen)
{
    if (!seen) {
        return;
    }
    struct lfset__kept *kept = (struct lfset__kept *)(void *)seen;
    for (struct lfset__kept_texts *texts = kept->texts, *next; texts; texts = next) {
        next = texts->next;
        free(texts);
    }
    free(kept->stacks);
    free((void *)(uintptr_t)seen->sets);
    free((void *)(uintptr_t)seen->threads);
    free((void *)(uintptr_t)seen->retired);
    free((void *)(uintptr_t)seen->samples);
    free((void *)(uintptr_t)seen->events);
    free((void *)(uintptr_t)seen->modules);
    free(kept);
}

unsigned lfset_observation_stack(const struct lfset_observation *seen, unsigned stack,
                                 const uint64_t **frames)
{
    const struct lfset__kept *kept = (const struct lfset__kept *)(const void *)seen;
    if (!seen || stack == 0 || stack >= kept->stack_count) {
        return 0;
    }
    if (frames) {
        *frames = kept->stacks[stack].frames;
    }
    return kept->stacks[stack].depth;
}

unsigned lfset__stacks_end(const struct lfset_observation *seen)
{
    return ((const struct lfset__kept *)(const void *)seen)->stack_count;
}

const struct lfset_set_seen *lfset_observation_set(const struct lfset_observation *seen,
                                                   uint64_t id)
{
    struct lfset_set_seen wanted = {.id = id};
    return seen && seen->set_count > 0
               ? bsearch(&wanted, seen->sets, seen->set_count, sizeof wanted, lfset__compare_sets)
               : NULL;
}

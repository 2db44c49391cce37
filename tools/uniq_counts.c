// SPDX-License-Identifier: MIT
// lfset uniq -c and -d: a set of objects, one for each distinct line, that carry how often it was
// seen. Nothing is written before the end of the input.
#include "uniq.h"

#include <errno.h>
#include <inttypes.h>
#include <lfset/obj.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH = 64, // lines looked up in one section
    OUTPUT_BYTES = 64 * 1024,
    PREFETCH = 8, // objects ahead
    COUNT_BYTES = 24,
};

struct uniq_counted {
    struct lfset_string line; // first: what looks for an object is a line only
    uint64_t count; // of the thread that works on the line's partition, then of who writes
    char text[];
};

// The objects of one block's first lines, in order.
struct uniq_batch {
    struct uniq_batch *next;
    uint32_t count;
    struct uniq_counted *objects[];
};

struct counts {
    struct lfset_obj *set;
    struct uniq_batch *first, **last; // in the order of the blocks
    bool with_counts;
    bool only_repeated;
    size_t filled;
    char output[OUTPUT_BYTES];
};

static uint64_t hash_line(void *ctx, const void *key)
{
    (void)ctx;
    const struct lfset_string *line = key;
    return uniq_lines_hash(line->data, line->length);
}

static int equal_lines(void *ctx, const void *object, const void *key)
{
    (void)ctx;
    const struct lfset_string *a = object, *b = key;
    return a->length == b->length && memcmp(a->data, b->data, a->length) == 0;
}

static int open_set(void **set, const struct uniq_options *options)
{
    struct lfset_obj_type type = LFSET_OBJ_TYPE_INIT;
    type.hash = hash_line;
    type.equal = equal_lines;
    // No destroy: nothing is ever removed, and what is there at the end ends with the process.
    struct lfset_options set_options = LFSET_OPTIONS_INIT;
    set_options.domain = LFSET_RCU; // references within a section are free there
    set_options.name = "uniq";

    struct counts *counts = calloc(1, sizeof *counts);
    if (!counts)
        return -ENOMEM;
    counts->last = &counts->first;
    counts->with_counts = options->with_counts;
    counts->only_repeated = options->only_repeated;
    int error = uniq_lines_seed();
    if (!error)
        error = lfset_obj_create(&counts->set, &type, &set_options);
    *set = counts;
    return error;
}

static struct uniq_counted *counted_new(struct lfset_string line)
{
    struct uniq_counted *object = malloc(sizeof *object + line.length);
    if (!object)
        return NULL;
    memcpy(object->text, line.data, line.length);
    object->line.data = object->text;
    object->line.length = line.length;
    object->count = 0;
    return object;
}

// Within a section.
static int count_line(struct counts *counts, struct uniq_block *block, uint32_t number,
                      struct lfset_string *line)
{
    void *found;
    int result = lfset_obj_get(counts->set, line, &found);
    if (result < 0)
        return result;
    struct uniq_counted *object = found;
    if (!object) {
        // Nobody else is adding this line: a partition has one thread at a time.
        object = counted_new(*line);
        if (!object)
            return -ENOMEM;
        result = lfset_obj_add(counts->set, object);
        if (result < 0) {
            free(object);
            return result;
        }
        block->value[number].counted = object;
    }
    object->count++;
    block->is_first[number] = object->count == 1;
    return 0;
}

static int count_batch(struct counts *counts, struct uniq_block *block, const uint32_t *lines,
                       uint32_t count)
{
    struct lfset_string line[BATCH];
    const void *keys[BATCH] = {0};
    for (uint32_t i = 0; i < count; i++) {
        line[i].data = uniq_block_line(block, lines[i], &line[i].length);
        keys[i] = &line[i];
    }
    // Only to have in the cache what each line would wait for: its misses overlap here.
    lfset_obj_contains_many(counts->set, keys, count, NULL);

    int error = lfset_section_enter();
    if (error)
        return error;
    for (uint32_t i = 0; i < count && !error; i++)
        error = count_line(counts, block, lines[i], &line[i]);
    lfset_section_leave();
    return error;
}

static int add_lines(void *set, struct uniq_block *block, const uint32_t *lines, uint32_t count)
{
    int error = 0;
    for (uint32_t batch; count && !error; lines += batch, count -= batch) {
        batch = count < BATCH ? count : BATCH;
        error = count_batch(set, block, lines, batch);
    }
    return error;
}

static int complete(struct uniq_block *block)
{
    uint32_t count = 0;
    for (uint32_t line = 0; line < block->lines; line++)
        count += block->is_first[line];
    block->fresh = count;
    block->kept = NULL;
    if (count == 0)
        return 0;
    struct uniq_batch *batch = malloc(sizeof *batch + count * sizeof *batch->objects);
    if (!batch)
        return -ENOMEM;
    batch->next = NULL;
    batch->count = 0;
    for (uint32_t line = 0; line < block->lines; line++)
        if (block->is_first[line])
            batch->objects[batch->count++] = block->value[line].counted;
    block->kept = batch;
    return 0;
}

static int keep(void *set, struct uniq_block *block)
{
    struct counts *counts = set;
    if (block->kept) {
        *counts->last = block->kept;
        counts->last = &block->kept->next;
    }
    return 0;
}

// ---------------------------------------------------------------------------------- at the end

static int flush(struct counts *counts)
{
    int error = uniq_write(counts->output, counts->filled);
    counts->filled = 0;
    return error;
}

static int put(struct counts *counts, const void *text, size_t length)
{
    if (length > OUTPUT_BYTES - counts->filled) {
        int error = flush(counts);
        if (error)
            return error;
        if (length > OUTPUT_BYTES)
            return uniq_write(text, length);
    }
    memcpy(counts->output + counts->filled, text, length);
    counts->filled += length;
    return 0;
}

static int put_counted(struct counts *counts, const struct uniq_counted *object)
{
    int error = 0;
    if (counts->only_repeated && object->count == 1)
        return 0;
    if (counts->with_counts) {
        char count[COUNT_BYTES];
        int length = snprintf(count, sizeof count, "%7" PRIu64 " ", object->count);
        error = put(counts, count, (size_t)length);
    }
    if (!error)
        error = put(counts, object->line.data, object->line.length);
    return error ? error : put(counts, "\n", 1);
}

static int put_all(void *set)
{
    struct counts *counts = set;
    for (const struct uniq_batch *batch = counts->first; batch; batch = batch->next) {
        for (uint32_t i = 0; i < batch->count; i++) {
            if (batch->count - i > PREFETCH)
                __builtin_prefetch(batch->objects[i + PREFETCH]);
            int error = put_counted(counts, batch->objects[i]);
            if (error)
                return error;
        }
    }
    return flush(counts);
}

static int reserve(void *set, uint64_t lines)
{
    return lfset_obj_reserve(((struct counts *)set)->set, lines, NULL);
}

const struct uniq_kind uniq_counts = {
    .line_max = UNIQ_LINE_MAX,
    .uses_values = true,
    .open = open_set,
    .parse = uniq_lines_parse,
    .add = add_lines,
    .complete = complete,
    .write = keep,
    .reserve = reserve,
    .end = put_all,
};

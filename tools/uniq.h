// SPDX-License-Identifier: MIT
// lfset uniq, inside: what its files share.
//
//     uniq.c           the options
//     uniq_pipeline.c  files -> blocks of lines -> output, by several threads
//     uniq_integers.c  lines that are integers, distinct by value
//     uniq_lines.c     lines of any bytes
//     uniq_counts.c    the same, with how often each occurs
//     uniq_progress.c  how far it is, on a terminal
//
// The pipeline knows blocks and lines; a kind knows what makes two lines equal.
#ifndef LFSET_UNIQ_H
#define LFSET_UNIQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    UNIQ_BLOCK_BYTES = 256 * 1024, // of one read
    UNIQ_SHOWN_BYTES = 64,         // of a malformed line, in the message
    UNIQ_FAILURE = 1,              // exit status: a file or memory
    UNIQ_MALFORMED = 2,            // exit status: a line or an option
};

// Offsets in a block have 32 bits; a block is a line at most this long and what two reads bring.
#define UNIQ_LINE_MAX (UINT32_MAX - 2u * UNIQ_BLOCK_BYTES)

struct uniq_counted; // uniq_counts.c
struct uniq_batch;

struct uniq_block {
    char *text;    // whole lines, each with its newline
    size_t length; // of text; after the parse the malformed line and what follows it are not part
                   // of it
    size_t room;   // allocated

    uint32_t lines;
    uint32_t lines_room; // allocated, in all of the following
    uint32_t *start;     // by line, and of the end: in text
    uint8_t *bucket;     // by line: bits of a hash; equal lines have equal ones
    uint8_t *is_first;   // by line: it occurs here first
    uint32_t *line_of;   // the lines, partition after partition, in order within each
    union uniq_value {
        uint64_t integer;
        struct uniq_counted *counted;
    } * value; // by line, if the kind uses_values
    bool uses_values;
    struct uniq_batch *kept; // uniq_counts.c

    uint32_t fresh; // how many lines occur here first

    const char *reason; // why the input ends after these lines; NULL: it does not
    int error;          // errno that goes with it, or 0: the next line is malformed, and here it is
    char malformed[UNIQ_SHOWN_BYTES + 1];
};

struct uniq_options {
    const char *name; // in messages
    const struct uniq_kind *kind;
    unsigned threads;
    bool unordered;
    bool with_counts;
    bool only_repeated;
    char **files;
    int count;
};

// Failures are negative errno values.
struct uniq_kind {
    size_t line_max;  // a longer one is handed to parse as soon as that is seen
    bool uses_values; // of the blocks

    int (*open)(void **set, const struct uniq_options *options);
    // Finds the lines: calls uniq_block_add_line for each, up to the first that is malformed.
    int (*parse)(struct uniq_block *block);
    // Adds these lines to the set, in this order, and says in is_first which of them are new. Never
    // called for equal lines in two threads, unless the order is of no interest.
    int (*add)(void *set, struct uniq_block *block, const uint32_t *lines, uint32_t count);
    // After all lines of the block were added. Counts those that are fresh.
    int (*complete)(struct uniq_block *block);
    // Writes what there is to write of a block. In order, one block at a time. Fails only when the
    // output does.
    int (*write)(void *set, struct uniq_block *block);
    // Makes room for so many lines in total; may fail.
    int (*reserve)(void *set, uint64_t lines);
    int (*end)(void *set); // NULL, or writes what is left after the last block; as write
};

extern const struct uniq_kind uniq_integers, uniq_lines, uniq_counts;

// Returns the exit status if it could not begin; otherwise the process ends with it. What went wrong was
// told.
int uniq_run(const struct uniq_options *options);

// For kinds. Text is written to standard output whole.
int uniq_write(const void *text, size_t length);
int uniq_block_compact(struct uniq_block *block); // drops the lines that are not first
int uniq_block_write(void *set, struct uniq_block *block);
bool uniq_block_grow(struct uniq_block *block);
// Ends the block before the line that begins at `line`.
void uniq_block_malformed(struct uniq_block *block, const char *line, size_t length,
                          const char *reason);

static inline bool uniq_block_add_line(struct uniq_block *block, const char *line, uint64_t hash)
{
    if (block->lines + 1 >= block->lines_room && !uniq_block_grow(block))
        return false;
    block->start[block->lines] = (uint32_t)(line - block->text);
    block->bucket[block->lines] = (uint8_t)(hash >> 56);
    block->lines++;
    return true;
}

// The line without its newline.
static inline const char *uniq_block_line(const struct uniq_block *block, uint32_t line,
                                          size_t *length)
{
    *length = block->start[line + 1] - block->start[line] - 1;
    return block->text + block->start[line];
}

// uniq_lines.c, for uniq_counts.c
int uniq_lines_parse(struct uniq_block *block);
int uniq_lines_seed(void); // once, before the first hash
uint64_t uniq_lines_hash(const void *text, size_t length);

// uniq_progress.c: one thread at a time
// Shows nothing unless on a terminal. total: bytes of input, 0 when that is not known
void uniq_progress_begin(const char *name, uint64_t total);
void uniq_progress_add(uint64_t bytes);
void uniq_progress_end(void); // clears the line, for the prompt or a message

#endif

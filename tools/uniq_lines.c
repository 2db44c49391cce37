// SPDX-License-Identifier: MIT
// lfset uniq: lines of any bytes, in a set of byte strings.
#define _GNU_SOURCE
#include "uniq.h"

#include <errno.h>
#include <lfset/bytes.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum { BATCH = 256 }; // lines handed to the set at once

static unsigned char secret[XXH_SECRET_DEFAULT_SIZE];

int uniq_lines_seed(void)
{
    return getrandom(secret, sizeof secret, 0) == (ssize_t)sizeof secret ? 0 : -EIO;
}

uint64_t uniq_lines_hash(const void *text, size_t length)
{
    return XXH3_64bits_withSecret(text, length, secret, sizeof secret);
}

int uniq_lines_parse(struct uniq_block *block)
{
    const char *line = block->text, *end = block->text + block->length;
    block->lines = 0;
    while (line < end) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        size_t length = (size_t)(line_end - line);
        if (length > UNIQ_LINE_MAX) {
            uniq_block_malformed(block, line, length, "line longer than 4 GB");
            break;
        }
        if (!uniq_block_add_line(block, line, uniq_lines_hash(line, length)))
            return -ENOMEM;
        line = line_end + 1;
    }
    return 0;
}

static int open_set(void **set, const struct uniq_options *options)
{
    (void)options;
    struct lfset_bytes *bytes;
    struct lfset_options set_options = LFSET_OPTIONS_INIT;
    set_options.domain = LFSET_HP;
    set_options.name = "uniq";
    int error = uniq_lines_seed();
    if (!error)
        error = lfset_bytes_create(&bytes, &set_options);
    if (!error)
        *set = bytes;
    return error;
}

static int add_lines(void *set, struct uniq_block *block, const uint32_t *lines, uint32_t count)
{
    struct lfset_string keys[BATCH];
    int8_t added[BATCH];
    for (uint32_t batch; count; lines += batch, count -= batch) {
        batch = count < BATCH ? count : BATCH;
        for (uint32_t i = 0; i < batch; i++)
            keys[i].data = uniq_block_line(block, lines[i], &keys[i].length);
        int64_t result = lfset_bytes_add_many(set, keys, batch, added);
        if (result < 0)
            return (int)result;
        for (uint32_t i = 0; i < batch; i++)
            block->is_first[lines[i]] = (uint8_t)added[i];
    }
    return 0;
}

static int reserve(void *set, uint64_t lines)
{
    return lfset_bytes_reserve(set, lines, NULL);
}

const struct uniq_kind uniq_lines = {
    .line_max = UNIQ_LINE_MAX,
    .open = open_set,
    .parse = uniq_lines_parse,
    .add = add_lines,
    .complete = uniq_block_compact,
    .write = uniq_block_write,
    .reserve = reserve,
};

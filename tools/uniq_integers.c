// SPDX-License-Identifier: MIT
// lfset uniq --integers: lines that are 64-bit integers, equal when their values are.
#define _GNU_SOURCE
#include "uniq.h"

#include <errno.h>
#include <lfset/u64.h>
#include <string.h>

enum {
    LINE_BYTES = 64, // the longest line that can be an integer
    BATCH = 256,     // lines handed to the set at once
};

// The key of a line that is nothing but decimal digits; returns its end, or NULL when it is
// something else or too large. The text ends with a newline, so this never runs out of it.
static const char *parse_decimal(const char *line, uint64_t *key)
{
    const char *at = line;
    uint64_t value = 0;
    for (unsigned digit; (digit = (unsigned char)*at - (unsigned)'0') <= 9; at++)
        value = value * 10 + digit;
    *key = value;
    if (*at != '\n' || at == line || at - line > 20)
        return NULL;
    // 20 digits overflow unless they are 1...; then the value, less than 2 * 10^19, tells.
    if (at - line == 20 && (*line > '1' || (*line == '1' && value < 10000000000000000000u)))
        return NULL;
    return at;
}

// All the rest: hexadecimal, many leading zeros, and what is wrong with the line: NULL for nothing.
static const char *parse_other(const char *line, size_t length, uint64_t *key)
{
    static const char too_large[] = "larger than 64 bits";
    if (length == 0)
        return "empty line";
    if (length > LINE_BYTES)
        return "line longer than 64 bytes";
    if (line[length - 1] == '\r')
        return "carriage return at the end of the line";
    if (*line == '-')
        return "negative number";

    bool hexadecimal = length > 2 && line[0] == '0' && (line[1] == 'x' || line[1] == 'X');
    const uint64_t base = hexadecimal ? 16 : 10;
    bool overflow = false;
    *key = 0;
    for (size_t i = hexadecimal ? 2 : 0; i < length; i++) {
        unsigned char c = (unsigned char)line[i];
        unsigned digit = c - (unsigned)'0';
        if (hexadecimal && (c | 32) >= 'a' && (c | 32) <= 'f')
            digit = (c | 32u) - 'a' + 10;
        else if (digit > 9)
            return "neither a decimal nor a 0x-hexadecimal integer";
        overflow |= __builtin_mul_overflow(*key, base, key);
        overflow |= __builtin_add_overflow(*key, digit, key);
    }
    return overflow ? too_large : NULL;
}

static int parse(struct uniq_block *block)
{
    const char *line = block->text, *end = block->text + block->length;
    block->lines = 0;
    while (line < end) {
        uint64_t key;
        const char *line_end = parse_decimal(line, &key);
        if (!line_end) {
            line_end = rawmemchr(line, '\n');
            const char *reason = parse_other(line, (size_t)(line_end - line), &key);
            if (reason) {
                uniq_block_malformed(block, line, (size_t)(line_end - line), reason);
                break;
            }
        }
        if (!uniq_block_add_line(block, line, key * 0x9e3779b97f4a7c15u))
            return -ENOMEM;
        block->value[block->lines - 1].integer = key;
        line = line_end + 1;
    }
    return 0;
}

static int open_set(void **set, const struct uniq_options *options)
{
    (void)options;
    struct lfset_u64 *integers;
    struct lfset_options set_options = LFSET_OPTIONS_INIT;
    set_options.domain = LFSET_HP;
    set_options.name = "uniq";
    int error = lfset_u64_create(&integers, &set_options);
    if (!error)
        *set = integers;
    return error;
}

static int add_lines(void *set, struct uniq_block *block, const uint32_t *lines, uint32_t count)
{
    uint64_t keys[BATCH];
    int8_t added[BATCH];
    for (uint32_t batch; count; lines += batch, count -= batch) {
        batch = count < BATCH ? count : BATCH;
        for (uint32_t i = 0; i < batch; i++)
            keys[i] = block->value[lines[i]].integer;
        int64_t result = lfset_u64_add_many(set, keys, batch, added);
        if (result < 0)
            return (int)result;
        for (uint32_t i = 0; i < batch; i++)
            block->is_first[lines[i]] = (uint8_t)added[i];
    }
    return 0;
}

static int reserve(void *set, uint64_t lines)
{
    return lfset_u64_reserve(set, lines, NULL);
}

const struct uniq_kind uniq_integers = {
    .line_max = LINE_BYTES,
    .uses_values = true,
    .open = open_set,
    .parse = parse,
    .add = add_lines,
    .complete = uniq_block_compact,
    .write = uniq_block_write,
    .reserve = reserve,
};

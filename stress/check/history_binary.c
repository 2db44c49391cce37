// SPDX-License-Identifier: MIT
/*
 * The binary form of a history. All numbers are little-endian.
 *
 *     header    magic (8 bytes), version, flags, then the numbers of records, initial keys, sets,
 *               set keys, strings and string bytes: 8 words of 64 bits in all after the magic
 *     records   value, invoke, return, thread (32 bits), operation, result, 2 zero bytes
 *     initial   64-bit keys
 *     sets      the 64-bit count of keys of each
 *     set keys  64-bit keys
 *     strings   the 64-bit length of each; then their bytes, padded with zeros to 8
 *     checksum  64 bits, of everything before it
 *
 * Version 1, which is still read, had no clear that counts the keys it removed.
 */
#include "history_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 2
#define VERSION_OLDEST 1
#define FLAG_STRINGS 1
#define HEADER_SIZE (HISTORY_MAGIC_SIZE + 8 * 8)
#define RECORD_SIZE 32

/* FNV-1a over 64-bit words instead of bytes: any single flipped bit changes it. */
static uint64_t checksum_word(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x100000001b3);
    return sum ^ sum >> 29;
}

#define CHECKSUM_START UINT64_C(0xcbf29ce484222325)

static uint64_t load64(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/* ---- writing ---- */

struct writer {
    FILE *file;
    uint64_t sum;
};

static void put64(struct writer *writer, uint64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    writer->sum = checksum_word(writer->sum, value);
    fwrite(bytes, 1, sizeof bytes, writer->file);
}

static void put_keys(struct writer *writer, const uint64_t *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put64(writer, keys[i]);
}

static void put_strings(struct writer *writer, const struct history_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++)
        put64(writer, strings->items[i].length);
    for (size_t i = 0; i < strings->byte_count; i += 8) {
        unsigned char word[8] = {0};
        size_t left = strings->byte_count - i;
        memcpy(word, strings->bytes + i, left < 8 ? left : 8);
        put64(writer, load64(word));
    }
}

int history_write_binary(const struct history *history, FILE *file)
{
    struct writer writer = {.file = file, .sum = CHECKSUM_START};
    const struct history_strings *strings = history->strings;
    put64(&writer, load64((const unsigned char *)HISTORY_MAGIC));
    put64(&writer, VERSION);
    put64(&writer, strings != NULL ? FLAG_STRINGS : 0);
    put64(&writer, history->count);
    put64(&writer, history->initial_count);
    put64(&writer, history->set_count);
    put64(&writer, history->set_key_count);
    put64(&writer, strings != NULL ? strings->count : 0);
    put64(&writer, strings != NULL ? strings->byte_count : 0);
    for (size_t i = 0; i < history->count; i++) {
        const struct history_record *record = &history->records[i];
        put64(&writer, record->value);
        put64(&writer, record->invoke);
        put64(&writer, record->ret);
        put64(&writer,
              record->thread | (uint64_t)record->op << 32 | (uint64_t)record->result << 40);
    }
    put_keys(&writer, history->initial, history->initial_count);
    for (size_t i = 0; i < history->set_count; i++)
        put64(&writer, history->sets[i].count);
    put_keys(&writer, history->set_keys, history->set_key_count);
    if (strings != NULL)
        put_strings(&writer, strings);
    put64(&writer, writer.sum);
    return ferror(file) ? -EIO : 0;
}

/* ---- reading ---- */

struct reader {
    const unsigned char *data;
    size_t at;
    const char *name;
    struct history *history;
    struct history_error *error;
};

#define REFUSE(reader, offset, format, ...)                                                        \
    history__refuse((reader)->error, "%s: byte %zu: " format, (reader)->name, (size_t)(offset),    \
                    __VA_ARGS__)

struct counts {
    uint64_t version, records, initial, sets, set_keys, strings, string_bytes;
};

static uint64_t get64(struct reader *reader)
{
    uint64_t value = load64(reader->data + reader->at);
    reader->at += 8;
    return value;
}

/* The header, against the size of the file: no count is believed before the bytes are there. */
static int read_header(struct reader *reader, size_t size, struct counts *counts)
{
    if (size < HISTORY_MAGIC_SIZE || memcmp(reader->data, HISTORY_MAGIC, HISTORY_MAGIC_SIZE) != 0)
        return REFUSE(reader, 0, "%s", "not a binary history: bad magic");
    if (size < HEADER_SIZE + 8)
        return REFUSE(reader, size, "%s", "the file is cut off within the header");
    reader->at = HISTORY_MAGIC_SIZE;
    counts->version = get64(reader);
    uint64_t flags = get64(reader);
    if (counts->version < VERSION_OLDEST || counts->version > VERSION)
        return REFUSE(reader, reader->at - 16, "unknown version %" PRIu64, counts->version);
    counts->records = get64(reader);
    counts->initial = get64(reader);
    counts->sets = get64(reader);
    counts->set_keys = get64(reader);
    counts->strings = get64(reader);
    counts->string_bytes = get64(reader);
    const uint64_t most = (uint64_t)1 << 48; /* keeps the sum below from overflowing */
    if (counts->records > HISTORY_MAX_RECORDS || counts->initial > most || counts->sets > most ||
        counts->set_keys > most || counts->strings > most || counts->string_bytes > most)
        return REFUSE(reader, HISTORY_MAGIC_SIZE + 16, "%s", "a count in the header is too large");
    if (flags > FLAG_STRINGS || (flags == 0 && counts->strings + counts->string_bytes != 0))
        return REFUSE(reader, HISTORY_MAGIC_SIZE + 8, "unknown flags %" PRIu64, flags);
    uint64_t expected = HEADER_SIZE + counts->records * RECORD_SIZE +
                        8 * (counts->initial + counts->sets + counts->set_keys + counts->strings +
                             (counts->string_bytes + 7) / 8) +
                        8;
    if (size < expected)
        return REFUSE(reader, size, "the file is cut off: its header promises %" PRIu64 " bytes",
                      expected);
    if (size > expected)
        return REFUSE(reader, expected, "%s", "there are bytes after the end of the history");
    return 0;
}

static int check_sum(struct reader *reader, size_t size)
{
    uint64_t sum = CHECKSUM_START;
    for (size_t i = 0; i < size - 8; i += 8)
        sum = checksum_word(sum, load64(reader->data + i));
    if (sum != load64(reader->data + size - 8))
        return REFUSE(reader, size - 8, "%s", "the checksum does not match: the file is corrupt");
    return 0;
}

static int read_records(struct reader *reader, size_t count, uint64_t version)
{
    int status = history_reserve(reader->history, count);
    if (status != 0)
        return status;
    for (size_t i = 0; i < count; i++) {
        struct history_record *record = &reader->history->records[i];
        record->value = get64(reader);
        record->invoke = get64(reader);
        record->ret = get64(reader);
        uint64_t rest = get64(reader);
        record->thread = (uint32_t)rest;
        record->op = (uint8_t)(rest >> 32);
        record->result = (uint8_t)(rest >> 40);
        record->reserved = (uint16_t)(rest >> 48);
        if (record->reserved != 0)
            return REFUSE(reader, reader->at - 2, "record %zu: reserved bytes are not zero", i);
        if (version < 2 && history_record_counts(record))
            return REFUSE(reader, reader->at - 3, "record %zu: a clear counts keys in version 1",
                          i);
    }
    reader->history->count = count;
    return 0;
}

/* Reads `count` keys into new memory. */
static int read_keys(struct reader *reader, size_t count, uint64_t **keys)
{
    *keys = malloc((count + 1) * sizeof **keys);
    if (*keys == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        (*keys)[i] = get64(reader);
    return 0;
}

static int read_initial(struct reader *reader, size_t count)
{
    size_t start = reader->at;
    uint64_t *keys;
    int status = read_keys(reader, count, &keys);
    if (status != 0)
        return status;
    status = history_set_initial(reader->history, keys, count);
    free(keys);
    return status == -EINVAL ? REFUSE(reader, start, "%s", "the initial set has a key twice")
                             : status;
}

static int read_sets(struct reader *reader, size_t set_count, size_t key_count)
{
    size_t counts_at = reader->at, keys_at = counts_at + 8 * set_count;
    uint64_t *keys;
    reader->at = keys_at;
    int status = read_keys(reader, key_count, &keys);
    size_t used = 0;
    for (size_t i = 0; status == 0 && i < set_count; i++) {
        uint64_t count = load64(reader->data + counts_at + 8 * i), number;
        if (count > key_count - used) {
            status = REFUSE(reader, counts_at + 8 * i, "set %zu has more keys than there are", i);
            break;
        }
        status = history_add_set(reader->history, keys + used, (size_t)count, &number);
        if (status == -EINVAL)
            status = REFUSE(reader, keys_at + 8 * used, "set %zu has a key twice", i);
        used += (size_t)count;
    }
    if (status == 0 && used != key_count)
        status = REFUSE(reader, counts_at, "%s", "there are keys that belong to no set");
    free(keys);
    return status;
}

static int read_strings(struct reader *reader, size_t count, size_t byte_count)
{
    const char *bytes = (const char *)reader->data + reader->at + 8 * count;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t length = get64(reader), key;
        if (length > byte_count - used)
            return REFUSE(reader, reader->at - 8, "string %zu is longer than all together", i);
        int status = history_intern(reader->history, bytes + used, (size_t)length, &key);
        if (status != 0)
            return status;
        if (key != i)
            return REFUSE(reader, reader->at - 8, "string %zu occurs twice", i);
        used += (size_t)length;
    }
    if (used != byte_count)
        return REFUSE(reader, reader->at, "%s", "there are bytes that belong to no string");
    return 0;
}

/* What the checksum cannot tell: whether the writer wrote sense. */
static int check_sense(struct reader *reader)
{
    const struct history *history = reader->history;
    for (size_t i = 0; i < history->count; i++) {
        const char *fault = history__record_fault(history, &history->records[i]);
        if (fault != NULL)
            return REFUSE(reader, HEADER_SIZE + i * RECORD_SIZE, "record %zu: %s", i, fault);
    }
    size_t string_count = history->strings != NULL ? history->strings->count : 0;
    for (size_t i = 0; history->strings != NULL && i < history->set_key_count; i++) {
        if (history->set_keys[i] >= string_count)
            return REFUSE(reader, reader->at, "%s", "a set's key is not the number of a string");
    }
    for (size_t i = 0; history->strings != NULL && i < history->initial_count; i++) {
        if (history->initial[i] >= string_count)
            return REFUSE(reader, reader->at, "%s", "an initial key is not the number of a string");
    }
    size_t bad, other;
    int status = history__find_overlap(history, &bad, &other);
    if (status == 1)
        return REFUSE(reader, HEADER_SIZE + bad * RECORD_SIZE,
                      "record %zu overlaps record %zu of the same thread %" PRIu32, bad, other,
                      history->records[bad].thread);
    return status;
}

int history__parse_binary(const unsigned char *data, size_t size, const char *name,
                          struct history *history, struct history_error *error)
{
    struct reader reader = {.data = data, .name = name, .history = history, .error = error};
    struct counts counts = {0};
    int status = read_header(&reader, size, &counts);
    if (status == 0)
        status = check_sum(&reader, size);
    if (status == 0)
        status = read_records(&reader, (size_t)counts.records, counts.version);
    if (status == 0)
        status = read_initial(&reader, (size_t)counts.initial);
    if (status == 0)
        status = read_sets(&reader, (size_t)counts.sets, (size_t)counts.set_keys);
    if (status == 0)
        status = read_strings(&reader, (size_t)counts.strings, (size_t)counts.string_bytes);
    return status == 0 ? check_sense(&reader) : status;
}

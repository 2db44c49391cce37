// SPDX-License-Identifier: MIT
#define _DEFAULT_SOURCE
/*
 * Versions 1 and 2 of the binary form, which are read but no longer written. The header and the
 * checksum are those of history_binary.c; between them are
 *
 *     records   value, invoke, return, thread (32 bits), operation, result, 2 zero bytes
 *     initial   64-bit keys
 *     sets      the 64-bit count of keys of each
 *     set keys  64-bit keys
 *     strings   the 64-bit length of each; then their bytes, padded with zeros to 8
 *
 * Version 1 had no clear that counts the keys it removed.
 */
#include "history_internal.h"

#include <errno.h>
#include <stdlib.h>

#define RECORD_SIZE 32

struct reader {
    struct history_source *source;
    struct history *history;
    struct history_error *error;
    const struct history_counts *counts;
    uint64_t start;                        /* position of the header */
    uint64_t *keys, *set_sizes, *set_keys; /* as they stand in the file */
    size_t key_capacity, set_capacity, set_key_capacity;
};

#define REFUSE_AT(reader, position, format, ...)                                                   \
    HISTORY_REFUSE_AT((reader)->source, (reader)->error, position, format, __VA_ARGS__)
#define REFUSE(reader, format, ...)                                                                \
    REFUSE_AT(reader, history__position((reader)->source), format, __VA_ARGS__)

static int await(struct reader *reader, size_t count)
{
    struct history_source *source = reader->source;
    int status = history__fill(source, count);
    if (status != 0 || history__unused(source) >= count)
        return status;
    return REFUSE_AT(reader, source->before + source->end, "%s",
                     "the file is cut off: its header promises more");
}

static int read_words(struct reader *reader, uint64_t count, uint64_t **words, size_t *capacity)
{
    struct history_source *source = reader->source;
    for (size_t i = 0; i < count; i++) {
        int status = await(reader, 8);
        if (status == 0)
            status = history__grow(words, capacity, i, 1, sizeof **words);
        if (status != 0)
            return status;
        (*words)[i] = history__load64(source->bytes + source->at);
        source->at += 8;
    }
    return 0;
}

static int read_records(struct reader *reader)
{
    struct history_source *source = reader->source;
    struct history *history = reader->history;
    size_t count = (size_t)reader->counts->records;
    int status = history__expect(source, history, count, RECORD_SIZE);
    for (size_t i = 0; status == 0 && i < count; i++) {
        if (history__unused(source) < RECORD_SIZE && (status = await(reader, RECORD_SIZE)) != 0)
            break;
        if (i == history->capacity && (status = history_reserve(history, 1)) != 0)
            break;
        struct history_record *record = &history->records[i];
        const char *at = source->bytes + source->at;
        uint64_t rest = history__load64(at + 24);
        *record = (struct history_record){.value = history__load64(at),
                                          .invoke = history__load64(at + 8),
                                          .ret = history__load64(at + 16),
                                          .thread = (uint32_t)rest,
                                          .op = (uint8_t)(rest >> 32),
                                          .result = (uint8_t)(rest >> 40)};
        if (rest >> 48 != 0)
            return REFUSE(reader, "record %zu: reserved bytes are not zero", i);
        if (reader->counts->version < 2 && history_record_counts(record))
            return REFUSE(reader, "record %zu: a clear counts keys in version 1", i);
        source->at += RECORD_SIZE;
        history->count++;
    }
    return status;
}

static int read_initial(struct reader *reader)
{
    size_t count = (size_t)reader->counts->initial;
    int status = read_words(reader, count, &reader->keys, &reader->key_capacity);
    if (status == 0)
        status = history_set_initial(reader->history, reader->keys, count);
    return status == -EINVAL ? REFUSE(reader, "%s", "the initial set has a key twice") : status;
}

static int read_sets(struct reader *reader)
{
    size_t set_count = (size_t)reader->counts->sets, key_count = (size_t)reader->counts->set_keys;
    int status = read_words(reader, set_count, &reader->set_sizes, &reader->set_capacity);
    if (status == 0)
        status = read_words(reader, key_count, &reader->set_keys, &reader->set_key_capacity);
    size_t used = 0;
    for (size_t i = 0; status == 0 && i < set_count; i++) {
        uint64_t count = reader->set_sizes[i], number;
        if (count > key_count - used)
            return REFUSE(reader, "set %zu has more keys than there are", i);
        const uint64_t *keys = count > 0 ? reader->set_keys + used : NULL;
        status = history_add_set(reader->history, keys, (size_t)count, &number);
        if (status == -EINVAL)
            return REFUSE(reader, "set %zu has a key twice", i);
        used += (size_t)count;
    }
    return status == 0 && used != key_count
               ? REFUSE(reader, "%s", "there are keys that belong to no set")
               : status;
}

static int read_strings(struct reader *reader)
{
    struct history_source *source = reader->source;
    size_t count = (size_t)reader->counts->strings, total = (size_t)reader->counts->string_bytes;
    size_t padded = (total + 7) & ~(size_t)7, used = 0;
    int status = read_words(reader, count, &reader->keys, &reader->key_capacity);
    if (status == 0)
        status = await(reader, padded);
    for (size_t i = 0; status == 0 && i < count; i++) {
        uint64_t key, length = reader->keys[i];
        if (length > total - used)
            return REFUSE(reader, "string %zu is longer than all together", i);
        status = history_intern(reader->history, source->bytes + source->at + used, (size_t)length,
                                &key);
        if (status == 0 && key != i)
            return REFUSE(reader, "string %zu occurs twice", i);
        used += (size_t)length;
    }
    if (status == 0 && used != total)
        return REFUSE(reader, "%s", "there are bytes that belong to no string");
    if (status == 0)
        source->at += padded;
    return status;
}

static int read_end(struct reader *reader)
{
    struct history_source *source = reader->source;
    int status = await(reader, 8);
    if (status != 0)
        return status;
    if (history__sum_end(source) != history__load64(source->bytes + source->at))
        return REFUSE(reader, "%s", "the checksum does not match: the file is corrupt");
    source->at += 8;
    return 0;
}

/* Is one of the keys not the number of a string, where keys are that? */
static bool has_stray_key(const struct history *history, const uint64_t *keys, size_t count)
{
    for (size_t i = 0; history->strings != NULL && i < count; i++) {
        if (keys[i] >= history->strings->count)
            return true;
    }
    return false;
}

/* What the checksum cannot tell: whether the writer wrote sense. */
static int check_sense(struct reader *reader)
{
    const struct history *history = reader->history;
    uint64_t records = reader->start + HISTORY_HEADER_SIZE;
    for (size_t i = 0; i < history->count; i++) {
        const char *fault = history__record_fault(history, &history->records[i]);
        if (fault != NULL)
            return REFUSE_AT(reader, records + i * RECORD_SIZE, "record %zu: %s", i, fault);
    }
    if (has_stray_key(history, history->set_keys, history->set_key_count))
        return REFUSE(reader, "%s", "a set's key is not the number of a string");
    if (has_stray_key(history, history->initial, history->initial_count))
        return REFUSE(reader, "%s", "an initial key is not the number of a string");
    size_t bad, other;
    int status = history__find_overlap(history, &bad, &other);
    if (status == 1)
        return REFUSE_AT(reader, records + bad * RECORD_SIZE,
                         "record %zu overlaps record %zu of the same thread %" PRIu32, bad, other,
                         history->records[bad].thread);
    return status;
}

int history__read_fixed(struct history_source *source, const struct history_counts *counts,
                        struct history *history, struct history_error *error)
{
    struct reader reader = {.source = source,
                            .history = history,
                            .error = error,
                            .counts = counts,
                            .start = history__position(source) - HISTORY_HEADER_SIZE};
    int status = read_records(&reader);
    if (status == 0)
        status = read_initial(&reader);
    if (status == 0)
        status = read_sets(&reader);
    if (status == 0)
        status = read_strings(&reader);
    if (status == 0)
        status = read_end(&reader);
    free(reader.keys);
    free(reader.set_sizes);
    free(reader.set_keys);
    return status == 0 ? check_sense(&reader) : status;
}

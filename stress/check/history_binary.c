// SPDX-License-Identifier: MIT
#define _DEFAULT_SOURCE
/*
 * The binary form of a history. All numbers are little-endian.
 *
 *     header    magic (8 bytes), version, flags, then the numbers of records, initial keys, sets,
 *               set keys, strings and string bytes: 8 words of 64 bits in all after the magic.
 *               Flag 1: keys are numbers of strings; 2: the history carries on from the one before
 *               it in the file, and so has no initial keys
 *     strings   of each its length, a varint, and its bytes
 *     initial   of each key the difference to the one before (the first: to 0), a varint
 *     sets      of each the number of keys, a varint, and the keys like the initial ones
 *     records   see below
 *     padding   zeros up to a multiple of 8 bytes from the magic
 *     checksum  64 bits, of everything from the magic on
 *
 * A varint has 7 bits in each byte, the lowest first, and the high bit where another byte follows.
 * A record is made to be written and read without a loop or a branch in the common case:
 *
 *     1 byte    operation (4 bits), result (2 bits), 64: it never returned, 128: unused, 0
 *     1 byte    the widths of what follows, 2 bits each, value first; 0, 1, 2, 3 stand for 1, 2, 4, 8
 *               bytes, and in the last, that of the thread, for 0, 1, 2, 4
 *     value
 *     pause     from the return of the record before (its call, if it never returned; 0 for the
 *               first) to the call, modulo 2^64, zigzag: 2p for p >= 0, else -2p - 1
 *     duration  from the call to the return; 0 if it never returned
 *     thread    if it is not that of the record before (0 for the first)
 *
 * so that 8 bytes do for most. Any number of such histories may stand in a file one after another.
 * Versions 1 and 2, which are still read: history_fixed.c.
 */
#include "history_internal.h"

#include <errno.h>
#include <stdlib.h>

#define VERSION 3
#define RECORD_MOST 30 /* bytes of a record */
#define RECORD_LEAST 5

static const uint8_t widths[4] = {1, 2, 4, 8};
static const uint8_t thread_widths[4] = {0, 1, 2, 4};

/* ---- writing ---- */

struct writer {
    FILE *file;
    uint64_t sum;
    size_t used;
    unsigned char bytes[1 << 16];
};

/* Writes whole words; what is left of the last one stays. */
static void flush(struct writer *writer)
{
    size_t whole = writer->used & ~(size_t)7;
    for (size_t i = 0; i < whole; i += 8)
        writer->sum = history__sum_word(writer->sum, history__load64(writer->bytes + i));
    fwrite(writer->bytes, 1, whole, writer->file);
    memcpy(writer->bytes, writer->bytes + whole, writer->used - whole);
    writer->used -= whole;
}

/* The lowest `width` bytes of `value`. */
static inline void put(struct writer *writer, uint64_t value, size_t width)
{
    uint64_t bytes = htole64(value);
    memcpy(writer->bytes + writer->used, &bytes, sizeof bytes);
    writer->used += width;
}

static inline void make_space(struct writer *writer)
{
    if (sizeof writer->bytes - writer->used < RECORD_MOST + 8)
        flush(writer);
}

static void put_varint(struct writer *writer, uint64_t value)
{
    make_space(writer);
    for (; value >= 0x80; value >>= 7)
        put(writer, (value & 0x7f) | 0x80, 1);
    put(writer, value, 1);
}

static void put_keys(struct writer *writer, const uint64_t *keys, size_t count)
{
    uint64_t previous = 0;
    for (size_t i = 0; i < count; i++) {
        put_varint(writer, keys[i] - previous);
        previous = keys[i];
    }
}

static void put_strings(struct writer *writer, const struct history_strings *strings)
{
    for (size_t i = 0; i < strings->count; i++) {
        put_varint(writer, strings->items[i].length);
        for (size_t j = 0; j < strings->items[i].length; j++) {
            make_space(writer);
            put(writer, (unsigned char)strings->bytes[strings->items[i].first + j], 1);
        }
    }
}

static inline unsigned width_code(uint64_t value)
{
    return (unsigned)(value > 0xff) + (value > 0xffff) + (value > 0xffffffff);
}

static inline uint64_t until(const struct history_record *record)
{
    return record->ret == HISTORY_PENDING ? record->invoke : record->ret;
}

static void put_record(struct writer *writer, const struct history_record *record,
                       const struct history_record *previous)
{
    bool pending = record->ret == HISTORY_PENDING;
    uint64_t pause = record->invoke - until(previous);
    uint64_t duration = pending ? 0 : record->ret - record->invoke;
    uint64_t thread = record->thread;
    pause = pause << 1 ^ (uint64_t)((int64_t)pause >> 63);
    unsigned value_code = width_code(record->value), pause_code = width_code(pause);
    unsigned duration_code = width_code(duration);
    unsigned thread_code = thread == previous->thread ? 0
                           : thread > 0xffff          ? 3
                                                      : 1 + (thread > 0xff);
    make_space(writer);
    put(writer, record->op | (unsigned)record->result << 4 | (unsigned)pending << 6, 1);
    put(writer, value_code | pause_code << 2 | duration_code << 4 | thread_code << 6, 1);
    put(writer, record->value, widths[value_code]);
    put(writer, pause, widths[pause_code]);
    put(writer, duration, widths[duration_code]);
    put(writer, thread, thread_widths[thread_code]);
}

static int put_history(struct writer *writer, const struct history *history)
{
    const struct history_strings *strings = history->strings;
    const uint64_t header[] = {
        VERSION,
        (strings != NULL ? HISTORY_FLAG_STRINGS : 0u) |
            (history->continued ? HISTORY_FLAG_CONTINUED : 0u),
        history->count,
        history->continued ? 0 : history->initial_count,
        history->set_count,
        history->set_key_count,
        strings != NULL ? strings->count : 0,
        strings != NULL ? strings->byte_count : 0,
    };
    put(writer, history__load64(HISTORY_MAGIC), 8);
    for (size_t i = 0; i < sizeof header / sizeof *header; i++)
        put(writer, header[i], 8);
    if (strings != NULL)
        put_strings(writer, strings);
    put_keys(writer, history->initial, (size_t)header[3]);
    for (size_t i = 0; i < history->set_count; i++) {
        const struct history_set *set = &history->sets[i];
        put_varint(writer, set->count);
        put_keys(writer, history->set_keys + set->first, set->count);
    }
    const struct history_record start = {0}, *previous = &start;
    for (size_t i = 0; i < history->count; i++) {
        if (history->records[i].op > 15 || history->records[i].result > 3)
            return -EINVAL;
        put_record(writer, &history->records[i], previous);
        previous = &history->records[i];
    }
    flush(writer);
    put(writer, 0, (8 - writer->used) & 7);
    flush(writer);
    put(writer, writer->sum, 8);
    flush(writer);
    return 0;
}

int history_write_binary(const struct history *history, FILE *file)
{
    struct writer *writer = malloc(sizeof *writer);
    if (writer == NULL)
        return -ENOMEM;
    writer->file = file;
    writer->sum = HISTORY_SUM_START;
    writer->used = 0;
    int status = put_history(writer, history);
    free(writer);
    return status == 0 && ferror(file) ? -EIO : status;
}

/* ---- reading ---- */

struct reader {
    struct history_source *source;
    struct history *history;
    struct history_error *error;
    const struct history_counts *counts;
    uint64_t *keys; /* the set being read */
    size_t key_capacity;
};

#define REFUSE(reader, format, ...)                                                                \
    HISTORY_REFUSE_AT((reader)->source, (reader)->error, history__position((reader)->source),      \
                      format, __VA_ARGS__)

/* Makes `count` bytes available, or refuses. */
static int await(struct reader *reader, size_t count, const char *what)
{
    struct history_source *source = reader->source;
    int status = history__fill(source, count);
    if (status != 0 || history__unused(source) >= count)
        return status;
    return HISTORY_REFUSE_AT(source, reader->error, source->before + source->end,
                             "the file is cut off within %s", what);
}

static int read_varint(struct reader *reader, const char *what, uint64_t *value)
{
    struct history_source *source = reader->source;
    *value = 0;
    for (unsigned shift = 0;; shift += 7) {
        if (history__unused(source) == 0) {
            int status = await(reader, 1, what);
            if (status != 0)
                return status;
        }
        uint64_t byte = (unsigned char)source->bytes[source->at];
        if (shift == 63 && byte > 1)
            return REFUSE(reader, "a number in %s does not fit in 64 bits", what);
        source->at++;
        *value |= (byte & 0x7f) << shift;
        if (byte < 0x80)
            return 0;
    }
}

/* Reads `count` keys into reader->keys. */
static int read_keys(struct reader *reader, uint64_t count, const char *what)
{
    uint64_t key = 0, difference;
    for (size_t i = 0; i < count; i++) {
        int status = read_varint(reader, what, &difference);
        if (status == 0)
            status = history__grow(&reader->keys, &reader->key_capacity, i, 1, sizeof key);
        if (status != 0)
            return status;
        key += difference;
        reader->keys[i] = key;
        if (reader->history->strings != NULL && key >= reader->history->strings->count)
            return REFUSE(reader, "a key in %s is not the number of a string", what);
    }
    return 0;
}

static int read_strings(struct reader *reader)
{
    const struct history_counts *counts = reader->counts;
    uint64_t left = counts->string_bytes, length, key;
    /* Keys are strings even where there is none, as in an empty history. */
    int status = counts->flags & HISTORY_FLAG_STRINGS ? history__use_strings(reader->history) : 0;
    for (size_t i = 0; status == 0 && i < counts->strings; i++) {
        status = read_varint(reader, "the strings", &length);
        if (status == 0 && length > left)
            status = REFUSE(reader, "string %zu is longer than all together", i);
        if (status == 0)
            status = await(reader, (size_t)length, "the strings");
        if (status == 0)
            status = history_intern(reader->history, reader->source->bytes + reader->source->at,
                                    (size_t)length, &key);
        if (status == 0 && key != i)
            status = REFUSE(reader, "string %zu occurs twice", i);
        if (status == 0) {
            reader->source->at += (size_t)length;
            left -= length;
        }
    }
    return status == 0 && left != 0 ? REFUSE(reader, "%s",
                                             "there are fewer string bytes than "
                                             "the header says")
                                    : status;
}

static int read_initial(struct reader *reader)
{
    int status = read_keys(reader, reader->counts->initial, "the initial set");
    if (status == 0)
        status =
            history_set_initial(reader->history, reader->keys, (size_t)reader->counts->initial);
    return status == -EINVAL ? REFUSE(reader, "%s", "the initial set has a key twice") : status;
}

static int read_sets(struct reader *reader)
{
    uint64_t left = reader->counts->set_keys, count, number;
    for (size_t i = 0; i < reader->counts->sets; i++) {
        int status = read_varint(reader, "the answered sets", &count);
        if (status == 0 && count > left)
            status = REFUSE(reader, "set %zu has more keys than there are", i);
        if (status == 0)
            status = read_keys(reader, count, "the answered sets");
        if (status != 0)
            return status;
        status = history_add_set(reader->history, reader->keys, (size_t)count, &number);
        if (status != 0)
            return status == -EINVAL ? REFUSE(reader, "set %zu has a key twice", i) : status;
        left -= count;
    }
    return left == 0 ? 0 : REFUSE(reader, "%s", "there are fewer set keys than the header says");
}

/* Takes a field of 8 bytes at most and steps over it. */
static inline uint64_t field(const char **at, unsigned width)
{
    uint64_t value = history__load64(*at);
    *at += width;
    return width == 8 ? value : value & ((UINT64_C(1) << width * 8) - 1);
}

/* Decodes the record at `at`; its length. Up to 8 bytes behind it are looked at. */
static inline size_t decode(const char *at, const struct history_record *previous,
                            struct history_record *record)
{
    const char *start = at;
    unsigned kind = (unsigned char)at[0], codes = (unsigned char)at[1];
    at += 2;
    record->value = field(&at, widths[codes & 3]);
    uint64_t pause = field(&at, widths[codes >> 2 & 3]);
    uint64_t duration = field(&at, widths[codes >> 4 & 3]);
    record->thread = previous->thread;
    if (codes >> 6 != 0)
        record->thread = (uint32_t)field(&at, thread_widths[codes >> 6]);
    record->invoke = until(previous) + (pause >> 1 ^ (0 - (pause & 1)));
    /* a duration that overflows makes the return earlier than the call, which is refused */
    record->ret = kind & 64 ? HISTORY_PENDING : record->invoke + duration;
    record->op = kind & 15;
    record->result = kind >> 4 & 3;
    record->reserved = 0;
    return (size_t)(at - start);
}

static int read_records(struct reader *reader)
{
    struct history_source *source = reader->source;
    struct history *history = reader->history;
    struct history_record start = {0};
    struct history_watch watch = {0};
    size_t count = (size_t)reader->counts->records;
    int status = history__expect(source, history, count, RECORD_LEAST);
    for (size_t i = 0; status == 0 && i < count; i++) {
        if (history__unused(source) < RECORD_MOST && (status = history__fill(source, RECORD_MOST)))
            break;
        if (i == history->capacity && (status = history_reserve(history, 1)) != 0)
            break;
        struct history_record *record = &history->records[i];
        size_t length = decode(source->bytes + source->at, i > 0 ? record - 1 : &start, record);
        if (length > history__unused(source))
            return await(reader, RECORD_MOST, "the records");
        const char *fault = (unsigned char)source->bytes[source->at] & 128
                                ? "unknown flag"
                                : history__record_fault(history, record);
        if (fault != NULL)
            return REFUSE(reader, "record %zu: %s", i, fault);
        history__watch(&watch, record);
        source->at += length;
        history->count++;
    }
    size_t bad, other;
    if (status == 0 && watch.in_doubt)
        status = history__find_overlap(history, &bad, &other);
    if (status == 1)
        return REFUSE(reader, "record %zu overlaps record %zu of the same thread %" PRIu32, bad,
                      other, history->records[bad].thread);
    return status;
}

static int read_end(struct reader *reader, uint64_t start)
{
    struct history_source *source = reader->source;
    size_t padding = (size_t)((start - history__position(source)) & 7);
    int status = await(reader, padding + 8, "the checksum");
    if (status != 0)
        return status;
    source->at += padding;
    uint64_t sum = history__sum_end(source);
    if (sum != history__load64(source->bytes + source->at))
        return REFUSE(reader, "%s", "the checksum does not match: the file is corrupt");
    source->at += 8;
    return 0;
}

/* No count is believed: memory is asked for as the bytes come. */
static int read_header(struct reader *reader, struct history_counts *counts)
{
    struct history_source *source = reader->source;
    int status = history__fill(source, HISTORY_HEADER_SIZE);
    if (status != 0)
        return status;
    const char *at = source->bytes + source->at;
    size_t there = history__unused(source);
    if (memcmp(at, HISTORY_MAGIC, there < HISTORY_MAGIC_SIZE ? there : HISTORY_MAGIC_SIZE) != 0)
        return REFUSE(reader, "%s", "no binary history begins here: bad magic");
    status = await(reader, HISTORY_HEADER_SIZE, "the header");
    if (status != 0)
        return status;
    uint64_t *const numbers[] = {&counts->version, &counts->flags,       &counts->records,
                                 &counts->initial, &counts->sets,        &counts->set_keys,
                                 &counts->strings, &counts->string_bytes};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i] = history__load64(at + HISTORY_MAGIC_SIZE + 8 * i);
    if (counts->version < 1 || counts->version > VERSION)
        return REFUSE(reader, "unknown version %" PRIu64, counts->version);
    const uint64_t most = (uint64_t)1 << 48;
    if (counts->records > HISTORY_MAX_RECORDS || counts->initial > most || counts->sets > most ||
        counts->set_keys > most || counts->strings > most || counts->string_bytes > most)
        return REFUSE(reader, "%s", "a count in the header is too large");
    uint64_t known = HISTORY_FLAG_STRINGS | (counts->version < 3 ? 0 : HISTORY_FLAG_CONTINUED);
    if ((counts->flags & ~known) != 0 ||
        (!(counts->flags & HISTORY_FLAG_STRINGS) && counts->strings + counts->string_bytes != 0))
        return REFUSE(reader, "unknown flags %" PRIu64, counts->flags);
    reader->history->continued = (counts->flags & HISTORY_FLAG_CONTINUED) != 0;
    if (reader->history->continued && counts->initial != 0)
        return REFUSE(reader, "%s", "it carries on and has an initial set all the same");
    history__sum_begin(source);
    source->at += HISTORY_HEADER_SIZE;
    return 0;
}

int history__read_binary(struct history_source *source, struct history *history,
                         struct history_error *error)
{
    struct history_counts counts = {0};
    struct reader reader = {
        .source = source, .history = history, .error = error, .counts = &counts};
    uint64_t start = history__position(source);
    int status = read_header(&reader, &counts);
    if (status == 0 && counts.version < VERSION)
        return history__read_fixed(source, &counts, history, error);
    if (status == 0)
        status = read_strings(&reader);
    if (status == 0)
        status = read_initial(&reader);
    if (status == 0)
        status = read_sets(&reader);
    if (status == 0)
        status = read_records(&reader);
    if (status == 0)
        status = read_end(&reader, start);
    free(reader.keys);
    return status;
}

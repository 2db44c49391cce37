// SPDX-License-Identifier: MIT
/* What the files of the history share. */
#ifndef LFSET_STRESS_CHECK_HISTORY_INTERNAL_H
#define LFSET_STRESS_CHECK_HISTORY_INTERNAL_H

#include "history.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>

/** Interned strings: the bytes of all, one after another, and a hash table of their numbers. */
struct history_strings {
    char *bytes;
    size_t byte_count, byte_capacity;
    struct {
        size_t first, length;
    } * items;
    size_t count, capacity;
    uint32_t *slots; /* number + 1; 0 = free */
    size_t slot_count;
};

/** Makes room for `more` elements of `size` bytes behind the first `count` of a dynamic array.
 *  `array` is the address of the pointer to it, of whatever type. 0 or -ENOMEM. */
int history__grow(void *array, size_t *capacity, size_t count, size_t more, size_t size);

/** Asks for large pages where memory is large: what is touched only once, such as the records of a
 *  long round, would cost mostly page faults, and what is touched at random misses of the TLB. */
void history__use_large_pages(void *memory, size_t size);

/** Gives a table of strings back. NULL is allowed. */
void history__strings_free(struct history_strings *strings);

/** Makes the history one of string keys. 0 or -ENOMEM. */
int history__use_strings(struct history *history);

/** Puts a formatted reason into `error` and returns -EINVAL. */
int history__refuse(struct history_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Is this record well-formed on its own? NULL, or the reason why not. */
static inline const char *history__record_fault(const struct history *history,
                                                const struct history_record *record)
{
    if (record->op >= HISTORY_OPS)
        return "unknown operation";
    if (record->invoke == HISTORY_PENDING)
        return "the time of the call is too large";
    if (record->ret < record->invoke)
        return "the return is earlier than the call";
    if (record->op == HISTORY_SNAPSHOT || record->op == HISTORY_DRAIN) {
        if (record->ret != HISTORY_PENDING && record->value >= history->set_count)
            return "the answered set does not exist";
        return NULL;
    }
    if (record->ret != HISTORY_PENDING) {
        if (record->value != 0 &&
            (record->op == HISTORY_IS_EMPTY || (record->op == HISTORY_POP && record->result == 0) ||
             (record->op == HISTORY_CLEAR && record->result == HISTORY_CLEAR_SILENT)))
            return "it has a value, where nothing was answered but the result";
        if (record->op == HISTORY_CLEAR)
            return record->result == HISTORY_CLEAR_SILENT || record->result == HISTORY_CLEAR_COUNTED
                       ? NULL
                       : "the result of clear is neither 1 nor 2";
        if (record->op != HISTORY_SIZE && record->result > 1)
            return "the result is neither 0 nor 1";
    }
    if (history->strings != NULL && history_record_has_key(record) &&
        record->value >= history->strings->count)
        return "the key is not the number of a string";
    return NULL;
}

/** Looks for two operations of one thread that overlap. 1 with the later one in `*bad` and the
 *  other in `*other`; 0 none; -ENOMEM. */
int history__find_overlap(const struct history *history, size_t *bad, size_t *other);

/* ---- reading: history_source.c ---- */

/** The bytes of a file as they come: a window that moves along. It grows only while it is full, so
 *  no number in a file makes it larger than the file. */
struct history_source {
    FILE *file;
    const char *name;
    char *bytes;
    size_t at, end; /* bytes[at..end) have been read from the file but not used; 8 NULs follow */
    size_t capacity;
    uint64_t before; /* bytes of the file before bytes[0] */
    uint64_t size;   /* of the file, as far as it is known: a hint; else 0 */
    bool complete;   /* the file has no more */
    size_t line;     /* of the line that was taken last; 0: none yet */
    uint64_t sum;    /* checksum of what was used before bytes[summed] */
    size_t summed;
    bool sums;
};

/** Makes `count` unused bytes available, or, where the file ends before, as many as there are.
 *  0, -EIO or -ENOMEM. */
int history__fill(struct history_source *source, size_t count);

/** Takes the next line, without its newline, into `*line` and `*length`. 1; 0: the file has ended;
 *  -EINVAL: it ends without a newline; -EIO, -ENOMEM. */
int history__take_line(struct history_source *source, const char **line, size_t *length);

/** Begins a checksum here; what it is of all bytes used since, which are a multiple of 8. */
void history__sum_begin(struct history_source *source);
uint64_t history__sum_end(struct history_source *source);

/** The checksum, a word further: FNV-1a over 64-bit words instead of bytes, so that any single
 *  flipped bit changes it. */
static inline uint64_t history__sum_word(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x100000001b3);
    return sum ^ sum >> 29;
}
#define HISTORY_SUM_START UINT64_C(0xcbf29ce484222325)

static inline uint64_t history__load64(const void *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return le64toh(value);
}

static inline size_t history__unused(const struct history_source *source)
{
    return source->end - source->at;
}

/** Where in the file the next unused byte is. */
static inline uint64_t history__position(const struct history_source *source)
{
    return source->before + source->at;
}

/** Takes note of the records as they are read, so that nothing need be sorted afterwards where every
 *  thread's are in order of time. */
enum { HISTORY_WATCHED_THREADS = 4096 };
struct history_watch {
    uint64_t busy_until[HISTORY_WATCHED_THREADS];
    bool in_doubt; /* some thread's operations may overlap */
};

static inline void history__watch(struct history_watch *watch, const struct history_record *record)
{
    if (record->thread >= HISTORY_WATCHED_THREADS ||
        record->invoke < watch->busy_until[record->thread])
        watch->in_doubt = true;
    else
        watch->busy_until[record->thread] = record->ret;
}

/** The first bytes of the binary form. */
#define HISTORY_MAGIC "\211LFSETH\n"
#define HISTORY_MAGIC_SIZE 8
/** Words of the header, and which they are. */
#define HISTORY_HEADER_SIZE (HISTORY_MAGIC_SIZE + 8 * 8)
#define HISTORY_FLAG_STRINGS 1
#define HISTORY_FLAG_CONTINUED 2

/** What the header of the binary form announces. */
struct history_counts {
    uint64_t version, flags, records, initial, sets, set_keys, strings, string_bytes;
};

#define HISTORY_REFUSE_AT(source, error, position, format, ...)                                    \
    history__refuse((error), "%s: byte %" PRIu64 ": " format, (source)->name,                      \
                    (uint64_t)(position), __VA_ARGS__)

/** The readers of one history behind history_reader_next. `history` is empty; on failure it may be
 *  left half filled. The reader of text is asked again for the next history of a file. */
int history__read_text(struct history_source *source, struct history *history,
                       struct history_error *error);
int history__read_binary(struct history_source *source, struct history *history,
                         struct history_error *error);
/** What follows the header in versions 1 and 2. */
int history__read_fixed(struct history_source *source, const struct history_counts *counts,
                        struct history *history, struct history_error *error);

/** Makes room for all `count` records if the file can hold them (of `least` bytes each), else for a
 *  few: then it grows while they come. 0 or -ENOMEM. */
int history__expect(const struct history_source *source, struct history *history, uint64_t count,
                    size_t least);

#endif

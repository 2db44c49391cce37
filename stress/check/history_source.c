// SPDX-License-Identifier: MIT
/* The bytes of a history's file as they come, and the histories that stand in it one after another. */
#define _DEFAULT_SOURCE
#include "history_internal.h"

#include <errno.h>
#include <stdlib.h>

/* As much is read at a time: small enough to stay in the cache until it is used. */
#define WINDOW ((size_t)1 << 18)
#define SLACK 8 /* bytes that may be looked at behind the last one */

/* ---- the window ---- */

/* Moves on to what is not used yet, so that there is room behind it. */
static int make_room(struct history_source *source)
{
    size_t keep = source->sums ? source->summed : source->at;
    if (keep > 0) {
        memmove(source->bytes, source->bytes + keep, source->end - keep);
        source->before += keep;
        source->at -= keep;
        source->end -= keep;
        source->summed = 0;
    }
    if (source->end < source->capacity)
        return 0;
    size_t capacity = source->capacity == 0 ? WINDOW : source->capacity * 2;
    char *bytes = realloc(source->bytes, capacity + SLACK);
    if (bytes == NULL)
        return -ENOMEM;
    source->bytes = bytes;
    source->capacity = capacity;
    return 0;
}

static void sum_up(struct history_source *source)
{
    uint64_t sum = source->sum;
    size_t at = source->summed;
    for (; source->at - at >= 8; at += 8)
        sum = history__sum_word(sum, history__load64(source->bytes + at));
    source->sum = sum;
    source->summed = at;
}

int history__fill(struct history_source *source, size_t count)
{
    while (history__unused(source) < count && !source->complete) {
        if (source->sums)
            sum_up(source);
        int status = make_room(source);
        if (status != 0)
            return status;
        errno = 0;
        size_t wanted = source->capacity - source->end;
        size_t got = fread(source->bytes + source->end, 1, wanted, source->file);
        source->end += got;
        memset(source->bytes + source->end, 0, SLACK);
        if (got < wanted) {
            if (ferror(source->file))
                return -EIO;
            source->complete = true;
        }
    }
    return 0;
}

int history__take_line(struct history_source *source, const char **line, size_t *length)
{
    for (size_t looked_at = 0;;) {
        const char *start = source->bytes + source->at;
        size_t there = history__unused(source);
        const char *newline =
            there > looked_at ? memchr(start + looked_at, '\n', there - looked_at) : NULL;
        if (newline != NULL) {
            *line = start;
            *length = (size_t)(newline - start);
            source->at += *length + 1;
            source->line++;
            return 1;
        }
        looked_at = there;
        if (source->complete) {
            source->line += there > 0;
            return there > 0 ? -EINVAL : 0;
        }
        int status = history__fill(source, there + 1);
        if (status != 0)
            return status;
    }
}

void history__sum_begin(struct history_source *source)
{
    source->sums = true;
    source->summed = source->at;
    source->sum = HISTORY_SUM_START;
}

uint64_t history__sum_end(struct history_source *source)
{
    sum_up(source);
    source->sums = false;
    return source->sum;
}

int history__expect(const struct history_source *source, struct history *history, uint64_t count,
                    size_t least)
{
    const uint64_t few = 4096;
    uint64_t position = history__position(source);
    uint64_t left = source->size > position ? source->size - position : 0, most = left / least;
    most = most < few ? few : most;
    return history_reserve(history, (size_t)(count < most ? count : most));
}

/* ---- histories one after another ---- */

struct history_reader {
    struct history_source source;
    size_t number;        /* of the histories read */
    uint64_t last_return; /* the latest of those before a history that carries on */
    bool text;
    struct history_strings *strings; /* of the history before, for one that carries on */
};

struct history_reader *history_reader_open(FILE *file, const char *name)
{
    struct history_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return NULL;
    reader->source.file = file;
    reader->source.name = name;
    off_t start = ftello(file);
    if (start >= 0 && fseeko(file, 0, SEEK_END) == 0) {
        off_t end = ftello(file);
        if (fseeko(file, start, SEEK_SET) == 0 && end > start)
            reader->source.size = (uint64_t)(end - start);
    }
    return reader;
}

void history_reader_close(struct history_reader *reader)
{
    if (reader == NULL)
        return;
    history__strings_free(reader->strings);
    free(reader->source.bytes);
    free(reader);
}

/* A history that carries on must begin when all of the one before have returned. */
static int check_order(struct history_reader *reader, const struct history *history,
                       struct history_error *error, uint64_t position, size_t line)
{
    uint64_t first = HISTORY_PENDING, last = 0;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_record *record = &history->records[i];
        uint64_t ret = record->ret == HISTORY_PENDING ? record->invoke : record->ret;
        first = record->invoke < first ? record->invoke : first;
        last = ret > last ? ret : last;
    }
    const char *reason = NULL;
    if (history->continued && reader->number == 0)
        reason = "it carries on from a history before it, and there is none";
    else if (history->continued && history->count > 0 && first <= reader->last_return)
        reason = "it carries on, but begins before the last return of the history before it";
    if (reason != NULL)
        return reader->text
                   ? history__refuse(error, "%s:%zu: %s", reader->source.name, line, reason)
                   : HISTORY_REFUSE_AT(&reader->source, error, position, "%s", reason);
    if (!history->continued || history->count > 0)
        reader->last_return = last;
    return 0;
}

int history_reader_next(struct history_reader *reader, struct history *history,
                        struct history_error *error)
{
    struct history_source *source = &reader->source;
    history__strings_free(reader->strings);
    reader->strings = history->strings;
    history->strings = NULL;
    history_reset(history);
    int status = history__fill(source, 1);
    if (status == 0 && history__unused(source) == 0 && reader->number > 0)
        return 0;
    uint64_t position = history__position(source);
    size_t line = source->line + 1;
    if (status == 0 && reader->number == 0)
        reader->text =
            history__unused(source) == 0 || source->bytes[source->at] != HISTORY_MAGIC[0];
    if (status == 0)
        status = reader->text ? history__read_text(source, history, error)
                              : history__read_binary(source, history, error);
    if (status == 0)
        status = check_order(reader, history, error, position, line);
    if (status == 0) {
        reader->number++;
        return 1;
    }
    if (status == -ENOMEM)
        history__refuse(error, "%s: not enough memory", source->name);
    if (status == -EIO)
        history__refuse(error, "%s: cannot read: %s", source->name,
                        strerror(errno == 0 ? EIO : errno));
    history_reset(history);
    return status;
}

static bool has_keys(const struct history *history)
{
    size_t keyed = 0;
    for (size_t i = 0; i < history->count && keyed == 0; i++)
        keyed += history_record_has_key(&history->records[i]);
    return keyed > 0 || history->set_key_count > 0;
}

int history_reader_carry(const struct history_reader *reader, struct history *history)
{
    const struct history_strings *strings = reader->strings;
    if (history->initial_count == 0 || (strings == NULL && history->strings == NULL))
        return 0;
    if (strings == NULL || (history->strings == NULL && has_keys(history)))
        return -EINVAL;
    int status = 0;
    for (size_t i = 0; status == 0 && i < history->initial_count; i++) {
        size_t number = (size_t)history->initial[i];
        status = history_intern(history, strings->bytes + strings->items[number].first,
                                strings->items[number].length, &history->initial[i]);
    }
    return status == 0 ? history_set_initial(history, history->initial, history->initial_count)
                       : status;
}

double history_reader_share(const struct history_reader *reader)
{
    const struct history_source *source = &reader->source;
    return source->size == 0 ? -1 : (double)history__position(source) / (double)source->size;
}

int history_read(FILE *file, const char *name, struct history *history, struct history_error *error)
{
    struct history_reader *reader = history_reader_open(file, name);
    if (reader == NULL) {
        history__refuse(error, "%s: not enough memory", name);
        history_reset(history);
        return -ENOMEM;
    }
    int status = history_reader_next(reader, history, error);
    if (status == 1)
        status = history__fill(&reader->source, 1);
    if (status == 0 && history__unused(&reader->source) > 0)
        status = HISTORY_REFUSE_AT(&reader->source, error, history__position(&reader->source), "%s",
                                   "there are bytes after the end of the history");
    history_reader_close(reader);
    if (status != 0)
        history_reset(history);
    return status;
}

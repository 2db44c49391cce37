// SPDX-License-Identifier: MIT
/**
 * @file event.c
 * Events as lines for logs. Both formats have the same fields in the same order, always all of them, so
 * that a query need not ask whether one is there. A number that is none is NaN in logfmt and null in JSON.
 *
 * logfmt has no standard; what is written here is what its common readers (Go's, Loki's) take: a value
 * stands as it is when it has no space, quote, equals sign, backslash or control character and is not
 * empty; else it is in double quotes, with the escapes of a JSON string.
 */
#define _GNU_SOURCE
#include "observe/event.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *lfset__event_kind_name(enum lfset_event_kind kind)
{
    static const char *const names[] = {
        [LFSET_EVENT_STALL] = "stall",       [LFSET_EVENT_STALL_END] = "stall_end",
        [LFSET_EVENT_LIMIT] = "limit",       [LFSET_EVENT_LIMIT_END] = "limit_end",
        [LFSET_EVENT_RATE] = "rate",         [LFSET_EVENT_RATE_END] = "rate_end",
        [LFSET_EVENT_IDLE] = "idle",         [LFSET_EVENT_EVICTED] = "evicted",
        [LFSET_EVENT_FORECAST] = "forecast", [LFSET_EVENT_FORECAST_END] = "forecast_end",
    };
    return (size_t)kind < sizeof names / sizeof *names ? names[kind] : "unknown";
}

const char *lfset__severity_name(enum lfset_severity severity)
{
    return severity == LFSET_ERROR ? "error" : severity == LFSET_WARNING ? "warning" : "info";
}

/* ---- text ---------------------------------------------------------------------------------------- */

/* How many bytes of UTF-8 the character at `text` has; 0: it is none. */
static size_t utf8_length(const unsigned char *text)
{
    static const struct {
        unsigned char mask, mark;
        uint32_t least;
    } forms[] = {{0x80, 0, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t length = 1; length <= sizeof forms / sizeof *forms; length++) {
        if ((text[0] & forms[length - 1].mask) != forms[length - 1].mark) {
            continue;
        }
        uint32_t code = text[0] & (unsigned char)~forms[length - 1].mask;
        for (size_t i = 1; i < length; i++) {
            if ((text[i] & 0xc0) != 0x80) { // the end of the text, too
                return 0;
            }
            code = code << 6 | (text[i] & 0x3f);
        }
        bool surrogate = code >= 0xd800 && code < 0xe000;
        return code >= forms[length - 1].least && code < 0x110000 && !surrogate ? length : 0;
    }
    return 0;
}

char *lfset__utf8_copy(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    char *copy = malloc(strlen(text) * (sizeof replacement - 1) + 1), *to = copy;
    if (!copy) {
        return NULL;
    }
    while (*text) {
        size_t length = utf8_length((const unsigned char *)text);
        const char *from = length ? text : replacement;
        size_t bytes = length ? length : sizeof replacement - 1;
        memcpy(to, from, bytes);
        to += bytes;
        text += length ? length : 1;
    }
    *to = '\0';
    return copy;
}

static void time_text(char *text, size_t size, uint64_t time_ns)
{
    time_t seconds = (time_t)(time_ns / 1000000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t length = strftime(text, size, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(text + length, size - length, ".%09" PRIu64 "Z", time_ns % 1000000000);
}

/* ---- JSON ---------------------------------------------------------------------------------------- */

static json_t *json_of_text(const char *text)
{
    char *copy = lfset__utf8_copy(text ? text : "");
    json_t *json = copy ? json_string_nocheck(copy) : NULL;
    free(copy);
    return json;
}

static json_t *json_of_double(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *json_of_count(uint64_t value)
{
    return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}

json_t *lfset__event_json(const struct lfset_event *event)
{
    char time[64];
    time_text(time, sizeof time, event->time_ns);
    return json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:o, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:o}", "ts",
        time, "level", lfset__severity_name(event->severity), "event",
        lfset__event_kind_name(event->kind), "number", json_of_count(event->number), "set",
        json_of_text(event->set), "set_id", json_of_count(event->set_id), "tid", event->tid,
        "thread", json_of_text(event->thread), "value", json_of_double(event->value), "limit",
        json_of_double(event->limit), "seconds", json_of_double(event->seconds), "confidence",
        json_of_double(event->confidence), "objects", json_of_count(event->objects), "bytes",
        json_of_count(event->bytes), "stack", (int)event->stack, "msg", json_of_text(event->text));
}

/* ---- logfmt -------------------------------------------------------------------------------------- */

static bool must_be_quoted(const char *text)
{
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f) {
            return true;
        }
    }
    return *text == '\0';
}

static void put_quoted(FILE *line, const char *text)
{
    putc('"', line);
    for (const char *at = text; *at; at++) {
        unsigned char c = (unsigned char)*at;
        if (c == '"' || c == '\\') {
            fprintf(line, "\\%c", c);
        } else if (c == '\n') {
            fputs("\\n", line);
        } else if (c == '\r') {
            fputs("\\r", line);
        } else if (c == '\t') {
            fputs("\\t", line);
        } else if (c < ' ' || c == 0x7f) {
            fprintf(line, "\\u%04x", c);
        } else {
            putc(c, line);
        }
    }
    putc('"', line);
}

static void put_value(FILE *line, const char *text)
{
    if (must_be_quoted(text)) {
        put_quoted(line, text);
    } else {
        fputs(text, line);
    }
}

/* The fields of the JSON object, in their order. @return false: a NULL among them, or no memory. */
static bool put_fields(FILE *line, json_t *fields)
{
    const char *key, *separator = "";
    json_t *value;
    json_object_foreach(fields, key, value)
    {
        fprintf(line, "%s%s=", separator, key);
        if (json_is_string(value)) {
            put_value(line, json_string_value(value));
        } else if (json_is_integer(value)) {
            fprintf(line, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        } else if (json_is_real(value)) {
            fprintf(line, "%.15g", json_real_value(value));
        } else {
            fputs("NaN", line);
        }
        separator = " ";
    }
    return !ferror(line);
}

static char *logfmt_line(json_t *fields)
{
    char *text = NULL;
    size_t size = 0;
    FILE *line = open_memstream(&text, &size);
    if (!line) {
        return NULL;
    }
    bool whole = put_fields(line, fields);
    if (fclose(line) != 0 || !whole) {
        free(text);
        return NULL;
    }
    return text;
}

/* ---- both ---------------------------------------------------------------------------------------- */

int lfset_event_write(const struct lfset_event *event, enum lfset_log_format format, FILE *out)
{
    if (!event || event->size != sizeof *event || !out ||
        (format != LFSET_LOGFMT && format != LFSET_LOG_JSON)) {
        return -EINVAL;
    }
    json_t *fields = lfset__event_json(event);
    char *text = NULL;
    if (fields && format == LFSET_LOGFMT) {
        text = logfmt_line(fields);
    } else if (fields) {
        text = json_dumps(fields, JSON_COMPACT | JSON_REAL_PRECISION(15));
    }
    json_decref(fields);
    // With one call, so that lines of several threads do not mix.
    int error = !text ? -ENOMEM : fprintf(out, "%s\n", text) < 0 ? -EIO : 0;
    free(text);
    return error;
}

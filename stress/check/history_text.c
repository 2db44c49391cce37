// SPDX-License-Identifier: MIT
#define _DEFAULT_SOURCE
/* The text form of a history: see history.h. */
#include "history_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define HEADER "# lfset-history "
#define VERSION 3
/* What is written: the older one unless the history carries on, which it does not know. */
#define VERSION_TEXT "2"
#define VERSION_TEXT_CONTINUED "3"

static const char *const op_names[HISTORY_OPS] = {
    "add", "remove", "contains", "pop", "snapshot", "drain", "clear", "size", "is_empty"};

const char *history_op_name(enum history_op op)
{
    return op_names[op];
}

/* ---- reading ---- */

enum key_kind { KEYS_UNKNOWN, KEYS_INTEGER, KEYS_STRING };

struct parser {
    const char *at;  /* next byte of the line */
    const char *end; /* its newline */
    const char *name;
    size_t line;
    uint64_t version;
    struct history *history;
    struct history_error *error;
    enum key_kind kind;
    size_t kind_line; /* where the kind of the keys was first seen */
    size_t initial_line;
    uint64_t *keys; /* the set being read */
    size_t key_count, key_capacity;
    char *string; /* the string being read */
    size_t string_capacity;
};

#define REFUSE(parser, format, ...)                                                                \
    history__refuse((parser)->error, "%s:%zu: " format, (parser)->name, (parser)->line, __VA_ARGS__)

static void skip_blanks(struct parser *parser)
{
    while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\t'))
        parser->at++;
}

/* Length of the run of bytes at the cursor that belong to one plain column, at most what a message
 * should quote. */
static int column_length(const struct parser *parser)
{
    const char *at = parser->at;
    while (at < parser->end && *at != ' ' && *at != '\t' && at - parser->at < 40)
        at++;
    return (int)(at - parser->at);
}

/* Refuses the column at the cursor, or its absence. */
static int refuse_column(struct parser *parser, const char *what)
{
    int length = column_length(parser);
    if (length == 0)
        return REFUSE(parser, "the line ends before the %s", what);
    for (int i = 0; i < length; i++) {
        if (!isprint((unsigned char)parser->at[i]))
            return REFUSE(parser, "bad %s (unprintable byte 0x%02x)", what,
                          (unsigned)(unsigned char)parser->at[i]);
    }
    return REFUSE(parser, "bad %s \"%.*s\"", what, length, parser->at);
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

/* Is the cursor at the end of a column (of a set's element, if within one)? */
static bool at_column_end(const struct parser *parser, bool in_set)
{
    if (parser->at == parser->end || *parser->at == ' ' || *parser->at == '\t')
        return true;
    return in_set && (*parser->at == ',' || *parser->at == '}');
}

static int parse_number(struct parser *parser, const char *what, bool in_set, uint64_t *value)
{
    const char *start = parser->at;
    unsigned base = 10;
    if (parser->end - parser->at > 2 && parser->at[0] == '0' &&
        (parser->at[1] == 'x' || parser->at[1] == 'X')) {
        base = 16;
        parser->at += 2;
    }
    const char *digits = parser->at;
    uint64_t number = 0;
    bool overflow = false;
    while (parser->at < parser->end && (unsigned)digit_value(*parser->at) < base) {
        uint64_t digit = (uint64_t)digit_value(*parser->at++);
        overflow |= number > (UINT64_MAX - digit) / base;
        number = number * base + digit;
    }
    bool complete = parser->at > digits && at_column_end(parser, in_set);
    parser->at = overflow || !complete ? start : parser->at;
    if (!complete)
        return refuse_column(parser, what);
    if (overflow)
        return REFUSE(parser, "%s \"%.*s\" does not fit in 64 bits", what, column_length(parser),
                      parser->at);
    *value = number;
    return 0;
}

/* Decodes the escape behind a backslash at the cursor. The byte, or a negative errno. */
static int parse_escape(struct parser *parser)
{
    static const char plain[] = "abfnrtv\\\"'?", meant[] = "\a\b\f\n\r\t\v\\\"'?";
    if (parser->at == parser->end)
        return REFUSE(parser, "%s", "the string has no closing quote");
    char c = *parser->at++;
    const char *found = c == '\0' ? NULL : strchr(plain, c);
    if (found != NULL)
        return (unsigned char)meant[found - plain];
    int value = 0, digits = 0;
    if (c == 'x') {
        for (; digits < 2 && parser->at < parser->end && digit_value(*parser->at) < 16; digits++)
            value = value * 16 + digit_value(*parser->at++);
    } else {
        parser->at--;
        for (; digits < 3 && parser->at < parser->end && digit_value(*parser->at) < 8; digits++)
            value = value * 8 + digit_value(*parser->at++);
    }
    if (digits == 0 || value > 255)
        return REFUSE(parser, "bad escape \\%c in a string", isprint((unsigned char)c) ? c : '.');
    return value;
}

static int parse_string(struct parser *parser, bool in_set, uint64_t *key)
{
    size_t length = 0;
    parser->at++;
    for (;;) {
        if (parser->at == parser->end)
            return REFUSE(parser, "%s", "the string has no closing quote");
        char c = *parser->at++;
        if (c == '"')
            break;
        int byte = (unsigned char)c;
        if (c == '\\') {
            byte = parse_escape(parser);
            if (byte < 0)
                return byte;
        }
        int status = history__grow(&parser->string, &parser->string_capacity, length, 1, 1);
        if (status != 0)
            return status;
        parser->string[length++] = (char)byte;
    }
    if (!at_column_end(parser, in_set))
        return REFUSE(parser, "unexpected \"%.*s\" after a string", column_length(parser),
                      parser->at);
    return history_intern(parser->history, parser->string, length, key);
}

static int parse_key(struct parser *parser, bool in_set, uint64_t *key)
{
    enum key_kind kind =
        parser->at < parser->end && *parser->at == '"' ? KEYS_STRING : KEYS_INTEGER;
    int status = kind == KEYS_STRING ? parse_string(parser, in_set, key)
                                     : parse_number(parser, "key", in_set, key);
    if (status != 0)
        return status;
    if (parser->kind == KEYS_UNKNOWN) {
        parser->kind = kind;
        parser->kind_line = parser->line;
    } else if (parser->kind != kind) {
        return REFUSE(parser, "the key is %s, on line %zu it was %s",
                      kind == KEYS_STRING ? "a string" : "an integer", parser->kind_line,
                      kind == KEYS_STRING ? "an integer" : "a string");
    }
    return 0;
}

/* Reads {key,key,...} into parser->keys. */
static int parse_set(struct parser *parser, const char *what)
{
    parser->key_count = 0;
    if (parser->at == parser->end || *parser->at != '{')
        return refuse_column(parser, what);
    parser->at++;
    skip_blanks(parser);
    if (parser->at < parser->end && *parser->at == '}') {
        parser->at++;
        return 0;
    }
    for (;;) {
        int status = history__grow(&parser->keys, &parser->key_capacity, parser->key_count, 1,
                                   sizeof *parser->keys);
        if (status != 0)
            return status;
        skip_blanks(parser);
        status = parse_key(parser, true, &parser->keys[parser->key_count]);
        if (status != 0)
            return status;
        parser->key_count++;
        skip_blanks(parser);
        if (parser->at == parser->end)
            return REFUSE(parser, "the %s has no closing brace", what);
        char c = *parser->at++;
        if (c == '}')
            return 0;
        if (c != ',') {
            parser->at--;
            return REFUSE(parser, "\"%.*s\" where the %s should go on with ',' or '}'",
                          column_length(parser), parser->at, what);
        }
    }
}

/* What may follow the last column: blanks and a remark. */
static int parse_line_end(struct parser *parser)
{
    skip_blanks(parser);
    if (parser->at == parser->end || *parser->at == '#')
        return 0;
    return REFUSE(parser, "unexpected \"%.*s\" at the end of the line", column_length(parser),
                  parser->at);
}

static int parse_initial(struct parser *parser)
{
    if (parser->initial_line != 0)
        return REFUSE(parser, "the initial set was given before, on line %zu",
                      parser->initial_line);
    parser->initial_line = parser->line;
    skip_blanks(parser);
    int status = parse_set(parser, "initial set");
    if (status == 0)
        status = parse_line_end(parser);
    if (status != 0)
        return status;
    status = history_set_initial(parser->history, parser->keys, parser->key_count);
    return status == -EINVAL ? REFUSE(parser, "%s", "the initial set has a key twice") : status;
}

/* Steps over a word of a remark, if it is there: up to a blank or to the set that follows. */
static bool take_word(struct parser *parser, const char *word)
{
    size_t length = strlen(word);
    if ((size_t)(parser->end - parser->at) < length || memcmp(parser->at, word, length) != 0)
        return false;
    parser->at += length;
    if (at_column_end(parser, false) || *parser->at == '{')
        return true;
    parser->at -= length;
    return false;
}

static int parse_continued(struct parser *parser)
{
    if (parser->initial_line != 0)
        return REFUSE(parser, "the initial set was given before, on line %zu",
                      parser->initial_line);
    parser->initial_line = parser->line;
    parser->history->continued = true;
    return parse_line_end(parser);
}

/* A line that begins with '#': the initial set, that there is none but what came before, or a
 * remark. */
static int parse_remark(struct parser *parser)
{
    parser->at++;
    skip_blanks(parser);
    if (take_word(parser, "initial"))
        return parse_initial(parser);
    return parser->version >= 3 && take_word(parser, "continued") ? parse_continued(parser) : 0;
}

static int parse_operation(struct parser *parser, uint8_t *op)
{
    size_t length = (size_t)column_length(parser);
    for (size_t i = 0; i < HISTORY_OPS; i++) {
        if (length == strlen(op_names[i]) && memcmp(parser->at, op_names[i], length) == 0) {
            *op = (uint8_t)i;
            parser->at += length;
            return 0;
        }
    }
    return refuse_column(parser, "operation");
}

/* Steps over a column that is the single byte `c`, if it is there. */
static bool take(struct parser *parser, char c)
{
    if (parser->at == parser->end || *parser->at != c)
        return false;
    parser->at++;
    if (at_column_end(parser, false))
        return true;
    parser->at--;
    return false;
}

/* The key column; `*has_key` tells a key from a dash. */
static int parse_key_column(struct parser *parser, struct history_record *record, bool *has_key)
{
    skip_blanks(parser);
    *has_key = false;
    if (take(parser, '-')) {
        if (record->op <= HISTORY_CONTAINS)
            return REFUSE(parser, "%s needs a key", op_names[record->op]);
        return 0;
    }
    if (record->op > HISTORY_POP) {
        if (parser->at == parser->end)
            return refuse_column(parser, "key");
        return REFUSE(parser, "%s takes no key: \"-\" is expected instead of \"%.*s\"",
                      op_names[record->op], column_length(parser), parser->at);
    }
    *has_key = true;
    return parse_key(parser, false, &record->value);
}

static int parse_clear_result(struct parser *parser, struct history_record *record)
{
    record->result = HISTORY_CLEAR_SILENT;
    if (parser->version == 1)
        return take(parser, '1') ? 0 : refuse_column(parser, "result");
    record->result = HISTORY_CLEAR_COUNTED;
    return parse_number(parser, "result", false, &record->value);
}

static int parse_result(struct parser *parser, struct history_record *record, bool has_key)
{
    skip_blanks(parser);
    if (take(parser, '?')) {
        record->ret = HISTORY_PENDING;
        if (record->op == HISTORY_CLEAR)
            record->result = HISTORY_CLEAR_SILENT;
        if (record->op == HISTORY_POP && has_key)
            return REFUSE(parser, "%s", "a pop that never returned has no key");
        return 0;
    }
    if (record->op == HISTORY_SNAPSHOT || record->op == HISTORY_DRAIN) {
        int status = parse_set(parser, "answered set");
        if (status != 0)
            return status;
        if (!at_column_end(parser, false))
            return REFUSE(parser, "unexpected \"%.*s\" after the answered set",
                          column_length(parser), parser->at);
        status = history_add_set(parser->history, parser->keys, parser->key_count, &record->value);
        return status == -EINVAL ? REFUSE(parser, "%s", "the answered set has a key twice")
                                 : status;
    }
    if (record->op == HISTORY_SIZE)
        return parse_number(parser, "result", false, &record->value);
    if (record->op == HISTORY_CLEAR)
        return parse_clear_result(parser, record);
    if (take(parser, '1'))
        record->result = 1;
    else if (!take(parser, '0'))
        return refuse_column(parser, "result");
    if (record->op == HISTORY_POP && has_key != (record->result == 1))
        return REFUSE(parser, "%s",
                      has_key ? "a pop that found the set empty has no key"
                              : "a pop with result 1 needs the key it took");
    return 0;
}

static int parse_times(struct parser *parser, struct history_record *record)
{
    bool pending = record->ret == HISTORY_PENDING;
    skip_blanks(parser);
    int status = parse_number(parser, "time of the call", false, &record->invoke);
    if (status != 0)
        return status;
    skip_blanks(parser);
    if (take(parser, '-')) {
        if (!pending)
            return REFUSE(parser, "%s", "it has a result but no time of return");
        record->ret = HISTORY_PENDING;
    } else {
        status = parse_number(parser, "time of the return", false, &record->ret);
        if (status != 0)
            return status;
        /* a clear may have returned without saying what it removed */
        if (pending && (record->op != HISTORY_CLEAR || parser->version == 1))
            return REFUSE(parser, "%s", "it has a time of return but no result");
        if (record->ret == HISTORY_PENDING)
            return REFUSE(parser, "%s", "the time of the return is too large");
    }
    if (record->invoke == HISTORY_PENDING)
        return REFUSE(parser, "%s", "the time of the call is too large");
    if (record->ret < record->invoke)
        return REFUSE(parser, "the return (%" PRIu64 ") is earlier than the call (%" PRIu64 ")",
                      record->ret, record->invoke);
    return 0;
}

static int parse_record(struct parser *parser)
{
    struct history_record record = {0};
    uint64_t thread;
    int status = parse_number(parser, "thread", false, &thread);
    if (status == 0 && thread > UINT32_MAX)
        status = REFUSE(parser, "thread %" PRIu64 " is too large", thread);
    record.thread = (uint32_t)thread;
    skip_blanks(parser);
    if (status == 0)
        status = parse_operation(parser, &record.op);
    bool has_key = false;
    if (status == 0)
        status = parse_key_column(parser, &record, &has_key);
    if (status == 0)
        status = parse_result(parser, &record, has_key);
    if (status == 0)
        status = parse_times(parser, &record);
    if (status == 0)
        status = parse_line_end(parser);
    return status == 0 ? history_add(parser->history, &record) : status;
}

static int parse_header(struct parser *parser)
{
    const size_t length = sizeof HEADER - 1;
    if ((size_t)(parser->end - parser->at) < length || memcmp(parser->at, HEADER, length) != 0)
        return REFUSE(parser, "%s",
                      "not a history: the first line is not \"" HEADER VERSION_TEXT "\"");
    parser->at += length;
    int status = parse_number(parser, "version", false, &parser->version);
    if (status == 0 && (parser->version < 1 || parser->version > VERSION))
        return REFUSE(parser, "unknown version %" PRIu64, parser->version);
    return status == 0 ? parse_line_end(parser) : status;
}

/* Parses the line at the cursor. */
static int parse_line(struct parser *parser)
{
    if (parser->version == 0)
        return parse_header(parser);
    skip_blanks(parser);
    if (parser->at == parser->end)
        return 0;
    return *parser->at == '#' ? parse_remark(parser) : parse_record(parser);
}

/* Refuses a thread's overlapping operations, naming both lines. */
static int refuse_overlap(struct parser *parser, const size_t *lines)
{
    size_t bad, other;
    int status = history__find_overlap(parser->history, &bad, &other);
    if (status != 1)
        return status;
    parser->line = lines[bad];
    return REFUSE(parser, "it overlaps another operation of thread %" PRIu32 ", on line %zu",
                  parser->history->records[bad].thread, lines[other]);
}

/* Does another history begin here? */
static bool at_header(const struct history_source *source)
{
    const size_t length = sizeof HEADER - 1;
    return history__unused(source) >= length &&
           memcmp(source->bytes + source->at, HEADER, length) == 0;
}

/* Takes the next line and parses it. 1; 0: the history has ended; else a negative errno. */
static int next_line(struct parser *parser, struct history_source *source)
{
    int status = history__fill(source, sizeof HEADER - 1);
    if (status == 0 && parser->version != 0 && at_header(source))
        return 0;
    size_t length;
    if (status == 0)
        status = history__take_line(source, &parser->at, &length);
    parser->line = source->line;
    if (status == 0 && parser->version == 0) {
        parser->line++;
        return REFUSE(parser, "%s", "not a history: it is empty");
    }
    /* A number may have lost its last digits and still be a number. */
    if (status == -EINVAL)
        return REFUSE(parser, "%s", "the last line is cut off: it has no newline");
    if (status != 1)
        return status;
    parser->end = parser->at + length;
    status = parse_line(parser);
    return status == 0 ? 1 : status;
}

int history__read_text(struct history_source *source, struct history *history,
                       struct history_error *error)
{
    struct parser parser = {.name = source->name, .history = history, .error = error};
    size_t *lines = NULL; /* of the records */
    size_t line_capacity = 0, before = 0;
    int status;
    while ((status = next_line(&parser, source)) == 1) {
        if (history->count == before)
            continue;
        status = history__grow(&lines, &line_capacity, before, 1, sizeof *lines);
        if (status != 0)
            break;
        lines[before++] = parser.line;
    }
    if (status == 0)
        status = refuse_overlap(&parser, lines);
    free(lines);
    free(parser.keys);
    free(parser.string);
    return status;
}

/* ---- writing ---- */

static void print_string(const struct history_strings *strings, uint64_t key, FILE *file)
{
    const char *bytes = strings->bytes + strings->items[key].first;
    fputc('"', file);
    for (size_t i = 0; i < strings->items[key].length; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c == '\n')
            fputs("\\n", file);
        else if (c == '\t')
            fputs("\\t", file);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(file, "\\%03o", c); /* three digits: a digit that follows stays apart */
        else
            fputc(c, file);
    }
    fputc('"', file);
}

void history_print_key(const struct history *history, uint64_t key, FILE *file)
{
    if (history->strings != NULL && key < history->strings->count)
        print_string(history->strings, key, file);
    else
        fprintf(file, "%" PRIu64, key);
}

static void print_set(const struct history *history, const uint64_t *keys, size_t count,
                      size_t max_keys, FILE *file)
{
    fputc('{', file);
    for (size_t i = 0; i < count && i < max_keys; i++) {
        if (i > 0)
            fputc(',', file);
        history_print_key(history, keys[i], file);
    }
    fputs(count > max_keys ? ",...}" : "}", file);
}

void history_print_operation(const struct history *history, const struct history_record *record,
                             size_t max_keys, FILE *file)
{
    bool pending = record->ret == HISTORY_PENDING;
    fprintf(file, "%s ", op_names[record->op]);
    if (history_record_has_key(record))
        history_print_key(history, record->value, file);
    else
        fputc('-', file);
    fputc(' ', file);
    if (pending) {
        fputc('?', file);
    } else if (record->op == HISTORY_SNAPSHOT || record->op == HISTORY_DRAIN) {
        const struct history_set *set = &history->sets[record->value];
        print_set(history, history->set_keys + set->first, set->count, max_keys, file);
    } else if (record->op == HISTORY_SIZE) {
        fprintf(file, "%" PRIu64, record->value);
    } else if (history_record_counts(record)) {
        fprintf(file, "%" PRIu64, record->value);
    } else if (record->op == HISTORY_CLEAR) {
        fputc('?', file);
    } else {
        fprintf(file, "%d", record->result);
    }
}

int history_write_text(const struct history *history, FILE *file)
{
    fputs(history->continued ? HEADER VERSION_TEXT_CONTINUED "\n# continued\n"
                             : HEADER VERSION_TEXT "\n",
          file);
    if (history->initial_count > 0 && !history->continued) {
        fputs("# initial ", file);
        print_set(history, history->initial, history->initial_count, SIZE_MAX, file);
        fputc('\n', file);
    }
    fputs("# thread operation key result invoke return\n", file);
    for (size_t i = 0; i < history->count; i++) {
        const struct history_record *record = &history->records[i];
        fprintf(file, "%" PRIu32 " ", record->thread);
        history_print_operation(history, record, SIZE_MAX, file);
        fprintf(file, " %" PRIu64 " ", record->invoke);
        if (record->ret == HISTORY_PENDING)
            fputs("-\n", file);
        else
            fprintf(file, "%" PRIu64 "\n", record->ret);
    }
    return ferror(file) ? -EIO : 0;
}

// SPDX-License-Identifier: MIT
/**
 * @file pprof.c
 * A profile as profile.proto, the format of pprof. Of protobuf's encoding it needs integers and what has
 * a length: strings, messages, and lists of integers. Numbers of fields are those of profile.proto.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "observe/profile.h"
#include "observe/symbols.h"

/* ---- protobuf ------------------------------------------------------------------------------------ */

/* A message that grows. */
struct message {
    FILE *out;
    char *data;
    size_t size;
};

static bool message_open(struct message *message)
{
    *message = (struct message){0};
    message->out = open_memstream(&message->data, &message->size);
    return message->out != NULL;
}

static void put_varint(FILE *out, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        putc((int)(value & 0x7f) | 0x80, out);
    }
    putc((int)value, out);
}

enum { WIRE_VARINT = 0, WIRE_LENGTH = 2 };

/* Zero is the default, which is not written. */
static void put_number(FILE *out, unsigned field, uint64_t value)
{
    if (value) {
        put_varint(out, field << 3 | WIRE_VARINT);
        put_varint(out, value);
    }
}

static void put_bytes(FILE *out, unsigned field, const void *data, size_t size)
{
    put_varint(out, field << 3 | WIRE_LENGTH);
    put_varint(out, size);
    fwrite(data, 1, size, out);
}

/* Ends `message` and puts it into another one. @return false for lack of memory. */
static bool put_message(FILE *out, unsigned field, struct message *message)
{
    bool failed = ferror(message->out) != 0;
    failed |= fclose(message->out) != 0;
    if (!failed) {
        put_bytes(out, field, message->data, message->size);
    }
    free(message->data);
    return !failed;
}

/* ---- tables -------------------------------------------------------------------------------------- */

/* Things that messages name by number, each written once: strings, functions, locations. */
struct item {
    const char *text, *more;
    uint64_t address;
    uint64_t id;
};

struct writing {
    const struct lfset_profile *profile;
    struct lfset_symbols *symbols;
    FILE *out;
    void *strings, *functions, *locations; /* trees of struct item (tsearch) */
    uint64_t string_count, function_count, location_count;
    struct message string_table; /* the last field of the profile, as it grows */
    bool *symbolized;            /* modules some of whose functions were found */
    bool failed;                 /* for lack of memory */
};

static int compare_texts(const char *a, const char *b)
{
    return strcmp(a ? a : "", b ? b : "");
}

static int compare_items(const void *a, const void *b)
{
    const struct item *left = a, *right = b;
    int order = (left->address > right->address) - (left->address < right->address);
    order = order ? order : compare_texts(left->text, right->text);
    return order ? order : compare_texts(left->more, right->more);
}

/* The number of a thing; 0 when it has none yet, which is then counted and given to it. */
static uint64_t item_find(struct writing *writing, void **items, uint64_t *count, struct item item)
{
    struct item **found = tfind(&item, items, compare_items);
    if (found) {
        return (*found)->id;
    }
    struct item *made = malloc(sizeof *made);
    if (made) {
        *made = item;
        made->id = *count + 1;
    }
    if (!made || !tsearch(made, items, compare_items)) {
        free(made);
        writing->failed = true;
        return 0;
    }
    ++*count;
    return 0;
}

/* Puts a string into the table. */
static void put_string(struct writing *writing, const char *text)
{
    put_bytes(writing->string_table.out, 6, text, strlen(text));
}

static uint64_t string_id(struct writing *writing, const char *text)
{
    if (!text || !*text) {
        return 0; // the first string is the empty one
    }
    uint64_t id =
        item_find(writing, &writing->strings, &writing->string_count, (struct item){.text = text});
    if (id == 0 && !writing->failed) {
        put_string(writing, text);
        id = writing->string_count;
    }
    return id;
}

static uint64_t function_id(struct writing *writing, const struct lfset_frame *frame)
{
    uint64_t id = item_find(writing, &writing->functions, &writing->function_count,
                            (struct item){.text = frame->function, .more = frame->file});
    struct message function;
    if (id || writing->failed || !message_open(&function)) {
        return id;
    }
    id = writing->function_count;
    put_number(function.out, 1, id);
    put_number(function.out, 2, string_id(writing, frame->function));
    put_number(function.out, 3, string_id(writing, frame->function));
    put_number(function.out, 4, string_id(writing, frame->file));
    writing->failed |= !put_message(writing->out, 5, &function);
    return id;
}

static void put_line(struct writing *writing, FILE *location, const struct lfset_frame *frame)
{
    struct message line;
    if (!frame->function) {
        return;
    }
    if (!message_open(&line)) {
        writing->failed = true;
        return;
    }
    put_number(line.out, 1, function_id(writing, frame));
    put_number(line.out, 2, frame->line);
    writing->failed |= !put_message(location, 4, &line);
}

static uint64_t location_id(struct writing *writing, uint64_t address)
{
    uint64_t id = item_find(writing, &writing->locations, &writing->location_count,
                            (struct item){.address = address});
    struct message location;
    if (id || writing->failed || !message_open(&location)) {
        return id;
    }
    id = writing->location_count;
    const struct lfset_observation *process = lfset__profile_process(writing->profile);
    const struct lfset_module_seen *module = lfset__module_find(process, address - 1);
    const struct lfset_frame *calls;
    int count = lfset_symbols_find(writing->symbols, address, &calls);
    put_number(location.out, 1, id);
    put_number(location.out, 2, module ? (uint64_t)(module - process->modules) + 1 : 0);
    put_number(location.out, 3, address - 1); // of the call, not of where it returns to
    for (int i = 0; i < count; i++) {
        put_line(writing, location.out, &calls[i]);
        if (module && calls[i].function) {
            writing->symbolized[module - process->modules] = true;
        }
    }
    writing->failed |= count < 0 || !put_message(writing->out, 4, &location);
    return id;
}

/* ---- the profile --------------------------------------------------------------------------------- */

static bool put_type(struct writing *writing, unsigned field, const char *type, const char *unit)
{
    struct message message;
    if (!message_open(&message)) {
        return false;
    }
    put_number(message.out, 1, string_id(writing, type));
    put_number(message.out, 2, string_id(writing, unit));
    return put_message(writing->out, field, &message);
}

static bool put_sample(struct writing *writing, const struct lfset_profile_entry *entry)
{
    struct message sample, packed, label;
    if (!message_open(&sample)) {
        return false;
    }
    bool done = message_open(&packed);
    if (done) {
        for (unsigned i = 0; i < entry->depth; i++) {
            put_varint(packed.out, location_id(writing, entry->frames[i]));
        }
        done = put_message(sample.out, 1, &packed);
    }
    done = done && message_open(&packed);
    if (done) {
        put_varint(packed.out, (uint64_t)entry->live);
        put_varint(packed.out, (uint64_t)entry->bytes);
        put_varint(packed.out, (uint64_t)lfset__profile_idle_us(entry));
        done = put_message(sample.out, 2, &packed);
    }
    done = done && message_open(&label);
    if (done) {
        put_number(label.out, 1, string_id(writing, "set"));
        put_number(label.out, 2, string_id(writing, entry->set));
        done = put_message(sample.out, 3, &label);
    }
    return put_message(writing->out, 2, &sample) && done;
}

static bool put_mapping(struct writing *writing, size_t index)
{
    const struct lfset_observation *process = lfset__profile_process(writing->profile);
    const struct lfset_module_seen *module = &process->modules[index];
    const unsigned char *bits;
    unsigned length = lfset__symbols_build_id(writing->symbols, module, &bits);
    char text[2 * 64 + 1] = "";
    for (unsigned i = 0; i < length && i < 64; i++) {
        sprintf(text + 2 * i, "%02x", bits[i]);
    }
    struct message mapping;
    if (!message_open(&mapping)) {
        return false;
    }
    put_number(mapping.out, 1, index + 1);
    put_number(mapping.out, 2, module->begin);
    put_number(mapping.out, 3, module->end);
    put_number(mapping.out, 5, string_id(writing, module->path));
    if (*text) { // no other string is the same, and this one does not stay
        put_string(writing, text);
        put_number(mapping.out, 6, ++writing->string_count);
    }
    for (unsigned has = 7; has <= 10 && writing->symbolized[index]; has++) {
        put_number(mapping.out, has, true); // functions, file names, lines, inlined frames
    }
    return put_message(writing->out, 3, &mapping);
}

static void put_head(struct writing *writing)
{
    const struct lfset_profile *profile = writing->profile;
    writing->failed |= !put_type(writing, 1, "live_elements", "count") ||
                       !put_type(writing, 1, "live_bytes", "bytes") ||
                       !put_type(writing, 1, "idle_time", LFSET__PROFILE_IDLE_UNIT) ||
                       !put_type(writing, 11, "elements", "count");
    put_number(writing->out, 9, profile->time_ns + profile->realtime_minus_ns);
    put_number(writing->out, 10, profile->duration_ns);
    put_number(writing->out, 12, profile->rate);
    put_number(writing->out, 14, string_id(writing, "live_elements"));
}

static void put_all(struct writing *writing)
{
    const struct lfset_observation *process = lfset__profile_process(writing->profile);
    put_string(writing, "");
    put_head(writing);
    for (size_t i = 0; i < writing->profile->entry_count; i++) {
        writing->failed |= !put_sample(writing, &writing->profile->entries[i]);
    }
    for (size_t i = 0; i < process->module_count; i++) {
        writing->failed |= !put_mapping(writing, i);
    }
}

int lfset__profile_pprof(const struct lfset_profile *profile, FILE *out)
{
    struct writing writing = {
        .profile = profile,
        .symbols = lfset__profile_symbols(profile),
        .out = out,
        .symbolized = calloc(lfset__profile_process(profile)->module_count + 1, sizeof(bool)),
    };
    bool opened = writing.symbolized && message_open(&writing.string_table);
    if (opened) {
        put_all(&writing);
        writing.failed |= fclose(writing.string_table.out) != 0;
        fwrite(writing.string_table.data, 1, writing.string_table.size, out);
        free(writing.string_table.data);
    }
    tdestroy(writing.strings, free);
    tdestroy(writing.functions, free);
    tdestroy(writing.locations, free);
    free(writing.symbolized);
    return opened && !writing.failed ? 0 : -ENOMEM;
}

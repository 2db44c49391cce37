// SPDX-License-Identifier: MIT
/**
 * @file profile_write.c
 * Profiles as text: for people, for flamegraph.pl, and as gperftools' heap profiles; and as JSON.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "observe/event.h"
#include "observe/profile.h"
#include "observe/symbols.h"

/* ---- names --------------------------------------------------------------------------------------- */

struct name {
    char text[512];
};

/* A function, or where in which file it is. */
static struct name name_of(const struct lfset_frame *frame)
{
    struct name name;
    const char *slash = strrchr(frame->module, '/');
    if (frame->function) {
        snprintf(name.text, sizeof name.text, "%s", frame->function);
    } else {
        snprintf(name.text, sizeof name.text, "%s+0x%" PRIx64,
                 slash            ? slash + 1
                 : *frame->module ? frame->module
                                  : "unknown",
                 frame->offset);
    }
    return name;
}

/* A name of a set in one line of text. */
static struct name plain(const char *set)
{
    struct name name;
    snprintf(name.text, sizeof name.text, "%s", set);
    for (char *c = name.text; *c; c++) {
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            *c = '?';
        }
    }
    return name;
}

/* ---- for people ---------------------------------------------------------------------------------- */

static void text_stack(const struct lfset_profile_entry *entry, struct lfset_symbols *symbols,
                       FILE *out)
{
    if (entry->depth == 0) {
        fputs("      (its stack did not fit into the registry)\n", out);
    }
    for (unsigned i = 0; i < entry->depth; i++) {
        const struct lfset_frame *calls;
        int count = lfset_symbols_find(symbols, entry->frames[i], &calls);
        for (int call = 0; call < count; call++) {
            fprintf(out, "      %s", name_of(&calls[call]).text);
            if (calls[call].file) {
                fprintf(out, "  %s:%u", calls[call].file, calls[call].line);
            }
            fputs(calls[call].inlined ? " (inlined)\n" : "\n", out);
        }
    }
}

static void text_numbers(const char *what, const int64_t *numbers, unsigned count, FILE *out)
{
    fprintf(out, "      %s:", what);
    for (unsigned i = 0; i < count; i++) {
        if (numbers[i] < 0) {
            fputs(" -", out);
        } else {
            fprintf(out, " %" PRId64, numbers[i]);
        }
    }
    putc('\n', out);
}

static void text_entry(const struct lfset_profile *profile, const struct lfset_profile_entry *entry,
                       struct lfset_symbols *symbols, FILE *out)
{
    fprintf(out, "\n%10" PRId64 " keys", entry->live);
    if (profile->live > 0 && entry->live > 0) {
        fprintf(out, " %5.1f %%", 100.0 * (double)entry->live / (double)profile->live);
    }
    fprintf(out, "  %" PRId64 " bytes  idle %.1f s  set %s%s\n", entry->bytes, entry->idle_s,
            plain(entry->set).text, entry->grew ? "  GREW IN EVERY ROUND" : "");
    if (profile->observation_count > 1) {
        text_numbers("keys   ", entry->live_each, profile->observation_count, out);
        text_numbers("settled", entry->settled_each, profile->observation_count, out);
    }
    text_stack(entry, symbols, out);
}

static void text_head(const struct lfset_profile *profile, FILE *out)
{
    time_t seconds = (time_t)((profile->time_ns + profile->realtime_minus_ns) / 1000000000);
    struct tm local;
    char date[64] = "";
    if (localtime_r(&seconds, &local)) {
        strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &local);
    }
    size_t stacks = profile->entry_count + profile->left_out;
    fprintf(out, "%s (pid %d), %s: %" PRId64 " keys, %" PRId64 " bytes in %zu stack%s",
            plain(profile->program).text, profile->pid, date, profile->live, profile->bytes, stacks,
            stacks == 1 ? "" : "s");
    if (profile->rate > 1) {
        fprintf(out, ", estimated from one key in %u", profile->rate);
    }
    putc('\n', out);
    if (profile->observation_count > 1) {
        fprintf(out, "%u observations in %.1f s", profile->observation_count,
                (double)profile->duration_ns / 1e9);
    }
    if (profile->observation_count > 3) {
        fprintf(out, ": %zu stack%s grew in every round", profile->leaks,
                profile->leaks == 1 ? "" : "s");
    }
    if (profile->observation_count > 1) {
        putc('\n', out);
    }
    if (profile->samples_lost > 0) {
        fprintf(out,
                "%" PRIu64
                " sampled keys did not fit into the table of samples: the numbers are too low\n",
                profile->samples_lost);
    }
}

static void text_write(const struct lfset_profile *profile, struct lfset_symbols *symbols,
                       FILE *out)
{
    text_head(profile, out);
    for (size_t i = 0; i < profile->entry_count; i++) {
        text_entry(profile, &profile->entries[i], symbols, out);
    }
    if (profile->left_out > 0) {
        fprintf(out, "\n%zu more with fewer keys\n", profile->left_out);
    }
}

/* ---- folded -------------------------------------------------------------------------------------- */

/* A frame's name without what separates frames. */
static void folded_name(const char *text, FILE *out)
{
    for (; *text; text++) {
        putc(*text == ';' ? ':' : *text, out);
    }
}

static void folded_write(const struct lfset_profile *profile, struct lfset_symbols *symbols,
                         FILE *out)
{
    for (size_t i = 0; i < profile->entry_count; i++) {
        const struct lfset_profile_entry *entry = &profile->entries[i];
        if (entry->live <= 0) {
            continue;
        }
        folded_name(plain(entry->set).text, out);
        for (unsigned frame = entry->depth; frame > 0; frame--) {
            const struct lfset_frame *calls;
            int count = lfset_symbols_find(symbols, entry->frames[frame - 1], &calls);
            for (int call = count; call > 0; call--) {
                putc(';', out);
                folded_name(name_of(&calls[call - 1]).text, out);
            }
        }
        fprintf(out, " %" PRId64 "\n", entry->live);
    }
}

/* ---- gperftools ---------------------------------------------------------------------------------- */

/* As /proc/PID/maps has it: the readers find the code of a file by the offset of its mapping. */
static void heap_module(const struct lfset_module_seen *module, struct lfset_symbols *symbols,
                        FILE *out)
{
    enum { CODES = 8 };
    struct lfset__code codes[CODES] = {{module->begin, module->end, module->begin - module->base}};
    unsigned count = lfset__symbols_code(symbols, module, codes, CODES);
    count = count == 0 ? 1 : count < CODES ? count : CODES;
    for (unsigned i = 0; i < count; i++) {
        const uint64_t page = 4096, into = codes[i].begin % page;
        fprintf(out, "%012" PRIx64 "-%012" PRIx64 " r-xp %08" PRIx64 " 00:00 0 %s\n",
                codes[i].begin - into, (codes[i].end + page - 1) / page * page,
                codes[i].offset - into, module->path);
    }
}

/* "heapprofile" is what the readers take as it is. With "heap_v2" they estimate what their own way of
 * sampling would have missed, even at a period of 1: keys of one byte would be half as many again,
 * and keys of no bytes a division by zero. */
static void heap_line(int64_t keys, int64_t bytes, const char *end, FILE *out)
{
    fprintf(out, "%6" PRId64 ": %8" PRId64 " [%6" PRId64 ": %8" PRId64 "] @%s", keys, bytes, keys,
            bytes, end);
}

static void heap_write(const struct lfset_profile *profile, struct lfset_symbols *symbols,
                       FILE *out)
{
    const struct lfset_observation *process = lfset__profile_process(profile);
    int64_t keys = 0, bytes = 0;
    for (size_t i = 0; i < profile->entry_count; i++) {
        if (profile->entries[i].live > 0) {
            keys += profile->entries[i].live;
            bytes = (int64_t)((uint64_t)bytes + (uint64_t)profile->entries[i].bytes);
        }
    }
    fputs("heap profile: ", out);
    heap_line(keys, bytes, " heapprofile\n", out);
    for (size_t i = 0; i < profile->entry_count; i++) {
        const struct lfset_profile_entry *entry = &profile->entries[i];
        if (entry->live <= 0) {
            continue;
        }
        heap_line(entry->live, entry->bytes, "", out);
        for (unsigned frame = 0; frame < entry->depth; frame++) {
            fprintf(out, " 0x%012" PRIx64, entry->frames[frame]);
        }
        putc('\n', out);
    }
    fputs("\nMAPPED_LIBRARIES:\n", out);
    for (size_t i = 0; i < process->module_count; i++) {
        heap_module(&process->modules[i], symbols, out);
    }
}

/* ---- JSON ---------------------------------------------------------------------------------------- */

static json_t *json_text(const char *text)
{
    char *clean = lfset__utf8_copy(text);
    json_t *made = clean ? json_string(clean) : NULL;
    free(clean);
    return made;
}

static json_t *json_frames(const struct lfset_profile_entry *entry, struct lfset_symbols *symbols)
{
    json_t *frames = json_array();
    for (unsigned i = 0; i < entry->depth; i++) {
        const struct lfset_frame *calls;
        int count = lfset_symbols_find(symbols, entry->frames[i], &calls);
        for (int call = 0; call < count; call++) {
            json_t *frame = json_pack(
                "{s:o, s:o, s:I}", "name", json_text(name_of(&calls[call]).text), "module",
                json_text(calls[call].module), "offset", (json_int_t)calls[call].offset);
            if (frame && calls[call].file) {
                json_object_set_new(frame, "file", json_text(calls[call].file));
                json_object_set_new(frame, "line", json_integer(calls[call].line));
            }
            if (frame && calls[call].inlined) {
                json_object_set_new(frame, "inlined", json_true());
            }
            json_array_append_new(frames, frame);
        }
    }
    return frames;
}

static json_t *json_numbers(const int64_t *numbers, unsigned count)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < count; i++) {
        json_array_append_new(array, numbers[i] < 0 ? json_null() : json_integer(numbers[i]));
    }
    return array;
}

static json_t *json_entry(const struct lfset_profile *profile,
                          const struct lfset_profile_entry *entry, struct lfset_symbols *symbols)
{
    return json_pack("{s:o, s:I, s:I, s:f, s:I, s:b, s:o, s:o, s:o}", "set", json_text(entry->set),
                     "live", (json_int_t)entry->live, "bytes", (json_int_t)entry->bytes,
                     "idle_seconds", entry->idle_s, "samples", (json_int_t)entry->samples, "grew",
                     entry->grew, "live_each",
                     json_numbers(entry->live_each, profile->observation_count), "settled_each",
                     json_numbers(entry->settled_each, profile->observation_count), "stack",
                     json_frames(entry, symbols));
}

static int json_write(const struct lfset_profile *profile, struct lfset_symbols *symbols, FILE *out)
{
    json_t *entries = json_array();
    for (size_t i = 0; i < profile->entry_count; i++) {
        json_array_append_new(entries, json_entry(profile, &profile->entries[i], symbols));
    }
    double time = (double)(profile->time_ns + profile->realtime_minus_ns) / 1e9;
    json_t *all = json_pack(
        "{s:o, s:i, s:f, s:f, s:i, s:i, s:I, s:I, s:I, s:I, s:I, s:o}", "program",
        json_text(profile->program), "pid", profile->pid, "time_seconds", time, "duration_seconds",
        (double)profile->duration_ns / 1e9, "observations", (int)profile->observation_count, "rate",
        (int)profile->rate, "live", (json_int_t)profile->live, "bytes", (json_int_t)profile->bytes,
        "leaks", (json_int_t)profile->leaks, "left_out", (json_int_t)profile->left_out,
        "samples_lost", (json_int_t)profile->samples_lost, "entries", entries);
    if (!all || json_array_size(entries) != profile->entry_count) {
        json_decref(all);
        return -ENOMEM;
    }
    // what goes wrong with the file, the file remembers
    (void)json_dumpf(all, out, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
    putc('\n', out);
    json_decref(all);
    return 0;
}

/* ---- any ----------------------------------------------------------------------------------------- */

int lfset_profile_write(const struct lfset_profile *profile, enum lfset_profile_format format,
                        FILE *out)
{
    if (!profile || !out || format > LFSET_PROFILE_JSON) {
        return -EINVAL;
    }
    struct lfset_symbols *symbols = lfset__profile_symbols(profile);
    int error = 0;
    switch (format) {
    case LFSET_PROFILE_TEXT:
        text_write(profile, symbols, out);
        break;
    case LFSET_PROFILE_FOLDED:
        folded_write(profile, symbols, out);
        break;
    case LFSET_PROFILE_HEAP:
        heap_write(profile, symbols, out);
        break;
    case LFSET_PROFILE_PPROF:
        error = lfset__profile_pprof(profile, out);
        break;
    case LFSET_PROFILE_JSON:
        error = json_write(profile, symbols, out);
        break;
    }
    bool failed = fflush(out) != 0 || ferror(out);
    return error ? error : failed ? -EIO : 0;
}

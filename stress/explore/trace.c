// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "explore/trace.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "explore/arena.h"
#include "explore/execute.h"
#include "explore/explored.h"
#include "explore/objects.h"
#include "explore/schedule.h"
#include "platform/hook.h"
#include "reclaim/hp.h"
#include "reclaim/rcu.h"
#include "set/node.h"
#include "set/slice.h"

enum {
    EVENTS_MOST = 4000, /* of a run without an end the last are enough */
    LOOP_PERIOD = 3,    /* accesses of a loop that is recognised as one */
    LOOP_LEAST = 9
};

/* ---- places in the source ----------------------------------------------------------------------- */

struct place {
    const void *pc;
    char *text;
};

static struct place *places;
static size_t place_count;

static int by_pc(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct place *)a)->pc;
    uintptr_t y = (uintptr_t)((const struct place *)b)->pc;
    return (x > y) - (x < y);
}

extern char __executable_start[]; // the linker's

/* Asks addr2line about all program counters at once. Of the frames inlined at one the first that is
 * not in the layer of atomics is told. Without addr2line there are no places. */
static void find_places(const struct sched_event *events, size_t count)
{
    places = calloc(count + 1, sizeof *places);
    place_count = 0;
    for (size_t i = 0; places && i < count; i++) {
        if (events[i].kind == SCHED_EVENT_ACCESS) {
            places[place_count++].pc = events[i].pc;
        }
    }
    qsort(places, place_count, sizeof *places, by_pc);
    size_t unique = 0;
    for (size_t i = 0; i < place_count; i++) {
        if (unique == 0 || places[unique - 1].pc != places[i].pc) {
            places[unique++] = places[i];
        }
    }
    place_count = unique;
    char executable[4096], input[] = "/tmp/lfset-explore-XXXXXX", *command = NULL;
    ssize_t length = readlink("/proc/self/exe", executable, sizeof executable - 1);
    int fd = length > 0 ? mkstemp(input) : -1;
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file) {
        return;
    }
    executable[length] = 0;
    for (size_t i = 0; i < place_count; i++) {
        fprintf(file, "0x%tx\n", (const char *)places[i].pc - __executable_start - 1);
    }
    fclose(file);
    // Linked at a fixed address, the program wants whole addresses; then the first form finds nothing.
    FILE *answer =
        asprintf(&command, "addr2line -a -i -s -e '%s' <%s 2>/dev/null", executable, input) > 0
            ? popen(command, "r")
            : NULL;
    char line[512];
    size_t at = SIZE_MAX;
    while (answer && fgets(line, sizeof line, answer)) {
        line[strcspn(line, " \n")] = 0;
        if (line[0] == '0' && line[1] == 'x') {
            at = at == SIZE_MAX ? 0 : at + 1;
        } else if (at < place_count && !places[at].text && strncmp(line, "hook.h", 6) != 0 &&
                   strncmp(line, "vector.h", 8) != 0 && line[0] != '?') {
            places[at].text = strdup(line);
        }
    }
    if (answer) {
        pclose(answer);
    }
    unlink(input);
    free(command);
}

static const char *place_of(const void *pc)
{
    struct place key = {.pc = pc};
    struct place *found = bsearch(&key, places, place_count, sizeof *places, by_pc);
    return found && found->text ? found->text : "";
}

static void forget_places(void)
{
    for (size_t i = 0; i < place_count; i++) {
        free(places[i].text);
    }
    free(places);
    places = NULL;
    place_count = 0;
}

/* ---- names of addresses ------------------------------------------------------------------------- */

static bool is_slice(const struct arena_block *block)
{
    // Sets have a line's alignment, too, but are smaller than the smallest slice.
    size_t least = sizeof(struct lfset__slice) + (sizeof(uint64_t) << LFSET__LOG2_MIN);
    return block->align == LFSET__LINE && block->size >= least;
}

/* Slices are numbered in the order of their making. */
static unsigned slice_number(const struct arena_block *block)
{
    unsigned number = 0;
    for (const struct arena_block *b = &arena_blocks[1]; b < block; b++) {
        number += is_slice(b);
    }
    return number;
}

static void name_pointer(uint64_t value, char *name, size_t size)
{
    const struct arena_block *block = arena_find((const void *)(uintptr_t)value);
    if (value == 0) {
        snprintf(name, size, "NULL");
    } else if (block && is_slice(block)) {
        snprintf(name, size, "slice %u", slice_number(block));
    } else {
        snprintf(name, size, "%#llx", (unsigned long long)value);
    }
}

static void name_word(const struct lfset__slice *slice, size_t index, uint64_t word, char *name,
                      size_t size)
{
    char key[32] = "";
    if (word & LFSET__BOUND) {
        uint64_t k;
        if (!execute_word_key(slice, index, word, &k)) {
            snprintf(key, sizeof key, "a freed key");
        } else if (!explored_key_name(k, key, sizeof key)) {
            snprintf(key, sizeof key, "key %llu", (unsigned long long)k);
        }
    }
    snprintf(name, size, "%s%s%s",
             !(word & LFSET__BOUND) ? "EMPTY"
             : word & LFSET__LIVE   ? "LIVE "
                                    : "DEAD ",
             key, word & LFSET__FROZEN ? ", FROZEN" : "");
}

#define FIELD(type, field)                                                                         \
    {                                                                                              \
        offsetof(type, field), sizeof(((type *)0)->field), #field                                  \
    }
struct field {
    size_t offset, size;
    const char *name;
};

static const struct field slice_fields[] = {FIELD(struct lfset__slice, next),
                                            FIELD(struct lfset__slice, all_frozen),
                                            FIELD(struct lfset__slice, counts),
                                            FIELD(struct lfset__slice, clustered),
                                            FIELD(struct lfset__slice, references),
                                            FIELD(struct lfset__slice, freezing.claimed),
                                            FIELD(struct lfset__slice, freezing.done),
                                            FIELD(struct lfset__slice, copying.claimed),
                                            FIELD(struct lfset__slice, copying.done),
                                            FIELD(struct lfset__slice, pop_cursor),
                                            {0, 0, NULL}};
static const struct field set_fields[] = {FIELD(struct lfset__set, root),
                                          FIELD(struct lfset__set, floor_log2),
                                          FIELD(struct lfset__set, references),
                                          FIELD(struct lfset__set, retired),
                                          FIELD(struct lfset__set, random),
                                          FIELD(struct lfset__set, grows),
                                          FIELD(struct lfset__set, purges),
                                          FIELD(struct lfset__set, shrinks),
                                          FIELD(struct lfset__set, rehashes),
                                          FIELD(struct lfset__set, snapshots),
                                          FIELD(struct lfset__set, clears),
                                          FIELD(struct lfset__set, waiting),
                                          FIELD(struct lfset__set, idle),
                                          FIELD(struct lfset__set, purging),
                                          {0, 0, NULL}};

static const char *field_at(const struct field *fields, size_t offset)
{
    for (; fields->name; fields++) {
        if (offset >= fields->offset && offset < fields->offset + fields->size) {
            return fields->name;
        }
    }
    return "?";
}

static void name_in_slice(const struct arena_block *block, size_t offset, uint64_t value,
                          char *name, size_t size)
{
    // Of a freed slice the header is gone, but not its size.
    const struct lfset__slice *slice = (const struct lfset__slice *)(const void *)block->start;
    size_t words_at = offsetof(struct lfset__slice, words);
    unsigned number = slice_number(block);
    char what[96] = "";
    if (offset >= words_at) {
        size_t index = (offset - words_at) / 8;
        if (block->freed_by) {
            snprintf(name, size, "slice %u word %zu (freed)", number, index);
        } else if (index >= lfset__slice_words(slice)) {
            snprintf(name, size, "slice %u bitmap word %zu: %#llx", number,
                     index - lfset__slice_words(slice), (unsigned long long)value);
        } else {
            name_word(slice, index, value, what, sizeof what);
            snprintf(name, size, "slice %u word %zu: %s", number, index, what);
        }
        return;
    }
    const char *field = field_at(slice_fields, offset);
    if (strcmp(field, "next") == 0) {
        name_pointer(value, what, sizeof what);
    } else if (strcmp(field, "all_frozen") == 0 || strcmp(field, "references") == 0) {
        snprintf(what, sizeof what, "%u", (unsigned)(offset % 8 ? value >> 32 : value));
    } else {
        snprintf(what, sizeof what, "%#llx", (unsigned long long)value);
    }
    snprintf(name, size, "slice %u %s: %s", number, field, what);
}

static bool name_in_record(const volatile void *address, uint64_t value, char *name, size_t size)
{
    for (const struct execute_record *r = execute_records; r->record; r++) {
        size_t offset = (size_t)((uintptr_t)address - (uintptr_t)r->record);
        if (offset >= 512) {
            continue;
        }
        char what[64];
        if (offset < sizeof r->record->hazards) {
            name_pointer(value, what, sizeof what);
            snprintf(name, size, "%s hazard %zu: %s", r->name, offset / 8, what);
        } else {
            snprintf(name, size, "%s %s", r->name,
                     offset == offsetof(struct lfset__thread, in_use) ? "in_use" : "retired");
        }
        return true;
    }
    return false;
}

static void name_in_block(const struct arena_block *block, size_t offset, uint64_t value,
                          char *name, size_t size)
{
    const char *freed = block->freed_by ? " (freed)" : "";
    if (block->align == LFSET__LINE) {
        snprintf(name, size, "another set, +%zu", offset);
    } else if (objects_number(block->start) >= 0) {
        snprintf(name, size, "object %d%s", objects_number(block->start), freed);
    } else if (offset == offsetof(struct lfset__node, references)) {
        snprintf(name, size, "node or snapshot %p: references %u%s", (const void *)block->start,
                 (unsigned)value, freed);
    } else {
        snprintf(name, size, "node or snapshot %p +%zu%s", (const void *)block->start, offset,
                 freed);
    }
}

static void name_address(const struct sched_event *event, char *name, size_t size)
{
    static const struct {
        const struct lfset__account *account;
        const char *name;
    } accounts[] = {{&lfset__hp_account, "HP"}, {&lfset__rcu_account, "RCU"}};
    const struct arena_block *block = arena_find(event->address);
    if (!event->address) {
        snprintf(name, size, "fence");
    } else if (block) {
        size_t offset = (size_t)((const volatile char *)event->address - block->start);
        if (is_slice(block)) {
            name_in_slice(block, offset, event->value, name, size);
        } else if (block == &arena_blocks[1]) {
            char what[64];
            const char *field = field_at(set_fields, offset);
            if (strcmp(field, "root") == 0) {
                name_pointer(event->value, what, sizeof what);
            } else {
                snprintf(what, sizeof what, "%#llx", (unsigned long long)event->value);
            }
            snprintf(name, size, "%s: %s", field, what);
        } else {
            name_in_block(block, offset, event->value, name, size);
        }
    } else if (!name_in_record(event->address, event->value, name, size)) {
        for (int i = 0; i < 2; i++) {
            size_t offset = (size_t)((uintptr_t)event->address - (uintptr_t)accounts[i].account);
            if (offset < sizeof(struct lfset__account)) {
                snprintf(name, size, "%s account +%zu", accounts[i].name, offset);
                return;
            }
        }
        snprintf(name, size, "outside of the set");
    }
}

void trace_name(struct sched_event *event)
{
    char name[192];
    name_address(event, name, sizeof name);
    event->note = strdup(name);
}

static void print_event(const struct sched_event *event, FILE *file)
{
    static const char *const kinds[] = {"load", "store", "rmw", "fence", "spin", "plain"};
    const char *text = event->note ? event->note : "", *thread = sched_thread_name(event->thread);
    if (event->kind == SCHED_EVENT_NOTE) {
        fprintf(file, "%-9s %s\n", thread, text);
    } else {
        fprintf(file, "%-9s   %-5s %-60s %s\n", thread, kinds[event->access], text,
                place_of(event->pc));
    }
}

/* How many of the events are the same few accesses again and again, as a loop makes them. */
static size_t loop_length(const struct sched_event *events, size_t count, size_t period)
{
    size_t length = 0;
    while (length < count && events[length].kind == SCHED_EVENT_ACCESS &&
           (length < period || events[length].pc == events[length - period].pc)) {
        length++;
    }
    return length - length % period;
}

/* What one thread did without being left. */
static void print_segment(const struct sched_event *events, size_t count, bool abbreviate,
                          FILE *file)
{
    for (size_t i = 0; i < count;) {
        size_t period = 1, length = loop_length(events + i, count - i, 1);
        while (length < LOOP_LEAST && period < LOOP_PERIOD) {
            length = loop_length(events + i, count - i, ++period);
        }
        bool cut = abbreviate && length >= LOOP_LEAST;
        size_t shown = cut ? period : 1;
        for (size_t j = 0; j < shown; j++) {
            print_event(&events[i + j], file);
        }
        if (cut) {
            fprintf(file, "%-9s   ... %zu more of these\n", sched_thread_name(events[i].thread),
                    length - 2 * period);
            for (size_t j = length - period; j < length; j++) {
                print_event(&events[i + j], file);
            }
        }
        i += cut ? length : 1;
    }
}

void trace_print(FILE *file, bool abbreviate)
{
    const struct sched_event *events = sched_result.events;
    size_t count = sched_result.event_count;
    size_t first = abbreviate && count > EVENTS_MOST ? count - EVENTS_MOST : 0;
    find_places(events, count);
    if (first > 0) {
        fprintf(file, "... %zu accesses before\n", first);
    }
    for (size_t i = first; i < count;) {
        size_t end = i;
        while (end < count && events[end].thread == events[i].thread) {
            end++;
        }
        print_segment(&events[i], end - i, abbreviate, file);
        i = end;
        if (i < count) {
            fprintf(file, "---- to %s\n", sched_thread_name(events[i].thread));
        }
    }
    forget_places();
}

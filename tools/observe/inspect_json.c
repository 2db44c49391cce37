// SPDX-License-Identifier: MIT
// lfset inspect for programs: the observation as the library writes it, and what two looks and names of
// functions add.
#define _GNU_SOURCE
#include "inspect.h"

#include "show.h"
#include "target.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *text_json(const char *text)
{
    char copy[512];
    snprintf(copy, sizeof copy, "%s", text);
    show_safe(copy);
    return json_string(copy);
}

static void append_name(const char *name, void *ctx)
{
    json_array_append_new(ctx, text_json(name));
}

static json_t *stack_json(const struct inspection *inspection, unsigned stack)
{
    json_t *list = json_array();
    frames_each(inspection->frames, stack, append_name, list);
    return list;
}

// What the library tells of all; of its sets only those asked for.
static json_t *observation_json(const struct inspection *inspection)
{
    char *text = NULL;
    size_t length;
    FILE *memory = open_memstream(&text, &length);
    if (!memory)
        return NULL;
    int error = lfset_observation_json(inspection->now, memory);
    error = fclose(memory) != 0 || error;
    json_t *all = error ? NULL : json_loadb(text, length, 0, NULL);
    free(text);
    json_t *sets = json_object_get(all, "sets");
    for (size_t i = json_array_size(sets); i-- > 0;) {
        json_int_t id = json_integer_value(json_object_get(json_array_get(sets, i), "id"));
        if (!inspection_wants_id(inspection, (uint64_t)id))
            json_array_remove(sets, i);
    }
    return all;
}

static json_t *rates_json(const struct inspection *inspection)
{
    json_t *list = json_array();
    for (size_t i = 0; i < inspection->now->set_count; i++) {
        const struct lfset_set_seen *set = &inspection->now->sets[i];
        if (!inspection_wants(inspection, set))
            continue;
        struct rates rates = rates_between(inspection->before, inspection->now, set);
        json_array_append_new(
            list,
            json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "id",
                      (json_int_t)set->id, "name", text_json(set->name), "keys", number(rates.keys),
                      "bytes", number(rates.bytes), "adds", number(rates.adds), "adds_present",
                      number(rates.adds_present), "removes", number(rates.removes),
                      "removes_absent", number(rates.removes_absent), "hits", number(rates.hits),
                      "misses", number(rates.misses), "created_by",
                      stack_json(inspection, set->created_stack)));
    }
    return list;
}

static json_t *hazards_json(const struct holder *holder)
{
    json_t *list = json_array();
    for (int i = 0; i < HOLDER_HAZARDS; i++) {
        const struct held *held = &holder->hazards[i];
        if (held->address)
            json_array_append_new(
                list, json_pack("{s:I, s:b, s:o, s:I}", "address", (json_int_t)held->address,
                                "retired", held->retired != NULL, "set_id",
                                held->set ? json_integer((json_int_t)held->set->id) : json_null(),
                                "since_ns", (json_int_t)held->since_ns));
    }
    return list;
}

static json_t *now_at_json(const struct inspection *inspection, int tid)
{
    char *text = NULL, *rest;
    size_t length;
    FILE *memory = inspection->stacks_of ? open_memstream(&text, &length) : NULL;
    if (!memory)
        return json_null();
    inspect_thread_stack(inspection->stacks_of, tid, 0, memory);
    fclose(memory);
    json_t *list = json_array();
    for (const char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        json_array_append_new(list, text_json(line));
    free(text);
    return list;
}

static json_t *holders_json(const struct inspection *inspection)
{
    json_t *list = json_array();
    for (size_t i = 0; i < inspection->holder_count; i++) {
        const struct holder *holder = &inspection->holders[i];
        const struct lfset_thread_seen *thread = holder->thread;
        json_t *entered =
            thread->section_stack ? stack_json(inspection, thread->section_stack)
            : thread->section_site
                ? json_pack("[o]", text_json(frame_name(inspection->frames, thread->section_site)))
                : json_array();
        json_array_append_new(
            list,
            json_pack("{s:i, s:o, s:b, s:b, s:b, s:o, s:I, s:I, s:o, s:o, s:o}", "tid", thread->tid,
                      "thread", text_json(thread->name), "in_section", (int)holder->in_section,
                      "reading", thread->reading, "stalled", thread->stalled, "seconds_at_least",
                      holder->since_ns ? json_real(holder->seconds) : json_null(),
                      "objects_held_back", (json_int_t)holder->objects, "bytes_held_back",
                      (json_int_t)holder->bytes, "entered_by", entered, "hazards",
                      hazards_json(holder), "now_at", now_at_json(inspection, thread->tid)));
    }
    return list;
}

int inspect_json(const struct inspection *inspection, FILE *out)
{
    const struct lfset_observation *now = inspection->now, *before = inspection->before;
    json_t *all =
        json_pack("{s:o, s:f, s:b, s:o, s:o}", "observation", observation_json(inspection),
                  "interval_seconds", target_since(now->time_ns, before->time_ns), "stopped",
                  (int)inspection->stopped, "rates", rates_json(inspection), "holders",
                  holders_json(inspection));
    int failed = !all || json_dumpf(all, out, JSON_INDENT(2)) != 0 || fputc('\n', out) == EOF;
    json_decref(all);
    return failed ? -1 : 0;
}

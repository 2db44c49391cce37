// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "gate.h"

#include "target.h"

#include <stdlib.h>
#include <string.h>

#define BASELINE_FORMAT "lfset gate baseline 1"

const char *const gate_figure_names[GATE_FIGURES] = {"sets", "keys", "bytes"};

static void *must(void *memory)
{
    if (!memory) {
        perror("lfset gate");
        exit(TOOL_CANNOT);
    }
    return memory;
}

void gate_run_free(struct gate_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        free(run->names[i].name);
    free(run->names);
    *run = (struct gate_run){0};
}

const struct gate_name *gate_run_find(const struct gate_run *run, const char *name)
{
    for (size_t i = 0; i < run->count; i++)
        if (strcmp(run->names[i].name, name) == 0)
            return &run->names[i];
    return NULL;
}

static struct gate_name *find_or_add(struct gate_run *run, const char *name)
{
    const struct gate_name *found = gate_run_find(run, name);
    if (found)
        return &run->names[found - run->names];
    run->names = must(realloc(run->names, (run->count + 1) * sizeof *run->names));
    struct gate_name *added = &run->names[run->count++];
    *added = (struct gate_name){.name = must(strdup(name))};
    return added;
}

void gate_run_begin(struct gate_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        memset(run->names[i].now, 0, sizeof run->names[i].now);
}

void gate_run_end(struct gate_run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        struct gate_name *name = &run->names[i];
        for (int figure = 0; figure < GATE_FIGURES; figure++)
            if (name->now[figure] > name->most[figure])
                name->most[figure] = name->now[figure];
    }
}

static void add_set(struct gate_run *run, const char *name, uint64_t keys, uint64_t bytes)
{
    struct gate_name *sum = find_or_add(run, name);
    sum->now[GATE_SETS]++;
    sum->now[GATE_KEYS] += keys;
    sum->now[GATE_BYTES] += bytes;
}

// The watcher may have seen more than there is now.
void gate_run_add(struct gate_run *run, const struct lfset_observation *seen)
{
    for (size_t i = 0; i < seen->set_count; i++) {
        const struct lfset_set_seen *set = &seen->sets[i];
        uint64_t keys = set->live, bytes = set->bytes;
        for (unsigned look = 0; look < set->history_count; look++) {
            keys = set->history[look].live > keys ? set->history[look].live : keys;
            bytes = set->history[look].bytes > bytes ? set->history[look].bytes : bytes;
        }
        add_set(run, set->name, keys, bytes);
    }
}

// ---------------------------------------------------------------- JSON

static const char *read_baseline(struct gate_run *run, const json_t *sets)
{
    const char *name;
    json_t *set;
    json_object_foreach((json_t *)(uintptr_t)sets, name, set)
    {
        if (find_or_add(run, name)->most[GATE_SETS])
            return "a set is in it twice";
        for (int figure = 0; figure < GATE_FIGURES; figure++) {
            const json_t *value = json_object_get(set, gate_figure_names[figure]);
            if (!json_is_integer(value) || json_integer_value(value) < 0)
                return "a set lacks \"sets\", \"keys\" or \"bytes\", or they are no numbers";
            find_or_add(run, name)->most[figure] = (uint64_t)json_integer_value(value);
        }
    }
    return NULL;
}

static uint64_t most_of(const json_t *set, const char *member)
{
    json_int_t most = json_integer_value(json_object_get(set, member));
    size_t i;
    json_t *look;
    json_array_foreach(json_object_get(set, "history"), i, look)
    {
        json_int_t then = json_integer_value(json_object_get(look, member));
        most = then > most ? then : most;
    }
    return most > 0 ? (uint64_t)most : 0;
}

static const char *read_observation(struct gate_run *run, const json_t *sets)
{
    size_t i;
    json_t *set;
    gate_run_begin(run);
    json_array_foreach(sets, i, set)
    {
        const char *name = json_string_value(json_object_get(set, "name"));
        if (!name || !json_is_integer(json_object_get(set, "live")) ||
            !json_is_integer(json_object_get(set, "bytes")))
            return "a set lacks \"name\", \"live\" or \"bytes\"";
        add_set(run, name, most_of(set, "live"), most_of(set, "bytes"));
    }
    gate_run_end(run);
    return NULL;
}

const char *gate_run_read(struct gate_run *run, const json_t *json)
{
    const char *format = json_string_value(json_object_get(json, "format"));
    const json_t *sets = json_object_get(json, "sets");
    if (format && strcmp(format, BASELINE_FORMAT) == 0 && json_is_object(sets))
        return read_baseline(run, sets);
    if (format && strncmp(format, "lfset observation ", 18) == 0 && json_is_array(sets))
        return read_observation(run, sets);
    return "this is neither a baseline (\"format\": \"" BASELINE_FORMAT
           "\") nor an observation of this version";
}

json_t *gate_run_json(const struct gate_run *run)
{
    json_t *sets = json_object();
    json_t *json = json_pack("{s:s, s:o}", "format", BASELINE_FORMAT, "sets", sets);
    for (size_t i = 0; json && i < run->count; i++) {
        json_t *set = json_object();
        for (int figure = 0; figure < GATE_FIGURES; figure++)
            json_object_set_new(set, gate_figure_names[figure],
                                json_integer((json_int_t)run->names[i].most[figure]));
        if (json_object_set_new(sets, run->names[i].name, set) != 0) {
            json_decref(json);
            return NULL;
        }
    }
    return json;
}

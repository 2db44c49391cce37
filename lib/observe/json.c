// SPDX-License-Identifier: MIT
/**
 * @file json.c
 * An observation as JSON. What is not known, not counted or not asked for is absent, not zero.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "lfset/observation.h"
#include "observe/event.h"
#include "observe/keep.h"
#include "observe/names.h"

/* ---- members; each takes over what it is given, and a missing value (no memory) fails the whole ---- */

struct writer {
    bool failed;
};

static void put(struct writer *writer, json_t *object, const char *key, json_t *value)
{
    if (!value || json_object_set_new(object, key, value) != 0) {
        writer->failed = true;
    }
}

static void put_number(struct writer *writer, json_t *object, const char *key, uint64_t value)
{
    // JSON integers of jansson have a sign
    put(writer, object, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value));
}

static void put_limit(struct writer *writer, json_t *object, const char *key, uint64_t value)
{
    if (value) {
        put_number(writer, object, key, value);
    }
}

static void put_real(struct writer *writer, json_t *object, const char *key, double value)
{
    if (isfinite(value)) {
        put(writer, object, key, json_real(value));
    }
}

static void put_seconds(struct writer *writer, json_t *object, const char *key, uint64_t later,
                        uint64_t earlier)
{
    put_real(writer, object, key, later > earlier ? (double)(later - earlier) * 1e-9 : 0);
}

static void put_text(struct writer *writer, json_t *object, const char *key, const char *text)
{
    char *clean = lfset__utf8_copy(text);
    put(writer, object, key, clean ? json_string_nocheck(clean) : NULL);
    free(clean);
}

static void put_flag(struct writer *writer, json_t *object, const char *key, int value)
{
    put(writer, object, key, json_boolean(value));
}

/* Addresses and fingerprints may need all 64 bits, which many readers of JSON do not have. */
static json_t *hexadecimal(uint64_t value)
{
    return json_sprintf("0x%" PRIx64, value);
}

static json_t *put_object(struct writer *writer, json_t *object, const char *key)
{
    json_t *inner = json_object();
    put(writer, object, key, inner);
    return writer->failed ? NULL : inner;
}

/* ---- a set ----------------------------------------------------------------------------------------- */

static void put_counts(struct writer *writer, json_t *json, const struct lfset_set_seen *set)
{
    put_number(writer, json, "adds", set->adds);
    put_number(writer, json, "adds_present", set->adds_present);
    put_number(writer, json, "removes", set->removes);
    put_number(writer, json, "removes_absent", set->removes_absent);
    put_number(writer, json, "hits", set->hits);
    put_number(writer, json, "misses", set->misses);
    put_number(writer, json, "refused", set->refused);
}

static void put_guard(struct writer *writer, json_t *json, const struct lfset_set_seen *set)
{
    json_t *guard = put_object(writer, json, "guard");
    if (!guard) {
        return;
    }
    put_text(writer, guard, "strategy", lfset__strategy_name(set->strategy));
    put_limit(writer, guard, "max_keys", set->max_keys);
    put_limit(writer, guard, "max_bytes", set->max_bytes);
    put_limit(writer, guard, "max_rate", set->max_rate);
    put_limit(writer, guard, "idle_timeout_ns", set->idle_timeout_ns);
    put_limit(writer, guard, "expiry_ns", set->expiry_ns);
    put_flag(writer, guard, "refusing", set->refusing);
}

static void put_forecast(struct writer *writer, json_t *json, const struct lfset_set_seen *set)
{
    json_t *forecast = put_object(writer, json, "forecast");
    if (!forecast) {
        return;
    }
    put_real(writer, forecast, "keys_per_second", set->slope);
    put_real(writer, forecast, "seconds_to_limit", set->to_limit);
    put_real(writer, forecast, "confidence", set->confidence);
}

static void put_history(struct writer *writer, json_t *json, const struct lfset_set_seen *set)
{
    json_t *history = json_array();
    put(writer, json, "history", history);
    for (unsigned i = 0; i < set->history_count && !writer->failed; i++) {
        const struct lfset_look *look = &set->history[i];
        json_t *item = json_object();
        if (!item || json_array_append_new(history, item) != 0) {
            writer->failed = true;
            return;
        }
        put_number(writer, item, "time_ns", look->time_ns);
        put_number(writer, item, "live", look->live);
        put_number(writer, item, "bytes", look->bytes);
    }
}

static void put_probes(struct writer *writer, json_t *json, const struct lfset_set_seen *set)
{
    json_t *lengths = json_array();
    put_number(writer, json, "probed_ns", set->probed_ns);
    put(writer, json, "probe_lengths", lengths);
    for (int i = 0; i < 16 && !writer->failed; i++) {
        writer->failed =
            json_array_append_new(lengths, json_integer((json_int_t)set->probe_lengths[i])) != 0;
    }
}

static void set_fill(struct writer *writer, json_t *json, const struct lfset_observation *seen,
                     size_t index)
{
    const struct lfset_set_seen *set = &seen->sets[index];
    put_number(writer, json, "id", set->id);
    put_text(writer, json, "name", set->name);
    put_text(writer, json, "kind", lfset__kind_name(set->kind));
    put_text(writer, json, "domain", lfset__domain_name(set->domain));
    put_flag(writer, json, "counted", set->counted);
    put_limit(writer, json, "profile_rate", set->profile_rate);
    put_limit(writer, json, "created_stack", set->created_stack);
    put_number(writer, json, "created_ns", set->created_ns);
    put_number(writer, json, "changed_ns", set->changed_ns);
    put_seconds(writer, json, "age_seconds", seen->time_ns, set->created_ns);
    put_seconds(writer, json, "idle_seconds", seen->time_ns, set->changed_ns);
    put_number(writer, json, "capacity", set->capacity);
    put_number(writer, json, "bound", set->bound);
    put_number(writer, json, "live", set->live);
    put_number(writer, json, "dead", set->dead);
    put_number(writer, json, "bytes", set->bytes);
    put_number(writer, json, "slice_bytes", set->slice_bytes);
    put_number(writer, json, "key_bytes", set->key_bytes);
    put_number(writer, json, "dead_bytes", set->dead_bytes);
    put_number(writer, json, "retired_bytes", set->retired_bytes);
    put_number(writer, json, "retired", set->retired);
    if (set->counted) {
        put_counts(writer, json, set);
    }
    put_number(writer, json, "cleared", set->cleared);
    put_number(writer, json, "evicted", set->evicted);
    put_number(writer, json, "expired", set->expired);
    put_number(writer, json, "grows", set->grows);
    put_number(writer, json, "purges", set->purges);
    put_number(writer, json, "shrinks", set->shrinks);
    put_number(writer, json, "rehashes", set->rehashes);
    put_number(writer, json, "snapshots", set->snapshots);
    put_number(writer, json, "clears", set->clears);
    if (set->migration_chunks) {
        put_number(writer, json, "migration_chunks", set->migration_chunks);
        put_number(writer, json, "migration_done", set->migration_done);
    }
    if (set->oldest_reader_ns) {
        put_real(writer, json, "oldest_reader_seconds", (double)set->oldest_reader_ns * 1e-9);
    }
    put(writer, json, "root", hexadecimal(set->root));
    if (set->guarded || set->expiry_ns) {
        put_guard(writer, json, set);
    }
    if (set->history_count) {
        put_forecast(writer, json, set);
        put_history(writer, json, set);
    }
    if (set->probed_ns) {
        put_probes(writer, json, set);
    }
}

/* ---- what else there is ---------------------------------------------------------------------------- */

static void thread_fill(struct writer *writer, json_t *json, const struct lfset_observation *seen,
                        size_t index)
{
    const struct lfset_thread_seen *thread = &seen->threads[index];
    put_number(writer, json, "id", thread->id);
    put(writer, json, "tid", json_integer(thread->tid));
    put_text(writer, json, "name", thread->name);
    put_number(writer, json, "attached_ns", thread->attached_ns);
    put_flag(writer, json, "in_section", thread->in_section);
    put_flag(writer, json, "reading", thread->reading);
    put_flag(writer, json, "stalled", thread->stalled);
    if (thread->section_since_ns) {
        put_number(writer, json, "section_since_ns", thread->section_since_ns);
        put_seconds(writer, json, "section_seconds", seen->time_ns, thread->section_since_ns);
    }
    if (thread->section_site) {
        put(writer, json, "section_site", hexadecimal(thread->section_site));
    }
    put_limit(writer, json, "section_stack", thread->section_stack);
    json_t *hazards = json_array();
    put(writer, json, "hazards", hazards);
    for (int i = 0; i < 4 && !writer->failed; i++) {
        json_t *hazard = thread->hazards[i] ? json_object() : NULL;
        if (!thread->hazards[i]) {
            continue;
        }
        if (!hazard || json_array_append_new(hazards, hazard) != 0) {
            writer->failed = true;
            return;
        }
        put(writer, hazard, "address", hexadecimal(thread->hazards[i]));
        put_limit(writer, hazard, "since_ns", thread->hazard_since_ns[i]);
    }
}

static void retired_fill(struct writer *writer, json_t *json, const struct lfset_observation *seen,
                         size_t index)
{
    const struct lfset_retired_seen *retired = &seen->retired[index];
    put(writer, json, "address", hexadecimal(retired->address));
    put_number(writer, json, "bytes", retired->bytes);
    put_number(writer, json, "set_id", retired->set_id);
    put_number(writer, json, "retired_ns", retired->retired_ns);
    put_text(writer, json, "domain", lfset__domain_name(retired->domain));
    put_text(writer, json, "holder", lfset__holder_name(retired->holder));
    put_limit(writer, json, "stack", retired->stack);
    put_limit(writer, json, "tid", (uint64_t)(retired->tid > 0 ? retired->tid : 0));
}

static void sample_fill(struct writer *writer, json_t *json, const struct lfset_observation *seen,
                        size_t index)
{
    const struct lfset_sample_seen *sample = &seen->samples[index];
    put_number(writer, json, "set_id", sample->set_id);
    put(writer, json, "key", hexadecimal(sample->key));
    put_number(writer, json, "bytes", sample->bytes);
    put_number(writer, json, "added_ns", sample->added_ns);
    put_limit(writer, json, "stack", sample->stack);
}

static void module_fill(struct writer *writer, json_t *json, const struct lfset_observation *seen,
                        size_t index)
{
    const struct lfset_module_seen *module = &seen->modules[index];
    put_text(writer, json, "path", module->path);
    put(writer, json, "base", hexadecimal(module->base));
    put(writer, json, "begin", hexadecimal(module->begin));
    put(writer, json, "end", hexadecimal(module->end));
}

static void put_all(struct writer *writer, json_t *json, const char *key,
                    const struct lfset_observation *seen, size_t count,
                    void (*fill)(struct writer *, json_t *, const struct lfset_observation *,
                                 size_t))
{
    json_t *array = json_array();
    put(writer, json, key, array);
    for (size_t i = 0; i < count && !writer->failed; i++) {
        json_t *item = json_object();
        if (!item || json_array_append_new(array, item) != 0) {
            writer->failed = true;
            return;
        }
        fill(writer, item, seen, i);
    }
}

static void put_events(struct writer *writer, json_t *json, const struct lfset_observation *seen)
{
    json_t *events = json_array();
    put(writer, json, "events", events);
    for (size_t i = 0; i < seen->event_count && !writer->failed; i++) {
        writer->failed = json_array_append_new(events, lfset__event_json(&seen->events[i])) != 0;
    }
}

/* By index, as others refer to them. */
static void put_stacks(struct writer *writer, json_t *json, const struct lfset_observation *seen)
{
    json_t *stacks = put_object(writer, json, "stacks");
    for (unsigned i = 1; i < lfset__stacks_end(seen) && !writer->failed; i++) {
        const uint64_t *frames;
        unsigned depth = lfset_observation_stack(seen, i, &frames);
        if (depth == 0) {
            continue;
        }
        char key[16];
        snprintf(key, sizeof key, "%u", i);
        json_t *array = json_array();
        put(writer, stacks, key, array);
        for (unsigned k = 0; k < depth && !writer->failed; k++) {
            writer->failed = json_array_append_new(array, hexadecimal(frames[k])) != 0;
        }
    }
}

static void put_domain(struct writer *writer, json_t *json, const struct lfset_observation *seen,
                       enum lfset_domain domain)
{
    json_t *object = put_object(writer, json, lfset__domain_name(domain));
    if (object) {
        put_number(writer, object, "garbage_objects", seen->garbage_objects[domain]);
        put_number(writer, object, "garbage_bytes", seen->garbage_bytes[domain]);
        put_number(writer, object, "reclaimed_objects", seen->reclaimed_objects[domain]);
    }
}

static void put_watcher(struct writer *writer, json_t *json, const struct lfset_observation *seen)
{
    json_t *watcher = seen->watcher_period_ns ? put_object(writer, json, "watcher") : NULL;
    if (watcher) {
        put_number(writer, watcher, "period_ns", seen->watcher_period_ns);
        put_number(writer, watcher, "looked_ns", seen->watcher_looked_ns);
        put_number(writer, watcher, "stall_ns", seen->stall_ns);
    }
}

static void fill(struct writer *writer, json_t *json, const struct lfset_observation *seen)
{
    put_text(writer, json, "format", "lfset observation 1");
    put(writer, json, "pid", json_integer(seen->pid));
    put_text(writer, json, "program", seen->program);
    put_text(writer, json, "library_version", seen->library_version);
    put_flag(writer, json, "alive", seen->alive);
    put_number(writer, json, "time_ns", seen->time_ns);
    put_number(writer, json, "realtime_ns", seen->time_ns + seen->realtime_minus_ns);
    put_number(writer, json, "started_ns", seen->started_ns);
    put_all(writer, json, "sets", seen, seen->set_count, set_fill);
    put_all(writer, json, "threads", seen, seen->thread_count, thread_fill);
    put_all(writer, json, "retired", seen, seen->retired_count, retired_fill);
    json_t *domains = put_object(writer, json, "domains");
    if (domains) {
        put_domain(writer, domains, seen, LFSET_RCU);
        put_domain(writer, domains, seen, LFSET_HP);
    }
    put_watcher(writer, json, seen);
    put_number(writer, json, "stalls", seen->stalls);
    put_number(writer, json, "events_total", seen->events_total);
    put_events(writer, json, seen);
    json_t *lost = put_object(writer, json, "lost");
    if (lost) {
        put_number(writer, lost, "sets_unlisted", seen->sets_unlisted);
        put_number(writer, lost, "threads_unlisted", seen->threads_unlisted);
        put_number(writer, lost, "retired_unlisted", seen->retired_unlisted);
        put_number(writer, lost, "stacks_lost", seen->stacks_lost);
        put_number(writer, lost, "samples_lost", seen->samples_lost);
    }
    put_all(writer, json, "samples", seen, seen->sample_count, sample_fill);
    put_stacks(writer, json, seen);
    put_all(writer, json, "modules", seen, seen->module_count, module_fill);
}

int lfset_observation_json(const struct lfset_observation *seen, FILE *out)
{
    if (!seen || !out) {
        return -EINVAL;
    }
    struct writer writer = {false};
    json_t *json = json_object();
    if (json) {
        fill(&writer, json, seen);
    }
    int error = !json || writer.failed ? -ENOMEM : 0;
    if (!error && (json_dumpf(json, out, JSON_INDENT(1)) != 0 || fputc('\n', out) == EOF ||
                   fflush(out) != 0)) {
        error = -EIO;
    }
    json_decref(json);
    return error;
}

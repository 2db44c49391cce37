// SPDX-License-Identifier: MIT
// lfset inspect for people.
#define _GNU_SOURCE
#include "inspect.h"

#include "show.h"
#include "target.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DETAILED_MOST = 8, EVENTS_MOST = 20 };

// ---------------------------------------------------------------- the process

static void put_not_fitting(const struct lfset_observation *now, FILE *out)
{
    const struct {
        uint64_t count;
        const char *what;
    } lost[] = {
        {now->sets_unlisted, "sets"},           {now->stacks_lost, "stacks"},
        {now->threads_unlisted, "threads"},     {now->retired_unlisted, "retired objects"},
        {now->samples_lost, "samples of keys"},
    };
    for (size_t i = 0; i < sizeof lost / sizeof *lost; i++)
        if (lost[i].count)
            fprintf(out, "  not listed, for lack of room in the registry: %" PRIu64 " %s\n",
                    lost[i].count, lost[i].what);
}

static void put_process(const struct inspection *inspection, FILE *out)
{
    const struct lfset_observation *now = inspection->now;
    char program[256];
    snprintf(program, sizeof program, "%s", now->program);
    show_safe(program);
    fprintf(out, "process %d, %s: ", now->pid, program);
    fputs(inspection->is_file   ? "from a file"
          : !now->alive         ? "ENDED; this is its last state"
          : inspection->stopped ? "stopped"
                                : "running",
          out);
    fprintf(out, "; lfset %s; %s since its first set\n", now->library_version,
            show_seconds(target_since(target_moment(now), now->started_ns)).text);
    if (now->watcher_period_ns)
        fprintf(out,
                "  watcher: every %s, looked %s ago, a stall is %s; %" PRIu64 " stalls so far\n",
                show_ns(now->watcher_period_ns).text,
                show_seconds(target_since(target_moment(now), now->watcher_looked_ns)).text,
                show_ns(now->stall_ns).text, now->stalls);
    else
        fprintf(out, "  no watcher: no curve, guard, forecast or report of stalls\n");
    for (int domain = 0; domain < 2; domain++)
        fprintf(out, "  %-3s: %s in %" PRIu64 " objects retired and not freed, %s objects freed\n",
                show_domain((enum lfset_domain)domain), show_bytes(now->garbage_bytes[domain]).text,
                now->garbage_objects[domain], show_count(now->reclaimed_objects[domain]).text);
    put_not_fitting(now, out);
}

static void put_table(const struct inspection *inspection, const struct lfset_set_seen **sets,
                      FILE *out)
{
    fprintf(out, "\n%-28s %6s %-6s %-3s %9s %8s %8s %8s %9s %9s %9s\n", "SET", "ID", "KIND", "DOM",
            "KEYS", "+KEYS/s", "ADDS/s", "READS/s", "BYTES", "RETIRED", "AGE");
    for (size_t i = 0; i < inspection->now->set_count; i++) {
        const struct lfset_set_seen *set = sets[i];
        if (!inspection_wants(inspection, set))
            continue;
        struct rates rates = rates_between(inspection->before, inspection->now, set);
        fprintf(out, "%-28s %6" PRIu64 " %-6s %-3s %9s %8s %8s %8s %9s %9s %9s\n",
                show_set(set).text, set->id, show_kind(set->kind), show_domain(set->domain),
                show_count(set->live).text, show_rate(rates.keys).text, show_rate(rates.adds).text,
                show_rate(rates.hits + rates.misses).text, show_bytes(set->bytes).text,
                show_bytes(set->retired_bytes).text,
                show_seconds(target_since(target_moment(inspection->now), set->created_ns)).text);
    }
}

// ---------------------------------------------------------------- a set

static void put_counter(const char *name, uint64_t total, double rate, FILE *out)
{
    fprintf(out, "    %-26s %14" PRIu64 " %9s/s\n", name, total, show_rate(rate).text);
}

static void put_counters(const struct lfset_set_seen *set, const struct rates *rates, FILE *out)
{
    if (!set->counted) {
        fprintf(out, "  operations: not counted (ask with LFSET_OBSERVE_COUNTS)\n");
        return;
    }
    fprintf(out, "  operations\n");
    put_counter("added", set->adds, rates->adds, out);
    put_counter("add found it there", set->adds_present, rates->adds_present, out);
    put_counter("removed", set->removes, rates->removes, out);
    put_counter("remove found nothing", set->removes_absent, rates->removes_absent, out);
    put_counter("contains: hits", set->hits, rates->hits, out);
    put_counter("contains: misses", set->misses, rates->misses, out);
}

static void put_guard(const struct lfset_set_seen *set, FILE *out)
{
    if (!set->guarded && !set->max_keys && !set->max_bytes && !set->max_rate &&
        !set->idle_timeout_ns && !set->expiry_ns) {
        fprintf(out, "  guard: none: nothing bounds this set\n");
        return;
    }
    fprintf(out, "  guard: strategy %s", show_strategy(set->strategy));
    if (set->max_keys)
        fprintf(out, "; at most %" PRIu64 " keys (now %.0f %%)", set->max_keys,
                100 * (double)set->live / (double)set->max_keys);
    if (set->max_bytes)
        fprintf(out, "; at most %s bytes (now %.0f %%)", show_bytes(set->max_bytes).text,
                100 * (double)set->bytes / (double)set->max_bytes);
    if (set->max_rate)
        fprintf(out, "; at most %s keys/s more", show_rate((double)set->max_rate).text);
    if (set->idle_timeout_ns)
        fprintf(out, "; idle after %s", show_ns(set->idle_timeout_ns).text);
    if (set->expiry_ns)
        fprintf(out, "; keys expire after %s", show_ns(set->expiry_ns).text);
    fprintf(out,
            "\n    refused %" PRIu64 " adds, evicted %" PRIu64 " keys, expired %" PRIu64 "%s\n",
            set->refused, set->evicted, set->expired, set->refusing ? "; REFUSES ADDS NOW" : "");
}

static void put_forecast(const struct lfset_set_seen *set, FILE *out)
{
    if (!(set->confidence > 0))
        return;
    fprintf(out, "  forecast: %s%s keys/s, confidence %.0f %%; ", set->slope > 0 ? "+" : "",
            show_rate(set->slope).text, 100 * set->confidence);
    if (isfinite(set->to_limit))
        fprintf(out, "its limit in %s\n", show_seconds(set->to_limit).text);
    else
        fprintf(out, "no limit comes nearer\n");
}

static void put_curve(const struct inspection *inspection, const struct lfset_set_seen *set,
                      FILE *out)
{
    double keys[SPARKLINE_MOST], bytes[SPARKLINE_MOST];
    char line[3 * SPARKLINE_MOST + 1];
    unsigned count = set->history_count;
    if (count < 2)
        return;
    for (unsigned i = 0; i < count; i++) {
        keys[i] = (double)set->history[i].live;
        bytes[i] = (double)set->history[i].bytes;
    }
    double span = (double)(set->history[count - 1].time_ns - set->history[0].time_ns) * 1e-9;
    show_sparkline(line, keys, count, SPARKLINE_MOST, inspection->utf8);
    fprintf(out, "  the last %s\n    keys  %s %s\n", show_seconds(span).text, line,
            show_count(set->history[count - 1].live).text);
    show_sparkline(line, bytes, count, SPARKLINE_MOST, inspection->utf8);
    fprintf(out, "    bytes %s %s\n", line, show_bytes(set->history[count - 1].bytes).text);
}

static void put_probe_lengths(const struct inspection *inspection, const struct lfset_set_seen *set,
                              FILE *out)
{
    enum { BUCKETS = sizeof set->probe_lengths / sizeof *set->probe_lengths };
    uint64_t sum = 0, most = 0;
    int last = 0;
    for (int i = 0; i < BUCKETS; i++) {
        sum += set->probe_lengths[i];
        most = set->probe_lengths[i] > most ? set->probe_lengths[i] : most;
        last = set->probe_lengths[i] ? i : last;
    }
    if (set->probed_ns == 0 || sum == 0) {
        fprintf(out, "  probe lengths: not measured%s\n",
                inspection->now->watcher_period_ns ? "" : " (the watcher would)");
        return;
    }
    fprintf(out, "  probe lengths, in slots from home, %s ago\n",
            show_seconds(target_since(target_moment(inspection->now), set->probed_ns)).text);
    for (int i = 0; i <= last; i++) {
        char bar[3 * BAR_MOST + 1], range[48];
        uint64_t from = i ? UINT64_C(1) << (i - 1) : 0, to = i ? (UINT64_C(1) << i) - 1 : 0;
        if (i == BUCKETS - 1)
            snprintf(range, sizeof range, "%" PRIu64 "-", from);
        else if (from == to)
            snprintf(range, sizeof range, "%" PRIu64, from);
        else
            snprintf(range, sizeof range, "%" PRIu64 "-%" PRIu64, from, to);
        show_bar(bar, (double)set->probe_lengths[i] / (double)most, 40, inspection->utf8);
        fprintf(out, "    %11s %5.1f %% %10s %s\n", range,
                100 * (double)set->probe_lengths[i] / (double)sum,
                show_count(set->probe_lengths[i]).text, bar);
    }
}

static void put_set(const struct inspection *inspection, const struct lfset_set_seen *set,
                    FILE *out)
{
    struct rates rates = rates_between(inspection->before, inspection->now, set);
    uint64_t moment = target_moment(inspection->now);
    fprintf(out, "\nset %s, id %" PRIu64 ": %s, %s; created %s ago, changed %s ago\n",
            show_set(set).text, set->id, show_kind(set->kind), show_domain(set->domain),
            show_seconds(target_since(moment, set->created_ns)).text,
            show_seconds(target_since(moment, set->changed_ns)).text);
    fprintf(out,
            "  keys: %" PRIu64 " (%s), %s/s; %" PRIu64 " of %" PRIu64 " slots taken, %" PRIu64
            " by removed keys\n",
            set->live, set->counted ? "counted" : "estimate", show_rate(rates.keys).text,
            set->bound, set->capacity, set->dead);
    fprintf(out,
            "  bytes: %s = slices %s + keys %s + removed keys %s + retired %s (%" PRIu64
            " objects); %s/s\n",
            show_bytes(set->bytes).text, show_bytes(set->slice_bytes).text,
            show_bytes(set->key_bytes).text, show_bytes(set->dead_bytes).text,
            show_bytes(set->retired_bytes).text, set->retired, show_rate(rates.bytes).text);
    put_counters(set, &rates, out);
    fprintf(out,
            "  successions: %" PRIu64 " grown, %" PRIu64 " purged, %" PRIu64 " shrunk, %" PRIu64
            " rehashed; %" PRIu64 " snapshots, %" PRIu64 " clears (%" PRIu64 " keys)\n",
            set->grows, set->purges, set->shrinks, set->rehashes, set->snapshots, set->clears,
            set->cleared);
    if (set->migration_chunks)
        fprintf(out, "    one is under way: %" PRIu64 " of %" PRIu64 " chunks done\n",
                set->migration_done, set->migration_chunks);
    if (set->oldest_reader_ns)
        fprintf(out, "  oldest reader of its domain: %s\n", show_ns(set->oldest_reader_ns).text);
    put_guard(set, out);
    put_forecast(set, out);
    put_curve(inspection, set, out);
    put_probe_lengths(inspection, set, out);
    fprintf(out, "  created by\n");
    frames_print(inspection->frames, set->created_stack, 4, out);
}

static void put_sets(const struct inspection *inspection, FILE *out,
                     const struct lfset_set_seen **sets)
{
    size_t shown = 0, wanted = 0;
    put_table(inspection, sets, out);
    for (size_t i = 0; i < inspection->now->set_count; i++) {
        if (!inspection_wants(inspection, sets[i]))
            continue;
        if (++wanted > DETAILED_MOST && !inspection->set)
            continue;
        put_set(inspection, sets[i], out);
        shown++;
    }
    if (wanted > shown)
        fprintf(out, "\n(details of the %zu largest sets only; name one to see its own)\n", shown);
}

// ---------------------------------------------------------------- holders

static void put_hazard(const struct inspection *inspection, const struct held *held, FILE *out)
{
    uint64_t moment = target_moment(inspection->now);
    fprintf(out, "    hazard 0x%" PRIx64, held->address);
    if (held->set)
        fprintf(out, ", %s of %s", held->retired ? "retired from" : "the slice",
                show_set(held->set).text);
    if (held->retired)
        fprintf(out, ", %s, retired %s ago", show_bytes(held->retired->bytes).text,
                show_seconds(target_since(moment, held->retired->retired_ns)).text);
    if (held->since_ns)
        fprintf(out, ", held for %s", show_seconds(target_since(moment, held->since_ns)).text);
    fputc('\n', out);
}

static void put_holder(const struct inspection *inspection, const struct holder *holder, FILE *out)
{
    const struct lfset_thread_seen *thread = holder->thread;
    char name[64];
    snprintf(name, sizeof name, "%s", thread->name);
    show_safe(name);
    fprintf(out, "  thread %d (%s): ", thread->tid, name);
    if (holder->in_section && holder->since_ns)
        fprintf(out, "in one section for at least %s%s", show_seconds(holder->seconds).text,
                thread->stalled ? ", STALLED" : "");
    else if (holder->in_section)
        fputs("in a section", out);
    else if (thread->reading)
        fputs("in a read-side critical section of RCU", out);
    else
        fputs("holds hazards", out);
    if (holder->objects)
        fprintf(out, "; holds back %zu objects, %s", holder->objects,
                show_bytes(holder->bytes).text);
    fputc('\n', out);
    if (holder->in_section && thread->section_stack) {
        fprintf(out, "    entered by\n");
        frames_print(inspection->frames, thread->section_stack, 6, out);
    } else if (holder->in_section && thread->section_site) {
        fprintf(out, "    entered at %s\n", frame_name(inspection->frames, thread->section_site));
    }
    for (int i = 0; i < HOLDER_HAZARDS; i++)
        if (holder->hazards[i].address)
            put_hazard(inspection, &holder->hazards[i], out);
    if (inspection->stacks_of) {
        fprintf(out, "    is now at\n");
        inspect_thread_stack(inspection->stacks_of, thread->tid, 6, out);
    }
}

static void put_holders(const struct inspection *inspection, FILE *out)
{
    fprintf(out, "\nholders, of %zu threads attached\n", inspection->now->thread_count);
    if (inspection->holder_count == 0)
        fprintf(out, "  none: no thread is in a section or holds a hazard\n");
    for (size_t i = 0; i < inspection->holder_count; i++)
        put_holder(inspection, &inspection->holders[i], out);
}

// ---------------------------------------------------------------- what is retired

enum { AGES = 5 };
static const double age_limits[AGES] = {1, 10, 60, 600, INFINITY};
static const char *const age_names[AGES] = {"<1s", "<10s", "<1m", "<10m", "older"};

struct retired_row {
    uint64_t objects, bytes, by_age[AGES];
};

// Retired slices are told by set; what a snapshot or an iteration keeps, by who holds that.
static bool is_same_row(const struct lfset_retired_seen *a, const struct lfset_retired_seen *b)
{
    return a->set_id == b->set_id && a->domain == b->domain && a->holder == b->holder &&
           (a->holder == LFSET_HELD_BY_READERS || (a->stack == b->stack && a->tid == b->tid));
}

static bool is_first_of_row(const struct lfset_observation *now, size_t entry)
{
    for (size_t i = 0; i < entry; i++)
        if (is_same_row(&now->retired[i], &now->retired[entry]))
            return false;
    return true;
}

static void retired_count(const struct inspection *inspection,
                          const struct lfset_retired_seen *like, struct retired_row *row)
{
    uint64_t moment = target_moment(inspection->now);
    *row = (struct retired_row){0};
    for (size_t i = 0; i < inspection->now->retired_count; i++) {
        const struct lfset_retired_seen *retired = &inspection->now->retired[i];
        if (!is_same_row(retired, like))
            continue;
        int age = 0;
        while (target_since(moment, retired->retired_ns) >= age_limits[age])
            age++;
        row->objects++;
        row->bytes += retired->bytes;
        row->by_age[age]++;
    }
}

static void put_retired_row(const struct inspection *inspection,
                            const struct lfset_retired_seen *retired, FILE *out)
{
    const struct lfset_set_seen *set = lfset_observation_set(inspection->now, retired->set_id);
    struct retired_row row;
    retired_count(inspection, retired, &row);
    fprintf(out, "  %-28s %-3s %-9s %8" PRIu64 " %9s", set ? show_set(set).text : "(no listed set)",
            show_domain(retired->domain), show_holder(retired->holder), row.objects,
            show_bytes(row.bytes).text);
    for (int age = 0; age < AGES; age++)
        fprintf(out, " %6" PRIu64, row.by_age[age]);
    fputc('\n', out);
    if (retired->holder == LFSET_HELD_BY_READERS)
        return;
    fprintf(out, "    by thread %d\n", retired->tid);
    frames_print(inspection->frames, retired->stack, 6, out);
}

static void put_retired(const struct inspection *inspection, FILE *out)
{
    const struct lfset_observation *now = inspection->now;
    bool headed = false;
    for (size_t i = 0; i < now->retired_count; i++) {
        const struct lfset_retired_seen *retired = &now->retired[i];
        if (!inspection_wants_id(inspection, retired->set_id) || !is_first_of_row(now, i))
            continue;
        if (!headed) {
            fprintf(out, "\nno part of a set any more, and not freed\n  %-28s %-3s %-9s %8s %9s",
                    "SET", "DOM", "KEPT BY", "OBJECTS", "BYTES");
            for (int age = 0; age < AGES; age++)
                fprintf(out, " %6s", age_names[age]);
            fputc('\n', out);
            headed = true;
        }
        put_retired_row(inspection, retired, out);
    }
    if (!headed)
        fprintf(out, "\nretired and not freed: nothing\n");
}

// ---------------------------------------------------------------- events

static void put_events(const struct inspection *inspection, FILE *out)
{
    const struct lfset_observation *now = inspection->now;
    size_t wanted = 0, skip = 0;
    for (size_t i = 0; i < now->event_count; i++)
        wanted += inspection_wants_id(inspection, now->events[i].set_id);
    if (wanted == 0) {
        fprintf(out, "\nevents: none\n");
        return;
    }
    skip = wanted > EVENTS_MOST ? wanted - EVENTS_MOST : 0;
    fprintf(out, "\nevents, the last %zu of %" PRIu64 "\n", wanted - skip, now->events_total);
    for (size_t i = 0; i < now->event_count; i++) {
        const struct lfset_event *event = &now->events[i];
        char text[256];
        if (!inspection_wants_id(inspection, event->set_id))
            continue;
        if (skip > 0) {
            skip--;
            continue;
        }
        snprintf(text, sizeof text, "%s", event->text);
        show_safe(text);
        fprintf(out, "  %s %-7s %-12s %s\n", show_clock(event->time_ns).text,
                show_severity(event->severity), show_event_kind(event->kind), text);
        if (event->stack)
            frames_print(inspection->frames, event->stack, 8, out);
    }
}

int inspect_text(const struct inspection *inspection, FILE *out)
{
    const struct lfset_set_seen **sets = target_sets_by_bytes(inspection->now);
    if (!sets)
        return -1;
    put_process(inspection, out);
    put_sets(inspection, out, sets);
    put_holders(inspection, out);
    put_retired(inspection, out);
    put_events(inspection, out);
    free(sets);
    return ferror(out) ? -1 : 0;
}

// SPDX-License-Identifier: MIT
/**
 * @file text.c
 * An observation for people: a line for the process, a table with a line for each set, and what else
 * there is to say of each.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "lfset/observation.h"
#include "observe/event.h"
#include "observe/names.h"

static double since(const struct lfset_observation *seen, uint64_t then)
{
    return seen->time_ns > then ? (double)(seen->time_ns - then) * 1e-9 : 0;
}

/* A set's name as UTF-8 without control characters, which a terminal would obey. */
static int name_write(const char *name, int width, FILE *out)
{
    char *clean = lfset__utf8_copy(name);
    if (!clean) {
        return -ENOMEM;
    }
    for (char *at = clean; *at; at++) {
        *at = (unsigned char)*at < ' ' || *at == 0x7f ? '?' : *at;
    }
    fprintf(out, "%-*s", width, *clean ? clean : "(no name)");
    free(clean);
    return 0;
}

static void process_write(const struct lfset_observation *seen, FILE *out)
{
    static const char *const titles[] = {"RCU", "hazard pointers"};
    fprintf(out, "process %d%s, lfset %s, %zu sets, %zu threads, %.1f s since its first set\n",
            seen->pid, seen->alive ? "" : " (has ended)", seen->library_version, seen->set_count,
            seen->thread_count, since(seen, seen->started_ns));
    for (int i = 0; i < 2; i++) {
        fprintf(out,
                "%s: %" PRIu64 " objects of %" PRIu64 " bytes retired and not freed, %" PRIu64
                " freed\n",
                titles[i], seen->garbage_objects[i], seen->garbage_bytes[i],
                seen->reclaimed_objects[i]);
    }
    fprintf(out, "%" PRIu64 " stalls, %" PRIu64 " events", seen->stalls, seen->events_total);
    if (seen->watcher_period_ns) {
        fprintf(out, "; a look each %.3g s, the last %.1f s ago\n",
                (double)seen->watcher_period_ns * 1e-9, since(seen, seen->watcher_looked_ns));
    } else {
        fputs("; there is no watcher\n", out);
    }
    if (seen->sets_unlisted || seen->threads_unlisted || seen->retired_unlisted ||
        seen->stacks_lost || seen->samples_lost) {
        fprintf(out,
                "no room for: %" PRIu64 " sets, %" PRIu64 " threads, %" PRIu64
                " retired objects, %" PRIu64 " stacks, %" PRIu64 " samples\n",
                seen->sets_unlisted, seen->threads_unlisted, seen->retired_unlisted,
                seen->stacks_lost, seen->samples_lost);
    }
}

static int row_write(const struct lfset_observation *seen, const struct lfset_set_seen *set,
                     FILE *out)
{
    fprintf(out,
            "%6" PRIu64 " %-6s %-6s %12" PRIu64 " %10" PRIu64 " %12" PRIu64 " %14" PRIu64
            " %12" PRIu64 " %10.1f %10.1f  ",
            set->id, lfset__kind_name(set->kind), lfset__domain_name(set->domain), set->live,
            set->dead, set->capacity, set->bytes, set->retired_bytes, since(seen, set->created_ns),
            since(seen, set->changed_ns));
    int error = name_write(set->name, 0, out);
    fputc('\n', out);
    return error;
}

static void limits_write(const struct lfset_set_seen *set, FILE *out)
{
    fprintf(out, "  guard (%s):", lfset__strategy_name(set->strategy));
    const struct {
        const char *text;
        double limit;
    } limits[] = {
        {"%.0f keys", (double)set->max_keys},
        {"%.0f bytes", (double)set->max_bytes},
        {"%.0f keys/s", (double)set->max_rate},
        {"idle %.3g s", (double)set->idle_timeout_ns * 1e-9},
        {"keys expire after %.3g s", (double)set->expiry_ns * 1e-9},
    };
    const char *comma = " ";
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        if (limits[i].limit > 0) {
            fputs(comma, out);
            fprintf(out, limits[i].text, limits[i].limit);
            comma = ", ";
        }
    }
    fprintf(out, "%s\n", set->refusing ? "; REFUSES ADDITIONS" : "");
}

static int details_write(const struct lfset_observation *seen, const struct lfset_set_seen *set,
                         FILE *out)
{
    const uint64_t *frames;
    unsigned depth = lfset_observation_stack(seen, set->created_stack, &frames);
    fputc('\n', out);
    int error = name_write(set->name, 0, out);
    fprintf(out, ", %" PRIu64 "\n", set->id);
    fprintf(out,
            "  bytes: slices %" PRIu64 ", keys %" PRIu64 ", removed keys %" PRIu64
            ", retired %" PRIu64 " (%" PRIu64 " objects)\n",
            set->slice_bytes, set->key_bytes, set->dead_bytes, set->retired_bytes, set->retired);
    if (set->counted) {
        fprintf(out,
                "  added %" PRIu64 " (and %" PRIu64 " there already, %" PRIu64
                " refused), removed %" PRIu64 " (and %" PRIu64 " not there), hits %" PRIu64
                ", misses %" PRIu64 "\n",
                set->adds, set->adds_present, set->refused, set->removes, set->removes_absent,
                set->hits, set->misses);
    }
    fprintf(out,
            "  cleared %" PRIu64 ", evicted %" PRIu64 ", expired %" PRIu64 "; grown %" PRIu64
            " times, purged %" PRIu64 ", shrunk %" PRIu64 ", rehashed %" PRIu64 "; %" PRIu64
            " snapshots, %" PRIu64 " clears\n",
            set->cleared, set->evicted, set->expired, set->grows, set->purges, set->shrinks,
            set->rehashes, set->snapshots, set->clears);
    if (set->migration_chunks) {
        fprintf(out, "  a succession is under way: %" PRIu64 " of %" PRIu64 " chunks\n",
                set->migration_done, set->migration_chunks);
    }
    if (set->oldest_reader_ns) {
        fprintf(out, "  the oldest reader of its domain reads for %.3f s\n",
                (double)set->oldest_reader_ns * 1e-9);
    }
    if (set->guarded || set->expiry_ns) {
        limits_write(set, out);
    }
    if (set->history_count) {
        fprintf(out, "  grows by %.3g keys/s", set->slope);
        if (!isnan(set->to_limit)) {
            fprintf(out, "; a limit in %.0f s (confidence %.2f)", set->to_limit, set->confidence);
        }
        fputc('\n', out);
    }
    fputs("  created by", out);
    for (unsigned i = 0; i < depth; i++) {
        fprintf(out, " 0x%" PRIx64, frames[i]);
    }
    fputs(depth ? "\n" : " (unknown)\n", out);
    return error;
}

int lfset_observation_text(const struct lfset_observation *seen, FILE *out)
{
    int error = 0;
    if (!seen || !out) {
        return -EINVAL;
    }
    process_write(seen, out);
    fprintf(out, "\n%6s %-6s %-6s %12s %10s %12s %14s %12s %10s %10s  %s\n", "ID", "KIND", "DOMAIN",
            "KEYS", "DEAD", "SLOTS", "BYTES", "RETIRED", "AGE s", "IDLE s", "NAME");
    for (size_t i = 0; i < seen->set_count && !error; i++) {
        error = row_write(seen, &seen->sets[i], out);
    }
    for (size_t i = 0; i < seen->set_count && !error; i++) {
        error = details_write(seen, &seen->sets[i], out);
    }
    return error ? error : fflush(out) != 0 || ferror(out) ? -EIO : 0;
}

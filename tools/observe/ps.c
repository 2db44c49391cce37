// SPDX-License-Identifier: MIT
// lfset ps: the processes that have a registry, a line each.
#define _GNU_SOURCE
#include "verbs.h"

#include "show.h"
#include "target.h"

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_JSON = 256 };

static const struct argp_option option_list[] = {
    {"json", OPTION_JSON, NULL, 0, "As JSON", 0},
    {0},
};

static error_t option_parse(int key, char *argument, struct argp_state *state)
{
    bool *json = state->input;
    (void)argument;
    switch (key) {
    case OPTION_JSON:
        *json = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp option_parser = {
    .options = option_list,
    .parser = option_parse,
    .doc =
        "Lists the processes that publish their sets."
        "\v"
        "A process does when one of its sets has a name, or asked to be observed. KEYS and BYTES "
        "are "
        "sums over its sets; GARBAGE is what is retired and not freed; STALLS are the readers that "
        "its "
        "watcher has reported, those that go on in brackets; WATCHER says how often that looks.\n\n"
        "Only root sees other users' processes; how many could not be looked into is told.\n\n"
        "Exit status: 0; 2 for a wrong option; 3 when /proc cannot be read.",
};

struct row {
    pid_t pid;
    char user[64], program[64];
    size_t sets;
    uint64_t keys, bytes, garbage_objects, garbage_bytes, stalls, unlisted;
    unsigned stalled;
    double watcher_period, up; // seconds; 0: no watcher
    bool stopped;
};

static void row_fill(struct row *row, const struct lfset_observation *seen)
{
    *row = (struct row){.pid = seen->pid,
                        .sets = seen->set_count,
                        .garbage_objects = seen->garbage_objects[0] + seen->garbage_objects[1],
                        .garbage_bytes = seen->garbage_bytes[0] + seen->garbage_bytes[1],
                        .stalls = seen->stalls,
                        .unlisted = seen->sets_unlisted,
                        .watcher_period = (double)seen->watcher_period_ns * 1e-9,
                        .up = (double)(seen->time_ns - seen->started_ns) * 1e-9,
                        .stopped = target_is_stopped(seen->pid)};
    target_user(row->pid, row->user, sizeof row->user);
    snprintf(row->program, sizeof row->program, "%s", seen->program);
    show_safe(row->program);
    for (size_t i = 0; i < seen->set_count; i++) {
        row->keys += seen->sets[i].live;
        row->bytes += seen->sets[i].bytes;
    }
    for (size_t i = 0; i < seen->thread_count; i++)
        row->stalled += seen->threads[i].stalled != 0;
}

// Whether the process's open files may not be seen by the caller. Kernel threads and zombies, which have no
// command line, do not count.
static bool is_closed(const char *pid)
{
    char path[64], byte;
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *directory = opendir(path);
    if (directory) {
        closedir(directory);
        return false;
    }
    if (errno != EACCES && errno != EPERM)
        return false;
    snprintf(path, sizeof path, "/proc/%.20s/cmdline", pid);
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    bool is_program = fread(&byte, 1, 1, file) == 1;
    fclose(file);
    return is_program;
}

static unsigned closed_count(void)
{
    unsigned count = 0;
    DIR *directory = opendir("/proc");
    if (!directory)
        return 0;
    for (const struct dirent *entry; (entry = readdir(directory));)
        if (entry->d_name[strspn(entry->d_name, "0123456789")] == 0)
            count += is_closed(entry->d_name);
    closedir(directory);
    return count;
}

// All that can be looked into; the number, or a negative errno.
static int rows_take(const char *tool, struct row **rows)
{
    int room = 64, found;
    pid_t *pids = NULL;
    for (;;) {
        pid_t *more = realloc(pids, (size_t)room * sizeof *pids);
        if (!more) {
            free(pids);
            return -ENOMEM;
        }
        pids = more;
        found = lfset_registry_list(pids, room);
        if (found <= room)
            break;
        room = found + 16;
    }
    if (found < 0) {
        free(pids);
        return found;
    }
    *rows = calloc((size_t)found + 1, sizeof **rows);
    int count = 0;
    for (int i = 0; *rows && i < found; i++) {
        struct lfset_registry *registry;
        struct lfset_observation *seen;
        int error = lfset_registry_open(&registry, pids[i]);
        if (error == -ESRCH || error == -ENOENT) // it ended, or became another program, meanwhile
            continue;
        if (error == 0 && !target_is_writer(pids[i])) {
            lfset_registry_close(registry);
            continue;
        }
        if (error) {
            char number[16];
            snprintf(number, sizeof number, "%d", (int)pids[i]);
            target_complain(tool, number, pids[i], error);
            continue;
        }
        if (lfset_observation_take(registry, &seen) == 0) {
            if (seen->alive)
                row_fill(&(*rows)[count++], seen);
            lfset_observation_free(seen);
        }
        lfset_registry_close(registry);
    }
    free(pids);
    return *rows ? count : -ENOMEM;
}

static void print_text(const struct row *rows, int count, unsigned closed)
{
    if (count > 0)
        printf("%7s %-9s %-16s %5s %9s %8s %9s %9s %8s %8s\n", "PID", "USER", "PROGRAM", "SETS",
               "KEYS", "BYTES", "GARBAGE", "STALLS", "WATCHER", "UP");
    for (int i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        char stalls[32];
        snprintf(stalls, sizeof stalls, row->stalled ? "%llu (%u)" : "%llu",
                 (unsigned long long)row->stalls, row->stalled);
        printf("%7d %-9s %-16s %5zu %9s %8s %9s %9s %8s %8s%s\n", (int)row->pid, row->user,
               row->program, row->sets, show_count(row->keys).text, show_bytes(row->bytes).text,
               show_bytes(row->garbage_bytes).text, stalls,
               row->watcher_period > 0 ? show_seconds(row->watcher_period).text : "none",
               show_seconds(row->up).text, row->stopped ? "  stopped" : "");
        if (row->unlisted)
            printf("%7s %llu more of its sets did not fit into the registry\n", "",
                   (unsigned long long)row->unlisted);
    }
    if (count == 0)
        puts(closed ? "no process that may be looked into publishes sets"
                    : "no process publishes sets");
    if (closed)
        printf("%u other process%s may not be looked into (run as root to see them)\n", closed,
               closed == 1 ? "" : "es");
}

static int print_json(const struct row *rows, int count, unsigned closed)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        json_array_append_new(
            list,
            json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:i, s:o, s:f, s:b, s:I}",
                      "pid", (int)row->pid, "user", row->user, "program", row->program, "sets",
                      (json_int_t)row->sets, "keys", (json_int_t)row->keys, "bytes",
                      (json_int_t)row->bytes, "garbage_objects", (json_int_t)row->garbage_objects,
                      "garbage_bytes", (json_int_t)row->garbage_bytes, "stalls",
                      (json_int_t)row->stalls, "stalled", (int)row->stalled,
                      "watcher_period_seconds",
                      row->watcher_period > 0 ? json_real(row->watcher_period) : json_null(),
                      "up_seconds", row->up, "stopped", (int)row->stopped, "sets_unlisted",
                      (json_int_t)row->unlisted));
    }
    json_t *all = json_pack("{s:o, s:i}", "processes", list, "unreadable", (int)closed);
    int failed = !all || json_dumpf(all, stdout, JSON_INDENT(2)) != 0;
    putchar('\n');
    json_decref(all);
    return failed;
}

int tool_ps(int argc, char **argv)
{
    bool json = false;
    struct row *rows = NULL;
    argp_parse(&option_parser, argc, argv, 0, NULL, &json);
    int count = rows_take(argv[0], &rows);
    if (count < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], strerror(-count));
        return TOOL_CANNOT;
    }
    unsigned closed = closed_count();
    int failed = 0;
    if (json)
        failed = print_json(rows, count, closed);
    else
        print_text(rows, count, closed);
    free(rows);
    return target_output_end(argv[0], stdout, failed);
}

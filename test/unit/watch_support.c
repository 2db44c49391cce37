// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "watch_support.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <urcu/urcu-bp.h>

void events_init(struct events *events)
{
    memset(events, 0, sizeof *events);
    pthread_mutex_init(&events->lock, NULL);
}

void events_note(const struct lfset_event *event, void *ctx)
{
    struct events *events = ctx;
    pthread_mutex_lock(&events->lock);
    if (events->count < EVENTS_MOST) {
        size_t at = events->count;
        struct lfset_event *kept = &events->kept[at];
        *kept = *event;
        snprintf(events->texts[at], sizeof events->texts[at], "%s", event->text);
        snprintf(events->sets[at], sizeof events->sets[at], "%s", event->set);
        snprintf(events->threads[at], sizeof events->threads[at], "%s", event->thread);
        kept->text = events->texts[at];
        kept->set = events->sets[at];
        kept->thread = events->threads[at];
    }
    events->count++;
    pthread_mutex_unlock(&events->lock);
}

size_t events_of(struct events *events, enum lfset_event_kind kind)
{
    size_t count = 0;
    pthread_mutex_lock(&events->lock);
    for (size_t i = 0; i < events->count && i < EVENTS_MOST; i++)
        count += events->kept[i].kind == kind;
    pthread_mutex_unlock(&events->lock);
    return count;
}

struct lfset_watch_options watch_options(struct events *events)
{
    struct lfset_watch_options options = LFSET_WATCH_INIT;
    options.stall_ns = 10 * UINT64_C(1000000000);
    options.on_event = events ? events_note : NULL;
    options.ctx = events;
    return options;
}

void look_at_second(const struct lfset_watch_options *options, double seconds)
{
    static uint64_t start_ns;
    start_ns = start_ns ? start_ns : lfset__now_ns();
    CHECK_EQ(lfset_watch_look(options, start_ns + (uint64_t)(int64_t)(seconds * 1e9)), 0);
}

struct lfset_u64 *listed_new(enum lfset_domain domain, const char *name)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.name = name;
    struct lfset_u64 *set = NULL;
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    return set;
}

void program_read_lock(void)
{
    urcu_bp_read_lock();
}

void program_read_unlock(void)
{
    urcu_bp_read_unlock();
}

size_t threads_named(const char *name)
{
    size_t count = 0;
    DIR *tasks = opendir("/proc/self/task");
    CHECK(tasks != NULL, "no /proc/self/task");
    for (struct dirent *task; (task = readdir(tasks));) {
        char path[300], found[64] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        FILE *file = fopen(path, "r"); /* NULL: it has ended, or it is "." */
        if (file) {
            if (fgets(found, sizeof found, file))
                found[strcspn(found, "\n")] = '\0';
            fclose(file);
        }
        count += strcmp(found, name) == 0;
    }
    closedir(tasks);
    return count;
}

// SPDX-License-Identifier: MIT
/* What the tests of the watcher share: a callback that remembers events, and looks with made-up times. */
#ifndef LFSET_TEST_WATCH_SUPPORT_H
#define LFSET_TEST_WATCH_SUPPORT_H

#include "lfset/observe.h"
#include "record/registry.h"
#include "support.h"

enum { EVENTS_MOST = 64 };

/* Events, oldest first, with texts of their own. */
struct events {
    pthread_mutex_t lock;
    size_t count; /* told; the first EVENTS_MOST are kept */
    struct lfset_event kept[EVENTS_MOST];
    char texts[EVENTS_MOST][256], sets[EVENTS_MOST][64], threads[EVENTS_MOST][64];
};
void events_init(struct events *events);
/* A callback; ctx is a struct events. */
void events_note(const struct lfset_event *event, void *ctx);
size_t events_of(struct events *events, enum lfset_event_kind kind);

/* Options that note events, and call what stays for 10 s a stall. */
struct lfset_watch_options watch_options(struct events *events);

/* Looks `seconds` after the test's first call of this, or before it. */
void look_at_second(const struct lfset_watch_options *options, double seconds);

struct lfset_u64 *listed_new(enum lfset_domain domain, const char *name);

/* A read-side critical section of the program's own, as a program enters it that does not know lfset's
 * insides: their inline functions make liburcu's readers look misaligned to a sanitizer. */
void program_read_lock(void);
void program_read_unlock(void);

/* How many threads of this process have this name. */
size_t threads_named(const char *name);

#endif

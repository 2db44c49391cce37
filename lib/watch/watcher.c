// SPDX-License-Identifier: MIT
/**
 * @file watcher.c
 * The watcher's thread, and its looks.
 *
 * Who may look. One thread at a time: `looking` is taken before a look and given back after it, and
 * whoever finds it taken is refused rather than made to wait, because who has it may be in a callback. What
 * a look remembers for the next (here, in stalls.c, in guard.c) is plain memory: [look] the release store that
 * gives `looking` back, and the acquire CAS that takes it, hand it on.
 *
 * What a look reads while others write. Of a set: what its operations refresh and clear read, as any
 * thread may at any time; the set itself is pinned meanwhile, so that a destroy waits for the look to go on
 * to the next one. A callback that destroys the set which is pinned for it would wait for itself: that is
 * refused by the registry. Of a record: its words are atomic, and the watcher is the only writer of those that
 * it writes. Of threads: see stalls.c.
 *
 * Starting and stopping. `lock` guards the state and is never held during a look. STOPPING is a state of its
 * own so that of several who stop only one joins the thread, and nobody starts the next before that. The
 * thread sleeps on `changed` until its next look is due or it is to stop; nobody polls.
 *
 * Fork. The child begins with `lock` in its first state and with no watcher. If the thread that forks is within
 * a look, which can only be a callback, the look is still under way in the child and ends there; any other
 * look was another thread's and is forgotten. What it was writing is then half written: words of
 * records, which the next look writes again.
 */
#define _GNU_SOURCE
#include "watch/watcher.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "reclaim/rcu.h"
#include "record/registry.h"
#include "record/sections.h"
#include "watch/guard.h"
#include "watch/stalls.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed; // `state`; waits by CLOCK_MONOTONIC
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int once_error;
static enum { STOPPED, RUNNING, STOPPING } state;
static unsigned stops; // so far
static pthread_t thread;
static struct lfset_watch_options wanted;

static _Atomic(bool) looking;         // [look]
static __thread bool looking_is_mine; // this thread is within a look

static uint64_t load(_Atomic(uint64_t) *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic(uint64_t) *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* ---- once, and after a fork ---------------------------------------------------------------------- */

static void changed_init(void)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void publish_no_watcher(void)
{
    struct lfset__segment *segment = lfset__segment_now();
    if (segment) {
        store(&segment->watcher_period_ns, 0);
        store(&segment->stall_ns, 0);
        store(&segment->watcher_looked_ns, 0);
    }
    atomic_store_explicit(&lfset__section_rate, 0, memory_order_relaxed);
}

/* The registry is the child's own by now: the handler that sees to that was registered before this one. */
static void after_fork_in_child(void)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    changed_init(); // nobody waits here
    state = STOPPED;
    atomic_store_explicit(&looking, looking_is_mine, memory_order_relaxed);
    publish_no_watcher();
    lfset__stalls_after_fork_in_child();
}

static void init_once(void)
{
    changed_init();
    once_error = lfset__reclaim_init(LFSET_HP); // registers the library's other handlers of fork
    if (!once_error && pthread_atfork(NULL, NULL, after_fork_in_child) != 0) {
        once_error = -ENOMEM;
    }
}

/* @return 0, -ENOTSUP, -ENOMEM. */
static int init(void)
{
    pthread_once(&once, init_once);
    return once_error ? once_error : lfset__registry_init();
}

/* ---- a look -------------------------------------------------------------------------------------- */

void lfset__watch_tell(const struct lfset_watch_options *options, struct lfset_event *event)
{
    event->set = event->set ? event->set : "";
    event->thread = event->thread ? event->thread : "";
    event->text = event->text ? event->text : "";
    lfset__event_note(event);
    if (options->on_event) {
        options->on_event(event, options->ctx);
    }
}

static void history_append(struct lfset__about *about, uint64_t now_ns)
{
    struct lfset__record *record = about->record;
    uint64_t count = load(&record->history_count);
    uint64_t bytes = load(&record->slice_bytes) + load(&record->key_bytes) +
                     load(&record->dead_bytes) + load(&record->retired_bytes);
    store(&record->history[count % LFSET__HISTORY].time_ns, now_ns);
    store(&record->history[count % LFSET__HISTORY].live, lfset__about_live(about));
    store(&record->history[count % LFSET__HISTORY].bytes, bytes);
    // A reader that sees the count sees the look; one that reads while its place is written again sees a mixture.
    atomic_store_explicit(&record->history_count, count + 1, memory_order_release);
}

/* Probe lengths are found by reading a whole slice. So that a look's cost is bounded, sets beyond LARGEST
 * slots are left out, others have their turn every so many periods, and those for which a look has no room
 * come in the next: whoever had his turn is not due any more. A set of LARGEST slots has a look of its own. */
enum { SMALL = 4096, ROOM = 1 << 20, LARGEST = 1 << 22, SMALL_PERIODS = 10, PERIODS = 60 };

static void measure_probes(struct lfset__about *about, const struct lfset_watch_options *options,
                           uint64_t now_ns, uint64_t *measured)
{
    struct lfset__record *record = about->record;
    uint64_t slots = load(&record->capacity), before = load(&record->probed_ns);
    uint64_t periods = slots <= SMALL ? SMALL_PERIODS : PERIODS;
    if (slots > LARGEST || (*measured > 0 && *measured + slots > ROOM) ||
        (before > 0 && (now_ns < before || (now_ns - before) / periods < options->period_ns))) {
        return;
    }
    enum { BINS = sizeof record->probe_lengths / sizeof *record->probe_lengths };
    static uint64_t distances[(1 << (BINS - 2)) + 1]; // the last is the last bin
    size_t length = slots < sizeof distances / sizeof *distances
                        ? slots + 1
                        : sizeof distances / sizeof *distances;
    if (about->ops->probe_lengths(about, distances, length) < 0) {
        return;
    }
    uint64_t bins[BINS] = {0};
    for (size_t distance = 0; distance < length; distance++) {
        // 0; 1; 2 and 3; 4 to 7; and so on
        bins[distance ? 64 - __builtin_clzll(distance) : 0] += distances[distance];
    }
    for (size_t i = 0; i < BINS; i++) {
        store(&record->probe_lengths[i], bins[i]);
    }
    store(&record->probed_ns, now_ns);
    *measured += slots;
}

static int look_at_sets(const struct lfset_watch_options *options, uint64_t now_ns)
{
    int error = 0;
    uint64_t measured = 0;
    for (struct lfset__about *about = lfset__registry_next(NULL); about;
         about = lfset__registry_next(about)) {
        int failed = about->ops->refresh(about);
        error = error ? error : failed;
        history_append(about, now_ns);
        measure_probes(about, options, now_ns, &measured);
        lfset__guard_look(about, options, now_ns);
    }
    return error;
}

static void publish_options(const struct lfset_watch_options *options, uint64_t now_ns)
{
    struct lfset__segment *segment = lfset__segment_now();
    store(&segment->watcher_period_ns, options->period_ns);
    store(&segment->stall_ns, options->stall_ns);
    store(&segment->watcher_looked_ns, now_ns);
    atomic_store_explicit(&lfset__section_rate, options->section_rate, memory_order_relaxed);
}

static int look(const struct lfset_watch_options *options, uint64_t now_ns)
{
    bool expected = false;
    if (!atomic_compare_exchange_strong_explicit(&looking, &expected, true, memory_order_acquire,
                                                 memory_order_relaxed)) {
        return -EDEADLK; // a look of this thread, or of another
    }
    looking_is_mine = true;
    publish_options(options, now_ns);
    int error = look_at_sets(options, now_ns);
    lfset__stalls_look(options, now_ns);
    looking_is_mine = false;
    atomic_store_explicit(&looking, false, memory_order_release); // [look]
    return error;
}

static bool options_are_valid(const struct lfset_watch_options *options)
{
    return options->size == sizeof *options && options->period_ns > 0 && options->stall_ns > 0;
}

int lfset_watch_look(const struct lfset_watch_options *options, uint64_t now_ns)
{
    static const struct lfset_watch_options defaults = LFSET_WATCH_INIT;
    options = options ? options : &defaults;
    if (!options_are_valid(options)) {
        return -EINVAL;
    }
    if ((lfset__self && lfset__self->sections > 0) || lfset__rcu_is_reading() ||
        lfset__in_callback()) {
        return -EDEADLK; // a guard that clears a set would wait for this thread
    }
    int error = init();
    return error ? error : look(options, now_ns ? now_ns : lfset__now_ns());
}

/* ---- the thread ---------------------------------------------------------------------------------- */

/* With `lock` held, until it is so late or the watcher is to stop. */
static void sleep_until(uint64_t due_ns)
{
    struct timespec due = {.tv_sec = (time_t)(due_ns / 1000000000),
                           .tv_nsec = (long)(due_ns % 1000000000)};
    while (state == RUNNING && pthread_cond_timedwait(&changed, &lock, &due) != ETIMEDOUT) {
    }
}

static void *watch(void *unused)
{
    (void)pthread_setname_np(pthread_self(), "lfset-watch");
    pthread_mutex_lock(&lock); // start has let go of it: `thread` and `wanted` are written
    struct lfset_watch_options options = wanted;
    uint64_t due_ns = lfset__now_ns();
    while (state == RUNNING) {
        pthread_mutex_unlock(&lock);
        (void)look(&options, lfset__now_ns()); // refused: somebody else looks just now
        pthread_mutex_lock(&lock);
        uint64_t now_ns = lfset__now_ns();
        due_ns = due_ns > UINT64_MAX - options.period_ns ? UINT64_MAX : due_ns + options.period_ns;
        due_ns =
            due_ns < now_ns ? now_ns : due_ns; // late: looks that were missed are not made up for
        sleep_until(due_ns);
    }
    pthread_mutex_unlock(&lock);
    return unused;
}

/* With `lock` held. Signals are for the program's own threads. */
static int thread_start(const struct lfset_watch_options *options)
{
    sigset_t all, before;
    sigfillset(&all);
    wanted = *options;
    state = RUNNING;
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, NULL, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error) {
        state = STOPPED;
    }
    return -error;
}

int lfset_watch_start(const struct lfset_watch_options *options)
{
    static const struct lfset_watch_options defaults = LFSET_WATCH_INIT;
    options = options ? options : &defaults;
    if (!options_are_valid(options)) {
        return -EINVAL;
    }
    if (looking_is_mine) {
        return -EDEADLK;
    }
    int error = init();
    if (error) {
        return error;
    }
    pthread_mutex_lock(&lock);
    error = state == STOPPED ? thread_start(options) : -EALREADY;
    pthread_mutex_unlock(&lock);
    return error;
}

int lfset_watch_stop(void)
{
    if (looking_is_mine) {
        return -EDEADLK;
    }
    pthread_mutex_lock(&lock);
    if (state == RUNNING) { // so init_once has run
        state = STOPPING;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        pthread_join(thread, NULL);
        pthread_mutex_lock(&lock);
        state = STOPPED;
        stops++;
        publish_no_watcher();
        pthread_cond_broadcast(&changed);
    } else {
        // Somebody else joins the thread. Not "until STOPPED": by the time this thread runs the next watcher may
        // have been started.
        for (unsigned now = stops; state == STOPPING && stops == now;) {
            pthread_cond_wait(&changed, &lock);
        }
    }
    pthread_mutex_unlock(&lock);
    return 0;
}

// SPDX-License-Identifier: MIT
/**
 * @file registry.c
 * The list of sets, and the entries of the segment's tables.
 *
 * The list is under a mutex, which is held for a few instructions when a set is created or destroyed and
 * when the watcher goes on to the next set; no operation on keys takes it. A set that somebody looks at is
 * pinned; destroying it waits until it is not.
 */
#define _GNU_SOURCE
#include "record/registry.h"

#include <errno.h>
#include <execinfo.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "platform/memory.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t unpinned = PTHREAD_COND_INITIALIZER;
static struct lfset__about *first, *last; // of the list, by age
static bool off;
static uint64_t forked_ns; // when the fork began that this process came from, or that is under way
static __thread struct lfset__about *pinned; // by this thread

void lfset__segment_after_fork_in_child(void);

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t lfset__now_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

uint64_t lfset__now_coarse_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC_COARSE);
}

int lfset__registry_init(void)
{
    if (lfset__segment_now()) {
        return 0;
    }
    void *frame;
    (void)backtrace(
        &frame,
        1); // the first one loads a library and allocates: now, not in the midst of something
    pthread_mutex_lock(&lock);
    int error = off ? -ENOTSUP : lfset__segment_now() ? 0 : lfset__segment_make();
    pthread_mutex_unlock(&lock);
    return error;
}

int lfset_registry_off(void)
{
    pthread_mutex_lock(&lock);
    int error = lfset__segment_now() ? -EBUSY : 0;
    off = off || error == 0;
    pthread_mutex_unlock(&lock);
    return error;
}

/* ---- entries of tables --------------------------------------------------------------------------- */

static void *entry_of(struct lfset__segment *segment, const struct lfset__table *table,
                      uint64_t index)
{
    return (char *)segment + table->offset + index * table->stride;
}

static uint64_t new_id(struct lfset__segment *segment)
{
    // 0 and 1 are taken: free, and being written
    return atomic_fetch_add_explicit(&segment->next_id, 1, memory_order_relaxed) + 1;
}

enum { FREE = 0, WRITING = 1 };
enum { NOTED_BYTES = 1 << 14 };

static void taken(struct lfset__search *search, uint32_t index)
{
    atomic_store_explicit(&search->from, index + 1, memory_order_relaxed);
    uint32_t used = atomic_load_explicit(&search->used, memory_order_relaxed);
    while (used <= index &&
           !atomic_compare_exchange_weak_explicit(&search->used, &used, index + 1,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* Claims an entry by its id, a low one if there is one. @return count: there is none free. */
static uint64_t claim(struct lfset__segment *segment, const struct lfset__table *table,
                      size_t id_offset, struct lfset__search *search, _Atomic(uint64_t) *unlisted)
{
    uint32_t start = atomic_load_explicit(&search->from, memory_order_relaxed);
    bool full = atomic_fetch_add_explicit(&search->taken, 1, memory_order_relaxed) >= table->count;
    for (uint32_t tried = 0; !full && tried < table->count; tried++) {
        uint32_t i = (start + tried) % table->count;
        _Atomic(uint64_t) *id =
            (_Atomic(uint64_t) *)(void *)((char *)entry_of(segment, table, i) + id_offset);
        uint64_t expected = FREE;
        if (atomic_load_explicit(id, memory_order_relaxed) == FREE &&
            atomic_compare_exchange_strong_explicit(id, &expected, WRITING, memory_order_acquire,
                                                    memory_order_relaxed)) {
            // A reader that sees what is written now must not find the old id afterwards.
            atomic_thread_fence(memory_order_release);
            taken(search, i);
            return i;
        }
    }
    atomic_fetch_sub_explicit(&search->taken, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(unlisted, 1, memory_order_relaxed);
    return table->count;
}

/* [record.id] */
static void publish(_Atomic(uint64_t) *id, uint64_t value)
{
    atomic_store_explicit(id, value, memory_order_release);
}

static void release(struct lfset__segment *segment, const struct lfset__table *table,
                    struct lfset__search *search, const void *entry, _Atomic(uint64_t) *id)
{
    uint64_t offset = (uint64_t)((const char *)entry - (const char *)segment) - table->offset;
    uint32_t index = (uint32_t)(offset / table->stride);
    publish(id, FREE);
    atomic_fetch_sub_explicit(&search->taken, 1, memory_order_relaxed);
    if (index < atomic_load_explicit(&search->from, memory_order_relaxed)) {
        atomic_store_explicit(&search->from, index, memory_order_relaxed);
    }
}

/* Begins to change an entry: no reader takes what follows for what was there. */
static void unpublish(_Atomic(uint64_t) *id, uint64_t value)
{
    atomic_store_explicit(id, value, memory_order_relaxed);
    atomic_thread_fence(memory_order_release); // before the stores that follow
}

/* ---- sets ---------------------------------------------------------------------------------------- */

static size_t lanes_bytes(void)
{
    return (LFSET__COUNTER_LANES + 1) * sizeof(struct lfset__lane);
}

/* Where the registry has no room, or there is none: entries of the set's own. */
static int entries_alone(struct lfset__about *about, const struct lfset_allocator *allocator)
{
    about->record = lfset__alloc_zeroed(allocator, sizeof *about->record, LFSET__LINE);
    about->lanes =
        about->record ? lfset__alloc_zeroed(allocator, lanes_bytes(), LFSET__LINE) : NULL;
    about->alone = true;
    return about->lanes ? 0 : -ENOMEM;
}

static int entries_take(struct lfset__about *about, const struct lfset_allocator *allocator)
{
    struct lfset__segment *segment = lfset__segment_now();
    uint64_t index = segment ? claim(segment, &segment->sets, offsetof(struct lfset__record, id),
                                     &segment->search_sets, &segment->sets_unlisted)
                             : 0;
    if (!segment || index == segment->sets.count) {
        return entries_alone(about, allocator);
    }
    about->record = entry_of(segment, &segment->sets, index);
    about->lanes = entry_of(segment, &segment->lane, index * (LFSET__COUNTER_LANES + 1));
    _Atomic(uint64_t) *id = &about->record->id;
    // all but the id, which is the claim
    memset((char *)about->record + sizeof *id, 0, sizeof *about->record - sizeof *id);
    if (about->counted || about->may_refuse) {
        memset(about->lanes, 0, lanes_bytes());
    }
    return 0;
}

static uint32_t flags_of(const struct lfset__about *about)
{
    const struct lfset_observe *observe = &about->observe;
    bool guarded =
        observe->max_keys || observe->max_bytes || observe->max_rate || observe->idle_timeout_ns;
    return (about->counted ? LFSET__SET_COUNTED : 0) |
           (about->sample_below ? LFSET__SET_PROFILED : 0) | (guarded ? LFSET__SET_GUARDED : 0) |
           (observe->expiry_ns ? LFSET__SET_EXPIRES : 0);
}

static void record_fill(struct lfset__about *about)
{
    struct lfset__record *record = about->record;
    const struct lfset_observe *observe = &about->observe;
    memcpy(record->name, about->name, sizeof record->name);
    record->created_ns = about->created_ns;
    record->kind = about->kind;
    record->domain = about->domain;
    record->flags = flags_of(about);
    record->stack = about->stack;
    record->profile_rate = observe->profile_rate;
    record->strategy = observe->strategy;
    record->max_keys = observe->max_keys;
    record->max_bytes = observe->max_bytes;
    record->max_rate = observe->max_rate;
    record->idle_timeout_ns = observe->idle_timeout_ns;
    record->expiry_ns = observe->expiry_ns;
    record->address = (uint64_t)(uintptr_t)about->set;
}

static int check_observe(const struct lfset_observe *observe, enum lfset_kind kind)
{
    bool bad =
        observe->size != sizeof *observe || (observe->flags & ~LFSET_OBSERVE_COUNTS) != 0 ||
        (observe->strategy != LFSET_GUARD_NOTIFY && observe->strategy != LFSET_GUARD_REFUSE &&
         observe->strategy != LFSET_GUARD_EVICT) ||
        observe->profile_rate > UINT32_C(1) << 31 || (observe->expiry_ns && kind == LFSET_KIND_OBJ);
    return bad ? -EINVAL : 0;
}

/* The nearest power of two; 0 and 1 stay. */
static unsigned rounded_rate(unsigned rate)
{
    if (rate <= 1) {
        return rate;
    }
    unsigned log2 = 31 - (unsigned)__builtin_clz(rate);
    log2 += (rate >> (log2 - 1) & 1);
    return 1u << log2;
}

/* One fingerprint in `rate`, a power of two. */
static uint64_t sampled_below(unsigned rate)
{
    return rate == 0 ? 0 : rate == 1 ? UINT64_MAX : UINT64_MAX / rate + 1;
}

static void list_add(struct lfset__about *about)
{
    pthread_mutex_lock(&lock);
    about->previous = last;
    *(last ? &last->next : &first) = about;
    last = about;
    pthread_mutex_unlock(&lock);
}

int lfset__about_create(struct lfset__about **made, void *set, enum lfset_kind kind,
                        enum lfset_domain domain, const struct lfset__about_ops *ops,
                        const struct lfset_allocator *allocator, const char *name,
                        const struct lfset_observe *observe)
{
    *made = NULL;
    if (!name && !observe) {
        return 0;
    }
    int error = observe ? check_observe(observe, kind) : 0;
    if (!error) {
        error = lfset__registry_init();
        error = error == -ENOTSUP && !observe ? 0 : error;
    }
    if (error) {
        return error;
    }
    struct lfset__about *about = lfset__alloc_zeroed(allocator, sizeof *about, LFSET__LINE);
    if (!about) {
        return -ENOMEM;
    }
    if (name) {
        memcpy(about->name, name, strnlen(name, sizeof about->name - 1));
    }
    about->set = set;
    about->ops = ops;
    about->kind = kind;
    about->domain = domain;
    about->allocator = allocator;
    if (observe) {
        about->observe = *observe;
        about->counted = observe->flags & LFSET_OBSERVE_COUNTS;
        about->observe.profile_rate = rounded_rate(observe->profile_rate);
        about->sample_below = sampled_below(about->observe.profile_rate);
        if (observe->strategy == LFSET_GUARD_REFUSE) {
            about->refuses_keys = observe->max_keys > 0 && observe->max_keys <= INT64_MAX;
            about->may_refuse = observe->max_keys || observe->max_bytes || observe->max_rate;
        }
    }
    error = entries_take(about, allocator);
    if (error) {
        lfset__about_free(about);
        return error;
    }
    about->created_ns = lfset__now_ns();
    about->stack = lfset__stack_note(1);
    atomic_store_explicit(&about->record->changed_ns, about->created_ns, memory_order_relaxed);
    record_fill(about);
    *made = about;
    return 0;
}

bool lfset__about_prepare(struct lfset__about *about)
{
    about->special = about->may_refuse || about->touch;
    return about->special || about->counted || about->sample_below;
}

void lfset__about_list(struct lfset__about *about)
{
    about->listed = true;
    struct lfset__segment *segment = lfset__segment_now();
    about->id = segment ? new_id(segment) : WRITING + 1;
    publish(&about->record->id, about->id);
    list_add(about);
}

int lfset__about_close(struct lfset__about *about)
{
    if (pinned == about) {
        return -EDEADLK;
    }
    pthread_mutex_lock(&lock);
    while (about->pins > 0) {
        pthread_cond_wait(&unpinned, &lock);
    }
    *(about->previous ? &about->previous->next : &first) = about->next;
    *(about->next ? &about->next->previous : &last) = about->previous;
    about->listed = false;
    pthread_mutex_unlock(&lock);
    return 0;
}

void lfset__about_free(struct lfset__about *about)
{
    const struct lfset_allocator *allocator = about->allocator;
    if (!about->alone) {
        if (about->record) {
            struct lfset__segment *segment = lfset__segment_now();
            release(segment, &segment->sets, &segment->search_sets, about->record,
                    &about->record->id);
        }
    } else {
        if (about->lanes) {
            lfset__free(allocator, about->lanes, lanes_bytes(), LFSET__LINE);
        }
        if (about->record) {
            lfset__free(allocator, about->record, sizeof *about->record, LFSET__LINE);
        }
    }
    lfset__free(allocator, about, sizeof *about, LFSET__LINE);
}

static void unpin(struct lfset__about *about)
{
    if (about && about->pins > 0) { // a forked child forgets its parent's pins
        about->pins--;
        pthread_cond_broadcast(&unpinned);
    }
}

static struct lfset__about *pin(struct lfset__about *about)
{
    if (about) {
        about->pins++;
    }
    pinned = about;
    return about;
}

struct lfset__about *lfset__registry_next(struct lfset__about *about)
{
    pthread_mutex_lock(&lock);
    struct lfset__about *next = about ? about->next : first;
    pin(next);
    unpin(about);
    pthread_mutex_unlock(&lock);
    return next;
}

void lfset__registry_unpin(struct lfset__about *about)
{
    pthread_mutex_lock(&lock);
    pinned = NULL;
    unpin(about);
    pthread_mutex_unlock(&lock);
}

struct lfset__about *lfset__registry_find(uint64_t id)
{
    pthread_mutex_lock(&lock);
    struct lfset__about *about = first;
    while (about && atomic_load_explicit(&about->record->id, memory_order_relaxed) != id) {
        about = about->next;
    }
    pin(about);
    pthread_mutex_unlock(&lock);
    return about;
}

struct lfset__lane_sums lfset__lanes_sum(const struct lfset__about *about)
{
    struct lfset__lane_sums sums = {0};
    uint64_t calls[3] = {0};
    for (unsigned i = 0; i <= LFSET__COUNTER_LANES; i++) {
        struct lfset__lane *lane = &about->lanes[i];
        calls[0] += atomic_load_explicit(&lane->add_calls, memory_order_relaxed);
        calls[1] += atomic_load_explicit(&lane->remove_calls, memory_order_relaxed);
        calls[2] += atomic_load_explicit(&lane->contains_calls, memory_order_relaxed);
        sums.adds += atomic_load_explicit(&lane->adds, memory_order_relaxed);
        sums.removes += atomic_load_explicit(&lane->removes, memory_order_relaxed);
        sums.hits += atomic_load_explicit(&lane->hits, memory_order_relaxed);
        sums.refused += atomic_load_explicit(&lane->refused, memory_order_relaxed);
    }
    // of different instants
    sums.adds_present = calls[0] > sums.adds ? calls[0] - sums.adds : 0;
    sums.removes_absent = calls[1] > sums.removes ? calls[1] - sums.removes : 0;
    sums.misses = calls[2] > sums.hits ? calls[2] - sums.hits : 0;
    return sums;
}

uint64_t lfset__about_live(const struct lfset__about *about)
{
    if (!about->counted) {
        return atomic_load_explicit(&about->record->live, memory_order_relaxed);
    }
    struct lfset__lane_sums sums = lfset__lanes_sum(about);
    uint64_t gone =
        sums.removes + atomic_load_explicit(&about->record->cleared, memory_order_relaxed);
    return sums.adds > gone ? sums.adds - gone : 0; // of different instants
}

void lfset__about_show_retired(struct lfset__about *about)
{
    struct lfset__record *record = about->record;
    lfset__show(&record->retired, &about->retired);
    lfset__show(&record->retired_bytes, &about->retired_bytes);
}

/* ---- threads ------------------------------------------------------------------------------------- */

unsigned lfset__lane_take(void)
{
    static _Atomic(unsigned) taken;
    unsigned lane = atomic_fetch_add_explicit(&taken, 1, memory_order_relaxed);
    if (lane >= LFSET__COUNTER_LANES) {
        atomic_store_explicit(&taken, LFSET__COUNTER_LANES,
                              memory_order_relaxed); // so that it never wraps
        lane = LFSET__COUNTER_LANES;
    }
    return lane;
}

struct lfset__thread_slot *lfset__thread_slot_take(void)
{
    struct lfset__segment *segment = lfset__segment_now();
    if (!segment) {
        return NULL;
    }
    uint64_t index = claim(segment, &segment->threads, offsetof(struct lfset__thread_slot, id),
                           &segment->search_threads, &segment->threads_unlisted);
    if (index == segment->threads.count) {
        return NULL;
    }
    struct lfset__thread_slot *slot = entry_of(segment, &segment->threads, index);
    // What the watcher wrote about the thread before, it clears by itself when it sees another id.
    atomic_store_explicit(&slot->section, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->section_site, 0, memory_order_relaxed);
    atomic_store_explicit(&slot->section_stack, 0, memory_order_relaxed);
    slot->tid = (int32_t)syscall(SYS_gettid);
    memset(slot->name, 0, sizeof slot->name);
    (void)pthread_getname_np(pthread_self(), slot->name, sizeof slot->name);
    slot->attached_ns = lfset__now_ns();
    publish(&slot->id, new_id(segment));
    return slot;
}

void lfset__thread_slot_release(struct lfset__thread_slot *slot)
{
    if (slot) {
        struct lfset__segment *segment = lfset__segment_now();
        release(segment, &segment->threads, &segment->search_threads, slot, &slot->id);
    }
}

/* ---- what is retired, or held -------------------------------------------------------------------- */

unsigned lfset__retired_note(struct lfset__about *about, enum lfset_holder holder,
                             const void *address, size_t bytes)
{
    struct lfset__segment *segment = lfset__segment_now();
    if (!segment) {
        return 0;
    }
    uint64_t index = claim(segment, &segment->retired, offsetof(struct lfset__retired_entry, id),
                           &segment->search_retired, &segment->retired_unlisted);
    if (index == segment->retired.count) {
        return 0;
    }
    struct lfset__retired_entry *entry = entry_of(segment, &segment->retired, index);
    entry->address = (uint64_t)(uintptr_t)address;
    entry->bytes = bytes;
    entry->set_id = atomic_load_explicit(&about->record->id, memory_order_relaxed);
    entry->retired_ns = lfset__now_ns();
    entry->domain = about->domain;
    entry->holder = holder;
    bool somebody = holder != LFSET_HELD_BY_READERS;
    // A short iteration would take longer to be noted than to be done.
    bool cheaply = holder == LFSET_HELD_BY_ITERATION && bytes < NOTED_BYTES;
    entry->stack = somebody && !cheaply ? lfset__stack_note(1) : 0;
    entry->tid = somebody ? (int32_t)syscall(SYS_gettid) : 0;
    publish(&entry->id, new_id(segment));
    return (unsigned)index + 1;
}

void lfset__retired_gone(unsigned note, const void *address)
{
    struct lfset__segment *segment = lfset__segment_now();
    if (note > 0 && segment) {
        struct lfset__retired_entry *entry = entry_of(segment, &segment->retired, note - 1);
        // In a forked child the entry may have been lost (forget_others), and be another's.
        if (entry->address == (uint64_t)(uintptr_t)address) {
            release(segment, &segment->retired, &segment->search_retired, entry, &entry->id);
        }
    }
}

/* ---- events -------------------------------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const char *from)
{
    memset(to, 0, size);
    if (from) {
        memcpy(to, from, strnlen(from, size - 1));
    }
}

void lfset__event_note(struct lfset_event *event)
{
    struct lfset__segment *segment = lfset__segment_now();
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    event->size = sizeof *event;
    event->time_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    if (!segment) {
        return;
    }
    event->number = atomic_fetch_add_explicit(&segment->events_count, 1, memory_order_relaxed) + 1;
    struct lfset__event_entry *entry =
        entry_of(segment, &segment->events, (event->number - 1) % segment->events.count);
    unpublish(&entry->id, FREE);
    entry->time_ns = event->time_ns;
    entry->kind = event->kind;
    entry->severity = event->severity;
    entry->set_id = event->set_id;
    copy_text(entry->set, sizeof entry->set, event->set);
    entry->tid = event->tid;
    entry->stack = event->stack;
    copy_text(entry->thread, sizeof entry->thread, event->thread);
    entry->value = event->value;
    entry->limit = event->limit;
    entry->seconds = event->seconds;
    entry->confidence = event->confidence;
    entry->objects = event->objects;
    entry->bytes = event->bytes;
    copy_text(entry->text, sizeof entry->text, event->text);
    publish(&entry->id, event->number);
}

/* ---- fork ---------------------------------------------------------------------------------------- */

void lfset__registry_before_fork(void)
{
    pthread_mutex_lock(&lock);
    forked_ns = lfset__now_ns();
}

void lfset__registry_after_fork_in_parent(void)
{
    pthread_mutex_unlock(&lock);
}

/* The child's copy of the segment is a little younger than the child: other threads of the parent went on
 * creating, destroying and retiring. What names the child's sets is put back; what came into the tables
 * since, and what was being written, is taken out. (Counters of a set that others were changing at that
 * moment stay as the parent had them when it was copied.) */
static void sets_again(struct lfset__segment *segment)
{
    uint32_t used = atomic_load_explicit(&segment->search_sets.used, memory_order_relaxed);
    uint32_t listed = 0;
    for (uint32_t i = 0; i < used; i++) {
        struct lfset__record *record = entry_of(segment, &segment->sets, i);
        publish(&record->id, FREE);
    }
    for (struct lfset__about *about = first; about; about = about->next) {
        about->pins = about == pinned; // by this thread, which may go on with its look
        record_fill(about);
        lfset__about_show_retired(about);
        publish(&about->record->id, about->id);
        listed += !about->alone;
    }
    atomic_store_explicit(&segment->search_sets.taken, listed, memory_order_relaxed);
}

static void retired_again(struct lfset__segment *segment)
{
    uint32_t used = atomic_load_explicit(&segment->search_retired.used, memory_order_relaxed);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < used; i++) {
        struct lfset__retired_entry *entry = entry_of(segment, &segment->retired, i);
        uint64_t id = atomic_load_explicit(&entry->id, memory_order_relaxed);
        if (id == WRITING || (id != FREE && entry->retired_ns >= forked_ns)) {
            publish(&entry->id, FREE);
        } else {
            kept += id != FREE;
        }
    }
    atomic_store_explicit(&segment->search_retired.taken, kept, memory_order_relaxed);
}

/* Threads other than this one do not exist here. */
static void threads_again(struct lfset__segment *segment, struct lfset__thread_slot *mine)
{
    for (uint32_t i = 0; i < segment->threads.count; i++) {
        struct lfset__thread_slot *slot = entry_of(segment, &segment->threads, i);
        if (slot != mine && atomic_load_explicit(&slot->id, memory_order_relaxed) != FREE) {
            publish(&slot->id, FREE);
        }
    }
    atomic_store_explicit(&segment->search_threads.taken, mine != NULL, memory_order_relaxed);
    if (mine) {
        mine->tid = (int32_t)syscall(SYS_gettid);
    }
}

void lfset__registry_after_fork_in_child(struct lfset__thread_slot *mine)
{
    lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    unpinned = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    lfset__segment_after_fork_in_child();
    struct lfset__segment *segment = lfset__segment_now();
    if (segment) {
        threads_again(segment, mine);
        sets_again(segment);
        retired_again(segment);
    }
}

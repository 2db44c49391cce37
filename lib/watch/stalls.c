// SPDX-License-Identifier: MIT
/**
 * @file stalls.c
 * Finding stalled readers, in the manner of the kernel's RCU stall reports.
 *
 * What counts as one stay. A look sees moments. That a thread was found reading at ten looks does not mean
 * that it was reading all the time, and a busy thread must never be taken for one that sleeps. So each kind of
 * stay has something that tells one from the next:
 *   - a section: its thread's `section` word changes at every outermost enter and leave. The same odd value is
 *     the same section.
 *   - a hazard: counts only while it names an object that is retired, by the same entry in the table of what is
 *     retired. Root has moved on from such an object, so whoever publishes it anew fails the check that
 *     follows (hp.h) and lets go at once: a hazard that names the object at two looks was there all the time. A
 *     hazard on a slice in use holds nothing back.
 *   - an RCU critical section outside our sections (the program's own, or an operation in whose callback
 *     somebody sleeps): at every look the reader's phase was an old one, so the grace period waited for it; and
 *     something that was retired a stall's time ago has not been freed in all that time. A grace period under way
 *     waits for no section that began after it, so at most one such section can have followed another (the
 *     object may have been retired during one grace period and wait for the end of the next).
 *   - none of these, and yet what was retired under RCU is not freed for so long: a reader that is not known.
 *     That is a thread that has no entry in the registry, or one that liburcu knows and the library does not.
 * A thread has one stall at a time, the first of these that lasts too long, and it is over when that
 * stay is. "For so long" is from the first look that saw it. How it is seen: readers.c.
 */
#define _GNU_SOURCE
#include "watch/stalls.h"

#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "platform/probes.h"
#include "record/registry.h"
#include "watch/readers.h"
#include "watch/watcher.h"

/* ---- this look ----------------------------------------------------------------------------------- */

static struct lfset__readers seen;

static struct {
    const struct lfset_watch_options *options;
    uint64_t now_ns;
    uint64_t previous_id; // the highest id in use at the look before,
    uint64_t last_id;     // and at this one
} look;

/* ---- what is remembered from look to look -------------------------------------------------------- */

/* What somebody holds back. */
struct held {
    uint64_t objects, bytes;
    uint64_t set_id; // whose the largest of them is; 0: not known
    uint64_t largest;
};

/* A stay. */
struct stay {
    uint64_t since_ns;    // first seen; 0: there is none
    uint64_t last_id;     // ids as of then,
    uint64_t previous_id; // and as of the look before, when it was not seen
    uint64_t unlisted_objects, unlisted_bytes;
};

struct hazard {
    uint64_t address, since_ns;
    uint64_t entry, held_ns; // what is retired there, and since when both were seen
};

enum cause { NOTHING, SECTION, HAZARD, READING };

static struct thread {
    uint64_t id; // 0: none
    int tid;
    char name[sizeof((struct lfset__thread_slot *)0)->name];
    uint64_t section_value;
    struct stay section, reading;
    struct hazard hazards[LFSET_HP_SLOTS];
    enum lfset__rcu_state rcu;
    // The stall that was told and is not over.
    enum cause cause;
    uint64_t since_ns, what; // `what`: value of the section, entry of what the hazard names
    struct held held;
} threads[LFSET__THREADS];

/* The stall of a reader that is not known. */
static struct {
    uint64_t waiting_ns; // so long something waits, and nobody that is known may be why; 0: no
    uint64_t entry;      // that waits; 0: not told
    uint64_t since_ns;
    struct held held;
} nobody;

static uint64_t load(const _Atomic(uint64_t) *word)
{
    return atomic_load_explicit((_Atomic(uint64_t) *)(uintptr_t)word, memory_order_relaxed);
}

static void store(_Atomic(uint64_t) *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* ---- stays --------------------------------------------------------------------------------------- */

static void stay_begin(struct stay *stay)
{
    *stay = (struct stay){look.now_ns, look.last_id, look.previous_id, seen.unlisted_objects,
                          seen.unlisted_bytes};
}

static uint64_t lasted(uint64_t since_ns)
{
    return since_ns && look.now_ns > since_ns ? look.now_ns - since_ns : 0;
}

/* How long the oldest of what is retired has been waiting for a grace period. */
static uint64_t oldest_waits(void)
{
    return seen.oldest ? lasted(seen.oldest->retired_ns) : 0;
}

static void update_hazard(struct hazard *hazard, uint64_t address)
{
    const struct lfset__garbage *retired = address ? lfset__garbage_at(&seen, address) : NULL;
    if (hazard->address != address) {
        *hazard = (struct hazard){.address = address, .since_ns = address ? look.now_ns : 0};
    }
    if (hazard->entry != (retired ? retired->id : 0)) {
        hazard->entry = retired ? retired->id : 0;
        hazard->held_ns = retired ? look.now_ns : 0;
    }
}

static void update_stays(struct thread *thread, struct lfset__thread_slot *slot,
                         const struct lfset__glimpse *glimpse)
{
    uint64_t section = load(&slot->section);
    if (section % 2 == 0) {
        thread->section.since_ns = 0;
    } else if (!thread->section.since_ns || thread->section_value != section) {
        stay_begin(&thread->section);
    }
    thread->section_value = section;
    bool known = glimpse->id == thread->id; // else the record went to another thread meanwhile
    thread->rcu = known ? glimpse->rcu : LFSET__RCU_UNKNOWN;
    if (thread->rcu != LFSET__RCU_DELAYS || thread->section.since_ns) {
        thread->reading.since_ns = 0;
    } else if (!thread->reading.since_ns) {
        stay_begin(&thread->reading);
    }
    for (unsigned i = 0; i < LFSET_HP_SLOTS; i++) {
        update_hazard(&thread->hazards[i], known ? glimpse->hazards[i] : 0);
    }
}

static void show_stays(const struct thread *thread, struct lfset__thread_slot *slot)
{
    store(&slot->section_since_ns, thread->section.since_ns);
    store(&slot->stalled, thread->cause != NOTHING);
    for (unsigned i = 0; i < LFSET_HP_SLOTS; i++) {
        store(&slot->hazards[i], thread->hazards[i].address);
        store(&slot->hazard_since_ns[i], thread->hazards[i].since_ns);
    }
    store(&slot->reading, thread->rcu == LFSET__RCU_READS || thread->rcu == LFSET__RCU_DELAYS);
}

/* ---- what a thread holds back -------------------------------------------------------------------- */

static void hold(struct held *held, const struct lfset__garbage *retired)
{
    held->objects++;
    held->bytes += retired->bytes;
    if (retired->bytes >= held->largest) {
        held->largest = retired->bytes;
        held->set_id = retired->set_id;
    }
}

static uint64_t above(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

/* Retired under RCU since the stay was first seen. */
static struct held held_by_stay(const struct stay *stay)
{
    struct held held = {.objects = above(seen.unlisted_objects, stay->unlisted_objects),
                        .bytes = above(seen.unlisted_bytes, stay->unlisted_bytes)};
    for (unsigned i = 0; i < seen.garbage_count; i++) {
        const struct lfset__garbage *retired = &seen.garbage[i];
        if (retired->domain == LFSET_RCU && retired->id > stay->last_id) {
            hold(&held, retired);
        }
    }
    return held;
}

static struct held held_by_thread(const struct thread *thread)
{
    struct held held = {0};
    if (thread->rcu != LFSET__RCU_QUIET) {
        if (thread->section.since_ns) {
            held = held_by_stay(&thread->section);
        } else if (thread->reading.since_ns) {
            held = held_by_stay(&thread->reading);
        }
    }
    for (unsigned i = 0; i < LFSET_HP_SLOTS; i++) {
        const struct lfset__garbage *retired = lfset__garbage_with(&seen, thread->hazards[i].entry);
        bool counted = false;
        for (unsigned before = 0; before < i; before++) {
            counted = counted || thread->hazards[before].entry == thread->hazards[i].entry;
        }
        if (retired && !counted) {
            hold(&held, retired);
        }
    }
    return held;
}

/* ---- telling ------------------------------------------------------------------------------------- */

/* A name for an address: the file and the offset in it, as addr2line wants it of a position-independent one. */
static void site_name(char *name, size_t size, uint64_t address)
{
    Dl_info info;
    if (!address) {
        snprintf(name, size, "an unknown place");
    } else if (dladdr((const void *)(uintptr_t)address, &info) && info.dli_fname) {
        const char *slash = strrchr(info.dli_fname, '/');
        snprintf(name, size, "%.32s+%#" PRIx64, slash ? slash + 1 : info.dli_fname,
                 address - (uint64_t)(uintptr_t)info.dli_fbase);
    } else {
        snprintf(name, size, "%#" PRIx64, address);
    }
}

static void set_name(char *name, size_t size, uint64_t id)
{
    struct lfset__about *about = id ? lfset__registry_find(id) : NULL;
    snprintf(name, size, "%s", about ? about->name : "");
    if (about) {
        lfset__registry_unpin(about);
    }
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

static void grace_text(char *text, size_t size, const struct thread *thread)
{
    if (thread->rcu == LFSET__RCU_QUIET) {
        snprintf(text, size, "not reading under RCU");
    } else if (seen.oldest) {
        snprintf(text, size, "grace period due for %.1f s", seconds(oldest_waits()));
    } else {
        snprintf(text, size, "no grace period due");
    }
}

static struct lfset_event event_of(enum lfset_event_kind kind, uint64_t since_ns, struct held held,
                                   const char *text)
{
    return (struct lfset_event){.kind = kind,
                                .severity = kind == LFSET_EVENT_STALL ? LFSET_WARNING : LFSET_INFO,
                                .value = seconds(lasted(since_ns)),
                                .limit = seconds(look.options->stall_ns),
                                .seconds = seconds(lasted(since_ns)),
                                .objects = held.objects,
                                .bytes = held.bytes,
                                .set_id = held.set_id,
                                .text = text};
}

static void tell(struct lfset_event *event)
{
    char set[sizeof((struct lfset__about *)0)->name];
    uint64_t lasted_ns = (uint64_t)(event->seconds * 1e9);
    set_name(set, sizeof set, event->set_id);
    event->set = set;
    if (event->kind == LFSET_EVENT_STALL) {
        store(&seen.segment->stalls, load(&seen.segment->stalls) + 1); // nobody else does
        lfset__probe(stall__start, event->tid, lasted_ns, event->objects, event->bytes,
                     event->thread);
    } else {
        lfset__probe(stall__done, event->tid, lasted_ns, event->objects, event->bytes,
                     event->thread);
    }
    lfset__watch_tell(look.options, event);
}

enum { TEXT = 256 }; // the registry's ring keeps half of it

static void tell_stall(const struct thread *thread, struct lfset__thread_slot *slot)
{
    char text[TEXT], where[64], grace[64];
    // [section.site]
    uint64_t site = atomic_load_explicit(&slot->section_site, memory_order_acquire);
    uint64_t stack = atomic_load_explicit(&slot->section_stack, memory_order_acquire);
    if (load(&slot->section) != thread->section_value) {
        site = stack = 0;
    }
    int at = snprintf(text, sizeof text, "%s/%d ", thread->name, thread->tid);
    grace_text(grace, sizeof grace, thread);
    double lasts = seconds(lasted(thread->since_ns));
    if (thread->cause == SECTION) {
        site_name(where, sizeof where, site);
        snprintf(text + at, sizeof text - (size_t)at, "in a section for %.1f s, entered at %s; ",
                 lasts, where);
    } else if (thread->cause == HAZARD) {
        const struct lfset__garbage *retired = lfset__garbage_with(&seen, thread->what);
        snprintf(text + at, sizeof text - (size_t)at, "holds a hazard on %#" PRIx64 " for %.1f s; ",
                 retired ? retired->address : 0, lasts);
    } else {
        snprintf(text + at, sizeof text - (size_t)at,
                 "reads under RCU, in no section, for %.1f s; ", lasts);
    }
    at = (int)strlen(text);
    snprintf(text + at, sizeof text - (size_t)at,
             "holds back %" PRIu64 " objects, %" PRIu64 " bytes%s%s", thread->held.objects,
             thread->held.bytes, thread->cause == HAZARD ? "" : "; ",
             thread->cause == HAZARD ? "" : grace);
    struct lfset_event event = event_of(LFSET_EVENT_STALL, thread->since_ns, thread->held, text);
    event.tid = thread->tid;
    event.thread = thread->name;
    event.stack = thread->cause == SECTION ? (unsigned)stack : 0;
    tell(&event);
}

static void tell_end(const struct thread *thread, const char *how)
{
    char text[TEXT];
    snprintf(text, sizeof text,
             "%s/%d %s after %.1f s; it held back %" PRIu64 " objects, %" PRIu64 " bytes",
             thread->name, thread->tid, how, seconds(lasted(thread->since_ns)),
             thread->held.objects, thread->held.bytes);
    struct lfset_event event =
        event_of(LFSET_EVENT_STALL_END, thread->since_ns, thread->held, text);
    event.tid = thread->tid;
    event.thread = thread->name;
    tell(&event);
}

/* ---- a thread's stall ---------------------------------------------------------------------------- */

static bool is_over(const struct thread *thread)
{
    if (thread->cause == SECTION) {
        return !thread->section.since_ns || thread->section_value != thread->what;
    }
    if (thread->cause == READING) {
        return !thread->reading.since_ns;
    }
    for (unsigned i = 0; i < LFSET_HP_SLOTS; i++) {
        if (thread->hazards[i].entry == thread->what) {
            return false;
        }
    }
    return true;
}

/* Finds the first stay that lasts too long. @return whether there is one. */
static bool find_stall(struct thread *thread)
{
    uint64_t most = look.options->stall_ns;
    thread->cause = NOTHING;
    if (lasted(thread->section.since_ns) >= most) {
        thread->cause = SECTION;
        thread->since_ns = thread->section.since_ns;
        thread->what = thread->section_value;
    } else if (lasted(thread->reading.since_ns) >= most && oldest_waits() >= most) {
        thread->cause = READING;
        thread->since_ns = thread->reading.since_ns;
    }
    for (unsigned i = 0; i < LFSET_HP_SLOTS && thread->cause == NOTHING; i++) {
        if (lasted(thread->hazards[i].held_ns) >= most) {
            thread->cause = HAZARD;
            thread->since_ns = thread->hazards[i].held_ns;
            thread->what = thread->hazards[i].entry;
        }
    }
    return thread->cause != NOTHING;
}

static const char *end_of(enum cause cause)
{
    return cause == SECTION  ? "left its section"
           : cause == HAZARD ? "let go of its hazard"
                             : "stopped reading under RCU";
}

static void update_stall(struct thread *thread, struct lfset__thread_slot *slot)
{
    if (thread->cause != NOTHING && is_over(thread)) {
        struct thread was = *thread;
        thread->cause = NOTHING;
        tell_end(&was, end_of(was.cause));
    }
    bool is_new = thread->cause == NOTHING && find_stall(thread);
    if (thread->cause != NOTHING) {
        thread->held = held_by_thread(thread);
    }
    show_stays(thread, slot);
    if (is_new) {
        tell_stall(thread, slot);
    }
}

/* ---- threads ------------------------------------------------------------------------------------- */

static void thread_ended(struct thread *thread, struct lfset__thread_slot *slot)
{
    struct thread was = *thread;
    *thread = (struct thread){.id = 0};
    show_stays(thread, slot);
    if (was.cause != NOTHING) {
        tell_end(&was, "ended");
    }
}

/* @return false: the entry was given up meanwhile. */
static bool thread_begins(struct thread *thread, struct lfset__thread_slot *slot, uint64_t id)
{
    struct lfset__thread_slot copy;
    if (!lfset__entry_copy(&copy, slot, sizeof copy, &slot->id, id)) {
        return false;
    }
    *thread = (struct thread){.id = id, .tid = copy.tid};
    memcpy(thread->name, copy.name, sizeof thread->name);
    thread->name[sizeof thread->name - 1] = '\0';
    return true;
}

static void look_at_thread(unsigned index)
{
    struct thread *thread = &threads[index];
    struct lfset__thread_slot *slot = lfset__slot_at(seen.segment, index);
    uint64_t id = atomic_load_explicit(&slot->id, memory_order_acquire); // [record.id]
    if (thread->id && thread->id != id) {
        thread_ended(thread, slot);
    }
    if (id <= 1 || (!thread->id && !thread_begins(thread, slot, id))) {
        return;
    }
    update_stays(thread, slot, &seen.glimpses[index]);
    update_stall(thread, slot);
}

/* ---- a reader that is not known ------------------------------------------------------------------ */

/* Whether a thread that is known may be why the oldest object is not freed. */
static bool is_suspect(const struct thread *thread)
{
    return thread->rcu == LFSET__RCU_DELAYS ||
           (thread->section.since_ns && thread->rcu != LFSET__RCU_QUIET &&
            thread->section.previous_id < seen.oldest->id);
}

static bool somebody_is_suspect(void)
{
    for (unsigned i = 0; i < lfset__slots_used(seen.segment); i++) {
        if (threads[i].id && is_suspect(&threads[i])) {
            return true;
        }
    }
    return false;
}

static struct held held_by_nobody(void)
{
    struct held held = {.objects = seen.unlisted_objects, .bytes = seen.unlisted_bytes};
    for (unsigned i = 0; i < seen.garbage_count; i++) {
        if (seen.garbage[i].domain == LFSET_RCU) {
            hold(&held, &seen.garbage[i]);
        }
    }
    return held;
}

static void look_for_nobody(void)
{
    char text[TEXT];
    if (nobody.entry && !lfset__garbage_with(&seen, nobody.entry)) {
        snprintf(text, sizeof text,
                 "the reader that was not known let a grace period end after %.1f s; it held back "
                 "%" PRIu64 " objects, %" PRIu64 " bytes",
                 seconds(lasted(nobody.since_ns)), nobody.held.objects, nobody.held.bytes);
        struct lfset_event event =
            event_of(LFSET_EVENT_STALL_END, nobody.since_ns, nobody.held, text);
        nobody.entry = 0;
        tell(&event);
    }
    // For so long at every look, because when a reader that was known ends its stay, the grace period takes a
    // while yet.
    if (!seen.oldest || somebody_is_suspect()) {
        nobody.waiting_ns = 0;
    } else if (!nobody.waiting_ns) {
        nobody.waiting_ns = look.now_ns;
    }
    if (nobody.entry) {
        nobody.held = held_by_nobody();
    } else if (lasted(nobody.waiting_ns) >= look.options->stall_ns &&
               oldest_waits() >= look.options->stall_ns) {
        nobody.entry = seen.oldest->id;
        nobody.since_ns = seen.oldest->retired_ns;
        nobody.held = held_by_nobody();
        snprintf(
            text, sizeof text,
            "an RCU reader that is not known, in no section, delays the grace period for %.1f s; "
            "holds back %" PRIu64 " objects, %" PRIu64 " bytes",
            seconds(oldest_waits()), nobody.held.objects, nobody.held.bytes);
        struct lfset_event event = event_of(LFSET_EVENT_STALL, nobody.since_ns, nobody.held, text);
        tell(&event);
    }
}

void lfset__stalls_look(const struct lfset_watch_options *options, uint64_t now_ns)
{
    look.options = options;
    look.now_ns = now_ns;
    look.previous_id = look.last_id;
    look.last_id = load(&lfset__segment_now()->next_id);
    lfset__readers_look(&seen);
    for (unsigned i = 0; i < lfset__slots_used(seen.segment); i++) {
        look_at_thread(i);
    }
    look_for_nobody();
}

void lfset__stalls_after_fork_in_child(void)
{
    memset(threads, 0, sizeof threads);
    memset(&nobody, 0, sizeof nobody);
    seen.segment = lfset__segment_now();
    for (unsigned i = 0; seen.segment && i < lfset__slots_used(seen.segment); i++) {
        show_stays(&threads[i], lfset__slot_at(seen.segment, i));
    }
}

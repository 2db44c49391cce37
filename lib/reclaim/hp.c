// SPDX-License-Identifier: MIT
/**
 * @file hp.c
 * Hazard pointers: records, retired stacks, scan.
 *
 * Each thread has a record, taken from a list that only grows and given back when the thread ends.
 * What a thread retires goes on its record's stack (ck_stack: the owner pushes, anyone takes all).
 * A scan takes a stack, reads all hazards, reclaims what none of them names and pushes the rest
 * back. It reads the hazards in batches of fixed size, so it needs no memory and any number of them
 * is safe. (ck 0.7.1's own ck_hp collects them into a cache of 512 and overruns it.)
 *
 * A scan runs at the end of an operation, when it has cleared its own hazards (unless in a section), one
 * of which names what it just retired.
 *
 * Bound. An object survives a scan only if a hazard names it. A record is scanned when it holds
 * SCAN_OBJECTS objects or SCAN_BYTES bytes more than its last scan had to leave. An object is on one
 * record only. So T threads hold back at most T * LFSET_HP_SLOTS objects that are named by hazards at
 * the time, what scans had to leave of such objects that were let go since (at most as many per
 * record, until its next scan), and per record less than SCAN_OBJECTS objects and SCAN_BYTES bytes
 * plus one operation's.
 *
 * Progress. retire and scan never wait for another thread (but for a fork under way).
 */
#define _GNU_SOURCE
#include "reclaim/hp.h"

/* ck's builtins flavour loads without atomics, which ThreadSanitizer reports; its assembly is
 * invisible to it, and the edges are told by hand (push, take). */
#undef CK_USE_CC_BUILTINS
#include <ck_stack.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "platform/probes.h"
#include "platform/tsan.h"
#include "record/registry.h"

#define SCAN_OBJECTS 64
#define SCAN_BYTES ((size_t)64 * 1024)
#define BATCH 512

struct record {
    struct lfset__thread thread; // first: the list links these
    _Alignas(LFSET__LINE) struct ck_stack retired;
    // What this record holds and how much of it the last scan left; the owner's, roughly.
    size_t objects, bytes, left_objects, left_bytes;
};

struct lfset__account lfset__hp_account = LFSET__ACCOUNT_INIT(LFSET_HP);
bool lfset__hp_fences;

static _Atomic(struct lfset__thread *) records;

static int membarrier(int command)
{
    return (int)syscall(__NR_membarrier, command, 0, 0);
}

void lfset__hp_init(void)
{
    lfset__hp_fences = membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) != 0;
}

static struct record *record_of(struct lfset__thread *thread)
{
    return (struct record *)thread;
}

static struct ck_stack_entry *link_of(struct lfset__retired *retired)
{
    return (struct ck_stack_entry *)(void *)retired->opaque;
}

static struct lfset__retired *retired_of(struct ck_stack_entry *link)
{
    return (struct lfset__retired *)(void *)((char *)link -
                                             offsetof(struct lfset__retired, opaque));
}

struct lfset__thread *lfset__hp_thread_acquire(void)
{
    for (struct lfset__thread *t = lfset__load_acq(&records); t; t = t->next) {
        bool idle = false;
        // [record.reuse] seq_cst CAS: pairs with the release store in thread_release and carries
        // the previous owner's counts.
        if (!lfset__load_rlx(&t->in_use) && lfset__cas_sc(&t->in_use, &idle, true)) {
            return t;
        }
    }
    struct record *record = aligned_alloc(LFSET__LINE, sizeof *record);
    if (!record) {
        return NULL;
    }
    *record = (struct record){.thread.lane = lfset__lane_take()};
    ck_stack_init(&record->retired);
    lfset__store_rlx(&record->thread.in_use, true);
    record->thread.next = lfset__load_rlx(&records);
    // [record.publish] seq_cst CAS: pairs with the acquire loads of `records`; the record is whole.
    while (!lfset__cas_sc(&records, &record->thread.next, &record->thread)) {
    }
    return &record->thread;
}

struct lfset__thread *lfset__hp_threads(void)
{
    return lfset__load_acq(&records); // [record.publish]
}

/* ck_stack_push_upmc with the edge told in its midst: between the store of the link, the last access
 * to the object, and the CAS. */
static void push(struct record *record, struct lfset__retired *retired)
{
    struct ck_stack_entry *link = link_of(retired), *head;
    lfset__hook_call(LFSET__HOOK_RMW, &record->retired);
    do {
        head = ck_pr_load_ptr(&record->retired.head);
        link->next = head;
        ck_pr_fence_store_atomic();
        lfset__tsan_release(&record->retired);
    } while (!ck_pr_cas_ptr(&record->retired.head, head, link));
}

/* Takes everything off a stack and puts it in front of `list`. */
static struct lfset__retired *take(struct record *record, struct lfset__retired *list)
{
    lfset__hook_call(LFSET__HOOK_RMW, &record->retired);
    struct ck_stack_entry *entry = ck_stack_batch_pop_upmc(&record->retired);
    lfset__tsan_acquire(&record->retired);
    while (entry) {
        struct lfset__retired *retired = retired_of(entry);
        entry = entry->next;
        link_of(retired)->next = list ? link_of(list) : NULL;
        list = retired;
    }
    return list;
}

static struct lfset__retired *next_of(struct lfset__retired *retired)
{
    struct ck_stack_entry *next = link_of(retired)->next;
    return next ? retired_of(next) : NULL;
}

static int by_address(const void *a, const void *b)
{
    uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
    return (x > y) - (x < y);
}

static void mark_held(struct lfset__retired *list, uintptr_t *hazards, size_t count)
{
    qsort(hazards, count, sizeof *hazards, by_address);
    for (struct lfset__retired *r = list; r; r = next_of(r)) {
        uintptr_t address = (uintptr_t)r->address;
        r->held = r->held || bsearch(&address, hazards, count, sizeof *hazards, by_address);
    }
}

/* Every reader that validated before now is visible to the loads that follow. Without that nothing
 * may be reclaimed. */
static bool heavy_fence(void)
{
    lfset__fence_sc();
    return lfset__hp_fences || membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
}

static void mark_all_held(struct lfset__retired *list)
{
    if (!heavy_fence()) { // forbidden since we probed: keep everything rather than guess
        for (struct lfset__retired *r = list; r; r = next_of(r)) {
            r->held = true;
        }
        return;
    }
    uintptr_t hazards[BATCH];
    size_t count = 0;
    for (struct lfset__thread *t = lfset__load_acq(&records); t; t = t->next) { // [record.publish]
        for (unsigned slot = 0; slot < LFSET_HP_SLOTS; slot++) {
            // [hazard.publish] acquire: whoever published something else since is done with ours.
            const void *hazard = lfset__load_acq(&t->hazards[slot]);
            if (hazard) {
                hazards[count++] = (uintptr_t)hazard;
            }
            if (count == BATCH) {
                mark_held(list, hazards, count);
                count = 0;
            }
        }
    }
    mark_held(list, hazards, count);
}

/* Reclaims what no hazard names, and what belongs to `dying`; the rest goes on `record`. */
static void scan(struct record *record, struct lfset__retired *list, const void *dying)
{
    if (!list) {
        return;
    }
    for (struct lfset__retired *r = list; r; r = next_of(r)) {
        r->held = false;
    }
    lfset__probe(reclaim__start, LFSET_HP);
    mark_all_held(list);
    size_t objects = 0, bytes = 0, reclaimed = 0, reclaimed_bytes = 0;
    while (list) {
        struct lfset__retired *r = list;
        list = next_of(r);
        if (r->held && r->owner != dying) {
            objects++;
            bytes += r->bytes;
            push(record, r);
        } else {
            reclaimed++;
            reclaimed_bytes += r->bytes;
            lfset__account_reclaim(&lfset__hp_account, r);
        }
    }
    lfset__probe(reclaim__done, LFSET_HP, reclaimed, reclaimed_bytes, objects, bytes);
    record->objects = record->left_objects = objects;
    record->bytes = record->left_bytes = bytes;
}

/* Besides the own stack takes those of records that have no thread now: orphans are adopted. */
static void scan_own(struct record *record)
{
    if (record->thread.scanning || lfset__local.ending || !lfset__fork_trylock_shared()) {
        return; // within a callback, or a fork is under way; the next retire tries again
    }
    record->thread.scanning = true;
    struct lfset__retired *list = take(record, NULL);
    // A barrier may have taken everything before: without this every operation would scan in vain.
    record->objects = record->left_objects = record->bytes = record->left_bytes = 0;
    for (struct lfset__thread *t = lfset__load_acq(&records); t; t = t->next) {
        if (!lfset__load_rlx(&t->in_use)) {
            list = take(record_of(t), list);
        }
    }
    scan(record, list, NULL);
    record->thread.scanning = false;
    lfset__fork_unlock();
}

static void scan_everything(const void *dying)
{
    struct record *record = record_of(lfset__self);
    lfset__fork_lock_shared();
    record->thread.scanning = true;
    struct lfset__retired *list = NULL;
    for (struct lfset__thread *t = lfset__load_acq(&records); t; t = t->next) {
        list = take(record_of(t), list);
    }
    scan(record, list, dying);
    record->thread.scanning = false;
    lfset__fork_unlock();
}

void lfset__hp_retire(struct lfset__thread *self, struct lfset__retired *retired)
{
    struct record *record = record_of(self);
    size_t bytes = retired->bytes; // a scan may free the object as soon as it is pushed
    lfset__account_retire(&lfset__hp_account, retired);
    push(record, retired);
    record->objects++;
    record->bytes += bytes;
}

void lfset__hp_settle(struct lfset__thread *self)
{
    struct record *record = record_of(self);
    if (self->sections == 0) {
        lfset__hp_clear(self);
    }
    if (record->objects - record->left_objects >= SCAN_OBJECTS ||
        record->bytes - record->left_bytes >= SCAN_BYTES) {
        scan_own(record);
    }
}

void lfset__hp_scan(struct lfset__thread *self)
{
    scan_own(record_of(self));
}

void lfset__hp_thread_release(struct lfset__thread *self)
{
    lfset__store_rel(&self->in_use, false); // [record.reuse]
}

void lfset__hp_barrier(void)
{
    lfset__account_barrier(&lfset__hp_account, scan_everything);
}

void lfset__hp_drain(const void *owner, _Atomic(int64_t) *pending)
{
    lfset__account_wait(pending, scan_everything, owner);
}

/* The other threads do not exist here: nothing of theirs is held, their records are free. */
void lfset__hp_after_fork_in_child(struct lfset__thread *self)
{
    lfset__account_after_fork(&lfset__hp_account);
    for (struct lfset__thread *t = lfset__load_acq(&records); t; t = t->next) {
        if (t != self) {
            lfset__hp_clear(t);
            t->slot = NULL;
            t->reader = NULL;
            t->sections = 0;
            t->rcu_open = false;
            t->scanning = false;
            t->kept = NULL; // its references stay; who held them does not exist here
            t->kept_count = t->kept_promised = t->kept_room = 0;
            lfset__store_rlx(&t->in_use, false);
        }
    }
    lfset__hp_init();
}

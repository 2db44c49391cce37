// SPDX-License-Identifier: MIT
/**
 * @file readers.c
 * Reading what other threads write meanwhile.
 *   - Thread records (hp.h) are never freed. A record's slot says which entry its hazards belong to: it is loaded
 *     before the hazards and after them, and with it the entry's id, which never comes twice.
 *   - Hazards are loaded (acquire: [hazard.publish]) and compared, never followed: nothing here protects what
 *     they name.
 *   - Entries of tables are copied and then checked by their id: [record.id], segment.h. In C's terms the copy
 *     races with whoever claims the entry next; what it got is thrown away then. ThreadSanitizer is told.
 *   - Site and stack of a section: [section.site] stored (release) after the word that says "open", loaded
 *     (acquire) before that word is looked at once more. If they are the next section's, the word has changed.
 *   - Readers of liburcu's: rcu.c, lfset__rcu_state.
 */
#include "watch/readers.h"

#include "reclaim/hp.h"
#include "record/registry.h"

static void *entry_of(struct lfset__segment *segment, const struct lfset__table *table,
                      uint64_t index)
{
    return (char *)segment + table->offset + index * table->stride;
}

unsigned lfset__slots_used(struct lfset__segment *segment)
{
    return atomic_load_explicit(&segment->search_threads.used, memory_order_relaxed);
}

struct lfset__thread_slot *lfset__slot_at(struct lfset__segment *segment, unsigned index)
{
    return entry_of(segment, &segment->threads, index);
}

/* Copies what somebody may be writing. */
__attribute__((noinline, no_sanitize("thread"))) static void copy_racing(void *to, const void *from,
                                                                         size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        ((unsigned char *)to)[i] = ((const volatile unsigned char *)from)[i];
    }
}

bool lfset__entry_copy(void *to, const void *from, size_t bytes, const _Atomic(uint64_t) *at,
                       uint64_t id)
{
    copy_racing(to, from, bytes);
    atomic_thread_fence(memory_order_acquire); // [record.id]
    return atomic_load_explicit(at, memory_order_relaxed) == id;
}

static void garbage_add(struct lfset__readers *readers, const struct lfset__retired_entry *entry,
                        uint64_t id)
{
    struct lfset__garbage *garbage = &readers->garbage[readers->garbage_count++];
    *garbage = (struct lfset__garbage){.id = id,
                                       .address = entry->address,
                                       .bytes = entry->bytes,
                                       .set_id = entry->set_id,
                                       .retired_ns = entry->retired_ns,
                                       .domain = (enum lfset_domain)entry->domain};
    if (garbage->domain == LFSET_RCU) {
        if (!readers->oldest || id < readers->oldest->id) {
            readers->oldest = garbage;
        }
        uint64_t unlisted = readers->unlisted_bytes;
        readers->unlisted_bytes -= garbage->bytes < unlisted ? garbage->bytes : unlisted;
        readers->unlisted_objects -= readers->unlisted_objects > 0;
    }
}

static void look_at_garbage(struct lfset__readers *readers)
{
    struct lfset_garbage all = {0, 0};
    (void)lfset_garbage_read(LFSET_RCU, &all);
    readers->unlisted_objects = all.objects;
    readers->unlisted_bytes = all.bytes;
    readers->garbage_count = 0;
    readers->oldest = NULL;
    uint32_t used =
        atomic_load_explicit(&readers->segment->search_retired.used, memory_order_relaxed);
    for (uint32_t i = 0; i < used; i++) {
        struct lfset__retired_entry copy,
            *entry = entry_of(readers->segment, &readers->segment->retired, i);
        uint64_t id = atomic_load_explicit(&entry->id, memory_order_acquire); // [record.id]
        if (id > 1 && lfset__entry_copy(&copy, entry, sizeof copy, &entry->id, id) &&
            copy.holder == LFSET_HELD_BY_READERS) {
            garbage_add(readers, &copy, id);
        }
    }
}

static void look_at_record(struct lfset__readers *readers, struct lfset__thread *record)
{
    struct lfset__thread_slot *slot = lfset__load_acq(&record->slot);
    if (!slot || !lfset__load_acq(&record->in_use)) {
        return;
    }
    struct lfset__glimpse glimpse = {.id = atomic_load_explicit(&slot->id, memory_order_acquire)};
    for (unsigned i = 0; i < LFSET_HP_SLOTS; i++) {
        glimpse.hazards[i] = (uint64_t)(uintptr_t)lfset__load_acq(&record->hazards[i]);
    }
    glimpse.rcu = lfset__rcu_state(lfset__load_acq(&record->reader));
    size_t index = (size_t)(slot - lfset__slot_at(readers->segment, 0));
    if (lfset__load_acq(&record->slot) == slot &&
        atomic_load_explicit(&slot->id, memory_order_relaxed) == glimpse.id) {
        readers->glimpses[index] = glimpse;
    }
}

void lfset__readers_look(struct lfset__readers *readers)
{
    readers->segment = lfset__segment_now();
    look_at_garbage(readers);
    for (struct lfset__thread *record = lfset__hp_threads(); record; record = record->next) {
        look_at_record(readers, record);
    }
}

const struct lfset__garbage *lfset__garbage_at(const struct lfset__readers *readers,
                                               uint64_t address)
{
    for (unsigned i = 0; i < readers->garbage_count; i++) {
        if (readers->garbage[i].address == address) {
            return &readers->garbage[i];
        }
    }
    return NULL;
}

const struct lfset__garbage *lfset__garbage_with(const struct lfset__readers *readers, uint64_t id)
{
    for (unsigned i = 0; i < readers->garbage_count; i++) {
        if (readers->garbage[i].id == id) {
            return &readers->garbage[i];
        }
    }
    return NULL;
}

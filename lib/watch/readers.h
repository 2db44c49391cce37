// SPDX-License-Identifier: MIT
/**
 * @file readers.h
 * What a look sees of readers: what each thread protects at a moment, and what is retired and not freed.
 */
#ifndef LFSET__READERS_H
#define LFSET__READERS_H

#include "reclaim/rcu.h"
#include "record/segment.h"

/** An entry of the table of what is retired. */
struct lfset__garbage {
    uint64_t id, address, bytes, set_id, retired_ns;
    enum lfset_domain domain;
};

/** A thread, at a moment. */
struct lfset__glimpse {
    uint64_t id; /**< of the entry of the thread whose glimpse it is: maybe one that has ended */
    uint64_t hazards[LFSET_HP_SLOTS];
    enum lfset__rcu_state rcu;
};

struct lfset__readers {
    struct lfset__segment *segment;
    struct lfset__glimpse glimpses[LFSET__THREADS]; /**< as the entries in the segment */
    struct lfset__garbage garbage[LFSET__RETIRED];
    unsigned garbage_count;
    const struct lfset__garbage *oldest; /**< under RCU; NULL: there is none */
    /** Garbage under RCU that is in no entry. */
    uint64_t unlisted_objects, unlisted_bytes;
};

/** Looks. */
void lfset__readers_look(struct lfset__readers *readers);
/** @return NULL: none. */
const struct lfset__garbage *lfset__garbage_at(const struct lfset__readers *readers,
                                               uint64_t address);
const struct lfset__garbage *lfset__garbage_with(const struct lfset__readers *readers, uint64_t id);

/** How many entries of threads were ever taken: the memory of others is left alone. */
unsigned lfset__slots_used(struct lfset__segment *segment);
/** The entry of a thread. */
struct lfset__thread_slot *lfset__slot_at(struct lfset__segment *segment, unsigned index);
/** Copies an entry of a table whose id was `id`. @return false: it is not any more; what was copied is worthless. */
bool lfset__entry_copy(void *to, const void *from, size_t bytes, const _Atomic(uint64_t) *at,
                       uint64_t id);

#endif

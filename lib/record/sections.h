// SPDX-License-Identifier: MIT
/**
 * @file sections.h
 * Who entered a section: the stack of one entry in so many is kept, so that a section which turns out to
 * be too long can be told from the others. What an entry pays while nobody asked is a load and a test.
 */
#ifndef LFSET__SECTIONS_H
#define LFSET__SECTIONS_H

#include "platform/atomic.h"
#include "record/segment.h"

/** The stack of one section entry in so many is kept; 0: of none. Written by the watcher. */
extern _Atomic(uint32_t) lfset__section_rate;

/** Counts an outermost entry. @param countdown the thread's own. @return whether this one is sampled. */
LFSET__INLINE bool lfset__section_is_due(uint32_t *countdown)
{
    uint32_t rate = atomic_load_explicit(&lfset__section_rate, memory_order_relaxed);
    if (lfset__likely(rate == 0)) {
        return false;
    }
    if (*countdown == 0 || *countdown > rate) { // the rate changed
        *countdown = rate;
    }
    return --*countdown == 0;
}

/** Notes the stack of the caller's caller as that of the slot's thread's section. Takes microseconds. */
void lfset__section_sampled(struct lfset__thread_slot *slot);

#endif

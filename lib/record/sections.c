// SPDX-License-Identifier: MIT
#include "record/sections.h"

#include "record/registry.h"

_Atomic(uint32_t) lfset__section_rate;

__attribute__((noinline)) void lfset__section_sampled(struct lfset__thread_slot *slot)
{
    enum { OURS = 2 }; // frames: this one and lfset_section_enter
    unsigned stack = lfset__stack_note(OURS);
    // [section.site]
    atomic_store_explicit(&slot->section_stack, stack, memory_order_release);
}

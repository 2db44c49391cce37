// SPDX-License-Identifier: MIT
/*
 * Changing stacks: in assembly on x86-64, which costs a few nanoseconds; elsewhere with ucontext,
 * which makes two system calls (EXPLORE_UCONTEXT chooses it, to test it).
 */
#ifndef LFSET_STRESS_EXPLORE_SWITCH_H
#define LFSET_STRESS_EXPLORE_SWITCH_H

#include <stddef.h>

#if defined(__x86_64__) && !defined(EXPLORE_UCONTEXT)
struct switch_context {
    void *stack_pointer;
};
/** Saves the caller in `from` and goes on where `to` was saved. */
void switch_to(struct switch_context *from, struct switch_context *to);
#else
#include <ucontext.h>
struct switch_context {
    ucontext_t context;
};
static inline void switch_to(struct switch_context *from, struct switch_context *to)
{
    swapcontext(&from->context, &to->context);
}
#endif

/** Makes `context` one that begins `entry` (which must not return) on the given stack. */
void switch_make(struct switch_context *context, char *stack, size_t size, void (*entry)(void));

#endif

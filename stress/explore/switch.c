// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "explore/switch.h"

#include <stdint.h>

#if defined(__x86_64__) && !defined(EXPLORE_UCONTEXT)
/* What the ABI lets a called function change need not be saved; nobody touches the control words. */
__asm__(".text\n"
        ".globl switch_to\n"
        ".type switch_to, @function\n"
        "switch_to:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq (%rsi), %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size switch_to, .-switch_to\n");

void switch_make(struct switch_context *context, char *stack, size_t size, void (*entry)(void))
{
    uint64_t *top = (uint64_t *)(void *)(stack + size);
    *--top = 0;                          // a return address nobody uses; aligns as a call would
    *--top = (uint64_t)(uintptr_t)entry; // where switch_to returns to
    for (int registers = 0; registers < 6; registers++) {
        *--top = 0;
    }
    context->stack_pointer = top;
}
#else
void switch_make(struct switch_context *context, char *stack, size_t size, void (*entry)(void))
{
    getcontext(&context->context);
    context->context.uc_stack.ss_sp = stack;
    context->context.uc_stack.ss_size = size;
    context->context.uc_link = NULL;
    makecontext(&context->context, entry, 0);
}
#endif

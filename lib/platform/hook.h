// SPDX-License-Identifier: MIT
/**
 * @file hook.h
 * The seam through which the stress harness and the schedule explorer see every shared access.
 * Compiled in with -DLFSET_HOOKS only; a release build contains nothing of it.
 */
#ifndef LFSET__HOOK_H
#define LFSET__HOOK_H

enum lfset__hook_kind {
    LFSET__HOOK_LOAD,
    LFSET__HOOK_STORE,
    LFSET__HOOK_RMW,
    LFSET__HOOK_FENCE,
    LFSET__HOOK_SPIN, /**< nothing can change for this thread until another one writes */
};

#ifdef LFSET_HOOKS
/** Called before each shared access of the library when not NULL. Set it before threads start. */
extern void (*lfset__hook)(int kind, const volatile void *address);

static inline void lfset__hook_call(int kind, const volatile void *address)
{
    if (lfset__hook) {
        lfset__hook(kind, address);
    }
}
#else
#define lfset__hook_call(kind, address) ((void)0)
#endif

#endif

// SPDX-License-Identifier: MIT
#include "platform/hook.h"

#ifdef LFSET_HOOKS
void (*lfset__hook)(int kind, const volatile void *address);
#else
typedef int lfset__hooks_are_compiled_out; // ISO C wants a declaration in every file
#endif

// SPDX-License-Identifier: MIT
#include "platform/probes.h"

#ifdef LFSET__PROBES
/* Tools find them by the address in the probe's note, and write to them from outside. */
#define SEMAPHORE(name)                                                                            \
    unsigned short lfset_##name##_semaphore __attribute__((section(".probes"), used));
LFSET__PROBES_ALL(SEMAPHORE)
#else
typedef int lfset__probes_are_compiled_out; // ISO C wants a declaration in every file
#endif

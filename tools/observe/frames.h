// SPDX-License-Identifier: MIT
// Call stacks of an observed process, as people read them.
#ifndef LFSET_TOOLS_FRAMES_H
#define LFSET_TOOLS_FRAMES_H

#include <lfset/observation.h>
#include <stdint.h>
#include <stdio.h>

struct frames;

// The observation has to stay as long as the frames. NULL: no memory.
struct frames *frames_open(const struct lfset_observation *observation);
void frames_close(struct frames *frames);

// A call, by its return address: "function file:line", "module+0x12", or the address. Valid until the
// next call.
const char *frame_name(struct frames *frames, uint64_t address);
// Only the function (or module+0x12).
const char *frame_function(struct frames *frames, uint64_t address);

// Calls `call` for each call of a stack, innermost first, inlined ones too, up to main or the thread's function.
void frames_each(struct frames *frames, unsigned stack, void (*call)(const char *name, void *ctx),
                 void *ctx);

// Prints a stack, a line a frame, each after so many blanks; "unknown" if it has none.
void frames_print(struct frames *frames, unsigned stack, int indent, FILE *out);

// How many of the innermost frames are the library's own: up to the function of it that the program called.
unsigned frames_inner(struct frames *frames, const uint64_t *addresses, unsigned depth);
// How many of the outermost frames only lead to main or to a thread's function.
unsigned frames_outer(struct frames *frames, const uint64_t *addresses, unsigned depth);

#endif

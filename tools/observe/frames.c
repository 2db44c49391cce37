// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "frames.h"

#include "show.h"

#include <lfset/profile.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct frames {
    const struct lfset_observation *observation;
    struct lfset_symbols *symbols;
    char name[512];
};

struct frames *frames_open(const struct lfset_observation *observation)
{
    struct frames *frames = calloc(1, sizeof *frames);
    if (!frames)
        return NULL;
    frames->observation = observation;
    if (lfset_symbols_open(&frames->symbols, observation) != 0) {
        free(frames);
        return NULL;
    }
    return frames;
}

void frames_close(struct frames *frames)
{
    if (!frames)
        return;
    lfset_symbols_close(frames->symbols);
    free(frames);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static const char *function_of(struct frames *frames, const struct lfset_frame *frame,
                               uint64_t address)
{
    if (frame->function)
        snprintf(frames->name, sizeof frames->name, "%s", frame->function);
    else if (*frame->module)
        snprintf(frames->name, sizeof frames->name, "%s+0x%llx", base_name(frame->module),
                 (unsigned long long)frame->offset);
    else
        snprintf(frames->name, sizeof frames->name, "0x%llx", (unsigned long long)address);
    show_safe(frames->name);
    return frames->name;
}

static const char *call_of(struct frames *frames, const struct lfset_frame *frame, uint64_t address)
{
    function_of(frames, frame, address);
    size_t length = strlen(frames->name);
    if (frame->file && frame->line)
        snprintf(frames->name + length, sizeof frames->name - length, " %s:%u",
                 base_name(frame->file), frame->line);
    return frames->name;
}

// The calls at an address; at least one.
static int calls_find(struct frames *frames, uint64_t address, const struct lfset_frame **calls)
{
    static const struct lfset_frame unknown = {.module = ""};
    int count = lfset_symbols_find(frames->symbols, address, calls);
    if (count > 0)
        return count;
    *calls = &unknown;
    return 1;
}

const char *frame_function(struct frames *frames, uint64_t address)
{
    const struct lfset_frame *calls;
    int count = calls_find(frames, address, &calls);
    return function_of(frames, &calls[count - 1], address);
}

const char *frame_name(struct frames *frames, uint64_t address)
{
    const struct lfset_frame *calls;
    calls_find(frames, address, &calls);
    return call_of(frames, &calls[0], address);
}

unsigned frames_inner(struct frames *frames, const uint64_t *addresses, unsigned depth)
{
    enum { LIBRARY_MOST = 8 };
    unsigned inner = 0;
    for (unsigned i = 0; i + 1 < depth && i < LIBRARY_MOST; i++)
        if (strncmp(frame_function(frames, addresses[i]), "lfset_", strlen("lfset_")) == 0)
            inner = i + 1;
    return inner;
}

void frames_each(struct frames *frames, unsigned stack, void (*call)(const char *name, void *ctx),
                 void *ctx)
{
    const uint64_t *addresses;
    unsigned depth = lfset_observation_stack(frames->observation, stack, &addresses);
    depth -= frames_outer(frames, addresses, depth);
    for (unsigned i = frames_inner(frames, addresses, depth); i < depth; i++) {
        const struct lfset_frame *calls;
        int count = calls_find(frames, addresses[i], &calls);
        for (int k = 0; k < count; k++)
            call(call_of(frames, &calls[k], addresses[i]), ctx);
    }
}

struct printing {
    FILE *out;
    int indent, count;
};

static void print_one(const char *name, void *ctx)
{
    struct printing *printing = ctx;
    fprintf(printing->out, "%*s%s\n", printing->indent, "", name);
    printing->count++;
}

void frames_print(struct frames *frames, unsigned stack, int indent, FILE *out)
{
    struct printing printing = {out, indent, 0};
    frames_each(frames, stack, print_one, &printing);
    if (printing.count == 0)
        fprintf(out, "%*sunknown\n", indent, "");
}

unsigned frames_outer(struct frames *frames, const uint64_t *addresses, unsigned depth)
{
    static const char *const starts[] = {"_start", "__libc_start", "start_thread", "clone",
                                         "__clone"};
    unsigned outer = 0;
    for (bool again = true; again && outer + 1 < depth; outer += again) {
        const char *name = frame_function(frames, addresses[depth - 1 - outer]);
        again = false;
        for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
            again |= strncmp(name, starts[i], strlen(starts[i])) == 0;
    }
    return outer;
}

// SPDX-License-Identifier: MIT
/**
 * @file stacks.c
 * The segment's tables of call stacks and of loaded files: addresses, which whoever reads them turns into
 * names.
 *
 * A stack is entered once, under the hash of its frames, in a table that only fills up. Linear probing from
 * hash % count, at most PROBES places. An entry is claimed by a CAS of `depth` from 0, written,
 * and published by its id, the hash [record.id]. Two threads that enter the same stack at once may take
 * two entries; both are right.
 */
#define _GNU_SOURCE
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "record/registry.h"

enum { PROBES = 64, SKIP_MOST = 8 };

static pthread_mutex_t modules_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long long modules_seen; // loads and unloads that the table reflects

/* FNV-1a, by words. Never 0. */
static uint64_t hash_of(void *const *frames, unsigned depth)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (unsigned i = 0; i < depth; i++) {
        hash = (hash ^ (uint64_t)(uintptr_t)frames[i]) * UINT64_C(0x100000001b3);
        hash ^= hash >> 29;
    }
    return hash ? hash : 1;
}

static struct lfset__module *module_at(struct lfset__segment *segment, uint64_t index)
{
    return (struct lfset__module *)(void *)((char *)segment + segment->modules.offset +
                                            index * segment->modules.stride);
}

static struct lfset__module module_of(const struct dl_phdr_info *info)
{
    struct lfset__module module = {.base = info->dlpi_addr, .begin = UINT64_MAX};
    for (unsigned i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD) {
            uint64_t begin = info->dlpi_addr + header->p_vaddr, end = begin + header->p_memsz;
            module.begin = begin < module.begin ? begin : module.begin;
            module.end = end > module.end ? end : module.end;
        }
    }
    if (*info->dlpi_name) {
        strncpy(module.path, info->dlpi_name, sizeof module.path - 1);
    } else { // the program itself
        (void)!readlink("/proc/self/exe", module.path, sizeof module.path - 1);
    }
    return module;
}

static int count_changes(struct dl_phdr_info *info, size_t size, void *changes)
{
    (void)size;
    *(unsigned long long *)changes = info->dlpi_adds + info->dlpi_subs;
    return 1;
}

/* Enters a file that is not there yet; one that was unloaded stays, for its stacks. */
static int enter_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    struct lfset__segment *segment = arg;
    struct lfset__module module = module_of(info);
    (void)size;
    for (uint64_t i = 0; i < segment->modules.count; i++) {
        struct lfset__module *entry = module_at(segment, i);
        uint64_t id = atomic_load_explicit(&entry->id, memory_order_relaxed);
        if (id && entry->begin == module.begin && strcmp(entry->path, module.path) == 0) {
            return 0;
        }
        if (!id) {
            entry->base = module.base;
            entry->begin = module.begin;
            entry->end = module.end;
            memcpy(entry->path, module.path, sizeof entry->path);
            atomic_store_explicit(&entry->id, i + 1, memory_order_release); // [record.id]
            return 0;
        }
    }
    return 1;
}

/* When files were loaded or unloaded since the last time. Somebody else at it does it as well. */
static void note_modules(struct lfset__segment *segment)
{
    unsigned long long changes = 0;
    if (pthread_mutex_trylock(&modules_lock) != 0) {
        return;
    }
    dl_iterate_phdr(count_changes, &changes);
    if (changes != modules_seen) {
        modules_seen = changes;
        dl_iterate_phdr(enter_module, segment);
    }
    pthread_mutex_unlock(&modules_lock);
}

static unsigned enter(struct lfset__segment *segment, void *const *frames, unsigned depth)
{
    uint64_t hash = hash_of(frames, depth);
    for (unsigned i = 0; i < PROBES; i++) {
        // 0 means none
        uint64_t index = 1 + (hash + i) % (segment->stacks.count - 1);
        struct lfset__stack *stack =
            (struct lfset__stack *)(void *)((char *)segment + segment->stacks.offset +
                                            index * segment->stacks.stride);
        uint64_t id = atomic_load_explicit(&stack->id, memory_order_acquire); // [record.id]
        if (id == hash) {
            return (unsigned)index;
        }
        uint64_t nobody = 0;
        if (id == 0 &&
            atomic_compare_exchange_strong_explicit(&stack->depth, &nobody, depth,
                                                    memory_order_relaxed, memory_order_relaxed)) {
            for (unsigned frame = 0; frame < depth; frame++) {
                stack->frames[frame] = (uint64_t)(uintptr_t)frames[frame];
            }
            atomic_store_explicit(&stack->id, hash, memory_order_release);
            note_modules(segment);
            return (unsigned)index;
        }
    }
    atomic_fetch_add_explicit(&segment->stacks_lost, 1, memory_order_relaxed);
    return 0;
}

__attribute__((noinline)) unsigned lfset__stack_note(unsigned skip)
{
    void *frames[LFSET__FRAMES + SKIP_MOST];
    struct lfset__segment *segment = lfset__segment_now();
    if (!segment) {
        return 0;
    }
    int found = backtrace(frames, LFSET__FRAMES + SKIP_MOST);
    unsigned first = 1 + skip; // this function, and what the caller named
    if (first > SKIP_MOST || found <= (int)first) {
        return 0;
    }
    unsigned depth = (unsigned)found - first;
    return enter(segment, frames + first, depth < LFSET__FRAMES ? depth : LFSET__FRAMES);
}

void lfset__stacks_after_fork_in_child(void)
{
    modules_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

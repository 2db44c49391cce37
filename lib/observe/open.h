// SPDX-License-Identifier: MIT
/**
 * @file open.h
 * A registry's file, and what may be believed of it.
 *
 * The file is somebody else's memory: it may change at any moment, and may be anything. So the header is
 * copied and checked once, and only the copy says afterwards where tables lie; whoever reads an entry
 * reads within these. A file that its owner cannot cut short is mapped; another one would make a reader of the
 * mapping die of SIGBUS, and is copied at each look.
 */
#ifndef LFSET__OBSERVE_OPEN_H
#define LFSET__OBSERVE_OPEN_H

#include <sys/stat.h>

#include "lfset/observation.h"
#include "record/segment.h"

struct lfset_registry {
    int fd;
    pid_t pid;                  /**< as its readers name it; 0: a copy in a file */
    int process_fd;             /**< its number in the process */
    struct stat file;           /**< which file it is */
    struct lfset__segment head; /**< as it was found to be sound; only for what never changes */
    const char *mapped;         /**< NULL: is copied at each look */
};

/** Part of the file that is not a hole. Holes are zeros, and reading a mapped one would make a page. */
struct lfset__extent {
    uint64_t begin, end;
};

/** The bytes of a registry, for one look. */
struct lfset__bytes {
    const char *base;
    uint64_t size;
    struct lfset__extent *extents;
    size_t extent_count;
    bool copied;
};

/** @return 0 or -ENOMEM. */
int lfset__bytes_get(const struct lfset_registry *registry, struct lfset__bytes *bytes);
void lfset__bytes_put(struct lfset__bytes *bytes);

/** Whether the process still has the registry. */
bool lfset__registry_is_alive(const struct lfset_registry *registry);

#endif

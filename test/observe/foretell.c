// SPDX-License-Identifier: MIT
// foretell FILE SET SLOPE SECONDS CONFIDENCE: writes a forecast into a saved registry, which a watcher would take
// twenty minutes to make.
#define _GNU_SOURCE
#include "record/segment.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void put(_Atomic(uint64_t) *place, const char *text)
{
    double value = strtod(text, NULL);
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    atomic_store(place, bits);
}

int main(int argc, char **argv)
{
    struct stat status;
    int file = argc == 6 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
    if (file < 0 || fstat(file, &status) != 0)
        return 2;
    char *begin = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (begin == MAP_FAILED)
        return 2;
    const struct lfset__segment *segment = (const struct lfset__segment *)(void *)begin;
    for (uint32_t i = 0; i < segment->sets.count; i++) {
        struct lfset__record *record =
            (struct lfset__record *)(void *)(begin + segment->sets.offset +
                                             (uint64_t)i * segment->sets.stride);
        if (atomic_load(&record->id) == 0 || strcmp(record->name, argv[2]) != 0)
            continue;
        put(&record->slope, argv[3]);
        put(&record->to_limit, argv[4]);
        put(&record->confidence, argv[5]);
        return 0;
    }
    fprintf(stderr, "foretell: no set %s\n", argv[2]);
    return 1;
}

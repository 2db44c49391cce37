// SPDX-License-Identifier: MIT
/**
 * @file segment.c
 * Making the memfd that segment.h describes, and parting from it in a forked child.
 */
#define _GNU_SOURCE
#include "record/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lfset/lfset.h"
#include "record/registry.h"

_Atomic(struct lfset__segment *) lfset__segment;

static int segment_fd = -1; // -1: the segment has no file, and nobody outside sees it
static dev_t segment_dev;
static ino_t segment_ino;
static bool segment_anonymous;

/* Puts a table behind what there is. */
static struct lfset__table table(uint64_t *end, size_t stride, uint32_t count)
{
    struct lfset__table made = {(*end + 63) / 64 * 64, (uint32_t)stride, count};
    *end = made.offset + (uint64_t)stride * count;
    return made;
}

static struct lfset__segment layout(void)
{
    uint64_t end = sizeof(struct lfset__segment);
    struct lfset__segment segment = {
        .magic = LFSET__SEGMENT_MAGIC,
        .version = LFSET__SEGMENT_VERSION,
        .header_bytes = sizeof(struct lfset__segment),
        .lanes = LFSET__COUNTER_LANES + 1,
        .sets = table(&end, sizeof(struct lfset__record), LFSET__SETS),
        .threads = table(&end, sizeof(struct lfset__thread_slot), LFSET__THREADS),
        .retired = table(&end, sizeof(struct lfset__retired_entry), LFSET__RETIRED),
        .events = table(&end, sizeof(struct lfset__event_entry), LFSET__EVENTS),
        .modules = table(&end, sizeof(struct lfset__module), LFSET__MODULES),
        .stacks = table(&end, sizeof(struct lfset__stack), LFSET__STACKS),
        .lane = table(&end, sizeof(struct lfset__lane), LFSET__SETS * (LFSET__COUNTER_LANES + 1)),
        .samples = table(&end, sizeof(struct lfset__sample), LFSET__SAMPLES),
    };
    segment.bytes = (end + 4095) / 4096 * 4096;
    return segment;
}

/* A file of so many bytes, all holes, that only its owner can open. @return -1: there cannot be one. */
static int file_make(uint64_t bytes)
{
    struct rlimit limit;
    // beyond this ftruncate raises a signal
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < bytes) {
        return -1;
    }
    int fd = memfd_create(LFSET__SEGMENT_NAME, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd >= 0 &&
        fd <= STDERR_FILENO) { // the program was started without some of these, and will use them
        int above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        close(fd);
        fd = above;
    }
    if (fd >= 0 && (fchmod(fd, S_IRUSR | S_IWUSR) != 0 || ftruncate(fd, (off_t)bytes) != 0)) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* After our mapping: nobody else may write, or cut the file short. Best effort: old kernels know less. */
static void file_seal(int fd)
{
    if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) !=
        0) {
        (void)fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    }
}

/* @param fd -1: memory of this process alone. */
static void *map(uint64_t bytes, int fd)
{
    int flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
}

/* The segment is in this file from now on; -1: in none. */
static void file_keep(int fd)
{
    struct stat status;
    if (fd >= 0 && fstat(fd, &status) == 0) {
        segment_dev = status.st_dev;
        segment_ino = status.st_ino;
        file_seal(fd);
    }
    segment_fd = fd;
    segment_anonymous = fd < 0;
}

int lfset__segment_make(void)
{
    struct lfset__segment made = layout();
    int fd = file_make(made.bytes);
    struct lfset__segment *segment = map(made.bytes, fd);
    if (segment == MAP_FAILED) {
        if (fd >= 0) {
            close(fd);
        }
        return -ENOMEM;
    }
    struct timespec real;
    clock_gettime(CLOCK_REALTIME, &real);
    made.started_ns = lfset__now_ns();
    made.realtime_minus_ns =
        (uint64_t)real.tv_sec * 1000000000 + (uint64_t)real.tv_nsec - made.started_ns;
    made.pid = getpid();
    snprintf(made.program, sizeof made.program, "%s", program_invocation_short_name);
    snprintf(made.library_version, sizeof made.library_version, "%s", lfset_version());
    // The magic last: until then a reader finds no registry in the file.
    uint64_t magic = made.magic;
    made.magic = 0;
    memcpy(segment, &made, sizeof made);
    atomic_store_explicit(&segment->next_id, 1, memory_order_relaxed);
    atomic_thread_fence(memory_order_release);
    segment->magic = magic;
    file_keep(fd);
    atomic_store_explicit(&lfset__segment, segment, memory_order_release); // [segment]
    return 0;
}

int lfset__segment_fd(void)
{
    return segment_fd;
}

/* Whether segment_fd is still the file, or the program has closed it (daemons close all), and another one may
 * have its number now. */
static bool file_is_ours(void)
{
    struct stat status;
    return segment_fd >= 0 && fstat(segment_fd, &status) == 0 && status.st_dev == segment_dev &&
           status.st_ino == segment_ino;
}

/* The next stretch of the segment from `at` on that is not all hole: reading holes would fill them. Without the
 * file only the pages in memory are known, not those that are swapped out. @return false: there is none. */
static bool next_data(const char *segment, uint64_t bytes, bool ours, uint64_t at, uint64_t *begin,
                      uint64_t *end)
{
    if (ours) {
        off_t data = lseek(segment_fd, (off_t)at, SEEK_DATA);
        off_t hole = data < 0 ? data : lseek(segment_fd, data, SEEK_HOLE);
        *begin = (uint64_t)data;
        *end = (uint64_t)hole;
        return data >= 0 && hole >= 0;
    }
    const uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    for (; at < bytes; at += page) {
        unsigned char there;
        if (mincore((void *)(uintptr_t)(segment + at), page, &there) == 0 && (there & 1)) {
            *begin = at;
            *end = at + page;
            return true;
        }
    }
    return false;
}

static void copy_data(char *to, const char *segment, uint64_t bytes, bool ours)
{
    uint64_t begin, end = 0;
    while (next_data(segment, bytes, ours, end, &begin, &end)) {
        memcpy(to + begin, segment + begin, end - begin);
    }
}

/* The parent's registry is not the child's: what both wrote would be nobody's. A copy takes its place at the
 * same address in one step. Only this thread runs, and nothing of this library's has run in the child before.
 * Without memory for a copy nobody outside sees the child's, which shares pages with its parent's until it
 * writes them. */
void lfset__segment_after_fork_in_child(void)
{
    struct lfset__segment *segment = lfset__segment_now();
    if (!segment) {
        return;
    }
    if (segment_anonymous) {
        segment->pid = getpid();
        return;
    }
    bool ours = file_is_ours();
    uint64_t bytes = segment->bytes;
    int parents = segment_fd, fd = file_make(bytes);
    struct lfset__segment *copy = map(bytes, fd);
    if (copy != MAP_FAILED) {
        copy_data((char *)copy, (const char *)segment, bytes, ours);
        copy = mremap(copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, segment);
    }
    if (copy == MAP_FAILED) {
        if (fd >= 0) {
            close(fd);
        }
        fd = -1;
        if (ours) {
            (void)mmap(segment, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, parents, 0);
        }
    }
    segment->pid = getpid();
    if (ours) {
        close(parents);
    }
    file_keep(fd);
}

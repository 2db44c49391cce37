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

int lfset__segment_make(void)
{
    struct lfset__segment made = layout();
    int fd = file_make(made.bytes);
    int shared = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    struct lfset__segment *segment =
        mmap(NULL, made.bytes, PROT_READ | PROT_WRITE, shared | MAP_NORESERVE, fd, 0);
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
    if (fd >= 0) {
        file_seal(fd);
    }
    segment_fd = fd;
    atomic_store_explicit(&lfset__segment, segment, memory_order_release); // [segment]
    return 0;
}

int lfset__segment_fd(void)
{
    return segment_fd;
}

/* Copies what is written of one file to another, leaving holes as they are. */
static bool file_copy(int from, int to, uint64_t bytes)
{
    char buffer[4096];
    off_t at = 0, end = (off_t)bytes;
    while ((at = lseek(from, at, SEEK_DATA)) >= 0 && at < end) {
        off_t hole = lseek(from, at, SEEK_HOLE);
        while (at < hole) {
            size_t size = hole - at < (off_t)sizeof buffer ? (size_t)(hole - at) : sizeof buffer;
            ssize_t got = pread(from, buffer, size, at);
            if (got <= 0 || pwrite(to, buffer, (size_t)got, at) != got) {
                return false;
            }
            at += got;
        }
    }
    return true;
}

/* The parent's registry is not the child's: what both wrote would be nobody's. First the mapping becomes
 * private at the place where it is, so that the child has a registry whatever happens next; then, if it can
 * be made, a file of the child's own. Nobody else runs. */
void lfset__segment_after_fork_in_child(void)
{
    struct lfset__segment *segment = lfset__segment;
    if (!segment) {
        return;
    }
    int parents = segment_fd;
    segment_fd = -1;
    if (parents < 0) {
        segment->pid = getpid();
        return;
    }
    uint64_t bytes = segment->bytes;
    int fd = file_make(bytes);
    bool mapped = fd >= 0 && file_copy(parents, fd, bytes) &&
                  mmap(segment, bytes, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0) != MAP_FAILED;
    if (!mapped) {
        (void)mmap(segment, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
                   parents, 0);
    }
    close(parents);
    segment->pid = getpid();
    if (mapped) {
        file_seal(fd);
        segment_fd = fd;
    } else if (fd >= 0) {
        close(fd);
    }
}

// SPDX-License-Identifier: MIT
/**
 * @file open.c
 * Finding and opening registries.
 */
#define _GNU_SOURCE
#include "observe/open.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINK_NAME "/memfd:" LFSET__SEGMENT_NAME " (deleted)"

/* A file may pretend to anything: more than any version of the library writes is refused. */
static const uint64_t bytes_most = UINT64_C(1) << 28;
enum { COUNT_MOST = 1 << 22, LANES_MOST = 1 << 12 };

/* ---- what a header has to be ----------------------------------------------------------------------- */

static bool table_is_sound(const struct lfset__table *table, size_t entry, size_t alignment,
                           uint64_t bytes)
{
    return table->stride >= entry && table->stride % alignment == 0 &&
           table->offset % alignment == 0 && table->count <= COUNT_MOST &&
           table->offset >= sizeof(struct lfset__segment) && table->offset <= bytes &&
           (bytes - table->offset) / table->stride >= table->count;
}

#define SOUND(table, type) table_is_sound(table, sizeof(type), _Alignof(type), bytes)

/* @return 0; -EBADMSG; -EPROTO. */
static int head_check(const struct lfset__segment *head, uint64_t file_bytes)
{
    uint64_t bytes = head->bytes;
    if (head->magic != LFSET__SEGMENT_MAGIC) {
        return -EBADMSG;
    }
    if (head->version != LFSET__SEGMENT_VERSION) {
        return -EPROTO;
    }
    bool sound = head->header_bytes >= sizeof *head && bytes >= head->header_bytes &&
                 bytes <= file_bytes && bytes <= bytes_most && head->pid > 0 && head->lanes > 0 &&
                 head->lanes <= LANES_MOST && SOUND(&head->sets, struct lfset__record) &&
                 SOUND(&head->lane, struct lfset__lane) &&
                 SOUND(&head->stacks, struct lfset__stack) &&
                 SOUND(&head->threads, struct lfset__thread_slot) &&
                 SOUND(&head->retired, struct lfset__retired_entry) &&
                 SOUND(&head->samples, struct lfset__sample) &&
                 SOUND(&head->events, struct lfset__event_entry) && head->events.count > 0 &&
                 SOUND(&head->modules, struct lfset__module) &&
                 (uint64_t)head->sets.count * head->lanes <= head->lane.count;
    return sound ? 0 : -EBADMSG;
}

/* Takes over the file. @return 0 and *made; else the file is closed. */
static int registry_make(struct lfset_registry **made, int fd)
{
    struct lfset_registry *registry =
        aligned_alloc(_Alignof(struct lfset_registry), sizeof *registry);
    int error = -ENOMEM;
    if (!registry) {
        goto fail;
    }
    *registry = (struct lfset_registry){.fd = fd};
    error = -EBADMSG;
    if (fstat(fd, &registry->file) != 0 || !S_ISREG(registry->file.st_mode) ||
        pread(fd, &registry->head, sizeof registry->head, 0) != sizeof registry->head) {
        goto fail;
    }
    error = head_check(&registry->head, (uint64_t)registry->file.st_size);
    if (error) {
        goto fail;
    }
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals >= 0 && seals & F_SEAL_SHRINK) {
        void *mapped = mmap(NULL, registry->head.bytes, PROT_READ, MAP_SHARED, fd, 0);
        if (mapped == MAP_FAILED) {
            error = -errno;
            goto fail;
        }
        registry->mapped = mapped;
    }
    *made = registry;
    return 0;
fail:
    free(registry);
    close(fd);
    return error;
}

/* ---- processes ------------------------------------------------------------------------------------- */

/* @return the number of the next descriptor that is a registry's; -1: none. */
static int next_registry_fd(DIR *fds)
{
    struct dirent *entry;
    while ((entry = readdir(fds))) {
        char link[sizeof LINK_NAME + 1];
        ssize_t length = readlinkat(dirfd(fds), entry->d_name, link, sizeof link);
        struct stat
            how; // of the link: how the file was opened; one that is only read is another process's
        if (length == sizeof LINK_NAME - 1 && memcmp(link, LINK_NAME, (size_t)length) == 0 &&
            fstatat(dirfd(fds), entry->d_name, &how, AT_SYMLINK_NOFOLLOW) == 0 &&
            (how.st_mode & S_IWUSR)) {
            return atoi(entry->d_name);
        }
    }
    return -1;
}

static DIR *open_fds(pid_t pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    return opendir(path);
}

/* What a process hands out has to be its own: neither another user's, nor one that anybody may write. */
static bool owner_is_right(DIR *fds, const struct stat *file)
{
    struct stat process;
    return fstat(dirfd(fds), &process) == 0 &&
           (file->st_uid == process.st_uid || file->st_uid == 0) &&
           (file->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int open_one(struct lfset_registry **registry, DIR *fds, int number)
{
    char name[16];
    snprintf(name, sizeof name, "%d", number);
    int fd = openat(dirfd(fds), name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        return -errno;
    }
    int error = registry_make(registry, fd);
    if (!error && !owner_is_right(fds, &(*registry)->file)) {
        lfset_registry_close(*registry);
        *registry = NULL;
        error = -EACCES;
    }
    return error;
}

int lfset_registry_open(struct lfset_registry **registry, pid_t pid)
{
    if (!registry || pid < 0) {
        return -EINVAL;
    }
    *registry = NULL;
    pid = pid ? pid : getpid();
    DIR *fds = open_fds(pid);
    if (!fds) {
        return errno == ENOENT ? -ESRCH : -errno;
    }
    int number, error = -ENOENT;
    while ((number = next_registry_fd(fds)) >= 0) {
        error = open_one(registry, fds, number);
        if (!error) {
            (*registry)->pid = pid;
            (*registry)->process_fd = number;
            break;
        }
    }
    closedir(fds);
    return error;
}

int lfset_registry_open_file(struct lfset_registry **registry, const char *path)
{
    if (!registry || !path) {
        return -EINVAL;
    }
    *registry = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return fd < 0 ? -errno : registry_make(registry, fd);
}

void lfset_registry_close(struct lfset_registry *registry)
{
    if (!registry) {
        return;
    }
    if (registry->mapped) {
        munmap((void *)(uintptr_t)registry->mapped, registry->head.bytes);
    }
    close(registry->fd);
    free(registry);
}

int lfset_registry_list(pid_t *pids, int room)
{
    if (room < 0 || (room > 0 && !pids)) {
        return -EINVAL;
    }
    DIR *processes = opendir("/proc");
    if (!processes) {
        return -errno;
    }
    int found = 0;
    struct dirent *entry;
    while ((entry = readdir(processes))) {
        pid_t pid = atoi(entry->d_name);
        struct lfset_registry *registry;
        if (pid > 0 && lfset_registry_open(&registry, pid) == 0) {
            lfset_registry_close(registry);
            if (found < room) {
                pids[found] = pid;
            }
            found++;
        }
    }
    closedir(processes);
    return found;
}

bool lfset__registry_is_alive(const struct lfset_registry *registry)
{
    char path[64];
    struct stat file;
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)registry->pid, registry->process_fd);
    // a process that has ended, and another that has its number now, do not have the file
    return registry->pid && stat(path, &file) == 0 && file.st_ino == registry->file.st_ino &&
           file.st_dev == registry->file.st_dev;
}

/* ---- the bytes ------------------------------------------------------------------------------------- */

static int extent_add(struct lfset__bytes *bytes, size_t *room, uint64_t begin, uint64_t end)
{
    if (bytes->extent_count == *room) {
        *room = *room ? *room * 2 : 64;
        void *more = reallocarray(bytes->extents, *room, sizeof *bytes->extents);
        if (!more) {
            return -ENOMEM;
        }
        bytes->extents = more;
    }
    bytes->extents[bytes->extent_count++] = (struct lfset__extent){begin, end};
    return 0;
}

static int extents_find(int fd, struct lfset__bytes *bytes)
{
    size_t room = 0;
    off_t at = 0, end = (off_t)bytes->size;
    while (at < end && (at = lseek(fd, at, SEEK_DATA)) >= 0 && at < end) {
        off_t hole = lseek(fd, at, SEEK_HOLE);
        hole = hole <= at || hole > end ? end : hole;
        if (extent_add(bytes, &room, (uint64_t)at, (uint64_t)hole) != 0) {
            return -ENOMEM;
        }
        at = hole;
    }
    return 0;
}

static int copy(int fd, struct lfset__bytes *bytes)
{
    char *base = mmap(NULL, bytes->size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        return -ENOMEM;
    }
    bytes->base = base;
    bytes->copied = true;
    for (size_t i = 0; i < bytes->extent_count; i++) {
        uint64_t at = bytes->extents[i].begin, end = bytes->extents[i].end;
        ssize_t got = 1;
        while (at < end && got > 0) { // what has been cut off meanwhile is zeros
            got = pread(fd, base + at, end - at, (off_t)at);
            at += got > 0 ? (uint64_t)got : 0;
        }
    }
    return 0;
}

int lfset__bytes_get(const struct lfset_registry *registry, struct lfset__bytes *bytes)
{
    *bytes = (struct lfset__bytes){.base = registry->mapped, .size = registry->head.bytes};
    int error = extents_find(registry->fd, bytes);
    if (!error && !bytes->base) {
        error = copy(registry->fd, bytes);
    }
    if (error) {
        lfset__bytes_put(bytes);
    }
    return error;
}

void lfset__bytes_put(struct lfset__bytes *bytes)
{
    if (bytes->copied) {
        munmap((void *)(uintptr_t)bytes->base, bytes->size);
    }
    free(bytes->extents);
    *bytes = (struct lfset__bytes){0};
}

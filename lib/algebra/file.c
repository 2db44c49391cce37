// SPDX-License-Identifier: MIT
/**
 * @file file.c
 * Saving and loading, in the format of lfset-file(5): a header, the payload (payload.h), and a checksum
 * of both.
 *
 * What is read is hostile until its checksum and its structure were verified: memory is taken as bytes
 * arrive, not as the header promises them, and the set is not touched before all is known to be right.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "algebra/payload.h"
#include "algebra/view.h"

/* No letter first and line ends within: what is not binary, or was copied as text, is noticed. */
static const unsigned char magic[8] = {0x89, 'l', 'f', 's', 'e', 't', '\r', '\n'};

enum {
    VERSION = 1,
    HEADER = 32, /* magic, version and kind, count, bytes of payload: 8 bytes each */
    CHECKSUM = 8,
    BUFFER = 1 << 16,
    PIECE = 1 << 20 /* of a file that is read: cancellation is looked at in between */
};

/* ---- writing ------------------------------------------------------------------------------------ */

/* Counts the payload first, for the header, and then writes it. */
struct writer {
    struct lfset__encoder encoder; /* the first member: write() casts */
    const struct lfset__payload *payload;
    const struct lfset_cancel *cancel;
    int fd;
    uint64_t bytes; /* put so far */
    unsigned char *buffer;
    size_t used;
    XXH3_state_t hash;
};

static int write_all(int fd, const unsigned char *bytes, size_t size,
                     const struct lfset_cancel *cancel)
{
    while (size > 0) {
        int error = lfset_cancel_check(cancel);
        if (error) {
            return error;
        }
        ssize_t written = write(fd, bytes, size);
        if (written < 0 && errno != EINTR) {
            return -errno;
        }
        if (written > 0) {
            bytes += written;
            size -= (size_t)written;
        }
    }
    return 0;
}

static int flush(struct writer *writer)
{
    XXH3_64bits_update(&writer->hash, writer->buffer, writer->used);
    int error = write_all(writer->fd, writer->buffer, writer->used, writer->cancel);
    writer->used = 0;
    return error;
}

static int count_bytes(struct lfset__encoder *encoder, const void *bytes, size_t size)
{
    struct writer *writer = (struct writer *)encoder;
    (void)bytes;
    writer->bytes += size;
    return 0;
}

static int write_bytes(struct lfset__encoder *encoder, const void *bytes, size_t size)
{
    struct writer *writer = (struct writer *)encoder;
    const unsigned char *from = bytes;
    while (size > 0) {
        size_t room = BUFFER - writer->used, piece = size < room ? size : room;
        memcpy(writer->buffer + writer->used, from, piece);
        writer->used += piece;
        from += piece;
        size -= piece;
        int error = writer->used == BUFFER ? flush(writer) : 0;
        if (error) {
            return error;
        }
    }
    return 0;
}

static int encode_member(const struct lfset__member *member, void *ctx)
{
    struct writer *writer = ctx;
    return writer->payload->encode(&writer->encoder, member);
}

/* The payload, through `write`. */
static int encode(struct writer *writer, const struct lfset__view *view, void *snapshot,
                  int (*write)(struct lfset__encoder *encoder, const void *bytes, size_t size))
{
    writer->encoder = (struct lfset__encoder){.write = write};
    int error = view->snapshot_each(snapshot, encode_member, writer, writer->cancel);
    return error ? error : writer->payload->encode_end(&writer->encoder);
}

static int write_header(struct writer *writer, uint64_t count)
{
    unsigned char header[HEADER];
    memcpy(header, magic, sizeof magic);
    lfset__put_u64(header + 8, VERSION | (uint64_t)writer->payload->code << 32);
    lfset__put_u64(header + 16, count);
    lfset__put_u64(header + 24, writer->bytes);
    return write_bytes(&writer->encoder, header, sizeof header);
}

static int write_checksum(struct writer *writer)
{
    unsigned char checksum[CHECKSUM];
    lfset__put_u64(checksum, XXH3_64bits_digest(&writer->hash));
    return write_all(writer->fd, checksum, sizeof checksum, writer->cancel);
}

static int write_file(struct writer *writer, const struct lfset__view *view, void *snapshot)
{
    int error = encode(writer, view, snapshot, count_bytes);
    if (!error) {
        error = write_header(writer, (uint64_t)view->snapshot_count(snapshot));
    }
    if (!error) {
        error = encode(writer, view, snapshot, write_bytes);
    }
    if (!error) {
        error = flush(writer);
    }
    return error ? error : write_checksum(writer);
}

static int save_snapshot(const struct lfset__view *view, void *snapshot, int fd,
                         const struct lfset_cancel *cancel)
{
    struct writer writer = {.payload = view->payload, .cancel = cancel, .fd = fd};
    writer.buffer = malloc(BUFFER);
    if (!writer.buffer) {
        return -ENOMEM;
    }
    XXH3_64bits_reset(&writer.hash);
    int error = write_file(&writer, view, snapshot);
    free(writer.buffer);
    return error;
}

int lfset__save_fd(const struct lfset__view *view, void *set, int fd,
                   const struct lfset_cancel *cancel)
{
    void *snapshot;
    if (!set) {
        return -EINVAL;
    }
    int error = view->snapshot_take(set, &snapshot, cancel);
    if (error) {
        return error;
    }
    error = save_snapshot(view, snapshot, fd, cancel);
    view->snapshot_destroy(snapshot);
    return error;
}

/* ---- a file that is the old one or the new one -------------------------------------------------- */

/* What is to be replaced: what a symbolic link leads to, not the link. */
static int find_target(const char *path, char **target, mode_t *mode)
{
    struct stat old;
    *mode = 0;
    *target = realpath(path, NULL);
    if (!*target && errno == ENOENT) {
        *target = strdup(path);
        return *target ? 0 : -ENOMEM;
    }
    if (!*target) {
        return -errno;
    }
    int error = stat(*target, &old) != 0 ? -errno : S_ISREG(old.st_mode) ? 0 : -EINVAL;
    if (error) {
        free(*target);
        return error;
    }
    *mode = old.st_mode & 07777;
    return 0;
}

/* Creates a file beside the target, with the target's mode. @return its descriptor. */
static int open_beside(const char *target, mode_t mode, char **name)
{
    static atomic_uint counter;
    int fd;
    do {
        unsigned number = atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed);
        if (asprintf(name, "%s.%ld-%u.tmp", target, (long)getpid(), number) < 0) {
            return -ENOMEM;
        }
        fd = open(*name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0) {
            int error = -errno;
            free(*name);
            if (error != -EEXIST) { // left by a process that was killed and had our number
                return error;
            }
        }
    } while (fd < 0);
    if (mode != 0 && fchmod(fd, mode) != 0) {
        int error = -errno;
        close(fd);
        unlink(*name);
        free(*name);
        return error;
    }
    return fd;
}

static int sync_fd(int fd)
{
    while (fsync(fd) != 0) {
        if (errno != EINTR) {
            return -errno;
        }
    }
    return 0;
}

/* Saves and closes. */
static int save_synced(const struct lfset__view *view, void *set, int fd,
                       const struct lfset_cancel *cancel)
{
    int error = lfset__save_fd(view, set, fd, cancel);
    if (!error) {
        error = sync_fd(fd);
    }
    if (close(fd) != 0 && errno != EINTR && !error) {
        error = -errno;
    }
    return error;
}

/* Makes the renaming last. Some file systems cannot, and the file is complete either way. */
static void sync_directory_of(char *target)
{
    char *slash = strrchr(target, '/');
    const char *directory = !slash ? "." : slash == target ? "/" : target;
    if (slash && slash != target) {
        *slash = '\0';
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)sync_fd(fd);
        close(fd);
    }
}

static int replace(const struct lfset__view *view, void *set, char *target, mode_t mode,
                   const struct lfset_cancel *cancel)
{
    char *name;
    int fd = open_beside(target, mode, &name);
    if (fd < 0) {
        return fd;
    }
    int error = save_synced(view, set, fd, cancel);
    if (!error && rename(name, target) != 0) {
        error = -errno;
    }
    if (error) {
        unlink(name);
    } else {
        sync_directory_of(target);
    }
    free(name);
    return error;
}

int lfset__save(const struct lfset__view *view, void *set, const char *path,
                const struct lfset_cancel *cancel)
{
    char *target;
    mode_t mode;
    if (!set || !path) {
        return -EINVAL;
    }
    int error = find_target(path, &target, &mode);
    if (error) {
        return error;
    }
    error = replace(view, set, target, mode, cancel);
    free(target);
    return error;
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* A file in memory. */
struct file {
    unsigned char header[HEADER];
    unsigned char *body; /* payload and checksum */
    uint64_t count;
    uint64_t payload;
};

/* @return how many bytes came before the end of the file, or a negative errno. */
static int64_t read_up_to(int fd, unsigned char *bytes, size_t size,
                          const struct lfset_cancel *cancel)
{
    size_t have = 0;
    while (have < size) {
        int error = lfset_cancel_check(cancel);
        if (error) {
            return error;
        }
        size_t left = size - have;
        ssize_t got = read(fd, bytes + have, left < PIECE ? left : PIECE);
        if (got == 0) {
            break;
        }
        if (got < 0 && errno != EINTR) {
            return -errno;
        }
        have += got > 0 ? (size_t)got : 0;
    }
    return (int64_t)have;
}

/* Exactly `size` bytes. */
static int read_all(int fd, unsigned char *bytes, size_t size, const char **why,
                    const struct lfset_cancel *cancel)
{
    int64_t got = read_up_to(fd, bytes, size, cancel);
    if (got >= 0 && (uint64_t)got < size) {
        *why = "the file is truncated";
        return -EBADMSG;
    }
    return got < 0 ? (int)got : 0;
}

static int read_header(int fd, struct file *file, uint32_t kind, const char **why,
                       const struct lfset_cancel *cancel)
{
    int64_t got = read_up_to(fd, file->header, HEADER, cancel);
    if (got < 0) {
        return (int)got;
    }
    size_t known = (size_t)got < sizeof magic ? (size_t)got : sizeof magic;
    uint64_t version_and_kind = lfset__get_u64(file->header + 8);
    uint32_t version = (uint32_t)version_and_kind;
    file->count = lfset__get_u64(file->header + 16);
    file->payload = lfset__get_u64(file->header + 24);
    if (got == 0) {
        *why = "the file is empty";
    } else if (memcmp(file->header, magic, known) != 0) {
        *why = "not a saved set";
    } else if (got < HEADER) {
        *why = "the file is truncated";
    } else if (version > VERSION) {
        *why = "saved in a newer format than this library knows";
        return -ENOTSUP;
    } else if (version == 0) {
        *why = "the header is damaged";
    } else if (version_and_kind >> 32 != kind) {
        *why = "a saved set of another kind";
    } else if (file->payload > PTRDIFF_MAX - CHECKSUM) {
        *why = "the header is damaged";
    } else {
        return 0;
    }
    return -EBADMSG;
}

/* The memory doubles as bytes arrive: a length that lies costs no more than what is there. */
static int read_body(int fd, struct file *file, const char **why, const struct lfset_cancel *cancel)
{
    size_t size = (size_t)file->payload + CHECKSUM, have = 0, room = PIECE;
    while (have < size) {
        room = size < room ? size : room;
        unsigned char *larger = realloc(file->body, room);
        if (!larger) {
            return -ENOMEM;
        }
        file->body = larger;
        int error = read_all(fd, file->body + have, room - have, why, cancel);
        if (error) {
            return error;
        }
        have = room;
        room = room > SIZE_MAX / 2 ? SIZE_MAX : room * 2;
    }
    unsigned char more;
    int64_t got = read_up_to(fd, &more, 1, cancel);
    if (got > 0) {
        *why = "the file goes on behind its end";
        return -EBADMSG;
    }
    return (int)got;
}

static int verify_checksum(const struct file *file, const char **why)
{
    XXH3_state_t hash;
    XXH3_64bits_reset(&hash);
    XXH3_64bits_update(&hash, file->header, HEADER);
    XXH3_64bits_update(&hash, file->body, (size_t)file->payload);
    if (XXH3_64bits_digest(&hash) != lfset__get_u64(file->body + file->payload)) {
        *why = "the file is damaged: wrong checksum";
        return -EBADMSG;
    }
    return 0;
}

static struct lfset__decoder decoder_of(const struct file *file)
{
    return (struct lfset__decoder){.at = file->body, .end = file->body + file->payload};
}

/* Whoever can compute a checksum can write keys that are in no order, or fewer than announced. */
static int verify_payload(const struct lfset__payload *payload, const struct file *file,
                          const char **why, const struct lfset_cancel *cancel)
{
    struct lfset__decoder decoder = decoder_of(file);
    struct lfset__member member;
    uint64_t count = 0;
    int result;
    while ((result = payload->decode(&decoder, &member)) == 1) {
        int error = ++count % 4096 == 0 ? lfset_cancel_check(cancel) : 0;
        if (error) {
            return error;
        }
    }
    if (result < 0) {
        *why = "the file is malformed: keys are out of order or cut off";
    } else if (count != file->count) {
        *why = "the file is malformed: it holds another number of keys than its header says";
        result = -EBADMSG;
    }
    return result;
}

static int64_t add_all(const struct lfset__view *view, void *set, const struct file *file,
                       const struct lfset_cancel *cancel)
{
    struct lfset__batch batch = {.view = view, .set = set};
    struct lfset__decoder decoder = decoder_of(file);
    struct lfset__member member;
    while (view->payload->decode(&decoder, &member) == 1) {
        int error = lfset__batch_put(&batch, &member);
        if (!error && batch.count == 0) {
            error = lfset_cancel_check(cancel);
        }
        if (error) {
            return error;
        }
    }
    int error = lfset__batch_flush(&batch);
    return error ? error : batch.changed;
}

static int read_file(const struct lfset__payload *payload, int fd, struct file *file,
                     const char **why, const struct lfset_cancel *cancel)
{
    int error = read_header(fd, file, payload->code, why, cancel);
    if (!error) {
        error = read_body(fd, file, why, cancel);
    }
    if (!error) {
        error = verify_checksum(file, why);
    }
    return error ? error : verify_payload(payload, file, why, cancel);
}

int64_t lfset__load_fd(const struct lfset__view *view, void *set, int fd, const char **why,
                       const struct lfset_cancel *cancel)
{
    const char *ignored;
    why = why ? why : &ignored;
    *why = NULL;
    if (!set) {
        return -EINVAL;
    }
    struct file file = {.body = NULL};
    int64_t result = read_file(view->payload, fd, &file, why, cancel);
    if (result == 0) {
        result = add_all(view, set, &file, cancel);
    }
    free(file.body);
    return result;
}

int64_t lfset__load(const struct lfset__view *view, void *set, const char *path, const char **why,
                    const struct lfset_cancel *cancel)
{
    if (why) {
        *why = NULL;
    }
    if (!set || !path) {
        return -EINVAL;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    int64_t result = lfset__load_fd(view, set, fd, why, cancel);
    close(fd);
    return result;
}

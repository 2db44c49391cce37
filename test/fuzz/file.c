// SPDX-License-Identifier: MIT
/*
 * The fuzzer of the file loader: whatever bytes a file holds, loading answers with a documented error
 * and changes nothing, or the set holds as many keys more as the file says, and saves the same file.
 *
 *     byte 0      2 bits: the kind of the set. 4: the rest is the file as it is. 8: it comes through a
 *                 pipe. 16: the set has keys already
 *     byte 1      of the header, where there is no file as it is: the number of keys
 *     then        the payload, or the file
 *
 * The header and the checksum of a payload are made here, because no mutation would hit the checksum.
 * A file as it is that ends with eight bytes 0 gets the right checksum instead of them.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "kind.h"
#include "memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER = 32, CHECKSUM = 8, LARGEST = 1 << 15 /* a pipe holds it */ };

static const uint8_t magic[8] = {0x89, 'l', 'f', 's', 'e', 't', '\r', '\n'};

struct file {
    size_t size;
    uint8_t bytes[LARGEST + HEADER + CHECKSUM];
};

static void put(uint8_t *bytes, uint64_t value)
{
    for (size_t i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static uint64_t get(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (size_t i = 8; i-- > 0;)
        value = value << 8 | bytes[i];
    return value;
}

static void sign(struct file *file)
{
    put(file->bytes + file->size, XXH3_64bits(file->bytes, file->size));
    file->size += CHECKSUM;
}

static void compose(struct file *file, unsigned kind, uint8_t count, const uint8_t *payload,
                    size_t size)
{
    memcpy(file->bytes, magic, sizeof magic);
    put(file->bytes + 8, 1 | (uint64_t)(kind + 1) << 32);
    put(file->bytes + 16, count);
    put(file->bytes + 24, size);
    memcpy(file->bytes + HEADER, payload, size);
    file->size = HEADER + size;
    sign(file);
}

static void copy(struct file *file, const uint8_t *bytes, size_t size)
{
    static const uint8_t none[CHECKSUM];
    memcpy(file->bytes, bytes, size);
    file->size = size;
    if (size >= CHECKSUM && memcmp(bytes + size - CHECKSUM, none, CHECKSUM) == 0) {
        file->size -= CHECKSUM;
        sign(file);
    }
}

static void write_whole(int fd, const struct file *file)
{
    if (write(fd, file->bytes, file->size) != (ssize_t)file->size)
        fail("the file cannot be written: %s", strerror(errno));
}

static int scratch_file(void)
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("file", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        fail("no scratch file");
    return fd;
}

static int64_t load(const struct kind *kind, void *set, const struct file *file, bool piped,
                    const char **why)
{
    int ends[2];
    if (!piped) {
        const int fd = scratch_file();
        write_whole(fd, file);
        lseek(fd, 0, SEEK_SET);
        return kind->load(set, fd, why);
    }
    if (pipe(ends) != 0)
        fail("no pipe");
    write_whole(ends[1], file);
    close(ends[1]);
    const int64_t result = kind->load(set, ends[0], why);
    close(ends[0]);
    return result;
}

/* Equal sets make equal files, so a set that was empty before must make this one. */
static void save_same(const struct kind *kind, void *set, const struct file *file)
{
    static uint8_t saved[sizeof file->bytes + 1];
    const int fd = scratch_file();
    const int result = kind->save(set, fd);
    if (result != 0)
        fail("%s: what was loaded is not saved: %s", kind->name, strerror(-result));
    if (pread(fd, saved, sizeof saved, 0) != (ssize_t)file->size ||
        memcmp(saved, file->bytes, file->size) != 0)
        fail("%s: what was loaded is saved as another file", kind->name);
}

static void judge(const struct kind *kind, void *set, const struct file *file, int64_t before,
                  int64_t result, const char *why)
{
    const char *reason = "none";
    const int64_t after = kind->size(set, NULL);
    if (result < 0 && result != -EBADMSG && result != -ENOTSUP)
        fail("%s: loading fails with %s", kind->name, strerror((int)-result));
    if ((result < 0) != (why != NULL))
        fail("%s: loading answers %lld and says why: %s", kind->name, (long long)result,
             why != NULL ? why : "nothing");
    if (after != before + (result > 0 ? result : 0))
        fail("%s: %lld keys were there, loading answers %lld, and %lld are there", kind->name,
             (long long)before, (long long)result, (long long)after);
    if (result >= 0 && before == 0 && (uint64_t)result != get(file->bytes + 16))
        fail("%s: another number of keys than the header says", kind->name);
    if (kind->validate(set, &reason) != 1)
        fail("%s: the set is not valid: %s", kind->name, reason);
    if (result >= 0 && before == 0)
        save_same(kind, set, file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct kind *const kinds[] = {&kind_u64, &kind_bytes, &kind_bitmap};
    static struct file file;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    void *set;
    const char *why = "nothing was said";
    if (size < 2 || size > LARGEST)
        return 0;
    const unsigned number = data[0] % 4 % 3;
    const struct kind *kind = kinds[number];
    if (data[0] & 4)
        copy(&file, data + 1, size - 1);
    else
        compose(&file, number, data[1], data + 2, size - 2);

    memory_begin(0);
    options.domain = LFSET_HP;
    options.seed = 1;
    options.allocator = memory_hook();
    if (kind->create(&set, &options) != 0)
        fail("%s: no set", kind->name);
    if (data[0] & 16)
        for (uint64_t key = 0; key < 8; key++)
            (void)kind->add(set, key * key);
    const int64_t before = kind->size(set, NULL);
    const int64_t result = load(kind, set, &file, data[0] & 8, &why);
    judge(kind, set, &file, before, result, why);
    if (kind->destroy(set) != 0)
        fail("%s: the set is not destroyed", kind->name);
    memory_check();
    return 0;
}

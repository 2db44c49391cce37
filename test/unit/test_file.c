// SPDX-License-Identifier: MIT
/* Saving and loading: what is written is what lfset-file(5) says, what is read is refused whole unless
 * it is exactly that, and a failure leaves the set and the old file as they were. */
#define _GNU_SOURCE
#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lfset/bitmap.h"
#include "lfset/bytes.h"
#include "lfset/cancel.h"

enum { HEADER = 32, CHECKSUM = 8 };

/* ---- kinds ---- */

struct format {
    const char *name;
    unsigned code;
    int (*create)(void **set, const struct lfset_options *options);
    int (*destroy)(void *set);
    int (*add)(void *set, uint64_t id);
    int (*equal)(void *a, void *b);
    int64_t (*size)(void *set);
    int (*save_fd)(void *set, int fd, const struct lfset_cancel *cancel);
    int (*save)(void *set, const char *path, const struct lfset_cancel *cancel);
    int64_t (*load_fd)(void *set, int fd, const char **why, const struct lfset_cancel *cancel);
    int64_t (*load)(void *set, const char *path, const char **why,
                    const struct lfset_cancel *cancel);
};

#define DEFINE_FORMAT(kind)                                                                        \
    static int kind##_create_(void **set, const struct lfset_options *options)                     \
    {                                                                                              \
        struct lfset_##kind *made = NULL;                                                          \
        const int error = lfset_##kind##_create(&made, options);                                   \
        *set = made;                                                                               \
        return error;                                                                              \
    }                                                                                              \
    static int kind##_destroy_(void *set)                                                          \
    {                                                                                              \
        return lfset_##kind##_destroy(set);                                                        \
    }                                                                                              \
    static int kind##_equal_(void *a, void *b)                                                     \
    {                                                                                              \
        return lfset_##kind##_compare(a, b, NULL) & LFSET_EQUAL;                                   \
    }                                                                                              \
    static int64_t kind##_size_(void *set)                                                         \
    {                                                                                              \
        return lfset_##kind##_size(set, NULL);                                                     \
    }                                                                                              \
    static int kind##_save_fd_(void *set, int fd, const struct lfset_cancel *cancel)               \
    {                                                                                              \
        return lfset_##kind##_save_fd(set, fd, cancel);                                            \
    }                                                                                              \
    static int kind##_save_(void *set, const char *path, const struct lfset_cancel *cancel)        \
    {                                                                                              \
        return lfset_##kind##_save(set, path, cancel);                                             \
    }                                                                                              \
    static int64_t kind##_load_fd_(void *set, int fd, const char **why,                            \
                                   const struct lfset_cancel *cancel)                              \
    {                                                                                              \
        return lfset_##kind##_load_fd(set, fd, why, cancel);                                       \
    }                                                                                              \
    static int64_t kind##_load_(void *set, const char *path, const char **why,                     \
                                const struct lfset_cancel *cancel)                                 \
    {                                                                                              \
        return lfset_##kind##_load(set, path, why, cancel);                                        \
    }

#define FORMAT_CODE_u64 1
#define FORMAT_CODE_bytes 2
#define FORMAT_CODE_bitmap 3
#define FORMAT(kind)                                                                               \
    {                                                                                              \
#kind, FORMAT_CODE_##kind, kind##_create_, kind##_destroy_, kind##_add_, kind##_equal_,    \
            kind##_size_, kind##_save_fd_, kind##_save_, kind##_load_fd_, kind##_load_             \
    }

static uint64_t number_of(uint64_t id)
{
    return id == 0 ? 0 : id == 1 ? UINT64_MAX : id * UINT64_C(0x9e3779b97f4a7c15);
}

/* Near neighbours, a full word, the last one, and gaps. */
static uint64_t bit_of(uint64_t id)
{
    return id == 1 ? UINT64_MAX : id < 200 ? id : id * id * 1000;
}

static __attribute__((unused)) int u64_add_(void *set, uint64_t id)
{
    return lfset_u64_add(set, number_of(id));
}

static __attribute__((unused)) int bitmap_add_(void *set, uint64_t id)
{
    return lfset_bitmap_add(set, bit_of(id));
}

/* Of many lengths; number 70 is longer than the writer's buffer. */
static int bytes_add_(void *set, uint64_t id)
{
    static char text[200000];
    const size_t length = id == 70 ? sizeof text : (size_t)(id * 7 % 300);
    memset(text, (int)(id % 251), length);
    memcpy(text, &id, length < sizeof id ? length : sizeof id);
    return lfset_bytes_add(set, text, length);
}

DEFINE_FORMAT(u64)
DEFINE_FORMAT(bytes)
DEFINE_FORMAT(bitmap)

static const struct format formats[] = {FORMAT(u64), FORMAT(bytes), FORMAT(bitmap)};

#define FOR_FORMATS(format)                                                                        \
    for (const struct format *format = formats;                                                    \
         format < formats + sizeof formats / sizeof *formats; format++)

static void *format_new(const struct format *format, enum lfset_domain domain, uint64_t count,
                        struct memory *memory)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.allocator = memory == NULL ? NULL : &memory->hook;
    void *set = NULL;
    CHECK_EQ(format->create(&set, &options), 0);
    for (uint64_t id = 0; id < count; id++)
        CHECK(format->add(set, id) >= 0, "add failed");
    return set;
}

static void format_end(const struct format *format, void *set)
{
    check_faults();
    CHECK_EQ(format->destroy(set), 0);
}

/* ---- files ---- */

/* A directory that goes with the test's process, and a path in it. */
struct place {
    char directory[64];
    char path[96];
};

static void place_make(struct place *place)
{
    strcpy(place->directory, "/tmp/lfset-test-XXXXXX");
    CHECK(mkdtemp(place->directory) != NULL, "no directory: %s", strerror(errno));
    snprintf(place->path, sizeof place->path, "%s/saved", place->directory);
}

static size_t place_files(const struct place *place)
{
    size_t count = 0;
    DIR *directory = opendir(place->directory);
    CHECK(directory != NULL, "no directory");
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static void place_remove(struct place *place)
{
    unlink(place->path);
    CHECK(rmdir(place->directory) == 0, "something is left in the directory");
}

struct image {
    unsigned char *bytes;
    size_t size;
};

static int fd_of(const void *bytes, size_t size)
{
    const int fd = memfd_create("image", MFD_CLOEXEC);
    CHECK(fd >= 0, "no memory file");
    CHECK_EQ(write(fd, bytes, size), size);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static struct image image_of(const struct format *format, void *set)
{
    struct image image;
    const int fd = memfd_create("image", MFD_CLOEXEC);
    CHECK(fd >= 0, "no memory file");
    CHECK_EQ(format->save_fd(set, fd, NULL), 0);
    image.size = (size_t)lseek(fd, 0, SEEK_END);
    image.bytes = malloc(image.size + 16);
    CHECK_EQ(pread(fd, image.bytes, image.size, 0), image.size);
    close(fd);
    return image;
}

static int64_t load_image(const struct format *format, void *set, const void *bytes, size_t size,
                          const char **why)
{
    const int fd = fd_of(bytes, size);
    const int64_t result = format->load_fd(set, fd, why, NULL);
    close(fd);
    return result;
}

/* The image must be refused with `error` and a reason, and the set stays as it is: empty. */
static void check_refused(const struct format *format, void *empty, const void *bytes, size_t size,
                          int64_t error, const char *reason)
{
    const char *why = NULL;
    const int64_t result = load_image(format, empty, bytes, size, &why);
    CHECK(result == error, "%s: load answers %" PRId64 ", should be %" PRId64 " (%s)", format->name,
          result, error, reason == NULL ? "" : reason);
    CHECK(why != NULL, "%s: no reason", format->name);
    CHECK(reason == NULL || strstr(why, reason) != NULL, "%s: the reason is \"%s\", not \"%s\"",
          format->name, why, reason);
    CHECK_EQ(format->size(empty), 0);
}

/* A file with a right checksum around whatever is given. */
static struct image image_make(unsigned version, unsigned kind, uint64_t count, const void *payload,
                               size_t size)
{
    struct image image = {malloc(HEADER + size + CHECKSUM), HEADER + size + CHECKSUM};
    memcpy(image.bytes, "\x89lfset\r\n", 8);
    const uint64_t fields[] = {version | (uint64_t)kind << 32, count, size};
    memcpy(image.bytes + 8, fields, sizeof fields);
    memcpy(image.bytes + HEADER, payload, size);
    const uint64_t checksum = XXH3_64bits(image.bytes, HEADER + size);
    memcpy(image.bytes + HEADER + size, &checksum, sizeof checksum);
    return image;
}

/* ---- there and back ---- */

TEST_BOTH(file, what_is_saved_is_loaded)
{
    const uint64_t counts[] = {0, 1, 2, 3, 64, 65, 71, 300, 5000};
    struct place place;
    place_make(&place);
    FOR_FORMATS(format)
    {
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            void *set = format_new(format, domain, counts[i], NULL);
            void *back = format_new(format, domain, 0, NULL);
            const char *why = "untouched";
            CHECK_EQ(format->save(set, place.path, NULL), 0);
            CHECK_EQ(format->load(back, place.path, &why, NULL), format->size(set));
            CHECK(why == NULL, "a reason although nothing was wrong");
            CHECK(format->equal(set, back), "%s: %" PRIu64 " keys came back differently",
                  format->name, counts[i]);
            CHECK_EQ(format->load(back, place.path, NULL, NULL), 0); /* all are there already */
            format_end(format, back);
            format_end(format, set);
        }
    }
    place_remove(&place);
}

static void check_bytes(const struct format *format, void *set, const void *payload, size_t size)
{
    struct image got = image_of(format, set);
    struct image want = image_make(1, format->code, (uint64_t)format->size(set), payload, size);
    CHECK_EQ(got.size, want.size);
    for (size_t i = 0; i < want.size; i++)
        CHECK(got.bytes[i] == want.bytes[i], "%s: byte %zu is %02x, should be %02x", format->name,
              i, got.bytes[i], want.bytes[i]);
    free(got.bytes);
    free(want.bytes);
    CHECK_EQ(format->destroy(set), 0);
}

/* Files of former versions must stay readable: the bytes may never change. */
TEST(file, numbers_are_saved_as_documented)
{
    struct lfset_u64 *set = set_new(LFSET_RCU, 0, 1, NULL);
    const uint64_t keys[] = {UINT64_MAX, 3, 300, 4, 0};
    CHECK_EQ(lfset_u64_add_many(set, keys, 5, NULL), 5);
    static const unsigned char payload[] = "\x00\x02\x00\xa7\x02\xd2\xfd\xff\xff\xff\xff\xff\xff"
                                           "\xff\x01";
    check_bytes(&formats[0], set, payload, sizeof payload - 1);
}

TEST(file, strings_are_saved_as_documented)
{
    struct lfset_bytes *set = NULL;
    char text[300];
    memset(text, 'x', sizeof text);
    CHECK_EQ(lfset_bytes_create(&set, NULL), 0);
    CHECK_EQ(lfset_bytes_add(set, "b", 1), 1);
    CHECK_EQ(lfset_bytes_add(set, "ab", 2), 1);
    CHECK_EQ(lfset_bytes_add(set, "", 0), 1);
    CHECK_EQ(lfset_bytes_add(set, text, sizeof text), 1);
    unsigned char payload[8 + sizeof text] = "\x00\x02"
                                             "ab\x01"
                                             "b\xac\x02";
    memcpy(payload + 8, text, sizeof text);
    check_bytes(&formats[1], set, payload, sizeof payload);
}

TEST(file, bitmaps_are_saved_as_documented)
{
    struct lfset_bitmap *set = NULL;
    CHECK_EQ(lfset_bitmap_create(&set, NULL), 0);
    const uint64_t keys[] = {0, 1, 63, 64, 300 * 64 + 9, UINT64_MAX};
    CHECK_EQ(lfset_bitmap_add_many(set, keys, 6, NULL), 6);
    static const unsigned char payload[] = "\x00\x03\x00\x00\x00\x00\x00\x00\x80"
                                           "\x00\x01\x00\x00\x00\x00\x00\x00\x00"
                                           "\xaa\x02\x00\x02\x00\x00\x00\x00\x00\x00"
                                           "\xd2\xfd\xff\xff\xff\xff\xff\xff\x03"
                                           "\x00\x00\x00\x00\x00\x00\x00\x80";
    check_bytes(&formats[2], set, payload, sizeof payload - 1);
}

/* ---- refusals ---- */

TEST_BOTH(file, every_truncation_is_refused)
{
    FOR_FORMATS(format)
    {
        void *set = format_new(format, domain, 40, NULL);
        void *empty = format_new(format, domain, 0, NULL);
        struct image image = image_of(format, set);
        check_refused(format, empty, image.bytes, 0, -EBADMSG, "empty");
        for (size_t size = 1; size < image.size; size++)
            check_refused(format, empty, image.bytes, size, -EBADMSG, "truncated");
        CHECK_EQ(load_image(format, empty, image.bytes, image.size, NULL), format->size(set));
        free(image.bytes);
        format_end(format, empty);
        format_end(format, set);
    }
}

TEST_BOTH(file, every_corruption_of_a_byte_is_refused)
{
    FOR_FORMATS(format)
    {
        void *set = format_new(format, domain, 6, NULL);
        void *empty = format_new(format, domain, 0, NULL);
        struct image image = image_of(format, set);
        for (size_t i = 0; i < image.size; i++) {
            for (unsigned change = 1; change < 256;
                 change = change < 16 ? change + 1 : change * 2) {
                image.bytes[i] ^= (unsigned char)change;
                const bool newer = i >= 8 && i < 12;
                const char *why = NULL;
                const int64_t result = load_image(format, empty, image.bytes, image.size, &why);
                CHECK(result == -EBADMSG || (newer && result == -ENOTSUP),
                      "%s: byte %zu changed by %02x: load answers %" PRId64, format->name, i,
                      change, result);
                CHECK(why != NULL, "no reason");
                image.bytes[i] ^= (unsigned char)change;
            }
        }
        CHECK_EQ(format->size(empty), 0);
        CHECK_EQ(load_image(format, empty, image.bytes, image.size, NULL), format->size(set));
        free(image.bytes);
        format_end(format, empty);
        format_end(format, set);
    }
}

TEST(file, what_is_no_saved_set_of_this_kind_is_refused)
{
    FOR_FORMATS(format)
    {
        void *set = format_new(format, LFSET_RCU, 3, NULL);
        void *empty = format_new(format, LFSET_RCU, 0, NULL);
        struct image image = image_of(format, set);
        image.bytes[image.size] = '\0';
        check_refused(format, empty, image.bytes, image.size + 1, -EBADMSG, "goes on");
        check_refused(format, empty, "1\n2\n3\n", 6, -EBADMSG, "not a saved set");
        image.bytes[8] = 2;
        check_refused(format, empty, image.bytes, image.size, -ENOTSUP, "newer");
        image.bytes[8] = 0;
        check_refused(format, empty, image.bytes, image.size, -EBADMSG, "header");
        free(image.bytes);
        for (unsigned kind = 0; kind < 6; kind++) {
            struct image other = image_make(1, kind, 0, "", 0);
            if (kind == format->code)
                CHECK_EQ(load_image(format, empty, other.bytes, other.size, NULL), 0);
            else
                check_refused(format, empty, other.bytes, other.size, -EBADMSG, "another kind");
            free(other.bytes);
        }
        format_end(format, empty);
        format_end(format, set);
    }
}

/* A length that lies would be refused for lack of memory (or end the program) if it were believed. */
TEST(file, a_length_that_lies_costs_nothing)
{
    const uint64_t lies[] = {1,
                             1 << 20,
                             UINT64_C(1) << 46,
                             INT64_MAX - CHECKSUM,
                             INT64_MAX - 7,
                             INT64_MAX,
                             UINT64_MAX - CHECKSUM,
                             UINT64_MAX};
    FOR_FORMATS(format)
    {
        void *empty = format_new(format, LFSET_RCU, 0, NULL);
        struct image image = image_make(1, format->code, 0, "", 0);
        for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
            memcpy(image.bytes + 24, &lies[i], sizeof lies[i]);
            for (size_t size = HEADER; size <= image.size; size++)
                check_refused(format, empty, image.bytes, size, -EBADMSG, NULL);
        }
        free(image.bytes);
        format_end(format, empty);
    }
}

/* Whoever can compute a checksum can write anything. */
TEST(file, a_malformed_payload_with_a_right_checksum_is_refused)
{
    static const struct {
        size_t format;
        uint64_t count;
        const char *payload;
        size_t size;
    } cases[] = {
        {0, 1, "", 0},                                              /* too few */
        {0, 1, "\x01\x01", 2},                                      /* too many */
        {0, 1, "\x80", 1},                                          /* cut off */
        {0, 1, "\x80\x00", 2},                                      /* longer than it must be */
        {0, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10},     /* 65 bits */
        {0, 1, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11}, /* 71 bits */
        {0, 2, "\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11}, /* beyond the last */
        {0, 2, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00", 11}, /* after the last */
        {1, 1, "\x02z", 2},                                         /* cut off */
        {1, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 10},     /* far too long */
        {1, 2, "\x01z\x01z", 4},                                    /* twice */
        {1, 2, "\x01z\x01y", 4},                                    /* in the wrong order */
        {1, 2, "\x02zz\x01z", 5},                                   /* the same by length */
        {1, 2, "\x00\x00", 2},                                      /* none, twice */
        {1, 2, "\x10zzzzzzzzzzzzzzzz\x20y", 19}, /* cut off, and shorter than the one before */
        {2, 1, "\x00\x00\x00\x00\x00\x00\x00\x00\x00", 9}, /* a word of nothing */
        {2, 1, "\x00\x01\x00\x00\x00\x00\x00\x00", 8},     /* cut off */
        {2, 0, "\x00\x00\x00\x00\x00\x00\x00\x00\x00", 9}, /* a word of nothing */
        {2, 1, "\x00\x03\x00\x00\x00\x00\x00\x00\x00", 9}, /* more bits */
        {2, 1, "\x80\x80\x80\x80\x80\x80\x80\x80\x04\x01\x00\x00\x00\x00\x00\x00\x00", 17},
        {2, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x00\x00\x00\x00\x00\x00\x00", 18},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].format >= sizeof formats / sizeof *formats)
            continue;
        const struct format *format = &formats[cases[i].format];
        void *empty = format_new(format, LFSET_RCU, 0, NULL);
        struct image image =
            image_make(1, format->code, cases[i].count, cases[i].payload, cases[i].size);
        check_refused(format, empty, image.bytes, image.size, -EBADMSG, "malformed");
        free(image.bytes);
        format_end(format, empty);
    }
}

TEST(file, null_and_bad_descriptors_are_refused)
{
    FOR_FORMATS(format)
    {
        void *set = format_new(format, LFSET_RCU, 3, NULL);
        const char *why = "untouched";
        CHECK_EQ(format->save_fd(NULL, 1, NULL), -EINVAL);
        CHECK_EQ(format->save(NULL, "/tmp/nothing", NULL), -EINVAL);
        CHECK_EQ(format->save(set, NULL, NULL), -EINVAL);
        CHECK_EQ(format->load_fd(NULL, 0, NULL, NULL), -EINVAL);
        CHECK_EQ(format->load(set, NULL, NULL, NULL), -EINVAL);
        CHECK_EQ(format->load(NULL, "/dev/null", NULL, NULL), -EINVAL);
        CHECK_EQ(format->save_fd(set, -1, NULL), -EBADF);
        CHECK_EQ(format->load_fd(set, -1, NULL, NULL), -EBADF);
        CHECK_EQ(format->load(set, "/nowhere/at/all", &why, NULL), -ENOENT);
        CHECK(why == NULL, "a reason although there is no file");
        CHECK_EQ(format->save(set, "/nowhere/at/all", NULL), -ENOENT);
        CHECK_EQ(format->load(set, "/tmp", &why, NULL), -EISDIR);
        const int full = open("/dev/full", O_WRONLY);
        CHECK_EQ(format->save_fd(set, full, NULL), -ENOSPC);
        close(full);
        format_end(format, set);
    }
}

/* ---- a path holds the old file or the new one ---- */

TEST(file, a_save_that_fails_leaves_the_old_file_and_nothing_else)
{
    struct place place;
    place_make(&place);
    signal(SIGXFSZ, SIG_IGN);
    struct lfset_cancel *cancel = NULL;
    CHECK_EQ(lfset_cancel_create(&cancel, NULL, LFSET_NO_DEADLINE), 0);
    CHECK_EQ(lfset_cancel_now(cancel), 1);
    FOR_FORMATS(format)
    {
        void *small = format_new(format, LFSET_RCU, 2, NULL);
        void *large = format_new(format, LFSET_RCU, 3000, NULL);
        void *back = format_new(format, LFSET_RCU, 0, NULL);
        CHECK_EQ(format->save(small, place.path, NULL), 0);
        struct rlimit limit;
        CHECK_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
        const struct rlimit tight = {1000, limit.rlim_max};
        CHECK_EQ(setrlimit(RLIMIT_FSIZE, &tight), 0);
        const int error = format->save(large, place.path, NULL);
        CHECK_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
        CHECK_EQ(error, -EFBIG);
        CHECK_EQ(format->save(large, place.path, cancel), -ECANCELED);
        CHECK_EQ(place_files(&place), 1);
        CHECK_EQ(format->load(back, place.path, NULL, NULL), format->size(small));
        format_end(format, small);
        format_end(format, large);
        format_end(format, back);
    }
    lfset_cancel_destroy(cancel);
    place_remove(&place);
}

TEST(file, a_save_keeps_the_mode_and_follows_links)
{
    struct place place;
    struct stat status;
    char link[128];
    place_make(&place);
    snprintf(link, sizeof link, "%s/link", place.directory);
    CHECK_EQ(symlink("saved", link), 0);
    struct lfset_u64 *set = set_new(LFSET_RCU, 0, 1, NULL);
    umask(027);
    CHECK_EQ(lfset_u64_save(set, place.path, NULL), 0);
    CHECK_EQ(stat(place.path, &status), 0);
    CHECK_EQ(status.st_mode & 07777, 0640);
    CHECK_EQ(chmod(place.path, 0604), 0);
    CHECK_EQ(lfset_u64_save(set, link, NULL), 0);
    CHECK_EQ(lstat(link, &status), 0);
    CHECK(S_ISLNK(status.st_mode), "the link was replaced");
    CHECK_EQ(stat(place.path, &status), 0);
    CHECK_EQ(status.st_mode & 07777, 0604);
    CHECK_EQ(lfset_u64_save(set, place.directory, NULL), -EINVAL);
    CHECK_EQ(unlink(link), 0);
    CHECK_EQ(mkfifo(link, 0600), 0);
    CHECK_EQ(lfset_u64_save(set, link, NULL), -EINVAL);
    CHECK_EQ(lstat(link, &status), 0);
    CHECK(S_ISFIFO(status.st_mode), "the pipe was replaced");
    CHECK_EQ(unlink(link), 0);
    place_remove(&place);
    set_end(set, NULL);
}

TEST(file, a_save_works_beside_what_a_killed_process_left)
{
    struct place place;
    char left[160];
    place_make(&place);
    struct lfset_u64 *set = set_new(LFSET_RCU, 0, 1, NULL);
    for (int i = 0; i < 3; i++) {
        snprintf(left, sizeof left, "%s.%ld-%d.tmp", place.path, (long)getpid(), i);
        close(open(left, O_CREAT | O_WRONLY, 0600));
    }
    CHECK_EQ(lfset_u64_save(set, place.path, NULL), 0);
    CHECK_EQ(place_files(&place), 4);
    for (int i = 0; i < 3; i++) {
        snprintf(left, sizeof left, "%s.%ld-%d.tmp", place.path, (long)getpid(), i);
        CHECK_EQ(unlink(left), 0);
    }
    place_remove(&place);
    set_end(set, NULL);
}

/* ---- pipes and signals ---- */

struct dribble {
    const struct format *format;
    struct image image;
    int fd;
};

/* Byte by byte at first, so that reads come back short. */
static void dribble(void *arg)
{
    struct dribble *dribble = arg;
    for (size_t i = 0; i < dribble->image.size;) {
        const size_t left = dribble->image.size - i;
        const size_t size = i < 200 || left < 777 ? 1 : 777;
        if (write(dribble->fd, dribble->image.bytes + i, size) != (ssize_t)size) {
            fault("writing to the pipe: %s", strerror(errno));
            break;
        }
        i += size;
    }
    close(dribble->fd);
}

static void on_alarm(int number)
{
    (void)number;
}

static void interrupt_often(bool on)
{
    const struct sigaction action = {.sa_handler = on_alarm};
    CHECK_EQ(sigaction(SIGALRM, &action, NULL), 0); /* without SA_RESTART */
    const struct itimerval often = {{0, on ? 300 : 0}, {0, on ? 300 : 0}};
    CHECK_EQ(setitimer(ITIMER_REAL, &often, NULL), 0);
}

static void blocked(void (*body)(void *), void *arg)
{
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarms, NULL);
    body(arg);
}

static void dribble_in_peace(void *arg)
{
    blocked(dribble, arg);
}

static void swallow(void *arg)
{
    struct dribble *dribble = arg;
    size_t room = 0;
    for (;;) {
        if (dribble->image.size == room)
            dribble->image.bytes = realloc(dribble->image.bytes, room += 1000);
        const ssize_t got = read(dribble->fd, dribble->image.bytes + dribble->image.size,
                                 room - dribble->image.size);
        if (got <= 0)
            break;
        dribble->image.size += (size_t)got;
        sched_yield();
    }
    close(dribble->fd);
}

static void swallow_in_peace(void *arg)
{
    blocked(swallow, arg);
}

TEST_BOTH(file, pipes_and_signals_do_not_matter)
{
    FOR_FORMATS(format)
    {
        void *set = format_new(format, domain, 3000, NULL);
        void *back = format_new(format, domain, 0, NULL);
        int ends[2];
        struct crew crew;

        CHECK_EQ(pipe(ends), 0);
        CHECK(fcntl(ends[1], F_SETPIPE_SZ, 4096) >= 4096, "the pipe keeps its size");
        struct dribble reader = {format, {NULL, 0}, ends[0]};
        crew_start(&crew, 1, swallow_in_peace, &reader, 0);
        interrupt_often(true);
        CHECK_EQ(format->save_fd(set, ends[1], NULL), 0);
        interrupt_often(false);
        close(ends[1]);
        crew_join(&crew);

        CHECK_EQ(pipe(ends), 0);
        struct dribble writer = {format, reader.image, ends[1]};
        crew_start(&crew, 1, dribble_in_peace, &writer, 0);
        interrupt_often(true);
        CHECK_EQ(format->load_fd(back, ends[0], NULL, NULL), format->size(set));
        interrupt_often(false);
        crew_join(&crew);
        close(ends[0]);
        CHECK(format->equal(set, back), "%s: other keys came back", format->name);
        free(reader.image.bytes);
        format_end(format, set);
        format_end(format, back);
    }
}

/* ---- cancelling, memory, threads ---- */

TEST_BOTH(file, a_token_that_is_cancelled_stops_saving_and_loading)
{
    struct lfset_cancel *cancel = NULL;
    CHECK_EQ(lfset_cancel_create(&cancel, NULL, 1), 0);
    FOR_FORMATS(format)
    {
        void *set = format_new(format, domain, 300, NULL);
        void *empty = format_new(format, domain, 0, NULL);
        struct image image = image_of(format, set);
        const int fd = fd_of(image.bytes, image.size);
        CHECK_EQ(format->load_fd(empty, fd, NULL, cancel), -ETIMEDOUT);
        CHECK_EQ(format->size(empty), 0);
        CHECK_EQ(format->save_fd(set, fd, cancel), -ETIMEDOUT);
        close(fd);
        free(image.bytes);
        format_end(format, set);
        format_end(format, empty);
    }
    lfset_cancel_destroy(cancel);
}

TEST_BOTH(file, no_memory_leaks_nothing)
{
    FOR_FORMATS(format)
    {
        for (uint64_t fail_at = 1; fail_at < 60; fail_at++) {
            struct memory memory;
            memory_init(&memory, 0);
            void *set = format_new(format, domain, 100, &memory);
            void *back = format_new(format, domain, 0, &memory);
            const int fd = memfd_create("image", MFD_CLOEXEC);
            atomic_store(&memory.fail_at, atomic_load(&memory.calls) + fail_at);
            int error = format->save_fd(set, fd, NULL);
            const bool failed = atomic_load(&memory.failures) > 0;
            CHECK_EQ(error, failed && error != 0 ? -ENOMEM : 0);
            memory_heal(&memory);
            CHECK_EQ(ftruncate(fd, 0), 0);
            CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
            CHECK_EQ(format->save_fd(set, fd, NULL), 0);
            CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
            atomic_store(&memory.fail_at, atomic_load(&memory.calls) + fail_at);
            const int64_t added = format->load_fd(back, fd, NULL, NULL);
            memory_heal(&memory);
            CHECK(added == -ENOMEM || added == format->size(set), "load answers %" PRId64, added);
            close(fd);
            format_end(format, set);
            format_end(format, back);
            memory_check_balance(&memory);
        }
    }
}

/* What saving and loading take from malloc is given back, also when they fail. */
TEST(file, buffers_are_given_back)
{
    FOR_FORMATS(format)
    {
        void *set = format_new(format, LFSET_HP, 3000, NULL);
        void *back = format_new(format, LFSET_HP, 3000, NULL);
        struct image image = image_of(format, set);
        size_t before = 0;
        for (int round = 0; round < 40; round++) {
            CHECK_EQ(format->save_fd(set, -1, NULL), -EBADF);
            CHECK_EQ(load_image(format, back, image.bytes, image.size, NULL), 0);
            CHECK_EQ(load_image(format, back, image.bytes, image.size - 1, NULL), -EBADMSG);
            free(image.bytes);
            image = image_of(format, set);
            if (round == 19)
                before = heap_in_use();
        }
        const size_t now = heap_in_use();
        CHECK(now < before + 20 * 8192, "%s: %zu bytes are in use, and were %zu", format->name, now,
              before);
        free(image.bytes);
        format_end(format, set);
        format_end(format, back);
    }
}

struct churn {
    const struct format *format;
    void *set;
    atomic_bool done;
};

static void churn(void *arg)
{
    struct churn *churn = arg;
    for (uint64_t id = 0; !atomic_load(&churn->done); id++)
        if (churn->format->add(churn->set, 100 + id % 300) < 0)
            fault("add failed");
}

TEST_BOTH(file, a_set_that_is_being_changed_is_saved_as_it_was)
{
    FOR_FORMATS(format)
    {
        struct churn churning = {format, format_new(format, domain, 100, NULL), false};
        struct crew crew;
        crew_start(&crew, 1, churn, &churning, 0);
        for (size_t i = 0; i < scaled(40); i++) {
            void *back = format_new(format, domain, 0, NULL);
            struct image image = image_of(format, churning.set);
            CHECK(load_image(format, back, image.bytes, image.size, NULL) >= 100,
                  "%s: keys are missing", format->name);
            free(image.bytes);
            format_end(format, back);
        }
        atomic_store(&churning.done, true);
        crew_join(&crew);
        format_end(format, churning.set);
    }
}

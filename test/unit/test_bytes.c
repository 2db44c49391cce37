// SPDX-License-Identifier: MIT
/* What every function of the byte-string set answers, without and with memory; one thread and many. */
#define _GNU_SOURCE
#include "node_support.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lfset/cancel.h"
#include "set/node.h"

/* A literal with its NUL bytes, without the one at its end. */
#define S(literal) "" literal, (sizeof literal - 1)

static void *test_alloc(size_t size)
{
    void *result = malloc(size == 0 ? 1 : size);
    CHECK(result != NULL, "no memory for the test");
    return result;
}

/* ---- creation and its errors ---- */

static void check_create_fails(const struct lfset_options *options, int error)
{
    int rubbish = 0;
    struct lfset_bytes *set = (struct lfset_bytes *)(void *)&rubbish;
    CHECK_EQ(lfset_bytes_create(&set, options), error);
    CHECK(set == NULL, "a failed create left something in *set");
}

TEST(bytes, create_with_defaults)
{
    struct lfset_bytes *set = NULL;
    CHECK_EQ(lfset_bytes_create(&set, NULL), 0);
    CHECK(set != NULL, "create answered 0 and stored NULL");
    const struct lfset_stats stats = bytes_stats(set);
    CHECK_EQ(stats.domain, LFSET_RCU);
    CHECK_EQ(stats.live, 0);
    CHECK_EQ(stats.bound, 0);
    CHECK_EQ(stats.key_bytes, 0);
    CHECK_EQ(stats.dead_bytes, 0);
    CHECK_EQ(stats.slices, 1);
    CHECK(stats.name != NULL && stats.name[0] == '\0', "a set without a name has one");
    CHECK_EQ(lfset_bytes_size(set, NULL), 0);
    bytes_end(set, NULL);
    CHECK_EQ(lfset_bytes_destroy(NULL), 0);
}

TEST_BOTH(bytes, create_refuses_bad_options)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_options options = LFSET_OPTIONS_INIT;
    CHECK_EQ(lfset_bytes_create(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_create(NULL, &options), -EINVAL);
    const size_t bad_sizes[] = {0, 1, sizeof options - 1, sizeof options + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++) {
        options.size = bad_sizes[i];
        check_create_fails(&options, -EINVAL);
    }
    options.size = sizeof options;
    const int bad_domains[] = {-1, 2, INT_MAX, INT_MIN};
    for (size_t i = 0; i < sizeof bad_domains / sizeof *bad_domains; i++) {
        options.domain = (enum lfset_domain)bad_domains[i];
        check_create_fails(&options, -EINVAL);
    }

    options.domain = domain;
    struct lfset_allocator broken = memory.hook;
    options.allocator = &broken;
    broken.alloc = NULL;
    check_create_fails(&options, -EINVAL);
    broken = memory.hook;
    broken.free = NULL;
    check_create_fails(&options, -EINVAL);
    CHECK_EQ(atomic_load(&memory.calls), 0);
    options.allocator = &memory.hook;
    for (unsigned bit = 50; bit < 64; bit++) {
        options.capacity = UINT64_C(1) << bit;
        check_create_fails(&options, -ENOMEM);
    }
    memory_check_balance(&memory);
}

/* ---- bad arguments ---- */

static int visit_nothing(const void *key, size_t length, void *ctx)
{
    (void)key;
    (void)length;
    (void)ctx;
    return 0;
}

TEST_BOTH(bytes, null_sets)
{
    (void)domain;
    const struct lfset_string keys[2] = {{"a", 1}, {"b", 1}};
    int8_t results[2];
    char buffer[8];
    size_t length = 77;
    uint64_t histogram[4];
    struct lfset_stats stats = {.size = sizeof stats};
    CHECK_EQ(lfset_bytes_add(NULL, "a", 1), -EINVAL);
    CHECK_EQ(lfset_bytes_remove(NULL, "a", 1), -EINVAL);
    CHECK_EQ(lfset_bytes_contains(NULL, "a", 1), -EINVAL);
    CHECK_EQ(lfset_bytes_pop(NULL, buffer, sizeof buffer, &length), -EINVAL);
    CHECK_EQ(lfset_bytes_add_many(NULL, keys, 2, results), -EINVAL);
    CHECK_EQ(lfset_bytes_remove_many(NULL, keys, 2, results), -EINVAL);
    CHECK_EQ(lfset_bytes_contains_many(NULL, keys, 2, results), -EINVAL);
    CHECK_EQ(lfset_bytes_reserve(NULL, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_size_estimate(NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_size(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_is_empty(NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_clear(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_purge(NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_each(NULL, visit_nothing, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_validate(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_probe_lengths(NULL, histogram, 4), -EINVAL);
    CHECK_EQ(lfset_bytes_stats_read(NULL, &stats), -EINVAL);
    CHECK_EQ(length, 77);

    int rubbish = 0;
    struct lfset_bytes_snapshot *snapshot = (struct lfset_bytes_snapshot *)(void *)&rubbish;
    CHECK_EQ(lfset_bytes_snapshot_take(NULL, &snapshot, NULL), -EINVAL);
    CHECK(snapshot == NULL, "a failed snapshot left something");
    snapshot = (struct lfset_bytes_snapshot *)(void *)&rubbish;
    CHECK_EQ(lfset_bytes_drain(NULL, &snapshot, NULL), -EINVAL);
    CHECK(snapshot == NULL, "a failed drain left something");
    CHECK_EQ(lfset_bytes_snapshot_count(NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_snapshot_contains(NULL, "a", 1), -EINVAL);
    CHECK_EQ(lfset_bytes_snapshot_each(NULL, visit_nothing, NULL, NULL), -EINVAL);
    struct lfset_string string;
    CHECK_EQ(lfset_bytes_snapshot_copy(NULL, &string, 1), -EINVAL);
    lfset_bytes_snapshot_destroy(snapshot);
}

TEST_BOTH(bytes, null_arguments)
{
    struct lfset_bytes *set = bytes_new(domain, 0, 1, NULL);
    int8_t results[3] = {9, 9, 9};
    char buffer[8];
    size_t length = 77;
    uint64_t histogram[4];
    CHECK_EQ(lfset_bytes_add(set, NULL, 1), -EINVAL);
    CHECK_EQ(lfset_bytes_remove(set, NULL, 1), -EINVAL);
    CHECK_EQ(lfset_bytes_contains(set, NULL, 1), -EINVAL);
    CHECK_EQ(lfset_bytes_add_many(set, NULL, 3, results), -EINVAL);
    CHECK_EQ(lfset_bytes_remove_many(set, NULL, 3, results), -EINVAL);
    CHECK_EQ(lfset_bytes_contains_many(set, NULL, 3, results), -EINVAL);
    CHECK_EQ(lfset_bytes_add_many(set, NULL, 0, NULL), 0);
    CHECK_EQ(lfset_bytes_remove_many(set, NULL, 0, NULL), 0);
    CHECK_EQ(lfset_bytes_contains_many(set, NULL, 0, NULL), 0);
    CHECK_EQ(lfset_bytes_each(set, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_validate(set, NULL), 1);
    CHECK_EQ(lfset_bytes_probe_lengths(set, NULL, 4), -EINVAL);
    CHECK_EQ(lfset_bytes_probe_lengths(set, histogram, 0), -EINVAL);
    CHECK_EQ(lfset_bytes_snapshot_take(set, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_drain(set, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_is_empty(set), 1);

    /* One bad key among good ones fails alone. */
    const struct lfset_string keys[3] = {{"a", 1}, {NULL, 5}, {"c", 1}};
    CHECK_EQ(lfset_bytes_add_many(set, keys, 3, results), -EINVAL);
    CHECK_EQ(results[0], 1);
    CHECK_EQ(results[1], -EINVAL);
    CHECK_EQ(results[2], 1);
    CHECK_EQ(lfset_bytes_remove_many(set, keys, 2, results), -EINVAL);
    CHECK_EQ(results[0], 1);
    CHECK_EQ(results[1], -EINVAL);

    CHECK_EQ(lfset_bytes_pop(set, buffer, sizeof buffer, NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_pop(set, NULL, 8, &length), -EINVAL);
    CHECK_EQ(length, 77);
    CHECK_EQ(lfset_bytes_contains(set, "c", 1), 1);
    struct lfset_bytes_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_bytes_snapshot_take(set, &snapshot, NULL), 0);
    CHECK_EQ(lfset_bytes_snapshot_each(snapshot, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_bytes_snapshot_copy(snapshot, NULL, 1), -EINVAL);
    CHECK_EQ(lfset_bytes_snapshot_copy(snapshot, NULL, 0), 0);
    lfset_bytes_snapshot_destroy(snapshot);

    struct lfset_stats stats = {.size = sizeof stats};
    CHECK_EQ(lfset_bytes_stats_read(set, NULL), -EINVAL);
    const size_t bad_sizes[] = {0, 1, sizeof stats - 1, sizeof stats + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad_sizes / sizeof *bad_sizes; i++) {
        stats.size = bad_sizes[i];
        CHECK_EQ(lfset_bytes_stats_read(set, &stats), -EINVAL);
    }
    bytes_end(set, NULL);
}

/* None of the bytes may be looked at: there are not so many behind the pointer. */
TEST_BOTH(bytes, longer_than_any_key)
{
    struct lfset_bytes *set = bytes_new(domain, 0, 1, NULL);
    const size_t lengths[] = {(size_t)LFSET_BYTES_MAX + 1, (size_t)1 << 40, SIZE_MAX - 15,
                              SIZE_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const struct lfset_string key = {"x", lengths[i]};
        int8_t result = 9;
        CHECK_EQ(lfset_bytes_add(set, key.data, key.length), -E2BIG);
        CHECK_EQ(lfset_bytes_remove(set, key.data, key.length), 0);
        CHECK_EQ(lfset_bytes_contains(set, key.data, key.length), 0);
        CHECK_EQ(lfset_bytes_add_many(set, &key, 1, &result), -E2BIG);
        CHECK_EQ(result, -E2BIG);
        CHECK_EQ(lfset_bytes_remove_many(set, &key, 1, &result), 0);
        CHECK_EQ(lfset_bytes_contains_many(set, &key, 1, &result), 0);
    }
    CHECK_EQ(lfset_bytes_is_empty(set), 1);
    bytes_end(set, NULL);
}

/* Where the answer follows from the length as well. */
TEST_BOTH(bytes, longer_than_any_key_in_a_snapshot_and_in_waits)
{
    struct lfset_bytes *set = bytes_new(domain, 0, 1, NULL);
    struct lfset_bytes_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_bytes_add(set, "x", 1), 1);
    CHECK_EQ(lfset_bytes_snapshot_take(set, &snapshot, NULL), 0);
    CHECK_EQ(lfset_bytes_snapshot_contains(snapshot, "x", SIZE_MAX - 15), 0);
    lfset_bytes_snapshot_destroy(snapshot);
    CHECK_EQ(lfset_bytes_wait_absent(set, "x", SIZE_MAX - 15, NULL), 0);
    bytes_end(set, NULL);
}

/* ---- single keys ---- */

static const struct lfset_string awkward[] = {
    {S("")},
    {S("\0")},
    {S("\0\0")},
    {S("\0\0\0\0\0\0\0\0")},
    {S("\0a")},
    {S("\x01")},
    {S("a")},
    {S("a\0")},
    {S("a\0\0")},
    {S("a\0b")},
    {S("a\0c")},
    {S("aa")},
    {S("ab")},
    {S("abcdefg")},
    {S("abcdefgh")},
    {S("abcdefghi")},
    {S("abcdefghijklmnop")},
    {S("abcdefghijklmnopq")},
    {S("\x7f")},
    {S("\x80")},
    {S("\xff")},
    {S("\xff\0")},
    {S("\xff\xff\xff\xff\xff\xff\xff\xff")},
};

enum { AWKWARD = sizeof awkward / sizeof *awkward };

TEST_BOTH(bytes, the_empty_string_is_a_key)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bytes *set = bytes_new(domain, 0, 1, &memory);
    CHECK_EQ(lfset_bytes_contains(set, NULL, 0), 0);
    CHECK_EQ(lfset_bytes_remove(set, NULL, 0), 0);
    CHECK_EQ(lfset_bytes_add(set, NULL, 0), 1);
    CHECK_EQ(lfset_bytes_add(set, "anything", 0), 0);
    CHECK_EQ(lfset_bytes_contains(set, "", 0), 1);
    CHECK_EQ(lfset_bytes_contains(set, "", 1), 0);
    CHECK_EQ(lfset_bytes_size(set, NULL), 1);
    struct lfset_bytes_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_bytes_snapshot_take(set, &snapshot, NULL), 0);
    struct lfset_string copy = {NULL, 9};
    CHECK_EQ(lfset_bytes_snapshot_copy(snapshot, &copy, 1), 1);
    CHECK_EQ(copy.length, 0);
    CHECK_EQ(lfset_bytes_snapshot_contains(snapshot, NULL, 0), 1);
    CHECK_EQ(lfset_bytes_snapshot_contains(snapshot, "", 1), 0);
    lfset_bytes_snapshot_destroy(snapshot);
    size_t length = 9;
    CHECK_EQ(lfset_bytes_pop(set, NULL, 0, &length), 1);
    CHECK_EQ(length, 0);
    CHECK_EQ(lfset_bytes_is_empty(set), 1);
    bytes_end(set, &memory);
}

TEST_BOTH(bytes, every_awkward_key_alone)
{
    for (uint64_t seed = 0; seed < 3; seed++) {
        struct lfset_bytes *set = bytes_new(domain, 0, seed, NULL);
        for (size_t i = 0; i < AWKWARD; i++) {
            const struct lfset_string key = awkward[i];
            CHECK_EQ(lfset_bytes_remove(set, key.data, key.length), 0);
            CHECK_EQ(lfset_bytes_add(set, key.data, key.length), 1);
            CHECK_EQ(lfset_bytes_add(set, key.data, key.length), 0);
            for (size_t k = 0; k < AWKWARD; k++)
                CHECK_EQ(lfset_bytes_contains(set, awkward[k].data, awkward[k].length), i == k);
            CHECK_EQ(lfset_bytes_size(set, NULL), 1);
            if (i % 2 == 0) {
                CHECK_EQ(lfset_bytes_remove(set, key.data, key.length), 1);
            } else {
                char popped[32];
                size_t length = 0;
                CHECK_EQ(lfset_bytes_pop(set, popped, sizeof popped, &length), 1);
                const struct lfset_string got = {popped, length};
                CHECK(compare_strings(&got, &key) == 0, "pop gave another key than number %zu", i);
            }
            CHECK_EQ(lfset_bytes_contains(set, key.data, key.length), 0);
            CHECK_EQ(lfset_bytes_is_empty(set), 1);
        }
        bytes_end(set, NULL);
    }
}

TEST_BOTH(bytes, awkward_keys_together_in_order)
{
    struct lfset_string sorted[AWKWARD];
    memcpy(sorted, awkward, sizeof sorted);
    qsort(sorted, AWKWARD, sizeof *sorted, compare_strings);
    struct lfset_bytes *set = bytes_new(domain, 0, 5, NULL);
    for (size_t i = 0; i < AWKWARD; i++)
        CHECK_EQ(lfset_bytes_add(set, awkward[i].data, awkward[i].length), 1);
    struct lfset_bytes_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_bytes_snapshot_take(set, &snapshot, NULL), 0);
    struct lfset_string copy[AWKWARD + 1];
    CHECK_EQ(lfset_bytes_snapshot_copy(snapshot, copy, AWKWARD + 1), AWKWARD);
    for (size_t i = 0; i < AWKWARD; i++)
        CHECK(compare_strings(&copy[i], &sorted[i]) == 0, "key %zu of the snapshot is wrong", i);
    memset(copy, 0, sizeof copy);
    CHECK_EQ(lfset_bytes_snapshot_copy(snapshot, copy, 3), 3);
    for (size_t i = 0; i < 3; i++)
        CHECK(compare_strings(&copy[i], &sorted[i]) == 0, "key %zu of the smallest is wrong", i);
    CHECK(copy[3].data == NULL, "snapshot_copy stored more than it was asked for");
    for (size_t i = 0; i < AWKWARD; i++) {
        CHECK_EQ(lfset_bytes_remove(set, sorted[i].data, sorted[i].length), 1);
        for (size_t k = 0; k < AWKWARD; k++)
            CHECK_EQ(lfset_bytes_contains(set, sorted[k].data, sorted[k].length), k > i);
        CHECK_EQ(lfset_bytes_snapshot_contains(snapshot, sorted[i].data, sorted[i].length), 1);
    }
    CHECK_EQ(lfset_bytes_snapshot_count(snapshot), AWKWARD);
    lfset_bytes_snapshot_destroy(snapshot);
    bytes_end(set, NULL);
}

/* Exactly as long as its key, so that a sanitizer sees who reads behind it, and at odd addresses. */
struct exact {
    char *block;
    char *data;
};

static struct exact exact_key(size_t length, unsigned kind)
{
    const size_t offset = length % 8;
    struct exact key = {test_alloc(offset + length), NULL};
    key.data = key.block + offset;
    memset(key.data, (int)kind, length);
    return key;
}

/* All prefixes of one long string, and for each length one that differs in its last byte only. */
TEST_BOTH(bytes, every_length)
{
    enum { MOST = 4096 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bytes *set = bytes_new(domain, 0, 6, &memory);
    for (size_t length = 0; length <= MOST; length++) {
        struct exact key = exact_key(length, 'k');
        CHECK_EQ(lfset_bytes_contains(set, key.data, length), 0);
        CHECK_EQ(lfset_bytes_add(set, key.data, length), 1);
        CHECK_EQ(lfset_bytes_add(set, key.data, length), 0);
        CHECK_EQ(lfset_bytes_contains(set, key.data, length), 1);
        if (length > 0) {
            key.data[length - 1] = 'l';
            CHECK_EQ(lfset_bytes_contains(set, key.data, length), 0);
            CHECK_EQ(lfset_bytes_remove(set, key.data, length), 0);
            CHECK_EQ(lfset_bytes_add(set, key.data, length), 1);
            CHECK_EQ(lfset_bytes_contains(set, key.data, length), 1);
        }
        free(key.block);
    }
    CHECK_EQ(lfset_bytes_size(set, NULL), 2 * MOST + 1);
    /* An estimate: when it was written the set held 2 * (0 + 1 + ... + 4096) bytes of keys. */
    const uint64_t bytes = (uint64_t)MOST * (MOST + 1);
    const uint64_t estimate = bytes_stats(set).key_bytes;
    CHECK(estimate > bytes / 2 && estimate < bytes * 2, "%" PRIu64 " bytes of keys, not %" PRIu64,
          estimate, bytes);

    struct lfset_bytes_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_bytes_snapshot_take(set, &snapshot, NULL), 0);
    struct lfset_string *copy = test_alloc((2 * MOST + 2) * sizeof *copy);
    CHECK_EQ(lfset_bytes_snapshot_copy(snapshot, copy, 2 * MOST + 2), 2 * MOST + 1);
    for (size_t i = 1; i < 2 * MOST + 1; i++)
        CHECK(compare_strings(&copy[i - 1], &copy[i]) < 0, "the snapshot is not in order at %zu",
              i);
    free(copy);
    lfset_bytes_snapshot_destroy(snapshot);

    for (size_t length = 0; length <= MOST; length++) {
        struct exact key = exact_key(length, 'k');
        CHECK_EQ(lfset_bytes_remove(set, key.data, length), 1);
        CHECK_EQ(lfset_bytes_remove(set, key.data, length), 0);
        if (length > 0) {
            key.data[length - 1] = 'l';
            CHECK_EQ(lfset_bytes_contains(set, key.data, length), 1);
            CHECK_EQ(lfset_bytes_remove(set, key.data, length), 1);
        }
        free(key.block);
    }
    CHECK_EQ(lfset_bytes_is_empty(set), 1);
    bytes_end(set, &memory);
}

TEST_BOTH(bytes, keys_are_copied)
{
    struct lfset_bytes *set = bytes_new(domain, 0, 6, NULL);
    char key[] = "the caller may reuse this";
    CHECK_EQ(lfset_bytes_add(set, key, sizeof key), 1);
    key[3] = '!';
    CHECK_EQ(lfset_bytes_contains(set, key, sizeof key), 0);
    key[3] = ' ';
    CHECK_EQ(lfset_bytes_contains(set, key, sizeof key), 1);
    bytes_end(set, NULL);
}

static size_t available_memory(void)
{
    FILE *file = fopen("/proc/meminfo", "r");
    char line[128];
    size_t kilobytes = 0;
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "MemAvailable: %zu kB", &kilobytes) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kilobytes << 10;
}

/* Huge pages, or most of the test's time would be page faults. */
static void *huge_alloc(void *ctx, size_t size, size_t align)
{
    (void)ctx;
    (void)align;
    void *block = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED)
        return NULL;
    (void)madvise(block, size, MADV_HUGEPAGE);
    return block;
}

static void huge_free(void *ctx, void *block, size_t size, size_t align)
{
    (void)ctx;
    (void)align;
    munmap(block, size);
}

static const struct lfset_allocator huge_pages = {NULL, huge_alloc, huge_free, LFSET_ALLOC_ZEROED};

/* The caller's key is a mapping of zero pages that costs nothing; the set's copies are real. */
static void huge_key(enum lfset_domain domain, char *key, size_t length)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.allocator = &huge_pages;
    struct lfset_bytes *set = NULL;
    CHECK_EQ(lfset_bytes_create(&set, &options), 0);
    CHECK_EQ(lfset_bytes_add(set, key, length), 1);
    CHECK_EQ(lfset_bytes_add(set, key, length), 0);
    CHECK_EQ(lfset_bytes_contains(set, key, length), 1);
    CHECK_EQ(lfset_bytes_contains(set, key, length - 1), 0);
    /* What a 31-bit or a 32-bit length would make of it. */
    CHECK_EQ(lfset_bytes_contains(set, key, length & INT32_MAX), 0);
    key[length - 1] = 1;
    CHECK_EQ(lfset_bytes_contains(set, key, length), 0);
    key[length - 1] = 0;
    struct lfset_bytes_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_bytes_snapshot_take(set, &snapshot, NULL), 0);
    struct lfset_string copy = {NULL, 0};
    CHECK_EQ(lfset_bytes_snapshot_copy(snapshot, &copy, 1), 1);
    CHECK(copy.length == length, "the copy has %zu bytes, not %zu", copy.length, length);
    lfset_bytes_snapshot_destroy(snapshot);
    size_t popped = 0;
    char small[16];
    CHECK_EQ(lfset_bytes_pop(set, small, sizeof small, &popped), -ENOBUFS);
    CHECK(popped == length, "pop tells %zu bytes, not %zu", popped, length);
    CHECK_EQ(lfset_bytes_remove(set, key, length), 1);
    CHECK_EQ(lfset_bytes_is_empty(set), 1);
    bytes_end(set, NULL);
    CHECK_EQ(lfset_barrier(), 0);
}

TEST(bytes, keys_of_two_gigabytes_and_more)
{
    const size_t free_memory = available_memory();
#if defined(SUPPORT_ASAN) || defined(__SANITIZE_THREAD__)
    cr_skip_test("too much for a sanitizer");
#endif
    if (free_memory < (size_t)6 << 30)
        cr_skip_test("only %zu MB of memory are available", free_memory >> 20);
    const size_t length = free_memory >= (size_t)10 << 30 ? LFSET_BYTES_MAX : ((size_t)1 << 31) + 5;
    cr_log_info("a key of %zu bytes", length);
    char *key = huge_alloc(NULL, length, 1);
    CHECK(key != NULL, "no memory for the test");
    huge_key(LFSET_HP, key, length);
    munmap(key, length);
}

/* ---- pop ---- */

TEST_BOTH(bytes, pop_takes_every_key_once)
{
    enum { COUNT = 1000 };
    struct lfset_bytes *set = bytes_new(domain, 0, 3, NULL);
    bool seen[COUNT] = {false};
    unsigned char buffer[NUMBER_MOST];
    size_t length = 77;
    CHECK_EQ(lfset_bytes_pop(set, buffer, sizeof buffer, &length), 0);
    for (uint64_t i = 0; i < COUNT; i++)
        CHECK_EQ(number_add(set, i), 1);
    for (uint64_t i = 0; i < COUNT; i++) {
        CHECK_EQ(lfset_bytes_pop(set, buffer, sizeof buffer, &length), 1);
        const uint64_t number = number_of(buffer, length);
        CHECK(number < COUNT, "pop gave a key that was never added");
        CHECK(!seen[number], "pop gave number %" PRIu64 " twice", number);
        seen[number] = true;
        CHECK_EQ(lfset_bytes_contains(set, buffer, length), 0);
    }
    CHECK_EQ(lfset_bytes_pop(set, buffer, sizeof buffer, &length), 0);
    bytes_end(set, NULL);
}

TEST_BOTH(bytes, pop_without_room_removes_nothing)
{
    struct lfset_bytes *set = bytes_new(domain, 0, 3, NULL);
    char buffer[9];
    memset(buffer, 'x', sizeof buffer);
    CHECK_EQ(lfset_bytes_add(set, S("12345678")), 1);
    for (size_t size = 0; size < 8; size++) {
        size_t length = 0;
        CHECK_EQ(lfset_bytes_pop(set, size == 0 ? NULL : buffer, size, &length), -ENOBUFS);
        CHECK_EQ(length, 8);
        CHECK_EQ(lfset_bytes_contains(set, S("12345678")), 1);
        CHECK_EQ(lfset_bytes_size(set, NULL), 1);
        for (size_t i = size; i < sizeof buffer; i++)
            CHECK(buffer[i] == 'x', "pop wrote behind a buffer of %zu bytes", size);
    }
    size_t length = 0;
    CHECK_EQ(lfset_bytes_pop(set, buffer, 8, &length), 1);
    CHECK_EQ(length, 8);
    CHECK(memcmp(buffer, "12345678x", 9) == 0, "pop gave another key, or wrote behind it");
    CHECK_EQ(lfset_bytes_is_empty(set), 1);
    bytes_end(set, NULL);
}

/* ---- estimates, sizes ---- */

TEST_BOTH(bytes, estimate_is_exact_when_small_and_near_when_large)
{
    struct lfset_bytes *set = bytes_new(domain, 0, 17, NULL);
    CHECK_EQ(lfset_bytes_size_estimate(set), 0);
    for (uint64_t i = 1; i <= 8; i++) {
        CHECK_EQ(number_add(set, i), 1);
        CHECK_EQ(lfset_bytes_size_estimate(set), i);
    }
    for (uint64_t i = 8; i >= 1; i--) {
        CHECK_EQ(number_remove(set, i), 1);
        CHECK_EQ(lfset_bytes_size_estimate(set), i - 1);
    }
    /* Seven standard errors of 2.6 / sqrt(size) of the size, that is 2.6 * sqrt(size) keys. */
    uint64_t i = 0;
    for (uint64_t root = 32; root <= 256; root *= 2) {
        const uint64_t size = root * root;
        for (; i < size; i++)
            CHECK_EQ(number_add(set, i), 1);
        const int64_t error = lfset_bytes_size_estimate(set) - (int64_t)size;
        CHECK(llabs(error) <= (int64_t)(root * 18), "the estimate of %" PRIu64 " errs by %" PRId64,
              size, error);
        CHECK_EQ(lfset_bytes_size(set, NULL), size);
    }
    bytes_end(set, NULL);
}

static void check_stats_bytes(enum lfset_domain domain, size_t length)
{
    enum { COUNT = 8, GONE = 2 };
    struct lfset_bytes *set = bytes_new(domain, 0, 17, NULL);
    char *key = calloc(1, length);
    CHECK(key != NULL, "no memory for the test");
    for (char i = 0; i < COUNT; i++) {
        key[0] = i;
        CHECK_EQ(lfset_bytes_add(set, key, length), 1);
    }
    struct lfset_stats stats = bytes_stats(set);
    CHECK_EQ(stats.live, COUNT);
    CHECK(stats.key_bytes >= COUNT * length && stats.key_bytes <= COUNT * (length + 64),
          "%" PRIu64 " bytes in %d keys of %zu", stats.key_bytes, COUNT, length);
    CHECK_EQ(stats.dead_bytes, 0);
    CHECK(stats.bytes < 8000, "stats.bytes counts the keys: %" PRIu64, stats.bytes);
    for (char i = 0; i < GONE; i++) {
        key[0] = i;
        CHECK_EQ(lfset_bytes_remove(set, key, length), 1);
    }
    stats = bytes_stats(set);
    CHECK_EQ(stats.live, COUNT - GONE);
    CHECK(stats.key_bytes >= (COUNT - GONE) * length &&
              stats.key_bytes <= (COUNT - GONE) * (length + 64),
          "%" PRIu64 " bytes in %d keys of %zu", stats.key_bytes, COUNT - GONE, length);
    CHECK(stats.dead_bytes >= GONE * length && stats.dead_bytes <= GONE * (length + 64),
          "%" PRIu64 " bytes in %d removed keys of %zu", stats.dead_bytes, GONE, length);
    CHECK_EQ(lfset_bytes_purge(set), 1);
    stats = bytes_stats(set);
    CHECK_EQ(stats.dead_bytes, 0);
    CHECK_EQ(stats.live, COUNT - GONE);
    CHECK_EQ(lfset_bytes_purge(set), 0);
    bytes_end(set, NULL);
    free(key);
}

TEST_BOTH(bytes, stats_know_present_and_removed_bytes)
{
    check_stats_bytes(domain, 10000);
}

/* As exact as `live` of a small set is. */
TEST_BOTH(bytes, stats_of_a_small_set_know_short_keys)
{
    check_stats_bytes(domain, 100);
}

/* ---- batches ---- */

TEST_BOTH(bytes, batches_answer_per_key)
{
    struct lfset_bytes *set = bytes_new(domain, 0, 11, NULL);
    const struct lfset_string keys[7] = {{S("five")}, {S("")},   {S("five")}, {S("\0")},
                                         {S("0")},    {NULL, 0}, {S("five")}};
    int8_t results[7];
    const int8_t added[7] = {1, 1, 0, 1, 1, 0, 0};
    const int8_t present[7] = {1, 1, 1, 1, 1, 1, 1};
    const int8_t absent[7] = {0, 0, 0, 0, 0, 0, 0};
    CHECK_EQ(lfset_bytes_contains_many(set, keys, 7, results), 0);
    CHECK(memcmp(results, absent, 7) == 0, "contains_many of an empty set");
    CHECK_EQ(lfset_bytes_remove_many(set, keys, 7, results), 0);
    CHECK(memcmp(results, absent, 7) == 0, "remove_many of an empty set");
    CHECK_EQ(lfset_bytes_add_many(set, keys, 7, results), 4);
    CHECK(memcmp(results, added, 7) == 0, "add_many with duplicates");
    CHECK_EQ(lfset_bytes_contains_many(set, keys, 7, results), 7);
    CHECK(memcmp(results, present, 7) == 0, "contains_many");
    CHECK_EQ(lfset_bytes_remove_many(set, keys, 7, results), 4);
    CHECK(memcmp(results, added, 7) == 0, "remove_many with duplicates");
    CHECK_EQ(lfset_bytes_is_empty(set), 1);

    CHECK_EQ(lfset_bytes_add_many(set, keys, 7, NULL), 4);
    CHECK_EQ(lfset_bytes_contains_many(set, keys, 7, NULL), 7);
    CHECK_EQ(lfset_bytes_remove_many(set, keys, 7, NULL), 4);
    CHECK_EQ(lfset_bytes_is_empty(set), 1);
    bytes_end(set, NULL);
}

/* Counts around the batch of 16, results exactly as long as the batch, and growth in between. */
TEST_BOTH(bytes, batches_of_every_length)
{
    enum { MOST = 70 };
    for (size_t count = 0; count <= MOST; count++) {
        struct lfset_bytes *set = bytes_new(domain, 0, count + 1, NULL);
        struct numbered names[MOST];
        struct lfset_string keys[MOST];
        int8_t results[MOST + 1];
        for (size_t i = 0; i < count; i++) {
            names[i] = numbered(i);
            keys[i] = (struct lfset_string){names[i].data, names[i].length};
        }
        memset(results, 99, sizeof results);
        CHECK_EQ(lfset_bytes_add_many(set, keys, count, results), count);
        for (size_t i = 0; i < count; i++)
            CHECK_EQ(results[i], 1);
        CHECK_EQ(results[count], 99);
        CHECK_EQ(lfset_bytes_size(set, NULL), count);
        for (size_t i = 0; i < count; i += 3)
            CHECK_EQ(number_remove(set, i), 1);
        CHECK_EQ(lfset_bytes_contains_many(set, keys, count, results), count - (count + 2) / 3);
        for (size_t i = 0; i < count; i++)
            CHECK_EQ(results[i], i % 3 != 0);
        CHECK_EQ(lfset_bytes_remove_many(set, keys, count, results), count - (count + 2) / 3);
        for (size_t i = 0; i < count; i++)
            CHECK_EQ(results[i], i % 3 != 0);
        CHECK_EQ(results[count], 99);
        CHECK_EQ(lfset_bytes_is_empty(set), 1);
        bytes_end(set, NULL);
    }
}

/* ---- successions ---- */

TEST_BOTH(bytes, grows_and_shrinks_and_purges)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bytes *set = bytes_new(domain, 0, 8, &memory);
    const size_t count = scaled(100000);
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(number_add(set, i), 1);
    struct lfset_stats stats = bytes_stats(set);
    CHECK(stats.grows >= 5, "the set grew only %" PRIu64 " times", stats.grows);
    CHECK(stats.capacity >= count, "%" PRIu64 " slots for %zu keys", stats.capacity, count);
    CHECK_EQ(lfset_bytes_size(set, NULL), count);

    /* The same number of keys all the time, but others. */
    for (uint64_t i = 0; i < 2 * count; i++) {
        CHECK_EQ(number_remove(set, i), 1);
        CHECK_EQ(number_add(set, i + count), 1);
    }
    const struct lfset_stats churned = bytes_stats(set);
    CHECK(churned.purges + churned.grows > stats.purges + stats.grows,
          "removed keys were never purged");
    CHECK(churned.capacity <= 4 * stats.capacity, "churn grew the set to %" PRIu64 " slots",
          churned.capacity);
    for (uint64_t i = 2 * count; i < 3 * count; i++)
        CHECK_EQ(number_contains(set, i), 1);
    for (uint64_t i = 0; i < 2 * count; i++)
        CHECK_EQ(number_contains(set, i), 0);

    for (uint64_t i = 2 * count; i < 3 * count; i++)
        CHECK_EQ(number_remove(set, i), 1);
    stats = bytes_stats(set);
    CHECK(stats.shrinks >= 2, "the set shrank only %" PRIu64 " times", stats.shrinks);
    // The last removals may have fallen into a succession, whose slice later ones find sparse.
    for (uint64_t i = 0; i < 8192; i++) {
        CHECK_EQ(number_add(set, i), 1);
        CHECK_EQ(number_remove(set, i), 1);
    }
    stats = bytes_stats(set);
    CHECK(stats.capacity <= 2048, "an empty set has %" PRIu64 " slots", stats.capacity);
    CHECK_EQ(lfset_bytes_is_empty(set), 1);
    bytes_end(set, &memory);
}

TEST_BOTH(bytes, churn_of_few_keys_purges)
{
    struct lfset_bytes *set = bytes_new(domain, 0, 8, NULL);
    for (uint64_t i = 0; i < scaled(20000); i++) {
        CHECK_EQ(number_add(set, i), 1);
        CHECK_EQ(number_remove(set, i), 1);
    }
    const struct lfset_stats stats = bytes_stats(set);
    CHECK(stats.purges > 0, "no purge");
    CHECK(stats.capacity <= 1024, "%" PRIu64 " slots for one key", stats.capacity);
    bytes_end(set, NULL);
}

TEST_BOTH(bytes, reserved_room_needs_no_growth)
{
    enum { COUNT = 5000 };
    struct lfset_bytes *set = bytes_new(domain, 0, 8, NULL);
    CHECK_EQ(number_add(set, 0), 1);
    CHECK_EQ(lfset_bytes_reserve(set, COUNT, NULL), 0);
    CHECK_EQ(number_contains(set, 0), 1);
    const struct lfset_stats before = bytes_stats(set);
    CHECK(before.capacity >= COUNT, "room for %" PRIu64 " keys, %d were asked for", before.capacity,
          COUNT);
    for (uint64_t i = 1; i < COUNT; i++)
        CHECK_EQ(number_add(set, i), 1);
    CHECK_EQ(bytes_stats(set).grows, before.grows);
    for (uint64_t i = 0; i < COUNT; i++)
        CHECK_EQ(number_remove(set, i), 1);
    CHECK(bytes_stats(set).capacity >= before.capacity, "reserved room was given up");
    CHECK_EQ(lfset_bytes_reserve(set, UINT64_MAX, NULL), -ENOMEM);
    CHECK_EQ(lfset_bytes_reserve(set, UINT64_C(1) << 50, NULL), -ENOMEM);
    CHECK_EQ(lfset_bytes_reserve(set, 0, NULL), 0);
    CHECK_EQ(lfset_bytes_is_empty(set), 1);
    bytes_end(set, NULL);
}

/* ---- cancellation ---- */

TEST_BOTH(bytes, cancelled_operations_change_nothing)
{
    enum { COUNT = 3000 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_cancel *tokens[2] = {NULL, NULL};
    const int errors[2] = {-ECANCELED, -ETIMEDOUT};
    CHECK_EQ(lfset_cancel_create(&tokens[0], NULL, LFSET_NO_DEADLINE), 0);
    CHECK_EQ(lfset_cancel_now(tokens[0]), 1);
    CHECK_EQ(lfset_cancel_create(&tokens[1], NULL, 1), 0); /* long ago */
    struct lfset_bytes *set = bytes_new(domain, 0, 8, &memory);
    for (uint64_t i = 0; i < COUNT; i++)
        CHECK_EQ(number_add(set, i), 1);
    struct lfset_bytes_snapshot *whole = NULL;
    CHECK_EQ(lfset_bytes_snapshot_take(set, &whole, NULL), 0);
    for (size_t t = 0; t < 2; t++) {
        int rubbish = 0;
        struct lfset_bytes_snapshot *snapshot = (struct lfset_bytes_snapshot *)(void *)&rubbish;
        CHECK_EQ(lfset_bytes_snapshot_take(set, &snapshot, tokens[t]), errors[t]);
        CHECK(snapshot == NULL, "a cancelled snapshot left something");
        snapshot = (struct lfset_bytes_snapshot *)(void *)&rubbish;
        CHECK_EQ(lfset_bytes_drain(set, &snapshot, tokens[t]), errors[t]);
        CHECK(snapshot == NULL, "a cancelled drain left something");
        CHECK_EQ(lfset_bytes_size(set, tokens[t]), errors[t]);
        CHECK_EQ(lfset_bytes_clear(set, tokens[t]), errors[t]);
        CHECK_EQ(lfset_bytes_reserve(set, 100 * COUNT, tokens[t]), errors[t]);
        CHECK_EQ(lfset_bytes_each(set, visit_nothing, NULL, tokens[t]), errors[t]);
        CHECK_EQ(lfset_bytes_snapshot_each(whole, visit_nothing, NULL, tokens[t]), errors[t]);
        CHECK_EQ(lfset_bytes_size(set, NULL), COUNT);
    }
    lfset_bytes_snapshot_destroy(whole);
    bytes_end(set, &memory);
    lfset_cancel_destroy(tokens[0]);
    lfset_cancel_destroy(tokens[1]);
}

/* ---- each ---- */

struct visits {
    struct lfset_bytes *set;
    size_t count;
    size_t stop_at;
};

static int visit_and_stop(const void *key, size_t length, void *ctx)
{
    struct visits *visits = ctx;
    CHECK(number_of(key, length) != UINT64_MAX, "each gave a key that was never added");
    return ++visits->count == visits->stop_at ? 42 : 0;
}

static int visit_and_remove(const void *key, size_t length, void *ctx)
{
    struct visits *visits = ctx;
    visits->count++;
    CHECK_EQ(lfset_bytes_remove(visits->set, key, length), 1);
    CHECK_EQ(lfset_bytes_contains(visits->set, key, length), 0);
    /* The key is removed and purged, and yet readable until the visitor returns. */
    CHECK(number_of(key, length) != UINT64_MAX, "the visited key is gone");
    if (visits->count % 100 == 0) {
        CHECK(lfset_bytes_purge(visits->set) >= 0, "purge failed");
        CHECK(number_of(key, length) != UINT64_MAX, "the visited key is gone");
    }
    return 0;
}

TEST_BOTH(bytes, each_stops_and_lets_its_visitor_remove)
{
    enum { COUNT = 2000 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bytes *set = bytes_new(domain, 0, 8, &memory);
    for (uint64_t i = 0; i < COUNT; i++)
        CHECK_EQ(number_add(set, i), 1);
    struct visits visits = {set, 0, 7};
    CHECK_EQ(lfset_bytes_each(set, visit_and_stop, &visits, NULL), 42);
    CHECK_EQ(visits.count, 7);
    visits = (struct visits){set, 0, 0};
    CHECK_EQ(lfset_bytes_each(set, visit_and_remove, &visits, NULL), 0);
    CHECK_EQ(visits.count, COUNT);
    CHECK_EQ(lfset_bytes_is_empty(set), 1);
    bytes_end(set, &memory);
}

/* ---- a model: random operations against a sorted array that says which keys are present ---- */

struct model {
    struct lfset_bytes *set;
    struct random random;
    size_t count;
    struct lfset_string *keys; /* ascending, all different */
    bool *present;
    size_t live;
    bool *visited;
};

enum { MODEL_LONGEST = 300 };

/* Strings over few letters, NUL among them, so that many are prefixes of others. */
static void model_keys(struct model *model, size_t count)
{
    model->keys = test_alloc(count * sizeof *model->keys);
    for (size_t have = 0; have < count;) {
        for (size_t i = have; i < count; i++) {
            const size_t most = random_below(&model->random, 20) == 0 ? MODEL_LONGEST : 16;
            const size_t length = random_below(&model->random, most + 1);
            char *data = test_alloc(length);
            for (size_t k = 0; k < length; k++)
                data[k] = "\0ab\xff"[random_below(&model->random, 4)];
            model->keys[i] = (struct lfset_string){data, length};
        }
        qsort(model->keys, count, sizeof *model->keys, compare_strings);
        have = 1;
        for (size_t i = 1; i < count; i++)
            if (compare_strings(&model->keys[i], &model->keys[have - 1]) != 0)
                model->keys[have++] = model->keys[i];
            else
                free((void *)model->keys[i].data);
    }
}

static size_t model_find(const struct model *model, const void *data, size_t length)
{
    const struct lfset_string key = {data, length};
    const struct lfset_string *found =
        bsearch(&key, model->keys, model->count, sizeof *model->keys, compare_strings);
    CHECK(found != NULL, "the set holds a key of %zu bytes that was never added", length);
    return (size_t)(found - model->keys);
}

static int model_add(struct model *model, size_t i)
{
    const bool was = model->present[i];
    model->present[i] = true;
    model->live += !was;
    return !was;
}

static int model_remove(struct model *model, size_t i)
{
    const bool was = model->present[i];
    model->present[i] = false;
    model->live -= was;
    return was;
}

static size_t model_draw(struct model *model)
{
    return random_below(&model->random, model->count);
}

static void model_empty(struct model *model)
{
    memset(model->present, 0, model->count * sizeof *model->present);
    model->live = 0;
}

static void model_batch(struct model *model)
{
    enum { MOST = 50 };
    struct lfset_string keys[MOST];
    size_t index[MOST];
    int8_t results[MOST];
    const size_t count = random_below(&model->random, MOST + 1);
    for (size_t i = 0; i < count; i++) {
        index[i] = i > 0 && random_below(&model->random, 4) == 0 ? index[i - 1] : model_draw(model);
        keys[i] = model->keys[index[i]];
    }
    const uint64_t kind = random_below(&model->random, 3);
    int64_t got = 0;
    if (kind == 0)
        got = lfset_bytes_add_many(model->set, keys, count, results);
    else if (kind == 1)
        got = lfset_bytes_remove_many(model->set, keys, count, results);
    else
        got = lfset_bytes_contains_many(model->set, keys, count, results);
    int64_t want = 0;
    for (size_t i = 0; i < count; i++) {
        const int one = kind == 0   ? model_add(model, index[i])
                        : kind == 1 ? model_remove(model, index[i])
                                    : model->present[index[i]];
        CHECK_EQ(results[i], one);
        want += one;
    }
    CHECK_EQ(got, want);
}

static int model_visit(const void *key, size_t length, void *ctx)
{
    struct model *model = ctx;
    const size_t i = model_find(model, key, length);
    CHECK(!model->visited[i], "each visited key %zu twice", i);
    CHECK(model->present[i], "each visited key %zu, which is absent", i);
    model->visited[i] = true;
    return 0;
}

static void model_each(struct model *model)
{
    memset(model->visited, 0, model->count * sizeof *model->visited);
    CHECK_EQ(lfset_bytes_each(model->set, model_visit, model, NULL), 0);
    for (size_t i = 0; i < model->count; i++)
        CHECK_EQ(model->visited[i], model->present[i]);
}

/* Visits come in order, and what was visited before is smaller. */
static int model_visit_in_order(const void *key, size_t length, void *ctx)
{
    struct model *model = ctx;
    const size_t i = model_find(model, key, length);
    for (size_t k = i; k < model->count; k++)
        CHECK(!model->visited[k], "key %zu of the snapshot comes after key %zu", i, k);
    model->visited[i] = true;
    return 0;
}

static void model_compare(struct model *model, struct lfset_bytes_snapshot *snapshot)
{
    CHECK_EQ(lfset_bytes_snapshot_count(snapshot), model->live);
    struct lfset_string *copy = test_alloc((model->live + 1) * sizeof *copy);
    CHECK_EQ(lfset_bytes_snapshot_copy(snapshot, copy, model->live + 1), model->live);
    size_t next = 0;
    for (size_t i = 0; i < model->count; i++) {
        const struct lfset_string key = model->keys[i];
        CHECK_EQ(lfset_bytes_snapshot_contains(snapshot, key.data, key.length), model->present[i]);
        if (model->present[i])
            CHECK(compare_strings(&copy[next], &key) == 0, "key %zu of the snapshot is wrong",
                  next);
        next += model->present[i];
    }
    free(copy);
    if (model->count <= 300) {
        memset(model->visited, 0, model->count * sizeof *model->visited);
        CHECK_EQ(lfset_bytes_snapshot_each(snapshot, model_visit_in_order, model, NULL), 0);
        for (size_t i = 0; i < model->count; i++)
            CHECK_EQ(model->visited[i], model->present[i]);
    }
    lfset_bytes_snapshot_destroy(snapshot);
}

static void model_whole_set(struct model *model)
{
    struct lfset_bytes_snapshot *snapshot = NULL;
    switch (random_below(&model->random, 9)) {
    case 0:
        CHECK_EQ(lfset_bytes_size(model->set, NULL), model->live);
        break;
    case 1:
        CHECK_EQ(lfset_bytes_is_empty(model->set), model->live == 0);
        break;
    case 2:
        CHECK_EQ(lfset_bytes_snapshot_take(model->set, &snapshot, NULL), 0);
        model_compare(model, snapshot);
        break;
    case 3:
        CHECK_EQ(
            lfset_bytes_reserve(model->set, random_below(&model->random, 4 * model->count), NULL),
            0);
        break;
    case 4:
        model_each(model);
        break;
    case 5:
        if (random_below(&model->random, 4) == 0) {
            CHECK_EQ(lfset_bytes_clear(model->set, NULL), model->live);
            model_empty(model);
        }
        break;
    case 6:
        if (random_below(&model->random, 4) == 0) {
            CHECK_EQ(lfset_bytes_drain(model->set, &snapshot, NULL), 0);
            model_compare(model, snapshot);
            model_empty(model);
        }
        break;
    case 7:
        CHECK(lfset_bytes_purge(model->set) >= 0, "purge failed");
        break;
    default:
        bytes_check(model->set);
    }
}

static void model_pop(struct model *model)
{
    char buffer[MODEL_LONGEST];
    size_t length = 0;
    const size_t room = random_below(&model->random, 2) == 0 ? 8 : MODEL_LONGEST;
    const int result = lfset_bytes_pop(model->set, buffer, room, &length);
    if (result == -ENOBUFS) {
        CHECK(length > room, "pop found no room of %zu bytes for a key of %zu", room, length);
        CHECK(model->live > 0, "pop found a key in an empty set");
        if (random_below(&model->random, 4) == 0)
            CHECK_EQ(lfset_bytes_size(model->set, NULL), model->live);
        return;
    }
    CHECK_EQ(result, model->live > 0);
    if (result == 1)
        CHECK_EQ(model_remove(model, model_find(model, buffer, length)), 1);
}

static void model_step(struct model *model, unsigned adds_in_ten)
{
    const uint64_t kind = random_below(&model->random, 100);
    const size_t i = model_draw(model);
    const struct lfset_string key = model->keys[i];
    if (kind < 70) {
        if (random_below(&model->random, 10) < adds_in_ten)
            CHECK_EQ(lfset_bytes_add(model->set, key.data, key.length), model_add(model, i));
        else
            CHECK_EQ(lfset_bytes_remove(model->set, key.data, key.length), model_remove(model, i));
    } else if (kind < 90) {
        CHECK_EQ(lfset_bytes_contains(model->set, key.data, key.length), model->present[i]);
    } else if (kind < 95) {
        model_batch(model);
    } else {
        model_pop(model);
    }
}

static void model_run(enum lfset_domain domain, size_t count, uint64_t seed, uint64_t capacity,
                      size_t steps)
{
    struct memory memory;
    memory_init(&memory, seed % 2 == 0 ? LFSET_ALLOC_ZEROED : 0);
    struct model model = {.random = random_from(seed * 100 + count), .count = count};
    model_keys(&model, count);
    model.present = calloc(count, sizeof *model.present);
    model.visited = calloc(count, sizeof *model.visited);
    CHECK(model.present != NULL && model.visited != NULL, "no memory for the test");
    model.set = bytes_new(domain, capacity, seed, &memory);
    bool inside = false;
    for (size_t step = 0; step < steps; step++) {
        /* Phases that mostly add, then mostly remove, make the set grow and shrink. */
        model_step(&model, (step / (2 * count + 50)) % 2 == 0 ? 8 : 2);
        if (random_below(&model.random, 60) == 0)
            model_whole_set(&model);
        if (random_below(&model.random, 200) == 0) {
            CHECK_EQ(inside ? lfset_section_leave() : lfset_section_enter(), 0);
            inside = !inside;
        }
    }
    if (inside)
        CHECK_EQ(lfset_section_leave(), 0);
    model_each(&model);
    CHECK_EQ(lfset_bytes_size(model.set, NULL), model.live);
    bytes_end(model.set, &memory);
    for (size_t i = 0; i < count; i++)
        free((void *)model.keys[i].data);
    free(model.keys);
    free(model.present);
    free(model.visited);
}

TEST_BOTH(bytes, model_of_few_keys)
{
    static const size_t counts[] = {1, 2, 3, 8, 40, 300};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (uint64_t seed = 0; seed < 4; seed++)
            model_run(domain, counts[c], seed, seed * seed * 30, scaled(6000));
}

TEST_BOTH(bytes, model_of_many_keys)
{
    static const size_t counts[] = {100, 3000, 20000};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (uint64_t seed = 1; seed < 4; seed++)
            model_run(domain, counts[c], seed * UINT64_C(0x123456789abcdef), seed == 3 ? 5000 : 0,
                      scaled(20000));
}

/* ---- no memory ---- */

enum { SCRIPT_KEYS = 120 };

/* A set, what it must contain, and how often it was refused memory. */
struct script {
    enum lfset_domain domain;
    struct memory memory;
    struct lfset_bytes *set;
    bool present[SCRIPT_KEYS];
    int64_t live;
    uint64_t refusals;
    /* What snapshots hold must not suffer from later failures either. */
    struct lfset_bytes_snapshot *kept;
    int64_t kept_count;
};

/* Lookups need no memory (the thread is attached), so they must work and agree at any time. */
static void script_compare(const struct script *script)
{
    for (size_t i = 0; i < SCRIPT_KEYS; i++)
        CHECK_EQ(number_contains(script->set, i), script->present[i]);
    if (script->kept != NULL)
        CHECK_EQ(lfset_bytes_snapshot_count(script->kept), script->kept_count);
}

/* True when the step was refused. Then the set is as before, and the caller does the step again,
 * with memory. */
static bool refused(struct script *script, int64_t result)
{
    if (result != -ENOMEM)
        return false;
    CHECK(atomic_load(&script->memory.failures) > script->refusals,
          "-ENOMEM although no allocation failed");
    script_compare(script);
    bytes_check(script->set);
    memory_heal(&script->memory);
    script->refusals = atomic_load(&script->memory.failures);
    return true;
}

/* Repeats `call` once when it was refused; `result` then is what it answered in the end. */
#define STEP(result, call)                                                                         \
    do {                                                                                           \
        (result) = (call);                                                                         \
        if (refused(script, (result)))                                                             \
            (result) = (call);                                                                     \
    } while (0)

static void script_set(struct script *script, size_t i, bool present)
{
    script->live += (int64_t)present - (int64_t)script->present[i];
    script->present[i] = present;
}

static void script_all(struct script *script, size_t from, size_t to, bool add)
{
    for (size_t i = from; i < to; i++) {
        int result = 0;
        if (add)
            STEP(result, number_add(script->set, i));
        else
            STEP(result, number_remove(script->set, i));
        CHECK_EQ(result, script->present[i] != add);
        script_set(script, i, add);
    }
}

/* A batch may be refused in part: each key's own answer counts. */
static void script_batch(struct script *script, bool add)
{
    struct numbered names[SCRIPT_KEYS];
    struct lfset_string keys[SCRIPT_KEYS];
    int8_t results[SCRIPT_KEYS];
    for (size_t i = 0; i < SCRIPT_KEYS; i++) {
        names[i] = numbered(i);
        keys[i] = (struct lfset_string){names[i].data, names[i].length};
    }
    const int64_t sum = add ? lfset_bytes_add_many(script->set, keys, SCRIPT_KEYS, results)
                            : lfset_bytes_remove_many(script->set, keys, SCRIPT_KEYS, results);
    int64_t ones = 0;
    bool failed = false;
    for (size_t i = 0; i < SCRIPT_KEYS; i++) {
        if (results[i] == -ENOMEM) {
            failed = true;
            continue;
        }
        CHECK_EQ(results[i], script->present[i] != add);
        ones += results[i];
        script_set(script, i, add);
    }
    CHECK_EQ(sum, failed ? -ENOMEM : ones);
    CHECK_EQ(refused(script, sum), failed);
    script_all(script, 0, SCRIPT_KEYS, add);
}

static void script_size(struct script *script)
{
    int64_t result = 0;
    STEP(result, lfset_bytes_size(script->set, NULL));
    CHECK_EQ(result, script->live);
    STEP(result, lfset_bytes_is_empty(script->set));
    CHECK_EQ(result, script->live == 0);
    STEP(result, lfset_bytes_purge(script->set));
    CHECK(result == 0 || result == 1, "purge answers %" PRId64, result);
}

static int visit_count(const void *key, size_t length, void *ctx)
{
    CHECK(number_of(key, length) != UINT64_MAX, "a visitor was given a key that was never added");
    ++*(int64_t *)ctx;
    return 0;
}

static void script_read(struct script *script, struct lfset_bytes_snapshot *snapshot, int64_t count)
{
    int64_t result = 0;
    int64_t visits = 0;
    CHECK_EQ(lfset_bytes_each(script->set, visit_count, &visits, NULL), 0);
    CHECK_EQ(visits, script->live);
    struct lfset_string keys[SCRIPT_KEYS + 1];
    STEP(result, lfset_bytes_snapshot_copy(snapshot, keys, SCRIPT_KEYS + 1));
    CHECK_EQ(result, count);
    for (int64_t i = 1; i < result; i++)
        CHECK(compare_strings(&keys[i - 1], &keys[i]) < 0, "the snapshot's keys are not in order");
    visits = 0;
    STEP(result, lfset_bytes_snapshot_each(snapshot, visit_count, &visits, NULL));
    CHECK_EQ(result, 0);
    CHECK_EQ(visits, count);
}

static struct lfset_bytes_snapshot *script_take(struct script *script,
                                                int (*take)(struct lfset_bytes *set,
                                                            struct lfset_bytes_snapshot **snapshot,
                                                            const struct lfset_cancel *cancel))
{
    int rubbish = 0;
    struct lfset_bytes_snapshot *snapshot = (struct lfset_bytes_snapshot *)(void *)&rubbish;
    int result = take(script->set, &snapshot, NULL);
    if (refused(script, result)) {
        CHECK(snapshot == NULL, "a failed snapshot or drain left something");
        result = take(script->set, &snapshot, NULL);
    }
    CHECK_EQ(result, 0);
    CHECK_EQ(lfset_bytes_snapshot_count(snapshot), script->live);
    return snapshot;
}

static void script_emptied(struct script *script)
{
    memset(script->present, 0, sizeof script->present);
    script->live = 0;
    script_compare(script);
}

static void script_pop(struct script *script)
{
    unsigned char buffer[NUMBER_MOST];
    size_t length = 0;
    int result = 0;
    STEP(result,
         lfset_bytes_pop(script->set, buffer, script->live % 2 == 0 ? 0 : NUMBER_MOST, &length));
    if (result == -ENOBUFS) {
        script_compare(script);
        STEP(result, lfset_bytes_pop(script->set, buffer, sizeof buffer, &length));
    }
    CHECK_EQ(result, script->live > 0);
    if (result == 0)
        return;
    const uint64_t number = number_of(buffer, length);
    CHECK(number < SCRIPT_KEYS && script->present[number], "pop gave an absent key");
    script_set(script, number, false);
}

/* Keys that are in the set for a moment: purges. */
static void script_churn(struct script *script)
{
    for (uint64_t i = 1000; i < 1300; i++) {
        int result = 0;
        STEP(result, number_add(script->set, i));
        CHECK_EQ(result, 1);
        STEP(result, number_remove(script->set, i));
        CHECK_EQ(result, 1);
    }
}

static void script_create(struct script *script)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = script->domain;
    options.allocator = &script->memory.hook;
    options.seed = 3;
    options.name = "short of memory";
    int rubbish = 0;
    script->set = (struct lfset_bytes *)(void *)&rubbish;
    int result = lfset_bytes_create(&script->set, &options);
    if (result == -ENOMEM) {
        CHECK(atomic_load(&script->memory.failures) > 0, "-ENOMEM although no allocation failed");
        CHECK(script->set == NULL, "a failed create left something");
        memory_check_balance(&script->memory);
        memory_heal(&script->memory);
        script->refusals = atomic_load(&script->memory.failures);
        result = lfset_bytes_create(&script->set, &options);
    }
    CHECK_EQ(result, 0);
}

static void script_run(struct script *script)
{
    script_create(script);
    script_all(script, 0, SCRIPT_KEYS, true);
    script_compare(script);
    script->kept = script_take(script, lfset_bytes_snapshot_take);
    script->kept_count = script->live;
    script_size(script);
    script_all(script, 10, SCRIPT_KEYS, false);
    script_churn(script);
    script_batch(script, true);
    struct lfset_bytes_snapshot *snapshot = script_take(script, lfset_bytes_snapshot_take);
    script_read(script, snapshot, script->live);
    lfset_bytes_snapshot_destroy(snapshot);
    snapshot = script_take(script, lfset_bytes_drain);
    const int64_t drained = script->live;
    script_emptied(script);
    script_read(script, snapshot, drained);
    lfset_bytes_snapshot_destroy(snapshot);
    script_size(script);
    script_pop(script);
    script_all(script, 0, SCRIPT_KEYS / 2, true);
    int64_t result = 0;
    STEP(result, lfset_bytes_reserve(script->set, 3000, NULL));
    CHECK_EQ(result, 0);
    script_pop(script);
    script_batch(script, false);
    script_size(script);
    script_all(script, 5, SCRIPT_KEYS, true);
    STEP(result, lfset_bytes_clear(script->set, NULL));
    CHECK_EQ(result, script->live);
    script_emptied(script);
    script_all(script, 0, 3, true);
    for (size_t i = 0; i < 4; i++)
        script_pop(script);
    script_size(script);

    CHECK_EQ(lfset_bytes_snapshot_count(script->kept), script->kept_count);
    memory_heal(&script->memory);
    bytes_check(script->set);
    CHECK_EQ(lfset_bytes_destroy(script->set), 0);
    const struct numbered last = numbered(SCRIPT_KEYS - 1);
    CHECK_EQ(lfset_bytes_snapshot_contains(script->kept, last.data, last.length), 1);
    lfset_bytes_snapshot_destroy(script->kept);
    CHECK_EQ(lfset_barrier(), 0);
    memory_check_balance(&script->memory);
}

/* Until a run asks for fewer than n allocations, in steps. `from` makes all later ones fail as well,
 * until a step was refused. */
static void fail_each_allocation(enum lfset_domain domain, bool from)
{
    CHECK_EQ(lfset_thread_attach(), 0);
    const unsigned long long step = scaled(100) < 100 ? 5 : 1;
    uint64_t failed_runs = 0;
    uint64_t refusals = 0;
    for (unsigned long long n = 1;; n += step) {
        struct script script = {.domain = domain};
        memory_init(&script.memory, n % 2 == 0 ? LFSET_ALLOC_ZEROED : 0);
        atomic_store(from ? &script.memory.fail_from : &script.memory.fail_at, n);
        script_run(&script);
        refusals += script.refusals > 0;
        if (atomic_load(&script.memory.failures) == 0)
            break;
        failed_runs++;
    }
    cr_log_info("%" PRIu64 " allocations failed, one by one; %" PRIu64 " refused an operation",
                failed_runs, refusals);
    CHECK(refusals >= SCRIPT_KEYS / step, "only %" PRIu64 " operations were refused", refusals);
}

TEST_BOTH(bytes, the_nth_allocation_fails)
{
    fail_each_allocation(domain, false);
}

TEST_BOTH(bytes, all_allocations_fail_from_the_nth_on)
{
    fail_each_allocation(domain, true);
}

/* Without memory nothing can be added; all else goes on. */
TEST_BOTH(bytes, a_set_without_memory_keeps_working)
{
    enum { COUNT = 20 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bytes *set = bytes_new(domain, 0, 8, &memory);
    for (uint64_t i = 0; i < COUNT; i++)
        CHECK_EQ(number_add(set, i), 1);
    atomic_store(&memory.fail_from, 1);
    CHECK_EQ(number_add(set, COUNT), -ENOMEM);
    CHECK_EQ(number_add(set, 0), 0);
    CHECK_EQ(lfset_bytes_reserve(set, 1000, NULL), -ENOMEM);
    CHECK_EQ(lfset_bytes_size(set, NULL), -ENOMEM);
    CHECK_EQ(lfset_bytes_clear(set, NULL), -ENOMEM);
    struct lfset_bytes_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_bytes_snapshot_take(set, &snapshot, NULL), -ENOMEM);
    CHECK_EQ(lfset_bytes_drain(set, &snapshot, NULL), -ENOMEM);
    CHECK_EQ(lfset_bytes_is_empty(set), 0);
    for (uint64_t i = 0; i < 2 * COUNT; i++)
        CHECK_EQ(number_contains(set, i), i < COUNT);
    for (uint64_t i = 0; i < COUNT / 2; i++) {
        CHECK_EQ(number_remove(set, i), 1);
        CHECK_EQ(number_contains(set, i), 0);
    }
    memory_heal(&memory);
    for (uint64_t i = COUNT; i < 500; i++)
        CHECK_EQ(number_add(set, i), 1);
    CHECK_EQ(lfset_bytes_size(set, NULL), 500 - COUNT / 2);
    bytes_end(set, &memory);
}

/* ---- many threads ---- */

enum { THREADS = 4 };

struct rival {
    struct lfset_bytes *set;
    size_t keys;
    size_t rounds;
    uint64_t id;
    atomic_uint *adds; /* per key, over all rivals */
    atomic_uint *removes;
};

/* All add the same keys at the same time, then all remove them. */
static void rival_body(void *arg)
{
    struct rival *rival = arg;
    for (uint64_t i = 0; i < rival->keys; i++) {
        const int result = number_add(rival->set, i);
        if (result == 1)
            atomic_fetch_add(&rival->adds[i], 1);
        else if (result != 0)
            fault("add answers %d", result);
        if (number_contains(rival->set, i) != 1)
            fault("key %" PRIu64 " is not there after its add", i);
    }
}

static void rival_remove_body(void *arg)
{
    struct rival *rival = arg;
    for (uint64_t i = 0; i < rival->keys; i++) {
        const int result = number_remove(rival->set, i);
        if (result == 1)
            atomic_fetch_add(&rival->removes[i], 1);
        else if (result != 0)
            fault("remove answers %d", result);
        if (number_contains(rival->set, i) != 0)
            fault("key %" PRIu64 " is there after its remove", i);
    }
}

/* Random adds and removes of few keys: what was added minus what was removed is what is there. */
static void rival_mixed_body(void *arg)
{
    struct rival *rival = arg;
    struct random random = random_from(rival->id + 7000);
    for (size_t round = 0; round < rival->rounds; round++) {
        const uint64_t i = random_below(&random, rival->keys);
        const bool add = random_below(&random, 2) == 0;
        const int result = add ? number_add(rival->set, i) : number_remove(rival->set, i);
        if (result == 1)
            atomic_fetch_add(add ? &rival->adds[i] : &rival->removes[i], 1);
        else if (result != 0)
            fault("%s answers %d", add ? "add" : "remove", result);
        if (round % 1000 == 999 && lfset_bytes_size(rival->set, NULL) > (int64_t)rival->keys)
            fault("the set is larger than all keys together");
    }
}

static void rivals_run(enum lfset_domain domain, size_t keys, size_t rounds, bool mixed)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bytes *set = bytes_new(domain, 0, 31, &memory);
    atomic_uint *adds = calloc(keys, sizeof *adds);
    atomic_uint *removes = calloc(keys, sizeof *removes);
    CHECK(adds != NULL && removes != NULL, "no memory for the test");
    struct rival each[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        each[i] = (struct rival){set, keys, rounds, i, adds, removes};
    if (mixed) {
        crew_run(THREADS, rival_mixed_body, each, sizeof *each);
        for (uint64_t i = 0; i < keys; i++)
            CHECK_EQ(atomic_load(&adds[i]) - atomic_load(&removes[i]), number_contains(set, i));
    } else {
        crew_run(THREADS, rival_body, each, sizeof *each);
        CHECK_EQ(lfset_bytes_size(set, NULL), keys);
        crew_run(THREADS, rival_remove_body, each, sizeof *each);
        CHECK_EQ(lfset_bytes_is_empty(set), 1);
        for (size_t i = 0; i < keys; i++) {
            CHECK_EQ(atomic_load(&adds[i]), 1);
            CHECK_EQ(atomic_load(&removes[i]), 1);
        }
    }
    free(adds);
    free(removes);
    bytes_end(set, &memory);
}

TEST_BOTH(bytes, rivals_win_every_key_once)
{
    for (size_t run = 0; run < scaled(20); run++)
        rivals_run(domain, 3000, 0, false);
}

TEST_BOTH(bytes, rivals_add_and_remove_few_keys)
{
    rivals_run(domain, 1, scaled(100000), true);
    rivals_run(domain, 20, scaled(100000), true);
    rivals_run(domain, 2000, scaled(100000), true);
}

struct growing {
    struct lfset_bytes *set;
    uint64_t count;
    atomic_ullong written; /* numbers below this are in the set */
    uint64_t id;
    struct growing *shared;
};

static void growing_body(void *arg)
{
    struct growing *self = arg;
    struct growing *shared = self->shared;
    if (self->id == 0) {
        for (uint64_t i = 0; i < shared->count; i++) {
            if (number_add(shared->set, i) != 1)
                fault("add of a new key failed");
            atomic_store(&shared->written, i + 1);
        }
        return;
    }
    struct random random = random_from(self->id);
    for (uint64_t written = 0; written < shared->count;) {
        written = atomic_load(&shared->written);
        for (size_t i = 0; i < 50 && written > 0; i++) {
            const uint64_t number = random_below(&random, written);
            if (number_contains(shared->set, number) != 1)
                fault("number %" PRIu64 " of %" PRIu64 " is not there", number, written);
            if (number_contains(shared->set, number + shared->count) != 0)
                fault("a number that was never added is there");
        }
    }
}

TEST_BOTH(bytes, readers_find_everything_while_the_set_grows)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct growing shared = {.set = bytes_new(domain, 0, 9, &memory), .count = scaled(200000)};
    struct growing each[3];
    for (size_t i = 0; i < 3; i++)
        each[i] = (struct growing){.id = i, .shared = &shared};
    crew_run(3, growing_body, each, sizeof *each);
    CHECK_EQ(lfset_bytes_size(shared.set, NULL), shared.count);
    CHECK(bytes_stats(shared.set).grows > 5, "the set did not grow");
    bytes_end(shared.set, &memory);
}

/* ---- chosen keys ---- */

enum {
    CHOSEN = 700,
    AGREE = 12, /* bits */
    LONGEST = 1024,
    KNOWN_SEED = 12345,
};

/* Calls chosen(number, place, ctx) for the keys of a set, where place * 2^-64 says how far behind the
 * beginning of the slice the key's home is. What somebody knows who knows the seed. */
static void each_place(const struct lfset_bytes *set,
                       void (*chosen)(uint64_t number, uint64_t place, void *ctx), void *ctx)
{
    const struct lfset__set *base = (const struct lfset__set *)(const void *)set;
    const struct lfset__slice *slice = atomic_load(&base->root);
    for (size_t i = 0; i < lfset__slice_words(slice); i++) {
        const uint64_t word = atomic_load(&slice->words[i]);
        if ((word & LFSET__LIVE) == 0)
            continue;
        const struct lfset__node *node = lfset__word_node(word);
        chosen(number_of(node + 1, node->length), node->hash * slice->multiplier, ctx);
    }
}

struct chosen {
    uint64_t numbers[CHOSEN];
    size_t count;
};

static void choose(uint64_t number, uint64_t place, void *ctx)
{
    struct chosen *chosen = ctx;
    if (place >> (64 - AGREE) == 77 && chosen->count < CHOSEN)
        chosen->numbers[chosen->count++] = number;
}

/* Keys that all have the same home in a set with the known seed. All candidates are tried by adding
 * them to sets that are like the victim. */
static void choose_keys(enum lfset_domain domain, struct chosen *chosen)
{
    enum { BATCH = 1 << 16 };
    chosen->count = 0;
    for (uint64_t first = 0; chosen->count < CHOSEN; first += BATCH) {
        struct lfset_bytes *set = bytes_new(domain, BATCH, KNOWN_SEED, NULL);
        for (uint64_t i = 0; i < BATCH; i++)
            CHECK_EQ(number_add(set, first + i), 1);
        CHECK_EQ(bytes_stats(set).rehashes, 0);
        each_place(set, choose, chosen);
        CHECK_EQ(lfset_bytes_destroy(set), 0);
    }
}

struct lengths {
    double mean;
    uint64_t max;
    struct lfset_stats stats;
};

/* How far from home the first `count` of these numbers lie, or those from 10^12 on when they are NULL. */
static struct lengths lengths_of(enum lfset_domain domain, const uint64_t *numbers, size_t count,
                                 uint64_t seed)
{
    static uint64_t histogram[LONGEST];
    struct lfset_bytes *set = bytes_new(domain, 0, seed, NULL);
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(number_add(set, numbers == NULL ? UINT64_C(1000000000000) + i : numbers[i]), 1);
    for (size_t i = 0; i < count; i++)
        CHECK_EQ(number_contains(set, numbers == NULL ? UINT64_C(1000000000000) + i : numbers[i]),
                 1);
    /* Updates finish a succession that is under way: one slice has all keys then. */
    while (bytes_stats(set).slices > 1)
        CHECK_EQ(number_remove(set, UINT64_MAX), 0);
    struct lengths lengths = {.stats = bytes_stats(set)};
    const int64_t bound = lfset_bytes_probe_lengths(set, histogram, LONGEST);
    CHECK(bound >= (int64_t)count, "only %" PRId64 " slots are bound", bound);
    for (size_t i = 0; i < LONGEST; i++) {
        lengths.mean += (double)i * (double)histogram[i] / (double)bound;
        if (histogram[i] > 0)
            lengths.max = i;
    }
    bytes_end(set, NULL);
    return lengths;
}

/* Who does not know the seed cannot choose: the keys are as good as any. */
TEST(bytes, keys_chosen_for_one_seed_are_harmless_with_others)
{
    enum { SEEDS = 30 };
    static struct chosen chosen;
    choose_keys(LFSET_HP, &chosen);
    double chosen_mean = 0;
    double random_mean = 0;
    uint64_t chosen_max = 0;
    uint64_t random_max = 0;
    uint64_t rehashes = 0;
    for (size_t i = 0; i < SEEDS; i++) {
        const struct lengths victim = lengths_of(LFSET_HP, chosen.numbers, CHOSEN, 0);
        const struct lengths other = lengths_of(LFSET_HP, NULL, CHOSEN, 0);
        chosen_mean += victim.mean / SEEDS;
        random_mean += other.mean / SEEDS;
        chosen_max = victim.max > chosen_max ? victim.max : chosen_max;
        random_max = other.max > random_max ? other.max : random_max;
        rehashes += victim.stats.rehashes;
    }
    cr_log_info("mean and maximum: %.2f %" PRIu64 " of chosen keys, %.2f %" PRIu64 " of others",
                chosen_mean, chosen_max, random_mean, random_max);
    /* Any keys may have bad luck once in a while; chosen ones would have it each time. */
    CHECK(rehashes <= SEEDS / 5, "%" PRIu64 " rehashes in %d sets", rehashes, SEEDS);
    CHECK(chosen_mean <= 1.5 * random_mean + 0.2, "a mean of %.2f, other keys have %.2f",
          chosen_mean, random_mean);
    CHECK(chosen_max <= 4 * random_max + 10, "a maximum of %" PRIu64 ", other keys have %" PRIu64,
          chosen_max, random_max);
}

/* Who does know it makes the set change its multiplier, and no more. */
TEST_BOTH(bytes, keys_chosen_for_a_known_seed_lead_to_a_rehash)
{
    static struct chosen chosen;
    choose_keys(domain, &chosen);
    const struct lengths victim = lengths_of(domain, chosen.numbers, CHOSEN, KNOWN_SEED);
    const struct lengths other = lengths_of(domain, NULL, CHOSEN, KNOWN_SEED);
    cr_log_info("mean and maximum: %.2f %" PRIu64 " of chosen keys (%" PRIu64 " rehashes), %.2f "
                "%" PRIu64 " of others",
                victim.mean, victim.max, victim.stats.rehashes, other.mean, other.max);
    CHECK_EQ(other.stats.rehashes, 0);
    CHECK(victim.stats.rehashes > 0, "the keys do no harm: they are badly chosen");
    CHECK(victim.stats.rehashes < 10, "%" PRIu64 " rehashes", victim.stats.rehashes);
    CHECK(victim.mean < 4 * other.mean + 2, "a mean of %.2f, other keys have %.2f", victim.mean,
          other.mean);
    CHECK(victim.max < 64, "a key %" PRIu64 " slots from home", victim.max);
    CHECK(victim.stats.capacity <= 4 * other.stats.capacity,
          "%" PRIu64 " slots, for other keys %" PRIu64, victim.stats.capacity,
          other.stats.capacity);
}

/* ---- equal hashes ---- */

enum { EQUALS = 20, EQUAL_LENGTH = 320 };

/*
 * XXH3 adds up, for each 8 bytes, the product of the halves of (bytes XOR secret), and the bytes themselves.
 * Where the lower half is the secret's the product is 0; two such places whose bytes keep their sum then
 * give the same hash for every `i`. The places are the first and the ninth 8 bytes, whose secrets begin at
 * 0 and at 8.
 */
static void equal_key(unsigned char *key, const unsigned char *secret, uint32_t i)
{
    const uint32_t first = 1000 + i;
    const uint32_t second = 1000 - i;
    memset(key, 'e', EQUAL_LENGTH);
    memcpy(key, secret, 4);
    memcpy(key + 4, &first, 4);
    memcpy(key + 64, secret + 8, 4);
    memcpy(key + 68, &second, 4);
}

struct hashes {
    uint64_t hash;
    size_t count;
};

static void check_equal_hash(uint64_t number, uint64_t place, void *ctx)
{
    (void)number;
    struct hashes *hashes = ctx;
    CHECK(hashes->count == 0 || hashes->hash == place,
          "the keys' hashes differ: this says nothing about keys whose hashes are equal");
    hashes->hash = place;
    hashes->count++;
}

/* Different keys whose 64-bit hashes are equal, which only those can make who see the secret. */
TEST_BOTH(bytes, keys_with_equal_hashes_are_different_keys)
{
    unsigned char key[EQUAL_LENGTH];
    struct lfset_bytes *set = bytes_new(domain, 0, KNOWN_SEED, NULL);
    /* It lies behind what all sets have in common (bytes.c). */
    const unsigned char *secret = (const unsigned char *)set + sizeof(struct lfset__set);
    for (uint32_t i = 0; i < EQUALS; i++) {
        equal_key(key, secret, i);
        CHECK_EQ(lfset_bytes_contains(set, key, sizeof key), 0);
        CHECK_EQ(lfset_bytes_add(set, key, sizeof key), 1);
        CHECK_EQ(lfset_bytes_add(set, key, sizeof key), 0);
    }
    struct hashes hashes = {0, 0};
    each_place(set, check_equal_hash, &hashes);
    CHECK(hashes.count > EQUALS / 2, "only %zu keys are in the slice", hashes.count);
    CHECK_EQ(lfset_bytes_size(set, NULL), EQUALS);
    for (uint32_t i = 0; i < EQUALS; i += 2) {
        equal_key(key, secret, i);
        CHECK_EQ(lfset_bytes_remove(set, key, sizeof key), 1);
    }
    for (uint32_t i = 0; i < 2 * EQUALS; i++) {
        equal_key(key, secret, i);
        CHECK_EQ(lfset_bytes_contains(set, key, sizeof key), i < EQUALS && i % 2 == 1);
    }
    bytes_end(set, NULL);
}

// SPDX-License-Identifier: MIT
/* generic.h: each name must reach the function of the set's own kind, with every argument. */
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lfset/generic.h"

static uint64_t hash_number(void *ctx, const void *key)
{
    (void)ctx;
    return *(const uint64_t *)key * UINT64_C(0x9e3779b97f4a7c15);
}

static int equal_numbers(void *ctx, const void *object, const void *key)
{
    (void)ctx;
    return *(const uint64_t *)object == *(const uint64_t *)key;
}

static int print_number(void *ctx, const void *object, FILE *file)
{
    (void)ctx;
    return fprintf(file, "%" PRIu64, *(const uint64_t *)object);
}

static int count_number(uint64_t key, void *ctx)
{
    *(uint64_t *)ctx += key;
    return 0;
}

static int count_length(const void *key, size_t length, void *ctx)
{
    (void)key;
    *(uint64_t *)ctx += length;
    return 0;
}

static int count_object(void *object, void *ctx)
{
    *(uint64_t *)ctx += *(uint64_t *)object;
    return 0;
}

static int unwanted_number(uint64_t key, void *ctx)
{
    return key == *(uint64_t *)ctx;
}

static int unwanted_string(const void *key, size_t length, void *ctx)
{
    (void)key;
    return length == *(uint64_t *)ctx;
}

static int unwanted_object(void *object, void *ctx)
{
    return *(uint64_t *)object == *(uint64_t *)ctx;
}

static uint64_t numbers[] = {1, 2, 3, 4};
static const char *const texts[] = {"", "1", "12", "123", "1234"};

/* Two sets, `set` of 1 .. 3 and `other` of 3 and 4; visiting 1 .. 3 sums up to 6. The same text for each
 * kind is what this header is for. */
#define CHECK_GENERIC(kind, KEY, visit, unwanted)                                                  \
    do {                                                                                           \
        struct lfset_##kind *other = NULL;                                                         \
        struct lfset_##kind *made = NULL;                                                          \
        struct lfset_##kind##_snapshot *taken = NULL;                                              \
        const struct lfset_##kind *read_only = set;                                                \
        struct lfset_cancel *expired = NULL;                                                       \
        uint64_t sum = 0;                                                                          \
        uint64_t three = 3;                                                                        \
        CHECK_EQ(lfset_cancel_create(&expired, NULL, 1), 0);                                       \
        CHECK_EQ(lfset_is_empty(set), 1);                                                          \
        CHECK_EQ(lfset_clone(set, &other), 0);                                                     \
        CHECK_EQ(lfset_add(set, KEY(1)), 1);                                                       \
        CHECK_EQ(lfset_add(set, KEY(2)), 1);                                                       \
        CHECK_EQ(lfset_add(set, KEY(3)), 1);                                                       \
        CHECK_EQ(lfset_add(set, KEY(3)), 0);                                                       \
        CHECK_EQ(lfset_add(other, KEY(3)), 1);                                                     \
        CHECK_EQ(lfset_add(other, KEY(4)), 1);                                                     \
        CHECK_EQ(lfset_is_empty(set), 0);                                                          \
        CHECK_EQ(lfset_contains(set, KEY(2)), 1);                                                  \
        CHECK_EQ(lfset_contains(read_only, KEY(4)), 0);                                            \
        CHECK_EQ(lfset_size(set), 3);                                                              \
        CHECK_EQ(lfset_size(set, expired), -ETIMEDOUT);                                            \
        CHECK(lfset_size_estimate(read_only) > 0, "the estimate is wrong");                        \
        CHECK_EQ(lfset_reserve(set, 100), 0);                                                      \
        CHECK_EQ(lfset_each(read_only, visit, &sum), 0);                                           \
        CHECK_EQ(sum, 6);                                                                          \
        CHECK_EQ(lfset_snapshot(set, &taken), 0);                                                  \
        CHECK_EQ(lfset_count(taken), 3);                                                           \
        CHECK_EQ(lfset_contains(taken, KEY(3)), 1);                                                \
        CHECK_EQ(lfset_each(taken, visit, &sum, NULL), 0);                                         \
        CHECK_EQ(sum, 12);                                                                         \
        CHECK_EQ(lfset_compare(set, taken),                                                        \
                 LFSET_EQUAL | LFSET_SUBSET | LFSET_SUPERSET | LFSET_INTERSECTS);                  \
        CHECK_EQ(lfset_compare(taken, taken) & LFSET_EQUAL, LFSET_EQUAL);                          \
        CHECK_EQ(lfset_compare(set, other), LFSET_INTERSECTS);                                     \
        CHECK_EQ(lfset_compare(set, other, expired), -ETIMEDOUT);                                  \
        CHECK_EQ(lfset_combine(set, LFSET_UNION, other, &made), 0);                                \
        CHECK_EQ(lfset_size(made), 4);                                                             \
        CHECK_EQ(lfset_destroy(made), 0);                                                          \
        CHECK_EQ(lfset_combine(other, LFSET_INTERSECTION, taken, &made, NULL), 0);                 \
        CHECK_EQ(lfset_size(made), 1);                                                             \
        CHECK_EQ(lfset_destroy(made), 0);                                                          \
        CHECK_EQ(lfset_combine(taken, LFSET_DIFFERENCE, taken, &made, NULL, NULL), 0);             \
        CHECK_EQ(lfset_size(made), 0);                                                             \
        CHECK_EQ(lfset_destroy(made), 0);                                                          \
        CHECK_EQ(lfset_apply(other, LFSET_UNION, taken), 2);                                       \
        CHECK_EQ(lfset_apply(other, LFSET_DIFFERENCE, set), 3);                                    \
        CHECK_EQ(lfset_remove(set, KEY(1)), 1);                                                    \
        CHECK_EQ(lfset_remove_if(set, unwanted, &three), 1);                                       \
        CHECK_EQ(lfset_size(set), 1);                                                              \
        lfset_destroy(taken);                                                                      \
        CHECK_EQ(lfset_drain(set, &taken), 0);                                                     \
        CHECK_EQ(lfset_count(taken), 1);                                                           \
        CHECK_EQ(lfset_contains(taken, KEY(2)), 1);                                                \
        lfset_destroy(taken);                                                                      \
        CHECK_EQ(lfset_clear(other), 1);                                                           \
        CHECK_EQ(lfset_destroy(other), 0);                                                         \
        lfset_cancel_destroy(expired);                                                             \
    } while (0)

#define NUMBER(n) numbers[(n)-1]
#define TEXT(n) texts[n], n
#define OBJECT(n) &numbers[(n)-1]

static void check_printed(const char *text, const char *want)
{
    CHECK(strcmp(text, want) == 0, "printed %s, not %s", text, want);
}

/* To a file and back, and as text. */
#define CHECK_WRITING(want)                                                                        \
    do {                                                                                           \
        char path[] = "/tmp/lfset-generic-XXXXXX";                                                 \
        char *text = NULL;                                                                         \
        size_t printed = 0;                                                                        \
        const int fd = mkstemp(path);                                                              \
        CHECK(fd >= 0, "no file");                                                                 \
        close(fd);                                                                                 \
        CHECK_EQ(lfset_save(set, path), 0);                                                        \
        CHECK_EQ(lfset_clear(set), 2);                                                             \
        const char *why = NULL;                                                                    \
        CHECK_EQ(lfset_load(set, path, &why), 2);                                                  \
        unlink(path);                                                                              \
        FILE *file = open_memstream(&text, &printed);                                              \
        CHECK_EQ(lfset_print(set, file), 0);                                                       \
        CHECK_EQ(lfset_print(set, file, 1, NULL), 0);                                              \
        fclose(file);                                                                              \
        check_printed(text, want);                                                                 \
        free(text);                                                                                \
    } while (0)

TEST_BOTH(generic, numbers)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    struct lfset_u64 *set = NULL;
    CHECK_EQ(lfset_create(&set, &options), 0);
    CHECK_GENERIC(u64, NUMBER, count_number, unwanted_number);
    int8_t results[4];
    uint64_t key = 0;
    CHECK_EQ(lfset_add_many(set, numbers, 4, results), 4);
    CHECK_EQ(lfset_remove_many(set, numbers, 2, results), 2);
    CHECK_EQ(lfset_contains_many(set, numbers, 4, results), 2);
    CHECK_WRITING("{3, 4}{3, ... (2 in all)}");
    CHECK_EQ(lfset_pop(set, &key), 1);
    CHECK(key == 3 || key == 4, "popped %" PRIu64, key);
    CHECK_EQ(lfset_destroy(set), 0);
}

TEST_BOTH(generic, bitmaps)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    struct lfset_bitmap *set = NULL;
    CHECK_EQ(lfset_create(&set, &options), 0);
    CHECK_GENERIC(bitmap, NUMBER, count_number, unwanted_number);
    uint64_t key = 0;
    CHECK_EQ(lfset_add_many(set, numbers, 4, NULL), 4);
    CHECK_EQ(lfset_remove_many(set, numbers, 2, NULL), 2);
    CHECK_EQ(lfset_contains_many(set, numbers, 4, NULL), 2);
    CHECK_WRITING("{3, 4}{3, ... (2 in all)}");
    CHECK_EQ(lfset_pop(set, &key), 1);
    CHECK(key == 3 || key == 4, "popped %" PRIu64, key);
    CHECK_EQ(lfset_destroy(set), 0);
}

TEST_BOTH(generic, strings)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    struct lfset_bytes *set = NULL;
    CHECK_EQ(lfset_create(&set, &options), 0);
    CHECK_GENERIC(bytes, TEXT, count_length, unwanted_string);
    const struct lfset_string keys[] = {{"a", 1}, {"b", 1}, {"c", 1}};
    char buffer[8];
    size_t length = 0;
    CHECK_EQ(lfset_add_many(set, keys, 3, NULL), 3);
    CHECK_EQ(lfset_remove_many(set, keys, 1, NULL), 1);
    CHECK_EQ(lfset_contains_many(set, keys, 3, NULL), 2);
    CHECK_WRITING("{\"b\", \"c\"}{\"b\", ... (2 in all)}");
    CHECK_EQ(lfset_pop(set, buffer, sizeof buffer, &length), 1);
    CHECK_EQ(length, 1);
    CHECK_EQ(lfset_destroy(set), 0);
}

TEST_BOTH(generic, objects)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    struct lfset_obj_type type = LFSET_OBJ_TYPE_INIT;
    type.hash = hash_number;
    type.equal = equal_numbers;
    type.print = print_number;
    struct lfset_obj *set = NULL;
    CHECK_EQ(lfset_create(&set, &type, &options), 0);
    CHECK_GENERIC(obj, OBJECT, count_object, unwanted_object);
    void *objects[] = {&numbers[0], &numbers[1]};
    const void *keys[] = {&numbers[0], &numbers[1]};
    CHECK_EQ(lfset_add_many(set, objects, 2, NULL), 2);
    CHECK_EQ(lfset_contains_many(set, keys, 2, NULL), 2);
    CHECK_EQ(lfset_remove_many(set, keys, 1, NULL), 1);
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    CHECK_EQ(lfset_print(set, file), 0);
    fclose(file);
    check_printed(text, "{2}");
    free(text);
    void *object = NULL;
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_pop(set, &object), 1);
    CHECK(object == &numbers[1], "another object was popped");
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_destroy(set), 0);
}

/* Each argument is evaluated once. */
TEST(generic, arguments_are_evaluated_once)
{
    struct lfset_u64 *sets[3] = {NULL, NULL, NULL};
    struct lfset_u64 **next = sets;
    uint64_t key = 7;
    CHECK_EQ(lfset_create(next++, NULL), 0);
    CHECK_EQ(next - sets, 1);
    next = sets;
    CHECK_EQ(lfset_add(*next++, key++), 1);
    CHECK_EQ(next - sets, 1);
    CHECK_EQ(key, 8);
    next = sets;
    CHECK_EQ(lfset_compare(*next++, sets[0]) & LFSET_EQUAL, LFSET_EQUAL);
    CHECK_EQ(next - sets, 1);
    next = sets;
    CHECK_EQ(lfset_destroy(*next++), 0);
    CHECK_EQ(next - sets, 1);
}

// SPDX-License-Identifier: MIT
/*
 * A number becomes a string of its own: none at all for 0; else how many bytes the number has, these
 * bytes, the greatest first, and a tail. So strings are in the order of their numbers.
 */
#include "lfset/bytes.h"

#define KIND bytes
#include "kind_common.h"

enum { TAIL = 90, LONGEST = 9 + TAIL, BATCH = 1024 };

struct text {
    size_t length;
    unsigned char bytes[LONGEST];
};

static void encode(uint64_t key, struct text *text)
{
    unsigned char digits = 0;
    text->length = 0;
    if (key == 0)
        return;
    for (uint64_t rest = key; rest != 0; rest >>= 8)
        digits++;
    text->bytes[text->length++] = digits;
    for (unsigned i = digits; i-- > 0;)
        text->bytes[text->length++] = (unsigned char)(key >> 8 * i);
    const size_t tail = key % 7 == 3 ? TAIL : key % 7;
    memset(text->bytes + text->length, (int)(key & 0xff), tail);
    text->length += tail;
}

static uint64_t decode(const void *data, size_t length)
{
    const unsigned char *bytes = data;
    uint64_t key = 0;
    struct text text;
    for (size_t i = 1; i < length && i <= bytes[0]; i++)
        key = key << 8 | bytes[i];
    encode(key, &text);
    if (text.length != length || (length > 0 && memcmp(text.bytes, data, length) != 0))
        fail("bytes: a string of %zu bytes came out that was never put in", length);
    return key;
}

static void begin(uint64_t seed, bool collide)
{
    (void)seed;
    (void)collide;
}

static uint64_t key_of(uint8_t which)
{
    return which < 192 ? which : (uint64_t)which << (which % 8 * 8);
}

static void end(void)
{
}

static int create(void **out, const struct lfset_options *options)
{
    struct lfset_bytes *set = NULL;
    int result = lfset_bytes_create(&set, options);
    return made(result, set, out);
}

static int add(void *set, uint64_t key)
{
    struct text text;
    encode(key, &text);
    return lfset_bytes_add(set, text.bytes, text.length);
}

static int remove_key(void *set, uint64_t key)
{
    struct text text;
    encode(key, &text);
    return lfset_bytes_remove(set, text.bytes, text.length);
}

static int contains(const void *set, uint64_t key)
{
    struct text text;
    encode(key, &text);
    return lfset_bytes_contains(set, text.bytes, text.length);
}

/* Once with a buffer that may be too small. */
static int pop(void *set, uint64_t *key)
{
    struct text text;
    size_t length = SIZE_MAX;
    int result = lfset_bytes_pop(set, text.bytes, 4, &length);
    if (result == -ENOBUFS) {
        if (length <= 4)
            fail("bytes: 4 bytes are not enough for %zu", length);
        result = lfset_bytes_pop(set, text.bytes, LONGEST, &length);
    }
    if (result == 1)
        *key = decode(text.bytes, length);
    return result;
}

static int64_t many(void *set, enum kind_many what, const uint64_t *keys, size_t count,
                    int8_t *results)
{
    static struct text texts[BATCH];
    static struct lfset_string strings[BATCH];
    for (size_t i = 0; i < count; i++) {
        encode(keys[i], &texts[i]);
        strings[i] = (struct lfset_string){texts[i].bytes, texts[i].length};
    }
    return what == KIND_ADD      ? lfset_bytes_add_many(set, strings, count, results)
           : what == KIND_REMOVE ? lfset_bytes_remove_many(set, strings, count, results)
                                 : lfset_bytes_contains_many(set, strings, count, results);
}

struct visit {
    kind_visit *visit;
    void *ctx;
};

static int visit_string(const void *data, size_t length, void *ctx)
{
    const struct visit *visit = ctx;
    return visit->visit(decode(data, length), visit->ctx);
}

static int each(const void *set, kind_visit *visit, void *ctx, const struct lfset_cancel *cancel)
{
    return lfset_bytes_each(set, visit_string, &(struct visit){visit, ctx}, cancel);
}

static int64_t remove_if(void *set, kind_visit *unwanted, void *ctx,
                         const struct lfset_cancel *cancel)
{
    return lfset_bytes_remove_if(set, visit_string, &(struct visit){unwanted, ctx}, cancel);
}

static int wait_for(void *set, enum kind_wait what, uint64_t key, const struct lfset_cancel *cancel)
{
    struct text text;
    encode(key, &text);
    return what == KIND_PRESENT  ? lfset_bytes_wait_present(set, text.bytes, text.length, cancel)
           : what == KIND_ABSENT ? lfset_bytes_wait_absent(set, text.bytes, text.length, cancel)
                                 : lfset_bytes_wait_empty(set, cancel);
}

static int snapshot_contains(const void *snapshot, uint64_t key)
{
    struct text text;
    encode(key, &text);
    return lfset_bytes_snapshot_contains(snapshot, text.bytes, text.length);
}

static int snapshot_each(void *snapshot, kind_visit *visit, void *ctx)
{
    return lfset_bytes_snapshot_each(snapshot, visit_string, &(struct visit){visit, ctx}, NULL);
}

static int64_t snapshot_copy(void *snapshot, uint64_t *keys, size_t max)
{
    struct lfset_string *strings = malloc((max + 1) * sizeof *strings);
    if (strings == NULL)
        fail("no memory");
    const int64_t count = lfset_bytes_snapshot_copy(snapshot, strings, max);
    for (int64_t i = 0; i < count; i++)
        keys[i] = decode(strings[i].data, strings[i].length);
    free(strings);
    return count;
}

static int purge(void *set)
{
    return lfset_bytes_purge(set);
}

static int64_t probe_lengths(const void *set, uint64_t *histogram, size_t length)
{
    return lfset_bytes_probe_lengths(set, histogram, length);
}

static int save(void *set, int fd)
{
    return lfset_bytes_save_fd(set, fd, NULL);
}

static int64_t load(void *set, int fd, const char **why)
{
    return lfset_bytes_load_fd(set, fd, why, NULL);
}

const struct kind kind_bytes = {KIND_COMMON,    KIND_KEYED,
                                .purge = purge, .probe_lengths = probe_lengths,
                                .save = save,   .load = load};

// SPDX-License-Identifier: MIT
/*
 * lfset_bytes as a target. A number becomes a byte string of its own: none at all for 0; else a filling
 * of 'x', then the number's bytes without leading zeros, then how many those are. So strings begin
 * alike, as real ones do, and differ in length. Most are shorter than 61 bytes, some are long.
 * Whatever string the set hands out must be one of these to the last byte.
 */
#include "target.h"

#include <errno.h>
#include <lfset/bytes.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 2048

struct text {
    size_t length;
    unsigned char bytes[LONGEST];
};

static size_t filling_of(uint64_t key)
{
    const uint64_t r = (key * 0x9e3779b97f4a7c15u) >> 40;

    return key % 16 == 5 ? 200 + r % 1800 : r % 52;
}

static void encode(uint64_t key, struct text *text)
{
    const size_t filling = filling_of(key);
    unsigned char *at = text->bytes + filling;

    text->length = 0;
    if (key == 0)
        return;
    memset(text->bytes, 'x', filling);
    for (uint64_t rest = key; rest != 0; rest >>= 8)
        *at++ = (unsigned char)rest;
    *at = (unsigned char)(at - text->bytes - (ptrdiff_t)filling);
    text->length = (size_t)(at - text->bytes) + 1;
}

static uint64_t decode(const void *data, size_t length)
{
    const unsigned char *bytes = data;
    struct text text;
    uint64_t key = 0;

    if (length == 0)
        return 0;
    const size_t digits = bytes[length - 1];
    if (digits < length && digits <= 8)
        for (size_t i = 0; i < digits; i++)
            key = key << 8 | bytes[length - 2 - i];
    encode(key, &text);
    if (text.length != length || memcmp(text.bytes, bytes, length) != 0)
        target_notice("a string of %zu bytes came out that was never put in", length);
    return key;
}

static int bytes_create(const struct target_options *options, void **set)
{
    const struct lfset_options o = target_lfset_options(options);
    struct lfset_bytes *made = NULL;
    const int rc = lfset_bytes_create(&made, &o);

    *set = made;
    return rc;
}

static int bytes_destroy(void *set)
{
    return lfset_bytes_destroy(set);
}

static int bytes_add(void *set, uint64_t key)
{
    struct text text;

    encode(key, &text);
    const int rc = lfset_bytes_add(set, text.bytes, text.length);
    memset(text.bytes, 0, text.length); /* the set has a copy */
    return rc;
}

static int bytes_remove(void *set, uint64_t key)
{
    struct text text;

    encode(key, &text);
    return lfset_bytes_remove(set, text.bytes, text.length);
}

static int bytes_contains(void *set, uint64_t key)
{
    struct text text;

    encode(key, &text);
    return lfset_bytes_contains(set, text.bytes, text.length);
}

struct batch {
    struct text texts[TARGET_BATCH];
    struct lfset_string strings[TARGET_BATCH];
};

static void batch_encode(struct batch *batch, const uint64_t *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        encode(keys[i], &batch->texts[i]);
        batch->strings[i].data = batch->texts[i].bytes;
        batch->strings[i].length = batch->texts[i].length;
    }
}

static int64_t bytes_add_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    struct batch batch;

    batch_encode(&batch, keys, count);
    return lfset_bytes_add_many(set, batch.strings, count, results);
}

static int64_t bytes_remove_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    struct batch batch;

    batch_encode(&batch, keys, count);
    return lfset_bytes_remove_many(set, batch.strings, count, results);
}

static int64_t bytes_contains_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    struct batch batch;

    batch_encode(&batch, keys, count);
    return lfset_bytes_contains_many(set, batch.strings, count, results);
}

/* A buffer that most strings fit into; for the others a second call. */
static int bytes_pop(void *set, uint64_t *key)
{
    unsigned char small[24], large[LONGEST];
    unsigned char *buffer = small;
    size_t length = 0;
    int rc = lfset_bytes_pop(set, small, sizeof(small), &length);

    if (rc == -ENOBUFS) {
        if (length <= sizeof(small))
            target_notice("pop found no room in %zu bytes for %zu", sizeof(small), length);
        buffer = large;
        rc = lfset_bytes_pop(set, large, sizeof(large), &length);
    }
    if (rc == 1)
        *key = decode(buffer, length);
    return rc;
}

static int64_t bytes_size(void *set)
{
    return lfset_bytes_size(set, NULL);
}

static int bytes_is_empty(void *set)
{
    return lfset_bytes_is_empty(set);
}

static int64_t bytes_clear(void *set)
{
    return lfset_bytes_clear(set, NULL);
}

static int bytes_snapshot(void *set, void **taken)
{
    struct lfset_bytes_snapshot *snapshot = NULL;
    const int rc = lfset_bytes_snapshot_take(set, &snapshot, NULL);

    *taken = snapshot;
    return rc;
}

static int bytes_drain(void *set, void **taken)
{
    struct lfset_bytes_snapshot *snapshot = NULL;
    const int rc = lfset_bytes_drain(set, &snapshot, NULL);

    *taken = snapshot;
    return rc;
}

static int64_t bytes_taken_count(void *taken)
{
    return lfset_bytes_snapshot_count(taken);
}

static int compare_strings(const struct lfset_string *a, const struct lfset_string *b)
{
    const size_t shorter = a->length < b->length ? a->length : b->length;
    const int rc = shorter > 0 ? memcmp(a->data, b->data, shorter) : 0;

    return rc != 0 ? rc : (a->length > b->length) - (a->length < b->length);
}

static int64_t bytes_taken_copy(void *taken, uint64_t *keys, size_t max)
{
    struct lfset_string *strings = malloc((max + 1) * sizeof(*strings));

    if (!strings)
        return -ENOMEM;
    const int64_t count = lfset_bytes_snapshot_copy(taken, strings, max);
    for (int64_t i = 0; i < count; i++) {
        keys[i] = decode(strings[i].data, strings[i].length);
        if (i > 0 && compare_strings(&strings[i - 1], &strings[i]) >= 0)
            target_notice("a snapshot's strings do not ascend");
    }
    free(strings);
    if (count > 0)
        target_sort(keys, (size_t)count);
    return count;
}

static int bytes_taken_contains(void *taken, uint64_t key)
{
    struct text text;

    encode(key, &text);
    return lfset_bytes_snapshot_contains(taken, text.bytes, text.length);
}

static void bytes_taken_destroy(void *taken)
{
    lfset_bytes_snapshot_destroy(taken);
}

struct visitor {
    int (*visit)(uint64_t key, void *ctx);
    void *ctx;
};

static int visit_string(const void *key, size_t length, void *ctx)
{
    const struct visitor *visitor = ctx;

    return visitor->visit(decode(key, length), visitor->ctx);
}

static int bytes_each(const void *set, int (*visit)(uint64_t key, void *ctx), void *ctx)
{
    struct visitor visitor = {visit, ctx};

    return lfset_bytes_each(set, visit_string, &visitor, NULL);
}

static int64_t bytes_remove_if(void *set, int (*unwanted)(uint64_t key, void *ctx), void *ctx)
{
    struct visitor visitor = {unwanted, ctx};

    return lfset_bytes_remove_if(set, visit_string, &visitor, NULL);
}

static int bytes_reserve(void *set, uint64_t capacity)
{
    return lfset_bytes_reserve(set, capacity, NULL);
}

static int bytes_purge(void *set)
{
    return lfset_bytes_purge(set);
}

static int bytes_wait_present(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    struct text text;

    encode(key, &text);
    return lfset_bytes_wait_present(set, text.bytes, text.length, cancel);
}

static int bytes_wait_absent(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    struct text text;

    encode(key, &text);
    return lfset_bytes_wait_absent(set, text.bytes, text.length, cancel);
}

static int bytes_wait_empty(void *set, const struct lfset_cancel *cancel)
{
    return lfset_bytes_wait_empty(set, cancel);
}

static int bytes_validate(const void *set, const char **reason)
{
    return lfset_bytes_validate(set, reason);
}

static int bytes_counters(const void *set, struct target_counters *counters)
{
    struct lfset_stats stats = {.size = sizeof(stats)};
    const int rc = lfset_bytes_stats_read(set, &stats);

    if (rc == 0)
        *counters = target_lfset_counters(&stats);
    return rc;
}

const struct target target_bytes = {
    .name = "bytes",
    .about = "lfset_bytes, the set of byte strings",
    .has_domains = 1,
    .create = bytes_create,
    .destroy = bytes_destroy,
    .add = bytes_add,
    .remove = bytes_remove,
    .contains = bytes_contains,
    .add_many = bytes_add_many,
    .remove_many = bytes_remove_many,
    .contains_many = bytes_contains_many,
    .pop = bytes_pop,
    .size = bytes_size,
    .is_empty = bytes_is_empty,
    .clear = bytes_clear,
    .snapshot = bytes_snapshot,
    .drain = bytes_drain,
    .taken_count = bytes_taken_count,
    .taken_copy = bytes_taken_copy,
    .taken_contains = bytes_taken_contains,
    .taken_destroy = bytes_taken_destroy,
    .each = bytes_each,
    .each_is_concurrent = 1,
    .remove_if = bytes_remove_if,
    .reserve = bytes_reserve,
    .purge = bytes_purge,
    .wait_present = bytes_wait_present,
    .wait_absent = bytes_wait_absent,
    .wait_empty = bytes_wait_empty,
    .validate = bytes_validate,
    .counters = bytes_counters,
    .attach = lfset_thread_attach,
    .detach = lfset_thread_detach,
    .section_enter = lfset_section_enter,
    .section_leave = lfset_section_leave,
};

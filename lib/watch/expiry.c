// SPDX-License-Identifier: MIT
#include "watch/expiry.h"

#include <errno.h>

#include "lfset/bitmap.h"
#include "lfset/bytes.h"
#include "lfset/u64.h"
#include "platform/memory.h"
#include "reclaim/reclaim.h"

enum {
    SHARES = 16, /* widths in the expiry time */
    /* Closed within the expiry time: SHARES + 1 at most, because none was open for less than a width; and one
     * that is open. */
    BUCKETS = SHARES + 2,
};

struct expiry {
    _Atomic(uint64_t)
        current;        /**< number of the open bucket; at `number % BUCKETS`. [expiry.current] */
    _Atomic(bool) lost; /**< a key may be in no bucket */
    void *buckets[BUCKETS];
    // Of looks alone:
    bool begun;
    uint64_t oldest;             /**< number of the oldest that is not emptied */
    uint64_t opened_ns;          /**< the current one */
    uint64_t closed_ns[BUCKETS]; /**< the others */
};

/* ---- a set of any of the kinds ------------------------------------------------------------------- */

static int bucket_create(enum lfset_kind kind, void **bucket, const struct lfset_options *options)
{
    int error;
    if (kind == LFSET_KIND_U64) {
        struct lfset_u64 *set;
        error = lfset_u64_create(&set, options);
        *bucket = set;
    } else if (kind == LFSET_KIND_BITMAP) {
        struct lfset_bitmap *set;
        error = lfset_bitmap_create(&set, options);
        *bucket = set;
    } else {
        struct lfset_bytes *set;
        error = lfset_bytes_create(&set, options);
        *bucket = set;
    }
    return error;
}

static void bucket_destroy(enum lfset_kind kind, void *bucket)
{
    (void)(kind == LFSET_KIND_U64      ? lfset_u64_destroy(bucket)
           : kind == LFSET_KIND_BITMAP ? lfset_bitmap_destroy(bucket)
                                       : lfset_bytes_destroy(bucket));
}

static int64_t bucket_clear(enum lfset_kind kind, void *bucket)
{
    return kind == LFSET_KIND_U64      ? lfset_u64_clear(bucket, NULL)
           : kind == LFSET_KIND_BITMAP ? lfset_bitmap_clear(bucket, NULL)
                                       : lfset_bytes_clear(bucket, NULL);
}

static int add(enum lfset_kind kind, void *set, const struct lfset__noted_key *key)
{
    return kind == LFSET_KIND_U64      ? lfset_u64_add(set, key->number)
           : kind == LFSET_KIND_BITMAP ? lfset_bitmap_add(set, key->number)
                                       : lfset_bytes_add(set, key->data, key->length);
}

static int take_out(enum lfset_kind kind, void *set, const struct lfset__noted_key *key)
{
    return kind == LFSET_KIND_U64      ? lfset_u64_remove(set, key->number)
           : kind == LFSET_KIND_BITMAP ? lfset_bitmap_remove(set, key->number)
                                       : lfset_bytes_remove(set, key->data, key->length);
}

static int contains(enum lfset_kind kind, const void *set, const struct lfset__noted_key *key)
{
    return kind == LFSET_KIND_U64      ? lfset_u64_contains(set, key->number)
           : kind == LFSET_KIND_BITMAP ? lfset_bitmap_contains(set, key->number)
                                       : lfset_bytes_contains(set, key->data, key->length);
}

/** What is done with each key of a set, for the set that expires; goes on while it answers 0. */
struct visit {
    struct lfset__about *about;
    int (*key)(struct lfset__about *about, const struct lfset__noted_key *key);
};

static int visit_number(uint64_t number, void *ctx)
{
    const struct visit *visit = ctx;
    const struct lfset__noted_key key = {.number = number};
    return visit->key(visit->about, &key);
}

static int visit_bytes(const void *data, size_t length, void *ctx)
{
    const struct visit *visit = ctx;
    const struct lfset__noted_key key = {.data = data, .length = length};
    return visit->key(visit->about, &key);
}

static int each(void *set, struct visit *visit)
{
    switch (visit->about->kind) {
    case LFSET_KIND_U64:
        return lfset_u64_each(set, visit_number, visit, NULL);
    case LFSET_KIND_BITMAP:
        return lfset_bitmap_each(set, visit_number, visit, NULL);
    default:
        return lfset_bytes_each(set, visit_bytes, visit, NULL);
    }
}

/* ---- adders -------------------------------------------------------------------------------------- */

static void touch(struct lfset__about *about, const struct lfset__noted_key *key)
{
    struct expiry *expiry = about->expiry;
    uint64_t current = lfset__load_sc(&expiry->current), before; // [expiry.current]
    do {
        before = current;
        if (add(about->kind, expiry->buckets[current % BUCKETS], key) < 0) {
            lfset__store_sc(&expiry->lost, true);
        }
        current = lfset__load_sc(&expiry->current);
    } while (current != before);
}

/* ---- looks --------------------------------------------------------------------------------------- */

/** @return 1 or 0: whether one of the buckets from this number on has the key; or a negative errno. */
static int has_since(const struct lfset__about *about, const struct lfset__noted_key *key,
                     uint64_t number)
{
    const struct expiry *expiry = about->expiry;
    int has = 0;
    // The newest first: what is in use is there.
    for (uint64_t i = lfset__load_sc(&expiry->current) + 1; has == 0 && i-- > number;) {
        has = contains(about->kind, expiry->buckets[i % BUCKETS], key);
    }
    return has;
}

static int expire_key(struct lfset__about *about, const struct lfset__noted_key *key)
{
    const struct expiry *expiry = about->expiry;
    int result = has_since(about, key, expiry->oldest + 1);
    if (result != 0) {
        return result < 0 ? result : 0;
    }
    result = take_out(about->kind, about->set, key);
    if (result > 0) {
        lfset__add_rlx(&about->record->expired, 1);
    }
    return result < 0 ? result : 0;
}

/* A key may leave too late because a part of the work had no memory; the next look does it again. */
static bool expire_oldest(struct lfset__about *about)
{
    struct expiry *expiry = about->expiry;
    void *bucket = expiry->buckets[expiry->oldest % BUCKETS];
    struct visit visit = {.about = about, .key = expire_key};
    if (each(bucket, &visit) != 0 || bucket_clear(about->kind, bucket) < 0) {
        return false;
    }
    expiry->oldest++;
    return true;
}

static int find_a_bucket(struct lfset__about *about, const struct lfset__noted_key *key)
{
    const struct expiry *expiry = about->expiry;
    int result = has_since(about, key, expiry->oldest);
    if (result == 0) {
        result = add(about->kind, expiry->buckets[lfset__load_sc(&expiry->current) % BUCKETS], key);
    }
    return result < 0 ? result : 0;
}

void lfset__expiry_look(struct lfset__about *about, uint64_t now_ns)
{
    struct expiry *expiry = about->expiry;
    const uint64_t time = about->observe.expiry_ns;
    const uint64_t width = time / SHARES + (time % SHARES != 0);
    const uint64_t current = lfset__load_sc(&expiry->current);
    if (!expiry->begun) {
        expiry->begun = true;
        expiry->opened_ns = now_ns;
    }
    if (now_ns < expiry->opened_ns) {
        return;
    }
    while (expiry->oldest < current &&
           now_ns - expiry->closed_ns[expiry->oldest % BUCKETS] >= time && expire_oldest(about)) {
    }
    if (lfset__load_sc(&expiry->lost)) {
        lfset__store_sc(&expiry->lost,
                        false); // before: a key that is lost meanwhile is for the next look
        struct visit visit = {.about = about, .key = find_a_bucket};
        if (each(about->set, &visit) != 0) {
            lfset__store_sc(&expiry->lost, true);
        }
    }
    if (now_ns - expiry->opened_ns >= width && current + 1 - expiry->oldest < BUCKETS) {
        expiry->closed_ns[current % BUCKETS] = now_ns;
        expiry->opened_ns = now_ns;
        lfset__store_sc(&expiry->current, current + 1); // [expiry.current]
    }
}

/* ---- a set's life -------------------------------------------------------------------------------- */

int lfset__expiry_create(struct lfset__about *about)
{
    if (lfset__self && lfset__self->sections > 0) {
        return -EDEADLK; // buckets could not be destroyed, if not all can be made
    }
    if (about->kind == LFSET_KIND_OBJ) {
        return -EINVAL;
    }
    struct expiry *expiry =
        lfset__alloc_zeroed(about->allocator, sizeof *expiry, _Alignof(struct expiry));
    if (!expiry) {
        return -ENOMEM;
    }
    about->expiry = expiry;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = about->domain;
    options.allocator = about->allocator;
    for (unsigned i = 0; i < BUCKETS; i++) {
        const int error = bucket_create(about->kind, &expiry->buckets[i], &options);
        if (error) {
            return error; // destroy comes in any case
        }
    }
    about->touch = touch;
    return 0;
}

void lfset__expiry_destroy(struct lfset__about *about)
{
    struct expiry *expiry = about->expiry;
    if (!expiry) {
        return;
    }
    for (unsigned i = 0; i < BUCKETS; i++) {
        bucket_destroy(about->kind, expiry->buckets[i]);
    }
    lfset__free(about->allocator, expiry, sizeof *expiry, _Alignof(struct expiry));
    about->expiry = NULL;
}

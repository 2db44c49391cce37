// SPDX-License-Identifier: MIT
/*
 * A kind of set, seen through numbers: what a plan's keys are in it, and its functions. All answer as
 * the library's do.
 */
#ifndef LFSET_STRESS_EXPLORE_SUBJECT_H
#define LFSET_STRESS_EXPLORE_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "explore/plan.h"
#include "lfset/cancel.h"
#include "set/slice.h"

/** Most keys that a set holds. */
enum { SUBJECT_KEYS = 512 };

/** The keys that an iteration or a snapshot showed. */
struct subject_keys {
    uint64_t keys[SUBJECT_KEYS];
    size_t count;
    uint64_t since; /**< when the call began: what it shows was there later */
};

enum subject_seek { SUBJECT_NEXT_SET, SUBJECT_NEXT_CLEAR, SUBJECT_MIN, SUBJECT_MAX };

struct subject {
    unsigned seeds; /**< sets are made with one of so many; 0: with any */
    bool sections;  /**< get, add_or_get and pop want one */
    int (*create)(void **set, const struct lfset_options *options);
    int (*destroy)(void *set);
    /** The key whose hash, under the set's first multiplier, is this, or about. Bitmaps: whose region's
     *  hash, and this far in the region. */
    uint64_t (*key_at)(void *set, uint64_t hash, uint32_t offset);
    /** The (first) key of a bound word. @return false when what the word names is freed. */
    bool (*word_key)(const struct lfset__slice *slice, size_t index, uint64_t word, uint64_t *key);
    /** Blocks of memory that a set of these keys consists of, purged, besides itself and its slice. */
    size_t (*blocks)(const uint64_t *keys, size_t count);

    int (*add)(void *set, uint64_t key);
    int (*remove)(void *set, uint64_t key);
    int (*contains)(void *set, uint64_t key);
    int (*pop)(void *set, uint64_t *key);
    int (*get)(void *set, uint64_t key);        /**< objects only, as is: */
    int (*add_or_get)(void *set, uint64_t key); /**< ... */
    int64_t (*add_many)(void *set, const uint64_t *keys, size_t count, int8_t *results);
    int64_t (*remove_many)(void *set, const uint64_t *keys, size_t count, int8_t *results);
    int64_t (*contains_many)(void *set, const uint64_t *keys, size_t count, int8_t *results);

    // bitmaps only
    int64_t (*add_range)(void *set, uint64_t first, uint64_t last);
    int64_t (*remove_range)(void *set, uint64_t first, uint64_t last);
    int64_t (*count_range)(void *set, uint64_t first, uint64_t last);
    int (*seek)(void *set, enum subject_seek seek, uint64_t from, uint64_t *found);

    int (*take)(void *set, bool drain, void **snapshot);
    /** In ascending order. @param drained when the drain it is from returned; 0: it is from none. */
    int64_t (*snapshot_copy)(void *snapshot, struct subject_keys *keys, uint64_t drained);
    int64_t (*snapshot_count)(void *snapshot);
    int (*snapshot_contains)(void *snapshot, uint64_t key);
    void (*snapshot_destroy)(void *snapshot);
    int (*clone)(void *set, void **copy);

    int64_t (*clear)(void *set);
    int64_t (*size)(void *set);
    int (*is_empty)(void *set);
    int (*each)(void *set, struct subject_keys *keys);
    int (*reserve)(void *set, uint64_t capacity);
    int (*purge)(void *set); /**< NULL: nothing stays behind */
    int (*look)(void *set);  /**< at statistics and the like */
    int (*validate)(void *set, const char **reason);

    int (*wait_present)(void *set, uint64_t key, const struct lfset_cancel *cancel);
    int (*wait_absent)(void *set, uint64_t key, const struct lfset_cancel *cancel);
    int (*wait_empty)(void *set, const struct lfset_cancel *cancel);
};

extern const struct subject subject_u64, subject_obj, subject_bytes, subject_bitmap;

/** Another key was shown. */
void subject_show(struct subject_keys *keys, uint64_t key);

#endif

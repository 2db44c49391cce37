// SPDX-License-Identifier: MIT
/*
 * A kind of set, seen through numbers: each number stands for one key. All functions answer as the
 * library's do.
 */
#ifndef LFSET_FUZZ_KIND_H
#define LFSET_FUZZ_KIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lfset/cancel.h"
#include "lfset/lfset.h"

/** Called for keys; what is not 0 stops. */
typedef int kind_visit(uint64_t key, void *ctx);

enum kind_many { KIND_ADD, KIND_REMOVE, KIND_CONTAINS };
enum kind_seek { KIND_NEXT_SET, KIND_NEXT_CLEAR, KIND_MIN, KIND_MAX };
enum kind_wait { KIND_PRESENT, KIND_ABSENT, KIND_EMPTY };

struct kind {
    const char *name;
    /** Begins an input, whose sets are made with this seed: keys that `key` calls close collide. */
    void (*begin)(uint64_t seed, bool collide);
    /** One of 256 keys that are interesting for the kind. */
    uint64_t (*key)(uint8_t which);
    /** Fails when something outlives all sets. */
    void (*end)(void);

    int (*create)(void **set, const struct lfset_options *options);
    int (*destroy)(void *set);
    int (*add)(void *set, uint64_t key);
    int (*remove)(void *set, uint64_t key);
    int (*contains)(const void *set, uint64_t key);
    int (*pop)(void *set, uint64_t *key);
    int64_t (*many)(void *set, enum kind_many what, const uint64_t *keys, size_t count,
                    int8_t *results);
    int (*each)(const void *set, kind_visit *visit, void *ctx, const struct lfset_cancel *cancel);
    int64_t (*remove_if)(void *set, kind_visit *unwanted, void *ctx,
                         const struct lfset_cancel *cancel);
    int (*wait)(void *set, enum kind_wait what, uint64_t key, const struct lfset_cancel *cancel);

    int64_t (*size)(void *set, const struct lfset_cancel *cancel);
    int64_t (*size_estimate)(const void *set);
    int (*is_empty)(void *set);
    int64_t (*clear)(void *set, const struct lfset_cancel *cancel);
    int (*reserve)(void *set, uint64_t capacity, const struct lfset_cancel *cancel);
    int (*stats)(const void *set, struct lfset_stats *stats);
    int (*validate)(const void *set, const char **reason);
    int (*print)(void *set, FILE *file, uint64_t max, const struct lfset_cancel *cancel);

    int (*take)(void *set, bool drain, void **snapshot, const struct lfset_cancel *cancel);
    void (*snapshot_destroy)(void *snapshot);
    int64_t (*snapshot_count)(const void *snapshot);
    int (*snapshot_contains)(const void *snapshot, uint64_t key);
    int (*snapshot_each)(void *snapshot, kind_visit *visit, void *ctx);
    int64_t (*snapshot_copy)(void *snapshot, uint64_t *keys, size_t max);

    int (*clone)(void *set, void **copy, const struct lfset_options *options,
                 const struct lfset_cancel *cancel);
    /** Operands are sets, or snapshots where *_is_snapshot: only b, or both. */
    int (*combine)(void *a, bool a_is_snapshot, enum lfset_combination combination, void *b,
                   bool b_is_snapshot, void **result, const struct lfset_options *options,
                   const struct lfset_cancel *cancel);
    int (*compare)(void *a, bool a_is_snapshot, void *b, bool b_is_snapshot,
                   const struct lfset_cancel *cancel);
    int64_t (*apply)(void *set, enum lfset_combination combination, void *b, bool b_is_snapshot,
                     const struct lfset_cancel *cancel);

    /* What only some kinds have; NULL in the others. */
    int (*purge)(void *set);
    int64_t (*probe_lengths)(const void *set, uint64_t *histogram, size_t length);
    int (*save)(void *set, int fd);
    int64_t (*load)(void *set, int fd, const char **why);

    /* Objects. */
    int (*get)(void *set, uint64_t key);
    int (*add_or_get)(void *set, uint64_t key);
    /** What a section was handed must still be what it was. `ending`: from now on no more. */
    void (*held)(bool ending);

    /* Bitmaps; `snapshot` where it is not NULL, else `set`. */
    int64_t (*change_range)(void *set, bool remove, uint64_t from, uint64_t last,
                            const struct lfset_cancel *cancel);
    int64_t (*count_range)(void *set, void *snapshot, uint64_t from, uint64_t last);
    int64_t (*rank)(void *set, void *snapshot, uint64_t key);
    int (*seek)(void *set, void *snapshot, enum kind_seek what, uint64_t from, uint64_t *found);
};

extern const struct kind kind_u64, kind_bytes, kind_obj, kind_bitmap;

#endif

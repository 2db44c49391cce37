// SPDX-License-Identifier: MIT
/**
 * @file view.h
 * How the operations on whole sets see a set of any kind: through the public functions of its kind,
 * behind one table. The operations are written once, in algebra.c, print.c and file.c; the tables are
 * made by adapter.h.
 */
#ifndef LFSET__VIEW_H
#define LFSET__VIEW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "lfset/cancel.h"
#include "lfset/lfset.h"

/** A key of any kind: a number, a string (`number` bytes of data), or an object. */
struct lfset__member {
    const void *data;
    uint64_t number;
};

/** Answers 0 to go on; anything else stops and is returned. */
typedef int lfset__visit(const struct lfset__member *member, void *ctx);

/** One side of an operation: a set, which is read at one instant, or a snapshot of the user's. */
struct lfset__operand {
    void *set;
    void *snapshot;
};

/** What can be done with the sets of one kind and their snapshots. */
struct lfset__view {
    /** An empty set, for members of the snapshot. */
    int (*create)(void **set, const struct lfset_options *options, const void *snapshot);
    int (*destroy)(void *set);
    void (*options)(const void *set, struct lfset_options *options);
    int (*reserve)(void *set, uint64_t capacity);
    int (*snapshot_take)(void *set, void **snapshot, const struct lfset_cancel *cancel);
    /** Up to LFSET__BATCH members. `snapshot` is what they are from; NULL: a file.
     * @return how many changed something, or a negative errno: then some may have. */
    int64_t (*add)(void *set, const void *snapshot, const struct lfset__member *members,
                   size_t count);
    int64_t (*remove)(void *set, const struct lfset__member *members, size_t count);

    int64_t (*snapshot_count)(const void *snapshot);
    int (*snapshot_contains)(const void *snapshot, const struct lfset__member *member);
    int (*snapshot_each)(void *snapshot, lfset__visit *visit, void *ctx,
                         const struct lfset_cancel *cancel);
    void (*snapshot_destroy)(void *snapshot);

    /** NULL, or a way to do many members at once: adds to the set, or removes from it, the members of
     * `from` that are (`wanted`) or are not in `other` (NULL: all). @return how many changed, or a
     * negative errno. */
    int64_t (*pass)(void *set, void *from, void *other, bool wanted, bool removing,
                    const struct lfset_cancel *cancel);
    /** The same for comparing: whether members of `a` are in `b`, and whether some are not. */
    int (*overlap)(void *a, void *b, bool *common, bool *missing,
                   const struct lfset_cancel *cancel);

    /** @return negative when it could not be written. */
    int (*print)(const struct lfset__member *member, const void *snapshot, FILE *file);
    /** NULL: any two operands go together. */
    bool (*compatible)(const struct lfset__operand *a, const struct lfset__operand *b);
    /** Equal keys may differ (objects): a combination takes those of its first set. */
    bool has_identity;
    /** NULL: this kind has no files. */
    const struct lfset__payload *payload;
};

enum { LFSET__BATCH = 64 };

/** Members on their way into a set, or out of it, so many at a time that their cache misses overlap. */
struct lfset__batch {
    const struct lfset__view *view;
    void *set;
    const void *snapshot; /**< where the members are from; NULL: a file */
    bool removing;
    int64_t changed; /**< how many changed the set so far */
    size_t count;
    struct lfset__member members[LFSET__BATCH];
};

/** Does what has been put. @return 0 or a negative errno. */
int lfset__batch_flush(struct lfset__batch *batch);

/** @return 0 or a negative errno. */
static inline int lfset__batch_put(struct lfset__batch *batch, const struct lfset__member *member)
{
    batch->members[batch->count++] = *member;
    return batch->count < LFSET__BATCH ? 0 : lfset__batch_flush(batch);
}

/** The operations; as the public functions that are named like them. *result is set on success only. */
int lfset__combine(const struct lfset__view *view, struct lfset__operand a,
                   enum lfset_combination combination, struct lfset__operand b, void **result,
                   const struct lfset_options *options, const struct lfset_cancel *cancel);
int64_t lfset__apply(const struct lfset__view *view, void *set, enum lfset_combination combination,
                     struct lfset__operand other, const struct lfset_cancel *cancel);
int lfset__compare(const struct lfset__view *view, struct lfset__operand a, struct lfset__operand b,
                   const struct lfset_cancel *cancel);
int lfset__print(const struct lfset__view *view, void *set, FILE *file, uint64_t max,
                 const struct lfset_cancel *cancel);
int lfset__save_fd(const struct lfset__view *view, void *set, int fd,
                   const struct lfset_cancel *cancel);
int lfset__save(const struct lfset__view *view, void *set, const char *path,
                const struct lfset_cancel *cancel);
int64_t lfset__load_fd(const struct lfset__view *view, void *set, int fd, const char **why,
                       const struct lfset_cancel *cancel);
int64_t lfset__load(const struct lfset__view *view, void *set, const char *path, const char **why,
                    const struct lfset_cancel *cancel);

/** A string as a C string literal. @return negative when it could not be written. */
int lfset__print_literal(const void *data, size_t length, FILE *file);

#endif

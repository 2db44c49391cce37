// SPDX-License-Identifier: MIT
/*
 * What the kinds of sets do alike, but for the names of functions and types. Included once by each
 * kind, which defines KIND before, and what `kind_keyed` asks for behind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kind.h"
#include "memory.h"

#define PASTE_(a, b, c) a##b##c
#define PASTE(a, b, c) PASTE_(a, b, c)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#define NAME(function) PASTE(PASTE(lfset_, KIND, _), function, )
#define SET struct PASTE(lfset_, KIND, )
#define SNAPSHOT struct PASTE(lfset_, KIND, _snapshot)

/* A set or NULL from a function that stores one in *made when it succeeds. */
static int made(int result, SET *set, void **out)
{
    if ((result == 0) != (set != NULL))
        fail("%s: a set that is %p is made with the answer %d", TEXT(KIND), (void *)set, result);
    *out = set;
    return result;
}

static int destroy(void *set)
{
    return NAME(destroy)(set);
}

static int64_t size(void *set, const struct lfset_cancel *cancel)
{
    return NAME(size)(set, cancel);
}

static int64_t size_estimate(const void *set)
{
    return NAME(size_estimate)(set);
}

static int is_empty(void *set)
{
    return NAME(is_empty)(set);
}

static int64_t clear(void *set, const struct lfset_cancel *cancel)
{
    return NAME(clear)(set, cancel);
}

static int reserve(void *set, uint64_t capacity, const struct lfset_cancel *cancel)
{
    return NAME(reserve)(set, capacity, cancel);
}

static int stats(const void *set, struct lfset_stats *stats)
{
    return NAME(stats_read)(set, stats);
}

static int validate(const void *set, const char **reason)
{
    return NAME(validate)(set, reason);
}

static int print(void *set, FILE *file, uint64_t max, const struct lfset_cancel *cancel)
{
    return NAME(print)(set, file, max, cancel);
}

static int take(void *set, bool drain, void **out, const struct lfset_cancel *cancel)
{
    SNAPSHOT *snapshot = NULL;
    int result =
        drain ? NAME(drain)(set, &snapshot, cancel) : NAME(snapshot_take)(set, &snapshot, cancel);
    if ((result == 0) != (snapshot != NULL))
        fail("%s: a snapshot that is %p is taken with the answer %d", TEXT(KIND), (void *)snapshot,
             result);
    *out = snapshot;
    return result;
}

static void snapshot_destroy(void *snapshot)
{
    NAME(snapshot_destroy)(snapshot);
}

static int64_t snapshot_count(const void *snapshot)
{
    return NAME(snapshot_count)(snapshot);
}

static int clone(void *set, void **out, const struct lfset_options *options,
                 const struct lfset_cancel *cancel)
{
    SET *copy = NULL;
    int result = NAME(clone)(set, &copy, options, cancel);
    return made(result, copy, out);
}

static int combine(void *a, bool a_is_snapshot, enum lfset_combination combination, void *b,
                   bool b_is_snapshot, void **out, const struct lfset_options *options,
                   const struct lfset_cancel *cancel)
{
    SET *set = NULL;
    int result = a_is_snapshot   ? NAME(snapshot_combine)(a, combination, b, &set, options, cancel)
                 : b_is_snapshot ? NAME(combine_snapshot)(a, combination, b, &set, options, cancel)
                                 : NAME(combine)(a, combination, b, &set, options, cancel);
    return made(result, set, out);
}

static int compare(void *a, bool a_is_snapshot, void *b, bool b_is_snapshot,
                   const struct lfset_cancel *cancel)
{
    return a_is_snapshot   ? NAME(snapshot_compare)(a, b, cancel)
           : b_is_snapshot ? NAME(compare_snapshot)(a, b, cancel)
                           : NAME(compare)(a, b, cancel);
}

static int64_t apply(void *set, enum lfset_combination combination, void *b, bool b_is_snapshot,
                     const struct lfset_cancel *cancel)
{
    return b_is_snapshot ? NAME(apply_snapshot)(set, combination, b, cancel)
                         : NAME(apply)(set, combination, b, cancel);
}

#define KIND_COMMON                                                                                \
    .name = TEXT(KIND), .create = create, .destroy = destroy, .size = size,                        \
    .size_estimate = size_estimate, .is_empty = is_empty, .clear = clear, .reserve = reserve,      \
    .stats = stats, .validate = validate, .print = print, .take = take,                            \
    .snapshot_destroy = snapshot_destroy, .snapshot_count = snapshot_count, .clone = clone,        \
    .combine = combine, .compare = compare, .apply = apply
/* What each kind defines by itself, or kind_number.h. */
#define KIND_KEYED                                                                                 \
    .begin = begin, .key = key_of, .end = end, .add = add, .remove = remove_key,                   \
    .contains = contains, .pop = pop, .many = many, .each = each, .remove_if = remove_if,          \
    .wait = wait_for, .snapshot_contains = snapshot_contains, .snapshot_each = snapshot_each,      \
    .snapshot_copy = snapshot_copy

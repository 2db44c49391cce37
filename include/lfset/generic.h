// SPDX-License-Identifier: MIT
/**
 * @file generic.h
 * One name for every kind of set: lfset_add(set, key) is lfset_u64_add, lfset_bytes_add,
 * lfset_obj_add or lfset_bitmap_add, by the type of `set`. In C11 these are macros that choose with
 * _Generic; in C++ they are overloaded inline functions. Either way the chosen function is called
 * directly, each argument is evaluated once, and a wrong one is a compile-time error (but C ignores
 * what follows the last).
 *
 * Arguments and answers are those of the function that is chosen: a key is one argument, and two
 * (pointer, length) for lfset_bytes. What is in brackets may be left out, from the end: options and
 * cancel are NULL then, max is 0. `x` is a set or a snapshot of any kind.
 *
 *     lfset_create(&set, options)             lfset_create(&objects, type, options)
 *     lfset_destroy(x)
 *     lfset_add(set, key)                     lfset_add_many(set, keys, count, results)
 *     lfset_remove(set, key)                  lfset_remove_many(set, keys, count, results)
 *     lfset_contains(x, key)                  lfset_contains_many(set, keys, count, results)
 *     lfset_pop(set, &key)                    lfset_pop(strings, buffer, size, &length)
 *     lfset_size(set [, cancel])              lfset_size_estimate(set)
 *     lfset_is_empty(set)                     lfset_count(snapshot)
 *     lfset_clear(set [, cancel])             lfset_reserve(set, capacity [, cancel])
 *     lfset_drain(set, &snapshot [, cancel])  lfset_snapshot(set, &snapshot [, cancel])
 *     lfset_each(x, visit, ctx [, cancel])    lfset_remove_if(set, unwanted, ctx [, cancel])
 *     lfset_clone(set, &copy [, options [, cancel]])
 *     lfset_combine(x, combination, x, &result [, options [, cancel]])
 *     lfset_apply(set, combination, x [, cancel])
 *     lfset_compare(x, x [, cancel])
 *     lfset_print(set, file [, max [, cancel]])
 *     lfset_save(set, path [, cancel])        lfset_load(set, path, &why [, cancel])
 *
 * combine and compare take a set before a snapshot, not after it. Objects have no files.
 */
#ifndef LFSET_GENERIC_H
#define LFSET_GENERIC_H

#include "bitmap.h"
#include "bytes.h"
#include "cancel.h"
#include "obj.h"
#include "u64.h"

#ifndef __cplusplus

/* Associations of _Generic. There is no default, so that what is neither a set nor a snapshot is an
 * error. */
#define LFSET_SET_(kind, verb) struct lfset_##kind * : lfset_##kind##_##verb
#define LFSET_CONST_SET_(kind, verb) LFSET_SET_(kind, verb), const LFSET_SET_(kind, verb)
#define LFSET_SNAPSHOT_(kind, verb)                                                                \
    struct lfset_##kind##_snapshot * : lfset_##kind##_snapshot_##verb
#define LFSET_CONST_SNAPSHOT_(kind, verb)                                                          \
    LFSET_SNAPSHOT_(kind, verb), const LFSET_SNAPSHOT_(kind, verb)
#define LFSET_EITHER_(kind, verb) LFSET_SET_(kind, verb), LFSET_SNAPSHOT_(kind, verb)
#define LFSET_CONST_EITHER_(kind, verb)                                                            \
    LFSET_CONST_SET_(kind, verb), LFSET_CONST_SNAPSHOT_(kind, verb)
#define LFSET_TO_SET_(kind, verb) struct lfset_##kind ** : lfset_##kind##_##verb
#define LFSET_SECOND_(kind, verb)                                                                  \
    LFSET_SET_(kind, verb), struct lfset_##kind##_snapshot * : lfset_##kind##_##verb##_snapshot

/* The function for `x`, by an association for each kind. */
#define LFSET_FIND_(x, ASSOCIATION, verb)                                                          \
    _Generic((x), ASSOCIATION(u64, verb), ASSOCIATION(bytes, verb), ASSOCIATION(obj, verb),        \
             ASSOCIATION(bitmap, verb))
#define LFSET_FIND_FILE_(x, verb)                                                                  \
    _Generic((x), LFSET_SET_(u64, verb), LFSET_SET_(bytes, verb), LFSET_SET_(bitmap, verb))

/* For functions of two operands. */
#define LFSET_PAIR_(kind, verb, second)                                                            \
    struct lfset_##kind * : _Generic((second), struct lfset_##kind##_snapshot *                    \
                                     : lfset_##kind##_##verb##_snapshot, default                   \
                                     : lfset_##kind##_##verb),                                     \
                            LFSET_SNAPSHOT_(kind, verb)
#define LFSET_FIND_PAIR_(first, second, verb)                                                      \
    _Generic((first), LFSET_PAIR_(u64, verb, second), LFSET_PAIR_(bytes, verb, second),            \
             LFSET_PAIR_(obj, verb, second), LFSET_PAIR_(bitmap, verb, second))

#define lfset_create(set, ...) LFSET_FIND_(set, LFSET_TO_SET_, create)((set), __VA_ARGS__)
#define lfset_destroy(x) LFSET_FIND_(x, LFSET_EITHER_, destroy)(x)
#define lfset_add(set, ...) LFSET_FIND_(set, LFSET_SET_, add)((set), __VA_ARGS__)
#define lfset_remove(set, ...) LFSET_FIND_(set, LFSET_SET_, remove)((set), __VA_ARGS__)
#define lfset_contains(x, ...) LFSET_FIND_(x, LFSET_CONST_EITHER_, contains)((x), __VA_ARGS__)
#define lfset_pop(set, ...) LFSET_FIND_(set, LFSET_SET_, pop)((set), __VA_ARGS__)
#define lfset_add_many(set, keys, count, results)                                                  \
    LFSET_FIND_(set, LFSET_SET_, add_many)((set), (keys), (count), (results))
#define lfset_remove_many(set, keys, count, results)                                               \
    LFSET_FIND_(set, LFSET_SET_, remove_many)((set), (keys), (count), (results))
#define lfset_contains_many(set, keys, count, results)                                             \
    LFSET_FIND_(set, LFSET_CONST_SET_, contains_many)((set), (keys), (count), (results))
#define lfset_size_estimate(set) LFSET_FIND_(set, LFSET_CONST_SET_, size_estimate)(set)
#define lfset_is_empty(set) LFSET_FIND_(set, LFSET_SET_, is_empty)(set)
#define lfset_count(snapshot) LFSET_FIND_(snapshot, LFSET_CONST_SNAPSHOT_, count)(snapshot)

/* What may be left out is appended, and what is too much then swallowed by the dots. */
#define lfset_size(...) LFSET_SIZE_(__VA_ARGS__, NULL, )
#define LFSET_SIZE_(set, cancel, ...) LFSET_FIND_(set, LFSET_SET_, size)((set), (cancel))
#define lfset_clear(...) LFSET_CLEAR_(__VA_ARGS__, NULL, )
#define LFSET_CLEAR_(set, cancel, ...) LFSET_FIND_(set, LFSET_SET_, clear)((set), (cancel))
#define lfset_reserve(set, ...) LFSET_RESERVE_(set, __VA_ARGS__, NULL, )
#define LFSET_RESERVE_(set, capacity, cancel, ...)                                                 \
    LFSET_FIND_(set, LFSET_SET_, reserve)((set), (capacity), (cancel))
#define lfset_drain(set, ...) LFSET_DRAIN_(set, __VA_ARGS__, NULL, )
#define LFSET_DRAIN_(set, snapshot, cancel, ...)                                                   \
    LFSET_FIND_(set, LFSET_SET_, drain)((set), (snapshot), (cancel))
#define lfset_snapshot(set, ...) LFSET_TAKE_(set, __VA_ARGS__, NULL, )
#define LFSET_TAKE_(set, snapshot, cancel, ...)                                                    \
    LFSET_FIND_(set, LFSET_SET_, snapshot_take)((set), (snapshot), (cancel))
#define LFSET_EACH_CASE_(kind, verb) LFSET_CONST_SET_(kind, verb), LFSET_SNAPSHOT_(kind, verb)
#define lfset_each(x, visit, ...) LFSET_EACH_(x, visit, __VA_ARGS__, NULL, )
#define LFSET_EACH_(x, visit, ctx, cancel, ...)                                                    \
    LFSET_FIND_(x, LFSET_EACH_CASE_, each)((x), (visit), (ctx), (cancel))
#define lfset_remove_if(set, unwanted, ...) LFSET_REMOVE_IF_(set, unwanted, __VA_ARGS__, NULL, )
#define LFSET_REMOVE_IF_(set, unwanted, ctx, cancel, ...)                                          \
    LFSET_FIND_(set, LFSET_SET_, remove_if)((set), (unwanted), (ctx), (cancel))
#define lfset_clone(set, ...) LFSET_CLONE_(set, __VA_ARGS__, NULL, NULL, )
#define LFSET_CLONE_(set, copy, options, cancel, ...)                                              \
    LFSET_FIND_(set, LFSET_SET_, clone)((set), (copy), (options), (cancel))
#define lfset_combine(a, combination, b, ...)                                                      \
    LFSET_COMBINE_(a, combination, b, __VA_ARGS__, NULL, NULL, )
#define LFSET_COMBINE_(a, combination, b, result, options, cancel, ...)                            \
    LFSET_FIND_PAIR_(a, b, combine)((a), (combination), (b), (result), (options), (cancel))
#define lfset_apply(set, combination, ...) LFSET_APPLY_(set, combination, __VA_ARGS__, NULL, )
#define LFSET_APPLY_(set, combination, other, cancel, ...)                                         \
    LFSET_FIND_(other, LFSET_SECOND_, apply)((set), (combination), (other), (cancel))
#define lfset_compare(a, ...) LFSET_COMPARE_(a, __VA_ARGS__, NULL, )
#define LFSET_COMPARE_(a, b, cancel, ...) LFSET_FIND_PAIR_(a, b, compare)((a), (b), (cancel))
#define lfset_print(set, ...) LFSET_PRINT_(set, __VA_ARGS__, 0, NULL, )
#define LFSET_PRINT_(set, file, max, cancel, ...)                                                  \
    LFSET_FIND_(set, LFSET_SET_, print)((set), (file), (max), (cancel))
#define lfset_save(set, ...) LFSET_SAVE_(set, __VA_ARGS__, NULL, )
#define LFSET_SAVE_(set, path, cancel, ...) LFSET_FIND_FILE_(set, save)((set), (path), (cancel))
#define lfset_load(set, path, ...) LFSET_LOAD_(set, path, __VA_ARGS__, NULL, )
#define LFSET_LOAD_(set, path, why, cancel, ...)                                                   \
    LFSET_FIND_FILE_(set, load)((set), (path), (why), (cancel))

#else /* C++ */

/* A key of each kind: as parameters and arguments, to callbacks, and in arrays. */
#define LFSET_PARAMETERS_u64 uint64_t key
#define LFSET_PARAMETERS_bytes const void *key, size_t length
#define LFSET_PARAMETERS_obj const void *key
#define LFSET_PARAMETERS_bitmap uint64_t key
#define LFSET_ARGUMENTS_u64 key
#define LFSET_ARGUMENTS_bytes key, length
#define LFSET_ARGUMENTS_obj key
#define LFSET_ARGUMENTS_bitmap key
#define LFSET_VISITED_u64 uint64_t key
#define LFSET_VISITED_bytes const void *key, size_t length
#define LFSET_VISITED_obj void *object
#define LFSET_VISITED_bitmap uint64_t key
#define LFSET_ADDED_u64 const uint64_t
#define LFSET_ADDED_bytes const lfset_string
#define LFSET_ADDED_obj void *const
#define LFSET_ADDED_bitmap const uint64_t
#define LFSET_SOUGHT_u64 const uint64_t
#define LFSET_SOUGHT_bytes const lfset_string
#define LFSET_SOUGHT_obj const void *const
#define LFSET_SOUGHT_bitmap const uint64_t

#define LFSET_OVERLOADS_(kind)                                                                     \
    static inline int lfset_destroy(lfset_##kind *set)                                             \
    {                                                                                              \
        return lfset_##kind##_destroy(set);                                                        \
    }                                                                                              \
    static inline void lfset_destroy(lfset_##kind##_snapshot *snapshot)                            \
    {                                                                                              \
        lfset_##kind##_snapshot##_destroy(snapshot);                                               \
    }                                                                                              \
    static inline int lfset_remove(lfset_##kind *set, LFSET_PARAMETERS_##kind)                     \
    {                                                                                              \
        return lfset_##kind##_remove(set, LFSET_ARGUMENTS_##kind);                                 \
    }                                                                                              \
    static inline int lfset_contains(const lfset_##kind *set, LFSET_PARAMETERS_##kind)             \
    {                                                                                              \
        return lfset_##kind##_contains(set, LFSET_ARGUMENTS_##kind);                               \
    }                                                                                              \
    static inline int lfset_contains(const lfset_##kind##_snapshot *snapshot,                      \
                                     LFSET_PARAMETERS_##kind)                                      \
    {                                                                                              \
        return lfset_##kind##_snapshot##_contains(snapshot, LFSET_ARGUMENTS_##kind);               \
    }                                                                                              \
    static inline int64_t lfset_add_many(lfset_##kind *set, LFSET_ADDED_##kind *keys,              \
                                         size_t count, int8_t *results)                            \
    {                                                                                              \
        return lfset_##kind##_add_many(set, keys, count, results);                                 \
    }                                                                                              \
    static inline int64_t lfset_remove_many(lfset_##kind *set, LFSET_SOUGHT_##kind *keys,          \
                                            size_t count, int8_t *results)                         \
    {                                                                                              \
        return lfset_##kind##_remove_many(set, keys, count, results);                              \
    }                                                                                              \
    static inline int64_t lfset_contains_many(const lfset_##kind *set, LFSET_SOUGHT_##kind *keys,  \
                                              size_t count, int8_t *results)                       \
    {                                                                                              \
        return lfset_##kind##_contains_many(set, keys, count, results);                            \
    }                                                                                              \
    static inline int64_t lfset_size(lfset_##kind *set, const lfset_cancel *cancel = NULL)         \
    {                                                                                              \
        return lfset_##kind##_size(set, cancel);                                                   \
    }                                                                                              \
    static inline int64_t lfset_size_estimate(const lfset_##kind *set)                             \
    {                                                                                              \
        return lfset_##kind##_size_estimate(set);                                                  \
    }                                                                                              \
    static inline int lfset_is_empty(lfset_##kind *set)                                            \
    {                                                                                              \
        return lfset_##kind##_is_empty(set);                                                       \
    }                                                                                              \
    static inline int64_t lfset_count(const lfset_##kind##_snapshot *snapshot)                     \
    {                                                                                              \
        return lfset_##kind##_snapshot##_count(snapshot);                                          \
    }                                                                                              \
    static inline int64_t lfset_clear(lfset_##kind *set, const lfset_cancel *cancel = NULL)        \
    {                                                                                              \
        return lfset_##kind##_clear(set, cancel);                                                  \
    }                                                                                              \
    static inline int lfset_reserve(lfset_##kind *set, uint64_t capacity,                          \
                                    const lfset_cancel *cancel = NULL)                             \
    {                                                                                              \
        return lfset_##kind##_reserve(set, capacity, cancel);                                      \
    }                                                                                              \
    static inline int lfset_drain(lfset_##kind *set, lfset_##kind##_snapshot **snapshot,           \
                                  const lfset_cancel *cancel = NULL)                               \
    {                                                                                              \
        return lfset_##kind##_drain(set, snapshot, cancel);                                        \
    }                                                                                              \
    static inline int lfset_snapshot(lfset_##kind *set, lfset_##kind##_snapshot **snapshot,        \
                                     const lfset_cancel *cancel = NULL)                            \
    {                                                                                              \
        return lfset_##kind##_snapshot_take(set, snapshot, cancel);                                \
    }                                                                                              \
    static inline int lfset_each(const lfset_##kind *set,                                          \
                                 int (*visit)(LFSET_VISITED_##kind, void *ctx), void *ctx,         \
                                 const lfset_cancel *cancel = NULL)                                \
    {                                                                                              \
        return lfset_##kind##_each(set, visit, ctx, cancel);                                       \
    }                                                                                              \
    static inline int lfset_each(lfset_##kind##_snapshot *snapshot,                                \
                                 int (*visit)(LFSET_VISITED_##kind, void *ctx), void *ctx,         \
                                 const lfset_cancel *cancel = NULL)                                \
    {                                                                                              \
        return lfset_##kind##_snapshot##_each(snapshot, visit, ctx, cancel);                       \
    }                                                                                              \
    static inline int64_t lfset_remove_if(lfset_##kind *set,                                       \
                                          int (*unwanted)(LFSET_VISITED_##kind, void *ctx),        \
                                          void *ctx, const lfset_cancel *cancel = NULL)            \
    {                                                                                              \
        return lfset_##kind##_remove_if(set, unwanted, ctx, cancel);                               \
    }                                                                                              \
    static inline int lfset_clone(lfset_##kind *set, lfset_##kind **copy,                          \
                                  const lfset_options *options = NULL,                             \
                                  const lfset_cancel *cancel = NULL)                               \
    {                                                                                              \
        return lfset_##kind##_clone(set, copy, options, cancel);                                   \
    }                                                                                              \
    static inline int lfset_combine(                                                               \
        lfset_##kind *a, lfset_combination combination, lfset_##kind *b, lfset_##kind **result,    \
        const lfset_options *options = NULL, const lfset_cancel *cancel = NULL)                    \
    {                                                                                              \
        return lfset_##kind##_combine(a, combination, b, result, options, cancel);                 \
    }                                                                                              \
    static inline int lfset_combine(lfset_##kind *a, lfset_combination combination,                \
                                    lfset_##kind##_snapshot *b, lfset_##kind **result,             \
                                    const lfset_options *options = NULL,                           \
                                    const lfset_cancel *cancel = NULL)                             \
    {                                                                                              \
        return lfset_##kind##_combine_snapshot(a, combination, b, result, options, cancel);        \
    }                                                                                              \
    static inline int lfset_combine(lfset_##kind##_snapshot *a, lfset_combination combination,     \
                                    lfset_##kind##_snapshot *b, lfset_##kind **result,             \
                                    const lfset_options *options = NULL,                           \
                                    const lfset_cancel *cancel = NULL)                             \
    {                                                                                              \
        return lfset_##kind##_snapshot_combine(a, combination, b, result, options, cancel);        \
    }                                                                                              \
    static inline int64_t lfset_apply(lfset_##kind *set, lfset_combination combination,            \
                                      lfset_##kind *other, const lfset_cancel *cancel = NULL)      \
    {                                                                                              \
        return lfset_##kind##_apply(set, combination, other, cancel);                              \
    }                                                                                              \
    static inline int64_t lfset_apply(lfset_##kind *set, lfset_combination combination,            \
                                      lfset_##kind##_snapshot *other,                              \
                                      const lfset_cancel *cancel = NULL)                           \
    {                                                                                              \
        return lfset_##kind##_apply_snapshot(set, combination, other, cancel);                     \
    }                                                                                              \
    static inline int lfset_compare(lfset_##kind *a, lfset_##kind *b,                              \
                                    const lfset_cancel *cancel = NULL)                             \
    {                                                                                              \
        return lfset_##kind##_compare(a, b, cancel);                                               \
    }                                                                                              \
    static inline int lfset_compare(lfset_##kind *a, lfset_##kind##_snapshot *b,                   \
                                    const lfset_cancel *cancel = NULL)                             \
    {                                                                                              \
        return lfset_##kind##_compare_snapshot(a, b, cancel);                                      \
    }                                                                                              \
    static inline int lfset_compare(lfset_##kind##_snapshot *a, lfset_##kind##_snapshot *b,        \
                                    const lfset_cancel *cancel = NULL)                             \
    {                                                                                              \
        return lfset_##kind##_snapshot_compare(a, b, cancel);                                      \
    }                                                                                              \
    static inline int lfset_print(lfset_##kind *set, FILE *file, uint64_t max = 0,                 \
                                  const lfset_cancel *cancel = NULL)                               \
    {                                                                                              \
        return lfset_##kind##_print(set, file, max, cancel);                                       \
    }

/* What objects have not, or differently. */
#define LFSET_VALUE_OVERLOADS_(kind)                                                               \
    static inline int lfset_create(lfset_##kind **set, const lfset_options *options)               \
    {                                                                                              \
        return lfset_##kind##_create(set, options);                                                \
    }                                                                                              \
    static inline int lfset_add(lfset_##kind *set, LFSET_PARAMETERS_##kind)                        \
    {                                                                                              \
        return lfset_##kind##_add(set, LFSET_ARGUMENTS_##kind);                                    \
    }                                                                                              \
    static inline int lfset_save(lfset_##kind *set, const char *path,                              \
                                 const lfset_cancel *cancel = NULL)                                \
    {                                                                                              \
        return lfset_##kind##_save(set, path, cancel);                                             \
    }                                                                                              \
    static inline int64_t lfset_load(lfset_##kind *set, const char *path, const char **why,        \
                                     const lfset_cancel *cancel = NULL)                            \
    {                                                                                              \
        return lfset_##kind##_load(set, path, why, cancel);                                        \
    }

/* clang-format off */
LFSET_OVERLOADS_(u64)
LFSET_OVERLOADS_(bytes)
LFSET_OVERLOADS_(obj)
LFSET_OVERLOADS_(bitmap)
LFSET_VALUE_OVERLOADS_(u64)
LFSET_VALUE_OVERLOADS_(bytes)
LFSET_VALUE_OVERLOADS_(bitmap)
/* clang-format on */

static inline int lfset_create(lfset_obj **set, const lfset_obj_type *type,
                               const lfset_options *options)
{
    return lfset_obj_create(set, type, options);
}
static inline int lfset_add(lfset_obj *set, void *object)
{
    return lfset_obj_add(set, object);
}
static inline int lfset_pop(lfset_u64 *set, uint64_t *key)
{
    return lfset_u64_pop(set, key);
}
static inline int lfset_pop(lfset_bytes *set, void *buffer, size_t size, size_t *length)
{
    return lfset_bytes_pop(set, buffer, size, length);
}
static inline int lfset_pop(lfset_obj *set, void **object)
{
    return lfset_obj_pop(set, object);
}
static inline int lfset_pop(lfset_bitmap *set, uint64_t *key)
{
    return lfset_bitmap_pop(set, key);
}

#undef LFSET_PARAMETERS_u64
#undef LFSET_PARAMETERS_bytes
#undef LFSET_PARAMETERS_obj
#undef LFSET_PARAMETERS_bitmap
#undef LFSET_ARGUMENTS_u64
#undef LFSET_ARGUMENTS_bytes
#undef LFSET_ARGUMENTS_obj
#undef LFSET_ARGUMENTS_bitmap
#undef LFSET_VISITED_u64
#undef LFSET_VISITED_bytes
#undef LFSET_VISITED_obj
#undef LFSET_VISITED_bitmap
#undef LFSET_ADDED_u64
#undef LFSET_ADDED_bytes
#undef LFSET_ADDED_obj
#undef LFSET_ADDED_bitmap
#undef LFSET_SOUGHT_u64
#undef LFSET_SOUGHT_bytes
#undef LFSET_SOUGHT_obj
#undef LFSET_SOUGHT_bitmap
#undef LFSET_OVERLOADS_
#undef LFSET_VALUE_OVERLOADS_

#endif /* C++ */
#endif

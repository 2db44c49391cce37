// SPDX-License-Identifier: MIT
/**
 * @file adapter.h
 * Makes the view of one kind of set, and the public functions of its header that are built on it. Each
 * *_algebra.c includes it once, after it has defined
 *
 *   KIND             as in lfset_KIND
 *   PARAMETERS       a key, as parameters of the public functions
 *   ARGUMENTS        the same parameters, as arguments
 *   MEMBER           the same as the initializer of a struct lfset__member
 *   KEY_OF(member)   the arguments, from a struct lfset__member
 *   NATIVE           what arrays of keys hold: add_many, remove_many
 *   NATIVE_OF(member)
 *   PRINT(member, snapshot, file)
 *   PAYLOAD          the encoding in files; not defined: no files
 *
 * and, for objects, HAS_IDENTITY and the functions create, add_members and compatible; for bitmaps,
 * HAS_WORDS and the functions pass_words and overlap_words.
 */
#include <errno.h>

#include "algebra/payload.h"
#include "algebra/view.h"

#define PASTE_(a, b, c) a##b##c
#define PASTE(a, b, c) PASTE_(a, b, c)
#define NAME(verb) PASTE(lfset_, KIND, _##verb)
#define SET struct PASTE(lfset_, KIND, )
#define SNAPSHOT struct PASTE(lfset_, KIND, _snapshot)

/* Declared here for all kinds: lib/set defines them. */
void PASTE(lfset__, KIND, _options)(const SET *set, struct lfset_options *options);

/* ---- the view ----------------------------------------------------------------------------------- */

#ifndef HAS_IDENTITY
static int create(void **set, const struct lfset_options *options, const void *snapshot)
{
    SET *made;
    (void)snapshot;
    int error = NAME(create)(&made, options);
    *set = made;
    return error;
}

static int64_t add_members(void *set, const void *snapshot, const struct lfset__member *members,
                           size_t count)
{
    NATIVE keys[LFSET__BATCH];
    (void)snapshot;
    for (size_t i = 0; i < count; i++) {
        keys[i] = NATIVE_OF(&members[i]);
    }
    return NAME(add_many)(set, keys, count, NULL);
}
#endif

static int64_t remove_members(void *set, const struct lfset__member *members, size_t count)
{
    NATIVE keys[LFSET__BATCH];
    for (size_t i = 0; i < count; i++) {
        keys[i] = NATIVE_OF(&members[i]);
    }
    return NAME(remove_many)(set, keys, count, NULL);
}

static int destroy(void *set)
{
    return NAME(destroy)(set);
}

static void options_of(const void *set, struct lfset_options *options)
{
    PASTE(lfset__, KIND, _options)(set, options);
}

static int reserve(void *set, uint64_t capacity)
{
    return NAME(reserve)(set, capacity, NULL);
}

static int snapshot_take(void *set, void **snapshot, const struct lfset_cancel *cancel)
{
    SNAPSHOT *taken;
    int error = NAME(snapshot_take)(set, &taken, cancel);
    *snapshot = taken;
    return error;
}

static int64_t snapshot_count(const void *snapshot)
{
    return NAME(snapshot_count)(snapshot);
}

static int snapshot_contains(const void *snapshot, const struct lfset__member *member)
{
    return NAME(snapshot_contains)(snapshot, KEY_OF(member));
}

struct visitor {
    lfset__visit *visit;
    void *ctx;
};

static int visit_member(PARAMETERS, void *ctx)
{
    const struct visitor *visitor = ctx;
    const struct lfset__member member = MEMBER;
    return visitor->visit(&member, visitor->ctx);
}

static int snapshot_each(void *snapshot, lfset__visit *visit, void *ctx,
                         const struct lfset_cancel *cancel)
{
    struct visitor visitor = {visit, ctx};
    return NAME(snapshot_each)(snapshot, visit_member, &visitor, cancel);
}

static void snapshot_destroy(void *snapshot)
{
    NAME(snapshot_destroy)(snapshot);
}

static int print(const struct lfset__member *member, const void *snapshot, FILE *file)
{
    (void)snapshot;
    return PRINT(member, snapshot, file);
}

static const struct lfset__view view = {
    .create = create,
    .destroy = destroy,
    .options = options_of,
    .reserve = reserve,
    .snapshot_take = snapshot_take,
    .add = add_members,
    .remove = remove_members,
    .snapshot_count = snapshot_count,
    .snapshot_contains = snapshot_contains,
    .snapshot_each = snapshot_each,
    .snapshot_destroy = snapshot_destroy,
    .print = print,
#ifdef HAS_WORDS
    .pass = pass_words,
    .overlap = overlap_words,
#endif
#ifdef HAS_IDENTITY
    .compatible = compatible,
    .has_identity = true,
#endif
#ifdef PAYLOAD
    .payload = &PAYLOAD,
#endif
};

/* ---- remove_if: of the set as it changes, so not by snapshots ----------------------------------- */

struct removal {
    SET *set;
    int (*unwanted)(PARAMETERS, void *ctx);
    void *ctx;
    int64_t removed;
};

static int remove_unwanted(PARAMETERS, void *ctx)
{
    struct removal *removal = ctx;
    int unwanted = removal->unwanted(ARGUMENTS, removal->ctx);
    if (unwanted <= 0) {
        return unwanted;
    }
    int removed = NAME(remove)(removal->set, ARGUMENTS);
    removal->removed += removed > 0;
    return removed < 0 ? removed : 0;
}

int64_t NAME(remove_if)(SET *set, int (*unwanted)(PARAMETERS, void *ctx), void *ctx,
                        const struct lfset_cancel *cancel)
{
    if (!set || !unwanted) {
        return -EINVAL;
    }
    struct removal removal = {.set = set, .unwanted = unwanted, .ctx = ctx};
    int error = NAME(each)(set, remove_unwanted, &removal, cancel);
    return error ? error : removal.removed;
}

/* ---- public functions --------------------------------------------------------------------------- */

static struct lfset__operand of_set(SET *set)
{
    return (struct lfset__operand){.set = set};
}

static struct lfset__operand of_snapshot(SNAPSHOT *snapshot)
{
    return (struct lfset__operand){.snapshot = snapshot};
}

static int combine(struct lfset__operand a, enum lfset_combination combination,
                   struct lfset__operand b, SET **result, const struct lfset_options *options,
                   const struct lfset_cancel *cancel)
{
    void *made = NULL;
    int error = lfset__combine(&view, a, combination, b, result ? &made : NULL, options, cancel);
    if (result) {
        *result = made;
    }
    return error;
}

int NAME(clone)(SET *set, SET **copy, const struct lfset_options *options,
                const struct lfset_cancel *cancel)
{
    return combine(of_set(set), LFSET_UNION, of_set(set), copy, options, cancel);
}

int NAME(combine)(SET *a, enum lfset_combination combination, SET *b, SET **result,
                  const struct lfset_options *options, const struct lfset_cancel *cancel)
{
    return combine(of_set(a), combination, of_set(b), result, options, cancel);
}

int NAME(combine_snapshot)(SET *a, enum lfset_combination combination, SNAPSHOT *b, SET **result,
                           const struct lfset_options *options, const struct lfset_cancel *cancel)
{
    return combine(of_set(a), combination, of_snapshot(b), result, options, cancel);
}

int NAME(snapshot_combine)(SNAPSHOT *a, enum lfset_combination combination, SNAPSHOT *b,
                           SET **result, const struct lfset_options *options,
                           const struct lfset_cancel *cancel)
{
    return combine(of_snapshot(a), combination, of_snapshot(b), result, options, cancel);
}

int64_t NAME(apply)(SET *set, enum lfset_combination combination, SET *other,
                    const struct lfset_cancel *cancel)
{
    return lfset__apply(&view, set, combination, of_set(other), cancel);
}

int64_t NAME(apply_snapshot)(SET *set, enum lfset_combination combination, SNAPSHOT *other,
                             const struct lfset_cancel *cancel)
{
    return lfset__apply(&view, set, combination, of_snapshot(other), cancel);
}

int NAME(compare)(SET *a, SET *b, const struct lfset_cancel *cancel)
{
    return lfset__compare(&view, of_set(a), of_set(b), cancel);
}

int NAME(compare_snapshot)(SET *a, SNAPSHOT *b, const struct lfset_cancel *cancel)
{
    return lfset__compare(&view, of_set(a), of_snapshot(b), cancel);
}

int NAME(snapshot_compare)(SNAPSHOT *a, SNAPSHOT *b, const struct lfset_cancel *cancel)
{
    return lfset__compare(&view, of_snapshot(a), of_snapshot(b), cancel);
}

int NAME(print)(SET *set, FILE *file, uint64_t max, const struct lfset_cancel *cancel)
{
    return lfset__print(&view, set, file, max, cancel);
}

#ifdef PAYLOAD
int NAME(save_fd)(SET *set, int fd, const struct lfset_cancel *cancel)
{
    return lfset__save_fd(&view, set, fd, cancel);
}

int NAME(save)(SET *set, const char *path, const struct lfset_cancel *cancel)
{
    return lfset__save(&view, set, path, cancel);
}

int64_t NAME(load_fd)(SET *set, int fd, const char **why, const struct lfset_cancel *cancel)
{
    return lfset__load_fd(&view, set, fd, why, cancel);
}

int64_t NAME(load)(SET *set, const char *path, const char **why, const struct lfset_cancel *cancel)
{
    return lfset__load(&view, set, path, why, cancel);
}
#endif

// SPDX-License-Identifier: MIT
/* Combining, comparing, cloning, filtering and printing, of every kind of set, against arrays of
 * truth values: number `id` is in a set or not, and each kind has a key for it. */
#define _GNU_SOURCE
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lfset/bitmap.h"
#include "lfset/bytes.h"
#include "lfset/cancel.h"
#include "lfset/obj.h"

/* ---- keys ---- */

enum { TEXT = 24 };

static uint64_t spread(uint64_t id)
{
    return id * UINT64_C(0x9e3779b97f4a7c15) + 7;
}

static uint64_t spread_back(uint64_t key)
{
    return (key - 7) * UINT64_C(0xf1de83e19937733d);
}

static uint64_t close_together(uint64_t id)
{
    return id + id / 100 * 10000;
}

static size_t text_of(uint64_t id, char *text)
{
    return id == 0 ? 0 : (size_t)snprintf(text, TEXT, "%.*s%" PRIu64, (int)(id % 7), "0000000", id);
}

struct thing {
    uint64_t id;
    bool destroyed;
};

static atomic_llong things; /* alive */

static struct thing *thing_new(uint64_t id)
{
    struct thing *thing = malloc(sizeof *thing);
    *thing = (struct thing){id, false};
    atomic_fetch_add(&things, 1);
    return thing;
}

static uint64_t thing_hash(void *ctx, const void *key)
{
    (void)ctx;
    return spread(((const struct thing *)key)->id);
}

static int thing_equal(void *ctx, const void *object, const void *key)
{
    (void)ctx;
    if (((const struct thing *)object)->destroyed)
        fault("an object that was destroyed is compared");
    return ((const struct thing *)object)->id == ((const struct thing *)key)->id;
}

static void thing_destroy(void *ctx, void *object)
{
    struct thing *thing = object;
    (void)ctx;
    if (thing->destroyed)
        fault("an object is destroyed twice");
    thing->destroyed = true;
    atomic_fetch_sub(&things, 1);
    free(thing);
}

static int thing_compare(void *ctx, const void *a, const void *b)
{
    (void)ctx;
    const uint64_t x = ((const struct thing *)a)->id;
    const uint64_t y = ((const struct thing *)b)->id;
    return (x > y) - (x < y);
}

static int thing_print(void *ctx, const void *object, FILE *file)
{
    (void)ctx;
    return fprintf(file, "<%" PRIu64 ">", ((const struct thing *)object)->id);
}

static const struct lfset_obj_type thing_type = {sizeof(struct lfset_obj_type),
                                                 NULL,
                                                 thing_hash,
                                                 thing_equal,
                                                 thing_destroy,
                                                 thing_compare,
                                                 thing_print,
                                                 sizeof(struct thing)};

/* ---- kinds ---- */

typedef int (*id_filter)(uint64_t id, void *ctx);

struct kind {
    const char *name;
    int (*create)(void **set, const struct lfset_options *options);
    int (*destroy)(void *set);
    int (*add)(void *set, uint64_t id);
    int (*remove)(void *set, uint64_t id);
    int (*contains)(void *set, uint64_t id);
    int64_t (*size)(void *set);
    int (*validate)(void *set, const char **reason);
    int (*take)(void *set, void **snapshot);
    void (*drop)(void *snapshot);
    int (*clone)(void *set, void **copy, const struct lfset_options *options,
                 const struct lfset_cancel *cancel);
    int (*combine)(void *a, enum lfset_combination combination, void *b, void **result,
                   const struct lfset_options *options, const struct lfset_cancel *cancel);
    int (*combine_snapshot)(void *a, enum lfset_combination combination, void *b, void **result,
                            const struct lfset_options *options, const struct lfset_cancel *cancel);
    int (*snapshot_combine)(void *a, enum lfset_combination combination, void *b, void **result,
                            const struct lfset_options *options, const struct lfset_cancel *cancel);
    int64_t (*apply)(void *set, enum lfset_combination combination, void *other,
                     const struct lfset_cancel *cancel);
    int64_t (*apply_snapshot)(void *set, enum lfset_combination combination, void *other,
                              const struct lfset_cancel *cancel);
    int (*compare)(void *a, void *b, const struct lfset_cancel *cancel);
    int (*compare_snapshot)(void *a, void *b, const struct lfset_cancel *cancel);
    int (*snapshot_compare)(void *a, void *b, const struct lfset_cancel *cancel);
    int64_t (*remove_if)(void *set, id_filter unwanted, void *ctx,
                         const struct lfset_cancel *cancel);
    int (*print)(void *set, FILE *file, uint64_t max, const struct lfset_cancel *cancel);
};

struct filter {
    id_filter unwanted;
    void *ctx;
};

#define COMBINER(kind, function, A, B)                                                             \
    static int kind##_##function##_(void *a, enum lfset_combination combination, void *b,          \
                                    void **result, const struct lfset_options *options,            \
                                    const struct lfset_cancel *cancel)                             \
    {                                                                                              \
        struct lfset_##kind *made = (struct lfset_##kind *)&made;                                  \
        const int error = lfset_##kind##_##function(                                               \
            (A *)a, combination, (B *)b, result == NULL ? NULL : &made, options, cancel);          \
        if (result != NULL)                                                                        \
            *result = made;                                                                        \
        return error;                                                                              \
    }

#define DEFINE_KIND(kind)                                                                          \
    typedef struct lfset_##kind kind##_set;                                                        \
    typedef struct lfset_##kind##_snapshot kind##_snapshot;                                        \
    COMBINER(kind, combine, kind##_set, kind##_set)                                                \
    COMBINER(kind, combine_snapshot, kind##_set, kind##_snapshot)                                  \
    COMBINER(kind, snapshot_combine, kind##_snapshot, kind##_snapshot)                             \
    static int kind##_clone_(void *set, void **copy, const struct lfset_options *options,          \
                             const struct lfset_cancel *cancel)                                    \
    {                                                                                              \
        kind##_set *made = (kind##_set *)&made;                                                    \
        const int error = lfset_##kind##_clone(set, copy == NULL ? NULL : &made, options, cancel); \
        if (copy != NULL)                                                                          \
            *copy = made;                                                                          \
        return error;                                                                              \
    }                                                                                              \
    static int kind##_destroy_(void *set)                                                          \
    {                                                                                              \
        return lfset_##kind##_destroy(set);                                                        \
    }                                                                                              \
    static int64_t kind##_size_(void *set)                                                         \
    {                                                                                              \
        return lfset_##kind##_size(set, NULL);                                                     \
    }                                                                                              \
    static int kind##_validate_(void *set, const char **reason)                                    \
    {                                                                                              \
        return lfset_##kind##_validate(set, reason);                                               \
    }                                                                                              \
    static int kind##_take_(void *set, void **snapshot)                                            \
    {                                                                                              \
        kind##_snapshot *taken = NULL;                                                             \
        const int error = lfset_##kind##_snapshot_take(set, &taken, NULL);                         \
        *snapshot = taken;                                                                         \
        return error;                                                                              \
    }                                                                                              \
    static void kind##_drop_(void *snapshot)                                                       \
    {                                                                                              \
        lfset_##kind##_snapshot_destroy(snapshot);                                                 \
    }                                                                                              \
    static int64_t kind##_apply_(void *set, enum lfset_combination combination, void *other,       \
                                 const struct lfset_cancel *cancel)                                \
    {                                                                                              \
        return lfset_##kind##_apply(set, combination, other, cancel);                              \
    }                                                                                              \
    static int64_t kind##_apply_snapshot_(void *set, enum lfset_combination combination,           \
                                          void *other, const struct lfset_cancel *cancel)          \
    {                                                                                              \
        return lfset_##kind##_apply_snapshot(set, combination, other, cancel);                     \
    }                                                                                              \
    static int kind##_compare_(void *a, void *b, const struct lfset_cancel *cancel)                \
    {                                                                                              \
        return lfset_##kind##_compare(a, b, cancel);                                               \
    }                                                                                              \
    static int kind##_compare_snapshot_(void *a, void *b, const struct lfset_cancel *cancel)       \
    {                                                                                              \
        return lfset_##kind##_compare_snapshot(a, b, cancel);                                      \
    }                                                                                              \
    static int kind##_snapshot_compare_(void *a, void *b, const struct lfset_cancel *cancel)       \
    {                                                                                              \
        return lfset_##kind##_snapshot_compare(a, b, cancel);                                      \
    }                                                                                              \
    static int kind##_print_(void *set, FILE *file, uint64_t max,                                  \
                             const struct lfset_cancel *cancel)                                    \
    {                                                                                              \
        return lfset_##kind##_print(set, file, max, cancel);                                       \
    }                                                                                              \
    static int64_t kind##_remove_if_(void *set, id_filter unwanted, void *ctx,                     \
                                     const struct lfset_cancel *cancel)                            \
    {                                                                                              \
        struct filter filter = {unwanted, ctx};                                                    \
        return lfset_##kind##_remove_if(set, kind##_filter, &filter, cancel);                      \
    }

#define KIND(kind)                                                                                 \
    {                                                                                              \
#kind, kind##_create_, kind##_destroy_, kind##_add_, kind##_remove_, kind##_contains_,     \
            kind##_size_, kind##_validate_, kind##_take_, kind##_drop_, kind##_clone_,             \
            kind##_combine_, kind##_combine_snapshot_, kind##_snapshot_combine_, kind##_apply_,    \
            kind##_apply_snapshot_, kind##_compare_, kind##_compare_snapshot_,                     \
            kind##_snapshot_compare_, kind##_remove_if_, kind##_print_                             \
    }

#define DEFINE_NUMBERS(kind, to_key, to_id)                                                        \
    static int kind##_create_(void **set, const struct lfset_options *options)                     \
    {                                                                                              \
        struct lfset_##kind *made = NULL;                                                          \
        const int error = lfset_##kind##_create(&made, options);                                   \
        *set = made;                                                                               \
        return error;                                                                              \
    }                                                                                              \
    static int kind##_add_(void *set, uint64_t id)                                                 \
    {                                                                                              \
        return lfset_##kind##_add(set, to_key(id));                                                \
    }                                                                                              \
    static int kind##_remove_(void *set, uint64_t id)                                              \
    {                                                                                              \
        return lfset_##kind##_remove(set, to_key(id));                                             \
    }                                                                                              \
    static int kind##_contains_(void *set, uint64_t id)                                            \
    {                                                                                              \
        return lfset_##kind##_contains(set, to_key(id));                                           \
    }                                                                                              \
    static int kind##_filter(uint64_t key, void *ctx)                                              \
    {                                                                                              \
        const struct filter *filter = ctx;                                                         \
        return filter->unwanted(to_id(key), filter->ctx);                                          \
    }

static uint64_t apart_back(uint64_t key)
{
    return key / 10100 * 100 + key % 10100;
}

DEFINE_NUMBERS(u64, spread, spread_back)
DEFINE_NUMBERS(bitmap, close_together, apart_back)

static int bytes_create_(void **set, const struct lfset_options *options)
{
    struct lfset_bytes *made = NULL;
    const int error = lfset_bytes_create(&made, options);
    *set = made;
    return error;
}

static int bytes_add_(void *set, uint64_t id)
{
    char text[TEXT];
    return lfset_bytes_add(set, text, text_of(id, text));
}

static int bytes_remove_(void *set, uint64_t id)
{
    char text[TEXT];
    return lfset_bytes_remove(set, text, text_of(id, text));
}

static int bytes_contains_(void *set, uint64_t id)
{
    char text[TEXT];
    return lfset_bytes_contains(set, text, text_of(id, text));
}

static int bytes_filter(const void *key, size_t length, void *ctx)
{
    const struct filter *filter = ctx;
    char text[TEXT] = "";
    memcpy(text, key, length);
    return filter->unwanted(strtoull(text, NULL, 10), filter->ctx);
}

static int obj_create_(void **set, const struct lfset_options *options)
{
    struct lfset_obj *made = NULL;
    const int error = lfset_obj_create(&made, &thing_type, options);
    *set = made;
    return error;
}

static int obj_add_(void *set, uint64_t id)
{
    struct thing *thing = thing_new(id);
    const int result = lfset_obj_add(set, thing);
    if (result != 1)
        thing_destroy(NULL, thing);
    return result;
}

static int obj_remove_(void *set, uint64_t id)
{
    const struct thing key = {id, false};
    return lfset_obj_remove(set, &key);
}

static int obj_contains_(void *set, uint64_t id)
{
    const struct thing key = {id, false};
    return lfset_obj_contains(set, &key);
}

static int obj_filter(void *object, void *ctx)
{
    const struct filter *filter = ctx;
    return filter->unwanted(((struct thing *)object)->id, filter->ctx);
}

DEFINE_KIND(u64)
DEFINE_KIND(bytes)
DEFINE_KIND(obj)
DEFINE_KIND(bitmap)

static const struct kind kinds[] = {KIND(u64), KIND(bytes), KIND(obj), KIND(bitmap)};

/* Each kind in turn. */
#define FOR_KINDS(kind)                                                                            \
    for (const struct kind *kind = kinds; kind < kinds + sizeof kinds / sizeof *kinds; kind++)

/* ---- sets and what they must hold ---- */

enum { UNIVERSE = 2200 };

struct truth {
    bool has[UNIVERSE];
};

static void *kind_new(const struct kind *kind, enum lfset_domain domain, struct memory *memory)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.allocator = memory == NULL ? NULL : &memory->hook;
    void *set = NULL;
    CHECK_EQ(kind->create(&set, &options), 0);
    return set;
}

static void kind_fill(const struct kind *kind, void *set, const struct truth *truth)
{
    for (uint64_t id = 0; id < UNIVERSE; id++)
        if (truth->has[id])
            CHECK_EQ(kind->add(set, id), 1);
}

static void kind_check(const struct kind *kind, void *set, const struct truth *truth,
                       const char *what)
{
    int64_t count = 0;
    for (uint64_t id = 0; id < UNIVERSE; id++) {
        const int found = kind->contains(set, id);
        CHECK(found == truth->has[id], "%s, %s: contains(%" PRIu64 ") is %d", kind->name, what, id,
              found);
        count += truth->has[id];
    }
    CHECK(kind->size(set) == count, "%s, %s: the size is wrong", kind->name, what);
    const char *reason = "";
    CHECK(kind->validate(set, &reason) == 1, "%s, %s: %s", kind->name, what, reason);
}

/* All objects are gone when this returns. */
static void kind_end(const struct kind *kind, void *set)
{
    check_faults();
    CHECK_EQ(kind->destroy(set), 0);
    (void)kind;
}

static void truth_random(struct random *random, struct truth *truth, size_t universe, size_t count)
{
    memset(truth, 0, sizeof *truth);
    for (size_t i = 0; i < count; i++)
        truth->has[random_below(random, universe)] = true;
}

static const char *const combination_names[] = {"union", "intersection", "difference",
                                                "symmetric difference"};

static struct truth truth_combine(const struct truth *a, enum lfset_combination combination,
                                  const struct truth *b)
{
    struct truth result;
    for (size_t i = 0; i < UNIVERSE; i++) {
        const bool x = a->has[i];
        const bool y = b->has[i];
        result.has[i] = combination == LFSET_UNION          ? x || y
                        : combination == LFSET_INTERSECTION ? x && y
                        : combination == LFSET_DIFFERENCE   ? x && !y
                                                            : x != y;
    }
    return result;
}

static int64_t truth_differences(const struct truth *a, const struct truth *b)
{
    int64_t count = 0;
    for (size_t i = 0; i < UNIVERSE; i++)
        count += a->has[i] != b->has[i];
    return count;
}

static int truth_compare(const struct truth *a, const struct truth *b)
{
    bool common = false;
    bool only_a = false;
    bool only_b = false;
    for (size_t i = 0; i < UNIVERSE; i++) {
        common = common || (a->has[i] && b->has[i]);
        only_a = only_a || (a->has[i] && !b->has[i]);
        only_b = only_b || (!a->has[i] && b->has[i]);
    }
    int bits = common ? LFSET_INTERSECTS : LFSET_DISJOINT;
    if (!only_a)
        bits |= LFSET_SUBSET | (only_b ? LFSET_PROPER_SUBSET : 0);
    if (!only_b)
        bits |= LFSET_SUPERSET | (only_a ? LFSET_PROPER_SUPERSET : 0);
    return only_a || only_b ? bits : bits | LFSET_EQUAL;
}

/* Two sets, and what is in them. */
struct pair {
    struct truth in_a;
    struct truth in_b;
    void *a;
    void *b;
    void *a_snapshot;
    void *b_snapshot;
};

/* The shape decides how the two are related, so that every relation occurs. */
static void pair_random(struct random *random, struct pair *pair, unsigned shape, size_t count)
{
    const size_t universe = count * 2 < UNIVERSE ? count * 2 + 1 : UNIVERSE;
    truth_random(random, &pair->in_a, universe, count);
    truth_random(random, &pair->in_b, universe, shape < 3 ? count : count / 9);
    for (size_t i = 0; i < UNIVERSE; i++) {
        bool *a = &pair->in_a.has[i];
        bool *b = &pair->in_b.has[i];
        if (shape == 1 || shape == 4)
            *b = *b && *a;
        else if (shape == 2)
            *b = *a;
        else if (shape == 5)
            *b = *b && !*a;
        else if (shape == 6)
            *b = *b || *a;
    }
}

enum { SHAPES = 7 };

static void pair_create(struct pair *pair, const struct kind *kind, enum lfset_domain domain,
                        struct memory *memory)
{
    pair->a = kind_new(kind, domain, memory);
    pair->b = kind_new(kind, domain, memory);
    kind_fill(kind, pair->a, &pair->in_a);
    kind_fill(kind, pair->b, &pair->in_b);
    CHECK_EQ(kind->take(pair->a, &pair->a_snapshot), 0);
    CHECK_EQ(kind->take(pair->b, &pair->b_snapshot), 0);
}

static void pair_end(struct pair *pair, const struct kind *kind)
{
    kind->drop(pair->a_snapshot);
    kind->drop(pair->b_snapshot);
    kind_end(kind, pair->a);
    kind_end(kind, pair->b);
}

static const size_t sizes[] = {0, 1, 2, 9, 63, 64, 65, 128, 500, 1100};
enum { SIZES = sizeof sizes / sizeof *sizes };

/* ---- against arrays ---- */

static void check_combinations(const struct kind *kind, struct pair *pair)
{
    for (unsigned c = LFSET_UNION; c <= LFSET_SYMMETRIC_DIFFERENCE; c++) {
        const enum lfset_combination combination = (enum lfset_combination)c;
        const struct truth want = truth_combine(&pair->in_a, combination, &pair->in_b);
        void *results[3] = {NULL, NULL, NULL};
        CHECK_EQ(kind->combine(pair->a, combination, pair->b, &results[0], NULL, NULL), 0);
        CHECK_EQ(
            kind->combine_snapshot(pair->a, combination, pair->b_snapshot, &results[1], NULL, NULL),
            0);
        CHECK_EQ(kind->snapshot_combine(pair->a_snapshot, combination, pair->b_snapshot,
                                        &results[2], NULL, NULL),
                 0);
        for (size_t i = 0; i < 3; i++) {
            kind_check(kind, results[i], &want, combination_names[c]);
            kind_end(kind, results[i]);
        }
    }
    kind_check(kind, pair->a, &pair->in_a, "the first operand");
    kind_check(kind, pair->b, &pair->in_b, "the second operand");
}

TEST_BOTH(algebra, combinations_agree_with_arrays)
{
    struct random random = random_from(41);
    struct pair pair;
    FOR_KINDS(kind)
    {
        for (size_t i = 0; i < SIZES; i++) {
            pair_random(&random, &pair, (unsigned)i % SHAPES, sizes[i]);
            pair_create(&pair, kind, domain, NULL);
            check_combinations(kind, &pair);
            pair_end(&pair, kind);
        }
    }
    CHECK_EQ(atomic_load(&things), 0);
}

static void check_apply(const struct kind *kind, enum lfset_domain domain, struct pair *pair,
                        enum lfset_combination combination, bool by_snapshot)
{
    const struct truth want = truth_combine(&pair->in_a, combination, &pair->in_b);
    pair_create(pair, kind, domain, NULL);
    const int64_t changed = by_snapshot
                                ? kind->apply_snapshot(pair->a, combination, pair->b_snapshot, NULL)
                                : kind->apply(pair->a, combination, pair->b, NULL);
    CHECK_EQ(changed, truth_differences(&pair->in_a, &want));
    kind_check(kind, pair->a, &want, combination_names[combination]);
    kind_check(kind, pair->b, &pair->in_b, "the other operand");
    pair_end(pair, kind);
}

TEST_BOTH(algebra, applying_agrees_with_arrays)
{
    struct random random = random_from(42);
    struct pair pair;
    FOR_KINDS(kind)
    {
        for (size_t i = 0; i < SIZES; i++) {
            pair_random(&random, &pair, (unsigned)i % SHAPES, sizes[i]);
            for (unsigned c = LFSET_UNION; c <= LFSET_SYMMETRIC_DIFFERENCE; c++) {
                check_apply(kind, domain, &pair, (enum lfset_combination)c, false);
                check_apply(kind, domain, &pair, (enum lfset_combination)c, true);
            }
        }
    }
    CHECK_EQ(atomic_load(&things), 0);
}

TEST_BOTH(algebra, comparisons_agree_with_arrays)
{
    struct random random = random_from(43);
    struct pair pair;
    int seen = 0;
    FOR_KINDS(kind)
    {
        for (unsigned i = 0; i < SIZES * SHAPES; i++) {
            pair_random(&random, &pair, i % SHAPES, sizes[i / SHAPES]);
            pair_create(&pair, kind, domain, NULL);
            const int want = truth_compare(&pair.in_a, &pair.in_b);
            CHECK_EQ(kind->compare(pair.a, pair.b, NULL), want);
            CHECK_EQ(kind->compare_snapshot(pair.a, pair.b_snapshot, NULL), want);
            CHECK_EQ(kind->snapshot_compare(pair.a_snapshot, pair.b_snapshot, NULL), want);
            const int back = truth_compare(&pair.in_b, &pair.in_a);
            CHECK_EQ(kind->compare(pair.b, pair.a, NULL), back);
            seen |= want | back;
            pair_end(&pair, kind);
        }
    }
    CHECK_EQ(seen, 2 * LFSET_INTERSECTS - 1);
}

TEST_BOTH(algebra, a_set_with_itself)
{
    struct random random = random_from(44);
    struct truth truth;
    const struct truth none = {{false}};
    FOR_KINDS(kind)
    {
        for (size_t i = 0; i < SIZES; i++) {
            truth_random(&random, &truth, UNIVERSE, sizes[i]);
            const bool empty = sizes[i] == 0;
            for (unsigned c = LFSET_UNION; c <= LFSET_SYMMETRIC_DIFFERENCE; c++) {
                const enum lfset_combination combination = (enum lfset_combination)c;
                const struct truth *want = combination <= LFSET_INTERSECTION ? &truth : &none;
                void *set = kind_new(kind, domain, NULL);
                void *result = NULL;
                kind_fill(kind, set, &truth);
                CHECK_EQ(kind->combine(set, combination, set, &result, NULL, NULL), 0);
                kind_check(kind, result, want, combination_names[c]);
                CHECK_EQ(kind->compare(set, set, NULL),
                         LFSET_EQUAL | LFSET_SUBSET | LFSET_SUPERSET |
                             (empty ? LFSET_DISJOINT : LFSET_INTERSECTS));
                CHECK_EQ(kind->apply(set, combination, set, NULL), truth_differences(&truth, want));
                kind_check(kind, set, want, combination_names[c]);
                kind_end(kind, set);
                kind_end(kind, result);
            }
        }
    }
}

/* ---- clones ---- */

TEST_BOTH(algebra, a_clone_is_like_its_set_and_apart_from_it)
{
    struct random random = random_from(45);
    struct truth truth;
    FOR_KINDS(kind)
    {
        struct memory memory;
        memory_init(&memory, 0);
        void *set = kind_new(kind, domain, &memory);
        truth_random(&random, &truth, UNIVERSE, 900);
        kind_fill(kind, set, &truth);
        const long long before = atomic_load(&memory.bytes);
        void *copy = NULL;
        CHECK_EQ(kind->clone(set, &copy, NULL, NULL), 0);
        CHECK(atomic_load(&memory.bytes) > before, "%s: another allocator", kind->name);
        kind_check(kind, copy, &truth, "the clone");
        struct truth changed = truth;
        for (size_t id = 0; id < UNIVERSE; id++) {
            changed.has[id] = !truth.has[id];
            CHECK_EQ(changed.has[id] ? kind->add(set, id) : kind->remove(set, id), 1);
        }
        kind_check(kind, set, &changed, "the set");
        kind_check(kind, copy, &truth, "the clone");
        kind_end(kind, set);
        kind_check(kind, copy, &truth, "the clone that is left");
        kind_end(kind, copy);
        memory_check_balance(&memory);
    }
    CHECK_EQ(atomic_load(&things), 0);
}

TEST(algebra, a_clone_takes_the_options_it_is_given)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = LFSET_HP;
    options.name = "copy";
    struct lfset_u64 *set = set_new(LFSET_RCU, 0, 46, NULL);
    struct lfset_u64 *copies[2];
    CHECK_EQ(lfset_u64_add(set, 46), 1);
    CHECK_EQ(lfset_u64_clone(set, &copies[0], NULL, NULL), 0);
    CHECK_EQ(lfset_u64_clone(set, &copies[1], &options, NULL), 0);
    CHECK_EQ(set_stats(copies[0]).domain, LFSET_RCU);
    CHECK_EQ(set_stats(copies[1]).domain, LFSET_HP);
    CHECK(strcmp(set_stats(copies[1]).name, "copy") == 0, "the name is lost");
    options.size = 1;
    struct lfset_u64 *none = set;
    CHECK_EQ(lfset_u64_clone(set, &none, &options, NULL), -EINVAL);
    CHECK(none == NULL, "a failure leaves a set");
    for (size_t i = 0; i < 2; i++)
        set_end(copies[i], NULL);
    set_end(set, NULL);
}

/* The room that a clone starts with is not kept when its keys are gone. */
TEST_BOTH(algebra, a_clone_shrinks_like_any_set)
{
    struct lfset_u64 *set = set_new(domain, 0, 47, NULL);
    struct lfset_u64 *copy;
    enum { COUNT = 20000 };
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(lfset_u64_add(set, key), 1);
    CHECK_EQ(lfset_u64_clone(set, &copy, NULL, NULL), 0);
    CHECK_EQ(set_stats(copy).grows, 0);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(lfset_u64_remove(copy, key), 1);
    for (int i = 0; i < 4; i++)
        set_force_succession(copy);
    CHECK(set_stats(copy).capacity < COUNT / 8, "%" PRIu64 " slots are kept for an empty set",
          set_stats(copy).capacity);
    set_end(copy, NULL);
    set_end(set, NULL);
}

/* ---- objects ---- */

static struct lfset_obj *things_new(enum lfset_domain domain, const struct lfset_obj_type *type)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    struct lfset_obj *set = NULL;
    CHECK_EQ(lfset_obj_create(&set, type, &options), 0);
    return set;
}

static int note_object(void *object, void *ctx)
{
    *(void **)ctx = object;
    return 0;
}

/* The object that a set of one object holds. */
static void *only_object(struct lfset_obj *set)
{
    void *object = NULL;
    CHECK_EQ(lfset_obj_size(set, NULL), 1);
    CHECK_EQ(lfset_obj_each(set, note_object, &object, NULL), 0);
    return object;
}

TEST_BOTH(algebra, equal_objects_are_taken_from_the_first_set)
{
    struct lfset_obj *a = things_new(domain, &thing_type);
    struct lfset_obj *b = things_new(domain, &thing_type);
    void *mine = thing_new(1);
    CHECK_EQ(lfset_obj_add(a, thing_new(2)), 1); /* so that b is the smaller one */
    CHECK_EQ(lfset_obj_add(a, mine), 1);
    CHECK_EQ(lfset_obj_add(b, thing_new(1)), 1);
    struct lfset_obj *both = NULL;
    CHECK_EQ(lfset_obj_combine(a, LFSET_INTERSECTION, b, &both, NULL, NULL), 0);
    CHECK(only_object(both) == mine, "the second set's object was taken");
    CHECK_EQ(lfset_obj_destroy(a), 0);
    CHECK_EQ(lfset_obj_destroy(b), 0);
    CHECK(only_object(both) == mine && !((struct thing *)mine)->destroyed,
          "the object went with its first set");
    CHECK_EQ(atomic_load(&things), 1);
    CHECK_EQ(lfset_obj_destroy(both), 0);
    CHECK_EQ(atomic_load(&things), 0);
    check_faults();
}

TEST_BOTH(algebra, objects_of_another_type_are_refused)
{
    struct lfset_obj_type other_type = thing_type;
    int ctx;
    other_type.ctx = &ctx;
    struct lfset_obj *a = things_new(domain, &thing_type);
    struct lfset_obj *b = things_new(domain, &other_type);
    struct lfset_obj *result = a;
    struct lfset_obj_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_obj_add(a, thing_new(1)), 1);
    CHECK_EQ(lfset_obj_snapshot_take(a, &snapshot, NULL), 0);
    CHECK_EQ(lfset_obj_combine(a, LFSET_UNION, b, &result, NULL, NULL), -EINVAL);
    CHECK(result == NULL, "a failure leaves a set");
    CHECK_EQ(lfset_obj_combine_snapshot(b, LFSET_UNION, snapshot, &result, NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_apply(b, LFSET_UNION, a, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_apply_snapshot(b, LFSET_DIFFERENCE, snapshot, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_compare(a, b, NULL), -EINVAL);
    CHECK_EQ(lfset_obj_compare_snapshot(b, snapshot, NULL), -EINVAL);
    lfset_obj_snapshot_destroy(snapshot);
    CHECK_EQ(lfset_obj_destroy(a), 0);
    CHECK_EQ(lfset_obj_destroy(b), 0);
    CHECK_EQ(atomic_load(&things), 0);
    check_faults();
}

/* Each set takes its own part from its own allocator, and the objects end with the last of them. */
TEST_BOTH(algebra, objects_are_shared_across_allocators)
{
    struct memory memories[2];
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    for (size_t i = 0; i < 2; i++)
        memory_init(&memories[i], 0);
    struct lfset_obj *set = NULL;
    struct lfset_obj *copy = NULL;
    options.allocator = &memories[0].hook;
    CHECK_EQ(lfset_obj_create(&set, &thing_type, &options), 0);
    for (uint64_t id = 0; id < 100; id++)
        CHECK_EQ(lfset_obj_add(set, thing_new(id)), 1);
    options.allocator = &memories[1].hook;
    CHECK_EQ(lfset_obj_clone(set, &copy, &options, NULL), 0);
    CHECK_EQ(lfset_obj_destroy(set), 0);
    CHECK_EQ(atomic_load(&things), 100);
    CHECK_EQ(lfset_obj_clear(copy, NULL), 100);
    CHECK_EQ(lfset_obj_destroy(copy), 0);
    CHECK_EQ(atomic_load(&things), 0);
    for (size_t i = 0; i < 2; i++)
        memory_check_balance(&memories[i]);
}

/* ---- remove_if ---- */

struct asked {
    const struct kind *kind;
    void *set;
    uint64_t times;
    uint64_t stop_at;            /* answer -EPROTO at this one, from 1; 0: never */
    struct lfset_cancel *cancel; /* to be cancelled at once; NULL: none */
    bool itself;                 /* remove each key from within */
};

static int odd(uint64_t id, void *ctx)
{
    struct asked *asked = ctx;
    asked->times++;
    CHECK_EQ(asked->kind->contains(asked->set, id), 1);
    if (asked->cancel != NULL)
        CHECK(lfset_cancel_now(asked->cancel) >= 0, "cancelling failed");
    if (asked->itself)
        CHECK_EQ(asked->kind->remove(asked->set, id), 1);
    return asked->times == asked->stop_at ? -EPROTO : id % 2 == 1 ? 1 : 0;
}

TEST_BOTH(algebra, remove_if_asks_once_and_removes_what_is_unwanted)
{
    FOR_KINDS(kind)
    {
        struct truth truth;
        struct truth left;
        void *set = kind_new(kind, domain, NULL);
        for (size_t id = 0; id < UNIVERSE; id++) {
            truth.has[id] = id % 3 != 0;
            left.has[id] = truth.has[id] && id % 2 == 0;
        }
        kind_fill(kind, set, &truth);
        struct asked asked = {kind, set, 0, 0, NULL, false};
        const int64_t in_all = kind->size(set);
        CHECK_EQ(kind->remove_if(set, odd, &asked, NULL), truth_differences(&truth, &left));
        CHECK_EQ(asked.times, in_all);
        kind_check(kind, set, &left, "remove_if");

        asked = (struct asked){kind, set, 0, 5, NULL, false};
        CHECK_EQ(kind->remove_if(set, odd, &asked, NULL), -EPROTO);
        CHECK_EQ(asked.times, 5);
        kind_check(kind, set, &left, "remove_if that was stopped");

        asked = (struct asked){kind, set, 0, 0, NULL, true};
        for (size_t id = 1; id < 20; id += 2)
            CHECK_EQ(kind->add(set, id), 1);
        CHECK_EQ(kind->remove_if(set, odd, &asked, NULL), 0); /* they were gone already */
        CHECK_EQ(kind->size(set), 0);
        kind_end(kind, set);
    }
    CHECK_EQ(atomic_load(&things), 0);
}

TEST_BOTH(algebra, remove_if_is_cancelled_from_its_callback)
{
    FOR_KINDS(kind)
    {
        struct lfset_cancel *cancel = NULL;
        void *set = kind_new(kind, domain, NULL);
        enum { COUNT = 100000 };
        for (uint64_t id = 0; id < COUNT; id++)
            CHECK_EQ(kind->add(set, id), 1);
        CHECK_EQ(lfset_cancel_create(&cancel, NULL, LFSET_NO_DEADLINE), 0);
        struct asked asked = {kind, set, 0, 0, cancel, false};
        CHECK_EQ(kind->remove_if(set, odd, &asked, cancel), -ECANCELED);
        CHECK(asked.times < COUNT / 2, "%s: asked %" PRIu64 " times after it was cancelled",
              kind->name, asked.times);
        kind_end(kind, set);
        lfset_cancel_destroy(cancel);
    }
}

/* ---- refusals ---- */

TEST_BOTH(algebra, null_and_nonsense_are_refused)
{
    const enum lfset_combination nonsense = (enum lfset_combination)4;
    FOR_KINDS(kind)
    {
        void *set = kind_new(kind, domain, NULL);
        void *snapshot = NULL;
        void *result = NULL;
        CHECK_EQ(kind->add(set, 1), 1);
        CHECK_EQ(kind->take(set, &snapshot), 0);
        struct asked asked = {kind, set, 0, 0, NULL, false};
#define REFUSED(call)                                                                              \
    do {                                                                                           \
        result = set;                                                                              \
        CHECK_EQ(call, -EINVAL);                                                                   \
        CHECK(result == NULL, "%s: a failure leaves a set", kind->name);                           \
    } while (0)
        REFUSED(kind->clone(NULL, &result, NULL, NULL));
        REFUSED(kind->combine(NULL, LFSET_UNION, set, &result, NULL, NULL));
        REFUSED(kind->combine(set, LFSET_UNION, NULL, &result, NULL, NULL));
        REFUSED(kind->combine(set, nonsense, set, &result, NULL, NULL));
        REFUSED(kind->combine_snapshot(set, LFSET_UNION, NULL, &result, NULL, NULL));
        REFUSED(kind->snapshot_combine(NULL, LFSET_UNION, snapshot, &result, NULL, NULL));
#undef REFUSED
        CHECK_EQ(kind->clone(set, NULL, NULL, NULL), -EINVAL);
        CHECK_EQ(kind->combine(set, LFSET_UNION, set, NULL, NULL, NULL), -EINVAL);
        CHECK_EQ(kind->apply(NULL, LFSET_UNION, set, NULL), -EINVAL);
        CHECK_EQ(kind->apply(set, LFSET_UNION, NULL, NULL), -EINVAL);
        CHECK_EQ(kind->apply(set, nonsense, set, NULL), -EINVAL);
        CHECK_EQ(kind->apply_snapshot(set, LFSET_UNION, NULL, NULL), -EINVAL);
        CHECK_EQ(kind->compare(NULL, set, NULL), -EINVAL);
        CHECK_EQ(kind->compare(set, NULL, NULL), -EINVAL);
        CHECK_EQ(kind->compare_snapshot(set, NULL, NULL), -EINVAL);
        CHECK_EQ(kind->snapshot_compare(NULL, snapshot, NULL), -EINVAL);
        CHECK_EQ(kind->remove_if(NULL, odd, &asked, NULL), -EINVAL);
        CHECK_EQ(kind->print(NULL, stdout, 0, NULL), -EINVAL);
        CHECK_EQ(kind->print(set, NULL, 0, NULL), -EINVAL);
        CHECK_EQ(kind->size(set), 1);
        kind->drop(snapshot);
        kind_end(kind, set);
    }
    CHECK_EQ(lfset_u64_remove_if((struct lfset_u64 *)&kinds, NULL, NULL, NULL), -EINVAL);
}

TEST_BOTH(algebra, a_token_that_is_cancelled_stops_everything)
{
    struct random random = random_from(48);
    struct pair pair;
    pair_random(&random, &pair, 0, 500);
    struct lfset_cancel *cancel = NULL;
    CHECK_EQ(lfset_cancel_create(&cancel, NULL, 1), 0); /* a deadline long ago */
    FOR_KINDS(kind)
    {
        pair_create(&pair, kind, domain, NULL);
        void *result = pair.a;
        CHECK_EQ(kind->clone(pair.a, &result, NULL, cancel), -ETIMEDOUT);
        CHECK(result == NULL, "a failure leaves a set");
        for (unsigned c = LFSET_UNION; c <= LFSET_SYMMETRIC_DIFFERENCE; c++) {
            const enum lfset_combination combination = (enum lfset_combination)c;
            result = pair.a;
            CHECK_EQ(kind->snapshot_combine(pair.a_snapshot, combination, pair.b_snapshot, &result,
                                            NULL, cancel),
                     -ETIMEDOUT);
            CHECK(result == NULL, "a failure leaves a set");
            CHECK_EQ(kind->apply_snapshot(pair.a, combination, pair.b_snapshot, cancel),
                     -ETIMEDOUT);
        }
        CHECK_EQ(kind->snapshot_compare(pair.a_snapshot, pair.b_snapshot, cancel), -ETIMEDOUT);
        kind_check(kind, pair.a, &pair.in_a, "nothing was done");
        pair_end(&pair, kind);
    }
    lfset_cancel_destroy(cancel);
}

/* A new set that failed could not be destroyed there. */
TEST_BOTH(algebra, a_section_makes_no_sets)
{
    FOR_KINDS(kind)
    {
        void *set = kind_new(kind, domain, NULL);
        void *result = set;
        CHECK_EQ(kind->add(set, 1), 1);
        CHECK_EQ(lfset_section_enter(), 0);
        CHECK_EQ(kind->clone(set, &result, NULL, NULL), -EDEADLK);
        CHECK(result == NULL, "a failure leaves a set");
        CHECK_EQ(kind->compare(set, set, NULL) & LFSET_EQUAL, LFSET_EQUAL);
        CHECK_EQ(kind->apply(set, LFSET_DIFFERENCE, set, NULL), 1);
        CHECK_EQ(lfset_section_leave(), 0);
        kind_end(kind, set);
    }
}

/* ---- no memory ---- */

/* Every allocation of every operation fails once. */
static bool combine_without_memory(const struct kind *kind, struct pair *pair,
                                   struct memory *memory, enum lfset_combination combination,
                                   uint64_t fail_at)
{
    void *result = pair->a;
    atomic_store(&memory->fail_at, atomic_load(&memory->calls) + fail_at);
    const int error = kind->combine(pair->a, combination, pair->b, &result, NULL, NULL);
    const bool reached = atomic_load(&memory->calls) >= atomic_load(&memory->fail_at);
    memory_heal(memory);
    if (error == 0) {
        const struct truth want = truth_combine(&pair->in_a, combination, &pair->in_b);
        kind_check(kind, result, &want, "combined without some memory");
        kind_end(kind, result);
    } else {
        CHECK_EQ(error, -ENOMEM);
        CHECK(result == NULL, "a failure leaves a set");
    }
    return reached;
}

TEST_BOTH(algebra, no_memory_leaks_nothing)
{
    struct random random = random_from(49);
    struct pair pair;
    pair_random(&random, &pair, 0, 60);
    FOR_KINDS(kind)
    {
        for (unsigned c = LFSET_UNION; c <= LFSET_SYMMETRIC_DIFFERENCE; c++) {
            struct memory memory;
            memory_init(&memory, 0);
            pair_create(&pair, kind, domain, &memory);
            uint64_t fail_at = 1;
            while (combine_without_memory(kind, &pair, &memory, (enum lfset_combination)c, fail_at))
                fail_at++;
            CHECK(fail_at > 4, "%s: only %" PRIu64 " allocations", kind->name, fail_at - 1);
            kind_check(kind, pair.a, &pair.in_a, "the first operand");
            kind_check(kind, pair.b, &pair.in_b, "the second operand");
            pair_end(&pair, kind);
            memory_check_balance(&memory);
        }
    }
    CHECK_EQ(atomic_load(&things), 0);
}

TEST_BOTH(algebra, no_memory_in_place_changes_some_keys_or_none)
{
    struct random random = random_from(50);
    struct pair pair;
    pair_random(&random, &pair, 0, 60);
    FOR_KINDS(kind)
    {
        for (uint64_t fail_at = 1; fail_at < 40; fail_at++) {
            struct memory memory;
            memory_init(&memory, 0);
            pair_create(&pair, kind, domain, &memory);
            const struct truth want =
                truth_combine(&pair.in_a, LFSET_SYMMETRIC_DIFFERENCE, &pair.in_b);
            atomic_store(&memory.fail_at, atomic_load(&memory.calls) + fail_at);
            const int64_t changed = kind->apply(pair.a, LFSET_SYMMETRIC_DIFFERENCE, pair.b, NULL);
            memory_heal(&memory);
            CHECK(changed == -ENOMEM || changed == truth_differences(&pair.in_a, &want),
                  "%s: apply answers %" PRId64, kind->name, changed);
            for (uint64_t id = 0; id < UNIVERSE; id++) {
                const int found = kind->contains(pair.a, id);
                CHECK(found == want.has[id] || (changed < 0 && found == pair.in_a.has[id]),
                      "%s: contains(%" PRIu64 ") is %d", kind->name, id, found);
            }
            pair_end(&pair, kind);
            memory_check_balance(&memory);
        }
    }
    CHECK_EQ(atomic_load(&things), 0);
}

/* ---- threads ---- */

/* Ids below STILL never change: the even ones are in a, those divisible by three in b. The others come
 * and go. */
enum { STILL = 300, RESTLESS = 600 };

struct party {
    const struct kind *kind;
    enum lfset_domain domain;
    void *a;
    void *b;
    bool crossed; /* b op a */
    unsigned seed;
    atomic_int *working;
};

static void party_combine(const struct party *party, void *a, void *b, bool in_place)
{
    const struct kind *kind = party->kind;
    void *result = NULL;
    int error = kind->combine(a, LFSET_SYMMETRIC_DIFFERENCE, b, &result, NULL, NULL);
    if (error != 0) {
        fault("%s: combine answers %d", kind->name, error);
        return;
    }
    for (uint64_t id = 0; id < STILL; id++)
        if (kind->contains(result, id) != ((id % 2 == 0) != (id % 3 == 0)))
            fault("%s: %" PRIu64 " is on the wrong side", kind->name, id);
    if (in_place && kind->apply(result, LFSET_UNION, a, NULL) < 0)
        fault("%s: apply failed", kind->name);
    if (kind->destroy(result) != 0)
        fault("%s: destroy failed", kind->name);
}

static void party_body(void *arg)
{
    const struct party *party = arg;
    void *a = party->crossed ? party->b : party->a;
    void *b = party->crossed ? party->a : party->b;
    for (size_t i = 0; i < scaled(20); i++) {
        party_combine(party, a, b, i % 10 == 0);
        const int relation = party->kind->compare(a, b, NULL);
        if (relation != LFSET_INTERSECTS)
            fault("%s: compare answers %d", party->kind->name, relation);
    }
    atomic_fetch_sub(party->working, 1);
}

static void party_writer(void *arg)
{
    const struct party *party = arg;
    const struct kind *kind = party->kind;
    struct random random = random_from(party->seed);
    while (atomic_load(party->working) > 0) {
        const uint64_t id = STILL + random_below(&random, RESTLESS);
        void *set = random_below(&random, 2) == 0 ? party->a : party->b;
        const int result =
            random_below(&random, 2) == 0 ? kind->add(set, id) : kind->remove(set, id);
        if (result < 0)
            fault("%s: an update answers %d", kind->name, result);
    }
}

static void party_member(void *arg)
{
    const struct party *party = arg;
    if (party->seed < 2)
        party_body(arg);
    else
        party_writer(arg);
}

TEST_BOTH(algebra, crossed_operands_from_two_threads_while_others_write)
{
    FOR_KINDS(kind)
    {
        void *a = kind_new(kind, domain, NULL);
        void *b = kind_new(kind, domain, NULL);
        for (uint64_t id = 0; id < STILL; id++) {
            if (id % 2 == 0)
                CHECK_EQ(kind->add(a, id), 1);
            if (id % 3 == 0)
                CHECK_EQ(kind->add(b, id), 1);
        }
        atomic_int working = 2;
        struct party parties[4];
        for (unsigned i = 0; i < 4; i++)
            parties[i] = (struct party){kind, domain, a, b, i == 1, i, &working};
        crew_run(4, party_member, parties, sizeof *parties);
        kind_end(kind, a);
        kind_end(kind, b);
    }
    CHECK_EQ(atomic_load(&things), 0);
}

/* In place on both sides at once: whatever the order, what no side removes stays. */
static void absorb(void *arg)
{
    const struct party *party = arg;
    void *into = party->crossed ? party->b : party->a;
    void *from = party->crossed ? party->a : party->b;
    for (size_t i = 0; i < scaled(40); i++)
        if (party->kind->apply(into, LFSET_UNION, from, NULL) < 0 ||
            party->kind->apply(into, LFSET_INTERSECTION, from, NULL) < 0)
            fault("%s: apply failed", party->kind->name);
}

TEST_BOTH(algebra, two_sets_absorb_each_other)
{
    FOR_KINDS(kind)
    {
        void *sets[2] = {kind_new(kind, domain, NULL), kind_new(kind, domain, NULL)};
        for (uint64_t id = 0; id < 200; id++) {
            CHECK_EQ(kind->add(sets[0], id), 1);
            CHECK_EQ(kind->add(sets[1], id), 1);
        }
        struct party parties[2];
        for (unsigned i = 0; i < 2; i++)
            parties[i] = (struct party){kind, domain, sets[0], sets[1], i == 1, i, NULL};
        crew_run(2, absorb, parties, sizeof *parties);
        CHECK_EQ(kind->compare(sets[0], sets[1], NULL),
                 LFSET_EQUAL | LFSET_SUBSET | LFSET_SUPERSET | LFSET_INTERSECTS);
        CHECK_EQ(kind->size(sets[0]), 200);
        kind_end(kind, sets[0]);
        kind_end(kind, sets[1]);
    }
}

/* A key that moves (the next one is added before the last one is removed) is always there. */
enum { STEPS = 100 };

struct mover {
    const struct kind *kind;
    void *set;
    atomic_ullong moves;
    atomic_bool done;
};

static void move(void *arg)
{
    struct mover *mover = arg;
    uint64_t from = 0;
    while (!atomic_load(&mover->done)) {
        const uint64_t to = (from + 1) % (STEPS + 1);
        if (mover->kind->add(mover->set, to) != 1 || mover->kind->remove(mover->set, from) != 1)
            fault("%s: the mover stumbled", mover->kind->name);
        from = to;
        atomic_fetch_add(&mover->moves, 1);
    }
}

static void look(void *arg)
{
    struct mover *mover = arg;
    const struct kind *kind = mover->kind;
    for (size_t i = 0; i < scaled(200) || atomic_load(&mover->moves) < 1000; i++) {
        void *copy = NULL;
        if (kind->clone(mover->set, &copy, NULL, NULL) != 0) {
            fault("%s: clone failed", kind->name);
            break;
        }
        /* By contains: size would retire a slice, and destroy then wait for the mover's many. */
        int count = 0;
        for (uint64_t id = 0; id <= STEPS; id++)
            count += kind->contains(copy, id);
        if (count < 1 || count > 2)
            fault("%s: %d keys at one instant", kind->name, count);
        kind->destroy(copy);
        if ((kind->compare(mover->set, mover->set, NULL) & LFSET_EQUAL) == 0)
            fault("%s: a set is not equal to itself", kind->name);
    }
    atomic_store(&mover->done, true);
}

TEST_BOTH(algebra, a_clone_is_of_one_instant)
{
    FOR_KINDS(kind)
    {
        void *set = kind_new(kind, domain, NULL);
        CHECK_EQ(kind->add(set, 0), 1);
        struct mover mover = {kind, set, 0, false};
        struct crew crew;
        crew_start(&crew, 1, move, &mover, 0);
        look(&mover);
        crew_join(&crew);
        check_faults();
        kind_end(kind, set);
    }
}

/* ---- printing ---- */

static void check_print(const struct kind *kind, void *set, uint64_t max, const char *want)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    CHECK(file != NULL, "no stream");
    CHECK_EQ(kind->print(set, file, max, NULL), 0);
    fclose(file);
    CHECK(strcmp(text, want) == 0, "%s prints %s, should print %s", kind->name, text, want);
    free(text);
}

TEST_BOTH(algebra, numbers_and_objects_are_printed_in_order)
{
    static const char *const wants[][2] = {
        {"{1, 2, 40}", "{1, 2, ... (3 in all)}"},
        {"{1, 2, 40}", "{1, 2, ... (3 in all)}"},
        {"{<1>, <2>, <40>}", "{<1>, <2>, ... (3 in all)}"},
    };
    const size_t which[] = {0, 3, 2};
    for (size_t i = 0; i < 3; i++) {
        const struct kind *kind = &kinds[which[i]];
        void *set = kind_new(kind, domain, NULL);
        check_print(kind, set, 0, "{}");
        check_print(kind, set, 1, "{}");
        for (uint64_t j = 0; j < 3; j++) {
            const uint64_t key = (const uint64_t[]){40, 1, 2}[j];
            CHECK_EQ(which[i] == 0   ? lfset_u64_add(set, key)
                     : which[i] == 3 ? lfset_bitmap_add(set, key)
                                     : obj_add_(set, key),
                     1);
        }
        check_print(kind, set, 0, wants[i][0]);
        check_print(kind, set, 3, wants[i][0]);
        check_print(kind, set, 4, wants[i][0]);
        check_print(kind, set, 2, wants[i][1]);
        kind_end(kind, set);
    }
}

TEST(algebra, strings_are_printed_as_c_literals)
{
    struct lfset_bytes *set = NULL;
    CHECK_EQ(lfset_bytes_create(&set, NULL), 0);
    static const struct {
        const char *bytes;
        size_t length;
        const char *want;
    } cases[] = {
        {"", 0, "{\"\"}"},
        {"plain", 5, "{\"plain\"}"},
        {"\0"
         "12",
         3, "{\"\\00012\"}"},
        {"a\tb\n\\\"'", 7, "{\"a\\tb\\n\\\\\\\"'\"}"},
        {"\a\b\f\r\v", 5, "{\"\\a\\b\\f\\r\\v\"}"},
        {"\x7f\x80\xff", 3, "{\"\\177\\200\\377\"}"},
        {"\xc3\xa9", 2, "{\"\\303\\251\"}"},
        {"?\?=?", 4, "{\"?\\?=?\"}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        CHECK_EQ(lfset_bytes_add(set, cases[i].bytes, cases[i].length), 1);
        check_print(&kinds[1], set, 0, cases[i].want);
        CHECK_EQ(lfset_bytes_clear(set, NULL), 1);
    }
    CHECK_EQ(lfset_bytes_destroy(set), 0);
}

/* A file that is full after so many bytes. */
static ssize_t write_little(void *left, const char *bytes, size_t size)
{
    size_t *room = left;
    (void)bytes;
    if (size > *room)
        return -1;
    *room -= size;
    return (ssize_t)size;
}

static int print_into(const struct kind *kind, void *set, size_t room, uint64_t max)
{
    FILE *file = fopencookie(&room, "w", (cookie_io_functions_t){.write = write_little});
    CHECK(file != NULL, "no stream");
    setvbuf(file, NULL, _IONBF, 0);
    const int result = kind->print(set, file, max, NULL);
    fclose(file);
    return result;
}

TEST(algebra, a_print_that_cannot_be_written_says_so)
{
    FOR_KINDS(kind)
    {
        void *set = kind_new(kind, LFSET_RCU, NULL);
        for (uint64_t id = 0; id < 3; id++)
            CHECK_EQ(kind->add(set, id), 1);
        for (uint64_t max = 0; max < 4; max++) {
            char *text = NULL;
            size_t length = 0;
            FILE *file = open_memstream(&text, &length);
            CHECK_EQ(kind->print(set, file, max, NULL), 0);
            fclose(file);
            free(text);
            for (size_t room = 0; room < length; room++)
                CHECK(print_into(kind, set, room, max) == -EIO,
                      "%s: %zu bytes of %zu are printed without an error", kind->name, room,
                      length);
            CHECK_EQ(print_into(kind, set, length, max), 0);
        }
        kind_end(kind, set);
    }
}

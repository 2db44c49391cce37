// SPDX-License-Identifier: MIT
/**
 * @file u64.c
 * The public face of the u64 set: argument checks, and one branch to the domain, for each of which
 * the operations of walk.h are inlined. The ordered view of snapshots is in u64_snapshot.c.
 */
#include "lfset/u64.h"

#include "set/u64_fast.h" // the codec before what uses it

#include "set/operations.h"
#include "set/u64.h"

struct lfset_u64 {
    struct lfset__set base;
};

#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)

const char *lfset_version(void)
{
    return STRINGIFY(LFSET_VERSION_MAJOR) "." STRINGIFY(LFSET_VERSION_MINOR) "." STRINGIFY(
        LFSET_VERSION_PATCH);
}

/* The base is written by helpers of readers, too; only the set of keys is const to a reader. */
LFSET__INLINE struct lfset__set *base_of(const struct lfset_u64 *set)
{
    return (struct lfset__set *)(uintptr_t)&set->base;
}

LFSET__INLINE bool is_hp(const struct lfset_u64 *set)
{
    return set->base.path == LFSET__PATH_HP;
}

/* ---- creation ----------------------------------------------------------------------------------- */

static const struct lfset__about_ops about_ops;

int lfset_u64_create(struct lfset_u64 **set, const struct lfset_options *options)
{
    if (!set) {
        return -EINVAL;
    }
    static const struct lfset__set_type type = {LFSET_KIND_U64, sizeof **set, NULL, &about_ops};
    struct lfset__set *made;
    int error = lfset__set_create(&made, &type, options);
    *set = (struct lfset_u64 *)made;
    if (made) {
        lfset__set_list(made);
    }
    return error;
}

int lfset_u64_destroy(struct lfset_u64 *set)
{
    return set ? lfset__set_close(&set->base) : 0;
}

void lfset__u64_options(const struct lfset_u64 *set, struct lfset_options *options)
{
    lfset__set_options(&set->base, options);
}

/* ---- one key ------------------------------------------------------------------------------------ */

/* An operation that the fast path could not decide, from the start. */
static __attribute__((noinline)) int one_slowly(const struct lfset_u64 *set, uint64_t key,
                                                enum lfset__op op, const void *caller)
{
    struct lfset__walk walk;
    struct lfset__key whole = {key};
    if (!lfset__enter(&walk, base_of(set))) {
        return -ENOMEM;
    }
    int result = lfset__walk_chain(&walk, &whole, op);
    lfset__walk_leave(&walk);
    lfset__tell(base_of(set), key, op, result, caller);
    return result;
}

/* Wakes who waits for the key. Apart, so that one() can end with a jump to it. */
static __attribute__((noinline)) int wake(struct lfset__set *set, uint64_t key)
{
    struct lfset__key whole = {key};
    lfset__wake(lfset__tag(set, lfset__key_mixed(&whole)));
    return 1;
}

/* For sleepers, after a change: one load when nobody waits. [wait.register] */
LFSET__INLINE bool somebody_waits(struct lfset__set *set)
{
    return lfset__unlikely(lfset__load_sc(&set->waiting) != 0);
}

static __attribute__((noinline)) int wake_and_leave(const struct lfset__reclaim *domain,
                                                    struct lfset__set *set, uint64_t key,
                                                    struct lfset__guard guard)
{
    domain->leave(&guard);
    return wake(set, key);
}

/* Counts a change that was made, and leaves. Apart for the same reason. */
static __attribute__((noinline)) int count_and_leave(const struct lfset__reclaim *domain,
                                                     struct lfset__set *set, uint64_t key,
                                                     struct lfset__guard guard,
                                                     const struct lfset__changed_word changed)
{
    lfset__changed(set, changed.slice, &changed.probe, changed.change, 0);
    domain->leave(&guard);
    return somebody_waits(set) ? wake(set, key) : 1;
}

LFSET__INLINE int one(const struct lfset__reclaim *domain, const struct lfset_u64 *set,
                      uint64_t key, const enum lfset__op op)
{
    struct lfset__guard guard;
    if (lfset__unlikely(!domain->enter(&guard))) {
        return one_slowly(set, key, op, lfset__probe_caller()); // which attaches the thread
    }
    struct lfset__changed_word changed;
    int result = op == LFSET__CONTAINS
                     ? lfset__contains_fast(domain, base_of(set), &guard, key)
                     : lfset__update_fast(domain, base_of(set), &guard, key, op, &changed);
    if (op != LFSET__CONTAINS && lfset__unlikely(result == LFSET__COUNT)) {
        lfset__tell(base_of(set), key, op, 1, lfset__probe_caller());
        return count_and_leave(domain, base_of(set), key, guard, changed);
    }
    if (op != LFSET__CONTAINS && result == 1 && somebody_waits(base_of(set))) {
        lfset__tell(base_of(set), key, op, 1, lfset__probe_caller());
        return wake_and_leave(domain, base_of(set), key, guard);
    }
    domain->leave(&guard);
    if (lfset__unlikely(result == LFSET__WALK)) {
        return one_slowly(set, key, op, lfset__probe_caller());
    }
    lfset__tell(base_of(set), key, op, result, lfset__probe_caller());
    return result;
}

/* What observed.h wants to know. */
static uint64_t lfset__key_fingerprint(const struct lfset__key *key)
{
    return key->value;
}

static uint64_t lfset__key_bytes(const struct lfset__key *key)
{
    (void)key;
    return sizeof(uint64_t);
}

static struct lfset__noted_key lfset__key_noted(const struct lfset__key *key)
{
    return (struct lfset__noted_key){.number = key->value};
}

LFSET__INLINE int raw(const struct lfset_u64 *set, uint64_t key, const enum lfset__op op)
{
    return lfset__domain(&set->base) == LFSET_HP ? one(&lfset__hp, set, key, op)
                                                 : one(&lfset__rcu, set, key, op);
}

static int lfset__raw(struct lfset__set *set, struct lfset__key *key, enum lfset__op op)
{
    const struct lfset_u64 *whole = (const struct lfset_u64 *)set;
    return op == LFSET__ADD      ? raw(whole, key->value, LFSET__ADD)
           : op == LFSET__REMOVE ? raw(whole, key->value, LFSET__REMOVE)
                                 : raw(whole, key->value, LFSET__CONTAINS);
}

/* Observed, after all: what of one_observed is seldom. */
static __attribute__((noinline)) int note(const struct lfset_u64 *set, uint64_t key,
                                          enum lfset__op op, int result)
{
    lfset__observe(set->base.about, op, result, key, sizeof key);
    return result;
}

static __attribute__((noinline)) int observed_slowly(const struct lfset_u64 *set, uint64_t key,
                                                     enum lfset__op op)
{
    return note(set, key, op, one_slowly(set, key, op, lfset__probe_caller()));
}

static __attribute__((noinline)) int count_leave_and_note(const struct lfset__reclaim *domain,
                                                          const struct lfset_u64 *set, uint64_t key,
                                                          struct lfset__guard guard,
                                                          const struct lfset__changed_word changed,
                                                          enum lfset__op op)
{
    return note(set, key, op, count_and_leave(domain, base_of(set), key, guard, changed));
}

static __attribute__((noinline)) int leave_and_note(const struct lfset__reclaim *domain,
                                                    const struct lfset_u64 *set, uint64_t key,
                                                    struct lfset__guard guard, enum lfset__op op)
{
    return note(set, key, op, wake_and_leave(domain, base_of(set), key, guard));
}

/* As one(), and counts in the thread's lane. Like there all that is seldom is left to be done last. */
LFSET__INLINE int one_observed(const struct lfset__reclaim *domain, const struct lfset_u64 *set,
                               uint64_t key, const enum lfset__op op)
{
    struct lfset__guard guard;
    if (lfset__unlikely(!domain->enter(&guard))) {
        return observed_slowly(set, key, op);
    }
    struct lfset__changed_word changed;
    int result = op == LFSET__CONTAINS
                     ? lfset__contains_fast(domain, base_of(set), &guard, key)
                     : lfset__update_fast(domain, base_of(set), &guard, key, op, &changed);
    if (op != LFSET__CONTAINS && lfset__unlikely(result == LFSET__COUNT)) {
        lfset__tell(base_of(set), key, op, 1, lfset__probe_caller());
        return count_leave_and_note(domain, set, key, guard, changed, op);
    }
    if (op != LFSET__CONTAINS && result == 1 && somebody_waits(base_of(set))) {
        lfset__tell(base_of(set), key, op, 1, lfset__probe_caller());
        return leave_and_note(domain, set, key, guard, op);
    }
    domain->leave(&guard);
    if (lfset__unlikely(result == LFSET__WALK)) {
        return observed_slowly(set, key, op);
    }
    lfset__tell(base_of(set), key, op, result, lfset__probe_caller());
    const struct lfset__about *about = set->base.about;
    bool noted = op != LFSET__CONTAINS && result == 1 &&
                 (lfset__is_noted(about, key) || (op == LFSET__REMOVE && about->refuses_keys));
    if (lfset__unlikely(!about->counted || noted || !guard.self ||
                        guard.self->lane == LFSET__COUNTER_LANES)) {
        return note(set, key, op, result);
    }
    lfset__lane_count_in(&about->lanes[guard.self->lane], op, (uint64_t)result, 1, false);
    return result;
}

/* Each apart, so that none saves registers for another's sake: public functions only jump. */
#define OBSERVED_APART(name, op)                                                                   \
    static __attribute__((noinline)) int name##_observed_hp(const struct lfset_u64 *set,           \
                                                            uint64_t key)                          \
    {                                                                                              \
        return one_observed(&lfset__hp, set, key, op);                                             \
    }                                                                                              \
    static __attribute__((noinline)) int name##_observed_rcu(const struct lfset_u64 *set,          \
                                                             uint64_t key)                         \
    {                                                                                              \
        return one_observed(&lfset__rcu, set, key, op);                                            \
    }                                                                                              \
    static int name##_observed(const struct lfset_u64 *set, uint64_t key)                          \
    {                                                                                              \
        if (!set) {                                                                                \
            return -EINVAL;                                                                        \
        }                                                                                          \
        if ((op) == LFSET__ADD && lfset__unlikely(set->base.about->special)) {                     \
            struct lfset__key whole = {key};                                                       \
            return lfset__add_specially(base_of(set), &whole);                                     \
        }                                                                                          \
        return lfset__domain(&set->base) == LFSET_HP ? name##_observed_hp(set, key)                \
                                                     : name##_observed_rcu(set, key);              \
    }
OBSERVED_APART(add, LFSET__ADD)
OBSERVED_APART(remove, LFSET__REMOVE)
OBSERVED_APART(contains, LFSET__CONTAINS)

#define ONE_APART(name, op)                                                                        \
    static __attribute__((noinline)) int name##_hp(const struct lfset_u64 *set, uint64_t key)      \
    {                                                                                              \
        return one(&lfset__hp, set, key, op);                                                      \
    }                                                                                              \
    static __attribute__((noinline)) int name##_rcu(const struct lfset_u64 *set, uint64_t key)     \
    {                                                                                              \
        return one(&lfset__rcu, set, key, op);                                                     \
    }
ONE_APART(add, LFSET__ADD)
ONE_APART(remove, LFSET__REMOVE)
ONE_APART(contains, LFSET__CONTAINS)

int lfset_u64_add(struct lfset_u64 *set, uint64_t key)
{
    if (lfset__unlikely(!set) || lfset__is_observed(&set->base)) {
        return add_observed(set, key);
    }
    return is_hp(set) ? add_hp(set, key) : add_rcu(set, key);
}

int lfset_u64_remove(struct lfset_u64 *set, uint64_t key)
{
    if (lfset__unlikely(!set) || lfset__is_observed(&set->base)) {
        return remove_observed(set, key);
    }
    return is_hp(set) ? remove_hp(set, key) : remove_rcu(set, key);
}

int lfset_u64_contains(const struct lfset_u64 *set, uint64_t key)
{
    if (lfset__unlikely(!set) || lfset__is_observed(&set->base)) {
        return contains_observed(set, key);
    }
    return is_hp(set) ? contains_hp(set, key) : contains_rcu(set, key);
}

int lfset_u64_pop(struct lfset_u64 *set, uint64_t *key)
{
    struct lfset__walk walk;
    if (!set || !key) {
        return -EINVAL;
    }
    if (!lfset__enter(&walk, base_of(set))) {
        return -ENOMEM;
    }
    struct lfset__popped popped = {0};
    int result = lfset__pop_in(&walk, &popped);
    lfset__walk_leave(&walk);
    if (result == 1) {
        *key = popped.key;
        lfset__tell(base_of(set), *key, LFSET__REMOVE, 1, lfset__probe_caller());
        if (lfset__is_observed(base_of(set))) {
            lfset__observe(set->base.about, LFSET__REMOVE, 1, *key, sizeof *key);
        }
    }
    return result;
}

static int lfset__ask(struct lfset__set *set, struct lfset__key *key)
{
    return lfset__raw(set, key, LFSET__CONTAINS);
}

static int lfset__ask_to_visit(struct lfset__set *set, struct lfset__key *key)
{
    return lfset__ask(set, key);
}

static uint64_t lfset__members(const struct lfset__slice *slice)
{
    return lfset__count_live(slice);
}

/* ---- many keys ---------------------------------------------------------------------------------- */

LFSET__INLINE int one_of_many(const struct lfset__reclaim *domain, const struct lfset_u64 *set,
                              struct lfset__guard *guard, uint64_t key, const enum lfset__op op)
{
    struct lfset__changed_word changed;
    int result = op == LFSET__CONTAINS
                     ? lfset__contains_fast(domain, base_of(set), guard, key)
                     : lfset__update_fast(domain, base_of(set), guard, key, op, &changed);
    if (op != LFSET__CONTAINS && result > 0) {
        if (lfset__unlikely(result == LFSET__COUNT)) {
            lfset__changed(base_of(set), changed.slice, &changed.probe, changed.change, 0);
        }
        lfset__tell(base_of(set), key, op, 1, lfset__probe_caller());
        return somebody_waits(base_of(set)) ? wake(base_of(set), key) : 1;
    }
    if (lfset__unlikely(result == LFSET__WALK)) {
        struct lfset__walk walk = {.domain = domain, .set = base_of(set), .guard = *guard};
        struct lfset__key whole = {key};
        result = lfset__walk_chain(&walk, &whole, op);
        *guard = walk.guard;
    }
    lfset__tell(base_of(set), key, op, result, lfset__probe_caller());
    return result;
}

/* keys[first .. first + size - 1], size <= LFSET__BATCH, in one guard. */
LFSET__INLINE void batch(const struct lfset__reclaim *domain, const struct lfset_u64 *set,
                         struct lfset__guard *guard, const uint64_t *keys, size_t first,
                         size_t size, struct lfset__tally *tally, const enum lfset__op op)
{
    struct lfset__slice *slice = domain->root(guard, &base_of(set)->root);
    struct lfset__probe probes[LFSET__BATCH];
    for (size_t i = 0; i < size; i++) {
        probes[i] = lfset__probe_number(slice, keys[first + i]);
        lfset__probe_prefetch(&probes[i], op != LFSET__CONTAINS);
    }
    if (op != LFSET__CONTAINS) {
        for (size_t i = 0; i < size; i++) {
            int result = one_of_many(domain, set, guard, keys[first + i], op);
            lfset__tally_add(tally, first + i, result);
        }
        return;
    }
    // What the first look does not decide is in the next line, and is left until that has come, too.
    uint8_t left[LFSET__BATCH], walks[LFSET__BATCH];
    size_t lefts = 0, walk_count = 0;
    for (size_t i = 0; i < size; i++) {
        int result;
        bool decided = lfset__contains_decides(&probes[i], &result);
        if (lfset__likely(decided) && lfset__likely(result != LFSET__WALK)) {
            lfset__tally_add(tally, first + i, result);
        } else if (decided || !lfset__probe_skip(&probes[i], LFSET__LANES)) {
            walks[walk_count++] = (uint8_t)i;
        } else {
            lfset__probe_prefetch(&probes[i], false);
            left[lefts++] = (uint8_t)i;
        }
    }
    for (size_t i = 0; i < lefts; i++) {
        int result = lfset__contains_at(probes[left[i]]);
        if (lfset__likely(result != LFSET__WALK)) {
            lfset__tally_add(tally, first + left[i], result);
        } else {
            walks[walk_count++] = left[i];
        }
    }
    // Last, because a walk may let go of the slice.
    for (size_t i = 0; i < walk_count; i++) {
        int result = one_of_many(domain, set, guard, keys[first + walks[i]], op);
        lfset__tally_add(tally, first + walks[i], result);
    }
}

LFSET__INLINE int64_t many(const struct lfset__reclaim *domain, const struct lfset_u64 *set,
                           const uint64_t *keys, size_t count, int8_t *results,
                           const enum lfset__op op)
{
    struct lfset__tally tally = {.results = results};
    struct lfset__guard guard;
    for (size_t first = 0; first < count; first += LFSET__BATCH) {
        if (lfset__unlikely(!domain->enter(&guard) &&
                            !(lfset__thread_attach() && domain->enter(&guard)))) {
            for (size_t i = first; i < count; i++) {
                lfset__tally_add(&tally, i, -ENOMEM);
            }
            break;
        }
        size_t size = count - first < LFSET__BATCH ? count - first : LFSET__BATCH;
        batch(domain, set, &guard, keys, first, size, &tally, op);
        domain->leave(&guard);
    }
    return lfset__tally_end(&tally);
}

/* Up to LFSET__BATCH at a time, so that what each key's result was is known afterwards. */
static int64_t many_observed(const struct lfset_u64 *set, const uint64_t *keys, size_t count,
                             int8_t *results, enum lfset__op op)
{
    struct lfset__tally tally = {.results = results};
    bool hp = lfset__domain(&set->base) == LFSET_HP;
    for (size_t first = 0; first < count; first += LFSET__BATCH) {
        size_t size = count - first < LFSET__BATCH ? count - first : LFSET__BATCH;
        const uint64_t *these = keys + first;
        int8_t seen[LFSET__BATCH];
        if (op == LFSET__ADD && set->base.about->special) {
            for (size_t i = 0; i < size; i++) {
                lfset__tally_add(&tally, first + i, add_observed(set, these[i]));
            }
            continue;
        }
        if (op == LFSET__ADD) {
            hp ? many(&lfset__hp, set, these, size, seen, LFSET__ADD)
               : many(&lfset__rcu, set, these, size, seen, LFSET__ADD);
        } else if (op == LFSET__REMOVE) {
            hp ? many(&lfset__hp, set, these, size, seen, LFSET__REMOVE)
               : many(&lfset__rcu, set, these, size, seen, LFSET__REMOVE);
        } else {
            hp ? many(&lfset__hp, set, these, size, seen, LFSET__CONTAINS)
               : many(&lfset__rcu, set, these, size, seen, LFSET__CONTAINS);
        }
        for (size_t i = 0; i < size; i++) {
            lfset__tally_add(&tally, first + i, seen[i]);
            lfset__observe(set->base.about, op, seen[i], these[i], sizeof *these);
        }
    }
    return lfset__tally_end(&tally);
}

int64_t lfset_u64_add_many(struct lfset_u64 *set, const uint64_t *keys, size_t count,
                           int8_t *results)
{
    if (!set || (!keys && count > 0)) {
        return -EINVAL;
    }
    if (lfset__is_observed(&set->base)) {
        return many_observed(set, keys, count, results, LFSET__ADD);
    }
    return is_hp(set) ? many(&lfset__hp, set, keys, count, results, LFSET__ADD)
                      : many(&lfset__rcu, set, keys, count, results, LFSET__ADD);
}

int64_t lfset_u64_remove_many(struct lfset_u64 *set, const uint64_t *keys, size_t count,
                              int8_t *results)
{
    if (!set || (!keys && count > 0)) {
        return -EINVAL;
    }
    if (lfset__is_observed(&set->base)) {
        return many_observed(set, keys, count, results, LFSET__REMOVE);
    }
    return is_hp(set) ? many(&lfset__hp, set, keys, count, results, LFSET__REMOVE)
                      : many(&lfset__rcu, set, keys, count, results, LFSET__REMOVE);
}

int64_t lfset_u64_contains_many(const struct lfset_u64 *set, const uint64_t *keys, size_t count,
                                int8_t *results)
{
    if (!set || (!keys && count > 0)) {
        return -EINVAL;
    }
    if (lfset__is_observed(&set->base)) {
        return many_observed(set, keys, count, results, LFSET__CONTAINS);
    }
    return is_hp(set) ? many(&lfset__hp, set, keys, count, results, LFSET__CONTAINS)
                      : many(&lfset__rcu, set, keys, count, results, LFSET__CONTAINS);
}

/* ---- the whole set ------------------------------------------------------------------------------ */

int lfset_u64_reserve(struct lfset_u64 *set, uint64_t capacity, const struct lfset_cancel *cancel)
{
    return set ? lfset__reserve(base_of(set), capacity, cancel) : -EINVAL;
}

int64_t lfset_u64_size_estimate(const struct lfset_u64 *set)
{
    return set ? lfset__size_estimate(base_of(set)) : -EINVAL;
}

int lfset_u64_is_empty(struct lfset_u64 *set)
{
    return set ? lfset__is_empty(base_of(set)) : -EINVAL;
}

int64_t lfset_u64_size(struct lfset_u64 *set, const struct lfset_cancel *cancel)
{
    return set ? lfset__freeze_and_count(base_of(set), LFSET__SNAPSHOT, cancel) : -EINVAL;
}

int64_t lfset_u64_clear(struct lfset_u64 *set, const struct lfset_cancel *cancel)
{
    return set ? lfset__freeze_and_count(base_of(set), LFSET__CLEAR, cancel) : -EINVAL;
}

static int freeze_and_keep(struct lfset_u64 *set, enum lfset__kind kind,
                           struct lfset_u64_snapshot **snapshot, const struct lfset_cancel *cancel)
{
    if (!snapshot) {
        return -EINVAL;
    }
    *snapshot = NULL;
    if (!set) {
        return -EINVAL;
    }
    // Before the set is touched: a drain that cannot hand back what it took would lose it.
    struct lfset_u64_snapshot *made = lfset__u64_snapshot_alloc(&set->base.allocator);
    if (!made) {
        return -ENOMEM;
    }
    struct lfset__slice *frozen;
    int error = lfset__freeze_set(base_of(set), kind, &frozen, cancel);
    if (error) {
        lfset__u64_snapshot_abandon(made, &set->base.allocator);
        return error;
    }
    uint64_t members = lfset__u64_snapshot_fill(made, frozen);
    if (kind == LFSET__CLEAR) {
        lfset__trace_clear(base_of(set), members);
        lfset__observe_clear(set->base.about, members);
    }
    *snapshot = made;
    return 0;
}

int lfset_u64_snapshot_take(struct lfset_u64 *set, struct lfset_u64_snapshot **snapshot,
                            const struct lfset_cancel *cancel)
{
    return freeze_and_keep(set, LFSET__SNAPSHOT, snapshot, cancel);
}

int lfset_u64_drain(struct lfset_u64 *set, struct lfset_u64_snapshot **snapshot,
                    const struct lfset_cancel *cancel)
{
    return freeze_and_keep(set, LFSET__CLEAR, snapshot, cancel);
}

struct each {
    struct lfset__visitor visitor;
    int (*visit)(uint64_t key, void *ctx);
    void *ctx;
};

static int visit_word(const struct lfset__visitor *visitor, const struct lfset__slice *slice,
                      size_t index, uint64_t word)
{
    const struct each *each = (const struct each *)(const void *)visitor;
    return each->visit(lfset__word_key(slice, index, word), each->ctx);
}

int lfset_u64_each(const struct lfset_u64 *set, int (*visit)(uint64_t key, void *ctx), void *ctx,
                   const struct lfset_cancel *cancel)
{
    const struct each each = {{visit_word}, visit, ctx};
    return set && visit ? lfset__each(base_of(set), &each.visitor, cancel) : -EINVAL;
}

/* ---- waiting ------------------------------------------------------------------------------------ */

static int wait_for(struct lfset_u64 *set, uint64_t key, int present,
                    const struct lfset_cancel *cancel)
{
    struct lfset__key whole = {key};
    return set ? lfset__wait_for_key(base_of(set), &whole, present, cancel) : -EINVAL;
}

int lfset_u64_wait_present(struct lfset_u64 *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return wait_for(set, key, 1, cancel);
}

int lfset_u64_wait_absent(struct lfset_u64 *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return wait_for(set, key, 0, cancel);
}

int lfset_u64_wait_empty(struct lfset_u64 *set, const struct lfset_cancel *cancel)
{
    return set ? lfset__wait_for_empty(base_of(set), cancel) : -EINVAL;
}

/* ---- what it is made of ------------------------------------------------------------------------- */

int lfset_u64_stats_read(const struct lfset_u64 *set, struct lfset_stats *stats)
{
    return set && stats ? lfset__stats(base_of(set), stats) : -EINVAL;
}

int64_t lfset_u64_probe_lengths(const struct lfset_u64 *set, uint64_t *histogram, size_t length)
{
    return set ? lfset__probe_lengths(base_of(set), histogram, length) : -EINVAL;
}

int lfset_u64_validate(const struct lfset_u64 *set, const char **reason)
{
    return set ? lfset__validate(base_of(set), reason) : -EINVAL;
}

/* ---- for the registry ---------------------------------------------------------------------------- */

static struct lfset_u64 *set_of(struct lfset__about *about)
{
    return (struct lfset_u64 *)about->set;
}

static int about_refresh(struct lfset__about *about)
{
    struct lfset_stats stats = {.size = sizeof stats};
    int error = lfset__stats(base_of(set_of(about)), &stats);
    if (!error) {
        lfset__refresh(base_of(set_of(about)), &stats, stats.live);
    }
    return error;
}

static int64_t about_clear(struct lfset__about *about)
{
    return lfset_u64_clear(set_of(about), NULL);
}

static int64_t about_probe_lengths(struct lfset__about *about, uint64_t *histogram, size_t length)
{
    return lfset_u64_probe_lengths(set_of(about), histogram, length);
}

static int about_contains(struct lfset__about *about, uint64_t fingerprint)
{
    return raw(set_of(about), fingerprint, LFSET__CONTAINS);
}

static const struct lfset__about_ops about_ops = {
    .refresh = about_refresh,
    .clear = about_clear,
    .probe_lengths = about_probe_lengths,
    .contains_fingerprint = about_contains,
};

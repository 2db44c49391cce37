// SPDX-License-Identifier: MIT
/**
 * @file u64.c
 * The public face of the u64 set: argument checks, and one branch to the domain, for each of which
 * the operations of walk.h are inlined. The ordered view of snapshots is in u64_snapshot.c.
 */
#include "lfset/u64.h"

#include <string.h>

#include "platform/memory.h"
#include "reclaim/hp.h"
#include "reclaim/rcu.h"
#include "set/u64_snapshot.h"
#include "set/walk.h"

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
    return set->base.domain == LFSET_HP;
}

/* For operations in which an indirect call does not matter. */
static bool enter(struct lfset__walk *walk, const struct lfset_u64 *set)
{
    walk->domain = is_hp(set) ? &lfset__hp : &lfset__rcu;
    walk->set = base_of(set);
    return lfset__walk_enter(walk);
}

/* ---- creation ----------------------------------------------------------------------------------- */

static int check_options(const struct lfset_options *options)
{
    if (options->size != sizeof *options ||
        (options->domain != LFSET_RCU && options->domain != LFSET_HP)) {
        return -EINVAL;
    }
    const struct lfset_allocator *allocator = options->allocator;
    return allocator && (!allocator->alloc || !allocator->free) ? -EINVAL : 0;
}

int lfset_u64_create(struct lfset_u64 **set, const struct lfset_options *options)
{
    static const struct lfset_options defaults = LFSET_OPTIONS_INIT;
    if (!set) {
        return -EINVAL;
    }
    *set = NULL;
    if (!options) {
        options = &defaults;
    }
    int error = check_options(options);
    if (error) {
        return error;
    }
    error = lfset__reclaim_init(options->domain);
    if (error) {
        return error;
    }
    const struct lfset_allocator *allocator =
        options->allocator ? options->allocator : &lfset__default_allocator;
    struct lfset_u64 *made = lfset__alloc_zeroed(allocator, sizeof *made, LFSET__LINE);
    if (!made) {
        return -ENOMEM;
    }
    error = lfset__set_init(&made->base, options->domain, allocator, options->capacity,
                            options->seed, options->name);
    if (error) {
        lfset__free(allocator, made, sizeof *made, LFSET__LINE);
        return error;
    }
    *set = made;
    return 0;
}

int lfset_u64_destroy(struct lfset_u64 *set)
{
    return set ? lfset__set_close(&set->base) : 0;
}

/* ---- one key ------------------------------------------------------------------------------------ */

/* An operation that the fast path could not decide, from the start. */
static __attribute__((noinline)) int one_slowly(const struct lfset_u64 *set, uint64_t key,
                                                enum lfset__op op)
{
    struct lfset__walk walk;
    if (!enter(&walk, set)) {
        return -ENOMEM;
    }
    int result = lfset__walk_chain(&walk, key, op);
    lfset__walk_leave(&walk);
    return result;
}

/* Counts a change that was made, and leaves. Apart, so that one() can end with a jump to it. */
static __attribute__((noinline)) int count_and_leave(const struct lfset__reclaim *domain,
                                                     struct lfset__set *set,
                                                     struct lfset__guard guard,
                                                     const struct lfset__changed_word changed)
{
    lfset__changed(set, changed.slice, &changed.probe, changed.change);
    domain->leave(&guard);
    return 1;
}

LFSET__INLINE int one(const struct lfset__reclaim *domain, const struct lfset_u64 *set,
                      uint64_t key, const enum lfset__op op)
{
    struct lfset__guard guard;
    if (lfset__unlikely(!domain->enter(&guard))) {
        return one_slowly(set, key, op); // which attaches the thread
    }
    struct lfset__changed_word changed;
    int result = op == LFSET__CONTAINS
                     ? lfset__contains_fast(domain, base_of(set), &guard, key)
                     : lfset__update_fast(domain, base_of(set), &guard, key, op, &changed);
    if (op != LFSET__CONTAINS && lfset__unlikely(result == LFSET__COUNT)) {
        return count_and_leave(domain, base_of(set), guard, changed);
    }
    domain->leave(&guard);
    return lfset__likely(result != LFSET__WALK) ? result : one_slowly(set, key, op);
}

int lfset_u64_add(struct lfset_u64 *set, uint64_t key)
{
    if (lfset__unlikely(!set)) {
        return -EINVAL;
    }
    return is_hp(set) ? one(&lfset__hp, set, key, LFSET__ADD)
                      : one(&lfset__rcu, set, key, LFSET__ADD);
}

int lfset_u64_remove(struct lfset_u64 *set, uint64_t key)
{
    if (lfset__unlikely(!set)) {
        return -EINVAL;
    }
    return is_hp(set) ? one(&lfset__hp, set, key, LFSET__REMOVE)
                      : one(&lfset__rcu, set, key, LFSET__REMOVE);
}

int lfset_u64_contains(const struct lfset_u64 *set, uint64_t key)
{
    if (lfset__unlikely(!set)) {
        return -EINVAL;
    }
    return is_hp(set) ? one(&lfset__hp, set, key, LFSET__CONTAINS)
                      : one(&lfset__rcu, set, key, LFSET__CONTAINS);
}

int lfset_u64_pop(struct lfset_u64 *set, uint64_t *key)
{
    struct lfset__walk walk;
    if (!set || !key) {
        return -EINVAL;
    }
    if (!enter(&walk, set)) {
        return -ENOMEM;
    }
    uint64_t popped = 0;
    int result = lfset__pop_in(&walk, &popped);
    lfset__walk_leave(&walk);
    if (result == 1) {
        *key = popped;
    }
    return result;
}

/* ---- many keys ---------------------------------------------------------------------------------- */

/** Keys whose cache misses overlap. */
enum { BATCH = 16 };

LFSET__INLINE int one_of_many(const struct lfset__reclaim *domain, const struct lfset_u64 *set,
                              struct lfset__guard *guard, uint64_t key, const enum lfset__op op)
{
    struct lfset__changed_word changed;
    int result = op == LFSET__CONTAINS
                     ? lfset__contains_fast(domain, base_of(set), guard, key)
                     : lfset__update_fast(domain, base_of(set), guard, key, op, &changed);
    if (op != LFSET__CONTAINS && lfset__unlikely(result == LFSET__COUNT)) {
        lfset__changed(base_of(set), changed.slice, &changed.probe, changed.change);
        return 1;
    }
    if (lfset__unlikely(result == LFSET__WALK)) {
        struct lfset__walk walk = {.domain = domain, .set = base_of(set), .guard = *guard};
        result = lfset__walk_chain(&walk, key, op);
        *guard = walk.guard;
    }
    return result;
}

/** What a *_many call has found so far. */
struct tally {
    int8_t *results;
    int64_t changed;
    int error; /**< the first */
};

LFSET__INLINE void tally_add(struct tally *tally, size_t index, int result)
{
    if (tally->results) {
        tally->results[index] = (int8_t)result;
    }
    if (lfset__likely(result >= 0)) {
        tally->changed += result;
    } else if (!tally->error) {
        tally->error = result;
    }
}

/* keys[first .. first + size - 1], size <= BATCH, in one guard. */
LFSET__INLINE void batch(const struct lfset__reclaim *domain, const struct lfset_u64 *set,
                         struct lfset__guard *guard, const uint64_t *keys, size_t first,
                         size_t size, struct tally *tally, const enum lfset__op op)
{
    struct lfset__slice *slice = domain->root(guard, &base_of(set)->root);
    struct lfset__probe probes[BATCH];
    for (size_t i = 0; i < size; i++) {
        probes[i] = lfset__probe_key(slice, keys[first + i]);
        lfset__probe_prefetch(&probes[i], op != LFSET__CONTAINS);
    }
    size_t i = 0;
    while (op == LFSET__CONTAINS && i < size) {
        int result = lfset__contains_at(probes[i]);
        if (lfset__unlikely(result == LFSET__WALK)) {
            break; // a walk may let go of the slice: from here on each key starts at root
        }
        tally_add(tally, first + i++, result);
    }
    for (; i < size; i++) {
        tally_add(tally, first + i, one_of_many(domain, set, guard, keys[first + i], op));
    }
}

LFSET__INLINE int64_t many(const struct lfset__reclaim *domain, const struct lfset_u64 *set,
                           const uint64_t *keys, size_t count, int8_t *results,
                           const enum lfset__op op)
{
    struct tally tally = {.results = results};
    struct lfset__guard guard;
    for (size_t first = 0; first < count; first += BATCH) {
        if (lfset__unlikely(!domain->enter(&guard) &&
                            !(lfset__thread_attach() && domain->enter(&guard)))) {
            for (size_t i = first; i < count; i++) {
                tally_add(&tally, i, -ENOMEM);
            }
            break;
        }
        size_t size = count - first < BATCH ? count - first : BATCH;
        batch(domain, set, &guard, keys, first, size, &tally, op);
        domain->leave(&guard);
    }
    return tally.error ? tally.error : tally.changed;
}

int64_t lfset_u64_add_many(struct lfset_u64 *set, const uint64_t *keys, size_t count,
                           int8_t *results)
{
    if (!set || (!keys && count > 0)) {
        return -EINVAL;
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
    return is_hp(set) ? many(&lfset__hp, set, keys, count, results, LFSET__REMOVE)
                      : many(&lfset__rcu, set, keys, count, results, LFSET__REMOVE);
}

int64_t lfset_u64_contains_many(const struct lfset_u64 *set, const uint64_t *keys, size_t count,
                                int8_t *results)
{
    if (!set || (!keys && count > 0)) {
        return -EINVAL;
    }
    return is_hp(set) ? many(&lfset__hp, set, keys, count, results, LFSET__CONTAINS)
                      : many(&lfset__rcu, set, keys, count, results, LFSET__CONTAINS);
}

/* ---- the whole set ------------------------------------------------------------------------------ */

int lfset_u64_reserve(struct lfset_u64 *set, uint64_t capacity)
{
    struct lfset__walk walk;
    if (!set) {
        return -EINVAL;
    }
    unsigned log2 = lfset__log2_for_capacity(capacity);
    if (log2 == 0 || !enter(&walk, set)) {
        return -ENOMEM;
    }
    // The floor first: otherwise a removing thread could shrink in between what was just made.
    uint32_t former = lfset__swap_sc(&set->base.floor_log2, log2);
    int result = lfset__reserve_in(&walk, log2);
    lfset__walk_leave(&walk);
    if (result != 0) {
        lfset__store_rlx(&set->base.floor_log2, former);
    }
    return result;
}

int64_t lfset_u64_size_estimate(const struct lfset_u64 *set)
{
    struct lfset_stats stats = {.size = sizeof stats};
    int error = lfset_u64_stats_read(set, &stats);
    return error ? error : (int64_t)stats.live;
}

int lfset_u64_is_empty(struct lfset_u64 *set)
{
    struct lfset__walk walk;
    if (!set) {
        return -EINVAL;
    }
    if (!enter(&walk, set)) {
        return -ENOMEM;
    }
    int result = lfset__is_empty_in(&walk);
    lfset__walk_leave(&walk);
    return result;
}

/* Freezes the set's slice at one instant. @return 0 with a slice to drop, or a negative errno. */
static int freeze(struct lfset_u64 *set, enum lfset__kind kind, struct lfset__slice **frozen)
{
    struct lfset__walk walk;
    if (!set) {
        return -EINVAL;
    }
    if (!enter(&walk, set)) {
        return -ENOMEM;
    }
    int error = lfset__gate(&walk, kind, frozen);
    lfset__walk_leave(&walk);
    return error;
}

static int64_t freeze_and_count(struct lfset_u64 *set, enum lfset__kind kind)
{
    struct lfset__slice *frozen;
    int error = freeze(set, kind, &frozen);
    if (error) {
        return error;
    }
    int64_t live = (int64_t)lfset__count_live(frozen);
    lfset__slice_drop(frozen);
    return live;
}

int64_t lfset_u64_size(struct lfset_u64 *set)
{
    return freeze_and_count(set, LFSET__SNAPSHOT);
}

int64_t lfset_u64_clear(struct lfset_u64 *set)
{
    return freeze_and_count(set, LFSET__CLEAR);
}

static int freeze_and_keep(struct lfset_u64 *set, enum lfset__kind kind,
                           struct lfset_u64_snapshot **snapshot)
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
    int error = freeze(set, kind, &frozen);
    if (error) {
        lfset__u64_snapshot_abandon(made, &set->base.allocator);
        return error;
    }
    lfset__u64_snapshot_fill(made, frozen);
    *snapshot = made;
    return 0;
}

int lfset_u64_snapshot_take(struct lfset_u64 *set, struct lfset_u64_snapshot **snapshot)
{
    return freeze_and_keep(set, LFSET__SNAPSHOT, snapshot);
}

int lfset_u64_drain(struct lfset_u64 *set, struct lfset_u64_snapshot **snapshot)
{
    return freeze_and_keep(set, LFSET__CLEAR, snapshot);
}

/* ---- iteration ---------------------------------------------------------------------------------- */

static bool is_bound_in(struct lfset__slice *slice, uint64_t key)
{
    struct lfset__probe probe = lfset__probe_key(slice, key);
    uint64_t word;
    return lfset__find(&probe, &word) == LFSET__FOUND_BOUND;
}

/* Visits the keys bound in held[which], except those that an earlier slice binds: they had their
 * turn. Whether a key is in the set *now* is asked of the set. */
static int visit_slice(const struct lfset_u64 *set, struct lfset__slice *const *held, int which,
                       int (*visit)(uint64_t key, void *ctx), void *ctx)
{
    struct lfset__slice *slice = held[which];
    size_t words = lfset__slice_words(slice);
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_sc(&slice->words[i]);
        if (!(word & LFSET__BOUND)) {
            continue;
        }
        uint64_t key = lfset__word_key(slice, i, word);
        bool had_its_turn = false;
        for (int earlier = 0; earlier < which; earlier++) {
            had_its_turn = had_its_turn || is_bound_in(held[earlier], key);
        }
        if (had_its_turn) {
            continue;
        }
        int result = lfset_u64_contains(set, key);
        if (result == 1) {
            result = visit(key, ctx);
        }
        if (result != 0) {
            return result;
        }
    }
    return 0;
}

int lfset_u64_each(const struct lfset_u64 *set, int (*visit)(uint64_t key, void *ctx), void *ctx)
{
    struct lfset__slice *held[LFSET__EACH_SLICES];
    struct lfset__walk walk;
    if (!set || !visit) {
        return -EINVAL;
    }
    if (!enter(&walk, set)) {
        return -ENOMEM;
    }
    int count = lfset__hold_chain(&walk, held);
    lfset__walk_leave(&walk);
    int result = count < 0 ? count : 0;
    for (int i = 0; i < count && result == 0; i++) {
        result = visit_slice(set, held, i, visit, ctx);
    }
    for (int i = 0; i < count; i++) {
        lfset__slice_drop(held[i]);
    }
    return result;
}

/* ---- what it is made of ------------------------------------------------------------------------- */

int lfset_u64_stats_read(const struct lfset_u64 *set, struct lfset_stats *stats)
{
    struct lfset__walk walk;
    if (!set || !stats || stats->size != sizeof *stats) {
        return -EINVAL;
    }
    if (!enter(&walk, set)) {
        return -ENOMEM;
    }
    struct lfset__set *base = walk.set;
    struct lfset__slice *root, *next;
    do {
        root = lfset__walk_root(&walk);
    } while (!lfset__protect_next(&walk, root, &next));
    uint64_t live;
    *stats = (struct lfset_stats){
        .size = sizeof *stats,
        .domain = base->domain,
        .capacity = UINT64_C(1) << root->log2,
        .bytes = sizeof *set + lfset__slice_bytes(root) + (next ? lfset__slice_bytes(next) : 0),
        .slices = next ? 2 : 1,
        .grows = lfset__load_rlx(&base->grows),
        .purges = lfset__load_rlx(&base->purges),
        .shrinks = lfset__load_rlx(&base->shrinks),
        .rehashes = lfset__load_rlx(&base->rehashes),
        .snapshots = lfset__load_rlx(&base->snapshots),
        .clears = lfset__load_rlx(&base->clears),
        .retired = (uint64_t)lfset__load_rlx(&base->retired),
        .name = base->name ? base->name : "",
    };
    lfset__estimate(root, &stats->bound, &live);
    stats->live = lfset__estimate_live(root, next);
    lfset__walk_leave(&walk);
    return 0;
}

int64_t lfset_u64_probe_lengths(const struct lfset_u64 *set, uint64_t *histogram, size_t length)
{
    struct lfset__walk walk;
    if (!set || !histogram || length == 0) {
        return -EINVAL;
    }
    if (!enter(&walk, set)) {
        return -ENOMEM;
    }
    memset(histogram, 0, length * sizeof *histogram);
    struct lfset__slice *root = lfset__walk_root(&walk);
    size_t words = lfset__slice_words(root);
    int64_t bound = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_rlx(&root->words[i]);
        if (word & LFSET__BOUND) {
            uint64_t distance = lfset__displacement(root, word);
            histogram[distance < length ? distance : length - 1]++;
            bound++;
        }
    }
    lfset__walk_leave(&walk);
    return bound;
}

/* @return NULL, or what is wrong with the slice. */
static const char *slice_fault(struct lfset__slice *slice)
{
    size_t words = lfset__slice_words(slice);
    uint64_t bound = 0, live = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_rlx(&slice->words[i]);
        if (!(word & LFSET__BOUND)) {
            if (!lfset__is_empty_word(word)) {
                return "a word that is not bound is not empty";
            }
            continue;
        }
        uint64_t distance = lfset__displacement(slice, word);
        if (distance >= slice->reach || distance > i || i - distance >= (size_t)1 << slice->log2) {
            return "a key is bound outside its reach";
        }
        struct lfset__probe probe = lfset__probe_hash(slice, lfset__word_hash(slice, i, word));
        uint64_t found;
        if (lfset__find(&probe, &found) != LFSET__FOUND_BOUND || probe.slot != &slice->words[i]) {
            return "a key is bound twice, or behind an empty word";
        }
        if (lfset__is_sampled(slice, &slice->words[i])) {
            bound++;
            live += word & LFSET__LIVE;
        }
    }
    if (lfset__load_rlx(&slice->counts) != (bound << 32 | live)) {
        return "the sampled counts are wrong";
    }
    return NULL;
}

int lfset_u64_validate(const struct lfset_u64 *set, const char **reason)
{
    if (!set) {
        return -EINVAL;
    }
    const char *fault = NULL;
    struct lfset__slice *slice = lfset__load_acq(&base_of(set)->root);
    for (; slice && !fault; slice = lfset__next(slice)) {
        fault = slice_fault(slice);
    }
    if (fault && reason) {
        *reason = fault;
    }
    return fault == NULL;
}

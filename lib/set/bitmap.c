// SPDX-License-Identifier: MIT
/**
 * @file bitmap.c
 * The set of integers that lie close together: what operations do to regions (bitmap_codec.h), ranges, and
 * the public functions. Snapshots are in bitmap_snapshot.c.
 */
#include "lfset/bitmap.h"

#include "set/bitmap_codec.h" // the codec before what uses it

#include "set/bitmap.h"
#include "set/operations.h"

struct lfset_bitmap {
    struct lfset__set base;
    _Alignas(LFSET__LINE) _Atomic(int64_t) sampled; /**< members that the estimate counts */
};

LFSET__INLINE struct lfset__set *base_of(const struct lfset_bitmap *set)
{
    return (struct lfset__set *)(uintptr_t)&set->base;
}

LFSET__INLINE _Atomic(int64_t) *sampled_of(struct lfset__set *set)
{
    return &((struct lfset_bitmap *)set)->sampled;
}

/* ---- regions that are of no use any more -------------------------------------------------------- */

/* Gives root a successor when replaced regions, and `idle` ones, outweigh the others. */
static void purge_if(struct lfset__set *set, struct lfset__slice *slice, uint64_t idle)
{
    const uint64_t weight = sizeof(struct lfset__region);
    uint64_t buried = (uint64_t)lfset__load_rlx(&slice->nodes->dead_bytes), bound, live;
    if (buried + idle * weight <= LFSET__DEAD_BYTES || lfset__load_rlx(&set->root) != slice ||
        lfset__next(slice)) {
        return;
    }
    lfset__estimate(slice, &bound, &live);
    idle = idle < bound ? idle : bound; // the others were left behind, and wait to be freed
    uint64_t dead = buried + idle * weight;
    if (dead > LFSET__DEAD_BYTES && dead > bound * weight / 2) {
        (void)lfset__publish_next(set, slice, lfset__plan_resize(set, slice));
    }
}

/* A succession asks this, too. What is buried is the slice's own and the next slice begins with none; were
 * idle regions, which the set counts, a reason, a wrong count would make succession follow succession. */
static __attribute__((noinline)) void lfset__purge_if_dead(struct lfset__set *set,
                                                           struct lfset__slice *slice)
{
    purge_if(set, slice, 0);
}

/* What an update that emptied or replaced a region asks: one succession for one update, at most. */
static __attribute__((noinline)) void tidy_up(struct lfset__set *set, struct lfset__slice *slice)
{
    purge_if(set, slice, lfset__droppable(set));
    lfset__shrink_if_sparse(set, slice);
}

/* A word of the region lost its last member. @return whether it was the region's last. */
static __attribute__((noinline)) bool
word_emptied(struct lfset__set *set, struct lfset__slice *slice, struct lfset__region *region)
{
    bool empty = lfset__region_is_empty(region);
    if (empty) {
        lfset__mark_idle(set, region);
        tidy_up(set, slice);
    }
    return empty;
}

/* What who emptied a region does when all else is done, if a succession is under way: more than its share
 * of that, because there may not be many updates left to come, and until it is over nothing is given back. */
static __attribute__((noinline)) void help_more(struct lfset__walk *walk)
{
    lfset__help_some(walk, 3);
}

/* ---- the walk: what bitmap_codec.h argues ------------------------------------------------------- */

/* The bits of a word that the operation wants to change. */
LFSET__INLINE uint64_t to_change(const struct lfset__key *key, const enum lfset__op op,
                                 uint64_t bits)
{
    uint64_t mask = lfset__key_mask(key);
    return op == LFSET__ADD ? mask & ~bits : op == LFSET__REMOVE ? mask & bits : 0;
}

LFSET__INLINE uint64_t hits_of(const struct lfset__key *key, const enum lfset__op op, uint64_t bits)
{
    return op == LFSET__CONTAINS ? lfset__key_mask(key) & bits : to_change(key, op, bits);
}

/* One word, which decides unless it is frozen. @return false when it is; key->frozen is its members. */
LFSET__INLINE bool do_word(struct lfset__set *set, struct lfset__slice *slice,
                           struct lfset__region *region, struct lfset__key *key,
                           const enum lfset__op op)
{
    _Atomic(uint64_t) *word = &region->words[lfset__key_word(key)];
    uint64_t bits = lfset__load_sc(word), change; // [word.decide]
    do {
        if (lfset__unlikely(bits & LFSET__WORD_FROZEN)) {
            key->frozen = bits & ~LFSET__WORD_FROZEN;
            return false;
        }
        change = to_change(key, op, bits);
    } while (change && !lfset__cas_sc(word, &bits, bits ^ change));
    lfset__key_step(key, op != LFSET__CONTAINS, hits_of(key, op, bits));
    if (op == LFSET__REMOVE && change && bits == change) {
        key->emptied = word_emptied(set, slice, region);
    }
    if (op == LFSET__ADD && change && lfset__unlikely(lfset__load_rlx(&region->idle))) {
        lfset__review_idle(set, region);
    }
    return true;
}

/* A private region with the operation's rest done in it: a copy, whose original is frozen whole (B2), or
 * a new one. @return NULL for lack of memory. */
static struct lfset__region *make_region(struct lfset__set *set, struct lfset__region *original,
                                         struct lfset__key *key, const enum lfset__op op)
{
    struct lfset__region *made =
        (struct lfset__region *)(void *)lfset__node_alloc(set, sizeof *made);
    if (!made) {
        return NULL;
    }
    made->linked.node.hash = key->number;
    made->linked.node.length = 0;
    made->linked.next = NULL;
    lfset__store_rlx(&made->idle, 0);
    for (size_t i = 0; i < LFSET__REGION_WORDS; i++) {
        uint64_t bits = original ? lfset__freeze_members(&original->words[i]) : 0;
        if (!lfset__key_is_done(key) && lfset__key_word(key) == i) {
            uint64_t change = to_change(key, op, bits);
            lfset__key_step(key, true, change);
            bits ^= change;
        }
        lfset__store_rlx(&made->words[i], bits);
    }
    return made;
}

/* The slot names the copy now. */
static void settle_displaced(struct lfset__set *set, struct lfset__slice *slice,
                             struct lfset__region *displaced)
{
    (void)lfset__unmark_idle(set, displaced);
    lfset__add_rlx(&slice->nodes->dead_bytes, (int64_t)sizeof *displaced);
    lfset__bury(slice, &displaced->linked.node);
    tidy_up(set, slice);
}

/* Where nothing but what was carried decides. */
static inline int lfset__decided(struct lfset__key *key, const enum lfset__op op,
                                 const struct lfset__carried *carried)
{
    if (!carried->region) {
        if (op == LFSET__ADD) {
            return LFSET__WALK;
        }
        key->first = key->last + 1; // the number is not bound: all are absent
    } else if (to_change(key, op, key->frozen)) {
        return LFSET__WALK;
    } else {
        lfset__key_step(key, op != LFSET__CONTAINS, hits_of(key, op, key->frozen));
    }
    return (int)key->count;
}

/* Puts a region that is made for the rest of the operation where `original` is, or nothing.
 * @return 1, 0: the slot has changed, and *word is what it is now; -ENOMEM. */
static __attribute__((noinline)) int put_region(struct lfset__set *set, struct lfset__slice *slice,
                                                struct lfset__key *key, const enum lfset__op op,
                                                struct lfset__region *original,
                                                const struct lfset__probe *probe, uint64_t *word)
{
    struct lfset__key done = *key;
    struct lfset__region *made = make_region(set, original, &done, op);
    if (!made) {
        return -ENOMEM;
    }
    bool bound = *word & LFSET__BOUND;
    uint64_t desired = lfset__node_word(&made->linked.node);
    if (!lfset__cas_sc(probe->slot, word, desired)) { // [node.publish]
        lfset__drop(set, made);
        return 0;
    }
    *key = done;
    if (bound) {
        settle_displaced(set, slice, original);
    } else {
        lfset__changed(set, slice, probe, LFSET__BIND_LIVE, desired);
    }
    if (op == LFSET__REMOVE) {
        key->emptied = word_emptied(set, slice, made);
    }
    return 1;
}

/* Does as many words as can be done here. @return how many members changed or were found so far, with at
 * least one more word done; LFSET__WALK, -ENOMEM. */
static inline int lfset__decide(struct lfset__walk *walk, struct lfset__slice *slice,
                                struct lfset__key *key, const enum lfset__op op,
                                struct lfset__carried *carried, struct lfset__probe *probe,
                                enum lfset__found *found, uint64_t *word)
{
    struct lfset__set *set = walk->set;
    for (;;) {
        struct lfset__region *region = carried->region;
        if (*found == LFSET__FOUND_BOUND) {
            region = lfset__word_region(*word);
            while (lfset__likely(do_word(set, slice, region, key, op))) {
                if (lfset__key_is_done(key)) {
                    return (int)key->count;
                }
            }
            if (*word & LFSET__FROZEN) {
                return LFSET__WALK;
            }
            if (!to_change(key, op, key->frozen)) {
                lfset__key_step(key, op != LFSET__CONTAINS, hits_of(key, op, key->frozen));
                if (lfset__key_is_done(key)) {
                    return (int)key->count;
                }
                continue;
            }
        } else {
            if (*found == LFSET__FOUND_OVERFULL || *word & LFSET__FROZEN) {
                return LFSET__WALK;
            }
            int result = lfset__decided(key, op, carried);
            if (result != LFSET__WALK) {
                return result;
            }
        }
        int put = put_region(set, slice, key, op, region, probe, word);
        if (put != 0) {
            return put < 0 ? put : (int)key->count;
        }
        if (*found == LFSET__FOUND_EMPTY) {
            *found = lfset__find(probe, word); // taken or frozen meanwhile
        }
    }
}

/* What an operation has changed goes into the estimate of the size. */
LFSET__INLINE void count_sampled(struct lfset__set *set, const struct lfset__key *key,
                                 const enum lfset__op op)
{
    if (op != LFSET__CONTAINS && lfset__unlikely(key->sampled)) {
        int64_t change = op == LFSET__ADD ? (int64_t)key->sampled : -(int64_t)key->sampled;
        lfset__add_rlx(sampled_of(set), change);
    }
}

LFSET__INLINE int one_domain(const struct lfset__reclaim *domain, struct lfset__set *set,
                             struct lfset__key *key, const enum lfset__op op)
{
    struct lfset__walk walk = {.domain = domain, .set = set};
    if (lfset__unlikely(!lfset__walk_enter(&walk))) {
        return -ENOMEM;
    }
    int result;
    do {
        result = lfset__one_in(&walk, key, op); // does at least one word
    } while (lfset__unlikely(!lfset__key_is_done(key)) && result >= 0);
    if (op == LFSET__REMOVE && lfset__unlikely(key->emptied)) {
        help_more(&walk);
    }
    lfset__walk_leave(&walk);
    count_sampled(set, key, op);
    return result;
}

/* All of a key. @return how many members changed or were found; -ENOMEM, with key->count. */
LFSET__INLINE int one(struct lfset__set *set, struct lfset__key *key, const enum lfset__op op)
{
    return lfset__domain(set) == LFSET_HP ? one_domain(&lfset__hp, set, key, op)
                                          : one_domain(&lfset__rcu, set, key, op);
}

/* Apart, for when speed does not matter. */
static __attribute__((noinline)) int look_up(struct lfset__set *set, struct lfset__key *key)
{
    return one(set, key, LFSET__CONTAINS);
}

static __attribute__((noinline)) void wake(struct lfset__set *set, uint64_t member)
{
    struct lfset__key key = lfset__key_of(member);
    lfset__wake(lfset__tag(set, lfset__key_mixed(&key)));
}

/* For sleepers, after a change: one load when nobody waits. [wait.register] */
LFSET__INLINE void notify(struct lfset__set *set, uint64_t member)
{
    if (lfset__unlikely(lfset__load_sc(&set->waiting) != 0)) {
        wake(set, member);
    }
}

/* ---- what operations.h asks for ----------------------------------------------------------------- */

static int lfset__ask(struct lfset__set *set, struct lfset__key *key)
{
    struct lfset__key asked = *key; // which is the asker's to use again
    return look_up(set, &asked);
}

/* Visitors look at the region's members themselves. */
static int lfset__ask_to_visit(struct lfset__set *set, struct lfset__key *key)
{
    (void)set, (void)key;
    return 1;
}

static uint64_t lfset__members(const struct lfset__slice *slice)
{
    uint64_t members = 0;
    size_t words = lfset__slice_words(slice);
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_acq(&slice->words[i]);
        if (word & LFSET__LIVE) {
            members += lfset__region_members(lfset__word_region(word));
        }
    }
    return members;
}

static void drop_node(struct lfset__set *set, struct lfset__node *node)
{
    lfset__drop(set, (struct lfset__region *)(void *)node);
}

static void release_regions(struct lfset__slice *slice)
{
    lfset__release(slice, drop_node);
}

static const struct lfset__node_type region_type = {.release = release_regions};

/* ---- creation ----------------------------------------------------------------------------------- */

static const struct lfset__about_ops about_ops;

/* Regions for `capacity` members that lie close together. */
static uint64_t regions_for(uint64_t capacity)
{
    return capacity / LFSET__REGION_KEYS + 1;
}

int lfset_bitmap_create(struct lfset_bitmap **set, const struct lfset_options *options)
{
    struct lfset_options in_regions = LFSET_OPTIONS_INIT;
    if (!set) {
        return -EINVAL;
    }
    if (options && options->size == sizeof *options) {
        in_regions = *options;
        in_regions.capacity = regions_for(options->capacity);
        options = &in_regions;
    }
    static const struct lfset__set_type type = {LFSET_KIND_BITMAP, sizeof **set, &region_type,
                                                &about_ops};
    struct lfset__set *made;
    int error = lfset__set_create(&made, &type, options);
    *set = (struct lfset_bitmap *)made;
    if (made) {
        lfset__set_list(made);
    }
    return error;
}

int lfset_bitmap_destroy(struct lfset_bitmap *set)
{
    return set ? lfset__set_close(&set->base) : 0;
}

void lfset__bitmap_options(const struct lfset_bitmap *set, struct lfset_options *options)
{
    lfset__set_options(&set->base, options);
}

/* ---- observed (observed.h) ------------------------------------------------------------------------ */

/* The first that a key is about. */
static uint64_t member_of(const struct lfset__key *key)
{
    return key->number * LFSET__REGION_KEYS + key->first;
}

static uint64_t lfset__key_fingerprint(const struct lfset__key *key)
{
    return member_of(key);
}

static uint64_t lfset__key_bytes(const struct lfset__key *key)
{
    (void)key;
    return 1; // an eighth, and its part of what a region costs
}

static struct lfset__noted_key lfset__key_noted(const struct lfset__key *key)
{
    return (struct lfset__noted_key){.number = member_of(key)};
}

static int lfset__raw(struct lfset__set *set, struct lfset__key *key, enum lfset__op op)
{
    return op == LFSET__ADD      ? one(set, key, LFSET__ADD)
           : op == LFSET__REMOVE ? one(set, key, LFSET__REMOVE)
                                 : one(set, key, LFSET__CONTAINS);
}

static __attribute__((noinline)) int one_observed(struct lfset__set *set, struct lfset__key *key,
                                                  enum lfset__op op)
{
    return op == LFSET__ADD      ? lfset__observed(set, key, LFSET__ADD)
           : op == LFSET__REMOVE ? lfset__observed(set, key, LFSET__REMOVE)
                                 : lfset__observed(set, key, LFSET__CONTAINS);
}

/* ---- one member --------------------------------------------------------------------------------- */

LFSET__INLINE int one_member(struct lfset__set *set, struct lfset__key *key,
                             const enum lfset__op op)
{
    return lfset__is_observed(set) ? one_observed(set, key, op) : one(set, key, op);
}

int lfset_bitmap_add(struct lfset_bitmap *set, uint64_t member)
{
    if (lfset__unlikely(!set)) {
        return -EINVAL;
    }
    struct lfset__key key = lfset__key_of(member);
    int result = one_member(base_of(set), &key, LFSET__ADD);
    lfset__tell(base_of(set), member, LFSET__ADD, result, lfset__probe_caller());
    if (result == 1) {
        notify(base_of(set), member);
    }
    return result;
}

int lfset_bitmap_remove(struct lfset_bitmap *set, uint64_t member)
{
    if (lfset__unlikely(!set)) {
        return -EINVAL;
    }
    struct lfset__key key = lfset__key_of(member);
    int result = one_member(base_of(set), &key, LFSET__REMOVE);
    lfset__tell(base_of(set), member, LFSET__REMOVE, result, lfset__probe_caller());
    if (result == 1) {
        notify(base_of(set), member);
    }
    return result;
}

int lfset_bitmap_contains(const struct lfset_bitmap *set, uint64_t member)
{
    if (lfset__unlikely(!set)) {
        return -EINVAL;
    }
    struct lfset__key key = lfset__key_of(member);
    return one_member(base_of(set), &key, LFSET__CONTAINS);
}

/* ---- many members ------------------------------------------------------------------------------- */

/* Starts loading the regions that the keys' homes name, in two steps, because the addresses are in slots
 * that are not here yet. */
static void prefetch(struct lfset__slice *slice, const struct lfset__key *keys, size_t size,
                     bool write)
{
    for (size_t i = 0; i < size; i++) {
        lfset__prefetch(lfset__probe_key(slice, &keys[i]).slot, false);
    }
    for (size_t i = 0; i < size; i++) {
        uint64_t word = lfset__load_rlx(lfset__probe_key(slice, &keys[i]).slot);
        const struct lfset__region *region = lfset__word_region(word);
        if (region) {
            lfset__prefetch(region, false);
            lfset__prefetch(&region->words[lfset__key_word(&keys[i])], write);
        }
    }
}

/* Up to LFSET__BATCH members in one guard. */
static void batch_raw(struct lfset__set *set, const uint64_t *members, size_t first, size_t size,
                      struct lfset__tally *tally, const enum lfset__op op)
{
    struct lfset__key keys[LFSET__BATCH];
    struct lfset__walk walk;
    if (!lfset__enter(&walk, set)) {
        for (size_t i = 0; i < size; i++) {
            lfset__tally_add(tally, first + i, -ENOMEM);
        }
        return;
    }
    for (size_t i = 0; i < size; i++) {
        keys[i] = lfset__key_of(members[first + i]);
    }
    prefetch(lfset__walk_root(&walk), keys, size, op != LFSET__CONTAINS);
    for (size_t i = 0; i < size; i++) {
        int result = lfset__one_in(&walk, &keys[i], op);
        lfset__tell(set, members[first + i], op, result, tally->caller);
        lfset__tally_add(tally, first + i, result);
        count_sampled(set, &keys[i], op);
        if (op == LFSET__REMOVE && keys[i].emptied) {
            help_more(&walk);
        }
        if (op != LFSET__CONTAINS && result == 1) {
            notify(set, members[first + i]);
        }
    }
    lfset__walk_leave(&walk);
}

static void batch(struct lfset__set *set, const uint64_t *members, size_t first, size_t size,
                  struct lfset__tally *tally, const enum lfset__op op)
{
    int8_t seen[LFSET__BATCH];
    struct lfset__tally mine = {.results = seen, .caller = tally->caller};
    if (!lfset__is_observed(set)) {
        batch_raw(set, members, first, size, tally, op);
        return;
    }
    bool specially = op == LFSET__ADD && set->about->special;
    if (!specially) {
        batch_raw(set, members + first, 0, size, &mine, op);
    }
    for (size_t i = 0; i < size; i++) {
        if (specially) {
            int result = lfset_bitmap_add((struct lfset_bitmap *)set, members[first + i]);
            lfset__tally_add(tally, first + i, result);
        } else {
            lfset__tally_add(tally, first + i, seen[i]);
            lfset__observe(set->about, op, seen[i], members[first + i], 1);
        }
    }
}

LFSET__INLINE int64_t many(const struct lfset_bitmap *set, const uint64_t *members, size_t count,
                           int8_t *results, const enum lfset__op op)
{
    struct lfset__tally tally = {.results = results, .caller = lfset__probe_caller()};
    if (!set || (!members && count > 0)) {
        return -EINVAL;
    }
    for (size_t first = 0; first < count; first += LFSET__BATCH) {
        size_t size = count - first < LFSET__BATCH ? count - first : LFSET__BATCH;
        batch(base_of(set), members, first, size, &tally, op);
    }
    return lfset__tally_end(&tally);
}

int64_t lfset_bitmap_add_many(struct lfset_bitmap *set, const uint64_t *keys, size_t count,
                              int8_t *results)
{
    return many(set, keys, count, results, LFSET__ADD);
}

int64_t lfset_bitmap_remove_many(struct lfset_bitmap *set, const uint64_t *keys, size_t count,
                                 int8_t *results)
{
    return many(set, keys, count, results, LFSET__REMOVE);
}

int64_t lfset_bitmap_contains_many(const struct lfset_bitmap *set, const uint64_t *keys,
                                   size_t count, int8_t *results)
{
    return many(set, keys, count, results, LFSET__CONTAINS);
}

/* ---- pop ---------------------------------------------------------------------------------------- */

/* Takes a member out of a word that is not frozen, if it has one; such a word is the state. */
static bool pop_word(struct lfset__set *set, struct lfset__slice *slice,
                     struct lfset__region *region, size_t i, struct lfset__popped *popped)
{
    uint64_t bits = lfset__load_sc(&region->words[i]);
    while (bits && !(bits & LFSET__WORD_FROZEN)) {
        uint64_t bit = bits & -bits;
        if (lfset__cas_sc(&region->words[i], &bits, bits ^ bit)) {
            struct lfset__key key = {.number = lfset__region_number(region),
                                     .first = (uint32_t)(i * LFSET__WORD_KEYS)};
            popped->key =
                lfset__member(lfset__region_number(region), i, (unsigned)__builtin_ctzll(bit));
            lfset__key_step(&key, true, bit);
            count_sampled(set, &key, LFSET__REMOVE);
            popped->emptied = bits == bit && word_emptied(set, slice, region);
            notify(set, popped->key);
            return true;
        }
    }
    return false;
}

/* Removes a member that was seen in a frozen word, wherever it is now. @return 1, 0, -ENOMEM. */
static int pop_member(struct lfset__walk *walk, uint64_t member, struct lfset__popped *popped)
{
    struct lfset__key key = lfset__key_of(member);
    int result = lfset__walk_chain(walk, &key, LFSET__REMOVE);
    if (result == 1) {
        popped->key = member;
        popped->emptied = key.emptied;
        count_sampled(walk->set, &key, LFSET__REMOVE);
        notify(walk->set, member);
    }
    return result;
}

/* Any member of a region's frozen word that is still in the set. */
static int pop_frozen_word(struct lfset__walk *walk, const struct lfset__region *region, size_t i,
                           struct lfset__popped *popped)
{
    uint64_t bits = lfset__load_sc(&region->words[i]);
    int result = 0;
    if (bits & LFSET__WORD_FROZEN) {
        for (bits &= ~LFSET__WORD_FROZEN; bits && result == 0; bits &= bits - 1) {
            unsigned bit = (unsigned)__builtin_ctzll(bits);
            result = pop_member(walk, lfset__member(lfset__region_number(region), i, bit), popped);
        }
    }
    return result;
}

static int pop_region(struct lfset__walk *walk, struct lfset__slice *root,
                      struct lfset__region *region, struct lfset__popped *popped, bool *moved)
{
    int result = 0;
    for (size_t i = 0; i < LFSET__REGION_WORDS && result == 0 && !*moved; i++) {
        result = pop_word(walk->set, root, region, i, popped);
        if (result == 0 && lfset__load_sc(&region->words[i]) > LFSET__WORD_FROZEN) {
            // The walk may protect another root and let go of this one: only a reference keeps a new
            // slice from taking its place in memory, and from being taken for it.
            lfset__slice_hold(root);
            result = pop_frozen_word(walk, region, i, popped);
            *moved = lfset__walk_root(walk) != root;
            lfset__slice_drop(root);
        }
    }
    return result;
}

static inline int lfset__pop_at(struct lfset__walk *walk, struct lfset__slice *root, size_t at,
                                struct lfset__popped *popped, bool *moved)
{
    uint64_t word = lfset__load_acq(&root->words[at]);
    return word & LFSET__LIVE ? pop_region(walk, root, lfset__word_region(word), popped, moved) : 0;
}

static inline int lfset__pop_one_of(struct lfset__walk *walk, struct lfset__slice *frozen,
                                    struct lfset__popped *popped, bool *any)
{
    size_t words = lfset__slice_words(frozen);
    int result = 0;
    for (size_t at = 0; at < words && result == 0; at++) {
        uint64_t word = lfset__load_acq(&frozen->words[at]);
        if (!(word & LFSET__LIVE)) {
            continue;
        }
        const struct lfset__region *region = lfset__word_region(word);
        for (size_t i = 0; i < LFSET__REGION_WORDS && result == 0; i++) {
            *any = *any || lfset__load_sc(&region->words[i]) != LFSET__WORD_FROZEN;
            result = pop_frozen_word(walk, region, i, popped);
        }
    }
    return result;
}

int lfset_bitmap_pop(struct lfset_bitmap *set, uint64_t *key)
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
    if (popped.emptied) {
        help_more(&walk);
    }
    lfset__walk_leave(&walk);
    if (result == 1) {
        *key = popped.key;
        lfset__tell(base_of(set), *key, LFSET__REMOVE, 1, lfset__probe_caller());
        if (lfset__is_observed(base_of(set))) {
            lfset__observe(set->base.about, LFSET__REMOVE, 1, *key, 1);
        }
    }
    return result;
}

/* ---- the whole set ------------------------------------------------------------------------------ */

int lfset_bitmap_reserve(struct lfset_bitmap *set, uint64_t capacity,
                         const struct lfset_cancel *cancel)
{
    return set ? lfset__reserve(base_of(set), regions_for(capacity), cancel) : -EINVAL;
}

int lfset_bitmap_is_empty(struct lfset_bitmap *set)
{
    return set ? lfset__is_empty(base_of(set)) : -EINVAL;
}

int64_t lfset_bitmap_size(struct lfset_bitmap *set, const struct lfset_cancel *cancel)
{
    return set ? lfset__freeze_and_count(base_of(set), LFSET__SNAPSHOT, cancel) : -EINVAL;
}

int lfset_bitmap_purge(struct lfset_bitmap *set)
{
    if (!set) {
        return -EINVAL;
    }
    lfset__add_rlx(&set->base.purging, 1);
    int result = lfset__purge(base_of(set));
    lfset__sub_rlx(&set->base.purging, 1);
    return result;
}

/* Members of a region that the estimate counts. */
static uint64_t sampled_in(const struct lfset__region *region)
{
    uint64_t sampled = 0;
    for (size_t i = 0; i < LFSET__REGION_WORDS; i++) {
        sampled += lfset__popcount(lfset__load_rlx(&region->words[i]) &
                                   lfset__sampled_members(lfset__region_number(region), i));
    }
    return sampled;
}

/* Takes what a CLEAR took out of the estimates. */
static void forget(struct lfset__set *set, const struct lfset__slice *cleared)
{
    uint64_t sampled = 0;
    size_t words = lfset__slice_words(cleared);
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_acq(&cleared->words[i]);
        if (word & LFSET__LIVE) {
            sampled += sampled_in(lfset__word_region(word));
            (void)lfset__unmark_idle(set, lfset__word_region(word));
        }
    }
    lfset__sub_rlx(sampled_of(set), (int64_t)sampled);
}

int64_t lfset_bitmap_clear(struct lfset_bitmap *set, const struct lfset_cancel *cancel)
{
    if (!set) {
        return -EINVAL;
    }
    struct lfset__slice *cleared;
    int error = lfset__freeze_set(base_of(set), LFSET__CLEAR, &cleared, cancel);
    if (error) {
        return error;
    }
    forget(base_of(set), cleared);
    int64_t members = (int64_t)lfset__members(cleared);
    lfset__slice_drop(cleared);
    lfset__trace_clear(base_of(set), (uint64_t)members);
    lfset__observe_clear(set->base.about, (uint64_t)members);
    return members;
}

static int freeze_and_keep(struct lfset_bitmap *set, enum lfset__kind kind,
                           struct lfset_bitmap_snapshot **snapshot,
                           const struct lfset_cancel *cancel)
{
    if (!snapshot) {
        return -EINVAL;
    }
    *snapshot = NULL;
    if (!set) {
        return -EINVAL;
    }
    // Before the set is touched: a drain that cannot hand back what it took would lose it.
    struct lfset_bitmap_snapshot *made = lfset__bitmap_snapshot_alloc(&set->base.allocator);
    if (!made) {
        return -ENOMEM;
    }
    struct lfset__slice *frozen;
    int error = lfset__freeze_set(base_of(set), kind, &frozen, cancel);
    if (error) {
        lfset__bitmap_snapshot_abandon(made, &set->base.allocator);
        return error;
    }
    if (kind == LFSET__CLEAR) {
        forget(base_of(set), frozen);
        if (set->base.about || lfset__probe_wanted(set__clear)) {
            uint64_t members = lfset__members(frozen);
            lfset__trace_clear(base_of(set), members);
            lfset__observe_clear(set->base.about, members);
        }
    }
    lfset__bitmap_snapshot_fill(made, frozen);
    *snapshot = made;
    return 0;
}

int lfset_bitmap_snapshot_take(struct lfset_bitmap *set, struct lfset_bitmap_snapshot **snapshot,
                               const struct lfset_cancel *cancel)
{
    return freeze_and_keep(set, LFSET__SNAPSHOT, snapshot, cancel);
}

int lfset_bitmap_drain(struct lfset_bitmap *set, struct lfset_bitmap_snapshot **snapshot,
                       const struct lfset_cancel *cancel)
{
    return freeze_and_keep(set, LFSET__CLEAR, snapshot, cancel);
}

/* ---- regions one after the other ---------------------------------------------------------------- */

/* What lfset__each calls for each region that is or was in the set, once for each number: the held slices
 * name all regions whose members were in the set when they were held. */
struct looker {
    struct lfset__visitor visitor;
    struct lfset__set *set;
    const struct lfset_cancel *cancel;
    /* @return 0: go on. `key` is all of the region. */
    int (*look)(struct looker *looker, struct lfset__key *key);
};

static int look_at_region(const struct lfset__visitor *visitor, const struct lfset__slice *slice,
                          size_t index, uint64_t word)
{
    struct looker *looker = (struct looker *)(uintptr_t)visitor;
    int cancelled = lfset_cancel_check(looker->cancel);
    if (cancelled) {
        return cancelled;
    }
    struct lfset__key key = lfset__word_as_key(looker->set, slice, index, word);
    return looker->look(looker, &key);
}

static int each_region(struct looker *looker)
{
    looker->visitor.visit = look_at_region;
    return lfset__each(looker->set, &looker->visitor, looker->cancel);
}

/* What a region holds, each word at an instant of its own. @return how many members, -ENOMEM. */
static int look_in(struct lfset__set *set, struct lfset__key *key,
                   uint64_t seen[LFSET__REGION_WORDS])
{
    memset(seen, 0, LFSET__REGION_WORDS * sizeof *seen);
    key->seen = seen;
    return look_up(set, key);
}

struct each {
    struct looker looker;
    int (*visit)(uint64_t key, void *ctx);
    void *ctx;
};

/* A member is visited if it is in the set when its turn comes. */
static int visit_members(struct looker *looker, struct lfset__key *key)
{
    const struct each *each = (const struct each *)(const void *)looker;
    uint64_t seen[LFSET__REGION_WORDS];
    int result = look_in(looker->set, key, seen);
    bool first = true;
    for (size_t i = 0; i < LFSET__REGION_WORDS && result >= 0; i++) {
        for (uint64_t bits = seen[i]; bits; bits &= bits - 1) {
            uint64_t member = lfset__member(key->number, i, (unsigned)__builtin_ctzll(bits));
            struct lfset__key one_member = lfset__key_of(member);
            result = first ? 1 : lfset__ask(looker->set, &one_member);
            first = false;
            result = result == 1 ? each->visit(member, each->ctx) : result;
            if (result != 0) {
                return result;
            }
        }
    }
    return result < 0 ? result : 0;
}

int lfset_bitmap_each(const struct lfset_bitmap *set, int (*visit)(uint64_t key, void *ctx),
                      void *ctx, const struct lfset_cancel *cancel)
{
    if (!set || !visit) {
        return -EINVAL;
    }
    struct each each = {
        .looker = {.set = base_of(set), .cancel = cancel, .look = visit_members},
        .visit = visit,
        .ctx = ctx,
    };
    return each_region(&each.looker);
}

/* The least member that was seen. @return false: none. */
static bool least_of(const uint64_t seen[LFSET__REGION_WORDS], uint64_t number, uint64_t *found)
{
    for (size_t i = 0; i < LFSET__REGION_WORDS; i++) {
        if (seen[i]) {
            *found = lfset__member(number, i, (unsigned)__builtin_ctzll(seen[i]));
            return true;
        }
    }
    return false;
}

static bool greatest_of(const uint64_t seen[LFSET__REGION_WORDS], uint64_t number, uint64_t *found)
{
    for (size_t i = LFSET__REGION_WORDS; i-- > 0;) {
        if (seen[i]) {
            *found = lfset__member(number, i, 63u - (unsigned)__builtin_clzll(seen[i]));
            return true;
        }
    }
    return false;
}

/* Some member of the word's region that is in the set. */
static inline int lfset__witness_in(struct lfset__set *set, const struct lfset__slice *slice,
                                    size_t index, uint64_t word, struct lfset__key *key)
{
    uint64_t seen[LFSET__REGION_WORDS], member;
    struct lfset__key whole = lfset__word_as_key(set, slice, index, word);
    int result = look_in(set, &whole, seen);
    if (result <= 0 || !least_of(seen, whole.number, &member)) {
        return result;
    }
    *key = lfset__key_of(member);
    return 1;
}

/* ---- ranges ------------------------------------------------------------------------------------- */

struct range {
    struct looker looker;
    uint64_t first, last; /**< members */
    enum lfset__op op;
    int64_t count;
};

/* How many members a key is about. */
static int64_t members_of(const struct lfset__key *key)
{
    int64_t members = 0;
    if (!key->only) {
        return (int64_t)key->last - key->first + 1;
    }
    for (size_t i = 0; i < LFSET__REGION_WORDS; i++) {
        members += lfset__popcount(key->only[i]);
    }
    return members;
}

/* The same for a set that is observed. Members of a range are counted, not noted one by one; where the guard
 * may refuse, there must be room for all of the key. */
static int change_observed(struct lfset__set *set, struct lfset__key *key, enum lfset__op op)
{
    struct lfset__about *about = set->about;
    int64_t most = members_of(key);
    bool guarded = op == LFSET__ADD && about->may_refuse;
    if (guarded && !lfset__admit(about, most)) {
        lfset__lane_refused(about);
        return -ENOSPC;
    }
    int result = lfset__raw(set, key, op);
    if (guarded) {
        lfset__members_gone(about, most - (int64_t)key->count);
    }
    lfset__observe_many(about, op, key->count);
    return result;
}

/* Adds or removes all of a key. @return as one(). */
static int change(struct lfset__set *set, struct lfset__key *key, enum lfset__op op)
{
    uint64_t first = member_of(key); // which moves on
    int result = lfset__is_observed(set) ? change_observed(set, key, op) : lfset__raw(set, key, op);
    if (op == LFSET__ADD) {
        lfset__probe(keys__add, set, first, key->count);
    } else {
        lfset__probe(keys__remove, set, first, key->count);
    }
    if (key->count > 0) {
        lfset__notify_all(&set->waiting);
    }
    return result;
}

/* The part of the range that lies in the key's region. */
static int do_region(struct looker *looker, struct lfset__key *key)
{
    struct range *range = (struct range *)(void *)looker;
    uint64_t first = range->first / LFSET__REGION_KEYS, last = range->last / LFSET__REGION_KEYS;
    if (key->number < first || key->number > last) {
        return 0;
    }
    if (key->number == first) {
        key->first = (uint32_t)(range->first % LFSET__REGION_KEYS);
    }
    if (key->number == last) {
        key->last = (uint32_t)(range->last % LFSET__REGION_KEYS);
    }
    int result = range->op == LFSET__CONTAINS ? look_up(looker->set, key)
                                              : change(looker->set, key, range->op);
    range->count += key->count;
    return result < 0 ? result : 0;
}

int64_t lfset__bitmap_change(struct lfset_bitmap *set, uint64_t region, const uint64_t *members,
                             bool removing)
{
    struct lfset__key key = lfset__key_of_region(region);
    key.only = members;
    int result = change(base_of(set), &key, removing ? LFSET__REMOVE : LFSET__ADD);
    return result < 0 ? result : (int64_t)key.count;
}

/* @return how many slots the root has; 0 for lack of memory. */
static uint64_t slots_of(struct lfset__set *set)
{
    struct lfset__walk walk;
    if (!lfset__enter(&walk, set)) {
        return 0;
    }
    uint64_t slots = lfset__slice_words(lfset__walk_root(&walk));
    lfset__walk_leave(&walk);
    return slots;
}

/* After an operation that took time proportional to the capacity anyway: gives back what it emptied. */
static void tidy_up_now(struct lfset__set *set)
{
    struct lfset__walk walk;
    if (!lfset__enter(&walk, set)) {
        return;
    }
    for (int round = 0; round < 8; round++) {
        struct lfset__slice *root = lfset__walk_root(&walk), *next;
        tidy_up(set, root);
        if (!lfset__protect_next(&walk, root, &next) || !next ||
            lfset__finish_succession(&walk, root, next) != 0) {
            break;
        }
    }
    lfset__walk_leave(&walk);
}

/* A range that has more regions than the table has slots goes by the table. */
static int do_range(struct range *range)
{
    struct lfset__set *set = range->looker.set;
    uint64_t number = range->first / LFSET__REGION_KEYS, last = range->last / LFSET__REGION_KEYS;
    if (range->op != LFSET__ADD && number != last) {
        uint64_t slots = slots_of(set);
        if (slots == 0) {
            return -ENOMEM;
        }
        if (last - number >= slots) {
            int error = each_region(&range->looker);
            if (range->op == LFSET__REMOVE) {
                tidy_up_now(set);
            }
            return error;
        }
    }
    for (;; number++) {
        struct lfset__key key = lfset__key_of_region(number);
        int error = lfset_cancel_check(range->looker.cancel);
        if (!error) {
            error = do_region(&range->looker, &key);
        }
        if (error || number == last) {
            return error;
        }
    }
}

static int64_t range_of(const struct lfset_bitmap *set, uint64_t first, uint64_t last,
                        enum lfset__op op, const struct lfset_cancel *cancel)
{
    if (!set || first > last) {
        return -EINVAL;
    }
    struct range range = {
        .looker = {.set = base_of(set), .cancel = cancel, .look = do_region},
        .first = first,
        .last = last,
        .op = op,
    };
    int error = do_range(&range);
    return error ? error : range.count;
}

int64_t lfset_bitmap_add_range(struct lfset_bitmap *set, uint64_t first, uint64_t last,
                               const struct lfset_cancel *cancel)
{
    return range_of(set, first, last, LFSET__ADD, cancel);
}

int64_t lfset_bitmap_remove_range(struct lfset_bitmap *set, uint64_t first, uint64_t last,
                                  const struct lfset_cancel *cancel)
{
    return range_of(set, first, last, LFSET__REMOVE, cancel);
}

int64_t lfset_bitmap_count_range(const struct lfset_bitmap *set, uint64_t first, uint64_t last,
                                 const struct lfset_cancel *cancel)
{
    return range_of(set, first, last, LFSET__CONTAINS, cancel);
}

int64_t lfset_bitmap_rank(const struct lfset_bitmap *set, uint64_t key)
{
    if (!set || key == 0) {
        return set ? 0 : -EINVAL;
    }
    return range_of(set, 0, key - 1, LFSET__CONTAINS, NULL);
}

/* ---- order -------------------------------------------------------------------------------------- */

struct search {
    struct looker looker;
    uint64_t from;  /**< nothing less is sought; greatest: nothing at all is excluded */
    bool greatest;  /**< else the least */
    bool any;       /**< `found` is the best so far */
    uint64_t found; /**< no better one was a member at an instant of its own */
};

static int search_region(struct looker *looker, struct lfset__key *key)
{
    struct search *search = (struct search *)(void *)looker;
    uint64_t least = search->from / LFSET__REGION_KEYS, best = search->found / LFSET__REGION_KEYS;
    uint64_t seen[LFSET__REGION_WORDS], member;
    if (key->number < least ||
        (search->any && (search->greatest ? key->number <= best : key->number >= best))) {
        return 0;
    }
    if (key->number == least) {
        key->first = (uint32_t)(search->from % LFSET__REGION_KEYS);
    }
    uint64_t number = key->number;
    int result = look_in(looker->set, key, seen);
    if (result < 0) {
        return result;
    }
    if (search->greatest ? greatest_of(seen, number, &member) : least_of(seen, number, &member)) {
        search->any = true;
        search->found = member;
    }
    return 0;
}

static int search_for(const struct lfset_bitmap *set, uint64_t from, bool greatest, uint64_t *found)
{
    if (!set || !found) {
        return -EINVAL;
    }
    struct search search = {
        .looker = {.set = base_of(set), .look = search_region},
        .from = from,
        .greatest = greatest,
    };
    int error = 0;
    if (!greatest) { // mostly it is not far
        struct lfset__key key = lfset__key_of_region(from / LFSET__REGION_KEYS);
        error = search_region(&search.looker, &key);
    }
    if (!error && !search.any) {
        error = each_region(&search.looker);
    }
    if (search.any && !error) {
        *found = search.found;
    }
    return error ? error : search.any;
}

int lfset_bitmap_next_set(const struct lfset_bitmap *set, uint64_t from, uint64_t *found)
{
    return search_for(set, from, false, found);
}

int lfset_bitmap_min(const struct lfset_bitmap *set, uint64_t *found)
{
    return search_for(set, 0, false, found);
}

int lfset_bitmap_max(const struct lfset_bitmap *set, uint64_t *found)
{
    return search_for(set, 0, true, found);
}

int lfset_bitmap_next_clear(const struct lfset_bitmap *set, uint64_t from, uint64_t *found)
{
    if (!set || !found) {
        return -EINVAL;
    }
    uint32_t first = (uint32_t)(from % LFSET__REGION_KEYS);
    for (uint64_t number = from / LFSET__REGION_KEYS;; number++, first = 0) {
        uint64_t seen[LFSET__REGION_WORDS];
        struct lfset__key key = lfset__key_of_region(number), left = key;
        key.first = left.first = first;
        int result = look_in(base_of(set), &key, seen);
        if (result < 0) {
            return result;
        }
        for (; !lfset__key_is_done(&left);
             left.first = ((uint32_t)lfset__key_word(&left) + 1) * LFSET__WORD_KEYS) {
            size_t word = lfset__key_word(&left);
            uint64_t clear = lfset__key_mask(&left) & ~seen[word];
            if (clear) {
                *found = lfset__member(number, word, (unsigned)__builtin_ctzll(clear));
                return 1;
            }
        }
        if (number == UINT64_MAX / LFSET__REGION_KEYS) {
            return 0;
        }
    }
}

/* ---- waiting ------------------------------------------------------------------------------------ */

static int wait_for(struct lfset_bitmap *set, uint64_t member, int present,
                    const struct lfset_cancel *cancel)
{
    struct lfset__key key = lfset__key_of(member);
    return set ? lfset__wait_for_key(base_of(set), &key, present, cancel) : -EINVAL;
}

int lfset_bitmap_wait_present(struct lfset_bitmap *set, uint64_t key,
                              const struct lfset_cancel *cancel)
{
    return wait_for(set, key, 1, cancel);
}

int lfset_bitmap_wait_absent(struct lfset_bitmap *set, uint64_t key,
                             const struct lfset_cancel *cancel)
{
    return wait_for(set, key, 0, cancel);
}

int lfset_bitmap_wait_empty(struct lfset_bitmap *set, const struct lfset_cancel *cancel)
{
    return set ? lfset__wait_for_empty(base_of(set), cancel) : -EINVAL;
}

/* ---- what it is made of ------------------------------------------------------------------------- */

/** Below this, regions are few enough to be counted when the size is estimated. */
enum { COUNTED_SLOTS = 400 };

int64_t lfset_bitmap_size_estimate(const struct lfset_bitmap *set)
{
    if (!set) {
        return -EINVAL;
    }
    uint64_t slots = slots_of(base_of(set));
    if (slots <= COUNTED_SLOTS) {
        return slots == 0 ? -ENOMEM : range_of(set, 0, UINT64_MAX, LFSET__CONTAINS, NULL);
    }
    int64_t sampled = lfset__load_rlx(&set->sampled);
    return sampled > 0 ? sampled * LFSET__MEMBER_SAMPLE : 0;
}

int lfset_bitmap_stats_read(const struct lfset_bitmap *set, struct lfset_stats *stats)
{
    if (!set || !stats) {
        return -EINVAL;
    }
    int error = lfset__stats(base_of(set), stats);
    if (!error) {
        int64_t idle = lfset__load_rlx(&set->base.idle);
        uint64_t empty = idle > 0 ? (uint64_t)idle : 0;
        stats->live -= empty < stats->live ? empty : stats->live;
        stats->key_bytes = stats->live * sizeof(struct lfset__region);
        stats->dead_bytes += empty * sizeof(struct lfset__region);
    }
    return error;
}

/* ---- for the registry ---------------------------------------------------------------------------- */

static struct lfset_bitmap *set_of(struct lfset__about *about)
{
    return (struct lfset_bitmap *)about->set;
}

static int about_refresh(struct lfset__about *about)
{
    struct lfset_stats stats = {.size = sizeof stats};
    int error = lfset_bitmap_stats_read(set_of(about), &stats);
    int64_t members = error ? error : lfset_bitmap_size_estimate(set_of(about));
    if (members < 0) {
        return (int)members;
    }
    lfset__refresh(base_of(set_of(about)), &stats, (uint64_t)members);
    return 0;
}

static int64_t about_clear(struct lfset__about *about)
{
    return lfset_bitmap_clear(set_of(about), NULL);
}

static int64_t about_probe_lengths(struct lfset__about *about, uint64_t *histogram, size_t length)
{
    return lfset__probe_lengths(base_of(set_of(about)), histogram, length);
}

static int about_contains(struct lfset__about *about, uint64_t fingerprint)
{
    struct lfset__key key = lfset__key_of(fingerprint);
    return look_up(base_of(set_of(about)), &key);
}

static const struct lfset__about_ops about_ops = {
    .refresh = about_refresh,
    .clear = about_clear,
    .probe_lengths = about_probe_lengths,
    .contains_fingerprint = about_contains,
};

/* ---- validating ---------------------------------------------------------------------------------- */

/* @return NULL, or what is wrong with the region. */
static const char *region_fault(const struct lfset__region *region)
{
    uint32_t end = lfset__last_of(lfset__region_number(region)) + 1;
    uint64_t all = lfset__load_acq(&region->words[0]);
    if (lfset__region_number(region) > UINT64_MAX / LFSET__REGION_KEYS) {
        return "a region lies beyond all numbers";
    }
    for (uint32_t i = 0; i < LFSET__REGION_WORDS; i++) {
        uint64_t bits = lfset__load_acq(&region->words[i]);
        if ((bits ^ all) & LFSET__WORD_FROZEN) {
            return "a region is frozen in part";
        }
        for (bits &= ~LFSET__WORD_FROZEN; bits; bits &= bits - 1) {
            if (i * LFSET__WORD_KEYS + (uint32_t)__builtin_ctzll(bits) >= end) {
                return "a region has a member beyond all numbers";
            }
        }
    }
    return NULL;
}

/* All the members that the estimate counts. */
static int add_sampled(struct looker *looker, struct lfset__key *key)
{
    struct range *range = (struct range *)(void *)looker;
    uint64_t seen[LFSET__REGION_WORDS];
    int result = look_in(looker->set, key, seen);
    for (size_t i = 0; i < LFSET__REGION_WORDS && result >= 0; i++) {
        range->count += lfset__popcount(seen[i] & lfset__sampled_members(key->number, i));
    }
    return result < 0 ? result : 0;
}

static const char *bitmap_fault(const struct lfset_bitmap *set)
{
    struct lfset__slice *slice = lfset__load_acq(&base_of(set)->root);
    for (; slice; slice = lfset__next(slice)) {
        size_t words = lfset__slice_words(slice);
        for (size_t i = 0; i < words; i++) {
            uint64_t word = lfset__load_acq(&slice->words[i]);
            const char *fault = word & LFSET__BOUND ? region_fault(lfset__word_region(word)) : NULL;
            if (fault || (word & (LFSET__BOUND | LFSET__LIVE)) == LFSET__BOUND) {
                return fault ? fault : "a region is dead";
            }
        }
    }
    struct range sampled = {.looker = {.set = base_of(set), .look = add_sampled}};
    if (each_region(&sampled.looker) == 0 && sampled.count != lfset__load_rlx(&set->sampled)) {
        return "the sampled members are not as many as were counted";
    }
    return NULL;
}

int lfset_bitmap_validate(const struct lfset_bitmap *set, const char **reason)
{
    if (!set) {
        return -EINVAL;
    }
    if (!lfset__validate(base_of(set), reason)) {
        return 0;
    }
    const char *fault = bitmap_fault(set);
    if (fault && reason) {
        *reason = fault;
    }
    return fault == NULL;
}

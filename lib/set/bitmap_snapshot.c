// SPDX-License-Identifier: MIT
/**
 * @file bitmap_snapshot.c
 * A frozen slice of a bitmap as a value: its regions in order, sorted when somebody asks, each with how
 * many members come before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lfset/cancel.h"
#include "platform/memory.h"
#include "set/bitmap_codec.h"

#include "set/bitmap.h"

/* A region that has members. */
struct place {
    uint64_t number;
    const struct lfset__region *region;
    uint64_t before; /**< members of the snapshot in the places before this one */
};

struct lfset_bitmap_snapshot {
    struct lfset__slice *slice; /**< frozen; holds its regions and the set, too */
    uint64_t count;             /**< members */
    size_t regions;             /**< that have members */
    unsigned note;              /**< its entry in the registry */
    _Atomic(struct place *)
        sorted; /**< `regions` places in order and a last one, once somebody asked */
};

/* ---- making ------------------------------------------------------------------------------------- */

struct lfset_bitmap_snapshot *lfset__bitmap_snapshot_alloc(const struct lfset_allocator *allocator)
{
    return lfset__alloc_zeroed(allocator, sizeof(struct lfset_bitmap_snapshot), sizeof(void *));
}

void lfset__bitmap_snapshot_abandon(struct lfset_bitmap_snapshot *snapshot,
                                    const struct lfset_allocator *allocator)
{
    lfset__free(allocator, snapshot, sizeof *snapshot, sizeof(void *));
}

void lfset__bitmap_snapshot_fill(struct lfset_bitmap_snapshot *snapshot,
                                 struct lfset__slice *frozen)
{
    size_t words = lfset__slice_words(frozen);
    snapshot->slice = frozen;
    snapshot->note = lfset__note_snapshot(frozen->set, frozen);
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_acq(&frozen->words[i]);
        uint64_t members = word & LFSET__LIVE ? lfset__region_members(lfset__word_region(word)) : 0;
        snapshot->count += members;
        snapshot->regions += members > 0;
    }
}

void lfset_bitmap_snapshot_destroy(struct lfset_bitmap_snapshot *snapshot)
{
    if (!snapshot) {
        return;
    }
    struct lfset__slice *slice = snapshot->slice;
    const struct lfset_allocator allocator = slice->set->allocator;
    lfset__retired_gone(snapshot->note, slice);
    if (snapshot->sorted) {
        lfset__free(&allocator, snapshot->sorted, (snapshot->regions + 1) * sizeof(struct place),
                    sizeof(uint64_t));
    }
    lfset__free(&allocator, snapshot, sizeof *snapshot, sizeof(void *));
    lfset__slice_drop(slice);
}

/* ---- order -------------------------------------------------------------------------------------- */

static int compare_places(const void *a, const void *b)
{
    const struct place *x = (const struct place *)a, *y = (const struct place *)b;
    return (x->number > y->number) - (x->number < y->number);
}

static void fill_places(const struct lfset_bitmap_snapshot *snapshot, struct place *places)
{
    const struct lfset__slice *slice = snapshot->slice;
    size_t words = lfset__slice_words(slice), count = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_acq(&slice->words[i]);
        if (word & LFSET__LIVE && !lfset__region_is_empty(lfset__word_region(word))) {
            const struct lfset__region *region = lfset__word_region(word);
            places[count++] = (struct place){lfset__region_number(region), region, 0};
        }
    }
    qsort(places, count, sizeof *places, compare_places);
    for (size_t i = 0; i < count; i++) {
        places[i + 1].before = places[i].before + lfset__region_members(places[i].region);
    }
}

/* The places in order, made by the first caller; several at once each make them, and one wins.
 * @return 0 or -ENOMEM. */
static int order(struct lfset_bitmap_snapshot *snapshot, const struct place **places)
{
    // [sorted.publish] acquire: pairs with the CAS below; the array is filled.
    *places = lfset__load_acq(&snapshot->sorted);
    if (*places) {
        return 0;
    }
    const struct lfset_allocator *allocator = &snapshot->slice->set->allocator;
    size_t bytes = (snapshot->regions + 1) * sizeof(struct place);
    struct place *mine = lfset__alloc_zeroed(allocator, bytes, sizeof(uint64_t)), *none = NULL;
    if (!mine) {
        return -ENOMEM;
    }
    fill_places(snapshot, mine);
    if (lfset__cas_sc(&snapshot->sorted, &none, mine)) { // [sorted.publish]
        *places = mine;
    } else {
        lfset__free(allocator, mine, bytes, sizeof(uint64_t));
        *places = none;
    }
    return 0;
}

/* The first place whose region has this number or a greater one; `regions` when there is none. */
static size_t place_of(const struct lfset_bitmap_snapshot *snapshot, const struct place *places,
                       uint64_t number)
{
    size_t low = 0, high = snapshot->regions;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (places[middle].number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The members of a place's word. */
static uint64_t word_of(const struct place *place, size_t word)
{
    return lfset__load_rlx(&place->region->words[word]) & ~LFSET__WORD_FROZEN;
}

/* How many members are less than `key`. */
static uint64_t count_below(const struct lfset_bitmap_snapshot *snapshot,
                            const struct place *places, uint64_t key)
{
    const struct lfset__key split = lfset__key_of(key);
    size_t at = place_of(snapshot, places, split.number);
    uint64_t count = places[at].before;
    if (at < snapshot->regions && places[at].number == split.number) {
        size_t word = lfset__key_word(&split);
        for (size_t i = 0; i < word; i++) {
            count += lfset__popcount(word_of(&places[at], i));
        }
        uint64_t less = (UINT64_C(1) << split.first % LFSET__WORD_KEYS) - 1;
        count += lfset__popcount(word_of(&places[at], word) & less);
    }
    return count;
}

/* ---- members ------------------------------------------------------------------------------------ */

int64_t lfset_bitmap_snapshot_count(const struct lfset_bitmap_snapshot *snapshot)
{
    return snapshot ? (int64_t)snapshot->count : -EINVAL;
}

int lfset_bitmap_snapshot_contains(const struct lfset_bitmap_snapshot *snapshot, uint64_t key)
{
    if (!snapshot) {
        return -EINVAL;
    }
    const struct lfset__key split = lfset__key_of(key);
    struct lfset__probe probe = lfset__probe_key(snapshot->slice, &split);
    do {
        uint64_t word = lfset__load_acq(probe.slot);
        if (lfset__probe_matches(&probe, word)) {
            const struct lfset__region *region = lfset__word_region(word);
            return (lfset__load_rlx(&region->words[lfset__key_word(&split)]) &
                    lfset__key_mask(&split)) != 0;
        }
        if (lfset__is_empty_word(word)) {
            return 0;
        }
    } while (lfset__probe_next(&probe));
    return 0;
}

int lfset_bitmap_snapshot_each(struct lfset_bitmap_snapshot *snapshot,
                               int (*visit)(uint64_t key, void *ctx), void *ctx,
                               const struct lfset_cancel *cancel)
{
    const struct place *places;
    if (!snapshot || !visit) {
        return -EINVAL;
    }
    int result = order(snapshot, &places);
    for (size_t at = 0; at < snapshot->regions && result == 0; at++) {
        result = lfset_cancel_check(cancel);
        for (size_t i = 0; i < LFSET__REGION_WORDS; i++) {
            for (uint64_t bits = word_of(&places[at], i); bits && result == 0; bits &= bits - 1) {
                unsigned bit = (unsigned)__builtin_ctzll(bits);
                result = visit(lfset__member(places[at].number, i, bit), ctx);
            }
        }
    }
    return result;
}

struct copy {
    uint64_t *keys;
    size_t count, max;
};

static int copy_key(uint64_t key, void *ctx)
{
    struct copy *copy = (struct copy *)ctx;
    copy->keys[copy->count++] = key;
    return copy->count == copy->max;
}

int64_t lfset_bitmap_snapshot_copy(struct lfset_bitmap_snapshot *snapshot, uint64_t *keys,
                                   size_t max)
{
    if (!snapshot || (!keys && max > 0)) {
        return -EINVAL;
    }
    struct copy copy = {.keys = keys, .max = max};
    int error = max > 0 ? lfset_bitmap_snapshot_each(snapshot, copy_key, &copy, NULL) : 0;
    return error < 0 ? error : (int64_t)copy.count;
}

/* ---- ranges and order --------------------------------------------------------------------------- */

int64_t lfset_bitmap_snapshot_count_range(struct lfset_bitmap_snapshot *snapshot, uint64_t first,
                                          uint64_t last)
{
    const struct place *places;
    if (!snapshot || first > last) {
        return -EINVAL;
    }
    int error = order(snapshot, &places);
    if (error) {
        return error;
    }
    uint64_t end = last < UINT64_MAX ? count_below(snapshot, places, last + 1)
                                     : places[snapshot->regions].before;
    return (int64_t)(end - count_below(snapshot, places, first));
}

int64_t lfset_bitmap_snapshot_rank(struct lfset_bitmap_snapshot *snapshot, uint64_t key)
{
    const struct place *places;
    if (!snapshot) {
        return -EINVAL;
    }
    int error = order(snapshot, &places);
    return error ? error : (int64_t)count_below(snapshot, places, key);
}

/* The least member (or number that is none: `flip` is all ones) of a region from `key` on.
 * @return false: there is none. */
static bool first_in(const struct place *place, struct lfset__key key, uint64_t flip,
                     uint64_t *found)
{
    for (; !lfset__key_is_done(&key);
         key.first = ((uint32_t)lfset__key_word(&key) + 1) * LFSET__WORD_KEYS) {
        size_t word = lfset__key_word(&key);
        uint64_t bits = (word_of(place, word) ^ flip) & lfset__key_mask(&key);
        if (bits) {
            *found = lfset__member(key.number, word, (unsigned)__builtin_ctzll(bits));
            return true;
        }
    }
    return false;
}

/* The part of a region from a number in it on. */
static struct lfset__key rest_of(uint64_t from)
{
    struct lfset__key key = lfset__key_of_region(from / LFSET__REGION_KEYS);
    key.first = (uint32_t)(from % LFSET__REGION_KEYS);
    return key;
}

int lfset_bitmap_snapshot_next_set(struct lfset_bitmap_snapshot *snapshot, uint64_t from,
                                   uint64_t *found)
{
    const struct place *places;
    if (!snapshot || !found) {
        return -EINVAL;
    }
    int error = order(snapshot, &places);
    if (error) {
        return error;
    }
    struct lfset__key key = rest_of(from);
    size_t at = place_of(snapshot, places, key.number);
    if (at < snapshot->regions && places[at].number == key.number) {
        if (first_in(&places[at], key, 0, found)) {
            return 1;
        }
        at++;
    }
    return at < snapshot->regions && // every place has members
           first_in(&places[at], lfset__key_of_region(places[at].number), 0, found);
}

/* The first place after `at` that does not follow in an unbroken row of full regions. */
static size_t end_of_row(const struct lfset_bitmap_snapshot *snapshot, const struct place *places,
                         size_t at)
{
    size_t low = at + 1, high = snapshot->regions;
    while (low <
           high) { // of all places before `low` it is known that they are in the row, and full
        size_t middle = low + (high - low) / 2, row = middle - at;
        bool in_row = places[middle].number - places[at].number == row &&
                      places[middle + 1].before - places[at + 1].before == row * LFSET__REGION_KEYS;
        if (in_row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int lfset_bitmap_snapshot_next_clear(struct lfset_bitmap_snapshot *snapshot, uint64_t from,
                                     uint64_t *found)
{
    const struct place *places;
    if (!snapshot || !found) {
        return -EINVAL;
    }
    int error = order(snapshot, &places);
    if (error) {
        return error;
    }
    struct lfset__key key = rest_of(from);
    size_t at = place_of(snapshot, places, key.number);
    if (at == snapshot->regions || places[at].number != key.number) {
        *found = from;
        return 1;
    }
    if (first_in(&places[at], key, UINT64_MAX, found)) {
        return 1;
    }
    if (key.number == UINT64_MAX / LFSET__REGION_KEYS) {
        return 0;
    }
    size_t end = end_of_row(snapshot, places, at);
    uint64_t number = places[at].number + (end - at);
    if (end == snapshot->regions || places[end].number != number) {
        *found = number * LFSET__REGION_KEYS;
        return 1;
    }
    return first_in(&places[end], lfset__key_of_region(number), UINT64_MAX, found);
}

int lfset_bitmap_snapshot_min(struct lfset_bitmap_snapshot *snapshot, uint64_t *found)
{
    return lfset_bitmap_snapshot_next_set(snapshot, 0, found);
}

int lfset_bitmap_snapshot_max(struct lfset_bitmap_snapshot *snapshot, uint64_t *found)
{
    const struct place *places;
    if (!snapshot || !found) {
        return -EINVAL;
    }
    int error = order(snapshot, &places);
    if (error || snapshot->regions == 0) {
        return error;
    }
    const struct place *last = &places[snapshot->regions - 1];
    size_t word = LFSET__REGION_WORDS - 1;
    while (word_of(last, word) == 0) {
        word--;
    }
    *found =
        lfset__member(last->number, word, 63u - (unsigned)__builtin_clzll(word_of(last, word)));
    return 1;
}

/* ---- algebra, a word at a time ------------------------------------------------------------------ */

/* One region of a snapshot beside the same region of another. */
struct pair {
    const struct place *places, *other_places;
    size_t at, other_at;
    uint64_t members[LFSET__REGION_WORDS];
    uint64_t others[LFSET__REGION_WORDS]; /**< none where the other has no such region */
};

static void read_region(const struct place *place, uint64_t words[LFSET__REGION_WORDS])
{
    for (size_t i = 0; i < LFSET__REGION_WORDS; i++) {
        words[i] = word_of(place, i);
    }
}

/* @return 0, -ENOMEM. */
static int pair_begin(struct pair *pair, struct lfset_bitmap_snapshot *a,
                      struct lfset_bitmap_snapshot *b)
{
    int error = order(a, &pair->places);
    if (!error && b) {
        error = order(b, &pair->other_places);
    }
    pair->at = pair->other_at = 0;
    return error;
}

/* @return false after the last region. */
static bool pair_next(struct pair *pair, const struct lfset_bitmap_snapshot *a,
                      const struct lfset_bitmap_snapshot *b)
{
    if (pair->at == a->regions) {
        return false;
    }
    const struct place *place = &pair->places[pair->at++];
    read_region(place, pair->members);
    while (b && pair->other_at < b->regions &&
           pair->other_places[pair->other_at].number < place->number) {
        pair->other_at++;
    }
    if (b && pair->other_at < b->regions &&
        pair->other_places[pair->other_at].number == place->number) {
        read_region(&pair->other_places[pair->other_at], pair->others);
    } else {
        memset(pair->others, 0, sizeof pair->others);
    }
    return true;
}

/* Leaves the members that are, or are not, among the others. @return whether there are any. */
static bool keep(uint64_t members[LFSET__REGION_WORDS], const uint64_t others[LFSET__REGION_WORDS],
                 bool wanted)
{
    const uint64_t flip = wanted ? 0 : UINT64_MAX;
    uint64_t any = 0;
    for (size_t i = 0; i < LFSET__REGION_WORDS; i++) {
        members[i] &= others[i] ^ flip;
        any |= members[i];
    }
    return any != 0;
}

int64_t lfset__bitmap_pass(struct lfset_bitmap *set, struct lfset_bitmap_snapshot *from,
                           struct lfset_bitmap_snapshot *other, bool wanted, bool removing,
                           const struct lfset_cancel *cancel)
{
    struct pair pair;
    int64_t changed = 0, more = pair_begin(&pair, from, other);
    while (more >= 0 && pair_next(&pair, from, other)) {
        if (!other || keep(pair.members, pair.others, wanted)) {
            more = lfset_cancel_check(cancel);
            if (more == 0) {
                more = lfset__bitmap_change(set, pair.places[pair.at - 1].number, pair.members,
                                            removing);
            }
            changed += more;
        }
    }
    return more < 0 ? more : changed;
}

int lfset__bitmap_overlap(struct lfset_bitmap_snapshot *a, struct lfset_bitmap_snapshot *b,
                          bool *common, bool *missing, const struct lfset_cancel *cancel)
{
    struct pair pair;
    int error = pair_begin(&pair, a, b);
    *common = *missing = false;
    while (!error && !(*common && *missing) && pair_next(&pair, a, b)) {
        uint64_t both = 0, only = 0;
        for (size_t i = 0; i < LFSET__REGION_WORDS; i++) {
            both |= pair.members[i] & pair.others[i];
            only |= pair.members[i] & ~pair.others[i];
        }
        *common = *common || both;
        *missing = *missing || only;
        error = lfset_cancel_check(cancel);
    }
    return error;
}

// SPDX-License-Identifier: MIT
/**
 * @file bitmap_codec.h
 * The codec (walk.h) of bitmaps: slots name regions, regions hold members. Read slice.h, walk.h and node.h
 * first.
 *
 * A region is a node (node.h) of 64 words of 63 members each; number n is the bit n % 63 of the word
 * n / 63 % 64 of the region n / 4032. Bit 63 of each word is the word's own FROZEN. A slot is EMPTY or
 * LIVE, and LIVE for ever: DEAD does not occur. But a LIVE slot may come to name another region of the
 * same number, its replacement. Regions go from slice to slice without being copied: the successor's slot
 * names the same region, and both hold it.
 *
 * Which words count
 *   B1  A word that is not frozen is the state of its members, whatever slice it was found through.
 *   B2  All words of a region are frozen before another region of its number is made: by replacement,
 *       by an add for which nothing was carried on, or behind a CLEAR gate.
 *   B3  A slot is frozen before the words of its region are frozen for a succession, and no slot changes
 *       once it is frozen. So the region that a frozen slot names is the last one it named, and what the
 *       slot named before was frozen whole when it was replaced (B2).
 *   B4  A region that was left behind by a succession is frozen and all zero.
 * B1 follows from B2: of the regions of one number only the last made has words that are not frozen. It is
 * why updates and readers need not look at slots again when they have met such a word, and why plain
 * successions need not touch members at all: they freeze the slot and hand on the region, in which
 * updates go on.
 *
 * The walk, for a member of the word w of a region R that it found in a slice
 *   w not frozen
 *       contains: the load of w decides. add, remove: the CAS of w, or the load that shows that there is
 *       nothing to do.
 *   w frozen, slot not frozen: R is shared with a snapshot, or was about to be left behind
 *       When the slot was loaded R was the region of its number: a later one would have to be named by this
 *       slot (I1: a successor binds only what is frozen here), and no CLEAR gate opens before the slot is
 *       frozen. So if w was frozen by then, it was the state at that load; else it was the state until it
 *       froze (B1), later than that load and before w was read. That instant decides for a contains and for
 *       an update that has nothing to do; the slot need not be looked at again.
 *       An update that has something to change replaces R: freezes what is left of it (B2), makes a
 *       copy, does its work there, and swaps the slot from R to the copy. That CAS is the update's
 *       instant. R goes to the slice's graveyard.
 *   w frozen, slot frozen
 *       R is carried to the successor, where its word w is the state as long as the number is not bound:
 *       the load of the EMPTY slot decides as in walk.h (I1, I2). An update that has something to change
 *       there freezes what is left of R and binds a copy with its change; a helper that comes later to
 *       hand on R finds the number bound. Before a closed gate, and where the slice is overfull, as in
 *       walk.h.
 *   slot EMPTY and nothing carried
 *       absent; an add binds a new region with its member.
 *
 * Gates (SNAPSHOT, CLEAR) freeze all words of all regions. The instant of the whole-set operation is the
 * freeze of the last of them: until the gate opens no region is made or replaced behind it, by B3 none in
 * the slice itself, and by B1 every word was the state until it froze. A SNAPSHOT hands the regions on as
 * they are, frozen: copy on write. So a snapshot costs no copies of what does not change.
 *
 * Empty regions. An update that clears a word's last bit looks at all 64; the one whose clearing was the
 * last sees them all zero (each CAS and load is seq_cst), and marks the region idle. The next succession
 * freezes an idle region word by word, and if no word has a bit when all are frozen, leaves it behind (B4);
 * else it goes on, frozen. Who wants to add to a region left behind carries zeros and binds a copy, and
 * who comes later finds neither slot nor region: absent. A slow helper may bind it after all; it is as
 * absent as before.
 *     Marks are only hints. The set counts them (`idle`); when they are many a succession is worth while,
 * and leaves the marked regions behind. An add that meets a mark takes it back, and looks again whether the
 * region is empty, lest it takes back the mark of a later remove.
 *
 * Memory. References are counted as in node.h. A region is displaced from a slot only while the slot is
 * not frozen, so in at most one slice, and its graveyard link is used once. A carried region is held by
 * who carries it. Publication of a region is [node.publish]; its words are seq_cst ([word.decide]).
 *
 * Progress. A CAS of a word or a slot fails only because another thread's was successful; a word is frozen,
 * and so is a slot, only once. A region is copied again and again only if others take snapshots as often.
 */
#ifndef LFSET__BITMAP_CODEC_H
#define LFSET__BITMAP_CODEC_H

#include "set/node.h"
#include "set/number_key.h"

#define LFSET__REGIONS 1

enum {
    LFSET__WORD_KEYS = 63,
    LFSET__REGION_WORDS = 64,
    LFSET__REGION_KEYS = LFSET__WORD_KEYS * LFSET__REGION_WORDS,
};

#define LFSET__WORD_FROZEN (UINT64_C(1) << LFSET__WORD_KEYS)

struct lfset__region {
    struct lfset__linked_node linked; /**< the hash is the region's number */
    _Atomic(uint32_t) idle;           /**< was seen empty, and is counted by the set */
    _Atomic(uint64_t) words[LFSET__REGION_WORDS];
};

LFSET__INLINE struct lfset__region *lfset__word_region(uint64_t word)
{
    return (struct lfset__region *)(void *)lfset__word_node(word);
}

LFSET__INLINE uint64_t lfset__region_number(const struct lfset__region *region)
{
    return region->linked.node.hash;
}

/** Members in a word. */
LFSET__INLINE unsigned lfset__popcount(uint64_t bits)
{
    // Without the instruction it is a call, which single members need not pay.
    return bits & (bits - 1) ? (unsigned)__builtin_popcountll(bits) : bits != 0;
}

/** A member of a word. */
LFSET__INLINE uint64_t lfset__member(uint64_t number, size_t word, unsigned bit)
{
    return number * LFSET__REGION_KEYS + word * LFSET__WORD_KEYS + bit;
}

/** One member in so many is counted by the estimate of the size. */
enum { LFSET__MEMBER_SAMPLE = 8 };

/** The members of a word that are counted, at a distance that differs from word to word. */
LFSET__INLINE uint64_t lfset__sampled_members(uint64_t number, size_t word)
{
    uint64_t mixed = (number * LFSET__REGION_WORDS + word) * UINT64_C(0x9e3779b97f4a7c15);
    return (UINT64_C(0x0101010101010101) << (mixed >> 61)) & ~LFSET__WORD_FROZEN;
}

/* ---- keys --------------------------------------------------------------------------------------- */

/** Members first .. last of one region, on their way through an operation. Words are done one by one. */
struct lfset__key {
    uint64_t number;
    uint32_t first, last; /**< what is left to do; nothing when first > last */
    uint32_t count;       /**< changed so far; of contains, present */
    uint32_t sampled;     /**< changes to be counted for the estimate */
    bool emptied;         /**< the region, as far as could be seen */
    uint64_t frozen;      /**< what the carried region has where `first` is */
    uint64_t *seen; /**< NULL, or what a contains found, a word for each of the region; zeroed */
    const uint64_t *only; /**< NULL, or which members are meant, a word for each of the region */
};

LFSET__INLINE struct lfset__key lfset__key_of(uint64_t member)
{
    uint32_t at = (uint32_t)(member % LFSET__REGION_KEYS);
    return (struct lfset__key){.number = member / LFSET__REGION_KEYS, .first = at, .last = at};
}

LFSET__INLINE bool lfset__key_is_done(const struct lfset__key *key)
{
    return key->first > key->last;
}

LFSET__INLINE size_t lfset__key_word(const struct lfset__key *key)
{
    return key->first / LFSET__WORD_KEYS;
}

/** The bits of the word where `first` is. */
LFSET__INLINE uint64_t lfset__key_mask(const struct lfset__key *key)
{
    uint32_t low = key->first % LFSET__WORD_KEYS, room = LFSET__WORD_KEYS - 1 - low;
    uint32_t more = key->last - key->first;
    uint32_t high = low + (more < room ? more : room);
    uint64_t mask = (UINT64_C(2) << high) - (UINT64_C(1) << low);
    return key->only ? mask & key->only[lfset__key_word(key)] : mask;
}

/** The word where `first` is has been dealt with; `hits` of it changed, or were found. */
LFSET__INLINE void lfset__key_step(struct lfset__key *key, bool update, uint64_t hits)
{
    size_t word = lfset__key_word(key);
    key->count += lfset__popcount(hits);
    if (update) {
        key->sampled += lfset__popcount(hits & lfset__sampled_members(key->number, word));
    } else if (key->seen) {
        key->seen[word] = hits;
    }
    key->first = ((uint32_t)word + 1) * LFSET__WORD_KEYS;
}

/** For sleepers, who wait for one member. */
LFSET__INLINE uint64_t lfset__key_mixed(const struct lfset__key *key)
{
    return (key->number * LFSET__REGION_KEYS + key->first) * UINT64_C(0x9e3779b97f4a7c15);
}

/* ---- regions ------------------------------------------------------------------------------------ */

LFSET__INLINE bool lfset__region_is_empty(const struct lfset__region *region)
{
    for (size_t i = 0; i < LFSET__REGION_WORDS; i++) {
        if (lfset__load_sc(&region->words[i]) & ~LFSET__WORD_FROZEN) {
            return false;
        }
    }
    return true;
}

/** Frozen whole without a member: it will never be of use. */
LFSET__INLINE bool lfset__region_is_dead(const struct lfset__region *region)
{
    for (size_t i = 0; i < LFSET__REGION_WORDS; i++) {
        if (lfset__load_sc(&region->words[i]) != LFSET__WORD_FROZEN) {
            return false;
        }
    }
    return true;
}

static inline uint64_t lfset__region_members(const struct lfset__region *region)
{
    uint64_t members = 0;
    for (size_t i = 0; i < LFSET__REGION_WORDS; i++) {
        members += lfset__popcount(lfset__load_rlx(&region->words[i]) & ~LFSET__WORD_FROZEN);
    }
    return members;
}

/** [freeze] One word of a region. @return its members. */
LFSET__INLINE uint64_t lfset__freeze_members(_Atomic(uint64_t) *word)
{
    uint64_t bits = lfset__load_sc(word); // mostly a copy's source, frozen before
    if (!(bits & LFSET__WORD_FROZEN)) {
        bits = lfset__or_sc(word, LFSET__WORD_FROZEN);
    }
    return bits & ~LFSET__WORD_FROZEN;
}

static inline void lfset__freeze_region(struct lfset__region *region)
{
    for (size_t i = 0; i < LFSET__REGION_WORDS; i++) {
        (void)lfset__freeze_members(&region->words[i]);
    }
}

/** Takes the mark back from one that has members or is gone. @return whether there was one. */
static inline bool lfset__unmark_idle(struct lfset__set *set, struct lfset__region *region)
{
    bool marked = lfset__load_sc(&region->idle) && lfset__swap_sc(&region->idle, 0);
    if (marked) {
        lfset__sub_rlx(&set->idle, 1);
    }
    return marked;
}

/** Counts a region that was seen empty. One that was left behind meanwhile must not be counted until it is
 * freed: who leaves it behind takes the mark back after it is frozen whole, so either that is later, or the
 * region is seen to be frozen here. */
static inline void lfset__mark_idle(struct lfset__set *set, struct lfset__region *region)
{
    if (lfset__swap_sc(&region->idle, 1) == 0) {
        lfset__add_rlx(&set->idle, 1);
    }
    if (lfset__region_is_dead(region)) {
        (void)lfset__unmark_idle(set, region);
    }
}

/** Takes the mark back, and puts it again if it was right: it may have been made for a later remove. */
static inline void lfset__review_idle(struct lfset__set *set, struct lfset__region *region)
{
    if (lfset__unmark_idle(set, region) && lfset__region_is_empty(region) &&
        !lfset__region_is_dead(region)) {
        lfset__mark_idle(set, region);
    }
}

static inline void lfset__drop(struct lfset__set *set, struct lfset__region *region)
{
    if (lfset__node_drop(&region->linked.node)) {
        (void)lfset__unmark_idle(set, region);
        set->allocator.free(set->allocator.ctx, region, sizeof *region, LFSET__NODE_ALIGN);
    }
}

/* ---- probing ------------------------------------------------------------------------------------ */

/** Where a probe for one region in one slice is. */
struct lfset__probe {
    _Atomic(uint64_t) *slot;
    _Atomic(uint64_t) *end;
    uint64_t want; /**< the fingerprint */
    uint64_t number;
};

LFSET__INLINE struct lfset__probe lfset__probe_number(struct lfset__slice *slice, uint64_t number)
{
    _Atomic(uint64_t) *home = &slice->words[number * slice->multiplier >> slice->shift];
    return (struct lfset__probe){home, home + slice->reach, lfset__fingerprint(number), number};
}

LFSET__INLINE struct lfset__probe lfset__probe_key(struct lfset__slice *slice,
                                                   const struct lfset__key *key)
{
    return lfset__probe_number(slice, key->number);
}

LFSET__INLINE bool lfset__probe_seek(struct lfset__probe *probe)
{
    (void)probe;
    return true; // lfset__find begins at the home
}

LFSET__INLINE bool lfset__probe_next(struct lfset__probe *probe)
{
    return ++probe->slot != probe->end;
}

/** The slice is protected, so the region may be looked at (N1). */
LFSET__INLINE bool lfset__probe_matches(const struct lfset__probe *probe, uint64_t word)
{
    return !((word ^ probe->want) >> LFSET__FINGERPRINT_SHIFT) && (word & LFSET__BOUND) &&
           lfset__region_number(lfset__word_region(word)) == probe->number;
}

LFSET__INLINE uint64_t lfset__word_displacement(const struct lfset__slice *slice, size_t index,
                                                uint64_t word)
{
    return index -
           (lfset__region_number(lfset__word_region(word)) * slice->multiplier >> slice->shift);
}

/** The members of the last region that are numbers end before the region does. */
LFSET__INLINE uint32_t lfset__last_of(uint64_t number)
{
    return number == UINT64_MAX / LFSET__REGION_KEYS ? (uint32_t)(UINT64_MAX % LFSET__REGION_KEYS)
                                                     : LFSET__REGION_KEYS - 1;
}

/** All members of a region. */
LFSET__INLINE struct lfset__key lfset__key_of_region(uint64_t number)
{
    return (struct lfset__key){.number = number, .last = lfset__last_of(number)};
}

LFSET__INLINE struct lfset__key lfset__word_as_key(const struct lfset__set *set,
                                                   const struct lfset__slice *slice, size_t index,
                                                   uint64_t word)
{
    (void)set, (void)slice, (void)index;
    return lfset__key_of_region(lfset__region_number(lfset__word_region(word)));
}

/** [word.decide] The slot shows that the set is not empty: see "the walk". */
LFSET__INLINE bool lfset__shows_member(struct lfset__slice *slice, size_t index)
{
    uint64_t slot = lfset__load_sc(&slice->words[index]);
    for (size_t i = 0; slot & LFSET__LIVE && i < LFSET__REGION_WORDS; i++) {
        uint64_t bits = lfset__load_sc(&lfset__word_region(slot)->words[i]);
        if (bits & ~LFSET__WORD_FROZEN &&
            (!(bits & LFSET__WORD_FROZEN) || !(slot & LFSET__FROZEN))) {
            return true;
        }
    }
    return false;
}

/* ---- carrying ----------------------------------------------------------------------------------- */

/** A region whose slot is frozen, and so is its word where the key's `first` is: key->frozen. An update
 * holds it, the slice it was seen in may be reclaimed meanwhile; a contains does not look at it again. */
struct lfset__carried {
    struct lfset__region *region; /**< NULL: absent */
    bool held;
};
#define LFSET__CARRIED_NONE                                                                        \
    {                                                                                              \
        NULL, false                                                                                \
    }

LFSET__INLINE void lfset__carry(struct lfset__set *set, struct lfset__carried *carried,
                                uint64_t word, bool hold)
{
    if (carried->held) {
        lfset__drop(set, carried->region);
    }
    carried->region = word & LFSET__LIVE ? lfset__word_region(word) : NULL;
    carried->held = carried->region && hold;
    if (carried->held) {
        lfset__node_hold(&carried->region->linked.node); // N2: its slice is protected
    }
}

/* ---- handing on --------------------------------------------------------------------------------- */

LFSET__INLINE const void *lfset__named(uint64_t word)
{
    return lfset__word_region(word);
}

/** Freezes the slot first (B3). */
LFSET__INLINE uint64_t lfset__freeze_slot(struct lfset__slice *slice,
                                          const struct lfset__slice *next, size_t index)
{
    uint64_t word = lfset__freeze(&slice->words[index]);
    if (word & LFSET__LIVE) {
        struct lfset__region *region = lfset__word_region(word);
        if (lfset__gated(next) || (next->drops_idle && lfset__load_rlx(&region->idle) &&
                                   lfset__region_is_empty(region))) {
            lfset__freeze_region(region);
        }
    }
    return word;
}

/** Whether the region goes on (B4). If not, it is the slice's garbage. A mark is looked at again: one that
 * was put late, on a region that has members, would ask for successions for ever. */
LFSET__INLINE bool lfset__is_source(const struct lfset__slice *root, uint64_t word)
{
    if (!(word & LFSET__LIVE)) {
        return false;
    }
    struct lfset__region *region = lfset__word_region(word);
    if (!lfset__region_is_dead(region)) {
        lfset__review_idle(root->set, region);
        return true;
    }
    if (lfset__unmark_idle(root->set, region)) {
        lfset__add_rlx(&root->nodes->dead_bytes, (int64_t)sizeof *region);
    }
    return false;
}

/** A region on its way; holds the reference that the successor will have. */
struct lfset__source {
    struct lfset__region *region;
    struct lfset__set *set;
};

LFSET__INLINE struct lfset__source lfset__source_take(const struct lfset__slice *root, size_t index,
                                                      uint64_t word)
{
    (void)index;
    struct lfset__region *region = lfset__word_region(word);
    lfset__node_hold(&region->linked.node); // N2: root is protected
    return (struct lfset__source){region, root->set};
}

LFSET__INLINE struct lfset__probe lfset__source_probe(struct lfset__slice *to,
                                                      const struct lfset__slice *root,
                                                      const struct lfset__source *source)
{
    (void)root;
    return lfset__probe_number(to, lfset__region_number(source->region));
}

LFSET__INLINE uint64_t lfset__source_word(const struct lfset__source *source,
                                          const struct lfset__probe *probe)
{
    (void)probe;
    return lfset__node_word(&source->region->linked.node);
}

LFSET__INLINE void lfset__source_drop(const struct lfset__source *source)
{
    lfset__drop(source->set, source->region);
}

/** Regions weigh the same: words are enough to count. */
LFSET__INLINE bool lfset__count_bytes(struct lfset__slice *slice, enum lfset__change change,
                                      uint64_t word, bool sampled)
{
    (void)slice, (void)change, (void)word, (void)sampled;
    return false;
}

/** Whether a succession would free anything. */
static inline bool lfset__has_dead(const struct lfset__slice *slice)
{
    if (lfset__load_rlx(&slice->nodes->graveyard)) {
        return true;
    }
    size_t words = lfset__slice_words(slice);
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_acq(&slice->words[i]);
        if (word & LFSET__LIVE) {
            const struct lfset__region *region = lfset__word_region(word);
            if (lfset__load_rlx(&region->idle) ? lfset__region_is_empty(region)
                                               : lfset__region_is_dead(region)) {
                return true;
            }
        }
    }
    return false;
}

/** What pop hands out. */
struct lfset__popped {
    uint64_t key;
    bool emptied; /**< its region */
};

#endif

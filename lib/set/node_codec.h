// SPDX-License-Identifier: MIT
/**
 * @file node_codec.h
 * The codec (walk.h) of sets whose words name nodes (node.h). The kind, bytes or objects, says before it
 * includes this:
 *   LFSET__REVIVE_WITH_NEW        1: reviving a DEAD word stores the new node; 0: the old one, which is equal
 *   lfset__node_end(set, node)    the last reference is gone: frees it, now or soon
 *   lfset__node_equals(set, node, key)
 *   lfset__node_make(set, key)    a new node for the key, or NULL
 *   lfset__node_unmake(set, node) frees one that no word names
 *   lfset__node_weight(set, node) bytes that count when it is dead; lfset__key_weight(key): of its node
 *   lfset__node_key(set, node)    a key that the node equals
 */
#ifndef LFSET__NODE_CODEC_H
#define LFSET__NODE_CODEC_H

#include <errno.h>

#include "set/node.h"

/** A key on its way through an operation. */
struct lfset__key {
    uint64_t hash;
    const void *data; /**< bytes, or a user's object or key */
    size_t length;
    const struct lfset__set *set; /**< whose callbacks compare */
    struct lfset__node *made;     /**< for the word to be bound; no word names it yet */
    struct lfset__node *seen;     /**< what decided, held, if wants_seen */
    bool wants_seen;
    struct lfset__node
        *origin; /**< of a clone: the node of another set that `made` will stand for */
    struct lfset__set *origin_set;
};

static void lfset__node_end(struct lfset__set *set, struct lfset__node *node);
static bool lfset__node_equals(const struct lfset__set *set, const struct lfset__node *node,
                               const struct lfset__key *key);
static struct lfset__node *lfset__node_make(struct lfset__set *set, const struct lfset__key *key);
static size_t lfset__key_weight(const struct lfset__key *key);
static void lfset__node_unmake(struct lfset__set *set, struct lfset__node *node);
static size_t lfset__node_weight(const struct lfset__set *set, const struct lfset__node *node);
static struct lfset__key lfset__node_key(const struct lfset__set *set,
                                         const struct lfset__node *node);

LFSET__INLINE void lfset__drop(struct lfset__set *set, struct lfset__node *node)
{
    if (lfset__node_drop(node)) {
        lfset__node_end(set, node);
    }
}

/* ---- probing ------------------------------------------------------------------------------------ */

/** Where a probe for one key in one slice is. */
struct lfset__probe {
    _Atomic(uint64_t) *slot;
    _Atomic(uint64_t) *end;
    uint64_t want; /**< the fingerprint */
    size_t reach;
    const struct lfset__key *key;
};

LFSET__INLINE struct lfset__probe lfset__probe_key(struct lfset__slice *slice,
                                                   const struct lfset__key *key)
{
    _Atomic(uint64_t) *home = &slice->words[key->hash * slice->multiplier >> slice->shift];
    return (struct lfset__probe){home, home + slice->reach, lfset__fingerprint(key->hash),
                                 slice->reach, key};
}

LFSET__INLINE bool lfset__probe_next(struct lfset__probe *probe)
{
    return ++probe->slot != probe->end;
}

/** The word is bound to the probe's key, whatever its LIVE and FROZEN bits. The slice is protected, so the
 * node may be looked at (N1). */
LFSET__INLINE bool lfset__probe_matches(const struct lfset__probe *probe, uint64_t word)
{
    if (lfset__likely((word ^ probe->want) >> LFSET__FINGERPRINT_SHIFT) || !(word & LFSET__BOUND)) {
        return false;
    }
    const struct lfset__node *node = lfset__word_node(word);
    return node->hash == probe->key->hash && lfset__node_equals(probe->key->set, node, probe->key);
}

LFSET__INLINE bool lfset__probe_seek(struct lfset__probe *probe)
{
    (void)probe;
    return true; // lfset__find begins at the home
}

/* ---- words -------------------------------------------------------------------------------------- */

LFSET__INLINE uint64_t lfset__word_displacement(const struct lfset__slice *slice, size_t index,
                                                uint64_t word)
{
    uint64_t home = lfset__word_node(word)->hash * slice->multiplier >> slice->shift;
    return index - home;
}

LFSET__INLINE struct lfset__key lfset__word_as_key(const struct lfset__set *set,
                                                   const struct lfset__slice *slice, size_t index,
                                                   uint64_t word)
{
    (void)slice, (void)index;
    return lfset__node_key(set, lfset__word_node(word));
}

LFSET__INLINE uint64_t lfset__key_mixed(const struct lfset__key *key)
{
    return key->hash * UINT64_C(0x9e3779b97f4a7c15);
}

/** Slots between two that keys of the probe's hash take. */
static inline size_t lfset__count_alike(const struct lfset__probe *probe,
                                        const _Atomic(uint64_t) *from, const _Atomic(uint64_t) *end)
{
    size_t alike = 0;
    for (; from != end; from++) {
        uint64_t word = lfset__load_acq(from);
        alike += (word & LFSET__BOUND) && lfset__word_node(word)->hash == probe->key->hash;
    }
    return alike;
}

LFSET__INLINE bool lfset__is_crowded(const struct lfset__slice *slice,
                                     const struct lfset__probe *probe)
{
    const _Atomic(uint64_t) *home = probe->end - slice->reach;
    return lfset__count_alike(probe, home, probe->end) > slice->reach / 4;
}

/** Keys of one hash, at most, in the longest reach: others must find room among them. */
enum { LFSET__ALIKE_MOST = 512 };

/* Before a key is bound far from home. */
LFSET__INLINE bool lfset__is_too_crowded(const struct lfset__probe *probe)
{
    size_t left = (size_t)(probe->end - probe->slot);
    return lfset__unlikely(probe->reach - left >= LFSET__ALIKE_MOST) &&
           lfset__count_alike(probe, probe->end - probe->reach, probe->slot) >= LFSET__ALIKE_MOST;
}

/* ---- operations --------------------------------------------------------------------------------- */

/** The frozen word, whose node is held for whoever will bind it in a successor or hand it out: the slice
 * it was seen in may be reclaimed meanwhile. */
struct lfset__carried {
    uint64_t word; /**< 0: absent */
    bool held;
};
#define LFSET__CARRIED_NONE                                                                        \
    {                                                                                              \
        0, false                                                                                   \
    }

LFSET__INLINE void lfset__carry(struct lfset__set *set, struct lfset__carried *carried,
                                uint64_t word, bool hold)
{
    if (carried->held) {
        lfset__drop(set, lfset__word_node(carried->word));
    }
    carried->word = word & LFSET__LIVE ? word : 0;
    carried->held = carried->word && hold;
    if (carried->held) {
        lfset__node_hold(lfset__word_node(word)); // N2: its slice is protected
    }
}

LFSET__INLINE bool lfset__carried_live(const struct lfset__carried *carried)
{
    return carried->word != 0;
}

LFSET__INLINE uint64_t lfset__carried_word(const struct lfset__carried *carried)
{
    return carried->word;
}

/** One, and one more for each 256 bytes: a pass over a slice ends before twice its size was removed. */
LFSET__INLINE size_t lfset__key_chunks(const struct lfset__key *key)
{
    return 1 + lfset__key_weight(key) / 256;
}

/** Objects are not their equals: an iteration shows what the set holds now, not what the held slice names. */
LFSET__INLINE void lfset__visit_asks(struct lfset__key *key)
{
    key->wants_seen = LFSET__REVIVE_WITH_NEW;
}

LFSET__INLINE uint64_t lfset__visit_word(const struct lfset__key *key, uint64_t word)
{
    return key->seen ? lfset__node_word(key->seen) : word;
}

LFSET__INLINE void lfset__visit_done(struct lfset__set *set, struct lfset__key *key)
{
    if (key->seen) {
        lfset__drop(set, key->seen);
    }
}

/** Keeps what the key points to alive; its slice is protected. */
LFSET__INLINE void lfset__key_pin(struct lfset__key *key, uint64_t word)
{
    key->seen = lfset__word_node(word);
    lfset__node_hold(key->seen);
}

LFSET__INLINE void lfset__key_unpin(struct lfset__set *set, struct lfset__key *key)
{
    lfset__drop(set, key->seen);
}

LFSET__INLINE bool lfset__wants_seen(const struct lfset__key *key)
{
    return key->wants_seen;
}

/* The word's slice is protected, or the node is held as carried. */
LFSET__INLINE void lfset__seen(struct lfset__key *key, uint64_t word)
{
    if (key->wants_seen) {
        key->seen = lfset__word_node(word);
        lfset__node_hold(key->seen);
    }
}

/** @return 0 with the word to store, -ENOMEM. */
LFSET__INLINE int lfset__desire(struct lfset__set *set, struct lfset__key *key,
                                const struct lfset__probe *probe, bool add, bool bound,
                                uint64_t word, const struct lfset__carried *carried,
                                uint64_t *desired)
{
    if (!add) {
        *desired = (bound ? word : carried->word) & ~(uint64_t)(LFSET__LIVE | LFSET__FROZEN);
        return 0;
    }
    if (bound && !LFSET__REVIVE_WITH_NEW) {
        *desired = word | LFSET__LIVE;
        return 0;
    }
    if (lfset__is_too_crowded(probe)) {
        return -ENOMEM;
    }
    if (!key->made) {
        key->made = lfset__node_make(set, key);
        if (!key->made) {
            return -ENOMEM;
        }
    }
    *desired = lfset__node_word(key->made);
    return 0;
}

/** The CAS from `former` to `desired` was successful: who holds what now. */
LFSET__INLINE void lfset__settle_word(struct lfset__slice *slice, struct lfset__key *key,
                                      struct lfset__carried *carried, uint64_t former,
                                      uint64_t desired)
{
    if (key->made && lfset__word_node(desired) == key->made) {
        key->made = NULL; // the slice's now
    }
    if (carried->held && !(former & LFSET__BOUND) &&
        lfset__word_node(desired) == lfset__word_node(carried->word)) {
        carried->held = false; // the slice's now
    }
    if (LFSET__REVIVE_WITH_NEW && (former & LFSET__BOUND) &&
        lfset__word_node(former) != lfset__word_node(desired)) {
        struct lfset__node *displaced = lfset__word_node(former);
        lfset__add_rlx(&slice->nodes->dead_bytes,
                       (int64_t)lfset__node_weight(slice->set, displaced));
        lfset__bury(slice, displaced);
    }
}

/** To be called when an operation is over. */
LFSET__INLINE void lfset__key_done(struct lfset__set *set, struct lfset__key *key)
{
    if (lfset__unlikely(key->made != NULL)) {
        lfset__node_unmake(set, key->made);
        key->made = NULL;
    }
}

/* ---- copying ------------------------------------------------------------------------------------ */

/** A LIVE word on its way; holds the reference that the successor will have. */
struct lfset__source {
    struct lfset__key key;
    struct lfset__node *node;
    struct lfset__set *set;
};

LFSET__INLINE bool lfset__is_source(const struct lfset__slice *root, uint64_t word)
{
    (void)root;
    return word & LFSET__LIVE;
}

LFSET__INLINE struct lfset__source lfset__source_take(const struct lfset__slice *root, size_t index,
                                                      uint64_t word)
{
    (void)index;
    struct lfset__node *node = lfset__word_node(word);
    lfset__node_hold(node); // N2: root is protected
    return (struct lfset__source){lfset__node_key(root->set, node), node, root->set};
}

LFSET__INLINE struct lfset__probe lfset__source_probe(struct lfset__slice *to,
                                                      const struct lfset__slice *root,
                                                      const struct lfset__source *source)
{
    (void)root;
    return lfset__probe_key(to, &source->key);
}

LFSET__INLINE uint64_t lfset__source_word(const struct lfset__source *source,
                                          const struct lfset__probe *probe)
{
    (void)probe;
    return lfset__node_word(source->node);
}

LFSET__INLINE void lfset__source_drop(const struct lfset__source *source)
{
    lfset__drop(source->set, source->node);
}

LFSET__INLINE const void *lfset__named(uint64_t word)
{
    return lfset__word_node(word);
}

LFSET__INLINE uint64_t lfset__freeze_slot(struct lfset__slice *slice,
                                          const struct lfset__slice *next, size_t index)
{
    (void)next;
    return lfset__freeze(&slice->words[index]);
}

/* ---- what nodes weigh --------------------------------------------------------------------------- */

/** From this weight on every node is counted, below only those in sampled slots, for all the others. */
enum { LFSET__HEAVY = 4096 };

/** @return whether dead bytes were added, and are worth a look. */
LFSET__INLINE bool lfset__count_bytes(struct lfset__slice *slice, enum lfset__change change,
                                      uint64_t word, bool sampled)
{
    const struct lfset__node *node = lfset__word_node(word);
    int64_t weight = (int64_t)lfset__node_weight(slice->set, node);
    const bool displaced =
        LFSET__REVIVE_WITH_NEW && change == LFSET__REVIVE; // one more in the graveyard
    if (lfset__likely(!sampled && weight < LFSET__HEAVY)) {
        return displaced;
    }
    if (weight < LFSET__HEAVY) {
        weight <<= slice->sample_log2;
    }
    // relaxed: estimates
    if (change == LFSET__BIND_LIVE || change == LFSET__REVIVE) {
        lfset__add_rlx(&slice->nodes->live_bytes, weight);
    } else if (change == LFSET__KILL) {
        lfset__sub_rlx(&slice->nodes->live_bytes, weight);
    }
    if (change == LFSET__KILL || change == LFSET__BIND_DEAD) {
        lfset__add_rlx(&slice->nodes->dead_bytes, weight);
        return true;
    }
    if (change == LFSET__REVIVE) { // what was displaced is counted where it is buried
        lfset__sub_rlx(&slice->nodes->dead_bytes, weight);
    }
    return displaced;
}

/** Weighs what a small slice names. Its graveyard only grows while the slice is protected. */
static inline void lfset__weigh(const struct lfset__slice *slice, int64_t *live, int64_t *dead)
{
    size_t words = lfset__slice_words(slice);
    *live = *dead = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = lfset__load_acq(&slice->words[i]);
        if (word & LFSET__BOUND) {
            *(word & LFSET__LIVE ? live : dead) +=
                (int64_t)lfset__node_weight(slice->set, lfset__word_node(word));
        }
    }
    struct lfset__linked_node *buried = lfset__load_acq(&slice->nodes->graveyard);
    for (; buried; buried = buried->next) {
        *dead += (int64_t)lfset__node_weight(slice->set, &buried->node);
    }
}

/** Whether a succession would free anything. */
static inline bool lfset__has_dead(const struct lfset__slice *slice)
{
    if (lfset__load_rlx(&slice->nodes->graveyard)) {
        return true;
    }
    size_t words = lfset__slice_words(slice);
    for (size_t i = 0; i < words; i++) {
        if ((lfset__load_rlx(&slice->words[i]) & (LFSET__LIVE | LFSET__BOUND)) == LFSET__BOUND) {
            return true;
        }
    }
    return false;
}

static void lfset__release_nodes(struct lfset__slice *slice)
{
    lfset__release(slice, lfset__drop);
}

static const struct lfset__node_type lfset__nodes = {.release = lfset__release_nodes};

/* ---- pop ---------------------------------------------------------------------------------------- */

/** What pop hands out: a node that is held. */
struct lfset__popped {
    struct lfset__node *node;
    size_t limit;  /**< the longest key that will do */
    size_t length; /**< of one that was too long */
};

LFSET__INLINE bool lfset__pop_fits(struct lfset__popped *popped, uint64_t word)
{
    popped->length = lfset__word_node(word)->length;
    return popped->length <= popped->limit;
}

LFSET__INLINE void lfset__pop_word(struct lfset__popped *popped, const struct lfset__slice *slice,
                                   size_t index, uint64_t word)
{
    (void)slice, (void)index;
    popped->node = lfset__word_node(word);
    lfset__node_hold(popped->node);
}

LFSET__INLINE struct lfset__key lfset__popped_key(const struct lfset__set *set,
                                                  const struct lfset__slice *slice, size_t index,
                                                  uint64_t word)
{
    struct lfset__key key = lfset__word_as_key(set, slice, index, word);
    key.wants_seen = true;
    return key;
}

LFSET__INLINE void lfset__pop_seen(struct lfset__popped *popped, const struct lfset__key *key)
{
    popped->node = key->seen;
}

#endif

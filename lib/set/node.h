// SPDX-License-Identifier: MIT
/**
 * @file node.h
 * What a word names when its key does not fit into it: a copy of a byte string, a user's object, a region
 * of a bitmap.
 *
 *     63          48 47                    3  2       1      0
 *     [ fingerprint ][ the node's address   ][FROZEN|BOUND|LIVE]
 *
 * The fingerprint is the low 16 bits of the hash, so that a probe hardly ever looks at a node in vain. (In
 * an ASan build it is 0: the word is then a pointer into the node, which LeakSanitizer follows.)
 *
 * Ownership. A node is counted. Each slice holds one reference to every node that one of its words names,
 * LIVE or DEAD, and to those displaced from its words, its graveyard. Binding a new node gives it to the
 * slice; a copy into a successor, and a remove that binds a DEAD word there, take another reference first.
 * A slice drops all of its references when it is reclaimed. So
 *   N1  whoever protects a slice, by a hazard, a critical section or a reference, may use every node that
 *       its words name or named: no node has a hazard of its own, and a snapshot is a slice that is held;
 *   N2  a reference is taken only by somebody who protects a slice that has one, so never of a node whose
 *       count is 0;
 *   N3  what a stopped reader holds back is what the slices that it protects hold: no more than that was in
 *       the set at a time, and what had been removed from them.
 * A word names one node for the rest of its slice's life, or (objects that are added again, regions that are
 * replaced) goes on to a new node while the former is kept in the graveyard. Either way the addresses in a
 * word do not repeat while the slice lives, because all of them stay allocated: there is no ABA.
 *
 * Memory order. [node.publish] The CAS that binds a word (seq_cst, so release) pairs with the load of the
 * word (seq_cst or acquire): the node is whole. [node.last] A drop is release, the last one acquire: all
 * that other holders did with the node is over.
 */
#ifndef LFSET__NODE_H
#define LFSET__NODE_H

#include "platform/asan.h"
#include "platform/memory.h"
#include "set/slice.h"

struct lfset__node {
    _Atomic(uint32_t) references;
    uint32_t length; /**< bytes: of the key */
    uint64_t hash;
};

/** A node that can be displaced from a word before its slice dies. */
struct lfset__linked_node {
    struct lfset__node node;
    struct lfset__linked_node *next; /**< in the graveyard */
};

enum { LFSET__NODE_ALIGN = 8, LFSET__FINGERPRINT_SHIFT = 48 };

#define LFSET__ADDRESS_MASK ((UINT64_C(1) << LFSET__FINGERPRINT_SHIFT) - 8)

LFSET__INLINE struct lfset__node *lfset__word_node(uint64_t word)
{
    return (struct lfset__node *)(uintptr_t)(word & LFSET__ADDRESS_MASK);
}

LFSET__INLINE uint64_t lfset__fingerprint(uint64_t hash)
{
#ifdef LFSET__FINDABLE
    (void)hash;
    return 0;
#else
    return hash << LFSET__FINGERPRINT_SHIFT;
#endif
}

/** A LIVE word that names the node. */
LFSET__INLINE uint64_t lfset__node_word(const struct lfset__node *node)
{
    return lfset__fingerprint(node->hash) | (uint64_t)(uintptr_t)node | LFSET__BOUND | LFSET__LIVE;
}

LFSET__INLINE void lfset__node_hold(struct lfset__node *node)
{
    lfset__add_rlx(&node->references, 1);
}

/** Puts a displaced node on the slice's graveyard, whose reference it keeps. */
static inline void lfset__bury(struct lfset__slice *slice, struct lfset__node *node)
{
    struct lfset__linked_node *buried = (struct lfset__linked_node *)node;
    void *first = lfset__load_rlx(&slice->nodes->graveyard);
    do {
        buried->next = first;
    } while (!lfset__cas_sc(&slice->nodes->graveyard, &first, buried)); // [node.last]
}

/** Drops one reference. @return true when it was the last: the node is the caller's to free. */
LFSET__INLINE bool lfset__node_drop(struct lfset__node *node)
{
    // [node.last] seq_cst: whoever drops the last reference sees that the others are done.
    return lfset__sub_sc(&node->references, 1) == 1;
}

/** A node with one reference, the rest of it not initialised. @return NULL for lack of memory, or when the
 * allocator answers with an address that does not fit into a word. */
static inline struct lfset__node *lfset__node_alloc(struct lfset__set *set, size_t bytes)
{
    struct lfset__node *node = lfset__alloc(&set->allocator, bytes, LFSET__NODE_ALIGN);
    if (node && ((uint64_t)(uintptr_t)node & ~LFSET__ADDRESS_MASK)) {
        set->allocator.free(set->allocator.ctx, node, bytes, LFSET__NODE_ALIGN);
        return NULL;
    }
    if (node) {
        lfset__store_rlx(&node->references, 1);
    }
    return node;
}

/** Nodes whose lines are on their way while others are dropped. */
enum { LFSET__RELEASE_AHEAD = 16 };

/** Drops the references of a slice that nobody can see any more. `drop`: of the kind. */
LFSET__INLINE void lfset__release(struct lfset__slice *slice,
                                  void (*drop)(struct lfset__set *, struct lfset__node *))
{
    struct lfset__set *set = slice->set;
    size_t words = lfset__slice_words(slice);
    for (size_t i = 0; i < words; i++) {
        if (i + LFSET__RELEASE_AHEAD < words) {
            lfset__prefetch(
                lfset__word_node(lfset__load_rlx(&slice->words[i + LFSET__RELEASE_AHEAD])), true);
        }
        uint64_t word = lfset__load_rlx(&slice->words[i]);
        if (word & LFSET__BOUND) {
            drop(set, lfset__word_node(word));
        }
    }
    struct lfset__linked_node *buried = lfset__load_acq(&slice->nodes->graveyard);
    while (buried) {
        struct lfset__linked_node *next = buried->next;
        drop(set, &buried->node);
        buried = next;
    }
}

#endif

// SPDX-License-Identifier: MIT
/**
 * @file hp.h
 * The hazard-pointer domain (Michael, "Hazard pointers: safe memory reclamation for lock-free
 * objects", IEEE TPDS 2004), with ck's lock-free stacks for what is retired. What an operation
 * executes is inlined here.
 *
 * What: a reader publishes the address it is about to use and checks that it was still reachable
 * afterwards; who reclaims looks at all published addresses first. Why: a reader that stops holds
 * back what it published and nothing else. When not: walks over many objects, each of which costs a
 * publication (the sets here rarely walk farther than the root).
 *
 * The store of the address and the load that checks must not be reordered (store-buffering).
 * Instead of a fence in every reader the one who scans runs membarrier(2), which puts a full fence
 * into every running thread: a reader's check either came before it, then its publication did too
 * and the scan sees it, or it comes after, then it sees that root has moved (root moved before the
 * object was retired). Where membarrier is forbidden, readers execute the fence: lfset__hp_fences.
 */
#ifndef LFSET__HP_H
#define LFSET__HP_H

#include "reclaim/account.h"

extern struct lfset__account lfset__hp_account;
/** Readers must fence by themselves. Written before the first thread attaches, and in fork. */
extern bool lfset__hp_fences;

void lfset__hp_init(void);
struct lfset__thread *lfset__hp_thread_acquire(void);
/** Reclaims what the thread retired and nobody holds. */
void lfset__hp_scan(struct lfset__thread *self);
void lfset__hp_thread_release(struct lfset__thread *self);
/** The first of the records of all threads that are or were attached, linked by `next`: for who looks at
 * them from another thread. Records are never freed. */
struct lfset__thread *lfset__hp_threads(void);
void lfset__hp_retire(struct lfset__thread *self, struct lfset__retired *retired);
/** Clears the thread's hazards, unless in a section, and scans what it retired when that is due. */
void lfset__hp_settle(struct lfset__thread *self);
void lfset__hp_barrier(void);
void lfset__hp_drain(const void *owner, _Atomic(int64_t) *pending);
void lfset__hp_after_fork_in_child(struct lfset__thread *self);

/* [hazard.publish] release: pairs with the scan's acquire load and carries that everything this
 * thread did with the slot's previous object is over. */
LFSET__INLINE void lfset__hp_publish(struct lfset__thread *self, unsigned slot, const void *address)
{
    lfset__store_rel(&self->hazards[slot], address);
    if (lfset__unlikely(lfset__hp_fences)) {
        lfset__fence_sc();
    } else {
        lfset__fence_compiler();
    }
}

LFSET__INLINE void lfset__hp_clear(struct lfset__thread *self)
{
    for (unsigned slot = 0; slot < LFSET_HP_SLOTS; slot++) {
        lfset__store_rel(&self->hazards[slot], NULL); // [hazard.publish]
    }
}

LFSET__INLINE bool lfset__hp_enter(struct lfset__guard *guard)
{
    guard->self = lfset__self;
    guard->hopped = false;
    return lfset__likely(guard->self != NULL);
}

LFSET__INLINE void lfset__hp_leave(struct lfset__guard *guard)
{
    struct lfset__thread *self = guard->self;
    if (lfset__unlikely(guard->hopped)) {
        lfset__hp_settle(self);
    } else if (lfset__likely(self->sections == 0)) {
        lfset__store_rel(&self->hazards[0], NULL); // [hazard.publish]
    }
}

/* Inside a section the slot still holds the last root: it was validated then and has been published
 * ever since, so if root is that object now, it is not retired and not another one at its address.
 * [root.publish] acquire, as in rcu.h. */
LFSET__INLINE void *lfset__hp_root(struct lfset__guard *guard, _Atomic(void *) *root)
{
    struct lfset__thread *self = guard->self;
    void *found = lfset__load_acq(root);
    if (lfset__likely(atomic_load_explicit(&self->hazards[0], memory_order_relaxed) == found)) {
        return found;
    }
    for (;;) {
        lfset__hp_publish(self, 0, found);
        void *again = lfset__load_acq(root);
        if (lfset__likely(again == found)) {
            return found;
        }
        found = again;
    }
}

LFSET__INLINE bool lfset__hp_hop(struct lfset__guard *guard, unsigned slot, void *object,
                                 _Atomic(void *) *root, void *walk_root)
{
    guard->hopped = true;
    lfset__hp_publish(guard->self, slot, object);
    return lfset__load_acq(root) == walk_root;
}

LFSET__INLINE void lfset__hp_retire_in(struct lfset__guard *guard, struct lfset__retired *retired)
{
    lfset__hp_retire(guard->self, retired);
}

static const struct lfset__reclaim lfset__hp = {
    .enter = lfset__hp_enter,
    .leave = lfset__hp_leave,
    .root = lfset__hp_root,
    .hop = lfset__hp_hop,
    .retire = lfset__hp_retire_in,
};

#endif

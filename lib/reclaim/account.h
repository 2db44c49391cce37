// SPDX-License-Identifier: MIT
/**
 * @file account.h
 * What a domain has retired and not reclaimed: how much, and since which barrier.
 *
 * A barrier must wait for what was retired before it and not for what comes after. Objects retired
 * in era e count in pending[e % 2]. A barrier begins the next era and waits until the old counter is
 * 0, and does that twice; barriers are serialised. Once is not enough: a retire may read era e and
 * stop, count in pending[e % 2] only after the barrier that ended era e has seen it empty, and
 * return; the next barrier, which must wait for it, would look at the other counter.
 */
#ifndef LFSET__ACCOUNT_H
#define LFSET__ACCOUNT_H

#include <pthread.h>

#include "reclaim/reclaim.h"

struct lfset__account {
    unsigned domain; /**< enum lfset_domain */
    _Atomic(size_t) objects, bytes;
    _Atomic(int64_t) pending[2];
    _Atomic(unsigned) era;
    pthread_mutex_t barrier;
};

#define LFSET__ACCOUNT_INIT(which)                                                                 \
    {                                                                                              \
        .domain = (which), .barrier = PTHREAD_MUTEX_INITIALIZER                                    \
    }

/** Before the object goes on any list. */
void lfset__account_retire(struct lfset__account *account, struct lfset__retired *retired);
/** Calls the object's reclaim function and counts it off. */
void lfset__account_reclaim(struct lfset__account *account, struct lfset__retired *retired);
/** Waits until what was retired before is reclaimed, calling `push_on` (not NULL) again and again.
 */
void lfset__account_barrier(struct lfset__account *account, void (*push_on)(const void *arg));
/** Waits until *count is 0, calling `push_on` (when not NULL) with `arg` again and again. */
void lfset__account_wait(_Atomic(int64_t) *count, void (*push_on)(const void *arg),
                         const void *arg);
/** In a forked child: the thread that may have held the barrier does not exist here. */
void lfset__account_after_fork(struct lfset__account *account);

#endif

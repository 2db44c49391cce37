// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "wait/wait.h"

#include "platform/futex.h"
#include "platform/probes.h"

enum { LOG2_BUCKETS = 6, BUCKETS = 1 << LOG2_BUCKETS };
enum { NOT_YET = 1 };

struct bucket {
    _Alignas(LFSET__LINE) _Atomic(uint32_t) sequence; /**< what sleepers sleep at */
    _Atomic(uint32_t) sleepers;                       /**< threads between W1 and their end */
};

static struct bucket buckets[BUCKETS];

/* Tags may differ in any of their bits. */
static struct bucket *bucket_of(uint64_t tag)
{
    return &buckets[tag * UINT64_C(0x9e3779b97f4a7c15) >> (64 - LOG2_BUCKETS)];
}

/* @param tag of what changed; 0: of everything. */
static void wake(struct bucket *bucket, uint64_t tag)
{
    uint32_t sleepers = lfset__load_sc(&bucket->sleepers); // [wait.register]
    if (sleepers != 0) {
        lfset__add_sc(&bucket->sequence, 1);
        lfset__futex_wake_all(&bucket->sequence);
        lfset__probe(wait__wake, tag, sleepers);
    }
}

void lfset__wake(uint64_t tag)
{
    wake(bucket_of(tag), tag);
}

void lfset__wake_all(void)
{
    for (unsigned i = 0; i < BUCKETS; i++) {
        wake(&buckets[i], 0);
    }
}

/* What the wait would return now, or NOT_YET. What holds is answered rather than a cancellation. */
static int look(int (*holds)(void *ctx), void *ctx, const struct lfset_cancel *cancel)
{
    int result = holds(ctx);
    if (result != 0) {
        return result > 0 ? 0 : result;
    }
    int cancelled = lfset_cancel_check(cancel);
    return cancelled ? cancelled : NOT_YET;
}

/* Letters and digits as in wait.h. */
int lfset__wait(_Atomic(uint32_t) *waiting, uint64_t tag, int (*holds)(void *ctx), void *ctx,
                const struct lfset_cancel *cancel)
{
    // First without W1, which would make all updates of the set stumble.
    int result = look(holds, ctx, cancel);
    if (result != NOT_YET) {
        return result;
    }
    struct bucket *bucket = bucket_of(tag);
    uint64_t deadline = lfset__cancel_deadline(cancel);
    lfset__add_sc(&bucket->sleepers, 1); // W1 [wait.register]
    lfset__add_sc(waiting, 1);
    for (;;) {
        uint32_t sequence = lfset__load_sc(&bucket->sequence); // W2
        result = look(holds, ctx, cancel);                     // W3
        if (result != NOT_YET) {
            break;
        }
        lfset__futex_wait(&bucket->sequence, sequence, deadline); // W4
    }
    lfset__sub_sc(waiting, 1);
    lfset__sub_sc(&bucket->sleepers, 1);
    return result;
}

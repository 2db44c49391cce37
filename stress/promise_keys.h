// SPDX-License-Identifier: MIT
/**
 * @file promise_keys.h
 * A round, key by key: what happened to each, and what a look at it can have found.
 */
#ifndef STRESS_PROMISE_KEYS_H
#define STRESS_PROMISE_KEYS_H

#include "check/checker.h"

struct promise_item {
    struct history_record record; /**< on this key: add, remove, contains or clear */
    uint64_t reach;               /**< the latest return up to here */
    size_t start;                 /**< the item at which this one's cluster begins */
    int before;                   /**< state before the cluster: 0, 1, or STATE_UNKNOWN */
};

#define STATE_UNKNOWN 2

struct promise_key {
    uint64_t key;
    size_t first, end; /**< of its items, by the time of their calls */
    int initial;
    int last; /**< state after all */
};

struct promise_keys {
    struct promise_key *keys;
    size_t count, capacity;
    struct promise_item *items;
    size_t item_count, item_capacity;
    struct history window; /**< for the checker */
};

/** Takes the round apart. A snapshot is a contains of each key, a clear one of each key. */
int promise_keys_build(struct promise_keys *keys, const struct history *round);

/** Puts all that happened to one key into keys->window, a history. @return 0 or -ENOMEM. */
int promise_keys_window(struct promise_keys *keys, const struct promise_key *key, size_t first,
                        size_t end);

/**
 * What a look at the key in [invoke, ret] can have found: 1, absent; 2, present; 3, either. With
 * `instead_of`, a clear of the round: what that clear can have found. Negative errno.
 */
int promise_keys_possible(struct promise_keys *keys, struct checker *checker,
                          const struct promise_key *key, uint64_t invoke, uint64_t ret,
                          const struct history_record *instead_of);

void promise_keys_free(struct promise_keys *keys);

#endif

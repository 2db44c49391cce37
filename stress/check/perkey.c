// SPDX-License-Identifier: MIT
/*
 * The decision for histories whose operations concern one key each: a deterministic greedy per key.
 *
 * Per key it keeps the state, the open unused adds and removes in two heaps by return time, and the
 * earliest return of a read that still waits for the other state. Nothing happens before a deadline
 * forces it (laziness), and then the open operation with the earliest deadline is used. Why this is
 * exact:
 *  - A read over [call, return] can be placed iff the state at the call is the one it saw or some
 *    toggle falls into the interval, for a toggle shows both states. So one toggle satisfies every
 *    waiting read.
 *  - Two open toggles of the same kind have the same effect; swapping them changes nothing but
 * whose deadline remains. So the earliest deadline goes first.
 *  - If some schedule exists, then one exists that agrees with the greedy so far and has its other
 *    toggles later: at the return of an unsatisfied read one toggle is needed and is enough, at
 * that of an unused toggle one or two are.
 *
 * The keys are independent of each other, so the operations are not even partitioned: each is given
 * to its key's state as it comes, in order of the calls.
 *
 * A whole-set operation that overlaps nothing is a question to (or an order at) an exactly known
 * state. It is answered here as well; see at_rest(). At the first that overlaps another the pass is
 * given up, and the search (wholeset.c) begins from the start.
 */
#include "checker_internal.h"
#include "history_internal.h"

#include <errno.h>
#include <stdlib.h>

/* A node of a pairing heap ordered by return time: O(1) insertion, O(log n) amortised removal. */
struct node {
    uint64_t ret;
    uint32_t record;
    uint32_t child, sibling;
};

/* A key and its state: half a cache line, in an open hash table. */
struct key_state {
    uint64_t key;
    uint64_t busy_until; /* as in struct checker_use */
    uint32_t heap[2];    /* [0] open unused adds, [1] removes: usable in state 0, 1 */
    uint32_t read; /* of the reads that wait for the other state, that with the earliest return */
    uint32_t stamp : 24; /* of the run that uses it; else it is free */
    bool last_alone : 1;
    bool present : 1;
    bool failed : 1;
};

enum { STAMPS = 1 << 24 };

struct checker_perkey {
    struct key_state *slots;
    size_t slot_count;
    uint32_t stamp;
    uint32_t *used; /* the slots in use, in order of their first use */
    size_t key_count, used_capacity;
    struct node *nodes;
    size_t node_count, node_capacity;
    uint32_t free_node;
    bool pending,
        failed; /* an operation never returned, or cannot be placed: so the state at the end
                           * is not certain */
};

/* What a pass carries along. */
struct pass {
    struct checker *checker;
    struct checker_perkey *perkey;
    struct checker_result *result;
    uint64_t failed_time; /* earliest deadline that cannot be met so far */
    uint64_t busy_until;  /* latest return of any operation so far, + 1 */
    uint64_t whole_until; /* of a whole-set operation */
    int status;           /* -ENOMEM once the trace could not grow */
};

void checker__perkey_free(struct checker_perkey *perkey)
{
    if (perkey == NULL)
        return;
    free(perkey->slots);
    free(perkey->used);
    free(perkey->nodes);
    free(perkey);
}

/* ---- keys ---- */

static int grow_table(struct checker_perkey *perkey)
{
    size_t wanted = perkey->slot_count == 0 ? 1024 : perkey->slot_count * 2;
    if (checker__ensure(&perkey->used, &perkey->used_capacity, wanted / 2 + 1,
                        sizeof *perkey->used) != 0)
        return -ENOMEM;
    struct key_state *slots = aligned_alloc(sizeof *slots, wanted * sizeof *slots);
    if (slots == NULL)
        return -ENOMEM;
    history__use_large_pages(slots, wanted * sizeof *slots);
    memset(slots, 0, wanted * sizeof *slots);
    for (size_t i = 0; i < perkey->key_count; i++) {
        const struct key_state *key = &perkey->slots[perkey->used[i]];
        size_t at = checker__hash(key->key) & (wanted - 1);
        while (slots[at].stamp != 0)
            at = (at + 1) & (wanted - 1);
        slots[at] = *key;
        perkey->used[i] = (uint32_t)at;
    }
    free(perkey->slots);
    perkey->slots = slots;
    perkey->slot_count = wanted;
    return 0;
}

/* The key's state; NULL: no memory. Another key may move it. */
static inline struct key_state *find_key(struct checker_perkey *perkey, uint64_t key)
{
    size_t mask = perkey->slot_count - 1, at = checker__hash(key) & mask;
    for (; perkey->slots[at].stamp == perkey->stamp; at = (at + 1) & mask) {
        if (perkey->slots[at].key == key)
            return &perkey->slots[at];
    }
    if (perkey->key_count * 2 >= perkey->slot_count) {
        if (perkey->slot_count >= HISTORY_MAX_RECORDS || grow_table(perkey) != 0)
            return NULL;
        return find_key(perkey, key);
    }
    perkey->slots[at] = (struct key_state){
        .key = key, .heap = {NONE, NONE}, .read = NONE, .stamp = perkey->stamp & (STAMPS - 1)};
    perkey->used[perkey->key_count++] = (uint32_t)at;
    return &perkey->slots[at];
}

static int start(struct checker *checker)
{
    struct checker_perkey *perkey = checker->perkey;
    if (perkey == NULL) {
        perkey = checker->perkey = calloc(1, sizeof *perkey);
        if (perkey == NULL)
            return -ENOMEM;
    }
    perkey->key_count = perkey->node_count = 0;
    perkey->free_node = NONE;
    perkey->pending = false;
    int status = perkey->slot_count == 0 ? grow_table(perkey) : 0;
    if (++perkey->stamp == STAMPS) {
        memset(perkey->slots, 0, perkey->slot_count * sizeof *perkey->slots);
        perkey->stamp = 1;
    }
    for (size_t i = 0; status == 0 && i < checker->history->initial_count; i++) {
        struct key_state *key = find_key(perkey, checker->history->initial[i]);
        if (key == NULL)
            return -ENOMEM;
        key->present = true;
    }
    return status;
}

/* ---- heaps ---- */

static uint32_t meld(struct node *nodes, uint32_t a, uint32_t b)
{
    if (a == NONE)
        return b;
    if (b == NONE)
        return a;
    if (nodes[b].ret < nodes[a].ret) {
        uint32_t swap = a;
        a = b;
        b = swap;
    }
    nodes[b].sibling = nodes[a].child;
    nodes[a].child = b;
    return a;
}

/* A new node; NONE: no memory. */
static uint32_t new_node(struct checker_perkey *perkey, uint32_t record, uint64_t ret)
{
    uint32_t node = perkey->free_node;
    if (node != NONE) {
        perkey->free_node = perkey->nodes[node].sibling;
    } else {
        if (history__grow(&perkey->nodes, &perkey->node_capacity, perkey->node_count, 1,
                          sizeof *perkey->nodes) != 0)
            return NONE;
        node = (uint32_t)perkey->node_count++;
    }
    perkey->nodes[node] = (struct node){ret, record, NONE, NONE};
    return node;
}

static void free_node(struct checker_perkey *perkey, uint32_t node)
{
    perkey->nodes[node].sibling = perkey->free_node;
    perkey->free_node = node;
}

static void pop(struct checker_perkey *perkey, uint32_t *heap)
{
    struct node *nodes = perkey->nodes;
    uint32_t root = *heap, pairs = NONE, merged = NONE;
    for (uint32_t child = nodes[root].child; child != NONE;) {
        uint32_t second = nodes[child].sibling;
        uint32_t next = second == NONE ? NONE : nodes[second].sibling;
        nodes[child].sibling = NONE;
        if (second != NONE)
            nodes[second].sibling = NONE;
        uint32_t pair = meld(nodes, child, second);
        nodes[pair].sibling = pairs;
        pairs = pair;
        child = next;
    }
    while (pairs != NONE) {
        uint32_t next = nodes[pairs].sibling;
        nodes[pairs].sibling = NONE;
        merged = meld(nodes, merged, pairs);
        pairs = next;
    }
    free_node(perkey, root);
    *heap = merged;
}

static inline uint64_t earliest(const struct checker_perkey *perkey, uint32_t heap)
{
    return heap == NONE ? NEVER : perkey->nodes[heap].ret;
}

/* ---- the greedy ---- */

/* Uses the open operation with the earliest deadline that can change the state. False: there is
 * none. */
static inline bool toggle(struct pass *pass, struct key_state *key, uint64_t now)
{
    uint32_t *heap = &key->heap[key->present];
    if (*heap == NONE)
        return false;
    if (pass->checker->options.trace && pass->status == 0)
        pass->status = checker__trace_add(pass->checker, pass->perkey->nodes[*heap].record, now);
    pop(pass->perkey, heap);
    key->present = !key->present;
    if (key->read != NONE)
        free_node(pass->perkey, key->read);
    key->read = NONE;
    return true;
}

static void fail(struct pass *pass, uint32_t record, uint64_t time)
{
    if (time >= pass->failed_time)
        return;
    pass->failed_time = time;
    pass->result->verdict = CHECKER_VIOLATION;
    pass->result->failed_record = record;
    pass->result->failed_time = time;
}

/* Does what the deadlines before `time` require of this key. */
static inline void force(struct pass *pass, struct key_state *key, uint64_t time)
{
    while ((key->heap[0] & key->heap[1] & key->read) != NONE) {
        uint64_t add = earliest(pass->perkey, key->heap[0]);
        uint64_t removal = earliest(pass->perkey, key->heap[1]);
        uint64_t read = earliest(pass->perkey, key->read);
        bool side = removal < add;
        uint64_t deadline = side ? removal : add;
        uint32_t node;
        bool placed;
        if (read <= deadline) {
            deadline = read;
            if (deadline >= time)
                return;
            node = key->read;
            placed = toggle(pass, key, deadline);
        } else {
            if (deadline >= time)
                return;
            node = key->heap[side];
            placed = (key->present == side || toggle(pass, key, deadline)) &&
                     toggle(pass, key, deadline);
        }
        if (!placed) {
            key->failed = true;
            fail(pass, pass->perkey->nodes[node].record, deadline);
            return;
        }
    }
}

static int take_operation(struct pass *pass, struct key_state *key, enum checker_class class,
                          uint32_t number, uint64_t ret)
{
    struct checker_perkey *perkey = pass->perkey;
    bool toggles = CLASS_IS_TOGGLE(class);
    if (!toggles && (key->present == (class == CLASS_READ_1) || ret >= earliest(perkey, key->read)))
        return 0;
    uint32_t node = new_node(perkey, number, ret);
    if (node == NONE)
        return -ENOMEM;
    if (toggles) {
        uint32_t *heap = &key->heap[class - CLASS_ADD];
        *heap = meld(perkey->nodes, *heap, node);
    } else {
        if (key->read != NONE)
            free_node(perkey, key->read);
        key->read = node;
    }
    return 0;
}

static bool is_over(const struct pass *pass, uint64_t invoke)
{
    return invoke > pass->failed_time; /* what begins later cannot change the first failure */
}

/* ---- whole-set operations at rest ---- */

/* Takes up the keys of the answer, and counts those of them that are present. */
static int count_answered(const struct pass *pass, const struct history_set *set, size_t *present)
{
    *present = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct key_state *key =
            find_key(pass->perkey, pass->checker->history->set_keys[set->first + i]);
        if (key == NULL)
            return -ENOMEM;
        *present += (size_t)key->present;
    }
    return 0;
}

/* Everything before `invoke` has returned, so after force() every key's state is known: how many are
 * present. */
static size_t settle(struct pass *pass, uint64_t invoke)
{
    size_t present = 0;
    for (size_t i = 0; i < pass->perkey->key_count; i++) {
        struct key_state *key = &pass->perkey->slots[pass->perkey->used[i]];
        if (!key->failed)
            force(pass, key, invoke);
        present += (size_t)key->present;
    }
    return present;
}

/* A whole-set operation that overlaps nothing, not even one that never returned. */
static int at_rest(struct pass *pass, uint32_t number)
{
    const struct history *history = pass->checker->history;
    const struct history_record *record = &history->records[number];
    bool returned = record->ret != HISTORY_PENDING;
    bool answers = returned && (record->op == HISTORY_SNAPSHOT || record->op == HISTORY_DRAIN);
    if (answers && record->value >= history->set_count)
        return -EINVAL;
    size_t present = is_over(pass, record->invoke) ? 0 : settle(pass, record->invoke), found;
    const struct history_set *set = answers ? &history->sets[record->value] : NULL;
    int status = answers ? count_answered(pass, set, &found) : 0;
    if (status != 0 || pass->failed_time <= record->invoke || !returned)
        return status;
    bool right = true;
    if (answers)
        right = set->count == present && found == present;
    else if (record->op == HISTORY_SIZE || history_record_counts(record))
        right = record->value == present;
    else if (record->op == HISTORY_IS_EMPTY)
        right = (record->result == 1) == (present == 0);
    else if (record->op == HISTORY_POP)
        right = present == 0;
    if (!right) {
        fail(pass, number, record->ret);
        return 0;
    }
    if (pass->checker->options.trace && pass->status == 0)
        pass->status = checker__trace_add(pass->checker, number, record->invoke);
    if (record->op == HISTORY_CLEAR || record->op == HISTORY_DRAIN) {
        for (size_t i = 0; i < pass->perkey->key_count; i++)
            pass->perkey->slots[pass->perkey->used[i]].present = false;
    }
    return 0;
}

/* ---- the pass ---- */

static int take_key(struct pass *pass, const struct history_record *record, uint32_t number,
                    enum checker_class class)
{
    struct key_state *key = find_key(pass->perkey, record->value);
    if (key == NULL)
        return -ENOMEM;
    struct checker_use use = {key->busy_until, key->last_alone};
    pass->result->overlapping += checker__count_overlap(&use, record->invoke, record->ret);
    key->busy_until = use.busy_until;
    key->last_alone = use.last_alone;
    if (key->failed || is_over(pass, record->invoke))
        return 0;
    force(pass, key, record->invoke);
    return key->failed ? 0 : take_operation(pass, key, class, number, record->ret);
}

/* 0; 1: a whole-set operation overlaps another operation; -EINVAL, -ENOMEM. */
static int take_record(struct pass *pass, uint32_t number)
{
    const struct history_record *record = &pass->checker->history->records[number];
    if (record->op >= HISTORY_OPS)
        return -EINVAL;
    enum checker_class class = checker__class(record);
    if (class == CLASS_DROPPED)
        return 0;
    bool whole = class == CLASS_WHOLE, pending = record->ret == HISTORY_PENDING;
    if ((whole ? pass->busy_until : pass->whole_until) > record->invoke)
        return 1;
    uint64_t until = pending ? NEVER : record->ret + 1;
    pass->busy_until = until > pass->busy_until ? until : pass->busy_until;
    pass->perkey->pending |= pending;
    if (!whole)
        return take_key(pass, record, number, class);
    pass->whole_until = until;
    return at_rest(pass, number);
}

int checker__perkey_run(struct checker *checker, struct checker_result *result)
{
    enum { BATCH = 64 };
    uint32_t batch[BATCH];
    int status = start(checker);
    if (status == 0)
        status = checker__merge_start(checker);
    if (status != 0)
        return status;
    struct checker_perkey *perkey = checker->perkey;
    struct pass pass = {
        .checker = checker, .perkey = perkey, .result = result, .failed_time = NEVER};
    result->verdict = CHECKER_LINEARIZABLE;
    for (size_t count; (count = checker__merge_next(checker, batch, BATCH)) > 0;) {
        /* The keys' states are anywhere in memory: ask for all before waiting for one. */
        for (size_t i = 0; i < count; i++) {
            size_t hash = checker__hash(checker->history->records[batch[i]].value);
            __builtin_prefetch(&perkey->slots[hash & (perkey->slot_count - 1)], 1);
        }
        for (size_t i = 0; i < count; i++) {
            status = take_record(&pass, batch[i]);
            if (status != 0)
                return status;
        }
    }
    for (size_t i = 0; i < perkey->key_count; i++) {
        struct key_state *key = &perkey->slots[perkey->used[i]];
        if (!key->failed)
            force(&pass, key, pass.failed_time);
    }
    perkey->failed = result->verdict == CHECKER_VIOLATION;
    result->keys = perkey->key_count;
    return pass.status;
}

int checker__perkey_end(const struct checker *checker, struct history *next)
{
    const struct checker_perkey *perkey = checker->perkey;
    if (perkey->pending || perkey->failed)
        return -EAGAIN;
    uint64_t *keys = malloc((perkey->key_count + 1) * sizeof *keys);
    if (keys == NULL)
        return -ENOMEM;
    size_t count = 0;
    for (size_t i = 0; i < perkey->key_count; i++) {
        const struct key_state *key = &perkey->slots[perkey->used[i]];
        if (key->present)
            keys[count++] = key->key;
    }
    int status = history_set_initial(next, keys, count);
    free(keys);
    return status;
}

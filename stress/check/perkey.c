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
 * state. It is answered here as well; see at_rest().
 */
#include "checker_internal.h"
#include "history_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A node of a pairing heap ordered by return time: O(1) insertion, O(log n) amortised removal. */
struct node {
    uint64_t ret;
    uint32_t op;
    uint32_t child, sibling;
};

struct key_state {
    uint64_t read_deadline; /* earliest return of a read that waits for the other state */
    uint32_t read_op;       /* whose it is */
    uint32_t heap[2];       /* [0] open unused adds, [1] removes: usable in state 0, 1 */
    bool present;
    bool failed;
};

struct checker_perkey {
    struct key_state *keys;
    size_t key_capacity;
    struct node *nodes;
    size_t node_count, node_capacity;
    uint32_t free_node;
};

/* What a pass carries along. */
struct pass {
    struct checker *checker;
    struct checker_perkey *perkey;
    struct checker_result *result;
    uint64_t failed_time; /* earliest deadline that cannot be met so far */
    int status;           /* -ENOMEM once the trace could not grow */
};

void checker__perkey_free(struct checker_perkey *perkey)
{
    if (perkey == NULL)
        return;
    free(perkey->keys);
    free(perkey->nodes);
    free(perkey);
}

static int start(struct checker *checker)
{
    struct checker_perkey *perkey = checker->perkey;
    if (perkey == NULL) {
        perkey = checker->perkey = calloc(1, sizeof *perkey);
        if (perkey == NULL)
            return -ENOMEM;
    }
    int status = history__grow(&perkey->keys, &perkey->key_capacity, 0, checker->key_count,
                               sizeof *perkey->keys);
    for (size_t i = 0; status == 0 && i < checker->key_count; i++)
        perkey->keys[i] = (struct key_state){
            .read_deadline = NEVER, .heap = {NONE, NONE}, .present = i < checker->initial_count};
    perkey->node_count = 0;
    perkey->free_node = NONE;
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

static int push(struct checker_perkey *perkey, uint32_t *heap, uint32_t op, uint64_t ret)
{
    uint32_t node = perkey->free_node;
    if (node != NONE) {
        perkey->free_node = perkey->nodes[node].sibling;
    } else {
        int status = history__grow(&perkey->nodes, &perkey->node_capacity, perkey->node_count, 1,
                                   sizeof *perkey->nodes);
        if (status != 0)
            return status;
        node = (uint32_t)perkey->node_count++;
    }
    perkey->nodes[node] = (struct node){ret, op, NONE, NONE};
    *heap = meld(perkey->nodes, *heap, node);
    return 0;
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
    nodes[root].sibling = perkey->free_node;
    perkey->free_node = root;
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
        pass->status = checker__trace_add(pass->checker, pass->perkey->nodes[*heap].op, now);
    pop(pass->perkey, heap);
    key->present = !key->present;
    key->read_deadline = NEVER;
    return true;
}

static void fail(struct pass *pass, struct key_state *key, uint32_t op, uint64_t time)
{
    key->failed = true;
    if (time < pass->failed_time || pass->result->verdict != CHECKER_VIOLATION) {
        pass->failed_time = time;
        checker__fail(pass->checker, pass->result, op, time);
    }
}

/* Does what the deadlines before `time` require of this key. */
static inline void force(struct pass *pass, struct key_state *key, uint64_t time)
{
    for (;;) {
        uint64_t add = earliest(pass->perkey, key->heap[0]);
        uint64_t removal = earliest(pass->perkey, key->heap[1]);
        bool side = removal < add;
        uint64_t deadline = side ? removal : add;
        uint32_t op;
        bool placed;
        if (key->read_deadline <= deadline) {
            deadline = key->read_deadline;
            if (deadline >= time)
                return;
            op = key->read_op;
            placed = toggle(pass, key, deadline);
        } else {
            if (deadline >= time)
                return;
            op = pass->perkey->nodes[key->heap[side]].op;
            placed = (key->present == side || toggle(pass, key, deadline)) &&
                     toggle(pass, key, deadline);
        }
        if (!placed) {
            fail(pass, key, op, deadline);
            return;
        }
    }
}

static int take_operation(struct pass *pass, struct key_state *key, const struct checker_op *op,
                          uint32_t number)
{
    if (CLASS_IS_TOGGLE(op->class))
        return push(pass->perkey, &key->heap[op->class - CLASS_ADD], number, op->ret);
    if (key->present != (op->class == CLASS_READ_1) && op->ret < key->read_deadline) {
        key->read_deadline = op->ret;
        key->read_op = number;
    }
    return 0;
}

/* ---- whole-set operations at rest ---- */

/* Is the set exactly the one answered? */
static bool matches(const struct checker *checker, const struct key_state *keys, uint64_t number,
                    size_t present)
{
    const struct history_set *set = &checker->history->sets[number];
    if (set->count != present)
        return false;
    for (size_t i = 0; i < set->count; i++) {
        if (!keys[checker->set_ids[set->first + i]].present)
            return false;
    }
    return true;
}

/* A whole-set operation that overlaps nothing: everything before it has returned (a pending
 * operation would overlap it), so after force() every key's state is known. */
static void at_rest(struct pass *pass, uint32_t number)
{
    const struct checker *checker = pass->checker;
    const struct checker_op *op = &checker->ops[number];
    const struct history_record *record = &checker->history->records[checker->order[number]];
    struct key_state *keys = pass->perkey->keys;
    size_t present = 0;
    for (size_t i = 0; i < checker->key_count; i++) {
        if (!keys[i].failed)
            force(pass, &keys[i], op->invoke);
        present += (size_t)keys[i].present;
    }
    if (pass->failed_time <= op->invoke || op->ret == HISTORY_PENDING)
        return;
    bool right = true;
    if (record->op == HISTORY_SNAPSHOT || record->op == HISTORY_DRAIN)
        right = matches(checker, keys, record->value, present);
    else if (record->op == HISTORY_SIZE || history_record_counts(record))
        right = record->value == present;
    else if (record->op == HISTORY_IS_EMPTY)
        right = (record->result == 1) == (present == 0);
    else if (record->op == HISTORY_POP)
        right = present == 0;
    if (!right && op->ret < pass->failed_time) {
        pass->failed_time = op->ret;
        checker__fail(checker, pass->result, number, op->ret);
        return;
    }
    if (checker->options.trace && pass->status == 0)
        pass->status = checker__trace_add(pass->checker, number, op->invoke);
    if (record->op == HISTORY_CLEAR || record->op == HISTORY_DRAIN) {
        for (size_t i = 0; i < checker->key_count; i++)
            keys[i].present = false;
    }
}

int checker__perkey_run(struct checker *checker, struct checker_result *result)
{
    int status = start(checker);
    if (status != 0)
        return status;
    struct checker_perkey *perkey = checker->perkey;
    struct pass pass = {
        .checker = checker, .perkey = perkey, .result = result, .failed_time = NEVER};
    result->verdict = CHECKER_LINEARIZABLE;
    for (uint32_t i = 0; i < checker->count; i++) {
        const struct checker_op *op = &checker->ops[i];
        if (op->invoke > pass.failed_time)
            break; /* nothing that begins later can change the first failure */
        if (op->class == CLASS_WHOLE) {
            at_rest(&pass, i);
            continue;
        }
        if (op->class == CLASS_DROPPED || perkey->keys[op->key].failed)
            continue;
        struct key_state *key = &perkey->keys[op->key];
        force(&pass, key, op->invoke);
        if (!key->failed && take_operation(&pass, key, op, i) != 0)
            return -ENOMEM;
    }
    for (size_t i = 0; i < checker->key_count; i++) {
        if (!perkey->keys[i].failed)
            force(&pass, &perkey->keys[i], pass.failed_time);
    }
    return pass.status;
}

// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "promise_keys.h"

#include <errno.h>
#include <stdlib.h>

/* Steps of the checker for one look at one key; it needs them only when clears overlap. */
#define LOOK_BUDGET 100000

static int grow(void *array, size_t *capacity, size_t count, size_t size)
{
    void **place = array;

    if (count < *capacity)
        return 0;
    const size_t wanted = *capacity ? 2 * *capacity : 1024;
    void *grown = realloc(*place, wanted * size);
    if (!grown)
        return -ENOMEM;
    *place = grown;
    *capacity = wanted;
    return 0;
}

/* ---------------------------------------------------------------- which keys there are */

static int key_note(struct promise_keys *k, uint64_t key)
{
    if (grow(&k->keys, &k->capacity, k->count, sizeof(*k->keys)) != 0)
        return -ENOMEM;
    k->keys[k->count++] = (struct promise_key){.key = key};
    return 0;
}

static int compare_keys(const void *a, const void *b)
{
    const uint64_t x = ((const struct promise_key *)a)->key;
    const uint64_t y = ((const struct promise_key *)b)->key;

    return (x > y) - (x < y);
}

static struct promise_key *key_find(struct promise_keys *k, uint64_t key)
{
    const struct promise_key wanted = {.key = key};

    return bsearch(&wanted, k->keys, k->count, sizeof(*k->keys), compare_keys);
}

static int keys_collect(struct promise_keys *k, const struct history *round)
{
    int rc = 0;
    size_t kept = 0;

    k->count = 0;
    for (size_t i = 0; i < round->initial_count && rc == 0; i++)
        rc = key_note(k, round->initial[i]);
    for (size_t i = 0; i < round->count && rc == 0; i++)
        if (history_record_has_key(&round->records[i]))
            rc = key_note(k, round->records[i].value);
    for (size_t i = 0; i < round->set_key_count && rc == 0; i++)
        rc = key_note(k, round->set_keys[i]);
    if (rc != 0)
        return rc;
    if (k->count > 1)
        qsort(k->keys, k->count, sizeof(*k->keys), compare_keys);
    for (size_t i = 0; i < k->count; i++)
        if (i == 0 || k->keys[i].key != k->keys[kept - 1].key)
            k->keys[kept++] = k->keys[i];
    k->count = kept;
    for (size_t i = 0; i < round->initial_count; i++)
        key_find(k, round->initial[i])->initial = 1;
    return 0;
}

/* ---------------------------------------------------------------- what happened to them */

static int item_add(struct promise_keys *k, const struct history_record *from, enum history_op op,
                    uint64_t key, int result)
{
    if (grow(&k->items, &k->item_capacity, k->item_count, sizeof(*k->items)) != 0)
        return -ENOMEM;
    struct history_record r = *from;
    r.op = (uint8_t)op;
    r.value = key;
    r.result = (uint8_t)result;
    k->items[k->item_count++] = (struct promise_item){.record = r};
    return 0;
}

/* Each key of the answer, and each that it lacks. */
static int items_add_answer(struct promise_keys *k, const struct history *round,
                            const struct history_record *r, enum history_op op)
{
    const struct history_set *set = &round->sets[r->value];
    const uint64_t *keys = round->set_keys + set->first;
    size_t at = 0;
    int rc = 0;

    for (size_t i = 0; i < k->count && rc == 0; i++) {
        while (at < set->count && keys[at] < k->keys[i].key)
            at++;
        rc = item_add(k, r, op, k->keys[i].key, at < set->count && keys[at] == k->keys[i].key);
    }
    return rc;
}

static int items_add(struct promise_keys *k, const struct history *round,
                     const struct history_record *r)
{
    int rc = 0;

    switch (r->op) {
    case HISTORY_ADD:
    case HISTORY_REMOVE:
    case HISTORY_CONTAINS:
        return item_add(k, r, (enum history_op)r->op, r->value, r->result);
    case HISTORY_POP:
        return r->result ? item_add(k, r, HISTORY_REMOVE, r->value, 1) : 0;
    case HISTORY_SNAPSHOT:
        return items_add_answer(k, round, r, HISTORY_CONTAINS);
    case HISTORY_DRAIN:
        return items_add_answer(k, round, r, HISTORY_REMOVE);
    case HISTORY_CLEAR:
        for (size_t i = 0; i < k->count && rc == 0; i++)
            rc = item_add(k, r, HISTORY_CLEAR, k->keys[i].key, HISTORY_CLEAR_SILENT);
        return rc;
    default:
        return 0;
    }
}

static int compare_items(const void *a, const void *b)
{
    const struct history_record *x = &((const struct promise_item *)a)->record;
    const struct history_record *y = &((const struct promise_item *)b)->record;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return (x->invoke > y->invoke) - (x->invoke < y->invoke);
}

/* ---------------------------------------------------------------- clusters */

/*
 * A cluster is what overlaps, directly or by way of others: between two clusters nothing on this key
 * was under way. Where no clear is in one, the state after it is that before, changed as often as
 * a change was answered, whatever the order was.
 */
static int state_after(const struct promise_keys *k, size_t first, size_t end, int before)
{
    int changes = 0, clears = 0;

    for (size_t i = first; i < end; i++) {
        const struct history_record *r = &k->items[i].record;

        clears += r->op == HISTORY_CLEAR;
        if (r->result && r->op == HISTORY_ADD)
            changes++;
        if (r->result && r->op == HISTORY_REMOVE)
            changes--;
    }
    if (end - first == 1) {
        const struct history_record *r = &k->items[first].record;

        return r->op == HISTORY_ADD || (r->op == HISTORY_CONTAINS && r->result);
    }
    if (clears != 0 || before == STATE_UNKNOWN)
        return STATE_UNKNOWN;
    return before + changes > 0;
}

static void clusters_find(struct promise_keys *k, struct promise_key *key)
{
    uint64_t reach = 0;
    size_t start = key->first;
    int before = key->initial;

    for (size_t i = key->first; i < key->end; i++) {
        struct promise_item *item = &k->items[i];

        if (i > start && item->record.invoke > reach) {
            before = state_after(k, start, i, before);
            start = i;
        }
        if (i == start || item->record.ret > reach)
            reach = item->record.ret;
        item->reach = reach;
        item->start = start;
        item->before = before;
    }
    key->last = key->end > start ? state_after(k, start, key->end, before) : before;
}

int promise_keys_build(struct promise_keys *k, const struct history *round)
{
    int rc = keys_collect(k, round);
    size_t at = 0;

    k->item_count = 0;
    for (size_t i = 0; i < round->count && rc == 0; i++)
        rc = items_add(k, round, &round->records[i]);
    if (rc != 0)
        return rc;
    if (k->item_count > 1)
        qsort(k->items, k->item_count, sizeof(*k->items), compare_items);
    for (size_t i = 0; i < k->count; i++) {
        k->keys[i].first = at;
        while (at < k->item_count && k->items[at].record.value == k->keys[i].key)
            at++;
        k->keys[i].end = at;
        clusters_find(k, &k->keys[i]);
    }
    return 0;
}

/* ---------------------------------------------------------------- a look at a key */

int promise_keys_window(struct promise_keys *k, const struct promise_key *key, size_t first,
                        size_t end)
{
    const int before = first < key->end ? k->items[first].before : key->last;

    history_reset(&k->window);
    int rc = history_set_initial(&k->window, &key->key, before == 1 ? 1 : 0);
    for (size_t i = first; i < end && rc == 0; i++)
        rc = history_add_many(&k->window, &k->items[i].record, 1);
    return rc;
}

/* The first item from which on something was under way at `time` or later. */
static size_t first_reaching(const struct promise_keys *k, const struct promise_key *key,
                             uint64_t time)
{
    size_t low = key->first, high = key->end;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (k->items[middle].reach < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/*
 * The clusters that the interval meets; more where the state between clusters is not known, as what
 * comes before and after then has a say. @return the state before, if nothing changes it, else -1.
 */
static int look_window(const struct promise_keys *k, const struct promise_key *key, uint64_t invoke,
                       uint64_t ret, size_t *first, size_t *end)
{
    size_t a = first_reaching(k, key, invoke), b;
    int changes = 0;

    if (a < key->end)
        a = k->items[a].start;
    for (b = a; b < key->end && (k->items[b].record.invoke <= ret || k->items[b].start != b); b++) {
        const struct history_record *r = &k->items[b].record;

        changes |= r->op == HISTORY_CLEAR || (r->op != HISTORY_CONTAINS && r->result);
    }
    int before = a < key->end ? k->items[a].before : key->last;
    if (before != STATE_UNKNOWN && !changes)
        return before;
    while (a > key->first && before == STATE_UNKNOWN) {
        a = k->items[a - 1].start;
        before = k->items[a].before;
    }
    while (b < key->end && (k->items[b].start != b || k->items[b].before == STATE_UNKNOWN))
        b++;
    *first = a;
    *end = b;
    return -1;
}

static int same_call(const struct history_record *a, const struct history_record *b)
{
    return a->thread == b->thread && a->invoke == b->invoke && a->ret == b->ret;
}

int promise_keys_possible(struct promise_keys *k, struct checker *checker,
                          const struct promise_key *key, uint64_t invoke, uint64_t ret,
                          const struct history_record *instead_of)
{
    const struct checker_options options = {.budget = LOOK_BUDGET};
    struct history_record look = {.value = key->key,
                                  .invoke = invoke,
                                  .ret = ret,
                                  .thread = UINT16_MAX,
                                  .op = HISTORY_CONTAINS};
    struct history_record *placed = NULL;
    size_t first = 0, end = 0;
    int mask = 0;
    const int before = look_window(k, key, invoke, ret, &first, &end);

    if (before >= 0)
        return 1 << before;
    int rc = promise_keys_window(k, key, first, end);
    for (size_t i = 0; i < k->window.count && instead_of; i++)
        if (k->window.records[i].op == HISTORY_CLEAR &&
            same_call(&k->window.records[i], instead_of))
            placed = &k->window.records[i];
    if (placed) {
        placed->op = HISTORY_REMOVE;
    } else {
        rc = rc ? rc : history_add_many(&k->window, &look, 1);
        placed = rc ? NULL : &k->window.records[k->window.count - 1];
    }
    for (int found = 0; found < 2 && rc == 0; found++) {
        struct checker_result checked;

        placed->result = (uint8_t)found;
        rc = checker_run(checker, &k->window, &options, &checked);
        if (rc == 0 && checked.verdict != CHECKER_VIOLATION)
            mask |= 1 << found;
    }
    return rc ? rc : mask;
}

void promise_keys_free(struct promise_keys *k)
{
    free(k->keys);
    free(k->items);
    history_free(&k->window);
}

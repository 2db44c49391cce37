// SPDX-License-Identifier: MIT
#include "node_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- byte strings ---- */

struct lfset_bytes *bytes_new(enum lfset_domain domain, uint64_t capacity, uint64_t seed,
                              struct memory *memory)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.capacity = capacity;
    options.seed = seed;
    options.allocator = memory == NULL ? NULL : &memory->hook;
    struct lfset_bytes *set = NULL;
    CHECK_EQ(lfset_bytes_create(&set, &options), 0);
    CHECK(set != NULL, "create answered 0 and stored NULL");
    return set;
}

void bytes_check(const struct lfset_bytes *set)
{
    const char *reason = "no reason was given";
    const int valid = lfset_bytes_validate(set, &reason);
    CHECK(valid == 1, "validate answers %d: %s", valid, valid == 1 ? "" : reason);
}

void bytes_end(struct lfset_bytes *set, struct memory *memory)
{
    check_faults();
    bytes_check(set);
    CHECK_EQ(lfset_bytes_destroy(set), 0);
    if (memory != NULL)
        memory_check_balance(memory);
}

struct lfset_stats bytes_stats(const struct lfset_bytes *set)
{
    struct lfset_stats stats = {.size = sizeof stats};
    CHECK_EQ(lfset_bytes_stats_read(set, &stats), 0);
    return stats;
}

struct numbered numbered(uint64_t i)
{
    struct numbered key = {.length = 8 + i % (NUMBER_MOST - 8 + 1)};
    memset(key.data, (int)(i % 3), sizeof key.data);
    memcpy(key.data, &i, sizeof i);
    return key;
}

uint64_t number_of(const void *data, size_t length)
{
    uint64_t i = 0;
    if (length < sizeof i)
        return UINT64_MAX;
    memcpy(&i, data, sizeof i);
    const struct numbered key = numbered(i);
    return key.length == length && memcmp(key.data, data, length) == 0 ? i : UINT64_MAX;
}

int number_add(struct lfset_bytes *set, uint64_t i)
{
    const struct numbered key = numbered(i);
    return lfset_bytes_add(set, key.data, key.length);
}

int number_remove(struct lfset_bytes *set, uint64_t i)
{
    const struct numbered key = numbered(i);
    return lfset_bytes_remove(set, key.data, key.length);
}

int number_contains(const struct lfset_bytes *set, uint64_t i)
{
    const struct numbered key = numbered(i);
    return lfset_bytes_contains(set, key.data, key.length);
}

int compare_strings(const void *a, const void *b)
{
    const struct lfset_string *x = a;
    const struct lfset_string *y = b;
    const size_t common = x->length < y->length ? x->length : y->length;
    const int order = common == 0 ? 0 : memcmp(x->data, y->data, common);
    return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

/* ---- objects ---- */

/* A fate is how often the item was destroyed, plus DROPPED for each time it was dropped. */
enum { DROPPED = 16 };

#define CHECK_OF(key) ((key)*UINT64_C(0x9e3779b97f4a7c15) ^ UINT64_C(0x0b1ec7))

void ledger_init(struct ledger *ledger, size_t room)
{
    *ledger = (struct ledger){.room = room};
    ledger->fates = calloc(room, sizeof *ledger->fates);
    CHECK(ledger->fates != NULL, "no memory for the test");
}

size_t ledger_destroyed(const struct ledger *ledger)
{
    return atomic_load(&ledger->destroyed);
}

void ledger_end(struct ledger *ledger)
{
    check_faults();
    const size_t made = atomic_load(&ledger->made);
    for (size_t i = 0; i < made; i++) {
        const unsigned fate = atomic_load(&ledger->fates[i]);
        CHECK(fate == 1 || fate == DROPPED,
              "item %zu of %zu was destroyed %u times and dropped %u times", i, made,
              fate % DROPPED, fate / DROPPED);
    }
    free(ledger->fates);
}

struct item *item_new(struct ledger *ledger, uint64_t key)
{
    struct item *item = malloc(sizeof *item);
    const size_t number = atomic_fetch_add(&ledger->made, 1);
    if (item == NULL || number >= ledger->room) {
        fprintf(stderr, "item_new: no memory, or more than %zu items\n", ledger->room);
        abort();
    }
    *item = (struct item){key, CHECK_OF(key), number, ledger};
    return item;
}

bool item_intact(const struct item *item)
{
    return item->check == CHECK_OF(item->key);
}

bool item_destroyed(const struct ledger *ledger, size_t number)
{
    return atomic_load(&ledger->fates[number]) != 0;
}

static void item_free(struct item *item)
{
    memset(item, 0xdd, sizeof *item);
    free(item);
}

void item_drop(struct item *item)
{
    const unsigned fate = atomic_fetch_add(&item->ledger->fates[item->number], DROPPED);
    if (fate != 0)
        fault("item %zu was refused and destroyed all the same", item->number);
    else
        item_free(item);
}

void item_destroy(void *ctx, void *object)
{
    (void)ctx;
    struct item *item = object;
    if (!item_intact(item)) {
        fault("destroy was given an object that is none, or destroyed already");
        return;
    }
    const unsigned fate = atomic_fetch_add(&item->ledger->fates[item->number], 1);
    if (fate != 0) {
        fault("item %zu was destroyed after it had been %s", item->number,
              fate >= DROPPED ? "refused" : "destroyed already");
        return;
    }
    atomic_fetch_add(&item->ledger->destroyed, 1);
    item_free(item);
}

static uint64_t item_hash(void *ctx, const void *key)
{
    (void)ctx;
    struct random random = {((const struct item *)key)->key};
    return random_next(&random);
}

static int item_equal(void *ctx, const void *object, const void *key)
{
    (void)ctx;
    if (!item_intact(object))
        fault("equal was given an object that is none, or destroyed already");
    return ((const struct item *)object)->key == ((const struct item *)key)->key;
}

static int item_compare(void *ctx, const void *a, const void *b)
{
    (void)ctx;
    const uint64_t x = ((const struct item *)a)->key;
    const uint64_t y = ((const struct item *)b)->key;
    return (x > y) - (x < y);
}

const struct lfset_obj_type item_type = {
    .size = sizeof(struct lfset_obj_type),
    .hash = item_hash,
    .equal = item_equal,
    .destroy = item_destroy,
    .compare = item_compare,
    .object_bytes = sizeof(struct item),
};

struct lfset_obj *obj_new(enum lfset_domain domain, const struct lfset_obj_type *type,
                          struct memory *memory)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.seed = 1;
    options.allocator = memory == NULL ? NULL : &memory->hook;
    struct lfset_obj *set = NULL;
    CHECK_EQ(lfset_obj_create(&set, type, &options), 0);
    CHECK(set != NULL, "create answered 0 and stored NULL");
    return set;
}

void obj_check(const struct lfset_obj *set)
{
    const char *reason = "no reason was given";
    const int valid = lfset_obj_validate(set, &reason);
    CHECK(valid == 1, "validate answers %d: %s", valid, valid == 1 ? "" : reason);
}

void obj_end(struct lfset_obj *set, struct memory *memory)
{
    check_faults();
    obj_check(set);
    CHECK_EQ(lfset_obj_destroy(set), 0);
    if (memory != NULL)
        memory_check_balance(memory);
}

struct lfset_stats obj_stats(const struct lfset_obj *set)
{
    struct lfset_stats stats = {.size = sizeof stats};
    CHECK_EQ(lfset_obj_stats_read(set, &stats), 0);
    return stats;
}

int obj_add_key(struct lfset_obj *set, struct ledger *ledger, uint64_t key)
{
    struct item *item = item_new(ledger, key);
    const int added = lfset_obj_add(set, item);
    if (added != 1)
        item_drop(item);
    return added;
}

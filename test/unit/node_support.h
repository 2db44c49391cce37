// SPDX-License-Identifier: MIT
/*
 * What the unit tests of byte strings and objects share: sets that check themselves at their end, numbered
 * strings, and objects whose fate is recorded, so that "destroyed exactly once" can be asked.
 */
#ifndef LFSET_TEST_NODE_SUPPORT_H
#define LFSET_TEST_NODE_SUPPORT_H

#include "lfset/bytes.h"
#include "lfset/obj.h"
#include "support.h"

/* ---- byte strings ---- */

struct lfset_bytes *bytes_new(enum lfset_domain domain, uint64_t capacity, uint64_t seed,
                              struct memory *memory);
/* The set must validate. No other thread may be using it. */
void bytes_check(const struct lfset_bytes *set);
/* Checks, destroys, and checks that `memory` (unless NULL) got everything back. */
void bytes_end(struct lfset_bytes *set, struct memory *memory);
struct lfset_stats bytes_stats(const struct lfset_bytes *set);

/* String number `i`: no two are equal, lengths differ, and there are NUL bytes among them. */
enum { NUMBER_MOST = 8 + 22 };
struct numbered {
    unsigned char data[NUMBER_MOST];
    size_t length;
};
struct numbered numbered(uint64_t i);
int number_add(struct lfset_bytes *set, uint64_t i);
int number_remove(struct lfset_bytes *set, uint64_t i);
int number_contains(const struct lfset_bytes *set, uint64_t i);
/* Which number a string is; UINT64_MAX for none. */
uint64_t number_of(const void *data, size_t length);

/* As the set orders them; of two struct lfset_string. */
int compare_strings(const void *a, const void *b);

/* ---- objects ---- */

/* Records what became of each item. */
struct ledger {
    size_t room;
    atomic_size_t made;
    atomic_size_t destroyed;
    atomic_uchar *fates;
};

struct item {
    uint64_t key;
    uint64_t check; /* goes with the key until the item is destroyed */
    size_t number;
    struct ledger *ledger;
};

/* Compares items by their keys; its destroy records and frees them. ctx is not used. */
extern const struct lfset_obj_type item_type;

/* A key to look for. */
#define PROBE(wanted) (&(const struct item){.key = (wanted)})

void ledger_init(struct ledger *ledger, size_t room);
/* Every item was destroyed exactly once or refused by the set and dropped by the caller. */
void ledger_end(struct ledger *ledger);
size_t ledger_destroyed(const struct ledger *ledger);

struct item *item_new(struct ledger *ledger, uint64_t key);
bool item_intact(const struct item *item);
bool item_destroyed(const struct ledger *ledger, size_t number);
/* The set refused the item, so it is the caller's to free. */
void item_drop(struct item *item);
/* What a destroy callback does with an item; for callbacks that do more. */
void item_destroy(void *ctx, void *object);

struct lfset_obj *obj_new(enum lfset_domain domain, const struct lfset_obj_type *type,
                          struct memory *memory);
void obj_check(const struct lfset_obj *set);
void obj_end(struct lfset_obj *set, struct memory *memory);
struct lfset_stats obj_stats(const struct lfset_obj *set);
/* Adds a new item with this key; drops it when the set answers 0. */
int obj_add_key(struct lfset_obj *set, struct ledger *ledger, uint64_t key);

#endif

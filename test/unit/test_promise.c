// SPDX-License-Identifier: MIT
/*
 * What a weak operation can have answered (stress/promise_keys.h, promise_counter.h): the short cuts
 * against the slow way, which gives the checker all that happened to a key, and against all that a
 * counter can have said.
 */
#include "check/checker.h"
#include "promise_counter.h"
#include "promise_keys.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* A test program is linked with libcheck only. */
#include "promise_counter.c"
#include "promise_keys.c"

#define KEYS 3
#define OPS 10

static uint64_t draw(uint64_t *state, uint64_t below)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (*state >> 33) % below;
}

/* Operations that take effect in this order, one a tick, with calls and returns around. */
static void history_draw(uint64_t *random, struct history *h, int clears)
{
    int present[KEYS];
    uint64_t initial[KEYS];
    size_t count = 0;

    history_reset(h);
    for (uint64_t key = 0; key < KEYS; key++) {
        present[key] = (int)draw(random, 2);
        if (present[key])
            initial[count++] = key;
    }
    cr_assert_eq(history_set_initial(h, initial, count), 0);
    for (uint32_t i = 0; i < OPS; i++) {
        const uint64_t when = 10 * (uint64_t)i + 100, key = draw(random, KEYS);
        struct history_record r = {.value = key,
                                   .invoke = when - draw(random, 25),
                                   .ret = when + draw(random, 25),
                                   .thread = i,
                                   .op = (uint8_t)draw(random, 3)};

        if (clears && draw(random, 4) == 0) {
            r.op = HISTORY_CLEAR;
            r.result = HISTORY_CLEAR_SILENT;
            r.value = 0;
            for (size_t k = 0; k < KEYS; k++)
                present[k] = 0;
        } else {
            r.result = (uint8_t)(r.op == HISTORY_ADD ? !present[key] : present[key]);
            present[key] = r.op == HISTORY_CONTAINS ? present[key] : r.op == HISTORY_ADD;
        }
        cr_assert_eq(history_add_many(h, &r, 1), 0);
    }
}

/* The slow way: all of the key's operations, and a look at it, or the clear as a removal of it. */
static int slow_possible(struct checker *checker, const struct history *round, uint64_t key,
                         uint64_t invoke, uint64_t ret, const struct history_record *clear)
{
    int mask = 0;

    for (int found = 0; found < 2; found++) {
        struct history h;
        struct checker_result result;
        struct history_record look = {.value = key,
                                      .invoke = invoke,
                                      .ret = ret,
                                      .thread = OPS,
                                      .op = clear ? HISTORY_REMOVE : HISTORY_CONTAINS,
                                      .result = (uint8_t)found};

        history_init(&h);
        for (size_t i = 0; i < round->initial_count; i++)
            if (round->initial[i] == key)
                cr_assert_eq(history_set_initial(&h, &key, 1), 0);
        for (size_t i = 0; i < round->count; i++) {
            const struct history_record *r = &round->records[i];

            if (r != clear && (r->op == HISTORY_CLEAR || r->value == key))
                cr_assert_eq(history_add_many(&h, r, 1), 0);
        }
        cr_assert_eq(history_add_many(&h, &look, 1), 0);
        cr_assert_eq(checker_run(checker, &h, NULL, &result), 0);
        mask |= (result.verdict == CHECKER_LINEARIZABLE) << found;
        history_free(&h);
    }
    return mask;
}

static int compare(uint64_t seed, int clears, int tries)
{
    struct promise_keys keys = {0};
    struct checker *checker = checker_create();
    struct history h;
    int either = 0;

    history_init(&h);
    for (int t = 0; t < tries; t++) {
        history_draw(&seed, &h, clears);
        cr_assert_eq(promise_keys_build(&keys, &h), 0);
        for (size_t k = 0; k < keys.count; k++) {
            const uint64_t invoke = 70 + draw(&seed, 140), ret = invoke + draw(&seed, 40);
            const struct promise_key *key = &keys.keys[k];
            const struct history_record *clear = &h.records[draw(&seed, OPS)];

            if (clear->op != HISTORY_CLEAR)
                clear = NULL;
            const uint64_t from = clear ? clear->invoke : invoke, to = clear ? clear->ret : ret;
            const int mask = promise_keys_possible(&keys, checker, key, from, to, clear);

            cr_assert_eq(mask, slow_possible(checker, &h, key->key, from, to, clear),
                         "try %d, key %d, [%d, %d]%s: %d", t, (int)key->key, (int)from, (int)to,
                         clear ? ", a clear" : "", mask);
            either += mask == 3;
        }
    }
    promise_keys_free(&keys);
    history_free(&h);
    checker_destroy(checker);
    return either;
}

Test(promise, looks_at_a_key)
{
    cr_assert_gt(compare(1, 0, 20000), 1000, "hardly a look was uncertain");
}

Test(promise, looks_beside_clears)
{
    cr_assert_gt(compare(2, 1, 20000), 1000, "hardly a look was uncertain");
}

/* At each instant: with or without each change that is under way there. */
Test(promise, counter)
{
    struct promise_counter counter = {0};
    struct history h;
    uint64_t seed = 3;
    int wide = 0;

    history_init(&h);
    for (int t = 0; t < 20000; t++) {
        const uint64_t invoke = 70 + draw(&seed, 140), ret = invoke + draw(&seed, 40);
        int64_t low = INT64_MAX, high = INT64_MIN;
        uint64_t least, most;

        history_draw(&seed, &h, 0);
        for (uint64_t now = invoke; now <= ret; now++) {
            int64_t without = (int64_t)h.initial_count, with = without;

            for (size_t i = 0; i < h.count; i++) {
                const struct history_record *r = &h.records[i];
                const int change = r->op == HISTORY_CONTAINS || !r->result ? 0
                                   : r->op == HISTORY_ADD                  ? 1
                                                                           : -1;

                without += change == 1 ? r->ret < now : change == -1 ? -(r->invoke <= now) : 0;
                with += change == 1 ? r->invoke <= now : change == -1 ? -(r->ret < now) : 0;
            }
            low = without < low ? without : low;
            high = with > high ? with : high;
        }
        cr_assert_eq(promise_counter_build(&counter, &h), 0);
        promise_counter_range(&counter, invoke, ret, &least, &most);
        cr_assert_eq(least, (uint64_t)(low > 0 ? low : 0));
        cr_assert_eq(most, (uint64_t)(high > 0 ? high : 0));
        wide += most > least;
    }
    cr_assert_gt(wide, 1000);
    promise_counter_free(&counter);
    history_free(&h);
}

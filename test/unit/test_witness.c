// SPDX-License-Identifier: MIT
/* The witness of a violation: it is one, it is small, and it is one for every violation. */
#define _GNU_SOURCE
#include "check/witness_internal.h"
#include "checker_support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* A large history of a correct set, then the answer of the first fitting operation behind `at`
 * changed so that the history is not linearizable any more. */
static void plant(struct history *history, struct checker *checker, const struct shape *shape,
                  uint64_t seed, size_t at, enum history_op op)
{
    struct random random = {seed};
    random_history(history, shape, &random);
    cr_assert_eq(verdict_of(checker, history), CHECKER_LINEARIZABLE);
    for (; at < history->count; at++) {
        struct history_record *record = &history->records[at];
        if (record->op != op)
            continue;
        struct history_record good = *record;
        if (op == HISTORY_SIZE || op == HISTORY_CLEAR)
            record->value += 1;
        else
            record->result ^= 1;
        if (verdict_of(checker, history) == CHECKER_VIOLATION)
            return;
        *record = good;
    }
    cr_assert_fail("no violation could be planted");
}

static void find_planted(const struct shape *shape, uint64_t seed, enum history_op op, size_t most)
{
    struct checker *checker = checker_create();
    struct history history;
    struct witness witness;
    history_init(&history);
    plant(&history, checker, shape, seed, shape->operations / 2, op);
    cr_assert_eq(witness_find(checker, &history, NULL, &witness), 1);
    cr_expect_leq(witness.history.count, most, "%zu operations (seed %llu)", witness.history.count,
                  (unsigned long long)seed);
    cr_expect_eq(verdict_of(checker, &witness.history), CHECKER_VIOLATION);
    cr_expect_eq(witness.source_operations, shape->operations);
    /* What is shown as placed, followed by what cannot be, must be what the window holds. */
    cr_assert_neq(witness.result.failed_record, CHECKER_NONE);
    cr_expect_lt(witness.result.failed_record, witness.history.count);

    char *text = NULL, *page = NULL;
    size_t text_size = 0, page_size = 0;
    FILE *text_file = open_memstream(&text, &text_size);
    FILE *page_file = open_memstream(&page, &page_size);
    cr_assert_eq(witness_print_text(&witness, text_file), 0);
    cr_assert_eq(witness_write_html(&witness, page_file), 0);
    fclose(text_file);
    fclose(page_file);
    cr_expect(strstr(text, "<== cannot be placed") != NULL);
    cr_expect(strstr(page, "</html>") != NULL && strstr(page, "<svg") != NULL);
    cr_expect(strstr(page, "http") == NULL && strstr(page, "src=") == NULL);
    cr_expect_lt(text_size, 100000);
    cr_expect_lt(page_size, 300000);
    free(text);
    free(page);

    witness_free(&witness);
    history_free(&history);
    checker_destroy(checker);
}

Test(witness, a_planted_violation_in_100000_operations_is_small)
{
    const struct shape few = {100000, 8, 64, 60, 60, 0, 0, 0};
    const struct shape crowded = {100000, 8, 8, 10, 100, 0, 0, 0};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        find_planted(&few, seed, HISTORY_CONTAINS, 8);
        find_planted(&few, seed, HISTORY_ADD, 8);
        find_planted(&few, seed, HISTORY_REMOVE, 8);
        find_planted(&crowded, seed, HISTORY_CONTAINS, 8);
    }
}

Test(witness, a_planted_whole_set_violation_is_small)
{
    const struct shape shape = {20000, 6, 6, 30, 60, 10, 0, 0};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        find_planted(&shape, seed, HISTORY_CONTAINS, 16);
        find_planted(&shape, seed, HISTORY_SIZE, 30);
        find_planted(&shape, seed, HISTORY_IS_EMPTY, 30);
        find_planted(&shape, seed, HISTORY_CLEAR, 30);
    }
}

/* Is the window a violation whatever its state at the start, and whichever of the operations open
 * there had taken effect before? */
static bool fails_from_every_state(const struct witness *witness)
{
    struct history variant;
    bool fails = true;
    history_init(&variant);
    for (unsigned state = 0; state < 1U << MOST_KEYS; state++) {
        for (unsigned before = 0; before < 1U << witness->open_count; before++) {
            uint64_t keys[MOST_KEYS], count = 0, number;
            for (uint64_t key = 0; key < MOST_KEYS; key++) {
                if (state >> key & 1)
                    keys[count++] = key;
            }
            history_reset(&variant);
            cr_assert_eq(history_set_initial(&variant, keys, count), 0);
            for (size_t i = 0; i < witness->history.set_count; i++) {
                const struct history_set *set = &witness->history.sets[i];
                cr_assert_eq(history_add_set(&variant, witness->history.set_keys + set->first,
                                             set->count, &number),
                             0);
            }
            for (size_t i = 0; i < witness->history.count; i++) {
                if (i >= witness->open_count || !(before >> i & 1))
                    cr_assert_eq(history_add(&variant, &witness->history.records[i]), 0);
            }
            fails = fails && !brute_force(&variant);
        }
    }
    history_free(&variant);
    return fails;
}

/* Only the keys that the window speaks of matter; a snapshot's empty answer speaks of none. */
static bool has_whole(const struct history *history)
{
    for (size_t i = 0; i < history->count; i++) {
        if (history->records[i].op > HISTORY_POP ||
            (history->records[i].op == HISTORY_POP && history->records[i].result == 0))
            return true;
    }
    return false;
}

/* Every window of a violation must be one for whoever checks it, and there must be one for every
 * violation; none for what is linearizable. */
Test(witness, random_violations_have_witnesses)
{
    const struct shape shapes[] = {
        {9, 4, 2, 2, 6, 0, 30, 60}, {9, 4, 2, 2, 6, 40, 30, 60}, {10, 6, 4, 6, 20, 30, 20, 60}};
    struct checker *checker = checker_create();
    struct history history;
    struct witness witness;
    size_t from_every_state = 0;
    history_init(&history);
    for (uint64_t seed = 1; seed <= 15000; seed++) {
        struct random random = {seed};
        random_history(&history, &shapes[seed % 3], &random);
        bool legal = brute_force(&history);
        int status = witness_find(checker, &history, NULL, &witness);
        cr_assert_eq(status, legal ? 0 : 1, "%d (seed %llu)", status, (unsigned long long)seed);
        if (!legal) {
            cr_assert_leq(witness.history.count, history.count);
            cr_assert(!brute_force(&witness.history), "seed %llu", (unsigned long long)seed);
            if (witness.any_start && !has_whole(&witness.history)) {
                cr_assert(fails_from_every_state(&witness), "seed %llu", (unsigned long long)seed);
                from_every_state++;
            }
        }
        witness_free(&witness);
    }
    cr_expect_gt(from_every_state, 1000, "%zu", from_every_state);
    history_free(&history);
    checker_destroy(checker);
}

/* All keys that the history speaks of, as bits. */
static unsigned keys_of(const struct history *history)
{
    unsigned bits = keys_to_bits(history->initial, history->initial_count) |
                    keys_to_bits(history->set_keys, history->set_key_count);
    for (size_t i = 0; i < history->count; i++) {
        if (history_record_has_key(&history->records[i]))
            bits |= 1U << history->records[i].value;
    }
    return bits;
}

/* In which sense a witness is minimal: it is none any more if it begins one operation later, or
 * without any one of its keys, or without any one of its reads. What changes the set stays, for
 * without it anything would look wrong. */
Test(witness, nothing_can_be_taken_away)
{
    const struct shape shapes[] = {{9, 4, 2, 2, 6, 0, 30, 60},
                                   {9, 4, 2, 2, 6, 40, 30, 60},
                                   {12, 6, 4, 6, 20, 30, 20, 60},
                                   {12, 3, 3, 6, 2, 0, 0, 60},
                                   {12, 3, 1, 2, 3, 0, 0, 60}};
    struct checker *checker = checker_create();
    struct history history;
    struct witness witness;
    size_t later = 0, without_key = 0, without_read = 0;
    history_init(&history);
    for (uint64_t seed = 1; seed <= 15000; seed++) {
        struct random random = {seed};
        random_history(&history, &shapes[seed % 5], &random);
        struct checker_result result;
        cr_assert_eq(checker_run(checker, &history, NULL, &result), 0);
        if (result.verdict != CHECKER_VIOLATION)
            continue;
        cr_assert_eq(witness_find(checker, &history, NULL, &witness), 1);
        const struct history *window = &witness.history;
        if (has_whole(window) && keys_of(window) != keys_of(&history)) {
            /* Alone, it would not know of keys that may have been there at its start. */
            witness_free(&witness);
            continue;
        }
        bool leave_key[MOST_KEYS] = {false}, leave_record[MOST_OPS] = {false};
        struct witness_part part = {.start = witness.open_count,
                                    .end = result.failed_time,
                                    .any_start = witness.any_start,
                                    .leave_key = leave_key,
                                    .leave_record = leave_record};
        cr_assert_eq(witness__part_fails(checker, window, &part), 1, "seed %llu",
                     (unsigned long long)seed);
        part.start++;
        cr_assert_eq(witness__part_fails(checker, window, &part), 0, "later (seed %llu)",
                     (unsigned long long)seed);
        part.start--;
        later++;
        for (size_t i = part.start; i < window->count; i++) {
            const struct history_record *record = &window->records[i];
            bool pending = record->ret == HISTORY_PENDING;
            bool changes = (record->op <= HISTORY_REMOVE && (pending || record->result == 1)) ||
                           (record->op == HISTORY_POP && (pending || record->result == 1)) ||
                           record->op == HISTORY_CLEAR || record->op == HISTORY_DRAIN;
            if (changes)
                continue;
            leave_record[i] = true;
            if (witness__part_fails(checker, window, &part) != 0)
                show(window);
            cr_assert_eq(witness__part_fails(checker, window, &part), 0,
                         "without record %zu (seed %llu)", i, (unsigned long long)seed);
            leave_record[i] = false;
            without_read++;
        }
        size_t rank = 0; /* of a key that occurs, among those of the window */
        for (size_t key = 0; key < MOST_KEYS; key++) {
            if (!(keys_of(window) >> key & 1))
                continue;
            leave_key[rank] = true;
            cr_assert_eq(witness__part_fails(checker, window, &part), 0,
                         "without key %zu (seed %llu)", key, (unsigned long long)seed);
            leave_key[rank++] = false;
            without_key++;
        }
        witness_free(&witness);
    }
    cr_expect(later > 3000 && without_key > 3000 && without_read > 3000, "%zu %zu %zu", later,
              without_key, without_read);
    history_free(&history);
    checker_destroy(checker);
}

/* What makes a witness proof: no part of a linearizable history is taken for a violation. */
Test(witness, no_part_of_a_linearizable_history_is_a_violation)
{
    const struct shape shapes[] = {{9, 4, 2, 2, 6, 0, 30, 0},    {9, 4, 3, 2, 6, 40, 30, 0},
                                   {10, 6, 4, 6, 20, 30, 20, 0}, {8, 8, 2, 0, 5, 50, 100, 0},
                                   {12, 4, 2, 1, 3, 30, 0, 0},   {12, 6, 1, 1, 9, 20, 10, 0}};
    struct checker *checker = checker_create();
    struct history history;
    history_init(&history);
    for (uint64_t seed = 1; seed <= 12000; seed++) {
        struct random random = {seed};
        random_history(&history, &shapes[seed % 6], &random);
        for (int i = 0; i < 8; i++) {
            bool leave_key[MOST_KEYS], leave_record[MOST_OPS];
            uint64_t all_keys = below(&random, 2);
            for (size_t key = 0; key < MOST_KEYS; key++)
                leave_key[key] = !all_keys && below(&random, 2);
            for (size_t record = 0; record < MOST_OPS; record++)
                leave_record[record] = below(&random, 4) == 0;
            uint64_t end = below(&random, 2)
                               ? HISTORY_PENDING - 1
                               : history.records[below(&random, history.count)].invoke;
            struct witness_part part = {.start = below(&random, history.count + 1),
                                        .end = end,
                                        .any_start = below(&random, 2),
                                        .leave_key = leave_key,
                                        .leave_record = leave_record};
            int fails = witness__part_fails(checker, &history, &part);
            if (fails != 0)
                show(&history);
            cr_assert_eq(fails, 0, "%d from %zu, any start %d (seed %llu)", fails, part.start,
                         part.any_start, (unsigned long long)seed);
        }
    }
    history_free(&history);
    checker_destroy(checker);
}

Test(witness, a_write_is_never_left_out)
{
    /* Two adds and no remove would be shorter, and prove nothing. */
    struct checker *checker = checker_create();
    struct history history;
    struct witness witness;
    read_text(&history, HEADER "0 add 1 1 0 1\n0 remove 1 1 2 9\n1 add 1 1 3 9\n"
                               "2 add 1 1 4 9\n3 contains 1 1 4 9\n");
    cr_assert_eq(witness_find(checker, &history, NULL, &witness), 1);
    cr_expect_eq(witness.history.count, 4);
    cr_expect_eq(witness.history.records[1].op, HISTORY_REMOVE);
    witness_free(&witness);
    history_free(&history);
    checker_destroy(checker);
}

Test(witness, does_not_blame_what_was_still_open)
{
    /* The violation is certain at 9. Who saw key 2 return after that is explained by the add that began
     * after it: without it, the two reads of key 2 would look like a violation, and a later one. */
    struct checker *checker = checker_create();
    struct history history;
    struct witness witness;
    read_text(&history, HEADER "# initial {1}\n0 is_empty - 1 0 9\n1 contains 2 0 3 4\n"
                               "1 contains 2 1 5 30\n2 add 2 1 12 20\n");
    cr_assert_eq(witness_find(checker, &history, NULL, &witness), 1);
    cr_assert_eq(witness.history.count, 1);
    cr_expect_eq(witness.history.records[0].op, HISTORY_IS_EMPTY);
    witness_free(&witness);
    history_free(&history);
    checker_destroy(checker);
}

Test(witness, begins_as_late_as_it_can)
{
    struct checker *checker = checker_create();
    struct history history;
    struct witness witness;
    read_text(&history, HEADER "0 contains 1 0 0 1\n0 add 1 1 2 3\n0 contains 1 1 4 5\n"
                               "0 remove 1 1 6 7\n0 contains 2 0 8 9\n0 contains 1 1 10 11\n");
    cr_assert_eq(witness_find(checker, &history, NULL, &witness), 1);
    cr_assert_eq(witness.history.count, 2);
    cr_expect(witness.any_start);
    cr_expect_eq(witness.history.records[0].op, HISTORY_REMOVE);
    cr_expect_eq(witness.history.records[1].op, HISTORY_CONTAINS);
    cr_expect_eq(witness.history.records[1].invoke, 10);
    witness_free(&witness);
    history_free(&history);
    checker_destroy(checker);
}

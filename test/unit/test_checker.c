// SPDX-License-Identifier: MIT
/* The checker against a brute-force search over all orders, on every small history and on many random
 * ones. */
#include "checker_support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void must_agree(struct checker *checker, const struct history *history, uint64_t seed)
{
    bool expected = brute_force(history);
    enum checker_verdict found = verdict_of(checker, history);
    if (found != (expected ? CHECKER_LINEARIZABLE : CHECKER_VIOLATION)) {
        show(history);
        cr_assert_fail("brute force says %s, the checker %s (seed %llu)",
                       expected ? "linearizable" : "violation", checker_verdict_name(found),
                       (unsigned long long)seed);
    }
}

/* ---- every small history of one key ---- */

enum { ADD_1, REMOVE_1, READ_0, READ_1, PENDING_ADD, PENDING_REMOVE };

static struct history_record record_of_class(unsigned class)
{
    static const struct history_record records[] = {
        [ADD_1] = {.op = HISTORY_ADD, .result = 1},
        [REMOVE_1] = {.op = HISTORY_REMOVE, .result = 1},
        [READ_0] = {.op = HISTORY_CONTAINS, .result = 0},
        [READ_1] = {.op = HISTORY_ADD, .result = 0},
        [PENDING_ADD] = {.op = HISTORY_ADD, .ret = HISTORY_PENDING},
        [PENDING_REMOVE] = {.op = HISTORY_REMOVE, .ret = HISTORY_PENDING},
    };
    return records[class];
}

/* Every assignment of classes to the intervals in `history` whose ends are at `ends`. */
static size_t all_classes(struct checker *checker, struct history *history, size_t first,
                          const unsigned (*ends)[2], unsigned classes)
{
    size_t count = history->count - first, combinations = 1;
    for (size_t i = 0; i < count; i++)
        combinations *= classes;
    for (size_t combination = 0; combination < combinations; combination++) {
        size_t rest = combination;
        for (size_t i = 0; i < count; i++, rest /= classes) {
            struct history_record record = record_of_class((unsigned)(rest % classes));
            record.thread = (uint32_t)i;
            record.invoke = 100 + ends[i][0];
            record.ret = record.ret == HISTORY_PENDING ? HISTORY_PENDING : 100 + ends[i][1];
            history->records[first + i] = record;
        }
        must_agree(checker, history, 0);
    }
    return combinations;
}

/* Every way in which `count` intervals can overlap: pair the first free end with every other. */
static size_t all_overlaps(struct checker *checker, struct history *history, size_t first,
                           unsigned (*ends)[2], size_t placed, unsigned used, unsigned classes)
{
    size_t count = history->count - first, checked = 0;
    if (placed == count)
        return all_classes(checker, history, first, (const unsigned(*)[2])ends, classes);
    unsigned begin = 0;
    while (used >> begin & 1)
        begin++;
    for (unsigned end = begin + 1; end < 2 * count; end++) {
        if (used >> end & 1)
            continue;
        ends[placed][0] = begin;
        ends[placed][1] = end;
        checked += all_overlaps(checker, history, first, ends, placed + 1,
                                used | 1U << begin | 1U << end, classes);
    }
    return checked;
}

/* All histories of `count` operations on one key, from both states. With `search` two overlapping
 * reads of the size before them send the history through the search instead of the greedy. */
static size_t all_histories(size_t count, unsigned classes, bool search)
{
    struct checker *checker = checker_create();
    struct history history;
    history_init(&history);
    size_t checked = 0, first = search ? 2 : 0;
    cr_assert_eq(history_reserve(&history, first + count), 0);
    history.count = first + count;
    for (uint64_t present = 0; present < 2; present++) {
        const uint64_t key = 0;
        unsigned ends[MOST_OPS][2];
        cr_assert_eq(history_set_initial(&history, &key, present), 0);
        for (size_t i = 0; i < first; i++)
            history.records[i] = (struct history_record){.op = HISTORY_SIZE,
                                                         .value = present,
                                                         .thread = 20 + (uint32_t)i,
                                                         .invoke = 1,
                                                         .ret = 2};
        checked += all_overlaps(checker, &history, first, ends, 0, 0, classes);
    }
    history_free(&history);
    checker_destroy(checker);
    return checked;
}

Test(checker, every_history_of_up_to_4_operations_on_a_key)
{
    size_t checked = 0;
    for (size_t count = 1; count <= 4; count++)
        checked += all_histories(count, 6, false);
    cr_assert_eq(checked, 2 * (6 + 3 * 36 + 15 * 216 + 105 * 1296));
}

Test(checker, every_history_of_5_complete_operations_on_a_key)
{
    cr_assert_eq(all_histories(5, 4, false), 2 * 945 * 1024);
}

Test(checker, every_history_of_up_to_4_operations_through_the_search)
{
    size_t checked = 0;
    for (size_t count = 1; count <= 4; count++)
        checked += all_histories(count, 6, true);
    cr_assert_eq(checked, 2 * (6 + 3 * 36 + 15 * 216 + 105 * 1296));
}

/* ---- every small history of one key with whole-set operations ---- */

Test(checker, every_history_of_up_to_3_operations_of_all_kinds)
{
    const struct history_record kinds[] = {
        {.op = HISTORY_ADD, .result = 1},
        {.op = HISTORY_REMOVE, .result = 1},
        {.op = HISTORY_CONTAINS, .result = 0},
        {.op = HISTORY_CONTAINS, .result = 1},
        {.op = HISTORY_POP, .result = 0},
        {.op = HISTORY_POP, .result = 1},
        {.op = HISTORY_SNAPSHOT, .value = 0},
        {.op = HISTORY_SNAPSHOT, .value = 1},
        {.op = HISTORY_DRAIN, .value = 0},
        {.op = HISTORY_DRAIN, .value = 1},
        {.op = HISTORY_CLEAR, .result = HISTORY_CLEAR_SILENT},
        {.op = HISTORY_CLEAR, .result = HISTORY_CLEAR_COUNTED, .value = 0},
        {.op = HISTORY_CLEAR, .result = HISTORY_CLEAR_COUNTED, .value = 1},
        {.op = HISTORY_SIZE, .value = 0},
        {.op = HISTORY_SIZE, .value = 1},
        {.op = HISTORY_IS_EMPTY, .result = 0},
        {.op = HISTORY_IS_EMPTY, .result = 1},
        {.op = HISTORY_ADD, .ret = HISTORY_PENDING},
        {.op = HISTORY_REMOVE, .ret = HISTORY_PENDING},
        {.op = HISTORY_CLEAR, .ret = HISTORY_PENDING},
        {.op = HISTORY_DRAIN, .ret = HISTORY_PENDING},
        {.op = HISTORY_POP, .ret = HISTORY_PENDING},
    };
    enum { KINDS = sizeof kinds / sizeof *kinds };
    /* how three intervals can overlap: the ends of each, in units of time */
    static const unsigned overlaps[15][3][2] = {
        {{0, 1}, {2, 3}, {4, 5}}, {{0, 1}, {2, 4}, {3, 5}}, {{0, 1}, {2, 5}, {3, 4}},
        {{0, 2}, {1, 3}, {4, 5}}, {{0, 2}, {1, 4}, {3, 5}}, {{0, 2}, {1, 5}, {3, 4}},
        {{0, 3}, {1, 2}, {4, 5}}, {{0, 3}, {1, 4}, {2, 5}}, {{0, 3}, {1, 5}, {2, 4}},
        {{0, 4}, {1, 2}, {3, 5}}, {{0, 4}, {1, 3}, {2, 5}}, {{0, 4}, {1, 5}, {2, 3}},
        {{0, 5}, {1, 2}, {3, 4}}, {{0, 5}, {1, 3}, {2, 4}}, {{0, 5}, {1, 4}, {2, 3}}};
    struct checker *checker = checker_create();
    struct history history;
    const uint64_t key = 0;
    uint64_t number;
    size_t legal = 0, illegal = 0;
    history_init(&history);
    cr_assert_eq(history_reserve(&history, 3), 0);
    cr_assert_eq(history_add_set(&history, NULL, 0, &number), 0);
    cr_assert_eq(history_add_set(&history, &key, 1, &number), 0);
    history.count = 3;
    for (size_t all = 0; all < (size_t)2 * 15 * KINDS * KINDS * KINDS; all++) {
        size_t rest = all / 30;
        for (size_t i = 0; i < 3; i++, rest /= KINDS) {
            struct history_record *record = &history.records[i];
            *record = kinds[rest % KINDS];
            record->thread = (uint32_t)i;
            record->invoke = 100 + overlaps[all / 2 % 15][i][0];
            if (record->ret == 0)
                record->ret = 100 + overlaps[all / 2 % 15][i][1];
        }
        cr_assert_eq(history_set_initial(&history, &key, all % 2), 0);
        must_agree(checker, &history, all);
        *(verdict_of(checker, &history) == CHECKER_LINEARIZABLE ? &legal : &illegal) += 1;
    }
    cr_expect(legal > 30000 && illegal > 30000, "%zu legal, %zu illegal", legal, illegal);
    history_free(&history);
    checker_destroy(checker);
}

/* ---- the state at the end ---- */

Test(checker, the_state_at_the_end_is_the_only_one)
{
    const struct shape shapes[] = {{8, 3, 3, 6, 2, 0, 0, 10},  {8, 3, 3, 6, 2, 0, 20, 10},
                                   {8, 3, 2, 6, 2, 40, 0, 10}, {8, 4, 3, 1, 6, 30, 0, 0},
                                   {9, 4, 3, 8, 1, 50, 20, 0}, {6, 2, 4, 9, 1, 60, 0, 0}};
    struct checker *checker = checker_create();
    struct history history, end;
    size_t known = 0, unknown = 0;
    history_init(&history);
    history_init(&end);
    for (uint64_t seed = 1; seed <= 60000; seed++) {
        struct random random = {seed};
        random_history(&history, &shapes[seed % 6], &random);
        unsigned ends = brute_force_ends(&history);
        bool legal = verdict_of(checker, &history) == CHECKER_LINEARIZABLE;
        cr_assert_eq(ends != 0, legal);
        int status = checker_end_state(checker, &end);
        if (status == 0) {
            cr_assert(legal);
            if (ends != 1U << keys_to_bits(end.initial, end.initial_count))
                show(&history);
            cr_assert_eq(ends, 1U << keys_to_bits(end.initial, end.initial_count), "seed %llu",
                         (unsigned long long)seed);
            known++;
            continue;
        }
        cr_assert_eq(status, -11);
        bool excused = !legal;
        for (size_t i = 0; i < history.count; i++) {
            const struct history_record *record = &history.records[i];
            excused |= record->ret == HISTORY_PENDING || record->op == HISTORY_CLEAR ||
                       record->op == HISTORY_DRAIN;
        }
        cr_assert(excused, "seed %llu", (unsigned long long)seed);
        unknown += legal;
    }
    cr_expect(known > 10000 && unknown > 1000, "%zu known, %zu not", known, unknown);
    history_free(&history);
    history_free(&end);
    checker_destroy(checker);
}

/* Cut where no operation is open, a history is linearizable iff its parts are, each from where the
 * one before ended. */
Test(checker, rounds_have_the_verdict_of_the_whole)
{
    const struct shape shapes[] = {
        {10, 2, 2, 9, 1, 0, 0, 40}, {10, 3, 3, 12, 3, 0, 0, 40}, {10, 2, 2, 9, 1, 40, 0, 30}};
    struct checker *checker = checker_create();
    struct history history, round;
    size_t cuts = 0, legal = 0, illegal = 0;
    history_init(&history);
    history_init(&round);
    for (uint64_t seed = 1; seed <= 30000; seed++) {
        struct random random = {seed};
        random_history(&history, &shapes[seed % 3], &random);
        bool expected = brute_force(&history), right = true, known = true;
        uint64_t done = 0;
        cr_assert_eq(history_set_initial(&round, history.initial, history.initial_count), 0);
        for (size_t left = history.count; left > 0 && right && known;) {
            /* what begins earliest, and all that overlaps it, and all that overlaps that */
            uint64_t until = HISTORY_PENDING;
            size_t taken = 0;
            round.count = round.set_count = round.set_key_count = 0;
            for (size_t i = 0; i < history.count; i++) {
                if (!(done >> i & 1) && history.records[i].invoke < until)
                    until = history.records[i].invoke;
            }
            for (size_t i = 0; i < history.count; i++) {
                if (done >> i & 1 || history.records[i].invoke > until)
                    continue;
                struct history_record record = history.records[i];
                until = record.ret > until ? record.ret : until;
                if (record.op == HISTORY_SNAPSHOT || record.op == HISTORY_DRAIN) {
                    const struct history_set *set = &history.sets[record.value];
                    cr_assert_eq(history_add_set(&round, history.set_keys + set->first, set->count,
                                                 &record.value),
                                 0);
                }
                cr_assert_eq(history_add(&round, &record), 0);
                done |= UINT64_C(1) << i;
                taken++;
                i = SIZE_MAX; /* again from the start: `until` has moved */
            }
            left -= taken;
            right = verdict_of(checker, &round) == CHECKER_LINEARIZABLE;
            known = !right || left == 0 || checker_end_state(checker, &round) == 0;
            cuts += left > 0;
        }
        if (!known)
            continue;
        if (right != expected)
            show(&history);
        cr_assert_eq(right, expected, "seed %llu", (unsigned long long)seed);
        *(right ? &legal : &illegal) += 1;
    }
    cr_expect(cuts > 30000 && legal > 3000 && illegal > 3000, "%zu %zu %zu", cuts, legal, illegal);
    history_free(&history);
    history_free(&round);
    checker_destroy(checker);
}

/* ---- random histories ---- */

static void compare_random(const struct shape *shape, uint64_t first_seed, size_t histories)
{
    struct checker *checker = checker_create();
    struct history history;
    size_t legal = 0;
    history_init(&history);
    for (uint64_t seed = first_seed; seed < first_seed + histories; seed++) {
        struct random random = {seed};
        size_t bad = 0;
        const char *reason = NULL;
        random_history(&history, shape, &random);
        int status = history_validate(&history, &bad, &reason);
        cr_assert_eq(status, 0, "seed %llu: record %zu: %s", (unsigned long long)seed, bad,
                     reason == NULL ? "" : reason);
        must_agree(checker, &history, seed);
        legal += verdict_of(checker, &history) == CHECKER_LINEARIZABLE;
    }
    /* Both verdicts must have been tested. */
    cr_expect(legal > histories / 10 && legal < histories - histories / 50,
              "%zu of %zu histories are linearizable", legal, histories);
    history_free(&history);
    checker_destroy(checker);
}

Test(checker, random_histories_of_keys)
{
    const struct shape shapes[] = {
        {8, 3, 1, 6, 2, 0, 0, 50},    {8, 4, 1, 3, 6, 0, 30, 50},   {10, 5, 1, 1, 12, 0, 30, 60},
        {9, 4, 2, 2, 4, 0, 50, 40},   {10, 10, 1, 9, 20, 0, 0, 60}, {8, 8, 3, 0, 5, 0, 100, 50},
        {10, 5, 1, 2, 3, 0, 100, 65},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        compare_random(&shapes[i], 1000000 * (i + 1), 20000);
}

Test(checker, random_histories_with_whole_set_operations)
{
    const struct shape shapes[] = {
        {6, 3, 2, 6, 2, 50, 0, 40},  {7, 4, 2, 2, 8, 40, 30, 50}, {8, 5, 3, 1, 12, 40, 30, 60},
        {8, 4, 1, 2, 6, 30, 50, 50}, {8, 8, 3, 6, 20, 30, 0, 60}, {8, 8, 2, 0, 5, 50, 100, 60},
        {9, 5, 4, 2, 9, 25, 20, 60}, {7, 3, 2, 0, 2, 30, 40, 50}, {10, 6, 2, 3, 30, 20, 20, 65},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        compare_random(&shapes[i], 1000000 * (i + 101), 40000);
}

/* ---- one whole-set operation after another that only it can decide ---- */

static void must_be(const char *lines, enum checker_verdict expected)
{
    char text[2048];
    struct history history;
    struct checker *checker = checker_create();
    snprintf(text, sizeof text, "# lfset-history 2\n%s", lines);
    read_text(&history, text);
    enum checker_verdict found = verdict_of(checker, &history);
    cr_expect_eq(found, expected, "%s instead of %s:\n%s", checker_verdict_name(found),
                 checker_verdict_name(expected), text);
    history_free(&history);
    checker_destroy(checker);
}

Test(checker, two_adds_around_a_clear_need_no_remove)
{
    must_be("0 clear - 1 0 5\n1 add 7 1 0 10\n2 add 7 1 0 10\n", CHECKER_LINEARIZABLE);
    must_be("0 clear - 0 0 5\n1 add 7 1 0 10\n2 add 7 1 0 10\n", CHECKER_VIOLATION);
    must_be("0 clear - ? 0 5\n1 add 7 1 0 10\n2 add 7 1 0 10\n", CHECKER_LINEARIZABLE);
    must_be("0 clear - ? 0 5\n1 add 7 1 6 10\n2 add 7 1 6 10\n", CHECKER_VIOLATION);
    must_be("0 add 7 1 0 1\n1 clear - ? 0 5\n0 add 7 1 2 3\n", CHECKER_LINEARIZABLE);
    must_be("0 add 7 1 0 1\n1 clear - ? 0 5\n0 add 7 1 2 3\n0 add 7 1 3 4\n", CHECKER_VIOLATION);
    /* the waiting read is satisfied by an add that the clear swallows */
    must_be("0 clear - ? 0 5\n1 add 7 1 0 5\n2 contains 7 1 0 5\n3 contains 7 0 6 7\n",
            CHECKER_LINEARIZABLE);
}

Test(checker, a_clear_that_counts_must_count_right)
{
    must_be("# initial {1,2}\n0 clear - 2 0 1\n0 clear - 0 2 3\n", CHECKER_LINEARIZABLE);
    must_be("# initial {1,2}\n0 clear - 1 0 1\n", CHECKER_VIOLATION);
    must_be("# initial {1,2}\n0 clear - 3 0 1\n", CHECKER_VIOLATION);
    must_be("# initial {1,2}\n0 clear - 0 0 1\n", CHECKER_VIOLATION);
    must_be("# initial {1,2}\n0 clear - ? 0 1\n", CHECKER_LINEARIZABLE);
    must_be("# initial {1,2}\n0 clear - ? 0 -\n", CHECKER_LINEARIZABLE);
    must_be("# initial {1,2}\n0 clear - ? 0 1\n0 contains 1 1 2 3\n", CHECKER_VIOLATION);
    /* in flight: the add may have been before or after, but not both */
    must_be("# initial {1}\n0 clear - 1 0 5\n1 add 2 1 0 5\n0 size - 1 6 7\n",
            CHECKER_LINEARIZABLE);
    must_be("# initial {1}\n0 clear - 2 0 5\n1 add 2 1 0 5\n0 size - 0 6 7\n",
            CHECKER_LINEARIZABLE);
    must_be("# initial {1}\n0 clear - 2 0 5\n1 add 2 1 0 5\n0 size - 1 6 7\n", CHECKER_VIOLATION);
    must_be("# initial {1}\n0 clear - 1 0 5\n1 add 2 1 0 5\n0 size - 0 6 7\n", CHECKER_VIOLATION);
    must_be("# initial {1}\n0 clear - 3 0 5\n1 add 2 1 0 5\n", CHECKER_VIOLATION);
    must_be("# initial {1}\n0 clear - 0 0 5\n1 remove 1 1 0 5\n", CHECKER_LINEARIZABLE);
    must_be("# initial {1}\n0 clear - 0 0 5\n1 remove 1 1 6 7\n", CHECKER_VIOLATION);
    /* one key went and another came */
    must_be("# initial {1}\n0 clear - 1 0 5\n1 remove 1 1 0 5\n2 add 2 1 0 5\n0 size - 0 6 7\n",
            CHECKER_LINEARIZABLE);
    /* what never returned counts when it is needed */
    must_be("0 add 1 ? 0 -\n1 clear - 1 2 3\n1 clear - 0 4 5\n", CHECKER_LINEARIZABLE);
    must_be("0 add 1 ? 0 -\n1 clear - 1 2 3\n1 clear - 1 4 5\n", CHECKER_VIOLATION);
    must_be("# initial {1,2}\n0 pop - ? 0 -\n1 clear - 1 2 3\n", CHECKER_LINEARIZABLE);
    must_be("# initial {1,2}\n0 pop - ? 0 -\n1 clear - 0 2 3\n", CHECKER_VIOLATION);
    must_be("# initial {1,2}\n0 pop - ? 0 -\n2 pop - ? 0 -\n1 clear - 0 2 3\n",
            CHECKER_LINEARIZABLE);
}

Test(checker, whole_set_answers_at_rest_and_in_flight)
{
    must_be("# initial {1,2}\n0 snapshot - {1,2} 0 1\n0 size - 2 2 3\n0 is_empty - 0 4 5\n"
            "0 drain - {1,2} 6 7\n0 is_empty - 1 8 9\n0 pop - 0 10 11\n",
            CHECKER_LINEARIZABLE);
    must_be("# initial {1,2}\n0 snapshot - {1} 0 1\n", CHECKER_VIOLATION);
    must_be("# initial {1,2}\n0 snapshot - {1,3} 0 1\n", CHECKER_VIOLATION);
    must_be("# initial {1,2}\n0 size - 1 0 1\n", CHECKER_VIOLATION);
    must_be("# initial {1}\n0 is_empty - 1 0 1\n", CHECKER_VIOLATION);
    must_be("0 is_empty - 0 0 1\n", CHECKER_VIOLATION);
    must_be("# initial {1}\n0 pop - 0 0 1\n", CHECKER_VIOLATION);
    must_be("# initial {1}\n0 drain - {} 0 1\n", CHECKER_VIOLATION);
    must_be("# initial {1}\n0 clear - 1 0 1\n0 contains 1 1 2 3\n", CHECKER_VIOLATION);
    must_be("# initial {1}\n0 drain - {1} 0 1\n0 contains 1 1 2 3\n", CHECKER_VIOLATION);
    /* the snapshot saw 2 without 1, which was there before */
    must_be("0 add 1 1 0 1\n0 add 2 1 2 3\n1 snapshot - {2} 0 9\n", CHECKER_VIOLATION);
    must_be("0 add 1 1 0 1\n0 add 2 1 2 3\n1 snapshot - {1} 0 9\n", CHECKER_LINEARIZABLE);
    must_be("0 add 1 1 0 9\n2 add 2 1 0 9\n1 size - 1 0 9\n1 size - 1 10 11\n", CHECKER_VIOLATION);
    must_be("0 add 1 1 0 9\n2 add 2 1 0 9\n1 size - 1 0 8\n1 contains 1 0 9 9\n",
            CHECKER_LINEARIZABLE);
    /* what never returned may have happened, or not, but once only */
    must_be("# initial {1,2}\n0 clear - ? 0 -\n1 size - 2 5 6\n1 size - 0 7 8\n",
            CHECKER_LINEARIZABLE);
    must_be("# initial {1,2}\n0 pop - ? 0 -\n1 size - 2 5 6\n1 size - 1 7 8\n",
            CHECKER_LINEARIZABLE);
    must_be("# initial {1,2}\n0 pop - ? 0 -\n1 size - 2 5 6\n1 size - 0 7 8\n", CHECKER_VIOLATION);
}

Test(checker, gives_up_when_the_budget_is_spent)
{
    struct shape shape = {.operations = 4000,
                          .threads = 16,
                          .keys = 64,
                          .gap = 2,
                          .length = 100,
                          .whole_percent = 30};
    struct random random = {77};
    struct history history;
    struct checker *checker = checker_create();
    struct checker_result result;
    struct checker_options options = {.budget = 10};
    history_init(&history);
    random_history(&history, &shape, &random);
    cr_assert_eq(checker_run(checker, &history, &options, &result), 0);
    cr_expect_eq(result.verdict, CHECKER_UNDECIDED);
    cr_expect_eq(result.failed_record, CHECKER_NONE);
    history_free(&history);
    checker_destroy(checker);
}

Test(checker, counts_what_overlaps_on_the_same_key)
{
    struct history history;
    struct checker *checker = checker_create();
    struct checker_result result;
    read_text(&history, "# lfset-history 1\n"
                        "0 add 1 1 0 10\n"
                        "1 contains 1 1 10 20\n" /* touches the first: concurrent */
                        "2 contains 2 0 0 30\n"  /* another key */
                        "1 contains 1 1 21 22\n" /* alone */
                        "3 contains 1 1 23 40\n"
                        "1 contains 1 1 30 31\n");
    cr_assert_eq(checker_run(checker, &history, NULL, &result), 0);
    cr_expect_eq(result.verdict, CHECKER_LINEARIZABLE);
    cr_expect_eq(result.operations, 6);
    cr_expect_eq(result.keys, 2);
    cr_expect_eq(result.overlapping, 4);
    history_free(&history);
    read_text(&history, "# lfset-history 1\n"
                        "0 add 1 1 0 10\n"
                        "1 contains 2 0 5 20\n"
                        "2 size - 1 15 30\n"     /* overlaps the one before */
                        "0 contains 1 1 25 26\n" /* and this one */
                        "0 contains 1 1 40 41\n");
    cr_assert_eq(checker_run(checker, &history, NULL, &result), 0);
    cr_expect_eq(result.verdict, CHECKER_LINEARIZABLE);
    cr_expect_eq(result.overlapping, 3);
    history_free(&history);
    checker_destroy(checker);
}

Test(checker, tells_many_keys_apart_and_uses_its_memory_again)
{
    enum { KEYS = 5000 };
    struct checker *checker = checker_create();
    struct history history;
    history_init(&history);
    for (int round = 0; round < 3; round++) {
        history_reset(&history);
        for (uint64_t i = 0; i < 2 * KEYS; i++) {
            const struct history_record record = {.op = i < KEYS ? HISTORY_ADD : HISTORY_CONTAINS,
                                                  .result = 1,
                                                  .value = (i % KEYS) << (20 * round),
                                                  .invoke = 2 * i,
                                                  .ret = 2 * i + 1};
            cr_assert_eq(history_add(&history, &record), 0);
        }
        cr_expect_eq(verdict_of(checker, &history), CHECKER_LINEARIZABLE);
        history.records[2 * KEYS - 1].result = 0;
        cr_expect_eq(verdict_of(checker, &history), CHECKER_VIOLATION);
    }
    history_free(&history);
    checker_destroy(checker);
}

// SPDX-License-Identifier: MIT
/*
 * The checker against a brute-force search over all orders (after Wing and Gong), on every small
 * history and on many random ones; wrong variants of its greedy, each of which must be caught; the
 * readers' refusals; and the witness of a violation.
 */
#define _GNU_SOURCE
#include "check/checker.h"
#include "check/history.h"
#include "check/witness_internal.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* ---- random numbers: splitmix64, so that a seed names a history ---- */

struct random {
    uint64_t state;
};

static uint64_t draw(struct random *random)
{
    uint64_t x = random->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t below(struct random *random, uint64_t limit)
{
    return draw(random) % limit;
}

/* ---- brute force ---- */

enum { MOST_OPS = 12, MOST_KEYS = 4 };

struct brute {
    const struct history *history;
    unsigned char tried[1 << MOST_OPS][1 << MOST_KEYS];
};

static unsigned keys_to_bits(const uint64_t *keys, size_t count)
{
    unsigned bits = 0;
    for (size_t i = 0; i < count; i++)
        bits |= 1U << keys[i];
    return bits;
}

/* The sequential set: does it answer so in `state`? Then what is the state afterwards? */
static bool sequential(const struct history *history, const struct history_record *record,
                       unsigned state, unsigned *after)
{
    bool pending = record->ret == HISTORY_PENDING;
    unsigned bit = record->op <= HISTORY_POP ? 1U << record->value : 0;
    bool present = (state & bit) != 0;
    *after = state;
    switch ((enum history_op)record->op) {
    case HISTORY_ADD:
        *after = state | bit;
        return pending || record->result == !present;
    case HISTORY_REMOVE:
        *after = state & ~bit;
        return pending || record->result == present;
    case HISTORY_CONTAINS:
        return pending || record->result == present;
    case HISTORY_POP:
        if (record->result == 0)
            return state == 0;
        *after = state & ~bit;
        return present;
    case HISTORY_DRAIN:
        *after = 0;
        /* fall through */
    case HISTORY_SNAPSHOT:
        return pending || keys_to_bits(history->set_keys + history->sets[record->value].first,
                                       history->sets[record->value].count) == state;
    case HISTORY_CLEAR:
        *after = 0;
        return !history_record_counts(record) ||
               record->value == (uint64_t)__builtin_popcount(state);
    case HISTORY_SIZE:
        return pending || record->value == (uint64_t)__builtin_popcount(state);
    case HISTORY_IS_EMPTY:
        return pending || record->result == (state == 0);
    case HISTORY_OPS:
        break;
    }
    return false;
}

static bool brute_from(struct brute *brute, unsigned done, unsigned state)
{
    const struct history *history = brute->history;
    if (brute->tried[done][state])
        return false;
    brute->tried[done][state] = 1;
    uint64_t horizon = HISTORY_PENDING;
    bool complete = true;
    for (size_t i = 0; i < history->count; i++) {
        const struct history_record *record = &history->records[i];
        if (done >> i & 1 || record->ret == HISTORY_PENDING)
            continue;
        complete = false;
        horizon = record->ret < horizon ? record->ret : horizon;
    }
    if (complete)
        return true;
    for (size_t i = 0; i < history->count; i++) {
        struct history_record record = history->records[i];
        unsigned after;
        if (done >> i & 1 || record.invoke > horizon)
            continue;
        if (record.op == HISTORY_POP && record.ret == HISTORY_PENDING) {
            for (unsigned key = 0; key < MOST_KEYS; key++) {
                if (state >> key & 1 && brute_from(brute, done | 1U << i, state & ~(1U << key)))
                    return true;
            }
        } else if (sequential(history, &record, state, &after) &&
                   brute_from(brute, done | 1U << i, after)) {
            return true;
        }
    }
    return false;
}

static bool brute_force(const struct history *history)
{
    static struct brute brute;
    brute.history = history;
    memset(brute.tried, 0, (size_t)(1U << history->count) * sizeof brute.tried[0]);
    return brute_from(&brute, 0, keys_to_bits(history->initial, history->initial_count));
}

/* ---- comparing ---- */

static void show(const struct history *history)
{
    history_write_text(history, stderr);
}

static enum checker_verdict verdict_of(struct checker *checker, const struct history *history)
{
    struct checker_result result;
    int status = checker_run(checker, history, NULL, &result);
    cr_assert_eq(status, 0);
    return result.verdict;
}

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

/* ---- random histories ---- */

struct shape {
    unsigned operations, threads, keys;
    unsigned gap, length;     /* up to these between and within a thread's operations */
    unsigned whole_percent;   /* operations on the whole set */
    unsigned pending_percent; /* threads whose last operation never returns */
    unsigned wrong_percent;   /* histories in which answers are changed afterwards */
};

struct planned {
    struct history_record record;
    uint64_t effect, tie;
};

static int compare_effects(const void *left, const void *right)
{
    const struct planned *a = left, *b = right;
    if (a->effect != b->effect)
        return a->effect < b->effect ? -1 : 1;
    return (a->tie > b->tie) - (a->tie < b->tie);
}

static enum history_op random_op(struct random *random, const struct shape *shape)
{
    if (below(random, 100) < shape->whole_percent)
        return HISTORY_POP + (enum history_op)below(random, HISTORY_OPS - HISTORY_POP);
    return (enum history_op)below(random, HISTORY_POP);
}

/* The answer of the sequential set, and its change. Sets `state` bit by bit in an array, because
 * the large histories use it as well. */
static void answer(struct history *history, struct history_record *record, bool *state,
                   unsigned key_count, struct random *random)
{
    uint64_t present[1024], count = 0;
    if (record->op >= HISTORY_POP) {
        for (uint64_t key = 0; key < key_count; key++) {
            if (state[key])
                present[count++] = key;
        }
    }
    bool *here = &state[record->op <= HISTORY_CONTAINS ? record->value : 0];
    switch ((enum history_op)record->op) {
    case HISTORY_ADD:
        record->result = !*here;
        *here = true;
        break;
    case HISTORY_REMOVE:
        record->result = *here;
        *here = false;
        break;
    case HISTORY_CONTAINS:
        record->result = *here;
        break;
    case HISTORY_POP:
        record->result = count > 0;
        record->value = count > 0 ? present[below(random, count)] : 0;
        if (count > 0)
            state[record->value] = false;
        break;
    case HISTORY_SIZE:
        record->value = count;
        break;
    case HISTORY_IS_EMPTY:
        record->result = count == 0;
        break;
    case HISTORY_SNAPSHOT:
    case HISTORY_DRAIN:
        cr_assert_eq(history_add_set(history, present, count, &record->value), 0);
        break;
    default:
        record->result = below(random, 4) ? HISTORY_CLEAR_COUNTED : HISTORY_CLEAR_SILENT;
        record->value = record->result == HISTORY_CLEAR_COUNTED ? count : 0;
    }
    if (record->op == HISTORY_CLEAR || record->op == HISTORY_DRAIN)
        memset(state, 0, key_count * sizeof *state);
}

/* Changes the answer of one operation. */
static void spoil(struct history *history, struct random *random, unsigned key_count)
{
    struct history_record *record = &history->records[below(random, history->count)];
    uint64_t keys[MOST_KEYS], count = 0;
    switch ((enum history_op)record->op) {
    case HISTORY_SIZE:
        record->value = below(random, key_count + 1);
        break;
    case HISTORY_SNAPSHOT:
    case HISTORY_DRAIN:
        for (uint64_t key = 0; key < key_count; key++) {
            if (below(random, 2))
                keys[count++] = key;
        }
        cr_assert_eq(history_add_set(history, keys, count, &record->value), 0);
        break;
    case HISTORY_POP:
        record->result = (uint8_t)below(random, 2);
        record->value = record->result ? below(random, key_count) : 0;
        break;
    case HISTORY_CLEAR:
        record->value = record->result == HISTORY_CLEAR_COUNTED ? below(random, key_count + 1) : 0;
        break;
    default:
        record->result ^= 1;
    }
}

/* Fills `history` with what a correct set could have answered; then perhaps spoils it. */
static void random_history(struct history *history, const struct shape *shape,
                           struct random *random)
{
    struct planned *plan = calloc(shape->operations, sizeof *plan);
    uint64_t *clock = calloc(shape->threads, sizeof *clock);
    bool state[1024] = {false};
    uint64_t initial[MOST_KEYS], initial_count = 0;
    cr_assert(plan != NULL && clock != NULL);
    history_reset(history);
    for (uint64_t key = 0; key < shape->keys && key < MOST_KEYS; key++) {
        state[key] = below(random, 2);
        if (state[key])
            initial[initial_count++] = key;
    }
    cr_assert_eq(history_set_initial(history, initial, initial_count), 0);
    for (unsigned i = 0; i < shape->operations; i++) {
        uint32_t thread = (uint32_t)below(random, shape->threads);
        if (shape->operations > MOST_OPS)
            thread = i % shape->threads;
        uint64_t invoke = clock[thread] + below(random, shape->gap + 1);
        uint64_t length = below(random, shape->length + 1);
        clock[thread] = invoke + length;
        plan[i].effect = invoke + below(random, length + 1);
        plan[i].tie = draw(random);
        plan[i].record = (struct history_record){.thread = thread,
                                                 .op = (uint8_t)random_op(random, shape),
                                                 .invoke = invoke,
                                                 .ret = invoke + length};
        if (plan[i].record.op <= HISTORY_CONTAINS)
            plan[i].record.value = below(random, shape->keys);
    }
    qsort(plan, shape->operations, sizeof *plan, compare_effects);
    for (unsigned i = 0; i < shape->operations; i++) {
        struct history_record *record = &plan[i].record;
        bool pending = record->ret == clock[record->thread] && shape->pending_percent > 0 &&
                       below(random, 100) < shape->pending_percent;
        if (pending && below(random, 2)) {
            clock[record->thread] = HISTORY_PENDING; /* it never took effect */
            record->ret = HISTORY_PENDING;
        } else {
            answer(history, record, state, shape->keys, random);
            if (pending) {
                clock[record->thread] = HISTORY_PENDING;
                record->ret = HISTORY_PENDING;
            }
        }
        cr_assert_eq(history_add(history, record), 0);
    }
    /* A pending operation must be its thread's last; equal times may have put another behind. */
    for (size_t i = 0; i < history->count; i++) {
        struct history_record *record = &history->records[i];
        for (size_t j = 0; record->ret == HISTORY_PENDING && j < history->count; j++) {
            if (j != i && history->records[j].thread == record->thread &&
                history->records[j].ret > record->invoke)
                record->thread += 100;
        }
    }
    while (below(random, 100) < shape->wrong_percent)
        spoil(history, random, shape->keys);
    free(plan);
    free(clock);
}

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

static void read_text(struct history *history, const char *text)
{
    struct history_error error = {""};
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    cr_assert(file != NULL);
    history_init(history);
    int status = history_read(file, "text", history, &error);
    fclose(file);
    cr_assert_eq(status, 0, "%s", error.text);
}

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

/* ---- wrong variants of the greedy: each must be caught ---- */

enum variant {
    RIGHT,
    NEWEST_FIRST,
    FIRST_COME,
    LATEST_DEADLINE,
    EQUAL_TIMES_ORDERED,
    READS_KEPT_AT_TOGGLE,
    PENDING_IGNORED,
    EAGER_FOR_READS,
    TOGGLE_PER_READ,
    VARIANTS
};

/* The greedy, told plainly for one key, with one rule to break. */
struct greedy {
    enum variant variant;
    struct history_record open[2][MOST_OPS];
    size_t open_count[2];
    uint64_t reads[MOST_OPS];
    size_t read_count;
    bool present;
};

static size_t pick(const struct greedy *greedy, bool side)
{
    size_t best = 0;
    for (size_t i = 1; i < greedy->open_count[side]; i++) {
        const struct history_record *a = &greedy->open[side][i];
        const struct history_record *b = &greedy->open[side][best];
        bool better = a->ret < b->ret;
        if (greedy->variant == NEWEST_FIRST)
            better = a->invoke > b->invoke;
        else if (greedy->variant == FIRST_COME)
            better = a->invoke < b->invoke;
        else if (greedy->variant == LATEST_DEADLINE)
            better = a->ret > b->ret;
        best = better ? i : best;
    }
    return best;
}

static bool greedy_toggle(struct greedy *greedy)
{
    bool side = greedy->present;
    if (greedy->open_count[side] == 0)
        return false;
    size_t used = pick(greedy, side);
    greedy->open[side][used] = greedy->open[side][--greedy->open_count[side]];
    greedy->present = !side;
    if (greedy->variant == TOGGLE_PER_READ && greedy->read_count > 0) {
        for (size_t i = 1; i < greedy->read_count; i++)
            greedy->reads[i - 1] = greedy->reads[i];
        greedy->read_count--;
    } else if (greedy->variant != READS_KEPT_AT_TOGGLE) {
        greedy->read_count = 0;
    }
    return true;
}

static uint64_t earliest_return(const struct greedy *greedy, bool side)
{
    uint64_t earliest = HISTORY_PENDING;
    for (size_t i = 0; i < greedy->open_count[side]; i++)
        earliest = greedy->open[side][i].ret < earliest ? greedy->open[side][i].ret : earliest;
    return earliest;
}

static bool greedy_force(struct greedy *greedy, uint64_t time)
{
    bool inclusive = greedy->variant == EQUAL_TIMES_ORDERED;
    for (;;) {
        uint64_t read = HISTORY_PENDING;
        for (size_t i = 0; i < greedy->read_count; i++)
            read = greedy->reads[i] < read ? greedy->reads[i] : read;
        uint64_t add = earliest_return(greedy, false), removal = earliest_return(greedy, true);
        bool side = removal < add;
        uint64_t toggle = side ? removal : add, deadline = read < toggle ? read : toggle;
        if (deadline == HISTORY_PENDING || deadline > time || (deadline == time && !inclusive))
            return true;
        if (read <= toggle) {
            if (!greedy_toggle(greedy))
                return false;
            if (greedy->variant == READS_KEPT_AT_TOGGLE) {
                size_t kept = 0;
                for (size_t i = 0; i < greedy->read_count; i++) {
                    if (greedy->reads[i] != read)
                        greedy->reads[kept++] = greedy->reads[i];
                }
                greedy->read_count = kept;
            }
            continue;
        }
        if (greedy->present != side && !greedy_toggle(greedy))
            return false;
        if (!greedy_toggle(greedy))
            return false;
        /* Another order of use may leave the one whose deadline this is: then it is missed. */
        if (earliest_return(greedy, side) == deadline && greedy->variant != RIGHT)
            return false;
    }
}

static int compare_invokes(const void *left, const void *right)
{
    const struct history_record *a = left, *b = right;
    return (a->invoke > b->invoke) - (a->invoke < b->invoke);
}

static bool greedy_says(const struct history *history, enum variant variant)
{
    struct greedy greedy = {.variant = variant, .present = history->initial_count > 0};
    struct history_record sorted[MOST_OPS];
    memcpy(sorted, history->records, history->count * sizeof *sorted);
    qsort(sorted, history->count, sizeof *sorted, compare_invokes);
    for (size_t i = 0; i < history->count; i++) {
        const struct history_record *record = &sorted[i];
        bool pending = record->ret == HISTORY_PENDING;
        if (!greedy_force(&greedy, record->invoke))
            return false;
        if (pending && (record->op == HISTORY_CONTAINS || variant == PENDING_IGNORED))
            continue;
        if (record->op != HISTORY_CONTAINS && (pending || record->result == 1)) {
            bool side = record->op == HISTORY_REMOVE;
            greedy.open[side][greedy.open_count[side]++] = *record;
            continue;
        }
        bool seen = record->op == HISTORY_ADD      ? true
                    : record->op == HISTORY_REMOVE ? false
                                                   : record->result;
        if (seen != greedy.present && !(variant == EAGER_FOR_READS && greedy_toggle(&greedy)))
            greedy.reads[greedy.read_count++] = record->ret;
    }
    return greedy_force(&greedy, HISTORY_PENDING);
}

Test(checker, wrong_variants_of_the_greedy_are_caught)
{
    static const char *const names[VARIANTS] = {"right",
                                                "newest first",
                                                "first come",
                                                "latest deadline",
                                                "equal times ordered",
                                                "reads kept at a toggle",
                                                "pending ignored",
                                                "toggling early for reads",
                                                "a toggle per read"};
    const struct shape shapes[] = {
        {8, 5, 1, 3, 6, 0, 20, 40}, {10, 6, 1, 2, 12, 0, 20, 30}, {7, 7, 1, 8, 9, 0, 0, 50}};
    const size_t histories = 200000;
    size_t wrong[VARIANTS] = {0};
    struct history history;
    history_init(&history);
    for (uint64_t seed = 1; seed <= histories; seed++) {
        struct random random = {seed};
        random_history(&history, &shapes[seed % 3], &random);
        bool expected = brute_force(&history);
        for (enum variant variant = RIGHT; variant < VARIANTS; variant++) {
            if (variant == RIGHT || wrong[variant] == 0)
                wrong[variant] += greedy_says(&history, variant) != expected;
        }
    }
    cr_expect_eq(wrong[RIGHT], 0, "the plain greedy disagrees %zu times", wrong[RIGHT]);
    for (enum variant variant = RIGHT + 1; variant < VARIANTS; variant++)
        cr_expect_neq(wrong[variant], 0, "\"%s\" was not caught", names[variant]);
    history_free(&history);
}

/* ---- the text form ---- */

static char *text_of(const struct history *history)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    cr_assert(file != NULL);
    cr_assert_eq(history_write_text(history, file), 0);
    fclose(file);
    return text;
}

static char *binary_of(const struct history *history, size_t *size)
{
    char *bytes = NULL;
    FILE *file = open_memstream(&bytes, size);
    cr_assert(file != NULL);
    cr_assert_eq(history_write_binary(history, file), 0);
    fclose(file);
    return bytes;
}

static int read_bytes(struct history *history, const char *bytes, size_t size,
                      struct history_error *error)
{
    error->text[0] = '\0';
    FILE *file = fmemopen((void *)(uintptr_t)bytes, size, "r");
    cr_assert(file != NULL);
    int status = history_read(file, "FILE", history, error);
    fclose(file);
    return status;
}

#define HEADER "# lfset-history 2\n"
#define HEADER_1 "# lfset-history 1\n"

Test(history, malformed_text_is_refused_with_line_and_reason)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"\n", "FILE:1: not a history"},
        {"0 add 1 1 0 1\n", "FILE:1: not a history"},
        {"# lfset-history 3\n", "FILE:1: unknown version 3"},
        {"# lfset-history 0\n", "FILE:1: unknown version 0"},
        {"# lfset-history 1a\n", "FILE:1: bad version \"1a\""},
        {"# lfset-history \n", "FILE:1: the line ends before the version"},
        {HEADER "0 add 1 1 0 1", "FILE:2: the last line is cut off"},
        {HEADER "0 add 1 1 0 1\n0 add 2 1 10 1", "FILE:3: the last line is cut off"},
        {HEADER "\n\n0\n", "FILE:4: the line ends before the operation"},
        {HEADER "0 add\n", "FILE:2: the line ends before the key"},
        {HEADER "0 size\n", "FILE:2: the line ends before the key"},
        {HEADER "0 add 1\n", "FILE:2: the line ends before the result"},
        {HEADER "0 add 1 1\n", "FILE:2: the line ends before the time of the call"},
        {HEADER "0 add 1 1 5\n", "FILE:2: the line ends before the time of the return"},
        {HEADER "0 add 1 1 5 6 7\n", "FILE:2: unexpected \"7\" at the end"},
        {HEADER "0 put 1 1 5 6\n", "FILE:2: bad operation \"put\""},
        {HEADER "0 adder 1 1 5 6\n", "FILE:2: bad operation \"adder\""},
        {HEADER "x add 1 1 5 6\n", "FILE:2: bad thread \"x\""},
        {HEADER "-1 add 1 1 5 6\n", "FILE:2: bad thread \"-1\""},
        {HEADER "4294967296 add 1 1 5 6\n", "FILE:2: thread 4294967296 is too large"},
        {HEADER "0 add 1x 1 5 6\n", "FILE:2: bad key \"1x\""},
        {HEADER "0 add 0x 1 5 6\n", "FILE:2: bad key \"0x\""},
        {HEADER "0 add -1 1 5 6\n", "FILE:2: bad key \"-1\""},
        {HEADER "0 add 18446744073709551616 1 5 6\n", "does not fit in 64 bits"},
        {HEADER "0 add - 1 5 6\n", "FILE:2: add needs a key"},
        {HEADER "0 size 1 1 5 6\n", "FILE:2: size takes no key"},
        {HEADER "0 add 1 2 5 6\n", "FILE:2: bad result \"2\""},
        {HEADER "0 clear - x 5 6\n", "FILE:2: bad result \"x\""},
        {HEADER "0 clear - - 5 6\n", "FILE:2: bad result \"-\""},
        {HEADER "0 clear - 2 5 -\n", "FILE:2: it has a result but no time of return"},
        {HEADER "0 clear - ? 5 18446744073709551615\n", "the time of the return is too large"},
        {HEADER_1 "0 clear - 0 5 6\n", "FILE:2: bad result \"0\""},
        {HEADER_1 "0 clear - 2 5 6\n", "FILE:2: bad result \"2\""},
        {HEADER_1 "0 clear - ? 5 6\n", "FILE:2: it has a time of return but no result"},
        {HEADER "0 size - x 5 6\n", "FILE:2: bad result \"x\""},
        {HEADER "0 add 1 1 6 5\n", "FILE:2: the return (5) is earlier than the call (6)"},
        {HEADER "0 add 1 1 5 -\n", "FILE:2: it has a result but no time of return"},
        {HEADER "0 add 1 ? 5 6\n", "FILE:2: it has a time of return but no result"},
        {HEADER "0 add 1 1 5 18446744073709551615\n",
         "FILE:2: the time of the return is too large"},
        {HEADER "0 add 1 ? 18446744073709551615 -\n", "FILE:2: the time of the call is too large"},
        {HEADER "0 pop - 1 5 6\n", "FILE:2: a pop with result 1 needs the key"},
        {HEADER "0 pop 1 0 5 6\n", "FILE:2: a pop that found the set empty has no key"},
        {HEADER "0 pop 1 ? 5 -\n", "FILE:2: a pop that never returned has no key"},
        {HEADER "0 snapshot - 1 5 6\n", "FILE:2: bad answered set \"1\""},
        {HEADER "0 snapshot - {1 5 6\n", "FILE:2: \"5\" where the answered set should go on"},
        {HEADER "0 snapshot - {1,\n", "FILE:2: the line ends before the key"},
        {HEADER "0 snapshot - {1\n", "FILE:2: the answered set has no closing brace"},
        {HEADER "0 snapshot - {1,1} 5 6\n", "FILE:2: the answered set has a key twice"},
        {HEADER "0 snapshot - {1}2 5 6\n", "FILE:2: unexpected \"2\""},
        {HEADER "# initial {2,1,2}\n", "FILE:2: the initial set has a key twice"},
        {HEADER "# initial {1}\n# initial {1}\n",
         "FILE:3: the initial set was given before, on line 2"},
        {HEADER "# initial 1\n", "FILE:2: bad initial set \"1\""},
        {HEADER "# initial {1} x\n", "FILE:2: unexpected \"x\""},
        {HEADER "0 add \"a 1 5 6\n", "FILE:2: the string has no closing quote"},
        {HEADER "0 add \"a\\q\" 1 5 6\n", "FILE:2: bad escape \\q"},
        {HEADER "0 add \"a\\x\" 1 5 6\n", "FILE:2: bad escape \\x"},
        {HEADER "0 add \"a\\777\" 1 5 6\n", "FILE:2: bad escape \\7"},
        {HEADER "0 add \"a\"b 1 5 6\n", "FILE:2: unexpected \"b\" after a string"},
        {HEADER "0 add \"a\" 1 5 6\n\n0 add 1 1 7 8\n",
         "FILE:4: the key is an integer, on line 2 it was a string"},
        {HEADER "# initial {1}\n0 add \"a\" 1 5 6\n",
         "FILE:3: the key is a string, on line 2 it was an integer"},
        {HEADER "7 add 1 1 5 9\n8 add 1 1 5 9\n7 add 2 1 8 12\n",
         "FILE:4: it overlaps another operation of thread 7, on line 2"},
        {HEADER "7 add 2 1 8 12\n7 add 1 1 5 9\n",
         "FILE:2: it overlaps another operation of thread 7, on line 3"},
        {HEADER "7 add 1 ? 5 -\n7 add 2 1 8 12\n",
         "FILE:3: it overlaps another operation of thread 7, on line 2"},
        {HEADER "0 add 1\t\001 5 6\n", "FILE:2: bad result (unprintable byte 0x01)"},
    };
    struct history history;
    history_init(&history);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct history_error error;
        int status = read_bytes(&history, cases[i].text, strlen(cases[i].text), &error);
        cr_expect_eq(status, -22, "accepted: %s", cases[i].text);
        cr_expect(strstr(error.text, cases[i].message) != NULL,
                  "\"%s\" where \"%s\" was expected for:\n%s", error.text, cases[i].message,
                  cases[i].text);
        cr_expect_eq(history.count, 0);
    }
    history_free(&history);
}

Test(history, text_is_read_as_it_is_meant)
{
    struct history history;
    read_text(&history, HEADER "# a remark\n#initial{ 0x10 , 3 }\n\n"
                               "  5\tadd 0xFF 1 7 7  # a remark\n"
                               "5 add 18446744073709551615 0 7 18446744073709551614\n"
                               "1 snapshot - { 2 , 1 } 0 5\n"
                               "2 pop - ? 3 -\n");
    cr_assert_eq(history.count, 4);
    cr_expect_eq(history.initial_count, 2);
    cr_expect_eq(history.initial[0], 3);
    cr_expect_eq(history.initial[1], 16);
    cr_expect_eq(history.records[0].thread, 5);
    cr_expect_eq(history.records[0].value, 255);
    cr_expect_eq(history.records[1].value, UINT64_MAX);
    cr_expect_eq(history.records[1].ret, UINT64_MAX - 1);
    cr_expect_eq(history.sets[history.records[2].value].count, 2);
    cr_expect_eq(history.set_keys[0], 1);
    cr_expect_eq(history.records[3].ret, HISTORY_PENDING);
    history_free(&history);
}

static const char every_kind[] = HEADER "# initial {1,2,18446744073709551615}\n"
                                        "# thread operation key result invoke return\n"
                                        "0 add 17 1 100 180\n"
                                        "1 contains 17 0 120 130\n"
                                        "2 remove 17 ? 150 -\n"
                                        "3 snapshot - {1,2,18446744073709551615} 200 260\n"
                                        "3 size - 2 270 280\n"
                                        "3 is_empty - 0 281 282\n"
                                        "3 drain - {} 290 299\n"
                                        "3 clear - 4 300 320\n"
                                        "3 clear - ? 321 322\n"
                                        "7 clear - ? 323 -\n"
                                        "3 pop 20 1 330 340\n"
                                        "3 pop - 0 341 342\n"
                                        "3 pop - ? 343 -\n"
                                        "4294967295 snapshot - ? 5 -\n";

static const char every_string[] = HEADER "# initial {\"\",\"a b\"}\n"
                                          "# thread operation key result invoke return\n"
                                          "0 add \"a b\" 0 1 2\n"
                                          "1 add \"\\\"\\\\\\n\\t\\001\\0002\\377{,}#\" 1 1 2\n"
                                          "2 snapshot - {\"\",\"a b\"} 3 4\n"
                                          "2 pop \"\" 1 5 6\n";

Test(history, text_and_binary_round_trip)
{
    const char *const texts[] = {every_kind, every_string, HEADER};
    struct history history, again;
    struct history_error error;
    history_init(&again);
    for (size_t i = 0; i < 3; i++) {
        size_t size;
        read_text(&history, texts[i]);
        char *text = text_of(&history);
        if (history.count > 0)
            cr_expect_str_eq(text, texts[i]);
        char *bytes = binary_of(&history, &size);
        cr_assert_eq(read_bytes(&again, bytes, size, &error), 0, "%s", error.text);
        char *text_again = text_of(&again);
        cr_expect_str_eq(text_again, text);
        free(text);
        free(text_again);
        free(bytes);
        history_free(&history);
    }
    history_free(&again);
}

Test(history, string_escapes_mean_bytes)
{
    struct history history;
    read_text(&history, HEADER "0 add \"a\\x41\\101\\0\" 1 0 1\n0 add \"aAA\\x0\" 0 2 3\n");
    cr_expect_eq(history.records[0].value, history.records[1].value);
    history_free(&history);
}

Test(history, a_cut_or_corrupt_binary_file_is_refused)
{
    const char *const texts[] = {every_kind, every_string};
    struct history history, again;
    struct history_error error;
    history_init(&again);
    for (size_t i = 0; i < 2; i++) {
        size_t size;
        read_text(&history, texts[i]);
        char *bytes = binary_of(&history, &size);
        for (size_t cut = 1; cut < size; cut++) {
            cr_expect_eq(read_bytes(&again, bytes, cut, &error), -22, "cut to %zu bytes", cut);
            cr_expect(strncmp(error.text, "FILE: byte ", 11) == 0, "%s", error.text);
        }
        for (size_t at = 1; at < size; at++) {
            for (int bit = 0; bit < 8; bit++) {
                bytes[at] = (char)(bytes[at] ^ 1 << bit);
                cr_expect_eq(read_bytes(&again, bytes, size, &error), -22, "byte %zu", at);
                cr_expect(strncmp(error.text, "FILE: byte ", 11) == 0, "%s", error.text);
                bytes[at] = (char)(bytes[at] ^ 1 << bit);
            }
        }
        free(bytes);
        history_free(&history);
    }
    history_free(&again);
}

/* Writes the older version into the header, and the checksum that goes with it. */
static void make_version_1(char *bytes, size_t size)
{
    uint64_t sum = UINT64_C(0xcbf29ce484222325), word;
    bytes[8] = 1;
    for (size_t at = 0; at < size - 8; at += 8) {
        memcpy(&word, bytes + at, 8); /* little-endian, as the machines that run the tests are */
        sum = (sum ^ word) * UINT64_C(0x100000001b3);
        sum ^= sum >> 29;
    }
    memcpy(bytes + size - 8, &sum, 8);
}

Test(history, a_binary_file_that_makes_no_sense_is_refused)
{
    static const struct {
        struct history_record records[2];
        size_t count;
        const char *message;
    } cases[] = {
        {{{.op = HISTORY_OPS}}, 1, "FILE: byte 72: record 0: unknown operation"},
        {{{.invoke = 2, .ret = 1}}, 1, "FILE: byte 72: record 0: the return is earlier"},
        {{{.invoke = UINT64_MAX, .ret = UINT64_MAX}}, 1, "record 0: the time of the call"},
        {{{.result = 2}}, 1, "record 0: the result is neither 0 nor 1"},
        {{{.op = HISTORY_CLEAR}}, 1, "record 0: the result of clear is neither 1 nor 2"},
        {{{.op = HISTORY_CLEAR, .result = 3}}, 1, "the result of clear is neither 1 nor 2"},
        {{{.op = HISTORY_DRAIN}}, 1, "record 0: the answered set does not exist"},
        {{{.ret = 9}, {.invoke = 8, .ret = 10}},
         2,
         "FILE: byte 104: record 1 overlaps record 0 of the same thread 0"},
    };
    struct history history, again;
    struct history_error error;
    history_init(&history);
    history_init(&again);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        history_reset(&history);
        cr_assert_eq(history_add_many(&history, cases[i].records, cases[i].count), 0);
        char *bytes = binary_of(&history, &size);
        int status = read_bytes(&again, bytes, size, &error);
        cr_expect_eq(status, -22, "case %zu was accepted", i);
        cr_expect(strstr(error.text, cases[i].message) != NULL, "\"%s\" where \"%s\" was expected",
                  error.text, cases[i].message);
        free(bytes);
    }
    history_free(&history);
    history_free(&again);
}

Test(history, version_1_is_still_read)
{
    static const char old[] = HEADER_1 "0 clear - 1 5 6\n0 clear - ? 7 -\n";
    struct history history, again;
    struct history_error error;
    size_t size;
    history_init(&again);
    read_text(&history, old);
    cr_assert_eq(history.count, 2);
    cr_expect_eq(history.records[0].result, HISTORY_CLEAR_SILENT);
    cr_expect_eq(history.records[1].ret, HISTORY_PENDING);
    char *text = text_of(&history);
    cr_expect(strstr(text, "0 clear - ? 5 6\n0 clear - ? 7 -\n") != NULL, "%s", text);
    free(text);
    char *bytes = binary_of(&history, &size);
    make_version_1(bytes, size);
    cr_assert_eq(read_bytes(&again, bytes, size, &error), 0, "%s", error.text);
    cr_expect_eq(again.records[0].result, HISTORY_CLEAR_SILENT);
    free(bytes);
    history.records[0].result = HISTORY_CLEAR_COUNTED;
    bytes = binary_of(&history, &size);
    make_version_1(bytes, size);
    cr_expect_eq(read_bytes(&again, bytes, size, &error), -22);
    cr_expect(strstr(error.text, "record 0: a clear counts keys in version 1") != NULL, "%s",
              error.text);
    free(bytes);
    history_free(&history);
    history_free(&again);
}

Test(history, a_key_twice_leaves_the_history_as_it_was)
{
    const uint64_t good[] = {5, 3}, bad[] = {1, 2, 1};
    uint64_t number;
    struct history history;
    history_init(&history);
    cr_expect_eq(history_set_initial(&history, good, 2), 0);
    cr_expect_eq(history_set_initial(&history, bad, 3), -22);
    cr_expect_eq(history.initial_count, 2);
    cr_expect_eq(history.initial[0], 3);
    cr_expect_eq(history_add_set(&history, bad, 3, &number), -22);
    cr_expect_eq(history.set_count, 0);
    cr_expect_eq(history_add_set(&history, good, 2, &number), 0);
    cr_expect_eq(number, 0);
    cr_expect_eq(history.set_keys[0], 3);
    history_free(&history);
}

/* ---- the witness ---- */

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
    /* The only address in it is the name of SVG itself. */
    char *address = strstr(page, "http");
    cr_expect(address != NULL && strncmp(address, "http://www.w3.org/2000/svg\"", 27) == 0 &&
              strstr(address + 4, "http") == NULL && strstr(page, "src=") == NULL);
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

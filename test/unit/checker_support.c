// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "checker_support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* ---- random numbers ---- */

uint64_t draw(struct random *random)
{
    uint64_t x = random->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

uint64_t below(struct random *random, uint64_t limit)
{
    return draw(random) % limit;
}

/* ---- brute force ---- */

struct brute {
    const struct history *history;
    bool all;      /* look for every end, not for one */
    unsigned ends; /* the states found */
    unsigned char tried[1 << MOST_OPS][1 << MOST_KEYS];
};

unsigned keys_to_bits(const uint64_t *keys, size_t count)
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
    if (complete) {
        brute->ends |= 1U << state;
        if (!brute->all)
            return true;
    }
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

static unsigned brute_run(const struct history *history, bool all)
{
    static struct brute brute;
    brute.history = history;
    brute.all = all;
    brute.ends = 0;
    memset(brute.tried, 0, (size_t)(1U << history->count) * sizeof brute.tried[0]);
    brute_from(&brute, 0, keys_to_bits(history->initial, history->initial_count));
    return brute.ends;
}

bool brute_force(const struct history *history)
{
    return brute_run(history, false) != 0;
}

unsigned brute_force_ends(const struct history *history)
{
    return brute_run(history, true);
}

/* ---- random histories ---- */

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
void random_history(struct history *history, const struct shape *shape, struct random *random)
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

/* ---- reading, writing and checking ---- */

void show(const struct history *history)
{
    history_write_text(history, stderr);
}

enum checker_verdict verdict_of(struct checker *checker, const struct history *history)
{
    struct checker_result result;
    int status = checker_run(checker, history, NULL, &result);
    cr_assert_eq(status, 0);
    return result.verdict;
}

void read_text(struct history *history, const char *text)
{
    struct history_error error = {""};
    FILE *file = fmemopen((void *)(uintptr_t)text, strlen(text), "r");
    cr_assert(file != NULL);
    history_init(history);
    int status = history_read(file, "text", history, &error);
    fclose(file);
    cr_assert_eq(status, 0, "%s", error.text);
}

char *text_of(const struct history *history)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    cr_assert(file != NULL);
    cr_assert_eq(history_write_text(history, file), 0);
    fclose(file);
    return text;
}

char *binary_of(const struct history *history, size_t *size)
{
    char *bytes = NULL;
    FILE *file = open_memstream(&bytes, size);
    cr_assert(file != NULL);
    cr_assert_eq(history_write_binary(history, file), 0);
    fclose(file);
    return bytes;
}

int read_bytes(struct history *history, const char *bytes, size_t size, struct history_error *error)
{
    error->text[0] = '\0';
    FILE *file = fmemopen((void *)(uintptr_t)bytes, size, "r");
    cr_assert(file != NULL);
    int status = history_read(file, "FILE", history, error);
    fclose(file);
    return status;
}

// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "promise.h"

#include "promise_counter.h"
#include "promise_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Steps of the checker for one round and one kind that is not promised to be linearizable. */
#define STRONGER_BUDGET 1000000
/* A witness of so many operations is looked for no shorter; so often a shorter one is looked for. */
#define SHORT_ENOUGH 8
#define SHORTER_TRIES 12
/* With more keys no witness is looked for: that takes minutes, and fewer keys show the same sooner. */
#define WITNESS_KEYS 1024
/* Threads of their own for the contains that an iteration is taken for. */
#define FIRST_PART 65536u

struct promise_judge {
    const struct target_promises *promises;
    struct checker *checker;
    struct promise_keys keys;
    struct promise_counter counter;
    struct history strict;
    int tries[TARGET_WEAK_OPS]; /* for a shorter witness */
};

struct promise_judge *promise_judge_create(const struct target_promises *promises,
                                           struct checker *checker)
{
    struct promise_judge *judge = calloc(1, sizeof(*judge));

    if (judge) {
        judge->promises = promises;
        judge->checker = checker;
    }
    return judge;
}

void promise_judge_destroy(struct promise_judge *judge)
{
    if (!judge)
        return;
    promise_keys_free(&judge->keys);
    promise_counter_free(&judge->counter);
    history_free(&judge->strict);
    free(judge);
}

void promise_results_free(struct promise_result *results)
{
    for (int kind = 0; kind < TARGET_WEAK_OPS; kind++)
        witness_free(&results[kind].witness);
}

const char *promise_op_name(enum target_weak kind)
{
    static const char *const names[] = {"size", "is_empty", "each", "clear"};

    return names[kind];
}

static int is_each(const struct history_record *r)
{
    return r->op == HISTORY_SNAPSHOT && r->result != 0;
}

int promise_is_weak(const struct target_promises *promises, const struct history_record *r,
                    enum target_weak *kind)
{
    *kind = r->op == HISTORY_SIZE       ? TARGET_SIZE
            : r->op == HISTORY_IS_EMPTY ? TARGET_IS_EMPTY
            : r->op == HISTORY_CLEAR    ? TARGET_CLEAR
            : is_each(r)                ? TARGET_EACH
                                        : TARGET_WEAK_OPS;
    return *kind != TARGET_WEAK_OPS && promises->weak[*kind];
}

/* ---------------------------------------------------------------- histories for the checker */

static int strict_begin(struct promise_judge *j, const struct history *round)
{
    history_reset(&j->strict);
    return history_set_initial(&j->strict, round->initial, round->initial_count);
}

static int strict_add(struct promise_judge *j, const struct history *round,
                      const struct history_record *from)
{
    struct history_record r = *from;
    int rc = 0;

    if (r.op == HISTORY_SNAPSHOT || r.op == HISTORY_DRAIN) {
        const struct history_set *set = &round->sets[r.value];

        rc = history_add_set(&j->strict, round->set_keys + set->first, set->count, &r.value);
        r.result = 0;
    }
    return rc ? rc : history_add_many(&j->strict, &r, 1);
}

/* The round without what is weak, but for the kind `kept` and the very operation `one`. */
static int strict_make(struct promise_judge *j, const struct history *round, int kept,
                       const struct history_record *one)
{
    int rc = strict_begin(j, round);

    for (size_t i = 0; i < round->count && rc == 0; i++) {
        const struct history_record *r = &round->records[i];
        enum target_weak kind;

        if (!promise_is_weak(j->promises, r, &kind) || (int)kind == kept || r == one)
            rc = strict_add(j, round, r);
    }
    return rc;
}

/* A contains of each key, for an iteration. */
static int strict_add_looks(struct promise_judge *j, const struct history *round,
                            const struct history_record *each)
{
    const struct history_set *set = &round->sets[each->value];
    const uint64_t *visited = round->set_keys + set->first;
    size_t at = 0;
    int rc = 0;

    for (size_t i = 0; i < j->keys.count && rc == 0; i++) {
        const uint64_t key = j->keys.keys[i].key;

        while (at < set->count && visited[at] < key)
            at++;
        const struct history_record look = {
            .value = key,
            .invoke = each->invoke,
            .ret = each->ret,
            .thread = FIRST_PART + each->thread * (uint32_t)j->keys.count + (uint32_t)i,
            .op = HISTORY_CONTAINS,
            .result = at < set->count && visited[at] == key};
        rc = history_add_many(&j->strict, &look, 1);
    }
    return rc;
}

/* ---------------------------------------------------------------- what must hold */

static int check(struct promise_judge *j, uint64_t budget, struct checker_result *checked)
{
    const struct checker_options options = {.budget = budget};

    return checker_run(j->checker, &j->strict, &options, checked);
}

/* Without a weak clear: all keys at once, first without the iterations and then with them. */
static int judge_together(struct promise_judge *j, const struct history *round, uint64_t budget,
                          struct promise_result *results, struct checker_result *checked,
                          char *reason, size_t reason_size)
{
    const uint64_t eaches = results[TARGET_EACH].judged;
    int rc = strict_make(j, round, -1, NULL);

    rc = rc ? rc : check(j, budget, checked);
    if (rc != 0 || checked->verdict == CHECKER_VIOLATION) {
        snprintf(reason, reason_size, "no order of the operations explains what they answered");
        return rc;
    }
    for (size_t i = 0; i < round->count && rc == 0; i++) {
        if (is_each(&round->records[i])) {
            rc = strict_add_looks(j, round, &round->records[i]);
            results[TARGET_EACH].judged++;
        }
    }
    if (rc != 0 || results[TARGET_EACH].judged == eaches)
        return rc;
    struct checker_result looked;
    rc = check(j, budget, &looked);
    if (rc == 0 && looked.verdict == CHECKER_VIOLATION) {
        checked->verdict = CHECKER_VIOLATION;
        results[TARGET_EACH].broken = 1;
        snprintf(
            reason, reason_size,
            "each broke its promise: a key that it visited, or left out, was never so while it "
            "ran (it is shown as a contains of each key)");
    }
    return rc;
}

/* With a weak clear each key is decided by itself: it is removed when that clear comes to it. */
static int judge_key_by_key(struct promise_judge *j, const struct history *round, uint64_t budget,
                            struct promise_result *results, struct checker_result *checked,
                            char *reason, size_t reason_size)
{
    const struct checker_options options = {.budget = budget};
    int rc = 0;

    memset(checked, 0, sizeof(*checked));
    for (size_t i = 0; i < round->count; i++)
        results[TARGET_EACH].judged += (uint64_t)is_each(&round->records[i]);
    for (size_t i = 0; i < j->keys.count && rc == 0; i++) {
        const struct promise_key *key = &j->keys.keys[i];
        struct checker_result one;

        rc = promise_keys_window(&j->keys, key, key->first, key->end);
        rc = rc ? rc : checker_run(j->checker, &j->keys.window, &options, &one);
        if (rc != 0)
            return rc;
        checked->overlapping += one.overlapping;
        if (one.verdict == CHECKER_UNDECIDED)
            checked->verdict = CHECKER_UNDECIDED;
        if (one.verdict != CHECKER_VIOLATION)
            continue;
        checked->verdict = CHECKER_VIOLATION;
        snprintf(
            reason, reason_size,
            "no order of the operations on key %" PRIu64
            " explains what they answered, though a clear may remove it, and each look at it, at "
            "an instant of its own (only this key is shown)",
            key->key);
        rc = strict_begin(j, &j->keys.window);
        for (size_t k = 0; k < j->keys.window.count && rc == 0; k++)
            rc = strict_add(j, &j->keys.window, &j->keys.window.records[k]);
        return rc;
    }
    if (checked->overlapping > round->count)
        checked->overlapping = round->count;
    return rc;
}

/* ---------------------------------------------------------------- numbers */

struct range {
    uint64_t least, most;
};

/* How many keys a look at each can have found in the time of `r`. */
static int range_of_looks(struct promise_judge *j, const struct history_record *r,
                          struct range *range)
{
    *range = (struct range){0, 0};
    for (size_t i = 0; i < j->keys.count; i++) {
        const int mask = promise_keys_possible(&j->keys, j->checker, &j->keys.keys[i], r->invoke,
                                               r->ret, r->op == HISTORY_CLEAR ? r : NULL);

        if (mask < 0)
            return mask;
        range->least += mask == 2;
        range->most += (mask & 2) != 0 || mask == 0;
    }
    return 0;
}

/* Is the answer one of those? An is_empty is a size of 0, or of more. */
static int is_in(const struct history_record *r, const struct range *range)
{
    if (r->op == HISTORY_IS_EMPTY)
        return r->result ? range->least == 0 : range->most > 0;
    return r->value >= range->least && r->value <= range->most;
}

static void explain(const struct history_record *r, const struct range *range, int counter,
                    char *reason, size_t size)
{
    const uint64_t answer = r->op == HISTORY_IS_EMPTY ? r->result : r->value;
    static const char *const whats[] = {"of keys that a look at each can have found while it ran",
                                        "that the counter can have had while it ran"};

    snprintf(reason, size,
             "%s broke its promise: it answered %" PRIu64 "; the number %s is from %" PRIu64
             " to %" PRIu64,
             history_op_name(r->op), answer, whats[counter], range->least, range->most);
}

/* @return 1: judged; 0: nobody can tell; or a negative errno. */
static int range_find(struct promise_judge *j, const struct history_record *r, int counter,
                      struct range *range)
{
    if (!counter)
        return range_of_looks(j, r, range) == 0 ? 1 : -ENOMEM;
    if (!j->counter.known)
        return 0;
    promise_counter_range(&j->counter, r->invoke, r->ret, &range->least, &range->most);
    return 1;
}

static int judge_numbers(struct promise_judge *j, const struct history *round,
                         struct promise_result *results, struct checker_result *checked,
                         char *reason, size_t reason_size)
{
    for (size_t i = 0; i < round->count; i++) {
        const struct history_record *r = &round->records[i];
        enum target_weak kind;
        struct range range = {0, 0};

        if (!promise_is_weak(j->promises, r, &kind) || kind == TARGET_EACH ||
            (kind == TARGET_CLEAR && !history_record_counts(r)))
            continue;
        const int counter = kind != TARGET_CLEAR && j->promises->counter;
        const int rc = range_find(j, r, counter, &range);
        if (rc < 0)
            return rc;
        results[kind].judged += rc == 1;
        results[kind].unjudged += rc == 0;
        if (rc == 0 || is_in(r, &range))
            continue;
        results[kind].broken = 1;
        checked->verdict = CHECKER_VIOLATION;
        explain(r, &range, counter, reason, reason_size);
        return strict_make(j, round, -1, r);
    }
    return 0;
}

/* ---------------------------------------------------------------- the stronger reading */

static int is_done(const struct promise_judge *j, enum target_weak kind,
                   const struct promise_result *result)
{
    return result->not_linearizable &&
           (result->repeated || j->keys.count > WITNESS_KEYS || j->tries[kind] >= SHORTER_TRIES ||
            (result->has_witness && result->witness.history.count <= SHORT_ENOUGH));
}

/* Keeps the shorter witness. */
static int witness_keep(struct promise_judge *j, enum target_weak kind,
                        struct promise_result *result)
{
    struct witness found = {0};

    result->not_linearizable = 1;
    if (j->keys.count > WITNESS_KEYS)
        return 0;
    j->tries[kind]++;
    const int rc = witness_find(j->checker, &j->strict, NULL, &found);
    if (rc == 1 && (!result->has_witness || found.history.count < result->witness.history.count)) {
        witness_free(&result->witness);
        result->witness = found;
        result->has_witness = 1;
        return 0;
    }
    witness_free(&found);
    return rc == -ENOMEM ? rc : 0;
}

static int judge_stronger(struct promise_judge *j, const struct history *round,
                          enum target_weak kind, struct promise_result *result)
{
    struct checker_result checked;
    int rc = strict_make(j, round, (int)kind, NULL);

    rc = rc ? rc : check(j, STRONGER_BUDGET, &checked);
    if (rc != 0)
        return rc;
    result->rounds++;
    if (checked.verdict == CHECKER_UNDECIDED)
        result->undecided++;
    return checked.verdict == CHECKER_VIOLATION ? witness_keep(j, kind, result) : 0;
}

/* ---------------------------------------------------------------- a round */

struct census {
    size_t count[TARGET_WEAK_OPS]; /* weak records */
    size_t all;
};

static struct census census_of(const struct promise_judge *j, const struct history *round,
                               struct promise_result *results)
{
    struct census census = {0};

    for (size_t i = 0; i < round->count; i++) {
        enum target_weak kind;

        if (!promise_is_weak(j->promises, &round->records[i], &kind))
            continue;
        census.count[kind]++;
        census.all++;
        if (kind == TARGET_EACH && round->records[i].result == PROMISE_EACH_REPEATED)
            results[kind].repeated++;
    }
    return census;
}

/*
 * A weak clear changes the set at many instants, which the checker cannot be told of beside whole-set
 * operations: the others are read strongly in rounds without one.
 */
static int judge_all_stronger(struct promise_judge *j, const struct history *round,
                              const struct census *census, struct promise_result *results)
{
    const int cleared = census->count[TARGET_CLEAR] != 0;
    int rc = 0;

    for (int kind = 0; kind < TARGET_WEAK_OPS && rc == 0; kind++) {
        if (results[kind].repeated)
            results[kind].not_linearizable = 1;
        if (census->count[kind] == 0 || (cleared && kind != TARGET_CLEAR) ||
            is_done(j, (enum target_weak)kind, &results[kind]))
            continue;
        rc = judge_stronger(j, round, (enum target_weak)kind, &results[kind]);
    }
    return rc;
}

int promise_judge_round(struct promise_judge *j, struct history *round, uint64_t budget,
                        struct promise_result *results, struct checker_result *checked,
                        char *reason, size_t reason_size)
{
    const struct census census = census_of(j, round, results);
    int rc = census.all ? promise_keys_build(&j->keys, round) : 0;

    if (rc == 0 && j->promises->counter)
        rc = promise_counter_build(&j->counter, round);
    if (rc != 0)
        return rc;
    rc = (census.count[TARGET_CLEAR] ? judge_key_by_key : judge_together)(
        j, round, budget, results, checked, reason, reason_size);
    if (rc == 0 && checked->verdict != CHECKER_VIOLATION)
        rc = judge_numbers(j, round, results, checked, reason, reason_size);
    if (rc == 0 && checked->verdict == CHECKER_VIOLATION) {
        const struct history whole = *round;

        *round = j->strict;
        j->strict = whole;
        return 0;
    }
    return rc ? rc : judge_all_stronger(j, round, &census, results);
}

// SPDX-License-Identifier: MIT
/* Finding the witness of a violation; witness_print.c shows it. */
#include "history_internal.h"
#include "witness_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Bounds of the work: records given to the checker in all, and search steps and starting points
 * (state and choice of the open operations) tried for one window. */
#define WORK_MOST ((uint64_t)30000000)
#define BUDGET_EACH ((uint64_t)100000)
#define VARIANTS_MOST 4096

/* More keys than this are not tried in every state. */
enum { ANY_START_KEYS = 8 };

enum start_state {
    START_ANY,    /* whatever the keys' states are */
    START_DERIVED /* what follows from the operations before */
};

/* A record of the source with what is needed of it all the time. */
struct item {
    const struct history_record *record;
    uint64_t invoke, ret;
    uint32_t key; /* dense number; NO_KEY: whole-set operation */
    bool toggles, clears;
    bool removed; /* a read found to be unneeded */
};

#define NO_KEY UINT32_MAX

/* Open operations of one key and kind, in order of return: if some of them took effect before the
 * start, then those with the earliest returns (the others serve at least as well afterwards). */
struct group {
    size_t first, count; /* in finder->open */
    size_t before;       /* how many took effect before the start */
};

struct finder {
    struct checker *checker;
    const struct history *source;
    struct item *items; /* sorted by call */
    size_t count;
    uint64_t end; /* nothing that began after it is there, so nothing due after it can be judged */
    uint64_t *keys; /* all keys, ascending: their dense numbers */
    size_t key_count;
    bool *kept; /* by key */
    size_t kept_count;

    size_t start; /* items from here on are in the window, with those open at its call */
    enum start_state start_state;

    uint32_t *open; /* items open at the start that may have taken effect before */
    size_t open_count;
    struct group *groups;
    size_t group_count;
    bool *before; /* by item: took effect before the start, in the variant at hand */
    bool *present, *unknown;
    uint64_t *busy_until; /* by key: latest return of a toggle so far, + 1 */

    struct history trial;
    uint64_t *scratch;
    uint64_t work;
};

/* ---- preparation ---- */

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static int compare_items(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    if (a->invoke != b->invoke)
        return a->invoke < b->invoke ? -1 : 1;
    return (a->record > b->record) - (a->record < b->record);
}

static uint32_t key_number(const struct finder *finder, uint64_t key)
{
    const uint64_t *found = bsearch(&key, finder->keys, finder->key_count, sizeof key, compare_u64);
    return (uint32_t)(found - finder->keys);
}

static bool has_key(const struct history_record *record)
{
    return history_record_has_key(record);
}

static int number_keys(struct finder *finder)
{
    const struct history *source = finder->source;
    size_t count = 0;
    finder->keys = malloc((source->count + source->initial_count + source->set_key_count + 1) *
                          sizeof *finder->keys);
    if (finder->keys == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < source->count; i++) {
        if (has_key(&source->records[i]))
            finder->keys[count++] = source->records[i].value;
    }
    for (size_t i = 0; i < source->initial_count; i++)
        finder->keys[count++] = source->initial[i];
    for (size_t i = 0; i < source->set_key_count; i++)
        finder->keys[count++] = source->set_keys[i];
    qsort(finder->keys, count, sizeof *finder->keys, compare_u64);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || finder->keys[i] != finder->keys[finder->key_count - 1])
            finder->keys[finder->key_count++] = finder->keys[i];
    }
    return 0;
}

/* Takes up the records that begin no later than `end`. */
static void take_items(struct finder *finder, uint64_t end)
{
    for (size_t i = 0; i < finder->source->count; i++) {
        const struct history_record *record = &finder->source->records[i];
        if (record->invoke > end)
            continue;
        bool pending = record->ret == HISTORY_PENDING;
        struct item item = {
            .record = record, .invoke = record->invoke, .ret = record->ret, .key = NO_KEY};
        if (has_key(record))
            item.key = key_number(finder, record->value);
        item.toggles = record->op == HISTORY_POP
                           ? item.key != NO_KEY
                           : record->op <= HISTORY_REMOVE && (pending || record->result == 1);
        /* A pop that never returned may have taken any key, so like a clear it leaves behind it
         * states that nobody knows. */
        item.clears = record->op == HISTORY_CLEAR || record->op == HISTORY_DRAIN ||
                      (record->op == HISTORY_POP && pending);
        finder->items[finder->count++] = item;
    }
    qsort(finder->items, finder->count, sizeof *finder->items, compare_items);
}

static int prepare(struct finder *finder, uint64_t end)
{
    int status = number_keys(finder);
    if (status != 0)
        return status;
    size_t records = finder->source->count + 1, keys = finder->key_count + 1;
    finder->items = malloc(records * sizeof *finder->items);
    finder->open = malloc(records * sizeof *finder->open);
    finder->groups = malloc(records * sizeof *finder->groups);
    finder->before = calloc(records, sizeof *finder->before);
    finder->kept = malloc(keys * sizeof *finder->kept);
    finder->present = malloc(keys * sizeof *finder->present);
    finder->unknown = malloc(keys * sizeof *finder->unknown);
    finder->busy_until = malloc(keys * sizeof *finder->busy_until);
    finder->scratch = malloc(keys * sizeof *finder->scratch);
    if (finder->items == NULL || finder->open == NULL || finder->groups == NULL ||
        finder->before == NULL || finder->kept == NULL || finder->present == NULL ||
        finder->unknown == NULL || finder->busy_until == NULL || finder->scratch == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < finder->key_count; i++)
        finder->kept[i] = true;
    finder->kept_count = finder->key_count;
    finder->end = end;
    take_items(finder, end);
    return 0;
}

static void discard(struct finder *finder)
{
    free(finder->keys);
    free(finder->items);
    free(finder->open);
    free(finder->groups);
    free(finder->before);
    free(finder->kept);
    free(finder->present);
    free(finder->unknown);
    free(finder->busy_until);
    free(finder->scratch);
    history_free(&finder->trial);
}

/* ---- one window ---- */

/* Is the operation part of a history of the kept keys only? */
static bool is_kept(const struct finder *finder, const struct item *item)
{
    if (item->removed)
        return false;
    if (item->key != NO_KEY)
        return finder->kept[item->key];
    if (finder->kept_count == finder->key_count)
        return true;
    /* A number of keys, or that there is one, says nothing about some of them. */
    return item->record->op != HISTORY_SIZE &&
           !(item->record->op == HISTORY_IS_EMPTY && item->record->result == 0);
}

static uint64_t start_time(const struct finder *finder)
{
    return finder->start < finder->count ? finder->items[finder->start].invoke : HISTORY_PENDING;
}

/* The keys' states at the start if exactly the operations marked `before` have taken effect of
 * those open there. Where a toggle and a clear overlap, the state is unknown until the next clear.
 */
static void derive_states(struct finder *finder)
{
    uint64_t time = start_time(finder), cleared_until = 0;
    for (size_t i = 0; i < finder->key_count; i++) {
        finder->present[i] = false;
        finder->busy_until[i] = 0;
        finder->unknown[i] = finder->start_state == START_ANY;
    }
    for (size_t i = 0; i < finder->source->initial_count; i++)
        finder->present[key_number(finder, finder->source->initial[i])] = true;
    if (finder->start_state == START_ANY)
        return;
    for (size_t i = 0; i < finder->start; i++) {
        const struct item *item = &finder->items[i];
        uint64_t until = item->ret == HISTORY_PENDING ? HISTORY_PENDING : item->ret + 1;
        if (item->ret >= time && !finder->before[i])
            continue;
        if (item->toggles) {
            uint64_t *busy_until = &finder->busy_until[item->key];
            finder->present[item->key] = !finder->present[item->key];
            finder->unknown[item->key] |= cleared_until > item->invoke;
            *busy_until = until > *busy_until ? until : *busy_until;
        } else if (item->clears) {
            bool certain = item->ret < time;
            for (size_t key = 0; key < finder->key_count; key++) {
                finder->unknown[key] = !certain || finder->busy_until[key] > item->invoke;
                finder->present[key] = false;
            }
            cleared_until = until > cleared_until ? until : cleared_until;
        }
    }
}

/* Appends a record to the trial, with an answered set cut down to the kept keys. A clear of some of
 * the keys is a clear, but what it counted says nothing about them. */
static int add_to_trial(struct finder *finder, const struct history_record *record)
{
    struct history_record copy = *record;
    if (history_record_counts(record) && finder->kept_count < finder->key_count) {
        copy.result = HISTORY_CLEAR_SILENT;
        copy.value = 0;
    }
    if ((record->op == HISTORY_SNAPSHOT || record->op == HISTORY_DRAIN) &&
        record->ret != HISTORY_PENDING) {
        const struct history_set *set = &finder->source->sets[record->value];
        size_t count = 0;
        for (size_t i = 0; i < set->count; i++) {
            uint64_t key = finder->source->set_keys[set->first + i];
            if (finder->kept[key_number(finder, key)])
                finder->scratch[count++] = key;
        }
        int status = history_add_set(&finder->trial, finder->scratch, count, &copy.value);
        if (status != 0)
            return status;
    }
    return history_add(&finder->trial, &copy);
}

/* Makes the trial: the window in the variant at hand. Reads open at the start may have taken place
 * before it, so they say nothing; other operations open there belong to it unless `before`. */
static int build_trial(struct finder *finder)
{
    size_t present = 0;
    history_reset(&finder->trial);
    for (size_t i = 0; i < finder->key_count; i++) {
        if (finder->kept[i] && finder->present[i])
            finder->scratch[present++] = finder->keys[i];
    }
    int status = history_set_initial(&finder->trial, finder->scratch, present);
    for (size_t i = 0; status == 0 && i < finder->open_count; i++) {
        if (!finder->before[finder->open[i]])
            status = add_to_trial(finder, finder->items[finder->open[i]].record);
    }
    for (size_t i = finder->start; status == 0 && i < finder->count; i++) {
        if (is_kept(finder, &finder->items[i]))
            status = add_to_trial(finder, finder->items[i].record);
    }
    return status;
}

static int compare_open(const struct finder *finder, uint32_t a, uint32_t b)
{
    const struct item *left = &finder->items[a], *right = &finder->items[b];
    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    int left_op = left->record->op == HISTORY_ADD, right_op = right->record->op == HISTORY_ADD;
    if (left_op != right_op)
        return left_op - right_op;
    return (left->ret > right->ret) - (left->ret < right->ret);
}

/* Finds what is open at the start and could have taken effect before, in groups. What is called at
 * the same time as the first item inside, but stands before it, counts as open as well. */
static void group_open(struct finder *finder)
{
    uint64_t time = start_time(finder);
    finder->open_count = finder->group_count = 0;
    for (uint32_t i = 0; i < finder->start; i++) {
        const struct item *item = &finder->items[i];
        finder->before[i] = false;
        if (item->ret < time || !is_kept(finder, item) || !(item->toggles || item->clears))
            continue;
        size_t at = finder->open_count++;
        for (; at > 0 && compare_open(finder, finder->open[at - 1], i) > 0; at--)
            finder->open[at] = finder->open[at - 1];
        finder->open[at] = i;
    }
    for (size_t i = 0; i < finder->open_count; i++) {
        const struct item *item = &finder->items[finder->open[i]];
        const struct item *last = i == 0 ? NULL : &finder->items[finder->open[i - 1]];
        bool joins = last != NULL && item->key != NO_KEY && item->key == last->key &&
                     (item->record->op == HISTORY_ADD) == (last->record->op == HISTORY_ADD);
        if (joins)
            finder->groups[finder->group_count - 1].count++;
        else
            finder->groups[finder->group_count++] = (struct group){.first = i, .count = 1};
    }
}

/* The next choice of operations that took effect before. False: that was the last one. */
static bool next_variant(struct finder *finder)
{
    for (size_t i = 0; i < finder->group_count; i++) {
        struct group *group = &finder->groups[i];
        if (group->before < group->count) {
            finder->before[finder->open[group->first + group->before++]] = true;
            return true;
        }
        while (group->before > 0)
            finder->before[finder->open[group->first + --group->before]] = false;
    }
    return false;
}

static size_t collect_unknown(struct finder *finder, uint32_t *unknown, size_t most)
{
    size_t count = 0;
    for (uint32_t i = 0; i < finder->key_count; i++) {
        if (!finder->kept[i] || !finder->unknown[i])
            continue;
        if (count == most)
            return most + 1;
        unknown[count++] = i;
    }
    return count;
}

/* Checks the trial. 1: a violation, 0: not (or not decided, or no work left). */
static int trial_fails(struct finder *finder)
{
    struct checker_options options = {.budget = BUDGET_EACH};
    struct checker_result result;
    int status = build_trial(finder);
    if (status == 0)
        status = checker_run(finder->checker, &finder->trial, &options, &result);
    if (status != 0)
        return status;
    finder->work += finder->trial.count + result.steps / 4 + 100;
    return result.verdict == CHECKER_VIOLATION && result.failed_time <= finder->end &&
           finder->work < WORK_MOST;
}

/* Is the window a violation in every variant? 1, 0 or a negative errno. */
static int window_fails(struct finder *finder)
{
    enum { UNKNOWN_MOST = 12 };
    uint32_t unknown[UNKNOWN_MOST];
    size_t variants = 0;
    group_open(finder);
    do {
        finder->work += finder->start / 16 + 1;
        derive_states(finder);
        size_t count = collect_unknown(finder, unknown, UNKNOWN_MOST);
        if (count > UNKNOWN_MOST || (variants += (size_t)1 << count) > VARIANTS_MOST)
            return 0;
        for (size_t states = 0; states < (size_t)1 << count; states++) {
            for (size_t i = 0; i < count; i++)
                finder->present[unknown[i]] = states >> i & 1;
            int fails = trial_fails(finder);
            if (fails != 1)
                return fails;
        }
    } while (next_variant(finder));
    return 1;
}

/* ---- making it small ---- */

/* Moves the start as late as it can be: later starts demand less, so what fails from one fails from
 * every earlier one, and the search goes back from the end in doubling steps and then halves.
 * 1: found; 0: no start fails (the start is then unchanged). */
static int latest_start(struct finder *finder, enum start_state start_state)
{
    size_t old_start = finder->start, fails_not = finder->count, back = 1;
    enum start_state old_state = finder->start_state;
    finder->start_state = start_state;
    for (;; back *= 2) {
        finder->start = back < finder->count ? finder->count - back : 0;
        int fails = window_fails(finder);
        if (fails < 0)
            return fails;
        if (fails)
            break;
        fails_not = finder->start;
        if (finder->start == 0) {
            finder->start = old_start;
            finder->start_state = old_state;
            return 0;
        }
    }
    size_t best = finder->start;
    while (best + 1 < fails_not) {
        finder->start = best + (fails_not - best) / 2;
        int fails = window_fails(finder);
        if (fails < 0)
            return fails;
        if (fails)
            best = finder->start;
        else
            fails_not = finder->start;
    }
    finder->start = best;
    return 1;
}

static bool is_read(const struct item *item)
{
    return !item->toggles && !item->clears;
}

/* Tries to do without the keys in kept[from..to) (those of them still kept). */
static int drop_keys(struct finder *finder, const uint32_t *keys, size_t from, size_t to)
{
    size_t before = finder->kept_count;
    for (size_t i = from; i < to; i++)
        finder->kept[keys[i]] = false;
    finder->kept_count -= to - from;
    int fails = window_fails(finder);
    if (fails == 1)
        return 1;
    for (size_t i = from; i < to; i++)
        finder->kept[keys[i]] = true;
    finder->kept_count = before;
    return fails;
}

/* Leaves out keys, in chunks that halve. */
static int reduce_keys(struct finder *finder)
{
    uint32_t *keys = malloc((finder->key_count + 1) * sizeof *keys);
    if (keys == NULL)
        return -ENOMEM;
    int status = 0;
    size_t chunk = finder->kept_count;
    while (chunk > 0 && status >= 0 && finder->work < WORK_MOST) {
        size_t count = 0;
        for (uint32_t i = 0; i < finder->key_count; i++) {
            if (finder->kept[i])
                keys[count++] = i;
        }
        for (size_t from = 0; from < count && status >= 0 && finder->work < WORK_MOST;
             from += chunk)
            status = drop_keys(finder, keys, from, from + chunk < count ? from + chunk : count);
        chunk /= 2;
    }
    free(keys);
    return status < 0 ? status : 0;
}

/* Leaves out reads, in chunks that halve. */
static int reduce_reads(struct finder *finder)
{
    uint32_t *reads = malloc((finder->count + 1) * sizeof *reads);
    if (reads == NULL)
        return -ENOMEM;
    int status = 0;
    for (size_t chunk = finder->count; chunk > 0 && status >= 0; chunk /= 2) {
        size_t count = 0;
        for (size_t i = finder->start; i < finder->count; i++) {
            const struct item *item = &finder->items[i];
            if (is_read(item) && is_kept(finder, item))
                reads[count++] = (uint32_t)i;
        }
        if (chunk > count)
            continue;
        for (size_t from = 0; from < count && status >= 0 && finder->work < WORK_MOST;
             from += chunk) {
            size_t to = from + chunk < count ? from + chunk : count;
            for (size_t i = from; i < to; i++)
                finder->items[reads[i]].removed = true;
            status = window_fails(finder);
            for (size_t i = from; i < to && status != 1; i++)
                finder->items[reads[i]].removed = false;
        }
    }
    free(reads);
    return status < 0 ? status : 0;
}

/* If the violation is one of a single key, forgets all other operations for good. */
static int reduce_to_key(struct finder *finder, uint32_t key)
{
    memset(finder->kept, 0, finder->key_count * sizeof *finder->kept);
    finder->kept[key] = true;
    finder->kept_count = 1;
    int fails = window_fails(finder);
    if (fails == 1) {
        size_t count = 0;
        for (size_t i = 0; i < finder->count; i++) {
            if (is_kept(finder, &finder->items[i]))
                finder->items[count++] = finder->items[i];
        }
        finder->count = count;
        return 1;
    }
    for (size_t i = 0; i < finder->key_count; i++)
        finder->kept[i] = true;
    finder->kept_count = finder->key_count;
    return fails;
}

static int reduce(struct finder *finder, const struct history_record *failed)
{
    int status = 0;
    /* From the very beginning, where the state is known, it fails: so it was found. */
    finder->start = 0;
    finder->start_state = START_DERIVED;
    if (has_key(failed))
        status = reduce_to_key(finder, key_number(finder, failed->value));
    if (status == 0) {
        status = latest_start(finder, START_DERIVED);
        if (status >= 0)
            status = reduce_keys(finder);
    }
    /* A window that fails from every state needs no belief in what came before. */
    int any = 0;
    if (status >= 0 && finder->kept_count <= ANY_START_KEYS)
        status = any = latest_start(finder, START_ANY);
    if (status >= 0 && any == 0)
        status = latest_start(finder, START_DERIVED);
    return status < 0 ? status : reduce_reads(finder);
}

/* ---- the result ---- */

/* Copies the key's text along with it. */
static int copy_key(struct history *to, const struct history *from, uint64_t *key)
{
    if (from->strings == NULL)
        return 0;
    const struct history_strings *strings = from->strings;
    return history_intern(to, strings->bytes + strings->items[*key].first,
                          strings->items[*key].length, key);
}

static int copy_keys(struct history *to, const struct history *from, uint64_t *keys, size_t count)
{
    int status = 0;
    for (size_t i = 0; status == 0 && i < count; i++)
        status = copy_key(to, from, &keys[i]);
    return status;
}

/* Copies the trial, whose keys are still the source's, with the texts of the keys. */
static int copy_window(struct history *to, struct finder *finder)
{
    const struct history *trial = &finder->trial, *source = finder->source;
    uint64_t *keys = finder->scratch;
    if (trial->initial_count > 0)
        memcpy(keys, trial->initial, trial->initial_count * sizeof *keys);
    int status = copy_keys(to, source, keys, trial->initial_count);
    if (status == 0)
        status = history_set_initial(to, keys, trial->initial_count);
    for (size_t i = 0; status == 0 && i < trial->count; i++) {
        struct history_record record = trial->records[i];
        if (has_key(&record)) {
            status = copy_key(to, source, &record.value);
        } else if ((record.op == HISTORY_SNAPSHOT || record.op == HISTORY_DRAIN) &&
                   record.ret != HISTORY_PENDING) {
            const struct history_set *set = &trial->sets[record.value];
            if (set->count > 0)
                memcpy(keys, trial->set_keys + set->first, set->count * sizeof *keys);
            status = copy_keys(to, source, keys, set->count);
            if (status == 0)
                status = history_add_set(to, keys, set->count, &record.value);
        }
        if (status == 0)
            status = history_add(to, &record);
    }
    return status;
}

/* Checks the finished window once more, to learn what the checker reached in it. */
static int explain(struct checker *checker, uint64_t budget, struct witness *witness)
{
    struct checker_options options = {.budget = budget, .trace = true};
    int status = checker_run(checker, &witness->history, &options, &witness->result);
    if (status != 0)
        return status;
    size_t count;
    const struct checker_step *trace = checker_trace(checker, &count);
    witness->trace = malloc((count + 1) * sizeof *trace);
    if (witness->trace == NULL)
        return -ENOMEM;
    if (count > 0)
        memcpy(witness->trace, trace, count * sizeof *trace);
    witness->trace_count = count;
    return 0;
}

static int compare_u32(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

/* Sets the states of the kept keys by the bits of `states`. */
static void set_states(struct finder *finder, size_t states)
{
    for (size_t i = 0; i < finder->key_count; i++) {
        if (!finder->kept[i])
            continue;
        finder->present[i] = states & 1;
        states >>= 1;
    }
}

/* Of the states at the start, all of which fail, chooses the one with which the checker gets
 * furthest: the others fail by less than the window holds. */
static int choose_states(struct finder *finder)
{
    size_t best = 0;
    uint64_t furthest = 0;
    for (size_t states = 0; states < (size_t)1 << finder->kept_count; states++) {
        struct checker_result result;
        set_states(finder, states);
        int status = build_trial(finder);
        if (status == 0)
            status = checker_run(finder->checker, &finder->trial, NULL, &result);
        if (status != 0)
            return status;
        if (result.verdict == CHECKER_VIOLATION && result.failed_time > furthest) {
            furthest = result.failed_time;
            best = states;
        }
    }
    set_states(finder, best);
    return 0;
}

static int finish(struct finder *finder, uint64_t budget, struct witness *witness)
{
    witness->any_start = finder->start_state == START_ANY;
    witness->from_beginning = finder->start == 0;
    witness->source_operations = finder->source->count;
    /* Shown with all that was open at the start. */
    group_open(finder);
    qsort(finder->open, finder->open_count, sizeof *finder->open, compare_u32);
    witness->open_count = finder->open_count;
    derive_states(finder);
    int status = witness->any_start ? choose_states(finder) : 0;
    if (status == 0)
        status = build_trial(finder);
    if (status == 0)
        status = copy_window(&witness->history, finder);
    return status == 0 ? explain(finder->checker, budget, witness) : status;
}

int witness_find(struct checker *checker, const struct history *history,
                 const struct checker_options *options, struct witness *witness)
{
    struct checker_options once = options != NULL ? *options : (struct checker_options){0};
    struct checker_result result;
    *witness = (struct witness){0};
    once.trace = false;
    int status = checker_run(checker, history, &once, &result);
    if (status != 0)
        return status;
    if (result.verdict != CHECKER_VIOLATION)
        return result.verdict == CHECKER_UNDECIDED ? -EAGAIN : 0;
    struct finder finder = {.checker = checker, .source = history};
    status = prepare(&finder, result.failed_time);
    if (status == 0)
        status = reduce(&finder, &history->records[result.failed_record]);
    if (status == 0)
        status = finish(&finder, once.budget, witness);
    discard(&finder);
    if (status != 0)
        witness_free(witness);
    return status == 0 ? 1 : status;
}

int witness__part_fails(struct checker *checker, const struct history *history,
                        const struct witness_part *part)
{
    struct finder finder = {.checker = checker, .source = history};
    int status = prepare(&finder, part->end);
    if (status == 0) {
        for (size_t i = 0; i < finder.key_count; i++) {
            finder.kept[i] = !part->leave_key[i];
            finder.kept_count -= part->leave_key[i];
        }
        for (size_t i = 0; i < finder.count; i++)
            finder.items[i].removed = part->leave_record[i] && is_read(&finder.items[i]);
        finder.start = part->start < finder.count ? part->start : finder.count;
        finder.start_state = part->any_start ? START_ANY : START_DERIVED;
        status = window_fails(&finder);
    }
    discard(&finder);
    return status;
}

void witness_free(struct witness *witness)
{
    history_free(&witness->history);
    free(witness->trace);
    *witness = (struct witness){0};
}

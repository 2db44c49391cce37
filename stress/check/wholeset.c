// SPDX-License-Identifier: MIT
/*
 * The decision for histories in which whole-set operations overlap others.
 *
 * Once the instants of the whole-set operations are fixed the keys are independent: a snapshot is
 * one read of every key at a shared instant, a clear one write of "absent" to every key. So this is
 * the per-key greedy (perkey.c) over the merged events of all keys, and it searches only for the
 * places of the whole-set operations:
 *  - A whole-set operation that only reads takes effect as soon as the state matches its
 *    answer: that costs nothing and hinders nothing.
 *  - At the return of an operation that is not satisfied the alternatives are one toggle of its
 *    key, or to let an open whole-set operation take effect now and to look again. A snapshot
 *    toggles each key that differs exactly once. If the key at hand is among them it is no
 *    alternative: the toggle is, and the snapshot can still wait. "size n" toggles as few keys
 *    as it must, and which ones is a choice. A clear lets each key that has an open usable
 *    operation absorb one before it, or not, which is a choice as well: two successful adds
 *    around a clear need it. To absorb an add and a remove is the same as to use both right
 *    after the clear. A clear that counts the keys it removed is the same, but what its keys
 *    absorb must add up. A drain must find what it answered, so it has no choice.
 *  - Depth first, with a trail to undo and a memo of what failed.
 * Operations that never returned need not take effect. A pending clear or drain is one more
 * alternative for ever; a pending pop is a remove that fits every key, used where no other fits.
 */
#include "history_internal.h"
#include "wholeset_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The memo stops growing here (128 MiB); the search goes on without the rest. */
#define MEMO_MOST ((size_t)1 << 22)

void checker__wholeset_free(struct checker_wholeset *search)
{
    if (search == NULL)
        return;
    free(search->used);
    free(search->links);
    free(search->toggles);
    free(search->wholes);
    free(search->keys);
    free(search->present);
    free(search->events);
    free(search->returns);
    free(search->trail);
    free(search->choices);
    free(search->candidates);
    free(search->memo);
    free(search);
}

static void add_candidate(struct checker_wholeset *search, uint32_t key)
{
    if (checker__search_reserve(search, &search->candidates, &search->candidate_capacity,
                                search->candidate_count, sizeof *search->candidates))
        search->candidates[search->candidate_count++] = key;
}

/* ---- letting a whole-set operation take effect ---- */

/* Collects the keys other than `hand` whose first usable operation would change their state: for a
 * snapshot or drain those that differ from its answer, else those in the state `from`. Keys that
 * only a pending pop could remove come last. Returns how many. */
static uint32_t collect(struct checker_wholeset *search, uint32_t whole, bool from, uint32_t hand)
{
    size_t start = search->candidate_count;
    bool by_answer = has_answer(&search->wholes[whole]);
    for (uint32_t op = search->first_toggle; op != NONE; op = search->toggles[op].next) {
        uint32_t number = search->checker->ops[op].key;
        const struct key *key = &search->keys[number];
        if (number == hand || key->first[key->present] != op)
            continue;
        if (by_answer ? checker__answer_has(search, whole, number) != key->present
                      : key->present == from)
            add_candidate(search, number);
    }
    for (size_t i = 0; search->first_pop != NONE && i < search->present_count; i++) {
        uint32_t number = search->present[i];
        if (number == hand || search->keys[number].first[1] != NONE)
            continue;
        if (by_answer ? !checker__answer_has(search, whole, number) : from)
            add_candidate(search, number);
    }
    return (uint32_t)(search->candidate_count - start);
}

/* Toggles the keys that differ from the answer of a snapshot or drain. False: it cannot be done. */
static bool reach_answer(struct checker_wholeset *search, uint32_t whole, uint32_t hand,
                         uint64_t now)
{
    size_t start = search->candidate_count;
    uint64_t differs = search->wholes[whole].differs;
    if (differs != 0 && collect(search, whole, false, hand) != differs)
        return false;
    size_t end = search->candidate_count;
    for (size_t i = start; i < end; i++) {
        if (!checker__toggle(search, search->candidates[i], now))
            return false;
    }
    search->candidate_count = start;
    return !search->out_of_memory;
}

/* Candidates in order of the deadlines of what they would use: the likeliest choice first. */
static void sort_candidates(struct checker_wholeset *search, size_t start)
{
    for (size_t i = start + 1; i < search->candidate_count; i++) {
        uint32_t number = search->candidates[i];
        uint32_t op = search->keys[number].first[search->keys[number].present];
        uint64_t deadline = op == NONE ? NEVER : search->checker->ops[op].ret;
        size_t at = i;
        for (; at > start; at--) {
            const struct key *other = &search->keys[search->candidates[at - 1]];
            uint32_t other_op = other->first[other->present];
            if ((other_op == NONE ? NEVER : search->checker->ops[other_op].ret) <= deadline)
                break;
            search->candidates[at] = search->candidates[at - 1];
        }
        search->candidates[at] = number;
    }
}

static bool begin_size(struct checker_wholeset *search, uint32_t whole, uint32_t hand)
{
    uint64_t wanted = 1, have = search->present_count;
    if (search->wholes[whole].kind == WHOLE_SIZE)
        wanted = record_of(search, whole)->value;
    uint64_t needed = wanted > have ? wanted - have : have - wanted;
    size_t start = search->candidate_count;
    if (needed > search->checker->key_count || collect(search, whole, wanted < have, hand) < needed)
        return false;
    sort_candidates(search, start);
    search->machine.mode = MODE_SIZE;
    search->machine.whole = whole;
    search->machine.candidate = (uint32_t)start;
    search->machine.candidate_end = (uint32_t)search->candidate_count;
    search->machine.needed = (uint32_t)needed;
    return true;
}

static void begin_clear(struct checker_wholeset *search, uint32_t whole, uint32_t hand)
{
    size_t start = search->candidate_count;
    for (uint32_t op = search->first_toggle; op != NONE; op = search->toggles[op].next) {
        const struct checker_op *toggle = &search->checker->ops[op];
        const struct key *key = &search->keys[toggle->key];
        /* What never returned need not take effect at all, so to absorb it helps only a read that
         * waits to see the key. */
        bool helps = toggle->ret != NEVER || (!key->present && key->read_deadline != NEVER);
        if (toggle->key != hand && helps && key->first[key->present] == op)
            add_candidate(search, toggle->key);
    }
    search->machine.mode = MODE_CLEAR;
    search->machine.whole = whole;
    search->machine.candidate = (uint32_t)start;
    search->machine.candidate_end = (uint32_t)search->candidate_count;
}

/* Chooses among all keys whose state can still change, by an operation that never returned as well:
 * each changes what the clear counts. */
static void begin_count(struct checker_wholeset *search, uint32_t whole, uint32_t hand)
{
    size_t start = search->candidate_count;
    collect(search, whole, false, hand);
    collect(search, whole, true, hand);
    search->machine.mode = MODE_COUNT;
    search->machine.whole = whole;
    search->machine.candidate = (uint32_t)start;
    search->machine.candidate_end = (uint32_t)search->candidate_count;
}

/* Begins to let an open whole-set operation take effect now, while the return of an operation on
 * the key `hand` (NONE: on the whole set) waits. False: it cannot. */
static bool begin(struct checker_wholeset *search, uint32_t whole, uint32_t hand, uint64_t now)
{
    switch ((enum whole_kind)search->wholes[whole].kind) {
    case WHOLE_SNAPSHOT:
        return reach_answer(search, whole, hand, now);
    case WHOLE_DRAIN:
        if (record_of(search, whole)->ret != HISTORY_PENDING) {
            if (!reach_answer(search, whole, hand, now))
                return false;
            checker__make_empty(search, whole, now);
            return true;
        }
        begin_clear(search, whole, hand);
        return true;
    case WHOLE_CLEAR:
        begin_clear(search, whole, hand);
        return true;
    case WHOLE_COUNT:
        begin_count(search, whole, hand);
        return true;
    case WHOLE_SIZE:
    case WHOLE_NOT_EMPTY:
        return begin_size(search, whole, hand);
    case WHOLE_POP:
        break;
    }
    return false;
}

/* ---- choices ---- */

static bool memo_find(const struct checker_wholeset *search, const uint64_t hash[2], size_t *at)
{
    size_t mask = search->memo_size - 1;
    for (*at = (size_t)hash[0] & mask;; *at = (*at + 1) & mask) {
        const struct memo_slot *slot = &search->memo[*at];
        if (slot->hash[0] == hash[0] && slot->hash[1] == hash[1])
            return true;
        if (slot->hash[0] == 0 && slot->hash[1] == 0)
            return false;
    }
}

static bool memo_grow(struct checker_wholeset *search)
{
    size_t old_size = search->memo_size;
    struct memo_slot *old = search->memo;
    size_t size = old_size == 0 ? 1024 : old_size * 2;
    search->memo = calloc(size, sizeof *search->memo);
    if (search->memo == NULL) {
        search->memo = old;
        return false;
    }
    search->memo_size = size;
    for (size_t i = 0; i < old_size; i++) {
        size_t at;
        if ((old[i].hash[0] | old[i].hash[1]) != 0 && !memo_find(search, old[i].hash, &at))
            search->memo[at] = old[i];
    }
    free(old);
    return true;
}

/* Remembers that nothing follows from this state. The event need not be part of it: the operation
 * that waits there is not used, or its deadline stands, and at no other event it is so. */
static void memo_add(struct checker_wholeset *search, const struct choice *choice)
{
    size_t at;
    if (search->memo_count * 2 >= search->memo_size &&
        (search->memo_count >= MEMO_MOST || !memo_grow(search)))
        return;
    if (!memo_find(search, choice->hash, &at)) {
        search->memo[at] = (struct memo_slot){{choice->hash[0], choice->hash[1]}};
        search->memo_count++;
    }
}

static bool is_known_failure(const struct checker_wholeset *search)
{
    size_t at;
    return search->memo_count > 0 && memo_find(search, search->hash, &at);
}

static void push_choice(struct checker_wholeset *search, uint32_t next)
{
    if (!checker__search_reserve(search, &search->choices, &search->choice_capacity,
                                 search->choice_count, sizeof *search->choices))
        return;
    search->choices[search->choice_count++] =
        (struct choice){.machine = search->machine,
                        .hash = {search->hash[0], search->hash[1]},
                        .trail_count = search->trail_count,
                        .candidate_count = search->candidate_count,
                        .next = next};
}

/* The operation whose return waits at the next event, and the time. */
static uint32_t waiting_op(const struct checker_wholeset *search, uint32_t *hand, uint64_t *now)
{
    uint32_t op = search->events[search->machine.event] / 2;
    *hand = search->checker->ops[op].key;
    *now = search->checker->ops[op].ret;
    return op;
}

/* Goes back to the latest choice that can still be made differently, and makes it so. False: there
 * is none. */
static bool backtrack(struct checker_wholeset *search)
{
    while (search->choice_count > 0) {
        struct choice *choice = &search->choices[search->choice_count - 1];
        checker__undo_to(search, choice->trail_count);
        search->machine = choice->machine;
        search->hash[0] = choice->hash[0];
        search->hash[1] = choice->hash[1];
        search->candidate_count = choice->candidate_count;
        search->result->steps++;
        uint32_t hand, next = choice->next;
        uint64_t now;
        waiting_op(search, &hand, &now);
        if (choice->machine.mode == MODE_EVENT) {
            if (next == NONE) {
                memo_add(search, choice);
                search->choice_count--;
                continue;
            }
            choice->next = search->links[next].next;
            if (begin(search, next, hand, now))
                return true;
            continue;
        }
        search->choice_count--;
        if (choice->machine.mode == MODE_CLEAR && next)
            checker__absorb(search, search->candidates[search->machine.candidate - 1], now);
        if (choice->machine.mode != MODE_COUNT || !next ||
            checker__toggle(search, search->candidates[search->machine.candidate - 1], now))
            return true;
    }
    return false;
}

/* The operations placed so far become the trace. */
static void save_trace(struct checker_wholeset *search)
{
    struct checker *checker = search->checker;
    checker->trace_count = 0;
    for (size_t i = 0; i < search->trail_count; i++) {
        const struct undo *undo = &search->trail[i];
        if ((undo->kind == UNDO_USE || undo->kind == UNDO_USE_WHOLE) &&
            checker__trace_add(checker, checker->order[undo->subject], undo->value) != 0)
            search->out_of_memory = true;
    }
}

/* Notes the furthest point at which an attempt ended. */
static void note_failure(struct checker_wholeset *search)
{
    struct checker *checker = search->checker;
    if (search->machine.event < search->furthest)
        return;
    uint32_t hand;
    uint64_t now;
    uint32_t op = waiting_op(search, &hand, &now);
    search->furthest = search->machine.event;
    search->result->failed_record = checker->order[op];
    search->result->failed_time = now;
    if (checker->options.trace)
        save_trace(search);
}

/* ---- events ---- */

static bool is_satisfied(const struct checker_wholeset *search, uint32_t op)
{
    const struct checker_op *returning = &search->checker->ops[op];
    if (returning->class <= CLASS_READ_1)
        return search->keys[returning->key].read_deadline > returning->ret;
    return search->used[op];
}

/* Looks at the next event. False: it leads nowhere. */
static bool event_step(struct checker_wholeset *search)
{
    uint32_t event = search->events[search->machine.event], op = event / 2;
    if (search->machine.event < search->known_events)
        search->result->steps++;
    else
        search->known_events = search->machine.event + 1;
    if (search->choice_count == 0 && !search->checker->options.trace)
        search->trail_count = search->candidate_count = 0; /* nothing will be undone */
    if (event % 2 == 0) {
        checker__open(search, op);
        search->machine.event++;
        return true;
    }
    if (is_satisfied(search, op)) {
        search->machine.event++;
        return true;
    }
    uint32_t hand;
    uint64_t now;
    waiting_op(search, &hand, &now);
    if (search->first_whole != NONE) {
        if (is_known_failure(search))
            return false;
        push_choice(search, search->first_whole);
    }
    return hand != NONE && checker__toggle(search, hand, now);
}

static bool clear_step(struct checker_wholeset *search)
{
    struct machine *machine = &search->machine;
    uint32_t hand;
    uint64_t now;
    waiting_op(search, &hand, &now);
    if (machine->candidate == machine->candidate_end) {
        machine->mode = MODE_EVENT;
        checker__make_empty(search, machine->whole, now);
        return true;
    }
    uint32_t number = search->candidates[machine->candidate++];
    /* Likelier first: a remove after the clear would need an add, an add needs nothing. */
    bool first = search->keys[number].present;
    push_choice(search, !first);
    if (first)
        checker__absorb(search, number, now);
    return true;
}

/* Can the keys not decided yet bring their number to what the clear removed? */
static bool can_count(const struct checker_wholeset *search)
{
    const struct machine *machine = &search->machine;
    uint64_t wanted = record_of(search, machine->whole)->value, have = search->present_count;
    uint64_t more = 0, fewer = 0;
    for (uint32_t i = machine->candidate; i < machine->candidate_end; i++) {
        if (search->keys[search->candidates[i]].present)
            fewer++;
        else
            more++;
    }
    return wanted > have ? wanted - have <= more : have - wanted <= fewer;
}

static bool count_step(struct checker_wholeset *search)
{
    struct machine *machine = &search->machine;
    uint32_t hand;
    uint64_t now;
    waiting_op(search, &hand, &now);
    if (!can_count(search))
        return false;
    if (machine->candidate == machine->candidate_end) {
        machine->mode = MODE_EVENT;
        checker__make_empty(search, machine->whole, now);
        return true;
    }
    uint32_t number = search->candidates[machine->candidate++];
    /* Likelier first: what brings the number nearer. */
    uint64_t wanted = record_of(search, machine->whole)->value;
    bool first = search->keys[number].present ? wanted < search->present_count
                                              : wanted > search->present_count;
    push_choice(search, !first);
    return !first || checker__toggle(search, number, now);
}

static bool size_step(struct checker_wholeset *search)
{
    struct machine *machine = &search->machine;
    uint32_t hand, left = machine->candidate_end - machine->candidate;
    uint64_t now;
    waiting_op(search, &hand, &now);
    if (machine->needed == 0) {
        machine->mode = MODE_EVENT;
        return true;
    }
    if (left < machine->needed)
        return false;
    uint32_t number = search->candidates[machine->candidate++];
    if (left > machine->needed)
        push_choice(search, 0);
    machine->needed--;
    return checker__toggle(search, number, now);
}

static int search_all(struct checker_wholeset *search)
{
    static bool (*const step[])(struct checker_wholeset *) = {[MODE_EVENT] = event_step,
                                                              [MODE_CLEAR] = clear_step,
                                                              [MODE_COUNT] = count_step,
                                                              [MODE_SIZE] = size_step};
    while (search->machine.mode != MODE_EVENT || search->machine.event < search->event_count) {
        bool possible = step[search->machine.mode](search);
        if (!possible) {
            note_failure(search);
            possible = backtrack(search);
        }
        if (search->out_of_memory)
            return -ENOMEM;
        if (!possible) {
            search->result->verdict = CHECKER_VIOLATION;
            return 0;
        }
        if (search->result->steps > search->checker->options.budget) {
            search->result->verdict = CHECKER_UNDECIDED;
            search->result->failed_record = CHECKER_NONE;
            return 0;
        }
    }
    search->result->verdict = CHECKER_LINEARIZABLE;
    search->result->failed_record = CHECKER_NONE;
    if (search->checker->options.trace)
        save_trace(search);
    return search->out_of_memory ? -ENOMEM : 0;
}

/* ---- start ---- */

static int ensure_arrays(struct checker_wholeset *search)
{
    size_t ops = search->checker->count, keys = search->checker->key_count;
#define ENSURE(array, capacity, wanted)                                                            \
    history__grow(&search->array, &search->capacity, 0, (wanted), sizeof *search->array)
    int status = ENSURE(used, used_capacity, ops);
    status = status != 0 ? status : ENSURE(links, link_capacity, ops);
    status = status != 0 ? status : ENSURE(toggles, toggle_capacity, ops);
    status = status != 0 ? status : ENSURE(wholes, whole_capacity, ops);
    status = status != 0 ? status : ENSURE(keys, key_capacity, keys);
    status = status != 0 ? status : ENSURE(present, present_capacity, keys);
    status = status != 0 ? status : ENSURE(events, event_capacity, 2 * ops);
    return status != 0 ? status : ENSURE(returns, return_capacity, ops);
#undef ENSURE
}

static enum whole_kind kind_of(const struct history_record *record)
{
    switch ((enum history_op)record->op) {
    case HISTORY_SNAPSHOT:
        return WHOLE_SNAPSHOT;
    case HISTORY_DRAIN:
        return record->ret == HISTORY_PENDING ? WHOLE_CLEAR : WHOLE_DRAIN;
    case HISTORY_CLEAR:
        return history_record_counts(record) ? WHOLE_COUNT : WHOLE_CLEAR;
    case HISTORY_IS_EMPTY:
        return record->result == 1 ? WHOLE_SIZE : WHOLE_NOT_EMPTY;
    case HISTORY_POP:
        return record->ret == HISTORY_PENDING ? WHOLE_POP : WHOLE_SIZE;
    default:
        return WHOLE_SIZE;
    }
}

/* Merges calls and returns in order of time; at equal times the call goes first, for equal times
 * count as concurrent. */
static int merge_events(struct checker_wholeset *search)
{
    struct checker *checker = search->checker;
    int status = checker__sort_reserve(checker, checker->count);
    if (status != 0)
        return status;
    uint32_t return_count = 0;
    for (uint32_t i = 0; i < checker->count; i++) {
        if (checker->ops[i].ret != NEVER)
            checker->sort[0][return_count++] = (struct sort_item){checker->ops[i].ret, i};
    }
    checker__sort(checker, return_count, search->returns);
    search->event_count = 0;
    uint32_t returned = 0;
    for (uint32_t i = 0; i < checker->count || returned < return_count;) {
        uint32_t next = returned < return_count ? search->returns[returned] : NONE;
        if (i < checker->count &&
            (next == NONE || checker->ops[i].invoke <= checker->ops[next].ret)) {
            if (checker->ops[i].class != CLASS_DROPPED)
                search->events[search->event_count++] = i * 2;
            i++;
        } else {
            search->events[search->event_count++] = next * 2 + 1;
            returned++;
        }
    }
    return 0;
}

static int start(struct checker_wholeset *search)
{
    const struct checker *checker = search->checker;
    int status = ensure_arrays(search);
    if (status == 0)
        status = merge_events(search);
    if (status != 0)
        return status;
    for (uint32_t i = 0; i < checker->count; i++) {
        search->used[i] = false;
        if (checker->ops[i].class == CLASS_WHOLE)
            search->wholes[i] = (struct whole){.kind = kind_of(record_of(search, i))};
    }
    search->present_count = 0;
    for (uint32_t i = 0; i < checker->key_count; i++) {
        search->keys[i] = (struct key){.read_deadline = NEVER, .first = {NONE, NONE}, .place = i};
        if (i < checker->initial_count) {
            search->keys[i].present = true;
            search->present[search->present_count++] = i;
        }
    }
    search->first_toggle = search->first_whole = search->first_pop = NONE;
    search->machine = (struct machine){.mode = MODE_EVENT};
    search->hash[0] = search->hash[1] = 0;
    search->trail_count = search->choice_count = search->candidate_count = 0;
    if (search->memo_count > 0)
        memset(search->memo, 0, search->memo_size * sizeof *search->memo);
    search->memo_count = 0;
    search->known_events = search->furthest = 0;
    search->out_of_memory = false;
    return 0;
}

int checker__wholeset_run(struct checker *checker, struct checker_result *result)
{
    if (checker->wholeset == NULL) {
        checker->wholeset = calloc(1, sizeof *checker->wholeset);
        if (checker->wholeset == NULL)
            return -ENOMEM;
    }
    struct checker_wholeset *search = checker->wholeset;
    search->checker = checker;
    search->result = result;
    search->one_end = false;
    int status = start(search);
    if (status == 0)
        status = search_all(search);
    if (status == 0 && result->verdict == CHECKER_LINEARIZABLE)
        search->one_end = checker__has_one_end(search);
    return status;
}

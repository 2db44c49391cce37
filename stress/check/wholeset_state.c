// SPDX-License-Identifier: MIT
/* The state of the search for whole-set operations, and its changes. */
#include "wholeset_state.h"
#include "history_internal.h"

#include <errno.h>
#include <stdlib.h>

static void list_insert(struct link *links, uint32_t *first, uint32_t previous, uint32_t op)
{
    uint32_t next = previous == NONE ? *first : links[previous].next;
    links[op] = (struct link){next, previous};
    *(previous == NONE ? first : &links[previous].next) = op;
    if (next != NONE)
        links[next].previous = op;
}

static void list_remove(struct link *links, uint32_t *first, uint32_t op)
{
    struct link link = links[op];
    *(link.previous == NONE ? first : &links[link.previous].next) = link.next;
    if (link.next != NONE)
        links[link.next].previous = link.previous;
}

static void list_restore(struct link *links, uint32_t *first, uint32_t op)
{
    struct link link = links[op];
    *(link.previous == NONE ? first : &links[link.previous].next) = op;
    if (link.next != NONE)
        links[link.next].previous = op;
}

/* Inserts in order of return. */
static void list_insert_sorted(struct checker_wholeset *search, uint32_t *first, uint32_t op)
{
    const struct checker_op *ops = search->checker->ops;
    uint32_t previous = NONE;
    for (uint32_t at = *first; at != NONE && ops[at].ret <= ops[op].ret;
         at = search->links[at].next)
        previous = at;
    list_insert(search->links, first, previous, op);
}

bool checker__search_reserve(struct checker_wholeset *search, void *array, size_t *capacity,
                             size_t count, size_t size)
{
    if (history__grow(array, capacity, count, 1, size) != 0)
        search->out_of_memory = true;
    return !search->out_of_memory;
}

static void remember(struct checker_wholeset *search, enum undo_kind kind, uint32_t subject,
                     uint64_t value)
{
    if (checker__search_reserve(search, &search->trail, &search->trail_capacity,
                                search->trail_count, sizeof *search->trail))
        search->trail[search->trail_count++] = (struct undo){value, subject, kind};
}

bool checker__answer_has(const struct checker_wholeset *search, uint32_t whole, uint32_t key)
{
    const struct history_set *set = answer_of(search, whole);
    const uint64_t *keys = search->checker->history->set_keys + set->first;
    uint64_t wanted = search->checker->key_value[key];
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (keys[middle] < wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low < set->count && keys[low] == wanted;
}

/* ---- changes of the state, and their undoing ---- */

/* Changes a key's state and what depends on it. Its own inverse. */
static void flip_state(struct checker_wholeset *search, uint32_t number)
{
    struct key *key = &search->keys[number];
    key->present = !key->present;
    if (key->present) {
        key->place = (uint32_t)search->present_count;
        search->present[search->present_count++] = number;
    } else {
        uint32_t last = search->present[--search->present_count];
        search->present[key->place] = last;
        search->keys[last].place = key->place;
    }
    for (uint32_t at = search->first_whole; at != NONE; at = search->links[at].next) {
        struct whole *whole = &search->wholes[at];
        if (has_answer(whole))
            whole->differs +=
                checker__answer_has(search, at, number) == key->present ? UINT64_MAX : 1;
    }
}

static void set_read_deadline(struct checker_wholeset *search, uint32_t number, uint64_t deadline)
{
    struct key *key = &search->keys[number];
    if (key->read_deadline != NEVER)
        hash_fact(search->hash, FACT_DEADLINE, number, key->read_deadline);
    if (deadline != NEVER)
        hash_fact(search->hash, FACT_DEADLINE, number, deadline);
    key->read_deadline = deadline;
}

static void wait_read(struct checker_wholeset *search, uint32_t number, uint64_t deadline)
{
    remember(search, UNDO_READ, number, search->keys[number].read_deadline);
    set_read_deadline(search, number, deadline);
}

static void flip(struct checker_wholeset *search, uint32_t number)
{
    remember(search, UNDO_FLIP, number, search->keys[number].read_deadline);
    set_read_deadline(search, number, NEVER);
    hash_fact(search->hash, FACT_PRESENT, number, 0);
    flip_state(search, number);
}

static uint32_t *key_list(struct checker_wholeset *search, uint32_t op)
{
    const struct checker_op *toggle = &search->checker->ops[op];
    return &search->keys[toggle->key].first[toggle->class - CLASS_ADD];
}

static uint32_t *whole_list(struct checker_wholeset *search, uint32_t op)
{
    return search->wholes[op].kind == WHOLE_POP ? &search->first_pop : &search->first_whole;
}

static void use(struct checker_wholeset *search, uint32_t op, uint64_t now)
{
    remember(search, UNDO_USE, op, now);
    hash_fact(search->hash, FACT_USED, op, 0);
    search->used[op] = true;
    list_remove(search->links, key_list(search, op), op);
    list_remove(search->toggles, &search->first_toggle, op);
}

static void use_whole(struct checker_wholeset *search, uint32_t op, uint64_t now)
{
    remember(search, UNDO_USE_WHOLE, op, now);
    hash_fact(search->hash, FACT_USED, op, 0);
    search->used[op] = true;
    list_remove(search->links, whole_list(search, op), op);
}

static void undo_one(struct checker_wholeset *search, const struct undo *undo)
{
    uint32_t subject = undo->subject;
    switch ((enum undo_kind)undo->kind) {
    case UNDO_OPEN:
        list_remove(search->toggles, &search->first_toggle, subject);
        list_remove(search->links, key_list(search, subject), subject);
        break;
    case UNDO_USE:
        search->used[subject] = false;
        list_restore(search->toggles, &search->first_toggle, subject);
        list_restore(search->links, key_list(search, subject), subject);
        break;
    case UNDO_OPEN_WHOLE:
        list_remove(search->links, whole_list(search, subject), subject);
        break;
    case UNDO_USE_WHOLE:
        search->used[subject] = false;
        list_restore(search->links, whole_list(search, subject), subject);
        break;
    case UNDO_FLIP:
        flip_state(search, subject);
        search->keys[subject].read_deadline = undo->value;
        break;
    case UNDO_READ:
        search->keys[subject].read_deadline = undo->value;
        break;
    }
}

void checker__undo_to(struct checker_wholeset *search, size_t trail_count)
{
    while (search->trail_count > trail_count)
        undo_one(search, &search->trail[--search->trail_count]);
}

static bool is_matched(const struct checker_wholeset *search, uint32_t op)
{
    const struct whole *whole = &search->wholes[op];
    switch ((enum whole_kind)whole->kind) {
    case WHOLE_SNAPSHOT:
        return whole->differs == 0;
    case WHOLE_SIZE:
        return search->present_count == record_of(search, op)->value;
    case WHOLE_NOT_EMPTY:
        return search->present_count > 0;
    default:
        return false; /* what changes the set is never placed for nothing */
    }
}

/* Places the open whole-set operations whose answer the state now matches. */
static void settle(struct checker_wholeset *search, uint64_t now)
{
    for (uint32_t at = search->first_whole; at != NONE; at = search->links[at].next) {
        if (is_matched(search, at))
            use_whole(search, at, now);
    }
}

static bool can_toggle(const struct checker_wholeset *search, uint32_t number)
{
    const struct key *key = &search->keys[number];
    return key->first[key->present] != NONE || (key->present && search->first_pop != NONE);
}

bool checker__toggle(struct checker_wholeset *search, uint32_t number, uint64_t now)
{
    if (!can_toggle(search, number))
        return false;
    uint32_t op = search->keys[number].first[search->keys[number].present];
    if (op != NONE)
        use(search, op, now);
    else
        use_whole(search, search->first_pop, now);
    flip(search, number);
    settle(search, now);
    return true;
}

void checker__make_empty(struct checker_wholeset *search, uint32_t whole, uint64_t now)
{
    while (search->present_count > 0 && !search->out_of_memory)
        flip(search, search->present[search->present_count - 1]);
    use_whole(search, whole, now);
    settle(search, now);
}

void checker__absorb(struct checker_wholeset *search, uint32_t number, uint64_t now)
{
    struct key *key = &search->keys[number];
    use(search, key->first[key->present], now);
    /* An add showed the key for an instant, which is all that a waiting read asks for. The state
     * need not follow: a clear comes next. */
    if (!key->present)
        wait_read(search, number, NEVER);
}

static void open_whole(struct checker_wholeset *search, uint32_t op)
{
    struct whole *whole = &search->wholes[op];
    if (has_answer(whole) && search->checker->ops[op].ret != NEVER) {
        const struct history_set *set = answer_of(search, op);
        uint64_t common = 0;
        for (size_t i = 0; i < set->count; i++)
            common += search->keys[search->checker->set_ids[set->first + i]].present;
        whole->differs = search->present_count + set->count - 2 * common;
    }
    list_insert_sorted(search, whole_list(search, op), op);
    remember(search, UNDO_OPEN_WHOLE, op, 0);
    if (is_matched(search, op))
        use_whole(search, op, search->checker->ops[op].invoke);
}

void checker__open(struct checker_wholeset *search, uint32_t op)
{
    const struct checker_op *opened = &search->checker->ops[op];
    if (opened->class == CLASS_WHOLE) {
        open_whole(search, op);
    } else if (CLASS_IS_TOGGLE(opened->class)) {
        list_insert_sorted(search, key_list(search, op), op);
        list_insert(search->toggles, &search->first_toggle, NONE, op);
        remember(search, UNDO_OPEN, op, 0);
    } else {
        struct key *key = &search->keys[opened->key];
        if (key->present != (opened->class == CLASS_READ_1) && opened->ret < key->read_deadline)
            wait_read(search, opened->key, opened->ret);
    }
}

/* Where every operation returned and none emptied the set, every key's state follows from how often it
 * was toggled. From a snapshot, drain or clear that overlaps nothing the state is certain again. */
bool checker__has_one_end(const struct checker_wholeset *search)
{
    const struct checker *checker = search->checker;
    const struct history_record *resting = NULL; /* has overlapped nothing so far */
    uint64_t busy_until = 0;                     /* latest return, + 1 */
    bool certain = true;
    for (uint32_t i = 0; i < checker->count; i++) {
        const struct history_record *record = record_of(search, i);
        if (checker->ops[i].class == CLASS_DROPPED)
            continue;
        if (resting != NULL && record->invoke > resting->ret)
            certain = true;
        else if (resting != NULL)
            certain = certain && resting->op == HISTORY_SNAPSHOT;
        resting = NULL;
        bool pending = record->ret == HISTORY_PENDING;
        bool empties = record->op == HISTORY_CLEAR || record->op == HISTORY_DRAIN;
        if (!pending && (empties || record->op == HISTORY_SNAPSHOT) && busy_until <= record->invoke)
            resting = record;
        else if (pending || empties)
            certain = false;
        uint64_t until = pending ? NEVER : record->ret + 1;
        busy_until = until > busy_until ? until : busy_until;
    }
    return certain || resting != NULL;
}

int checker__wholeset_end(const struct checker *checker, struct history *next)
{
    const struct checker_wholeset *search = checker->wholeset;
    if (!search->one_end)
        return -EAGAIN;
    uint64_t *keys = malloc((search->present_count + 1) * sizeof *keys);
    if (keys == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < search->present_count; i++)
        keys[i] = checker->key_value[search->present[i]];
    int status = history_set_initial(next, keys, search->present_count);
    free(keys);
    return status;
}

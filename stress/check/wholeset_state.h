// SPDX-License-Identifier: MIT
/* The state of the search for whole-set operations (wholeset.c) and its changes, each of which can
 * be undone (wholeset_state.c). */
#ifndef LFSET_STRESS_CHECK_WHOLESET_STATE_H
#define LFSET_STRESS_CHECK_WHOLESET_STATE_H

#include "checker_internal.h"

/* What a whole-set operation is to the state; is_empty->1 and pop->none are sizes of 0. */
enum whole_kind {
    WHOLE_SNAPSHOT,
    WHOLE_SIZE,
    WHOLE_NOT_EMPTY,
    WHOLE_CLEAR,
    WHOLE_COUNT, /* a clear that says how many keys it removed */
    WHOLE_DRAIN,
    WHOLE_POP
};

struct whole {
    uint64_t differs; /* snapshot, drain: keys whose state is not the one answered */
    uint32_t kind;
};

struct key {
    uint64_t read_deadline; /* as in perkey.c */
    uint32_t first[2];      /* open unused adds, removes in order of return */
    uint32_t place;         /* in search->present, if present */
    bool present;
};

/* Doubly linked lists over operation numbers. An element that is taken out keeps its own links, so
 * that undoing in reverse order puts it back where it was. */
struct link {
    uint32_t next, previous;
};

enum undo_kind { UNDO_OPEN, UNDO_USE, UNDO_OPEN_WHOLE, UNDO_USE_WHOLE, UNDO_FLIP, UNDO_READ };

struct undo {
    uint64_t value;   /* FLIP, READ: the read deadline before. USE: the time */
    uint32_t subject; /* operation or key */
    uint32_t kind;
};

enum mode {
    MODE_EVENT, /* the next event is to be looked at */
    MODE_CLEAR, /* deciding which keys absorb an operation before `whole` */
    MODE_COUNT, /* the same, for a clear that must find so many keys */
    MODE_SIZE   /* deciding which keys are toggled for `whole` */
};

struct machine {
    uint32_t event, mode, whole;
    uint32_t candidate, candidate_end; /* in search->candidates, still to be decided */
    uint32_t needed;                   /* MODE_SIZE: toggles still to be made */
};

/* A choice that can be made differently. */
struct choice {
    struct machine machine;
    uint64_t hash[2];
    size_t trail_count, candidate_count;
    uint32_t next; /* MODE_EVENT: the next whole-set operation to try. MODE_CLEAR, MODE_COUNT: does
                      the key at hand use an operation in the other branch? */
};

struct memo_slot {
    uint64_t hash[2];
};

struct checker_wholeset {
    struct checker *checker;
    struct checker_result *result;

    /* By operation. */
    bool *used;
    struct link *links;   /* toggles: in the list of their key; else: of open whole-set ones */
    struct link *toggles; /* in the list of all open unused toggles */
    struct whole *wholes;
    size_t used_capacity, link_capacity, toggle_capacity, whole_capacity;
    uint32_t first_toggle, first_whole, first_pop;

    /* By key. */
    struct key *keys;
    uint32_t *present; /* the keys that are, in any order */
    size_t key_capacity, present_capacity, present_count;

    uint32_t *events; /* operation * 2 + (is it the return), in order of time */
    uint32_t *returns;
    size_t event_count, event_capacity, return_capacity;

    struct machine machine;
    uint64_t hash[2]; /* of operations used, states and read deadlines */
    struct undo *trail;
    struct choice *choices;
    uint32_t *candidates;
    struct memo_slot *memo;
    size_t trail_count, trail_capacity, choice_count, choice_capacity;
    size_t candidate_count, candidate_capacity, memo_count, memo_size;

    uint32_t known_events; /* events below this were reached before: looking again is a step */
    uint32_t furthest;     /* the event + 1 of the failure noted */
    bool out_of_memory;
    bool one_end; /* the state at the end of what was linearizable is certain */
};

/** The record of an operation, and what a snapshot or drain answered. */
static inline const struct history_record *record_of(const struct checker_wholeset *search,
                                                     uint32_t op)
{
    return &search->checker->history->records[search->checker->order[op]];
}

static inline const struct history_set *answer_of(const struct checker_wholeset *search,
                                                  uint32_t op)
{
    return &search->checker->history->sets[record_of(search, op)->value];
}

static inline bool has_answer(const struct whole *whole)
{
    return whole->kind == WHOLE_SNAPSHOT || whole->kind == WHOLE_DRAIN;
}

static inline uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ x >> 32;
}

/* Adds a fact to the fingerprint of a state, or takes it out again. 128 bits: a false match among
 * the at most 2^22 states remembered has a probability below 2^-80. */
enum fact { FACT_USED, FACT_PRESENT, FACT_DEADLINE };

static inline void hash_fact(uint64_t hash[2], enum fact fact, uint32_t subject, uint64_t value)
{
    uint64_t what = (uint64_t)subject << 2 | fact;
    hash[0] ^= mix(mix(what + UINT64_C(0x9e3779b97f4a7c15)) + value);
    hash[1] ^= mix(mix(what + UINT64_C(0xc2b2ae3d27d4eb4f)) + value);
}

/** Makes room for one more element (history__grow). False: no memory, which search->out_of_memory
 * remembers. */
bool checker__search_reserve(struct checker_wholeset *search, void *array, size_t *capacity,
                             size_t count, size_t size);

/** Is the key in the answer of this snapshot or drain? */
bool checker__answer_has(const struct checker_wholeset *search, uint32_t whole, uint32_t key);

/** The operation is called. What is satisfied at once takes effect. */
void checker__open(struct checker_wholeset *search, uint32_t op);

/** Changes the key's state by the open operation with the earliest deadline. False: there is none.
 */
bool checker__toggle(struct checker_wholeset *search, uint32_t key, uint64_t now);

/** The key uses an operation up right before a clear. */
void checker__absorb(struct checker_wholeset *search, uint32_t key, uint64_t now);

/** A clear or drain takes effect. */
void checker__make_empty(struct checker_wholeset *search, uint32_t whole, uint64_t now);

/** Can what was checked end in one state only, whatever the order? */
bool checker__has_one_end(const struct checker_wholeset *search);

/** Undoes all changes but the first `trail_count`. The fingerprint is the caller's affair. */
void checker__undo_to(struct checker_wholeset *search, size_t trail_count);

#endif

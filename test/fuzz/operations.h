// SPDX-License-Identifier: MIT
/*
 * The fuzzer of operations: the bytes of an input become operations on two sets of one kind and on
 * snapshots of them, and each answer is compared with what arrays of keys say.
 *
 *     byte 0      kind, the sets' domains, whether memory is zeroed, whether hashes collide, whether
 *                 the sets end before their snapshots
 *     byte 1, 2   how many keys the sets have room for at first
 *     byte 3      the seed of their hashes
 *     then        operations: a byte for the operation, then its arguments; what is missing is 0
 */
#ifndef LFSET_FUZZ_OPERATIONS_H
#define LFSET_FUZZ_OPERATIONS_H

#include "kind.h"
#include "memory.h"
#include "model.h"

struct subject {
    void *set;
    enum lfset_domain domain;
    struct model model;
};

struct shot {
    void *snapshot; /* NULL: none */
    struct model model;
};

/* The state of an input. */
struct run {
    const struct kind *kind;
    struct subject sets[2];
    struct shot shots[2];
    struct subject *set;   /* of the two, which the operations concern */
    struct subject *other; /* the other one */
    uint64_t seed;
    unsigned sections;               /* how many are open */
    bool armed;                      /* allocations may fail in the next operation */
    const struct lfset_cancel *stop; /* for the next operation: NULL, or a token that says stop */
};

extern struct run run;

/** The next byte of the input; 0 at its end. */
uint8_t take_byte(void);
/** One of the kind's keys. */
uint64_t take_key(void);
/** Was memory missing, or the operation told to stop, and did it say so? Any other failure is a
 *  fault. From here on memory is there. */
bool excused(int64_t result);
/** Fails unless the answer is right. */
void expect(const char *what, int64_t got, int64_t wanted);
/** Calls visit for every key, and puts them in *found. */
void read_keys(void *set, struct model *found);
/** Fails unless the set holds what it should. */
void check_set(const struct subject *subject);
/** An operation stopped in the middle of making the set what `target` says: it holds what was to
 *  stay, and perhaps what was to come or to go. That becomes the model. */
void adopt(struct subject *subject, const struct model *target);
/** A set that is made with the run's seed and allocator. @return 0 or -ENOMEM. */
int set_make(struct subject *subject, enum lfset_domain domain, uint64_t capacity);
void set_end(struct subject *subject);
/** An end for a snapshot. */
void shot_end(struct shot *shot);

struct operation {
    const char *name;
    void (*run)(void);
};

/** Of one key or several (keys.c), of the whole set (whole.c), of two sets (pair.c). */
extern const struct operation keys_operations[], whole_operations[], pair_operations[];
extern const size_t keys_count, whole_count, pair_count;

#endif

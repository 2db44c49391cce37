// SPDX-License-Identifier: MIT
/* What the tests of the checker, of histories and of witnesses share: histories made at random, and a
 * brute-force search over all orders (after Wing and Gong) to judge them by. */
#ifndef LFSET_TEST_CHECKER_SUPPORT_H
#define LFSET_TEST_CHECKER_SUPPORT_H

#include "check/checker.h"
#include "check/history.h"

enum { MOST_OPS = 12, MOST_KEYS = 4 };

#define HEADER "# lfset-history 2\n"
#define HEADER_1 "# lfset-history 1\n"
#define HEADER_3 "# lfset-history 3\n"

/** Random numbers: splitmix64, so that a seed names a history. */
struct random {
    uint64_t state;
};
uint64_t draw(struct random *random);
uint64_t below(struct random *random, uint64_t limit);

/** Is the history, of at most MOST_OPS operations on keys below MOST_KEYS, linearizable? */
bool brute_force(const struct history *history);

/** All states in which it can end: bit n stands for the state whose keys are the bits of n. */
unsigned brute_force_ends(const struct history *history);

/** What random_history makes. */
struct shape {
    unsigned operations, threads, keys;
    unsigned gap, length;     /* up to these between and within a thread's operations */
    unsigned whole_percent;   /* operations on the whole set */
    unsigned pending_percent; /* threads whose last operation never returns */
    unsigned wrong_percent;   /* histories in which answers are changed afterwards */
};

/** Fills `history` with what a correct set could have answered; then perhaps spoils it. */
void random_history(struct history *history, const struct shape *shape, struct random *random);

/** Prints it for a failing test. */
void show(const struct history *history);

enum checker_verdict verdict_of(struct checker *checker, const struct history *history);

/** The bits of the keys. */
unsigned keys_to_bits(const uint64_t *keys, size_t count);

/** Reads text that must be right. */
void read_text(struct history *history, const char *text);

/** Reads bytes, as history_read. */
int read_bytes(struct history *history, const char *bytes, size_t size,
               struct history_error *error);

/** The history in either form, in new memory. */
char *text_of(const struct history *history);
char *binary_of(const struct history *history, size_t *size);

#endif

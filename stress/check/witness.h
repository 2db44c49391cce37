// SPDX-License-Identifier: MIT
/*
 * The witness of a violation: the few operations of a history that show it.
 *
 * The history is cut at the first deadline that cannot be met. Then the latest start is sought from
 * which no state there, and no choice of which of the operations open there had taken effect
 * before, works; only the keys involved are kept, and every read that is not needed is left out.
 * Each of these steps is sound: were the whole history linearizable, so would be what is left. For
 * that reason no successful add, remove, clear or drain within the window is ever left out, small
 * as it would make the rest: without it anything that follows would look wrong.
 */
#ifndef LFSET_STRESS_CHECK_WITNESS_H
#define LFSET_STRESS_CHECK_WITNESS_H

#include "checker.h"

/** A witness. Zero-initialised it is empty. */
struct witness {
    struct history history; /**< the window, sorted by call; checked by itself it is a violation */
    bool any_start;         /**< a violation from every state at its start; else from the state
                                 that follows from the operations before it (history.initial) */
    bool from_beginning;    /**< the window begins where the whole history does */
    size_t open_count;      /**< the first so many records were open when the window begins:
                                 they may have taken effect before */
    size_t source_operations;     /**< operations in the whole history */
    struct checker_result result; /**< of the window */
    struct checker_step *trace;   /**< the order in which the checker could place operations */
    size_t trace_count;
};

/** Finds the witness of the violation in `history`, with `checker`'s memory. The work is bounded;
 *  where the bound is met the window is larger than it might be.
 *  1: `*witness` holds it (free what it held before). 0: `history` is linearizable. -EAGAIN: the
 *  budget did not suffice to decide; -ENOMEM, -EINVAL as checker_run. `*witness` is then empty. */
int witness_find(struct checker *checker, const struct history *history,
                 const struct checker_options *options, struct witness *witness);

/** Gives all memory back; the witness is then empty. */
void witness_free(struct witness *witness);

/** Prints the window as a table with a time line, the operation that cannot be placed and the
 *  states that the checker reached. At most some 200 lines. 0 or -EIO. */
int witness_print_text(const struct witness *witness, FILE *file);

/** Writes the same as one HTML page with an SVG time line, a row per thread; it needs nothing from
 *  elsewhere. At most some hundred kilobytes. 0, -EIO or -ENOMEM. */
int witness_write_html(const struct witness *witness, FILE *file);

#endif

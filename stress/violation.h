// SPDX-License-Identifier: MIT
/**
 * @file violation.h
 * A violation on disk and on the screen: the whole round, and the few operations that show it.
 */
#ifndef STRESS_VIOLATION_H
#define STRESS_VIOLATION_H

#include "check/witness.h"
#include "run.h"

#include <stdio.h>

struct violation {
    int has_witness;
    int found_again; /**< the witness is that of another round, with fewer operations */
    struct witness witness;
    const char *history_path; /**< the round's history; NULL: not written */
    char *witness_path;       /**< the shrunk one; NULL: there is none */
    char *timeline_path;      /**< the shrunk one as an HTML page; NULL: there is none */
};

/** Does the name of a history's file ask for the binary form? */
int violation_history_is_binary(const char *path);

/** Writes a history; in the binary form when the name ends in ".bin". @return 0, negative errno. */
int violation_history_write(const struct history *history, const char *path);

/**
 * Writes the history to `path`, which must live as long as `violation`. When it is what shows the
 * violation, shrinks it, looks for a shorter one by running `options` again for a few seconds, and
 * writes the shortest beside it. @return 0 or a negative errno.
 */
int violation_save(struct violation *violation, const struct run_options *options,
                   const struct run_result *result, const char *path);

/** Says what was wrong, prints the shrunk history, and where the files are. */
void violation_print(const struct violation *violation, const struct run_result *result, FILE *out);

void violation_free(struct violation *violation);

#endif

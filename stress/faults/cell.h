// SPDX-License-Identifier: MIT
/**
 * @file cell.h
 * One row of the table: a fault, on a set, in a domain. Each is tried in a process of its own, so that
 * a crash or a hang is a result like any other, and what one leaves behind does not disturb the next.
 */
#ifndef FAULTS_CELL_H
#define FAULTS_CELL_H

#include "target.h"

#include <stdatomic.h>
#include <stdint.h>

struct cell;

/** A kind of fault. */
struct fault {
    const char *name;
    const char *about; /**< half a line for --help */
    int one_row;       /**< it concerns all sets and both domains at once */
    const char *unit;  /**< what `cases` counts */
    int (*run)(
        struct cell *cell); /**< 0, or a negative errno: the harness itself could not go on */
};

extern const struct fault fault_stopped;
extern const struct fault fault_ended;
extern const struct fault fault_allocation;
extern const struct fault fault_fork;
extern const struct fault fault_churn;
extern const struct fault fault_unload;

enum cell_outcome { CELL_OK, CELL_FAILED, CELL_HANG, CELL_CRASHED, CELL_SKIPPED, CELL_BROKEN };

/** What the process of a cell tells the one that waits for it; in memory that both see. */
struct cell_shared {
    atomic_ulong cases;   /**< tried so far */
    atomic_ulong planned; /**< in all; 0: not known */
    atomic_int failed;
    atomic_int skipped;
    char at[200];     /**< what is being tried */
    char detail[400]; /**< what went wrong, or what is worth telling */
};

struct cell {
    const struct fault *fault;
    const struct target *target; /**< NULL: the fault has one row */
    enum lfset_domain domain;
    uint64_t seed;
    int quick;   /**< a sample of the cases */
    double hang; /**< seconds after which somebody who does not finish is taken not to */
    struct cell_shared *shared;
    enum cell_outcome outcome;
    double seconds;
};

/** Says what is tried next. A progress that is not told for `hang` seconds is a hang. */
__attribute__((format(printf, 2, 3))) void cell_at(struct cell *cell, const char *format, ...);
/** It was tried. */
void cell_tried(struct cell *cell);
/** Something went wrong; the first one counts, and what was being tried is told with it. */
__attribute__((format(printf, 2, 3))) void cell_fail(struct cell *cell, const char *format, ...);
int cell_failed(const struct cell *cell);
/** What is worth telling of a cell that did not fail. */
__attribute__((format(printf, 2, 3))) void cell_tell(struct cell *cell, const char *format, ...);
/** The fault cannot be tried here; why was told with cell_tell. */
void cell_skip(struct cell *cell);

/** Runs the cell in a process of its own and fills in its outcome; `tick` is called now and then. */
int cell_run(struct cell *cell, void (*tick)(void *ctx, const struct cell *cell), void *ctx);

#endif

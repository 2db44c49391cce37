// SPDX-License-Identifier: MIT
/**
 * @file trial.h
 * One case: a fresh set with some keys, threads that do things to it, and the judgement of what they
 * were answered and of what the set holds in the end, by the checker.
 */
#ifndef FAULTS_TRIAL_H
#define FAULTS_TRIAL_H

#include "algebra.h"
#include "cell.h"
#include "check/checker.h"
#include "memory.h"
#include "workload.h"

#include <pthread.h>
#include <semaphore.h>

/** All keys are below this, so that every one is judged. */
#define TRIAL_KEYS WORKLOAD_PARTS

/** What a thread does that meets a fault: one operation, or a few in a row. */
struct move {
    const char *name;
    void (*act)(struct worker *worker);
    unsigned present;    /**< the set holds the keys below this at first */
    int unattached;      /**< it is the thread's first operation */
    int removes_unknown; /**< it may have removed a key of which nothing was recorded yet */
};

/** All moves, ended by one without a name. */
const struct move *trial_moves(void);
#define TRIAL_MOVES_MOST 48

enum { TRIAL_VICTIM, TRIAL_ACCOMPLICE, TRIAL_OTHERS, TRIAL_WORKERS = TRIAL_OTHERS + 2 };

/** A thread of the trial; it acts once. */
struct actor {
    struct worker worker;
    const struct move *move; /**< NULL: one of the others, which do all kinds of things */
    struct trial *trial;
    pthread_t thread;
    int running;
    unsigned long stop_at; /**< the so-manieth access is where it stops; 0: it does not */
    int end_there;         /**< it ends instead */
    unsigned long seen;    /**< accesses until now */
    int stopped;           /**< told by `rests` */
    int ended;
    sem_t rests; /**< it has stopped or done what it had to */
    sem_t go;
    unsigned long fail_at; /**< the so-manieth allocation fails; 0: none */
    int fail_from;         /**< and all later ones */
    unsigned long failed;
};

struct trial {
    struct cell *cell;
    struct record_clock clock;
    struct workload workload;
    struct actor actors[TRIAL_WORKERS];
    struct worker reader;
    struct checker *checker;
    struct history history;
    uint64_t number; /**< of the case, for seeds */
    uint64_t undecided;
    uint64_t *keys; /**< what the set held, when the case began or at its end */
    size_t key_count;
    void *set;
    struct pool *pool;
    struct { /**< sets that wait to be destroyed, for which RCU takes its time */
        void *set;
        struct pool *pool;
        struct algebra_made made;
    } done[32];
    size_t done_count;
};

/** @return 0 or a negative errno. */
int trial_init(struct trial *trial, struct cell *cell);
void trial_free(struct trial *trial);

/** A fresh set that is ready for the move. @return 0 or a negative errno. */
int trial_begin(struct trial *trial, const struct move *move);
/** The actor begins. @return 0 or a negative errno. */
int trial_start(struct trial *trial, int number, const struct move *move);
/** Waits until the actor has stopped, ended or is done. @return 0; -ETIMEDOUT: it hangs. */
int trial_wait(struct trial *trial, int number);
/** Lets go of a stopped one and waits for its end. @return 0; -ETIMEDOUT. */
int trial_finish(struct trial *trial, int number);
/** Nobody is in the set any more: reads it, judges, and tells the cell. @return 0 or an errno. */
int trial_judge(struct trial *trial);
/** The set is not needed any more. It is destroyed soon, and its memory accounted for. */
void trial_end(struct trial *trial);
void trial_end_all(struct trial *trial);

/** How many accesses, or allocations, the move makes by itself. */
unsigned long trial_accesses(struct trial *trial, const struct move *move);

#endif

// SPDX-License-Identifier: MIT
/*
 * Lock-freedom as a test: a thread is stopped at its n-th access, for every n of every operation, and the
 * others must do one of everything meanwhile. A second time with another thread stopped before it, somewhere
 * in an operation of its own, so that the victim finds things half done. Then they are let go, and the checker
 * judges all answers and what the set holds.
 *
 * Or it ends there (pthread_exit, as an asynchronous cancellation would end it), and nothing that the others
 * see may suffer. What it had in hand is lost: its memory, and with it lfset_barrier, destroy and fork, which
 * would wait for it. So the sets of these cases are left alone.
 */
#define _GNU_SOURCE
#include "noise.h"
#include "trial.h"

#include <errno.h>
#include <stdio.h>

struct tally {
    uint64_t random;
    unsigned long accesses; /* of all moves */
    size_t garbage;         /* the most objects that were held back */
    size_t lost;            /* what was held back when the case began; who ended had it in hand */
    unsigned long lengths[TRIAL_MOVES_MOST];
};

/*
 * lib/reclaim/hp.c: per thread, what its hazards name, as many again that a scan had to leave, and what a
 * record may hold until it is scanned: less than 64 objects, and one operation's (a succession or two).
 */
#define RECORD_MOST (2 * LFSET_HP_SLOTS + 64 + 4)
#define THREADS (TRIAL_WORKERS + 1)

static size_t held_now(enum lfset_domain domain)
{
    struct lfset_garbage garbage = {0, 0};

    (void)lfset_garbage_read(domain, &garbage);
    return garbage.objects;
}

/* What was held back, by domain, when somebody had retired many: before the thread's end sweeps it up. */
static atomic_size_t left_by_many[2];

/* Successions without end: what they leave must not pile up because of one thread that is stopped, or that
 * ended and left its record to the one that does this. */
static void retire_many(struct worker *worker)
{
    for (int i = 0; i < 2 * THREADS * RECORD_MOST; i++)
        if (worker->target->size(worker->set) < 0)
            snprintf(worker->fault, sizeof(worker->fault), "size fails");
    for (int domain = 0; domain < 2; domain++) {
        const size_t held = held_now((enum lfset_domain)domain);

        if (held > atomic_load(&left_by_many[domain]))
            atomic_store(&left_by_many[domain], held);
    }
}

static const struct move retiring = {"successions without end", retire_many, 0, 0, 0};

static void judge_garbage(struct trial *trial, struct tally *tally)
{
    const enum lfset_domain domain = trial->cell->domain;
    const size_t now = held_now(domain), many = atomic_load(&left_by_many[domain]);
    const size_t most = now > many ? now : many;
    const size_t objects = most > tally->lost ? most - tally->lost : 0;
    if (objects > tally->garbage)
        tally->garbage = objects;
    if (domain == LFSET_HP && objects > THREADS * RECORD_MOST)
        cell_fail(trial->cell, "%zu objects are held back, more than the bound of %d", objects,
                  THREADS * RECORD_MOST);
}

/* Everybody but the victim and its accomplice: does one of everything, or what the move says. */
static int others_go_on(struct trial *trial, const struct move *move)
{
    int rc = 0;

    for (int i = TRIAL_OTHERS; i < TRIAL_WORKERS && rc == 0; i++)
        rc = trial_start(trial, i, move);
    for (int i = TRIAL_OTHERS; i < TRIAL_WORKERS && rc == 0; i++)
        if (trial_wait(trial, i) != 0)
            rc = -ETIMEDOUT;
    if (rc == -ETIMEDOUT)
        cell_fail(trial->cell, "the others could not go on");
    return rc;
}

static int others_end(struct trial *trial)
{
    int rc = 0;

    for (int i = TRIAL_OTHERS; i < TRIAL_WORKERS && rc == 0; i++)
        rc = trial_finish(trial, i);
    return rc;
}

static int accomplice_stops(struct trial *trial, struct tally *tally)
{
    const struct move *moves = trial_moves();
    struct actor *actor = &trial->actors[TRIAL_ACCOMPLICE];
    size_t which;

    do {
        size_t count = 0;
        while (moves[count].name)
            count++;
        which = (noise_random(&tally->random) >> 32) % count;
    } while (tally->lengths[which] == 0);
    actor->stop_at = 1 + (noise_random(&tally->random) >> 32) % tally->lengths[which];
    const int rc = trial_start(trial, TRIAL_ACCOMPLICE, &moves[which]);
    return rc ? rc : trial_wait(trial, TRIAL_ACCOMPLICE);
}

/* @return 0; -ETIMEDOUT: threads hang, nothing more can be tried; another errno. */
static int one_case(struct trial *trial, struct tally *tally, const struct move *move,
                    unsigned long n, int ends, int accomplice)
{
    struct actor *victim = &trial->actors[TRIAL_VICTIM];

    cell_at(trial->cell, "%s, %s at access %lu%s", move->name, ends ? "ended" : "stopped", n,
            accomplice ? ", behind another one" : "");
    int rc = trial_begin(trial, move);
    tally->lost = ends ? held_now(trial->cell->domain) : 0;
    for (int domain = 0; domain < 2; domain++)
        atomic_store(&left_by_many[domain], 0);
    if (rc == 0 && accomplice)
        rc = accomplice_stops(trial, tally);
    victim->stop_at = n;
    victim->end_there = ends;
    if (rc == 0)
        rc = trial_start(trial, TRIAL_VICTIM, move);
    if (rc == 0 && trial_wait(trial, TRIAL_VICTIM) != 0) {
        cell_fail(trial->cell, "the victim itself does not finish");
        return -ETIMEDOUT;
    }
    if (rc == 0)
        rc = others_go_on(trial, NULL);
    if (rc == 0)
        rc = others_end(trial);
    const int long_one = n % 16 == 1 && trial->cell->target->snapshot;
    if (rc == 0 && long_one)
        rc = others_go_on(trial, &retiring);
    if (rc != 0)
        return rc;
    if (long_one && others_end(trial) != 0)
        return -ETIMEDOUT;
    judge_garbage(trial, tally);
    if (trial_finish(trial, TRIAL_VICTIM) != 0 || trial_finish(trial, TRIAL_ACCOMPLICE) != 0) {
        cell_fail(trial->cell, "who was stopped does not finish");
        return -ETIMEDOUT;
    }
    rc = trial_judge(trial);
    if (ends)
        (void)algebra_take(); /* left alone, too */
    else
        trial_end(trial);
    cell_tried(trial->cell);
    return rc;
}

/* Of each move, in a sample. */
#define SAMPLE 80

/* Each n; of a sample, in equal steps from a random beginning. */
static int every_access(struct trial *trial, struct tally *tally, size_t which, int ends)
{
    const unsigned long length = tally->lengths[which];
    const unsigned long step = trial->cell->quick && length > SAMPLE ? length / SAMPLE : 1;
    unsigned long n = 1 + (noise_random(&tally->random) >> 32) % step;
    int rc = 0;

    for (; n <= length && rc == 0 && !cell_failed(trial->cell); n += step) {
        const struct move *move = &trial_moves()[which];

        if (!trial->cell->quick || n / step % 2 == 0)
            rc = one_case(trial, tally, move, n, ends, 0);
        if (rc == 0 && !ends && (!trial->cell->quick || n / step % 2 == 1))
            rc = one_case(trial, tally, move, n, ends, 1);
    }
    return rc;
}

static int run(struct cell *cell, int ends)
{
    struct tally tally = {.random = noise_seed(cell->seed, 1, 1)};
    static struct trial trial;
    size_t count = 0;

    int rc = trial_init(&trial, cell);
    for (; rc == 0 && trial_moves()[count].name; count++) {
        cell_at(cell, "%s, undisturbed", trial_moves()[count].name);
        tally.lengths[count] = trial_accesses(&trial, &trial_moves()[count]);
        tally.accesses += tally.lengths[count];
    }
    atomic_store(&cell->shared->planned,
                 cell->quick ? count * SAMPLE : tally.accesses * (ends ? 1 : 2));
    for (size_t i = 0; i < count && rc == 0 && !cell_failed(cell); i++)
        rc = every_access(&trial, &tally, i, ends);
    if (rc == -ETIMEDOUT || cell_failed(cell))
        return 0; /* threads may still be in there */
    if (rc != 0)
        return rc;
    if (!ends) /* destroying waits for what they had in hand */
        trial_free(&trial);
    char undecided[80] = "";
    if (trial.undecided)
        snprintf(undecided, sizeof(undecided), "; %llu histories beyond the checker's budget",
                 (unsigned long long)trial.undecided);
    cell_tell(cell, "%lu accesses of %zu operations; at most %zu objects held back%s%s",
              tally.accesses, count, tally.garbage,
              cell->domain == LFSET_HP ? "" : " (RCU: all that were retired meanwhile)", undecided);
    return 0;
}

static int stopped_run(struct cell *cell)
{
    return run(cell, 0);
}

static int ended_run(struct cell *cell)
{
    return run(cell, 1);
}

const struct fault fault_stopped = {
    .name = "stopped",
    .about = "a thread is stopped at each access of each operation; the others must go on, and all "
             "answers must be right (lfset_barrier, destroy and fork wait for it, as documented)",
    .unit = "stops",
    .run = stopped_run,
};

const struct fault fault_ended = {
    .name = "ended",
    .about = "a thread ends at each access of each operation; the others must go on, and nothing "
             "is freed early (what it had in hand is lost)",
    .unit = "ends",
    .run = ended_run,
};

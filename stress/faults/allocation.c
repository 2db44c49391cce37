// SPDX-License-Identifier: MIT
/*
 * The n-th allocation of an operation fails, for every n until the operation asks for fewer; and so do all from
 * the n-th on. It must answer -ENOMEM or do without, change nothing that it does not say, lose nothing, leak
 * nothing, and succeed when it is tried again with memory. All answers and the set's contents are judged by
 * the checker, for which an operation that answered -ENOMEM did not happen.
 */
#define _GNU_SOURCE
#include "trial.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct tally {
    unsigned long failed;
    unsigned long refused;
};

/* The set itself cannot be created. */
static int creation(struct cell *cell, struct tally *tally)
{
    const struct target_options options = {.domain = cell->domain, .capacity = 1000, .seed = 7};

    for (int from = 0; from < 2; from++) {
        for (unsigned long n = 1, failed = 1; failed != 0 && !cell_failed(cell); n++) {
            struct pool pool;
            void *set = &pool;

            cell_at(cell, "create, allocation %lu %s", n, from ? "and all later ones" : "");
            pool_use(&pool);
            memory_fail(n, from);
            const int rc = cell->target->create(&options, &set);
            failed = memory_heal();
            if (rc != (failed ? -ENOMEM : 0) || (set != NULL) != (rc == 0))
                cell_fail(cell, "create answers %d", rc);
            if (rc == 0 && cell->target->destroy(set) != 0)
                cell_fail(cell, "destroy fails");
            if (atomic_load(&pool.blocks) != 0)
                cell_fail(cell, "%lld blocks are lost", (long long)atomic_load(&pool.blocks));
            tally->failed += failed;
            tally->refused += rc != 0;
            cell_tried(cell);
        }
    }
    return 0;
}

/* @return 1: an allocation failed; 0: there is no n-th one; or a negative errno. */
static int one_case(struct trial *trial, struct tally *tally, const struct move *move,
                    unsigned long n, int from)
{
    struct actor *victim = &trial->actors[TRIAL_VICTIM];

    cell_at(trial->cell, "%s, allocation %lu%s", move->name, n, from ? " and all later ones" : "");
    int rc = trial_begin(trial, move);
    victim->fail_at = n;
    victim->fail_from = from;
    if (rc == 0)
        rc = trial_start(trial, TRIAL_VICTIM, move);
    if (rc == 0)
        rc = trial_wait(trial, TRIAL_VICTIM);
    if (rc == 0)
        rc = trial_finish(trial, TRIAL_VICTIM);
    if (rc != 0)
        return rc;
    const int failed = victim->failed > 0;
    const uint64_t refused = victim->worker.log.failed;
    if (refused > 0 && !failed)
        cell_fail(trial->cell, "-ENOMEM although no allocation failed");
    tally->failed += victim->failed;
    tally->refused += refused;
    victim->worker.log.failed = 0;
    move->act(&victim->worker); /* again, with memory */
    if (victim->worker.log.failed != 0)
        cell_fail(trial->cell, "with memory it still answers -ENOMEM");
    rc = trial_judge(trial);
    trial_end(trial);
    cell_tried(trial->cell);
    return rc ? rc : failed;
}

static int allocation_run(struct cell *cell)
{
    struct tally tally = {0};
    static struct trial trial;

    int rc = trial_init(&trial, cell);
    if (rc == 0)
        rc = creation(cell, &tally);
    for (const struct move *move = trial_moves(); move->name && rc == 0; move++) {
        trial_accesses(&trial, move); /* so that the harness has what it needs */
        for (int from = 0; from < 2 && rc >= 0; from++) {
            rc = 1;
            for (unsigned long n = 1; rc == 1 && !cell_failed(cell); n++)
                rc = one_case(&trial, &tally, move, n, from);
        }
        rc = rc < 0 ? rc : 0;
    }
    if (rc != 0 || cell_failed(cell))
        return rc;
    trial_free(&trial);
    cell_tell(cell,
              "%lu allocations failed, %lu operations answered -ENOMEM, the others did without",
              tally.failed, tally.refused);
    return 0;
}

const struct fault fault_allocation = {
    .name = "allocation",
    .about = "each allocation of each operation fails, alone and with all later ones: -ENOMEM or "
             "success, nothing lost, changed or leaked, and it succeeds when tried again",
    .unit = "failures",
    .run = allocation_run,
};

// SPDX-License-Identifier: MIT
/**
 * @file algebra.h
 * Clone, combine, apply and compare, which no target has: as one more thing that a thread does. They make sets;
 * destroying those would wait for whoever is stopped, so they are kept until the case is over.
 */
#ifndef FAULTS_ALGEBRA_H
#define FAULTS_ALGEBRA_H

#include "workload.h"

/** Two threads, each of which may have to try twice, make two sets each. */
#define ALGEBRA_MOST 8

struct algebra_made {
    void *set[ALGEBRA_MOST];
    int (*destroy)(void *set);
};

/** Does it with the worker's set, whose contents stay; lacking memory counts as a failed operation. */
void algebra_act(struct worker *worker);
/** What was made since the last call. */
struct algebra_made algebra_take(void);
/** @return 0, or what a destroy answered. */
int algebra_destroy(const struct algebra_made *made);

#endif

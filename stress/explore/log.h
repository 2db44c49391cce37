// SPDX-License-Identifier: MIT
/* The history of a run, and its judge. */
#ifndef LFSET_STRESS_EXPLORE_LOG_H
#define LFSET_STRESS_EXPLORE_LOG_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "check/history.h"

/** @return 0 or -ENOMEM. Once. */
int log_open(void);
void log_reset(void);
/** What the set held before the threads start. */
void log_begin_history(const uint64_t *initial, size_t count);

/** An operation begins now. @return its number. */
size_t log_begin(uint32_t thread, enum history_op op, uint64_t value);
struct history_record *log_at(size_t record);
/** It returned `result` at `ret`, which may be -ENOMEM if the plan lets allocations fail. */
void log_end(size_t record, uint64_t ret, int64_t result);
/** It returned and did nothing. */
void log_drop(size_t record);
/** Its value is this set of keys. */
void log_answer(size_t record, const uint64_t *answer, size_t count);
/** Several results of one call are as many operations of as many threads. @return a new one. */
uint32_t log_another_thread(void);
/** What a call knows of one key, apart from what else it tells. */
void log_key(enum history_op op, uint64_t key, int result, uint64_t invoke, uint64_t ret);

/** Fails unless the history is linearizable. */
void log_judge(void);
/** The history as far as it got. */
void log_print(FILE *file);

#endif

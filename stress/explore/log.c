// SPDX-License-Identifier: MIT
#include "explore/log.h"

#include <errno.h>
#include <stdlib.h>

#include "check/checker.h"
#include "explore/explored.h"
#include "explore/schedule.h"

enum { LOG_MAX = 4096, FIRST_VIRTUAL_THREAD = 16 };

static struct history history;
static struct checker *checker;
static struct history_record records[LOG_MAX];
static bool dropped[LOG_MAX]; // it failed for lack of memory, or was cancelled, and had no effect
static size_t record_count;
static uint32_t virtual_thread;

int log_open(void)
{
    checker = checker_create();
    return checker ? 0 : -ENOMEM;
}

void log_reset(void)
{
    history_reset(&history);
    record_count = 0;
    virtual_thread = 0;
}

size_t log_begin(uint32_t thread, enum history_op op, uint64_t value)
{
    if (record_count == LOG_MAX) {
        sched_fail("the explorer's log is full");
    }
    dropped[record_count] = false;
    records[record_count] = (struct history_record){
        .thread = thread,
        .op = (uint8_t)op,
        .value = value,
        .invoke = sched_clock(),
        .ret = HISTORY_PENDING,
    };
    return record_count++;
}

struct history_record *log_at(size_t record)
{
    return &records[record];
}

void log_drop(size_t record)
{
    dropped[record] = true;
}

uint32_t log_another_thread(void)
{
    return FIRST_VIRTUAL_THREAD + virtual_thread++;
}

void log_end(size_t record, uint64_t ret, int64_t result)
{
    if (result == -ENOMEM && explored.plan->enomem) {
        dropped[record] = true;
    } else if (result < 0) {
        sched_fail("the call returned %lld", (long long)result);
    } else {
        records[record].result = result != 0;
    }
    records[record].ret = ret;
}

void log_answer(size_t record, const uint64_t *answer, size_t count)
{
    int error = history_add_set(&history, answer, count, &records[record].value);
    if (error) {
        sched_fail(error == -EINVAL ? "a key occurs twice in the answer" : "no memory for a log");
    }
}

void log_key(enum history_op op, uint64_t key, int result, uint64_t invoke, uint64_t ret)
{
    size_t record = log_begin(log_another_thread(), op, key);
    records[record].invoke = invoke;
    records[record].result = (uint8_t)result;
    records[record].ret = ret;
}

static void fill_history(void)
{
    for (size_t i = 0; i < record_count; i++) {
        if (!dropped[i] && history_add(&history, &records[i]) != 0) {
            sched_fail("no memory for the history");
        }
    }
}

void log_judge(void)
{
    fill_history();
    struct checker_result result;
    if (checker_run(checker, &history, NULL, &result) != 0) {
        sched_fail("the checker refuses the history");
    }
    if (result.verdict != CHECKER_LINEARIZABLE) {
        sched_fail("the history is not linearizable (%s)", checker_verdict_name(result.verdict));
    }
}

/* What the set and the arena count from their beginning on. */
void log_begin_history(const uint64_t *initial, size_t count)
{
    if (history_set_initial(&history, initial, count) != 0) {
        sched_fail("the set holds a key twice before the threads start");
    }
}

void log_print(FILE *file)
{
    if (history.count == 0) { // the run ended before it was judged
        for (size_t i = 0; i < record_count; i++) {
            if (!dropped[i] && history_add(&history, &records[i]) != 0) {
                return;
            }
        }
    }
    char name[8];
    for (unsigned i = 0; i < explored.plan->keys; i++) {
        if (explored_key_name(explored.keys[i], name, sizeof name)) {
            fprintf(file, "# %s is %llu\n", name, (unsigned long long)explored.keys[i]);
        }
    }
    history_write_text(&history, file);
}

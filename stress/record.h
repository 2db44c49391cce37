// SPDX-License-Identifier: MIT
/**
 * @file record.h
 * Recording who called what and when, with as little disturbance as possible: each thread writes
 * into memory of its own, made beforehand, and reads a clock twice an operation.
 *
 * The state lives in structs that the caller passes around, never in static variables of a file:
 * gcc assumes that functions declared "leaf" (glibc's syscall() is one) leave such variables alone,
 * and moves accesses across them. That has produced violations that never happened.
 */
#ifndef STRESS_RECORD_H
#define STRESS_RECORD_H

#include "check/history.h"

#include <stdatomic.h>

/** The processor's time-stamp counter: cheap, and orders nothing that the set does not order. */
#define RECORD_CLOCK_TSC 0
/**
 * One shared counter: exact anywhere, but each reading is a full barrier and a shared write, so
 * that errors in the set's own memory ordering are hidden. For machines without a trusty TSC.
 */
#define RECORD_CLOCK_COUNTER 1

struct record_clock {
    int kind;
    _Alignas(128) _Atomic uint64_t counter;
};

/** @return 1 when the TSC runs at one rate and in step on all processors; else 0 and why not. */
int record_tsc_is_sound(const char **reason);

/*
 * Unfenced, the stamp would move into the operation, and a correct set would seem wrong. The fence
 * after the first stamp keeps the operation behind it; rdtscp waits for the operation, and the
 * fence behind it keeps the next operation's stamp after this one.
 *
 * On Arm an ISB keeps the reading of the counter from moving, but does not wait for accesses to
 * memory. So before the second stamp there is a DSB: without it a change could still be on its way
 * to other threads, who would rightly not see it and be recorded as having looked too late. It is a
 * fence between operations and hides what needs there to be none; the litmus tests look for that.
 * The counter often ticks every 20 to 40 ns only, under qemu-user every 1000: equal times count as
 * concurrent, so that nothing is blamed wrongly, and less is noticed.
 */
static inline uint64_t record_tsc_before(void)
{
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ __volatile__("rdtsc\n\tlfence" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
#elif defined(__aarch64__)
    uint64_t t;
    __asm__ __volatile__("isb\n\tmrs %0, cntvct_el0\n\tisb" : "=r"(t) : : "memory");
    return t;
#else
    return 0;
#endif
}

static inline uint64_t record_tsc_after(void)
{
#if defined(__x86_64__)
    uint32_t low, high;
    __asm__ __volatile__("rdtscp\n\tlfence" : "=a"(low), "=d"(high) : : "rcx", "memory");
    return (uint64_t)high << 32 | low;
#elif defined(__aarch64__)
    __asm__ __volatile__("dsb ish" : : : "memory");
    return record_tsc_before();
#else
    return 0;
#endif
}

static inline uint64_t record_before(struct record_clock *clock)
{
    if (clock->kind == RECORD_CLOCK_TSC)
        return record_tsc_before();
    return atomic_fetch_add(&clock->counter, 1);
}

static inline uint64_t record_after(struct record_clock *clock)
{
    if (clock->kind == RECORD_CLOCK_TSC)
        return record_tsc_after();
    return atomic_fetch_add(&clock->counter, 1);
}

/** One thread's log of one round. Written by that thread alone, read when it rests. */
struct record_log {
    _Alignas(128) struct history_record *records;
    size_t count;
    size_t capacity;
    uint64_t *set_keys; /**< what snapshots and drains answered, one after another */
    size_t set_key_count;
    size_t set_key_capacity;
    uint64_t failed; /**< operations that failed for memory: without effect, so without a record */
    struct record_clock *clock;
};

/**
 * Memory for `records` operations and `set_keys` keys in the answers of snapshots and drains.
 * @return 0 or -ENOMEM.
 */
int record_log_init(struct record_log *log, struct record_clock *clock, size_t records,
                    size_t set_keys);
void record_log_free(struct record_log *log);
void record_log_reset(struct record_log *log);

/** Is there room for `records` more? */
static inline int record_has_room(const struct record_log *log, size_t records)
{
    return log->capacity - log->count >= records;
}

/**
 * The operation begins. The record is written now, as pending, so that what a thread was doing is
 * known even if it never comes back.
 */
static inline struct history_record *record_begin(struct record_log *log, uint32_t thread,
                                                  enum history_op op, uint64_t value)
{
    struct history_record *r = &log->records[log->count++];

    r->value = value;
    r->ret = HISTORY_PENDING;
    r->thread = thread;
    r->op = (uint8_t)op;
    r->result = 0;
    r->reserved = 0;
    r->invoke = record_before(log->clock);
    return r;
}

/** The operation has returned. */
static inline void record_end(struct record_log *log, struct history_record *r)
{
    r->ret = record_after(log->clock);
}

/** Takes back the newest record: the operation failed for memory and had no effect. */
static inline void record_cancel(struct record_log *log)
{
    log->count--;
    log->failed++;
}

/**
 * Makes room for the keys of one more answer; NULL when there is no memory. The answer then is
 * set_keys[set_key_count ..]; record_answer_end counts it in and puts its place into the record.
 */
uint64_t *record_answer_room(struct record_log *log, size_t keys);
void record_answer_end(struct record_log *log, struct history_record *r, size_t keys);

/** Appends the log to `history`. @return 0, -ENOMEM, or -EINVAL: an answer has a key twice. */
int record_log_merge(const struct record_log *log, struct history *history);

#endif

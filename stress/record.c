// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "record.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

/*
 * In a record of a snapshot or drain, until it is merged: where its keys are in set_keys. 32 bits
 * each are enough, as a log is bounded by HISTORY_MAX_RECORDS.
 */
static uint64_t answer_pack(size_t first, size_t count)
{
    return (uint64_t)first << 32 | (uint64_t)count;
}

static size_t answer_first(uint64_t value)
{
    return (size_t)(value >> 32);
}

static size_t answer_count(uint64_t value)
{
    return (size_t)(value & UINT32_MAX);
}

#if defined(__x86_64__)
/* The kernel takes "tsc" off this list when it has seen the processors' counters disagree. */
static int kernel_trusts_tsc(void)
{
    char line[256] = "";
    int trusted = 0;
    FILE *f = fopen("/sys/devices/system/clocksource/clocksource0/available_clocksource", "re");

    if (!f)
        return 0;
    if (fgets(line, sizeof(line), f)) {
        char *rest = NULL;

        for (char *w = strtok_r(line, " \n", &rest); w; w = strtok_r(NULL, " \n", &rest))
            trusted |= strcmp(w, "tsc") == 0;
    }
    fclose(f);
    return trusted;
}
#endif

int record_tsc_is_sound(const char **reason)
{
#if defined(__x86_64__)
    unsigned a, b, c, d;

    if (!__get_cpuid(0x80000007u, &a, &b, &c, &d) || !(d & 1u << 8)) {
        *reason = "the processor does not promise an invariant TSC (cpuid 0x80000007)";
        return 0;
    }
    if (!__get_cpuid(0x80000001u, &a, &b, &c, &d) || !(d & 1u << 27)) {
        *reason = "the processor has no rdtscp";
        return 0;
    }
    if (!kernel_trusts_tsc()) {
        *reason = "the kernel does not list tsc among its available clocksources";
        return 0;
    }
    *reason = NULL;
    return 1;
#elif defined(__aarch64__)
    *reason = NULL; /* the architecture keeps cntvct_el0 in step */
    return 1;
#else
    *reason = "no time-stamp counter is known for this processor";
    return 0;
#endif
}

int record_log_init(struct record_log *log, struct record_clock *clock, size_t records,
                    size_t set_keys)
{
    *log = (struct record_log){.clock = clock, .capacity = records, .set_key_capacity = set_keys};
    /* Touched now, so that no page fault falls into an operation. */
    log->records = aligned_alloc(128, (records * sizeof(*log->records) + 127) / 128 * 128);
    log->set_keys = malloc((set_keys + 1) * sizeof(*log->set_keys));
    if (!log->records || !log->set_keys) {
        record_log_free(log);
        return -ENOMEM;
    }
    memset(log->records, 0, records * sizeof(*log->records));
    memset(log->set_keys, 0, set_keys * sizeof(*log->set_keys));
    return 0;
}

void record_log_free(struct record_log *log)
{
    free(log->records);
    free(log->set_keys);
    log->records = NULL;
    log->set_keys = NULL;
}

void record_log_reset(struct record_log *log)
{
    log->count = 0;
    log->set_key_count = 0;
}

uint64_t *record_answer_room(struct record_log *log, size_t keys)
{
    const size_t need = log->set_key_count + keys;

    if (need > UINT32_MAX)
        return NULL;
    if (need > log->set_key_capacity) {
        uint64_t *grown = realloc(log->set_keys, (need * 2 + 1) * sizeof(*grown));

        if (!grown)
            return NULL;
        log->set_keys = grown;
        log->set_key_capacity = need * 2;
    }
    return log->set_keys + log->set_key_count;
}

void record_answer_end(struct record_log *log, struct history_record *r, size_t keys)
{
    r->value = answer_pack(log->set_key_count, keys);
    log->set_key_count += keys;
}

int record_log_merge(const struct record_log *log, struct history *history)
{
    const size_t first = history->count;
    int rc = history_add_many(history, log->records, log->count);

    for (size_t i = first; rc == 0 && i < history->count; i++) {
        struct history_record *r = &history->records[i];

        if ((r->op == HISTORY_SNAPSHOT || r->op == HISTORY_DRAIN) && r->ret != HISTORY_PENDING) {
            const uint64_t *keys = log->set_keys + answer_first(r->value);
            uint64_t number;

            rc = history_add_set(history, keys, answer_count(r->value), &number);
            if (rc == 0)
                r->value = number;
        }
    }
    return rc;
}

// SPDX-License-Identifier: MIT
/* Made-up histories of a set's size, for the forecasts: each kind with as many variants as there are seeds. A
 * trace is a sample every 10 seconds of a quantity whose limit is 1. */
#ifndef LFSET_TEST_TRACES_H
#define LFSET_TEST_TRACES_H

#include <stddef.h>

#include "support.h"

enum trace_kind {
    /* harmless: the limit is never reached */
    TRACE_NOISE,      /* churn: adds and removals in balance */
    TRACE_PLATEAU,    /* fills and levels off */
    TRACE_BURST,      /* comes, stays a while, goes */
    TRACE_SAWTOOTH,   /* a cache that is cleared now and then */
    TRACE_TALL_TEETH, /* the same, whose first tooth nobody can tell from a leak */
    TRACE_WAVE,       /* of a day */
    TRACE_STEPS,      /* things loaded and unloaded at once */
    /* leaks: the limit is reached at the end */
    TRACE_LEAK,
    TRACE_LEAK_LATE,  /* begins after hours of noise */
    TRACE_LEAK_CHURN, /* in noise larger than an hour's growth */
    TRACE_LEAK_TEETH, /* what a clearing leaves behind grows */
    TRACE_KINDS
};

struct trace {
    enum trace_kind kind;
    size_t count;
    double *values; /* never below 0 */
    size_t crossed; /* the first sample at or above 1; `count`: none */
    size_t judged;  /* alarms before this sample cannot be held against anybody */
};

enum { TRACE_PERIOD = 10 /* seconds between two samples */ };

const char *trace_name(enum trace_kind kind);
int trace_is_leak(enum trace_kind kind);
struct trace trace_make(enum trace_kind kind, uint64_t seed);
void trace_free(struct trace *trace);

#endif

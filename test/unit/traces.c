// SPDX-License-Identifier: MIT
#include "traces.h"

#include <math.h>
#include <stdlib.h>

static const double hour = 3600, minute = 60, day = 86400;

const char *trace_name(enum trace_kind kind)
{
    static const char *const names[TRACE_KINDS] = {
        "churn", "plateau", "burst",     "sawtooth",      "tall sawtooth",   "daily wave",
        "steps", "leak",    "late leak", "leak in churn", "leak in sawtooth"};
    return names[kind];
}

int trace_is_leak(enum trace_kind kind)
{
    return kind >= TRACE_LEAK;
}

/* ---- chance ---- */

static double uniform(struct random *random, double low, double high)
{
    return low + (high - low) * ((double)(random_next(random) >> 11) * 0x1p-53);
}

/* Between the two, each order of magnitude as likely. */
static double spread(struct random *random, double low, double high)
{
    return low * pow(high / low, uniform(random, 0, 1));
}

static double gauss(struct random *random)
{
    return sqrt(-2 * log(uniform(random, 1e-12, 1))) *
           cos(2 * 3.14159265358979 * uniform(random, 0, 1));
}

/* Noise of two kinds: anew at every sample, and wandering about its mean (Ornstein and Uhlenbeck). */
struct noise {
    double fresh, wandering, memory; /* standard deviations; seconds */
    double state;
};

static double noise_next(struct noise *noise, struct random *random)
{
    const double kept = exp(-TRACE_PERIOD / noise->memory);
    noise->state = noise->state * kept + noise->wandering * sqrt(1 - kept * kept) * gauss(random);
    return noise->state + noise->fresh * gauss(random);
}

/* ---- shapes ---- */

struct maker {
    struct random random;
    struct noise noise;
    double length;       /* seconds */
    double base, height; /* where it begins, how far it goes */
    double start, time;  /* when, and how long it takes */
    double phase;
    double next, until, from, to; /* of what comes again and again */
    double judged;
};

/* Rises from 0 to the tooth's height and falls at once; the next tooth is another one. */
static double tooth(struct maker *maker, double t, double low, double high)
{
    if (t >= maker->next) {
        maker->from = maker->next;
        maker->next += maker->time * uniform(&maker->random, 0.75, 1.33);
        maker->to = uniform(&maker->random, low, high);
        maker->base = uniform(&maker->random, 0, 0.1) * maker->height;
    }
    const double share = (t - maker->from) / (maker->next - maker->from);
    return maker->base + (maker->to - maker->base) * share;
}

/* Up in some minutes, there for a while, and down again. */
static double burst(struct maker *maker, double t, double room)
{
    if (t >= maker->until) {
        maker->from = t + spread(&maker->random, 10 * minute, 6 * hour);
        maker->next = maker->from + uniform(&maker->random, 0, 12 * minute);      /* is there */
        maker->phase = maker->next + spread(&maker->random, minute, 40 * minute); /* goes */
        maker->until = maker->phase + uniform(&maker->random, 20, hour);
        maker->to = uniform(&maker->random, 0.2, 1) * room;
    }
    if (t < maker->from) {
        return 0;
    }
    if (t < maker->next) {
        return maker->to * (t - maker->from) / (maker->next - maker->from);
    }
    return t < maker->phase ? maker->to
                            : maker->to * (maker->until - t) / (maker->until - maker->phase);
}

static double steps(struct maker *maker, double t)
{
    if (t >= maker->next) {
        maker->from = maker->to;
        maker->to = uniform(&maker->random, 0.1, 0.8);
        maker->next = t + spread(&maker->random, hour, 12 * hour);
        maker->time = uniform(&maker->random, 1, 10 * minute); /* to load it */
        maker->until = t + maker->time;
    }
    const double missing = t >= maker->until ? 0 : (maker->until - t) / maker->time;
    return maker->to + (maker->from - maker->to) * missing;
}

static struct maker maker_new(enum trace_kind kind, uint64_t seed)
{
    struct maker maker = {.random = random_from(seed * TRACE_KINDS + kind)};
    struct random *random = &maker.random;
    maker.noise.memory = spread(random, minute, 30 * minute);
    maker.noise.fresh = maker.noise.wandering = spread(random, 0.0005, 0.01);
    maker.length = day;
    maker.base = uniform(random, 0, 0.4);
    switch (kind) {
    case TRACE_NOISE:
        maker.base = uniform(random, 0.2, 0.6);
        maker.noise.fresh = spread(random, 0.005, 0.06);
        maker.noise.wandering = spread(random, 0.005, 0.04);
        break;
    case TRACE_PLATEAU:
        maker.base = uniform(random, 0, 0.1);
        maker.height = uniform(random, 0.3, 0.85) - maker.base;
        maker.time = spread(random, 2 * minute, 6 * hour);
        maker.start = uniform(random, 0, 2 * hour);
        break;
    case TRACE_BURST:
        maker.base = uniform(random, 0.05, 0.4);
        maker.height = 0.9 - maker.base;
        break;
    case TRACE_SAWTOOTH: /* short teeth of any height, long ones that are low or very long */
        maker.height = uniform(random, 0.4, 0.88);
        maker.time = spread(random, minute, 14 * minute);
        if (random_below(random, 2)) {
            maker.height = uniform(random, 0.2, 0.45);
            maker.time = spread(random, 14 * minute, 8 * hour);
        }
        break;
    case TRACE_TALL_TEETH:
        maker.height = uniform(random, 0.45, 0.88);
        maker.time = spread(random, 14 * minute, 8 * hour);
        maker.length = 2 * day;
        break;
    case TRACE_WAVE:
        maker.height = uniform(random, 0.1, 0.4);
        maker.base = uniform(random, maker.height + 0.05, 0.78 - maker.height);
        maker.noise.fresh = maker.noise.wandering = spread(random, 0.001, 0.015);
        maker.phase = uniform(random, 0, day);
        maker.length = 3 * day;
        break;
    case TRACE_STEPS:
        maker.to = maker.base;
        maker.next = spread(random, minute, 6 * hour);
        break;
    case TRACE_LEAK_LATE:
        maker.start = uniform(random, hour, 24 * hour);
        maker.time = spread(random, hour, 24 * hour);
        break;
    case TRACE_LEAK_CHURN:
        maker.base = uniform(random, 0.2, 0.4);
        maker.noise.fresh = uniform(random, 0.02, 0.06);
        maker.noise.wandering = uniform(random, 0.01, 0.04);
        maker.noise.memory = spread(random, minute, 10 * minute);
        maker.start = uniform(random, 0, 6 * hour);
        maker.time = spread(random, 4 * hour, 48 * hour);
        break;
    case TRACE_LEAK_TEETH:
        maker.height = uniform(random, 0.1, 0.3);
        maker.phase = spread(random, 2 * minute, 15 * minute);
        maker.start = uniform(random, 0, 6 * hour);
        maker.time = spread(random, 4 * hour, 48 * hour);
        break;
    default: /* leaks */
        maker.time = spread(random, hour, 48 * hour);
        break;
    }
    if (trace_is_leak(kind)) {
        maker.length = maker.start + 1.5 * maker.time;
    }
    return maker;
}

static double value_at(enum trace_kind kind, struct maker *maker, double t)
{
    const double grown = t < maker->start ? 0 : (t - maker->start) / maker->time;
    const double leaked = maker->base + (1 - maker->base) * grown;
    switch (kind) {
    case TRACE_PLATEAU:
        return maker->base + (t < maker->start ? 0 : maker->height * (1 - exp(-grown)));
    case TRACE_BURST:
        return maker->base + burst(maker, t, maker->height);
    case TRACE_SAWTOOTH:
    case TRACE_TALL_TEETH:
        if (t == 0) {
            maker->judged = 0;
        }
        return tooth(maker, t, 0.8 * maker->height, maker->height);
    case TRACE_WAVE:
        return maker->base + maker->height * sin(2 * 3.14159265358979 * (t - maker->phase) / day);
    case TRACE_STEPS:
        return steps(maker, t);
    case TRACE_LEAK_TEETH:
        return leaked + maker->height * fmod(t, maker->phase) / maker->phase;
    case TRACE_NOISE:
        return maker->base;
    default:
        return leaked;
    }
}

struct trace trace_make(enum trace_kind kind, uint64_t seed)
{
    struct maker maker = maker_new(kind, seed);
    struct trace trace = {.kind = kind, .count = (size_t)maker.length / TRACE_PERIOD};
    trace.crossed = trace.count;
    trace.values = malloc(trace.count * sizeof *trace.values);
    if (trace.values == NULL) {
        abort();
    }
    for (size_t i = 0; i < trace.count; i++) {
        const double before = maker.next;
        double value = value_at(kind, &maker, (double)i * TRACE_PERIOD);
        if (kind == TRACE_TALL_TEETH && i > 0 && before != maker.next && trace.judged == 0) {
            trace.judged = i + 1;
        }
        value += noise_next(&maker.noise, &maker.random);
        value = value < 0 ? 0 : value;
        trace.values[i] = trace_is_leak(kind) ? value : fmin(value, 0.97);
        if (value >= 1 && trace.crossed == trace.count && trace_is_leak(kind)) {
            trace.crossed = i;
            trace.count = i + 1;
            break;
        }
    }
    return trace;
}

void trace_free(struct trace *trace)
{
    free(trace->values);
}

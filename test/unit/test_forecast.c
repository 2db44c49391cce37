// SPDX-License-Identifier: MIT
/*
 * Forecasts on made-up histories (traces.h): which are announced, how early, and which rightly are not. Each
 * kind has many seeds; LFSET_TEST_SCALE=1000 takes ten times as many, and LFSET_TEST_SEED others. With
 * --verbose=1 the figures are printed.
 *
 * LFSET_TRACES=FILE writes one trace of each kind, with what was forecast, for test/unit/forecast-plot.sh.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces.h"
#include "watch/forecast.h"

enum { HORIZON = 3600 /* seconds: an alarm is a limit within that */, EARLY = 20 * 60 };

static uint64_t time_of(size_t sample)
{
    return (sample + 1) * TRACE_PERIOD * UINT64_C(1000000000);
}

/* Goes on to the next sample. @return whether a limit is announced then. */
static bool announces(struct lfset__forecast *forecast, const struct trace *trace, size_t sample,
                      struct lfset__outlook *outlook)
{
    lfset__forecast_add(forecast, time_of(sample), trace->values[sample]);
    *outlook = lfset__forecast_read(forecast, time_of(sample), 1);
    return outlook->told && outlook->to_limit <= HORIZON;
}

/* The first sample at which an alarm begins that can be held against the forecast; trace->count: none. */
static size_t first_alarm(const struct trace *trace)
{
    static struct lfset__forecast forecast;
    memset(&forecast, 0, sizeof forecast);
    struct lfset__outlook outlook;
    bool before = false;
    for (size_t i = 0; i < trace->count; i++) {
        const bool now = announces(&forecast, trace, i, &outlook);
        if (now && !before && i >= trace->judged)
            return i;
        before = now;
    }
    return trace->count;
}

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* One trace in a hundred may be judged wrongly: some leaks look like something harmless, and the other way
 * round. With the usual seeds none is. */
static void check_harmless(enum trace_kind kind)
{
    const size_t seeds = scaled(100);
    size_t alarms = 0;
    for (uint64_t seed = 0; seed < seeds; seed++) {
        struct trace trace = trace_make(kind, seed);
        const size_t alarm = first_alarm(&trace);
        if (alarm < trace.count) {
            alarms++;
            cr_log_info("%s, seed %" PRIu64 ": alarm after %.2f hours, at %.3f", trace_name(kind),
                        seed, (double)alarm * TRACE_PERIOD / 3600, trace.values[alarm]);
        }
        trace_free(&trace);
    }
    cr_log_info("%s: %zu false alarms in %zu traces", trace_name(kind), alarms, seeds);
    CHECK(alarms <= seeds / 100, "%s: %zu false alarms in %zu traces", trace_name(kind), alarms,
          seeds);
}

static void check_leak(enum trace_kind kind)
{
    const size_t seeds = scaled(50);
    double *minutes = calloc(seeds, sizeof *minutes);
    size_t late = 0;
    for (uint64_t seed = 0; seed < seeds; seed++) {
        struct trace trace = trace_make(kind, seed);
        CHECK(trace.crossed < trace.count, "%s, seed %" PRIu64 ": no leak", trace_name(kind), seed);
        const double early = ((double)trace.crossed - (double)first_alarm(&trace)) * TRACE_PERIOD;
        minutes[seed] = early / 60;
        if (early < EARLY) {
            late++;
            cr_log_info("%s, seed %" PRIu64 ": %.1f minutes before the limit", trace_name(kind),
                        seed, minutes[seed]);
        }
        trace_free(&trace);
    }
    qsort(minutes, seeds, sizeof *minutes, compare_doubles);
    cr_log_info("%s: announced %.0f minutes before the limit in the worst of %zu traces, %.0f in "
                "the median",
                trace_name(kind), minutes[0], seeds, minutes[seeds / 2]);
    CHECK(late <= seeds / 100,
          "%s: %zu of %zu traces announced too late, the worst by %.1f minutes", trace_name(kind),
          late, seeds, 20 - minutes[0]);
    free(minutes);
}

#define HARMLESS(name, kind)                                                                       \
    TEST(forecast, name)                                                                           \
    {                                                                                              \
        check_harmless(kind);                                                                      \
    }
#define LEAK(name, kind)                                                                           \
    TEST(forecast, name)                                                                           \
    {                                                                                              \
        check_leak(kind);                                                                          \
    }

HARMLESS(no_alarm_for_churn, TRACE_NOISE)
HARMLESS(no_alarm_for_a_plateau, TRACE_PLATEAU)
HARMLESS(no_alarm_for_bursts, TRACE_BURST)
HARMLESS(no_alarm_for_a_sawtooth, TRACE_SAWTOOTH)
HARMLESS(no_alarm_after_the_first_tall_tooth, TRACE_TALL_TEETH)
HARMLESS(no_alarm_for_a_daily_wave, TRACE_WAVE)
HARMLESS(no_alarm_for_steps, TRACE_STEPS)
LEAK(leak, TRACE_LEAK)
LEAK(late_leak, TRACE_LEAK_LATE)
LEAK(leak_in_churn, TRACE_LEAK_CHURN)
LEAK(leak_in_a_sawtooth, TRACE_LEAK_TEETH)

/* ---- single answers ---- */

static void feed(struct lfset__forecast *forecast, uint64_t *now_ns, uint64_t period_ns,
                 size_t samples, double *value, double step)
{
    for (; samples > 0; samples--) {
        *now_ns += period_ns;
        *value += step;
        lfset__forecast_add(forecast, *now_ns, *value);
    }
}

static const uint64_t SECOND = 1000000000;

TEST(forecast, nothing_is_said_of_nothing)
{
    struct lfset__forecast forecast = {.samples = 0};
    struct lfset__outlook outlook = lfset__forecast_read(&forecast, 5, 1);
    CHECK(outlook.slope == 0 && isnan(outlook.to_limit) && !outlook.told, "an outlook of nothing");
    lfset__forecast_add(&forecast, 5 * SECOND, 1);
    outlook = lfset__forecast_read(&forecast, 5 * SECOND, 1);
    CHECK(outlook.slope == 0 && isnan(outlook.to_limit) && !outlook.told,
          "an outlook of one sample");
}

/* At any pace of the looks, from ten a second to one in ten minutes. */
TEST(forecast, slope_and_time_of_a_straight_line)
{
    const uint64_t periods[] = {SECOND / 10, SECOND, 17 * SECOND, 60 * SECOND, 600 * SECOND};
    for (size_t i = 0; i < sizeof periods / sizeof *periods; i++) {
        struct lfset__forecast forecast = {.samples = 0};
        uint64_t now_ns = 12345 * SECOND;
        double value = 1000;
        const size_t samples = (size_t)(8 * 3600 * SECOND / periods[i]);
        feed(&forecast, &now_ns, periods[i], samples, &value,
             0.5 * (double)periods[i] / (double)SECOND);
        const struct lfset__outlook outlook = lfset__forecast_read(&forecast, now_ns, value + 500);
        CHECK(fabs(outlook.slope - 0.5) < 0.005, "slope %g, should be 0.5", outlook.slope);
        CHECK(fabs(outlook.to_limit - 1000) < 100 + 2 * (double)(periods[i] / SECOND),
              "%g s to the limit, should be 1000", outlook.to_limit);
        CHECK(outlook.told && outlook.confidence > 0.99, "confidence %g", outlook.confidence);
        lfset__forecast_add(&forecast, now_ns - 3600 * SECOND, 1e12); /* backwards: left out */
        const struct lfset__outlook again = lfset__forecast_read(&forecast, now_ns, value + 500);
        CHECK(again.slope == outlook.slope && again.to_limit == outlook.to_limit,
              "a sample of the past changes %g s to %g s", outlook.to_limit, again.to_limit);
        const struct lfset__outlook reached = lfset__forecast_read(&forecast, now_ns, value - 500);
        CHECK(reached.told && reached.to_limit == 0, "%g s to a limit that is passed",
              reached.to_limit);
        const struct lfset__outlook aimless = lfset__forecast_read(&forecast, now_ns, NAN);
        CHECK(!aimless.told && isnan(aimless.to_limit) && aimless.slope == outlook.slope,
              "%g s to no limit", aimless.to_limit);
    }
}

TEST(forecast, not_further_than_was_watched)
{
    struct lfset__forecast forecast = {.samples = 0};
    uint64_t now_ns = 0;
    double value = 0;
    feed(&forecast, &now_ns, SECOND, 29 * 60, &value, 1);
    CHECK(!lfset__forecast_read(&forecast, now_ns, value + 1).told, "told after 29 minutes");
    feed(&forecast, &now_ns, SECOND, 11 * 60, &value, 1);
    CHECK(lfset__forecast_read(&forecast, now_ns, value + 25 * 60).told,
          "not told after 40 minutes");
    CHECK(!lfset__forecast_read(&forecast, now_ns, value + 45 * 60).told,
          "45 minutes told after 40");
}

TEST(forecast, a_set_that_is_cleared_grows_no_more)
{
    struct lfset__forecast forecast = {.samples = 0};
    uint64_t now_ns = 0;
    double value = 0;
    feed(&forecast, &now_ns, SECOND, 2 * 3600, &value, 1);
    CHECK(lfset__forecast_read(&forecast, now_ns, value + 600).told, "a leak is not told");
    value = 0;
    feed(&forecast, &now_ns, SECOND, 60, &value, 0);
    const struct lfset__outlook outlook = lfset__forecast_read(&forecast, now_ns, 7800);
    CHECK(!outlook.told && outlook.slope == 0, "an empty set grows by %g", outlook.slope);
}

TEST(forecast, what_falls_or_stays_does_not_grow)
{
    for (int step = -1; step <= 0; step++) {
        struct lfset__forecast forecast = {.samples = 0};
        uint64_t now_ns = 0;
        double value = 1e6;
        feed(&forecast, &now_ns, SECOND, 4 * 3600, &value, step);
        const struct lfset__outlook outlook = lfset__forecast_read(&forecast, now_ns, 1e6 + 1);
        CHECK(outlook.slope == 0 && !outlook.told && outlook.confidence == 0,
              "%d a second: slope %g", step, outlook.slope);
    }
}

TEST(forecast, confidence_falls_with_noise)
{
    double confidence[3];
    for (size_t i = 0; i < 3; i++) {
        struct lfset__forecast forecast = {.samples = 0};
        struct random random = random_from(i);
        uint64_t now_ns = 0;
        /* wanders, by more and more beside what it gains */
        double value = 0, wandering = 0;
        for (size_t second = 0; second < 33 * 57; second++) {
            now_ns += SECOND;
            value += 1;
            if (second % 300 == 0)
                wandering = (double)random_below(&random, 1 + 400 * i);
            lfset__forecast_add(&forecast, now_ns, value + wandering);
        }
        confidence[i] = lfset__forecast_read(&forecast, now_ns, 1e9).confidence;
    }
    CHECK(confidence[0] > 0.99, "without noise: %g", confidence[0]);
    CHECK(confidence[1] < confidence[0] || confidence[2] < confidence[0],
          "as confident in noise: %g, %g, %g", confidence[0], confidence[1], confidence[2]);
}

/* ---- for people ---- */

TEST(forecast, write_traces)
{
    const char *name = getenv("LFSET_TRACES");
    if (name == NULL)
        return;
    FILE *file = fopen(name, "w");
    CHECK(file != NULL, "%s cannot be written", name);
    for (enum trace_kind kind = 0; kind < TRACE_KINDS; kind++) {
        struct trace trace = trace_make(kind, 3);
        struct lfset__forecast forecast = {.samples = 0};
        fprintf(file, "\"%s\"\n", trace_name(kind));
        for (size_t i = 0; i < trace.count; i++) {
            struct lfset__outlook outlook;
            const bool told = announces(&forecast, &trace, i, &outlook);
            if (i % 6 == 0)
                fprintf(file, "%.3f %.5f %s\n", (double)i * TRACE_PERIOD / 3600, trace.values[i],
                        told ? "1" : "nan");
        }
        fprintf(file, "\n\n");
        trace_free(&trace);
    }
    CHECK_EQ(fclose(file), 0);
}

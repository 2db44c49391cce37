// SPDX-License-Identifier: MIT
#include "watch/forecast.h"

#include <math.h>
#ifndef FO
#define FO 2
#define CAP 4
#endif
#ifndef HALFQ
#define HALFQ 50
#define STEADY 0.3
#define STEADYN 1
#define ABOVE 1.25
#define HALFWIN 1
#define SHRINK 0.5
#endif

enum { CELLS = LFSET__FORECAST_CELLS, LEVELS = LFSET__FORECAST_LEVELS };

static const uint64_t cell_ns = 56250000000;
/** A gain counts when it is so many times the largest fall. */
static const double falls_outdone = FO;
/** A fall is forgotten after so many of the longest intervals between two. */
static const double intervals_remembered = 4;
/** Of the cells' highest samples above the line, so many may be outliers. */
enum { OUTLIERS = 1 };

/* ---- small statistics (without libm, which the library does not need otherwise) ---- */

/** The k-th smallest, k from 0; reorders. Hoare's selection. */
static double select_kth(double *values, unsigned count, unsigned k)
{
    unsigned low = 0, high = count - 1;
    while (low < high) {
        const double pivot = values[low + (high - low) / 2];
        unsigned i = low, j = high;
        for (;;) {
            while (values[i] < pivot) {
                i++;
            }
            while (values[j] > pivot) {
                j--;
            }
            if (i >= j) {
                break;
            }
            const double swap = values[i];
            values[i++] = values[j];
            values[j--] = swap;
        }
        // Left of i nothing is above the pivot, right of j nothing below.
        if (k <= j) {
            high = j;
        } else {
            low = j + 1;
        }
    }
    return values[k];
}

static double square_root(double x)
{
    double root = x > 1 ? x : 1;
    for (double next = root; (next = (root + x / root) / 2) < root;) { // falls until it is exact
        root = next;
    }
    return root;
}

/** The normal distribution function: Abramowitz and Stegun 26.2.18, off by 2.5e-4 at most. */
static double normal(double z)
{
    const double x = z < 0 ? -z : z;
    const double p = 1 + x * (0.196854 + x * (0.115194 + x * (0.000344 + x * 0.019527)));
    const double tail = 0.5 / (p * p * p * p);
    return z < 0 ? tail : 1 - tail;
}

static double theil_sen(const double *x, const double *y, unsigned count, unsigned percent)
{
    double slopes[CELLS * (CELLS - 1) / 2];
    unsigned pairs = 0;
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = i + 1; j < count; j++) {
            slopes[pairs++] = (y[j] - y[i]) / (x[j] - x[i]);
        }
    }
    return select_kth(slopes, pairs, pairs * percent / 100);
}

/** Kendall's S: pairs that rise minus pairs that fall. */
static int kendall(const double *y, unsigned count)
{
    int score = 0;
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = i + 1; j < count; j++) {
            score += (y[j] > y[i]) - (y[j] < y[i]);
        }
    }
    return score;
}

/** Hamed and Rao's factor on the variance of S: of the ranks' serial correlations that are significant. */
static double correction(const double *y, unsigned count)
{
    double rank[CELLS];
    for (unsigned i = 0; i < count; i++) {
        rank[i] = -0.5 * (count - 1);
        for (unsigned j = 0; j < count; j++) {
            rank[i] += y[j] < y[i] ? 1 : y[j] == y[i] && j != i ? 0.5 : 0;
        }
    }
    double variance = 0;
    for (unsigned i = 0; i < count; i++) {
        variance += rank[i] * rank[i];
    }
    if (variance == 0) {
        return 1;
    }
    const double n = count;
    double sum = 0;
    for (unsigned lag = 1; lag < count - 2; lag++) {
        double covariance = 0;
        for (unsigned i = 0; i + lag < count; i++) {
            covariance += rank[i] * rank[i + lag];
        }
        const double correlation = covariance / variance;
        if (correlation * correlation * n > 1.96 * 1.96) {
            sum += (n - lag) * (n - lag - 1) * (n - lag - 2) * correlation;
        }
    }
    const double factor = 1 + 2 / (n * (n - 1) * (n - 2)) * sum;
    return factor > 1 ? factor : 1;
}

/** How probable it is that the series grows faster than `slope`. */
static double confidence_above(const double *x, const double *y, unsigned count, double fitted,
                               double slope)
{
    double residuals[CELLS], noise[CELLS];
    for (unsigned i = 0; i < count; i++) {
        residuals[i] = y[i] - slope * x[i];
        noise[i] = y[i] - fitted * x[i];
    }
    const double n = count;
    const double variance = n * (n - 1) * (2 * n + 5) / 18 * correction(noise, count);
    const int score = kendall(residuals, count);
    const double z = (score > 0 ? score - 1 : score < 0 ? score + 1 : 0) / square_root(variance);
    const double probability = normal(z);
    return probability < 0.999 ? probability : 0.999; // the model is never more certain
}

/* ---- falls ---- */

static void falls_note(struct lfset__forecast_falls *falls, double time, double value, bool first)
{
    if (first) {
        *falls = (struct lfset__forecast_falls){.top = value, .bottom = value, .last = time, .begin = time};
    }
    if (falls->falling && value > falls->bottom + falls->largest / 2) {
        falls->falling = false;
        falls->top = value;
    }
    if (!falls->falling && value > falls->top) {
        falls->top = value;
    }
    const double fall = falls->top - value;
    if (!falls->falling && fall > 0 && fall >= falls->largest / 2) {
        const double interval = time - falls->last;
        falls->interval = interval > falls->interval ? interval : falls->interval;
        falls->falling = true;
        falls->bottom = value;
        falls->last = time;
    }
    if (falls->falling) {
        if (value < falls->bottom) {
            falls->bottom = value;
            falls->last = time;
        }
        falls->largest = fall > falls->largest ? fall : falls->largest;
        if (falls->largest > 2 * falls->known) { // of another kind than those before
            falls->known = falls->largest;
            falls->interval = time - falls->begin;
        }
    }
}

static double falls_on_record(const struct lfset__forecast_falls *falls, double time)
{
    const bool overdue = time - falls->last > intervals_remembered * falls->interval;
    return overdue ? 0 : falls->largest;
}

static double largest_fall(const double *y, unsigned count)
{
    double top = y[0], largest = 0;
    for (unsigned i = 1; i < count; i++) {
        top = y[i] > top ? y[i] : top;
        largest = top - y[i] > largest ? top - y[i] : largest;
    }
    return largest;
}

/* ---- a level ---- */

/** What is still to come after two gains in equal times, if more follow in the same ratio. `noise` may be
 * what made the second one smaller. */
static double levels_off(double first, double second, double noise)
{
    const double decay = first - second - noise;
    const double last = second + noise / 2;
    return decay <= 0 ? INFINITY : last <= 0 ? 0 : last * last / decay;
}

/** Draws the line through `count` cells, oldest first. */
static struct lfset__forecast_line draw(const struct lfset__forecast_cell *cells, unsigned count,
                                        double fall_on_record)
{
    struct lfset__forecast_line line = {.ceiling = INFINITY};
    double x[CELLS], y[CELLS];
    for (unsigned i = 0; i < count; i++) {
        x[i] = cells[i].time;
        y[i] = (double)cells[i].low;
    }
    line.span = x[count - 1] - x[0];
    const double fall_within = largest_fall(y, count);
    const double fall = fall_within > fall_on_record ? fall_within : fall_on_record;
    // The cheap question first: most sets do not grow.
    if (y[count - 1] - y[0] <= fall || kendall(y, count) <= 0) {
        return line;
    }
    // Gains of the quarters, of the halves and of all, each robust.
    const unsigned quarter = count / 4, half = count / 2;
    double gain[4], least = INFINITY;
    for (unsigned i = 0; i < 4; i++) {
        const unsigned from = i * (count - quarter) / 3;
        gain[i] = theil_sen(x + from, y + from, quarter, 50) * line.span / 4;
        least = gain[i] < least ? gain[i] : least;
    }
    const double older = theil_sen(x, y, half, HALFQ) * line.span / 2;
    const double newer = theil_sen(x + count - half, y + count - half, half, HALFQ) * line.span / 2;
    double all = theil_sen(x, y, count, 50) * line.span;
    all = 2 * older < all ? 2 * older : all;
    all = 2 * newer < all ? 2 * newer : all;
    const double noise = SHRINK * fall_within;
    if (all <= 0 || all < falls_outdone * fall || least < STEADY * all / 4 - fmin(STEADYN * fall_within, all / CAP)) {
        return line;
    }
    line.grows = true;
    line.slope = all / line.span;
    line.slack = all / 2;
    line.confidence = confidence_above(x, y, count, line.slope, line.slope / 2);

    double heights[CELLS];
    const double newer_slope = newer / (line.span / 2);
    for (unsigned i = 0; i < half; i++) { // of the newer half, whose slope this is or almost is
        const unsigned cell = count - half + i;
        heights[i] = y[cell] - newer_slope * x[cell];
    }
    line.time = x[count - 1];
    line.value = select_kth(heights, half, half / 2) + newer_slope * line.time;
    double highest = 0;
    for (unsigned i = 0; i < count; i++) {
        // What a cell rises or falls by is not noise: the highest of it and its neighbours.
        double level = i > 0 && y[i - 1] > y[i] ? y[i - 1] : y[i];
        level = i + 1 < count && y[i + 1] > level ? y[i + 1] : level;
        heights[i] = (double)cells[i].high - level;
        highest = fmax(highest, (double)cells[i].high);
    }
    const double above = fmin(select_kth(heights, count, count - 1 - OUTLIERS), highest - line.value);
    line.above = above > 0 ? ABOVE * above : 0;
    const double by_halves = line.value + levels_off(older, newer, noise);
    const double by_quarters = line.value + levels_off(gain[2], gain[3], noise);
    line.ceiling = by_halves < by_quarters ? by_halves : by_quarters;
    return line;
}

static void level_add(struct lfset__forecast *forecast, unsigned index,
                      const struct lfset__forecast_cell *cell)
{
    struct lfset__forecast_level *level = &forecast->levels[index];
    falls_note(&level->falls, cell->time, (double)cell->low, level->count == 0);
    level->cells[level->count++ % CELLS] = *cell;

    struct lfset__forecast_cell ordered[CELLS];
    const unsigned count = level->count < CELLS ? (unsigned)level->count : CELLS;
    for (unsigned i = 0; i < count; i++) {
        ordered[i] = level->cells[(level->count - count + i) % CELLS];
    }
    // Half as many cells see as much on one level as all on the level below.
    if (count >= (index == 0 ? CELLS : CELLS / 2)) {
        const double fall = falls_on_record(&level->falls, cell->time);
        level->line = draw(ordered, count, fall);
        if (!level->line.grows && index > 0 && count > CELLS / 2) {
            level->line = draw(ordered + count - CELLS / 2, CELLS / 2, fall);
        }
    }
    if (level->count % 2 == 0 && index + 1 < LEVELS) {
        const struct lfset__forecast_cell *a = &ordered[count - 2], *b = &ordered[count - 1];
        const struct lfset__forecast_cell both = {
            .time = (a->time + b->time) / 2,
            .low = a->low < b->low ? a->low : b->low,
            .high = a->high > b->high ? a->high : b->high,
        };
        level_add(forecast, index + 1, &both);
    }
}

static double seconds(uint64_t ns)
{
    return (double)ns / 1e9;
}

void lfset__forecast_add(struct lfset__forecast *forecast, uint64_t time_ns, double value)
{
    if (forecast->samples++ == 0) {
        forecast->first_ns = forecast->begin_ns = time_ns;
    }
    if (time_ns < forecast->begin_ns) {
        return;
    }
    if (time_ns - forecast->begin_ns >= cell_ns && forecast->in_cell > 0) {
        const uint64_t middle_ns = forecast->begin_ns + (time_ns - forecast->begin_ns) / 2;
        const struct lfset__forecast_cell cell = {
            .time = seconds(middle_ns - forecast->first_ns),
            .low = (float)(forecast->sum / forecast->in_cell),
            .high = (float)forecast->high,
        };
        level_add(forecast, 0, &cell);
        forecast->begin_ns = time_ns;
        forecast->in_cell = 0;
        forecast->sum = forecast->high = 0;
    }
    forecast->in_cell++;
    forecast->sum += value;
    forecast->high = value > forecast->high ? value : forecast->high;
}

struct lfset__outlook lfset__forecast_read(const struct lfset__forecast *forecast, uint64_t now_ns,
                                           double limit)
{
    struct lfset__outlook best = {.to_limit = NAN};
    const struct lfset__forecast_level *finest = &forecast->levels[0];
    if (finest->count == 0 || now_ns < forecast->first_ns) {
        return best;
    }
    const double now = seconds(now_ns - forecast->first_ns);
    const double newest = (double)finest->cells[(finest->count - 1) % CELLS].low;
    const double current = forecast->in_cell > 0 && forecast->sum / forecast->in_cell < newest
                               ? forecast->sum / forecast->in_cell
                               : newest;
    double ceiling = INFINITY;
    for (unsigned i = LEVELS; i-- > 0;) {
        const struct lfset__forecast_line *line = &forecast->levels[i].line;
        const double value = line->value + line->slope * (now - line->time);
        if (!line->grows || current < value - line->slack) {
            continue;
        }
        struct lfset__outlook outlook = {
            .slope = line->slope, .to_limit = NAN, .confidence = line->confidence};
        if (current < line->ceiling + line->slack / 2 && line->ceiling + line->above < ceiling) {
            ceiling = line->ceiling + line->above;
        }
        if (ceiling >= limit) { // false for a limit that is NaN
            const double to_limit = (limit - value - line->above) / line->slope;
            outlook.to_limit = to_limit > 0 ? to_limit : 0;
            outlook.told = to_limit <= line->span && line->confidence >= 0.9;
        }
        const bool sooner = !(outlook.to_limit >= best.to_limit); // also when `best` has none
        if (best.slope == 0 || (outlook.told && !best.told) ||
            (outlook.told == best.told && !isnan(outlook.to_limit) && sooner)) {
            best = outlook;
        }
    }
    return best;
}

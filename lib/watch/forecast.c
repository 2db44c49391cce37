// SPDX-License-Identifier: MIT
#include "watch/forecast.h"

#include <math.h> // for NAN and INFINITY alone

enum { CELLS = LFSET__FORECAST_CELLS, LEVELS = LFSET__FORECAST_LEVELS };

static const uint64_t cell_ns = 56250000000;
/** A gain counts when it is so many times the largest fall. */
static const double falls_outdone = 2;
/** A fall is forgotten after so many of the longest intervals between two. */
static const double intervals_remembered = 4;
/** Each quarter of the time must bring such a share of its quarter of the gain, but for what noise may take:
 * so much of the largest fall in the window, and at most such a share of the gain. */
static const double steadiness = 0.3, noise_of_quarters = 0.5, noise_at_most = 1.0 / 16;
/** What noise may do to the difference of two gains: so much of the largest fall in the window. */
static const double noise_of_decay = 0.25;
/** Samples may rise above the line so many times higher than they did, but for so many outliers. */
static const double higher = 1.25;
enum { OUTLIERS = 1 };
/** A limit is told when the growth is as certain as that. */
static const double certain = 0.9;

/* ---- small statistics (without libm, which the library does not need otherwise) ---- */

static double lesser(double a, double b)
{
    return a < b ? a : b;
}

static double greater(double a, double b)
{
    return a > b ? a : b;
}

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

static double theil_sen(const double *x, const double *y, unsigned count)
{
    double slopes[CELLS * (CELLS - 1) / 2];
    unsigned pairs = 0;
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = i + 1; j < count; j++) {
            slopes[pairs++] = (y[j] - y[i]) / (x[j] - x[i]);
        }
    }
    return select_kth(slopes, pairs, pairs / 2);
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
    return greater(1, 1 + 2 / (n * (n - 1) * (n - 2)) * sum);
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
    return lesser(probability, 0.999); // no model is more certain
}

/* ---- falls ---- */

static void falls_note(struct lfset__forecast_falls *falls, double time, double value, bool first)
{
    if (first) {
        *falls = (struct lfset__forecast_falls){
            .top = value, .bottom = value, .last = time, .begin = time};
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
        falls->interval = greater(falls->interval, interval);
        falls->falling = true;
        falls->bottom = value;
        falls->last = time;
    }
    if (falls->falling) {
        if (value < falls->bottom) {
            falls->bottom = value;
            falls->last = time;
        }
        falls->largest = greater(falls->largest, fall);
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
        top = greater(top, y[i]);
        largest = greater(largest, top - y[i]);
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

/** How far samples rise above the line, at the level where it ends. */
static double rise_above(const struct lfset__forecast_cell *cells, unsigned count, double value)
{
    double heights[CELLS], highest = 0;
    for (unsigned i = 0; i < count; i++) {
        // What a cell rises or falls by is no noise: from the highest of it and its neighbours.
        float from = cells[i].low;
        from = i > 0 && cells[i - 1].low > from ? cells[i - 1].low : from;
        from = i + 1 < count && cells[i + 1].low > from ? cells[i + 1].low : from;
        heights[i] = (double)cells[i].high - (double)from;
        highest = greater(highest, (double)cells[i].high);
    }
    const double height = select_kth(heights, count, count - 1 - OUTLIERS);
    return greater(lesser(higher * height, highest - value + height / 2), 0);
}

/** Draws the line through cells, if they are enough. */
static struct lfset__forecast_line draw(const struct lfset__forecast_cell *cells, unsigned count,
                                        double fall_before)
{
    struct lfset__forecast_line line = {.ceiling = INFINITY};
    if (count < CELLS / 2) {
        return line;
    }
    double x[CELLS] = {0}, y[CELLS] = {0};
    for (unsigned i = 0; i < count; i++) {
        x[i] = cells[i].time;
        y[i] = (double)cells[i].low;
    }
    const double fall_within = largest_fall(y, count);
    const double fall = greater(fall_within, fall_before);
    // The cheap question first: most sets do not grow.
    if (y[count - 1] - y[0] <= fall || kendall(y, count) <= 0) {
        return line;
    }
    // Gains of the quarters, of the halves and of all.
    const unsigned quarter = count / 4, half = count / 2, rest = count - half;
    line.span = x[count - 1] - x[0];
    double gain[4], least = INFINITY;
    for (unsigned i = 0; i < 4; i++) {
        const unsigned from = i * (count - quarter) / 3;
        gain[i] = theil_sen(x + from, y + from, quarter) * line.span / 4;
        least = lesser(least, gain[i]);
    }
    const double older = theil_sen(x, y, half) * line.span / 2;
    const double newer_slope = theil_sen(x + rest, y + rest, half);
    const double newer = newer_slope * line.span / 2;
    const double all = lesser(theil_sen(x, y, count) * line.span, 2 * lesser(older, newer));
    const double noise = lesser(noise_of_quarters * fall_within, noise_at_most * all);
    if (all <= 0 || all < falls_outdone * fall || least < steadiness * all / 4 - noise) {
        return line;
    }
    line.grows = true;
    line.slope = all / line.span;
    line.slack = all / 2;
    line.confidence = confidence_above(x, y, count, line.slope, line.slope / 2);

    double heights[CELLS];
    for (unsigned i = 0; i < half; i++) {
        heights[i] = y[rest + i] - newer_slope * x[rest + i];
    }
    line.time = x[count - 1];
    line.value = select_kth(heights, half, half / 2) + newer_slope * line.time;
    line.above = rise_above(cells, count, line.value);
    const double decay_noise = noise_of_decay * fall_within;
    line.ceiling = line.value + lesser(levels_off(older, newer, decay_noise),
                                       levels_off(gain[2], gain[3], decay_noise));
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
    const unsigned newest = count < CELLS / 2 ? count : CELLS / 2;
    const double fall = falls_on_record(&level->falls, cell->time);
    if (index > 0 || count == CELLS) { // half as many see as much as all on the level below
        level->line = draw(ordered, count, fall);
    }
    if (!level->line.grows && index > 0) { // what has begun not so long ago
        level->line = draw(ordered + count - newest, newest, fall);
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
    forecast->high = greater(forecast->high, value);
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
    double current = (double)finest->cells[(finest->count - 1) % CELLS].low;
    if (forecast->in_cell > 0) {
        current = lesser(current, forecast->sum / forecast->in_cell);
    }
    double ceiling = INFINITY; // of this level and those that see more
    for (unsigned i = LEVELS; i-- > 0;) {
        const struct lfset__forecast_line *line = &forecast->levels[i].line;
        const double value = line->value + line->slope * (now - line->time);
        if (!line->grows || current < value - line->slack) {
            continue; // or does not any more: it was cleared, perhaps
        }
        if (current < line->ceiling + line->slack / 2) { // else that was a mistake
            ceiling = lesser(ceiling, line->ceiling + line->above);
        }
        struct lfset__outlook outlook = {
            .slope = line->slope, .to_limit = NAN, .confidence = line->confidence};
        if (ceiling >= limit) { // false for a limit that is NaN
            outlook.to_limit = greater((limit - value - line->above) / line->slope, 0);
            outlook.told = outlook.to_limit <= line->span && line->confidence >= certain;
        }
        const bool sooner = !(outlook.to_limit >= best.to_limit); // also when `best` has none
        if (best.slope == 0 || (outlook.told && !best.told) ||
            (outlook.told == best.told && !isnan(outlook.to_limit) && sooner)) {
            best = outlook;
        }
    }
    return best;
}

// SPDX-License-Identifier: MIT
/**
 * @file forecast.h
 * How fast a quantity grows, and when it will reach a limit: from samples that come at any pace, in a
 * few KiB. Pure: no clock, no allocation, no other part of the library.
 *
 * What is judged is the lower envelope, because garbage that comes and goes moves everything but that.
 * Samples are averaged into cells of 56.25 s; two cells make one of the next level, whose value is the lower
 * of theirs; and so on, 8 levels, the last of 2 hours. Each level keeps its last 32 cells: they see 30
 * minutes, 1 hour, 2, ... 64. A cache that is cleared now and then is a flat line on the levels whose cells
 * are longer than its cycle, and so is churn.
 *
 * On each level, whenever a cell is complete, the line through all of its cells, else through the newest 16:
 * - The gain is by the median of the slopes between all pairs of cells (Theil 1950; Sen 1968), of all cells,
 *   of the older and of the newer half; the least counts. And each quarter must have its share. What began a
 *   few minutes ago, or has stopped, is no growth: so a step or a burst is none.
 * - It counts as growth when the gain is at least twice the largest fall on record. The record holds the
 *   falls within the window, and what was given back before: a tooth of a saw is nothing new, nor is the
 *   morning's rise of a daily wave. A fall is forgotten when it has not come again for four times the
 *   longest interval in which it used to come.
 * - If a half, or the last quarter, gained less than the one before, growth is expected to level off where the
 *   two gains continue as a geometric series (Aitken 1926). So a cache that fills is no leak. Levels that
 *   see more overrule those that see less.
 * - The limit is reached by the highest samples, not by the envelope: how far they rise above the line, and
 *   a quarter more, is taken off.
 * - The confidence is that of a one-sided test after Kendall (Mann 1945; Kendall 1975) on the residuals
 *   against half of the slope (as Sen 1968 inverts the test), its variance corrected for serial correlation
 *   (Hamed and Rao 1998): how probable it is that the envelope grows at least half as fast as told, so that
 *   the limit is reached within twice the time told, if all goes on as in the window. It says nothing about
 *   whether it will go on, and several levels are asked, so it is a little too high. 0.999 at most.
 *
 * Nothing is extrapolated further than it has been watched (lfset__outlook.told): nobody is told of a limit
 * in an hour from a growth of half an hour. So nothing is told in the first half hour.
 *
 * What no method of this kind can tell: the first tooth of a saw, taller than half of the limit and longer
 * than 30 minutes, from a leak. It is announced, and withdrawn when it falls; the next one is not. A
 * cache that is no longer cleared is not told from one that soon will be, until it is overdue. And a leak
 * under a daily wave is seen when it has gained twice what the wave gives back, or not at all.
 */
#ifndef LFSET__FORECAST_H
#define LFSET__FORECAST_H

#include <stdbool.h>
#include <stdint.h>

enum { LFSET__FORECAST_CELLS = 32, LFSET__FORECAST_LEVELS = 8 };

/** Some time: how low it was, the noise averaged away, and how high a single sample. */
struct lfset__forecast_cell {
    double time; /**< its middle, seconds after the first sample */
    float low, high;
};

/** Whether and when it fell back, in cells of one level. */
struct lfset__forecast_falls {
    double top, bottom; /**< since the last fall began; since it ended */
    double largest;     /**< 0: none is on record */
    double known;       /**< how large when the interval was measured */
    double begin;       /**< of the record */
    double last;        /**< when the last large one was */
    double interval;    /**< the longest between two of them */
    bool falling;
};

/** A level's verdict on its cells. */
struct lfset__forecast_line {
    bool grows;
    double time, value; /**< a point of the line */
    double slope;       /**< per second */
    double above;       /**< how far samples rise above the line */
    double ceiling;     /**< where it is expected to level off; INFINITY: nowhere */
    double slack;       /**< so far below the line, it does not hold any more */
    double span;        /**< seconds that were watched */
    double confidence;
};

struct lfset__forecast_level {
    struct lfset__forecast_cell cells[LFSET__FORECAST_CELLS];
    uint64_t count; /**< of cells, ever */
    struct lfset__forecast_falls falls;
    struct lfset__forecast_line line;
};

/** The window. Zero it to begin. */
struct lfset__forecast {
    struct lfset__forecast_level levels[LFSET__FORECAST_LEVELS];
    uint64_t samples, first_ns, begin_ns; /**< begin: of the cell under way */
    unsigned in_cell;
    double sum, high; /**< of the cell under way */
};

struct lfset__outlook {
    double slope;      /**< per second; 0: no growth */
    double to_limit;   /**< seconds; 0: it is reached; NaN: not in sight */
    double confidence; /**< 0 to 1; 0 without growth */
    bool told;         /**< to_limit is not longer than what was watched, and certain enough */
};

/** Notes a sample. Times must not decrease; one that does is left out. */
void lfset__forecast_add(struct lfset__forecast *forecast, uint64_t time_ns, double value);

/** When will `limit` be reached (NaN: only the slope is wanted), as things stand at `now_ns`? */
struct lfset__outlook lfset__forecast_read(const struct lfset__forecast *forecast, uint64_t now_ns,
                                           double limit);

#endif

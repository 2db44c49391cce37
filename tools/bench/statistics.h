// SPDX-License-Identifier: MIT
// What the reports say of several rounds.
#ifndef LFSET_BENCH_STATISTICS_H
#define LFSET_BENCH_STATISTICS_H

#include <string>

#include "run.h"

double median(std::vector<double> values);

// The quantile in each round, and of these the median: nanoseconds.
double latency(const result &result, double part);

struct quantile {
    const char *name;
    double part;
};
extern const std::vector<quantile> quantiles;

// Round by round, so that a fast or slow phase of the machine meets both.
double ratio(const result &result, const struct result &base);

// The fastest that is neither ours nor for one thread only, or NULL.
const result *best_peer(const cell &cell);

// Ours, and not the second turn of one.
bool compared(const result &result);

// How much the first contender differs from itself.
double noise(const cell &cell);

// How much of its time the cell's threads waited for a processor: what others on the machine took.
double waited(const cell &cell);

// For each of ours, over all cells that it is in: its speed relative to the best peer of each cell. Not
// of reads beside a growing writer: their latency counts, and how many fit in depends on the writer.
struct mean {
    std::string name;
    double value;
    double worst;
    size_t cells;
};
std::vector<mean> means(const std::vector<cell> &cells);

#endif

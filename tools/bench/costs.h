// SPDX-License-Identifier: MIT
// How the cost of lfset's operations grows with the number of keys.
#ifndef LFSET_BENCH_COSTS_H
#define LFSET_BENCH_COSTS_H

#include <cstdint>
#include <string>
#include <vector>

// One operation of one set at all sizes.
struct cost {
    std::string name;
    std::string unit; // what the nanoseconds are for
    std::vector<uint64_t> keys;
    std::vector<double> nanoseconds; // the median of the rounds, one for each size
    // Of the power law that fits best: the nanoseconds are proportional to keys^exponent. 0: the same
    // for each size, so that the work grows as the set does.
    double exponent;
};

// One thread; each size once a round. Throws std::runtime_error when a set fails.
std::vector<cost> costs_run(const std::vector<uint64_t> &keys, unsigned rounds, uint64_t seed);

#endif

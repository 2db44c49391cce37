// SPDX-License-Identifier: MIT
// Counts of durations in classes that are at most 1/64 of their value wide, as in HdrHistogram:
// exact enough for a quantile, and no larger for 10^8 values than for ten.
#ifndef LFSET_BENCH_HISTOGRAM_H
#define LFSET_BENCH_HISTOGRAM_H

#include <cstddef>
#include <cstdint>
#include <vector>

class histogram
{
    static constexpr unsigned DETAIL = 6; // bits
    std::vector<uint64_t> counts = std::vector<uint64_t>((65 - DETAIL) << DETAIL);
    uint64_t total = 0, largest = 0;

    static size_t class_of(uint64_t value)
    {
        if (value >> DETAIL == 0)
            return static_cast<size_t>(value);
        unsigned shift = 63 - DETAIL - static_cast<unsigned>(__builtin_clzll(value));
        return (size_t(shift) << DETAIL) + static_cast<size_t>(value >> shift);
    }
    static uint64_t last_of(size_t index)
    {
        if (index >> (DETAIL + 1) == 0)
            return index;
        unsigned shift = static_cast<unsigned>(index >> DETAIL) - 1;
        return (((index & ((1u << DETAIL) - 1)) + (1u << DETAIL) + 1) << shift) - 1;
    }

  public:
    void add(uint64_t value)
    {
        counts[class_of(value)]++;
        total++;
        if (value > largest)
            largest = value;
    }
    void add(const histogram &other)
    {
        for (size_t i = 0; i < counts.size(); i++)
            counts[i] += other.counts[i];
        total += other.total;
        if (other.largest > largest)
            largest = other.largest;
    }
    // With each value multiplied; exact to a class.
    histogram scaled(double factor) const
    {
        histogram made;
        for (size_t i = 0; i < counts.size(); i++)
            if (counts[i]) {
                uint64_t value = last_of(i) < largest ? last_of(i) : largest;
                value = static_cast<uint64_t>(static_cast<double>(value) * factor);
                made.counts[class_of(value)] += counts[i];
                made.total += counts[i];
                made.largest = value > made.largest ? value : made.largest;
            }
        return made;
    }
    uint64_t count() const
    {
        return total;
    }
    uint64_t max() const
    {
        return largest;
    }
    // The least value that `part` of the values do not exceed, by its class.
    uint64_t quantile(double part) const
    {
        double below = 0, want = part * static_cast<double>(total);
        for (size_t i = 0; i < counts.size(); i++) {
            below += static_cast<double>(counts[i]);
            if (counts[i] && below >= want)
                return last_of(i) < largest ? last_of(i) : largest;
        }
        return largest;
    }
};

#endif

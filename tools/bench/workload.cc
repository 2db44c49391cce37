// SPDX-License-Identifier: MIT
#include "workload.h"

#include <algorithm>
#include <cmath>

const std::vector<scenario> scenarios = {
    {"read", "100 % contains", shape::READ, 100, 0},
    {"batch", "100 % contains, 16 keys at a time", shape::BATCH, 100, 0},
    {"mostly-read", "90 % contains, 5 % add, 5 % remove", shape::MIX, 90, 0},
    {"zipf", "90/5/5 on keys with a Zipf distribution, exponent 0.99", shape::MIX, 90, 0.99},
    {"mixed", "50 % contains, 25 % add, 25 % remove", shape::MIX, 50, 0},
    {"churn", "50 % add, 50 % remove", shape::MIX, 0, 0},
    {"grow", "add only, from empty; then again with the latency of each add", shape::GROW, 0, 0},
};

namespace
{

__extension__ typedef unsigned __int128 wide;

// A bijection that scatters its argument, so that consecutive arguments make a random sequence.
uint64_t scatter(uint64_t x)
{
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93u;
    x ^= x >> 32;
    return x;
}

class random_source
{
    uint64_t state;

  public:
    explicit random_source(uint64_t seed) : state(scatter(seed + 1))
    {
    }
    uint64_t next()
    {
        return scatter(state += 0x9e3779b97f4a7c15u);
    }
    uint64_t below(uint64_t limit)
    {
        return static_cast<uint64_t>((static_cast<wide>(next()) * limit) >> 64);
    }
    double unit()
    {
        return static_cast<double>(next() >> 11) * 0x1p-53;
    }
};

// Ranks 0 .. n-1 with probability proportional to 1 / (rank + 1)^s, 0 < s < 1, by rejection from
// the inverse of the integral of x^-s: constant time and memory whatever n is.
class zipf
{
    double s, n, top, bottom;

    double integral(double x) const
    {
        return std::pow(x, 1 - s) / (1 - s);
    }

  public:
    zipf(double exponent, uint64_t count)
        : s(exponent), n(static_cast<double>(count)), top(integral(n + 0.5)),
          bottom(integral(1.5) - 1)
    {
    }
    uint64_t draw(random_source &random) const
    {
        for (;;) {
            double area = bottom + random.unit() * (top - bottom);
            double rank = std::clamp(std::round(std::pow((1 - s) * area, 1 / (1 - s))), 1.0, n);
            if (area >= integral(rank + 0.5) - std::pow(rank, -s))
                return static_cast<uint64_t>(rank) - 1;
        }
    }
};

// Long enough to touch most of the set before it repeats, short enough not to fill the cache that
// the sets compete for.
size_t stream_length(uint64_t present)
{
    size_t length = size_t(1) << 18;
    while (length < present / 2 && length < size_t(1) << 22)
        length *= 2;
    return length;
}

} // namespace

uint64_t universe_key(uint64_t seed, uint64_t index)
{
    return scatter(index + scatter(seed));
}

stream stream_make(const scenario &scenario, uint64_t present, uint64_t seed, unsigned thread)
{
    stream made;
    random_source random(scatter(seed) + thread);
    made.keys.resize(stream_length(present));
    if (scenario.skew > 0) {
        zipf ranks(scenario.skew, 2 * present);
        for (uint64_t &key : made.keys)
            key = universe_key(seed, ranks.draw(random));
    } else {
        for (uint64_t &key : made.keys)
            key = universe_key(seed, random.below(2 * present));
    }
    made.kinds.resize(2047 * CHUNK);
    for (uint8_t &kind : made.kinds) {
        uint64_t draw = random.below(200);
        kind = draw < 2 * scenario.reads ? CONTAINS : draw < 100 + scenario.reads ? ADD : REMOVE;
    }
    return made;
}

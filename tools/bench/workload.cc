// SPDX-License-Identifier: MIT
#include "workload.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace
{

constexpr scenario plain(const char *name, const char *about, enum shape shape, double reads)
{
    return {name, about, shape, reads, (100 - reads) / 2, 0, 0, 1, 0, RANDOM};
}

constexpr scenario skewed(scenario of, double exponent)
{
    of.skew = exponent;
    return of;
}

constexpr scenario on_hot(scenario of, unsigned keys)
{
    of.hot = keys;
    return of;
}

constexpr scenario batched(scenario of, unsigned batch)
{
    of.batch = batch;
    return of;
}

constexpr scenario keyed(scenario of, enum key_type type)
{
    of.type = type;
    return of;
}

} // namespace

const std::vector<scenario> scenarios = {
    plain("read", "100 % contains", shape::READ, 100),
    batched(plain("batch16", "100 % contains, 16 keys at a time", shape::BATCH, 100), 16),
    batched(plain("batch64", "100 % contains, 64 keys at a time", shape::BATCH, 100), 64),
    plain("mostly-read", "90 % contains, 5 % add, 5 % remove", shape::MIX, 90),
    skewed(plain("zipf", "90/5/5 on keys with a Zipf distribution, exponent 0.99", shape::MIX, 90),
           0.99),
    plain("mixed", "50 % contains, 25 % add, 25 % remove", shape::MIX, 50),
    plain("churn", "50 % add, 50 % remove", shape::MIX, 0),
    on_hot(plain("hot1", "churn, all of it on one key", shape::MIX, 0), 1),
    on_hot(plain("hot16", "churn, all of it on 16 keys", shape::MIX, 0), 16),
    plain("stalled", "90/5/5 beside a reader that stands still in the middle", shape::STALLED, 90),
    plain("window", "ever new keys in, the oldest out", shape::WINDOW, 0),
    plain("snapshot", "churn beside a thread that takes snapshots", shape::SNAPSHOT, 0),
    keyed(plain("dense", "90/5/5 on consecutive integers", shape::MIX, 90), DENSE),
    keyed(plain("dense-churn", "churn on consecutive integers", shape::MIX, 0), DENSE),
    keyed(plain("short-strings", "90/5/5 on strings of 8 to 24 bytes", shape::MIX, 90),
          SHORT_TEXTS),
    keyed(plain("long-strings", "90/5/5 on strings of 96 to 192 bytes", shape::MIX, 90),
          LONG_TEXTS),
    plain("grow", "add only, from empty; then again with the latency of each add", shape::GROW, 0),
    plain("grow-read", "the latency of contains while one thread adds, from empty",
          shape::GROW_READ, 100),
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
size_t stream_length(uint64_t present, key_type type)
{
    const size_t longest = size_t(1) << (type & TEXTS ? 20 : 22);
    size_t length = size_t(1) << 18;
    while (length < present / 2 && length < longest)
        length *= 2;
    return length;
}

struct text_size {
    uint32_t least, range;
};

text_size size_of(key_type type)
{
    return type == SHORT_TEXTS ? text_size{8, 17} : text_size{96, 97};
}

// Room for one more text, aligned.
size_t text_room(uint32_t length)
{
    return (offsetof(text, bytes) + length + 7) / 8 * 8;
}

// The text of this number: its length and its letters depend on nothing else.
void text_make(text *made, uint64_t number, text_size size)
{
    made->number = number;
    made->length = size.least + static_cast<uint32_t>(scatter(number) % size.range);
    uint64_t word = 0;
    for (uint32_t i = 0; i < made->length; i++) {
        if (i % 8 == 0)
            word = scatter(number + i);
        made->bytes[i] = static_cast<char>('0' + (word >> 8 * (i % 8)) % 64);
    }
}

// The texts of these numbers, one after another; the numbers become their addresses.
std::vector<char> texts_make(std::vector<uint64_t> &numbers, key_type type)
{
    const text_size size = size_of(type);
    std::vector<char> made(numbers.size() * text_room(size.least + size.range));
    size_t used = 0;
    for (uint64_t &number : numbers) {
        text *next = reinterpret_cast<text *>(&made[used]);
        text_make(next, number, size);
        number = reinterpret_cast<uint64_t>(next);
        used += text_room(next->length);
    }
    made.resize(used); // stays where it is
    return made;
}

uint64_t number_of(key_type type, uint64_t seed, uint64_t index)
{
    return type == DENSE ? index : scatter(index + scatter(seed));
}

} // namespace

// Those with an even index are present, so that the popular ranks of a Zipf distribution and the hot
// keys are half of either.
universe::universe(key_type of, size_t count, uint64_t from)
    : type(of), seed(from), present(count), keys(2 * count)
{
    for (size_t i = 0; i < count; i++) {
        keys[i] = number_of(type, seed, 2 * i);
        keys[count + i] = number_of(type, seed, 2 * i + 1);
    }
    if (type & TEXTS)
        texts = texts_make(keys, type);
}

uint64_t lap_key(uint64_t lap)
{
    return scatter(~lap);
}

stream stream_make(const scenario &scenario, const universe &universe, unsigned thread)
{
    stream made;
    random_source random(scatter(universe.seed) + thread);
    uint64_t range = 2 * universe.present;
    if (scenario.hot)
        range = std::min<uint64_t>(range, scenario.hot);
    made.keys.resize(stream_length(universe.present, universe.type));
    if (scenario.shape == shape::WINDOW) {
        for (uint64_t &key : made.keys)
            key = random.next();
    } else if (scenario.skew > 0) {
        zipf ranks(scenario.skew, range);
        for (uint64_t &key : made.keys)
            key = number_of(universe.type, universe.seed, ranks.draw(random));
    } else {
        for (uint64_t &key : made.keys)
            key = number_of(universe.type, universe.seed, random.below(range));
    }
    if (universe.type & TEXTS)
        made.texts = texts_make(made.keys, universe.type);
    made.kinds.resize(2047 * CHUNK);
    for (uint8_t &kind : made.kinds) {
        double draw = 100 * random.unit();
        kind = draw < scenario.reads                   ? CONTAINS
               : draw < scenario.reads + scenario.adds ? ADD
                                                       : REMOVE;
    }
    return made;
}

// SPDX-License-Identifier: MIT
// What the benchmark does to a set: the scenarios, and the keys and operations each thread is
// given.
#ifndef LFSET_BENCH_WORKLOAD_H
#define LFSET_BENCH_WORKLOAD_H

#include <cstddef>
#include <cstdint>
#include <vector>

enum kind : uint8_t { CONTAINS, ADD, REMOVE };

// How a thread goes through its stream; each shape is one loop in peer.h.
enum class shape { READ, MIX, BATCH, GROW };

struct scenario {
    const char *name;
    const char *about;
    enum shape shape;
    unsigned reads; // percent; the rest is split evenly between add and remove
    double skew;    // exponent of the Zipf distribution of the keys; 0: uniform
};

extern const std::vector<scenario> scenarios;

// Operations between two visits to the stop flag, and the length of a section or quiescent period.
constexpr size_t CHUNK = 64;
constexpr size_t BATCH = 16;

// The universe of a run with N present keys is 2N keys, universe_key(seed, 0 .. 2N-1), all
// different. Those with an even index are present at the start.
uint64_t universe_key(uint64_t seed, uint64_t index);

// One thread's operations, made before anything is timed. keys and kinds are walked in chunks and
// wrap independently: the number of chunks of the one is a power of two, of the other odd, so that
// a key meets another kind in each pass. Were they tied, the second pass would repeat the first's
// updates, all without effect.
struct stream {
    std::vector<uint64_t> keys;
    std::vector<uint8_t> kinds;
};

stream stream_make(const scenario &scenario, uint64_t present, uint64_t seed, unsigned thread);

#endif

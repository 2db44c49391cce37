// SPDX-License-Identifier: MIT
// What the benchmark does to a set: the scenarios, and the keys and operations each thread is
// given.
#ifndef LFSET_BENCH_WORKLOAD_H
#define LFSET_BENCH_WORKLOAD_H

#include <cstddef>
#include <cstdint>
#include <vector>

enum kind : uint8_t { CONTAINS, ADD, REMOVE };

// How the threads go through their streams; each shape is one loop in peer.h.
enum class shape {
    READ,
    MIX,
    BATCH,
    WINDOW,    // add a key that was never there, remove the oldest; each thread its own part
    SNAPSHOT,  // as MIX, beside a thread that takes snapshots
    STALLED,   // as MIX, beside a reader that stands still in the middle
    GROW,      // add only, from empty
    GROW_READ, // reads, each timed, while one thread grows the set from empty
};

// What keys are. A set of numbers is given the number itself, a set of texts the address of a text.
enum key_type : unsigned { RANDOM = 1, DENSE = 2, SHORT_TEXTS = 4, LONG_TEXTS = 8 };

constexpr unsigned NUMBERS = RANDOM | DENSE, TEXTS = SHORT_TEXTS | LONG_TEXTS;

struct text {
    uint64_t number; // tells it from the others
    uint32_t length;
    char bytes[1];
};

struct scenario {
    const char *name;
    const char *about;
    enum shape shape;
    double reads, adds; // percent; the rest are removes
    double skew;        // exponent of the Zipf distribution of the keys; 0: uniform
    unsigned hot;       // all operations on so many keys; 0: on all
    unsigned batch;     // keys at a time
    size_t burst;       // all threads pause after so many operations; 0: never
    enum key_type type;
};

extern const std::vector<scenario> scenarios;

// Operations between two visits to the stop flag, and the length of a section or quiescent period.
constexpr size_t CHUNK = 64;
constexpr size_t BATCH_MAX = 64;

// All keys that a run with N present keys uses: 2N, all different; the first N are present at the
// start.
class universe
{
    std::vector<char> texts;

  public:
    const key_type type;
    const uint64_t seed;
    const size_t present;
    std::vector<uint64_t> keys;

    universe(key_type type, size_t present, uint64_t seed);
    universe(const universe &) = delete;
};

// A key never seen before: for WINDOW. `lap` tells the passes through a stream apart.
uint64_t lap_key(uint64_t lap);

// One thread's operations, made before anything is timed. keys and kinds are walked in chunks and
// wrap independently: the number of chunks of the one is a power of two, of the other odd, so that
// a key meets another kind in each pass. Were they tied, the second pass would repeat the first's
// updates, all without effect.
struct stream {
    std::vector<uint64_t> keys;
    std::vector<uint8_t> kinds;
    std::vector<char>
        texts; // in the order of the stream: the set's misses are to be timed, not ours
};

stream stream_make(const scenario &scenario, const universe &universe, unsigned thread);

#endif

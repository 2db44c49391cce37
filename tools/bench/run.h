// SPDX-License-Identifier: MIT
// Runs peers against each other, in turns, and checks what they hold afterwards.
#ifndef LFSET_BENCH_RUN_H
#define LFSET_BENCH_RUN_H

#include <string>

#include "peer.h"

struct settings {
    std::vector<const scenario *> scenarios;
    std::vector<uint64_t> keys;
    std::vector<unsigned> threads;
    std::vector<const peer *> peers;
    unsigned rounds = 5;
    double seconds = 0.15; // measured per peer, cell and round, after a fifth of that to warm up
    uint64_t seed = 1;
};

struct result {
    const struct peer *peer = nullptr;
    bool again = false; // the first peer once more: the difference is noise
    unsigned threads = 0;
    std::vector<double> rates;     // operations per second, all threads together; one per round
    std::vector<double> waits;     // the part of its time that it waited for a processor, likewise
    std::vector<double> snapshots; // per second, where they are taken; one per round
    std::vector<histogram> latencies; // grow, grow-read: nanoseconds of an operation; one per round
    double bytes_rest = 0; // grow: resident bytes per key, by the operating system's account
    double bytes_peak = 0;
    double bytes_own = 0; // grow: by the peer's own account

    std::string name() const
    {
        return std::string(peer->name) + (again ? " again" : "");
    }
};

inline bool grows(enum shape shape)
{
    return shape == shape::GROW || shape == shape::GROW_READ;
}

// One measured comparison: a scenario at a size with a number of threads.
struct cell {
    const struct scenario *scenario;
    uint64_t keys;
    unsigned threads;
    std::vector<result> results;
};

// The cells, in the order they were run. Throws std::runtime_error when a peer fails or does not
// hold what it should: figures of a broken set are worth nothing.
std::vector<cell> run_all(const settings &settings);

// Grows one set to `keys` keys and prints what it costs in resident memory; run_all starts this in
// a process of its own, where nothing else has used the memory before. Returns an exit status.
int print_bytes(const peer &peer, uint64_t keys, uint64_t seed);

#endif

/* SPDX-License-Identifier: MIT
 * What the benchmark's loops in Go are given and give back: the part of `struct work` that C knows. */
#ifndef LFSET_BENCH_PEER_GO_H
#define LFSET_BENCH_PEER_GO_H

#include <stdint.h>

enum go_task {
    GO_READ,
    GO_MIX,
    GO_WINDOW,
    GO_FILL,
    GO_FILL_STAMPED,
    GO_READ_STAMPED,
    GO_CENSUS,
};

enum go_kind { GO_MUTEX, GO_RWMUTEX, GO_SYNC_MAP, GO_SHARDS };

struct go_work {
    enum go_task task;
    const uint64_t *keys; /* of the stream, or to be added or looked up */
    uint64_t key_count;
    const uint8_t *kinds;
    uint64_t kind_count;
    const uint32_t *warm, *stop;
    uint64_t key_at, kind_at, oldest_at, lap, oldest_lap;
    uint32_t *samples; /* stamped: nanoseconds; no more than there is room for */
    uint64_t sample_room, sample_count;
    uint64_t operations, nanoseconds, present, sum;
    int64_t net;
};

#endif

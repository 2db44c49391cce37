// SPDX-License-Identifier: MIT
// What the benchmark compares, and the loops it is measured with. A peer is a class whose objects
// are one thread's handle to a set:
//
//     struct some_peer : peer_base<some_peer> {
//         static void *create(const peer *self);
//         static void destroy(void *set);
//         static uint64_t size(void *set);
//         explicit some_peer(void *set);      the thread arrives; the destructor: it leaves
//         int contains(uint64_t key);         1 or 0, like add and remove; negative: a failure
//         int add(uint64_t key);
//         int remove(uint64_t key);
//     };
//
// and whatever of peer_base it does better. peer_of<some_peer> instantiates the loops for it, so that
// nothing stands between loop and set.
#ifndef LFSET_BENCH_PEER_H
#define LFSET_BENCH_PEER_H

#include <algorithm>
#include <atomic>
#include <ctime>

#include "histogram.h"
#include "workload.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

inline uint64_t now_ns()
{
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1000000000u + static_cast<uint64_t>(now.tv_nsec);
}

// A cheap clock for single operations, in units that run.cc calibrates; reading it waits for the
// operations before it to end.
inline uint64_t now_ticks()
{
#if defined(__x86_64__)
    _mm_lfence();
    return __rdtsc();
#else
    return now_ns();
#endif
}

double ticks_per_ns();

// What one thread has to do in one slice, and what became of it.
struct work {
    enum task {
        READ,
        MIX,
        BATCH_READ,
        WINDOW,
        SNAPSHOTS,
        STALL,
        FILL,
        FILL_STAMPED,
        READ_STAMPED,
        CENSUS
    } task;

    // Those up to STALL: until warm is set without measuring, then until stop is set; READ_STAMPED
    // until stop is set.
    const struct stream *stream = nullptr;
    size_t key_at = 0;  // where in the stream the last slice ended
    size_t kind_at = 0; // likewise
    unsigned batch = 1;
    size_t burst = 0; // a pause after so many operations, which is not counted; 0: none
    const std::atomic<uint32_t> *warm = nullptr;
    const std::atomic<uint32_t> *stop = nullptr;

    // WINDOW: the key to remove next, and in which passes through the stream both are.
    size_t oldest_at = 0;
    uint64_t lap = 0, oldest_lap = 0;

    // FILL, FILL_STAMPED: add keys[0 .. count-1]. CENSUS: look them up.
    const uint64_t *keys = nullptr;
    size_t count = 0;
    histogram *ticks = nullptr; // *_STAMPED: how long each took

    uint64_t operations = 0;
    uint64_t snapshots = 0;
    uint64_t nanoseconds = 0;
    uint64_t present = 0; // keys found
    int64_t net = 0;      // keys added less keys removed
    uint64_t sum = 0;     // of the keys added less those removed, or found: tells which they were
    int failure = 0;      // negative when any operation failed
    uint64_t waited = 0;  // nanoseconds, of its whole life, that the thread waited for a processor
    uint64_t lived = 0;   // nanoseconds
};

struct peer {
    const char *name;
    const char *about;
    bool ours;     // lfset, as opposed to what it is compared with
    bool asked;    // only where it is asked for by name
    bool single;   // not for several threads: a ceiling, left out of the comparison
    unsigned keys; // of key_type
    bool takes_snapshots;
    bool stalls;
    bool bursts;
    void *(*create)(const peer *self);
    void (*destroy)(void *set);
    uint64_t (*size)(void *set); // NULL: it cannot tell
    uint64_t (*bytes)(void *set);
    void (*run)(void *set, work *work);
    const void *context; // create's
    const char *path;    // of the shared object it is from, or NULL
};

// What a peer has when it has nothing of its own.
template <class Peer> struct peer_base {
    static constexpr unsigned keys = NUMBERS;
    static constexpr bool single = false;
    static constexpr bool takes_snapshots = false;
    static constexpr bool stalls = false;

    // Its own account of its memory; 0: it keeps none.
    static uint64_t bytes(void *)
    {
        return 0;
    }
    // Tells a key from others.
    static uint64_t number(uint64_t key)
    {
        return key;
    }
    // Around each CHUNK operations.
    void chunk_begin()
    {
    }
    void chunk_end()
    {
    }
    // How many of the keys are present; at most BATCH_MAX.
    int contains_batch(const uint64_t *batch, size_t count)
    {
        int present = 0;
        for (size_t i = 0; i < count; i++)
            present += static_cast<Peer *>(this)->contains(batch[i]);
        return present;
    }
    // All keys at one instant, each looked at: how many; `sum` gets their sum.
    int64_t snapshot(uint64_t *sum)
    {
        *sum = 0;
        return -1;
    }
    // From one to the other this thread stands still in the middle of a read.
    void stall_begin()
    {
    }
    void stall_end()
    {
    }
};

template <class Peer> struct text_peer_base : peer_base<Peer> {
    static constexpr unsigned keys = TEXTS;

    static uint64_t number(uint64_t key)
    {
        return reinterpret_cast<const text *>(key)->number;
    }
};

// The peers of one source file each.
extern const std::vector<peer> peers_lfset, peers_urcu, peers_absl, peers_ck, peers_tbb, peers_cds,
    peers_xenium, peers_go;

namespace loops
{

// All threads pause until the clock shows the next full millisecond, so that their bursts meet. How
// long it was, ns.
inline uint64_t pause_after_burst()
{
    constexpr uint64_t PERIOD = 1000000;
    uint64_t start = now_ns(), end = (start / PERIOD + 1) * PERIOD;
    timespec until = {static_cast<time_t>(end / 1000000000u), static_cast<long>(end % 1000000000u)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) != 0) {
    }
    return now_ns() - start;
}

template <class Step> void repeat(work *work, Step step)
{
    const uint64_t *keys = work->stream->keys.data();
    const uint8_t *kinds = work->stream->kinds.data();
    const size_t key_end = work->stream->keys.size(), kind_end = work->stream->kinds.size();
    size_t key_at = work->key_at / CHUNK * CHUNK, kind_at = work->kind_at;

    for (const std::atomic<uint32_t> *until : {work->warm, work->stop}) {
        uint64_t operations = 0, paused = 0, start = now_ns();
        do { // once at least, however late the thread comes
            step(keys + key_at, kinds + kind_at);
            key_at = key_at + CHUNK == key_end ? 0 : key_at + CHUNK;
            kind_at = kind_at + CHUNK == kind_end ? 0 : kind_at + CHUNK;
            operations += CHUNK;
            if (work->burst && operations % work->burst < CHUNK)
                paused += pause_after_burst();
        } while (!until->load(std::memory_order_relaxed));
        work->operations = operations;
        work->nanoseconds = now_ns() - start - paused;
    }
    work->key_at = key_at;
    work->kind_at = kind_at;
}

// The tally of a slice, in registers while it runs.
template <class Peer> struct tally {
    uint64_t present = 0, sum = 0;
    int64_t net = 0;
    int failure = 0;

    void found(int result)
    {
        present += static_cast<uint64_t>(result);
        failure |= result;
    }
    void added(uint64_t key, int result)
    {
        net += result;
        sum += Peer::number(key) & -static_cast<uint64_t>(result);
        failure |= result;
    }
    void removed(uint64_t key, int result)
    {
        net -= result;
        sum -= Peer::number(key) & -static_cast<uint64_t>(result);
        failure |= result;
    }
    void store(work *work) const
    {
        work->present += present;
        work->net += net;
        work->sum += sum;
        work->failure = failure;
    }
};

template <class Peer> void read(Peer &peer, work *work)
{
    tally<Peer> tally;
    repeat(work, [&](const uint64_t *keys, const uint8_t *) {
        peer.chunk_begin();
        for (size_t i = 0; i < CHUNK; i++)
            tally.found(peer.contains(keys[i]));
        peer.chunk_end();
    });
    tally.store(work);
}

template <class Peer> void batch(Peer &peer, work *work)
{
    tally<Peer> tally;
    const size_t batch = work->batch;
    repeat(work, [&](const uint64_t *keys, const uint8_t *) {
        peer.chunk_begin();
        for (size_t i = 0; i < CHUNK; i += batch)
            tally.found(peer.contains_batch(keys + i, batch));
        peer.chunk_end();
    });
    tally.store(work);
}

template <class Peer> void mix(Peer &peer, work *work)
{
    tally<Peer> tally;
    repeat(work, [&](const uint64_t *keys, const uint8_t *kinds) {
        peer.chunk_begin();
        for (size_t i = 0; i < CHUNK; i++) {
            uint64_t key = keys[i];
            switch (kinds[i]) {
            case CONTAINS:
                tally.found(peer.contains(key));
                break;
            case ADD:
                tally.added(key, peer.add(key));
                break;
            default:
                tally.removed(key, peer.remove(key));
            }
        }
        peer.chunk_end();
    });
    tally.store(work);
}

// Half of the operations add, half remove. In each pass through the stream its keys are others.
template <class Peer> void window(Peer &peer, work *work)
{
    tally<Peer> tally;
    const uint64_t *keys = work->stream->keys.data();
    const size_t end = work->stream->keys.size();
    size_t at = work->key_at, oldest_at = work->oldest_at;
    uint64_t lap = lap_key(work->lap), oldest_lap = lap_key(work->oldest_lap);

    repeat(work, [&](const uint64_t *, const uint8_t *) {
        peer.chunk_begin();
        for (size_t i = 0; i < CHUNK / 2; i++) {
            uint64_t added = keys[at] ^ lap, removed = keys[oldest_at] ^ oldest_lap;
            tally.added(added, peer.add(added));
            tally.removed(removed, peer.remove(removed));
            if (++at == end) {
                at = 0;
                lap = lap_key(++work->lap);
            }
            if (++oldest_at == end) {
                oldest_at = 0;
                oldest_lap = lap_key(++work->oldest_lap);
            }
        }
        peer.chunk_end();
    });
    work->key_at = at;
    work->oldest_at = oldest_at;
    tally.store(work);
}

template <class Peer> void snapshots(Peer &peer, work *work)
{
    for (const std::atomic<uint32_t> *until : {work->warm, work->stop}) {
        uint64_t start = now_ns();
        work->snapshots = 0;
        do {
            uint64_t sum;
            if (peer.snapshot(&sum) < 0) {
                work->failure = -1;
                return;
            }
            asm volatile("" : : "r"(sum)); // the keys were looked at
            work->snapshots++;
        } while (!until->load(std::memory_order_relaxed));
        work->nanoseconds = now_ns() - start;
    }
}

template <class Peer> void stall(Peer &peer, work *work)
{
    const timespec moment = {0, 1000000};
    peer.stall_begin();
    while (!work->stop->load(std::memory_order_relaxed))
        nanosleep(&moment, nullptr);
    peer.stall_end();
}

template <class Peer, class Operation> void once(Peer &peer, work *work, Operation operation)
{
    uint64_t start = now_ns();
    for (size_t from = 0; from < work->count; from += CHUNK) {
        size_t to = std::min(from + CHUNK, work->count);
        peer.chunk_begin();
        for (size_t i = from; i < to; i++)
            operation(i, work->keys[i]);
        peer.chunk_end();
    }
    work->operations = work->count;
    work->nanoseconds = now_ns() - start;
}

template <class Peer> void fill(Peer &peer, work *work)
{
    tally<Peer> tally;
    once(peer, work, [&](size_t, uint64_t key) { tally.added(key, peer.add(key)); });
    tally.store(work);
}

template <class Peer> void fill_stamped(Peer &peer, work *work)
{
    tally<Peer> tally;
    once(peer, work, [&](size_t, uint64_t key) {
        uint64_t start = now_ticks();
        int result = peer.add(key);
        work->ticks->add(now_ticks() - start);
        tally.added(key, result);
    });
    tally.store(work);
}

template <class Peer> void read_stamped(Peer &peer, work *work)
{
    tally<Peer> tally;
    const uint64_t *keys = work->stream->keys.data();
    const size_t end = work->stream->keys.size();
    size_t at = 0;
    do { // once at least, however late the thread comes
        peer.chunk_begin();
        for (size_t i = at; i < at + CHUNK; i++) {
            uint64_t start = now_ticks();
            int result = peer.contains(keys[i]);
            work->ticks->add(now_ticks() - start);
            tally.found(result);
        }
        peer.chunk_end();
        at = (at + CHUNK) % end;
    } while (!work->stop->load(std::memory_order_relaxed));
    tally.store(work);
}

template <class Peer> void census(Peer &peer, work *work)
{
    tally<Peer> tally;
    once(peer, work, [&](size_t, uint64_t key) { tally.added(key, peer.contains(key)); });
    tally.store(work);
}

template <class Peer> void run(void *set, work *work)
{
    Peer peer(set);
    switch (work->task) {
    case work::READ:
        return read(peer, work);
    case work::MIX:
        return mix(peer, work);
    case work::BATCH_READ:
        return batch(peer, work);
    case work::WINDOW:
        return window(peer, work);
    case work::SNAPSHOTS:
        return snapshots(peer, work);
    case work::STALL:
        return stall(peer, work);
    case work::FILL:
        return fill(peer, work);
    case work::FILL_STAMPED:
        return fill_stamped(peer, work);
    case work::READ_STAMPED:
        return read_stamped(peer, work);
    case work::CENSUS:
        return census(peer, work);
    }
}

} // namespace loops

template <class Peer> peer peer_of(const char *name, const char *about, bool ours = false)
{
    peer made = {};
    made.name = name;
    made.about = about;
    made.ours = ours;
    made.single = Peer::single;
    made.keys = Peer::keys;
    made.takes_snapshots = Peer::takes_snapshots;
    made.stalls = Peer::stalls;
    made.bursts = true;
    made.create = Peer::create;
    made.destroy = Peer::destroy;
    made.size = Peer::size;
    made.bytes = Peer::bytes;
    made.run = loops::run<Peer>;
    return made;
}

#endif

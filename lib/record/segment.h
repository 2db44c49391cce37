// SPDX-License-Identifier: MIT
/**
 * @file segment.h
 * What a process publishes about its sets: the layout of one memfd, which the process maps to write and
 * tools map to read, through /proc/PID/fd. Its file name is LFSET__SEGMENT_NAME.
 *
 * Manners (those of the JVM's hsperfdata): a fixed layout with a version; every table is bounded and
 * says what did not fit; nobody waits. A reader only loads. A writer only stores, adds, or claims an
 * entry with one CAS. So a reader can neither hold up the process nor be held up by one that is
 * stopped or has died, and what it reads may be half a step old.
 *
 * What changes is atomic, word by word. What names an entry (a set's name, a stack's frames) is written
 * before the entry's `id` is published, and never changes while that id stands:
 *   [record.id] release: the store of id; acquire: a reader's load. A reader copies the entry, fences
 *   (acquire), and loads id again: the same, then the copy is of that one entry. Ids never come twice.
 *
 * All addresses are the process's; all times are CLOCK_MONOTONIC nanoseconds, which all processes share.
 * An entry of a table is at offset + index * stride: readers use these, not sizeof, so that a later
 * version may append fields.
 */
#ifndef LFSET__SEGMENT_H
#define LFSET__SEGMENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LFSET__SEGMENT_NAME "lfset-observe"
#define LFSET__SEGMENT_MAGIC UINT64_C(0x31746573666c0a1a) /* "\x1a\nlfset1" */

enum { LFSET__SEGMENT_VERSION = 1 };

/** How much of each fits. Pages that nobody touches cost nothing. */
enum {
    LFSET__SETS = 4096,
    LFSET__COUNTER_LANES =
        64, /**< threads with counters of their own; the others share one more lane */
    LFSET__STACKS = 4096,
    LFSET__FRAMES = 24,
    LFSET__THREADS = 512,
    LFSET__RETIRED = 1024,
    LFSET__SAMPLES = 65536,
    LFSET__EVENTS = 256,
    LFSET__MODULES = 256,
    LFSET__HISTORY = 64, /**< looks of the watcher that a set's curve remembers */
};

struct lfset__table {
    uint64_t offset;
    uint32_t stride, count;
};

/** Where to look for free entries of a table. Both are hints, which races may leave a little wrong. */
struct lfset__search {
    _Atomic(uint32_t)
        from; /**< the least that was freed since, or what follows what was taken last */
    _Atomic(uint32_t)
        used; /**< entries from here on were never taken: their pages need not exist */
    _Atomic(uint32_t) taken; /**< how many are */
};

/** Numbers of a set that one thread alone writes (but for the last lane, which all others share). */
struct lfset__lane {
    // What changed the set or found its key, and calls: each is added to whatever the answer was. Were the counter
    // chosen by the answer, the processor could not look ahead past its store until the answer has come from
    // memory.
    _Alignas(64) _Atomic(uint64_t) adds;
    _Atomic(uint64_t) add_calls;
    _Atomic(uint64_t) removes; /**< pop's, too */
    _Atomic(uint64_t) remove_calls;
    _Atomic(uint64_t) hits;
    _Atomic(uint64_t) contains_calls;
    _Atomic(uint64_t) refused; /**< adds, by the guard */
    uint64_t spare;
};

enum lfset__set_flags {
    LFSET__SET_COUNTED = 1,  /**< its lanes count */
    LFSET__SET_PROFILED = 2, /**< some of its adds are in the table of samples */
    LFSET__SET_GUARDED = 4,
    LFSET__SET_EXPIRES = 8,
};

/** One set. */
struct lfset__record {
    _Alignas(64) _Atomic(uint64_t) id; /**< 0: free. [record.id] */
    // Written once.
    char name[64];
    uint64_t created_ns;
    uint32_t kind, domain; /**< enum lfset_kind, enum lfset_domain */
    uint32_t flags;
    uint32_t stack; /**< where it was created: an index into stacks; 0: unknown */
    uint32_t profile_rate;
    uint32_t strategy;                      /**< enum lfset_strategy */
    uint64_t max_keys, max_bytes, max_rate; /**< 0: none; max_rate in keys a second */
    uint64_t idle_timeout_ns, expiry_ns;    /**< 0: none */
    uint64_t address;                       /**< of the set, to tell which hazard is whose */

    // Changed by updates now and then, and at every succession. [record.refresh]
    _Alignas(64) _Atomic(uint64_t) capacity;
    _Atomic(uint64_t) live;  /**< estimate; with counters, their sums say it better */
    _Atomic(uint64_t) bound; /**< estimate of words taken */
    _Atomic(uint64_t) slice_bytes, key_bytes, dead_bytes;
    _Atomic(uint64_t) grows, purges, shrinks, rehashes, snapshots, clears;
    _Atomic(uint64_t) cleared; /**< keys that clear and drain took */
    _Atomic(uint64_t) retired, retired_bytes;
    _Atomic(uint64_t) migration_chunks, migration_done; /**< 0, 0: no succession under way */
    _Atomic(uint64_t) changed_ns;                       /**< when the set was last seen to change */
    _Atomic(uint64_t) root;                             /**< address of the current slice */

    // Written by the watcher.
    _Alignas(64) _Atomic(uint64_t) refusing; /**< enum lfset__refusing: adds are refused now */
    _Atomic(uint64_t) evicted, expired;      /**< keys */
    _Atomic(uint64_t) slope;                 /**< keys a second, the bits of a double */
    _Atomic(uint64_t)
        to_limit; /**< seconds until a limit is reached, the bits of a double; NaN: never */
    _Atomic(uint64_t) confidence; /**< 0 .. 1 that it grows like that, the bits of a double */
    _Atomic(uint64_t)
        history_count; /**< looks so far; the newest is at (count - 1) % LFSET__HISTORY */
    _Atomic(uint64_t)
        probe_lengths[16];       /**< keys found so many slots from home, as a power of two */
    _Atomic(uint64_t) probed_ns; /**< when that was measured; 0: never */
    struct {
        _Atomic(uint64_t) time_ns, live, bytes;
    } history[LFSET__HISTORY];
};

/** A call stack. Index 0 is unused: "none". */
struct lfset__stack {
    _Atomic(uint64_t) id;           /**< hash of the frames, never 0. [record.id] */
    _Atomic(uint64_t) depth;        /**< not 0: taken */
    uint64_t frames[LFSET__FRAMES]; /**< return addresses, innermost first */
};

/** A thread that is attached. */
struct lfset__thread_slot {
    _Alignas(
        64) _Atomic(uint64_t) section; /**< changes at each outermost enter and leave; odd: open */
    _Atomic(uint64_t) section_site;    /**< who entered: a return address */
    _Atomic(uint64_t) section_stack;   /**< of a sampled entry; 0: not sampled */
    _Atomic(uint64_t) id;              /**< 0: free. [record.id] */
    int32_t tid;
    uint32_t spare;
    char name[16];
    uint64_t attached_ns;
    // Written by the watcher.
    _Alignas(64) _Atomic(uint64_t) section_since_ns; /**< first seen in its section; 0: in none */
    _Atomic(uint64_t) stalled;                       /**< 1: reported and not over */
    _Atomic(uint64_t) hazards[4], hazard_since_ns[4];
    _Atomic(uint64_t)
        reading; /**< in an RCU read-side critical section, the program's own included */
};

/** Memory that is no part of a set any more and not freed: retired, or held by a snapshot or an iteration. */
struct lfset__retired_entry {
    _Atomic(uint64_t) id; /**< 0: free; 1: being written. [record.id] */
    uint64_t address, bytes, set_id, retired_ns;
    uint32_t domain;
    uint32_t holder; /**< enum lfset_holder */
    uint32_t stack;  /**< of who holds it; 0: unknown, or nobody */
    int32_t tid;     /**< the same */
};

/** A sampled key that was added and not removed. Changed under the sample table's own locks. */
struct lfset__sample {
    _Atomic(uint64_t) key;    /**< fingerprint; with set_id and balance != 0 in use */
    _Atomic(uint64_t) set_id; /**< 0: free */
    _Atomic(int64_t) balance; /**< adds minus removes seen: 1 is live */
    _Atomic(uint64_t) stack, bytes, added_ns;
    _Atomic(uint64_t) spare[2];
};

/** What happened; a ring. */
struct lfset__event_entry {
    _Atomic(uint64_t)
        id; /**< 1 + its number; at (id - 1) % LFSET__EVENTS. 0 while written. [record.id] */
    uint64_t time_ns;        /**< CLOCK_REALTIME */
    uint32_t kind, severity; /**< enum lfset_event_kind, enum lfset_severity */
    uint64_t set_id;
    char set[64];
    int32_t tid;
    uint32_t stack;
    char thread[16];
    double value, limit, seconds, confidence;
    uint64_t objects, bytes;
    char text[128];
};

/** A loaded file, for whoever turns addresses into names later. */
struct lfset__module {
    _Atomic(uint64_t) id; /**< 0: free. [record.id] */
    uint64_t base;        /**< what is added to the file's addresses */
    uint64_t begin, end;
    char path[224];
};

struct lfset__segment {
    uint64_t magic;
    uint32_t version, header_bytes;
    uint64_t bytes;
    int32_t pid;
    uint32_t lanes; /**< per set, the shared one included */
    struct lfset__table sets, lane, stacks, threads, retired, samples, events, modules;
    uint64_t started_ns;        /**< of the segment, CLOCK_MONOTONIC ... */
    uint64_t realtime_minus_ns; /**< ... and what is added for CLOCK_REALTIME */
    char program[64];
    char library_version[16];
    // Totals, and what did not fit.
    _Alignas(64) _Atomic(uint64_t) next_id; /**< of records and threads */
    _Atomic(uint64_t) sets_unlisted, stacks_lost, threads_unlisted, retired_unlisted, samples_lost;
    _Atomic(uint64_t) garbage_objects[2], garbage_bytes[2]; /**< per domain */
    _Atomic(uint64_t) reclaimed_objects[2];                 /**< ever */
    _Atomic(uint64_t) events_count;
    _Atomic(uint64_t) stalls;                               /**< reported ever */
    _Atomic(uint64_t) watcher_period_ns, watcher_looked_ns; /**< 0: there is no watcher */
    _Atomic(uint64_t) stall_ns;                             /**< what the watcher calls a stall */
    struct lfset__search search_sets, search_threads, search_retired;
};

/** What the guard answers adds with. */
enum lfset__refusing { LFSET__REFUSING_NOTHING, LFSET__REFUSING_BYTES, LFSET__REFUSING_RATE };

#endif

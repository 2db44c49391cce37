// SPDX-License-Identifier: MIT
/**
 * @file observation.h
 * Reading a registry (observe.h), of this process or another: what all sets looked like at one moment,
 * as structs, JSON, text, metrics and profiles. In liblfset-observe, which needs jansson; link with
 * `pkg-config --libs lfset-observe`.
 *
 * An observation is a copy. Taking it only reads: it neither waits for the process nor makes it wait,
 * and works on one that is stopped. Numbers of different sets, and of one set, are not of one instant.
 * Times are CLOCK_MONOTONIC nanoseconds. Functions of one observation are for one thread at a time.
 */
#ifndef LFSET_OBSERVATION_H
#define LFSET_OBSERVATION_H

#include <stdio.h>
#include <sys/types.h>

#include "observe.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One look of the watcher at a set. */
struct lfset_look {
    uint64_t time_ns, live, bytes;
};

/** A set, as it was observed. */
struct lfset_set_seen {
    uint64_t id;      /**< never used twice in a process */
    const char *name; /**< "" : none */
    enum lfset_kind kind;
    enum lfset_domain domain;
    int counted, profiled, guarded; /**< flags */
    unsigned profile_rate;
    unsigned created_stack; /**< where it was created, for lfset_observation_stack; 0: unknown */
    uint64_t created_ns;
    uint64_t changed_ns; /**< when it was last seen to change */
    uint64_t capacity, bound;
    uint64_t live; /**< of the counters, if it is counted: then exact at rest; else an estimate */
    uint64_t dead; /**< estimate: words that removed keys take */
    uint64_t slice_bytes, key_bytes, dead_bytes, retired_bytes;
    uint64_t retired; /**< objects */
    uint64_t bytes;   /**< slice_bytes + key_bytes + dead_bytes + retired_bytes */
    /** Counters; 0 when it is not counted. */
    uint64_t adds, adds_present, removes, removes_absent, hits, misses, refused;
    uint64_t cleared, evicted, expired;
    uint64_t grows, purges, shrinks, rehashes, snapshots, clears;
    uint64_t migration_chunks, migration_done; /**< 0, 0: no succession under way */
    uint64_t
        oldest_reader_ns; /**< how long the oldest of its domain's readers has been reading; 0: none
                                    is known */
    uint64_t root;        /**< address of its slice */
    uint64_t max_keys, max_bytes, max_rate, idle_timeout_ns, expiry_ns;
    enum lfset_strategy strategy;
    int refusing;
    double slope, to_limit, confidence; /**< forecast; to_limit NaN: none */
    uint64_t probed_ns, probe_lengths[16];
    /** The watcher's looks, oldest first. */
    unsigned history_count;
    struct lfset_look history[64];
};

/** A thread, as it was observed. */
struct lfset_thread_seen {
    uint64_t id;
    int tid;
    const char *name;
    uint64_t attached_ns;
    int in_section;            /**< now */
    uint64_t section;          /**< changes with each section */
    uint64_t section_since_ns; /**< when the watcher first saw it in this one; 0: it did not */
    uint64_t section_site;     /**< the address that entered */
    unsigned section_stack;    /**< 0: not sampled */
    int stalled;               /**< reported as stalled, and not over */
    int reading;               /**< in an RCU read-side critical section */
    uint64_t hazards[4], hazard_since_ns[4];
};

/** Memory that is no part of a set any more and not freed. */
struct lfset_retired_seen {
    uint64_t address, bytes, set_id, retired_ns;
    enum lfset_domain domain;
    enum lfset_holder holder;
    unsigned stack; /**< where the snapshot was taken or the iteration began; 0: unknown */
    int tid;        /**< of the thread that did; 0: unknown */
};

/** A sampled key that was added and is still there. */
struct lfset_sample_seen {
    uint64_t set_id, key, bytes, added_ns;
    unsigned stack;
};

/** A file that the process had loaded. */
struct lfset_module_seen {
    const char *path;
    uint64_t base, begin, end;
};

/** A registry, as it was observed. All arrays are the observation's. */
struct lfset_observation {
    int pid;
    const char *program, *library_version;
    uint64_t time_ns;           /**< when it was taken */
    uint64_t realtime_minus_ns; /**< what is added to these times for CLOCK_REALTIME */
    uint64_t started_ns;
    int alive; /**< 0: the process was gone */
    size_t set_count, thread_count, retired_count, sample_count, event_count, module_count;
    const struct lfset_set_seen *sets; /**< by id */
    const struct lfset_thread_seen *threads;
    const struct lfset_retired_seen *retired;
    const struct lfset_sample_seen *samples;
    const struct lfset_event *events; /**< the last ones, oldest first */
    const struct lfset_module_seen *modules;
    uint64_t sets_unlisted, stacks_lost, threads_unlisted, retired_unlisted, samples_lost;
    uint64_t garbage_objects[2], garbage_bytes[2], reclaimed_objects[2]; /**< by domain */
    uint64_t stalls, events_total;
    uint64_t watcher_period_ns, watcher_looked_ns, stall_ns; /**< 0: there is no watcher */
};

/** A registry that is held open: it can be observed again and again, also after its process has died. */
struct lfset_registry;

/**
 * Opens the registry of a process. Beside what is listed it may answer what open(2) and mmap(2) may.
 * @param pid 0: of this one.
 * @return 0. -EINVAL. -ESRCH: no such process. -ENOENT: it has no registry. -EACCES: it is somebody
 * else's. -EPROTO: its version is not known here. -ENOMEM.
 */
LFSET_API int lfset_registry_open(struct lfset_registry **registry, pid_t pid);
/**
 * Opens a copy of a registry in a file. Beside what is listed it may answer what open(2) and mmap(2) may.
 * @return 0. -EINVAL. -EBADMSG: it is none, or cut short. -EPROTO: its version is not known here.
 * -ENOMEM.
 */
LFSET_API int lfset_registry_open_file(struct lfset_registry **registry, const char *path);
/** Gives it back; NULL is fine. */
LFSET_API void lfset_registry_close(struct lfset_registry *registry);
/**
 * Fills pids with processes that have a registry which the caller may read.
 * @return how many there are, maybe more than `room`. -EINVAL. -ENOMEM.
 */
LFSET_API int lfset_registry_list(pid_t *pids, int room);

/**
 * Copies what is there now.
 * @return 0. -EINVAL. -ENOMEM. -EBADMSG: what is there makes no sense.
 */
LFSET_API int lfset_observation_take(struct lfset_registry *registry,
                                     struct lfset_observation **observation);
/** Frees an observation and all that it points to; NULL is fine. */
LFSET_API void lfset_observation_free(struct lfset_observation *observation);
/**
 * Tells the frames of a stack, innermost first.
 * @return how many. 0: there is no such stack.
 */
LFSET_API unsigned lfset_observation_stack(const struct lfset_observation *observation,
                                           unsigned stack, const uint64_t **frames);
/**
 * Finds a set by its id.
 * @return the set. NULL: none has this id.
 */
LFSET_API const struct lfset_set_seen *lfset_observation_set(const struct lfset_observation *seen,
                                                             uint64_t id);

/**
 * Writes all of it as one JSON object.
 * @return 0. -EINVAL. -ENOMEM. -EIO: it could not be written.
 */
LFSET_API int lfset_observation_json(const struct lfset_observation *observation, FILE *out);
/**
 * Writes it as a table for people.
 * @return 0. -EINVAL. -ENOMEM. -EIO: it could not be written.
 */
LFSET_API int lfset_observation_text(const struct lfset_observation *observation, FILE *out);

/** How metrics are written. */
enum lfset_metrics_format {
    LFSET_METRICS_PROMETHEUS, /**< text 0.0.4 */
    LFSET_METRICS_OPENMETRICS /**< 1.0 */
};
/**
 * Writes it as metrics of the monitoring system Prometheus. Sets without a name are summed up in none. Sets that share
 * a name are summed up in one series.
 * @return 0. -EINVAL. -ENOMEM. -EIO: it could not be written.
 */
LFSET_API int lfset_observation_metrics(const struct lfset_observation *observation,
                                        enum lfset_metrics_format format, FILE *out);

/** How events are written. */
enum lfset_log_format { LFSET_LOGFMT, LFSET_LOG_JSON };
/**
 * Writes an event as one line for logs, with a newline.
 * @return 0. -EINVAL. -ENOMEM. -EIO: it could not be written.
 */
LFSET_API int lfset_event_write(const struct lfset_event *event, enum lfset_log_format format,
                                FILE *out);

#ifdef __cplusplus
}
#endif
#endif

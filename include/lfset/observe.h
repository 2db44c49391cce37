// SPDX-License-Identifier: MIT
/**
 * @file observe.h
 * Seeing the sets of a process: what is asked for at a set's creation, and the watcher.
 *
 * Every set with a name, and every set created with lfset_options.observe, is listed in the process's
 * registry: a memfd that only the process's owner can read, and that tools (lfset ps, top, inspect,
 * report, exporter, profile) and lfset/observation.h read without the process's help. Counting, leak
 * profiles and guards are asked for set by set; a set without a name and without `observe` pays for
 * none of it.
 *
 * Counters are per thread and cost a few instructions. They are exact when nothing is under way: live is
 * additions less removals and less what clear and drain took. The exact limit of LFSET_GUARD_REFUSE
 * counts an add before it is made: a refusal is right up to adds that overlap it and then change nothing.
 * A range of a bitmap (add_range) needs room for all of its members, present or not.
 *
 * A forked child has a registry of its own. What other threads of the parent counted while it was copied may
 * be in the child's counters without being in its sets, and adds that they had under way count
 * against a limit for ever: fork before threads start, or expect that much. Fork takes longer by the
 * copy of what is listed (some 10 us a set). A fork without pthread_atfork's handlers (_Fork, clone) must
 * not use listed sets in the child.
 *
 * The watcher is a thread that looks at all listed sets now and then. It finds stalled readers, keeps
 * limits, clears idle sets, removes expired keys, forecasts, and tells events. It runs when it was
 * started.
 */
#ifndef LFSET_OBSERVE_H
#define LFSET_OBSERVE_H

#include "lfset.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What a set holds. */
enum lfset_kind { LFSET_KIND_U64, LFSET_KIND_BYTES, LFSET_KIND_OBJ, LFSET_KIND_BITMAP };

/** lfset_observe.flags: count additions, removals, hits and misses, per thread. */
#define LFSET_OBSERVE_COUNTS 1u

/** What the guard does beside telling an event. */
enum lfset_strategy {
    LFSET_GUARD_NOTIFY, /**< nothing */
    LFSET_GUARD_REFUSE, /**< add answers -ENOSPC while the set is at its limit */
    LFSET_GUARD_EVICT,  /**< the watcher clears the set when it is idle, or over a limit */
};

/** What is wanted of one set. Fill with LFSET_OBSERVE_INIT, then change what you need. */
struct lfset_observe {
    size_t size;           /**< sizeof(struct lfset_observe) */
    unsigned flags;        /**< LFSET_OBSERVE_COUNTS, or 0 */
    unsigned profile_rate; /**< leak profile: 1: of every key; n: of one key in n (rounded to a
                                power of two); 0: none */
    enum lfset_strategy
        strategy;       /**< what happens at a limit; a rate is only told by LFSET_GUARD_EVICT */
    uint64_t max_keys;  /**< 0: no limit. With LFSET_GUARD_REFUSE exact: never more keys */
    uint64_t max_bytes; /**< 0: no limit. Slices, keys and what is retired, as far as they are
                                   estimated; known from look to look: adds go on until the next */
    uint64_t max_rate;  /**< keys a second that it may grow by, over 1 to 10 s or between two looks;
                                   0: no limit */
    uint64_t idle_timeout_ns; /**< so long without a change, it is told, or evicted; 0: never */
    uint64_t
        expiry_ns; /**< a key is removed so long after it was last added, by the watcher: at most a
                             sixteenth and two of its periods later; an add that overlaps it may come
                             before it. 0: never. Not for objects (-EINVAL), nor in a section (creating
 answers -EDEADLK) */
};

#define LFSET_OBSERVE_INIT                                                                         \
    {                                                                                              \
        sizeof(struct lfset_observe), LFSET_OBSERVE_COUNTS, 0, LFSET_GUARD_NOTIFY, 0, 0, 0, 0, 0   \
    }

/** What keeps memory that is no part of a set any more. */
enum lfset_holder {
    LFSET_HELD_BY_READERS,   /**< retired: a grace period, or a hazard */
    LFSET_HELD_BY_SNAPSHOT,  /**< a snapshot that is not destroyed */
    LFSET_HELD_BY_ITERATION, /**< a call of each that has not returned */
};

/** What was found, or is over. */
enum lfset_event_kind {
    LFSET_EVENT_STALL, /**< a thread is in one section, reads under RCU or holds one hazard for too long;
                            `set` is that of the largest object that it holds back */
    LFSET_EVENT_STALL_END,    /**< that is over */
    LFSET_EVENT_LIMIT,        /**< max_keys or max_bytes is reached */
    LFSET_EVENT_LIMIT_END,    /**< not any more */
    LFSET_EVENT_RATE,         /**< the set grows faster than max_rate */
    LFSET_EVENT_RATE_END,     /**< not any more */
    LFSET_EVENT_IDLE,         /**< nothing changed for idle_timeout_ns */
    LFSET_EVENT_EVICTED,      /**< the watcher cleared the set */
    LFSET_EVENT_FORECAST,     /**< at this rate a limit will be reached soon */
    LFSET_EVENT_FORECAST_END, /**< not any more */
};

/** How bad it is. */
enum lfset_severity { LFSET_INFO, LFSET_WARNING, LFSET_ERROR };

/** Something that the watcher found. Valid during the callback. */
struct lfset_event {
    size_t size;
    uint64_t number; /**< 1 and up, in this process */
    enum lfset_event_kind kind;
    enum lfset_severity severity;
    uint64_t time_ns;   /**< CLOCK_REALTIME */
    const char *set;    /**< name; "" when it is of no set, or the set has none */
    uint64_t set_id;    /**< 0: of no set */
    int tid;            /**< 0: of no thread */
    const char *thread; /**< its name, "" */
    double value;       /**< measured: keys, bytes, keys a second or seconds, as the limit is */
    double limit;       /**< what it is compared with */
    double seconds;     /**< how long already; for a forecast, how long until the limit */
    double confidence;  /**< of a forecast, 0 to 1 */
    uint64_t objects, bytes; /**< of a stall: retired since it was first seen, and not freed */
    unsigned stack;          /**< index of a stack in the registry; 0: none */
    const char *text;        /**< one line for people, without the time */
};

/** How to watch. Fill with LFSET_WATCH_INIT, then change what you need. */
struct lfset_watch_options {
    size_t size;
    uint64_t period_ns;    /**< between two looks */
    uint64_t stall_ns;     /**< a reader that stays so long is stalled */
    uint64_t horizon_ns;   /**< a limit is announced when it is forecast within this time */
    unsigned section_rate; /**< the stack of one section entry in so many is kept; 0: of none */
    /** Called by the watcher's thread, for one event at a time; NULL: none. It may use sets, but must not
     *  destroy one that is listed, nor start or stop the watcher (-EDEADLK). */
    void (*on_event)(const struct lfset_event *event, void *ctx);
    void *ctx;
};

/** A look a second, stalls from 10 s on, limits announced an hour before, no stacks of sections. */
#define LFSET_WATCH_INIT                                                                           \
    {                                                                                              \
        sizeof(struct lfset_watch_options), 1000000000u, 10000000000u, 3600000000000u, 0, NULL,    \
            NULL                                                                                   \
    }

/**
 * Starts the watcher's thread. `options` NULL: LFSET_WATCH_INIT.
 * @return 0. -EINVAL. -EALREADY: it runs. -EDEADLK: called by it. -ENOMEM. -EAGAIN: no more threads.
 * -ENOTSUP: the registry cannot be made (no memfd, or lfset_registry_off was called).
 */
LFSET_API int lfset_watch_start(const struct lfset_watch_options *options);

/**
 * Stops the watcher, after its callback has returned. A destroyed process, or one that forks, needs no
 * call; a child has no watcher.
 * @return 0, also when none runs. -EDEADLK: called by it.
 */
LFSET_API int lfset_watch_stop(void);

/**
 * Looks once, in the calling thread, as the watcher would: for programs with a loop of their own, and for
 * tests. @param now_ns the time to go by, CLOCK_MONOTONIC nanoseconds; 0: the time it is.
 * @return 0. -EINVAL. -EDEADLK: within a look or a section. -ENOMEM. -ENOTSUP: there is no
 * registry.
 */
LFSET_API int lfset_watch_look(const struct lfset_watch_options *options, uint64_t now_ns);

/**
 * No registry in this process: names stay names, and `observe` is refused with -ENOTSUP. To be called
 * before the first set with a name is created.
 * @return 0. -EBUSY: there is one already.
 */
LFSET_API int lfset_registry_off(void);

#ifdef __cplusplus
}
#endif
#endif

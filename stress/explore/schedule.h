// SPDX-License-Identifier: MIT
/*
 * Logical threads, one of which runs at a time, and the strategies that decide which. The library
 * calls the hook before each shared access; there the thread may be left for another one.
 *
 * Strategies
 *   walk   at random moments, on to a random thread; how often is drawn once per run
 *   urw    at each access, a thread with a probability in proportion to what it has left to do, so
 *          that long operations do not always end last
 *   pctN   random priorities, the highest runs; at N - 1 random moments the running thread falls to
 *          the lowest (Burckhardt et al., "A randomized scheduler with probabilistic guarantees of
 *          finding bugs", ASPLOS 2010)
 *   site   at accesses that come from a few places of the code, and between operations, on to a random
 *          thread; which places, and for one thread or for all, is drawn once per run. So a
 *          window of one access is met as often as a wide one, however long a thread is in loops
 *   serial no preemption; measures how long each thread is
 *   fixed  a given list of segments; what the shrinker uses
 */
#ifndef LFSET_STRESS_EXPLORE_SCHEDULE_H
#define LFSET_STRESS_EXPLORE_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SCHED_THREADS = 4,
    SCHED_RECLAIMER = SCHED_THREADS, /**< runs RCU callbacks */
    SCHED_MAIN,                      /**< setup and judgement, not explored */
    SCHED_CONTEXTS,
    SCHED_SEGMENTS = 1 << 15,
    SCHED_NEVER = INT32_MAX,
};

enum sched_strategy {
    SCHED_WALK,
    SCHED_URW,
    SCHED_PCT2,
    SCHED_PCT3,
    SCHED_PCT4,
    SCHED_SITE,
    SCHED_SERIAL,
    SCHED_FIXED,
    SCHED_STRATEGIES
};

/** A thread runs for so many accesses. */
struct sched_segment {
    uint8_t thread;
    bool preempted; /**< it could have gone on */
    int32_t steps;
};

struct sched_options {
    enum sched_strategy strategy;
    uint64_t seed;
    unsigned threads;
    void (*body)(unsigned thread); /**< what each logical thread does */
    /** All that are left sleep at a futex: tells whether they may, and wakes some. Called in main. */
    void (*idle)(void);
    int32_t estimate[SCHED_CONTEXTS];
    int stopped;        /**< a thread that stops for ever, or -1 */
    int32_t stopped_at; /**< ... before its so manieth access */
    int32_t limit;      /**< accesses of all together after which this counts as livelock */
    const struct sched_segment *segments; /**< fixed */
    size_t segment_count;
};

enum sched_event_kind { SCHED_EVENT_ACCESS, SCHED_EVENT_NOTE };
/** An access in a trace that was no hooked one; the others are enum lfset__hook_kind. */
enum { SCHED_PLAIN = 5 };

/** One line of a trace. */
struct sched_event {
    uint8_t thread, kind, access;
    const volatile void *address;
    const void *pc;
    uint64_t value; /**< of the 8 bytes at `address`, before the access */
    char *note;
};

/** What the last run left. */
struct sched_result {
    bool failed;
    char message[512];
    uint32_t preemptions, sleeps;
    int32_t steps, thread_steps[SCHED_CONTEXTS];
    bool stopped[SCHED_CONTEXTS];
    struct sched_segment *segments;
    size_t segment_count;
    struct sched_event *events; /**< when tracing */
    size_t event_count;
};
extern struct sched_result sched_result;
extern bool sched_tracing;

/** Allocates stacks, catches wild accesses. @return 0 or a negative errno. Once. */
int sched_open(void);
/** Calls `function`, which may end early in sched_fail. @return false when it did. */
bool sched_guard(void (*function)(void *arg), void *arg);
/** Explores one schedule. The outcome is in sched_result; called within sched_guard. */
void sched_run(const struct sched_options *options);
/** Forgets the last run. */
void sched_reset(void);

struct lfset__thread;
/** What the library's thread-local pointer shall be when `thread` begins. */
void sched_set_self(unsigned thread, struct lfset__thread *self);

/** The logical thread that runs. */
unsigned sched_current(void);
/** The accesses that it has made. */
int32_t sched_steps(unsigned thread);
/** A time stamp: larger at each call. */
uint64_t sched_clock(void);
/** Between two operations: the thread may be left here. */
void sched_point(void);
/** What the current thread is doing, for messages. Text that stays valid. */
void sched_set_doing(const char *what);
const char *sched_doing(unsigned thread);
/** Allocation failures may be injected into what the current thread does. */
void sched_set_inject(bool allowed);
bool sched_may_inject(void);
/** A line in the trace. */
void sched_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/** The run is over: this is what was found. */
void sched_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));
/** The run is over: `address` is touched, at `pc`, which the arena does not allow. */
void sched_bad_touch(const volatile void *address, const void *pc) __attribute__((noreturn, cold));
/** A callback is ready. */
void sched_wake_reclaimer(void);
/** Does the thread sleep at a futex? */
bool sched_sleeps(unsigned thread);

/** One after another; the one that finds most more often. */
enum sched_strategy sched_strategy_in_turn(uint64_t number);
const char *sched_strategy_name(enum sched_strategy strategy);
const char *sched_thread_name(unsigned thread);

#endif

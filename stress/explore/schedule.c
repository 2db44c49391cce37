// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "explore/schedule.h"

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "explore/arena.h"
#include "explore/grace.h"
#include "explore/random.h"
#include "explore/switch.h"
#include "explore/trace.h"
#include "platform/hook.h"
#include "reclaim/reclaim.h"

enum {
    STACK_BYTES = 256 * 1024,
    GUARD_BYTES = 4096,
    EVENTS_MAX = 1 << 20,
    MAIN_STEPS_MAX = 1 << 22,
    SITES_MOST = 32,
};

struct context {
    struct switch_context at;
    // the library's thread-local variables while this one does not run
    struct lfset__thread *self;
    struct lfset__local local;
    const char *doing;
    char *stack;
    const _Atomic(uint32_t) *sleeps_at; // the futex; NULL: it does not sleep
    int32_t steps, estimate;
    int32_t priority; // pct
    bool inject;
};

struct sched_result sched_result;
bool sched_tracing;

static struct context contexts[SCHED_CONTEXTS];
static unsigned current = SCHED_MAIN;
static unsigned runnable, waiting; // bits; waiting: until another thread did something
static int32_t steps, until, limit, stop_at;
static unsigned stop_thread;
static struct sched_options options;
static uint64_t random_state, clock_now, entropy;
static int32_t main_steps, lonely_since;
static int32_t segment_start; // steps when the current thread began to run
static int32_t change_points[4], lowest_priority;
static unsigned change_count, change_next;
static uint32_t walk_mean;
static uint32_t site_salt, site_share, site_one_in, site_threads;
static uint32_t sites_met[SITES_MOST]; // each counts once
static unsigned site_count;
static size_t segment_at;
static sigjmp_buf guard;
static bool guarded;

static const char *const strategy_names[] = {"walk", "urw",  "pct2",   "pct3",
                                             "pct4", "site", "serial", "fixed"};

const char *sched_strategy_name(enum sched_strategy strategy)
{
    return strategy_names[strategy];
}

enum sched_strategy sched_strategy_in_turn(uint64_t number)
{
    static const enum sched_strategy turns[] = {SCHED_WALK, SCHED_SITE, SCHED_URW,  SCHED_PCT2,
                                                SCHED_SITE, SCHED_PCT3, SCHED_PCT4, SCHED_SITE};
    return turns[number % (sizeof turns / sizeof *turns)];
}

const char *sched_thread_name(unsigned thread)
{
    static const char *const names[] = {"T0", "T1", "T2", "T3", "reclaimer", "main"};
    return names[thread];
}

unsigned sched_current(void)
{
    return current;
}

int32_t sched_steps(unsigned thread)
{
    return contexts[thread].steps;
}

uint64_t sched_clock(void)
{
    return ++clock_now;
}

void sched_set_doing(const char *what)
{
    contexts[current].doing = what;
}

const char *sched_doing(unsigned thread)
{
    return contexts[thread].doing ? contexts[thread].doing : "nothing";
}

void sched_set_inject(bool allowed)
{
    contexts[current].inject = allowed;
}

bool sched_may_inject(void)
{
    return contexts[current].inject;
}

/* ---- the trace ---------------------------------------------------------------------------------- */

static struct sched_event *event_add(void)
{
    if (sched_result.event_count == EVENTS_MAX) {
        sched_result.event_count--; // the end of a run that long is all that matters
    }
    struct sched_event *event = &sched_result.events[sched_result.event_count++];
    free(event->note);
    *event = (struct sched_event){.thread = (uint8_t)current};
    return event;
}

void sched_note(const char *format, ...)
{
    if (!sched_tracing) {
        return;
    }
    struct sched_event *event = event_add();
    event->kind = SCHED_EVENT_NOTE;
    va_list args;
    va_start(args, format);
    if (vasprintf(&event->note, format, args) < 0) {
        event->note = NULL;
    }
    va_end(args);
}

/* ---- switching ---------------------------------------------------------------------------------- */

static void end_segment(bool preempted)
{
    if (sched_result.segment_count < SCHED_SEGMENTS && current != SCHED_MAIN) {
        sched_result.segments[sched_result.segment_count++] = (struct sched_segment){
            .thread = (uint8_t)current, .preempted = preempted, .steps = steps - segment_start};
    }
    segment_start = steps;
    sched_result.preemptions += preempted;
}

static void go_to(unsigned next)
{
    unsigned old = current;
    contexts[old].self = lfset__self;
    lfset__self = contexts[next].self;
    contexts[old].local = lfset__local;
    lfset__local = contexts[next].local;
    current = next;
    switch_to(&contexts[old].at, &contexts[next].at);
}

void sched_fail(const char *format, ...)
{
    sched_result.failed = true;
    int length = snprintf(sched_result.message, sizeof sched_result.message,
                          "%s in %s: ", sched_thread_name(current), sched_doing(current));
    va_list args;
    va_start(args, format);
    vsnprintf(sched_result.message + length, sizeof sched_result.message - (size_t)length, format,
              args);
    va_end(args);
    sched_note("FAILURE: %s", sched_result.message);
    if (current != SCHED_MAIN) {
        end_segment(false);
        go_to(SCHED_MAIN); // the stacks of the others are abandoned
    }
    siglongjmp(guard, 1);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (!guarded) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    sched_fail("signal %d (%s), address %p", number, strsignal(number), info->si_addr);
}

/* ---- strategies --------------------------------------------------------------------------------- */

/* The library sleeps while it waits; here the hook before that has done what is needed. */
int sched_yield(void)
{
    return 0;
}

int nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)time, (void)left;
    return 0;
}

/* A set that is cloned seeds itself. */
ssize_t getrandom(void *buffer, size_t size, unsigned flags)
{
    (void)flags;
    for (size_t i = 0; i < size; i++) {
        ((unsigned char *)buffer)[i] = (unsigned char)random_next(&entropy);
    }
    return (ssize_t)size;
}

static void futex_wake(const _Atomic(uint32_t) *word)
{
    for (unsigned i = 0; i < SCHED_MAIN; i++) {
        if (contexts[i].sleeps_at == word) {
            contexts[i].sleeps_at = NULL;
            runnable |= 1u << i;
        }
    }
    until = 0; // at the next access the strategy sees them
}

static void reschedule(void);

/* No time passes here, so no deadline does. */
static void futex_wait(const _Atomic(uint32_t) *word, uint32_t expected)
{
    if (atomic_load_explicit(word, memory_order_relaxed) != expected) {
        return;
    }
    if (current == SCHED_MAIN) {
        sched_fail("it would sleep for ever, though no other thread runs");
    }
    sched_note("sleeps");
    sched_result.sleeps++;
    contexts[current].sleeps_at = word;
    runnable &= ~(1u << current);
    reschedule();
    sched_note("wakes");
}

bool sched_sleeps(unsigned thread)
{
    return contexts[thread].sleeps_at != NULL;
}

/* The library's futex(2). The kernel compares and puts to sleep in one step, and so does this: a thread
 * is left only where the hook is called. Other calls fail, as membarrier(2) may. */
long syscall(long number, ...)
{
    if (number != SYS_futex) {
        errno = ENOSYS;
        return -1;
    }
    va_list args;
    va_start(args, number);
    const _Atomic(uint32_t) *word = va_arg(args, const _Atomic(uint32_t) *);
    int operation = va_arg(args, int) & FUTEX_CMD_MASK;
    uint32_t value = va_arg(args, uint32_t);
    va_end(args);
    lfset__hook(LFSET__HOOK_LOAD, word);
    if (operation == FUTEX_WAKE) {
        futex_wake(word);
    } else {
        futex_wait(word, value);
    }
    return 0;
}

static unsigned nth_bit(unsigned mask, unsigned n)
{
    while (n-- > 0) {
        mask &= mask - 1;
    }
    return (unsigned)__builtin_ctz(mask);
}

static unsigned pick_walk(void)
{
    unsigned others = runnable & ~(1u << current);
    unsigned from = others && walk_mean > 1 ? others : runnable;
    until = walk_mean == 1 ? 1 : 1 + (int32_t)random_below(&random_state, 2 * walk_mean - 1);
    return nth_bit(from, random_below(&random_state, (uint32_t)__builtin_popcount(from)));
}

static uint32_t weight_of(unsigned thread)
{
    int32_t left = contexts[thread].estimate - contexts[thread].steps;
    return left > 1 ? (uint32_t)left : 1;
}

static unsigned pick_urw(void)
{
    uint32_t weights[SCHED_CONTEXTS], total = 0;
    for (unsigned mask = runnable; mask; mask &= mask - 1) {
        unsigned thread = (unsigned)__builtin_ctz(mask);
        total += weights[thread] = weight_of(thread);
    }
    uint32_t at = random_below(&random_state, total);
    until = 1;
    for (unsigned mask = runnable;; mask &= mask - 1) {
        unsigned thread = (unsigned)__builtin_ctz(mask);
        if (at < weights[thread]) {
            return thread;
        }
        at -= weights[thread];
    }
}

static unsigned pick_pct(void)
{
    while (change_next < change_count && steps >= change_points[change_next]) {
        if (current < SCHED_MAIN) {
            contexts[current].priority = --lowest_priority;
        }
        change_next++;
    }
    until = change_next < change_count ? change_points[change_next] - steps : SCHED_NEVER;
    unsigned best = (unsigned)__builtin_ctz(runnable);
    for (unsigned mask = runnable; mask; mask &= mask - 1) {
        unsigned thread = (unsigned)__builtin_ctz(mask);
        if (contexts[thread].priority > contexts[best].priority) {
            best = thread;
        }
    }
    return best;
}

extern char __executable_start[]; // the linker's

static __attribute__((noinline)) void leave_at_site(uint32_t site)
{
    for (unsigned i = 0; i < site_count; i++) {
        if (sites_met[i] == site) {
            return;
        }
    }
    if (site_count < SITES_MOST && random_below(&random_state, site_one_in) == 0) {
        sites_met[site_count++] = site;
        until = 0;
    }
}

/* Called with the place of each access. */
static inline void meet_site(const void *pc)
{
    uint32_t place = (uint32_t)((uintptr_t)pc - (uintptr_t)__executable_start);
    uint32_t site = place * site_salt;
    if (__builtin_expect(site < site_share, 0) && site_threads >> current & 1) {
        leave_at_site(site);
    }
}

static unsigned pick_site(void)
{
    unsigned others = runnable & ~(1u << current), from = others ? others : runnable;
    until = SCHED_NEVER;
    return nth_bit(from, random_below(&random_state, (uint32_t)__builtin_popcount(from)));
}

/* In turn, when one waits: two that wait must not go on waking each other while a third never runs. */
static unsigned pick_serial(void)
{
    until = SCHED_NEVER;
    unsigned later = waiting ? runnable & ~((2u << current) - 1) : 0;
    return (unsigned)__builtin_ctz(later ? later : runnable);
}

static unsigned pick_fixed(void)
{
    for (; segment_at < options.segment_count; segment_at++) {
        const struct sched_segment *segment = &options.segments[segment_at];
        if (runnable >> segment->thread & 1 && segment->steps > 0) {
            until = segment->steps;
            segment_at++;
            return segment->thread;
        }
    }
    return pick_serial();
}

static unsigned pick(void)
{
    switch (options.strategy) {
    case SCHED_WALK:
        return pick_walk();
    case SCHED_URW:
        return pick_urw();
    case SCHED_SITE:
        return pick_site();
    case SCHED_SERIAL:
        return pick_serial();
    case SCHED_FIXED:
        return pick_fixed();
    default:
        return pick_pct();
    }
}

/* ... but not beyond where the thread shall stop, or where it is too much. */
static unsigned pick_capped(void)
{
    unsigned next = pick();
    int32_t left = limit - steps + 1;
    if (next == stop_thread && stop_at - contexts[next].steps + 1 < left) {
        left = stop_at - contexts[next].steps + 1;
    }
    if (until > left) {
        until = left;
    }
    return next;
}

static int compare_points(const void *a, const void *b)
{
    return *(const int32_t *)a - *(const int32_t *)b;
}

static void start_strategy(void)
{
    random_state = random_start(options.seed, 1);
    walk_mean = 1u << random_below(&random_state, 8);
    if (options.strategy == SCHED_SITE) {
        site_salt = random_next(&random_state) | 1;
        site_share = UINT32_MAX >> (1 + random_below(&random_state, 5));
        site_one_in = 1u << (2 * random_below(&random_state, 3));
        site_count = 0;
        // mostly one thread alone: the others do whole operations in its windows
        site_threads = random_below(&random_state, 4)
                           ? 1u << random_below(&random_state, options.threads)
                           : UINT32_MAX;
    }
    int32_t total = 0;
    int32_t order[SCHED_MAIN] = {1, 2, 3, 4, 5};
    for (unsigned i = 0; i < SCHED_MAIN; i++) {
        unsigned j = i + random_below(&random_state, SCHED_MAIN - i);
        contexts[i].priority = order[j];
        order[j] = order[i];
        total += contexts[i].estimate;
    }
    lowest_priority = 0;
    change_next = 0;
    change_count = options.strategy >= SCHED_PCT2 && options.strategy <= SCHED_PCT4
                       ? options.strategy - SCHED_PCT2 + 1u
                       : 0;
    for (unsigned i = 0; i < change_count; i++) {
        change_points[i] = 1 + (int32_t)random_below(&random_state, (uint32_t)total + 1);
    }
    qsort(change_points, change_count, sizeof *change_points, compare_points);
    segment_at = 0;
}

/* ---- scheduling --------------------------------------------------------------------------------- */

static void wake_waiting(void)
{
    runnable |= waiting;
    waiting = 0;
}

/* The current thread cannot go on (its bit in `runnable` is cleared), or need not. */
static void reschedule(void)
{
    int32_t by_others = steps - contexts[current].steps;
    if (!runnable && waiting && lonely_since != by_others) {
        lonely_since = by_others; // what it waits for may have come while it looked elsewhere
        wake_waiting();
    }
    if (!runnable) {
        if (waiting) {
            sched_fail("every thread waits for another one");
        }
        end_segment(false);
        go_to(SCHED_MAIN);
        return;
    }
    unsigned next = pick_capped();
    if (next != current) {
        end_segment(runnable >> current & 1);
        go_to(next);
    }
}

static void exceptional(int kind)
{
    if (steps > limit) {
        sched_fail("no end in sight after %d accesses: livelock", (int)steps);
    }
    if (current == stop_thread && contexts[current].steps > stop_at) {
        sched_result.stopped[current] = true;
        sched_note("stops for ever");
        runnable &= ~(1u << current);
    } else if (kind == LFSET__HOOK_SPIN) {
        waiting |= 1u << current;
        runnable &= ~(1u << current);
        contexts[current].priority = --lowest_priority; // pct: the same
    }
    reschedule();
}

void sched_bad_touch(const volatile void *address, const void *pc)
{
    const struct arena_block *block = arena_find(address);
    if (sched_tracing && pc) {
        struct sched_event *event = event_add();
        event->kind = SCHED_EVENT_ACCESS;
        event->access = SCHED_PLAIN;
        event->address = address;
        event->pc = pc;
        trace_name(event);
    }
    if (!block) {
        sched_fail("memory at offset %td is touched that is no block's",
                   (const volatile char *)address - arena_base);
    }
    sched_fail("freed memory is touched: byte %td of block %td (%zu bytes), freed by %s in %s",
               (const volatile char *)address - block->start, block - arena_blocks, block->size,
               sched_thread_name(block->freed_by_thread), block->freed_by);
}

static inline void check(const volatile void *address)
{
    if (__builtin_expect(!arena_may_touch(address), 0)) {
        sched_bad_touch(address, NULL);
    }
}

/* In setup and judgement. */
static void hook_main(int kind, const volatile void *address)
{
    check(address);
    while (kind == LFSET__HOOK_SPIN && grace_ready()) {
        grace_run_one();
    }
    if (++main_steps > MAIN_STEPS_MAX) {
        sched_fail("no end in sight, though no other thread runs: livelock");
    }
}

static inline void arrive(int kind)
{
    steps++;
    contexts[current].steps++;
    if (__builtin_expect(--until <= 0 || kind == LFSET__HOOK_SPIN, 0)) {
        exceptional(kind);
    }
    if (__builtin_expect(waiting != 0, 0)) {
        wake_waiting(); // what they wait for may have been this thread's last access, or this one
    }
}

static void hook(int kind, const volatile void *address)
{
    arrive(kind);
    check(address); // now, not before others ran
}

static void hook_site(int kind, const volatile void *address)
{
    meet_site(__builtin_return_address(0));
    hook(kind, address);
}

static void hook_traced(int kind, const volatile void *address)
{
    if (options.strategy == SCHED_SITE) {
        meet_site(__builtin_return_address(0));
    }
    arrive(kind);
    struct sched_event *event = event_add();
    event->kind = SCHED_EVENT_ACCESS;
    event->access = (uint8_t)kind;
    event->address = address;
    event->pc = __builtin_return_address(0);
    if (address && ((uintptr_t)address & 7) == 0) {
        event->value = *(const volatile uint64_t *)address;
    }
    trace_name(event);
    check(address);
}

void sched_point(void)
{
    if (current == SCHED_MAIN) {
        return;
    }
    steps++;
    contexts[current].steps++;
    if (options.strategy == SCHED_SITE && random_below(&random_state, 2)) {
        until = 0;
    }
    if (--until <= 0) {
        exceptional(LFSET__HOOK_LOAD);
    }
}

void sched_wake_reclaimer(void)
{
    if (current != SCHED_MAIN && !(runnable >> SCHED_RECLAIMER & 1)) {
        runnable |= 1u << SCHED_RECLAIMER;
        bool at_once = options.strategy == SCHED_URW || change_count > 0 ||
                       (options.strategy == SCHED_SITE && random_below(&random_state, 2));
        if (at_once) {
            until = 0; // at the next access the strategy sees it
        }
    }
}

static void thread_entry(void)
{
    options.body(current);
    runnable &= ~(1u << current);
    wake_waiting();
    reschedule();
    __builtin_unreachable();
}

static void reclaimer_entry(void)
{
    contexts[current].doing = "an RCU callback";
    for (;;) {
        while (grace_ready()) {
            grace_run_one();
        }
        runnable &= ~(1u << SCHED_RECLAIMER);
        wake_waiting();
        reschedule();
    }
}

void sched_reset(void)
{
    sched_result.failed = false;
    sched_result.message[0] = 0;
    sched_result.steps = 0;
    sched_result.preemptions = sched_result.sleeps = 0;
    sched_result.segment_count = sched_result.event_count = 0;
    for (unsigned i = 0; i < SCHED_CONTEXTS; i++) {
        contexts[i].steps = 0;
        contexts[i].doing = NULL;
        contexts[i].inject = false;
        contexts[i].self = NULL;
        contexts[i].local = (struct lfset__local){0};
        contexts[i].sleeps_at = NULL;
        sched_result.stopped[i] = false;
    }
    current = SCHED_MAIN;
    clock_now = 0;
    entropy = random_start(0, 7);
    main_steps = 0;
    runnable = waiting = 0;
}

void sched_run(const struct sched_options *given)
{
    options = *given;
    limit = options.limit;
    stop_thread = options.stopped < 0 ? SCHED_CONTEXTS : (unsigned)options.stopped;
    stop_at = options.stopped_at;
    runnable = (1u << options.threads) - 1;
    waiting = 0;
    steps = segment_start = 0;
    lonely_since = -1;
    for (unsigned i = 0; i < SCHED_MAIN; i++) {
        contexts[i].estimate = options.estimate[i];
        if (i < options.threads || i == SCHED_RECLAIMER) {
            switch_make(&contexts[i].at, contexts[i].stack, STACK_BYTES,
                        i == SCHED_RECLAIMER ? reclaimer_entry : thread_entry);
        }
    }
    start_strategy();
    // back: all is done, or sleeps, or something failed
    while (runnable && !sched_result.failed) {
        unsigned next = pick_capped();
        lfset__hook = sched_tracing                    ? hook_traced
                      : options.strategy == SCHED_SITE ? hook_site
                                                       : hook;
        go_to(next);
        lfset__hook = hook_main;
        for (unsigned i = 0; i < SCHED_MAIN && !sched_result.failed; i++) {
            if (contexts[i].sleeps_at) {
                options.idle();
                break;
            }
        }
    }
    sched_result.steps = steps;
    for (unsigned i = 0; i < SCHED_CONTEXTS; i++) {
        sched_result.thread_steps[i] = contexts[i].steps;
    }
    if (sched_result.failed) {
        siglongjmp(guard, 1);
    }
}

void sched_set_self(unsigned thread, struct lfset__thread *self)
{
    contexts[thread].self = self;
}

bool sched_guard(void (*function)(void *arg), void *arg)
{
    guarded = true;
    if (sigsetjmp(guard, 0) == 0) {
        function(arg);
    }
    guarded = false;
    return !sched_result.failed;
}

int sched_open(void)
{
    for (unsigned i = 0; i < SCHED_MAIN; i++) {
        char *stack = mmap(NULL, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (stack == MAP_FAILED || mprotect(stack, GUARD_BYTES, PROT_NONE) != 0) {
            return -ENOMEM;
        }
        contexts[i].stack = stack + GUARD_BYTES;
    }
    sched_result.segments = calloc(SCHED_SEGMENTS, sizeof *sched_result.segments);
    sched_result.events = calloc(EVENTS_MAX, sizeof *sched_result.events);
    static char signal_stack[64 * 1024];
    stack_t alternative = {.ss_sp = signal_stack, .ss_size = sizeof signal_stack};
    // Never returns when guarded: the signal must not stay blocked.
    struct sigaction action = {.sa_sigaction = on_signal,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
    if (!sched_result.segments || !sched_result.events || sigaltstack(&alternative, NULL) != 0 ||
        sigaction(SIGSEGV, &action, NULL) != 0 || sigaction(SIGBUS, &action, NULL) != 0 ||
        sigaction(SIGFPE, &action, NULL) != 0) {
        return -ENOMEM;
    }
    lfset__hook = hook_main;
    return 0;
}

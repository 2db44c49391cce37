// SPDX-License-Identifier: MIT
/*
 * What the unit tests share: a test for both domains, checks that print what they saw, an allocator
 * that counts, fails on demand and notices wrong or early frees, threads, and random numbers.
 *
 * Criterion runs every test in a process of its own, so counters of the library start at zero.
 * Its assertions must not be used outside the test's own thread: other threads call fault(), and
 * the test's thread ends with check_faults().
 */
#ifndef LFSET_TEST_SUPPORT_H
#define LFSET_TEST_SUPPORT_H

#include <criterion/criterion.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lfset/lfset.h"
#include "lfset/u64.h"

#if defined(__SANITIZE_ADDRESS__)
#define SUPPORT_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SUPPORT_ASAN 1
#endif
#endif

/* Nothing is asserted about time; this only ends a test that hangs. */
#define TEST_TIMEOUT 300

/* TEST(suite, name) { ... } */
#define TEST(suite, name) Test(suite, name, .timeout = TEST_TIMEOUT)

/* TEST_BOTH(suite, name) { ... domain ... } becomes the tests name_rcu and name_hp. */
#define TEST_BOTH(suite, name)                                                                     \
    static void suite##_##name(enum lfset_domain domain);                                          \
    TEST(suite, name##_rcu)                                                                        \
    {                                                                                              \
        suite##_##name(LFSET_RCU);                                                                 \
    }                                                                                              \
    TEST(suite, name##_hp)                                                                         \
    {                                                                                              \
        suite##_##name(LFSET_HP);                                                                  \
    }                                                                                              \
    static void suite##_##name(enum lfset_domain domain)

#define CHECK(condition, ...) cr_assert(condition, __VA_ARGS__)

#define CHECK_EQ(got, want)                                                                        \
    do {                                                                                           \
        const int64_t got_ = (int64_t)(got);                                                       \
        const int64_t want_ = (int64_t)(want);                                                     \
        cr_assert(got_ == want_, "%s is %" PRId64 ", should be %" PRId64 " (%s)", #got, got_,      \
                  want_, #want);                                                                   \
    } while (0)

/* `count` work items, fewer under a sanitizer; LFSET_TEST_SCALE (per cent) changes it further. */
size_t scaled(size_t count);

/* Random numbers; LFSET_TEST_SEED varies every sequence, and the default is always the same. */
struct random {
    uint64_t state;
};
struct random random_from(uint64_t seed);
uint64_t random_next(struct random *random);
/* Less than `bound`, which is not 0. */
uint64_t random_below(struct random *random, uint64_t bound);
/* `count` different keys, ascending. */
void random_keys(struct random *random, uint64_t *keys, size_t count);
int compare_keys(const void *a, const void *b);

/* Notes the first thing that went wrong in any thread. */
void fault(const char *format, ...) __attribute__((format(printf, 1, 2)));
void check_faults(void);

/* The allocator hook. Blocks are filled with rubbish unless ZEROED is among the flags. */
struct memory {
    struct lfset_allocator hook;
    atomic_llong blocks;
    atomic_llong bytes;
    atomic_llong peak;
    atomic_ullong calls;    /* allocations asked for, also in vain */
    atomic_ullong failures; /* how many of them failed */
    atomic_ullong fail_at;  /* the number of the call that fails, from 1; 0: none */
    atomic_ullong fail_from;
    atomic_uint fail_one_in; /* a random one in so many fails; 0: none */
    atomic_ullong luck;
    pthread_mutex_t lock;
    struct block *newest;
};
void memory_init(struct memory *memory, unsigned flags);
/* From now on nothing fails. */
void memory_heal(struct memory *memory);
/* Declares it a fault to free the block that was allocated last, until memory_unpin. */
void memory_pin_newest(struct memory *memory);
void memory_unpin(struct memory *memory);
/* Everything was given back, and rightly. */
void memory_check_balance(struct memory *memory);
/* What the process has from malloc. */
size_t heap_in_use(void);

struct lfset_u64 *set_new(enum lfset_domain domain, uint64_t capacity, uint64_t seed,
                          struct memory *memory);
/* The set must validate. No other thread may be using it. */
void set_check(const struct lfset_u64 *set);
/* Checks, destroys, and checks that `memory` (unless NULL) got everything back. */
void set_end(struct lfset_u64 *set, struct memory *memory);
struct lfset_stats set_stats(const struct lfset_u64 *set);
struct lfset_garbage garbage(enum lfset_domain domain);
/* Adds a key and takes it out again until the set has a new slice. */
void set_force_succession(struct lfset_u64 *set);

/* Threads that run body(args[i]) and begin together. */
struct crew {
    size_t count;
    pthread_t *threads;
    struct crew_start *starts;
    pthread_barrier_t gate;
};
void crew_start(struct crew *crew, size_t count, void (*body)(void *), void *args, size_t stride);
void crew_join(struct crew *crew);
void crew_run(size_t count, void (*body)(void *), void *args, size_t stride);

/* One thread tells others that something has happened; waiting does not spin. */
struct event {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t count;
};
void event_init(struct event *event);
void event_signal(struct event *event);
/* Until it was signalled `count` times in all. */
void event_wait(struct event *event, size_t count);

/* Runs check() in a forked child, which must return NULL there; a text is what went wrong. */
void check_in_child(const char *(*check)(void *arg), void *arg);

#endif

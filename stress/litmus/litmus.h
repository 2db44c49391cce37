// SPDX-License-Identifier: MIT
/**
 * @file litmus.h
 * What the litmus programs share. Each includes this file, describes one test and ends with
 * LITMUS_MAIN.
 *
 * A litmus test lets a few threads do one or two operations each, all at the same time, a great
 * many times over, and counts what they saw. Some combination must never be seen. The test has
 * power only if the combinations next to it are seen: that is checked as well.
 *
 * Every instance uses keys of its own. Instances are run in blocks: the threads line up once for a
 * block, go through its instances side by side, and line up again before the answers are compared.
 * Before each instance they wait for each other, but not for long, as one may have lost its
 * processor, and then for a short random time: else the same one would always be first.
 *
 * Every block begins with a tiny set, so that the set grows while the block is run.
 */
#ifndef STRESS_LITMUS_H
#define STRESS_LITMUS_H

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <lfset/u64.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LITMUS_MAX_THREADS 4
#define LITMUS_BLOCK 256
#define LITMUS_MAX_OUTCOMES 16
/** Turns of a loop that a thread waits for the others before an instance. */
#define LITMUS_PATIENCE 400
/** A new set, with another hash seed, every so many blocks. */
#define LITMUS_RENEWAL 64

struct litmus_block {
    struct lfset_u64 *set;
    uint64_t first_key; /**< instance i has the keys first_key + 2 i and first_key + 2 i + 1 */
    /** What each thread saw in each instance. */
    unsigned char saw[LITMUS_MAX_THREADS][LITMUS_BLOCK];
    /** Plain data, for tests of publication. */
    uint64_t data[LITMUS_BLOCK];
};

struct litmus_test {
    const char *name;
    const char *about;
    int threads;
    /** Before a block, by one thread: the state that each instance starts from. */
    void (*prepare)(struct litmus_block *block, int instance);
    /** What thread `me` does in one instance; its answer is at most 3. */
    unsigned char (*act)(struct litmus_block *block, int instance, int me);
    /** The outcome of an instance, a number below `outcomes`. */
    int (*outcome)(const struct litmus_block *block, int instance);
    int outcomes;
    const char *outcome_names[LITMUS_MAX_OUTCOMES];
    unsigned forbidden; /**< bit o: outcome o must never be seen */
    unsigned wanted;    /**< bit o: without outcome o the test has shown nothing */
};

struct litmus_thread {
    struct litmus_run *run;
    int me;
    _Alignas(128) atomic_int instance; /**< the one it has come to */
};

struct litmus_run {
    const struct litmus_test *test;
    struct litmus_block block;
    atomic_uint lined_up; /**< threads, since the start: counts on */
    atomic_int stop;
    uint64_t seed;
    struct litmus_thread thread[LITMUS_MAX_THREADS];
};

struct litmus_settings {
    double seconds;
    uint64_t seed;
};

static inline uint64_t litmus_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t x = *state;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline double litmus_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* All threads and the judge meet here. Yields: there may be more threads than processors. */
static inline void litmus_line_up(struct litmus_run *run, unsigned *meetings)
{
    const unsigned all = (unsigned)run->test->threads + 1;

    ++*meetings;
    atomic_fetch_add(&run->lined_up, 1);
    for (unsigned turns = 0; atomic_load(&run->lined_up) < *meetings * all; turns++)
        if (turns > 100)
            sched_yield();
}

/*
 * Waits until all have come to this instance. @return 0 when it took too long. All relaxed: this
 * must not order what the test is about.
 */
static inline int litmus_wait(struct litmus_thread *self, int instance)
{
    struct litmus_run *run = self->run;
    int turns = LITMUS_PATIENCE;

    atomic_store_explicit(&self->instance, instance, memory_order_relaxed);
    for (int t = 0; t < run->test->threads; t++)
        while (atomic_load_explicit(&run->thread[t].instance, memory_order_relaxed) < instance)
            if (--turns < 0)
                return 0;
    return 1;
}

static inline void *litmus_thread_main(void *arg)
{
    struct litmus_thread *self = arg;
    struct litmus_run *run = self->run;
    uint64_t random = run->seed ^ (uint64_t)self->me << 32;
    unsigned meetings = 0;

    for (;;) {
        litmus_line_up(run, &meetings);
        if (atomic_load(&run->stop))
            return NULL;
        int together = 1; /* until somebody is late in this block */
        for (int i = 0; i < LITMUS_BLOCK; i++) {
            const uint64_t r = litmus_random(&random);

            together = together && litmus_wait(self, i);
            for (volatile unsigned turns = (unsigned)(r % 24); turns > 0; turns--) {
            }
            if (!together && r >> 60 == 0)
                sched_yield();
            run->block.saw[self->me][i] = run->test->act(&run->block, i, self->me);
        }
        litmus_line_up(run, &meetings);
    }
}

/* A tiny set for every block: now and then a new one, else the old one emptied. */
static inline int litmus_block_begin(struct litmus_run *run, enum lfset_domain domain,
                                     uint64_t number)
{
    struct litmus_block *block = &run->block;
    int rc = 0;

    if (block->set) {
        const int64_t cleared = lfset_u64_clear(block->set, NULL);
        if (cleared < 0)
            return (int)cleared;
    } else {
        struct lfset_options options = LFSET_OPTIONS_INIT;

        options.domain = domain;
        options.seed = (run->seed + number) | 1;
        rc = lfset_u64_create(&block->set, &options);
        if (rc != 0)
            return rc;
    }
    block->first_key = number << 32;
    for (int i = 0; i < LITMUS_BLOCK; i++) {
        block->data[i] = 0;
        if (run->test->prepare)
            run->test->prepare(block, i);
    }
    for (int t = 0; t < run->test->threads; t++)
        atomic_store(&run->thread[t].instance, -1);
    return 0;
}

/* @return how often the set has grown. */
static inline uint64_t litmus_set_end(struct litmus_block *block)
{
    struct lfset_stats stats = {.size = sizeof(stats)};

    lfset_u64_stats_read(block->set, &stats);
    lfset_u64_destroy(block->set);
    block->set = NULL;
    return stats.grows;
}

static inline int litmus_report(const struct litmus_test *test, const char *domain,
                                const uint64_t *seen, uint64_t grows)
{
    int failed = 0;
    int weak = 0;

    printf("%s on %s (%" PRIu64 " growths):\n", test->name, domain, grows);
    if (sysconf(_SC_NPROCESSORS_ONLN) < test->threads)
        printf("  %d threads share %ld processors: interleavings are tested, weak memory hardly\n",
               test->threads, sysconf(_SC_NPROCESSORS_ONLN));
    for (int o = 0; o < test->outcomes; o++) {
        const int forbidden = (int)(test->forbidden >> o & 1);

        printf("  %12" PRIu64 "  %s%s\n", seen[o], test->outcome_names[o],
               forbidden ? (seen[o] ? "   <-- FORBIDDEN" : "   (forbidden)") : "");
        failed |= forbidden && seen[o] != 0;
        weak |= !forbidden && (test->wanted >> o & 1) && seen[o] == 0;
    }
    if (weak && !failed)
        printf("  no power: an outcome that is allowed and next to the forbidden one was not "
               "seen; run longer\n");
    return failed;
}

/* @return 1 when a forbidden outcome was seen, 0 when not, a negative errno. */
static inline int litmus_domain(const struct litmus_test *test, enum lfset_domain domain,
                                const struct litmus_settings *settings)
{
    struct litmus_run *run = aligned_alloc(128, sizeof(*run));
    pthread_t handles[LITMUS_MAX_THREADS];
    uint64_t seen[LITMUS_MAX_OUTCOMES] = {0};
    uint64_t grows = 0;
    unsigned meetings = 0;
    int rc = 0;

    if (!run)
        return -ENOMEM;
    memset(run, 0, sizeof(*run));
    run->test = test;
    run->seed = settings->seed;
    for (int t = 0; t < test->threads; t++) {
        run->thread[t].run = run;
        run->thread[t].me = t;
        rc = pthread_create(&handles[t], NULL, litmus_thread_main, &run->thread[t]);
        if (rc != 0) {
            fprintf(stderr, "%s: no thread: %s\n", test->name, strerror(rc));
            exit(1); /* those that started wait for the others for ever */
        }
    }
    const double end = litmus_now() + settings->seconds / 2;
    for (uint64_t number = 1; litmus_now() < end; number++) {
        rc = litmus_block_begin(run, domain, number);
        if (rc != 0)
            break;
        litmus_line_up(run, &meetings); /* start */
        litmus_line_up(run, &meetings); /* all have finished */
        for (int i = 0; i < LITMUS_BLOCK; i++)
            seen[test->outcome(&run->block, i)]++;
        if (number % LITMUS_RENEWAL == 0)
            grows += litmus_set_end(&run->block);
    }
    if (run->block.set)
        grows += litmus_set_end(&run->block);
    atomic_store(&run->stop, 1);
    litmus_line_up(run, &meetings);
    for (int t = 0; t < test->threads; t++)
        pthread_join(handles[t], NULL);
    free(run);
    if (rc != 0)
        return rc;
    return litmus_report(test, domain == LFSET_HP ? "hp" : "rcu", seen, grows);
}

static inline error_t litmus_parse(int key, char *arg, struct argp_state *state)
{
    struct litmus_settings *s = state->input;
    char *end = NULL;

    errno = 0;
    switch (key) {
    case 't':
        s->seconds = strtod(arg, &end);
        if (errno != 0 || end == arg || *end != '\0' || !(s->seconds > 0) || s->seconds > 1e9)
            argp_error(state, "--seconds wants a positive number, not \"%s\"", arg);
        return 0;
    case 's':
        s->seed = strtoumax(arg, &end, 0);
        if (errno != 0 || end == arg || *end != '\0' || strchr(arg, '-'))
            argp_error(state, "--seed wants a whole number, not \"%s\"", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static inline int litmus_main(const struct litmus_test *test, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"seconds", 't', "S", 0, "In all (default 4)", 0},
        {"seed", 's', "N", 0, "Fixes the hash seeds and the threads' waiting (default 1)", 0},
        {0},
    };
    const struct argp argp = {.options = options, .parser = litmus_parse, .doc = test->about};
    struct litmus_settings settings = {4, 1};
    int failed = 0;

    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, &settings);
    for (int d = 0; d < 2; d++) {
        const int rc = litmus_domain(test, d ? LFSET_HP : LFSET_RCU, &settings);

        if (rc < 0)
            fprintf(stderr, "%s: %s\n", test->name, strerror(-rc));
        failed |= rc != 0;
    }
    return failed;
}

#define LITMUS_MAIN(test)                                                                          \
    int main(int argc, char **argv)                                                                \
    {                                                                                              \
        return litmus_main(&(test), argc, argv);                                                   \
    }

/**
 * Between two operations of one thread: lets another one run in between now and then, as with more
 * threads than processors hardly anything else would.
 */
static inline void litmus_between(int instance, int me)
{
    if ((instance + 5 * me) % 16 == 0)
        sched_yield();
}

/** The two keys of an instance. */
static inline uint64_t litmus_a(const struct litmus_block *block, int instance)
{
    return block->first_key + 2 * (uint64_t)instance;
}

static inline uint64_t litmus_b(const struct litmus_block *block, int instance)
{
    return litmus_a(block, instance) + 1;
}

#endif

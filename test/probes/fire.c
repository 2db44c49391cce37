// SPDX-License-Identifier: MIT
/*
 * Fires every probe of the library. Usage: fire SITES
 * Waits until SITES places in this program are looked at, does everything once, and prints "PROBE COUNT" for
 * each probe: how often it must have fired; reclaim__start and reclaim__done at least so often, since
 * hazard pointers are scanned now and then. Then it waits to be killed.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lfset/bitmap.h"
#include "lfset/bytes.h"
#include "lfset/cancel.h"
#include "lfset/obj.h"
#include "lfset/observe.h"
#include "lfset/u64.h"
#include "platform/probes.h" // the library is linked in: its semaphores are ours, too

#define NEED(x)                                                                                    \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            fprintf(stderr, "fire.c:%d: %s\n", __LINE__, #x);                                      \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* How often each probe must have fired. */
static struct {
#define COUNT(name) uint64_t name;
    LFSET__PROBES_ALL(COUNT)
} expected;

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, ms % 1000 * 1000000L}, NULL);
}

/* What the set says it has been through, before it is destroyed. */
static void expect_successions(const struct lfset_stats *stats)
{
    NEED(stats->slices == 1);
    expected.grow__start += stats->grows;
    expected.purge__start += stats->purges;
    expected.shrink__start += stats->shrinks;
    expected.gate__start += stats->snapshots + stats->clears;
    uint64_t all = stats->grows + stats->purges + stats->shrinks + stats->snapshots + stats->clears;
    expected.slice__retire += all;
    expected.slice__reclaim += all;
    expected.reclaim__start += stats->domain == LFSET_RCU ? all : 1;
    expected.set__create++;
    expected.set__destroy++;
}

/* What every kind of set can do. */
struct kind {
    const char *name;
    void *(*create)(const struct lfset_options *options);
    int (*add)(void *set, uint64_t key);
    int (*remove)(void *set, uint64_t key);
    void (*many)(void *set, bool removing); /**< FEW keys, KEYS and up */
    int (*pop)(void *set);
    int64_t (*clear)(void *set, const struct lfset_cancel *cancel);
    void (*drain)(void *set);
    int (*purge)(void *set);
    int64_t (*size)(void *set, const struct lfset_cancel *cancel);
    int (*stats)(const void *set, struct lfset_stats *stats);
    int (*wait)(void *set, uint64_t key, const struct lfset_cancel *cancel);
    int (*destroy)(void *set);
};

enum { KEYS = 1000, FEW = 40, ALL_KEYS = KEYS + FEW + 1 };

static uint64_t numbers[ALL_KEYS]; // each its index

static uint64_t hash_number(void *ctx, const void *number)
{
    (void)ctx;
    return *(const uint64_t *)number * UINT64_C(0x9e3779b97f4a7c15);
}

static int equal_numbers(void *ctx, const void *a, const void *b)
{
    (void)ctx;
    return *(const uint64_t *)a == *(const uint64_t *)b;
}

static int create_obj(struct lfset_obj **set, const struct lfset_options *options)
{
    struct lfset_obj_type type = LFSET_OBJ_TYPE_INIT;
    type.hash = hash_number;
    type.equal = equal_numbers;
    return lfset_obj_create(set, &type, options);
}

static int pop_number(struct lfset_u64 *set)
{
    uint64_t key;
    return lfset_u64_pop(set, &key);
}

static int pop_bytes(struct lfset_bytes *set)
{
    char buffer[8];
    size_t length;
    return lfset_bytes_pop(set, buffer, sizeof buffer, &length);
}

static int pop_obj(struct lfset_obj *set)
{
    void *object;
    expected.section__start++; // which holds the object
    lfset_section_enter();
    int result = lfset_obj_pop(set, &object);
    lfset_section_leave();
    return result;
}

static int pop_member(struct lfset_bitmap *set)
{
    uint64_t member;
    return lfset_bitmap_pop(set, &member);
}

static int64_t many_numbers(struct lfset_u64 *set, bool removing)
{
    return removing ? lfset_u64_remove_many(set, &numbers[KEYS], FEW, NULL)
                    : lfset_u64_add_many(set, &numbers[KEYS], FEW, NULL);
}

static int64_t many_members(struct lfset_bitmap *set, bool removing)
{
    return removing ? lfset_bitmap_remove_many(set, &numbers[KEYS], FEW, NULL)
                    : lfset_bitmap_add_many(set, &numbers[KEYS], FEW, NULL);
}

static int64_t many_bytes(struct lfset_bytes *set, bool removing)
{
    struct lfset_string keys[FEW];
    for (int i = 0; i < FEW; i++) {
        keys[i] = (struct lfset_string){&numbers[KEYS + i], sizeof numbers[0]};
    }
    return removing ? lfset_bytes_remove_many(set, keys, FEW, NULL)
                    : lfset_bytes_add_many(set, keys, FEW, NULL);
}

static int64_t many_obj(struct lfset_obj *set, bool removing)
{
    void *keys[FEW];
    for (int i = 0; i < FEW; i++) {
        keys[i] = &numbers[KEYS + i];
    }
    return removing ? lfset_obj_remove_many(set, (const void *const *)keys, FEW, NULL)
                    : lfset_obj_add_many(set, keys, FEW, NULL);
}

/* @param kind_create, kind_pop, kind_many functions above @param ... a key, as the kind's functions take it. */
#define KIND(kind, kind_create, kind_pop, kind_many, ...)                                          \
    static void *kind##_create(const struct lfset_options *options)                                \
    {                                                                                              \
        struct lfset_##kind *set;                                                                  \
        NEED(kind_create(&set, options) == 0);                                                     \
        return set;                                                                                \
    }                                                                                              \
    static int kind##_add(void *set, uint64_t key)                                                 \
    {                                                                                              \
        return lfset_##kind##_add(set, __VA_ARGS__);                                               \
    }                                                                                              \
    static int kind##_remove(void *set, uint64_t key)                                              \
    {                                                                                              \
        return lfset_##kind##_remove(set, __VA_ARGS__);                                            \
    }                                                                                              \
    static void kind##_many(void *set, bool removing)                                              \
    {                                                                                              \
        NEED(kind_many(set, removing) == FEW);                                                     \
    }                                                                                              \
    static int kind##_pop(void *set)                                                               \
    {                                                                                              \
        return kind_pop(set);                                                                      \
    }                                                                                              \
    static int64_t kind##_clear(void *set, const struct lfset_cancel *cancel)                      \
    {                                                                                              \
        return lfset_##kind##_clear(set, cancel);                                                  \
    }                                                                                              \
    static void kind##_drain(void *set)                                                            \
    {                                                                                              \
        struct lfset_##kind##_snapshot *drained;                                                   \
        NEED(lfset_##kind##_drain(set, &drained, NULL) == 0);                                      \
        lfset_##kind##_snapshot_destroy(drained);                                                  \
    }                                                                                              \
    static int64_t kind##_size(void *set, const struct lfset_cancel *cancel)                       \
    {                                                                                              \
        return lfset_##kind##_size(set, cancel);                                                   \
    }                                                                                              \
    static int kind##_stats(const void *set, struct lfset_stats *stats)                            \
    {                                                                                              \
        return lfset_##kind##_stats_read(set, stats);                                              \
    }                                                                                              \
    static int kind##_wait(void *set, uint64_t key, const struct lfset_cancel *cancel)             \
    {                                                                                              \
        return lfset_##kind##_wait_present(set, __VA_ARGS__, cancel);                              \
    }                                                                                              \
    static int kind##_destroy(void *set)                                                           \
    {                                                                                              \
        return lfset_##kind##_destroy(set);                                                        \
    }
static int u64_purge(void *set) // such a set has none
{
    (void)set;
    return 0;
}

static int bytes_purge(void *set)
{
    return lfset_bytes_purge(set);
}

static int obj_purge(void *set)
{
    return lfset_obj_purge(set);
}

static int bitmap_purge(void *set)
{
    return lfset_bitmap_purge(set);
}

KIND(u64, lfset_u64_create, pop_number, many_numbers, key)
KIND(bytes, lfset_bytes_create, pop_bytes, many_bytes, &key, sizeof key)
KIND(obj, create_obj, pop_obj, many_obj, &numbers[key])
KIND(bitmap, lfset_bitmap_create, pop_member, many_members, key)

#define OF(kind)                                                                                   \
    {                                                                                              \
#kind, kind##_create, kind##_add, kind##_remove, kind##_many, kind##_pop, kind##_clear,    \
            kind##_drain, kind##_purge, kind##_size, kind##_stats, kind##_wait, kind##_destroy     \
    }
static const struct kind kinds[] = {OF(u64), OF(bytes), OF(obj), OF(bitmap)};

/* ---- a thread that waits for a key, or sits in a section ---------------------------------------- */

struct other {
    pthread_t thread;
    const struct kind *kind; // NULL: a section
    void *set;
    _Atomic(pid_t) tid;
    _Atomic(bool) in_section, leave;
};

static void *run_other(void *ctx)
{
    struct other *other = ctx;
    other->tid = gettid();
    if (other->kind) {
        NEED(other->kind->wait(other->set, KEYS, NULL) == 0);
        return NULL;
    }
    NEED(lfset_section_enter() == 0);
    other->in_section = true;
    while (!other->leave) {
        pause_ms(1);
    }
    NEED(lfset_section_leave() == 0);
    return NULL;
}

static bool sleeps_at_futex(pid_t tid)
{
    char path[64];
    long call = -1;
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", (int)tid);
    FILE *file = fopen(path, "r");
    if (file) {
        if (fscanf(file, "%ld", &call) != 1) {
            call = -1;
        }
        fclose(file);
    }
    return call == SYS_futex;
}

static void start(struct other *other)
{
    expected.thread__attach++;
    expected.thread__detach++;
    NEED(pthread_create(&other->thread, NULL, run_other, other) == 0);
}

/* ---- once ---------------------------------------------------------------------------------------- */

static void wait_for_a_key(const struct kind *kind, void *set)
{
    struct other other = {.kind = kind, .set = set};
    start(&other);
    while (!other.tid || !sleeps_at_futex(other.tid)) {
        pause_ms(1);
    }
    expected.wait__start++;
    expected.wait__wake++;
    expected.key__add++;
    NEED(kind->add(set, KEYS) == 1);
    pthread_join(other.thread, NULL);
}

static void stall(void)
{
    struct other other = {.kind = NULL};
    struct lfset_watch_options watch = LFSET_WATCH_INIT;
    struct timespec time;
    NEED(lfset_barrier() == 0); // else what waits to be freed would make a stall, too
    start(&other);
    expected.section__start++;
    while (!other.in_section) {
        pause_ms(1);
    }
    clock_gettime(CLOCK_MONOTONIC, &time);
    uint64_t now = (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
    expected.stall__start++;
    expected.stall__done++;
    NEED(lfset_watch_look(&watch, now) == 0);
    NEED(lfset_watch_look(&watch, now + 2 * watch.stall_ns) == 0);
    other.leave = true;
    pthread_join(other.thread, NULL);
    NEED(lfset_watch_look(&watch, now + 3 * watch.stall_ns) == 0);
}

static void do_all(const struct kind *kind, enum lfset_domain domain, bool named)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_stats stats = {.size = sizeof stats};
    options.domain = domain;
    options.name = named ? kind->name : NULL;
    void *set = kind->create(&options);
    for (uint64_t key = 0; key < KEYS; key++) {
        NEED(kind->add(set, key) == 1 && kind->add(set, key) == 0);
    }
    for (uint64_t key = 0; key < KEYS - FEW; key++) {
        NEED(kind->remove(set, key) == 1 && kind->remove(set, key) == 0);
    }
    NEED(kind->pop(set) == 1);
    expected.key__add += 2 * KEYS;
    expected.key__remove += 2 * (KEYS - FEW) + 1;
    kind->purge(set);
    kind->many(set, false);
    kind->many(set, true);
    expected.key__add += FEW;
    expected.key__remove += FEW;
    wait_for_a_key(kind, set);
    NEED(kind->clear(set, NULL) == FEW);
    expected.key__add++;
    NEED(kind->add(set, 1) == 1);
    kind->drain(set);
    expected.set__clear += 2;
    if (strcmp(kind->name, "bitmap") == 0) {
        NEED(lfset_bitmap_add_range(set, 10, 20, NULL) == 11);
        NEED(lfset_bitmap_remove_range(set, 15, 16, NULL) == 2);
        expected.keys__add++;
        expected.keys__remove++;
    }
    if (named && domain == LFSET_RCU && strcmp(kind->name, "u64") == 0) {
        stall();
    }
    kind->size(set, NULL); // and ends a succession that is under way
    NEED(kind->stats(set, &stats) == 0);
    expect_successions(&stats);
    NEED(kind->destroy(set) == 0);
}

static unsigned sites_looked_at(void)
{
    unsigned sum = 0;
#define ADD_SEMAPHORE(name) sum += *(volatile unsigned short *)&lfset_##name##_semaphore;
    LFSET__PROBES_ALL(ADD_SEMAPHORE)
    return sum;
}

static _Noreturn void once(unsigned sites)
{
    for (unsigned i = 0; sites_looked_at() < sites; i++) {
        if (i == 60 * 1000) {
            fprintf(stderr, "%u sites are looked at, not %u\n", sites_looked_at(), sites);
            exit(1);
        }
        pause_ms(1);
    }
    expected.thread__attach++;
    expected.thread__detach++;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        for (int named = 0; named < 2; named++) {
            do_all(&kinds[i], LFSET_RCU, named);
            do_all(&kinds[i], LFSET_HP, named);
        }
    }
    NEED(lfset_thread_detach() == 0);
    expected.grow__done = expected.grow__start;
    expected.purge__done = expected.purge__start;
    expected.shrink__done = expected.shrink__start;
    expected.gate__done = expected.freeze__start = expected.freeze__done = expected.gate__start;
    expected.section__done = expected.section__start;
    expected.wait__done = expected.wait__start;
    expected.reclaim__done = expected.reclaim__start;
#define PRINT(name) printf(#name " %lu\n", (unsigned long)expected.name);
    LFSET__PROBES_ALL(PRINT)
    fflush(stdout);
    for (;;) {
        pause(); // until all has been seen
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: fire SITES\n");
        return 2;
    }
    for (uint64_t i = 0; i < ALL_KEYS; i++) {
        numbers[i] = i;
    }
    once((unsigned)strtoul(argv[1], NULL, 10));
}

// SPDX-License-Identifier: MIT
/*
 * One of the four kinds of sets, chosen with -DKIND=u64 -DKIND_u64 and so on, as a set of cells: plain data
 * that the programs hand from thread to thread. Key number i stands for cells[i].
 */
#ifndef LFSET_TEST_TSAN_KIND_H
#define LFSET_TEST_TSAN_KIND_H

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lfset/bitmap.h>
#include <lfset/bytes.h>
#include <lfset/cancel.h>
#include <lfset/obj.h>
#include <lfset/u64.h>

#define PASTE_(a, b, c) a##b##c
#define PASTE(a, b, c) PASTE_(a, b, c)
#define NAME(function) PASTE(PASTE(lfset_, KIND, _), function, )

enum { CELLS = 400 };

struct cell {
    uint64_t number; /* never changes */
    uint64_t value;  /* what is handed over */
};

static struct cell cells[CELLS];
static struct PASTE(lfset_, KIND, ) * set;
static enum lfset_domain domain;

static void expect(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        exit(1);
    }
}

#if defined(KIND_bytes)
#define KEY(i) &cells[i].number, sizeof cells[i].number
#define VISITED const void *key, size_t length
static uint64_t visited(VISITED)
{
    uint64_t number;
    expect(length == sizeof number, "another string came out");
    memcpy(&number, key, sizeof number);
    return number;
}
#elif defined(KIND_obj)
#define KEY(i) &cells[i]
#define VISITED void *key
static uint64_t visited(VISITED)
{
    return ((const struct cell *)key)->number;
}
#else
#define KEY(i) (i)
#define VISITED uint64_t key
static uint64_t visited(VISITED)
{
    return key;
}
#endif
#if defined(KIND_bytes)
#define VISIT visited(key, length)
#else
#define VISIT visited(key)
#endif

static uint64_t hash(void *ctx, const void *key)
{
    (void)ctx;
    return ((const struct cell *)key)->number * UINT64_C(0x9e3779b97f4a7c15);
}

static int equal(void *ctx, const void *object, const void *key)
{
    (void)ctx;
    return ((const struct cell *)object)->number == ((const struct cell *)key)->number;
}

/* Cells anew, and an empty set. `destroy`: of objects. */
static void begin(void (*destroy)(void *ctx, void *object))
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_obj_type type = LFSET_OBJ_TYPE_INIT;
    options.domain = domain;
    type.hash = hash;
    type.equal = equal;
    type.destroy = destroy;
    for (uint64_t i = 0; i < CELLS; i++)
        cells[i] = (struct cell){i, 0};
#if defined(KIND_obj)
    expect(lfset_obj_create(&set, &type, &options) == 0, "create");
#else
    (void)type;
    expect(NAME(create)(&set, &options) == 0, "create");
#endif
}

static void end(void)
{
    expect(NAME(destroy)(set) == 0, "destroy");
}

/* Both at once, until both are done. */
static void together(void *(*a)(void *arg), void *(*b)(void *arg))
{
    pthread_t threads[2];
    expect(pthread_create(&threads[0], NULL, a, NULL) == 0 &&
               pthread_create(&threads[1], NULL, b, NULL) == 0,
           "pthread_create");
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

static void await(uint64_t i)
{
    while (NAME(contains)(set, KEY(i)) == 0)
        sched_yield();
}

struct scenario {
    const char *name;
    void (*run)(void);
};

/* PROGRAM rcu|hp [SCENARIO]: that one, or all. */
static int run_scenarios(int argc, char **argv, const struct scenario *scenarios, size_t count)
{
    int known = 0;
    if (argc < 2 || argc > 3 || (strcmp(argv[1], "rcu") != 0 && strcmp(argv[1], "hp") != 0)) {
        fprintf(stderr, "usage: %s rcu|hp [SCENARIO]\n", argv[0]);
        return 2;
    }
    domain = strcmp(argv[1], "hp") == 0 ? LFSET_HP : LFSET_RCU;
    for (size_t i = 0; i < count; i++)
        if (argc == 2 || strcmp(argv[2], scenarios[i].name) == 0) {
            scenarios[i].run();
            known = 1;
        }
    return known ? 0 : 2;
}

#endif

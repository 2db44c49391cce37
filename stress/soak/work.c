// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "work.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BATCH TARGET_BATCH

__attribute__((format(printf, 2, 3))) static void wrong(struct work *work, const char *format, ...)
{
    va_list args;

    if (atomic_exchange(&work->failed, 1) != 0)
        return;
    va_start(args, format);
    vsnprintf(work->reason, sizeof(work->reason), format, args);
    va_end(args);
}

static void expect(struct work *work, const struct work_set *s, const char *what, int64_t rc,
                   int64_t expected)
{
    if (rc != expected)
        wrong(work, "%s of %s on %s answered %lld instead of %lld", what, s->target->name,
              s->domain == LFSET_HP ? "hp" : "rcu", (long long)rc, (long long)expected);
}

static uint64_t below(uint64_t *random, uint64_t n)
{
    return (noise_random(random) >> 32) % n;
}

/* ---------------------------------------------------------------- the bits */

static int is_in(const struct work_set *s, uint64_t key)
{
    return (int)(atomic_load_explicit(&s->bits[key / 64], memory_order_relaxed) >> key % 64 & 1);
}

/* @return whether that changed it. */
static int put_in(struct work_set *s, uint64_t key)
{
    const uint64_t bit = UINT64_C(1) << key % 64;
    const int changed = !(atomic_fetch_or(&s->bits[key / 64], bit) & bit);

    if (changed)
        atomic_fetch_add(&s->live, 1);
    return changed;
}

static int take_out(struct work_set *s, uint64_t key)
{
    const uint64_t bit = UINT64_C(1) << key % 64;
    const int changed = (atomic_fetch_and(&s->bits[key / 64], ~bit) & bit) != 0;

    if (changed)
        atomic_fetch_sub(&s->live, 1);
    return changed;
}

/* ---------------------------------------------------------------- what a thread does */

/* A key of this thread's. */
static uint64_t own_key(struct work_thread *t)
{
    const struct work *work = t->work;

    return below(&t->random, work->keys / work->threads) * work->threads + t->number;
}

static void toggle(struct work_thread *t, struct work_set *s)
{
    const uint64_t key = own_key(t);

    if (is_in(s, key)) {
        expect(t->work, s, "remove", s->target->remove(s->set, key), 1);
        take_out(s, key);
    } else {
        expect(t->work, s, "add", s->target->add(s->set, key), 1);
        put_in(s, key);
    }
}

static void look(struct work_thread *t, struct work_set *s)
{
    const uint64_t key = own_key(t);

    expect(t->work, s, "contains", s->target->contains(s->set, key), is_in(s, key));
}

/* Adding what is there or removing what is not changes nothing. */
static void in_vain(struct work_thread *t, struct work_set *s)
{
    const uint64_t key = own_key(t);

    if (is_in(s, key))
        expect(t->work, s, "add", s->target->add(s->set, key), 0);
    else
        expect(t->work, s, "remove", s->target->remove(s->set, key), 0);
}

static void many(struct work_thread *t, struct work_set *s)
{
    uint64_t keys[BATCH];
    int8_t results[BATCH];
    const uint64_t kind = below(&t->random, 3);
    const uint64_t slots = t->work->keys / t->work->threads;
    const uint64_t first = below(&t->random, slots - BATCH);

    for (uint64_t i = 0; i < BATCH; i++)
        keys[i] = (first + i) * t->work->threads + t->number;
    if (kind == 0)
        s->target->add_many(s->set, keys, BATCH, results);
    else if (kind == 1)
        s->target->remove_many(s->set, keys, BATCH, results);
    else
        s->target->contains_many(s->set, keys, BATCH, results);
    for (int i = 0; i < BATCH; i++) {
        const int expected = kind == 0 ? !is_in(s, keys[i]) : is_in(s, keys[i]);

        expect(t->work, s, "one of many", results[i], expected);
        if (kind == 0)
            put_in(s, keys[i]);
        else if (kind == 1)
            take_out(s, keys[i]);
    }
}

static void in_section(struct work_thread *t, struct work_set *s)
{
    if (s->target->section_enter() != 0)
        return;
    for (int i = 0; i < 16; i++) {
        look(t, s);
        toggle(t, s);
    }
    s->target->section_leave();
}

static void wait_for_one(struct work_thread *t, struct work_set *s)
{
    const uint64_t key = own_key(t);
    struct lfset_cancel *token;

    if (lfset_cancel_create(&token, NULL, lfset_deadline_in(100000)) != 0)
        return;
    expect(t->work, s, "wait_present", s->target->wait_present(s->set, key, token),
           is_in(s, key) ? 0 : -ETIMEDOUT);
    lfset_cancel_destroy(token);
}

static int visit_some(uint64_t key, void *ctx)
{
    uint64_t *left = ctx;

    (void)key;
    return --*left == 0;
}

/* What the snapshot says about this thread's keys, which stay as they are meanwhile. */
static void snapshot(struct work_thread *t, struct work_set *s)
{
    void *taken = NULL;

    expect(t->work, s, "snapshot", s->target->snapshot(s->set, &taken), 0);
    for (int i = 0; i < 100 && taken; i++) {
        const uint64_t key = own_key(t);

        expect(t->work, s, "contains of a snapshot", s->target->taken_contains(taken, key),
               is_in(s, key));
    }
    s->target->taken_destroy(taken);
}

/* Seldom: each goes through a million slots. */
static void whole(struct work_thread *t, struct work_set *s)
{
    uint64_t left = 10000;

    switch (below(&t->random, 6)) {
    case 0:
        if (s->target->size(s->set) < 0)
            wrong(t->work, "size of %s fails", s->target->name);
        break;
    case 1:
        if (s->target->each(s->set, visit_some, &left) < 0)
            wrong(t->work, "each of %s fails", s->target->name);
        break;
    case 2:
        if (s->target->purge && s->target->purge(s->set) < 0)
            wrong(t->work, "purge of %s fails", s->target->name);
        break;
    case 3:
        expect(t->work, s, "is_empty", s->target->is_empty(s->set), 0);
        break;
    case 4:
        expect(t->work, s, "reserve",
               s->target->reserve(s->set, below(&t->random, 2) * t->work->keys / 2), 0);
        break;
    default:
        snapshot(t, s);
        break;
    }
}

static void one(struct work_thread *t)
{
    struct work_set *s = &t->work->sets[below(&t->random, t->work->set_count)];
    const uint64_t r = below(&t->random, 400000);

    if (r < 160000)
        toggle(t, s);
    else if (r < 340000)
        look(t, s);
    else if (r < 380000)
        in_vain(t, s);
    else if (r < 395000)
        many(t, s);
    else if (r < 399500)
        in_section(t, s);
    else if (r < 399980)
        wait_for_one(t, s);
    else
        whole(t, s);
}

static void *thread_main(void *arg)
{
    struct work_thread *t = arg;

    noise_enter(&t->noise);
    while (!atomic_load(&t->work->stop) && !atomic_load(&t->work->failed)) {
        one(t);
        atomic_fetch_add_explicit(&t->operations, 1, memory_order_relaxed);
    }
    noise_enter(NULL);
    return NULL;
}

/* ---------------------------------------------------------------- threads */

int work_begin(struct work *work)
{
    int rc = 0;

    atomic_store(&work->stop, 0);
    for (unsigned i = 0; i < work->threads && rc == 0; i++) {
        struct work_thread *t = &work->crew[i];

        t->work = work;
        t->number = i;
        t->random = noise_seed(work->seed, work->meetings, i);
        sem_init(&t->noise.go, 0, 0);
        atomic_store(&t->noise.stopped, 0);
        /* One of them stops somewhere inside, now and then the same one as last time. */
        t->noise.stop_in =
            i == work->meetings % work->threads ? 1 + (uint32_t)below(&t->random, 1000000) : 0;
        rc = pthread_create(&t->thread, NULL, thread_main, t);
        work->threads_started += rc == 0;
    }
    return -rc;
}

unsigned work_let_go(struct work *work)
{
    unsigned count = 0;

    for (unsigned i = 0; i < work->threads; i++) {
        int stopped = 1;

        if (atomic_compare_exchange_strong(&work->crew[i].noise.stopped, &stopped, 0)) {
            sem_post(&work->crew[i].noise.go);
            count++;
        }
    }
    return count;
}

static void join_all(struct work *work)
{
    for (unsigned i = 0; i < work->threads; i++) {
        struct work_thread *t = &work->crew[i];

        while (pthread_tryjoin_np(t->thread, NULL) != 0) {
            work_let_go(work);
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
}

void work_end(struct work *work)
{
    atomic_store(&work->stop, 1);
    join_all(work);
}

uint64_t work_operations(const struct work *work)
{
    uint64_t sum = atomic_load(&work->short_lived);

    for (unsigned i = 0; i < work->threads; i++)
        sum += atomic_load_explicit(&work->crew[i].operations, memory_order_relaxed);
    return sum;
}

/* Runs `body` once in each of so many new threads, some at a time. */
static void run_in_threads(struct work *work, unsigned count, void *(*body)(void *))
{
    for (unsigned from = 0; from < count; from += work->threads) {
        for (unsigned i = 0; i < work->threads; i++) {
            work->crew[i].work = work;
            work->crew[i].number = i;
            if (pthread_create(&work->crew[i].thread, NULL, body, &work->crew[i]) != 0) {
                wrong(work, "no thread can be started");
                return;
            }
            work->threads_started++;
        }
        for (unsigned i = 0; i < work->threads; i++)
            pthread_join(work->crew[i].thread, NULL);
    }
}

/* ---------------------------------------------------------------- meetings */

static struct work_set *at_hand(struct work *work)
{
    return &work->sets[work->meetings % work->set_count];
}

/* No two may get the same key, nor one that is not in. */
static void *pop_some(void *arg)
{
    struct work_thread *t = arg;
    struct work_set *s = at_hand(t->work);

    for (int i = 0; i < 500; i++) {
        uint64_t key = UINT64_MAX;

        expect(t->work, s, "pop", s->target->pop(s->set, &key), 1);
        if (key >= t->work->keys || !take_out(s, key))
            wrong(t->work, "pop of %s answered key %llu, which it does not hold", s->target->name,
                  (unsigned long long)key);
    }
    atomic_fetch_add(&t->work->short_lived, 500);
    return NULL;
}

static void *look_a_little(void *arg)
{
    struct work_thread *t = arg;

    for (int i = 0; i < 20; i++)
        look(t, &t->work->sets[below(&t->random, t->work->set_count)]);
    atomic_fetch_add(&t->work->short_lived, 20);
    return NULL;
}

/* Those that the bits name; growth from an empty set. */
static void *fill(void *arg)
{
    struct work_thread *t = arg;
    struct work_set *s = at_hand(t->work);
    uint64_t added = 0;

    for (uint64_t key = t->number; key < t->work->keys; key += t->work->threads)
        if (is_in(s, key)) {
            expect(t->work, s, "add", s->target->add(s->set, key), 1);
            added++;
        }
    atomic_fetch_add(&t->work->short_lived, added);
    return NULL;
}

/* What was taken must be, key by key, what the bits say. */
static void judge_taken(struct work *work, struct work_set *s, void *taken)
{
    const int64_t live = atomic_load(&s->live);
    uint64_t *keys = malloc(((size_t)live + 1) * sizeof(*keys));

    expect(work, s, "the count of a snapshot", s->target->taken_count(taken), live);
    if (!keys) {
        wrong(work, "no memory to judge %s", s->target->name);
        return;
    }
    expect(work, s, "the copy of a snapshot", s->target->taken_copy(taken, keys, (size_t)live),
           live);
    /* Ascending and of the right number, each is one of the right ones: so they are all. */
    for (int64_t i = 0; i < live && !atomic_load(&work->failed); i++)
        if (keys[i] >= work->keys || !is_in(s, keys[i]) || (i > 0 && keys[i - 1] >= keys[i]))
            wrong(work, "a snapshot of %s holds key %llu, which the set does not", s->target->name,
                  (unsigned long long)keys[i]);
    free(keys);
}

static void judge(struct work *work, struct work_set *s)
{
    const char *why = NULL;
    void *taken = NULL;

    expect(work, s, "size", s->target->size(s->set), atomic_load(&s->live));
    expect(work, s, "snapshot", s->target->snapshot(s->set, &taken), 0);
    if (taken)
        judge_taken(work, s, taken);
    s->target->taken_destroy(taken);
    if (s->target->validate(s->set, &why) != 1)
        wrong(work, "%s does not validate: %s", s->target->name, why ? why : "no reason");
    if (target_noticed())
        wrong(work, "%s", target_noticed());
}

static void empty(struct work *work, struct work_set *s)
{
    void *taken = NULL;

    if (work->meetings / work->set_count % 2 == 0) {
        expect(work, s, "clear", s->target->clear(s->set), atomic_load(&s->live));
    } else {
        expect(work, s, "drain", s->target->drain(s->set, &taken), 0);
        if (taken)
            judge_taken(work, s, taken);
        s->target->taken_destroy(taken);
    }
    expect(work, s, "size", s->target->size(s->set), 0);
}

void work_meet(struct work *work)
{
    struct work_set *s = at_hand(work);

    run_in_threads(work, 200, look_a_little);
    run_in_threads(work, work->threads, pop_some);
    judge(work, s);
    if (!atomic_load(&work->failed)) {
        empty(work, s);
        run_in_threads(work, work->threads, fill);
    }
    work->meetings++;
}

/* ---------------------------------------------------------------- beginning and end */

static int set_create(struct work *work, const struct target *target, enum lfset_domain domain)
{
    struct work_set *s = &work->sets[work->set_count];
    const struct target_options options = {.domain = domain,
                                           .seed = noise_seed(work->seed, work->set_count, 4)};

    *s = (struct work_set){.target = target, .domain = domain};
    s->bits = calloc((size_t)(work->keys / 64 + 1), sizeof(*s->bits));
    const int rc = s->bits ? target->create(&options, &s->set) : -ENOMEM;
    if (rc != 0)
        return rc;
    for (uint64_t key = 0; key < work->keys; key++)
        if (noise_seed(work->seed, key, work->set_count) % 2)
            put_in(s, key);
    work->meetings = work->set_count; /* fill looks at the set at hand */
    work->set_count++;
    return 0;
}

int work_init(struct work *work, const struct target *only, int domain)
{
    static const struct target *const targets[] = {&target_u64, &target_bytes, &target_obj,
                                                   &target_bitmap};

    for (size_t i = 0; i < WORK_SETS; i++) {
        if ((only && only != targets[i / 2]) || (domain >= 0 && domain != (int)(i % 2)))
            continue;
        const int rc = set_create(work, targets[i / 2], i % 2 ? LFSET_HP : LFSET_RCU);
        if (rc != 0)
            return rc;
        run_in_threads(work, work->threads, fill);
    }
    work->meetings = 0;
    return 0;
}

int work_finish(struct work *work)
{
    struct lfset_garbage left[2];

    for (size_t i = 0; i < work->set_count; i++) {
        struct work_set *s = &work->sets[i];

        if (!atomic_load(&work->failed))
            judge(work, s);
        expect(work, s, "destroy", s->target->destroy(s->set), 0);
        free(s->bits);
    }
    if (target_noticed())
        wrong(work, "%s", target_noticed());
    const int rc = lfset_barrier();
    if (rc != 0 || lfset_garbage_read(LFSET_RCU, &left[0]) != 0 ||
        lfset_garbage_read(LFSET_HP, &left[1]) != 0)
        return rc;
    if (left[0].objects != 0 || left[1].objects != 0)
        wrong(work, "%zu objects are retired and not freed", left[0].objects + left[1].objects);
    return 0;
}

// SPDX-License-Identifier: MIT
/* Sections, barriers, and what readers that stop hold back. */
#include "support.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <urcu/urcu-bp.h>

/* hp.c, "Bound": besides what hazards name, a record holds fewer objects than this, and fewer bytes
 * plus one object. */
enum { UNSCANNED_OBJECTS = 64, UNSCANNED_BYTES = 64 * 1024 };

static void churn(struct lfset_u64 *set, size_t successions)
{
    for (size_t i = 0; i < successions; i++)
        set_force_succession(set);
}

/* ---- answers ---- */

TEST(reclaim, sections_nest)
{
    CHECK_EQ(lfset_section_leave(), -EPERM); /* before the thread is known */
    for (size_t depth = 1; depth <= 5; depth++) {
        for (size_t i = 0; i < depth; i++)
            CHECK_EQ(lfset_section_enter(), 0);
        for (size_t i = 0; i < depth; i++) {
            CHECK_EQ(lfset_barrier(), -EDEADLK);
            CHECK_EQ(lfset_thread_detach(), -EBUSY);
            CHECK_EQ(lfset_section_leave(), 0);
        }
        CHECK_EQ(lfset_section_leave(), -EPERM);
        CHECK_EQ(lfset_barrier(), 0);
        CHECK_EQ(lfset_thread_detach(), 0);
        CHECK_EQ(lfset_section_leave(), -EPERM);
    }
}

TEST_BOTH(reclaim, attach_and_detach)
{
    CHECK_EQ(lfset_thread_detach(), 0); /* never attached */
    CHECK_EQ(lfset_thread_attach(), 0);
    CHECK_EQ(lfset_thread_attach(), 0);
    struct lfset_u64 *set = set_new(domain, 0, 1, NULL);
    for (uint64_t key = 0; key < 200; key++) {
        CHECK_EQ(lfset_u64_add(set, key), 1);
        CHECK_EQ(lfset_thread_detach(), 0);
        CHECK_EQ(lfset_u64_contains(set, key), 1);
        if (key % 3 == 0)
            CHECK_EQ(lfset_thread_detach(), 0);
        CHECK_EQ(lfset_thread_detach(), 0);
    }
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_u64_contains(set, 7), 1);
    CHECK_EQ(lfset_thread_detach(), -EBUSY);
    CHECK_EQ(lfset_u64_contains(set, 8), 1);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_thread_detach(), 0);
    CHECK_EQ(lfset_u64_size(set, NULL), 200);
    set_end(set, NULL);
}

TEST_BOTH(reclaim, destroy_is_refused_inside_a_section)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 2, &memory);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_u64_destroy(set), -EDEADLK);
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(lfset_u64_destroy(set), -EDEADLK);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_u64_contains(set, 1), 1);
    CHECK_EQ(lfset_u64_add(set, 2), 1);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_u64_size(set, NULL), 2);
    set_end(set, &memory);
}

/* What would wait for the caller's own read-side critical section, which is none of ours. */
TEST(reclaim, barrier_and_destroy_inside_the_caller_s_rcu)
{
    struct lfset_u64 *rcu = set_new(LFSET_RCU, 0, 2, NULL);
    struct lfset_u64 *hp = set_new(LFSET_HP, 0, 2, NULL);
    urcu_bp_read_lock();
    CHECK_EQ(lfset_u64_add(rcu, 1), 1);
    CHECK_EQ(lfset_u64_add(hp, 1), 1);
    churn(rcu, 3);
    churn(hp, 3);
    CHECK_EQ(lfset_barrier(), -EDEADLK);
    CHECK_EQ(lfset_u64_destroy(rcu), -EDEADLK);
    CHECK_EQ(lfset_u64_contains(rcu, 1), 1);
    set_end(hp, NULL);
    urcu_bp_read_unlock();
    CHECK_EQ(lfset_barrier(), 0);
    set_end(rcu, NULL);
}

TEST(reclaim, garbage_read_refuses_nonsense)
{
    struct lfset_garbage out = {3, 4};
    CHECK_EQ(lfset_garbage_read(LFSET_RCU, NULL), -EINVAL);
    CHECK_EQ(lfset_garbage_read((enum lfset_domain)2, &out), -EINVAL);
    CHECK_EQ(lfset_garbage_read((enum lfset_domain) - 1, &out), -EINVAL);
    for (int domain = 0; domain < 2; domain++) {
        CHECK_EQ(lfset_garbage_read((enum lfset_domain)domain, &out), 0);
        CHECK_EQ(out.objects, 0);
        CHECK_EQ(out.bytes, 0);
    }
}

TEST(reclaim, hp_mode_stays)
{
    const enum lfset_hp_mode mode = lfset_hp_mode();
    CHECK(mode == LFSET_HP_MEMBARRIER || mode == LFSET_HP_FENCE, "mode %d", (int)mode);
    struct lfset_u64 *set = set_new(LFSET_HP, 0, 1, NULL);
    churn(set, 200);
    CHECK_EQ(lfset_hp_mode(), mode);
    set_end(set, NULL);
}

/* Whatever is open, operations answer the same; sets of both domains in one section, more of them
 * than there are hazard slots. */
TEST(reclaim, a_section_over_many_sets)
{
    enum { SETS = 12 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *sets[SETS];
    for (size_t i = 0; i < SETS; i++)
        sets[i] = set_new(i % 2 == 0 ? LFSET_RCU : LFSET_HP, 0, i, &memory);
    for (uint64_t round = 0; round < scaled(300); round++) {
        CHECK_EQ(lfset_section_enter(), 0);
        for (size_t i = 0; i < SETS; i++) {
            CHECK_EQ(lfset_u64_add(sets[i], round), 1);
            CHECK_EQ(lfset_section_enter(), 0);
            for (size_t k = 0; k <= i; k++)
                CHECK_EQ(lfset_u64_contains(sets[k], round), 1);
            if (round >= 20)
                CHECK_EQ(lfset_u64_remove(sets[i], round - 20), 1);
            if (round % 7 == i % 7)
                churn(sets[i], 1);
            CHECK_EQ(lfset_section_leave(), 0);
        }
        CHECK_EQ(lfset_section_leave(), 0);
    }
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(garbage(LFSET_RCU).objects, 0);
    CHECK_EQ(garbage(LFSET_HP).objects, 0);
    for (size_t i = 0; i < SETS; i++) {
        set_check(sets[i]);
        CHECK_EQ(lfset_u64_destroy(sets[i]), 0);
    }
    memory_check_balance(&memory);
}

/* ---- barrier ---- */

TEST_BOTH(reclaim, barrier_frees_everything_retired)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 3, &memory);
    churn(set, 1); /* the very first slice is a little smaller: it has no predecessor */
    CHECK_EQ(lfset_barrier(), 0);
    const long long bytes = atomic_load(&memory.bytes);
    const long long blocks = atomic_load(&memory.blocks);
    /* A barrier of RCU takes some 10 ms: liburcu's thread sleeps in between. */
    const size_t most = domain == LFSET_RCU ? 40 : 150;
    for (size_t count = 0; count < most; count++) {
        churn(set, count);
        CHECK_EQ(lfset_barrier(), 0);
        CHECK_EQ(garbage(domain).objects, 0);
        CHECK_EQ(garbage(domain).bytes, 0);
        CHECK_EQ(set_stats(set).retired, 0);
        CHECK_EQ(atomic_load(&memory.bytes), bytes);
        CHECK_EQ(atomic_load(&memory.blocks), blocks);
    }
    set_end(set, &memory);
}

/* A thread that does something to the set, stops there until it may go on, and ends. */
struct stopper {
    struct lfset_u64 *set;
    struct event stopped;
    struct event go_on;
    atomic_bool done;
};

static void stopper_init(struct stopper *stopper, struct lfset_u64 *set)
{
    stopper->set = set;
    event_init(&stopper->stopped);
    event_init(&stopper->go_on);
    atomic_init(&stopper->done, false);
}

static void stop_in_section(void *arg)
{
    struct stopper *me = arg;
    if (lfset_section_enter() != 0 || lfset_u64_contains(me->set, 1) != 1)
        fault("a reader could not begin");
    event_signal(&me->stopped);
    event_wait(&me->go_on, 1);
    if (lfset_u64_contains(me->set, 1) != 1 || lfset_section_leave() != 0)
        fault("a reader could not end");
    event_signal(&me->stopped);
    event_wait(&me->go_on, 2);
}

static void call_barrier(void *arg)
{
    struct stopper *me = arg;
    if (lfset_barrier() != 0)
        fault("barrier failed");
    atomic_store(&me->done, true);
}

TEST_BOTH(reclaim, barrier_waits_for_a_section_that_protects)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 4, &memory);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    for (size_t round = 0; round < scaled(40); round++) {
        struct stopper reader;
        struct stopper waiter;
        struct crew readers;
        struct crew waiters;
        stopper_init(&reader, set);
        stopper_init(&waiter, set);
        churn(set, 1);
        memory_pin_newest(&memory); /* the slice that the reader uses */
        crew_start(&readers, 1, stop_in_section, &reader, sizeof reader);
        event_wait(&reader.stopped, 1);
        churn(set, 1 + round);
        crew_start(&waiters, 1, call_barrier, &waiter, sizeof waiter);
        for (size_t i = 0; i < 100; i++)
            sched_yield();
        CHECK(!atomic_load(&waiter.done), "barrier did not wait for a section");
        check_faults();
        CHECK(garbage(domain).objects >= 1, "what a section uses is not counted as garbage");
        memory_unpin(&memory);
        event_signal(&reader.go_on);
        crew_join(&waiters); /* the reader's thread is still there, but in no section */
        CHECK_EQ(set_stats(set).retired, 0);
        event_signal(&reader.go_on);
        crew_join(&readers);
        check_faults();
    }
    set_end(set, &memory);
}

static void work_and_idle(void *arg)
{
    struct stopper *me = arg;
    if (lfset_u64_contains(me->set, 1) != 1 || lfset_u64_add(me->set, 2) < 0 ||
        lfset_section_enter() != 0 || lfset_u64_contains(me->set, 1) != 1 ||
        lfset_section_leave() != 0 || lfset_u64_contains(me->set, 1) != 1)
        fault("an operation failed");
    event_signal(&me->stopped);
    event_wait(&me->go_on, 1);
}

/* A thread that is in no section and no operation holds nothing back, though it lives on. */
TEST_BOTH(reclaim, idle_threads_hold_nothing_back)
{
    enum { THREADS = 8 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 5, &memory);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    struct stopper idle[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        stopper_init(&idle[i], set);
    struct crew crew;
    crew_start(&crew, THREADS, work_and_idle, idle, sizeof *idle);
    for (size_t i = 0; i < THREADS; i++)
        event_wait(&idle[i].stopped, 1);
    churn(set, 5);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(garbage(domain).objects, 0);
    CHECK_EQ(set_stats(set).retired, 0);
    for (size_t i = 0; i < THREADS; i++)
        event_signal(&idle[i].go_on);
    crew_join(&crew);
    set_end(set, &memory);
}

/* Retires now and then, until told to stop; between two turns it waits for main to look. */
struct retirer {
    struct lfset_u64 *set;
    bool in_turns;
    struct event turn;
    struct event turned;
    atomic_bool stop;
};

static void retire_on(void *arg)
{
    struct retirer *me = arg;
    for (size_t turn = 1; !atomic_load(&me->stop); turn++) {
        if (me->in_turns)
            event_wait(&me->turn, turn);
        for (size_t i = 0; i < 7; i++)
            if (lfset_u64_size(me->set, NULL) < 0)
                fault("size failed");
        if (me->in_turns)
            event_signal(&me->turned);
    }
}

/* Barrier covers what others retired before it, while yet others go on retiring. */
TEST_BOTH(reclaim, barrier_covers_other_threads)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct retirer retirers[2] = {{.in_turns = true}, {.in_turns = false}};
    for (size_t i = 0; i < 2; i++) {
        retirers[i].set = set_new(domain, 0, i, &memory);
        event_init(&retirers[i].turn);
        event_init(&retirers[i].turned);
        atomic_init(&retirers[i].stop, false);
    }
    struct crew crew;
    crew_start(&crew, 2, retire_on, retirers, sizeof *retirers);
    const size_t turns = scaled(domain == LFSET_RCU ? 40 : 300);
    for (size_t turn = 1; turn <= turns; turn++) {
        event_signal(&retirers[0].turn);
        event_wait(&retirers[0].turned, turn);
        CHECK_EQ(lfset_barrier(), 0);
        CHECK_EQ(set_stats(retirers[0].set).retired, 0);
    }
    for (size_t i = 0; i < 2; i++)
        atomic_store(&retirers[i].stop, true);
    event_signal(&retirers[0].turn);
    crew_join(&crew);
    for (size_t i = 0; i < 2; i++) {
        set_check(retirers[i].set);
        CHECK_EQ(lfset_u64_destroy(retirers[i].set), 0);
    }
    memory_check_balance(&memory);
}

static void bark(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < 50; i++)
        if (lfset_barrier() != 0)
            fault("barrier failed");
}

TEST_BOTH(reclaim, barriers_at_the_same_time)
{
    struct lfset_u64 *set = set_new(domain, 0, 6, NULL);
    struct crew crew;
    crew_start(&crew, 4, bark, NULL, 0);
    churn(set, scaled(3000));
    crew_join(&crew);
    set_end(set, NULL);
}

/* ---- stopped readers ---- */

/* The bound that lfset.h and hp.c promise, in objects and in bytes, all through the churn. */
static void garbage_is_bounded(uint64_t capacity)
{
    enum { READERS = 5, RECORDS = READERS + 1 };
    const size_t successions = scaled(10000);
    struct lfset_u64 *set = set_new(LFSET_HP, capacity, 7, NULL);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    const struct lfset_stats stats = set_stats(set);
    struct stopper readers[READERS];
    struct crew crews[READERS];
    for (size_t i = 0; i < READERS; i++) {
        stopper_init(&readers[i], set);
        crew_start(&crews[i], 1, stop_in_section, &readers[i], 0);
        event_wait(&readers[i].stopped, 1);
        churn(set, 1);
    }
    struct lfset_garbage most = {0, 0};
    for (size_t i = 0; i < successions; i++) {
        churn(set, 1);
        const struct lfset_garbage now = garbage(LFSET_HP);
        most.objects = now.objects > most.objects ? now.objects : most.objects;
        most.bytes = now.bytes > most.bytes ? now.bytes : most.bytes;
    }
    const size_t held = (size_t)READERS * LFSET_HP_SLOTS;
    /* stats.bytes is the set and one slice, so a little more than a slice */
    const size_t held_bytes = (held + RECORDS) * (size_t)stats.bytes;
    cr_log_info("%zu successions, %d readers stopped: at most %zu objects, %zu bytes held",
                successions, READERS, most.objects, most.bytes);
    CHECK_EQ(set_stats(set).capacity, stats.capacity);
    CHECK(most.objects >= READERS, "the readers held nothing: the test tests nothing");
    CHECK(most.objects <= held + RECORDS * UNSCANNED_OBJECTS, "%zu objects held", most.objects);
    CHECK(most.bytes <= held_bytes + RECORDS * UNSCANNED_BYTES, "%zu bytes held", most.bytes);
    for (size_t i = 0; i < READERS; i++) {
        event_signal(&readers[i].go_on);
        event_signal(&readers[i].go_on);
        crew_join(&crews[i]);
    }
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(garbage(LFSET_HP).objects, 0);
    set_end(set, NULL);
}

TEST(reclaim, garbage_is_bounded_under_stopped_readers_hp)
{
    garbage_is_bounded(0);   /* the bound in objects bites */
    garbage_is_bounded(300); /* the bound in bytes */
}

/* The one in the section may be the one who retires. */
TEST(reclaim, garbage_is_bounded_in_a_working_section_hp)
{
    struct lfset_u64 *set = set_new(LFSET_HP, 0, 7, NULL); /* so small that bytes do not matter */
    size_t most = 0;
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    CHECK_EQ(lfset_section_enter(), 0);
    for (size_t i = 0; i < scaled(5000); i++) {
        churn(set, 1);
        CHECK_EQ(lfset_u64_contains(set, 1), 1);
        const size_t now = garbage(LFSET_HP).objects;
        most = now > most ? now : most;
    }
    cr_log_info("at most %zu objects held", most);
    CHECK(most <= LFSET_HP_SLOTS + UNSCANNED_OBJECTS, "%zu objects held", most);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(garbage(LFSET_HP).objects, 0);
    set_end(set, NULL);
}

/* Large slices do not wait for many of them: the bound in bytes bites. */
TEST(reclaim, garbage_of_large_slices_is_bounded_hp)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(LFSET_HP, 20000, 8, &memory);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    struct stopper reader;
    struct crew crew;
    stopper_init(&reader, set);
    crew_start(&crew, 1, stop_in_section, &reader, 0);
    event_wait(&reader.stopped, 1);
    const size_t slice = (size_t)set_stats(set).bytes;
    size_t most = 0;
    for (size_t i = 0; i < scaled(500); i++) {
        churn(set, 1);
        const size_t now = garbage(LFSET_HP).bytes;
        most = now > most ? now : most;
    }
    cr_log_info("a slice has %zu bytes; one stopped reader: at most %zu bytes held", slice, most);
    CHECK(most <= (LFSET_HP_SLOTS + 2) * slice + 2 * UNSCANNED_BYTES, "%zu bytes held", most);
    event_signal(&reader.go_on);
    event_signal(&reader.go_on);
    crew_join(&crew);
    set_end(set, &memory);
}

/* RCU keeps all of it; lfset.h says so. When the reader goes on, everything is freed. */
TEST(reclaim, garbage_grows_under_a_stopped_reader_rcu)
{
    const size_t successions = scaled(5000);
    struct lfset_u64 *set = set_new(LFSET_RCU, 300, 9, NULL);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    struct stopper reader;
    struct crew crew;
    stopper_init(&reader, set);
    crew_start(&crew, 1, stop_in_section, &reader, 0);
    event_wait(&reader.stopped, 1);
    churn(set, successions);
    const struct lfset_garbage now = garbage(LFSET_RCU);
    cr_log_info("%zu successions, 1 reader stopped: %zu objects, %zu bytes held", successions,
                now.objects, now.bytes);
    CHECK(now.objects >= successions, "only %zu objects wait for a reader", now.objects);
    CHECK_EQ(set_stats(set).retired, now.objects);
    event_signal(&reader.go_on);
    event_wait(&reader.stopped, 2);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(garbage(LFSET_RCU).objects, 0);
    CHECK_EQ(garbage(LFSET_RCU).bytes, 0);
    event_signal(&reader.go_on);
    crew_join(&crew);
    set_end(set, NULL);
}

static int stop_in_visit(uint64_t key, void *ctx)
{
    struct stopper *me = ctx;
    if (key == 1) {
        event_signal(&me->stopped);
        event_wait(&me->go_on, 1);
    }
    return 0;
}

static void stop_in_each(void *arg)
{
    struct stopper *me = arg;
    if (lfset_u64_each(me->set, stop_in_visit, me, NULL) != 0)
        fault("each failed");
}

/* "Nothing is held back while `visit` runs except the memory of a slice or two", on RCU too. */
TEST_BOTH(reclaim, a_visitor_that_stops_holds_little_back)
{
    enum { READERS = 3 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 300, 10, &memory);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    const long long rest = atomic_load(&memory.bytes);
    struct stopper readers[READERS];
    struct crew crews[READERS];
    for (size_t i = 0; i < READERS; i++) {
        churn(set, 1);
        memory_pin_newest(&memory);
        stopper_init(&readers[i], set);
        crew_start(&crews[i], 1, stop_in_each, &readers[i], 0);
        event_wait(&readers[i].stopped, 1);
    }
    for (size_t i = 0; i < 10; i++) {
        churn(set, scaled(300));
        CHECK_EQ(lfset_barrier(), 0); /* no visitor is in anybody's way */
        CHECK(atomic_load(&memory.bytes) <= (1 + 2 * READERS) * rest, "%lld bytes are in use",
              (long long)atomic_load(&memory.bytes));
    }
    check_faults();
    memory_unpin(&memory);
    for (size_t i = 0; i < READERS; i++) {
        event_signal(&readers[i].go_on);
        crew_join(&crews[i]);
    }
    set_end(set, &memory);
}

/* ---- more hazards than any fixed cache ---- */

/*
 * Threads that stop in the middle of an operation: in the allocator, which an operation calls while
 * it protects the slice that it is about to give a successor. Each protects another slice, all of
 * them are retired, and none may be freed before its thread went on. (ck 0.7.1's scan overran its
 * cache of 512 hazards and freed what it had not read.)
 */
struct stopping_memory {
    struct memory memory;
    void *(*alloc)(void *ctx, size_t size, size_t align);
};

static __thread struct stopper *stop_in_next_alloc;

static void *stopping_alloc(void *ctx, size_t size, size_t align)
{
    struct stopper *me = stop_in_next_alloc;
    if (me != NULL) {
        stop_in_next_alloc = NULL;
        event_signal(&me->stopped);
        event_wait(&me->go_on, 1);
    }
    return ((struct stopping_memory *)ctx)->alloc(ctx, size, align);
}

static void stop_in_operation(void *arg)
{
    struct stopper *me = arg;
    stop_in_next_alloc = me;
    const int64_t size = lfset_u64_size(me->set, NULL);
    if (size != 1)
        fault("size answers %" PRId64, size);
    if (lfset_u64_contains(me->set, 1) != 1)
        fault("the key is gone");
}

TEST_BOTH(reclaim, more_than_512_stopped_threads)
{
    enum { READERS = 700 };
    static struct stopper readers[READERS];
    static struct crew crews[READERS];
    static struct stopping_memory stopping;
    memory_init(&stopping.memory, 0);
    stopping.alloc = stopping.memory.hook.alloc;
    stopping.memory.hook.alloc = stopping_alloc;
    struct lfset_u64 *set = set_new(domain, 0, 11, &stopping.memory);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    for (size_t i = 0; i < READERS; i++) {
        churn(set, 1);
        memory_pin_newest(&stopping.memory);
        stopper_init(&readers[i], set);
        /* Every third stops in a section between two operations. */
        crew_start(&crews[i], 1, i % 3 == 2 ? stop_in_section : stop_in_operation, &readers[i], 0);
        event_wait(&readers[i].stopped, 1);
    }
    churn(set, 1000);
    check_faults(); /* nothing pinned was freed */
    const struct lfset_garbage now = garbage(domain);
    cr_log_info("%d threads stopped: %zu objects, %zu bytes held", READERS, now.objects, now.bytes);
    CHECK(now.objects >= READERS, "only %zu objects held for %d readers", now.objects, READERS);
    if (domain == LFSET_HP)
        CHECK(now.objects <= READERS * LFSET_HP_SLOTS + UNSCANNED_OBJECTS, "%zu objects held",
              now.objects);
    memory_unpin(&stopping.memory);
    /* From both ends, with churn in between: what goes on must find its slice as it left it. */
    for (size_t i = 0; i < READERS; i++) {
        const size_t reader = i % 2 == 0 ? i / 2 : READERS - 1 - i / 2;
        event_signal(&readers[reader].go_on);
        event_signal(&readers[reader].go_on);
        crew_join(&crews[reader]);
        churn(set, 2);
    }
    check_faults();
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(garbage(domain).objects, 0);
    set_end(set, &stopping.memory);
}

/* ---- the end of a set ---- */

/* A thread in a section of its own business may have used this set before; it does not any more, so
 * destroy gives everything back and does not wait for the section. */
TEST(reclaim, destroy_does_not_wait_for_sections_hp)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(LFSET_HP, 0, 12, &memory);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    struct stopper reader;
    struct crew crew;
    stopper_init(&reader, set);
    crew_start(&crew, 1, stop_in_section, &reader, 0);
    event_wait(&reader.stopped, 1);
    churn(set, 200);
    CHECK_EQ(lfset_u64_destroy(set), 0);
    memory_check_balance(&memory);

    struct lfset_u64 *other = set_new(LFSET_HP, 0, 13, &memory);
    CHECK_EQ(lfset_u64_add(other, 1), 1);
    reader.set = other;
    event_signal(&reader.go_on);
    event_signal(&reader.go_on);
    crew_join(&crew);
    check_faults();
    set_end(other, &memory);
}

TEST_BOTH(reclaim, sets_come_and_go)
{
    struct memory memory;
    memory_init(&memory, 0);
    for (size_t round = 0; round < scaled(domain == LFSET_RCU ? 80 : 2000); round++) {
        struct lfset_u64 *set = set_new(domain, 0, round, &memory);
        struct lfset_u64 *other = set_new(domain, 0, round, &memory);
        for (uint64_t key = 0; key < 50; key++) {
            CHECK_EQ(lfset_u64_add(set, key), 1);
            CHECK_EQ(lfset_u64_add(other, key), 1);
        }
        set_end(other, NULL);
        CHECK_EQ(lfset_u64_size(set, NULL), 50);
        set_end(set, &memory);
        CHECK_EQ(garbage(domain).objects, 0);
    }
}

// SPDX-License-Identifier: MIT
/* Threads that end, in whatever state, and processes that fork. */
#define _GNU_SOURCE
#include "support.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <urcu/urcu-bp.h>

static void churn(struct lfset_u64 *set, size_t successions)
{
    for (size_t i = 0; i < successions; i++)
        set_force_succession(set);
}

/* ---- threads end ---- */

struct pair {
    struct lfset_u64 *rcu;
    struct lfset_u64 *hp;
};

static struct pair pair_new(struct memory *memory)
{
    struct pair pair = {set_new(LFSET_RCU, 0, 1, memory), set_new(LFSET_HP, 0, 2, memory)};
    return pair;
}

static void pair_end(struct pair *pair, struct memory *memory)
{
    set_end(pair->rcu, NULL);
    set_end(pair->hp, memory);
}

/* Reads, writes, retires and uses a section, in both domains. */
static void use_both(void *arg)
{
    struct pair *pair = arg;
    struct lfset_u64 *const sets[2] = {pair->rcu, pair->hp};
    for (size_t i = 0; i < 2; i++) {
        const bool ok = lfset_u64_add(sets[i], 1) >= 0 && lfset_u64_contains(sets[i], 2) >= 0 &&
                        lfset_u64_size(sets[i], NULL) >= 0 && lfset_section_enter() == 0 &&
                        lfset_u64_remove(sets[i], 1) >= 0 && lfset_u64_size(sets[i], NULL) >= 0 &&
                        lfset_section_leave() == 0;
        if (!ok)
            fault("an operation failed");
    }
}

static size_t resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL, "no /proc/self/statm");
    CHECK_EQ(fscanf(file, "%*s %ld", &pages), 1);
    fclose(file);
    return (size_t)pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Ten thousand threads, one after the other, leave nothing behind. */
TEST(threads, in_sequence_cost_no_memory)
{
    const size_t threads = scaled(10000);
    struct memory memory;
    memory_init(&memory, 0);
    struct pair pair = pair_new(&memory);
    for (size_t i = 0; i < 200; i++)
        crew_run(1, use_both, &pair, 0);
    CHECK_EQ(lfset_barrier(), 0);
    const size_t heap = heap_in_use();
    const size_t resident = resident_bytes();
    for (size_t i = 0; i < threads; i++)
        crew_run(1, use_both, &pair, 0);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(garbage(LFSET_RCU).objects, 0);
    CHECK_EQ(garbage(LFSET_HP).objects, 0);
    const long long grown = (long long)heap_in_use() - (long long)heap;
    cr_log_info("%zu threads: heap %+lld bytes, resident %+lld bytes", threads, grown,
                (long long)resident_bytes() - (long long)resident);
    /* A tenth of the smallest record that a thread could have left behind. */
    CHECK(grown < (long long)threads * 8, "%zu threads left %lld bytes", threads, grown);
    pair_end(&pair, &memory);
}

TEST(threads, many_at_once_then_again)
{
    enum { THREADS = 200 };
    struct memory memory;
    memory_init(&memory, 0);
    struct pair pair = pair_new(&memory);
    crew_run(THREADS, use_both, &pair, 0);
    CHECK_EQ(lfset_barrier(), 0);
    const size_t heap = heap_in_use();
    for (size_t i = 0; i < 5; i++)
        crew_run(THREADS, use_both, &pair, 0);
    CHECK_EQ(lfset_barrier(), 0);
    /* Not all ran together in the first round, so a few more may be known now. */
    const long long grown = (long long)heap_in_use() - (long long)heap;
    CHECK(grown < 4ll * THREADS * 512, "%d threads left %lld bytes", 5 * THREADS, grown);
    pair_end(&pair, &memory);
}

struct stopper {
    struct lfset_u64 *set;
    size_t successions;
    struct event stopped;
    struct event go_on;
};

static void stop_in_section(void *arg)
{
    struct stopper *me = arg;
    if (lfset_section_enter() != 0 || lfset_u64_contains(me->set, 1) != 1)
        fault("a reader could not begin");
    event_signal(&me->stopped);
    event_wait(&me->go_on, 1);
    if (lfset_section_leave() != 0)
        fault("a reader could not end");
}

static void retire_and_end(void *arg)
{
    struct stopper *me = arg;
    for (size_t i = 0; i < me->successions; i++)
        if (lfset_u64_size(me->set, NULL) < 0)
            fault("size failed");
}

/* What a thread retired and could not free before it ended is freed by those who live on. */
TEST_BOTH(threads, orphans_are_adopted)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 3, &memory);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    churn(set, 1); /* the very first slice is a little smaller: it has no predecessor */
    CHECK_EQ(lfset_barrier(), 0);
    const long long rest = atomic_load(&memory.bytes);
    for (size_t round = 0; round < scaled(60); round++) {
        struct stopper reader = {.set = set};
        event_init(&reader.stopped);
        event_init(&reader.go_on);
        struct crew readers;
        memory_pin_newest(&memory);
        crew_start(&readers, 1, stop_in_section, &reader, 0);
        event_wait(&reader.stopped, 1);

        /* Among others they retire the slice that the reader is in. */
        struct stopper retirer = {.set = set, .successions = 1 + round % 80};
        crew_run(1 + round % 3, retire_and_end, &retirer, 0);
        CHECK(garbage(domain).objects >= 1, "the reader's slice was not retired");
        check_faults();
        memory_unpin(&memory);
        event_signal(&reader.go_on);
        crew_join(&readers);
        CHECK_EQ(lfset_barrier(), 0);
        CHECK_EQ(set_stats(set).retired, 0);
        CHECK_EQ(atomic_load(&memory.bytes), rest);
    }
    set_end(set, &memory);
}

static void retire_step_by_step(void *arg)
{
    struct stopper *me = arg;
    for (size_t i = 1; i <= me->successions; i++) {
        event_wait(&me->go_on, i);
        if (lfset_u64_size(me->set, NULL) < 0)
            fault("size failed");
        event_signal(&me->stopped);
    }
}

static void leave_and_stay(void *arg)
{
    stop_in_section(arg);
    struct stopper *me = arg;
    event_signal(&me->stopped);
    event_wait(&me->go_on, 2);
}

/* Nor does it take a barrier: whoever retires next takes the orphans along. One thread retires many
 * slices, all of them held by readers, and ends; then the readers let go, but live on. */
TEST(threads, orphans_are_adopted_without_a_barrier_hp)
{
    enum { READERS = 100, UNSCANNED = 64 }; /* hp.c: a record with more is scanned */
    struct lfset_u64 *set = set_new(LFSET_HP, 0, 3, NULL);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    struct stopper retirer = {.set = set, .successions = READERS};
    event_init(&retirer.stopped);
    event_init(&retirer.go_on);
    static struct stopper readers[READERS];
    static struct crew crews[READERS];
    struct crew retirers;
    crew_start(&retirers, 1, retire_step_by_step, &retirer, 0);
    for (size_t i = 0; i < READERS; i++) {
        readers[i].set = set;
        event_init(&readers[i].stopped);
        event_init(&readers[i].go_on);
        crew_start(&crews[i], 1, leave_and_stay, &readers[i], 0);
        event_wait(&readers[i].stopped, 1);
        event_signal(&retirer.go_on);
        event_wait(&retirer.stopped, i + 1);
    }
    crew_join(&retirers);
    CHECK(garbage(LFSET_HP).objects >= READERS, "the readers hold only %zu slices",
          garbage(LFSET_HP).objects);
    for (size_t i = 0; i < READERS; i++) {
        event_signal(&readers[i].go_on);
        event_wait(&readers[i].stopped, 2);
    }
    churn(set, 2 * UNSCANNED);
    CHECK(garbage(LFSET_HP).objects <= UNSCANNED, "%zu orphans are left",
          garbage(LFSET_HP).objects);
    for (size_t i = 0; i < READERS; i++) {
        event_signal(&readers[i].go_on);
        crew_join(&crews[i]);
    }
    check_faults();
    set_end(set, NULL);
}

/* A destructor of thread-specific data that uses sets, before or after the library's own ran. */
static pthread_key_t late_key;

static void use_both_late(void *arg)
{
    use_both(arg);
}

static void set_late_key(void *arg)
{
    use_both(arg);
    if (pthread_setspecific(late_key, arg) != 0)
        fault("pthread_setspecific failed");
}

static void destructors_use_sets(bool key_first)
{
    struct memory memory;
    memory_init(&memory, 0);
    if (key_first)
        CHECK_EQ(pthread_key_create(&late_key, use_both_late), 0);
    struct pair pair = pair_new(&memory);
    if (!key_first)
        CHECK_EQ(pthread_key_create(&late_key, use_both_late), 0);
    for (size_t i = 0; i < 100; i++)
        crew_run(1, set_late_key, &pair, 0);
    CHECK_EQ(lfset_barrier(), 0);
    const size_t heap = heap_in_use();
    const size_t threads = scaled(2000);
    for (size_t i = 0; i < threads; i++)
        crew_run(1, set_late_key, &pair, 0);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(garbage(LFSET_RCU).objects, 0);
    CHECK_EQ(garbage(LFSET_HP).objects, 0);
    const long long grown = (long long)heap_in_use() - (long long)heap;
    CHECK(grown < (long long)threads * 8, "%zu threads left %lld bytes", threads, grown);
    pair_end(&pair, &memory);
}

TEST(threads, destructors_before_the_library_s)
{
    destructors_use_sets(true);
}

TEST(threads, destructors_after_the_library_s)
{
    destructors_use_sets(false);
}

/* A thread that is gone is in no section: it holds nothing back and its record is free again. */
static void end_inside_a_section(void *arg)
{
    struct stopper *me = arg;
    if (lfset_section_enter() != 0 || lfset_section_enter() != 0 ||
        lfset_u64_contains(me->set, 1) != 1)
        fault("a reader could not begin");
}

TEST_BOTH(threads, ending_inside_a_section_leaves_it)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 4, &memory);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    for (size_t i = 0; i < scaled(200); i++) {
        struct stopper reader = {.set = set};
        crew_run(1, end_inside_a_section, &reader, 0);
        churn(set, 3);
        CHECK_EQ(lfset_barrier(), 0);
        CHECK_EQ(garbage(domain).objects, 0);
    }
    set_end(set, &memory);
}

/* ---- a thread that cannot be attached for lack of memory ---- */

#if !defined(SUPPORT_ASAN) /* whose malloc ends the program instead of failing */

struct starved {
    struct lfset_u64 *set;
    int attach;
    int enter;
    int leave;
    int barrier;
    int contains;
    int add;
    int attach_fed;
    int add_fed;
};

/* Takes all memory that malloc gives, uses the library, gives the memory back. */
static void *use_without_memory(void *arg)
{
    struct starved *me = arg;
    void **all = NULL;
    for (size_t size = 1 << 20; size >= sizeof(void *); size /= 2) {
        for (void **block = malloc(size); block != NULL; block = malloc(size)) {
            *block = (void *)all;
            all = block;
        }
    }
    me->attach = lfset_thread_attach();
    me->enter = lfset_section_enter();
    me->leave = lfset_section_leave();
    me->barrier = lfset_barrier();
    me->contains = lfset_u64_contains(me->set, 1);
    me->add = lfset_u64_add(me->set, 2);
    while (all != NULL) {
        void **next = *all;
        free(all);
        all = next;
    }
    me->attach_fed = lfset_thread_attach();
    me->add_fed = lfset_u64_add(me->set, 2);
    return NULL;
}

static const char *attach_without_memory(void *arg)
{
    struct starved *me = arg;
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%ld", &pages) != 1)
        return "no /proc/self/statm";
    fclose(file);
    /* Room for the thread's stack and a little more. */
    const rlim_t room = (rlim_t)(pages * sysconf(_SC_PAGESIZE)) + (4 << 20);
    if (setrlimit(RLIMIT_AS, &(struct rlimit){room, room}) != 0)
        return "setrlimit failed";
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 256 << 10);
    if (pthread_create(&thread, &attributes, use_without_memory, me) != 0)
        return "no thread";
    pthread_join(thread, NULL);
    if (me->attach != -ENOMEM)
        return "attach does not answer -ENOMEM";
    if (me->enter != -ENOMEM)
        return "section_enter does not answer -ENOMEM";
    if (me->leave != -EPERM)
        return "a section is open that could not be";
    if (me->barrier != -ENOMEM)
        return "barrier does not answer -ENOMEM";
    if (me->contains != -ENOMEM && me->contains != 1)
        return "contains answers neither -ENOMEM nor 1";
    if (me->add != -ENOMEM && me->add != 1)
        return "add answers neither -ENOMEM nor 1";
    if (me->attach_fed != 0 || me->add_fed != (me->add != 1))
        return "with memory the thread still cannot";
    return NULL;
}

TEST_BOTH(threads, attach_without_memory)
{
    struct starved starved = {.set = set_new(domain, 0, 5, NULL)};
    CHECK_EQ(lfset_u64_add(starved.set, 1), 1);
    /* liburcu aborts when it has no memory for its first reader; after this it has some to spare. */
    CHECK_EQ(lfset_thread_attach(), 0);
    check_in_child(attach_without_memory, &starved);
    set_end(starved.set, NULL);
}

#endif

/* ---- fork ---- */

enum { STABLE = 500 };

/* Every function, in a process that just forked or whose parent did. @return what went wrong. */
static const char *use_everything(struct lfset_u64 *set, bool alone)
{
    struct lfset_u64_snapshot *snapshot = NULL;
    const uint64_t mine = UINT64_C(1) << 62;
    uint64_t popped = 0;
    for (uint64_t key = 0; key < STABLE; key++)
        if (lfset_u64_contains(set, key) != 1)
            return "a key is gone";
    for (uint64_t key = mine; key < mine + 300; key++)
        if (lfset_u64_add(set, key) != 1)
            return "add does not answer 1";
    for (uint64_t key = mine; key < mine + 300; key++)
        if (lfset_u64_remove(set, key) != 1)
            return "remove does not answer 1";
    if (lfset_u64_size(set, NULL) < STABLE)
        return "size is too small";
    if (lfset_u64_snapshot_take(set, &snapshot, NULL) != 0)
        return "no snapshot";
    for (uint64_t key = 0; key < STABLE; key++)
        if (lfset_u64_snapshot_contains(snapshot, key) != 1)
            return "a snapshot lacks a key";
    lfset_u64_snapshot_destroy(snapshot);
    if (lfset_section_enter() != 0 || lfset_u64_contains(set, 1) != 1 || lfset_section_leave() != 0)
        return "no section";
    if (!alone)
        return NULL;
    if (lfset_u64_pop(set, &popped) != 1 || lfset_u64_contains(set, popped) != 0)
        return "pop";
    if (lfset_u64_clear(set, NULL) < STABLE - 1 || lfset_u64_is_empty(set) != 1)
        return "clear";
    return NULL;
}

static const char *destroy_and_begin_anew(struct pair *pair)
{
    if (lfset_barrier() != 0)
        return "barrier";
    struct lfset_garbage left[2];
    if (lfset_garbage_read(LFSET_RCU, &left[0]) != 0 || lfset_garbage_read(LFSET_HP, &left[1]) != 0)
        return "garbage_read";
    if (left[0].objects != 0)
        return "a barrier left RCU garbage";
    if (left[1].objects != 0)
        return "a barrier left HP garbage";
    if (lfset_u64_destroy(pair->rcu) != 0 || lfset_u64_destroy(pair->hp) != 0)
        return "destroy";
    for (int domain = 0; domain < 2; domain++) {
        struct lfset_options options = LFSET_OPTIONS_INIT;
        options.domain = (enum lfset_domain)domain;
        struct lfset_u64 *set = NULL;
        if (lfset_u64_create(&set, &options) != 0)
            return "create";
        for (uint64_t key = 0; key < STABLE; key++)
            if (lfset_u64_add(set, key) != 1)
                return "add to a new set";
        const char *wrong = use_everything(set, true);
        if (wrong != NULL)
            return wrong;
        if (lfset_u64_destroy(set) != 0)
            return "destroy of a new set";
    }
    return NULL;
}

static const char *child_uses_both(void *arg)
{
    struct pair *pair = arg;
    const char *wrong = use_everything(pair->rcu, true);
    if (wrong == NULL)
        wrong = use_everything(pair->hp, true);
    return wrong == NULL ? destroy_and_begin_anew(pair) : wrong;
}

static struct pair stable_pair(void)
{
    struct pair pair = pair_new(NULL);
    for (uint64_t key = 0; key < STABLE; key++) {
        CHECK_EQ(lfset_u64_add(pair.rcu, key), 1);
        CHECK_EQ(lfset_u64_add(pair.hp, key), 1);
    }
    return pair;
}

static const char *child_validates(void *arg)
{
    struct pair *pair = arg;
    const char *reason = "a set does not validate";
    if (lfset_u64_validate(pair->rcu, &reason) != 1 || lfset_u64_validate(pair->hp, &reason) != 1)
        return reason;
    return child_uses_both(pair);
}

TEST(threads, fork_at_rest)
{
    struct pair pair = stable_pair();
    check_in_child(child_validates, &pair);
    pair_end(&pair, NULL);
}

/* A program that prepares liburcu for forks itself, as liburcu's manual says. */
TEST(threads, fork_prepared_by_the_program)
{
    lfset_fork_leave_urcu();
    struct pair pair = stable_pair();
    for (size_t i = 0; i < 5; i++) {
        churn(pair.rcu, 5);
        churn(pair.hp, 5);
        urcu_bp_call_rcu_before_fork();
        urcu_bp_before_fork();
        const pid_t child = fork();
        if (child == 0) {
            urcu_bp_after_fork_child();
            urcu_bp_call_rcu_after_fork_child();
            alarm(TEST_TIMEOUT / 2);
            _exit(child_uses_both(&pair) == NULL ? 0 : 1);
        }
        urcu_bp_after_fork_parent();
        urcu_bp_call_rcu_after_fork_parent();
        int status = 0;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, 0);
        CHECK(use_everything(pair.rcu, false) == NULL, "the parent's set is broken");
        CHECK(use_everything(pair.hp, false) == NULL, "the parent's set is broken");
    }
    CHECK_EQ(lfset_barrier(), 0);
    pair_end(&pair, NULL);
}

TEST(threads, fork_with_garbage_waiting)
{
    struct pair pair = stable_pair();
    for (size_t i = 0; i < scaled(100); i++) {
        churn(pair.rcu, 5);
        churn(pair.hp, 5);
        check_in_child(child_uses_both, &pair);
        CHECK(use_everything(pair.rcu, false) == NULL, "the parent's set is broken");
        CHECK(use_everything(pair.hp, false) == NULL, "the parent's set is broken");
    }
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(garbage(LFSET_RCU).objects, 0);
    CHECK_EQ(garbage(LFSET_HP).objects, 0);
    pair_end(&pair, NULL);
}

#if !defined(SUPPORT_ASAN) /* whose malloc is locked in a child when another thread was in it */

struct load {
    struct pair pair;
    uint64_t id;
    atomic_bool *stop;
    atomic_ullong rounds;
};

static int visit_all(uint64_t key, void *ctx)
{
    (void)key;
    ++*(uint64_t *)ctx;
    return 0;
}

/* Keeps both sets in succession all the time, with every kind of operation under way. */
static void load_body(void *arg)
{
    struct load *me = arg;
    struct lfset_u64 *const sets[2] = {me->pair.rcu, me->pair.hp};
    for (uint64_t i = 0; !atomic_load(me->stop); i++) {
        for (size_t s = 0; s < 2; s++) {
            const uint64_t key = STABLE + (me->id << 40) + i;
            if (lfset_u64_add(sets[s], key) != 1)
                fault("add does not answer 1");
            if (i >= 50 && lfset_u64_remove(sets[s], key - 50) != 1)
                fault("remove does not answer 1");
            uint64_t visits = 0;
            if (i % 64 == 0 && lfset_u64_size(sets[s], NULL) < STABLE)
                fault("size is too small");
            if (i % 128 == 1 &&
                (lfset_u64_each(sets[s], visit_all, &visits, NULL) != 0 || visits < STABLE))
                fault("each visited too few");
            if (i % 32 == 2 &&
                (lfset_section_enter() != 0 || lfset_u64_contains(sets[s], i % STABLE) != 1 ||
                 lfset_section_leave() != 0))
                fault("a key is gone");
        }
        atomic_store(&me->rounds, i + 1);
    }
}

static void *load_thread(void *arg)
{
    load_body(arg);
    return NULL;
}

/* The child starts threads of its own, and forks in its turn. */
static const char *child_works_on(void *arg)
{
    struct pair *pair = arg;
    pthread_t threads[2];
    struct load loads[2];
    atomic_bool stop = false;
    for (size_t i = 0; i < 2; i++) {
        loads[i] = (struct load){.pair = *pair, .id = 100 + i, .stop = &stop};
        atomic_init(&loads[i].rounds, 0);
        if (pthread_create(&threads[i], NULL, load_thread, &loads[i]) != 0)
            return "pthread_create";
    }
    while (atomic_load(&loads[0].rounds) < 200 || atomic_load(&loads[1].rounds) < 200)
        sched_yield();
    const pid_t grandchild = fork();
    if (grandchild == 0) {
        alarm(TEST_TIMEOUT / 3);
        _exit(child_uses_both(pair) == NULL ? 0 : 1);
    }
    int status = 0;
    if (waitpid(grandchild, &status, 0) != grandchild || status != 0)
        return "the grandchild failed";
    atomic_store(&stop, true);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    return child_uses_both(pair);
}

static void fork_under_load(const char *(*child)(void *), size_t forks)
{
    enum { THREADS = 3 };
    struct pair pair = stable_pair();
    atomic_bool stop = false;
    struct load loads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        loads[i] = (struct load){.pair = pair, .id = i, .stop = &stop};
        atomic_init(&loads[i].rounds, 0);
    }
    struct crew crew;
    crew_start(&crew, THREADS, load_body, loads, sizeof *loads);
    for (size_t i = 0; i < forks; i++) {
        /* Every thread is at work, somewhere in the middle of it. */
        for (size_t t = 0; t < THREADS; t++)
            while (atomic_load(&loads[t].rounds) < (i + 1) * 20)
                sched_yield();
        check_in_child(child, &pair);
        CHECK(use_everything(pair.rcu, false) == NULL, "the parent's set is broken");
        CHECK(use_everything(pair.hp, false) == NULL, "the parent's set is broken");
        check_faults();
    }
    atomic_store(&stop, true);
    crew_join(&crew);
    check_faults();
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(garbage(LFSET_RCU).objects, 0);
    CHECK_EQ(garbage(LFSET_HP).objects, 0);
    pair_end(&pair, NULL);
}

TEST(threads, fork_under_load)
{
    fork_under_load(child_uses_both, 50);
}

TEST(threads, fork_under_load_and_work_on)
{
    fork_under_load(child_works_on, 10);
}

#endif

// SPDX-License-Identifier: MIT
/*
 * An allocator that fails: for every n the n-th call alone, and every call from the n-th on.
 * Whatever answers -ENOMEM has changed nothing and works later; nothing is lost, nothing leaks.
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>

enum { KEYS = 160 };

/* A set, what it must contain, and how often it was refused memory. */
struct script {
    enum lfset_domain domain;
    struct memory memory;
    struct lfset_u64 *set;
    bool present[KEYS];
    int64_t live;
    uint64_t refusals;
    /* What snapshots hold must not suffer from later failures either. */
    struct lfset_u64_snapshot *kept;
    int64_t kept_count;
};

static uint64_t key_of(size_t i)
{
    return i * UINT64_C(0x9e3779b97f4a7c1);
}

/* Lookups need no memory (the thread is attached), so they must work and agree at any time. */
static void script_compare(const struct script *script)
{
    for (size_t i = 0; i < KEYS; i++)
        CHECK_EQ(lfset_u64_contains(script->set, key_of(i)), script->present[i]);
    if (script->kept != NULL)
        CHECK_EQ(lfset_u64_snapshot_count(script->kept), script->kept_count);
}

/* True when the step was refused. Then the set is as before, and the caller does the step again,
 * with memory. */
static bool refused(struct script *script, int64_t result)
{
    if (result != -ENOMEM)
        return false;
    CHECK(atomic_load(&script->memory.failures) > script->refusals,
          "-ENOMEM although no allocation failed");
    script_compare(script);
    set_check(script->set);
    memory_heal(&script->memory);
    script->refusals = atomic_load(&script->memory.failures);
    return true;
}

/* Repeats `call` once when it was refused; `result` then is what it answered in the end. */
#define STEP(result, call)                                                                         \
    do {                                                                                           \
        (result) = (call);                                                                         \
        if (refused(script, (result)))                                                             \
            (result) = (call);                                                                     \
    } while (0)

static void script_set(struct script *script, size_t i, bool present)
{
    script->live += (int64_t)present - (int64_t)script->present[i];
    script->present[i] = present;
}

static void script_add(struct script *script, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        int result = 0;
        STEP(result, lfset_u64_add(script->set, key_of(i)));
        CHECK_EQ(result, !script->present[i]);
        script_set(script, i, true);
    }
}

static void script_remove(struct script *script, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        int result = 0;
        STEP(result, lfset_u64_remove(script->set, key_of(i)));
        CHECK_EQ(result, script->present[i]);
        script_set(script, i, false);
    }
}

/* A batch may be refused in part: each key's own answer counts. */
static void script_batch(struct script *script, bool add)
{
    uint64_t keys[KEYS];
    int8_t results[KEYS];
    for (size_t i = 0; i < KEYS; i++)
        keys[i] = key_of(i);
    const int64_t sum = add ? lfset_u64_add_many(script->set, keys, KEYS, results)
                            : lfset_u64_remove_many(script->set, keys, KEYS, results);
    int64_t ones = 0;
    bool failed = false;
    for (size_t i = 0; i < KEYS; i++) {
        if (results[i] == -ENOMEM) {
            failed = true;
            continue;
        }
        CHECK_EQ(results[i], script->present[i] != add);
        ones += results[i];
        script_set(script, i, add);
    }
    CHECK_EQ(sum, failed ? -ENOMEM : ones);
    CHECK_EQ(refused(script, sum), failed);
    if (add)
        script_add(script, 0, KEYS);
    else
        script_remove(script, 0, KEYS);
}

static void script_size(struct script *script)
{
    int64_t result = 0;
    STEP(result, lfset_u64_size(script->set, NULL));
    CHECK_EQ(result, script->live);
    STEP(result, lfset_u64_is_empty(script->set));
    CHECK_EQ(result, script->live == 0);
}

static int visit_count(uint64_t key, void *ctx)
{
    (void)key;
    ++*(int64_t *)ctx;
    return 0;
}

static void script_each(struct script *script)
{
    int64_t visits = 0;
    CHECK_EQ(lfset_u64_each(script->set, visit_count, &visits, NULL), 0);
    CHECK_EQ(visits, script->live);
}

static void script_read(struct script *script, struct lfset_u64_snapshot *snapshot, int64_t count)
{
    uint64_t keys[KEYS + 1];
    int64_t result = 0;
    STEP(result, lfset_u64_snapshot_copy(snapshot, keys, KEYS + 1));
    CHECK_EQ(result, count);
    for (int64_t i = 1; i < result; i++)
        CHECK(keys[i - 1] < keys[i], "the snapshot's keys are not in order");
    int64_t visits = 0;
    STEP(result, lfset_u64_snapshot_each(snapshot, visit_count, &visits, NULL));
    CHECK_EQ(result, 0);
    CHECK_EQ(visits, count);
}

static struct lfset_u64_snapshot *script_snapshot(struct script *script)
{
    int rubbish = 0;
    struct lfset_u64_snapshot *snapshot = (struct lfset_u64_snapshot *)(void *)&rubbish;
    int result = lfset_u64_snapshot_take(script->set, &snapshot, NULL);
    if (refused(script, result)) {
        CHECK(snapshot == NULL, "a failed snapshot left something");
        result = lfset_u64_snapshot_take(script->set, &snapshot, NULL);
    }
    CHECK_EQ(result, 0);
    CHECK_EQ(lfset_u64_snapshot_count(snapshot), script->live);
    return snapshot;
}

static void script_drain(struct script *script)
{
    int rubbish = 0;
    struct lfset_u64_snapshot *snapshot = (struct lfset_u64_snapshot *)(void *)&rubbish;
    int result = lfset_u64_drain(script->set, &snapshot, NULL);
    if (refused(script, result)) {
        CHECK(snapshot == NULL, "a failed drain left something");
        result = lfset_u64_drain(script->set, &snapshot, NULL);
    }
    CHECK_EQ(result, 0);
    const int64_t drained = script->live;
    memset(script->present, 0, sizeof script->present);
    script->live = 0;
    script_compare(script);
    script_read(script, snapshot, drained);
    lfset_u64_snapshot_destroy(snapshot);
}

static void script_clear(struct script *script)
{
    int64_t result = 0;
    STEP(result, lfset_u64_clear(script->set, NULL));
    CHECK_EQ(result, script->live);
    memset(script->present, 0, sizeof script->present);
    script->live = 0;
}

static void script_pop(struct script *script)
{
    uint64_t key = 0;
    int result = 0;
    STEP(result, lfset_u64_pop(script->set, &key));
    CHECK_EQ(result, script->live > 0);
    for (size_t i = 0; result == 1 && i < KEYS; i++) {
        if (key_of(i) == key) {
            CHECK(script->present[i], "pop gave an absent key");
            script_set(script, i, false);
            result = 0;
        }
    }
    CHECK(result == 0, "pop gave a key that was never added");
}

/* Keys that are in the set for a moment: purges. */
static void script_churn(struct script *script)
{
    for (uint64_t i = 0; i < 600; i++) {
        const uint64_t key = ~i;
        int result = 0;
        STEP(result, lfset_u64_add(script->set, key));
        CHECK_EQ(result, 1);
        STEP(result, lfset_u64_remove(script->set, key));
        CHECK_EQ(result, 1);
    }
}

static void script_run(struct script *script)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = script->domain;
    options.allocator = &script->memory.hook;
    options.seed = 3;
    options.name = "short of memory";
    int rubbish = 0;
    script->set = (struct lfset_u64 *)(void *)&rubbish;
    int result = lfset_u64_create(&script->set, &options);
    if (result == -ENOMEM) {
        CHECK(atomic_load(&script->memory.failures) > 0, "-ENOMEM although no allocation failed");
        CHECK(script->set == NULL, "a failed create left something");
        memory_check_balance(&script->memory);
        memory_heal(&script->memory);
        script->refusals = atomic_load(&script->memory.failures);
        result = lfset_u64_create(&script->set, &options);
    }
    CHECK_EQ(result, 0);

    script_add(script, 0, KEYS);
    script_compare(script);
    script->kept = script_snapshot(script);
    script->kept_count = script->live;
    script_size(script);
    script_each(script);
    script_remove(script, 10, KEYS);
    script_churn(script);
    script_batch(script, true);
    struct lfset_u64_snapshot *snapshot = script_snapshot(script);
    script_read(script, snapshot, script->live);
    lfset_u64_snapshot_destroy(snapshot);
    script_drain(script);
    script_size(script);
    script_pop(script);
    script_add(script, 0, KEYS / 2);
    STEP(result, lfset_u64_reserve(script->set, 3000, NULL));
    CHECK_EQ(result, 0);
    script_pop(script);
    script_batch(script, false);
    script_size(script);
    script_add(script, 5, KEYS);
    script_clear(script);
    script_add(script, 0, 3);
    script_compare(script);
    for (size_t i = 0; i < 4; i++)
        script_pop(script);
    script_size(script);

    CHECK_EQ(lfset_u64_snapshot_contains(script->kept, key_of(KEYS - 1)), 1);
    memory_heal(&script->memory);
    set_check(script->set);
    CHECK_EQ(lfset_u64_destroy(script->set), 0);
    CHECK_EQ(lfset_u64_snapshot_count(script->kept), script->kept_count);
    lfset_u64_snapshot_destroy(script->kept);
    CHECK_EQ(lfset_barrier(), 0);
    memory_check_balance(&script->memory);
}

static void script_start(struct script *script, enum lfset_domain domain, unsigned flags)
{
    memset(script, 0, sizeof *script);
    script->domain = domain;
    memory_init(&script->memory, flags);
}

/* Until a run asks for fewer than n allocations. `from` makes all later ones fail as well, until a
 * step was refused. */
static void fail_each_allocation(enum lfset_domain domain, bool from)
{
    CHECK_EQ(lfset_thread_attach(), 0);
    uint64_t failed_runs = 0;
    for (unsigned long long n = 1;; n++) {
        struct script script;
        script_start(&script, domain, n % 2 == 0 ? LFSET_ALLOC_ZEROED : 0);
        if (from)
            atomic_store(&script.memory.fail_from, n);
        else
            atomic_store(&script.memory.fail_at, n);
        script_run(&script);
        failed_runs += atomic_load(&script.memory.failures) > 0;
        if (atomic_load(&script.memory.failures) == 0)
            break;
    }
    cr_log_info("%" PRIu64 " allocations failed, one by one", failed_runs);
    CHECK(failed_runs >= 20, "the script allocates only %" PRIu64 " times", failed_runs);
}

TEST_BOTH(u64_oom, the_nth_allocation_fails)
{
    fail_each_allocation(domain, false);
}

TEST_BOTH(u64_oom, all_allocations_fail_from_the_nth_on)
{
    fail_each_allocation(domain, true);
}

/* Without memory for a successor a full set says so, and is a working set of what it holds. */
TEST_BOTH(u64_oom, a_full_set_keeps_working)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 8, &memory);
    atomic_store(&memory.fail_from, 1);
    uint64_t held = 0;
    while (lfset_u64_add(set, held) == 1)
        held++;
    CHECK(held >= 3, "only %" PRIu64 " keys fit into the smallest slice", held);
    CHECK_EQ(lfset_u64_add(set, held), -ENOMEM);
    CHECK_EQ(lfset_u64_add(set, 0), 0);
    CHECK_EQ(lfset_u64_reserve(set, 1000, NULL), -ENOMEM);
    CHECK_EQ(lfset_u64_size(set, NULL), -ENOMEM);
    CHECK_EQ(lfset_u64_clear(set, NULL), -ENOMEM);
    struct lfset_u64_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_u64_snapshot_take(set, &snapshot, NULL), -ENOMEM);
    CHECK_EQ(lfset_u64_drain(set, &snapshot, NULL), -ENOMEM);
    for (uint64_t key = 0; key < 2 * held; key++)
        CHECK_EQ(lfset_u64_contains(set, key), key < held);
    CHECK_EQ(lfset_u64_is_empty(set), 0);
    /* No growth is under way (none could begin), so removing and adding again need no memory. */
    for (uint64_t key = 0; key < held; key++) {
        CHECK_EQ(lfset_u64_remove(set, key), 1);
        CHECK_EQ(lfset_u64_contains(set, key), 0);
        CHECK_EQ(lfset_u64_add(set, key), 1);
    }
    set_check(set);
    memory_heal(&memory);
    CHECK_EQ(lfset_u64_add(set, held), 1);
    for (uint64_t key = held + 1; key < 500; key++)
        CHECK_EQ(lfset_u64_add(set, key), 1);
    CHECK_EQ(lfset_u64_size(set, NULL), 500);
    set_end(set, &memory);
}

/* ---- many threads, random failures ---- */

struct worker {
    struct lfset_u64 *set;
    struct memory *memory;
    uint64_t id;
    size_t rounds;
    uint64_t live;
    uint64_t refusals;
};

static void worker_body(void *arg)
{
    enum { OWN = 64 };
    struct worker *worker = arg;
    struct random random = random_from(worker->id + 3000);
    bool present[OWN] = {false};
    for (size_t round = 0; round < worker->rounds; round++) {
        const bool add = random_below(&random, 10) < ((round / 300) % 2 == 0 ? 8u : 2u);
        const size_t i = random_below(&random, OWN);
        const uint64_t key = key_of(i * 16 + worker->id + (round / 2000) * 1024);
        if (round % 2000 == 0)
            for (size_t k = 0; k < OWN; k++) {
                /* New keys from here on: the old ones go, however often it takes. */
                const uint64_t old = key_of(k * 16 + worker->id + (round / 2000 - 1) * 1024);
                while (present[k]) {
                    const int result = lfset_u64_remove(worker->set, old);
                    if (result != 1 && result != -ENOMEM) {
                        fault("remove of a present key answers %d", result);
                        return;
                    }
                    present[k] = result != 1;
                    worker->refusals += result == -ENOMEM;
                }
            }
        int result = 0;
        if (random_below(&random, 50) == 0) {
            struct lfset_u64_snapshot *snapshot = NULL;
            result = lfset_u64_snapshot_take(worker->set, &snapshot, NULL);
            if ((result == 0) != (snapshot != NULL) || (result != 0 && result != -ENOMEM))
                fault("snapshot answers %d", result);
            if (result == 0 && lfset_u64_snapshot_contains(snapshot, key) != present[i])
                fault("a snapshot lost a key or kept one");
            lfset_u64_snapshot_destroy(snapshot);
        } else {
            result = add ? lfset_u64_add(worker->set, key) : lfset_u64_remove(worker->set, key);
            if (result == (present[i] != add))
                present[i] = add;
            else if (result != -ENOMEM)
                fault("%s answers %d", add ? "add" : "remove", result);
        }
        worker->refusals += result == -ENOMEM;
        const int found = lfset_u64_contains(worker->set, key);
        if (found != present[i])
            fault("contains answers %d after %s answered %d", found, add ? "add" : "remove",
                  result);
    }
    worker->live = 0;
    for (size_t i = 0; i < OWN; i++)
        worker->live += present[i];
}

TEST_BOTH(u64_oom, random_failures_with_many_threads)
{
    enum { THREADS = 4 };
    static const unsigned chances[] = {2, 5, 40};
    for (size_t run = 0; run < scaled(12); run++) {
        struct memory memory;
        memory_init(&memory, 0);
        struct lfset_u64 *set = set_new(domain, 0, run, &memory);
        atomic_store(&memory.fail_one_in, chances[run % 3]);
        struct worker each[THREADS];
        for (size_t i = 0; i < THREADS; i++)
            each[i] = (struct worker){set, &memory, i, scaled(20000), 0, 0};
        crew_run(THREADS, worker_body, each, sizeof *each);
        uint64_t live = 0;
        uint64_t refusals = 0;
        for (size_t i = 0; i < THREADS; i++) {
            live += each[i].live;
            refusals += each[i].refusals;
        }
        CHECK(atomic_load(&memory.failures) > 0, "no allocation failed");
        cr_log_info("%" PRIu64 " refusals, %llu failed allocations", refusals,
                    (unsigned long long)atomic_load(&memory.failures));
        memory_heal(&memory);
        CHECK_EQ(lfset_u64_size(set, NULL), live);
        set_end(set, &memory);
    }
}

// SPDX-License-Identifier: MIT
/*
 * Removed memory comes back: what a set holds is measured by its allocator and, for objects, by counting
 * those that are not destroyed. Only after a barrier, because before it others may be looking.
 */
#include "node_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one interface to the three kinds ---- */

struct holder;

struct kind {
    void (*create)(struct holder *holder, enum lfset_domain domain);
    int (*add)(struct holder *holder, uint64_t i);
    int (*remove)(struct holder *holder, uint64_t i);
    int64_t (*clear)(struct holder *holder);
    void (*destroy)(struct holder *holder);
};

struct holder {
    const struct kind *kind;
    struct memory memory;
    struct ledger ledger;
    size_t refused;
    struct lfset_u64 *u64;
    struct lfset_bytes *bytes;
    struct lfset_obj *obj;
};

static void create_u64(struct holder *holder, enum lfset_domain domain)
{
    holder->u64 = set_new(domain, 0, 1, &holder->memory);
}

static int add_u64(struct holder *holder, uint64_t i)
{
    return lfset_u64_add(holder->u64, i);
}

static int remove_u64(struct holder *holder, uint64_t i)
{
    return lfset_u64_remove(holder->u64, i);
}

static int64_t clear_u64(struct holder *holder)
{
    return lfset_u64_clear(holder->u64, NULL);
}

static void destroy_u64(struct holder *holder)
{
    set_end(holder->u64, &holder->memory);
}

static void create_bytes(struct holder *holder, enum lfset_domain domain)
{
    holder->bytes = bytes_new(domain, 0, 1, &holder->memory);
}

static int add_bytes(struct holder *holder, uint64_t i)
{
    return number_add(holder->bytes, i);
}

static int remove_bytes(struct holder *holder, uint64_t i)
{
    return number_remove(holder->bytes, i);
}

static int64_t clear_bytes(struct holder *holder)
{
    return lfset_bytes_clear(holder->bytes, NULL);
}

static void destroy_bytes(struct holder *holder)
{
    bytes_end(holder->bytes, &holder->memory);
}

static void create_obj(struct holder *holder, enum lfset_domain domain)
{
    holder->obj = obj_new(domain, &item_type, &holder->memory);
}

static int add_obj(struct holder *holder, uint64_t i)
{
    return obj_add_key(holder->obj, &holder->ledger, i);
}

static int remove_obj(struct holder *holder, uint64_t i)
{
    return lfset_obj_remove(holder->obj, PROBE(i));
}

static int64_t clear_obj(struct holder *holder)
{
    return lfset_obj_clear(holder->obj, NULL);
}

static void destroy_obj(struct holder *holder)
{
    obj_end(holder->obj, &holder->memory);
}

static const struct kind u64_kind = {create_u64, add_u64, remove_u64, clear_u64, destroy_u64};
static const struct kind bytes_kind = {create_bytes, add_bytes, remove_bytes, clear_bytes,
                                       destroy_bytes};
static const struct kind obj_kind = {create_obj, add_obj, remove_obj, clear_obj, destroy_obj};

static long long objects_held(const struct holder *holder)
{
    return (long long)(atomic_load(&holder->ledger.made) - ledger_destroyed(&holder->ledger));
}

static long long held(const struct holder *holder)
{
    return atomic_load(&holder->memory.bytes) +
           objects_held(holder) * (long long)sizeof(struct item);
}

static void add_all(struct holder *holder, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(holder->kind->add(holder, i), 1);
    CHECK(held(holder) > (long long)(count * sizeof(uint64_t)), "%" PRIu64 " keys in %lld bytes",
          count, held(holder));
}

/* ---- a million ---- */

static void check_comes_back(enum lfset_domain domain, const struct kind *kind)
{
    enum { SMALL = 1 << 20 };
    const uint64_t count = scaled(1000000);
    struct holder holder = {.kind = kind};
    memory_init(&holder.memory, LFSET_ALLOC_ZEROED);
    ledger_init(&holder.ledger, 2 * count);
    kind->create(&holder, domain);
    add_all(&holder, count);
    const long long full = held(&holder);
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(kind->remove(&holder, i), 1);
    CHECK_EQ(lfset_barrier(), 0);
    const long long removed = held(&holder);
    CHECK(removed < SMALL, "%lld bytes are held after everything was removed, of %lld", removed,
          full);

    add_all(&holder, count);
    CHECK_EQ(kind->clear(&holder), count);
    CHECK_EQ(lfset_barrier(), 0);
    const long long cleared = held(&holder);
    CHECK(cleared < SMALL, "%lld bytes are held after a clear", cleared);
    cr_log_info("%" PRIu64 " keys: %lld bytes, %lld after removing all, %lld after clear", count,
                full, removed, cleared);
    kind->destroy(&holder);
    CHECK_EQ(objects_held(&holder), 0);
    ledger_end(&holder.ledger);
}

TEST_BOTH(node_memory, of_a_million_integers_comes_back)
{
    check_comes_back(domain, &u64_kind);
}

TEST_BOTH(node_memory, of_a_million_strings_comes_back)
{
    check_comes_back(domain, &bytes_kind);
}

TEST_BOTH(node_memory, of_a_million_objects_comes_back)
{
    check_comes_back(domain, &obj_kind);
}

/* ---- a known point ---- */

TEST_BOTH(node_memory, purge_and_barrier_return_removed_strings)
{
    enum { COUNT = 10, LENGTH = 5000 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_bytes *set = bytes_new(domain, 0, 1, &memory);
    char key[LENGTH] = {0};
    for (char i = 0; i < COUNT; i++) {
        key[7] = i;
        CHECK_EQ(lfset_bytes_add(set, key, LENGTH), 1);
    }
    CHECK_EQ(lfset_bytes_purge(set), 0);
    for (char i = 0; i < 4; i++) {
        key[7] = i;
        CHECK_EQ(lfset_bytes_remove(set, key, LENGTH), 1);
    }
    CHECK(bytes_stats(set).dead_bytes >= 4 * LENGTH, "%" PRIu64 " dead bytes",
          bytes_stats(set).dead_bytes);
    CHECK_EQ(lfset_bytes_purge(set), 1);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(bytes_stats(set).dead_bytes, 0);
    const long long now = atomic_load(&memory.bytes);
    CHECK(now >= 6 * LENGTH && now < 7 * LENGTH, "6 strings of %d bytes cost %lld", LENGTH, now);
    CHECK_EQ(lfset_bytes_purge(set), 0);
    bytes_end(set, &memory);
}

TEST_BOTH(node_memory, purge_and_barrier_destroy_removed_objects)
{
    struct ledger ledger;
    ledger_init(&ledger, 20);
    struct lfset_obj *set = obj_new(domain, &item_type, NULL);
    for (uint64_t key = 0; key < 10; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    CHECK_EQ(lfset_obj_purge(set), 0);
    for (uint64_t key = 0; key < 4; key++)
        CHECK_EQ(lfset_obj_remove(set, PROBE(key)), 1);
    /* Added again: what was removed is displaced by it. */
    CHECK_EQ(obj_add_key(set, &ledger, 0), 1);
    CHECK(obj_stats(set).dead_bytes > 0, "removed objects weigh nothing");
    CHECK_EQ(lfset_obj_purge(set), 1);
    CHECK_EQ(lfset_barrier(), 0);
    CHECK_EQ(ledger_destroyed(&ledger), 4);
    for (size_t number = 0; number < 4; number++)
        CHECK(item_destroyed(&ledger, number), "object %zu is not destroyed", number);
    CHECK_EQ(obj_stats(set).dead_bytes, 0);
    CHECK_EQ(lfset_obj_purge(set), 0);
    obj_end(set, NULL);
    ledger_end(&ledger);
}

/* ---- churn ---- */

struct churn {
    struct lfset_bytes *set;
    struct memory memory;
    uint64_t first; /* numbers first .. first + count - 1 are in the set */
    uint64_t count;
    size_t length;
    char *key;
};

static void churn_key(struct churn *churn, uint64_t number)
{
    memcpy(churn->key + churn->length / 2, &number, sizeof number);
}

static void churn_start(struct churn *churn, enum lfset_domain domain, uint64_t count,
                        size_t length)
{
    *churn = (struct churn){.count = count, .length = length, .key = calloc(1, length)};
    CHECK(churn->key != NULL, "no memory for the test");
    memory_init(&churn->memory, 0);
    churn->set = bytes_new(domain, 0, 1, &churn->memory);
    for (uint64_t i = 0; i < count; i++) {
        churn_key(churn, i);
        CHECK_EQ(lfset_bytes_add(churn->set, churn->key, length), 1);
    }
}

/* The oldest string goes, another one comes. */
static void churn_step(struct churn *churn)
{
    churn_key(churn, churn->first);
    CHECK_EQ(lfset_bytes_remove(churn->set, churn->key, churn->length), 1);
    churn_key(churn, churn->first + churn->count);
    CHECK_EQ(lfset_bytes_add(churn->set, churn->key, churn->length), 1);
    churn->first++;
}

/* After a barrier at most `times` what the present strings cost, beside `more`. @return the most held. */
static long long churn_run(struct churn *churn, size_t steps, size_t per_barrier, long long times,
                           long long more)
{
    const long long live = (long long)(churn->count * churn->length);
    long long most = 0;
    for (size_t step = 1; step <= steps; step++) {
        churn_step(churn);
        if (step % per_barrier != 0)
            continue;
        CHECK_EQ(lfset_barrier(), 0);
        const long long now = atomic_load(&churn->memory.bytes);
        most = now > most ? now : most;
        CHECK(now <= times * live + more, "%lld bytes are held for %lld after %zu steps", now, live,
              step);
    }
    return most;
}

static void churn_end(struct churn *churn)
{
    CHECK_EQ(lfset_bytes_size(churn->set, NULL), churn->count);
    bytes_end(churn->set, &churn->memory);
    free(churn->key);
}

TEST_BOTH(node_memory, churn_of_long_strings_holds_little)
{
    enum { COUNT = 64, LENGTH = 3000 };
    struct churn churn;
    churn_start(&churn, domain, COUNT, LENGTH);
    const long long most = churn_run(&churn, scaled(40000), 200, 4, 64 << 10);
    cr_log_info("%d strings of %d bytes: at most %lld held after a barrier", COUNT, LENGTH, most);
    churn_end(&churn);
}

/* Without barriers and at any time: hazard pointers bound what waits. */
TEST(node_memory, churn_peak_is_bounded_hp)
{
    enum { COUNT = 64, LENGTH = 3000, TIMES = 64 };
    struct churn churn;
    churn_start(&churn, LFSET_HP, COUNT, LENGTH);
    for (size_t step = 0; step < scaled(40000); step++)
        churn_step(&churn);
    const long long peak = atomic_load(&churn.memory.peak);
    cr_log_info("%d strings of %d bytes: a peak of %lld", COUNT, LENGTH, peak);
    CHECK(peak < (long long)COUNT * LENGTH * TIMES, "%d strings of %d bytes: a peak of %lld", COUNT,
          LENGTH, peak);
    churn_end(&churn);
}

TEST_BOTH(node_memory, few_large_strings_do_not_pile_up)
{
    enum { COUNT = 4, LENGTH = 1 << 20 };
    struct churn churn;
    churn_start(&churn, domain, COUNT, LENGTH);
    const long long most = churn_run(&churn, scaled(400), 10, 4, 64 << 10);
    cr_log_info("%d strings of %d bytes: at most %lld held after a barrier", COUNT, LENGTH, most);
    /* The same ones again and again. */
    for (size_t step = 1; step <= scaled(400); step++) {
        churn_key(&churn, churn.first + step % COUNT);
        CHECK_EQ(lfset_bytes_remove(churn.set, churn.key, LENGTH), 1);
        CHECK_EQ(lfset_bytes_add(churn.set, churn.key, LENGTH), 1);
        if (step % 10 != 0)
            continue;
        CHECK_EQ(lfset_barrier(), 0);
        const long long now = atomic_load(&churn.memory.bytes);
        CHECK(now <= 4LL * COUNT * LENGTH, "%lld bytes are held after %zu rounds", now, step);
    }
    churn_end(&churn);
}

/* Equal objects, each displacing the one before: they are as large as their type says. */
TEST_BOTH(node_memory, displaced_objects_do_not_pile_up)
{
    enum { COUNT = 4, ROUNDS = 2000, MOST = 64 };
    struct lfset_obj_type type = item_type;
    type.object_bytes = 1 << 20;
    struct ledger ledger;
    ledger_init(&ledger, COUNT + ROUNDS);
    struct lfset_obj *set = obj_new(domain, &type, NULL);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(obj_add_key(set, &ledger, key), 1);
    size_t most = 0;
    for (size_t round = 1; round <= ROUNDS; round++) {
        CHECK_EQ(lfset_obj_remove(set, PROBE(round % COUNT)), 1);
        CHECK_EQ(obj_add_key(set, &ledger, round % COUNT), 1);
        if (round % 20 != 0)
            continue;
        CHECK_EQ(lfset_barrier(), 0);
        const size_t alive = atomic_load(&ledger.made) - ledger_destroyed(&ledger);
        most = alive > most ? alive : most;
        CHECK(alive <= MOST, "%zu objects are alive, %d of them in the set", alive, COUNT);
    }
    cr_log_info("at most %zu objects for %d", most, COUNT);
    obj_end(set, NULL);
    ledger_end(&ledger);
}

/* ---- snapshots ---- */

TEST_BOTH(node_memory, a_snapshot_holds_back_what_it_shows)
{
    enum { COUNT = 500, LENGTH = 1000 };
    struct churn churn;
    churn_start(&churn, domain, COUNT, LENGTH);
    struct lfset_bytes_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_bytes_snapshot_take(churn.set, &snapshot, NULL), 0);
    CHECK_EQ(lfset_barrier(), 0);
    const long long shown = atomic_load(&churn.memory.bytes);
    const long long most = churn_run(&churn, scaled(40000), 500, 4, shown);
    cr_log_info("%lld bytes with a snapshot, at most %lld during churn", shown, most);
    CHECK(most > (long long)(COUNT * LENGTH) * 3 / 2, "the snapshot holds nothing back");

    CHECK_EQ(lfset_bytes_snapshot_count(snapshot), COUNT);
    struct lfset_string keys[COUNT];
    CHECK_EQ(lfset_bytes_snapshot_copy(snapshot, keys, COUNT), COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        churn_key(&churn, i);
        CHECK_EQ(lfset_bytes_snapshot_contains(snapshot, churn.key, LENGTH), 1);
    }
    lfset_bytes_snapshot_destroy(snapshot);
    CHECK(lfset_bytes_purge(churn.set) >= 0, "purge failed");
    CHECK_EQ(lfset_barrier(), 0);
    const long long after = atomic_load(&churn.memory.bytes);
    CHECK(after < (long long)(COUNT * LENGTH) * 3 / 2, "%lld bytes without the snapshot", after);
    churn_end(&churn);
}

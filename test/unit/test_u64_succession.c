// SPDX-License-Identifier: MIT
/* Growth, purge, shrink, clear, drain, reserve, and what they cost; alone and with many threads. */
#include "support.h"

#include <stdlib.h>
#include <string.h>

/* Keys that have nothing in common but are computed, not stored; each i gives another one. */
static uint64_t scattered(uint64_t i)
{
    i = (i ^ (i >> 31)) * UINT64_C(0x7fb5d329728ea185);
    return (i ^ (i >> 27)) * UINT64_C(0x81dadef4bc2dd44d);
}

static void add_range(struct lfset_u64 *set, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        CHECK_EQ(lfset_u64_add(set, scattered(i)), 1);
}

static void remove_range(struct lfset_u64 *set, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        CHECK_EQ(lfset_u64_remove(set, scattered(i)), 1);
}

static void check_range(struct lfset_u64 *set, uint64_t from, uint64_t to, int present)
{
    for (uint64_t i = from; i < to; i++)
        CHECK_EQ(lfset_u64_contains(set, scattered(i)), present);
}

/* With the set at rest and all readers gone, only what the set says it uses is still allocated. */
static void check_nothing_held_back(struct lfset_u64 *set, struct memory *memory)
{
    CHECK_EQ(lfset_barrier(), 0);
    const struct lfset_stats stats = set_stats(set);
    CHECK_EQ(stats.retired, 0);
    CHECK_EQ(garbage(stats.domain).objects, 0);
    CHECK_EQ(garbage(stats.domain).bytes, 0);
    CHECK_EQ(atomic_load(&memory->bytes), stats.bytes);
}

/* ---- growth ---- */

TEST_BOTH(u64_succession, three_keys_cost_little)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 0, &memory);
    add_range(set, 0, 3);
    CHECK(atomic_load(&memory.bytes) <= 640, "3 keys cost %lld bytes",
          (long long)atomic_load(&memory.bytes));
    cr_log_info("3 keys: %lld bytes", (long long)atomic_load(&memory.bytes));
    check_nothing_held_back(set, &memory);
    set_end(set, &memory);
}

TEST_BOTH(u64_succession, grows_from_nothing_to_a_million)
{
    const uint64_t count = scaled(1000000);
    struct memory memory;
    memory_init(&memory, LFSET_ALLOC_ZEROED);
    struct lfset_u64 *set = set_new(domain, 0, 7, &memory);
    const uint64_t small = set_stats(set).capacity;
    for (uint64_t i = 0; i < count; i++) {
        CHECK_EQ(lfset_u64_add(set, scattered(i)), 1);
        /* A sample of the old keys and of those to come, at every stage of every migration. */
        CHECK_EQ(lfset_u64_contains(set, scattered(i / 3)), 1);
        CHECK_EQ(lfset_u64_contains(set, scattered(i + 1)), 0);
        if (i < 3000 && i % 7 == 0)
            set_check(set);
    }
    check_range(set, 0, count, 1);
    check_range(set, count, 2 * count, 0);
    CHECK_EQ(lfset_u64_size(set, NULL), count);
    check_nothing_held_back(set, &memory);

    const struct lfset_stats stats = set_stats(set);
    CHECK(stats.grows >= 3, "only %" PRIu64 " growths", stats.grows);
    CHECK(stats.capacity > small, "the capacity stayed %" PRIu64, small);
    /* At most the step that doubles 20 bytes a key (issue: at rest after growth). */
    CHECK(stats.bytes <= 40 * count, "%" PRIu64 " bytes for %" PRIu64 " keys", stats.bytes, count);
    cr_log_info("%" PRIu64 " keys: capacity %" PRIu64 ", %.2f bytes a key at rest, %.2f at peak",
                count, stats.capacity, (double)stats.bytes / (double)count,
                (double)atomic_load(&memory.peak) / (double)count);
    set_end(set, &memory);
}

/* ---- purge ---- */

static void churn(enum lfset_domain domain, uint64_t window)
{
    const uint64_t rounds = scaled(1000000);
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 9, &memory);
    add_range(set, 0, window);
    uint64_t largest = 0;
    long long most = 0;
    for (uint64_t i = 0; i < rounds; i++) {
        CHECK_EQ(lfset_u64_add(set, scattered(window + i)), 1);
        CHECK_EQ(lfset_u64_remove(set, scattered(i)), 1);
        if (i % 64 == 0) {
            const struct lfset_stats stats = set_stats(set);
            largest = stats.capacity > largest ? stats.capacity : largest;
            most = atomic_load(&memory.bytes) > most ? atomic_load(&memory.bytes) : most;
        }
    }
    const struct lfset_stats stats = set_stats(set);
    cr_log_info("window %" PRIu64 ": capacity <= %" PRIu64 ", %lld bytes seen, %lld at peak, "
                "%" PRIu64 " grows %" PRIu64 " purges %" PRIu64 " shrinks",
                window, largest, most, (long long)atomic_load(&memory.peak), stats.grows,
                stats.purges, stats.shrinks);
    CHECK(stats.purges > 0, "no purge in %" PRIu64 " rounds", rounds);
    CHECK(largest <= 16 * window + 64, "%" PRIu64 " slots for %" PRIu64 " keys", largest, window);
    check_nothing_held_back(set, &memory);
    CHECK(set_stats(set).bytes <= 2 * 8 * (16 * window + 64) + 512, "%" PRIu64 " bytes at rest",
          set_stats(set).bytes);
    CHECK_EQ(lfset_u64_size(set, NULL), window);
    check_range(set, rounds, rounds + window, 1);
    check_range(set, rounds - window, rounds, 0);
    set_end(set, &memory);
}

TEST_BOTH(u64_succession, churn_of_one_key_stays_small)
{
    churn(domain, 1);
}

TEST_BOTH(u64_succession, churn_of_a_hundred_keys_stays_small)
{
    churn(domain, 100);
}

TEST_BOTH(u64_succession, churn_of_many_keys_stays_small)
{
    churn(domain, 5000);
}

/* HP frees as it goes: even the peak, retired slices included, is a few slices. */
TEST(u64_succession, churn_peak_is_bounded_hp)
{
    const uint64_t rounds = scaled(1000000);
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(LFSET_HP, 0, 10, &memory);
    for (uint64_t i = 0; i < 1000 + rounds; i++) {
        CHECK_EQ(lfset_u64_add(set, scattered(i)), 1);
        if (i >= 1000)
            CHECK_EQ(lfset_u64_remove(set, scattered(i - 1000)), 1);
    }
    const long long slice = (long long)set_stats(set).capacity * 8;
    cr_log_info("slice %lld bytes, peak %lld bytes", slice, (long long)atomic_load(&memory.peak));
    CHECK(atomic_load(&memory.peak) <= 80 * slice, "the peak was %lld bytes, a slice is %lld",
          (long long)atomic_load(&memory.peak), slice);
    set_end(set, &memory);
}

/* The same few keys in and out again bind no new slot: nothing has to succeed. */
TEST_BOTH(u64_succession, the_same_keys_in_and_out_need_no_purge)
{
    struct lfset_u64 *set = set_new(domain, 0, 5, NULL);
    for (uint64_t i = 0; i < scaled(100000); i++) {
        CHECK_EQ(lfset_u64_add(set, i % 3), 1);
        CHECK_EQ(lfset_u64_remove(set, i % 3), 1);
    }
    const struct lfset_stats stats = set_stats(set);
    CHECK_EQ(stats.purges + stats.grows + stats.shrinks + stats.rehashes, 0);
    set_end(set, NULL);
}

/* ---- shrink ---- */

static void shrink(enum lfset_domain domain, uint64_t leave)
{
    const uint64_t count = scaled(1000000);
    struct memory memory;
    memory_init(&memory, LFSET_ALLOC_ZEROED);
    struct lfset_u64 *set = set_new(domain, 0, 13, &memory);
    add_range(set, 0, count);
    const uint64_t full = set_stats(set).capacity;
    remove_range(set, leave, count);
    check_range(set, 0, leave, 1);
    check_range(set, leave, count, 0);
    check_nothing_held_back(set, &memory);
    const struct lfset_stats stats = set_stats(set);
    cr_log_info("%" PRIu64 " of %" PRIu64 " keys left: capacity %" PRIu64 ", %" PRIu64
                " bytes, %" PRIu64 " shrinks, %" PRIu64 " slices",
                leave, count, stats.capacity, stats.bytes, stats.shrinks, stats.slices);
    CHECK(stats.shrinks > 0 && stats.capacity < full, "the set did not shrink");
    // The last removals may leave a slice some sizes too large, its successor being filled; and the
    // sample that asks for one errs by a quarter now and then.
    CHECK(stats.bytes < 65536 + 8 * 64 * leave, "%" PRIu64 " bytes for %" PRIu64 " keys",
          stats.bytes, leave);
    CHECK_EQ(lfset_u64_size(set, NULL), leave);
    add_range(set, leave, leave + 1000);
    check_range(set, 0, leave + 1000, 1);
    set_end(set, &memory);
}

TEST_BOTH(u64_succession, shrinks_when_emptied)
{
    shrink(domain, 0);
}

TEST_BOTH(u64_succession, shrinks_when_nearly_emptied)
{
    shrink(domain, 1000);
}

TEST_BOTH(u64_succession, shrinks_when_popped_empty)
{
    const uint64_t count = scaled(200000);
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 14, &memory);
    add_range(set, 0, count);
    uint64_t key = 0;
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(lfset_u64_pop(set, &key), 1);
    CHECK_EQ(lfset_u64_pop(set, &key), 0);
    check_nothing_held_back(set, &memory);
    CHECK(set_stats(set).bytes < 65536, "%" PRIu64 " bytes for no keys", set_stats(set).bytes);
    set_end(set, &memory);
}

TEST_BOTH(u64_succession, breathes_in_and_out)
{
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 15, &memory);
    for (uint64_t round = 0; round < 6; round++) {
        const uint64_t count = scaled(30000) << (round % 3);
        add_range(set, 0, count);
        CHECK_EQ(lfset_u64_size(set, NULL), count);
        if (round % 2 == 0)
            remove_range(set, 0, count);
        else
            for (uint64_t i = count; i > 0; i--)
                CHECK_EQ(lfset_u64_remove(set, scattered(i - 1)), 1);
        CHECK_EQ(lfset_u64_is_empty(set), 1);
        check_nothing_held_back(set, &memory);
        CHECK(set_stats(set).bytes < 65536, "%" PRIu64 " bytes for no keys", set_stats(set).bytes);
    }
    CHECK(set_stats(set).grows > 0 && set_stats(set).shrinks > 0, "the set never moved");
    set_end(set, &memory);
}

/* ---- clear and drain ---- */

TEST_BOTH(u64_succession, clear_counts_and_gives_memory_back)
{
    const uint64_t count = scaled(100000);
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 16, &memory);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    for (uint64_t round = 0; round < 4; round++) {
        const uint64_t clears = set_stats(set).clears;
        add_range(set, 0, count + round);
        CHECK_EQ(lfset_u64_clear(set, NULL), count + round);
        CHECK(set_stats(set).clears > clears, "the statistics did not see the clear");
        check_range(set, 0, count + round, 0);
        CHECK_EQ(lfset_u64_is_empty(set), 1);
        CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    }
    /* A cleared slice may stay as large as it was, but what was cleared must not stay with it. */
    check_nothing_held_back(set, &memory);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    CHECK_EQ(lfset_u64_size(set, NULL), 1);
    set_end(set, &memory);
}

TEST_BOTH(u64_succession, clear_while_a_migration_is_under_way)
{
    for (uint64_t count = 1; count < 600; count++) {
        struct lfset_u64 *set = set_new(domain, 0, count, NULL);
        add_range(set, 0, count);
        if (count % 3 == 0)
            remove_range(set, 0, count / 3);
        CHECK_EQ(lfset_u64_clear(set, NULL), count - (count % 3 == 0 ? count / 3 : 0));
        check_range(set, 0, count, 0);
        CHECK_EQ(lfset_u64_add(set, scattered(0)), 1);
        CHECK_EQ(lfset_u64_size(set, NULL), 1);
        set_end(set, NULL);
    }
}

TEST_BOTH(u64_succession, drain_hands_back_what_was_there)
{
    struct memory memory;
    memory_init(&memory, 0);
    for (uint64_t count = 0; count < 3000; count = count * 2 + 1) {
        struct lfset_u64 *set = set_new(domain, 0, count, &memory);
        add_range(set, 0, count);
        struct lfset_u64_snapshot *snapshot = NULL;
        CHECK_EQ(lfset_u64_drain(set, &snapshot, NULL), 0);
        CHECK_EQ(lfset_u64_snapshot_count(snapshot), count);
        check_range(set, 0, count, 0);
        CHECK_EQ(lfset_u64_add(set, scattered(count)), 1);
        for (uint64_t i = 0; i < count; i++)
            CHECK_EQ(lfset_u64_snapshot_contains(snapshot, scattered(i)), 1);
        CHECK_EQ(lfset_u64_snapshot_contains(snapshot, scattered(count)), 0);
        lfset_u64_snapshot_destroy(snapshot);
        CHECK_EQ(lfset_u64_size(set, NULL), 1);
        set_end(set, &memory);
    }
}

/* ---- snapshots at every stage ---- */

TEST_BOTH(u64_succession, whole_set_operations_at_every_size)
{
    struct lfset_u64 *set = set_new(domain, 0, 18, NULL);
    for (uint64_t count = 0; count < 700; count++) {
        CHECK_EQ(lfset_u64_size(set, NULL), count);
        CHECK_EQ(lfset_u64_is_empty(set), count == 0);
        set_check(set);
        struct lfset_u64_snapshot *snapshot = NULL;
        CHECK_EQ(lfset_u64_snapshot_take(set, &snapshot, NULL), 0);
        CHECK_EQ(lfset_u64_snapshot_count(snapshot), count);
        lfset_u64_snapshot_destroy(snapshot);
        CHECK_EQ(lfset_u64_add(set, scattered(count)), 1);
    }
    for (uint64_t count = 700; count > 0; count--) {
        CHECK_EQ(lfset_u64_size(set, NULL), count);
        CHECK_EQ(lfset_u64_remove(set, scattered(count - 1)), 1);
    }
    CHECK_EQ(lfset_u64_is_empty(set), 1);
    CHECK(set_stats(set).snapshots >= 1400, "the statistics saw %" PRIu64 " snapshots",
          set_stats(set).snapshots);
    set_end(set, NULL);
}

/* ---- reserve ---- */

TEST_BOTH(u64_succession, reserved_room_needs_no_growth)
{
    const uint64_t count = scaled(100000);
    struct memory memory;
    memory_init(&memory, 0);
    for (unsigned at_creation = 0; at_creation < 2; at_creation++) {
        for (uint64_t seed = 0; seed < 5; seed++) {
            struct lfset_u64 *set = set_new(domain, at_creation ? count : 0, seed, &memory);
            uint64_t before = 0;
            if (!at_creation) {
                before = 10;
                add_range(set, 0, before);
                CHECK_EQ(lfset_u64_reserve(set, count, NULL), 0);
                check_range(set, 0, before, 1);
                check_range(set, before, 1000, 0);
            }
            const struct lfset_stats reserved = set_stats(set);
            atomic_store(&memory.fail_from, 1); /* growth is impossible, too */
            add_range(set, before, count);
            memory_heal(&memory);
            const struct lfset_stats stats = set_stats(set);
            CHECK_EQ(stats.grows, reserved.grows);
            CHECK_EQ(stats.capacity, reserved.capacity);
            CHECK_EQ(lfset_u64_size(set, NULL), count);
            set_end(set, &memory);
        }
    }
}

/* The room stays through whatever happens, until less is asked for. */
TEST_BOTH(u64_succession, reserved_room_is_kept)
{
    enum { ROOM = 20000 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 19, &memory);
    CHECK_EQ(lfset_u64_reserve(set, ROOM, NULL), 0);
    const uint64_t capacity = set_stats(set).capacity;
    struct lfset_u64_snapshot *snapshot = NULL;
    for (unsigned round = 0; round < 8; round++) {
        add_range(set, 0, 100);
        if (round % 4 == 0)
            CHECK_EQ(lfset_u64_size(set, NULL), 100);
        else if (round % 4 == 1)
            CHECK_EQ(lfset_u64_clear(set, NULL), 100);
        else if (round % 4 == 2)
            CHECK_EQ(lfset_u64_drain(set, &snapshot, NULL), 0);
        lfset_u64_snapshot_destroy(snapshot);
        snapshot = NULL;
        CHECK_EQ(lfset_u64_clear(set, NULL), round % 4 == 0 || round % 4 == 3 ? 100 : 0);
        CHECK(set_stats(set).capacity >= capacity, "the capacity fell to %" PRIu64,
              set_stats(set).capacity);
        const uint64_t grows = set_stats(set).grows;
        add_range(set, 0, ROOM);
        CHECK_EQ(set_stats(set).grows, grows);
        remove_range(set, 0, ROOM);
        CHECK(set_stats(set).capacity >= capacity, "the capacity fell to %" PRIu64,
              set_stats(set).capacity);
    }
    CHECK_EQ(lfset_u64_reserve(set, 0, NULL), 0);
    add_range(set, 0, 1000);
    remove_range(set, 0, 1000);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    check_nothing_held_back(set, &memory);
    CHECK(set_stats(set).bytes < 65536, "%" PRIu64 " bytes for no keys", set_stats(set).bytes);
    set_end(set, &memory);
}

TEST_BOTH(u64_succession, reserve_never_changes_the_contents)
{
    struct lfset_u64 *set = set_new(domain, 0, 20, NULL);
    CHECK_EQ(lfset_u64_reserve(set, 0, NULL), 0);
    for (uint64_t count = 0; count < 300; count++) {
        CHECK_EQ(lfset_u64_add(set, scattered(count)), 1);
        CHECK_EQ(lfset_u64_reserve(set, (count * 37) % 1000, NULL), 0);
        CHECK_EQ(lfset_u64_size(set, NULL), count + 1);
        set_check(set);
    }
    check_range(set, 0, 300, 1);
    set_end(set, NULL);
}

TEST_BOTH(u64_succession, reserve_refuses_capacities_no_machine_has)
{
    struct lfset_u64 *set = set_new(domain, 0, 21, NULL);
    add_range(set, 0, 100);
    for (unsigned bit = 50; bit < 64; bit++) {
        CHECK_EQ(lfset_u64_reserve(set, UINT64_C(1) << bit, NULL), -ENOMEM);
        CHECK_EQ(lfset_u64_reserve(set, UINT64_MAX >> (63 - bit), NULL), -ENOMEM);
    }
    CHECK_EQ(lfset_u64_reserve(set, UINT64_MAX, NULL), -ENOMEM);
    check_range(set, 0, 100, 1);
    check_range(set, 100, 200, 0);
    CHECK_EQ(lfset_u64_size(set, NULL), 100);
    set_end(set, NULL);
}

/* ---- many threads ---- */

/* Each thread owns its keys, so it knows every answer, while all share every slice. */
struct owner {
    struct lfset_u64 *set;
    uint64_t id;
    size_t rounds;
    uint64_t keys; /* how many it moves in and out */
    uint64_t base;
    uint64_t live;
    bool quiet; /* no whole-set operations */
};

static void owner_expect(const char *what, int64_t got, int64_t want)
{
    if (got != want)
        fault("%s is %" PRId64 ", should be %" PRId64, what, got, want);
}

/* Key `i` of those that it moves at present. */
static uint64_t owner_key(const struct owner *owner, uint64_t i)
{
    return scattered((owner->base + i) * 64 + owner->id);
}

/* On to other keys: what ever new keys leave behind makes the set purge. */
static void owner_move_on(struct owner *owner, bool *present)
{
    for (uint64_t i = 0; i < owner->keys; i++) {
        owner_expect("remove of all", lfset_u64_remove(owner->set, owner_key(owner, i)),
                     present[i]);
        present[i] = false;
    }
    owner->base += owner->keys;
}

static void owner_body(void *arg)
{
    struct owner *owner = arg;
    struct random random = random_from(owner->id + 1000);
    bool *present = calloc(owner->keys, sizeof *present);
    if (present == NULL) {
        fault("no memory for the test");
        return;
    }
    for (size_t round = 0; round < owner->rounds; round++) {
        /* Whole phases of adding and removing, so that the set grows and shrinks under all. */
        const unsigned adds = (round / (2 * owner->keys)) % 2 == 0 ? 75 : 25;
        if (round % (10 * owner->keys) == 0)
            owner_move_on(owner, present);
        const uint64_t i = random_below(&random, owner->keys);
        const uint64_t key = owner_key(owner, i);
        if (random_below(&random, 4) == 0) {
            owner_expect("contains", lfset_u64_contains(owner->set, key), present[i]);
        } else if (random_below(&random, 100) < adds) {
            owner_expect("add", lfset_u64_add(owner->set, key), !present[i]);
            present[i] = true;
        } else {
            owner_expect("remove", lfset_u64_remove(owner->set, key), present[i]);
            present[i] = false;
        }
        if (!owner->quiet && random_below(&random, 1000) == 0 &&
            lfset_u64_size(owner->set, NULL) < 0)
            fault("size failed");
    }
    owner->live = 0;
    for (uint64_t i = 0; i < owner->keys; i++) {
        owner_expect("contains at the end", lfset_u64_contains(owner->set, owner_key(owner, i)),
                     present[i]);
        owner->live += present[i];
    }
    free(present);
}

static void owners(enum lfset_domain domain, uint64_t keys, size_t rounds, bool quiet)
{
    enum { THREADS = 4 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, keys, &memory);
    struct owner each[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        each[i] = (struct owner){
            .set = set, .id = i, .rounds = scaled(rounds), .keys = keys, .quiet = quiet};
    crew_run(THREADS, owner_body, each, sizeof *each);
    uint64_t live = 0;
    for (size_t i = 0; i < THREADS; i++)
        live += each[i].live;
    CHECK_EQ(lfset_u64_size(set, NULL), live);
    const struct lfset_stats stats = set_stats(set);
    cr_log_info("4 x %" PRIu64 " keys: %" PRIu64 " grows, %" PRIu64 " purges, %" PRIu64
                " shrinks, %" PRIu64 " snapshots",
                keys, stats.grows, stats.purges, stats.shrinks, stats.snapshots);
    CHECK(stats.grows + stats.purges > 0, "the slices never changed");
    check_nothing_held_back(set, &memory);
    set_end(set, &memory);
}

TEST_BOTH(u64_succession, threads_that_own_few_keys)
{
    for (size_t round = 0; round < 20; round++)
        owners(domain, 3, 20000, round % 2 == 0);
}

TEST_BOTH(u64_succession, threads_that_own_some_keys)
{
    for (size_t round = 0; round < 4; round++)
        owners(domain, 100, 200000, round % 2 == 0);
}

TEST_BOTH(u64_succession, threads_that_own_many_keys)
{
    owners(domain, 50000, 600000, true);
}

/* Every key is added by two threads and removed by two: exactly one of each pair may succeed. */
struct rival {
    struct lfset_u64 *set;
    uint64_t from;
    uint64_t to;
    uint64_t won;
    bool removes;
    bool batches;
};

static void rival_body(void *arg)
{
    struct rival *rival = arg;
    for (uint64_t i = rival->from; i < rival->to;) {
        int64_t won = 0;
        if (rival->batches) {
            uint64_t keys[24];
            size_t count = 0;
            for (; count < 24 && i < rival->to; i++)
                keys[count++] = scattered(i);
            won = rival->removes ? lfset_u64_remove_many(rival->set, keys, count, NULL)
                                 : lfset_u64_add_many(rival->set, keys, count, NULL);
        } else {
            const uint64_t key = scattered(i++);
            won =
                rival->removes ? lfset_u64_remove(rival->set, key) : lfset_u64_add(rival->set, key);
        }
        if (won < 0)
            fault("an operation failed: %" PRId64, won);
        rival->won += (uint64_t)won;
    }
}

TEST_BOTH(u64_succession, rivals_win_every_key_once)
{
    enum { THREADS = 4 };
    const uint64_t count = scaled(200000);
    struct memory memory;
    memory_init(&memory, LFSET_ALLOC_ZEROED);
    struct lfset_u64 *set = set_new(domain, 0, 23, &memory);
    for (unsigned removes = 0; removes < 2; removes++) {
        struct rival each[THREADS];
        for (size_t i = 0; i < THREADS; i++)
            each[i] = (struct rival){.set = set,
                                     .from = i < 2 ? 0 : count,
                                     .to = i < 2 ? count : 2 * count,
                                     .removes = removes != 0,
                                     .batches = i % 2 != 0};
        crew_run(THREADS, rival_body, each, sizeof *each);
        CHECK_EQ(each[0].won + each[1].won, count);
        CHECK_EQ(each[2].won + each[3].won, count);
        CHECK_EQ(lfset_u64_size(set, NULL), removes ? 0 : 2 * count);
        check_range(set, 0, 2 * count, !removes);
    }
    check_nothing_held_back(set, &memory);
    set_end(set, &memory);
}

/* Whatever happens to a few keys: what went in came out by exactly one way, or is still there. */
struct anything {
    struct lfset_u64 *set;
    uint64_t id;
    size_t rounds;
    int64_t balance; /* keys put in less keys taken out */
};

enum { ANY_KEYS = 40, ANY_PHASE = 5000, ANY_SHIFT = 17 };

/* Was this key ever added, by anybody? */
static bool is_anything(uint64_t key, size_t rounds)
{
    for (uint64_t i = 0; i < ANY_KEYS + rounds / ANY_PHASE * ANY_SHIFT; i++)
        if (scattered(i) == key)
            return true;
    return false;
}

static void anything_body(void *arg)
{
    struct anything *me = arg;
    struct random random = random_from(me->id + 2000);
    for (size_t round = 0; round < me->rounds; round++) {
        const uint64_t kind = random_below(&random, 1000);
        const uint64_t key =
            scattered(random_below(&random, ANY_KEYS) + round / ANY_PHASE * ANY_SHIFT);
        struct lfset_u64_snapshot *snapshot = NULL;
        uint64_t popped = 0;
        int64_t got = 0;
        if (kind < 450) {
            got = lfset_u64_add(me->set, key);
            me->balance += got;
        } else if (kind < 850) {
            got = lfset_u64_remove(me->set, key);
            me->balance -= got;
        } else if (kind < 950) {
            got = lfset_u64_pop(me->set, &popped);
            me->balance -= got;
            if (got == 1 && !is_anything(popped, me->rounds))
                fault("pop gave %" PRIu64 ", which nobody added", popped);
        } else if (kind < 970) {
            got = lfset_u64_size(me->set, NULL);
        } else if (kind < 980) {
            got = lfset_u64_clear(me->set, NULL);
            me->balance -= got;
        } else if (kind < 990) {
            got = lfset_u64_drain(me->set, &snapshot, NULL);
            if (got == 0)
                me->balance -= lfset_u64_snapshot_count(snapshot);
        } else {
            got = lfset_u64_snapshot_take(me->set, &snapshot, NULL);
        }
        lfset_u64_snapshot_destroy(snapshot);
        if (got < 0)
            fault("operation %" PRIu64 " failed: %" PRId64, kind, got);
    }
}

TEST_BOTH(u64_succession, everything_at_once_balances)
{
    enum { THREADS = 4 };
    struct memory memory;
    memory_init(&memory, 0);
    for (size_t run = 0; run < 10; run++) {
        struct lfset_u64 *set = set_new(domain, 0, run, &memory);
        struct anything each[THREADS];
        for (size_t i = 0; i < THREADS; i++)
            each[i] = (struct anything){set, run * THREADS + i, scaled(20000), 0};
        crew_run(THREADS, anything_body, each, sizeof *each);
        int64_t balance = 0;
        for (size_t i = 0; i < THREADS; i++)
            balance += each[i].balance;
        CHECK_EQ(lfset_u64_size(set, NULL), balance);
        check_nothing_held_back(set, &memory);
        set_end(set, &memory);
    }
}

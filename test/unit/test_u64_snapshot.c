// SPDX-License-Identifier: MIT
/* Snapshots, drain, size and each: what one thread sees of them, and that they are of one instant.
 */
#include "support.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* ---- one thread ---- */

struct collection {
    uint64_t *keys;
    size_t count;
    size_t max;
    size_t stop_at; /* answer 7 at this visit, from 1; 0: never */
};

static int collect(uint64_t key, void *ctx)
{
    struct collection *collection = ctx;
    CHECK(collection->count < collection->max, "too many visits");
    collection->keys[collection->count++] = key;
    return collection->count == collection->stop_at ? 7 : 0;
}

TEST_BOTH(u64_snapshot, reads_in_ascending_order)
{
    enum { COUNT = 2000 };
    uint64_t keys[COUNT];
    uint64_t seen[COUNT + 1];
    struct random random = random_from(31);
    random_keys(&random, keys, COUNT);
    keys[0] = 0;
    keys[COUNT - 1] = UINT64_MAX;
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 31, &memory);
    for (size_t i = 0; i < COUNT; i++)
        CHECK_EQ(lfset_u64_add(set, keys[(i * 777) % COUNT]), 1);
    struct lfset_u64_snapshot *snapshot = NULL;
    CHECK_EQ(lfset_u64_snapshot_take(set, &snapshot, NULL), 0);
    CHECK_EQ(lfset_u64_snapshot_count(snapshot), COUNT);

    struct collection all = {seen, 0, COUNT, 0};
    CHECK_EQ(lfset_u64_snapshot_each(snapshot, collect, &all, NULL), 0);
    CHECK_EQ(all.count, COUNT);
    CHECK(memcmp(seen, keys, sizeof keys) == 0, "snapshot_each visited other keys");

    struct collection some = {seen, 0, COUNT, 10};
    CHECK_EQ(lfset_u64_snapshot_each(snapshot, collect, &some, NULL), 7);
    CHECK_EQ(some.count, 10);

    const size_t lengths[] = {0, 1, 2, COUNT - 1, COUNT, COUNT + 1};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const size_t want = lengths[i] < COUNT ? lengths[i] : COUNT;
        memset(seen, 0xee, sizeof seen);
        CHECK_EQ(lfset_u64_snapshot_copy(snapshot, seen, lengths[i]), want);
        CHECK(memcmp(seen, keys, want * sizeof *keys) == 0, "copy of %zu keys differs", lengths[i]);
        CHECK(want > COUNT || seen[want] == UINT64_C(0xeeeeeeeeeeeeeeee), "copy wrote too much");
    }
    for (size_t i = 0; i < COUNT; i++) {
        CHECK_EQ(lfset_u64_snapshot_contains(snapshot, keys[i]), 1);
        if (i + 1 < COUNT && keys[i] + 1 != keys[i + 1])
            CHECK_EQ(lfset_u64_snapshot_contains(snapshot, keys[i] + 1), 0);
    }
    lfset_u64_snapshot_destroy(snapshot);
    set_end(set, &memory);
}

TEST_BOTH(u64_snapshot, of_an_empty_set)
{
    struct lfset_u64 *set = set_new(domain, 0, 32, NULL);
    struct lfset_u64_snapshot *snapshots[2];
    uint64_t key = 1;
    CHECK_EQ(lfset_u64_snapshot_take(set, &snapshots[0], NULL), 0);
    CHECK_EQ(lfset_u64_drain(set, &snapshots[1], NULL), 0);
    for (size_t i = 0; i < 2; i++) {
        struct collection none = {&key, 0, 0, 0};
        CHECK_EQ(lfset_u64_snapshot_count(snapshots[i]), 0);
        CHECK_EQ(lfset_u64_snapshot_contains(snapshots[i], 0), 0);
        CHECK_EQ(lfset_u64_snapshot_contains(snapshots[i], UINT64_MAX), 0);
        CHECK_EQ(lfset_u64_snapshot_each(snapshots[i], collect, &none, NULL), 0);
        CHECK_EQ(lfset_u64_snapshot_copy(snapshots[i], &key, 1), 0);
        CHECK_EQ(key, 1);
        lfset_u64_snapshot_destroy(snapshots[i]);
    }
    set_end(set, NULL);
}

TEST_BOTH(u64_snapshot, is_independent_of_the_set)
{
    enum { COUNT = 300, SNAPSHOTS = 40 };
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 33, &memory);
    struct lfset_u64_snapshot *snapshots[SNAPSHOTS];
    /* Snapshot i holds [7 i, 7 i + COUNT). */
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(lfset_u64_add(set, key), 1);
    for (uint64_t i = 0; i < SNAPSHOTS; i++) {
        CHECK_EQ(lfset_u64_snapshot_take(set, &snapshots[i], NULL), 0);
        for (uint64_t key = 7 * i; key < 7 * i + 7; key++) {
            CHECK_EQ(lfset_u64_remove(set, key), 1);
            CHECK_EQ(lfset_u64_add(set, key + COUNT), 1);
        }
    }
    CHECK_EQ(lfset_u64_clear(set, NULL), COUNT);
    CHECK_EQ(lfset_u64_destroy(set), 0); /* they outlive it */
    CHECK_EQ(lfset_barrier(), 0);
    for (uint64_t i = 0; i < SNAPSHOTS; i++) {
        CHECK_EQ(lfset_u64_snapshot_count(snapshots[i]), COUNT);
        for (uint64_t key = 0; key < COUNT + 7 * SNAPSHOTS; key++)
            CHECK_EQ(lfset_u64_snapshot_contains(snapshots[i], key),
                     key >= 7 * i && key < 7 * i + COUNT);
        uint64_t keys[COUNT];
        CHECK_EQ(lfset_u64_snapshot_copy(snapshots[i], keys, COUNT), COUNT);
        CHECK_EQ(keys[0], 7 * i);
        CHECK_EQ(keys[COUNT - 1], 7 * i + COUNT - 1);
    }
    for (uint64_t i = SNAPSHOTS; i > 0; i--)
        lfset_u64_snapshot_destroy(snapshots[(i * 23) % SNAPSHOTS]);
    memory_check_balance(&memory);
}

struct sharer {
    struct lfset_u64_snapshot *snapshot;
    uint64_t keys[500];
};

static void read_shared(void *arg)
{
    struct sharer *me = arg;
    if (lfset_u64_snapshot_copy(me->snapshot, me->keys, 500) != 500)
        fault("copy does not give 500 keys");
    for (uint64_t i = 0; i < 500; i++)
        if (me->keys[i] != i << 50 >> 1 ||
            lfset_u64_snapshot_contains(me->snapshot, me->keys[i]) != 1)
            fault("key %" PRIu64 " of a shared snapshot is wrong", i);
}

/* The first ordered use sorts; here several threads are the first. */
TEST_BOTH(u64_snapshot, may_be_shared_by_threads)
{
    struct memory memory;
    memory_init(&memory, 0);
    for (size_t round = 0; round < scaled(domain == LFSET_RCU ? 60 : 300); round++) {
        struct lfset_u64 *set = set_new(domain, 500, 1, &memory);
        for (uint64_t i = 0; i < 500; i++)
            CHECK_EQ(lfset_u64_add(set, i << 50 >> 1), 1);
        static struct sharer sharers[4];
        CHECK_EQ(lfset_u64_snapshot_take(set, &sharers[0].snapshot, NULL), 0);
        for (size_t i = 1; i < 4; i++)
            sharers[i].snapshot = sharers[0].snapshot;
        CHECK_EQ(lfset_u64_destroy(set), 0);
        crew_run(4, read_shared, sharers, sizeof *sharers);
        lfset_u64_snapshot_destroy(sharers[0].snapshot);
        memory_check_balance(&memory);
    }
}

static int expect_busy(uint64_t key, void *ctx)
{
    (void)key;
    (void)ctx;
    return 3;
}

TEST_BOTH(u64_snapshot, each_visits_and_stops)
{
    enum { COUNT = 500 };
    uint64_t seen[COUNT];
    struct lfset_u64 *set = set_new(domain, 0, 34, NULL);
    CHECK_EQ(lfset_u64_each(set, expect_busy, NULL, NULL),
             0); /* an empty set has nothing to visit */
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(lfset_u64_add(set, key << 32), 1);
    struct collection all = {seen, 0, COUNT, 0};
    CHECK_EQ(lfset_u64_each(set, collect, &all, NULL), 0);
    CHECK_EQ(all.count, COUNT);
    qsort(seen, COUNT, sizeof *seen, compare_keys);
    for (uint64_t key = 0; key < COUNT; key++)
        CHECK_EQ(seen[key], key << 32);
    for (size_t stop = 1; stop <= COUNT; stop += 83) {
        struct collection some = {seen, 0, COUNT, stop};
        CHECK_EQ(lfset_u64_each(set, collect, &some, NULL), 7);
        CHECK_EQ(some.count, stop);
    }
    CHECK_EQ(lfset_u64_each(set, expect_busy, NULL, NULL), 3);
    set_end(set, NULL);
}

/* ---- each with a visitor that uses the set ---- */

struct meddler {
    struct lfset_u64 *set;
    struct lfset_u64 *other;
    uint64_t stable; /* keys below this stay */
    uint64_t next;   /* to be added */
    uint64_t visits;
    unsigned char *visited;
};

static int meddle(uint64_t key, void *ctx)
{
    struct meddler *me = ctx;
    if (key < me->stable) {
        CHECK_EQ(me->visited[key], 0);
        me->visited[key] = 1;
        me->visits++;
    }
    CHECK_EQ(lfset_u64_contains(me->set, key < me->stable ? key : 0), 1);
    /* The first 2000 visits grow the set to many times its size, beneath the iteration. */
    for (unsigned i = 0; me->next < 64000 && i < 32; i++)
        CHECK_EQ(lfset_u64_add(me->set, me->next++), 1);
    if (key >= me->stable)
        CHECK_EQ(lfset_u64_remove(me->set, key), 1);
    CHECK(lfset_u64_add(me->other, key) >= 0, "add to another set failed");
    if (me->visits == 100) {
        struct lfset_u64_snapshot *snapshot = NULL;
        CHECK_EQ(lfset_u64_snapshot_take(me->set, &snapshot, NULL), 0);
        CHECK(lfset_u64_snapshot_count(snapshot) >= (int64_t)me->stable, "snapshot lost keys");
        lfset_u64_snapshot_destroy(snapshot);
        uint64_t seen[1];
        struct collection one = {seen, 0, 1, 1};
        CHECK_EQ(lfset_u64_each(me->set, collect, &one, NULL), 7);
        CHECK_EQ(lfset_section_enter(), 0);
        CHECK_EQ(lfset_section_leave(), 0);
        CHECK_EQ(lfset_barrier(), 0); /* a visitor is in no section */
    }
    return 0;
}

TEST_BOTH(u64_snapshot, each_lets_its_visitor_use_the_set)
{
    enum { STABLE = 1000 };
    unsigned char visited[STABLE] = {0};
    struct memory memory;
    memory_init(&memory, 0);
    struct lfset_u64 *set = set_new(domain, 0, 35, &memory);
    struct lfset_u64 *other = set_new((enum lfset_domain)(1 - (int)domain), 0, 35, NULL);
    for (uint64_t key = 0; key < STABLE; key++)
        CHECK_EQ(lfset_u64_add(set, key), 1);
    struct meddler me = {set, other, STABLE, STABLE, 0, visited};
    CHECK_EQ(lfset_u64_each(set, meddle, &me, NULL), 0);
    CHECK_EQ(me.visits, STABLE);
    CHECK(set_stats(set).grows > 0, "the visitor did not make the set grow");
    set_end(other, NULL);
    set_end(set, &memory);
}

struct emptier {
    struct lfset_u64 *set;
    unsigned how;
    uint64_t visits;
};

static int empty_the_set(uint64_t key, void *ctx)
{
    struct emptier *me = ctx;
    struct lfset_u64_snapshot *snapshot = NULL;
    (void)key;
    if (me->visits++ == 5) {
        if (me->how == 0) {
            CHECK_EQ(lfset_u64_clear(me->set, NULL), 100);
        } else if (me->how == 1) {
            CHECK_EQ(lfset_u64_drain(me->set, &snapshot, NULL), 0);
            lfset_u64_snapshot_destroy(snapshot);
        } else {
            while (lfset_u64_pop(me->set, &key) == 1)
                ;
        }
    }
    return 0;
}

/* Removed keys may still be visited (they were present during the call), but once. */
TEST_BOTH(u64_snapshot, each_lets_its_visitor_empty_the_set)
{
    for (unsigned how = 0; how < 3; how++) {
        struct lfset_u64 *set = set_new(domain, 0, 36, NULL);
        for (uint64_t key = 0; key < 100; key++)
            CHECK_EQ(lfset_u64_add(set, key), 1);
        struct emptier me = {set, how, 0};
        CHECK_EQ(lfset_u64_each(set, empty_the_set, &me, NULL), 0);
        CHECK(me.visits >= 6 && me.visits <= 100, "%" PRIu64 " visits", me.visits);
        CHECK_EQ(lfset_u64_is_empty(set), 1);
        set_end(set, NULL);
    }
}

/* ---- many threads: what the writers promise of every instant ---- */

/* Number `i` of writer `id`; the ids keep the writers' keys apart, odd factors scatter them. */
static uint64_t numbered(uint64_t id, uint64_t i)
{
    return (i << 8 | id) * UINT64_C(0xd1b54a32d192ed03);
}

static uint64_t number_of(uint64_t key)
{
    return key * UINT64_C(0x6106ccfa448e5ab) >> 8;
}

static uint64_t writer_of(uint64_t key)
{
    return key * UINT64_C(0x6106ccfa448e5ab) & 0xff;
}

TEST(u64_snapshot, test_numbers_come_back)
{
    for (uint64_t i = 0; i < 1000; i++) {
        CHECK_EQ(number_of(numbered(i % 256, i * i)), i * i);
        CHECK_EQ(writer_of(numbered(i % 256, i * i)), i % 256);
    }
}

struct writer {
    struct lfset_u64 *set;
    uint64_t id;
    uint64_t width;
    atomic_bool *stop;
    atomic_ullong steps;
};

static void expect_one(const char *what, int result)
{
    if (result != 1)
        fault("%s answers %d, should be 1", what, result);
}

/* Holds `width` tokens, each at one of two places; while one moves it is at both. */
static void move_add_first(void *arg)
{
    struct writer *me = arg;
    struct random random = random_from(me->id + 4000);
    uint64_t at = 0; /* one bit a token, width <= 64 */
    while (!atomic_load(me->stop)) {
        const uint64_t token = random_below(&random, me->width);
        const uint64_t place = at >> token & 1;
        expect_one("add", lfset_u64_add(me->set, numbered(me->id, token * 2 + 1 - place)));
        expect_one("remove", lfset_u64_remove(me->set, numbered(me->id, token * 2 + place)));
        at ^= UINT64_C(1) << token;
        atomic_fetch_add(&me->steps, 1);
    }
}

/* The same, but while one moves it is nowhere. */
static void move_remove_first(void *arg)
{
    struct writer *me = arg;
    struct random random = random_from(me->id + 4000);
    uint64_t at = 0;
    while (!atomic_load(me->stop)) {
        const uint64_t token = random_below(&random, me->width);
        const uint64_t place = at >> token & 1;
        expect_one("remove", lfset_u64_remove(me->set, numbered(me->id, token * 2 + place)));
        expect_one("add", lfset_u64_add(me->set, numbered(me->id, token * 2 + 1 - place)));
        at ^= UINT64_C(1) << token;
        atomic_fetch_add(&me->steps, 1);
    }
}

/* Holds `width` consecutive numbers that only move up: ever new keys, so the set purges. */
static void slide(void *arg)
{
    struct writer *me = arg;
    for (uint64_t i = 0; !atomic_load(me->stop); i++) {
        expect_one("add", lfset_u64_add(me->set, numbered(me->id, i + me->width)));
        expect_one("remove", lfset_u64_remove(me->set, numbered(me->id, i)));
        atomic_fetch_add(&me->steps, 1);
    }
}

/* Holds the numbers 0 .. n - 1, where n goes up to `width` and down to 0: growth and shrinking. */
static void breathe(void *arg)
{
    struct writer *me = arg;
    uint64_t n = 0;
    bool up = true;
    while (!atomic_load(me->stop)) {
        if (up)
            expect_one("add", lfset_u64_add(me->set, numbered(me->id, n++)));
        else
            expect_one("remove", lfset_u64_remove(me->set, numbered(me->id, --n)));
        if (n == 0 || n == me->width)
            up = n == 0;
        atomic_fetch_add(&me->steps, 1);
    }
}

enum { TOKENS = 20, WINDOW = 30, BREATH = 3000 };
enum { ADD_FIRST = 1, REMOVE_FIRST = 2, SLIDES = 3, BREATHES = 4, WRITERS = 4 };

static void writers_prepare(struct writer *writers, struct lfset_u64 *set, atomic_bool *stop)
{
    const uint64_t widths[WRITERS] = {TOKENS, TOKENS, WINDOW, BREATH};
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i].set = set;
        writers[i].id = i + 1;
        writers[i].width = widths[i];
        writers[i].stop = stop;
        atomic_init(&writers[i].steps, 0);
    }
    for (uint64_t token = 0; token < TOKENS; token++) {
        CHECK_EQ(lfset_u64_add(set, numbered(ADD_FIRST, token * 2)), 1);
        CHECK_EQ(lfset_u64_add(set, numbered(REMOVE_FIRST, token * 2)), 1);
    }
    for (uint64_t i = 0; i < WINDOW; i++)
        CHECK_EQ(lfset_u64_add(set, numbered(SLIDES, i)), 1);
}

static void writers_body(void *arg)
{
    struct writer *me = arg;
    void (*const bodies[WRITERS])(void *) = {move_add_first, move_remove_first, slide, breathe};
    bodies[me->id - 1](me);
}

/* The writers really were at it: no test of instants without something that happens in them. */
static void writers_wait(struct writer *writers, uint64_t steps)
{
    for (size_t i = 0; i < WRITERS; i++)
        while (atomic_load(&writers[i].steps) < steps)
            sched_yield();
}

/* What every instant must look like, from the keys of a snapshot. */
static void check_instant(const uint64_t *keys, size_t count, uint64_t *slid, const char *what)
{
    unsigned add_first[TOKENS] = {0};
    unsigned remove_first[TOKENS] = {0};
    uint64_t slide_least = UINT64_MAX;
    uint64_t slide_most = 0;
    uint64_t slide_count = 0;
    uint64_t breath_most = 0;
    uint64_t breath_count = 0;
    for (size_t i = 0; i < count; i++) {
        const uint64_t number = number_of(keys[i]);
        switch (writer_of(keys[i])) {
        case ADD_FIRST:
            CHECK(number < 2 * TOKENS, "a key that nobody added");
            add_first[number / 2]++;
            break;
        case REMOVE_FIRST:
            CHECK(number < 2 * TOKENS, "a key that nobody added");
            remove_first[number / 2]++;
            break;
        case SLIDES:
            slide_count++;
            slide_least = number < slide_least ? number : slide_least;
            slide_most = number > slide_most ? number : slide_most;
            break;
        case BREATHES:
            breath_count++;
            breath_most = number + 1 > breath_most ? number + 1 : breath_most;
            break;
        default:
            CHECK(false, "a key that nobody added");
        }
    }
    unsigned twice = 0;
    unsigned nowhere = 0;
    for (size_t i = 0; i < TOKENS; i++) {
        CHECK(add_first[i] >= 1, "%s: token %zu was nowhere", what, i);
        CHECK(remove_first[i] <= 1, "%s: token %zu was at two places", what, i);
        twice += add_first[i] - 1;
        nowhere += 1 - remove_first[i];
    }
    CHECK(twice <= 1, "%s: one thread moved %u tokens at once", what, twice);
    CHECK(nowhere <= 1, "%s: one thread moved %u tokens at once", what, nowhere);
    CHECK(slide_count == WINDOW || slide_count == WINDOW + 1, "%s: a window of %" PRIu64, what,
          slide_count);
    CHECK_EQ(slide_most - slide_least + 1, slide_count);
    CHECK(slide_least >= *slid, "%s: the window went back", what);
    *slid = slide_least;
    CHECK_EQ(breath_most, breath_count);
}

TEST_BOTH(u64_snapshot, snapshots_and_sizes_are_of_one_instant)
{
    struct memory memory;
    memory_init(&memory, 0);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        atomic_bool stop = false;
        struct writer writers[WRITERS];
        struct lfset_u64 *set = set_new(domain, 0, seed, &memory);
        writers_prepare(writers, set, &stop);
        uint64_t *keys = malloc(10000 * sizeof *keys);
        CHECK(keys != NULL, "no memory for the test");
        struct crew crew;
        crew_start(&crew, WRITERS, writers_body, writers, sizeof *writers);
        writers_wait(writers, 100);
        uint64_t slid = 0;
        for (size_t round = 0; round < scaled(2500); round++) {
            struct lfset_u64_snapshot *snapshot = NULL;
            CHECK_EQ(lfset_u64_snapshot_take(set, &snapshot, NULL), 0);
            const int64_t count = lfset_u64_snapshot_copy(snapshot, keys, 10000);
            CHECK_EQ(count, lfset_u64_snapshot_count(snapshot));
            check_instant(keys, (size_t)count, &slid, "snapshot");
            lfset_u64_snapshot_destroy(snapshot);
            const int64_t size = lfset_u64_size(set, NULL);
            const int64_t least = 2 * TOKENS - 1 + WINDOW;
            CHECK(size >= least && size <= least + 3 + BREATH, "a size of %" PRId64, size);
            CHECK_EQ(lfset_u64_is_empty(set), 0);
        }
        writers_wait(writers, 2 * BREATH);
        atomic_store(&stop, true);
        crew_join(&crew);
        check_faults();
        const struct lfset_stats stats = set_stats(set);
        cr_log_info("%" PRIu64 " snapshots, %" PRIu64 " grows, %" PRIu64 " purges, %" PRIu64
                    " shrinks",
                    stats.snapshots, stats.grows, stats.purges, stats.shrinks);
        free(keys);
        set_end(set, &memory);
    }
}

/* With tokens alone the size is known to within the number of threads. */
TEST_BOTH(u64_snapshot, size_is_exact_while_tokens_move)
{
    enum { MOVERS = 3 };
    struct lfset_u64 *set = set_new(domain, 0, 3, NULL);
    for (unsigned first = 0; first < 2; first++) {
        atomic_bool stop = false;
        struct writer writers[MOVERS];
        for (size_t i = 0; i < MOVERS; i++) {
            writers[i].set = set;
            writers[i].id = i + 1;
            writers[i].width = TOKENS;
            writers[i].stop = &stop;
            atomic_init(&writers[i].steps, 0);
            for (uint64_t token = 0; token < TOKENS; token++)
                CHECK_EQ(lfset_u64_add(set, numbered(i + 1, token * 2)), 1);
        }
        struct crew crew;
        crew_start(&crew, MOVERS, first == 0 ? move_add_first : move_remove_first, writers,
                   sizeof *writers);
        for (size_t i = 0; i < MOVERS; i++)
            while (atomic_load(&writers[i].steps) < 10)
                sched_yield();
        const int64_t tokens = MOVERS * TOKENS;
        for (size_t round = 0; round < scaled(30000); round++) {
            const int64_t size = lfset_u64_size(set, NULL);
            if (first == 0)
                CHECK(size >= tokens && size <= tokens + MOVERS, "a size of %" PRId64, size);
            else
                CHECK(size >= tokens - MOVERS && size <= tokens, "a size of %" PRId64, size);
        }
        atomic_store(&stop, true);
        crew_join(&crew);
        check_faults();
        CHECK_EQ(lfset_u64_clear(set, NULL), tokens);
    }
    set_end(set, NULL);
}

/* There is always one key, so the set is never empty, whoever asks in whatever way. */
TEST_BOTH(u64_snapshot, a_set_that_never_is_empty_never_looks_it)
{
    atomic_bool stop = false;
    struct lfset_u64 *set = set_new(domain, 0, 4, NULL);
    struct writer writer = {.set = set, .id = 9, .width = 1, .stop = &stop};
    atomic_init(&writer.steps, 0);
    CHECK_EQ(lfset_u64_add(set, numbered(9, 0)), 1);
    struct crew crew;
    crew_start(&crew, 1, slide, &writer, sizeof writer);
    for (size_t round = 0; round < scaled(50000) || atomic_load(&writer.steps) < 1000; round++) {
        CHECK_EQ(lfset_u64_is_empty(set), 0);
        const int64_t size = lfset_u64_size(set, NULL);
        CHECK(size == 1 || size == 2, "a size of %" PRId64, size);
    }
    atomic_store(&stop, true);
    crew_join(&crew);
    CHECK_EQ(lfset_u64_size(set, NULL), 1);
    uint64_t key = 0;
    CHECK_EQ(lfset_u64_pop(set, &key), 1);
    CHECK_EQ(lfset_u64_is_empty(set), 1);
    set_end(set, NULL);
}

/* ---- drain: what was added comes out once, in order ---- */

static void add_in_order(void *arg)
{
    struct writer *me = arg;
    for (uint64_t i = 0; i < me->width; i++) {
        expect_one("add", lfset_u64_add(me->set, numbered(me->id, i)));
        atomic_store(&me->steps, i + 1);
    }
}

/* Each writer's keys in a drain must follow, without gap, on those of the drain before. */
static void check_drained(struct lfset_u64_snapshot *snapshot, uint64_t *next, size_t writers)
{
    uint64_t most[8] = {0};
    uint64_t count[8] = {0};
    const int64_t held = lfset_u64_snapshot_count(snapshot);
    uint64_t *keys = malloc(((size_t)held + 1) * sizeof *keys);
    CHECK(keys != NULL, "no memory for the test");
    CHECK_EQ(lfset_u64_snapshot_copy(snapshot, keys, (size_t)held + 1), held);
    for (int64_t i = 0; i < held; i++) {
        const uint64_t id = writer_of(keys[i]);
        const uint64_t number = number_of(keys[i]);
        CHECK(id < writers, "a key that nobody added");
        CHECK(number >= next[id], "key %" PRIu64 " was drained twice", number);
        count[id]++;
        most[id] = number + 1 > most[id] ? number + 1 : most[id];
    }
    for (size_t id = 0; id < writers; id++) {
        if (count[id] > 0)
            CHECK_EQ(most[id] - next[id], count[id]);
        next[id] += count[id];
    }
    free(keys);
}

TEST_BOTH(u64_snapshot, drains_lose_nothing_and_keep_the_order)
{
    enum { ADDERS = 3 };
    struct memory memory;
    memory_init(&memory, 0);
    const uint64_t width = scaled(300000);
    struct lfset_u64 *set = set_new(domain, 0, 5, &memory);
    struct writer writers[ADDERS];
    for (size_t i = 0; i < ADDERS; i++) {
        writers[i].set = set;
        writers[i].id = i;
        writers[i].width = width;
        atomic_init(&writers[i].steps, 0);
    }
    uint64_t next[ADDERS] = {0};
    struct crew crew;
    crew_start(&crew, ADDERS, add_in_order, writers, sizeof *writers);
    uint64_t drains = 0;
    for (uint64_t done = 0; done < ADDERS * width; drains++) {
        struct lfset_u64_snapshot *snapshot = NULL;
        CHECK_EQ(lfset_u64_drain(set, &snapshot, NULL), 0);
        check_drained(snapshot, next, ADDERS);
        lfset_u64_snapshot_destroy(snapshot);
        done = 0;
        for (size_t i = 0; i < ADDERS; i++)
            done += next[i];
        check_faults();
    }
    crew_join(&crew);
    check_faults();
    CHECK(drains > 1, "one drain took all");
    cr_log_info("%" PRIu64 " drains", drains);
    CHECK_EQ(lfset_u64_is_empty(set), 1);
    set_end(set, &memory);
}

/* ---- each beside writers ---- */

struct witness {
    uint64_t *keys;
    size_t count;
    size_t max;
};

static int witness_visit(uint64_t key, void *ctx)
{
    struct witness *witness = ctx;
    if (witness->count < witness->max)
        witness->keys[witness->count] = key;
    witness->count++;
    return 0;
}

TEST_BOTH(u64_snapshot, each_visits_what_stays_exactly_once)
{
    enum { STABLE = 2000, STAYS = 7 };
    struct memory memory;
    memory_init(&memory, 0);
    atomic_bool stop = false;
    struct writer writers[WRITERS];
    struct lfset_u64 *set = set_new(domain, 0, 6, &memory);
    for (uint64_t i = 0; i < STABLE; i++)
        CHECK_EQ(lfset_u64_add(set, numbered(STAYS, i)), 1);
    writers_prepare(writers, set, &stop);
    struct witness witness = {malloc(100000 * sizeof(uint64_t)), 0, 100000};
    CHECK(witness.keys != NULL, "no memory for the test");
    struct crew crew;
    crew_start(&crew, WRITERS, writers_body, writers, sizeof *writers);
    writers_wait(writers, 100);
    for (size_t round = 0; round < scaled(800); round++) {
        witness.count = 0;
        CHECK_EQ(lfset_u64_each(set, witness_visit, &witness, NULL), 0);
        CHECK(witness.count <= witness.max, "%zu visits", witness.count);
        qsort(witness.keys, witness.count, sizeof *witness.keys, compare_keys);
        size_t stable = 0;
        for (size_t i = 0; i < witness.count; i++) {
            CHECK(i == 0 || witness.keys[i] != witness.keys[i - 1],
                  "number %" PRIu64 " of writer %" PRIu64 " was visited twice",
                  number_of(witness.keys[i]), writer_of(witness.keys[i]));
            stable += writer_of(witness.keys[i]) == STAYS;
        }
        CHECK_EQ(stable, STABLE);
    }
    writers_wait(writers, 2 * BREATH);
    atomic_store(&stop, true);
    crew_join(&crew);
    check_faults();
    free(witness.keys);
    set_end(set, &memory);
}

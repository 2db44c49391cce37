// SPDX-License-Identifier: MIT
/* wait_present, wait_absent and wait_empty of the sets: every change that fulfils them wakes. */
#define _GNU_SOURCE
#include "wait_support.h"

#include "lfset/bytes.h"

/* ---- two kinds of set, alike ---- */

struct kind {
    void *(*create)(enum lfset_domain domain);
    int (*destroy)(void *set);
    int (*add)(void *set, uint64_t key);
    int (*remove)(void *set, uint64_t key);
    int (*pop)(void *set);
    int64_t (*clear)(void *set);
    int (*drain)(void *set);
    int64_t (*add_many)(void *set, const uint64_t *keys, size_t count);
    int64_t (*remove_many)(void *set, const uint64_t *keys, size_t count);
    int64_t (*remove_all_if)(void *set);
    int64_t (*size)(void *set);
    int (*wait_present)(void *set, uint64_t key, const struct lfset_cancel *cancel);
    int (*wait_absent)(void *set, uint64_t key, const struct lfset_cancel *cancel);
    int (*wait_empty)(void *set, const struct lfset_cancel *cancel);
};

static struct lfset_options options_of(enum lfset_domain domain)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    return options;
}

static void *u64_create(enum lfset_domain domain)
{
    const struct lfset_options options = options_of(domain);
    struct lfset_u64 *set = NULL;
    return lfset_u64_create(&set, &options) == 0 ? set : NULL;
}

static int u64_destroy(void *set)
{
    return lfset_u64_destroy(set);
}

static int u64_add(void *set, uint64_t key)
{
    return lfset_u64_add(set, key);
}

static int u64_remove(void *set, uint64_t key)
{
    return lfset_u64_remove(set, key);
}

static int u64_pop(void *set)
{
    uint64_t key;
    return lfset_u64_pop(set, &key);
}

static int64_t u64_clear(void *set)
{
    return lfset_u64_clear(set, NULL);
}

static int u64_drain(void *set)
{
    struct lfset_u64_snapshot *snapshot = NULL;
    const int result = lfset_u64_drain(set, &snapshot, NULL);
    lfset_u64_snapshot_destroy(snapshot);
    return result;
}

static int64_t u64_add_many(void *set, const uint64_t *keys, size_t count)
{
    return lfset_u64_add_many(set, keys, count, NULL);
}

static int64_t u64_remove_many(void *set, const uint64_t *keys, size_t count)
{
    return lfset_u64_remove_many(set, keys, count, NULL);
}

static int u64_unwanted(uint64_t key, void *ctx)
{
    (void)key, (void)ctx;
    return 1;
}

static int64_t u64_remove_all_if(void *set)
{
    return lfset_u64_remove_if(set, u64_unwanted, NULL, NULL);
}

static int64_t u64_size(void *set)
{
    return lfset_u64_size(set, NULL);
}

static int u64_wait_present(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return lfset_u64_wait_present(set, key, cancel);
}

static int u64_wait_absent(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return lfset_u64_wait_absent(set, key, cancel);
}

static int u64_wait_empty(void *set, const struct lfset_cancel *cancel)
{
    return lfset_u64_wait_empty(set, cancel);
}

static const struct kind u64 = {
    u64_create, u64_destroy,      u64_add,         u64_remove,      u64_pop,
    u64_clear,  u64_drain,        u64_add_many,    u64_remove_many, u64_remove_all_if,
    u64_size,   u64_wait_present, u64_wait_absent, u64_wait_empty,
};

/* The strings are the numbers' bytes. */

static void *bytes_create(enum lfset_domain domain)
{
    const struct lfset_options options = options_of(domain);
    struct lfset_bytes *set = NULL;
    return lfset_bytes_create(&set, &options) == 0 ? set : NULL;
}

static int bytes_destroy(void *set)
{
    return lfset_bytes_destroy(set);
}

static int bytes_add(void *set, uint64_t key)
{
    return lfset_bytes_add(set, &key, sizeof key);
}

static int bytes_remove(void *set, uint64_t key)
{
    return lfset_bytes_remove(set, &key, sizeof key);
}

static int bytes_pop(void *set)
{
    uint64_t key;
    size_t length;
    return lfset_bytes_pop(set, &key, sizeof key, &length);
}

static int64_t bytes_clear(void *set)
{
    return lfset_bytes_clear(set, NULL);
}

static int bytes_drain(void *set)
{
    struct lfset_bytes_snapshot *snapshot = NULL;
    const int result = lfset_bytes_drain(set, &snapshot, NULL);
    lfset_bytes_snapshot_destroy(snapshot);
    return result;
}

enum { MANY = 16 };

static int64_t bytes_add_many(void *set, const uint64_t *keys, size_t count)
{
    struct lfset_string strings[MANY];
    for (size_t i = 0; i < count; i++)
        strings[i] = (struct lfset_string){&keys[i], sizeof keys[i]};
    return lfset_bytes_add_many(set, strings, count, NULL);
}

static int64_t bytes_remove_many(void *set, const uint64_t *keys, size_t count)
{
    struct lfset_string strings[MANY];
    for (size_t i = 0; i < count; i++)
        strings[i] = (struct lfset_string){&keys[i], sizeof keys[i]};
    return lfset_bytes_remove_many(set, strings, count, NULL);
}

static int bytes_unwanted(const void *key, size_t length, void *ctx)
{
    (void)key, (void)length, (void)ctx;
    return 1;
}

static int64_t bytes_remove_all_if(void *set)
{
    return lfset_bytes_remove_if(set, bytes_unwanted, NULL, NULL);
}

static int64_t bytes_size(void *set)
{
    return lfset_bytes_size(set, NULL);
}

static int bytes_wait_present(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return lfset_bytes_wait_present(set, &key, sizeof key, cancel);
}

static int bytes_wait_absent(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    return lfset_bytes_wait_absent(set, &key, sizeof key, cancel);
}

static int bytes_wait_empty(void *set, const struct lfset_cancel *cancel)
{
    return lfset_bytes_wait_empty(set, cancel);
}

static const struct kind bytes = {
    bytes_create, bytes_destroy,      bytes_add,         bytes_remove,      bytes_pop,
    bytes_clear,  bytes_drain,        bytes_add_many,    bytes_remove_many, bytes_remove_all_if,
    bytes_size,   bytes_wait_present, bytes_wait_absent, bytes_wait_empty,
};

/* TEST_SETS(name) { ... kind ... set ... } becomes four tests, one for each kind and domain. */
#define TEST_SETS(name)                                                                            \
    static void wait_##name(const struct kind *kind, void *set);                                   \
    TEST_BOTH(wait_u64, name)                                                                      \
    {                                                                                              \
        run_test(&u64, domain, wait_##name);                                                       \
    }                                                                                              \
    TEST_BOTH(wait_bytes, name)                                                                    \
    {                                                                                              \
        run_test(&bytes, domain, wait_##name);                                                     \
    }                                                                                              \
    static void wait_##name(const struct kind *kind, void *set)

static void run_test(const struct kind *kind, enum lfset_domain domain,
                     void (*test)(const struct kind *kind, void *set))
{
    void *set = kind->create(domain);
    CHECK(set != NULL, "cannot create a set");
    test(kind, set);
    check_faults();
    CHECK_EQ(kind->destroy(set), 0);
}

/* ---- one wait ---- */

enum what { PRESENT, ABSENT, EMPTY };

struct wait {
    const struct kind *kind;
    void *set;
    enum what what;
    uint64_t key;
    const struct lfset_cancel *cancel;
};

static int wait_call(void *arg)
{
    const struct wait *wait = arg;
    return wait->what == PRESENT  ? wait->kind->wait_present(wait->set, wait->key, wait->cancel)
           : wait->what == ABSENT ? wait->kind->wait_absent(wait->set, wait->key, wait->cancel)
                                  : wait->kind->wait_empty(wait->set, wait->cancel);
}

/* ---- what wakes ---- */

enum { KEY = 5 };

static void by_add(const struct kind *kind, void *set)
{
    CHECK_EQ(kind->add(set, KEY), 1);
}

static void by_add_many(const struct kind *kind, void *set)
{
    uint64_t keys[MANY];
    for (size_t i = 0; i < MANY; i++)
        keys[i] = i;
    CHECK_EQ(kind->add_many(set, keys, MANY), MANY);
}

static void by_remove(const struct kind *kind, void *set)
{
    CHECK_EQ(kind->remove(set, KEY), 1);
}

static void by_remove_many(const struct kind *kind, void *set)
{
    const uint64_t keys[] = {1, KEY, 2};
    CHECK_EQ(kind->remove_many(set, keys, 3), 1);
}

static void by_pop(const struct kind *kind, void *set)
{
    CHECK_EQ(kind->pop(set), 1);
}

static void by_clear(const struct kind *kind, void *set)
{
    CHECK_EQ(kind->clear(set), 1);
}

static void by_drain(const struct kind *kind, void *set)
{
    CHECK_EQ(kind->drain(set), 0);
}

static void by_remove_if(const struct kind *kind, void *set)
{
    CHECK_EQ(kind->remove_all_if(set), 1);
}

/* The key is there, or is not; a thread sleeps until that changes. */
static void wakes(const struct kind *kind, void *set, enum what what,
                  void (*change)(const struct kind *kind, void *set))
{
    CHECK(kind->clear(set) >= 0, "clear failed");
    if (what != PRESENT)
        CHECK_EQ(kind->add(set, KEY), 1);
    struct wait wait = {kind, set, what, KEY, NULL};
    struct sleeper sleeper;
    sleeper_start(&sleeper, wait_call, &wait);
    sleeper_until_asleep(&sleeper);
    change(kind, set);
    CHECK_EQ(sleeper_join(&sleeper), 0);
}

TEST_SETS(present_is_woken)
{
    wakes(kind, set, PRESENT, by_add);
    wakes(kind, set, PRESENT, by_add_many);
}

TEST_SETS(absent_is_woken)
{
    wakes(kind, set, ABSENT, by_remove);
    wakes(kind, set, ABSENT, by_remove_many);
    wakes(kind, set, ABSENT, by_pop);
    wakes(kind, set, ABSENT, by_clear);
    wakes(kind, set, ABSENT, by_drain);
    wakes(kind, set, ABSENT, by_remove_if);
}

TEST_SETS(empty_is_woken)
{
    wakes(kind, set, EMPTY, by_remove);
    wakes(kind, set, EMPTY, by_remove_many);
    wakes(kind, set, EMPTY, by_pop);
    wakes(kind, set, EMPTY, by_clear);
    wakes(kind, set, EMPTY, by_drain);
    wakes(kind, set, EMPTY, by_remove_if);
}

/* A key that the set knows already, because it was there before: another path than a new key's. */
TEST_SETS(present_is_woken_by_a_key_that_comes_back)
{
    for (uint64_t i = 0; i < 20; i++) {
        CHECK_EQ(kind->add(set, KEY), 1);
        CHECK_EQ(kind->remove(set, KEY), 1);
        struct wait wait = {kind, set, PRESENT, KEY, NULL};
        struct sleeper sleeper;
        sleeper_start(&sleeper, wait_call, &wait);
        sleeper_until_asleep(&sleeper);
        CHECK_EQ(kind->add(set, KEY), 1);
        CHECK_EQ(sleeper_join(&sleeper), 0);
        CHECK_EQ(kind->remove(set, KEY), 1);
    }
}

/* ---- what does not ---- */

TEST_SETS(what_holds_already)
{
    struct lfset_cancel *cancelled = token_new(NULL, LFSET_NO_DEADLINE);
    CHECK_EQ(lfset_cancel_now(cancelled), 1);
    CHECK_EQ(kind->wait_absent(set, 1, NULL), 0);
    CHECK_EQ(kind->wait_empty(set, NULL), 0);
    CHECK_EQ(kind->wait_absent(set, 1, cancelled), 0);
    CHECK_EQ(kind->add(set, 1), 1);
    CHECK_EQ(kind->wait_present(set, 1, NULL), 0);
    CHECK_EQ(kind->wait_present(set, 1, cancelled), 0);
    lfset_cancel_destroy(cancelled);
}

TEST_SETS(bad_calls)
{
    CHECK_EQ(kind->wait_present(NULL, 1, NULL), -EINVAL);
    CHECK_EQ(kind->wait_absent(NULL, 1, NULL), -EINVAL);
    CHECK_EQ(kind->wait_empty(NULL, NULL), -EINVAL);
    CHECK_EQ(lfset_section_enter(), 0);
    CHECK_EQ(kind->wait_present(set, 1, NULL), -EDEADLK);
    CHECK_EQ(kind->wait_absent(set, 1, NULL), -EDEADLK);
    CHECK_EQ(kind->wait_empty(set, NULL), -EDEADLK);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(kind->wait_absent(set, 1, NULL), 0);
}

TEST_SETS(cancelled_and_expired)
{
    struct lfset_cancel *tokens[] = {token_new(NULL, LFSET_NO_DEADLINE), token_new(NULL, 0)};
    const int results[] = {-ECANCELED, -ETIMEDOUT};
    CHECK_EQ(lfset_cancel_now(tokens[0]), 1);
    for (size_t i = 0; i < 2; i++) {
        CHECK_EQ(kind->wait_present(set, 1, tokens[i]), results[i]);
        CHECK_EQ(kind->add(set, 1), 1);
        CHECK_EQ(kind->wait_absent(set, 1, tokens[i]), results[i]);
        CHECK_EQ(kind->wait_empty(set, tokens[i]), results[i]);
        CHECK_EQ(kind->remove(set, 1), 1);
        lfset_cancel_destroy(tokens[i]);
    }
}

static void sleep_all_three(const struct kind *kind, void *set, const struct lfset_cancel *cancel,
                            struct wait waits[3], struct sleeper sleepers[3])
{
    CHECK_EQ(kind->add(set, KEY), 1);
    waits[0] = (struct wait){kind, set, PRESENT, KEY + 1, cancel};
    waits[1] = (struct wait){kind, set, ABSENT, KEY, cancel};
    waits[2] = (struct wait){kind, set, EMPTY, 0, cancel};
    for (size_t i = 0; i < 3; i++) {
        sleeper_start(&sleepers[i], wait_call, &waits[i]);
        sleeper_until_asleep(&sleepers[i]);
    }
}

TEST_SETS(cancel_wakes)
{
    struct lfset_cancel *parent = token_new(NULL, LFSET_NO_DEADLINE);
    struct lfset_cancel *token = token_new(parent, LFSET_NO_DEADLINE);
    struct wait waits[3];
    struct sleeper sleepers[3];
    sleep_all_three(kind, set, token, waits, sleepers);
    CHECK_EQ(lfset_cancel_now(parent), 1);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(sleeper_join(&sleepers[i]), -ECANCELED);
    lfset_cancel_destroy(token);
    lfset_cancel_destroy(parent);
}

TEST_SETS(a_deadline_wakes)
{
    struct lfset_cancel *token = token_new(NULL, lfset_deadline_in(100000000));
    CHECK_EQ(kind->add(set, KEY), 1);
    CHECK_EQ(kind->wait_present(set, KEY + 1, token), -ETIMEDOUT);
    CHECK_EQ(kind->wait_absent(set, KEY, token), -ETIMEDOUT);
    CHECK_EQ(kind->wait_empty(set, token), -ETIMEDOUT);
    lfset_cancel_destroy(token);
}

/* Sleepers hold nothing back: not the memory that is retired meanwhile, and not a barrier. */
TEST_SETS(a_sleeper_holds_nothing_back)
{
    struct lfset_cancel *token = token_new(NULL, LFSET_NO_DEADLINE);
    struct wait waits[3];
    struct sleeper sleepers[3];
    sleep_all_three(kind, set, token, waits, sleepers);
    for (uint64_t key = 100; key < 2100; key++)
        CHECK_EQ(kind->add(set, key), 1);
    for (uint64_t key = 100; key < 2100; key++)
        CHECK_EQ(kind->remove(set, key), 1);
    CHECK_EQ(kind->size(set), 1);
    CHECK_EQ(lfset_barrier(), 0);
    for (size_t i = 0; i < 3; i++)
        sleeper_until_asleep(&sleepers[i]);
    CHECK_EQ(lfset_cancel_now(token), 1);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(sleeper_join(&sleepers[i]), -ECANCELED);
    lfset_cancel_destroy(token);
}

/* A wait outlives any number of slices. */
TEST_SETS(woken_after_successions)
{
    struct wait wait = {kind, set, PRESENT, KEY, NULL};
    struct sleeper sleeper;
    sleeper_start(&sleeper, wait_call, &wait);
    sleeper_until_asleep(&sleeper);
    for (uint64_t key = 100; key < 5100; key++)
        CHECK_EQ(kind->add(set, key), 1);
    CHECK_EQ(kind->clear(set), 5000);
    sleeper_until_asleep(&sleeper);
    CHECK_EQ(kind->add(set, KEY), 1);
    CHECK_EQ(sleeper_join(&sleeper), 0);
}

/* The set that a sleeper waits to be empty is not, though the key it saw last is gone. */
TEST_SETS(empty_sleeps_while_anything_is_there)
{
    enum { KEYS = 50 };
    for (uint64_t key = 0; key < KEYS; key++)
        CHECK_EQ(kind->add(set, key), 1);
    struct wait wait = {kind, set, EMPTY, 0, NULL};
    struct sleeper sleeper;
    sleeper_start(&sleeper, wait_call, &wait);
    for (uint64_t key = 0; key < KEYS; key++) {
        sleeper_until_asleep(&sleeper);
        CHECK_EQ(kind->remove(set, key), 1);
        if (key == KEYS / 2) /* one that comes while the others go */
            CHECK_EQ(kind->add(set, 1000), 1);
    }
    sleeper_until_asleep(&sleeper);
    CHECK_EQ(kind->remove(set, 1000), 1);
    CHECK_EQ(sleeper_join(&sleeper), 0);
}

/* ---- many threads ---- */

/* Two threads hand a key to each other: one adds it and waits until it is gone, the other one waits for
 * it and takes it out, each time in another way. */
struct ball {
    const struct kind *kind;
    void *set;
    uint64_t key;
    size_t rounds;
    bool alone; /* no other keys are in the set */
    bool thrower;
};

static int take_out(const struct ball *ball, size_t round)
{
    switch (ball->alone ? round % 5 : round % 2) {
    case 0:
        return ball->kind->remove(ball->set, ball->key);
    case 1:
        return (int)ball->kind->remove_many(ball->set, &ball->key, 1);
    case 2:
        return ball->kind->pop(ball->set);
    case 3:
        return (int)ball->kind->clear(ball->set);
    default:
        return ball->kind->drain(ball->set) == 0;
    }
}

static void throw_and_catch(void *arg)
{
    const struct ball *ball = arg;
    for (size_t round = 0; round < ball->rounds; round++) {
        bool ok;
        if (ball->thrower) {
            ok = (round % 2 == 0 ? ball->kind->add(ball->set, ball->key)
                                 : ball->kind->add_many(ball->set, &ball->key, 1)) == 1;
            ok = ok && (ball->alone && round % 3 == 0
                            ? ball->kind->wait_empty(ball->set, NULL)
                            : ball->kind->wait_absent(ball->set, ball->key, NULL)) == 0;
        } else {
            ok = ball->kind->wait_present(ball->set, ball->key, NULL) == 0 &&
                 take_out(ball, round) == 1;
        }
        if (!ok) {
            fault("a ball was lost in round %zu", round);
            return; /* the other one waits for ever, and the test's time runs out */
        }
    }
}

TEST_SETS(throw_and_catch_alone)
{
    struct ball players[2];
    for (size_t i = 0; i < 2; i++)
        players[i] = (struct ball){kind, set, KEY, scaled(5000), true, i == 0};
    crew_run(2, throw_and_catch, players, sizeof *players);
    CHECK_EQ(kind->size(set), 0);
}

TEST_SETS(throw_and_catch_among_others)
{
    enum { BALLS = 6 };
    struct ball players[2 * BALLS];
    for (size_t i = 0; i < 2 * BALLS; i++)
        players[i] = (struct ball){kind, set, i / 2 * 1000, scaled(3000), false, i % 2 == 0};
    crew_run(2 * BALLS, throw_and_catch, players, sizeof *players);
    CHECK_EQ(kind->size(set), 0);
}

/* Many wait for the same key, each with its own token or none. */
TEST_SETS(all_who_wait_for_a_key)
{
    enum { SLEEPERS = 100 };
    static struct wait waits[SLEEPERS];
    static struct sleeper sleepers[SLEEPERS];
    struct lfset_cancel *token = token_new(NULL, LFSET_NO_DEADLINE);
    for (size_t i = 0; i < SLEEPERS; i++) {
        waits[i] = (struct wait){kind, set, PRESENT, KEY, i % 3 == 0 ? token : NULL};
        sleeper_start(&sleepers[i], wait_call, &waits[i]);
    }
    for (size_t i = 0; i < SLEEPERS; i++)
        sleeper_until_asleep(&sleepers[i]);
    CHECK_EQ(lfset_cancel_now(token), 1);
    for (size_t i = 0; i < SLEEPERS; i += 3)
        CHECK_EQ(sleeper_join(&sleepers[i]), -ECANCELED);
    CHECK_EQ(kind->add(set, KEY), 1);
    for (size_t i = 0; i < SLEEPERS; i++)
        if (i % 3 != 0)
            CHECK_EQ(sleeper_join(&sleepers[i]), 0);
    lfset_cancel_destroy(token);
}

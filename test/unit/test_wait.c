// SPDX-License-Identifier: MIT
/* Tokens, and lfset__wait by itself, with conditions that are not a set's. */
#define _GNU_SOURCE
#include "wait_support.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "wait/wait.h"

#define HOUR (UINT64_C(3600) * 1000000000)

static uint64_t clock_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* ---- tokens ---- */

TEST(cancel, once_and_for_ever)
{
    struct lfset_cancel *token = token_new(NULL, LFSET_NO_DEADLINE);
    CHECK_EQ(lfset_cancel_check(token), 0);
    CHECK_EQ(lfset_cancel_now(token), 1);
    CHECK_EQ(lfset_cancel_check(token), -ECANCELED);
    CHECK_EQ(lfset_cancel_now(token), 0);
    CHECK_EQ(lfset_cancel_check(token), -ECANCELED);
    lfset_cancel_destroy(token);
}

TEST(cancel, null)
{
    CHECK_EQ(lfset_cancel_create(NULL, NULL, 0), -EINVAL);
    CHECK_EQ(lfset_cancel_now(NULL), -EINVAL);
    CHECK_EQ(lfset_cancel_check(NULL), 0);
    lfset_cancel_destroy(NULL);
}

TEST(cancel, deadlines)
{
    struct lfset_cancel *past = token_new(NULL, 0);
    struct lfset_cancel *future = token_new(NULL, lfset_deadline_in(HOUR));
    struct lfset_cancel *heir = token_new(past, lfset_deadline_in(HOUR));
    struct lfset_cancel *strict = token_new(future, clock_now());
    struct lfset_cancel *open = token_new(future, LFSET_NO_DEADLINE);
    CHECK_EQ(lfset_cancel_check(past), -ETIMEDOUT);
    CHECK_EQ(lfset_cancel_check(future), 0);
    CHECK_EQ(lfset_cancel_check(heir), -ETIMEDOUT);
    CHECK_EQ(lfset_cancel_check(strict), -ETIMEDOUT);
    CHECK_EQ(lfset_cancel_check(open), 0);
    /* Cancelled, and too late: the former is told, and cancelling is not undone by the latter. */
    CHECK_EQ(lfset_cancel_now(past), 1);
    CHECK_EQ(lfset_cancel_check(past), -ECANCELED);
    CHECK_EQ(lfset_cancel_check(heir), -ECANCELED);
    struct lfset_cancel *const all[] = {open, strict, heir, future, past};
    for (size_t i = 0; i < 5; i++)
        lfset_cancel_destroy(all[i]);
}

TEST(cancel, a_deadline_in_some_time)
{
    static const uint64_t spans[] = {0, 1, 1000000000, HOUR};
    for (size_t i = 0; i < 4; i++) {
        const uint64_t before = clock_now();
        const uint64_t deadline = lfset_deadline_in(spans[i]);
        CHECK(deadline >= before + spans[i] && deadline <= clock_now() + spans[i],
              "%" PRIu64 " is not in %" PRIu64 " ns", deadline, spans[i]);
    }
    CHECK(lfset_deadline_in(UINT64_MAX) == LFSET_NO_DEADLINE, "beyond the clock");
    CHECK(lfset_deadline_in(UINT64_MAX - 1) == LFSET_NO_DEADLINE, "beyond the clock");
    CHECK(lfset_deadline_in(UINT64_MAX / 2) != LFSET_NO_DEADLINE, "within the clock");
}

TEST(cancel, descends_to_children_only)
{
    struct lfset_cancel *root = token_new(NULL, LFSET_NO_DEADLINE);
    struct lfset_cancel *left = token_new(root, LFSET_NO_DEADLINE);
    struct lfset_cancel *right = token_new(root, LFSET_NO_DEADLINE);
    struct lfset_cancel *leaf = token_new(left, LFSET_NO_DEADLINE);
    CHECK_EQ(lfset_cancel_now(left), 1);
    CHECK_EQ(lfset_cancel_check(root), 0);
    CHECK_EQ(lfset_cancel_check(right), 0);
    CHECK_EQ(lfset_cancel_check(left), -ECANCELED);
    CHECK_EQ(lfset_cancel_check(leaf), -ECANCELED);
    CHECK_EQ(lfset_cancel_now(leaf), 1); /* by itself it was not */
    CHECK_EQ(lfset_cancel_now(root), 1);
    CHECK_EQ(lfset_cancel_check(right), -ECANCELED);
    struct lfset_cancel *const all[] = {leaf, right, left, root};
    for (size_t i = 0; i < 4; i++)
        lfset_cancel_destroy(all[i]);
}

struct race {
    struct lfset_cancel *token;
    atomic_size_t firsts;
};

static void cancel_race(void *arg)
{
    struct race *race = arg;
    const int first = lfset_cancel_now(race->token);
    if (lfset_cancel_check(race->token) != -ECANCELED)
        fault("cancel_now returned and the token is not cancelled");
    atomic_fetch_add(&race->firsts, (size_t)first);
}

TEST(cancel, one_of_many_is_the_first)
{
    for (size_t round = 0; round < scaled(200); round++) {
        struct race race = {.token = token_new(NULL, LFSET_NO_DEADLINE)};
        crew_run(4, cancel_race, &race, 0);
        CHECK_EQ(atomic_load(&race.firsts), 1);
        lfset_cancel_destroy(race.token);
    }
}

/* ---- a wait that never sleeps ---- */

/* A flag, and whoever waits for it. */
struct flag {
    _Atomic(uint32_t) waiting;
    uint64_t tag;
    atomic_int set; /* 1, or an error */
    atomic_uint looks;
    unsigned set_at; /* set it within this look, as if another thread had done so right after it */
    const struct lfset_cancel *cancel;
};

static void flag_set(struct flag *flag)
{
    atomic_store(&flag->set, 1);
    lfset__notify(&flag->waiting, flag->tag);
}

static int flag_holds(void *ctx)
{
    struct flag *flag = ctx;
    const int seen = atomic_load(&flag->set);
    if (atomic_fetch_add(&flag->looks, 1) + 1 == flag->set_at)
        flag_set(flag);
    return seen;
}

static int flag_wait(void *arg)
{
    struct flag *flag = arg;
    return lfset__wait(&flag->waiting, flag->tag, flag_holds, flag, flag->cancel);
}

TEST(wait, what_holds_already)
{
    struct lfset_cancel *cancelled = token_new(NULL, LFSET_NO_DEADLINE);
    CHECK_EQ(lfset_cancel_now(cancelled), 1);
    struct flag flag = {.set = 1, .cancel = cancelled};
    CHECK_EQ(flag_wait(&flag), 0);
    CHECK_EQ(flag.looks, 1);
    lfset_cancel_destroy(cancelled);
}

TEST(wait, what_cannot_wait)
{
    struct lfset_cancel *cancelled = token_new(NULL, LFSET_NO_DEADLINE);
    struct lfset_cancel *child = token_new(cancelled, LFSET_NO_DEADLINE);
    struct lfset_cancel *expired = token_new(NULL, 0);
    CHECK_EQ(lfset_cancel_now(cancelled), 1);
    const struct {
        int set;
        const struct lfset_cancel *cancel;
        int result;
    } cases[] = {{0, cancelled, -ECANCELED},
                 {0, child, -ECANCELED},
                 {0, expired, -ETIMEDOUT},
                 {-EIO, NULL, -EIO},
                 {-EIO, expired, -EIO}};
    for (size_t i = 0; i < 5; i++) {
        struct flag flag = {.set = cases[i].set, .cancel = cases[i].cancel};
        CHECK_EQ(flag_wait(&flag), cases[i].result);
        CHECK_EQ(flag.waiting, 0);
    }
    lfset_cancel_destroy(child);
    lfset_cancel_destroy(cancelled);
    lfset_cancel_destroy(expired);
}

/* Each of these sleeps for ever when the change after its look is missed. */

TEST(wait, change_after_the_first_look)
{
    struct flag flag = {.set_at = 1};
    CHECK_EQ(flag_wait(&flag), 0);
    CHECK_EQ(flag.waiting, 0);
}

TEST(wait, change_between_the_last_look_and_sleep)
{
    for (uint64_t tag = 0; tag < 100; tag++) {
        struct flag flag = {.tag = tag, .set_at = 2};
        CHECK_EQ(flag_wait(&flag), 0);
        CHECK_EQ(flag.looks, 3);
        CHECK_EQ(flag.waiting, 0);
    }
}

TEST(wait, deadline_passes_while_looking)
{
    struct lfset_cancel *soon = token_new(NULL, lfset_deadline_in(1000000));
    struct flag flag = {.cancel = soon};
    CHECK_EQ(flag_wait(&flag), -ETIMEDOUT);
    CHECK(clock_now() >= lfset__cancel_deadline(soon), "too early");
    CHECK_EQ(flag.waiting, 0);
    lfset_cancel_destroy(soon);
}

/* ---- a wait that sleeps ---- */

TEST(wait, woken_by_the_change)
{
    for (uint64_t tag = 0; tag < 20; tag++) {
        struct flag flag = {.tag = tag << 40 | tag};
        struct sleeper sleeper;
        sleeper_start(&sleeper, flag_wait, &flag);
        sleeper_until_asleep(&sleeper);
        CHECK_EQ(flag.waiting, 1);
        flag_set(&flag);
        CHECK_EQ(sleeper_join(&sleeper), 0);
        CHECK_EQ(flag.waiting, 0);
    }
}

TEST(wait, woken_by_a_change_of_everything)
{
    enum { SLEEPERS = 20 };
    static struct flag flags[SLEEPERS];
    struct sleeper sleepers[SLEEPERS];
    for (size_t i = 0; i < SLEEPERS; i++) {
        flags[i].tag = i;
        sleeper_start(&sleepers[i], flag_wait, &flags[i]);
    }
    for (size_t i = 0; i < SLEEPERS; i++) {
        sleeper_until_asleep(&sleepers[i]);
        atomic_store(&flags[i].set, 1);
    }
    lfset__notify_all(&flags[0].waiting);
    for (size_t i = 0; i < SLEEPERS; i++)
        CHECK_EQ(sleeper_join(&sleepers[i]), 0);
}

/* A wake-up that means nothing costs a look, and the thread sleeps on. */
TEST(wait, woken_for_nothing)
{
    struct flag flag = {.tag = 7};
    struct sleeper sleeper;
    sleeper_start(&sleeper, flag_wait, &flag);
    for (unsigned i = 0; i < 10; i++) {
        sleeper_until_asleep(&sleeper);
        const unsigned looks = atomic_load(&flag.looks);
        if (i % 2 == 0)
            lfset__wake(flag.tag);
        else
            lfset__wake_all();
        while (atomic_load(&flag.looks) == looks)
            ;
    }
    sleeper_until_asleep(&sleeper);
    flag_set(&flag);
    CHECK_EQ(sleeper_join(&sleeper), 0);
}

static void ignore_signal(int number)
{
    (void)number;
}

TEST(wait, woken_by_a_signal)
{
    const struct sigaction action = {.sa_handler = ignore_signal};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    struct flag flag = {.tag = 7};
    struct sleeper sleeper;
    sleeper_start(&sleeper, flag_wait, &flag);
    for (unsigned i = 0; i < 10; i++) {
        sleeper_until_asleep(&sleeper);
        CHECK_EQ(pthread_kill(sleeper.thread, SIGUSR1), 0);
    }
    sleeper_until_asleep(&sleeper);
    flag_set(&flag);
    CHECK_EQ(sleeper_join(&sleeper), 0);
}

TEST(wait, an_error_ends_it)
{
    struct flag flag = {.tag = 7};
    struct sleeper sleeper;
    sleeper_start(&sleeper, flag_wait, &flag);
    sleeper_until_asleep(&sleeper);
    atomic_store(&flag.set, -EIO);
    lfset__notify(&flag.waiting, flag.tag);
    CHECK_EQ(sleeper_join(&sleeper), -EIO);
    CHECK_EQ(flag.waiting, 0);
}

/* Sleepers in different buckets, with the token, its child and its grandchild. */
TEST(wait, woken_by_cancelling_an_ancestor)
{
    enum { SLEEPERS = 9 };
    struct lfset_cancel *token = token_new(NULL, LFSET_NO_DEADLINE);
    struct lfset_cancel *child = token_new(token, lfset_deadline_in(HOUR));
    struct lfset_cancel *grandchild = token_new(child, LFSET_NO_DEADLINE);
    struct lfset_cancel *const tokens[] = {token, child, grandchild};
    static struct flag flags[SLEEPERS];
    struct sleeper sleepers[SLEEPERS];
    for (size_t i = 0; i < SLEEPERS; i++) {
        flags[i] = (struct flag){.tag = i, .cancel = tokens[i % 3]};
        sleeper_start(&sleepers[i], flag_wait, &flags[i]);
    }
    struct flag other = {.tag = 1};
    struct sleeper stranger;
    sleeper_start(&stranger, flag_wait, &other);
    sleeper_until_asleep(&stranger);
    for (size_t i = 0; i < SLEEPERS; i++)
        sleeper_until_asleep(&sleepers[i]);
    CHECK_EQ(lfset_cancel_now(token), 1);
    for (size_t i = 0; i < SLEEPERS; i++) {
        CHECK_EQ(sleeper_join(&sleepers[i]), -ECANCELED);
        CHECK_EQ(flags[i].waiting, 0);
    }
    sleeper_until_asleep(&stranger);
    flag_set(&other);
    CHECK_EQ(sleeper_join(&stranger), 0);
    lfset_cancel_destroy(grandchild);
    lfset_cancel_destroy(child);
    lfset_cancel_destroy(token);
}

/* The nearest deadline ends a sleep, wherever it is among the ancestors. */
TEST(wait, ended_by_the_nearest_deadline)
{
    for (size_t nearest = 0; nearest < 3; nearest++) {
        struct lfset_cancel *tokens[3] = {NULL, NULL, NULL};
        for (size_t i = 0; i < 3; i++)
            tokens[i] =
                token_new(i == 0 ? NULL : tokens[i - 1],
                          i == nearest ? lfset_deadline_in(50000000)
                                       : (i == 1 ? LFSET_NO_DEADLINE : lfset_deadline_in(HOUR)));
        struct flag flag = {.cancel = tokens[2]};
        CHECK_EQ(flag_wait(&flag), -ETIMEDOUT);
        CHECK_EQ(flag.waiting, 0);
        for (size_t i = 3; i-- > 0;)
            lfset_cancel_destroy(tokens[i]);
    }
}

/* ---- many threads ---- */

/* A number that several threads take turns to increase: each waits until it is its own turn. */
struct turns {
    _Atomic(uint32_t) waiting;
    uint64_t tag;
    atomic_size_t now;
    size_t rounds;
    size_t players;
};

struct player {
    struct turns *turns;
    size_t next;
};

static int is_turn(void *ctx)
{
    const struct player *player = ctx;
    return atomic_load(&player->turns->now) == player->next;
}

static void play(void *arg)
{
    struct player *player = arg;
    struct turns *turns = player->turns;
    for (; player->next < turns->rounds; player->next += turns->players) {
        if (lfset__wait(&turns->waiting, turns->tag, is_turn, player, NULL) != 0)
            fault("a wait without a token failed");
        atomic_fetch_add(&turns->now, 1);
        lfset__notify(&turns->waiting, turns->tag);
    }
}

/* Every step is a wake-up that must not be lost, and every player is a sleeper that it may meet. With
 * more threads than processors they are stopped anywhere in between. */
TEST(wait, turns_are_never_lost)
{
    enum { GAMES = 4, PLAYERS = 3 };
    static struct turns games[GAMES];
    static struct player players[GAMES * PLAYERS];
    for (size_t i = 0; i < GAMES * PLAYERS; i++) {
        struct turns *turns = &games[i / PLAYERS];
        /* two games share a bucket */
        *turns =
            (struct turns){.tag = i / PLAYERS / 2, .rounds = scaled(20000), .players = PLAYERS};
        players[i] = (struct player){turns, i % PLAYERS};
    }
    crew_run(GAMES * PLAYERS, play, players, sizeof *players);
    for (size_t i = 0; i < GAMES; i++) {
        CHECK_EQ(games[i].now, scaled(20000));
        CHECK_EQ(games[i].waiting, 0);
    }
}

/* One thread waits with a token, the other one cancels it, as soon as the first begins. */
struct cancels {
    size_t rounds;
    struct lfset_cancel **tokens;
    struct turns turns; /* the round that has begun, plus 1 */
    _Atomic(uint32_t) waiting;
};

static int holds_never(void *ctx)
{
    (void)ctx;
    return 0;
}

static void be_cancelled(struct cancels *cancels)
{
    for (size_t i = 0; i < cancels->rounds; i++) {
        atomic_store(&cancels->turns.now, i + 1);
        lfset__notify(&cancels->turns.waiting, 0);
        const int result = lfset__wait(&cancels->waiting, i, holds_never, NULL, cancels->tokens[i]);
        if (result != -ECANCELED)
            fault("a cancelled wait returned %d", result);
    }
}

static void do_cancel(struct cancels *cancels)
{
    struct player player = {&cancels->turns, 0};
    for (size_t i = 0; i < cancels->rounds; i++) {
        player.next = i + 1;
        if (lfset__wait(&cancels->turns.waiting, 0, is_turn, &player, NULL) != 0 ||
            lfset_cancel_now(cancels->tokens[i]) != 1)
            fault("cannot cancel");
    }
}

struct canceller {
    struct cancels *cancels;
    void (*body)(struct cancels *cancels);
};

static void cancel_body(void *arg)
{
    struct canceller *me = arg;
    me->body(me->cancels);
}

TEST(wait, cancels_are_never_lost)
{
    enum { PAIRS = 3 };
    struct cancels cancels[PAIRS];
    struct canceller cancellers[2 * PAIRS];
    const size_t rounds = scaled(5000);
    for (size_t i = 0; i < PAIRS; i++) {
        cancels[i] = (struct cancels){.rounds = rounds};
        cancels[i].tokens = calloc(rounds, sizeof *cancels[i].tokens);
        CHECK(cancels[i].tokens != NULL, "no memory");
        for (size_t j = 0; j < rounds; j++)
            cancels[i].tokens[j] = token_new(NULL, LFSET_NO_DEADLINE);
        cancellers[2 * i] = (struct canceller){&cancels[i], be_cancelled};
        cancellers[2 * i + 1] = (struct canceller){&cancels[i], do_cancel};
    }
    crew_run(2 * PAIRS, cancel_body, cancellers, sizeof *cancellers);
    for (size_t i = 0; i < PAIRS; i++) {
        CHECK_EQ(cancels[i].waiting, 0);
        for (size_t j = 0; j < rounds; j++)
            lfset_cancel_destroy(cancels[i].tokens[j]);
        free(cancels[i].tokens);
    }
}

/* ---- fork ---- */

static int start_and_play(void *arg)
{
    play(arg);
    return 0;
}

/* The child inherits the counts of a thread that sleeps in the parent; its own waits work. */
static const char *child_waits(void *arg)
{
    struct flag *flag = arg;
    lfset__notify(&flag->waiting, flag->tag); /* wakes nobody */
    struct turns turns = {.tag = flag->tag, .rounds = 1000, .players = 2};
    struct player players[2] = {{&turns, 0}, {&turns, 1}};
    struct sleeper other;
    sleeper_start(&other, start_and_play, &players[1]);
    play(&players[0]);
    sleeper_join(&other);
    return atomic_load(&turns.now) == 1000 ? NULL : "turns are missing";
}

TEST(wait, fork_beside_a_sleeper)
{
    struct flag flag = {.tag = 3};
    struct sleeper sleeper;
    sleeper_start(&sleeper, flag_wait, &flag);
    sleeper_until_asleep(&sleeper);
    check_in_child(child_waits, &flag);
    sleeper_until_asleep(&sleeper);
    flag_set(&flag);
    CHECK_EQ(sleeper_join(&sleeper), 0);
}

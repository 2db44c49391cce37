// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "every.h"

#include "noise.h"

#include <errno.h>

/* What `rc` should have been. */
static void expect(struct every *every, size_t i, const char *what, int64_t rc, int64_t expected)
{
    if (rc != expected)
        cell_fail(every->cell, "%s of %s on %s answered %lld instead of %lld", what,
                  every->target[i]->name, i % 2 ? "hp" : "rcu", (long long)rc, (long long)expected);
}

static void expect_least(struct every *every, size_t i, const char *what, int64_t rc, int64_t least)
{
    if (rc < least)
        expect(every, i, what, rc, least);
}

int every_create(struct every *every, struct cell *cell, uint64_t seed)
{
    static const struct target *const targets[] = {&target_u64, &target_bytes, &target_obj,
                                                   &target_bitmap};
    int rc = 0;

    every->cell = cell;
    for (size_t i = 0; i < EVERY_SETS && rc >= 0; i++) {
        const struct target_options options = {.domain = i % 2 ? LFSET_HP : LFSET_RCU,
                                               .seed = noise_seed(seed, i, 2)};

        every->target[i] = targets[i / 2];
        rc = every->target[i]->create(&options, &every->set[i]);
        for (uint64_t key = 0; key < EVERY_STABLE && rc >= 0; key++)
            rc = every->target[i]->add(every->set[i], key);
    }
    return rc < 0 ? rc : 0;
}

static void notice(struct every *every)
{
    if (target_noticed())
        cell_fail(every->cell, "%s", target_noticed());
}

void every_check(struct every *every, int inherited)
{
    for (size_t i = 0; i < EVERY_SETS; i++) {
        const struct target *t = every->target[i];
        const char *why = NULL;

        expect(every, i, "size", t->size(every->set[i]), EVERY_STABLE);
        for (uint64_t key = 0; key < EVERY_STABLE; key++)
            expect(every, i, "contains", t->contains(every->set[i], key), 1);
        if (inherited && t == &target_bitmap)
            continue;
        if (t->validate(every->set[i], &why) != 1)
            cell_fail(every->cell, "%s on %s does not validate: %s", t->name, i % 2 ? "hp" : "rcu",
                      why ? why : "no reason");
    }
    notice(every);
}

void every_destroy(struct every *every)
{
    for (size_t i = 0; i < EVERY_SETS; i++)
        expect(every, i, "destroy", every->target[i]->destroy(every->set[i]), 0);
}

void every_use(struct every *every, uint64_t first, uint64_t count)
{
    for (size_t i = 0; i < EVERY_SETS; i++) {
        const struct target *t = every->target[i];
        void *set = every->set[i];

        for (uint64_t key = first; key < first + count; key++)
            expect(every, i, "add", t->add(set, key), 1);
        expect(every, i, "add again", t->add(set, first), 0);
        expect(every, i, "contains", t->contains(set, first + count - 1), 1);
        if (t->section_enter() == 0) {
            expect(every, i, "contains", t->contains(set, first % EVERY_STABLE), 1);
            t->section_leave();
        }
        for (uint64_t key = first; key < first + count; key++)
            expect(every, i, "remove", t->remove(set, key), 1);
        expect(every, i, "contains", t->contains(set, first), 0);
    }
}

static int count_visit(uint64_t key, void *ctx)
{
    (void)key;
    ++*(int64_t *)ctx;
    return 0;
}

static void look_at_all(struct every *every, size_t i)
{
    const struct target *t = every->target[i];
    int64_t visits = 0;
    void *taken = NULL;

    expect_least(every, i, "size", t->size(every->set[i]), EVERY_STABLE);
    expect(every, i, "is_empty", t->is_empty(every->set[i]), 0);
    expect(every, i, "each", t->each(every->set[i], count_visit, &visits), 0);
    expect_least(every, i, "visiting", visits, EVERY_STABLE);
    expect(every, i, "snapshot", t->snapshot(every->set[i], &taken), 0);
    for (uint64_t key = 0; key < EVERY_STABLE && taken; key++)
        expect(every, i, "contains of a snapshot", t->taken_contains(taken, key), 1);
    t->taken_destroy(taken);
}

static void empty_and_fill(struct every *every, size_t i)
{
    const struct target *t = every->target[i];
    void *set = every->set[i], *taken = NULL;
    uint64_t key = 0;

    expect(every, i, "pop", t->pop(set, &key), 1);
    expect(every, i, "contains", t->contains(set, key), 0);
    expect_least(every, i, "clear", t->clear(set), EVERY_STABLE - 1);
    expect(every, i, "is_empty", t->is_empty(set), 1);
    expect(every, i, "pop", t->pop(set, &key), 0);
    expect(every, i, "reserve", t->reserve(set, EVERY_STABLE), 0);
    for (key = 0; key < EVERY_STABLE; key++)
        expect(every, i, "add", t->add(set, key), 1);
    expect(every, i, "drain", t->drain(set, &taken), 0);
    expect(every, i, "count", taken ? t->taken_count(taken) : -1, EVERY_STABLE);
    t->taken_destroy(taken);
    for (key = 0; key < EVERY_STABLE; key++)
        expect(every, i, "add", t->add(set, key), 1);
}

void every_use_all(struct every *every, uint64_t first, int alone)
{
    every_use(every, first, 60);
    for (size_t i = 0; i < EVERY_SETS; i++) {
        look_at_all(every, i);
        if (alone)
            empty_and_fill(every, i);
    }
    notice(every);
}

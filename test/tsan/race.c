// SPDX-License-Identifier: MIT
/*
 * A user's program that is wrong, in several ways. ThreadSanitizer must say so each time and name both lines,
 * which are marked "race: SCENARIO"; an annotation in the library that orders more than the library promises
 * would hide them.
 *
 *   race-KIND rcu|hp SCENARIO
 */
#define _GNU_SOURCE
#include "kind.h"

#include <stdatomic.h>

/*
 * Both threads do the same step at a time, and relaxed atomics order nothing else: were one far ahead, the
 * other would meet what it did to the set since, and be ordered behind its writes by that.
 */
static atomic_ulong steps[2];
static uint64_t sum;

static void meet(int me, uint64_t step)
{
    atomic_store_explicit(&steps[me], step, memory_order_relaxed);
    while (atomic_load_explicit(&steps[1 - me], memory_order_relaxed) < step)
        sched_yield();
}

static void race(void *(*a)(void *arg), void *(*b)(void *arg))
{
    steps[0] = steps[1] = 0;
    together(a, b);
}

/* ---- the adder goes on writing ---- */

static void *add_and_write(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CELLS; i++) {
        expect(NAME(add)(set, KEY(i)) == 1, "add");
        cells[i].value = i + 1; // race: contains, wait_present, snapshot, drain
        meet(0, i + 1);
    }
    return NULL;
}

static void *poll_and_read(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CELLS; i++) {
        await(i);
        sum += cells[i].value; // race: contains
        meet(1, i + 1);
    }
    return NULL;
}

static void *wait_and_read(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CELLS; i++) {
        expect(NAME(wait_present)(set, KEY(i), NULL) == 0, "wait");
        sum += cells[i].value; // race: wait_present
        meet(1, i + 1);
    }
    return NULL;
}

static int read_visited(VISITED, void *ctx)
{
    if (VISIT < *(uint64_t *)ctx)
        return 0;
    sum += cells[VISIT].value; // race: snapshot
    ++*(uint64_t *)ctx;
    return 0;
}

static int own_visited(VISITED, void *ctx)
{
    cells[VISIT].value = 0; // race: drain
    ++*(uint64_t *)ctx;
    return 0;
}

static void *snapshot_and_read(void *arg)
{
    (void)arg;
    for (uint64_t seen = 0; seen < CELLS; meet(1, seen)) {
        struct PASTE(lfset_, KIND, _snapshot) * snapshot;
        expect(NAME(snapshot_take)(set, &snapshot, NULL) == 0, "snapshot");
        expect(NAME(snapshot_each)(snapshot, read_visited, &seen, NULL) == 0, "each");
        NAME(snapshot_destroy)(snapshot);
    }
    return NULL;
}

static void *drain_and_own(void *arg)
{
    (void)arg;
    for (uint64_t seen = 0; seen < CELLS; meet(1, seen)) {
        struct PASTE(lfset_, KIND, _snapshot) * drained;
        expect(NAME(drain)(set, &drained, NULL) == 0, "drain");
        expect(NAME(snapshot_each)(drained, own_visited, &seen, NULL) == 0, "each");
        NAME(snapshot_destroy)(drained);
    }
    return NULL;
}

static void contains(void)
{
    begin(NULL);
    race(add_and_write, poll_and_read);
    end();
}

static void wait_present(void)
{
    begin(NULL);
    race(add_and_write, wait_and_read);
    end();
}

static void snapshot(void)
{
    begin(NULL);
    race(add_and_write, snapshot_and_read);
    end();
}

static void drain(void)
{
    begin(NULL);
    race(add_and_write, drain_and_own);
    end();
}

/* ---- two threads see a key and write what it stands for ---- */

static void see_and_write(int me)
{
    for (uint64_t i = 0; i < CELLS; i++) {
        expect(NAME(contains)(set, KEY(i)) == 1, "contains");
        cells[i].value++; // race: two_writers
        meet(me, i + 1);
    }
}

static void *one_writer(void *arg)
{
    see_and_write(0);
    return arg;
}

static void *other_writer(void *arg)
{
    see_and_write(1);
    return arg;
}

static void two_writers(void)
{
    begin(NULL);
    for (uint64_t i = 0; i < CELLS; i++)
        expect(NAME(add)(set, KEY(i)) == 1, "add");
    race(one_writer, other_writer);
    end();
}

/* ---- who cancels goes on writing ---- */

static struct lfset_cancel *tokens[CELLS];

static void *cancel_and_write(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CELLS; i++) {
        expect(lfset_cancel_now(tokens[i]) == 1, "cancel");
        cells[i].value = 1; // race: cancel
        meet(0, i + 1);
    }
    return NULL;
}

static void *wait_for_cancel(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CELLS; i++) {
        expect(NAME(wait_present)(set, KEY(i), tokens[i]) == -ECANCELED, "wait");
        sum += cells[i].value; // race: cancel
        meet(1, i + 1);
    }
    return NULL;
}

static void cancel(void)
{
    begin(NULL);
    for (uint64_t i = 0; i < CELLS; i++)
        expect(lfset_cancel_create(&tokens[i], NULL, LFSET_NO_DEADLINE) == 0, "token");
    race(cancel_and_write, wait_for_cancel);
    for (uint64_t i = 0; i < CELLS; i++)
        lfset_cancel_destroy(tokens[i]);
    end();
}

#if defined(KIND_obj)
/* ---- an object is used after the section in which it was got ---- */

static void destroy_cell(void *ctx, void *object)
{
    (void)ctx;
    ((struct cell *)object)->value = 0; // race: stale
}

static void *remove_all(void *arg)
{
    meet(0, 1); // now the other thread has got them
    for (uint64_t i = 0; i < CELLS; i++)
        expect(lfset_obj_remove(set, &cells[i]) == 1, "remove");
    expect(lfset_obj_purge(set) >= 0 && lfset_barrier() == 0, "purge");
    meet(0, 2);
    return arg;
}

static void *get_and_keep(void *arg)
{
    void *kept[CELLS];
    for (uint64_t i = 0; i < CELLS; i++) {
        expect(lfset_section_enter() == 0, "enter");
        expect(lfset_obj_get(set, &cells[i], &kept[i]) == 1, "get");
        expect(lfset_section_leave() == 0, "leave");
    }
    meet(1, 1);
    meet(1, 2);
    for (size_t i = 0; i < CELLS; i++)
        ((struct cell *)kept[i])->value = 1; // race: stale
    return arg;
}

static void add_all(void)
{
    for (uint64_t i = 0; i < CELLS; i++)
        expect(lfset_obj_add(set, &cells[i]) == 1, "add");
}

static void stale(void)
{
    begin(destroy_cell);
    add_all();
    race(remove_all, get_and_keep);
    end();
}

/* ---- two threads get an object and write it ---- */

static void get_and_write(int me)
{
    expect(lfset_section_enter() == 0, "enter");
    for (uint64_t i = 0; i < CELLS; i++) {
        void *object;
        expect(lfset_obj_get(set, &cells[i], &object) == 1, "get");
        ((struct cell *)object)->value++; // race: get
        meet(me, i + 1);
    }
    expect(lfset_section_leave() == 0, "leave");
}

static void *one_getter(void *arg)
{
    get_and_write(0);
    return arg;
}

static void *other_getter(void *arg)
{
    get_and_write(1);
    return arg;
}

static void get(void)
{
    begin(NULL);
    add_all();
    race(one_getter, other_getter);
    end();
}
#endif

static const struct scenario scenarios[] = {
    {"contains", contains},
    {"wait_present", wait_present},
    {"snapshot", snapshot},
    {"drain", drain},
    {"two_writers", two_writers},
    {"cancel", cancel},
#if defined(KIND_obj)
    {"stale", stale},
    {"get", get},
#endif
};

int main(int argc, char **argv)
{
    const int status = run_scenarios(argc, argv, scenarios, sizeof scenarios / sizeof *scenarios);
    return sum == UINT64_MAX ? 1 : status;
}

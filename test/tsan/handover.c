// SPDX-License-Identifier: MIT
/*
 * A user's program that is right: cells go from thread to thread through a set of any kind, in every way in
 * which the headers say that what was written before an add is visible to whoever sees the key.
 * ThreadSanitizer must have nothing to say.
 *
 *   handover-KIND rcu|hp [SCENARIO]
 */
#define _GNU_SOURCE
#include "kind.h"

static void *write_and_add(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CELLS; i++) {
        cells[i].value = i + 1;
        expect(NAME(add)(set, KEY(i)) == 1, "add");
    }
    return NULL;
}

static void read_cell(uint64_t i)
{
    expect(cells[i].value == i + 1, "a cell has another value");
}

/* ---- who sees the key reads */

static void *poll_and_read(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CELLS; i++) {
        await(i);
        read_cell(i);
    }
    return NULL;
}

static void *wait_and_read(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CELLS; i++) {
        expect(NAME(wait_present)(set, KEY(i), NULL) == 0, "wait");
        read_cell(i);
    }
    return NULL;
}

static int read_visited(VISITED, void *ctx)
{
    read_cell(VISIT);
    ++*(uint64_t *)ctx;
    return 0;
}

static void *each_and_read(void *arg)
{
    uint64_t seen = 0;
    (void)arg;
    while (seen < CELLS) {
        seen = 0;
        expect(NAME(each)(set, read_visited, &seen, NULL) == 0, "each");
        sched_yield();
    }
    return NULL;
}

static void *snapshot_and_read(void *arg)
{
    uint64_t seen = 0;
    (void)arg;
    while (seen < CELLS) {
        struct PASTE(lfset_, KIND, _snapshot) * snapshot;
        seen = 0;
        expect(NAME(snapshot_take)(set, &snapshot, NULL) == 0 &&
                   NAME(snapshot_each)(snapshot, read_visited, &seen, NULL) == 0,
               "snapshot");
        NAME(snapshot_destroy)(snapshot);
        sched_yield();
    }
    return NULL;
}

static void poll_contains(void)
{
    begin(NULL);
    together(write_and_add, poll_and_read);
    end();
}

static void wait_present(void)
{
    begin(NULL);
    together(write_and_add, wait_and_read);
    end();
}

static void each(void)
{
    begin(NULL);
    together(write_and_add, each_and_read);
    end();
}

static void snapshot(void)
{
    begin(NULL);
    together(write_and_add, snapshot_and_read);
    end();
}

/* ---- who takes the key out owns the cell */

static int own_visited(VISITED, void *ctx)
{
    const uint64_t i = VISIT;
    read_cell(i);
    cells[i].value = 0;
    ++*(uint64_t *)ctx;
    return 0;
}

static uint64_t pop_and_own(void)
{
    uint64_t seen = 0;
    expect(lfset_section_enter() == 0, "enter");
#if defined(KIND_bytes)
    char key[8];
    size_t length;
    if (lfset_bytes_pop(set, key, sizeof key, &length) == 1)
        own_visited(key, length, &seen);
#elif defined(KIND_obj)
    void *key;
    if (lfset_obj_pop(set, &key) == 1)
        own_visited(key, &seen);
#else
    uint64_t key;
    if (NAME(pop)(set, &key) == 1)
        own_visited(key, &seen);
#endif
    expect(lfset_section_leave() == 0, "leave");
    return seen;
}

/* By pop and by drain, until it has them all. */
static void *take_and_own(void *arg)
{
    uint64_t seen = 0;
    (void)arg;
    for (unsigned i = 0; seen < CELLS; i++) {
        struct PASTE(lfset_, KIND, _snapshot) * drained;
        if (i % 4 != 0) {
            seen += pop_and_own();
            continue;
        }
        expect(NAME(drain)(set, &drained, NULL) == 0 &&
                   NAME(snapshot_each)(drained, own_visited, &seen, NULL) == 0,
               "drain");
        NAME(snapshot_destroy)(drained);
        sched_yield();
    }
    return NULL;
}

static void pop_and_drain(void)
{
    begin(NULL);
    together(write_and_add, take_and_own);
    end();
}

/* ---- who is cancelled sees what was written before */

static struct lfset_cancel *tokens[CELLS];

static void *write_and_cancel(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CELLS; i++) {
        cells[i].value = i + 1;
        expect(lfset_cancel_now(tokens[i]) == 1, "cancel");
    }
    return NULL;
}

static void *wait_for_cancel(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CELLS; i++) {
        expect(NAME(wait_present)(set, KEY(i), tokens[i]) == -ECANCELED, "wait");
        read_cell(i);
    }
    return NULL;
}

static void cancel(void)
{
    begin(NULL);
    for (uint64_t i = 0; i < CELLS; i++)
        expect(lfset_cancel_create(&tokens[i], NULL, LFSET_NO_DEADLINE) == 0, "token");
    together(write_and_cancel, wait_for_cancel);
    for (uint64_t i = 0; i < CELLS; i++)
        lfset_cancel_destroy(tokens[i]);
    end();
}

#if defined(KIND_obj)
/* ---- objects: who gets one in a section reads it; who destroys it owns it */

static struct cell *cell_new(uint64_t i)
{
    struct cell *cell = malloc(sizeof *cell);
    expect(cell != NULL, "no memory");
    *cell = (struct cell){i, i + 1};
    return cell;
}

static void destroy_cell(void *ctx, void *object)
{
    (void)ctx;
    memset(object, 0xdd, sizeof(struct cell)); // plain: a section that still reads would be a race
    free(object);
}

static void *add_and_remove(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CELLS; i++) {
        expect(lfset_obj_add(set, cell_new(i)) == 1, "add");
        if (i >= 8)
            expect(lfset_obj_remove(set, &cells[i - 8]) == 1, "remove");
        if (i % 32 == 0)
            expect(lfset_obj_purge(set) >= 0, "purge");
    }
    return NULL;
}

static void *get_and_read(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; lfset_obj_contains(set, &cells[CELLS - 1]) == 0; i = (i + 1) % CELLS) {
        void *object;
        expect(lfset_section_enter() == 0, "enter");
        if (lfset_obj_get(set, &cells[i], &object) == 1)
            expect(((struct cell *)object)->value == i + 1, "an object has another value");
        expect(lfset_section_leave() == 0, "leave");
    }
    return NULL;
}

static void get_and_destroy(void)
{
    begin(destroy_cell);
    together(add_and_remove, get_and_read);
    expect(lfset_barrier() == 0, "barrier");
    end();
}

/* Two threads intern the same cells. */
static void *intern(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < CELLS; i++) {
        struct cell *mine = cell_new(i);
        void *present;
        expect(lfset_section_enter() == 0, "enter");
        const int added = lfset_obj_add_or_get(set, mine, &present);
        expect(added >= 0 && ((struct cell *)present)->value == i + 1, "add_or_get");
        expect(lfset_section_leave() == 0, "leave");
        if (added == 0)
            free(mine);
    }
    return NULL;
}

static void add_or_get(void)
{
    begin(destroy_cell);
    together(intern, intern);
    end();
}
#endif

static const struct scenario scenarios[] = {
    {"contains", poll_contains}, {"wait_present", wait_present}, {"each", each},
    {"snapshot", snapshot},      {"pop, drain", pop_and_drain},  {"cancel", cancel},
#if defined(KIND_obj)
    {"get", get_and_destroy},    {"add_or_get", add_or_get},
#endif
};

int main(int argc, char **argv)
{
    return run_scenarios(argc, argv, scenarios, sizeof scenarios / sizeof *scenarios);
}

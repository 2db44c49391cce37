// SPDX-License-Identifier: MIT
#include "operations.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run run;

static const uint8_t *bytes, *bytes_end;

uint8_t take_byte(void)
{
    return bytes < bytes_end ? *bytes++ : 0;
}

uint64_t take_key(void)
{
    return run.kind->key(take_byte());
}

bool excused(int64_t result)
{
    const uint64_t failures = memory_heal();
    if (result == -ENOMEM && failures > 0)
        return true;
    if (result == -ECANCELED && run.stop != NULL)
        return true;
    if (result < 0)
        fail("%s: failed without a reason: %" PRId64 " (%s)", run.kind->name, result,
             strerror((int)-result));
    return false;
}

void expect(const char *what, int64_t got, int64_t wanted)
{
    if (got != wanted)
        fail("%s: %s is %" PRId64 ", should be %" PRId64, run.kind->name, what, got, wanted);
}

static int collect(uint64_t key, void *ctx)
{
    model_append(ctx, key);
    return 0;
}

void read_keys(void *set, struct model *found)
{
    found->count = 0;
    expect("each", run.kind->each(set, collect, found, NULL), 0);
    if (!model_sort(found))
        fail("%s: each shows a key twice", run.kind->name);
}

void check_set(const struct subject *subject)
{
    static struct model found;
    const char *reason = "none";
    read_keys(subject->set, &found);
    if (!model_equal(&found, &subject->model))
        fail("%s: the set holds %zu keys, not the %zu that it should", run.kind->name, found.count,
             subject->model.count);
    if (run.kind->validate(subject->set, &reason) != 1)
        fail("%s: the set is not valid: %s", run.kind->name, reason);
}

void adopt(struct subject *subject, const struct model *target)
{
    static struct model found;
    struct model *model = &subject->model;
    read_keys(subject->set, &found);
    for (size_t i = 0; i < found.count; i++)
        if (!model_contains(model, found.keys[i]) && !model_contains(target, found.keys[i]))
            fail("%s: a key is there that was not to come", run.kind->name);
    for (size_t i = 0; i < model->count; i++)
        if (model_contains(target, model->keys[i]) && !model_contains(&found, model->keys[i]))
            fail("%s: a key is lost that was to stay", run.kind->name);
    model_copy(model, &found);
}

int set_make(struct subject *subject, enum lfset_domain domain, uint64_t capacity)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.capacity = capacity;
    options.seed = run.seed;
    options.allocator = memory_hook();
    subject->domain = domain;
    subject->model.count = 0;
    return run.kind->create(&subject->set, &options);
}

void set_end(struct subject *subject)
{
    if (subject->set != NULL)
        expect("destroy", run.kind->destroy(subject->set), 0);
    subject->set = NULL;
    subject->model.count = 0;
}

void shot_end(struct shot *shot)
{
    run.kind->snapshot_destroy(shot->snapshot);
    shot->snapshot = NULL;
}

/* ---- operations that concern no key ---- */

static void swap(void)
{
    struct subject *set = run.set;
    run.set = run.other;
    run.other = set;
}

static void enter(void)
{
    if (run.sections == 3)
        return;
    expect("section_enter", lfset_section_enter(), 0);
    run.sections++;
}

static void leave(void)
{
    if (run.sections == 1 && run.kind->held != NULL)
        run.kind->held(true);
    expect("section_leave", lfset_section_leave(), run.sections > 0 ? 0 : -EPERM);
    run.sections -= run.sections > 0;
}

static void barrier(void)
{
    expect("barrier", lfset_barrier(), run.sections > 0 ? -EDEADLK : 0);
}

static void detach(void)
{
    expect("thread_detach", lfset_thread_detach(), run.sections > 0 ? -EBUSY : 0);
}

static void destroy_too_early(void)
{
    if (run.sections > 0)
        expect("destroy in a section", run.kind->destroy(run.set->set), -EDEADLK);
}

/* Both are undone after the next operation. */
static void fail_allocations(void)
{
    const uint8_t which = take_byte();
    memory_fail(which % 32 + 1, which & 32);
    run.armed = true;
}

static void say_stop(void)
{
    static struct lfset_cancel *stop;
    if (stop == NULL && lfset_cancel_create(&stop, NULL, LFSET_NO_DEADLINE) == 0)
        (void)lfset_cancel_now(stop);
    run.stop = stop;
    run.armed = true;
}

static const struct operation plain_operations[] = {
    {"swap", swap},
    {"enter", enter},
    {"leave", leave},
    {"barrier", barrier},
    {"detach", detach},
    {"destroy too early", destroy_too_early},
    {"fail allocations", fail_allocations},
    {"say stop", say_stop},
};

/* ---- an input ---- */

enum { OFTEN = 64 /* sets so small are looked through after every operation */ };

static const struct operation *operation_of(uint8_t byte)
{
    const size_t plain_count = sizeof plain_operations / sizeof *plain_operations;
    size_t number = byte % (plain_count + keys_count + whole_count + pair_count);
    if (number < keys_count)
        return &keys_operations[number];
    number -= keys_count;
    if (number < whole_count)
        return &whole_operations[number];
    number -= whole_count;
    return number < pair_count ? &pair_operations[number] : &plain_operations[number - pair_count];
}

static void step(bool trace)
{
    const bool armed = run.armed;
    const struct operation *operation = operation_of(take_byte());
    if (trace)
        fprintf(stderr, "%s%s (%zu keys)\n", armed ? "  " : "", operation->name,
                run.set->model.count);
    operation->run();
    if (armed) {
        (void)memory_heal();
        run.armed = false;
        run.stop = NULL;
    }
    if (run.kind->held != NULL)
        run.kind->held(false);
    if (!run.armed && run.set->model.count <= OFTEN)
        check_set(run.set);
}

static void begin(uint8_t first)
{
    static const struct kind *const kinds[] = {&kind_u64, &kind_bytes, &kind_obj, &kind_bitmap};
    const uint64_t capacity = take_byte(), capacity_of_other = take_byte();
    run.kind = kinds[first % 4];
    run.seed = take_byte() + UINT64_C(1);
    run.sections = 0;
    run.armed = false;
    run.stop = NULL;
    run.set = &run.sets[0];
    run.other = &run.sets[1];
    run.shots[0].snapshot = run.shots[1].snapshot = NULL;
    memory_begin(first & 16);
    run.kind->begin(run.seed, first & 32);
    if (set_make(run.set, first & 4 ? LFSET_RCU : LFSET_HP, capacity) != 0 ||
        set_make(run.other, first & 8 ? LFSET_RCU : LFSET_HP, capacity_of_other) != 0)
        fail("%s: a set cannot be made", run.kind->name);
}

/* Snapshots may outlive their sets. */
static void end(bool sets_first)
{
    (void)memory_heal();
    while (run.sections > 0)
        leave();
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 2; i++) {
            if ((round == 0) == sets_first) {
                check_set(&run.sets[i]);
                set_end(&run.sets[i]);
            } else if (run.shots[i].snapshot != NULL) {
                expect("snapshot_count", run.kind->snapshot_count(run.shots[i].snapshot),
                       (int64_t)run.shots[i].model.count);
                shot_end(&run.shots[i]);
            }
        }
    expect("barrier", lfset_barrier(), 0);
    run.kind->end();
    memory_check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int trace = -1;
    if (trace < 0)
        trace = getenv("FUZZ_TRACE") != NULL;
    bytes = data;
    bytes_end = data + size;
    const uint8_t first = take_byte();
    begin(first);
    while (bytes < bytes_end)
        step(trace);
    end(first & 64);
    return 0;
}

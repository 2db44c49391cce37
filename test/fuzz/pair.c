// SPDX-License-Identifier: MIT
/* Operations of two sets, or of a set and a file. */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "operations.h"

/* An operand: a set, or a snapshot where there is one. */
struct operand {
    void *of;
    bool is_snapshot;
    const struct model *model;
};

static struct operand operand(struct subject *subject, const struct shot *shot, bool snapshot)
{
    return snapshot && shot->snapshot != NULL
               ? (struct operand){shot->snapshot, true, &shot->model}
               : (struct operand){subject->set, false, &subject->model};
}

/* How two operands may be chosen: a set and a set, a set and a snapshot, two snapshots. */
static void choose(uint8_t shape, struct operand *a, struct operand *b)
{
    *b = operand(shape & 4 ? run.set : run.other, &run.shots[1], shape & 1);
    *a = operand(run.set, &run.shots[0], b->is_snapshot && shape & 2);
}

/* A new set is right, and then takes the other one's place, or goes. */
static void judge(struct subject *made, bool keep)
{
    struct lfset_stats stats = {.size = sizeof stats};
    check_set(made);
    expect("stats_read", run.kind->stats(made->set, &stats), 0);
    expect("the domain", stats.domain, made->domain);
    if (keep) {
        set_end(run.other);
        run.other->set = made->set;
        run.other->domain = made->domain;
        model_copy(&run.other->model, &made->model);
    } else {
        set_end(made);
    }
}

/* NULL, or options for a set of the other domain. */
static const struct lfset_options *options_for(uint8_t shape, struct subject *made,
                                               enum lfset_domain like)
{
    static struct lfset_options options;
    options = (struct lfset_options)LFSET_OPTIONS_INIT;
    options.domain = like == LFSET_RCU ? LFSET_HP : LFSET_RCU;
    options.allocator = memory_hook();
    options.seed = run.seed;
    const bool other = shape & 8;
    made->domain = other ? options.domain : like;
    return other ? &options : NULL;
}

static void clone(void)
{
    static struct subject made;
    const uint8_t shape = take_byte();
    const struct lfset_options *options = options_for(shape, &made, run.set->domain);
    const int result = run.kind->clone(run.set->set, &made.set, options, run.stop);
    if (run.sections > 0) {
        expect("clone in a section", result, -EDEADLK);
    } else if (!excused(result)) {
        model_copy(&made.model, &run.set->model);
        judge(&made, shape & 16);
    }
}

/* Two snapshots have no set whose allocator the new one could take: it needs options. */
static void combine(void)
{
    static struct subject made;
    struct operand a, b;
    uint8_t shape = take_byte();
    const enum lfset_combination combination = take_byte() % 4;
    choose(shape, &a, &b);
    if (a.is_snapshot)
        shape |= 8;
    const struct lfset_options *options = options_for(shape, &made, run.set->domain);
    if (a.model->count + b.model->count > MODEL_MAX)
        return;
    const int result = run.kind->combine(a.of, a.is_snapshot, combination, b.of, b.is_snapshot,
                                         &made.set, options, run.stop);
    if (run.sections > 0) {
        expect("combine in a section", result, -EDEADLK);
    } else if (!excused(result)) {
        model_combine(&made.model, a.model, combination, b.model);
        judge(&made, shape & 16);
    }
}

static void compare(void)
{
    struct operand a, b;
    choose(take_byte(), &a, &b);
    const int result = run.kind->compare(a.of, a.is_snapshot, b.of, b.is_snapshot, run.stop);
    if (!excused(result))
        expect("compare", result, model_relation(a.model, b.model));
}

static void apply(void)
{
    static struct model target;
    struct operand a, b;
    struct model *model = &run.set->model;
    choose(take_byte() & 5, &a, &b); // `a` is the set
    const enum lfset_combination combination = take_byte() % 4;
    if (a.model->count + b.model->count > MODEL_MAX)
        return;
    model_combine(&target, model, combination, b.model);
    const int64_t result =
        run.kind->apply(run.set->set, combination, b.of, b.is_snapshot, run.stop);
    if (excused(result)) {
        adopt(run.set, &target);
        return;
    }
    expect("apply", result, (int64_t)model_distance(model, &target));
    model_copy(model, &target);
}

/* ---- a file ---- */

/* Into the other set, whose keys stay. */
static void load_into_other(int fd)
{
    static struct model target;
    const char *why = "nothing";
    model_combine(&target, &run.other->model, LFSET_UNION, &run.set->model);
    const int64_t result = run.kind->load(run.other->set, fd, &why);
    if (excused(result)) {
        adopt(run.other, &target);
        return;
    }
    expect("load", result, (int64_t)(target.count - run.other->model.count));
    if (why != NULL)
        fail("%s: what was saved cannot be loaded: %s", run.kind->name, why);
    model_copy(&run.other->model, &target);
    check_set(run.other);
}

static void save_and_load(void)
{
    static int fd = -1;
    if (run.kind->save == NULL || run.set->model.count + run.other->model.count > MODEL_MAX)
        return;
    if (fd < 0)
        fd = memfd_create("saved", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, 0) != 0 || lseek(fd, 0, SEEK_SET) != 0)
        fail("no file to save to");
    if (excused(run.kind->save(run.set->set, fd)))
        return;
    if (lseek(fd, 0, SEEK_SET) != 0)
        fail("no file to load from");
    load_into_other(fd);
}

const struct operation pair_operations[] = {
    {"clone", clone}, {"combine", combine},          {"compare", compare},
    {"apply", apply}, {"save, load", save_and_load},
};
const size_t pair_count = sizeof pair_operations / sizeof *pair_operations;

// SPDX-License-Identifier: MIT
/**
 * @file algebra.c
 * Combining and comparing sets. Each operand is a snapshot: of one instant, nobody's to change. So
 * nothing here synchronises, and no two threads can wait for each other, whatever sets they combine in
 * whatever order.
 *
 * Everything is made of one step, a *pass*: the members of one snapshot that are, or are not, in
 * another one are added to a set or removed from it. Probing needs no order and works for every kind.
 */
#include <errno.h>

#include "algebra/view.h"
#include "reclaim/rcu.h"

int lfset__batch_flush(struct lfset__batch *batch)
{
    const struct lfset__view *view = batch->view;
    int64_t changed = batch->removing
                          ? view->remove(batch->set, batch->members, batch->count)
                          : view->add(batch->set, batch->snapshot, batch->members, batch->count);
    batch->count = 0;
    if (changed < 0) {
        return (int)changed;
    }
    batch->changed += changed;
    return 0;
}

/* ---- operands ----------------------------------------------------------------------------------- */

static bool is_missing(const struct lfset__operand *operand)
{
    return !operand->set && !operand->snapshot;
}

static bool go_together(const struct lfset__view *view, const struct lfset__operand *a,
                        const struct lfset__operand *b)
{
    return !view->compatible || view->compatible(a, b);
}

static int operand_read(const struct lfset__view *view, struct lfset__operand *operand,
                        const struct lfset_cancel *cancel)
{
    return operand->snapshot ? 0 : view->snapshot_take(operand->set, &operand->snapshot, cancel);
}

/* `a` first. A set on both sides is read once. */
static int operands_read(const struct lfset__view *view, struct lfset__operand *a,
                         struct lfset__operand *b, const struct lfset_cancel *cancel)
{
    int error = operand_read(view, a, cancel);
    if (!error && !b->snapshot && b->set == a->set) {
        b->snapshot = a->snapshot;
    }
    return error ? error : operand_read(view, b, cancel);
}

/* What is not the user's. */
static void operands_release(const struct lfset__view *view, const struct lfset__operand *a,
                             const struct lfset__operand *b)
{
    if (b->set && b->snapshot != a->snapshot) {
        view->snapshot_destroy(b->snapshot);
    }
    if (a->set) {
        view->snapshot_destroy(a->snapshot);
    }
}

/* ---- passes ------------------------------------------------------------------------------------- */

struct pass {
    struct lfset__batch *batch;
    void *other;
    int wanted; /* what snapshot_contains(other) answers for the members that count */
};

static int pass_member(const struct lfset__member *member, void *ctx)
{
    const struct pass *pass = ctx;
    if (pass->other) {
        int found = pass->batch->view->snapshot_contains(pass->other, member);
        if (found != pass->wanted) {
            return found < 0 ? found : 0;
        }
    }
    return lfset__batch_put(pass->batch, member);
}

static int run_pass(struct pass *pass, void *snapshot, const struct lfset_cancel *cancel)
{
    struct lfset__batch *batch = pass->batch;
    if (batch->view->pass) {
        int64_t changed = batch->view->pass(batch->set, snapshot, pass->other, pass->wanted,
                                            batch->removing, cancel);
        batch->changed += changed > 0 ? changed : 0;
        return changed < 0 ? (int)changed : 0;
    }
    batch->snapshot = snapshot;
    int error = batch->view->snapshot_each(snapshot, pass_member, pass, cancel);
    return error ? error : lfset__batch_flush(batch);
}

static int pass_all(struct lfset__batch *batch, void *snapshot, const struct lfset_cancel *cancel)
{
    struct pass pass = {.batch = batch};
    return run_pass(&pass, snapshot, cancel);
}

static int pass_in(struct lfset__batch *batch, void *snapshot, void *other,
                   const struct lfset_cancel *cancel)
{
    struct pass pass = {.batch = batch, .other = other, .wanted = 1};
    return run_pass(&pass, snapshot, cancel);
}

static int pass_not_in(struct lfset__batch *batch, void *snapshot, void *other,
                       const struct lfset_cancel *cancel)
{
    struct pass pass = {.batch = batch, .other = other, .wanted = 0};
    return run_pass(&pass, snapshot, cancel);
}

/* ---- a new set ---------------------------------------------------------------------------------- */

/* At least so many members will be in the combination. */
static uint64_t least_count(const struct lfset__view *view, const void *a,
                            enum lfset_combination combination, const void *b)
{
    int64_t in_a = view->snapshot_count(a), in_b = view->snapshot_count(b);
    switch (combination) {
    case LFSET_UNION:
        return (uint64_t)(in_a > in_b ? in_a : in_b);
    case LFSET_DIFFERENCE:
        return in_a > in_b ? (uint64_t)(in_a - in_b) : 0;
    case LFSET_SYMMETRIC_DIFFERENCE:
        return (uint64_t)(in_a > in_b ? in_a - in_b : in_b - in_a);
    case LFSET_INTERSECTION:
        break;
    }
    return 0;
}

static int intersect(struct lfset__batch *batch, void *a, void *b,
                     const struct lfset_cancel *cancel)
{
    const struct lfset__view *view = batch->view;
    bool swap = !view->has_identity && view->snapshot_count(b) < view->snapshot_count(a);
    return swap ? pass_in(batch, b, a, cancel) : pass_in(batch, a, b, cancel);
}

static int fill(struct lfset__batch *batch, void *a, enum lfset_combination combination, void *b,
                const struct lfset_cancel *cancel)
{
    int error = 0;
    switch (combination) {
    case LFSET_UNION:
        error = pass_all(batch, a, cancel);
        return error || a == b ? error : pass_all(batch, b, cancel);
    case LFSET_INTERSECTION:
        return intersect(batch, a, b, cancel);
    case LFSET_DIFFERENCE:
        return pass_not_in(batch, a, b, cancel);
    case LFSET_SYMMETRIC_DIFFERENCE:
        error = pass_not_in(batch, a, b, cancel);
        return error ? error : pass_not_in(batch, b, a, cancel);
    }
    return -EINVAL;
}

/* A set that is half filled when memory runs out or the user cancels must be destroyed, and that
 * cannot be done inside a section: it would wait for the section's end. */
static bool could_not_destroy(enum lfset_domain domain)
{
    return (lfset__self && lfset__self->sections > 0) ||
           (domain == LFSET_RCU && lfset__rcu_is_reading());
}

static int build(const struct lfset__view *view, void *a, enum lfset_combination combination,
                 void *b, void **result, const struct lfset_options *options,
                 const struct lfset_cancel *cancel)
{
    void *set;
    int error = view->create(&set, options, a);
    if (error) {
        return error;
    }
    struct lfset__batch batch = {.view = view, .set = set};
    error = fill(&batch, a, combination, b, cancel);
    if (error) {
        view->destroy(set);
        return error;
    }
    *result = set;
    return 0;
}

int lfset__combine(const struct lfset__view *view, struct lfset__operand a,
                   enum lfset_combination combination, struct lfset__operand b, void **result,
                   const struct lfset_options *options, const struct lfset_cancel *cancel)
{
    if (!result || is_missing(&a) || is_missing(&b) ||
        (unsigned)combination > LFSET_SYMMETRIC_DIFFERENCE || !go_together(view, &a, &b)) {
        return -EINVAL;
    }
    struct lfset_options like = LFSET_OPTIONS_INIT;
    if (!options && a.set) {
        view->options(a.set, &like);
    }
    if (could_not_destroy(options ? options->domain : like.domain)) {
        return -EDEADLK;
    }
    int error = operands_read(view, &a, &b, cancel);
    if (!error) {
        like.capacity = least_count(view, a.snapshot, combination, b.snapshot);
        error = build(view, a.snapshot, combination, b.snapshot, result, options ? options : &like,
                      cancel);
    }
    if (!error && !options) {
        view->reserve(*result, 0); // the capacity was a start, not a wish to keep the room
    }
    operands_release(view, &a, &b);
    return error;
}

/* ---- in place ----------------------------------------------------------------------------------- */

static int change(struct lfset__batch *batch, void *own, enum lfset_combination combination,
                  void *other, const struct lfset_cancel *cancel)
{
    int error = 0;
    switch (combination) {
    case LFSET_UNION:
        return pass_all(batch, other, cancel);
    case LFSET_DIFFERENCE:
        batch->removing = true;
        return pass_all(batch, other, cancel);
    case LFSET_INTERSECTION:
        batch->removing = true;
        return pass_not_in(batch, own, other, cancel);
    case LFSET_SYMMETRIC_DIFFERENCE:
        batch->removing = true;
        error = pass_in(batch, other, own, cancel);
        batch->removing = false;
        return error ? error : pass_not_in(batch, other, own, cancel);
    }
    return -EINVAL;
}

int64_t lfset__apply(const struct lfset__view *view, void *set, enum lfset_combination combination,
                     struct lfset__operand other, const struct lfset_cancel *cancel)
{
    struct lfset__operand own = {.set = set};
    if (!set || is_missing(&other) || (unsigned)combination > LFSET_SYMMETRIC_DIFFERENCE ||
        !go_together(view, &own, &other)) {
        return -EINVAL;
    }
    int error = combination == LFSET_INTERSECTION || combination == LFSET_SYMMETRIC_DIFFERENCE
                    ? operands_read(view, &own, &other, cancel)
                    : operand_read(view, &other, cancel);
    struct lfset__batch batch = {.view = view, .set = set};
    if (!error) {
        error = change(&batch, own.snapshot, combination, other.snapshot, cancel);
    }
    operands_release(view, &own, &other);
    return error ? error : batch.changed;
}

/* ---- comparing ---------------------------------------------------------------------------------- */

struct overlap {
    const struct lfset__view *view;
    const void *other;
    bool common;  /* a member was found in the other */
    bool missing; /* and one was not */
};

enum { ENOUGH = 1 };

static int compare_member(const struct lfset__member *member, void *ctx)
{
    struct overlap *overlap = ctx;
    int found = overlap->view->snapshot_contains(overlap->other, member);
    if (found < 0) {
        return found;
    }
    overlap->common = overlap->common || found;
    overlap->missing = overlap->missing || !found;
    return overlap->common && overlap->missing ? ENOUGH : 0;
}

/* @param smaller_in whether all of the smaller set is in the larger one */
static int relation(int64_t in_a, int64_t in_b, bool common, bool smaller_in)
{
    int bits = common ? LFSET_INTERSECTS : LFSET_DISJOINT;
    if (!smaller_in) {
        return bits;
    }
    if (in_a == in_b) {
        return bits | LFSET_EQUAL | LFSET_SUBSET | LFSET_SUPERSET;
    }
    return bits | (in_a < in_b ? LFSET_SUBSET | LFSET_PROPER_SUBSET
                               : LFSET_SUPERSET | LFSET_PROPER_SUPERSET);
}

/* Asks the larger one for the members of the smaller one: if all are there, it is a subset. */
static int compare_snapshots(const struct lfset__view *view, void *a, void *b,
                             const struct lfset_cancel *cancel)
{
    int64_t in_a = view->snapshot_count(a), in_b = view->snapshot_count(b);
    void *smaller = in_a < in_b ? a : b, *larger = in_a < in_b ? b : a;
    struct overlap overlap = {.view = view, .other = larger};
    int stopped = view->overlap
                      ? view->overlap(smaller, larger, &overlap.common, &overlap.missing, cancel)
                      : view->snapshot_each(smaller, compare_member, &overlap, cancel);
    return stopped < 0 ? stopped : relation(in_a, in_b, overlap.common, !overlap.missing);
}

int lfset__compare(const struct lfset__view *view, struct lfset__operand a, struct lfset__operand b,
                   const struct lfset_cancel *cancel)
{
    if (is_missing(&a) || is_missing(&b) || !go_together(view, &a, &b)) {
        return -EINVAL;
    }
    int result = operands_read(view, &a, &b, cancel);
    if (!result) {
        result = compare_snapshots(view, a.snapshot, b.snapshot, cancel);
    }
    operands_release(view, &a, &b);
    return result;
}

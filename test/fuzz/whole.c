// SPDX-License-Identifier: MIT
/* Operations of the whole set, and of snapshots. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "operations.h"

static void size(void)
{
    const int64_t result = run.kind->size(run.set->set, run.stop);
    if (!excused(result))
        expect("size", result, (int64_t)run.set->model.count);
}

static void is_empty(void)
{
    const int result = run.kind->is_empty(run.set->set);
    if (!excused(result))
        expect("is_empty", result, run.set->model.count == 0);
}

static void clear(void)
{
    const int64_t result = run.kind->clear(run.set->set, run.stop);
    if (excused(result))
        return;
    expect("clear", result, (int64_t)run.set->model.count);
    run.set->model.count = 0;
}

static void reserve(void)
{
    const uint64_t capacity = take_byte() * UINT64_C(16);
    if (!excused(run.kind->reserve(run.set->set, capacity, run.stop)))
        check_set(run.set);
}

static void purge(void)
{
    if (run.kind->purge == NULL)
        return;
    if (!excused(run.kind->purge(run.set->set)))
        expect("purge when purged", run.kind->purge(run.set->set), 0);
}

/* Small sets are counted slot by slot. */
enum { SMALL = 256 };

static void look(void)
{
    struct lfset_stats stats = {.size = sizeof stats};
    uint64_t histogram[8] = {0}, bound = 0;
    const int64_t estimate = run.kind->size_estimate(run.set->set);
    expect("stats_read", run.kind->stats(run.set->set, &stats), 0);
    expect("the domain", stats.domain, run.set->domain);
    if (stats.capacity <= SMALL && stats.slices == 1)
        expect("size_estimate", estimate, (int64_t)run.set->model.count);
    if (run.kind->probe_lengths == NULL)
        return;
    const int64_t slots = run.kind->probe_lengths(run.set->set, histogram, 8);
    for (size_t i = 0; i < 8; i++)
        bound += histogram[i];
    expect("probe_lengths", slots, (int64_t)bound);
}

/* Numbers as they are, in the order that they have. */
static void print(void)
{
    static char text[1 << 14], wanted[1 << 14];
    const struct model *model = &run.set->model;
    const size_t max = take_byte(), shown = max == 0 || max > model->count ? model->count : max;
    if (model->count > SMALL)
        return;
    FILE *file = fmemopen(text, sizeof text, "w");
    if (file == NULL)
        fail("no memory");
    const int result = run.kind->print(run.set->set, file, max, run.stop);
    fclose(file);
    if (excused(result) || (run.kind != &kind_u64 && run.kind != &kind_bitmap))
        return;
    size_t end = 0;
    wanted[end++] = '{';
    for (size_t i = 0; i < shown; i++)
        end += (size_t)sprintf(wanted + end, "%s%" PRIu64, i > 0 ? ", " : "", model->keys[i]);
    if (shown < model->count)
        end += (size_t)sprintf(wanted + end, ", ... (%zu in all)", model->count);
    strcpy(wanted + end, "}");
    if (strcmp(text, wanted) != 0)
        fail("%s: it prints %s, not %s", run.kind->name, text, wanted);
}

/* ---- iteration ---- */

/* What a callback does besides looking. */
struct visit {
    struct model *found;
    uint64_t key;     /* is removed at first when it is there, else added */
    unsigned stop_at; /* 0: never; else the visit that stops */
    bool changes;     /* that key */
};

static int visit_key(uint64_t key, void *ctx)
{
    struct visit *visit = ctx;
    if (run.kind->contains(run.set->set, key) != 1)
        fail("%s: a key is shown that is not there", run.kind->name);
    model_append(visit->found, key);
    if (visit->changes && visit->found->count == 1) {
        const int there = (int)model_contains(&run.set->model, visit->key);
        const int result = there ? run.kind->remove(run.set->set, visit->key)
                                 : run.kind->add(run.set->set, visit->key);
        if (excused(result))
            visit->changes = false;
        else
            expect("a change in a callback", result, 1);
    }
    return visit->stop_at != 0 && visit->found->count == visit->stop_at ? 7 : 0;
}

static void each(void)
{
    static struct model found;
    const uint8_t shape = take_byte();
    struct model *model = &run.set->model;
    struct visit visit = {.found = &found, .key = take_key(), .stop_at = shape % 64};
    visit.changes = shape & 64;
    found.count = 0;
    const int result = run.kind->each(run.set->set, visit_key, &visit, run.stop);
    const bool stopped = result == 7;
    if (result != 7 && excused(result))
        ; // it showed some
    else if (visit.stop_at != 0 && found.count >= visit.stop_at)
        expect("each", result, 7);
    else
        expect("each", result, 0);
    const size_t shown = found.count;
    if (!model_sort(&found))
        fail("%s: each shows a key twice", run.kind->name);
    for (size_t i = 0; i < shown; i++)
        if (!model_contains(model, found.keys[i]) && !(visit.changes && found.keys[i] == visit.key))
            fail("%s: each shows a key that was not there", run.kind->name);
    if (!stopped && result == 0)
        for (size_t i = 0; i < model->count; i++)
            if (!model_contains(&found, model->keys[i]) &&
                !(visit.changes && model->keys[i] == visit.key))
                fail("%s: each does not show a key that is there", run.kind->name);
    if (visit.changes && shown > 0 && !model_remove(model, visit.key))
        (void)model_add(model, visit.key);
}

struct filter {
    uint64_t mask, value;
    int64_t asked;
};

static int unwanted(uint64_t key, void *ctx)
{
    struct filter *filter = ctx;
    filter->asked++;
    if (run.kind->contains(run.set->set, key) != 1)
        fail("%s: a key is asked about that is not there", run.kind->name);
    return (key & filter->mask) == filter->value;
}

static void remove_if(void)
{
    static struct model target;
    struct filter filter = {.mask = take_byte()};
    struct model *model = &run.set->model;
    filter.value = take_byte() & filter.mask;
    target.count = 0;
    for (size_t i = 0; i < model->count; i++)
        if ((model->keys[i] & filter.mask) != filter.value)
            model_append(&target, model->keys[i]);
    const int64_t result = run.kind->remove_if(run.set->set, unwanted, &filter, run.stop);
    if (excused(result)) {
        adopt(run.set, &target);
        return;
    }
    expect("remove_if", result, (int64_t)(model->count - target.count));
    expect("keys asked about", filter.asked, (int64_t)model->count);
    model_copy(model, &target);
}

/* ---- snapshots ---- */

static void take(bool drain)
{
    struct shot *shot = &run.shots[take_byte() % 2];
    shot_end(shot);
    if (excused(run.kind->take(run.set->set, drain, &shot->snapshot, run.stop)))
        return;
    model_copy(&shot->model, &run.set->model);
    if (drain)
        run.set->model.count = 0;
}

static void snapshot_take(void)
{
    take(false);
}

static void drain(void)
{
    take(true);
}

struct walk {
    const struct model *model;
    size_t next;
};

static int in_order(uint64_t key, void *ctx)
{
    struct walk *walk = ctx;
    if (walk->next == walk->model->count || walk->model->keys[walk->next] != key)
        fail("%s: a snapshot shows another key, or another order", run.kind->name);
    walk->next++;
    return 0;
}

static void snapshot_look(void)
{
    static uint64_t keys[MODEL_MAX];
    const struct shot *shot = &run.shots[take_byte() % 2];
    const uint64_t key = take_key();
    const size_t max = take_byte() * (size_t)8;
    const struct model *model = &shot->model;
    if (shot->snapshot == NULL)
        return;
    expect("snapshot_count", run.kind->snapshot_count(shot->snapshot), (int64_t)model->count);
    expect("snapshot_contains", run.kind->snapshot_contains(shot->snapshot, key),
           model_contains(model, key));
    struct walk walk = {model, 0};
    const int result = run.kind->snapshot_each(shot->snapshot, in_order, &walk);
    if (!excused(result))
        expect("keys shown", (int64_t)walk.next, (int64_t)model->count);
    const size_t wanted = model->count < max ? model->count : max;
    expect("snapshot_copy", run.kind->snapshot_copy(shot->snapshot, keys, max), (int64_t)wanted);
    if (memcmp(keys, model->keys, wanted * sizeof *keys) != 0)
        fail("%s: snapshot_copy copies other keys", run.kind->name);
}

static void snapshot_destroy(void)
{
    shot_end(&run.shots[take_byte() % 2]);
}

const struct operation whole_operations[] = {
    {"size", size},
    {"is_empty", is_empty},
    {"clear", clear},
    {"reserve", reserve},
    {"purge", purge},
    {"statistics", look},
    {"print", print},
    {"each", each},
    {"remove_if", remove_if},
    {"snapshot_take", snapshot_take},
    {"drain", drain},
    {"snapshot_each, _copy, _contains", snapshot_look},
    {"snapshot_destroy", snapshot_destroy},
};
const size_t whole_count = sizeof whole_operations / sizeof *whole_operations;

// SPDX-License-Identifier: MIT
/* Operations of one key, or of several. */
#include <errno.h>

#include "operations.h"

enum { BATCH = 64, BULK = 1024 };

static void add(void)
{
    const uint64_t key = take_key();
    const int result = run.kind->add(run.set->set, key);
    if (!excused(result))
        expect("add", result, model_add(&run.set->model, key));
}

static void remove_key(void)
{
    const uint64_t key = take_key();
    const int result = run.kind->remove(run.set->set, key);
    if (!excused(result))
        expect("remove", result, model_remove(&run.set->model, key));
}

static void contains(void)
{
    const uint64_t key = take_key();
    const int result = run.kind->contains(run.set->set, key);
    if (!excused(result))
        expect("contains", result, model_contains(&run.set->model, key));
}

/* A single answer of several, told to the model. */
static int apply_one(enum kind_many what, uint64_t key)
{
    struct model *model = &run.set->model;
    return what == KIND_ADD      ? model_add(model, key)
           : what == KIND_REMOVE ? model_remove(model, key)
                                 : (int)model_contains(model, key);
}

static void many(enum kind_many what, const uint64_t *keys, size_t count)
{
    static int8_t results[BULK];
    const int64_t result = run.kind->many(run.set->set, what, keys, count, results);
    const bool failed = result < 0;
    int64_t done = 0;
    int first_error = 0;
    (void)excused(result);
    for (size_t i = 0; i < count; i++) {
        if (results[i] < 0) {
            first_error = first_error != 0 ? first_error : results[i];
            continue;
        }
        const int wanted = apply_one(what, keys[i]);
        expect("one of many", results[i], wanted);
        done += wanted;
    }
    if (failed && first_error == 0)
        fail("%s: many keys fail, and none of them does", run.kind->name);
    expect("many", result, first_error != 0 ? first_error : done);
}

/* Keys at equal distances, some of them often twice. */
static void several(enum kind_many what)
{
    uint64_t keys[BATCH];
    const uint8_t first = take_byte(), shape = take_byte();
    const size_t count = shape % BATCH + 1;
    const unsigned stride = shape / BATCH;
    for (size_t i = 0; i < count; i++)
        keys[i] = run.kind->key((uint8_t)(first + i * stride));
    many(what, keys, count);
}

static void add_many(void)
{
    several(KIND_ADD);
}

static void remove_many(void)
{
    several(KIND_REMOVE);
}

static void contains_many(void)
{
    several(KIND_CONTAINS);
}

/* So many that slices get large; the same 1,500 or so in every input. */
static void bulk(enum kind_many what)
{
    static uint64_t keys[BULK];
    const uint64_t first = (UINT64_C(1) << 20) + take_byte() % 64 * 8;
    const size_t count = (size_t)8 << take_byte() % 8;
    if (run.set->model.count + count > MODEL_MAX)
        return;
    for (size_t i = 0; i < count; i++)
        keys[i] = first + i;
    many(what, keys, count);
}

static void add_bulk(void)
{
    bulk(KIND_ADD);
}

static void remove_bulk(void)
{
    bulk(KIND_REMOVE);
}

static void pop(void)
{
    uint64_t key = 0;
    const int result = run.kind->pop(run.set->set, &key);
    if (run.kind->get != NULL && run.sections == 0) {
        expect("pop outside a section", result, -EPERM);
        (void)memory_heal();
        return;
    }
    if (excused(result))
        return;
    expect("pop", result, run.set->model.count > 0);
    if (result == 1 && !model_remove(&run.set->model, key))
        fail("%s: pop takes a key that is not there", run.kind->name);
}

static void wait_for(void)
{
    const enum kind_wait what = take_byte() % 3;
    const uint64_t key = take_key();
    const bool there = model_contains(&run.set->model, key);
    const bool so =
        what == KIND_EMPTY ? run.set->model.count == 0 : there == (what == KIND_PRESENT);
    if (!so && run.stop == NULL)
        return; // for ever
    const int result = run.kind->wait(run.set->set, what, key, run.stop);
    if (run.sections > 0) {
        expect("wait in a section", result, -EDEADLK);
        (void)memory_heal();
    } else if (!excused(result)) {
        expect("wait that stops", so, true);
        expect("wait", result, 0);
    } else {
        expect("wait that goes on", so && result == -ECANCELED, false);
    }
}

static void get(void)
{
    const uint64_t key = take_key();
    const bool there = model_contains(&run.set->model, key);
    if (run.kind->get == NULL)
        return;
    const int result = run.kind->get(run.set->set, key);
    if (run.sections == 0)
        expect("get outside a section", result, -EPERM);
    else if (!excused(result))
        expect("get", result, there);
}

static void add_or_get(void)
{
    const uint64_t key = take_key();
    if (run.kind->add_or_get == NULL)
        return;
    const int result = run.kind->add_or_get(run.set->set, key);
    if (run.sections == 0)
        expect("add_or_get outside a section", result, -EPERM);
    else if (!excused(result))
        expect("add_or_get", result, model_add(&run.set->model, key));
}

/* ---- ranges and order ---- */

static uint64_t last_from(uint64_t first)
{
    const uint64_t words = take_byte() % 16, bits = take_byte() % 64;
    const uint64_t length = words * 64 + bits;
    return length > UINT64_MAX - first ? UINT64_MAX : first + length;
}

static void change_range(bool remove)
{
    static struct model target;
    const uint64_t first = take_key(), last = last_from(first);
    struct model *model = &run.set->model;
    if (run.kind->change_range == NULL || model->count + (last - first) >= MODEL_MAX)
        return;
    model_copy(&target, model);
    for (uint64_t key = first;; key++) {
        (void)(remove ? model_remove(&target, key) : model_add(&target, key));
        if (key == last)
            break;
    }
    const int64_t changed = run.kind->change_range(run.set->set, remove, first, last, run.stop);
    if (excused(changed)) {
        adopt(run.set, &target);
        return;
    }
    expect("how many of the range changed", changed, (int64_t)model_distance(model, &target));
    model_copy(model, &target);
}

static void add_range(void)
{
    change_range(false);
}

static void remove_range(void)
{
    change_range(true);
}

/* Asks the set, or one of the snapshots. */
static const struct model *asked(void **snapshot)
{
    const struct shot *shot = &run.shots[take_byte() % 2];
    *snapshot = shot->snapshot;
    return shot->snapshot != NULL ? &shot->model : &run.set->model;
}

static void count_range(void)
{
    void *snapshot;
    const uint64_t first = take_key(), last = last_from(first);
    const struct model *model = asked(&snapshot);
    if (run.kind->count_range == NULL)
        return;
    const int64_t count = run.kind->count_range(run.set->set, snapshot, first, last);
    if (!excused(count))
        expect("count_range", count,
               (int64_t)(model_rank(model, last) - model_rank(model, first) +
                         model_contains(model, last)));
    const int64_t rank = run.kind->rank(run.set->set, snapshot, first);
    if (!excused(rank))
        expect("rank", rank, (int64_t)model_rank(model, first));
}

/* What seek should find. @return false: nothing. */
static bool sought(const struct model *model, enum kind_seek what, uint64_t from, uint64_t *found)
{
    const size_t at = what == KIND_MIN ? 0 : model_rank(model, from);
    if (what == KIND_NEXT_CLEAR) {
        for (*found = from; model_contains(model, *found); ++*found)
            if (*found == UINT64_MAX)
                return false;
        return true;
    }
    if (what == KIND_MAX) {
        *found = model->count > 0 ? model->keys[model->count - 1] : 0;
        return model->count > 0;
    }
    *found = at < model->count ? model->keys[at] : 0;
    return at < model->count;
}

static void seek(void)
{
    void *snapshot;
    uint64_t found = 0, wanted;
    const enum kind_seek what = take_byte() % 4;
    const uint64_t from = take_key();
    const struct model *model = asked(&snapshot);
    if (run.kind->seek == NULL)
        return;
    const int result = run.kind->seek(run.set->set, snapshot, what, from, &found);
    if (excused(result))
        return;
    expect("whether there is one", result, sought(model, what, from, &wanted));
    if (result == 1 && found != wanted)
        fail("%s: %llu is found, not %llu", run.kind->name, (unsigned long long)found,
             (unsigned long long)wanted);
}

const struct operation keys_operations[] = {
    {"add", add},
    {"remove", remove_key},
    {"contains", contains},
    {"add_many", add_many},
    {"remove_many", remove_many},
    {"contains_many", contains_many},
    {"add_many (bulk)", add_bulk},
    {"remove_many (bulk)", remove_bulk},
    {"pop", pop},
    {"wait", wait_for},
    {"get", get},
    {"add_or_get", add_or_get},
    {"add_range", add_range},
    {"remove_range", remove_range},
    {"count_range, rank", count_range},
    {"next_set, next_clear, min, max", seek},
};
const size_t keys_count = sizeof keys_operations / sizeof *keys_operations;

// SPDX-License-Identifier: MIT
/*
 * Anybody's set as a target: a shared object with the symbol that include/lfset/target.h describes.
 * There is one at a time, and it is never unloaded: its threads' destructors may run at any time.
 */
#define _GNU_SOURCE
#include "target.h"

#include "platform/hook.h"

#include <dlfcn.h>
#include <errno.h>
#include <lfset/target.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    struct lfset_target_functions f;
    struct target_promises promises;
    struct target target;
} plugin;

/* ---------------------------------------------------------------- calls that differ in their types */

static void noise(void)
{
    if (lfset__hook)
        lfset__hook(0, NULL);
}

static int plugin_create(const struct target_options *options, void **set)
{
    const struct lfset_target_options o = {
        .size = sizeof(o), .capacity = options->capacity, .seed = options->seed, .noise = noise};

    *set = NULL;
    return plugin.f.create(&o, set);
}

/* The adapter's visits cannot be stopped: what comes after a stop is not passed on. */
struct visit {
    int (*visit)(uint64_t key, void *ctx);
    void *ctx;
    int rc;
};

static void visit_on(void *ctx, uint64_t key)
{
    struct visit *v = ctx;

    if (v->rc == 0)
        v->rc = v->visit(key, v->ctx);
}

static int plugin_each(const void *set, int (*visit)(uint64_t key, void *ctx), void *ctx)
{
    struct visit v = {.visit = visit, .ctx = ctx};
    const int rc = plugin.f.each((void *)(uintptr_t)set, visit_on, &v);

    return rc != 0 ? rc : v.rc;
}

struct taken {
    uint64_t *keys;
    size_t count;
    size_t capacity;
};

static void visit_take(void *ctx, uint64_t key)
{
    struct taken *t = ctx;

    if (t->count == t->capacity) {
        t->capacity = t->capacity ? 2 * t->capacity : 64;
        t->keys = realloc(t->keys, t->capacity * sizeof(*t->keys));
        if (!t->keys)
            abort(); /* what a drain removed cannot be given back */
    }
    t->keys[t->count++] = key;
}

static void taken_destroy(void *taken)
{
    struct taken *t = taken;

    free(t->keys);
    free(t);
}

static int take(void *set, int (*from)(void *set, void (*visit)(void *, uint64_t), void *ctx),
                void **taken)
{
    struct taken *t = calloc(1, sizeof(*t));

    *taken = t;
    if (!t)
        return -ENOMEM;
    const int rc = from(set, visit_take, t);
    if (rc != 0) {
        taken_destroy(t);
        *taken = NULL;
        return rc;
    }
    return 0;
}

static int plugin_snapshot(void *set, void **taken)
{
    return take(set, plugin.f.snapshot, taken);
}

static int plugin_drain(void *set, void **taken)
{
    return take(set, plugin.f.drain, taken);
}

static int64_t taken_count(void *taken)
{
    return (int64_t)((struct taken *)taken)->count;
}

static int64_t taken_copy(void *taken, uint64_t *keys, size_t max)
{
    const struct taken *t = taken;
    const size_t count = t->count < max ? t->count : max;

    if (count > 0)
        memcpy(keys, t->keys, count * sizeof(*keys));
    target_sort(keys, count);
    return (int64_t)count;
}

/* ---------------------------------------------------------------- loading */

static int functions_check(const struct lfset_target_functions *f, char *why, size_t size)
{
    const uint32_t known = LFSET_TARGET_LOCK_FREE * 2 - 1;
    const struct {
        const char *name;
        int there;
    } required[] = {{"name", f->name && f->name[0] != '\0'}, {"create", f->create != NULL},
                    {"destroy", f->destroy != NULL},         {"add", f->add != NULL},
                    {"remove", f->remove != NULL},           {"contains", f->contains != NULL}};

    for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
        if (!required[i].there) {
            snprintf(why, size, "lfset_target.%s is required, but NULL", required[i].name);
            return -EINVAL;
        }
    }
    if (!f->attach != !f->detach) {
        snprintf(why, size, "lfset_target has %s, but not %s", f->attach ? "attach" : "detach",
                 f->attach ? "detach" : "attach");
        return -EINVAL;
    }
    if (f->promises & ~known) {
        snprintf(why, size, "lfset_target.promises has unknown bits: 0x%x",
                 (unsigned)(f->promises & ~known));
        return -EINVAL;
    }
    return 0;
}

/* An older adapter's struct may be shorter: what it does not know of is NULL. */
static int functions_copy(const struct lfset_target_functions *from, char *why, size_t size)
{
    const size_t least = offsetof(struct lfset_target_functions, attach);

    if (from->version != LFSET_TARGET_VERSION) {
        snprintf(why, size, "lfset_target.version is %u; this program knows version %u",
                 (unsigned)from->version, LFSET_TARGET_VERSION);
        return -EINVAL;
    }
    if (from->struct_size < least || from->struct_size > sizeof(plugin.f)) {
        snprintf(why, size, "lfset_target.struct_size is %u; from %zu to %zu is possible",
                 (unsigned)from->struct_size, least, sizeof(plugin.f));
        return -EINVAL;
    }
    memcpy(&plugin.f, from, from->struct_size);
    return functions_check(&plugin.f, why, size);
}

static struct target_promises promises_of(const struct lfset_target_functions *f)
{
    const int counter = (f->promises & LFSET_TARGET_COUNTER_SIZE) != 0;

    return (struct target_promises){
        .has = {[TARGET_SIZE] = f->size != NULL,
                [TARGET_IS_EMPTY] = f->is_empty != NULL,
                [TARGET_EACH] = f->each && !(f->promises & LFSET_TARGET_EACH_AT_REST),
                [TARGET_CLEAR] = f->clear != NULL},
        .weak = {[TARGET_SIZE] = !(f->promises & LFSET_TARGET_ATOMIC_SIZE),
                 [TARGET_IS_EMPTY] = !(f->promises & LFSET_TARGET_ATOMIC_IS_EMPTY),
                 [TARGET_EACH] = 1,
                 [TARGET_CLEAR] = !(f->promises & LFSET_TARGET_ATOMIC_CLEAR)},
        .counter = counter,
        .repeats = (f->promises & LFSET_TARGET_EACH_REPEATS) != 0,
        .lock_free = (f->promises & LFSET_TARGET_LOCK_FREE) != 0,
    };
}

static struct target target_of(const struct lfset_target_functions *f,
                               const struct target_promises *promises)
{
    return (struct target){
        .name = f->name,
        .about = "from a shared object",
        .promises = promises,
        .create = plugin_create,
        .destroy = f->destroy,
        .add = f->add,
        .remove = f->remove,
        .contains = f->contains,
        .add_many = f->add_many,
        .remove_many = f->remove_many,
        .contains_many = f->contains_many,
        .pop = f->pop,
        .size = f->size,
        .is_empty = f->is_empty,
        .clear = f->clear,
        .snapshot = f->snapshot ? plugin_snapshot : NULL,
        .drain = f->drain ? plugin_drain : NULL,
        .taken_count = taken_count,
        .taken_copy = taken_copy,
        .taken_destroy = taken_destroy,
        .each = f->each ? plugin_each : NULL,
        .each_is_concurrent = promises->has[TARGET_EACH],
        .set_attach = f->attach,
        .set_detach = f->detach,
    };
}

const struct target *target_plugin_load(const char *path, char *why, size_t size)
{
    char *with_slash = NULL; /* without one, dlopen looks everywhere but here */

    if (!strchr(path, '/') && asprintf(&with_slash, "./%s", path) < 0) {
        snprintf(why, size, "no memory");
        return NULL;
    }
    void *object = dlopen(with_slash ? with_slash : path, RTLD_NOW | RTLD_LOCAL);
    free(with_slash);
    if (!object) {
        snprintf(why, size, "%s", dlerror());
        return NULL;
    }
    const struct lfset_target_functions *found = dlsym(object, "lfset_target");
    if (!found) {
        snprintf(why, size, "%s: it exports no symbol lfset_target (see lfset/target.h)", path);
        return NULL;
    }
    const int used = snprintf(why, size, "%s: ", path);
    if (used < 0 || (size_t)used >= size ||
        functions_copy(found, why + used, size - (size_t)used) != 0)
        return NULL;
    plugin.promises = promises_of(&plugin.f);
    plugin.target = target_of(&plugin.f, &plugin.promises);
    return &plugin.target;
}

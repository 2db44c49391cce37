// SPDX-License-Identifier: MIT
#include "explore/objects.h"

#include <string.h>

#include "explore/arena.h"
#include "explore/operations.h"
#include "explore/schedule.h"
#include "platform/hook.h"
#include "reclaim/reclaim.h"

enum { OBJECTS_MAX = 4096, HELD_MAX = 64, ALIGN = 8 };
#define MAGIC UINT64_C(0x6f626a6563742121)
#define SOUGHT UINT32_MAX

/* What is known of an object, also when it is freed. Times are 0 for what was before the threads. */
struct life {
    const struct object *object;
    uint64_t key;
    uint64_t accepted_at; // its add returned
    uint64_t gone_at;     // somebody knew that it was in no set any more
    bool accepted, rejected, gone, taken, destroyed;
    unsigned holders;
    unsigned destroyed_thread;
    const char *destroyed_by;
};

static struct life lives[OBJECTS_MAX], saved[OBJECTS_MAX];
static uint32_t count, saved_count;
static const struct object *held[SCHED_CONTEXTS][HELD_MAX];
static uint32_t held_numbers[SCHED_CONTEXTS][HELD_MAX];
static unsigned held_count[SCHED_CONTEXTS];
static uint64_t destroyed, referenced;

struct object object_sought(uint64_t key)
{
    return (struct object){.key = key, .magic = MAGIC, .number = SOUGHT};
}

uint64_t object_key(const void *object)
{
    const struct object *o = object;
    if (!arena_may_touch(o)) {
        lfset__hook(LFSET__HOOK_LOAD, o); // which tells
    }
    if (o->magic != MAGIC) {
        sched_fail("a callback is called with what is no object");
    }
    return o->key;
}

uint64_t object_look(const void *object)
{
    lfset__hook(LFSET__HOOK_LOAD, object);
    return object_key(object);
}

static struct life *life_of(const void *object)
{
    const struct object *o = object;
    (void)object_key(o);
    if (o->number >= count || lives[o->number].object != o) {
        sched_fail("the set hands out what is no object");
    }
    return &lives[o->number];
}

int objects_number(const void *address)
{
    for (uint32_t i = count; i-- > 0;) {
        if (lives[i].object == address) {
            return (int)i;
        }
    }
    return -1;
}

void objects_reset(void)
{
    count = saved_count = 0;
    memset(held_count, 0, sizeof held_count);
    destroyed = referenced = 0;
}

void objects_save(void)
{
    for (uint32_t i = 0; i < count; i++) {
        lives[i].accepted_at = lives[i].gone_at = 0;
    }
    saved_count = count;
    memcpy(saved, lives, count * sizeof *lives);
}

void objects_restore(void)
{
    count = saved_count;
    memcpy(lives, saved, count * sizeof *lives);
    memset(held_count, 0, sizeof held_count);
    destroyed = referenced = 0;
}

struct object *objects_make(uint64_t key)
{
    if (count == OBJECTS_MAX) {
        sched_fail("there are too many objects");
    }
    bool inject = sched_may_inject();
    sched_set_inject(false);
    struct object *object = arena_allocator.alloc(NULL, sizeof *object, ALIGN);
    sched_set_inject(inject);
    *object = (struct object){.key = key, .magic = MAGIC, .number = count};
    lives[count++] = (struct life){.object = object, .key = key};
    return object;
}

static void release(const struct object *object)
{
    arena_allocator.free(NULL, (void *)(uintptr_t)object, sizeof *object, ALIGN);
}

void objects_settle(uint32_t number, bool accepted)
{
    struct life *life = &lives[number];
    if (accepted) {
        life->accepted = true;
        life->accepted_at = sched_clock();
        return;
    }
    if (life->destroyed) {
        sched_fail("object %u was not accepted, but destroyed by %s in %s", number,
                   sched_thread_name(life->destroyed_thread), life->destroyed_by);
    }
    (void)object_key(life->object);
    life->rejected = true;
    release(life->object);
}

static void are_gone(bool all, uint64_t key, uint64_t since)
{
    uint64_t now = sched_clock();
    for (uint32_t i = 0; i < count; i++) {
        struct life *life = &lives[i];
        if (life->accepted && life->accepted_at < since && !life->gone &&
            (all || life->key == key)) {
            life->gone = true;
            life->gone_at = now;
        }
    }
}

void objects_are_gone(uint64_t key, uint64_t since)
{
    are_gone(false, key, since);
}

void objects_are_all_gone(uint64_t since)
{
    are_gone(true, 0, since);
}

uint64_t objects_show(const void *object, uint64_t since)
{
    const struct life *life = life_of(object);
    if (life->rejected) {
        sched_fail("object %td is shown, which was not accepted", life - lives);
    }
    if (life->gone && life->gone_at < since) {
        sched_fail("object %td is shown, which was removed before the call", life - lives);
    }
    return life->key;
}

void objects_take(const void *object, uint64_t when)
{
    struct life *life = life_of(object);
    if (life->taken) {
        sched_fail("object %td is handed out by two pops or drains", life - lives);
    }
    life->taken = true;
    if (!life->gone || life->gone_at > when) {
        life->gone = true;
        life->gone_at = when;
    }
}

void objects_hold(const void *object)
{
    unsigned me = sched_current(), at = held_count[me];
    struct life *life = life_of(object);
    if (at == HELD_MAX) {
        sched_fail("a thread holds too many objects");
    }
    life->holders++;
    referenced++;
    held[me][at] = life->object;
    held_numbers[me][at] = (uint32_t)(life - lives);
    held_count[me]++;
}

void objects_let_go(void)
{
    unsigned me = sched_current();
    for (unsigned i = 0; i < held_count[me]; i++) {
        (void)object_look(held[me][i]);
        if (held[me][i]->number != held_numbers[me][i]) {
            sched_fail("object %u, which is held, has become another", held_numbers[me][i]);
        }
    }
    // nobody else runs from here on, until the caller has left its section
    while (held_count[me] > 0) {
        lives[held_numbers[me][--held_count[me]]].holders--;
    }
}

static void check_not_held(const struct life *life)
{
    if (life->holders > 0) {
        sched_fail("object %td is destroyed while a section holds it", life - lives);
    }
}

void objects_destroy(void *ctx, void *object)
{
    (void)ctx;
    // The use of sets in the callback would seldom be seen to spoil the walk.
    if (lfset__local.walks > 0) {
        sched_fail("an object is destroyed within a walk, which relies on hazards");
    }
    (void)object_look(object);
    struct life *life = life_of(object);
    if (life->rejected) {
        sched_fail("object %td is destroyed, which was not accepted", life - lives);
    }
    if (life->destroyed) {
        sched_fail("object %td is destroyed twice; first by %s in %s", life - lives,
                   sched_thread_name(life->destroyed_thread), life->destroyed_by);
    }
    check_not_held(life);
    life->destroyed = true;
    life->destroyed_thread = sched_current();
    life->destroyed_by = sched_doing(sched_current());
    destroyed++;
    sched_note("destroys object %td", life - lives);
    operations_from_destroy();
    (void)object_look(object);
    check_not_held(life);
    release(life->object);
}

uint64_t objects_destroyed(void)
{
    return destroyed;
}

uint64_t objects_referenced(void)
{
    return referenced;
}

// SPDX-License-Identifier: MIT
/*
 * The objects of the explored set of objects, each with a life of its own: made, offered to the set,
 * accepted or not, got by threads in sections, destroyed once. What the set may not do with one fails
 * the run.
 */
#ifndef LFSET_STRESS_EXPLORE_OBJECTS_H
#define LFSET_STRESS_EXPLORE_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Lies in the arena, so that touching a destroyed one is noticed. */
struct object {
    uint64_t key;
    uint64_t magic;
    uint32_t number;
};

/** One to look for another with, on the stack. */
struct object object_sought(uint64_t key);
/** Fails unless it is one that may be read. A thread may be left here. @return its key. */
uint64_t object_look(const void *object);
/** The same, where no thread may be left. */
uint64_t object_key(const void *object);

/** The number of the last one that was there; -1: none was. */
int objects_number(const void *address);

/** Forgets all. */
void objects_reset(void);
/** Remembers what there is now, before time begins, and brings it back later. */
void objects_save(void);
void objects_restore(void);

/** A new one, offered to the set from now on. */
struct object *objects_make(uint64_t key);
/** An add of it, number `number`, has returned: the set owns it, or not, and then it is freed. */
void objects_settle(uint32_t number, bool accepted);

/** What was accepted before `since` is in no set any more: of this key, or at all. */
void objects_are_gone(uint64_t key, uint64_t since);
void objects_are_all_gone(uint64_t since);
/** A call that began at `since` showed this one. @return its key. */
uint64_t objects_show(const void *object, uint64_t since);
/** ... and took it out of the set; a drain did so when it returned, at `when`. */
void objects_take(const void *object, uint64_t when);

/** The current thread holds a reference, till objects_let_go. */
void objects_hold(const void *object);
/** Reads all that the current thread holds once more, and holds it no longer. */
void objects_let_go(void);

/** The set's destroy callback. */
void objects_destroy(void *ctx, void *object);
/** Objects destroyed and references held, since objects_restore. */
uint64_t objects_destroyed(void), objects_referenced(void);

#endif

// SPDX-License-Identifier: MIT
/**
 * @file registry.h
 * The sets that are listed, and what the library notes about each. Below the sets: what a set does with
 * it is in set/observed.h, who looks at it now and then is in watch/.
 *
 * A set with a name or with lfset_options.observe has a struct lfset__about; another has none, and its
 * operations take paths without a trace of all this.
 */
#ifndef LFSET__REGISTRY_H
#define LFSET__REGISTRY_H

#include "lfset/observe.h"
#include "platform/atomic.h"
#include "record/segment.h"

struct lfset__about;

/** What a kind of set does for those who only know its lfset__about. */
struct lfset__about_ops {
    /** Writes the set's stats into its record. The set may be in use. @return 0 or -ENOMEM. */
    int (*refresh)(struct lfset__about *about);
    /** Clears the set. @return how many keys it had, or a negative errno. */
    int64_t (*clear)(struct lfset__about *about);
    /** As lfset_*_probe_lengths. */
    int64_t (*probe_lengths)(struct lfset__about *about, uint64_t *histogram, size_t length);
    /** Whether a sampled key is still there; see record/samples.h. NULL: not known. */
    int (*contains_fingerprint)(struct lfset__about *about, uint64_t fingerprint);
};

/** A key that an observed operation was about, in the form that its kind has. */
struct lfset__noted_key {
    uint64_t number;  /**< u64, bitmap */
    const void *data; /**< bytes */
    size_t length;
};

struct lfset__about {
    char name[64];
    void *set; /**< struct lfset__set; its kind's structure begins with that */
    const struct lfset__about_ops *ops;
    enum lfset_kind kind;
    enum lfset_domain domain;
    uint64_t id, created_ns;
    unsigned stack; /**< where the set was created */
    bool counted;
    bool refuses_keys, may_refuse; /**< LFSET_GUARD_REFUSE: by max_keys; by anything */
    bool special;                  /**< adds may be refused, or are to touch */
    bool alone;                    /**< record and lanes are its own, not the registry's */
    bool listed;
    const struct lfset_allocator *allocator; /**< the set's */
    struct lfset__record *record; /**< never NULL: one of its own where the registry is full */
    struct lfset__lane *lanes;    /**< LFSET__COUNTER_LANES + 1 of them; the same */
    struct lfset_observe observe;
    uint64_t sample_below; /**< a fingerprint below this is sampled; 0: none is */

    /** Guard with LFSET_GUARD_REFUSE and max_keys: keys, and adds under way. [guard.members] */
    _Alignas(64) _Atomic(int64_t) members;
    _Atomic(size_t) retired, retired_bytes; /**< shown in the record */
    /** NULL, or called after each add of a key, whether it was there or not (watch/expiry.c). */
    void (*touch)(struct lfset__about *about, const struct lfset__noted_key *key);
    void *expiry; /**< watch/expiry.c's */
    void *guard;  /**< watch/guard.c's: what it remembers from look to look */

    struct lfset__about *next, *previous; /**< under the registry's lock */
    unsigned pins;
    _Atomic(uint64_t) samples; /**< places that it has, and notes under way (samples.c) */
};

/** The process's registry, or NULL while there is none. [segment] release, acquire: it is made. */
extern _Atomic(struct lfset__segment *) lfset__segment;

/** The same, without a hook: a look that schedules need not stand between. */
LFSET__INLINE struct lfset__segment *lfset__segment_now(void)
{
    return atomic_load_explicit(&lfset__segment, memory_order_acquire);
}

/** segment.c: makes the segment. @return 0 or -ENOMEM. */
int lfset__segment_make(void);
/** Its file; -1: it has none, and is not seen from outside. */
int lfset__segment_fd(void);

/** Makes the registry if there is none yet. @return 0, -ENOTSUP, -ENOMEM. */
int lfset__registry_init(void);

/** Around a fork. */
void lfset__registry_before_fork(void);
void lfset__registry_after_fork_in_parent(void);
void lfset__registry_after_fork_in_child(struct lfset__thread_slot *mine);
void lfset__stacks_after_fork_in_child(void);

/**
 * What is noted about a set; not listed yet.
 * @param name, observe NULL both: *about is NULL, too. `observe` NULL: nothing is counted.
 * @return 0; -EINVAL: `observe` has bad values; -ENOTSUP: `observe`, but no registry; -ENOMEM.
 */
int lfset__about_create(struct lfset__about **about, void *set, enum lfset_kind kind,
                        enum lfset_domain domain, const struct lfset__about_ops *ops,
                        const struct lfset_allocator *allocator, const char *name,
                        const struct lfset_observe *observe);
/* What watch/, which is above the sets, adds to some of them. */
/** expiry.h: before the set is used. @return 0 or -ENOMEM. */
int lfset__expiry_create(struct lfset__about *about);
void lfset__expiry_destroy(struct lfset__about *about);
/** guard.h: frees what it remembers of the set. */
void lfset__guard_destroy(struct lfset__about *about);

/** Before the set is used: what its operations look at. @return whether they must look. */
bool lfset__about_prepare(struct lfset__about *about);
/** Lists the set, which is whole now. */
void lfset__about_list(struct lfset__about *about);
/** Takes the set off the list, and waits until nobody has it pinned. @return 0; -EDEADLK: the caller is
 * who pinned it (a callback of the watcher). */
int lfset__about_close(struct lfset__about *about);
/** Frees it; close came before. */
void lfset__about_free(struct lfset__about *about);

/**
 * Goes through the listed sets: pins the one after `about` (NULL: the first) and unpins that. A set that is
 * pinned is not destroyed meanwhile. Ends with NULL. To stop before the end: lfset__registry_unpin.
 */
struct lfset__about *lfset__registry_next(struct lfset__about *about);
void lfset__registry_unpin(struct lfset__about *about);
/** Pins the set with this id. @return NULL: none. */
struct lfset__about *lfset__registry_find(uint64_t id);

/** CLOCK_MONOTONIC, or its coarse twin (a few ms behind, and cheap), in nanoseconds. */
uint64_t lfset__now_ns(void);
uint64_t lfset__now_coarse_ns(void);

/** Notes the caller's call stack, without the `skip` innermost frames beside its own. @return its index;
 * 0: no room, or no registry. Takes microseconds; no locks. */
unsigned lfset__stack_note(unsigned skip);

/** Writes an event into the registry's ring; fills in number, time and size. */
void lfset__event_note(struct lfset_event *event);

/** Sums of a counted set's lanes. */
struct lfset__lane_sums {
    uint64_t adds, adds_present, removes, removes_absent, hits, misses, refused;
};
struct lfset__lane_sums lfset__lanes_sum(const struct lfset__about *about);
/** A word of a record, which stands for itself. */
static inline void lfset__note_word(_Atomic(uint64_t) *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/** Shows what of the set is retired in its record. */
void lfset__about_show_retired(struct lfset__about *about);

/** Shows a number in the registry. Of several threads that do so at once each looks again until it has shown
 * what the number is: whoever is last then has shown the last. */
static inline void lfset__show(_Atomic(uint64_t) *shown, _Atomic(size_t) *number)
{
    size_t value;
    do {
        value = atomic_load_explicit(number, memory_order_seq_cst);
        atomic_store_explicit(shown, value, memory_order_seq_cst);
    } while (atomic_load_explicit(number, memory_order_seq_cst) != value);
}

/** Keys there now: by the counters if it is counted, else the record's estimate. */
uint64_t lfset__about_live(const struct lfset__about *about);

/** A thread's entry, or NULL: no registry, or no room. Taken at attach or at a later section's entry. */
struct lfset__thread_slot *lfset__thread_slot_take(void);
void lfset__thread_slot_release(struct lfset__thread_slot *slot);
/** A thread's lane: its own, or the shared one. */
unsigned lfset__lane_take(void);

/** Notes memory that is no part of its set any more. @return for lfset__retired_gone; 0: no room, which is
 * counted. */
unsigned lfset__retired_note(struct lfset__about *about, enum lfset_holder holder,
                             const void *address, size_t bytes);
/** @param address what was noted. */
void lfset__retired_gone(unsigned note, const void *address);

#endif

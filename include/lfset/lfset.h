// SPDX-License-Identifier: MIT
/**
 * @file lfset.h
 * What every lfset set shares: domains, allocators, threads, sections, barriers.
 *
 * Conventions of the whole library:
 * - Outcomes are 1 (yes, changed) and 0 (no, unchanged); failures are negative errno values, and a
 *   call that fails has changed nothing. Nothing is printed, nothing aborts.
 * - A comment that names an error and says no more means: -EINVAL: an argument is NULL, or has a
 *   value that it may not have; -ENOMEM: there is not enough memory; -ECANCELED, -ETIMEDOUT: the
 *   cancel token was cancelled, or its deadline passed (cancel.h). Whatever adds keys to a set that was
 *   created with a guard which refuses may also answer -ENOSPC, and creating a set -ENOTSUP when it asks to
 *   be observed where that is off (observe.h).
 * - Every function may be called from any thread at any time unless its comment says otherwise.
 *   None may be called from a signal handler. No per-thread ceremony is needed: a thread is known
 *   from its first call and forgotten when it ends.
 * - Memory order: the operations of all sets are linearizable together, so one total order explains
 *   what every thread saw; what a thread wrote before add(k) is visible to whoever sees k in the
 *   set.
 */
#ifndef LFSET_LFSET_H
#define LFSET_LFSET_H

#include <stddef.h>
#include <stdint.h>

#include "version.h"

#if defined(__GNUC__)
#define LFSET_API __attribute__((visibility("default")))
#else
#define LFSET_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Tells the version of the library that is linked. Never fails.
 * @return a static text, "major.minor.patch".
 */
LFSET_API const char *lfset_version(void);

/**
 * How memory that was taken out of a set waits for its last reader. Chosen per set, at creation.
 *
 * - LFSET_RCU: deferred by liburcu's "bp" flavour. An operation outside a section pays for a
 *   read-side critical section (20 or so instructions); inside one (lfset_section_enter) it pays
 *   one predictable test. A reader that stops inside a section or an operation holds back all
 *   memory retired since, in every RCU set of the process.
 * - LFSET_HP: hazard pointers. An operation publishes one pointer. A reader that stops holds back
 *   at most LFSET_HP_SLOTS slices, whatever the others do: garbage is bounded.
 */
enum lfset_domain { LFSET_RCU = 0, LFSET_HP = 1 };

/** The most slices that one stopped thread can hold back in the hazard-pointer domain. */
#define LFSET_HP_SLOTS 4

/** lfset_allocator.flags: alloc returns memory that is already zero; large sets start faster. */
#define LFSET_ALLOC_ZEROED 1u

/**
 * Where a set's memory comes from. Both functions are called from any thread that uses the set and,
 * for LFSET_RCU, also from liburcu's call_rcu thread; they must be thread-safe and must not call
 * into lfset. `ctx` must stay valid until lfset_*_destroy has returned and every snapshot of the
 * set is destroyed.
 */
struct lfset_allocator {
    void *ctx;
    /** `size` bytes aligned to `align` (a power of two, at most 4096), or NULL. */
    void *(*alloc)(void *ctx, size_t size, size_t align);
    /** Takes back what alloc(ctx, size, align) returned; `size` and `align` are the same. */
    void (*free)(void *ctx, void *ptr, size_t size, size_t align);
    unsigned flags;
};

/**
 * Makes the calling thread known to the library now. By itself that happens at its first operation;
 * this is for those who want the (small) cost, or a possible -ENOMEM, at a known point. (liburcu
 * aborts the process when it has no memory for a reader: in a process that has created an RCU set,
 * this call is where that would happen, and later operations are safe from it.) Calling it again is
 * harmless.
 * @return 0. -ENOMEM.
 */
LFSET_API int lfset_thread_attach(void);

/**
 * Forgets the calling thread: its retired memory becomes everybody's to free. Happens by itself
 * when the thread ends. The thread may use sets again afterwards.
 * @return 0, also if the thread was not attached. -EBUSY: inside a section; nothing changed.
 */
LFSET_API int lfset_thread_detach(void);

/**
 * Opens a section. Until the matching lfset_section_leave, operations of this thread keep their
 * protection from one call to the next instead of setting it up each time. Sections nest. Keep them
 * short: memory retired meanwhile waits for the section's end (RCU: all of it; HP: at most
 * LFSET_HP_SLOTS slices). Do not block inside, and do not call lfset_barrier or a destroy (they
 * return -EDEADLK).
 * @return 0. -ENOMEM: the thread could not be attached; no section is open.
 */
LFSET_API int lfset_section_enter(void);

/**
 * Closes the innermost section of the calling thread.
 * @return 0. -EPERM: none is open in this thread.
 */
LFSET_API int lfset_section_leave(void);

/**
 * Waits until what any thread retired from any set before the call is freed. It is no grace period
 * for data of yours that a set's keys merely stand for: with nothing retired it returns at once,
 * whatever other threads are reading. Blocks while another thread is inside a section or an
 * operation that may still use what was retired.
 * @return 0. -EDEADLK: inside a section of the calling thread (or its own urcu_bp_read_lock).
 * -ENOMEM: the thread could not be attached.
 */
LFSET_API int lfset_barrier(void);

/**
 * Leaves liburcu alone when the process forks. By itself the library prepares a fork with
 * pthread_atfork, so that parent and child can go on using sets, and for liburcu that means the
 * functions urcu_bp_before_fork, urcu_bp_call_rcu_before_fork and so on, which must not be called
 * twice. Call this once, before the first set is created, when the program calls them itself. A
 * fork waits for retiring and scans in progress and for liburcu's call_rcu thread: do not fork
 * inside a section, and not while a reader is stopped inside one.
 */
LFSET_API void lfset_fork_leave_urcu(void);

/** How the hazard-pointer domain orders a reader's publication before the reclaimer's scan. */
enum lfset_hp_mode {
    LFSET_HP_MEMBARRIER = 0, /**< membarrier(2): readers execute no fence */
    LFSET_HP_FENCE = 1, /**< membarrier(2) is missing or forbidden: a full fence per publication */
};

/**
 * Tells how the hazard-pointer domain orders publications. Probed when first asked for: once per
 * process, again in a forked child.
 * @return the mode.
 */
LFSET_API enum lfset_hp_mode lfset_hp_mode(void);

/** What the two domains hold back at this moment: retired by a set, not freed yet. */
struct lfset_garbage {
    size_t objects;
    size_t bytes;
};

/**
 * Reads what a domain holds back at this moment. Cheap; not of one instant.
 * @return 0. -EINVAL: out is NULL, or domain is neither LFSET_RCU nor LFSET_HP.
 */
LFSET_API int lfset_garbage_read(enum lfset_domain domain, struct lfset_garbage *out);

struct lfset_observe; // observe.h

/** How to create a set of any kind. Fill with LFSET_OPTIONS_INIT, then change what you need. */
struct lfset_options {
    size_t size;                             /**< sizeof(struct lfset_options) */
    enum lfset_domain domain;                /**< LFSET_RCU unless set */
    uint64_t capacity;                       /**< keys to have room for at once; 0: start small */
    const struct lfset_allocator *allocator; /**< NULL: malloc, and mmap for large slices; copied */
    uint64_t seed;                       /**< hash seed; 0: random. Fix it for reproducible runs */
    const char *name;                    /**< for people and tools; NULL: none; copied, 63 bytes */
    const struct lfset_observe *observe; /**< NULL: a set with a name is listed, no more; copied */
};

#define LFSET_OPTIONS_INIT                                                                         \
    {                                                                                              \
        sizeof(struct lfset_options), LFSET_RCU, 0, NULL, 0, NULL, NULL                            \
    }

/** What a set is made of. Not one instant while others write. */
struct lfset_stats {
    size_t size; /**< in: sizeof(struct lfset_stats) */
    enum lfset_domain domain;
    uint64_t capacity;   /**< slots of the current slice */
    uint64_t live;       /**< as size_estimate; for a bitmap, regions that have members */
    uint64_t bound;      /**< estimate of slots taken, by present and by removed keys */
    uint64_t bytes;      /**< allocated for the set and its current slices, without keys */
    uint64_t key_bytes;  /**< estimate: copies of present keys, objects, or bitmap regions */
    uint64_t dead_bytes; /**< estimate: the same of removed ones, until the next succession */
    uint64_t slices;     /**< 1 at rest, more during a succession */
    uint64_t grows;      /**< successions to a larger slice */
    uint64_t purges;     /**< successions to a slice of the same size */
    uint64_t shrinks;    /**< successions to a smaller slice */
    uint64_t rehashes;   /**< successions that also changed the hash, because keys clustered */
    uint64_t snapshots;  /**< gated successions by snapshot, size, is_empty, pop */
    uint64_t clears;     /**< gated successions by clear and drain */
    uint64_t retired;    /**< slices retired and not freed yet */
    const char *name;    /**< never NULL; valid as long as the set */
};

/** A byte string: any bytes, also none. */
struct lfset_string {
    const void *data;
    size_t length;
};

/** What two sets are combined to. */
enum lfset_combination {
    LFSET_UNION,               /**< in either */
    LFSET_INTERSECTION,        /**< in both */
    LFSET_DIFFERENCE,          /**< in the first and not in the second */
    LFSET_SYMMETRIC_DIFFERENCE /**< in exactly one */
};

/** How two sets are related: the bits of all that hold. */
enum lfset_relation {
    LFSET_EQUAL = 1,
    LFSET_SUBSET = 2,           /**< all of the first are in the second */
    LFSET_SUPERSET = 4,         /**< all of the second are in the first */
    LFSET_PROPER_SUBSET = 8,    /**< LFSET_SUBSET, and the second has more */
    LFSET_PROPER_SUPERSET = 16, /**< LFSET_SUPERSET, and the first has more */
    LFSET_DISJOINT = 32,        /**< nothing in common */
    LFSET_INTERSECTS = 64       /**< something in common */
};

/**
 * A token that tells long operations to stop (cancel.h). Every function that takes one accepts
 * NULL, and answers -ECANCELED when it was cancelled, -ETIMEDOUT when its deadline passed; what was
 * done by then is said at the function.
 */
struct lfset_cancel;

#ifdef __cplusplus
}
#endif
#endif

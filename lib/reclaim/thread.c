// SPDX-License-Identifier: MIT
/**
 * @file thread.c
 * Threads, sections and fork: what the two domains share.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "platform/probes.h"
#include "reclaim/hp.h"
#include "reclaim/rcu.h"
#include "reclaim/reclaim.h"
#include "record/registry.h"
#include "record/samples.h"
#include "record/sections.h"

__thread struct lfset__thread *lfset__self __attribute__((tls_model("initial-exec")));

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t exit_key;
static int once_error;
static bool urcu_left_alone; // the program calls liburcu's fork functions itself
static pthread_rwlock_t fork_lock = PTHREAD_RWLOCK_INITIALIZER;

void lfset__fork_lock_shared(void)
{
    pthread_rwlock_rdlock(&fork_lock);
}

bool lfset__fork_trylock_shared(void)
{
    return pthread_rwlock_tryrdlock(&fork_lock) == 0;
}

void lfset__fork_unlock(void)
{
    pthread_rwlock_unlock(&fork_lock);
}

/* liburcu first: its call_rcu thread may be waiting for a reader that is about to retire. */
static void before_fork(void)
{
    if (!urcu_left_alone) {
        lfset__rcu_before_fork();
    }
    pthread_rwlock_wrlock(&fork_lock);
    lfset__registry_before_fork();
    lfset__samples_before_fork();
}

static void after_fork_in_parent(void)
{
    lfset__samples_after_fork_in_parent();
    lfset__registry_after_fork_in_parent();
    pthread_rwlock_unlock(&fork_lock);
    if (!urcu_left_alone) {
        lfset__rcu_after_fork_in_parent();
    }
}

static void after_fork_in_child(void)
{
    fork_lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER; // its readers exist no more
    lfset__account_after_fork(&lfset__rcu_account);
    lfset__hp_after_fork_in_child(lfset__self);
    lfset__stacks_after_fork_in_child();
    lfset__registry_after_fork_in_child(lfset__self ? lfset__self->slot : NULL);
    lfset__samples_after_fork_in_child();
    // Last: its new call_rcu thread reclaims at once, and must find everything the child's.
    if (!urcu_left_alone) {
        lfset__rcu_after_fork_in_child();
    }
}

static void detach(struct lfset__thread *self)
{
    lfset__hp_scan(self); // while callbacks still find the thread attached
    self->reader = NULL;
    lfset__probe(thread__detach, self);
    lfset__self = NULL;
    lfset__thread_slot_release(self->slot);
    self->slot = NULL;
    lfset__hp_thread_release(self);
}

int lfset__keep_promise(void)
{
    struct lfset__thread *self = lfset__self;
    if (self->kept_count + self->kept_promised == self->kept_room) {
        unsigned room = self->kept_room ? 2 * self->kept_room : 16;
        struct lfset__kept *kept = realloc(self->kept, room * sizeof *kept);
        if (!kept) {
            return -ENOMEM;
        }
        self->kept = kept;
        self->kept_room = room;
    }
    self->kept_promised++;
    return 0;
}

void lfset__keep_nothing(void)
{
    lfset__self->kept_promised--;
}

void lfset__keep(struct lfset__kept kept)
{
    lfset__self->kept_promised--;
    lfset__self->kept[lfset__self->kept_count++] = kept;
}

/* A drop may end an object, whose user may use sets and sections. */
static void drop_kept(struct lfset__thread *self)
{
    while (self->kept_count > 0) {
        struct lfset__kept kept = self->kept[--self->kept_count];
        kept.drop(kept.owner, kept.what);
    }
    free(self->kept);
    self->kept = NULL;
    self->kept_room = 0;
}

/* Runs among the other destructors of thread-specific data. A later one that uses a set attaches
 * the thread once more, which arms this one again. */
static void at_thread_exit(void *exiting)
{
    struct lfset__thread *self = exiting;
    if (self->rcu_open) {
        self->rcu_open = false;
        lfset__rcu_unlock_at_exit();
    }
    self->sections = 0;
    // The thread may have ended within an operation or a scan (in a callback, by pthread_exit): whoever
    // gets the record next must find neither under way.
    self->kept_promised = 0;
    self->scanning = false;
    lfset__hp_clear(self);
    drop_kept(self);
    lfset__hp_clear(self);
    detach(self);
}

static void init_once(void)
{
    once_error = pthread_key_create(&exit_key, at_thread_exit);
    if (once_error == 0) {
        once_error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    }
    lfset__hp_init();
}

/* Makes the thread a reader of liburcu's, if there is a set that needs it, and notes which one. */
static void know_reader(struct lfset__thread *self)
{
    lfset__rcu_thread_attach();
    lfset__store_rlx(&self->reader, lfset__rcu_reader());
}

struct lfset__thread *lfset__thread_attach(void)
{
    if (lfset__self) {
        know_reader(lfset__self);
        return lfset__self;
    }
    pthread_once(&once, init_once);
    if (once_error) {
        return NULL;
    }
    struct lfset__thread *self = lfset__hp_thread_acquire();
    if (!self) {
        return NULL;
    }
    if (pthread_setspecific(exit_key, self) != 0) {
        lfset__hp_thread_release(self);
        return NULL;
    }
    self->slot = lfset__thread_slot_take();
    self->unlisted = !self->slot && lfset__segment_now();
    know_reader(self);
    lfset__self = self;
    lfset__probe(thread__attach, self);
    return self;
}

int lfset__reclaim_init(enum lfset_domain domain)
{
    pthread_once(&once, init_once);
    if (once_error) {
        return -ENOMEM;
    }
    return domain == LFSET_RCU ? lfset__rcu_init() : 0;
}

void lfset__reclaim_drain(enum lfset_domain domain, const void *owner, _Atomic(int64_t) *pending)
{
    if (domain == LFSET_RCU) {
        lfset__rcu_drain(pending);
    } else {
        lfset__hp_drain(owner, pending);
    }
}

int lfset_thread_attach(void)
{
    lfset__rcu_thread_attach();
    return lfset__thread_attach() ? 0 : -ENOMEM;
}

void lfset_fork_leave_urcu(void)
{
    urcu_left_alone = true;
}

int lfset_thread_detach(void)
{
    struct lfset__thread *self = lfset__self;
    if (!self) {
        return 0;
    }
    if (self->sections > 0 || lfset__in_callback()) {
        return -EBUSY;
    }
    pthread_setspecific(exit_key, NULL);
    detach(self);
    return 0;
}

/* In the registry, that the thread's outermost section opens or closes: the number is odd while one is
 * open. Only this thread writes it. */
static void note_section(struct lfset__thread *self, const void *site)
{
    struct lfset__thread_slot *slot = self->slot;
    if (slot) {
        uint64_t section = atomic_load_explicit(&slot->section, memory_order_relaxed);
        atomic_store_explicit(&slot->section, section + 1, memory_order_relaxed);
        if (site) {
            // [section.site] who sees them sees that the section is a new one
            atomic_store_explicit(&slot->section_site, (uint64_t)(uintptr_t)site,
                                  memory_order_release);
            atomic_store_explicit(&slot->section_stack, 0, memory_order_release);
        }
    }
}

int lfset_section_enter(void)
{
    struct lfset__thread *self = lfset__self ? lfset__self : lfset__thread_attach();
    if (!self) {
        return -ENOMEM;
    }
    // The read-side critical section opens with the first RCU operation.
    if (self->sections++ == 0) {
        if (lfset__unlikely(!self->slot && !self->unlisted && lfset__segment_now())) {
            self->slot = lfset__thread_slot_take();
            self->unlisted = !self->slot;
        }
        note_section(self, __builtin_return_address(0));
        if (lfset__unlikely(lfset__section_is_due(&self->section_countdown)) && self->slot) {
            lfset__section_sampled(self->slot);
        }
        lfset__probe(section__start, self);
    }
    return 0;
}

int lfset_section_leave(void)
{
    struct lfset__thread *self = lfset__self;
    if (!self || self->sections == 0) {
        return -EPERM;
    }
    if (--self->sections > 0) {
        return 0;
    }
    lfset__probe(section__done, self);
    note_section(self, NULL);
    if (self->rcu_open) {
        self->rcu_open = false;
        lfset__rcu_unlock();
    }
    lfset__hp_settle(self);
    if (lfset__unlikely(self->kept != NULL)) {
        drop_kept(self);
    }
    return 0;
}

int lfset_barrier(void)
{
    struct lfset__thread *self = lfset__thread_attach();
    if (!self) {
        return -ENOMEM;
    }
    if (self->sections > 0 || lfset__rcu_is_reading() || lfset__in_callback()) {
        return -EDEADLK;
    }
    lfset__rcu_barrier();
    lfset__hp_barrier();
    return 0;
}

enum lfset_hp_mode lfset_hp_mode(void)
{
    pthread_once(&once, init_once);
    return lfset__hp_fences ? LFSET_HP_FENCE : LFSET_HP_MEMBARRIER;
}

int lfset_garbage_read(enum lfset_domain domain, struct lfset_garbage *out)
{
    if (!out || (domain != LFSET_RCU && domain != LFSET_HP)) {
        return -EINVAL;
    }
    struct lfset__account *account = domain == LFSET_RCU ? &lfset__rcu_account : &lfset__hp_account;
    out->objects = lfset__load_rlx(&account->objects);
    out->bytes = lfset__load_rlx(&account->bytes);
    return 0;
}

// SPDX-License-Identifier: MIT
/**
 * @file probes.h
 * Points at which bpftrace, perf, SystemTap and gdb can look into a running program (USDT, provider
 * `lfset`): a nop in the code, and a note in the file that says where it is and where its arguments are.
 *
 * Needs <sys/sdt.h> when the library is built, and nothing when it runs. Without that header, or with
 * -DLFSET_NO_PROBES, there are none.
 *
 * Every probe has a semaphore, a counter that whoever looks raises meanwhile: arguments that must be
 * worked out are worked out only then (lfset__probe_wanted). All others are values that are in registers
 * or in memory at that point anyway. The table is in man/lfset-probes.7, too; `set` is the address of the set,
 * `name` that of its name (NULL: it has none), `domain` 0 for RCU and 1 for hazard pointers, slots are
 * powers of two:
 *
 *   set__create     set, name, domain, slots   made
 *   set__destroy    set, name                  about to be destroyed
 *   set__clear      set, name, keys            a clear or drain took so many keys
 *   key__add        set, key, result, caller   an add of one key has ended: 1 added, 0 was there, or a
 *                                              negative errno. key: the number, or the key's hash.
 *                                              caller: where the program called the library
 *   key__remove     set, key, result, caller   the same for remove; a pop that found a key is one
 *   keys__add       set, first, count          a bitmap's range: so many were added from `first` on
 *   keys__remove    set, first, count
 *   grow__start     set, successor, old slots, new slots, live, name
 *                                              a larger slice was hung on. live: an estimate of the keys,
 *                                              worked out only for who looks
 *   grow__done      set, successor, old slots, new slots, name
 *                                              it is the set's slice now
 *   purge__start, purge__done                  the same for one of the same size, without dead keys
 *   shrink__start, shrink__done                and for a smaller one
 *   gate__start     set, successor, kind, slots, name
 *                                              a gate was put behind the slice. kind: 1 snapshot, 2 clear
 *   gate__done      set, successor, kind, slots, name
 *                                              the slice behind the gate is the set's slice now
 *   freeze__start   set, slice, kind           this thread begins to freeze the slice whole
 *   freeze__done    set, slice, kind, error    it is frozen; or this thread gave up
 *   slice__retire   set, slice, bytes, domain  no operation that begins now will reach the slice
 *   slice__reclaim  set, slice, bytes, domain  nobody can be in it any more
 *   reclaim__start  domain                     this thread begins to reclaim
 *   reclaim__done   domain, objects, bytes, objects kept, bytes kept
 *                                              what it reclaimed, and what was still in use. RCU: one
 *                                              object each
 *   thread__attach  thread                     the calling thread uses the library for the first time
 *   thread__detach  thread                     it ends, or detached itself
 *   section__start  thread                     the calling thread's outermost section
 *   section__done   thread
 *   stall__start    tid, nanoseconds, objects, bytes, thread's name
 *                                              the watcher found a section that is open for too long;
 *                                              what was retired meanwhile and is not reclaimed
 *   stall__done     tid, nanoseconds, objects, bytes, thread's name
 *                                              that section has ended
 *   wait__start     set, tag, present          a wait for a key begins: to be there (1) or not (0)
 *   wait__done      set, tag, result           0: as wanted; else a negative errno
 *   wait__wake      tag, threads               a change of a key woke so many sleepers
 */
#ifndef LFSET__PROBES_H
#define LFSET__PROBES_H

#if !defined(LFSET_NO_PROBES) && defined(__has_include)
#if __has_include(<sys/sdt.h>)
#define LFSET__PROBES 1
#endif
#endif

/** All of them: X(name). */
#define LFSET__PROBES_ALL(X)                                                                       \
    X(set__create)                                                                                 \
    X(set__destroy)                                                                                \
    X(set__clear)                                                                                  \
    X(key__add)                                                                                    \
    X(key__remove)                                                                                 \
    X(keys__add)                                                                                   \
    X(keys__remove)                                                                                \
    X(grow__start)                                                                                 \
    X(grow__done)                                                                                  \
    X(purge__start)                                                                                \
    X(purge__done)                                                                                 \
    X(shrink__start)                                                                               \
    X(shrink__done)                                                                                \
    X(gate__start)                                                                                 \
    X(gate__done)                                                                                  \
    X(freeze__start)                                                                               \
    X(freeze__done)                                                                                \
    X(slice__retire)                                                                               \
    X(slice__reclaim)                                                                              \
    X(reclaim__start)                                                                              \
    X(reclaim__done)                                                                               \
    X(thread__attach)                                                                              \
    X(thread__detach)                                                                              \
    X(section__start)                                                                              \
    X(section__done)                                                                               \
    X(stall__start)                                                                                \
    X(stall__done)                                                                                 \
    X(wait__start)                                                                                 \
    X(wait__done)                                                                                  \
    X(wait__wake)

#ifdef LFSET__PROBES

#ifdef __clang__
#define STAP_SDT_ARG_CONSTRAINT                                                                    \
    nr // where memory would do, too, clang puts the arguments there first
#pragma clang diagnostic ignored                                                                   \
    "-Wgnu-zero-variadic-macro-arguments" // in sdt.h, wherever it is used
#endif
#define _SDT_HAS_SEMAPHORES 1
#define SDT_USE_VARIADIC 1
#include <sys/sdt.h>

/* What sdt.h calls the semaphore of a probe. In probes.c. */
#define LFSET__PROBE_SEMAPHORE(name)                                                               \
    extern unsigned short lfset_##name##_semaphore __attribute__((visibility("hidden")));
LFSET__PROBES_ALL(LFSET__PROBE_SEMAPHORE)

/** Fires: lfset__probe(key__add, set, key, result, caller). */
#define lfset__probe(name, ...) STAP_PROBEV(lfset, name, __VA_ARGS__)
/** Whether somebody looks. */
#define lfset__probe_wanted(name)                                                                  \
    __builtin_expect(*(volatile unsigned short *)&lfset_##name##_semaphore != 0, 0)

#else

void lfset__probe_nothing(int nothing, ...); // never called: it lets the arguments count as used
#define lfset__probe(name, ...)                                                                    \
    do {                                                                                           \
        if (0) {                                                                                   \
            lfset__probe_nothing(0, __VA_ARGS__);                                                  \
        }                                                                                          \
    } while (0)
#define lfset__probe_wanted(name) 0

#endif

/** Who called the public function that this is inlined in. */
#define lfset__probe_caller() __builtin_return_address(0)

#endif

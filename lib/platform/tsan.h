// SPDX-License-Identifier: MIT
/**
 * @file tsan.h
 * The edges that ThreadSanitizer cannot see by itself: liburcu's grace period is built from plain
 * accesses, assembly and membarrier(2), and ck's stacks from assembly. Used in reclaim/ alone.
 */
#ifndef LFSET__TSAN_H
#define LFSET__TSAN_H

#if defined(__SANITIZE_THREAD__)
#define LFSET__TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LFSET__TSAN 1
#endif
#endif

#ifdef LFSET__TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define lfset__tsan_acquire(p) __tsan_acquire(p)
#define lfset__tsan_release(p) __tsan_release(p)
#else
#define lfset__tsan_acquire(p) ((void)(p))
#define lfset__tsan_release(p) ((void)(p))
#endif

#endif

// SPDX-License-Identifier: MIT
/**
 * @file asan.h
 * Builds whose leaks are looked for: there a checker must find what a set holds by looking at memory.
 */
#ifndef LFSET__ASAN_H
#define LFSET__ASAN_H

/* clang tells of its AddressSanitizer in another way than gcc. Neither tells of a lone LeakSanitizer,
 * and nothing of valgrind: -DLFSET_PLAIN_WORDS is for them. */
#if defined(__SANITIZE_ADDRESS__) || defined(LFSET_PLAIN_WORDS)
#define LFSET__FINDABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LFSET__FINDABLE 1
#endif
#endif

#endif

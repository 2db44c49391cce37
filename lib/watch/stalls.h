// SPDX-License-Identifier: MIT
/**
 * @file stalls.h
 * Readers that stay for too long: who, where, for how long, and what they hold back.
 */
#ifndef LFSET__STALLS_H
#define LFSET__STALLS_H

#include "lfset/observe.h"

/**
 * Looks at all threads that have an entry in the registry: fills in what the watcher writes there, tells
 * LFSET_EVENT_STALL once for each stall and LFSET_EVENT_STALL_END when it is over. One caller at a time.
 */
void lfset__stalls_look(const struct lfset_watch_options *options, uint64_t now_ns);

/** The other threads do not exist in the child. */
void lfset__stalls_after_fork_in_child(void);

#endif

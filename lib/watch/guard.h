// SPDX-License-Identifier: MIT
/**
 * @file guard.h
 * Limits of listed sets, looked at now and then: what lfset_observe asks for, and forecasts.
 */
#ifndef LFSET__GUARD_H
#define LFSET__GUARD_H

#include "record/registry.h"

/**
 * Looks at one set, which is pinned and whose record was just refreshed: tells what began and what ended,
 * refuses or evicts as its strategy says, removes expired keys, forecasts. One caller at a time.
 */
void lfset__guard_look(struct lfset__about *about, const struct lfset_watch_options *options,
                       uint64_t now_ns);

/* lfset__guard_destroy is declared in record/registry.h, for the sets. */

#endif

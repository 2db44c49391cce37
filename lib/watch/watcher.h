// SPDX-License-Identifier: MIT
/**
 * @file watcher.h
 * The thread that looks at all listed sets now and then (lfset/observe.h), and what its parts share.
 */
#ifndef LFSET__WATCHER_H
#define LFSET__WATCHER_H

#include "lfset/observe.h"

/** Tells an event: into the registry's ring, which fills in number, time and size, and to the callback.
 * Within a look only. */
void lfset__watch_tell(const struct lfset_watch_options *options, struct lfset_event *event);

#endif

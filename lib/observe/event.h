// SPDX-License-Identifier: MIT
/**
 * @file event.h
 * What the writers of events and of whole observations share. The names are part of the formats.
 */
#ifndef LFSET__EVENT_H
#define LFSET__EVENT_H

#include <jansson.h>

#include "lfset/observation.h"

/** "stall", "stall_end", "limit" and so on; "unknown" for a kind that is not known here. */
const char *lfset__event_kind_name(enum lfset_event_kind kind);
/** "info", "warning", "error". */
const char *lfset__severity_name(enum lfset_severity severity);

/** An event as a JSON object. @return a new reference, or NULL for lack of memory. */
json_t *lfset__event_json(const struct lfset_event *event);

/** A copy in which every byte that is not part of UTF-8 is U+FFFD. @return NULL: no memory; free() it. */
char *lfset__utf8_copy(const char *text);

#endif

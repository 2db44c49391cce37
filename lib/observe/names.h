// SPDX-License-Identifier: MIT
/**
 * @file names.h
 * What enumerators are called in JSON and text; those of events are in event.h.
 */
#ifndef LFSET__OBSERVE_NAMES_H
#define LFSET__OBSERVE_NAMES_H

#include "lfset/observation.h"

const char *lfset__kind_name(enum lfset_kind kind);
const char *lfset__domain_name(enum lfset_domain domain);
const char *lfset__strategy_name(enum lfset_strategy strategy);
const char *lfset__holder_name(enum lfset_holder holder);

#endif

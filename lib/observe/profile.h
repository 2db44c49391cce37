// SPDX-License-Identifier: MIT
/**
 * @file profile.h
 * A profile as its writers see it.
 */
#ifndef LFSET__PROFILE_H
#define LFSET__PROFILE_H

#include "lfset/profile.h"

/** Units of a profile's times in profile.proto: sums of nanoseconds would not fit into 63 bits when
 *  a hundred thousand keys are a day old. */
#define LFSET__PROFILE_IDLE_UNIT "microseconds"

/** The process whose addresses a profile has: an observation that has nothing but its modules. */
const struct lfset_observation *lfset__profile_process(const struct lfset_profile *profile);
/** Its names. */
struct lfset_symbols *lfset__profile_symbols(const struct lfset_profile *profile);

/** An entry's sum of idle times, in microseconds. */
int64_t lfset__profile_idle_us(const struct lfset_profile_entry *entry);

/** Writes profile.proto. @return 0 or -ENOMEM; `out` tells of errors itself. */
int lfset__profile_pprof(const struct lfset_profile *profile, FILE *out);

#endif

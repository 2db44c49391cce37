// SPDX-License-Identifier: MIT
/**
 * @file expiry.h
 * Keys that leave a set when they have not been added for a while (lfset_observe.expiry_ns).
 */
#ifndef LFSET__EXPIRY_H
#define LFSET__EXPIRY_H

#include <stdint.h>

struct lfset__about;

/** Prepares about->touch and about->expiry, before the set is used. @return 0, -EINVAL: of objects;
 * -ENOMEM. */
int lfset__expiry_create(struct lfset__about *about);
/** Frees that. Nobody uses the set, or looks at it. */
void lfset__expiry_destroy(struct lfset__about *about);

/** Removes the keys that are due. One caller at a time; not within a section. */
void lfset__expiry_look(struct lfset__about *about, uint64_t now_ns);

#endif

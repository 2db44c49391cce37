// SPDX-License-Identifier: MIT
/**
 * @file bytes.h
 * What other files know of the set of byte strings.
 */
#ifndef LFSET__SET_BYTES_H
#define LFSET__SET_BYTES_H

#include "lfset/bytes.h"

/** Options for another set like this one. */
void lfset__bytes_options(const struct lfset_bytes *set, struct lfset_options *options);

#endif

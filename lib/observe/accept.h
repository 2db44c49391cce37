// SPDX-License-Identifier: MIT
/**
 * @file accept.h
 * Which of the two formats of metrics a client wants.
 */
#ifndef LFSET__ACCEPT_H
#define LFSET__ACCEPT_H

#include <stdbool.h>

#include "lfset/observation.h"

/**
 * Goes by the value of a request's Accept header, as RFC 9110 has it: of each format the most specific
 * range that covers it says how much it is wanted. What cannot be read of the header covers nothing.
 * @param accept NULL, or empty: there was none.
 * @return false: the client takes neither.
 */
bool lfset__accept_choose(const char *accept, enum lfset_metrics_format *format);

#endif

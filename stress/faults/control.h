// SPDX-License-Identifier: MIT
/**
 * @file control.h
 * A set that the faults must find wanting: lfset_u64 with a mutex around every operation. Its answers are
 * right, but who stops inside stops everybody.
 */
#ifndef FAULTS_CONTROL_H
#define FAULTS_CONTROL_H

#include "target.h"

extern const struct target control_mutex;

#endif

// SPDX-License-Identifier: MIT
/**
 * @file version.h
 * The one place the version lives: the Makefile, the version script check, lfset.pc and the CMake
 * package all read these three numbers.
 */
#ifndef LFSET_VERSION_H
#define LFSET_VERSION_H

#define LFSET_VERSION_MAJOR 0
#define LFSET_VERSION_MINOR 1
#define LFSET_VERSION_PATCH 0

#endif

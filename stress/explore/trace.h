// SPDX-License-Identifier: MIT
/* Prints the interleaving of the last run, with names for addresses and places in the source. */
#ifndef LFSET_STRESS_EXPLORE_TRACE_H
#define LFSET_STRESS_EXPLORE_TRACE_H

#include <stdio.h>

/** Runs of accesses of one thread longer than `longest` are cut in the middle; 0: never. */
void trace_print(FILE *file, size_t longest);

#endif

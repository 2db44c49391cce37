// SPDX-License-Identifier: MIT
/**
 * @file symbols.h
 * What the writers of profiles want to know of an observation's modules beside names.
 */
#ifndef LFSET__SYMBOLS_H
#define LFSET__SYMBOLS_H

#include "lfset/profile.h"

/** The module that an address is in. @return NULL: none is known. */
const struct lfset_module_seen *lfset__module_find(const struct lfset_observation *observation,
                                                   uint64_t address);

/** The build id of a module's file. @return its length; 0: it is not known. */
unsigned lfset__symbols_build_id(struct lfset_symbols *symbols,
                                 const struct lfset_module_seen *module,
                                 const unsigned char **bits);

/** Where code of a module's file was loaded, and from where in the file. */
struct lfset__code {
    uint64_t begin, end, offset;
};
/** Its pieces of code. @return how many there are, of which `room` are written; 0: not known. */
unsigned lfset__symbols_code(struct lfset_symbols *symbols, const struct lfset_module_seen *module,
                             struct lfset__code *code, unsigned room);

/** How many of a stack's innermost frames are within lfset itself. */
unsigned lfset__symbols_inside(struct lfset_symbols *symbols, const uint64_t *frames,
                               unsigned depth);

#endif

// SPDX-License-Identifier: MIT
/**
 * @file obj.h
 * What other files know of the set of objects.
 */
#ifndef LFSET__SET_OBJ_H
#define LFSET__SET_OBJ_H

#include "lfset/obj.h"

/** Options for another set like this one. */
void lfset__obj_options(const struct lfset_obj *set, struct lfset_options *options);
const struct lfset_obj_type *lfset__obj_type(const struct lfset_obj *set);
const struct lfset_obj_type *lfset__obj_snapshot_type(const struct lfset_obj_snapshot *snapshot);

/**
 * Adds an object of a snapshot, which from then on both own: it is destroyed when both have let go of it.
 * The two sets must be of the same type.
 * @return 1, 0: an equal one was there; -EINVAL: the snapshot has no such object; -ENOMEM.
 */
int lfset__obj_add_shared(struct lfset_obj *set, const struct lfset_obj_snapshot *from,
                          void *object);

#endif

// SPDX-License-Identifier: MIT
/**
 * @file obj_algebra.c
 * Objects: what is combined is shared, not copied. The sets must agree on what an object is, and how it
 * is destroyed.
 */
#include "lfset/obj.h"

#include "algebra/view.h"
#include "set/obj.h"

static bool same_type(const struct lfset_obj_type *a, const struct lfset_obj_type *b)
{
    return a->ctx == b->ctx && a->hash == b->hash && a->equal == b->equal &&
           a->destroy == b->destroy && a->compare == b->compare && a->print == b->print &&
           a->object_bytes == b->object_bytes;
}

static const struct lfset_obj_type *type_of(const struct lfset__operand *operand)
{
    return operand->snapshot ? lfset__obj_snapshot_type(operand->snapshot)
                             : lfset__obj_type(operand->set);
}

static bool compatible(const struct lfset__operand *a, const struct lfset__operand *b)
{
    return same_type(type_of(a), type_of(b));
}

static int create(void **set, const struct lfset_options *options, const void *snapshot)
{
    struct lfset_obj *made;
    int error = lfset_obj_create(&made, lfset__obj_snapshot_type(snapshot), options);
    *set = made;
    return error;
}

static int64_t add_members(void *set, const void *snapshot, const struct lfset__member *members,
                           size_t count)
{
    int64_t added = 0;
    for (size_t i = 0; i < count; i++) {
        int result = lfset__obj_add_shared(set, snapshot, (void *)(uintptr_t)members[i].data);
        if (result < 0) {
            return result;
        }
        added += result;
    }
    return added;
}

static int print_object(const struct lfset__member *member, const void *snapshot, FILE *file)
{
    const struct lfset_obj_type *type = lfset__obj_snapshot_type(snapshot);
    return type->print ? type->print(type->ctx, member->data, file)
                       : fprintf(file, "%p", member->data);
}

#define KIND obj
#define HAS_IDENTITY
#define PARAMETERS void *object
#define ARGUMENTS object
#define MEMBER                                                                                     \
    {                                                                                              \
        .data = object                                                                             \
    }
#define KEY_OF(member) (member)->data
#define NATIVE const void *
#define NATIVE_OF(member) (member)->data
#define PRINT(member, snapshot, file) print_object(member, snapshot, file)
#include "algebra/adapter.h"

// SPDX-License-Identifier: MIT
// What a user writes with the macros of the headers: must be legal C11 and C++17.
#include <lfset/lfset.h>
#include <lfset/u64.h>
#include <lfset/version.h>

int use_u64(void);

int use_u64(void)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = LFSET_HP;
    options.name = "use";

    struct lfset_u64 *set;
    int error = lfset_u64_create(&set, &options);
    if (error)
        return error;
    int added = lfset_u64_add(set, UINT64_MAX);
    error = lfset_u64_destroy(set);
    return error ? error : added;
}

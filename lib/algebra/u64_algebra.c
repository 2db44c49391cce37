// SPDX-License-Identifier: MIT
#include <inttypes.h>

#include "lfset/u64.h"

#define KIND u64
#define PARAMETERS uint64_t key
#define ARGUMENTS key
#define MEMBER                                                                                     \
    {                                                                                              \
        .number = key                                                                              \
    }
#define KEY_OF(member) (member)->number
#define NATIVE uint64_t
#define NATIVE_OF(member) (member)->number
#define PRINT(member, snapshot, file) fprintf(file, "%" PRIu64, (member)->number)
#define PAYLOAD lfset__numbers_payload
#include "algebra/adapter.h"

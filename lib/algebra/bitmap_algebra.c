// SPDX-License-Identifier: MIT
#include <inttypes.h>

#include "lfset/bitmap.h"

#define KIND bitmap
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
#define PAYLOAD lfset__bitmap_payload
#include "algebra/adapter.h"

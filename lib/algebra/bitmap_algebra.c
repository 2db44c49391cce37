// SPDX-License-Identifier: MIT
#include <inttypes.h>

#include "lfset/bitmap.h"

#include "set/bitmap.h"

static int64_t pass_words(void *set, void *from, void *other, bool wanted, bool removing,
                          const struct lfset_cancel *cancel)
{
    return lfset__bitmap_pass(set, from, other, wanted, removing, cancel);
}

static int overlap_words(void *a, void *b, bool *common, bool *missing,
                         const struct lfset_cancel *cancel)
{
    return lfset__bitmap_overlap(a, b, common, missing, cancel);
}

#define HAS_WORDS
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

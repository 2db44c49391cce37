// SPDX-License-Identifier: MIT
#include "lfset/bytes.h"

#define KIND bytes
#define PARAMETERS const void *key, size_t length
#define ARGUMENTS key, length
#define MEMBER                                                                                     \
    {                                                                                              \
        .data = key, .number = length                                                              \
    }
#define KEY_OF(member) (member)->data, (size_t)(member)->number
#define NATIVE struct lfset_string
#define NATIVE_OF(member)                                                                          \
    (struct lfset_string)                                                                          \
    {                                                                                              \
        (member)->data, (size_t)(member)->number                                                   \
    }
#define PRINT(member, snapshot, file)                                                              \
    lfset__print_literal((member)->data, (size_t)(member)->number, file)
#define PAYLOAD lfset__strings_payload
#include "algebra/adapter.h"

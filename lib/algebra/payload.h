// SPDX-License-Identifier: MIT
/**
 * @file payload.h
 * The keys of a set as bytes of a file (lfset-file(5)), and back. A set has one encoding only: keys are
 * in ascending order, and no number is written longer than it must be.
 */
#ifndef LFSET__PAYLOAD_H
#define LFSET__PAYLOAD_H

#include "algebra/view.h"

/** Takes bytes; answers 0 or a negative errno. */
struct lfset__encoder {
    int (*write)(struct lfset__encoder *encoder, const void *bytes, size_t size);
    uint64_t next;  /**< numbers: the least that may follow; bitmaps: the least word that may */
    uint64_t index; /**< bitmaps: the word that is being filled, */
    uint64_t word;  /**< and its bits; 0: none is */
};

struct lfset__decoder {
    const unsigned char *at;
    const unsigned char *end;
    uint64_t next;
    uint64_t index;
    uint64_t word;
    bool full; /**< numbers: the greatest number was read, and nothing can follow */
    struct lfset__member before; /**< strings: the last one; no data: there was none */
};

struct lfset__payload {
    uint32_t code; /**< of the kind, in the file */
    int (*encode)(struct lfset__encoder *encoder, const struct lfset__member *member);
    int (*encode_end)(struct lfset__encoder *encoder);
    /** @return 1 with a member; 0: that was the last; -EBADMSG. Strings point into the payload. */
    int (*decode)(struct lfset__decoder *decoder, struct lfset__member *member);
};

extern const struct lfset__payload lfset__numbers_payload, lfset__strings_payload,
    lfset__bitmap_payload;

/** 64 bits, least significant byte first, whatever the machine. */
static inline void lfset__put_u64(unsigned char *bytes, uint64_t value)
{
    for (int i = 0; i < 8; i++) {
        bytes[i] = (unsigned char)(value >> 8 * i);
    }
}

static inline uint64_t lfset__get_u64(const unsigned char *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        value |= (uint64_t)bytes[i] << 8 * i;
    }
    return value;
}

#endif

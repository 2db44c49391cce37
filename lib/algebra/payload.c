// SPDX-License-Identifier: MIT
#include "algebra/payload.h"

#include <errno.h>
#include <string.h>

enum { VARINT_MAX = 10 };

/* Seven bits to a byte, the least significant first; all but the last byte have the high bit set. */
static int put_varint(struct lfset__encoder *encoder, uint64_t value)
{
    unsigned char bytes[VARINT_MAX];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) {
        bytes[size++] = (unsigned char)(value | 0x80);
    }
    bytes[size++] = (unsigned char)value;
    return encoder->write(encoder, bytes, size);
}

/* @return false for one that is cut off, longer than it must be, or more than 64 bits. */
static bool get_varint(struct lfset__decoder *decoder, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; decoder->at < decoder->end && shift < 64; shift += 7) {
        unsigned char byte = *decoder->at++;
        uint64_t bits = byte & 0x7f;
        if (bits << shift >> shift != bits) {
            return false;
        }
        *value |= bits << shift;
        if (byte < 0x80) {
            return byte != 0 || shift == 0;
        }
    }
    return false;
}

static int no_end(struct lfset__encoder *encoder)
{
    (void)encoder;
    return 0;
}

/* ---- numbers: how far each is from the least that may follow its predecessor -------------------- */

static int encode_number(struct lfset__encoder *encoder, const struct lfset__member *member)
{
    uint64_t gap = member->number - encoder->next;
    encoder->next = member->number + 1;
    return put_varint(encoder, gap);
}

static int decode_number(struct lfset__decoder *decoder, struct lfset__member *member)
{
    uint64_t gap;
    if (decoder->at == decoder->end) {
        return 0;
    }
    if (decoder->full || !get_varint(decoder, &gap) || gap > UINT64_MAX - decoder->next) {
        return -EBADMSG;
    }
    *member = (struct lfset__member){.number = decoder->next + gap};
    decoder->full = member->number == UINT64_MAX;
    decoder->next = member->number + 1;
    return 1;
}

const struct lfset__payload lfset__numbers_payload = {
    .code = 1, .encode = encode_number, .encode_end = no_end, .decode = decode_number};

/* ---- strings: the length, then the bytes -------------------------------------------------------- */

static int encode_string(struct lfset__encoder *encoder, const struct lfset__member *member)
{
    int error = put_varint(encoder, member->number);
    return error || member->number == 0
               ? error
               : encoder->write(encoder, member->data, (size_t)member->number);
}

static bool is_ascending(const struct lfset__member *a, const struct lfset__member *b)
{
    uint64_t common = a->number < b->number ? a->number : b->number;
    int order = memcmp(a->data, b->data, (size_t)common);
    return order < 0 || (order == 0 && a->number < b->number);
}

static int decode_string(struct lfset__decoder *decoder, struct lfset__member *member)
{
    uint64_t length;
    if (decoder->at == decoder->end) {
        return 0;
    }
    if (!get_varint(decoder, &length) || length > (uint64_t)(decoder->end - decoder->at) ||
        length > UINT32_MAX) {
        return -EBADMSG;
    }
    *member = (struct lfset__member){.data = decoder->at, .number = length};
    if (decoder->before.data && !is_ascending(&decoder->before, member)) {
        return -EBADMSG;
    }
    decoder->before = *member;
    decoder->at += length;
    return 1;
}

const struct lfset__payload lfset__strings_payload = {
    .code = 2, .encode = encode_string, .encode_end = no_end, .decode = decode_string};

/* ---- bitmaps: words that are not 0, each behind the number of words that are left out ----------- */

static int put_word(struct lfset__encoder *encoder)
{
    unsigned char bytes[8];
    if (encoder->word == 0) {
        return 0;
    }
    lfset__put_u64(bytes, encoder->word);
    int error = put_varint(encoder, encoder->index - encoder->next);
    encoder->next = encoder->index + 1;
    encoder->word = 0;
    return error ? error : encoder->write(encoder, bytes, sizeof bytes);
}

static int encode_bit(struct lfset__encoder *encoder, const struct lfset__member *member)
{
    uint64_t index = member->number / 64;
    int error = index == encoder->index ? 0 : put_word(encoder);
    encoder->index = index;
    encoder->word |= UINT64_C(1) << member->number % 64;
    return error;
}

static bool get_word(struct lfset__decoder *decoder)
{
    const uint64_t words = UINT64_C(1) << 58;
    uint64_t gap;
    if (!get_varint(decoder, &gap) || gap >= words || decoder->next + gap >= words ||
        decoder->end - decoder->at < 8) {
        return false;
    }
    decoder->index = decoder->next + gap;
    decoder->next = decoder->index + 1;
    decoder->word = lfset__get_u64(decoder->at);
    decoder->at += 8;
    return decoder->word != 0;
}

static int decode_bit(struct lfset__decoder *decoder, struct lfset__member *member)
{
    if (decoder->word == 0) {
        if (decoder->at == decoder->end) {
            return 0;
        }
        if (!get_word(decoder)) {
            return -EBADMSG;
        }
    }
    unsigned bit = (unsigned)__builtin_ctzll(decoder->word);
    decoder->word &= decoder->word - 1;
    *member = (struct lfset__member){.number = decoder->index * 64 + bit};
    return 1;
}

const struct lfset__payload lfset__bitmap_payload = {
    .code = 3, .encode = encode_bit, .encode_end = put_word, .decode = decode_bit};

// SPDX-License-Identifier: MIT
#include "lfset/u64.h"

#define KIND u64
#include "kind_number.h"

#include "set/slice.h"

static uint64_t inverse; /* of the multiplier that the input's sets begin with */

/* The first multiplier depends on the seed alone. */
static void begin(uint64_t seed, bool collide)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    void *set;
    (void)collide;
    options.seed = seed;
    options.domain = LFSET_HP;
    options.allocator = memory_hook();
    if (create(&set, &options) != 0)
        fail("u64: no set");
    const struct lfset__slice *slice = atomic_load(&((struct lfset__set *)set)->root);
    inverse = slice->inverse;
    if (destroy(set) != 0)
        fail("u64: the set is not destroyed");
}

/* Keys that share a home slot in small slices, small numbers, and the greatest. */
static uint64_t key_of(uint8_t which)
{
    if (which < 96)
        return (((uint64_t)which / 24 << 61) + which % 24) * inverse;
    return which < 240 ? (uint64_t)which - 96 : UINT64_MAX - (255 - (uint64_t)which);
}

static int64_t probe_lengths(const void *set, uint64_t *histogram, size_t length)
{
    return lfset_u64_probe_lengths(set, histogram, length);
}

const struct kind kind_u64 = {KIND_COMMON, KIND_KEYED, .probe_lengths = probe_lengths, .save = save,
                              .load = load};

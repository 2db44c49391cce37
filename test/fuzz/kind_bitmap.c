// SPDX-License-Identifier: MIT
#include "lfset/bitmap.h"

#define KIND bitmap
#include "kind_number.h"

enum { REGION = 4032 }; /* members of a region (lfset/bitmap.h) */

static void begin(uint64_t seed, bool collide)
{
    (void)seed;
    (void)collide;
}

/* Around the ends of words and regions, in regions far apart, and the greatest. */
static uint64_t key_of(uint8_t which)
{
    const uint64_t region = which / 16 % 8;
    if (which < 128)
        return region * REGION + 63 * (region + 1) - 8 + which % 16;
    if (which < 192)
        return (region + 1) * REGION - 8 + which % 16;
    return which < 240 ? ((uint64_t)which << 40) * REGION : UINT64_MAX - (255 - (uint64_t)which);
}

static int purge(void *set)
{
    return lfset_bitmap_purge(set);
}

static int64_t change_range(void *set, bool remove, uint64_t from, uint64_t last,
                            const struct lfset_cancel *cancel)
{
    return remove ? lfset_bitmap_remove_range(set, from, last, cancel)
                  : lfset_bitmap_add_range(set, from, last, cancel);
}

static int64_t count_range(void *set, void *snapshot, uint64_t from, uint64_t last)
{
    return snapshot ? lfset_bitmap_snapshot_count_range(snapshot, from, last)
                    : lfset_bitmap_count_range(set, from, last, NULL);
}

static int64_t rank(void *set, void *snapshot, uint64_t key)
{
    return snapshot ? lfset_bitmap_snapshot_rank(snapshot, key) : lfset_bitmap_rank(set, key);
}

static int seek(void *set, void *snapshot, enum kind_seek what, uint64_t from, uint64_t *found)
{
    switch (what) {
    case KIND_NEXT_SET:
        return snapshot ? lfset_bitmap_snapshot_next_set(snapshot, from, found)
                        : lfset_bitmap_next_set(set, from, found);
    case KIND_NEXT_CLEAR:
        return snapshot ? lfset_bitmap_snapshot_next_clear(snapshot, from, found)
                        : lfset_bitmap_next_clear(set, from, found);
    case KIND_MIN:
        return snapshot ? lfset_bitmap_snapshot_min(snapshot, found) : lfset_bitmap_min(set, found);
    case KIND_MAX:
        return snapshot ? lfset_bitmap_snapshot_max(snapshot, found) : lfset_bitmap_max(set, found);
    }
    return -EINVAL;
}

const struct kind kind_bitmap = {KIND_COMMON,
                                 KIND_KEYED,
                                 .purge = purge,
                                 .save = save,
                                 .load = load,
                                 .change_range = change_range,
                                 .count_range = count_range,
                                 .rank = rank,
                                 .seek = seek};

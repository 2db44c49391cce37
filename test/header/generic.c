// SPDX-License-Identifier: MIT
// generic.h as a user writes it, legal C11 and C++17, and doing the same in both: exits with 0, or with
// the number of the first thing that is wrong.
#include <lfset/generic.h>
#include <stdio.h>

static int sum_up(uint64_t key, void *ctx)
{
    *(uint64_t *)ctx += key;
    return 0;
}

static int is_short(const void *key, size_t length, void *ctx)
{
    (void)key;
    (void)ctx;
    return length < 2;
}

static int numbers(struct lfset_u64 *set, struct lfset_bitmap *bitmap)
{
    struct lfset_u64 *both;
    struct lfset_u64_snapshot *snapshot;
    uint64_t sum = 0;
    if (lfset_add(set, 1) != 1 || lfset_add(set, 2) != 1 || lfset_contains(set, 2) != 1)
        return 11;
    if (lfset_add(bitmap, 1) != 1 || lfset_remove(bitmap, 1) != 1 || lfset_size(bitmap) != 0)
        return 12;
    if (lfset_snapshot(set, &snapshot) != 0 || lfset_count(snapshot) != 2)
        return 13;
    if (lfset_each(snapshot, sum_up, &sum) != 0 || lfset_each(set, sum_up, &sum, NULL) != 0 ||
        sum != 6)
        return 14;
    if (lfset_combine(set, LFSET_SYMMETRIC_DIFFERENCE, snapshot, &both) != 0)
        return 15;
    if (lfset_is_empty(both) != 1 || lfset_apply(both, LFSET_UNION, set) != 2)
        return 16;
    if (lfset_compare(both, snapshot) !=
        (LFSET_EQUAL | LFSET_SUBSET | LFSET_SUPERSET | LFSET_INTERSECTS))
        return 17;
    lfset_destroy(snapshot);
    return lfset_clear(both) == 2 && lfset_destroy(both) == 0 ? 0 : 18;
}

static int strings(struct lfset_bytes *set)
{
    struct lfset_bytes *copy;
    struct lfset_bytes_snapshot *drained;
    char buffer[8];
    size_t length;
    if (lfset_add(set, "a", 1) != 1 || lfset_add(set, "bc", 2) != 1)
        return 21;
    if (lfset_clone(set, &copy) != 0 || lfset_contains(copy, "bc", 2) != 1)
        return 22;
    if (lfset_remove_if(set, is_short, NULL) != 1 || lfset_print(set, stdout) != 0)
        return 23;
    if (lfset_pop(set, buffer, sizeof buffer, &length) != 1 || length != 2)
        return 24;
    if (lfset_drain(copy, &drained) != 0 || lfset_contains(drained, "a", 1) != 1)
        return 25;
    lfset_destroy(drained);
    return lfset_destroy(copy) == 0 ? 0 : 26;
}

int main(void)
{
    struct lfset_u64 *set;
    struct lfset_bitmap *bitmap;
    struct lfset_bytes *bytes;
    if (lfset_create(&set, NULL) != 0 || lfset_create(&bitmap, NULL) != 0 ||
        lfset_create(&bytes, NULL) != 0)
        return 1;
    int wrong = numbers(set, bitmap);
    if (wrong == 0)
        wrong = strings(bytes);
    if (lfset_destroy(set) != 0 || lfset_destroy(bitmap) != 0 || lfset_destroy(bytes) != 0)
        return 2;
    return wrong;
}

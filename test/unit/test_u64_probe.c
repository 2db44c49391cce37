// SPDX-License-Identifier: MIT
/*
 * How far from home keys lie: structured keys must not do worse than random ones, and keys chosen against
 * the hash must make the set change it. A hash is one multiplication by an odd number drawn from the
 * seed, so for each pattern some seeds are bad; the tests look at many.
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "set/u64_codec.h"

/* ---- patterns ---- */

static uint64_t scattered(uint64_t i)
{
    i = (i ^ (i >> 31)) * UINT64_C(0x7fb5d329728ea185);
    i = (i ^ (i >> 27)) * UINT64_C(0x81dadef4bc2dd44d);
    return i ^ (i >> 33);
}

static uint64_t descending(uint64_t i)
{
    return ~i;
}

static uint64_t squares(uint64_t i)
{
    return i * i;
}

static uint64_t gray(uint64_t i)
{
    return i ^ (i >> 1);
}

static uint64_t pointers(uint64_t i)
{
    return UINT64_C(0x7f12c4000010) + i * 48;
}

static uint64_t bits_of_double(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64_t whole_doubles(uint64_t i)
{
    return bits_of_double((double)i);
}

static uint64_t tenths(uint64_t i)
{
    return bits_of_double((double)i * 0.1);
}

static uint64_t whole_floats(uint64_t i)
{
    const float value = (float)i;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64_t decimal_digits(uint64_t i)
{
    char text[24];
    uint64_t key;
    snprintf(text, sizeof text, "%08" PRIu64, i);
    memcpy(&key, text, sizeof key);
    return key;
}

static uint64_t reversed_bits(uint64_t i)
{
    uint64_t key = 0;
    for (unsigned bit = 0; bit < 64; bit++)
        key |= (i >> bit & 1) << (63 - bit);
    return key;
}

static uint64_t grid(uint64_t i)
{
    return (i % 256) << 32 | i / 256;
}

static uint64_t blocks(uint64_t i)
{
    return i / 1000 * UINT64_C(0x123456789abc) + i % 1000;
}

static const struct pattern {
    const char *name;
    uint64_t stride; /* key i is i * stride */
    uint64_t (*key)(uint64_t i);
} patterns[] = {
    {"sequential", 1, NULL},
    {"stride 2", 2, NULL},
    {"stride 3", 3, NULL},
    {"stride 64", 64, NULL},
    {"stride 4096", 4096, NULL},
    {"stride 10^6", 1000000, NULL},
    {"stride 2^32", UINT64_C(1) << 32, NULL},
    {"stride 2^32 + 1", (UINT64_C(1) << 32) + 1, NULL},
    {"stride 2^32 - 5", (UINT64_C(1) << 32) - 5, NULL},
    {"high 20 bits", UINT64_C(1) << 44, NULL},
    {"multiples of a large odd number", UINT64_C(0x9e3779b97f4a7c15), NULL},
    {"multiples of its inverse", UINT64_C(0xf1de83e19937733d), NULL},
    {"multiples of another", UINT64_C(0xfedcba9876543211), NULL},
    {"descending", 0, descending},
    {"squares", 0, squares},
    {"Gray code", 0, gray},
    {"pointers", 0, pointers},
    {"whole doubles", 0, whole_doubles},
    {"tenths", 0, tenths},
    {"whole floats", 0, whole_floats},
    {"decimal digits", 0, decimal_digits},
    {"reversed bits", 0, reversed_bits},
    {"grid", 0, grid},
    {"blocks", 0, blocks},
};

enum { PATTERNS = sizeof patterns / sizeof *patterns };

static const struct pattern random_pattern = {"random", 0, scattered};

static uint64_t pattern_key(const struct pattern *pattern, uint64_t i)
{
    return pattern->key != NULL ? pattern->key(i) : i * pattern->stride;
}

/* ---- measuring ---- */

enum {
    LONGEST = 1024,
    MOST_SEEDS = 200,
    FAR = 64, /* LFSET__FAR of walk.h: farther keys count as clustered */
};

struct lengths {
    double mean;
    uint64_t max;
    uint64_t capacity;
    uint64_t rehashes;
};

static struct lengths lengths_of(const struct lfset_u64 *set)
{
    static uint64_t histogram[LONGEST];
    const int64_t bound = lfset_u64_probe_lengths(set, histogram, LONGEST);
    const struct lfset_stats stats = set_stats(set);
    struct lengths lengths = {0, 0, stats.capacity, stats.rehashes};
    uint64_t counted = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < LONGEST; i++) {
        counted += histogram[i];
        sum += i * histogram[i];
        if (histogram[i] > 0)
            lengths.max = i;
    }
    CHECK_EQ(counted, bound);
    lengths.mean = bound == 0 ? 0 : (double)sum / (double)bound;
    return lengths;
}

static struct lengths measure(enum lfset_domain domain, const struct pattern *pattern,
                              uint64_t count, uint64_t seed)
{
    struct lfset_u64 *set = set_new(domain, 0, seed, NULL);
    for (uint64_t i = 0; i < count; i++)
        CHECK(lfset_u64_add(set, pattern_key(pattern, i)) == 1, "%s: add of key %" PRIu64,
              pattern->name, i);
    const struct lengths lengths = lengths_of(set);
    set_end(set, NULL);
    return lengths;
}

struct summary {
    double median;     /* over the seeds, of the mean length */
    double worst_mean; /* of one seed */
    uint64_t worst_max;
    uint64_t worst_capacity;
    uint64_t rehashes;
    size_t bad; /* seeds with a mean of several times the random keys' */
};

static int compare_doubles(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static struct summary summarize(enum lfset_domain domain, const struct pattern *pattern,
                                uint64_t count, size_t seeds, double bad_mean)
{
    struct summary summary = {0};
    double means[MOST_SEEDS];
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        const struct lengths one = measure(domain, pattern, count, seed);
        means[seed - 1] = one.mean;
        summary.bad += one.mean > bad_mean;
        summary.rehashes += one.rehashes;
        if (one.mean > summary.worst_mean)
            summary.worst_mean = one.mean;
        if (one.max > summary.worst_max)
            summary.worst_max = one.max;
        if (one.capacity > summary.worst_capacity)
            summary.worst_capacity = one.capacity;
    }
    qsort(means, seeds, sizeof *means, compare_doubles);
    summary.median = means[seeds / 2];
    return summary;
}

/*
 * What holds for any pattern: with most seeds it does as well as random keys or better, with few it does
 * much worse, and with none so badly that a key lies farther from home on average than the set
 * tolerates for one key (FAR).
 */
static void structured_keys(enum lfset_domain domain, uint64_t count, size_t seeds)
{
    const struct summary random = summarize(domain, &random_pattern, count, seeds, 1e9);
    cr_log_info("%" PRIu64 " random keys: mean %.2f (worst seed %.2f), max %" PRIu64
                ", capacity %" PRIu64,
                count, random.median, random.worst_mean, random.worst_max, random.worst_capacity);
    for (size_t i = 0; i < PATTERNS; i++) {
        const char *name = patterns[i].name;
        const struct summary it =
            summarize(domain, &patterns[i], count, seeds, 4 * random.worst_mean);
        cr_log_info("%-32s mean %5.2f, worst seed %5.2f, max %4" PRIu64 ", capacity %6" PRIu64
                    ", bad seeds %zu of %zu, %" PRIu64 " rehashes",
                    name, it.median, it.worst_mean, it.worst_max, it.worst_capacity, it.bad, seeds,
                    it.rehashes);
        CHECK(it.median <= 2 * random.median + 0.5, "%s: a mean of %.2f, random keys have %.2f",
              name, it.median, random.median);
        CHECK(it.bad <= seeds / 10 + 2, "%s: %zu of %zu seeds are bad", name, it.bad, seeds);
        CHECK(it.worst_mean <= FAR, "%s: a seed with a mean of %.2f", name, it.worst_mean);
        CHECK(it.worst_capacity <= 4 * random.worst_capacity, "%s: a capacity of %" PRIu64, name,
              it.worst_capacity);
    }
}

/* The hash knows nothing of the domain, and with RCU each set takes some 10 ms to destroy. */
static size_t seeds_for(enum lfset_domain domain, size_t seeds)
{
    const size_t count = domain == LFSET_RCU ? 8 : scaled(seeds);
    return count < 8 ? 8 : count; /* fewer say nothing */
}

TEST_BOTH(u64_probe, structured_keys_in_small_sets)
{
    structured_keys(domain, 100, seeds_for(domain, MOST_SEEDS));
    structured_keys(domain, 700, seeds_for(domain, MOST_SEEDS / 2));
}

TEST_BOTH(u64_probe, structured_keys_in_larger_sets)
{
    structured_keys(domain, 13000, seeds_for(domain, 24));
}

TEST(u64_probe, structured_keys_in_large_sets_hp)
{
    structured_keys(LFSET_HP, scaled(150000), 8);
}

TEST_BOTH(u64_probe, the_last_entry_counts_all_beyond)
{
    struct lfset_u64 *set = set_new(domain, 0, 1, NULL);
    uint64_t whole[LONGEST];
    uint64_t part[4];
    CHECK_EQ(lfset_u64_probe_lengths(set, part, 4), 0);
    for (uint64_t i = 0; i < 5000; i++)
        CHECK_EQ(lfset_u64_add(set, scattered(i)), 1);
    for (uint64_t i = 0; i < 50; i++)
        CHECK_EQ(lfset_u64_remove(set, scattered(i)), 1);
    const int64_t bound = lfset_u64_probe_lengths(set, whole, LONGEST);
    CHECK(bound >= 4950 && bound <= 5000, "%" PRId64 " slots are bound", bound);
    uint64_t behind = 0;
    for (size_t i = 0; i < LONGEST; i++)
        behind += i >= 3 ? whole[i] : 0;
    CHECK(behind > 0, "no key is far from home");
    CHECK_EQ(lfset_u64_probe_lengths(set, part, 4), bound);
    for (size_t i = 0; i < 3; i++)
        CHECK_EQ(part[i], whole[i]);
    CHECK_EQ(part[3], behind);
    CHECK_EQ(lfset_u64_probe_lengths(set, part, 1), bound);
    CHECK_EQ(part[0], bound);
    set_end(set, NULL);
}

/* ---- keys chosen against the hash ---- */

/* Knowing the seed is knowing the multiplier of the first slice. */
static const struct lfset__slice *slice_of(const struct lfset_u64 *set)
{
    struct lfset__set *base = (struct lfset__set *)(void *)(uintptr_t)set;
    return atomic_load(&base->root);
}

/* Key `i` of those whose hash by `slice` begins with the 36 bits of `home`: one home slot for all of
 * them, in any slice with this multiplier. */
static uint64_t key_at_home(const struct lfset__slice *slice, uint64_t home, uint64_t i)
{
    return (home << 28 | i) * slice->inverse;
}

TEST_BOTH(u64_probe, chosen_keys_do_share_a_home)
{
    struct lfset_u64 *set = set_new(domain, 0, 42, NULL);
    uint64_t histogram[4] = {0};
    for (uint64_t i = 0; i < 3; i++)
        CHECK_EQ(lfset_u64_add(set, key_at_home(slice_of(set), 0xabcdef, i)), 1);
    /* Were it not so, the attack below would attack nothing. */
    CHECK_EQ(lfset_u64_probe_lengths(set, histogram, 4), 3);
    CHECK(histogram[1] + histogram[2] >= 1, "the keys do not collide");
    set_end(set, NULL);
}

TEST_BOTH(u64_probe, chosen_keys_make_the_set_rehash)
{
    const uint64_t count = scaled(100000);
    struct memory memory;
    memory_init(&memory, 0);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct lfset_u64 *set = set_new(domain, 0, seed, &memory);
        const struct lfset__slice first = {.inverse = slice_of(set)->inverse};
        for (uint64_t i = 0; i < count; i++)
            CHECK_EQ(lfset_u64_add(set, key_at_home(&first, 0x123456789, i)), 1);
        for (uint64_t i = 0; i < count; i++)
            CHECK_EQ(lfset_u64_contains(set, key_at_home(&first, 0x123456789, i)), 1);
        const struct lfset_stats stats = set_stats(set);
        const struct lengths lengths = lengths_of(set);
        cr_log_info("seed %" PRIu64 ": %" PRIu64 " chosen keys, %" PRIu64
                    " rehashes, capacity %" PRIu64 ", %.1f bytes a key (peak %.1f), mean %.2f, max "
                    "%" PRIu64,
                    seed, count, stats.rehashes, stats.capacity,
                    (double)stats.bytes / (double)count,
                    (double)atomic_load(&memory.peak) / (double)count, lengths.mean, lengths.max);
        CHECK(stats.rehashes >= 1, "no rehash although all keys share a home");
        CHECK(stats.bytes <= 64 * count, "%" PRIu64 " bytes for %" PRIu64 " keys", stats.bytes,
              count);
        CHECK(lengths.mean <= FAR, "a mean length of %.2f", lengths.mean);
        set_end(set, &memory);
    }
}

/* Few keys cannot make a small set large, either. */
TEST_BOTH(u64_probe, few_chosen_keys_cost_little)
{
    struct memory memory;
    memory_init(&memory, 0);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct lfset_u64 *set = set_new(domain, 0, seed, &memory);
        const struct lfset__slice first = {.inverse = slice_of(set)->inverse};
        uint64_t count = 0;
        for (; count < 200; count++) {
            CHECK_EQ(lfset_u64_add(set, key_at_home(&first, seed * 0x1234567, count)), 1);
            const uint64_t bytes = set_stats(set).bytes;
            CHECK(bytes <= 256 * count + 16384, "%" PRIu64 " bytes for %" PRIu64 " chosen keys",
                  bytes, count + 1);
        }
        CHECK_EQ(lfset_u64_size(set, NULL), count);
        set_end(set, &memory);
    }
}

/* A seed that is fixed and known gives all multipliers away, those of later slices too: whoever chooses
 * keys may choose anew after each change. Nothing may fail or be lost, nor memory explode. */
static void attack(enum lfset_domain domain, uint64_t seed, uint64_t every)
{
    const uint64_t count = scaled(20000);
    struct memory memory;
    memory_init(&memory, LFSET_ALLOC_ZEROED);
    struct lfset_u64 *set = set_new(domain, 0, seed, &memory);
    uint64_t *keys = malloc(count * sizeof *keys);
    CHECK(keys != NULL, "no memory for the test");
    struct lfset__slice chosen_for = {.inverse = 1};
    uint64_t added = 0;
    for (uint64_t i = 0; added < count; i++) {
        if (i % every == 0)
            chosen_for.inverse = slice_of(set)->inverse;
        keys[added] = key_at_home(&chosen_for, 5, i);
        const int result = lfset_u64_add(set, keys[added]);
        CHECK(result >= 0, "with %" PRIu64 " keys, add answers %d", added, result);
        added += result == 1;
        CHECK(atomic_load(&memory.bytes) <= (long long)(1024 * added + (1 << 20)),
              "with %" PRIu64 " keys, %lld bytes are in use", added,
              (long long)atomic_load(&memory.bytes));
    }
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(lfset_u64_contains(set, keys[i]), 1);
    CHECK_EQ(lfset_u64_size(set, NULL), count);
    const struct lfset_stats stats = set_stats(set);
    cr_log_info("chosen anew every %" PRIu64 " keys: %" PRIu64 " rehashes, capacity %" PRIu64
                ", at most %.1f bytes a key",
                every, stats.rehashes, stats.capacity,
                (double)atomic_load(&memory.peak) / (double)count);
    CHECK(stats.rehashes >= 1, "no rehash");
    free(keys);
    set_end(set, &memory);
}

TEST_BOTH(u64_probe, keys_chosen_anew_after_each_rehash)
{
    for (uint64_t seed = 1; seed <= 3; seed++) {
        attack(domain, seed, 1);
        attack(domain, seed, 100);
        attack(domain, seed, 4000);
    }
}

// SPDX-License-Identifier: MIT
#include "lfset/bytes.h"

#include <string.h>

#include "explore/arena.h"
#include "explore/homes.h"
#include "explore/schedule.h"
#include "platform/hook.h"
#include "set/node.h"

#define KIND bytes
#include "explore/subject_common.h"

enum { SEEDS = 4, LENGTH = 8 };

static struct homes all_homes[SEEDS], *homes;

/* ---- keys: numbers, in the order of strings ----------------------------------------------------- */

struct text {
    unsigned char data[LENGTH];
};

static struct text text_of(uint64_t key)
{
    struct text text;
    for (int i = 0; i < LENGTH; i++) {
        text.data[i] = (unsigned char)(key >> (56 - 8 * i));
    }
    return text;
}

static uint64_t key_of(const void *data)
{
    const unsigned char *bytes = data;
    uint64_t key = 0;
    for (int i = 0; i < LENGTH; i++) {
        key = key << 8 | bytes[i];
    }
    return key;
}

static uint64_t key_of_length(const void *data, size_t length)
{
    if (length != LENGTH) {
        sched_fail("the set hands out a string of %zu bytes", length);
    }
    return key_of(data);
}

/* The string follows its node. */
static uint64_t key_of_node(const struct lfset__node *node)
{
    return key_of(node + 1);
}

/* Hashes are what a set of the same seed, hence the same secret, stores. */
static void fill_homes(const struct lfset_options *options)
{
    struct lfset_options like = LFSET_OPTIONS_INIT;
    like.seed = options->seed;
    like.capacity = HOMES;
    struct lfset_bytes *set = NULL;
    int result = lfset_bytes_create(&set, &like);
    for (uint64_t key = 0; result >= 0 && key < HOMES; key++) {
        struct text text = text_of(key);
        result = lfset_bytes_add(set, text.data, LENGTH);
    }
    if (result < 0) {
        sched_fail("no memory for the table of hashes");
    }
    const struct lfset__slice *root = atomic_load(&((struct lfset__set *)(void *)set)->root);
    size_t words = lfset__slice_words(root), count = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t word = atomic_load(&root->words[i]);
        if (word & LFSET__LIVE) {
            const struct lfset__node *node = lfset__word_node(word);
            homes->table[count++] = (struct home){
                .hash = node->hash * root->multiplier,
                .key = key_of_node(node),
            };
        }
    }
    (void)lfset_bytes_destroy(set);
    if (count != HOMES) {
        sched_fail("the table of hashes has %zu entries", count);
    }
    homes_sort(homes);
    homes->seed = options->seed;
}

static int create(void **set, const struct lfset_options *options)
{
    for (homes = all_homes; homes->seed && homes->seed != options->seed; homes++) {
    }
    if (!homes->seed) {
        void (*hook)(int, const volatile void *) = lfset__hook;
        lfset__hook = NULL;
        fill_homes(options);
        lfset__hook = hook;
    }
    homes_begin(homes);
    struct lfset_bytes *made = NULL;
    int result = lfset_bytes_create(&made, options);
    *set = made;
    return result;
}

static uint64_t key_at(void *set, uint64_t hash, uint32_t offset)
{
    (void)set, (void)offset;
    return homes_key(homes, hash);
}

static bool word_key(const struct lfset__slice *slice, size_t index, uint64_t word, uint64_t *key)
{
    (void)slice, (void)index;
    const struct lfset__node *node = lfset__word_node(word);
    if (!arena_is_live(node)) {
        return false;
    }
    *key = key_of_node(node);
    return true;
}

static size_t blocks(const uint64_t *keys, size_t count)
{
    (void)keys;
    return count;
}

/* ---- operations --------------------------------------------------------------------------------- */

static int add(void *set, uint64_t key)
{
    struct text text = text_of(key);
    return lfset_bytes_add(set, text.data, LENGTH);
}

static int remove_key(void *set, uint64_t key)
{
    struct text text = text_of(key);
    return lfset_bytes_remove(set, text.data, LENGTH);
}

static int contains(void *set, uint64_t key)
{
    struct text text = text_of(key);
    return lfset_bytes_contains(set, text.data, LENGTH);
}

static int pop(void *set, uint64_t *key)
{
    struct text text;
    size_t length = 0;
    int result = lfset_bytes_pop(set, text.data, LENGTH, &length);
    if (result == 1) {
        *key = key_of_length(text.data, length);
    }
    return result;
}

struct texts {
    struct text text[PLAN_KEYS];
    struct lfset_string strings[PLAN_KEYS];
};

static void texts_of(struct texts *texts, const uint64_t *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        texts->text[i] = text_of(keys[i]);
        texts->strings[i] = (struct lfset_string){texts->text[i].data, LENGTH};
    }
}

static int64_t add_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    struct texts texts;
    texts_of(&texts, keys, count);
    return lfset_bytes_add_many(set, texts.strings, count, results);
}

static int64_t remove_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    struct texts texts;
    texts_of(&texts, keys, count);
    return lfset_bytes_remove_many(set, texts.strings, count, results);
}

static int64_t contains_many(void *set, const uint64_t *keys, size_t count, int8_t *results)
{
    struct texts texts;
    texts_of(&texts, keys, count);
    return lfset_bytes_contains_many(set, texts.strings, count, results);
}

static int64_t snapshot_copy(void *snapshot, struct subject_keys *keys, uint64_t drained)
{
    (void)drained;
    struct lfset_string strings[SUBJECT_KEYS];
    int64_t count = lfset_bytes_snapshot_copy(snapshot, strings, SUBJECT_KEYS);
    for (int64_t i = 0; i < count; i++) {
        lfset__hook(LFSET__HOOK_LOAD, strings[i].data);
        subject_show(keys, key_of_length(strings[i].data, strings[i].length));
    }
    return count;
}

static int snapshot_contains(void *snapshot, uint64_t key)
{
    struct text text = text_of(key);
    return lfset_bytes_snapshot_contains(snapshot, text.data, LENGTH);
}

static int visit(const void *data, size_t length, void *keys)
{
    lfset__hook(LFSET__HOOK_LOAD, data);
    subject_show(keys, key_of_length(data, length));
    return 0;
}

static int each(void *set, struct subject_keys *keys)
{
    return lfset_bytes_each(set, visit, keys, NULL);
}

static int purge(void *set)
{
    return lfset_bytes_purge(set);
}

static int wait_present(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    struct text text = text_of(key);
    return lfset_bytes_wait_present(set, text.data, LENGTH, cancel);
}

static int wait_absent(void *set, uint64_t key, const struct lfset_cancel *cancel)
{
    struct text text = text_of(key);
    return lfset_bytes_wait_absent(set, text.data, LENGTH, cancel);
}

const struct subject subject_bytes = {
    .seeds = SEEDS,
    .create = create,
    .destroy = destroy,
    .key_at = key_at,
    .word_key = word_key,
    .blocks = blocks,
    .add = add,
    .remove = remove_key,
    .contains = contains,
    .pop = pop,
    .add_many = add_many,
    .remove_many = remove_many,
    .contains_many = contains_many,
    .take = take,
    .snapshot_copy = snapshot_copy,
    .snapshot_count = snapshot_count,
    .snapshot_contains = snapshot_contains,
    .snapshot_destroy = snapshot_destroy,
    .clone = clone,
    .clear = clear,
    .size = size,
    .is_empty = is_empty,
    .each = each,
    .reserve = reserve,
    .purge = purge,
    .look = look,
    .validate = validate,
    .wait_present = wait_present,
    .wait_absent = wait_absent,
    .wait_empty = wait_empty,
};

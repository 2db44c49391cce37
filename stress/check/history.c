// SPDX-License-Identifier: MIT
#define _DEFAULT_SOURCE
/* The history in memory. The forms it is read from and written to are in history_text.c and
 * history_binary.c. */
#include "history_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

void history__use_large_pages(void *memory, size_t size)
{
#ifdef MADV_HUGEPAGE
    const uintptr_t page = (uintptr_t)1 << 21;
    uintptr_t start = ((uintptr_t)memory + page - 1) & ~(page - 1);
    uintptr_t end = ((uintptr_t)memory + size) & ~(page - 1);
    if (size >= 4 * page && end > start)
        madvise((void *)start, end - start, MADV_HUGEPAGE);
#else
    (void)memory;
    (void)size;
#endif
}

int history__grow(void *array, size_t *capacity, size_t count, size_t more, size_t size)
{
    void *old, *grown;
    if (more <= *capacity - count)
        return 0;
    if (more > SIZE_MAX / size - count)
        return -ENOMEM;
    size_t wanted = count + more;
    if (*capacity <= SIZE_MAX / size / 2 && *capacity * 2 > wanted)
        wanted = *capacity * 2;
    memcpy(&old, array, sizeof old);
    grown = realloc(old, wanted * size);
    if (grown == NULL)
        return -ENOMEM;
    history__use_large_pages(grown, wanted * size);
    memcpy(array, &grown, sizeof grown);
    *capacity = wanted;
    return 0;
}

int history__refuse(struct history_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return -EINVAL;
}

void history_init(struct history *history)
{
    *history = (struct history){0};
}

void history__strings_free(struct history_strings *strings)
{
    if (strings == NULL)
        return;
    free(strings->bytes);
    free(strings->items);
    free(strings->slots);
    free(strings);
}

void history_reset(struct history *history)
{
    history->count = 0;
    history->continued = false;
    history->initial_count = 0;
    history->set_count = 0;
    history->set_key_count = 0;
    history__strings_free(history->strings);
    history->strings = NULL;
}

void history_free(struct history *history)
{
    free(history->records);
    free(history->initial);
    free(history->sets);
    free(history->set_keys);
    history__strings_free(history->strings);
    history_init(history);
}

int history_reserve(struct history *history, size_t more)
{
    if (more > HISTORY_MAX_RECORDS - history->count)
        return -ENOMEM;
    return history__grow(&history->records, &history->capacity, history->count, more,
                         sizeof *history->records);
}

int history_add_many(struct history *history, const struct history_record *records, size_t count)
{
    int status = history_reserve(history, count);
    if (status == 0 && count > 0) {
        memcpy(history->records + history->count, records, count * sizeof *records);
        history->count += count;
    }
    return status;
}

int history_add(struct history *history, const struct history_record *record)
{
    return history_add_many(history, record, 1);
}

static int compare_keys(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

/* Appends `keys`, sorted, behind the first `used` of `*array`. */
static int append_sorted(uint64_t **array, size_t *capacity, size_t used, const uint64_t *keys,
                         size_t count)
{
    /* One to spare, so that an empty set has an address as well. */
    int status = history__grow(array, capacity, used, count + 1, sizeof **array);
    if (status != 0 || count == 0)
        return status;
    uint64_t *copy = *array + used;
    memcpy(copy, keys, count * sizeof *keys);
    size_t sorted = 1;
    while (sorted < count && copy[sorted - 1] < copy[sorted])
        sorted++;
    if (sorted == count)
        return 0;
    qsort(copy, count, sizeof *copy, compare_keys);
    for (size_t i = 1; i < count; i++) {
        if (copy[i - 1] == copy[i])
            return -EINVAL;
    }
    return 0;
}

int history_add_set(struct history *history, const uint64_t *keys, size_t count, uint64_t *number)
{
    int status = history__grow(&history->sets, &history->set_capacity, history->set_count, 1,
                               sizeof *history->sets);
    if (status != 0)
        return status;
    status = append_sorted(&history->set_keys, &history->set_key_capacity, history->set_key_count,
                           keys, count);
    if (status != 0)
        return status;
    *number = history->set_count;
    history->sets[history->set_count++] =
        (struct history_set){.first = history->set_key_count, .count = count};
    history->set_key_count += count;
    return 0;
}

int history_set_initial(struct history *history, const uint64_t *keys, size_t count)
{
    /* Into new memory: the old state must survive a refusal, and `keys` may be the old array. */
    uint64_t *initial = NULL;
    size_t capacity = 0;
    int status = append_sorted(&initial, &capacity, 0, keys, count);
    if (status != 0) {
        free(initial);
        return status;
    }
    free(history->initial);
    history->initial = initial;
    history->initial_count = count;
    history->initial_capacity = capacity;
    return 0;
}

static uint64_t hash_bytes(const char *bytes, size_t length)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash ^ hash >> 32;
}

static int grow_slots(struct history_strings *strings)
{
    size_t wanted = strings->slot_count == 0 ? 64 : strings->slot_count * 2;
    uint32_t *slots = calloc(wanted, sizeof *slots);
    if (slots == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < strings->count; i++) {
        size_t at = hash_bytes(strings->bytes + strings->items[i].first, strings->items[i].length);
        while (slots[at & (wanted - 1)] != 0)
            at++;
        slots[at & (wanted - 1)] = (uint32_t)i + 1;
    }
    free(strings->slots);
    strings->slots = slots;
    strings->slot_count = wanted;
    return 0;
}

/* Appends a string that is not there yet. */
static int append_string(struct history_strings *strings, const char *bytes, size_t length)
{
    if (strings->count >= HISTORY_MAX_RECORDS)
        return -ENOMEM;
    int status = history__grow(&strings->items, &strings->capacity, strings->count, 1,
                               sizeof *strings->items);
    if (status == 0)
        status = history__grow(&strings->bytes, &strings->byte_capacity, strings->byte_count,
                               length + 1, 1);
    if (status != 0)
        return status;
    strings->items[strings->count].first = strings->byte_count;
    strings->items[strings->count].length = length;
    if (length > 0)
        memcpy(strings->bytes + strings->byte_count, bytes, length);
    strings->byte_count += length;
    strings->count++;
    return 0;
}

int history__use_strings(struct history *history)
{
    if (history->strings == NULL)
        history->strings = calloc(1, sizeof *history->strings);
    return history->strings != NULL ? 0 : -ENOMEM;
}

int history_intern(struct history *history, const char *bytes, size_t length, uint64_t *key)
{
    if (history__use_strings(history) != 0)
        return -ENOMEM;
    struct history_strings *strings = history->strings;
    if (strings->count * 2 >= strings->slot_count) {
        int status = grow_slots(strings);
        if (status != 0)
            return status;
    }
    size_t at = hash_bytes(bytes, length), mask = strings->slot_count - 1;
    for (; strings->slots[at & mask] != 0; at++) {
        size_t number = strings->slots[at & mask] - 1;
        if (strings->items[number].length == length &&
            (length == 0 ||
             memcmp(strings->bytes + strings->items[number].first, bytes, length) == 0)) {
            *key = number;
            return 0;
        }
    }
    int status = append_string(strings, bytes, length);
    if (status != 0)
        return status;
    strings->slots[at & mask] = (uint32_t)strings->count;
    *key = strings->count - 1;
    return 0;
}

/* False may also mean that it was too costly to find out. */
static bool logs_in_order(const struct history *history)
{
    struct history_watch watch = {0};
    for (size_t i = 0; i < history->count && !watch.in_doubt; i++)
        history__watch(&watch, &history->records[i]);
    return !watch.in_doubt;
}

static int compare_records(const void *left, const void *right)
{
    const struct history_record *a = *(const struct history_record *const *)left;
    const struct history_record *b = *(const struct history_record *const *)right;
    if (a->thread != b->thread)
        return a->thread < b->thread ? -1 : 1;
    if (a->invoke != b->invoke)
        return a->invoke < b->invoke ? -1 : 1;
    return (a->ret > b->ret) - (a->ret < b->ret);
}

int history__find_overlap(const struct history *history, size_t *bad, size_t *other)
{
    if (history->count == 0 || logs_in_order(history))
        return 0;
    const struct history_record **order = malloc(history->count * sizeof *order);
    if (order == NULL)
        return -ENOMEM;
    for (size_t i = 0; i < history->count; i++)
        order[i] = &history->records[i];
    qsort(order, history->count, sizeof *order, compare_records);
    int found = 0;
    for (size_t i = 1; i < history->count && !found; i++) {
        if (order[i]->thread == order[i - 1]->thread && order[i]->invoke < order[i - 1]->ret) {
            *bad = (size_t)(order[i] - history->records);
            *other = (size_t)(order[i - 1] - history->records);
            found = 1;
        }
    }
    free(order);
    return found;
}

int history_validate(const struct history *history, size_t *bad, const char **reason)
{
    for (size_t i = 0; i < history->count; i++) {
        *reason = history__record_fault(history, &history->records[i]);
        if (*reason != NULL) {
            *bad = i;
            return -EINVAL;
        }
    }
    size_t other;
    int status = history__find_overlap(history, bad, &other);
    if (status == 1) {
        *reason = "it overlaps another operation of its thread";
        return -EINVAL;
    }
    return status;
}

// SPDX-License-Identifier: MIT
/* What history.c, history_text.c and history_binary.c share. */
#ifndef LFSET_STRESS_CHECK_HISTORY_INTERNAL_H
#define LFSET_STRESS_CHECK_HISTORY_INTERNAL_H

#include "history.h"

/** Interned strings: the bytes of all, one after another, and a hash table of their numbers. */
struct history_strings {
    char *bytes;
    size_t byte_count, byte_capacity;
    struct {
        size_t first, length;
    } * items;
    size_t count, capacity;
    uint32_t *slots; /* number + 1; 0 = free */
    size_t slot_count;
};

/** Makes room for `more` elements of `size` bytes behind the first `count` of a dynamic array.
 *  `array` is the address of the pointer to it, of whatever type. 0 or -ENOMEM. */
int history__grow(void *array, size_t *capacity, size_t count, size_t more, size_t size);

/** Puts a formatted reason into `error` and returns -EINVAL. */
int history__refuse(struct history_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/** Is this record well-formed on its own? NULL, or the reason why not. */
const char *history__record_fault(const struct history *history,
                                  const struct history_record *record);

/** Looks for two operations of one thread that overlap. 1 with the later one in `*bad` and the
 *  other in `*other`; 0 none; -ENOMEM. */
int history__find_overlap(const struct history *history, size_t *bad, size_t *other);

/** The first bytes of the binary form. */
#define HISTORY_MAGIC "\211LFSETH\n"
#define HISTORY_MAGIC_SIZE 8

/** The two readers behind history_read. `history` is empty; on failure it may be left half filled.
 *  `data[size]` is a NUL that does not belong to the file. */
int history__parse_text(const char *data, size_t size, const char *name, struct history *history,
                        struct history_error *error);
int history__parse_binary(const unsigned char *data, size_t size, const char *name,
                          struct history *history, struct history_error *error);

#endif

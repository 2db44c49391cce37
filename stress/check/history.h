// SPDX-License-Identifier: MIT
/*
 * A recorded history of one set: who called what, when the call began, when it returned and what it
 * answered. The checker (checker.h) decides whether it is linearizable.
 *
 * Text form, one operation a line, lines in any order (history_write_text, history_read):
 *
 *     # lfset-history 2
 *     # initial {1,2}                     keys present at the start; no such line = empty
 *     # thread operation key result invoke return
 *     0 add 17 1 100 180                  also: remove, contains; result 0 or 1
 *     2 remove 17 ? 150 -                 pending: it never returned
 *     3 snapshot - {17,20} 200 260        also: drain - {...}
 *     3 size - 2 270 280                  also: is_empty - 1
 *     3 clear - 4 300 320               it removed 4 keys; clear - ? 300 320: it does not say
 *     3 pop 20 1 330 340                  pop - 0: it found the set empty
 *
 * (The remarks on the right are not part of the form; a remark in a file begins with '#'.)
 * Columns are separated by blanks. Times are unsigned 64-bit integers of one clock; equal times
 * count as concurrent. Keys are unsigned 64-bit integers (decimal or 0x hexadecimal) or "strings"
 * with C escapes (\xHH takes at most two digits), all of one kind in a file. A thread's operations
 * must not overlap; one may begin at the very time at which the one before returned. An add that
 * failed for lack of memory had no effect and is not recorded. In version 1 of the form, which is
 * still read, no clear says how many keys it removed: its result is always 1.
 *
 * The binary form (history_write_binary, history_binary.c) holds the same in some 8 bytes for an
 * operation, with a checksum. The readers tell the two apart.
 *
 * Any number of histories may stand in a file (or come through a pipe) one after another, each with
 * its own first line or header. One that has, instead of its initial state, the line
 *
 *     # continued
 *
 * (in the text form from version 3 on; a flag in the binary form) carries on from the history before
 * it: all threads were at rest in between, and the state is the one in which that one ended. So a
 * recorder can write a run of any length in rounds, and a checker needs the memory of one round.
 */
#ifndef LFSET_STRESS_CHECK_HISTORY_H
#define LFSET_STRESS_CHECK_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** The operations. Those from HISTORY_SNAPSHOT on concern the whole set. */
enum history_op {
    HISTORY_ADD,
    HISTORY_REMOVE,
    HISTORY_CONTAINS,
    HISTORY_POP,
    HISTORY_SNAPSHOT,
    HISTORY_DRAIN,
    HISTORY_CLEAR,
    HISTORY_SIZE,
    HISTORY_IS_EMPTY,
    HISTORY_OPS /**< how many there are */
};

/** `ret` of an operation that never returned. */
#define HISTORY_PENDING UINT64_MAX

/** `result` of a clear: it does not say how many keys it removed, or `value` is their number. */
#define HISTORY_CLEAR_SILENT 1
#define HISTORY_CLEAR_COUNTED 2

/** Thread numbers and record numbers are below this. */
#define HISTORY_MAX_RECORDS ((size_t)1 << 31)

/** One operation. 32 bytes, so that a thread can log straight into an array of them. */
struct history_record {
    /** add, remove, contains, pop with result 1: the key. size: the size it answered.
     *  clear: how many keys it removed, if it says so.
     *  snapshot, drain: the number of the key set it answered (history_add_set). Else 0. */
    uint64_t value;
    uint64_t invoke; /**< time of the call; never HISTORY_PENDING */
    uint64_t ret;    /**< time of the return, >= invoke; HISTORY_PENDING: it never returned */
    uint32_t thread;
    uint8_t op;     /**< enum history_op */
    uint8_t result; /**< add, remove, contains, is_empty, pop: 0 or 1. clear: HISTORY_CLEAR_*.
                         Else, and where the operation is pending, it means nothing. */
    uint16_t reserved;
};

/** A set of keys, ascending, that a snapshot or a drain answered. */
struct history_set {
    size_t first; /**< index into history.set_keys */
    size_t count;
};

/** The text of string keys; opaque. */
struct history_strings;

/** A history. Zero-initialised (or history_init) it is empty. Fields may be read freely; change
 *  them through the functions, except that `records[0..count)` may be written in place. */
struct history {
    struct history_record *records;
    size_t count, capacity;
    uint64_t *initial; /**< keys present at the start, ascending, each once */
    size_t initial_count, initial_capacity;
    struct history_set *sets;
    size_t set_count, set_capacity;
    uint64_t *set_keys; /**< the keys of all sets, one after another */
    size_t set_key_count, set_key_capacity;
    struct history_strings *strings; /**< NULL: keys are integers; else keys are string numbers */
    bool continued; /**< carries on from the history before it: written without `initial`; read,
                         `initial` is empty, and who checks it sets it */
};

/** Why a file was refused: "FILE:LINE: reason", or "FILE: byte OFFSET: reason" for the binary form,
 *  or "FILE: reason" when it could not be read at all. */
struct history_error {
    char text[512];
};

/** Makes `history` empty without looking at what was in it. */
void history_init(struct history *history);

/** Empties `history` but keeps its memory for the next use. */
void history_reset(struct history *history);

/** Gives all memory back; `history` is then empty and usable. */
void history_free(struct history *history);

/** Makes room for `more` further records. 0, or -ENOMEM (nothing changed). */
int history_reserve(struct history *history, size_t more);

/** Appends one record as it is. 0, or -ENOMEM (nothing changed). */
int history_add(struct history *history, const struct history_record *record);

/** Appends `count` records, such as one thread's log. 0, or -ENOMEM (nothing changed). */
int history_add_many(struct history *history, const struct history_record *records, size_t count);

/** Stores the answer of a snapshot or drain and puts its number, for `record.value`, in `*number`.
 *  The keys need not be sorted. 0; -EINVAL if a key occurs twice; -ENOMEM. On failure nothing
 *  changed. */
int history_add_set(struct history *history, const uint64_t *keys, size_t count, uint64_t *number);

/** Sets the keys present at the start, replacing what was there. The keys need not be sorted.
 *  0; -EINVAL if a key occurs twice; -ENOMEM. On failure nothing changed. */
int history_set_initial(struct history *history, const uint64_t *keys, size_t count);

/** The number of the string `bytes[0..length)`, the same for the same bytes, in `*key`; makes the
 *  history one of string keys. 0, or -ENOMEM. */
int history_intern(struct history *history, const char *bytes, size_t length, uint64_t *key);

/** The name of an operation as it stands in the text form. */
const char *history_op_name(enum history_op op);

/** Does this record's operation concern one key (add, remove, contains, or a pop that got one)? */
static inline bool history_record_has_key(const struct history_record *record)
{
    return record->op <= HISTORY_CONTAINS ||
           (record->op == HISTORY_POP && record->ret != HISTORY_PENDING && record->result == 1);
}

/** Is this record a clear that says how many keys it removed? */
static inline bool history_record_counts(const struct history_record *record)
{
    return record->op == HISTORY_CLEAR && record->ret != HISTORY_PENDING &&
           record->result == HISTORY_CLEAR_COUNTED;
}

/** Checks what the readers check (ranges, return before invoke, overlapping operations of a
 *  thread). 0; -EINVAL with `*bad` the number of the offending record and `*reason` a text that
 *  stays valid; -ENOMEM. Programs that build a history themselves may call it; the checker assumes
 *  that it holds. */
int history_validate(const struct history *history, size_t *bad, const char **reason);

/** Reads histories in either form, one after another, from `file`: a file, a pipe or memory
 *  (fmemopen). It holds one history at a time, and no number in the file makes it allocate more than
 *  a small multiple of the bytes that are really there. */
struct history_reader;

/** A reader that begins where `file` stands; `name` is used in messages. Both must outlive it. NULL:
 *  no memory. */
struct history_reader *history_reader_open(FILE *file, const char *name);

/** Gives the reader's memory back, and leaves the file to its owner. NULL is allowed. */
void history_reader_close(struct history_reader *reader);

/** Reads the next history into `history`, replacing what was there. 1; 0: there is no further one;
 *  -EINVAL malformed; -EIO; -ENOMEM. On failure `history` is empty, `error->text` says what was
 *  wrong and where, and nothing more can be read. */
int history_reader_next(struct history_reader *reader, struct history *history,
                        struct history_error *error);

/** `history`, which was just read, carries on from the one read before, and its initial state was set
 *  with that one's key numbers: where keys are strings, gives them their numbers in `history`. 0;
 *  -EINVAL: the keys of the two are of different kinds; -ENOMEM. */
int history_reader_carry(const struct history_reader *reader, struct history *history);

/** How much of the file has been read, from 0 to 1; negative where its size is not known. */
double history_reader_share(const struct history_reader *reader);

/** Reads the one history that is in `file`, from where it stands to its end. 0, else as
 *  history_reader_next. */
int history_read(FILE *file, const char *name, struct history *history,
                 struct history_error *error);

/** Writes the text form. 0, or -EIO. */
int history_write_text(const struct history *history, FILE *file);

/** Writes the binary form. 0; -EIO; -ENOMEM; -EINVAL: a record is none that history_validate would
 *  accept. */
int history_write_binary(const struct history *history, FILE *file);

/** Prints one key as the text form has it. */
void history_print_key(const struct history *history, uint64_t key, FILE *file);

/** Prints "operation key result" of a record as the text form has them, with at most `max_keys`
 *  keys of a set ("..." stands for the others). */
void history_print_operation(const struct history *history, const struct history_record *record,
                             size_t max_keys, FILE *file);

#endif

// SPDX-License-Identifier: MIT
#include <errno.h>
#include <inttypes.h>

#include "algebra/view.h"

struct printing {
    const struct lfset__view *view;
    const void *snapshot;
    FILE *file;
    uint64_t left; /* how many more may be printed */
    bool begun;
};

enum { ENOUGH = 1 };

static int print_member(const struct lfset__member *member, void *ctx)
{
    struct printing *printing = ctx;
    if (printing->left == 0) {
        return ENOUGH;
    }
    printing->left--;
    if (printing->begun && fputs(", ", printing->file) < 0) {
        return -EIO;
    }
    printing->begun = true;
    return printing->view->print(member, printing->snapshot, printing->file) < 0 ? -EIO : 0;
}

static int print_snapshot(struct printing *printing, void *snapshot,
                          const struct lfset_cancel *cancel)
{
    if (fputs("{", printing->file) < 0) {
        return -EIO;
    }
    int stopped = printing->view->snapshot_each(snapshot, print_member, printing, cancel);
    if (stopped < 0) {
        return stopped;
    }
    if (stopped == ENOUGH && fprintf(printing->file, ", ... (%" PRId64 " in all)",
                                     printing->view->snapshot_count(snapshot)) < 0) {
        return -EIO;
    }
    return fputs("}", printing->file) < 0 ? -EIO : 0;
}

int lfset__print(const struct lfset__view *view, void *set, FILE *file, uint64_t max,
                 const struct lfset_cancel *cancel)
{
    if (!set || !file) {
        return -EINVAL;
    }
    void *snapshot;
    int error = view->snapshot_take(set, &snapshot, cancel);
    if (error) {
        return error;
    }
    struct printing printing = {
        .view = view, .snapshot = snapshot, .file = file, .left = max > 0 ? max : UINT64_MAX};
    error = print_snapshot(&printing, snapshot, cancel);
    view->snapshot_destroy(snapshot);
    return error;
}

/* Octal, not hexadecimal: its escapes end after three digits, so that a digit may follow. The second of
 * two question marks is escaped because "??=" and the like are trigraphs in C11. */
static int print_byte(unsigned char byte, unsigned char before, FILE *file)
{
    static const char escaped[] = "\a\b\f\n\r\t\v\"\\";
    static const char letters[] = "abfnrtv\"\\";
    for (size_t i = 0; i < sizeof escaped - 1; i++) {
        if (byte == (unsigned char)escaped[i]) {
            return fprintf(file, "\\%c", letters[i]);
        }
    }
    if (byte < 0x20 || byte > 0x7e) {
        return fprintf(file, "\\%03o", byte);
    }
    return fprintf(file, byte == '?' && before == '?' ? "\\%c" : "%c", byte);
}

int lfset__print_literal(const void *data, size_t length, FILE *file)
{
    const unsigned char *bytes = data;
    if (fputc('"', file) < 0) {
        return -EIO;
    }
    for (size_t i = 0; i < length; i++) {
        if (print_byte(bytes[i], i > 0 ? bytes[i - 1] : 0, file) < 0) {
            return -EIO;
        }
    }
    return fputc('"', file) < 0 ? -EIO : 0;
}

// SPDX-License-Identifier: MIT
/*
 * The fuzzer of the readers of histories and of the checker. Whatever bytes a file holds, the readers
 * say what is wrong with it, or its histories are written in either form and read again as they are,
 * with the same verdict; and the witness of a violation is one itself.
 *
 * An input is a file. A binary one that ends with eight bytes 0 gets the right checksum instead of
 * them, because no mutation would hit it.
 */
#define _GNU_SOURCE
#include "check/history_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check/checker.h"
#include "check/history.h"
#include "check/witness.h"
#include "memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LARGEST = 1 << 14, BUDGET = 2000, EXPLAINED = 64 /* operations, at most, for a witness */ };

static void mend(char *bytes, size_t size)
{
    uint64_t sum = HISTORY_SUM_START;
    if (size < HISTORY_HEADER_SIZE || size % 8 != 0 ||
        memcmp(bytes, HISTORY_MAGIC, HISTORY_MAGIC_SIZE) != 0 ||
        history__load64(bytes + size - 8) != 0)
        return;
    for (size_t at = 0; at < size - 8; at += 8)
        sum = history__sum_word(sum, history__load64(bytes + at));
    sum = htole64(sum);
    memcpy(bytes + size - 8, &sum, sizeof sum);
}

struct text {
    char *bytes;
    size_t size;
};

typedef int write_form(const struct history *history, FILE *file);

/* As a file. One that carries on needs another history to begin with. */
static struct text written(const struct history *history, write_form *write)
{
    static const struct history empty;
    struct text text = {NULL, 0};
    FILE *file = open_memstream(&text.bytes, &text.size);
    int status = file == NULL ? -ENOMEM : history->continued ? write(&empty, file) : 0;
    if (status == 0)
        status = write(history, file);
    if (file == NULL || fclose(file) != 0 || status != 0)
        fail("a history cannot be written: %d", status);
    return text;
}

static enum checker_verdict verdict_of(struct checker *checker, const struct history *history)
{
    const struct checker_options options = {.budget = BUDGET};
    struct checker_result result = {0};
    const int status = checker_run(checker, history, &options, &result);
    if (status != 0)
        fail("a history that was read is not checked: %s", strerror(-status));
    return result.verdict;
}

/* The only, or the second, history in a file. */
static void read_again(struct text bytes, bool second, struct history *history, const char *form)
{
    struct history_error error = {""};
    FILE *file = fmemopen(bytes.bytes, bytes.size, "r");
    struct history_reader *reader = file != NULL ? history_reader_open(file, form) : NULL;
    if (reader == NULL)
        fail("no memory");
    for (int i = 0; i <= second; i++)
        if (history_reader_next(reader, history, &error) != 1)
            fail("what was written as %s is refused: %s", form, error.text);
    struct history more = {0};
    if (history_reader_next(reader, &more, &error) != 0)
        fail("behind what was written as %s comes more: %s", form, error.text);
    history_reader_close(reader);
    fclose(file);
}

/* In one form, the history is read again as it is. */
static void repeat(struct checker *checker, const struct history *history, struct text text,
                   enum checker_verdict verdict, write_form *write, const char *form)
{
    static struct history again;
    const struct text bytes = written(history, write);
    read_again(bytes, history->continued, &again, form);
    const struct text text_again = written(&again, history_write_text);
    if (text_again.size != text.size || memcmp(text_again.bytes, text.bytes, text.size) != 0)
        fail("what was written as %s is read as another history:\n%s--\n%s", form, text.bytes,
             text_again.bytes);
    if (verdict_of(checker, &again) != verdict)
        fail("what was written as %s is judged otherwise", form);
    free(text_again.bytes);
    free(bytes.bytes);
}

static void explain(struct checker *checker, const struct history *history)
{
    const struct checker_options options = {.budget = BUDGET};
    struct witness witness = {0};
    const int status = witness_find(checker, history, &options, &witness);
    if (status == 1) {
        struct text page = {NULL, 0};
        FILE *file = open_memstream(&page.bytes, &page.size);
        if (verdict_of(checker, &witness.history) == CHECKER_LINEARIZABLE)
            fail("a witness is linearizable");
        if (file == NULL || witness_print_text(&witness, file) != 0 ||
            witness_write_html(&witness, file) != 0 || fclose(file) != 0)
            fail("a witness is not written");
        free(page.bytes);
    } else if (status != -EAGAIN) {
        fail("a violation has no witness: %d", status);
    }
    witness_free(&witness);
}

static void judge(struct checker *checker, const struct history *history)
{
    size_t bad;
    const char *reason = "none";
    if (history_validate(history, &bad, &reason) != 0)
        fail("a history that was read is not valid: %s", reason);
    const enum checker_verdict verdict = verdict_of(checker, history);
    const struct text text = written(history, history_write_text);
    repeat(checker, history, text, verdict, history_write_text, "text");
    repeat(checker, history, text, verdict, history_write_binary, "binary");
    free(text.bytes);
    if (verdict == CHECKER_VIOLATION && history->count <= EXPLAINED)
        explain(checker, history);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char bytes[LARGEST];
    static struct checker *checker;
    static struct history history;
    struct history_error error = {""};
    int status;
    if (size == 0 || size > LARGEST)
        return 0;
    if (checker == NULL)
        checker = checker_create();
    memcpy(bytes, data, size);
    mend(bytes, size);
    FILE *file = fmemopen(bytes, size, "r");
    struct history_reader *reader = file != NULL ? history_reader_open(file, "input") : NULL;
    if (checker == NULL || reader == NULL)
        fail("no memory");
    while ((status = history_reader_next(reader, &history, &error)) == 1)
        judge(checker, &history);
    if (status != 0 && (status != -EINVAL || strncmp(error.text, "input:", 6) != 0))
        fail("a reader answers %d: %s", status, error.text);
    history_reader_close(reader);
    fclose(file);
    return 0;
}

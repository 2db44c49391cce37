// SPDX-License-Identifier: MIT
/* The forms of a history: what is read, what is written, what is refused and with which words. */
#define _GNU_SOURCE
#include "check/history_internal.h"
#include "checker_support.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(history, malformed_text_is_refused_with_line_and_reason)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"\n", "FILE:1: not a history"},
        {"0 add 1 1 0 1\n", "FILE:1: not a history"},
        {"# lfset-history 4\n", "FILE:1: unknown version 4"},
        {"# lfset-history 0\n", "FILE:1: unknown version 0"},
        {"# lfset-history 1a\n", "FILE:1: bad version \"1a\""},
        {"# lfset-history \n", "FILE:1: the line ends before the version"},
        {HEADER "0 add 1 1 0 1", "FILE:2: the last line is cut off"},
        {HEADER "0 add 1 1 0 1\n0 add 2 1 10 1", "FILE:3: the last line is cut off"},
        {HEADER "\n\n0\n", "FILE:4: the line ends before the operation"},
        {HEADER "0 add\n", "FILE:2: the line ends before the key"},
        {HEADER "0 size\n", "FILE:2: the line ends before the key"},
        {HEADER "0 add 1\n", "FILE:2: the line ends before the result"},
        {HEADER "0 add 1 1\n", "FILE:2: the line ends before the time of the call"},
        {HEADER "0 add 1 1 5\n", "FILE:2: the line ends before the time of the return"},
        {HEADER "0 add 1 1 5 6 7\n", "FILE:2: unexpected \"7\" at the end"},
        {HEADER "0 put 1 1 5 6\n", "FILE:2: bad operation \"put\""},
        {HEADER "0 adder 1 1 5 6\n", "FILE:2: bad operation \"adder\""},
        {HEADER "x add 1 1 5 6\n", "FILE:2: bad thread \"x\""},
        {HEADER "-1 add 1 1 5 6\n", "FILE:2: bad thread \"-1\""},
        {HEADER "4294967296 add 1 1 5 6\n", "FILE:2: thread 4294967296 is too large"},
        {HEADER "0 add 1x 1 5 6\n", "FILE:2: bad key \"1x\""},
        {HEADER "0 add 0x 1 5 6\n", "FILE:2: bad key \"0x\""},
        {HEADER "0 add -1 1 5 6\n", "FILE:2: bad key \"-1\""},
        {HEADER "0 add 18446744073709551616 1 5 6\n", "does not fit in 64 bits"},
        {HEADER "0 add - 1 5 6\n", "FILE:2: add needs a key"},
        {HEADER "0 size 1 1 5 6\n", "FILE:2: size takes no key"},
        {HEADER "0 add 1 2 5 6\n", "FILE:2: bad result \"2\""},
        {HEADER "0 clear - x 5 6\n", "FILE:2: bad result \"x\""},
        {HEADER "0 clear - - 5 6\n", "FILE:2: bad result \"-\""},
        {HEADER "0 clear - 2 5 -\n", "FILE:2: it has a result but no time of return"},
        {HEADER "0 clear - ? 5 18446744073709551615\n", "the time of the return is too large"},
        {HEADER_1 "0 clear - 0 5 6\n", "FILE:2: bad result \"0\""},
        {HEADER_1 "0 clear - 2 5 6\n", "FILE:2: bad result \"2\""},
        {HEADER_1 "0 clear - ? 5 6\n", "FILE:2: it has a time of return but no result"},
        {HEADER "0 size - x 5 6\n", "FILE:2: bad result \"x\""},
        {HEADER "0 add 1 1 6 5\n", "FILE:2: the return (5) is earlier than the call (6)"},
        {HEADER "0 add 1 1 5 -\n", "FILE:2: it has a result but no time of return"},
        {HEADER "0 add 1 ? 5 6\n", "FILE:2: it has a time of return but no result"},
        {HEADER "0 add 1 1 5 18446744073709551615\n",
         "FILE:2: the time of the return is too large"},
        {HEADER "0 add 1 ? 18446744073709551615 -\n", "FILE:2: the time of the call is too large"},
        {HEADER "0 pop - 1 5 6\n", "FILE:2: a pop with result 1 needs the key"},
        {HEADER "0 pop 1 0 5 6\n", "FILE:2: a pop that found the set empty has no key"},
        {HEADER "0 pop 1 ? 5 -\n", "FILE:2: a pop that never returned has no key"},
        {HEADER "0 snapshot - 1 5 6\n", "FILE:2: bad answered set \"1\""},
        {HEADER "0 snapshot - {1 5 6\n", "FILE:2: \"5\" where the answered set should go on"},
        {HEADER "0 snapshot - {1,\n", "FILE:2: the line ends before the key"},
        {HEADER "0 snapshot - {1\n", "FILE:2: the answered set has no closing brace"},
        {HEADER "0 snapshot - {1,1} 5 6\n", "FILE:2: the answered set has a key twice"},
        {HEADER "0 snapshot - {1}2 5 6\n", "FILE:2: unexpected \"2\""},
        {HEADER "# initial {2,1,2}\n", "FILE:2: the initial set has a key twice"},
        {HEADER "# initial {1}\n# initial {1}\n",
         "FILE:3: the initial set was given before, on line 2"},
        {HEADER_3 "# continued\n0 add 1 1 5 6\n",
         "FILE:1: it carries on from a history before it, and there is none"},
        {HEADER_3 "# initial {1}\n# continued\n", "the initial set was given before, on line 2"},
        {HEADER_3 "# continued\n# initial {1}\n", "the initial set was given before, on line 2"},
        {HEADER_3 "# continued x\n", "FILE:2: unexpected \"x\""},
        {HEADER "# initial 1\n", "FILE:2: bad initial set \"1\""},
        {HEADER "# initial {1} x\n", "FILE:2: unexpected \"x\""},
        {HEADER "0 add \"a 1 5 6\n", "FILE:2: the string has no closing quote"},
        {HEADER "0 add \"a\\q\" 1 5 6\n", "FILE:2: bad escape \\q"},
        {HEADER "0 add \"a\\x\" 1 5 6\n", "FILE:2: bad escape \\x"},
        {HEADER "0 add \"a\\777\" 1 5 6\n", "FILE:2: bad escape \\7"},
        {HEADER "0 add \"a\"b 1 5 6\n", "FILE:2: unexpected \"b\" after a string"},
        {HEADER "0 add \"a\" 1 5 6\n\n0 add 1 1 7 8\n",
         "FILE:4: the key is an integer, on line 2 it was a string"},
        {HEADER "# initial {1}\n0 add \"a\" 1 5 6\n",
         "FILE:3: the key is a string, on line 2 it was an integer"},
        {HEADER "7 add 1 1 5 9\n8 add 1 1 5 9\n7 add 2 1 8 12\n",
         "FILE:4: it overlaps another operation of thread 7, on line 2"},
        {HEADER "7 add 2 1 8 12\n7 add 1 1 5 9\n",
         "FILE:2: it overlaps another operation of thread 7, on line 3"},
        {HEADER "7 add 1 ? 5 -\n7 add 2 1 8 12\n",
         "FILE:3: it overlaps another operation of thread 7, on line 2"},
        {HEADER "0 add 1\t\001 5 6\n", "FILE:2: bad result (unprintable byte 0x01)"},
    };
    struct history history;
    history_init(&history);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct history_error error;
        int status = read_bytes(&history, cases[i].text, strlen(cases[i].text), &error);
        cr_expect_eq(status, -22, "accepted: %s", cases[i].text);
        cr_expect(strstr(error.text, cases[i].message) != NULL,
                  "\"%s\" where \"%s\" was expected for:\n%s", error.text, cases[i].message,
                  cases[i].text);
        cr_expect_eq(history.count, 0);
    }
    history_free(&history);
}

Test(history, text_is_read_as_it_is_meant)
{
    struct history history;
    read_text(&history, HEADER "# a remark\n#initial{ 0x10 , 3 }\n\n"
                               "  5\tadd 0xFF 1 7 7  # a remark\n"
                               "5 add 18446744073709551615 0 7 18446744073709551614\n"
                               "1 snapshot - { 2 , 1 } 0 5\n"
                               "2 pop - ? 3 -\n");
    cr_assert_eq(history.count, 4);
    cr_expect_eq(history.initial_count, 2);
    cr_expect_eq(history.initial[0], 3);
    cr_expect_eq(history.initial[1], 16);
    cr_expect_eq(history.records[0].thread, 5);
    cr_expect_eq(history.records[0].value, 255);
    cr_expect_eq(history.records[1].value, UINT64_MAX);
    cr_expect_eq(history.records[1].ret, UINT64_MAX - 1);
    cr_expect_eq(history.sets[history.records[2].value].count, 2);
    cr_expect_eq(history.set_keys[0], 1);
    cr_expect_eq(history.records[3].ret, HISTORY_PENDING);
    history_free(&history);
}

static const char every_kind[] = HEADER "# initial {1,2,18446744073709551615}\n"
                                        "# thread operation key result invoke return\n"
                                        "0 add 17 1 100 180\n"
                                        "1 contains 17 0 120 130\n"
                                        "2 remove 17 ? 150 -\n"
                                        "3 snapshot - {1,2,18446744073709551615} 200 260\n"
                                        "3 size - 2 270 280\n"
                                        "3 is_empty - 0 281 282\n"
                                        "3 drain - {} 290 299\n"
                                        "3 clear - 4 300 320\n"
                                        "3 clear - ? 321 322\n"
                                        "7 clear - ? 323 -\n"
                                        "3 pop 20 1 330 340\n"
                                        "3 pop - 0 341 342\n"
                                        "3 pop - ? 343 -\n"
                                        "4294967295 snapshot - ? 5 -\n";

static const char every_string[] = HEADER "# initial {\"\",\"a b\"}\n"
                                          "# thread operation key result invoke return\n"
                                          "0 add \"a b\" 0 1 2\n"
                                          "1 add \"\\\"\\\\\\n\\t\\001\\0002\\377{,}#\" 1 1 2\n"
                                          "2 snapshot - {\"\",\"a b\"} 3 4\n"
                                          "2 pop \"\" 1 5 6\n";

Test(history, text_and_binary_round_trip)
{
    const char *const texts[] = {every_kind, every_string, HEADER};
    struct history history, again;
    struct history_error error;
    history_init(&again);
    for (size_t i = 0; i < 3; i++) {
        size_t size;
        read_text(&history, texts[i]);
        char *text = text_of(&history);
        if (history.count > 0)
            cr_expect_str_eq(text, texts[i]);
        char *bytes = binary_of(&history, &size);
        cr_assert_eq(read_bytes(&again, bytes, size, &error), 0, "%s", error.text);
        char *text_again = text_of(&again);
        cr_expect_str_eq(text_again, text);
        free(text);
        free(text_again);
        free(bytes);
        history_free(&history);
    }
    history_free(&again);
}

Test(history, string_escapes_mean_bytes)
{
    struct history history;
    read_text(&history, HEADER "0 add \"a\\x41\\101\\0\" 1 0 1\n0 add \"aAA\\x0\" 0 2 3\n");
    cr_expect_eq(history.records[0].value, history.records[1].value);
    history_free(&history);
}

Test(history, a_cut_or_corrupt_binary_file_is_refused)
{
    const char *const texts[] = {every_kind, every_string};
    struct history history, again;
    struct history_error error;
    history_init(&again);
    for (size_t i = 0; i < 2; i++) {
        size_t size;
        read_text(&history, texts[i]);
        char *bytes = binary_of(&history, &size);
        for (size_t cut = 1; cut < size; cut++) {
            cr_expect_eq(read_bytes(&again, bytes, cut, &error), -22, "cut to %zu bytes", cut);
            cr_expect(strncmp(error.text, "FILE: byte ", 11) == 0, "%s", error.text);
        }
        for (size_t at = 1; at < size; at++) {
            for (int bit = 0; bit < 8; bit++) {
                bytes[at] = (char)(bytes[at] ^ 1 << bit);
                cr_expect_eq(read_bytes(&again, bytes, size, &error), -22, "byte %zu", at);
                cr_expect(strncmp(error.text, "FILE: byte ", 11) == 0, "%s", error.text);
                bytes[at] = (char)(bytes[at] ^ 1 << bit);
            }
        }
        free(bytes);
        history_free(&history);
    }
    history_free(&again);
}

Test(history, a_binary_file_that_makes_no_sense_is_refused)
{
    static const struct {
        struct history_record records[2];
        size_t count;
        const char *message;
    } cases[] = {
        {{{.op = HISTORY_OPS}}, 1, "FILE: byte 72: record 0: unknown operation"},
        {{{.invoke = 2, .ret = 1}}, 1, "FILE: byte 72: record 0: the return is earlier"},
        {{{.invoke = UINT64_MAX, .ret = UINT64_MAX}}, 1, "record 0: the time of the call"},
        {{{.result = 2}}, 1, "record 0: the result is neither 0 nor 1"},
        {{{.op = HISTORY_CLEAR}}, 1, "record 0: the result of clear is neither 1 nor 2"},
        {{{.op = HISTORY_CLEAR, .result = 3}}, 1, "the result of clear is neither 1 nor 2"},
        {{{.op = HISTORY_DRAIN}}, 1, "record 0: the answered set does not exist"},
        {{{.ret = 9}, {.invoke = 8, .ret = 10}},
         2,
         "FILE: byte 82: record 1 overlaps record 0 of the same thread 0"},
    };
    struct history history, again;
    struct history_error error;
    history_init(&history);
    history_init(&again);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        size_t size;
        history_reset(&history);
        cr_assert_eq(history_add_many(&history, cases[i].records, cases[i].count), 0);
        char *bytes = binary_of(&history, &size);
        int status = read_bytes(&again, bytes, size, &error);
        cr_expect_eq(status, -22, "case %zu was accepted", i);
        cr_expect(strstr(error.text, cases[i].message) != NULL, "\"%s\" where \"%s\" was expected",
                  error.text, cases[i].message);
        free(bytes);
    }
    history_free(&history);
    history_free(&again);
}

/* ---- the older binary versions ---- */

struct words {
    uint64_t word[256];
    size_t count;
};

static void put_word(struct words *words, uint64_t word)
{
    cr_assert_lt(words->count, 256);
    words->word[words->count++] = word; /* little-endian, as the machines that run the tests are */
}

static void put_words(struct words *words, const uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_word(words, from[i]);
}

/* The form of versions 1 and 2: see history_fixed.c. */
static void fixed_form(struct words *words, const struct history *history, uint64_t version)
{
    const struct history_strings *strings = history->strings;
    words->count = 0;
    memcpy(&words->word[words->count++], HISTORY_MAGIC, 8);
    const uint64_t header[] = {version,
                               strings != NULL,
                               history->count,
                               history->initial_count,
                               history->set_count,
                               history->set_key_count,
                               strings != NULL ? strings->count : 0,
                               strings != NULL ? strings->byte_count : 0};
    put_words(words, header, 8);
    for (size_t i = 0; i < history->count; i++) {
        const struct history_record *record = &history->records[i];
        put_word(words, record->value);
        put_word(words, record->invoke);
        put_word(words, record->ret);
        put_word(words,
                 record->thread | (uint64_t)record->op << 32 | (uint64_t)record->result << 40);
    }
    put_words(words, history->initial, history->initial_count);
    for (size_t i = 0; i < history->set_count; i++)
        put_word(words, history->sets[i].count);
    put_words(words, history->set_keys, history->set_key_count);
    for (size_t i = 0; strings != NULL && i < strings->count; i++)
        put_word(words, strings->items[i].length);
    for (size_t i = 0; strings != NULL && i < strings->byte_count; i += 8) {
        uint64_t word = 0;
        size_t left = strings->byte_count - i;
        memcpy(&word, strings->bytes + i, left < 8 ? left : 8);
        put_word(words, word);
    }
    uint64_t sum = HISTORY_SUM_START;
    for (size_t i = 0; i < words->count; i++)
        sum = history__sum_word(sum, words->word[i]);
    put_word(words, sum);
}

Test(history, older_binary_versions_are_still_read)
{
    static const char old[] = HEADER_1 "0 clear - 1 5 6\n0 clear - ? 7 -\n";
    const char *const texts[] = {every_kind, every_string, HEADER, old};
    struct history history, again;
    struct history_error error;
    struct words words;
    history_init(&again);
    for (size_t i = 0; i < 4; i++) {
        read_text(&history, texts[i]);
        char *text = text_of(&history);
        fixed_form(&words, &history, i == 3 ? 1 : 2);
        size_t size = words.count * 8;
        cr_assert_eq(read_bytes(&again, (const char *)words.word, size, &error), 0, "%s",
                     error.text);
        char *text_again = text_of(&again);
        cr_expect_str_eq(text_again, text);
        for (size_t cut = 1; cut < size; cut++)
            cr_expect_eq(read_bytes(&again, (const char *)words.word, cut, &error), -22,
                         "cut to %zu bytes", cut);
        for (size_t at = 8; at < size; at++) {
            ((char *)words.word)[at] ^= 16;
            cr_expect_eq(read_bytes(&again, (const char *)words.word, size, &error), -22,
                         "byte %zu", at);
            cr_expect(strncmp(error.text, "FILE: byte ", 11) == 0, "%s", error.text);
            ((char *)words.word)[at] ^= 16;
        }
        free(text);
        free(text_again);
        history_free(&history);
    }
    history_free(&again);
}

Test(history, version_1_has_no_clear_that_counts)
{
    struct history history, again;
    struct history_error error;
    struct words words;
    history_init(&again);
    read_text(&history, HEADER "0 clear - 1 5 6\n");
    fixed_form(&words, &history, 1);
    cr_expect_eq(read_bytes(&again, (const char *)words.word, words.count * 8, &error), -22);
    cr_expect(strstr(error.text, "record 0: a clear counts keys in version 1") != NULL, "%s",
              error.text);
    history_free(&history);
    history_free(&again);
}

/* ---- the binary form of today ---- */

/* Numbers of every length. */
static uint64_t any_number(struct random *random)
{
    uint64_t number = draw(random);
    return number >> below(random, 65 - 1);
}

Test(history, any_record_survives_the_binary_form)
{
    struct history history, again;
    struct history_error error;
    struct random random = {1};
    history_init(&history);
    history_init(&again);
    for (int trial = 0; trial < 200; trial++) {
        history_reset(&history);
        for (uint32_t i = 0; i < 100; i++) {
            struct history_record record = {
                .value = any_number(&random),
                .invoke = any_number(&random) / 2,
                .thread = (uint32_t)(any_number(&random) >> 32 << 8 | i), /* none twice */
                .op = (uint8_t)below(&random, HISTORY_POP),
                .result = (uint8_t)below(&random, 2)};
            record.ret =
                below(&random, 8) ? record.invoke + any_number(&random) / 2 : HISTORY_PENDING;
            cr_assert_eq(history_add(&history, &record), 0);
        }
        size_t size;
        char *bytes = binary_of(&history, &size);
        cr_assert_eq(read_bytes(&again, bytes, size, &error), 0, "%s", error.text);
        cr_assert_eq(again.count, history.count);
        cr_assert_eq(memcmp(again.records, history.records, 100 * sizeof *again.records), 0);
        free(bytes);
    }
    history_free(&history);
    history_free(&again);
}

Test(history, no_count_in_a_header_is_believed)
{
    /* record, initial, set, set key, string and string byte counts */
    for (size_t word = 3; word <= 8; word++) {
        for (uint64_t version = 1; version <= 3; version++) {
            uint64_t header[16] = {0, version, word >= 7};
            struct history history;
            struct history_error error;
            history_init(&history);
            memcpy(header, HISTORY_MAGIC, 8);
            header[word] = word == 3 ? HISTORY_MAX_RECORDS : UINT64_C(1) << 48;
            cr_expect_eq(read_bytes(&history, (const char *)header, sizeof header, &error), -22);
            cr_expect(strncmp(error.text, "FILE: byte ", 11) == 0, "%s", error.text);
            cr_expect_leq(history.capacity, 4096);
            cr_expect_leq(
                history.initial_capacity + history.set_capacity + history.set_key_capacity, 4096);
            header[word] = UINT64_MAX;
            cr_expect_eq(read_bytes(&history, (const char *)header, sizeof header, &error), -22);
            cr_expect(strstr(error.text, "a count in the header is too large") != NULL, "%s",
                      error.text);
            history_free(&history);
        }
    }
}

/* ---- histories one after another ---- */

/* Reads all histories in `bytes`: how many, or the error. */
static int read_rounds(const char *bytes, size_t size, struct history_error *error)
{
    struct history history;
    int status, rounds = 0;
    FILE *file = fmemopen((void *)(uintptr_t)bytes, size, "r");
    cr_assert(file != NULL);
    struct history_reader *reader = history_reader_open(file, "FILE");
    cr_assert(reader != NULL);
    history_init(&history);
    while ((status = history_reader_next(reader, &history, error)) == 1) {
        cr_expect_eq(history.continued, rounds > 0);
        cr_expect_eq(history.count, 2);
        rounds++;
    }
    history_reader_close(reader);
    fclose(file);
    history_free(&history);
    return status == 0 ? rounds : status;
}

static const char three_rounds[] =
    HEADER "0 add \"a\" 1 0 1\n1 add \"b\" 1 0 3\n" HEADER_3
           "# continued\n0 add \"b\" 0 4 6\n1 add \"a\" 0 4 5\n" HEADER_3
           "# continued\n0 remove \"c\" 0 7 8\n1 size - 2 9 9\n";

/* The same in the binary form, with where the histories end. */
static char *binary_rounds(size_t *size, size_t ends[3])
{
    struct history history;
    struct history_error error;
    char *bytes = NULL;
    FILE *text = fmemopen((void *)(uintptr_t)three_rounds, sizeof three_rounds - 1, "r");
    FILE *file = open_memstream(&bytes, size);
    cr_assert(text != NULL && file != NULL);
    struct history_reader *reader = history_reader_open(text, "FILE");
    history_init(&history);
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(history_reader_next(reader, &history, &error), 1);
        cr_assert_eq(history_write_binary(&history, file), 0);
        fflush(file);
        ends[i] = *size;
    }
    history_reader_close(reader);
    history_free(&history);
    fclose(text);
    fclose(file);
    return bytes;
}

Test(history, rounds_are_read_one_after_another)
{
    size_t size, ends[3];
    struct history_error error;
    char *bytes = binary_rounds(&size, ends);
    cr_expect_eq(read_rounds(three_rounds, sizeof three_rounds - 1, &error), 3);
    cr_expect_eq(read_rounds(bytes, size, &error), 3);
    for (size_t cut = 1; cut < size; cut++) {
        int expected = cut == ends[0] ? 1 : cut == ends[1] ? 2 : -22;
        cr_expect_eq(read_rounds(bytes, cut, &error), expected, "cut to %zu bytes", cut);
    }
    for (size_t at = 1; at < size; at++) {
        bytes[at] ^= 4;
        cr_expect_eq(read_rounds(bytes, size, &error), -22, "byte %zu", at);
        bytes[at] ^= 4;
    }
    struct history one;
    history_init(&one);
    cr_expect_eq(read_bytes(&one, bytes, size, &error), -22, "several, where one is wanted");
    cr_expect(strstr(error.text, "there are bytes after the end of the history") != NULL);
    history_free(&one);
    free(bytes);
}

Test(history, rounds_must_follow_one_another)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {HEADER "0 add 1 1 0 5\n1 add 2 1 0 4\n" HEADER_3
                "\n# continued\n0 add 1 0 5 6\n1 add 3 1 9 9\n",
         "FILE:4: it carries on, but begins before the last return of the history before it"},
        {HEADER "0 add 1 1 0 5\n1 add 2 1 0 4\nnonsense\n", "FILE:4: bad thread"},
    };
    for (size_t i = 0; i < 2; i++) {
        struct history_error error;
        cr_expect_eq(read_rounds(cases[i].text, strlen(cases[i].text), &error), -22);
        cr_expect(strstr(error.text, cases[i].message) != NULL, "%s", error.text);
    }
}

Test(history, string_keys_are_carried_on_to_other_numbers)
{
    struct history history;
    struct history_error error;
    FILE *file = fmemopen((void *)(uintptr_t)three_rounds, sizeof three_rounds - 1, "r");
    struct history_reader *reader = history_reader_open(file, "FILE");
    const uint64_t end[] = {1}; /* "b" in the first history, where "a" came first */
    history_init(&history);
    cr_assert_eq(history_reader_next(reader, &history, &error), 1);
    cr_assert_eq(history_reader_next(reader, &history, &error), 1);
    cr_assert_eq(history_set_initial(&history, end, 1), 0);
    cr_assert_eq(history_reader_carry(reader, &history), 0);
    cr_expect_eq(history.initial[0], history.records[0].value);
    history_reader_close(reader);
    fclose(file);
    history_free(&history);
}

Test(history, a_key_twice_leaves_the_history_as_it_was)
{
    const uint64_t good[] = {5, 3}, bad[] = {1, 2, 1};
    uint64_t number;
    struct history history;
    history_init(&history);
    cr_expect_eq(history_set_initial(&history, good, 2), 0);
    cr_expect_eq(history_set_initial(&history, bad, 3), -22);
    cr_expect_eq(history.initial_count, 2);
    cr_expect_eq(history.initial[0], 3);
    cr_expect_eq(history_add_set(&history, bad, 3, &number), -22);
    cr_expect_eq(history.set_count, 0);
    cr_expect_eq(history_add_set(&history, good, 2, &number), 0);
    cr_expect_eq(number, 0);
    cr_expect_eq(history.set_keys[0], 3);
    history_free(&history);
}

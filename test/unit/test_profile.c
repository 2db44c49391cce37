// SPDX-License-Identifier: MIT
/* Leak profiles (observe/profile.c) and what they are written as. */
#define _GNU_SOURCE
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lfset/profile.h"
#include "support.h"

#define PLACE __attribute__((noinline))

static struct lfset_u64 *set_named(const char *name, unsigned rate)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_u64 *set;
    observe.profile_rate = rate;
    options.name = name;
    options.observe = &observe;
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    return set;
}

/* Calls stay calls: a place that ended with one would not be in the stack. */
PLACE void add_at_one_place(struct lfset_u64 *set, uint64_t first, uint64_t count)
{
    for (uint64_t key = first; key < first + count; key++) {
        CHECK_EQ(lfset_u64_add(set, key), 1);
    }
}

PLACE void add_at_another(struct lfset_u64 *set, uint64_t first, uint64_t count)
{
    for (uint64_t key = first; key < first + count; key++) {
        CHECK_EQ(lfset_u64_add(set, key), 1);
    }
}

/* From one call, so that all of it has one stack: volatile keeps the loop a loop. */
PLACE void add_ranges(struct lfset_u64 *set, const uint64_t (*ranges)[2], size_t count)
{
    for (volatile size_t i = 0; i < count; i++) {
        add_at_one_place(set, ranges[i][0], ranges[i][1]);
    }
}

static void remove_keys(struct lfset_u64 *set, uint64_t first, uint64_t count)
{
    for (uint64_t key = first; key < first + count; key++) {
        CHECK_EQ(lfset_u64_remove(set, key), 1);
    }
}

enum { LOOKS_MOST = 8 };

static struct {
    struct lfset_registry *registry;
    struct lfset_observation *observations[LOOKS_MOST];
    size_t count;
} looks;

static void look(void)
{
    if (!looks.registry) {
        CHECK_EQ(lfset_registry_open(&looks.registry, 0), 0);
    }
    CHECK_EQ(lfset_observation_take(looks.registry, &looks.observations[looks.count]), 0);
    looks.count++;
}

static struct lfset_profile *profile_of(const struct lfset_profile_options *options)
{
    struct lfset_profile *profile;
    const struct lfset_observation *const *observations =
        (const struct lfset_observation *const *)looks.observations;
    CHECK_EQ(lfset_profile_make(&profile, observations, looks.count, options), 0);
    return profile;
}

static struct lfset_profile *profile_now(const struct lfset_profile_options *options)
{
    look();
    struct lfset_profile *profile = profile_of(options);
    return profile;
}

static struct lfset_profile *profile_with(enum lfset_profile_values values)
{
    struct lfset_profile_options options = LFSET_PROFILE_INIT;
    options.values = values;
    return profile_of(&options);
}

/* The function that an entry's innermost frame outside of lfset is in. */
static const char *place_of(struct lfset_symbols *symbols, const struct lfset_profile_entry *entry)
{
    for (unsigned i = 0; i < entry->depth; i++) {
        const struct lfset_frame *calls;
        int count = lfset_symbols_find(symbols, entry->frames[i], &calls);
        CHECK(count > 0, "a frame has no calls");
        const char *function = calls[count - 1].function;
        if (function && strncmp(function, "add_at_", 7) == 0) {
            return function;
        }
    }
    return "";
}

/* The entry of a set and a place; NULL: there is none. */
static const struct lfset_profile_entry *entry_find(const struct lfset_profile *profile,
                                                    const char *set, const char *place)
{
    struct lfset_symbols *symbols;
    const struct lfset_profile_entry *found = NULL;
    CHECK_EQ(lfset_symbols_open(&symbols, looks.observations[looks.count - 1]), 0);
    for (size_t i = 0; i < profile->entry_count; i++) {
        const struct lfset_profile_entry *entry = &profile->entries[i];
        if (strcmp(entry->set, set) == 0 && strcmp(place_of(symbols, entry), place) == 0) {
            CHECK(!found, "%s is there twice for set %s", place, set);
            found = entry;
        }
    }
    lfset_symbols_close(symbols);
    return found;
}

static const struct lfset_profile_entry *entry_of(const struct lfset_profile *profile,
                                                  const char *set, const char *place)
{
    const struct lfset_profile_entry *entry = entry_find(profile, set, place);
    CHECK(entry != NULL, "set %s has no entry of %s", set, place);
    return entry;
}

/* ---- counts ------------------------------------------------------------------------------------ */

TEST(profile, counts_by_set_and_stack)
{
    struct lfset_u64 *first = set_named("first", 1), *second = set_named("second", 1);
    add_at_one_place(first, 0, 100);
    add_at_another(first, 100, 30);
    add_at_one_place(second, 0, 7);
    remove_keys(first, 0, 50);
    struct lfset_profile *profile = profile_now(NULL);
    CHECK_EQ(profile->entry_count, 3);
    CHECK_EQ(profile->live, 87);
    CHECK_EQ(profile->bytes, 87 * 8);
    CHECK_EQ(profile->rate, 1);
    CHECK_EQ(profile->observation_count, 1);
    CHECK_EQ(entry_of(profile, "first", "add_at_one_place")->live, 50);
    CHECK_EQ(entry_of(profile, "first", "add_at_one_place")->bytes, 400);
    CHECK_EQ(entry_of(profile, "first", "add_at_another")->live, 30);
    CHECK_EQ(entry_of(profile, "second", "add_at_one_place")->live, 7);
    CHECK_EQ(profile->entries[0].live, 50);
    lfset_profile_free(profile);

    struct lfset_profile_options options = LFSET_PROFILE_INIT;
    options.set = "first";
    profile = profile_of(&options);
    CHECK_EQ(profile->entry_count, 2);
    CHECK_EQ(profile->live, 80);
    lfset_profile_free(profile);
    options.top = 1;
    profile = profile_of(&options);
    CHECK_EQ(profile->entry_count, 1);
    CHECK_EQ(profile->left_out, 1);
    CHECK_EQ(profile->live, 80);
    lfset_profile_free(profile);
    options.set = "nobody";
    profile = profile_of(&options);
    CHECK_EQ(profile->entry_count, 0);
    lfset_profile_free(profile);
}

TEST(profile, sums_sets_of_one_name)
{
    for (uint64_t i = 0; i < 5; i++) {
        add_at_one_place(set_named("same", 1), 0, 10);
    }
    struct lfset_u64 *unnamed = set_named(NULL, 1);
    add_at_one_place(unnamed, 0, 3);
    struct lfset_profile *profile = profile_now(NULL);
    CHECK_EQ(entry_of(profile, "same", "add_at_one_place")->live, 50);
    CHECK_EQ(profile->entry_count, 2);
    CHECK_EQ(profile->entries[1].set[0], '#');
    lfset_profile_free(profile);
}

TEST(profile, scales_by_the_rate)
{
    add_at_one_place(set_named("sampled", 16), 0, 16000);
    struct lfset_profile *profile = profile_now(NULL);
    const struct lfset_profile_entry *entry = entry_of(profile, "sampled", "add_at_one_place");
    CHECK_EQ(profile->rate, 16);
    CHECK_EQ(entry->live, (int64_t)entry->samples * 16);
    CHECK(entry->live > 13000 && entry->live < 19000, "16000 keys are estimated as %" PRId64,
          entry->live);
    lfset_profile_free(profile);
}

/* ---- growth ------------------------------------------------------------------------------------ */

TEST(profile, tells_differences)
{
    struct lfset_u64 *set = set_named("set", 1);
    add_at_one_place(set, 0, 100);
    add_at_another(set, 1000, 100);
    look();
    add_at_one_place(set, 100, 20);
    remove_keys(set, 1000, 60);
    look();
    struct lfset_profile *profile = profile_with(LFSET_PROFILE_CHANGE);
    CHECK_EQ(profile->entry_count, 2);
    CHECK_EQ(entry_of(profile, "set", "add_at_one_place")->live, 20);
    CHECK_EQ(entry_of(profile, "set", "add_at_another")->live, -60);
    CHECK_EQ(entry_of(profile, "set", "add_at_another")->bytes, -480);
    lfset_profile_free(profile);
    profile = profile_with(LFSET_PROFILE_GROWTH);
    CHECK_EQ(profile->entry_count, 1);
    CHECK_EQ(entry_of(profile, "set", "add_at_one_place")->live, 20);
    lfset_profile_free(profile);
    profile = profile_with(LFSET_PROFILE_LIVE);
    CHECK_EQ(entry_of(profile, "set", "add_at_another")->live, 40);
    CHECK_EQ(profile->leaks, 0); // one step proves nothing
    lfset_profile_free(profile);
}

/* A leak in a set where far more keys come and go than leak, in numbers that go up and down. */
TEST(profile, finds_a_leak_in_churn)
{
    static const uint64_t levels[] = {500, 900, 300, 1000, 200, 700};
    struct lfset_u64 *churned = set_named("churned", 1);
    for (uint64_t round = 0; round < sizeof levels / sizeof *levels; round++) {
        // three keys stay, the others are gone before the next round
        uint64_t ranges[][2] = {{3 * round, 3}, {1000000 * (round + 1), levels[round]}};
        add_ranges(churned, (const uint64_t(*)[2])ranges, 2);
        look();
        remove_keys(churned, ranges[1][0], ranges[1][1]);
    }
    struct lfset_profile *profile = profile_of(NULL);
    const struct lfset_profile_entry *entry = entry_of(profile, "churned", "add_at_one_place");
    CHECK(entry->grew, "the leak was not found");
    CHECK_EQ(profile->leaks, 1);
    for (size_t i = 0; i < looks.count; i++) {
        CHECK_EQ(entry->live_each[i], 3 * (i + 1) + levels[i]);
        CHECK_EQ(entry->settled_each[i], i == 0 ? -1 : (int64_t)(3 * i));
    }
    lfset_profile_free(profile);
}

/* A set that is filled and emptied, one that stays as it is, and one that was only slow to fill. */
TEST(profile, takes_no_breathing_for_a_leak)
{
    struct lfset_u64 *breathing = set_named("breathing", 1), *still = set_named("still", 1);
    struct lfset_u64 *filling = set_named("filling", 1);
    add_at_another(still, 0, 1000);
    for (uint64_t round = 0; round < 6; round++) {
        if (round % 3 == 0) {
            lfset_u64_clear(breathing, NULL);
        }
        add_at_one_place(breathing, round * 1000, 100 * (round + 1));
        if (round < 3) {
            add_at_another(filling, round * 1000, 100);
        }
        look();
    }
    struct lfset_profile *profile = profile_of(NULL);
    CHECK(!entry_of(profile, "breathing", "add_at_one_place")->grew, "a set that is emptied leaks");
    CHECK(!entry_of(profile, "still", "add_at_another")->grew, "a set that does not change leaks");
    CHECK(!entry_of(profile, "filling", "add_at_another")->grew, "a set that is full leaks");
    CHECK_EQ(profile->leaks, 0);
    lfset_profile_free(profile);
}

/* ---- names ------------------------------------------------------------------------------------- */

TEST(profile, names_places)
{
    struct lfset_symbols *symbols;
    const struct lfset_frame *calls;
    add_at_one_place(set_named("set", 1), 0, 1);
    struct lfset_profile *profile = profile_now(NULL);
    CHECK_EQ(lfset_symbols_open(&symbols, looks.observations[0]), 0);
    const struct lfset_profile_entry *entry = entry_of(profile, "set", "add_at_one_place");
    bool with_line = false;
    for (unsigned i = 0; i < entry->depth; i++) {
        int count = lfset_symbols_find(symbols, entry->frames[i], &calls);
        const struct lfset_frame *call = &calls[count - 1];
        if (call->function && strcmp(call->function, "add_at_one_place") == 0) {
            with_line = call->file && strstr(call->file, "test_profile.c") && call->line > 0;
        }
    }
    CHECK(with_line, "the place has no line in this file");
    CHECK_EQ(lfset_symbols_find(symbols, 16, &calls), 1);
    CHECK(!calls->function && calls->offset == 16 && !*calls->module, "address 16 is somewhere");
    CHECK_EQ(lfset_symbols_find(symbols, 16, NULL), -EINVAL);
    lfset_symbols_close(symbols);
    lfset_symbols_close(NULL);
    lfset_profile_free(profile);
}

/* ---- writers ----------------------------------------------------------------------------------- */

static char *written(const struct lfset_profile *profile, enum lfset_profile_format format,
                     size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    CHECK_EQ(lfset_profile_write(profile, format, out), 0);
    fclose(out);
    return text;
}

static struct lfset_profile *profile_to_write(void)
{
    struct lfset_u64 *set = set_named("a;set", 1);
    add_at_one_place(set, 0, 100);
    add_at_another(set, 1000, 50);
    look();
    remove_keys(set, 1000, 20);
    look();
    return profile_with(LFSET_PROFILE_CHANGE);
}

#define CONTAINS(text, part) CHECK(strstr(text, part) != NULL, "'%s' is not in\n%s", part, text)
#define LACKS(text, part) CHECK(strstr(text, part) == NULL, "'%s' is in\n%s", part, text)

TEST(profile, is_written_as_text)
{
    size_t size;
    add_at_one_place(set_named("a set", 1), 0, 100);
    struct lfset_profile *profile = profile_now(NULL);
    char *text = written(profile, LFSET_PROFILE_TEXT, &size);
    CONTAINS(text, "100 keys 100.0 %  800 bytes");
    CONTAINS(text, "set a set\n      add_at_one_place  ");
    CONTAINS(text, "test_profile.c:");
    LACKS(text, "lfset_u64_add");
    free(text);
    lfset_profile_free(profile);
}

TEST(profile, is_written_folded)
{
    size_t size;
    add_at_one_place(set_named("a;set", 1), 0, 100);
    struct lfset_profile *profile = profile_now(NULL);
    char *text = written(profile, LFSET_PROFILE_FOLDED, &size);
    CHECK(strncmp(text, "a:set;", 6) == 0, "the set's name is not a frame of its own: %s", text);
    CONTAINS(text, ";add_at_one_place 100\n");
    CHECK(strchr(text, '\n') == text + size - 1, "not one line:\n%s", text);
    free(text);
    lfset_profile_free(profile);
}

TEST(profile, is_written_for_gperftools)
{
    size_t size;
    add_at_one_place(set_named("set", 1), 0, 100);
    struct lfset_profile *profile = profile_now(NULL);
    char *text = written(profile, LFSET_PROFILE_HEAP, &size);
    const char *head = "heap profile:    100:      800 [   100:      800] @ heapprofile\n"
                       "   100:      800 [   100:      800] @ 0x";
    CHECK(strncmp(text, head, strlen(head)) == 0, "begins otherwise:\n%s", text);
    CONTAINS(text, "\nMAPPED_LIBRARIES:\n");
    CONTAINS(text, "/libc.so.6\n");
    free(text);
    lfset_profile_free(profile);
}

TEST(profile, is_written_without_what_is_less)
{
    size_t size;
    struct lfset_profile *profile = profile_to_write();
    CHECK_EQ(profile->live, -20);
    char *text = written(profile, LFSET_PROFILE_FOLDED, &size);
    CHECK_EQ(size, 0);
    free(text);
    text = written(profile, LFSET_PROFILE_HEAP, &size);
    CONTAINS(text, "heap profile:      0:        0 [");
    free(text);
    lfset_profile_free(profile);
}

TEST(profile, is_written_as_json)
{
    size_t size;
    struct lfset_profile *profile = profile_to_write();
    char *text = written(profile, LFSET_PROFILE_JSON, &size);
    json_error_t error;
    json_t *json = json_loadb(text, size, 0, &error);
    CHECK(json != NULL, "line %d: %s", error.line, error.text);
    CHECK_EQ(json_integer_value(json_object_get(json, "live")), -20);
    CHECK_EQ(json_integer_value(json_object_get(json, "observations")), 2);
    json_t *entry = json_array_get(json_object_get(json, "entries"), 0);
    CHECK(strcmp(json_string_value(json_object_get(entry, "set")), "a;set") == 0, "another set");
    CHECK_EQ(json_integer_value(json_array_get(json_object_get(entry, "live_each"), 0)), 50);
    CHECK_EQ(json_integer_value(json_array_get(json_object_get(entry, "live_each"), 1)), 30);
    json_t *frame = json_array_get(json_object_get(entry, "stack"), 0);
    CHECK(strcmp(json_string_value(json_object_get(frame, "name")), "add_at_another") == 0,
          "another place:\n%s", text);
    json_decref(json);
    free(text);
    lfset_profile_free(profile);
}

/* One field of a protobuf message. */
static const unsigned char *field_read(const unsigned char *at, unsigned *field, uint64_t *value)
{
    uint64_t numbers[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        unsigned shift = 0;
        do {
            numbers[i] |= (uint64_t)(*at & 0x7f) << shift;
            shift += 7;
        } while (*at++ & 0x80);
    }
    *field = (unsigned)(numbers[0] >> 3);
    *value = numbers[1];
    return numbers[0] % 8 == 2 ? at + numbers[1] : at;
}

/* What pprof reads is tested in test/profile.sh; here: numbers that are negative, and that all fits. */
TEST(profile, is_written_for_pprof)
{
    size_t size, samples = 0, strings = 0;
    struct lfset_profile *profile = profile_to_write();
    char *data = written(profile, LFSET_PROFILE_PPROF, &size);
    const unsigned char *at = (const unsigned char *)data, *end = at + size;
    const unsigned char minus_20[] = {0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    while (at < end) {
        unsigned field;
        uint64_t value;
        const unsigned char *begin = at;
        at = field_read(at, &field, &value);
        CHECK(field >= 1 && field <= 14 && at <= end, "field %u ends beyond the file", field);
        samples += field == 2;
        strings += field == 6;
        if (field == 2) {
            CHECK(memmem(begin, (size_t)(at - begin), minus_20, sizeof minus_20) != NULL,
                  "no -20 in the sample");
        }
    }
    CHECK(at == end, "the last field ends beyond the file");
    CHECK_EQ(samples, 1);
    CHECK(strings > 10, "only %zu strings", strings);
    free(data);
    lfset_profile_free(profile);
}

/* ---- misuse ------------------------------------------------------------------------------------ */

TEST(profile, refuses_bad_arguments)
{
    struct lfset_profile *profile;
    struct lfset_profile_options options = LFSET_PROFILE_INIT;
    struct lfset_u64 *set = set_named("set", 1);
    add_at_one_place(set, 0, 1);
    look();
    const struct lfset_observation *const *observations =
        (const struct lfset_observation *const *)looks.observations;
    CHECK_EQ(lfset_profile_make(NULL, observations, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_profile_make(&profile, NULL, 1, NULL), -EINVAL);
    CHECK_EQ(lfset_profile_make(&profile, observations, 0, NULL), -EINVAL);
    CHECK_EQ(lfset_profile_make(&profile, observations, 2, NULL), -EINVAL); // the second is NULL
    options.size = 1;
    CHECK_EQ(lfset_profile_make(&profile, observations, 1, &options), -EINVAL);
    options.size = sizeof options;
    options.values = (enum lfset_profile_values)3;
    CHECK_EQ(lfset_profile_make(&profile, observations, 1, &options), -EINVAL);
    CHECK_EQ(lfset_profile_make(&profile, observations, 1, NULL), 0);
    CHECK_EQ(lfset_profile_write(NULL, LFSET_PROFILE_TEXT, stdout), -EINVAL);
    CHECK_EQ(lfset_profile_write(profile, LFSET_PROFILE_TEXT, NULL), -EINVAL);
    CHECK_EQ(lfset_profile_write(profile, (enum lfset_profile_format)5, stdout), -EINVAL);
    FILE *full = fopen("/dev/full", "w");
    for (int format = LFSET_PROFILE_TEXT; format <= LFSET_PROFILE_JSON; format++) {
        CHECK_EQ(lfset_profile_write(profile, (enum lfset_profile_format)format, full), -EIO);
        clearerr(full);
    }
    fclose(full);
    lfset_profile_free(profile);
    lfset_profile_free(NULL);
}

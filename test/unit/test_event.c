// SPDX-License-Identifier: MIT
/* Events as lines for logs: both formats, field by field, and texts that want quoting. */
#define _GNU_SOURCE
#include "support.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lfset/observation.h"
#include "observe/event.h"

static const struct lfset_event stall = {
    .size = sizeof(struct lfset_event),
    .number = 7,
    .kind = LFSET_EVENT_STALL,
    .severity = LFSET_WARNING,
    .time_ns = UINT64_C(1795550400000000123),
    .set = "sessions",
    .set_id = 42,
    .tid = 4711,
    .thread = "worker-3",
    .value = 12.5,
    .limit = 10,
    .seconds = 12.5,
    .confidence = 0.1,
    .objects = 14,
    .bytes = 1048576,
    .stack = 9,
    .text = "worker-3/4711 in a section for 12.5 s",
};

/* The line, without its newline; there must be one, and no other. */
static char *line_of(const struct lfset_event *event, enum lfset_log_format format)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    CHECK_EQ(lfset_event_write(event, format, out), 0);
    fclose(out);
    CHECK(size > 0 && text[size - 1] == '\n' && strlen(text) == size, "no newline at the end");
    text[size - 1] = '\0';
    CHECK(!strchr(text, '\n'), "more than one line: %s", text);
    return text;
}

static void check_line(const struct lfset_event *event, enum lfset_log_format format,
                       const char *want)
{
    char *line = line_of(event, format);
    CHECK(strcmp(line, want) == 0, "\ngot  %s\nwant %s", line, want);
    free(line);
}

TEST(event, logfmt)
{
    check_line(&stall, LFSET_LOGFMT,
               "ts=2026-11-24T20:00:00.000000123Z level=warning event=stall number=7 set=sessions "
               "set_id=42 tid=4711 thread=worker-3 value=12.5 limit=10 seconds=12.5 "
               "confidence=0.1 objects=14 bytes=1048576 stack=9 "
               "msg=\"worker-3/4711 in a section for 12.5 s\"");
}

TEST(event, json)
{
    check_line(
        &stall, LFSET_LOG_JSON,
        "{\"ts\":\"2026-11-24T20:00:00.000000123Z\",\"level\":\"warning\",\"event\":\"stall\","
        "\"number\":7,\"set\":\"sessions\",\"set_id\":42,\"tid\":4711,\"thread\":\"worker-3\","
        "\"value\":12.5,\"limit\":10.0,\"seconds\":12.5,\"confidence\":0.1,\"objects\":14,"
        "\"bytes\":1048576,\"stack\":9,\"msg\":\"worker-3/4711 in a section for 12.5 s\"}");
}

/* Of no set and no thread: all fields are there all the same. */
TEST(event, empty_fields)
{
    struct lfset_event event = {.size = sizeof event, .kind = LFSET_EVENT_FORECAST_END};
    event.confidence = NAN;
    event.seconds = INFINITY;
    check_line(&event, LFSET_LOGFMT,
               "ts=1970-01-01T00:00:00.000000000Z level=info event=forecast_end number=0 set=\"\" "
               "set_id=0 tid=0 thread=\"\" value=0 limit=0 seconds=NaN confidence=NaN objects=0 "
               "bytes=0 stack=0 msg=\"\"");
    char *line = line_of(&event, LFSET_LOG_JSON);
    CHECK(strstr(line, "\"seconds\":null,\"confidence\":null,"), "%s", line);
    free(line);
}

/* The text and how logfmt has it; JSON must give the third back. */
static const struct {
    const char *text, *logfmt, *plain;
} texts[] = {
    {"plain", "plain", "plain"},
    {"two words", "\"two words\"", "two words"},
    {"", "\"\"", ""},
    {"a=b", "\"a=b\"", "a=b"},
    {"say \"hello\"", "\"say \\\"hello\\\"\"", "say \"hello\""},
    {"\"", "\"\\\"\"", "\""},
    {"back\\slash", "\"back\\\\slash\"", "back\\slash"},
    {"one\ntwo\r\tthree", "\"one\\ntwo\\r\\tthree\"", "one\ntwo\r\tthree"},
    {"bell\a\x7f", "\"bell\\u0007\\u007f\"", "bell\a\x7f"},
    {"s\xc3\xa4tze", "s\xc3\xa4tze", "s\xc3\xa4tze"},
    {"\xe2\x82\xac\xf0\x9f\x98\x80", "\xe2\x82\xac\xf0\x9f\x98\x80",
     "\xe2\x82\xac\xf0\x9f\x98\x80"},
    {"caf\xe9", "caf\xef\xbf\xbd", "caf\xef\xbf\xbd"}, /* Latin-1 */
    {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd",
     "\xef\xbf\xbd\xef\xbf\xbd"}, /* too long for its code */
    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
    {"\xf5\x80\x80\x80.", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd.",
     "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd."}, /* beyond U+10FFFF */
    {"cut \xe2\x82", "\"cut \xef\xbf\xbd\xef\xbf\xbd\"", "cut \xef\xbf\xbd\xef\xbf\xbd"},
};

TEST(event, texts)
{
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct lfset_event event = stall;
        char want[256];
        event.set = event.text = texts[i].text;
        char *line = line_of(&event, LFSET_LOGFMT);
        snprintf(want, sizeof want, " set=%s set_id=42 ", texts[i].logfmt);
        CHECK(strstr(line, want), "%zu: %s in %s", i, want, line);
        snprintf(want, sizeof want, " msg=%s", texts[i].logfmt);
        CHECK(strcmp(line + strlen(line) - strlen(want), want) == 0, "%zu: %s", i, line);
        free(line);
        line = line_of(&event, LFSET_LOG_JSON);
        json_error_t error;
        json_t *json = json_loads(line, 0, &error);
        CHECK(json != NULL, "%zu: %s: %s", i, error.text, line);
        const char *got = json_string_value(json_object_get(json, "msg"));
        CHECK(strcmp(got, texts[i].plain) == 0, "%zu: %s", i, got);
        got = json_string_value(json_object_get(json, "set"));
        CHECK(strcmp(got, texts[i].plain) == 0, "%zu: %s", i, got);
        json_decref(json);
        free(line);
    }
}

TEST(event, kinds)
{
    static const char *const names[] = {"stall",    "stall_end",   "limit", "limit_end",
                                        "rate",     "rate_end",    "idle",  "evicted",
                                        "forecast", "forecast_end"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        CHECK(strcmp(lfset__event_kind_name((enum lfset_event_kind)i), names[i]) == 0, "%zu: %s", i,
              lfset__event_kind_name((enum lfset_event_kind)i));
    CHECK(strcmp(lfset__event_kind_name((enum lfset_event_kind)99), "unknown") == 0, "99 is known");
    CHECK(strcmp(lfset__severity_name(LFSET_INFO), "info") == 0, "info");
    CHECK(strcmp(lfset__severity_name(LFSET_ERROR), "error") == 0, "error");
}

TEST(event, bad_arguments)
{
    FILE *out = fopen("/dev/full", "w");
    struct lfset_event event = stall;
    CHECK(out != NULL, "no /dev/full");
    setvbuf(out, NULL, _IONBF, 0);
    CHECK_EQ(lfset_event_write(NULL, LFSET_LOGFMT, out), -EINVAL);
    CHECK_EQ(lfset_event_write(&event, LFSET_LOGFMT, NULL), -EINVAL);
    CHECK_EQ(lfset_event_write(&event, (enum lfset_log_format)9, out), -EINVAL);
    CHECK_EQ(lfset_event_write(&event, LFSET_LOGFMT, out), -EIO);
    CHECK_EQ(lfset_event_write(&event, LFSET_LOG_JSON, out), -EIO);
    event.size--;
    CHECK_EQ(lfset_event_write(&event, LFSET_LOGFMT, out), -EINVAL);
    fclose(out);
}

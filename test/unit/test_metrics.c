// SPDX-License-Identifier: MIT
/* Metrics of observations that are made up. What the formats want is checked in test/metrics.sh. */
#define _GNU_SOURCE
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lfset/observation.h"
#include "support.h"

/* @return what the observation is as metrics; to be freed. */
static char *metrics(const struct lfset_observation *seen, enum lfset_metrics_format format)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    CHECK_EQ(lfset_observation_metrics(seen, format, out), 0);
    fclose(out);
    return text;
}

/* How often a line is there. */
static unsigned lines(const char *text, const char *line)
{
    unsigned count = 0;
    size_t length = strlen(line);
    for (const char *at = text; (at = strstr(at, line)); at += length) {
        count += (at == text || at[-1] == '\n') && at[length] == '\n';
    }
    return count;
}

#define LINE(text, line) CHECK(lines(text, line) == 1, "%s is not there once in\n%s", line, text)

static struct lfset_set_seen made_set(uint64_t id, const char *name, uint64_t live)
{
    return (struct lfset_set_seen){.id = id,
                                   .name = name,
                                   .live = live,
                                   .created_ns = 1000000000 * id,
                                   .changed_ns = 2000000000 * id,
                                   .to_limit = NAN};
}

TEST(metrics, sums_names_and_absences)
{
    struct lfset_set_seen sets[] = {
        made_set(1, "twin", 5),
        made_set(2, "", 1000),
        made_set(3, "a \"b\" \\c\nd\xff", 7),
        made_set(4, "twin", UINT64_C(1) << 60),
    };
    sets[0].counted = 1;
    sets[0].adds = 11;
    sets[3].to_limit = 1.5;
    sets[3].confidence = 0.1;
    sets[3].max_keys = 9;
    sets[3].guarded = 1;
    struct lfset_observation seen = {
        .time_ns = UINT64_C(10000000000), .sets = sets, .set_count = 4, .alive = 1};
    char *text = metrics(&seen, LFSET_METRICS_PROMETHEUS);
    LINE(text, "lfset_sets 4");
    LINE(text, "# TYPE lfset_set_keys gauge");
    LINE(text, "lfset_set_keys{set=\"twin\"} 1152921504606846981");
    LINE(text, "lfset_set_keys{set=\"a \\\"b\\\" \\\\c\\nd\xef\xbf\xbd\"} 7");
    CHECK(strstr(text, "1000\n") == NULL && strstr(text, "set=\"\"") == NULL,
          "a set without a name");
    LINE(text, "lfset_set_instances{set=\"twin\"} 2");
    LINE(text, "lfset_set_age_seconds{set=\"twin\"} 9");
    LINE(text, "lfset_set_idle_seconds{set=\"twin\"} 2");
    LINE(text, "# TYPE lfset_set_adds_total counter");
    LINE(text, "lfset_set_adds_total{set=\"twin\"} 11");
    LINE(text, "lfset_set_forecast_seconds{set=\"twin\"} 1.5");
    LINE(text, "lfset_set_forecast_confidence_ratio{set=\"twin\"} 0.1");
    LINE(text, "lfset_set_limit_keys{set=\"twin\"} 9");
    CHECK(strstr(text, "lfset_set_adds_total{set=\"a") == NULL, "it is not counted");
    CHECK(strstr(text, "lfset_set_limit_keys{set=\"a") == NULL, "it has no limit");
    CHECK(strstr(text, "lfset_set_limit_bytes") == NULL, "none has this limit");
    CHECK(strstr(text, "UNIT") == NULL && strstr(text, "EOF") == NULL, "of the other format");
    free(text);
    text = metrics(&seen, LFSET_METRICS_OPENMETRICS);
    LINE(text, "# TYPE lfset_set_adds counter");
    LINE(text, "lfset_set_adds_total{set=\"twin\"} 11");
    LINE(text, "# UNIT lfset_set_bytes bytes");
    LINE(text, "# EOF");
    free(text);

    seen.set_count = 0;
    text = metrics(&seen, LFSET_METRICS_PROMETHEUS);
    LINE(text, "lfset_sets 0");
    CHECK(strstr(text, "lfset_set_") == NULL, "series vanish with the set");
    free(text);
}

TEST(metrics, stalled_readers)
{
    struct lfset_thread_seen threads[] = {
        {.section_since_ns = 1000000000, .in_section = 1}, // long, but nobody calls it stalled
        {.section_since_ns = 4000000000, .in_section = 1, .stalled = 1},
        {.hazards = {0, 5}, .hazard_since_ns = {0, 3500000000}, .stalled = 1},
    };
    struct lfset_observation seen = {
        .time_ns = UINT64_C(10000000000), .threads = threads, .thread_count = 3, .stalls = 2};
    seen.garbage_bytes[LFSET_HP] = 77;
    char *text = metrics(&seen, LFSET_METRICS_PROMETHEUS);
    LINE(text, "lfset_stalled_readers 2");
    LINE(text, "lfset_stalled_reader_longest_seconds 6.5");
    LINE(text, "lfset_stalls_total 2");
    LINE(text, "lfset_hp_garbage_bytes 77");
    LINE(text, "lfset_rcu_garbage_bytes 0");
    CHECK(strstr(text, "lfset_watcher_") == NULL, "there is no watcher");
    free(text);
}

TEST(metrics, refused)
{
    struct lfset_observation seen = {0};
    FILE *full = fopen("/dev/full", "w");
    CHECK_EQ(lfset_observation_metrics(NULL, LFSET_METRICS_PROMETHEUS, stdout), -EINVAL);
    CHECK_EQ(lfset_observation_metrics(&seen, LFSET_METRICS_PROMETHEUS, NULL), -EINVAL);
    CHECK_EQ(lfset_observation_metrics(&seen, (enum lfset_metrics_format)7, stdout), -EINVAL);
    CHECK_EQ(lfset_observation_metrics(&seen, LFSET_METRICS_PROMETHEUS, full), -EIO);
    fclose(full);
}

// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "show.h"

#include <langinfo.h>
#include <math.h>
#include <string.h>
#include <time.h>

static struct shown scaled(double value, double step, const char *const units[])
{
    struct shown shown;
    int unit = 0;
    double size = fabs(value);
    // 999.95 would be shown as 1000
    for (; size >= step - step / 2000 && units[unit + 1]; unit++) {
        size /= step;
        value /= step;
    }
    int decimals = unit == 0 || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
    snprintf(shown.text, sizeof shown.text, "%.*f%s", decimals, value, units[unit]);
    return shown;
}

struct shown show_count(uint64_t count)
{
    static const char *const units[] = {"", "k", "M", "G", "T", "P", "E", NULL};
    struct shown shown;
    if (count < 1000000) {
        snprintf(shown.text, sizeof shown.text, "%llu", (unsigned long long)count);
        return shown;
    }
    return scaled((double)count, 1000, units);
}

struct shown show_bytes(uint64_t bytes)
{
    static const char *const units[] = {"", "K", "M", "G", "T", "P", "E", NULL};
    return scaled((double)bytes, 1024, units);
}

struct shown show_rate(double per_second)
{
    static const char *const units[] = {"", "k", "M", "G", "T", NULL};
    if (isnan(per_second))
        return (struct shown){"-"};
    if (fabs(per_second) < 0.05)
        return (struct shown){"0"};
    if (fabs(per_second) < 9.95) {
        struct shown shown;
        snprintf(shown.text, sizeof shown.text, "%.1f", per_second);
        return shown;
    }
    return scaled(per_second, 1000, units);
}

struct shown show_seconds(double seconds)
{
    struct shown shown;
    if (isnan(seconds))
        return (struct shown){"-"};
    if (seconds < 0)
        seconds = 0;
    uint64_t whole = seconds > 1e15 ? UINT64_C(1000000000000000) : (uint64_t)seconds;
    unsigned long long days = whole / 86400;
    unsigned hours = (unsigned)(whole / 3600 % 24), minutes = (unsigned)(whole / 60 % 60);
    if (seconds < 0.9995)
        snprintf(shown.text, sizeof shown.text, seconds > 0 ? "%.0fms" : "0s", seconds * 1e3);
    else if (seconds < 9.95)
        snprintf(shown.text, sizeof shown.text, "%.1fs", seconds);
    else if (whole < 60)
        snprintf(shown.text, sizeof shown.text, "%.0fs", floor(seconds));
    else if (whole < 3600)
        snprintf(shown.text, sizeof shown.text, "%um%02us", minutes, (unsigned)(whole % 60));
    else if (whole < 86400)
        snprintf(shown.text, sizeof shown.text, "%uh%02um", hours, minutes);
    else
        snprintf(shown.text, sizeof shown.text, "%llud%02uh", days, hours);
    return shown;
}

struct shown show_ns(uint64_t nanoseconds)
{
    return show_seconds((double)nanoseconds * 1e-9);
}

struct shown show_clock(uint64_t realtime_ns)
{
    struct shown shown;
    time_t seconds = (time_t)(realtime_ns / 1000000000);
    struct tm parts;
    if (!localtime_r(&seconds, &parts) ||
        strftime(shown.text, sizeof shown.text, "%H:%M:%S", &parts) == 0)
        return (struct shown){"?"};
    return shown;
}

// What a file says may be no value of the enumeration.
static const char *word(const char *const words[], size_t count, unsigned value)
{
    return value < count ? words[value] : "unknown";
}
#define WORD(value, ...)                                                                           \
    word((const char *const[]){__VA_ARGS__},                                                       \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *), (unsigned)(value))

const char *show_kind(enum lfset_kind kind)
{
    return WORD(kind, "u64", "bytes", "obj", "bitmap");
}

const char *show_domain(enum lfset_domain domain)
{
    return WORD(domain, "RCU", "HP");
}

const char *show_strategy(enum lfset_strategy strategy)
{
    return WORD(strategy, "notify", "refuse", "evict");
}

const char *show_holder(enum lfset_holder holder)
{
    return WORD(holder, "readers", "snapshot", "iteration");
}

const char *show_severity(enum lfset_severity severity)
{
    return WORD(severity, "info", "warning", "error");
}

const char *show_event_kind(enum lfset_event_kind kind)
{
    return WORD(kind, "stall", "stall end", "limit", "limit end", "rate", "rate end", "idle",
                "evicted", "forecast", "forecast end");
}

// Bytes of the letter that begins here, in UTF-8; 0: it is none.
static size_t letter_length(const char *text)
{
    unsigned char lead = (unsigned char)*text;
    size_t length = lead < 0x80                   ? 1
                    : lead >= 0xc2 && lead < 0xe0 ? 2
                    : lead >= 0xe0 && lead < 0xf0 ? 3
                    : lead >= 0xf0 && lead < 0xf5 ? 4
                                                  : 0;
    for (size_t i = 1; i < length; i++)
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
    unsigned char second = length > 2 ? (unsigned char)text[1] : 0x90;
    bool is_overlong = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    bool is_no_letter = (lead == 0xed && second > 0x9f) || (lead == 0xf4 && second > 0x8f);
    return is_overlong || is_no_letter ? 0 : length;
}

void show_safe(char *text)
{
    while (*text) {
        size_t length = letter_length(text);
        bool is_control = length == 1 && ((unsigned char)*text < ' ' || *text == 0x7f);
        bool is_control_8 =
            length == 2 && (unsigned char)text[0] == 0xc2 && (unsigned char)text[1] < 0xa0;
        if (length == 0 || is_control || is_control_8)
            *text = '?';
        text += is_control_8 || length == 0 ? 1 : length;
    }
}

struct set_name show_set(const struct lfset_set_seen *set)
{
    struct set_name name;
    if (*set->name)
        snprintf(name.text, sizeof name.text, "%s", set->name);
    else
        snprintf(name.text, sizeof name.text, "(no name, id %llu)", (unsigned long long)set->id);
    show_safe(name.text);
    return name;
}

bool show_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

void show_sparkline(char *text, const double *values, unsigned count, unsigned width, bool utf8)
{
    static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const letters[] = {"_", ".", "-", "=", "+", "*", "%", "#"};
    enum { LEVELS = 8 };
    if (width > SPARKLINE_MOST)
        width = SPARKLINE_MOST;
    if (count > width) {
        values += count - width;
        count = width;
    }
    double low = INFINITY, high = -INFINITY;
    for (unsigned i = 0; i < count; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    // less than a fiftieth is no movement that should look like one
    double range = high - low < high / 50 ? INFINITY : high - low;
    char *end = text;
    *end = 0;
    for (unsigned i = 0; i < count; i++) {
        int level = range > 0 ? (int)((values[i] - low) / range * (LEVELS - 0.01)) : 0;
        level = level < 0 ? 0 : level >= LEVELS ? LEVELS - 1 : level;
        end = stpcpy(end, utf8 ? blocks[level] : letters[level]);
    }
}

void show_bar(char *text, double share, unsigned width, bool utf8)
{
    static const char *const eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    if (width > BAR_MOST)
        width = BAR_MOST;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    unsigned parts = (unsigned)(share * width * 8 + 0.5);
    char *end = text;
    *end = 0;
    for (unsigned i = 0; i < parts / 8; i++)
        end = stpcpy(end, utf8 ? "█" : "#");
    if (utf8)
        stpcpy(end, eighths[parts % 8]);
    else if (parts % 8 >= 4)
        stpcpy(end, "#");
}

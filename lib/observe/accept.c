// SPDX-License-Identifier: MIT
/**
 * @file accept.c
 * The Accept header: ranges of media types, with parameters, of which q is a weight.
 */
#define _GNU_SOURCE
#include "observe/accept.h"

#include <string.h>
#include <strings.h>

/* Part of the header, without its end. */
struct text {
    const char *at;
    size_t length;
};

static struct text trimmed(struct text text)
{
    while (text.length > 0 && strchr(" \t", *text.at)) {
        text.at++, text.length--;
    }
    while (text.length > 0 && strchr(" \t", text.at[text.length - 1])) {
        text.length--;
    }
    return text;
}

/* Takes what comes before the next such letter, those in quotes aside, off the text. */
static struct text next_part(struct text *text, char letter)
{
    size_t i = 0;
    bool quoted = false;
    for (; i < text->length && (quoted || text->at[i] != letter); i++) {
        if (quoted && text->at[i] == '\\' && i + 1 < text->length) {
            i++;
        } else if (text->at[i] == '"') {
            quoted = !quoted;
        }
    }
    struct text part = {text->at, i};
    size_t taken = i < text->length ? i + 1 : i;
    text->at += taken;
    text->length -= taken;
    return trimmed(part);
}

static bool is(struct text text, const char *word)
{
    return text.length == strlen(word) && strncasecmp(text.at, word, text.length) == 0;
}

/* In thousandths; -1: it is none. */
static int weight_of(struct text text)
{
    int weight = 0, digit = 1000;
    if (text.length == 0 || text.length > 5 || (text.at[0] != '0' && text.at[0] != '1') ||
        (text.length > 1 && text.at[1] != '.')) {
        return -1;
    }
    for (size_t i = 0; i < text.length; i += i == 0 ? 2 : 1, digit /= 10) {
        if (text.at[i] < '0' || text.at[i] > '9') {
            return -1;
        }
        weight += (text.at[i] - '0') * digit;
    }
    return weight <= 1000 ? weight : -1;
}

/* A format that there is. */
struct offer {
    const char *range, *type, *version;
    int specific; // how closely the range that decided about it named it; 0: none did
    int weight;
};

/* How closely a range names what is offered. 0: it does not cover that. */
static int closeness(const struct offer *offer, struct text range, struct text version)
{
    bool named = is(range, offer->type);
    if (version.length > 0) {
        return named && is(version, offer->version) ? 4 : 0;
    }
    return named ? 3 : is(range, offer->range) ? 2 : is(range, "*/*") ? 1 : 0;
}

static struct text unquoted(struct text text)
{
    if (text.length >= 2 && *text.at == '"' && text.at[text.length - 1] == '"') {
        return (struct text){text.at + 1, text.length - 2};
    }
    return text;
}

/* What a range says about the offers. Parameters that are not known do not matter. */
static void range_read(struct text range, struct offer *offers, int count)
{
    struct text type = next_part(&range, ';'), version = {"", 0};
    int weight = 1000;
    while (range.length > 0) {
        struct text value = next_part(&range, ';');
        struct text name = next_part(&value, '=');
        if (is(name, "q")) {
            weight = weight_of(trimmed(value));
        } else if (is(name, "version")) {
            version = unquoted(trimmed(value));
        }
    }
    for (int i = 0; i < count && weight >= 0; i++) {
        int close = closeness(&offers[i], type, version);
        if (close > offers[i].specific ||
            (close > 0 && close == offers[i].specific && weight > offers[i].weight)) {
            offers[i].specific = close;
            offers[i].weight = weight;
        }
    }
}

bool lfset__accept_choose(const char *accept, enum lfset_metrics_format *format)
{
    struct offer offers[] = {
        [LFSET_METRICS_PROMETHEUS] = {"text/*", "text/plain", "0.0.4", 0, 0},
        [LFSET_METRICS_OPENMETRICS] = {"application/*", "application/openmetrics-text", "1.0.0", 0,
                                       0},
    };
    const struct offer *plain = &offers[LFSET_METRICS_PROMETHEUS];
    const struct offer *open = &offers[LFSET_METRICS_OPENMETRICS];
    struct text rest = trimmed((struct text){accept ? accept : "", accept ? strlen(accept) : 0});
    *format = LFSET_METRICS_PROMETHEUS;
    if (rest.length == 0) {
        return true;
    }
    while (rest.length > 0) {
        range_read(next_part(&rest, ','), offers, 2);
    }
    // wanted as much as the other one, the format counts that was named more closely
    if (open->weight > plain->weight ||
        (open->weight == plain->weight && open->specific > plain->specific)) {
        *format = LFSET_METRICS_OPENMETRICS;
    }
    return plain->weight > 0 || open->weight > 0;
}

// SPDX-License-Identifier: MIT
/*
 * Every condition is told once when it begins and once when it is over, with some room between: a limit is
 * over when the set is a sixteenth below it, a forecast when it was not repeated for a while.
 *
 * What is refused exactly, and what from look to look: max_keys with LFSET_GUARD_REFUSE is kept by the adds
 * themselves (set/observed.h); bytes and rates are only known here, so that adds go on until the next look.
 */
#include "watch/guard.h"

#include <inttypes.h>
#include <math.h> // for NAN and isnan alone
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "platform/memory.h"
#include "watch/expiry.h"
#include "watch/forecast.h"
#include "watch/watcher.h"

static const uint64_t second_ns = 1000000000;
/** A rate is that of so long at least; after so long it is measured anew. */
static const uint64_t rate_shortest_ns = 1000000000, rate_longest_ns = 10000000000;
/** A forecast that was not repeated for so long is over. */
static const uint64_t calm_ns = 900000000000;

struct condition {
    bool on;
    uint64_t since_ns;
};

enum edge { NO_EDGE, BEGINS, ENDS };

struct guard {
    struct condition keys, bytes, rate, forecast;
    struct {
        uint64_t changes, since_ns;
        bool told;
    } idle;
    struct {
        bool begun;
        uint64_t time_ns, keys;
    } anchor; /**< where the rate is measured from */
    uint64_t foreseen_ns,
        foreseen_keys; /**< when a limit was last in sight; how many keys at most */
    struct lfset__forecast window;
};

/** A look at one set. */
struct look {
    struct lfset__about *about;
    struct guard *guard;
    const struct lfset_watch_options *options;
    uint64_t now_ns, keys;
    uint64_t bytes, own_bytes; /**< own: that a clear would free */
};

static uint64_t load(_Atomic(uint64_t) *word)
{
    return atomic_load_explicit(word, memory_order_relaxed);
}

static void store(_Atomic(uint64_t) *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

static void store_double(_Atomic(uint64_t) *word, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    store(word, bits);
}

static enum edge turn(struct condition *condition, bool begins, bool ends, uint64_t now_ns)
{
    if (condition->on ? !ends : !begins) {
        return NO_EDGE;
    }
    condition->on = !condition->on;
    if (condition->on) {
        condition->since_ns = now_ns;
        return BEGINS;
    }
    return ENDS;
}

/* ---- events -------------------------------------------------------------------------------------- */

static __attribute__((format(printf, 3, 4))) void
tell(const struct look *look, struct lfset_event event, const char *format, ...)
{
    const struct lfset__about *about = look->about;
    char text[128];
    event.set = about->name;
    event.set_id = load(&about->record->id);
    event.stack = about->record->stack;
    int length = about->name[0] ? snprintf(text, sizeof text, "%s: ", about->name)
                                : snprintf(text, sizeof text, "set %" PRIu64 ": ", event.set_id);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
    va_end(arguments);
    event.text = text;
    lfset__watch_tell(look->options, &event);
}

static double seconds_since(const struct look *look, uint64_t since_ns)
{
    return look->now_ns > since_ns ? (double)(look->now_ns - since_ns) / (double)second_ns : 0;
}

/** Clears the set; is told when that was possible. */
static void evict(const struct look *look, double limit, const char *why)
{
    const int64_t gone = look->about->ops->clear(look->about);
    if (gone < 0) {
        return; // no memory: again in the next look
    }
    atomic_fetch_add_explicit(&look->about->record->evicted, (uint64_t)gone, memory_order_relaxed);
    tell(look,
         (struct lfset_event){.kind = LFSET_EVENT_EVICTED,
                              .severity = LFSET_WARNING,
                              .value = (double)gone,
                              .limit = limit},
         "cleared, %" PRId64 " keys: %s", gone, why);
}

/* ---- limits -------------------------------------------------------------------------------------- */

static void look_at_limit(const struct look *look, struct condition *condition, uint64_t value,
                          uint64_t limit, const char *unit)
{
    if (limit == 0) {
        return;
    }
    const uint64_t room = limit / 16 > 0 ? limit / 16 : 1;
    const bool refuses = look->about->observe.strategy == LFSET_GUARD_REFUSE;
    const uint64_t since_ns = condition->since_ns;
    struct lfset_event event = {.value = (double)value, .limit = (double)limit};
    switch (turn(condition, value >= limit, value <= limit - room, look->now_ns)) {
    case BEGINS:
        event.kind = LFSET_EVENT_LIMIT;
        event.severity = refuses ? LFSET_ERROR : LFSET_WARNING;
        tell(look, event, "%" PRIu64 " %s; the limit is %" PRIu64 "%s", value, unit, limit,
             refuses ? ": adds are refused" : "");
        break;
    case ENDS:
        event.kind = LFSET_EVENT_LIMIT_END;
        event.severity = LFSET_INFO;
        event.seconds = seconds_since(look, since_ns);
        tell(look, event, "%" PRIu64 " %s, below the limit of %" PRIu64 " again", value, unit,
             limit);
        break;
    case NO_EDGE:
        break;
    }
}

static void look_at_limits(const struct look *look)
{
    const struct lfset_observe *observe = &look->about->observe;
    look_at_limit(look, &look->guard->keys, look->keys, observe->max_keys, "keys");
    look_at_limit(look, &look->guard->bytes, look->bytes, observe->max_bytes, "bytes");
    if (observe->strategy != LFSET_GUARD_EVICT) {
        return;
    }
    if (look->guard->keys.on && look->keys >= observe->max_keys) {
        evict(look, (double)observe->max_keys, "over max_keys");
    } else if (look->guard->bytes.on && look->own_bytes >= observe->max_bytes && look->keys > 0) {
        evict(look, (double)observe->max_bytes, "over max_bytes");
    }
}

static void look_at_rate(const struct look *look)
{
    struct guard *guard = look->guard;
    const uint64_t limit = look->about->observe.max_rate;
    if (limit == 0) {
        return;
    }
    if (!guard->anchor.begun || look->now_ns < guard->anchor.time_ns) {
        guard->anchor.begun = true;
        guard->anchor.time_ns = look->now_ns;
        guard->anchor.keys = look->keys;
    }
    const uint64_t elapsed_ns = look->now_ns - guard->anchor.time_ns;
    if (elapsed_ns < rate_shortest_ns) {
        return;
    }
    const bool refuses = look->about->observe.strategy == LFSET_GUARD_REFUSE;
    const double rate =
        ((double)look->keys - (double)guard->anchor.keys) * (double)second_ns / (double)elapsed_ns;
    const uint64_t since_ns = guard->rate.since_ns;
    struct lfset_event event = {.value = rate, .limit = (double)limit};
    switch (
        turn(&guard->rate, rate > (double)limit, rate <= (double)limit * 15 / 16, look->now_ns)) {
    case BEGINS:
        event.kind = LFSET_EVENT_RATE;
        event.severity = refuses ? LFSET_ERROR : LFSET_WARNING;
        tell(look, event, "grows by %.0f keys a second; the limit is %" PRIu64 "%s", rate, limit,
             refuses ? ": adds are refused" : "");
        break;
    case ENDS:
        event.kind = LFSET_EVENT_RATE_END;
        event.severity = LFSET_INFO;
        event.seconds = seconds_since(look, since_ns);
        tell(look, event, "grows by %.0f keys a second, below the limit of %" PRIu64 " again", rate,
             limit);
        break;
    case NO_EDGE:
        break;
    }
    // While adds are refused the anchor stays: they are, until what came too soon is made up for.
    if (elapsed_ns >= rate_longest_ns && !(refuses && guard->rate.on)) {
        guard->anchor.time_ns = look->now_ns;
        guard->anchor.keys = look->keys;
    }
}

/** Something that differs when the set was changed: exact if it is counted. */
static uint64_t changes_of(struct lfset__about *about)
{
    struct lfset__record *record = about->record;
    if (about->counted) {
        const struct lfset__lane_sums sums = lfset__lanes_sum(about);
        return sums.adds + sums.removes + load(&record->cleared);
    }
    return load(&record->changed_ns) + load(&record->live) + load(&record->cleared);
}

static void look_at_idleness(const struct look *look)
{
    struct guard *guard = look->guard;
    const struct lfset_observe *observe = &look->about->observe;
    const uint64_t changes = changes_of(look->about);
    if (changes != guard->idle.changes || guard->idle.since_ns == 0) {
        guard->idle.changes = changes;
        guard->idle.since_ns = look->now_ns;
        guard->idle.told = false;
    }
    // Nothing can be wrong with a set that is empty.
    if (observe->idle_timeout_ns == 0 || look->keys == 0 || look->now_ns < guard->idle.since_ns ||
        look->now_ns - guard->idle.since_ns < observe->idle_timeout_ns) {
        return;
    }
    const double limit = (double)observe->idle_timeout_ns / (double)second_ns;
    if (!guard->idle.told) {
        guard->idle.told = true;
        const double idle = seconds_since(look, guard->idle.since_ns);
        tell(look,
             (struct lfset_event){.kind = LFSET_EVENT_IDLE,
                                  .severity = LFSET_INFO,
                                  .value = idle,
                                  .limit = limit,
                                  .seconds = idle},
             "nothing changed for %.1f s; %" PRIu64 " keys", idle, look->keys);
    }
    if (observe->strategy == LFSET_GUARD_EVICT) {
        evict(look, limit, "idle");
    }
}

static void refuse(const struct look *look)
{
    if (look->about->observe.strategy == LFSET_GUARD_REFUSE) {
        store(&look->about->record->refusing, look->guard->bytes.on  ? LFSET__REFUSING_BYTES
                                              : look->guard->rate.on ? LFSET__REFUSING_RATE
                                                                     : LFSET__REFUSING_NOTHING);
    }
}

/* ---- forecasts ----------------------------------------------------------------------------------- */

/** How many keys the set will have when its memory reaches max_bytes, if keys go on costing what they cost
 * now. When 13/16 of the slots are taken, twice as many are made, and for a while there are both. */
static double keys_at_limit(const struct look *look)
{
    struct lfset__record *record = look->about->record;
    const double limit = (double)look->about->observe.max_bytes, keys = (double)look->keys;
    const double bound = (double)load(&record->bound);
    double slots = (double)load(&record->capacity), slot_bytes = slots * sizeof(uint64_t);
    if (keys == 0 || slots == 0 || (double)look->bytes >= limit || slot_bytes >= limit) {
        return keys;
    }
    const double per_key = (double)load(&record->key_bytes) / keys;
    // A slot of a bitmap has many keys; elsewhere what is bound beyond the keys is removed ones.
    const double per_slot = record->kind == LFSET_KIND_BITMAP && bound > 0 ? keys / bound : 1;
    for (;;) {
        const double full = slots * 13 / 16 * per_slot;
        if (slot_bytes + per_key * full >= limit) {
            return (limit - slot_bytes) / per_key;
        }
        if (3 * slot_bytes + per_key * full >= limit) {
            return full;
        }
        slots *= 2;
        slot_bytes *= 2;
    }
}

static void look_ahead(const struct look *look)
{
    struct guard *guard = look->guard;
    struct lfset__record *record = look->about->record;
    const struct lfset_observe *observe = &look->about->observe;
    double limit = observe->max_keys ? (double)observe->max_keys : NAN;
    bool by_bytes = false;
    if (observe->max_bytes) {
        const double keys = keys_at_limit(look);
        by_bytes = !(keys >= limit);
        limit = by_bytes ? keys : limit;
    }
    lfset__forecast_add(&guard->window, look->now_ns, (double)look->keys);
    const struct lfset__outlook outlook = lfset__forecast_read(&guard->window, look->now_ns, limit);
    store_double(&record->slope, outlook.slope);
    store_double(&record->to_limit, outlook.told ? outlook.to_limit : NAN);
    store_double(&record->confidence, outlook.confidence);

    const double horizon = (double)look->options->horizon_ns / (double)second_ns;
    const bool soon = outlook.told && outlook.to_limit <= horizon;
    if (soon) {
        guard->foreseen_ns = look->now_ns;
        if (!guard->forecast.on || look->keys > guard->foreseen_keys) {
            guard->foreseen_keys = look->keys;
        }
    }
    const bool over =
        !soon && (seconds_since(look, guard->foreseen_ns) * (double)second_ns >= (double)calm_ns ||
                  look->keys < guard->foreseen_keys / 2);
    const bool late = guard->keys.on || guard->bytes.on; // it is known
    const uint64_t since_ns = guard->forecast.since_ns;
    struct lfset_event event = {
        .value = (double)(by_bytes ? look->bytes : look->keys),
        .limit = (double)(by_bytes ? observe->max_bytes : observe->max_keys),
        .confidence = outlook.confidence,
    };
    switch (turn(&guard->forecast, soon && !late, over, look->now_ns)) {
    case BEGINS:
        event.kind = LFSET_EVENT_FORECAST;
        event.severity = LFSET_WARNING;
        event.seconds = outlook.to_limit;
        tell(look, event, "%.3g keys a second more: at the limit of %.0f %s in %.0f min",
             outlook.slope, event.limit, by_bytes ? "bytes" : "keys", outlook.to_limit / 60);
        break;
    case ENDS:
        event.kind = LFSET_EVENT_FORECAST_END;
        event.severity = LFSET_INFO;
        event.seconds = seconds_since(look, since_ns);
        tell(look, event, "the limit of %.0f %s is not in sight any more", event.limit,
             by_bytes ? "bytes" : "keys");
        break;
    case NO_EDGE:
        break;
    }
}

/* ---- a look -------------------------------------------------------------------------------------- */

void lfset__guard_look(struct lfset__about *about, const struct lfset_watch_options *options,
                       uint64_t now_ns)
{
    if (about->expiry) {
        lfset__expiry_look(about, now_ns);
    }
    if (!about->guard) {
        about->guard =
            lfset__alloc_zeroed(about->allocator, sizeof(struct guard), _Alignof(struct guard));
    }
    if (!about->guard) {
        return; // the next look tries again
    }
    struct lfset__record *record = about->record;
    struct look look = {
        .about = about,
        .guard = about->guard,
        .options = options,
        .now_ns = now_ns,
        .keys = lfset__about_live(about),
        .own_bytes =
            load(&record->slice_bytes) + load(&record->key_bytes) + load(&record->dead_bytes),
    };
    look.bytes = look.own_bytes + load(&record->retired_bytes);
    look_at_limits(&look);
    look_at_rate(&look);
    look_at_idleness(&look);
    refuse(&look);
    look_ahead(&look);
}

void lfset__guard_destroy(struct lfset__about *about)
{
    if (about->guard) {
        lfset__free(about->allocator, about->guard, sizeof(struct guard), _Alignof(struct guard));
        about->guard = NULL;
    }
}

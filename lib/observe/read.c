// SPDX-License-Identifier: MIT
/**
 * @file read.c
 * One look at a registry: its tables, copied into a struct lfset_observation.
 *
 * The process goes on writing meanwhile. What a copy of an entry is of is told by the entry's id, which is
 * read before and after [record.id]; an entry that changed hands meanwhile is read again.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "observe/keep.h"
#include "observe/open.h"

/* A look. */
struct look {
    const struct lfset_registry *registry;
    struct lfset__bytes bytes;
    size_t extent; // the one before which nothing more will be asked for
    struct lfset__kept *kept;
    int error; // the first one; nothing is read any more
};

/* Keeps a text that may lack its end. */
static const char *keep(struct look *look, const char *text, size_t size)
{
    const char *kept = lfset__keep_text(look->kept, text, size);
    look->error = kept ? look->error : -ENOMEM;
    return kept ? kept : "";
}

/* Appends to an array of the observation. */
#define APPEND(look, array, count, item)                                                           \
    do {                                                                                           \
        struct lfset_observation *to = &(look)->kept->seen;                                        \
        void *grown = lfset__keep_item(to->array, to->count, &(item), sizeof(item));               \
        if (grown) {                                                                               \
            to->array = grown;                                                                     \
            to->count++;                                                                           \
        } else {                                                                                   \
            (look)->error = -ENOMEM;                                                               \
        }                                                                                          \
    } while (0)

/* ---- words and entries ----------------------------------------------------------------------------- */

static uint64_t load(const char *at, int order)
{
    const uint64_t *word = (const uint64_t *)(const void *)at;
    return order == __ATOMIC_ACQUIRE ? __atomic_load_n(word, __ATOMIC_ACQUIRE)
                                     : __atomic_load_n(word, __ATOMIC_RELAXED);
}

static void copy_words(void *to, const char *from, size_t size)
{
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = load(from + i, __ATOMIC_RELAXED);
        memcpy((char *)to + i, &word, 8);
    }
}

/* Whether any of these bytes was ever written. To be asked in the order of the offsets. */
static bool is_written(struct look *look, uint64_t offset, uint64_t size)
{
    while (look->extent < look->bytes.extent_count &&
           look->bytes.extents[look->extent].end <= offset) {
        look->extent++;
    }
    return look->extent < look->bytes.extent_count &&
           look->bytes.extents[look->extent].begin < offset + size;
}

/* The first index at or after `index` of whose entry something was written; table->count: none. */
static uint64_t next_written(struct look *look, const struct lfset__table *table, uint64_t index)
{
    if (is_written(look, table->offset + index * table->stride, table->stride)) {
        return index;
    }
    if (look->extent == look->bytes.extent_count) {
        return table->count;
    }
    uint64_t next = (look->bytes.extents[look->extent].begin - table->offset) / table->stride;
    return next < table->count ? next : table->count;
}

enum { TRIES = 4 };

/* Copies an entry, of which the word at id_offset is the id, and calls `more`, if there is one, for what lies
 * elsewhere. @return whether `to` is of one owner; false too for a free entry. */
static bool entry_read(struct look *look, const char *entry, size_t id_offset, uint64_t lowest_id,
                       void *to, size_t size, void (*more)(struct look *, void *, uint64_t),
                       uint64_t index)
{
    for (int i = 0; i < TRIES; i++) {
        uint64_t id = load(entry + id_offset, __ATOMIC_ACQUIRE); // [record.id]
        if (id < lowest_id) {
            return false;
        }
        copy_words(to, entry, size);
        memcpy((char *)to + id_offset, &id, sizeof id);
        if (more) {
            more(look, to, index);
        }
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (load(entry + id_offset, __ATOMIC_RELAXED) == id) {
            return true;
        }
    }
    return false;
}

/* Reads every entry of a table that is not free, and tells `use` about it. */
struct reading {
    size_t id_offset;
    uint64_t lowest_id; // 2 where 1 says that the entry is being written
    size_t size;
    void (*more)(struct look *look, void *entry, uint64_t index);
    void (*use)(struct look *look, const void *entry, uint64_t index);
};

static void table_read(struct look *look, const struct lfset__table *table, struct reading how,
                       void *entry)
{
    look->extent = 0;
    for (uint64_t i = next_written(look, table, 0); i < table->count && !look->error;
         i = i + 1 < table->count ? next_written(look, table, i + 1) : table->count) {
        const char *from = look->bytes.base + table->offset + i * table->stride;
        if (entry_read(look, from, how.id_offset, how.lowest_id, entry, how.size, how.more, i)) {
            how.use(look, entry, i);
        }
    }
}

static void malformed(struct look *look)
{
    look->error = look->error ? look->error : -EBADMSG;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* ---- sets ------------------------------------------------------------------------------------------ */

struct set_copy {
    struct lfset__record record;
    struct lfset__lane sums;
};

static void lanes_sum(struct look *look, void *entry, uint64_t index)
{
    const struct lfset__segment *head = &look->registry->head;
    struct set_copy *copy = entry;
    memset(&copy->sums, 0, sizeof copy->sums);
    if (!(copy->record.flags & LFSET__SET_COUNTED)) {
        return;
    }
    const char *lanes =
        look->bytes.base + head->lane.offset + index * head->lanes * head->lane.stride;
    for (uint32_t i = 0; i < head->lanes; i++) {
        struct lfset__lane lane;
        copy_words(&lane, lanes + (uint64_t)i * head->lane.stride, sizeof lane);
        copy->sums.adds += lane.adds;
        copy->sums.add_calls += lane.add_calls;
        copy->sums.removes += lane.removes;
        copy->sums.remove_calls += lane.remove_calls;
        copy->sums.hits += lane.hits;
        copy->sums.contains_calls += lane.contains_calls;
        copy->sums.refused += lane.refused;
    }
}

/* What is left of more. Of different instants: never less than nothing. */
static uint64_t difference(uint64_t more, uint64_t less)
{
    return more > less ? more - less : 0;
}

static void counts_fill(struct lfset_set_seen *set, const struct set_copy *copy)
{
    const struct lfset__record *record = &copy->record;
    const struct lfset__lane *sums = &copy->sums;
    set->adds = sums->adds;
    set->adds_present = difference(sums->add_calls, sums->adds);
    set->removes = sums->removes;
    set->removes_absent = difference(sums->remove_calls, sums->removes);
    set->hits = sums->hits;
    set->misses = difference(sums->contains_calls, sums->hits);
    set->refused = sums->refused;
    set->cleared = record->cleared;
    set->live =
        set->counted ? difference(sums->adds, sums->removes + record->cleared) : record->live;
}

static void history_fill(struct lfset_set_seen *set, const struct lfset__record *record)
{
    uint64_t count = record->history_count;
    for (uint64_t i = count > LFSET__HISTORY ? count - LFSET__HISTORY : 0; i < count; i++) {
        unsigned at = (unsigned)(i % LFSET__HISTORY);
        if (record->history[at].time_ns) { // else being written
            set->history[set->history_count++] = (struct lfset_look){
                record->history[at].time_ns, record->history[at].live, record->history[at].bytes};
        }
    }
}

static void watched_fill(struct lfset_set_seen *set, const struct lfset__record *record)
{
    set->evicted = record->evicted;
    set->expired = record->expired;
    set->refusing = record->refusing != 0;
    set->slope = double_of(record->slope);
    set->to_limit = double_of(record->to_limit);
    set->confidence = double_of(record->confidence);
    if (record->history_count == 0) { // nobody has forecast anything yet
        set->to_limit = __builtin_nan("");
    }
    set->probed_ns = record->probed_ns;
    for (unsigned i = 0; i < 16; i++) {
        set->probe_lengths[i] = record->probe_lengths[i];
    }
    history_fill(set, record);
}

static void set_use(struct look *look, const void *entry, uint64_t index)
{
    (void)index;
    const struct set_copy *copy = entry;
    const struct lfset__record *record = &copy->record;
    if (record->kind > LFSET_KIND_BITMAP || record->domain > LFSET_HP ||
        record->strategy > LFSET_GUARD_EVICT) {
        malformed(look);
        return;
    }
    struct lfset_set_seen set = {
        .id = record->id,
        .name = keep(look, record->name, sizeof record->name),
        .kind = (enum lfset_kind)record->kind,
        .domain = (enum lfset_domain)record->domain,
        .counted = (record->flags & LFSET__SET_COUNTED) != 0,
        .profiled = (record->flags & LFSET__SET_PROFILED) != 0,
        .guarded = (record->flags & LFSET__SET_GUARDED) != 0,
        .profile_rate = record->profile_rate,
        .created_stack = record->stack,
        .created_ns = record->created_ns,
        .changed_ns = record->changed_ns,
        .capacity = record->capacity,
        .bound = record->bound,
        .slice_bytes = record->slice_bytes,
        .key_bytes = record->key_bytes,
        .dead_bytes = record->dead_bytes,
        .retired_bytes = record->retired_bytes,
        .retired = record->retired,
        .grows = record->grows,
        .purges = record->purges,
        .shrinks = record->shrinks,
        .rehashes = record->rehashes,
        .snapshots = record->snapshots,
        .clears = record->clears,
        .migration_chunks = record->migration_chunks,
        .migration_done = record->migration_done,
        .root = record->root,
        .max_keys = record->max_keys,
        .max_bytes = record->max_bytes,
        .max_rate = record->max_rate,
        .idle_timeout_ns = record->idle_timeout_ns,
        .expiry_ns = record->expiry_ns,
        .strategy = (enum lfset_strategy)record->strategy,
    };
    set.bytes = set.slice_bytes + set.key_bytes + set.dead_bytes + set.retired_bytes;
    counts_fill(&set, copy);
    set.dead = difference(set.bound, set.live);
    watched_fill(&set, record);
    APPEND(look, sets, set_count, set);
}

/* ---- threads, what is retired, samples, events, files, stacks -------------------------------------- */

static void thread_use(struct look *look, const void *entry, uint64_t index)
{
    (void)index;
    const struct lfset__thread_slot *slot = entry;
    uint64_t section = slot->section, since = slot->section_since_ns;
    struct lfset_thread_seen thread = {
        .id = slot->id,
        .tid = slot->tid,
        .name = keep(look, slot->name, sizeof slot->name),
        .attached_ns = slot->attached_ns,
        .in_section = section & 1,
        .section = section,
        // the watcher's last look may have been at another thread, or at a section that is over
        .section_since_ns =
            since >= slot->attached_ns && (section & 1 || slot->reading) ? since : 0,
        .section_site = slot->section_site,
        .section_stack = (unsigned)slot->section_stack,
        .stalled = slot->stalled != 0,
        .reading = slot->reading != 0,
    };
    for (int i = 0; i < 4; i++) {
        thread.hazards[i] = slot->hazards[i];
        thread.hazard_since_ns[i] = slot->hazards[i] ? slot->hazard_since_ns[i] : 0;
    }
    APPEND(look, threads, thread_count, thread);
}

static void retired_use(struct look *look, const void *entry, uint64_t index)
{
    (void)index;
    const struct lfset__retired_entry *from = entry;
    if (from->domain > LFSET_HP || from->holder > LFSET_HELD_BY_ITERATION) {
        malformed(look);
        return;
    }
    struct lfset_retired_seen retired = {
        .address = from->address,
        .bytes = from->bytes,
        .set_id = from->set_id,
        .retired_ns = from->retired_ns,
        .domain = (enum lfset_domain)from->domain,
        .holder = (enum lfset_holder)from->holder,
        .stack = from->stack,
        .tid = from->tid,
    };
    APPEND(look, retired, retired_count, retired);
}

static void event_use(struct look *look, const void *entry, uint64_t index)
{
    (void)index;
    const struct lfset__event_entry *from = entry;
    if (from->kind > LFSET_EVENT_FORECAST_END || from->severity > LFSET_ERROR) {
        malformed(look);
        return;
    }
    struct lfset_event event = {
        .size = sizeof event,
        .number = from->id,
        .kind = (enum lfset_event_kind)from->kind,
        .severity = (enum lfset_severity)from->severity,
        .time_ns = from->time_ns,
        .set = keep(look, from->set, sizeof from->set),
        .set_id = from->set_id,
        .tid = from->tid,
        .thread = keep(look, from->thread, sizeof from->thread),
        .value = from->value,
        .limit = from->limit,
        .seconds = from->seconds,
        .confidence = from->confidence,
        .objects = from->objects,
        .bytes = from->bytes,
        .stack = from->stack,
        .text = keep(look, from->text, sizeof from->text),
    };
    APPEND(look, events, event_count, event);
}

static void module_use(struct look *look, const void *entry, uint64_t index)
{
    (void)index;
    const struct lfset__module *from = entry;
    struct lfset_module_seen module = {
        .path = keep(look, from->path, sizeof from->path),
        .base = from->base,
        .begin = from->begin,
        .end = from->end,
    };
    APPEND(look, modules, module_count, module);
}

static void sample_use(struct look *look, const void *entry, uint64_t index)
{
    (void)index;
    const struct lfset__sample *from = entry;
    if (from->balance <= 0) {
        return;
    }
    struct lfset_sample_seen sample = {
        .set_id = from->set_id,
        .key = from->key,
        .bytes = from->bytes,
        .added_ns = from->added_ns,
        .stack = (unsigned)from->stack,
    };
    APPEND(look, samples, sample_count, sample);
}

static void stack_use(struct look *look, const void *entry, uint64_t index)
{
    struct lfset__kept *kept = look->kept;
    const struct lfset__stack *from = entry;
    uint64_t depth = from->depth;
    if (depth == 0 || depth > LFSET__FRAMES) {
        malformed(look);
        return;
    }
    kept->stacks[index].depth = (unsigned)depth;
    memcpy(kept->stacks[index].frames, from->frames, depth * sizeof *from->frames);
}

/* ---- how long readers have been reading ------------------------------------------------------------ */

static uint64_t later(uint64_t now, uint64_t then)
{
    return then && now > then ? now - then : 0;
}

static void oldest_readers(const struct lfset_observation *seen, uint64_t oldest[2])
{
    for (size_t i = 0; i < seen->thread_count; i++) {
        const struct lfset_thread_seen *thread = &seen->threads[i];
        uint64_t age = later(seen->time_ns, thread->section_since_ns);
        oldest[LFSET_RCU] = age > oldest[LFSET_RCU] ? age : oldest[LFSET_RCU];
        for (int k = 0; k < 4; k++) {
            age = later(seen->time_ns, thread->hazard_since_ns[k]);
            oldest[LFSET_HP] = age > oldest[LFSET_HP] ? age : oldest[LFSET_HP];
        }
    }
}

/* ---- taking ---------------------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void totals_read(struct look *look)
{
    struct lfset_observation *seen = &look->kept->seen;
    struct lfset__segment head;
    copy_words(&head, look->bytes.base, sizeof head);
    seen->pid = look->registry->pid ? look->registry->pid : head.pid;
    seen->program = keep(look, head.program, sizeof head.program);
    seen->library_version = keep(look, head.library_version, sizeof head.library_version);
    seen->time_ns = now_ns();
    seen->realtime_minus_ns = head.realtime_minus_ns;
    seen->started_ns = head.started_ns;
    seen->alive = lfset__registry_is_alive(look->registry);
    seen->sets_unlisted = head.sets_unlisted;
    seen->stacks_lost = head.stacks_lost;
    seen->threads_unlisted = head.threads_unlisted;
    seen->retired_unlisted = head.retired_unlisted;
    seen->samples_lost = head.samples_lost;
    for (int i = 0; i < 2; i++) {
        seen->garbage_objects[i] = head.garbage_objects[i];
        seen->garbage_bytes[i] = head.garbage_bytes[i];
        seen->reclaimed_objects[i] = head.reclaimed_objects[i];
    }
    seen->stalls = head.stalls;
    seen->events_total = head.events_count;
    seen->watcher_period_ns = head.watcher_period_ns;
    seen->watcher_looked_ns = head.watcher_looked_ns;
    seen->stall_ns = head.stall_ns;
}

static void tables_read(struct look *look)
{
    const struct lfset__segment *head = &look->registry->head;
    struct set_copy set;
    struct lfset__thread_slot thread;
    struct lfset__retired_entry retired;
    struct lfset__event_entry event;
    struct lfset__module module;
    struct lfset__sample sample;
    struct lfset__stack stack;

    table_read(look, &head->sets,
               (struct reading){offsetof(struct lfset__record, id), 2, sizeof set.record, lanes_sum,
                                set_use},
               &set);
    table_read(look, &head->threads,
               (struct reading){offsetof(struct lfset__thread_slot, id), 2, sizeof thread, NULL,
                                thread_use},
               &thread);
    table_read(look, &head->retired,
               (struct reading){offsetof(struct lfset__retired_entry, id), 2, sizeof retired, NULL,
                                retired_use},
               &retired);
    table_read(
        look, &head->events,
        (struct reading){offsetof(struct lfset__event_entry, id), 1, sizeof event, NULL, event_use},
        &event);
    table_read(
        look, &head->modules,
        (struct reading){offsetof(struct lfset__module, id), 1, sizeof module, NULL, module_use},
        &module);
    table_read(look, &head->samples,
               (struct reading){offsetof(struct lfset__sample, set_id), 1, sizeof sample, NULL,
                                sample_use},
               &sample);
    table_read(
        look, &head->stacks,
        (struct reading){offsetof(struct lfset__stack, id), 1, sizeof stack, NULL, stack_use},
        &stack);
}

/* qsort declares what it is given to be there, even if there is nothing. */
static void sort(const void *items, size_t count, size_t size,
                 int (*compare)(const void *, const void *))
{
    if (count > 0) {
        qsort((void *)(uintptr_t)items, count, size, compare);
    }
}

static void finish(struct look *look)
{
    struct lfset_observation *seen = &look->kept->seen;
    struct lfset_set_seen *sets = (struct lfset_set_seen *)(uintptr_t)seen->sets;
    uint64_t oldest[2] = {0, 0};
    oldest_readers(seen, oldest);
    for (size_t i = 0; i < seen->set_count; i++) {
        sets[i].oldest_reader_ns = oldest[sets[i].domain];
    }
    sort(seen->sets, seen->set_count, sizeof *seen->sets, lfset__compare_sets);
    sort(seen->events, seen->event_count, sizeof *seen->events, lfset__compare_events);
}

int lfset_observation_take(struct lfset_registry *registry, struct lfset_observation **taken)
{
    if (!registry || !taken) {
        return -EINVAL;
    }
    *taken = NULL;
    struct lfset__kept *kept = lfset__kept_make(registry->head.stacks.count);
    if (!kept) {
        return -ENOMEM;
    }
    struct look look = {.registry = registry, .kept = kept};
    look.error = lfset__bytes_get(registry, &look.bytes);
    if (!look.error) {
        totals_read(&look);
        tables_read(&look);
        lfset__bytes_put(&look.bytes);
        finish(&look);
    }
    if (look.error) {
        lfset_observation_free(&kept->seen);
        return look.error;
    }
    *taken = &kept->seen;
    return 0;
}

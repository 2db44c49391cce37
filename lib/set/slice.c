// SPDX-License-Identifier: MIT
#include "set/slice.h"

#include <errno.h>
#include <string.h>

#include "platform/memory.h"
#include "platform/probes.h"
#include "platform/random.h"
#include "reclaim/rcu.h"
#include "record/samples.h"
#include "set/trace.h"

_Static_assert(sizeof(struct lfset__slice) == 3 * LFSET__LINE &&
                   sizeof(struct lfset__set) == 2 * LFSET__LINE,
               "a set of a few keys must be small");

size_t lfset__slice_bytes(const struct lfset__slice *slice)
{
    return sizeof *slice +
           (lfset__slice_words(slice) + 2 * lfset__bitmap_words(slice->chunks)) * sizeof(uint64_t) +
           (slice->set->nodes ? sizeof *slice->nodes : 0);
}

unsigned lfset__log2_for_live(uint64_t live)
{
    unsigned log2 = LFSET__LOG2_MIN;
    while (log2 < LFSET__LOG2_MAX && live > ((UINT64_C(1) << log2) * 29) >> 6) { // 45 %
        log2++;
    }
    return log2;
}

unsigned lfset__log2_for_capacity(uint64_t capacity)
{
    for (unsigned log2 = LFSET__LOG2_MIN; log2 <= LFSET__LOG2_MAX; log2++) {
        // Below 2^10 slots the reach is short, and only a low fill makes overfull probes unlikely.
        uint64_t percent = log2 < 7 ? 20 : log2 < 10 ? 30 : 60;
        if (capacity <= (UINT64_C(1) << log2) / 100 * percent ||
            (log2 < 7 && capacity <= (UINT64_C(1) << log2) * percent / 100)) {
            return log2;
        }
    }
    return 0;
}

/* Newton's iteration: each step doubles the number of right bits; an odd x is its own inverse
 * mod 8. */
static uint64_t inverse_of(uint64_t x)
{
    uint64_t inverse = x;
    for (int bits = 3; bits < 64; bits *= 2) {
        inverse *= 2 - x * inverse;
    }
    return inverse;
}

struct lfset__slice *lfset__slice_create(struct lfset__set *set, const struct lfset__slice *before,
                                         enum lfset__kind kind, unsigned log2, uint64_t multiplier)
{
    if (log2 > LFSET__LOG2_MAX) {
        return NULL;
    }
    struct lfset__slice shape = {
        .multiplier = multiplier,
        .inverse = inverse_of(multiplier),
        .log2 = (uint8_t)log2,
        .shift = (uint8_t)(64 - log2),
        .kind = (uint8_t)kind,
        .reach = lfset__reach(log2),
        .sample_log2 = (uint8_t)lfset__sample_log2(log2),
        .set = set,
    };
    uint64_t sampled = (UINT64_C(1) << log2) >> shape.sample_log2;
    shape.sample = log2 < LFSET__LOG2_COUNTED - 3 ? 0 : UINT64_C(1) << (64 - shape.sample_log2);
    shape.bound_limit = (uint32_t)(sampled * 13 / 16);
    shape.live_floor = (int32_t)(sampled / 8);
    if (before) {
        bool large = !set->nodes && before->log2 >= LFSET__LOG2_COUNTED;
        shape.chunk_log2 = large ? LFSET__LOG2_CHUNK_LARGE : LFSET__LOG2_CHUNK;
        shape.chunks = ((lfset__slice_words(before) - 1) >> shape.chunk_log2) + 1;
        shape.previous_log2 = before->log2;
        shape.rehashed = multiplier != before->multiplier;
        shape.drops_idle = lfset__droppable(set) > 0;
    }
    size_t bytes = lfset__slice_bytes(&shape);
    struct lfset__slice *slice = lfset__alloc_zeroed(&set->allocator, bytes, LFSET__LINE);
    if (!slice) {
        return NULL;
    }
    memcpy(slice, &shape, sizeof shape);
    if (set->nodes) {
        slice->nodes = (struct lfset__slice_nodes *)(void *)((char *)slice + bytes) - 1;
    }
    lfset__store_rlx(&slice->references, 1);
    lfset__add_rlx(&set->references, 1);
    return slice;
}

void lfset__slice_hold(struct lfset__slice *slice)
{
    lfset__add_rlx(&slice->references, 1);
}

void lfset__set_hold(struct lfset__set *set)
{
    lfset__add_rlx(&set->references, 1);
}

void lfset__set_drop(struct lfset__set *set)
{
    // [set.last] seq_cst: whoever drops the last reference sees that the others are done.
    if (lfset__sub_sc(&set->references, 1) == 1) {
        struct lfset_allocator allocator = set->allocator;
        lfset__free(&allocator, set, (size_t)set->lines * LFSET__LINE, LFSET__LINE);
    }
}

void lfset__slice_drop(struct lfset__slice *slice)
{
    // [slice.last] seq_cst: whoever drops the last reference sees that the others are done.
    if (lfset__sub_sc(&slice->references, 1) == 1) {
        struct lfset__set *set = slice->set;
        if (set->nodes) {
            set->nodes->release(slice);
        }
        lfset__free(&set->allocator, slice, lfset__slice_bytes(slice), LFSET__LINE);
        lfset__set_drop(set);
    }
}

uint64_t lfset__set_multiplier(struct lfset__set *set)
{
    uint64_t state = lfset__add_rlx(&set->random, UINT64_C(0x9e3779b97f4a7c15));
    return lfset__random_next(&state) | 1;
}

static int check_options(const struct lfset_options *options)
{
    if (options->size != sizeof *options ||
        (options->domain != LFSET_RCU && options->domain != LFSET_HP)) {
        return -EINVAL;
    }
    const struct lfset_allocator *allocator = options->allocator;
    return allocator && (!allocator->alloc || !allocator->free) ? -EINVAL : 0;
}

/* What the registry notes, and whether operations take note. */
static int about_init(struct lfset__set *set, const struct lfset__set_type *type,
                      const struct lfset_options *options)
{
    struct lfset__about *about;
    int error = lfset__about_create(&about, set, type->kind, options->domain, type->about,
                                    &set->allocator, options->name, options->observe);
    set->about = about;
    if (about && about->observe.expiry_ns) {
        error = lfset__expiry_create(about);
    }
    if (about && lfset__about_prepare(about)) {
        set->path = (uint8_t)(set->path | LFSET__PATH_OBSERVED);
    }
    set->counts_alone = !about || about->counted;
    return error;
}

static void about_end(struct lfset__about *about)
{
    lfset__expiry_destroy(about);
    lfset__guard_destroy(about);
    lfset__about_free(about);
}

/* The first slice. */
static int set_init(struct lfset__set *set, const struct lfset_options *options)
{
    unsigned log2 = lfset__log2_for_capacity(options->capacity);
    if (log2 == 0) {
        return -ENOMEM;
    }
    lfset__store_rlx(&set->floor_log2, (uint8_t)log2);
    struct lfset__slice *slice =
        lfset__slice_create(set, NULL, LFSET__RESIZE, log2, lfset__set_multiplier(set));
    if (!slice) {
        return -ENOMEM;
    }
    lfset__store_rel(&set->root, slice);
    return 0;
}

int lfset__set_create(struct lfset__set **made, const struct lfset__set_type *type,
                      const struct lfset_options *options)
{
    static const struct lfset_options defaults = LFSET_OPTIONS_INIT;
    *made = NULL;
    if (!options) {
        options = &defaults;
    }
    int error = check_options(options);
    if (!error) {
        error = lfset__reclaim_init(options->domain);
    }
    if (error) {
        return error;
    }
    const struct lfset_allocator *allocator =
        options->allocator ? options->allocator : &lfset__default_allocator;
    struct lfset__set *set = allocator->alloc(allocator->ctx, type->size, LFSET__LINE);
    if (!set) {
        return -ENOMEM;
    }
    memset(set, 0, type->size);
    set->allocator = *allocator;
    set->path = (uint8_t)options->domain;
    set->nodes = type->nodes;
    set->lines = (uint8_t)(type->size / LFSET__LINE);
    lfset__store_rlx(&set->references, 1);
    lfset__store_rlx(&set->random, options->seed ? options->seed : lfset__random_seed());
    error = about_init(set, type, options);
    if (!error) {
        error = set_init(set, options);
    }
    if (error) {
        if (set->about) {
            about_end(set->about);
        }
        lfset__set_drop(set);
        return error;
    }
    lfset__probe(set__create, set, lfset__trace_name(set), options->domain,
                 UINT64_C(1) << lfset__load_rlx(&set->floor_log2));
    *made = set;
    return 0;
}

void lfset__set_list(struct lfset__set *set)
{
    if (set->about) {
        lfset__note_change(set, lfset__load_acq(&set->root));
        lfset__about_list(set->about);
    }
}

void lfset__set_options(const struct lfset__set *set, struct lfset_options *options)
{
    *options = (struct lfset_options)LFSET_OPTIONS_INIT;
    options->domain = lfset__domain(set);
    options->allocator = &set->allocator; // the new set copies it
}

int lfset__set_close(struct lfset__set *set)
{
    if ((lfset__self && lfset__self->sections > 0) ||
        (lfset__domain(set) == LFSET_RCU && lfset__rcu_is_reading()) || lfset__in_callback()) {
        return -EDEADLK; // the section, or the caller itself, might hold back what we wait for
    }
    if (!lfset__thread_attach()) {
        return -ENOMEM;
    }
    struct lfset__about *about = set->about;
    int error = about ? lfset__about_close(about) : 0;
    if (error) {
        return error;
    }
    lfset__probe(set__destroy, set, lfset__trace_name(set));
    lfset__reclaim_drain(lfset__domain(set), set, &set->retired);
    struct lfset__slice *slice = lfset__load_acq(&set->root);
    while (slice) {
        struct lfset__slice *next = lfset__load_acq(&slice->next);
        lfset__slice_drop(slice);
        slice = next;
    }
    if (about) {
        set->about = NULL;
        lfset__samples_cleared(about);
        about_end(about);
    }
    lfset__set_drop(set);
    return 0;
}

uint64_t lfset__count_live(const struct lfset__slice *slice)
{
    uint64_t live = 0;
    size_t words = lfset__slice_words(slice);
    for (size_t i = 0; i < words; i++) {
        live += lfset__load_rlx(&slice->words[i]) & LFSET__LIVE;
    }
    return live;
}

static uint64_t count_bound(const struct lfset__slice *slice)
{
    uint64_t bound = 0;
    size_t words = lfset__slice_words(slice);
    for (size_t i = 0; i < words; i++) {
        bound += (lfset__load_rlx(&slice->words[i]) & LFSET__BOUND) != 0;
    }
    return bound;
}

static void estimate_sampled(const struct lfset__slice *slice, uint64_t *bound, uint64_t *live)
{
    uint64_t counts = lfset__load_rlx(&slice->counts);
    int32_t sampled = (int32_t)(uint32_t)counts; // may dip below 0 while updates are under way
    *live = sampled > 0 ? (uint64_t)sampled << slice->sample_log2 : 0;
    *bound = ((counts - (uint64_t)(int64_t)sampled) >> 32)
             << slice->sample_log2; // undoes the borrow
}

void lfset__estimate(const struct lfset__slice *slice, uint64_t *bound, uint64_t *live)
{
    if (slice->log2 < LFSET__LOG2_COUNTED) {
        *bound = count_bound(slice);
        *live = lfset__count_live(slice);
        return;
    }
    estimate_sampled(slice, bound, live);
}

uint64_t lfset__estimate_live(const struct lfset__slice *root, const struct lfset__slice *next)
{
    uint64_t bound, live, moved;
    lfset__estimate(root, &bound, &live);
    if (!next || next->kind == LFSET__SNAPSHOT) {
        return live;
    }
    uint64_t done = lfset__load_rlx(&next->copying.done);
    lfset__estimate(next, &bound, &moved);
    if (next->kind == LFSET__CLEAR) {
        return lfset__load_rlx(&next->all_frozen) ? moved : live;
    }
    // Keys of finished chunks are counted in the successor.
    uint64_t left = done < next->chunks ? next->chunks - done : 0;
    return (uint64_t)((double)live * (double)left / (double)next->chunks) + moved;
}

static uint64_t live_in(const struct lfset__slice *slice)
{
    uint64_t bound, live;
    if (slice->log2 <= LFSET__LOG2_COUNTED + 2) {
        live = lfset__count_live(slice); // a sample of so few words says too little
    } else {
        lfset__estimate(slice, &bound, &live);
    }
    uint64_t droppable = lfset__droppable(slice->set);
    return live > droppable ? live - droppable : 0;
}

/* Of random keys at the highest fill, 1.3 % of the slots hold one that is FAR from home, and 5.9 % in
 * the worst of 400 slices of 2^9. */
bool lfset__is_clustered(const struct lfset__slice *slice)
{
    return lfset__load_rlx(&slice->clustered) > (UINT64_C(1) << slice->log2) / 16;
}

/* The size of the successor of a slice, if it is to hold `live` keys. */
static unsigned log2_after(struct lfset__set *set, const struct lfset__slice *slice, uint64_t live)
{
    unsigned log2 = lfset__log2_for_live(live);
    unsigned floor = lfset__load_rlx(&set->floor_log2);
    log2 = log2 > floor ? log2 : floor;
    unsigned least = slice->log2 - (unsigned)LFSET__SHRINK_MOST;
    return log2 > least ? log2 : least;
}

struct lfset__plan lfset__plan_resize(struct lfset__set *set, const struct lfset__slice *slice)
{
    uint64_t live = live_in(slice);
    struct lfset__plan plan = {
        .log2 = log2_after(set, slice, live),
        .multiplier = lfset__is_clustered(slice) ? lfset__set_multiplier(set) : slice->multiplier,
    };
    // not when so little is live that it would be sparse afterwards
    if (plan.log2 == slice->log2 + 1u && plan.log2 <= LFSET__LOG2_LEAP &&
        live >= (UINT64_C(1) << slice->log2) * 5 / 8) {
        plan.log2++;
    }
    return plan;
}

/* A key found no slot within its reach. A slice of some size that is not nearly full is badly hashed: it
 * gets another multiplier, and room by what is live. In others dead words are purged if they are many;
 * else the slice must grow. One that is still being filled is not judged by what it holds so far, but
 * it was made with room to spare, so it is badly hashed, too, and too small besides if it was rehashed
 * already. Keys of one hash want more reach, or fewer others among them. */
struct lfset__plan lfset__plan_overfull(struct lfset__set *set, const struct lfset__slice *slice,
                                        bool crowded)
{
    uint64_t live = live_in(slice), bound, ignored;
    lfset__estimate(slice, &bound, &ignored);
    struct lfset__plan plan = {
        .log2 = log2_after(set, slice, live),
        .multiplier = slice->multiplier,
    };
    bool whole = lfset__load_rlx(&set->root) == slice;
    if (crowded) {
        unsigned more = slice->log2 + 1u;
        while (lfset__reach(more) < 1024 && lfset__reach(more) <= slice->reach) {
            more++;
        }
        plan.log2 = plan.log2 > more ? plan.log2 : more;
    } else if (slice->log2 >= 9 && (!whole || bound < (UINT64_C(1) << slice->log2) * 5 / 8)) {
        plan.multiplier = lfset__set_multiplier(set);
        if (!whole) {
            plan.log2 = slice->rehashed ? slice->log2 + 1u : slice->log2;
        }
    } else if (plan.log2 <= slice->log2 && (!whole || live * 2 > bound)) {
        plan.log2 = slice->log2 + 1u;
    }
    return plan;
}

/* A snapshot needs a successor anyway: it purges for free, but does not grow a slice that is full
 * in a normal way, lest it doubles what the set costs. */
struct lfset__plan lfset__plan_snapshot(struct lfset__set *set, const struct lfset__slice *slice)
{
    struct lfset__plan plan = lfset__plan_resize(set, slice);
    if (plan.log2 > slice->log2 && slice->log2 >= LFSET__LOG2_COUNTED &&
        live_in(slice) < (UINT64_C(1) << slice->log2) * 11 / 16) {
        plan.log2 = slice->log2;
    }
    return plan;
}

/* A bitmap's words are regions: how many members they have, its refresh tells. */
static void note_words(struct lfset__set *set, uint64_t bound, uint64_t live)
{
    lfset__note_word(&set->about->record->bound, bound);
    if (set->about->kind != LFSET_KIND_BITMAP) {
        lfset__note_word(&set->about->record->live, live);
    }
}

void lfset__note_change(struct lfset__set *set, struct lfset__slice *slice)
{
    struct lfset__record *record = set->about->record;
    uint64_t bound, live;
    if (slice->sample) { // the least ones have no sample, and no sampled changes
        estimate_sampled(slice, &bound, &live);
        note_words(set, bound, live);
    }
    lfset__note_word(&record->changed_ns, lfset__now_coarse_ns());
}

void lfset__note_succession(struct lfset__set *set, const struct lfset__slice *next)
{
    if (set->about) {
        lfset__note_word(&set->about->record->migration_done, 0);
        lfset__note_word(&set->about->record->migration_chunks, next->chunks);
    }
}

void lfset__note_retired(struct lfset__set *set, struct lfset__retired *retired)
{
    if (set->about) {
        retired->note = (uint16_t)lfset__retired_note(set->about, LFSET_HELD_BY_READERS,
                                                      retired->address, retired->bytes);
        atomic_fetch_add_explicit(&set->about->retired, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&set->about->retired_bytes, retired->bytes, memory_order_relaxed);
        lfset__about_show_retired(set->about);
    }
}

void lfset__note_reclaimed(struct lfset__set *set, const struct lfset__retired *retired)
{
    if (set->about) {
        lfset__retired_gone(retired->note, retired->address);
        atomic_fetch_sub_explicit(&set->about->retired, 1, memory_order_relaxed);
        atomic_fetch_sub_explicit(&set->about->retired_bytes, retired->bytes, memory_order_relaxed);
        lfset__about_show_retired(set->about);
    }
}

unsigned lfset__note_snapshot(struct lfset__set *set, const struct lfset__slice *slice)
{
    return set->about ? lfset__retired_note(set->about, LFSET_HELD_BY_SNAPSHOT, slice,
                                            lfset__slice_bytes(slice))
                      : 0;
}

void lfset__note_successions(const struct lfset__set *set)
{
    struct lfset__record *record = set->about->record;
    lfset__note_word(&record->grows, lfset__load_rlx(&set->grows));
    lfset__note_word(&record->purges, lfset__load_rlx(&set->purges));
    lfset__note_word(&record->shrinks, lfset__load_rlx(&set->shrinks));
    lfset__note_word(&record->rehashes, lfset__load_rlx(&set->rehashes));
    lfset__note_word(&record->snapshots, lfset__load_rlx(&set->snapshots));
    lfset__note_word(&record->clears, lfset__load_rlx(&set->clears));
}

/* What a finished succession leaves in the registry. */
static void note_succeeded(struct lfset__set *set, const struct lfset__slice *next)
{
    struct lfset__record *record = set->about->record;
    uint64_t bound, live;
    lfset__estimate(next, &bound, &live);
    note_words(set, bound, live);
    lfset__note_word(&record->capacity, UINT64_C(1) << next->log2);
    lfset__note_word(&record->slice_bytes,
                     (uint64_t)set->lines * LFSET__LINE + lfset__slice_bytes(next));
    lfset__note_word(&record->root, (uint64_t)(uintptr_t)next);
    lfset__note_successions(set);
    lfset__note_word(&record->migration_chunks, 0);
    lfset__note_word(&record->migration_done, 0);
    lfset__note_word(&record->changed_ns, lfset__now_coarse_ns());
}

void lfset__count_succession(struct lfset__set *set, const struct lfset__slice *next)
{
    if (next->kind == LFSET__SNAPSHOT) {
        lfset__add_rlx(&set->snapshots, 1);
    } else if (next->kind == LFSET__CLEAR) {
        lfset__add_rlx(&set->clears, 1);
    } else if (next->log2 > next->previous_log2) {
        lfset__add_rlx(&set->grows, 1);
    } else if (next->log2 < next->previous_log2) {
        lfset__add_rlx(&set->shrinks, 1);
    } else {
        lfset__add_rlx(&set->purges, 1);
    }
    if (next->rehashed) {
        lfset__add_rlx(&set->rehashes, 1);
    }
    lfset__trace_done(set, next);
    if (set->about) {
        note_succeeded(set, next);
    }
}

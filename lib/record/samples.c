// SPDX-License-Identifier: MIT
/**
 * @file samples.c
 * The table of sampled keys: who added those that are still there.
 *
 * The process keeps the table in memory of its own and only publishes it in the segment; it reads nothing
 * back. So nobody outside can confuse it, and a forked child has the table as it was at the fork, whatever
 * its parent writes meanwhile.
 *
 * A key's place is in the stripe that its hash names: a mutex, LFSET__SAMPLES / STRIPES places, and chains
 * through those in use. Only operations on sampled keys come here, after they are done, and hold the mutex
 * for a few stores; the stack is taken before. A stripe that is full loses the add, which is counted in
 * samples_lost: by chance the first one is lost when the table is some nine tenths full. What is in a
 * place stays there until its key is gone.
 *
 * [samples.look] What a note says is old when it comes: between an update and its note others may have
 * removed, added or cleared the key, and noted that already. So a note does not do what it says, but asks
 * the set whether the key is there now, and makes the table agree. It looks without the mutex, for a look
 * may end in reclaiming, and so in functions of the user's, who may use sets that are sampled; and begins
 * again when the stripe's version shows that another note was faster. So the look of each note comes
 * after all that the notes before it did. Be u the last update of a key (an add, a remove, a clear): it
 * is followed by a note, whose look finds what u left behind, and so does the look of each note after
 * that. Hence, when all notes of a key have come, it has a place exactly if it is in the set (or was
 * lost). Who is blamed is the last add that came here while its key was there; of several that raced,
 * any one.
 *
 * Where the set cannot tell (no contains_fingerprint), notes are balanced: adds minus removes, in any order.
 * A remove's note that comes first leaves -1, which the add's makes 0. That is as exact, but for two things
 * that it cannot know: whether an update that is noted after a clear came before it; and, once a stripe
 * has lost adds, whether a remove belongs to one of them (it assumes so).
 *
 * [samples.count] about->samples is never less than the places that the set has, and counts notes that are
 * under way: a note counts itself before it looks, a clear looks at the count after it took the keys, and
 * all of that is seq_cst. So either the note finds the key gone, or the clear finds the count, goes through
 * the stripes, and the note is there before it, or sees the version change. A set with nothing here
 * pays for that load alone.
 *
 * What a reader outside sees: set_id 0, a free place; else (acquire, [sample.publish]) the words of a key of
 * that set. They are stored one by one, so where a place went from one key to another of the same set
 * meanwhile, a reader may mix the two: one sample of thousands with the stack of its predecessor. It
 * never sees a set that the place was not given to.
 */
#include "record/samples.h"

#include <pthread.h>
#include <stdlib.h>

#include "platform/random.h"

enum { STRIPES = 32, PLACES = LFSET__SAMPLES / STRIPES };

struct sample {
    const struct lfset__about *about; /* NULL: free */
    uint64_t fingerprint;
    int64_t balance; /* never 0 */
    uint64_t stack, bytes, added_ns;
    uint16_t next; /* in its chain, or in the list of free ones: 1 + index; 0: none */
};

struct places {
    struct sample samples[PLACES];
    uint16_t chains[PLACES]; /* 1 + index of the first in each; 0: none */
};

struct stripe {
    _Alignas(LFSET__LINE) pthread_mutex_t lock;
    _Atomic(uint64_t) version; /* notes that were made; changes with the lock. [samples.look] */
    struct places *places;     /* NULL until the first key comes */
    uint16_t free;             /* 1 + index of a place that was used and is free; 0: none */
    uint16_t used;             /* places from here on were never used */
    uint64_t lost; /* adds that did not fit, less the removes that are taken for theirs */
};

#define STRIPE                                                                                     \
    {                                                                                              \
        .lock = PTHREAD_MUTEX_INITIALIZER                                                          \
    }
#define EIGHT_STRIPES STRIPE, STRIPE, STRIPE, STRIPE, STRIPE, STRIPE, STRIPE, STRIPE
static struct stripe stripes[STRIPES] = {EIGHT_STRIPES, EIGHT_STRIPES, EIGHT_STRIPES,
                                         EIGHT_STRIPES};

/* ---- publishing ---------------------------------------------------------------------------------- */

static void store(_Atomic(uint64_t) *word, uint64_t value)
{
    atomic_store_explicit(word, value, memory_order_relaxed);
}

/* Where the place of that number is published. */
static struct lfset__sample *entry_at(const struct stripe *stripe, unsigned place)
{
    struct lfset__segment *segment = lfset__segment_now();
    uint64_t index = (uint64_t)(stripe - stripes) * PLACES + place;
    return (struct lfset__sample *)(void *)((char *)segment + segment->samples.offset +
                                            index * segment->samples.stride);
}

static struct lfset__sample *published(const struct stripe *stripe, const struct sample *sample)
{
    return entry_at(stripe, (unsigned)(sample - stripe->places->samples));
}

static void publish(const struct stripe *stripe, const struct sample *sample)
{
    struct lfset__sample *entry = published(stripe, sample);
    store(&entry->key, sample->fingerprint);
    store(&entry->stack, sample->stack);
    store(&entry->bytes, sample->bytes);
    store(&entry->added_ns, sample->added_ns);
    atomic_store_explicit(&entry->balance, sample->balance, memory_order_relaxed);
    uint64_t id = atomic_load_explicit(&sample->about->record->id, memory_order_relaxed);
    atomic_store_explicit(&entry->set_id, id, memory_order_release); /* [sample.publish] */
}

static void unpublish(const struct stripe *stripe, const struct sample *sample)
{
    store(&published(stripe, sample)->set_id, 0);
    atomic_thread_fence(memory_order_release); /* before the place is another key's */
}

/* ---- places: with the stripe's lock --------------------------------------------------------------- */

struct key {
    struct lfset__about *about;
    uint64_t fingerprint;
    struct stripe *stripe;
    unsigned chain;
};

/* Fingerprints that are sampled have much in common, so they are mixed anew. */
static struct key key_of(struct lfset__about *about, uint64_t fingerprint)
{
    uint64_t state = fingerprint ^ (uint64_t)(uintptr_t)about << 16;
    uint64_t hash = lfset__random_next(&state);
    return (struct key){about, fingerprint, &stripes[hash % STRIPES],
                        (unsigned)(hash / STRIPES % PLACES)};
}

static struct sample *place_find(const struct key *key)
{
    struct places *places = key->stripe->places;
    for (unsigned at = places ? places->chains[key->chain] : 0; at;
         at = places->samples[at - 1].next) {
        struct sample *sample = &places->samples[at - 1];
        if (sample->about == key->about && sample->fingerprint == key->fingerprint) {
            return sample;
        }
    }
    return NULL;
}

/* @return NULL: the stripe is full. */
static struct sample *place_take(const struct key *key)
{
    struct stripe *stripe = key->stripe;
    if (!stripe->places) {
        stripe->places = calloc(1, sizeof *stripe->places);
        if (!stripe->places) {
            return NULL;
        }
    }
    struct places *places = stripe->places;
    unsigned place = stripe->free;
    if (place) {
        stripe->free = places->samples[place - 1].next;
    } else if (stripe->used < PLACES) {
        place = ++stripe->used;
    } else {
        return NULL;
    }
    struct sample *sample = &places->samples[place - 1];
    *sample = (struct sample){
        .about = key->about, .fingerprint = key->fingerprint, .next = places->chains[key->chain]};
    places->chains[key->chain] = (uint16_t)place;
    return sample;
}

static void place_free(const struct key *key, struct sample *sample)
{
    struct stripe *stripe = key->stripe;
    struct places *places = stripe->places;
    unsigned place = (unsigned)(sample - places->samples) + 1;
    uint16_t *link = &places->chains[key->chain];
    while (*link != place) {
        link = &places->samples[*link - 1].next;
    }
    *link = sample->next;
    unpublish(stripe, sample);
    *sample = (struct sample){.next = stripe->free};
    stripe->free = (uint16_t)place;
}

/* ---- notes --------------------------------------------------------------------------------------- */

/* 1: the key is there; 0: it is not; less: the set cannot tell. */
static int look(const struct key *key)
{
    struct lfset__about *about = key->about;
    if (!about->listed) {
        return 0; // it is being destroyed, with its keys
    }
    return about->ops->contains_fingerprint
               ? about->ops->contains_fingerprint(about, key->fingerprint)
               : -1;
}

/* Looks, and comes back with the stripe's lock, nobody having noted anything meanwhile. */
static int look_and_lock(const struct key *key)
{
    struct stripe *stripe = key->stripe;
    for (;;) {
        uint64_t version = atomic_load_explicit(&stripe->version, memory_order_seq_cst);
        int there = look(key);
        pthread_mutex_lock(&stripe->lock);
        if (version == atomic_load_explicit(&stripe->version, memory_order_relaxed)) {
            return there;
        }
        pthread_mutex_unlock(&stripe->lock);
    }
}

static void unlock_noted(const struct key *key)
{
    atomic_fetch_add_explicit(&key->stripe->version, 1, memory_order_seq_cst); // [samples.look]
    pthread_mutex_unlock(&key->stripe->lock);
}

/* What a note says. */
struct change {
    int keys; /* 1: an add; -1: a remove; 0: a clear, or the set's end */
    unsigned stack;
    uint64_t bytes;
};

/* What the table is to have of the key afterwards. 0: nothing. */
static int64_t balance_after(struct stripe *stripe, int64_t balance, int there,
                             const struct change *change)
{
    if (there > 0) {
        // After a remove, without a place: added again, and who did that is still to come and knows the stack.
        return balance == 0 && change->keys < 0 ? 0 : 1;
    }
    if (there == 0 || change->keys == 0) {
        return 0;
    }
    if (balance == 0 && change->keys < 0 && stripe->lost > 0) {
        stripe->lost--;
        return 0;
    }
    return balance + change->keys;
}

static void place_fill(const struct key *key, struct sample *sample, int64_t balance,
                       const struct change *change)
{
    sample->balance = balance;
    if (change->keys > 0) {
        sample->stack = change->stack;
        sample->bytes = change->bytes;
        sample->added_ns = lfset__now_ns();
    }
    publish(key->stripe, sample);
}

/* Makes the table agree. @return how many places more the set has. */
static int place_settle(const struct key *key, int there, const struct change *change)
{
    struct stripe *stripe = key->stripe;
    struct sample *sample = place_find(key);
    int64_t balance = balance_after(stripe, sample ? sample->balance : 0, there, change);
    if (balance == 0) {
        if (sample) {
            place_free(key, sample);
        }
        return sample ? -1 : 0;
    }
    if (sample) {
        place_fill(key, sample, balance, change);
        return 0;
    }
    sample = place_take(key);
    if (sample) {
        place_fill(key, sample, balance, change);
        return 1;
    }
    if (change->keys > 0) {
        stripe->lost++;
        atomic_fetch_add_explicit(&lfset__segment_now()->samples_lost, 1, memory_order_relaxed);
    }
    return 0;
}

static void note(struct lfset__about *about, uint64_t fingerprint, const struct change *change)
{
    struct key key = key_of(about, fingerprint);
    atomic_fetch_add_explicit(&about->samples, 1, memory_order_seq_cst); // [samples.count]
    int there = look_and_lock(&key);
    int more = place_settle(&key, there, change);
    unlock_noted(&key);
    atomic_fetch_add_explicit(&about->samples, (uint64_t)(int64_t)(more - 1), memory_order_seq_cst);
}

/* A set that is alone is in no list that anybody could read. */
static bool is_published(const struct lfset__about *about)
{
    return !about->alone && lfset__segment_now() != NULL;
}

__attribute__((noinline)) void lfset__sample_added(struct lfset__about *about, uint64_t fingerprint,
                                                   uint64_t bytes)
{
    if (is_published(about)) {
        struct change change = {1, lfset__stack_note(1), bytes};
        note(about, fingerprint, &change);
    }
}

void lfset__sample_removed(struct lfset__about *about, uint64_t fingerprint)
{
    if (is_published(about)) {
        note(about, fingerprint, &(struct change){.keys = -1});
    }
}

/* The next place of the set from `at` on. @return false: there is none. */
static bool place_next(struct stripe *stripe, const struct lfset__about *about, unsigned *at,
                       uint64_t *fingerprint)
{
    bool found = false;
    pthread_mutex_lock(&stripe->lock);
    while (!found && *at < stripe->used) {
        const struct sample *sample = &stripe->places->samples[(*at)++];
        found = sample->about == about;
        *fingerprint = sample->fingerprint;
    }
    pthread_mutex_unlock(&stripe->lock);
    return found;
}

void lfset__samples_cleared(struct lfset__about *about)
{
    for (unsigned i = 0; i < STRIPES; i++) {
        if (atomic_load_explicit(&about->samples, memory_order_seq_cst) == 0) { // [samples.count]
            return;
        }
        uint64_t fingerprint;
        for (unsigned at = 0; place_next(&stripes[i], about, &at, &fingerprint);) {
            note(about, fingerprint, &(struct change){0});
        }
    }
}

/* ---- fork ---------------------------------------------------------------------------------------- */

void lfset__samples_before_fork(void)
{
    for (unsigned i = 0; i < STRIPES; i++) {
        pthread_mutex_lock(&stripes[i].lock);
    }
}

void lfset__samples_after_fork_in_parent(void)
{
    for (unsigned i = 0; i < STRIPES; i++) {
        pthread_mutex_unlock(&stripes[i].lock);
    }
}

/* The child's segment may have what its parent wrote after the fork: in places that both use, and in those
 * that the parent was the first to use, which follow and have a balance. */
static void publish_again(const struct stripe *stripe)
{
    unsigned place = 0;
    for (; place < stripe->used; place++) {
        const struct sample *sample = &stripe->places->samples[place];
        store(&entry_at(stripe, place)->set_id, 0);
        if (sample->about) {
            publish(stripe, sample);
        }
    }
    for (; place < PLACES &&
           atomic_load_explicit(&entry_at(stripe, place)->balance, memory_order_relaxed) != 0;
         place++) {
        store(&entry_at(stripe, place)->set_id, 0);
    }
}

/* Notes that other threads were in the middle of stay in the sets' counts, which costs clears a sweep. */
void lfset__samples_after_fork_in_child(void)
{
    bool used = false;
    for (unsigned i = 0; i < STRIPES; i++) {
        stripes[i].lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
        used |= stripes[i].used > 0;
    }
    for (unsigned i = 0; used && i < STRIPES; i++) {
        publish_again(&stripes[i]);
    }
}

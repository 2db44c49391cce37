// SPDX-License-Identifier: MIT
/* Stalled readers: who is reported, once, with what it holds back, and that it is over. Time is a parameter
 * of a look; nothing here waits for it to pass. */
#define _GNU_SOURCE
#include "watch_support.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lfset/obj.h"
#include "reclaim/hp.h"
#include "reclaim/rcu.h"
#include "watch/readers.h"

/* ---- readers ---- */

/* A thread that does something and stays there until it may go on. */
struct reader {
    void (*body)(struct reader *reader);
    void *set;
    struct event there, go;
    int tid;
    const void *known_as; /* liburcu's reader */
    pthread_t thread;
};

static void stay(struct reader *reader)
{
    event_signal(&reader->there);
    event_wait(&reader->go, 1);
}

static void *reader_run(void *arg)
{
    struct reader *reader = arg;
    pthread_setname_np(pthread_self(), "reader");
    reader->tid = (int)syscall(SYS_gettid);
    reader->body(reader);
    return NULL;
}

static void reader_start(struct reader *reader, void (*body)(struct reader *reader), void *set)
{
    *reader = (struct reader){.body = body, .set = set};
    event_init(&reader->there);
    event_init(&reader->go);
    CHECK_EQ(pthread_create(&reader->thread, NULL, reader_run, reader), 0);
    event_wait(&reader->there, 1);
}

static void reader_end(struct reader *reader)
{
    event_signal(&reader->go);
    event_signal(&reader->go);
    CHECK_EQ(pthread_join(reader->thread, NULL), 0);
}

/* Whatever a section protects of the set: in the hazard-pointer domain, its slice. */
static void read_in_section(struct reader *reader)
{
    lfset_section_enter();
    lfset_u64_contains(reader->set, 1);
    stay(reader);
    lfset_section_leave();
    event_signal(&reader->there); /* left, and not ended */
    event_wait(&reader->go, 2);
}

static void stay_in_empty_section(struct reader *reader)
{
    lfset_section_enter();
    stay(reader);
    lfset_section_leave();
}

static void read_and_end(struct reader *reader)
{
    lfset_section_enter();
    lfset_u64_contains(reader->set, 1);
    stay(reader);
}

/* The program's own critical section, of a thread that the library knows. */
static void read_by_itself(struct reader *reader)
{
    lfset_thread_attach();
    program_read_lock();
    stay(reader);
    program_read_unlock();
    event_signal(&reader->there);
    event_wait(&reader->go, 2);
}

static void read_unknown(struct reader *reader)
{
    program_read_lock();
    reader->known_as = lfset__rcu_reader();
    stay(reader);
    program_read_unlock();
}

static struct lfset__thread_slot *slot_of(int tid)
{
    struct lfset__segment *segment = lfset__segment_now();
    for (unsigned i = 0; i < lfset__slots_used(segment); i++) {
        struct lfset__thread_slot *slot = lfset__slot_at(segment, i);
        if (atomic_load(&slot->id) > 1 && slot->tid == tid)
            return slot;
    }
    return NULL;
}

static uint64_t word(_Atomic(uint64_t) *word)
{
    return atomic_load(word);
}

static uint64_t stalls(void)
{
    return word(&lfset__segment_now()->stalls);
}

/* ---- sections ---- */

TEST_BOTH(stalls, section_is_reported_once_and_its_end)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    options.section_rate = 1;
    struct lfset_u64 *set = listed_new(domain, "read");
    look_at_second(&options, 0); /* from here on stacks of sections are kept */
    struct reader reader;
    reader_start(&reader, read_in_section, set);
    look_at_second(&options, 100);
    CHECK_EQ(lfset_u64_add(set, 1), 1);
    CHECK_EQ(lfset_u64_clear(set, NULL), 1); /* retires what the reader may be in */
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    struct lfset_u64_snapshot *snapshot = NULL; /* what it holds is not the reader's */
    CHECK_EQ(lfset_u64_snapshot_take(set, &snapshot, NULL), 0);
    struct lfset_garbage held = garbage(domain);
    look_at_second(&options, 109.9);
    struct lfset__thread_slot *slot = slot_of(reader.tid);
    CHECK(slot != NULL, "the reader has no entry");
    CHECK(word(&slot->section_since_ns) > 0, "nobody saw it in its section");
    CHECK_EQ(word(&slot->stalled), 0);
    CHECK_EQ(events.count, 0);
    look_at_second(&options, 110);
    CHECK_EQ(events.count, 1);
    CHECK_EQ(word(&slot->stalled), 1);
    CHECK_EQ(stalls(), 1);
    const struct lfset_event *event = &events.kept[0];
    CHECK_EQ(event->kind, LFSET_EVENT_STALL);
    CHECK_EQ(event->severity, LFSET_WARNING);
    CHECK_EQ(event->tid, reader.tid);
    CHECK(strcmp(event->thread, "reader") == 0, "thread %s", event->thread);
    CHECK_EQ(event->number, 1);
    CHECK_EQ((int)event->seconds, 10);
    CHECK_EQ((int)event->value, 10);
    CHECK_EQ((int)event->limit, 10);
    CHECK(event->stack > 0, "the stack of its entry was not kept");
    uint64_t site = word(&slot->section_site);
    CHECK(site > 0, "nobody knows where it entered");
    struct lfset__segment *segment = lfset__segment_now();
    const struct lfset__stack *stack =
        (const void *)((char *)segment + segment->stacks.offset +
                       (uint64_t)event->stack * segment->stacks.stride);
#if defined(SUPPORT_ASAN) || defined(__SANITIZE_THREAD__)
    const int extra = 1; /* backtrace is the sanitizer's, and begins with itself */
#else
    const int extra = 0;
#endif
    CHECK(stack->frames[extra] == site, "the stack begins at %#" PRIx64 ", it entered at %#" PRIx64,
          stack->frames[extra], site);
    CHECK(strstr(event->text, ", entered at ") && strstr(event->text, "+0x"), "text: %s",
          event->text);
    CHECK(strstr(event->text, "in a section for 10.0 s"), "text: %s", event->text);
    if (domain == LFSET_RCU) {
        CHECK_EQ(event->objects, held.objects);
        CHECK_EQ(event->bytes, held.bytes);
        CHECK(strstr(event->text, "grace period due for"), "text: %s", event->text);
        CHECK_EQ(word(&slot->reading), 1);
    } else {
        CHECK_EQ(event->objects, 1);
        CHECK(event->bytes > 0 && event->bytes <= held.bytes, "%" PRIu64 " bytes", event->bytes);
        CHECK(word(&slot->hazards[0]) > 0, "its hazard is not shown");
        CHECK_EQ(word(&slot->reading), 0);
    }
    look_at_second(&options, 200);
    CHECK_EQ(events.count, 1);
    event_signal(&reader.go);
    event_wait(&reader.there, 2);
    look_at_second(&options, 201);
    CHECK_EQ(events.count, 2);
    CHECK_EQ(events.kept[1].kind, LFSET_EVENT_STALL_END);
    CHECK_EQ(events.kept[1].severity, LFSET_INFO);
    CHECK_EQ(events.kept[1].tid, reader.tid);
    CHECK_EQ((int)events.kept[1].seconds, 101);
    CHECK_EQ(events.kept[1].objects, event->objects);
    CHECK(strstr(events.texts[1], "left its section"), "text: %s", events.texts[1]);
    CHECK_EQ(word(&slot->stalled), 0);
    CHECK_EQ(word(&slot->section_since_ns), 0);
    CHECK_EQ(word(&slot->hazards[0]), 0);
    CHECK_EQ(lfset_barrier(), 0);
    look_at_second(&options, 300);
    CHECK_EQ(events.count, 2);
    CHECK_EQ(stalls(), 1);
    lfset_u64_snapshot_destroy(snapshot);
    reader_end(&reader);
    set_end(set, NULL);
}

/* A slice that was retired before, and belongs to nobody, is not the reader's fault. */
TEST(stalls, counts_what_was_retired_since)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *set = listed_new(LFSET_RCU, "read");
    struct reader first, second;
    reader_start(&first, read_in_section, set);
    look_at_second(&options, 0);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    reader_start(&second, read_in_section, set);
    look_at_second(&options, 5);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    look_at_second(&options, 100);
    CHECK_EQ(events.count, 2);
    uint64_t of_first = 0, of_second = 0;
    for (size_t i = 0; i < 2; i++)
        *(events.kept[i].tid == first.tid ? &of_first : &of_second) = events.kept[i].objects;
    CHECK_EQ(of_first, of_second + 1);
    CHECK(of_second >= 2, "the second holds back %" PRIu64, of_second);
    reader_end(&first);
    reader_end(&second);
    set_end(set, NULL);
}

/* What sets retire that nobody listed counts, too: it is not told whose it is. */
TEST(stalls, counts_what_is_in_no_table)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *listed = listed_new(LFSET_RCU, "read"),
                     *other = set_new(LFSET_RCU, 0, 0, NULL);
    struct reader reader;
    reader_start(&reader, read_in_section, listed);
    look_at_second(&options, 0);
    CHECK_EQ(lfset_u64_clear(other, NULL), 0);
    look_at_second(&options, 10);
    CHECK_EQ(events.count, 1);
    CHECK_EQ(events.kept[0].objects, garbage(LFSET_RCU).objects);
    CHECK_EQ(events.kept[0].bytes, garbage(LFSET_RCU).bytes);
    CHECK(events.kept[0].objects > 0, "nothing");
    reader_end(&reader);
    set_end(listed, NULL);
    set_end(other, NULL);
}

TEST(stalls, section_that_reads_nothing_holds_nothing)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *set = listed_new(LFSET_RCU, "read");
    struct reader reader;
    reader_start(&reader, stay_in_empty_section, set);
    look_at_second(&options, 0);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    CHECK_EQ(lfset_barrier(), 0);
    look_at_second(&options, 10);
    CHECK_EQ(events.count, 1);
    CHECK_EQ(events.kept[0].objects, 0);
    CHECK(strstr(events.texts[0], "not reading under RCU"), "text: %s", events.texts[0]);
    reader_end(&reader);
    set_end(set, NULL);
}

/* Found in a section at every look, and never in the same. */
TEST_BOTH(stalls, busy_reader_is_none)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *set = listed_new(domain, "read");
    for (int look = 0; look < 40; look++) {
        struct reader reader;
        CHECK_EQ(lfset_u64_clear(set, NULL), 0);
        reader_start(&reader, read_in_section, set);
        look_at_second(&options, look);
        event_signal(&reader.go);
        event_wait(&reader.there, 2);
        CHECK_EQ(lfset_barrier(), 0); /* by the looks' time it takes a second */
        reader_end(&reader);
    }
    CHECK_EQ(events.count, 0);
    set_end(set, NULL);
}

enum { TURNS = 30 };

static void enter_again_and_again(struct reader *reader)
{
    for (size_t i = 1; i <= TURNS; i++) {
        lfset_section_enter();
        lfset_u64_contains(reader->set, i);
        event_signal(&reader->there);
        event_wait(&reader->go, 2 * i - 1);
        lfset_section_leave();
        event_signal(&reader->there);
        event_wait(&reader->go, 2 * i);
    }
}

TEST_BOTH(stalls, busy_thread_is_none)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *set = listed_new(domain, "read");
    struct reader reader;
    reader_start(&reader, enter_again_and_again, set);
    for (size_t turn = 1; turn <= TURNS; turn++) {
        event_wait(&reader.there, 2 * turn - 1);
        CHECK_EQ(lfset_u64_clear(set, NULL), 0);
        look_at_second(&options, (double)turn);
        event_signal(&reader.go);
        event_wait(&reader.there, 2 * turn);
        CHECK_EQ(lfset_barrier(), 0);
        event_signal(&reader.go);
    }
    CHECK_EQ(pthread_join(reader.thread, NULL), 0);
    CHECK_EQ(events.count, 0);
    set_end(set, NULL);
}

TEST_BOTH(stalls, thread_that_ends_while_stalled)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *set = listed_new(domain, "read");
    struct reader reader, next;
    reader_start(&reader, read_and_end, set);
    look_at_second(&options, 0);
    look_at_second(&options, 10);
    CHECK_EQ(events.count, 1);
    struct lfset__thread_slot *slot = slot_of(reader.tid);
    reader_end(&reader);
    look_at_second(&options, 11);
    CHECK_EQ(events.count, 2);
    CHECK_EQ(events.kept[1].kind, LFSET_EVENT_STALL_END);
    CHECK_EQ(events.kept[1].tid, reader.tid);
    CHECK(strstr(events.texts[1], "ended after 11.0 s"), "text: %s", events.texts[1]);
    CHECK_EQ(word(&slot->stalled), 0);
    /* The next thread gets the entry, and has a stall of its own. */
    reader_start(&next, read_and_end, set);
    CHECK(slot_of(next.tid) == slot, "another entry: the test tests nothing");
    look_at_second(&options, 12);
    look_at_second(&options, 21.9);
    CHECK_EQ(events.count, 2);
    look_at_second(&options, 22);
    CHECK_EQ(events.count, 3);
    CHECK_EQ(events.kept[2].tid, next.tid);
    /* And a third one, before the watcher has noticed that the second has ended. */
    int second = next.tid;
    reader_end(&next);
    reader_start(&next, read_and_end, set);
    look_at_second(&options, 30);
    CHECK_EQ(events.count, 4);
    CHECK_EQ(events.kept[3].kind, LFSET_EVENT_STALL_END);
    CHECK_EQ(events.kept[3].tid, second);
    look_at_second(&options, 40);
    CHECK_EQ(events.count, 5);
    CHECK_EQ(events.kept[4].tid, next.tid);
    CHECK_EQ(stalls(), 3);
    reader_end(&next);
    set_end(set, NULL);
}

/* ---- hazards ---- */

/* Two readers, each in a slice of its own of two sets that have moved on. */
TEST(stalls, who_holds_which_hazard)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *one = listed_new(LFSET_HP, "one"), *two = listed_new(LFSET_HP, "two");
    CHECK_EQ(lfset_u64_reserve(two, 1000, NULL), 0);
    uint64_t bytes_of_two = set_stats(two).capacity * 8;
    struct reader readers[2];
    reader_start(&readers[0], read_in_section, one);
    reader_start(&readers[1], read_in_section, two);
    look_at_second(&options, 0);
    uint64_t hazards[2];
    for (int i = 0; i < 2; i++) {
        struct lfset__thread_slot *slot = slot_of(readers[i].tid);
        hazards[i] = word(&slot->hazards[0]);
        CHECK(hazards[i] > 0 && word(&slot->hazard_since_ns[0]) > 0, "no hazard");
    }
    CHECK_EQ(lfset_u64_clear(one, NULL), 0);
    CHECK_EQ(lfset_u64_clear(two, NULL), 0);
    look_at_second(&options, 10);
    CHECK_EQ(events.count, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct lfset_event *event = &events.kept[i];
        bool first = event->tid == readers[0].tid;
        CHECK_EQ(event->objects, 1);
        CHECK((event->bytes >= bytes_of_two) == !first, "%" PRIu64 " bytes", event->bytes);
        CHECK(strcmp(event->set, first ? "one" : "two") == 0, "of the set \"%s\"", event->set);
    }
    CHECK(hazards[0] != hazards[1], "both hold the same");
    reader_end(&readers[0]);
    reader_end(&readers[1]);
    set_end(one, NULL);
    set_end(two, NULL);
}

/* In a growing set an update goes on from one slice to the next, and protects it a second time when it has
 * become the first. */
static void use_growing(struct reader *reader)
{
    lfset_section_enter();
    lfset_u64_add(reader->set, UINT64_MAX - 5);
    stay(reader);
    lfset_u64_contains(reader->set, UINT64_MAX - 5);
    event_signal(&reader->there);
    event_wait(&reader->go, 2);
    lfset_section_leave();
}

TEST(stalls, what_is_held_twice_counts_once)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *set = listed_new(LFSET_HP, "growing");
    struct reader reader;
    uint64_t key = 1;
    while (set_stats(set).capacity < 1 << 14 || set_stats(set).slices < 2)
        CHECK_EQ(lfset_u64_add(set, key++), 1);
    reader_start(&reader, use_growing, set);
    while (set_stats(set).slices > 1)
        CHECK_EQ(lfset_u64_add(set, key++), 1);
    event_signal(&reader.go);
    event_wait(&reader.there, 2);
    look_at_second(&options, 0);
    struct lfset__thread_slot *slot = slot_of(reader.tid);
    uint64_t hazards[LFSET_HP_SLOTS], twice = 0;
    for (int i = 0; i < LFSET_HP_SLOTS; i++) {
        hazards[i] = word(&slot->hazards[i]);
        for (int before = 0; before < i; before++)
            twice += hazards[i] > 0 && hazards[i] == hazards[before];
    }
    CHECK(twice == 1, "nothing is held twice: the test tests nothing");
    CHECK(lfset_u64_clear(set, NULL) > 0, "clear fails");
    look_at_second(&options, 10);
    CHECK_EQ(events.count, 1);
    CHECK_EQ(events.kept[0].objects, 1);
    event_signal(&reader.go);
    CHECK_EQ(pthread_join(reader.thread, NULL), 0);
    set_end(set, NULL);
}

static uint64_t root_of(const char *name)
{
    for (struct lfset__about *about = NULL; (about = lfset__registry_next(about));)
        if (strcmp(about->name, name) == 0) {
            lfset__registry_unpin(about);
            about->ops->refresh(about);
            return word(&about->record->root);
        }
    return 0;
}

/* An allocator that gives back the block that was freed last. */
static struct {
    pthread_mutex_t lock;
    void *blocks[64];
    size_t sizes[64], count;
} stock = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void *stock_alloc(void *ctx, size_t size, size_t align)
{
    void *block = NULL;
    (void)ctx;
    pthread_mutex_lock(&stock.lock);
    for (size_t i = stock.count; i-- > 0 && !block;)
        if (stock.sizes[i] == size) {
            block = stock.blocks[i];
            stock.count--;
            memmove(&stock.blocks[i], &stock.blocks[i + 1], (stock.count - i) * sizeof(void *));
            memmove(&stock.sizes[i], &stock.sizes[i + 1], (stock.count - i) * sizeof(size_t));
        }
    pthread_mutex_unlock(&stock.lock);
    return block ? block : aligned_alloc(align, (size + align - 1) / align * align);
}

static void stock_free(void *ctx, void *block, size_t size, size_t align)
{
    (void)ctx, (void)align;
    pthread_mutex_lock(&stock.lock);
    stock.blocks[stock.count] = block;
    stock.sizes[stock.count++] = size;
    pthread_mutex_unlock(&stock.lock);
}

/* It names a retired object at every look, at the same address, and each time another one. */
TEST(stalls, busy_hazard_is_none)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    const struct lfset_allocator allocator = {NULL, stock_alloc, stock_free, 0};
    struct lfset_options wanted = LFSET_OPTIONS_INIT;
    wanted.domain = LFSET_HP;
    wanted.name = "read";
    wanted.allocator = &allocator;
    struct lfset_u64 *set = NULL;
    CHECK_EQ(lfset_u64_create(&set, &wanted), 0);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    CHECK_EQ(lfset_barrier(), 0);
    struct reader reader;
    uint64_t root = root_of("read"), found = 0;
    reader_start(&reader, enter_again_and_again, set);
    for (size_t turn = 1; turn <= TURNS; turn++) {
        event_wait(&reader.there, 2 * turn - 1);
        CHECK_EQ(lfset_u64_clear(set, NULL), 0);
        look_at_second(&options, (double)turn);
        found += word(&slot_of(reader.tid)->hazards[0]) == root;
        event_signal(&reader.go);
        event_wait(&reader.there, 2 * turn);
        for (int i = 0; i < 100; i++) { /* until the allocator returns to the address */
            CHECK_EQ(lfset_barrier(), 0);
            if (root_of("read") == root)
                break;
            CHECK_EQ(lfset_u64_clear(set, NULL), 0);
        }
        event_signal(&reader.go);
    }
    CHECK_EQ(pthread_join(reader.thread, NULL), 0);
    CHECK_EQ(events.count, 0);
    CHECK_EQ(found, TURNS);
    set_end(set, NULL);
    while (stock.count > 0)
        free(stock.blocks[--stock.count]);
}

/* An operation in whose callback somebody sleeps: there is a hazard, and no section. */
static struct reader *sleeper;

static uint64_t hash_nothing(void *ctx, const void *key)
{
    (void)ctx, (void)key;
    return 7;
}

static int sleep_in_equal(void *ctx, const void *object, const void *key)
{
    (void)ctx;
    if (key == (const void *)sleeper) {
        stay(sleeper);
        return 0;
    }
    return object == key;
}

static void ask_slowly(struct reader *reader)
{
    lfset_thread_attach();
    lfset_obj_contains(reader->set, reader);
    event_signal(&reader->there);
    event_wait(&reader->go, 2);
}

static struct lfset_obj *listed_objects(enum lfset_domain domain, const char *name)
{
    struct lfset_obj_type type = LFSET_OBJ_TYPE_INIT;
    type.hash = hash_nothing;
    type.equal = sleep_in_equal;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.name = name;
    struct lfset_obj *set = NULL;
    CHECK_EQ(lfset_obj_create(&set, &type, &options), 0);
    return set;
}

TEST(stalls, hazard_outside_sections)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_obj *set = listed_objects(LFSET_HP, "objects");
    struct reader reader;
    int object;
    CHECK_EQ(lfset_obj_add(set, &object), 1);
    sleeper = &reader;
    reader_start(&reader, ask_slowly, set);
    look_at_second(&options, 0);
    look_at_second(&options, 50); /* what it holds is in use: nobody waits for it */
    CHECK_EQ(events.count, 0);
    struct lfset__thread_slot *slot = slot_of(reader.tid);
    uint64_t since = word(&slot->hazard_since_ns[0]);
    CHECK(word(&slot->hazards[0]) > 0 && since > 0, "no hazard is shown");
    CHECK_EQ(lfset_obj_clear(set, NULL), 1);
    look_at_second(&options, 51);
    look_at_second(&options, 60.9);
    CHECK_EQ(events.count, 0);
    look_at_second(&options, 61);
    CHECK_EQ(events.count, 1);
    CHECK_EQ(events.kept[0].kind, LFSET_EVENT_STALL);
    CHECK_EQ(events.kept[0].tid, reader.tid);
    CHECK_EQ(events.kept[0].objects, 1);
    CHECK(events.kept[0].bytes > 0, "no bytes");
    CHECK(strcmp(events.sets[0], "objects") == 0, "of the set \"%s\"", events.sets[0]);
    CHECK(events.kept[0].set_id > 1, "no set's id");
    CHECK(strstr(events.texts[0], "holds a hazard on 0x"), "text: %s", events.texts[0]);
    CHECK_EQ(word(&slot->hazard_since_ns[0]), since);
    event_signal(&reader.go);
    event_wait(&reader.there, 2);
    look_at_second(&options, 62);
    CHECK_EQ(events.count, 2);
    CHECK_EQ(events.kept[1].kind, LFSET_EVENT_STALL_END);
    CHECK(strstr(events.texts[1], "let go of its hazard"), "text: %s", events.texts[1]);
    reader_end(&reader);
    CHECK_EQ(lfset_obj_destroy(set), 0);
}

/* ---- readers that are in none of our sections ---- */

/* Until liburcu's thread waits for this one. */
static void await_grace_period(const struct lfset__thread_slot *slot)
{
    struct lfset__thread *record = lfset__hp_threads();
    while (atomic_load(&record->slot) != slot)
        record = record->next;
    while (lfset__rcu_state(atomic_load(&record->reader)) != LFSET__RCU_DELAYS)
        sched_yield();
}

TEST(stalls, critical_section_of_the_program)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *set = listed_new(LFSET_RCU, "read");
    struct reader reader;
    reader_start(&reader, read_by_itself, NULL);
    look_at_second(&options, 0);
    look_at_second(&options, 200); /* nothing waits for it */
    struct lfset__thread_slot *slot = slot_of(reader.tid);
    CHECK_EQ(word(&slot->reading), 1);
    CHECK_EQ(events.count, 0);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    await_grace_period(slot);
    look_at_second(&options, 201);
    look_at_second(&options, 210.9);
    CHECK_EQ(events.count, 0);
    look_at_second(&options, 211);
    CHECK_EQ(events.count, 1);
    CHECK_EQ(events.kept[0].tid, reader.tid);
    CHECK_EQ(events.kept[0].kind, LFSET_EVENT_STALL);
    CHECK(strstr(events.texts[0], "reads under RCU, in no section"), "text: %s", events.texts[0]);
    look_at_second(&options, 300);
    CHECK_EQ(events.count, 1);
    event_signal(&reader.go);
    event_wait(&reader.there, 2);
    look_at_second(&options,
                   301); /* the grace period may take its time yet: nobody else is blamed for it */
    CHECK_EQ(events.count, 2);
    CHECK_EQ(events.kept[1].kind, LFSET_EVENT_STALL_END);
    CHECK_EQ(events.kept[1].tid, reader.tid);
    CHECK(strstr(events.texts[1], "stopped reading under RCU"), "text: %s", events.texts[1]);
    CHECK_EQ(word(&slot->reading), 0);
    reader_end(&reader);
    set_end(set, NULL);
}

/* Found reading for long, while what waits has not been waiting for long: it need not be the same section. */
TEST(stalls, critical_sections_of_a_busy_program)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *set = listed_new(LFSET_RCU, "read");
    struct reader reader;
    reader_start(&reader, read_by_itself, NULL);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    await_grace_period(slot_of(reader.tid));
    look_at_second(&options, -200);
    look_at_second(&options, -100);
    look_at_second(&options, 9);
    CHECK_EQ(events.count, 0);
    look_at_second(&options, 11);
    CHECK_EQ(events.count, 1);
    CHECK_EQ(events.kept[0].tid, reader.tid);
    reader_end(&reader);
    set_end(set, NULL);
}

/* Known to liburcu only. */
TEST(stalls, reader_that_is_not_known)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *set = listed_new(LFSET_RCU, "read");
    struct reader reader;
    reader_start(&reader, read_unknown, NULL);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    look_at_second(&options, -200); /* by these looks' time, it has not been waiting for long */
    look_at_second(&options, -100);
    look_at_second(&options, 9);
    CHECK_EQ(events.count, 0);
    look_at_second(&options, 15);
    CHECK_EQ(events.count, 1);
    CHECK_EQ(events.kept[0].kind, LFSET_EVENT_STALL);
    CHECK_EQ(events.kept[0].tid, 0);
    CHECK_EQ(events.kept[0].objects, garbage(LFSET_RCU).objects);
    CHECK_EQ(events.kept[0].bytes, garbage(LFSET_RCU).bytes);
    CHECK(strstr(events.texts[0], "not known"), "text: %s", events.texts[0]);
    look_at_second(&options, 100);
    CHECK_EQ(events.count, 1);
    reader_end(&reader);
    CHECK_EQ(lfset_barrier(), 0);
    look_at_second(&options, 101);
    CHECK_EQ(events.count, 2);
    CHECK_EQ(events.kept[1].kind, LFSET_EVENT_STALL_END);
    CHECK_EQ(events.kept[1].tid, 0);
    CHECK_EQ(stalls(), 1);
    set_end(set, NULL);
}

/* One whose section is known is blamed, and no unknown one beside it; not before its time. */
TEST(stalls, one_reader_is_blamed)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *set = listed_new(LFSET_RCU, "read");
    struct reader reader;
    look_at_second(&options, 0);
    reader_start(&reader, read_in_section, set);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    look_at_second(&options, 12); /* the object waits for 12 s, the section was first seen now */
    CHECK_EQ(events.count, 0);
    look_at_second(&options, 22);
    CHECK_EQ(events.count, 1);
    CHECK_EQ(events.kept[0].tid, reader.tid);
    reader_end(&reader);
    CHECK_EQ(lfset_barrier(), 0);
    look_at_second(&options, 23);
    CHECK_EQ(events.count, 2);
    set_end(set, NULL);
}

/* Nobody else is blamed who came when it was too late. */
TEST(stalls, reader_that_came_later_is_not_why)
{
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    struct lfset_u64 *set = listed_new(LFSET_RCU, "read");
    struct reader unknown, known;
    reader_start(&unknown, read_unknown, NULL);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0);
    while (lfset__rcu_state(unknown.known_as) != LFSET__RCU_DELAYS)
        sched_yield();
    look_at_second(&options, 0);
    reader_start(&known, read_in_section, set);
    look_at_second(&options, 1);
    CHECK_EQ(lfset_u64_clear(set, NULL), 0); /* for this one it may be why */
    look_at_second(&options, 10.5);
    CHECK_EQ(events.count, 1);
    CHECK_EQ(events.kept[0].tid, 0);
    look_at_second(&options, 11);
    CHECK_EQ(events.count, 2);
    CHECK_EQ(events.kept[1].tid, known.tid);
    reader_end(&unknown);
    reader_end(&known);
    CHECK_EQ(lfset_barrier(), 0);
    set_end(set, NULL);
}

/* ---- all at once ---- */

struct traffic {
    struct lfset_u64 *set;
    uint64_t seed;
};

static void come_and_go(void *arg)
{
    struct traffic *traffic = arg;
    struct random random = random_from(traffic->seed);
    for (size_t i = 0; i < scaled(2000); i++) {
        lfset_section_enter();
        lfset_u64_add(traffic->set, random_below(&random, 1000));
        if (i % 64 == 0)
            lfset_u64_clear(traffic->set, NULL);
        lfset_section_leave();
        if (i % 100 == 0)
            lfset_thread_detach();
    }
}

static const char *nobody_is_stalled(void)
{
    struct lfset__segment *segment = lfset__segment_now();
    for (unsigned i = 0; i < lfset__slots_used(segment); i++) {
        struct lfset__thread_slot *slot = lfset__slot_at(segment, i);
        if (word(&slot->stalled))
            return "a thread is stalled";
    }
    return NULL;
}

/* The threads that the parent's watcher found stalled are not in the child. */
static const char *child_looks(void *arg)
{
    struct events *events = arg;
    struct lfset_watch_options options = watch_options(events);
    size_t told = events->count;
    if (nobody_is_stalled())
        return "a thread is stalled in the child";
    if (lfset_watch_look(&options, lfset__now_ns() + 1000 * UINT64_C(1000000000)) != 0 ||
        lfset_watch_look(&options, lfset__now_ns() + 2000 * UINT64_C(1000000000)) != 0)
        return "look fails";
    if (events->count != told)
        return "the child's watcher told something";
    return NULL;
}

static void look_twice(void *arg)
{
    struct lfset_watch_options options = watch_options(arg);
    look_at_second(&options, 0);
    look_at_second(&options, 10);
}

TEST(stalls, child_has_none)
{
    struct events events;
    events_init(&events);
    struct crew crew;
    struct lfset_u64 *set = listed_new(LFSET_HP, "read");
    struct reader reader;
    reader_start(&reader, read_in_section, set);
    CHECK_EQ(lfset_section_enter(), 0); /* so that the thread that forks was stalled, too */
    crew_start(&crew, 1, look_twice, &events, 0);
    crew_join(&crew);
    CHECK_EQ(lfset_section_leave(), 0);
    CHECK_EQ(events.count, 2);
    check_in_child(child_looks, &events);
    reader_end(&reader);
    set_end(set, NULL);
}

/* For ThreadSanitizer: all that a look reads of threads is being written. */
TEST_BOTH(stalls, looks_at_threads_that_come_and_go)
{
    enum { THREADS = 4 };
    struct events events;
    events_init(&events);
    struct lfset_watch_options options = watch_options(&events);
    options.period_ns = 1;
    options.stall_ns = 1; /* every second look at the same section finds a stall */
    options.section_rate = 3;
    struct lfset_u64 *set = listed_new(domain, "read");
    struct traffic traffic[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        traffic[i] = (struct traffic){set, i + 1};
    CHECK_EQ(lfset_watch_start(&options), 0);
    crew_run(THREADS, come_and_go, traffic, sizeof *traffic);
    CHECK_EQ(lfset_watch_stop(), 0);
    look_at_second(&options, 1e6);
    CHECK(!nobody_is_stalled(), "%s", nobody_is_stalled());
    set_end(set, NULL);
}

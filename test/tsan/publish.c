// SPDX-License-Identifier: MIT
/*
 * A user's program under ThreadSanitizer: plain data goes from thread to thread through a set, in every way
 * that lfset.h allows. Nothing here is atomic but what the library does; a report is a fault of the
 * library (an order that it promises and does not give, or one that ThreadSanitizer cannot see).
 *
 *   publish rcu|hp
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lfset/u64.h>

static struct lfset_u64 *set_new(enum lfset_domain domain)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    struct lfset_u64 *set;
    if (lfset_u64_create(&set, &options) != 0) {
        fprintf(stderr, "publish: cannot create a set\n");
        exit(1);
    }
    return set;
}

static void expect(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "publish: %s\n", what);
        exit(1);
    }
}

/* ---- 1. data that changes hands: whoever takes a pointer out of the set owns what it points to ---- */

struct note {
    uint64_t number;
    char text[24];
};

enum { PRODUCERS = 2, CONSUMERS = 2, NOTES = 3000 };

struct exchange {
    struct lfset_u64 *notes;
    struct lfset_u64 *taken; /* the numbers of the notes that were read */
};

static void *produce(void *arg)
{
    struct exchange *exchange = arg;
    for (uint64_t i = 0; i < NOTES; i++) {
        struct note *note = malloc(sizeof *note);
        expect(note != NULL, "no memory");
        note->number = i;
        snprintf(note->text, sizeof note->text, "note %d", (int)i);
        expect(lfset_u64_add(exchange->notes, (uintptr_t)note) == 1, "add");
    }
    return NULL;
}

static void take(struct exchange *exchange, uint64_t key)
{
    struct note *note = (struct note *)(uintptr_t)key;
    char text[24];
    snprintf(text, sizeof text, "note %d", (int)note->number);
    expect(strcmp(note->text, text) == 0, "a note is garbled");
    (void)lfset_u64_add(exchange->taken, note->number);
    free(note);
}

/* By pop, by remove of what a snapshot shows, and by drain. */
static int consume_once(struct exchange *exchange, unsigned way)
{
    struct lfset_u64_snapshot *snapshot = NULL;
    uint64_t keys[64];
    int taken = 0;
    if (way % 8 == 0) {
        expect(lfset_u64_snapshot_take(exchange->notes, &snapshot, NULL) == 0, "snapshot");
        const int64_t count = lfset_u64_snapshot_copy(snapshot, keys, 64);
        for (int64_t i = 0; i < count; i++) {
            if (lfset_u64_remove(exchange->notes, keys[i]) == 1) {
                take(exchange, keys[i]);
                taken++;
            }
        }
    } else if (way % 8 == 1) {
        expect(lfset_u64_drain(exchange->notes, &snapshot, NULL) == 0, "drain");
        const int64_t count = lfset_u64_snapshot_count(snapshot);
        uint64_t *all = malloc(((size_t)count + 1) * sizeof *all);
        expect(all != NULL, "no memory");
        expect(lfset_u64_snapshot_copy(snapshot, all, (size_t)count) == count, "copy");
        for (int64_t i = 0; i < count; i++)
            take(exchange, all[i]);
        taken += (int)count;
        free(all);
    } else if (lfset_u64_pop(exchange->notes, &keys[0]) == 1) {
        take(exchange, keys[0]);
        taken++;
    }
    lfset_u64_snapshot_destroy(snapshot);
    return taken;
}

static void *consume(void *arg)
{
    struct exchange *exchange = arg;
    for (unsigned i = 0; lfset_u64_contains(exchange->taken, UINT64_MAX) == 0; i++)
        if (consume_once(exchange, i) == 0)
            sched_yield();
    return NULL;
}

static void change_hands(enum lfset_domain domain)
{
    struct exchange exchange = {set_new(domain), set_new(domain)};
    pthread_t producers[PRODUCERS];
    pthread_t consumers[CONSUMERS];
    for (size_t i = 0; i < CONSUMERS; i++)
        expect(pthread_create(&consumers[i], NULL, consume, &exchange) == 0, "pthread_create");
    for (size_t i = 0; i < PRODUCERS; i++)
        expect(pthread_create(&producers[i], NULL, produce, &exchange) == 0, "pthread_create");
    for (size_t i = 0; i < PRODUCERS; i++)
        pthread_join(producers[i], NULL);
    while (lfset_u64_is_empty(exchange.notes) == 0)
        sched_yield();
    (void)lfset_u64_add(exchange.taken, UINT64_MAX);
    for (size_t i = 0; i < CONSUMERS; i++)
        pthread_join(consumers[i], NULL);
    expect(lfset_u64_size(exchange.taken, NULL) == NOTES + 1, "notes are missing");
    expect(lfset_u64_destroy(exchange.notes) == 0, "destroy");
    expect(lfset_u64_destroy(exchange.taken) == 0, "destroy");
}

/* ---- 2. data that is shared while a key is in the set, and taken back when all have read it -------- */

enum { READERS = 2, ROUNDS = 1500 };

struct board {
    struct lfset_u64 *posted; /* the round whose text is on the board */
    struct lfset_u64 *read;   /* round * READERS + reader */
    char *text;               /* plain; another block each round */
    uint64_t round;           /* plain */
};

struct reader {
    struct board *board;
    uint64_t id;
};

static void await(const struct lfset_u64 *set, uint64_t key)
{
    while (lfset_u64_contains(set, key) == 0)
        sched_yield();
}

static void *read_board(void *arg)
{
    struct reader *me = arg;
    for (uint64_t round = 0; round < ROUNDS; round++) {
        await(me->board->posted, round);
        expect(me->board->round == round, "the board shows another round");
        expect(strtoull(me->board->text, NULL, 10) == round, "the text is another round's");
        expect(lfset_u64_add(me->board->read, round * READERS + me->id) == 1, "add");
    }
    return NULL;
}

static void post_and_take_back(enum lfset_domain domain)
{
    struct board board = {.posted = set_new(domain), .read = set_new(domain)};
    pthread_t threads[READERS];
    struct reader readers[READERS];
    for (size_t i = 0; i < READERS; i++) {
        readers[i] = (struct reader){&board, i};
        expect(pthread_create(&threads[i], NULL, read_board, &readers[i]) == 0, "pthread_create");
    }
    for (uint64_t round = 0; round < ROUNDS; round++) {
        board.text = malloc(24);
        expect(board.text != NULL, "no memory");
        snprintf(board.text, 24, "%d", (int)round);
        board.round = round;
        expect(lfset_u64_add(board.posted, round) == 1, "add");
        for (size_t i = 0; i < READERS; i++)
            await(board.read, round * READERS + i);
        expect(lfset_u64_remove(board.posted, round) == 1, "remove");
        if (round % 100 == 0)
            expect(lfset_barrier() == 0, "barrier");
        free(board.text);
    }
    for (size_t i = 0; i < READERS; i++)
        pthread_join(threads[i], NULL);
    expect(lfset_u64_destroy(board.posted) == 0, "destroy");
    expect(lfset_u64_destroy(board.read) == 0, "destroy");
}

/* ---- 3. the allocator's own plain bookkeeping, behind a lock; sections; thread exit ----------------- */

struct counting {
    pthread_mutex_t lock;
    size_t blocks; /* plain, under the lock */
};

static void *counting_alloc(void *ctx, size_t size, size_t align)
{
    struct counting *counting = ctx;
    void *block = NULL;
    if (posix_memalign(&block, align < sizeof(void *) ? sizeof(void *) : align, size) != 0)
        return NULL;
    pthread_mutex_lock(&counting->lock);
    counting->blocks++;
    pthread_mutex_unlock(&counting->lock);
    return block;
}

static void counting_free(void *ctx, void *block, size_t size, size_t align)
{
    struct counting *counting = ctx;
    (void)align;
    memset(block, 0xdd, size); /* a plain write: a reader that still looks would be a race */
    free(block);
    pthread_mutex_lock(&counting->lock);
    counting->blocks--;
    pthread_mutex_unlock(&counting->lock);
}

static void *churn(void *arg)
{
    struct lfset_u64 *set = arg;
    for (uint64_t i = 0; i < 20000; i++) {
        if (i % 64 == 0)
            expect(lfset_section_enter() == 0, "enter");
        (void)lfset_u64_add(set, i);
        (void)lfset_u64_contains(set, i / 2);
        (void)lfset_u64_remove(set, i - 30);
        if (i % 64 == 63)
            expect(lfset_section_leave() == 0, "leave");
        if (i % 512 == 511)
            expect(lfset_u64_size(set, NULL) >= 0, "size");
    }
    while (lfset_section_leave() == 0)
        ;
    return NULL;
}

static void free_behind_readers(enum lfset_domain domain)
{
    struct counting counting = {PTHREAD_MUTEX_INITIALIZER, 0};
    const struct lfset_allocator allocator = {&counting, counting_alloc, counting_free, 0};
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.allocator = &allocator;
    struct lfset_u64 *set;
    expect(lfset_u64_create(&set, &options) == 0, "create");
    for (size_t round = 0; round < 3; round++) {
        pthread_t threads[3];
        for (size_t i = 0; i < 3; i++)
            expect(pthread_create(&threads[i], NULL, churn, set) == 0, "pthread_create");
        for (size_t i = 0; i < 3; i++)
            pthread_join(threads[i], NULL);
        expect(lfset_barrier() == 0, "barrier");
    }
    expect(lfset_u64_destroy(set) == 0, "destroy");
    expect(counting.blocks == 0, "blocks are missing"); /* plain: destroy has returned */
}

int main(int argc, char **argv)
{
    if (argc != 2 || (strcmp(argv[1], "rcu") != 0 && strcmp(argv[1], "hp") != 0)) {
        fprintf(stderr, "usage: publish rcu|hp\n");
        return 2;
    }
    const enum lfset_domain domain = strcmp(argv[1], "hp") == 0 ? LFSET_HP : LFSET_RCU;
    change_hands(domain);
    post_and_take_back(domain);
    free_behind_readers(domain);
    return 0;
}

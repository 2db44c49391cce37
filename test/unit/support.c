// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "support.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(SUPPORT_ASAN)
size_t __sanitizer_get_current_allocated_bytes(void); /* gcc 12 has no header for it */
#endif

static uint64_t number_from_environment(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text == NULL ? otherwise : strtoull(text, NULL, 0);
}

size_t scaled(size_t count)
{
#if defined(SUPPORT_ASAN)
    const uint64_t usual = 25;
#else
    const uint64_t usual = 100;
#endif
    const size_t result = count * (size_t)number_from_environment("LFSET_TEST_SCALE", usual) / 100;
    return result == 0 ? 1 : result;
}

/* ---- random numbers ---- */

struct random random_from(uint64_t seed)
{
    const uint64_t run = number_from_environment("LFSET_TEST_SEED", 1);
    return (struct random){seed * UINT64_C(0xd1342543de82ef95) + run};
}

uint64_t random_next(struct random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = random->state;
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 32);
}

uint64_t random_below(struct random *random, uint64_t bound)
{
    return random_next(random) % bound;
}

int compare_keys(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a;
    const uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

void random_keys(struct random *random, uint64_t *keys, size_t count)
{
    for (size_t have = 0; have < count;) {
        for (size_t i = have; i < count; i++)
            keys[i] = random_next(random);
        qsort(keys, count, sizeof *keys, compare_keys);
        have = 1;
        for (size_t i = 1; i < count; i++)
            if (keys[i] != keys[have - 1])
                keys[have++] = keys[i];
    }
}

/* ---- faults ---- */

static pthread_mutex_t fault_lock = PTHREAD_MUTEX_INITIALIZER;
static bool fault_seen;
static char fault_text[512];

void fault(const char *format, ...)
{
    va_list values;
    va_start(values, format);
    pthread_mutex_lock(&fault_lock);
    if (!fault_seen) {
        fault_seen = true;
        vsnprintf(fault_text, sizeof fault_text, format, values);
    }
    pthread_mutex_unlock(&fault_lock);
    va_end(values);
}

void check_faults(void)
{
    pthread_mutex_lock(&fault_lock);
    const bool seen = fault_seen;
    pthread_mutex_unlock(&fault_lock);
    cr_assert(!seen, "%s", fault_text);
}

/* ---- the allocator hook ---- */

/* Lies in front of every block; the list is there to find the newest one and to pin it. */
struct block {
    struct memory *owner;
    struct block *older;
    struct block *newer;
    size_t size;
    size_t align;
    bool pinned;
};

static size_t prefix_of(size_t align)
{
    return align < sizeof(struct block) ? 64 : align;
}

/* More is refused without asking malloc, which a sanitizer would end the program for. */
#define LARGEST_BLOCK ((size_t)1 << 40)

static bool must_fail(struct memory *memory)
{
    const unsigned long long call = atomic_fetch_add(&memory->calls, 1) + 1;
    if (call == atomic_load(&memory->fail_at))
        return true;
    const unsigned long long from = atomic_load(&memory->fail_from);
    if (from != 0 && call >= from)
        return true;
    const unsigned one_in = atomic_load(&memory->fail_one_in);
    if (one_in == 0)
        return false;
    struct random random = {atomic_fetch_add(&memory->luck, 1)};
    return random_below(&random, one_in) == 0;
}

static void memory_peak(struct memory *memory, long long now)
{
    long long peak = atomic_load(&memory->peak);
    while (now > peak && !atomic_compare_exchange_weak(&memory->peak, &peak, now))
        ;
}

static void *memory_alloc(void *ctx, size_t size, size_t align)
{
    struct memory *memory = ctx;
    if (align == 0 || (align & (align - 1)) != 0 || align > 4096)
        fault("alloc asked for alignment %zu", align);
    if (size == 0)
        fault("alloc asked for 0 bytes");
    const size_t prefix = prefix_of(align);
    char *start = NULL;
    if (must_fail(memory) || size > LARGEST_BLOCK ||
        posix_memalign((void **)&start, prefix, prefix + size) != 0) {
        atomic_fetch_add(&memory->failures, 1);
        return NULL;
    }
    char *result = start + prefix;
    memset(result, (memory->hook.flags & LFSET_ALLOC_ZEROED) != 0 ? 0 : 0xa5, size);
    struct block *block = (struct block *)(void *)result - 1;
    *block = (struct block){.owner = memory, .size = size, .align = align};

    pthread_mutex_lock(&memory->lock);
    block->older = memory->newest;
    if (memory->newest != NULL)
        memory->newest->newer = block;
    memory->newest = block;
    pthread_mutex_unlock(&memory->lock);

    atomic_fetch_add(&memory->blocks, 1);
    memory_peak(memory, atomic_fetch_add(&memory->bytes, (long long)size) + (long long)size);
    return result;
}

static void memory_free(void *ctx, void *ptr, size_t size, size_t align)
{
    struct memory *memory = ctx;
    if (ptr == NULL) {
        fault("free was given NULL");
        return;
    }
    struct block *block = (struct block *)ptr - 1;
    if (block->owner != memory || block->size != size || block->align != align) {
        fault("free(%zu bytes, alignment %zu) of a block of %zu bytes, alignment %zu%s", size,
              align, block->size, block->align,
              block->owner == memory ? "" : ", not this allocator's or freed already");
        return;
    }
    pthread_mutex_lock(&memory->lock);
    if (block->pinned)
        fault("a slice of %zu bytes was freed that a reader was still using", size);
    if (block->newer != NULL)
        block->newer->older = block->older;
    else
        memory->newest = block->older;
    if (block->older != NULL)
        block->older->newer = block->newer;
    pthread_mutex_unlock(&memory->lock);

    block->owner = NULL;
    memset(ptr, 0xdd, size);
    atomic_fetch_sub(&memory->blocks, 1);
    atomic_fetch_sub(&memory->bytes, (long long)size);
    free((char *)ptr - prefix_of(align));
}

void memory_init(struct memory *memory, unsigned flags)
{
    memset(memory, 0, sizeof *memory);
    memory->hook = (struct lfset_allocator){memory, memory_alloc, memory_free, flags};
    pthread_mutex_init(&memory->lock, NULL);
    struct random random = random_from(99);
    atomic_store(&memory->luck, random_next(&random));
}

void memory_heal(struct memory *memory)
{
    atomic_store(&memory->fail_at, 0);
    atomic_store(&memory->fail_from, 0);
    atomic_store(&memory->fail_one_in, 0);
}

void memory_pin_newest(struct memory *memory)
{
    pthread_mutex_lock(&memory->lock);
    if (memory->newest != NULL)
        memory->newest->pinned = true;
    pthread_mutex_unlock(&memory->lock);
}

void memory_unpin(struct memory *memory)
{
    pthread_mutex_lock(&memory->lock);
    for (struct block *block = memory->newest; block != NULL; block = block->older)
        block->pinned = false;
    pthread_mutex_unlock(&memory->lock);
}

void memory_check_balance(struct memory *memory)
{
    check_faults();
    CHECK_EQ(atomic_load(&memory->blocks), 0);
    CHECK_EQ(atomic_load(&memory->bytes), 0);
}

size_t heap_in_use(void)
{
#if defined(SUPPORT_ASAN)
    return __sanitizer_get_current_allocated_bytes();
#else
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
#endif
}

/* ---- sets ---- */

struct lfset_u64 *set_new(enum lfset_domain domain, uint64_t capacity, uint64_t seed,
                          struct memory *memory)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    options.capacity = capacity;
    options.seed = seed;
    options.allocator = memory == NULL ? NULL : &memory->hook;
    struct lfset_u64 *set = NULL;
    CHECK_EQ(lfset_u64_create(&set, &options), 0);
    CHECK(set != NULL, "create answered 0 and stored NULL");
    return set;
}

void set_check(const struct lfset_u64 *set)
{
    const char *reason = "no reason was given";
    const int valid = lfset_u64_validate(set, &reason);
    CHECK(valid == 1, "validate answers %d: %s", valid, valid == 1 ? "" : reason);
}

void set_end(struct lfset_u64 *set, struct memory *memory)
{
    check_faults();
    set_check(set);
    CHECK_EQ(lfset_u64_destroy(set), 0);
    if (memory != NULL)
        memory_check_balance(memory);
}

struct lfset_stats set_stats(const struct lfset_u64 *set)
{
    struct lfset_stats stats = {.size = sizeof stats};
    CHECK_EQ(lfset_u64_stats_read(set, &stats), 0);
    return stats;
}

struct lfset_garbage garbage(enum lfset_domain domain)
{
    struct lfset_garbage now = {0, 0};
    CHECK_EQ(lfset_garbage_read(domain, &now), 0);
    return now;
}

static uint64_t successions(const struct lfset_u64 *set)
{
    const struct lfset_stats stats = set_stats(set);
    return stats.grows + stats.purges + stats.shrinks + stats.rehashes + stats.snapshots +
           stats.clears;
}

void set_force_succession(struct lfset_u64 *set)
{
    const uint64_t before = successions(set);
    CHECK(lfset_u64_size(set, NULL) >= 0, "size failed");
    CHECK(successions(set) > before, "size made no successor");
}

/* ---- threads ---- */

struct crew_start {
    struct crew *crew;
    void (*body)(void *);
    void *arg;
};

static void *crew_member(void *arg)
{
    const struct crew_start *start = arg;
    pthread_barrier_wait(&start->crew->gate);
    start->body(start->arg);
    return NULL;
}

void crew_start(struct crew *crew, size_t count, void (*body)(void *), void *args, size_t stride)
{
    crew->count = count;
    crew->threads = calloc(count, sizeof *crew->threads);
    crew->starts = calloc(count, sizeof *crew->starts);
    CHECK(crew->threads != NULL && crew->starts != NULL, "no memory for the test's threads");
    pthread_barrier_init(&crew->gate, NULL, (unsigned)count);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    /* Small, so that a thousand threads fit anywhere; a sanitizer's frames are larger. */
    pthread_attr_setstacksize(&attributes, 256 << 10);
    for (size_t i = 0; i < count; i++) {
        crew->starts[i] = (struct crew_start){crew, body, (char *)args + i * stride};
        CHECK_EQ(pthread_create(&crew->threads[i], &attributes, crew_member, &crew->starts[i]), 0);
    }
    pthread_attr_destroy(&attributes);
}

void crew_join(struct crew *crew)
{
    for (size_t i = 0; i < crew->count; i++)
        CHECK_EQ(pthread_join(crew->threads[i], NULL), 0);
    pthread_barrier_destroy(&crew->gate);
    free(crew->threads);
    free(crew->starts);
}

void crew_run(size_t count, void (*body)(void *), void *args, size_t stride)
{
    struct crew crew;
    crew_start(&crew, count, body, args, stride);
    crew_join(&crew);
    check_faults();
}

void event_init(struct event *event)
{
    pthread_mutex_init(&event->lock, NULL);
    pthread_cond_init(&event->changed, NULL);
    event->count = 0;
}

void event_signal(struct event *event)
{
    pthread_mutex_lock(&event->lock);
    event->count++;
    pthread_cond_broadcast(&event->changed);
    pthread_mutex_unlock(&event->lock);
}

void event_wait(struct event *event, size_t count)
{
    pthread_mutex_lock(&event->lock);
    while (event->count < count)
        pthread_cond_wait(&event->changed, &event->lock);
    pthread_mutex_unlock(&event->lock);
}

/* ---- children ---- */

void check_in_child(const char *(*check)(void *arg), void *arg)
{
    int text[2];
    CHECK_EQ(pipe(text), 0);
    const pid_t child = fork();
    CHECK(child >= 0, "fork failed: %s", strerror(errno));
    if (child == 0) {
        /* _exit, and never an assertion: the test's reporting belongs to the parent. The alarm ends
         * a child that hangs, which Criterion would not find. */
        alarm(TEST_TIMEOUT / 2);
        const char *wrong = check(arg);
        if (wrong != NULL && write(text[1], wrong, strlen(wrong)) < 0)
            _exit(2);
        _exit(wrong == NULL ? 0 : 1);
    }
    close(text[1]);
    char wrong[256];
    const ssize_t length = read(text[0], wrong, sizeof wrong - 1);
    wrong[length < 0 ? 0 : length] = '\0';
    close(text[0]);
    int status = 0;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(!WIFSIGNALED(status), "the child was killed by signal %d", WTERMSIG(status));
    CHECK(status == 0, "in the child: %s", wrong);
}

// SPDX-License-Identifier: MIT
// For test/profile.sh: a program with sets that are filled at known places. It does what its input says, a
// command a line (leak N, churn N, clear, start, quit), and answers each with "ok".
#include <lfset/bytes.h>
#include <lfset/observe.h>
#include <lfset/u64.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLACE __attribute__((noinline))

static struct lfset_u64 *sessions, *cache;
static struct lfset_bytes *words;
static _Atomic(uint64_t) next_key;

PLACE void leak_here(void)
{
    lfset_u64_add(sessions, atomic_fetch_add(&next_key, 1));
}

PLACE void churn_here(unsigned keys)
{
    uint64_t first = atomic_fetch_add(&next_key, keys);
    for (unsigned i = 0; i < keys; i++) {
        lfset_u64_add(sessions, first + i);
    }
    for (unsigned i = 0; i < keys; i++) {
        lfset_u64_remove(sessions, first + i);
    }
}

PLACE void word_here(unsigned number)
{
    char word[32];
    int length = snprintf(word, sizeof word, "word number %08u", number);
    lfset_bytes_add(words, word, (size_t)length);
}

PLACE void breathe_here(void)
{
    for (uint64_t key = 0; key < 500; key++) {
        lfset_u64_add(cache, key);
    }
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    lfset_u64_clear(cache, NULL);
}

static void *churn_and_leak(void *arg)
{
    for (;;) {
        churn_here(200);
        leak_here();
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return arg;
}

static void *breathe(void *arg)
{
    for (;;) {
        breathe_here();
    }
    return arg;
}

static int obey(const char *command, unsigned number)
{
    pthread_t thread;
    if (strcmp(command, "leak") == 0) {
        for (unsigned i = 0; i < number; i++) {
            leak_here();
        }
    } else if (strcmp(command, "churn") == 0) {
        churn_here(number);
    } else if (strcmp(command, "words") == 0) {
        for (unsigned i = 0; i < number; i++) {
            word_here(i);
        }
    } else if (strcmp(command, "clear") == 0) {
        lfset_u64_clear(sessions, NULL);
    } else if (strcmp(command, "start") == 0) {
        return pthread_create(&thread, NULL, churn_and_leak, NULL) ||
               pthread_create(&thread, NULL, breathe, NULL);
    } else {
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct lfset_observe observe = LFSET_OBSERVE_INIT;
    struct lfset_options options = LFSET_OPTIONS_INIT;
    char command[16];
    unsigned number;
    observe.profile_rate = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
    options.observe = &observe;
    options.name = "sessions";
    int failed = lfset_u64_create(&sessions, &options);
    options.name = "cache";
    failed |= lfset_u64_create(&cache, &options);
    options.name = "words";
    failed |= lfset_bytes_create(&words, &options);
    while (!failed && scanf("%15s %u", command, &number) == 2) {
        failed = obey(command, number);
        puts(failed ? "cannot" : "ok");
        fflush(stdout);
    }
    return failed != 0;
}

// SPDX-License-Identifier: MIT
// A user's program under ThreadSanitizer: plain data written before add(key) is read by whoever
// sees the key. Clean; built with -DRACE the data is written after the add, which must be reported.
#include <lfset/u64.h>
#include <pthread.h>
#include <stdint.h>

enum { MESSAGES = 1000 };

static struct lfset_u64 *set;
static int data[MESSAGES];

static void *produce(void *unused)
{
    (void)unused;
    for (uint64_t key = 0; key < MESSAGES; key++) {
#ifdef RACE
        lfset_u64_add(set, key);
        data[key] = 1;
#else
        data[key] = 1;
        lfset_u64_add(set, key);
#endif
    }
    return NULL;
}

static int consume(void)
{
    int sum = 0;
    for (uint64_t key = 0; key < MESSAGES; key++) {
        while (lfset_u64_contains(set, key) != 1)
            ;
        sum += data[key];
    }
    return sum;
}

static int exchange(enum lfset_domain domain)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    options.domain = domain;
    pthread_t thread;
    for (int i = 0; i < MESSAGES; i++)
        data[i] = 0;
    if (lfset_u64_create(&set, &options) != 0 || pthread_create(&thread, NULL, produce, NULL) != 0)
        return 1;
    int sum = consume();
    pthread_join(thread, NULL);
    return lfset_u64_destroy(set) != 0 || sum != MESSAGES;
}

int main(void)
{
    return exchange(LFSET_RCU) || exchange(LFSET_HP);
}

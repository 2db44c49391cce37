// SPDX-License-Identifier: MIT
/*
 * faults-host LIBRARY ROUNDS: a program that knows the library only as a file that it loads and unloads, as one
 * that loads plug-ins does. It is linked neither with the library nor with liburcu, so that nothing else
 * keeps either of them loaded. Each round: load, create sets, use them from threads, destroy, unload; some of the
 * threads outlive that; and the program forks afterwards. Prints what it found; exit 0, or 1.
 */
#define _GNU_SOURCE
#include <lfset/bitmap.h>
#include <lfset/bytes.h>
#include <lfset/u64.h>

#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, STAYING = 2, KEYS = 300 };

/* What is used of the library, by name. */
#define FUNCTIONS(of)                                                                              \
    of(lfset_u64_create) of(lfset_u64_add) of(lfset_u64_remove) of(lfset_u64_size)                 \
        of(lfset_u64_destroy) of(lfset_bytes_create) of(lfset_bytes_add) of(lfset_bytes_remove)    \
            of(lfset_bytes_size) of(lfset_bytes_destroy) of(lfset_bitmap_create)                   \
                of(lfset_bitmap_add) of(lfset_bitmap_remove) of(lfset_bitmap_size)                 \
                    of(lfset_bitmap_destroy) of(lfset_barrier)

#define MEMBER(name) __typeof__(name) *name;
struct library {
    void *handle;
    FUNCTIONS(MEMBER)
};

struct sets {
    struct lfset_u64 *u64[2]; /* one on each domain */
    struct lfset_bytes *bytes[2];
    struct lfset_bitmap *bitmap[2];
};

struct user {
    const struct library *library;
    const struct sets *sets;
    uint64_t first;
    pthread_t thread;
    sem_t done;
    sem_t go; /* may end */
    int wrong;
};

/* dlsym answers a pointer to an object; POSIX lets it be copied into one to a function. */
static void symbol(void *handle, const char *name, void *to)
{
    void *found = dlsym(handle, name);

    if (!found) {
        fprintf(stderr, "%s is not in the library\n", name);
        exit(1);
    }
    memcpy(to, &found, sizeof(found));
}

static void library_load(struct library *library, const char *path)
{
    library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library->handle) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
#define LOOK_UP(name) symbol(library->handle, #name, &library->name);
    FUNCTIONS(LOOK_UP)
}

static int use(const struct user *user, uint64_t key, int domain)
{
    const struct library *l = user->library;
    const struct sets *s = user->sets;

    return l->lfset_u64_add(s->u64[domain], key) == 1 &&
           l->lfset_bytes_add(s->bytes[domain], &key, sizeof(key)) == 1 &&
           l->lfset_bitmap_add(s->bitmap[domain], key) == 1 &&
           (key % 2 == 0 || (l->lfset_u64_remove(s->u64[domain], key) == 1 &&
                             l->lfset_bytes_remove(s->bytes[domain], &key, sizeof(key)) == 1 &&
                             l->lfset_bitmap_remove(s->bitmap[domain], key) == 1)) &&
           (key % 64 != 0 || l->lfset_u64_size(s->u64[domain], NULL) > 0);
}

static void *user_main(void *arg)
{
    struct user *user = arg;

    for (uint64_t i = 0; i < KEYS && !user->wrong; i++)
        user->wrong = !use(user, user->first + i, 0) || !use(user, user->first + i, 1);
    sem_post(&user->done);
    sem_wait(&user->go);
    return NULL; /* the destructors of thread-specific data run now */
}

static int create(const struct library *l, struct sets *sets)
{
    int rc = 0;

    for (int domain = 0; domain < 2; domain++) {
        struct lfset_options options = LFSET_OPTIONS_INIT;

        options.domain = (enum lfset_domain)domain;
        rc |= l->lfset_u64_create(&sets->u64[domain], &options);
        rc |= l->lfset_bytes_create(&sets->bytes[domain], &options);
        rc |= l->lfset_bitmap_create(&sets->bitmap[domain], &options);
    }
    return rc;
}

static int check_and_destroy(const struct library *l, const struct sets *sets)
{
    const int64_t expected = THREADS * KEYS / 2;
    int rc = 0;

    for (int domain = 0; domain < 2; domain++) {
        rc |= l->lfset_u64_size(sets->u64[domain], NULL) != expected;
        rc |= l->lfset_bytes_size(sets->bytes[domain], NULL) != expected;
        rc |= l->lfset_bitmap_size(sets->bitmap[domain], NULL) != expected;
        rc |= l->lfset_u64_destroy(sets->u64[domain]);
        rc |= l->lfset_bytes_destroy(sets->bytes[domain]);
        rc |= l->lfset_bitmap_destroy(sets->bitmap[domain]);
    }
    return rc;
}

/* The fork handlers of a library that is gone must be gone, too. */
static int fork_works(void)
{
    int status = 1;
    const pid_t child = fork();

    if (child == 0)
        _exit(0);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* Another one may come to lie where this one was. @return whether all went well. */
static int round_run(const char *path, int number)
{
    struct library library;
    struct sets sets;
    struct user users[THREADS];
    const int staying = number % 2 ? STAYING : 0;
    int good;

    library_load(&library, path);
    good = create(&library, &sets) == 0;
    for (int i = 0; i < THREADS && good; i++) {
        users[i] = (struct user){.library = &library, .sets = &sets, .first = (uint64_t)i * KEYS};
        sem_init(&users[i].done, 0, 0);
        sem_init(&users[i].go, 0, 0);
        good = pthread_create(&users[i].thread, NULL, user_main, &users[i]) == 0;
    }
    if (!good)
        return 0;
    for (int i = 0; i < THREADS; i++) {
        sem_wait(&users[i].done);
        good = good && !users[i].wrong;
    }
    for (int i = staying; i < THREADS; i++) {
        sem_post(&users[i].go);
        pthread_join(users[i].thread, NULL);
    }
    good = good && check_and_destroy(&library, &sets) == 0;
    good = good && (number % 3 == 0 || library.lfset_barrier() == 0);
    good = good && dlclose(library.handle) == 0;
    good = good && fork_works();
    for (int i = 0; i < staying; i++) {
        sem_post(&users[i].go);
        pthread_join(users[i].thread, NULL);
    }
    return good;
}

/* What is loaded now whose name has `part` in it. */
static int is_loaded(const char *part)
{
    char line[1024];
    FILE *maps = fopen("/proc/self/maps", "re");
    int found = 0;

    while (maps && fgets(line, sizeof(line), maps))
        found |= strstr(line, part) != NULL;
    if (maps)
        fclose(maps);
    return found;
}

int main(int argc, char **argv)
{
    const int rounds = argc == 3 ? atoi(argv[2]) : 0;

    if (rounds <= 0) {
        fprintf(stderr, "Usage: faults-host LIBRARY ROUNDS\n");
        return 2;
    }
    for (int i = 0; i < rounds; i++)
        if (!round_run(argv[1], i)) {
            printf("round %d of %d went wrong\n", i, rounds);
            return 1;
        }
    usleep(50000); /* a thread that runs in what is gone would have its turn */
    printf("%d rounds; after dlclose the library %s\n", rounds,
           is_loaded("liblfset") ? "stays in memory (-z nodelete)" : "is gone");
    return 0;
}

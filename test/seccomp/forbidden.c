// SPDX-License-Identifier: MIT
/*
 * membarrier(2) may be forbidden, as it is in many containers. The program checks that hazard pointers use
 * it where they can; then it starts itself anew with a filter that forbids it, once for each of the two
 * ways to do so, and checks that they found the other mode and that sets of both domains work under load.
 *
 *   forbidden          everything; exit 0, or 77 where filters cannot be installed
 *   forbidden ERRNO    the second half, in a process that has the filter
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <lfset/u64.h>

static void expect(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "forbidden: %s\n", what);
        exit(1);
    }
}

static int membarrier(int command)
{
    return (int)syscall(__NR_membarrier, command, 0, 0);
}

/* ---- a load whose every answer is known: each thread owns its keys ------------------------------ */

enum { THREADS = 3, OWN = 50, STEPS = 60000 };

struct worker {
    struct lfset_u64 *set;
    uint64_t id;
};

static void *work(void *arg)
{
    struct worker *me = arg;
    for (uint64_t i = 0; i < STEPS; i++) {
        const uint64_t key = i * THREADS + me->id;
        expect(lfset_u64_add(me->set, key) == 1, "add does not answer 1");
        if (i >= OWN) {
            expect(lfset_u64_contains(me->set, key - OWN * THREADS) == 1, "a key is gone");
            expect(lfset_u64_remove(me->set, key - OWN * THREADS) == 1, "remove does not answer 1");
            expect(lfset_u64_contains(me->set, key - OWN * THREADS) == 0, "a key came back");
        }
        if (i % 1000 == 0)
            expect(lfset_u64_size(me->set, NULL) >= 0, "size failed");
    }
    return NULL;
}

static void load(enum lfset_domain domain)
{
    struct lfset_options options = LFSET_OPTIONS_INIT;
    struct lfset_u64 *set;
    options.domain = domain;
    expect(lfset_u64_create(&set, &options) == 0, "create failed");
    pthread_t threads[THREADS];
    struct worker workers[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (struct worker){set, i};
        expect(pthread_create(&threads[i], NULL, work, &workers[i]) == 0, "no thread");
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    expect(lfset_u64_size(set, NULL) == OWN * THREADS, "the size is wrong");
    expect(lfset_barrier() == 0, "barrier failed");
    struct lfset_garbage garbage;
    expect(lfset_garbage_read(domain, &garbage) == 0 && garbage.objects == 0, "garbage is left");
    const char *reason = "the set does not validate";
    expect(lfset_u64_validate(set, &reason) == 1, reason);
    expect(lfset_u64_destroy(set) == 0, "destroy failed");
}

static void check_mode(enum lfset_hp_mode mode)
{
    expect(lfset_hp_mode() == mode,
           mode == LFSET_HP_FENCE ? "fences are not in use" : "membarrier is not in use");
    load(LFSET_HP);
    load(LFSET_RCU);
    expect(lfset_hp_mode() == mode, "the mode changed");
}

/* ---- the filter ------------------------------------------------------------------------------------- */

/* @return 0, or -1 where it is not allowed. */
static int forbid_membarrier(int error)
{
    struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_membarrier, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof steps / sizeof *steps, steps};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -1;
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

/* In a child: the filter, then this program anew, so that nothing has been found out before.
 * (liburcu looks for membarrier when it is loaded, and aborts if it is forbidden later.) */
static void check_with_filter(const char *self, int error)
{
    const pid_t child = fork();
    expect(child >= 0, "fork failed");
    if (child == 0) {
        char text[16];
        snprintf(text, sizeof text, "%d", error);
        if (forbid_membarrier(error) != 0)
            _exit(77);
        execl("/proc/self/exe", self, text, (char *)NULL);
        _exit(1);
    }
    int status = 0;
    expect(waitpid(child, &status, 0) == child, "waitpid failed");
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        fprintf(stderr, "forbidden: no filter can be installed here\n");
        exit(77);
    }
    expect(status == 0, "the program failed under the filter");
}

int main(int argc, char **argv)
{
    if (argc == 2) {
        const int error = atoi(argv[1]);
        expect(membarrier(MEMBARRIER_CMD_QUERY) == -1 && errno == error, "membarrier is allowed");
        check_mode(LFSET_HP_FENCE);
        return 0;
    }
    const int commands = membarrier(MEMBARRIER_CMD_QUERY);
    const int possible = commands > 0 && (commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0;
    check_mode(possible ? LFSET_HP_MEMBARRIER : LFSET_HP_FENCE);
    check_with_filter(argv[0], EPERM);
    check_with_filter(argv[0], ENOSYS);
    return 0;
}

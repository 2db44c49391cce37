// SPDX-License-Identifier: MIT
/*
 * Does a forked child of a program with threads start a thread of its own? Under qemu-user 7.2 it is
 * qemu that dies of it, whatever the program. Exit 0 when all is well.
 */
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void *sleep_on(void *unused)
{
    pause();
    return unused;
}

static void *end(void *unused)
{
    return unused;
}

int main(void)
{
    pthread_t thread;
    int status = 0;

    if (pthread_create(&thread, NULL, sleep_on, NULL) != 0)
        return 2;
    const pid_t child = fork();
    if (child == 0)
        _exit(pthread_create(&thread, NULL, end, NULL) != 0 || pthread_join(thread, NULL) != 0);
    return child < 0 || waitpid(child, &status, 0) != child || status != 0;
}

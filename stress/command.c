// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "command.h"

#include <errno.h>
#include <inttypes.h>
#include <lfset/lfset.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

uint64_t command_number(struct argp_state *state, const char *name, const char *text, uint64_t min,
                        uint64_t max)
{
    char *end;

    errno = 0;
    const uint64_t v = strtoumax(text, &end, 0);
    if (errno != 0 || end == text || *end != '\0' || strchr(text, '-') || v < min || v > max)
        argp_error(state, "--%s wants a whole number from %" PRIu64 " to %" PRIu64 ", not \"%s\"",
                   name, min, max, text);
    return v;
}

double command_real(struct argp_state *state, const char *name, const char *text, double min,
                    double max)
{
    char *end;

    errno = 0;
    const double v = strtod(text, &end);
    if (errno != 0 || end == text || *end != '\0' || !(v >= min) || v > max)
        argp_error(state, "--%s wants a number from %g to %g, not \"%s\"", name, min, max, text);
    return v;
}

int command_domain(struct argp_state *state, const char *text)
{
    if (strcmp(text, "rcu") == 0)
        return LFSET_RCU;
    if (strcmp(text, "hp") == 0)
        return LFSET_HP;
    if (strcmp(text, "both") != 0)
        argp_error(state, "--domain is rcu, hp or both, not \"%s\"", text);
    return -1;
}

void command_writable(const char *path)
{
    FILE *f = path ? fopen(path, "ae") : NULL;

    if (path && !f) {
        fprintf(stderr, "%s: %s cannot be written: %s\n", program_invocation_short_name, path,
                strerror(errno));
        exit(argp_err_exit_status);
    }
    if (f)
        fclose(f);
}

uint64_t command_random_seed(void)
{
    uint64_t seed;

    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        seed = (uint64_t)now.tv_nsec << 32;
    }
    return seed >> 32;
}

static void put_quoted(FILE *out, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./=,:+%@";

    if (word[0] != '\0' && word[strspn(word, plain)] == '\0') {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word != '\0'; word++) {
        if (*word == '\'')
            fputs("'\\''", out);
        else
            fputc(*word, out);
    }
    fputc('\'', out);
}

char *command_text(int argc, char **argv, const uint64_t *seed)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    fputs(argv[0], f);
    for (int i = 1; i < argc; i++) {
        fputc(' ', f);
        put_quoted(f, argv[i]);
    }
    if (seed)
        fprintf(f, " --seed %" PRIu64, *seed);
    fclose(f);
    return text;
}

// SPDX-License-Identifier: MIT
// lfset uniq: how far it is and how long it will take, on a terminal.
#define _GNU_SOURCE
#include "uniq.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { MEGABYTE = 1000 * 1000 };
static const double interval = 0.5; // seconds between two lines

static struct {
    bool on;
    const char *name;
    uint64_t total; // bytes; 0: not known
    uint64_t done;
    double begin;
    double shown; // when
    int width;    // what is on the terminal now
} progress;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void uniq_progress_begin(const char *name, uint64_t total)
{
    // Not amid the output.
    if (!isatty(STDERR_FILENO) || isatty(STDOUT_FILENO))
        return;
    progress.on = true;
    progress.name = name;
    progress.total = total;
    progress.begin = progress.shown = now();
}

static void show(double seconds)
{
    char line[128];
    int width;
    double rate = (double)progress.done / seconds;
    if (progress.done <= progress.total)
        width = snprintf(line, sizeof line, "%.20s: %" PRIu64 " of %" PRIu64 " MB, %.0f s left",
                         progress.name, progress.done / MEGABYTE, progress.total / MEGABYTE,
                         (double)(progress.total - progress.done) / rate);
    else
        width = snprintf(line, sizeof line, "%.20s: %" PRIu64 " MB, %.0f MB/s", progress.name,
                         progress.done / MEGABYTE, rate / MEGABYTE);
    int blanks = width < progress.width ? progress.width - width : 0;
    fprintf(stderr, "\r%s%*s", line, blanks, "");
    fflush(stderr);
    progress.width = width;
}

void uniq_progress_add(uint64_t bytes)
{
    if (!progress.on)
        return;
    progress.done += bytes;
    double time = now();
    if (time - progress.shown < interval)
        return;
    progress.shown = time;
    show(time - progress.begin);
}

void uniq_progress_end(void)
{
    if (progress.width)
        fprintf(stderr, "\r%*s\r", progress.width, "");
    progress.width = 0;
}

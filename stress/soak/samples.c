// SPDX-License-Identifier: MIT
#define _GNU_SOURCE
#include "samples.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

void samples_add(struct samples *samples, const struct sample *sample)
{
    if (samples->count == SAMPLES_MOST) {
        for (size_t i = 0; i < SAMPLES_MOST / 2; i++)
            samples->all[i] = samples->all[2 * i];
        samples->count = SAMPLES_MOST / 2;
        samples->every *= 2;
    }
    samples->all[samples->count++] = *sample;
}

double samples_mean(const struct samples *samples)
{
    const size_t first = samples->count / 2;
    double sum = 0;

    for (size_t i = first; i < samples->count; i++)
        sum += samples->all[i].resident;
    return samples->count > first ? sum / (double)(samples->count - first) : 0;
}

double samples_slope(const struct samples *samples)
{
    const size_t first = samples->count / 2, n = samples->count - first;
    const double mean = samples_mean(samples);
    double middle = 0, above = 0, below = 0;

    for (size_t i = first; i < samples->count; i++)
        middle += samples->all[i].seconds / (double)n;
    for (size_t i = first; i < samples->count; i++) {
        const double x = samples->all[i].seconds - middle;

        above += x * (samples->all[i].resident - mean);
        below += x * x;
    }
    return below > 0 ? above / below : 0;
}

double resident_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");

    if (file) {
        if (fscanf(file, "%*d %ld", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

int samples_csv(const struct samples *samples, const char *path)
{
    FILE *out = fopen(path, "we");

    if (!out)
        return -errno;
    fputs("seconds,resident_bytes,live_keys,slice_bytes,retired_objects_rcu,retired_objects_hp,"
          "retired_bytes_rcu,retired_bytes_hp,mops,threads_started,stalls\n",
          out);
    for (size_t i = 0; i < samples->count; i++) {
        const struct sample *s = &samples->all[i];

        fprintf(out, "%.1f,%.0f,%.0f,%.0f,%.0f,%.0f,%.0f,%.0f,%.4f,%.0f,%.0f\n", s->seconds,
                s->resident, s->live, s->slices, s->objects[0], s->objects[1], s->bytes[0],
                s->bytes[1], s->mops, s->threads, s->stalls);
    }
    const int failed = ferror(out);
    return fclose(out) != 0 || failed ? -EIO : 0;
}

static const char script[] =
    "set terminal svg size 1000,1100 font 'sans-serif,13' background '#ffffff'\n"
    "set output picture\n"
    "set datafile separator ','\n"
    "hours = last > 7200\n"
    "unit = hours ? 3600.0 : 60.0\n"
    "set multiplot layout 4,1 title heading font ',16'\n"
    "set grid back lc rgb '#dddddd'\n"
    "set key outside top center horizontal\n"
    "set xrange [0:*]\n"
    "set yrange [0:*]\n"
    "set lmargin 11\n"
    "set ylabel 'MiB'\n"
    "plot data using ($1/unit):($2/1048576) with lines lw 2 lc rgb '#1f5fa8' title 'resident size',"
    " data using ($1/unit):($4/1048576) with lines lw 2 lc rgb '#b8691a' title 'of it slices'\n"
    "set ylabel 'million keys'\n"
    "plot data using ($1/unit):($3/1e6) with lines lw 2 lc rgb '#0a6b2d' title 'keys in all sets'\n"
    "set ylabel 'objects (below 1: none)'\n"
    "set logscale y\n"
    "set yrange [0.5:*]\n"
    "plot data using ($1/unit):($5 < 1 ? 0.5 : $5) with lines lw 1.5 lc rgb '#b00020' title "
    "'retired, not "
    "freed: "
    "RCU', data using ($1/unit):($6 < 1 ? 0.5 : $6) with lines lw 1.5 lc rgb '#1f5fa8' title "
    "'hazard "
    "pointers'\n"
    "unset logscale y\n"
    "set yrange [0:*]\n"
    "set ylabel 'Mops/s'\n"
    "set xlabel (hours ? 'hours' : 'minutes')\n"
    "plot data using ($1/unit):9 with lines lw 1.5 lc rgb '#555555' title 'operations'\n"
    "unset multiplot\n";

int samples_svg(const char *csv, const char *path, const char *title)
{
    /* Names go through the environment: what is in them is no command to a shell or to gnuplot. */
    if (setenv("LFSET_SOAK_CSV", csv, 1) != 0 || setenv("LFSET_SOAK_SVG", path, 1) != 0 ||
        setenv("LFSET_SOAK_TITLE", title, 1) != 0)
        return -errno;
    if (system("command -v gnuplot >/dev/null 2>&1") != 0)
        return -ENOENT;
    FILE *plot = popen("gnuplot", "we");
    if (!plot)
        return -errno;
    fputs("data = system('printf %s \"$LFSET_SOAK_CSV\"')\n"
          "picture = system('printf %s \"$LFSET_SOAK_SVG\"')\n"
          "heading = system('printf %s \"$LFSET_SOAK_TITLE\"')\n"
          "set datafile separator ','\n"
          "stats data using 1 nooutput\n"
          "last = STATS_max\n",
          plot);
    fputs(script, plot);
    const int status = pclose(plot);
    return status == 0 ? 0 : -EIO;
}

// SPDX-License-Identifier: MIT
/**
 * @file samples.h
 * What is measured while the soak runs, once a second at first. When there are many, every second one
 * goes and the distance doubles: a run of any length needs the same memory and gives the same picture.
 */
#ifndef SOAK_SAMPLES_H
#define SOAK_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

/** At most; even. */
#define SAMPLES_MOST 2048

struct sample {
    double seconds;
    double resident;   /**< bytes */
    double live;       /**< keys in all sets */
    double slices;     /**< bytes of the sets' slices */
    double objects[2]; /**< retired and not freed, by domain */
    double bytes[2];   /**< the same */
    double mops;       /**< million operations a second since the last one */
    double threads;    /**< started so far */
    double stalls;     /**< threads stopped inside an operation so far */
};

struct samples {
    size_t count;
    double every; /**< seconds */
    struct sample all[SAMPLES_MOST];
};

void samples_add(struct samples *samples, const struct sample *sample);

/** Bytes a second by which the resident size grew in the second half, by least squares. */
double samples_slope(const struct samples *samples);
/** The mean resident size in the second half. */
double samples_mean(const struct samples *samples);

double resident_bytes(void);

/** @return 0 or a negative errno. */
int samples_csv(const struct samples *samples, const char *path);
/** One picture, drawn by gnuplot from the CSV file. -ENOENT: there is no gnuplot. */
int samples_svg(const char *csv, const char *path, const char *title);

#endif

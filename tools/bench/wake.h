// SPDX-License-Identifier: MIT
// How long a thread that waits for a change, or for a cancellation, takes to notice it.
#ifndef LFSET_BENCH_WAKE_H
#define LFSET_BENCH_WAKE_H

#include <string>
#include <vector>

// One way to wait. A sample is the time from just before the change until the waiter has returned.
struct wake_result {
    const char *name;
    const char *about;
    std::vector<double> microseconds; // ascending
};

// `rounds` rounds of about three seconds, in which the ways take turns. Ends the program when a wait
// fails.
std::vector<wake_result> wake_run(unsigned rounds);
// The part of the samples, from 0 to 1, that are at most so long.
double wake_quantile(const wake_result &result, double part);

#endif

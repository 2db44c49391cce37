// SPDX-License-Identifier: MIT
// What a tool was asked to look at: a process, or a registry that was saved to a file.
#ifndef LFSET_TOOLS_TARGET_H
#define LFSET_TOOLS_TARGET_H

#include <lfset/observation.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

// Exit statuses.
enum { TOOL_OK = 0, TOOL_FINDING = 1, TOOL_USAGE = 2, TOOL_CANNOT = 3 };

struct target {
    const char *tool; // for messages
    const char *what; // as it was given
    pid_t pid;        // 0: a file
    struct lfset_registry *registry;
};

// `what` is a process id if it has only digits, else a file. Says what went wrong, and returns the exit
// status; TOOL_OK: it is open.
int target_open(struct target *target, const char *tool, const char *what);
void target_close(struct target *target);
// One look; says what went wrong, and returns NULL then.
struct lfset_observation *target_look(const struct target *target);
// After one look, another, so many seconds later; at once where nothing changes any more: in a file, or when
// the process is gone.
struct lfset_observation *target_look_again(const struct target *target,
                                            const struct lfset_observation *before, double seconds);

// A descriptor of the registry that the process itself writes: whoever looks at another's has that open, too, to
// read. A negative errno; -ENOENT: it has none.
int target_registry_fd(pid_t pid);
// Whether it has one.
bool target_is_writer(pid_t pid);

// What opening a registry failed with, in words; `pid` 0: a file.
void target_complain(const char *tool, const char *what, pid_t pid, int error);
int target_status(int error);

// Whether a process is stopped (by a signal or a debugger): it has a registry all the same.
bool target_is_stopped(pid_t pid);
// Name of the user that a process belongs to, or the number.
void target_user(pid_t pid, char *text, size_t size);

// The moment that an observation is of: when it was taken or, if the process was gone then, the last at which
// it is known to have lived.
uint64_t target_moment(const struct lfset_observation *observation);
// Seconds from then to `moment`; 0 if it is later. Clocks of two processors may differ a little.
double target_since(uint64_t moment, uint64_t then);

// Sets by bytes, the largest first. NULL: no memory. To be freed.
const struct lfset_set_seen **target_sets_by_bytes(const struct lfset_observation *observation);

// Sleeps so long; a signal may cut it short.
void target_sleep(double seconds);

// Writes what is left of the output; says when that fails, or `failed` did. Returns the exit status.
int target_output_end(const char *tool, FILE *out, bool failed);

struct argp_state;
// A number of an option within the limits; else the program ends with a message.
double option_number(struct argp_state *state, const char *option, const char *argument, double low,
                     double high);

// How fast a set changed from one look to the next. NaN: not known.
struct rates {
    double seconds; // between the looks
    double keys, bytes, adds, adds_present, removes, removes_absent, hits, misses;
};
struct rates rates_between(const struct lfset_observation *before,
                           const struct lfset_observation *now, const struct lfset_set_seen *set);

#endif

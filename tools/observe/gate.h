// SPDX-License-Identifier: MIT
// lfset gate: what a run needed, by the names of its sets, and what of it is kept as a baseline.
#ifndef LFSET_TOOLS_GATE_H
#define LFSET_TOOLS_GATE_H

#include <jansson.h>
#include <lfset/observation.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { GATE_FIGURES = 3 };
enum gate_figure { GATE_SETS, GATE_KEYS, GATE_BYTES };
extern const char *const gate_figure_names[GATE_FIGURES];

// All sets of one name; "" is that of those without one.
struct gate_name {
    char *name;
    uint64_t most[GATE_FIGURES]; // at any moment that was seen
    uint64_t now[GATE_FIGURES];  // of the observation that is being added
};

// What was seen of a run. Begin with {0}. Functions that may lack memory end the program then.
struct gate_run {
    struct gate_name *names;
    size_t count;
};

void gate_run_free(struct gate_run *run);
const struct gate_name *gate_run_find(const struct gate_run *run, const char *name);
// Takes another moment into account, of one process or of several at once.
void gate_run_begin(struct gate_run *run);
void gate_run_add(struct gate_run *run, const struct lfset_observation *seen);
void gate_run_end(struct gate_run *run);

// From JSON: an observation's (lfset_observation_json), or a baseline. NULL, or what is wrong with it.
const char *gate_run_read(struct gate_run *run, const json_t *json);
// A baseline. NULL: no memory.
json_t *gate_run_json(const struct gate_run *run);

// Runs a command and watches the sets of all its processes until it has ended.
// Returns its exit status, 128 + a signal's number, or a negative errno. *processes: how many had sets.
int gate_run_command(struct gate_run *run, const char *command, unsigned *processes);

#endif

// SPDX-License-Identifier: MIT
// What the benchmark found, for people and for programs.
#ifndef LFSET_BENCH_REPORT_H
#define LFSET_BENCH_REPORT_H

#include "costs.h"
#include "run.h"
#include "wake.h"

void report_table(const std::vector<cell> &cells);
// Returns 0, or -1 with a message printed when the file cannot be written.
int report_json(const char *path, const std::string &command, const settings &settings,
                const std::vector<cell> &cells);

// Likewise; throws std::runtime_error when the pictures cannot be drawn.
int report_html(const char *path, const std::string &command, const settings &settings,
                const std::vector<cell> &cells);

void report_wake_table(const std::vector<wake_result> &results);
int report_wake_json(const char *path, const std::string &command,
                     const std::vector<wake_result> &results);

void report_costs_table(const std::vector<cost> &costs);
int report_costs_json(const char *path, const std::string &command, const std::vector<cost> &costs);
// As report_html.
int report_costs_html(const char *path, const std::string &command, const std::vector<cost> &costs);

#endif

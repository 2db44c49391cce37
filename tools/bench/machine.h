// SPDX-License-Identifier: MIT
#ifndef LFSET_BENCH_MACHINE_H
#define LFSET_BENCH_MACHINE_H

#include <string>
#include <utility>
#include <vector>

// What a figure depends on besides the code, as (name, value): processor, kernel, compiler,
// versions.
std::vector<std::pair<std::string, std::string>> machine_facts();

#endif

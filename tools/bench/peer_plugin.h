// SPDX-License-Identifier: MIT
// Sets from outside, through the interface of lfset/target.h, which `lfset stress --target` tests.
#ifndef LFSET_BENCH_PEER_PLUGIN_H
#define LFSET_BENCH_PEER_PLUGIN_H

#include "peer.h"

// The peer in the shared object FILE, which must outlive it, as must the path. Throws
// std::runtime_error with what is wrong.
peer peer_plugin(const char *path);

#endif

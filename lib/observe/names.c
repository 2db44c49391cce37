// SPDX-License-Identifier: MIT
#include "observe/names.h"

#define NAME(names, value)                                                                         \
    ((unsigned)(value) < sizeof(names) / sizeof *(names) ? (names)[value] : "unknown")

const char *lfset__kind_name(enum lfset_kind kind)
{
    static const char *const names[] = {"u64", "bytes", "obj", "bitmap"};
    return NAME(names, kind);
}

const char *lfset__domain_name(enum lfset_domain domain)
{
    static const char *const names[] = {"rcu", "hp"};
    return NAME(names, domain);
}

const char *lfset__strategy_name(enum lfset_strategy strategy)
{
    static const char *const names[] = {"notify", "refuse", "evict"};
    return NAME(names, strategy);
}

const char *lfset__holder_name(enum lfset_holder holder)
{
    static const char *const names[] = {"readers", "snapshot", "iteration"};
    return NAME(names, holder);
}

// SPDX-License-Identifier: MIT
#include "peer.h"

#include <lfset/u64.h>

namespace
{

template <enum lfset_domain domain, bool section> struct lfset_peer {
    lfset_u64 *set;

    static void *create()
    {
        lfset_options options = LFSET_OPTIONS_INIT;
        options.domain = domain;
        lfset_u64 *made;
        return lfset_u64_create(&made, &options) == 0 ? made : nullptr;
    }
    static void destroy(void *old)
    {
        lfset_u64_destroy(static_cast<lfset_u64 *>(old));
    }
    static uint64_t size(void *of)
    {
        return static_cast<uint64_t>(lfset_u64_size(static_cast<lfset_u64 *>(of), NULL));
    }
    static uint64_t bytes(void *of)
    {
        lfset_stats stats = {};
        stats.size = sizeof stats;
        lfset_barrier();
        return lfset_u64_stats_read(static_cast<lfset_u64 *>(of), &stats) == 0 ? stats.bytes : 0;
    }
    explicit lfset_peer(void *of) : set(static_cast<lfset_u64 *>(of))
    {
    }
    int contains(uint64_t key)
    {
        return lfset_u64_contains(set, key);
    }
    int add(uint64_t key)
    {
        return lfset_u64_add(set, key);
    }
    int remove(uint64_t key)
    {
        return lfset_u64_remove(set, key);
    }
    int contains_batch(const uint64_t *keys)
    {
        int8_t results[BATCH];
        return static_cast<int>(lfset_u64_contains_many(set, keys, BATCH, results));
    }
    void chunk_begin()
    {
        if (section)
            lfset_section_enter();
    }
    void chunk_end()
    {
        if (section)
            lfset_section_leave();
    }
};

} // namespace

const std::vector<peer> peers_lfset = {
    peer_of<lfset_peer<LFSET_HP, false>>("lfset-hp", "hazard pointers, plain calls", true),
    peer_of<lfset_peer<LFSET_HP, true>>("lfset-hp-section",
                                        "hazard pointers, a section over 64 operations", true),
    peer_of<lfset_peer<LFSET_RCU, false>>("lfset-rcu", "RCU, plain calls", true),
    peer_of<lfset_peer<LFSET_RCU, true>>("lfset-rcu-section", "RCU, a section over 64 operations",
                                         true),
};

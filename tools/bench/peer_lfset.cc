// SPDX-License-Identifier: MIT
#include "peer.h"

#include <lfset/bitmap.h>
#include <lfset/bytes.h>
#include <lfset/generic.h>
#include <lfset/observe.h>
#include <lfset/u64.h>

namespace
{

int stats_read(const lfset_u64 *set, lfset_stats *stats)
{
    return lfset_u64_stats_read(set, stats);
}

int stats_read(const lfset_bytes *set, lfset_stats *stats)
{
    return lfset_bytes_stats_read(set, stats);
}

int stats_read(const lfset_bitmap *set, lfset_stats *stats)
{
    return lfset_bitmap_stats_read(set, stats);
}

// What the kinds of sets have in common, by their overloads.
template <class Peer, class Set, enum lfset_domain domain, bool section,
          class Base = peer_base<Peer>>
struct lfset_peer : Base {
    static constexpr bool stalls = true;
    Set *set;

    static Set *of(void *opaque)
    {
        return static_cast<Set *>(opaque);
    }
    static void *create(const peer *)
    {
        lfset_options options = LFSET_OPTIONS_INIT;
        options.domain = domain;
        Set *made;
        return lfset_create(&made, &options) == 0 ? made : nullptr;
    }
    static void destroy(void *old)
    {
        lfset_destroy(of(old));
    }
    static uint64_t size(void *opaque)
    {
        return static_cast<uint64_t>(lfset_size(of(opaque), nullptr));
    }
    static uint64_t bytes(void *opaque)
    {
        lfset_stats stats = {};
        stats.size = sizeof stats;
        lfset_barrier();
        return stats_read(of(opaque), &stats) == 0 ? stats.bytes : 0;
    }
    explicit lfset_peer(void *opaque) : set(of(opaque))
    {
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
    void stall_begin()
    {
        lfset_section_enter();
    }
    void stall_end()
    {
        lfset_section_leave();
    }
};

int add_to_sum(uint64_t key, void *sum)
{
    *static_cast<uint64_t *>(sum) += key;
    return 0;
}

template <class Set, class Snapshot, enum lfset_domain domain, bool section, unsigned types>
struct number_peer
    : lfset_peer<number_peer<Set, Snapshot, domain, section, types>, Set, domain, section> {
        static constexpr unsigned keys = types; static constexpr bool takes_snapshots = true;

        using base =
            lfset_peer<number_peer<Set, Snapshot, domain, section, types>, Set, domain, section>;
        using base::base; using base::set;

        int contains(uint64_t key){return lfset_contains(set, key);}
int add(uint64_t key)
{
    return lfset_add(set, key);
}
int remove(uint64_t key)
{
    return lfset_remove(set, key);
}
int contains_batch(const uint64_t *batch, size_t count)
{
    int8_t results[BATCH_MAX];
    return static_cast<int>(lfset_contains_many(set, batch, count, results));
}
void stall_begin()
{
    base::stall_begin();
    contains(0); // and uses the set
}
int64_t snapshot(uint64_t *sum)
{
    Snapshot *taken;
    *sum = 0;
    if (lfset_snapshot(set, &taken) != 0)
        return -1;
    lfset_each(taken, add_to_sum, sum);
    int64_t count = lfset_count(taken);
    lfset_destroy(taken);
    return count;
}
}; // namespace

template <enum lfset_domain domain, bool section>
using u64_peer = number_peer<lfset_u64, lfset_u64_snapshot, domain, section, NUMBERS>;
template <enum lfset_domain domain>
using bitmap_peer = number_peer<lfset_bitmap, lfset_bitmap_snapshot, domain, false, DENSE>;

template <enum lfset_domain domain>
struct bytes_peer : lfset_peer<bytes_peer<domain>, lfset_bytes, domain, false,
                               text_peer_base<bytes_peer<domain>>> {
    using base = lfset_peer<bytes_peer<domain>, lfset_bytes, domain, false,
                            text_peer_base<bytes_peer<domain>>>;
    using base::base;
    using base::set;

    int contains(uint64_t key)
    {
        const text *it = reinterpret_cast<const text *>(key);
        return lfset_bytes_contains(set, it->bytes, it->length);
    }
    int add(uint64_t key)
    {
        const text *it = reinterpret_cast<const text *>(key);
        return lfset_bytes_add(set, it->bytes, it->length);
    }
    int remove(uint64_t key)
    {
        const text *it = reinterpret_cast<const text *>(key);
        return lfset_bytes_remove(set, it->bytes, it->length);
    }
};

// What being seen costs.
enum seen { NAMED, COUNTED, PROFILED };

template <enum lfset_domain domain, enum seen seen>
struct seen_peer : u64_peer<domain, false> {
    using u64_peer<domain, false>::u64_peer;

    static void *
    create(const peer *){lfset_observe observe = LFSET_OBSERVE_INIT;
                         observe.profile_rate = seen == PROFILED ? 1024 : 0;
                         lfset_options options = LFSET_OPTIONS_INIT; options.domain = domain;
                         options.name = "bench";
                         options.observe = seen == NAMED ? nullptr : &observe; lfset_u64 * made;
                         return lfset_u64_create(&made, &options) == 0 ? made : nullptr;}
}
;

template <enum lfset_domain domain, enum seen seen>
peer asked_for(const char *name, const char *about)
{
    peer made = peer_of<seen_peer<domain, seen>>(name, about, true);
    made.asked = true;
    return made;
}

} // namespace

const std::vector<peer> peers_lfset = {
    peer_of<u64_peer<LFSET_HP, false>>("lfset-hp", "hazard pointers, plain calls", true),
    peer_of<u64_peer<LFSET_HP, true>>("lfset-hp-section",
                                      "hazard pointers, a section over 64 operations", true),
    peer_of<u64_peer<LFSET_RCU, false>>("lfset-rcu", "RCU, plain calls", true),
    peer_of<u64_peer<LFSET_RCU, true>>("lfset-rcu-section", "RCU, a section over 64 operations",
                                       true),
    peer_of<bitmap_peer<LFSET_HP>>("lfset-bitmap-hp", "the bitmap, hazard pointers", true),
    peer_of<bitmap_peer<LFSET_RCU>>("lfset-bitmap-rcu", "the bitmap, RCU", true),
    peer_of<bytes_peer<LFSET_HP>>("lfset-bytes-hp", "strings, hazard pointers", true),
    peer_of<bytes_peer<LFSET_RCU>>("lfset-bytes-rcu", "strings, RCU", true),
    asked_for<LFSET_HP, NAMED>("lfset-hp-named", "with a name; only when asked for"),
    asked_for<LFSET_HP, COUNTED>("lfset-hp-counted", "the same, and counters"),
    asked_for<LFSET_HP, PROFILED>("lfset-hp-profiled", "the same, and one key in 1024 profiled"),
    asked_for<LFSET_RCU, NAMED>("lfset-rcu-named", "with a name; only when asked for"),
    asked_for<LFSET_RCU, COUNTED>("lfset-rcu-counted", "the same, and counters"),
    asked_for<LFSET_RCU, PROFILED>("lfset-rcu-profiled", "the same, and one key in 1024 profiled"),
};

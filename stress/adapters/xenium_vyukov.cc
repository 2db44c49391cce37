// SPDX-License-Identifier: MIT
// xenium: vyukov_hash_map, whose updates lock a bucket, with epoch-based reclamation. Its iterator
// holds the lock of the bucket that it is in.
//
// It is not linearizable. An update ends with a release store, the unlocking of its bucket, and returns
// while that is still in the processor's store buffer: for some 100 ns another thread may look and
// not see it. Without any clock: one thread adds a key and then reads a flag, another one sets the
// flag and then looks for the key, both flag accesses seq_cst; now and then neither sees the other.
// The stress sees it with the tsc clock; the counter clock empties the store buffer and hides it.
#include "adapter.hh"

#include <array> // the next one lacks it
#include <xenium/reclamation/generic_epoch_based.hpp>
#include <xenium/vyukov_hash_map.hpp>

struct hash {
    size_t operator()(uint64_t key) const
    {
        disturb();
        return adapter_hash(key);
    }
};

struct xenium_set {
    using epochs = xenium::reclamation::epoch_based<>;
    using table = xenium::vyukov_hash_map<uint64_t, uint64_t, xenium::policy::reclaimer<epochs>,
                                          xenium::policy::hash<hash>>;
    table map;

    explicit xenium_set(const lfset_target_options &)
    {
    }
    bool add(uint64_t key)
    {
        return map.emplace(key, 0);
    }
    bool remove(uint64_t key)
    {
        return map.erase(key);
    }
    bool contains(uint64_t key)
    {
        table::accessor value;
        return map.try_get_value(key, value);
    }
    template <class Visit> void each(Visit visit)
    {
        for (auto at = map.begin(); at != map.end(); ++at)
            visit((*at).first);
    }
};

ADAPTER(xenium_set, "xenium vyukov, EBR", 0)

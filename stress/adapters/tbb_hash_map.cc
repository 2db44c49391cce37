// SPDX-License-Identifier: MIT
// oneTBB's concurrent_hash_map. Its clear and its iterators are not for concurrent use; its size is
// a counter that an insertion raises before, and a removal lowers after it takes effect.
#include "adapter.hh"

#include <oneapi/tbb/concurrent_hash_map.h>

struct hash_compare {
    static size_t hash(uint64_t key)
    {
        return adapter_hash(key);
    }
    static bool equal(uint64_t a, uint64_t b)
    {
        disturb();
        return a == b;
    }
};

struct tbb_set {
    tbb::concurrent_hash_map<uint64_t, char, hash_compare> map;

    explicit tbb_set(const lfset_target_options &)
    {
    }
    bool add(uint64_t key)
    {
        return map.insert({key, '\0'});
    }
    bool remove(uint64_t key)
    {
        return map.erase(key);
    }
    bool contains(uint64_t key)
    {
        return map.count(key) != 0;
    }
    int64_t size()
    {
        return static_cast<int64_t>(map.size());
    }
    bool is_empty()
    {
        return map.empty();
    }
    template <class Visit> void each(Visit visit)
    {
        for (const auto &entry : map)
            visit(entry.first);
    }
};

ADAPTER(tbb_set, "oneTBB hash_map", LFSET_TARGET_COUNTER_SIZE | LFSET_TARGET_EACH_AT_REST)

// SPDX-License-Identifier: MIT
// xenium: the hash map of Harris-Michael lists, with hazard pointers. Its iterator, when the list
// changed behind it, looks for the key where it is once more, and finds that again if it is still, or
// again, there: each may visit a key twice.
#include "adapter.hh"

#include <cassert> // the next one lacks it
#include <xenium/harris_michael_hash_map.hpp>
#include <xenium/reclamation/hazard_pointer.hpp>

struct hash {
    size_t operator()(uint64_t key) const
    {
        disturb();
        return adapter_hash(key);
    }
};

struct xenium_set {
    using hazards = xenium::reclamation::hazard_pointer<>::with<xenium::policy::allocation_strategy<
        xenium::reclamation::hp_allocation::dynamic_strategy<3>>>;
    xenium::harris_michael_hash_map<uint64_t, char, xenium::policy::reclaimer<hazards>,
                                    xenium::policy::hash<hash>, xenium::policy::buckets<4096>>
        map;

    explicit xenium_set(const lfset_target_options &)
    {
    }
    bool add(uint64_t key)
    {
        return map.emplace(key, '\0');
    }
    bool remove(uint64_t key)
    {
        return map.erase(key);
    }
    bool contains(uint64_t key)
    {
        return map.contains(key);
    }
    template <class Visit> void each(Visit visit)
    {
        for (auto at = map.begin(); at != map.end(); ++at)
            visit(at->first);
    }
};

ADAPTER(xenium_set, "xenium Michael, HP", LFSET_TARGET_LOCK_FREE | LFSET_TARGET_EACH_REPEATS)

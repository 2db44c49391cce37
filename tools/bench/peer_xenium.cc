// SPDX-License-Identifier: MIT
// xenium's hash maps as sets. The one after Vyukov locks a bucket to update it; that of Harris and
// Michael is lock-free and has a fixed number of buckets, here enough for 10^6 keys.
#include "peer.h"

#include <cassert> // xenium uses it unasked

#include <xenium/harris_michael_hash_map.hpp>
#include <xenium/reclamation/generic_epoch_based.hpp>
#include <xenium/reclamation/hazard_pointer.hpp>
#include <xenium/vyukov_hash_map.hpp>

namespace
{

// std::hash leaves a number as it is, and both take its low bits.
struct scatter {
    size_t operator()(uint64_t key) const
    {
        key *= 0x9e3779b97f4a7c15u;
        return key ^ key >> 32;
    }
};

struct nothing {
};

using hazard_pointers =
    xenium::reclamation::hazard_pointer<xenium::reclamation::hazard_pointer_traits<
        xenium::reclamation::hp_allocation::static_strategy<3>>>;
using epochs = xenium::reclamation::epoch_based<>;

template <class Reclaimer>
using vyukov = xenium::vyukov_hash_map<uint64_t, uint64_t, xenium::policy::reclaimer<Reclaimer>,
                                       xenium::policy::hash<scatter>>;
template <class Reclaimer>
using harris_michael =
    xenium::harris_michael_hash_map<uint64_t, nothing, xenium::policy::reclaimer<Reclaimer>,
                                    xenium::policy::hash<scatter>,
                                    xenium::policy::buckets<size_t(1) << 20>>;

template <class Reclaimer> bool has(const vyukov<Reclaimer> &map, uint64_t key)
{
    typename vyukov<Reclaimer>::accessor found;
    return map.try_get_value(key, found);
}

template <class Reclaimer> bool has(harris_michael<Reclaimer> &map, uint64_t key)
{
    return map.contains(key);
}

template <class Reclaimer> bool put(vyukov<Reclaimer> &map, uint64_t key)
{
    return map.emplace(key, 0);
}

template <class Reclaimer> bool put(harris_michael<Reclaimer> &map, uint64_t key)
{
    return map.emplace(key, nothing());
}

template <class Map> class xenium_peer : public peer_base<xenium_peer<Map>>
{
    Map *map;

    static Map *of(void *opaque)
    {
        return static_cast<Map *>(opaque);
    }

  public:
    static void *create(const peer *)
    {
        return new Map;
    }
    static void destroy(void *old)
    {
        delete of(old);
    }
    static uint64_t size(void *opaque)
    {
        uint64_t count = 0;
        for (auto at = of(opaque)->begin(); at != of(opaque)->end(); ++at)
            count++;
        return count;
    }
    explicit xenium_peer(void *opaque) : map(of(opaque))
    {
    }
    int contains(uint64_t key)
    {
        return has(*map, key);
    }
    int add(uint64_t key)
    {
        return put(*map, key);
    }
    int remove(uint64_t key)
    {
        return map->erase(key);
    }
};

} // namespace

const std::vector<peer> peers_xenium = {
    peer_of<xenium_peer<vyukov<hazard_pointers>>>("xenium-vyukov-hp",
                                                  "xenium's vyukov_hash_map, hazard pointers"),
    peer_of<xenium_peer<vyukov<epochs>>>("xenium-vyukov-ebr", "the same, epochs"),
    peer_of<xenium_peer<harris_michael<epochs>>>(
        "xenium-harris-michael", "xenium's harris_michael_hash_map, 2^20 buckets, epochs"),
};

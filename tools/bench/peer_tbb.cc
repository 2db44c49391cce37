// SPDX-License-Identifier: MIT
// oneTBB's concurrent_hash_map as a set: a lock for each element and bucket. (Its
// concurrent_unordered_set cannot remove beside other threads.)
#include "peer.h"

#include <string>
#include <string_view>
#include <tbb/concurrent_hash_map.h>

namespace
{

struct nothing {
};

struct number_hash {
    size_t hash(uint64_t key) const
    {
        key *= 0x9e3779b97f4a7c15u;
        return key ^ key >> 32;
    }
    bool equal(uint64_t a, uint64_t b) const
    {
        return a == b;
    }
};

struct text_hash {
    size_t hash(std::string_view key) const
    {
        return std::hash<std::string_view>()(key);
    }
    bool equal(std::string_view a, std::string_view b) const
    {
        return a == b;
    }
};

uint64_t key_of(uint64_t key, uint64_t)
{
    return key;
}

std::string key_of(uint64_t key, const std::string &)
{
    const text *it = reinterpret_cast<const text *>(key);
    return std::string(it->bytes, it->length);
}

template <class Key, class Hash, template <class> class Base>
class tbb_peer : public Base<tbb_peer<Key, Hash, Base>>
{
    using map = tbb::concurrent_hash_map<Key, nothing, Hash>;
    map *set;

    static map *of(void *opaque)
    {
        return static_cast<map *>(opaque);
    }

  public:
    static void *create(const peer *)
    {
        return new map;
    }
    static void destroy(void *old)
    {
        delete of(old);
    }
    static uint64_t size(void *opaque)
    {
        return of(opaque)->size();
    }
    explicit tbb_peer(void *opaque) : set(of(opaque))
    {
    }
    int contains(uint64_t key)
    {
        return static_cast<int>(set->count(key_of(key, Key())));
    }
    int add(uint64_t key)
    {
        return set->insert(typename map::value_type(key_of(key, Key()), nothing()));
    }
    int remove(uint64_t key)
    {
        return set->erase(key_of(key, Key()));
    }
};

} // namespace

const std::vector<peer> peers_tbb = {
    peer_of<tbb_peer<uint64_t, number_hash, peer_base>>("tbb", "oneTBB's concurrent_hash_map"),
    peer_of<tbb_peer<std::string, text_hash, text_peer_base>>(
        "tbb-strings", "oneTBB's concurrent_hash_map of std::string"),
};

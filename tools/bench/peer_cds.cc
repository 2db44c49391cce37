// SPDX-License-Identifier: MIT
// Three sets of libcds, on its hazard pointers and on its buffered user-space RCU: Michael's lists in
// a fixed number of buckets, split-ordered lists, and Feldman's trie of arrays.
#include "peer.h"

#include <cds/init.h>

#include <cds/gc/hp.h>
#include <cds/urcu/general_buffered.h>

#include <cds/container/feldman_hashset_hp.h>
#include <cds/container/feldman_hashset_rcu.h>
#include <cds/container/michael_list_hp.h>
#include <cds/container/michael_list_rcu.h>
#include <cds/container/michael_set.h>
#include <cds/container/michael_set_rcu.h>
#include <cds/container/split_list_set.h>
#include <cds/container/split_list_set_rcu.h>

namespace
{

namespace cc = cds::container;
using hazard_pointers = cds::gc::HP;
using rcu = cds::urcu::gc<cds::urcu::general_buffered<>>;

// All are made for so many keys: Michael's set cannot grow.
constexpr size_t EXPECTED = 1000000;

uint64_t scatter(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15u;
    return key ^ key >> 32;
}

struct hash {
    size_t operator()(uint64_t key) const
    {
        return scatter(key);
    }
};

struct compare {
    int operator()(uint64_t a, uint64_t b) const
    {
        return a < b ? -1 : a > b;
    }
};

struct list_traits : cc::michael_list::traits {
    using compare = ::compare;
};

struct michael_traits : cc::michael_set::traits {
    using hash = ::hash;
    using item_counter = cds::atomicity::item_counter;
};

struct split_traits : cc::split_list::traits {
    using ordered_list = cc::michael_list_tag;
    using hash = ::hash;
    using item_counter = cds::atomicity::item_counter;
    struct ordered_list_traits : cc::michael_list::traits {
        using compare = ::compare;
    };
};

struct itself {
    uint64_t operator()(uint64_t key) const
    {
        return key;
    }
};

// Feldman's set is of hashes: the keys are stored scattered, which is a bijection.
struct feldman_traits : cc::feldman_hashset::traits {
    using hash_accessor = itself;
    using item_counter = cds::atomicity::item_counter;
};

template <class GC>
using michael = cc::MichaelHashSet<GC, cc::MichaelList<GC, uint64_t, list_traits>, michael_traits>;
template <class GC> using split = cc::SplitListSet<GC, uint64_t, split_traits>;
template <class GC> using feldman = cc::FeldmanHashSet<GC, uint64_t, feldman_traits>;

// The library, and the two ways of reclaiming, for as long as the program runs.
void start()
{
    static struct started {
        started()
        {
            cds::Initialize();
            new hazard_pointers(16);
            new rcu(256);
            cds::threading::Manager::attachThread();
        }
    } once;
}

template <class Set> uint64_t stored(uint64_t key, const Set *)
{
    return key;
}

template <class GC> uint64_t stored(uint64_t key, const feldman<GC> *)
{
    return scatter(key);
}

template <class GC> michael<GC> *made(michael<GC> *)
{
    return new michael<GC>(EXPECTED, 1);
}

template <class GC> split<GC> *made(split<GC> *)
{
    return new split<GC>(EXPECTED, 1);
}

template <class GC> feldman<GC> *made(feldman<GC> *)
{
    return new feldman<GC>(8, 4);
}

template <class Set> class cds_peer : public peer_base<cds_peer<Set>>
{
    Set *set;
    bool arrived;

    static Set *of(void *opaque)
    {
        return static_cast<Set *>(opaque);
    }
    uint64_t stored(uint64_t key) const
    {
        return ::stored(key, set);
    }

  public:
    static void *create(const peer *)
    {
        start();
        return made(static_cast<Set *>(nullptr));
    }
    static void destroy(void *old)
    {
        delete of(old);
    }
    static uint64_t size(void *opaque)
    {
        return of(opaque)->size();
    }
    explicit cds_peer(void *opaque)
        : set(of(opaque)), arrived(!cds::threading::Manager::isThreadAttached())
    {
        if (arrived)
            cds::threading::Manager::attachThread();
    }
    ~cds_peer()
    {
        if (arrived)
            cds::threading::Manager::detachThread();
    }
    int contains(uint64_t key)
    {
        return set->contains(stored(key));
    }
    int add(uint64_t key)
    {
        return set->insert(stored(key));
    }
    int remove(uint64_t key)
    {
        return set->erase(stored(key));
    }
};

} // namespace

const std::vector<peer> peers_cds = {
    peer_of<cds_peer<michael<hazard_pointers>>>(
        "cds-michael-hp", "libcds MichaelHashSet, 10^6 buckets, hazard pointers"),
    peer_of<cds_peer<michael<rcu>>>("cds-michael-rcu", "the same, RCU"),
    peer_of<cds_peer<split<hazard_pointers>>>("cds-split-hp",
                                              "libcds SplitListSet, hazard pointers"),
    peer_of<cds_peer<split<rcu>>>("cds-split-rcu", "the same, RCU"),
    peer_of<cds_peer<feldman<hazard_pointers>>>("cds-feldman-hp",
                                                "libcds FeldmanHashSet, hazard pointers"),
    peer_of<cds_peer<feldman<rcu>>>("cds-feldman-rcu", "the same, RCU"),
};

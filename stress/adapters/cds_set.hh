// SPDX-License-Identifier: MIT
// What the adapters of libcds have in common. Its clear and its iterators are for debugging only; its
// size is a counter that is changed after the set.
#ifndef STRESS_ADAPTERS_CDS_SET_HH
#define STRESS_ADAPTERS_CDS_SET_HH

#include "adapter.hh"

#include <cds/init.h>
#include <cds/threading/model.h>
#include <functional>

struct cds_hash {
    size_t operator()(uint64_t key) const
    {
        return adapter_hash(key);
    }
};

struct cds_compare {
    int operator()(uint64_t a, uint64_t b) const
    {
        disturb();
        return a < b ? -1 : a > b;
    }
};

template <class Library, class Table> class cds_set
{
    // Before the table, and after it: the library, once in the process.
    static Library &library()
    {
        static Library once;
        return once;
    }
    Library &used = library();
    struct thread {
        thread()
        {
            cds::threading::Manager::attachThread();
        }
        ~thread()
        {
            cds::threading::Manager::detachThread();
        }
    };
    struct table {
        thread creator;
        Table keys{4096, 4};
    };
    Table *keys;

  public:
    explicit cds_set(const lfset_target_options &)
    {
        thread self;
        keys = new Table(4096, 4);
    }
    ~cds_set()
    {
        thread self;
        delete keys;
    }
    int attach()
    {
        cds::threading::Manager::attachThread();
        return 0;
    }
    int detach()
    {
        cds::threading::Manager::detachThread();
        return 0;
    }
    bool add(uint64_t key)
    {
        return keys->insert(key);
    }
    bool remove(uint64_t key)
    {
        return keys->erase(key);
    }
    bool contains(uint64_t key)
    {
        return keys->contains(key);
    }
    int64_t size()
    {
        const int64_t counted = static_cast<int64_t>(keys->size());
        return counted < 0 ? 0 : counted;
    }
};

#endif

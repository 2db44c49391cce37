// SPDX-License-Identifier: MIT
// libcds: SplitListSet of MichaelLists, with its buffered user-space RCU.
#include <cds/urcu/general_buffered.h>

#include <cds/container/michael_list_rcu.h>
#include <cds/container/split_list_set_rcu.h>

#include "cds_set.hh"

using rcu = cds::urcu::gc<cds::urcu::general_buffered<>>;

struct library {
    rcu *domain;
    library()
    {
        cds::Initialize();
        domain = new rcu;
    }
};

struct set_traits : cds::container::split_list::traits {
    using ordered_list = cds::container::michael_list_tag;
    using hash = cds_hash;
    struct ordered_list_traits : cds::container::michael_list::traits {
        using compare = cds_compare;
    };
};
using table = cds::container::SplitListSet<rcu, uint64_t, set_traits>;
using set = cds_set<library, table>;

ADAPTER(set, "libcds split, RCU", LFSET_TARGET_COUNTER_SIZE)

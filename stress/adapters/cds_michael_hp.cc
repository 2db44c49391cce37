// SPDX-License-Identifier: MIT
// libcds: MichaelHashSet of MichaelLists, with hazard pointers.
#include <cds/gc/hp.h>

#include <cds/container/michael_list_hp.h>
#include <cds/container/michael_set.h>

#include "cds_set.hh"

struct library {
    cds::gc::HP *hazards;
    library()
    {
        cds::Initialize();
        hazards = new cds::gc::HP(8, 128); // hazards of a thread, threads
    }
};

struct list_traits : cds::container::michael_list::traits {
    using compare = cds_compare;
};
using list = cds::container::MichaelList<cds::gc::HP, uint64_t, list_traits>;
struct set_traits : cds::container::michael_set::traits {
    using hash = cds_hash;
};
using table = cds::container::MichaelHashSet<cds::gc::HP, list, set_traits>;
using set = cds_set<library, table>;

ADAPTER(set, "libcds Michael, HP", LFSET_TARGET_COUNTER_SIZE | LFSET_TARGET_LOCK_FREE)

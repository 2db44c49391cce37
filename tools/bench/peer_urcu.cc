// SPDX-License-Identifier: MIT
// liburcu's cds_lfht in two flavours. qsbr is the fastest for its readers: a read costs nothing, each
// thread announces a quiescent state every CHUNK operations. bp asks nothing of its threads: here each
// operation is a section. Removed nodes are freed in batches after one grace period, which costs less
// than a call_rcu, and its thread, for each.
#include "peer.h"

#include <cstdlib>
#include <urcu/urcu-bp.h>
#include <urcu/urcu-qsbr.h>

#include <urcu/rculfhash.h>

// urcu/flavor.h declares that of the flavour included first
extern "C" const struct rcu_flavor_struct urcu_bp_flavor, urcu_qsbr_flavor;

namespace
{

struct qsbr {
    static const rcu_flavor_struct *flavor()
    {
        return &urcu_qsbr_flavor;
    }
    static void arrive()
    {
        urcu_qsbr_register_thread();
    }
    static void leave()
    {
        urcu_qsbr_unregister_thread();
    }
    static void quiescent()
    {
        urcu_qsbr_quiescent_state();
    }
    static void synchronize()
    {
        urcu_qsbr_synchronize_rcu();
    }
    struct section {
        section()
        {
        }
    };
};

struct bp {
    static const rcu_flavor_struct *flavor()
    {
        return &urcu_bp_flavor;
    }
    static void arrive()
    {
    }
    static void leave()
    {
    }
    static void quiescent()
    {
    }
    static void synchronize()
    {
        urcu_bp_synchronize_rcu();
    }
    struct section {
        section()
        {
            urcu_bp_read_lock();
        }
        ~section()
        {
            urcu_bp_read_unlock();
        }
    };
};

struct node {
    cds_lfht_node in_table;
    uint64_t key;
};

int match(cds_lfht_node *entry, const void *key)
{
    return caa_container_of(entry, node, in_table)->key == *static_cast<const uint64_t *>(key);
}

unsigned long hash(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15u;
    return key ^ key >> 32;
}

// liburcu 0.13's automatic resize can stop for good: it hands the work to its thread and only then
// notes that a resize is under way; when that thread is done first, the note stays and no later
// resize is begun. So the keys are counted here too, and when there are 1.75 for each bucket that
// there should be, the resize is asked for explicitly, which does nothing to a table that resized
// itself.
struct lfht_set {
    static constexpr uint64_t INITIAL = 16384;

    cds_lfht *table;
    std::atomic<uint64_t> count{0};
    std::atomic<uint64_t> buckets{INITIAL};

    void counted(uint64_t more)
    {
        uint64_t keys = count.fetch_add(more, std::memory_order_relaxed) + more;
        uint64_t had = buckets.load(std::memory_order_relaxed);
        if (static_cast<int64_t>(keys) > 0 && keys >= had * 7 / 2 &&
            buckets.compare_exchange_strong(had, had * 2))
            cds_lfht_resize(table, had * 2);
    }
};

template <class Flavor> class lfht_peer : public peer_base<lfht_peer<Flavor>>
{
    using section = typename Flavor::section;

    static constexpr size_t GRACE_BATCH = 4096;
    static constexpr int64_t COUNT_BATCH = 1024;

    lfht_set *owner;
    cds_lfht *set;
    node *spare = nullptr;
    int64_t net = 0; // keys added less keys removed that owner does not know yet
    std::vector<node *> removed;

    void free_removed()
    {
        Flavor::synchronize();
        for (node *old : removed)
            free(old);
        removed.clear();
    }

  public:
    static void *create(const peer *)
    {
        lfht_set *made = new lfht_set;
        made->table = cds_lfht_new_flavor(lfht_set::INITIAL, 64, 0,
                                          CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING,
                                          Flavor::flavor(), nullptr);
        return made;
    }
    static void destroy(void *old)
    {
        {
            lfht_peer all(old);
            section reading;
            cds_lfht_iter at;
            for (cds_lfht_first(all.set, &at); at.node; cds_lfht_next(all.set, &at)) {
                cds_lfht_del(all.set, at.node);
                all.removed.push_back(caa_container_of(at.node, node, in_table));
            }
        }
        cds_lfht_destroy(static_cast<lfht_set *>(old)->table, nullptr);
        delete static_cast<lfht_set *>(old);
    }
    static uint64_t size(void *of)
    {
        lfht_peer all(of);
        section reading;
        long before, after;
        unsigned long count;
        cds_lfht_count_nodes(all.set, &before, &count, &after);
        return count;
    }
    explicit lfht_peer(void *of) : owner(static_cast<lfht_set *>(of)), set(owner->table)
    {
        Flavor::arrive();
        removed.reserve(GRACE_BATCH + CHUNK);
    }
    ~lfht_peer()
    {
        free_removed();
        free(spare);
        owner->counted(static_cast<uint64_t>(net));
        Flavor::leave();
    }
    int contains(uint64_t key)
    {
        section reading;
        cds_lfht_iter at;
        cds_lfht_lookup(set, hash(key), match, &key, &at);
        return at.node != nullptr;
    }
    int add(uint64_t key)
    {
        if (!spare)
            spare = static_cast<node *>(malloc(sizeof *spare));
        spare->key = key;
        section reading;
        if (cds_lfht_add_unique(set, hash(key), match, &key, &spare->in_table) != &spare->in_table)
            return 0;
        spare = nullptr;
        net++;
        return 1;
    }
    int remove(uint64_t key)
    {
        section reading;
        cds_lfht_iter at;
        cds_lfht_lookup(set, hash(key), match, &key, &at);
        if (!at.node || cds_lfht_del(set, at.node) != 0)
            return 0;
        removed.push_back(caa_container_of(at.node, node, in_table));
        net--;
        return 1;
    }
    void chunk_end()
    {
        if (removed.size() >= GRACE_BATCH)
            free_removed();
        else
            Flavor::quiescent();
        if (net >= COUNT_BATCH || net <= -COUNT_BATCH) {
            owner->counted(static_cast<uint64_t>(net));
            net = 0;
        }
    }
};

} // namespace

const std::vector<peer> peers_urcu = {
    peer_of<lfht_peer<qsbr>>("cds_lfht-qsbr",
                             "liburcu's hash table, quiescent state every 64 operations"),
    peer_of<lfht_peer<bp>>("cds_lfht-bp", "the same, flavour bp, each operation a section"),
};

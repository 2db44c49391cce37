// SPDX-License-Identifier: MIT
// absl::flat_hash_set behind one lock, behind many, and bare in one thread.
#include "peer.h"

#include <absl/container/flat_hash_set.h>
#include <absl/hash/hash.h>
#include <absl/strings/string_view.h>
#include <mutex>
#include <shared_mutex>
#include <string>

namespace
{

using numbers = absl::flat_hash_set<uint64_t>;
using strings = absl::flat_hash_set<std::string>;

template <class Table> struct key_of;
template <> struct key_of<numbers> {
    template <class Peer> using base = peer_base<Peer>;

    static uint64_t look(uint64_t key)
    {
        return key;
    }
    static uint64_t shard(uint64_t key)
    {
        return key;
    }
    static uint64_t sum(uint64_t key)
    {
        return key;
    }
};
template <> struct key_of<strings> {
    template <class Peer> using base = text_peer_base<Peer>;

    static absl::string_view look(uint64_t key)
    {
        const text *it = reinterpret_cast<const text *>(key);
        return {it->bytes, it->length};
    }
    static uint64_t shard(uint64_t key)
    {
        return absl::Hash<absl::string_view>()(look(key));
    }
    static uint64_t sum(const std::string &key)
    {
        return static_cast<unsigned char>(key[0]);
    }
};

struct no_mutex {
    void lock()
    {
    }
    void unlock()
    {
    }
};

// The lock that a reader takes.
template <class Mutex> struct reading {
    using guard = std::lock_guard<Mutex>;
};
template <> struct reading<std::shared_mutex> {
    using guard = std::shared_lock<std::shared_mutex>;
};

template <class Table, class Mutex, unsigned shards>
class absl_peer : public key_of<Table>::template base<absl_peer<Table, Mutex, shards>>
{
    struct alignas(64) part {
        Mutex mutex;
        Table table;
    };
    struct parts {
        part all[shards];
    };
    parts *set;

    using key = key_of<Table>;
    using reader = typename reading<Mutex>::guard;
    using writer = std::lock_guard<Mutex>;

    static parts *of(void *opaque)
    {
        return static_cast<parts *>(opaque);
    }
    part &part_of(uint64_t of)
    {
        return set->all[shards == 1 ? 0 : (key::shard(of) * 0x9e3779b97f4a7c15u >> 56) % shards];
    }

  public:
    static constexpr bool single = std::is_same_v<Mutex, no_mutex>;
    static constexpr bool takes_snapshots = true;
    static constexpr bool stalls = true;

    static void *create(const peer *)
    {
        return new parts;
    }
    static void destroy(void *old)
    {
        delete of(old);
    }
    static uint64_t size(void *opaque)
    {
        uint64_t total = 0;
        for (const part &part : of(opaque)->all)
            total += part.table.size();
        return total;
    }
    explicit absl_peer(void *opaque) : set(of(opaque))
    {
    }
    int contains(uint64_t of)
    {
        part &part = part_of(of);
        reader guard(part.mutex);
        return part.table.contains(key::look(of));
    }
    int add(uint64_t of)
    {
        part &part = part_of(of);
        writer guard(part.mutex);
        return part.table.emplace(key::look(of)).second;
    }
    int remove(uint64_t of)
    {
        part &part = part_of(of);
        writer guard(part.mutex);
        return static_cast<int>(part.table.erase(key::look(of)));
    }
    int contains_batch(const uint64_t *batch, size_t count)
    {
        int present = 0;
        if (shards > 1) {
            for (size_t i = 0; i < count; i++)
                __builtin_prefetch(&part_of(batch[i]));
            for (size_t i = 0; i < count; i++)
                present += contains(batch[i]);
            return present;
        }
        reader guard(set->all[0].mutex);
        for (size_t i = 0; i < count; i++)
            set->all[0].table.prefetch(key::look(batch[i]));
        for (size_t i = 0; i < count; i++)
            present += set->all[0].table.contains(key::look(batch[i]));
        return present;
    }
    int64_t snapshot(uint64_t *sum)
    {
        int64_t count = 0;
        *sum = 0;
        for (part &part : set->all)
            part.mutex.lock();
        for (part &part : set->all) {
            count += static_cast<int64_t>(part.table.size());
            for (const auto &one : part.table)
                *sum += key::sum(one);
        }
        for (part &part : set->all)
            part.mutex.unlock();
        return count;
    }
    // in the middle of a read, that is, with a lock
    void stall_begin()
    {
        set->all[0].mutex.lock();
    }
    void stall_end()
    {
        set->all[0].mutex.unlock();
    }
};

template <class Table, class Mutex, unsigned shards> peer made(const char *name, const char *about)
{
    return peer_of<absl_peer<Table, Mutex, shards>>(name, about);
}

} // namespace

const std::vector<peer> peers_absl = {
    made<numbers, std::mutex, 1>("absl-mutex", "absl::flat_hash_set and one std::mutex"),
    made<numbers, std::shared_mutex, 1>("absl-rwlock", "the same and one std::shared_mutex"),
    made<numbers, std::mutex, 64>("absl-64", "64 shards of it, a std::mutex each"),
    made<numbers, std::mutex, 256>("absl-256", "256 shards of it, a std::mutex each"),
    made<numbers, no_mutex, 1>("absl-1-thread", "bare absl::flat_hash_set: the ceiling"),
    made<strings, std::mutex, 1>("absl-strings-mutex", "of std::string, one std::mutex"),
    made<strings, std::mutex, 256>("absl-strings-256", "of std::string, 256 shards"),
    made<strings, no_mutex, 1>("absl-strings-1-thread", "of std::string, bare: the ceiling"),
};

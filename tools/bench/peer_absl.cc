// SPDX-License-Identifier: MIT
// absl::flat_hash_set behind one mutex, behind 256 of them, and bare in one thread.
#include "peer.h"

#include <absl/container/flat_hash_set.h>
#include <mutex>

namespace
{

using table = absl::flat_hash_set<uint64_t>;

struct no_mutex {
    void lock()
    {
    }
    void unlock()
    {
    }
};

template <class Mutex> struct locked_peer {
    struct locked {
        Mutex mutex;
        table keys;
    };
    locked *set;

    static void *create()
    {
        return new locked;
    }
    static void destroy(void *old)
    {
        delete static_cast<locked *>(old);
    }
    static uint64_t size(void *of)
    {
        return static_cast<locked *>(of)->keys.size();
    }
    static uint64_t bytes(void *)
    {
        return 0;
    }
    explicit locked_peer(void *of) : set(static_cast<locked *>(of))
    {
    }
    int contains(uint64_t key)
    {
        std::lock_guard<Mutex> guard(set->mutex);
        return set->keys.contains(key);
    }
    int add(uint64_t key)
    {
        std::lock_guard<Mutex> guard(set->mutex);
        return set->keys.insert(key).second;
    }
    int remove(uint64_t key)
    {
        std::lock_guard<Mutex> guard(set->mutex);
        return static_cast<int>(set->keys.erase(key));
    }
    int contains_batch(const uint64_t *keys)
    {
        std::lock_guard<Mutex> guard(set->mutex);
        for (size_t i = 0; i < BATCH; i++)
            set->keys.prefetch(keys[i]);
        int present = 0;
        for (size_t i = 0; i < BATCH; i++)
            present += set->keys.contains(keys[i]);
        return present;
    }
    void chunk_begin()
    {
    }
    void chunk_end()
    {
    }
};

struct sharded_peer {
    struct alignas(64) shard {
        std::mutex mutex;
        table keys;
    };
    struct sharded {
        shard shards[256];
    };
    sharded *set;

    static void *create()
    {
        return new sharded;
    }
    static void destroy(void *old)
    {
        delete static_cast<sharded *>(old);
    }
    static uint64_t size(void *of)
    {
        uint64_t total = 0;
        for (const shard &part : static_cast<sharded *>(of)->shards)
            total += part.keys.size();
        return total;
    }
    static uint64_t bytes(void *)
    {
        return 0;
    }
    explicit sharded_peer(void *of) : set(static_cast<sharded *>(of))
    {
    }
    shard &shard_of(uint64_t key)
    {
        return set->shards[key * 0x9e3779b97f4a7c15u >> 56];
    }
    int contains(uint64_t key)
    {
        shard &part = shard_of(key);
        std::lock_guard<std::mutex> guard(part.mutex);
        return part.keys.contains(key);
    }
    int add(uint64_t key)
    {
        shard &part = shard_of(key);
        std::lock_guard<std::mutex> guard(part.mutex);
        return part.keys.insert(key).second;
    }
    int remove(uint64_t key)
    {
        shard &part = shard_of(key);
        std::lock_guard<std::mutex> guard(part.mutex);
        return static_cast<int>(part.keys.erase(key));
    }
    int contains_batch(const uint64_t *keys)
    {
        for (size_t i = 0; i < BATCH; i++)
            __builtin_prefetch(&shard_of(keys[i]));
        int present = 0;
        for (size_t i = 0; i < BATCH; i++)
            present += contains(keys[i]);
        return present;
    }
    void chunk_begin()
    {
    }
    void chunk_end()
    {
    }
};

} // namespace

const std::vector<peer> peers_absl = {
    peer_of<locked_peer<std::mutex>>("absl-mutex", "absl::flat_hash_set and one std::mutex"),
    peer_of<sharded_peer>("absl-256", "256 shards of absl::flat_hash_set, a std::mutex each"),
    peer_of<locked_peer<no_mutex>>("absl-1-thread", "bare absl::flat_hash_set: the ceiling", false,
                                   true),
};

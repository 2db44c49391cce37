// SPDX-License-Identifier: MIT
// absl::flat_hash_set behind one std::mutex: everything is linearizable.
#include "adapter.hh"

#include <absl/container/flat_hash_set.h>
#include <mutex>

struct absl_set {
    using guard = std::lock_guard<std::mutex>;
    std::mutex mutex;
    absl::flat_hash_set<uint64_t> keys;

    explicit absl_set(const lfset_target_options &)
    {
    }
    bool add(uint64_t key)
    {
        guard held(mutex);
        disturb();
        return keys.insert(key).second;
    }
    bool remove(uint64_t key)
    {
        guard held(mutex);
        disturb();
        return keys.erase(key) != 0;
    }
    bool contains(uint64_t key)
    {
        guard held(mutex);
        return keys.contains(key);
    }
    int64_t size()
    {
        guard held(mutex);
        return static_cast<int64_t>(keys.size());
    }
    bool is_empty()
    {
        guard held(mutex);
        return keys.empty();
    }
    int64_t clear()
    {
        guard held(mutex);
        const int64_t removed = static_cast<int64_t>(keys.size());
        keys.clear();
        return removed;
    }
    template <class Visit> void snapshot(Visit visit)
    {
        guard held(mutex);
        for (uint64_t key : keys)
            visit(key);
    }
    template <class Visit> void drain(Visit visit)
    {
        guard held(mutex);
        for (uint64_t key : keys)
            visit(key);
        keys.clear();
    }
    template <class One> int64_t many(const uint64_t *of, size_t count, int8_t *results, One one)
    {
        guard held(mutex);
        int64_t ones = 0;
        for (size_t i = 0; i < count; i++)
            ones += results[i] = one(of[i]);
        return ones;
    }
    int64_t add_many(const uint64_t *of, size_t count, int8_t *results)
    {
        return many(of, count, results, [&](uint64_t key) { return keys.insert(key).second; });
    }
    int64_t remove_many(const uint64_t *of, size_t count, int8_t *results)
    {
        return many(of, count, results, [&](uint64_t key) { return keys.erase(key) != 0; });
    }
    int64_t contains_many(const uint64_t *of, size_t count, int8_t *results)
    {
        return many(of, count, results, [&](uint64_t key) { return keys.contains(key); });
    }
};

ADAPTER(absl_set, "absl, one mutex",
        LFSET_TARGET_ATOMIC_SIZE | LFSET_TARGET_ATOMIC_IS_EMPTY | LFSET_TARGET_ATOMIC_CLEAR)

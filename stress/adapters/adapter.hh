// SPDX-License-Identifier: MIT
// The interface of lfset/target.h for a set that is a class:
//
//     struct some_set {
//         explicit some_set(const lfset_target_options &options);
//         bool add(uint64_t key), remove(uint64_t key), contains(uint64_t key);
//     };
//     ADAPTER(some_set, "name", promises)
//
// and, where it has them, int64_t size(), bool is_empty(), int64_t clear(), int attach(), int
// detach(), and each(visit), snapshot(visit), drain(visit), where visit(key) is to be called for
// each key; and add_many, remove_many, contains_many(keys, count, results).
#ifndef STRESS_ADAPTERS_ADAPTER_HH
#define STRESS_ADAPTERS_ADAPTER_HH

#include <cerrno>
#include <lfset/target.h>
#include <new>

// To be called by hash and comparison functions: a thread is in the middle of something.
inline void (*adapter_noise)(void) = nullptr;

inline void disturb()
{
    if (adapter_noise)
        adapter_noise();
}

inline uint64_t adapter_hash(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15u;
    return key ^ key >> 32;
}

template <class Set> struct adapter {
    // No exception passes into C; peers throw for lack of memory only.
    template <class Call> static auto guarded(Call call) -> decltype(call())
    {
        try {
            return call();
        } catch (const std::bad_alloc &) {
            return -ENOMEM;
        } catch (...) {
            return -EIO;
        }
    }
    static Set &of(void *set)
    {
        return *static_cast<Set *>(set);
    }
    static int create(const lfset_target_options *options, void **set)
    {
        adapter_noise = options->noise;
        return guarded([&]() -> int {
            *set = new Set(*options);
            return 0;
        });
    }
    static int destroy(void *set)
    {
        delete static_cast<Set *>(set);
        return 0;
    }
    static int add(void *set, uint64_t key)
    {
        return guarded([&]() -> int { return of(set).add(key); });
    }
    static int remove(void *set, uint64_t key)
    {
        return guarded([&]() -> int { return of(set).remove(key); });
    }
    static int contains(void *set, uint64_t key)
    {
        return guarded([&]() -> int { return of(set).contains(key); });
    }

    using visit_function = void (*)(void *ctx, uint64_t key);

    static constexpr lfset_target_functions functions(const char *name, uint32_t promises)
    {
        lfset_target_functions f = {};
        f.version = LFSET_TARGET_VERSION;
        f.struct_size = sizeof f;
        f.name = name;
        f.promises = promises;
        f.create = create;
        f.destroy = destroy;
        f.add = add;
        f.remove = remove;
        f.contains = contains;
        if constexpr (requires(Set s) { s.attach(); }) {
            f.attach = [](void *set) { return guarded([&]() -> int { return of(set).attach(); }); };
            f.detach = [](void *set) { return guarded([&]() -> int { return of(set).detach(); }); };
        }
        if constexpr (requires(Set s) { s.size(); })
            f.size = [](void *set) { return guarded([&]() -> int64_t { return of(set).size(); }); };
        if constexpr (requires(Set s) { s.is_empty(); })
            f.is_empty = [](void *set) {
                return guarded([&]() -> int { return of(set).is_empty(); });
            };
        if constexpr (requires(Set s) { s.clear(); })
            f.clear = [](void *set) {
                return guarded([&]() -> int64_t { return of(set).clear(); });
            };
        if constexpr (requires(Set s) { s.each([](uint64_t) {}); })
            f.each = [](void *set, visit_function visit, void *ctx) {
                return guarded([&]() -> int {
                    of(set).each([&](uint64_t key) { visit(ctx, key); });
                    return 0;
                });
            };
        if constexpr (requires(Set s) { s.snapshot([](uint64_t) {}); })
            f.snapshot = [](void *set, visit_function visit, void *ctx) {
                return guarded([&]() -> int {
                    of(set).snapshot([&](uint64_t key) { visit(ctx, key); });
                    return 0;
                });
            };
        if constexpr (requires(Set s) { s.drain([](uint64_t) {}); })
            f.drain = [](void *set, visit_function visit, void *ctx) {
                return guarded([&]() -> int {
                    of(set).drain([&](uint64_t key) { visit(ctx, key); });
                    return 0;
                });
            };
        if constexpr (requires(Set s) { s.add_many(nullptr, 0, nullptr); }) {
            f.add_many = [](void *set, const uint64_t *keys, size_t count, int8_t *results) {
                return guarded([&]() { return of(set).add_many(keys, count, results); });
            };
            f.remove_many = [](void *set, const uint64_t *keys, size_t count, int8_t *results) {
                return guarded([&]() { return of(set).remove_many(keys, count, results); });
            };
            f.contains_many = [](void *set, const uint64_t *keys, size_t count, int8_t *results) {
                return guarded([&]() { return of(set).contains_many(keys, count, results); });
            };
        }
        return f;
    }
};

#define ADAPTER(set, name, promises)                                                               \
    constinit const lfset_target_functions lfset_target = adapter<set>::functions(name, promises);

#endif

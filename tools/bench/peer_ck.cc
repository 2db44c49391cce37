// SPDX-License-Identifier: MIT
// Concurrency Kit's ck_hs: readers take no lock, writers take turns at a mutex, as it demands. Keys
// are pointers there, neither NULL nor all ones: each number is stored as the next one, so that only
// the two largest cannot be.
#include "peer.h"

#include <cstdlib>
#include <mutex>

extern "C" {
#include <ck_hs.h>
}

namespace
{

unsigned long hash(const void *key, unsigned long seed)
{
    uint64_t mixed = (reinterpret_cast<uint64_t>(key) ^ seed) * 0x9e3779b97f4a7c15u;
    return mixed ^ mixed >> 32;
}

bool equal(const void *a, const void *b)
{
    return a == b;
}

void *allocate(size_t size)
{
    return malloc(size);
}

// A replaced table may still be read, ck_hs leaves that to its user. Tables double, so all the old
// ones together are as large as the last: they are kept until the set goes.
struct table {
    ck_hs_t set;
    std::mutex writer;
};

thread_local std::vector<void *> *graveyard;

void release(void *old, size_t, bool deferred)
{
    if (deferred && graveyard)
        graveyard->push_back(old);
    else
        free(old);
}

class ck_peer : public peer_base<ck_peer>
{
    struct owned : table {
        std::vector<void *> old_tables;
    };
    owned *it;

    static owned *of(void *opaque)
    {
        return static_cast<owned *>(opaque);
    }
    static void *pointer(uint64_t key)
    {
        return reinterpret_cast<void *>(key + 1);
    }

  public:
    static void *create(const peer *)
    {
        static ck_malloc allocator = {allocate, nullptr, release};
        owned *made = new owned;
        if (ck_hs_init(&made->set, CK_HS_MODE_SPMC | CK_HS_MODE_DIRECT | CK_HS_MODE_DELETE, hash,
                       equal, &allocator, 64, 1))
            return made;
        delete made;
        return nullptr;
    }
    static void destroy(void *old)
    {
        ck_hs_destroy(&of(old)->set);
        for (void *table : of(old)->old_tables)
            free(table);
        delete of(old);
    }
    static uint64_t size(void *opaque)
    {
        return ck_hs_count(&of(opaque)->set);
    }
    explicit ck_peer(void *opaque) : it(of(opaque))
    {
    }
    int contains(uint64_t key)
    {
        return ck_hs_get(&it->set, CK_HS_HASH(&it->set, hash, pointer(key)), pointer(key)) !=
               nullptr;
    }
    int add(uint64_t key)
    {
        unsigned long hashed = CK_HS_HASH(&it->set, hash, pointer(key));
        std::lock_guard<std::mutex> guard(it->writer);
        graveyard = &it->old_tables;
        // ck_hs_put says "present" and "no memory" in one way
        return ck_hs_get(&it->set, hashed, pointer(key)) == nullptr &&
               ck_hs_put(&it->set, hashed, pointer(key));
    }
    int remove(uint64_t key)
    {
        unsigned long hashed = CK_HS_HASH(&it->set, hash, pointer(key));
        std::lock_guard<std::mutex> guard(it->writer);
        return ck_hs_remove(&it->set, hashed, pointer(key)) != nullptr;
    }
};

} // namespace

const std::vector<peer> peers_ck = {
    peer_of<ck_peer>("ck_hs-mutex", "Concurrency Kit's ck_hs, a mutex among writers"),
};

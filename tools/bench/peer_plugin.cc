// SPDX-License-Identifier: MIT
#include "peer_plugin.h"

#include <dlfcn.h>
#include <stdexcept>
#include <string>

#include <lfset/target.h>

namespace
{

struct plugin_set {
    const lfset_target_functions *functions;
    void *set;
};

void add_to_sum(void *sum, uint64_t key)
{
    uint64_t *counted = static_cast<uint64_t *>(sum);
    counted[0] += key;
    counted[1]++;
}

class plugin_peer : public peer_base<plugin_peer>
{
    const lfset_target_functions *functions;
    void *set;
    int attached;

    static plugin_set *of(void *opaque)
    {
        return static_cast<plugin_set *>(opaque);
    }

  public:
    static void *create(const peer *self)
    {
        const lfset_target_functions *functions =
            static_cast<const lfset_target_functions *>(self->context);
        lfset_target_options options = {};
        options.size = sizeof options;
        options.seed = 1;
        plugin_set *made = new plugin_set{functions, nullptr};
        if (functions->create(&options, &made->set) == 0)
            return made;
        delete made;
        return nullptr;
    }
    static void destroy(void *old)
    {
        of(old)->functions->destroy(of(old)->set);
        delete of(old);
    }
    static uint64_t size(void *opaque)
    {
        plugin_peer thread(opaque);
        return static_cast<uint64_t>(thread.functions->size(thread.set));
    }
    explicit plugin_peer(void *opaque)
        : functions(of(opaque)->functions), set(of(opaque)->set),
          attached(functions->attach ? functions->attach(set) : 0)
    {
    }
    ~plugin_peer()
    {
        if (attached == 0 && functions->detach)
            functions->detach(set);
    }
    int contains(uint64_t key)
    {
        return attached == 0 ? functions->contains(set, key) : attached;
    }
    int add(uint64_t key)
    {
        return attached == 0 ? functions->add(set, key) : attached;
    }
    int remove(uint64_t key)
    {
        return attached == 0 ? functions->remove(set, key) : attached;
    }
    int contains_batch(const uint64_t *batch, size_t count)
    {
        constexpr size_t MOST = 16; // the interface's
        int8_t results[MOST];
        if (attached != 0 || !functions->contains_many)
            return peer_base<plugin_peer>::contains_batch(batch, count);
        int64_t present = 0;
        for (size_t i = 0; i < count && present >= 0; i += MOST)
            present += functions->contains_many(set, batch + i, std::min(MOST, count - i), results);
        return static_cast<int>(present);
    }
    int64_t snapshot(uint64_t *sum)
    {
        uint64_t counted[2] = {0, 0};
        int error = attached == 0 ? functions->snapshot(set, add_to_sum, counted) : attached;
        *sum = counted[0];
        return error ? -1 : static_cast<int64_t>(counted[1]);
    }
};

const lfset_target_functions *functions_of(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        throw std::runtime_error(dlerror()); // names the file
    const std::string file = path;
    const void *symbol = dlsym(handle, "lfset_target");
    if (!symbol)
        throw std::runtime_error(file + ": has no symbol lfset_target (see lfset/target.h)");
    const lfset_target_functions *functions = static_cast<const lfset_target_functions *>(symbol);
    if (functions->version != LFSET_TARGET_VERSION || functions->struct_size < sizeof *functions)
        throw std::runtime_error(file + ": is for version " + std::to_string(functions->version) +
                                 " of lfset/target.h, not " + std::to_string(LFSET_TARGET_VERSION));
    if (!functions->name || !functions->create || !functions->destroy || !functions->add ||
        !functions->remove || !functions->contains)
        throw std::runtime_error(file + ": lacks name, create, destroy, add, remove or contains");
    return functions;
}

} // namespace

peer peer_plugin(const char *path)
{
    const lfset_target_functions *functions = functions_of(path);
    peer made = peer_of<plugin_peer>(functions->name, path);
    made.context = functions;
    made.path = path;
    made.takes_snapshots = functions->snapshot != nullptr;
    if (!functions->size)
        made.size = nullptr;
    return made;
}

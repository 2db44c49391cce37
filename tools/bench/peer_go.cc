// SPDX-License-Identifier: MIT
// Go's sets, in a shared library of their own (peer_go.go), so that the benchmark runs without Go.
// It is loaded when one of them is made: until then no thread of Go's runtime is there.
#include "peer.h"

#include <dlfcn.h>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include "peer_go.h"

namespace
{

// Reads beside a growing writer are timed at most so often.
constexpr size_t READ_SAMPLES = size_t(1) << 22;

std::string library_path()
{
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self);
    std::string path(self, length > 0 ? static_cast<size_t>(length) : 0);
    return path + "-go.so";
}

struct library {
    uintptr_t (*create)(int kind);
    void (*destroy)(uintptr_t set);
    uint64_t (*size)(uintptr_t set);
    void (*run)(uintptr_t set, go_work *work);

    library()
    {
        // Go's runtime cannot be unloaded
        void *handle = dlopen(library_path().c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (!handle)
            throw std::runtime_error(dlerror());
        find(handle, "go_create", create);
        find(handle, "go_destroy", destroy);
        find(handle, "go_size", size);
        find(handle, "go_run", run);
    }
    template <class Function> static void find(void *handle, const char *name, Function &function)
    {
        function = reinterpret_cast<Function>(dlsym(handle, name));
        if (!function)
            throw std::runtime_error(std::string("lfset-bench-go.so has no ") + name);
    }
};

const library &go()
{
    static const library loaded;
    return loaded;
}

enum go_task task_of(enum work::task task)
{
    switch (task) {
    case work::MIX:
        return GO_MIX;
    case work::WINDOW:
        return GO_WINDOW;
    case work::FILL:
        return GO_FILL;
    case work::FILL_STAMPED:
        return GO_FILL_STAMPED;
    case work::READ_STAMPED:
        return GO_READ_STAMPED;
    case work::CENSUS:
        return GO_CENSUS;
    default: // a batch is many reads
        return GO_READ;
    }
}

const uint32_t *flag(const std::atomic<uint32_t> *flag)
{
    return reinterpret_cast<const uint32_t *>(flag);
}

void run(void *set, work *work)
{
    go_work given = {};
    given.task = task_of(work->task);
    if (work->stream) {
        given.keys = work->stream->keys.data();
        given.key_count = work->stream->keys.size();
        given.kinds = work->stream->kinds.data();
        given.kind_count = work->stream->kinds.size();
    } else {
        given.keys = work->keys;
        given.key_count = work->count;
    }
    given.warm = flag(work->warm);
    given.stop = flag(work->stop);
    given.key_at = work->key_at;
    given.kind_at = work->kind_at;
    given.oldest_at = work->oldest_at;
    given.lap = work->lap;
    given.oldest_lap = work->oldest_lap;
    std::vector<uint32_t> samples(!work->ticks                       ? 0
                                  : work->task == work::FILL_STAMPED ? work->count
                                                                     : READ_SAMPLES);
    given.samples = samples.data();
    given.sample_room = samples.size();

    go().run(reinterpret_cast<uintptr_t>(set), &given);

    for (size_t i = 0; i < given.sample_count; i++)
        work->ticks->add(static_cast<uint64_t>(samples[i] * ticks_per_ns()));
    work->key_at = given.key_at;
    work->kind_at = given.kind_at;
    work->oldest_at = given.oldest_at;
    work->lap = given.lap;
    work->oldest_lap = given.oldest_lap;
    work->operations = given.operations;
    work->nanoseconds = given.nanoseconds;
    work->present += given.present;
    work->sum += given.sum;
    work->net += given.net;
}

template <enum go_kind kind> peer made(const char *name, const char *about)
{
    peer peer = {};
    peer.name = name;
    peer.about = about;
    peer.keys = NUMBERS;
    peer.create = [](const struct peer *) { return reinterpret_cast<void *>(go().create(kind)); };
    peer.destroy = [](void *set) { go().destroy(reinterpret_cast<uintptr_t>(set)); };
    peer.size = [](void *set) { return go().size(reinterpret_cast<uintptr_t>(set)); };
    peer.bytes = [](void *) -> uint64_t { return 0; };
    peer.run = run;
    return peer;
}

std::vector<peer> all()
{
    if (access(library_path().c_str(), R_OK) != 0)
        return {};
    return {
        made<GO_MUTEX>("go-mutex", "Go's map and a sync.Mutex"),
        made<GO_RWMUTEX>("go-rwmutex", "Go's map and a sync.RWMutex"),
        made<GO_SYNC_MAP>("go-sync.map", "Go's sync.Map"),
        made<GO_SHARDS>("go-256", "Go: 256 shards of a map, a sync.Mutex each"),
    };
}

} // namespace

const std::vector<peer> peers_go = all();

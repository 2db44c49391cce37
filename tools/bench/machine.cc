// SPDX-License-Identifier: MIT
#include "machine.h"

#include <absl/base/config.h>
#include <cstdlib>
#include <dlfcn.h>
#include <fstream>
#include <gnu/libc-version.h>
#include <mimalloc.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <urcu/rculfhash.h>

#include <lfset/lfset.h>

namespace
{

std::string first_line(const char *path)
{
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

std::string processor()
{
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);)
        if (line.compare(0, 10, "model name") == 0)
            return line.substr(line.find(':') + 2);
    return "unknown";
}

// The shared library that `symbol` comes from: its file name carries the version.
std::string library_of(const void *symbol)
{
    Dl_info info;
    char *path = dladdr(symbol, &info) ? realpath(info.dli_fname, nullptr) : nullptr;
    std::string name = path ? path : "unknown";
    free(path);
    return name.substr(name.rfind('/') + 1);
}

std::string compiler()
{
#if defined(__clang__)
    return __VERSION__;
#else
    return "gcc " __VERSION__;
#endif
}

} // namespace

std::vector<std::pair<std::string, std::string>> machine_facts()
{
    utsname kernel = {};
    uname(&kernel);
    return {
        {"processor", processor()},
        {"processors online", std::to_string(sysconf(_SC_NPROCESSORS_ONLN))},
        {"l3 cache", first_line("/sys/devices/system/cpu/cpu0/cache/index3/size")},
        {"memory bytes", std::to_string(sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE))},
        {"load average", first_line("/proc/loadavg")},
        {"kernel", std::string(kernel.sysname) + " " + kernel.release + " " + kernel.machine},
        {"transparent huge pages", first_line("/sys/kernel/mm/transparent_hugepage/enabled")},
        {"compiler of the benchmark", compiler()},
        {"libc", gnu_get_libc_version()},
        {"lfset", lfset_version()},
        {"lfset hazard pointers", lfset_hp_mode() == LFSET_HP_MEMBARRIER ? "membarrier" : "fences"},
        {"abseil", std::to_string(ABSL_LTS_RELEASE_VERSION)},
        {"liburcu", library_of(reinterpret_cast<const void *>(_cds_lfht_new))},
        {"mimalloc", std::to_string(mi_version())},
    };
}

// SPDX-License-Identifier: MIT
#include "run.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <mimalloc.h>
#include <sched.h>
#include <spawn.h>
#include <stdexcept>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

extern char **environ;

namespace
{

// Below this a set's memory cannot be told from the process's own.
constexpr uint64_t BYTES_MIN_KEYS = 100000;
// Looking every key up after each cell takes longer than the cell when there are more keys than
// this; then it is done once, after the last cell of the set.
constexpr uint64_t CENSUS_MAX_KEYS = 2000000;

// One line on stderr: how far, what now, how long still. Estimates in seconds are turned into real
// ones by how wrong they were so far.
class progress
{
    double total = 0, done = 0;
    uint64_t start = now_ns();
    bool terminal = isatty(STDERR_FILENO);
    std::string last;

  public:
    void plan(double seconds)
    {
        total += seconds;
    }
    void say(const std::string &what, const std::string &detail)
    {
        double elapsed = static_cast<double>(now_ns() - start) * 1e-9;
        double left = done > 0 ? elapsed * (total - done) / done : total;
        if (terminal)
            fprintf(stderr, "\r\033[K[%3.0f %%, about %.0f s left] %s, %s", 100 * done / total,
                    left, what.c_str(), detail.c_str());
        else if (what != last)
            fprintf(stderr, "[%3.0f %%, about %.0f s left] %s\n", 100 * done / total, left,
                    what.c_str());
        last = what;
    }
    void add(double seconds)
    {
        done += seconds;
    }
    ~progress()
    {
        if (terminal)
            fprintf(stderr, "\r\033[K");
    }
};

// The processors this process may use; thread i runs on the i-th, cyclically.
const std::vector<int> &processors()
{
    static const std::vector<int> found = [] {
        std::vector<int> list;
        cpu_set_t set;
        if (sched_getaffinity(0, sizeof set, &set) == 0)
            for (int i = 0; i < CPU_SETSIZE; i++)
                if (CPU_ISSET(i, &set))
                    list.push_back(i);
        return list;
    }();
    return found;
}

void pin(unsigned thread)
{
    if (processors().empty())
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processors()[thread % processors().size()], &set);
    sched_setaffinity(0, sizeof set, &set);
}

// Nanoseconds that the calling thread was ready to run and did not: others had its processor.
uint64_t run_delay()
{
    uint64_t ran = 0, waited = 0;
    std::ifstream("/proc/thread-self/schedstat") >> ran >> waited;
    return waited;
}

double ticks_per_ns()
{
    static const double found = [] {
        uint64_t ns = now_ns(), ticks = now_ticks();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return static_cast<double>(now_ticks() - ticks) / static_cast<double>(now_ns() - ns);
    }();
    return found;
}

struct contender {
    const peer *by;
    bool again;
    unsigned threads;
    void *set = nullptr;
    int64_t count = 0; // what the set must hold: how many keys,
    uint64_t sum = 0;  // and their sum
};

[[noreturn]] void fail(const contender &who, const std::string &what)
{
    throw std::runtime_error(std::string(who.by->name) + ": " + what);
}

void create(contender &who)
{
    who.set = who.by->create();
    who.count = 0;
    who.sum = 0;
    if (!who.set)
        fail(who, "cannot create a set");
}

void destroy(contender &who)
{
    who.by->destroy(who.set);
    who.set = nullptr;
}

// Runs each work on a thread of its own and books what the threads added and removed.
template <class During> void run_threads(contender &who, std::vector<work> &works, During during)
{
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < works.size(); i++)
        threads.emplace_back([&, i] {
            uint64_t start = now_ns(), waited = run_delay();
            pin(i);
            who.by->run(who.set, &works[i]);
            works[i].lived = now_ns() - start;
            works[i].waited = run_delay() - waited;
        });
    during();
    for (std::thread &thread : threads)
        thread.join();
    for (const work &work : works)
        if (work.failure < 0)
            fail(who, "an operation failed");
}

void book(contender &who, const std::vector<work> &works)
{
    for (const work &work : works) {
        who.count += work.net;
        who.sum += work.sum;
    }
}

// `task` on `keys`, divided among the threads.
std::vector<work> run_divided(contender &who, enum work::task task, const uint64_t *keys,
                              size_t count, uint32_t *ticks = nullptr)
{
    std::vector<work> works(who.threads);
    for (size_t i = 0; i < works.size(); i++) {
        size_t from = count * i / works.size();
        works[i].task = task;
        works[i].keys = keys + from;
        works[i].count = count * (i + 1) / works.size() - from;
        works[i].ticks = ticks ? ticks + from : nullptr;
    }
    run_threads(who, works, [] {});
    return works;
}

double waited_part(const std::vector<work> &works)
{
    double waited = 0, lived = 1;
    for (const work &work : works) {
        waited += static_cast<double>(work.waited);
        lived += static_cast<double>(work.lived);
    }
    return waited / lived;
}

double longest_seconds(const std::vector<work> &works)
{
    uint64_t longest = 1;
    for (const work &work : works)
        longest = std::max(longest, work.nanoseconds);
    return static_cast<double>(longest) * 1e-9;
}

// The universe of keys of one size: those present at the start, then the others.
struct universe {
    size_t present;
    std::vector<uint64_t> keys;

    universe(uint64_t count, uint64_t seed) : present(count), keys(2 * count)
    {
        for (size_t i = 0; i < count; i++) {
            keys[i] = universe_key(seed, 2 * i);
            keys[count + i] = universe_key(seed, 2 * i + 1);
        }
    }
};

void check_census(contender &who, const universe &universe)
{
    int64_t count = 0;
    uint64_t sum = 0;
    for (const work &work :
         run_divided(who, work::CENSUS, universe.keys.data(), universe.keys.size())) {
        count += work.net;
        sum += work.sum;
    }
    if (count != who.count || sum != who.sum)
        fail(who, "holds " + std::to_string(count) + " keys, or others, instead of " +
                      std::to_string(who.count));
}

void check_size(contender &who)
{
    uint64_t size = who.by->size(who.set);
    if (size != static_cast<uint64_t>(who.count))
        fail(who,
             "its size is " + std::to_string(size) + " instead of " + std::to_string(who.count));
}

result result_of(const contender &who)
{
    result empty;
    empty.peer = who.by;
    empty.again = who.again;
    empty.threads = who.threads;
    return empty;
}

enum work::task task_of(enum shape shape)
{
    return shape == shape::READ ? work::READ : shape == shape::BATCH ? work::BATCH_READ : work::MIX;
}

std::string label(const cell &cell)
{
    return std::string(cell.scenario->name) + ", " + std::to_string(cell.keys) + " keys, " +
           std::to_string(cell.threads) + " threads";
}

class runner
{
    const struct settings &settings;
    class progress progress;
    std::vector<cell> cells;

    double slice_cost() const
    {
        return settings.seconds * 1.2 + 0.002;
    }
    static double pass_cost(uint64_t keys)
    {
        return static_cast<double>(keys) * 2e-7;
    }

    std::vector<contender> contenders(unsigned threads) const
    {
        std::vector<contender> list;
        for (const peer *peer : settings.peers)
            list.push_back({peer, false, peer->single ? 1 : threads});
        contender twin = list.front();
        twin.again = true;
        list.push_back(twin);
        return list;
    }

    // One slice: all threads of one contender go on where they stopped in their streams.
    double slice(contender &who, std::vector<work> &works)
    {
        std::atomic<bool> warm{false}, stop{false};
        for (work &work : works) {
            work.warm = &warm;
            work.stop = &stop;
            work.net = 0;
            work.sum = 0;
        }
        run_threads(who, works, [&] {
            std::this_thread::sleep_for(std::chrono::duration<double>(settings.seconds / 5));
            warm = true;
            std::this_thread::sleep_for(std::chrono::duration<double>(settings.seconds));
            stop = true;
        });
        book(who, works);
        double rate = 0;
        for (const work &work : works)
            rate += static_cast<double>(work.operations) /
                    static_cast<double>(std::max<uint64_t>(work.nanoseconds, 1)) * 1e9;
        return rate;
    }

    void run_slices(cell &cell, std::vector<contender> &list)
    {
        std::vector<stream> streams;
        for (unsigned i = 0; i < cell.threads; i++)
            streams.push_back(stream_make(*cell.scenario, cell.keys, settings.seed, i));

        std::vector<std::vector<work>> works;
        for (contender &who : list) {
            cell.results.push_back(result_of(who));
            works.emplace_back(who.threads);
            for (unsigned i = 0; i < who.threads; i++) {
                works.back()[i].task = task_of(cell.scenario->shape);
                works.back()[i].stream = &streams[i];
            }
        }
        for (unsigned round = 0; round < settings.rounds; round++)
            for (size_t i = 0; i < list.size(); i++) {
                progress.say(label(cell), cell.results[i].name());
                cell.results[i].rates.push_back(slice(list[i], works[i]));
                cell.results[i].waits.push_back(waited_part(works[i]));
                progress.add(slice_cost());
            }
    }

    void run_grow(cell &cell, const universe &universe)
    {
        std::vector<contender> list = contenders(cell.threads);
        for (contender &who : list)
            cell.results.push_back(result_of(who));
        for (unsigned round = 0; round < settings.rounds; round++)
            for (size_t i = 0; i < list.size(); i++) {
                progress.say(label(cell), cell.results[i].name());
                grow_once(list[i], cell.results[i], universe);
                progress.add(2 * pass_cost(cell.keys));
            }
        if (cell.keys >= BYTES_MIN_KEYS)
            for (result &result : cell.results) {
                progress.say(label(cell), result.name() + ", memory");
                measure_bytes(result, cell.keys);
                progress.add(pass_cost(cell.keys));
            }
    }

    void grow_once(contender &who, result &result, const universe &universe)
    {
        uint64_t operations = 0;
        double elapsed = 0, waited = 0;
        do { // small sets grow too fast for one time to be enough
            create(who);
            std::vector<work> works =
                run_divided(who, work::FILL, universe.keys.data(), universe.present);
            book(who, works);
            check_size(who);
            destroy(who);
            operations += universe.present;
            elapsed += longest_seconds(works);
            waited = std::max(waited, waited_part(works));
        } while (elapsed < settings.seconds);
        result.rates.push_back(static_cast<double>(operations) / elapsed);
        result.waits.push_back(waited);

        std::vector<uint32_t> ticks(universe.present);
        create(who);
        book(who, run_divided(who, work::FILL_STAMPED, universe.keys.data(), universe.present,
                              ticks.data()));
        check_census(who, universe);
        destroy(who);
        result.latencies.push_back(percentiles(ticks));
    }

    static latency percentiles(std::vector<uint32_t> &ticks)
    {
        auto at = [&](double part) {
            auto rank =
                ticks.begin() +
                static_cast<ptrdiff_t>(std::ceil(static_cast<double>(ticks.size()) * part) - 1);
            std::nth_element(ticks.begin(), rank, ticks.end());
            return *rank / ticks_per_ns();
        };
        return {at(0.5), at(0.99), at(0.999), at(0.9999), at(1)};
    }

    void measure_bytes(result &result, uint64_t keys)
    {
        char self[4096];
        ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
        int out[2];
        if (length < 0 || pipe(out) != 0)
            throw std::runtime_error("cannot start a process to measure memory");
        self[length] = 0;

        std::string peer = result.peer->name, count = std::to_string(keys),
                    seed = std::to_string(settings.seed);
        const char *arguments[] = {self,          "--bytes-of", peer.c_str(), "--keys",
                                   count.c_str(), "--seed",     seed.c_str(), nullptr};
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
        posix_spawn_file_actions_addclose(&actions, out[0]);
        pid_t child;
        int error =
            posix_spawn(&child, self, &actions, nullptr, const_cast<char **>(arguments), environ);
        posix_spawn_file_actions_destroy(&actions);
        close(out[1]);
        FILE *answer = fdopen(out[0], "r");
        int fields = error ? 0
                           : fscanf(answer, "%lf %lf %lf", &result.bytes_rest, &result.bytes_peak,
                                    &result.bytes_own);
        fclose(answer);
        int status = 1;
        if (error || waitpid(child, &status, 0) != child || status != 0 || fields != 3)
            throw std::runtime_error(peer + ": measuring its memory failed");
    }

    void run_group(uint64_t keys, unsigned threads)
    {
        universe universe(keys, settings.seed);
        std::vector<contender> list;
        size_t first = cells.size();
        for (const scenario *scenario : settings.scenarios) {
            cells.push_back({scenario, keys, threads, {}});
            if (scenario->shape == shape::GROW)
                continue;
            if (list.empty()) {
                list = contenders(threads);
                for (contender &who : list) {
                    progress.say("filling sets with " + std::to_string(keys) + " keys",
                                 who.by->name);
                    create(who);
                    book(who, run_divided(who, work::FILL, universe.keys.data(), universe.present));
                    progress.add(pass_cost(keys));
                }
            }
            run_slices(cells.back(), list);
            if (keys <= CENSUS_MAX_KEYS)
                for (contender &who : list)
                    check_census(who, universe);
        }
        for (contender &who : list) {
            progress.say("verifying " + std::to_string(keys) + " keys", who.by->name);
            check_census(who, universe);
            check_size(who);
            progress.add(pass_cost(keys));
            destroy(who);
        }
        mi_collect(true);
        for (size_t i = first; i < cells.size(); i++)
            if (cells[i].scenario->shape == shape::GROW)
                run_grow(cells[i], universe);
    }

    void plan()
    {
        double peers = static_cast<double>(settings.peers.size()) + 1;
        for (uint64_t keys : settings.keys)
            for (const scenario *scenario : settings.scenarios) {
                double cell = scenario->shape == shape::GROW
                                  ? (2 * settings.rounds + 1) * pass_cost(keys)
                                  : settings.rounds * slice_cost();
                progress.plan(cell * peers * static_cast<double>(settings.threads.size()));
            }
        for (uint64_t keys : settings.keys)
            progress.plan(2 * pass_cost(keys) * peers *
                          static_cast<double>(settings.threads.size()));
    }

  public:
    explicit runner(const struct settings &chosen) : settings(chosen)
    {
    }
    std::vector<cell> run()
    {
        plan();
        for (unsigned threads : settings.threads)
            for (uint64_t keys : settings.keys)
                run_group(keys, threads);
        return std::move(cells);
    }
};

// A field of /proc/self/status, in bytes. (getrusage's peak would be the starting process's.)
double memory_status(const char *field)
{
    std::ifstream status("/proc/self/status");
    size_t length = strlen(field);
    for (std::string line; std::getline(status, line);)
        if (line.compare(0, length, field) == 0)
            return 1024 * strtod(line.c_str() + length, nullptr);
    throw std::runtime_error(std::string("/proc/self/status has no ") + field);
}

} // namespace

std::vector<cell> run_all(const settings &settings)
{
    return runner(settings).run();
}

int print_bytes(const peer &peer, uint64_t keys, uint64_t seed)
{
    std::vector<uint64_t> list(keys);
    for (size_t i = 0; i < list.size(); i++)
        list[i] = universe_key(seed, 2 * i);

    double before = memory_status("VmRSS:");
    contender who = {&peer, false, 1};
    create(who);
    work work;
    work.task = work::FILL;
    work.keys = list.data();
    work.count = list.size();
    peer.run(who.set, &work);
    double own = static_cast<double>(peer.bytes(who.set));
    mi_collect(true);
    double rest = memory_status("VmRSS:") - before, peak = memory_status("VmHWM:") - before;
    double count = static_cast<double>(keys);
    printf("%.2f %.2f %.2f\n", rest / count, peak / count, own / count);
    return work.failure < 0 || work.net != static_cast<int64_t>(keys);
}

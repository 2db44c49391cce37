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

constexpr key_type key_types[] = {RANDOM, DENSE, SHORT_TEXTS, LONG_TEXTS};

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
    who.set = who.by->create(who.by);
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
// The first one's end sets `stop`, where that is given.
template <class During>
void run_threads(const contender &who, std::vector<work> &works, During during,
                 std::atomic<uint32_t> *stop = nullptr)
{
    std::vector<std::thread> threads;
    std::atomic<size_t> missing{works.size()};
    for (unsigned i = 0; i < works.size(); i++)
        threads.emplace_back([&, i] {
            uint64_t start = now_ns(), waited = run_delay();
            pin(i);
            missing--;
            while (missing.load() > 0) // so that none works alone at first
                std::this_thread::yield();
            who.by->run(who.set, &works[i]);
            if (stop && i == 0)
                *stop = 1;
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
std::vector<work> run_divided(const contender &who, enum work::task task, const uint64_t *keys,
                              size_t count, std::vector<histogram> *ticks = nullptr)
{
    std::vector<work> works(who.threads);
    for (size_t i = 0; i < works.size(); i++) {
        size_t from = count * i / works.size();
        works[i].task = task;
        works[i].keys = keys + from;
        works[i].count = count * (i + 1) / works.size() - from;
        works[i].ticks = ticks ? &(*ticks)[i] : nullptr;
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

void check_same(const contender &who, int64_t count, uint64_t sum)
{
    if (count != who.count || sum != who.sum)
        fail(who, "holds " + std::to_string(count) + " keys, or others, instead of " +
                      std::to_string(who.count));
}

void check_census(const contender &who, const universe &universe)
{
    int64_t count = 0;
    uint64_t sum = 0;
    for (const work &work :
         run_divided(who, work::CENSUS, universe.keys.data(), universe.keys.size())) {
        count += work.net;
        sum += work.sum;
    }
    check_same(who, count, sum);
}

void check_size(const contender &who)
{
    if (!who.by->size)
        return;
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
    switch (shape) {
    case shape::READ:
        return work::READ;
    case shape::BATCH:
        return work::BATCH_READ;
    case shape::WINDOW:
        return work::WINDOW;
    default:
        return work::MIX;
    }
}

// Sets that other scenarios may use afterwards: what they hold are keys of the universe.
bool shares_sets(enum shape shape)
{
    return shape != shape::WINDOW && !grows(shape);
}

std::string label(const cell &cell)
{
    return std::string(cell.scenario->name) + ", " + std::to_string(cell.keys) + " keys, " +
           std::to_string(cell.threads) + " threads";
}

// In nanoseconds instead of ticks, of all threads.
histogram merged(const std::vector<histogram> &ticks)
{
    histogram all;
    for (const histogram &part : ticks)
        all.add(part);
    return all.scaled(1 / ticks_per_ns());
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

    // Those that can do it, and the first of them once more.
    std::vector<contender> contenders(unsigned threads, key_type type, enum shape shape,
                                      size_t burst = 0) const
    {
        std::vector<contender> list;
        for (const peer *peer : settings.peers) {
            bool able = (peer->keys & type) &&
                        (shape != shape::SNAPSHOT || (peer->takes_snapshots && !peer->single)) &&
                        (shape != shape::STALLED || (peer->stalls && !peer->single)) &&
                        (shape != shape::GROW_READ || !peer->single) && (!burst || peer->bursts);
            if (able)
                list.push_back({peer, false, peer->single ? 1 : threads});
        }
        if (!list.empty()) {
            contender twin = list.front();
            twin.again = true;
            list.push_back(twin);
        }
        return list;
    }

    // One slice: all threads of one contender go on where they stopped in their streams.
    double slice(contender &who, std::vector<work> &works)
    {
        std::atomic<uint32_t> warm{0}, stop{0};
        for (work &work : works) {
            work.warm = &warm;
            work.stop = &stop;
            work.operations = 0;
            work.net = 0;
            work.sum = 0;
        }
        run_threads(who, works, [&] {
            std::this_thread::sleep_for(std::chrono::duration<double>(settings.seconds / 5));
            warm = 1;
            std::this_thread::sleep_for(std::chrono::duration<double>(settings.seconds));
            stop = 1;
        });
        book(who, works);
        double rate = 0;
        for (const work &work : works)
            rate += static_cast<double>(work.operations) /
                    static_cast<double>(std::max<uint64_t>(work.nanoseconds, 1)) * 1e9;
        return rate;
    }

    std::vector<work> works_for(const cell &cell, const contender &who,
                                const std::vector<stream> &streams) const
    {
        std::vector<work> works(who.threads);
        for (unsigned i = 0; i < who.threads; i++) {
            works[i].task = task_of(cell.scenario->shape);
            works[i].stream = &streams[i];
            works[i].batch = cell.scenario->batch;
            works[i].burst = cell.scenario->burst;
        }
        if (cell.scenario->shape == shape::STALLED) { // besides those that work
            works.emplace_back();
            works.back().task = work::STALL;
        }
        if (cell.scenario->shape == shape::SNAPSHOT) { // one of them, if there are several
            if (who.threads < 2)
                works.emplace_back();
            works.back().task = work::SNAPSHOTS;
        }
        return works;
    }

    std::vector<stream> streams_for(const cell &cell, const universe &universe) const
    {
        std::vector<stream> streams;
        for (unsigned i = 0; i < cell.threads; i++)
            streams.push_back(stream_make(*cell.scenario, universe, i));
        return streams;
    }

    // Rounds of slices; works as they were left.
    std::vector<std::vector<work>> run_slices(cell &cell, std::vector<contender> &list,
                                              std::vector<std::vector<work>> works)
    {
        for (const contender &who : list)
            cell.results.push_back(result_of(who));
        for (unsigned round = 0; round < settings.rounds; round++)
            for (size_t i = 0; i < list.size(); i++) {
                result &result = cell.results[i];
                progress.say(label(cell), result.name());
                result.rates.push_back(slice(list[i], works[i]));
                result.waits.push_back(waited_part(works[i]));
                if (cell.scenario->shape == shape::SNAPSHOT)
                    result.snapshots.push_back(static_cast<double>(works[i].back().snapshots) *
                                               1e9 /
                                               static_cast<double>(works[i].back().nanoseconds));
                progress.add(slice_cost());
            }
        return works;
    }

    void run_shared(cell &cell, std::vector<contender> &sets, const universe &universe)
    {
        std::vector<contender> list =
            contenders(cell.threads, universe.type, cell.scenario->shape, cell.scenario->burst);
        std::vector<stream> streams = streams_for(cell, universe);
        std::vector<std::vector<work>> works;
        for (contender &who : list) {
            who = *find_set(sets, who);
            works.push_back(works_for(cell, who, streams));
        }
        run_slices(cell, list, works);
        for (const contender &who : list) {
            *find_set(sets, who) = who;
            if (universe.present <= CENSUS_MAX_KEYS)
                check_census(who, universe);
        }
    }

    static std::vector<contender>::iterator find_set(std::vector<contender> &sets,
                                                     const contender &who)
    {
        return std::find_if(sets.begin(), sets.end(), [&](const contender &other) {
            return other.by == who.by && other.again == who.again;
        });
    }

    // Each thread keeps its part of the keys at the same number. The keys are those of its stream, in
    // each pass through it others.
    void run_window(cell &cell, const universe &universe)
    {
        std::vector<contender> list = contenders(cell.threads, universe.type, cell.scenario->shape);
        std::vector<stream> streams = streams_for(cell, universe);
        std::vector<std::vector<work>> works;
        for (contender &who : list) {
            create(who);
            works.push_back(works_for(cell, who, streams));
            for (work &work : works.back()) {
                size_t size = universe.present / who.threads, end = work.stream->keys.size();
                work.key_at = size % end;
                work.lap = size / end;
            }
            book(who, run_windows(who, work::FILL, works.back()));
        }
        works = run_slices(cell, list, works);
        for (size_t i = 0; i < list.size(); i++) {
            int64_t count = 0;
            uint64_t sum = 0;
            for (const work &work : run_windows(list[i], work::CENSUS, works[i])) {
                count += work.net;
                sum += work.sum;
            }
            check_same(list[i], count, sum);
            check_size(list[i]);
            destroy(list[i]);
        }
    }

    // `task` on the keys that are in the windows.
    static std::vector<work> run_windows(const contender &who, enum work::task task,
                                         const std::vector<work> &windows)
    {
        std::vector<work> works(windows.size());
        std::vector<std::vector<uint64_t>> keys(windows.size());
        for (size_t i = 0; i < works.size(); i++) {
            const std::vector<uint64_t> &stream = windows[i].stream->keys;
            uint64_t lap = windows[i].oldest_lap;
            for (size_t at = windows[i].oldest_at;
                 at != windows[i].key_at || lap != windows[i].lap;) {
                keys[i].push_back(stream[at] ^ lap_key(lap));
                if (++at == stream.size()) {
                    at = 0;
                    lap++;
                }
            }
            works[i].task = task;
            works[i].keys = keys[i].data();
            works[i].count = keys[i].size();
        }
        run_threads(who, works, [] {});
        return works;
    }

    void run_grow(cell &cell, const universe &universe)
    {
        std::vector<contender> list = contenders(cell.threads, universe.type, cell.scenario->shape);
        std::vector<stream> streams;
        if (cell.scenario->shape == shape::GROW_READ)
            streams = streams_for(cell, universe);
        for (contender &who : list)
            cell.results.push_back(result_of(who));
        for (unsigned round = 0; round < settings.rounds; round++)
            for (size_t i = 0; i < list.size(); i++) {
                progress.say(label(cell), cell.results[i].name());
                if (cell.scenario->shape == shape::GROW)
                    grow_once(list[i], cell.results[i], universe);
                else
                    grow_read_once(list[i], cell.results[i], universe, streams);
                progress.add(2 * pass_cost(cell.keys));
            }
        if (cell.scenario->shape == shape::GROW && cell.keys >= BYTES_MIN_KEYS)
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

        std::vector<histogram> ticks(who.threads);
        create(who);
        book(who,
             run_divided(who, work::FILL_STAMPED, universe.keys.data(), universe.present, &ticks));
        check_census(who, universe);
        destroy(who);
        result.latencies.push_back(merged(ticks));
    }

    // The first thread adds, the others read; the rate is that of the reads.
    void grow_read_once(contender &who, result &result, const universe &universe,
                        const std::vector<stream> &streams)
    {
        std::atomic<uint32_t> stop{0};
        std::vector<work> works(std::max(who.threads, 2u));
        std::vector<histogram> ticks(works.size());
        works[0].task = work::FILL;
        works[0].keys = universe.keys.data();
        works[0].count = universe.present;
        works[0].stop = &stop;
        for (size_t i = 1; i < works.size(); i++) {
            works[i].task = work::READ_STAMPED;
            works[i].stream = &streams[i % streams.size()];
            works[i].ticks = &ticks[i];
            works[i].stop = &stop;
        }
        create(who);
        run_threads(
            who, works, [] {}, &stop);
        book(who, works);
        check_census(who, universe);
        destroy(who);
        histogram all = merged(ticks);
        result.rates.push_back(static_cast<double>(all.count()) * 1e9 /
                               static_cast<double>(works[0].nanoseconds));
        result.waits.push_back(waited_part(works));
        result.latencies.push_back(all);
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
        const char *path = result.peer->path;
        const char *arguments[] = {
            self,          "--bytes-of", peer.c_str(), "--keys",
            count.c_str(), "--seed",     seed.c_str(), path ? "--peer" : nullptr,
            path,          nullptr};
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

    // The scenarios that want this type of keys; those that leave the sets usable share them.
    void run_group(key_type type, uint64_t keys, unsigned threads)
    {
        std::vector<size_t> chosen;
        for (const scenario *scenario : settings.scenarios)
            if (scenario->type == type && !contenders(threads, type, scenario->shape).empty()) {
                chosen.push_back(cells.size());
                cells.push_back({scenario, keys, threads, {}});
            }
        if (chosen.empty())
            return;
        universe universe(type, keys, settings.seed);
        std::vector<contender> sets;
        for (size_t i : chosen) {
            if (!shares_sets(cells[i].scenario->shape))
                continue;
            if (sets.empty())
                sets = filled(universe, threads);
            run_shared(cells[i], sets, universe);
        }
        for (contender &who : sets) {
            progress.say("verifying " + std::to_string(keys) + " keys", who.by->name);
            check_census(who, universe);
            check_size(who);
            progress.add(pass_cost(keys));
            destroy(who);
        }
        mi_collect(true);
        for (size_t i : chosen)
            if (cells[i].scenario->shape == shape::WINDOW)
                run_window(cells[i], universe);
            else if (grows(cells[i].scenario->shape))
                run_grow(cells[i], universe);
    }

    std::vector<contender> filled(const universe &universe, unsigned threads)
    {
        std::vector<contender> list = contenders(threads, universe.type, shape::MIX);
        for (contender &who : list) {
            progress.say("filling sets with " + std::to_string(universe.present) + " keys",
                         who.by->name);
            create(who);
            book(who, run_divided(who, work::FILL, universe.keys.data(), universe.present));
            progress.add(pass_cost(universe.present));
        }
        return list;
    }

    void plan()
    {
        for (unsigned threads : settings.threads)
            for (uint64_t keys : settings.keys)
                for (const scenario *scenario : settings.scenarios) {
                    double cell = grows(scenario->shape)
                                      ? (2 * settings.rounds + 1) * pass_cost(keys)
                                      : settings.rounds * slice_cost();
                    size_t peers = contenders(threads, scenario->type, scenario->shape).size();
                    progress.plan(cell * static_cast<double>(peers));
                }
        for (key_type type : key_types)
            for (uint64_t keys : settings.keys)
                if (std::any_of(settings.scenarios.begin(), settings.scenarios.end(),
                                [&](const scenario *scenario) { return scenario->type == type; }))
                    progress.plan(2 * pass_cost(keys) *
                                  static_cast<double>(contenders(1, type, shape::MIX).size() *
                                                      settings.threads.size()));
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
                for (key_type type : key_types)
                    run_group(type, keys, threads);
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

double ticks_per_ns()
{
    static const double found = [] {
        uint64_t ns = now_ns(), ticks = now_ticks();
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        return static_cast<double>(now_ticks() - ticks) / static_cast<double>(now_ns() - ns);
    }();
    return found;
}

std::vector<cell> run_all(const settings &settings)
{
    return runner(settings).run();
}

int print_bytes(const peer &peer, uint64_t keys, uint64_t seed)
{
    universe universe(RANDOM, keys, seed);
    double before = memory_status("VmRSS:");
    contender who = {&peer, false, 1, nullptr, 0, 0};
    create(who);
    work work;
    work.task = work::FILL;
    work.keys = universe.keys.data();
    work.count = universe.present;
    peer.run(who.set, &work);
    double own = static_cast<double>(peer.bytes(who.set));
    mi_collect(true);
    double rest = memory_status("VmRSS:") - before, peak = memory_status("VmHWM:") - before;
    double count = static_cast<double>(keys);
    printf("%.2f %.2f %.2f\n", rest / count, peak / count, own / count);
    return work.failure < 0 || work.net != static_cast<int64_t>(keys);
}

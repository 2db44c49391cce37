// SPDX-License-Identifier: MIT
#include "wake.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <mutex>
#include <random>
#include <thread>
#include <unistd.h>

#include <lfset/cancel.h>
#include <lfset/u64.h>

#include "peer.h"

namespace
{

constexpr uint64_t KEY = 7;
constexpr std::chrono::milliseconds POLL(100);
// Until the waiter is asleep for certain, and the processors are at rest.
constexpr std::chrono::microseconds SETTLE(300);
constexpr unsigned TURNS = 20; // in a round
// Samples in a turn of a way that wakes at once; the poller takes one.
constexpr unsigned SAMPLES = 20;

// What waits, what ends the wait, and what makes the next one possible. The first two run in two
// threads, the last one when both are done.
struct way {
    virtual ~way() = default;
    virtual void wait() = 0;
    virtual void change() = 0;
    virtual void reset() = 0;
};

// A wait may fail in a thread of its own, and what it would have woken waits for ever.
void expect(int got, int want, const char *what)
{
    if (got != want) {
        fprintf(stderr, "lfset-bench: %s answered %d\n", what, got);
        _exit(1);
    }
}

struct set {
    lfset_u64 *u64 = nullptr;
    explicit set(lfset_domain domain)
    {
        lfset_options options = LFSET_OPTIONS_INIT;
        options.domain = domain;
        expect(lfset_u64_create(&u64, &options), 0, "lfset_u64_create");
    }
    ~set()
    {
        lfset_u64_destroy(u64);
    }
};

struct set_change : way {
    struct set set;
    explicit set_change(lfset_domain domain) : set(domain)
    {
    }
    void wait() override
    {
        expect(lfset_u64_wait_present(set.u64, KEY, nullptr), 0, "lfset_u64_wait_present");
    }
    void change() override
    {
        expect(lfset_u64_add(set.u64, KEY), 1, "lfset_u64_add");
    }
    void reset() override
    {
        expect(lfset_u64_remove(set.u64, KEY), 1, "lfset_u64_remove");
    }
};

struct set_cancel : way {
    struct set set;
    lfset_cancel *token = nullptr;
    set_cancel() : set(LFSET_HP)
    {
        make();
    }
    ~set_cancel() override
    {
        lfset_cancel_destroy(token);
    }
    void make()
    {
        expect(lfset_cancel_create(&token, nullptr, LFSET_NO_DEADLINE), 0, "lfset_cancel_create");
    }
    void wait() override
    {
        expect(lfset_u64_wait_present(set.u64, KEY, token), -ECANCELED, "lfset_u64_wait_present");
    }
    void change() override
    {
        expect(lfset_cancel_now(token), 1, "lfset_cancel_now");
    }
    void reset() override
    {
        lfset_cancel_destroy(token);
        make();
    }
};

struct condition_variable : way {
    std::mutex mutex;
    std::condition_variable changed;
    bool present = false;
    void wait() override
    {
        std::unique_lock<std::mutex> lock(mutex);
        changed.wait(lock, [this] { return present; });
    }
    void change() override
    {
        {
            std::lock_guard<std::mutex> lock(mutex);
            present = true;
        }
        changed.notify_all();
    }
    void reset() override
    {
        present = false;
    }
};

struct poller : set_change {
    poller() : set_change(LFSET_HP)
    {
    }
    void wait() override
    {
        while (lfset_u64_contains(set.u64, KEY) == 0)
            std::this_thread::sleep_for(POLL);
    }
};

// Takes `samples` samples. The change comes `pause` after the waiter began.
void burst(way &way, unsigned samples, const std::function<std::chrono::microseconds()> &pause,
           std::vector<double> &microseconds)
{
    std::atomic<unsigned> ready{0}, begun{0}, returned{0};
    uint64_t noticed = 0; // passed on by `returned`
    const auto reaches = [](const std::atomic<unsigned> &count, unsigned what) {
        while (count.load() != what)
            std::this_thread::yield();
    };
    std::thread waiter([&] {
        for (unsigned i = 1; i <= samples; i++) {
            reaches(ready, i);
            begun = i;
            way.wait();
            noticed = now_ns();
            returned = i;
        }
    });
    for (unsigned i = 1; i <= samples; i++) {
        ready = i;
        reaches(begun, i);
        std::this_thread::sleep_for(pause());
        uint64_t start = now_ns();
        way.change();
        reaches(returned, i);
        microseconds.push_back(static_cast<double>(noticed - start) * 1e-3);
        way.reset();
    }
    waiter.join();
}

struct entry {
    struct way *way;
    wake_result result;
};

} // namespace

std::vector<wake_result> wake_run(unsigned rounds)
{
    set_change hp(LFSET_HP), rcu(LFSET_RCU);
    set_cancel cancel;
    condition_variable condition;
    poller poll;
    std::vector<entry> entries = {
        {&hp, {"lfset-hp", "add wakes lfset_u64_wait_present", {}}},
        {&rcu, {"lfset-rcu", "the same with RCU", {}}},
        {&cancel, {"lfset-cancel", "lfset_cancel_now wakes lfset_u64_wait_present", {}}},
        {&condition, {"condition-variable", "of pthreads, with a flag under a mutex", {}}},
        {&poll, {"poller", "lfset_u64_contains every 100 ms", {}}},
    };
    std::mt19937_64 random(1);
    std::uniform_int_distribution<int64_t> within(0, std::chrono::microseconds(POLL).count());
    for (unsigned turn = 0; turn < rounds * TURNS; turn++) {
        for (entry &entry : entries) {
            bool polls = entry.way == &poll;
            burst(
                *entry.way, polls ? 1 : SAMPLES,
                // at any moment between two looks of the poller
                [&] { return polls ? std::chrono::microseconds(within(random)) : SETTLE; },
                entry.result.microseconds);
        }
    }
    std::vector<wake_result> results;
    for (entry &entry : entries) {
        std::sort(entry.result.microseconds.begin(), entry.result.microseconds.end());
        results.push_back(std::move(entry.result));
    }
    return results;
}

double wake_quantile(const wake_result &result, double part)
{
    const std::vector<double> &all = result.microseconds;
    return all[std::min(all.size() - 1,
                        static_cast<size_t>(part * static_cast<double>(all.size())))];
}

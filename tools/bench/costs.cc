// SPDX-License-Identifier: MIT
#include "costs.h"

#include <cmath>
#include <cstdio>
#include <functional>
#include <stdexcept>

#include <lfset/u64.h>

#include "peer.h"
#include "statistics.h"

namespace
{

// Small sets are gone through again until so much was done, lest the clock's grain counts.
constexpr uint64_t LEAST_WORK = 200000;

struct subject {
    lfset_u64 *set = nullptr;
    const universe &keys;
    enum lfset_domain domain;

    subject(const universe &keys, enum lfset_domain domain) : keys(keys), domain(domain)
    {
        create();
    }
    subject(const subject &) = delete;
    ~subject()
    {
        lfset_u64_destroy(set);
    }
    void create()
    {
        lfset_options options = LFSET_OPTIONS_INIT;
        options.domain = domain;
        check(lfset_u64_create(&set, &options));
    }
    void create_again()
    {
        lfset_u64_destroy(set);
        set = nullptr;
        create();
    }
    void fill()
    {
        for (size_t i = 0; i < keys.present; i++)
            check(lfset_u64_add(set, keys.keys[i]) - 1);
    }
    static void check(int result)
    {
        if (result != 0)
            throw std::runtime_error("lfset_u64: an operation of --costs failed");
    }
};

int add_to_sum(uint64_t key, void *sum)
{
    *static_cast<uint64_t *>(sum) += key;
    return 0;
}

struct operation {
    const char *name;
    const char *unit;
    std::function<void(subject &)> before; // not timed
    std::function<void(subject &)> timed;
};

// What is timed leaves the set full, or `before` fills it again.
const std::vector<operation> operations = {
    {"add, from empty", "a key", [](subject &it) { it.create_again(); },
     [](subject &it) { it.fill(); }},
    {"contains", "an operation", nullptr,
     [](subject &it) {
         int64_t present = 0;
         for (uint64_t key : it.keys.keys) // of which half are there
             present += lfset_u64_contains(it.set, key);
         subject::check(present != static_cast<int64_t>(it.keys.present));
     }},
    {"remove and add", "an operation", nullptr,
     [](subject &it) {
         for (size_t i = 0; i < it.keys.present; i++) {
             subject::check(lfset_u64_remove(it.set, it.keys.keys[i]) - 1);
             subject::check(lfset_u64_add(it.set, it.keys.keys[i]) - 1);
         }
     }},
    {"size", "a key", nullptr,
     [](subject &it) {
         subject::check(lfset_u64_size(it.set, nullptr) != static_cast<int64_t>(it.keys.present));
     }},
    {"snapshot", "a key", nullptr,
     [](subject &it) {
         lfset_u64_snapshot *taken;
         subject::check(lfset_u64_snapshot_take(it.set, &taken, nullptr));
         lfset_u64_snapshot_destroy(taken);
     }},
    {"snapshot, its keys in order", "a key", nullptr,
     [](subject &it) {
         lfset_u64_snapshot *taken;
         uint64_t sum = 0;
         subject::check(lfset_u64_snapshot_take(it.set, &taken, nullptr));
         subject::check(lfset_u64_snapshot_each(taken, add_to_sum, &sum, nullptr));
         lfset_u64_snapshot_destroy(taken);
     }},
    {"clear", "a key",
     [](subject &it) {
         it.create_again();
         it.fill();
     },
     [](subject &it) {
         subject::check(lfset_u64_clear(it.set, nullptr) != static_cast<int64_t>(it.keys.present));
     }},
};

double per_unit(const operation &operation, subject &it)
{
    double units = 0, spent = 0;
    do {
        if (operation.before)
            operation.before(it);
        uint64_t start = now_ns();
        operation.timed(it);
        spent += static_cast<double>(now_ns() - start);
        units += static_cast<double>(it.keys.present) * (operation.unit[1] == 'n' ? 2 : 1);
    } while (units < LEAST_WORK);
    return spent / units;
}

// The slope of the straight line nearest to the logarithms.
double exponent(const std::vector<uint64_t> &keys, const std::vector<double> &costs)
{
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (size_t i = 0; i < keys.size(); i++) {
        double a = std::log(static_cast<double>(keys[i])), b = std::log(costs[i]);
        n += 1, x += a, y += b, xx += a * a, xy += a * b;
    }
    double spread = n * xx - x * x;
    return spread > 0 ? (n * xy - x * y) / spread : 0;
}

} // namespace

std::vector<cost> costs_run(const std::vector<uint64_t> &keys, unsigned rounds, uint64_t seed)
{
    std::vector<cost> list;
    for (const char *domain : {"HP", "RCU"})
        for (const operation &operation : operations)
            list.push_back(
                {std::string(domain) + ": " + operation.name, operation.unit, keys, {}, 0});
    for (uint64_t count : keys) {
        universe universe(RANDOM, count, seed);
        std::vector<std::vector<double>> rounds_of(list.size());
        for (unsigned round = 0; round < rounds; round++)
            for (size_t i = 0; i < list.size(); i++) {
                fprintf(stderr, "\r\033[K%s keys, round %u of %u: %s",
                        std::to_string(count).c_str(), round + 1, rounds, list[i].name.c_str());
                subject it(universe, i < operations.size() ? LFSET_HP : LFSET_RCU);
                it.fill();
                rounds_of[i].push_back(per_unit(operations[i % operations.size()], it));
            }
        for (size_t i = 0; i < list.size(); i++)
            list[i].nanoseconds.push_back(median(rounds_of[i]));
    }
    fprintf(stderr, "\r\033[K");
    for (cost &cost : list)
        cost.exponent = exponent(cost.keys, cost.nanoseconds);
    return list;
}

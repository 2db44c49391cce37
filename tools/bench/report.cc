// SPDX-License-Identifier: MIT
#include "report.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <jansson.h>

#include "machine.h"
#include "statistics.h"

namespace
{

constexpr int NAME_WIDTH = 24, CELL_WIDTH = 16;

void print_rates(const std::vector<const cell *> &row)
{
    printf("\n%s keys, %u thread%s: Mops/s, median of %zu rounds, +- half the range\n",
           std::to_string(row[0]->keys).c_str(), row[0]->threads, row[0]->threads > 1 ? "s" : "",
           row[0]->results[0].rates.size());
    printf("%-*s", NAME_WIDTH, "");
    for (const cell *cell : row)
        printf("%*s", CELL_WIDTH, cell->scenario->name);
    printf("\n");

    size_t contenders = row[0]->results.size();
    for (size_t i = 0; i < contenders; i++) {
        printf("%-*s", NAME_WIDTH, row[0]->results[i].name().c_str());
        for (const cell *cell : row) {
            const std::vector<double> &rates = cell->results[i].rates;
            auto range = std::minmax_element(rates.begin(), rates.end());
            double middle = median(rates);
            printf("%*.1f +-%2.0f %%", CELL_WIDTH - 7, middle * 1e-6,
                   50 * (*range.second - *range.first) / middle);
        }
        printf("\n");
    }
    for (size_t i = 0; i < contenders; i++) {
        if (!compared(row[0]->results[i]) || !best_peer(*row[0]))
            continue;
        printf("%-*s", NAME_WIDTH, (row[0]->results[i].name() + " / best").c_str());
        for (const cell *cell : row)
            printf("%*.2fx", CELL_WIDTH - 1, ratio(cell->results[i], *best_peer(*cell)));
        printf("\n");
    }
    for (size_t i = 0; i < contenders; i++) {
        if (std::all_of(row.begin(), row.end(),
                        [i](const cell *cell) { return cell->results[i].snapshots.empty(); }))
            continue;
        printf("%-*s", NAME_WIDTH, (row[0]->results[i].name() + " snaps/s").c_str());
        for (const cell *cell : row)
            if (cell->results[i].snapshots.empty())
                printf("%*s", CELL_WIDTH, "");
            else
                printf("%*.1f", CELL_WIDTH, median(cell->results[i].snapshots));
        printf("\n");
    }
    if (best_peer(*row[0])) {
        printf("%-*s", NAME_WIDTH, "best peer");
        for (const cell *cell : row)
            printf("%*s", CELL_WIDTH, best_peer(*cell)->peer->name);
        printf("\n");
    }
    printf("%-*s", NAME_WIDTH, "noise (again / first)");
    for (const cell *cell : row)
        printf("%*.0f %%", CELL_WIDTH - 2, 100 * noise(*cell));
    printf("\n%-*s", NAME_WIDTH, "waited for a processor");
    for (const cell *cell : row)
        printf("%*.0f %%", CELL_WIDTH - 2, 100 * waited(*cell));
    printf("\n");
}

void print_latencies(const cell &cell)
{
    printf("\n%s, %s keys, %u thread%s: %s, medians of %zu rounds\n", cell.scenario->name,
           std::to_string(cell.keys).c_str(), cell.threads, cell.threads > 1 ? "s" : "",
           cell.scenario->about, cell.results[0].rates.size());
    printf("%-*s%8s", NAME_WIDTH, "ns, max in ms", "Mops/s");
    for (const auto &quantile : quantiles)
        printf("%9s", quantile.name);
    printf("%12s%12s\n", "B/key rest", "B/key peak");
    for (const result &result : cell.results) {
        printf("%-*s%8.1f", NAME_WIDTH, result.name().c_str(), median(result.rates) * 1e-6);
        for (const auto &quantile : quantiles)
            if (quantile.part < 1)
                printf("%9.0f", latency(result, quantile.part));
            else
                printf("%9.2f", latency(result, 1) * 1e-6);
        if (result.bytes_peak > 0)
            printf("%12.1f%12.1f", result.bytes_rest, result.bytes_peak);
        if (result.bytes_own > 0)
            printf("  (%.1f by its own account)", result.bytes_own);
        printf("\n");
    }
    printf("noise %.0f %%, waited for a processor %.0f %%\n", 100 * noise(cell),
           100 * waited(cell));
}

json_t *json_numbers(const std::vector<double> &values)
{
    json_t *list = json_array();
    for (double value : values)
        json_array_append_new(list, json_real(value));
    return list;
}

json_t *json_result(const cell &cell, const result &result)
{
    auto range = std::minmax_element(result.rates.begin(), result.rates.end());
    json_t *object =
        json_pack("{s:s, s:b, s:i, s:b, s:f, s:f, s:f, s:o, s:o}", "peer", result.peer->name,
                  "again", result.again, "threads", static_cast<int>(result.threads), "verified", 1,
                  "median", median(result.rates), "min", *range.first, "max", *range.second,
                  "rounds", json_numbers(result.rates), "waited", json_numbers(result.waits));
    const struct result *best = best_peer(cell);
    if (best && compared(result))
        json_object_set_new(object, "ratio_to_best_peer", json_real(ratio(result, *best)));
    if (!result.latencies.empty()) {
        json_t *latencies = json_object();
        for (const auto &quantile : quantiles)
            json_object_set_new(latencies, quantile.name,
                                json_real(latency(result, quantile.part)));
        json_object_set_new(object, "latency_ns", latencies);
    }
    if (!result.snapshots.empty())
        json_object_set_new(object, "snapshots_per_second", json_real(median(result.snapshots)));
    if (result.bytes_peak > 0)
        json_object_set_new(
            object, "bytes_per_key",
            json_pack("{s:f, s:f}", "rest", result.bytes_rest, "peak", result.bytes_peak));
    if (result.bytes_own > 0)
        json_object_set_new(json_object_get(object, "bytes_per_key"), "own_account",
                            json_real(result.bytes_own));
    return object;
}

json_t *json_cell(const cell &cell)
{
    json_t *results = json_array();
    for (const result &result : cell.results)
        json_array_append_new(results, json_result(cell, result));
    json_t *object =
        json_pack("{s:s, s:I, s:i, s:f, s:f, s:o}", "scenario", cell.scenario->name, "keys",
                  static_cast<json_int_t>(cell.keys), "threads", static_cast<int>(cell.threads),
                  "noise", noise(cell), "waited", waited(cell), "results", results);
    if (const result *best = best_peer(cell))
        json_object_set_new(object, "best_peer", json_string(best->peer->name));
    return object;
}

json_t *json_machine()
{
    json_t *object = json_object();
    for (const auto &fact : machine_facts())
        json_object_set_new(object, fact.first.c_str(), json_string(fact.second.c_str()));
    return object;
}

int json_write(json_t *root, const char *path)
{
    int status = json_dump_file(root, path, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    if (status != 0)
        fprintf(stderr, "lfset-bench: %s: cannot write: %s\n", path, strerror(errno));
    json_decref(root);
    return status;
}

void print_machine()
{
    for (const auto &fact : machine_facts())
        printf("%s: %s\n", fact.first.c_str(), fact.second.c_str());
}

bool same_contenders(const cell &a, const cell &b)
{
    return a.threads == b.threads && a.keys == b.keys &&
           std::equal(a.results.begin(), a.results.end(), b.results.begin(), b.results.end(),
                      [](const result &x, const result &y) { return x.peer == y.peer; });
}

// What is shown in one table: cells of the same sets, at most so many that a line stays readable.
std::vector<std::vector<const cell *>> rows(const std::vector<cell> &cells)
{
    constexpr size_t MOST = 8;
    std::vector<std::vector<const cell *>> list;
    for (const cell &cell : cells) {
        if (grows(cell.scenario->shape))
            continue;
        auto fits = [&](const std::vector<const struct cell *> &row) {
            return row.size() < MOST && same_contenders(*row.front(), cell);
        };
        auto row = std::find_if(list.begin(), list.end(), fits);
        if (row == list.end())
            row = list.insert(list.end(), {{}});
        row->push_back(&cell);
    }
    return list;
}

} // namespace

void report_table(const std::vector<cell> &cells)
{
    print_machine();
    for (const std::vector<const cell *> &row : rows(cells))
        print_rates(row);
    for (const cell &cell : cells)
        if (grows(cell.scenario->shape))
            print_latencies(cell);

    std::vector<mean> list = means(cells);
    if (!list.empty())
        printf("\nrelative to the best peer of each cell (not the single-threaded one), growth "
               "included:\n");
    for (const mean &mean : list)
        printf("%-*s geometric mean %.2fx, worst %.2fx, of %zu cells\n", NAME_WIDTH,
               mean.name.c_str(), mean.value, mean.worst, mean.cells);
}

int report_json(const char *path, const std::string &command, const settings &settings,
                const std::vector<cell> &cells)
{
    json_t *results = json_array(), *summary = json_object();
    for (const cell &cell : cells)
        json_array_append_new(results, json_cell(cell));
    for (const mean &mean : means(cells))
        json_object_set_new(
            summary, mean.name.c_str(),
            json_pack("{s:f, s:f}", "geometric_mean", mean.value, "worst", mean.worst));
    json_t *root =
        json_pack("{s:s, s:o, s:{s:i, s:f, s:I}, s:o, s:o}", "command", command.c_str(), "machine",
                  json_machine(), "settings", "rounds", static_cast<int>(settings.rounds),
                  "seconds", settings.seconds, "seed", static_cast<json_int_t>(settings.seed),
                  "cells", results, "relative_to_best_peer", summary);
    return json_write(root, path);
}

void report_wake_table(const std::vector<wake_result> &results)
{
    print_machine();
    printf("\nfrom the change until the waiter has returned, in microseconds\n");
    printf("%-20s %8s %10s %10s %10s   %s\n", "", "samples", "median", "p99", "max", "what");
    for (const wake_result &result : results)
        printf("%-20s %8zu %10.1f %10.1f %10.1f   %s\n", result.name, result.microseconds.size(),
               wake_quantile(result, 0.5), wake_quantile(result, 0.99), wake_quantile(result, 1),
               result.about);
}

int report_wake_json(const char *path, const std::string &command,
                     const std::vector<wake_result> &results)
{
    json_t *list = json_array();
    for (const wake_result &result : results)
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:f, s:f, s:f}", "name", result.name,
                                              "about", result.about, "samples",
                                              static_cast<json_int_t>(result.microseconds.size()),
                                              "median_us", wake_quantile(result, 0.5), "p99_us",
                                              wake_quantile(result, 0.99), "max_us",
                                              wake_quantile(result, 1)));
    return json_write(json_pack("{s:s, s:o, s:o}", "command", command.c_str(), "machine",
                                json_machine(), "wake", list),
                      path);
}

void report_costs_table(const std::vector<cost> &costs)
{
    print_machine();
    printf("\nnanoseconds, one thread; by keys^exponent they grow with the number of keys\n%-*s",
           NAME_WIDTH + 8, "");
    for (uint64_t keys : costs.front().keys)
        printf("%12s", std::to_string(keys).c_str());
    printf("%10s\n", "exponent");
    for (const cost &cost : costs) {
        printf("%-*s", NAME_WIDTH + 8, cost.name.c_str());
        for (double nanoseconds : cost.nanoseconds)
            printf("%12.2f", nanoseconds);
        printf("%10.2f   ns %s\n", cost.exponent, cost.unit.c_str());
    }
}

int report_costs_json(const char *path, const std::string &command, const std::vector<cost> &costs)
{
    json_t *list = json_array();
    for (const cost &cost : costs) {
        json_t *keys = json_array();
        for (uint64_t count : cost.keys)
            json_array_append_new(keys, json_integer(static_cast<json_int_t>(count)));
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o, s:o, s:f}", "name", cost.name.c_str(),
                                        "unit", cost.unit.c_str(), "keys", keys, "ns",
                                        json_numbers(cost.nanoseconds), "exponent", cost.exponent));
    }
    return json_write(json_pack("{s:s, s:o, s:o}", "command", command.c_str(), "machine",
                                json_machine(), "costs", list),
                      path);
}

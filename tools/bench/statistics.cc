// SPDX-License-Identifier: MIT
#include "statistics.h"

#include <cmath>

double median(std::vector<double> values)
{
    std::sort(values.begin(), values.end());
    size_t half = values.size() / 2;
    return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

double latency(const result &result, double part)
{
    std::vector<double> values;
    for (const histogram &round : result.latencies)
        values.push_back(static_cast<double>(round.quantile(part)));
    return median(values);
}

const std::vector<quantile> quantiles = {{"p50", 0.5},       {"p99", 0.99},        {"p99.9", 0.999},
                                         {"p99.99", 0.9999}, {"p99.999", 0.99999}, {"max", 1}};

double ratio(const result &result, const struct result &base)
{
    std::vector<double> ratios;
    for (size_t i = 0; i < result.rates.size(); i++)
        ratios.push_back(result.rates[i] / base.rates[i]);
    return median(ratios);
}

const result *best_peer(const cell &cell)
{
    const result *best = nullptr;
    for (const result &result : cell.results)
        if (!result.peer->ours && !result.peer->single && !result.again &&
            (!best || median(result.rates) > median(best->rates)))
            best = &result;
    return best;
}

double noise(const cell &cell)
{
    return std::fabs(ratio(cell.results.back(), cell.results.front()) - 1);
}

double waited(const cell &cell)
{
    std::vector<double> all;
    for (const result &result : cell.results)
        all.insert(all.end(), result.waits.begin(), result.waits.end());
    return median(all);
}

bool compared(const result &result)
{
    return result.peer->ours && !result.again;
}

std::vector<mean> means(const std::vector<cell> &cells)
{
    std::vector<mean> list;
    for (const cell &cell : cells)
        for (const result &result : cell.results) {
            const struct result *best = best_peer(cell);
            if (!compared(result) || !best || cell.scenario->shape == shape::GROW_READ)
                continue;
            double value = ratio(result, *best);
            auto same = [&](const mean &mean) { return mean.name == result.name(); };
            auto mine = std::find_if(list.begin(), list.end(), same);
            if (mine == list.end())
                mine = list.insert(list.end(), {result.name(), 0, value, 0});
            mine->value += std::log(value);
            mine->worst = std::min(mine->worst, value);
            mine->cells++;
        }
    for (mean &mean : list)
        mean.value = std::exp(mean.value / static_cast<double>(mean.cells));
    return list;
}

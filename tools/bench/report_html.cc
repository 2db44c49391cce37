// SPDX-License-Identifier: MIT
// The report as one page that needs nothing else: tables as HTML, pictures as SVG.
#include "report.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <map>
#include <sstream>

#include "machine.h"
#include "plot.h"
#include "statistics.h"

namespace
{

const char style[] = R"(
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 1360px; padding: 1.5em; }
h1 { margin-bottom: 0; } h2 { margin-top: 2em; border-bottom: 1px solid #8888; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { padding: .25em .7em; text-align: right; border-bottom: 1px solid #8884; }
th:first-child, td:first-child { text-align: left; }
td small { display: block; opacity: .65; }
.best { background: #26a26944; } .level { background: #f5c21144; } .behind { background: #c0152f44; }
.plots { display: flex; flex-wrap: wrap; gap: 12px; }
.plots svg { background: #fff; border: 1px solid #8884; border-radius: 4px; width: 640px; height: auto;
             max-width: 100%; }
code { font-size: 90%; overflow-wrap: anywhere; }
details { margin: 1em 0; } summary { cursor: pointer; }
.scroll { overflow-x: auto; }
)";

std::string escaped(const std::string &text)
{
    std::string result;
    for (char c : text)
        result += c == '<'   ? "&lt;"
                  : c == '>' ? "&gt;"
                  : c == '&' ? "&amp;"
                  : c == '"' ? "&quot;"
                             : std::string(1, c);
    return result;
}

std::string number(const char *format, double value)
{
    char text[64];
    snprintf(text, sizeof text, format, value);
    return text;
}

std::string size_name(uint64_t keys)
{
    for (unsigned power = 3; power < 10; power++)
        if (keys == static_cast<uint64_t>(std::pow(10.0, power)))
            return "10^" + std::to_string(power);
    return std::to_string(keys);
}

std::string count_name(unsigned threads)
{
    return std::to_string(threads) + (threads == 1 ? " thread" : " threads");
}

std::string cell_name(const cell &cell)
{
    return size_name(cell.keys) + " keys, " + count_name(cell.threads);
}

// The fastest of ours.
const result *best_ours(const cell &cell)
{
    const result *best = nullptr;
    for (const result &result : cell.results)
        if (compared(result) && (!best || median(result.rates) > median(best->rates)))
            best = &result;
    return best;
}

std::vector<std::pair<uint64_t, unsigned>> columns(const std::vector<cell> &cells)
{
    std::vector<std::pair<uint64_t, unsigned>> list;
    for (const cell &cell : cells)
        if (std::find(list.begin(), list.end(), std::make_pair(cell.keys, cell.threads)) ==
            list.end())
            list.emplace_back(cell.keys, cell.threads);
    return list;
}

std::vector<const scenario *> rows(const std::vector<cell> &cells)
{
    std::vector<const scenario *> list;
    for (const cell &cell : cells)
        if (std::find(list.begin(), list.end(), cell.scenario) == list.end())
            list.push_back(cell.scenario);
    return list;
}

const cell *cell_at(const std::vector<cell> &cells, const scenario *scenario, uint64_t keys,
                    unsigned threads)
{
    for (const cell &cell : cells)
        if (cell.scenario == scenario && cell.keys == keys && cell.threads == threads)
            return &cell;
    return nullptr;
}

std::string ratio_cell(const cell *cell)
{
    const result *ours = cell ? best_ours(*cell) : nullptr,
                 *peer = cell ? best_peer(*cell) : nullptr;
    if (!ours || !peer || cell->scenario->shape == shape::GROW_READ)
        return "<td></td>";
    double value = ratio(*ours, *peer), blur = noise(*cell);
    const char *kind = value > 1 + blur ? "best" : value < 1 - blur ? "behind" : "level";
    return std::string("<td class=\"") + kind + "\" title=\"" + escaped(ours->name()) + " " +
           number("%.1f", median(ours->rates) * 1e-6) + ", " + escaped(peer->name()) + " " +
           number("%.1f", median(peer->rates) * 1e-6) + " Mops/s; noise " +
           number("%.0f", 100 * blur) + " %\">" + number("%.2f", value) + "&times;<small>" +
           escaped(peer->name()) + "</small></td>";
}

std::string glance(const std::vector<cell> &cells)
{
    std::string out = "<div class=\"scroll\"><table><tr><th>scenario</th>";
    for (auto [keys, threads] : columns(cells))
        out += "<th>" + size_name(keys) + " keys<br>" + count_name(threads) + "</th>";
    out += "</tr>\n";
    for (const scenario *scenario : rows(cells)) {
        if (scenario->shape == shape::GROW_READ)
            continue;
        out += std::string("<tr><td>") + scenario->name + "<small>" + escaped(scenario->about) +
               "</small></td>";
        for (auto [keys, threads] : columns(cells))
            out += ratio_cell(cell_at(cells, scenario, keys, threads));
        out += "</tr>\n";
    }
    return out + "</table></div>\n";
}

plot rates_plot(const cell &cell)
{
    plot made = {plot::BARS,
                 std::string(cell.scenario->name) + ", " + cell_name(cell),
                 "Mops/s: median, least and most of the rounds",
                 "",
                 false,
                 false,
                 "",
                 {}};
    for (const result &result : cell.results) {
        if (result.again)
            continue;
        auto range = std::minmax_element(result.rates.begin(), result.rates.end());
        made.series.push_back({result.name() + (result.peer->single ? " (1 thread)" : ""),
                               result.peer->ours,
                               {0},
                               {median(result.rates) * 1e-6},
                               {*range.first * 1e-6},
                               {*range.second * 1e-6}});
    }
    std::stable_sort(made.series.begin(), made.series.end(),
                     [](const plot_series &a, const plot_series &b) { return a.y[0] > b.y[0]; });
    return made;
}

plot latency_plot(const cell &cell)
{
    plot made = {plot::LINES,
                 std::string(cell.scenario->name) + ", " + cell_name(cell),
                 "of so many operations ...",
                 "... one takes longer than this, ns",
                 true,
                 true,
                 "",
                 {}};
    for (const result &result : cell.results) {
        if (result.again || result.latencies.empty())
            continue;
        plot_series line = {result.name(), result.peer->ours, {}, {}, {}, {}};
        uint64_t fewest = result.latencies.front().count();
        for (const histogram &round : result.latencies)
            fewest = std::min(fewest, round.count());
        for (double every = 2; every <= static_cast<double>(fewest); every *= 1.7782794) {
            line.x.push_back(every);
            line.y.push_back(std::max(1.0, latency(result, 1 - 1 / every)));
        }
        if (!line.x.empty())
            made.series.push_back(line);
    }
    return made;
}

plot memory_plot(const cell &cell)
{
    plot made = {plot::BARS,
                 "memory after adding " + size_name(cell.keys) + " keys",
                 "bytes a key at rest; the line ends at the peak",
                 "",
                 false,
                 false,
                 "",
                 {}};
    for (const result &result : cell.results)
        if (!result.again && result.bytes_peak > 0)
            made.series.push_back({result.name(),
                                   result.peer->ours,
                                   {0},
                                   {result.bytes_rest},
                                   {result.bytes_rest},
                                   {result.bytes_peak}});
    std::stable_sort(made.series.begin(), made.series.end(),
                     [](const plot_series &a, const plot_series &b) { return a.y[0] < b.y[0]; });
    return made;
}

// One line a contender, over the cells of one scenario that differ in one thing only.
template <class X, class Y>
std::vector<plot_series> lines_over(const std::vector<const cell *> &cells, X x, Y y)
{
    std::map<std::string, plot_series> by_name;
    std::vector<std::string> order;
    for (const cell *cell : cells)
        for (const result &result : cell->results) {
            if (result.again)
                continue;
            plot_series &line = by_name[result.name()];
            if (line.x.empty())
                order.push_back(result.name());
            line.name = result.name();
            line.ours = result.peer->ours;
            line.x.push_back(x(*cell));
            line.y.push_back(y(result));
        }
    std::vector<plot_series> list;
    for (const std::string &name : order)
        list.push_back(by_name[name]);
    return list;
}

std::vector<plot> scaling_plots(const std::vector<cell> &cells)
{
    std::map<std::pair<const scenario *, uint64_t>, std::vector<const cell *>> groups;
    for (const cell &cell : cells)
        if (!grows(cell.scenario->shape))
            groups[{cell.scenario, cell.keys}].push_back(&cell);
    std::vector<plot> list;
    for (const scenario *scenario : rows(cells))
        for (const auto &[key, group] : groups)
            if (key.first == scenario && group.size() > 1)
                list.push_back(
                    {plot::LINES,
                     std::string(scenario->name) + ", " + size_name(key.second) + " keys",
                     "threads", "Mops/s", false, false, "1",
                     lines_over(
                         group, [](const cell &cell) { return static_cast<double>(cell.threads); },
                         [](const result &result) { return median(result.rates) * 1e-6; })});
    return list;
}

std::vector<plot> size_plots(const std::vector<cell> &cells)
{
    std::map<std::pair<const scenario *, unsigned>, std::vector<const cell *>> groups;
    for (const cell &cell : cells)
        if (cell.scenario->shape != shape::GROW_READ)
            groups[{cell.scenario, cell.threads}].push_back(&cell);
    std::vector<plot> list;
    for (const scenario *scenario : rows(cells))
        for (const auto &[key, group] : groups)
            if (key.first == scenario && group.size() > 2)
                list.push_back(
                    {plot::LINES, std::string(scenario->name) + ", " + count_name(key.second),
                     "keys", "ns an operation, all threads together", true, true, "",
                     lines_over(
                         group, [](const cell &cell) { return static_cast<double>(cell.keys); },
                         [](const result &result) { return 1e9 / median(result.rates); })});
    return list;
}

class page
{
    std::string text;
    std::vector<plot> plots;

  public:
    void add(const std::string &more)
    {
        text += more;
    }
    // A place for a picture; all are drawn at once, at the end.
    void add(const std::vector<plot> &more)
    {
        text += "<div class=\"plots\">\n";
        for (const plot &one : more) {
            text += '\f';
            plots.push_back(one);
        }
        text += "</div>\n";
    }
    std::string finished() const
    {
        std::vector<std::string> drawn = plots_draw(plots);
        std::string out;
        size_t next = 0;
        for (char c : text)
            if (c == '\f')
                out += drawn[next++] + "\n";
            else
                out += c;
        return out;
    }
};

template <class Wanted, class Plot>
std::vector<plot> plots_of(const std::vector<cell> &cells, Wanted wanted, Plot make)
{
    std::vector<plot> list;
    for (const cell &cell : cells)
        if (wanted(cell))
            list.push_back(make(cell));
    return list;
}

void section(page &page, const char *title, const char *about, const std::vector<plot> &plots)
{
    if (plots.empty())
        return;
    page.add(std::string("<h2>") + title + "</h2>\n<p>" + about + "</p>\n");
    page.add(plots);
}

std::string head(const char *title)
{
    return std::string("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                       "<meta name=\"viewport\" content=\"width=device-width\">"
                       "<title>lfset bench</title><style>") +
           style + "</style></head><body>\n<h1>" + title + "</h1>\n";
}

std::string circumstances(const std::string &command)
{
    std::string out = "<p>Measured by <code>" + escaped(command) +
                      "</code></p>\n<details><summary>The machine</summary><table>\n";
    for (const auto &fact : machine_facts())
        out +=
            "<tr><td>" + escaped(fact.first) + "</td><td>" + escaped(fact.second) + "</td></tr>\n";
    return out + "</table></details>\n";
}

std::string heading(const std::string &command, const settings &settings,
                    const std::vector<cell> &cells)
{
    std::ostringstream out;
    out << head("lfset beside other concurrent sets")
        << "<p>Threads add, remove and look up keys in one set, as fast as they can. All sets took "
           "turns on the same keys and operations, "
        << settings.rounds
        << " times each; shown are medians. lfset is blue. Each set was checked afterwards: it "
           "holds "
           "exactly what was added and not removed.</p>\n";
    for (const mean &mean : means(cells))
        out << "<p><b>" << escaped(mean.name) << "</b>: " << number("%.2f", mean.value)
            << " times as fast as the best of the others in each cell, in the geometric mean of "
            << mean.cells << "; at worst " << number("%.2f", mean.worst) << " times.</p>\n";
    out << circumstances(command);
    return out.str();
}

int write(const char *path, const std::string &text)
{
    FILE *file = fopen(path, "w");
    bool written = file && fputs(text.c_str(), file) >= 0;
    if (!file || fclose(file) != 0 || !written) {
        fprintf(stderr, "lfset-bench: %s: cannot write: %s\n", path, strerror(errno));
        return -1;
    }
    return 0;
}

} // namespace

int report_html(const char *path, const std::string &command, const settings &settings,
                const std::vector<cell> &cells)
{
    page page;
    page.add(heading(command, settings, cells));
    page.add(
        "<h2>At a glance</h2>\n<p>The best of lfset's ways to use it as a multiple of the best "
        "other set, which is named below the figure. Green: ahead by more than the cell's noise "
        "(what a set differs from itself); yellow: within it; red: behind. Figures appear when "
        "the mouse rests on a cell.</p>\n");
    page.add(glance(cells));
    section(page, "Throughput", "Longer is better.",
            plots_of(
                cells, [](const cell &cell) { return cell.scenario->shape != shape::GROW_READ; },
                rates_plot));
    section(page, "More threads", "Higher is better.", scaling_plots(cells));
    section(page, "Latency",
            "How long a single operation takes while a set grows from empty; the further to the "
            "right, the rarer. Lower is better.",
            plots_of(
                cells, [](const cell &cell) { return grows(cell.scenario->shape); }, latency_plot));
    section(page, "Memory", "Shorter is better.",
            plots_of(
                cells,
                [](const cell &cell) {
                    return cell.scenario->shape == shape::GROW &&
                           cell.results.front().bytes_peak > 0;
                },
                memory_plot));
    section(page, "More keys", "Lower is better.", size_plots(cells));
    page.add("</body></html>\n");

    return write(path, page.finished());
}

int report_costs_html(const char *path, const std::string &command, const std::vector<cost> &costs)
{
    page page;
    page.add(head("What lfset's operations cost as the set grows"));
    page.add("<p>One thread. An exponent of 0 says that a key costs the same in a set of any size; "
             "what it grows by beyond that is the machine's caches.</p>\n" +
             circumstances(command));
    std::string table = "<div class=\"scroll\"><table><tr><th></th>";
    for (uint64_t keys : costs.front().keys)
        table += "<th>" + size_name(keys) + " keys</th>";
    table += "<th>exponent</th><th></th></tr>\n";
    std::vector<plot> plots;
    for (const cost &cost : costs) {
        table += "<tr><td>" + escaped(cost.name) + "</td>";
        for (double nanoseconds : cost.nanoseconds)
            table += "<td>" + number("%.2f", nanoseconds) + "</td>";
        table +=
            "<td>" + number("%.2f", cost.exponent) + "</td><td>ns " + cost.unit + "</td></tr>\n";
        plots.push_back({plot::LINES,
                         cost.name,
                         "keys",
                         "ns " + cost.unit,
                         true,
                         true,
                         "",
                         {{"exponent " + number("%.2f", cost.exponent),
                           true,
                           std::vector<double>(cost.keys.begin(), cost.keys.end()),
                           cost.nanoseconds,
                           {},
                           {}}}});
    }
    page.add(table + "</table></div>\n");
    page.add(plots);
    page.add("</body></html>\n");
    return write(path, page.finished());
}

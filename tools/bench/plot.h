// SPDX-License-Identifier: MIT
// Pictures for the benchmark's report, drawn by gnuplot.
#ifndef LFSET_BENCH_PLOT_H
#define LFSET_BENCH_PLOT_H

#include <string>
#include <vector>

struct plot_series {
    std::string name;
    bool ours;
    std::vector<double> x, y;
    std::vector<double> low, high; // bars: the range of y, if there is one
};

struct plot {
    enum style { BARS, LINES } style; // BARS: of each series only the first point, x unused
    std::string title, x_label, y_label;
    bool log_x, log_y;
    std::string x_tics; // gnuplot's, or empty
    std::vector<plot_series> series;
};

// Draws them all as SVG documents without the XML heading, in the order given. Throws
// std::runtime_error when gnuplot cannot be run or is not content.
std::vector<std::string> plots_draw(const std::vector<plot> &plots);

#endif

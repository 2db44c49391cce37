// SPDX-License-Identifier: MIT
#include "plot.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

namespace
{

constexpr int WIDTH = 640, LINES_HEIGHT = 380, BAR_HEIGHT = 19, BARS_MARGIN = 90;

// Ours stand out, the others can be told apart.
constexpr const char *ours_colors[] = {"#1a5fb4", "#26a269", "#613583", "#c64600"};
constexpr const char *others_colors[] = {"#9a9996", "#b5835a", "#865e3c", "#5e5c64",
                                         "#c0a36e", "#77767b", "#a51d2d", "#d0b9a0"};

std::string quoted(const std::string &text)
{
    std::string result = "\"";
    for (char c : text)
        result += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    return result + "\"";
}

// A name is not to be read as markup, in which _ lowers what follows.
std::string settings(const plot &plot, const std::string &file)
{
    int height = plot.style == plot::LINES
                     ? LINES_HEIGHT
                     : BARS_MARGIN + BAR_HEIGHT * static_cast<int>(plot.series.size());
    std::ostringstream out;
    out << "reset\nset encoding utf8\nset terminal svg size " << WIDTH << "," << height
        << " dynamic noenhanced font 'sans-serif,12' background '#ffffff'\n"
        << "set output " << quoted(file) << "\nset title " << quoted(plot.title) << "\nset xlabel "
        << quoted(plot.x_label) << "\nset ylabel " << quoted(plot.y_label)
        << "\nset border 3\nset tics nomirror\nset grid lc rgb '#dddddd'\n";
    if (plot.log_x)
        out << "set logscale x\nset format x '1e%T'\n";
    if (plot.log_y)
        out << "set logscale y\n";
    if (!plot.x_tics.empty())
        out << "set xtics " << plot.x_tics << "\n";
    return out.str();
}

std::string bars(const plot &plot)
{
    std::ostringstream out;
    out << std::setprecision(9);
    out << "unset key\nset yrange [" << plot.series.size() << ":-1]\nset xrange [0:*]\n"
        << "set style fill solid 0.9 noborder\nset ytics scale 0\nunset grid\n"
        << "set grid x lc rgb '#dddddd'\n$bars << END\n";
    for (size_t i = 0; i < plot.series.size(); i++) {
        const plot_series &series = plot.series[i];
        double low = series.low.empty() ? series.y[0] : series.low[0];
        double high = series.high.empty() ? series.y[0] : series.high[0];
        out << quoted(series.name) << " " << i << " " << series.y[0] << " " << low << " " << high
            << " " << (series.ours ? "0x1a5fb4" : "0x9a9996") << "\n";
    }
    out << "END\nplot $bars using ($3/2):2:($3/2):(0.38):6:ytic(1) with boxxyerror lc rgb "
           "variable, "
           "$bars using 3:2:4:5 with xerrorbars pt -1 lc rgb '#333333'\n";
    return out.str();
}

std::string lines(const plot &plot)
{
    std::ostringstream out;
    out << std::setprecision(9) << "set key outside right noenhanced\n";
    for (size_t i = 0; i < plot.series.size(); i++) {
        out << "$line" << i << " << END\n";
        for (size_t k = 0; k < plot.series[i].x.size(); k++)
            out << plot.series[i].x[k] << " " << plot.series[i].y[k] << "\n";
        out << "END\n";
    }
    size_t ours = 0, others = 0;
    out << "plot ";
    for (size_t i = 0; i < plot.series.size(); i++) {
        const plot_series &series = plot.series[i];
        const char *color = series.ours ? ours_colors[ours++ % std::size(ours_colors)]
                                        : others_colors[others++ % std::size(others_colors)];
        out << (i ? ", " : "") << "$line" << i << " with linespoints pt 7 ps 0.4 lw "
            << (series.ours ? 2.5 : 1.3) << " lc rgb '" << color << "' title "
            << quoted(series.name);
    }
    out << "\n";
    return out.str();
}

// What `path` holds from <svg on: the heading has no place in a page.
std::string svg_of(const std::string &path)
{
    std::ifstream file(path);
    std::stringstream text;
    text << file.rdbuf();
    size_t at = text.str().find("<svg");
    if (at == std::string::npos)
        throw std::runtime_error("gnuplot has drawn nothing");
    return text.str().substr(at);
}

class scratch
{
    std::string path = (std::filesystem::temp_directory_path() / "lfset-bench-XXXXXX").string();
    std::vector<std::string> files;

  public:
    scratch()
    {
        if (!mkdtemp(path.data()))
            throw std::runtime_error("cannot make a directory for gnuplot");
    }
    scratch(const scratch &) = delete;
    ~scratch()
    {
        for (const std::string &file : files)
            unlink(file.c_str());
        rmdir(path.c_str());
    }
    std::string file()
    {
        files.push_back(path + "/" + std::to_string(files.size()));
        return files.back();
    }
};

} // namespace

std::vector<std::string> plots_draw(const std::vector<plot> &plots)
{
    scratch scratch;
    std::vector<std::string> files, drawings;
    signal(SIGPIPE, SIG_IGN); // a gnuplot that is not there is told by its exit status
    FILE *gnuplot = popen("gnuplot", "w");
    if (!gnuplot)
        throw std::runtime_error("cannot start gnuplot");
    for (const plot &plot : plots) {
        files.push_back(scratch.file());
        std::string script =
            settings(plot, files.back()) + (plot.style == plot::BARS ? bars(plot) : lines(plot));
        fputs(script.c_str(), gnuplot);
    }
    if (pclose(gnuplot) != 0)
        throw std::runtime_error(
            "gnuplot failed; the plots of --html need it (package gnuplot-nox)");
    for (const std::string &file : files)
        drawings.push_back(svg_of(file));
    return drawings;
}

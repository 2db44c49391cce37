// SPDX-License-Identifier: MIT
// lfset-bench: lfset beside other sets, in turns, on the same keys.
#include <argp.h>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <sstream>
#include <stdexcept>
#include <unistd.h>

#include <lfset/lfset.h>

#include "peer_plugin.h"
#include "report.h"
#include "run.h"

namespace
{

constexpr uint64_t KEYS_MAX = uint64_t(1) << 31;
constexpr unsigned THREADS_MAX = 256;

std::deque<peer> peers; // settings point to them

struct options {
    struct settings settings;
    std::string json;
    std::string html;
    std::string bytes_of;
    std::vector<const peer *> plugins;
    scenario custom = {"custom", nullptr, shape::MIX, 90, 5, 0, 0, 1, 0, RANDOM};
    std::string custom_about; // empty: none is asked for
    bool headline = false;
    bool wake = false;
    bool costs = false;
};

enum {
    OPTION_HEADLINE = 256,
    OPTION_WAKE,
    OPTION_COSTS,
    OPTION_JSON,
    OPTION_HTML,
    OPTION_PEER,
    OPTION_MIX,
    OPTION_SKEW,
    OPTION_HOT,
    OPTION_BURST,
    OPTION_SEED,
    OPTION_LIST,
    OPTION_BYTES_OF
};

const argp_option descriptions[] = {
    {"headline", OPTION_HEADLINE, nullptr, 0,
     "Only what matters most, in about 20 seconds: 10^6 keys, 4 scenarios, 3 rounds", 0},
    {"wake", OPTION_WAKE, nullptr, 0,
     "Instead, how soon a sleeper notices a change or a cancellation, beside a condition variable "
     "and "
     "a poller; 15 seconds",
     0},
    {"costs", OPTION_COSTS, nullptr, 0,
     "Instead, what lfset's operations cost, alone, as the set grows (default: 10^3 to 10^7 keys)",
     0},
    {"scenario", 's', "NAME,...", 0, "Scenarios, by name (--list)", 0},
    {"mix", OPTION_MIX, "C/A/R", 0,
     "A scenario of your own, named custom: so many percent contains, add and remove", 0},
    {"skew", OPTION_SKEW, "S", 0, "Its keys have a Zipf distribution of this exponent, below 1", 0},
    {"hot", OPTION_HOT, "N", 0, "Only so many keys are in use", 0},
    {"burst", OPTION_BURST, "N", 0,
     "All threads pause after N operations each and go on together; pauses are not counted", 0},
    {"keys", 'k', "N,...", 0, "Keys present; twice as many are in use (1000000, or 1e6)", 0},
    {"threads", 't', "N,...", 0, "Threads at a time (default: 2, or the processors if fewer)", 0},
    {"peers", 'p', "NAME,...", 0, "Sets to compare (--list)", 0},
    {"peer", OPTION_PEER, "FILE.so", 0,
     "Also a set of yours, through the interface of lfset/target.h; may be repeated", 0},
    {"rounds", 'r', "N", 0, "Rounds, each with one slice of every peer (default 5)", 0},
    {"seconds", 'S', "S", 0, "Length of a slice (default 0.15)", 0},
    {"json", OPTION_JSON, "FILE", 0, "Write everything that was found to FILE", 0},
    {"html", OPTION_HTML, "FILE", 0, "Write a page with tables and plots (needs gnuplot)", 0},
    {"seed", OPTION_SEED, "N", 0, "Make other keys and operations (default 1)", 0},
    {"list", OPTION_LIST, nullptr, 0, "List scenarios and peers", 0},
    {"bytes-of", OPTION_BYTES_OF, "PEER", OPTION_HIDDEN, nullptr, 0},
    {},
};

const char documentation[] =
    "Compares lfset with other concurrent sets of 64-bit integers.\v"
    "All sets of one size are filled first; then each scenario runs in rounds, in which every set "
    "has a slice of time in turn, on the same keys and operations. The first one has two turns in "
    "each round: what it differs from itself is noise. Afterwards every set is checked to hold "
    "exactly what was added to it. Without options the whole table is measured, which takes "
    "several "
    "minutes.\n\nExit status: 0, or 1 when a set failed or was wrong, or 2 when an option was.";

std::vector<std::string> split(const char *text)
{
    std::vector<std::string> parts(1);
    for (; *text; text++)
        if (*text == ',')
            parts.emplace_back();
        else
            parts.back() += *text;
    return parts;
}

double number(argp_state *state, const char *what, const std::string &text, double min, double max)
{
    char *end;
    double value = strtod(text.c_str(), &end);
    if (text.empty() || *end || !(value >= min && value <= max))
        argp_error(state, "%s: '%s' is not a number from %g to %g", what, text.c_str(), min, max);
    return value;
}

uint64_t whole(argp_state *state, const char *what, const std::string &text, uint64_t min,
               uint64_t max)
{
    double value = number(state, what, text, static_cast<double>(min), static_cast<double>(max));
    if (value != static_cast<double>(static_cast<uint64_t>(value)))
        argp_error(state, "%s: '%s' is not a whole number", what, text.c_str());
    return static_cast<uint64_t>(value);
}

template <class List>
const typename List::value_type *named(argp_state *state, const char *what, const List &list,
                                       const std::string &name)
{
    for (const auto &item : list)
        if (item.name == name)
            return &item;
    argp_error(state, "%s: there is no '%s'; --list tells what there is", what, name.c_str());
    abort(); // argp_error does not return
}

void list_all()
{
    printf("Scenarios (a set with N keys, drawn from 2N):\n");
    for (const scenario &scenario : scenarios)
        printf("  %-24s%s\n", scenario.name, scenario.about);
    for (bool asked : {false, true}) {
        printf(asked ? "Only where they are asked for by name:\n" : "Peers:\n");
        for (const peer &peer : peers)
            if (peer.asked == asked)
                printf("  %-24s%s\n", peer.name, peer.about);
    }
}

void mix(argp_state *state, const char *text, scenario &custom)
{
    double parts[3];
    std::stringstream stream(text);
    std::string part;
    size_t count = 0;
    for (; std::getline(stream, part, '/') && count < 3; count++)
        parts[count] = number(state, "mix", part, 0, 100);
    if (count != 3 || !stream.eof() || std::fabs(parts[0] + parts[1] + parts[2] - 100) > 1e-6)
        argp_error(state, "mix: '%s' is not three percentages C/A/R that make 100", text);
    custom.reads = parts[0];
    custom.adds = parts[1];
    custom.shape = parts[0] == 100 ? shape::READ : shape::MIX;
}

error_t parse(int key, char *argument, argp_state *state)
{
    options &options = *static_cast<struct options *>(state->input);
    struct settings &settings = options.settings;
    switch (key) {
    case OPTION_HEADLINE:
        options.headline = true;
        return 0;
    case OPTION_WAKE:
        options.wake = true;
        return 0;
    case OPTION_COSTS:
        options.costs = true;
        return 0;
    case 's':
        for (const std::string &name : split(argument))
            settings.scenarios.push_back(named(state, "scenario", scenarios, name));
        return 0;
    case 'k':
        for (const std::string &text : split(argument))
            settings.keys.push_back(whole(state, "keys", text, 1, KEYS_MAX));
        return 0;
    case 't':
        for (const std::string &text : split(argument))
            settings.threads.push_back(
                static_cast<unsigned>(whole(state, "threads", text, 1, THREADS_MAX)));
        return 0;
    case 'p':
        for (const std::string &name : split(argument))
            settings.peers.push_back(named(state, "peers", peers, name));
        return 0;
    case OPTION_MIX:
        mix(state, argument, options.custom);
        options.custom_about += std::string(" --mix ") + argument;
        return 0;
    case OPTION_SKEW:
        options.custom.skew = number(state, "skew", argument, 0, 0.999);
        options.custom_about += std::string(" --skew ") + argument;
        return 0;
    case OPTION_HOT:
        options.custom.hot = static_cast<unsigned>(whole(state, "hot", argument, 1, UINT32_MAX));
        options.custom_about += std::string(" --hot ") + argument;
        return 0;
    case OPTION_BURST:
        options.custom.burst = whole(state, "burst", argument, CHUNK, 1u << 30);
        options.custom_about += std::string(" --burst ") + argument;
        return 0;
    case OPTION_PEER:
        try {
            peers.push_back(peer_plugin(argument));
            options.plugins.push_back(&peers.back());
        } catch (const std::exception &error) {
            argp_error(state, "peer: %s", error.what());
        }
        return 0;
    case 'r':
        settings.rounds = static_cast<unsigned>(whole(state, "rounds", argument, 1, 1000));
        return 0;
    case 'S':
        settings.seconds = number(state, "seconds", argument, 0.001, 3600);
        return 0;
    case OPTION_JSON:
        options.json = argument;
        return 0;
    case OPTION_HTML:
        options.html = argument;
        return 0;
    case OPTION_SEED:
        settings.seed = whole(state, "seed", argument, 0, uint64_t(1) << 53);
        return 0;
    case OPTION_LIST:
        list_all();
        exit(0);
    case OPTION_BYTES_OF:
        options.bytes_of = argument;
        return 0;
    case ARGP_KEY_END:
        if (options.wake && !options.html.empty())
            argp_error(state, "--wake has a table and --json, but no --html");
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", argument);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

template <class List>
std::vector<const typename List::value_type *> pick(const List &list,
                                                    std::vector<std::string> names)
{
    std::vector<const typename List::value_type *> picked;
    for (const auto &item : list)
        if (std::find(names.begin(), names.end(), item.name) != names.end())
            picked.push_back(&item);
    return picked;
}

void fill_in(options &options)
{
    struct settings &settings = options.settings;
    if (!options.custom_about.empty()) {
        options.custom.about = options.custom_about.c_str() + 1;
        settings.scenarios.push_back(&options.custom);
    }
    if (options.headline) {
        settings.rounds = std::min(settings.rounds, 3u);
        if (settings.keys.empty())
            settings.keys = {1000000};
        if (settings.scenarios.empty())
            settings.scenarios = pick(scenarios, {"read", "mostly-read", "mixed", "churn"});
        if (settings.peers.empty())
            settings.peers = pick(peers, {"lfset-hp", "lfset-rcu-section", "cds_lfht-qsbr",
                                          "absl-mutex", "absl-256"});
    }
    if (settings.keys.empty() && options.costs)
        settings.keys = {1000, 10000, 100000, 1000000, 10000000};
    if (settings.keys.empty())
        settings.keys = {10000, 1000000, 10000000};
    if (settings.scenarios.empty())
        for (const scenario &scenario : scenarios)
            settings.scenarios.push_back(&scenario);
    if (settings.peers.empty())
        for (const peer &peer : peers)
            if (!peer.asked)
                settings.peers.push_back(&peer);
    for (const peer *plugin : options.plugins)
        if (std::find(settings.peers.begin(), settings.peers.end(), plugin) == settings.peers.end())
            settings.peers.push_back(plugin);
    if (settings.threads.empty())
        settings.threads = {
            static_cast<unsigned>(std::max(1l, std::min(2l, sysconf(_SC_NPROCESSORS_ONLN))))};
}

int measure_costs(const options &options, const std::string &command)
{
    const struct settings &settings = options.settings;
    std::vector<cost> costs = costs_run(settings.keys, settings.rounds, settings.seed);
    report_costs_table(costs);
    printf("\nmeasured by: %s\n", command.c_str());
    bool failed =
        !options.json.empty() && report_costs_json(options.json.c_str(), command, costs) != 0;
    return failed ||
           (!options.html.empty() && report_costs_html(options.html.c_str(), command, costs) != 0);
}

std::string joined(int argc, char **argv)
{
    std::string line;
    for (int i = 0; i < argc; i++)
        line += std::string(i ? " " : "") + argv[i];
    return line;
}

} // namespace

int main(int argc, char **argv)
{
    setvbuf(stdout, nullptr, _IOLBF, 0); // what there is must be seen when a long run is broken off
    for (const std::vector<peer> *some : {&peers_lfset, &peers_urcu, &peers_absl, &peers_ck,
                                          &peers_tbb, &peers_cds, &peers_xenium, &peers_go})
        peers.insert(peers.end(), some->begin(), some->end());

    static const std::string version = std::string("lfset-bench ") + lfset_version();
    argp_program_version = version.c_str();
    argp_err_exit_status = 2;

    options options;
    const argp parser = {descriptions, parse, nullptr, documentation, nullptr, nullptr, nullptr};
    argp_parse(&parser, argc, argv, 0, nullptr, &options);
    fill_in(options);

    try {
        for (const peer &peer : peers)
            if (peer.name == options.bytes_of)
                return print_bytes(peer, options.settings.keys.front(), options.settings.seed);

        std::string command = joined(argc, argv);
        if (options.wake) {
            std::vector<wake_result> results = wake_run(options.settings.rounds);
            report_wake_table(results);
            printf("\nmeasured by: %s\n", command.c_str());
            return !options.json.empty() &&
                   report_wake_json(options.json.c_str(), command, results) != 0;
        }
        if (options.costs)
            return measure_costs(options, command);
        std::vector<cell> cells = run_all(options.settings);
        report_table(cells);
        printf("\nmeasured by: %s\n", command.c_str());
        if (!options.json.empty() &&
            report_json(options.json.c_str(), command, options.settings, cells) != 0)
            return 1;
        if (!options.html.empty() &&
            report_html(options.html.c_str(), command, options.settings, cells) != 0)
            return 1;
    } catch (const std::exception &error) {
        fprintf(stderr, "lfset-bench: %s\n", error.what());
        return 1;
    }
    return 0;
}

// SPDX-License-Identifier: MIT
// lfset profile: which call stacks added the keys that stay.
#define _GNU_SOURCE
#include "show.h"
#include "target.h"
#include "verbs.h"

#include <argp.h>
#include <errno.h>
#include <lfset/profile.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OPTION_SET = 256,
    OPTION_DIFF,
    OPTION_SINCE,
    OPTION_SIGNED,
    OPTION_ROUNDS,
    OPTION_FAIL,
    OPTION_TOP
};
enum { ROUNDS_MOST = 1000, TOP = 20 };

static const struct argp_option option_list[] = {
    {"set", OPTION_SET, "NAME", 0, "Only sets of this name", 0},
    {"format", 'f', "FORMAT", 0,
     "text (default), pprof, folded (for flamegraph.pl), heap (gperftools' text) or json", 0},
    {"output", 'o', "FILE", 0, "Write there", 0},
    {"diff", OPTION_DIFF, "FILE", 0, "What has grown since FILE, an earlier copy of the registry",
     0},
    {"since", OPTION_SINCE, "SECONDS", 0, "What grows from now on, for so long", 0},
    {"signed", OPTION_SIGNED, NULL, 0, "With --diff or --since: also what became less", 0},
    {"rounds", OPTION_ROUNDS, "N", 0,
     "Look N times more after two looks, and tell what grew in every round", 0},
    {"interval", 'i', "SECONDS", 0, "Between the looks of --rounds (default 10)", 0},
    {"fail", OPTION_FAIL, NULL, 0, "With --rounds: exit with 1 when something grew in every one",
     0},
    {"top", OPTION_TOP, "N", 0, "So many stacks as text (default 20; 0: all)", 0},
    {0},
};

static const char *const format_names[] = {
    [LFSET_PROFILE_TEXT] = "text",     [LFSET_PROFILE_PPROF] = "pprof",
    [LFSET_PROFILE_FOLDED] = "folded", [LFSET_PROFILE_HEAP] = "heap",
    [LFSET_PROFILE_JSON] = "json",
};
enum { FORMATS = sizeof format_names / sizeof *format_names };

struct arguments {
    const char *what, *set, *output, *before;
    enum lfset_profile_format format;
    double since, interval;
    unsigned rounds;
    size_t top;
    bool with_sign, fail, has_interval;
};

static enum lfset_profile_format format_parse(struct argp_state *state, const char *argument)
{
    for (unsigned i = 0; i < FORMATS; i++)
        if (strcmp(argument, format_names[i]) == 0)
            return (enum lfset_profile_format)i;
    argp_error(state, "--format: '%s' is not one of text, pprof, folded, heap, json", argument);
    return LFSET_PROFILE_TEXT;
}

static void arguments_check(const struct arguments *arguments, struct argp_state *state)
{
    int ways = (arguments->before != NULL) + (arguments->since > 0) + (arguments->rounds > 0);
    if (ways > 1)
        argp_error(state, "only one of --diff, --since and --rounds at a time");
    if (arguments->with_sign && !arguments->before && arguments->since <= 0)
        argp_error(state, "--signed is for --diff and --since");
    if (arguments->fail && arguments->rounds == 0)
        argp_error(state, "--fail is for --rounds");
    if (arguments->has_interval && arguments->rounds == 0)
        argp_error(state, "--interval is for --rounds");
    if (arguments->format == LFSET_PROFILE_PPROF && !arguments->output && isatty(STDOUT_FILENO))
        argp_error(state, "--format pprof is nothing for a terminal: name a file with -o");
}

static error_t option_parse(int key, char *argument, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case OPTION_SET:
        arguments->set = argument;
        return 0;
    case 'f':
        arguments->format = format_parse(state, argument);
        return 0;
    case 'o':
        arguments->output = argument;
        return 0;
    case OPTION_DIFF:
        arguments->before = argument;
        return 0;
    case OPTION_SINCE:
        arguments->since = option_number(state, "--since", argument, 0.001, 1e6);
        return 0;
    case OPTION_SIGNED:
        arguments->with_sign = true;
        return 0;
    case OPTION_ROUNDS:
        arguments->rounds = (unsigned)option_number(state, "--rounds", argument, 2, ROUNDS_MOST);
        return 0;
    case 'i':
        arguments->interval = option_number(state, "--interval", argument, 0.001, 1e6);
        arguments->has_interval = true;
        return 0;
    case OPTION_FAIL:
        arguments->fail = true;
        return 0;
    case OPTION_TOP:
        arguments->top = (size_t)option_number(state, "--top", argument, 0, 1e6);
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->what)
            argp_error(state, "one process or file at a time");
        arguments->what = argument;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "a process id or a file is needed; `lfset ps` lists processes");
        return 0;
    case ARGP_KEY_END:
        arguments_check(arguments, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp option_parser = {
    .options = option_list,
    .parser = option_parse,
    .args_doc = "PID|FILE",
    .doc = "Tells which call stacks added the keys that are still in a process's sets: of the "
           "sets that were created with lfset_observe.profile_rate, which notes the stack of "
           "one add in so many.\v"
           "FILE is a registry that was saved (`lfset save`). A process is only read, and may "
           "be stopped. Names of functions come from the files that it had loaded, which need "
           "debug information for lines.\n\n"
           "Much in a set is no leak: what only grows is. --rounds looks again and again, and "
           "marks a stack whose settled keys were more in every look than in the one before. "
           "Settled are keys that were there at the look before as well, so those that come "
           "and go within a round do not count: let the interval be longer than keys usually "
           "stay, and all rounds together longer than what fills and empties in turns.\n\n"
           "Exit status: 0; 1 when --fail was given and something grew in every round; 2 for a"
           " wrong option, a set that is not there or has no profile, or a file that is no "
           "registry or of another version; 3 when there is no such process, it has no "
           "registry, it is another user's, or the output cannot be written.",
};

// ---------------------------------------------------------------- looking

// All looks of a run, oldest first.
struct looks {
    struct lfset_observation *observations[ROUNDS_MOST + 2];
    size_t count;
};

static void looks_free(struct looks *looks)
{
    for (size_t i = 0; i < looks->count; i++)
        lfset_observation_free(looks->observations[i]);
}

static bool looks_add(struct looks *looks, struct lfset_observation *observation)
{
    if (observation)
        looks->observations[looks->count++] = observation;
    return observation != NULL;
}

// One from a file, the moment to compare with.
static int look_before(struct looks *looks, const char *tool, const char *path)
{
    struct target before;
    int status = target_open(&before, tool, path);
    if (status)
        return status;
    bool looked = looks_add(looks, target_look(&before));
    target_close(&before);
    return looked ? TOOL_OK : TOOL_CANNOT;
}

static void progress(double seconds)
{
    if (isatty(STDERR_FILENO) && seconds >= 1)
        fprintf(stderr, "\r\033[Klooking for %s more", show_seconds(seconds).text);
}

// So many more looks.
static int look_again(struct looks *looks, const struct target *target, unsigned more,
                      double interval)
{
    for (; more > 0; more--) {
        struct lfset_observation *last = looks->observations[looks->count - 1];
        progress(more * interval);
        if (!looks_add(looks, target_look_again(target, last, interval)))
            return TOOL_CANNOT;
        if (!looks->observations[looks->count - 1]->alive) {
            fprintf(stderr, "%s: process %s ended after %zu looks\n", target->tool, target->what,
                    looks->count - 1);
            break;
        }
    }
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    return TOOL_OK;
}

// Whether the profile asked for can be made at all.
static int check_sets(const struct target *target, const struct lfset_observation *observation,
                      const char *name)
{
    size_t known = 0, profiled = 0;
    for (size_t i = 0; i < observation->set_count; i++) {
        if (name && strcmp(observation->sets[i].name, name) != 0)
            continue;
        known++;
        profiled += observation->sets[i].profiled ? 1 : 0;
    }
    if (profiled > 0)
        return TOOL_OK;
    if (name && known == 0)
        fprintf(stderr, "%s: %s has no set of the name %s\n", target->tool, target->what, name);
    else
        fprintf(
            stderr,
            "%s: %s: %s no profile: create sets with lfset_options.observe and a profile_rate\n",
            target->tool, target->what, name ? "sets of this name keep" : "its sets keep");
    return TOOL_USAGE;
}

static int look(struct looks *looks, const struct target *target, const struct arguments *arguments)
{
    if (!target->pid && (arguments->since > 0 || arguments->rounds > 0)) {
        fprintf(stderr,
                "%s: %s is a file, in which nothing changes: --since and --rounds need a process\n",
                target->tool, target->what);
        return TOOL_USAGE;
    }
    int status = arguments->before ? look_before(looks, target->tool, arguments->before) : TOOL_OK;
    if (status)
        return status;
    if (!looks_add(looks, target_look(target)))
        return TOOL_CANNOT;
    status = check_sets(target, looks->observations[looks->count - 1], arguments->set);
    if (status)
        return status;
    if (arguments->since > 0)
        return look_again(looks, target, 1, arguments->since);
    // The first round tells what is settled, the others what becomes of it.
    unsigned more = arguments->rounds > 0 ? arguments->rounds + 1 : 0;
    return look_again(looks, target, more, arguments->interval);
}

// ---------------------------------------------------------------- writing

static struct lfset_profile *profile_make(const struct looks *looks,
                                          const struct arguments *arguments)
{
    struct lfset_profile_options options = LFSET_PROFILE_INIT;
    struct lfset_profile *profile;
    options.set = arguments->set;
    options.top = arguments->format == LFSET_PROFILE_TEXT ? arguments->top : 0;
    if (arguments->before || arguments->since > 0)
        options.values = arguments->with_sign ? LFSET_PROFILE_CHANGE : LFSET_PROFILE_GROWTH;
    const struct lfset_observation *const *observations =
        (const struct lfset_observation *const *)looks->observations;
    int error = lfset_profile_make(&profile, observations, looks->count, &options);
    return error ? NULL : profile;
}

static int profile_write(const struct looks *looks, const struct arguments *arguments,
                         const char *tool, FILE *out)
{
    struct lfset_profile *profile = profile_make(looks, arguments);
    int error = profile ? lfset_profile_write(profile, arguments->format, out) : -ENOMEM;
    if (error == -ENOMEM) {
        fprintf(stderr, "%s: there is not enough memory\n", tool);
        lfset_profile_free(profile);
        return TOOL_CANNOT;
    }
    bool leaks = profile->leaks > 0;
    lfset_profile_free(profile);
    int status = target_output_end(tool, out, error != 0);
    return status ? status : leaks && arguments->fail ? TOOL_FINDING : TOOL_OK;
}

// Opened before the looks, which may take long; what was in the file stays until there is something to write.
static FILE *output_open(const char *tool, const char *path)
{
    FILE *out = path ? fopen(path, "a") : stdout;
    if (!out)
        fprintf(stderr, "%s: %s: %s\n", tool, path, strerror(errno));
    return out;
}

static int profile_run(const struct target *target, const struct arguments *arguments)
{
    struct looks *looks = calloc(1, sizeof *looks);
    FILE *out = looks ? output_open(target->tool, arguments->output) : NULL;
    if (!out) {
        free(looks);
        return TOOL_CANNOT;
    }
    int status = look(looks, target, arguments);
    if (status == TOOL_OK) {
        if (out != stdout)
            (void)!ftruncate(fileno(out), 0); // not of a pipe
        status = profile_write(looks, arguments, target->tool, out);
    }
    if (out != stdout && fclose(out) != 0 && status == TOOL_OK)
        status = target_output_end(target->tool, stdout, true);
    looks_free(looks);
    free(looks);
    return status;
}

int tool_profile(int argc, char **argv)
{
    struct arguments arguments = {.interval = 10, .top = TOP};
    error_t error = argp_parse(&option_parser, argc, argv, 0, NULL, &arguments);
    if (error) {
        fprintf(stderr, "%s: %s\n", argv[0], strerror(error));
        return TOOL_USAGE;
    }
    struct target target;
    int status = target_open(&target, argv[0], arguments.what);
    if (status == TOOL_OK)
        status = profile_run(&target, &arguments);
    target_close(&target);
    return status;
}

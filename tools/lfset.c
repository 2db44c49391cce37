// SPDX-License-Identifier: MIT
// lfset: one command, whose first argument says what to do. Some verbs are built in; any other one,
// say `stress`, is a program lfset-stress beside this one or in the libexec directory.
#define _GNU_SOURCE
#include "tools.h"

#include <argp.h>
#include <errno.h>
#include <lfset/lfset.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef LFSET_LIBEXECDIR
#define LFSET_LIBEXECDIR "/usr/local/libexec/lfset"
#endif

enum { EXIT_USAGE = 2 };

static int tool_help(int argc, char **argv);
static int tool_observe(int argc, char **argv);
static int tool_version(int argc, char **argv);

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv); // NULL: a program of its own
    const char *about;
} verbs[] = {
    {"bench", NULL, "compare lfset's speed with other sets"},
    {"check", tool_check, "tell whether recorded histories are linearizable"},
    {"exporter", tool_observe, "serve the metrics of a process's sets over HTTP"},
    {"explore", NULL, "run the sets' own code under many schedules of a few threads"},
    {"faults", NULL, "stop threads, fail allocations, fork and unload: what happens to the sets"},
    {"gate", tool_observe, "fail when sets grew beyond a stored baseline"},
    {"help", tool_help, "show this list, or a verb's options"},
    {"inspect", tool_observe, "show all that is known of a process's sets"},
    {"lint", NULL, "find sets in C sources that will be hard to keep in check"},
    {"profile", tool_observe, "tell whose keys stay in a process's sets"},
    {"ps", tool_observe, "list the processes that have sets to see"},
    {"report", tool_observe, "draw a process's sets as a page"},
    {"save", tool_observe, "keep what a process publishes about its sets in a file"},
    {"soak", NULL, "run everything for hours, and draw what it costs in memory"},
    {"stress", NULL, "run a set under stress and check that it stays linearizable"},
    {"top", tool_observe, "watch the sets of processes"},
    {"uniq", tool_uniq, "print the distinct lines of files"},
    {"version", tool_version, "print the version"},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static int tool_version(int argc, char **argv)
{
    if (argc > 1) {
        fprintf(stderr, "%s: takes no arguments\n", argv[0]);
        return EXIT_USAGE;
    }
    puts(argp_program_version);
    return 0;
}

static const struct verb *verb_find(const char *name)
{
    for (int i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

// Becomes the program lfset-NAME in `directory`; returns only when it cannot.
static int program_try(const char *directory, int directory_length, const char *name, char **argv)
{
    char *path;
    if (asprintf(&path, "%.*s/lfset-%s", directory_length, directory, name) < 0)
        return ENOMEM;
    char *called = argv[0];
    argv[0] = path;
    execv(path, argv);
    int error = errno;
    argv[0] = called;
    free(path);
    return error;
}

static int program_run(const char *name, char **argv)
{
    int error = ENOENT;
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (!strchr(name, '/')) { // a verb is no path
        if (length > 0) {
            self[length] = 0;
            char *slash = strrchr(self, '/');
            error = program_try(self, (int)(slash - self), name, argv);
        }
        if (error == ENOENT)
            error = program_try(LFSET_LIBEXECDIR, (int)strlen(LFSET_LIBEXECDIR), name, argv);
    }
    if (error != ENOENT)
        fprintf(stderr, "lfset: cannot run lfset-%s: %s\n", name, strerror(error));
    else if (verb_find(name) || strcmp(name, "observe") == 0)
        fprintf(stderr, "lfset: the program lfset-%s is not installed beside lfset or in %s\n",
                name, LFSET_LIBEXECDIR);
    else
        fprintf(stderr, "lfset: there is no verb '%s'; `lfset help` lists them\n", name);
    return EXIT_USAGE;
}

// Verbs that only look at processes are one program, whose first argument is the verb.
static int tool_observe(int argc, char **argv)
{
    char program[] = "observe";
    char **arguments = calloc((size_t)argc + 2, sizeof *arguments);
    if (!arguments) {
        perror(argv[0]);
        return 1;
    }
    arguments[0] = program;
    arguments[1] = argv[0] + strlen("lfset ");
    memcpy(arguments + 2, argv + 1, (size_t)argc * sizeof *arguments); // with the NULL at the end
    int status = program_run(program, arguments);
    free(arguments);
    return status;
}

// argv[0] is the verb.
static int verb_run(int argc, char **argv)
{
    const struct verb *verb = verb_find(argv[0]);
    if (!verb || !verb->run)
        return program_run(argv[0], argv);
    char *name;
    if (asprintf(&name, "lfset %s", verb->name) < 0) {
        perror("lfset");
        return 1;
    }
    argv[0] = name;
    int status = verb->run(argc, argv);
    free(name);
    return status;
}

static char *help_filter(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)text;
    char *list = NULL;
    size_t size;
    FILE *out = open_memstream(&list, &size);
    if (!out)
        return NULL;
    fputs("Verbs:\n", out);
    for (int i = 0; i < VERBS; i++)
        fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].about);
    fputs("\n`lfset VERB --help` tells more about one.", out);
    fclose(out);
    return list;
}

static void help_print(FILE *out);

struct command {
    int argc;
    char **argv;
};

static error_t command_parse(int key, char *argument, struct argp_state *state)
{
    struct command *command = state->input;
    (void)argument;
    switch (key) {
    case ARGP_KEY_ARG: // the verb; what follows is its business
        command->argc = state->argc - state->next + 1;
        command->argv = state->argv + state->next - 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        help_print(stderr);
        exit(EXIT_USAGE);
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp command_parser = {
    .parser = command_parse,
    .args_doc = "VERB [ARGUMENT...]",
    .doc = "Lock-free concurrent sets: their tools.",
    .help_filter = help_filter,
};

static void help_print(FILE *out)
{
    char name[] = "lfset";
    argp_help(&command_parser, out, ARGP_HELP_USAGE | ARGP_HELP_PRE_DOC | ARGP_HELP_POST_DOC, name);
}

static int tool_help(int argc, char **argv)
{
    if (argc > 2) {
        fprintf(stderr, "%s: one verb at a time\n", argv[0]);
        return EXIT_USAGE;
    }
    if (argc < 2 || verb_find(argv[1]) == verb_find("help")) {
        help_print(stdout);
        return 0;
    }
    char option[] = "--help";
    char *arguments[] = {argv[1], option, NULL};
    return verb_run(2, arguments);
}

int main(int argc, char **argv)
{
    static char version[64];
    snprintf(version, sizeof version, "lfset %s", lfset_version());
    argp_program_version = version;
    argp_err_exit_status = EXIT_USAGE;

    struct command command = {0};
    error_t error = argp_parse(&command_parser, argc, argv, ARGP_IN_ORDER, NULL, &command);
    if (error)
        return EXIT_USAGE;
    return verb_run(command.argc, command.argv);
}

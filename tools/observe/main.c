// SPDX-License-Identifier: MIT
// lfset-observe: the verbs that look at the sets of processes. `lfset` runs it with the verb as its first
// argument.
#define _GNU_SOURCE
#include "target.h"
#include "verbs.h"

#include <argp.h>
#include <lfset/lfset.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
} verbs[] = {
    {"exporter", tool_exporter}, {"gate", tool_gate}, {"inspect", tool_inspect},
    {"profile", tool_profile},   {"ps", tool_ps},     {"report", tool_report},
    {"save", tool_save},         {"top", tool_top},
};
enum { VERBS = sizeof verbs / sizeof *verbs };

static int usage(const char *reason, const char *what)
{
    fprintf(stderr, "lfset-observe: %s%s; run by `lfset VERB`, where VERB is one of", reason, what);
    for (int i = 0; i < VERBS; i++) {
        fprintf(stderr, " %s", verbs[i].name);
    }
    fputc('\n', stderr);
    return TOOL_USAGE;
}

int main(int argc, char **argv)
{
    static char version[64], name[64];
    snprintf(version, sizeof version, "lfset %s", lfset_version());
    argp_program_version = version;
    argp_err_exit_status = TOOL_USAGE;

    if (argc < 2) {
        return usage("which verb?", "");
    }
    for (int i = 0; i < VERBS; i++) {
        if (strcmp(argv[1], verbs[i].name) == 0) {
            snprintf(name, sizeof name, "lfset %s", verbs[i].name);
            argv[1] = name;
            return verbs[i].run(argc - 1, argv + 1);
        }
    }
    return usage("no verb ", argv[1]);
}

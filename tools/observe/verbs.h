// SPDX-License-Identifier: MIT
// The verbs of lfset-observe. Each is a main of its own, in a file of its name: argv[0] is what to call
// itself in messages ("lfset ps"); it returns the exit status (target.h).
#ifndef LFSET_TOOLS_VERBS_H
#define LFSET_TOOLS_VERBS_H

int tool_exporter(int argc, char **argv);
int tool_gate(int argc, char **argv);
int tool_inspect(int argc, char **argv);
int tool_profile(int argc, char **argv);
int tool_ps(int argc, char **argv);
int tool_report(int argc, char **argv);
int tool_save(int argc, char **argv);
int tool_top(int argc, char **argv);

#endif

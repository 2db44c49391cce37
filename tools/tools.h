// SPDX-License-Identifier: MIT
// The verbs of the command that are built into it. Each is a main of its own: argv[0] is what to
// call itself in messages; it returns the exit status (0 ok, 1 failure, 2 usage or malformed
// input).
#ifndef LFSET_TOOLS_H
#define LFSET_TOOLS_H

int tool_check(int argc, char **argv);
int tool_uniq(int argc, char **argv);

#endif

// SPDX-License-Identifier: MIT
/**
 * @file command.h
 * What the command lines of the stress programs have in common. What is wrong ends the program with
 * argp_err_exit_status and a message that names it.
 */
#ifndef STRESS_COMMAND_H
#define STRESS_COMMAND_H

#include <argp.h>
#include <stdint.h>

/** A whole number, decimal or 0x-hexadecimal. @param name of the option, without dashes. */
uint64_t command_number(struct argp_state *state, const char *name, const char *text, uint64_t min,
                        uint64_t max);

/** A number. */
double command_real(struct argp_state *state, const char *name, const char *text, double min,
                    double max);

/** @return LFSET_RCU, LFSET_HP; -1: both. */
int command_domain(struct argp_state *state, const char *text);

/** A file that cannot be written is found out now, not after an hour. NULL is allowed. */
void command_writable(const char *path);

/** A seed that is short to type. */
uint64_t command_random_seed(void);

/**
 * The command that repeats this run: the one that was given, and the seed unless that is in it.
 * argv[0] may be two words ("lfset stress"). To be freed; NULL: no memory.
 */
char *command_text(int argc, char **argv, const uint64_t *seed);

#endif

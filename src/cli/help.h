/* SPDX-License-Identifier: Apache-2.0 */
/* Help in the form of Docker's client: usage line, summary, aliases, options in columns. */
#ifndef KOGGE_CLI_HELP_H
#define KOGGE_CLI_HELP_H

#include "cli/cli.h"
#include "cli/parse.h"

/* The help of the command that the user reached by PATH ("kogge image ls"). */
void cli_help(const struct cli_context *c, const struct cli_command *cmd, const char *path,
	      FILE *to);

/* The first line alone, "Usage:  kogge run [OPTIONS] IMAGE [COMMAND] [ARG...]", with a newline. */
void cli_usage_line(const struct cli_command *cmd, const char *path, FILE *to);

/* The table of options, wrapped to COLUMNS. */
void cli_help_options(const struct cli_option *options, int columns, FILE *to);

/* The word for an option's value in the help: "bytes"; "" for a bool. */
const char *cli_option_word(const struct cli_option *o);

/* The options of every command of the program, for `kogge --help`. */
extern const struct cli_option cli_global_options[];

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The parser of options, with the semantics of github.com/spf13/pflag. */
#ifndef KOGGE_CLI_PARSE_H
#define KOGGE_CLI_PARSE_H

#include "cli/cli.h"

/* Where parsing stands: positional arguments gathered so far, options given. */
struct parse {
	struct arena *arena;
	const struct cli_option *options;
	void *opts;     /* the verb's struct */
	uint8_t *given; /* one byte per row */
	bool stop_at_arg;
	bool help; /* --help was given: nothing else matters */
	const char **argv;
	size_t argc;
};

/* The number of rows of a table. */
size_t cli_options_count(const struct cli_option *options);

/* Parses ARGV up to its NULL (after the first positional argument no option, where stop_at_arg is
 * set; then what follows is positional as it is). -1 with E set in pflag's words. */
int cli_parse(struct parse *p, char *const *argv, struct err *e);

/* What messages call an option: "-m, --memory" or "--init". */
const char *cli_option_title(const struct cli_option *o, char out[80]);

#endif

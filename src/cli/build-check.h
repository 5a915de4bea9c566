/* SPDX-License-Identifier: Apache-2.0 */
/* `build --check`: says what is wrong with a Dockerfile or rarely meant in it, and builds nothing.
 */
#ifndef KOGGE_CLI_BUILD_CHECK_H
#define KOGGE_CLI_BUILD_CHECK_H

#include "cli/cli.h"

struct build_check_opts {
	const char *context;         /* a directory, or "-": the Dockerfile comes on stdin */
	const char *file;            /* --file, or NULL */
	const char *target;          /* or NULL */
	const char *platform;        /* or NULL: the machine's */
	const struct cli_list *args; /* --build-arg */
};

/* Prints the warnings. Returns the exit code: 0 where there are none. */
int build_check(struct cli_context *c, const struct build_check_opts *o, struct err *e);

#endif

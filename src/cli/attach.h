/* SPDX-License-Identifier: Apache-2.0 */
/* Attaching, as `attach` and `start -a` do it. */
#ifndef KOGGE_CLI_ATTACH_H
#define KOGGE_CLI_ATTACH_H

#include "cli/cli.h"

struct attach_opts;

/* Attaches to the running container REF and returns the exit code of the command; tells of what
 * the user has to know. The engine is open. */
int attach_to(struct cli_context *c, const char *ref, const struct attach_opts *attach,
	      struct err *e);

#endif

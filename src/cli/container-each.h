/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs share that do one thing to each container that is named. */
#ifndef KOGGE_CLI_CONTAINER_EACH_H
#define KOGGE_CLI_CONTAINER_EACH_H

#include "cli/cli.h"

/* Does its work on REF; prints what is to be printed. -1 with E set. */
typedef int (*container_each_fn)(struct cli_context *c, struct engine *en, const char *ref,
				 const void *opts, struct err *e);

/* Calls FN for each argument of A; what fails is said, and the others are done. The exit code. */
int container_each(struct cli_context *c, const struct cli_args *a, container_each_fn fn,
		   struct err *e);

#endif

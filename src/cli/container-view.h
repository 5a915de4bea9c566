/* SPDX-License-Identifier: Apache-2.0 */
/* Containers as the rows that `ps` and `system df -v` print. */
#ifndef KOGGE_CLI_CONTAINER_VIEW_H
#define KOGGE_CLI_CONTAINER_VIEW_H

#include "cli/cli.h"
#include "engine/engine.h"

#include <jansson.h>

/* One element of container_list as a row with the columns of Docker's formatter. NULL with E
 * set. */
json_t *container_row(struct cli_context *c, const json_t *container, bool no_trunc, struct err *e);

/* A line of the plain table of `ps`, its columns between tabs, or with QUIET the ID, in the
 * context's arena; NULL when out of memory. */
const char *container_line(struct cli_context *c, const struct container_brief *b, bool no_trunc,
			   bool quiet);

#endif

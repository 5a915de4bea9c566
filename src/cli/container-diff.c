/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verbs.h"

#include "engine/container-tree.h"

/* A line for each change, in the order of names. */
static int print(void *arg, enum snapshot_change_kind kind, const char *path)
{
	static const char letters[] = {
		[SNAPSHOT_MODIFIED] = 'C', [SNAPSHOT_ADDED] = 'A', [SNAPSHOT_DELETED] = 'D'};
	struct cli_context *c = arg;

	fprintf(c->out, "%c %s\n", letters[kind], path);
	return ferror(c->out);
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	struct engine *en = cli_engine(c, e);

	return !en || container_diff(en, a->argv[0], print, c, e) < 0;
}

#define DIFF                                                                                       \
	.name = "diff", .usage = "CONTAINER",                                                      \
	.summary = "Show what a container changed in its files", .aliases = "container diff,diff", \
	.min_args = 1, .max_args = 1, .run = run

const struct cli_command cli_container_diff = {DIFF};
const struct cli_command cli_diff = {DIFF};

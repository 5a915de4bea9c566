/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/json.h"
#include "engine/container-stats.h"

/* A line of the table: the strings of ROW between tabs. */
static int add_line(struct table *t, const json_t *row, struct err *e)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT((size_t)1 << 22);
	json_t *cell;
	size_t i;

	json_array_foreach (row, i, cell)
		if (buf_printf(&line, "%s%s", i ? "\t" : "", json_string_value(cell)) < 0)
			return err_set(e, ERR_LIMIT, 0, "a line of ps is too long");
	return table_line(t, buf_str(&line)) < 0 ? err_set(e, ERR_LIMIT, 0, "out of memory") : 0;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	_cleanup_(table_done) struct table t = TABLE_INIT;
	_cleanup_(json_unref) json_t *top = NULL;
	struct engine *en = cli_engine(c, e);
	json_t *row;
	size_t i;

	top = en ? container_top(en, a->argv[0], a->argv + 1, e) : NULL;
	if (!top || add_line(&t, json_object_get(top, "Titles"), e) < 0)
		return 1;
	json_array_foreach (json_object_get(top, "Processes"), i, row)
		if (add_line(&t, row, e) < 0)
			return 1;
	table_print_wide(&t, 20, c->out);
	return 0;
}

#define TOP                                                                                        \
	.name = "top", .usage = "CONTAINER [ps OPTIONS]",                                          \
	.summary = "Show the processes of a container", .aliases = "container top,top",            \
	.flags = CLI_STOP_AT_ARG, .min_args = 1, .max_args = -1, .run = run

const struct cli_command cli_top = {TOP};
const struct cli_command cli_container_top = {TOP};

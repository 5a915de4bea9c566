/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/output-file.h"
#include "cli/verbs.h"

#include "engine/container-tree.h"
#include "engine/engine.h"

#include <unistd.h>

struct opts {
	const char *output;
};

static const struct cli_option options[] = {
	{"output", 'o', CLI_STRING, offsetof(struct opts, output),
	 "Write to this file, not to stdout"},
	{NULL},
};

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	_cleanup_(output_file_done) struct output_file out = OUTPUT_FILE_INIT;
	struct engine *en = cli_engine(c, e);
	char id[ID_SIZE];

	if (!en)
		return 1;
	if (!o->output && isatty(c->out_fd))
		return err_set(e, ERR_INVALID, 0,
			       "cowardly refusing to save to a terminal. Use the -o flag or "
			       "redirect"),
		       1;
	if (container_resolve(en, a->argv[0], id, e) < 0)
		return 1;
	if (!o->output)
		return container_export(en, id, c->out_fd, e) < 0;
	if (output_file_open(&out, o->output, e) < 0)
		return err_wrap(e, "failed to export container"), 1;
	if (container_export(en, id, out.fd, e) < 0)
		return 1;
	output_file_keep(&out);
	return 0;
}

#define EXPORT                                                                                     \
	.name = "export", .usage = "[OPTIONS] CONTAINER",                                          \
	.summary = "Write a container's files as a tar archive (to stdout unless told)",           \
	.aliases = "container export,export", .min_args = 1, .max_args = 1, .options = options,    \
	.opts_size = sizeof(struct opts), .run = run

const struct cli_command cli_container_export = {EXPORT};
const struct cli_command cli_export = {EXPORT};

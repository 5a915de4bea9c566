/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image-view.h"
#include "cli/verbs.h"

#include "base/fd.h"
#include "base/path.h"
#include "store/image-transfer.h"

#include <fcntl.h>

struct opts {
	const char *input, *platform;
	bool quiet;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"input", 'i', CLI_STRING, O(input), "Read the archive from this file, not from stdin"},
	{"platform", 0, CLI_STRING, O(platform),
	 "Load only the variant for this platform, \"os[/arch[/variant]]\" (e.g., "
	 "\"linux/amd64\")"},
	{"quiet", 'q', CLI_BOOL, O(quiet), "Do not show progress"},
	{NULL},
};

static void report(void *arg, const char *id, const char *name)
{
	struct cli_context *c = arg;

	image_event(c, "load", id, NULL);
	if (name)
		fprintf(c->out, "Loaded image: %s\n", name);
	else
		fprintf(c->out, "Loaded image ID: %s\n", id);
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	_cleanup_(fd_close) int file = -1;
	struct store *s;

	if (o->input) {
		file = path_open_host(o->input, O_RDONLY, 0);
		if (file < 0)
			return err_errno(e, file, "opening '%s'", o->input), 1;
	} else if (isatty(c->in_fd)) {
		return err_set(e, ERR_INVALID, 0, "requested load from stdin, but stdin is empty"),
		       1;
	}
	s = cli_store(c, e);
	return !s || image_load(s, o->input ? file : c->in_fd, o->platform, report, c, e) < 0;
}

#define IMAGE_LOAD                                                                                 \
	.name = "load", .usage = "[OPTIONS]",                                                      \
	.summary = "Load images from a tar archive or from stdin", .aliases = "image load,load",   \
	.options = options, .opts_size = sizeof(struct opts), .run = run

const struct cli_command cli_image_load = {IMAGE_LOAD};
const struct cli_command cli_load = {IMAGE_LOAD};

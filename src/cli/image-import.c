/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image-view.h"
#include "cli/verbs.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "store/image-transfer.h"

#include <fcntl.h>

struct opts {
	struct cli_list change;
	const char *message, *platform;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"change", 'c', CLI_LIST, O(change), "Apply a Dockerfile instruction to the image"},
	{"message", 'm', CLI_STRING, O(message), "A comment for the history"},
	{"platform", 0, CLI_STRING, O(platform), "The platform that the image is for"},
	{NULL},
};

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	const struct image_import_opts how = {.name = a->argc > 1 ? a->argv[1] : NULL,
					      .message = !str_empty(o->message) ? o->message
										: "Imported from -",
					      .platform = o->platform,
					      .changes = (const char *const *)o->change.v};
	const char *source = a->argv[0];
	_cleanup_(fd_close) int file = -1;
	char id[IMAGE_ID_SIZE];
	struct store *s;

	if (str_after(source, "http://") || str_after(source, "https://"))
		return err_set(e, ERR_UNSUPPORTED, 0,
			       "importing '%s': this version reads files and stdin only", source),
		       1;
	if (!str_eq(source, "-")) {
		file = path_open_host(source, O_RDONLY, 0);
		if (file < 0)
			return err_errno(e, file, "opening '%s'", source), 1;
	}
	s = cli_store(c, e);
	if (!s || image_import(s, file < 0 ? c->in_fd : file, &how, id, e) < 0)
		return 1;
	if (how.name)
		image_event(c, "tag", id, how.name);
	image_event(c, "import", id, NULL);
	fprintf(c->out, "%s\n", id);
	return 0;
}

#define IMAGE_IMPORT                                                                               \
	.name = "import", .usage = "[OPTIONS] file|URL|- [REPOSITORY[:TAG]]",                      \
	.summary = "Make an image of the root file system in a tarball",                           \
	.aliases = "image import,import", .min_args = 1, .max_args = 2, .options = options,        \
	.opts_size = sizeof(struct opts), .run = run

const struct cli_command cli_image_import = {IMAGE_IMPORT};
const struct cli_command cli_import = {IMAGE_IMPORT};

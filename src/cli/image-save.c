/* SPDX-License-Identifier: Apache-2.0 */
/* The file that -o names is written only once every image was found; what was made of it is
 * removed where the save then fails. */
#include "cli/verbs.h"

#include "cli/image-view.h"
#include "cli/output-file.h"
#include "store/image-store.h"
#include "store/image-transfer.h"

#include <unistd.h>

struct opts {
	const char *output, *platform;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"output", 'o', CLI_STRING, O(output), "Write to this file, not to stdout"},
	{"platform", 0, CLI_STRING, O(platform),
	 "Save only the variant for this platform, \"os[/arch[/variant]]\""},
	{NULL},
};

static int find_all(struct store *s, const struct cli_args *a, const char *platform, struct err *e)
{
	for (size_t i = 0; i < a->argc; i++)
		if (image_find_platform(s, a->argv[i], platform, e) < 0)
			return -1;
	return 0;
}

static int save_file(struct store *s, const struct cli_args *a, const char *path, struct err *e)
{
	_cleanup_(output_file_done) struct output_file out = OUTPUT_FILE_INIT;

	if (output_file_open(&out, path, e) < 0)
		return err_wrap(e, "failed to save image");
	if (image_save(s, a->argv, a->argc, out.fd, e) < 0)
		return -1;
	output_file_keep(&out);
	return 0;
}

static void tell(struct cli_context *c, struct store *s, const struct cli_args *a)
{
	for (size_t i = 0; i < a->argc; i++) {
		_cleanup_(image_done) struct image img = IMAGE_INIT;
		struct err ignored = ERR_INIT;

		if (image_resolve(s, a->argv[i], 0, &img, &ignored) == 0)
			image_event(c, "save", img.id, NULL);
	}
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	struct store *s = cli_store(c, e);

	if (!s)
		return 1;
	if (!o->output && isatty(c->out_fd))
		return err_set(e, ERR_INVALID, 0,
			       "cowardly refusing to save to a terminal. Use the -o flag or "
			       "redirect"),
		       1;
	if (find_all(s, a, o->platform, e) < 0)
		return 1;
	if ((o->output ? save_file(s, a, o->output, e)
		       : image_save(s, a->argv, a->argc, c->out_fd, e)) < 0)
		return 1;
	tell(c, s, a);
	return 0;
}

#define IMAGE_SAVE                                                                                 \
	.name = "save", .usage = "[OPTIONS] IMAGE [IMAGE...]",                                     \
	.summary = "Save images to a tar archive (to stdout unless told)",                         \
	.aliases = "image save,save", .min_args = 1, .max_args = -1, .options = options,           \
	.opts_size = sizeof(struct opts), .run = run

const struct cli_command cli_image_save = {IMAGE_SAVE};
const struct cli_command cli_save = {IMAGE_SAVE};

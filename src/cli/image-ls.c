/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image-view.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/json.h"

struct opts {
	bool all, digests, no_trunc, quiet;
	const char *format;
	struct cli_list filter;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"all", 'a', CLI_BOOL, O(all), "Show all images (there are no intermediate ones to hide)"},
	{"digests", 0, CLI_BOOL, O(digests), "Show digests"},
	{"filter", 'f', CLI_OTHER, O(filter), "Show only what matches", "filter",
	 .check = filter_check},
	{"format", 0, CLI_STRING, O(format), CLI_FORMAT_HELP},
	{"no-trunc", 0, CLI_BOOL, O(no_trunc), "Show whole identifiers"},
	{"quiet", 'q', CLI_BOOL, O(quiet), "Only print image IDs"},
	{"tree", 0, CLI_BOOL, 0, "Show images for several platforms as a tree (not yet)",
	 .flags = CLI_LATER},
	{NULL},
};

static const char *const headers[] = {
	"ID",         "IMAGE ID",    "Repository",   "REPOSITORY",  "Tag",         "TAG",
	"Digest",     "DIGEST",      "CreatedSince", "CREATED",     "CreatedAt",   "CREATED AT",
	"Size",       "SIZE",        "Containers",   "CONTAINERS",  "VirtualSize", "SIZE",
	"SharedSize", "SHARED SIZE", "UniqueSize",   "UNIQUE SIZE", NULL};

static int read_filter(struct cli_context *c, const struct cli_args *a, struct image_filter *f,
		       struct err *e)
{
	static const char *const allowed[] = {"dangling", "label",     "before", "since",
					      "until",    "reference", NULL};
	const struct opts *o = a->opts;
	struct cli_list filters = o->filter;

	if (filter_allow(&filters, allowed, e) < 0)
		return -1;
	if (a->argc > 0) {
		const char *word = arena_printf(&c->arena, "reference=%s", a->argv[0]);

		if (!word || arena_strv_push(&c->arena, &filters.v, &filters.n, word) < 0)
			return err_set(e, ERR_LIMIT, 0, "out of memory");
	}
	return image_filter_read(c, &filters, f, e);
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	const struct listing list = {
		.struct_type = "*formatter.imageContext",
		.headers = headers,
		.default_format = o->digests ? "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t"
					       "{{.CreatedSince}}\t{{.Size}}"
					     : "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t"
					       "{{.CreatedSince}}\t{{.Size}}",
		.quiet_format = "{{.ID}}"};
	struct image_style style = {.no_trunc = o->no_trunc, .digests = o->digests};
	_cleanup_(json_unref) json_t *rows = json_array();
	struct image_filter filter = {.dangling = 0};
	struct store *s = cli_store(c, e);
	struct image *images = NULL;
	size_t n = 0;
	int r = 0;

	if (!s || read_filter(c, a, &filter, e) < 0 || image_list(s, &filter, &images, &n, e) < 0)
		return 1;
	style.reference = filter.reference;
	for (size_t i = 0; i < n && r == 0; i++)
		r = image_rows(rows, &images[i], &style, e);
	image_list_free(images, n);
	return r < 0 || listing_print(c, &list, o->format, o->quiet, rows, e) < 0;
}

#define IMAGE_LS                                                                                   \
	.usage = "[OPTIONS] [REPOSITORY[:TAG]]", .summary = "List images",                         \
	.aliases = "image ls,image list,images", .max_args = 1, .options = options,                \
	.opts_size = sizeof(struct opts), .run = run

const struct cli_command cli_image_ls = {.name = "ls", .also = "list", IMAGE_LS};
const struct cli_command cli_images = {.name = "images", .flags = CLI_COMMON, IMAGE_LS};

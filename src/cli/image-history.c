/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image-view.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"

#include <string.h>

struct opts {
	bool human, no_trunc, quiet;
	const char *format, *platform;
};

#define O(field) offsetof(struct opts, field)

static const struct opts init = {.human = true};
static const struct cli_option options[] = {
	{"format", 0, CLI_STRING, O(format), CLI_FORMAT_HELP},
	{"human", 'H', CLI_BOOL, O(human), "Print sizes and dates for people",
	 .default_text = "true"},
	{"no-trunc", 0, CLI_BOOL, O(no_trunc), "Cut nothing short"},
	{"platform", 0, CLI_STRING, O(platform), "The platform whose history to show"},
	{"quiet", 'q', CLI_BOOL, O(quiet), "Only print image IDs"},
	{NULL},
};

static const char *const headers_human[] = {
	"ID",         "IMAGE", "CreatedSince", "CREATED", "CreatedAt", "CREATED AT", "CreatedBy",
	"CREATED BY", "Size",  "SIZE",         "Comment", "COMMENT",   NULL};

#define CREATED_BY_MAX 45

/* Tabs become blanks; cut to 45 characters with an ellipsis unless NO_TRUNC. */
static const char *created_by(struct cli_context *c, const char *s, bool no_trunc)
{
	char *text = arena_strdup(&c->arena, s ? s : "");

	for (char *p = text; p && *p; p++)
		if (*p == '\t' || *p == '\n')
			*p = ' ';
	return text && !no_trunc ? text_cut(&c->arena, text, CREATED_BY_MAX) : text;
}

static json_t *row(struct cli_context *c, const struct opts *o, const struct image_step *step)
{
	char id[IMAGE_ID_SIZE] = "<missing>", since[64], at[CLOCK_TEXT_SIZE] = "", size[32];
	const char *by = created_by(c, step->created_by, o->no_trunc);

	if (step->id)
		(void)image_show_id(step->id, o->no_trunc, id);
	(void)clock_format(step->created - step->created % (int64_t)NUM_NS_PER_S, at);
	if (o->human)
		(void)num_human_size((double)step->size, size);
	else
		(void)snprintf(size, sizeof(size), "%llu", (unsigned long long)step->size);
	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s}", "Comment", step->comment ? step->comment : "",
		"CreatedAt", at, "CreatedBy", by ? by : "", "CreatedSince",
		o->human ? time_show_since(step->created, since) : at, "ID", id, "Size", size);
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	const struct listing list = {
		.struct_type = "*formatter.historyContext",
		.headers = headers_human,
		.default_format =
			o->human ? "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t"
				   "{{.Comment}}"
				 : "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t"
				   "{{.Comment}}",
		.quiet_format = "{{.ID}}"};
	_cleanup_(json_unref) json_t *rows = json_array();
	struct store *s = cli_store(c, e);
	struct image_step *steps;
	size_t n;

	if (!s || (o->platform && image_find_platform(s, a->argv[0], o->platform, e) < 0) ||
	    image_history(s, a->argv[0], &c->arena, &steps, &n, e) < 0)
		return 1;
	for (size_t i = 0; i < n; i++)
		if (json_array_append_new(rows, row(c, o, &steps[i])) < 0)
			return err_set(e, ERR_LIMIT, 0, "out of memory"), 1;
	return listing_print(c, &list, o->format, o->quiet, rows, e) < 0;
}

#define IMAGE_HISTORY                                                                              \
	.name = "history", .usage = "[OPTIONS] IMAGE", .summary = "Show how an image came about",  \
	.aliases = "image history,history", .min_args = 1, .max_args = 1, .options = options,      \
	.opts_size = sizeof(struct opts), .opts_init = &init, .run = run

const struct cli_command cli_image_history = {IMAGE_HISTORY};
const struct cli_command cli_history = {IMAGE_HISTORY};

/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/verbs.h"

#include "engine/container-tree.h"
#include "store/image-store.h"

struct opts {
	const char *author, *message;
	struct cli_list change;
	bool pause;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"author", 'a', CLI_STRING, O(author),
	 "Who made it (e.g. \"Jane Doe <jane@example.com>\")"},
	{"change", 'c', CLI_LIST, O(change), "Apply a Dockerfile instruction to the image"},
	{"message", 'm', CLI_STRING, O(message), "A comment for the history"},
	{"pause", 'p', CLI_BOOL, O(pause), "Freeze the container while its files are read",
	 .default_text = "true"},
	{NULL},
};

static const struct opts init = {.pause = true};

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	const struct container_commit how = {
		.name = a->argc > 1 ? a->argv[1] : NULL,
		.author = o->author,
		.message = o->message,
		.changes = (const char *const *)o->change.v,
		.pause = o->pause,
	};
	struct engine *en = cli_engine(c, e);
	char id[IMAGE_ID_SIZE];

	if (!en || container_commit(en, a->argv[0], &how, id, e) < 0)
		return 1;
	fprintf(c->out, "%s\n", id);
	return 0;
}

#define COMMIT                                                                                     \
	.name = "commit", .usage = "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",                       \
	.summary = "Make an image of a container's changes", .aliases = "container commit,commit", \
	.min_args = 1, .max_args = 2, .options = options, .opts_size = sizeof(struct opts),        \
	.opts_init = &init, .run = run

const struct cli_command cli_container_commit = {COMMIT};
const struct cli_command cli_commit = {COMMIT};

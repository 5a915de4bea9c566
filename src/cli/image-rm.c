/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image-view.h"
#include "cli/output.h"
#include "cli/verbs.h"

#include "base/str.h"
#include "store/image-store.h"

struct opts {
	bool force, no_prune;
	struct cli_list platform;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"force", 'f', CLI_BOOL, O(force),
	 "Remove it even where it has several names or stopped "
	 "containers use it"},
	{"no-prune", 0, CLI_BOOL, O(no_prune), "Keep parents without a name (there are none)"},
	{"platform", 0, CLI_OTHER, O(platform), "Remove only this platform's variant", "strings"},
	{NULL},
};

struct removal {
	struct cli_context *c;
	char id[IMAGE_ID_SIZE]; /* of the image that goes */
};

static void report(void *arg, const char *what, const char *name)
{
	const struct removal *r = arg;

	fprintf(r->c->out, "%s: %s\n", what, name);
	if (str_eq(what, "Untagged") && *r->id)
		image_event(r->c, "untag", r->id, NULL);
	else if (str_eq(name, r->id))
		image_event(r->c, "delete", r->id, NULL);
}

static int remove_one(struct cli_context *c, struct store *s, const char *ref, const struct opts *o,
		      struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	struct removal r = {.c = c};
	struct err ignored = ERR_INIT;

	if (image_resolve(s, ref, 0, &img, &ignored) == 0)
		(void)snprintf(r.id, sizeof(r.id), "%s", img.id);
	return image_remove(s, ref, o->force ? IMAGE_REMOVE_FORCE : 0, report, &r, e);
}

/* The store has one variant of an image: it is one of those that are named, or nothing is removed.
 */
static int check_platform(struct store *s, const char *ref, const struct opts *o, struct err *e)
{
	int r = o->platform.n == 0 ? 0 : -1;

	for (size_t i = 0; r < 0 && i < o->platform.n; i++) {
		*e = ERR_INIT;
		r = image_find_platform(s, ref, o->platform.v[i], e);
	}
	return r;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	struct store *s = cli_store(c, e);
	int failed = 0;

	for (size_t i = 0; s && i < a->argc; i++) {
		struct err one = ERR_INIT;

		if (check_platform(s, a->argv[i], o, &one) == 0 &&
		    remove_one(c, s, a->argv[i], o, &one) == 0)
			continue;
		/* With --force Docker does not mind what is not there. */
		failed |= !(o->force && one.class == ERR_NOT_FOUND);
		cli_complain(c, &one);
	}
	return !s || failed;
}

#define IMAGE_RM                                                                                   \
	.usage = "[OPTIONS] IMAGE [IMAGE...]", .summary = "Remove one or more images",             \
	.aliases = "image rm,image remove,rmi", .min_args = 1, .max_args = -1, .options = options, \
	.opts_size = sizeof(struct opts), .run = run

const struct cli_command cli_image_rm = {.name = "rm", .also = "remove", IMAGE_RM};
const struct cli_command cli_rmi = {.name = "rmi", IMAGE_RM};

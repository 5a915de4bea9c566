/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image-view.h"
#include "cli/layer-lines.h"
#include "cli/pull.h"
#include "cli/verbs.h"

#include "base/str.h"
#include "remote/pull.h"
#include "store/image-transfer.h"

#include <string.h>

struct opts {
	bool all, quiet, ignored;
	const char *platform;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"all-tags", 'a', CLI_BOOL, O(all), "Push every tag of the repository"},
	{"disable-content-trust", 0, CLI_BOOL, O(ignored),
	 "Has no effect: there is no content trust", .default_text = "true"},
	{"platform", 0, CLI_STRING, O(platform), "Push only where the image is for this platform"},
	{"quiet", 'q', CLI_BOOL, O(quiet), "Print the name alone"},
	{NULL},
};

struct pushing {
	struct cli_context *c;
	struct remote *r;
	const struct reference *ref;
	const struct opts *o;
};

/* Another repository of the same registry that the image has a name in: its blobs may be there. */
static const char *sibling(struct cli_context *c, const struct image *img,
			   const struct reference *ref)
{
	for (size_t i = 0; img->names && img->names[i]; i++) {
		struct reference other;

		if (reference_parse(img->names[i], &other, NULL) == 0 &&
		    str_eq(other.domain, ref->domain) && !str_eq(other.path, ref->path))
			return arena_strdup(&c->arena, other.path);
	}
	return NULL;
}

static int send_image(void *arg, struct content_sink *blobs, const struct image *img, struct err *e)
{
	struct pushing *p = arg;
	struct layer_lines lines = {.out = p->o->quiet ? NULL : p->c->out,
				    .words = layer_words_push};
	const struct remote_progress progress = {.step = layer_lines_step, .arg = &lines};
	struct remote_upload u = {.ref = p->ref->tag, .progress = &progress};
	char text[REFERENCE_TEXT_SIZE];
	struct digest manifest;
	int r;

	u.manifest = &manifest;
	u.from = sibling(p->c, img, p->ref);
	r = digest_parse(img->digest, &manifest, e);
	if (r == 0)
		r = remote_push(p->r, blobs, &u, e);
	layer_lines_done(&lines);
	if (r < 0)
		return -1;
	if (p->o->quiet)
		fprintf(p->c->out, "%s\n", reference_text(p->ref, text));
	else
		fprintf(p->c->out, "%s: digest: %s size: %lld\n", p->ref->tag, manifest.text,
			(long long)u.size);
	image_event(p->c, "push", img->id, reference_familiar(p->ref, text));
	return 0;
}

static int push_one(struct pushing *p, struct store *s, const struct reference *ref, struct err *e)
{
	char text[REFERENCE_TEXT_SIZE];

	p->ref = ref;
	if (image_find_platform(s, reference_text(ref, text), p->o->platform, e) < 0)
		return -1;
	return image_read(s, text, send_image, p, e) < 0
		       ? err_wrap(e, "pushing %s", reference_familiar(ref, text))
		       : 0;
}

/* The tags that IMG has in the repository. */
static int push_tags_of(struct pushing *p, struct store *s, const struct image *img,
			const struct reference *repo, size_t *n, struct err *e)
{
	for (size_t i = 0; i < img->n_names; i++) {
		struct reference r;

		if (reference_parse(img->names[i], &r, NULL) < 0 ||
		    !str_eq(r.domain, repo->domain) || !str_eq(r.path, repo->path) || !r.tag[0])
			continue;
		(*n)++;
		if (push_one(p, s, &r, e) < 0)
			return -1;
	}
	return 0;
}

static int push_all(struct pushing *p, struct store *s, const struct reference *repo, struct err *e)
{
	char text[REFERENCE_TEXT_SIZE];
	struct image *list = NULL;
	size_t n = 0, sent = 0;
	int r = image_list(s, NULL, &list, &n, e);

	for (size_t i = 0; i < n && r == 0; i++)
		r = push_tags_of(p, s, &list[i], repo, &sent, e);
	image_list_free(list, n);
	if (r == 0 && sent == 0)
		return err_set(e, ERR_NOT_FOUND, 0,
			       "An image does not exist locally with the tag: %s",
			       reference_repository(repo, true, text));
	return r;
}

static bool is_there(struct store *s, const struct reference *ref)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	struct err ignored = ERR_INIT;
	char text[REFERENCE_TEXT_SIZE];

	return image_resolve(s, reference_text(ref, text), 0, &img, &ignored) == 0;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	_cleanup_(remote_close) struct remote r = REMOTE_INIT;
	struct pushing p = {.c = c, .r = &r, .o = a->opts};
	char text[REFERENCE_TEXT_SIZE];
	struct reference ref;
	struct store *s;

	if (reference_parse(a->argv[0], &ref, e) < 0)
		return 1;
	if (digest_is_set(&ref.digest))
		return err_set(e, ERR_INVALID, 0, "cannot push a digest reference"), 1;
	if (p.o->all && ref.tag[0])
		return err_set(e, ERR_INVALID, 0, "tag can't be used with --all-tags/-a"), 1;
	if (!p.o->quiet && !p.o->all && !ref.tag[0])
		fprintf(c->out, "Using default tag: latest\n");
	if (!p.o->all && !ref.tag[0])
		snprintf(ref.tag, sizeof(ref.tag), "latest");
	s = cli_store(c, e);
	if (!s)
		return 1;
	if (!p.o->quiet)
		fprintf(c->out, "The push refers to repository [%s]\n",
			reference_repository(&ref, false, text));
	if (!p.o->all && !is_there(s, &ref))
		return err_set(e, ERR_NOT_FOUND, 0,
			       "An image does not exist locally with the tag: %s",
			       reference_repository(&ref, true, text)),
		       1;
	if (registry_open(c, &ref, true, &r, e) < 0)
		return 1;
	return (p.o->all ? push_all(&p, s, &ref, e) : push_one(&p, s, &ref, e)) < 0;
}

#define PUSH                                                                                       \
	.name = "push", .usage = "[OPTIONS] NAME[:TAG]",                                           \
	.summary = "Upload an image to a registry", .aliases = "image push,push", .min_args = 1,   \
	.max_args = 1, .options = options, .opts_size = sizeof(struct opts), .run = run

const struct cli_command cli_image_push = {PUSH};
const struct cli_command cli_push = {.flags = CLI_COMMON, PUSH};

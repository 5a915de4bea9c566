/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/pull.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "cli/image-view.h"
#include "cli/layer-lines.h"
#include "cli/registries.h"
#include "cli/verbs.h"
#include "remote/pull.h"
#include "store/image-transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

struct opts {
	bool all, quiet, ignored;
	const char *platform;
};

#define O(field) offsetof(struct opts, field)

static const struct cli_option options[] = {
	{"all-tags", 'a', CLI_BOOL, O(all), "Pull every tag of the repository"},
	{"disable-content-trust", 0, CLI_BOOL, O(ignored),
	 "Has no effect: there is no content trust", .default_text = "true"},
	{"platform", 0, CLI_STRING, O(platform),
	 "Pull the variant for this platform, \"os[/arch[/variant]]\""},
	{"quiet", 'q', CLI_BOOL, O(quiet), "Print the name alone"},
	{NULL},
};

/* ---- registries ---- */

/* Docker Hub's registry has another name than its images. */
static const char *host_of(const struct reference *ref)
{
	return str_eq(ref->domain, "docker.io") ? "registry-1.docker.io" : ref->domain;
}

/* Opens REPOSITORY of DOMAIN with what the configuration says of it. */
static int open_with(struct cli_context *c, const char *domain, struct remote_target *t,
		     struct remote *r, struct err *e)
{
	struct registry_settings s;

	if (registry_settings_find(c, domain, &s, e) < 0)
		return -1;
	if (s.blocked)
		return err_set(e, ERR_DENIED, 0, "the configuration blocks the registry %s",
			       domain);
	t->insecure = s.insecure;
	t->stall_seconds = s.stall_seconds;
	t->ca = s.ca;
	t->cert = s.cert;
	t->key = s.key;
	return remote_open(r, t, e);
}

int registry_open_as(struct cli_context *c, const struct reference *ref, bool push,
		     const struct credentials *as, struct remote *r, struct err *e)
{
	struct remote_target t = {.host = host_of(ref),
				  .repository = ref->path,
				  .push = push,
				  .user = as->user,
				  .password = as->password,
				  .identity_token = as->identity_token};

	return open_with(c, ref->domain, &t, r, e);
}

static int mirror_open(struct cli_context *c, const struct registry_mirror *m,
		       const struct reference *ref, struct remote *r, struct err *e)
{
	struct credentials as;
	struct remote_target t = {.host = m->host};

	if (credentials_find(m->host, &c->arena, &as, e) < 0)
		return -1;
	t.repository =
		arena_printf(&c->arena, "%s%s%s", m->prefix, *m->prefix ? "/" : "", ref->path);
	t.user = as.user;
	t.password = as.password;
	t.identity_token = as.identity_token;
	return open_with(c, m->host, &t, r, e);
}

int registry_open(struct cli_context *c, const struct reference *ref, bool push, struct remote *r,
		  struct err *e)
{
	struct credentials as;

	if (credentials_find(ref->domain, &c->arena, &as, e) < 0)
		return -1;
	return registry_open_as(c, ref, push, &as, r, e);
}

int registry_open_bare(struct cli_context *c, const struct reference *ref, struct remote *r,
		       struct err *e)
{
	struct reference bare = {.path = ""};

	snprintf(bare.domain, sizeof(bare.domain), "%s", ref->domain);
	return registry_open(c, &bare, false, r, e);
}

/* ---- one image ---- */

struct pulling {
	struct cli_context *c;
	const struct reference *ref;
	const struct platform *want;
	struct layer_lines lines;
	struct digest digest;
};

/* By the mirror M, or with NULL from the registry itself. */
static int pull_from(struct pulling *p, const struct registry_mirror *m, struct content_sink *sink,
		     struct image_set *set, struct err *e)
{
	_cleanup_(remote_close) struct remote r = REMOTE_INIT;
	const struct remote_progress progress = {.step = layer_lines_step, .arg = &p->lines};
	struct remote_image image = {.ref = p->ref, .want = p->want, .progress = &progress};

	if ((m ? mirror_open(p->c, m, p->ref, &r, e) : registry_open(p->c, p->ref, false, &r, e)) <
		    0 ||
	    remote_pull(&r, sink, &image, set, e) < 0)
		return -1;
	p->digest = image.digest;
	return image_set_name(set, &set->images[0], p->ref, e);
}

static int source(void *arg, struct content_sink *sink, struct image_set *set, struct err *e)
{
	struct pulling *p = arg;
	struct registry_settings s;
	struct err why = ERR_INIT;

	if (registry_settings_find(p->c, p->ref->domain, &s, e) < 0)
		return -1;
	/* A mirror that has it not, or does not answer, is passed over. */
	for (size_t i = 0; i < s.n_mirrors; i++) {
		why = ERR_INIT;
		if (pull_from(p, &s.mirrors[i], sink, set, &why) == 0)
			return 0;
	}
	if (!s.mirrors_only || s.n_mirrors == 0)
		return pull_from(p, NULL, sink, set, e);
	*e = why;
	return err_wrap(e, "by its mirrors alone");
}

/* The ID that the name stands for, "" for none. */
static void current_id(struct store *s, const struct reference *ref, char out[IMAGE_ID_SIZE])
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	struct err ignored = ERR_INIT;
	char text[REFERENCE_TEXT_SIZE];

	out[0] = '\0';
	if (image_resolve(s, reference_text(ref, text), 0, &img, &ignored) == 0)
		snprintf(out, IMAGE_ID_SIZE, "%s", img.id);
}

int pull_image(struct cli_context *c, const struct reference *ref, const struct pull_opts *o,
	       bool *ret_new, struct digest *ret, struct err *e)
{
	struct pulling p = {.c = c,
			    .ref = ref,
			    .lines = {.out = o->quiet ? NULL : o->out, .words = layer_words_pull}};
	char before[IMAGE_ID_SIZE], after[IMAGE_ID_SIZE], text[REFERENCE_TEXT_SIZE];
	struct store *s = cli_store(c, e);
	struct platform want;
	int r;

	if (!s || (o->platform && platform_parse(o->platform, &want, e) < 0))
		return -1;
	p.want = o->platform ? &want : NULL;
	current_id(s, ref, before);
	if (p.lines.out)
		fprintf(p.lines.out, "%s: Pulling from %s\n",
			ref->tag[0] ? ref->tag : ref->digest.text, ref->path);
	r = image_load_source(s, source, &p, NULL, NULL, e);
	layer_lines_done(&p.lines);
	if (r < 0)
		return err_wrap(e, "pulling %s", reference_familiar(ref, text));
	current_id(s, ref, after);
	*ret_new = !str_eq(before, after);
	*ret = p.digest;
	image_event(c, "pull", after, reference_familiar(ref, text));
	return 0;
}

static int pull_and_tell(struct cli_context *c, const struct reference *ref, const struct opts *o,
			 struct err *e)
{
	const struct pull_opts po = {.platform = o->platform, .quiet = o->quiet, .out = c->out};
	char text[REFERENCE_TEXT_SIZE];
	struct digest digest;
	bool new;

	if (pull_image(c, ref, &po, &new, &digest, e) < 0)
		return -1;
	if (!o->quiet)
		fprintf(c->out, "Digest: %s\nStatus: %s for %s\n", digest.text,
			new ? "Downloaded newer image" : "Image is up to date",
			reference_familiar(ref, text));
	fprintf(c->out, "%s\n", reference_text(ref, text));
	return 0;
}

static int pull_all(struct cli_context *c, struct reference *ref, const struct opts *o,
		    struct err *e)
{
	_cleanup_(remote_close) struct remote r = REMOTE_INIT;
	const char **tags = NULL;

	if (registry_open(c, ref, false, &r, e) < 0 || remote_tags(&r, &c->arena, &tags, e) < 0)
		return -1;
	for (; tags && *tags; tags++) {
		snprintf(ref->tag, sizeof(ref->tag), "%s", *tags);
		if (pull_and_tell(c, ref, o, e) < 0)
			return -1;
	}
	return 0;
}

static int run(struct cli_context *c, const struct cli_args *a, struct err *e)
{
	const struct opts *o = a->opts;
	struct reference ref;

	if (reference_parse(a->argv[0], &ref, e) < 0)
		return 1;
	if (o->all && (ref.tag[0] || digest_is_set(&ref.digest)))
		return err_set(e, ERR_INVALID, 0, "tag can't be used with --all-tags/-a"), 1;
	if (o->all)
		return pull_all(c, &ref, o, e) < 0;
	if (!ref.tag[0] && !digest_is_set(&ref.digest)) {
		snprintf(ref.tag, sizeof(ref.tag), "latest");
		if (!o->quiet)
			fprintf(c->out, "Using default tag: latest\n");
	}
	return pull_and_tell(c, &ref, o, e) < 0;
}

/* ---- run and create ---- */

int pull_for_run(struct cli_context *c, const char *image, bool always, const struct pull_opts *o,
		 struct err *e)
{
	struct reference ref;
	char text[REFERENCE_TEXT_SIZE];
	struct digest digest;
	bool new;

	if (reference_parse_tagged(image, &ref, e) < 0)
		return -1;
	if (!always && !o->quiet)
		fprintf(c->err, "Unable to find image '%s' locally\n",
			reference_familiar(&ref, text));
	if (pull_image(c, &ref, o, &new, &digest, e) < 0)
		return -1;
	if (!o->quiet)
		fprintf(c->err, "Digest: %s\nStatus: %s for %s\n", digest.text,
			new ? "Downloaded newer image" : "Image is up to date",
			reference_familiar(&ref, text));
	return 0;
}

#define PULL                                                                                       \
	.name = "pull", .usage = "[OPTIONS] NAME[:TAG|@DIGEST]",                                   \
	.summary = "Download an image from a registry", .aliases = "image pull,pull",              \
	.min_args = 1, .max_args = 1, .options = options, .opts_size = sizeof(struct opts),        \
	.run = run

const struct cli_command cli_image_pull = {PULL};
const struct cli_command cli_pull = {.flags = CLI_COMMON, PULL};

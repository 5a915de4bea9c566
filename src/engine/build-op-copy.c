/* SPDX-License-Identifier: Apache-2.0 */
/* COPY, ADD and WORKDIR as operations. */
#include "base/buf.h"
#include "base/fd.h"
#include "base/mode.h"
#include "base/path.h"
#include "base/str.h"
#include "dockerfile/ignore.h"
#include "engine/build-hashes.h"
#include "engine/build-op-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The folder of the store with the digests of contexts' files. */
#define HASHES_DIR "build/hashes"

/* One COPY while it is worked on. */
struct copying {
	struct engine *en;
	const struct build_step *step;
	const struct build_session *session;
	struct copy_params p;
	struct ignore exclude;
	struct build_copy copy; /* what all sources have in common */
};

static void copying_done(struct copying *k)
{
	ignore_done(&k->exclude);
	if (k->en)
		engine_free(k->en);
}

static int read_exclude(struct copying *k, struct err *e)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(IGNORE_SIZE_MAX);

	for (const char *const *p = k->p.exclude; *p; p++)
		if (buf_printf(&text, "%s\n", *p) < 0)
			return err_errno(e, ENOMEM, "reading --exclude");
	if (!text.len)
		return 0;
	if (ignore_parse(buf_str(&text), text.len, &k->exclude, e) < 0)
		return err_wrap(e, "--exclude");
	k->copy.exclude = &k->exclude;
	return 0;
}

static int read_mode(struct copying *k, struct err *e)
{
	mode_t any = 0;

	if (!*k->p.chmod)
		return 0;
	if (mode_change(k->p.chmod, false, &any) < 0)
		return err_set(e, ERR_INVALID, 0, "--chmod=%s: no mode as chmod takes it",
			       k->p.chmod);
	k->copy.mode = k->p.chmod;
	return 0;
}

static int copying_init(struct copying *k, const struct build_step *s, struct arena *a,
			struct err *e)
{
	*k = (struct copying){.step = s, .session = s->arg, .exclude = IGNORE_INIT};
	if (copy_params_read(s->v->params, a, &k->p, e) < 0 || read_exclude(k, e) < 0 ||
	    read_mode(k, e) < 0)
		return -1;
	k->copy.dest = k->p.dest;
	return engine_open(&k->session->engine, &k->en, e);
}

static const struct build_result *input_of(const struct copying *k, const struct copy_source *c,
					   struct err *e)
{
	if (c->input < k->step->v->n_inputs)
		return &k->step->inputs[c->input];
	err_set(e, ERR_INVALID, 0, "a source of COPY that is no input");
	return NULL;
}

/* ---- key ---- */

static uint64_t copy_selectors(const struct build_step *s)
{
	size_t n = s->v->n_inputs;

	return n < 2 ? 0 : (n >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << n) - 1) & ~UINT64_C(1);
}

static int open_hashes_dir(const struct copying *k)
{
	return path_mkdirs(store_root_fd(k->en->store), HASHES_DIR, 0700, 0);
}

/* One source while it is read: what is to be copied of it. */
struct source {
	struct build_tree tree;
	struct build_parents parents;
	struct arena arena;
	const char *paths[2];
	struct build_copy copy;
	bool found;
};

static void source_done(struct source *s)
{
	build_parents_done(&s->parents);
	build_tree_done(&s->tree);
	arena_done(&s->arena);
}

static int source_open(struct copying *k, const struct copy_source *c, struct source *s,
		       struct err *e)
{
	const struct build_result *input = input_of(k, c, e);

	*s = (struct source){.tree = BUILD_TREE_INIT,
			     .parents = {.only = IGNORE_INIT},
			     .arena = ARENA_INIT,
			     .paths = {c->path, NULL},
			     .copy = k->copy};
	if (!input || build_tree_open(k->en, k->session, input, &s->tree, e) < 0)
		return -1;
	s->copy.from = s->tree.source;
	s->copy.from.literal = c->no_wildcards;
	s->copy.paths = s->paths;
	if (!k->p.parents)
		return 0;
	if (build_parents_read(c->path, &s->arena, &s->parents, e) < 0)
		return -1;
	s->paths[0] = s->parents.from;
	s->copy.parents = &s->parents;
	s->copy.found = &s->found;
	return 0;
}

/* A pattern that is a name must have been there. */
static int source_check(const struct source *s, struct err *e)
{
	if (!s->copy.parents || s->found || s->parents.wild || !*s->parents.pattern)
		return 0;
	return err_set(e, ERR_NOT_FOUND, 0, "\"%s%s%s\": not found in %s", s->parents.from,
		       str_ends(s->parents.from, "/") ? "" : "/", s->parents.pattern,
		       s->copy.from.name);
}

static int digest_source(struct copying *k, const struct copy_source *c, struct build_digest *d,
			 struct err *e)
{
	_cleanup_(source_done) struct source s;
	_cleanup_(fd_close) int dir = -1;
	int r;

	if (source_open(k, c, &s, e) < 0)
		return -1;
	s.copy.owner.given = *k->p.chown != '\0';
	dir = s.tree.is_context ? open_hashes_dir(k) : -1;
	d->hashes = dir >= 0 ? build_hashes_open(dir, s.tree.root) : NULL;
	r = build_copy_digest(&s.copy, d, e);
	build_hashes_close(d->hashes);
	d->hashes = NULL;
	return r < 0 ? r : source_check(&s, e);
}

static int copy_content_key(const struct build_step *s, struct build_job *job, struct arena *a,
			    struct build_content *ret, struct err *e)
{
	_cleanup_(copying_done) struct copying k;
	_cleanup_(buf_done) struct buf files = BUF_INIT(BUILD_FILES_MAX);
	struct build_digest d = {.files = &files};
	unsigned char sum[SHA256_SIZE];

	sha256_init(&d.hash);
	if (copying_init(&k, s, a, e) < 0)
		return -1;
	for (size_t i = 0; i < k.p.n_sources; i++)
		if (k.p.sources[i].input && digest_source(&k, &k.p.sources[i], &d, e) < 0)
			return -1;
	sha256_end(&d.hash, sum);
	digest_from_hash(sum, &ret->digest);
	ret->files = arena_strdup(a, buf_str(&files));
	return ret->files ? 0 : err_errno(e, ENOMEM, "reading files");
}

/* ---- execution ---- */

static int make_data(struct copying *k, int root, const struct copy_source *c, struct err *e)
{
	const char *last = strrchr(c->path, '/');
	mode_t mode = 0644;
	struct build_file f = {
		.name = last ? last + 1 : c->path,
		.dest = k->p.dest,
		.data = c->data,
		.n = strlen(c->data),
		.owner = k->copy.owner,
	};

	if (k->copy.mode)
		mode_change(k->copy.mode, false, &mode);
	f.mode = mode;
	return build_make_file(root, &f, e);
}

static int copy_source(struct copying *k, int root, const struct copy_source *c, struct err *e)
{
	_cleanup_(source_done) struct source s = {.tree = BUILD_TREE_INIT};

	if (!c->input)
		return make_data(k, root, c, e);
	if (source_open(k, c, &s, e) < 0)
		return -1;
	s.copy.unpack = c->unpack;
	return build_copy_run(root, &s.copy, e) < 0 ? -1 : source_check(&s, e);
}

/* Names in --chown are those of what is copied to, also with --link. */
static int read_owner(struct copying *k, int root, struct err *e)
{
	_cleanup_(build_tree_done) struct build_tree tree = BUILD_TREE_INIT;

	if (k->p.link && *k->p.chown && !str_empty(k->step->inputs[0].chain)) {
		if (build_tree_open(k->en, k->session, &k->step->inputs[0], &tree, e) < 0)
			return -1;
		root = tree.root;
	}
	return build_owner_parse(root, k->p.chown, &k->copy.owner, e);
}

static int copy_into(struct copying *k, struct build_layer *ret, struct err *e)
{
	_cleanup_(build_scratch_done) struct build_scratch to = BUILD_SCRATCH_INIT;
	const char *chain = k->step->inputs[0].chain;

	if (build_scratch_open(k->en, k->p.link ? "" : chain, &to, e) < 0 ||
	    read_owner(k, to.root, e) < 0)
		return -1;
	for (size_t i = 0; i < k->p.n_sources; i++)
		if (copy_source(k, to.root, &k->p.sources[i], e) < 0)
			return -1;
	return build_scratch_commit(&to, chain, build_newest(k->session, k->p.epoch), ret, e);
}

static int copy_execute(const struct build_step *s, struct build_job *job, struct arena *a,
			struct build_result *ret, struct err *e)
{
	_cleanup_(copying_done) struct copying k;
	struct build_layer l;

	if (copying_init(&k, s, a, e) < 0 || copy_into(&k, &l, e) < 0)
		return -1;
	return build_result_of(&l, a, ret, e);
}

const struct build_op build_op_copy = {.type = OP_COPY,
				       .version = 1,
				       .selectors = copy_selectors,
				       .content_key = copy_content_key,
				       .execute = copy_execute,
				       .hold = build_hold_layer};

/* ---- WORKDIR ---- */

static int mkdir_into(struct engine *en, const struct build_step *s, const struct mkdir_params *p,
		      struct build_layer *ret, struct err *e)
{
	_cleanup_(build_scratch_done) struct build_scratch to = BUILD_SCRATCH_INIT;
	struct build_owner owner;

	if (build_scratch_open(en, s->inputs[0].chain, &to, e) < 0 ||
	    build_owner_parse(to.root, p->user, &owner, e) < 0 ||
	    build_make_dirs(to.root, p->path, &owner, e) < 0)
		return -1;
	return build_scratch_commit(&to, s->inputs[0].chain, build_newest(s->arg, p->epoch), ret,
				    e);
}

static int mkdir_execute(const struct build_step *s, struct build_job *job, struct arena *a,
			 struct build_result *ret, struct err *e)
{
	const struct build_session *session = s->arg;
	struct engine *en = NULL;
	struct mkdir_params p;
	struct build_layer l;
	int r;

	if (mkdir_params_read(s->v->params, a, &p, e) < 0 ||
	    engine_open(&session->engine, &en, e) < 0)
		return -1;
	r = mkdir_into(en, s, &p, &l, e);
	engine_free(en);
	return r < 0 ? -1 : build_result_of(&l, a, ret, e);
}

const struct build_op build_op_mkdir = {
	.type = OP_MKDIR, .version = 1, .execute = mkdir_execute, .hold = build_hold_layer};

/* SPDX-License-Identifier: Apache-2.0 */
/* Sources of files, and what the operations that make layers share. The data of a result is
 *
 *   {"context": NAME}                                   of a context
 *   {"diff": DIGEST, "size": N, "blobSize": N}          of a layer; the result's digest is its
 * chain
 *   {}                                                  of an image, and of scratch */
#include "base/fd.h"
#include "base/json.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/build-op-internal.h"
#include "engine/mount-internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What results without layers are known by. */
#define EMPTY_TREE "scratch"

int64_t build_newest(const struct build_session *s, int64_t epoch)
{
	return epoch >= 0 ? MAX(epoch, 1) * (int64_t)NUM_NS_PER_S : s->newest;
}

/* ---- results ---- */

int build_result_of(const struct build_layer *l, struct arena *a, struct build_result *ret,
		    struct err *e)
{
	*ret = (struct build_result){
		.digest = arena_strdup(a, l->chain.text),
		.chain = arena_strdup(a, l->chain.text),
		.blob = arena_strdup(a, l->diff.text),
		.data = arena_printf(a, "{\"blobSize\":%llu,\"diff\":\"%s\",\"size\":%llu}",
				     (unsigned long long)l->blob_size, l->diff.text,
				     (unsigned long long)l->size),
		.size = l->size + l->blob_size,
	};
	if (!ret->digest || !ret->chain || !ret->blob || !ret->data)
		return err_errno(e, ENOMEM, "telling of a layer");
	return 0;
}

static json_t *result_data(const struct build_result *r, struct err *e)
{
	return json_parse(r->data ? r->data : "", r->data ? strlen(r->data) : 0,
			  "the result of a step", e);
}

int build_result_layer(const struct build_result *r, struct build_layer *ret, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(json_unref) json_t *doc = result_data(r, e);
	struct build_layer l = {.size = 0};
	struct json_reader in;
	const char *diff = "";

	if (!doc || json_reader_init(&in, doc, "the result of a step", &a, e) < 0 ||
	    json_read_str(&in, "diff", &diff, e) < 0 ||
	    json_read_u64(&in, "size", UINT64_MAX, &l.size, e) < 0 ||
	    json_read_u64(&in, "blobSize", UINT64_MAX, &l.blob_size, e) < 0 ||
	    digest_parse(diff, &l.diff, e) < 0 || digest_parse(r->chain, &l.chain, e) < 0)
		return -1;
	*ret = l;
	return 0;
}

int build_hold_layer(void *arg, const struct build_result *r, struct err *e)
{
	const struct build_session *s = arg;
	struct build_layer l;

	if (str_empty(r->chain))
		return 1;
	return build_layer_find(s->store, r->chain, &l, e);
}

/* ---- trees ---- */

void build_tree_done(struct build_tree *t)
{
	if (!t->is_context)
		fd_close(&t->root);
}

static int open_context(const struct build_session *s, const char *name, struct build_tree *ret,
			struct err *e)
{
	for (size_t i = 0; i < s->n_contexts; i++) {
		const struct build_context *c = &s->contexts[i];

		if (!str_eq(c->name, name))
			continue;
		if (c->root < 0)
			return err_set(e, ERR_UNSUPPORTED, 0, "the context '%s': %s", name,
				       c->why ? c->why : "there is none");
		ret->root = c->root;
		ret->is_context = true;
		ret->source = (struct build_source){.root = c->root,
						    .ignore = c->ignore,
						    .to_root = true,
						    .name = "the build context"};
		return 0;
	}
	return err_set(e, ERR_NOT_FOUND, 0, "there is no context '%s'", name);
}

static int open_chain(struct engine *en, const char *chain, struct build_tree *ret, struct err *e)
{
	_cleanup_(snapshot_mounts_done) struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;

	if (str_empty(chain))
		return err_set(e, ERR_NOT_FOUND, 0, "there is nothing in an empty image");
	if (snapshot_mounts_chain(en->store, chain, &m, e) < 0)
		return -1;
	ret->root = mount_snapshot(&m, false, e);
	ret->source = (struct build_source){.root = ret->root, .name = "that stage or image"};
	return ret->root < 0 ? -1 : 0;
}

int build_tree_open(struct engine *en, const struct build_session *s, const struct build_result *r,
		    struct build_tree *ret, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	_cleanup_(json_unref) json_t *doc = result_data(r, e);
	struct json_reader in;
	const char *context = NULL;

	if (!doc || json_reader_init(&in, doc, "the result of a step", &a, e) < 0 ||
	    json_read_str(&in, "context", &context, e) < 0)
		return -1;
	return context ? open_context(s, context, ret, e) : open_chain(en, r->chain, ret, e);
}

int build_scratch_open(struct engine *en, const char *chain, struct build_scratch *ret,
		       struct err *e)
{
	_cleanup_(snapshot_mounts_done) struct snapshot_mounts m = SNAPSHOT_MOUNTS_INIT;

	ret->en = en;
	if (build_layer_begin(en->store, chain, ret->snapshot, e) < 0)
		return -1;
	if (snapshot_mounts(en->store, ret->snapshot, &m, e) < 0)
		return -1;
	ret->root = mount_snapshot(&m, true, e);
	return ret->root < 0 ? -1 : 0;
}

int build_scratch_commit(struct build_scratch *s, const char *chain, int64_t newest,
			 struct build_layer *ret, struct err *e)
{
	const struct build_layer_opts o = {.chain = chain, .newest = newest};
	char id[SNAPSHOT_ID_SIZE];

	memcpy(id, s->snapshot, sizeof(id));
	s->snapshot[0] = '\0';
	fd_close(&s->root);
	return build_layer_commit(s->en->store, id, &o, ret, e);
}

void build_scratch_done(struct build_scratch *s)
{
	fd_close(&s->root);
	if (s->snapshot[0])
		build_layer_abort(s->en->store, s->snapshot);
	s->snapshot[0] = '\0';
}

/* ---- sources ---- */

static int scratch_execute(const struct build_step *s, struct build_job *job, struct arena *a,
			   struct build_result *ret, struct err *e)
{
	*ret = (struct build_result){.digest = EMPTY_TREE, .data = "{}", .chain = "", .blob = ""};
	return 0;
}

static int image_execute(const struct build_step *s, struct build_job *job, struct arena *a,
			 struct build_result *ret, struct err *e)
{
	struct image_params p;

	if (image_params_read(s->v->params, a, &p, e) < 0)
		return -1;
	*ret = (struct build_result){.digest = *p.chain ? p.chain : EMPTY_TREE,
				     .data = "{}",
				     .chain = p.chain,
				     .blob = ""};
	return 0;
}

static int local_execute(const struct build_step *s, struct build_job *job, struct arena *a,
			 struct build_result *ret, struct err *e)
{
	_cleanup_(json_unref) json_t *doc = NULL;
	_cleanup_(freep) char *text = NULL;
	struct local_params p;

	if (local_params_read(s->v->params, a, &p, e) < 0)
		return -1;
	doc = json_pack("{s:s}", "context", p.name);
	text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;
	*ret = (struct build_result){
		.digest = "", .data = text ? arena_strdup(a, text) : NULL, .chain = "", .blob = ""};
	return ret->data ? 0 : err_errno(e, ENOMEM, "opening a context");
}

static int git_execute(const struct build_step *s, struct build_job *job, struct arena *a,
		       struct build_result *ret, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, 0,
		       "this version fetches nothing from a git repository yet: put the files into "
		       "the context");
}

static const struct build_op op_scratch = {.type = OP_SCRATCH,
					   .version = 1,
					   .flags = BUILD_OP_NOT_CACHED | BUILD_OP_INLINE,
					   .execute = scratch_execute};
static const struct build_op op_image = {.type = OP_IMAGE,
					 .version = 1,
					 .flags = BUILD_OP_NOT_CACHED | BUILD_OP_INLINE,
					 .execute = image_execute,
					 .hold = build_hold_layer};
static const struct build_op op_local = {.type = OP_LOCAL,
					 .version = 1,
					 .flags = BUILD_OP_NOT_CACHED | BUILD_OP_INLINE,
					 .execute = local_execute};
static const struct build_op op_git = {.type = OP_GIT,
				       .version = 1,
				       .flags = BUILD_OP_NOT_CACHED | BUILD_OP_INLINE,
				       .execute = git_execute};

const struct build_op *const build_ops[] = {&op_scratch,     &op_image,     &op_local,
					    &build_op_http,  &op_git,       &build_op_copy,
					    &build_op_mkdir, &build_op_run, NULL};

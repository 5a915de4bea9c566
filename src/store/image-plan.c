/* SPDX-License-Identifier: Apache-2.0 */
/* Which layers an image needs, and where each comes from: (1) the chain is in the store; (2) the
 * same difference is in the store under another chain, and its tree can be shared; (3) it was
 * unpacked while it came by; (4) it is unpacked now. Found layers are held by the lease before
 * they are looked at again, so that the collector does not take them in between. */
#include "store/image-loader.h"

#include "base/fd.h"
#include "base/trace.h"
#include "store/content.h"
#include "unpack/unpack-client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

int loader_add_tree(struct loader *l, const struct loader_tree *tree, struct err *e)
{
	if (l->n_trees == l->cap_trees) {
		size_t cap = l->cap_trees ? 2 * l->cap_trees : 16;
		struct loader_tree *v = reallocarray(l->trees, cap, sizeof(*v));

		if (!v)
			return err_errno(e, ENOMEM, "importing a layer");
		l->trees = v;
		l->cap_trees = cap;
	}
	l->trees[l->n_trees++] = *tree;
	return 0;
}

const struct loader_tree *loader_find_tree(const struct loader *l, const struct digest *blob)
{
	for (size_t i = 0; i < l->n_trees; i++)
		if (digest_eq(&l->trees[i].blob, blob))
			return &l->trees[i];
	return NULL;
}

static const struct loader_layer *loader_find_layer(const struct loader *l,
						    const struct digest *chain)
{
	for (size_t i = 0; i < l->n_layers; i++)
		if (digest_eq(&l->layers[i].chain, chain))
			return &l->layers[i];
	return NULL;
}

static int loader_add_layer(struct loader *l, const struct loader_layer *layer, struct err *e)
{
	if (l->n_layers == l->cap_layers) {
		size_t cap = l->cap_layers ? 2 * l->cap_layers : 16;
		struct loader_layer *v = reallocarray(l->layers, cap, sizeof(*v));

		if (!v)
			return err_errno(e, ENOMEM, "importing a layer");
		l->layers = v;
		l->cap_layers = cap;
	}
	l->layers[l->n_layers++] = *layer;
	return 0;
}

/* A published layer by its chain, or with BY_DIFF any with this diff ID: 1 and its chain, snapshot
 * and size in RET; 0; -1. */
static int loader_stored(struct loader *l, const char *key, bool by_diff, struct loader_layer *ret,
			 struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	_cleanup_(fd_close) int fd = -1;
	struct store *s = l->store;
	int r = by_diff ? db_row(s->db, &st, e,
				 "SELECT chain, snapshot, size FROM layers WHERE diff=? LIMIT 1",
				 "t", key)
			: db_row(s->db, &st, e,
				 "SELECT chain, snapshot, size FROM layers WHERE chain=?", "t",
				 key);

	if (r <= 0)
		return r;
	snprintf(ret->chain.text, sizeof(ret->chain.text), "%s", db_text(st, 0));
	snprintf(ret->snapshot, sizeof(ret->snapshot), "%s", db_text(st, 1));
	ret->size = (uint64_t)sqlite3_column_int64(st, 2);
	fd = snapshot_open_dir(s->snapshots, ret->snapshot, "fs", O_PATH);
	return fd >= 0;
}

static int loader_hold(struct loader *l, const char *key, bool by_diff, struct loader_layer *ret,
		       struct err *e)
{
	int r = loader_stored(l, key, by_diff, ret, e);

	if (r <= 0)
		return r;
	if (store_lease_hold(l->store, "chain", ret->chain.text, e) < 0)
		return -1;
	return loader_stored(l, ret->chain.text, false, ret, e);
}

/* (1) and (2). */
static int loader_reuse(struct loader *l, struct loader_layer *layer, struct err *e)
{
	struct loader_layer found = *layer;
	int r = loader_hold(l, layer->chain.text, false, &found, e);

	if (r < 0)
		return -1;
	layer->published = r > 0;
	if (r == 0 && l->store->driver->whiteouts_kept)
		r = loader_hold(l, layer->diff.text, true, &found, e);
	if (r > 0) {
		memcpy(layer->snapshot, found.snapshot, sizeof(layer->snapshot));
		layer->size = found.size;
	}
	return r;
}

static int loader_unpack_into(struct loader *l, int input, int target, struct unpack_result *ret,
			      struct err *e)
{
	struct unpack_request req = {
		.input = input,
		.target = target,
		.mode = l->store->driver->whiteouts_kept ? UNPACK_OVERLAY : UNPACK_APPLY,
		.limits = UNPACK_LIMITS_DEFAULT,
	};
	int program = loader_program(l->store, e);

	return program < 0 ? -1 : unpack_in_child(program, &req, ret, e);
}

int loader_unpack_blob(struct loader *l, const struct digest *blob, const char *parent,
		       struct loader_tree *ret, struct err *e)
{
	_cleanup_(fd_close) int input = content_open(&l->store->content, blob, e);
	struct loader_tree tree = {.blob = *blob};
	_cleanup_(fd_close) int target = -1;
	struct unpack_result result;

	if (input < 0)
		return -1;
	target = snapshot_layer_begin(l->store, parent, tree.snapshot, e);
	if (target < 0)
		return -1;
	if (loader_unpack_into(l, input, target, &result, e) < 0) {
		snapshot_layer_abort(l->store, tree.snapshot);
		return err_wrap(e, "unpacking layer %s", blob->text);
	}
	digest_from_hash(result.diff_id, &tree.diff);
	tree.size = result.bytes;
	TRACE("layer unpacked");
	*ret = tree;
	return 0;
}

/* (3) and (4). */
static int loader_make(struct loader *l, const struct image_layer *want, const char *parent,
		       struct loader_layer *layer, struct err *e)
{
	const struct loader_tree *tree = loader_find_tree(l, &want->blob);
	struct loader_tree made;

	if (!tree) {
		if (loader_unpack_blob(l, &want->blob, parent, &made, e) < 0)
			return -1;
		if (l->store->driver->whiteouts_kept && loader_add_tree(l, &made, e) < 0)
			return -1;
		tree = &made;
	}
	if (!digest_eq(&tree->diff, &want->diff_id))
		return err_set(e, ERR_CORRUPT, 0,
			       "layer %s has the diff ID %s, and the image's configuration says %s",
			       want->blob.text, tree->diff.text, want->diff_id.text);
	memcpy(layer->snapshot, tree->snapshot, sizeof(layer->snapshot));
	layer->size = tree->size;
	layer->ours = true;
	return 0;
}

int loader_plan(struct loader *l, const struct image_entry *img, struct err *e)
{
	struct digest chain = DIGEST_NONE;
	char parent[SNAPSHOT_ID_SIZE] = "";

	for (size_t i = 0; i < img->n_layers; i++) {
		struct loader_layer layer = {.diff = img->layers[i].diff_id, .parent = chain};
		const struct loader_layer *known;
		int r;

		digest_chain_next(&chain, &layer.diff, &layer.chain);
		chain = layer.chain;
		known = loader_find_layer(l, &chain);
		if (known) {
			memcpy(parent, known->snapshot, sizeof(parent));
			continue;
		}
		r = loader_reuse(l, &layer, e);
		if (r == 0)
			r = loader_make(l, &img->layers[i], parent[0] ? parent : NULL, &layer, e);
		if (r < 0 || loader_add_layer(l, &layer, e) < 0)
			return -1;
		memcpy(parent, layer.snapshot, sizeof(parent));
	}
	return 0;
}

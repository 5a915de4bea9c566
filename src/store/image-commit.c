/* SPDX-License-Identifier: Apache-2.0 */
/* The changes are listed first, then written as a gzip'd tar into one blob, which is unpacked on
 * its way in as any layer that is loaded: so what the store has of it is what other stores will
 * have. The same files give the same bytes. */
#include "store/image-commit.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "codec/sink.h"
#include "oci/image-config.h"
#include "oci/media-type.h"
#include "store/content.h"
#include "store/change-list.h"
#include "store/image-internal.h"
#include "store/image-loader.h"
#include "store/tree-tar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The fastest: somebody waits, and the layer lies beside its own files. */
enum { GZIP_LEVEL = 1 };

/* ---- the layer ---- */

/* Bytes into a blob. */
struct blob_sink {
	struct sink sink; /* first */
	struct loader *loader;
	struct content_writer *writer;
};

static int blob_write(struct sink *s, const void *data, size_t n, struct err *e)
{
	struct blob_sink *b = (struct blob_sink *)s;

	return b->loader->sink.ops->write(b->writer, data, n, e);
}

static int write_layer(struct store *s, const struct image_commit *o, const struct change_list *c,
		       struct blob_sink *blob, struct image_layer *ret, struct err *e)
{
	_cleanup_(sink_freep) struct sink *gzip = sink_gzip(&blob->sink, GZIP_LEVEL, e);
	_cleanup_(sink_freep) struct sink *tee = gzip ? sink_tee(gzip, e) : NULL;
	_cleanup_(fd_close) int tree = tee ? snapshot_changed_tree(s, o->snapshot, e) : -1;
	unsigned char sum[SHA256_SIZE];

	if (tree < 0 || tree_tar_write_changes(tree, c->v, c->n, tee, e) < 0 ||
	    sink_finish(tee, e) < 0 || sink_finish(gzip, e) < 0)
		return -1;
	sink_tee_result(tee, sum, NULL);
	digest_from_hash(sum, &ret->diff_id);
	return FAILPOINT("store.commit.layer", e);
}

static int make_layer(struct loader *l, const struct image_commit *o, const struct change_list *c,
		      struct image_layer *ret, struct err *e)
{
	static const struct sink_ops ops = {.write = blob_write};
	struct blob_sink blob = {.sink = {&ops}, .loader = l};
	uint64_t size = 0;

	blob.writer = l->sink.ops->begin(&l->sink, -1, e);
	if (!blob.writer)
		return -1;
	if (write_layer(l->store, o, c, &blob, ret, e) < 0) {
		l->sink.ops->abort(blob.writer);
		return -1;
	}
	if (l->sink.ops->commit(blob.writer, NULL, &ret->blob, &size, e) < 0)
		return -1;
	ret->size = (int64_t)size;
	ret->media_type = media_type_of_layer(MEDIA_GZIP);
	return 0;
}

/* ---- the documents ---- */

/* What the parent is: its configuration into C and its layers into RET. */
static int read_parent(struct loader *l, const char *id, struct image_set *set,
		       struct image_config *c, struct image_entry **ret, struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	struct digest manifest;

	if (image_resolve(l->store, id, 0, &img, e) < 0 || image_hold(l->store, img.id, e) < 0 ||
	    image_config_parse(img.config, img.config_len, c, e) < 0 ||
	    digest_parse(img.digest, &manifest, e) < 0)
		return -1;
	return image_set_add(set, &l->sink, &manifest, NULL, ret, e);
}

static int put_config(struct loader *l, const struct image_commit *o, struct image_config *c,
		      const struct digest *diff, struct image_entry *image, struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(IMAGE_CONFIG_SIZE_MAX);
	struct image_history h = {
		.created_by = o->created_by, .author = o->author, .comment = o->comment};
	char now[CLOCK_TEXT_SIZE];

	c->created = h.created = arena_strdup(&c->arena, clock_format(clock_now(), now));
	c->author = o->author;
	c->comment = o->comment;
	if (!c->created)
		return err_errno(e, ENOMEM, "making the configuration");
	if (o->configure(o->arg, c, e) < 0 || image_config_add_layer(c, diff, &h, e) < 0 ||
	    image_config_write(c, &b, e) < 0 ||
	    content_sink_put(&l->sink, buf_str(&b), b.len, &image->config, e) < 0)
		return -1;
	image->config_size = (int64_t)b.len;
	return FAILPOINT("store.commit.config", e);
}

/* The parent's layers and, where LAYER is not NULL, one more. */
static int join_layers(struct image_config *c, const struct image_entry *parent,
		       const struct image_layer *layer, struct image_entry *ret, struct err *e)
{
	size_t n = parent ? parent->n_layers : 0;

	ret->layers = arena_array(&c->arena, n + 1, sizeof(*ret->layers));
	if (!ret->layers)
		return err_errno(e, ENOMEM, "joining layers");
	if (n > 0)
		memcpy(ret->layers, parent->layers, n * sizeof(*ret->layers));
	if (layer)
		ret->layers[n++] = *layer;
	ret->n_layers = n;
	return 0;
}

static int commit_image(struct loader *l, const struct image_commit *o, struct image_set *set,
			struct image_config *c, struct err *e)
{
	_cleanup_(image_set_done) struct image_set parents = IMAGE_SET_INIT;
	_cleanup_(change_list_done) struct change_list changes = CHANGE_LIST_INIT;
	struct image_entry image = {.n_layers = 0}, *parent = NULL, *entry = NULL;
	struct image_layer layer = {.size = 0};
	struct digest manifest;
	int r;

	if (o->parent ? read_parent(l, o->parent, &parents, c, &parent, e) < 0
		      : (platform_host(&c->platform), false))
		return -1;
	r = change_list_fill(&changes, l->store, o->snapshot, o->ignored, e);
	if (r == 0 && changes.n > 0)
		r = make_layer(l, o, &changes, &layer, e);
	if (o->read)
		o->read(o->arg);
	if (r < 0 || join_layers(c, parent, changes.n ? &layer : NULL, &image, e) < 0 ||
	    put_config(l, o, c, changes.n ? &layer.diff_id : NULL, &image, e) < 0 ||
	    image_make_manifest(&l->sink, &image, &manifest, e) < 0)
		return -1;
	return image_set_add(set, &l->sink, &manifest, NULL, &entry, e);
}

static int commit_run(struct loader *l, const struct image_commit *o, struct image_set *set,
		      struct err *e)
{
	_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT;
	struct reference name;

	if (o->name && reference_parse_tagged(o->name, &name, e) < 0)
		return -1;
	if (commit_image(l, o, set, &c, e) < 0 ||
	    (o->name && image_set_name(set, &set->images[0], &name, e) < 0))
		return -1;
	return loader_load(l, set, e);
}

int image_commit(struct store *s, const struct image_commit *o, char ret_id[IMAGE_ID_SIZE],
		 struct err *e)
{
	_cleanup_(image_set_done) struct image_set set = IMAGE_SET_INIT;
	_cleanup_(loader_done) struct loader l;

	loader_init(&l, s);
	if (commit_run(&l, o, &set, e) < 0)
		return loader_fail(s);
	snprintf(ret_id, IMAGE_ID_SIZE, "%s", set.images[0].config.text);
	return 0;
}

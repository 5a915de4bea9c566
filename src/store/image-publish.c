/* SPDX-License-Identifier: Apache-2.0 */
/* Publication: all bytes reach the disk (one syncfs), then one durable transaction writes every
 * row and ends the lease. Before its commit nothing is visible, after it everything is. */
#include "store/image-loader.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/trace.h"
#include "oci/image-config.h"
#include "store/content.h"
#include "store/image-internal.h"

#include <errno.h>

/* Another process may have published the same chain meanwhile: then its row stays and our tree goes
 * with the lease. */
static int publish_layer(struct loader *l, const struct loader_layer *layer, struct err *e)
{
	_cleanup_(db_end) sqlite3_stmt *st = NULL;
	struct store *s = l->store;
	const char *parent = digest_is_set(&layer->parent) ? layer->parent.text : NULL;
	int64_t n = 0;

	if (layer->published)
		return 0;
	if (db_run(s->db, &n, e, "INSERT OR IGNORE INTO layers VALUES(?, ?, ?, ?, ?)", "tttti",
		   layer->chain.text, layer->diff.text, parent, layer->snapshot,
		   (int64_t)layer->size) < 0)
		return -1;
	if (n == 0 || !layer->ours)
		return 0;
	/* Two chains of one import may share a tree. */
	if (db_row(s->db, &st, e, "SELECT lease FROM snapshots WHERE id=? AND lease IS NOT NULL",
		   "t", layer->snapshot) <= 0)
		return 0;
	db_end(&st);
	return snapshot_layer_commit(s, layer->snapshot, e);
}

static int publish_blob(struct loader *l, const char *image, const struct digest *d, struct err *e)
{
	uint64_t size = 0;

	if (content_stat(&l->store->content, d, &size, e) < 0 ||
	    content_publish(&l->store->content, d->text, size, e) < 0)
		return -1;
	return db_run(l->store->db, NULL, e, "INSERT OR IGNORE INTO image_blobs VALUES(?, ?)", "tt",
		      image, d->text);
}

static int publish_blobs(struct loader *l, const struct image_entry *img, struct err *e)
{
	const char *id = img->config.text;

	if (publish_blob(l, id, &img->manifest, e) < 0 || publish_blob(l, id, &img->config, e) < 0)
		return -1;
	for (size_t i = 0; i < img->n_layers; i++)
		if (publish_blob(l, id, &img->layers[i].blob, e) < 0)
			return -1;
	return 0;
}

/* Size and chain ID of the layers. */
static uint64_t publish_measure(const struct loader *l, const struct image_entry *img,
				struct digest *ret_chain)
{
	uint64_t size = 0;

	*ret_chain = DIGEST_NONE;
	for (size_t i = 0; i < img->n_layers; i++) {
		digest_chain_next(ret_chain, &img->layers[i].diff_id, ret_chain);
		for (size_t j = 0; j < l->n_layers; j++)
			if (digest_eq(&l->layers[j].chain, ret_chain))
				size += l->layers[j].size;
	}
	return size;
}

static int publish_row(struct loader *l, const struct image_entry *img, const char *config,
		       int64_t created, struct err *e)
{
	struct digest chain;
	uint64_t size = publish_measure(l, img, &chain);
	int64_t now = clock_now();

	return db_run(l->store->db, NULL, e,
		      "INSERT INTO images VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)"
		      " ON CONFLICT(id) DO UPDATE SET digest=excluded.digest",
		      "tttttttiiii", img->config.text, img->manifest.text,
		      digest_is_set(&chain) ? chain.text : NULL, config, img->platform.os,
		      img->platform.architecture, img->platform.variant, created, now,
		      (int64_t)size, (int64_t)img->n_layers);
}

static int publish_image(struct loader *l, const struct image_entry *img, struct err *e)
{
	_cleanup_(image_config_done) struct image_config c = IMAGE_CONFIG_INIT;
	_cleanup_(freep) char *config = NULL;
	int64_t created = 0;
	size_t n = 0;

	if (content_read(&l->store->content, &img->config, IMAGE_CONFIG_SIZE_MAX, &config, &n, e) <
		    0 ||
	    image_config_parse(config, n, &c, e) < 0)
		return -1;
	if (c.created)
		clock_parse(c.created, &created);
	if (publish_row(l, img, config, created, e) < 0 || publish_blobs(l, img, e) < 0)
		return -1;
	for (size_t i = 0; i < img->n_names; i++)
		if (image_name_set(l->store, &img->names[i], img->config.text, img->manifest.text,
				   e) < 0)
			return -1;
	return 0;
}

static int publish_all(struct loader *l, const struct image_set *set, struct err *e)
{
	for (size_t i = 0; i < l->n_layers; i++)
		if (publish_layer(l, &l->layers[i], e) < 0)
			return -1;
	for (size_t i = 0; i < set->n_images; i++)
		if (publish_image(l, &set->images[i], e) < 0)
			return err_wrap(e, "image %s", set->images[i].config.text);
	if (FAILPOINT("store.publish.rows", e) < 0)
		return -1;
	return store_lease_release(l->store, l->store->lease, e);
}

int loader_publish(struct loader *l, const struct image_set *set, struct err *e)
{
	struct store *s = l->store;

	if (FAILPOINT("store.publish.before_sync", e) < 0 || store_sync(s, e) < 0)
		return -1;
	TRACE("store synced");
	if (FAILPOINT("store.publish.after_sync", e) < 0 || db_begin(s->db, true, e) < 0)
		return -1;
	if (publish_all(l, set, e) < 0) {
		db_abort(s->db);
		return err_wrap(e, "publishing");
	}
	if (db_commit(s->db, e) < 0)
		return err_wrap(e, "publishing");
	TRACE("images published");
	if (FAILPOINT("store.publish.after_commit", e) < 0)
		return -1;
	snapshot_sweep(s, NULL);
	store_maintain(s);
	return 0;
}

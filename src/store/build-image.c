/* SPDX-License-Identifier: Apache-2.0 */
/* The layers exist already, trees and blobs: what is left are two documents and the rows. */
#include "store/build-image.h"

#include "base/failpoint.h"
#include "base/buf.h"
#include "base/str.h"
#include "base/trace.h"
#include "image/content-sink.h"
#include "oci/image-config.h"
#include "oci/manifest.h"
#include "store/image-internal.h"
#include "store/image-loader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int hold_layers(struct store *s, const struct image_layer *v, size_t n, struct err *e)
{
	struct digest chain = DIGEST_NONE;

	for (size_t i = 0; i < n; i++) {
		digest_chain_next(&chain, &v[i].diff_id, &chain);
		if (store_lease_hold(s, "chain", chain.text, e) < 0 ||
		    store_lease_hold(s, "blob", v[i].blob.text, e) < 0)
			return -1;
	}
	return 0;
}

static int read_layers(struct loader *l, const char *id, struct image_set *set,
		       struct image_entry **ret, struct err *e)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	struct digest manifest;

	if (image_resolve(l->store, id, 0, &img, e) < 0 || image_hold(l->store, img.id, e) < 0 ||
	    digest_parse(img.digest, &manifest, e) < 0)
		return -1;
	return image_set_add(set, &l->sink, &manifest, NULL, ret, e);
}

int build_image_layers(struct store *s, const char *id, struct arena *a, struct image_layer **ret,
		       size_t *ret_n, struct err *e)
{
	_cleanup_(image_set_done) struct image_set set = IMAGE_SET_INIT;
	_cleanup_(loader_done) struct loader l;
	struct image_entry *entry = NULL;
	struct image_layer *v;

	loader_init(&l, s);
	if (read_layers(&l, id, &set, &entry, e) < 0)
		return -1;
	v = arena_array(a, entry->n_layers, sizeof(*v));
	if (!v)
		return err_errno(e, ENOMEM, "reading the layers of an image");
	for (size_t i = 0; i < entry->n_layers; i++) {
		v[i] = entry->layers[i];
		v[i].media_type = arena_strdup(a, v[i].media_type);
		if (!v[i].media_type)
			return err_errno(e, ENOMEM, "reading the layers of an image");
	}
	if (hold_layers(s, v, entry->n_layers, e) < 0)
		return -1;
	*ret = v;
	*ret_n = entry->n_layers;
	return 0;
}

/* What its manifest is made of but the digest of the configuration; layers are those of O. */
static struct image_entry entry_of(const struct build_image *o)
{
	return (struct image_entry){.layers = (struct image_layer *)(uintptr_t)o->layers,
				    .n_layers = o->n_layers,
				    .config_size = (int64_t)o->n_config,
				    .annotations = o->annotations,
				    .n_annotations = o->n_annotations};
}

static int make(struct loader *l, const struct build_image *o, struct image_set *set, struct err *e)
{
	struct image_entry image = entry_of(o), *entry = NULL;
	struct digest manifest;

	if (content_sink_put(&l->sink, o->config, o->n_config, &image.config, e) < 0)
		return -1;
	if (image_make_manifest(&l->sink, &image, &manifest, e) < 0 ||
	    image_set_add(set, &l->sink, &manifest, NULL, &entry, e) < 0)
		return -1;
	for (const char *const *p = o->names; p && *p; p++) {
		struct reference name;

		if (reference_parse_tagged(*p, &name, e) < 0 ||
		    image_set_name(set, entry, &name, e) < 0)
			return -1;
	}
	return FAILPOINT("store.build.image", e) < 0 ? -1 : loader_load(l, set, e);
}

/* Whether the store has this very image under all names that it is to have. Then nothing has to be
 * written, and no disk waited for. */
static bool is_there(struct store *s, const struct build_image *o, const struct digest *id,
		     struct digest *ret_manifest)
{
	_cleanup_(image_done) struct image img = IMAGE_INIT;
	_cleanup_(buf_done) struct buf text = BUF_INIT(MANIFEST_SIZE_MAX);
	struct image_entry entry = entry_of(o);
	struct err ignored = ERR_INIT;

	entry.config = *id;
	if (image_resolve(s, id->text, 0, &img, &ignored) < 0 || !str_eq(img.id, id->text) ||
	    image_write_manifest(&entry, &text, &ignored) < 0)
		return false;
	digest_of(text.data, text.len, ret_manifest);
	if (!str_eq(img.digest, ret_manifest->text))
		return false;
	for (const char *const *p = o->names; p && *p; p++) {
		_cleanup_(image_done) struct image named = IMAGE_INIT;
		char full[REFERENCE_TEXT_SIZE];
		struct reference name;

		if (reference_parse_tagged(*p, &name, &ignored) < 0 ||
		    image_resolve(s, reference_text(&name, full), 0, &named, &ignored) < 0 ||
		    !str_eq(named.id, id->text))
			return false;
	}
	return true;
}

int build_image_make(struct store *s, const struct build_image *o, char ret_id[IMAGE_ID_SIZE],
		     struct digest *ret_digest, struct err *e)
{
	_cleanup_(image_set_done) struct image_set set = IMAGE_SET_INIT;
	_cleanup_(loader_done) struct loader l = {.store = NULL};
	struct digest id, manifest;

	digest_of(o->config, o->n_config, &id);
	if (is_there(s, o, &id, &manifest)) {
		snprintf(ret_id, IMAGE_ID_SIZE, "%s", id.text);
		if (ret_digest)
			*ret_digest = manifest;
		return 0;
	}
	loader_init(&l, s);
	if (make(&l, o, &set, e) < 0)
		return err_wrap(e, "making the image");
	TRACE("image made");
	snprintf(ret_id, IMAGE_ID_SIZE, "%s", set.images[0].config.text);
	if (ret_digest)
		*ret_digest = set.images[0].manifest;
	return 0;
}

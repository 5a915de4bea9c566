/* SPDX-License-Identifier: Apache-2.0 */
#include "remote/pull.h"

#include "oci/index.h"
#include "oci/manifest.h"
#include "oci/media-type.h"
#include "remote/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct pull {
	struct remote *r;
	struct content_sink *sink;
	const struct platform *want;
	const struct remote_progress *progress;
	struct index_visits visits;
	int depth;
};

static void tell(const struct remote_progress *p, const struct digest *layer, enum remote_step step,
		 int64_t n, int64_t size)
{
	if (p && p->step)
		p->step(p->arg, layer, step, n, size);
}

/* ---- documents ---- */

static int foreign(const char *type, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED, 0, "it is no image that can run (%.100s)",
		       *type ? type : "of unknown type");
}

static int pull_image(struct pull *p, const char *data, size_t n, const char *type, struct err *e)
{
	_cleanup_(manifest_done) struct manifest m = MANIFEST_INIT;
	_cleanup_(freep) struct fetch_blob *blobs = NULL;

	if (manifest_parse(data, n, type, &m, e) < 0)
		return -1;
	if (!manifest_is_image(&m))
		return foreign(m.artifact_type ? m.artifact_type : m.config.media_type, e);
	for (size_t i = 0; i < m.n_layers; i++) {
		if (media_type_find(m.layers[i].media_type)->foreign)
			return err_set(e, ERR_UNSUPPORTED, 0,
				       "its layer %s is not distributed by registries",
				       m.layers[i].digest.text);
		tell(p->progress, &m.layers[i].digest, REMOTE_LAYER, 0, m.layers[i].size);
	}
	blobs = calloc(m.n_layers + 1, sizeof(*blobs));
	if (!blobs)
		return err_errno(e, ENOMEM, "pulling an image");
	blobs[0].descriptor = &m.config;
	for (size_t i = 0; i < m.n_layers; i++)
		blobs[i + 1] = (struct fetch_blob){&m.layers[i], true};
	return remote_fetch_blobs(p->r, p->sink, blobs, m.n_layers + 1, p->progress, e);
}

/* A document to fetch, and what is known of it. */
struct wanted {
	const char *ref;             /* a tag, or NULL: by its digest */
	const struct digest *digest; /* or NULL */
	const char *type;            /* or NULL */
	int64_t size;                /* or -1 */
};

static int pull_document(struct pull *p, const struct wanted *w, struct digest *ret_top,
			 struct digest *ret_image, struct err *e);

static int pull_index(struct pull *p, const struct remote_document *doc, const char *type,
		      struct digest *ret_image, struct err *e)
{
	_cleanup_(index_done) struct index x = INDEX_INIT;
	_cleanup_(freep) size_t *order = NULL;
	char text[PLATFORM_TEXT_SIZE];
	const struct descriptor *best;
	struct digest ignored;

	if (++p->depth > INDEX_DEPTH_MAX)
		return err_set(e, ERR_LIMIT, 0, "indexes are nested too deeply");
	if (index_parse(doc->data, doc->n, type, &x, e) < 0)
		return -1;
	order = calloc(x.n_manifests + 1, sizeof(*order));
	if (!order)
		return err_errno(e, ENOMEM, "choosing a platform");
	if (index_select(&x, p->want, order) == 0)
		return err_set(e, ERR_NOT_FOUND, 0,
			       "no matching manifest for %s in the manifest list entries",
			       platform_text(p->want, text));
	best = &x.manifests[order[0]];
	return pull_document(p, &(struct wanted){NULL, &best->digest, best->media_type, best->size},
			     &ignored, ret_image, e);
}

static int pull_document(struct pull *p, const struct wanted *w, struct digest *ret_top,
			 struct digest *ret_image, struct err *e)
{
	_cleanup_(remote_document_done) struct remote_document doc = REMOTE_DOCUMENT_INIT;
	const char *name = w->digest ? w->digest->text : w->ref, *type = w->type;
	struct digest d;
	int r;

	if (remote_get_manifest(p->r, name, MANIFEST_SIZE_MAX, &doc, e) < 0)
		return -1;
	digest_of(doc.data, doc.n, &d);
	if ((w->digest && !digest_eq(&d, w->digest)) ||
	    (w->size >= 0 && (uint64_t)w->size != doc.n))
		return err_set(e, ERR_CORRUPT, 0, "manifest %s: what came is another document (%s)",
			       name, d.text);
	r = index_visit(&p->visits, &d, e);
	if (r <= 0)
		return r < 0 ? -1 : err_set(e, ERR_HOSTILE, 0, "an index that holds itself");
	if (content_sink_put(p->sink, doc.data, doc.n, ret_top, e) < 0)
		return -1;
	if (!type && doc.info.type[0])
		type = doc.info.type;
	if (media_type_find(type)->kind == MEDIA_INDEX)
		return pull_index(p, &doc, type, ret_image, e);
	*ret_image = d;
	return pull_image(p, doc.data, doc.n,
			  media_type_find(type)->kind == MEDIA_UNKNOWN ? NULL : type, e);
}

int remote_pull(struct remote *r, struct content_sink *sink, struct remote_image *image,
		struct image_set *set, struct err *e)
{
	_cleanup_(freep) struct pull *p = calloc(1, sizeof(*p));
	const struct reference *ref = image->ref;
	struct wanted w = {ref->tag, digest_is_set(&ref->digest) ? &ref->digest : NULL, NULL, -1};
	struct image_entry *entry;
	struct platform host;
	struct digest manifest;

	if (!p)
		return err_errno(e, ENOMEM, "pulling an image");
	platform_host(&host);
	p->r = r;
	p->sink = sink;
	p->want = image->want ? image->want : &host;
	p->progress = image->progress;
	if (pull_document(p, &w, &image->digest, &manifest, e) < 0)
		return -1;
	return image_set_add(set, sink, &manifest, NULL, &entry, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs first, then what names them, as registries want it. The pipe that one kogge-remote fills is
 * what the other one sends: a blob that breaks off is begun anew, some times. */
#include "remote/copy.h"

#include "base/fd.h"
#include "oci/index.h"
#include "oci/manifest.h"
#include "oci/media-type.h"

#include <errno.h>
#include <string.h>

enum { TRIES = 3 };

struct copying {
	struct remote_copy *c;
	int depth;
};

static void tell(const struct remote_copy *c, const struct descriptor *d, enum remote_step step)
{
	if (c->progress && c->progress->step)
		c->progress->step(c->progress->arg, &d->digest, step, d->size, d->size);
}

/* 1 where it was mounted, 0 sent. *RET_READ: why the source failed. */
static int copy_blob_once(struct remote_copy *c, const struct descriptor *d, struct err *ret_read,
			  struct err *e)
{
	const struct remote_range range = {.digest = &d->digest, .length = d->size, .all = true};
	_cleanup_(fd_close) int fd = remote_fetch(c->from, &range, 1, e);
	struct remote_blob blob = {&d->digest, d->size, fd, c->mount};
	struct err theirs = ERR_INIT;
	unsigned id = 0;
	int r;

	if (fd < 0)
		return -1;
	r = fd_nonblock(fd, false);
	if (r < 0)
		return err_errno(e, r, "copying a blob");
	r = remote_put_blob(c->to, &blob, e);
	fd_close(&fd);
	if (remote_take(c->from, &id, &theirs) < 0 && r < 0)
		*ret_read = theirs;
	return r;
}

/* A blob of no bytes cannot be asked for by a range. */
static int copy_empty(struct remote_copy *c, const struct descriptor *d, struct err *e)
{
	_cleanup_(fd_close) int fd = fd_memfd("empty", "", 0, true);
	struct remote_blob blob = {&d->digest, 0, fd, c->mount};

	return fd < 0 ? err_errno(e, fd, "making a buffer") : remote_put_blob(c->to, &blob, e);
}

static int copy_blob(struct remote_copy *c, const struct descriptor *d, struct err *e)
{
	struct remote_info info;
	int r = remote_head(c->to, "blobs", d->digest.text, &info, e);

	if (r < 0)
		return -1;
	if (r > 0) {
		tell(c, d, REMOTE_PRESENT);
		return 0;
	}
	for (int try = 0;; try++) {
		struct err why = ERR_INIT, read = ERR_INIT;

		r = d->size == 0 ? copy_empty(c, d, &why) : copy_blob_once(c, d, &read, &why);
		if (r >= 0)
			break;
		if (try + 1 < TRIES && (read.class == ERR_IO || why.class == ERR_IO))
			continue;
		*e = read.class != ERR_NONE && read.class != ERR_IO ? read : why;
		return err_wrap(e, "blob %s", d->digest.text);
	}
	tell(c, d, r ? REMOTE_ELSEWHERE : REMOTE_PUSHED);
	return 0;
}

static int copy_image(struct remote_copy *c, const struct remote_document *doc, const char *type,
		      struct err *e)
{
	_cleanup_(manifest_done) struct manifest m = MANIFEST_INIT;

	if (manifest_parse(doc->data, doc->n, type, &m, e) < 0)
		return -1;
	for (size_t i = 0; i < m.n_layers; i++)
		tell(c, &m.layers[i], REMOTE_LAYER);
	for (size_t i = 0; i < m.n_layers; i++)
		if (!media_type_find(m.layers[i].media_type)->foreign &&
		    copy_blob(c, &m.layers[i], e) < 0)
			return -1;
	return copy_blob(c, &m.config, e);
}

static int copy_document(struct copying *p, const char *ref, const char *to_ref,
			 const struct descriptor *want, struct err *e);

static int copy_index(struct copying *p, const struct remote_document *doc, const char *type,
		      struct err *e)
{
	_cleanup_(index_done) struct index x = INDEX_INIT;

	if (++p->depth > INDEX_DEPTH_MAX)
		return err_set(e, ERR_LIMIT, 0, "indexes are nested too deeply");
	if (index_parse(doc->data, doc->n, type, &x, e) < 0)
		return -1;
	for (size_t i = 0; i < x.n_manifests; i++)
		if (copy_document(p, x.manifests[i].digest.text, NULL, &x.manifests[i], e) < 0)
			return -1;
	p->depth--;
	return 0;
}

static int copy_document(struct copying *p, const char *ref, const char *to_ref,
			 const struct descriptor *want, struct err *e)
{
	_cleanup_(remote_document_done) struct remote_document doc = REMOTE_DOCUMENT_INIT;
	struct remote_copy *c = p->c;
	struct remote_info info;
	struct digest d, asked;
	const char *type;
	int r;

	/* What is there by its digest is there with all that it names. */
	if (want && !to_ref) {
		r = remote_head(c->to, "manifests", want->digest.text, &info, e);
		if (r != 0)
			return r < 0 ? -1 : 0;
	}
	if (remote_get_manifest(c->from, ref, MANIFEST_SIZE_MAX, &doc, e) < 0)
		return -1;
	digest_of(doc.data, doc.n, &d);
	if (digest_parse(ref, &asked, NULL) == 0 && !digest_eq(&asked, &d))
		return err_set(e, ERR_CORRUPT, 0, "manifest %s: what came is another document (%s)",
			       ref, d.text);
	type = want ? want->media_type : doc.info.type;
	r = media_type_find(type)->kind == MEDIA_INDEX ? copy_index(p, &doc, type, e)
						       : copy_image(c, &doc, type, e);
	if (r < 0)
		return -1;
	if (!want) {
		c->digest = d;
		c->size = (int64_t)doc.n;
		snprintf(c->type, sizeof(c->type), "%s", type);
	}
	return remote_put_manifest(c->to, to_ref ? to_ref : d.text, type, doc.data, doc.n, e);
}

int remote_copy(struct remote_copy *c, const char *ref, const char *to_ref, struct err *e)
{
	struct copying p = {.c = c};

	return copy_document(&p, ref, to_ref, NULL, e);
}

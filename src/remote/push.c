/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fd.h"
#include "oci/manifest.h"
#include "remote/pull.h"

#include <errno.h>
#include <stdlib.h>

static void tell(const struct remote_progress *p, const struct digest *layer, enum remote_step step,
		 int64_t size)
{
	if (p && p->step)
		p->step(p->arg, layer, step, size, size);
}

static int push_blob(struct remote *r, struct content_sink *blobs, const struct descriptor *d,
		     const char *from, const struct remote_progress *p, struct err *e)
{
	_cleanup_(fd_close) int fd = -1;
	struct remote_info info;
	uint64_t size;
	int done = remote_head(r, "blobs", d->digest.text, &info, e);

	if (done < 0)
		return -1;
	if (done > 0) {
		tell(p, &d->digest, REMOTE_PRESENT, d->size);
		return 0;
	}
	fd = blobs->ops->open(blobs, &d->digest, &size, e);
	if (fd < 0)
		return -1;
	done = remote_put_blob(r, &(struct remote_blob){&d->digest, (int64_t)size, fd, from}, e);
	if (done < 0)
		return err_wrap(e, "blob %s", d->digest.text);
	tell(p, &d->digest, done ? REMOTE_ELSEWHERE : REMOTE_PUSHED, d->size);
	return 0;
}

int remote_push(struct remote *r, struct content_sink *blobs, struct remote_upload *u,
		struct err *e)
{
	_cleanup_(manifest_done) struct manifest m = MANIFEST_INIT;
	_cleanup_(freep) char *data = NULL;
	size_t n;

	if (content_sink_read(blobs, u->manifest, MANIFEST_SIZE_MAX, &data, &n, e) < 0 ||
	    manifest_parse(data, n, NULL, &m, e) < 0)
		return -1;
	for (size_t i = 0; i < m.n_layers; i++)
		tell(u->progress, &m.layers[i].digest, REMOTE_LAYER, m.layers[i].size);
	for (size_t i = 0; i < m.n_layers; i++)
		if (push_blob(r, blobs, &m.layers[i], u->from, u->progress, e) < 0)
			return -1;
	if (push_blob(r, blobs, &m.config, u->from, NULL, e) < 0)
		return -1;
	u->size = (int64_t)n;
	return remote_put_manifest(r, u->ref, m.media_type, data, n, e);
}

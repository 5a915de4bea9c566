/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs, several at once, and then the manifest that names them. Each blob is asked for first, and
 * sent only where the registry has not got it. States of a blob: WAITING (nothing asked), ASKED (a
 * HEAD is under way), SENDING, DONE. An answer's ID is the blob's place and one. */
#include "base/fd.h"
#include "oci/manifest.h"
#include "remote/pull.h"
#include "remote/remote-protocol.h"

#include <errno.h>
#include <stdlib.h>

enum state { WAITING, ASKED, SENDING, DONE };

struct blob {
	const struct descriptor *d;
	bool layer;
	enum state state;
};

struct push {
	struct remote *r;
	struct content_sink *sink;
	const struct remote_upload *u;
	struct blob *blobs;
	size_t n, running;
};

static void tell(const struct push *p, const struct blob *b, enum remote_step step, int64_t n)
{
	const struct remote_progress *progress = p->u->progress;

	if (b->layer && progress && progress->step)
		progress->step(progress->arg, &b->d->digest, step, n, b->d->size);
}

static void settle(struct push *p, struct blob *b, enum remote_step step)
{
	b->state = DONE;
	tell(p, b, step, b->d->size);
}

/* Each digest once. */
static void add(struct push *p, const struct descriptor *d, bool layer)
{
	for (size_t i = 0; i < p->n; i++)
		if (digest_eq(&p->blobs[i].d->digest, &d->digest))
			return;
	p->blobs[p->n++] = (struct blob){.d = d, .layer = layer};
	tell(p, &p->blobs[p->n - 1], REMOTE_LAYER, 0);
}

static int ask(struct push *p, struct blob *b, struct err *e)
{
	b->state = ASKED;
	p->running++;
	return remote_begin_head(p->r, &b->d->digest, (unsigned)(b - p->blobs) + 1, e);
}

static int send_blob(struct push *p, struct blob *b, struct err *e)
{
	struct remote_blob out = {.digest = &b->d->digest, .from = p->u->from};
	_cleanup_(fd_close) int fd = -1;
	uint64_t size;

	fd = p->sink->ops->open(p->sink, &b->d->digest, &size, e);
	if (fd < 0)
		return -1;
	out.fd = fd;
	out.size = (int64_t)size;
	b->state = SENDING;
	p->running++;
	tell(p, b, REMOTE_PUSHING, 0);
	return remote_begin_put(p->r, &out, (unsigned)(b - p->blobs) + 1, e);
}

/* The answer about B: R of remote_take. */
static int handle(struct push *p, struct blob *b, int r, const struct err *why, struct err *e)
{
	p->running--;
	if (b->state == ASKED && r < 0 && why->class == ERR_NOT_FOUND)
		return send_blob(p, b, e);
	if (r < 0) {
		*e = *why;
		return err_wrap(e, "blob %s", b->d->digest.text);
	}
	settle(p, b,
	       b->state == ASKED     ? REMOTE_PRESENT
	       : r == REMOTE_MOUNTED ? REMOTE_ELSEWHERE
				     : REMOTE_PUSHED);
	return 0;
}

static int take_answer(struct push *p, struct err *e)
{
	struct err why = ERR_INIT;
	unsigned id;
	int r = remote_take(p->r, &id, &why);
	struct blob *b = id > 0 && id <= p->n ? &p->blobs[id - 1] : NULL;

	if (b && (b->state == ASKED || b->state == SENDING))
		return handle(p, b, r, &why, e);
	if (r >= 0)
		err_set(&why, ERR_INTERNAL, 0, "kogge-remote gave a malformed answer");
	*e = why;
	return -1;
}

/* The first one alone: how the registry wants to be asked is known to all others then. */
static int push_first(struct push *p, struct blob *b, struct err *e)
{
	struct remote_info info;
	int there = remote_head(p->r, "blobs", b->d->digest.text, &info, e);

	if (there < 0)
		return err_wrap(e, "blob %s", b->d->digest.text);
	if (there == 0)
		return send_blob(p, b, e);
	settle(p, b, REMOTE_PRESENT);
	return 0;
}

static int push_all(struct push *p, struct err *e)
{
	size_t next = 1;

	if (push_first(p, &p->blobs[0], e) < 0)
		return -1;
	while (next < p->n || p->running > 0) {
		while (next < p->n && p->running < REMOTE_PARALLEL)
			if (ask(p, &p->blobs[next++], e) < 0)
				return -1;
		if (take_answer(p, e) < 0)
			return -1;
	}
	return 0;
}

int remote_push(struct remote *r, struct content_sink *blobs, struct remote_upload *u,
		struct err *e)
{
	_cleanup_(manifest_done) struct manifest m = MANIFEST_INIT;
	_cleanup_(freep) char *data = NULL;
	_cleanup_(freep) struct blob *all = NULL;
	struct push p = {.r = r, .sink = blobs, .u = u};
	size_t n;

	if (content_sink_read(blobs, u->manifest, MANIFEST_SIZE_MAX, &data, &n, e) < 0 ||
	    manifest_parse(data, n, NULL, &m, e) < 0)
		return -1;
	p.blobs = all = calloc(m.n_layers + 1, sizeof(*all));
	if (!all)
		return err_errno(e, ENOMEM, "pushing");
	for (size_t i = 0; i < m.n_layers; i++)
		add(&p, &m.layers[i], true);
	add(&p, &m.config, false);
	if (push_all(&p, e) < 0)
		return -1;
	u->size = (int64_t)n;
	return remote_put_manifest(r, u->ref, m.media_type, data, n, e);
}

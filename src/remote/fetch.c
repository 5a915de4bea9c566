/* SPDX-License-Identifier: Apache-2.0 */
/* A loop over the pipes that kogge-remote fills, its answers, and the programs that unpack. States
 * of a blob: WAITING (nothing asked for), COMING (its writer exists), DONE. A transfer is one part
 * of one blob, asked for with one request; it has ended when the pipe has and the answer is there.
 * Parts go into the sink at their places; there they are hashed and unpacked in order.
 *
 * Invariants: (1) at most TRANSFERS transfers, and never two of one part; (2) a blob is DONE only
 * after its digest was found right; (3) a failure ends all, and the writers are suspended. */
#include "remote/fetch.h"

#include "base/fd.h"
#include "remote/remote-protocol.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRANSFERS = 4 };

#define READ_SIZE ((size_t)1 << 18)

enum state { WAITING, COMING, DONE };

struct blob {
	const struct descriptor *d;
	bool layer, complete; /* all bytes have come, and that was told */
	enum state state;
	struct content_writer *w;
	size_t n_parts, next; /* parts below NEXT are there or asked for */
	struct pollfd fds[CONTENT_PARTS_FDS];
	size_t n_fds;
};

struct transfer {
	struct blob *blob; /* NULL: free */
	size_t part;
	int64_t want; /* bytes, and those that came */
	int64_t got;
	int fd; /* -1: at its end */
	bool answered, whole;
};

struct fetch {
	struct remote *r;
	struct content_sink *sink;
	const struct remote_progress *progress;
	struct blob *blobs;
	size_t n;
	struct transfer transfers[TRANSFERS];
	bool no_ranges;
	char *data;
};

static void tell(const struct fetch *f, const struct blob *b, enum remote_step step, int64_t n)
{
	const struct remote_progress *p = f->progress;

	if (b->layer && p && p->step)
		p->step(p->arg, &b->d->digest, step, n, b->d->size);
}

static int64_t blob_have(const struct fetch *f, const struct blob *b)
{
	int64_t n = 0;

	for (size_t i = 0; i < b->n_parts; i++)
		n += (int64_t)f->sink->parts->have(b->w, i);
	return n;
}

/* ---- blobs ---- */

static int blob_commit(struct fetch *f, struct blob *b, struct err *e)
{
	uint64_t size;

	if (f->sink->ops->commit(TAKE_PTR(b->w), &b->d->digest, NULL, &size, e) < 0)
		return err_wrap(e, "blob %s", b->d->digest.text);
	b->state = DONE;
	b->n_fds = 0;
	tell(f, b, REMOTE_LOADED, b->d->size);
	return 0;
}

static int blob_advance(struct fetch *f, struct blob *b, struct err *e)
{
	int r = b->state == COMING ? f->sink->parts->advance(b->w, b->fds, &b->n_fds, e) : 0;

	if (r < 0)
		return err_wrap(e, "blob %s", b->d->digest.text);
	if (b->state != COMING)
		return 0;
	if (!b->complete && blob_have(f, b) == b->d->size) {
		b->complete = true;
		tell(f, b, REMOTE_COME, b->d->size);
	}
	return r > 0 ? blob_commit(f, b, e) : 0;
}

/* Looks whether the sink has it, else begins it. Another one of the same digest is DONE with it. */
static int blob_begin(struct fetch *f, struct blob *b, struct err *e)
{
	uint64_t size = 0;
	int there = f->sink->ops->adopt ? f->sink->ops->adopt(f->sink, &b->d->digest, &size, e) : 0;

	if (there < 0)
		return -1;
	if (there > 0 && size != (uint64_t)b->d->size)
		return err_set(e, ERR_CORRUPT, 0, "blob %s has another size than its manifest says",
			       b->d->digest.text);
	if (there > 0) {
		b->state = DONE;
		tell(f, b, REMOTE_PRESENT, b->d->size);
		return 0;
	}
	b->w = f->sink->parts->begin(f->sink, &b->d->digest, (uint64_t)b->d->size, e);
	if (!b->w)
		return -1;
	b->state = COMING;
	b->n_parts = content_parts_count((uint64_t)b->d->size);
	if (blob_have(f, b) > 0)
		tell(f, b, REMOTE_LOADING, blob_have(f, b));
	return blob_advance(f, b, e);
}

/* Whether B waits for another one with its digest. */
static bool is_repeated(const struct fetch *f, const struct blob *b)
{
	for (const struct blob *o = f->blobs; o < b; o++)
		if (o->state != DONE && digest_eq(&o->d->digest, &b->d->digest))
			return true;
	return false;
}

/* ---- transfers ---- */

/* The next part that is missing and not asked for; n_parts where there is none. */
static size_t next_part(const struct fetch *f, struct blob *b)
{
	const uint64_t size = (uint64_t)b->d->size;

	while (b->next < b->n_parts &&
	       f->sink->parts->have(b->w, b->next) == content_part_size(size, b->next))
		b->next++;
	return b->next;
}

static struct transfer *free_transfer(struct fetch *f)
{
	for (size_t i = 0; i < TRANSFERS; i++)
		if (!f->transfers[i].blob)
			return &f->transfers[i];
	return NULL;
}

static bool is_busy(const struct fetch *f, const struct blob *b)
{
	for (size_t i = 0; i < TRANSFERS; i++)
		if (f->transfers[i].blob == b)
			return true;
	return false;
}

static int transfer_begin(struct fetch *f, struct transfer *t, struct blob *b, struct err *e)
{
	size_t part = next_part(f, b);
	uint64_t have = f->sink->parts->have(b->w, part);
	struct remote_range range = {
		.digest = &b->d->digest,
		.offset = (int64_t)(part * CONTENT_PART_SIZE + have),
		.length = (int64_t)(content_part_size((uint64_t)b->d->size, part) - have),
		.whole = f->no_ranges,
	};

	range.all = range.length == b->d->size;
	*t = (struct transfer){.blob = b, .part = part, .want = range.length, .whole = range.whole};
	t->fd = remote_fetch(f->r, &range, (unsigned)(t - f->transfers) + 1, e);
	if (t->fd < 0)
		return -1;
	b->next = part + 1;
	return 0;
}

/* Starts what may start: the parts of a blob before the next blob. */
static int start_all(struct fetch *f, struct err *e)
{
	for (size_t i = 0; i < f->n; i++) {
		struct blob *b = &f->blobs[i];
		struct transfer *t;

		if (!free_transfer(f))
			return 0;
		if (b->state == WAITING && !is_repeated(f, b) && blob_begin(f, b, e) < 0)
			return -1;
		while (b->state == COMING && next_part(f, b) < b->n_parts &&
		       !(f->no_ranges && is_busy(f, b)) && (t = free_transfer(f)))
			if (transfer_begin(f, t, b, e) < 0)
				return -1;
	}
	return 0;
}

static int transfer_end(struct fetch *f, struct transfer *t, struct err *e)
{
	struct blob *b = t->blob;

	if (t->fd >= 0 || !t->answered)
		return 0;
	t->blob = NULL;
	if (t->got != t->want)
		return err_set(e, ERR_CORRUPT, 0, "blob %s: a part of %lld bytes ended after %lld",
			       b->d->digest.text, (long long)t->want, (long long)t->got);
	return 0;
}

/* What the pipe has. */
static int transfer_read(struct fetch *f, struct transfer *t, struct err *e)
{
	struct blob *b = t->blob;

	for (int i = 0; i < 4; i++) {
		ssize_t n = read(t->fd, f->data, READ_SIZE);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0)
			return err_errno(e, errno, "fetching a blob");
		if (n == 0) {
			fd_close(&t->fd);
			break;
		}
		t->got += n;
		if (f->sink->parts->put(b->w, t->part, f->data, (size_t)n, e) < 0)
			return err_wrap(e, "blob %s", b->d->digest.text);
	}
	if (b->state == COMING)
		tell(f, b, REMOTE_LOADING, blob_have(f, b));
	if (blob_advance(f, b, e) < 0)
		return -1;
	return transfer_end(f, t, e);
}

/* A server without ranges sends whole blobs: one request at a time for each of them. */
static void without_ranges(struct fetch *f, struct transfer *t)
{
	f->no_ranges = true;
	t->blob->next = MIN(t->blob->next, t->part);
	fd_close(&t->fd);
	t->blob = NULL;
}

static int take_answer(struct fetch *f, struct err *e)
{
	struct err why = ERR_INIT;
	struct transfer *t;
	unsigned id;
	int r = remote_take(f->r, &id, &why);

	if (id == 0 || id > TRANSFERS || !f->transfers[id - 1].blob) {
		if (r >= 0)
			err_set(&why, ERR_INTERNAL, 0, "kogge-remote gave a malformed answer");
		*e = why;
		return -1;
	}
	t = &f->transfers[id - 1];
	if (r < 0 && why.class == ERR_UNSUPPORTED && !t->whole) {
		without_ranges(f, t);
		return 0;
	}
	if (r < 0) {
		*e = why;
		return err_wrap(e, "blob %s", t->blob->d->digest.text);
	}
	t->answered = true;
	return transfer_end(f, t, e);
}

/* ---- the loop ---- */

static size_t gather(const struct fetch *f, struct pollfd *fds)
{
	size_t n = 0;

	fds[n++] = (struct pollfd){f->r->socket, POLLIN, 0};
	for (size_t i = 0; i < TRANSFERS; i++)
		fds[n++] =
			(struct pollfd){f->transfers[i].blob ? f->transfers[i].fd : -1, POLLIN, 0};
	for (size_t i = 0; i < f->n; i++)
		for (size_t j = 0; j < f->blobs[i].n_fds; j++)
			fds[n++] = f->blobs[i].fds[j];
	return n;
}

/* Pipes before answers, so that an answer finds its transfer read. */
static int handle(struct fetch *f, const struct pollfd *fds, struct err *e)
{
	size_t at = 1 + TRANSFERS;

	for (size_t i = 0; i < f->n; i++) {
		struct blob *b = &f->blobs[i];
		size_t n = b->n_fds;
		bool ready = false;

		for (size_t j = 0; j < n; j++)
			ready |= fds[at + j].revents != 0;
		at += n;
		if (ready && blob_advance(f, b, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < TRANSFERS; i++)
		if (fds[1 + i].revents && f->transfers[i].blob &&
		    transfer_read(f, &f->transfers[i], e) < 0)
			return -1;
	return fds[0].revents ? take_answer(f, e) : 0;
}

static bool is_done(const struct fetch *f)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->blobs[i].state != DONE)
			return false;
	for (size_t i = 0; i < TRANSFERS; i++)
		if (f->transfers[i].blob) /* its answer is still to come */
			return false;
	return true;
}

static int run(struct fetch *f, struct err *e)
{
	_cleanup_(freep) struct pollfd *fds =
		calloc(1 + TRANSFERS + f->n * CONTENT_PARTS_FDS, sizeof(*fds));

	f->data = malloc(READ_SIZE);
	if (!fds || !f->data)
		return err_errno(e, ENOMEM, "fetching blobs");
	for (;;) {
		size_t n;

		if (start_all(f, e) < 0)
			return -1;
		if (is_done(f))
			return 0;
		n = gather(f, fds);
		if (poll(fds, n, -1) < 0 && errno != EINTR)
			return err_errno(e, errno, "fetching blobs");
		if (handle(f, fds, e) < 0)
			return -1;
	}
}

static void fetch_done(struct fetch *f)
{
	for (size_t i = 0; i < TRANSFERS; i++)
		if (f->transfers[i].blob)
			fd_close(&f->transfers[i].fd);
	for (size_t i = 0; f->blobs && i < f->n; i++)
		f->sink->parts->suspend(f->blobs[i].w);
	free(f->blobs);
	free(f->data);
}

int remote_fetch_blobs(struct remote *r, struct content_sink *sink, const struct fetch_blob *blobs,
		       size_t n, const struct remote_progress *progress, struct err *e)
{
	_cleanup_(fetch_done) struct fetch f = {.r = r, .sink = sink, .progress = progress, .n = n};

	if (!sink->parts)
		return err_set(e, ERR_UNSUPPORTED, 0, "this store takes no parts of blobs");
	f.blobs = calloc(n + 1, sizeof(*f.blobs));
	if (!f.blobs)
		return err_errno(e, ENOMEM, "fetching blobs");
	for (size_t i = 0; i < n; i++) {
		f.blobs[i].d = blobs[i].descriptor;
		f.blobs[i].layer = blobs[i].layer;
	}
	return run(&f, e);
}

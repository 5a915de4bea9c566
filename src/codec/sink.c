/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/sink.h"

#include "base/buf.h"
#include "base/fd.h"

#include <errno.h>

enum { COPY_SIZE = 128 * 1024 };

int sink_write(struct sink *s, const void *data, size_t n, struct err *e)
{
	return n ? s->ops->write(s, data, n, e) : 0;
}

int sink_finish(struct sink *s, struct err *e)
{
	return s->ops->finish ? s->ops->finish(s, e) : 0;
}

int sink_copy(struct sink *s, struct stream *in, uint64_t *ret_n, struct err *e)
{
	_cleanup_(freep) char *data = malloc(COPY_SIZE);
	uint64_t total = 0;
	ssize_t r;

	if (!data)
		return err_errno(e, ENOMEM, "copying a stream");
	while ((r = stream_read(in, data, COPY_SIZE, e)) > 0) {
		if (sink_write(s, data, (size_t)r, e) < 0)
			return -1;
		total += (uint64_t)r;
	}
	if (r < 0)
		return -1;
	if (ret_n)
		*ret_n = total;
	return 0;
}

void sink_free(struct sink *s)
{
	if (s)
		s->ops->free(s);
}

static void plain_free(struct sink *s)
{
	free(s);
}

/* --- a descriptor --- */

struct fd_sink {
	struct sink sink;
	int fd;
};

static int fd_sink_write(struct sink *s, const void *data, size_t n, struct err *e)
{
	int rc = fd_write_full(((struct fd_sink *)s)->fd, data, n);

	return rc < 0 ? err_errno(e, rc, "writing the output") : 0;
}

struct sink *sink_to_fd(int fd, struct err *e)
{
	static const struct sink_ops ops = {fd_sink_write, NULL, plain_free};
	struct fd_sink *f = calloc(1, sizeof(*f));

	if (!f) {
		err_errno(e, ENOMEM, "opening a sink");
		return NULL;
	}
	f->sink.ops = &ops;
	f->fd = fd;
	return &f->sink;
}

/* --- a buffer --- */

struct buf_sink {
	struct sink sink;
	struct buf *buf;
};

static int buf_sink_write(struct sink *s, const void *data, size_t n, struct err *e)
{
	int rc = buf_put(((struct buf_sink *)s)->buf, data, n);

	return rc < 0 ? err_set(e, ERR_LIMIT, rc, "writing to memory") : 0;
}

struct sink *sink_to_buf(struct buf *buf, struct err *e)
{
	static const struct sink_ops ops = {buf_sink_write, NULL, plain_free};
	struct buf_sink *b = calloc(1, sizeof(*b));

	if (!b) {
		err_errno(e, ENOMEM, "opening a sink");
		return NULL;
	}
	b->sink.ops = &ops;
	b->buf = buf;
	return &b->sink;
}

/* --- counting and hashing --- */

struct tee_sink {
	struct sink sink;
	struct sink *out;
	struct sha256 hash;
	uint64_t n;
};

static int tee_sink_write(struct sink *s, const void *data, size_t n, struct err *e)
{
	struct tee_sink *t = (struct tee_sink *)s;

	sha256_add(&t->hash, data, n);
	t->n += n;
	return t->out ? sink_write(t->out, data, n, e) : 0;
}

struct sink *sink_tee(struct sink *out, struct err *e)
{
	static const struct sink_ops ops = {tee_sink_write, NULL, plain_free};
	struct tee_sink *t = calloc(1, sizeof(*t));

	if (!t) {
		err_errno(e, ENOMEM, "opening a sink");
		return NULL;
	}
	t->sink.ops = &ops;
	t->out = out;
	sha256_init(&t->hash);
	return &t->sink;
}

void sink_tee_result(const struct sink *tee, unsigned char ret_digest[SHA256_SIZE], uint64_t *ret_n)
{
	const struct tee_sink *t = (const struct tee_sink *)tee;

	if (ret_digest) {
		struct sha256 copy = t->hash;

		sha256_end(&copy, ret_digest);
	}
	if (ret_n)
		*ret_n = t->n;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/stream.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { DRAIN_SIZE = 64 * 1024, READ_MAX = 1 << 30 };

ssize_t stream_read(struct stream *s, void *data, size_t n, struct err *e)
{
	if (n == 0)
		return 0;
	return s->ops->read(s, data, MIN(n, (size_t)READ_MAX), e);
}

ssize_t stream_read_full(struct stream *s, void *data, size_t n, struct err *e)
{
	size_t done = 0;

	while (done < n) {
		ssize_t r = stream_read(s, (char *)data + done, n - done, e);

		if (r < 0)
			return -1;
		if (r == 0)
			break;
		done += (size_t)r;
	}
	return (ssize_t)done;
}

int stream_drain(struct stream *s, uint64_t *ret_n, struct err *e)
{
	_cleanup_(freep) char *data = malloc(DRAIN_SIZE);
	uint64_t total = 0;
	ssize_t r;

	if (!data)
		return err_errno(e, ENOMEM, "reading a stream to its end");
	while ((r = stream_read(s, data, DRAIN_SIZE, e)) > 0)
		total += (uint64_t)r;
	if (r < 0)
		return -1;
	if (ret_n)
		*ret_n = total;
	return 0;
}

void stream_free(struct stream *s)
{
	if (s)
		s->ops->free(s);
}

static void plain_free(struct stream *s)
{
	free(s);
}

/* --- a descriptor --- */

struct fd_stream {
	struct stream stream;
	int fd;
};

static ssize_t fd_stream_read(struct stream *s, void *data, size_t n, struct err *e)
{
	struct fd_stream *f = (struct fd_stream *)s;
	ssize_t r;

	do
		r = read(f->fd, data, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_errno(e, errno, "reading the input");
	return r;
}

struct stream *stream_from_fd(int fd, struct err *e)
{
	static const struct stream_ops ops = {fd_stream_read, plain_free};
	struct fd_stream *f = calloc(1, sizeof(*f));

	if (!f) {
		err_errno(e, ENOMEM, "opening a stream");
		return NULL;
	}
	f->stream.ops = &ops;
	f->fd = fd;
	return &f->stream;
}

/* --- memory --- */

struct mem_stream {
	struct stream stream;
	const char *data;
	size_t left;
};

static ssize_t mem_stream_read(struct stream *s, void *data, size_t n, struct err *e)
{
	struct mem_stream *m = (struct mem_stream *)s;
	size_t take = MIN(n, m->left);

	if (take == 0)
		return 0;
	memcpy(data, m->data, take);
	m->data += take;
	m->left -= take;
	return (ssize_t)take;
}

struct stream *stream_from_mem(const void *data, size_t n, struct err *e)
{
	static const struct stream_ops ops = {mem_stream_read, plain_free};
	struct mem_stream *m = calloc(1, sizeof(*m));

	if (!m) {
		err_errno(e, ENOMEM, "opening a stream");
		return NULL;
	}
	m->stream.ops = &ops;
	m->data = data;
	m->left = n;
	return &m->stream;
}

/* --- the first bytes of a stream --- */

struct limited {
	struct stream stream;
	struct stream *in;
	uint64_t left;
};

static ssize_t limited_read(struct stream *s, void *data, size_t n, struct err *e)
{
	struct limited *l = (struct limited *)s;
	ssize_t r;

	if (l->left == 0)
		return 0;
	r = stream_read(l->in, data, (size_t)MIN((uint64_t)n, l->left), e);
	if (r > 0)
		l->left -= (uint64_t)r;
	return r;
}

struct stream *stream_limited(struct stream *in, uint64_t n, struct err *e)
{
	static const struct stream_ops ops = {limited_read, plain_free};
	struct limited *l = calloc(1, sizeof(*l));

	if (!l) {
		err_errno(e, ENOMEM, "opening a stream");
		return NULL;
	}
	l->stream.ops = &ops;
	l->in = in;
	l->left = n;
	return &l->stream;
}

/* --- counting and hashing --- */

struct tee {
	struct stream stream;
	struct stream *in;
	struct sha256 hash;
	uint64_t n;
};

static ssize_t tee_read(struct stream *s, void *data, size_t n, struct err *e)
{
	struct tee *t = (struct tee *)s;
	ssize_t r = stream_read(t->in, data, n, e);

	if (r > 0) {
		sha256_add(&t->hash, data, (size_t)r);
		t->n += (uint64_t)r;
	}
	return r;
}

struct stream *stream_tee(struct stream *in, struct err *e)
{
	static const struct stream_ops ops = {tee_read, plain_free};
	struct tee *t = calloc(1, sizeof(*t));

	if (!t) {
		err_errno(e, ENOMEM, "opening a stream");
		return NULL;
	}
	t->stream.ops = &ops;
	t->in = in;
	sha256_init(&t->hash);
	return &t->stream;
}

void stream_tee_result(const struct stream *tee, unsigned char ret_digest[SHA256_SIZE],
		       uint64_t *ret_n)
{
	const struct tee *t = (const struct tee *)tee;

	if (ret_digest) {
		struct sha256 copy = t->hash;

		sha256_end(&copy, ret_digest);
	}
	if (ret_n)
		*ret_n = t->n;
}

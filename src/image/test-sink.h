/* SPDX-License-Identifier: Apache-2.0 */
/* A content sink in memory, for tests and fuzz targets: blobs are memfds. */
#ifndef KOGGE_IMAGE_TEST_SINK_H
#define KOGGE_IMAGE_TEST_SINK_H

#include "base/buf.h"
#include "base/fd.h"
#include "image/content-sink.h"

#define TEST_SINK_BLOBS 4096

/* The sink; zeroed but for ops. */
struct test_sink {
	struct content_sink sink;
	struct {
		struct digest digest;
		char *data;
		size_t n;
	} blobs[TEST_SINK_BLOBS];
	size_t n_blobs;
	size_t open_writers;
};

/* A blob on its way in. */
struct content_writer {
	struct test_sink *to;
	struct buf data;
};

static inline struct content_writer *test_sink_begin(struct content_sink *s, int64_t size,
						     struct err *e)
{
	struct content_writer *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->to = (struct test_sink *)s;
	w->data = BUF_INIT((size_t)1 << 30);
	w->to->open_writers++;
	return w;
}

static inline int test_sink_write(struct content_writer *w, const void *data, size_t n,
				  struct err *e)
{
	return buf_put(&w->data, data, n) < 0 ? err_set(e, ERR_LIMIT, 0, "test sink is full") : 0;
}

static inline void test_sink_abort(struct content_writer *w)
{
	if (!w)
		return;
	w->to->open_writers--;
	buf_done(&w->data);
	free(w);
}

static inline int test_sink_index(const struct test_sink *s, const struct digest *d)
{
	for (size_t i = 0; i < s->n_blobs; i++) {
		if (digest_eq(&s->blobs[i].digest, d))
			return (int)i;
	}
	return -1;
}

static inline int test_sink_commit(struct content_writer *w, const struct digest *expected,
				   struct digest *ret, uint64_t *ret_size, struct err *e)
{
	struct test_sink *s = w->to;
	struct digest d;
	int r = 0;

	digest_of(buf_str(&w->data), w->data.len, &d);
	if (expected && !digest_eq(&d, expected)) {
		r = err_set(e, ERR_CORRUPT, 0, "blob %s has the digest %s", expected->text, d.text);
	} else if (test_sink_index(s, &d) < 0 && s->n_blobs == TEST_SINK_BLOBS) {
		r = err_set(e, ERR_LIMIT, 0, "test sink is full");
	} else {
		*ret = d;
		*ret_size = w->data.len;
		if (test_sink_index(s, &d) < 0) {
			s->blobs[s->n_blobs].digest = d;
			s->blobs[s->n_blobs].n = w->data.len;
			s->blobs[s->n_blobs++].data = buf_take(&w->data);
		}
	}
	test_sink_abort(w);
	return r;
}

static inline int test_sink_open(struct content_sink *sink, const struct digest *d,
				 uint64_t *ret_size, struct err *e)
{
	struct test_sink *s = (struct test_sink *)sink;
	int i = test_sink_index(s, d), fd;

	if (i < 0)
		return err_set(e, ERR_NOT_FOUND, 0, "blob %s is not there", d->text);
	fd = fd_memfd("blob", s->blobs[i].data, s->blobs[i].n, false);
	if (fd < 0)
		return err_errno(e, fd, "memfd");
	*ret_size = s->blobs[i].n;
	return fd;
}

static const struct content_sink_ops test_sink_ops = {
	.begin = test_sink_begin,
	.write = test_sink_write,
	.commit = test_sink_commit,
	.abort = test_sink_abort,
	.open = test_sink_open,
};

static inline struct test_sink *test_sink_new(void)
{
	struct test_sink *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->sink.ops = &test_sink_ops;
	return s;
}

static inline void test_sink_free(struct test_sink *s)
{
	if (s->open_writers)
		abort();
	for (size_t i = 0; i < s->n_blobs; i++)
		free(s->blobs[i].data);
	free(s);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "image/content-sink.h"

#include "base/buf.h"
#include "base/fd.h"

int content_sink_read(struct content_sink *s, const struct digest *d, size_t max, char **ret,
		      size_t *ret_n, struct err *e)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(max + 1);
	_cleanup_(fd_close) int fd = -1;
	struct digest got;
	uint64_t size;
	size_t n;
	int r;

	fd = s->ops->open(s, d, &size, e);
	if (fd < 0)
		return -1;
	if (size > max)
		return err_set(e, ERR_LIMIT, 0, "blob %s: it has %llu bytes, more than %zu",
			       d->text, (unsigned long long)size, max);
	r = fd_read_all(fd, &b, max);
	if (r < 0)
		return err_errno(e, r, "reading blob %s", d->text);
	digest_of(buf_str(&b), b.len, &got);
	if (!digest_eq(&got, d))
		return err_set(e, ERR_CORRUPT, 0, "blob %s: its bytes have the digest %s", d->text,
			       got.text);
	n = b.len;
	*ret = buf_take(&b);
	if (!*ret)
		return err_set(e, ERR_LIMIT, 0, "out of memory");
	*ret_n = n;
	return 0;
}

int content_sink_put(struct content_sink *s, const void *data, size_t n, struct digest *ret,
		     struct err *e)
{
	struct content_writer *w = s->ops->begin(s, (int64_t)n, e);
	uint64_t size;

	if (!w)
		return -1;
	if (s->ops->write(w, data, n, e) < 0) {
		s->ops->abort(w);
		return -1;
	}
	return s->ops->commit(w, NULL, ret, &size, e);
}

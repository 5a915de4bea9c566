/* SPDX-License-Identifier: Apache-2.0 */
/* gzip by zlib, which checks header CRC, reserved flags, CRC and ISIZE of each member (it reads
 * with windowBits 15 + 16). Between members stands a state of our own: a next member, zero bytes
 * up to the end (padding to a block, as tapes have it), or damage. */
#include "codec/stream-internal.h"

#include <errno.h>
#include <zlib.h>

enum { HEADER_MAX = 128 * 1024, GZIP_MAGIC_SIZE = 2 };

struct gunzip {
	struct decoder d;
	z_stream z;
	gz_header header;
	bool within; /* a member */
	uint64_t header_used;
};

/* Moves to the next member: 1, or 0 where the stream ends properly. */
static int next_member(struct gunzip *g, bool first, struct err *e)
{
	struct decoder *d = &g->d;

	for (;;) {
		if (decoder_fill(d, GZIP_MAGIC_SIZE, e) < 0)
			return -1;
		if (decoder_left(d) == 0 && !first)
			return 0;
		if (decoder_left(d) >= GZIP_MAGIC_SIZE && decoder_at(d)[0] == 0x1f &&
		    decoder_at(d)[1] == 0x8b)
			break;
		if (first || decoder_at(d)[0] != 0)
			return decoder_fail(d, ERR_CORRUPT, e, "%s",
					    first ? "no gzip stream" : "garbage after the end");
		/* Padding: from now on only zero bytes may come. */
		while (decoder_left(d) > 0 || !d->input_ended) {
			if (decoder_left(d) > 0 && decoder_at(d)[0] != 0)
				return decoder_fail(d, ERR_CORRUPT, e, "garbage after the end");
			if (decoder_left(d) > 0)
				decoder_used(d, 1);
			if (decoder_fill(d, 1, e) < 0)
				return -1;
		}
		return 0;
	}
	if (inflateReset(&g->z) != Z_OK || inflateGetHeader(&g->z, &g->header) != Z_OK)
		return decoder_fail(d, ERR_INTERNAL, e, "cannot start");
	g->within = true;
	g->header_used = 0;
	return 1;
}

/* Adapts zlib's results. */
static int inflate_result(struct gunzip *g, int rc, struct err *e)
{
	switch (rc) {
	case Z_OK:
	case Z_BUF_ERROR: /* no progress: wants more input */
		return 0;
	case Z_STREAM_END:
		g->within = false;
		return 0;
	case Z_MEM_ERROR:
		return decoder_fail(&g->d, ERR_LIMIT, e, "out of memory");
	default:
		return decoder_fail(&g->d, ERR_CORRUPT, e, "%s",
				    g->z.msg ? g->z.msg : "damaged stream");
	}
}

/* One call of inflate: the number of bytes made, perhaps 0. */
static ssize_t inflate_some(struct gunzip *g, void *data, size_t n, struct err *e)
{
	struct decoder *d = &g->d;
	uInt in;

	if (decoder_fill(d, 1, e) < 0)
		return -1;
	if (decoder_left(d) == 0)
		return decoder_fail(d, ERR_CORRUPT, e, "the stream is cut off");
	in = (uInt)decoder_left(d);
	g->z.next_in = d->input + d->pos;
	g->z.avail_in = in;
	g->z.next_out = data;
	g->z.avail_out = (uInt)n;
	if (inflate_result(g, inflate(&g->z, Z_NO_FLUSH), e) < 0)
		return -1;
	decoder_used(d, in - g->z.avail_in);
	if (g->header.done == 0 && g->within) {
		g->header_used += in - g->z.avail_in;
		if (g->header_used > HEADER_MAX)
			return decoder_fail(d, ERR_LIMIT, e, "the header is longer than %d bytes",
					    HEADER_MAX);
	}
	return (ssize_t)(n - g->z.avail_out);
}

static ssize_t gunzip_read(struct stream *s, void *data, size_t n, struct err *e)
{
	struct gunzip *g = (struct gunzip *)s;
	int rc = decoder_enter(&g->d, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	for (;;) {
		ssize_t made;

		if (!g->within) {
			rc = next_member(g, g->d.n_in == 0, e);
			if (rc < 0)
				return -1;
			if (rc == 0) {
				g->d.ended = true;
				return 0;
			}
		}
		made = inflate_some(g, data, n, e);
		if (made < 0)
			return -1;
		if (made > 0)
			return decoder_made(&g->d, (size_t)made, e);
	}
}

static void gunzip_free(struct stream *s)
{
	struct gunzip *g = (struct gunzip *)s;

	inflateEnd(&g->z);
	free(g);
}

struct stream *stream_gunzip(struct stream *in, const struct stream_limits *limits, struct err *e)
{
	static const struct stream_ops ops = {gunzip_read, gunzip_free};
	struct gunzip *g = calloc(1, sizeof(*g));

	if (!g || inflateInit2(&g->z, 15 + 16) != Z_OK) {
		free(g);
		err_errno(e, ENOMEM, "decompressing gzip");
		return NULL;
	}
	decoder_init(&g->d, &ops, in, limits, "gzip");
	return &g->d.stream;
}

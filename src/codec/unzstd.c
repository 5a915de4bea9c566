/* SPDX-License-Identifier: Apache-2.0 */
/* zstd by libzstd. Each frame's magic number is looked at before the library sees it, because
 * Debian's library also reads the formats from before 1.0, which nobody fuzzes any more. */
#include "codec/stream-internal.h"

#include <errno.h>
#include <zstd.h>

enum { WINDOW_LOG_MAX = 27, ZSTD_MAGIC_SIZE = 4 };

struct unzstd {
	struct decoder d;
	ZSTD_DCtx *ctx;
	bool within; /* a frame */
};

static uint32_t magic_at(const struct decoder *d)
{
	const unsigned char *p = decoder_at(d);

	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Moves to the next frame: 1, or 0 where the stream ends properly. */
static int next_frame(struct unzstd *u, bool first, struct err *e)
{
	struct decoder *d = &u->d;
	uint32_t magic;

	if (decoder_fill(d, ZSTD_MAGIC_SIZE, e) < 0)
		return -1;
	if (decoder_left(d) == 0 && !first)
		return 0;
	if (decoder_left(d) < ZSTD_MAGIC_SIZE)
		return decoder_fail(d, ERR_CORRUPT, e, "the stream is cut off");
	magic = magic_at(d);
	if (magic != ZSTD_MAGICNUMBER &&
	    (magic & ZSTD_MAGIC_SKIPPABLE_MASK) != ZSTD_MAGIC_SKIPPABLE_START)
		return decoder_fail(d, ERR_CORRUPT, e, "%s",
				    first ? "no zstd stream" : "garbage after the end");
	u->within = true;
	return 1;
}

static ssize_t unzstd_some(struct unzstd *u, void *data, size_t n, struct err *e)
{
	struct decoder *d = &u->d;
	ZSTD_outBuffer out = {data, n, 0};
	ZSTD_inBuffer in;
	size_t rc;

	/* Nothing left to read is an end only where the library has nothing to give either. */
	if (decoder_fill(d, 1, e) < 0)
		return -1;
	in = (ZSTD_inBuffer){decoder_at(d), decoder_left(d), 0};
	rc = ZSTD_decompressStream(u->ctx, &out, &in);
	if (ZSTD_isError(rc))
		return decoder_fail(d, ERR_CORRUPT, e, "%s", ZSTD_getErrorName(rc));
	decoder_used(d, in.pos);
	if (rc == 0)
		u->within = false;
	else if (out.pos == 0 && in.size == 0)
		return decoder_fail(d, ERR_CORRUPT, e, "the stream is cut off");
	return (ssize_t)out.pos;
}

static ssize_t unzstd_read(struct stream *s, void *data, size_t n, struct err *e)
{
	struct unzstd *u = (struct unzstd *)s;
	int rc = decoder_enter(&u->d, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	for (;;) {
		ssize_t made;

		if (!u->within) {
			rc = next_frame(u, u->d.n_in == 0, e);
			if (rc < 0)
				return -1;
			if (rc == 0) {
				u->d.ended = true;
				return 0;
			}
		}
		made = unzstd_some(u, data, n, e);
		if (made < 0)
			return -1;
		if (made > 0)
			return decoder_made(&u->d, (size_t)made, e);
	}
}

static void unzstd_free(struct stream *s)
{
	struct unzstd *u = (struct unzstd *)s;

	ZSTD_freeDCtx(u->ctx);
	free(u);
}

struct stream *stream_unzstd(struct stream *in, const struct stream_limits *limits, struct err *e)
{
	static const struct stream_ops ops = {unzstd_read, unzstd_free};
	struct unzstd *u = calloc(1, sizeof(*u));

	if (u)
		u->ctx = ZSTD_createDCtx();
	if (!u || !u->ctx ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(u->ctx, ZSTD_d_windowLogMax, WINDOW_LOG_MAX))) {
		if (u)
			ZSTD_freeDCtx(u->ctx);
		free(u);
		err_errno(e, ENOMEM, "decompressing zstd");
		return NULL;
	}
	decoder_init(&u->d, &ops, in, limits, "zstd");
	return &u->d.stream;
}

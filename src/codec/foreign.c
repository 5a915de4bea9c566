/* SPDX-License-Identifier: Apache-2.0 */
/* xz by liblzma, bzip2 by libbz2. Both as the other decoders: a window of input, limits on what
 * comes out, and an error where the stream is cut off. */
#include "codec/foreign.h"

#include "codec/stream-internal.h"

#include <bzlib.h>
#include <errno.h>
#include <limits.h>
#include <lzma.h>

#define XZ_MEMORY_MAX (UINT64_C(256) << 20)

/* ---- xz ---- */

struct unxz {
	struct decoder d;
	lzma_stream lzma;
};

static const char *unxz_problem(lzma_ret r)
{
	switch (r) {
	case LZMA_BUF_ERROR:
		return "the stream is cut off";
	case LZMA_MEMLIMIT_ERROR:
		return "it needs more than 256 MiB of memory";
	case LZMA_MEM_ERROR:
		return "out of memory";
	case LZMA_OPTIONS_ERROR:
		return "a filter that is not known";
	default:
		return "the data is damaged";
	}
}

static ssize_t unxz_read(struct stream *s, void *data, size_t n, struct err *e)
{
	struct unxz *u = (struct unxz *)s;
	struct decoder *d = &u->d;
	int rc = decoder_enter(d, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	u->lzma.next_out = data;
	u->lzma.avail_out = n;
	while (u->lzma.avail_out == n) {
		lzma_ret r;

		if (decoder_fill(d, 1, e) < 0)
			return -1;
		u->lzma.next_in = decoder_at(d);
		u->lzma.avail_in = decoder_left(d);
		r = lzma_code(&u->lzma, d->input_ended ? LZMA_FINISH : LZMA_RUN);
		decoder_used(d, decoder_left(d) - u->lzma.avail_in);
		if (r == LZMA_STREAM_END) {
			d->ended = true;
			break;
		}
		if (r != LZMA_OK)
			return decoder_fail(d, r == LZMA_MEMLIMIT_ERROR ? ERR_LIMIT : ERR_CORRUPT,
					    e, "%s", unxz_problem(r));
	}
	return decoder_made(d, n - u->lzma.avail_out, e);
}

static void unxz_free(struct stream *s)
{
	struct unxz *u = (struct unxz *)s;

	lzma_end(&u->lzma);
	free(u);
}

static struct stream *stream_unxz(struct stream *in, const struct stream_limits *limits,
				  struct err *e)
{
	static const struct stream_ops ops = {unxz_read, unxz_free};
	struct unxz *u = calloc(1, sizeof(*u));

	if (!u || lzma_stream_decoder(&u->lzma, XZ_MEMORY_MAX, LZMA_CONCATENATED) != LZMA_OK) {
		free(u);
		err_errno(e, ENOMEM, "decompressing xz");
		return NULL;
	}
	decoder_init(&u->d, &ops, in, limits, "xz");
	return &u->d.stream;
}

/* ---- bzip2 ---- */

struct unbzip2 {
	struct decoder d;
	bz_stream bz;
	bool within; /* a stream */
};

/* The next stream: 1, or 0 where the input ends. */
static int unbzip2_begin(struct unbzip2 *u, struct err *e)
{
	struct decoder *d = &u->d;

	if (decoder_fill(d, 1, e) < 0)
		return -1;
	if (decoder_left(d) == 0 && d->n_in > 0)
		return 0;
	u->bz = (bz_stream){.next_in = NULL};
	if (BZ2_bzDecompressInit(&u->bz, 0, 0) != BZ_OK)
		return err_errno(e, ENOMEM, "decompressing bzip2");
	u->within = true;
	return 1;
}

static ssize_t unbzip2_some(struct unbzip2 *u, void *data, size_t n, struct err *e)
{
	struct decoder *d = &u->d;
	unsigned room = (unsigned)MIN(n, (size_t)INT_MAX), before;
	int r;

	if (decoder_fill(d, 1, e) < 0)
		return -1;
	before = (unsigned)decoder_left(d);
	/* The library does not write there. */
	u->bz.next_in = (char *)(uintptr_t)decoder_at(d);
	u->bz.avail_in = before;
	u->bz.next_out = data;
	u->bz.avail_out = room;
	r = BZ2_bzDecompress(&u->bz);
	decoder_used(d, before - u->bz.avail_in);
	if (r == BZ_STREAM_END) {
		BZ2_bzDecompressEnd(&u->bz);
		u->within = false;
	} else if (r != BZ_OK) {
		return decoder_fail(d, ERR_CORRUPT, e, "the data is damaged");
	} else if (before == 0 && u->bz.avail_out == room) {
		return decoder_fail(d, ERR_CORRUPT, e, "the stream is cut off");
	}
	return (ssize_t)(room - u->bz.avail_out);
}

static ssize_t unbzip2_read(struct stream *s, void *data, size_t n, struct err *e)
{
	struct unbzip2 *u = (struct unbzip2 *)s;
	int rc = decoder_enter(&u->d, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	for (;;) {
		ssize_t made;

		rc = u->within ? 1 : unbzip2_begin(u, e);
		if (rc < 0)
			return -1;
		if (rc == 0) {
			u->d.ended = true;
			return 0;
		}
		made = unbzip2_some(u, data, n, e);
		if (made != 0)
			return made < 0 ? -1 : decoder_made(&u->d, (size_t)made, e);
	}
}

static void unbzip2_free(struct stream *s)
{
	struct unbzip2 *u = (struct unbzip2 *)s;

	if (u->within)
		BZ2_bzDecompressEnd(&u->bz);
	free(u);
}

static struct stream *stream_unbzip2(struct stream *in, const struct stream_limits *limits,
				     struct err *e)
{
	static const struct stream_ops ops = {unbzip2_read, unbzip2_free};
	struct unbzip2 *u = calloc(1, sizeof(*u));

	if (!u) {
		err_errno(e, ENOMEM, "decompressing bzip2");
		return NULL;
	}
	decoder_init(&u->d, &ops, in, limits, "bzip2");
	return &u->d.stream;
}

struct stream *stream_foreign(struct stream *in, enum compression c,
			      const struct stream_limits *limits, struct err *e)
{
	if (c == COMPRESSION_XZ)
		return stream_unxz(in, limits, e);
	if (c == COMPRESSION_BZIP2)
		return stream_unbzip2(in, limits, e);
	err_set(e, ERR_UNSUPPORTED, 0, "the input is compressed with %s, which is not read",
		compression_name(c));
	return NULL;
}

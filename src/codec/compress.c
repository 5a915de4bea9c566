/* SPDX-License-Identifier: Apache-2.0 */
/* Compressing sinks. What is written is gathered into blocks of a fixed size first, because both
 * libraries may cut their output by the sizes of their inputs, and the output must depend on the
 * bytes alone. */
#include "codec/sink.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

enum { BLOCK = 128 * 1024, OUTPUT = 128 * 1024, GZIP_LEVEL = 6, ZSTD_LEVEL = 3 };

struct compressor {
	struct sink sink;
	struct sink *out;
	/* Compresses the block; with LAST also ends the stream. */
	int (*block)(struct compressor *c, bool last, struct err *e);
	z_stream z;
	ZSTD_CCtx *ctx;
	size_t len; /* of what is gathered in input */
	unsigned char input[BLOCK];
	unsigned char output[OUTPUT];
};

static int compressor_write(struct sink *s, const void *data, size_t n, struct err *e)
{
	struct compressor *c = (struct compressor *)s;
	const char *p = data;

	while (n > 0) {
		size_t take = MIN(n, BLOCK - c->len);

		memcpy(c->input + c->len, p, take);
		c->len += take;
		p += take;
		n -= take;
		if (c->len == BLOCK && c->block(c, false, e) < 0)
			return -1;
	}
	return 0;
}

static int compressor_finish(struct sink *s, struct err *e)
{
	struct compressor *c = (struct compressor *)s;

	return c->block(c, true, e);
}

static void compressor_free(struct sink *s)
{
	struct compressor *c = (struct compressor *)s;

	deflateEnd(&c->z);
	ZSTD_freeCCtx(c->ctx);
	free(c);
}

static struct compressor *compressor_new(struct sink *out, struct err *e)
{
	static const struct sink_ops ops = {compressor_write, compressor_finish, compressor_free};
	struct compressor *c = calloc(1, sizeof(*c));

	if (!c) {
		err_errno(e, ENOMEM, "opening a compressor");
		return NULL;
	}
	c->sink.ops = &ops;
	c->out = out;
	return c;
}

static int gzip_block(struct compressor *c, bool last, struct err *e)
{
	int rc;

	c->z.next_in = c->input;
	c->z.avail_in = (uInt)c->len;
	do {
		c->z.next_out = c->output;
		c->z.avail_out = OUTPUT;
		rc = deflate(&c->z, last ? Z_FINISH : Z_NO_FLUSH);
		if (rc == Z_STREAM_ERROR)
			return err_set(e, ERR_INTERNAL, 0, "compressing gzip");
		if (sink_write(c->out, c->output, OUTPUT - c->z.avail_out, e) < 0)
			return -1;
	} while (last ? rc != Z_STREAM_END : c->z.avail_out == 0);
	c->len = 0;
	return 0;
}

struct sink *sink_gzip(struct sink *out, int level, struct err *e)
{
	struct compressor *c = compressor_new(out, e);
	gz_header header = {.os = 255};

	if (!c)
		return NULL;
	c->block = gzip_block;
	if (deflateInit2(&c->z, level ? level : GZIP_LEVEL, Z_DEFLATED, 15 + 16, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK) {
		free(c);
		err_set(e, ERR_INVALID, 0, "compressing gzip with level %d", level);
		return NULL;
	}
	/* zlib keeps the pointer only until the header is written: write it now. */
	deflateSetHeader(&c->z, &header);
	c->z.next_out = c->output;
	c->z.avail_out = OUTPUT;
	deflate(&c->z, Z_NO_FLUSH);
	deflateSetHeader(&c->z, NULL);
	if (sink_write(out, c->output, OUTPUT - c->z.avail_out, e) < 0) {
		compressor_free(&c->sink);
		return NULL;
	}
	return &c->sink;
}

static int zstd_block(struct compressor *c, bool last, struct err *e)
{
	ZSTD_inBuffer in = {c->input, c->len, 0};
	size_t rc;

	do {
		ZSTD_outBuffer out = {c->output, OUTPUT, 0};

		rc = ZSTD_compressStream2(c->ctx, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(rc))
			return err_set(e, ERR_INTERNAL, 0, "compressing zstd: %s",
				       ZSTD_getErrorName(rc));
		if (sink_write(c->out, c->output, out.pos, e) < 0)
			return -1;
	} while (last ? rc != 0 : in.pos < in.size);
	c->len = 0;
	return 0;
}

struct sink *sink_zstd(struct sink *out, int level, struct err *e)
{
	struct compressor *c = compressor_new(out, e);

	if (!c)
		return NULL;
	c->block = zstd_block;
	c->ctx = ZSTD_createCCtx();
	if (!c->ctx ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(c->ctx, ZSTD_c_compressionLevel,
						level ? level : ZSTD_LEVEL)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(c->ctx, ZSTD_c_checksumFlag, 1))) {
		compressor_free(&c->sink);
		err_set(e, ERR_LIMIT, ENOMEM, "compressing zstd with level %d", level);
		return NULL;
	}
	return &c->sink;
}

static int pass_write(struct sink *s, const void *data, size_t n, struct err *e)
{
	return sink_write(((struct compressor *)s)->out, data, n, e);
}

struct sink *sink_compress(struct sink *out, enum compression c, int level, struct err *e)
{
	static const struct sink_ops pass = {pass_write, NULL, compressor_free};
	struct compressor *plain;

	if (c == COMPRESSION_GZIP)
		return sink_gzip(out, level, e);
	if (c == COMPRESSION_ZSTD)
		return sink_zstd(out, level, e);
	if (c != COMPRESSION_NONE) {
		err_set(e, ERR_UNSUPPORTED, 0, "compressing with %s", compression_name(c));
		return NULL;
	}
	plain = compressor_new(out, e);
	if (!plain)
		return NULL;
	plain->sink.ops = &pass;
	return &plain->sink;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing the decoder by the first bytes. The decoder reads through a small stream in front that
 * gives those bytes back. */
#include "codec/stream-internal.h"

#include <errno.h>
#include <string.h>

enum { MAGIC_SIZE = 6 };

static const struct {
	const char *name;
	unsigned char size;
	unsigned char magic[MAGIC_SIZE];
} formats[] = {
	[COMPRESSION_NONE] = {"none", 0, {0}},
	[COMPRESSION_GZIP] = {"gzip", 3, {0x1f, 0x8b, 8}},
	[COMPRESSION_ZSTD] = {"zstd", 4, {0x28, 0xb5, 0x2f, 0xfd}},
	[COMPRESSION_XZ] = {"xz", 6, {0xfd, '7', 'z', 'X', 'Z', 0}},
	[COMPRESSION_BZIP2] = {"bzip2", 3, {'B', 'Z', 'h'}},
};

const char *compression_name(enum compression c)
{
	return (size_t)c < ARRAY_SIZE(formats) ? formats[c].name : "unknown";
}

enum compression compression_detect(const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 1; i < ARRAY_SIZE(formats); i++)
		if (n >= formats[i].size && memcmp(p, formats[i].magic, formats[i].size) == 0)
			return (enum compression)i;
	/* A zstd stream may begin with a skippable frame (RFC 8878, 3.1.2). */
	if (n >= 4 && (p[0] & 0xf0) == 0x50 && p[1] == 0x2a && p[2] == 0x4d && p[3] == 0x18)
		return COMPRESSION_ZSTD;
	return COMPRESSION_NONE;
}

struct detected {
	struct decoder d; /* the plain reader is a decoder that changes nothing */
	struct stream *decoder;
	unsigned char head[MAGIC_SIZE];
	size_t head_pos;
	size_t head_len;
	struct stream front;
};

static struct detected *from_front(struct stream *front)
{
	return (struct detected *)(void *)((char *)front - offsetof(struct detected, front));
}

static ssize_t front_read(struct stream *s, void *data, size_t n, struct err *e)
{
	struct detected *t = from_front(s);
	size_t take = MIN(n, t->head_len - t->head_pos);

	if (take == 0)
		return stream_read(t->d.in, data, n, e);
	memcpy(data, t->head + t->head_pos, take);
	t->head_pos += take;
	return (ssize_t)take;
}

static ssize_t detected_read(struct stream *s, void *data, size_t n, struct err *e)
{
	struct detected *t = (struct detected *)s;
	ssize_t r;

	if (t->decoder)
		return stream_read(t->decoder, data, n, e);
	if (decoder_enter(&t->d, e) < 0)
		return -1;
	r = front_read(&t->front, data, n, e);
	if (r <= 0)
		return r;
	t->d.n_in += (uint64_t)r;
	return decoder_made(&t->d, (size_t)r, e);
}

static void detected_free(struct stream *s)
{
	struct detected *t = (struct detected *)s;

	stream_free(t->decoder);
	free(t);
}

static int choose(struct detected *t, enum compression c, stream_foreign_fn foreign, struct err *e)
{
	switch (c) {
	case COMPRESSION_NONE:
		return 0;
	case COMPRESSION_GZIP:
		t->decoder = stream_gunzip(&t->front, &t->d.limits, e);
		break;
	case COMPRESSION_ZSTD:
		t->decoder = stream_unzstd(&t->front, &t->d.limits, e);
		break;
	default:
		if (foreign) {
			t->decoder = foreign(&t->front, c, &t->d.limits, e);
			break;
		}
		err_set(e, ERR_UNSUPPORTED, 0, "the input is compressed with %s, which is not read",
			compression_name(c));
		return err_hint(e, "decompress it first: %s -dc FILE | ...", compression_name(c));
	}
	return t->decoder ? 0 : -1;
}

struct stream *stream_decompress_with(struct stream *in, const struct stream_limits *limits,
				      stream_foreign_fn foreign, enum compression *ret,
				      struct err *e)
{
	static const struct stream_ops ops = {detected_read, detected_free};
	static const struct stream_ops front_ops = {front_read, NULL};
	struct detected *t = calloc(1, sizeof(*t));
	enum compression c;
	ssize_t n;

	if (!t) {
		err_errno(e, ENOMEM, "opening a stream");
		return NULL;
	}
	decoder_init(&t->d, &ops, in, limits, "plain data");
	t->front.ops = &front_ops;
	n = stream_read_full(in, t->head, sizeof(t->head), e);
	if (n < 0) {
		free(t);
		return NULL;
	}
	t->head_len = (size_t)n;
	c = compression_detect(t->head, t->head_len);
	if (choose(t, c, foreign, e) < 0) {
		free(t);
		return NULL;
	}
	if (ret)
		*ret = c;
	return &t->d.stream;
}

struct stream *stream_decompress(struct stream *in, const struct stream_limits *limits,
				 enum compression *ret, struct err *e)
{
	return stream_decompress_with(in, limits, NULL, ret, e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the decompressing streams share: a window of input and the account of what came in and
 * went out. */
#ifndef KOGGE_CODEC_STREAM_INTERNAL_H
#define KOGGE_CODEC_STREAM_INTERNAL_H

#include "codec/stream.h"

enum { DECODER_INPUT = 128 * 1024 };

struct decoder {
	struct stream stream;
	struct stream *in;
	struct stream_limits limits;
	uint64_t n_in;  /* bytes of input used up */
	uint64_t n_out; /* bytes of output given */
	size_t pos;     /* of the next unused byte in input */
	size_t len;
	bool input_ended;
	bool ended;
	bool failed;
	const char *what; /* "gzip", for messages */
	unsigned char input[DECODER_INPUT];
};

void decoder_init(struct decoder *d, const struct stream_ops *ops, struct stream *in,
		  const struct stream_limits *limits, const char *what);

/* Tries to have at least N unused bytes of input; there are fewer only at its end. */
int decoder_fill(struct decoder *d, size_t n, struct err *e);

static inline size_t decoder_left(const struct decoder *d)
{
	return d->len - d->pos;
}

static inline const unsigned char *decoder_at(const struct decoder *d)
{
	return d->input + d->pos;
}

/* N bytes of input were used up. */
void decoder_used(struct decoder *d, size_t n);

/* N bytes of output were made: holds the limits. Returns N, or -1 with E. */
ssize_t decoder_made(struct decoder *d, size_t n, struct err *e);

/* Sets E, and every later read fails too. Returns -1. */
int decoder_fail(struct decoder *d, enum err_class class, struct err *e, const char *fmt, ...)
	_printf_(4, 5);

/* The first thing that a read does: 0 go on, 1 at the end, -1 failed before. */
int decoder_enter(struct decoder *d, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/stream-internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void decoder_init(struct decoder *d, const struct stream_ops *ops, struct stream *in,
		  const struct stream_limits *limits, const char *what)
{
	d->stream.ops = ops;
	d->in = in;
	d->what = what;
	if (limits)
		d->limits = *limits;
}

int decoder_fill(struct decoder *d, size_t n, struct err *e)
{
	if (decoder_left(d) >= n || d->input_ended)
		return 0;
	memmove(d->input, d->input + d->pos, decoder_left(d));
	d->len -= d->pos;
	d->pos = 0;
	while (d->len < n) {
		ssize_t r = stream_read(d->in, d->input + d->len, DECODER_INPUT - d->len, e);

		if (r < 0) {
			d->failed = true;
			return -1;
		}
		if (r == 0) {
			d->input_ended = true;
			break;
		}
		d->len += (size_t)r;
	}
	return 0;
}

void decoder_used(struct decoder *d, size_t n)
{
	d->pos += n;
	d->n_in += n;
}

ssize_t decoder_made(struct decoder *d, size_t n, struct err *e)
{
	const struct stream_limits *l = &d->limits;

	d->n_out += n;
	if (l->max_out && d->n_out > l->max_out)
		return decoder_fail(d, ERR_LIMIT, e, "more than %llu bytes come out",
				    (unsigned long long)l->max_out);
	if (l->max_ratio && d->n_out > l->ratio_slack &&
	    (d->n_out - l->ratio_slack) / l->max_ratio > d->n_in)
		return decoder_fail(d, ERR_LIMIT, e,
				    "%llu bytes come out of %llu, more than %u : 1 allows",
				    (unsigned long long)d->n_out, (unsigned long long)d->n_in,
				    (unsigned)l->max_ratio);
	return (ssize_t)n;
}

int decoder_fail(struct decoder *d, enum err_class class, struct err *e, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	d->failed = true;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return err_set(e, class, 0, "decompressing %s: %s", d->what, text);
}

int decoder_enter(struct decoder *d, struct err *e)
{
	if (d->failed)
		return err_set(e, ERR_CORRUPT, 0, "decompressing %s: failed before", d->what);
	return d->ended;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Decompressing what OCI layers never are but archives that people import: xz and bzip2. A library
 * of its own, for kogge-unpack alone: these decoders run confined or not at all. */
#ifndef KOGGE_CODEC_FOREIGN_H
#define KOGGE_CODEC_FOREIGN_H

#include "codec/stream.h"

/* A stream_foreign_fn: xz (every stream, padding, checks; at most 256 MiB of memory) and bzip2
 * (every stream). ERR_UNSUPPORTED for anything else. */
struct stream *stream_foreign(struct stream *in, enum compression c,
			      const struct stream_limits *limits, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Push streams: the counterpart of stream.h for writing. A sink at the end takes bytes (a
 * descriptor, a buffer); a filter writes to another sink, which it borrows: finish and free the
 * filter first. Output of the compressing filters depends on nothing but the bytes written and
 * the level, not on how they were cut into writes. */
#ifndef KOGGE_CODEC_SINK_H
#define KOGGE_CODEC_SINK_H

#include "base/err.h"
#include "base/hash.h"
#include "codec/stream.h"

struct buf;
struct sink;

struct sink_ops {
	int (*write)(struct sink *s, const void *data, size_t n, struct err *e);
	int (*finish)(struct sink *s, struct err *e); /* NULL where there is nothing to do */
	void (*free)(struct sink *s);
};

/* First member of every implementation. */
struct sink {
	const struct sink_ops *ops;
};

/* Writes all N bytes. 0, or -1 with E set. */
int sink_write(struct sink *s, const void *data, size_t n, struct err *e);

/* Writes what is still held back (the trailer of a compressed stream). Does not finish the sink
 * below, does not sync. Once, and no write after. */
int sink_finish(struct sink *s, struct err *e);

/* Copies IN to its end. Stores the count where RET_N is not NULL. */
int sink_copy(struct sink *s, struct stream *in, uint64_t *ret_n, struct err *e);

/* Accepts NULL; an unfinished sink is dropped without writing more. */
void sink_free(struct sink *s);
DEFINE_FREEP(struct sink, sink_free)

/* Writes to the descriptor FD (borrowed). */
struct sink *sink_to_fd(int fd, struct err *e);

/* Appends to BUF (borrowed), whose maximum holds. */
struct sink *sink_to_buf(struct buf *buf, struct err *e);

/* Passes on to OUT, counting and hashing. OUT may be NULL: then the bytes end here. */
struct sink *sink_tee(struct sink *out, struct err *e);

/* What went through a tee so far. Either may be NULL. */
void sink_tee_result(const struct sink *tee, unsigned char ret_digest[SHA256_SIZE],
		     uint64_t *ret_n);

/* One gzip member without name or time, OS byte 255 (as Go writes it). LEVEL 1 to 9, or 0 for
 * the default (6). */
struct sink *sink_gzip(struct sink *out, int level, struct err *e);

/* One zstd frame with a checksum. LEVEL 1 to 19, or 0 for the default (3). */
struct sink *sink_zstd(struct sink *out, int level, struct err *e);

/* The filter for C (none, gzip, zstd); a filter that passes everything on for none. */
struct sink *sink_compress(struct sink *out, enum compression c, int level, struct err *e);

#endif

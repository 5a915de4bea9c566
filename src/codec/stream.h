/* SPDX-License-Identifier: Apache-2.0 */
/* Pull streams: bytes on demand, in constant memory. A source makes bytes (a descriptor, memory);
 * a filter reads another stream, which it borrows: free the filter first. Nothing here opens a
 * file. A stream is used by one thread. */
#ifndef KOGGE_CODEC_STREAM_H
#define KOGGE_CODEC_STREAM_H

#include "base/err.h"
#include "base/hash.h"

#include <sys/types.h>

struct stream;

struct stream_ops {
	/* At most N (> 0) bytes into DATA: the count, 0 at the end, -1 with E set. */
	ssize_t (*read)(struct stream *s, void *data, size_t n, struct err *e);
	void (*free)(struct stream *s);
};

/* First member of every implementation. */
struct stream {
	const struct stream_ops *ops;
};

/* As read(2): fewer bytes than asked for are no end; 0 is, and stays so. After an error every
 * further read fails. */
ssize_t stream_read(struct stream *s, void *data, size_t n, struct err *e);

/* Exactly N bytes, or fewer only where the stream ends. */
ssize_t stream_read_full(struct stream *s, void *data, size_t n, struct err *e);

/* Reads to the end and throws away. Stores the count where RET_N is not NULL. */
int stream_drain(struct stream *s, uint64_t *ret_n, struct err *e);

/* Accepts NULL. Never closes or frees what the stream reads from. */
void stream_free(struct stream *s);
DEFINE_FREEP(struct stream, stream_free)

/* Reads the descriptor FD (borrowed) from where it stands. Retries EINTR. NULL with E set when
 * out of memory, as for all constructors here. */
struct stream *stream_from_fd(int fd, struct err *e);

/* Reads N bytes of DATA, borrowed. */
struct stream *stream_from_mem(const void *data, size_t n, struct err *e);

/* The first N bytes of IN, or fewer where it ends before; IN stands behind them after. */
struct stream *stream_limited(struct stream *in, uint64_t n, struct err *e);

/* Passes IN through, counting and hashing what is read. */
struct stream *stream_tee(struct stream *in, struct err *e);

/* What went through a tee so far: the digest (SHA-256; may be called again after more reads) and
 * the count. Either may be NULL. */
void stream_tee_result(const struct stream *tee, unsigned char ret_digest[SHA256_SIZE],
		       uint64_t *ret_n);

enum compression {
	COMPRESSION_NONE,
	COMPRESSION_GZIP,
	COMPRESSION_ZSTD,
	COMPRESSION_XZ,    /* read in kogge-unpack alone */
	COMPRESSION_BZIP2, /* the same */
};

/* "none", "gzip", "zstd", "xz", "bzip2". */
const char *compression_name(enum compression c);

/* Looks at the first N bytes (6 are enough) of a stream. */
enum compression compression_detect(const void *data, size_t n);

/* What a decompressing stream may yield; passing a limit is ERR_LIMIT. All zero means none. */
struct stream_limits {
	uint64_t max_out;     /* bytes of output; 0: any */
	uint32_t max_ratio;   /* output : input, once more than ratio_slack bytes came; 0: any */
	uint64_t ratio_slack; /* bytes of output that are never counted against the ratio */
};

/* Decompresses gzip (RFC 1952): every member, with CRC and ISIZE checked and the header at most
 * 128 KiB. After the last member only zero bytes may follow. LIMITS may be NULL. Damage and
 * truncation: ERR_CORRUPT. */
struct stream *stream_gunzip(struct stream *in, const struct stream_limits *limits, struct err *e);

/* Decompresses zstd (RFC 8878): every frame, skippable ones left out, checksums checked, a window
 * of at most 128 MiB, no dictionaries, no formats older than 1.0. */
struct stream *stream_unzstd(struct stream *in, const struct stream_limits *limits, struct err *e);

/* By the first bytes of IN: gzip, zstd or plain (everything else, with max_out still held). xz
 * and bzip2 give ERR_UNSUPPORTED with a hint. Stores what was found where RET is not NULL. */
struct stream *stream_decompress(struct stream *in, const struct stream_limits *limits,
				 enum compression *ret, struct err *e);

/* Opens a stream of another compression: stream_foreign of codec/foreign.h. */
typedef struct stream *(*stream_foreign_fn)(struct stream *in, enum compression c,
					    const struct stream_limits *limits, struct err *e);

/* stream_decompress with FOREIGN for xz and bzip2; NULL: refused. */
struct stream *stream_decompress_with(struct stream *in, const struct stream_limits *limits,
				      stream_foreign_fn foreign, enum compression *ret,
				      struct err *e);

#endif

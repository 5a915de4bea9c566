/* SPDX-License-Identifier: Apache-2.0 */
/* The content that images are read into and written from, as this folder sees it: blobs by digest.
 * The store implements it; so does a small one in memory for the tests. */
#ifndef KOGGE_IMAGE_CONTENT_SINK_H
#define KOGGE_IMAGE_CONTENT_SINK_H

#include "oci/digest.h"

struct pollfd;
struct content_sink;
struct content_writer; /* an implementation's own; one blob on its way in */

struct content_sink_ops {
	/* Starts a blob. SIZE is the expected number of bytes, -1 where it is not known. */
	struct content_writer *(*begin)(struct content_sink *s, int64_t size, struct err *e);

	/* The digest that the blob is said to have, before its first byte; commit will get the
	 * same. A sink that has it already can save itself the work. NULL: not interested. */
	void (*claim)(struct content_writer *w, const struct digest *claimed);

	/* Adds bytes. After an error only abort may follow. */
	int (*write)(struct content_writer *w, const void *data, size_t n, struct err *e);

	/* Ends the blob and keeps it. EXPECTED may be NULL; where it is not and the bytes have
	 * another digest: ERR_CORRUPT, and nothing is kept. A blob that is there already is no
	 * error. Frees the writer in any case. The blob need not be durable yet, and must not be
	 * collected while the sink lives. */
	int (*commit)(struct content_writer *w, const struct digest *expected, struct digest *ret,
		      uint64_t *ret_size, struct err *e);

	/* Forgets the blob and frees the writer. NULL is allowed. */
	void (*abort)(struct content_writer *w);

	/* Opens a blob: a descriptor of a regular file or memfd at offset 0, with its size.
	 * ERR_NOT_FOUND. */
	int (*open)(struct content_sink *s, const struct digest *d, uint64_t *ret_size,
		    struct err *e);

	/* Keeps a blob that is there already, as if it had just been committed: 1, or 0 where it
	 * is not there. NULL: nothing ever is. */
	int (*adopt)(struct content_sink *s, const struct digest *d, uint64_t *ret_size,
		     struct err *e);
};

/* The size of a part: what is fetched by one request, and what is known of how far it has come. */
#define CONTENT_PART_SIZE ((uint64_t)16 << 20)

/* A blob of known digest and size that comes in parts, in any order, possibly over several lives of
 * a process: what has come is kept until the blob is whole, or too old. */
struct content_parts_ops {
	/* Starts the blob, or goes on with it. */
	struct content_writer *(*begin)(struct content_sink *s, const struct digest *d,
					uint64_t size, struct err *e);

	/* How many bytes of part PART there are, from its beginning. */
	uint64_t (*have)(const struct content_writer *w, size_t part);

	/* Adds N bytes to PART behind those that it has. */
	int (*put)(struct content_writer *w, size_t part, const void *data, size_t n,
		   struct err *e);

	/* Hashes and unpacks what can be, without waiting. 1 when all of the blob went through,
	 * else 0, -1. FDS gets what it waits for besides more bytes, *RET_N descriptors (at most
	 * CONTENT_PARTS_FDS). */
	int (*advance)(struct content_writer *w, struct pollfd *fds, size_t *ret_n, struct err *e);

	/* Stops, and keeps what came for the next attempt. Frees the writer; NULL is allowed. */
	void (*suspend)(struct content_writer *w);
};

/* How many descriptors advance waits for at most. */
enum { CONTENT_PARTS_FDS = 2 };

/* Embedded as the first member of an implementation. The writers of PARTS are for commit and abort
 * of OPS, too; abort forgets what came. NULL: it has none. */
struct content_sink {
	const struct content_sink_ops *ops;
	const struct content_parts_ops *parts;
};

/* The number of parts of a blob of SIZE bytes. */
static inline size_t content_parts_count(uint64_t size)
{
	return (size_t)((size + CONTENT_PART_SIZE - 1) / CONTENT_PART_SIZE);
}

/* The size of PART of such a blob. */
static inline uint64_t content_part_size(uint64_t size, size_t part)
{
	uint64_t left = size - part * CONTENT_PART_SIZE;

	return left < CONTENT_PART_SIZE ? left : CONTENT_PART_SIZE;
}

/* Reads a whole blob of at most MAX bytes into *RET (heap, with a NUL after it, owned by the
 * caller) and checks its digest. ERR_LIMIT, ERR_NOT_FOUND, ERR_CORRUPT. */
int content_sink_read(struct content_sink *s, const struct digest *d, size_t max, char **ret,
		      size_t *ret_n, struct err *e);

/* Stores N bytes as a blob. */
int content_sink_put(struct content_sink *s, const void *data, size_t n, struct digest *ret,
		     struct err *e);

#endif

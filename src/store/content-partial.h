/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs that are fetched in parts and may be interrupted: content/partial/<hex>
 * (docs/formats/partial-blob.md). What has come is found again by the next process; nothing of it
 * is believed before the digest of the whole was computed. */
#ifndef KOGGE_STORE_CONTENT_PARTIAL_H
#define KOGGE_STORE_CONTENT_PARTIAL_H

#include "base/err.h"

#include <sys/types.h>

struct content;
struct digest;
struct partial;

/* Kept for that long after the last byte came. */
#define PARTIAL_AGE_SECONDS ((int64_t)7 * 24 * 3600)

/* Goes on with the blob D of SIZE bytes where some of it is there, else begins it. While another
 * process fetches the same one, this one gets a file of its own. ERR_LIMIT for absurd sizes. */
int partial_begin(struct content *c, const struct digest *d, uint64_t size, struct partial **ret,
		  struct err *e);

/* The size of the blob. */
uint64_t partial_size(const struct partial *p);

/* How much of PART (image/content-sink.h) there is. */
uint64_t partial_have(const struct partial *p, size_t part);

/* Adds N bytes to PART. ERR_LIMIT where it would get too long, or the disk is full. */
int partial_put(struct partial *p, size_t part, const void *data, size_t n, struct err *e);

/* How many bytes from the beginning on there are without a gap. */
uint64_t partial_ready(struct partial *p);

/* How many of these were hashed. */
uint64_t partial_hashed(const struct partial *p);

/* Reads at most N bytes at OFFSET below partial_ready. The count, or -1. */
ssize_t partial_read(const struct partial *p, uint64_t offset, void *data, size_t n, struct err *e);

/* Hashes these N bytes, which stand at partial_hashed. */
void partial_hash(struct partial *p, const void *data, size_t n);

/* The whole blob went through partial_hash: keeps it, as ingest_commit does. ERR_CORRUPT where the
 * digest is another one: then it is gone. P is freed in any case. */
int partial_commit(struct partial *p, struct err *e);

/* Frees P: what came is kept, or with DROP removed. NULL is allowed. */
void partial_end(struct partial *p, bool drop);

/* Removes the parts that nobody works on and that are older than AGE seconds; 0: all. *RET_BYTES:
 * what that freed; may be NULL. */
int partial_clean(struct content *c, int64_t age, uint64_t *ret_bytes, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The content store: blobs known by their SHA-256 in content/sha256/<hex>, written once.
 *
 * A blob exists when its file and its row in the database do. The row is written by the transaction
 * that publishes what uses it, after the file reached the disk; a file without a row is never
 * believed (a power cut may have left it short). Between commit and publication the committing
 * process's lease keeps the blob from the garbage collector. */
#ifndef KOGGE_STORE_CONTENT_H
#define KOGGE_STORE_CONTENT_H

#include "base/err.h"

#include <sys/types.h>

struct content;
struct digest;
struct ingest;

/* Whether the blob exists: 0 and its size, or -1 with ERR_NOT_FOUND. Blobs that this process
 * committed and has not published yet count. RET_SIZE may be NULL. */
int content_stat(struct content *c, const struct digest *d, uint64_t *ret_size, struct err *e);

/* Opens the blob for reading. Returns a descriptor owned by the caller, or -1 with E set:
 * ERR_NOT_FOUND when there is none, ERR_CORRUPT when its file is missing or has another size. */
int content_open(struct content *c, const struct digest *d, struct err *e);

/* Reads a whole blob (a document) of at most MAX bytes and verifies its digest. *RET is owned by
 * the caller and ends with a NUL that is not counted. ERR_CORRUPT, ERR_LIMIT. */
int content_read(struct content *c, const struct digest *d, size_t max, char **ret, size_t *ret_n,
		 struct err *e);

/* Reads the blob and compares its digest: ERR_CORRUPT where it differs. */
int content_verify(struct content *c, const struct digest *d, struct err *e);

/* Calls FN for each published blob until it returns non-zero, which is then returned. */
typedef int (*content_walk_fn)(void *arg, const struct digest *d, uint64_t size, struct err *e);
int content_walk(struct content *c, content_walk_fn fn, void *arg, struct err *e);

/* Removes a blob, whoever uses it: for the garbage collector. An absent one is no error. */
int content_remove(struct content *c, const struct digest *d, struct err *e);

/* Keeps the existing blob D for this process, as if it had just committed it: 1, or 0 where there
 * is none. */
int content_adopt(struct content *c, const struct digest *d, uint64_t *ret_size, struct err *e);

/* Begins a new blob of unknown digest. */
int ingest_begin(struct content *c, struct ingest **ret, struct err *e);

/* Says what digest the blob will have. Where the store has it already nothing is written any more
 * and 1 returned; the digest is computed all the same, and commit must be given this one. */
int ingest_expect(struct ingest *in, const struct digest *d, struct err *e);

/* Appends. The digest is computed on the way. ERR_LIMIT where the disk is full. */
int ingest_write(struct ingest *in, const void *data, size_t n, struct err *e);

/* Bytes so far. */
uint64_t ingest_size(const struct ingest *in);

/* Ends the blob: where EXPECTED is not NULL the digest must be that, where SIZE is not UINT64_MAX
 * the size must be that: else ERR_CORRUPT. Its digest goes to RET (may be NULL). The bytes are on
 * their way to the disk; store_sync or publication waits for them. IN is gone afterwards, with
 * success or without. */
int ingest_commit(struct ingest *in, const struct digest *expected, uint64_t size,
		  struct digest *ret, struct err *e);

/* Drops it; NULL is allowed. */
void ingest_abort(struct ingest *in);
DEFINE_FREEP(struct ingest, ingest_abort)

/* A descriptor to read what was written so far (pread); borrowed. */
int ingest_fd(const struct ingest *in);

#endif

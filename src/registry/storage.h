/* SPDX-License-Identifier: Apache-2.0 */
/* Where a registry keeps its bytes: objects under keys, as an object store has them. This header is
 * the contract; storage_directory_open (storage-directory.h) is one implementation, test-storage.c
 * holds for each. Nothing here assumes that one process alone uses a storage: what must not be
 * lost when two write at once changes by storage_swap.
 *
 * A key is a relative path of components that the caller has checked ("repositories/a/b/_tags/x").
 * Keys of one storage are never both an object and the beginning of another's key. What put, swap
 * and upload_commit have answered with success survives a power cut. All calls may be made from
 * several threads at once, except those on one upload.
 *
 * Errors: ERR_NOT_FOUND (no such object), ERR_CONFLICT (swap, remove: it is another one by now;
 * upload_open: somebody else writes to it), ERR_LIMIT (no space), ERR_IO. */
#ifndef KOGGE_REGISTRY_STORAGE_H
#define KOGGE_REGISTRY_STORAGE_H

#include "base/err.h"

#include <sys/types.h>

struct storage;
struct storage_upload;

struct storage_stat {
	uint64_t size;
	uint64_t version; /* another one after each put, swap and touch */
	int64_t mtime;    /* of the last of these, nanoseconds since 1970 */
};

/* An entry of a listing: NAME is one component, FOLDER where more keys begin with it. Return -1
 * to stop. */
typedef int storage_entry_fn(void *arg, const char *name, bool folder, struct err *e);

#define STORAGE_UPLOAD_ID_SIZE 37 /* a UUID with its NUL */

struct storage_ops {
	void (*free)(struct storage *s);
	/* Opens an object for reading: a descriptor that can be read and sent, or -1. */
	int (*get)(struct storage *s, const char *key, struct storage_stat *ret, struct err *e);
	/* Writes an object, replacing what is there. */
	int (*put)(struct storage *s, const char *key, const void *data, size_t n, struct err *e);
	int (*stat)(struct storage *s, const char *key, struct storage_stat *ret, struct err *e);
	/* Calls FN for each entry below PREFIX (a folder, without slash at the end), in no order. A
	 * prefix without entries is no error. */
	int (*list)(struct storage *s, const char *prefix, storage_entry_fn *fn, void *arg,
		    struct err *e);
	/* Removes an object. With EXPECTED only where its version is still that one. */
	int (*remove)(struct storage *s, const char *key, const struct storage_stat *expected,
		      struct err *e);
	/* Writes an object only where it holds the bytes EXPECTED; NULL: only where there is
	 * none. */
	int (*swap)(struct storage *s, const char *key, const char *expected, const void *data,
		    size_t n, struct err *e);
	/* Gives an object a new version and time without changing it: whoever collects garbage and
	 * saw the old version cannot remove it any more. */
	int (*touch)(struct storage *s, const char *key, struct err *e);
	/* Opens an upload, with CREATE a new one whose name is stored in ID, for one writer at a
	 * time. *RET_SIZE is what it holds. */
	int (*upload_open)(struct storage *s, char id[STORAGE_UPLOAD_ID_SIZE], bool create,
			   struct storage_upload **ret, uint64_t *ret_size, struct err *e);
	/* Appends. */
	int (*upload_write)(struct storage_upload *u, const void *data, size_t n, struct err *e);
	/* Reads at an offset up to N bytes: for digests that were not computed on the way. */
	ssize_t (*upload_read)(struct storage_upload *u, uint64_t at, void *data, size_t n,
			       struct err *e);
	/* Ends the work on an upload and frees U. With KEY its bytes become that object (whatever
	 * is there is replaced; U is gone also where it fails); without, KEEP tells whether the
	 * bytes stay for later or are removed. */
	int (*upload_close)(struct storage_upload *u, const char *key, bool keep, struct err *e);
};

/* What every implementation begins with. */
struct storage {
	const struct storage_ops *ops;
};

/* What every open upload begins with. */
struct storage_upload {
	struct storage *storage;
};

/* Ends the use of a storage; NULL is allowed. */
static inline void storage_free(struct storage *s)
{
	if (s)
		s->ops->free(s);
}

DEFINE_FREEP(struct storage, storage_free)

/* Reads a small object into OUT (NUL after it); ERR_CORRUPT where it is larger than N - 1 bytes.
 * Returns its size or -1. */
ssize_t storage_read(struct storage *s, const char *key, char *out, size_t n, struct err *e);

#endif

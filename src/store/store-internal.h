/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#ifndef KOGGE_STORE_STORE_INTERNAL_H
#define KOGGE_STORE_STORE_INTERNAL_H

#include "base/err.h"
#include "store/db.h"
#include "store/snapshot.h"
#include "store/store.h"

struct content {
	struct store *store;
	int blobs;   /* content/sha256 */
	int ingest;  /* content/ingest */
	int partial; /* content/partial, opened when needed; -1 */
};

struct snapshot_change_sink;

struct store {
	char *root_path;
	char *run_path;
	int root;
	int run;
	int lock;      /* <root>/lock */
	int snapshots; /* snapshots/<driver> */
	int volumes;   /* volumes, opened when needed; -1 */
	struct db *db;
	struct content content;
	const struct snapshot_driver *driver;
	int64_t lease; /* 0: none yet */
	bool leased;   /* its row exists */
	int unpack;    /* the program kogge-unpack, opened when needed; -1 */
};

/* What differs between overlay and vfs. DIR is always the descriptor of snapshots/<driver>. */
struct snapshot_driver {
	const char *name;
	bool whiteouts_kept; /* a layer is its difference alone */

	/* 0 where it works in DIR, -1 with the reason. */
	int (*probe)(int dir, struct err *e);

	/* Makes the tree ID for a layer above PARENT (a snapshot, NULL for the lowest) and returns
	 * the directory to unpack into. */
	int (*layer)(int dir, const char *id, const char *parent, struct err *e);

	/* Opens, and makes where missing, what snapshot ID (NULL: read-only, nothing of its own)
	 * needs above the N snapshots CHAIN, top first. */
	int (*mounts)(int dir, const char *id, const char *const *chain, size_t n,
		      struct snapshot_mounts *ret, struct err *e);

	/* Compares the writable snapshot ID with its chain. FN as for snapshot_changes. */
	int (*changes)(int dir, const char *id, const struct snapshot_mounts *m,
		       struct snapshot_change_sink *sink, struct err *e);
};

/* Where changes go; stop holds what FN returned. */
struct snapshot_change_sink {
	snapshot_change_fn fn;
	void *arg;
	const char *const *ignored;
	int stop;
};

extern const struct snapshot_driver snapshot_overlay;
extern const struct snapshot_driver snapshot_vfs;

/* Opens the directory NAME/SUB of the snapshot tree (SUB may be NULL) as OFLAGS say. */
int snapshot_open_dir(int dir, const char *id, const char *sub, int oflags);

/* What is below the open directory FD, as snapshot_usage tells it. */
struct snapshot_usage;
int snapshot_measure(int fd, struct snapshot_usage *ret, struct err *e);

/* Takes the lease's row (once), so that a later process finds what this one leaves. */
int store_lease_record(struct store *s, struct err *e);

/* Notes that the lease holds OBJECT of KIND ('blob', 'chain'). */
int store_lease_hold(struct store *s, const char *kind, const char *object, struct err *e);

/* Ends LEASE in the open transaction: what it made and nobody published becomes trash. */
int store_lease_release(struct store *s, int64_t lease, struct err *e);

/* Notes in the open transaction that OBJECT is to be removed: KIND "snapshot" or "blob". */
int store_trash(struct store *s, const char *kind, const char *object, struct err *e);

/* Opens content/partial, once, and makes it with MAKE. A negative errno where it is not there. */
int content_open_partial(struct content *c, bool make);

/* Writes the row of a blob that is on the disk, in the publishing transaction. */
int content_publish(struct content *c, const char *digest, uint64_t size, struct err *e);

/* The size of the file of the blob HEX, or -1 with errno in E. */
int content_file_size(const struct content *c, const char *hex, uint64_t *ret, struct err *e);

/* Removes the files of ingests of LEASE; 0: of every dead lease. */
int content_clean(struct content *c, int64_t lease, struct err *e);

/* Removes the files of trashed blobs that nobody made again. */
int content_sweep(struct content *c, struct err *e);

/* Calls FN for each file of the blobs, or else tree of the snapshots, that no row knows: NAME in
 * DIR. What FN returns other than 0 ends it. */
typedef int (*gc_unknown_fn)(void *arg, int dir, const char *name, bool blob, struct err *e);
int gc_unknown_each(struct store *s, bool blobs, gc_unknown_fn fn, void *arg, struct err *e);

/* In the open transaction: everything that became unreachable out of the tables and into the
 * trash. */
typedef void (*gc_chain_fn)(void *arg, const char *chain);
struct gc_result;
int gc_mark(struct store *s, gc_chain_fn fn, void *arg, struct gc_result *ret, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Snapshots: the directories of layers and the writable layers of containers.
 *
 * A layer's snapshot holds its files as the driver needs them: `overlay` the difference with
 * whiteouts as character devices 0:0 and trusted.overlay.opaque, shared by every chain with the
 * same diff ID; `vfs` the whole tree with its parents. Layers never change once committed. A
 * writable snapshot stands on a chain of layers and belongs to one container.
 *
 * The row in the database is the truth and always comes first: a directory without a row is
 * garbage. Identifiers are random and never used again, so removing is: row out and tree noted as
 * trash in one transaction, tree removed afterwards by this or a later process. */
#ifndef KOGGE_STORE_SNAPSHOT_H
#define KOGGE_STORE_SNAPSHOT_H

#include "base/err.h"

struct store;

#define SNAPSHOT_ID_SIZE 17 /* 16 hexadecimal digits and a NUL */

/* The kernel's limit (OVL_MAX_STACK in fs/overlayfs/params.h). */
#define SNAPSHOT_OVERLAY_MAX 500

enum snapshot_kind {
	SNAPSHOT_LAYER,    /* committed, read-only */
	SNAPSHOT_WRITABLE, /* of a container */
	SNAPSHOT_VIEW,     /* a chain read-only, nothing of its own */
};

/* How to mount a snapshot: a description, never a path. Descriptors are O_PATH directories owned by
 * this struct. */
struct snapshot_mounts {
	bool overlay;   /* an overlay of what follows; else a bind of `root` */
	bool read_only; /* mount it read-only */
	int root;       /* bind: the directory; -1 for an overlay */
	int upper;      /* overlay: -1 when read-only */
	int work;
	int *lower; /* overlay: the top layer first */
	size_t n_lower;
	/* Overlay options that must be given where the kernel's own default could differ
	 * ("metacopy", "redirect_dir", "xino", "index": all "off"): NULL-terminated pairs,
	 * constant. */
	const char *const *opts;
};

#define SNAPSHOT_MOUNTS_INIT ((struct snapshot_mounts){.root = -1, .upper = -1, .work = -1})

void snapshot_mounts_done(struct snapshot_mounts *m);

/* Registers a writable snapshot on the chain whose top is CHAIN ("sha256:...", NULL: empty). One
 * row, no directories: those are made by the first snapshot_mounts. Call it in the transaction that
 * makes the container, so that neither exists without the other. */
int snapshot_prepare(struct store *s, const char *chain, char ret_id[SNAPSHOT_ID_SIZE],
		     struct err *e);

/* Registers a read-only view of a chain; it keeps the layers from the garbage collector. */
int snapshot_view(struct store *s, const char *chain, char ret_id[SNAPSHOT_ID_SIZE], struct err *e);

/* Describes how to mount the snapshot ID and makes its directories where they are missing (`vfs`:
 * copies the parent). Nobody else may do the same for ID at the same time: hold the container's
 * lock. ERR_NOT_FOUND; ERR_CORRUPT where a layer's directory is gone; ERR_LIMIT over
 * SNAPSHOT_OVERLAY_MAX layers. */
int snapshot_mounts(struct store *s, const char *id, struct snapshot_mounts *ret, struct err *e);

/* The same for a chain without any row, read-only: for reads while the image cannot vanish. */
int snapshot_mounts_chain(struct store *s, const char *chain, struct snapshot_mounts *ret,
			  struct err *e);

/* Takes the snapshot out of the database and notes its tree as trash, in the caller's transaction
 * where there is one. An unknown ID is no error. snapshot_sweep does the removal. */
int snapshot_remove(struct store *s, const char *id, struct err *e);

/* Removes the trees that wait as trash (of this process and of dead ones). Off the path on which
 * somebody waits. */
int snapshot_sweep(struct store *s, struct err *e);

struct snapshot_usage {
	uint64_t bytes; /* allocated on the disk (st_blocks), each inode once */
	uint64_t size;  /* sum of the sizes of the regular files, as `docker ps -s` shows */
	uint64_t inodes;
};

/* What the snapshot holds by itself (vfs: what it holds altogether). */
int snapshot_usage(struct store *s, const char *id, struct snapshot_usage *ret, struct err *e);

enum snapshot_change_kind {
	SNAPSHOT_MODIFIED, /* docker diff's C */
	SNAPSHOT_ADDED,    /* A */
	SNAPSHOT_DELETED,  /* D */
};

/* Calls FN for each path ("/etc/hosts") that the writable snapshot ID changed against its chain, as
 * `docker diff` has it, parents before children, until it returns non-zero, which is then returned.
 * What IGNORED (NULL-terminated, or NULL) names and is new is left out. A snapshot that was never
 * mounted has no changes. */
typedef int (*snapshot_change_fn)(void *arg, enum snapshot_change_kind kind, const char *path);
int snapshot_changes(struct store *s, const char *id, const char *const *ignored,
		     snapshot_change_fn fn, void *arg, struct err *e);

/* Opens (O_PATH) the tree in which all that snapshot_changes tells of as added or changed is found:
 * an overlay's upper directory, else the whole. -1 with E set; ERR_NOT_FOUND where it was never
 * mounted. */
int snapshot_changed_tree(struct store *s, const char *id, struct err *e);

/* Layers while they are unpacked. snapshot_layer_begin registers one under this process's lease
 * above the layer whose snapshot is PARENT (NULL: the lowest) and returns a descriptor, owned by
 * the caller, of the directory to unpack into (vfs: it already holds a copy of the parent).
 * snapshot_layer_commit is called in the publishing transaction, after a sync; snapshot_layer_abort
 * removes the tree. */
int snapshot_layer_begin(struct store *s, const char *parent, char ret_id[SNAPSHOT_ID_SIZE],
			 struct err *e);
int snapshot_layer_commit(struct store *s, const char *id, struct err *e);
void snapshot_layer_abort(struct store *s, const char *id);

/* Whether the driver's layers keep whiteouts (overlay), so that a layer's tree depends on its diff
 * ID alone and is shared between chains; else they are applied (vfs). */
bool snapshot_whiteouts_kept(const struct store *s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a container, whatever it does: what diff, export, commit and cp work on. Of a
 * container that runs, also a paused one, it is what its processes see in their mount namespace; of
 * another one its root file system is mounted for the purpose. Nothing of the container is
 * executed, no name is looked up by its files, and every path in it is resolved below the
 * descriptor of its root (base/path.h): it may change its files meanwhile as it likes (E14, E15).
 */
#ifndef KOGGE_ENGINE_CONTAINER_TREE_H
#define KOGGE_ENGINE_CONTAINER_TREE_H

#include "base/err.h"
#include "store/snapshot.h"

struct container_tree;
struct engine;

enum container_tree_flags {
	/* With all that is mounted in it: volumes, tmpfs. Else the root file system alone. */
	CONTAINER_TREE_MOUNTS = 1 << 0,
};

/* Opens the files of the container REF. While the tree of a container that does not run is open, it
 * cannot be started or removed. */
int container_tree_open(struct engine *en, const char *ref, unsigned flags,
			struct container_tree **ret, struct err *e);

/* Accepts NULL. */
void container_tree_free(struct container_tree *t);
DEFINE_FREEP(struct container_tree, container_tree_free)

/* The root: a detached mount (O_PATH), borrowed. */
int container_tree_root(const struct container_tree *t);

/* Whether files may be made in DIR, a directory of the tree: ERR_DENIED with Docker's words where
 * the root file system or the volume is read-only. */
int container_tree_check_writable(const struct container_tree *t, int dir, struct err *e);

/* The owner that `cp -a` gives: the container's own user. 1, or 0 where it names none. The user is
 * looked up in the container's /etc/passwd, which is data (E15). */
int container_tree_owner(const struct container_tree *t, uint32_t *ret_uid, uint32_t *ret_gid,
			 struct err *e);

/* Tells of the container that ACTION ("archive-path", "extract-to-dir", "export") happened. */
void container_tree_event(const struct container_tree *t, const char *action);

/* Calls FN for each change of the container REF against its image (store/snapshot.h); what Kogge
 * itself makes for its mounts is left out. */
int container_diff(struct engine *en, const char *ref, snapshot_change_fn fn, void *arg,
		   struct err *e);

/* Writes the whole root file system, without volumes and other mounts, as a tar archive to FD. */
int container_export(struct engine *en, const char *ref, int fd, struct err *e);

struct container_commit {
	const char *name;           /* "repo:tag"; NULL: none */
	const char *author;         /* NULL: none */
	const char *message;        /* NULL: none */
	const char *const *changes; /* Dockerfile instructions, NULL-terminated or NULL */
	bool pause;                 /* freeze the container while its files are read */
};

/* Makes an image of the container REF: its image's layers, one of its changes, and its
 * configuration. RET_ID has IMAGE_ID_SIZE bytes (store/image-store.h). */
int container_commit(struct engine *en, const char *ref, const struct container_commit *o,
		     char *ret_id, struct err *e);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the files that copy share. */
#ifndef KOGGE_ENGINE_BUILD_COPY_INTERNAL_H
#define KOGGE_ENGINE_BUILD_COPY_INTERNAL_H

#include "engine/build-copy.h"
#include "store/tree.h"

/* A source as it is found: what it is, and where. */
struct build_found {
	int fd;           /* O_PATH, links followed */
	const char *path; /* in the tree, as it was asked for, cleaned, without a slash in front */
	struct stat st;
};

/* Opens PATH of the tree with its links followed, inside of the tree. ERR_NOT_FOUND in BuildKit's
 * words. RET->fd is the caller's. */
int build_source_open(const struct build_source *from, const char *path, struct build_found *ret,
		      struct err *e);

/* Whether the path in the context is left out. A folder that is left out is still entered where
 * there are exceptions: then *RET_ENTER. */
bool build_source_hides(const struct build_source *from, const struct ignore *exclude,
			const char *path, bool *ret_enter);

/* Goes through what C copies from the source FOUND: FN for each entry that is neither ignored nor
 * excluded, a directory before what is in it, in the order of names; LEAVE (may be NULL) after it.
 * T->path counts from the source; "" is the source itself, for which T->dir is its descriptor and
 * T->name "". A directory that is hidden but holds what is not comes with HIDDEN set. */
struct build_walk {
	const struct build_copy *copy;
	const struct build_found *found;
	int (*entry)(void *arg, const struct tree_entry *t, bool hidden, struct err *e);
	int (*leave)(void *arg, struct err *e);
	void *arg;
};
int build_walk_run(struct build_walk *w, struct err *e);

/* Makes the folder REL below ROOT with those that are missing above it, with OWNER; returns it
 * (O_PATH). */
int build_open_dirs(int root, const char *rel, const struct build_owner *owner, struct err *e);

/* build-unpack.c: whether what was found is a tar archive, plain or compressed; and unpacks it into
 * C->dest, a folder of ROOT, which is a detached mount. */
bool build_is_archive(const struct build_found *found);
int build_unpack(int root, const struct build_copy *c, const struct build_found *found,
		 struct err *e);

/* Copies extended attributes between descriptors that can be read; what the file system does not
 * take is left out. */
int build_copy_xattrs(int from, int to);
/* Whether the attribute NAME is copied. */
bool build_copy_takes_xattr(const char *name);

#endif

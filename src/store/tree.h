/* SPDX-License-Identifier: Apache-2.0 */
/* Walks of trees: in constant descriptors, without recursion, however deep. Links are never
 * followed. The tree may change meanwhile: what vanishes is left out, and a directory that is moved
 * away while the walk is in it ends the walk with an error (ESTALE). */
#ifndef KOGGE_STORE_TREE_H
#define KOGGE_STORE_TREE_H

#include "base/err.h"

#include <sys/stat.h>

/* One entry: NAME in the open directory DIR, PATH from the root of the walk ("a/b"). */
struct tree_entry {
	int dir;
	const char *name;
	const char *path;
	struct stat st;
};

enum tree_next {
	TREE_GO = 0,
	TREE_SKIP = 1, /* do not enter this directory */
	TREE_STOP = 2, /* end the walk with success */
};

struct tree_ops {
	/* Each entry, a directory before what is in it, in the order of names where SORTED: one
	 * of enum tree_next, or -1 with E set. */
	int (*entry)(void *arg, const struct tree_entry *t, struct err *e);
	/* After everything in a directory that was entered (DIR is the directory itself and NAME ""
	 * then); may be NULL. Also for the root. */
	int (*leave)(void *arg, int dir, struct err *e);
	bool sorted;
};

/* Walks what is below ROOT (readable, borrowed). */
int tree_walk(int root, const struct tree_ops *ops, void *arg, struct err *e);

/* A set of inode numbers, for hard links. */
struct tree_inodes {
	uint64_t *slots;
	char **paths; /* where it was seen first; may be all NULL */
	size_t n, cap;
};

void tree_inodes_done(struct tree_inodes *s);

/* Adds INO with PATH (copied, may be NULL): 1 where it is new, 0 where it was there (its path in
 * *RET where RET is not NULL), -ENOMEM. */
int tree_inodes_add(struct tree_inodes *s, uint64_t ino, const char *path, const char **ret);

#endif

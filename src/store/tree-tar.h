/* SPDX-License-Identifier: Apache-2.0 */
/* A directory tree as a tar stream: hard links, extended attributes that a layer may have (user.*,
 * file capabilities, access control lists), devices, FIFOs, names of any length. Times are whole
 * seconds, as Docker writes them; sockets and character devices 0:0 are left out. The same tree
 * gives the same bytes: entries come in the order of their names.
 *
 * The tree may be a container's, which changes it meanwhile: everything goes by descriptors, no
 * link is followed, and nothing but regular files is opened for reading (an inode is held and
 * looked at before it is opened). What vanishes is left out; a file that became shorter while it
 * was read, or a directory that was moved away, is an error. */
#ifndef KOGGE_STORE_TREE_TAR_H
#define KOGGE_STORE_TREE_TAR_H

#include "base/err.h"
#include "store/tree.h"

struct sink;

enum tree_tar_flags {
	/* Directories of the kernel's file systems (proc, sysfs, cgroup, devpts, mqueue, ...) that
	 * are mounted in the tree come without what is in them. */
	TREE_TAR_NO_KERNEL = 1 << 0,
};

struct tree_tar_opts {
	unsigned flags;
	/* What stands before each name: "" or "usr/share" (then the root's own entry is
	 * "usr/share/"). NULL: names start at the root, which has no entry. */
	const char *prefix;
	/* Unix nanoseconds: what is younger gets this time; 0: everything keeps its own. */
	int64_t newest;
	/* May be NULL. Asked before each entry with its path in the tree ("" for the root): one of
	 * enum tree_next (SKIP leaves the entry out, with all below it), or -1 with E set. */
	int (*filter)(void *arg, const struct tree_entry *t, struct err *e);
	void *arg;
};

/* Writes the tree below the directory DIR (borrowed) as a whole archive with its end. */
int tree_tar_write(int dir, const struct tree_tar_opts *opts, struct sink *out, struct err *e);

/* Writes an archive with the one file FD (O_PATH | O_NOFOLLOW, borrowed), called AS in the archive;
 * a directory with all that it holds. The filter's paths start at the file. */
int tree_tar_write_file(int fd, const char *as, const struct tree_tar_opts *opts, struct sink *out,
			struct err *e);

/* A change for tree_tar_write_changes: PATH ("etc/passwd") was added or changed, or is gone. */
struct tree_tar_change {
	const char *path;
	bool gone;
};

/* Writes the layer of an image (image-spec layer.md) that the N CHANGES make: each entry alone,
 * directories without what is in them, and for what is gone an empty file ".wh.NAME". Files whose
 * own name would be taken for such a mark are left out. */
int tree_tar_write_changes(int dir, const struct tree_tar_change *changes, size_t n,
			   struct sink *out, struct err *e);

/* The same with no file younger than NEWEST (Unix nanoseconds; 0: no limit). */
struct tree_tar_layer {
	const struct tree_tar_change *changes;
	size_t n;
	int64_t newest;
};
int tree_tar_write_layer(int dir, const struct tree_tar_layer *layer, struct sink *out,
			 struct err *e);

#endif

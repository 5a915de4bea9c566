/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of unpacking: names and parents (unpack-name.c), making entries (unpack-entry.c),
 * their attributes (unpack-attr.c), whiteouts (unpack-whiteout.c), the set of inodes
 * (inode-set.c), and the loop (unpack.c). */
#ifndef KOGGE_UNPACK_UNPACK_INTERNAL_H
#define KOGGE_UNPACK_UNPACK_INTERNAL_H

#include "codec/tar.h"
#include "unpack/inode-set.h"
#include "unpack/unpack.h"

#include <limits.h>
#include <sys/stat.h>

/* fchmodat2(2), Linux 6.6: the same number everywhere. */
enum { PARENT_SLOTS = 8, UNPACK_FCHMODAT2 = 452 };

/* A directory that entries were made in, by its clean name. */
struct parent_slot {
	char *path;
	int fd;
	uint64_t used; /* the slot with the least is taken next */
};

/* A directory whose time is set at the end. */
struct dir_time {
	char *path;
	int64_t mtime_ns;
};

/* A name of the archive after cleaning: relative to the root, without ".", "..", "//"; "" is the
 * root. The last component starts at last. */
struct unpack_name {
	char path[PATH_MAX];
	const char *last;
	bool root; /* of the archive */
};

struct unpack {
	int root;
	enum unpack_mode mode;
	const char *prefix;  /* "" or where names start */
	unsigned path_flags; /* for path_open: PATH_NO_XDEV unless UNPACK_COPY */
	enum unpack_owner owner;
	uint32_t uid, gid;
	struct unpack_limits limits;
	struct unpack_hooks hooks;
	struct tar_reader *tar;
	struct unpack_result result;
	uint64_t inodes;

	struct parent_slot parents[PARENT_SLOTS];
	uint64_t clock;
	struct dir_time *dirs;
	size_t n_dirs;
	size_t cap_dirs;

	/* New files may get an owner, group or mode other than asked for (a directory with setgid,
	 * a group or a default ACL, we are not root): always set all of them. */
	bool careful;

	/* UNPACK_APPLY: what this layer made, and the directories above it. */
	struct inode_set touched;
};

/* --- names --- */

/* Cleans NAME, below PREFIX, which stays as it is. ERR_HOSTILE where it climbs out of the root,
 * ERR_INVALID where it is too long. */
int unpack_name_set(struct unpack_name *n, const char *prefix, const char *name, struct err *e);

/* The directory of N, made where it is missing; symbolic links in it stay inside the root. The
 * descriptor is borrowed, valid until the next call. */
int unpack_parent(struct unpack *u, const struct unpack_name *n, struct err *e);

/* Remembers FD (taken) as the directory of the clean name PATH. */
void unpack_parent_put(struct unpack *u, const char *path, int fd);

/* Something was removed or replaced that a name may lead through. */
void unpack_parents_forget(struct unpack *u);

/* --- entries --- */

/* Makes T (not a whiteout) at N. */
int unpack_entry(struct unpack *u, const struct unpack_name *n, const struct tar_entry *t,
		 struct err *e);

/* Whether ST is a whiteout in overlayfs' form. */
static inline bool unpack_is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

/* UNPACK_APPLY: remembers the file of FD as made by this layer. */
int unpack_touch(struct unpack *u, int fd, struct err *e);

/* Marks DIR (any descriptor of it) as opaque. */
int unpack_opaque(struct unpack *u, int dir, struct err *e);

/* --- attributes --- */

/* Owner, mode, extended attributes and (but for a directory) time of the file or directory FD.
 * FRESH: this call's maker has given it the plain bits of the mode and our owner already. */
int unpack_attributes(struct unpack *u, int fd, const struct tar_entry *t, bool fresh,
		      struct err *e);

/* Owner and time of something else, by an O_PATH descriptor. */
int unpack_attributes_special(struct unpack *u, int fd, const struct tar_entry *t, struct err *e);

/* Sets the times of directories, when nothing is made in them any more. */
int unpack_dir_time_add(struct unpack *u, const char *path, int64_t mtime_ns, struct err *e);
int unpack_dir_times_set(struct unpack *u, struct err *e);

/* --- whiteouts --- */

#define WHITEOUT_PREFIX ".wh."
#define WHITEOUT_META   ".wh..wh."
#define WHITEOUT_OPAQUE ".wh..wh..opq"

/* Does what N says where it is a whiteout: 1; 0 where it is none. */
int unpack_whiteout(struct unpack *u, const struct unpack_name *n, struct err *e);

#endif

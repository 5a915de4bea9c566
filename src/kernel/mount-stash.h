/* SPDX-License-Identifier: Apache-2.0 */
/* Detached mounts on kernels that have none (before 5.2, or where a filter denies the calls): new
 * mounts are made in a tmpfs that nobody sees and moved from there. It is mounted over "/" of the
 * caller's mount namespace, where no path leads to it, so that the namespace must be one that the
 * caller leaves by pivot_root, which drops it. /proc must be the caller's own, trusted one. All
 * functions return a close-on-exec descriptor or a negative errno and are safe after clone. */
#ifndef KOGGE_KERNEL_MOUNT_STASH_H
#define KOGGE_KERNEL_MOUNT_STASH_H

#include "kernel/mount.h"

struct mount_stash {
	int dir; /* the tmpfs, or -1 before the first use */
	unsigned n;
};

#define MOUNT_STASH_INIT ((struct mount_stash){.dir = -1})

/* Whether this is such a kernel. */
bool mount_is_classic(void);

/* Makes the tmpfs, which the other functions do on their first use. It must be there before the new
 * root is mounted over "/": what is on top of that the pivot does not drop (and fails). Returns 0.
 */
int mount_stash_open(struct mount_stash *s);

/* As mount_fs_new. A descriptor as a parameter is refused (-ENOSYS). */
int mount_stash_fs(struct mount_stash *s, const char *type, const char *source,
		   const struct mount_param *params, uint64_t attr);

/* As mount_clone, for an FD of the caller's own mount namespace. */
int mount_stash_clone(struct mount_stash *s, int fd, bool recursive);

/* Attaches the detached mount MNT in the stash, where it can be cloned as what is mounted can. */
int mount_stash_put(struct mount_stash *s, int mnt);

/* What FD of another mount namespace is, in the caller's: its path is resolved here without
 * following links at its end, and must lead to the same file (-EXDEV else). */
int mount_stash_reopen(int fd);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts on descriptors. A new mount is made detached, gets its attributes while nobody sees it,
 * and is moved to its place at the end. The kernels we run on have fsopen and move_mount (5.2),
 * mount_setattr (5.12); where a call is missing the classic mount(2) does it on
 * /proc/self/fd/<n>, which then must be the caller's own trusted /proc.
 *
 * Flags of mounts are MOUNT_ATTR_* of <sys/mount.h>. All functions return 0 (or a close-on-exec
 * descriptor) or a negative errno and are safe after clone. */
#ifndef KOGGE_KERNEL_MOUNT_H
#define KOGGE_KERNEL_MOUNT_H

#include "base/macro.h"

#include <sys/mount.h>
#include <sys/types.h>

/* One option of a file system: "size" "64m", "ro" NULL, or an object by descriptor. */
struct mount_param {
	const char *key;
	const char *value; /* NULL: a flag, or with fd >= 0 the descriptor */
	int fd;            /* used only where value is NULL and fd > 0 */
};

/* Makes a new file system of TYPE as a detached mount with the attributes ATTR. SOURCE may be
 * NULL. PARAMS are N. Returns the mount's descriptor. */
int mount_fs_new(const char *type, const char *source, const struct mount_param *params, size_t n,
		 uint64_t attr);

/* An overlay. Directories by descriptor; LOWER[0] is the uppermost. Where the kernel takes no
 * descriptors (before 6.13) or no single layers (before 6.8) they are named by their place in
 * /proc/self/fd. */
struct mount_overlay {
	const int *lower;
	size_t n_lower;
	int upper; /* -1: read-only overlay */
	int work;
	const struct mount_param *params; /* further options: "userxattr", "volatile", ... */
	size_t n_params;
	uint64_t attr;
};

/* Makes the overlay as a detached mount and returns its descriptor. -E2BIG for too many layers. On
 * kernels before 6.8 the working directory is changed and restored, and /proc must be mounted. */
int mount_overlay_new(const struct mount_overlay *o);

/* Makes the overlay on the directory AT, for kernels without detached mounts; AT and the
 * directories may be of another mount namespace. Returns a descriptor of it. The caller must have a
 * mount namespace of its own, in which it stays. AT -1: it is left nowhere, and lives as long as
 * its descriptor: for reading. */
int mount_overlay_attach(const struct mount_overlay *o, int at);

struct mount_change {
	uint64_t set;   /* MOUNT_ATTR_* to set */
	uint64_t clear; /* MOUNT_ATTR_* to clear; any atime flag in set or clear replaces all */
	uint64_t propagation; /* MS_PRIVATE, MS_SLAVE, MS_SHARED, MS_UNBINDABLE or 0 */
	int userns;           /* user namespace to map identities by (MOUNT_ATTR_IDMAP), or <= 0 */
};

/* Changes the mount whose root FD is (with all below where RECURSIVE). Without mount_setattr falls
 * back to mount(2) for attached mounts; recursive there is the propagation alone, and there are no
 * identity maps (-ENOSYS else). */
int mount_set(int fd, const struct mount_change *c, bool recursive);

/* A detached clone (bind mount) of what FD is, with all mounts below it where RECURSIVE. It is
 * private: a clone of a shared mount is its peer else, and what is mounted on a directory of it
 * would appear in the mount namespace of the source. */
int mount_clone(int fd, bool recursive);

/* The same with the propagation of the source, for a caller that sets another one before anything
 * is mounted on it, or means it. */
int mount_clone_peer(int fd, bool recursive);

/* Attaches the detached mount MNT on TARGET (a directory on a directory, a file on a file). Without
 * move_mount by mount(2): MNT is one of kernel/mount-stash.h then. */
int mount_move(int mnt, int target);

/* Makes the mount whose root is ROOT the root of the calling process and its mount namespace,
 * drops the old root with all that is mounted there and leaves the process in "/". */
int mount_pivot(int root);

/* Makes the directory ROOT the root of the calling process alone, and leaves it in "/". Where the
 * mount namespace is shared, so that its root must stay: no boundary for a process with
 * CAP_SYS_CHROOT. */
int mount_chroot(int root);

/* The kernel's number of the mount that FD is on: unique while the mount is there. */
int mount_id(int fd, uint64_t *ret);

/* Lazily unmounts the mount whose root FD is. */
int mount_detach(int fd);

/* mount(2) on descriptors by /proc/self/fd: for kernels and file systems that need it. SOURCE may
 * be NULL; FLAGS are MS_*. */
int mount_classic(int target, const char *source, const char *type, unsigned long flags,
		  const char *data);

enum mount_feature {
	MOUNT_HAS_FSOPEN = 1 << 0,
	MOUNT_HAS_SETATTR = 1 << 1,
	MOUNT_HAS_OVERLAY = 1 << 2,
	MOUNT_HAS_LOWER_ADD = 1 << 3, /* overlay's lowerdir+ as strings */
	MOUNT_HAS_LOWER_FD = 1 << 4,  /* overlay's layers by descriptor */
	MOUNT_HAS_OPENAT2 = 1 << 5,
};

/* Asks the kernel (a few system calls, nothing is left); not for the hot path. */
unsigned mount_features(void);

#endif

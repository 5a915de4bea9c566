/* SPDX-License-Identifier: Apache-2.0 */
/* What musl 1.2.3 lacks of the C library that the sources are written for: included before each of
 * them when the small programs are built with it (docs/design/0075-small-programs.md). Thin calls
 * into the kernel, as their manual pages give them. */
#ifndef KOGGE_BASE_MUSL_H
#define KOGGE_BASE_MUSL_H

#include <limits.h>
#include <linux/mount.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The type of prlimit's second argument, which is an int here. */
enum __rlimit_resource { RLIMIT_OF_NO_NAME };

/* strerrordesc_np(3). */
static inline const char *strerrordesc_np(int errnum)
{
	return strerror(errnum);
}

/* execveat(2). */
static inline int execveat(int fd, const char *path, char *const argv[], char *const envp[],
			   int flags)
{
	return (int)syscall(SYS_execveat, fd, path, argv, envp, flags);
}

/* close_range(2). */
static inline int close_range(unsigned first, unsigned last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* renameat2(2). */
static inline int renameat2(int from_dir, const char *from, int to_dir, const char *to,
			    unsigned flags)
{
	return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

/* statx(2). */
static inline int statx(int dir, const char *path, int flags, unsigned mask, struct statx *ret)
{
	return (int)syscall(SYS_statx, dir, path, flags, mask, ret);
}

/* open_tree(2). */
static inline int open_tree(int dir, const char *path, unsigned flags)
{
	return (int)syscall(SYS_open_tree, dir, path, flags);
}

/* move_mount(2). */
static inline int move_mount(int from, const char *from_path, int to, const char *to_path,
			     unsigned flags)
{
	return (int)syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}

/* fsopen(2). */
static inline int fsopen(const char *name, unsigned flags)
{
	return (int)syscall(SYS_fsopen, name, flags);
}

/* fspick(2). */
static inline int fspick(int dir, const char *path, unsigned flags)
{
	return (int)syscall(SYS_fspick, dir, path, flags);
}

/* fsconfig(2). */
static inline int fsconfig(int fd, unsigned command, const char *key, const void *value, int aux)
{
	return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
}

/* fsmount(2). */
static inline int fsmount(int fd, unsigned flags, unsigned attr)
{
	return (int)syscall(SYS_fsmount, fd, flags, attr);
}

/* mount_setattr(2). */
static inline int mount_setattr(int dir, const char *path, unsigned flags, struct mount_attr *attr,
				size_t size)
{
	return (int)syscall(SYS_mount_setattr, dir, path, flags, attr, size);
}

#include "base/musl-fortify.h"

#endif

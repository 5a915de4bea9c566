/* SPDX-License-Identifier: Apache-2.0 */
/* Paths below a root that somebody else controls. Such a path is a pair: a descriptor of the root
 * and a path relative to it, resolved by path_open alone: openat2 with RESOLVE_IN_ROOT and
 * RESOLVE_NO_MAGICLINKS, or on kernels without it a walk by hand, one component at a time, with
 * the same result. Absolute links and ".." stay inside the root. Every function returns 0 (or a
 * descriptor) or a negative errno, works on descriptors only, and is safe after clone.
 *
 * Lint: outside of this file's module, kernel/proc.c and the few files that tools/check-paths
 * names, no code calls open, mkdir, chmod, mount and the like with a path string. */
#ifndef KOGGE_BASE_PATH_H
#define KOGGE_BASE_PATH_H

#include "base/macro.h"

#include <sys/stat.h>
#include <sys/types.h>

enum path_flags {
	PATH_NO_XDEV = 1 << 0,    /* do not cross mounts */
	PATH_BENEATH = 1 << 1,    /* refuse (-EXDEV) what climbs out instead of clamping it */
	PATH_NO_SYMLINKS = 1 << 2 /* refuse (-ELOOP) every symbolic link */
};

/* For path_write_file, beside the permission bits. */
#define PATH_DURABLE  0x10000U
#define PATH_VOLATILE 0x20000U /* means nothing after a boot: never waits for the disk */

/* Forces the walk by hand, for the tests. Process-wide; the one exception to "no globals". */
void path_force_fallback(bool on);

/* Opens REL below ROOT with O_CLOEXEC added to OFLAGS. O_CREAT is refused (-EINVAL): use
 * path_create. "" and "/" are the root itself. */
int path_open(int root, const char *rel, int oflags, unsigned flags);

/* Opens the directory that holds the last component of REL (O_PATH), resolving everything before
 * it, and stores where in REL that component starts. The last component is never followed; "",
 * ".", ".." as a last component, the root itself and a slash at the end (which would make *at calls
 * follow a link): -EINVAL. */
int path_open_parent(int root, const char *rel, unsigned flags, const char **ret_last);

/* Creates the regular file REL (its directory must exist) with O_CREAT|O_EXCL|O_NOFOLLOW and
 * opens it for writing. -EEXIST where anything is there. */
int path_create(int root, const char *rel, mode_t mode, unsigned flags);

/* Makes REL and what is missing above it as directories of MODE, and opens it (O_PATH |
 * O_DIRECTORY). Existing components are followed inside the root, and where a link's target is
 * missing, that is made. MODE is less the umask. */
int path_mkdirs(int root, const char *rel, mode_t mode, unsigned flags);

/* Makes REL an existing mount point: the directory, or with FILE set an empty regular file (made
 * by mknodat, never by opening through a link). Opens it (O_PATH). */
int path_mount_point(int root, const char *rel, bool file, mode_t mode);

/* Opens REL as a directory or file of our own tree (store, run directory): components are never
 * followed through symbolic links. FLAGS as open(2), O_CREAT allowed. Plain openat with
 * RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS. */
int path_open_own(int dir, const char *rel, int oflags, mode_t mode);

/* Opens an absolute path that the user gave on the command line or a constant of ours, in the
 * caller's own root, following links as any program does. */
int path_open_host(const char *path, int oflags, mode_t mode);

/* Reads a small file below DIR (path_open_own rules) into a heap string of at most MAX bytes with
 * a NUL. *RET is owned by the caller. RET_N may be NULL. */
int path_read_file(int dir, const char *rel, size_t max, char **ret, size_t *ret_n);

/* Replaces the file REL of our own tree atomically: temporary file of MODE (less the umask),
 * rename. With PATH_DURABLE in MODE file and directory are also synced; with PATH_VOLATILE the file
 * may be empty after a power cut. */
int path_write_file(int dir, const char *rel, const void *data, size_t n, unsigned mode);

/* Removes the entry NAME (one component) of the directory DIR with everything below it, without
 * following links, without recursion on the stack, however deep it is, changing modes where it
 * must. Removes what it can and returns the first error: -EXDEV at a mount, which it never
 * crosses. An absent NAME is no error. */
int path_remove_tree(int dir, const char *name);

/* The link text of a descriptor's path, for messages only: never opened. OUT holds N bytes. */
const char *path_of_fd(int fd, char *out, size_t n);

#endif

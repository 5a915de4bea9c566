/* SPDX-License-Identifier: Apache-2.0 */
/* tmpcopyup: a new tmpfs starts with what its mount point held. Everything goes by descriptor and
 * one component at a time; links are copied, never followed. Depth is bounded, because each level
 * holds a stack frame and two descriptors. */
#include "runtime/stage-internal.h"

#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEPTH_MAX = 128 };

static int copy_dir(int from, int to, unsigned depth);

static int copy_link(int from, int to, const char *name)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0)
		return -errno;
	target[n] = '\0';
	return symlinkat(target, to, name) < 0 ? -errno : 0;
}

static int copy_file(int from, int to, const char *name, mode_t mode)
{
	_cleanup_(fd_close) int in =
		openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_(fd_close) int out = -1;

	if (in < 0)
		return -errno;
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (out < 0)
		return -errno;
	return fd_copy(in, out, UINT64_MAX, NULL);
}

static int copy_subdir(int from, int to, const char *name, unsigned depth)
{
	_cleanup_(fd_close) int in = -1, out = -1;

	if (depth >= DEPTH_MAX)
		return -ELOOP;
	if (mkdirat(to, name, 0700) < 0)
		return -errno;
	in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	out = in < 0 ? -1 : openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return -errno;
	return copy_dir(in, out, depth + 1);
}

static int copy_entry(int from, int to, const char *name, unsigned depth)
{
	struct stat sb;
	int r;

	if (fstatat(from, name, &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	switch (sb.st_mode & S_IFMT) {
	case S_IFDIR:
		r = copy_subdir(from, to, name, depth);
		break;
	case S_IFLNK:
		r = copy_link(from, to, name);
		break;
	case S_IFREG:
		r = copy_file(from, to, name, 0600);
		break;
	default:
		r = mknodat(to, name, sb.st_mode, sb.st_rdev) < 0 ? -errno : 0;
	}
	if (r >= 0 && fchownat(to, name, sb.st_uid, sb.st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	if (r >= 0 && !S_ISLNK(sb.st_mode) && fchmodat(to, name, sb.st_mode & 07777, 0) < 0)
		r = -errno;
	return r;
}

static int copy_dir(int from, int to, unsigned depth)
{
	int own = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = own < 0 ? NULL : fdopendir(own);
	struct dirent *entry;

	if (!d) {
		r = -errno;
		fd_close(&own);
		return r;
	}
	while (r >= 0 && (errno = 0, entry = readdir(d)) != NULL) {
		const char *name = entry->d_name;

		if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2])))
			continue;
		r = copy_entry(dirfd(d), to, name, depth);
	}
	if (r >= 0 && errno)
		r = -errno;
	closedir(d);
	return r;
}

int stage_copy_tree(int from, int to)
{
	_cleanup_(fd_close) int out = openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat sb;

	if (out < 0 || fstat(from, &sb) < 0)
		return -errno;
	if (fchown(out, sb.st_uid, sb.st_gid) < 0)
		return -errno;
	return copy_dir(from, out, 0);
}

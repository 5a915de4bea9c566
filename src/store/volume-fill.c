/* SPDX-License-Identifier: Apache-2.0 */
/* A volume's directory and its first content.
 *
 * <name>/ holds `_data` and, while the volume is filled, one of
 *	_new   a copy that is being made: without value, removed by whoever finds it
 *	_fill  a whole copy: its entries are moved into `_data` one after the other, and what is
 *	       there already stays; whoever finds it goes on with that
 * `_data` itself is never replaced: it may be mounted. The lock (flock of the directory) is held
 * by who fills, and dies with it. */
#include "store/volume-store.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "store/snapshot.h"
#include "store/store-internal.h"
#include "store/tree-copy.h"
#include "store/tree.h"
#include "store/volume-internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define VOLUME_DATA "_data"
#define VOLUME_NEW  "_new"
#define VOLUME_FILL "_fill"

static int volume_open_top(struct store *s, const char *name, struct err *e)
{
	int top = volume_dir(s, e), fd;

	if (top < 0)
		return -1;
	fd = path_open_own(top, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd == -ENOENT) {
		if (mkdirat(top, name, 0700) < 0 && errno != EEXIST)
			return err_errno(e, errno, "making the volume '%s'", name);
		fd = path_open_own(top, name, O_RDONLY | O_DIRECTORY, 0);
	}
	return fd < 0 ? err_errno(e, fd, "opening the volume '%s'", name) : fd;
}

static int volume_open_data(int top, const char *name, struct err *e)
{
	int fd = path_open_own(top, VOLUME_DATA, O_RDONLY | O_DIRECTORY, 0);

	if (fd == -ENOENT) {
		if (mkdirat(top, VOLUME_DATA, 0755) < 0 && errno != EEXIST)
			return err_errno(e, errno, "making the volume '%s'", name);
		fd = path_open_own(top, VOLUME_DATA, O_RDONLY | O_DIRECTORY, 0);
		if (fd >= 0 && fchmod(fd, 0755) < 0) { /* whatever the umask is */
			int r = -errno;

			fd_close(&fd);
			return err_errno(e, r, "making the volume '%s'", name);
		}
	}
	return fd < 0 ? err_errno(e, fd, "opening the volume '%s'", name) : fd;
}

static int volume_lock(int top, const char *name, struct err *e)
{
	while (flock(top, LOCK_EX) < 0)
		if (errno != EINTR)
			return err_errno(e, errno, "locking the volume '%s'", name);
	return 0;
}

/* 1, 0, or a negative errno. */
static int dir_is_empty(int fd)
{
	int copy = path_open_own(fd, ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	int empty = 1;

	if (!dir) {
		int r = copy < 0 ? copy : -errno;

		fd_close(&copy);
		return r;
	}
	while (empty && (entry = readdir(dir)))
		empty = str_eq(entry->d_name, ".") || str_eq(entry->d_name, "..");
	closedir(dir);
	return empty;
}

/* Moves what is in FROM into TO, where nothing has the name. */
static int move_entries(int from, int to)
{
	int copy = path_open_own(from, ".", O_RDONLY | O_DIRECTORY, 0), r = 0;
	DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!dir) {
		r = copy < 0 ? copy : -errno;
		fd_close(&copy);
		return r;
	}
	while (r == 0 && (entry = readdir(dir))) {
		if (str_eq(entry->d_name, ".") || str_eq(entry->d_name, ".."))
			continue;
		r = FAILPOINT_ERRNO("store.volume.move");
		if (r == 0 &&
		    renameat2(from, entry->d_name, to, entry->d_name, RENAME_NOREPLACE) < 0 &&
		    errno != EEXIST)
			r = -errno;
	}
	closedir(dir);
	return r;
}

/* Finishes what somebody has left, or this process has just copied. For the owner of the lock. */
static int volume_settle(int top, int data, const char *name, struct err *e)
{
	_cleanup_(fd_close) int fill = path_open_own(top, VOLUME_FILL, O_RDONLY | O_DIRECTORY, 0);
	int r = path_remove_tree(top, VOLUME_NEW);

	if (r == 0 && fill == -ENOENT)
		return 0;
	r = r < 0 ? r : fill < 0 ? fill : move_entries(fill, data);
	/* What could not be moved is not wanted any more; what is left is the directory's own
	 * attributes. */
	if (r == 0 && dir_is_empty(fill) == 1 && tree_copy(fill, data, e) < 0)
		return err_wrap(e, "filling the volume '%s'", name);
	if (r == 0)
		r = path_remove_tree(top, VOLUME_FILL);
	return r < 0 ? err_errno(e, r, "filling the volume '%s'", name) : 0;
}

int volume_open(struct store *s, const char *name, struct err *e)
{
	_cleanup_(fd_close) int top = volume_open_top(s, name, e), data = -1;

	if (top < 0)
		return -1;
	data = volume_open_data(top, name, e);
	if (data < 0)
		return -1;
	if (faccessat(top, VOLUME_FILL, F_OK, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (volume_lock(top, name, e) < 0 || volume_settle(top, data, name, e) < 0))
		return -1;
	return TAKE_FD(data);
}

int volume_is_empty(struct store *s, const char *name, struct err *e)
{
	_cleanup_(fd_close) int data = volume_open(s, name, e);
	int r = data < 0 ? -1 : dir_is_empty(data);

	return data >= 0 && r < 0 ? err_errno(e, r, "reading the volume '%s'", name) : r;
}

/* The copy, and from the rename on it counts. */
static int volume_copy(struct store *s, int top, int from, const char *name, struct err *e)
{
	_cleanup_(fd_close) int new = -1;

	if (mkdirat(top, VOLUME_NEW, 0700) < 0)
		return err_errno(e, errno, "filling the volume '%s'", name);
	new = path_open_own(top, VOLUME_NEW, O_RDONLY | O_DIRECTORY, 0);
	if (new < 0)
		return err_errno(e, new, "filling the volume '%s'", name);
	if (tree_copy(from, new, e) < 0 || FAILPOINT("store.volume.copied", e) < 0)
		return err_wrap(e, "filling the volume '%s'", name);
	if (dir_is_empty(new) == 0 && store_sync(s, e) < 0)
		return -1;
	if (renameat(top, VOLUME_NEW, top, VOLUME_FILL) < 0)
		return err_errno(e, errno, "filling the volume '%s'", name);
	return FAILPOINT("store.volume.fill", e);
}

int volume_fill(struct store *s, const char *name, int from, struct err *e)
{
	_cleanup_(fd_close) int top = volume_open_top(s, name, e), data = -1;
	int r;

	if (top < 0)
		return -1;
	data = volume_open_data(top, name, e);
	if (data < 0 || volume_lock(top, name, e) < 0 || volume_settle(top, data, name, e) < 0)
		return -1;
	r = dir_is_empty(data);
	if (r < 0)
		return err_errno(e, r, "reading the volume '%s'", name);
	if (r == 0)
		return 0;
	if (volume_copy(s, top, from, name, e) < 0 || volume_settle(top, data, name, e) < 0) {
		path_remove_tree(top, VOLUME_NEW);
		return -1;
	}
	return 1;
}

int volume_fill_dir(int to, int from, struct err *e)
{
	int r = dir_is_empty(to);

	if (r < 0)
		return err_errno(e, r, "reading a volume");
	if (r == 0)
		return 0;
	return tree_copy(from, to, e) < 0 ? -1 : 1;
}

int volume_usage(struct store *s, const char *name, struct snapshot_usage *ret, struct err *e)
{
	_cleanup_(fd_close) int data = volume_open(s, name, e);

	if (data < 0)
		return -1;
	if (snapshot_measure(data, ret, e) < 0)
		return err_wrap(e, "measuring the volume '%s'", name);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The walk goes through the source; beside it goes a descriptor of the directory in the copy: down
 * when the walk enters one, up by ".." when it leaves. A directory gets its attributes when it is
 * left, because what is made in it changes its times. */
#include "store/tree-copy.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/path.h"
#include "store/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

struct tree_copier {
	int root; /* of the copy; borrowed */
	int dir;  /* the copy of the directory that the walk is in */
	struct tree_inodes links;
};

static int copy_xattr(int from, int to, const char *name)
{
	char value[XATTR_SIZE_MAX > 65536 ? 65536 : XATTR_SIZE_MAX];
	ssize_t n = fgetxattr(from, name, value, sizeof(value));

	if (n < 0)
		return errno == ENODATA ? 0 : -errno;
	return fsetxattr(to, name, value, (size_t)n, 0) < 0 ? -errno : 0;
}

static int copy_xattrs(int from, int to)
{
	char names[XATTR_LIST_MAX];
	ssize_t n = flistxattr(from, names, sizeof(names));
	int r = 0;

	if (n < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (ssize_t i = 0; i < n && r == 0; i += (ssize_t)strlen(names + i) + 1)
		r = copy_xattr(from, to, names + i);
	return r;
}

/* The owner first: it clears setuid bits and file capabilities. */
static int copy_attributes(int from, int to, const struct stat *st)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	int r;

	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return -errno;
	r = copy_xattrs(from, to);
	if (r == 0 && futimens(to, times) < 0)
		r = -errno;
	return r;
}

static int copy_extent(int in, int out, off_t at, off_t end)
{
	uint64_t n = 0;

	if (lseek(in, at, SEEK_SET) < 0 || lseek(out, at, SEEK_SET) < 0)
		return -errno;
	return fd_copy(in, out, (uint64_t)(end - at), &n);
}

static int copy_data(int in, int out, off_t size)
{
	off_t at = 0;
	int r = FAILPOINT_ERRNO("io.write");

	if (r < 0)
		return r;
	if (ioctl(out, FICLONE, in) == 0)
		return 0;
	while (r == 0 && at < size) {
		off_t data = lseek(in, at, SEEK_DATA);
		off_t hole = data < 0 ? -1 : lseek(in, data, SEEK_HOLE);

		if (data < 0 && errno == ENXIO)
			break; /* a hole up to the end */
		if (data < 0 || hole < 0)
			return copy_extent(in, out, at, size);
		r = copy_extent(in, out, data, hole);
		at = hole;
	}
	if (r == 0 && ftruncate(out, size) < 0)
		r = -errno;
	return r;
}

static int copy_file(struct tree_copier *c, const struct tree_entry *t)
{
	_cleanup_(fd_close) int in =
		openat(t->dir, t->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_(fd_close) int out = in < 0 ? -1 : path_create(c->dir, t->name, 0600, 0);
	int r;

	if (in < 0)
		return -errno;
	if (out < 0)
		return out;
	r = copy_data(in, out, t->st.st_size);
	return r < 0 ? r : copy_attributes(in, out, &t->st);
}

static int copy_symlink(struct tree_copier *c, const struct tree_entry *t)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(t->dir, t->name, text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return symlinkat(text, c->dir, t->name) < 0 ? -errno : 0;
}

/* Links, devices, FIFOs and sockets: no data, attributes by name in the directory that only we
 * know. */
static int copy_special(struct tree_copier *c, const struct tree_entry *t)
{
	const struct timespec times[2] = {t->st.st_atim, t->st.st_mtim};
	int r;

	if (S_ISLNK(t->st.st_mode))
		r = copy_symlink(c, t);
	else
		r = mknodat(c->dir, t->name, t->st.st_mode, t->st.st_rdev) < 0 ? -errno : 0;
	if (r < 0)
		return r;
	if (fchownat(c->dir, t->name, t->st.st_uid, t->st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    (!S_ISLNK(t->st.st_mode) && fchmodat(c->dir, t->name, t->st.st_mode & 07777, 0) < 0) ||
	    utimensat(c->dir, t->name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	return 0;
}

static int copy_enter(struct tree_copier *c, const struct tree_entry *t)
{
	int fd;

	if (mkdirat(c->dir, t->name, 0700) < 0)
		return -errno;
	fd = path_open_own(c->dir, t->name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	fd_close(&c->dir);
	c->dir = fd;
	return 0;
}

/* 1 where the inode was copied before and is now linked. A path too long for linkat is copied as a
 * file of its own. */
static int copy_link(struct tree_copier *c, const struct tree_entry *t)
{
	const char *first = NULL;
	int r;

	if (t->st.st_nlink < 2 || strlen(t->path) >= PATH_MAX)
		return 0;
	r = tree_inodes_add(&c->links, t->st.st_ino, t->path, &first);
	if (r != 0)
		return r < 0 ? r : 0;
	return linkat(c->root, first, c->dir, t->name, 0) < 0 ? -errno : 1;
}

static int copy_entry(void *arg, const struct tree_entry *t, struct err *e)
{
	struct tree_copier *c = arg;
	int r;

	if (S_ISDIR(t->st.st_mode))
		r = copy_enter(c, t);
	else {
		r = copy_link(c, t);
		if (r == 0)
			r = S_ISREG(t->st.st_mode) ? copy_file(c, t) : copy_special(c, t);
	}
	return r < 0 ? err_errno(e, r, "copying '%s'", t->path) : TREE_GO;
}

static int copy_leave(void *arg, int dir, struct err *e)
{
	struct tree_copier *c = arg;
	struct stat st, here, root;
	int r = fstat(dir, &st) < 0 ? -errno : copy_attributes(dir, c->dir, &st);
	int fd;

	if (r == 0 && (fstat(c->dir, &here) < 0 || fstat(c->root, &root) < 0))
		r = -errno;
	if (r < 0)
		return err_errno(e, r, "copying a directory");
	if (here.st_ino == root.st_ino)
		return 0;
	fd = openat(c->dir, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_errno(e, errno, "copying a directory");
	fd_close(&c->dir);
	c->dir = fd;
	return 0;
}

int tree_copy(int from, int to, struct err *e)
{
	static const struct tree_ops ops = {.entry = copy_entry, .leave = copy_leave};
	struct tree_copier c = {.root = to,
				.dir = path_open_own(to, ".", O_RDONLY | O_DIRECTORY, 0)};
	int r;

	if (c.dir < 0)
		return err_errno(e, c.dir, "copying a tree");
	r = tree_walk(from, &ops, &c, e);
	tree_inodes_done(&c.links);
	fd_close(&c.dir);
	return r;
}

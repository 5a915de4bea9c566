/* SPDX-License-Identifier: Apache-2.0 */
/* openat2 does the work where it exists; base/path-walk.c does the same by hand, and makes what is
 * missing. openat2 answers -EAGAIN when a rename or a mount anywhere on the machine disturbed the
 * resolution of ".."; after some tries the walk decides, which such noise does not disturb. */
#include "base/path.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/id.h"
#include "base/path-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

enum { TRIES = 64 };

static bool fallback_forced;

void path_force_fallback(bool on)
{
	fallback_forced = on;
}

bool path_have_openat2(void)
{
	return !fallback_forced;
}

int path_openat2(int dir, const char *rel, int oflags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {.flags = (uint64_t)(unsigned)(oflags | O_CLOEXEC),
			       .mode = mode,
			       .resolve = resolve};
	int fd;

	do
		fd = (int)syscall(SYS_openat2, dir, rel, &how, sizeof(how));
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

static bool is_tmpfile(int oflags)
{
	return (oflags & O_TMPFILE) == O_TMPFILE;
}

static uint64_t resolve_bits(unsigned flags)
{
	uint64_t bits = RESOLVE_NO_MAGICLINKS;

	bits |= flags & PATH_BENEATH ? RESOLVE_BENEATH : RESOLVE_IN_ROOT;
	if (flags & PATH_NO_XDEV)
		bits |= RESOLVE_NO_XDEV;
	if (flags & PATH_NO_SYMLINKS)
		bits |= RESOLVE_NO_SYMLINKS;
	return bits;
}

/* The walk, again where a race disturbed it. */
static int walk(int root, const struct path_walk_request *q)
{
	int r = -EAGAIN;

	for (int i = 0; r == -EAGAIN && i < TRIES; i++)
		r = path_walk(root, q);
	return r;
}

int path_open(int root, const char *rel, int oflags, unsigned flags)
{
	struct path_walk_request q = {.flags = flags};
	int r = -ENOSYS;

	if ((oflags & O_CREAT) && !is_tmpfile(oflags))
		return -EINVAL;
	if (oflags & O_PATH) /* openat ignores what openat2 refuses */
		oflags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	rel += strspn(rel, "/");
	if (!*rel)
		rel = ".";
	if (path_have_openat2()) {
		mode_t mode = is_tmpfile(oflags) ? 0600 : 0;

		for (int i = 0; i < TRIES; i++) {
			r = path_openat2(root, rel, oflags, mode, resolve_bits(flags));
			if (r != -EAGAIN)
				break;
		}
		if (r != -ENOSYS && r != -EAGAIN)
			return r;
	}
	q.rel = rel;
	q.oflags = oflags;
	return walk(root, &q);
}

/* Where the last component of REL starts, or NULL where it is none that can be made or removed. */
static const char *last_component(const char *rel)
{
	const char *slash = strrchr(rel, '/');
	const char *last = slash ? slash + 1 : rel;

	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return NULL;
	return last;
}

int path_open_parent(int root, const char *rel, unsigned flags, const char **ret_last)
{
	const char *last = last_component(rel);
	char dir[PATH_MAX];
	size_t n;
	int fd;

	if (!last)
		return -EINVAL;
	n = (size_t)(last - rel);
	if (n >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, rel, n);
	dir[n] = '\0';
	fd = path_open(root, dir, O_PATH | O_DIRECTORY, flags);
	if (fd >= 0)
		*ret_last = last;
	return fd;
}

int path_create(int root, const char *rel, mode_t mode, unsigned flags)
{
	_cleanup_(fd_close) int dir = -1;
	const char *last;
	int fd;

	dir = path_open_parent(root, rel, flags, &last);
	if (dir < 0)
		return dir;
	fd = openat(dir, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd;
}

/* Opens with O_PATH, and where something is missing makes it. */
static int open_or_make(int root, const struct path_walk_request *q)
{
	int fd = path_open(root, q->rel, q->oflags, q->flags);

	return fd == -ENOENT ? walk(root, q) : fd;
}

int path_mkdirs(int root, const char *rel, mode_t mode, unsigned flags)
{
	struct path_walk_request q = {.rel = rel,
				      .oflags = O_PATH | O_DIRECTORY,
				      .flags = flags,
				      .make = PATH_MAKE_DIRS,
				      .mode = mode};

	return open_or_make(root, &q);
}

int path_mount_point(int root, const char *rel, bool file, mode_t mode)
{
	struct path_walk_request q = {
		.rel = rel, .oflags = O_PATH, .make = PATH_MAKE_FILE, .mode = mode};
	_cleanup_(fd_close) int fd = -1;
	struct stat st;

	if (!file)
		return path_mkdirs(root, rel, mode, 0);
	fd = open_or_make(root, &q);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return TAKE_FD(fd);
}

/* path_open_own by hand: the directory by the walk, then the last component. */
static int open_own_by_hand(int dir, const char *rel, int oflags, mode_t mode)
{
	_cleanup_(fd_close) int parent = -1;
	const char *last;
	int fd;

	if (!(oflags & O_CREAT) || is_tmpfile(oflags)) {
		struct path_walk_request q = {
			.rel = rel, .oflags = oflags, .flags = PATH_BENEATH | PATH_NO_SYMLINKS};

		return walk(dir, &q);
	}
	parent = path_open_parent(dir, rel, PATH_BENEATH | PATH_NO_SYMLINKS, &last);
	if (parent < 0)
		return parent == -EINVAL ? -EISDIR : parent;
	fd = openat(parent, last, oflags | O_NOFOLLOW | O_CLOEXEC, mode);
	return fd < 0 ? -errno : fd;
}

int path_open_own(int dir, const char *rel, int oflags, mode_t mode)
{
	bool creates = oflags & O_CREAT || is_tmpfile(oflags);
	int r = -ENOSYS;

	if (!*rel)
		rel = ".";
	if (*rel == '/')
		return -EXDEV;
	if (oflags & O_PATH)
		oflags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	if (path_have_openat2()) {
		for (int i = 0; i < TRIES; i++) {
			r = path_openat2(dir, rel, oflags, creates ? mode & 07777 : 0,
					 RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
			if (r != -EAGAIN)
				break;
		}
		if (r != -ENOSYS && r != -EAGAIN)
			return r;
	}
	return open_own_by_hand(dir, rel, oflags, mode);
}

int path_open_host(const char *path, int oflags, mode_t mode)
{
	int fd;

	do
		fd = openat(AT_FDCWD, path, oflags | O_CLOEXEC, mode);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

int path_read_file(int dir, const char *rel, size_t max, char **ret, size_t *ret_n)
{
	_cleanup_(buf_done) struct buf b = BUF_INIT(max + (1 << 20));
	_cleanup_(fd_close) int fd = -1;
	size_t n;
	char *text;
	int r;

	fd = path_open_own(dir, rel, O_RDONLY | O_NOCTTY, 0);
	if (fd < 0)
		return fd;
	r = fd_read_all(fd, &b, max);
	if (r < 0)
		return r;
	n = b.len;
	text = buf_take(&b);
	if (!text)
		return -ENOMEM;
	*ret = text;
	if (ret_n)
		*ret_n = n;
	return 0;
}

/* Makes an empty file with a name of its own in DIR. */
static int make_temporary(int dir, char name[32], mode_t mode)
{
	uint64_t random;
	int r, fd;

	for (int i = 0; i < TRIES; i++) {
		r = random_bytes(&random, sizeof(random));
		if (r < 0)
			return r;
		snprintf(name, 32, ".tmp-%016" PRIx64, random);
		fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
		if (fd >= 0 || errno != EEXIST)
			return fd < 0 ? -errno : fd;
	}
	return -EEXIST;
}

static int sync_dir(int dir)
{
	_cleanup_(fd_close) int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0)
		return -errno;
	return 0;
}

/* Where a rename replaces a file, ext4 writes the new one out at once (auto_da_alloc), and whoever
 * removes it waits for that. An exchange is as atomic, and does not. */
static int exchange(int dir, const char *name, const char *last)
{
	if (syscall(SYS_renameat2, dir, name, dir, last, RENAME_EXCHANGE) < 0)
		return -errno;
	unlinkat(dir, name, 0);
	return 0;
}

int path_write_file(int dir, const char *rel, const void *data, size_t n, unsigned mode)
{
	bool durable = mode & PATH_DURABLE;
	_cleanup_(fd_close) int parent = -1, fd = -1;
	const char *last;
	char name[32];
	int r;

	parent = path_open_parent(dir, rel, PATH_BENEATH | PATH_NO_SYMLINKS, &last);
	if (parent < 0)
		return parent;
	fd = make_temporary(parent, name, mode & 07777);
	if (fd < 0)
		return fd;
	r = fd_write_full(fd, data, n);
	if (r == 0 && durable && fsync(fd) < 0)
		r = -errno;
	/* The first time there is nothing to exchange it with, and not every file system can. */
	if (r == 0 && (!(mode & PATH_VOLATILE) || exchange(parent, name, last) < 0) &&
	    renameat(parent, name, parent, last) < 0)
		r = -errno;
	if (r < 0) {
		unlinkat(parent, name, 0);
		return r;
	}
	return durable ? sync_dir(parent) : 0;
}

const char *path_of_fd(int fd, char *out, size_t n)
{
	char link[32];
	ssize_t r;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	r = n ? readlink(link, out, n - 1) : -1;
	if (r < 0) {
		snprintf(out, n, "descriptor %d", fd);
		return out;
	}
	out[r] = '\0';
	return out;
}

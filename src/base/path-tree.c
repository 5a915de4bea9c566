/* SPDX-License-Identifier: Apache-2.0 */
/* Removing a tree. One level is one directory between the top and where we are. A directory is
 * read to its end in large pieces; what is no directory is unlinked at once, the names of
 * directories are kept in one stack of bytes for all levels. Then the last name on the stack is
 * entered, or where the level has no more names it is left and removed. So a level costs a few
 * bytes, and no reading position has to survive.
 *
 * Descriptors: only the deepest FDS_MAX levels keep theirs. A level that was closed is opened again
 * by ".." of its child and compared with the identity remembered when it was closed, so a directory
 * that was moved meanwhile does not lead us elsewhere (-EAGAIN).
 *
 * Links are never followed: directories are opened with O_NOFOLLOW and RESOLVE_NO_XDEV, the rest is
 * only unlinked. */
#include "base/path-internal.h"

#include "base/buf.h"
#include "base/fd.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>

enum {
	FDS_MAX = 64,
	READ_SIZE = 128 * 1024,
	SHORT_READ = READ_SIZE - 4096, /* less than this was all there is; rmdir tells if not */
	NAMES_MAX = 1 << 30,
};

/* The kernel's linux_dirent64. */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

struct level {
	int fd; /* -1: closed to save descriptors */
	dev_t dev;
	ino_t ino;
	size_t names;    /* where this level's names start in the stack */
	bool progress;   /* something was removed since the last scan */
	bool mode_fixed; /* it was made writable */
	bool broken;     /* it cannot be emptied: do not try to remove it */
};

struct tree {
	int dir; /* borrowed: holds the top */
	int64_t mount;
	struct level *levels;
	size_t n, cap;
	struct buf names; /* NUL-terminated strings; a level's children on top */
	char *space;      /* READ_SIZE bytes */
	int error;        /* the first one */
};

static void tree_done(struct tree *t)
{
	for (size_t i = 0; i < t->n; i++)
		fd_close(&t->levels[i].fd);
	free(t->levels);
	free(t->space);
	buf_done(&t->names);
}

/* Remembers the first error and spoils the current level. */
static void tree_fail(struct tree *t, int r)
{
	if (t->error == 0)
		t->error = r;
	if (t->n)
		t->levels[t->n - 1].broken = true;
}

static int open_dir(const struct tree *t, int dir, const char *name)
{
	const int oflags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
	int64_t mount;
	int fd = -ENOSYS;

	if (path_have_openat2())
		fd = path_openat2(dir, name, oflags, 0, RESOLVE_NO_XDEV);
	if (fd != -ENOSYS)
		return fd;
	fd = openat(dir, name, oflags);
	if (fd < 0)
		return -errno;
	mount = path_mount_id(fd);
	if (mount == t->mount)
		return fd;
	close(fd);
	return mount < 0 ? (int)mount : -EXDEV;
}

/* Opens the directory NAME in DIR, giving us the right to read it where it has none. */
static int open_dir_force(const struct tree *t, int dir, const char *name)
{
	int fd = open_dir(t, dir, name);

	if (fd != -EACCES)
		return fd;
	if (fchmodat(dir, name, 0700, AT_SYMLINK_NOFOLLOW) < 0)
		return fd;
	return open_dir(t, dir, name);
}

/* Closes the descriptor of the level that is FDS_MAX above the new one. */
static int tree_close_old(struct tree *t)
{
	struct level *old;
	struct stat st;

	if (t->n <= FDS_MAX)
		return 0;
	old = &t->levels[t->n - 1 - FDS_MAX];
	if (old->fd < 0)
		return 0;
	if (fstat(old->fd, &st) < 0)
		return -errno;
	old->dev = st.st_dev;
	old->ino = st.st_ino;
	fd_close(&old->fd);
	return 0;
}

/* Enters the open directory FD, whose ownership it takes. */
static int tree_push(struct tree *t, int fd)
{
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		struct level *l = reallocarray(t->levels, cap, sizeof(*l));

		if (!l) {
			close(fd);
			return -ENOMEM;
		}
		t->levels = l;
		t->cap = cap;
	}
	t->levels[t->n++] = (struct level){.fd = fd, .names = t->names.len};
	return tree_close_old(t);
}

/* Makes sure that the level above the current one has a descriptor. */
static int tree_open_parent(struct tree *t)
{
	struct level *up = &t->levels[t->n - 2];
	_cleanup_(fd_close) int fd = -1;
	struct stat st;

	if (up->fd >= 0)
		return 0;
	fd = openat(t->levels[t->n - 1].fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (st.st_dev != up->dev || st.st_ino != up->ino)
		return -EAGAIN;
	up->fd = TAKE_FD(fd);
	return 0;
}

/* unlinkat, once more after making the directory writable. */
static int remove_entry(int dir, const char *name, int flags, bool *mode_fixed)
{
	if (unlinkat(dir, name, flags) == 0)
		return 0;
	if (errno == EACCES && !*mode_fixed) {
		*mode_fixed = true;
		if (fchmod(dir, 0700) < 0)
			return -EACCES;
		if (unlinkat(dir, name, flags) == 0)
			return 0;
	}
	return errno == ENOENT ? 0 : -errno;
}

/* One entry of the current level: removed, or its name kept where it is a directory. */
static int tree_entry(struct tree *t, const char *name, unsigned type)
{
	struct level *l = &t->levels[t->n - 1];
	int r;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return 0;
	if (type != DT_DIR) {
		r = remove_entry(l->fd, name, 0, &l->mode_fixed);
		if (r == 0)
			l->progress = true;
		if (r == 0)
			return 0;
		if (r != -EISDIR && !(r == -EPERM && type == DT_UNKNOWN)) {
			tree_fail(t, r);
			return 0;
		}
	}
	return buf_put(&t->names, name, strlen(name) + 1);
}

/* Reads the current level to its end. */
static int tree_scan(struct tree *t)
{
	struct level *l = &t->levels[t->n - 1];
	long n;

	l->progress = false;
	do {
		n = syscall(SYS_getdents64, l->fd, t->space, READ_SIZE);
		if (n < 0)
			return -errno;
		for (long at = 0; at < n;) {
			const struct entry *e = (const struct entry *)(t->space + at);
			int r = tree_entry(t, e->name, e->type);

			if (r < 0)
				return r;
			at += e->reclen;
		}
	} while (n >= SHORT_READ);
	return 0;
}

static int tree_enter(struct tree *t, int dir, const char *name)
{
	int fd = open_dir_force(t, dir, name);
	int r;

	if (fd == -ENOENT)
		return 0;
	if (fd < 0) {
		tree_fail(t, fd);
		return 0;
	}
	r = tree_push(t, fd);
	return r < 0 ? r : tree_scan(t);
}

/* Takes the last name of the stack, where the names of its level start at FLOOR. The bytes stay
 * where they are until the next name is put. */
static const char *tree_pop_name(struct tree *t, size_t floor)
{
	size_t at = t->names.len - 1; /* on the NUL */

	while (at > floor && t->names.data[at - 1])
		at--;
	t->names.len = at;
	return t->names.data + at;
}

/* Enters the last directory that the current level still has. Its name stays on the stack, below
 * its own children, until it is removed. */
static int tree_descend(struct tree *t)
{
	size_t n = t->n, floor = t->levels[n - 1].names;
	const char *name = tree_pop_name(t, floor);
	int r;

	t->names.len += strlen(name) + 1;
	r = tree_enter(t, t->levels[n - 1].fd, name);
	if (t->n == n) /* not entered: gone, or an error that is noted */
		tree_pop_name(t, floor);
	return r;
}

/* Removes the current level, called NAME in DIR. Returns 1 where it is not empty but was scanned
 * again, because somebody filled it meanwhile. */
static int tree_remove_level(struct tree *t, int dir, const char *name, bool *mode_fixed)
{
	struct level *l = &t->levels[t->n - 1];
	int r;

	if (l->broken)
		return 0;
	r = remove_entry(dir, name, AT_REMOVEDIR, mode_fixed);
	if (r == -ENOTEMPTY && lseek(l->fd, 0, SEEK_SET) == 0) {
		r = tree_scan(t);
		if (r < 0 || l->progress || t->names.len > l->names)
			return r < 0 ? r : 1;
		r = -ENOTEMPTY;
	}
	if (r < 0)
		tree_fail(t, r);
	return 0;
}

/* Removes the current level, whose names are all done, and goes back to the one above. */
static int tree_leave(struct tree *t, const char *top)
{
	struct level *l = &t->levels[t->n - 1];
	struct level *up = t->n > 1 ? l - 1 : NULL;
	bool no_fix = true, broken;
	int r;

	if (up) {
		r = tree_open_parent(t);
		if (r < 0)
			return r;
		top = tree_pop_name(t, up->names);
		t->names.len = l->names;
	}
	r = tree_remove_level(t, up ? up->fd : t->dir, top, up ? &up->mode_fixed : &no_fix);
	if (r != 0)
		return r < 0 ? r : 0;
	broken = l->broken;
	fd_close(&l->fd);
	t->n--;
	if (up) {
		tree_pop_name(t, up->names);
		up->broken |= broken;
		up->progress |= !broken;
	}
	return 0;
}

static int tree_run(struct tree *t, const char *top)
{
	int r = tree_enter(t, t->dir, top);

	while (r == 0 && t->n) {
		const struct level *l = &t->levels[t->n - 1];

		r = t->names.len > l->names ? tree_descend(t) : tree_leave(t, top);
	}
	return r;
}

int path_remove_tree(int dir, const char *name)
{
	_cleanup_(tree_done) struct tree t = {.dir = dir, .names = BUF_INIT(NAMES_MAX)};
	int r;

	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return -EINVAL;
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -errno;
	t.mount = path_mount_id(dir);
	t.space = malloc(READ_SIZE);
	if (!t.space)
		return -ENOMEM;
	r = tree_run(&t, name);
	return r < 0 ? r : t.error;
}

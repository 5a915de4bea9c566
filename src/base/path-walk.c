/* SPDX-License-Identifier: Apache-2.0 */
/* The walk by hand, for kernels (or seccomp filters) without openat2, and for making what is
 * missing on the way.
 *
 * State: CUR is a directory inside the root, TODO is the text that is still to be resolved, TRAIL
 * holds the identity of every directory between the root and CUR. One step takes one component:
 *   "."       reopens CUR, so that the right to search it is checked
 *   ".."      opens the parent and compares it with TRAIL. Invariant 1: the walk never stands in a
 *             directory that it did not reach from the root downwards, so ".." cannot leave the
 *             root, whoever renames what meanwhile; at the root it stays there.
 *   a link    is never opened. Its text goes before the rest of TODO; an absolute text starts again
 *             at the root. At most 40 links, as in the kernel.
 *   a name    is opened with O_PATH | O_NOFOLLOW, and looked at before it becomes CUR.
 * Invariant 2: no call of this file lets the kernel follow a link or see more than one component.
 *
 * Links of procfs other than those in its root are magic (they lead to an object, not along their
 * text): -ELOOP, as RESOLVE_NO_MAGICLINKS says. */
#include "base/path-internal.h"

#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

enum {
	LINKS_MAX = 40,
	PROC_ROOT_INODE = 1,
	AAFS_FS_MAGIC = 0x5a3c69f0, /* AppArmor's own file system has magic links too */
};

struct identity {
	dev_t dev;
	ino_t ino;
};

struct walk {
	const struct path_walk_request *q;
	int root;
	int cur;
	int64_t mount; /* of the root, where mounts must not be crossed */
	struct identity *trail;
	size_t n_trail, cap_trail;
	char *todo; /* heap */
	size_t at;  /* in todo */
	unsigned links;
};

int64_t path_mount_id(int fd)
{
	union {
		struct file_handle h;
		char space[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = {0};
	struct statx sx;
	int id;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) == 0 && (sx.stx_mask & STATX_MNT_ID))
		return (int64_t)sx.stx_mnt_id;
	if (name_to_handle_at(fd, "", &u.h, &id, AT_EMPTY_PATH) == 0 || errno == EOVERFLOW)
		return id;
	return -errno;
}

static void walk_done(struct walk *w)
{
	fd_close(&w->cur);
	free(w->trail);
	free(w->todo);
}

static void walk_enter(struct walk *w, int fd)
{
	fd_close(&w->cur);
	w->cur = fd;
}

static int walk_to_root(struct walk *w)
{
	int fd = openat(w->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	walk_enter(w, fd);
	w->n_trail = 0;
	return 0;
}

/* Remembers the directory that the walk is about to leave downwards. */
static int trail_push(struct walk *w)
{
	struct stat st;

	if (w->n_trail == w->cap_trail) {
		size_t cap = w->cap_trail ? 2 * w->cap_trail : 32;
		struct identity *t = reallocarray(w->trail, cap, sizeof(*t));

		if (!t)
			return -ENOMEM;
		w->trail = t;
		w->cap_trail = cap;
	}
	if (fstat(w->cur, &st) < 0)
		return -errno;
	w->trail[w->n_trail++] = (struct identity){st.st_dev, st.st_ino};
	return 0;
}

static int check_mount(const struct walk *w, int fd)
{
	int64_t id;

	if (!(w->q->flags & PATH_NO_XDEV))
		return 0;
	id = path_mount_id(fd);
	if (id < 0)
		return (int)id;
	return id == w->mount ? 0 : -EXDEV;
}

static int step_up(struct walk *w)
{
	const struct identity *want;
	struct stat st;
	int fd;

	if (w->n_trail == 0) {
		if (w->q->flags & PATH_BENEATH)
			return -EXDEV;
		return walk_to_root(w);
	}
	fd = openat(w->cur, "..", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	want = &w->trail[w->n_trail - 1];
	if (fstat(fd, &st) < 0 || st.st_dev != want->dev || st.st_ino != want->ino) {
		close(fd);
		return -EAGAIN;
	}
	w->n_trail--;
	walk_enter(w, fd);
	return 0;
}

static int step_stay(struct walk *w)
{
	int fd = openat(w->cur, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	walk_enter(w, fd);
	return 0;
}

/* Whether the link LINK in the directory CUR leads elsewhere than its text. */
static int link_is_magic(const struct walk *w, int link)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(link, &fs) < 0)
		return -errno;
	if (fs.f_type == AAFS_FS_MAGIC)
		return 1;
	if (fs.f_type != PROC_SUPER_MAGIC)
		return 0;
	if (fstat(w->cur, &st) < 0)
		return -errno;
	return st.st_ino != PROC_ROOT_INODE;
}

/* Puts the text of LINK before what is left to do. */
static int step_link(struct walk *w, int link)
{
	char text[PATH_MAX];
	const char *rest = w->todo + w->at;
	size_t n_rest = strlen(rest);
	ssize_t n;
	char *todo;
	int r;

	if (w->q->flags & PATH_NO_SYMLINKS)
		return -ELOOP;
	if (w->links++ >= LINKS_MAX)
		return -ELOOP;
	r = link_is_magic(w, link);
	if (r != 0)
		return r < 0 ? r : -ELOOP;
	n = readlinkat(link, "", text, sizeof(text));
	if (n < 0)
		return -errno;
	if (n == 0)
		return -ENOENT;
	if ((size_t)n == sizeof(text))
		return -ENAMETOOLONG;
	if (text[0] == '/') {
		if (w->q->flags & PATH_BENEATH)
			return -EXDEV;
		r = walk_to_root(w);
		if (r < 0)
			return r;
	}
	todo = malloc((size_t)n + n_rest + 1);
	if (!todo)
		return -ENOMEM;
	memcpy(todo, text, (size_t)n);
	memcpy(todo + n, rest, n_rest + 1);
	free(w->todo);
	w->todo = todo;
	w->at = 0;
	return 0;
}

/* Makes NAME in CUR as the request says. 0, also where it is there meanwhile. */
static int make_missing(struct walk *w, const char *name, bool last)
{
	const struct path_walk_request *q = w->q;
	int r;

	if (q->make == PATH_MAKE_NONE)
		return -ENOENT;
	if (q->make == PATH_MAKE_FILE && last)
		r = mknodat(w->cur, name, S_IFREG | q->mode, 0);
	else
		r = mkdirat(w->cur, name, q->mode | (q->make == PATH_MAKE_FILE ? 0111 : 0));
	return r < 0 && errno != EEXIST ? -errno : 0;
}

/* Opens NAME in CUR as it is, with O_PATH, making it where that is asked for. */
static int look(struct walk *w, const char *name, bool last, struct stat *ret)
{
	_cleanup_(fd_close) int fd = -1;
	int r;

	fd = openat(w->cur, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		r = make_missing(w, name, last);
		if (r < 0)
			return r;
		fd = openat(w->cur, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		/* Somebody removed it right away: again. */
		if (fd < 0 && errno == ENOENT)
			return -EAGAIN;
	}
	if (fd < 0)
		return -errno;
	r = check_mount(w, fd);
	if (r < 0)
		return r;
	if (fstat(fd, ret) < 0)
		return -errno;
	return TAKE_FD(fd);
}

/* The end of the path is NAME in CUR, seen as FOUND (O_PATH) and no link to follow. */
static int open_last(struct walk *w, const char *name, int *found, const struct stat *st, bool dir)
{
	int oflags = w->q->oflags | O_NOFOLLOW | O_CLOEXEC | (dir ? O_DIRECTORY : 0);
	_cleanup_(fd_close) int fd = -1;
	int r;

	if (oflags & O_PATH) {
		if ((oflags & O_DIRECTORY) && !S_ISDIR(st->st_mode))
			return -ENOTDIR;
		return TAKE_FD(*found);
	}
	fd = openat(w->cur, name, oflags, 0600);
	if (fd < 0)
		return -errno;
	r = check_mount(w, fd);
	return r < 0 ? r : TAKE_FD(fd);
}

/* The path ended in "." or "..", or was empty: CUR itself. */
static int open_here(struct walk *w)
{
	int fd = openat(w->cur, ".", w->q->oflags | O_CLOEXEC, 0600);

	return fd < 0 ? -errno : fd;
}

/* Cuts the next component into NAME. Returns its length, 0 at the end, -ENAMETOOLONG. *RET_SLASH:
 * whether a slash follows; *RET_LAST: whether no other component does. */
static int next_component(struct walk *w, char name[NAME_MAX + 1], bool *ret_slash, bool *ret_last)
{
	const char *p = w->todo + w->at;
	size_t n;

	p += strspn(p, "/");
	n = strcspn(p, "/");
	if (n > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(name, p, n);
	name[n] = '\0';
	*ret_slash = p[n] == '/';
	*ret_last = p[n + strspn(p + n, "/")] == '\0';
	w->at = (size_t)(p + n - w->todo);
	return (int)n;
}

/* A component that is a name. Returns 1 to go on, 0 with *RET_FD at the end, or an error. */
static int step_name(struct walk *w, const char *name, bool slash, bool last, int *ret_fd)
{
	_cleanup_(fd_close) int fd = -1;
	struct stat st;
	int r;

	fd = look(w, name, last && !slash, &st);
	if (fd < 0)
		return fd;
	if (S_ISLNK(st.st_mode) && (!last || slash || !(w->q->oflags & O_NOFOLLOW))) {
		r = step_link(w, fd);
		return r < 0 ? r : 1;
	}
	if (last) {
		r = open_last(w, name, &fd, &st, slash);
		if (r < 0)
			return r;
		*ret_fd = r;
		return 0;
	}
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	r = trail_push(w);
	if (r < 0)
		return r;
	walk_enter(w, TAKE_FD(fd));
	return 1;
}

static int walk_run(struct walk *w)
{
	char name[NAME_MAX + 1];
	bool slash, last;
	int r, fd = -1;

	for (;;) {
		r = next_component(w, name, &slash, &last);
		if (r < 0)
			return r;
		if (r == 0)
			return open_here(w);
		if (strcmp(name, ".") == 0)
			r = step_stay(w);
		else if (strcmp(name, "..") == 0)
			r = step_up(w);
		else
			r = step_name(w, name, slash, last, &fd);
		if (r < 0)
			return r;
		if (fd >= 0)
			return fd;
	}
}

int path_walk(int root, const struct path_walk_request *q)
{
	_cleanup_(walk_done) struct walk w = {.q = q, .root = root, .cur = -1};
	int r;

	if (strlen(q->rel) >= PATH_MAX)
		return -ENAMETOOLONG;
	w.todo = strdup(q->rel);
	if (!w.todo)
		return -ENOMEM;
	if (q->flags & PATH_NO_XDEV) {
		w.mount = path_mount_id(root);
		if (w.mount < 0)
			return (int)w.mount;
	}
	r = walk_to_root(&w);
	return r < 0 ? r : walk_run(&w);
}

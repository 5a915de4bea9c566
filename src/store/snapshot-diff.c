/* SPDX-License-Identifier: Apache-2.0 */
/* What a container changed, as Docker's archive.ChangesDirs has it: the tree that the container
 * sees is compared with the one that its image gave. With an overlay only what is in the upper
 * directory can differ, so only that is walked; elsewhere the whole tree is.
 *
 *   D1  A path is compared by type, mode, owner, device number and file capabilities, and but for
 *       directories by size and time of change. Equal ones are not reported.
 *   D2  A directory in which something is reported is reported before it, as changed.
 *   D3  Of a directory that went only its own path is reported; of one that another file replaced
 *       only the change.
 *
 * The walk goes depth first, so a directory has been reported exactly where the last reported path
 * is it or lies below it. */
#include "store/snapshot-diff.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "store/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define DIFF_PATH_MAX ((size_t)4 << 20)

enum { CAPABILITY_SIZE = 64, COMPARE_SIZE = 16384 };

struct diff {
	int below; /* the image's tree; -1: empty */
	bool upper;
	struct snapshot_change_sink *sink;
	struct buf last;  /* reported last */
	struct buf whole; /* an opaque directory that the walk is in; "" for none */
	struct buf path;
};

static void diff_done(struct diff *d)
{
	buf_done(&d->last);
	buf_done(&d->whole);
	buf_done(&d->path);
}

static int set(struct buf *b, const char *text, size_t n)
{
	buf_clear(b);
	return buf_put(b, text, n);
}

/* Whether PATH is DIR (N bytes) or lies below it. */
static bool is_below(const char *path, const char *dir, size_t n)
{
	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* 0 to go on, 1 where the sink has enough, -ENOMEM. */
static int put(struct diff *d, enum snapshot_change_kind kind, const char *path)
{
	int r = set(&d->last, path, strlen(path));

	if (r < 0)
		return r;
	d->sink->stop = d->sink->fn(d->sink->arg, kind, path);
	return d->sink->stop ? 1 : 0;
}

/* Reports PATH ("/a/b"), and before it what is above it and was not reported yet. */
static int report(struct diff *d, enum snapshot_change_kind kind, const char *path)
{
	_cleanup_(buf_done) struct buf above = BUF_INIT(DIFF_PATH_MAX);
	int r = 0;

	for (const char *p = strchr(path + 1, '/'); p && r == 0; p = strchr(p + 1, '/')) {
		size_t n = (size_t)(p - path);

		if (d->last.len > 0 && is_below(buf_str(&d->last), path, n))
			continue;
		r = set(&above, path, n);
		if (r == 0)
			r = put(d, SNAPSHOT_MODIFIED, buf_str(&above));
	}
	return r == 0 ? put(d, kind, path) : r;
}

static ssize_t capability(int dir, const char *rel, char value[CAPABILITY_SIZE])
{
	_cleanup_(fd_close) int fd = path_open_own(dir, rel, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
	ssize_t n = fd < 0 ? -1 : fgetxattr(fd, "security.capability", value, CAPABILITY_SIZE);

	return n < 0 ? 0 : n;
}

/* Whether two files say the same. What cannot be read differs. */
static bool same_content(int a_dir, const char *a_name, int b_dir, const char *b_name)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
	_cleanup_(fd_close) int a = path_open_own(a_dir, a_name, flags, 0);
	_cleanup_(fd_close) int b = path_open_own(b_dir, b_name, flags, 0);
	char x[COMPARE_SIZE], y[COMPARE_SIZE];
	ssize_t n, m;

	if (a < 0 || b < 0)
		return false;
	do {
		n = fd_read_full(a, x, sizeof(x));
		m = fd_read_full(b, y, sizeof(y));
		if (n < 0 || n != m || memcmp(x, y, (size_t)n) != 0)
			return false;
	} while (n > 0);
	return true;
}

/* Times tell nothing where they are equal: the kernel's clock for them stands for milliseconds, and
 * `cp -p` and COPY keep those of the source. */
static bool differs(const struct diff *d, const struct tree_entry *t, const struct stat *old)
{
	const struct stat *now = &t->st;
	char a[CAPABILITY_SIZE], b[CAPABILITY_SIZE];
	ssize_t n;

	if (now->st_mode != old->st_mode || now->st_uid != old->st_uid ||
	    now->st_gid != old->st_gid || now->st_rdev != old->st_rdev)
		return true;
	if (S_ISDIR(now->st_mode))
		return false;
	if (now->st_size != old->st_size || now->st_mtim.tv_sec != old->st_mtim.tv_sec ||
	    now->st_mtim.tv_nsec != old->st_mtim.tv_nsec)
		return true;
	if (!S_ISREG(now->st_mode))
		return false;
	n = capability(t->dir, t->name, a);
	return n != capability(d->below, t->path, b) || memcmp(a, b, (size_t)n) != 0 ||
	       (now->st_size > 0 && !same_content(t->dir, t->name, d->below, t->path));
}

/* Whether PATH was there: its attributes. */
static bool was_there(const struct diff *d, const char *path, struct stat *ret)
{
	_cleanup_(fd_close) int fd =
		d->below < 0 ? -1 : path_open_own(d->below, path, O_PATH | O_NOFOLLOW, 0);

	return fd >= 0 && fstat(fd, ret) == 0;
}

/* Reports NAME of the directory PATH of the image where DIR, the same now, has it no more. */
static int look_for(struct diff *d, int dir, const char *path, const char *name)
{
	struct stat st;
	int r;

	if (str_eq(name, ".") || str_eq(name, "..") ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	buf_clear(&d->path);
	r = buf_printf(&d->path, "%s/%s", path, name);
	return r < 0 ? r : report(d, SNAPSHOT_DELETED, buf_str(&d->path));
}

/* Reports what the image had in the directory PATH ("/a", "" for the root) and is gone. */
static int report_gone(struct diff *d, int dir, const char *path)
{
	int old = path_open_own(d->below, *path ? path + 1 : ".", O_RDONLY | O_DIRECTORY, 0);
	DIR *list = old < 0 ? NULL : fdopendir(old);
	const struct dirent *entry;
	int r = 0;

	if (!list) {
		fd_close(&old);
		return 0;
	}
	while (r == 0 && (entry = readdir(list)))
		r = look_for(d, dir, path, entry->d_name);
	closedir(list);
	return r;
}

/* Whether nothing of the image shows through in the directory FD, which is at PATH. */
static int is_whole(struct diff *d, int fd, const char *path)
{
	char value = 0;

	if (!d->upper)
		return 1;
	if (d->whole.len > 0 && is_below(path, buf_str(&d->whole), d->whole.len))
		return 1;
	buf_clear(&d->whole);
	if (fgetxattr(fd, "trusted.overlay.opaque", &value, 1) != 1 || value != 'y')
		return 0;
	return set(&d->whole, path, strlen(path)) < 0 ? -ENOMEM : 1;
}

/* A directory that was a directory. */
static int look_into(struct diff *d, const struct tree_entry *t, const char *path)
{
	_cleanup_(fd_close) int fd =
		path_open_own(t->dir, t->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	int r = fd < 0 ? 0 : is_whole(d, fd, path);

	return r > 0 ? report_gone(d, fd, path) : r;
}

static int look_at(struct diff *d, const struct tree_entry *t, const char *path)
{
	struct stat old;
	bool there = was_there(d, t->path, &old);
	int r = 0;

	if (d->upper && S_ISCHR(t->st.st_mode) && t->st.st_rdev == 0)
		return there ? report(d, SNAPSHOT_DELETED, path) : 0;
	if (!there)
		return d->sink->ignored && strv_has(d->sink->ignored, path)
			       ? 0
			       : report(d, SNAPSHOT_ADDED, path);
	if (differs(d, t, &old))
		r = report(d, SNAPSHOT_MODIFIED, path);
	if (r == 0 && S_ISDIR(t->st.st_mode) && S_ISDIR(old.st_mode))
		r = look_into(d, t, path);
	return r;
}

static int diff_entry(void *arg, const struct tree_entry *t, struct err *e)
{
	_cleanup_(buf_done) struct buf path = BUF_INIT(DIFF_PATH_MAX);
	int r = buf_printf(&path, "/%s", t->path);

	if (r == 0)
		r = look_at(arg, t, buf_str(&path));
	if (r < 0)
		return err_errno(e, r, "comparing '%s'", t->path);
	return r > 0 ? TREE_STOP : TREE_GO;
}

int snapshot_diff(int tree, int below, bool upper, struct snapshot_change_sink *sink, struct err *e)
{
	static const struct tree_ops ops = {.entry = diff_entry, .sorted = true};
	_cleanup_(diff_done) struct diff d = {.below = below,
					      .upper = upper,
					      .sink = sink,
					      .last = BUF_INIT(DIFF_PATH_MAX),
					      .whole = BUF_INIT(DIFF_PATH_MAX),
					      .path = BUF_INIT(DIFF_PATH_MAX)};
	int r = upper || below < 0 ? 0 : report_gone(&d, tree, "");

	if (r < 0)
		return err_errno(e, r, "comparing the root");
	return r > 0 ? 0 : tree_walk(tree, &ops, &d, e);
}

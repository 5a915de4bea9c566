/* SPDX-License-Identifier: Apache-2.0 */
/* Whiteouts (image-spec layer.md, "Whiteouts"): ".wh.NAME" hides NAME of the layers below,
 * ".wh..wh..opq" everything that they have in its directory. Neither touches what the same layer
 * made, before or after. So for overlayfs
 *
 *   W1  a whiteout of a name that this layer has: a directory becomes opaque, anything else hides
 *       what is below already;
 *   W2  a directory made in the place of a whiteout becomes opaque (unpack-entry.c);
 *
 * and where the layers are applied to one directory
 *
 *   W3  what is touched (made by this layer, or above that) stays, in a directory that is touched
 *       everything else goes. */
#include "unpack/unpack-internal.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- overlay --- */

static int overlay_whiteout(struct unpack *u, int dir, const char *name, struct err *e)
{
	_cleanup_(fd_close) int fd = -1;
	struct stat st;

	if (mknodat(dir, name, S_IFCHR, 0) == 0)
		return 0;
	if (errno != EEXIST || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, errno, "making a whiteout");
	if (!S_ISDIR(st.st_mode))
		return 0;
	fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, errno, "opening a directory");
	return unpack_opaque(u, fd, e);
}

/* --- apply --- */

/* Directories that stay and whose content is still to be looked at, relative to the first. */
struct queue {
	char **paths;
	size_t n;
	size_t cap;
};

static void queue_done(struct queue *q)
{
	for (size_t i = 0; i < q->n; i++)
		free(q->paths[i]);
	free(q->paths);
}

static int queue_put(struct queue *q, const char *dir, const char *name)
{
	size_t n = strlen(dir) + strlen(name) + 2;
	char *path;

	if (q->n == q->cap) {
		size_t cap = MAX((size_t)16, q->cap * 2);
		char **more = realloc(q->paths, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		q->paths = more;
		q->cap = cap;
	}
	path = malloc(n);
	if (!path)
		return -ENOMEM;
	snprintf(path, n, "%s%s%s", dir, *dir ? "/" : "", name);
	q->paths[q->n++] = path;
	return 0;
}

/* Removes NAME of DIR unless it is touched; a touched directory goes to the queue. */
static int prune_entry(struct unpack *u, int dir, const char *path, const char *name,
		       struct queue *q)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!inode_set_has(&u->touched, st.st_ino)) {
		unpack_parents_forget(u);
		return path_remove_tree(dir, name);
	}
	return S_ISDIR(st.st_mode) ? queue_put(q, path, name) : 0;
}

/* The layout of struct linux_dirent64, which glibc's struct dirent64 is. */
static int prune_dir(struct unpack *u, int dir, const char *path, struct queue *q)
{
	_Alignas(struct dirent64) char block[32 * 1024];
	long n;

	while ((n = syscall(SYS_getdents64, dir, block, sizeof(block))) > 0) {
		for (long at = 0; at < n;) {
			const struct dirent64 *d = (const void *)(block + at);
			int rc = 0;

			if (!str_eq(d->d_name, ".") && !str_eq(d->d_name, ".."))
				rc = prune_entry(u, dir, path, d->d_name, q);
			if (rc < 0)
				return rc;
			at += d->d_reclen;
		}
	}
	return n < 0 ? -errno : 0;
}

/* Removes everything below TOP that is not touched. */
static int prune(struct unpack *u, int top, struct err *e)
{
	_cleanup_(queue_done) struct queue q = {.paths = NULL};
	int rc = queue_put(&q, "", "");

	for (size_t i = 0; rc == 0 && i < q.n; i++) {
		_cleanup_(fd_close) int dir = path_open(top, q.paths[i], O_RDONLY | O_DIRECTORY,
							PATH_NO_SYMLINKS | PATH_NO_XDEV);

		rc = dir < 0 ? dir : prune_dir(u, dir, q.paths[i], &q);
	}
	return rc < 0 ? err_errno(e, rc, "removing what a whiteout hides") : 0;
}

static int apply_whiteout(struct unpack *u, int dir, const char *name, struct err *e)
{
	_cleanup_(fd_close) int top = -1;
	struct stat st;
	int rc;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_errno(e, errno, "looking at what is there");
	if (!inode_set_has(&u->touched, st.st_ino)) {
		rc = path_remove_tree(dir, name);
		unpack_parents_forget(u);
		return rc < 0 ? err_errno(e, rc, "removing what a whiteout hides") : 0;
	}
	if (!S_ISDIR(st.st_mode))
		return 0;
	top = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (top < 0)
		return err_errno(e, errno, "opening a directory");
	return prune(u, top, e);
}

/* --- both --- */

static int do_opaque(struct unpack *u, const struct unpack_name *n, struct err *e)
{
	_cleanup_(fd_close) int copy = -1;
	int dir = unpack_parent(u, n, e);

	if (dir < 0)
		return -1;
	if (n->last == n->path)
		u->result.opaque_root = true;
	if (u->mode == UNPACK_OVERLAY)
		return unpack_opaque(u, dir, e);
	/* The cache of parents is emptied on the way. */
	copy = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	return copy < 0 ? err_errno(e, errno, "opening a directory") : prune(u, copy, e);
}

/* Whether N's directory is not there: then there is nothing to hide. For overlayfs it must be made,
 * because the layers below may have it. */
static bool has_no_parent(const struct unpack *u, const struct unpack_name *n)
{
	_cleanup_(fd_close) int fd = -1;
	char dir[PATH_MAX] = "";

	if (u->mode != UNPACK_APPLY || n->last == n->path)
		return false;
	memcpy(dir, n->path, (size_t)(n->last - n->path) - 1);
	fd = path_open(u->root, dir, O_PATH | O_DIRECTORY, u->path_flags);
	return fd == -ENOENT;
}

/* Whether a component before the last begins like a whiteout: no layer can have such a file. */
static bool is_below_whiteout(const struct unpack_name *n)
{
	const char *p = n->path;

	for (; p < n->last; p += strcspn(p, "/") + 1)
		if (str_after(p, WHITEOUT_PREFIX))
			return true;
	return false;
}

int unpack_whiteout(struct unpack *u, const struct unpack_name *n, struct err *e)
{
	const char *hidden = str_after(n->last, WHITEOUT_PREFIX);
	bool opaque;
	int dir, rc;

	/* AUFS kept its own files at the root of a layer; Docker left them in old images and skips
	 * them. */
	if (str_after(n->path, WHITEOUT_META) && !str_eq(n->path, WHITEOUT_OPAQUE))
		return 1;
	if (is_below_whiteout(n))
		return err_set(e, ERR_HOSTILE, 0, "a file below a whiteout");
	if (!hidden)
		return 0;
	opaque = str_eq(n->last, WHITEOUT_OPAQUE);
	if (!opaque && (!*hidden || str_eq(hidden, ".") || str_eq(hidden, "..") ||
			str_after(hidden, WHITEOUT_PREFIX)))
		return err_set(e, ERR_HOSTILE, 0, "a whiteout of nothing that can be hidden");
	if (has_no_parent(u, n))
		return 1;
	if (opaque)
		return do_opaque(u, n, e) < 0 ? -1 : 1;
	dir = unpack_parent(u, n, e);
	if (dir < 0)
		return -1;
	rc = u->mode == UNPACK_OVERLAY ? overlay_whiteout(u, dir, hidden, e)
				       : apply_whiteout(u, dir, hidden, e);
	return rc < 0 ? -1 : 1;
}

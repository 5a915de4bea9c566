/* SPDX-License-Identifier: Apache-2.0 */
/* Making entries: on the descriptor of the directory, with one component for a name, never through
 * what is there (O_EXCL, O_NOFOLLOW, mkdirat, ...). Where something is there already it is taken
 * away first and the call repeated: only a directory on a directory stays (image-spec layer.md,
 * "Change Types"; U08). Attributes are set on the descriptor of what was made (U09). */
#include "unpack/unpack-internal.h"

#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int unpack_touch(struct unpack *u, int fd, struct err *e)
{
	struct stat st;

	if (u->mode != UNPACK_APPLY)
		return 0;
	if (fstat(fd, &st) < 0)
		return err_errno(e, errno, "looking at what was made");
	if (inode_set_add(&u->touched, st.st_ino) < 0)
		return err_errno(e, ENOMEM, "remembering what was made");
	return 0;
}

int unpack_opaque(struct unpack *u, int dir, struct err *e)
{
	_cleanup_(fd_close) int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, errno, "opening a directory");
	return u->hooks.opaque(u->hooks.data, fd, e);
}

/* Takes away what is at NAME of DIR. *RET_WHITEOUT says whether it was an overlay's whiteout. */
static int clear_way(struct unpack *u, int dir, const char *name, bool *ret_whiteout, struct err *e)
{
	struct stat st;
	int rc;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, errno, "looking at what is there");
	*ret_whiteout = u->mode == UNPACK_OVERLAY && unpack_is_whiteout(&st);
	if (u->mode == UNPACK_COPY && S_ISDIR(st.st_mode))
		return err_set(e, ERR_CONFLICT, 0, "cannot overwrite directory with non-directory");
	if (S_ISDIR(st.st_mode)) {
		rc = path_remove_tree(dir, name);
		if (rc < 0)
			return err_errno(e, rc, "removing the directory that is there");
	} else if (unlinkat(dir, name, 0) < 0) {
		return err_errno(e, errno, "removing what is there");
	}
	return 0;
}

/* --- one way to make each type: 0 or a negative errno --- */

struct making {
	struct unpack *u;
	int dir; /* borrowed; reopened when the way was cleared */
	const struct unpack_name *name;
	const struct tar_entry *t;
	int fd;       /* of a file that was made */
	bool existed; /* a directory that is kept */
};

static int make_node(struct making *m, mode_t type)
{
	const struct tar_entry *t = m->t;
	dev_t dev = type == S_IFIFO ? 0 : makedev(t->major, t->minor);

	return mknodat(m->dir, m->name->last, type | t->mode, dev) < 0 ? -errno : 0;
}

static int make(struct making *m)
{
	const char *last = m->name->last;
	int rc;

	switch (m->t->type) {
	case TAR_FILE:
		m->fd = openat(m->dir, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			       m->t->mode & 0777);
		return m->fd < 0 ? -errno : 0;
	case TAR_DIR:
		rc = mkdirat(m->dir, last, m->t->mode & 0777);
		return rc < 0 ? -errno : 0;
	case TAR_SYMLINK:
		rc = symlinkat(m->t->linkname, m->dir, last);
		return rc < 0 ? -errno : 0;
	case TAR_CHAR:
		return make_node(m, S_IFCHR);
	case TAR_BLOCK:
		return make_node(m, S_IFBLK);
	case TAR_FIFO:
		return make_node(m, S_IFIFO);
	default:
		return -EINVAL;
	}
}

/* Whether what is at the name is a directory that a directory may stand on. */
static bool is_same_directory(const struct making *m)
{
	struct stat st;

	return m->t->type == TAR_DIR &&
	       fstatat(m->dir, m->name->last, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Makes it, where need be in the place of what is there. */
static int make_or_replace(struct making *m, bool *ret_was_whiteout, struct err *e)
{
	int rc = make(m);

	if (rc == -EEXIST) {
		m->existed = is_same_directory(m);
		if (m->existed)
			return 0;
		if (m->u->mode == UNPACK_COPY && m->t->type == TAR_DIR)
			return err_set(e, ERR_CONFLICT, 0,
				       "cannot overwrite non-directory with directory");
		if (clear_way(m->u, m->dir, m->name->last, ret_was_whiteout, e) < 0)
			return -1;
		unpack_parents_forget(m->u);
		m->dir = unpack_parent(m->u, m->name, e);
		if (m->dir < 0)
			return -1;
		rc = make(m);
	}
	return rc < 0 ? err_errno(e, rc, "making it") : 0;
}

/* --- files --- */

static int write_at(int fd, const char *p, size_t n, uint64_t at, struct err *e)
{
	while (n > 0) {
		ssize_t w = pwrite(fd, p, n, (off_t)at);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return err_errno(e, w < 0 ? errno : EIO, "writing");
		p += w;
		n -= (size_t)w;
		at += (uint64_t)w;
	}
	return 0;
}

static int write_data(struct unpack *u, int fd, const struct tar_entry *t, struct err *e)
{
	const void *p;
	uint64_t at, end = 0;
	ssize_t n;

	while ((n = tar_reader_data(u->tar, &p, &at, e)) > 0) {
		if (write_at(fd, p, (size_t)n, at, e) < 0)
			return -1;
		end = at + (uint64_t)n;
	}
	if (n < 0)
		return -1;
	/* A hole at the end. */
	if (end < t->size && ftruncate(fd, (off_t)t->size) < 0)
		return err_errno(e, errno, "making it %llu bytes long",
				 (unsigned long long)t->size);
	return 0;
}

static int finish_file(struct making *m, struct err *e)
{
	_cleanup_(fd_close) int fd = m->fd;

	if (write_data(m->u, fd, m->t, e) < 0 || unpack_touch(m->u, fd, e) < 0)
		return -1;
	return unpack_attributes(m->u, fd, m->t, true, e);
}

static int finish_dir(struct making *m, bool was_whiteout, struct err *e)
{
	struct unpack *u = m->u;
	_cleanup_(fd_close) int fd =
		openat(m->dir, m->name->last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, errno, "opening what was made");
	/* What was whited out below must not show through the new directory. */
	if (was_whiteout && u->hooks.opaque(u->hooks.data, fd, e) < 0)
		return -1;
	if (unpack_touch(u, fd, e) < 0 || unpack_attributes(u, fd, m->t, !m->existed, e) < 0 ||
	    unpack_dir_time_add(u, m->name->path, m->t->mtime_ns, e) < 0)
		return -1;
	unpack_parent_put(u, m->name->path, TAKE_FD(fd));
	return 0;
}

static int finish_special(struct making *m, struct err *e)
{
	_cleanup_(fd_close) int fd = openat(m->dir, m->name->last, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return err_errno(e, errno, "opening what was made");
	if (unpack_touch(m->u, fd, e) < 0)
		return -1;
	return unpack_attributes_special(m->u, fd, m->t, e);
}

/* --- hard links --- */

/* Links to what TARGET is, in DIR under LAST. The target's last component is not followed: a link
 * to a symbolic link is one more name of the link itself (U07). */
static int link_to(int from, const struct unpack_name *target, struct making *m, struct err *e)
{
	bool was_whiteout;
	struct stat a, b;

	if (fstatat(from, target->last, &a, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(e, errno, "looking at the target of the hard link");
	if (unpack_is_whiteout(&a) || S_ISDIR(a.st_mode))
		return err_set(e, ERR_HOSTILE, 0, "a hard link to a %s",
			       S_ISDIR(a.st_mode) ? "directory" : "whiteout");
	if (linkat(from, target->last, m->dir, m->name->last, 0) == 0)
		return 0;
	if (errno != EEXIST)
		return err_errno(e, errno, "making the hard link");
	if (fstatat(m->dir, m->name->last, &b, AT_SYMLINK_NOFOLLOW) == 0 && a.st_dev == b.st_dev &&
	    a.st_ino == b.st_ino)
		return 0;
	if (clear_way(m->u, m->dir, m->name->last, &was_whiteout, e) < 0)
		return -1;
	/* The directories stay open: what was removed is not above either of them, or the link
	 * fails because its target is gone. */
	if (linkat(from, target->last, m->dir, m->name->last, 0) < 0)
		return err_errno(e, errno, "making the hard link");
	return 0;
}

static int make_hard_link(struct making *m, struct err *e)
{
	_cleanup_(fd_close) int from = -1;
	struct unpack_name target;
	char dir[PATH_MAX] = "";
	int rc;

	if (unpack_name_set(&target, m->u->prefix, m->t->linkname, e) < 0)
		return err_wrap(e, "target of the hard link");
	if (target.root)
		return err_set(e, ERR_HOSTILE, 0, "a hard link to the root");
	if (target.last > target.path)
		memcpy(dir, target.path, (size_t)(target.last - target.path) - 1);
	from = path_open(m->u->root, dir, O_PATH | O_DIRECTORY, m->u->path_flags);
	if (from < 0)
		return err_errno(e, from, "looking at the target of the hard link");
	rc = link_to(from, &target, m, e);
	unpack_parents_forget(m->u);
	return rc;
}

/* --- entries --- */

/* The root may get attributes and nothing else (U04, CVE-2021-29136). */
static int root_entry(struct unpack *u, const struct tar_entry *t, struct err *e)
{
	_cleanup_(fd_close) int fd = -1;

	if (t->type != TAR_DIR)
		return err_set(e, ERR_HOSTILE, 0, "the root can only be a directory");
	if (u->mode == UNPACK_COPY)
		return 0;
	fd = openat(u->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno(e, errno, "opening the root");
	if (unpack_attributes(u, fd, t, false, e) < 0)
		return -1;
	return unpack_dir_time_add(u, "", t->mtime_ns, e);
}

/* What overlayfs would take for a whiteout of ours (U12). */
static bool is_forged_whiteout(const struct tar_entry *t)
{
	return t->type == TAR_CHAR && t->major == 0 && t->minor == 0;
}

int unpack_entry(struct unpack *u, const struct unpack_name *n, const struct tar_entry *t,
		 struct err *e)
{
	struct making m = {.u = u, .name = n, .t = t, .fd = -1};
	bool was_whiteout = false;

	if (n->root)
		return root_entry(u, t, e);
	if (is_forged_whiteout(t))
		return err_set(e, ERR_HOSTILE, 0,
			       "a character device 0:0 is a whiteout of overlayfs");
	m.dir = unpack_parent(u, n, e);
	if (m.dir < 0)
		return -1;
	if (t->type == TAR_HARDLINK)
		return make_hard_link(&m, e);
	if (make_or_replace(&m, &was_whiteout, e) < 0)
		return -1;
	if (t->type == TAR_FILE)
		return finish_file(&m, e);
	if (t->type == TAR_DIR)
		return finish_dir(&m, was_whiteout, e);
	return finish_special(&m, e);
}

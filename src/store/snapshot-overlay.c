/* SPDX-License-Identifier: Apache-2.0 */
/* Overlay on directories: <id>/fs is a layer's difference or a container's upper directory,
 * <id>/work the kernel's own. Features that change what a directory means are switched off in the
 * mount: a layer must read the same on every kernel, whatever its defaults. */
#include "store/store-internal.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "store/snapshot-diff.h"

#define OVERLAY_PROBE "probe"

static const char *const overlay_opts[] = {"metacopy", "off",  "redirect_dir", "off", "index",
					   "off",      "xino", "off",          NULL};

static int overlay_mkdir(int dir, const char *id, const char *sub, mode_t mode, struct err *e)
{
	char rel[64];
	int fd;

	snprintf(rel, sizeof(rel), "%s/%s", id, sub);
	if ((mkdirat(dir, id, 0700) < 0 && errno != EEXIST) ||
	    (mkdirat(dir, rel, mode) < 0 && errno != EEXIST))
		return err_errno(e, errno, "making the directory of a snapshot");
	fd = path_open_own(dir, rel, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return err_errno(e, fd, "opening the directory of a snapshot");
	return fd;
}

/* An overlay with what a layer needs: whiteouts, opaque marks, a mount. */
static int overlay_try(int dir, struct err *e)
{
	_cleanup_(fd_close) int lower = overlay_mkdir(dir, OVERLAY_PROBE, "lower", 0755, e);
	_cleanup_(fd_close) int upper =
		lower < 0 ? -1 : overlay_mkdir(dir, OVERLAY_PROBE, "upper", 0755, e);
	_cleanup_(fd_close) int work =
		upper < 0 ? -1 : overlay_mkdir(dir, OVERLAY_PROBE, "work", 0700, e);
	const struct mount_param params[] = {{"metacopy", "off", -1}, {"redirect_dir", "off", -1}};
	const struct mount_overlay o = {.lower = &lower,
					.n_lower = 1,
					.upper = upper,
					.work = work,
					.params = params,
					.n_params = ARRAY_SIZE(params)};
	int fd;

	if (work < 0)
		return -1;
	if (mknodat(upper, "whiteout", S_IFCHR, makedev(0, 0)) < 0)
		return err_errno(e, errno, "making a whiteout");
	if (fsetxattr(upper, "trusted.overlay.opaque", "y", 1, 0) < 0)
		return err_errno(e, errno, "setting trusted.overlay.opaque");
	fd = mount_overlay_new(&o);
	if (fd < 0)
		return err_errno(e, fd, "mounting an overlay");
	fd_close(&fd);
	return 0;
}

static int overlay_probe(int dir, struct err *e)
{
	int r;

	path_remove_tree(dir, OVERLAY_PROBE);
	r = overlay_try(dir, e);
	path_remove_tree(dir, OVERLAY_PROBE);
	return r;
}

/* ext4 without a journal does not give out an inode again soon after its file was removed, and
 * looks at all such ones for each file that it makes near them: a layer unpacked where one was
 * removed a minute ago takes several times as long. Below a directory with this flag it puts each
 * new directory, chosen by its name, where there is room (with a journal too, where it gains
 * little); other file systems know no such flag. Returns whether it is set. */
static bool overlay_spread(int fd)
{
	int flags = 0;

	if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0)
		return false;
	flags |= FS_TOPDIR_FL;
	return ioctl(fd, FS_IOC_SETFLAGS, &flags) == 0;
}

/* Makes <id>/fs, first under the name of the layer, since the place depends on the name. */
static int overlay_mkdir_spread(int dir, const char *id, struct err *e)
{
	_cleanup_(fd_close) int top = -1;

	if (mkdirat(dir, id, 0700) < 0)
		return err_errno(e, errno, "making the directory of a snapshot");
	top = snapshot_open_dir(dir, id, NULL, O_RDONLY);
	if (top < 0)
		return err_errno(e, top, "opening the directory of a snapshot");
	if (overlay_spread(top) && (mkdirat(top, id, 0755) < 0 || renameat(top, id, top, "fs") < 0))
		return err_errno(e, errno, "making the directory of a snapshot");
	return 0;
}

static int overlay_layer(int dir, const char *id, const char *parent, struct err *e)
{
	_cleanup_(fd_close) int fd = -1;

	if (overlay_mkdir_spread(dir, id, e) < 0)
		return -1;
	fd = overlay_mkdir(dir, id, "fs", 0755, e);
	if (fd < 0)
		return -1;
	if (fchmod(fd, 0755) < 0)
		return err_errno(e, errno, "setting up a layer");
	return TAKE_FD(fd);
}

static int overlay_lower(int dir, const char *const *chain, size_t n, struct snapshot_mounts *m,
			 struct err *e)
{
	if (n > SNAPSHOT_OVERLAY_MAX)
		return err_set(e, ERR_LIMIT, 0,
			       "%zu layers, and the kernel's overlay takes at most %d", n,
			       SNAPSHOT_OVERLAY_MAX);
	m->lower = calloc(n + 1, sizeof(*m->lower));
	if (!m->lower)
		return err_errno(e, ENOMEM, "describing a snapshot");
	for (size_t i = 0; i < n; i++) {
		int fd = snapshot_open_dir(dir, chain[i], "fs", O_PATH);

		if (fd == -ENOENT)
			return err_set(e, ERR_CORRUPT, 0, "the directory of layer %s is missing",
				       chain[i]);
		if (fd < 0)
			return err_errno(e, fd, "opening the directory of layer %s", chain[i]);
		m->lower[m->n_lower++] = fd;
	}
	return 0;
}

/* The merged root shows the attributes of the upper directory: they come from the layer below. */
static int overlay_root_attributes(int fs, const struct snapshot_mounts *m, struct err *e)
{
	struct stat st = {.st_mode = 0755};

	if (m->n_lower > 0 && fstat(m->lower[0], &st) < 0)
		return err_errno(e, errno, "reading a layer");
	if ((st.st_uid != 0 || st.st_gid != 0) && fchown(fs, st.st_uid, st.st_gid) < 0)
		return err_errno(e, errno, "setting up a snapshot");
	if (fchmod(fs, st.st_mode & 07777) < 0)
		return err_errno(e, errno, "setting up a snapshot");
	return 0;
}

/* `work` is made last: where it exists, `fs` has its attributes. */
static int overlay_make(int dir, const char *id, const struct snapshot_mounts *m, struct err *e)
{
	_cleanup_(fd_close) int fs = overlay_mkdir(dir, id, "fs", 0755, e);
	_cleanup_(fd_close) int work = -1;

	if (fs < 0 || overlay_root_attributes(fs, m, e) < 0 ||
	    FAILPOINT("store.snapshot.create", e) < 0)
		return -1;
	work = overlay_mkdir(dir, id, "work", 0700, e);
	return work < 0 ? -1 : 0;
}

static int overlay_writable(int dir, const char *id, struct snapshot_mounts *m, struct err *e)
{
	m->work = snapshot_open_dir(dir, id, "work", O_PATH);
	if (m->work == -ENOENT) {
		if (overlay_make(dir, id, m, e) < 0)
			return -1;
		m->work = snapshot_open_dir(dir, id, "work", O_PATH);
	}
	m->upper = m->work < 0 ? m->work : snapshot_open_dir(dir, id, "fs", O_PATH);
	if (m->upper < 0) {
		int r = m->upper;

		m->upper = m->work = -1;
		return err_errno(e, r, "opening the directories of snapshot %s", id);
	}
	return 0;
}

/* An overlay needs a directory below, and two without an upper one: otherwise a bind does it. */
static int overlay_mounts(int dir, const char *id, const char *const *chain, size_t n,
			  struct snapshot_mounts *m, struct err *e)
{
	if (overlay_lower(dir, chain, n, m, e) < 0 || (id && overlay_writable(dir, id, m, e) < 0))
		return -1;
	m->opts = overlay_opts;
	m->read_only = !id;
	m->overlay = id ? n >= 1 : n >= 2;
	if (m->overlay)
		return 0;
	if (!id && n == 0)
		return err_set(e, ERR_UNSUPPORTED, 0, "an image without layers has nothing to see");
	m->root = id ? TAKE_FD(m->upper) : TAKE_FD(m->lower[0]);
	m->n_lower = 0;
	fd_close(&m->work);
	return 0;
}

/* The image's files as a container of it sees them. */
static int overlay_below(const struct snapshot_mounts *m, struct err *e)
{
	const struct mount_param params[] = {{"metacopy", "off", -1}, {"redirect_dir", "off", -1}};
	const struct mount_overlay o = {.lower = m->lower,
					.n_lower = m->n_lower,
					.upper = -1,
					.work = -1,
					.params = params,
					.n_params = ARRAY_SIZE(params)};
	_cleanup_(fd_close) int mnt = -1;
	int fd;

	if (m->n_lower == 1)
		fd = path_open_own(m->lower[0], ".", O_RDONLY | O_DIRECTORY, 0);
	else {
		mnt = mount_overlay_new(&o);
		fd = mnt < 0 ? mnt : path_open_own(mnt, ".", O_RDONLY | O_DIRECTORY, 0);
	}
	return fd < 0 ? err_errno(e, fd, "mounting the layers of the image") : fd;
}

static int overlay_changes(int dir, const char *id, const struct snapshot_mounts *m,
			   struct snapshot_change_sink *sink, struct err *e)
{
	_cleanup_(fd_close) int fs = snapshot_open_dir(dir, id, "fs", O_RDONLY);
	_cleanup_(fd_close) int below = -1;

	if (fs < 0)
		return err_errno(e, fs, "opening the directory of snapshot %s", id);
	if (m->n_lower > 0) {
		below = overlay_below(m, e);
		if (below < 0)
			return -1;
	}
	return snapshot_diff(fs, below, true, sink, e);
}

const struct snapshot_driver snapshot_overlay = {
	.name = "overlay",
	.whiteouts_kept = true,
	.probe = overlay_probe,
	.layer = overlay_layer,
	.mounts = overlay_mounts,
	.changes = overlay_changes,
};

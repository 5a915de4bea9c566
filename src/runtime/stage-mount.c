/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of mounts. Targets are resolved below the descriptor of the container's root, never from
 * the process's own root, so that it does not matter whether the root has been pivoted yet: hooks
 * that run before it see all mounts, and without hooks the host's tree is gone before the first
 * path of the container is looked at. */
#include "runtime/stage-internal.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/str.h"
#include "kernel/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

enum { PARAMS_MAX = 64 };

int stage_propagation(struct stage *st, const struct plan_step *s, struct err *e)
{
	struct mount_change c = {.propagation = s->num[0]};
	_cleanup_(fd_close) int root = path_open_host("/", O_PATH | O_DIRECTORY, 0);
	int r = root < 0 ? root : mount_set(root, &c, true);

	return r < 0 ? err_errno(e, r, "separating the mounts from the host's") : 0;
}

int stage_clone(struct stage *st, int fd, bool recursive)
{
	int r = mount_clone(fd, recursive);

	return r == -ENOSYS ? mount_stash_clone(&st->stash, fd, recursive) : r;
}

static int clone_peer(struct stage *st, int fd, bool recursive)
{
	int r = mount_clone_peer(fd, recursive);

	return r == -ENOSYS ? mount_stash_clone(&st->stash, fd, recursive) : r;
}

int stage_new_fs(struct stage *st, const char *type, const char *source,
		 const struct mount_param *params, uint64_t attr)
{
	size_t n = 0;
	int r;

	while (params[n].key)
		n++;
	r = mount_fs_new(type, source, params, n, attr);
	return r == -ENOSYS ? mount_stash_fs(&st->stash, type, source, params, attr) : r;
}

/* A clone of a source of the runtime's mount namespace, with the changes of the step. */
static int clone_raw(struct stage *st, const struct plan_step *s, bool recursive)
{
	const struct mount_change changes[] = {{.propagation = s->num[4] ? s->num[4] : MS_PRIVATE},
					       {.set = s->num[0], .clear = s->num[1]},
					       {.set = s->num[2], .clear = s->num[3]}};
	_cleanup_(fd_close) int here = mount_stash_reopen(stage_fd(st, s, 0)), mnt = -1;
	int r;

	mnt = here < 0 ? here : clone_peer(st, here, recursive);
	r = mnt < 0 ? mnt : mount_set(mnt, &changes[0], true);
	for (size_t i = 1; r >= 0 && i < ARRAY_SIZE(changes); i++)
		if (changes[i].set || changes[i].clear)
			r = mount_set(mnt, &changes[i], i == 2);
	return r < 0 ? r : TAKE_FD(mnt);
}

int stage_root(struct stage *st, const struct plan_step *s, struct err *e)
{
	const char *path = s->str[0].len ? s->str[0].data : "/";
	_cleanup_(fd_close) int at = path_open_host(path, O_PATH | O_DIRECTORY, 0);
	int root, r = s->flags & PLAN_MOUNT_IN_ORDER ? mount_stash_open(&st->stash) : 0;

	if (r < 0)
		return err_errno(e, r, "making a place for mounts");
	root = s->flags & PLAN_MOUNT_RAW ? clone_raw(st, s, true) : stage_fd(st, s, 0);
	if (root < 0)
		return err_errno(e, root, "cloning the root file system");
	r = at < 0 ? at : root < 0 ? -EBADMSG : mount_move(root, at);
	if (r < 0)
		return err_errno(e, r, "mounting the root file system at '%s'", path);
	st->root = root;
	return 0;
}

/* Finds the mount point TARGET and makes it where it is missing. */
static int find_target(const struct stage *st, const struct plan_step *s, const char *target)
{
	bool file = s->op == PLAN_MOUNT_TREE && s->flags & PLAN_MOUNT_FILE;
	int fd;

	if (s->flags & PLAN_MOUNT_NO_MAKE)
		return path_open(st->root, target, O_PATH, 0);
	if (s->op != PLAN_MOUNT_FS || !(s->flags & PLAN_MOUNT_REAL_DIR))
		return path_mount_point(st->root, target, file, 0755);
	/* A link at /proc or /sys would let the image decide where they are (CVE-2019-19921) */
	fd = path_open(st->root, target, O_PATH | O_DIRECTORY | O_NOFOLLOW, PATH_NO_SYMLINKS);
	if (fd != -ENOENT)
		return fd;
	return path_mount_point(st->root, target, false, 0755);
}

/* Opens the mount point of the step. Whatever its text says, it must not lie on a procfs: the image
 * has links, and labels and sysctls are written there (CVE-2019-16884, CVE-2025-52881). */
static int open_target(const struct stage *st, const struct plan_step *s)
{
	_cleanup_(fd_close) int fd = find_target(st, s, s->str[0].data);
	struct statfs fs;

	if (fd < 0)
		return fd;
	if (fstatfs(fd, &fs) < 0)
		return -errno;
	if (fs.f_type == PROC_SUPER_MAGIC && !(s->flags & PLAN_MOUNT_ON_PROC))
		return -EXDEV;
	return TAKE_FD(fd);
}

/* Why TARGET could not be opened. */
static int target_failed(const struct plan_step *s, int r, struct err *e)
{
	const char *target = s->str[0].data;

	if (r == -EXDEV)
		return err_set(e, ERR_HOSTILE, 0,
			       "mounting '%s': nothing may be mounted over /proc", target);
	if ((r == -ELOOP || r == -ENOTDIR) && s->flags & PLAN_MOUNT_REAL_DIR)
		return err_set(e, ERR_HOSTILE, 0,
			       "mounting '%s': must be mounted on an ordinary directory", target);
	return err_errno(e, r, "making the mount point '%s'", target);
}

/* The parameters from "key=value" strings, which are cut in place; returns how many. */
static size_t split_params(const char **options, struct mount_param *params)
{
	size_t n = 0;

	for (; *options && n < PARAMS_MAX - 1; options++) {
		char *cut = strchr(*options, '=');

		params[n].key = *options;
		if (cut) {
			*cut = '\0';
			params[n].value = cut + 1;
		}
		n++;
	}
	return n;
}

/* In a user namespace that does not own the network or IPC namespace, sysfs and mqueue cannot be
 * made. The host's, which then shows the same, does instead, as in crun. */
static int hosts_instead(struct stage *st, const char *type, uint64_t attr)
{
	const char *path = str_eq(type, "sysfs") ? "/sys" : "/dev/mqueue";
	const struct mount_change c = {.set = attr, .propagation = MS_PRIVATE};
	_cleanup_(fd_close) int dir = -1, mnt = -1;
	int r;

	if (st->pivoted || (!str_eq(type, "sysfs") && !str_eq(type, "mqueue")))
		return -EPERM;
	dir = path_open_host(path, O_PATH | O_DIRECTORY, 0);
	mnt = dir < 0 ? -EPERM : clone_peer(st, dir, true);
	r = mnt < 0 ? mnt : mount_set(mnt, &c, true);
	return r < 0 ? r : TAKE_FD(mnt);
}

/* A file system; where LIKE is not -1 its root gets the mode of that directory. */
static int new_fs(struct stage *st, const struct plan_step *s, int like, struct err *e)
{
	_cleanup_(freep) const char **options = stage_strv(s->str[3]);
	struct mount_param params[PARAMS_MAX] = {{.key = NULL}};
	const char *type = s->str[1].data, *source = s->str[2].len ? s->str[2].data : NULL;
	char mode[8];
	struct stat sb;
	size_t n;
	int mnt;

	if (!options)
		return err_errno(e, ENOMEM, "mounting '%s'", s->str[0].data);
	n = split_params(options, params);
	if (like >= 0 && fstat(like, &sb) == 0) {
		snprintf(mode, sizeof(mode), "%o", sb.st_mode & 07777);
		params[n].key = "mode";
		params[n++].value = mode;
	}
	mnt = stage_new_fs(st, type, source, params, s->num[0]);
	if (mnt == -EPERM)
		mnt = hosts_instead(st, type, s->num[0]);
	if (mnt < 0)
		return err_errno(e, mnt, "mounting '%s' (%s)", s->str[0].data, type);
	return mnt;
}

static int finish_fs(struct stage *st, const struct plan_step *s, int mnt, int target)
{
	struct mount_change c = {.propagation = s->num[1]};
	int r = 0;

	if (s->flags & PLAN_MOUNT_COPY_UP)
		r = stage_copy_tree(target, mnt);
	if (r >= 0 && c.propagation)
		r = mount_set(mnt, &c, false);
	return r < 0 ? r : mount_move(mnt, target);
}

static bool exists(const struct stage *st, const char *target)
{
	_cleanup_(fd_close) int fd = path_open(st->root, target, O_PATH, 0);

	return fd >= 0;
}

int stage_mount_fs(struct stage *st, const struct plan_step *s, struct err *e)
{
	_cleanup_(fd_close) int target = -1;
	bool keep_mode = s->flags & PLAN_MOUNT_KEEP_MODE && exists(st, s->str[0].data);
	int mnt, r;

	target = open_target(st, s);
	if (target == -ENOENT && s->flags & PLAN_MOUNT_NO_MAKE)
		return 0;
	if (target < 0)
		return target_failed(s, target, e);
	mnt = new_fs(st, s, keep_mode ? target : -1, e);
	if (mnt < 0)
		return -1;
	r = finish_fs(st, s, mnt, target);
	if (r >= 0 && s->flags & PLAN_MOUNT_IS_PROC && st->proc < 0)
		st->proc = TAKE_FD(mnt);
	if (r >= 0 && s->flags & PLAN_MOUNT_IS_PTS)
		st->pts = TAKE_FD(mnt);
	fd_close(&mnt);
	return r < 0 ? err_errno(e, r, "mounting '%s'", s->str[0].data) : 0;
}

/* The mount of the step cloned once more, so that it is the newest. */
static int clone_in_order(struct stage *st, const struct plan_step *s)
{
	const struct mount_change c = {.propagation = s->num[4]};
	int own = stage_fd(st, s, 0), r = mount_stash_put(&st->stash, own);
	_cleanup_(fd_close) int mnt = r < 0 ? r : mount_clone_peer(own, true);

	r = mnt;
	if (r >= 0 && c.propagation == MS_UNBINDABLE)
		r = mount_set(mnt, &c, true);
	return r < 0 ? r : TAKE_FD(mnt);
}

int stage_mount_tree(struct stage *st, const struct plan_step *s, struct err *e)
{
	_cleanup_(fd_close) int target = open_target(st, s);
	_cleanup_(fd_close) int raw = -1;
	int mnt = stage_fd(st, s, 0), r;

	if (target == -ENOENT && s->flags & PLAN_MOUNT_NO_MAKE)
		return 0;
	if (target < 0)
		return target_failed(s, target, e);
	if (s->flags & PLAN_MOUNT_RAW)
		mnt = raw = clone_raw(st, s, s->num[5]);
	else if (s->flags & PLAN_MOUNT_IN_ORDER)
		mnt = raw = clone_in_order(st, s);
	r = mnt < 0 ? mnt : mount_move(mnt, target);
	return r < 0 ? err_errno(e, r, "mounting '%s'", s->str[0].data) : 0;
}

/* The changes of a step, in the order in which they are made. */
static int change_mount(int mnt, const struct plan_step *s)
{
	const struct mount_change changes[] = {{.set = s->num[0], .clear = s->num[1]},
					       {.set = s->num[2], .clear = s->num[3]},
					       {.propagation = s->num[4]}};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(changes); i++)
		if (changes[i].set || changes[i].clear || changes[i].propagation)
			r = mount_set(mnt, &changes[i], i == 1);
	return r;
}

int stage_remount(struct stage *st, const struct plan_step *s, struct err *e)
{
	const char *path = s->str[0].data;
	_cleanup_(fd_close) int target = path_open(st->root, path, O_PATH, 0);
	int r = target < 0 ? target : change_mount(target, s);

	if (r == -EINVAL)
		return err_set(e, ERR_INVALID, 0, "remounting '%s': nothing is mounted there",
			       path);
	return r < 0 ? err_errno(e, r, "remounting '%s'", path) : 0;
}

/* The container's /dev/null for masks, verified: a link or another node there would put something
 * else over the masked file (CVE-2025-31133). Cached. */
static int open_null(struct stage *st)
{
	struct stat sb;

	if (st->null >= 0)
		return 0;
	st->null = path_open(st->root, "/dev/null", O_PATH | O_NOFOLLOW, PATH_NO_SYMLINKS);
	if (st->null < 0)
		return st->null;
	if (fstat(st->null, &sb) < 0)
		return -errno;
	if (!S_ISCHR(sb.st_mode) || sb.st_rdev != makedev(1, 3)) {
		fd_close(&st->null);
		return -ELOOP;
	}
	return 0;
}

/* A clone of an empty read-only directory; the first is the original. */
static int clone_empty(struct stage *st)
{
	static const struct mount_param params[] = {{.key = "size", .value = "0"},
						    {.key = "nr_inodes", .value = "2"},
						    {.key = "mode", .value = "0555"},
						    {.key = NULL}};

	if (st->empty_dir >= 0)
		return stage_clone(st, st->empty_dir, false);
	st->empty_dir = stage_new_fs(st, "tmpfs", "tmpfs", params,
				     MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					     MOUNT_ATTR_NOEXEC);
	if (st->empty_dir < 0)
		return st->empty_dir;
	return fcntl(st->empty_dir, F_DUPFD_CLOEXEC, 0);
}

int stage_mask(struct stage *st, const struct plan_step *s, struct err *e)
{
	const char *path = s->str[0].data;
	_cleanup_(fd_close) int target = path_open(st->root, path, O_PATH, 0), mnt = -1;
	struct stat sb;
	int r;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	if (target < 0 || fstat(target, &sb) < 0)
		return err_errno(e, target < 0 ? target : errno, "masking '%s'", path);
	if (S_ISDIR(sb.st_mode)) {
		mnt = clone_empty(st);
	} else {
		r = open_null(st);
		if (r < 0)
			return err_set(e, ERR_HOSTILE, r,
				       "masking '%s': the container's /dev/null is not the device",
				       path);
		mnt = stage_clone(st, st->null, false);
	}
	r = mnt < 0 ? mnt : mount_move(mnt, target);
	return r < 0 ? err_errno(e, r, "masking '%s'", path) : 0;
}

int stage_readonly(struct stage *st, const struct plan_step *s, struct err *e)
{
	const struct mount_change c = {.set = MOUNT_ATTR_RDONLY};
	const char *path = s->str[0].data;
	_cleanup_(fd_close) int target = path_open(st->root, path, O_PATH, 0), mnt = -1;
	int r;

	if (target == -ENOENT || target == -ENOTDIR)
		return 0;
	mnt = target < 0 ? target : clone_peer(st, target, true);
	r = mnt < 0 ? mnt : mount_set(mnt, &c, true);
	/* Before 5.12, as everywhere then, without what is mounted below */
	if (r == -ENOSYS)
		r = mount_set(mnt, &c, false);
	if (r >= 0)
		r = mount_move(mnt, target);
	return r < 0 ? err_errno(e, r, "making '%s' read-only", path) : 0;
}

int stage_root_attr(struct stage *st, const struct plan_step *s, struct err *e)
{
	const struct mount_change c = {.set = s->num[0], .propagation = s->num[1]};
	int r = mount_set(st->root, &c, false);

	return r < 0 ? err_errno(e, r, "changing the root mount") : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/mount.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "kernel/mount-internal.h"
#include "kernel/mount-option.h"
#include "kernel/ns.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OVERLAY_DATA_MAX = 4095, FSCONFIG_STRING_MAX = 255, OLD_ROOT_MOUNTS_MAX = 64 };

/* "/proc/self/fd/<n>" in OUT. */
static const char *fd_path(int fd, char out[40])
{
	snprintf(out, 40, "/proc/self/fd/%d", fd);
	return out;
}

static int set_param(int fs, const struct mount_param *p)
{
	int r;

	if (p->value)
		r = fsconfig(fs, FSCONFIG_SET_STRING, p->key, p->value, 0);
	else if (p->fd > 0)
		r = fsconfig(fs, FSCONFIG_SET_FD, p->key, NULL, p->fd);
	else
		r = fsconfig(fs, FSCONFIG_SET_FLAG, p->key, NULL, 0);
	return r < 0 ? -errno : 0;
}

/* Creates the super block of the context and its mount. */
static int create(int fs, uint64_t attr)
{
	int mnt;

	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attr);
	return mnt < 0 ? -errno : mnt;
}

int mount_fs_new(const char *type, const char *source, const struct mount_param *params, size_t n,
		 uint64_t attr)
{
	_cleanup_(fd_close) int fs = fsopen(type, FSOPEN_CLOEXEC);

	if (fs < 0)
		return -errno;
	if (source && fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return -errno;
	for (size_t i = 0; i < n; i++) {
		int r = set_param(fs, &params[i]);

		if (r < 0)
			return r;
	}
	return create(fs, attr);
}

static int put_dir(int fs, const char *key, int dir, enum mount_overlay_way way)
{
	char path[40];
	int r = way == MOUNT_OVERLAY_BY_FD
			? fsconfig(fs, FSCONFIG_SET_FD, key, NULL, dir)
			: fsconfig(fs, FSCONFIG_SET_STRING, key, fd_path(dir, path), 0);

	return r < 0 ? -errno : 0;
}

/* The numbers of the layers' descriptors with ':' between them: their names in /proc/self/fd. */
static int join_layers(const struct mount_overlay *o, struct buf *out)
{
	for (size_t i = 0; i < o->n_lower; i++)
		if (buf_printf(out, "%s%d", i ? ":" : "", o->lower[i]) < 0)
			return -E2BIG;
	return 0;
}

static int put_layers(int fs, const struct mount_overlay *o, enum mount_overlay_way way)
{
	_cleanup_(buf_done) struct buf names = BUF_INIT(FSCONFIG_STRING_MAX);
	int r = 0;

	if (way != MOUNT_OVERLAY_JOINED) {
		for (size_t i = 0; i < o->n_lower && r == 0; i++)
			r = put_dir(fs, "lowerdir+", o->lower[i], way);
		return r;
	}
	r = join_layers(o, &names);
	if (r == 0 && fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", buf_str(&names), 0) < 0)
		r = -errno;
	return r;
}

static int put_overlay(int fs, const struct mount_overlay *o, enum mount_overlay_way way)
{
	int r = fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0) < 0 ? -errno : 0;

	if (r == 0)
		r = put_layers(fs, o, way);
	if (r == 0 && o->upper >= 0)
		r = put_dir(fs, "upperdir", o->upper, way);
	if (r == 0 && o->upper >= 0)
		r = put_dir(fs, "workdir", o->work, way);
	for (size_t i = 0; i < o->n_params && r == 0; i++)
		r = set_param(fs, &o->params[i]);
	return r;
}

static int configured_overlay(const struct mount_overlay *o, enum mount_overlay_way way)
{
	_cleanup_(fd_close) int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	int r;

	if (fs < 0)
		return -errno;
	r = put_overlay(fs, o, way);
	return r < 0 ? r : create(fs, o->attr);
}

/* With the working directory in /proc/self/fd, so that a layer's name is two or three bytes. */
static int joined_overlay(const struct mount_overlay *o)
{
	_cleanup_(fd_close) int here = openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (here < 0 || chdir("/proc/self/fd") < 0)
		return -errno;
	r = configured_overlay(o, MOUNT_OVERLAY_JOINED);
	if (fchdir(here) < 0 && r >= 0) {
		int saved = -errno;

		close(r);
		return saved;
	}
	return r;
}

/* Adds ",key=value" to the data of a classic mount. */
static int put_data(struct buf *data, const char *key, const char *value)
{
	int r = buf_printf(data, "%s%s%s%s", data->len ? "," : "", key, value ? "=" : "",
			   value ? value : "");

	return r < 0 ? -E2BIG : 0;
}

static int overlay_data(const struct mount_overlay *o, struct buf *data)
{
	char path[40];
	int r = put_data(data, "lowerdir", "");

	if (r == 0)
		r = join_layers(o, data);
	if (r == 0 && o->upper >= 0)
		r = put_data(data, "upperdir", fd_path(o->upper, path));
	if (r == 0 && o->upper >= 0)
		r = put_data(data, "workdir", fd_path(o->work, path));
	for (size_t i = 0; i < o->n_params && r == 0; i++)
		r = put_data(data, o->params[i].key, o->params[i].value);
	return r;
}

/* Makes the descriptor FD lead to the same directory by a mount of the caller's own mount
 * namespace; an overlay takes no others. The path is that of a directory of our own, checked by
 * identity. */
static int reopen_here(int fd)
{
	_cleanup_(fd_close) int here = -1;
	char path[4096];
	struct stat a, b;

	here = openat(AT_FDCWD, path_of_fd(fd, path, sizeof(path)),
		      O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (here < 0 || fstat(fd, &a) < 0 || fstat(here, &b) < 0)
		return -errno;
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return -EXDEV;
	return dup3(here, fd, O_CLOEXEC) < 0 ? -errno : 0;
}

/* All that an overlay is made of. */
static int reopen_dirs(const struct mount_overlay *o)
{
	int r = 0;

	for (size_t i = 0; i < o->n_lower && r == 0; i++)
		r = reopen_here(o->lower[i]);
	if (r == 0 && o->upper >= 0)
		r = reopen_here(o->upper);
	if (r == 0 && o->upper >= 0)
		r = reopen_here(o->work);
	return r;
}

/* In a child with a mount namespace of its own: mounts over its root, and clones what is there.
 * Returns the clone, which outlives the child, or a negative errno. */
static int classic_in_child(const struct mount_overlay *o, const char *data)
{
	int mnt, r;

	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return -errno;
	r = reopen_dirs(o);
	if (r < 0)
		return r;
	if (chdir("/proc/self/fd") < 0 ||
	    mount("overlay", "/", "overlay", mount_attr_to_ms(o->attr), data) < 0)
		return -errno;
	/* ".." of the root leads to what is mounted on top of it. */
	mnt = open_tree(AT_FDCWD, "/..", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return mnt < 0 ? -errno : mnt;
}

/* Where the layers do not fit into fsconfig's strings: mount(2), which takes a page of data. It
 * needs a place, and the caller's mount table must not be touched, hence the child. */
static int classic_overlay(const struct mount_overlay *o)
{
	_cleanup_(buf_done) struct buf data = BUF_INIT(OVERLAY_DATA_MAX);
	_cleanup_(fd_close) int pidfd = -1, mnt = -1;
	int sock[2], r = overlay_data(o, &data);
	ssize_t n;
	pid_t pid;

	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sock) < 0)
		return -errno;
	pid = ns_fork(CLONE_NEWNS, -1, &pidfd);
	if (pid == 0) {
		mnt = classic_in_child(o, buf_str(&data));
		_exit(fd_send(sock[1], &mnt, sizeof(mnt), &mnt, mnt >= 0) < 0);
	}
	close(sock[1]);
	r = pid;
	if (pid > 0) {
		n = fd_recv(sock[0], &r, sizeof(r), &mnt, 1);
		process_wait_pidfd(pidfd, false, NULL);
		if (n != (ssize_t)sizeof(r))
			r = -EIO;
	}
	close(sock[0]);
	return r < 0 ? r : TAKE_FD(mnt);
}

/* Mounts at PATH with the working directory where the layers have short names. */
static int attach_overlay(const struct mount_overlay *o, const char *path, const char *data)
{
	_cleanup_(fd_close) int here = openat(AT_FDCWD, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (here < 0 || chdir("/proc/self/fd") < 0)
		return -errno;
	r = mount("overlay", path, "overlay", mount_attr_to_ms(o->attr), data) < 0 ? -errno : 0;
	return fchdir(here) < 0 ? -errno : r;
}

/* Mounts over the root, where no path leads, and takes it off again. */
static int pass_over_root(const struct mount_overlay *o, const char *data)
{
	int r = attach_overlay(o, "/", data), fd;

	if (r < 0)
		return r;
	/* ".." of the root leads to what is mounted on top of it. */
	fd = openat(AT_FDCWD, "/..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = fd < 0 ? -errno : 0;
	if (umount2("/..", MNT_DETACH) < 0 && r == 0)
		r = -errno;
	if (r < 0)
		fd_close(&fd);
	return r < 0 ? r : fd;
}

int mount_overlay_attach(const struct mount_overlay *o, int at)
{
	_cleanup_(buf_done) struct buf data = BUF_INIT(OVERLAY_DATA_MAX);
	int r = overlay_data(o, &data), fd;
	char path[4096];
	struct stat a, b;

	if (r == 0)
		r = reopen_dirs(o);
	if (r == 0 && at < 0)
		return pass_over_root(o, buf_str(&data));
	path_of_fd(at, path, sizeof(path));
	if (r == 0)
		r = reopen_here(at);
	/* That of an earlier run is still there */
	if (r == -EXDEV && umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
		r = reopen_here(at);
	if (r < 0 || fstat(at, &a) < 0)
		return r < 0 ? r : -errno;
	r = attach_overlay(o, path, buf_str(&data));
	if (r < 0)
		return r;
	fd = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &b) < 0)
		return -errno;
	/* Something else than what was mounted there. */
	if (a.st_dev == b.st_dev) {
		fd_close(&fd);
		return -EXDEV;
	}
	return fd;
}

int mount_overlay_by(const struct mount_overlay *o, enum mount_overlay_way way)
{
	switch (way) {
	case MOUNT_OVERLAY_BY_FD:
	case MOUNT_OVERLAY_BY_NAME:
		return configured_overlay(o, way);
	case MOUNT_OVERLAY_JOINED:
		return joined_overlay(o);
	case MOUNT_OVERLAY_CLASSIC:
		return classic_overlay(o);
	}
	return -EINVAL;
}

int mount_overlay_new(const struct mount_overlay *o)
{
	int r;

	if (o->n_lower == 0)
		return -EINVAL;
	r = mount_overlay_by(o, MOUNT_OVERLAY_BY_FD);
	/* -EBADF: 6.13 and 6.14 take no O_PATH descriptors here. */
	if (r == -EINVAL || r == -EBADF)
		r = mount_overlay_by(o, MOUNT_OVERLAY_BY_NAME);
	/* Up to 6.4 overlay's context is a legacy one: it takes no descriptor and has no
	 * "lowerdir+", of which it would complain in the kernel's log. */
	if (r == -EINVAL || r == -EOPNOTSUPP)
		r = mount_overlay_by(o, MOUNT_OVERLAY_JOINED);
	if (r == -E2BIG || r == -ENOSYS)
		r = mount_overlay_by(o, MOUNT_OVERLAY_CLASSIC);
	return r;
}

int mount_clone_peer(int fd, bool recursive)
{
	int r = open_tree(fd, "",
			  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
				  (recursive ? AT_RECURSIVE : 0));

	return r < 0 ? -errno : r;
}

/* A remount replaces all flags of the mount: what it has is read first. statvfs(3) gives the flags
 * with the numbers of MS_*. */
static int remount_classic(const char *path, const struct mount_change *c, unsigned long now)
{
	unsigned long all = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NODIRATIME;
	unsigned long atime = MS_NOATIME | MS_RELATIME | MS_STRICTATIME;
	uint64_t plain = ~(uint64_t)MOUNT_ATTR__ATIME;

	if ((c->set | c->clear) & MOUNT_ATTR__ATIME)
		now = (now & all) | (mount_attr_to_ms(c->set) & atime);
	else
		now &= all | atime;
	now &= ~(mount_attr_to_ms(c->clear & plain) & ~atime);
	now |= mount_attr_to_ms(c->set & plain) & ~atime;
	return mount(NULL, path, NULL, MS_REMOUNT | MS_BIND | now, NULL) < 0 ? -errno : 0;
}

int mount_set_classic(int fd, const struct mount_change *c, bool recursive)
{
	struct statvfs now;
	char path[40];
	int r;

	if ((recursive && (c->set || c->clear)) || c->userns > 0)
		return -ENOSYS;
	if (fstatvfs(fd, &now) < 0)
		return -errno;
	fd_path(fd, path);
	r = c->set || c->clear ? remount_classic(path, c, now.f_flag) : 0;
	if (r == 0 && c->propagation &&
	    mount(NULL, path, NULL, (unsigned long)c->propagation | (recursive ? MS_REC : 0),
		  NULL) < 0)
		r = -errno;
	return r;
}

int mount_set(int fd, const struct mount_change *c, bool recursive)
{
	struct mount_attr attr = {
		.attr_set = c->set | (c->userns > 0 ? MOUNT_ATTR_IDMAP : 0),
		.attr_clr = c->clear,
		.propagation = c->propagation,
		.userns_fd = c->userns > 0 ? (uint64_t)c->userns : 0,
	};

	/* The kernel wants the whole field cleared wherever the access-time policy changes. */
	if ((c->set | c->clear) & MOUNT_ATTR__ATIME)
		attr.attr_clr |= MOUNT_ATTR__ATIME;
	if (mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attr,
			  sizeof(attr)) == 0)
		return 0;
	return errno == ENOSYS ? mount_set_classic(fd, c, recursive) : -errno;
}

int mount_clone(int fd, bool recursive)
{
	static const struct mount_change private = {.propagation = MS_PRIVATE};
	int mnt = mount_clone_peer(fd, recursive);
	int r = mnt < 0 ? mnt : mount_set(mnt, &private, recursive);

	if (r < 0)
		fd_close(&mnt);
	return r < 0 ? r : mnt;
}

int mount_move(int mnt, int target)
{
	char from[40];

	if (move_mount(mnt, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
		return 0;
	return errno == ENOSYS ? mount_classic(target, fd_path(mnt, from), NULL, MS_MOVE, NULL)
			       : -errno;
}

/* Takes the old root, the current directory, off the new one. An unmount of "." takes the topmost
 * of what is mounted there, so that it may need more than one. */
static int drop_old_root(void)
{
	for (int i = 0; i < OLD_ROOT_MOUNTS_MAX; i++)
		if (umount2(".", MNT_DETACH) < 0)
			return errno == EINVAL && i > 0 ? 0 : -errno;
	return -EBUSY;
}

/* Whether nothing is mounted over the root: ".." of it would lead there. */
static int check_root(void)
{
	_cleanup_(fd_close) int root = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(fd_close) int up = openat(AT_FDCWD, "/..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat a, b;
	uint64_t x = 0, y = 0;
	int r;

	if (root < 0 || up < 0 || fstat(root, &a) < 0 || fstat(up, &b) < 0)
		return -errno;
	r = mount_id(root, &x);
	if (r >= 0)
		r = mount_id(up, &y);
	/* Without numbers of mounts (before 5.8) the directories must do */
	if (r < 0 && r != -ENOSYS)
		return r;
	return x == y && a.st_dev == b.st_dev && a.st_ino == b.st_ino ? 0 : -EXDEV;
}

int mount_pivot(int root)
{
	_cleanup_(fd_close) int old = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (old < 0)
		return -errno;
	/* pivot_root(2): with both arguments "." the old root ends up on top of the new one, from
	 * where it is taken off. */
	if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
		return -errno;
	if (fchdir(old) < 0)
		return -errno;
	/* Nothing that happens to the old root may travel back to the caller's namespace. */
	if (mount(NULL, ".", NULL, MS_SLAVE | MS_REC, NULL) < 0)
		return -errno;
	r = drop_old_root();
	if (r < 0 || chdir("/") < 0)
		return r < 0 ? r : -errno;
	return check_root();
}

int mount_chroot(int root)
{
	/* The call itself: chroot(3) is banned, since alone it is no boundary (see the header). */
	if (fchdir(root) < 0 || syscall(SYS_chroot, ".") < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

int mount_id(int fd, uint64_t *ret)
{
	struct statx sx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &sx) < 0)
		return -errno;
	if (!(sx.stx_mask & STATX_MNT_ID))
		return -ENOSYS;
	*ret = sx.stx_mnt_id;
	return 0;
}

int mount_detach(int fd)
{
	char path[40];

	return umount2(fd_path(fd, path), MNT_DETACH) < 0 ? -errno : 0;
}

int mount_classic(int target, const char *source, const char *type, unsigned long flags,
		  const char *data)
{
	char path[40];

	return mount(source, fd_path(target, path), type, flags, data) < 0 ? -errno : 0;
}

/* Which forms of a layer an overlay context takes: the key is checked before the value. */
static unsigned overlay_features(void)
{
	_cleanup_(fd_close) int fs = fsopen("overlay", FSOPEN_CLOEXEC);
	_cleanup_(fd_close) int root = -1;
	unsigned f = 0;

	if (fs < 0)
		return 0;
	f |= MOUNT_HAS_OVERLAY;
	/* Before 6.5 options are only looked at when the overlay is made. */
	if (fsconfig(fs, FSCONFIG_SET_STRING, "no-such-option", "x", 0) == 0)
		return f;
	root = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", "/", 0) == 0)
		f |= MOUNT_HAS_LOWER_ADD;
	if (root >= 0 && fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, root) == 0)
		f |= MOUNT_HAS_LOWER_FD;
	return f;
}

unsigned mount_features(void)
{
	struct mount_attr none = {0};
	unsigned f = overlay_features();
	int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);

	if (fs >= 0 || errno != ENOSYS)
		f |= MOUNT_HAS_FSOPEN;
	fd_close(&fs);
	if (mount_setattr(-1, "", AT_EMPTY_PATH, &none, sizeof(none)) < 0 && errno != ENOSYS)
		f |= MOUNT_HAS_SETATTR;
	if (syscall(SYS_openat2, -1, "", NULL, 0) < 0 && errno != ENOSYS)
		f |= MOUNT_HAS_OPENAT2;
	return f;
}

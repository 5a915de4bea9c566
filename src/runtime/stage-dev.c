/* SPDX-License-Identifier: Apache-2.0 */
/* Steps of devices, links, terminal and descriptors. What is made lies in a directory that is
 * resolved inside the container's root and then used by descriptor (CVE-2026-41579). */
#include "runtime/stage-internal.h"

#include "base/fd.h"
#include "base/path.h"
#include "kernel/mount.h"
#include "kernel/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The directory of PATH, made where it is missing; *RET_LAST is the last component. */
static int open_dir_of(const struct stage *st, const char *path, const char **ret_last)
{
	const char *slash = strrchr(path, '/');
	char dir[4096];
	int fd = path_open_parent(st->root, path, 0, ret_last);

	if (fd != -ENOENT || !slash || (size_t)(slash - path) >= sizeof(dir))
		return fd;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	fd = path_mkdirs(st->root, dir, 0755, 0);
	if (fd < 0)
		return fd;
	close(fd);
	return path_open_parent(st->root, path, 0, ret_last);
}

/* Whether the node that is there already is the wanted device. */
static int same_device(int dir, const char *name, mode_t mode, dev_t dev)
{
	struct stat sb;

	if (fstatat(dir, name, &sb, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	if ((sb.st_mode & S_IFMT) != (mode & S_IFMT) || (!S_ISFIFO(mode) && sb.st_rdev != dev))
		return -EEXIST;
	return 0;
}

int stage_mknod(struct stage *st, const struct plan_step *s, struct err *e)
{
	const char *path = s->str[0].data, *name;
	mode_t mode = (mode_t)s->num[0];
	dev_t dev = makedev((unsigned)s->num[1], (unsigned)s->num[2]);
	_cleanup_(fd_close) int dir = open_dir_of(st, path, &name);
	int r = dir;

	if (r >= 0 && mknodat(dir, name, mode, dev) < 0)
		r = errno == EEXIST ? same_device(dir, name, mode, dev) : -errno;
	if (r >= 0 && (s->num[3] || s->num[4]) &&
	    fchownat(dir, name, (uid_t)s->num[3], (gid_t)s->num[4], AT_SYMLINK_NOFOLLOW) < 0)
		r = -errno;
	return r < 0 ? err_errno(e, r, "making the device '%s'", path) : 0;
}

int stage_symlink(struct stage *st, const struct plan_step *s, struct err *e)
{
	const char *path = s->str[0].data, *name;
	_cleanup_(fd_close) int dir = open_dir_of(st, path, &name);
	int r = dir;

	if (r >= 0 && symlinkat(s->str[1].data, dir, name) < 0)
		r = errno == EEXIST ? 0 : -errno; /* the image has its own */
	return r < 0 ? err_errno(e, r, "making the link '%s'", path) : 0;
}

/* Mounts the terminal over /dev/console by its descriptor, never by a path in the container
 * (CVE-2025-52565). */
static int mount_console(struct stage *st, int slave)
{
	_cleanup_(fd_close) int target = path_mount_point(st->root, "/dev/console", true, 0666);
	_cleanup_(fd_close) int mnt = target < 0 ? target : stage_clone(st, slave, false);

	return mnt < 0 ? mnt : mount_move(mnt, target);
}

static int use_terminal(struct stage *st, const struct plan_step *s, int slave)
{
	int r = 0;

	if (s->num[0] || s->num[1])
		r = tty_set_size(slave, (unsigned)s->num[0], (unsigned)s->num[1]);
	if (r >= 0 && fchown(slave, (uid_t)s->num[2], (gid_t)-1) < 0)
		r = -errno;
	if (r >= 0 && !(s->flags & PLAN_CONSOLE_ONLY))
		r = mount_console(st, slave);
	if (r >= 0)
		r = tty_make_controlling(slave, false);
	for (int fd = 0; r >= 0 && fd < 3; fd++)
		r = dup2(slave, fd) < 0 ? -errno : 0;
	return r;
}

int stage_console(struct stage *st, const struct plan_step *s, struct err *e)
{
	const struct stage_msg m = {.kind = STAGE_CONSOLE};
	_cleanup_(fd_close) int master = -1, slave = -1;
	int r;

	if (st->pts < 0)
		st->pts = path_open(st->root, "/dev/pts", O_PATH | O_DIRECTORY, 0);
	r = st->pts < 0 ? st->pts : tty_open_pair(st->pts, &master, &slave);
	if (r >= 0)
		r = use_terminal(st, s, slave);
	if (r >= 0)
		r = stage_send(st, &m, master);
	return r < 0 ? err_errno(e, r, "making the terminal") : 0;
}

int stage_dup(struct stage *st, const struct plan_step *s, struct err *e)
{
	if (dup2(stage_fd(st, s, 0), (int)s->num[0]) < 0)
		return err_errno(e, errno, "handing over descriptor %d", (int)s->num[0]);
	return 0;
}

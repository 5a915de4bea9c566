/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/mount-stash.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "kernel/mount-option.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { DATA_MAX = 4095 };

bool mount_is_classic(void)
{
	return open_tree(-1, "", AT_EMPTY_PATH) < 0 && errno == ENOSYS;
}

/* ".." of the root leads to what is mounted on top of it. */
int mount_stash_open(struct mount_stash *s)
{
	_cleanup_(fd_close) int root = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r;

	if (s->dir >= 0)
		return 0;
	r = root < 0 ? -errno
		     : mount_classic(root, "tmpfs", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
				     "mode=700");
	if (r < 0)
		return r;
	s->dir = openat(AT_FDCWD, "/..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return s->dir < 0 ? -errno : 0;
}

/* A new mount point, and its name. */
static int make_place(struct mount_stash *s, bool dir, char name[16])
{
	int r = mount_stash_open(s), fd;

	if (r < 0)
		return r;
	snprintf(name, 16, "%u", s->n++);
	r = dir ? mkdirat(s->dir, name, 0700) : mknodat(s->dir, name, S_IFREG | 0600, 0);
	fd = r < 0 ? -1 : openat(s->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int open_place(const struct mount_stash *s, const char *name)
{
	int fd = openat(s->dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The file system's flags that mount(2) takes as bits. */
static unsigned long flag_of(const char *key)
{
	static const struct {
		const char *key;
		unsigned long flag;
	} table[] = {{"sync", MS_SYNCHRONOUS},
		     {"dirsync", MS_DIRSYNC},
		     {"mand", MS_MANDLOCK},
		     {"lazytime", MS_LAZYTIME}};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(table[i].key, key) == 0)
			return table[i].flag;
	return 0;
}

static int put_params(const struct mount_param *params, struct buf *data, unsigned long *flags)
{
	for (const struct mount_param *p = params; p && p->key; p++) {
		unsigned long flag = p->value ? 0 : flag_of(p->key);

		*flags |= flag;
		if (flag)
			continue;
		if (!p->value && p->fd > 0)
			return -ENOSYS;
		if ((p->value && strchr(p->value, ',')) || strchr(p->key, ','))
			return -EINVAL;
		if (buf_printf(data, "%s%s%s%s", data->len ? "," : "", p->key, p->value ? "=" : "",
			       p->value ? p->value : "") < 0)
			return -E2BIG;
	}
	return 0;
}

int mount_stash_fs(struct mount_stash *s, const char *type, const char *source,
		   const struct mount_param *params, uint64_t attr)
{
	_cleanup_(buf_done) struct buf data = BUF_INIT(DATA_MAX);
	const struct mount_change c = {.set = attr & MOUNT_ATTR_RDONLY};
	_cleanup_(fd_close) int place = -1, fd = -1;
	unsigned long flags = mount_attr_to_ms(attr & ~(uint64_t)MOUNT_ATTR_RDONLY);
	char name[16];
	int r = put_params(params, &data, &flags);

	place = r < 0 ? r : make_place(s, true, name);
	if (place < 0)
		return place;
	r = mount_classic(place, source ? source : type, type, flags, buf_str(&data));
	fd = r < 0 ? r : open_place(s, name);
	if (fd < 0)
		return fd;
	/* Of this mount, not of the file system */
	r = c.set ? mount_set(fd, &c, false) : 0;
	return r < 0 ? r : TAKE_FD(fd);
}

int mount_stash_clone(struct mount_stash *s, int fd, bool recursive)
{
	_cleanup_(fd_close) int place = -1;
	char name[16], source[40];
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0)
		return -errno;
	place = make_place(s, S_ISDIR(st.st_mode), name);
	if (place < 0)
		return place;
	snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
	r = mount_classic(place, source, NULL, MS_BIND | (recursive ? MS_REC : 0), NULL);
	return r < 0 ? r : open_place(s, name);
}

int mount_stash_put(struct mount_stash *s, int mnt)
{
	_cleanup_(fd_close) int place = -1;
	char name[16];
	struct stat st;

	if (fstat(mnt, &st) < 0)
		return -errno;
	place = make_place(s, S_ISDIR(st.st_mode), name);
	return place < 0 ? place : mount_move(mnt, place);
}

int mount_stash_reopen(int fd)
{
	_cleanup_(fd_close) int here = -1;
	char path[4096];
	struct stat a, b;

	here = openat(AT_FDCWD, path_of_fd(fd, path, sizeof(path)),
		      O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (here < 0 || fstat(fd, &a) < 0 || fstat(here, &b) < 0)
		return -errno;
	if (a.st_dev != b.st_dev || a.st_ino != b.st_ino)
		return -EXDEV;
	return TAKE_FD(here);
}

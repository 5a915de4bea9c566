/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/proc.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "kernel/proc-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

/* PROC_ROOT_INO of include/linux/proc_ns.h. */
enum { PROC_ROOT_INO = 1, IDMAP_LINES_MAX = 340, NAME_SIZE = 256 };

int proc_verify(int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstatfs(fd, &fs) < 0 || fstat(fd, &st) < 0)
		return -errno;
	return fs.f_type == PROC_SUPER_MAGIC && st.st_ino == PROC_ROOT_INO ? 0 : -EXDEV;
}

/* A mount of our own, seen by nobody else; with subset=pid where only processes are needed. */
static int open_private(unsigned flags)
{
	_cleanup_(fd_close) int fs = fsopen("proc", FSOPEN_CLOEXEC);
	int mnt;

	if (fs < 0)
		return -errno;
	if (flags & PROC_PID_ONLY)
		fsconfig(fs, FSCONFIG_SET_STRING, "subset", "pid", 0);
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	mnt = fsmount(fs, FSMOUNT_CLOEXEC,
		      MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSUID);
	return mnt < 0 ? -errno : mnt;
}

/* The mounted /proc without what may be mounted over parts of it. */
static int open_clone(void)
{
	_cleanup_(fd_close) int mnt =
		open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	int r;

	if (mnt < 0)
		return -errno;
	r = proc_verify(mnt);
	return r < 0 ? r : TAKE_FD(mnt);
}

/* What is mounted at /proc, where it is a procfs as a whole. */
static int open_mounted(void)
{
	_cleanup_(fd_close) int fd =
		openat(AT_FDCWD, "/proc", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = fd < 0 ? -errno : proc_verify(fd);

	return r < 0 ? r : TAKE_FD(fd);
}

int proc_open(unsigned flags)
{
	int r = flags & PROC_PRIVATE ? -EXDEV : open_mounted();

	if (r < 0)
		r = open_private(flags);
	if (r < 0)
		r = open_clone();
	/* Before 5.2: what is mounted over parts of it is still found, by its mount (open_below) */
	return r == -ENOSYS ? open_mounted() : r;
}

/* "<pid>/REL", "self/REL" or "REL". */
static int name_of(pid_t pid, const char *rel, char out[NAME_SIZE])
{
	int n;

	if (pid == PROC_ROOT)
		n = snprintf(out, NAME_SIZE, "%s", rel);
	else if (pid == PROC_SELF)
		n = snprintf(out, NAME_SIZE, "%s", rel);
	else
		n = snprintf(out, NAME_SIZE, "%d/%s", (int)pid, rel);
	return n < 0 || n >= NAME_SIZE ? -ENAMETOOLONG : 0;
}

/* By path_open, which on kernels without openat2 walks by hand and compares mounts. */
static int open_below(int dir, const char *name, int oflags)
{
	return path_open(dir, name, oflags | O_NOFOLLOW,
			 PATH_BENEATH | PATH_NO_SYMLINKS | PATH_NO_XDEV);
}

/* The caller's own directory of HANDLE: "thread-self" is a link of procfs itself, read and then
 * opened by its text, which no mount may cover either. */
static int open_self(int proc)
{
	char text[64];
	ssize_t n = readlinkat(proc, "thread-self", text, sizeof(text) - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return open_below(proc, text, O_PATH | O_DIRECTORY);
}

int proc_open_file(int proc, pid_t pid, const char *rel, int oflags)
{
	_cleanup_(fd_close) int self = -1;
	char name[NAME_SIZE];
	int r = name_of(pid, rel, name);

	if (r < 0)
		return r;
	if (pid == PROC_SELF) {
		self = open_self(proc);
		if (self < 0)
			return self;
	}
	return open_below(self >= 0 ? self : proc, name, oflags);
}

int proc_open_magic(int proc, pid_t pid, const char *name, int oflags)
{
	static const char *const plain[] = {"root", "cwd", "exe"};
	_cleanup_(fd_close) int dir = -1;
	bool is_ns = true;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (strcmp(plain[i], name) == 0)
			is_ns = false;
	if (strchr(name, '/'))
		return -EINVAL;
	dir = proc_open_file(proc, pid, is_ns ? "ns" : ".", O_PATH | O_DIRECTORY);
	if (dir < 0)
		return dir;
	fd = openat(dir, name, oflags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int proc_write(int proc, pid_t pid, const char *rel, const char *text)
{
	_cleanup_(fd_close) int fd = proc_open_file(proc, pid, rel, O_WRONLY);
	size_t n = strlen(text);
	ssize_t r;

	if (fd < 0)
		return fd;
	do
		r = write(fd, text, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	return (size_t)r == n ? 0 : -EIO;
}

static int write_map(int proc, pid_t pid, const char *file, const struct proc_idmap *map, size_t n)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(IDMAP_LINES_MAX * 36);

	if (n > IDMAP_LINES_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		int r = buf_printf(&text, "%u %u %u\n", map[i].inside, map[i].outside,
				   map[i].count);

		if (r < 0)
			return r;
	}
	return proc_write(proc, pid, file, buf_str(&text));
}

int proc_write_uid_map(int proc, pid_t pid, const struct proc_idmap *map, size_t n)
{
	return write_map(proc, pid, "uid_map", map, n);
}

int proc_write_gid_map(int proc, pid_t pid, const struct proc_idmap *map, size_t n)
{
	return write_map(proc, pid, "gid_map", map, n);
}

int proc_deny_setgroups(int proc, pid_t pid)
{
	return proc_write(proc, pid, "setgroups", "deny");
}

int proc_write_oom_score_adj(int proc, pid_t pid, int value)
{
	char text[16];

	if (value < -1000 || value > 1000)
		return -EINVAL;
	snprintf(text, sizeof(text), "%d", value);
	return proc_write(proc, pid, "oom_score_adj", text);
}

int proc_write_exec_label(int proc, enum proc_lsm lsm, const char *label)
{
	char text[4096 + 8];
	int n = snprintf(text, sizeof(text), "%s%s", lsm == PROC_LSM_APPARMOR ? "exec " : "",
			 label);
	int r;

	if (n < 0 || (size_t)n >= sizeof(text))
		return -ENAMETOOLONG;
	if (lsm == PROC_LSM_APPARMOR) {
		r = proc_write(proc, PROC_SELF, "attr/apparmor/exec", text);
		if (r != -ENOENT)
			return r;
	}
	return proc_write(proc, PROC_SELF, "attr/exec", text);
}

/* The path below /proc/sys of NAME, in OUT. */
static int sysctl_path(const char *name, char out[NAME_SIZE])
{
	size_t first = strcspn(name, "./");
	char separator = name[first];
	size_t at = (size_t)snprintf(out, NAME_SIZE, "sys/");

	if (first == 0)
		return -EINVAL;
	for (const char *p = name; *p; p++) {
		char c = *p;

		if (separator == '.' && (c == '.' || c == '/'))
			c = c == '.' ? '/' : '.';
		if (at + 1 >= NAME_SIZE)
			return -ENAMETOOLONG;
		/* No empty component and none that starts with a dot: "..", "." and hidden names do
		 * not exist below /proc/sys. */
		if (out[at - 1] == '/' && (c == '/' || c == '.'))
			return -EINVAL;
		out[at++] = c;
	}
	out[at] = '\0';
	return out[at - 1] == '/' ? -EINVAL : 0;
}

int proc_sysctl_open(int proc, const char *name, int oflags)
{
	char path[NAME_SIZE];
	int r = sysctl_path(name, path);

	return r < 0 ? r : proc_open_file(proc, PROC_ROOT, path, oflags);
}

int proc_sysctl_write(int proc, const char *name, const char *value)
{
	char path[NAME_SIZE];
	int r = sysctl_path(name, path);

	return r < 0 ? r : proc_write(proc, PROC_ROOT, path, value);
}

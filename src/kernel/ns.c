/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/ns.h"

#include "base/fd.h"
#include "kernel/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NS_NAME_SIZE = 64 };

#define USER_NS_FIRST 0xEFFFFFFDU /* PROC_USER_INIT_INO of the kernel */

const struct ns_type ns_types[NS_TYPE_N] = {
	{"user", "user", CLONE_NEWUSER}, {"ipc", "ipc", CLONE_NEWIPC},
	{"uts", "uts", CLONE_NEWUTS},    {"network", "net", CLONE_NEWNET},
	{"pid", "pid", CLONE_NEWPID},    {"cgroup", "cgroup", CLONE_NEWCGROUP},
	{"time", "time", CLONE_NEWTIME}, {"mount", "mnt", CLONE_NEWNS},
};

const struct ns_type *ns_find(const char *name)
{
	for (size_t i = 0; i < NS_TYPE_N; i++)
		if (strcmp(ns_types[i].name, name) == 0 || strcmp(ns_types[i].proc, name) == 0)
			return &ns_types[i];
	return NULL;
}

const struct ns_type *ns_find_flag(uint64_t flag)
{
	for (size_t i = 0; i < NS_TYPE_N; i++)
		if (ns_types[i].flag == flag)
			return &ns_types[i];
	return NULL;
}

int ns_open(int proc, pid_t pid, uint64_t flag)
{
	const struct ns_type *t = ns_find_flag(flag);

	return t ? proc_open_magic(proc, pid, t->proc, O_RDONLY) : -EINVAL;
}

int ns_check(int fd, uint64_t flag)
{
	int type = ioctl(fd, NS_GET_NSTYPE);

	return type >= 0 && (uint64_t)(unsigned)type == flag ? 0 : -EINVAL;
}

int ns_join(int fd, uint64_t flags)
{
	return setns(fd, (int)flags) < 0 ? -errno : 0;
}

/* The kernel's name of a namespace ("net:[4026531840]"); "" where it has no such type. */
static int read_name(int dir, const char *type, char name[NS_NAME_SIZE])
{
	ssize_t n = readlinkat(dir, type, name, NS_NAME_SIZE - 1);

	if (n < 0 && errno != ENOENT)
		return -errno;
	name[n < 0 ? 0 : n] = '\0';
	return 0;
}

int ns_differ(int proc, pid_t pid, uint64_t *ret_flags)
{
	_cleanup_(fd_close) int own = proc_open_file(proc, PROC_SELF, "ns", O_PATH | O_DIRECTORY);
	_cleanup_(fd_close) int other = proc_open_file(proc, pid, "ns", O_PATH | O_DIRECTORY);
	uint64_t flags = 0;
	int r = own < 0 ? own : other < 0 ? other : 0;

	for (size_t i = 0; r >= 0 && i < NS_TYPE_N; i++) {
		char here[NS_NAME_SIZE], there[NS_NAME_SIZE];

		r = read_name(own, ns_types[i].proc, here);
		if (r >= 0)
			r = read_name(other, ns_types[i].proc, there);
		if (r >= 0 && strcmp(here, there) != 0)
			flags |= ns_types[i].flag;
	}
	if (r >= 0)
		*ret_flags = flags;
	return r;
}

bool ns_is_nested(int proc)
{
	struct stat sb;

	return fstatat(proc, "self/ns/user", &sb, 0) == 0 && sb.st_ino != USER_NS_FIRST;
}

int ns_unshare(uint64_t flags)
{
	return unshare((int)flags) < 0 ? -errno : 0;
}

pid_t ns_fork(uint64_t flags, int cgroup, int *ret_pidfd)
{
	int pidfd = -1;
	struct clone_args args = {
		.flags = flags | (ret_pidfd ? CLONE_PIDFD : 0) |
			 (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)&pidfd,
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
		.cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0 && errno == ENOSYS && cgroup < 0 && !(flags & CLONE_NEWTIME))
		pid = syscall(SYS_clone, flags | SIGCHLD | (ret_pidfd ? CLONE_PIDFD : 0), NULL,
			      &pidfd, NULL, NULL);
	if (pid < 0)
		return -errno;
	if (pid > 0 && ret_pidfd)
		*ret_pidfd = pidfd;
	return (pid_t)pid;
}

int ns_user_new(int proc, const struct proc_idmap *uids, size_t n_uids,
		const struct proc_idmap *gids, size_t n_gids)
{
	_cleanup_(fd_close) int pidfd = -1;
	siginfo_t info;
	pid_t pid = ns_fork(CLONE_NEWUSER, -1, &pidfd);
	int r;

	if (pid < 0)
		return pid;
	if (pid == 0) {
		/* Only keeps the namespace alive until it is opened. */
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		for (;;)
			pause();
	}
	r = proc_write_uid_map(proc, pid, uids, n_uids);
	if (r == 0)
		r = proc_write_gid_map(proc, pid, gids, n_gids);
	if (r == 0)
		r = ns_open(proc, pid, CLONE_NEWUSER);
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED);
	return r;
}

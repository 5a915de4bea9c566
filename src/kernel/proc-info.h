/* SPDX-License-Identifier: Apache-2.0 */
/* What is read from /proc, as typed values. The handle is proc_open's (kernel/proc.h). All
 * functions return 0 or a negative errno; results live in the caller's arena. */
#ifndef KOGGE_KERNEL_PROC_INFO_H
#define KOGGE_KERNEL_PROC_INFO_H

#include "base/macro.h"

#include <sys/types.h>

struct arena;

/* Reads a small file (at most MAX bytes) as a heap string owned by the caller. */
int proc_read(int proc, pid_t pid, const char *rel, size_t max, char **ret);

struct proc_stat {
	char state; /* R S D Z T t X ... */
	pid_t parent;
	pid_t session;
	uint64_t start; /* clock ticks since boot: with the pid it names a process for good */
	int status;     /* of a zombie (state Z): as waitpid(2) tells it; 0 where the caller may not
			   know */
};

/* Reads /proc/<pid>/stat. -ENOENT or -ESRCH where there is no such process. */
int proc_stat(int proc, pid_t pid, struct proc_stat *ret);

/* The open descriptors of PID in ascending order; *RET is a heap array owned by the caller. */
int proc_list_fds(int proc, pid_t pid, int **ret, size_t *ret_n);

/* One line of mountinfo (proc_pid_mountinfo(5)), escapes undone. */
struct proc_mount {
	int id;
	int parent;
	unsigned major, minor;
	const char *root;
	const char *target;
	const char *options;
	const char *propagation; /* the optional fields: "shared:1 master:2", or "" */
	const char *fstype;
	const char *source;
	const char *super_options;
};

/* Reads /proc/<pid>/mountinfo. */
int proc_read_mounts(int proc, pid_t pid, struct arena *a, struct proc_mount **ret, size_t *ret_n);

/* 1 where the running kernel knows the file system type (loaded now), 0 where not. */
int proc_has_filesystem(int proc, const char *type);

/* One line of /proc/cgroups: the controllers as cgroup v1 sees them. */
struct proc_controller {
	const char *name;
	int hierarchy; /* 0: on the unified hierarchy or on none */
	bool enabled;
};

/* Reads /proc/cgroups. -ENOENT on kernels without it. */
int proc_read_controllers(int proc, struct arena *a, struct proc_controller **ret, size_t *ret_n);

/* One line of /proc/<pid>/cgroup. */
struct proc_cgroup {
	int hierarchy;
	const char *controllers; /* "cpu,cpuacct", "name=systemd", "" for the unified hierarchy */
	const char *path;
};

/* Reads /proc/<pid>/cgroup. */
int proc_read_cgroup(int proc, pid_t pid, struct arena *a, struct proc_cgroup **ret, size_t *ret_n);

/* Reads a sysctl (naming as proc_sysctl_write) without its last newline, a heap string. */
int proc_sysctl_read(int proc, const char *name, char **ret);

/* The first process that has the socket with that inode open, and its name. -ESRCH: none that can
 * be seen. Looks at every process. */
pid_t proc_socket_owner(int proc, uint32_t inode, char *ret_name, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The one module that opens files of /proc. All of it goes through a handle: a descriptor of the
 * root of a procfs, either verified (file system type, root inode) or a mount of our own that
 * nobody else can reach. Files below are opened without following links and without crossing
 * mounts, so that nothing mounted over /proc/<pid>/attr or a sysctl can redirect a write
 * (CVE-2019-16884, CVE-2025-52881).
 *
 * A handle shows the pid namespace of the process that opened it. PID arguments: a process,
 * PROC_SELF, or PROC_ROOT where the name is relative to the root. Reading functions are in
 * kernel/proc-info.h. All functions return 0 or a negative errno, and are safe after clone. */
#ifndef KOGGE_KERNEL_PROC_H
#define KOGGE_KERNEL_PROC_H

#include "base/macro.h"

#include <sys/types.h>

/* Special values of PID arguments. */
enum { PROC_SELF = 0, PROC_ROOT = -1 };

enum proc_flags {
	PROC_PRIVATE = 1 << 0,  /* a mount of our own (fsopen, else open_tree), -EPERM where neither
				   works; where  the kernel has neither, the mounted one */
	PROC_PID_ONLY = 1 << 1, /* only processes are needed: subset=pid for a private mount */
};

/* Opens a handle (O_PATH, close-on-exec). With no flags: /proc where it is verified as a whole
 * procfs, else a private one. */
int proc_open(unsigned flags);

/* Whether FD is the root directory of a procfs: 0 or -EXDEV. */
int proc_verify(int fd);

/* Opens REL below PID's directory with OFLAGS. -EXDEV where something is mounted on the way. */
int proc_open_file(int proc, pid_t pid, const char *rel, int oflags);

/* Opens PID's namespace file ("net", "mnt", ...), or its "root", "cwd" or "exe": the only links of
 * procfs that are ever followed. */
int proc_open_magic(int proc, pid_t pid, const char *name, int oflags);

/* Writes TEXT with one write(2). */
int proc_write(int proc, pid_t pid, const char *rel, const char *text);

/* A range of user or group numbers and what it is outside of the user namespace. */
struct proc_idmap {
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
};

/* Writes uid_map or gid_map of PID in one write (at most 340 lines, -EINVAL beyond). */
int proc_write_uid_map(int proc, pid_t pid, const struct proc_idmap *map, size_t n);
int proc_write_gid_map(int proc, pid_t pid, const struct proc_idmap *map, size_t n);

/* Writes "deny" to setgroups; needed before gid_map without CAP_SETGID. */
int proc_deny_setgroups(int proc, pid_t pid);

/* -1000 to 1000. */
int proc_write_oom_score_adj(int proc, pid_t pid, int value);

/* Which security module a label is for. */
enum proc_lsm { PROC_LSM_APPARMOR, PROC_LSM_SELINUX };

/* Sets the label that the calling thread's next execve takes: AppArmor's profile or SELinux's
 * context. */
int proc_write_exec_label(int proc, enum proc_lsm lsm, const char *label);

/* Writes the sysctl NAME as sysctl(8) spells it: "net.ipv4.ip_forward", or with '/', where the
 * first separator seen decides and the other one is then a plain character written as it is
 * swapped ("net/ipv4/conf/eth0.1/x" is "net.ipv4.conf.eth0/1.x"). -EINVAL for "..", empty
 * components and names that start with a separator. Needs a handle without PROC_PID_ONLY. */
int proc_sysctl_write(int proc, const char *name, const char *value);

#endif

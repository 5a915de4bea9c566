/* SPDX-License-Identifier: Apache-2.0 */
/* Namespaces: names, flags, joining and making. A child program in new namespaces is started by
 * process_spawn (base/process.h) with clone_flags. Functions return 0, a descriptor, or a negative
 * errno. */
#ifndef KOGGE_KERNEL_NS_H
#define KOGGE_KERNEL_NS_H

#include "base/macro.h"
#include "kernel/proc.h"

#include <sched.h>
#include <sys/types.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

struct ns_type {
	const char *name; /* runtime-spec: "mount", "network", "pid", ... */
	const char *proc; /* the file in /proc/<pid>/ns: "mnt", "net", "pid", ... */
	uint64_t flag;    /* CLONE_NEW... */
};

#define NS_TYPE_N 8

/* In the order in which they must be joined: user first, then the others, mount last. */
extern const struct ns_type ns_types[NS_TYPE_N];

/* By the runtime-spec name or the name in /proc; NULL where there is none. */
const struct ns_type *ns_find(const char *name);
const struct ns_type *ns_find_flag(uint64_t flag);

/* Opens the namespace of PID (kernel/proc.h) of the one type FLAG. */
int ns_open(int proc, pid_t pid, uint64_t flag);

/* 0 where FD is a namespace of type FLAG, -EINVAL where it is something else. */
int ns_check(int fd, uint64_t flag);

/* Joins the namespace. For a pidfd, all types in FLAGS at once (5.8). */
int ns_join(int fd, uint64_t flags);

/* The types (as flags) in which PID is in another namespace than the caller. What it says holds for
 * PID only where that is alive afterwards. */
int ns_differ(int proc, pid_t pid, uint64_t *ret_flags);

/* Whether the caller is in a user namespace other than the machine's first one. */
bool ns_is_nested(int proc);

/* Moves the calling thread into new namespaces (CLONE_NEWPID: its next children). */
int ns_unshare(uint64_t flags);

/* fork with clone3: returns the child's pid, 0 in the child. CGROUP as in process_spawn; the pidfd
 * (close-on-exec) is stored where RET_PIDFD is not NULL. CLONE_PARENT is allowed. Falls back to
 * clone(2) where clone3 is denied and CGROUP is -1. */
pid_t ns_fork(uint64_t flags, int cgroup, int *ret_pidfd);

/* A user namespace with these maps, kept only by the returned descriptor: for idmapped mounts. */
int ns_user_new(int proc, const struct proc_idmap *uids, size_t n_uids,
		const struct proc_idmap *gids, size_t n_gids);

#endif

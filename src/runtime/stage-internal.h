/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of the stage: its state while it executes a plan, and the operations. */
#ifndef KOGGE_RUNTIME_STAGE_INTERNAL_H
#define KOGGE_RUNTIME_STAGE_INTERNAL_H

#include "base/err.h"
#include "kernel/mount-stash.h"
#include "runtime/plan.h"
#include "runtime/stage.h"

struct stage {
	int sock;
	const int *fds; /* the plan's descriptors */
	size_t n_fds;
	unsigned n_preserve;
	int root;      /* the container's root mount; "/" of the mount namespace before PLAN_ROOT */
	int proc;      /* a procfs of this PID namespace, once it was needed */
	int pts;       /* root of the container's devpts */
	int empty_dir; /* a read-only tmpfs for masks */
	struct mount_stash stash; /* for kernels without detached mounts */
	int null;                 /* the container's verified /dev/null, for masks */
	uint64_t ns_denied;       /* types of namespaces that could not be joined yet */
	bool cwd_denied;
	bool pivoted;
};

/* An operation. Returns 0, or -1 with E set. */
typedef int (*stage_fn)(struct stage *st, const struct plan_step *s, struct err *e);

/* Sends a message, with FD where it is not negative. */
int stage_send(const struct stage *st, const struct stage_msg *m, int fd);

/* Waits for the runtime's reply, which must be WANTED. */
int stage_wait_reply(const struct stage *st, char wanted, struct err *e);

/* The descriptor of field I of the step; -1 where it has none. */
int stage_fd(const struct stage *st, const struct plan_step *s, size_t i);

/* A handle of this PID namespace's procfs, borrowed; negative errno. */
int stage_proc(struct stage *st);

/* Loads a seccomp filter's bytes with flags of enum seccomp_flag; with PLAN_FILTER_NOTIFY its
 * listener goes to the runtime. */
int stage_load_filter(const struct stage *st, struct plan_blob filter, uint64_t flags,
		      struct err *e);

/* That of a filter with a listener; stage-listener.c. */
int stage_load_notifier(const struct stage *st, struct plan_blob filter, uint64_t flags,
			struct err *e);

/* Splits a blob of strings into a heap vector owned by the caller. NULL when out of memory. */
const char **stage_strv(struct plan_blob b);

/* As mount_clone and mount_fs_new, also where the kernel has no detached mounts. PARAMS end with a
 * NULL key. */
int stage_clone(struct stage *st, int fd, bool recursive);
int stage_new_fs(struct stage *st, const char *type, const char *source,
		 const struct mount_param *params, uint64_t attr);

/* stage-ns.c */
int stage_setns(struct stage *st, const struct plan_step *s, struct err *e);
int stage_userns(struct stage *st, const struct plan_step *s, struct err *e);
int stage_cgroup_join(struct stage *st, const struct plan_step *s, struct err *e);
int stage_unshare(struct stage *st, const struct plan_step *s, struct err *e);
int stage_time_offset(struct stage *st, const struct plan_step *s, struct err *e);
int stage_session(struct stage *st, const struct plan_step *s, struct err *e);
int stage_keyring(struct stage *st, const struct plan_step *s, struct err *e);
int stage_loopback(struct stage *st, const struct plan_step *s, struct err *e);
int stage_hostname(struct stage *st, const struct plan_step *s, struct err *e);
int stage_domainname(struct stage *st, const struct plan_step *s, struct err *e);
int stage_sysctl(struct stage *st, const struct plan_step *s, struct err *e);

/* stage-join.c */
int stage_join(struct stage *st, const struct plan_step *s, struct err *e);
int stage_fork(struct stage *st, const struct plan_step *s, struct err *e);

/* stage-mount.c */
int stage_propagation(struct stage *st, const struct plan_step *s, struct err *e);
int stage_root(struct stage *st, const struct plan_step *s, struct err *e);
int stage_pivot(struct stage *st, const struct plan_step *s, struct err *e);
int stage_mount_fs(struct stage *st, const struct plan_step *s, struct err *e);
int stage_mount_tree(struct stage *st, const struct plan_step *s, struct err *e);
int stage_remount(struct stage *st, const struct plan_step *s, struct err *e);
int stage_mask(struct stage *st, const struct plan_step *s, struct err *e);
int stage_readonly(struct stage *st, const struct plan_step *s, struct err *e);
int stage_root_attr(struct stage *st, const struct plan_step *s, struct err *e);

/* stage-dev.c */
int stage_mknod(struct stage *st, const struct plan_step *s, struct err *e);
int stage_symlink(struct stage *st, const struct plan_step *s, struct err *e);
int stage_console(struct stage *st, const struct plan_step *s, struct err *e);
int stage_dup(struct stage *st, const struct plan_step *s, struct err *e);

/* stage-process.c */
int stage_rlimit(struct stage *st, const struct plan_step *s, struct err *e);
int stage_oom_score(struct stage *st, const struct plan_step *s, struct err *e);
int stage_personality(struct stage *st, const struct plan_step *s, struct err *e);
int stage_io_priority(struct stage *st, const struct plan_step *s, struct err *e);
int stage_scheduler(struct stage *st, const struct plan_step *s, struct err *e);
int stage_affinity(struct stage *st, const struct plan_step *s, struct err *e);
int stage_umask(struct stage *st, const struct plan_step *s, struct err *e);
int stage_label(struct stage *st, const struct plan_step *s, struct err *e);
int stage_cwd(struct stage *st, const struct plan_step *s, struct err *e);
int stage_caps_bound(struct stage *st, const struct plan_step *s, struct err *e);
int stage_user(struct stage *st, const struct plan_step *s, struct err *e);
int stage_caps(struct stage *st, const struct plan_step *s, struct err *e);
int stage_no_new_privs(struct stage *st, const struct plan_step *s, struct err *e);
int stage_seccomp(struct stage *st, const struct plan_step *s, struct err *e);

/* stage-exec.c */
int stage_sync(struct stage *st, const struct plan_step *s, struct err *e);
int stage_hook(struct stage *st, const struct plan_step *s, struct err *e);
int stage_find(struct stage *st, const struct plan_step *s, struct err *e);
int stage_wait(struct stage *st, const struct plan_step *s, struct err *e);
int stage_exec(struct stage *st, const struct plan_step *s, struct err *e);

/* Fills the directory TO with what FROM holds (tmpcopyup); stage-copy.c. A negative errno. */
int stage_copy_tree(int from, int to);

#endif

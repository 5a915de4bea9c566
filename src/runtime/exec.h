/* SPDX-License-Identifier: Apache-2.0 */
/* A further process in a running container: for `kogge-runtime exec`, for the engine's `exec` and
 * for health checks. The caller must have a single thread.
 *
 *     struct runtime_exec x = RUNTIME_EXEC_INIT;
 *     struct exec_proc p = EXEC_PROC_INIT;
 *
 *     x.pid = state.pid, x.pidfd = pidfd, x.process = &process, x.cgroup_path = state.cgroup_path;
 *     if (runtime_exec(&x, &p, e) < 0)
 *             return -1;          // err_exit_code(e): 126, 127 for the program, 125 for the rest
 *     process_wait_pidfd(p.pidfd, false, &status);
 *
 * The process is born in the container's PID namespace (and cgroup, on version 2), as kogge-stage
 * pinned read-only, not dumpable (CVE-2016-9962, CVE-2019-5736); it joins the other namespaces of
 * the target and then goes through the same steps as a container's first process: limits, label,
 * directory (which must lie inside, CVE-2024-21626), capabilities, filter, user, exec. No
 * descriptor of the caller but the named ones reaches it. When the container ends meanwhile the
 * process ends with it, or was never made.
 *
 * Nothing is recorded: the process belongs to the container's PID namespace and cgroup, and ends
 * with these. A container without a PID namespace of its own keeps it in its cgroup alone. */
#ifndef KOGGE_RUNTIME_EXEC_H
#define KOGGE_RUNTIME_EXEC_H

#include "base/err.h"
#include "oci/runtime-config.h"

#include <sys/types.h>

/* What to run where. Everything is borrowed. */
struct runtime_exec {
	pid_t pid; /* the container's first process, in the caller's PID namespace */
	int pidfd; /* of it; says that PID is still the same */
	const struct oci_process *process; /* whole, with what the container's own has and this one
					      keeps: user, env, caps, limits, label, terminal */
	int stdio[3];        /* for descriptors 0 to 2, -1: /dev/null. Ignored with a terminal */
	int console_fd;      /* a connected unix socket that gets the pty's master; -1: proc->pty */
	const int *preserve; /* descriptors that become 3, 4, ... in the process */
	size_t n_preserve;
	const char *cgroup_path;        /* the container's cgroup below each hierarchy's root, as in
					   container_state; NULL: the process stays in the caller's */
	const char *const *sub_cgroups; /* existing cgroups below it instead, NULL-terminated:
					   "PATH", or "CONTROLLER[,CONTROLLER...]:PATH" */
	const void *seccomp; /* the container's compiled filter (struct sock_filter), NULL: none */
	size_t n_seccomp;    /* its bytes */
	unsigned seccomp_flags;    /* SECCOMP_FILTER_FLAG_*, as it was loaded for the container */
	const char *listener_path; /* the agent to which the filter's notifications go; NULL: it has
				      none. With that: */
	const char *listener_metadata; /* or NULL */
	const char *state_json;        /* the container's state, which the agent gets */
	const char *keyring_id; /* joins the session keyring of the container with this ID; NULL:
				   the caller's own stays (no_new_keyring) */
	bool personality_32bit; /* linux.personality of the container */
	bool shared_root; /* the container shares its mount namespace with others: its root is that
			     of its first process (container_state) */
	int stage_fd;     /* kogge-stage, opened O_PATH or O_RDONLY; -1: found beside the program */
};

#define RUNTIME_EXEC_INIT                                                                          \
	((struct runtime_exec){                                                                    \
		.pid = -1, .pidfd = -1, .stdio = {-1, -1, -1}, .console_fd = -1, .stage_fd = -1})

/* A process that runs: a child of the caller until it exits (reap it by waitid on the pidfd). */
struct exec_proc {
	pid_t pid; /* in the caller's PID namespace */
	int pidfd;
	int pty;             /* master of the terminal, or -1 */
	int pin;             /* the read-only mount of kogge-stage: its last close waits for an RCU
				grace period, so whoever has nothing else to do should do it */
	uint64_t start_time; /* field 22 of /proc/PID/stat */
};

#define EXEC_PROC_INIT ((struct exec_proc){.pid = -1, .pidfd = -1, .pty = -1, .pin = -1})

/* Closes descriptors; kills nothing. */
void exec_proc_done(struct exec_proc *p);

/* Runs X in the container; returns when the program runs. *RET must be EXEC_PROC_INIT. On failure
 * nothing of it is left and E is set: ERR_NO_PROGRAM and ERR_NOT_EXEC for the program (127, 126),
 * ERR_CONFLICT where the container has ended, ERR_INVALID for a malformed process (no arguments, a
 * relative directory, an unknown limit), ERR_HOSTILE where the directory lies outside of the
 * container. A frozen cgroup keeps the process, and so this call, until it is thawed: look at the
 * state first. */
int runtime_exec(const struct runtime_exec *x, struct exec_proc *ret, struct err *e);

#endif

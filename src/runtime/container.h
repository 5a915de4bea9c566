/* SPDX-License-Identifier: Apache-2.0 */
/* A container's process: from a configuration to a running program, for kogge-runtime and for the
 * engine. The caller must have a single thread (D2: the child shares its memory until exec).
 *
 *   runtime_create  config -> plan -> cgroup -> clone3 -> kogge-stage executes the plan and waits
 *   runtime_start   lets it exec the user's program
 *   runtime_run     both without the wait: the fast path
 *   runtime_signal, runtime_state, runtime_delete
 *
 * Where a state directory is given, everything that a killed runtime could leave behind is
 * recorded there before it is made, so that runtime_delete, also by another process and after a
 * crash, removes it. Without one the caller keeps the book (struct container_proc). */
#ifndef KOGGE_RUNTIME_CONTAINER_H
#define KOGGE_RUNTIME_CONTAINER_H

#include "base/err.h"
#include "kernel/cgroup.h"
#include "oci/runtime-config.h"
#include "runtime/state.h"

#include <sys/types.h>

/* A container's cgroup with the layout that it borrows. */
struct runtime_cgroup {
	struct cgroup_host host;
	bool borrowed; /* the descriptors of host */
	struct cgroup cg;
};

struct runtime_opts {
	const char *id;                      /* as runtime_id_check allows */
	const struct runtime_config *config; /* validated by runtime_create again */
	const char *bundle;                  /* absolute path, for hooks and state; may be NULL */
	int bundle_fd;                       /* relative root.path starts here; -1: no bundle */
	int rootfs_fd;  /* a detached mount (open_tree or fsmount) as root; -1: root.path. Borrowed;
			   it is attached by the container and can be closed afterwards */
	int stdio[3];   /* for descriptors 0 to 2, -1: /dev/null. Ignored with a terminal */
	int console_fd; /* a connected unix socket that gets the pty's master; -1: proc->pty */
	const int *preserve; /* descriptors that become 3, 4, ... in the container */
	size_t n_preserve;
	int state_fd; /* directory of this container's state (already made, 0700), or -1 */
	const char *cgroup_path; /* below each hierarchy's root, instead of config's; NULL: config's
				    cgroupsPath, or "/kogge/ID" */
	const struct cgroup_host *cgroups; /* borrowed; NULL: they are looked for */
	const void
		*seccomp; /* a compiled filter (struct sock_filter) instead of config's profile */
	size_t n_seccomp; /* its bytes */
	int stage_fd;     /* kogge-stage, opened O_PATH or O_RDONLY; -1: found beside the program */
	bool no_pivot; /* the root covers "/" and is entered by chroot: for a host whose root is an
			  initramfs. No boundary for a process with CAP_SYS_CHROOT */
	bool block_signals; /* the program starts with all signals blocked: an init that takes them
			       one by one misses none */
	bool in_order; /* mounts are listed in the order of the configuration, also by kernels that
			  list them by age: a few system calls for each bind */
	bool no_new_keyring;
	bool keep_pin; /* the caller gets container_proc.pin, and closes it where nobody waits */
	bool systemd_cgroup; /* the cgroup is a scope of systemd, which cgroupsPath names as
				"SLICE:PREFIX:NAME" (runtime/systemd.h) */
	/* Called with ARG and the container's new network namespace (borrowed) between the clone of
	   its first process and that one's first step; -1 with E set ends the start. NULL: nothing
	   is to be done. Not called where the container joins a namespace or has the host's. */
	int (*network)(void *arg, int netns, struct err *e);
	void *network_arg;
	struct err *warning; /* gets why poststart and poststop hooks failed, which changes
				nothing else; may be NULL */
};

#define RUNTIME_OPTS_INIT                                                                          \
	((struct runtime_opts){.bundle_fd = -1,                                                    \
			       .rootfs_fd = -1,                                                    \
			       .stdio = {-1, -1, -1},                                              \
			       .console_fd = -1,                                                   \
			       .state_fd = -1,                                                     \
			       .stage_fd = -1})

/* The first process of a container, a child of the caller until it exits (reap it by waitid on
 * the pidfd). */
struct container_proc {
	pid_t pid; /* in the caller's PID namespace */
	int pidfd;
	int pty;     /* master of the terminal, or -1 */
	int control; /* socket to kogge-stage between create and start, else -1 */
	int pin; /* with opts.keep_pin: the detached mount that kogge-stage was executed from. Its
		    last close waits for a grace period of the kernel, about a millisecond */
	struct runtime_cgroup *cgroup; /* owned; NULL where the container has none of its own */
	uint64_t start_time; /* field 22 of /proc/PID/stat: with the boot ID names the process */
};

#define CONTAINER_PROC_INIT                                                                        \
	((struct container_proc){.pid = -1, .pidfd = -1, .pty = -1, .control = -1, .pin = -1})

/* Closes descriptors and frees memory; kills and removes nothing. */
void container_proc_done(struct container_proc *p);

/* Whether ID is 1 to 1,024 of [A-Za-z0-9_+.-], neither "." nor "..". */
bool runtime_id_check(const char *id);

/* Prepares everything up to the exec of the user's program: hooks prestart, createRuntime and
 * createContainer ran, the program was found. On failure the process, the cgroup and what a state
 * directory says are gone, and E is set: ERR_NO_PROGRAM and ERR_NOT_EXEC for the user's program
 * (127, 126). *RET must be CONTAINER_PROC_INIT. */
int runtime_create(const struct runtime_opts *o, struct container_proc *ret, struct err *e);

/* Lets a created container of this process go on to exec; returns when the program runs (then
 * poststart hooks have run). Failures as runtime_create, after which the process has ended. */
int runtime_start(const struct runtime_opts *o, struct container_proc *p, struct err *e);

/* runtime_create and runtime_start in one, without stopping between: the fast path. */
int runtime_run(const struct runtime_opts *o, struct container_proc *ret, struct err *e);

/* Lets the created container that STATE (read from STATE_FD) describes go on, from another
 * process than its creator's. CONFIG gives the poststart hooks; WARNING as in runtime_opts. */
int runtime_start_other(int state_fd, struct container_state *state,
			const struct runtime_config *config, struct err *warning, struct err *e);

/* Sends SIGNO through the pidfd. ERR_NOT_FOUND: the process is gone. */
int runtime_signal(int pidfd, int signo, struct err *e);

/* Kills (SIGKILL) every process of the container's cgroup and waits until it is empty. */
int runtime_kill_all(const char *cgroup_path, struct err *e);

/* Ends a container of this process: kills what is left, removes the cgroup, runs poststop hooks
 * (their failure is only a warning). The caller has reaped
 * P->pid or does so afterwards. */
int runtime_delete(const struct runtime_opts *o, struct container_proc *p, struct err *e);

/* Removes what STATE_FD's container left: process, cgroup. For every state, also after a crash at
 * any point of create or delete. Without FORCE a container that is created, running or paused is
 * refused (ERR_CONFLICT). The directory itself is the caller's to remove. */
int runtime_delete_other(int state_fd, bool force, struct err *e);

#endif

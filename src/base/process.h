/* SPDX-License-Identifier: Apache-2.0 */
/* Child processes from pinned descriptors. A program is opened once (program_open) and started by
 * its descriptor: no search path, no shell, and nothing of the caller's descriptors, signal
 * dispositions or signal mask reaches it but what the request names.
 *
 * The child is made like vfork (CLONE_VM | CLONE_VFORK on a stack of its own), so that its cost
 * does not depend on the caller's memory, and process_spawn returns only when the program runs or
 * could not be executed. All functions return 0 or a negative errno. */
#ifndef KOGGE_BASE_PROCESS_H
#define KOGGE_BASE_PROCESS_H

#include "base/macro.h"

#include <sys/types.h>

#define PROCESS_FDS_MAX 64

struct process {
	int pidfd; /* close-on-exec, owned */
	pid_t pid; /* as the caller's pid namespace counts */
};

#define PROCESS_INIT ((struct process){.pidfd = -1})

enum process_flags {
	PROCESS_NEW_SESSION = 1 << 0, /* setsid */
	PROCESS_NEW_GROUP = 1 << 1,   /* setpgid(0, 0) */
	PROCESS_KEEP_CAPS = 1 << 2,   /* raise the permitted capabilities into the inheritable and
				       * ambient sets, so that they survive execve where the uid is
				       * not mapped yet (clone_flags has CLONE_NEWUSER) */
};

/* What to start. Everything is borrowed. Use PROCESS_SPAWN_INIT. */
struct process_spawn {
	int exe; /* the program, opened with O_PATH or for reading; close-on-exec is fine */
	const char *const *argv;
	const char *const *env; /* NULL: empty */
	const int *fds;         /* fds[i] becomes descriptor i of the child; the rest is closed */
	size_t n_fds;   /* -1 in fds[0..2], and what lacks of 0..2: /dev/null; -1 above: closed */
	int cwd;        /* directory to start in, or -1 for the caller's */
	int pdeathsig;  /* signal to get when the caller's thread dies, or 0 */
	unsigned flags; /* enum process_flags */
	uint64_t clone_flags; /* CLONE_NEW... (kernel/ns.h) */
	int cgroup; /* directory of a cgroup v2 to be born in (CLONE_INTO_CGROUP), or -1 */
};

#define PROCESS_SPAWN_INIT ((struct process_spawn){.exe = -1, .cwd = -1, .cgroup = -1})

/* Starts the program. The error of a failed execve comes back as this function's result, with
 * nothing left of the child. RET is owned by the caller (process_done). */
int process_spawn(const struct process_spawn *s, struct process *ret);

/* As process_spawn, but returns as soon as the child exists, so that the caller's next work goes on
 * beside the child's execve. Each success is followed by one process_spawn_end(*RET_BEGUN, RET);
 * until then what S points to must stay as it is (S itself is copied). */
struct process_begun;
int process_spawn_begin(const struct process_spawn *s, struct process *ret,
			struct process_begun **ret_begun);

/* Waits until the program runs, or could not be executed: then P is gone and the result is the
 * error. Frees B; NULL is no error. */
int process_spawn_end(struct process_begun *b, struct process *p);

/* Waits until the process ends and reaps it. *RET_STATUS: 0 to 255 for exit, 128 + n for death by
 * signal n. RET_STATUS may be NULL. */
int process_wait(const struct process *p, int *ret_status);

/* As process_wait for a pidfd of a child; with NOHANG set -EAGAIN where it still runs. */
int process_wait_pidfd(int pidfd, bool nohang, int *ret_status);

/* Sends SIGKILL and reaps; for a child that must not survive an error. No error where it is gone.
 */
void process_kill(struct process *p);

/* Closes the pidfd; neither kills nor waits. */
void process_done(struct process *p);

/* Forks a child that runs INSIDE(ARG) and ends; what INSIDE returns, a descriptor or a negative
 * errno, is this function's result: for what has to be opened in other namespaces. The descriptor
 * is close-on-exec and owned by the caller. -EPIPE where the child died. */
int process_fork_fd(int (*inside)(void *arg), void *arg);

/* Opens one of our own helper programs (O_PATH, close-on-exec): a regular executable file NAME in
 * the directory of /proc/self/exe, else in ../libexec/kogge relative to that directory. NAME is
 * one component. -ENOENT, -EACCES (not a regular executable file). */
int program_open(const char *name);

/* For the start of a program that has children or opens files: what its caller left that breaks
 * these is put right. SIGCHLD is not ignored any more, and of stdin, stdout and stderr each one
 * that is closed becomes /dev/null. Returns a negative errno. */
int process_clean_start(void);

#endif

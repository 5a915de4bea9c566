/* SPDX-License-Identifier: Apache-2.0 */
/* kogge-stage is executed from a read-only detached clone of its own file: while it runs in the
 * container, /proc/PID/exe leads to a mount on which nobody can write (CVE-2019-5736), and
 * nothing is copied. Where the clone cannot be made (no CAP_SYS_ADMIN here) it is a sealed copy in
 * memory. */
#include "runtime/spawn.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/trace.h"
#include "kernel/mount.h"
#include "kernel/ns.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"
#include "runtime/hooks.h"
#include "runtime/listener.h"
#include "runtime/plan-build.h"
#include "runtime/stage.h"
#include "runtime/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { STAGE_SIZE_MAX = 16 << 20 };

static int copy_stage(int exe)
{
	_cleanup_(buf_done) struct buf bytes = BUF_INIT(STAGE_SIZE_MAX);
	_cleanup_(fd_close) int fd = fd_reopen(exe, O_RDONLY);
	int r;

	r = fd < 0 ? fd : fd_read_all(fd, &bytes, STAGE_SIZE_MAX);
	return r < 0 ? r : fd_memfd("kogge-stage", bytes.data, bytes.len, true);
}

/* A descriptor of kogge-stage that cannot be written through. */
static int pin_stage(int stage_fd, bool *ret_copied, struct err *e)
{
	const struct mount_change c = {.set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE};
	_cleanup_(fd_close) int own = stage_fd >= 0 ? -1 : program_open("kogge-stage");
	int exe = stage_fd >= 0 ? stage_fd : own, mnt, r;

	if (exe < 0)
		return err_errno(e, exe, "opening kogge-stage");
	mnt = mount_clone_peer(exe, false);
	r = mnt < 0 ? mnt : mount_set(mnt, &c, false);
	if (r < 0) {
		fd_close(&mnt);
		*ret_copied = true;
		mnt = copy_stage(exe);
	}
	return mnt < 0 ? err_errno(e, mnt, "pinning kogge-stage") : mnt;
}

/* What the child reads until it has become kogge-stage. */
struct stage_start {
	const char *argv[3], *env[2];
	char trace[TRACE_ENV_SIZE];
	int fds[4];
	struct process_spawn spawn;
	struct process process;
	struct process_begun *begun;
};

/* Runs the clone in the PID namespace NS: only children enter it, so that the own view is changed
 * and put back around the clone. */
static int spawn_in_pid_ns(struct stage_start *t, int ns)
{
	_cleanup_(fd_close) int proc = -1, own = -1;
	int r, back;

	if (ns < 0)
		return process_spawn_begin(&t->spawn, &t->process, &t->begun);
	proc = proc_open(0);
	own = proc < 0 ? proc : ns_open(proc, PROC_SELF, CLONE_NEWPID);
	r = own < 0 ? own : ns_join(ns, CLONE_NEWPID);
	if (r < 0)
		return r;
	r = process_spawn_begin(&t->spawn, &t->process, &t->begun);
	back = ns_join(own, CLONE_NEWPID);
	if (r >= 0 && back < 0) {
		if (process_spawn_end(t->begun, &t->process) == 0)
			process_kill(&t->process);
	}
	return r < 0 ? r : back;
}

int spawn_note_start(struct spawned *s, int proc, struct err *e)
{
	struct proc_stat stat;
	int r = proc_stat(proc, s->pid, &stat);

	if (r < 0)
		return err_errno(e, r, "looking at process %d", s->pid);
	s->start_time = stat.start;
	return 0;
}

/* What is done to the stage from outside before it gets its plan. */
static int prepare(const struct runtime_opts *o, struct spawned *s, struct err *e)
{
	const struct runtime_config *c = o->config;
	const struct oci_namespace *user = &c->linux_.ns[OCI_NS_USER];
	_cleanup_(fd_close) int proc = proc_open(0);
	int r;

	if (proc < 0)
		return err_errno(e, proc, "opening /proc");
	s->in_userns = ns_is_nested(proc);
	if (spawn_note_start(s, proc, e) < 0)
		return -1;
	if (user->present && !userns_is_late(c) && userns_write_maps(c, proc, s->pid, e) < 0)
		return -1;
	if (user->present && c->process.oom_score_adj.set) {
		r = proc_write_oom_score_adj(proc, s->pid, (int)c->process.oom_score_adj.value);
		if (r < 0)
			return err_errno(e, r, "config.json: process.oomScoreAdj: setting it to %d",
					 (int)c->process.oom_score_adj.value);
	}
	return 0;
}

static int start(const struct spawn_request *q, int sock, struct spawned *ret)
{
	static const int no_stdio[] = {-1, -1, -1};
	const int *io = q->stdio ? q->stdio : no_stdio;
	bool mapped_later = geteuid() != 0 && q->clone_flags & CLONE_NEWUSER;
	struct stage_start *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return -ENOMEM;
	*t = (struct stage_start){.argv = {"kogge-stage", mapped_later ? "mapped-later" : NULL},
				  .fds = {io[0], io[1], io[2], sock},
				  .spawn = PROCESS_SPAWN_INIT,
				  .process = PROCESS_INIT};
	t->env[0] = trace_env(t->trace);
	t->spawn.exe = ret->exe;
	t->spawn.argv = t->argv;
	t->spawn.env = t->env;
	t->spawn.fds = t->fds;
	t->spawn.n_fds = ARRAY_SIZE(t->fds);
	t->spawn.cgroup = q->cgroup;
	t->spawn.flags = PROCESS_NEW_SESSION;
	t->spawn.clone_flags = q->clone_flags;
	if (q->clone_flags & CLONE_NEWUSER)
		t->spawn.flags |= PROCESS_KEEP_CAPS;
	r = spawn_in_pid_ns(t, q->pid_ns);
	if (r < 0) {
		free(t);
		return r;
	}
	ret->start = t;
	ret->pid = t->process.pid;
	ret->pidfd = t->process.pidfd;
	return 0;
}

int spawn_settle(struct spawned *s)
{
	struct stage_start *t = TAKE_PTR(s->start);
	int r = t ? process_spawn_end(t->begun, &t->process) : 0;

	if (r < 0) {
		s->pid = -1;
		s->pidfd = -1;
		fd_close(&s->control);
	}
	free(t);
	return r;
}

int spawn_pin(int stage_fd, struct spawned *ret, struct err *e)
{
	ret->exe = pin_stage(stage_fd, &ret->copied, e);
	if (ret->exe < 0)
		return -1;
	TRACE("stage pinned");
	return 0;
}

int spawn_clone(const struct spawn_request *q, struct spawned *ret)
{
	_cleanup_(fd_close) int theirs = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	theirs = pair[1];
	r = start(q, theirs, ret);
	if (r < 0)
		fd_close(&pair[0]);
	else
		ret->control = pair[0];
	/* The maps of a new user namespace are for one who has its program already. */
	return r < 0 || !(q->clone_flags & CLONE_NEWUSER) ? r : spawn_settle(ret);
}

int spawn_stage(const struct runtime_opts *o, int cgroup, struct spawned *ret, struct err *e)
{
	const char *pid_ns =
		userns_is_late(o->config) ? NULL : o->config->linux_.ns[OCI_NS_PID].path;
	_cleanup_(fd_close) int ns = pid_ns ? path_open_host(pid_ns, O_RDONLY, 0) : -1;
	struct spawn_request q = {.stdio = o->config->process.terminal ? NULL : o->stdio,
				  .pid_ns = ns,
				  .cgroup = cgroup,
				  .clone_flags = plan_clone_flags(o->config)};
	int r;

	if (pid_ns && ns < 0)
		return err_errno(e, ns, "opening the pid namespace '%s'", pid_ns);
	if (spawn_pin(o->stage_fd, ret, e) < 0)
		return -1;
	r = spawn_clone(&q, ret);
	/* Before 5.7, or without clone3: the stage joins the cgroup by a step */
	ret->in_cgroup = r >= 0 && cgroup >= 0;
	if (r == -ENOSYS && cgroup >= 0) {
		q.cgroup = -1;
		r = spawn_clone(&q, ret);
	}
	if (r < 0)
		return err_errno(e, r, "starting the container's first process");
	TRACE("stage cloned");
	return prepare(o, ret, e);
}

void spawn_kill(struct spawned *s)
{
	struct process p = PROCESS_INIT;

	spawn_settle(s);
	p = (struct process){.pid = s->pid, .pidfd = s->pidfd};
	fd_close(&s->control);
	if (s->pidfd >= 0)
		process_kill(&p);
	fd_close(&p.pidfd);
	fd_close(&s->exe);
	*s = SPAWNED_INIT;
}

static int send_fds(int control, const struct plan *plan)
{
	int r = 0;

	for (size_t i = 0; r >= 0 && i < plan->n_fds; i += STAGE_FD_BATCH)
		r = fd_send(control, "f", 1, plan->fds + i,
			    MIN(plan->n_fds - i, (size_t)STAGE_FD_BATCH));
	return r;
}

int spawn_send_plan(struct spawned *s, const struct runtime_opts *o, const struct plan *plan,
		    struct err *e)
{
	const struct stage_hello h = {.plan_bytes = (uint32_t)plan->bytes.len,
				      .n_fds = (uint32_t)plan->n_fds,
				      .n_preserve = (uint32_t)o->n_preserve};
	int r = spawn_settle(s);

	if (r < 0)
		return err_errno(e, r, "starting kogge-stage");
	r = fd_send(s->control, &h, sizeof(h), NULL, 0);
	if (r >= 0)
		r = send_fds(s->control, plan);
	for (size_t at = 0; r >= 0 && at < plan->bytes.len; at += STAGE_CHUNK)
		r = fd_send(s->control, plan->bytes.data + at,
			    MIN(plan->bytes.len - at, STAGE_CHUNK), NULL, 0);
	return r < 0 ? err_errno(e, r, "sending the plan") : 0;
}

/* Takes the stage's error; the class is checked, because it indexes tables. */
static int stage_failed(struct stage_msg *m, struct err *e)
{
	m->err.msg[ERR_MSG_MAX - 1] = '\0';
	if (e)
		*e = m->err;
	if (e && ((unsigned)e->class >= ERR_CLASS_N || e->class == ERR_NONE))
		e->class = ERR_INTERNAL;
	return -1;
}

int spawn_follow_child(struct spawned *s, struct err *e)
{
	struct stage_msg m = {.kind = 0};
	_cleanup_(fd_close) int fd = -1;
	ssize_t n = fd_recv(s->control, &m, sizeof(m), &fd, 1);
	int r;

	if (n >= (ssize_t)offsetof(struct stage_msg, err) && m.kind == STAGE_FAILED)
		return stage_failed(&m, e);
	if (n < (ssize_t)offsetof(struct stage_msg, err) || m.kind != STAGE_CHILD || fd < 0)
		return err_errno(e, n < 0 ? (int)n : EPROTO, "following the stage");
	process_wait_pidfd(s->pidfd, false, NULL);
	fd_close(&s->pidfd);
	s->pidfd = TAKE_FD(fd);
	s->pid = (pid_t)m.arg;
	r = fd_send(s->control, &(char){STAGE_GO}, 1, NULL, 0);
	return r < 0 ? err_errno(e, r, "continuing in the container") : 0;
}

static int run_hooks(int control, const struct stage_msg *m, const struct spawn_watch *w,
		     struct err *e)
{
	int r;

	if (m->kind != STAGE_SYNC || m->arg >= OCI_HOOK_N)
		return err_set(e, ERR_INTERNAL, 0, "unexpected message of the stage");
	if (runtime_hooks_run(w->config, (enum oci_hook_point)m->arg, w->state_json, e) < 0)
		return -1;
	r = fd_send(control, &(char){STAGE_GO}, 1, NULL, 0);
	return r < 0 ? err_errno(e, r, "continuing after hooks") : 0;
}

static int handle(int control, const struct stage_msg *m, int fd, const struct spawn_watch *w,
		  struct err *e)
{
	if (m->kind == STAGE_LISTENER)
		return runtime_listener_send(&w->config->linux_.seccomp, w->state_json, w->pid, fd,
					     e);
	return run_hooks(control, m, w, e);
}

/* A limit of memory so small that not even the stage runs below it is the usual reason. */
static int ended_early(const struct runtime_config *c, struct err *e)
{
	const struct oci_int *limit = &c->linux_.resources.memory.limit;

	err_set(e, ERR_INTERNAL, 0,
		"the container's first process ended early (killed, perhaps for memory)");
	if (limit->set && limit->value > 0)
		err_hint(e, "linux.resources.memory.limit is %lld", (long long)limit->value);
	return -1;
}

int spawn_follow(int control, const struct spawn_watch *w, int *ret_pty, struct err *e)
{
	bool exec = false;

	for (;;) {
		struct stage_msg m = {.kind = 0};
		_cleanup_(fd_close) int fd = -1;
		ssize_t n = fd_recv(control, &m, sizeof(m), &fd, 1);

		/* ECONNRESET: it ended with something from us unread */
		if (n == 0 || n == -ECONNRESET) {
			if (exec)
				return SPAWN_RUNS;
			return ended_early(w->config, e);
		}
		if (n < (ssize_t)offsetof(struct stage_msg, err))
			return err_errno(e, n < 0 ? (int)n : EPROTO, "following the stage");
		if (m.kind == STAGE_FAILED)
			return stage_failed(&m, e);
		if (m.kind == STAGE_CONSOLE)
			*ret_pty = TAKE_FD(fd);
		else if (m.kind == STAGE_READY)
			return SPAWN_READY;
		else if (m.kind == STAGE_EXEC)
			exec = true;
		else if (handle(control, &m, fd, w, e) < 0)
			return -1;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Order of an exec:
 *   1. what the target's namespaces are, read by its PID; the pidfd then says that they were its
 *   2. the cgroup, where the process can be born in it (version 2)
 *   3. the process, in the container's PID namespace: it is killed with the container from here on
 *   4. the plan; then as for a container's first process
 * Nothing is recorded: until EXEC the stage ends with its socket, so a caller that is killed
 * leaves no process. */
#include "runtime/exec.h"

#include "base/failpoint.h"
#include "base/fd.h"
#include "base/process.h"
#include "base/trace.h"
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"
#include "runtime/exec-internal.h"
#include "runtime/lsm.h"
#include "runtime/spawn.h"

#include <errno.h>

enum { PRESERVE_MAX = 1024 };

/* One exec. */
struct execution {
	const struct runtime_exec *x;
	struct exec_plan in;
	struct runtime_cgroup *cgroup;
	struct spawned spawned;
	struct plan plan;
	int proc, pty;
};

void exec_proc_done(struct exec_proc *p)
{
	fd_close(&p->pidfd);
	fd_close(&p->pty);
	fd_close(&p->pin);
	*p = EXEC_PROC_INIT;
}

static int ended(struct err *e)
{
	return err_set(e, ERR_CONFLICT, 0, "the container has ended");
}

/* Step 1. */
static int look(struct execution *c, struct err *e)
{
	const struct runtime_exec *x = c->x;
	int r;

	if (runtime_config_validate_process(x->process, e) < 0 ||
	    runtime_lsm_check(x->process, NULL, e) < 0)
		return -1;
	if (x->n_preserve > PRESERVE_MAX)
		return err_set(e, ERR_LIMIT, 0, "more than %d descriptors", PRESERVE_MAX);
	c->proc = c->in.proc = proc_open(0);
	r = c->proc < 0 ? c->proc : ns_differ(c->proc, x->pid, &c->in.join);
	if (pidfd_alive(x->pidfd) == 0)
		return ended(e);
	return r < 0 ? err_errno(e, r, "looking at process %d", x->pid) : 0;
}

/* Step 2. */
static int open_cgroup(struct execution *c, struct err *e)
{
	if (exec_cgroup_open(c->x, &c->cgroup, e) < 0)
		return -1;
	c->in.cgroup = c->cgroup;
	TRACE("cgroup opened");
	return 0;
}

/* Makes the process in the way of c->in.way. A negative errno. */
static int clone_stage(struct execution *c, int cgroup)
{
	const struct runtime_exec *x = c->x;
	_cleanup_(fd_close) int file = -1;
	struct spawn_request q = {
		.stdio = x->process->terminal ? NULL : x->stdio, .pid_ns = -1, .cgroup = cgroup};

	if (c->in.join & CLONE_NEWPID && c->in.way == EXEC_BORN)
		q.pid_ns = x->pidfd;
	if (c->in.join & CLONE_NEWPID && c->in.way == EXEC_FILES) {
		file = ns_open(c->proc, x->pid, CLONE_NEWPID);
		if (file < 0)
			return file;
		q.pid_ns = file;
	}
	return spawn_clone(&q, &c->spawned);
}

/* Another way after the error R, or false. */
static bool choose_way(struct execution *c, int r)
{
	if (c->in.way != EXEC_BORN)
		return false;
	if (r == -EPERM && c->in.join & CLONE_NEWUSER)
		c->in.way = EXEC_FORKED;
	else if (r == -EINVAL || r == -EBADF)
		c->in.way = EXEC_FILES;
	else
		return false;
	return true;
}

/* Step 3. */
static int make_process(struct execution *c, struct err *e)
{
	int dir = c->cgroup ? cgroup_clone_fd(&c->cgroup->cg) : -1, r;

	if (spawn_pin(c->x->stage_fd, &c->spawned, e) < 0)
		return -1;
	c->in.in_cgroup2 = dir >= 0;
	r = clone_stage(c, dir);
	if (choose_way(c, r))
		r = clone_stage(c, dir);
	if ((r == -EBUSY || r == -EOPNOTSUPP) && dir >= 0) {
		if (exec_cgroup_of_target(c->x, c->proc, c->cgroup, e) < 0)
			return -1;
		r = clone_stage(c, cgroup_clone_fd(&c->cgroup->cg));
	}
	/* Before 5.7, or without clone3: it joins the cgroup by a step */
	if (r == -ENOSYS && dir >= 0) {
		c->in.in_cgroup2 = false;
		r = clone_stage(c, -1);
		if (choose_way(c, r))
			r = clone_stage(c, -1);
	}
	/* A PID namespace whose first process has ended takes no more */
	if (r < 0 && pidfd_alive(c->x->pidfd) == 0)
		return ended(e);
	if (r < 0)
		return err_errno(e, r, "making a process in the container");
	TRACE("stage cloned");
	return FAILPOINT("runtime.exec.after_spawn", e);
}

/* Step 4. */
static int send_plan(struct execution *c, struct err *e)
{
	const struct runtime_opts counts = {.n_preserve = c->x->n_preserve};

	if (exec_plan_build(&c->in, &c->plan, e) < 0)
		return -1;
	TRACE("plan built");
	if (spawn_send_plan(&c->spawned, &counts, &c->plan, e) < 0)
		return -1;
	TRACE("plan sent");
	return FAILPOINT("runtime.exec.after_plan", e);
}

static int adopt(struct execution *c, struct err *e)
{
	const struct oci_int *oom = &c->x->process->oom_score_adj;
	struct proc_stat stat;
	int r;

	if (c->in.way == EXEC_FORKED && spawn_follow_child(&c->spawned, e) < 0)
		return -1;
	r = proc_stat(c->proc, c->spawned.pid, &stat);
	if (r >= 0)
		c->spawned.start_time = stat.start;
	/* From inside of a user namespace it could not be lowered */
	if (r >= 0 && c->in.join & CLONE_NEWUSER && oom->set)
		r = proc_write_oom_score_adj(c->proc, c->spawned.pid, (int)oom->value);
	return r < 0 && r != -ESRCH && r != -ENOENT
		       ? err_errno(e, r, "setting oom_score_adj of process %d", c->spawned.pid)
		       : 0;
}

static int pass_console(struct execution *c, struct err *e)
{
	static const char name[] = "/dev/ptmx";
	int r;

	if (c->pty < 0 || c->x->console_fd < 0)
		return 0;
	r = fd_send(c->x->console_fd, name, sizeof(name) - 1, &c->pty, 1);
	fd_close(&c->pty);
	return r < 0 ? err_errno(e, r, "sending the terminal to the console socket") : 0;
}

static int follow(struct execution *c, struct err *e)
{
	const struct seccomp_profile agent = {.listener_path = c->x->listener_path,
					      .listener_metadata = c->x->listener_metadata};
	const struct runtime_config config = {.linux_ = {.seccomp = agent}};
	const struct spawn_watch w = {.config = &config,
				      .state_json = c->x->state_json ? c->x->state_json : "",
				      .pid = c->spawned.pid};
	int event = spawn_follow(c->spawned.control, &w, &c->pty, e);

	if (event < 0) {
		if (e && e->class == ERR_INTERNAL && pidfd_alive(c->x->pidfd) == 0)
			ended(e);
		return -1;
	}
	if (event != SPAWN_RUNS)
		return err_set(e, ERR_INTERNAL, 0, "unexpected message of the stage");
	TRACE("running");
	return pass_console(c, e);
}

static int execute(struct execution *c, struct err *e)
{
	if (look(c, e) < 0 || open_cgroup(c, e) < 0 || make_process(c, e) < 0 ||
	    send_plan(c, e) < 0 || adopt(c, e) < 0)
		return -1;
	return follow(c, e);
}

int runtime_exec(const struct runtime_exec *x, struct exec_proc *ret, struct err *e)
{
	struct execution c = {.x = x,
			      .in = {.x = x},
			      .spawned = SPAWNED_INIT,
			      .plan = PLAN_INIT,
			      .proc = -1,
			      .pty = -1};
	int r = execute(&c, e);

	if (r < 0) {
		spawn_kill(&c.spawned);
		fd_close(&c.pty);
	} else {
		ret->pid = c.spawned.pid;
		ret->pidfd = TAKE_FD(c.spawned.pidfd);
		ret->pty = TAKE_FD(c.pty);
		ret->pin = TAKE_FD(c.spawned.exe);
		ret->start_time = c.spawned.start_time;
	}
	plan_done(&c.plan);
	runtime_cgroup_free(c.cgroup);
	fd_close(&c.spawned.control);
	fd_close(&c.spawned.exe);
	fd_close(&c.proc);
	return r < 0 ? -1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Creating, starting and ending of containers. The order of a creation, so that a kill at any
 * point leaves something that delete finds:
 *   1. state.json with the cgroup's path, status creating, no process
 *   2. the cgroup (on version 2 before the process, which is born in it)
 *   3. the process; without its plan it ends as soon as the creator's socket ends
 *   4. plan sent: from here on the process is in the cgroup, where delete kills it
 *   5. created: state.json with the process, then STAGE_KEEP: only now it outlives the creator
 * The creator holds a lock on the state directory (the caller's matter), so that status creating
 * without a lock means: its creator died. */
#include "runtime/container.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/trace.h"
#include "kernel/ns.h"
#include "kernel/pidfd.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"
#include "runtime/cgroup-setup.h"
#include "runtime/control.h"
#include "runtime/hooks.h"
#include "runtime/lsm.h"
#include "runtime/plan-build.h"
#include "runtime/rdt.h"
#include "runtime/root-mount.h"
#include "runtime/spawn.h"
#include "runtime/stage.h"
#include "runtime/start-socket.h"
#include "runtime/systemd.h"
#include "runtime/userns.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { ID_LENGTH_MAX = 1024, STATE_JSON_MAX = 1 << 20, END_TIMEOUT_MS = 10000 };

/* One creation. */
struct creation {
	const struct runtime_opts *o;
	bool wait;
	struct arena arena;
	struct container_state state;
	const char *cgroup_path;    /* set once the intent is recorded */
	struct systemd_scope scope; /* with systemd_cgroup */
	struct runtime_cgroup *cgroup;
	struct spawned spawned;
	struct plan plan;
	struct buf state_json;
	int listen_fd;
	int pty;
};

void container_proc_done(struct container_proc *p)
{
	fd_close(&p->pidfd);
	fd_close(&p->pty);
	fd_close(&p->control);
	fd_close(&p->pin);
	runtime_cgroup_free(p->cgroup);
	*p = CONTAINER_PROC_INIT;
}

bool runtime_id_check(const char *id)
{
	size_t n = strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-");

	return n && !id[n] && n <= ID_LENGTH_MAX && !str_eq(id, ".") && !str_eq(id, "..");
}

static int check_opts(const struct runtime_opts *o, struct err *e)
{
	if (!runtime_id_check(o->id))
		return err_set(e, ERR_INVALID, 0, "'%s' is no container ID", o->id);
	if (!o->config->has_process)
		return err_set(e, ERR_INVALID, 0, "config.json: process: is missing");
	if (runtime_config_validate(o->config, e) < 0)
		return -1;
	return runtime_lsm_check(&o->config->process, o->config->linux_.mount_label, e);
}

static int make_state_json(struct creation *c, struct err *e)
{
	buf_clear(&c->state_json);
	return container_state_json(&c->state, &c->state_json, e);
}

/* The cgroup's path; with systemd that of the scope, which is found here. */
static const char *find_cgroup(const struct runtime_opts *o, struct arena *a,
			       struct systemd_scope *scope, struct err *e)
{
	if (!o->systemd_cgroup)
		return runtime_cgroup_path(o, a, e);
	return systemd_scope_find(o->config->linux_.cgroups_path, o->id, a, scope, e) < 0
		       ? NULL
		       : scope->path;
}

/* Step 1: the intent. */
static int record_intent(struct creation *c, struct err *e)
{
	const struct runtime_opts *o = c->o;
	const char *path = find_cgroup(o, &c->arena, &c->scope, e);

	if (!path)
		return -1;
	c->state =
		(struct container_state){.id = o->id,
					 .status = CONTAINER_CREATING,
					 .bundle = o->bundle,
					 .rootfs = root_mount_place(o, &c->arena),
					 .cgroup_path = path,
					 .scope = c->scope.unit,
					 .rdt_class = runtime_rdt_class(&o->config->linux_, o->id),
					 .rdt_own = str_empty(o->config->linux_.intel_rdt.clos_id),
					 .created = clock_now(),
					 .owner = geteuid(),
					 .seccomp_flags = o->config->linux_.seccomp.flags,
					 .personality_32bit = o->config->linux_.personality_32bit,
					 .shared_root = root_mount_shared(o->config),
					 .no_keyring = o->no_new_keyring,
					 .annotations = o->config->annotations};
	if (plan_filter_notifies(&o->config->linux_.seccomp)) {
		c->state.listener_path = o->config->linux_.seccomp.listener_path;
		c->state.listener_metadata = o->config->linux_.seccomp.listener_metadata;
	}
	if (root_mount_note(o, &c->arena, &c->state, e) < 0)
		return -1;
	if (o->state_fd >= 0 && container_state_write(o->state_fd, &c->state, e) < 0)
		return -1;
	c->cgroup_path = path;
	return FAILPOINT("runtime.create.after_intent", e);
}

static int make_cgroup(struct creation *c, struct err *e)
{
	int r = c->cgroup->host.mode == CGROUP_NONE
			? RUNTIME_CGROUP_NONE
			: runtime_cgroup_create(c->cgroup, c->o, c->cgroup_path, e);

	if (r < 0)
		return -1;
	if (r == RUNTIME_CGROUP_NONE) {
		c->state.cgroup_path = NULL;
		runtime_cgroup_free(TAKE_PTR(c->cgroup));
		return 0;
	}
	TRACE("cgroup made");
	return FAILPOINT("runtime.create.after_cgroup", e);
}

/* The stage waits for its plan, so that nothing of the container runs before this is done. */
static int make_network(struct creation *c, struct err *e)
{
	const struct oci_namespace *want = &c->o->config->linux_.ns[OCI_NS_NETWORK];
	_cleanup_(fd_close) int proc = -1, ns = -1;

	if (!c->o->network || !want->present || want->path)
		return 0;
	proc = proc_open(0);
	ns = proc < 0 ? proc : ns_open(proc, c->spawned.pid, CLONE_NEWNET);
	if (ns < 0)
		return err_errno(e, ns, "opening the container's network namespace");
	if (c->o->network(c->o->network_arg, ns, e) < 0)
		return -1;
	TRACE("network connected");
	return FAILPOINT("runtime.create.after_network", e);
}

/* systemd makes the cgroup, with the process in it, which waits for its plan. */
static int make_scope(struct creation *c, struct err *e)
{
	if (systemd_scope_start(&c->scope, c->spawned.pid, c->cgroup->host.mode,
				&c->o->config->linux_.resources, e) < 0)
		return -1;
	TRACE("scope made");
	return FAILPOINT("runtime.create.after_scope", e);
}

/* The process waits for its plan: what it starts later is in the class as well. */
static int make_rdt(struct creation *c, struct err *e)
{
	const struct oci_linux *l = &c->o->config->linux_;
	const char *name = runtime_rdt_class(l, c->o->id);
	_cleanup_(fd_close) int root = -1;

	if (!name)
		return 0;
	root = runtime_rdt_open(e);
	if (root < 0 || runtime_rdt_make(root, &l->intel_rdt, name, e) < 0)
		return -1;
	return runtime_rdt_join(root, name, c->spawned.pid, e);
}

/* Steps 2 and 3. On version 1 alone the cgroup is made while the stage starts. */
static int make_process(struct creation *c, struct err *e)
{
	bool before;
	int dir;

	if (runtime_cgroup_new(c->o->cgroups, &c->cgroup, e) < 0)
		return -1;
	before = c->cgroup->host.mode == CGROUP_V2 || c->cgroup->host.mode == CGROUP_HYBRID;
	before = before && !c->o->systemd_cgroup;
	if (before && make_cgroup(c, e) < 0)
		return -1;
	dir = before && c->cgroup ? cgroup_clone_fd(&c->cgroup->cg) : -1;
	if (spawn_stage(c->o, dir, &c->spawned, e) < 0 ||
	    FAILPOINT("runtime.create.after_spawn", e) < 0)
		return -1;
	c->state.pid = c->spawned.pid;
	c->state.start_time = c->spawned.start_time;
	if (c->o->systemd_cgroup && make_scope(c, e) < 0)
		return -1;
	if ((!before && make_cgroup(c, e) < 0) || make_rdt(c, e) < 0)
		return -1;
	return make_network(c, e);
}

/* The state for hooks that are executed in the container, with the PID as it is seen there
 * (runtime.md, State). */
static int make_inner_json(struct creation *c, enum container_status status, const char **ret,
			   struct err *e)
{
	const struct runtime_config *config = c->o->config;
	const struct oci_namespace *pid_ns = &config->linux_.ns[OCI_NS_PID];
	_cleanup_(buf_done) struct buf json = BUF_INIT(STATE_JSON_MAX);
	struct container_state s = c->state;

	*ret = "";
	if (!config->hooks[OCI_HOOK_CREATE_CONTAINER].n &&
	    !config->hooks[OCI_HOOK_START_CONTAINER].n)
		return 0;
	s.status = status;
	if (pid_ns->present && !pid_ns->path)
		s.pid = 1;
	if (container_state_json(&s, &json, e) < 0)
		return -1;
	*ret = arena_strndup(&c->arena, buf_str(&json), json.len);
	return *ret ? 0 : err_errno(e, ENOMEM, "writing the state");
}

/* The stage goes on as a child in the container's PID namespace. */
static int follow_child(struct creation *c, struct err *e)
{
	_cleanup_(fd_close) int proc = proc_open(0);

	if (proc < 0)
		return err_errno(e, proc, "opening /proc");
	if (spawn_follow_child(&c->spawned, e) < 0 || spawn_note_start(&c->spawned, proc, e) < 0)
		return -1;
	c->state.pid = c->spawned.pid;
	c->state.start_time = c->spawned.start_time;
	return make_state_json(c, e);
}

/* Step 4. */
static int send_plan(struct creation *c, struct err *e)
{
	struct plan_input in = {.o = c->o,
				.config = c->o->config,
				.cgroup = c->cgroup,
				.in_cgroup2 = c->spawned.in_cgroup || c->o->systemd_cgroup,
				.no_clones = c->spawned.copied,
				.in_userns = c->spawned.in_userns,
				.wait = c->wait,
				.state_fd = c->o->state_fd,
				.listen_fd = -1};

	if (c->wait && c->o->state_fd >= 0) {
		c->listen_fd = start_socket_make(c->o->state_fd);
		if (c->listen_fd < 0)
			return err_errno(e, c->listen_fd, "making the start socket");
	}
	in.listen_fd = c->listen_fd;
	if (make_state_json(c, e) < 0)
		return -1;
	if (make_inner_json(c, CONTAINER_CREATING, &in.create_json, e) < 0 ||
	    make_inner_json(c, CONTAINER_CREATED, &in.start_json, e) < 0 ||
	    plan_build(&in, &c->plan, e) < 0)
		return -1;
	TRACE("plan built");
	if (spawn_send_plan(&c->spawned, c->o, &c->plan, e) < 0)
		return -1;
	TRACE("plan sent");
	if (userns_forks(c->o->config) && follow_child(c, e) < 0)
		return -1;
	return FAILPOINT("runtime.create.after_plan", e);
}

/* Hands the terminal's master to whoever asked for it. */
static int pass_console(struct creation *c, struct err *e)
{
	static const char name[] = "/dev/ptmx";
	int r;

	if (c->pty < 0 || c->o->console_fd < 0)
		return 0;
	r = fd_send(c->o->console_fd, name, sizeof(name) - 1, &c->pty, 1);
	fd_close(&c->pty);
	return r < 0 ? err_errno(e, r, "sending the terminal to the console socket") : 0;
}

static int record_process(struct creation *c, enum container_status status, struct err *e)
{
	_cleanup_(freep) char *boot_id = NULL;
	_cleanup_(fd_close) int proc = -1;

	if (!c->cgroup)
		c->state.cgroup_path = NULL;
	c->state.status = status;
	if (c->o->state_fd < 0)
		return 0;
	proc = proc_open(0);
	if (proc < 0 || proc_sysctl_read(proc, "kernel.random.boot_id", &boot_id) < 0)
		return err_errno(e, proc < 0 ? proc : EIO, "reading the boot ID");
	c->state.boot_id = arena_strdup(&c->arena, boot_id);
	if (container_state_write(c->o->state_fd, &c->state, e) < 0)
		return -1;
	return FAILPOINT("runtime.create.after_record", e);
}

/* The class that was made for the container; one that closID names belongs to somebody else. */
static int remove_rdt(const struct container_state *s, struct err *e)
{
	_cleanup_(fd_close) int root = -1;

	if (!s->rdt_class || !s->rdt_own)
		return 0;
	root = runtime_rdt_open(NULL);
	return root < 0 ? 0 : runtime_rdt_remove(root, s->rdt_class, e);
}

/* Removes what a failed creation made, in reverse. */
static void undo(struct creation *c)
{
	spawn_kill(&c->spawned);
	runtime_cgroup_free(TAKE_PTR(c->cgroup));
	if (c->cgroup_path)
		runtime_cgroup_destroy(c->o->cgroups, c->cgroup_path, NULL);
	if (c->cgroup_path && c->scope.unit)
		systemd_scope_stop(c->scope.unit, NULL);
	remove_rdt(&c->state, NULL);
	root_mount_remove(&c->state, NULL);
	fd_close(&c->pty);
}

static void give(struct creation *c, struct container_proc *ret)
{
	ret->pid = c->spawned.pid;
	ret->pidfd = TAKE_FD(c->spawned.pidfd);
	ret->control = TAKE_FD(c->spawned.control);
	ret->pty = TAKE_FD(c->pty);
	ret->cgroup = TAKE_PTR(c->cgroup);
	ret->start_time = c->spawned.start_time;
	if (c->o->keep_pin)
		ret->pin = TAKE_FD(c->spawned.exe);
}

static int create(struct creation *c, struct err *e)
{
	struct spawn_watch w = {.config = c->o->config};
	int want = c->wait ? SPAWN_READY : SPAWN_RUNS, event;

	if (check_opts(c->o, e) < 0 || record_intent(c, e) < 0 || make_process(c, e) < 0 ||
	    send_plan(c, e) < 0)
		return -1;
	w.pid = c->spawned.pid;
	w.state_json = buf_str(&c->state_json);
	event = spawn_follow(c->spawned.control, &w, &c->pty, e);
	if (event < 0)
		return -1;
	if (event != want)
		return err_set(e, ERR_INTERNAL, 0, "unexpected message of the stage");
	TRACE(c->wait ? "created" : "running");
	if (pass_console(c, e) < 0)
		return -1;
	return record_process(c, c->wait ? CONTAINER_CREATED : CONTAINER_RUNNING, e);
}

/* Poststart hooks cannot stop what runs already (runtime-spec runtime.md, Lifecycle, 9: a failure
 * is for the log, and the container goes on). */
static void run_poststart(const struct runtime_config *config, const struct container_state *s,
			  struct err *warning)
{
	_cleanup_(buf_done) struct buf json = BUF_INIT(STATE_JSON_MAX);

	if (config->hooks[OCI_HOOK_POSTSTART].n && container_state_json(s, &json, NULL) >= 0)
		runtime_hooks_run(config, OCI_HOOK_POSTSTART, buf_str(&json), warning);
}

static int create_or_run(const struct runtime_opts *o, bool wait, struct container_proc *ret,
			 struct err *e)
{
	struct creation c = {.o = o,
			     .wait = wait,
			     .spawned = SPAWNED_INIT,
			     .plan = PLAN_INIT,
			     .state_json = BUF_INIT(STATE_JSON_MAX),
			     .listen_fd = -1,
			     .pty = -1};
	int r = create(&c, e);

	if (r < 0) {
		undo(&c);
	} else {
		give(&c, ret);
		if (wait && o->state_fd >= 0)
			fd_send(ret->control, &(char){STAGE_KEEP}, 1, NULL, 0);
		if (!wait) {
			fd_close(&ret->control);
			run_poststart(o->config, &c.state, o->warning);
		}
	}
	fd_close(&c.listen_fd);
	plan_done(&c.plan);
	buf_done(&c.state_json);
	fd_close(&c.spawned.exe);
	arena_done(&c.arena);
	return r < 0 ? -1 : 0;
}

int runtime_create(const struct runtime_opts *o, struct container_proc *ret, struct err *e)
{
	return create_or_run(o, true, ret, e);
}

int runtime_run(const struct runtime_opts *o, struct container_proc *ret, struct err *e)
{
	return create_or_run(o, false, ret, e);
}

/* Sends the go on CONTROL and waits until the program of the created container S runs. */
static int go(int control, const struct runtime_config *config, const struct container_state *s,
	      struct err *e)
{
	_cleanup_(buf_done) struct buf json = BUF_INIT(STATE_JSON_MAX);
	struct container_state created = *s;
	struct spawn_watch w = {.config = config, .pid = s->pid};
	_cleanup_(fd_close) int pty = -1;
	int r;

	created.status = CONTAINER_CREATED;
	if (container_state_json(&created, &json, e) < 0)
		return -1;
	w.state_json = buf_str(&json);
	r = fd_send(control, &(char){STAGE_GO}, 1, NULL, 0);
	if (r < 0)
		return err_errno(e, r, "starting the container");
	r = spawn_follow(control, &w, &pty, e);
	if (r == SPAWN_READY)
		return err_set(e, ERR_INTERNAL, 0, "unexpected message of the stage");
	return r < 0 ? -1 : 0;
}

int runtime_start(const struct runtime_opts *o, struct container_proc *p, struct err *e)
{
	struct container_state s = {.id = o->id,
				    .status = CONTAINER_RUNNING,
				    .pid = p->pid,
				    .bundle = o->bundle,
				    .annotations = o->config->annotations};
	int r;

	if (p->control < 0)
		return err_set(e, ERR_CONFLICT, 0, "container '%s' is not created", o->id);
	r = go(p->control, o->config, &s, e);
	fd_close(&p->control);
	if (r < 0)
		return -1;
	run_poststart(o->config, &s, o->warning);
	return 0;
}

int runtime_start_other(int state_fd, struct container_state *state,
			const struct runtime_config *config, struct err *warning, struct err *e)
{
	_cleanup_(fd_close) int control = -1;

	if (container_state_refresh(state, NULL, e) < 0 ||
	    (state->status == CONTAINER_PAUSED && runtime_refresh(state, NULL, e) < 0) ||
	    container_check(state->id, state->status, CONTAINER_DO_START, &state->status, e) < 0)
		return -1;
	control = start_socket_connect(state_fd);
	if (control < 0)
		return err_errno(e, control, "reaching container '%s'", state->id);
	if (go(control, config, state, e) < 0)
		return -1;
	if (container_state_write(state_fd, state, e) < 0)
		return -1;
	run_poststart(config, state, warning);
	return 0;
}

int runtime_signal(int pidfd, int signo, struct err *e)
{
	int r = pidfd_kill(pidfd, signo);

	if (r == -ESRCH)
		return err_set(e, ERR_NOT_FOUND, 0, "no such process: the container's has ended");
	return r < 0 ? err_errno(e, r, "sending signal %d", signo) : 0;
}

int runtime_kill_all(const char *cgroup_path, struct err *e)
{
	_cleanup_(runtime_cgroup_freep) struct runtime_cgroup *c = NULL;
	int r;

	if (runtime_cgroup_new(NULL, &c, e) < 0)
		return -1;
	r = cgroup_open(&c->host, cgroup_path, &c->cg);
	if (r == -ENOENT)
		return 0;
	if (r >= 0)
		r = cgroup_kill(&c->cg);
	return r < 0 ? err_errno(e, r, "killing the processes of cgroup '%s'", cgroup_path) : 0;
}

/* The root that was attached in the caller's own mount table. */
static int remove_root(const struct runtime_opts *o, struct err *e)
{
	_cleanup_(container_state_done) struct container_state s = CONTAINER_STATE_INIT;

	if (o->config->linux_.ns[OCI_NS_MOUNT].present || o->state_fd < 0)
		return 0;
	if (container_state_read(o->state_fd, &s, e) < 0)
		return -1;
	return root_mount_remove(&s, e);
}

int runtime_delete(const struct runtime_opts *o, struct container_proc *p, struct err *e)
{
	_cleanup_(buf_done) struct buf json = BUF_INIT(STATE_JSON_MAX);
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const struct container_state s = {.id = o->id,
					  .status = CONTAINER_STOPPED,
					  .bundle = o->bundle,
					  .rdt_class = runtime_rdt_class(&o->config->linux_, o->id),
					  .rdt_own =
						  str_empty(o->config->linux_.intel_rdt.clos_id)};
	const struct cgroup_host *known = p->cgroup ? &p->cgroup->host : o->cgroups;
	struct systemd_scope scope = {.unit = NULL};
	const char *path = find_cgroup(o, &a, &scope, e);

	if (!path)
		return -1;
	if (p->pidfd >= 0) {
		pidfd_kill(p->pidfd, 9);
		pidfd_wait_end(p->pidfd, END_TIMEOUT_MS);
	}
	if (runtime_cgroup_destroy(known, path, e) < 0 ||
	    (scope.unit && systemd_scope_stop(scope.unit, e) < 0) || remove_rdt(&s, e) < 0 ||
	    remove_root(o, e) < 0)
		return -1;
	if (!o->config->hooks[OCI_HOOK_POSTSTOP].n)
		return 0;
	if (container_state_json(&s, &json, e) < 0)
		return -1;
	runtime_hooks_run(o->config, OCI_HOOK_POSTSTOP, buf_str(&json), o->warning);
	return 0;
}

/* Whether delete may go on; CREATING means here that its creator died (see the top). */
static int check_delete(const struct container_state *s, bool force, struct err *e)
{
	enum container_status status = s->status, to;

	if (status == CONTAINER_CREATING)
		status = CONTAINER_STOPPED;
	return container_check(s->id, status,
			       force ? CONTAINER_DO_FORCE_DELETE : CONTAINER_DO_DELETE, &to, e);
}

/* On cgroup version 1 a frozen process dies when it thaws. */
static void thaw(const struct container_state *s)
{
	_cleanup_(runtime_cgroup_freep) struct runtime_cgroup *c = NULL;

	if (runtime_cgroup_open(s, &c, NULL) >= 0 && c && cgroup_frozen(&c->cg) > 0)
		cgroup_freeze(&c->cg, false, END_TIMEOUT_MS);
}

int runtime_delete_other(int state_fd, bool force, struct err *e)
{
	_cleanup_(container_state_done) struct container_state s = CONTAINER_STATE_INIT;
	_cleanup_(fd_close) int pidfd = -1;
	struct err why = ERR_INIT;

	if (container_state_read(state_fd, &s, &why) < 0) {
		/* Killed before the intent was written, or after everything was removed */
		if (why.class == ERR_NOT_FOUND)
			return 0;
		if (e)
			*e = why;
		return -1;
	}
	if (container_state_refresh(&s, &pidfd, e) < 0 || check_delete(&s, force, e) < 0)
		return -1;
	if (pidfd >= 0) {
		pidfd_kill(pidfd, 9);
		thaw(&s);
		if (pidfd_wait_end(pidfd, END_TIMEOUT_MS) == -ETIMEDOUT)
			return err_set(e, ERR_CONFLICT, 0, "container '%s' does not end", s.id);
	}
	if (FAILPOINT("runtime.delete.after_kill", e) < 0)
		return -1;
	if (s.cgroup_path && runtime_cgroup_destroy(NULL, s.cgroup_path, e) < 0)
		return -1;
	if ((s.scope && systemd_scope_stop(s.scope, e) < 0) || remove_rdt(&s, e) < 0)
		return -1;
	if (root_mount_remove(&s, e) < 0)
		return -1;
	return FAILPOINT("runtime.delete.after_cgroup", e);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Starting a container and staying with it.
 *
 *   this process                        its child, which becomes the monitor
 *   ------------                        ------------------------------------
 *   lock the run directory
 *   mount the root file system (detached)
 *   configuration, sockets, pipes
 *   fork ------------------------------> runtime_run: the container's PID 1 is its child
 *   client_await_start <- STARTED ------ says how it went
 *   row: running                         monitor_exec: shrinks to kogge-monitor
 *   client_run         <- EXITED ------- drains the output, records the exit
 *   end: cgroup, row, auto-remove
 *   ENDED -----------------------------> leaves
 *
 * A detached start (attach_opts.detach) hangs up where the other begins to stay: a monitor whose
 * client is gone does the end itself, as `kogge __end`.
 *
 * Killed at any point: before the fork the row has a dead lease and the run directory's lock is
 * free, so the next command undoes it; from the fork on the monitor holds the lock and ends the
 * container by itself. */
#include "engine/container-start-internal.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "base/trace.h"
#include "engine/event.h"
#include "engine/spec-life.h"
#include "kernel/sig.h"
#include "monitor/client.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the monitor's side ---- */

static _noreturn_ void fail(struct start *s, const struct err *e)
{
	struct monitor_msg m = {.type = MONITOR_FAILED};

	(void)!send(s->pair[1], &m, sizeof(m), MSG_NOSIGNAL);
	(void)!send(s->pair[1], e, sizeof(*e), MSG_NOSIGNAL);
	_exit(1);
}

static int dup_fd(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

void container_monitor_config(struct engine *en, const struct container *c,
			      struct monitor_config *m)
{
	const struct container_spec *spec = &c->spec;
	const struct spec_restart *r = &spec->restart;
	struct err ignored = ERR_INIT;

	memcpy(m->id, c->id, sizeof(m->id));
	m->terminal = spec->tty;
	m->shared_pids = spec->pid.mode == SPEC_NS_HOST || spec->pid.mode == SPEC_NS_CONTAINER;
	m->stdin_once = spec->interactive && spec->attach_in;
	m->restart.always =
		r->policy == SPEC_RESTART_ALWAYS || r->policy == SPEC_RESTART_UNLESS_STOPPED;
	m->restart.on_failure = r->policy == SPEC_RESTART_ON_FAILURE &&
				(!r->retries || c->restart_count < r->retries);
	if (!str_empty(spec->stop_signal))
		m->restart.stop_signal = MAX(sig_number(spec->stop_signal), 0);
	container_health_plan(spec, &m->health);
	if (spec_log_config(&spec->log, &m->log, &ignored) < 0)
		m->log.driver = LOG_NONE;
	memcpy(m->log.id, c->id, sizeof(m->log.id));
	snprintf(m->log.name, sizeof(m->log.name), "%s", c->name);
	snprintf(m->log.image, sizeof(m->log.image), "%s", spec->image);
	if (!m->log.tag[0])
		snprintf(m->log.tag, sizeof(m->log.tag), "%.12s", c->id);
	m->root_dir = store_root_fd(en->store);
	m->kogge = path_open_host("/proc/self/exe", O_PATH, 0);
	m->started = clock_now();
	snprintf(m->root, sizeof(m->root), "%s", en->root);
	snprintf(m->run_root, sizeof(m->run_root), "%s", en->run_root);
}

static void fill_monitor(struct start *s, struct container_proc *proc, struct monitor_config *m)
{
	const struct container_spec *spec = &s->c->spec;

	container_monitor_config(s->en, s->c, m);
	m->pid = proc->pid;
	m->pidfd = proc->pidfd;
	m->pin = proc->pin;
	m->client = s->pair[1];
	m->run_dir = s->run_dir;
	m->lock = s->lock;
	m->in_to = spec->tty ? dup_fd(proc->pty) : s->in[1];
	m->out_from = spec->tty ? proc->pty : s->out[0];
	m->err_from = spec->tty ? -1 : s->err_out[0];
	m->client_in = s->client_in;
	m->client_out = s->attach->detach ? -1 : dup_fd(s->attach->out);
	m->client_err = spec->tty || s->attach->detach ? -1 : dup_fd(s->attach->err_out);
}

static int connect_networks(void *arg, int netns, struct err *e)
{
	const struct start *s = arg;

	return endpoints_attach(&s->endpoints, store_run_fd(s->en->store), netns, e);
}

/* Starts the container as a child of this process. */
static int run_container(struct start *s, struct container_proc *ret, struct err *e)
{
	struct runtime_opts o = RUNTIME_OPTS_INIT;
	char cgroup[192];

	if (engine_cgroups(s->en, &o.cgroups, e) < 0)
		return -1;
	o.id = s->c->id;
	o.config = &s->config;
	o.rootfs_fd = s->rootfs;
	o.stdio[0] = s->in[0];
	o.stdio[1] = s->out[1];
	o.stdio[2] = s->err_out[1];
	o.block_signals = s->c->spec.init;
	o.keep_pin = true;
	o.cgroup_path = container_cgroup_path(s->c, cgroup);
	o.seccomp = s->seccomp.data;
	o.n_seccomp = s->seccomp.len;
	if (s->endpoints.n) {
		o.network = connect_networks;
		o.network_arg = s;
	}
	return runtime_run(&o, ret, e);
}

/* Goes on as the monitor of PROC. */
static _noreturn_ void become_monitor(struct start *s, struct container_proc *proc, int control)
{
	struct monitor_config m = MONITOR_CONFIG_INIT;
	struct err e = ERR_INIT;
	int r;

	fd_nonblock(proc->pty, true);
	m.control = control;
	m.oom_events = container_oom_events(proc->cgroup);
	m.cgroup_kill = container_cgroup_kill(proc->cgroup);
	fill_monitor(s, proc, &m);
	r = monitor_exec(s->program, &m);
	/* Nobody watches the container now: it must not go on. */
	err_errno(&e, r, "starting kogge-monitor");
	runtime_signal(proc->pidfd, SIGKILL, &e);
	_exit(1);
}

/* Runs in the child: starts the container and becomes its monitor. */
static _noreturn_ void be_monitor(struct start *s)
{
	struct container_proc proc = CONTAINER_PROC_INIT;
	struct monitor_msg started = {.type = MONITOR_STARTED};
	struct err e = ERR_INIT;
	int control;

	setsid();
	control = monitor_listen(s->run_dir);
	if (control < 0) {
		err_errno(&e, control, "making the container's control socket");
		fail(s, &e);
	}
	if (run_container(s, &proc, &e) < 0)
		fail(s, &e);
	TRACE("container started");
	started.a = proc.pid;
	(void)!send(s->pair[1], &started, sizeof(started), MSG_NOSIGNAL);
	if (s->attach->detach)
		engine_leave_service(s->en);
	become_monitor(s, &proc, control);
}

/* ---- this process's side ---- */

static int put_running(struct start *s, int pid, struct err *e)
{
	struct container *c = s->c;

	c->pid = pid;
	c->started = clock_now();
	c->finished = 0;
	c->exit_code = 0;
	c->oom = false;
	c->log_lost = 0;
	c->error = "";
	c->health = NULL;
	c->restarting = false;
	c->state = ENGINE_RUNNING;
	c->lease = 0;
	return container_store(s->en, c, false, e);
}

static int launch(struct start *s, struct err *e)
{
	pid_t pid = fork();
	int pid_of_init;

	if (pid < 0)
		return err_errno(e, errno, "starting the monitor");
	if (pid == 0)
		be_monitor(s);
	TRACE("monitor forked");
	/* From here on the monitor alone holds the pipes, so that their ends are seen. */
	fd_close(&s->pair[1]);
	fd_close(&s->client_in);
	for (int i = 0; i < 2; i++) {
		fd_close(&s->in[i]);
		fd_close(&s->out[i]);
		fd_close(&s->err_out[i]);
	}
	/* Else this process would be the last to hold it, and unmount it at its end. */
	fd_close(&s->rootfs);
	if (client_await_start(s->client, &pid_of_init, e) < 0)
		return -1;
	TRACE("start confirmed");
	/* Who starts it by hand starts its restarts anew. */
	s->c->restart_count = s->c->backoff_ms = 0;
	s->c->by_hand = false;
	if (put_running(s, pid_of_init, e) < 0)
		return -1;
	if (!s->attach->detach &&
	    (s->attach->in >= 0 || s->attach->out >= 0 || s->attach->err_out >= 0))
		event_container(s->en, s->c, "attach", NULL);
	volume_events_mounted(s->en, s->c, true);
	endpoints_tell(s->en, s->c, &s->endpoints);
	event_container(s->en, s->c, "start", NULL);
	/* The lock says from here on whether the monitor lives. */
	fd_close(&s->lock);
	return 0;
}

static int stay(struct start *s, struct container_exit *ret, struct err *e)
{
	struct client_exit how;
	struct monitor_msg ended = {.type = MONITOR_ENDED};

	if (s->attach->detach) {
		*ret = (struct container_exit){.detached = true};
		return 0;
	}
	do {
		if (client_run(s->client, &how, e) < 0)
			return -1;
		/* Goes on here where the exec fails: it only saves memory. */
		if (how.settled)
			client_exec(s->client, s->program);
	} while (how.settled);
	TRACE("container ended");
	*ret = (struct container_exit){.code = how.code, .oom = how.oom, .detached = how.detached};
	if (how.detached)
		return 0;
	/* What is to be restarted is the monitor's business alone; `update` may have said so. */
	if (s->c->spec.restart.policy != SPEC_RESTART_NO || how.policy) {
		ended.a = MONITOR_ENDS_ITSELF;
		(void)!send(s->pair[0], &ended, sizeof(ended), MSG_NOSIGNAL);
		return 0;
	}
	if (container_end(s->en, s->c->id, ret, e) < 0)
		return -1;
	ended.a = store_maintenance_due(s->en->store) ? MONITOR_ENDS_LOG : MONITOR_ENDS_NOTHING;
	(void)!send(s->pair[0], &ended, sizeof(ended), MSG_NOSIGNAL);
	TRACE("end done");
	return 0;
}

/* A start that failed: what was made for it goes; an auto-remove container goes too */
static void undo(struct start *s, const struct err *why)
{
	struct err ignored = ERR_INIT;

	mount_sources_done(&s->facts.sources, true);
	s->c->error = why->msg;
	s->c->exit_code = err_exit_code(why);
	container_failed(s->en, s->c, &ignored);
}

static int start_loaded(struct engine *en, struct container *c, bool fresh,
			const struct attach_opts *attach, struct container_exit *ret, struct err *e)
{
	_cleanup_(start_done) struct start s = START_INIT;

	s.en = en;
	s.c = c;
	s.fresh = fresh;
	s.attach = attach;

	if (start_prepare(&s, e) < 0 || FAILPOINT("engine.start.prepared", e) < 0 ||
	    launch(&s, e) < 0) {
		/* Somebody else's start of the same container is left alone. */
		if (s.lock >= 0 || (fresh && e->class != ERR_CONFLICT))
			undo(&s, e);
		return -1;
	}
	return stay(&s, ret, e);
}

int container_start(struct engine *en, const char *id, const struct attach_opts *attach,
		    struct container_exit *ret, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;

	if (engine_reconcile(en, e) < 0 || container_load(en, id, &c, e) < 0 ||
	    container_refresh_started(en, &c, e) < 0)
		return -1;
	/* Docker's start of what runs does nothing. */
	if (c.state == ENGINE_RUNNING && attach->detach) {
		*ret = (struct container_exit){.detached = true};
		return 0;
	}
	if (c.state == ENGINE_RUNNING)
		return err_set(e, ERR_CONFLICT, 0, "container %s is running already", c.name);
	return start_loaded(en, &c, false, attach, ret, e);
}

int container_run(struct engine *en, const struct container_spec *spec,
		  const struct attach_opts *attach, struct container_exit *ret, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	struct err ignored = ERR_INIT;

	if (engine_reconcile(en, e) < 0 || container_make(en, spec, true, &c, e) < 0)
		return -1;
	TRACE("container created");
	if (attach->created && attach->created(attach->arg, c.id, e) < 0) {
		container_failed(en, &c, &ignored);
		return -1;
	}
	return start_loaded(en, &c, true, attach, ret, e);
}

/* ---- restarts ---- */

int container_start_monitored(struct engine *en, const char *id, int lock, int control,
			      struct err *e)
{
	static const struct attach_opts none = {.in = -1, .out = -1, .err_out = -1, .detach = true};
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(start_done) struct start s = START_INIT;
	struct container_proc proc = CONTAINER_PROC_INIT;

	if (container_load(en, id, &c, e) < 0)
		return -1;
	s.en = en;
	s.c = &c;
	s.attach = &none;
	s.restart = true;
	s.lock = lock;
	s.run_dir = container_run_dir(en, id, false, e);
	if (s.run_dir < 0)
		return -1;
	/* Those that held processes of `exec` in the run before. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	if (start_prepare(&s, e) < 0 || run_container(&s, &proc, e) < 0) {
		undo(&s, e);
		return -1;
	}
	if (put_running(&s, proc.pid, e) < 0) {
		runtime_signal(proc.pidfd, SIGKILL, e);
		return -1;
	}
	endpoints_tell(en, &c, &s.endpoints);
	event_container(en, &c, "start", NULL);
	become_monitor(&s, &proc, control);
}

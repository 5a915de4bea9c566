/* SPDX-License-Identifier: Apache-2.0 */
/* stop, kill, pause, unpause, rename.
 *
 * PID 1 of a PID namespace is special (pid_namespaces(7)): from wherever a signal comes, the kernel
 * drops it unless PID 1 has a handler for it, blocks it (then it can take it by sigwait), or it is
 * SIGKILL or SIGSTOP. The signals that a process handles stand in /proc/<pid>/status. */
#include "engine/container-control.h"

#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "base/num.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/event.h"
#include "engine/network-internal.h"
#include "kernel/cgroup.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"
#include "kernel/sig.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { FREEZE_WAIT_MS = 10000, STOP_TIMEOUT = 10, STATUS_MAX = 1 << 16 };

int container_change(struct engine *en, const char *id, container_change_fn fn, void *arg,
		     struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;

	if (store_begin(en->store, false, e) < 0)
		return -1;
	if (container_load(en, id, &c, e) < 0 || fn(&c, arg, e) != 0 ||
	    container_store(en, &c, false, e) < 0) {
		store_abort(en->store);
		return -1;
	}
	return store_commit(en->store, e);
}

int container_need_running(const struct container *c, bool even_paused, struct err *e)
{
	if (c->state != ENGINE_RUNNING)
		return err_set(e, ERR_CONFLICT, 0, "container %s is not running", c->id);
	if (c->restarting && !even_paused)
		return err_set(e, ERR_CONFLICT, 0,
			       "container %s is restarting, wait until the container is running",
			       c->id);
	if (c->paused && !even_paused)
		return err_set(e, ERR_CONFLICT, 0,
			       "container %s is paused, unpause the container first", c->name);
	return 0;
}

/* ---- the freezer ---- */

int container_cgroup_open(const struct container *c, struct cgroup_host *host, struct cgroup *cg,
			  struct err *e)
{
	char path[192];
	int r = cgroup_host_open(host);

	if (r == 0)
		r = cgroup_open(host, container_cgroup_path(c, path), cg);
	return r < 0 ? err_errno(e, r, "opening the cgroup of container %.12s", c->id) : 0;
}

static int thaw(const struct container *c, struct err *e)
{
	_cleanup_(cgroup_host_done) struct cgroup_host host = CGROUP_HOST_INIT;
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;
	int r;

	if (container_cgroup_open(c, &host, &cg, e) < 0)
		return -1;
	r = cgroup_freeze(&cg, false, FREEZE_WAIT_MS);
	return r < 0 ? err_errno(e, r, "thawing the processes of container %.12s", c->id) : 0;
}

int container_thaw(const struct container *c, struct err *e)
{
	struct err why = ERR_INIT;

	if (thaw(c, &why) == 0 || why.class == ERR_NOT_FOUND)
		return 0;
	*e = why;
	return -1;
}

/* A change of the row of one run. */
struct pausing {
	bool on;
	int64_t started; /* which run; 0 for the one that there is, and then filled in */
};

static int set_paused(struct container *c, void *arg, struct err *e)
{
	struct pausing *p = arg;

	if (c->state != ENGINE_RUNNING || (p->started && c->started != p->started))
		return err_set(e, ERR_CONFLICT, 0, "container %s is not running", c->id);
	c->paused = p->on;
	p->started = c->started;
	return 0;
}

/* Whether the run that was frozen is still the one that its row says is paused. */
static bool is_still_paused(struct engine *en, const char *id, const struct pausing *p)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	struct err ignored = ERR_INIT;

	return container_load(en, id, &c, &ignored) == 0 && c.state == ENGINE_RUNNING && c.paused &&
	       c.started == p->started;
}

/* Freezes CG, which was opened before its row said so: where the container has been started anew
 * meanwhile that is the cgroup of the run before, and not one in which a start would stop for ever.
 */
static int pause_cgroup(struct engine *en, const struct container *c, const struct cgroup *cg,
			struct err *e)
{
	struct pausing p = {.on = true};
	struct err ignored = ERR_INIT;
	int r;

	if (container_change(en, c->id, set_paused, &p, e) < 0)
		return -1;
	r = FAILPOINT("engine.pause.recorded", e) < 0 ? -1
						      : cgroup_freeze(cg, true, FREEZE_WAIT_MS);
	if (r == 0 && is_still_paused(en, c->id, &p))
		return 0;
	cgroup_freeze(cg, false, FREEZE_WAIT_MS);
	p.on = false;
	container_change(en, c->id, set_paused, &p, &ignored);
	if (r < 0 && e->class == ERR_NONE && r != -ENODEV && r != -ENOENT)
		return err_errno(e, r, "freezing the processes of container %.12s", c->id);
	return e->class != ERR_NONE
		       ? -1
		       : err_set(e, ERR_CONFLICT, 0, "container %s is not running", c->id);
}

/* The row goes first: who is killed on the way leaves a container that can be let go on, never one
 * that is frozen and nobody knows. */
int container_pause(struct engine *en, const char *ref, struct err *e)
{
	_cleanup_(cgroup_host_done) struct cgroup_host host = CGROUP_HOST_INIT;
	_cleanup_(cgroup_done) struct cgroup cg = CGROUP_INIT;
	_cleanup_(container_done) struct container c = CONTAINER_INIT;

	if (container_load_now(en, ref, &c, e) < 0)
		return -1;
	if (c.state != ENGINE_RUNNING)
		return err_set(e, ERR_CONFLICT, 0, "container %s is not running", c.id);
	if (c.restarting)
		return container_need_running(&c, false, e);
	if (c.paused)
		return err_set(e, ERR_CONFLICT, 0, "container %s is already paused", c.id);
	if (container_cgroup_open(&c, &host, &cg, e) < 0)
		return -1;
	if (pause_cgroup(en, &c, &cg, e) < 0)
		return -1;
	event_container(en, &c, "pause", NULL);
	return 0;
}

static int unpause(struct engine *en, struct container *c, struct err *e)
{
	struct pausing off = {.on = false};

	if (thaw(c, e) < 0 || FAILPOINT("engine.unpause.thawed", e) < 0 ||
	    container_change(en, c->id, set_paused, &off, e) < 0)
		return -1;
	c->paused = false;
	event_container(en, c, "unpause", NULL);
	return 0;
}

int container_unpause(struct engine *en, const char *ref, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;

	if (container_load_now(en, ref, &c, e) < 0)
		return -1;
	if (c.state != ENGINE_RUNNING || !c.paused)
		return err_set(e, ERR_CONFLICT, 0, "container %s is not paused", c.id);
	return unpause(en, &c, e);
}

/* ---- signals ---- */

static int stop_signal(const struct container *c)
{
	int signo = str_empty(c->spec.stop_signal) ? -1 : sig_number(c->spec.stop_signal);

	return signo > 0 ? signo : SIGTERM;
}

/* What is to end a paused container lets it go on, as in Docker: frozen it would never get it. */
static int send_signal(struct engine *en, struct container *c, int signo, bool for_good,
		       struct err *e)
{
	struct monitor_msg m = {.type = MONITOR_SIGNAL, .a = signo, .b = for_good};
	struct err ignored = ERR_INIT;

	if (container_ask(en, c->id, &m, e) < 0)
		return -1;
	if (m.type == MONITOR_DONE && m.a < 0)
		return err_errno(e, m.a, "sending signal %d", signo);
	event_container_killed(en, c, signo);
	if (c->paused && (signo == SIGKILL || signo == stop_signal(c)))
		unpause(en, c, &ignored);
	return 0;
}

int container_kill(struct engine *en, const char *ref, int signo, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;

	if (container_load_now(en, ref, &c, e) < 0)
		return -1;
	if (container_need_running(&c, true, e) < 0)
		return -1;
	return send_signal(en, &c, signo, false, e);
}

/* ---- stop ---- */

/* The last number of "NSpid:": what the process is in its own PID namespace. */
static bool is_init(const char *status)
{
	const char *at = strstr(status, "\nNSpid:");
	const char *end = at ? strchr(at + 1, '\n') : NULL;

	return end && end[-1] == '1' && isspace((unsigned char)end[-2]);
}

static bool in_mask(const char *status, const char *name, int signo)
{
	const char *at = strstr(status, name);
	uint64_t mask = 0;

	for (at = at ? at + strlen(name) : ""; isxdigit((unsigned char)*at); at++)
		mask = mask << 4 | (uint64_t)(*at <= '9' ? *at - '0' : (*at | 0x20) - 'a' + 10);
	return mask >> (signo - 1) & 1;
}

/* Whether it waits by sigwait: for as long as it does, what it waits for does not count as blocked
 * in /proc, and is not dropped either. */
static bool is_waiting(int proc, pid_t pid)
{
	_cleanup_(freep) char *text = NULL;
	char number[16];

	if (proc_read(proc, pid, "syscall", STATUS_MAX, &text) < 0)
		return false;
	snprintf(number, sizeof(number), "%d ", (int)SYS_rt_sigtimedwait);
	return str_after(text, number) != NULL;
}

/* Whether the signal is dropped before PID can see it. In doubt it is not. */
static bool is_deaf(pid_t pid, int signo)
{
	_cleanup_(fd_close) int proc = proc_open(0);
	_cleanup_(freep) char *status = NULL;

	if (signo == SIGKILL || signo == SIGSTOP || proc < 0 || pid <= 0 ||
	    proc_read(proc, pid, "status", STATUS_MAX, &status) < 0 ||
	    in_mask(status, "\nSigBlk:\t", signo))
		return false;
	if (in_mask(status, "\nSigIgn:\t", signo))
		return true;
	return is_init(status) && !in_mask(status, "\nSigCgt:\t", signo) && !is_waiting(proc, pid);
}

static int say_deaf(const struct container *c, const struct stop_opts *o, int signo, int timeout)
{
	char text[512], name[SIG_NAME_SIZE], when[32] = "killed at once";

	if (timeout > 0)
		snprintf(when, sizeof(when), "killed after %d seconds", timeout);
	if (timeout < 0)
		snprintf(when, sizeof(when), "waited for");
	snprintf(text, sizeof(text),
		 "container %.128s: its PID 1 does not handle SIG%s, so that the kernel drops it: "
		 "it is %s (give it --init, or a --stop-signal that it handles)",
		 c->name, sig_name(signo, name), when);
	if (o->notice)
		o->notice(o->arg, text);
	return timeout;
}

/* Seconds to wait before SIGKILL. */
static int patience(const struct container *c, const struct stop_opts *o, int signo)
{
	bool told = o->timeout != STOP_TIMEOUT_DEFAULT;
	int timeout = told                        ? o->timeout
		      : c->spec.stop_timeout >= 0 ? c->spec.stop_timeout
						  : STOP_TIMEOUT;

	if (timeout == 0 || !is_deaf(c->pid, signo))
		return timeout;
	return say_deaf(c, o, signo, told ? timeout : 0);
}

/* 1: it has ended, 0: the time is up. */
static int await_exit(int sock, int64_t timeout_ms)
{
	int64_t end = clock_monotonic() / 1000000 + timeout_ms;

	for (;;) {
		int64_t left = end - clock_monotonic() / 1000000;
		struct pollfd f = {.fd = sock, .events = POLLIN};
		struct monitor_msg m;
		int r = poll(&f, 1, timeout_ms < 0 ? -1 : (int)MAX(left, INT64_C(0)));

		if (r == 0)
			return 0;
		if (r < 0)
			continue;
		if (recv(sock, &m, sizeof(m), 0) != (ssize_t)sizeof(m) || m.type == MONITOR_EXITED)
			return 1;
	}
}

static int stop_running(struct engine *en, struct container *c, const struct stop_opts *o,
			struct err *e)
{
	int signo = o->signal ? o->signal : stop_signal(c), timeout = patience(c, o, signo), code;
	_cleanup_(fd_close) int run_dir = container_run_dir(en, c->id, false, e);
	_cleanup_(fd_close) int sock = run_dir < 0 ? -1 : monitor_connect(run_dir);
	const struct monitor_msg wait = {.type = MONITOR_WAIT};
	struct err gone = ERR_INIT;

	if (sock >= 0 && send(sock, &wait, sizeof(wait), MSG_NOSIGNAL) > 0) {
		send_signal(en, c, signo, true, &gone);
		/* Frozen it would never end. */
		if (c->paused)
			unpause(en, c, &gone);
		if (!await_exit(sock, timeout < 0 ? -1 : (int64_t)timeout * 1000)) {
			send_signal(en, c, SIGKILL, true, &gone);
			await_exit(sock, -1);
		}
	}
	if (container_await_end(en, c->id, &code, &gone) < 0 && gone.class != ERR_NOT_FOUND) {
		*e = gone;
		return -1;
	}
	event_container(en, c, "stop", NULL);
	return 0;
}

int container_stop(struct engine *en, const char *ref, const struct stop_opts *opts, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;

	if (container_load_now(en, ref, &c, e) < 0)
		return -1;
	return c.state == ENGINE_RUNNING ? stop_running(en, &c, opts, e) : 0;
}

/* ---- restart ---- */

static int set_auto_remove(struct container *c, void *arg, struct err *e)
{
	const bool *on = arg;

	c->spec.auto_remove = *on;
	return 0;
}

int container_restart(struct engine *en, const char *ref, const struct stop_opts *opts,
		      struct err *e)
{
	const struct attach_opts detached = {.in = -1, .out = -1, .err_out = -1, .detach = true};
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	struct container_exit end;
	bool off = false, on = true;

	if (container_load_now(en, ref, &c, e) < 0 ||
	    (c.spec.auto_remove && container_change(en, c.id, set_auto_remove, &off, e) < 0))
		return -1;
	if ((c.state == ENGINE_RUNNING && stop_running(en, &c, opts, e) < 0) ||
	    FAILPOINT("engine.restart.stopped", e) < 0 ||
	    (c.spec.auto_remove && container_change(en, c.id, set_auto_remove, &on, e) < 0) ||
	    container_start(en, c.id, &detached, &end, e) < 0)
		return -1;
	event_container(en, &c, "restart", NULL);
	return 0;
}

/* ---- rename ---- */

/* Docker's rule for names: [a-zA-Z0-9][a-zA-Z0-9_.-]+ */
static bool is_name(const char *s)
{
	size_t n = strlen(s);

	if (n < 2 || n > CONTAINER_NAME_MAX || !isalnum((unsigned char)s[0]))
		return false;
	for (const char *p = s; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
			return false;
	return true;
}

int container_rename(struct engine *en, const char *ref, const char *name, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	char old[CONTAINER_NAME_MAX + 2];
	const char *const extra[] = {"oldName", old, NULL};

	name += *name == '/';
	if (!*name)
		return err_set(e, ERR_INVALID, 0,
			       "neither old nor new names of a container may be empty");
	if (container_load_now(en, ref, &c, e) < 0)
		return -1;
	if (!is_name(name))
		return err_set(e, ERR_INVALID, 0,
			       "invalid container name (%.200s), only [a-zA-Z0-9][a-zA-Z0-9_.-] "
			       "are allowed",
			       name);
	if (str_eq(c.name, name))
		return err_set(e, ERR_INVALID, 0,
			       "renaming a container with the same name as its current name");
	if (container_row_rename(en->store, c.id, name, e) < 0)
		return -1;
	snprintf(old, sizeof(old), "/%s", c.name);
	c.name = name;
	if (c.state == ENGINE_RUNNING && container_has_endpoints(&c))
		keeper_poke(store_run_fd(en->store));
	event_container(en, &c, "rename", extra);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/container-exec.h"

#include "base/buf.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/trace.h"
#include "engine/container-exec-internal.h"
#include "engine/engine-internal.h"
#include "engine/event.h"
#include "kernel/pidfd.h"
#include "kernel/proc-info.h"
#include "kernel/proc.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>

enum { FILTER_MAX = 1 << 20, TITLE_MAX = 4096 };

void container_exec_done(struct container_exec *x)
{
	exec_proc_done(&x->proc);
	fd_close(&x->watch);
}

/* What the request needs while it is put together. */
struct request {
	struct engine *en;
	const struct container *c;
	const struct exec_spec *spec;
	int proc, pidfd, root;
	struct runtime_config config; /* of it the process alone */
	struct buf seccomp;
};

static void request_done(struct request *r)
{
	fd_close(&r->proc);
	fd_close(&r->pidfd);
	fd_close(&r->root);
	runtime_config_done(&r->config);
	buf_done(&r->seccomp);
}

/* Whether the process belongs to the container: a number alone may be another process's by now. */
static bool in_cgroup(const struct request *r, struct arena *a)
{
	struct proc_cgroup *v;
	char path[192];
	size_t n;

	if (proc_read_cgroup(r->proc, r->c->pid, a, &v, &n) < 0)
		return false;
	container_cgroup_path(r->c, path);
	for (size_t i = 0; i < n; i++)
		if (strstr(v[i].path, path) || strstr(v[i].path, r->c->id))
			return true;
	return false;
}

static int open_target(struct request *r, struct err *e)
{
	r->proc = proc_open(0);
	if (r->proc < 0)
		return err_errno(e, r->proc, "opening /proc");
	r->pidfd = r->c->pid > 0 ? pidfd_of(r->proc, r->c->pid, 0) : -ESRCH;
	if (r->pidfd == -ESRCH || (r->pidfd >= 0 && !in_cgroup(r, &r->config.arena)))
		return err_set(e, ERR_CONFLICT, 0, "container %s is not running", r->c->id);
	if (r->pidfd < 0)
		return err_errno(e, r->pidfd, "opening PID 1 of container %.12s", r->c->id);
	r->root = proc_open_magic(r->proc, r->c->pid, "root", O_PATH | O_DIRECTORY);
	if (r->root < 0)
		return err_errno(e, r->root, "opening the root of container %.12s", r->c->id);
	return 0;
}

/* The container's variables, then those of the request, which win. */
static int join_env(struct request *r, struct container_spec *s, struct err *e)
{
	const char *const *parts[] = {s->env, r->spec->env};
	const char **v = NULL;
	size_t n = 0;
	int got = 0;

	for (size_t p = 0; p < ARRAY_SIZE(parts); p++)
		for (size_t i = 0; parts[p] && parts[p][i] && got == 0; i++)
			got = arena_strv_push(&r->config.arena, &v, &n, parts[p][i]);
	s->env = v;
	return got < 0 ? err_set(e, ERR_LIMIT, ENOMEM, "joining the environment") : 0;
}

/* The container's process as it would be started now, changed as SPEC says. */
static int make_process(struct request *r, struct err *e)
{
	struct container changed = *r->c;
	struct start_facts f = {.en = r->en,
				.c = &changed,
				.rootfs = r->root,
				.rows = r->spec->rows,
				.columns = r->spec->columns,
				.shared_shm = -1};
	uint64_t caps;

	changed.spec.tty = r->spec->tty;
	changed.spec.init = false;
	if (!str_empty(r->spec->user))
		changed.spec.user = r->spec->user;
	if (!str_empty(r->spec->workdir))
		changed.spec.workdir = r->spec->workdir;
	if (r->spec->privileged)
		changed.spec.privileged = true;
	if (join_env(r, &changed.spec, e) < 0 ||
	    runtime_put_process(&f, r->spec->args, &r->config, e) < 0)
		return -1;
	/* The filter stays the container's own, also with --privileged, as in Docker. */
	if (container_capabilities(&r->c->spec, &caps, e) < 0)
		return -1;
	return container_seccomp(&r->c->spec, caps, &r->seccomp, e);
}

static int start(struct request *r, const int stdio[3], struct exec_proc *ret, struct err *e)
{
	struct runtime_exec x = RUNTIME_EXEC_INIT;
	char cgroup[192];

	x.pid = r->c->pid;
	x.pidfd = r->pidfd;
	x.process = &r->config.process;
	memcpy(x.stdio, stdio, sizeof(x.stdio));
	x.cgroup_path = container_cgroup_path(r->c, cgroup);
	x.seccomp = r->seccomp.data;
	x.n_seccomp = r->seccomp.len;
	x.keyring_id = r->c->id;
	return runtime_exec(&x, ret, e);
}

/* "exec_start: ls -l", as Docker names these events. */
static void tell(struct engine *en, const struct container *c, const char *action,
		 const struct exec_spec *spec, const char *exec_id)
{
	_cleanup_(buf_done) struct buf title = BUF_INIT(TITLE_MAX);
	const char *const extra[] = {"execID", exec_id, NULL};

	(void)buf_printf(&title, "%s: %s ", action, spec->args[0]);
	for (size_t i = 1; spec->args[i]; i++)
		(void)buf_printf(&title, "%s%s", i > 1 ? " " : "", spec->args[i]);
	event_container(en, c, buf_str(&title), extra);
}

/* ERR_NOT_FOUND is for the container: a user who is not there is a wrong request. */
static int not_the_container(struct err *e)
{
	if (e->class == ERR_NOT_FOUND)
		e->class = ERR_INVALID;
	return -1;
}

static int check_state(const struct container *c, struct err *e)
{
	if (c->state != ENGINE_RUNNING)
		return err_set(e, ERR_CONFLICT, 0, "container %s is not running", c->id);
	if (c->restarting)
		return err_set(e, ERR_CONFLICT, 0,
			       "container %s is restarting, wait until the container is running",
			       c->id);
	if (c->paused)
		return err_set(e, ERR_CONFLICT, 0,
			       "container %s is paused, unpause the container before exec",
			       c->name);
	return 0;
}

/* From here on the monitor knows of it, and has the pin: to close it is not waited for. Where there
 * is none (it ends with the container in this moment) the process's end is this one's matter alone.
 */
static void tell_monitor(struct engine *en, const struct container *c, struct container_exec *x)
{
	_cleanup_(fd_close) int run_dir = container_run_dir(en, c->id, false, NULL);
	struct monitor_exec m = {.m = {.type = MONITOR_EXEC, .a = x->proc.pid}};
	int fds[3] = {x->proc.pidfd};
	size_t n = 1;

	x->watch = run_dir < 0 ? -1 : monitor_connect(run_dir);
	if (x->watch < 0)
		return;
	memcpy(m.id, x->exec_id, sizeof(m.id));
	if (x->proc.pty >= 0)
		fds[n++] = x->proc.pty;
	if (x->proc.pin >= 0)
		fds[n++] = x->proc.pin;
	m.m.b = x->proc.pin >= 0;
	if (fd_send(x->watch, &m, sizeof(m), fds, n) < 0)
		fd_close(&x->watch);
	else
		fd_close(&x->proc.pin);
}

/* As container_exec_start, in the container C as it is recorded now. */
static int start_in(struct engine *en, const struct container *c, const struct exec_spec *spec,
		    const int stdio[3], struct container_exec *ret, struct err *e)
{
	_cleanup_(request_done) struct request r = {.en = en,
						    .c = c,
						    .spec = spec,
						    .proc = -1,
						    .pidfd = -1,
						    .root = -1,
						    .config = RUNTIME_CONFIG_INIT,
						    .seccomp = BUF_INIT(FILTER_MAX)};
	char exec_id[ID_SIZE];
	int n = id_new(exec_id);

	if (n < 0)
		return err_errno(e, n, "making an identifier");
	if (check_state(c, e) < 0 || open_target(&r, e) < 0)
		return -1;
	TRACE("container found");
	if (make_process(&r, e) < 0)
		return not_the_container(e);
	tell(en, c, "exec_create", spec, exec_id);
	TRACE("process described");
	if (start(&r, stdio, &ret->proc, e) < 0)
		return not_the_container(e);
	TRACE("process started");
	memcpy(ret->exec_id, exec_id, sizeof(exec_id));
	tell_monitor(en, c, ret);
	tell(en, c, "exec_start", spec, exec_id);
	return 0;
}

int container_exec_start(struct engine *en, const char *ref, const struct exec_spec *spec,
			 const int stdio[3], struct container_exec *ret, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;

	return container_load_now(en, ref, &c, e) < 0 ? -1 : start_in(en, &c, spec, stdio, ret, e);
}

/* Tells of the end: first whoever follows the events, then the monitor. C NULL: the container is
 * gone. */
static void tell_end(struct engine *en, const struct container *c, const struct container_exec *x,
		     int code)
{
	const struct monitor_msg told = {.type = MONITOR_EXEC_ENDED};
	char number[16];
	const char *const extra[] = {"execID", x->exec_id, "exitCode", number, NULL};

	snprintf(number, sizeof(number), "%d", code);
	if (c)
		event_container(en, c, "exec_die", extra);
	if (x->watch >= 0)
		(void)!send(x->watch, &told, sizeof(told), MSG_NOSIGNAL);
}

void container_exec_ended(struct engine *en, const char *ref, const struct container_exec *x,
			  int code)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	struct err ignored = ERR_INIT;
	char id[ID_SIZE];
	bool there = container_resolve(en, ref, id, &ignored) == 0 &&
		     container_load(en, id, &c, &ignored) == 0;

	tell_end(en, there ? &c : NULL, x, code);
}

json_t *container_exec_ids(struct engine *en, const struct container *c)
{
	enum { LEN = ID_SIZE - 1, MAX_SIZE = sizeof(struct monitor_msg) + MONITOR_EXECS_MAX * LEN };
	_cleanup_(freep) char *text = malloc(MAX_SIZE);
	const struct monitor_msg ask = {.type = MONITOR_ASK_EXECS};
	struct err ignored = ERR_INIT;
	struct monitor_msg head = {.a = 0};
	json_t *ids = json_array();
	ssize_t n = text ? container_ask_text(en, c->id, &ask, text, MAX_SIZE, &ignored) : -1;

	if (n >= (ssize_t)sizeof(head))
		memcpy(&head, text, sizeof(head));
	for (ssize_t i = 0; i < head.a && (ssize_t)sizeof(head) + (i + 1) * LEN <= n; i++)
		json_array_append_new(ids, json_stringn(text + sizeof(head) + i * LEN, LEN));
	return ids;
}

int container_exec_run(struct engine *en, const char *ref, const struct exec_spec *spec,
		       const struct attach_opts *attach, struct container_exit *ret, struct err *e)
{
	_cleanup_(container_exec_done) struct container_exec x = CONTAINER_EXEC_INIT;
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(exec_io_done) struct exec_io io = EXEC_IO_INIT;

	if (!spec->tty && exec_io_init(&io, attach, e) < 0)
		return -1;
	if (container_load_now(en, ref, &c, e) < 0 || start_in(en, &c, spec, io.stdio, &x, e) < 0)
		return -1;
	*ret = (struct container_exit){.code = 0};
	if (exec_io_run(spec->tty ? NULL : &io, &x, attach, ret, e) < 0)
		return -1;
	/* The monitor lets somebody hold it. */
	if (ret->detached)
		return 0;
	TRACE("process ended");
	/* By the name that it began with: looking for a new one would be a tenth of its time. */
	tell_end(en, &c, &x, ret->code);
	return 0;
}

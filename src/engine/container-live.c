/* SPDX-License-Identifier: Apache-2.0 */
/* The run directory of a container, <run root>/containers/<id>: the lock that its monitor holds,
 * the control socket, the exit record, and the files that are mounted into it. It dies with the
 * boot. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/event.h"
#include "engine/mount-internal.h"
#include "kernel/cgroup.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"
#include "runtime/container.h"
#include "store/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

enum { START_WAIT_MS = 2000 };

int container_run_dir(struct engine *en, const char *id, bool make, struct err *e)
{
	char rel[sizeof("containers/") + ID_SIZE];
	int fd;

	snprintf(rel, sizeof(rel), "containers/%s", id);
	fd = make ? path_mkdirs(store_run_fd(en->store), rel, 0700, PATH_NO_SYMLINKS)
		  : path_open_own(store_run_fd(en->store), rel, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return err_errno(e, fd, "opening the run directory of container %.12s", id);
	return fd;
}

const char *container_cgroup_path(const struct container *c, char out[192])
{
	const char *parent = c->spec.resources.cgroup_parent;

	while (parent && *parent == '/')
		parent++;
	snprintf(out, 192, "%.100s/%s", str_empty(parent) ? "kogge" : parent, c->id);
	return out;
}

int container_own(struct engine *en, const char *id, int *ret_run_dir, int *ret_lock, struct err *e)
{
	struct err gone = ERR_INIT;

	for (;;) {
		_cleanup_(fd_close) int dir = container_run_dir(en, id, false, &gone);
		_cleanup_(fd_close) int lock = -1;

		if (dir < 0)
			dir = container_run_dir(en, id, true, e);
		if (dir < 0)
			return -1;
		lock = monitor_lock(dir);
		if (lock == -EWOULDBLOCK)
			return 0;
		/* Its owner removed it meanwhile. */
		if (lock == -ESTALE || lock == -ENOENT)
			continue;
		if (lock < 0)
			return err_errno(e, lock, "locking container %.12s", id);
		*ret_run_dir = TAKE_FD(dir);
		*ret_lock = TAKE_FD(lock);
		return 1;
	}
}

/* Reads the row anew, for the owner of the lock: it may have changed before the lock was had. Where
 * it is gone so is the run directory; ERR_NOT_FOUND. */
int container_reload(struct engine *en, struct container *c, struct err *e)
{
	struct container now = CONTAINER_INIT;
	struct err why = ERR_INIT;

	if (container_load(en, c->id, &now, &why) < 0) {
		if (why.class == ERR_NOT_FOUND)
			container_run_dir_remove(en, c->id);
		if (e)
			*e = why;
		return -1;
	}
	container_done(c);
	*c = now;
	return 0;
}

bool container_held(struct engine *en, const char *id)
{
	char rel[sizeof("containers/") + ID_SIZE + sizeof("/" MONITOR_LOCK)];
	_cleanup_(fd_close) int fd = -1;

	snprintf(rel, sizeof(rel), "containers/%s/" MONITOR_LOCK, id);
	fd = path_open_own(store_run_fd(en->store), rel, O_RDWR, 0);
	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* The container's program runs, and can be seen to, a moment before its row says so: whoever saw
 * it must find it running. The monitor-to-be listens before it starts the program and answers
 * afterwards, so that asking it is waiting for it. */
static int await_row(struct engine *en, struct container *c, struct err *e)
{
	struct monitor_msg m = {.type = MONITOR_ASK_PID};
	struct err gone = ERR_INIT;
	char id[ID_SIZE];

	if (container_ask(en, c->id, &m, &gone) < 0 || m.type != MONITOR_STARTED || m.a <= 0)
		return 0;
	memcpy(id, c->id, sizeof(id));
	container_done(c);
	*c = CONTAINER_INIT;
	if (container_load(en, id, c, e) < 0)
		return -1;
	if (c->state == ENGINE_RUNNING || !c->lease)
		return 0;
	/* Whoever started it is about to write just this, or was killed: then it is adopted. */
	c->state = ENGINE_RUNNING;
	c->pid = m.a;
	c->started = clock_now();
	return 0;
}

int container_refresh_started(struct engine *en, struct container *c, struct err *e)
{
	if (c->state != ENGINE_RUNNING && c->lease && await_row(en, c, e) < 0)
		return -1;
	return container_refresh(en, c, e);
}

int container_refresh(struct engine *en, struct container *c, struct err *e)
{
	_cleanup_(fd_close) int run_dir = -1, lock = -1;
	int r;

	if (c->state != ENGINE_RUNNING || container_held(en, c->id))
		return 0;
	/* After a reboot there is no run directory: nothing runs. */
	r = container_own(en, c->id, &run_dir, &lock, e);
	if (r <= 0)
		return r;
	if (container_reload(en, c, e) < 0)
		return -1;
	if (c->state == ENGINE_RUNNING)
		return container_end_owned(en, c, run_dir, NULL, e);
	container_run_dir_remove(en, c->id);
	return 0;
}

int container_claim(struct engine *en, struct container *c, int *ret_run_dir, int *ret_lock,
		    struct err *e)
{
	int r = container_own(en, c->id, ret_run_dir, ret_lock, e);

	if (r <= 0)
		return r;
	if (container_reload(en, c, e) < 0)
		return -1;
	/* From here on a death of this process is seen by engine_reconcile. */
	c->lease = store_lease(en->store, e);
	return c->lease && container_store(en, c, false, e) == 0 ? 1 : -1;
}

/* Opens FILE in the cgroup's hierarchy that has one of CONTROLLERS. */
static int cgroup_file(const struct cgroup *cg, uint32_t controllers, const char *file, int flags)
{
	int fd = -1;

	for (size_t i = 0; cg && fd < 0 && i < cg->host->n; i++)
		if (cgroup_has(cg, i) && (cg->host->h[i].controllers & controllers))
			fd = path_open_own(cg->dir[i], file, flags, 0);
	return fd < 0 ? -1 : fd;
}

int container_oom_events(const struct runtime_cgroup *cg)
{
	int fd = cg ? cgroup_file(&cg->cg, CGROUP_MEMORY, "memory.oom_control", O_RDONLY) : -1;

	if (fd >= 0 || !cg)
		return fd;
	return cgroup_file(&cg->cg, CGROUP_UNIFIED, "memory.events", O_RDONLY);
}

int container_cgroup_kill(const struct runtime_cgroup *cg)
{
	return !cg ? -1 : cgroup_file(&cg->cg, CGROUP_UNIFIED, "cgroup.kill", O_WRONLY);
}

/* The process that started it died, and somebody has the lock: its monitor, so the start had
 * succeeded; or another process that does the same as this one, which then has the last word. */
static int adopt(struct engine *en, const struct container_row *row, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	struct monitor_msg m = {.type = MONITOR_ASK_PID};
	struct err gone = ERR_INIT;

	/* It has no monitor yet, or none any more: another command finds out. */
	if (container_ask(en, row->id, &m, &gone) < 0 || m.type != MONITOR_STARTED || m.a <= 0)
		return 0;
	if (store_begin(en->store, false, e) < 0)
		return -1;
	if (container_load(en, row->id, &c, &gone) == 0 && c.lease == row->lease) {
		c.state = ENGINE_RUNNING;
		c.started = clock_now();
		c.pid = m.a;
		c.lease = 0;
		if (container_store(en, &c, false, e) < 0) {
			store_abort(en->store);
			return -1;
		}
	}
	return store_commit(en->store, e);
}

/* A row that its process left half way: a container that was being started. */
static int reconcile_row(struct engine *en, const struct container_row *row, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(fd_close) int run_dir = -1, lock = -1;
	struct err gone = ERR_INIT;
	int r;

	if (store_lease_alive(en->store, row->lease))
		return 0;
	r = container_own(en, row->id, &run_dir, &lock, e);
	if (r <= 0)
		return r < 0 ? -1 : adopt(en, row, e);
	memcpy(c.id, row->id, sizeof(c.id));
	if (container_reload(en, &c, &gone) < 0)
		return gone.class == ERR_NOT_FOUND ? 0 : (*e = gone, -1);
	if (c.lease != row->lease) {
		if (c.state != ENGINE_RUNNING)
			container_run_dir_remove(en, c.id);
		return 0;
	}
	if (c.state == ENGINE_RUNNING || container_has_record(run_dir))
		return container_end_owned(en, &c, run_dir, NULL, e);
	c.error = "its start was broken off";
	return container_failed(en, &c, e);
}

static int reconcile_one(void *arg, const struct container_row *row, struct err *e)
{
	struct err why = ERR_INIT;

	if (reconcile_row(arg, row, &why) == 0)
		return 0;
	/* Another command has done it meanwhile, and the container is gone. */
	if (why.class == ERR_NOT_FOUND)
		return 0;
	*e = why;
	return -1;
}

int engine_reconcile(struct engine *en, struct err *e)
{
	return container_row_each_leased(en->store, reconcile_one, en, e);
}

/* Sends M to the monitor. The connection, on which it answers; ERR_NOT_FOUND where there is none.
 */
static int ask(struct engine *en, const char *id, const struct monitor_msg *m, struct err *e)
{
	_cleanup_(fd_close) int run_dir = container_run_dir(en, id, false, e);
	_cleanup_(fd_close) int sock = -1;
	const struct timeval patience = {.tv_sec = START_WAIT_MS / 1000};

	if (run_dir < 0)
		return -1;
	sock = monitor_connect(run_dir);
	if (sock < 0)
		return err_set(e, ERR_NOT_FOUND, -sock, "reaching the monitor of container %.12s",
			       id);
	/* One that still starts may hang in what it starts; nobody else waits for that. */
	if (m->type == MONITOR_ASK_PID || m->type == MONITOR_ASK_EXECS)
		(void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(sock, m, sizeof(*m), MSG_NOSIGNAL) < 0)
		return err_set(e, ERR_NOT_FOUND, errno, "the monitor of container %.12s is gone",
			       id);
	return TAKE_FD(sock);
}

/* One message, of at least a whole head. */
static ssize_t hear(int sock, void *to, size_t n, const char *id, struct err *e)
{
	ssize_t got;

	do
		got = recv(sock, to, n, 0);
	while (got < 0 && errno == EINTR);
	if (got < (ssize_t)sizeof(struct monitor_msg))
		return err_set(e, ERR_NOT_FOUND, 0, "the monitor of container %.12s is gone", id);
	return got;
}

ssize_t container_ask_text(struct engine *en, const char *id, const struct monitor_msg *m,
			   void *answer, size_t n, struct err *e)
{
	_cleanup_(fd_close) int sock = ask(en, id, m, e);

	return sock < 0 ? -1 : hear(sock, answer, n, id, e);
}

int container_ask(struct engine *en, const char *id, struct monitor_msg *m, struct err *e)
{
	return container_ask_text(en, id, m, m, sizeof(*m), e) < 0 ? -1 : 0;
}

int container_load_now(struct engine *en, const char *ref, struct container *c, struct err *e)
{
	char id[ID_SIZE];

	if (engine_reconcile(en, e) < 0 || container_resolve(en, ref, id, e) < 0 ||
	    container_load(en, id, c, e) < 0 || container_refresh_started(en, c, e) < 0)
		return -1;
	return 0;
}

/* Waits until nobody has the container's lock: its monitor has ended, or ends right now, and the
 * row tells of it. */
void container_await_lock(struct engine *en, const char *id)
{
	struct err gone = ERR_INIT;
	_cleanup_(fd_close) int run_dir = container_run_dir(en, id, false, &gone);
	_cleanup_(fd_close) int lock = run_dir < 0 ? -1 : monitor_lock_wait(run_dir);
}

/* The monitor has ended, or ends right now: its lock is free when the row has the exit code. */
int container_await_end(struct engine *en, const char *id, int *ret_code, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;

	*e = ERR_INIT;
	container_await_lock(en, id);
	if (container_load_now(en, id, &c, e) < 0)
		return -1;
	*ret_code = c.exit_code;
	return 0;
}

/* The exit was told on SOCK, and the row is written in a moment: whoever waited must find the
 * container ended, or started again. The connection stays open until then: the monitor keeps it,
 * and so does what the monitor becomes for the end. */
static void await_row_of_end(int sock)
{
	const struct timeval patience = {.tv_sec = START_WAIT_MS / 1000};
	struct monitor_msg m;

	/* A client that does the end may have been stopped. */
	(void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	while (recv(sock, &m, sizeof(m), 0) > 0 || errno == EINTR)
		errno = 0;
}

int container_wait(struct engine *en, const char *ref, int *ret_code, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	struct monitor_msg m = {.type = MONITOR_WAIT};
	_cleanup_(fd_close) int sock = -1;

	if (container_load_now(en, ref, &c, e) < 0)
		return -1;
	if (c.state != ENGINE_RUNNING) {
		*ret_code = c.exit_code;
		return 0;
	}
	sock = ask(en, c.id, &m, e);
	if (sock < 0 || hear(sock, &m, sizeof(m), c.id, e) < 0)
		return e->class == ERR_NOT_FOUND ? container_await_end(en, c.id, ret_code, e) : -1;
	*ret_code = m.a;
	await_row_of_end(sock);
	return 0;
}

bool container_await_running(struct engine *en, const char *id)
{
	const int64_t end = clock_monotonic() + START_WAIT_MS * INT64_C(1000000);

	for (;;) {
		_cleanup_(container_done) struct container c = CONTAINER_INIT;
		struct err ignored = ERR_INIT;
		bool taken = container_held(en, id);
		int64_t left = end - clock_monotonic();

		if (container_load_now(en, id, &c, &ignored) < 0)
			return false;
		if (c.state == ENGINE_RUNNING || !taken || left <= 0)
			return c.state == ENGINE_RUNNING;
		container_await_change(en, id, (int)(left / 1000000) + 1);
	}
}

int container_pid_of(struct engine *en, const char *ref, int *ret_pid, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;

	if (container_load_now(en, ref, &c, e) < 0)
		return -1;
	if (c.state != ENGINE_RUNNING)
		return err_set(e, ERR_CONFLICT, 0,
			       "cannot join a namespace of container %s: it is not running", ref);
	if (c.pid <= 0)
		return err_set(e, ERR_CONFLICT, 0,
			       "cannot join a namespace of container %s: whoever started it was "
			       "killed before its process was recorded",
			       ref);
	*ret_pid = c.pid;
	return 0;
}

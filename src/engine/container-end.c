/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a run: what its monitor recorded goes into the row, its cgroup and its run directory
 * go, and so does the whole container where it removes itself. And what comes after an end: the
 * restart policy. */
#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/path.h"
#include "base/process.h"
#include "base/str.h"
#include "engine/engine-internal.h"
#include "engine/event.h"
#include "engine/mount-internal.h"
#include "engine/network-internal.h"
#include "kernel/cgroup.h"
#include "monitor/log.h"
#include "monitor/monitor.h"
#include "store/snapshot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CGROUP_WAIT_MS = 10000, EXIT_UNKNOWN = 137 };

/* Docker's back-off (restartmanger.go): doubled with every restart, until a run of ten seconds. */
enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 60000 };
#define BACKOFF_RESET_NS INT64_C(10000000000)

/* Reads the exit record. ERR_NOT_FOUND where the monitor wrote none. */
static int read_exit(int run_dir, struct container *c, struct err *e)
{
	_cleanup_(freep) char *text = NULL;
	_cleanup_(json_unref) json_t *doc = NULL;
	struct json_reader r;
	const char *when = NULL;
	int64_t code = 0;
	size_t n;
	int got = path_read_file(run_dir, MONITOR_EXIT_RECORD, MONITOR_EXIT_RECORD_MAX, &text, &n);

	if (got < 0)
		return err_errno(e, got, "reading the exit record of container %.12s", c->id);
	doc = json_parse(text, n, "the exit record", e);
	if (!doc || json_reader_init(&r, doc, "the exit record", &c->spec.arena, e) < 0 ||
	    json_read_i64(&r, "exitCode", 0, 255, &code, e) < 0 ||
	    json_read_bool(&r, "oomKilled", &c->oom, e) < 0 ||
	    json_read_bool(&r, "byHand", &c->by_hand, e) < 0 ||
	    json_read_i64(&r, "logLost", 0, INT64_MAX, &c->log_lost, e) < 0 ||
	    json_read_str(&r, "finishedAt", &when, e) < 0)
		return -1;
	c->exit_code = (int)code;
	if (!when || clock_parse(when, &c->finished) < 0)
		c->finished = clock_now();
	return 0;
}

bool container_has_record(int run_dir)
{
	_cleanup_(fd_close) int fd = path_open_own(run_dir, MONITOR_EXIT_RECORD, O_PATH, 0);

	return fd >= 0;
}

int container_cgroup_remove(struct engine *en, const struct container *c, struct err *e)
{
	const struct cgroup_host *host;
	char path[192];
	int r;

	if (engine_cgroups(en, &host, e) < 0)
		return -1;
	r = cgroup_destroy(host, container_cgroup_path(c, path), CGROUP_WAIT_MS);
	return r < 0 ? err_errno(e, r, "removing the cgroup of container %.12s", c->id) : 0;
}

static void container_log_remove(struct engine *en, const char *id)
{
	_cleanup_(fd_close) int logs =
		path_open_own(store_root_fd(en->store), LOG_DIR, O_RDONLY | O_DIRECTORY, 0);

	if (logs >= 0)
		(void)path_remove_tree(logs, id);
}

/* The rows go, with those of what only this container had. */
static int forget_rows(struct engine *en, const struct container *c, bool volumes, struct arena *a,
		       const char ***ret_gone, struct err *e)
{
	if (store_begin(en->store, false, e) < 0)
		return -1;
	if (snapshot_remove(en->store, c->snapshot, e) < 0 ||
	    mount_points_release(en, c, volumes, a, ret_gone, e) < 0 ||
	    (container_has_endpoints(c) && endpoint_delete_all(en->store, c->id, e) < 0) ||
	    container_row_delete(en->store, c->id, e) < 0) {
		store_abort(en->store);
		return -1;
	}
	return store_commit(en->store, e);
}

int container_forget(struct engine *en, const struct container *c, bool volumes, struct err *e)
{
	_cleanup_(arena_done) struct arena a = ARENA_INIT;
	const char **gone = NULL;

	if (endpoints_release(en, c, e) < 0)
		return -1;
	if (forget_rows(en, c, volumes, &a, &gone, e) < 0)
		return -1;
	container_log_remove(en, c->id);
	/* The trees are noted as trash: what cannot be removed now is no failure of the end. */
	snapshot_sweep(en->store, NULL);
	if (gone)
		volume_sweep(en->store, NULL);
	for (; gone && *gone; gone++)
		volume_event(en, *gone, "destroy");
	event_container(en, c, "destroy", NULL);
	return 0;
}

/* For the owner of the lock. The lock's file goes last, and the directory only where it is empty
 * then: who made a new lock file in between owns the directory. */
void container_run_dir_remove(struct engine *en, const char *id)
{
	_cleanup_(fd_close) int parent =
		path_open_own(store_run_fd(en->store), "containers", O_PATH | O_DIRECTORY, 0);
	_cleanup_(fd_close) int dir =
		parent < 0 ? -1 : path_open_own(parent, id, O_RDONLY | O_DIRECTORY, 0);
	int copy = dir < 0 ? -1 : fcntl(dir, F_DUPFD_CLOEXEC, 3);
	DIR *list = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;

	if (!list) {
		fd_close(&copy);
		return;
	}
	while ((entry = readdir(list)))
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, "..") &&
		    !str_eq(entry->d_name, MONITOR_LOCK))
			path_remove_tree(dir, entry->d_name);
	closedir(list);
	path_remove_tree(dir, MONITOR_LOCK);
	unlinkat(parent, id, AT_REMOVEDIR);
}

/* How an end is told where the exit record is missing. */
void container_exit_unknown(struct container *c, const struct container_exit *how)
{
	c->exit_code = how ? how->code : EXIT_UNKNOWN;
	c->oom = how && how->oom;
	c->finished = clock_now();
	if (!how)
		c->error = "its monitor was killed";
}

/* A container that does not run any more: its row is written, or goes where it removes itself, and
 * its run directory goes. Whoever is killed on the way leaves a row, which leads the next command
 * to the rest. */
static int put_away(struct engine *en, const struct container *c, struct err *e)
{
	if (c->spec.auto_remove) {
		container_run_dir_remove(en, c->id);
		return container_forget(en, c, true, e);
	}
	if (container_store(en, c, false, e) < 0)
		return -1;
	container_run_dir_remove(en, c->id);
	return 0;
}

/* What of the end is the same whether the container is restarted or not. */
static int finish_run(struct engine *en, struct container *c, int run_dir,
		      const struct container_exit *how, struct err *e)
{
	struct err ignored = ERR_INIT;
	bool ran = !c->restarting;

	if (read_exit(run_dir, c, &ignored) < 0)
		container_exit_unknown(c, how);
	if (container_cgroup_remove(en, c, e) < 0 || endpoints_release(en, c, e) < 0)
		return -1;
	container_health_keep(c, run_dir);
	c->paused = c->restarting = false;
	c->pid = 0;
	c->lease = 0;
	/* A restart that was called off ended earlier. */
	if (ran && c->oom)
		event_container(en, c, "oom", NULL);
	if (ran) {
		event_container_died(en, c);
		volume_events_mounted(en, c, false);
	}
	return 0;
}

/* The end of a container that ran, for whoever owns its lock or acts for its monitor. */
int container_end_owned(struct engine *en, struct container *c, int run_dir,
			const struct container_exit *how, struct err *e)
{
	if (finish_run(en, c, run_dir, how, e) < 0)
		return -1;
	c->state = ENGINE_EXITED;
	return put_away(en, c, e);
}

/* A run directory that another process has removed, or whose monitor has recorded nothing (then it
 * may be that of a later start), is left to container_refresh. */
int container_end(struct engine *en, const char *id, const struct container_exit *how,
		  struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(fd_close) int run_dir = -1;
	struct err gone = ERR_INIT;

	store_reserve(en->store);
	if (container_load(en, id, &c, &gone) < 0) {
		if (gone.class != ERR_NOT_FOUND)
			return *e = gone, -1;
		/* Killed between the row's end and the run directory's. */
		container_run_dir_remove(en, id);
		return 0;
	}
	run_dir = container_run_dir(en, id, false, &gone);
	if (run_dir < 0)
		return gone.class == ERR_NOT_FOUND ? 0 : (*e = gone, -1);
	if (!how && !container_has_record(run_dir))
		return 0;
	return container_end_owned(en, &c, run_dir, how, e);
}

int container_end_removed(struct engine *en, const char *id, bool volumes, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(fd_close) int run_dir = -1;

	store_reserve(en->store);
	if (container_load(en, id, &c, e) < 0)
		return -1;
	run_dir = container_run_dir(en, id, false, e);
	if (run_dir < 0 || finish_run(en, &c, run_dir, NULL, e) < 0)
		return -1;
	container_run_dir_remove(en, id);
	return container_forget(en, &c, volumes || c.spec.auto_remove, e);
}

int container_failed(struct engine *en, struct container *c, struct err *e)
{
	if (container_cgroup_remove(en, c, e) < 0 || endpoints_release(en, c, e) < 0)
		return -1;
	c->lease = 0;
	c->pid = 0;
	c->restarting = false;
	c->state = c->finished ? ENGINE_EXITED : ENGINE_CREATED;
	return put_away(en, c, e);
}

/* ---- restart ---- */

bool container_wants_restart(const struct container *c)
{
	const struct spec_restart *r = &c->spec.restart;

	switch (r->policy) {
	case SPEC_RESTART_ALWAYS:
		return true;
	case SPEC_RESTART_UNLESS_STOPPED:
		return !c->by_hand;
	case SPEC_RESTART_ON_FAILURE:
		return c->exit_code != 0 && (!r->retries || c->restart_count < r->retries);
	case SPEC_RESTART_NO:
		break;
	}
	return false;
}

static void next_backoff(struct container *c)
{
	if (!c->backoff_ms || c->finished - c->started >= BACKOFF_RESET_NS)
		c->backoff_ms = BACKOFF_FIRST_MS;
	else
		c->backoff_ms = MIN(c->backoff_ms * 2, BACKOFF_MAX_MS);
}

/* Becomes a monitor that waits for the next start. Returns only on failure. */
static int become_waiting(struct engine *en, const struct container *c, int run_dir, int lock,
			  int control, struct err *e)
{
	_cleanup_(fd_close) int program = program_open("kogge-monitor");
	struct monitor_config m = MONITOR_CONFIG_INIT;
	int r;

	if (program < 0)
		return err_errno(e, program, "finding kogge-monitor");
	container_monitor_config(en, c, &m);
	m.log.driver = LOG_NONE;
	m.run_dir = run_dir;
	m.lock = lock;
	m.control = control;
	m.restart.wait_ms = c->backoff_ms;
	m.restart.exit_code = c->exit_code;
	r = monitor_exec(program, &m);
	return err_errno(e, r, "starting kogge-monitor");
}

int container_end_monitored(struct engine *en, const char *id, int lock, int control, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(fd_close) int run_dir = -1;
	struct err gone = ERR_INIT;
	bool waited;

	if (control < 0 || container_load(en, id, &c, &gone) < 0 ||
	    c.spec.restart.policy == SPEC_RESTART_NO)
		return container_end(en, id, NULL, e);
	run_dir = container_run_dir(en, id, false, e);
	if (run_dir < 0)
		return -1;
	waited = c.restarting;
	if (finish_run(en, &c, run_dir, NULL, e) < 0)
		return -1;
	if (waited || c.by_hand || !container_wants_restart(&c)) {
		c.state = ENGINE_EXITED;
		return put_away(en, &c, e);
	}
	next_backoff(&c);
	c.restart_count++;
	c.restarting = true;
	c.state = ENGINE_RUNNING;
	path_remove_tree(run_dir, MONITOR_EXIT_RECORD);
	if (container_store(en, &c, false, e) < 0)
		return -1;
	return become_waiting(en, &c, run_dir, lock, control, e);
}

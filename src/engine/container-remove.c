/* SPDX-License-Identifier: Apache-2.0 */
/* Removing a container, whatever it does at the moment. */
#include "base/clock.h"
#include "base/failpoint.h"
#include "base/fd.h"
#include "engine/engine-internal.h"
#include "engine/event.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

enum { KILL_WAIT_MS = 2000 };

#define REMOVE_WAIT_NS INT64_C(15000000000)

/* The removal of a container that may run. */
struct removal {
	struct engine *en;
	const char *id;
	bool force, volumes;
	bool done; /* with the end of the run */
};

/* Waits for what the monitor says next. False where it says no more, or nothing for a time. */
static bool hear(int sock, struct monitor_msg *ret)
{
	struct pollfd f = {.fd = sock, .events = POLLIN};

	return poll(&f, 1, KILL_WAIT_MS) > 0 &&
	       recv(sock, ret, sizeof(*ret), 0) == (ssize_t)sizeof(*ret);
}

/* The end of the run is ours: the container goes with it. The monitor still has the lock, and does
 * the end itself where this one is killed or fails: the socket says so. */
static void end_and_remove(struct removal *r, int sock)
{
	struct monitor_msg m = {.type = MONITOR_ENDED};
	struct err e = ERR_INIT;

	r->done = FAILPOINT("engine.remove.ending", &e) == 0 &&
		  container_end_removed(r->en, r->id, r->volumes, &e) == 0 &&
		  FAILPOINT("engine.remove.ended", &e) == 0;
	if (!r->done)
		return;
	m.a = store_maintenance_due(r->en->store) ? MONITOR_ENDS_LOG : MONITOR_ENDS_NOTHING;
	(void)!send(sock, &m, sizeof(m), MSG_NOSIGNAL);
}

/* Kills what runs and waits until its monitor has recorded the exit, for a limited time: whoever
 * reads its output may be slow. Killing it again then ends the output, too. Where nobody else does
 * the end, this process does; else it waits until that is done. */
static void kill_and_wait(struct removal *r)
{
	_cleanup_(fd_close) int run_dir = container_run_dir(r->en, r->id, false, NULL);
	_cleanup_(fd_close) int sock = run_dir < 0 ? -1 : monitor_connect(run_dir);
	struct monitor_msg m = {.type = MONITOR_SIGNAL, .a = SIGKILL};
	const struct monitor_msg wait = {.type = MONITOR_WAIT, .a = 1};

	if (sock < 0 || send(sock, &wait, sizeof(wait), MSG_NOSIGNAL) < 0 ||
	    send(sock, &m, sizeof(m), MSG_NOSIGNAL) < 0)
		return;
	while (hear(sock, &m))
		if (m.type == MONITOR_EXITED && (m.b & MONITOR_EXITED_YOURS))
			end_and_remove(r, sock);
}

/* The lock of a container that is to go. With FORCE it is killed, at every moment of its start. */
static int own_to_remove(struct removal *r, const struct container *c, int *run_dir, int *lock,
			 struct err *e)
{
	int64_t end = clock_monotonic() + REMOVE_WAIT_NS;

	while (!r->done) {
		int64_t left = end - clock_monotonic();
		int got = container_own(r->en, c->id, run_dir, lock, e);

		if (got)
			return got < 0 ? -1 : 0;
		if (!r->force && c->lease)
			return err_set(e, ERR_CONFLICT, 0,
				       "cannot remove container \"/%s\": it is being started",
				       c->name);
		if (!r->force) {
			container_await_lock(r->en, c->id);
			continue;
		}
		if (left <= 0)
			return err_set(e, ERR_CONFLICT, 0,
				       "cannot remove container \"/%s\": it does not end", c->name);
		kill_and_wait(r);
		if (!r->done)
			container_await_change(r->en, c->id, (int)(left / 1000000) + 1);
	}
	return 0;
}

int container_remove(struct engine *en, const char *ref, unsigned flags, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	_cleanup_(fd_close) int run_dir = -1, lock = -1;
	bool force = flags & CONTAINER_REMOVE_FORCE;
	struct err gone = ERR_INIT;
	char id[ID_SIZE];
	struct removal r = {
		.en = en, .id = id, .force = force, .volumes = flags & CONTAINER_REMOVE_VOLUMES};

	if (engine_reconcile(en, e) < 0 || container_resolve(en, ref, id, e) < 0 ||
	    container_load(en, id, &c, e) < 0)
		return -1;
	/* With force a start is not waited for: it is ended wherever it stands. */
	if ((force ? container_refresh : container_refresh_started)(en, &c, &gone) < 0)
		return gone.class == ERR_NOT_FOUND ? 0 : (*e = gone, -1);
	if (c.state == ENGINE_RUNNING && !force)
		return err_set(e, ERR_CONFLICT, 0,
			       "cannot remove container \"/%s\": container is running: stop the "
			       "container before removing or force remove",
			       c.name);
	if (c.paused && container_thaw(&c, e) < 0)
		return -1;
	if (c.state == ENGINE_RUNNING)
		event_container_killed(en, &c, SIGKILL);
	if (own_to_remove(&r, &c, &run_dir, &lock, e) < 0)
		return -1;
	if (r.done)
		return 0;
	/* Its client may have removed it already. */
	if (container_reload(en, &c, &gone) < 0)
		return gone.class == ERR_NOT_FOUND ? 0 : (*e = gone, -1);
	if ((c.state == ENGINE_RUNNING || c.lease) && container_cgroup_remove(en, &c, e) < 0)
		return -1;
	if (c.state == ENGINE_RUNNING) {
		container_exit_unknown(&c, NULL);
		event_container_died(en, &c);
	}
	container_run_dir_remove(en, c.id);
	return container_forget(en, &c, flags & CONTAINER_REMOVE_VOLUMES, e);
}

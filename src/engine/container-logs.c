/* SPDX-License-Identifier: Apache-2.0 */
/* Following a log waits on inotify for more, and on the monitor's socket for the end: everything is
 * in the file before the monitor tells of an exit. */
#include "engine/container-logs.h"

#include "base/fd.h"
#include "base/path.h"
#include "engine/engine-internal.h"
#include "engine/log-reader.h"
#include "engine/logs-journal.h"
#include "engine/spec-life.h"
#include "monitor/monitor.h"
#include "monitor/protocol.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

/* Watches the log's folder, or where there is none yet the one above it. */
static void watch(struct log_reader *r, int inotify)
{
	_cleanup_(fd_close) int above = -1;
	char path[64];

	if (log_reader_open(r) < 0)
		above = path_mkdirs(store_root_fd(r->en->store), LOG_DIR, 0710, PATH_NO_SYMLINKS);
	/* It may have come in between. */
	log_reader_open(r);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->dir >= 0 ? r->dir : above);
	inotify_add_watch(inotify, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO);
}

/* A peer of the monitor that is told of the next exit. */
static int await_exit(struct engine *en, const char *id)
{
	struct err gone = ERR_INIT;
	_cleanup_(fd_close) int run_dir = container_run_dir(en, id, false, &gone);
	_cleanup_(fd_close) int sock = run_dir < 0 ? -1 : monitor_connect(run_dir);
	const struct monitor_msg m = {.type = MONITOR_ATTACH};

	if (sock < 0 || send(sock, &m, sizeof(m), MSG_NOSIGNAL) < 0)
		return -1;
	return TAKE_FD(sock);
}

static bool has_ended(int sock)
{
	struct monitor_msg m;

	return recv(sock, &m, sizeof(m), 0) != (ssize_t)sizeof(m) || m.type == MONITOR_EXITED ||
	       (m.type == MONITOR_DONE && m.a < 0);
}

static int follow(struct log_reader *r, int sock, struct err *e)
{
	_cleanup_(fd_close) int inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	char events[4096];
	bool ended = false, watched = false;
	int ret;

	if (inotify < 0)
		return err_errno(e, errno, "watching the log");
	for (;;) {
		struct pollfd f[] = {{.fd = sock, .events = POLLIN},
				     {.fd = inotify, .events = POLLIN}};

		if (!watched) {
			watch(r, inotify);
			watched = r->dir >= 0;
		}
		ret = log_reader_more(r, e);
		if (ret || ended || r->over)
			return ret;
		if (poll(f, 2, -1) < 0)
			continue;
		while (f[1].revents && read(inotify, events, sizeof(events)) > 0)
			;
		if (f[0].revents)
			ended = has_ended(sock);
	}
}

static int logs_of_journal(struct engine *en, const struct container *c, const struct logs_opts *o,
			   struct err *e)
{
	_cleanup_(fd_close) int sock =
		o->follow && c->state == ENGINE_RUNNING ? await_exit(en, c->id) : -1;

	return logs_journal(c->id, o, sock, has_ended, e);
}

int container_logs(struct engine *en, const char *ref, const struct logs_opts *o, struct err *e)
{
	_cleanup_(container_done) struct container c = CONTAINER_INIT;
	struct log_config config;
	_cleanup_(log_reader_done) struct log_reader r = LOG_READER_INIT(en, o);
	_cleanup_(fd_close) int sock = -1;
	int ret;

	if (container_load_now(en, ref, &c, e) < 0 || spec_log_config(&c.spec.log, &config, e) < 0)
		return -1;
	if (config.driver == LOG_JOURNALD)
		return logs_of_journal(en, &c, o, e);
	if (log_reader_start(&r, &c, e) < 0)
		return -1;
	if (o->follow && c.state == ENGINE_RUNNING)
		sock = await_exit(en, c.id);
	ret = log_reader_all(&r, e);
	if (o->idle)
		o->idle(o->arg);
	return ret || sock < 0 || r.over ? ret : follow(&r, sock, e);
}
